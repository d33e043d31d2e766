"""The sessions that the server keeps: how many, and how long their names may be.

Gradio 6.31 keeps a state of 0.7 MB for each name of a session that a request gives, and takes names of any length.
"""

from __future__ import annotations

from annotated_types import MaxLen
from gradio.data_classes import PredictBody, SimplePredictBody

CAPACITY = 100  # sessions: the least recently used is forgotten
LONGEST_NAME = 64  # characters; those of Gradio's clients have 10 to 36


def limit_names() -> None:
    """Let Gradio refuse a request whose session has a longer name. Call it before the page is launched."""
    for body in (PredictBody, SimplePredictBody):
        field = body.model_fields["session_hash"]
        if not any(isinstance(limit, MaxLen) for limit in field.metadata):
            field.metadata.append(MaxLen(LONGEST_NAME))
            body.model_rebuild(force=True)
