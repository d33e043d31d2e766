"""Files that visitors sent: after their first opening only what shows the picture stays on the disk.

The stored file is replaced under its own name by one without EXIF, place, XMP, comments and texts
(`gansr.picture.without_metadata`), so its address in the page stays valid. What only the original told, its hash and
the notices, is kept for later openings. A file that is refused is emptied, as it may be a photograph with a place; its
refusal is kept, so that pressing Run again tells the same.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path

from gansr import picture as pictures
from gansr.picture import Picture, PictureError, open_picture

MOST = 1000  # files that are remembered; the oldest are forgotten


@dataclass(frozen=True)
class _Original:
    """What is known of the file that was there before."""

    key: Hashable
    sha256: str = ""
    notices: tuple[str, ...] = ()
    refusal: str = ""


class Uploads:
    """Opens files; those that `is_upload` names lose their metadata at the first opening. No other is ever changed."""

    def __init__(self, is_upload: Callable[[Path], bool], most: int = MOST) -> None:
        self._is_upload, self._most = is_upload, most
        self._originals: OrderedDict[Hashable, _Original] = (
            OrderedDict()
        )  # by what stands in the file's place now
        self._lock = threading.Lock()

    def key(self, source: str | Path | bytes) -> Hashable:
        """What a file or bytes are known by, before and after metadata were removed."""
        found = _identity(source)
        original = self._original(found)
        return found if original is None else original.key

    def open(self, source: str | Path | bytes, declared: Callable[[int], None] | None = None) -> Picture:
        """`gansr.picture.open_picture`. Raises PictureError."""
        if isinstance(source, bytes) or not self._is_upload(Path(source)):
            return open_picture(source, declared)
        path, before = Path(source), _identity(source)
        original = self._original(before)
        if original is not None and original.refusal:
            raise PictureError(original.refusal)
        try:
            picture = open_picture(path, declared)
        except PictureError as error:
            if original is None:
                self._change(path, _Original(before, refusal=str(error)))
            raise
        original = self._original(
            _identity(source)
        )  # now: another thread may have changed the file meanwhile
        if original is None:
            self._change(path, _Original(before, picture.sha256, picture.notices))
            return picture
        return replace(picture, sha256=original.sha256 or picture.sha256, notices=original.notices)

    def stands_for(self, path: str | Path, notices: tuple[str, ...]) -> None:
        """The file at `path` was made here, of an upload or as a result: its picture has `notices`, and the file is
        never changed."""
        made = _identity(path)
        self._remember(made, _Original(made, notices=notices))

    def _change(self, path: Path, original: _Original) -> None:
        def told(facts: os.stat_result) -> None:
            self._remember(_identity_of(path, facts), original)

        try:
            if not original.refusal:
                pictures.clean(path, told)
            elif path.is_file():
                pictures.replace(path, b"", told)
        except (
            OSError,
            PictureError,
        ) as error:  # a full disk, or the file is gone: the cleanup takes it later
            logging.getLogger(__name__).warning("an upload keeps its metadata: %s", type(error).__name__)

    def _original(self, identity: Hashable) -> _Original | None:
        with self._lock:
            return self._originals.get(identity)

    def _remember(self, identity: Hashable, original: _Original) -> None:
        with self._lock:
            self._originals[identity] = original
            while len(self._originals) > self._most:
                self._originals.popitem(last=False)


def _identity(source: str | Path | bytes) -> Hashable:
    """For a file its place, size, time and number, so that it need not be read."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        return _identity_of(source, Path(source).stat())
    except (OSError, ValueError):  # open_picture says what is wrong
        return str(source)


def _identity_of(path: str | Path, facts: os.stat_result) -> Hashable:
    return (str(path), facts.st_size, facts.st_mtime_ns, facts.st_ino)
