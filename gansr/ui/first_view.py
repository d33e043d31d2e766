"""What stands in the page's HTML until Gradio has drawn the page: the pictures of the first finished comparison.

Gradio's script takes seconds on a slow machine, and the page is empty until then. These pictures need no script. They
go when the comparison itself is there, and at once where the address or an earlier visit leads elsewhere.
"""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from gansr.ui import gallery

APP = b"<gradio-app"
COMPARISON = b'"compare-viewer"'  # in Gradio's list of the page's parts
HERE = Path(__file__).parent


def added(page: bytes) -> bytes:
    """The HTML of the page with the first view in front of Gradio's element. A page without the comparison stays as it
    is, and so does every page where no example was computed."""
    if COMPARISON not in page:
        return page
    return page.replace(APP, _html().encode() + APP, 1)


@cache
def _html() -> str:
    example = gallery.first()
    if example is None:
        return ""
    tiles = gallery.shown(example)["viewer"]["tiles"]
    pictures = "".join(
        f'<figure><img alt="{escape(tile["title"])}" src="{escape(tile["url"])}">'
        f"<figcaption>{escape(tile['title'])}</figcaption></figure>"
        for tile in tiles
    )
    style, script = ((HERE / f"first_view.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return (
        f'<section id="first-view" aria-label="Example"><style>{style}</style><p><b>gansr</b> '
        f"<b>Example: {escape(example.title)}</b> <span>{escape(example.about)}</span></p>"
        f'<div class="pictures">{pictures}</div></section><script>{script}</script>'
    )
