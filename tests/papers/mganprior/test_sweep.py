"""One picture at several composing layers: each is the run with that layer, and a run may be left and resumed."""

from __future__ import annotations

import pytest
import torch

from gansr.method import Curve, Frame, Nets
from gansr.options import OptionError
from gansr.papers.mganprior import MGANPRIOR, Options, sweep
from gansr.papers.mganprior.options import SWEEP, SWEPT
from tests.papers.mganprior.test_mix import FIRST, SECOND
from tests.papers.mganprior.test_mix import nets as nets

pytestmark = pytest.mark.usefixtures("one_thread")

LAYERS = ("4", "8", "16")


@pytest.fixture(autouse=True)
def layers_of_a_small_generator(monkeypatch) -> None:
    monkeypatch.setattr(sweep, "SWEPT", LAYERS)


def run(nets: Nets, options: Options, state=None) -> list[Frame]:
    return list(
        MGANPRIOR.run(FIRST, options, nets, torch.Generator().manual_seed(5), *([state] if state else []))
    )


@pytest.mark.parametrize("job", ["invert", "colour", "denoise"])
@pytest.mark.parametrize("searched", ["codes", "features"])
def test_every_picture_is_that_of_a_run_with_its_layer(nets, job, searched):
    options = Options(job=job, layer=SWEEP, iterations=3, codes=2, searched=searched)
    frames = run(nets, options)
    assert [frame.step for frame in frames] == [*range(1, 10)] and {frame.steps for frame in frames} == {9}
    last = frames[-1]
    # "auto" takes 16 px for colours, and more than this generator has for the others
    assert list(last.answers) == ["composing layer 4 px", "composing layer 8 px"]
    alone = {
        layer: run(nets, Options(job, layer=layer, iterations=3, codes=2, searched=searched))
        for layer in LAYERS
    }
    shown = [*last.answers.values(), last.image]
    assert all(torch.equal(mine, one[-1].image) for mine, one in zip(shown, alone.values(), strict=True))
    assert last.notices == ("The result is that of the composing layer of 16 px.",)
    curve = last.views["loss"]
    assert isinstance(curve, Curve) and list(curve.lines) == ["4 px", "8 px", "16 px"]


def test_a_run_that_was_left_ends_the_same(nets):
    options = Options(job="invert", layer=SWEEP, iterations=3, codes=2)
    whole, left = run(nets, options), 4  # in the second layer
    save = next(frame for frame in _stepped(nets, options) if frame.step == left).save
    assert save is not None
    rest = run(nets, options, save())
    assert [frame.step for frame in rest] == [*range(left + 1, 10)]
    assert torch.equal(rest[-1].image, whole[-1].image)
    assert all(torch.equal(rest[-1].answers[name], whole[-1].answers[name]) for name in whole[-1].answers)


def _stepped(nets: Nets, options: Options):
    return MGANPRIOR.run(FIRST, options, nets, torch.Generator().manual_seed(5))


def test_it_costs_as_much_as_its_layers_together():
    single = [MGANPRIOR.cost(64, 64, Options(layer=layer)) for layer in SWEPT]
    whole = MGANPRIOR.cost(64, 64, Options(layer=SWEEP))
    assert whole.operations == pytest.approx(sum(each.operations for each in single))
    assert whole.memory == max(each.memory for each in single)
    assert [step.kind for step in whole.steps] == [f"layer {layer}" for layer in SWEPT]


@pytest.mark.parametrize("more", [{"job": "edit"}, {"job": "mix", "second": SECOND}])
def test_editing_and_mixing_take_one_layer(more):
    with pytest.raises(OptionError, match="take one composing layer"):
        Options(layer=SWEEP, **more)
