"""The command that makes the editing directions: what is kept, refused, written and reported."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from gansr.papers.mganprior.directions import NAMED
from gansr.papers.mganprior.labels import ATTRIBUTES
from gansr.papers.mganprior.train import Found
from gansr.papers.mganprior.train_command import Kept, add_arguments, find, report, run, write


def test_a_folder_without_the_labellers_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parsed = parser.parse_args(["--out", str(tmp_path / "out"), "--face-api", str(tmp_path)])
    assert run(parsed) == 1
    assert "age_gender_model" in capsys.readouterr().err


def test_what_was_computed_is_taken_from_the_file(tmp_path: Path):
    made = Kept(tmp_path / "state.pt")("a", lambda: {"x": torch.ones(2)})
    again = Kept(tmp_path / "state.pt")("a", lambda: pytest.fail("computed again"))
    assert torch.equal(made["x"], again["x"])


def found() -> dict[str, Found]:
    generator = torch.Generator().manual_seed(0)
    normals = {name: torch.randn(512, generator=generator).double() for name in ATTRIBUTES}
    w = torch.randn(600, 512, generator=generator)
    scores = {name: w[:100].double() @ normal for name, normal in normals.items()}
    return find(normals, w, w[:100], scores)


def test_a_direction_is_conditioned_on_every_other_attribute_and_written_with_its_figures(tmp_path: Path):
    directions = found()
    assert list(directions) == list(NAMED)
    assert all(each.accuracy == 1 and each.held == 100 for each in directions.values())
    write(tmp_path / "made.safetensors", directions, 64)
    with safe_open(tmp_path / "made.safetensors", "pt") as file:
        about = json.loads(file.metadata()["directions"])
        units, deviations = file.get_tensor("directions"), file.get_tensor("deviations")
    assert [each["name"] for each in about] == list(NAMED) and about[0]["samples"] == 64
    torch.testing.assert_close(units.norm(dim=1), torch.ones(len(NAMED)))
    torch.testing.assert_close(units[0] * deviations[0], directions[next(iter(NAMED))].step[0])


def test_the_report_has_a_row_for_each_direction_and_a_column_for_each_attribute():
    effects = {name: dict.fromkeys(ATTRIBUTES, 0.25) | {"right": 0.9, "identity": 0.5} for name in NAMED}
    lines = report(found(), effects).splitlines()
    assert lines[2] == f"| {next(iter(NAMED))} | 100% | +0.2 | 90% | 0.50 |"
    assert lines[-1].count("|") == len(ATTRIBUTES) + 2 and lines[-1].count("**") == 2
