"""The contract, over every method: what `gansr/method.py` promises, with random weights and few steps."""

from __future__ import annotations

import pickle
import threading

import pytest
import torch

from gansr import weights
from gansr.engine import Engine, Job
from gansr.inputs import Inputs
from gansr.method import refusal
from gansr.metrics import METRICS
from gansr.options import OptionError, options_of, parse_options
from gansr.papers import METHODS
from gansr.picture import Picture
from gansr.request import PLAIN, decode, encode, fields_of
from gansr.weights import manifest
from tests.support.slicing import differences, sliced

# What makes a method run in a moment, and the size of its input where it takes any.
SMALL = {
    "pulse": {"steps": 2},
    "kernelgan": {"iterations": 3, "zssr_iterations": 2},
    "mganprior": {"iterations": 2, "codes": 2},
    "dip": {"steps": 3},
}
SIZE = {"kernelgan": (96, 88), "dip": (24, 20)}


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request):
    return request.param


def random_net(name: str):
    """The net of a manifest entry with random weights."""
    entry = weights.entries()[name]
    torch.manual_seed(7)  # the layers' own initialisation draws from the global generator
    return manifest.build(entry).eval().requires_grad_(False)


def small_job(method, seed: int = 0) -> Job:
    options = parse_options(method.options, SMALL.get(method.name, {}))
    height, width = SIZE.get(method.name, (20, 24))
    if method.accepts.side is not None:
        height = width = method.accepts.side(options)
    low = torch.rand(3, height, width, generator=torch.Generator().manual_seed(5))
    return Job(method, low, options, seed, "exact")


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu", load=random_net, pace=0.0)


def test_a_run_ends_at_its_last_step_with_a_finite_picture_of_the_promised_size(method, engine):
    job = small_job(method)
    frames = list(engine.stream(job))
    last, scale = frames[-1], method.scale(method, job.options)
    assert last.step == last.steps >= 1
    assert last.image.shape == (3, job.low.shape[1] * scale, job.low.shape[2] * scale)
    assert last.image.dtype == torch.float32 and 0 <= float(last.image.min()) <= float(last.image.max()) <= 1
    assert all(isinstance(value, float) for value in last.readings.values())
    assert [frame.step for frame in frames] == sorted(frame.step for frame in frames)


def test_the_same_seed_gives_the_same_picture_and_the_global_generator_is_left_alone(method, engine):
    job = small_job(method, seed=11)
    first = engine.upscale(job)
    before = torch.random.get_rng_state()
    again = engine.upscale(job)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (first.image - again.image).abs().max() <= 1e-6


def test_a_run_may_be_resumed_on_another_thread(method, engine):
    """Gradio takes each step of a generator on any worker thread, and grad mode belongs to the thread."""
    job, frames = small_job(method), []
    stream = engine.stream(job)
    while not frames or frames[-1] is not None:
        thread = threading.Thread(target=lambda: frames.append(_next_without_grad(stream)))
        thread.start()
        thread.join()
    assert frames[-2].step == frames[-2].steps


@torch.no_grad()
def _next_without_grad(stream):
    return next(stream, None)


def test_a_frame_is_not_changed_by_later_steps(method, engine):
    """Frames are shown, packed and kept while the next step is computed."""
    given = [
        (frame, [tensor.clone() for tensor in tensors_of(frame)])
        for frame in engine.stream(small_job(method))
    ]
    for frame, before in given:
        assert all(map(torch.equal, tensors_of(frame), before)), f"step {frame.step}"


def tensors_of(frame) -> list[torch.Tensor]:
    views = [getattr(view, "values", view) for view in frame.views.values()]
    found = [frame.image, *views, *frame.answers.values()]
    return [value for value in found if isinstance(value, torch.Tensor)]


def test_what_crosses_to_a_gpu_worker_survives_pickling(method, engine):
    job = small_job(method)
    there = pickle.loads(pickle.dumps(job))
    assert there.method is method and there.options == job.options and torch.equal(there.low, job.low)
    assert (there.seed, there.precision, there.threads) == (job.seed, job.precision, job.threads)
    frame = pickle.loads(pickle.dumps(engine.upscale(job)))
    assert frame.step == frame.steps


SLICED = [
    ("pulse", {"steps": 2, "samples": 2}),
    ("pulse", {"steps": 2, "start": "glean"}),
    ("pulse", {"steps": 3, "generator": "stylegan2-church", "side": "16", "keep": "last"}),
    ("mganprior", {"iterations": 3, "codes": 2, "roles": False}),
    ("mganprior", {"iterations": 4, "codes": 2, "job": "edit", "roles": False}),
    ("mganprior", {"iterations": 3, "codes": 2, "optimiser": "gd", "pull": 0.0, "roles": False}),
    ("dip", {"steps": 4, "scale": 2}),
    ("dip", {"steps": 3, "job": "inpaint", "hole": "dots"}),
    ("kernelgan", {"iterations": 11, "seeds": 2, "zssr_iterations": 4, "gradual": True}),
    ("kernelgan", {"iterations": 11, "zssr_iterations": 3, "paper": True, "scale": 4}),
    ("kernelgan", {"mode": "ZSSR only", "zssr_iterations": 3, "photo": "real"}),
    ("kernelgan", {"iterations": 11, "zssr_iterations": 2, "crop": 32, "lab": "random blur"}),
]


