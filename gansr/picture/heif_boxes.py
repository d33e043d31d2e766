"""The container of HEIC and AVIF: its boxes are read without any codec.

ISO/IEC 14496-12 §4.2 (boxes), §8.11 (meta, iloc, iinf, iprp, iref); ISO/IEC 23008-12 §6 (items, grids, properties).
A file is a list of items. The primary item is the picture: coded as such, or a grid of coded tiles. Others are
thumbnails, masks (alpha), gain maps and metadata.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gansr.picture import limits

_SEQUENCE_BRANDS = (b"msf1", b"hevc", b"hevx", b"hevm", b"hevs", b"avcs", b"avis")
_NEEDED = (b"pitm", b"iinf", b"iloc", b"iprp")
_MOST_TABLE = 256 * 1024  # bytes of a table of items; that of MAX_ITEMS has a quarter
_MOST_REFERENCES = 8192  # between items: a tile has one, a grid as many as tiles
_MOST_SHARED = 2  # all items together have at most so many times the bytes of the file
_IN_FILE, _IN_IDAT = 0, 1  # construction methods of iloc
_UNREAD_BOX, _UNREAD_ITEM = b"free", b"skip"  # kinds that decoders ignore
_KEPT_IN_META = (*_NEEDED, b"hdlr", b"iref", b"idat", b"dinf", b"grpl")
_KEPT_PROPERTIES = (  # what a decoder may need
    *(
        b"ispe",
        b"pixi",
        b"hvcC",
        b"av1C",
        b"lhvC",
        b"vvcC",
        b"avcC",
        b"colr",
        b"irot",
        b"imir",
        b"clap",
        b"pasp",
    ),
    *(b"auxC", b"a1op", b"a1lx", b"lsel", b"oinf", b"tols", b"clli", b"mdcv", b"cclv", b"amve", b"rloc"),
)


class CutShort(Exception):
    """A box or an item goes on after the end of the file."""


class Contradiction(Exception):
    """The boxes do not make sense."""


class Box(NamedTuple):
    kind: bytes
    start: int  # of its body
    end: int


class Property(NamedTuple):
    kind: bytes
    body: bytes


@dataclass
class Item:
    kind: bytes = b""
    kind_at: int = 0  # where in the file its kind stands
    extents: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])  # (start, end) in the file
    properties: list[Property] = field(default_factory=list[Property])  # in the order they apply

    def property(self, kind: bytes) -> bytes | None:
        """The body of its one property of that kind. Raises Contradiction for several."""
        bodies = [p.body for p in self.properties if p.kind == kind]
        if len(bodies) > 1:
            raise Contradiction
        return bodies[0] if bodies else None

    def data(self, file: bytes) -> bytes:
        return b"".join(file[start:end] for start, end in self.extents)


@dataclass
class Container:
    brand: bytes
    items: dict[int, Item]
    primary: int
    references: dict[tuple[bytes, int], list[int]]  # (kind, from) → to, such as (dimg, grid) → its tiles
    film_at: int | None  # where the kind of a moov box stands
    end: int  # of the last box


def is_sequence(data: bytes) -> bool:
    """Whether the file says that it is a moving picture."""
    return data[8:12] in _SEQUENCE_BRANDS


def read_container(data: bytes) -> Container:
    """Raises CutShort, Contradiction or struct.error for boxes that cannot be read."""
    meta, film_at, end = None, None, 0
    for box in _boxes(data, 0, len(data), trailing=True):
        end = box.end
        if box.kind == b"meta":
            if meta is not None:
                raise Contradiction
            meta = box
        elif box.kind == b"moov":
            film_at = box.start - 4
    if meta is None:
        raise CutShort
    parts: dict[bytes, Box] = {}
    for box in _boxes(data, meta.start + 4, meta.end):
        if box.kind in parts and box.kind in (*_NEEDED, b"iref", b"idat"):
            raise Contradiction  # decoders differ in which of two they believe
        parts[box.kind] = box
    if not parts.keys() >= {*_NEEDED}:
        raise Contradiction
    items = _item_kinds(data, parts[b"iinf"])
    _add_extents(data, parts[b"iloc"], parts.get(b"idat"), items)
    _add_properties(data, parts[b"iprp"], items)
    references = _references(data, parts[b"iref"]) if b"iref" in parts else {}
    pitm = parts[b"pitm"]
    primary = _number(data, pitm.start + 4, 4 if data[pitm.start] else 2)
    if primary not in items:
        raise Contradiction
    return Container(data[8:12], items, primary, references, film_at, end)


def blanked(data: bytes, container: Container, unwanted: tuple[bytes, ...]) -> bytes:
    """The file with zeros for everything that does not show the picture: items of the kinds `unwanted`, bytes that no
    item has, films, names and descriptions. No box changes its place; what is emptied gets a kind that nobody reads.
    """
    plain = bytearray(data[: container.end])
    for box in _boxes(data[: container.end], 0, container.end):
        if box.kind == b"meta":
            _blank_meta(data, plain, box)
        elif box.kind == b"mdat":
            _blank(plain, box.start, box.end)
        elif box.kind != b"ftyp":
            _blank_box(data, plain, box)
    for item in container.items.values():
        if item.kind in unwanted:
            plain[item.kind_at : item.kind_at + 4] = _UNREAD_ITEM
            continue
        for start, end in item.extents:
            plain[start:end] = data[start:end]
    return bytes(plain[: container.end])


def _blank_meta(data: bytes, plain: bytearray, meta: Box) -> None:
    for box in _boxes(data, meta.start + 4, meta.end):
        if box.kind not in _KEPT_IN_META:
            _blank_box(data, plain, box)
        elif box.kind == b"idat":
            _blank(plain, box.start, box.end)
        elif box.kind == b"hdlr":
            _blank(plain, box.start + 24, box.end)  # its name
        elif box.kind == b"iinf":
            for entry in _boxes(data, box.start + (8 if data[box.start] else 6), box.end):
                _blank(plain, entry.start + (14 if data[entry.start] == 3 else 12), entry.end)  # names
        elif box.kind == b"iprp":
            for part in _boxes(data, box.start, box.end):
                for described in _boxes(data, part.start, part.end) if part.kind == b"ipco" else ():
                    if described.kind not in _KEPT_PROPERTIES:
                        _blank_box(data, plain, described)


def _blank_box(data: bytes, plain: bytearray, box: Box) -> None:
    at = box.start - (4 if data[box.start - 4 : box.start] == box.kind else 12)  # its size may have 64 bits
    plain[at : at + 4] = _UNREAD_BOX
    _blank(plain, box.start, box.end)


def _blank(plain: bytearray, start: int, end: int) -> None:
    plain[start:end] = bytes(max(0, end - start))


def _boxes(data: bytes, start: int, end: int, trailing: bool = False) -> Iterator[Box]:
    """The boxes that fill data[start:end]. With `trailing`, bytes after the last that are no box end it."""
    for _ in range(limits.MAX_PIECES):
        left = end - start
        if left == 0 or (trailing and (left < 8 or not _is_kind(data[start + 4 : start + 8]))):
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", data, start + 8), 16
        elif size == 0:  # up to the end
            size = left
        if size > left:
            raise CutShort
        if size < head:
            raise Contradiction
        yield Box(kind, start + head, start + size)
        start += size
    raise Contradiction


def _is_kind(kind: bytes) -> bool:
    return kind.isascii() and kind.decode().isprintable()


def _number(data: bytes, at: int, size: int) -> int:
    if at + size > len(data):
        raise CutShort
    return int.from_bytes(data[at : at + size], "big")


class _Reader:
    """Big-endian numbers one after the other, within one box."""

    def __init__(self, data: bytes, box: Box) -> None:
        self.data, self.at, self.end = data, box.start, box.end
        if box.end - box.start > _MOST_TABLE:
            raise Contradiction
        self.version = self.take(1)
        self.flags = self.take(3)

    def take(self, size: int) -> int:
        if self.at + size > self.end:
            raise Contradiction
        self.at += size
        return int.from_bytes(self.data[self.at - size : self.at], "big")


def _item_kinds(data: bytes, iinf: Box) -> dict[int, Item]:
    reader = _Reader(data, iinf)
    reader.take(4 if reader.version else 2)
    items: dict[int, Item] = {}
    for box in _boxes(data, reader.at, iinf.end):
        entry = _Reader(data, box)
        if box.kind != b"infe" or entry.version not in (2, 3):
            continue
        number, _ = entry.take(4 if entry.version == 3 else 2), entry.take(2)
        if number in items or len(items) == limits.MAX_ITEMS:
            raise Contradiction
        items[number] = Item(entry.take(4).to_bytes(4, "big"), entry.at - 4)
    return items


def _add_extents(data: bytes, iloc: Box, idat: Box | None, items: dict[int, Item]) -> None:
    """Where the bytes of each item lie: within the file, and hardly shared, as each item's are looked at."""
    reader = _Reader(data, iloc)
    sizes = reader.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    extents, total = 0, 0
    for _ in range(reader.take(4 if reader.version == 2 else 2)):
        number = reader.take(4 if reader.version == 2 else 2)
        method = reader.take(2) & 15 if reader.version in (1, 2) else _IN_FILE
        external, base = reader.take(2), reader.take(base_size)
        item = items.get(number, Item())
        if item.extents:
            raise Contradiction
        for _ in range(reader.take(2)):
            reader.take(index_size if reader.version in (1, 2) else 0)
            start, length = base + reader.take(offset_size), reader.take(length_size)
            extents += 1
            if method == _IN_IDAT and idat is not None:
                start += idat.start
            elif method != _IN_FILE:
                raise Contradiction
            if external or extents > limits.MAX_PIECES:
                raise Contradiction
            if start + length > len(data):
                raise CutShort
            item.extents.append((start, start + length))
            total += length
            if total > _MOST_SHARED * len(data):
                raise Contradiction


