"""Components of our own: gr.HTML with a template, a style and a script in plain JavaScript, without a build step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr


def component(
    value: dict[str, Any], files: Path, scripts: Sequence[str], elem_id: str, html: str = ""
) -> gr.HTML:
    """A component whose `value` is JSON. `files`.html and `files`.css are its markup and style, `scripts` the files of
    its script beside them, in the order in which they are joined. `html` replaces the markup of the file."""
    return gr.HTML(
        value,
        html_template=html or files.with_suffix(".html").read_text("utf-8"),
        css_template=files.with_suffix(".css").read_text("utf-8"),
        js_on_load=joined(*(files.parent / name for name in scripts)),
        apply_default_css=False,
        elem_id=elem_id,
    )


@cache
def joined(*paths: Path) -> str:
    """Scripts as one, without indentation and lines of comment: the page holds one for each component. A text over
    several lines would lose its indentation too."""
    lines = (line.strip() for path in paths for line in path.read_text("utf-8").splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))
