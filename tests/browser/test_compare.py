"""The Compare tab in a real browser, with methods that need no weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gansr.picture import open_picture
from tests.conftest import ROOT
from tests.support.browser import served, visits

SHOTS = ROOT / "screenshots"


@pytest.fixture(scope="module")
def compare_url() -> Iterator[str]:
    with served("tests/support/compare_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, compare_url) -> Iterator[Any]:
    """visit(query, width=1280, dark=False) → the page."""
    with visits(chromium, compare_url) as open_page:

        def opened(
            query: str = "?tab=compare&methods=breaks,works", width: int = 1280, dark: bool = False
        ) -> Any:
            page = open_page(query.removeprefix("?"), width, dark)
            page.locator("#compare-run").wait_for()
            return page

        yield opened


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        path = tmp_path_factory.mktemp("photo") / "cat.png"
        cat.convert("RGB").crop((100, 60, 164, 108)).save(path)
    return path


def give(page: Any, path: Path, tiles: int = 3) -> None:
    page.set_input_files("#compare-picture input[type=file]", str(path))
    page.wait_for_function(f"document.querySelectorAll('#compare-viewer .gv-tile').length >= {tiles}")


def run_all(page: Any) -> None:
    page.locator("#compare-run").click()
    page.locator("#compare-status", has_text="Done:").wait_for()


def cell(page: Any, name: str) -> Any:
    return page.locator(f"#compare-viewer .gv-tile[data-tile='{name}']")


def downloaded(page: Any, path: Path) -> Path:
    """The result of "works", saved as `path`."""
    with page.expect_download() as download:
        cell(page, "works").get_by_role("link").click()
    download.value.save_as(path)
    return path


@pytest.mark.browser
def test_one_fails_in_its_own_tile_and_the_result_is_measured_sorted_and_copied(visit, photo):
    page = visit()
    give(page, photo)
    page.locator("#compare-task").get_by_text("Test quality").click()
    page.locator("#compare-viewer .gv-tile[data-tile='truth']").wait_for()
    run_all(page)
    assert "no good kernel was found" in cell(page, "breaks").inner_text()
    assert "64×48" in cell(page, "works").inner_text()
    body = page.locator("#compare-table tbody")
    names = body.locator("th")
    assert [text.splitlines()[0] for text in names.all_inner_texts()] == ["Bicubic ×4", "Works"]
    page.get_by_role("button", name="PSNR-Y").click()
    values = [float(text) for text in body.locator("td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    page.get_by_role("button", name="PSNR-Y").click()
    values = [float(text) for text in body.locator("td:nth-child(3)").all_inner_texts()]
    assert values == sorted(values)
    page.get_by_role("button", name="Copy as Markdown").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("| Method |")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download JSON").click()
    read = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert read["methods"][1]["receipt"]["method"] == "works" and read["problem"]["name"] == "photo-x4"
    assert "your picture" in page.locator("#compare-verdicts").inner_text()


@pytest.mark.browser
def test_each_of_several_values_of_an_option_is_a_result_with_its_own_download(visit, photo):
    page = visit("?tab=compare&methods=works&works.options=steps%3D2%7C3")
    give(page, photo)
    run_all(page)
    for steps in (2, 3):
        tile = cell(page, f"works-steps-{steps}")
        assert f"Works, steps={steps}" in tile.inner_text()
        with page.expect_download() as download:
            tile.get_by_role("link").click()
        assert download.value.suggested_filename == f"gansr-works-steps-{steps}-0.png"
    names = page.locator("#compare-table tbody th").all_inner_texts()
    assert [text.splitlines()[0] for text in names][1:] == ["Works, steps=2", "Works, steps=3"]
    page.locator("#compare-verdicts figure").nth(1).wait_for()


@pytest.mark.browser
def test_what_a_method_cannot_take_stands_in_its_tile_before_the_run(visit, photo):
    page = visit("?tab=compare&methods=works,wide")
    give(page, photo)
    page.locator("#compare-viewer", has_text="needs at least 200 px").wait_for()
    run_all(page)
    assert cell(page, "works").get_attribute("data-state") == "done"


@pytest.mark.browser
def test_a_method_that_does_not_suit_is_unticked_and_the_others_run(visit, photo):
    page = visit("?tab=compare&methods=works,square,wide")
    give(page, photo)
    page.locator("#compare-status", has_text="Ready").wait_for()
    page.locator("#compare-status", has_text="Square: takes squares of 16 px only").wait_for()
    page.wait_for_function("document.querySelectorAll('#compare-methods input:checked').length === 1")
    run_all(page)
    assert "1 of 1" in page.locator("#compare-status").inner_text()


@pytest.mark.browser
def test_the_nearest_problem_is_one_click_and_ticks_the_method_again(visit, photo):
    page = visit("?tab=compare&methods=square,needy&problem=face-16-256&align=false")
    give(page, photo)
    cell(page, "needy").get_by_text("needs at least 24 px").wait_for()
    assert not page.locator("#compare-methods").get_by_label("Needy").is_checked()
    cell(page, "needy").get_by_role("button", name="Face ×8: 64 → 512 px").click()
    cell(page, "needy").get_by_text("waiting for its turn").wait_for()
    assert page.locator("#compare-methods").get_by_label("Needy").is_checked()
    run_all(page)
    page.wait_for_function(
        """() => {
        const widths = [...document.querySelectorAll('#compare-viewer .gv-layer img')].map(i => i.naturalWidth);
        return widths.length === 3 && widths.every(w => w === 512); }"""
    )
    assert "input resampled to 16×16 px" in cell(page, "square").inner_text()


@pytest.mark.browser
def test_a_run_that_is_refused_leaves_nothing_of_an_older_one(visit, photo):
    page = visit("?tab=compare&methods=works")
    give(page, photo, 2)
    run_all(page)
    page.locator("#compare-picture").get_by_label("Remove Image").click()
    page.locator("#compare-status", has_text="Choose a picture").wait_for()
    page.locator("#compare-run").click()
    page.locator("#compare-status", has_text="No picture yet").wait_for()
    page.wait_for_function("!document.querySelector('#compare-viewer .gv-tile')")
    assert page.locator("#compare-table tbody tr").count() == 0
    assert not page.locator("#compare-verdicts").inner_text().strip()


@pytest.mark.browser
def test_the_controls_of_the_comparison_have_help(visit):
    page = visit("?tab=compare&methods=works")
    for name in ("problem", "methods"):
        help = page.locator(f"#compare-{name} .info-text")
        assert help.evaluate("node => getComputedStyle(node).opacity") == "0"
        page.locator(f"#compare-{name} [data-testid=block-info]").hover()
        page.wait_for_function("node => getComputedStyle(node).opacity === '1'", arg=help.element_handle())


@pytest.mark.browser
def test_the_bar_goes_on_while_results_are_measured(visit, photo):
    page = visit("?tab=compare&methods=works")
    give(page, photo, 2)
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => {
        const bar = document.querySelector('#compare-status .bar i');
        if (bar) window.seen.push(parseInt(bar.style.width)); }).observe(
        document.querySelector('#compare-status'), {subtree: true, childList: true, attributes: true}); }"""
    )
    run_all(page)
    seen = page.evaluate("window.seen")
    assert seen == sorted(seen) and seen[0] < 75 < seen[-1]


