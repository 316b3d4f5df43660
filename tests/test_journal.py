"""The store's journal: what it promises in ordinary use, and what it says when it cannot be used."""

from __future__ import annotations

import ast
import errno
import inspect
import json
import os
import re
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tinydb
import tinydb.database
import tinydb.table
from tinydb import Query, TinyDB, where
from tinydb.table import Document

from router import journal, journal_files
from router.journal import (
    Change,
    JournalDB,
    JournalStorage,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    damaged_copies,
    repair,
)
from tests.faultyfs import FastDisk, FaultyDisk, commit_next, state_after, state_of


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> FaultyDisk:
    """A disk that does not wait, remembers its calls, and fails when told to."""
    disk = FaultyDisk()
    monkeypatch.setattr(journal_files, "disk", disk)
    return disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.json"


@pytest.fixture
def db(path: Path) -> Iterator[JournalDB]:
    with JournalDB(path) as opened:
        yield opened


def reopened(db: JournalDB, path: Path) -> JournalDB:
    db.close()
    return JournalDB(path)


def journal_of(path: Path) -> Path:
    return path.with_name(path.name + ".journal")


# --- commits


def test_what_a_commit_put_is_there_after_reopening(db: JournalDB, path: Path) -> None:
    db.commit({"leads": {"1": {"subject": "förfrågan\t\n\u2028 \ud800", "n": [1, None, True, 1.5]}}})
    again = reopened(db, path)
    assert again.get_doc("leads", "1") == {"subject": "förfrågan\t\n\u2028 \ud800", "n": [1, None, True, 1.5]}
    again.close()


def test_a_commit_over_several_tables_is_one_record_under_one_fsync(db: JournalDB, fast_disk: FaultyDisk) -> None:
    fast_disk.calls.clear()
    number = db.commit({"leads": {"1": {}}, "outbox": {"1": {}, "2": {}}}, {"seen": ["9"]})
    assert number == db.sequence == 1
    assert fast_disk.calls == ["write", "datasync"]


def test_a_batch_is_one_record_and_the_later_change_wins(db: JournalDB, fast_disk: FaultyDisk) -> None:
    fast_disk.calls.clear()
    number = db.commit_many(
        [
            Change({"leads": {"1": {"v": 1}, "2": {"v": 1}}}),
            Change({"leads": {"1": {"v": 2}}}, {"leads": ["2"]}),
            Change({"outbox": {"3": {"v": 3}}}),
        ]
    )
    assert number == 1
    assert fast_disk.calls == ["write", "datasync"]
    assert state_of(db) == {"leads": {"1": {"v": 2}}, "outbox": {"3": {"v": 3}}}


def test_a_commit_of_nothing_writes_nothing(db: JournalDB, fast_disk: FaultyDisk) -> None:
    fast_disk.calls.clear()
    assert db.commit({}) == db.commit({"leads": {}}, {"leads": []}) == db.commit_many([]) == 0
    assert fast_disk.calls == []


def test_dumped_documents_are_kept_byte_for_byte(db: JournalDB, path: Path) -> None:
    raw = b'{"b": 1,  "a":"\\u00e5"}'
    db.commit({"leads": {"1": raw}})
    assert db.get_raw("leads", "1") == raw
    db.snapshot()
    again = reopened(db, path)
    assert again.get_raw("leads", "1") == raw
    assert again.get_raw("leads", "2") is None
    assert again.get_doc("nothing", "1") is None
    again.close()


