"""The page: header, comparison, a tab for each paper, About. `build()` makes it; `LAUNCH` holds arguments of launch."""

from __future__ import annotations

import json
import os
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Default

from gansr import __version__, papers, weights
from gansr.inputs import DETECTOR
from gansr.method import Method
from gansr.options import parse_options
from gansr.picture import open_picture
from gansr.ui import address, examples, gallery, languages, mcp_server, render, service, sessions
from gansr.ui.address import RATE, connect_address, draw_note
from gansr.ui.compare import draw_compare
from gansr.ui.examples import Credit
from gansr.ui.handlers import guard
from gansr.ui.listeners import middleware as listener_count
from gansr.ui.middleware import middleware
from gansr.ui.rate import draw_rate
from gansr.ui.results_page import results_page
from gansr.ui.reuse import link_kernels, link_results
from gansr.ui.strip import draw_strip
from gansr.ui.tab import DrawnTab, draw_tab
from gansr.ui.tab_links import link_comparison, link_plane, link_strip, link_tab
from gansr.ui.visitors import IN_ALL
from gansr.ui.weight_menus import weight_menus
from gansr.weights.availability import download_of

HERE = Path(__file__).parent
THUMBNAIL = 64  # px
# System fonts: nothing is downloaded. Subdued text is darker than Gradio's, for sufficient contrast.
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
    checkbox_border_color="*neutral_400",  # unchecked boxes must be seen, in both themes
    checkbox_border_color_dark="*neutral_400",
)
# Gradio's example pictures, and the picture of the replay, are buttons without a name, added when their tab is first
# opened. page.css shows the names of examples.
NAME_EXAMPLES = (
    """() => {
  const captions = CAPTIONS;
  const nameReplays = () => document.querySelectorAll("[id$=-moment] button:not([aria-label])").forEach(
    button => button.setAttribute("aria-label", "The result, step by step"));
  const nameExamples = () => document.querySelectorAll("button.gallery-item:not([data-caption]) img").forEach(image => {
    const file = decodeURIComponent(image.src).split("/").pop(), button = image.closest("button");
    button.dataset.caption = captions[file] || file;
    button.setAttribute("aria-label", `Example: ${button.dataset.caption}`);
  });
  const name = () => { nameExamples(); nameReplays(); };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
  name();
}"""
).replace("CAPTIONS", json.dumps(examples.CAPTIONS | gallery.captions()))
SOURCES = (
    "“own” is part of this repository; “registry” is a Python package index and “hub” the Hugging Face Hub, both "
    "downloaded at first use; for “yours”, import the authors' file with <code>python -m gansr weights import</code>."
)
LAUNCH: dict[str, Any] = {
    "js": f"() => {{ ({NAME_EXAMPLES})(); ({address.script()})(); ({gallery.SCRIPT})(); }}",
    "css_paths": [HERE / "page.css"],
    "theme": THEME,
    "i18n": languages.I18N,
    "app_kwargs": {
        "middleware": [
            *middleware(problems=service.problems),
            *listener_count(service.LISTENERS),
            *mcp_server.middleware(),
        ]
    },
    "max_file_size": "64mb",
    "max_threads": IN_ALL + 40,  # a waiting run holds a thread; 40, Gradio's own number, are for all else
    "run_history": False,  # it would keep the URLs of the user's pictures in the browser
    "enable_monitoring": False,
    "show_error": False,
    "state_session_capacity": sessions.CAPACITY,
    "footer_links": ["api"],
    "ssr_mode": False,
    "pwa": False,
}


def build() -> gr.Blocks:
    """The whole page, ready to launch."""
    gallery.allow_files()
    with gr.Blocks(title="gansr: GAN super-resolution, side by side", analytics_enabled=False) as page:
        head, note = gr.HTML(_head()), draw_note()
        with gr.Tabs(overflow_behavior="wrap") as tabs:
            with gr.Tab("Compare", id="compare"):
                picked = draw_compare()
            drawn = list[DrawnTab]()
            for method in papers.METHODS:
                with gr.Tab(method.title, id=method.name):
                    drawn.append(draw_tab(method, examples.examples_for(method)))
                    link_tab(tabs, picked, method, drawn[-1])
            link_comparison(picked)
            with gr.Tab("Results", id="results"):
                link_plane(results_page(), tabs, picked)
            with gr.Tab("Rate", id=RATE):
                draw_rate()
            with gr.Tab("About", id="about"):
                gr.HTML(_about())
        places = [picked.place(), *(tab.place() for tab in drawn)]
        link_results(tabs, places)
        link_kernels(places)
        link_strip(draw_strip(), tabs, picked, drawn)
        connect_address(page, tabs, note, [picked.addressed(), *(tab.controls.addressed() for tab in drawn)])
        menus = [menu for tab in drawn for menu in weight_menus(tab.controls)]
        page.load(
            lambda *chosen: [
                _head(),
                *(menu.updated(value) for menu, value in zip(menus, chosen, strict=True)),
            ],
            [menu.component for menu in menus],
            [head, *(menu.component for menu in menus)],
            queue=False,
            api_visibility="private",
            show_progress="hidden",
        )
    guard(page)
    languages.give_to_gradio(page)
    sessions.limit_names()
    # After each event the queue summarises this many of the last, for a dashboard that is closed here.
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "100")
    page.queue(max_size=64, api_open=False)
    return page


