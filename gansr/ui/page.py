"""The page: header, a tab for each paper, and About. `build()` draws it, `LAUNCH` says how it is served."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Default

from gansr import __version__, weights
from gansr.method import Method
from gansr.papers import METHODS
from gansr.picture import open_picture
from gansr.ui import gpu
from gansr.ui.compare import draw_compare
from gansr.ui.doors import EXAMPLES, middleware
from gansr.ui.link import link
from gansr.ui.tab import draw_tab, weights_state

HERE = Path(__file__).parent
# The fonts that the machine has: nothing is fetched. Subdued text is darker than Gradio's, to be read by all.
THEME = Default(primary_hue="indigo", font=["system-ui", "sans-serif"], font_mono=["ui-monospace"]).set(
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    block_label_text_color="*neutral_600",
    block_title_text_color="*neutral_700",
    button_primary_background_fill="*primary_600",
    button_secondary_text_color="*neutral_900",
    button_cancel_text_color="*neutral_900",
)
# Gradio's example pictures are buttons without a name, drawn when their tab is first opened.
NAME_EXAMPLES = """() => {
  const name = () => document.querySelectorAll("button.gallery-item:not([aria-label])").forEach(
    (button, index) => button.setAttribute("aria-label", `Example ${index + 1}`));
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
}"""
LAUNCH: dict[str, Any] = {
    "js": NAME_EXAMPLES,
    "css_paths": [HERE / "page.css"],
    "theme": THEME,
    "app_kwargs": {"middleware": middleware()},
    "max_file_size": "64mb",
    "run_history": False,  # it keeps addresses of people's pictures in their browser
    "enable_monitoring": False,
    "show_error": False,
    "state_session_capacity": 500,
    "footer_links": ["api"],
    "ssr_mode": False,
    "pwa": False,
}


def build() -> gr.Blocks:
    """The whole page, ready to launch."""
    with gr.Blocks(title="gansr: GAN super-resolution, side by side", analytics_enabled=False) as page:
        head = gr.HTML(_head())
        with gr.Tabs() as tabs:
            with gr.Tab("Compare", id="compare"):
                names = ("astronaut.png", "chelsea.png", "coffee.png", "astronaut-face-64.png")
                picked = draw_compare(page, tabs, pictures(*names))
            for method in METHODS:
                with gr.Tab(method.title, id=method.name):
                    link(tabs, picked, method, *draw_tab(method, examples(method)))
            with gr.Tab("About", id="about"):
                gr.HTML(_about())
        page.load(_head, None, head, queue=False, api_visibility="private")
    page.queue(max_size=64)
    return page


def examples(method: Method) -> list[str]:
    """The example pictures of a tab: faces for the methods made for faces; none that is too small."""
    faces = ("astronaut.png", "astronaut-face-64.png", "astronaut-face-32.png")
    photos = (
        "chelsea-small-x4.png",
        "coffee-small-x4.png",
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
        "astronaut.png",
    )
    found = pictures(*(faces if method.accepts.face else photos))
    return [path for path in found if min(open_picture(path).rgb.shape[-2:]) >= method.accepts.min_side]


def pictures(*names: str) -> list[str]:
    """Paths of the example pictures of these names."""
    return [str(EXAMPLES / name) for name in names]


def _head() -> str:
    return (
        '<div class="head"><h1>gansr</h1><p>Five GAN super-resolution papers, live on your picture, measured: '
        "what each recovered and what it invented.</p>"
        f'<p class="facts">Runs on {escape(gpu.ENGINE.describe())} · {escape(weights_state())} · '
        f"version {__version__}</p></div>"
    )


def _about() -> str:
    papers = "".join(_paper(method) for method in METHODS)
    rows = "".join(_entry(name, entry) for name, entry in weights.entries().items())
    return (
        "<h2>Papers</h2>"
        + papers
        + "<h2>Weights</h2><p>Every file is pinned by its sha256 and checked before it is "
        "opened; nothing is unpickled. “yours”: bring the authors' file with "
        "<code>python -m gansr weights import</code>.</p>"
        '<div class="tablewrap"><table class="about"><thead><tr><th>Name</th><th>Size</th><th>Source</th>'
        f"<th>Licence</th><th>Trained on</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _paper(method: Method) -> str:
    paper = method.paper
    return (
        f'<p><b>{escape(method.title)}</b>: {escape(paper.authors)}, <a href="{escape(paper.link)}" rel="noopener">'
        f"{escape(paper.title)}</a>, {escape(paper.venue)} {paper.year}. Good for: {escape(paper.good_for)} "
        f"Not for: {escape(paper.not_for)} Licence: {escape(paper.licence)}</p>"
    )


def _entry(name: str, entry: weights.Entry) -> str:
    size = f"{entry.bytes / 1e6:.1f} MB" if entry.bytes else "–"
    kinds = ", ".join(dict.fromkeys(source.kind for source in entry.sources))
    here = "" if not weights.ready(name) else " ✓"
    cells = (name + here, size, kinds, entry.licence, entry.trained_on)
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
