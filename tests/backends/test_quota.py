"""What visitors have left, told and assumed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gansr.backends import quota
from gansr.backends.quota import DAY, FRESH, MOST, TIERS, Quota


@dataclass
class Hub:
    """A clock, and what the Hub answers."""

    now: float = 0.0
    left: float | None = 90.0
    asked: list[str] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def answer(self, token: str) -> float | None:
        self.asked.append(token)
        return self.left


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def known(hub) -> Quota:
    return Quota(hub.clock, hub.answer)


def test_of_a_stranger_the_least_is_assumed_and_what_is_used_counts(known):
    assert (known.left("a"), known.is_told("a")) == (TIERS["anonymous"], False)
    known.use("a", 50)
    assert (known.left("a"), known.left("b")) == (70, 120)
    known.use("a", 500)
    assert known.left("a") == 0


def test_what_the_hub_tells_counts_and_is_asked_for_once_in_a_while(known, hub):
    known.refresh("a", "hf_x")
    known.refresh("a", "hf_x")
    assert (known.left("a"), known.is_told("a"), hub.asked) == (90, True, ["hf_x"])
    hub.now, hub.left = FRESH + 1, 30
    known.refresh("a", "hf_x")
    assert known.left("a") == 30


def test_where_the_hub_does_not_answer_the_assumption_stays(known, hub):
    hub.left = None
    known.refresh("a", "hf_x")
    assert (known.left("a"), known.is_told("a")) == (120, False)


def test_the_next_day_is_a_new_one(known, hub):
    known.tell("a", 0)
    hub.now = DAY + 1
    assert known.left("a") == 120


def test_only_the_latest_visitors_are_kept(known):
    known.tell("first", 1)
    for number in range(MOST):
        known.left(str(number))
    assert known.left("first") == 120


class Answer:
    remaining = 23


@pytest.mark.parametrize(("answer", "left"), [(Answer(), 23.0), (OSError("no network"), None)])
def test_the_hub_is_asked_through_its_own_client(answer, left, monkeypatch):
    asked = []

    class Api:
        def get_zero_gpu_quota(self, *, token):
            asked.append(token)
            if isinstance(answer, Exception):
                raise answer
            return answer

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert quota.remaining("hf_x") == left and asked == ["hf_x"]