@pytest.mark.parametrize(("name", "values"), SLICED)
def test_a_run_in_slices_gives_bit_for_bit_what_it_gives_in_one_go(name, values, engine):
    """Left after every step that it can be left after, each time with a copy that crossed to another process."""
    method = next(method for method in METHODS if method.name == name)
    options = parse_options(method.options, values)
    height, width = SIZE.get(name, (0, 0))
    if options_side := method.accepts.side and method.accepts.side(options):
        height = width = options_side
    if values.get("lab"):
        height, width = 192, 176
    low = torch.rand(3, height, width, generator=torch.Generator().manual_seed(5))
    job = Job(method, low, options, 3, "exact")
    whole = engine.upscale(job)
    parts, slices = sliced(engine, job)
    assert slices > 1 and differences(whole, parts) == []


def test_a_method_that_goes_on_says_how_many_steps_of_each_kind_it_has(method, engine):
    job = small_job(method)
    steps = job.cost.steps
    assert bool(steps) == (method.resume is not None)
    last = engine.upscale(job)
    assert not steps or sum(kind.count for kind in steps) == last.steps


def test_every_option_is_explained_and_every_preset_is_valid(method):
    for name, (described, default) in options_of(method.options).items():
        assert len(described.help) > 8, name
        if default is not None:
            parse_options(method.options, {name: default})
    for values in method.presets.values():
        parse_options(method.options, values)
    assert method.presets


def test_a_request_survives_its_flat_form(method):
    assert not {*options_of(method.options)} & {*PLAIN}, "an option has the name of a request's field"
    request = decode(
        method, {"seed": 4, "task": "known answer", "shrink_noise": 3.0, "paste_back": True, "face": 2}
    )
    assert decode(method, encode(request)) == request
    assert list(encode(request)) == list(fields_of(method))


def test_what_changes_the_input_is_marked_as_such(method):
    """An option that changes the key under which the input is kept must make the preview anew."""
    usual = decode(method, {})
    for name, (described, default) in options_of(method.options).items():
        others = described.choices or ((not default,) if isinstance(default, bool) else ())
        if isinstance(default, (int, float)) and not isinstance(default, bool):
            others = tuple(value for value in (described.min, described.max) if value is not None)
            others = tuple(map(type(default), others))
        for value in others:
            try:
                changed = decode(method, {name: value})
            except OptionError:  # not possible beside the other defaults
                continue
            if changed.input_key != usual.input_key:
                assert described.changes_input, f"{name}={value} changes the input"


def test_the_paper_and_the_weights_are_named(method):
    paper = method.paper
    assert all((paper.authors, paper.venue, paper.title, paper.licence, paper.good_for, paper.not_for))
    assert paper.link.startswith("https://") and 2012 < paper.year < 2030
    assert len(method.summary) > 20
    for names in method.weights.values():
        for name in names:
            assert name in weights.entries()
    needs = method.needs(method, parse_options(method.options, {}))
    assert set(needs) <= set(method.weights)


def test_the_cost_grows_with_the_picture(method):
    options = parse_options(method.options, SMALL.get(method.name, {}))
    small, large = method.cost(32, 32, options), method.cost(64, 64, options)
    assert 0 < small.operations <= large.operations and 0 < small.memory <= large.memory


def test_a_picture_of_one_pixel_is_taken_or_refused_in_words(method):
    options = parse_options(method.options, {})
    said = refusal(method, 1, 1, options)
    assert said is None or method.title in said


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pulse", {"generator": "stylegan2-cat"}),
        ("glean", {"model": "glean-cat-8x"}),
        ("mganprior", {"generator": "stylegan2-church", "job": "invert"}),
    ],
)
def test_no_face_is_looked_for_where_the_network_draws_none(name, options):
    method = next(method for method in METHODS if method.name == name)
    chosen = parse_options(method.options, options)

    def detector():
        raise AssertionError("a face was looked for")

    picture = Picture(torch.rand(3, 600, 700, generator=torch.Generator().manual_seed(0)), None, False, ())
    assert method.accepts.side is not None and method.accepts.seeks_face is not None
    side = method.accepts.side(chosen)
    assert Inputs(detector).make(picture, decode(method, options)).low.shape == (3, side, side)
    assert method.accepts.seeks_face(parse_options(method.options, {}))


def test_metrics_name_their_unit_direction_and_meaning():
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.better in ("higher", "lower") and metric.against in ("truth", "input", "")
        assert len(metric.explain) > 20
        assert all(name in weights.entries() for name in metric.weights.values())
