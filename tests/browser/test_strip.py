"""The strip of the user's last results in a real browser: kept there alone, bounded, restored, downloaded, cleared."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
CAT = ROOT / "assets" / "examples" / "chelsea-small-x4.png"
# Raises the event of a finished result: a canvas of w×h px in place of the server's file.
FINISH = """async ([key, w, h]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: w, height: h });
    canvas.getContext("2d").fillRect(0, 0, w / 2, h);
    const png = await new Promise((done) => canvas.toBlob(done, "image/png"));
    const real = window.fetch;
    window.fetch = (url, ...more) =>
        String(url).startsWith("made/") ? Promise.resolve(new Response(png)) : real(url, ...more);
    const told = { name: "result.png", tab: "srgan", title: key, settings: "seed 0" };
    const detail = { ...told, url: `made/${key}/result.png` };
    window.dispatchEvent(new CustomEvent("gansr-result", { detail })); }"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests/support/tabs_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """visit("srgan", width=1280) → the page at this tab."""
    with visits(chromium, address) as open_page:

        def opened(tab: str = "srgan", width: int = 1280) -> Any:
            page = open_page(f"tab={tab}", width)
            page.locator(f"#{tab}-run").wait_for()
            return page

        yield opened


def run(page: Any, results: int) -> None:
    page.locator("#srgan-run").click()
    page.wait_for_function("n => document.querySelectorAll('#strip li').length === n", arg=results)
    page.locator("#srgan-run:not([disabled])").wait_for()


def strip(page: Any) -> Any:
    return page.locator("#strip section")


def titles(page: Any) -> list[str]:
    return page.locator("#strip li b").all_inner_texts()


def test_results_are_kept_restored_downloaded_and_cleared(visit):
    page = visit()
    assert strip(page).is_hidden()
    page.set_input_files("#srgan-picture input[type=file]", str(CAT))
    page.locator("#srgan-seen", has_text="Input used").wait_for()
    page.locator("#srgan-preset").get_by_text("Blend 0.5").click()
    run(page, 1)
    assert "kept in this browser only" in strip(page).inner_text()
    assert "×4, Blend 0.5, seed 0" in strip(page).inner_text() or "seed 0" in strip(page).inner_text()
    page.locator("#srgan-preset").get_by_text("SRGAN: sharp").click()
    run(page, 2)

    with page.expect_download() as download:
        strip(page).get_by_role("button", name="Download all as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["01-gansr-srgan-0.png", "02-gansr-srgan-0.png"]
        with Image.open(io.BytesIO(archive.read("02-gansr-srgan-0.png"))) as picture:
            assert picture.size == (448, 300) and '"blend": 0.5' in picture.text["gansr"]  # type: ignore[attr-defined]

    page.reload()
    page.locator("#strip li button").nth(1).click()  # the first result
    large = page.locator("#strip dialog")
    page.wait_for_function("document.querySelector('#strip dialog img').naturalWidth === 448")
    assert "448×300 px" in large.inner_text()
    large.get_by_role("button", name="Restore settings").click()
    # The page, loaded again, also fetches its last run: which of both the status names last depends on the machine.
    page.wait_for_function("document.querySelector('#strip').textContent.includes('are restored in its tab')")
    page.locator("#srgan-options > button").click()
    blend = page.locator("#srgan-options input[type=number][aria-label*='Blend']").filter(visible=True).first
    page.wait_for_function("input => input.value === '0.5'", arg=blend.element_handle())

    strip(page).get_by_role("button", name="Clear").click()
    strip(page).get_by_role("button", name="Remove", exact=True).click()
    strip(page).wait_for(state="hidden")


def test_the_results_of_a_comparison_are_kept_each(visit):
    page = visit("compare", 390)
    page.set_input_files("#compare-picture input[type=file]", str(CAT))
    page.locator("#compare-status", has_text="Ready").wait_for()
    page.locator("#compare-run").click()
    page.wait_for_function("document.querySelectorAll('#strip li').length === 2")
    assert set(titles(page)) == {"KernelGAN + ZSSR", "SRGAN"}
    assert "Photograph ×4, seed 0" in strip(page).inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_at_most_twenty_are_kept_and_the_oldest_go_first(visit):
    page = visit()
    for index in range(22):
        page.evaluate(FINISH, [f"result {index}", 8, 6])
        page.wait_for_function(
            "title => document.querySelector('#strip li b')?.textContent === title", arg=f"result {index}"
        )
    assert titles(page) == [f"result {index}" for index in range(21, 1, -1)]


def test_a_removed_result_does_not_come_back(visit):
    page = visit()
    page.evaluate(FINISH, ["one", 8, 6])
    page.locator("#strip li button").click()
    page.locator("#strip dialog").get_by_role("button", name="Remove").click()
    strip(page).wait_for(state="hidden")
    page.evaluate(FINISH, ["one", 8, 6])
    page.evaluate(FINISH, ["two", 8, 6])
    page.wait_for_function("document.querySelector('#strip li b')?.textContent === 'two'")
    assert titles(page) == ["two"]


def test_without_a_database_the_strip_hides_itself(visit):
    page = visit()
    page.context.add_init_script(
        "IDBFactory.prototype.open = () => { throw new DOMException('not here', 'SecurityError') }"
    )
    page.reload()
    page.locator("#srgan-run").wait_for()
    page.set_input_files("#srgan-picture input[type=file]", str(CAT))
    page.locator("#srgan-seen", has_text="Input used").wait_for()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="Done").wait_for()
    assert strip(page).is_hidden()
