"""Every text that the page can show, as templates with `{}` for what changes: of the built page, of the literals in
Python modules, and of those in scripts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from itertools import islice, product
from pathlib import Path

import gradio as gr

from gansr.ui.languages import key

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "gansr"
ATTRIBUTES = ("title", "aria-label", "alt", "placeholder")
MOST = 32  # alternatives of one text
EDGES = " \n·;,:."  # between texts that are written one after the other
UNITS = re.compile(r"\{\}|\b(px|dB|MB|GB|RGB)\b")
SEPARATORS = (" · ", "; ", ". ", ": ", ", ", " and ")  # of translate.js


def is_words(text: str) -> bool:
    """Whether `text` has a word, besides its fields and units."""
    return re.search(r"[A-Za-z]{2}", UNITS.sub("", text)) is not None


def is_sentence(text: str) -> bool:
    """Whether a literal looks like a text for people: several words, or a capital."""
    plain = text.replace("{}", "").strip(EDGES)
    return is_words(plain) and (" " in plain or re.match(r"[A-Z][a-z]", plain) is not None)


def template(text: str) -> str:
    """A literal as a key is written: fields beside each other are one, without what joins it to its neighbours."""
    return re.sub(r"(\{\})+", "{}", " ".join(text.split())).strip(EDGES)


def parts(text: str) -> Iterator[str]:
    """A text, and its parts as translate.js divides it where it does not know the whole."""
    yield text
    for separator in SEPARATORS:
        if separator in text:
            for part in text.split(separator):
                yield from parts(part)


# ---------------------------------------------------------------------------------------------------- HTML


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script", "code")
        self.found += [value for name, value in attrs if name in ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script", "code")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.found.append(data)


def html_texts(html: str) -> list[str]:
    """The texts and named attributes of HTML; of a plain text the text."""
    if "<" not in html:
        return [html]
    reader = _Texts()
    reader.feed(html)
    reader.close()
    return reader.found


# ---------------------------------------------------------------------------------------------- the page


def built_texts(page: gr.Blocks) -> set[str]:
    """The texts of a built page: labels, help, placeholders, choices, buttons and static HTML."""
    found: list[str] = []
    for block in page.blocks.values():
        config = block.get_config()
        found += [config[name] for name in ("label", "info", "placeholder") if config.get(name)]
        found += [choice[0] for choice in config.get("choices") or ()]
        if isinstance(block, gr.Button):
            found.append(config["value"])
        if isinstance(block, gr.HTML):
            found += (
                html_texts(str(config.get("value") or "")) if isinstance(config.get("value"), str) else []
            )
            found += html_texts((config.get("html_template") or "").replace("${value}", ""))
    return {template(text) for text in found if is_words(text)}


# ---------------------------------------------------------------------------------------------- Python


def alternatives(node: ast.AST) -> list[str]:
    """What an expression may be as a text, `{}` standing for what is not literal; nothing where it is no text."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        both = (alternatives(node.body), alternatives(node.orelse))
        return [*(both[0] or ["{}"]), *(both[1] or ["{}"])] if any(both) else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):  # "s" * (count != 1)
        return ["", *alternatives(node.left)] if alternatives(node.left) else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        both = (alternatives(node.left), alternatives(node.right))
        if not any(both):
            return []
        return [left + right for left, right in product(both[0] or ["{}"], both[1] or ["{}"])]
    if isinstance(node, ast.JoinedStr):
        pieces = [_piece(value) for value in node.values]
        return ["".join(chosen) for chosen in islice(product(*pieces), MOST)]
    return []


def _piece(value: ast.expr) -> list[str]:
    if not isinstance(value, ast.FormattedValue):
        return alternatives(value)
    inner = value.value
    return (alternatives(inner) if isinstance(inner, (ast.IfExp, ast.BinOp)) else []) or ["{}"]


def literals(tree: ast.AST) -> Iterator[str]:
    """The texts in a module but its docstrings and what asserts and loggers say."""
    if isinstance(
        tree, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    ) and ast.get_docstring(tree):
        tree.body = tree.body[1:]
    if isinstance(tree, ast.Assert):
        return
    if isinstance(tree, ast.Call) and _is_logger(tree.func):
        return
    found = alternatives(tree)
    yield from found
    inside = ast.iter_child_nodes(tree)
    if found:  # a text: only what its fields hold
        inside = (node.value for node in ast.walk(tree) if isinstance(node, ast.FormattedValue))
    for node in inside:
        yield from literals(node)


def _is_logger(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("exception", "warning", "AssertionError", "TypeVar", "compile")


def source_literals(paths: Iterable[Path]) -> set[str]:
    """The literals of Python files, as templates."""
    found: set[str] = set()
    for path in paths:
        for literal in literals(ast.parse(path.read_text("utf-8"))):
            found |= {template(text) for text in html_texts(literal)}
    return found


# ---------------------------------------------------------------------------------------------- scripts

_REGEX = r"/(?![/*])(?:\\.|\[[^]]*\]|[^/\\\n])+/[gimsuy]*(?=[\s.,;)\]])"
_TOKEN = re.compile(rf"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|`|\}}|\{{|{_REGEX}""", re.DOTALL)


def script_literals(code: str) -> set[str]:
    """The literals of JavaScript, as templates."""
    found: list[str] = []
    _read_code(code, 0, found, inside=False)
    return {template(text) for text in found}


def _read_code(code: str, at: int, found: list[str], *, inside: bool) -> int:
    """Add the literals of `code` from `at` on to `found`, inside of `${}` to its end; returns where it ends."""
    depth = 0
    while token := _TOKEN.search(code, at):
        text, at = token[0], token.end()
        if text == "`":
            at = _read_template(code, at, found)
        elif text[0] == '"':
            found.append(text[1:-1])
        elif text == "{":
            depth += 1
        elif text == "}":
            if inside and depth == 0:
                return at
            depth -= 1
    return len(code)


def _read_template(code: str, at: int, found: list[str]) -> int:
    text = ""
    while code[at] != "`":
        if code.startswith("${", at):
            at = _read_code(code, at + 2, found, inside=True)
            text += "{}"
        else:
            text += code[at]
            at += 1
    found.append(text)
    return at + 1


# -------------------------------------------------------------------------------------------- translated


class Known:
    """The texts that have a translation, from a language's file and what stays as it is."""

    def __init__(self, translations: Mapping[str, str], names: Iterable[str] = ()) -> None:
        self.keys = {key(template(english)) for english in translations}
        self.names = {template(name) for name in names}
        self.patterns: list[re.Pattern[str]] = []
        for english, translated in translations.items():
            if "{}" in english:
                field = ".*?" if re.search(r"\{\d?!\}", translated) else "(.*?)"  # `{!}` is not translated
                pattern = re.escape(key(template(english))).replace(r"\{\}", field)
                self.patterns.append(re.compile(pattern, re.IGNORECASE))

    def has(self, text: str) -> bool:
        """Whether the page translates `text`: as a whole, by a template, or every part of it."""
        text = text.strip(EDGES)
        if not is_words(text) or text in self.names or key(text) in self.keys:
            return True
        for pattern in self.patterns:
            found = pattern.fullmatch(text)
            if found and all(map(self.has, found.groups())):
                return True
        return any(all(map(self.has, text.split(one, 1))) for one in SEPARATORS if one in text)
