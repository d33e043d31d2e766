"""The cache: only verified files are used, and one process downloads at a time."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

from gansr import weights
from gansr.weights import cache, manifest, sources, tensors
from tests.support import tiny_weights
from tests.support.tiny_weights import DATA, SHA256, YOURS, InstantRetries, ProgressLog, place


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
    with pytest.raises(weights.WeightsError, match=r"weights import tiny theirs\.pt"):
        weights.state("tiny")
    assert not path.exists()


def test_a_file_changed_between_its_verification_and_its_use_is_not_opened(checkout, monkeypatch):
    place()

    def fetch_then_change(name):
        path = sources.fetch(name)
        place(DATA[:-1] + b"?")
        return path

    monkeypatch.setattr(weights, "fetch", fetch_then_change)
    monkeypatch.setattr(tensors, "parse", lambda data: pytest.fail("it was opened"))
    with pytest.raises(weights.WeightsError, match=r"weights import tiny theirs\.pt"):
        weights.state("tiny")


def test_a_bad_file_is_deleted_only_under_its_lock(checkout):
    """Without it, a file that another process has put there meanwhile would be deleted."""
    path = place(DATA[:-1] + b"?")
    entry = manifest.entry("tiny")
    assert cache.verified(entry) is None and path.exists()
    assert cache.verified(entry, delete=True) is None and not path.exists()


def test_a_cache_that_cannot_be_created_says_what_to_do(checkout, monkeypatch):
    (checkout / "file").write_text("")
    monkeypatch.setenv("GANSR_CACHE", str(checkout / "file" / "cache"))
    assert not weights.ready("tiny")
    with pytest.raises(weights.WeightsError, match="set GANSR_CACHE to a folder"):
        weights.fetch("tiny")


@pytest.fixture
def read_only(checkout, monkeypatch):
    """read_only() makes the cache's disk read-only (root may write to a folder without permissions)."""

    def refuse() -> None:
        def refused(*args, **kwargs):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        def opened(path, flags, *args, really=os.open, **kwargs):
            return refused() if flags & (os.O_WRONLY | os.O_RDWR) else really(path, flags, *args, **kwargs)

        for name in ("mkdir", "unlink", "rename", "replace", "rmdir"):
            monkeypatch.setattr(os, name, refused)
        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(os, "access", lambda path, mode, really=os.access: mode != os.W_OK)

    cache.folder()
    return refuse


def test_weights_in_a_read_only_cache_load(checkout, read_only):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, sha256=None))
    cache.pin("tiny", SHA256, len(DATA), [])
    place()
    (cache.folder() / ".work-left").mkdir()
    weights._recent.clear()
    read_only()
    assert weights.ready("tiny") and weights.load("tiny").count.item() == 7
    assert not weights.storable()


@pytest.mark.parametrize("there", [b"", DATA[:-1] + b"?"])
def test_weights_that_a_read_only_cache_lacks_say_what_to_do(checkout, read_only, there):
    place(there)
    read_only()
    said = r"cannot be written \(Read-only file system\).*make the folder writable or set GANSR_CACHE"
    with pytest.raises(weights.WeightsError, match=said):
        weights.fetch("tiny")
    with pytest.raises(weights.WeightsError, match=said):
        sources.import_files("tiny", [checkout / "theirs.pt"])


def test_what_a_killed_download_left_is_deleted_when_the_first_weights_are_used(checkout):
    place()
    (cache.folder() / ".work-left" / "attempt-0").mkdir(parents=True)
    weights.fetch("tiny")
    assert not (cache.folder() / ".work-left").exists()


ROW = {"sha256": SHA256, "bytes": len(DATA), "from": []}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"7",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"9" * 10_000,
        b" " * (cache.MAX_PINS + 1),
        b'{"tiny": 7}',
        b'{"tiny": {}}',
        json.dumps({"tiny": {**ROW, "sha256": "../../etc/passwd"}}).encode(),
        json.dumps({"tiny": {**ROW, "sha256": [SHA256]}}).encode(),
        json.dumps({"tiny": {**ROW, "bytes": "many"}}).encode(),
    ],
    ids=lambda content: content[:20].decode("latin1"),
)
def test_a_malformed_pins_file_is_ignored_with_one_warning(checkout, caplog, content):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, sha256=None))
    place()
    path = cache.folder() / "pins.json"
    path.write_bytes(content)
    for _ in range(3):
        assert not weights.ready("tiny") and weights.digest("tiny") is None
    assert len(caplog.records) == 1 and "fetched or imported again" in caplog.text
    with pytest.raises(weights.WeightsError, match=r"weights import tiny theirs\.pt"):
        weights.fetch("tiny")
    cache.pin("tiny", SHA256, len(DATA), [])
    assert weights.ready("tiny") and weights.state("tiny")["count"] == 7
    assert path.with_name("pins.json.damaged").read_bytes() == content


def test_the_sound_rows_of_a_pins_file_are_used(checkout, caplog):
    tiny_weights.write_manifest(tiny=tiny_weights.entry(YOURS, sha256=None))
    place()
    (cache.folder() / "pins.json").write_text(json.dumps({"tiny": ROW, "other": {"sha256": SHA256}}))
    assert weights.ready("tiny")
    assert "1 malformed rows" in caplog.text


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
