"""The size that the coded data of a HEIC or AVIF item claims: what the decoder will allocate.

The container's own size (ispe) may say less, so it protects nothing by itself. Read here are the sequence parameter
set of HEVC (ITU-T H.265 §7.3.2.2) and the sequence header of AV1 (bitstream specification §5.5), and the coded
pictures of one item are counted: a still needs one.
"""

from __future__ import annotations

from collections.abc import Iterator

from gansr.picture.heif_boxes import Contradiction

MAX_CODED_PICTURES = 8  # of one AV1 item: it may come in up to four layers
_SPS, _SLICES = 33, range(32)  # HEVC NAL unit types
_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6  # AV1 OBU types
_HEADER_BYTES = 256  # a header is looked at no further
_MOST_CONFIGURATION = 4096  # bytes of an hvcC or av1C box, which has some hundred
MOST_UNITS = 4096  # of one item: a picture has some hundred slices at most
_MOST_HEADERS = 4  # parameter sets or sequence headers that tell the size, of one item: a still has one


class _Bits:
    """Bits from the first, as both standards write them."""

    def __init__(self, data: bytes) -> None:
        data = data[:_HEADER_BYTES]
        self.value, self.left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self.left -= count
        if self.left < 0:
            raise Contradiction
        return self.value >> self.left & (1 << count) - 1

    def take_exp_golomb(self) -> int:
        """ue(v) of H.265 §9.2 and uvlc() of AV1 §4.10.3."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        if zeros > 32:
            raise Contradiction
        return (1 << zeros) - 1 + self.take(zeros)


# ---------------------------------------------------------------------------------------------- HEVC


def hevc_sizes(configuration: bytes, coded: bytes, most: int = MOST_UNITS) -> list[tuple[int, int]]:
    """(width, height) of every sequence parameter set of an hvcC box and of its item's data of at most `most` units.

    Raises Contradiction for none, for more than one picture, or for data that cannot be read.
    """
    if not 23 <= len(configuration) <= _MOST_CONFIGURATION:
        raise Contradiction
    units = [*_hvcc_units(configuration, most), *_units(coded, (configuration[21] & 3) + 1, most)]
    pictures = sum((unit[0] >> 1 & 63) in _SLICES and unit[2] >= 0x80 for unit in units)  # their first slices
    sets = [unit for unit in units if unit[0] >> 1 & 63 == _SPS]
    if not 1 <= len(sets) <= _MOST_HEADERS or pictures != 1:
        raise Contradiction
    return [_sps_size(unit) for unit in sets]


def _hvcc_units(configuration: bytes, most: int) -> Iterator[bytes]:
    """The parameter sets of an HEVCDecoderConfigurationRecord, ISO/IEC 14496-15 §8.3.3.1."""
    at, units = 23, 0
    for _ in range(configuration[22]):
        count, at = int.from_bytes(configuration[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            length = int.from_bytes(configuration[at : at + 2], "big")
            at, units = at + 2 + length, units + 1
            if length < 3 or at > len(configuration) or units > most:
                raise Contradiction
            yield configuration[at - length : at]


def _units(coded: bytes, length_size: int, most: int) -> Iterator[bytes]:
    """The first bytes of every NAL unit, each of which follows its length."""
    at = 0
    for _ in range(most + 1):
        if at == len(coded):
            return
        length = int.from_bytes(coded[at : at + length_size], "big")
        at += length_size
        if length < 3 or at + length > len(coded):
            raise Contradiction
        yield coded[at : at + min(length, 2 * _HEADER_BYTES)]
        at += length
    raise Contradiction


def _sps_size(unit: bytes) -> tuple[int, int]:
    bits = _Bits(unit[2 : 2 * _HEADER_BYTES].replace(b"\0\0\3", b"\0\0"))  # without emulation prevention
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)  # temporal nesting; general profile, tier and level
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.take(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.take_exp_golomb()  # its own number
    if bits.take_exp_golomb() == 3:  # chroma format 4:4:4
        bits.take(1)
    return bits.take_exp_golomb(), bits.take_exp_golomb()


# ----------------------------------------------------------------------------------------------- AV1


def av1_sizes(configuration: bytes, coded: bytes, most: int = MOST_UNITS) -> list[tuple[int, int]]:
    """(width, height) of every sequence header of an av1C box and of its item's data of at most `most` units.

    Raises Contradiction for none, for too many pictures, or for data that cannot be read.
    """
    if not 4 <= len(configuration) <= _MOST_CONFIGURATION:
        raise Contradiction
    units = [*_obus(configuration[4:], most), *_obus(coded, most)]
    headers = [body for kind, body in units if kind == _SEQUENCE_HEADER]
    pictures = sum(kind in (_FRAME_HEADER, _FRAME) for kind, _ in units)
    if not 1 <= len(headers) <= _MOST_HEADERS or not 1 <= pictures <= MAX_CODED_PICTURES:
        raise Contradiction
    return [_sequence_size(body) for body in headers]


def _obus(coded: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """(type, the first bytes) of every open bitstream unit, §5.3."""
    at = 0
    for _ in range(most + 1):
        if at >= len(coded):
            return
        head = coded[at]
        at += 2 if head & 4 else 1  # with an extension
        length = len(coded) - at
        if head & 2:
            length, at = _leb128(coded, at)
        if length < 0 or at + length > len(coded):
            raise Contradiction
        yield head >> 3 & 15, coded[at : at + min(length, _HEADER_BYTES)]
        at += length
    raise Contradiction


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends), §4.10.5."""
    value = 0
    for i, byte in enumerate(data[at : at + 8]):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            return value, at + i + 1
    raise Contradiction


def _sequence_size(body: bytes) -> tuple[int, int]:
    """The largest frame that a sequence header allows, §5.5.1."""
    bits = _Bits(body)
    bits.take(3 + 1)  # profile; still picture
    if bits.take(1):  # reduced header of a still
        bits.take(5)
    else:
        _skip_timing(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_timing(bits: _Bits) -> None:
    """Timing, decoder model and operating points, §5.5.3 to §5.5.5."""
    delay_bits = 0
    if bits.take(1):  # timing
        bits.take(64)
        if bits.take(1):  # pictures at equal distances
            bits.take_exp_golomb()
        if bits.take(1):  # decoder model
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if display_delay and bits.take(1):
            bits.take(4)
