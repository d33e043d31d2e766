"""Files that the page hands out."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gansr.pipeline import USER_ERRORS
from gansr.ui import files


def test_a_file_is_written_under_a_name_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    one, other = (Path(files.save(b"x", "a.png")) for _ in range(2))
    assert one != other and one.name == other.name == "a.png" and one.read_bytes() == b"x"


def test_a_full_disk_is_said_in_words_and_nothing_half_written_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))

    def full(self, content):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(USER_ERRORS, match="the server's disk is full; try again in a few minutes"):
        files.save(b"x", "a.png")
    assert list(tmp_path.iterdir()) == []


def test_another_error_is_not_called_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(
        Path, "write_bytes", lambda self, content: (_ for _ in ()).throw(PermissionError(errno.EACCES, "no"))
    )
    with pytest.raises(PermissionError):
        files.save(b"x", "a.png")
