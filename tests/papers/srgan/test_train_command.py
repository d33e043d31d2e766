"""The command that trains SRGAN: what it writes, that it goes on, and what it refuses."""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansr.papers.srgan import train_command
from gansr.papers.srgan.network import SRResNet
from gansr.papers.srgan.patches import PatchDiscriminator
from gansr.papers.srgan.train import exported, initialised
from gansr.picture.strip import GAP, TILE
from gansr.weights.tensors import parse

SMALL = {"blocks": 1, "width": 8}


class Small(SRResNet):
    def __init__(self, layout: str, scale: int):
        super().__init__(layout, scale, **SMALL)


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
    assert (
        f"Crops of held-out pictures: {last['psnr_y']} dB PSNR on Y, bicubic {last['bicubic_psnr_y']} dB"
        in card
    )
    assert last["bicubic_psnr_y"] > 20
    with Image.open(out / "strip-000004.png") as strip:
        assert strip.format == "PNG"


def test_the_card_says_where_nothing_was_held_out(data, tmp_path):
    (data / "0.png").unlink()
    assert command(data, tmp_path / "out", "--steps", "2", variant="srgan-mse") == 0
    card = (tmp_path / "out" / "model.md").read_text()
    assert "Crops of the same pictures: " in card and "eld-out" not in card
    assert (
        records(tmp_path / "out")[-1]["discriminator"] == "patches of the same pictures that it tells apart"
    )


def test_a_bare_strip_is_clear_around_its_pictures(data, tmp_path):
    assert command(data, tmp_path / "out", "--minutes", "0", "--bare-strips") == 0
    with Image.open(tmp_path / "out" / "strip-000000.png") as strip:
        assert strip.mode == "RGBA" and strip.size == (3 * TILE + 2 * GAP, TILE)  # one picture is held out


