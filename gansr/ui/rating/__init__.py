"""The blind rating as one component: pictures, answers by buttons and keys, and the names afterwards.

Its value is what `contents` makes of a state. Everything that a question shows is in it, as masked pixels of equal
length; the browser learns which entry stands where when the names are shown, and not before.
"""

from __future__ import annotations

import base64
import itertools
import secrets
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from gansr.metrics import METRICS
from gansr.rating.catalogue import NEAREST, TRUTH, Catalogue
from gansr.rating.service import Revealed, State
from gansr.rating.trial import Trial
from gansr.rating.vote import CLOSER
from gansr.ui.component import component

HERE = Path(__file__).parent
SCRIPTS = ("js/view.js", "js/round.js")  # in the order in which they are joined
HINTS = {NEAREST: "worst", TRUTH: "best"}  # of training items
SHOWN = ("psnr_y", "lpips_alex", "niqe", "consistency")  # metrics beside a name
_serial = itertools.count(1)


def panel() -> gr.HTML:
    """The component. Each action raises `select` with `{"do": …}` and what belongs to it."""
    return component({}, HERE / "rating", SCRIPTS, "rating")


def contents(state: State, token: str, catalogue: Catalogue) -> dict[str, Any]:
    """The value of the component for a state."""
    return {
        "serial": next(_serial),  # a value that is equal to the last one would not be sent
        "token": token,
        "question": state.question,
        "each": state.each,
        "trial": None if state.trial is None else _trial(state.trial, catalogue),
        "revealed": [_revealed(one) for one in state.revealed],
        "over": state.round_over,
        "undo": state.can_undo,
        "place": state.place,
        "of": state.of,
        "answered": state.answered,
        "cap": state.cap,
        "message": state.message,
    }


def _trial(trial: Trial, catalogue: Catalogue) -> dict[str, Any]:
    """A trial without its entries. A truth is given only where the question is about it."""
    found: dict[str, Any] = {
        "id": trial.id,
        "question": trial.question,
        "training": HINTS.get(trial.left, "between") if trial.training else "",
        "left": masked(*catalogue.pixels(trial.picture, trial.left)),
    }
    if trial.right:
        found["right"] = masked(*catalogue.pixels(trial.picture, trial.right))
        found["small"] = masked(*catalogue.pixels(trial.picture))
    if trial.question == CLOSER:
        found["truth"] = masked(*catalogue.pixels(trial.picture, TRUTH))
    return found


def masked(height: int, width: int, pixels: bytes) -> dict[str, Any]:
    """RGB bytes added to a random stream, in base64: as long for one picture as for another, and no compression on
    the way makes a smooth one shorter. `unmask` in view.js takes the stream off."""
    seed = 10**9 + secrets.randbelow(10**9)  # always ten digits
    stream = keystream(seed, len(pixels))
    data = np.bitwise_xor(np.frombuffer(pixels, np.uint8), stream)
    return {"size": [width, height], "seed": seed, "data": base64.b64encode(data.tobytes()).decode()}


def keystream(seed: int, length: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """`length` bytes: the last steps of MurmurHash3 (A. Appleby, public domain) of seed, seed + 1, …, little-endian."""
    words = np.arange((length + 3) // 4, dtype=np.uint32) + np.uint32(seed)
    words ^= words >> np.uint32(16)
    words *= np.uint32(0x85EBCA6B)
    words ^= words >> np.uint32(13)
    words *= np.uint32(0xC2B2AE35)
    words ^= words >> np.uint32(16)
    return words.astype("<u4").view(np.uint8)[:length]


def _revealed(one: Revealed) -> dict[str, Any]:
    return {
        "picture": one.picture,
        "sides": list(one.sides),
        "metrics": [_metrics(values) for values in one.metrics],
        "answer": one.answer,
        "crowd": one.crowd,
        "control": one.control,
    }


def _metrics(values: dict[str, float]) -> str:
    shown = [metric for metric in METRICS if metric.name in SHOWN and metric.name in values]
    return " · ".join(f"{m.title} {values[m.name]:.{m.digits}f} {m.unit}".strip() for m in shown)
