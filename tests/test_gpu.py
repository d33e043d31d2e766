"""Every method and metric on a GPU: that it computes there what it computes on the CPU, in float32 and in bfloat16, and
that the engine hands out frames, stops, measures its memory and survives a full one.

Float32 is float32 there: the engine switches TF32 off, so results differ by the order of sums only. A network that runs
once stays within LEVEL, a quarter of one of 256 levels. A search repeats that difference through Adam, whose first
steps follow the sign even of the smallest gradient, so searches are compared by PSNR. The real weights are used where
they are on this machine, otherwise random ones. No page is needed: this file imports no gradio.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from gansr import memory, weights
from gansr.engine import Engine
from gansr.job import Job
from gansr.method import Frame, InputError, Method, MethodError
from gansr.options import parse_options
from gansr.papers import METHODS, by_name
from tests.papers.test_contract import random_net, small_job
from tests.support.fake_device import PATHS, job_of_path, values_of_metrics
from tests.support.fakes import FAKE, Options
from tests.support.slicing import sliced

DEVICE = "cuda"
ONE_PASS = ("glean", "srgan", "esrgan")
LEVEL = 0.25 / 255
SEARCHED = 40.0  # dB between a search on both devices: an error of 1 % of the range, after few steps
HALF_PASS = 40.0  # dB between bfloat16 (8 bits of mantissa) and float32 in one pass; on a CPU 50 and more
HALF_SEARCH = 25.0  # dB after a few steps of a search in each, whose paths part; on a CPU 36 and more
TOO_MUCH = 1 << 47  # bytes: more than any GPU has

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
    pytest.mark.usefixtures("given_back"),
]


@pytest.fixture
def given_back() -> Iterator[None]:
    """The next test begins with an empty GPU."""
    yield
    torch.cuda.empty_cache()


def net_of(name: str) -> Any:
    """The real net where its file is here, else one with random weights."""
    return weights.load(name) if weights.ready(name) else random_net(name)


@pytest.fixture(scope="module")
def gpu() -> Engine:
    return Engine(DEVICE, load=net_of, pace=0.0)


@pytest.fixture(scope="module")
def cpu() -> Engine:
    return Engine("cpu", load=net_of, pace=0.0)


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request: pytest.FixtureRequest) -> Method:
    return request.param


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """dB between two pictures in [0,1]; infinite where they are equal."""
    error = float((one - other).square().mean())
    return math.inf if error == 0 else -10 * math.log10(error)


def check_alike(method: Method, one: Frame, other: Frame, db: float = SEARCHED) -> None:
    assert (one.step, one.steps) == (other.step, other.steps)
    assert one.image.device.type == other.image.device.type == "cpu"
    if method.name in ONE_PASS:
        assert float((one.image - other.image).abs().max()) <= LEVEL
    assert psnr(one.image, other.image) >= db


def test_a_method_gives_the_same_picture_as_on_the_cpu(method: Method, gpu: Engine, cpu: Engine):
    job = small_job(method, seed=3)
    check_alike(method, gpu.upscale(job), cpu.upscale(job))


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_is_not_the_default_gives_the_same_picture(name: str, gpu: Engine, cpu: Engine):
    job = job_of_path(name)
    check_alike(job.method, gpu.upscale(job), cpu.upscale(job))


def test_the_same_seed_gives_the_same_picture_again(method: Method, gpu: Engine):
    """Sums on a GPU have no fixed order, so not bit for bit."""
    job = small_job(method, seed=11)
    check_alike(method, gpu.upscale(job), gpu.upscale(job))


def test_bfloat16_stays_near_float32(method: Method, gpu: Engine):
    if not gpu.fast_bf16:
        pytest.skip("this GPU has no bfloat16")
    job = small_job(method)
    exact, fast = gpu.upscale(job), gpu.upscale(dataclasses.replace(job, precision="fast"))
    assert exact.numerics is not None and exact.numerics.dtype == "float32"
    assert fast.numerics is not None and fast.numerics.dtype == "bfloat16"
    assert psnr(exact.image, fast.image) >= (HALF_PASS if method.name in ONE_PASS else HALF_SEARCH)


@pytest.mark.parametrize("name", ["pulse", "mganprior", "kernelgan", "dip"])
def test_a_run_in_slices_gives_what_it_gives_in_one_go(name: str, gpu: Engine):
    """As ZeroGPU computes it: each slice crosses to a process as plain data of the CPU."""
    job = small_job(by_name(name))
    parts, slices = sliced(gpu, job)
    assert slices > 1
    check_alike(job.method, gpu.upscale(job), parts)


def test_frames_are_handed_out_and_the_peak_of_memory_is_told(gpu: Engine):
    frames = list(gpu.stream(small_job(by_name("pulse"))))
    assert [frame.step for frame in frames] == [0, 1, 2]
    assert all(frame.image.device.type == "cpu" for frame in frames)
    last = frames[-1]
    assert last.numerics is not None and last.numerics.device == torch.cuda.get_device_name()
    assert last.memory is not None and 1e8 < last.memory < 1e10  # a step at 1024² keeps some hundred MB


def test_a_run_stops_after_the_step_in_which_it_is_told_to(gpu: Engine):
    options = parse_options(by_name("dip").options, {"steps": 1000})
    low = torch.rand(3, 24, 20, generator=torch.Generator().manual_seed(5))
    seen: list[Frame] = []
    for frame in gpu.stream(Job(by_name("dip"), low, options), stopped=lambda: len(seen) > 3):
        seen.append(frame)
    assert 3 <= seen[-1].step < 100
    assert gpu.upscale(small_job(by_name("dip"))).step == 3


def test_closing_the_stream_frees_the_device(gpu: Engine):
    stream = gpu.stream(small_job(by_name("pulse")))
    next(stream)
    next(stream)
    stream.close()
    assert gpu.upscale(small_job(by_name("srgan"))).step == 1


def test_metrics_have_the_values_of_the_cpu(gpu: Engine, cpu: Engine):
    for name, (one, other) in values_of_metrics(cpu, gpu).items():
        assert one is not None and other is not None, name
        assert abs(one - other) <= 1e-3 * max(1.0, abs(one)), name


def greedy(low: torch.Tensor, options: Options, nets: Any, generator: torch.Generator) -> Iterator[Frame]:
    """Wants more than there is, unless it is given smaller pieces."""
    if options.tile == 64:
        torch.empty(TOO_MUCH, dtype=torch.uint8, device=low.device)
    yield Frame(low.repeat_interleave(options.scale, 1).repeat_interleave(options.scale, 2), 1, 1)


def greedy_job(**changes: Any) -> Job:
    return Job(dataclasses.replace(FAKE, run=greedy, **changes), torch.rand(3, 8, 8), Options())


def test_a_full_memory_is_answered_by_smaller_pieces_with_a_notice(gpu: Engine):
    frame = gpu.upscale(greedy_job())
    assert any("smaller pieces" in note for note in frame.notices)


def test_a_full_memory_without_smaller_pieces_is_said_and_the_next_job_works(gpu: Engine):
    with pytest.raises(MethodError, match="the memory is full: choose a smaller picture or lighter options"):
        gpu.upscale(greedy_job(smaller=None))
    assert gpu.upscale(small_job(by_name("srgan"))).step == 1


def test_what_torch_raises_where_the_memory_is_full_is_known_as_such():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(TOO_MUCH, dtype=torch.uint8, device=DEVICE)
    assert memory.is_exhausted(caught.value)


def test_a_job_that_needs_more_than_is_free_is_refused_before_it_runs(gpu: Engine):
    cost = dataclasses.replace(FAKE.cost(8, 8, Options()), memory=float(TOO_MUCH))
    hungry = dataclasses.replace(FAKE, cost=lambda height, width, options: cost)
    with pytest.raises(InputError, match="GB of memory and"):
        next(gpu.stream(Job(hungry, torch.rand(3, 8, 8), Options())))
