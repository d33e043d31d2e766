"""The bytes of what the user sent: a path that the caller has checked, or the bytes themselves."""

from __future__ import annotations

import contextlib
import re
import stat
from pathlib import Path

from gansr.picture import limits
from gansr.picture.limits import PictureError

_ADDRESS = re.compile(r"\s*(data:|[a-z][a-z0-9+.-]*:/)", re.IGNORECASE)


def read_bytes(source: object, first: int | None = None) -> bytes:
    """The bytes of a path or of bytes; with `first` only so many of them, however large the file is.

    Raises PictureError for a file over 64 MB, a missing file, a folder, a URL, a `data:` URL and any other type.
    """
    if isinstance(source, (bytes, bytearray)):
        if first is None and len(source) > limits.MAX_BYTES:
            raise limits.file_too_large(len(source))
        return bytes(source[:first])
    if source is None or source == "":
        raise PictureError("no picture: choose a PNG, JPEG, WebP, HEIC or AVIF file first")
    if not isinstance(source, (str, Path)):
        raise PictureError(f"a picture file is needed, not a {type(source).__name__}: choose one file")
    if _ADDRESS.match(str(source)):
        raise PictureError("addresses are not opened: save the picture and upload the file itself")
    return _read_file(Path(source), first)


def size_of(source: object) -> int:
    """The bytes that `read_bytes` will bring; 0 where it will fail."""
    if isinstance(source, (bytes, bytearray)):
        return len(source)
    if isinstance(source, (str, Path)):
        with contextlib.suppress(OSError, ValueError):
            return min(Path(source).stat().st_size, limits.MAX_BYTES)
    return 0


def _read_file(path: Path, first: int | None) -> bytes:
    name = path.name[:80].replace("\0", "")  # never the folder: it is the server's
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(f"{name!r} is a folder or a device, not a file: choose one picture file")
        if first is None and status.st_size > limits.MAX_BYTES:
            raise limits.file_too_large(status.st_size)
        with path.open("rb") as file:
            data = file.read(limits.MAX_BYTES + 1 if first is None else first)
    except PictureError:
        raise
    except (OSError, ValueError):  # missing, unreadable, too long a name, a NUL in it
        raise PictureError(f"{name!r} cannot be read: choose a picture file that exists") from None
    if first is None and len(data) > limits.MAX_BYTES:  # it grew in the meantime
        raise limits.file_too_large(len(data))
    return data