def _add_properties(data: bytes, iprp: Box, items: dict[int, Item]) -> None:
    parts = list(_boxes(data, iprp.start, iprp.end))
    known = [
        Property(box.kind, data[box.start : box.end])
        for part in parts
        if part.kind == b"ipco"
        for box in _boxes(data, part.start, part.end)
    ]
    tables = [part for part in parts if part.kind == b"ipma"]
    if sum(part.end - part.start for part in tables) > _MOST_TABLE:
        raise Contradiction
    for part in tables:
        reader = _Reader(data, part)
        wide = reader.flags & 1
        for _ in range(reader.take(4)):
            item = items.get(reader.take(4 if reader.version else 2), Item())
            if item.properties:
                raise Contradiction
            for _ in range(reader.take(1)):
                index = reader.take(2) & 0x7FFF if wide else reader.take(1) & 0x7F
                if index > len(known):
                    raise Contradiction
                if index:
                    item.properties.append(known[index - 1])


def _references(data: bytes, iref: Box) -> dict[tuple[bytes, int], list[int]]:
    found: dict[tuple[bytes, int], list[int]] = {}
    size, total = 4 if data[iref.start] else 2, 0
    for box in _boxes(data, iref.start + 4, iref.end):
        count = _number(data, box.start + size, 2)
        first = box.start + size + 2
        total += count
        if first + count * size > box.end or total > _MOST_REFERENCES:
            raise Contradiction
        numbers = [_number(data, first + i * size, size) for i in range(count)]
        key = (box.kind, _number(data, box.start, size))
        if key in found:
            raise Contradiction
        found[key] = numbers
    return found
