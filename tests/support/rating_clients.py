"""Four simulated users who vote without end, in a process that is going to be killed."""

from __future__ import annotations

import random
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from gansr.rating.service import Rating
from gansr.rating.storage import FILE, Store
from gansr.rating.vote import BETTER
from tests.support.raters import catalogue

CLIENTS = 4


def vote(folder: Path, answers: Connection, seed: int) -> None:
    """Four users vote until the process is killed."""
    rating = Rating(catalogue(5, 10), Store(folder / FILE))
    lock = threading.Lock()

    def client(number: int) -> None:
        draw = random.Random(f"{seed} {number}")
        while True:
            token = rating.new_token()
            state = rating.open(token, BETTER, each=False)
            while state.trial is not None or state.round_over:
                if state.trial is None:
                    rating.reveal(token)
                    state = rating.next(token)
                    continue
                asked = state.trial.id
                state = rating.vote(token, asked, draw.choice(("left", "right", "same", "bad")), 1.0)
                with lock:
                    answers.send_bytes(asked.encode())

    for number in range(CLIENTS):
        threading.Thread(target=client, args=(number,)).start()
