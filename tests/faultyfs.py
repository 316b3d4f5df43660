"""Disks that fail, that kill, and that forget at a power cut; and the workload whose truth the journal is held against.

The disks stand in for `router.journal_files.disk`, through which the store does all that changes its files. Run as a
program, this is the victim that the torture tests kill: it commits for ever and prints each commit once it is safe.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from router import journal
from router.journal_files import Disk

State = dict[str, dict[str, dict[str, object]]]


# --- the workload: commit n is the same wherever and whenever it is made


def changes(number: int) -> tuple[State, dict[str, list[str]]]:
    """What commit `number` (from 1) puts and deletes: several tables, documents changed again, some deleted."""
    rolled = random.Random(number)
    lead = str(rolled.randint(1, 7))
    puts: State = {
        "leads": {lead: {"number": number, "text": "förfrågan \t\n" * rolled.randint(0, 12)}},
        "outbox": {str(number): {"to": lead}},
    }
    if number % 3 == 0:
        puts["seen"] = {str(number): {"id": f"<{number}@example.org>"}, "5": {"id": "again"}}
    return puts, {"outbox": [str(number - 2), str(number - 5)]} if number % 2 and number > 5 else {}


def state_after(number: int) -> State:
    """The documents after the first `number` commits."""
    state: State = {}
    for done in range(1, number + 1):
        puts, deletes = changes(done)
        for table, documents in puts.items():
            state.setdefault(table, {}).update(documents)
        for table, keys in deletes.items():
            for key in keys:
                state.get(table, {}).pop(key, None)
    return {table: documents for table, documents in state.items() if documents}


def state_of(db: journal.JournalDB) -> State:
    """The documents that a database holds."""
    return {table: dict(db.scan(table)) for table in db.tables()}


def commit_next(db: journal.JournalDB) -> int:
    """Make the workload's next commit."""
    return db.commit(*changes(db.sequence + 1))


# --- disks


class FastDisk(Disk):
    """Does not wait for the platter: for tests that are about something else."""

    def fsync(self, fd: int) -> None:
        pass

    def datasync(self, fd: int) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:
        pass