@pytest.mark.browser
def test_stop_ends_a_long_run_and_keeps_what_is_finished(visit, photo):
    page = visit("?tab=compare&methods=works,endless")
    give(page, photo)
    page.locator("#compare-run").click()
    cell(page, "endless").get_by_text("step").wait_for()
    page.locator("#compare-stop").click()
    page.locator("#compare-status", has_text="Stopped").wait_for()
    cell(page, "endless").get_by_text("stopped").wait_for()
    assert cell(page, "works").get_attribute("data-state") == "done"
    page.locator("#compare-methods").get_by_label("Endless").uncheck()  # the device is free again
    page.wait_for_function("document.querySelectorAll('#compare-viewer .gv-tile').length === 2")
    run_all(page)


@pytest.mark.browser
def test_a_link_opened_in_a_fresh_browser_restores_all(visit):
    page = visit(
        "?tab=compare&methods=works&works.preset=Long&works.options=scale%3D4&seed=9&example=chelsea-small-x4.png"
    )
    page.wait_for_function("document.querySelectorAll('#compare-viewer .gv-tile').length === 2")
    page.get_by_role("button", name="Share, or restore").click()
    page.locator("#compare-share").click()
    box = page.locator("#compare-link textarea, #compare-link input").first
    page.wait_for_function(
        "(document.querySelector('#compare-link textarea') || document.querySelector('#compare-link input'))"
        ".value.startsWith('http')"
    )
    link = box.input_value()
    assert "example=chelsea-small-x4.png" in link
    other = visit(link[link.index("?") :])
    other.wait_for_function("document.querySelectorAll('#compare-viewer .gv-tile').length === 2")
    other.locator("#compare-options button").first.click()
    assert (
        other.locator("#compare-works-options textarea, #compare-works-options input").first.input_value()
        == "scale=4"
    )
    assert other.locator("#compare-works-preset").get_by_label("Long").is_checked()
    assert other.get_by_label("Seed", exact=True).input_value() == "9"
    assert other.locator("#compare-methods input:checked").count() == 1


