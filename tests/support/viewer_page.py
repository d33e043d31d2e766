"""A page with one viewer, for browser tests."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image


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
