"""The Rate tab: its one event takes what a browser sends, and refuses the rest."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from gansr.rating import RatingError, catalogue
from gansr.ui import rate
from gansr.ui.rate import ALL, answered, draw_rate, exported, outcome
from tests.support.rating_set import write


@pytest.fixture(autouse=True)
def _opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GANSR_DATA", str(tmp_path / "votes"))
    monkeypatch.setattr(rate, "read", lambda: catalogue.read(write(tmp_path / "set")))
    monkeypatch.setattr(rate, "_rating", [])
    yield
    for one in rate._rating:
        one.store.close()


def send(**data: Any) -> dict[str, Any]:
    return answered(gr.EventData(None, {"question": "better", "each": "", **data}))


def test_a_user_gets_a_token_and_votes_with_it():
    first = send(do="open", token="")
    assert len(first["token"]) == 22 and first["trial"]["id"]
    second = send(do="vote", token=first["token"], trial=first["trial"]["id"], answer="left", seconds=0.2)
    assert second["place"] == 1 and second["serial"] > first["serial"] and second["undo"]
    assert send(do="undo", token=first["token"])["place"] == 0
    assert len(rate.rating().store.votes()) == 0


def test_a_whole_round_is_voted_and_told():
    shown = send(do="open", token="")
    token = shown["token"]
    for _ in range(10):
        shown = send(do="vote", token=token, trial=shown["trial"]["id"], answer="same", seconds=2)
    assert shown["over"] and shown["trial"] is None and shown["revealed"] == []
    told = send(do="reveal", token=token)["revealed"]
    assert len(told) == 10 and all(sum(one["crowd"].values()) >= 1 for one in told)
    assert any("PSNR-Y" in text for one in told for text in one["metrics"])
    assert send(do="next", token=token)["trial"]


def test_votes_are_deleted_with_their_token():
    first = send(do="open", token="")
    send(do="vote", token=first["token"], trial=first["trial"]["id"], answer="left", seconds=2)
    gone = send(do="delete", token=first["token"])
    assert gone["message"] == rate.DELETED and gone["token"] != first["token"]
    assert rate.rating().store.votes() == []


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "text",
        {"do": 5},
        {"do": "open", "token": ["x"]},
        {"do": "sudo"},
        {"do": "vote", "trial": {}},
    ],
)
def test_what_no_browser_sends_is_refused_or_begins_anew(data: Any):
    try:
        found = answered(gr.EventData(None, data))
    except RatingError:
        return
    assert len(found["token"]) == 22
    json.dumps(found)
    assert rate.rating().store.votes() == []


def test_the_events_are_not_in_the_api():
    async def built() -> gr.Blocks:
        with gr.Blocks(analytics_enabled=False) as page:
            draw_rate()
        return page

    page = asyncio.run(built())
    assert page.get_api_info()["named_endpoints"] == {}
    assert all(event.api_visibility == "private" for event in page.fns.values())


def test_the_outcome_is_shown_for_known_questions_and_classes_only():
    assert "no votes that count" in outcome("better", ALL)
    for wrong in (("why", ALL), ("better", "dogs"), (None, None), (["better"], ALL)):
        with pytest.raises(RatingError):
            outcome(*wrong)


def test_all_votes_can_be_downloaded():
    first = send(do="open", token="")
    send(do="vote", token=first["token"], trial=first["trial"]["id"], answer="left", seconds=2)
    links = exported()
    assert links.count("<a ") == 2 and "gansr-votes.jsonl" in links and first["token"] not in links
