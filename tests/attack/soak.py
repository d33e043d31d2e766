"""Many users for a long time: `python -m tests.attack.soak --minutes 60 --users 20 --seed 0`; seven hours: 420.

Each user acts again and again as one of these at random: opens the page and presses Run on a tab; compares all
methods; calls the API; leaves in the middle; cancels; gives a file that is no picture.

The promises: no failure and no traceback in the log; in the second half of the time the memory is flat: what is held
between the runs (the lowest tenth of the samples) grows by less than 50 MB from its first half to its second. A run
takes up to 2 GB while it computes, so the samples differ by more than that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.page_session import Refused, Site, Visitor
from tests.support.watch import ROOT, Held, Server, first_byte, percentile, server

FLAT = 50e6  # bytes
EXAMPLES = ROOT / "assets" / "examples"
PHOTO = "astronaut.png"  # every method takes it
PICTURES = {
    "pulse": (PHOTO, "astronaut-face-32.png"),
    "kernelgan": (PHOTO, "coffee-small-x4.png"),
    "glean": (PHOTO, "astronaut-face-64.png"),
    "mganprior": (PHOTO, "astronaut-face-64.png"),
    "srgan": ("chelsea-small-x4.png", "coffee-small-x4.png", "astronaut-face-64.png"),
    "compare": (PHOTO,),
}
# Settings that keep a run short: 20 users share one device.
METHODS: dict[str, dict[str, Any]] = {
    "pulse": {"steps": 20},
    "kernelgan": {"iterations": 300, "zssr_iterations": 40},
    "glean": {},
    "mganprior": {"iterations": 10},
    "srgan": {},
}
EXPECTED = ("ot a PNG",)  # what a file that is no picture must get; texts begin with a capital letter


@dataclass
class Log:
    """What happened."""

    done: Counter[str] = field(default_factory=Counter[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    held: list[tuple[float, Held]] = field(default_factory=list[tuple[float, Held]])
    first: list[float] = field(default_factory=list[float])


Action = Callable[[Visitor, random.Random], Awaitable[None]]


async def picture(visitor: Visitor, chance: random.Random, method: str) -> dict[str, Any]:
    """A picture that the method can take."""
    name = chance.choice(PICTURES[method])
    return await visitor.upload(name, (EXAMPLES / name).read_bytes())


async def runs(visitor: Visitor, chance: random.Random) -> None:
    """Opens the page, waits for the preview, presses Run, downloads a picture of the result."""
    (await visitor.client.get("/")).raise_for_status()
    method = chance.choice([*METHODS, "compare"])
    given = await picture(visitor, chance, method)
    async with visitor.heartbeat():
        if method != "compare":
            event = visitor.site.event(f"{method}-picture", "change")
            async for _ in visitor.run(event, visitor.site.values(event, given)):
                pass
        event = visitor.site.event(f"{method}-run", "click")
        pictures: list[str] = []
        async for message in visitor.run(event, short(visitor, event, given)):
            pictures += re.findall(r"file=([^\"\\?]+\.png)", json.dumps(message))
        if not pictures:
            raise Refused(f"{method}: no picture")
        content = await visitor.download(chance.choice(pictures[-3:]))
        if not content.startswith(b"\x89PNG"):
            raise Refused(f"{method}: the result is not a PNG")


def short(visitor: Visitor, event: dict[str, Any], given: dict[str, Any]) -> list[Any]:
    """The event's values with the settings of METHODS, which its controls show by their labels."""
    values = visitor.site.values(event, given)
    components = {c["id"]: c["props"] for c in visitor.site.config["components"]}
    for place, number in enumerate(event["inputs"]):
        name = str(components[number].get("elem_id") or "")
        method = name.removeprefix("compare-").removesuffix("-options")
        if name.endswith("-options") and method in METHODS:
            values[place] = " ".join(f"{key}={value}" for key, value in METHODS[method].items())
        label = str(components[number].get("label") or "").lower().replace(" ", "_")
        for method, options in METHODS.items():
            if label in options and event == visitor.site.event(f"{method}-run", "click"):
                values[place] = options[label]
    return values


async def calls(visitor: Visitor, chance: random.Random) -> None:
    """The API, as gradio_client uses it."""
    method = chance.choice(list(METHODS))
    given = await picture(visitor, chance, method)
    result, report = await visitor.call(method, picture=given, seed=chance.randrange(100), **METHODS[method])
    if "receipt" not in report or not (await visitor.download(result["path"])).startswith(b"\x89PNG"):
        raise Refused(f"{method}: no result")


async def leaves(visitor: Visitor, chance: random.Random) -> None:
    """Closes the page in the middle of a run."""
    method = chance.choice(list(METHODS))
    event = visitor.site.event(f"{method}-run", "click")
    await visitor.join(event, short(visitor, event, await picture(visitor, chance, method)))
    if chance.random() < 0.3:
        return  # never listens
    stop, number = chance.randrange(1, 8), 0
    async for _ in visitor.messages():
        number += 1
        if number >= stop:
            return


