"""Every bad input through every doorway: the page's handler, the API and the command line; and what follows works."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from gansr import __main__ as command
from gansr.engine import Engine
from gansr.method import Frame
from gansr.metrics.consistency import CONSISTENCY
from gansr.pipeline import Pipeline
from gansr.ui import service
from gansr.ui.render import sentence_case
from tests.conftest import ROOT
from tests.support.bad_inputs import BAD
from tests.support.fakes import FAKE
from tests.support.tab_handler import Drawn, drawn

GOOD = ROOT / "assets" / "examples" / "chelsea-small-x4.png"
REFUSED = [bad for bad in BAD if bad.message is not None]


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    engine = Engine("cpu", load=lambda name: None, pace=0.0)
    monkeypatch.setattr(service, "PIPELINE", Pipeline(engine))
    monkeypatch.setattr("gansr.metrics.METRICS", ())
    monkeypatch.setattr("gansr.papers.METHODS", (FAKE,))


@pytest.fixture(scope="module")
def page() -> Drawn:
    return drawn(FAKE)


def last(page: Drawn, **changed: Any) -> dict[Any, Any]:
    *_, update = page.run(**{"picture": str(GOOD)} | changed)
    return update


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_the_page_refuses_it_in_words_and_the_next_picture_works(page, bad, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(bad.data)
    with pytest.raises(gr.Error) as refused:
        last(page, picture=str(path))
    assert sentence_case(bad.message) in str(refused.value)


def test_after_all_that_the_page_works(page):
    assert last(page) is not None


@pytest.mark.parametrize("bad", REFUSED, ids=lambda bad: bad.name)
def test_the_command_refuses_it_in_words(bad, tmp_path, capsys):
    path = tmp_path / "upload.png"
    path.write_bytes(bad.data)
    status = command.main(["fake", str(path), "-o", str(tmp_path / "out.png")])
    assert status == 1
    assert bad.message in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_a_folder_with_one_bad_picture_gives_the_others(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "b.png").write_bytes(GOOD.read_bytes())
    assert command.main(["fake", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["b_fake.png"]
    assert "a.png: not a PNG, JPEG, WebP, HEIC or AVIF picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"picture": None}, "no picture yet"),
        ({"picture": "https://example.org/cat.png"}, "addresses are not opened"),
        ({"steps": float("nan")}, "steps must be a whole number from 1 to 1000"),
        ({"steps": None}, "steps is empty"),
        ({"steps": 5000}, "steps must be"),
        ({"steps": [3]}, "steps must be"),
        ({"kind": "other"}, "kind must be one of nan, memory, refuse"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"seed": float("inf")}, "seed must be a whole number"),
        ({"seed": None}, "seed is empty: a whole number"),
        ({"precision": "half"}, "precision must be one of fast, exact"),
        ({"task": "win"}, "task must be one of"),
        ({"align": "yes"}, "align must be true or false"),
        ({"paste_back": None}, "paste_back is empty: true or false"),
        ({"face": float("nan")}, "face must be a whole number"),
        ({"shrink_noise": 51}, "shrink_noise must be a number from 0 to 50"),
        ({"break_at": 2}, "the computation broke down at step 2"),
    ],
)
def test_a_bad_value_is_refused_in_words(page, changed, words):
    with pytest.raises(gr.Error) as refused:
        last(page, **changed)
    assert sentence_case(words) in str(refused.value)


def test_the_page_says_what_was_normalised(page, tmp_path):
    normalised = next(bad for bad in BAD if bad.message is None and bad.notice)
    assert normalised.notice is not None
    path = tmp_path / "upload.png"
    path.write_bytes(normalised.data)
    try:
        said = "".join(str(update.get(page.results.status, "")) for update in page.run(picture=str(path)))
    except gr.Error as error:  # too small for the method: then that is said
        said = str(error)
    assert normalised.notice in unescape(said) or "at least 4 px" in said


def test_several_answers_stand_in_the_viewer_each_with_its_measures(monkeypatch):
    def several(*given: Any) -> Iterator[Frame]:
        for frame in FAKE.run(*given):
            yield replace(frame, answers={"answer 1": frame.image, "answer 2": 1 - frame.image})

    method = replace(FAKE, run=several)
    monkeypatch.setattr("gansr.papers.METHODS", (method,))
    monkeypatch.setattr("gansr.metrics.METRICS", (CONSISTENCY,))
    page = drawn(method)
    *_, update = page.run(picture=str(GOOD))
    notes = {tile["title"]: tile.get("note", "") for tile in update[page.results.pictures]["tiles"]}
    shown = ["Fake: answer 1", "Answer 2"]  # the result is the first answer: that picture stands there once
    assert list(notes)[1:3] == shown and "Answer 1" not in notes
    found = [re.fullmatch(r"LR-consistency ([\d.]+) dB", notes[title]) for title in shown]
    near, far = (float(match[1]) for match in found if match)
    assert near > far + 10  # the second is the negative


def test_the_command_writes_the_picture_and_says_what_it_measured(tmp_path, capsys):
    out = tmp_path / "new" / "cat.png"
    assert command.main(["fake", str(GOOD), "-o", str(out), "--steps", "3", "--seed", "4"]) == 0
    assert out.exists() and "cat.png (224×150" in capsys.readouterr().out


def test_the_command_prints_json_with_the_receipt(tmp_path, capsys):
    assert command.main(["fake", str(GOOD), "-o", str(tmp_path), "--known-answer", "--json"]) == 0
    (report,) = json.loads(capsys.readouterr().out)
    assert report["receipt"]["method"] == "fake" and report["receipt"]["request"]["steps"] == 5
    assert Path(report["output"]).name == "chelsea-small-x4_fake.png"


def test_a_methods_own_flags_set_its_options_and_save_its_file(tmp_path, capsys):
    given = ["fake", str(GOOD), "-o", str(tmp_path), "--brief", "--json"]
    assert command.main([*given, "--save-map", str(tmp_path / "mine.csv")]) == 0
    assert json.loads(capsys.readouterr().out)[0]["receipt"]["request"]["steps"] == 1
    assert (tmp_path / "mine.csv").read_bytes() == b"a table"
    assert command.main([*given, "--save-map", str(tmp_path / "mine.mat")]) == 1
    assert "there is no .mat file of this result; there are: map.npy, map.csv" in capsys.readouterr().err
