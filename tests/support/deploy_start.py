"""A Space from a fresh clone: `python -m tests.support.deploy_start` (`make check-deploy`; some minutes, 1.5 to 6 GB).

`deploy` runs with all its checks against a Hub on loopback. The Hub "builds" the Space as the real one does: the
uploaded files, and a new environment made from their requirements.txt alone. It starts as uid 1000, on a file system
that is read-only except a folder for caches and temporary files, which is empty, and answers `deploy`'s example.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gansr import clean_start, deploy
from tests.conftest import ROOT
from tests.support import space_user
from tests.support.hub_client import point_at
from tests.support.hub_repos import HubRepos, Repo

SPACE = "we/space"


@contextmanager
def built(repo: Repo, folder: Path, python: Path, before: Sequence[str]) -> Iterator[str]:
    """The address of the Space `repo`, from its files in `folder`/tree, which nobody may change, with `folder`/data."""
    tree = folder / "tree"
    for path, content in repo.files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    for path in [tree, *tree.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        with clean_start.started(tree, folder / "data", python, before) as host:
            yield host
    finally:
        for path in [tree, *tree.rglob("*")]:
            path.chmod(0o755)


def main() -> int:
    made: list[Path] = []
    make = clean_start.environment

    def once(folder: Path, requirements: Path) -> Path:
        """The check of `deploy` and the Space take the same environment."""
        if not made:
            begun = time.monotonic()
            made.append(make(work / "environment", requirements))
            size = sum(path.lstat().st_size for path in (work / "environment").rglob("*")) / 1e9
            print(f"the environment took {time.monotonic() - begun:.0f} s and has {size:.1f} GB", flush=True)
        return made[0]

    def build(repo: Repo) -> str:
        python = once(work, work / "clone" / "requirements.txt")
        return stack.enter_context(built(repo, work, python, space_user.before(work / "data")))

    with space_user.place() as work, HubRepos() as hub, pytest.MonkeyPatch.context() as patch:
        point_at(hub.url, work, patch)
        patch.setattr(clean_start, "environment", once)
        subprocess.run(["git", "clone", "-q", str(ROOT), str(work / "clone")], check=True)
        hub.build = build
        with ExitStack() as stack:
            deploy.deploy(SPACE, root=work / "clone", sleep=lambda seconds: None)
        written = {path.relative_to(work / "tree").as_posix() for path in (work / "tree").rglob("*")}
        files = {path for path in written if not (work / "tree" / path).is_dir()}
        assert files == set(hub.repos["space", SPACE].files), "something was written into the tree"
    print("the uploaded tree runs as uid 1000, on a read-only file system, with requirements.txt alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
