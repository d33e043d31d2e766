"""A command that runs as a Space's user does: uid 1000, on a file system of which one folder alone can be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# In mounts of its own ($1: the folder that can be written, $2: Python's folder, $3: the folder above it that only root
# may enter, or nothing). /proc, /sys and /dev stay as they are.
SCRIPT = """
set -e
data="$1" python="$2" closed="$3"
shift 3
mount --make-rprivate /
if [ -n "$closed" ]; then
  mount --bind "$python" "$data/python"
  mount -t tmpfs -o mode=755 none "$closed"
  mkdir -p "$python"
  mount --bind "$data/python" "$python"
  umount "$data/python"
fi
mount --bind "$data" "$data"
while read -r _ _ _ _ place _; do
  case "$place" in
    /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | "$data") ;;
    *) mount -o remount,bind,ro "$place" || true ;;
  esac
done < /proc/self/mountinfo 2> /dev/null
exec setpriv --reuid=1000 --regid=1000 --clear-groups "$@"
"""
PROBE = """
import os, sys, torch, gradio
def written(folder):
    try:
        path = os.path.join(folder, "probe")
        open(path, "w").close(); os.remove(path); return True
    except OSError:
        return False
places = [os.getcwd(), "/tmp", "/var/tmp", os.path.dirname(sys.argv[1]), sys.prefix]
sys.exit(not written(sys.argv[1]) or any(written(place) for place in places))
"""


@contextmanager
def place() -> Iterator[Path]:
    """A temporary folder that every user may enter (pytest's own are root's alone)."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def before(data: Path) -> list[str]:
    """The beginning of a command that runs as uid 1000 and can write into `data` alone, which becomes its own.

    Skips with the reason where the tests are not root's, or mounts cannot be made. Raises AssertionError where
    anything else can be written.
    """
    if os.getuid() != 0 or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip(
            "only root can start the page as another user on a read-only file system (unshare, setpriv)"
        )
    for name in ("python", "tmp", "gradio"):  # the last two are clean_start's, which would make them root's
        (data / name).mkdir(parents=True, exist_ok=True)
    for path in [data, *data.rglob("*")]:
        os.chown(path, 1000, 1000)
    python = Path(sys.base_prefix)
    closed = next((str(each) for each in reversed(python.parents) if not each.stat().st_mode & 0o001), "")
    words = ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", str(data), str(python), closed]
    entered = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if entered.returncode:
        pytest.skip(f"mounts cannot be made here: {entered.stderr.strip()[-200:]}")
    probed = subprocess.run(
        [*words, sys.executable, "-c", PROBE, str(data)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parent,
        env=os.environ | {"TMPDIR": str(data), "HOME": str(data)},
    )  # fmt: skip
    assert probed.returncode == 0, f"the file system is not read-only: {probed.stderr}"
    return words
