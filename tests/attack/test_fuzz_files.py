"""The fuzzing of kernels, masks, receipts and links, for some hundred of them."""

from __future__ import annotations

from tests.attack import fuzz_files, fuzzing


def test_some_hundred_changed_files_are_read_or_refused():
    found = fuzzing.try_batch(fuzz_files.ATTACK, 0, 0, 400, lambda number: None)
    assert found.count == 400 and not found.crashes
    assert {said.partition(":")[0] for said in found.said} == {*fuzz_files.KINDS}


def test_unchanged_files_are_read():
    for kind in ("mat", "npy", "csv", "boundary", "link"):
        for data in fuzz_files.seeds()[kind]:
            fuzz_files.READERS[kind](data)
