"""The store's files on disk: the lock, appending, and replacing a file so that a crash leaves old or new, never half.

Job: the moves that must survive `kill -9`, a full disk and a power cut. Shell: this is where the store does its I/O.
For a store at `store.json` these are `store.json` (the snapshot), `store.json.journal`, and `store.json.lock`, which is
locked and never replaced; for the moments of a snapshot `….tmp`. All are 0600.

Invariants:
- A file is replaced by writing another, fsync, rename, fsync of the folder, in this order.
- A failed write to the journal is cut off again; a failed fsync makes the journal unsound for good, because the kernel
  may have dropped the bytes and will call the next fsync of the same file a success. Only new files help then.
- The snapshot is replaced before the journal, so the journal reaches at least as far as the snapshot. A reader that
  opens the journal first, then the snapshot, then reads both, has all in one piece (a backup: copy in that order).

Leaves out: what the lines mean (`journal_lines.py`) and when to do what (`journal.py`).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from router import progress
from router.journal_documents import Tables
from router.journal_lines import Damage, NewerFormat, Replay, replay
from router.journal_snapshot import Checks, Head, find_damage, read_checks, read_snapshot

_CHUNK = 1 << 20
_DOUBT = b"unsynced\n"

Step = Callable[[str], None]
"""Hears the name of what has just been done."""


def _no_step(name: str) -> None:
    pass


class StoreError(Exception):
    """The store cannot be used as asked. The text is one clear sentence: what happened, and what to do."""


class StoreLocked(StoreError):
    """Another process writes to this store."""


class StoreDamaged(StoreError):
    """The files are not as they were written."""


class StoreFull(StoreError):
    """The disk takes no more, or refused: nothing of that commit is kept, the store is whole; it may be tried again."""


NEWER = "The store {path} was written by a newer version of bun-router; install that version again, or a later one."
DAMAGED = (
    "The store is damaged: {file}, {damage}; `bun-router store repair` keeps all that is whole and copies the files."
)


class Disk:
    """Every call by which the store touches the disk, so that tests can make each fail, or forget."""

    def open(self, path: Path, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC, 0o600)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def datasync(self, fd: int) -> None:
        """As fsync, without the times of the file; macOS does not have it."""
        getattr(os, "fdatasync", os.fsync)(fd)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems whose folders need no fsync say so
                raise
        finally:
            os.close(fd)


disk = Disk()
"""What is used by everything below. Tests put another in its place."""


class Unsettled(OSError):
    """The new file stands in its place, but a power cut may bring back the old one."""


def refusal(error: OSError, path: Path, doing: str) -> StoreError:
    """The sentence for an operating system's refusal to open, read or make the store."""
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StoreError(f"The folder {path.parent} of the store does not exist; create it, or mend [store] path.")
    if error.errno == errno.EROFS:
        return StoreError(f"{doing} {path} was refused ({reason}); mount its disk for writing, or mend [store] path.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return StoreError(f"{doing} {path} was refused ({reason}); run this as the user who owns {path.parent}.")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"{doing} {path} failed ({reason}); make room on its disk.")
    return StoreError(f"{doing} {path} failed ({reason}); look at the health of its disk.")


def not_kept(error: OSError, path: Path) -> StoreFull:
    """The sentence for a write that failed and left everything as it was."""
    advice = {
        errno.ENOSPC: "make room on its disk",
        errno.EDQUOT: "make room in this user's quota",
        errno.EROFS: "its disk has become read-only: look at its health, then mount it for writing",
        errno.EACCES: f"give {path.parent} back to the user who runs this",
    }.get(error.errno or 0, "make room on its disk, or look at its health")
    return StoreFull(f"Nothing could be written to {path} ({error.strerror or error}); {advice}.")


@dataclass(frozen=True, slots=True)
class Loaded:
    """Both files read: the documents as of record `sequence`."""

    head: Head
    tables: Tables
    journal: Replay
    sequence: int
    snapshot_size: int


class StoreFiles:
    """The files of the store at `path`. A symbolic link is followed, so its neighbours are found."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.snapshot = Path(path).resolve()
        if self.snapshot.is_dir():
            raise StoreError(f"{self.snapshot} is a folder; [store] path names the file to be made in it.")
        self.journal = self.beside(".journal")
        self.lock = self.beside(".lock")
        self.folder = self.snapshot.parent
        self.doubtful = False  # the last process left a journal of which nobody knows what the disk holds

    def beside(self, suffix: str) -> Path:
        return self.snapshot.with_name(self.snapshot.name + suffix)

    def take_lock(self) -> int:
        """Become the one writer; the lock lasts until the descriptor is closed. Raises StoreLocked, StoreError."""
        try:
            fd = disk.open(self.lock, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise refusal(error, self.lock, "Opening") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 20, 0).decode("ascii", "replace").partition("\n")[0]
            os.close(fd)
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise StoreLocked(f"The store {self.snapshot} is in use by {who}; end it first.") from error
        except OSError as error:
            os.close(fd)
            raise refusal(error, self.lock, "Locking") from error
        with suppress(OSError):
            self.doubtful = _DOUBT in os.pread(fd, 40, 0)
        self.mark_doubt(fd, self.doubtful)
        return fd

    def mark_doubt(self, fd: int, doubtful: bool) -> None:
        """Write into the lock who holds it, and whether the journal's fsync has failed, for the next process.

        Only the kernel's memory must hold it: a power cut, which takes it away, settles what the disk holds.
        """
        with suppress(OSError):  # on a full disk nobody learns of it, and that is all
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid() + _DOUBT * doubtful, 0)

    def try_writing(self) -> None:
        """Make a file beside the store and take it away again. Raises StoreError, as `run` would."""
        trial = self.beside(".trial")
        try:
            os.close(disk.open(trial, os.O_RDWR | os.O_CREAT))
            disk.remove(trial)
        except OSError as error:
            raise refusal(error, self.snapshot, "Writing") from error

    def tidy(self) -> None:
        """Remove what an interrupted snapshot left behind, and close files that others may read (a restored backup)."""
        for path in (self.snapshot, self.journal):
            disk.remove(path.with_name(path.name + ".tmp"))
        for path in (self.snapshot, self.journal, self.lock):
            with suppress(FileNotFoundError, PermissionError):
                if path.stat().st_mode & 0o077:
                    path.chmod(0o600)

    def exist(self) -> bool:
        return self.journal.exists() or (self.snapshot.exists() and self.snapshot.stat().st_size > 0)

    def copy_aside(self, names: Iterable[Path]) -> tuple[Path, ...]:
        """Copy the files that exist to `<name>.damaged-<n>`, all with the same n, and make the copies last."""
        found = [name for name in names if name.exists()]
        number = 1
        while any(_aside(name, number).exists() for name in names):
            number += 1
        for name in found:
            self._copy(name, _aside(name, number))
        disk.sync_folder(self.folder)
        return tuple(_aside(name, number) for name in found)

    def _copy(self, source: Path, target: Path) -> None:
        fd = disk.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with self.read_lines(source) as lines:
                _write_all(fd, lines)
            disk.fsync(fd)
        finally:
            os.close(fd)

    def fingerprint(self) -> list[tuple[int, int, int] | None]:
        """What changes whenever a writer has changed a file: so a reader knows damage from having come in between."""
        return [_fingerprint_of(self.snapshot), _fingerprint_of(self.journal)]

    def load(self) -> Loaded:
        """Read the store, and change nothing. Raises StoreDamaged, StoreError, OSError."""
        try:
            with self.read_lines(self.journal) as journal:
                head, tables, size = self._load_snapshot()
                try:
                    replayed = replay(journal, tables, head.sequence)
                except Damage as damage:
                    raise self.damaged(self.journal, damage) from damage
        except FileNotFoundError as error:
            if not self.exist():
                raise StoreError(f"There is no store at {self.snapshot}.") from error
            raise self.damaged(self.journal, Damage("the whole file, which is missing", 0)) from error
        except NewerFormat as error:
            raise StoreError(NEWER.format(path=self.snapshot)) from error
        return Loaded(head, tables, replayed, max(head.sequence, replayed.last), size)

    def _load_snapshot(self) -> tuple[Head, Tables, int]:
        try:
            with self.read_lines(self.snapshot) as lines:
                return *read_snapshot(lines), os.fstat(lines.fileno()).st_size
        except FileNotFoundError:  # a store that has just been made: its journal comes first
            return Head(0, None), {}, 0
        except Damage as error:
            checks = self.last_checks()
            with self.read_lines(self.snapshot) as lines:
                raise self.damaged(self.snapshot, find_damage(lines, checks)) from error

    def last_checks(self) -> Checks | None:
        """The checks at the snapshot's end; None when they are not whole."""
        with self.read_lines(self.snapshot) as lines:
            found = None
            for line in lines:
                found = read_checks(line) or found
        return found

    def damaged(self, file: Path, damage: Damage) -> StoreDamaged:
        return StoreDamaged(DAMAGED.format(file=file, damage=damage))

    def read_lines(self, path: Path) -> BinaryIO:
        """The lines of a file, read a megabyte at a time. Raises OSError."""
        fd = disk.open(path, os.O_RDONLY)
        return progress.watched(fd, f"reading {path.name}", os.fstat(fd).st_size, _CHUNK)

    def open_log(self, size: int) -> Log:
        """The journal, to be appended to after its first `size` bytes."""
        return Log(disk.open(self.journal, os.O_RDWR | os.O_APPEND), size)

    def settle(self) -> None:
        """Make the names in the folder last."""
        disk.sync_folder(self.folder)

    def replace(self, target: Path, lines: Iterable[bytes], step: Step = _no_step) -> tuple[int, int]:
        """Put a new file of these lines in `target`'s place. Returns its descriptor, for appending, and its size.

        Raises OSError when the old file still stands, Unsettled when the new one does but may not last.
        `step` hears "written", "fsynced" and "renamed" when these are done, each but the last a moment to be killed in.
        """
        temporary = target.with_name(target.name + ".tmp")
        disk.remove(temporary)
        fd = disk.open(temporary, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            size = _write_all(fd, lines)
            step("written")
            disk.fsync(fd)
            step("fsynced")
            disk.rename(temporary, target)
            disk.sync_folder(self.folder)
        except BaseException as error:
            moved = _fingerprint_of(target) == _fingerprint_of_open(fd)
            os.close(fd)
            with suppress(OSError):
                disk.remove(temporary)
            if moved and isinstance(error, OSError):
                raise Unsettled(error.errno, error.strerror) from error
            raise
        step("renamed")
        return fd, size


class Log:
    """The journal, open for appending. `sound` until what the disk holds of it cannot be known for certain."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self.sound = True

    def write(self, line: bytes) -> None:
        """Append in one write; `size` still tells what was there before. Raises OSError, having cut it off again."""
        self.sound = False  # should anything at all come between
        try:
            if disk.write(self.fd, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.sound = self.cut_back()
            raise

    def sync(self, written: int) -> None:
        """Make the last `written` bytes last. Raises OSError, after which the log is unsound for good.

        The caller says when it is `sound` again: when nothing can come between the record and what memory holds.
        """
        disk.datasync(self.fd)
        self.size += written

    def cut_back(self) -> bool:
        """Take back what was written last; whether that worked."""
        try:
            disk.truncate(self.fd, self.size)
        except OSError:
            return False
        return True

    def settle(self, *, cut: bool) -> None:
        """Make all of it last that was there at opening; `cut`: but for what follows its `size`. Raises OSError."""
        self.sound = False
        if cut:
            disk.truncate(self.fd, self.size)
        disk.fsync(self.fd)
        self.sound = True

    def close(self) -> None:
        os.close(self.fd)


def put_file(path: Path, content: bytes) -> None:
    """A small file of the router's own beside the store, 0600: wholly there when this returns, and lasting.

    Raises OSError: what was there before, if anything, still stands.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    disk.remove(temporary)
    fd = disk.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        _write_whole(fd, content)
        disk.fsync(fd)
        disk.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            disk.remove(temporary)
        raise
    finally:
        os.close(fd)
    disk.sync_folder(path.parent)


def overwrite_file(path: Path, content: bytes) -> None:
    """Write over a file where it stands, for what must be said on a full disk: its blocks are there already.

    Raises OSError. Whoever reads at that moment may see half of it; spaces fill what was longer before.
    """
    fd = disk.open(path, os.O_WRONLY)
    try:
        _write_whole(fd, content.ljust(os.fstat(fd).st_size))
    finally:
        os.close(fd)


def _aside(name: Path, number: int) -> Path:
    return name.with_name(f"{name.name}.damaged-{number}")


def _write_all(fd: int, lines: Iterable[bytes]) -> int:
    size, held, waiting = 0, 0, []
    for line in lines:
        waiting.append(line)
        held += len(line)
        if held >= _CHUNK:
            size += _write_whole(fd, b"".join(waiting))
            held, waiting = 0, []
    return size + _write_whole(fd, b"".join(waiting))


def _write_whole(fd: int, data: bytes) -> int:
    done = 0
    while done < len(data):
        wrote = disk.write(fd, data[done:])
        if wrote == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done += wrote
    return done


def _fingerprint_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _fingerprint_of_open(fd: int) -> tuple[int, int, int]:
    found = os.fstat(fd)
    return found.st_ino, found.st_size, found.st_mtime_ns
