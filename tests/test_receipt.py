"""Receipts: everything survives the round trip, files are stored or checked, and a replay finds what differs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
import torch

from gansr import receipt
from gansr.__main__ import main
from gansr.engine import Engine
from gansr.method import Frame
from gansr.options import OptionError, option
from gansr.picture import PictureError, to_png
from gansr.pipeline import Pipeline
from gansr.problem import Problem
from gansr.request import decode
from tests.support.comparing import picture
from tests.support.fakes import FAKE, Options, run


def read_noise(path: Path) -> torch.Tensor:
    """A file of as many random values as its text says."""
    return torch.rand(int(path.read_text()), generator=torch.Generator().manual_seed(1))


@dataclasses.dataclass(frozen=True)
class WithFile(Options):
    kernel: torch.Tensor | None = option(None, "a kernel", read=read_noise, suffixes=(".txt",))


FILED = dataclasses.replace(FAKE, name="filed", title="Filed", options=WithFile)


@pytest.fixture(autouse=True)
def fakes(monkeypatch):
    monkeypatch.setattr("gansr.papers.METHODS", (FAKE, FILED))
    monkeypatch.setattr("gansr.metrics.METRICS", ())


def made(request, source=None):
    """The receipt of a run, as read back from its PNG."""
    given, frame = Pipeline(Engine("cpu", pace=0.0)).result(source or picture(), request)
    return receipt.read(receipt.result_png(request, given, frame)), given, frame


def test_everything_survives_the_round_trip():
    values = {
        "steps": 3, "kind": "memory", "task": "known answer", "shrink_operator": "gaussian", "shrink_noise": 2.5,
        "align": False, "face": 2, "paste_back": True, "seed": 5, "precision": "exact",
        "problem_side": 8, "problem_scale": 4, "large": "crop",
    }  # fmt: skip
    request = decode(FAKE, values)
    recorded, given, _ = made(request)
    again = receipt.request_of(recorded)
    assert again == request
    assert again.problem == Problem(8, 4) and again.paste_back and again.large == "crop"
    assert recorded["input"]["sha256"] == given.sha256
    assert receipt.notices_of(recorded) == given.notices != ()


def test_the_kernel_that_a_quality_test_shrinks_with_is_stored():
    values = {
        "task": "known answer",
        "shrink_operator": "kernel",
        "shrink_kernel": torch.ones(3, 3),
        "align": False,
    }
    request = decode(FAKE, values)
    recorded, *_ = made(request)
    assert receipt.file_options(recorded) == ("shrink_kernel",) and receipt.missing_files(recorded) == ()
    assert receipt.request_of(recorded) == request
    with pytest.raises(OptionError, match="not the file that the result was made with"):
        receipt.request_of(recorded, {"shrink_kernel": torch.ones(5, 5)})


def test_a_receipt_names_the_numerical_form():
    numerics = made(decode(FAKE, {"precision": "exact"}))[0]["numerics"]
    assert numerics["dtype"] == "float32" and numerics["threads"] == torch.get_num_threads()
    assert numerics["torch"] == torch.__version__ and numerics["device"].startswith("CPU")


def test_every_result_file_has_its_hash():
    recorded, given, frame = made(decode(FAKE, {}))
    assert set(recorded["files"]) == {"result.png", "map.npy", "map.csv"}
    other = dataclasses.replace(frame, files={**frame.files, "map.npy": b"another map"})
    found = receipt.difference(recorded, receipt.write(decode(FAKE, {}), given, other))
    assert found.files == ("map.npy",) and not found.identical
    assert receipt.difference(recorded, receipt.write(decode(FAKE, {}), given, frame)).identical


def test_a_small_file_is_stored_and_a_large_one_is_asked_for(tmp_path):
    small, large = tmp_path / "small.txt", tmp_path / "large.txt"
    small.write_text("100")
    large.write_text("100000")
    request = decode(FILED, {"kernel": small})
    recorded = made(request)[0]
    assert receipt.missing_files(recorded) == () and receipt.file_options(recorded) == ("kernel",)
    assert torch.equal(receipt.request_of(recorded).options.kernel, request.options.kernel)
    recorded = made(decode(FILED, {"kernel": large}))[0]
    assert receipt.missing_files(recorded) == ("kernel",)
    assert receipt.request_of(recorded).options.kernel is None
    assert receipt.request_of(recorded, {"kernel": large}).options.kernel.numel() == 100_000
    with pytest.raises(OptionError, match="not the file that the result was made with"):
        receipt.request_of(recorded, {"kernel": small})


@pytest.mark.parametrize("text", [None, "{", "[1]", '{"method": 3}', '{"method": "fake", "options": {}}'])
def test_a_png_without_a_sound_receipt_is_refused(text):
    png = to_png(torch.zeros(3, 4, 4), text={} if text is None else {"gansr": text})
    with pytest.raises(PictureError, match="receipt"):
        receipt.read(png)


DEEP: list = []
for _ in range(20_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "kernel",
    [
        {"sha256": "0" * 64, "shape": [100], "dtype": "float32", "zlib": "eJw="},
        {"sha256": "0" * 64, "shape": [2**40], "dtype": "float32", "zlib": "eJw="},
        {"sha256": "0" * 64, "shape": [2**20, 2**20], "dtype": "float32", "zlib": "eJw="},
        {"sha256": "0" * 64, "shape": [2] * 100_000, "dtype": "float32", "zlib": "eJw="},
        {"sha256": "0" * 64, "shape": [-1], "dtype": "float32", "zlib": "eJw="},
        {"sha256": "0" * 64, "shape": [100], "dtype": "object", "zlib": "eJw="},
        {"sha256": "0" * 64, "shape": "100", "dtype": "float32", "zlib": "!"},
        {"sha256": "0" * 64, "shape": [100], "dtype": "float32", "zlib": "é"},
        {"sha256": "0" * 64, "shape": [100], "dtype": DEEP, "zlib": "eJw="},
        {
            "sha256": hashlib.sha256(b"").hexdigest(),
            "shape": [0, 3],
            "dtype": "uint8",
            "zlib": "eJwDAAAAAAE=",
        },
    ],
)
def test_a_damaged_file_in_a_receipt_is_refused(kernel):
    recorded = {"method": "filed", "request": {"task": "enlarge", "kernel": kernel}}
    with pytest.raises(OptionError, match="in the receipt"):
        receipt.request_of(recorded)


@pytest.mark.parametrize("value", ["DEEP", "1" + "0" * 4000, '"\\ud800"', "[" * 200 + "]" * 200])
@pytest.mark.parametrize("place", ["method", "gansr", "request", "option"])
def test_odd_json_in_a_receipt_is_refused_in_words_that_can_be_sent(value, place):
    if value == "DEEP":  # as deep as can just be read here, so that anything that goes deeper fails
        value = "[" * 900 + "]" * 900
    text = {
        "method": '{"method": %s, "request": {"task": 1}}',
        "gansr": '{"method": "fake", "gansr": %s}',
        "request": '{"method": "fake", "request": %s}',
        "option": '{"method": "fake", "request": {"task": "enlarge", "steps": %s}}',
    }[place] % value
    with pytest.raises((PictureError, OptionError)) as caught:
        receipt.request_of(receipt.read(to_png(torch.zeros(3, 4, 4), text={"gansr": text})))
    assert len(str(caught.value).encode()) < 400, "and no lone surrogate, which cannot be encoded"


def test_a_receipt_of_many_lists_is_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr("json.loads", None)
    text = '{"method": "fake", "request": {"task": [' + "[]," * receipt.MOST_LISTS + "[]]}}"
    with pytest.raises(PictureError, match="damaged"):
        receipt.read(to_png(torch.zeros(3, 4, 4), text={"gansr": text}))


# ------------------------------------------------------------------------------------------- replaying


def threaded(low, options, nets, generator):
    """A picture that depends on the number of threads, as a real search's rounding does."""
    for frame in run(low, options, nets, generator):
        yield dataclasses.replace(frame, image=frame.image * 0 + torch.get_num_threads() / 16)


