"""`python -m gansr deploy OWNER/NAME`: this checkout as a Space on the Hugging Face Hub.

Checks that a Space would take it, and that its files start in an environment made from requirements.txt alone and
answer an example (gansr.clean_start). Then creates the Space, uploads the files it needs (a tree, not git's history),
sets hardware and variables, waits until it runs, and asks its API for the example. Log in first: `hf auth login`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

from gansr import clean_start, front_matter
from gansr.weights import manifest, publish
from gansr.weights.manifest import WeightsError

ROOT = Path(__file__).resolve().parents[1]
# Not needed to run the page.
LEFT_OUT = (
    "tests/*", "locks/*", ".ci/*", ".git*", ".pre-commit-config.yaml", ".dockerignore", "Dockerfile", "Makefile",
    "pyproject.toml", "requirements-dev.txt", "requirements-ray.txt", "cluster.yaml",
)  # fmt: skip
MAX_FILE = 10_000_000  # bytes in git, without LFS
MAX_DESCRIPTION = 60  # characters
PYTHONS = ("3.10.13", "3.12.12")  # what ZeroGPU has
VARIABLES = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
EXAMPLE = "assets/examples/chelsea-small-x4.png"
STARTED = ("RUNNING",)
FAILED = ("BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE", "STOPPED", "PAUSED", "DELETING")
PATIENCE = 45 * 60.0  # seconds for the build and the start
PACE = 10.0  # seconds between two looks


class DeployError(WeightsError):
    """The Space could not be made. The text says why and what to do."""


def add_parser(subparsers: Any) -> None:
    """Add the command to the main parser."""
    text = "for developers: put this checkout on the Hugging Face Hub as a Space"
    parser = subparsers.add_parser("deploy", help=text, description=text)
    parser.add_argument("space", metavar="OWNER/NAME")
    parser.add_argument(
        "--hardware", help="zero-a10g, cpu-basic, t4-small, …; default: README's suggested_hardware"
    )
    parser.add_argument("--private", action="store_true", help="only you can see it")
    parser.add_argument("--update", action="store_true", help="the Space is there: upload what has changed")
    parser.add_argument(
        "--dry-run", action="store_true", help="check, and print what would be done; nothing is sent"
    )
    parser.add_argument(
        "--skip-start",
        action="store_true",
        help="leave out one check, the start in a new environment: some minutes, a download of 0.5 to 3 GB, and 1.5 to "
        "6 GB of disk until it is over",
    )
    parser.set_defaults(handler=run)


def run(parsed: argparse.Namespace) -> int:
    """Run the command. → exit status, 1 where something was refused."""
    try:
        deploy(
            parsed.space,
            parsed.hardware,
            parsed.private,
            parsed.update,
            parsed.dry_run,
            not parsed.skip_start,
        )
    except WeightsError as error:
        print(f"gansr: {error}", file=sys.stderr)
        return 1
    return 0


def deploy(
    space: str,
    hardware: str | None = None,
    private: bool = False,
    update: bool = False,
    dry_run: bool = False,
    start: bool = True,
    root: Path = ROOT,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Check, create, upload, wait and try. Raises DeployError saying what to do."""
    paths = files(root)
    if problems := list(checked(root, paths)):
        raise DeployError(
            "a Space would not take this checkout:\n" + "\n".join(f"  · {each}" for each in problems)
        )
    suggested = front_matter.read(_text(root, "README.md")).get("suggested_hardware", "cpu-basic")
    hardware = hardware or str(suggested)
    megabytes = sum((root / path).stat().st_size for path in paths) / 1e6
    print(f"checked: {len(paths)} files, {megabytes:.1f} MB, for {hardware}")
    if start:
        _start(space, root, paths)
    if dry_run:
        for path in paths:
            print(f"would upload: {path}")
        return
    with publish.hub_errors(space):
        host = _put(space, paths, hardware, private, update, root, sleep, clock)
    _try(host, root, _token())
    print(f"{space} runs: {host}")


