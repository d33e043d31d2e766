"""Changes of weights_manifest.json and of the files of this repository that it names, for `pin` and `publish`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gansr.weights import cache, files, manifest, tensors
from gansr.weights.manifest import Own
from gansr.weights.progress import silent
from gansr.weights.retry import DEFAULT_POLICY

MAX_PART = 9_500_000  # bytes; a Space takes no file of more than 10 MB in git


def rewrite(name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change one row of the manifest; the new row is checked before it is written. No change, nothing is written."""
    with cache.locked("manifest", DEFAULT_POLICY, silent):
        before = manifest.PATH.read_text(encoding="utf-8")
        rows = json.loads(before)
        change(rows[name])
        manifest.parse_entry(name, rows[name])
        if rows != json.loads(before):
            files.write(manifest.PATH, (json.dumps(rows, indent=2, ensure_ascii=False) + "\n").encode())


def store_own(name: str, data: bytes) -> None:
    """Put new weights of our own into the repository, in parts, and the hashes of the parts into the manifest.

    A part that another entry has with the same bytes is used from there, and not written again.
    """
    entry = manifest.entry(name)
    own = entry.source(Own)
    assert own is not None
    folder = Path(own.files[0].path).parent
    contents = tensors.split(data, MAX_PART)
    others = [entry.source(Own) for entry in manifest.entries().values() if entry.name != name]
    theirs = {part.sha256: part.path for source in others if source is not None for part in source.files}
    rows: list[dict[str, Any]] = []
    for number, content in enumerate(contents, 1):
        of = (
            f"-{number:05}-of-{len(contents):05}" if len(contents) > 1 else ""
        )  # as transformers calls its shards
        sha256 = tensors.sha256(content)
        path = theirs.get(sha256, (folder / f"{name}{of}{entry.suffix}").as_posix())
        if sha256 not in theirs:
            files.write(manifest.PATH.parent / path, content)
        rows.append({"path": path, "sha256": sha256, "bytes": len(content)})
    for part in own.files:
        if part.path not in {row["path"] for row in rows} | set(theirs.values()):
            (manifest.PATH.parent / part.path).unlink(missing_ok=True)

    def changed(row: dict[str, Any]) -> None:
        for source in row["sources"]:
            if source["kind"] == Own.kind:
                source["files"] = rows

    rewrite(name, changed)
