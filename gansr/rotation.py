"""Who waits, by owner: an owner's items come in the order in which they joined, and owners are served in rotation."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Rotation(Generic[T]):
    """Items that wait. Iterating gives them in the order in which they will be taken."""

    def __init__(self) -> None:
        self._owners: OrderedDict[str, deque[T]] = OrderedDict()  # in the order of the rotation

    def append(self, owner: str, item: T) -> None:
        """The last of its owner; a new owner goes to the end of the rotation."""
        self._owners.setdefault(owner, deque()).append(item)

    def append_first(self, owner: str, item: T) -> None:
        """Before all others."""
        self._owners.setdefault(owner, deque()).appendleft(item)
        self._owners.move_to_end(owner, last=False)

    def take(self, owner: str | None = None) -> T:
        """The first item, of `owner` if one is named, who goes to the end of the rotation. Raises KeyError or
        StopIteration where there is none."""
        owner = next(iter(self._owners)) if owner is None else owner
        own = self._owners.pop(owner)
        item = own.popleft()
        if own:
            self._owners[owner] = own
        return item

    def remove(self, owner: str, item: T) -> None:
        """Give its place up. One that is not there is no error."""
        if item in (own := self._owners.get(owner, deque[T]())):
            own.remove(item)
            if not own:
                del self._owners[owner]

    def clear(self) -> None:
        """Nobody waits any more."""
        self._owners.clear()

    def heads(self) -> Iterator[tuple[str, T]]:
        """Each owner with its first item, in the order of the rotation."""
        return ((owner, own[0]) for owner, own in self._owners.items())

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def __iter__(self) -> Iterator[T]:
        waiting = deque(map(deque, self._owners.values()))
        while waiting:
            own = waiting.popleft()
            yield own.popleft()
            if own:
                waiting.append(own)
