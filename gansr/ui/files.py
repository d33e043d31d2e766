"""Files that the page hands out: in Gradio's temporary folder, under names that cannot be guessed."""

from __future__ import annotations

import secrets
from pathlib import Path

from gradio.utils import get_upload_folder


def save(content: bytes, name: str) -> str:
    """Write `content` as a downloadable file called `name` and return its path.

    The cleanup in `gansr.ui.temp_files` removes it later.
    """
    folder = Path(get_upload_folder()) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    path = folder / name
    path.write_bytes(content)
    return str(path)
