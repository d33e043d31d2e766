"""The version and the commit in it, read from git's own files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gansr import __version__
from gansr import version as module
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-b", "main")
    git(folder, "commit", "--allow-empty", "-m", "first")
    return folder


def test_a_branch_gives_its_commit(repository):
    assert module.commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_packed_branch_gives_its_commit(repository):
    git(repository, "branch", "other/main")
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()
    assert module.commit(repository) == git(repository, "rev-parse", "HEAD")


def test_a_detached_head_gives_its_commit(repository):
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "commit", "--allow-empty", "-m", "second")
    git(repository, "checkout", first)
    assert module.commit(repository) == first


@pytest.mark.parametrize("packed", [False, True])
def test_a_worktree_gives_its_own_commit(repository, tmp_path, packed):
    worktree = tmp_path / "worktree"
    git(repository, "worktree", "add", "-b", "side/branch", str(worktree))
    git(worktree, "commit", "--allow-empty", "-m", "second")
    if packed:
        git(repository, "pack-refs", "--all")
    assert module.commit(worktree) == git(worktree, "rev-parse", "HEAD") != module.commit(repository)


def test_without_a_repository_or_a_commit_there_is_none(tmp_path):
    assert module.commit(tmp_path) is None
    git(tmp_path, "init")
    assert module.commit(tmp_path) is None, "a repository without a commit"
    (tmp_path / ".git" / "HEAD").write_text("what is this")
    assert module.commit(tmp_path) is None


@pytest.fixture
def fresh():
    module.version.cache_clear()
    yield
    module.version.cache_clear()


def test_the_version_ends_with_the_commit_where_it_is_known(fresh, monkeypatch, repository, tmp_path):
    monkeypatch.setattr(module, "ROOT", repository)
    assert module.version() == f"{__version__}+{git(repository, 'rev-parse', '--short=7', 'HEAD')}"
    module.version.cache_clear()
    monkeypatch.setattr(module, "ROOT", tmp_path / "nowhere")
    assert module.version() == __version__


def test_the_changelog_names_this_version_as_the_newest_release():
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    released = [heading for heading in headings if heading != "## [Unreleased]"]
    assert len(headings) - len(released) <= 1 and released[0].startswith(f"## [{__version__}] - ")
    assert headings[-len(released) :] == released, "what is not released yet stands first"