def replayed(tmp_path, method, monkeypatch, arguments=(), values=None):
    monkeypatch.setattr("gansr.papers.METHODS", (method,))
    source, result = tmp_path / "in.png", tmp_path / "result.png"
    source.write_bytes(to_png(picture().rgb))
    request = decode(method, values or {})
    given, frame = Pipeline(Engine("cpu", pace=0.0)).result(source, request)
    result.write_bytes(receipt.result_png(request, given, frame))
    return lambda: main(
        ["replay", str(result), "--input", str(source), "--device", "cpu", *map(str, arguments)]
    )


def test_a_replay_computes_with_the_recorded_number_of_threads(tmp_path, monkeypatch, capsys):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        replay = replayed(tmp_path, dataclasses.replace(FAKE, run=threaded), monkeypatch)
    finally:
        torch.set_num_threads(before)
    assert replay() == 0
    assert "identical" in capsys.readouterr().out
    assert torch.get_num_threads() == before


def test_a_replay_compares_every_file(tmp_path, monkeypatch, capsys):
    def changing(low, options, nets, generator):
        for frame in run(low, options, nets, generator):
            yield Frame(frame.image, frame.step, frame.steps, files={"kernel.npy": next(content)})

    content = iter(bytes([i]) for i in range(100))
    replay = replayed(tmp_path, dataclasses.replace(FAKE, run=changing), monkeypatch)
    assert replay() == 1
    said = capsys.readouterr().out
    assert "not identical: kernel.npy" in said and "every pixel of the picture is the same" in said


def test_a_replay_asks_for_a_file_that_is_not_stored_and_checks_it(tmp_path, monkeypatch, capsys):
    file = tmp_path / "kernel.txt"
    file.write_text("100000")
    replay = replayed(tmp_path, FILED, monkeypatch, values={"kernel": file})
    assert replay() == 1
    assert "give --kernel FILE" in capsys.readouterr().err
    replay = replayed(tmp_path, FILED, monkeypatch, ("--kernel", file), {"kernel": file})
    assert replay() == 0


def test_a_receipt_is_plain_json():
    recorded = made(decode(FAKE, {}))[0]
    assert json.loads(json.dumps(recorded)) == recorded
