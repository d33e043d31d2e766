"""The N-way viewer in a real browser, on pictures made here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.conftest import ROOT
from tests.support.browser import visits
from tests.support.viewer_page import PICTURES, saved, viewer_page

pytestmark = pytest.mark.browser
SHOTS = ROOT / "screenshots"
NAMES = ("Bicubic", "SRGAN", "PULSE", "GLEAN", "mGANprior")


def scene(side: int) -> Image.Image:
    """A drawing that looks the same at every size, with a red square whose place is known."""
    across = np.linspace(0, 1, side)
    x, y = np.meshgrid(across, across)
    rings = 0.5 + 0.5 * np.sin(60 * np.hypot(x - 0.5, y - 0.5))
    picture = Image.fromarray((np.stack([x, y, rings], -1) * 200).astype(np.uint8))
    ImageDraw.Draw(picture).rectangle(
        [side // 4, side // 4, side // 4 + side // 8, side // 4 + side // 8], "#ff0000"
    )
    return picture


@pytest.fixture(scope="module")
def viewer_url() -> Iterator[str]:
    """A page with the viewer alone: five tiles; then one fails and one is refused."""
    from gansr.ui.viewer import contents, tile

    def drawn(side: int, noise: float = 0.0) -> str:
        values = np.asarray(scene(side)).astype(float)
        values += noise * np.random.default_rng(0).standard_normal(values.shape)
        return saved(values.round().clip(0, 255).astype(np.uint8))

    truth, small = drawn(1024), drawn(128)
    sides = {"Bicubic": (1024, 25.0), "SRGAN": (512, 0.0), "PULSE": (1024, 0.0), "GLEAN": (256, 0.0)}
    tiles = [
        tile(name, name, "done", f"{index + 3}.1 s", drawn(*sides.get(name, (1024, 8.0))),
             note=f"LR 4{index}.2 dB · LPIPS 0.12", download=f"{name}.png")
        for index, name in enumerate(NAMES)
    ]  # fmt: skip
    broken = [
        tiles[0],
        tile("SRGAN", "SRGAN", "running", "step 3 of 10", drawn(256), progress=0.3),
        tile("PULSE", "PULSE", "blocked", "no face was found", actions=["Use the middle square"]),
        tile("GLEAN", "GLEAN", "error", "the memory is full: choose a smaller picture <b>now</b>"),
        tile("mGANprior", "mGANprior", text="waiting for its turn"),
    ]
    with viewer_page(contents(tiles, truth, small), contents(broken, None, small)) as url:
        yield url


@pytest.fixture
def visit(chromium, viewer_url) -> Iterator[Any]:
    """visit(width=1280, dark=False, touch=False) → the page, its pictures loaded."""
    with visits(chromium, viewer_url) as open_page:

        def opened(width: int = 1280, dark: bool = False, touch: bool = False) -> Any:
            page = open_page("", width, dark, touch)
            page.wait_for_function(
                "() => { const all = [...document.querySelectorAll('.gv-layer img')];"
                " return all.length === 5 && all.every(i => i.naturalWidth && i.dataset.zoom); }"
            )
            return page

        yield opened


def test_pictures_begin_in_their_arrangement_until_the_user_chooses_one(chromium):
    from gansr.ui.viewer import contents, tile

    tiles = [tile(name, name, "done", picture=saved(picture)) for name, picture in [*PICTURES.items()][:3]]
    values = contents(tiles[:2]), contents(tiles, start="wipe")
    with viewer_page(*values) as url, visits(chromium, url) as open_page:
        page = open_page()

        def following(count: int) -> str | None:
            """The arrangement of the next pictures, `count` of them."""
            page.locator("#next").click()
            page.wait_for_function("n => document.querySelectorAll('.gv-tile').length === n", arg=count)
            return page.locator(".gv").get_attribute("data-mode")

        page.locator(".gv[data-mode=grid] .gv-tile").nth(1).wait_for()
        assert [following(3), following(2)] == ["wipe", "grid"]
        page.get_by_role("button", name="Grid", exact=True).click()
        assert [following(3), following(2)] == ["grid", "grid"]
        page.get_by_role("button", name="Wipe", exact=True).click()
        assert [following(3), following(2)] == ["wipe", "wipe"]


def tile_of(page: Any, name: str) -> Any:
    return page.locator(f".gv-tile[data-tile='{name}'] .gv-view")


def states(page: Any) -> list[tuple[float, float, float]]:
    """(zoom, x, y) of every picture, read from the DOM after the next frame."""
    return page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done("
        "[...document.querySelectorAll('.gv-layer img')].map(i => [+i.dataset.zoom, +i.dataset.x, +i.dataset.y])))))"
    )


def shares(page: Any) -> list[list[float]]:
    """Where each picture lies in its view, in shares of the view: left, top, width."""
    return page.evaluate(
        "() => [...document.querySelectorAll('.gv-layer img')].map(i => { const a = i.getBoundingClientRect(),"
        " b = i.closest('.gv-view').getBoundingClientRect();"
        " return [(a.x - b.x) / b.width, (a.y - b.y) / b.height, a.width / b.width]; })"
    )


def middle(page: Any, name: str) -> tuple[float, float]:
    box = tile_of(page, name).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_the_wheel_zooms_every_picture_around_the_pointer(visit):
    page = visit()
    x, y = middle(page, "PULSE")
    page.mouse.move(x + 60, y + 40)
    before = page.locator(".gv-rgb span").all_inner_texts()
    page.mouse.wheel(0, -400)
    now = states(page)
    assert len(now) == 5
    assert now[0][0] > 1.5
    assert all(state == now[0] for state in now)
    assert now[0][1] > 0.5
    assert now[0][2] > 0.5
    places = shares(page)
    np.testing.assert_allclose(places, [places[0]] * 5, atol=0.002)  # of four sizes, aligned by content
    assert page.locator(".gv-rgb span").count() == len(before) == 5


def test_a_drag_moves_every_picture_and_stops_at_the_edge(visit):
    page = visit()
    tile_of(page, "SRGAN").dblclick()
    start = states(page)[0]
    x, y = middle(page, "GLEAN")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 80, y - 50, steps=4)
    page.mouse.up()
    after = states(page)
    assert after[0][1] > start[1]
    assert after[0][2] > start[2]
    assert all(state == after[0] for state in after)
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    tile_of(page, "GLEAN").focus()
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    left = states(page)[0]
    assert left[1] == pytest.approx(1 / (2 * left[0]), abs=1e-3)


def test_the_keyboard_zooms_moves_and_resets(visit):
    page = visit()
    tile_of(page, "Bicubic").focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    zoomed = states(page)[0]
    assert zoomed[0] == pytest.approx(1.96, abs=0.01)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    moved = states(page)[0]
    assert moved[1] > zoomed[1]
    assert moved[2] > zoomed[2]
    page.keyboard.press("0")
    assert states(page) == [[1, 0.5, 0.5]] * 5
    page.keyboard.press("p")
    rendering = "getComputedStyle(document.querySelector('.gv-layer img')).imageRendering"
    assert page.evaluate(rendering) == "pixelated"


def test_two_are_wiped_with_the_mouse_and_the_keyboard(visit):
    page = visit()
    page.get_by_label("Picture B").select_option("PULSE")
    page.get_by_role("button", name="Wipe").click()
    handle = page.get_by_role("slider", name="Wipe")
    assert page.locator(".gv-tile:visible").count() == 0
    assert page.locator(".gv-wipe .gv-layer img").count() == 2
    box = page.locator(".gv-wipe .gv-view").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50, steps=3)
    page.mouse.up()
    states(page)
    assert handle.get_attribute("aria-valuenow") == "25"
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    states(page)
    assert handle.get_attribute("aria-valuenow") == "37"
    clips = page.locator(".gv-wipe .gv-slot").evaluate_all("slots => slots.map(s => s.style.clipPath)")
    assert clips == ["inset(0px 63% 0px 0px)", "inset(0px 0px 0px 37%)"]
    page.get_by_role("button", name="Grid").click()
    assert page.locator(".gv-tile:visible").count() == 5


def seen_tiles(page: Any) -> list[dict[str, Any]]:
    """Every tile that is seen, in the order in which it is seen, with all that belongs to it."""
    return page.evaluate(
        """() => [...document.querySelectorAll('.gv-tile')].filter(t => t.offsetParent).map(t => ({
            place: [t.offsetTop, t.offsetLeft], title: t.querySelector('.gv-head b').textContent,
            width: t.querySelector('img').naturalWidth, text: t.querySelector('[data-is=text]').textContent,
            note: t.querySelector('[data-is=note]').textContent, file: t.querySelector('a').download,
        })).sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1])"""
    )


def titles(page: Any) -> list[str]:
    return [tile["title"] for tile in seen_tiles(page)]


def test_a_and_b_are_swapped_by_a_press_and_while_f_is_held(visit):
    page = visit()
    before = seen_tiles(page)
    tile_of(page, "Bicubic").focus()
    page.keyboard.press("f")
    after = seen_tiles(page)
    assert [tile["title"] for tile in after][:3] == ["SRGAN", "Bicubic", "PULSE"]
    for tile in [*before, *after]:
        del tile["place"]
    assert [after[1], after[0], *after[2:]] == before  # name, picture, size, time, metrics and download
    assert len({tuple(tile.values()) for tile in after}) == 5
    page.keyboard.press("f")
    assert titles(page)[:2] == ["Bicubic", "SRGAN"]
    page.evaluate(
        "() => { const now = performance.now.bind(performance); performance.now = () => now() * 1e6; }"
    )
    page.keyboard.down("f")  # with the clock a million times faster a tap is a hold
    assert titles(page)[:2] == ["SRGAN", "Bicubic"]
    page.keyboard.up("f")
    assert titles(page)[:2] == ["Bicubic", "SRGAN"]


def test_the_value_under_the_pointer_is_that_of_each_picture(visit):
    page = visit()
    box = tile_of(page, "PULSE").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.3)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.gv-rgb span')].every(s => /\\d/.test(s.textContent))"
    )
    values = page.locator(".gv-rgb span").all_inner_texts()
    assert values[1] == values[2] == "255 0 0"  # the red square, in the pictures without noise
    assert values[0] != "255 0 0"
    assert "of 1024×1024" in page.locator(".gv-read").inner_text()
    page.get_by_role("button", name="Magnifier").click()
    page.mouse.move(box["x"] + box["width"] * 0.31, box["y"] + box["height"] * 0.3)
    states(page)
    assert page.locator(".gv-lens:visible").count() == 5


def test_states_are_told_text_is_not_markup_and_the_remedy_reaches_python(visit):
    page = visit()
    page.locator("#next").click()
    page.get_by_text("no face was found").wait_for()
    assert "<b>now</b>" in tile_of(page, "GLEAN").inner_text()
    assert "waiting for its turn" in tile_of(page, "mGANprior").inner_text()
    references = page.get_by_label("Reference").locator("option").all_inner_texts()
    assert references == ["Bicubic", "SRGAN", "Your picture"]
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / "viewer-states.png", full_page=True)
    page.get_by_role("button", name="Use the middle square").click()
    page.wait_for_function(
        "document.querySelector('#chosen textarea, #chosen input').value === 'PULSE: Use the middle square'"
    )


def test_fingers_zoom_move_and_wipe_and_the_page_fits_a_phone(visit):
    page = visit(390, touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tile_of(page, "Bicubic").scroll_into_view_if_needed()
    x, y = middle(page, "Bicubic")
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 20, y), (x + 20, y))
    for apart in (30, 40, 60):
        touch("touchMove", (x - apart, y), (x + apart, y))
    touch("touchEnd")
    now = states(page)
    assert now[0][0] == pytest.approx(3, rel=0.15)
    assert all(state == now[0] for state in now)
    touch("touchStart", (x, y))
    for moved in (10, 20, 30):
        touch("touchMove", (x - moved, y))
    touch("touchEnd")
    assert states(page)[0][1] > now[0][1]
    page.get_by_role("button", name="Wipe").click()
    box = page.locator(".gv-wipe .gv-view").bounding_box()
    left, width, y = box["x"], box["width"], box["y"] + 40
    touch("touchStart", (left + width / 2, y))
    for share in (0.4, 0.3, 0.25):
        touch("touchMove", (left + share * width, y))
    touch("touchEnd")
    states(page)
    handle = page.get_by_role("slider", name="Wipe")
    assert float(handle.get_attribute("aria-valuenow")) == pytest.approx(25, abs=1)


def test_the_saved_comparison_shows_what_is_seen(visit):
    page = visit()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save comparison image").click()
    strip = Image.open(Path(download.value.path()))
    assert strip.format == "PNG"
    assert strip.width > 5 * 480
    assert np.asarray(strip.convert("RGB")).std() > 30


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_viewer_is_kept_as_seen(visit, width, dark):
    page = visit(width, dark)
    SHOTS.mkdir(exist_ok=True)
    look = "dark" if dark else "light"
    page.screenshot(path=SHOTS / f"viewer-{width}-{look}.png", full_page=True)
    page.get_by_role("button", name="Wipe").click()
    page.locator(".gv-wipe .gv-view").focus()
    for key in ("+", "+", "+", "+", "+"):
        page.keyboard.press(key)
    states(page)
    page.screenshot(path=SHOTS / f"viewer-wipe-{width}-{look}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_panning_five_large_pictures_is_timed(visit):
    page = visit()
    tile_of(page, "Bicubic").dblclick()
    page.evaluate(
        "() => { window.ticks = []; const tick = t => { ticks.push(t); window.going = requestAnimationFrame(tick); };"
        " requestAnimationFrame(tick); }"
    )
    x, y = middle(page, "SRGAN")
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(x - step, y - step / 2)
    page.mouse.up()
    ticks = np.diff(page.evaluate("() => { cancelAnimationFrame(going); return ticks; }"))
    assert len(ticks) > 5
    print(f"\npanning five pictures: {1000 / np.median(ticks):.0f} frames a second (median), "
          f"slowest {ticks.max():.0f} ms, {len(ticks)} frames")  # fmt: skip


def test_the_viewer_is_small(visit):
    folder = ROOT / "gansr" / "ui" / "viewer"
    files = [*folder.glob("viewer.*"), *folder.glob("js/*.js")]
    assert sum(path.stat().st_size for path in files) < 80_000
