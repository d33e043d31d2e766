"""What the benches measure with: medians of alternating works, processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import gansr
from gansr.bench import BenchError
from gansr.bench.measure import in_process, in_turn


def test_works_alternate_and_the_first_round_is_not_counted():
    calls: list[str] = []
    medians = in_turn(torch.device("cpu"), lambda: calls.append("a"), lambda: calls.append("b"), rounds=3)
    assert calls == ["a", "b"] * 4
    assert len(medians) == 2 and min(medians) >= 0


def test_a_process_finds_this_package_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "where.py").write_text(
        "import json, os, pathlib, sys, gansr\n"
        "print('not this line')\n"
        "print(json.dumps([gansr.__file__, sys.argv[1:], os.environ['COLOUR'], str(pathlib.Path.cwd())]))\n"
    )
    monkeypatch.chdir(tmp_path)
    found = in_process("where", "one", "two", COLOUR="blue")
    assert found == [gansr.__file__, ["one", "two"], "blue", str(tmp_path)]


def test_a_process_that_fails_or_prints_no_json_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "fails.py").write_text("raise SystemExit('no such weights')\n")
    (tmp_path / "chats.py").write_text("print('hello')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match=r"fails failed: no such weights"):
        in_process("fails")
    with pytest.raises(BenchError, match="chats printed no JSON: hello"):
        in_process("chats")
