"""Tables for terminals and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exactnet.base.checks import shown


class TextTable:
    """A table whose text is what `print` and the interpreter show, and notebooks as HTML.

    Parameters
    ----------
    title : str
    header : sequence of str
    rows : iterable of sequences of str
    notes : sequence of str
        Lines below it.
    left : int
        How many of the first columns hold text, which stands at their left; numbers stand at the
        right.
    """

    def __init__(
        self,
        title: str,
        header: Sequence[str],
        rows: Iterable[Sequence[str]],
        notes: Sequence[str] = (),
        left: int = 1,
    ) -> None:
        self._title, self._header, self._notes, self._left = title, header, notes, left
        self._rows = list(rows)

    def __str__(self) -> str:
        lines = [self._header, *self._rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [self._title]
        for line in lines:
            cells = [
                cell.ljust(width) if k < self._left else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            text.append("  ".join(cells).rstrip())
        return "\n".join([*text, *self._notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from html import escape  # which only notebooks need

        def row(tag: str, cells: Sequence[str]) -> str:
            styled = "".join(
                f'<{tag} style="text-align: {"left" if k < self._left else "right"}">'
                f"{escape(cell)}</{tag}>"
                for k, cell in enumerate(cells)
            )
            return f"<tr>{styled}</tr>"

        return "".join(
            [
                f"<div><div>{escape(self._title)}</div><table><thead>{row('th', self._header)}",
                f"</thead><tbody>{''.join(row('td', cells) for cells in self._rows)}</tbody>",
                "</table>",
                *(f"<div>{escape(note)}</div>" for note in self._notes),
                "</div>",
            ]
        )


def layer_table(
    kind: str,
    layers: Sequence[tuple[tuple[int, ...], str, Sequence[int]]],
    more: Sequence[str],
    note: str,
    classes: Sequence[str] | None,
) -> TextTable:
    """Return the summary of a network.

    Each layer has the shape of its weights, its activation and numbers that are called `more`.
    """
    total = sum(units * (inputs + 1) for (units, inputs), _, _ in layers)
    return TextTable(
        f"{kind}: {count(len(layers), 'layer')}, {count(total, 'parameter')}",
        ("layer", "activation", "inputs", "units", "parameters", *more),
        [
            (
                *(str(k), activation),
                *(f"{n:,}" for n in (inputs, units, units * (inputs + 1), *numbers)),
            )
            for k, ((units, inputs), activation, numbers) in enumerate(layers, 1)
        ],
        [note, *([] if classes is None else [f"classes {shown(list(classes))}"])],
        left=2,
    )


def count(number: int, noun: str) -> str:
    """Return such as "1 point" or "1,797 points"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def byte_size(number: float) -> str:
    """Return such as "4.7 kB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} TB" if number < 1000 else f"{number:,.0f} TB"
