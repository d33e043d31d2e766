"""The choices of an option that names weights, as they stand on this machine: derived from the manifest and the cache.

The values of the choices never change, so links, receipts and the API stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from gansr import weights
from gansr.method import Method
from gansr.options import Option, OptionError, options_of, parse_options
from gansr.weights.availability import FILE, STATES, Availability, availability


def weight_choices(method: Method, name: str) -> Mapping[str, Availability]:
    """choice → how it stands, the best first, for an option of `method` that names weights; empty for any other.

    What a choice loads besides its own weights counts too: our GLEAN needs its bank.
    """
    described, _ = options_of(method.options).get(name, (None, None))
    if described is None or not described.choices or not set(described.choices) <= set(weights.entries()):
        return {}
    found = {choice: availability(_loaded(method, name, choice)) for choice in described.choices}
    return dict(sorted(found.items(), key=lambda item: STATES.index(item[1].state)))


def _loaded(method: Method, name: str, choice: str) -> set[str]:
    try:
        loaded = set(method.needs(method, parse_options(method.options, {name: choice})).values())
    except OptionError:
        loaded = set()
    return loaded if choice in loaded else {choice}


def menu(described: Option, standing: Mapping[str, Availability]) -> list[tuple[str, str]]:
    """(label, value) of an option's choices, those in `standing` with what they need: "stylegan1 · needs a file"."""
    notes = {choice: f" · {one.note}" if one.note else "" for choice, one in standing.items()}
    listed = notes or dict.fromkeys(described.choices or (), "")
    return [(described.labels.get(choice, choice) + note, choice) for choice, note in listed.items()]


def on_a_space() -> bool:
    """Whether this is a Space of Hugging Face, whose visitors cannot import files."""
    return bool(os.environ.get("SPACE_ID"))


def offered(standing: Mapping[str, Availability], chosen: str) -> Mapping[str, Availability]:
    """Those of `standing` that a visitor can use, and the choice that is made: on a Space only its owner can add files.

    All of them where nothing can be used.
    """
    usable = {choice: one for choice, one in standing.items() if one.state != FILE or choice == chosen}
    return usable if usable.keys() != {chosen} else standing


def told(standing: Mapping[str, Availability]) -> str:
    """Choices by how they stand, in one line: "here: a, b; download: c (38 MB), d; needs a file: e"."""
    parts: list[str] = []
    for state in STATES:
        found = {choice: one.size for choice, one in standing.items() if one.state == state}
        names = ", ".join(f"{choice} ({size})" if size else choice for choice, size in found.items())
        parts += [f"{state}: {names}"] if names else []
    return "; ".join(parts)
