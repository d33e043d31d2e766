"""What a visitor sees at once: finished examples, with the real weights where one is run."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gansr.gallery import COMPARED, TABS
from tests.conftest import ROOT
from tests.support.browser import visits

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.usefixtures("page_weights")]
SHOTS = ROOT / "screenshots"
SEEN = """name => {
  const tiles = [...document.querySelectorAll('#compare-viewer .gv-tile[data-pictured="1"] img')];
  return tiles.length > 5 && tiles.every(image => image.complete && image.naturalWidth)
    && document.querySelector('#compare-status').innerText.includes(name)
}"""


@pytest.fixture
def visit(chromium, page_url) -> Iterator[Any]:
    """visit(query="", width=1280, dark=False) → the page."""
    with visits(chromium, page_url) as open_page:
        yield open_page


def test_the_page_opens_with_a_finished_comparison(visit, capsys):
    page = visit("start=1")
    page.wait_for_function(SEEN, arg=COMPARED[0].title)
    took = page.evaluate("performance.now()")
    sizes = page.evaluate(
        "performance.getEntriesByType('resource')"
        ".filter(e => e.name.includes('assets/gallery')).map(e => e.encodedBodySize)"
    )
    with capsys.disabled():
        print(
            f"\nthe first comparison is seen after {took / 1000:.2f} s; its files have {sum(sizes) / 1000:.0f} kB"
        )
    assert 0 < sum(sizes) < 300_000
    assert "Bicubic" in page.locator("#compare-table").inner_text()
    assert page.locator("#compare-picture img").count() == 0  # nothing was chosen for the user


def test_the_pictures_are_there_before_the_page_is_drawn_and_then_give_way(visit, capsys):
    page = visit("start=2")
    page.wait_for_function(SEEN, arg=COMPARED[0].title)
    assert page.locator("#first-view").count() == 0
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    with capsys.disabled():
        print(f"\nthe first view is painted after {paint / 1000:.2f} s")


@pytest.mark.parametrize("query", ["tab=srgan", "tab=compare&example=chelsea.png"])
def test_an_address_that_leads_elsewhere_has_no_first_view(visit, query):
    page = visit(query)
    assert page.locator("#first-view").count() == 0


def test_the_viewer_works_on_the_example(visit):
    page = visit()
    page.wait_for_function(SEEN, arg=COMPARED[0].title)
    viewer = page.locator("#compare-viewer")
    viewer.locator("[data-do=wipe]").click()
    viewer.locator("select[data-el=a]").select_option("srgan")
    viewer.locator("select[data-el=b]").select_option("truth")
    assert viewer.locator("[data-el=nameb]").inner_text() == "Original"
    viewer.locator("[data-do=one]").click()
    viewer.locator("[data-el=percent]", has_text="100 %").wait_for()


def test_another_example_swaps_the_comparison_and_another_setting_leaves_it(visit):
    page = visit()
    page.wait_for_function(SEEN, arg=COMPARED[0].title)
    cat = next(example for example in COMPARED if example.name == "cat")
    page.get_by_role("button", name=f"Example: {cat.title}").click()
    page.locator("#compare-status", has_text=f"Example: {cat.title}").wait_for()
    assert page.locator("#compare-viewer .gv-tile").count() == 4  # bicubic, two methods, the original
    ticked = page.locator("#compare-methods input:checked").count()
    assert ticked == 2
    page.locator("#compare-task").get_by_text("Run on my picture").click()
    page.locator("#compare-status", has_text="Ready").wait_for()
    assert page.locator("#compare-table tbody tr").count() == 0


def test_an_own_picture_takes_the_place_of_the_example(visit, tmp_path):
    page = visit("tab=srgan")
    page.locator("#srgan-status", has_text="Example:").wait_for()
    assert page.locator("#srgan-measures tbody tr").count() > 5
    with Image.open(ROOT / "assets" / "examples" / "coffee.png") as coffee:
        coffee.convert("RGB").crop((100, 100, 164, 148)).save(tmp_path / "own.png")
    page.set_input_files("#srgan-picture input[type=file]", str(tmp_path / "own.png"))
    page.locator("#srgan-status", has_text="Press Run.").wait_for()
    assert page.locator("#srgan-measures tbody tr").count() == 0


def test_the_example_of_a_tab_runs_on_request_and_gives_the_lossless_result(visit):
    page = visit("tab=srgan")
    page.locator("#srgan-status", has_text="Example:").wait_for()
    page.get_by_role("button", name="Run it yourself").click()
    page.locator("#srgan-status", has_text="Done").wait_for()
    page.locator("#srgan-download").wait_for()
    with page.expect_download() as download:
        page.locator("#srgan-download").click()
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as result:
        assert (result.format, result.size) == ("PNG", (448, 300))
        assert "gansr" in result.info


@pytest.mark.parametrize("name", ["pulse", "mganprior", "kernelgan"])
def test_the_example_of_a_search_has_a_replay(visit, name):
    page = visit(f"tab={name}")
    page.locator(f"#{name}-status", has_text="Example:").wait_for()
    image = page.locator(f"#{name}-moment img")
    image.wait_for()
    last = image.get_attribute("src")
    slider = page.locator(f"#{name}-replay input[type=range]")
    slider.focus()
    slider.press("Home")
    page.wait_for_function(
        "([id, last]) => document.querySelector(id).src && !document.querySelector(id).src.endsWith(last)",
        arg=[f"#{name}-moment img", (last or "").rpartition("/")[2]],
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_examples_fit_their_window(visit, width, dark):
    page = visit("", width, dark)
    page.wait_for_function(SEEN, arg=COMPARED[0].title)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"gallery-{width}-{'dark' if dark else 'light'}.png", full_page=True)


@pytest.mark.parametrize("name", TABS)
def test_how_it_works_is_told_with_an_animation(visit, name):
    page = visit(f"tab={name}")
    page.locator(f"#{name}-how > button").click()
    page.wait_for_function(
        "id => { const i = document.querySelector(id); return i && i.complete && i.naturalWidth > 100 }",
        arg=f"#{name}-how .how img",
    )