@pytest.mark.parametrize(
    "puts",
    [
        {"leads": {"0": {}}},
        {"leads": {"-1": {}}},
        {"leads": {"01": {}}},
        {"leads": {"1 ": {}}},
        {"leads": {"": {}}},
        {"leads": {"x": {}}},
        {"leads": {"١": {}}},
        {"leads": {str(1 << 64): {}}},
        {"leads": {"1": b"[]"}},
        {"leads": {"1": b""}},
        {"leads": {"1": b'{"a":\n1}'}},
        {"leads": {"1": b'{"a":\t1}'}},
        {"leads": {"1": '{"a":"å"}'.encode()}},
        {"leads": {"1": {"at": datetime(2025, 1, 1, tzinfo=UTC)}}},
        {"leads": {"1": {"nan": float("nan")}}},
        {"leads": {"1": [1]}},
        {"_journal": {"1": {}}},
        {"_checks": {"1": {}}},
        {"": {"1": {}}},
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(
    db: JournalDB, fast_disk: FaultyDisk, puts: dict[str, dict[str, object]]
) -> None:
    fast_disk.calls.clear()
    with pytest.raises((ValueError, TypeError)):
        db.commit({"leads": {"7": {}}} | puts)  # type: ignore[arg-type]
    assert fast_disk.calls == []
    assert db.commit({"leads": {"1": {}}}) == 1


def test_a_document_cannot_be_put_and_deleted_in_one_change(db: JournalDB) -> None:
    with pytest.raises(ValueError, match="both puts and deletes"):
        db.commit({"leads": {"1": {}}}, {"leads": ["1"]})


def test_keys_to_delete_are_not_a_string_taken_for_many(db: JournalDB) -> None:
    with pytest.raises(TypeError, match="collection"):
        db.commit({}, {"leads": "12"})


def test_keys_of_64_bits_and_tables_of_any_name_survive(db: JournalDB, path: Path) -> None:
    names = ["leads", "1", 'a"b', "å\n\t", "{", "}"]
    key = str((1 << 64) - 1)
    for name in names:
        db.commit({name: {key: {"name": name}, "1": {}}})
    again = reopened(db, path)
    again.snapshot()
    again = reopened(again, path)
    assert state_of(again) == {name: {key: {"name": name}, "1": {}} for name in names}
    again.close()


def test_what_is_read_is_a_copy(db: JournalDB) -> None:
    given = {"claims": [{"who": "eva"}]}
    db.commit({"leads": {"1": given}})
    given["claims"].clear()
    read = db.get_doc("leads", "1")
    assert read == {"claims": [{"who": "eva"}]}
    read["claims"].clear()
    assert db.get_doc("leads", "1") == dict(db.scan("leads"))["1"] == {"claims": [{"who": "eva"}]}


def test_scan_keys_and_count_agree(db: JournalDB) -> None:
    for _ in range(20):
        commit_next(db)
    assert state_of(db) == state_after(20)
    for table in db.tables():
        assert db.keys(table) == [key for key, _ in db.scan(table)]
        assert db.count(table) == len(db.keys(table))
    assert db.count("nothing") == 0


def test_two_threads_commit_and_read_at_once(db: JournalDB, path: Path) -> None:
    failures: list[BaseException] = []

    def work(table: str) -> None:
        try:
            for number in range(1, 151):
                db.commit({table: {str(number): {"n": number}}}, {table: [str(number - 3)]} if number > 3 else {})
                assert all(document["n"] == int(key) for key, document in db.scan("a"))
                db.snapshot() if number % 50 == 0 else None
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(table,)) for table in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert db.sequence == 300
    again = reopened(db, path)
    assert again.keys("a") == again.keys("b") == ["148", "149", "150"]
    again.close()


# --- snapshots


def test_stock_tinydb_reads_the_snapshot(db: JournalDB, path: Path) -> None:
    for _ in range(12):
        commit_next(db)
    db.snapshot()
    commit_next(db)
    with TinyDB(path, access_mode="r") as stock:
        assert {"_journal", "_checks"} | set(state_after(12)) == stock.tables()
        for table, documents in state_after(12).items():
            assert {str(found.doc_id): dict(found) for found in stock.table(table)} == documents
        meta = stock.table("_journal").get(doc_id=1)
        assert meta["format"] == 1
        assert meta["sequence"] == 12


def test_a_new_store_can_be_opened_by_stock_tinydb_at_once(db: JournalDB, path: Path) -> None:
    with TinyDB(path) as stock:
        assert stock.all() == []


def test_a_snapshot_begins_a_fresh_journal_and_loses_nothing(db: JournalDB, path: Path) -> None:
    for _ in range(30):
        commit_next(db)
    long = journal_of(path).stat().st_size
    db.snapshot()
    assert journal_of(path).stat().st_size < 100 < long
    commit_next(db)
    again = reopened(db, path)
    assert state_of(again) == state_after(31)
    assert again.sequence == 31
    again.close()


def test_snapshots_come_only_when_the_journal_has_outgrown_the_last_one_and_its_bound(path: Path) -> None:
    snapshots = []
    with JournalDB(path, max_journal=4000) as db:
        for number in range(1, 400):
            before = db.last_snapshot_at, journal_of(path).stat().st_size, path.stat().st_size
            db.commit({"leads": {str(number): {"text": "x" * 100}}})
            if journal_of(path).stat().st_size < before[1]:
                snapshots.append(number)
                assert before[1] + 200 > max(4000, before[2])
    assert 2 <= len(snapshots) <= 5


def test_a_snapshot_is_not_written_at_opening_or_closing(path: Path, fast_disk: FaultyDisk) -> None:
    with JournalDB(path) as db:
        commit_next(db)
    fast_disk.calls.clear()
    JournalDB(path).close()
    assert "rename" not in fast_disk.calls
    assert "write" not in fast_disk.calls


@pytest.mark.parametrize("growing", [True, False])
def test_all_that_is_written_stays_under_three_times_the_documents(
    path: Path, fast_disk: FaultyDisk, growing: bool
) -> None:
    document = {"text": "x" * 600}
    size = len(json.dumps(document))
    fast_disk.written = 0
    with JournalDB(path, max_journal=20_000) as db:
        for number in range(1, 2001):
            db.commit({"leads": {str(number if growing else 1 + number % 50): document}})
    assert fast_disk.written < 3 * 2000 * size


def test_when_the_last_snapshot_was_written_is_known_after_reopening(db: JournalDB, path: Path) -> None:
    db.snapshot()
    at = db.last_snapshot_at
    assert at is not None
    assert abs(datetime.now(UTC) - at) < timedelta(seconds=5)
    again = reopened(db, path)
    assert again.last_snapshot_at == at
    again.close()


def test_after_compact_what_was_deleted_is_in_no_file(db: JournalDB, path: Path, tmp_path: Path) -> None:
    db.commit({"leads": {"1": {"text": "erase-me"}, "2": {"text": "stay"}}})
    db.snapshot()
    db.commit({}, {"leads": ["1"]})
    (tmp_path / "store.json.tmp").write_text("erase-me, left by a snapshot that was killed")
    db.compact()
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"erase-me" not in held
    assert b"stay" in held


def test_a_snapshot_that_fails_leaves_the_commit_standing_and_is_tried_again(path: Path, fast_disk: FaultyDisk) -> None:
    with JournalDB(path, max_journal=2000) as db:
        fast_disk.plan = lambda number, call: errno.ENOSPC if call == "fsync" else 0
        for _ in range(100):
            commit_next(db)
            if db.trouble:
                break
        reached = db.sequence
        assert "No space left" in db.trouble
        for _ in range(5):
            commit_next(db)
        fast_disk.plan = lambda number, call: 0
        for _ in range(100):
            commit_next(db)
            if not db.trouble:
                break
        assert reached + 5 <= db.sequence < reached + 100
        expected = state_after(db.sequence)
    with JournalDB(path) as again:
        assert state_of(again) == expected


# --- files and permissions


def test_every_file_is_for_its_owner_alone(path: Path, tmp_path: Path, fast_disk: FaultyDisk) -> None:
    modes = []

    class Watching(FaultyDisk):
        def rename(self, source: Path, target: Path) -> None:
            modes.append(stat.S_IMODE(source.stat().st_mode))
            super().rename(source, target)

    journal_files.disk = Watching()
    os.umask(before := os.umask(0))
    os.umask(0)
    try:
        with JournalDB(path) as db:
            commit_next(db)
            db.snapshot()
            commit_next(db)
        journal_of(path).write_bytes(journal_of(path).read_bytes().replace(b"leads", b"lXads", 1))
        repair(path)
    finally:
        os.umask(before)
    assert modes
    assert set(modes) == {0o600}
    files = list(tmp_path.iterdir())
    assert len(files) >= 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_files_that_others_could_read_are_closed_at_opening(db: JournalDB, path: Path, tmp_path: Path) -> None:
    db.close()
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    JournalDB(path).close()
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_a_symbolic_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    link = tmp_path / "store.json"
    link.symlink_to(real / "store.json")
    with JournalDB(link) as db:
        commit_next(db)
        db.snapshot()
    assert link.is_symlink()
    assert sorted(file.name for file in real.iterdir()) == ["store.json", "store.json.journal", "store.json.lock"]


def test_an_empty_file_made_beforehand_is_a_new_store(path: Path) -> None:
    path.touch()
    with JournalDB(path) as db:
        commit_next(db)
    with JournalDB(path) as db:
        assert state_of(db) == state_after(1)


# --- refusals: one clear sentence each


def refused(kind: type[StoreError], path: Path, *, read_only: bool = False) -> str:
    with pytest.raises(StoreError) as caught:
        JournalDB(path, read_only=read_only)
    assert caught.type is kind
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    return text


def test_a_second_writer_is_told_which_process_holds_the_store(db: JournalDB, path: Path) -> None:
    assert f"in use by process {os.getpid()};" in refused(StoreLocked, path)
    commit_next(db)


def test_the_lock_holds_while_files_are_replaced(db: JournalDB, path: Path) -> None:
    script = f"""
        import sys
        from router.journal import JournalDB, StoreLocked
        try:
            JournalDB({str(path)!r})
        except StoreLocked as error:
            sys.exit(str(error))
    """
    inode = path.with_name("store.json.lock").stat().st_ino
    for _ in range(2):
        commit_next(db)
        db.snapshot()
    other = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert f"in use by process {os.getpid()}" in other.stderr
    assert path.with_name("store.json.lock").stat().st_ino == inode


def test_the_lock_is_free_again_after_closing_and_after_a_failed_opening(db: JournalDB, path: Path) -> None:
    commit_next(db)
    db.close()
    whole = journal_of(path).read_bytes()
    journal_of(path).write_bytes(b"x" + whole[1:])
    refused(StoreDamaged, path)
    journal_of(path).write_bytes(whole)
    JournalDB(path).close()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'gone'} of the store does not exist" in refused(StoreError, tmp_path / "gone" / "store.json")