@pytest.mark.browser
def test_a_dropped_receipt_restores_and_gives_the_same_picture(visit, photo, tmp_path):
    page = visit("?tab=compare&methods=works&works.options=steps%3D4&seed=5")
    give(page, photo, 2)
    run_all(page)
    result = downloaded(page, tmp_path / "result.png")
    other = visit("?tab=compare&methods=breaks,works")
    other.get_by_role("button", name="Share, or restore").click()
    other.set_input_files("#compare-receipt input[type=file]", str(result))
    other.wait_for_function("document.querySelectorAll('#compare-methods input:checked').length === 1")
    give(other, photo, 2)
    run_all(other)
    again = downloaded(other, tmp_path / "again.png")
    assert torch.equal(open_picture(result).rgb, open_picture(again).rgb)


@pytest.mark.browser
def test_a_result_given_as_the_picture_offers_its_settings(visit, photo, tmp_path):
    page = visit("?tab=compare&methods=works&works.options=steps%3D4&seed=5")
    give(page, photo, 2)
    assert not page.locator("#compare-restore").is_visible()
    run_all(page)
    result = downloaded(page, tmp_path / "result.png")
    other = visit("?tab=compare&methods=breaks,works")
    give(other, result, 2)
    other.locator("#compare-restore-note", has_text="made here: Works, seed 5").wait_for()
    other.locator("#compare-restore").click()
    other.locator("#compare-restore-note", has_text="give it the picture it was made from").wait_for()
    other.wait_for_function("document.querySelectorAll('#compare-methods input:checked').length === 1")
    assert other.locator("#compare-picture img").count() == 0
    other.locator("#compare-restore").wait_for(state="hidden")
    give(other, photo, 2)
    run_all(other)
    again = downloaded(other, tmp_path / "again.png")
    assert torch.equal(open_picture(result).rgb, open_picture(again).rgb)


@pytest.mark.browser
def test_two_visitors_see_their_own_pictures(visit, photo, tmp_path):
    red = tmp_path / "red.png"
    Image.new("RGB", (40, 40), "red").save(red)
    one, two = visit("?tab=compare&methods=works"), visit("?tab=compare&methods=works")
    give(one, photo, 2)
    give(two, red, 2)
    one.locator("#compare-run").click()
    run_all(two)
    one.locator("#compare-status", has_text="Done:").wait_for()
    sizes = "() => [...document.querySelectorAll('#compare-viewer .gv-layer img')].map(i => i.naturalWidth)"
    assert one.evaluate(sizes) == [256, 256]
    assert two.evaluate(sizes) == [160, 160]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_tab_fits_its_window_and_its_picture_is_kept(visit, photo, width, dark):
    page = visit(width=width, dark=dark)
    give(page, photo)
    run_all(page)
    page.locator("#compare-verdicts figure img").first.wait_for()
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"compare-{width}-{'dark' if dark else 'light'}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_a_comparison_goes_on_being_shown_after_a_reload(chromium, compare_url, photo):
    with visits(chromium, compare_url, ("signal is aborted", "Connection errored out")) as open_page:
        page = open_page("tab=compare&methods=endless,works")
        give(page, photo, 3)
        page.locator("#compare-run").click()
        page.locator("#compare-viewer .gv-tile[data-tile='works'][data-state='done']").wait_for()
        step = "() => Number((document.querySelector('#compare-status')?.innerText.match(/Step (\\d+)/) || [0, 0])[1])"
        page.wait_for_function(f"({step})() > 5")
        before = page.evaluate(step)
        page.reload()
        page.wait_for_function(f"({step})() > {before}")
        assert cell(page, "works").get_attribute("data-state") == "done"
        page.locator("#compare-picture img").wait_for()
        page.locator("#compare-stop").click()
        page.locator("#compare-status", has_text="Stopped").wait_for()
        page.reload()
        page.locator("#compare-status", has_text="Stopped").wait_for()
        assert cell(page, "works").get_attribute("data-state") == "done"
