"""One visitor of a running page over HTTP, in the protocol that the browser and gradio_client speak."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

PREFIX = "/gradio_api"


class Refused(Exception):
    """The page answered with an error. `text` is what the user would read."""

    def __init__(self, text: str):
        super().__init__(text)
        self.text = text


@dataclass(frozen=True)
class Site:
    """What a browser learns of the page before it does anything."""

    config: dict[str, Any]
    info: dict[str, Any]

    @classmethod
    async def read(cls, client: httpx.AsyncClient) -> Site:
        config = (await client.get("/config")).raise_for_status().json()
        info = (await client.get(f"{PREFIX}/info")).raise_for_status().json()
        return cls(config, info)

    def event(self, elem_id: str, kind: str) -> dict[str, Any]:
        """The last event of this kind ("click", "change") that the component has, which is the one that computes."""
        (target,) = (c["id"] for c in self.config["components"] if c["props"].get("elem_id") == elem_id)
        found = [d for d in self.config["dependencies"] if [target, kind] in [list(t) for t in d["targets"]]]
        return max(found, key=lambda event: (event["types"]["generator"], len(event["outputs"])))

    def values(self, event: dict[str, Any], picture: dict[str, Any]) -> list[Any]:
        """What the page sends for an event when nothing was changed but the picture."""
        components = {c["id"]: c for c in self.config["components"]}
        made: list[Any] = []
        for number in event["inputs"]:
            component = components[number]
            is_picture = str(component["props"].get("elem_id", "")).endswith("-picture")
            made.append(
                picture if is_picture and component["type"] == "image" else component["props"].get("value")
            )
        return made

    def arguments(self, name: str, **given: Any) -> list[Any]:
        """The arguments of the API endpoint `name`, in order: its defaults and what is given."""
        parameters = self.info["named_endpoints"][f"/{name}"]["parameters"]
        return [given.get(p["parameter_name"], p.get("parameter_default")) for p in parameters]


class Visitor:
    """A session of one visitor."""

    def __init__(self, client: httpx.AsyncClient, site: Site):
        self.client, self.site = client, site
        self.session = secrets.token_hex(6)

    async def upload(self, name: str, content: bytes) -> dict[str, Any]:
        """A file value for a component."""
        answer = await self.client.post(f"{PREFIX}/upload", files={"files": (name, content)})
        if answer.status_code != 200:
            raise Refused(f"{answer.status_code}: {answer.text}")
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}, "orig_name": name}

    @asynccontextmanager
    async def heartbeat(self) -> AsyncIterator[None]:
        """The connection that an open page keeps."""

        async def beat() -> None:
            async with self.client.stream(
                "GET", f"{PREFIX}/heartbeat/{self.session}", timeout=None
            ) as stream:
                async for _ in stream.aiter_bytes():
                    pass

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def join(self, event: dict[str, Any], values: list[Any]) -> str:
        """Ask for an event of the page; its id."""
        body = {"fn_index": event["id"], "data": values, "event_data": None, "session_hash": self.session}
        answer = await self.client.post(f"{PREFIX}/queue/join", json=body)
        if answer.status_code != 200:
            raise Refused(f"{answer.status_code}: {answer.text}")
        return answer.json()["event_id"]

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """The messages of this session until its last event has ended. Raises Refused for an event that failed."""
        url = f"{PREFIX}/queue/data?session_hash={self.session}"
        async with self.client.stream("GET", url, timeout=None) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data: "):
                    continue
                message = json.loads(line.removeprefix("data: "))
                if message["msg"] == "close_stream":
                    return
                if message.get("success") is False:
                    output = message.get("output") or {}
                    raise Refused(str(output.get("error") or message.get("message") or message))
                yield message

    async def cancel(self, event: dict[str, Any], event_id: str) -> None:
        """As Gradio's own clients cancel."""
        body = {"session_hash": self.session, "fn_index": event["id"], "event_id": event_id}
        (await self.client.post(f"{PREFIX}/cancel", json=body)).raise_for_status()

    async def run(self, event: dict[str, Any], values: list[Any]) -> AsyncIterator[dict[str, Any]]:
        """The messages of one event of the page."""
        await self.join(event, values)
        async for message in self.messages():
            yield message

    async def call(self, name: str, **given: Any) -> list[Any]:
        """The result of the API endpoint `name`. Raises Refused."""
        data = self.site.arguments(name, **given)
        answer = await self.client.post(f"{PREFIX}/call/{name}", json={"data": data})
        if answer.status_code != 200:
            raise Refused(f"{answer.status_code}: {answer.text}")
        kind = ""
        url = f"{PREFIX}/call/{name}/{answer.json()['event_id']}"
        async with self.client.stream("GET", url, timeout=None) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == "complete":
                    return json.loads(line.removeprefix("data: "))
                elif line.startswith("data: ") and kind == "error":
                    raise Refused(line.removeprefix("data: "))
        raise Refused("the stream ended without a result")

    async def download(self, path: str) -> bytes:
        """A file that the page handed out."""
        return (await self.client.get(f"{PREFIX}/file={path}")).raise_for_status().content
