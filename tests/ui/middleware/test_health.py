"""The routes for supervisors and balancers."""

from __future__ import annotations

import pytest

from gansr import papers
from gansr.pipeline import RESTARTS, Pipeline
from gansr.ui import service
from gansr.ui.middleware import middleware
from gansr.ui.middleware.health import Health
from tests.support.asgi import app_with, ask
from tests.support.fakes import FAKE


@pytest.fixture(scope="module")
def app():
    return app_with()


def with_problems(app, *found: str) -> Health:
    return Health(app, lambda: list(found))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_sound_page_answers_ok(app, path):
    reply = ask(with_problems(app), "GET", path)
    assert (reply.status, reply.body) == (200, b"ok\n") and reply.headers["cache-control"] == "no-store"
    assert ask(with_problems(app), "HEAD", path).body == b""


def test_a_page_that_is_not_ready_says_why_and_is_healthy(app):
    layer = with_problems(app, "PULSE is not available now: no worker is there")
    reply = ask(layer, "GET", "/readyz")
    assert reply.status == 503 and b"no worker is there" in reply.body
    assert ask(layer, "GET", "/healthz").status == 200


def test_other_requests_go_to_the_page(app):
    assert ask(with_problems(app, "a problem"), "GET", "/config").status == 200
    assert ask(with_problems(app), "POST", "/healthz").status == 404, "the routes are closed to it"


def test_the_page_s_own_layers_have_it_and_its_headers(app):
    reply = ask(app_with(middleware(problems=lambda: ["no"])), "GET", "/readyz")
    assert reply.status == 503 and "content-security-policy" in reply.headers


def test_a_page_is_ready_where_every_paper_can_run_and_it_does_not_end(monkeypatch):
    monkeypatch.setattr(papers, "METHODS", (FAKE,))
    said = {"fake": ""}

    class Backend:
        def unavailable(self, method: str) -> str:
            return said[method]

    pipeline = Pipeline(service.PIPELINE.engine.__class__("cpu"))
    monkeypatch.setattr(service, "BACKEND", Backend())
    monkeypatch.setattr(service, "PIPELINE", pipeline)
    assert service.problems() == []
    said["fake"] = "no weights"
    assert service.problems() == ["Fake is not available now: no weights"]
    pipeline.drain()
    assert service.problems() == [RESTARTS]
