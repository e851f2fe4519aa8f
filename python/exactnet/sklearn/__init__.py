"""Estimators for scikit-learn: pipelines, grid searches, and whatever else takes an estimator.

The extra ``exactnet[sklearn]`` brings scikit-learn, which nothing else in this package needs.
"""

from exactnet.sklearn.classifier import MLPClassifier
from exactnet.sklearn.memorizer import Memorizer
from exactnet.sklearn.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "Memorizer"]


def __dir__() -> list[str]:
    return sorted(__all__)
