"""The Rate tab: blind pairs and scores of a fixed set of pictures, and what all votes say.

One event leads a user through the rounds. It is not part of the API; what it receives is bounded in gansr.ui.handlers
and checked here and in gansr.rating.service.
"""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr

from gansr.rating import RatingError, exchange
from gansr.rating.catalogue import CLASSES, read
from gansr.rating.publish import chosen
from gansr.rating.service import TOKEN, Rating
from gansr.rating.storage import FILE, Store, folder
from gansr.rating.vote import BETTER, CLOSER, QUALITY, QUESTIONS
from gansr.ui import files, rating_outcome
from gansr.ui.handlers import number_of, text_of
from gansr.ui.rating import contents, panel
from gansr.ui.run_state import SILENT
from gansr.ui.viewer import address

ALL = "all"
TITLES = {
    BETTER: "Which looks better?",
    CLOSER: "Which is closer to the original?",
    QUALITY: "How good is one picture, from 1 to 5?",
}
FAILED = "() => { window.dispatchEvent(new Event('gansr-rating-failed')); return []; }"
DELETED = "Your votes are deleted."
_lock = threading.Lock()
_rating: list[Rating] = []  # one for the process, opened at its first use


def rating() -> Rating:
    """The ratings of this process. Raises RatingError where there are no pictures or votes cannot be kept."""
    with _lock:
        if not _rating:
            place = folder()
            _rating.append(Rating(read(), Store(place / FILE), publisher=chosen(place)))
        return _rating[0]


def draw_rate() -> None:
    """The whole tab, inside an open gr.Tab with id "rate"."""
    gr.HTML(
        "<p class='summary'>Judge results without knowing which method made them. Metrics say what a formula "
        "sees; your votes say what people see.</p>"
    )
    shown = panel()
    event = shown.select(answered, None, shown, **SILENT)
    event.failure(None, None, None, js=FAILED, **SILENT)
    with gr.Accordion("Outcome of all votes", open=False, elem_id="rate-outcome"):
        with gr.Row():
            question = gr.Dropdown(
                [(title, name) for name, title in TITLES.items()],
                value=BETTER,
                label="Question",
                elem_id="rate-question",
            )
            kind = gr.Dropdown(
                [("All pictures", ALL), *((title, name) for name, title in CLASSES.items())],
                value=ALL,
                label="Pictures",
                elem_id="rate-class",
            )
        with gr.Row(elem_classes="buttons"):
            show = gr.Button("Show the outcome", elem_id="rate-show")
            export = gr.Button("Download all votes", elem_id="rate-export")
        links = gr.HTML(elem_id="rate-files")
        table = gr.HTML(elem_id="rate-table")
    show.click(outcome, [question, kind], table, **SILENT)
    export.click(exported, None, links, **SILENT)


def answered(event: gr.EventData) -> dict[str, Any]:
    """One action of a user → what is shown next. Raises RatingError."""
    known, token = rating(), text_of(event, "token")
    if not TOKEN.fullmatch(token):
        token = known.new_token()
    question = text_of(event, "question")
    question, each = question if question in QUESTIONS else BETTER, text_of(event, "each") == "1"
    action, message = text_of(event, "do"), ""
    if action == "delete":
        known.forget(token)
        token, action, message = known.new_token(), "open", DELETED
    if action == "vote":
        state = known.vote(
            token, text_of(event, "trial"), text_of(event, "answer"), number_of(event, "seconds")
        )
    elif action == "undo":
        state = known.undo(token)
    elif action == "reveal":
        state = known.reveal(token)
    elif action == "next":
        state = known.next(token)
    elif action == "resume":
        state = known.resume(token)
    elif action == "open":
        state = known.open(token, question, each)
    else:
        raise RatingError("this action is not known: reload the page")
    value = contents(state, token, known.catalogue)
    return value | ({"message": message} if message else {})


def outcome(question: Any, kind: Any) -> str:
    """The outcome as HTML. Raises RatingError."""
    if question not in QUESTIONS or kind not in (ALL, *CLASSES):
        raise RatingError(f"the question must be one of {', '.join(QUESTIONS)}")
    return rating_outcome.page_of(rating(), question, "" if kind == ALL else kind)


def exported() -> str:
    """Links to all votes as JSONL and CSV. Raises RatingError."""
    store = rating().store
    made = {
        "gansr-votes.jsonl": exchange.jsonl(store),
        "gansr-votes.csv": exchange.table(store.votes()),
    }
    links = "".join(
        f'<a class="download" href="{address(files.save(text.encode(), name))}" download="{name}">{name}</a>'
        for name, text in made.items()
    )
    return f'<div class="files">{links}</div>'
