"""Rounds of simulated users: what is asked, what is kept, and when names are told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from gansr.rating import RatingError
from gansr.rating.catalogue import NEAREST, TRUTH
from gansr.rating.publish import Publisher
from gansr.rating.service import GONE, Rating, State
from gansr.rating.storage import FILE, Store
from gansr.rating.trial import CAP, ROUND, TRAINING
from gansr.rating.vote import BETTER, CLOSER, GOLD, QUALITY, REPEAT
from tests.support.raters import catalogue


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / FILE)
    yield made
    made.close()


def rating_of(store: Store, seed: int = 0, pictures: int = 6, methods: int = 3) -> Rating:
    return Rating(catalogue(methods, pictures, {"m0": 20.0, "m1": 21.0}), store, random=lambda: Random(seed))


def answer(rating: Rating, token: str, state: State, given: str = "left") -> State:
    assert state.trial is not None
    return rating.vote(token, state.trial.id, given, 2.0)


def whole_round(rating: Rating, token: str, state: State) -> State:
    while state.trial is not None:
        state = answer(rating, token, state)
    return state


def test_a_round_has_ten_pairs_with_a_control_pair_and_later_a_repeated_one(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    state = rating.open(token, BETTER, each=False)
    for number in range(6):
        state = whole_round(rating, token, state)
        assert state.round_over and state.place == ROUND
        assert len(rating.reveal(token).revealed) == ROUND
        state = rating.next(token)
        assert state.answered == (number + 1) * ROUND
    votes = store.votes()
    assert len(votes) == CAP and state.trial is None and not state.round_over
    assert [vote.number for vote in votes] == list(range(CAP))
    roles = Counter((vote.round, vote.role) for vote in votes)
    assert all(roles[number, GOLD] == 1 for number in range(6))
    assert sum(roles[number, REPEAT] for number in range(6)) >= 5
    assert {vote.pair for vote in votes if vote.role == GOLD} == {(NEAREST, TRUTH)}
    assert all(TRUTH not in vote.pair for vote in votes if vote.role != GOLD)


def test_a_repeated_pair_was_asked_before_with_the_sides_the_other_way_round(store: Store):
    rating = rating_of(store, seed=3)
    token = rating.new_token()
    state = rating.open(token, BETTER, each=False)
    for _ in range(6):
        whole_round(rating, token, state)
        rating.reveal(token)
        state = rating.next(token)
    votes = store.votes()
    for again in (vote for vote in votes if vote.role == REPEAT):
        first = next(vote for vote in votes if (vote.picture, vote.pair) == (again.picture, again.pair))
        assert first.number <= again.number - 4 and (first.left, first.right) == (again.right, again.left)


def test_sides_and_order_are_random(store: Store):
    rating = Rating(catalogue(3, 6), store)
    lefts, firsts = Counter[str](), Counter[str]()
    for _ in range(30):
        token = rating.new_token()
        state = rating.open(token, BETTER, each=False)
        assert state.trial is not None
        firsts[state.trial.picture] += 1
        lefts["first" if state.trial.left < state.trial.right else "second"] += 1
    assert len(firsts) > 3 and min(lefts.values()) > 3


def test_no_names_are_told_before_the_end_of_the_round_and_all_after_it(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    state = rating.open(token, BETTER, each=False)
    for _ in range(ROUND):
        assert state.revealed == [] and rating.reveal(token).revealed == []
        state = answer(rating, token, state)
    assert state.revealed == []
    told = rating.reveal(token).revealed
    assert [(one.entries[0], one.entries[1], one.answer) for one in told] == [
        (vote.left, vote.right, vote.answer) for vote in store.votes()
    ]
    assert all(sum(one.crowd.values()) >= 1 for one in told)


def test_names_are_told_after_each_answer_if_the_user_wants_it(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    state = rating.open(token, CLOSER, each=True)
    state = answer(rating, token, state, "right")
    assert len(state.revealed) == 1 and state.revealed[0].crowd["right"] == 1
    assert state.trial is None and not state.can_undo
    following = rating.next(token)
    assert following.trial is not None and following.revealed == [] and following.place == 1


def test_an_answer_is_taken_back_and_asked_again_but_not_after_the_names(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    first = rating.open(token, BETTER, each=False)
    assert not first.can_undo and first.trial is not None
    second = answer(rating, token, first)
    assert second.can_undo
    again = rating.undo(token)
    assert again.trial is not None and store.votes() == [] and store.deleted() == [first.trial.id]
    assert (again.trial.picture, again.trial.left) == (first.trial.picture, first.trial.left)
    state = whole_round(rating, token, again)
    assert state.can_undo
    rating.reveal(token)
    assert rating.undo(token).message and len(store.votes()) == ROUND


def test_another_time_of_telling_does_not_open_earlier_answers_to_changes(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    answer(rating, token, rating.open(token, BETTER, each=True))
    rating.next(token)
    assert not rating.open(token, BETTER, each=False).can_undo


def test_an_answer_sent_twice_is_kept_once_and_one_to_another_trial_not_at_all(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    first = rating.open(token, BETTER, each=False)
    assert first.trial is not None
    answer(rating, token, first)
    assert rating.vote(token, first.trial.id, "right", 1.0).message == ""
    assert rating.vote(token, "f" * 32, "right", 1.0).message == GONE
    assert [vote.answer for vote in store.votes()] == ["left"]


def test_an_answer_or_token_that_is_not_possible_is_refused(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    state = rating.open(token, BETTER, each=False)
    assert state.trial is not None
    for wrong in ("", "5", "best"):
        with pytest.raises(RatingError):
            rating.vote(token, state.trial.id, wrong, 1.0)
    for wrong in ("", "short", "x" * 23, "é" * 22):
        with pytest.raises(RatingError):
            rating.open(wrong, BETTER, each=False)
    with pytest.raises(RatingError):
        rating.open(token, "why", each=False)
    assert store.votes() == []


def test_the_viewing_time_is_never_longer_than_the_time_since_it_was_asked(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    state = rating.open(token, BETTER, each=False)
    assert state.trial is not None
    rating.vote(token, state.trial.id, "left", 3000.0)
    assert store.votes()[0].seconds < 1000


def test_a_round_goes_on_after_a_reload_and_after_a_restart(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    state = rating.open(token, BETTER, each=False)
    for _ in range(4):
        state = answer(rating, token, state)
    reloaded = rating.open(token, BETTER, each=False)
    assert reloaded.trial == state.trial and reloaded.place == 4
    restarted = rating_of(store).open(token, BETTER, each=False)
    assert restarted.place == 4 and restarted.trial is not None and not restarted.can_undo


def test_another_question_begins_a_round_of_its_own(store: Store):
    rating = rating_of(store)
    token = rating.new_token()
    answer(rating, token, rating.open(token, BETTER, each=False))
    other = rating.open(token, CLOSER, each=False)
    assert other.place == 0 and other.trial is not None and other.trial.question == CLOSER


def test_scores_begin_with_training_that_is_not_kept_and_show_no_picture_twice(store: Store):
    rating = rating_of(store, pictures=3)
    token = rating.new_token()
    state = rating.open(token, QUALITY, each=False)
    for place, entry in enumerate(TRAINING):
        assert state.trial is not None and state.trial.training and state.trial.left == entry
        assert (state.place, state.of) == (place, len(TRAINING))
        state = answer(rating, token, state, "3")
    assert store.votes() == []
    shown: list[tuple[str, str]] = []
    while state.trial is not None or state.round_over:
        if state.trial is None:
            rating.reveal(token)
            state = rating.next(token)
            continue
        shown.append((state.trial.picture, state.trial.left))
        state = answer(rating, token, state, "4")
    assert len(shown) == len(set(shown)) == 3 * 6
    assert {entry for _, entry in shown} >= {TRUTH, NEAREST, "bicubic"}


def test_a_user_deletes_the_votes_and_the_counts_with_them(store: Store):
    rating = rating_of(store)
    mine, other = rating.new_token(), rating.new_token()
    for token in (mine, other):
        answer(rating, token, rating.open(token, BETTER, each=False))
    assert rating.forget(mine) == 1
    assert len(store.votes()) == 1 and rating.forget(mine) == 0
    assert rating._pairs.total() == 1
    assert rating.open(mine, BETTER, each=False).answered == 0


def test_pairs_with_few_votes_and_close_strengths_come_first(store: Store):
    rating = rating_of(store, pictures=2)
    for number in range(40):
        rating._random = lambda number=number: Random(number)
        token = rating.new_token()
        state = rating.open(token, BETTER, each=False)
        while state.trial is not None:
            best = min(state.trial.left, state.trial.right)
            state = answer(rating, token, state, "left" if state.trial.left == best else "right")
    counts = Counter(vote.pair for vote in store.votes() if vote.role == "normal")
    assert counts["m0", "m1"] > counts["bicubic", "nearest"] * 0.5 and min(counts.values()) > 5
    close, far = counts["m0", "m1"], counts["bicubic", "m2"]
    assert close > far


def test_votes_are_published_without_anything_but_the_vote(store: Store, tmp_path: Path):
    class Scheduler:
        lock = threading.Lock()

    publisher = Publisher(tmp_path / "published", Scheduler())
    rating = Rating(catalogue(), store, publisher=publisher)
    token = rating.new_token()
    answer(rating, token, rating.open(token, BETTER, each=False))
    rating.undo(token)
    lines = publisher.path.read_text().splitlines()
    assert len(lines) == 2 and '"type": "vote"' in lines[0] and '"type": "deleted"' in lines[1]
    assert token not in publisher.path.read_text()
