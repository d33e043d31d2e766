"""The example pictures: their folder, which ones a tab offers, and their authors and licences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gansr.method import Method
from gansr.picture import open_picture

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
FACES = (
    "astronaut.png",
    "face-older-man.png",
    "face-young-woman.png",
    "face-man-glasses.png",
    "astronaut-face-32.png",
)
PHOTOS = ("chelsea-small-x4.png", "coffee.png", "rocket.jpg", "astronaut.png")  # each subject once
CAPTIONS = {
    "astronaut.png": "Portrait",
    "astronaut-face-64.png": "Face, 64 px",
    "astronaut-face-32.png": "Face, 32 px",
    "face-older-man.png": "Older man",
    "face-young-woman.png": "Young woman",
    "face-man-glasses.png": "Man with glasses",
    "face-child.png": "Child",
    "face-woman-aside.png": "Looking aside",
    "hopper.png": "Old photograph",
    "drawing.png": "Drawing",
    "chelsea.png": "Cat",
    "chelsea-small-x4.png": "Cat, small",
    "coffee.png": "Coffee",
    "coffee-small-x4.png": "Coffee, small",
    "rocket.jpg": "Rocket",
}
_LINK = re.compile(r"\[(?P<text>.+)\]\((?P<url>https://\S+)\)")


@dataclass(frozen=True)
class Credit:
    """Who made an example picture, where it comes from and under which terms it may be used."""

    file: str
    size: str  # "512×512", px
    subject: str
    author: str
    source: str
    url: str  # of the source
    licence: str


def paths(*names: str) -> list[str]:
    """The paths of the example pictures of these names."""
    return [str(EXAMPLES / name) for name in names]


def example_of(name: str) -> str:
    """The path of the example picture of this name; empty where there is none."""
    pictures = {path.name: str(path) for path in EXAMPLES.glob("*.*") if path.suffix in (".png", ".jpg")}
    return pictures.get(name, "")


def examples_for(method: Method) -> list[str]:
    """Paths of the examples for a method's tab: faces for face methods, and no picture below the method's minimum."""
    found = paths(*(FACES if method.accepts.face else PHOTOS))
    return [path for path in found if min(open_picture(path).rgb.shape[-2:]) >= method.accepts.min_side]


def credits() -> list[Credit]:
    """The table in assets/examples/README.md: columns file, size, subject, author, source (a link), licence.

    Raises ValueError for a row that does not have these columns.
    """
    lines = (EXAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    return [_credit(row) for row in rows[2:]]  # after the heading and its rule


def _credit(row: str) -> Credit:
    file, size, subject, author, source, licence = (cell.strip() for cell in row.strip("|").split("|"))
    link = _LINK.fullmatch(source)
    if link is None:
        raise ValueError(f"assets/examples/README.md: the source of {file} is not a link: {source!r}")
    return Credit(file, size, subject, author, link["text"], link["url"], licence)
