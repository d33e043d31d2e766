"""How a method works: text, formula, an animation of a real run, and where the code is. In each tab, folded."""

from __future__ import annotations

import inspect
import os
from html import escape
from importlib import import_module
from pathlib import Path

import gradio as gr

from gansr.gallery import GALLERY
from gansr.method import How, Method
from gansr.ui.viewer import address

ROOT = Path(__file__).resolve().parents[2]


def draw_how(method: Method) -> None:
    """The folded text, inside an open column; nothing for a method without one."""
    if method.how is not None:
        with gr.Accordion("How it works", open=False, elem_id=f"{method.name}-how"):
            gr.HTML(how_html(method.name, method.how))


def how_html(name: str, how: How) -> str:
    """The text as HTML, with the animation of the method `name` where the gallery has one."""
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in how.paragraphs)
    formula = f'<p class="formula" translate="no">{escape(how.formula)}</p>'
    file = GALLERY / f"how-{name}.webp"
    caption = f"<figcaption>{escape(how.animation)}</figcaption>"
    shown = (
        f'<figure><img alt="" loading="lazy" src="{address(file)}">{caption}</figure>'
        if file.is_file()
        else ""
    )
    code = ", ".join(_link(*place(path)) for path in how.code)
    return f'<div class="how">{paragraphs}{formula}{shown}<p class="code"><span>In the code</span> {code}</p></div>'


def place(path: str) -> tuple[str, int, int]:
    """An import path "module:name" → the file, relative to the repository, and the first and last line."""
    module, _, name = path.partition(":")
    found = getattr(import_module(module), name)
    lines, first = inspect.getsourcelines(found)
    return Path(inspect.getfile(found)).resolve().relative_to(ROOT).as_posix(), first, first + len(lines) - 1


def _link(file: str, first: int, last: int) -> str:
    """The lines, on a Space as a link to its repository."""
    text = f'<code translate="no">{escape(file)}:{first}</code>'
    space = os.environ.get("SPACE_ID")
    if not space:
        return text
    link = f"https://huggingface.co/spaces/{escape(space)}/blob/main/{file}#L{first}-L{last}"
    return f'<a href="{link}" rel="noopener">{text}</a>'
