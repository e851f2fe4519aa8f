"""CSV files: plain rows by the core, any other cell by cell, with an error that says its place."""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from exactnet import _core
from exactnet.base.progress import ProgressBar
from exactnet.cli.cells import exact_number, is_missing, is_number, to_float, with_point
from exactnet.cli.columns import as_option, column, ignored_columns
from exactnet.cli.mistakes import (
    refuse_marked_numbers,
    refuse_other_formats,
    refuse_other_separators,
)

_LINE_END = re.compile(rb"\r\n?|\n")
_SPACE = " \t\r\n"  # around cells
_HEAD = 10  # rows that tell what a file is like
_CHUNK = 2**20
_IGNORED, _NUMBER, _TEXT = range(3)  # columns, as the core counts them


@dataclass(frozen=True)
class Dialect:
    """What a user says of a CSV file.

    Attributes
    ----------
    ignore : sequence of str
        Columns that do not count, by name or number.
    decimal : {".", ","}
    drop_missing : bool
        Leave out rows with a missing cell, and say on stderr how many.
    """

    ignore: Sequence[str] = ()
    decimal: str = "."
    drop_missing: bool = False


def read_csv(
    path: str,
    target: str | None,
    dialect: Dialect,
    *,
    exact: bool,
    n_features: int | None,
    names: bool | None,
) -> tuple[Any, Any, npt.NDArray[np.int64]]:
    """Read (X, y, lines), as `read_data` says."""
    with open(path, "rb") as file, ProgressBar(f"reading {os.path.basename(path)}") as bar:
        reader = _Reader(_Source(file, bar), target, dialect, exact, n_features, names)
        result = reader.read()
        bar(1.0)
    if reader.n_dropped:
        n, left = reader.n_dropped, len(result[2])
        print(
            f"{path}: dropped {n} row{'s' * (n != 1)} with missing cells, "
            f"{left} {'is' if left == 1 else 'are'} left",
            file=sys.stderr,
        )
    if reader.index is not None and n_features is None:
        print(
            f"{path}: the first column has no name and counts the rows: "
            f"--ignore {reader.index} leaves it out",
            file=sys.stderr,
        )
    return result


class _Source:
    """The text of a file, from the row to be read next."""

    def __init__(self, file: BinaryIO, bar: ProgressBar) -> None:
        self._file, self._bar = file, bar
        self._size = os.fstat(file.fileno()).st_size
        self._n_read = 0
        self.text = b""
        self.is_ascii = True
        self.position = self.line = 0  # of the next row, in `text` and in lines before it
        self.at_end = False
        self.more()
        self.text = self.text.removeprefix(b"\xef\xbb\xbf")

    def more(self) -> None:
        """Read on; long rows in ever larger parts."""
        part = self._file.read(max(_CHUNK, len(self.text)))
        self.at_end = not part
        self._n_read += len(part)
        self.text += part
        self.is_ascii = self.text.isascii()
        self._bar(min(1.0, self._n_read / self._size) if self._size else 0.0)

    def forget(self) -> None:
        """Drop what has been read."""
        self.text, self.position = self.text[self.position :], 0

    def row(self, delimiter: str) -> list[str] | None:
        """Return the cells of the next row, None at the end; blank lines are no rows."""
        reader = csv.reader(self._lines(), delimiter=delimiter, skipinitialspace=True, strict=True)
        row: list[str] | None = []
        try:
            while row == []:
                before = self.line
                row = next(reader, None)
        except csv.Error as error:
            if "end of data" in str(error):
                raise ValueError(f"line {before + 1}: a quote is not closed") from None
            if "field limit" in str(error):
                raise ValueError(
                    f"line {before + 1}: a cell exceeds {csv.field_size_limit()} characters; "
                    "is a quote not closed?"
                ) from None
            raise ValueError(f"line {self.line}: {error}") from None
        return None if row is None else [cell.strip(_SPACE) for cell in row]

    def head(self, delimiter: str) -> tuple[list[list[str]], bool]:
        """Return the first rows, and whether nothing is wrong there; they are still to be read."""
        before = self.position, self.line
        rows: list[list[str]] = []
        try:
            while len(rows) < _HEAD and (row := self.row(delimiter)) is not None:
                rows.append(row)
        except UnicodeDecodeError:
            raise
        except ValueError:
            return rows, False
        finally:
            self.position, self.line = before
        return rows, True

    def _lines(self) -> Iterator[str]:
        start = self.position
        while True:
            match = _LINE_END.search(self.text, start)
            if self.at_end or (match is not None and match.end() < len(self.text)):
                stop = len(self.text) if match is None else match.end()
                if stop == self.position:
                    return
                line = self.text[self.position : stop].decode()
                self.position, self.line = stop, self.line + 1
                start = stop
                yield line
            else:  # a line end may be the first half of one
                start = max(self.position, len(self.text) - 1)
                self.more()


