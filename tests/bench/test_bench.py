"""The runner of the benches: which there are, how rows are printed, what is refused."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from gansr import bench, papers
from tests.support.fakes import FAKE


@pytest.fixture
def one_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The only method is a fake one, whose bench measures the number of characters in the folder's name."""
    module = ModuleType("fake_bench")
    module.run = lambda data: iter(  # type: ignore[attr-defined]
        [
            bench.Row("Set5 x4", "fake", "psnr_y", 31.25),
            bench.Row("speed", "fake", "seconds", 0.5 if data is None else float(len(data.name))),
        ]
    )
    monkeypatch.setitem(sys.modules, "fake_bench", module)
    monkeypatch.setattr(papers, "METHODS", (dataclasses.replace(FAKE, bench="fake_bench"),))


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_parser(parser.add_subparsers())
    return parser.parse_args(["bench", *arguments])


def test_every_paper_names_its_bench():
    assert {"pulse", "kernelgan", "glean", "mganprior", "srgan"} <= set(bench.benches())


def test_a_method_without_a_bench_has_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    assert bench.benches() == {}
    with pytest.raises(bench.BenchError, match="there is no bench 'fake'"):
        bench.run("fake")


def test_the_command_prints_a_table_or_json(
    one_bench: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given = parsed("fake", "--json")
    assert given.handler(given) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "case": "speed", "model": "fake", "metric": "seconds", "value": 0.5
    }  # fmt: skip
    (tmp_path / "abcdefghijkl").mkdir()
    given = parsed("fake", "--data", str(tmp_path / "abcdefghijkl"))
    assert given.handler(given) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["Set5", "x4"], ["fake", "psnr_y", "31.25"], ["speed"], ["fake", "seconds", "12.00"]
    ]  # fmt: skip


def test_a_folder_that_is_none_is_refused_in_words(
    one_bench: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given = parsed("fake", "--data", str(tmp_path / "none"))
    assert given.handler(given) == 1 and "is not a folder" in capsys.readouterr().err
