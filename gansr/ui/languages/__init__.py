"""The languages of the page: English, and those of the JSON files beside this module, one file a language.

The English text is the key, as in gettext: "zh.json" has English → Chinese. `{}` stands for what changes in a text, in
its order; the translation may name it by its number, `{0}`, and leave the order. `{0!}` stays as it is: names that the
user has to type. A first capital and a last full stop are not part of a key. Whatever the server sends is English; the
page translates it:

- Gradio's I18n: labels, help, placeholders, buttons and titles of tabs (`reached_by_gradio`).
- translate.js: everything else, from the same file. The server puts it into the page itself (gansr.ui.middleware),
  ahead of Gradio's script, with the language of the request: `?lang=zh` in the address, otherwise the browser's.

So values, the API, receipts, files and the command line stay English, and a handler needs no language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

HERE = Path(__file__).parent
ENGLISH = "en"
TAGS = {"zh": "zh-CN"}  # language → its tag in HTML and in Gradio
TITLES = {"en": "English", "zh": "中文"}
LANGUAGES = tuple(TITLES)
I18N = gr.I18n(**{tag: dict[str, str]() for tag in TAGS.values()})
# What Gradio translates of every component. Of a value only where it is shown: others are what a handler receives.
TRANSLATED = ("label", "info", "placeholder")
SHOWN_VALUES = (gr.Button,)
_ASKED = re.compile(rb"(?:^|&)lang=([a-z]{2})(?:&|$)")
_WEIGHT = re.compile(r"q=(0(?:\.\d{1,3})?|1(?:\.0{1,3})?)")
_BEFORE = b'<script type="module"'  # Gradio's own script
_LANG = b'lang="en"'


@cache
def texts(language: str) -> Mapping[str, str]:
    """English → translated; nothing for English."""
    return {} if language == ENGLISH else json.loads((HERE / f"{language}.json").read_text("utf-8"))


def key(text: str) -> str:
    """The form of an English text by which its translation is found; the same as `key` in translate.js."""
    text = " ".join(text.split())
    text = text[:-1] if text.endswith(".") else text
    return text[:1].lower() + text[1:]


# -------------------------------------------------------------------------------------- Gradio's own texts


def reached_by_gradio(page: gr.Blocks) -> set[str]:
    """The texts of `page` that Gradio translates. Not those that are also the value of a control: Gradio would
    translate the value too."""
    configs = [(block, block.get_config()) for block in page.blocks.values()]
    found = {config.get(name) for _, config in configs for name in TRANSLATED}
    found |= {config.get("value") for block, config in configs if isinstance(block, SHOWN_VALUES)}
    values = [config.get("value") for block, config in configs if not isinstance(block, SHOWN_VALUES)]
    return {text for text in found if isinstance(text, str) and text and text not in values}


def give_to_gradio(page: gr.Blocks) -> None:
    """Fill `I18N`, which is passed to launch, with the translations of the finished `page`."""
    for language, tag in TAGS.items():
        known = {key(english): translated for english, translated in texts(language).items()}
        reached = {text: known[key(text)] for text in reached_by_gradio(page) if key(text) in known}
        I18N.translations[tag] = {text: _plain(translated) for text, translated in reached.items()}


def _plain(translated: str) -> str:
    """Gradio reads messages in ICU's format, in which these signs have a meaning."""
    return re.sub(r"['{}<>#|]", lambda sign: f"'{sign[0]}'" if sign[0] != "'" else "''", translated)


# ------------------------------------------------------------------------------------------------ the page


def language_of(query: bytes, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """One of LANGUAGES: the one that the address asks for, otherwise the first that the browser prefers, otherwise
    English."""
    asked = _ASKED.search(query)
    if asked and asked[1].decode() in LANGUAGES:
        return asked[1].decode()
    accepted = b",".join(value for name, value in headers if name.lower() == b"accept-language")
    weighed: list[tuple[float, str]] = []
    for part in accepted.decode("latin-1").split(","):
        tag, _, more = part.strip().partition(";")
        weight = _WEIGHT.fullmatch(more.strip()) if more else None
        weighed.append((float(weight[1]) if weight else 0.0 if more else 1.0, tag.partition("-")[0].lower()))
    wanted = [language for weight, language in sorted(weighed, key=lambda one: -one[0]) if weight]
    return next((language for language in wanted if language in LANGUAGES), ENGLISH)


def in_language(page: bytes, language: str) -> bytes:
    """The page's HTML with the script that translates it, before Gradio's. Raises ValueError where there is no such
    place."""
    if page.count(_BEFORE) != 1:
        raise ValueError("Gradio's page has no place for the script of languages")
    tag = TAGS.get(language, ENGLISH)
    script = f"<script>{_script(language)}</script>".encode()
    page = page.replace(_LANG, f'lang="{tag}"'.encode(), 1)
    return page.replace(_BEFORE, script + _BEFORE, 1)


@cache
def _script(language: str) -> str:
    given: dict[str, Any] = {"language": language, "tags": TAGS, "texts": texts(language)}
    lines = (line.strip() for line in (HERE / "translate.js").read_text("utf-8").splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    json_text = json.dumps(given, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return f"{{\nconst given = {json_text};\n{code}\n}}"
