"""Repositories of the Hub in memory, with the requests that huggingface_hub's client makes to write and to list them.

`with HubRepos() as hub:` serves on 127.0.0.1; `hub.repos["model", "we/nets"]` holds the commits. Files that end as
weights do, or are larger than 10 MB, go through LFS as on the Hub; Xet is not offered. A commit whose LFS object was
not uploaded, or has another hash, is refused. A Space is "built" by `hub.build`, which gets the repository and returns
the address where it runs.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.hub_server import COMMIT, Handler, Server

TOKEN = "hf_of_the_tests"
LARGE = (".safetensors", ".onnx", ".png", ".jpg", ".npz", ".bin")  # in the .gitattributes of a new repository
ATTRIBUTES = "".join(f"*{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in LARGE).encode()
MAX_REGULAR = 10_000_000  # bytes
REPO = r"(?P<owner>[\w.-]+)/(?P<name>[\w.-]+)"


def git_sha(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def lfs(path: str, content: bytes) -> bool:
    return path.endswith(LARGE) or len(content) > MAX_REGULAR


@dataclass
class Repo:
    """Commits, newest last: their id → path → content."""

    kind: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False
    hardware: str = "cpu-basic"
    variables: dict[str, str] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)  # of a Space, still to come; the last one stays
    host: str = ""
    log: list[str] = field(default_factory=list)  # messages of the commits

    @property
    def head(self) -> str:
        return list(self.commits)[-1]

    @property
    def files(self) -> dict[str, bytes]:
        return self.commits[self.head]

    def commit(self, files: dict[str, bytes], message: str) -> str:
        seed = json.dumps([message, len(self.commits), sorted((p, git_sha(c)) for p, c in files.items())])
        oid = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[oid] = files
        self.log.append(message)
        return oid

    def at(self, revision: str) -> dict[str, bytes] | None:
        return self.files if revision == "main" else self.commits.get(revision)


class HubRepos(Server):
    """The Hub: `url` is its endpoint, TOKEN the token that may write."""

    def __init__(self) -> None:
        super().__init__(_HubHandler)
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}  # sha256 → uploaded LFS object
        self.stages = [
            "BUILDING",
            "APP_STARTING",
            "RUNNING",
        ]  # of a Space after each commit; the last one stays
        self.build: Callable[[Repo], str] = lambda repo: ""
        self.lock = threading.RLock()
        self.refused: dict[tuple[str, str], int] = {}  # (method, ending of the path) → the status it answers

    def uploads(self) -> int:
        """How many objects were sent so far."""
        return self.count("PUT")

    def commits(self) -> int:
        return sum(method == "POST" and "/commit/" in path for method, path in self.asked)


class _HubHandler(Handler):
    server_state: HubRepos

    def do_POST(self) -> None:
        self.answer("POST")

    def do_PUT(self) -> None:
        self.answer("PUT")

    def do_DELETE(self) -> None:
        self.answer("DELETE")

    def respond(self, method: str) -> None:
        path, self.etag, self.commit = unquote(urlsplit(self.path).path), "", COMMIT
        if path.startswith("/api/"):
            return self.answer(method)
        if found := re.fullmatch(
            rf"/(?P<kind>spaces/)?{REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", path
        ):
            return self.resolve(method, found.groupdict())
        if path.startswith("/objects/") and (content := self.server_state.objects.get(path[9:])) is not None:
            self.server_state.files[self.path] = content
        return super().respond(method)

    # ------------------------------------------------------------------------------------------ reading

    def resolve(self, method: str, parts: dict[str, str | None]) -> None:
        hub, kind = self.server_state, "space" if parts["kind"] else "model"
        repo = hub.repos.get((kind, f"{parts['owner']}/{parts['name']}"))
        files = repo.at(str(parts["revision"])) if repo else None
        if repo is None or files is None or parts["path"] not in files:
            code = (
                "RepoNotFound" if repo is None else "RevisionNotFound" if files is None else "EntryNotFound"
            )
            hub.asked.append((method, self.path))
            return self.reply(404, {"error": code}, {"X-Error-Code": code})
        content = files[str(parts["path"])]
        commit = repo.head if parts["revision"] == "main" else str(parts["revision"])
        if not lfs(str(parts["path"]), content):
            hub.files[self.path] = content
            self.etag, self.commit = git_sha(content), commit
            return super().respond(method)
        sha256 = hashlib.sha256(content).hexdigest()
        hub.objects[sha256] = content
        hub.asked.append((method, self.path))
        elsewhere = hub.url.replace("127.0.0.1", "localhost")  # another host, as the Hub's storage
        headers = {"Location": f"{elsewhere}/objects/{sha256}", "X-Repo-Commit": commit}
        headers |= {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{sha256}"'}
        return self.reply(302, None, headers)

    # --------------------------------------------------------------------------------- the Hub's interface

    def answer(self, method: str) -> None:
        hub, path = self.server_state, unquote(urlsplit(self.path).path)
        body = self.body()
        hub.asked.append((method, self.path))
        for (wanted, ending), status in hub.refused.items():
            if method == wanted and path.endswith(ending):
                return self.reply(status, {"error": f"refused with {status}"})
        writes = method != "GET" and not path.startswith("/objects/")
        if (writes or path == "/api/whoami-v2") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.reply(401, {"error": "Invalid username or password."})
        with hub.lock:
            for wanted, pattern, handle in ROUTES:
                if method == wanted and (found := re.fullmatch(pattern, path)):
                    return handle(self, body, **found.groupdict())
        return self.reply(404, {"error": f"no route {method} {path}"})

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def reply(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        data = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def repo(self, kind: str, owner: str, name: str) -> Repo | None:
        repo = self.server_state.repos.get((kind, f"{owner}/{name}"))
        if repo is None:
            self.reply(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        return repo

    def whoami(self, body: bytes) -> None:
        token = {"role": "write", "displayName": "tests"}
        self.reply(200, {"type": "user", "name": "we", "orgs": [], "auth": {"accessToken": token}})

    def create(self, body: bytes) -> None:
        wanted = json.loads(body)
        kind, key = wanted.get("type", "model"), f"{wanted['organization'] or 'we'}/{wanted['name']}"
        url = f"{self.server_state.url}/{'spaces/' if kind == 'space' else ''}{key}"
        if (kind, key) in self.server_state.repos:
            return self.reply(409, {"error": "You already created this repo", "url": url})
        repo = Repo(kind, private=wanted.get("visibility") == "private")
        repo.hardware = wanted.get("hardware", repo.hardware)
        repo.variables = {each["key"]: each["value"] for each in wanted.get("variables") or ()}
        repo.commit({".gitattributes": ATTRIBUTES}, "initial commit")
        self.server_state.repos[kind, key] = repo
        return self.reply(200, {"url": url, "name": key})

    def yaml(self, body: bytes) -> None:
        self.reply(200, {"errors": [], "warnings": []})

    def preupload(self, body: bytes, kind: str, owner: str, name: str, revision: str) -> None:
        if (repo := self.repo(kind, owner, name)) is None:
            return
        rows = []
        for each in json.loads(body)["files"]:
            path, there = each["path"], repo.files.get(each["path"])
            large = path.endswith(LARGE) or each["size"] > MAX_REGULAR
            row = {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}
            if there is not None:
                row["oid"] = hashlib.sha256(there).hexdigest() if large else git_sha(there)
            rows.append(row)
        self.reply(200, {"files": rows})

    def batch(self, body: bytes, kind: str, owner: str, name: str) -> None:
        rows: list[dict[str, Any]] = []
        for each in json.loads(body)["objects"]:
            row = {"oid": each["oid"], "size": each["size"]}
            if each["oid"] not in self.server_state.objects:
                there = f"{self.server_state.url}/objects/{each['oid']}"
                row["actions"] = {"upload": {"href": there}, "verify": {"href": f"{there}/verify"}}
            rows.append(row)
        self.reply(200, {"transfer": "basic", "objects": rows})

    def put_object(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            return self.reply(400, {"error": "the content has another hash"})
        self.server_state.objects[oid] = body
        return self.reply(200, None, {"ETag": f'"{oid}"'})

    def verify(self, body: bytes, oid: str) -> None:
        self.reply(200 if oid in self.server_state.objects else 404, {})

    def no_xet(self, body: bytes, **parts: str) -> None:
        self.reply(501, {"error": "Xet is not offered here"})

    def new_commit(self, body: bytes, kind: str, owner: str, name: str, revision: str) -> None:
        if (repo := self.repo(kind, owner, name)) is None:
            return None
        files, message = dict(repo.files), ""
        for row in map(json.loads, body.splitlines()):
            value = row["value"]
            if row["key"] == "header":
                message = value["summary"]
                if value.get("parentCommit") not in (None, repo.head):
                    return self.reply(412, {"error": "the repository has changed meanwhile"})
            elif row["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif row["key"] == "lfsFile":
                if value["oid"] not in self.server_state.objects:
                    return self.reply(400, {"error": f"{value['path']} was not uploaded"})
                files[value["path"]] = self.server_state.objects[value["oid"]]
            elif row["key"] in ("deletedFile", "deletedFolder"):
                gone = value["path"]
                files = {
                    p: c for p, c in files.items() if p != gone and not p.startswith(f"{gone.rstrip('/')}/")
                }
        oid = repo.commit(files, message)
        if kind == "space":
            repo.stages = list(self.server_state.stages)
        url = f"{self.server_state.url}/{owner}/{name}/commit/{oid}"
        return self.reply(200, {"success": True, "commitOid": oid, "commitUrl": url})

    def info(self, body: bytes, kind: str, owner: str, name: str, revision: str = "main") -> None:
        if (repo := self.repo(kind, owner, name)) is None:
            return None
        if (files := repo.at(revision)) is None:
            return self.reply(404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
        sha = repo.head if revision == "main" else revision
        found = {"id": f"{owner}/{name}", "sha": sha, "private": repo.private, "tags": [], "downloads": 0}
        found |= {"likes": 0, "siblings": [{"rfilename": path} for path in files], "_id": "0"}
        if kind == "space":
            found |= {"host": repo.host, "subdomain": f"{owner}-{name}", "sdk": "gradio"}
        return self.reply(200, found)

    def tree(self, body: bytes, kind: str, owner: str, name: str, revision: str) -> None:
        if (repo := self.repo(kind, owner, name)) is None:
            return None
        if (files := repo.at(revision)) is None:
            return self.reply(404, {"error": "Revision not found"}, {"X-Error-Code": "RevisionNotFound"})
        assert "true" in parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower()
        rows: list[dict[str, Any]] = []
        for path, content in sorted(files.items()):
            row: dict[str, Any] = {
                "type": "file",
                "path": path,
                "size": len(content),
                "oid": git_sha(content),
            }
            if lfs(path, content):
                oid = hashlib.sha256(content).hexdigest()
                row["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 130}
            rows.append(row)
        return self.reply(200, rows)

    # --------------------------------------------------------------------------------------------- Spaces

    def runtime(self, body: bytes, owner: str, name: str) -> None:
        if (repo := self.repo("space", owner, name)) is None:
            return
        stage = repo.stages.pop(0) if len(repo.stages) > 1 else (repo.stages or ["NO_APP_FILE"])[0]
        if stage == "RUNNING" and not repo.host:
            repo.host = self.server_state.build(repo)
        self.reply(200, {"stage": stage, "hardware": {"current": repo.hardware, "requested": repo.hardware}})

    def hardware(self, body: bytes, owner: str, name: str) -> None:
        if (repo := self.repo("space", owner, name)) is not None:
            repo.hardware = json.loads(body)["flavor"]
            self.reply(200, {"stage": "BUILDING", "hardware": {"current": None, "requested": repo.hardware}})

    def variable(self, body: bytes, owner: str, name: str) -> None:
        if (repo := self.repo("space", owner, name)) is not None:
            wanted = json.loads(body)
            repo.variables[wanted["key"]] = wanted["value"]
            self.variables(b"", owner, name)

    def variables(self, body: bytes, owner: str, name: str) -> None:
        if (repo := self.repo("space", owner, name)) is not None:
            self.reply(200, {key: {"value": value} for key, value in repo.variables.items()})


KIND = r"/api/(?P<kind>model|space)s/"
SPACE = rf"/api/spaces/{REPO}"
ROUTES: tuple[tuple[str, str, Callable[..., None]], ...] = (
    ("GET", "/api/whoami-v2", _HubHandler.whoami),
    ("POST", "/api/repos/create", _HubHandler.create),
    ("POST", "/api/validate-yaml", _HubHandler.yaml),
    ("GET", rf"{SPACE}/runtime", _HubHandler.runtime),
    ("POST", rf"{SPACE}/hardware", _HubHandler.hardware),
    ("POST", rf"{SPACE}/variables", _HubHandler.variable),
    ("GET", rf"{SPACE}/variables", _HubHandler.variables),
    ("GET", rf"{KIND}{REPO}", _HubHandler.info),
    ("GET", rf"{KIND}{REPO}/revision/(?P<revision>[^/]+)", _HubHandler.info),
    ("GET", rf"{KIND}{REPO}/tree/(?P<revision>[^/]+)", _HubHandler.tree),
    ("GET", rf"{KIND}{REPO}/xet-(?:read|write)-token/[^/]+", _HubHandler.no_xet),
    ("POST", rf"{KIND}{REPO}/preupload/(?P<revision>[^/]+)", _HubHandler.preupload),
    ("POST", rf"{KIND}{REPO}/commit/(?P<revision>[^/]+)", _HubHandler.new_commit),
    ("POST", rf"/(?P<kind>model|space)?(?:s/)?{REPO}\.git/info/lfs/objects/batch", _HubHandler.batch),
    ("PUT", r"/objects/(?P<oid>[0-9a-f]{64})", _HubHandler.put_object),
    ("POST", r"/objects/(?P<oid>[0-9a-f]{64})/verify", _HubHandler.verify),
)
