"""How many votes are kept in a second: `python -m tests.attack.rating_speed --votes 2000 --clients 16`.

So many simulated users vote at once, in one process, through the service: choice of the pair, the write and its commit
to the disk. The pictures, which are sent with each question, are not part of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gansr.rating.service import Rating
from gansr.rating.storage import FILE, Store
from gansr.rating.vote import BETTER
from tests.support.raters import catalogue


def voted(rating: Rating, votes: int) -> int:
    """One user after the other, until there are so many votes."""
    done = 0
    while done < votes:
        token = rating.new_token()
        state = rating.open(token, BETTER, each=False)
        while done < votes and (state.trial is not None or state.round_over):
            if state.trial is None:
                rating.reveal(token)
                state = rating.next(token)
                continue
            state = rating.vote(token, state.trial.id, "left", 1.0)
            done += 1
    return done


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=2000, help="in all (2000)")
    parser.add_argument("--clients", type=int, default=16, help="users at once (16)")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / FILE)
        rating = Rating(catalogue(5, 10), store)
        start = time.monotonic()
        with ThreadPoolExecutor(given.clients) as threads:
            share = given.votes // given.clients
            kept = sum(threads.map(lambda _: voted(rating, share), range(given.clients)))
        seconds = time.monotonic() - start
        there, writes = len(store.votes()), store.writes
        store.close()
    print(
        f"{kept} votes of {given.clients} users in {seconds:.1f} s: {kept / seconds:.0f} a second, {writes} commits"
    )
    return int(there != kept)


if __name__ == "__main__":
    sys.exit(main())
