"""A run as a terminal shows it: notes, title, and of the tables what its lines have room for."""

from __future__ import annotations

import io
from collections.abc import Container
from typing import Any

from .front import pareto_front
from .report import MARKDOWN_FILE, PAGE_FILE, cells, peer_cells, title
from .run import BenchmarkRun

LONG_LINE = 200  # columns
# too many for any terminal's line
REPORTS_ONLY = (
    "engine", "gzip -9", "zstd -19", "as float %", "ECE %", "p90 µs", "bare p50 µs", "× bare", "× one core", "bound µs",
    "binds", "bytes to label µs",
)  # fmt: skip
# of the others, the least missed first; the artifact, its bytes, errors and p50 always stay
LEFT_OUT_FIRST = (
    "× bound", "peak MiB", "start ms", "p99 µs", "images/s", "× float32", "µJ", "error % [95 %]",
)  # fmt: skip
SHORTEST = 16  # cells that a shortened name keeps: no number is as long
WIDE = 100_000  # cells, in which any table has room


def text_table(run: BenchmarkRun, width: int | None = None, colour: bool = False) -> str:
    """Notes, title and the columns that fit, whole; where some do not, a line says where they are.

    width: of the terminal; None where the output is no terminal's, and lines may be long.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=io.StringIO(), width=width or LONG_LINE, force_terminal=colour, highlight=False, legacy_windows=False
    )
    for note in run.notes:
        console.print(Text(f"! {note}", "bold yellow"))
    console.print(Text(title(run), "bold"))
    table, left_out = _fitted(cells(run.rows, REPORTS_ONLY), console.width)
    console.print(_rich_table(table, pareto_front(run.rows)))
    if run.peers:
        table, left_out_too = _fitted(peer_cells(run.peers), console.width)
        console.print(_rich_table(table))
        left_out += [name for name in left_out_too if name not in left_out]
    if left_out:
        console.print(Text(f"no room here for {', '.join(left_out)}: see {MARKDOWN_FILE} or {PAGE_FILE}"))
    file: Any = console.file
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def _fitted(table: list[list[str]], width: int) -> tuple[list[list[str]], list[str]]:
    """A table that is drawn in at most `width` cells, and the names of the columns that it lost for that.

    Where these are not enough names are shortened, to no less than SHORTEST cells.
    """
    from rich.cells import cell_len

    left_out = []
    for name in LEFT_OUT_FIRST:
        if name in table[0] and _width(table) > width:
            place = table[0].index(name)
            table = [line[:place] + line[place + 1 :] for line in table]
            left_out.append(name)
    longest = max(cell_len(cell) for line in table for cell in line)
    limit = max(SHORTEST, longest - max(0, _width(table) - width))
    return [[_shortened(cell, limit) for cell in line] for line in table], left_out


def _width(table: list[list[str]]) -> int:
    """Cells in which it is drawn where there is room."""
    from rich.console import Console

    return Console(file=io.StringIO(), width=WIDE).measure(_rich_table(table)).maximum


def _shortened(text: str, limit: int) -> str:
    """A text of at most `limit` cells, its middle left out where it has more."""
    from rich.cells import cell_len

    head, tail, cut = text, "", ""
    if cell_len(text) > limit:
        head, tail, cut = text[: len(text) // 2], text[len(text) // 2 :], "…"
    while cell_len(head) + len(cut) + cell_len(tail) > limit:
        head, tail = (head[:-1], tail) if cell_len(head) > cell_len(tail) else (head, tail[1:])
    return head + cut + tail


def _rich_table(table: list[list[str]], marked: Container[int] = ()) -> Any:
    """marked: numbers of the rows that are set off by colour."""
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, header in enumerate(table[0]):
        drawn.add_column(header, justify="right" if number else "left", no_wrap=True)
    for number, line in enumerate(table[1:]):
        drawn.add_row(*line, style="green" if number in marked else "")
    return drawn
