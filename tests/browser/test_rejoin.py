"""After a reload a tab shows its picture and its run again: a running one, an ended one, one that was left too long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
# What Gradio logs where a page is left while a run is on.
OF_LEAVING = ("signal is aborted", "Connection errored out")
STEP = (
    "() => Number((document.querySelector('#endless-status')?.innerText.match(/Step (\\d+)/) || [0, 0])[1])"
)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served("tests/support/queue_server.py", PATIENCE="5") as url:
        yield url


@pytest.fixture
def visit(chromium, site) -> Iterator[Any]:
    """visit("works") → the page of a new visitor, on this tab."""
    with visits(chromium, site, OF_LEAVING) as open_page:

        def opened(method: str) -> Any:
            page = open_page(f"tab={method}")
            settle(page)
            return page

        yield opened


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        path = tmp_path_factory.mktemp("photo") / "cat.png"
        cat.convert("RGB").crop((100, 60, 164, 108)).save(path)
    return path


def settle(page: Any) -> None:
    page.wait_for_function("window.gansr && window.gansr.ready()")


def begin(page: Any, method: str, path: Path) -> None:
    page.set_input_files(f"#{method}-picture input[type=file]", str(path))
    page.locator(f"#{method}-seen img").wait_for()
    page.locator(f"#{method}-run").click()


def status(page: Any, method: str, text: str) -> None:
    page.locator(f"#{method}-status", has_text=text).wait_for()


def step(page: Any) -> int:
    return page.evaluate(STEP)


def pictured(page: Any, method: str) -> None:
    """Wait until the viewer has the result's picture, shown alone or beside another."""
    tile = f"#{method}-pictures .gv-tile[data-tile=result][data-pictured='1']"
    page.locator(tile).wait_for(state="attached")


def pressable(page: Any, method: str, name: str) -> None:
    page.wait_for_function("id => !document.querySelector(id).disabled", arg=f"button#{method}-{name}")


def test_a_running_job_goes_on_being_shown_after_a_reload_and_can_be_stopped(visit, photo):
    page = visit("endless")
    begin(page, "endless", photo)
    page.wait_for_function(f"({STEP})() > 20")
    before = step(page)
    page.reload()
    page.wait_for_function(f"({STEP})() > {before}")
    page.locator("#endless-picture img").wait_for()
    pictured(page, "endless")
    assert page.locator("button#endless-run").is_disabled()
    page.locator("button#endless-stop").click()
    status(page, "endless", "Stopped.")
    pressable(page, "endless", "run")
    page.reload()
    status(page, "endless", "Stopped.")
    pressable(page, "endless", "run")


def test_a_result_is_there_after_a_reload_as_it_was(visit, photo):
    page = visit("works")
    begin(page, "works", photo)
    page.locator("#works-measures table").wait_for()
    status(page, "works", "Done")
    pressable(page, "works", "run")
    parts = ("#works-status", "#works-verdict", "#works-files", "#works-measures", "#works-views")
    before = [page.locator(part).inner_text() for part in parts]
    page.reload()
    page.locator("#works-measures table").wait_for()
    pressable(page, "works", "run")
    page.wait_for_function(  # Gradio counts the time of an event inside of its outputs, invisibly
        "([parts, before]) => parts.every((part, i) => document.querySelector(part).innerText === before[i])",
        arg=[parts, before],
    )
    pictured(page, "works")
    page.locator("#works-picture img").wait_for()
    with page.expect_download() as download:
        page.locator("#works-download").click()
    with Image.open(download.value.path()) as result:
        assert result.size == (128, 96)


def test_other_browser_tabs_show_nothing_of_it(visit, photo):
    page = visit("works")
    begin(page, "works", photo)
    status(page, "works", "Done")
    other = page.context.new_page()
    other.goto(page.url)
    settle(other)
    status(other, "works", "Choose a picture and press Run.")
    assert other.locator("#works-picture img").count() == 0


def test_a_run_that_is_left_is_paused_lets_others_compute_and_goes_on(visit, photo):
    page, other = visit("endless"), visit("endless")
    begin(page, "endless", photo)
    page.wait_for_function(f"({STEP})() > 20")
    before, there = step(page), page.url
    begin(other, "endless", photo)
    status(other, "endless", "Waiting")
    page.goto("about:blank")
    other.wait_for_function(f"({STEP})() > 20")
    page.goto(there)
    status(page, "endless", "another job goes first")
    paused, others = step(page), step(other)
    other.wait_for_function(f"({STEP})() > {others + 20}")
    assert before <= step(page) == paused
    other.locator("button#endless-stop").click()
    status(other, "endless", "Stopped.")
    page.wait_for_function(f"({STEP})() > {paused}")
    page.locator("button#endless-stop").click()
    status(page, "endless", "Stopped.")


@pytest.fixture
def impatient(chromium) -> Iterator[Any]:
    """As `visit`, of a server that ends a run as soon as it is paused."""
    server = served("tests/support/queue_server.py", PATIENCE="5", KEEP="0")
    with server as url, visits(chromium, url, OF_LEAVING) as open_page:
        yield lambda method: open_page(f"tab={method}")


def test_who_comes_back_too_late_is_told_and_sees_the_best_so_far(impatient, photo):
    page, other = impatient("endless"), impatient("endless")
    for each in (page, other):
        settle(each)
        begin(each, "endless", photo)
        status(each, "endless", "Step" if each is page else "Waiting")
    page.wait_for_function(f"({STEP})() > 20")
    there = page.url
    page.goto("about:blank")
    other.wait_for_function(f"({STEP})() > 20")  # the other run has ended
    page.goto(there)
    status(page, "endless", "This run was ended: nobody came back to it")
    pictured(page, "endless")
    page.locator("#endless-picture img").wait_for()
    pressable(page, "endless", "run")
    other.locator("button#endless-stop").click()
    status(other, "endless", "Stopped.")
