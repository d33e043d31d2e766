"""A page with one viewer, for browser tests, and five small pictures whose pixels are known."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

W, H = 64, 48
RANDOM = np.random.default_rng(3)
BASE = RANDOM.integers(60, 190, (H, W, 3)).astype(np.uint8)
NOISY = (BASE + RANDOM.integers(-20, 21, BASE.shape)).astype(np.uint8)
BRIGHT, DARK = BASE + np.uint8(16), BASE - np.uint8(32)
MOVED = np.roll(BASE, (2, -1), (0, 1))  # 1 px to the left and 2 px down
NATIVE = BASE.repeat(2, 0).repeat(2, 1)
PICTURES = {"Base": BASE, "Bright": BRIGHT, "Dark": DARK, "Noisy": NOISY, "Moved": MOVED}


def saved(picture: np.ndarray, name: str = "picture.png") -> str:
    """The path of `picture` (H,W,3, uint8) as a PNG that the page may show."""
    from gansr.ui import files

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return files.save(out.getvalue(), name)


@contextmanager
def viewer_page(*values: dict[str, Any]) -> Iterator[str]:
    """The URL of a page whose viewer shows the first of `values`; the button "Next" shows the next one."""
    from gansr.ui.page import LAUNCH
    from gansr.ui.viewer import viewer

    with gr.Blocks(analytics_enabled=False) as page:
        shown = viewer(values[0], elem_id="viewer")
        at = gr.State(0)
        following = gr.Button("Next", elem_id="next")
        following.click(lambda i: (i + 1, values[(i + 1) % len(values)]), at, [at, shown], queue=False)
        chosen = gr.Textbox(label="Chosen", elem_id="chosen", interactive=True)

        def chosen_action(event: gr.EventData) -> str:
            return f"{event.tile}: {event.action}"  # type: ignore[attr-defined]

        shown.select(chosen_action, None, chosen, queue=False)
    names = ("theme", "css_paths", "ssr_mode", "run_history", "footer_links")
    settings = {name: LAUNCH[name] for name in names}
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **settings)
    yield url.rstrip("/")
    page.close()


@contextmanager
def small_viewer_page() -> Iterator[str]:
    """The URL of a page that waits, then has the five pictures, then one of them and a waiting method."""
    from gansr.ui.viewer import contents, tile

    paths = {name: saved(picture) for name, picture in PICTURES.items()}
    native = (saved(NATIVE), "128×96 as the method gave it")
    tiles = [
        tile(
            name,
            name,
            "done",
            "2.0 s",
            path,
            download=f"{name}.png",
            native=native if name == "Base" else None,
        )
        for name, path in paths.items()
    ]
    waiting = [tile(name, name, text="waiting for its turn") for name in ("SRGAN", "PULSE")]
    with viewer_page(contents(waiting), contents(tiles), contents([tiles[0], waiting[0]])) as url:
        yield url


def view(page: Any, name: str) -> Any:
    return page.locator(f".gv-tile[data-tile='{name}'] .gv-view")


def shown(page: Any) -> list[str]:
    return page.locator(".gv-tile:visible .gv-head b").all_inner_texts()


def found(page: Any, name: str, text: str) -> str:
    """The tile's line about its map, once it has `text`."""
    line = page.locator(f".gv-tile[data-tile='{name}'] [data-is=found]", has_text=text)
    line.wait_for()
    return line.inner_text()


def pixels(page: Any, name: str) -> np.ndarray:
    """The map (H,W,3) of a tile."""
    data = page.locator(f".gv-tile[data-tile='{name}'] canvas").evaluate(
        "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(data[2:]).reshape(*data[:2], 4)[..., :3]


def number_in(text: str) -> float:
    return float(re.findall(r"−?[\d.]+", text)[0].replace("−", "-"))
