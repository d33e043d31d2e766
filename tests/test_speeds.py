"""How long runs take: the table, what is measured, and the file that keeps it."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import torch

from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Checkpoint, Cost, Steps
from gansr.options import parse_options
from gansr.papers import METHODS
from gansr.speeds import NEWEST, OPERATIONS, SEEDS, Meter, Speeds
from tests.support.fakes import FAKE

TWO = dataclasses.replace(
    FAKE, cost=lambda height, width, options: Cost(100.0, 1.0, (Steps("fast", 10), Steps("slow", 5, 2.0)))
)


def job(method=TWO, **changes) -> Job:
    return Job(method, torch.zeros(3, 8, 8), method.options(), **changes)


def preset_job(method, name: str) -> Job:
    options = parse_options(method.options, method.presets[name])
    side = method.accepts.side(options) if method.accepts.side else 256
    side = min(side, math.isqrt(method.accepts.most_pixels(options)))
    return Job(method, torch.zeros(1).expand(3, side, side), options)


PRESETS = [(method, name) for method in METHODS for name in method.presets]


@pytest.mark.parametrize("device", SEEDS)
@pytest.mark.parametrize(("method", "name"), PRESETS, ids=lambda value: getattr(value, "name", value))
def test_every_preset_has_an_estimate_before_anything_was_measured(device, method, name):
    seconds = Speeds(device).seconds(preset_job(method, name))
    assert seconds is not None and 0 < seconds < 3 * 3600
    assert Speeds(device).seconds(preset_job(method, name), measured=True) is None


def test_the_table_gives_the_times_that_readme_has():
    pulse, kernelgan = METHODS[0], METHODS[1]
    assert Speeds("cpu").seconds(preset_job(pulse, "Paper")) == pytest.approx(100 * 0.15)
    assert Speeds("cpu").seconds(preset_job(kernelgan, "Kernel only")) == pytest.approx(11.4)


def test_a_processor_without_fast_bfloat16_has_a_table_of_its_own(monkeypatch):
    for fast, seconds in ((True, 14.25), (False, 85.5)):  # 95 steps
        monkeypatch.setattr(Engine, "fast_bf16", fast)
        assert Engine("cpu").speeds.seconds(preset_job(METHODS[0], "Quick")) == pytest.approx(seconds)


def test_every_row_of_the_table_is_of_a_method_and_of_weights_that_exist():
    known = {method.name: {*sum(method.weights.values(), ())} for method in METHODS}
    for rows in SEEDS.values():
        for method, network, kind in rows:
            assert method in known or (method, network, kind) == ("", "", OPERATIONS)
            assert not network or network in known[method]


def test_steps_of_two_kinds_are_learned_apart_without_the_first_and_what_spans_both():
    speeds, meter = Speeds("cpu"), Meter(job())
    for step, seconds in ((1, 9.0), (5, 9.4), (9, 9.8), (12, 20.0), (15, 21.2)):
        meter.add(step, 15, seconds)
    speeds.learn(meter)
    assert speeds.seconds(job(), measured=True) == pytest.approx(10 * 0.1 + 5 * 2 * 0.2)


def test_the_newest_measurement_moves_the_average():
    speeds = Speeds("cpu")
    for seconds in (1.0, 2.0):
        meter = Meter(job())
        meter.add(1, 15, 0.0)
        meter.add(10, 15, 9 * seconds)
        speeds.learn(meter)
    meter.took = {"slow": (1.0, 0.0)}
    speeds.learn(meter)
    assert speeds.seconds(job()) == pytest.approx(10 * (1 + NEWEST), rel=1e-3)
    speeds.forget()
    assert speeds.seconds(job()) is None


def test_a_run_of_one_kind_is_learned_as_a_whole_unless_it_was_left():
    speeds, meter = Speeds("cpu"), Meter(job(FAKE))
    meter.add(1, 1, 4.0)
    speeds.learn(meter)
    assert speeds.seconds(job(FAKE)) == pytest.approx(4.0)
    left = Meter(job(FAKE, checkpoint=Checkpoint({}, 1, 5, 2.0)))
    left.add(5, 5, 400.0)
    assert OPERATIONS not in left.took
    paused = Meter(job())
    paused.add(1, 15, 1.0)
    paused.pause()
    paused.add(2, 15, 50.0)
    assert paused.took == {}


def kept(path, name: str) -> Speeds:
    speeds = Speeds("cpu")
    speeds.keep(path, name)
    return speeds


def measured(path, name: str, seconds: float) -> None:
    meter = Meter(job(FAKE))
    meter.add(1, 1, seconds)
    kept(path, name).learn(meter)


def test_times_are_kept_in_a_file_for_each_device(tmp_path):
    path = tmp_path / "speeds.json"
    measured(path, "one", 3.0)
    measured(path, "two", 5.0)
    assert kept(path, "one").seconds(job(FAKE)) == pytest.approx(3.0)
    assert kept(path, "two").seconds(job(FAKE)) == pytest.approx(5.0)
    assert kept(path, "three").seconds(job(FAKE)) is None
    assert [file.name for file in tmp_path.iterdir()] == ["speeds.json"]


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1, 2]", "not json", '[["one", "fake", "", "operations", NaN]]',
     '[["one", "fake", "", "operations", -1.0]]'],
)  # fmt: skip
def test_a_damaged_file_is_not_used_and_replaced(tmp_path, content):
    path = tmp_path / "speeds.json"
    path.write_text(content)
    assert kept(path, "one").seconds(job(FAKE)) is None
    measured(path, "one", 3.0)
    assert len(json.loads(path.read_text())) == 1


def test_a_file_that_cannot_be_written_is_left(tmp_path):
    measured(tmp_path / "no folder" / "speeds.json", "one", 3.0)
    assert not (tmp_path / "no folder").exists()
