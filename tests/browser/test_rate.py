"""The Rate tab in a real browser: a round by keyboard and by touch, two users, a reload, dark mode, accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
SHOTS = ROOT / "screenshots"
KEYS = ("ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp")


@pytest.fixture(scope="module")
def rating_url(tmp_path_factory) -> Iterator[str]:
    with served("tests/support/rating_server.py", GANSR_DATA=str(tmp_path_factory.mktemp("votes"))) as url:
        yield url


@pytest.fixture
def visit(chromium, rating_url) -> Iterator[Any]:
    """visit(width=1280, dark=False, touch=False) → the page with its first question."""
    with visits(chromium, rating_url) as open_page:

        def opened(width: int = 1280, dark: bool = False, touch: bool = False, query: str = "") -> Any:
            page = open_page(query, width, dark, touch)
            page.wait_for_function("document.querySelector('.rt')?.dataset.trial")
            return page

        yield opened


def trial(page: Any) -> str:
    return page.locator(".rt").get_attribute("data-trial")


def after(page: Any, act: Any) -> None:
    """Do `act` and wait for the server's answer."""
    before = page.locator(".rt [data-el=progress]").inner_text() + trial(page)
    act()
    page.wait_for_function(
        "before => { const rt = document.querySelector('.rt'); return !rt.hasAttribute('aria-busy') &&"
        " rt.querySelector('[data-el=progress]').innerText + rt.dataset.trial !== before }",
        arg=before,
    )


def told(page: Any, count: int) -> None:
    page.wait_for_function("n => document.querySelectorAll('.rt-names article').length === n", arg=count)


def test_a_whole_round_by_keyboard(visit):
    page = visit()
    for number in range(10):
        after(page, lambda key=KEYS[number % 4]: page.keyboard.press(key))
        assert page.locator(".rt-names article").count() == 0
        if number == 4:
            after(page, lambda: page.keyboard.press("Backspace"))
            assert "4 of 10" in page.locator(".rt [data-el=progress]").inner_text()
            after(page, lambda: page.keyboard.press("ArrowLeft"))
    assert page.get_by_role("button", name="Show the names").is_visible()
    page.keyboard.press("Enter")
    told(page, 10)
    text = page.locator(".rt-names").inner_text()
    assert "Your answer" in text and "PSNR-Y" in text and "A control pair" in text
    assert not page.locator(".rt [data-el=undo]").is_visible()
    page.keyboard.press("Enter")
    page.locator(".rt [data-el=ask]").wait_for()
    assert "0 of 10" in page.locator(".rt [data-el=progress]").inner_text()


def test_a_whole_round_by_touch_on_a_narrow_screen(visit):
    page = visit(390, touch=True)
    for number in range(10):
        name = ("Left", "Right", "No difference", "Both bad")[number % 4]
        after(page, lambda name=name: page.get_by_role("button", name=name).tap())
    page.get_by_role("button", name="Show the names").tap()
    told(page, 10)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_reload_goes_on_with_the_same_question(visit):
    page = visit()
    for _ in range(3):
        after(page, lambda: page.keyboard.press("ArrowLeft"))
    before = trial(page)
    page.reload()
    page.wait_for_function("document.querySelector('.rt')?.dataset.trial")
    assert trial(page) == before
    assert "3 of 10" in page.locator(".rt [data-el=progress]").inner_text()


def test_a_reload_keeps_the_question_that_was_chosen(visit):
    page = visit()
    after(page, lambda: page.locator(".rt [data-el=question]").select_option("closer"))
    assert page.locator(".rt [data-el=truth]").is_visible()
    after(page, lambda: page.keyboard.press("ArrowLeft"))
    before = trial(page)
    page.reload()
    page.wait_for_function("document.querySelector('.rt')?.dataset.trial")
    assert trial(page) == before and page.locator(".rt [data-el=question]").input_value() == "closer"


def test_two_users_do_not_disturb_each_other(visit):
    one, other = visit(), visit()
    after(one, lambda: one.keyboard.press("ArrowLeft"))
    after(one, lambda: one.keyboard.press("ArrowLeft"))
    after(other, lambda: other.keyboard.press("ArrowRight"))
    assert "2 of 10" in one.locator(".rt [data-el=progress]").inner_text()
    assert "1 of 10" in other.locator(".rt [data-el=progress]").inner_text()


def test_scores_begin_with_training_and_are_given_by_number(visit):
    page = visit()
    page.locator(".rt [data-el=question]").select_option("quality")
    page.locator(".rt [data-el=hint]", has_text="Training").wait_for()
    for _ in range(5):
        after(page, lambda: page.keyboard.press("3"))
    assert "Keys: 1 to 5" in page.locator(".rt [data-el=hint]").inner_text()
    after(page, lambda: page.keyboard.press("4"))
    assert "1 of 10" in page.locator(".rt [data-el=progress]").inner_text()


def test_the_pictures_are_what_the_server_has_and_zoom_together(visit):
    page = visit()
    sizes = page.evaluate(
        "[...document.querySelectorAll('.rt canvas')].slice(0, 2).map(c => [c.width, c.height])"
    )
    assert sizes == [[64, 64], [64, 64]]
    # The small picture is in every result here but for noise, so the mask came off.
    apart = page.evaluate(
        "() => { const [left, right] = ['left', 'right'].map(name => document.querySelector(`.rt [data-el=${name}]`)"
        ".getContext('2d').getImageData(0, 0, 64, 64).data);"
        " return left.reduce((sum, value, at) => sum + Math.abs(value - right[at]), 0) / left.length }"
    )
    assert 0 < apart < 40
    page.locator(".rt [data-el=left]").dblclick()
    zooms = page.evaluate("[...document.querySelectorAll('.rt canvas')].map(c => c.style.transform)")
    assert "scale(3)" in zooms[0] and len(set(zooms)) == 1


def test_votes_are_deleted_and_the_outcome_is_shown(visit):
    page = visit()
    after(page, lambda: page.keyboard.press("ArrowLeft"))
    page.get_by_text("What is stored").click()
    page.get_by_role("button", name="Delete my votes").click()
    after(page, lambda: page.get_by_role("button", name="Delete", exact=True).click())
    assert "Your votes are deleted" in page.locator(".rt [data-el=say]").inner_text()
    assert "0 of 10" in page.locator(".rt [data-el=progress]").inner_text()
    page.locator("#rate-outcome > button").click()
    page.locator("#rate-show").click()
    page.locator("#rate-table", has_text="What does not count").wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_has_no_serious_accessibility_finding(visit, width, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(width, dark)
    page.locator(".rt [data-el=each]").select_option("1")
    page.wait_for_function("!document.querySelector('.rt').hasAttribute('aria-busy')")
    SHOTS.mkdir(exist_ok=True)
    for name in ("question", "names"):
        if name == "names":
            page.keyboard.press("ArrowLeft") if width > 400 else page.locator("[data-answer=left]").click()
            told(page, 1)
        page.screenshot(path=SHOTS / f"rate-{name}-{width}-{'dark' if dark else 'light'}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        report = axe.Axe().run(page, "#rating").response["violations"]
        serious = [
            (rule["id"], [node["html"][:160] for node in rule["nodes"]][:4])
            for rule in report
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], name
