"""A result used again, in a real browser: as the picture of any tab, and an estimated kernel as the kernel file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gansr.picture import read_text
from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
CAT = ROOT / "assets" / "examples" / "chelsea-small-x4.png"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests/support/tabs_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """visit("srgan", width=1280) → the page at this tab."""
    with visits(chromium, address) as open_page:

        def opened(tab: str, width: int = 1280) -> Any:
            page = open_page(f"tab={tab}", width)
            page.locator(f"#{tab}-run").wait_for()
            return page

        yield opened


def run(page: Any, tab: str, picture: Any = CAT) -> None:
    page.set_input_files(f"#{tab}-picture input[type=file]", str(picture))
    page.locator(f"#{tab}-seen", has_text="Input used").wait_for()
    page.locator(f"#{tab}-run").click()
    page.locator(f"#{tab}-status", has_text="Done").wait_for()


def use(page: Any, viewer: str, tab: str) -> None:
    page.locator(f"{viewer} .gv-use").filter(visible=True).first.select_option(tab)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_result_becomes_the_picture_of_another_tab_and_still_offers_its_settings(visit, width):
    page = visit("srgan", width)
    run(page, "srgan")
    menu = page.locator("#srgan-pictures .gv-use").filter(visible=True)
    assert menu.get_attribute("aria-label") == "Use SRGAN as input of …"
    use(page, "#srgan-pictures", "kernelgan")
    page.locator("#kernelgan-seen", has_text="Input used: 448×300 px").wait_for()
    assert "result of SRGAN" in page.locator("#kernelgan-seen").inner_text()
    page.locator("#kernelgan-status", has_text="The result of SRGAN is the picture now").wait_for()
    page.locator("#kernelgan-restore-note", has_text="made here: SRGAN, seed 0").wait_for()
    assert page.locator("#kernelgan-restore").is_visible()
    page.locator("#kernelgan-run").click()
    page.locator("#kernelgan-status", has_text="Done").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_tile_of_the_comparison_becomes_the_picture_of_a_tab_and_of_the_comparison(visit):
    page = visit("compare")
    page.set_input_files("#compare-picture input[type=file]", str(CAT))
    page.locator("#compare-status", has_text="Ready").wait_for()
    assert page.locator("#compare-viewer .gv-use").filter(visible=True).count() == 0
    page.locator("#compare-run").click()
    page.locator("#compare-status", has_text="Done:").wait_for()
    shown = page.locator("#compare-viewer .gv-tile:has(.gv-use:not([hidden]))")
    assert shown.evaluate_all("all => all.map(tile => tile.dataset.tile)") == ["kernelgan", "srgan"]
    use(page, "#compare-viewer .gv-tile[data-tile='srgan']", "compare")
    page.locator("#compare-status", has_text="result of SRGAN").wait_for()
    page.locator("#compare-status", has_text="448×300 → 1792×1200 px").wait_for()


def test_a_result_that_is_too_large_for_a_tab_is_refused_and_stays_on_the_server(visit):
    page = visit("srgan")
    run(page, "srgan", ROOT / "assets" / "examples" / "coffee.png")
    use(page, "#srgan-pictures", "srgan")
    page.locator("#srgan-seen", has_text="at most 1.0 megapixels").wait_for()
    address = page.locator("#srgan-download").get_attribute("href")
    assert page.request.get(f"{page.url.split('?')[0]}{address}").body().startswith(b"\x89PNG")


def test_an_estimated_kernel_becomes_the_kernel_file(visit):
    page = visit("kernelgan")
    button = page.locator("#kernelgan-reuse")
    assert not button.is_visible()
    run(page, "kernelgan")
    button.click()
    page.locator("#kernelgan-status", has_text="the mode is “ZSSR only”").wait_for()
    page.locator("#kernelgan-options > button").click()
    options = page.locator("#kernelgan-options")
    options.get_by_text("kernel_x2").wait_for()
    assert options.get_by_role("radio", name="ZSSR only").is_checked()
    page.locator("#kernelgan-run").click()
    page.locator("#kernelgan-status", has_text="Done").wait_for()
    assert not button.is_visible()  # no kernel was estimated


@pytest.mark.parametrize("width", [1280, 390])
def test_an_estimated_kernel_shrinks_the_pictures_of_other_tabs_quality_tests(visit, width):
    page = visit("kernelgan", width)
    button = page.locator("#kernelgan-kernel")
    assert not button.is_visible()
    run(page, "kernelgan")
    button.click()
    page.locator(
        "#kernelgan-status", has_text="The quality tests of all tabs shrink with this kernel"
    ).wait_for()
    page.get_by_role("tab", name="SRGAN", exact=True).click()
    page.locator("#srgan-task label", has_text="Test quality").click()
    page.set_input_files("#srgan-picture input[type=file]", str(CAT))
    page.locator("#srgan-seen", has_text="Input used").wait_for()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="Done").wait_for()
    path = page.locator("#srgan-download").get_attribute("href")
    settings = json.loads(text_of(page.request.get(f"{page.url.split('?')[0]}{path}").body()))["request"]
    assert settings["shrink_operator"] == "kernel" and settings["shrink_kernel_factor"] == 2
    assert settings["shrink_kernel"]["shape"] == [9, 9]
    page.get_by_role("tab", name="Compare", exact=True).click()
    page.locator("#compare-task label", has_text="Test quality").click()
    page.set_input_files("#compare-picture input[type=file]", str(CAT))
    page.locator("#compare-status", has_text="Ready").wait_for()
    page.get_by_text("Test quality: how the input is made").filter(visible=True).click()
    degradation = page.get_by_label("Degradation", exact=True).filter(visible=True)
    assert degradation.input_value() == "as set below"
    page.get_by_text("Its parameters").filter(visible=True).click()
    page.get_by_text("kernel_x2").filter(visible=True).first.wait_for()


def text_of(png: bytes) -> str:
    """The receipt in a result's PNG."""
    return read_text(png)["gansr"]
