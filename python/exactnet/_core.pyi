# The interface of the compiled core; tests/test_stub.py compares it with the module.
# "list of mpz" and "list of mpq" cannot be said more precisely: gmpy2 has no type information.
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

class Table:
    def __init__(self, numerators: npt.NDArray[np.int64], denominators: list[Any]) -> None: ...
    @staticmethod
    def from_integers(numerators: list[Any], rows: int, denominators: list[Any]) -> Table: ...

class Network:
    def __init__(self) -> None: ...
    def add_layer(self, weights: list[Any], biases: list[Any], activation: str) -> None: ...

def choose_projection(
    points: Table, strategy: str, seed: int, progress: Callable[[float], None] | None = None
) -> tuple[list[Any], list[Any], list[Any], list[Any]]: ...
def construct_theorem3(
    t: list[Any],
    y: list[Any],
    a1: int,
    a2: int,
    scale: str,
    n_threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> tuple[list[Any], list[Any], list[Any], list[Any], Any]: ...
def find_collision(
    values: list[Any], progress: Callable[[float], None] | None = None
) -> tuple[int, int] | None: ...
def first_occurrences(
    points: Table, progress: Callable[[float], None] | None = None
) -> npt.NDArray[np.int64]: ...
def predict(
    network: Network,
    points: Table,
    n_threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> list[Any]: ...
def predict_theorem3_bytes(
    t: list[Any],
    y: list[Any],
    a1: int,
    a2: int,
    scale: str,
    progress: Callable[[float], None] | None = None,
) -> float: ...
def project(
    points: Table, weights: list[Any], progress: Callable[[float], None] | None = None
) -> list[Any]: ...
def verify(
    network: Network,
    points: Table,
    targets: Table,
    n_threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> tuple[int, int, int | None, Any]: ...
