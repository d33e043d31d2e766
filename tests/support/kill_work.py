"""The work that tests/attack/kill9.py kills: a fetch, a conversion, the checkpoints of a training; and its check."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from gansr import weights
from gansr.papers import training_loop
from gansr.weights import cache, files, manifest, registry, sources, tensors
from gansr.weights.registry import Settings
from tests.support import tiny_weights
from tests.support.hub_server import COMMIT, Server
from tests.weights.test_registry import row, wheel

WIDTH = 4000  # of the tiny network: a file of 450 kB, so that writing takes its time
SAVES = 8  # checkpoints of a training
WATCHED = (
    "open",
    "os.",
    "shutil.",
    "tempfile.",
    "fcntl.",
    "socket.",
)  # the audit events that count as operations
WHEEL = "tiny_nets-1.0-py3-none-any.whl"


def data(seed: int) -> bytes:
    return tensors.serialise(tiny_weights.state(seed, WIDTH))


def authors_file(seed: int) -> bytes:
    content = io.BytesIO()
    torch.save({"params": tiny_weights.state(seed, WIDTH)}, content)
    return content.getvalue()


def offer(server: Server, root: Path) -> None:
    """The server's files, and a manifest for them: one entry of the Hub, two of an archive, one that is imported."""
    config: dict[str, Any] = {"config": {"width": WIDTH}}
    server.files[f"/someone/nets/resolve/{COMMIT}/tiny.safetensors"] = data(0)
    archive = wheel(one=authors_file(1), two=authors_file(2))
    server.files["/simple/tiny-nets/"] = f'<a href="../../files/{WHEEL}">{WHEEL}</a>'.encode()
    server.kinds["/simple/tiny-nets/"] = "text/html"
    server.files[f"/files/{WHEEL}"] = archive
    (root / "theirs.pt").write_bytes(authors_file(3))
    hub = {"kind": "hub", "repo_id": "someone/nets", "revision": COMMIT, "filename": "tiny.safetensors"}
    pinned = {"sha256": tensors.sha256(data(0)), "bytes": len(data(0))}
    rows = {
        "fetched": {**tiny_weights.entry(hub, **config), **pinned},
        "one": tiny_weights.entry(row(WHEEL, archive, "tiny_nets/one.pt"), sha256=None, **config),
        "two": tiny_weights.entry(row(WHEEL, archive, "tiny_nets/two.pt"), sha256=None, **config),
        "imported": tiny_weights.entry(tiny_weights.YOURS, sha256=None, **config),
    }
    (root / "weights_manifest.json").write_text(json.dumps(rows))


# -------------------------------------------------------------------------------------------------- work


def fetching(root: Path, place: Path) -> None:
    sources.fetch("fetched")


def converting(root: Path, place: Path) -> None:
    sources.fetch("one")
    sources.fetch("two")
    sources.import_files("imported", [root / "theirs.pt"])


class Counting:
    """Stands in for a training: after n steps every value of its state is n."""

    def __init__(self, step: int):
        self.step = step

    def state(self) -> dict[str, Any]:
        return {"at": self.step, "net": torch.full((300_000,), float(self.step))}


def training(root: Path, place: Path) -> None:
    checkpoint, step = place / "checkpoint.pt", 0
    training_loop.delete_parts(place)
    if checkpoint.exists():
        found = torch.load(checkpoint, weights_only=True)
        step = found["at"]
        assert bool((found["net"] == step).all()), "the checkpoint is mixed"
    announced = place / "announced"
    if announced.exists():
        assert step >= len(announced.read_bytes()), "a checkpoint was lost"
    for n in range(step + 1, step + 1 + SAVES):
        training_loop.save(Counting(n), checkpoint)  # pyright: ignore[reportArgumentType]: it has what save uses
        announced.write_bytes(b"." * n)
    files.write(place / "model.safetensors", data(4))


WORK: dict[str, tuple[Callable[[Path, Path], None], tuple[str, ...]]] = {
    "fetch": (fetching, ("fetched",)),
    "conversion": (converting, ("one", "two", "imported")),
    "training checkpoint": (training, ()),
}


def problems(place: Path, names: tuple[str, ...]) -> list[str]:
    """What is wrong after the work was done, in words."""
    found = [f"{name} is not verified" for name in names if cache.verified(manifest.entry(name)) is None]
    if names:
        with redirect_stdout(io.StringIO()) as said:
            if tiny_weights.run("verify") != 0:
                found.append(f"weights verify: {said.getvalue().strip()}")
        if any(weights.state(name)["count"] != 7 for name in names):
            found.append("a file holds something else")
    elif tensors.sha256_of(place / "model.safetensors") != tensors.sha256(data(4)):
        found.append("model.safetensors is not whole")
    expected = {cache.path_of(manifest.entry(name)).name for name in names} if names else set[str]()
    expected |= {"pins.json", "checkpoint.pt", "announced", "model.safetensors"}
    left = {path.name for path in place.iterdir() if path.name not in expected}
    left = {name for name in left if not name.endswith(".lock") or name.startswith(".work-")}
    return found + [f"{name} is left" for name in sorted(left)]


# ----------------------------------------------------------------------------------------------- process


def start(kind: str, root: Path, place: Path, url: str, die_at: int, result: Path | None) -> None:
    """One process: the work in the folder `place`; killed at its operation `die_at` (0: not at all)."""
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own is shared between processes, and would outlive the kill
    os.environ["GANSR_CACHE"] = str(place)
    manifest.PATH = root / "weights_manifest.json"
    registry.pip_settings = lambda: Settings((url + "/simple",))
    operations = 0

    def count(event: str, _: object) -> None:
        nonlocal operations
        if event.startswith(WATCHED):
            operations += 1
            if operations == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    work, names = WORK[kind]
    began = time.monotonic()
    try:
        work(root, place)
        passed, done = time.monotonic() - began, operations
        found = problems(place, names) if result else []
    except Exception as error:
        passed, done, found = 0.0, 0, [f"{type(error).__name__}: {error}"]
    if result:
        result.write_text(json.dumps({"seconds": passed, "operations": done, "problems": found}))
