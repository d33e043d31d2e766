"""The generators that can be chosen: the authors' PGGANs of rooms and churches, and what holds for every one."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from gansr import weights
from gansr.engine import Engine, Job
from gansr.options import OptionError, parse_options
from gansr.papers.mganprior import MGANPRIOR, Options
from gansr.papers.mganprior.cost import _shapes
from gansr.papers.mganprior.options import GENERATORS, plan_of
from gansr.weights import cache, manifest
from tests.support import authors_files
from tests.support.tiny_weights import run

SCENES = ("pggan-bedroom-256", "pggan-churchoutdoor-256", "pggan-conferenceroom-256")


@pytest.mark.parametrize("name", GENERATORS)
def test_estimates_and_the_menu_know_the_shapes_of_every_generator(name: str):
    with torch.device("meta"):
        net = manifest.build(weights.entries()[name])
    assert net.side == GENERATORS[name]
    ours = [side for _, side in _shapes(name)]
    assert ours == [side for _, side in net.shapes]
    if name.startswith("pggan"):
        assert _shapes(name) == net.shapes
    for layer in ("auto", "4", str(GENERATORS[name] // 2)):
        plan = plan_of(Options(generator=name, job="invert", side="256", layer=layer))
        assert plan.layer in ours
    with pytest.raises(OptionError, match=r"composing layer of at most|layer must be one of"):
        parse_options(Options, {"generator": name, "layer": str(GENERATORS[name])})


@pytest.mark.parametrize("name", SCENES)
def test_a_generator_of_scenes_looks_for_no_face_and_has_no_directions_of_faces(name: str):
    options = parse_options(Options, {"generator": name, "job": "colour"})
    assert MGANPRIOR.accepts.faceless is not None and MGANPRIOR.accepts.faceless(options)
    assert not MGANPRIOR.accepts.seeks_face(options)
    with pytest.raises(OptionError, match="give a boundary file made for it"):
        parse_options(Options, {"generator": name, "job": "edit"})


def test_a_problem_that_the_generator_is_too_small_for_is_refused():
    assert MGANPRIOR.fit is not None
    options = Options(generator=SCENES[0])
    assert MGANPRIOR.fit(options, 64, 8).factor == 4
    for side in (256, 512):
        with pytest.raises(OptionError, match=f"draws 256×256 px: too few to enlarge {side}×{side}"):
            MGANPRIOR.fit(options, side, 2)


def test_the_authors_file_is_imported_and_searched(tmp_path, monkeypatch, one_thread):
    """A file of the real one's names and shapes, 92 MB of noise; the other two differ in name only."""
    monkeypatch.setenv("GANSR_CACHE", str(tmp_path / "cache"))
    entries = weights.entries()
    for name in SCENES[1:]:
        others = dataclasses.replace(
            entries[name], name=SCENES[0], trained_on=entries[SCENES[0]].trained_on, sources=()
        )
        assert others == dataclasses.replace(entries[SCENES[0]], sources=())
        theirs, first = (entries[each].source(manifest.Yours) for each in (name, SCENES[0]))
        assert theirs is not None and first is not None and theirs.converter == first.converter
        assert theirs.files == (f"pggan_{name.split('-')[1]}256_generator.pth",)
    assert weights.missing_file(SCENES[:1]).startswith("needs a file: pggan-bedroom-256 is not here.")
    state = authors_files.pggan(256)
    assert (
        sum(value.numel() for value in state.values()) == 23_044_310 and len(state) == 43
    )  # the real file's
    torch.save(state, tmp_path / "pggan_bedroom256_generator.pth")
    assert run("import", SCENES[0], str(tmp_path / "pggan_bedroom256_generator.pth")) == 0
    assert weights.ready(SCENES[0]) and SCENES[0] in cache.pins()
    engine = Engine("cpu", load=weights.load, pace=0.0)
    low = torch.rand(3, 256, 256, generator=torch.Generator().manual_seed(0))
    options = parse_options(
        Options, {"generator": SCENES[0], "job": "colour", "iterations": 2, "codes": 2, "roles": False}
    )
    last = list(engine.stream(Job(MGANPRIOR, low, options, 0, "exact")))[-1]
    assert last.image.shape == (3, 256, 256) and last.readings["loss"] > 0
    weights._recent.clear()