def test_a_path_that_is_a_folder_is_refused_as_such(tmp_path: Path) -> None:
    assert "is a folder" in refused(StoreError, tmp_path)


def test_a_file_system_that_cannot_lock_is_not_taken_for_another_writer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    assert "No locks available" in refused(StoreError, path)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_named(path: Path, fast_disk: FaultyDisk, number: int) -> None:
    fast_disk.plan = lambda count, call: number if call == "open" else 0
    text = refused(StoreError, path)
    assert os.strerror(number) in text
    assert str(path.parent) in text


def test_a_full_disk_when_the_store_is_made(path: Path, fast_disk: FaultyDisk) -> None:
    fast_disk.plan = lambda count, call: errno.ENOSPC if call == "write" else 0
    assert "make room" in refused(StoreFull, path)
    fast_disk.plan = lambda count, call: 0
    with JournalDB(path) as db:
        commit_next(db)


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_store_of_a_newer_version_is_refused(
    db: JournalDB, path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: bool
) -> None:
    db.close()
    path.unlink()
    journal_of(path).unlink()
    module = "router.journal_snapshot" if snapshot else "router.journal_lines"
    monkeypatch.setattr(f"{module}.FORMAT", 2)
    JournalDB(path).close()
    monkeypatch.setattr(f"{module}.FORMAT", 1)
    before = path.read_bytes(), journal_of(path).read_bytes()
    for read_only in (False, True):
        assert "newer version" in refused(StoreError, path, read_only=read_only)
    with pytest.raises(StoreError, match="newer version"):
        repair(path)
    assert (path.read_bytes(), journal_of(path).read_bytes()) == before


def test_a_file_that_is_no_store_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("dear diary")
    assert "store repair" in refused(StoreDamaged, path)
    assert path.read_text() == "dear diary"


def test_a_missing_journal_is_refused(db: JournalDB, path: Path) -> None:
    commit_next(db)
    db.close()
    journal_of(path).unlink()
    assert "the whole file, which is missing" in refused(StoreDamaged, path)


def test_a_missing_or_older_snapshot_is_refused(db: JournalDB, path: Path) -> None:
    commit_next(db)
    db.snapshot()
    old = path.read_bytes()
    commit_next(db)
    db.snapshot()
    db.close()
    path.write_bytes(old)
    assert "record 2, which is missing" in refused(StoreDamaged, path)
    path.unlink()
    assert "record 1, which is missing" in refused(StoreDamaged, path)


def test_an_older_journal_is_refused(db: JournalDB, path: Path) -> None:
    commit_next(db)
    old = journal_of(path).read_bytes()
    commit_next(db)
    commit_next(db)
    db.snapshot()
    db.close()
    journal_of(path).write_bytes(old)
    assert "older than the snapshot" in refused(StoreDamaged, path)


@pytest.mark.parametrize("order", [(0, 1, 3, 4), (0, 1, 2, 2, 3, 4), (0, 2, 1, 3, 4)], ids=["lost", "twice", "swapped"])
def test_records_that_are_whole_but_not_in_their_order_are_refused(path: Path, order: tuple[int, ...]) -> None:
    with JournalDB(path) as db:
        for _ in range(4):
            commit_next(db)
    lines = journal_of(path).read_bytes().splitlines(keepends=True)
    journal_of(path).write_bytes(b"".join(lines[index] for index in order))
    assert re.search(r"record \d, where record \d stands, byte \d+;", refused(StoreDamaged, path))
    assert repair(path).dropped
    with JournalDB(path) as db:
        assert db.sequence == 4
        assert db.get_doc("outbox", "4") == state_after(4)["outbox"]["4"]


def test_lines_of_the_snapshot_that_are_whole_but_not_in_their_order_are_refused(path: Path) -> None:
    with JournalDB(path) as db:
        for _ in range(4):
            commit_next(db)
        db.snapshot()
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2:4] = reversed(lines[2:4])
    path.write_bytes(b"".join(lines))
    assert "the order of its lines" in refused(StoreDamaged, path)
    assert len(repair(path).dropped) == 1
    with JournalDB(path) as db:
        assert state_of(db) == state_after(4)


def test_a_closed_store_takes_no_commit(db: JournalDB) -> None:
    db.close()
    with pytest.raises(StoreError, match="is closed"):
        commit_next(db)
    db.close()


# --- reading beside a writer


def test_a_reader_sees_what_is_committed_takes_no_lock_and_writes_nothing(db: JournalDB, path: Path) -> None:
    for _ in range(5):
        commit_next(db)
    with JournalDB(path, read_only=True) as reader:
        assert state_of(reader) == state_after(5)
        commit_next(db)
        assert state_of(reader) == state_after(5)
        for refused_call in (reader.snapshot, reader.compact, lambda: reader.insert({}), lambda: commit_next(reader)):
            with pytest.raises(StoreError, match="reading only"):
                refused_call()


def test_a_reader_ignores_a_torn_tail_and_never_cuts_it(db: JournalDB, path: Path) -> None:
    for _ in range(3):
        commit_next(db)
    db.close()
    torn = journal_of(path).read_bytes()[:-4]
    journal_of(path).write_bytes(torn)
    with JournalDB(path, read_only=True) as reader:
        assert state_of(reader) == state_after(2)
        assert reader.recovered == 0
    assert journal_of(path).read_bytes() == torn


