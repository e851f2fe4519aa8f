"""Pictures of networks, of their training and of what they compute, with matplotlib.

Every function draws into the Axes it is given, or makes a figure with pyplot, and returns the Axes.
Colours are those of Okabe and Ito, viridis and cividis, which do not depend on colour vision: blue
is positive and vermillion negative. matplotlib comes with ``pip install "exactnet[plot]"`` and is
imported when something is drawn.
"""

from exactnet.plot.confusion import confusion_matrix
from exactnet.plot.functions import activation_functions, fit_1d
from exactnet.plot.images import first_layer
from exactnet.plot.networks import network, save_network
from exactnet.plot.training import gradient_norms, learning_curves

__all__ = [
    "activation_functions",
    "confusion_matrix",
    "first_layer",
    "fit_1d",
    "gradient_norms",
    "learning_curves",
    "network",
    "save_network",
]


def __dir__() -> list[str]:
    return sorted(__all__)
