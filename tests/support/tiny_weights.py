"""A tiny network with a manifest, a cache and a converter of its own, for the tests of weights."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gansr.weights import authors, cache, commands, manifest, tensors
from gansr.weights.retry import RetryPolicy


class Tiny(nn.Module):
    """A net of two tensors and a counter."""

    def __init__(self, width: int = 2):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))


def converter(path: Path) -> dict[str, Tensor]:
    """From an authors' file of Tiny, {"params": state dict}."""
    return authors.torch_file(path)["params"]


def state(seed: int = 0, width: int = 2) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "conv.weight": torch.randn((width, 3, 3, 3), generator=generator),
        "conv.bias": torch.randn((width,), generator=generator),
        "count": torch.tensor(7),
    }


DATA = tensors.serialise(state())
SHA256 = hashlib.sha256(DATA).hexdigest()


YOURS = {
    "kind": "yours",
    "where": "from us",
    "converter": "tests.support.tiny_weights:converter",
    "files": ["theirs.pt"],
}


class InstantRetries:
    """A RetryPolicy that never sleeps; `pauses` lists the seconds it would have slept."""

    def __init__(self, stall: float = 20.0, tries: int = 3):
        self.pauses: list[float] = []
        self.policy = RetryPolicy(60.0, stall, tries, 1.0, sleep=self.pauses.append)


class ProgressLog:
    """A progress function that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, float | None]] = []

    def __call__(self, text: str, share: float | None) -> None:
        self.lines.append((text, share))

    @property
    def shares(self) -> list[float]:
        return [share for _, share in self.lines if share is not None]


def isolate(folder: Path, monkeypatch: Any) -> None:
    """Use a manifest and a cache under `folder`, both empty."""
    monkeypatch.setenv("GANSR_CACHE", str(folder / "cache"))
    monkeypatch.setattr(manifest, "PATH", folder / "weights_manifest.json")


def entry(*sources: dict[str, Any], sha256: str | None = SHA256, **changes: Any) -> dict[str, Any]:
    size = None if sha256 is None else len(DATA)
    row = {
        "net": "tests.support.tiny_weights:Tiny",
        "config": {},
        "sha256": sha256,
        "bytes": size,
        "licence": "none",
        "trained_on": "noise",
    }
    return {**row, "sources": list(sources), **changes}


def own(**files: bytes) -> dict[str, Any]:
    """A source of files of the repository: path, with _ for the last dot, → content."""
    parts = [
        {"path": name.replace("_", "."), "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        for name, data in files.items()
    ]
    return {"kind": "own", "files": parts}


FREE = {"commercial": True, "redistribution": True, "why": "It is ours."}


def write_manifest(**rows: dict[str, Any]) -> None:
    manifest.PATH.write_text(json.dumps(rows))


def offered_wheel(server: Any) -> tuple[dict[str, Any], bytes]:
    """Put a wheel with the authors' file of Tiny on a server's package index → its source, and the wheel."""
    content, archive = io.BytesIO(), io.BytesIO()
    torch.save({"params": state()}, content)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("tiny_nets/one.pt", content.getvalue())
    name, data = "tiny_nets-1.0-py3-none-any.whl", archive.getvalue()
    server.files["/simple/tiny-nets/"] = f'<a href="../../files/{name}">{name}</a>'.encode()
    server.kinds["/simple/tiny-nets/"] = "text/html"
    server.files[f"/files/{name}"] = data
    source = {
        "kind": "registry",
        "package": "tiny-nets",
        "version": "1.0",
        "archive": name,
        "archive_sha256": hashlib.sha256(data).hexdigest(),
        "archive_bytes": len(data),
        "members": ["tiny_nets/one.pt"],
        "converter": YOURS["converter"],
    }
    return source, data


def place(data: bytes = DATA) -> Path:
    """Put a file for "tiny" into the cache, with any content."""
    path = cache.folder() / f"tiny-{SHA256[:16]}.safetensors"
    path.write_bytes(data)
    return path


def run(*words: str) -> int:
    """The exit status of `python -m gansr weights WORDS`."""
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["weights", *words])
    return args.handler(args)
