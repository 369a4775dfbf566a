"""The report as one HTML file that needs nothing beside it: table, picture, machine and method."""

from __future__ import annotations

import re
from html import escape

from .plot import POINT
from .report import cells, command, machine_lines, method, peer_cells, title
from .run import BenchmarkRun

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fdfdfc; --line: #d8dbe0; --warn: #fff3d6; --soft: #5b6676; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #14181e; --line: #343b46; --warn: #4a3a10; --soft: #9aa4b2; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 100rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.note { background: var(--warn); padding: .5rem .8rem; border-radius: .3rem; margin: .4rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
td { white-space: nowrap; }
th { vertical-align: bottom; }
figure { margin: 1.5rem 0; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
svg { max-width: 100%; height: auto; background: white; border-radius: .3rem; }
svg [id^="artifact-"]:hover { stroke: black; stroke-width: 2px; cursor: help; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid currentColor; }
th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
label { display: block; margin: .8rem 0 .4rem; }
input { font: inherit; padding: .2rem .4rem; }
code { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--soft); } dd { margin: 0; }
"""

# The table is whole without it; with it a click on a header sorts, and what is typed filters rows and marks.
SCRIPT = """
const table = document.querySelector("table"), body = table.tBodies[0], filter = document.querySelector("input");
const number = text => { const n = parseFloat(text.replaceAll(",", "")); return isNaN(n) ? null : n; };
table.querySelectorAll("th").forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
  const down = head.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const value = row => row.cells[column].textContent;
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [number(value(a)), number(value(b))];
    return x === null && y === null ? value(a).localeCompare(value(b)) : (x ?? Infinity) - (y ?? Infinity);
  });
  body.append(...(down ? rows.reverse() : rows));
}));
filter.parentElement.hidden = false;
filter.addEventListener("input", () => [...body.rows].forEach(row => {
  row.hidden = !row.cells[0].textContent.toLowerCase().includes(filter.value.toLowerCase());
  const mark = document.getElementById(row.dataset.mark);
  if (mark) mark.style.opacity = row.hidden ? .1 : 1;
}));
"""


def page(run: BenchmarkRun, picture: str) -> str:
    """The page; picture: the plot as SVG, put inside, where each artifact's mark gets its figures as a tooltip."""
    header, *rows = cells(run.rows)
    for number, row in enumerate(rows):
        told = escape("\n".join(f"{name}: {cell}" for name, cell in zip(header, row, strict=True)))
        picture = picture.replace(f'<g id="{POINT}{number}">', f'<g id="{POINT}{number}"><title>{told}</title>', 1)
    drawing = re.sub(r"^.*?(?=<svg)", "", picture, flags=re.DOTALL)
    parts = [
        f"<h1>{escape(title(run))}</h1>",
        *(f'<p class="note">{escape(note)}</p>' for note in run.notes),
        '<label hidden>Only artifacts with <input type="search"></label>',
        '<div class="wide"><table>',
        "<thead><tr>" + "".join(f'<th scope="col"><button>{escape(h)}</button></th>' for h in header) + "</tr></thead>",
        "<tbody>" + "\n".join(_row(row, number) for number, row in enumerate(rows)) + "</tbody>",
        "</table></div>",
        _peers(run),
        f'<figure role="img" aria-label="accuracy against latency">{drawing}</figure>',
        _operators(run),
    ]
    if run.skipped:
        items = "".join(f"<li>{escape(entry.artifact)}: {escape(entry.reason)}</li>" for entry in run.skipped)
        parts.append(f"<h2>Not measured</h2><ul>{items}</ul>")
    machine = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in machine_lines(run))
    sentences = "".join(f"<li>{_with_code(sentence)}</li>" for sentence in method(run))
    parts.append(f"<h2>Command</h2><p><code>{escape(command(run))}</code></p>")
    parts += [f"<h2>Machine</h2><dl>{machine}</dl>", f"<h2>Method</h2><ul>{sentences}</ul>"]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title(run))}</title><style>{STYLE}</style></head>\n<body>\n{body}\n<script>{SCRIPT}</script>\n</body></html>\n"
    )


def _with_code(sentence: str) -> str:
    """Markdown's backticks as HTML."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(sentence))


def _operators(run: BenchmarkRun) -> str:
    """Each artifact's time by operator, the longest first, where its engine tells."""
    parts = []
    for row in run.rows:
        if not row.operators:
            continue
        total = sum(one.us for one in row.operators) or 1
        body = "".join(
            f"<tr><td>{escape(one.name)}</td><td>{escape(one.kind)}</td><td>{one.us:,.0f}</td>"
            f"<td>{100 * one.us / total:.0f}</td></tr>"
            for one in sorted(row.operators, key=lambda one: -one.us)
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("operator", "kind", "p50 µs", "%"))
        table = f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        parts.append(f"<details><summary>{escape(row.artifact)}</summary>{table}</details>")
    return f"<h2>Operators</h2>{''.join(parts)}" if parts else ""


def _peers(run: BenchmarkRun) -> str:
    """The peers' table; '' where there are none."""
    if not run.peers:
        return ""
    header, *rows = peer_cells(run.peers)
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<h2>Peers</h2><div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(row: list[str], number: int) -> str:
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in row)
    return f'<tr data-mark="{POINT}{number}">{cells}</tr>'
