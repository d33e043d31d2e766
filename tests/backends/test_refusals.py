"""What the errors of `spaces` mean."""

from __future__ import annotations

import httpx
import pytest

from gansr.backends.refusals import TEXTS, refusal_of
from tests.support.lender import refused


def test_a_refusal_says_what_is_left_where_spaces_says_it():
    text = "You have exceeded your free ZeroGPU quota (60s requested vs. 23s left). Try again in 1:00:00. "
    found = refusal_of(refused("ZeroGPU quota exceeded", text))
    assert found is not None and (found.kind, found.left) == ("quota", 23.0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            refused("ZeroGPU quota exceeded", "Space app has reached its GPU limit. Try re-running outside"),
            "quota",
        ),
        (refused("ZeroGPU pending credits exceeded", "You have too many ZeroGPU credits allocated"), "quota"),
        (RuntimeError("ZeroGPU API /schedule error: 500 (Internal Server Error)"), "no gpu"),
        (RuntimeError("Error while re-trying after queue disconnect"), "no gpu"),
        (RuntimeError("Connection closed by visitor while queueing"), "expired"),
        (httpx.ConnectError("refused"), "no gpu"),
    ],
)
def test_what_is_not_gradios_error_is_understood_too(error, kind):
    found = refusal_of(error)
    assert found is not None and found.kind == kind and str(found) == TEXTS[kind]


@pytest.mark.parametrize("error", [KeyError("quota"), refused("ZeroGPU worker error", "KeyError")])
def test_an_error_of_the_program_is_none_of_them(error):
    assert refusal_of(error) is None


def test_every_text_says_what_to_do():
    assert all("ress Run" in text or "hoose fewer steps" in text for text in TEXTS.values())
    assert len(set(TEXTS.values())) == len(TEXTS)
