"""Files are whole or absent, and a killed process leaves nothing for good."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gansr.weights import files
from gansr.weights.manifest import WeightsError

HOLD = (
    "import sys\n"
    "from pathlib import Path\n"
    "from gansr.weights import files\n"
    "with files.work_folder(Path(sys.argv[1])) as folder:\n"
    "    (folder / 'archive').write_bytes(b'half')\n"
    "    print(folder, flush=True)\n"
    "    sys.stdin.read()"
)


def test_a_work_folder_is_deleted_at_the_end(tmp_path):
    with files.work_folder(tmp_path) as folder:
        (folder / "archive").write_bytes(b"half")
    assert [path.name for path in tmp_path.iterdir()] == [".work.lock"]


def test_the_folder_of_a_killed_process_is_deleted_and_that_of_a_living_one_is_not(tmp_path):
    def use() -> tuple[subprocess.Popen[str], Path]:
        words = [sys.executable, "-c", HOLD, str(tmp_path)]
        user = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert user.stdout is not None
        return user, Path(user.stdout.readline().strip())

    (killed, left), (living, used) = use(), use()
    with killed, living:
        files.clean(tmp_path)
        assert left.is_dir() and used.is_dir()
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        files.clean(tmp_path)
        assert not left.exists() and (used / "archive").is_file()
        living.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == [".work.lock"]


def test_a_folder_killed_before_it_had_a_lock_is_deleted(tmp_path):
    (tmp_path / ".work-abc" / "attempt-0").mkdir(parents=True)
    (tmp_path / ".work-def.lock").touch()
    files.clean(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".work.lock"]


def test_temporary_files_of_versions_without_locks_are_deleted_after_a_day(tmp_path):
    old, new = (tmp_path / f".tiny-0123.safetensors.{end}" for end in ("abcd_123", "wxyz_789"))
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    files.clean(tmp_path)
    assert new.exists() and not old.exists()


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    files.write(path, b"old")
    with pytest.raises(RuntimeError, match="stopped"), files.replacing(path) as part:
        part.write_bytes(b"ne")
        raise RuntimeError("stopped")
    assert path.read_bytes() == b"old"
    files.write(path, b"new")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, r"the disk of .* is full; nothing half-written was left\. Free some space"),
        (
            errno.EROFS,
            r"cannot be written \(Read-only file system\)\. Weights that are there already still load",
        ),
        (errno.EIO, "cannot be written: Input/output error"),
    ],
)
def test_a_file_that_cannot_be_written_says_why_and_leaves_nothing(tmp_path, monkeypatch, code, said):
    def failing(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(WeightsError, match=said):
        files.write(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []
