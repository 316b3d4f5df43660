"""How far long work has come.

Job: whoever does something that can take long says how far it is; whoever shows it to a person listens (terminal.py).
In a daemon without a terminal nobody listens, and saying so costs a look at an empty list. Shell.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar

Listener = Callable[[str, int, int], None]
"""Hears what is being done, how much of it has been done, and how much it is in all."""

STEPS = 200  # of a walk that are told
T = TypeVar("T")
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` hear of all work until the block ends."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell(what: str, done: int, total: int) -> None:
    for listener in _listeners:
        listener(what, done, total)


def walk(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items, telling how many of them have been dealt with."""
    return _walk(what, items, total) if _listeners else iter(items)


def _walk(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    step = max(1, total // STEPS)
    try:
        for done, item in enumerate(items, 1):
            yield item
            if done % step == 0:
                tell(what, min(done, total), total)
    finally:  # also where the rest is not wanted, so that nobody waits for it
        tell(what, total, total)


def watched(fd: int, what: str, size: int, chunk: int) -> BinaryIO:
    """The file behind a descriptor, buffered; of `size` octets in all, and telling how many have been read."""
    if not _listeners:
        return io.BufferedReader(io.FileIO(fd, "rb"), chunk)
    return io.BufferedReader(_Watched(fd, what, size), chunk)


class _Watched(io.FileIO):
    def __init__(self, fd: int, what: str, size: int) -> None:
        super().__init__(fd, "rb")
        self._what, self._size = what, size

    def readinto(self, buffer: Any) -> int | None:
        read = super().readinto(buffer)
        tell(self._what, self.tell() if read else self._size, self._size)
        return read

    def close(self) -> None:
        if not self.closed:
            tell(self._what, self._size, self._size)
        super().close()
