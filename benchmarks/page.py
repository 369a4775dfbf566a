"""The report as one HTML file that needs nothing beside it: table, picture, machine and method."""

from __future__ import annotations

import base64
from html import escape

from .report import cells, machine_lines, method, title
from .run import BenchmarkRun

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fdfdfc; --line: #d8dbe0; --warn: #fff3d6; --soft: #5b6676; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #14181e; --line: #343b46; --warn: #4a3a10; --soft: #9aa4b2; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 80rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.note { background: var(--warn); padding: .5rem .8rem; border-radius: .3rem; margin: .4rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
img { max-width: 100%; height: auto; background: white; border-radius: .3rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
"""


def page(run: BenchmarkRun, picture: bytes) -> str:
    """The page; picture: the plot's PNG, put inside."""
    header, *rows = cells(run.rows)
    image = base64.b64encode(picture).decode("ascii")
    parts = [
        f"<h1>{escape(title(run))}</h1>",
        *(f'<p class="note">{escape(note)}</p>' for note in run.notes),
        '<div class="wide"><table>',
        "<thead>" + _row(header, "th") + "</thead>",
        "<tbody>" + "\n".join(_row(row, "td") for row in rows) + "</tbody>",
        "</table></div>",
        f'<p><img alt="accuracy against latency" src="data:image/png;base64,{image}"></p>',
    ]
    if run.skipped:
        items = "".join(f"<li>{escape(entry.artifact)}: {escape(entry.reason)}</li>" for entry in run.skipped)
        parts.append(f"<h2>Not measured</h2><ul>{items}</ul>")
    machine = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in machine_lines(run))
    sentences = "".join(f"<li>{escape(sentence)}</li>" for sentence in method(run))
    parts += [f"<h2>Machine</h2><dl>{machine}</dl>", f"<h2>Method</h2><ul>{sentences}</ul>"]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title(run))}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _row(row: list[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) + "</tr>"
