"""Files that the page hands out: in Gradio's temporary folder, under names that cannot be guessed."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from gradio.utils import get_upload_folder

from gansr.method import MethodError

_FOLDER = re.compile(
    r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])"
)  # Gradio's names, and those of `save`


class DiskFullError(MethodError):
    """There is no room for a file. The text is for the user."""


def is_upload(path: Path) -> bool:
    """Whether a file lies in Gradio's temporary folder, where uploads are kept."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(get_upload_folder()))


def refresh(shown: str) -> None:
    """Let the files whose folders `shown` names count as new: the cleanup then leaves them for another hour."""
    for name in set(_FOLDER.findall(shown)):
        for path in (Path(get_upload_folder()) / name).glob("*"):
            with suppress(OSError):
                os.utime(path)


def save(content: bytes, name: str) -> str:
    """Write `content` as a downloadable file called `name` and return its path. Raises DiskFullError.

    The cleanup in `gansr.ui.temp_files` removes it later.
    """
    folder = Path(get_upload_folder()) / secrets.token_hex(20)
    try:
        folder.mkdir(parents=True)
        path = folder / name
        path.write_bytes(content)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError("the server's disk is full; try again in a few minutes") from None
        raise
    return str(path)
