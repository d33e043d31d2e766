"""The engine: pacing, one job at a time, stopping, deadline, checks, and measuring."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
import threading
from pathlib import Path

import pytest
import torch

from gansr import memory
from gansr.engine import Engine, Job, like_input
from gansr.method import Frame, InputError, MethodError
from gansr.metric import Metric
from tests.support.fakes import FAKE, Options


def low(height: int = 8, width: int = 8) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(1))


def engine(**given) -> Engine:
    """An engine whose clock moves on by 0.1 s at every look."""
    ticks = itertools.count()
    return Engine("cpu", load=lambda name: None, clock=lambda: next(ticks) * 0.1, **given)


def test_the_first_frame_is_the_bicubic_enlargement_and_the_last_has_all_steps():
    frames = list(engine().stream(Job(FAKE, low(), Options())))
    assert (frames[0].step, frames[0].image.shape) == (0, (3, 16, 16))
    assert frames[-1].step == frames[-1].steps == 5


def test_about_four_frames_a_second_are_shown_and_always_the_last():
    frames = list(engine(pace=1.0).stream(Job(FAKE, low(), Options(steps=100))))
    assert 5 < len(frames) < 40
    assert frames[-1].step == 100


def test_the_same_seed_gives_the_same_picture_whatever_runs_between():
    one = engine().upscale(Job(FAKE, low(), Options(), seed=3))
    torch.manual_seed(99)
    torch.rand(10)
    assert torch.equal(one.image, engine().upscale(Job(FAKE, low(), Options(), seed=3)).image)
    assert not torch.equal(one.image, engine().upscale(Job(FAKE, low(), Options(), seed=4)).image)


def test_closing_the_stream_frees_the_device_at_once():
    machine = engine()
    first = machine.stream(Job(FAKE, low(), Options(steps=1000)))
    next(first)
    next(first)
    first.close()
    assert machine.upscale(Job(FAKE, low(), Options())).step == 5


def test_a_second_job_waits_for_the_first_and_says_so():
    machine = engine(pace=0.01)
    first = machine.stream(Job(FAKE, low(), Options(steps=1000)))
    next(first)
    next(first)
    second = machine.stream(Job(FAKE, low(), Options()))
    waiting = [next(second) for _ in range(3)]
    assert [frame.step for frame in waiting] == [0, 0, 0]
    assert waiting[2].waited > waiting[1].waited > 0
    first.close()
    assert list(second)[-1].step == 5


def test_the_deadline_gives_the_best_so_far_with_a_notice():
    frames = list(engine(deadline=2.0).stream(Job(FAKE, low(), Options(steps=1000))))
    assert frames[-1].step < 1000
    assert any("best so far" in note for note in frames[-1].notices)


def test_a_number_that_is_not_finite_stops_the_run_in_words():
    with pytest.raises(MethodError, match="broke down at step 3 of 5"):
        list(engine().stream(Job(FAKE, low(), Options(break_at=3))))


def test_after_an_error_the_next_job_works():
    machine = engine()
    with pytest.raises(MethodError):
        machine.upscale(Job(FAKE, low(), Options(break_at=2, kind="refuse")))
    assert machine.upscale(Job(FAKE, low(), Options())).step == 5


def test_full_memory_is_answered_by_smaller_pieces_with_a_notice():
    frame = engine().upscale(Job(FAKE, low(), Options(break_at=2, kind="memory")))
    assert frame.step == 5 and any("smaller pieces" in note for note in frame.notices)


def test_a_picture_that_is_too_small_is_refused_before_anything_runs():
    with pytest.raises(InputError, match="at least 4 px on the shorter side; this picture is 8×3"):
        next(engine().stream(Job(FAKE, low(3, 8), Options())))


def test_a_picture_that_is_too_large_is_refused_with_both_sizes():
    with pytest.raises(
        InputError, match="at most 10000 pixels with these options, as 100×100; this picture has 20000"
    ):
        next(engine().stream(Job(FAKE, low(200, 100), Options())))


def test_the_waiting_of_one_visitor_does_not_block_the_interpreter():
    machine = Engine("cpu", load=lambda name: None, pace=0.01)
    done = threading.Event()

    def visitor() -> None:
        machine.upscale(Job(FAKE, low(), Options(steps=3)))
        done.set()

    first = machine.stream(Job(FAKE, low(), Options(steps=1000)))
    next(first)
    next(first)
    thread = threading.Thread(target=visitor)
    thread.start()
    first.close()
    thread.join(60)
    assert done.is_set()


def hungry(low, options, nets, generator):
    """Takes 200 MB for a moment."""
    large = torch.ones(50_000_000)
    yield Frame(low.repeat_interleave(2, 1).repeat_interleave(2, 2) * large[0], 1, 2)
    del large
    yield Frame(low.repeat_interleave(2, 1).repeat_interleave(2, 2), 2, 2)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak")
def test_the_peak_of_memory_is_measured_from_the_start_of_each_run():
    greedy = dataclasses.replace(FAKE, run=hungry)
    memory.give_back()  # blocks that earlier tests have freed are still counted, and would be used again
    before = engine().upscale(Job(FAKE, low(), Options()))
    during = engine().upscale(Job(greedy, low(), Options()))
    after = engine().upscale(Job(FAKE, low(), Options()))
    assert before.memory is not None and during.memory is not None and after.memory is not None
    assert during.memory - before.memory > 180e6
    assert during.memory - after.memory > 180e6


@pytest.mark.gpu
def test_the_peak_of_memory_on_a_gpu_is_that_of_our_arrays():
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    machine, job = Engine("cuda", load=lambda name: None), Job(FAKE, low(), Options())
    first = machine.upscale(job)
    held = torch.ones(50_000_000, device="cuda")
    second = machine.upscale(job)
    assert first.memory is not None and second.memory is not None
    assert second.memory - first.memory == pytest.approx(4 * held.numel(), rel=0.01)


def test_where_the_system_does_not_tell_the_peak_there_is_none(monkeypatch):
    monkeypatch.setattr("gansr.memory.Path", lambda *_: Path("/nowhere/at/all"))
    assert engine().upscale(Job(FAKE, low(), Options())).memory is None


def test_frames_survive_pickling_as_a_gpu_worker_demands():
    frames = list(engine().stream(Job(FAKE, low(), Options())))
    again = pickle.loads(pickle.dumps([_plain(frame) for frame in frames]))
    assert torch.equal(again[-1].image, frames[-1].image)


def _plain(frame):
    return pickle.loads(pickle.dumps(frame))


def _difference(a, b, nets):
    return float((a - b).abs().mean())


def test_a_measure_without_a_truth_gives_its_reason_and_others_their_value():
    truth = Metric("t", "T", "", "lower", "truth", "…", _difference)
    given = Metric("i", "I", "", "lower", "input", "…", _difference)
    large = Metric("n", "N", "", "lower", "", "…", _difference, min_side=96)
    image, small = torch.zeros(3, 8, 8), torch.zeros(3, 4, 4)
    readings = list(engine().measure(image, small, lambda x: x[:, ::2, ::2], metrics=(truth, given, large)))
    assert "quality test" in readings[0].reason
    assert readings[1].value == 0
    assert "96 px" in readings[2].reason


def _measured(machine, metric, image, **how):
    truth = torch.zeros(3, 8, 8)
    (found,) = machine.measuring(image, truth, lambda x: x, truth, metric, **how)
    return found.value


def test_what_a_metric_keeps_of_the_truth_serves_the_next_picture():
    made = []
    keep = lambda b, nets: made.append(b) or b  # noqa: E731
    metric = Metric(
        "m", "M", "", "lower", "truth", "…", _difference, prepare=keep, measure_prepared=_difference
    )
    machine, pictures, prepared = engine(), [torch.full((3, 8, 8), k / 255) for k in (0, 51, 255)], {}
    found = [_measured(machine, metric, picture, prepared=prepared) for picture in pictures]
    assert found == [_measured(machine, metric, picture) for picture in pictures]
    assert len(made) == 1


def test_a_metric_computes_in_bfloat16_only_where_it_may_and_nobody_asked_for_exactness(monkeypatch):
    monkeypatch.setattr(Engine, "fast_bf16", True)
    is_half = lambda a, b, nets: float(torch.is_autocast_enabled("cpu"))  # noqa: E731
    may, may_not = (Metric("m", "M", "", "lower", "", "…", is_half, half=half) for half in (True, False))
    picture, machine = torch.zeros(3, 8, 8), engine()
    assert _measured(machine, may, picture, precision="fast") == 1
    assert _measured(machine, may_not, picture, precision="fast") == 0
    assert _measured(machine, may, picture) == 0


def test_a_metric_without_networks_computes_in_one_thread():
    metric = Metric("m", "M", "", "lower", "", "…", lambda a, b, nets: torch.get_num_threads())
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert _measured(engine(), metric, torch.zeros(3, 8, 8)) == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_grey_stays_grey():
    image = low()
    assert torch.equal(like_input(image, False), image)
    grey = like_input(image, True)
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[1], grey[2])


def test_the_jobs_of_other_owners_come_before_an_owners_second():
    machine, order = engine(pace=0.0), []
    running = machine.stream(Job(FAKE, low(), Options(steps=1000)))
    for _ in range(2):
        next(running)
    waiting = {
        name: machine.stream(Job(FAKE, low(), Options(steps=1), owner=name[0])) for name in ("a1", "a2", "b1")
    }
    for stream in waiting.values():
        for _ in range(2):
            next(stream)
    running.close()
    while waiting:
        for name, stream in list(waiting.items()):
            if next(stream).step:
                stream.close()
                del waiting[name]
                order.append(name)
    assert order == ["a1", "b1", "a2"]


def test_a_job_that_is_closed_while_it_waits_leaves_the_line():
    machine = engine(pace=0.0)
    running, waiting = (machine.stream(Job(FAKE, low(), Options(steps=1000))) for _ in range(2))
    for stream in (running, running, waiting, waiting):
        next(stream)
    waiting.close()
    assert len(machine.turns) == 0
    running.close()
    assert machine.upscale(Job(FAKE, low(), Options())).step == 5


def test_a_measurement_waits_for_the_running_job_only_and_says_that_it_waits():
    metric = Metric("n", "N", "", "lower", "", "…", _difference)
    machine = engine(pace=0.0)
    running, waiting = (machine.stream(Job(FAKE, low(), Options(steps=1000), owner="a")) for _ in range(2))
    for stream in (running, running, waiting, waiting):
        next(stream)
    measuring = machine.measuring(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8), lambda x: x, None, metric, "b")
    assert next(measuring) is None
    running.close()
    assert next(waiting).step == 0  # it is the measurement's turn
    assert (found := next(measuring)) is not None and found.value == 0
    assert [next(waiting).step for _ in range(2)] == [0, 1]


def test_a_fetch_ends_when_the_line_is_closed(monkeypatch):
    machine = engine()

    def fetch(name, progress):
        machine.turns.close("the server restarts")
        progress("downloading", 0.5)

    monkeypatch.setattr("gansr.weights.fetch", fetch)
    monkeypatch.setattr("gansr.weights.ready", lambda name: False)
    with pytest.raises(MethodError, match="the server restarts"):
        list(machine.fetch(("any",)))
