"""Files that the page hands out: under Gradio's own temporary folder, behind names nobody can guess."""

from __future__ import annotations

import secrets
from pathlib import Path

from gradio.utils import get_upload_folder


def save(content: bytes, name: str) -> str:
    """Write `content` as a downloadable file called `name`; returns its path. The janitor removes it later."""
    folder = Path(get_upload_folder()) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    path = folder / name
    path.write_bytes(content)
    return str(path)
