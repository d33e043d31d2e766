"""Fine-tuning in a real browser: upload, Start, what is shown meanwhile, Stop, and a run with the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gansr.papers.srgan import own
from tests.conftest import ROOT
from tests.support.browser import served, visits

pytestmark = pytest.mark.browser
EXAMPLES = ROOT / "assets" / "examples"
PICTURES = [str(EXAMPLES / name) for name in ("coffee.png", "rocket.jpg")]
CAT = EXAMPLES / "chelsea-small-x4.png"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served("tests/support/tune_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, address) -> Iterator[Any]:
    """visit(width=1280, dark=False) → SRGAN's tab, with the panel open and pictures chosen."""
    with visits(chromium, address) as open_page:

        def opened(width: int = 1280, dark: bool = False, pictures: list[str] = PICTURES) -> Any:
            page = open_page("tab=srgan", width, dark)
            page.locator("#srgan-fine-tune > button").click()
            page.set_input_files("#srgan-tune-pictures input[type=file]", pictures)
            page.locator("#srgan-tune-pictures", has_text=Path(pictures[-1]).stem).wait_for()
            return page

        yield opened


def test_a_network_is_trained_downloaded_and_computes_the_next_result(visit, tmp_path):
    page = visit()
    assert not page.locator("#srgan-tune-use").is_visible()
    page.locator("#srgan-tune").click()
    page.locator("#srgan-tune-status", has_text="Done: 3 steps").wait_for()
    strip = page.locator("#srgan-tune-strip img")
    page.wait_for_function("document.querySelector('#srgan-tune-strip img').naturalWidth > 1000")
    assert strip.get_attribute("alt") == "Bicubic, this network, and the truth"
    assert page.locator("#srgan-tune-strip b").all_inner_texts() == ["Bicubic", "This network", "Original"]
    assert page.locator("#srgan-tune-curves svg").count() == 2
    with page.expect_download() as download:
        page.locator("#srgan-tune-download a").click()
    download.value.save_as(tmp_path / "model.safetensors")
    assert own.network_of(own.read_network(tmp_path / "model.safetensors")).scale == 4

    page.locator("#srgan-tune-use").click()
    page.locator("#srgan-status", has_text="Press Run").wait_for()
    options = page.locator("#srgan-options")
    options.get_by_role("button", name="Options").click()
    options.get_by_text("model", exact=False).filter(has_text="safetensors").first.wait_for()
    assert options.get_by_label("Model", exact=True).first.input_value() == "Your own network"
    page.set_input_files("#srgan-picture input[type=file]", str(CAT))
    page.locator("#srgan-seen", has_text="Input used").wait_for()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="Done").wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_stop_keeps_what_was_learned_and_a_second_visitor_is_told_to_wait(visit, width):
    page, other = visit(width, dark=width == 390), visit()
    page.locator("#srgan-tune-variant input").click()
    page.get_by_role("option", name="Many").click()
    page.locator("#srgan-tune").click()
    page.locator("#srgan-tune-status", has_text="Training · step").wait_for()
    assert page.locator("#srgan-tune").is_disabled() and page.locator("#srgan-tune-stop").is_enabled()
    page.screenshot(path=ROOT / "screenshots" / f"fine-tune-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    other.locator("#srgan-tune").click()
    other.locator("#srgan-tune-status", has_text="Another network is being trained").wait_for()
    page.locator("#srgan-tune-stop").click()
    page.locator("#srgan-tune-use").wait_for()
    assert "Done:" in page.locator("#srgan-tune-status").inner_text()
    page.wait_for_function("!document.querySelector('#srgan-tune').disabled")


def test_a_file_that_is_no_picture_is_refused_in_words(visit, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    page = visit(pictures=[str(tmp_path / "text.png")])
    page.locator("#srgan-tune").click()
    page.locator("#srgan-tune-status", has_text="not a PNG, JPEG, WebP, HEIC or AVIF picture").wait_for()
