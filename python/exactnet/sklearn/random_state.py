"""Seeds from what scikit-learn calls random_state."""

from __future__ import annotations

import numbers
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

Array: TypeAlias = npt.NDArray[Any]


def seed_of(random_state: Any) -> int:
    """Return the seed of a network; integers are taken as they are."""
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
