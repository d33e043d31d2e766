"""Keys, maps, alignment, native pictures and files of the viewer, on small pictures whose pixels are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import ROOT
from tests.support.browser import visits
from tests.support.viewer_page import saved, viewer_page

pytestmark = pytest.mark.browser
SHOTS = ROOT / "screenshots"
W, H = 64, 48
RANDOM = np.random.default_rng(3)
BASE = RANDOM.integers(60, 190, (H, W, 3)).astype(np.uint8)
NOISY = (BASE + RANDOM.integers(-20, 21, BASE.shape)).astype(np.uint8)
BRIGHT, DARK = BASE + np.uint8(16), BASE - np.uint8(32)
MOVED = np.roll(BASE, (2, -1), (0, 1))  # 1 px to the left and 2 px down
NATIVE = BASE.repeat(2, 0).repeat(2, 1)
PICTURES = {"Base": BASE, "Bright": BRIGHT, "Dark": DARK, "Noisy": NOISY, "Moved": MOVED}


@pytest.fixture(scope="module")
def tools_url() -> Iterator[str]:
    """A page that waits, then has five results, then one result and a waiting method."""
    from gansr.ui.viewer import contents, tile

    paths = {name: saved(picture) for name, picture in PICTURES.items()}
    native = (saved(NATIVE), "128×96 as the method gave it")
    tiles = [
        tile(
            name,
            name,
            "done",
            "2.0 s",
            path,
            download=f"{name}.png",
            native=native if name == "Base" else None,
        )
        for name, path in paths.items()
    ]
    waiting = [tile(name, name, text="waiting for its turn") for name in ("SRGAN", "PULSE")]
    with viewer_page(contents(waiting), contents(tiles), contents([tiles[0], waiting[0]])) as url:
        yield url


@pytest.fixture
def waiting(chromium, tools_url) -> Iterator[Any]:
    """waiting(width=1280, dark=False, touch=False) → the page before there is a picture."""
    with visits(chromium, tools_url) as open_page:

        def opened(width: int = 1280, dark: bool = False, touch: bool = False) -> Any:
            page = open_page("", width, dark, touch)
            page.locator(".gv-tile").nth(1).wait_for()
            return page

        yield opened


@pytest.fixture
def visit(waiting) -> Any:
    """visit(…) → the page with five results, the pointer over the first."""

    def opened(*arguments: Any, **named: Any) -> Any:
        page = waiting(*arguments, **named)
        page.locator("#next").click()
        page.wait_for_function(
            "[...document.querySelectorAll('.gv-layer img')].filter(i => i.naturalWidth && i.dataset.zoom).length === 5"
        )
        view(page, "Base").hover()
        return page

    return opened


def view(page: Any, name: str) -> Any:
    return page.locator(f".gv-tile[data-tile='{name}'] .gv-view")


def shown(page: Any) -> list[str]:
    return page.locator(".gv-tile:visible .gv-head b").all_inner_texts()


def found(page: Any, name: str, text: str) -> str:
    """The tile's line about its map, once it has `text`."""
    line = page.locator(f".gv-tile[data-tile='{name}'] [data-is=found]", has_text=text)
    line.wait_for()
    return line.inner_text()


