"""Pushing to a Space with git, as README.md says: no file over 10 MB, and binary files in LFS only, as the Hub asks."""

from __future__ import annotations

import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from gansr import deploy
from tests.conftest import ROOT, missing

# What the Hub refuses: in any commit that it does not have yet a file over 10 MB, or a binary file outside LFS.
HOOK = """#!/bin/sh
while read -r old new ref; do
  large=$(git rev-list --objects "$new" | cut -d' ' -f1 |
    git cat-file --batch-check='%(objecttype) %(objectsize)' | awk '$1 == "blob" && $2 > 10000000' | wc -l)
  [ "$large" -eq 0 ] || { echo "refused: over 10 MB"; exit 1; }
  git grep -I --name-only -z -e '' "$new" | tr '\\0' '\\n' | sort > text
  git ls-tree -r --name-only "$new" | sed "s/^/$new:/" | sort > every
  git ls-tree -r -l "$new" | awk '$4 == 0 {sub("^[^\\t]*\\t", ""); print}' | sed "s/^/$new:/" | sort > empty
  [ -z "$(comm -23 every text | comm -23 - empty)" ] || { echo "refused: binary, not in LFS"; exit 1; }
done
"""


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / path for path in listed.decode().split("\0") if path and (ROOT / path).is_file()]


def told() -> str:
    """The commands of README.md."""
    found = re.search(r"^git switch --orphan space.+?(?=^```)", (ROOT / "README.md").read_text(), re.M | re.S)
    assert found is not None
    return found[0]


def test_no_file_in_git_is_larger_than_a_space_takes():
    assert [path for path in tracked() if path.stat().st_size > deploy.MAX_FILE] == []


def test_every_kind_of_binary_file_is_named():
    binary = {path.name for path in tracked() if b"\0" in path.read_bytes()[:8000]}
    attributes = re.findall(r"^(\S+) binary$", (ROOT / ".gitattributes").read_text(), re.MULTILINE)
    in_lfs = re.findall(r'"(\*\.\w+)"', told())
    assert binary and sorted(attributes) == sorted(in_lfs)
    assert [name for name in binary if not any(fnmatch(name, pattern) for pattern in in_lfs)] == []


def test_the_commands_of_the_readme_push_what_the_hub_takes(tmp_path):
    if subprocess.run(["git", "lfs", "version"], capture_output=True, check=False).returncode:
        missing("there is no git-lfs on this machine (Debian: apt install git-lfs)")
    hub, clone = tmp_path / "hub.git", tmp_path / "clone"

    def git(*words: str, folder: Path = clone) -> str:
        return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q", "--bare", str(hub), folder=tmp_path)
    (hub / "hooks" / "pre-receive").write_text(HOOK)
    (hub / "hooks" / "pre-receive").chmod(0o755)
    git("clone", "-q", str(ROOT), str(clone), folder=tmp_path)
    git("checkout", "-q", "-B", "main")
    for name, value in (("user.name", "t"), ("user.email", "t@example.org"), ("lfs.locksverify", "false")):
        git("config", name, value)
    git("lfs", "install", "--local")
    address = "https://huggingface.co/spaces/OWNER/NAME"
    assert address in told()
    with pytest.raises(subprocess.CalledProcessError):
        git("push", "-q", hub.as_uri(), "main:main")
    said = subprocess.run(
        ["sh", "-e", "-c", told().replace(address, hub.as_uri())],
        cwd=clone, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    kept = git("ls-tree", "-r", "--name-only", "main", folder=hub).split("\n")
    assert set(kept) == set(git("ls-files").split("\n")) and "assets/strip-srgan.png" in kept
    assert git("show", "main:assets/strip-srgan.png", folder=hub).startswith("version https://git-lfs")
