"""A run as its visitor sees it: what is ahead of it, which button can be pressed, and nothing of an older run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def queue_url() -> Iterator[str]:
    with served("tests/support/queue_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, queue_url) -> Iterator[Any]:
    """visit("works") → the page of a new visitor, on this tab."""
    with visits(chromium, queue_url) as open_page:

        def opened(method: str) -> Any:
            page = open_page()
            page.get_by_role("tab", name=method.capitalize()).click()
            button(page, method, "run").wait_for()
            return page

        yield opened


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        path = tmp_path_factory.mktemp("photo") / "cat.png"
        cat.convert("RGB").crop((100, 60, 164, 108)).save(path)
    return path


def give(page: Any, method: str, path: Path) -> None:
    page.set_input_files(f"#{method}-picture input[type=file]", str(path))
    page.locator(f"#{method}-seen img").wait_for()


def button(page: Any, method: str, name: str) -> Any:
    return page.locator(f"button#{method}-{name}")


def status(page: Any, method: str, text: str) -> str:
    """The status, once it has `text`."""
    found = page.locator(f"#{method}-status", has_text=text)
    found.wait_for()
    return found.inner_text()


def press(page: Any, method: str, name: str) -> None:
    """Press a button, which is the one of the two that can be pressed."""
    other = "stop" if name == "run" else "run"
    page.wait_for_function(
        "([on, off]) => !document.querySelector(on).disabled && document.querySelector(off).disabled",
        arg=[f"button#{method}-{name}", f"button#{method}-{other}"],
    )
    button(page, method, name).click()


SEEN = """() => {
    const status = document.querySelector('#works-status');
    window.seen = [];
    new MutationObserver(() => window.seen.push(status.innerText)).observe(
        status, { childList: true, subtree: true, characterData: true });
}"""
STEP = "() => Number((document.querySelector('#endless-status').innerText.match(/Step (\\d+)/) || [0, 0])[1])"


def step(page: Any) -> int:
    return page.evaluate(STEP)


def tile(page: Any, method: str, name: str) -> Any:
    return page.locator(f"#{method}-pictures .gv-tile[data-tile='{name}']")


def begin(page: Any, method: str, path: Path) -> None:
    give(page, method, path)
    press(page, method, "run")


def test_who_waits_sees_what_is_ahead_and_no_picture_under_the_methods_name(visit, photo):
    first, second, third = (visit("endless") for _ in range(3))
    begin(first, "endless", photo)
    assert re.search(r"Step \d+ of 100000 · 0 % · about \d+ min left", status(first, "endless", "left"))
    for page, ahead in ((second, "1 job ahead, about"), (third, "2 jobs ahead")):
        begin(page, "endless", photo)
        assert "Waiting: " in status(page, "endless", ahead)
        result = tile(page, "endless", "result")
        result.get_by_text("Waiting: ").wait_for()
        assert result.get_attribute("data-pictured") == ""
        assert tile(page, "endless", "bicubic").get_attribute("data-pictured") == "1"
        assert page.locator("#endless-pictures .gv").get_attribute("data-mode") == "grid"
    press(first, "endless", "stop")
    status(second, "endless", "Step")
    second.locator("#endless-pictures .gv[data-mode=wipe]").wait_for()
    status(third, "endless", "1 job ahead")
    for page in (third, second):
        press(page, "endless", "stop")
        status(page, "endless", "Stopped.")


def test_a_short_run_overtakes_a_long_one_that_goes_on(visit, photo):
    first, second = visit("works"), visit("endless")
    begin(first, "works", photo)
    status(first, "works", "Done")
    begin(second, "endless", photo)
    status(second, "endless", "Step")
    first.evaluate(SEEN)
    press(first, "works", "run")  # it waits for up to two seconds (gansr.turns.LEND), or not at all
    first.wait_for_function(
        "window.seen.some(t => !t.includes('Done')) && window.seen.at(-1).includes('Done')"
    )
    before = step(second)
    second.wait_for_function(f"({STEP})() > {before}")
    press(second, "endless", "stop")
    status(second, "endless", "Stopped.")


def test_either_run_or_stop_can_be_pressed(visit, photo):
    page = visit("endless")
    give(page, "endless", photo)
    for _ in range(2):
        press(page, "endless", "run")
        status(page, "endless", "Step")
        press(page, "endless", "stop")
        status(page, "endless", "Stopped.")
    page.locator("#endless-picture").get_by_role("button", name="Remove Image").click()
    press(page, "endless", "run")
    status(page, "endless", "no picture yet")
    press(page, "endless", "run")


def nothing_older(page: Any, method: str = "fickle") -> bool:
    """Whether the tab of `method` shows nothing of a result."""
    page.locator(f"#{method}-pictures .gv-tile[data-tile=result][data-pictured='1']").wait_for(
        state="detached"
    )
    shown = page.locator(f"#{method}-files a, #{method}-measures table").count()
    return not shown and not page.locator(f"#{method}-replay").is_visible()


def test_a_run_that_fails_leaves_nothing_of_an_older_one(visit, photo):
    page = visit("fickle")
    begin(page, "fickle", photo)
    status(page, "fickle", "Done")
    page.locator("#fickle-download").wait_for()
    press(page, "fickle", "run")
    status(page, "fickle", "no good kernel was found")
    assert nothing_older(page)
    press(page, "fickle", "run")
    status(page, "fickle", "Done")
    page.locator("#fickle-download").wait_for()
    page.locator("#fickle-picture").get_by_role("button", name="Remove Image").click()
    press(page, "fickle", "run")
    status(page, "fickle", "no picture yet")
    assert nothing_older(page)


def test_a_run_that_is_refused_before_it_begins_leaves_nothing_of_an_older_one(visit, photo):
    page = visit("works")
    begin(page, "works", photo)
    status(page, "works", "Done")
    page.locator("#works-download").wait_for()
    page.locator("#works-options > button").click()
    seed = page.get_by_label("Seed").filter(visible=True)
    seed.fill("99999999999")
    seed.press("Tab")
    press(page, "works", "run")
    status(page, "works", "Press Run to try again")
    assert nothing_older(page, "works")


def test_an_error_goes_when_another_picture_is_chosen(visit, photo, tmp_path):
    bad = tmp_path / "cut.png"
    bad.write_bytes(photo.read_bytes()[:800])
    page = visit("works")
    page.set_input_files("#works-picture input[type=file]", str(bad))
    page.locator("#works-seen", has_text="the file is damaged").wait_for()
    press(page, "works", "run")
    status(page, "works", "the file is damaged")
    give(page, "works", photo)
    status(page, "works", "Press Run.")
    assert "damaged" not in page.locator("#works-seen").inner_text()
