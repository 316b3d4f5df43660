"""Crash-safe TinyDB: the storage, the table and the database that the store stands on.

Job: keep documents so that a commit, once it has returned, survives `kill -9`, a full disk and a power cut, at a cost
that does not grow with the store. Shell. The only module that imports tinydb.

How: all documents live in memory as their JSON bytes and are parsed on each read, so nobody ever holds live data. A
commit appends ONE checksummed line to `<file>.journal`, whatever number of tables and documents it spans, and syncs it
once. When the journal has outgrown the snapshot, a new snapshot is written and a fresh journal begun. The layouts are
in `journal_lines.py` and `journal_snapshot.py`, the order of writes and syncs in `journal_files.py`.

Invariants:
- Memory changes after the sync, never before: what can be read has been kept.
- Record numbers run without a gap. A record is wholly there or not at all.
- A journal that is not `sound` is never appended to: the next commit begins with a new snapshot and a new journal.
- One writer a store (`<file>.lock`), any number of readers beside it, who take no lock and change nothing.
- Two threads may commit: one lock around append, sync and apply, never held while waiting for anything else.

Unlike stock TinyDB there is no query cache (it returns stale and shared results), a table without documents does not
exist, and document numbers are positive. Stock TinyDB opens the file, and sees it as of the last snapshot.
Leaves out: the meaning of any document, and indexes (`store.py`).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from tinydb import TinyDB
from tinydb.queries import QueryLike
from tinydb.storages import Storage
from tinydb.table import Table

from router.journal_documents import Change, Document, Pending, Stored, Tables, merged, number_of, put, quoted
from router.journal_files import (
    Loaded,
    Log,
    StoreDamaged,
    StoreError,
    StoreFiles,
    StoreFull,
    StoreLocked,
    Unsettled,
    not_kept,
    refusal,
)
from router.journal_lines import journal_head, record_line
from router.journal_repair import RepairReport, damaged_copies, repair
from router.journal_snapshot import snapshot_lines

__all__ = [
    "Change",
    "JournalDB",
    "JournalStorage",
    "JournalTable",
    "RepairReport",
    "StoreDamaged",
    "StoreError",
    "StoreFull",
    "StoreLocked",
    "damaged_copies",
    "repair",
]

MAX_JOURNAL = 8 << 20
"""Bytes that the journal may always grow to before a snapshot is thought of."""

READ_TRIES = 50
"""How often a reader begins again when a writer has changed the files under it."""

on_step: Callable[[str], None] | None = None
"""Hears each step of a commit, for those who want to kill the process there: journal-write, journal-written,
journal-fsynced, snapshot-written, snapshot-fsynced, snapshot-renamed, journal-reset."""


def _step(name: str) -> None:
    if on_step is not None:
        on_step(name)


class JournalStorage(Storage):
    """The documents of one store, in memory and on disk. Used through JournalDB."""

    def __init__(
        self, path: str | os.PathLike[str], *, read_only: bool = False, max_journal: int = MAX_JOURNAL
    ) -> None:
        self.files = StoreFiles(path)
        self.lock = threading.RLock()
        self.tables: Tables = {}
        self.sequence = 0
        self.snapshot_at: datetime | None = None
        self.recovered = 0
        self.trouble = ""
        self._max_journal = max_journal
        self._snapshot_size = self._live = 0
        self._retry_size = 0  # after a snapshot that failed: how large the journal is when the next is tried
        self._refuses = "was opened for reading only" if read_only else ""
        self._lock_fd: int | None = None
        self._log: Log | None = None
        if read_only:
            self._take(self._load_beside_a_writer())
        else:
            self._open()

    # --- opening and closing

    def _open(self) -> None:
        self._lock_fd = self.files.take_lock()
        try:
            self.files.tidy()
            if self.files.exist():
                self._open_existing()
            else:
                self._fresh_log()
                self._write_snapshot()
        except OSError as error:
            self.close()
            raise refusal(error, self.files.snapshot, "Opening") from error
        except BaseException:
            self.close()
            raise

    def _open_existing(self) -> None:
        """Load, cut a torn tail, and let nothing be served that a power cut could still take back.

        What the last process wrote may be in the kernel's memory only, if it was killed before its fsync.
        """
        loaded = self.files.load()
        self._take(loaded)
        self._log = self.files.open_log(loaded.journal.size)
        self.recovered = loaded.journal.torn
        if self.files.doubtful:  # its fsync has failed in the last process, and is not tried again
            self._log.sound = False
            self._renew()
            return
        try:
            self._log.settle(cut=loaded.journal.torn > 0)
            self.files.settle()
        except OSError:
            if loaded.head.written is None:
                raise  # a snapshot that lasts beside a journal whose name does not would be a store without its journal
            self._renew()
        with suppress(OSError):  # what was interrupted; the files do as they are until the next snapshot
            if loaded.head.written is None:
                self._write_snapshot()
            elif loaded.journal.base < loaded.head.sequence >= loaded.journal.last:
                self._fresh_log()

    def _load_beside_a_writer(self) -> Loaded:
        """Load without the lock. What looks like damage while the files change is a writer at work: begin again."""
        for _ in range(READ_TRIES):
            before = self.files.fingerprint()
            try:
                return self.files.load()
            except StoreDamaged:
                if self.files.fingerprint() == before:
                    raise
            except OSError as error:
                raise refusal(error, self.files.snapshot, "Reading") from error
            time.sleep(0.01)
        raise StoreError(f"The store {self.files.snapshot} is being written to too fast to be read; try again.")

    def _take(self, loaded: Loaded) -> None:
        self.tables = loaded.tables
        self.sequence = loaded.sequence
        self.snapshot_at = loaded.head.written
        self._snapshot_size = loaded.snapshot_size
        self._live = sum(sum(map(len, documents.values())) for documents in loaded.tables.values())

    def close(self) -> None:
        """Let go of the files and the lock. Writes nothing: all that was committed is on disk."""
        with self.lock:
            self._refuses = self._refuses or "is closed"
            if self._log is not None:
                self._log.close()
            if self._lock_fd is not None:
                os.close(self._lock_fd)
            self._log = self._lock_fd = None

    # --- committing

    def commit(self, changes: Tables) -> int:
        """Keep all of `changes`, or nothing; return the record's number. See JournalDB.commit."""
        with self.lock:
            self._demand_writable()
            if any(changes.values()):
                self._refuses = "was interrupted in a commit, and must be opened again"  # by a signal's exception, say
                try:
                    self._append(self._sound_log(), changes)
                except StoreFull:
                    self._refuses = ""
                    raise
                self._refuses = ""
                self._snapshot_if_due()
            return self.sequence

    def _demand_writable(self) -> None:
        if self._refuses:
            raise StoreError(f"The store {self.files.snapshot} {self._refuses}; nothing can be written to it.")

    def _append(self, log: Log, changes: Tables) -> None:
        line = record_line(self.sequence + 1, changes)
        _step("journal-write")
        try:
            log.write(line)
        except OSError as error:
            raise not_kept(error, self.files.journal) from error
        _step("journal-written")
        try:
            log.sync(len(line))
        except OSError as error:
            self._keep_in_new_files(log, changes, error)
            return
        _step("journal-fsynced")
        self._apply(changes)
        self.sequence += 1
        log.sound = True

    def _sound_log(self) -> Log:
        """The journal to append to; after trouble with the last one, a new one below a new snapshot."""
        if self._log is None or not self._log.sound:
            try:
                self._renew()
            except OSError as error:
                raise not_kept(error, self.files.snapshot) from error
        assert self._log is not None  # noqa: S101 - renewed just now
        return self._log

    def _keep_in_new_files(self, log: Log, changes: Tables, cause: OSError) -> None:
        """After a failed fsync nobody can know whether the record will last: a new snapshot keeps it, or none does."""
        self._mark_doubt(True)
        before = self._apply(changes)
        self.sequence += 1
        try:
            self._write_snapshot()
        except OSError as error:
            self._apply(before)
            self.sequence -= 1
            if isinstance(error, Unsettled) or not log.cut_back():
                self._refuses = "could not be synced to disk, and must be opened again"
                raise StoreError(
                    f"Whether the last commit to {self.files.snapshot} was kept cannot be known ({cause.strerror}); "
                    "stop, look at the disk's health, and start again."
                ) from error
            raise not_kept(cause, self.files.journal) from error
        with suppress(OSError):  # the record is safe; the next commit begins with this
            self._fresh_log()

    def _apply(self, changes: Tables) -> Tables:
        """Do the changes in memory; return those that would undo them."""
        before: Tables = {}
        for table, documents in changes.items():
            undo = before[table] = {}
            for key, raw in documents.items():
                undo[key] = put(self.tables, table, key, raw)
                self._live += len(raw) - len(undo[key])
        return before

    # --- snapshots

    def snapshot(self) -> None:
        """Write a new snapshot and a fresh journal now. Raises StoreFull: what was there before still stands."""
        with self.lock:
            self._demand_writable()
            try:
                self._renew()
            except OSError as error:
                raise not_kept(error, self.files.snapshot) from error

    def _snapshot_if_due(self) -> None:
        """When the journal has outgrown the snapshot that is, and two thirds of the one to come.

        So all snapshots together never write more than one and a half times what the journal has.
        """
        size = self._log.size if self._log is not None else 0
        if size <= max(self._max_journal, self._snapshot_size, self._live * 2 // 3, self._retry_size):
            return
        try:
            self._renew()
        except OSError as error:
            self.trouble = str(not_kept(error, self.files.snapshot))
            self._retry_size = size + self._max_journal

    def _renew(self) -> None:
        self._write_snapshot()
        self._fresh_log()

    def _write_snapshot(self) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        lines = snapshot_lines(self.tables, self.sequence, now)
        fd, self._snapshot_size = self.files.replace(self.files.snapshot, lines, lambda step: _step(f"snapshot-{step}"))
        os.close(fd)
        self.snapshot_at, self.trouble, self._retry_size = now, "", 0

    def _fresh_log(self) -> None:
        """Begin a new journal after the last record. Until it certainly stands in its place, no journal is sound."""
        old, sound = self._log, self._log is not None and self._log.sound
        if old is not None:
            old.sound = False
        try:
            fd, size = self.files.replace(self.files.journal, [journal_head(self.sequence)])
        except Unsettled:
            raise
        except OSError:
            if old is not None:
                old.sound = sound  # it still stands, and all in it is as it was
            raise
        self._log = Log(fd, size)
        if old is not None:
            old.close()
        self._mark_doubt(False)
        _step("journal-reset")

    def _mark_doubt(self, doubtful: bool) -> None:
        if self._lock_fd is not None and self.files.doubtful != doubtful:
            self.files.doubtful = doubtful
            self.files.mark_doubt(self._lock_fd, doubtful)

    # --- TinyDB's own interface

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Everything, parsed. JournalTable asks for what it needs instead."""
        return {
            table: {str(key): json.loads(raw) for key, raw in documents.items()}
            for table, documents in self.tables.items()
        }

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Make the store hold `data` and nothing else, as one commit of what differs."""
        with self.lock:
            wanted = merged([Change(data)])
            changes: Tables = {}
            for table in wanted.keys() | self.tables.keys():
                new, old = wanted.get(table, {}), self.tables.get(table, {})
                puts = {key: raw for key, raw in new.items() if old.get(key) != raw}
                changes[table] = puts | {key: b"" for key in old if key not in new}
            self.commit(changes)


class JournalTable(Table):
    """A TinyDB table whose changes become one record of what changed. Results are copies, and never cached."""

    _storage: JournalStorage

    def __init__(self, storage: JournalStorage, name: str, cache_size: int = 0, persist_empty: bool = False) -> None:
        """`cache_size` and `persist_empty` are TinyDB's, and have no effect here."""
        quoted(name)
        super().__init__(storage, name, cache_size=0)

    def _stored(self) -> Mapping[int, bytes]:
        return self._storage.tables.get(self.name, {})

    def _read_table(self) -> Mapping[str, dict[str, Any]]:  # type: ignore[override]  # TinyDB only reads from it
        return Stored(self._stored())

    def _update_table(self, updater: Callable[[Any], None]) -> None:
        with self._storage.lock:
            pending = Pending(self._stored())
            updater(pending)
            self._storage.commit({self.name: pending.changes()})

    def _get_next_id(self) -> int:
        """As inherited; begins anew where a commit past this table has taken the number meanwhile."""
        number: int = super()._get_next_id()  # type: ignore[no-untyped-call]
        if number in self._stored():
            self._next_id = None
            number = super()._get_next_id()  # type: ignore[no-untyped-call]
        return number

    def update(
        self,
        fields: Mapping[str, Any] | Callable[[MutableMapping[str, Any]], None],
        cond: QueryLike | None = None,
        doc_ids: Iterable[int] | None = None,
    ) -> list[int]:
        """As inherited, without holding a copy of every document while looking for those that match."""
        with self._storage.lock:
            return super().update(fields, doc_ids=self._matching(cond, doc_ids))

    def remove(self, cond: QueryLike | None = None, doc_ids: Iterable[int] | None = None) -> list[int]:
        """As inherited, with the same thrift."""
        with self._storage.lock:
            return super().remove(doc_ids=self._matching(cond, doc_ids))

    def _matching(self, cond: QueryLike | None, doc_ids: Iterable[int] | None) -> Iterable[int] | None:
        if doc_ids is not None or cond is None:
            return doc_ids
        return [int(key) for key, document in self._read_table().items() if cond(document)]


class JournalDB(TinyDB):
    """The database at `path`: TinyDB, plus commits over several tables and reads of single documents by key.

    Raises StoreLocked, StoreDamaged, StoreFull or another StoreError when it cannot be opened. Keys are the decimal
    strings of positive integers below 2**64. Documents go in and come out as copies.
    """

    default_storage_class = JournalStorage  # type: ignore[assignment]  # TinyDB names its default's type
    table_class = JournalTable  # type: ignore[assignment]

    def __init__(
        self, path: str | os.PathLike[str], *, read_only: bool = False, max_journal: int = MAX_JOURNAL
    ) -> None:
        """`read_only`: as it is now, beside a running writer, taking no lock and changing nothing."""
        super().__init__(path, read_only=read_only, max_journal=max_journal)

    @property
    def _store(self) -> JournalStorage:
        assert isinstance(self.storage, JournalStorage)  # noqa: S101 - default_storage_class above
        return self.storage

    @property
    def recovered(self) -> int:
        """Bytes of a record cut short that were removed at opening, 0 for none.

        That record may have been acknowledged: look for its mails on the server, back to `last_snapshot_at`.
        """
        return self._store.recovered

    @property
    def last_snapshot_at(self) -> datetime | None:
        """When the snapshot was written (aware UTC, whole seconds); None while there is none."""
        return self._store.snapshot_at

    @property
    def sequence(self) -> int:
        """The number of the last commit."""
        return self._store.sequence

    @property
    def trouble(self) -> str:
        """Why the last snapshot that was due could not be written, "" when all is well. Commits went on."""
        return self._store.trouble

    def get_raw(self, table: str, key: str) -> bytes | None:
        """One document as its JSON bytes."""
        return self._store.tables.get(table, {}).get(number_of(key))

    def get_doc(self, table: str, key: str) -> dict[str, Any] | None:
        """One document, parsed anew."""
        raw = self.get_raw(table, key)
        return None if raw is None else json.loads(raw)

    def scan(self, table: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every document, parsed as it is reached. Commits may go on meanwhile; what they delete is left out."""
        return ((str(number), json.loads(raw)) for number, raw in self.scan_raw(table))

    def scan_raw(self, table: str) -> Iterator[tuple[int, bytes]]:
        """As `scan`, each document as its JSON bytes, under its number."""
        documents = self._store.tables.get(table, {})
        for number in list(documents):
            raw = documents.get(number)
            if raw is not None:
                yield number, raw

    def keys(self, table: str) -> list[str]:
        """The keys of a table, in the order in which its documents came."""
        return [str(number) for number in list(self._store.tables.get(table, {}))]

    def last_number(self, table: str) -> int:
        """The highest number of a document in this table, 0 when it is empty."""
        return max(self._store.tables.get(table, ()), default=0)

    def count(self, cond: QueryLike | str) -> int:
        """How many documents the table of this name holds; of a query, TinyDB's count in the default table."""
        if isinstance(cond, str):
            return len(self._store.tables.get(cond, {}))
        return self.table(self.default_table_name).count(cond)

    def tables(self) -> set[str]:
        """The tables that hold documents."""
        return set(self._store.tables)

    def commit(
        self,
        puts: Mapping[str, Mapping[str, Document | bytes]],
        deletes: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> int:
        """Put and delete documents of any number of tables as ONE record under one fsync; return its number.

        A document may come as its JSON in ASCII, on one line, as json.dumps gives it. With nothing to do, nothing is
        written. Raises ValueError or TypeError for what cannot be stored; StoreFull when the disk refused, nothing of
        the commit being kept and the store as it was; StoreError when the store must be opened again first.
        """
        return self.commit_many([Change(puts, deletes)])

    def commit_many(self, changes: Sequence[Change]) -> int:
        """A batch as ONE record, a later change winning over an earlier one; otherwise as `commit`."""
        return self._store.commit(merged(changes))

    def snapshot(self) -> None:
        """Write a snapshot and begin a new journal now. Raises StoreFull, all committed data as safe as before."""
        self._store.snapshot()

    def compact(self) -> None:
        """As `snapshot`, for its promise: what was deleted before is then in none of the store's files.

        Copies that repairs have made are not the store's: see `damaged_copies`.
        """
        self._store.snapshot()
