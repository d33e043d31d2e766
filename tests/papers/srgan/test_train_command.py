"""The command that trains SRGAN: what it writes, that it goes on, and what it refuses."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.papers.srgan import train_command
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.train import exported, initialised
from gansr.weights.tensors import parse

SMALL = {"blocks": 1, "width": 8}


@pytest.fixture(autouse=True)
def small_networks(monkeypatch) -> None:
    """The command's own networks, small."""
    monkeypatch.setattr(
        train_command,
        "SRResNet",
        lambda layout, scale: SRResNet(layout, scale, SMALL["blocks"], SMALL["width"]),
    )
    monkeypatch.setattr(train_command.weights, "load", lambda name: pytest.fail(f"{name} was loaded"))


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for i in range(5):
        small = draws.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(small).resize((48, 48), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def command(data: Path, out: Path, *more: str, variant: str = "mse") -> int:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    given = [
        "--variant",
        variant,
        "--data",
        str(data),
        "--out",
        str(out),
        "--from",
        "nothing",
        "--crop",
        "32",
    ]
    return train_command.run(parser.parse_args([*given, "--batch", "2", "--device", "cpu", *more]))


def model(out: Path) -> dict[str, torch.Tensor]:
    return parse((out / "model.safetensors").read_bytes())


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_it_writes_the_model_its_card_a_checkpoint_a_log_and_strips(data, tmp_path):
    out = tmp_path / "out"
    assert command(data, out, "--steps", "4", "--evaluate-every", "2") == 0
    names = {path.name for path in out.iterdir()} - {".lock"}
    assert names == {
        "checkpoint.pt", "log.jsonl", "model.md", "model.safetensors", "pictures.npz", "strip-000002.png",
        "strip-000004.png",
    }  # fmt: skip
    SRResNet("krasserm", 4, **SMALL).load_state_dict(model(out))
    card = (out / "model.md").read_text()
    assert "variant mse, ×4" in card and "4 pictures of the folder data, 8 crops of 32 px" in card
    last = [each["evaluation"] for each in records(out) if "evaluation" in each][-1]
    assert f"{last['psnr_y']} dB PSNR on Y, bicubic {last['bicubic_psnr_y']} dB" in card
    assert last["bicubic_psnr_y"] > 20
    with Image.open(out / "strip-000004.png") as strip:
        assert strip.format == "PNG"


def test_it_goes_on_where_it_was(data, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert command(data, whole, "--steps", "6") == 0
    assert command(data, parts, "--steps", "6", "--minutes", "0") == 0
    state = torch.load(parts / "checkpoint.pt", weights_only=True)
    assert state["at"] == [0, 0]
    assert command(data, parts, "--steps", "6") == 0
    ours, theirs = model(whole), model(parts)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_it_starts_from_a_file(data, tmp_path):
    torch.manual_seed(0)
    net = initialised(SRResNet("krasserm", 4, **SMALL))
    (tmp_path / "start.safetensors").write_bytes(exported(net))
    out = tmp_path / "out"
    assert command(data, out, "--minutes", "0", "--from", str(tmp_path / "start.safetensors")) == 0
    assert torch.equal(model(out)["first.weight"], net.first.weight.half().float())


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--crop", "40"], "--crop must be a multiple of 16 and of the scale, not 40"),
        (["--from", "wrong.safetensors"], "does not fit SRResNet in the layout krasserm at ×4"),
        (["--from", "nowhere.safetensors"], "cannot be read"),
        (["--data", "nowhere"], "cannot be read"),
        (["--crop", "96"], "all 5 pictures are smaller than a crop"),
    ],
)
def test_what_cannot_be_used_is_told_and_nothing_is_lost(data, tmp_path, monkeypatch, capsys, more, text):
    monkeypatch.chdir(tmp_path)
    Path("wrong.safetensors").write_bytes(exported(SRResNet("krasserm", 4, 2, 8)))
    assert command(data, tmp_path / "out", "--steps", "1") == 0
    kept = (tmp_path / "out" / "checkpoint.pt").read_bytes()
    capsys.readouterr()
    assert command(data, tmp_path / "out", *more) == 1
    assert text in capsys.readouterr().err
    assert (tmp_path / "out" / "checkpoint.pt").read_bytes() == kept


def test_a_folder_of_another_training_is_not_written_over(data, tmp_path, capsys):
    assert command(data, tmp_path / "out", "--steps", "1") == 0
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    assert command(data, tmp_path / "out", "--steps", "1", variant="srgan-mse") == 1
    assert "cannot be continued: it is a training of mse, not of srgan-mse" in capsys.readouterr().err
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


def test_weights_of_another_factor_are_refused(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_command.weights, "load", lambda name: SRResNet("krasserm", 2, **SMALL))
    monkeypatch.setattr(train_command, "SRResNet", SRResNet)
    assert command(data, tmp_path / "out", "--from", "some-x2") == 1
    assert "some-x2 is no SRResNet at ×4" in capsys.readouterr().err
