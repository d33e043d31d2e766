"""A picture's file without what is not needed to show it: EXIF, place (GPS), XMP, IPTC, comments, trailing bytes.

Nothing is decoded: the pixels, the colour profile and the frames of an animation stay byte for byte. What else is kept
is how the picture is to be turned (an EXIF block of this one entry) and, in a PNG, the receipt of this program. Each
format has a list of what is kept; everything else goes, also what is not known.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from gansr.picture import limits
from gansr.picture.budget import Budget
from gansr.picture.core import reader_of
from gansr.picture.source import read_bytes, size_of

# A budget of its own: who rewrites a file holds its picture, and shall not wait for those who open others.
REWRITING = Budget(2 * limits.MAX_BYTES)


def without_metadata(data: bytes) -> bytes:
    """The file of a picture that `open_picture` takes, without metadata. Raises PictureError for any other."""
    return reader_of(data).without_metadata(data)


def clean(path: Path, told: Callable[[os.stat_result], None]) -> None:
    """Replace a picture's file by one without metadata, at once and under the same name; where there are none, the
    file stays. Before that, `told` gets the facts of the file that will be there.

    Raises PictureError for what is no picture, OSError where the file cannot be replaced: then it is as it was.
    """
    with REWRITING.hold(4 * size_of(path)):
        data = read_bytes(path)
        plain = without_metadata(data)
        if plain == data:
            told(path.stat())
        else:
            replace(path, plain, told)


def replace(path: Path, content: bytes, told: Callable[[os.stat_result], None]) -> None:
    """Replace a file, as `clean` does."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".plain-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        told(Path(name).stat())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
