"""The version of this program, with the git commit where it is known. Receipts hold it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from gansr import __version__

ROOT = Path(__file__).resolve().parents[1]


@lru_cache(maxsize=1)
def version() -> str:
    """ "0.2.0+1a2b3c4" in a git checkout (its commit, whatever was edited since), "0.2.0" elsewhere."""
    found = commit(ROOT)
    return f"{__version__}+{found[:7]}" if found else __version__


def commit(checkout: Path) -> str | None:
    """The commit that is checked out in a folder, 40 hexadecimal digits; None where there is no git repository.

    Reads the files of git, which works where git is not installed or refuses a folder of another owner.
    """
    try:
        git = _git_folder(checkout)
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        found = _resolved(git, head.removeprefix("ref: ")) if head.startswith("ref: ") else head
    except (OSError, UnicodeDecodeError):
        return None
    return found if found and len(found) == 40 and set(found) <= set("0123456789abcdef") else None


def _git_folder(checkout: Path) -> Path:
    """.git is a folder, or in a worktree a file with the folder's path."""
    git = checkout / ".git"
    if git.is_file():
        return checkout / git.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")
    return git


def _resolved(git: Path, ref: str) -> str | None:
    """The commit of a branch: in a file of its own or in packed-refs; worktrees share those of the main folder."""
    shared = git / "commondir"
    common = git / shared.read_text(encoding="utf-8").strip() if shared.is_file() else git
    if (common / ref).is_file():
        return (common / ref).read_text(encoding="utf-8").strip()
    packed = (common / "packed-refs").read_text(encoding="utf-8").splitlines()
    return next((line.split(" ")[0] for line in packed if line.endswith(f" {ref}")), None)
