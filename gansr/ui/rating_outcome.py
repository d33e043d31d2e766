"""The outcome of all votes as HTML: ranks, strengths or scores with intervals, metrics that disagree, the rules."""

from __future__ import annotations

import math
import threading
from html import escape

from gansr.rating.catalogue import Catalogue
from gansr.rating.exclusion import QUICK_RULE, RULES
from gansr.rating.opinion import Opinion
from gansr.rating.outcome import Agreement, Outcome, Strength
from gansr.rating.service import Rating
from gansr.rating.vote import QUALITY

_lock = threading.Lock()
_made: dict[tuple[str, str], tuple[int, str]] = {}  # question and class → number of writes, HTML


def page_of(rating: Rating, question: str, kind: str) -> str:
    """The outcome of a question for a class of pictures, "" for all. Computed once for the same votes."""
    with _lock:  # one at a time: it may take seconds
        writes, html = _made.get((question, kind), (-1, ""))
        if writes != rating.store.writes:
            writes = rating.store.writes
            html = html_of(rating.outcome(question, kind), rating.archive())
            _made[question, kind] = (writes, html)
        return html


def html_of(found: Outcome, catalogue: Catalogue) -> str:
    """The outcome as HTML."""
    if not found.votes:
        return "<p>There are no votes that count yet.</p>" + _rules(found)
    if found.question == QUALITY:
        body = _scores(found.opinions, catalogue)
    elif found.groups > 1:
        body = "<p>There are no ranks yet: the votes do not connect every pair of methods.</p>"
    else:
        body = _ranks(found.strengths, catalogue)
    return f"<p><b>{_count(found)}</b></p>{body}{_agreements(found.agreements, catalogue)}{_rules(found)}"


def _count(found: Outcome) -> str:
    votes, raters = found.votes, found.raters
    return f"{votes} vote{'s' * (votes != 1)} of {raters} session{'s' * (raters != 1)}"


def _name(entry: str, catalogue: Catalogue) -> str:
    return f'{escape(catalogue.title(entry))}<small translate="no">{escape(entry)}</small>'


def _ranks(found: list[Strength], catalogue: Catalogue) -> str:
    rows = [
        [
            f"{one.rank} ({one.best_rank}–{one.worst_rank})",
            f"{_signed(one.strength)} ({_signed(one.low)} … {_signed(one.high)})",
            str(one.votes),
        ]
        for one in found
    ]
    heads = ("Method", "Rank (95 %)", "Strength (95 %)", "Votes")
    note = (
        "<p>Bradley-Terry strength: the natural logarithm of the odds against an average method. No difference and "
        "both bad count as half a win for each.</p>"
    )
    return _table(heads, [_name(one.entry, catalogue) for one in found], rows) + note


def _scores(found: list[Opinion], catalogue: Catalogue) -> str:
    rows = [
        [
            f"{one.mean:.2f} ({one.low:.2f} … {one.high:.2f})",
            *(f"{100 * share:.0f} %" for share in one.shares),
            str(one.votes),
        ]
        for one in found
    ]
    heads = ("Method", "Mean score (95 %)", "1 Bad", "2 Poor", "3 Fair", "4 Good", "5 Excellent", "Votes")
    return _table(heads, [_name(one.entry, catalogue) for one in found], rows)


def _agreements(found: list[Agreement], catalogue: Catalogue) -> str:
    if not found:
        return ""
    names = [escape(one.title) for one in found]
    rows = [
        [
            "–" if math.isnan(one.correlation) else _signed(one.correlation),
            str(one.entries),
            "–"
            if one.disagreement is None
            else " · ".join(escape(catalogue.title(name)) for name in one.disagreement),
        ]
        for one in found
    ]
    heads = ("Metric", "Rank correlation", "Methods", "People's choice · the metric's choice")
    return (
        "<h3>Where a metric disagrees with people</h3><p>Spearman's rank correlation of the metric's mean and people's "
        "order: 1 is the same order, −1 the opposite.</p>" + _table(heads, names, rows)
    )


def _rules(found: Outcome) -> str:
    counted = found.counted
    lines = "".join(
        f"<li>{escape(text)} <b>{counted.excluded.get(rule, 0)}</b></li>" for rule, text in RULES.items()
    )
    same = "" if counted.consistency is None else (
        f"<p>Repeated pairs were answered in the same way in {100 * counted.consistency:.0f} % of the cases.</p>"
    )  # fmt: skip
    return (
        f"<h3>What does not count</h3><ul>{lines}<li>{escape(QUICK_RULE)} <b>{counted.quick}</b></li></ul>{same}"
        "<p>All votes stay in the download.</p>"
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _table(heads: tuple[str, ...], names: list[str], rows: list[list[str]]) -> str:
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        for name, row in zip(names, rows, strict=True)
    )
    table = f'<table class="measures"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="tablewrap">{table}</div>'
