"""Cleanup of the temporary folder, with a clock of its own."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from gradio.processing_utils import save_file_to_cache

from gansr.ui.examples import EXAMPLES
from gansr.ui.temp_files import Swept, TempFolder, free_on, gradio_copies, start_cleanup, sweep


def write(folder: Path, name: str, size: int, changed: float) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (changed, changed))
    return path


def test_sweep_removes_what_is_old(tmp_path):
    old, young = write(tmp_path, "a/old.png", 10, 100), write(tmp_path, "b/young.png", 20, 900)
    assert sweep(tmp_path, 500, 10**9, now=1000) == Swept(1, 10, 20)
    assert not old.exists() and young.exists()


def test_sweep_removes_the_oldest_until_the_rest_is_within_the_quota(tmp_path):
    files = [write(tmp_path, f"{k}/a.png", 100, 900 + k) for k in range(5)]
    assert sweep(tmp_path, 500, 250, now=1000) == Swept(3, 300, 200)
    assert [path.exists() for path in files] == [False, False, False, True, True]


def test_sweep_keeps_what_it_is_told_to(tmp_path):
    example, other = write(tmp_path, "e/example.png", 100, 0), write(tmp_path, "o/other.png", 100, 0)
    assert sweep(tmp_path, 500, 50, now=1000, keep={example}) == Swept(1, 100, 0)
    assert example.exists() and not other.exists()


def test_sweep_follows_no_links(tmp_path):
    outside = write(tmp_path, "outside/file", 10, 0)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "folder").symlink_to(outside.parent)
    (inside / "file").symlink_to(outside)
    assert sweep(inside, 1, 0, now=1000) == Swept(0, 0, 0)
    assert outside.exists()


def test_sweep_removes_old_empty_folders_and_no_young_ones(tmp_path):
    old, young = tmp_path / "x" / "old", tmp_path / "young"
    old.mkdir(parents=True)
    young.mkdir()
    os.utime(old, (0, 0))
    os.utime(young, (900, 900))
    sweep(tmp_path, 500, 10**9, now=1000)
    assert not old.exists() and young.exists() and tmp_path.exists()


def test_sweep_of_a_missing_folder_is_quiet(tmp_path):
    assert sweep(tmp_path / "not there", 1, 1, now=0) == Swept(0, 0, 0)


def test_the_quota_is_at_most_half_of_what_is_free_or_held(tmp_path):
    files = [write(tmp_path, f"{k}/a.png", 100, 900 + k) for k in range(5)]
    assert sweep(tmp_path, 500, 10**9, now=1000, free_bytes=900) == Swept(0, 0, 500)
    assert sweep(tmp_path, 500, 10**9, now=1000, free_bytes=100) == Swept(2, 200, 300)
    assert [path.exists() for path in files] == [False, False, True, True, True]


def test_room_is_made_before_it_is_denied(tmp_path):
    disk = 1000
    place = TempFolder(
        tmp_path,
        max_age_s=500,
        reserve_bytes=300,
        keep=(),
        clock=lambda: 1000,
        free=lambda: disk - sum(path.stat().st_size for path in tmp_path.rglob("*.png")),
    )
    files = [write(tmp_path, f"{k}/a.png", 200, 900 + k) for k in range(4)]
    assert place.has_room(200)  # 200 are free of 1000: the oldest go until the rest fits into 500
    assert [path.exists() for path in files] == [False, False, True, True]
    assert place.has_room(300) and not place.has_room(301)


def test_free_space_is_known_before_the_folder_is_made(tmp_path):
    assert free_on(tmp_path / "not" / "there") > 0


class Wakes(threading.Event):
    """An event of pressure that never waits: it counts the waits and sets `stop` at the third."""

    def __init__(self, stop: threading.Event, folder: Path) -> None:
        super().__init__()
        self.stop, self.folder, self.waits = stop, folder, list[float | None]()

    def wait(self, timeout: float | None = None) -> bool:
        write(self.folder, "late.png", 5, 0)
        self.waits.append(timeout)
        if len(self.waits) == 3:
            self.stop.set()
        return True


def test_cleanup_sweeps_again_and_again_until_stopped(tmp_path):
    write(tmp_path, "early.png", 5, 0)
    stop = threading.Event()
    pressed = Wakes(stop, tmp_path)
    place = TempFolder(tmp_path, 500, 100, keep=(), clock=lambda: 1000, free=lambda: 10**9, pressed=pressed)
    thread = start_cleanup(place, interval_s=7, stop=stop)
    thread.join(30)
    assert not thread.is_alive() and thread.daemon
    assert pressed.waits == [7, 7, 7] and [p.name for p in tmp_path.iterdir()] == ["late.png"]


def test_cleanup_keeps_gradios_copies_of_the_examples(tmp_path):
    originals = sorted(EXAMPLES.glob("*.png"))
    kept = [Path(save_file_to_cache(path, str(tmp_path))) for path in originals]
    assert kept and set(kept) == gradio_copies(originals, tmp_path)
    for path in (*kept, upload := write(tmp_path, "x/upload.png", 9, 0)):
        os.utime(path, (0, 0))
    TempFolder(tmp_path, 1, 1, clock=lambda: 1000).sweep()
    assert all(path.exists() for path in kept) and not upload.exists()


def test_a_folder_that_cannot_be_swept_does_not_end_the_cleanup(tmp_path, monkeypatch):
    path = write(tmp_path, "a.png", 5, 0)
    monkeypatch.setattr(Path, "unlink", lambda self: (_ for _ in ()).throw(PermissionError()))
    assert sweep(tmp_path, 1, 0, now=1000) == Swept(0, 0, 0)
    assert path.exists()