# ------------------------------------------------------------------------------------------------- the files


def files(root: Path) -> list[str]:
    """The files that the Space needs: what git tracks, without tests and tools. Raises DeployError without git."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, cwd=root, check=False)
    if listed.returncode:
        raise DeployError(f"{root} is no git checkout: its files are not known")
    tracked = [path for path in listed.stdout.decode().split("\0") if path and (root / path).is_file()]
    return sorted(path for path in tracked if not any(fnmatch(path, pattern) for pattern in LEFT_OUT))


def checked(root: Path, paths: list[str]) -> Iterator[str]:
    """What is wrong with the checkout, each in a sentence."""
    readme = _text(root, "README.md")
    try:
        fields = front_matter.read(readme)
    except ValueError as error:
        yield f"README.md: {error}"
        return
    pins = dict(
        re.findall(r"^([\w-]+)(?:\[[\w,]+\])?==([\w.]+)", _text(root, "requirements.txt"), re.MULTILINE)
    )
    if fields.get("sdk") != "gradio" or str(fields.get("sdk_version")) != pins.get("gradio"):
        yield f"README.md: sdk_version is {fields.get('sdk_version')}; requirements.txt has gradio {pins.get('gradio')}"
    if str(fields.get("python_version")) not in PYTHONS:
        yield f"README.md: python_version is {fields.get('python_version')}; ZeroGPU has {' and '.join(PYTHONS)}"
    if not 0 < len(str(fields.get("short_description", ""))) <= MAX_DESCRIPTION:
        yield f"README.md: short_description has {len(str(fields.get('short_description', '')))} characters, of 1 to 60"
    for field in ("app_file", "thumbnail"):
        if fields.get(field) not in paths:
            yield f"README.md: {field} is {fields.get(field)}, which is no file of this checkout"
    if fields.get("license") == "other" and not (fields.get("license_name") and fields.get("license_link")):
        yield "README.md: the license `other` needs license_name and license_link"
    entries = manifest.entries(root / "weights_manifest.json")
    for field, value in publish.generated(entries.values()).items():
        if fields.get(field) != value:
            yield f"README.md: {field} differs from weights_manifest.json; `weights publish` writes it"
    for name, entry in entries.items():
        if licence_row(readme, name) != entry.terms.commercial:
            yield f"README.md: the table of licences does not say of {name} what weights_manifest.json says"
    for line in _text(root, "requirements.txt").splitlines():
        requirement = line.partition("#")[0].strip()
        if requirement and "==" not in requirement and not requirement.startswith("torch>="):
            yield f"requirements.txt: {requirement} has no exact version"
    for path in paths:
        if (size := (root / path).stat().st_size) > MAX_FILE:
            yield f"{path} has {size / 1e6:.1f} MB; at most {MAX_FILE / 1e6:.0f} MB are taken"


def licence_row(readme: str, name: str) -> bool | None:
    """Whether the table of licences says that weights may be used commercially; None where it does not name them."""
    table = readme.partition("| weights | commercial use |")[2].partition("\n\n")[0]
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) > 1 and any(fnmatch(name, pattern) for pattern in re.findall(r"`([^`]+)`", cells[0])):
            return {"yes": True, "no": False}.get(cells[1].strip("*"))
    return None


def _text(root: Path, path: str) -> str:
    try:
        return (root / path).read_text(encoding="utf-8")
    except OSError as error:
        raise DeployError(f"{path} cannot be read: {error.strerror or error}") from error


def _start(space: str, root: Path, paths: list[str]) -> None:
    """Start the files that would be uploaded, with the packages of requirements.txt alone, and run the example."""
    print("starting it in a new environment, which takes some minutes; --skip-start leaves this out")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tree = Path(folder) / "tree"
        _stage(space, root, paths, tree)
        try:
            python = clean_start.environment(Path(folder) / "environment", tree / "requirements.txt")
            with clean_start.started(tree, Path(folder) / "data", python) as host:
                _try(host, root)
        except clean_start.StartError as error:
            raise DeployError(f"with requirements.txt alone, {error}") from error
    print(f"it starts with requirements.txt alone, on Python {'.'.join(map(str, sys.version_info[:2]))}")


# ------------------------------------------------------------------------------------------------- the Space


def _put(
    space: str,
    paths: list[str],
    hardware: str,
    private: bool,
    update: bool,
    root: Path,
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> str:
    """Create the Space or find it, upload, set it up, and wait until it runs → its address."""
    from huggingface_hub import HfApi

    api = HfApi()
    api.whoami()
    there = api.repo_exists(space, repo_type="space")
    if there != update:
        raise DeployError(
            f"{space} is there already: add --update" if there else f"there is no {space} to update"
        )
    if not there:
        variables = [{"key": key, "value": value} for key, value in VARIABLES.items()]
        kind = cast(Any, hardware)  # the client's own list is older than the Hub's
        api.create_repo(
            space,
            repo_type="space",
            space_sdk="gradio",
            private=private,
            space_hardware=kind,
            space_variables=variables,
        )
    with tempfile.TemporaryDirectory() as folder:
        _stage(space, root, paths, Path(folder))
        commit = api.upload_folder(
            repo_id=space, repo_type="space", folder_path=folder, delete_patterns=["*"],
            commit_message=f"gansr {_version()}",
        )  # fmt: skip
    print(f"uploaded: {commit.oid}")
    if there:
        _set_up(api, space, hardware)
    _wait(api, space, sleep, clock)
    host = api.space_info(space).host
    if not host:
        raise DeployError(f"{space} runs, but the Hub does not say where; see {api.endpoint}/spaces/{space}")
    return host


def _stage(space: str, root: Path, paths: list[str], folder: Path) -> None:
    """Copy the files, with whole addresses of thumbnail and licences in the front matter: it takes no relative ones."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, folder / path)
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    fields = front_matter.read(text)
    for name, how in (("thumbnail", "resolve"), ("license_link", "blob")):
        if value := fields.get(name):
            address = f"https://huggingface.co/spaces/{space}/{how}/main/{value}"
            text = front_matter.with_field(text, name, address)
    readme.write_text(text, encoding="utf-8")