class _Part(NamedTuple):
    """A few rows: their numbers (rows, columns) as the core reads them, and their lines (rows,)."""

    values: npt.NDArray[Any]
    exponents: npt.NDArray[Any]  # empty for floats
    highs: npt.NDArray[Any]  # empty where all are 0
    lines: npt.NDArray[Any]


class _Reader:
    """What is read of a file, and how."""

    def __init__(
        self,
        source: _Source,
        target: str | None,
        dialect: Dialect,
        exact: bool,
        n_features: int | None,
        names: bool | None,
    ) -> None:
        self._source, self._dialect, self._exact = source, dialect, exact
        refuse_other_formats(source.text)
        self._delimiter = _delimiter(source, dialect.decimal)
        rows, good = source.head(self._delimiter)
        if not rows and not good:
            source.row(self._delimiter)  # which says what is wrong with the first
        if not rows:
            raise ValueError("the file is empty")
        refuse_other_separators(rows, source.text)
        self._has_header = self._is_header(rows[0], {target, *dialect.ignore})
        header = rows[0] if self._has_header else None
        self._rows = rows[self._has_header :]
        self._names = header or [str(k) for k in range(len(rows[0]))]
        ignored = ignored_columns(dialect.ignore, header, len(rows[0]), target)
        self._target = column(target, header, len(rows[0]), n_features, ignored)
        kinds = [_IGNORED if k in ignored else _NUMBER for k in range(len(rows[0]))]
        if self._target is not None and (
            self._holds_text(self._target) if names is None else names
        ):
            kinds[self._target] = _TEXT
        self._guessed = names is None
        self._kinds = kinds
        self._numbers = [k for k, kind in enumerate(kinds) if kind == _NUMBER]
        self._features = [k for k in self._numbers if k != self._target]
        if not self._features:
            raise ValueError("there are no columns besides the target")
        self.n_dropped = 0
        self.index: str | None = None  # how an option names a first column that counts the rows
        self._n_rows = 0
        self._parts: list[_Part] = []
        self._others: dict[int, dict[int, Any]] = {}  # column, row: what is not in a part
        self._labels: list[str] = []
        self._known: dict[bytes, str] = {}  # labels as they stand in the file

    def read(self) -> tuple[Any, Any, npt.NDArray[np.int64]]:
        source = self._source
        if self._has_header:
            source.row(self._delimiter)
        count = 1
        while True:
            start = source.position
            values, exponents, highs, texts, lines, position, line, odd = _core.read_rows(
                source.text,
                start,
                source.line,
                source.at_end,
                self._delimiter,
                self._dialect.decimal,
                bytes(self._kinds),
                self._exact,
            )
            if not source.is_ascii:
                source.text[start:position].decode()
            if len(lines):
                self._add(_Part(values, exponents, highs, lines), texts)
            source.position, source.line = position, line
            if odd:  # as may be most rows: then many at once
                count = 1 if len(lines) else min(2 * count, 1000)
                self._read_rows(count)
            elif source.at_end:
                break
            else:
                source.forget()
                source.more()
        if not self._n_rows:
            where = "without a missing cell" if self.n_dropped else "below the header"
            empty = [k for k in self._numbers if self.n_dropped and self._is_empty(k)]
            hint = "".join(
                f"; --ignore {as_option(k, self._names)} leaves out an empty column"
                for k in empty[:1]
            )
            raise ValueError(f"there are no rows {where}{hint}")
        result = self._result()
        if self._labels and self._guessed:
            name = self._names[self._kinds.index(_TEXT)]
            refuse_marked_numbers(
                self._labels, result[2], name, self._dialect.decimal, self._delimiter
            )
        return result

    def _add(self, part: _Part, texts: npt.NDArray[np.int64]) -> None:
        """Take plain rows; labels are looked at here, each different one once."""
        if texts.size:
            text = self._source.text
            cells = [text[start:stop] for start, stop in texts.tolist()]
            for cell in set(cells) - self._known.keys():
                self._known[cell] = cell.decode()
            labels = [self._known[cell] for cell in cells]
            if any(map(is_missing, set(labels))):
                missing = [is_missing(label) for label in labels]
                if not self._dialect.drop_missing:
                    k = missing.index(True)
                    raise self._missing(labels[k], int(part.lines[k]))
                kept = np.flatnonzero(~np.array(missing))
                self.n_dropped += len(labels) - len(kept)
                labels = [labels[k] for k in kept]
                part = _Part(*(array[kept] if array.size else array for array in part))
            self._labels += labels
        self._parts.append(part)
        self._n_rows += len(part.lines)

    def _read_rows(self, count: int) -> None:
        """Take so many rows, whatever they are."""
        rows: list[list[Any]] = []
        lines: list[int] = []
        for _ in range(count):
            cells = self._source.row(self._delimiter)
            if cells is None:
                break
            line = self._source.line
            values = self._values(cells, line)
            if values is None:
                self.n_dropped += 1
                continue
            if self._exact:
                for c, value in enumerate(values):
                    if type(value) is not tuple:
                        others = self._others.setdefault(self._numbers[c], {})
                        others[self._n_rows + len(rows)] = value
                        values[c] = 0, 0
            rows.append(values)
            lines.append(line)
        if rows:
            array = np.array(rows, np.int64 if self._exact else np.float64)
            none: npt.NDArray[Any] = np.empty((0, 0), np.int16)
            exponents = none
            if self._exact:
                array, exponents = array[..., 0], array[..., 1]
            self._parts.append(_Part(array, exponents, none, np.array(lines)))
            self._n_rows += len(rows)

    def _values(self, cells: list[str], line: int) -> list[Any] | None:
        """Return the numbers in a row, or None if it is to be dropped."""
        if len(cells) != len(self._names):
            raise ValueError(
                f"line {line} has {len(cells)} cell{'s' * (len(cells) != 1)}, "
                f"the first line has {len(self._names)}"
            )
        if self._dialect.drop_missing and any(
            kind != _IGNORED and is_missing(cell)
            for kind, cell in zip(self._kinds, cells, strict=True)
        ):
            return None
        values = [self._number(cells[k], line, k) for k in self._numbers]
        if _TEXT in self._kinds:
            label = cells[self._kinds.index(_TEXT)]
            if is_missing(label):
                raise self._missing(label, line)
            self._labels.append(label)
        return values

    def _result(self) -> tuple[Any, Any, npt.NDArray[np.int64]]:
        """Put the parts together, each of which is freed then."""
        n, wide = self._n_rows, any(part.highs.size for part in self._parts)
        columns = [self._features, [k for k in self._numbers if k == self._target]]
        places = [[self._numbers.index(k) for k in ks] for ks in columns]
        kind = np.int64 if self._exact else np.float64
        values: list[npt.NDArray[Any]] = [np.empty((n, len(ks)), kind) for ks in places]
        exponents = [np.empty((n, len(ks) if self._exact else 0), np.int16) for ks in places]
        highs = [np.zeros((n, len(ks) if wide else 0), np.int64) for ks in places]
        lines = np.empty(n, np.int64)
        start = 0
        self._parts.reverse()
        while self._parts:
            part = self._parts.pop()
            rows = slice(start, start + len(part.lines))
            for k, there in enumerate(places):
                values[k][rows] = part.values[:, there]
                if self._exact:
                    exponents[k][rows] = part.exponents[:, there]
                if part.highs.size:
                    highs[k][rows] = part.highs[:, there]
            lines[rows] = part.lines
            start = rows.stop
        if not self._names[0] and self._features[0] == 0 and not exponents[0][:, :1].any():
            first = values[0][:, 0]
            if n > 1 and (first == np.arange(n)).all():
                self.index = as_option(0, self._names)
        y: Any
        if not places[1]:
            y = self._labels or None
        elif not self._exact:
            y = values[1].ravel()
        else:
            y = self._table(columns[1], values[1], exponents[1], highs[1], "y")
        if not self._exact:
            return values[0], y, lines
        return self._table(columns[0], values[0], exponents[0], highs[0], "X"), y, lines

    def _table(self, columns: list[int], *decimals: Any) -> Any:
        from exactnet.exact.decimals import table_of_decimals  # gmpy2, which floats do without

        others = {c: self._others[k] for c, k in enumerate(columns) if k in self._others}
        return table_of_decimals(others, *decimals)

    def _is_header(self, first: list[str], wanted: set[str | None]) -> bool:
        """Whether the first row holds names.

        That is so if no cell is a number, or if a column is called by one that is none. Anything
        else is data: a typing error in the first row must not make it disappear.
        """
        names = [cell for cell in first if not is_number(cell, self._dialect.decimal)]
        return len(names) == len(first) or not wanted.isdisjoint(names)

    def _holds_text(self, k: int) -> bool:
        """Whether most cells of a column are no numbers, of those at the head that are there."""
        cells = [row[k] for row in self._rows if k < len(row) and not is_missing(row[k])]
        texts = [cell for cell in cells if not is_number(cell, self._dialect.decimal)]
        return 2 * len(texts) > len(cells)

    def _is_empty(self, k: int) -> bool:
        """Whether no cell of a column is there, of those at the head."""
        return all(is_missing(row[k]) for row in self._rows if k < len(row))

    def _number(self, cell: str, line: int, k: int) -> Any:
        text = with_point(cell, self._dialect.decimal)
        try:
            value = exact_number(text) if self._exact else to_float(text)
            wrong = "is not a number" + self._remedy(cell, k) if value is None else None
        except ValueError as error:
            wrong = str(error)
        if wrong:
            raise ValueError(f"line {line}, column {self._names[k]!r:.40}: {cell!r:.40} {wrong}")
        return value

    def _missing(self, cell: str, line: int) -> ValueError:
        k = self._kinds.index(_TEXT)
        where = f"line {line}, column {self._names[k]!r:.40}: {cell!r:.40}"
        return ValueError(f"{where} is not the name of a class{self._remedy(cell, k)}")

    def _remedy(self, cell: str, k: int) -> str:
        if is_missing(cell) and k != self._target and self._is_empty(k):
            return f"; the column starts empty: --ignore {as_option(k, self._names)} leaves it out"
        if is_missing(cell):
            return "; --missing drop leaves out rows with missing cells"
        if self._dialect.decimal == "." and is_number(cell, ","):
            return "; --decimal , takes decimal commas"
        if k != self._target and self._holds_text(k):
            return f"; --ignore {as_option(k, self._names)} leaves out a column"
        return ""


def _delimiter(source: _Source, decimal: str) -> str:
    """Return what separates cells: it gives the first rows the same number of them, at least two.

    If that can be said of none, it is the one of which the first row has most.
    """
    heads = {mark: source.head(mark) for mark in (";\t" if decimal == "," else ";,\t")}
    for mark, (rows, good) in heads.items():
        if good and rows and len(rows[0]) > 1 and len(set(map(len, rows))) == 1:
            return mark
    return max(heads, key=lambda mark: max(map(len, heads[mark][0][:1]), default=0))
