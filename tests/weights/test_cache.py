"""The cache: only verified files are used, and one process downloads at a time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gansr import weights
from gansr.weights import cache, sources
from tests.support.tiny_weights import DATA, InstantRetries, ProgressLog, place


@pytest.mark.parametrize("data", [DATA[:-1] + bytes([DATA[-1] ^ 1]), DATA[:-8], b""])
def test_a_damaged_file_in_the_cache_is_never_used(checkout, data):
    path = place(data)
    with pytest.raises(weights.WeightsError, match=r"weights import tiny theirs\.pt"):
        weights.state("tiny")
    assert len(data) != len(DATA) or not path.exists()


def test_a_file_changed_after_it_was_verified_is_not_opened(checkout):
    path = place()
    weights.fetch("tiny")
    facts = path.stat()
    place(DATA[:-1] + b"?")
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(weights.WeightsError, match="it was not opened"):
        weights.state("tiny")


def test_a_cache_that_cannot_be_created_says_what_to_do(checkout, monkeypatch):
    (checkout / "file").write_text("")
    monkeypatch.setenv("GANSR_CACHE", str(checkout / "file" / "cache"))
    assert not weights.ready("tiny")
    with pytest.raises(weights.WeightsError, match="set GANSR_CACHE to a folder"):
        weights.fetch("tiny")


def test_the_folder_of_a_killed_download_is_deleted_after_a_day(checkout):
    old, new = cache.folder() / ".work-old", cache.folder() / ".work-new"
    for left in (old, new):
        left.mkdir()
        (left / "archive").write_bytes(b"half")
    os.utime(old, (0, 0))
    with cache.work_folder() as folder:
        assert folder.is_dir() and new.is_dir() and not old.exists()
    assert not folder.exists()


def test_another_process_that_downloads_is_waited_for_until_the_deadline(checkout):
    hold = (
        "import sys, filelock\n"
        "lock = filelock.FileLock(sys.argv[1])\n"
        "lock.acquire()\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    lock = cache.folder() / ".tiny.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        log, policy = ProgressLog(), InstantRetries().policy
        short = type(policy)(deadline=0.05, stall=0.01)
        with pytest.raises(weights.WeightsError, match="another process has been downloading"):
            sources.fetch("tiny", log, short)
        assert log.lines == [("waiting for the same download, which another process has begun", None)]
        holder.kill()