def pixels(page: Any, name: str) -> np.ndarray:
    """The map (H,W,3) of a tile."""
    data = page.locator(f".gv-tile[data-tile='{name}'] canvas").evaluate(
        "c => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(data[2:]).reshape(*data[:2], 4)[..., :3]


def number_in(text: str) -> float:
    return float(re.findall(r"−?[\d.]+", text)[0].replace("−", "-"))


# ------------------------------------------------------------------------------------------------- keys


def test_a_digit_shows_one_tile_alone_and_the_same_digit_all_again(visit):
    page = visit()
    page.keyboard.press("3")
    assert shown(page) == ["Dark"]
    assert view(page, "Dark").bounding_box()["width"] > 700
    page.keyboard.press("4")
    assert shown(page) == ["Noisy"]
    page.keyboard.press("4")
    assert shown(page) == list(PICTURES)
    page.keyboard.press("1")
    page.keyboard.press("f")  # A alone: B takes its place
    assert shown(page) == ["Bright"]
    page.keyboard.press("f")
    assert shown(page) == ["Base"]
    page.keyboard.press("9")  # there is no ninth
    assert shown(page) == ["Base"]


def test_keys_act_only_over_the_viewer_or_with_its_focus_and_never_while_typing(visit):
    page = visit()
    viewer = page.locator(".gv")
    page.mouse.move(1, 1)
    page.keyboard.press("w")
    assert viewer.get_attribute("data-mode") == "grid"
    view(page, "Dark").focus()
    page.keyboard.press("w")
    assert viewer.get_attribute("data-mode") == "wipe"
    box = page.locator("#chosen textarea, #chosen input")
    box.focus()
    page.locator(".gv-wipe .gv-view").hover()
    page.keyboard.type("g3ds?")
    assert box.input_value() == "g3ds?"
    assert viewer.get_attribute("data-mode") == "wipe"
    assert viewer.get_attribute("data-map") == ""
    box.evaluate("node => node.blur()")
    page.keyboard.press("g")
    assert viewer.get_attribute("data-mode") == "grid"


def test_the_keys_are_listed_in_a_dialog_that_escape_closes(visit):
    page = visit()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys and gestures")
    for key, title in (
        ("1–9", "Show one picture alone"),
        ("R", "reference"),
        ("Shift ←", "1 px"),
        ("Ctrl K", ""),
    ):
        assert title in dialog.locator("dl div", has=page.get_by_text(key, exact=True)).inner_text()
    page.keyboard.press("w")  # the viewer behind it does not listen
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert page.locator(".gv").get_attribute("data-mode") == "grid"
    page.get_by_role("button", name="Keys").focus()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Close").click()
    assert dialog.count() == 0


def test_the_command_palette_lists_every_action_filters_and_runs(visit):
    page = visit()
    page.keyboard.press("Control+k")
    options = page.get_by_role("dialog", name="Commands").get_by_role("option")
    everything = options.all_inner_texts()
    named = page.locator(".gv [data-do]").evaluate_all("nodes => nodes.map(n => n.dataset.do)")
    assert len(everything) > len(named)
    for words in ("Grid", "Wipe", "Flicker", "Zoom in", "Signed difference", "SSIM map", "Save comparison image",
                  "1 px up", "Full screen", "Show Noisy alone", "Picture B: Dark"):  # fmt: skip
        assert any(words in option for option in everything), words
    page.keyboard.type("alone noisy")
    assert [option.split("\n")[0] for option in options.all_inner_texts()] == ["Show Noisy alone"]
    page.keyboard.press("Enter")
    assert shown(page) == ["Noisy"]
    page.keyboard.press("Control+k")
    page.keyboard.type("picture")
    chosen = page.locator(".gv [role=option][aria-selected=true]")
    first = chosen.inner_text()
    page.keyboard.press("ArrowDown")
    assert chosen.inner_text() != first
    page.keyboard.type(" of nothing")
    assert page.get_by_text("No command has these words.").is_visible()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


# ------------------------------------------------------------------------------------------------- maps


def test_the_signed_difference_is_blue_where_darker_and_red_where_brighter(visit):
    page = visit()
    view(page, "Base").hover()
    page.keyboard.press("r")
    page.keyboard.press("d")
    assert found(page, "Base", "reference") == "reference"
    assert number_in(found(page, "Bright", "difference")) == 16
    assert number_in(found(page, "Dark", "difference")) == -32
    assert (pixels(page, "Bright") == pixels(page, "Bright")[0, 0]).all()
    red, blue = pixels(page, "Bright")[0, 0], pixels(page, "Dark")[0, 0]
    np.testing.assert_allclose(red, [245, 166, 130], atol=2)  # 16 of 32: half-way to the end
    np.testing.assert_allclose(blue, [33, 102, 171], atol=2)
    legend = page.locator(".gv-legend")
    assert "−32" in legend.inner_text()
    assert "+32 of 255" in legend.inner_text()
    assert "Signed difference to Base" in legend.inner_text()
    page.get_by_label("Scale of the difference").fill("8")
    page.wait_for_function("document.querySelectorAll('.gv canvas[data-scale=\"255\"]').length === 4")
    assert "+255 of 255" in legend.inner_text()
    assert (pixels(page, "Dark")[0, 0] > blue).any()
    page.keyboard.press("d")
    page.wait_for_function("document.querySelectorAll('.gv canvas').length === 0")
    assert not legend.is_visible()


def test_the_absolute_difference_is_that_of_the_pixels(visit):
    page = visit()
    page.get_by_label("Show").select_option("absolute")
    wanted = np.abs(NOISY.astype(int) - BASE.astype(int)).mean()
    assert number_in(found(page, "Noisy", "difference")) == pytest.approx(wanted, abs=0.006)
    assert number_in(found(page, "Dark", "difference")) == 32


def test_the_ssim_map_is_computed_in_a_worker_and_its_mean_is_that_of_the_metric(visit):
    from gansr.metrics.ssim import ssim_y

    page = visit()
    workers: list[Any] = []
    page.on("worker", lambda worker: workers.append(worker.url))
    page.keyboard.press("s")
    for name in ("Noisy", "Dark", "Moved"):
        a, b = (torch.tensor(picture).permute(2, 0, 1) / 255 for picture in (PICTURES[name], BASE))
        assert number_in(found(page, name, "SSIM").replace("-", "−")) == pytest.approx(ssim_y(a, b), abs=1e-4)
    assert len(workers) >= 4  # one for each tile but the reference
    legend = page.locator(".gv-legend").inner_text()
    assert "SSIM to Base" in legend
    assert "0" in legend.split("\n")
    assert pixels(page, "Noisy").std() > 5


# -------------------------------------------------------------------------------------- alignment, native


def test_a_tile_is_moved_against_the_others_by_its_own_pixels(visit, tmp_path):
    page = visit()
    moved = page.locator(".gv-tile[data-tile='Moved']")
    caption = moved.locator("[data-is=moved]")
    page.keyboard.press("d")  # to the first picture
    assert abs(number_in(found(page, "Moved", "difference"))) < 10
    page.get_by_label("Show").select_option("absolute")
    assert number_in(found(page, "Moved", "absolute")) > 30
    view(page, "Moved").hover()
    page.mouse.move(*(view(page, "Moved").bounding_box()[side] + 30 for side in ("x", "y")))
    page.evaluate("document.activeElement.blur()")
    before = moved.locator(".gv-layer").bounding_box()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowUp")
    assert caption.inner_text() == "moved 1, −2 px"
    found(page, "Moved", "0.00")  # it now lies on the first, where both are
    edge = pixels(page, "Moved")
    assert (edge[:, -1] == 128).all()  # its last column lies beside the first picture
    assert (edge[:2] == 128).all()
    after = moved.locator(".gv-layer").bounding_box()
    pixel = before["width"] / W
    assert after["x"] - before["x"] == pytest.approx(pixel, abs=0.1)
    assert after["y"] - before["y"] == pytest.approx(-2 * pixel, abs=0.1)
    with page.expect_download() as download:
        moved.get_by_role("link").click()
    with Image.open(Path(download.value.path())) as file:
        assert (np.asarray(file) == MOVED).all()  # the file is not changed
    page.mouse.move(*(view(page, "Moved").bounding_box()[side] + 30 for side in ("x", "y")))
    page.keyboard.press("Shift+Digit0")
    assert caption.inner_text() == ""
    assert number_in(found(page, "Moved", "absolute")) > 30


def test_the_native_picture_is_one_click_away_and_shows_the_same_field(visit):
    page = visit()
    tile = page.locator(".gv-tile[data-tile='Base']")
    image = tile.locator(".gv-layer img")
    width = "i => i.naturalWidth"
    view(page, "Base").hover()
    page.mouse.wheel(0, -300)
    page.wait_for_function("document.querySelector('.gv').dataset.zoom > 1.5")
    before = image.bounding_box()
    button = tile.get_by_role("button", name="128×96 as the method gave it")
    button.click()
    page.wait_for_function("document.querySelector('.gv-tile[data-tile=Base] img').naturalWidth === 128")
    assert button.get_attribute("aria-pressed") == "true"
    after = image.bounding_box()
    assert [after[side] for side in after] == pytest.approx([before[side] for side in before], abs=0.5)
    assert page.locator(".gv-tile[data-tile='Bright'] .gv-layer img").evaluate(width) == W
    button.click()
    page.wait_for_function("document.querySelector('.gv-tile[data-tile=Base] img').naturalWidth === 64")


# ------------------------------------------------------------------------------------------------ states


def test_nothing_can_be_pressed_before_there_is_a_picture(waiting):
    page = waiting()
    live = page.locator(".gv-bar").locator("button:enabled, select:enabled, input:enabled")
    assert live.evaluate_all("nodes => nodes.map(n => n.dataset.do)") == ["more", "keys"]
    view(page, "SRGAN").hover()
    for key in ("w", "f", "d", "s"):
        page.keyboard.press(key)
    assert page.locator(".gv").get_attribute("data-mode") == "grid"
    assert page.locator(".gv").get_attribute("data-map") == ""
    page.locator("#next").click()
    page.locator(".gv button[data-do=wipe]:enabled").wait_for()


def test_a_waiting_tile_is_not_labelled_as_a_result_and_says_so_in_its_middle(waiting):
    page = waiting()
    for following in range(2):  # none has a picture; then one of two
        tile = page.locator(".gv-tile[data-tile='SRGAN']")
        assert tile.locator(".gv-head i").inner_text() == ""
        assert tile.locator(".gv-head b").evaluate("n => +getComputedStyle(n).fontWeight") < 600
        text = tile.get_by_text("waiting for its turn").bounding_box()
        box = view(page, "SRGAN").bounding_box()
        for side, length in (("x", "width"), ("y", "height")):
            middle = box[side] + box[length] / 2
            assert text[side] + text[length] / 2 == pytest.approx(middle, abs=2)
        if not following:
            page.locator("#next").click()
            page.locator(".gv-tile[data-tile='Noisy']").wait_for()
            page.locator("#next").click()
            page.locator(".gv-tile[data-tile='Noisy']").wait_for(state="detached")
            page.locator(".gv-tile[data-tile='Base'][data-pictured='1']").wait_for()
    assert page.get_by_label("Picture B").locator("option").all_inner_texts() == ["Base"]
    assert page.locator("button[data-do=wipe]").is_disabled()


@pytest.mark.parametrize("key", ["g", "w"])
def test_names_stand_above_the_pictures(visit, key):
    page = visit()
    page.keyboard.press(key)
    pairs = page.evaluate(
        """() => [...document.querySelectorAll('.gv-head, .gv-names')].filter(n => n.offsetParent).map(n =>
            [n.getBoundingClientRect().bottom, n.parentNode.querySelector('.gv-view').getBoundingClientRect().top])"""
    )
    assert len(pairs) == (5 if key == "g" else 1)
    assert all(bottom <= top for bottom, top in pairs), pairs


# ------------------------------------------------------------------------------------------------- files


def save_flicker(page: Any) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save flicker").click()
    assert download.value.suggested_filename == "gansr-flicker-Base-Bright.webp"
    return Path(download.value.path())


def test_the_flicker_is_a_lossless_animation_of_a_and_b(visit):
    page = visit()
    with Image.open(save_flicker(page)) as flicker:
        assert (flicker.format, flicker.size, getattr(flicker, "n_frames", 1)) == ("WEBP", (W, H), 2)
        assert flicker.info["loop"] == 0
        for index, wanted in enumerate((BASE, BRIGHT)):
            flicker.seek(index)
            assert (np.asarray(flicker.convert("RGB")) == wanted).all()
            assert flicker.info["duration"] == 500
    page.get_by_text("Flicker saved, lossless.").wait_for()


def test_the_flicker_has_the_size_of_the_larger_picture(visit):
    page = visit()
    page.get_by_role("button", name="128×96 as the method gave it").click()
    page.wait_for_function("document.querySelector('.gv-tile[data-tile=Base] img').naturalWidth === 128")
    with Image.open(save_flicker(page)) as flicker:
        assert (flicker.size, getattr(flicker, "n_frames", 1)) == ((2 * W, 2 * H), 2)
        assert (np.asarray(flicker.convert("RGB")) == NATIVE).all()


def test_a_browser_that_cannot_write_webp_says_so(visit):
    page = visit()
    page.evaluate(
        "() => { const write = HTMLCanvasElement.prototype.toBlob;"
        " HTMLCanvasElement.prototype.toBlob = function (done) { write.call(this, done, 'image/png'); }; }"
    )
    page.get_by_role("button", name="Save flicker").click()
    page.get_by_text("This browser cannot write WebP.").wait_for()


# ------------------------------------------------------------------------------------- looks, accessibility


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_maps_and_dialogs_fit_and_have_no_serious_accessibility_finding(visit, width, dark):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = visit(width, dark)
    SHOTS.mkdir(exist_ok=True)
    states = {"maps": ("d",), "wipe": ("w",), "solo": ("2",), "keys": ("?",), "palette": ("Control+k",)}
    for name, keys in states.items():
        for key in keys:
            page.keyboard.press(key)
        if name == "maps":
            found(page, "Moved", "difference")
        page.screenshot(path=SHOTS / f"viewer-{name}-{width}-{'dark' if dark else 'light'}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        report = axe.Axe().run(page, ".gv").response["violations"]
        serious = [
            (rule["id"], [node["html"][:160] for node in rule["nodes"]][:4])
            for rule in report
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], name
        if name in ("keys", "palette"):
            page.keyboard.press("Escape")


def test_few_controls_are_shown_in_a_narrow_viewer_until_more_is_pressed(visit):
    page = visit(700)
    more = page.get_by_role("button", name="More …")
    flicker = page.get_by_role("button", name="Save flicker")
    assert not flicker.is_visible()
    more.click()
    assert flicker.is_visible()
    assert more.get_attribute("aria-expanded") == "true"
