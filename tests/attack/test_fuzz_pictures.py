"""The fuzzing of pictures, for some hundred of them; and a child that dies is a finding."""

from __future__ import annotations

import subprocess
import sys

from tests.attack import fuzz_pictures, fuzzing
from tests.attack.mutations import CHANGES
from tests.conftest import ROOT

DYING = """
import os, signal
from tests.attack import fuzzing

def feed(number):
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 5:
        raise KeyError(number)
    return "read"

attack = fuzzing.Attack("dying", lambda chance: chance.randrange(8), feed, lambda number: b"", lambda: None)
found = fuzzing.run(attack, 0, 64, 0)
died = sum("status -11" in what for _, what in found.crashes)
print(found.count, found.crashed, died, sum("KeyError" in what for _, what in found.crashes))
"""


def test_some_hundred_changed_pictures_give_pictures_or_refusals():
    found = fuzzing.try_batch(fuzz_pictures.ATTACK, 0, 0, 300, lambda number: None)
    assert found.count == 300 and not found.crashes
    assert found.said["a picture"] > 50 and found.said["refused: the file is damaged"] > 50


def test_every_format_is_changed_and_an_input_can_be_made_again():
    assert fuzz_pictures.seeds().keys() == fuzz_pictures.SHARES.keys() == CHANGES.keys()
    assert fuzz_pictures.make(fuzzing.chance_of(1, 7)) == fuzz_pictures.make(fuzzing.chance_of(1, 7))
    assert fuzz_pictures.make(fuzzing.chance_of(1, 7)) != fuzz_pictures.make(fuzzing.chance_of(1, 8))


def test_child_that_dies_is_a_finding_and_the_others_go_on():
    done = subprocess.run(
        [sys.executable, "-c", DYING], capture_output=True, text=True, cwd=ROOT, check=True, timeout=100
    )
    count, crashed, died, raised = map(int, done.stdout.split())
    assert count == 64 and crashed == died + raised and died and raised
