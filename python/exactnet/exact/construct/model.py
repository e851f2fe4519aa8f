"""The model behind `plan`: how random points look on a line, and what that makes of networks."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import gmpy2
import numpy as np

from exactnet import _core
from exactnet.exact.construct.integer import CANDIDATES, ENOUGH, depths, search_bytes
from exactnet.exact.construct.line import Line, one_layer
from exactnet.exact.construct.memorization import near_square, overhead_bytes
from exactnet.exact.data import Table
from exactnet.exact.rationals import LIMITS

_LEVELS = 100  # of a feature, by assumption; more where points would be too many for them
_TARGET_LEVELS = 10
_PAIRS = 2 * CANDIDATES - 1  # of projections of one size
_PARTED = 6.0


class Machine(NamedTuple):
    """Times of this machine as multiples of those of the one that constants were measured on."""

    python: float
    search: float
    gmp: float


@functools.cache
def this_machine() -> Machine:
    """Time small builds: a network with one hidden layer, a projection, a second layer."""
    generator = _core.Generator(0)
    t = np.floor(generator.uniform(400, 1.0) * 2.0**40).astype(np.int64).tolist()
    t = [gmpy2.mpq(v) for v in sorted(set(t))]
    y = [gmpy2.mpq(k % 10) for k in range(len(t))]
    line = Line(np.array([gmpy2.mpq(1)], dtype=object), gmpy2.mpq(0), t)
    cells = np.floor((generator.uniform(2000, 1.0) + 1) * 50).astype(np.int64).reshape(400, 5)
    table = _core.Table(cells, [gmpy2.mpz(1)] * 5)

    def shortest(work: Callable[[], Any]) -> float:
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        return min(seconds)

    return Machine(
        shortest(lambda: one_layer(line, [y], list(range(len(t))), len(t))) / 3.3e-4,
        shortest(lambda: _core.choose_projection(table, "smallest", 0, None)) / 2.2e-3,
        shortest(lambda: _core.construct_theorem3(t, [y], 20, 20, "least", 1, None)) / 2.4e-3,
    )


class Prediction(NamedTuple):
    """Of one construction; see `PlanRow`."""

    construction: str
    dtype: str | None
    hidden: tuple[int, ...]
    parameters: int
    bits: int
    memory_bytes: int
    seconds: float
    file_bytes: int


class _Design(NamedTuple):
    """An integer network, as expected."""

    depth: int
    blocks: int
    middle: bool
    range: float  # of its projections
    deviation: float
    last: int  # width of its last hidden layer

    @property
    def hidden(self) -> tuple[int, ...]:
        first = 2 * self.blocks - 1
        return (first, self.blocks, self.last) if self.middle else (first, self.last)

    @property
    def units(self) -> int:
        return sum(self.hidden)


class Numbers(NamedTuple):
    """What data have in place of what the model assumes, in units of their columns' steps."""

    deviation: float  # root mean square of those of the features
    widest: float  # of the features' ranges
    bits: float  # of a point, in mixed radix
    difference_bits: float  # of what two points may differ by
    height: float  # of the targets

    @classmethod
    def of(cls, points: Table, targets: Table) -> Numbers:
        """Look at data without equal rows."""
        features = [_column(points.numerators[:, c]) for c in range(points.shape[1])]
        ranges = [reach for reach, _ in features]
        return cls(
            math.sqrt(sum(variance for _, variance in features) / len(features)),
            max(ranges),
            sum(math.log2(reach + 1) for reach in ranges),
            sum(math.log2(2 * reach + 1) for reach in ranges),
            max(_column(targets.numerators[:, c])[0] for c in range(targets.shape[1])),
        )


