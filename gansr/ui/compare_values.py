"""The Compare tab's settings: plain values by name, for its controls, addresses and receipts.

The names are those of the request's flat form (gansr.request), and besides them `picture`, `methods`, `problem`
and for each method `<method>.preset` and `<method>.options` ("name=value name=value"). Nothing is kept on the
server.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from gansr import papers
from gansr.compare.vary import variations
from gansr.method import Method
from gansr.ops.degrade import Degradation
from gansr.options import OptionError, options_of, parse_options, parse_text, plain_values
from gansr.problem import PROBLEMS, TITLES, Problem, name_of
from gansr.request import PLAIN, SHRINK, Request, decode, encode, from_texts

AUTOMATIC = "auto"
PROBLEM_TITLES = {AUTOMATIC: "Automatic: by the picture", **TITLES}
LONGEST = 400  # characters of a method's options, and of one value of an address


def shared_files() -> tuple[str, ...]:
    """The request's fields that all methods of a comparison share and that are files: nothing restores those."""
    return tuple(SHRINK + name for name, (described, _) in options_of(Degradation).items() if described.read)


def shared_defaults() -> dict[str, Any]:
    """name → default of the other fields that all methods share."""
    plain = {
        name: default for name, (_, default) in PLAIN.items() if name not in ("paste_back", "robustness")
    }
    return plain | {SHRINK + name: default for name, default in plain_values(Degradation()).items()}


def defaults() -> dict[str, Any]:
    """name → default of every control but the picture and files."""
    methods = papers.METHODS
    found: dict[str, Any] = {
        "methods": [method.name for method in methods if not method.baseline],
        "problem": AUTOMATIC,
    }
    for method in methods:
        found |= {f"{method.name}.preset": next(iter(method.presets)), f"{method.name}.options": ""}
    return found | shared_defaults()


def names() -> tuple[str, ...]:
    """The names of the controls, in the order in which handlers receive their values."""
    return ("picture", *shared_files(), *defaults())


# -------------------------------------------------------------------------------------- values → requests


def requests_of(values: Mapping[str, Any]) -> list[Request]:
    """Values by name, unchecked → the requests of the chosen methods. Raises OptionError."""
    chosen = values["methods"]
    known = {method.name for method in papers.METHODS}
    if not isinstance(chosen, list) or not all(isinstance(name, str) and name in known for name in chosen):
        raise OptionError(f"methods must be some of {', '.join(known)}")
    if not chosen:
        raise OptionError("no method is chosen: tick at least one")
    common = {name: values[name] for name in shared_defaults()}
    common |= {name: values.get(name) for name in shared_files()}
    return [
        decode(method, common | options)
        for method in papers.METHODS
        if method.name in chosen
        for options in _options(method, values)
    ]


def _options(method: Method, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The preset's options and those typed besides; several where an option has several values. Raises OptionError."""
    preset, text = values[f"{method.name}.preset"], values[f"{method.name}.options"]
    if not isinstance(preset, str) or preset not in method.presets:
        raise OptionError(f"{method.title}: the preset must be one of {', '.join(method.presets)}")
    if not isinstance(text, str) or len(text) > LONGEST:
        raise OptionError(f"{method.title}: the options must be a text of at most {LONGEST} characters")
    try:
        pairs = shlex.split(text)  # values with spaces stand in quotes
    except ValueError:
        raise OptionError(f"{method.title}: a quote is not closed in {text[:60]!r}") from None
    typed: dict[str, str] = {}
    described = options_of(method.options)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise OptionError(f"{method.title}: write options as name=value, not {pair[:40]!r}")
        if name not in described:
            raise OptionError(f"{method.title} has no option {name[:40]!r}; it has: {', '.join(described)}")
        if described[name][0].read is not None:
            raise OptionError(f"{method.title}: {name} is a file; use the method's own tab")
        typed[name] = value
    return [{**method.presets[preset], **from_texts(method, each)} for each in variations(typed)]


def problem_of(values: Mapping[str, Any], automatic: Callable[[], str]) -> Problem:
    """The problem; `automatic` gives the name of the one that suits the picture. Raises OptionError."""
    name = values["problem"]
    if not isinstance(name, str) or name not in PROBLEM_TITLES:
        raise OptionError(f"the problem must be one of {', '.join(PROBLEM_TITLES)}")
    return PROBLEMS[automatic() if name == AUTOMATIC else name]


# -------------------------------------------------------------------------------------- requests → values


def values_for(request: Request) -> dict[str, Any]:
    """A request → values by name: its method alone, the first preset, and the options that differ from it.
    Raises OptionError where those are too many to be written here."""
    method = request.method
    preset = next(iter(method.presets))
    now = plain_values(request.options)
    before = plain_values(parse_options(method.options, method.presets[preset]))
    text = " ".join(shlex.quote(f"{name}={now[name]}") for name in now if now[name] != before[name])
    if len(text) > LONGEST:
        raise OptionError("these are more options than the comparison takes: use the method's own tab")
    flat = encode(request)
    return {name: flat[name] for name in shared_defaults()} | {
        "methods": [method.name],
        "problem": name_of(request.problem) or AUTOMATIC,
        f"{method.name}.preset": preset,
        f"{method.name}.options": text,
    }


def updates(values: Mapping[str, Any]) -> list[Any]:
    """Updates of every control, the picture first; those without a value stay as they are."""
    return [gr.update(value=values[name]) if name in values else gr.skip() for name in names()]


# -------------------------------------------------------------------------------------------------- texts


def restored(given: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """An address's texts → values by name, without those that are not possible here; and why each of those is not."""
    usual, found = defaults(), dict[str, Any]()
    wrong: list[str] = []
    known = {method.name for method in papers.METHODS}
    for name, default in usual.items():
        text = given.get(name)
        if text is None or len(text) > LONGEST:
            continue
        listed = isinstance(default, list)
        value = [part for part in text.split(",") if part in known] if listed else parse_text(default, text)
        try:
            requests_of(usual | {name: value})
            problem_of(usual | {name: value}, lambda: next(iter(PROBLEMS)))
        except OptionError as error:
            wrong.append(str(error))
        else:
            found[name] = value
    return found, wrong
