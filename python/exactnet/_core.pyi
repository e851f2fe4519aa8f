# The interface of the compiled core; tests/test_stub.py compares it with the module.
# "list of mpz" and "list of mpq" cannot be said more precisely: gmpy2 has no type information.
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

class Table:
    def __init__(self, numerators: npt.NDArray[np.int64], denominators: list[Any]) -> None: ...
    @staticmethod
    def from_integers(
        numerators: Iterable[list[Any]], rows: int, denominators: list[Any]
    ) -> Table: ...

class ExactNetwork:
    def __init__(self) -> None: ...
    def __getstate__(self) -> bytes: ...
    def __setstate__(self, arg0: bytes) -> None: ...
    def add_layer(self, weights: list[Any], biases: list[Any], activation: str) -> None: ...

def choose_projection(
    points: Table, strategy: str, seed: int, progress: Callable[[float], None] | None = None
) -> tuple[list[Any], list[Any], list[Any], list[Any]]: ...
def construct_theorem3(
    t: list[Any],
    components: list[list[Any]],
    a1: int,
    a2: int,
    scale: str,
    n_threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> list[tuple[list[Any], list[Any], list[Any], list[Any], Any]]: ...
def find_collision(
    values: list[Any], progress: Callable[[float], None] | None = None
) -> tuple[int, int] | None: ...
def first_occurrences(
    points: Table, progress: Callable[[float], None] | None = None
) -> npt.NDArray[np.int64]: ...
def predict(
    network: ExactNetwork,
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
    network: ExactNetwork,
    points: Table,
    targets: Table,
    n_threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> tuple[int, int, int | None, Any]: ...

class DenseSamples32:
    @overload
    def __init__(self, x: npt.NDArray[np.float32]) -> None: ...
    @overload
    def __init__(self, x: npt.NDArray[np.uint8]) -> None: ...
    @overload
    def __init__(
        self,
        values: npt.NDArray[np.float32],
        starts: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int32],
        inputs: int,
    ) -> None: ...
    @property
    def packings(self) -> int: ...

class DenseData32:
    def __init__(self, samples: DenseSamples32, values: Any, labels: Any) -> None: ...

class DenseNetwork32:
    def __init__(
        self,
        weights: list[npt.NDArray[np.float32]],
        biases: list[npt.NDArray[np.float32]],
        activations: list[tuple[str, float, float]],
        isa: str,
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    def predict(
        self, x: Any, progress: Callable[[float], None] | None = None, n_threads: int = 1
    ) -> npt.NDArray[np.float32] | None: ...
    def evaluate(
        self,
        data: DenseData32,
        loss: str,
        classes: Any = None,
        progress: Callable[[float], None] | None = None,
        quantiles: Sequence[float] = [],
        n_threads: int = 1,
    ) -> tuple[float, float | None] | None: ...
    def gradients(
        self,
        data: DenseData32,
        loss: str,
        quantiles: Sequence[float] = [],
        weights: Any = None,
    ) -> tuple[float, list[Any]]: ...

class DenseTrainer32:
    def __init__(
        self,
        network: DenseNetwork32,
        data: DenseData32,
        weights: Any,
        options: TrainOptions,
        progress: Callable[[float], None] | None = None,
    ) -> None: ...
    @property
    def finite(self) -> bool: ...
    def run(
        self,
        rates: npt.NDArray[np.float64],
        shuffle: bool,
        random: Generator,
        until: float,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], int]: ...
    @property
    def after(self) -> tuple[str, Any, Any, int, int] | None: ...
    @property
    def recorded(
        self,
    ) -> (
        tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], int] | None
    ): ...
    def set_state(self, first: Any, second: Any, steps: int) -> None: ...

class DenseSamples64:
    @overload
    def __init__(self, x: npt.NDArray[np.float64]) -> None: ...
    @overload
    def __init__(self, x: npt.NDArray[np.uint8]) -> None: ...
    @overload
    def __init__(
        self,
        values: npt.NDArray[np.float64],
        starts: npt.NDArray[np.int64],
        columns: npt.NDArray[np.int32],
        inputs: int,
    ) -> None: ...
    @property
    def packings(self) -> int: ...

class DenseData64:
    def __init__(self, samples: DenseSamples64, values: Any, labels: Any) -> None: ...

class DenseNetwork64:
    def __init__(
        self,
        weights: list[npt.NDArray[np.float64]],
        biases: list[npt.NDArray[np.float64]],
        activations: list[tuple[str, float, float]],
        isa: str,
    ) -> None: ...
    @property
    def isa(self) -> str: ...
    def predict(
        self, x: Any, progress: Callable[[float], None] | None = None, n_threads: int = 1
    ) -> npt.NDArray[np.float64] | None: ...
    def evaluate(
        self,
        data: DenseData64,
        loss: str,
        classes: Any = None,
        progress: Callable[[float], None] | None = None,
        quantiles: Sequence[float] = [],
        n_threads: int = 1,
    ) -> tuple[float, float | None] | None: ...
    def gradients(
        self,
        data: DenseData64,
        loss: str,
        quantiles: Sequence[float] = [],
        weights: Any = None,
    ) -> tuple[float, list[Any]]: ...

class DenseTrainer64:
    def __init__(
        self,
        network: DenseNetwork64,
        data: DenseData64,
        weights: Any,
        options: TrainOptions,
        progress: Callable[[float], None] | None = None,
    ) -> None: ...
    @property
    def finite(self) -> bool: ...
    def run(
        self,
        rates: npt.NDArray[np.float64],
        shuffle: bool,
        random: Generator,
        until: float,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], int]: ...
    @property
    def after(self) -> tuple[str, Any, Any, int, int] | None: ...
    @property
    def recorded(
        self,
    ) -> (
        tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64], int] | None
    ): ...
    def set_state(self, first: Any, second: Any, steps: int) -> None: ...

class TrainOptions:
    def __init__(
        self,
        loss: str,
        batch_size: int,
        n_threads: int,
        optimizer: str,
        momentum: float,
        nesterov: bool,
        beta1: float,
        beta2: float,
        epsilon: float,
        clip_norm: float,
        alpha: float,
        power: float,
        dropout: list[float],
        record_norms: bool,
        quantiles: Sequence[float],
    ) -> None: ...

class Generator:
    def __init__(self, state: int) -> None: ...
    @property
    def state(self) -> int: ...
    def normal(self, n: int, scale: float) -> npt.NDArray[np.float64]: ...
    def uniform(self, n: int, limit: float) -> npt.NDArray[np.float64]: ...

def all_finite(x: npt.NDArray[Any]) -> bool: ...
def supported_isas() -> list[str]: ...
def read_rows(
    text: bytes,
    position: int,
    line: int,
    last: bool,
    delimiter: str,
    decimal: str,
    columns: bytes,
    exact: bool,
) -> tuple[
    npt.NDArray[Any],
    npt.NDArray[np.int16],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    npt.NDArray[np.int64],
    int,
    int,
    bool,
]: ...