def test_a_reader_of_nothing_is_told_so_and_makes_nothing(path: Path, tmp_path: Path) -> None:
    assert "There is no store at" in refused(StoreError, path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_a_snapshot_comes_between_begins_again(
    db: JournalDB, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        commit_next(db)
    busy = [True, True]

    class Interrupting(FastDisk):
        def open(self, opened: Path, flags: int) -> int:
            fd = super().open(opened, flags)
            if opened == journal_of(path) and flags == os.O_RDONLY and busy:
                busy.pop()
                for _ in range(2):  # the journal just opened is two snapshots old when the snapshot is read
                    commit_next(db)
                    commit_next(db)
                    db.snapshot()
            return fd

    monkeypatch.setattr(journal_files, "disk", Interrupting())
    with JournalDB(path, read_only=True) as reader:
        assert reader.sequence == 11
        assert state_of(reader) == state_after(11)


# --- full and failing disks


def failing_once(call: str, number: int, nth: int = 1):  # type: ignore[no-untyped-def]
    calls = []

    def plan(count: int, asked: str) -> int:
        if asked == call:
            calls.append(count)
            return number if len(calls) == nth else 0
        return 0

    return plan


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_write_that_fails_keeps_nothing_of_the_commit_and_can_be_tried_again(
    db: JournalDB, path: Path, fast_disk: FaultyDisk, number: int
) -> None:
    commit_next(db)
    before = journal_of(path).read_bytes()
    fast_disk.plan = lambda count, call: number if call == "write" else 0
    for _ in range(3):
        with pytest.raises(StoreFull) as caught:
            commit_next(db)
        assert "\n" not in str(caught.value)
        assert journal_of(path).read_bytes() == before
        assert state_of(db) == state_after(1)
    fast_disk.plan = lambda count, call: 0
    assert commit_next(db) == 2
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    assert again.recovered == 0
    again.close()


def test_when_a_failed_write_cannot_be_cut_off_the_next_commit_begins_new_files(
    db: JournalDB, path: Path, fast_disk: FaultyDisk
) -> None:
    commit_next(db)
    fast_disk.plan = lambda count, call: errno.ENOSPC if call in ("write", "truncate") else 0
    for _ in range(2):
        with pytest.raises(StoreFull):
            commit_next(db)
    fast_disk.plan = lambda count, call: 0
    inode = journal_of(path).stat().st_ino
    assert commit_next(db) == 2
    assert journal_of(path).stat().st_ino != inode
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


def test_a_failed_fsync_is_answered_by_new_files_and_never_tried_again(
    db: JournalDB, path: Path, fast_disk: FaultyDisk
) -> None:
    commit_next(db)
    inode = journal_of(path).stat().st_ino
    fast_disk.plan = failing_once("datasync", errno.EIO)
    fast_disk.calls.clear()
    assert commit_next(db) == 2
    assert fast_disk.calls[:2] == ["write", "datasync"]
    assert fast_disk.calls.count("datasync") == 1
    assert journal_of(path).stat().st_ino != inode
    assert commit_next(db) == 3
    again = reopened(db, path)
    assert state_of(again) == state_after(3)
    again.close()


def test_a_failed_fsync_on_a_full_disk_keeps_nothing_and_goes_on_when_there_is_room(
    db: JournalDB, path: Path, fast_disk: FaultyDisk
) -> None:
    commit_next(db)
    fast_disk.plan = lambda count, call: errno.ENOSPC if call in ("datasync", "fsync") else 0
    for _ in range(2):
        with pytest.raises(StoreFull):
            commit_next(db)
        assert state_of(db) == state_after(1)
    fast_disk.plan = lambda count, call: 0
    assert commit_next(db) == 2
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


def test_a_journal_that_could_not_be_replaced_for_sure_is_not_written_to(
    db: JournalDB, path: Path, fast_disk: FaultyDisk
) -> None:
    """Its name may go back to the old file at a power cut, with all that was committed to the new one."""
    commit_next(db)
    fast_disk.plan = failing_once("sync_folder", errno.EIO, 2)  # the snapshot's, then the journal's
    with pytest.raises(StoreFull):
        db.snapshot()
    doubtful = journal_of(path).stat().st_ino
    commit_next(db)
    assert journal_of(path).stat().st_ino != doubtful
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


@pytest.mark.parametrize("call", ["open", "write", "fsync", "rename"])
def test_a_journal_that_could_not_be_replaced_at_all_is_written_on(
    db: JournalDB, path: Path, fast_disk: FaultyDisk, call: str
) -> None:
    commit_next(db)
    fast_disk.plan = failing_once(call, errno.EIO, 2)  # the snapshot's, then the journal's
    with pytest.raises(StoreFull):
        db.snapshot()
    fast_disk.calls.clear()
    commit_next(db)
    assert fast_disk.calls == ["write", "datasync"]
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


def test_an_exception_of_a_signal_while_the_journal_is_replaced_loses_no_later_commit(
    db: JournalDB, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(FaultyDisk):
        def rename(self, source: Path, target: Path) -> None:
            super().rename(source, target)
            if target == journal_of(path):
                raise KeyboardInterrupt

    commit_next(db)
    monkeypatch.setattr(journal_files, "disk", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        db.snapshot()
    monkeypatch.setattr(journal_files, "disk", FastDisk())
    commit_next(db)
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


def test_a_snapshot_that_failed_is_not_tried_again_at_every_commit(path: Path, fast_disk: FaultyDisk) -> None:
    with JournalDB(path, max_journal=2000) as db:
        fast_disk.calls.clear()
        fast_disk.plan = lambda number, call: errno.ENOSPC if call == "fsync" else 0
        for _ in range(100):
            commit_next(db)
        assert 1 < fast_disk.calls.count("fsync") < 12


def test_after_a_failed_fsync_a_snapshot_that_may_not_last_stops_the_store(
    db: JournalDB, path: Path, fast_disk: FaultyDisk
) -> None:
    commit_next(db)
    fast_disk.plan = lambda count, call: errno.EIO if call in ("datasync", "sync_folder") else 0
    with pytest.raises(StoreError, match="cannot be known") as caught:
        commit_next(db)
    assert caught.type is StoreError
    fast_disk.plan = lambda count, call: 0
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


def test_opening_makes_names_last_that_a_killed_process_gave(db: JournalDB, path: Path, fast_disk: FaultyDisk) -> None:
    db.close()
    fast_disk.calls.clear()
    JournalDB(path).close()
    assert fast_disk.calls == ["open", "open", "fsync", "sync_folder"]  # the lock, the journal


def test_a_new_store_whose_folder_cannot_be_synced_gets_no_snapshot(path: Path, fast_disk: FaultyDisk) -> None:
    """A snapshot that lasts, beside a journal whose name does not, would look like a store that lost its journal."""
    fast_disk.plan = lambda count, call: errno.EIO if call == "sync_folder" else 0
    for _ in range(3):
        assert "health of its disk" in refused(StoreError, path)
    assert not path.exists()


def test_when_nobody_can_know_whether_a_commit_was_kept_the_store_stops(
    db: JournalDB, path: Path, fast_disk: FaultyDisk
) -> None:
    commit_next(db)
    fast_disk.plan = lambda count, call: errno.EIO if call in ("datasync", "fsync", "truncate") else 0
    with pytest.raises(StoreError, match="cannot be known") as caught:
        commit_next(db)
    assert caught.type is StoreError
    fast_disk.plan = lambda count, call: 0
    with pytest.raises(StoreError, match="must be opened again"):
        commit_next(db)
    again = reopened(db, path)
    assert state_of(again) in (state_after(1), state_after(2))
    again.close()


def test_an_exception_of_a_signal_inside_a_commit_stops_the_store_rather_than_confuse_it(
    db: JournalDB, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_next(db)

    def interrupt(step: str) -> None:
        if step == "journal-fsynced":
            raise KeyboardInterrupt

    monkeypatch.setattr(journal, "on_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        commit_next(db)
    monkeypatch.setattr(journal, "on_step", None)
    with pytest.raises(StoreError, match="opened again"):
        commit_next(db)
    again = reopened(db, path)
    assert state_of(again) == state_after(2)
    again.close()


def test_the_steps_are_named_in_their_order(db: JournalDB, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(journal, "on_step", steps.append)
    commit_next(db)
    db.snapshot()
    assert steps == [
        "journal-write",
        "journal-written",
        "journal-fsynced",
        "snapshot-written",
        "snapshot-fsynced",
        "snapshot-renamed",
        "journal-reset",
    ]


# --- repair


def damaged(path: Path, commits: int, *marks: bytes) -> None:
    """A store of `commits` commits, half of them in the snapshot, with a byte changed at each mark in the journal."""
    with JournalDB(path) as db:
        for _ in range(commits):
            commit_next(db)
            if db.sequence == commits // 2:
                db.snapshot()
    content = journal_of(path).read_bytes()
    for mark in marks:
        at = content.index(mark)
        content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    journal_of(path).write_bytes(content)


def test_damage_names_the_record_and_the_byte(path: Path) -> None:
    damaged(path, 8, b'"number":6')
    at = journal_of(path).read_bytes().splitlines(keepends=True)
    byte = len(at[0]) + len(at[1])
    for read_only in (False, True):
        text = refused(StoreDamaged, path, read_only=read_only)
        assert f"record 6, byte {byte};" in text
        assert "`bun-router store repair`" in text


def test_repair_keeps_every_whole_record_and_copies_of_the_files(path: Path, tmp_path: Path) -> None:
    damaged(path, 8, b'"number":6')
    before = path.read_bytes(), journal_of(path).read_bytes()
    report = repair(path)
    assert report.records == 3
    assert len(report.dropped) == 1
    assert report.dropped[0].startswith("store.json.journal: record 6, byte ")
    assert [copy.name for copy in report.copies] == ["store.json.damaged-1", "store.json.journal.damaged-1"]
    assert tuple(copy.read_bytes() for copy in report.copies) == before
    assert damaged_copies(path) == tuple(sorted(report.copies))
    with JournalDB(path) as db:
        assert db.sequence == 8
        assert db.get_doc("outbox", "6") is None
        assert db.get_doc("outbox", "8") == {"to": state_after(8)["outbox"]["8"]["to"]}
        commit_next(db)
    assert repair(path).dropped == ()
    assert len(list(tmp_path.iterdir())) == 5


def test_repair_does_not_go_back_behind_the_snapshot(path: Path) -> None:
    """A snapshot that was interrupted before its journal was renewed, and then a damaged record."""
    with JournalDB(path) as db:
        for _ in range(6):
            commit_next(db)
        old = journal_of(path).read_bytes()
        db.snapshot()
    at = old.index(b'"number":5')
    journal_of(path).write_bytes(old[:at] + b"x" + old[at + 1 :])
    refused(StoreDamaged, path)
    assert repair(path).records == 0
    with JournalDB(path) as db:
        assert db.sequence == 6
        assert state_of(db) == state_after(6)


def test_a_second_repair_does_not_overwrite_the_copies_of_the_first(path: Path) -> None:
    for time in (1, 2):
        damaged(path, 8 * time, b'"number":' + str(8 * time - 1).encode())
        assert [copy.suffix for copy in repair(path).copies] == [f".damaged-{time}"] * 2


def test_repair_of_a_whole_store_touches_nothing(db: JournalDB, path: Path) -> None:
    commit_next(db)
    db.close()
    before = path.stat(), journal_of(path).stat()
    report = repair(path)
    assert (report.documents, report.records, report.dropped, report.copies) == (2, 1, (), ())
    assert (path.stat().st_mtime_ns, journal_of(path).stat().st_ino) == (before[0].st_mtime_ns, before[1].st_ino)


def test_repair_waits_for_no_writer(db: JournalDB, path: Path) -> None:
    with pytest.raises(StoreLocked):
        repair(path)


def test_repair_of_nothing_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        repair(path)


@pytest.mark.parametrize("foreign", [True, False], ids=["its own file", "our file rewritten by it"])
def test_repair_takes_over_what_stock_tinydb_has_written(path: Path, foreign: bool) -> None:
    if not foreign:
        with JournalDB(path) as db:
            for _ in range(6):
                commit_next(db)
            db.snapshot()
            commit_next(db)
    with TinyDB(path) as stock:
        stock.table("people").insert({"name": "Eva"})
    assert "store repair" in refused(StoreDamaged, path)
    report = repair(path)
    assert any("all its documents were kept" in dropped for dropped in report.dropped)
    expected = {"people": {"1": {"name": "Eva"}}} | ({} if foreign else state_after(7))
    with JournalDB(path) as db:
        assert state_of(db) == expected


def test_repair_without_the_snapshots_last_line_keeps_what_can_be_read(path: Path) -> None:
    with JournalDB(path) as db:
        for _ in range(6):
            commit_next(db)
        db.snapshot()
        commit_next(db)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    size = path.stat().st_size
    refused(StoreDamaged, path)
    assert repair(path).dropped == (f"store.json: its last line, by which the others are checked, byte {size}",)
    with JournalDB(path) as db:
        assert state_of(db) == state_after(7)
        assert db.sequence == 7


# --- TinyDB's own interface


def test_the_ordinary_tinydb_calls_work(db: JournalDB, path: Path) -> None:
    people = db.table("people")
    assert people.insert({"name": "Eva", "buns": 1}) == 1
    assert people.insert_multiple([{"name": "Bo", "buns": 2}, Document({"name": "Cy", "buns": 3}, doc_id=9)]) == [2, 9]
    assert people.update({"away": True}, where("buns") > 1) == [2, 9]
    assert people.update(lambda person: person.pop("away"), doc_ids=[9, 77]) == [9]
    assert people.update_multiple([({"buns": 5}, where("name") == "Eva")]) == [1]
    assert people.upsert({"name": "Di", "buns": 0}, where("name") == "Di") == [3]
    assert people.upsert(Document({"name": "Eva!"}, doc_id=1)) == [1]
    assert people.remove(where("name") == "Cy") == [9]
    assert people.get(doc_id=2) == {"name": "Bo", "buns": 2, "away": True}
    assert people.get(where("name") == "Eva!").doc_id == 1
    assert people.contains(doc_id=3)
    assert people.count(Query().buns < 3) == 2
    assert len(people) == 3
    db.insert({"in": "the default table"})
    assert db.count(where("in").exists()) == len(db) == 1
    again = reopened(db, path)
    assert [dict(person) for person in again.table("people")] == [
        {"name": "Eva!", "buns": 5},
        {"name": "Bo", "buns": 2, "away": True},
        {"name": "Di", "buns": 0},
    ]
    again.drop_table("people")
    assert again.tables() == {"_default"}
    again.drop_tables()
    again = reopened(again, path)
    assert again.tables() == set()
    again.close()


def test_an_update_writes_what_it_changed_and_no_more(db: JournalDB, path: Path) -> None:
    people = db.table("people")
    people.insert_multiple({"n": number, "text": "x" * 500} for number in range(200))
    before = journal_of(path).stat().st_size
    people.update({"n": 7}, where("n") == 7)
    people.remove(where("n") == -1)
    assert journal_of(path).stat().st_size == before
    people.update({"n": 1000}, where("n") == 7)
    assert journal_of(path).stat().st_size < before + 700


def test_an_updater_that_raises_changes_nothing(db: JournalDB) -> None:
    people = db.table("people")
    people.insert_multiple([{"n": 1}, {"n": "two"}])

    def halve(person: dict[str, int]) -> None:
        person["n"] /= 2

    with pytest.raises(TypeError):
        people.update(halve)
    assert people.all() == [{"n": 1}, {"n": "two"}]


def test_results_are_copies_and_no_query_is_cached(db: JournalDB) -> None:
    people = db.table("people", cache_size=10)
    people.insert({"claims": ["eva"]})
    found = people.search(where("claims").exists())
    found[0]["claims"].append("bo")
    db.commit({"people": {"2": {"claims": []}}})
    assert people.search(where("claims").exists()) == [{"claims": ["eva"]}, {"claims": []}]


def test_a_number_taken_by_a_commit_is_not_given_out_again(db: JournalDB) -> None:
    people = db.table("people")
    people.insert({"name": "Eva"})
    db.commit({"people": {"2": {"name": "Bo"}, "3": {"name": "Cy"}}})
    assert people.insert_multiple([{"name": "Di"}, {"name": "Ed"}]) == [4, 5]


@pytest.mark.parametrize("number", [0, -1, 1 << 64])
def test_a_document_number_that_stock_tinydb_could_not_read_back_is_refused(db: JournalDB, number: int) -> None:
    with pytest.raises(ValueError, match="cannot be a document's key"):
        db.insert(Document({}, doc_id=number))


def test_what_json_refuses_is_refused_and_leaves_nothing(db: JournalDB) -> None:
    with pytest.raises(TypeError):
        db.insert({"when": datetime.now(UTC)})
    assert db.all() == []


def test_a_table_without_documents_does_not_exist(db: JournalDB) -> None:
    db.insert({})
    db.truncate()
    assert db.tables() == set()
    assert db.all() == []


def attribute_users(cls: type, names: set[str]) -> dict[str, set[str]]:
    """Which methods of a class touch which of these attributes of self."""
    found: dict[str, set[str]] = {name: set() for name in names}
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    for method in ast.walk(tree):
        if isinstance(method, ast.FunctionDef):
            for node in ast.walk(method):
                if isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == "self":
                    found[node.attr].add(method.name)
    return found


def test_contract_tinydb_tables_reach_the_storage_only_where_we_stand_in() -> None:
    """JournalTable replaces `_read_table` and `_update_table`: all other methods must go through these two."""
    used = attribute_users(tinydb.table.Table, {"_storage", "_read_table", "_update_table", "_next_id"})
    assert used == {
        "_storage": {"__init__", "__repr__", "storage", "_read_table", "_update_table"},
        "_read_table": {"search", "get", "__len__", "__iter__", "_get_next_id"},
        "_update_table": {
            "__init__",
            "insert",
            "insert_multiple",
            "update",
            "update_multiple",
            "remove",
            "truncate",
        },
        "_next_id": {"__init__", "insert", "truncate", "_get_next_id"},
    }, f"TinyDB {tinydb.__version__} changed what JournalTable builds on: read its table.py again"


def test_contract_tinydb_databases_reach_the_storage_only_through_read_write_and_close() -> None:
    used = attribute_users(tinydb.database.TinyDB, {"_storage", "storage", "_tables", "_opened"})
    assert used["_storage"] == {"__init__", "storage"}
    assert used["storage"] == {"table", "tables", "drop_tables", "drop_table", "close"}


def test_contract_the_signatures_that_we_override_are_as_they_were() -> None:
    def names(function: object) -> list[str]:
        return list(inspect.signature(function).parameters)  # type: ignore[arg-type]

    table = tinydb.table.Table
    assert names(table.__init__) == names(journal.JournalTable.__init__)
    for method in ("_read_table", "_update_table", "_get_next_id", "update", "remove"):
        assert names(getattr(table, method)) == names(getattr(journal.JournalTable, method)), method
    assert table.document_id_class is int
    assert {name for name in vars(table) if not name.startswith("_")} == {
        "all",
        "clear_cache",
        "contains",
        "count",
        "default_query_cache_capacity",
        "document_class",
        "document_id_class",
        "get",
        "insert",
        "insert_multiple",
        "name",
        "query_cache_class",
        "remove",
        "search",
        "storage",
        "truncate",
        "update",
        "update_multiple",
        "upsert",
    }


def test_the_storage_alone_keeps_tinydbs_contract(path: Path) -> None:
    """Whoever gives JournalStorage to TinyDB itself gets a slow database, but a right one."""
    with TinyDB(path, storage=JournalStorage) as stock:
        stock.insert_multiple({"n": number} for number in range(5))
        stock.update({"n": 9}, where("n") == 3)
        stock.remove(where("n") == 1)
    with JournalDB(path) as db:
        assert db.all() == [{"n": 0}, {"n": 2}, {"n": 9}, {"n": 4}]
