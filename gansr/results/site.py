"""The results as static files: python -m gansr results site -o DIR.

    index.html      the plane and the tables, the same as the page's tab Results; works from file://
    results.css, results.js, data.js    what index.html reads; nothing from outside
    tables/         the tables of the papers and of the datasets: .md, .csv, .tex
    planes/         the planes of PSNR-Y and LPIPS as .svg
    gallery/        the pictures of the finished comparisons
    records.jsonl   the records themselves

`SECTIONS` are the parts of index.html, in order. Each writes its files into the folder and returns its HTML.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from gansr.gallery import COMPARED, GALLERY, Example, read
from gansr.results import plane, records, tables
from gansr.results.contents import contents
from gansr.results.records import Record
from gansr.results.tables import Table
from gansr.version import version

# The files of the page's tab. They are read, not imported: the site needs no gradio.
TAB = Path(__file__).resolve().parents[1] / "ui" / "results_page"
Section = Callable[[Path, Sequence[Record]], str]

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>gansr: results</title>
<link rel="stylesheet" href="results.css">
</head>
<body>
<main>
<h1>gansr: results</h1>
SECTIONS
<p>Made by gansr VERSION.</p>
</main>
</body>
</html>
"""
# The page's variables, which Gradio sets there.
STYLE = """:root { color-scheme: light dark; --body-text-color: #1f2937; --body-background-fill: #fff;
  --border-color-primary: #d4d4d8; --color-accent: #4f46e5; --button-secondary-background-fill: #f4f4f5;
  --button-secondary-text-color: #1f2937; }
@media (prefers-color-scheme: dark) { :root { --body-text-color: #f4f4f5; --body-background-fill: #18181b;
  --border-color-primary: #3f3f46; --color-accent: #818cf8; --button-secondary-background-fill: #27272a;
  --button-secondary-text-color: #f4f4f5; } }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }
body { color: var(--body-text-color); background: var(--body-background-fill); }
main { max-width: 1100px; margin: 0 auto; padding: 16px; }
a { color: inherit; }
.scroll { overflow-x: auto; }
.paper { border-collapse: collapse; font-size: 14px; }
.paper th, .paper td { padding: 4px 6px; border-bottom: 1px solid var(--border-color-primary); }
.paper th, .paper td { text-align: left; white-space: nowrap; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(180px, 1fr)); gap: 8px; }
.pictures figure { margin: 0; font-size: 13px; }
.pictures img { width: 100%; border-radius: 6px; }
"""


def write(folder: Path, found: Sequence[Record]) -> list[Path]:
    """Write the site into a folder, which is made; returns the files. What else is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = "\n".join(section(folder, found) for section in SECTIONS)
    page = PAGE.replace("VERSION", escape(version())).replace("SECTIONS", sections)
    (folder / "index.html").write_text(page, "utf-8")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _plane(folder: Path, found: Sequence[Record]) -> str:
    """The page's tab with its script, and the planes as pictures."""
    style, script = ((TAB / name).read_text("utf-8") for name in ("results.css", "results.js"))
    (folder / "results.css").write_text(STYLE + style, "utf-8")
    data = json.dumps(contents(found), ensure_ascii=False, separators=(",", ":"))
    (folder / "data.js").write_text(f"const RESULTS = {data};\n", "utf-8")
    # The script is the body of a function of Gradio's gr.HTML; here nothing listens to what it raises.
    called = 'document.getElementById("results"), { value: RESULTS }, () => {}, () => {}'
    wrapped = f"((element, props, watch, trigger) => {{\n{script}\n}})({called});\n"
    (folder / "results.js").write_text(wrapped, "utf-8")
    links = " · ".join(_plane_file(folder, found, title) for title in _problems(found))
    html = (TAB / "results.html").read_text("utf-8")
    return (
        f'<div id="results">{html}</div>\n<script src="data.js"></script>\n<script src="results.js"></script>\n'
        f"<p>{links}</p>"
    )


def _gallery(folder: Path, found: Sequence[Record]) -> str:
    """The finished comparisons of the page, with their pictures."""
    made = "".join(_comparison(folder, example, one) for example in COMPARED if (one := read(example.name)))
    return f"<h2>Finished comparisons</h2>\n{made}" if made else ""


def _comparison(folder: Path, example: Example, computed: Mapping[str, Any]) -> str:
    (folder / "gallery").mkdir(exist_ok=True)
    tiles = [tile for tile in computed["viewer"]["tiles"] if tile["url"]]
    for tile in tiles:
        shutil.copyfile(GALLERY / tile["url"], folder / "gallery" / tile["url"])
    figures = "".join(
        f'<figure><img loading="lazy" alt="{escape(tile["title"])}" src="gallery/{tile["url"]}">'
        f"<figcaption><b>{escape(tile['title'])}</b> {escape(tile.get('note', ''))}</figcaption></figure>"
        for tile in tiles
    )
    return f'<h3>{escape(example.title)}</h3>\n<p>{escape(example.about)}</p>\n<div class="pictures">{figures}</div>\n'


def _problems(found: Sequence[Record]) -> list[tuple[str, int]]:
    usual = {(r.dataset, r.factor) for r in found if tables.problem_of(r) == f"{r.dataset} ×{r.factor}"}
    return sorted(usual, key=lambda one: (len(one[0]), one))


def _plane_file(folder: Path, found: Sequence[Record], problem: tuple[str, int]) -> str:
    """Write the plane of PSNR-Y and LPIPS of a dataset; returns a link to it."""
    dataset, factor = problem
    path = folder / "planes" / f"{dataset}-x{factor}.svg"
    path.parent.mkdir(exist_ok=True)
    made = plane.points(found, dataset, factor, plane.DISTORTION[0], plane.PERCEPTION[0])
    path.write_text(plane.svg(made), "utf-8")
    return f'<a href="planes/{path.name}">Plane of {escape(made.title)} (SVG)</a>'


def _tables(folder: Path, found: Sequence[Record]) -> str:
    """The tables of the papers as HTML, and all tables as files."""
    (folder / "tables").mkdir(exist_ok=True)
    names = [*tables.NAMES, *sorted({record.dataset for record in found})]
    for name in names:
        made = tables.table(name, found)
        for suffix, text in tables.FORMATS.items():
            (folder / "tables" / f"{name}.{suffix}").write_text(text(made), "utf-8")
    records.write(folder / "records.jsonl", found)
    papers = "\n".join(_html(tables.table(name, found)) for name in tables.NAMES)
    return f'<h2>Tables of the papers</h2>\n{papers}\n<p><a href="records.jsonl">All records (JSON lines)</a></p>'


def _html(made: Table) -> str:
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in tables.headings(made))
    body = "\n".join(_html_row(tables.cells(made, row)) for row in made.rows)
    links = " · ".join(f'<a href="tables/{made.name}.{suffix}">{suffix}</a>' for suffix in tables.FORMATS)
    notes = "".join(f"<li>{escape(note)}</li>" for note in tables.notes(made))
    title = escape(made.title)
    return (
        f'<h3>{title}</h3>\n<div class="scroll" tabindex="0" role="group" aria-label="{title}">'
        f'<table class="paper"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>\n'
        f"<details><summary>How each number was measured</summary><ul>{notes}</ul></details>\n<p>{links}</p>"
    )


def _html_row(cells: Sequence[str]) -> str:
    texts = "".join(f"<td>{escape(text)}</td>" for text in cells[1:])
    return f'<tr><th scope="row">{escape(cells[0])}</th>{texts}</tr>'


SECTIONS: tuple[Section, ...] = (_gallery, _plane, _tables)
