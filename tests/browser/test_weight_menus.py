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
    listed = page.get_by_role("option").all_inner_texts()
    assert listed[0].endswith(f"{BANK} · download 38 MB")
    assert listed[-1].endswith("· needs a file") and "· needs a file" not in listed[1]
    pretend(cache, BANK)
    page.reload()
    page.locator("#mganprior-options button").first.click()
    page.get_by_label("Generator").click()
    assert page.get_by_role("option").first.inner_text().endswith(BANK)


def test_choosing_what_needs_a_file_says_at_once_what_to_do(visit):
    page, status = (page := visit("srgan")), page.locator("#srgan-status")
    weights = page.get_by_label("SRGAN weights")
    weights.click()
    page.get_by_role("option", name="srgan-mmagic-x4").click()
    status.get_by_text("Needs a file: srgan-mmagic-x4 is not here.").wait_for()
    assert "python -m gansr weights import srgan-mmagic-x4" in status.inner_text()
    weights.click()
    page.get_by_role("option", name="srgan-krasserm-x4").click()
    status.get_by_text("Choose a picture and press Run.").wait_for()
