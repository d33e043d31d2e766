"""The address bar names tab, settings and an example picture; reload, Back and Forward follow it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from tests.support.browser import served, visits

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with served("tests/support/tabs_server.py") as url:
        yield url


@pytest.fixture
def visit(chromium, site) -> Iterator[Any]:
    """visit("tab=srgan&seed=3", dark=False) → a new visitor's page, restored."""
    with visits(chromium, site) as open_page:

        def opened(query: str = "", dark: bool = False) -> Any:
            page = open_page(query, dark=dark)
            settle(page)
            return page

        yield opened


def settle(page: Any) -> None:
    """Wait until the page has restored what its address holds."""
    page.wait_for_function("window.gansr && window.gansr.ready()")


def address(page: Any) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def named(page: Any, **wanted: str) -> None:
    """Wait until the address names exactly these, beside the theme."""
    page.wait_for_function(
        """wanted => { const found = Object.fromEntries(new URLSearchParams(location.search)); delete found.__theme;
        return JSON.stringify(Object.entries(found).sort()) === JSON.stringify(Object.entries(wanted).sort()) }""",
        arg=wanted,
    )


def choose_tab(page: Any, name: str) -> None:
    page.get_by_role("tab", name=re.compile(f"^{name}")).click()
    shown(page, name)


def shown(page: Any, name: str) -> None:
    page.locator("button[role=tab][aria-selected=true]", has_text=name).wait_for()


def seed(page: Any) -> Any:
    return page.get_by_label("Seed", exact=True).filter(visible=True)


def open_options(page: Any, tab: str) -> None:
    page.locator(f"#{tab}-options > button").first.click()
    seed(page).wait_for()


def test_back_and_forward_go_between_tabs_and_stay_on_the_page(visit):
    page = visit(dark=True)
    page.evaluate("window.same = true")
    for name, tab in (("SRGAN", "srgan"), ("PULSE", "pulse"), ("About", "about")):
        choose_tab(page, name)
        named(page, tab=tab)
    for name, tab in (("PULSE", "pulse"), ("SRGAN", "srgan")):
        page.go_back()
        shown(page, name)
        named(page, tab=tab)
    page.go_back()
    shown(page, "Compare")
    page.go_forward()
    shown(page, "SRGAN")
    named(page, tab="srgan")
    assert address(page)["__theme"] == "dark" and page.evaluate("window.same")


@pytest.mark.parametrize("tab", ["compare", "srgan"])
def test_a_reload_and_another_browser_restore_tab_settings_and_example(visit, tab):
    page = visit(f"tab={tab}")
    page.locator(f"#{tab}-examples button.gallery-item, #{tab}-picture ~ * button.gallery-item").first.click()
    page.locator(f"#{tab}-picture img").wait_for()
    if tab == "compare":
        page.locator("#compare-status", has_text="Example:").wait_for()  # shown as it was computed
    open_options(page, tab)
    seed(page).fill("41")
    if tab == "srgan":
        page.locator("#srgan-preset").get_by_text("SRResNet: faithful").click()
    else:
        page.locator("#compare-methods").get_by_label("PULSE").uncheck()
    page.wait_for_function("location.search.includes('seed=41') && location.search.includes('example=')")
    page.wait_for_function(f"location.search.includes('{'preset=' if tab == 'srgan' else 'methods='}')")
    there = page.url
    page.reload()
    other = visit(urlsplit(there).query)
    for again in (page, other):
        settle(again)
        again.locator(f"#{tab}-picture img").wait_for()
        open_options(again, tab)
        assert seed(again).input_value() == "41"
        if tab == "srgan":
            assert again.locator("#srgan-preset").get_by_label("SRResNet: faithful").is_checked()
        else:
            assert not again.locator("#compare-methods").get_by_label("PULSE").is_checked()
        assert address(again) == {
            name: values[-1] for name, values in parse_qs(urlsplit(there).query).items()
        }
        assert not again.locator("#address-note").is_visible()


def test_the_settings_of_the_other_tabs_come_back_too(visit):
    page = visit("tab=srgan")
    open_options(page, "srgan")
    seed(page).fill("5")
    named(page, tab="srgan", seed="5")
    choose_tab(page, "KernelGAN")
    named(page, tab="kernelgan")
    page.reload()
    settle(page)
    shown(page, "KernelGAN")
    choose_tab(page, "SRGAN")
    named(page, tab="srgan", seed="5")
    other = visit("tab=srgan")
    named(other, tab="srgan")


def test_what_is_wrong_in_an_address_is_left_out_and_told(visit):
    page = visit("tab=pulse&seed=-5&steps=7&precision=exact&nobody=1")
    page.locator("#address-note", has_text="not possible here: seed must be").wait_for()
    open_options(page, "pulse")
    assert seed(page).input_value() == "0"
    named(page, tab="pulse", steps="7", precision="exact", nobody="1")


def test_a_picture_of_the_users_own_is_not_in_the_address(visit, tmp_path):
    path = tmp_path / "me.png"
    Image.new("RGB", (64, 64), "red").save(path)
    page = visit("tab=srgan")
    page.set_input_files("#srgan-picture input[type=file]", str(path))
    page.locator("#srgan-seen", has_text="Input used").wait_for()
    open_options(page, "srgan")
    seed(page).fill("6")
    named(page, tab="srgan", seed="6")


def test_a_picture_that_the_server_no_longer_has_is_asked_for_again(chromium, site, tmp_path):
    path = tmp_path / "me.png"
    Image.new("RGB", (64, 64), "red").save(path)
    with visits(chromium, site, expected=("404",)) as open_page:
        page = open_page("tab=srgan")
        settle(page)
        page.set_input_files("#srgan-picture input[type=file]", str(path))
        page.locator("#srgan-seen", has_text="Input used").wait_for()
        page.wait_for_function("sessionStorage.getItem('gansr.srgan')?.includes('me.png')")
        page.route("**/me.png", lambda route: route.fulfill(status=404))
        page.reload()
        page.locator("#address-note", has_text="yours is no longer there").wait_for()
        assert page.locator("#srgan-picture img").count() == 0


def test_a_dragged_slider_sends_nothing_until_it_rests(visit):
    page = visit("tab=pulse")
    settle(page)
    open_options(page, "pulse")
    page.evaluate(
        "new Promise(done => setTimeout(done, 300))"
    )  # the tabs have been restored, and have rested
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    slider = page.locator("#pulse-options input[type=range]").filter(visible=True).first
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    for _ in range(20):
        slider.press("ArrowRight")
    assert sent == []
    with page.expect_request("**/queue/join?*"):  # what a run costs now
        page.clock.run_for(300)
    assert len([url for url in sent if "/queue/join" in url]) == 1
    named(page, tab="pulse", samples="8")
