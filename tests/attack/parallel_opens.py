"""Small files of large pictures, opened by several threads at once as the page opens uploads.

Printed is the growth of the process's peak resident size (VmHWM) over what it had before, and what remains once the
threads are done: the cache of pictures, at most 400 MB. The promise: a growth below 900 MB, however many threads.

    python -m tests.attack.parallel_opens --count 8
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from tests.support.bad_inputs import blank_png, chunk
from tests.support.watch import child_figures

MOST = 900e6  # bytes of growth

CHILD = """
import sys, threading
from pathlib import Path
from gansr.inputs import Inputs
from gansr.memory import peak

def resident():
    rows = Path("/proc/self/status").read_text().split("\\n")
    return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmRSS"))

first, *paths = map(Path, sys.argv[1:])
inputs = Inputs(lambda: None, is_upload=lambda path: True)
inputs.open(first)
entered, opened = threading.Barrier(len(paths)), []

def work(path):
    entered.wait()
    opened.append(inputs.open(path).rgb.shape)

Path("/proc/self/clear_refs").write_text("5")
before = resident()
threads = [threading.Thread(target=work, args=(path,)) for path in paths]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(opened) == len(paths)
print(peak() - before, resident() - before)
"""


def grown(paths: list[Path], first: Path) -> tuple[float, float]:
    """(growth, what remains) in bytes, in a process of its own."""
    growth, left = child_figures(CHILD, first, *paths)
    return growth, left


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8, help="threads, each with a file of its own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=4000, help="px")
    given = parser.parse_args(arguments)
    chance = random.Random(given.seed)
    data = blank_png(given.side, given.side, 6)
    with tempfile.TemporaryDirectory() as folder:
        first = Path(folder) / "first.png"
        first.write_bytes(blank_png(16, 16))
        paths = [Path(folder) / f"{i}.png" for i in range(given.count)]
        for path in paths:  # each another file, which no cache has, and one to be written anew
            path.write_bytes(data + chunk(b"prVt", chance.randbytes(8)))
        growth, left = grown(paths, first)
    print(f"{'threads':>8}{'file':>10}{'growth':>10}{'left':>10}")
    print(f"{given.count:8}{len(data) / 1e3:7.0f} kB{growth / 1e6:7.0f} MB{left / 1e6:7.0f} MB")
    return int(growth >= MOST)


if __name__ == "__main__":
    raise SystemExit(main())
