"""Boxes of HEIC made to cost time: items, headers, references and tables are counted before they are walked."""

from __future__ import annotations

import struct

import pytest

from gansr.picture import PictureError, heif, heif_codecs, open_picture
from gansr.picture.heif_boxes import Contradiction, read_container
from tests.support.heif_files import box, full_box, heic, ispe, made_heic, smooth


def refusal_of(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(data)
    return str(caught.value)


HVCC = 21 * b"\0" + b"\3"  # up to the number of its arrays; lengths have four bytes
SPS = bytes([33 << 1, 1]) + b"\1" + b"\0" * 12 + b"\xaa" * 40


def configuration(sets: int) -> bytes:
    """hvcC with the first slice of a picture and so many parameter sets."""
    units = [b"\0\0\x80", *[SPS] * sets]
    return box(b"hvcC", HVCC + b"\1\0" + struct.pack(">H", len(units)) + _with_lengths(units))


def _with_lengths(units: list[bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(unit)) + unit for unit in units)


def items_with(sets: int, count: int) -> bytes:
    numbers = range(1, count + 1)
    return made_heic(
        dict.fromkeys(numbers, b"hvc1"), [configuration(sets), ispe(8, 8)], {n: [1, 2] for n in numbers}
    )


def bits_taken(monkeypatch, data: bytes) -> int:
    taken, take = [0], heif_codecs._Bits.take

    def counted(bits, count: int) -> int:
        taken[0] += 1
        return take(bits, count)

    monkeypatch.setattr(heif_codecs._Bits, "take", counted)
    refusal_of(data)
    return taken[0]


def test_many_items_that_share_a_setup_of_many_headers_are_refused_at_the_first(monkeypatch):
    assert bits_taken(monkeypatch, items_with(2, 1)) > 10, "the headers are looked at"
    assert "contradict each other" in refusal_of(items_with(60, 500))
    assert bits_taken(monkeypatch, items_with(60, 500)) == 0


def test_many_grids_of_the_same_tiles_are_refused():
    tiles, grids = range(100, 356), range(1, 40)
    body = bytes([0, 0, 15, 15]) + struct.pack(">HH", 128, 128)
    properties = [*[box(b"free", b"")] * 200, ispe(128, 128), ispe(8, 8)]
    data = made_heic(
        dict.fromkeys(grids, b"grid") | dict.fromkeys(tiles, b"hvc1"),
        properties,
        {n: [*range(1, 201), 201] for n in grids} | {n: [*range(1, 201), 202] for n in tiles},
        dict.fromkeys(grids, body),
        [(grid, list(tiles)) for grid in grids],
    )
    with pytest.raises(Contradiction):
        read_container(data)
    few = [(grid, list(tiles)) for grid in list(grids)[:30]]
    assert len(read_container(made_heic({1: b"grid"}, [], {}, {}, few)).references) == 30


@pytest.mark.parametrize(("places", "applied"), [(30_000, 0), (0, 60_000)])
def test_endless_tables_are_refused(places, applied):
    data = made_heic(
        {1: b"hvc1"},
        [],
        {n: [0, 0, 0] for n in range(2, 2 + applied)},
        dict.fromkeys(range(2, 2 + places), b""),
    )
    with pytest.raises(Contradiction):
        read_container(data)


def test_tables_that_are_endless_together_are_refused():
    table = full_box(b"ipma", struct.pack(">I", 40_000) + struct.pack(">HB", 9, 0) * 40_000)
    data = made_heic({1: b"hvc1"}, [table], {})
    assert read_container(data).primary == 1
    iprp = data.index(b"iprp")
    inner = data[iprp + 4 :][: int.from_bytes(data[iprp - 4 : iprp], "big") - 8]
    changed = box(b"iprp", inner + table * 3)
    meta = data.index(b"meta")
    body = data[meta + 4 : iprp - 4] + changed + data[iprp + 4 + len(inner) :]
    with pytest.raises(Contradiction):
        read_container(data[: meta - 4] + box(b"meta", body))


def test_items_whose_size_is_not_checked_are_hidden_from_the_decoder():
    data = heic(smooth(64, 64).convert("RGBA").rotate(9))
    container = read_container(data)
    (mask,) = (n for n in container.items if n != container.primary)
    at = container.items[mask].kind_at
    assert data[at : at + 4] == b"hvc1"
    for kind in (b"iovl", b"iden", b"unci", b"jpeg", b"tmap"):
        changed = data[:at] + kind + data[at + 4 :]
        assert kind not in heif._coded_only(changed, read_container(changed))
        assert open_picture(changed).alpha is None