def _version() -> str:
    from gansr.version import version

    return version()


def _set_up(api: Any, space: str, hardware: str) -> None:
    """Hardware and variables of a Space that is there, where they differ: each change restarts it."""
    runtime = api.get_space_runtime(space)
    if hardware not in (runtime.hardware, runtime.requested_hardware):
        api.request_space_hardware(space, hardware)
    have = {key: variable.value for key, variable in api.get_space_variables(space).items()}
    for key, value in VARIABLES.items():
        if have.get(key) != value:
            api.add_space_variable(space, key, value)


def _wait(api: Any, space: str, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
    """Until the Space runs. Raises DeployError where its build or start fails, or takes too long."""
    end, shown = clock() + PATIENCE, ""
    while True:
        runtime = api.get_space_runtime(space)
        stage = str(getattr(runtime.stage, "value", runtime.stage))
        if stage != shown:
            print(f"stage: {stage}")
        if stage in STARTED:
            return
        if stage in FAILED:
            why = runtime.raw.get("errorMessage") or "see its log"
            raise DeployError(f"{space} ended as {stage}: {why}: {api.endpoint}/spaces/{space}?logs=build")
        if clock() > end:
            raise DeployError(f"{space} does not run after {PATIENCE / 60:.0f} minutes; its stage is {stage}")
        shown = stage
        sleep(PACE)


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


def _try(host: str, root: Path, token: str | None = None) -> None:
    """Open the page, and enlarge an example through the API."""
    try:
        made = clean_start.example(host, root / EXAMPLE, token)
    except Exception as error:  # of the page, the network or the client
        code = f"status {error.code}" if isinstance(error, urllib.error.HTTPError) else f"{error}"
        raise DeployError(f"{host} runs, but the example failed: {type(error).__name__}: {code}") from error
    print(f"example: {made} through the API")