def test_it_goes_on_where_it_was(data, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert command(data, whole, "--steps", "6") == 0
    assert command(data, parts, "--steps", "6", "--minutes", "0") == 0
    state = torch.load(parts / "checkpoint.pt", weights_only=True)
    assert state["at"] == [0, 0]
    assert command(data, parts, "--steps", "6") == 0
    ours, theirs = model(whole), model(parts)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_sigterm_saves_and_the_same_command_goes_on(data, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert command(data, whole, "--steps", "6") == 0
    do_step = train_command.Training.do_step

    def signalled(training: train_command.Training) -> Mapping[str, torch.Tensor]:
        if training.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return do_step(training)

    monkeypatch.setattr(train_command.Training, "do_step", signalled)
    assert command(data, parts, "--steps", "6") == 0
    assert torch.load(parts / "checkpoint.pt", weights_only=True)["at"] == [3, 6]
    assert (parts / "strip-000003.png").exists() and "Steps: 3 of 6" in (parts / "model.md").read_text()
    monkeypatch.undo()
    monkeypatch.setattr(
        train_command,
        "SRResNet",
        lambda layout, scale: SRResNet(layout, scale, SMALL["blocks"], SMALL["width"]),
    )
    assert command(data, parts, "--steps", "6") == 0
    ours, theirs = model(whole), model(parts)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_training_that_ends_after_its_minutes_is_evaluated_at_its_end(data, tmp_path, monkeypatch):
    out = tmp_path / "out"
    spent = iter(range(0, 10_000, 30))  # seconds by the clock, half a minute a step
    monkeypatch.setattr(train_command.Training, "clock", lambda training: next(spent))
    assert (
        command(data, out, "--minutes", "2", "--wall-clock", "--evaluate-every", "3", "--no-checkpoint") == 0
    )
    evaluations = [each["step"] for each in records(out) if "evaluation" in each]
    assert evaluations == [2, 3, 4]  # where the rate falls, after three steps, at the end
    assert "Steps: 4 of 3000, 2.0 of 2 minutes" in (out / "model.md").read_text()
    assert not (out / "checkpoint.pt").exists()


def test_it_is_evaluated_at_the_start_where_seconds_are_given(data, tmp_path):
    out = tmp_path / "out"
    assert command(data, out, "--steps", "2", "--evaluate-seconds", "1e9", "--log-every", "1") == 0
    told = records(out)
    assert [each["step"] for each in told if "evaluation" in each] == [0, 1, 2]
    assert [each["step"] for each in told if "total" in each] == [0, 1]


def test_the_best_is_kept_where_that_is_asked_for(data, tmp_path, monkeypatch):
    values = iter([20.0, 25.0, 24.0, 23.0, 26.0])
    monkeypatch.setattr(
        train_command, "evaluated", lambda *_: {"psnr_y": next(values), "bicubic_psnr_y": 21.0}
    )
    out = tmp_path / "out"
    assert command(data, out, "--steps", "6", "--evaluate-every", "2", "--keep-best") == 0
    assert "Steps: 3 of 6" in (out / "model.md").read_text()  # the rate falls there: the second evaluation
    with (out / "log.jsonl").open("a") as log:
        log.write('{"cut short')
    assert command(data, out, "--steps", "7", "--keep-best") == 0
    assert "Steps: 7 of 7" in (out / "model.md").read_text()


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


def test_weights_of_three_times_are_no_start_for_four(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(train_command, "SRResNet", Small)
    monkeypatch.setattr(train_command.weights, "load", lambda name: Small("krasserm", 3))
    assert command(data, tmp_path / "out", "--from", "some-x3") == 1
    assert "some-x3 is no SRResNet for a start at ×4" in capsys.readouterr().err


@pytest.mark.parametrize(("scale", "shared"), [(2, True), (8, False)])
def test_weights_of_another_factor_give_what_both_networks_have(monkeypatch, scale, shared):
    four = Small("krasserm", 4)
    monkeypatch.setattr(train_command, "SRResNet", Small)
    monkeypatch.setattr(train_command.weights, "load", lambda name: four)
    made, given = train_command.start_of("some-x4", scale, "krasserm", 0).state_dict(), four.state_dict()
    assert all(torch.equal(made[name], given[name]) for name in made if name in given)
    assert (set(made) <= set(given)) is shared


def test_a_discriminator_is_started_from_a_file_and_learns_alone_at_first(data, tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "discriminator.safetensors"
    file.write_bytes(exported(PatchDiscriminator()))
    start = tmp_path / "start.safetensors"
    start.write_bytes(exported(initialised(SRResNet("krasserm", 4, **SMALL))))
    given = ("--discriminator", str(file), "--warm-up", "1", "--norm", "stored", "--from", str(start))
    assert command(data, tmp_path / "a", "--steps", "1", "--no-checkpoint", *given, variant="srgan-mse") == 0
    begun, written = parse(start.read_bytes()), model(tmp_path / "a")
    assert all(
        torch.equal(begun[key], written[key]) for key in begun
    )  # the generator has learned nothing yet
    (told,) = (each for each in records(tmp_path / "a") if "stage" in each)
    assert told["stage"] == "the discriminator alone" and "total" not in told
    assert "alone in the first 1 steps" in (tmp_path / "a" / "model.md").read_text()


def test_what_is_no_discriminator_is_refused(data, tmp_path, capsys):
    file = tmp_path / "other.safetensors"
    file.write_bytes(exported(SRResNet("krasserm", 4, **SMALL)))
    assert command(data, tmp_path / "a", "--discriminator", str(file), variant="srgan-mse") == 1
    assert "does not fit the patches of a discriminator" in capsys.readouterr().err


def test_a_training_against_a_discriminator_leaves_its_map(data, tmp_path, capsys):
    assert command(data, tmp_path / "out", "--steps", "2", variant="srgan-mse") == 0
    state = parse((tmp_path / "out" / "discriminator.safetensors").read_bytes())
    net = PatchDiscriminator()
    net.load_state_dict(state)
    lines = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert 0 <= lines[-1]["share"] <= 1
    assert command(data, tmp_path / "mse", "--steps", "2") == 0
    assert not (tmp_path / "mse" / "discriminator.safetensors").exists()
