"""python -m gansr gallery build: compute the examples of the gallery, through the handlers of the page itself.

What is written is what the page showed at the end of the run: the viewer's tiles, the table, the texts. Only the files
are others: lossy WebP of at most LARGEST bytes for pictures and lossless WebP for maps, without the menus that need the
lossless picture.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
from torch import Tensor

from gansr import papers
from gansr.gallery import COMPARED, GALLERY, TABS, Example, read
from gansr.picture import open_picture, to_lossless_webp, to_webp
from gansr.results import records
from gansr.results.of_gallery import DATASET, records_of
from gansr.ui import render, service
from gansr.ui.address import usual
from gansr.ui.compare import updates_of, wholes
from gansr.ui.compare_values import defaults
from gansr.ui.examples import example_of
from gansr.ui.gallery_how import animation
from gansr.ui.replay import spread
from gansr.ui.results_page import FOLDER as RECORDS
from gansr.ui.tab import draw_tab
from gansr.ui.tab import updates_of as updates_of_tab
from gansr.ui.visitors import Visitor
from gansr.version import version

LARGEST = 60_000  # bytes of a picture
SMALL, FRAME = 72, 256  # px: longest side of a thumbnail, and of a frame of the replay
SMALL_BYTES, FRAME_BYTES = 4_000, 9_000
FRAMES = 12  # of the replay
DATA = re.compile(r'src="data:image/png;base64,([^"]*)"')
KEPT = ("id", "title", "state", "text", "note", "progress")  # of a tile, besides its picture


@dataclass
class _Files:
    """Writes the pictures of one example, each once."""

    folder: Path
    name: str
    written: dict[str, str] = field(default_factory=dict)  # address → name of the file
    contents: dict[bytes, str] = field(default_factory=dict)  # of a file → its name

    def of(self, address: str | None, part: str) -> str | None:
        """The name of the file for the picture at an address of the page; `part` says what it is."""
        if address is None:
            return None
        if address not in self.written:
            self.written[address] = self.write(_opened(address), part, LARGEST)
        return self.written[address]

    def write(self, image: Tensor, part: str, most: int) -> str:
        return self.keep(to_webp(image, most), part)

    def keep(self, data: bytes, part: str) -> str:
        """The name of the file with these contents: an earlier one where there is one."""
        if data not in self.contents:
            self.contents[data] = name = f"{self.name}-{part}.webp"
            (self.folder / name).write_bytes(data)
        return self.contents[data]


def _opened(address: str) -> Tensor:
    return open_picture(Path(unquote(address.partition("file=")[2]))).rgb


def build(names: list[str] | None = None, folder: Path = GALLERY) -> None:
    """Compute the examples and animations of these names, or all, and write them, with the records of what was
    measured. Prints a line for each. Raises ValueError for an unknown name."""
    every = [*COMPARED, *TABS.values()]
    animations = {f"how-{name}": name for name in TABS}
    known = [*(example.name for example in every), *animations]
    if unknown := set(names or ()) - {*known}:
        raise ValueError(f"there is no example {min(unknown)}; there are: {', '.join(known)}")
    folder.mkdir(parents=True, exist_ok=True)
    service.BACKEND.start()
    for example in every:
        if names and example.name not in names:
            continue
        for old in folder.glob(f"{example.name}[-.]*"):
            old.unlink()
        method = next((name for name, one in TABS.items() if one is example), None)
        files = _Files(folder, example.name, contents=_compared_pictures(folder, method))
        start = time.monotonic()
        found = _compared(example, files) if method is None else _of_tab(method, example, files)
        found["made"] = {
            "seconds": round(time.monotonic() - start, 1),
            "device": service.BACKEND.device(),
            "gansr": version(),
            "date": datetime.now(timezone.utc).date().isoformat(),
        }
        (folder / f"{example.name}.json").write_text(json.dumps(found, ensure_ascii=False), "utf-8")
        size = sum(path.stat().st_size for path in folder.glob(f"{example.name}[-.]*"))
        print(f"{example.name}: {found['made']['seconds']:.0f} s, {size / 1000:.0f} kB", flush=True)
    if folder == GALLERY:
        read.cache_clear()
        records.write(RECORDS / f"{DATASET}.jsonl", records_of())
    for file, name in animations.items():
        if not names or file in names:
            (folder / f"{file}.webp").write_bytes(animation(name))
            print(f"{file}: {(folder / f'{file}.webp').stat().st_size / 1000:.0f} kB", flush=True)


def _compared(example: Example, files: _Files) -> dict[str, Any]:
    picture = example_of(example.picture)
    values = {"picture": picture, **defaults(), **example.settings}
    *_, last = (item for item in wholes(updates_of(values, Visitor())) if item is not None)
    _, pictures, table, verdicts, _ = last
    files.write(render.preview(open_picture(picture).rgb, SMALL), "small", SMALL_BYTES)
    return {"viewer": _viewer(pictures, files), "table": table, "verdicts": _moved(verdicts, files, "map")}


def _compared_pictures(folder: Path, method: str | None) -> dict[bytes, str]:
    """The pictures of the compared examples, contents → name: a tab shows the same file for the same picture."""
    names = [] if method is None else [example.name for example in COMPARED]
    return {path.read_bytes(): path.name for name in names for path in sorted(folder.glob(f"{name}-*.webp"))}


def _of_tab(name: str, example: Example, files: _Files) -> dict[str, Any]:
    method = papers.by_name(name)
    with gr.Blocks(analytics_enabled=False):
        drawn = draw_tab(method, [])
    controls, results = drawn.controls, drawn.results
    values = {**usual(name), **example.settings, "picture": example_of(example.picture)}
    given = [values.get(field) for field in controls.names()]
    *_, last = (item for item in updates_of_tab(controls, results, Visitor(), given) if item is not None)
    return {
        "viewer": _viewer(last[results.pictures], files),
        "verdict": last[results.verdict],
        "measures": last[results.measures],
        "views": _moved(last[results.views], files, "view"),
        "replay": _replay(last[results.files].replay, files),
    }


def _viewer(value: Mapping[str, Any], files: _Files) -> dict[str, Any]:
    tiles = [
        {key: tile[key] for key in KEPT if key in tile} | {"url": files.of(tile["url"], tile["id"])}
        for tile in value["tiles"]
    ]
    return {
        "tiles": tiles,
        "truth": files.of(value["truth"], "truth"),
        "input": files.of(value["input"], "input"),
    }


def _moved(html: str, files: _Files, part: str) -> str:
    """`html` with the pictures that it holds as data written beside it, named as files."""

    def written(match: re.Match[str]) -> str:
        data = to_lossless_webp(open_picture(base64.b64decode(match[1])).rgb)
        files.written[match[1]] = name = files.keep(data, f"{part}{len(files.written):02d}")
        return f'src="{name}"'

    return DATA.sub(written, html)


def _replay(paths: list[str], files: _Files) -> list[str]:
    """At most FRAMES of the frames, the first and the last among them; none where there is no search to see."""
    if len(paths) < 3:
        return []
    return [
        files.write(render.preview(open_picture(path).rgb, FRAME), f"frame{k:02d}", FRAME_BYTES)
        for k, path in enumerate(spread(paths, FRAMES))
    ]
