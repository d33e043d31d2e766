"""Files that are no picture read here: their first bytes name what they are."""

from __future__ import annotations

import re

from gansr.picture.limits import PictureError, not_a_picture, not_supported

_HEAD = 1024  # bytes looked at


def _compiled(*table: tuple[bytes, str]) -> tuple[tuple[re.Pattern[bytes], str], ...]:
    return tuple((re.compile(pattern, re.DOTALL), name) for pattern, name in table)


_OTHER_PICTURES = _compiled(
    (rb"%!PS|\xc5\xd0\xd3\xc6", "an EPS drawing"),
    (rb"8BPS", "a Photoshop (PSD) file"),
    (rb"SIMPLE  =", "a FITS picture"),
    (rb"DDS ", "a DDS texture"),
    (rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF", "a WMF or EMF drawing"),
    (rb"\s*(/\*.*?\*/\s*)?#define\s+\S+_width\s", "an XBM picture"),
    (rb"P[1-6fF]\s+([-+]?\d|#)|P7\n", "a PPM, PGM or PBM picture"),
    (rb"qoif", "a QOI picture"),
    (rb"\0\0[\1\2]\0(?!\0\0)", "an icon (ICO)"),
    (rb"\x01\xda[\0\1][\1\2]", "an SGI picture"),
    (rb"\x0a[\0\2-\5]\x01[\1\2\4\x08]", "a PCX picture"),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (rb"II[*+]\0|MM\0[*+]", "a TIFF picture"),
    (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "a BMP picture"),
    (rb".\0[\2\3\n\x0b]\0{5}.{4}(?!\0\0)..(?!\0\0)..[\x08\x10\x18\x20][\0-\x3f]", "a TGA picture"),
    (rb".\x01[\1\t].{4}[\x0f\x10\x18\x20].{4}(?!\0\0)..(?!\0\0)..\x08[\0-\x3f]", "a TGA picture"),
)
_OTHER_FILES = _compiled(
    (rb"%PDF", "this is a PDF document"),
    (rb"PK[\3\5\7][\4\6\x08]", "this is a ZIP archive"),
    (rb"\x7fELF|MZ", "this is a program"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "this is a JPEG XL picture"),
    (rb"....ftyp", "this is a film"),
    (rb"RIFF", "this is a sound or a film"),
    (rb"\x89PNG", "its first bytes were changed on the way, as text transfer does"),
    (rb"\xff\xd8", "it begins like a JPEG, but nothing follows"),
    (rb"(?i:\s*(<!doctype html|<html))", "this is a web page"),
    (rb"(?i:\s*<[^>]*svg|\s*<\?xml.*<svg)", "this is an SVG drawing"),
)


def refusal_of(data: bytes) -> PictureError:
    """The error to raise: NOT_SUPPORTED for another picture format, NOT_A_PICTURE for any other file."""
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf")
    if len(data) < 2:
        return not_a_picture("the file has one byte" if data else "the file is empty")
    for pattern, name in _OTHER_PICTURES:
        if pattern.match(head):
            return not_supported(f"this is {name}")
    if data[-18:] == b"TRUEVISION-XFILE.\0":
        return not_supported("this is a TGA picture")
    for pattern, found in _OTHER_FILES:
        if pattern.match(head):
            return not_a_picture(found)
    text = head.isascii() and not re.search(rb"[\0-\x08\x0e-\x1f]", head)
    return not_a_picture("this is text" if text else "its first bytes belong to no format known here")