async def cancels(visitor: Visitor, chance: random.Random) -> None:
    """Cancels a run, as gradio_client does."""
    method = chance.choice(list(METHODS))
    event = visitor.site.event(f"{method}-run", "click")
    given = await picture(visitor, chance, method)
    event_id = await visitor.join(event, short(visitor, event, given))
    stop, number = chance.randrange(1, 8), 0
    async for _ in visitor.messages():
        number += 1
        if number == stop:
            await visitor.cancel(event, event_id)


async def mistakes(visitor: Visitor, chance: random.Random) -> None:
    """Gives a file that is no picture."""
    given = await visitor.upload("cat.png", chance.randbytes(chance.randrange(1, 100_000)))
    try:
        await visitor.call(chance.choice(list(METHODS)), picture=given)
    except Refused as error:
        if any(text in error.text for text in EXPECTED):
            return
        raise
    raise Refused("a file that is no picture was taken")


ACTIONS: tuple[tuple[Action, int], ...] = ((runs, 8), (calls, 5), (leaves, 2), (cancels, 2), (mistakes, 1))


async def user(page: Server, site: Site, log: Log, chance: random.Random, end: float) -> None:
    """One user, until `end`."""
    actions, weights = zip(*ACTIONS)
    while time.monotonic() < end:
        action = chance.choices(actions, weights)[0]
        async with httpx.AsyncClient(base_url=page.url, timeout=120) as client:
            try:
                await action(Visitor(client, site), chance)
                log.done[action.__name__] += 1
            except (Refused, httpx.HTTPError) as error:
                text = error.text if isinstance(error, Refused) else f"{type(error).__name__}: {error}"
                log.failed[f"{action.__name__}: {text[:200]}"] += 1
                print(f"failed: {action.__name__}: {text[:200]}", flush=True)
        await asyncio.sleep(chance.uniform(0, 2))


async def watch(page: Server, log: Log, begin: float, end: float) -> None:
    """What the server holds and how soon it answers, each five seconds or more often; a line each minute."""
    number, pause = 0, min(5.0, (end - begin) / 20)
    while time.monotonic() < end:
        log.first.append(await asyncio.to_thread(first_byte, page.url))
        held = await asyncio.to_thread(page.held)
        log.held.append((time.monotonic() - begin, held))
        if number % 12 == 0:
            print(
                f"{log.held[-1][0] / 60:5.1f} min: {held.memory / 1e6:5.0f} MB, {held.threads} threads, "
                f"{held.descriptors} descriptors, {held.files / 1e6:.0f} MB of files, {log.done.total()} done, "
                f"{log.failed.total()} failed",
                flush=True,
            )
        number += 1
        await asyncio.sleep(pause)


async def soaked(page: Server, log: Log, users: int, minutes: float, seed: int) -> Held:
    """Everything; what the server holds after a minute of rest."""
    async with httpx.AsyncClient(base_url=page.url, timeout=120) as client:
        site = await Site.read(client)
    begin = time.monotonic()
    end = begin + 60 * minutes
    people = (user(page, site, log, random.Random(seed * 1000 + number), end) for number in range(users))
    await asyncio.gather(watch(page, log, begin, end), *people)
    await asyncio.sleep(min(60, 60 * minutes))
    return page.held()


def report(log: Log, rest: Held) -> bool:
    """Prints the figures; whether the promises hold."""
    memory = [held.memory for _, held in log.held]
    half, quarter = len(memory) // 2, len(memory) * 3 // 4
    growth = percentile(memory[quarter:], 0.1) - percentile(memory[half:quarter], 0.1)
    middle = statistics.median(memory[quarter:]) - statistics.median(memory[half:quarter])
    print(f"done: {dict(log.done)}")
    print(f"failed: {log.failed.total()} {dict(log.failed)}")
    print(
        f"memory: {max(memory) / 1e6:.0f} MB at most; from the third quarter of the time to the fourth: ",
        end="",
    )
    print(f"lowest tenth {growth / 1e6:+.0f} MB, median {middle / 1e6:+.0f} MB")
    print(f"temporary files: {max(held.files for _, held in log.held) / 1e6:.0f} MB at most")
    print(
        f"threads: {log.held[0][1].threads} at first, {rest.threads} after a minute of rest; descriptors: ",
        end="",
    )
    print(f"{log.held[0][1].descriptors}, {rest.descriptors}; memory at rest {rest.memory / 1e6:.0f} MB")
    print(f"first byte of /: p50 {1e3 * percentile(log.first, 0.5):.0f} ms, p99 ", end="")
    print(f"{1e3 * percentile(log.first, 0.99):.0f} ms ({len(log.first)} requests)")
    return not log.failed and growth < FLAT


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    log = Log()
    with tempfile.TemporaryDirectory() as folder:
        # All users come from one address here, and who left has a run for some seconds more.
        with server(Path(folder), GANSR_RUNS_PER_ADDRESS="64") as page:
            rest = asyncio.run(soaked(page, log, given.users, given.minutes, given.seed))
        text = (Path(folder) / "server.log").read_text(errors="replace")
    print(f"log: {len(text)} bytes, {text.count('Traceback')} tracebacks")
    if "Traceback" in text:
        print(text[-3000:])
    return int(not report(log, rest) or "Traceback" in text)


if __name__ == "__main__":
    raise SystemExit(main())