# ------------------------------------------------------------------------------------------------ header


def _head() -> str:
    return (
        '<div class="head"><h1>gansr</h1><p>Run GAN super-resolution papers on your picture and measure what each '
        "recovers and what it invents.</p>"
        f'{_languages()}<p class="facts">Runs on {escape(service.BACKEND.device())} · {escape(weights_state())} · '
        f"version {__version__}</p></div>"
    )


def _languages() -> str:
    """Links to the page in its languages; page.css hides the one that is shown."""
    links = (
        f'<a href="?lang={language}" data-language="{language}" lang="{language}">{title}</a>'
        for language, title in languages.TITLES.items()
    )
    return f'<nav translate="no">{" ".join(links)}</nav>'


def weights_state() -> str:
    """How many papers can run with their default settings now, and which after a download, or not here.

    For example "3 of 5 papers ready; PULSE, GLEAN: weights are downloaded at first use (43 MB)".
    """
    ready = 0
    downloads: list[str] = []
    unavailable: list[str] = []
    sizes: dict[str, int] = {}  # archive or file → bytes; what several methods share is downloaded once
    gone: list[str] = []
    for method in papers.METHODS:
        if reason := service.unavailable(method):
            gone.append(reason)
            continue
        missing = [entry for entry in _default_weights(method) if not weights.ready(entry.name)]
        if not missing:
            ready += 1
        elif all(entry.fetchable for entry in missing):
            downloads.append(method.title)
            sizes |= dict(map(download_of, missing))
        else:
            unavailable.append(method.title)
    megabytes = f"{sum(sizes.values()) / 1e6:.0f} MB"
    downloaded = f"weights are downloaded at first use ({megabytes})"
    parts = (
        (
            downloads,
            downloaded if weights.storable() else "weights cannot be kept: their folder is read-only",
        ),
        (unavailable, "weights cannot be downloaded (see About)"),
    )
    others = [f"{', '.join(titles)}: {text}" for titles, text in parts if titles]
    return "; ".join([f"{ready} of {len(papers.METHODS)} papers ready", *others, *gone])


def _default_weights(method: Method) -> list[weights.Entry]:
    """The weights of a method's first preset, and the face detector where it is used."""
    options = parse_options(method.options, next(iter(method.presets.values())))
    names = [*method.needs(method, options).values()]
    if method.accepts.seeks_face(options):
        names.append(DETECTOR)
    return [weights.entries()[name] for name in names]


# ------------------------------------------------------------------------------------------------- About


def _about() -> str:
    about = "".join(_paper(method) for method in papers.METHODS)
    entries = [_entry(name, entry) for name, entry in weights.entries().items()]
    credits = [_credit(credit) for credit in examples.credits()]
    return (
        f"<h2>Papers</h2>{about}<h2>Weights</h2><p>The sha256 of each file is checked before the file is opened, and "
        f"nothing is unpickled. ✓ marks files on this machine. Sources: {SOURCES}</p>"
        + _table(("Name", "Size", "Source", "Licence", "Trained on"), entries, ' translate="no"')
        + "<h2>Example pictures</h2>"
        + _table(("Picture", "File", "Size (px)", "Subject", "Author", "Source", "Licence"), credits)
    )


def _paper(method: Method) -> str:
    paper = method.paper
    return (
        f'<p><b>{escape(method.title)}</b>: {escape(paper.authors)}, <a href="{escape(paper.link)}" rel="noopener">'
        f"{escape(paper.title)}</a>, {escape(paper.venue)} {paper.year}. Good for: {_sentence(paper.good_for)} "
        f"Not for: {_sentence(paper.not_for)} Licence: {_sentence(paper.licence)}</p>"
    )


def _sentence(text: str) -> str:
    return escape(render.sentence(text))


def _entry(name: str, entry: weights.Entry) -> list[str]:
    size = f"{entry.bytes / 1e6:.1f} MB" if entry.bytes else "–"
    kinds = ", ".join(dict.fromkeys(source.kind for source in entry.sources))
    present = " ✓" if weights.ready(name) else ""
    return [escape(cell) for cell in (name + present, size, kinds, entry.licence, entry.trained_on)]


def _credit(credit: Credit) -> list[str]:
    (path,) = examples.paths(credit.file)
    small = render.data_uri(render.preview(open_picture(path).rgb, THUMBNAIL))
    link = f'<a href="{escape(credit.url)}" rel="noopener">{escape(credit.source)}</a>'
    texts = [escape(text) for text in (credit.file, credit.size, credit.subject, credit.author)]
    return [f'<img alt="" src="{small}">', *texts, link, escape(credit.licence)]


def _table(heads: tuple[str, ...], rows: list[list[str]], attributes: str = "") -> str:
    """A table from cells that are HTML already. `attributes`: of its body."""
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    table = f'<table class="about"><thead><tr>{head}</tr></thead><tbody{attributes}>{body}</tbody></table>'
    return f'<div class="tablewrap">{table}</div>'