class FaultyDisk(FastDisk):
    """Fails as it is told, call by call, and remembers the calls.

    `plan(number, call)` is asked before each call (numbers from 1) and answers an errno to fail with, or 0. A write
    that fails for want of room has first written half of its bytes, as real ones do.
    """

    def __init__(self, plan: Callable[[int, str], int] = lambda number, call: 0) -> None:
        self.plan = plan
        self.calls: list[str] = []
        self.written = 0

    def _asked(self, call: str) -> int:
        self.calls.append(call)
        return self.plan(len(self.calls), call)

    def _perhaps(self, call: str) -> None:
        number = self._asked(call)
        if number:
            raise OSError(number, os.strerror(number))

    def open(self, path: Path, flags: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            self._perhaps("open")
        return super().open(path, flags)

    def write(self, fd: int, data: bytes) -> int:
        number = self._asked("write")
        if number == errno.ENOSPC and len(data) > 1:
            return super().write(fd, data[: len(data) // 2])
        if number:
            raise OSError(number, os.strerror(number))
        self.written += len(data)
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        self._perhaps("fsync")

    def datasync(self, fd: int) -> None:
        self._perhaps("datasync")

    def truncate(self, fd: int, size: int) -> None:
        self._perhaps("truncate")
        super().truncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        self._perhaps("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        if path.exists():
            self._perhaps("remove")
            super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        self._perhaps("sync_folder")


class Killed(BaseException):
    """Stands in for SIGKILL inside of one process: nothing reaches the disk after it."""


class DeadlyDisk(FaultyDisk):
    """Dies at call `fatal` (from 1) instead of doing it; `half`: after half of it, where it is a write."""

    def __init__(self, fatal: int, *, half: bool = False) -> None:
        super().__init__()
        self.fatal, self.half, self.dead = fatal, half, False

    def _asked(self, call: str) -> int:
        self.calls.append(call)
        if self.dead or (len(self.calls) == self.fatal and not (self.half and call == "write")):
            self.dead = True
            raise Killed
        return 0

    def write(self, fd: int, data: bytes) -> int:
        if self.half and len(self.calls) + 1 == self.fatal:
            super().write(fd, data[: len(data) // 2])
            self.dead = True
            raise Killed
        return super().write(fd, data)


# --- power cuts


@dataclass
class _File:
    """A file as the kernel shows it, and as the platter may hold it."""

    shown: bytearray = field(default_factory=bytearray)
    safe: bytes = b""
    pending: list[tuple[str, int, bytes]] = field(default_factory=list)  # since the last fsync that worked
    doubtful: list[tuple[str, int, bytes]] = field(
        default_factory=list
    )  # of an fsync that failed: there or not, for ever


@dataclass(frozen=True)
class Moment:
    """What had been promised when the power might have gone: commits acknowledged, and begun."""

    acknowledged: int
    begun: int
    files: dict[int, tuple[bytes, tuple[tuple[str, int, bytes], ...], tuple[tuple[str, int, bytes], ...]]]
    names: dict[str, int]
    moves: tuple[tuple[str, str, int], ...]


class ForgetfulDisk(FaultyDisk):
    """Remembers what has been synced, and takes a `Moment` after every call: what a power cut then could leave.

    Files in a folder of its own, which must be empty. A name lasts only after the folder's fsync, bytes only after the
    file's, and what is not synced may be there or not, each for itself.
    """

    def __init__(self, plan: Callable[[int, str], int] = lambda number, call: 0) -> None:
        super().__init__(plan)
        self.files: dict[int, _File] = {}
        self.ids: dict[int, int] = {}  # by inode; a file gone from memory may still be on the platter, its inode taken
        self.safe_names: dict[str, int] = {}
        self.moves: list[tuple[str, str, int]] = []
        self.moments: list[Moment] = []
        self.acknowledged = self.begun = 0

    def _file(self, fd: int) -> _File:
        return self.files[self.ids[os.fstat(fd).st_ino]]

    def _note(self) -> None:
        files = {key: (file.safe, tuple(file.pending), tuple(file.doubtful)) for key, file in self.files.items()}
        self.moments.append(Moment(self.acknowledged, self.begun, files, dict(self.safe_names), tuple(self.moves)))

    def open(self, path: Path, flags: int) -> int:
        new = bool(flags & os.O_CREAT) and not path.exists() and path.suffix != ".lock"
        fd = super().open(path, flags)
        if new:
            self.ids[os.fstat(fd).st_ino] = len(self.files)
            self.moves.append(("link", path.name, len(self.files)))
            self.files[len(self.files)] = _File()
            self._note()
        return fd

    def write(self, fd: int, data: bytes) -> int:
        at = os.fstat(fd).st_size
        file = self._file(fd)
        try:
            return super().write(fd, data)
        finally:
            size = os.fstat(fd).st_size
            file.pending.append(("write", at, data[: size - at]))
            self._note()

    def truncate(self, fd: int, size: int) -> None:
        super().truncate(fd, size)
        self._file(fd).pending.append(("cut", size, b""))
        self._note()

    def fsync(self, fd: int) -> None:
        self._sync(fd, super().fsync)

    def datasync(self, fd: int) -> None:
        self._sync(fd, super().datasync)

    def _sync(self, fd: int, sync: Callable[[int], None]) -> None:
        file = self._file(fd)
        try:
            sync(fd)
        except OSError:
            file.doubtful += file.pending  # the kernel calls these pages clean now, and forgets them
            file.pending = []
            self._note()
            raise
        file.safe = _after(file.safe, file.pending)
        file.pending = []
        self._note()

    def rename(self, source: Path, target: Path) -> None:
        moved = self.ids[source.stat().st_ino]
        super().rename(source, target)
        self.moves += [("link", target.name, moved), ("unlink", source.name, 0)]
        self._note()

    def remove(self, path: Path) -> None:
        if path.exists():
            super().remove(path)
            self.moves.append(("unlink", path.name, 0))
            self._note()

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.safe_names = _named(self.safe_names, self.moves)
        self.moves = []
        self._note()

    def promise(self, db: journal.JournalDB) -> None:
        """One commit of the workload, with the promises that it makes."""
        self.begun = db.sequence + 1
        number = commit_next(db)
        self.acknowledged = number
        self._note()


def _after(content: bytes, steps: list[tuple[str, int, bytes]]) -> bytes:
    result = bytearray(content)
    for kind, at, data in steps:
        if kind == "cut":
            del result[at:]
        else:
            result.extend(bytes(max(0, at - len(result))))
            result[at : at + len(data)] = data
    return bytes(result)


def _named(names: dict[str, int], moves: list[tuple[str, str, int]]) -> dict[str, int]:
    result = dict(names)
    for kind, name, file in moves:
        if kind == "link":
            result[name] = file
        else:
            result.pop(name, None)
    return result


def outcomes(moment: Moment, rolled: random.Random, limit: int) -> Iterator[dict[str, bytes]]:
    """Folders that a power cut at this moment could leave: at most `limit` of them, the extremes first."""
    subsets = list(itertools.product((False, True), repeat=len(moment.moves)))
    subsets.sort(key=lambda kept: 0 < sum(kept) < len(kept))  # nothing and everything before the mixtures
    seen: set[tuple[tuple[str, bytes], ...]] = set()
    for kept in subsets:
        names = _named(moment.names, [move for move, keep in zip(moment.moves, kept, strict=True) if keep])
        choices = [[(name, content) for content in _contents(moment, file, rolled)] for name, file in names.items()]
        for folder in itertools.islice(itertools.product(*choices), limit):
            if folder not in seen:
                seen.add(folder)
                yield dict(folder)
            if len(seen) >= limit:
                return


def _contents(moment: Moment, file: int, rolled: random.Random) -> list[bytes]:
    """What one file may hold: what is safe, with any part of what is not."""
    safe, pending, doubtful = moment.files[file]
    if not pending and not doubtful:
        return [safe]
    found = [safe, _after(safe, [*doubtful, *pending]), _after(safe, list(pending)), _after(safe, list(doubtful))]
    if pending and pending[-1][0] == "write":
        kind, at, data = pending[-1]
        before = [*doubtful, *pending[:-1]]
        cut = rolled.randrange(len(data) + 1)
        hole = data[:cut] + bytes(len(data) - cut)
        found += [_after(safe, [*before, (kind, at, part)]) for part in (data[:cut], hole, bytes(len(data)))]
    return list(dict.fromkeys(found))


def lay_out(folder: Path, files: dict[str, bytes]) -> None:
    """Make these files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


# --- the victim


def main(path: str, step: str, nth: int, max_journal: int) -> None:
    """Commit the workload for ever, print each number once it is safe, and die at the nth of the named steps."""
    count = itertools.count(1)

    def die(name: str) -> None:
        if name == step and next(count) == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    journal.on_step = die
    db = journal.JournalDB(path, max_journal=max_journal)
    while True:
        os.write(1, b"%d\n" % commit_next(db))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
