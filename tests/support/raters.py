"""Simulated raters of known methods, and a small catalogue for them."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from gansr.rating.catalogue import NEAREST, TRUTH, Catalogue, Entry, Rated
from gansr.rating.vote import BETTER, GOLD, NORMAL, REPEAT, Vote

Answer = Callable[[random.Random, str, str, str], str]  # (draw, picture, left, right) → answer


def vote(**changes: object) -> Vote:
    """A vote that is possible, with some fields changed."""
    usual: dict[str, object] = {
        "uuid": "0" * 32, "session": "a" * 64, "number": 0, "round": 0, "day": "2026-11-28", "catalogue": "c" * 16,
        "question": BETTER, "picture": "p0", "left": "m0", "right": "m1", "answer": "left", "seconds": 2.0,
        "role": NORMAL,
    }  # fmt: skip
    return Vote(**{**usual, **changes})  # type: ignore[arg-type]


def catalogue(
    methods: int = 3,
    pictures: int = 4,
    metrics: Mapping[str, float] | None = None,
    folder: Path = Path("none"),
) -> Catalogue:
    """Methods m0, m1, … and the anchors on pictures p0, p1, …, without files. `metrics`: PSNR-Y by entry."""
    names = [*(f"m{i}" for i in range(methods)), "bicubic", NEAREST, TRUTH]
    values = {name: {"psnr_y": value} for name, value in (metrics or {}).items()}
    files = {name: f"{name}.png" for name in names}
    rated = {
        f"p{i}": Rated(
            f"p{i}", f"Picture {i}", "face" if i % 2 else "photograph", "photo-x4", "s.png", files, values, {}
        )
        for i in range(pictures)
    }
    return Catalogue(folder, "c" * 16, {name: Entry(name, name.upper(), {}) for name in names}, rated)


def honest(
    strengths: Mapping[str, float], seed: int = 0, lapses: float = 0.03, spread: float = 0.3
) -> Answer:
    """A rater who follows the strengths, which differ a little between pictures; sees no difference where the chance
    is near one half; answers at random in `lapses` of the cases."""

    @cache
    def shift(picture: str, method: str) -> float:
        return random.Random(f"{seed} {picture} {method}").gauss(0, spread)

    def answer(draw: random.Random, picture: str, left: str, right: str) -> str:
        if draw.random() < lapses:
            return draw.choice(("left", "right", "same", "bad"))
        one, other = (strengths[name] + shift(picture, name) for name in (left, right))
        chance = 1 / (1 + math.exp(other - one))
        at = draw.random()
        if abs(at - chance) < 0.03:
            return "same"
        return "left" if at < chance else "right"

    return answer


def clicker(draw: random.Random, picture: str, left: str, right: str) -> str:
    """Answers at random without looking."""
    return draw.choice(("left", "right", "same", "bad"))


def session(
    name: str, answer: Answer, methods: list[str], seed: int, pairs: int = 60, pictures: int = 10
) -> list[Vote]:
    """The votes of one rater: of ten pairs, one is a control pair and one is shown again with the sides changed."""
    draw, found = random.Random(seed), list[Vote]()
    key = hashlib.sha256(f"{name} {seed}".encode()).hexdigest()
    for number in range(pairs):
        picture, sides, role = f"p{draw.randrange(pictures)}", draw.sample(methods, 2), NORMAL
        if number % 10 == 3:
            sides, role = draw.sample([TRUTH, NEAREST], 2), GOLD
        elif number % 10 == 8:
            before = draw.choice([one for one in found if one.role == NORMAL])
            picture, sides, role = before.picture, [before.right, before.left], REPEAT
        found.append(
            vote(
                uuid=f"{draw.getrandbits(128):032x}", session=key, number=number, round=number // 10, picture=picture,
                left=sides[0], right=sides[1], answer=answer(draw, picture, *sides), seconds=draw.uniform(0.9, 8),
                role=role,
            )
        )  # fmt: skip
    return found
