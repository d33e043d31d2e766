"""Drawing of several pictures side by side, with their words."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from gansr.picture.arrays import to_array

TILE, GAP, TEXT = 360, 10, 60  # px: a picture's square, the space between, the room below for words
_TITLE_PT, _TEXT_PT = 20, 13
_TITLE_COLOUR, _TEXT_COLOUR = "#111", "#555"


def strip(items: Sequence[tuple[str, str, Tensor]]) -> bytes:
    """(title, text, picture (3,H,W) in [0,1]) side by side, each fitted into a square, with its words below: a PNG.

    Raises ValueError for a picture of another shape.
    """
    return sheet([items])


def bare(lines: Sequence[Sequence[Tensor]]) -> bytes:
    """Pictures (3,H,W) in [0,1] as `sheet` has them, without words and with clear gaps: a PNG for a page, which has its
    own words and its own background."""
    side = TILE + GAP
    size = (max(map(len, lines)) * side - GAP, len(lines) * side - GAP)
    drawn = Image.new("RGBA", size, (0, 0, 0, 0))
    for row, pictures in enumerate(lines):
        for column, picture in enumerate(pictures):
            _paste(drawn, (column * side, row * side), picture)
    return _png(drawn)


def sheet(lines: Sequence[Sequence[tuple[str, str, Tensor]]]) -> bytes:
    """Several strips below each other, from the left: a PNG. A picture of TILE px keeps its pixels."""
    width, height = TILE + GAP, TILE + TEXT + 2 * GAP
    drawn = Image.new("RGB", (max(map(len, lines)) * width + GAP, len(lines) * height), "white")
    draw = ImageDraw.Draw(drawn)
    for index, items in enumerate(lines):
        for column, item in enumerate(items):
            _draw(drawn, draw, (GAP + column * width, index * height), item)
    return _png(drawn)


def _png(drawn: Image.Image) -> bytes:
    packed = io.BytesIO()
    drawn.save(packed, "PNG")
    return packed.getvalue()


def _paste(drawn: Image.Image, corner: tuple[int, int], picture: Tensor) -> None:
    """Put a picture into the middle of the square that begins at `corner`."""
    tile = _fitted(picture)
    drawn.paste(tile, (corner[0] + (TILE - tile.width) // 2, corner[1] + (TILE - tile.height) // 2))


def _draw(
    drawn: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], item: tuple[str, str, Tensor]
) -> None:
    (left, top), (title, text, picture) = corner, item
    title_font, text_font = ImageFont.load_default(_TITLE_PT), ImageFont.load_default(_TEXT_PT)
    _paste(drawn, (left, top + GAP), picture)
    draw.text((left, top + TILE + GAP + 6), title, _TITLE_COLOUR, title_font)
    draw.text((left, top + TILE + GAP + 34), _shortened(draw, text, text_font), _TEXT_COLOUR, text_font)


def _fitted(picture: Tensor) -> Image.Image:
    """The picture, its longer side TILE px; pixels stay square blocks where it grows twofold or more."""
    image = Image.fromarray(to_array(picture))
    factor = TILE / max(image.size)
    kernel = Image.Resampling.BICUBIC if factor < 2 else Image.Resampling.NEAREST
    return image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))), kernel)


def _shortened(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> str:
    """As many of the parts between the dots as there is room for."""
    while " · " in text and draw.textlength(text, font) > TILE:
        text = text.rpartition(" · ")[0]
    return text