def _column(numerators: Any) -> tuple[float, float]:
    """Return range and variance of a column in units of its step, at most 1e100."""
    low, high = int(numerators.min()), int(numerators.max())
    offsets = numerators - low
    step = int(np.gcd.reduce(offsets)) or 1
    reach = min((high - low) // step, 10**100)
    if numerators.dtype == np.int64 and reach < 2**62:
        return float(reach), float(np.var(offsets / step))
    return float(reach), float(reach) ** 2 / 12


class Model:
    """Random points, and what their projections look like.

    The values of a projection of several features are nearly normal, and of a uniform one uniform.
    Constants named "measured" were fitted to builds of 10 to 60,000 points with 1 to 784 features.
    """

    def __init__(
        self, n: int, d: int, m: int, machine: Machine, numbers: Numbers | None = None
    ) -> None:
        self.n, self.d, self.m, self.machine = n, d, m, machine
        if numbers is None:
            levels = max(_LEVELS, math.pow(4 * n, 1 / d))
            bits = d * math.log2(levels), d * math.log2(2 * levels - 1)
            numbers = Numbers(levels / math.sqrt(12), levels, *bits, _TARGET_LEVELS - 1)
        self.levels = max(numbers.widest, 1.0)  # of a feature
        self.deviation = max(numbers.deviation, 1e-9)
        self.points = math.pow(2, min(numbers.bits, 400.0))  # that there may be
        self.differences = math.pow(2, min(numbers.difference_bits, 400.0))
        self.height = max(numbers.height, 1.0)
        self.width = self._width(n)
        self.range = self._range()

    def _width(self, n: int) -> float:
        """Range of the projections of n points in standard deviations."""
        if self.d == 1:
            return math.sqrt(12)
        # that of random weights times whole ranges, or what n normal numbers reach
        most = 3 * math.sqrt(self.d)
        normal = 1.8 * math.sqrt(2 * math.log(n + 1))
        return math.sqrt(1 / math.sqrt(most**-4 + normal**-4))

    def _crowding(self) -> float:
        """Pairs of equal values of n points per n**2 / 2 and deviation: the integral of f**2."""
        return 1 / math.sqrt(12) if self.d == 1 else 0.5 / math.sqrt(math.pi)

    def _range(self) -> float:
        """T: that in which a draw has few pairs of equal values."""
        if self.d == 1:
            return self.levels
        # Measured: the search parts the points of so many pairs that collide; more where features
        # are rarely not 0, which makes parameters up to a third shorter.
        per_pair = self.width * self._crowding() / _PARTED
        birthday = self.n**2 / 2 * per_pair
        # Points that fill much of a grid have few different differences, and a projection parts all
        # pairs of the same one or none. Numbers in mixed radix would do for few features.
        different = min(birthday, self.differences / 2 * per_pair)
        return max(float(self.n), self.levels, different, min(birthday, self.points))

    # -------------------------------- Theorems 3 and 4

    def blocks(self) -> Prediction:
        """Theorems 3 and 4, of least constants."""
        n, d, m = self.n, self.d, self.m
        hidden = a1, a2 = near_square(n, m)
        depth = a2 // m
        p = -(-n // depth)
        q = -(-n // p)
        # Blocks hold equally many points and are shorter where these are dense: their geometric
        # mean is that of a uniform line as long as the exponential of the values' entropy.
        even = min(1.0, math.sqrt(2 * math.pi * math.e) / self.width)
        # A gap counts with as many bits as it exceeds p by: primes below p divide the products of
        # other lengths in the numerator as often as those of gaps. Measured: the constants.
        per_gap = math.log2(1.5 + 1.75 * self.range * even / p**2)
        # A weight is the difference of two columns, if there are two.
        largest = max(p * (2 if q > 1 else 1) * per_gap, math.log2(self.range) + 1)
        largest += self._target_bits()
        used = p * q * m
        # Denominators grow along the blocks up to the largest, numerators alike.
        bits = used * largest
        seconds = self._common_seconds() + self._seconds(
            python=1e-6 * n + 0.7e-6 * n * m + 4e-9 * (a1 * d + a1 * a2),
            gmp=used * (3.8e-6 + 1.5e-9 * largest),  # measured
        )
        name = "theorem3" if m == 1 else "theorem4"
        copies = 2 * 8 * n * d  # of X, which all predictions get below
        memory = overhead_bytes(name, hidden, d, n, m) - copies + 1.25 * bits / 8
        bits += self._first_layer_bits(a1)
        return self._prediction(name, None, hidden, largest, memory, seconds, bits)

    # -------------------------------- one hidden layer

    def one_layer(self) -> Prediction:
        """One hidden layer, a unit a point but one."""
        n, d, m = self.n, self.d, self.m
        width = max(1, n - 1)
        # Weights have the products of neighbouring gaps in their denominators, which are widest
        # at the ends.
        log = math.log(n + 1)
        gap = self.range * (log / n if d == 1 else max(1 / (4 * log), 1 / n))
        largest = max(2 * math.log2(gap + 1), math.log2(self.range) + 1) + self._target_bits()
        common = max(1.0, self.range / n)  # an ordinary gap
        bits = n * m * 2 * (2 * math.log2(common) + 4) + self._first_layer_bits(width)
        # Measured; a row of the first layer is the same objects in every unit.
        memory = 460 * n + 8 * n * d + 275 * n * m
        seconds = self._common_seconds() + self._seconds(
            python=2.2e-6 * n + 1.0e-6 * n * m + 5e-9 * n * d
        )
        return self._prediction("one_layer", None, (width,), largest, memory, seconds, bits)

    # -------------------------------- integer

    def integer(self, dtype: str) -> Prediction | None:
        """Follow the search of integer.py with expected numbers of ties; None if it would fail."""
        n, m = self.n, self.m
        cuts = sizes = 0.0
        for depth in depths(n, m, None):
            best: _Design | None = None
            going_on = 1.0  # with this probability
            for size in self._sizes(depth):
                design, tried, done = self._design(depth, size, LIMITS[dtype])
                cuts += going_on * tried
                sizes += going_on
                if design is not None:
                    if best is None or (going_on > 0.5 and design.units < best.units):
                        best = design
                    going_on *= 1 - done
            if best is not None:
                return self._integer_row(dtype, best, cuts, sizes)
        return None

    def _design(self, depth: int, size: int, limit: float) -> tuple[_Design | None, float, float]:
        """Return the best design with weights of a size, pairs tried, and how likely it will do."""
        n, d, m = self.n, self.d, self.m
        least = -(-n // depth)
        blocks, tried, done, sigma = least, 1.0, 1.0, self.deviation
        if d > 1:
            sigma *= math.sqrt(d * size * (size + 1) / 3)
            density = self._crowding() / sigma
            # Points equal in both cannot be parted; it takes a pair of projections without such.
            possible = math.exp(-min(700, n**2 / 2 * density**2))
            # A pair of equal t2 ends its block, at two thirds on average; equal t1 move its end.
            ends = n * depth / 2 * density
            lost = depth * ends / 3 + n * least * density / 2
            spread = 0.4 * depth * math.sqrt(ends)
            blocks = math.ceil((n + max(0, lost - spread)) / depth)  # the best of several
            spare = int(ENOUGH * least) * depth - n
            one = possible * (1 + math.erf((spare - lost) / spread / math.sqrt(2))) / 2
            done = 1 - (1 - one) ** (CANDIDATES - 1)
            tried = done / one if one > 1e-9 else CANDIDATES - 1
            tried += (1 - done) * CANDIDATES / 2  # one projection for both fails half-way
            tried *= (1 + possible) / 2
            if possible < 0.1:
                return None, tried, 0.0
        reach = self.width * sigma
        bounds = self._integer_bounds(blocks, depth, sigma, reach)
        middle = bounds[0] >= limit
        if self.height * reach >= limit:
            return None, 0.0, 0.0  # seen before a cut
        if bounds[middle] >= limit:
            return None, 1 if d == 1 else _PAIRS, 0.0
        return _Design(depth, blocks, middle, reach, sigma, 2 * depth * m), tried, done

    def _sizes(self, depth: int) -> list[int]:
        """Of weights, as `_integer._projections` tries them."""
        if self.d == 1:
            return [1]
        spread = math.sqrt(2 / 3 * self.d) * self.deviation
        start = max(1, math.ceil(2 * depth**2 / spread))
        sizes = [start, 2 * start, *(8**k * start for k in range(1, 6))]
        sizes += [start // 2**k for k in range(1, start.bit_length())]
        return [s for s in sizes if s * self.levels * self.d < LIMITS["float64"]]

    def _integer_bounds(
        self, blocks: int, depth: int, sigma: float, reach: float
    ) -> tuple[float, float]:
        """Without and with a layer in between: the largest sums of magnitudes."""
        height = self.height
        # From block to block the outermost of `depth` values moves by half a deviation.
        moves = 0.0 if self.d == 1 else 0.5 * blocks * sigma
        if self.d == 1:
            moves = reach  # they go one way only
        # The last layer adds up how far the points of a block lie before its end.
        last = (0.7 * reach if self.d > 1 else reach / blocks) * height * depth
        sums = [height * (moves * factor + 2 * reach) for factor in (reach, 1.0)]
        return max(sums[0], last), max(sums[1], last, 2 * reach)

    def _integer_row(self, dtype: str, design: _Design, cuts: float, sizes: float) -> Prediction:
        n, d, m = self.n, self.d, self.m
        _, blocks, middle, reach, sigma, last = design
        hidden = design.hidden
        second = hidden[-2] * last
        between = hidden[0] * blocks if middle else 0
        height = self.height
        largest = math.log2(height * reach + 2)
        # Equal numbers share an object, rows come in pairs.
        different = min(second / 2, 2.5 * height * sigma / (blocks / 4 if d == 1 else 1))
        # Measured: an entry, an object, the arrays of the search.
        memory = 60 * second + 130 * different + 26 * between + 8 * hidden[0] * d
        memory += search_bytes(n, d, m) - 8 * n * d  # of X, which all predictions get below
        seconds = self._seconds(
            python=cuts * (8e-6 * blocks + 0.1e-6 * n + 6e-5 + 0.015e-6 * n * m)
            + sizes * (2.5e-9 * n * d + 1e-4)
            + 0.22e-6 * second
            + 0.1e-6 * between
            + 3e-9 * hidden[0] * d
        )
        bits = second * (1 + largest * 0.75) + between + hidden[0] * d * 8
        return self._prediction(
            "integer", dtype, hidden, largest, memory, seconds + self._merge_seconds(), bits
        )

    # -------------------------------- what all share

    def _prediction(
        self,
        name: str,
        dtype: str | None,
        hidden: tuple[int, ...],
        largest: float,
        memory: float,
        seconds: float,
        bits: float,
    ) -> Prediction:
        sizes = (self.d, *hidden, self.m)
        parameters = sum((a + 1) * b for a, b in pairwise(sizes))
        # X as integers, kept, and once more by columns while the projection is chosen
        table = 8 * self.n * self.d
        columns = 0 if name == "integer" else table
        return Prediction(
            name,
            dtype,
            hidden,
            parameters,
            math.ceil(largest),
            math.ceil(table + max(columns, memory)),
            seconds,
            # decimal digits, and quotes, a comma and a space around each
            math.ceil(0.302 * bits + 5 * parameters),
        )

    def _target_bits(self) -> float:
        """By which targets lengthen the weights that they are in, beyond those of small ones."""
        return max(0.0, math.log2(self.height / (_TARGET_LEVELS - 1)))

    def _first_layer_bits(self, width: int) -> float:
        """Of all weights together."""
        deviation = self.range / self.width
        weight = deviation * math.sqrt(3 / self.d) / self.deviation
        return width * self.d * (math.log2(weight + 1) + 1)

    def _seconds(self, python: float = 0.0, search: float = 0.0, gmp: float = 0.0) -> float:
        machine = self.machine
        return python * machine.python + search * machine.search + gmp * machine.gmp

    def _merge_seconds(self) -> float:
        """Conversion of the data, and the search for equal rows."""
        n, d = self.n, self.d
        return self._seconds(python=6e-4 + 2e-6 * d, search=0.15e-6 * n + 8e-9 * n * d)

    def _common_seconds(self) -> float:
        return self._merge_seconds() + self._projection_seconds()

    def _projection_seconds(self) -> float:
        """Follow the search of projection_search.cpp: its budget, most of which it takes."""
        n, d = self.n, self.d
        python = self._seconds(python=0.5e-6 * n)
        if d == 1:
            return python + self._seconds(search=14e-9 * n)
        visits = max(60_000, min(1500 * n, 15_000_000))
        visit = 3.4e-9 * max(1.0, math.pow(n / 2500, 0.25))  # measured: far memory takes longer
        return python + self._seconds(search=8e-9 * n * d + visit * visits)
