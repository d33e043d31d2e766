"""Votes as commits to a private dataset repository of the Hub, for a Space whose disk does not last.

Off unless GANSR_RATING_DATASET names the repository, "OWNER/NAME". Each process appends to a file of its own with a
random name, and huggingface_hub's CommitScheduler uploads it every few minutes. The lines are those of `rating
export`: `python -m gansr rating import` reads them back. A session is the hash of a random token; there is no other
trace of a user. A vote that is taken back appends its UUID: the earlier line stays in the repository's history.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any

from gansr.rating import RatingError
from gansr.rating.vote import Vote, as_plain

MINUTES = 10.0


class Publisher:
    """Appends votes to a file that `scheduler`, a CommitScheduler, uploads."""

    def __init__(self, folder: Path, scheduler: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._scheduler = folder / f"votes-{secrets.token_hex(8)}.jsonl", scheduler

    def vote(self, vote: Vote) -> None:
        """Append a vote."""
        self._append({"type": "vote", **as_plain(vote)})

    def deleted(self, uuid: str) -> None:
        """Append that a vote was taken back."""
        self._append({"type": "deleted", "uuid": uuid})

    def _append(self, line: dict[str, Any]) -> None:
        try:
            with self._scheduler.lock, self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError:  # the vote itself is in the database
            logging.getLogger(__name__).exception("a vote was not added to the published file")


def chosen(folder: Path) -> Publisher | None:
    """The publisher that GANSR_RATING_DATASET asks for, with its files in `folder`; None where it is not set."""
    name = os.environ.get("GANSR_RATING_DATASET", "")
    if not name:
        return None
    if name.count("/") != 1:
        raise RatingError(f"GANSR_RATING_DATASET must be OWNER/NAME, not {name[:80]!r}")
    from huggingface_hub import CommitScheduler

    place = folder / "published"
    place.mkdir(parents=True, exist_ok=True)
    scheduler = CommitScheduler(
        repo_id=name,
        repo_type="dataset",
        folder_path=place,
        path_in_repo="votes",
        every=MINUTES,
        private=True,
    )
    return Publisher(place, scheduler)
