"""The journal under torture: cut, flipped, full, killed and unplugged at every point there is.

Each test holds the store against a workload whose state after n commits is known (tests/faultyfs.py). The default run
takes a sample of what the marked ones do exhaustively.
"""

from __future__ import annotations

import errno
import itertools
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tinydb import TinyDB, where

from router import journal, journal_files
from router.journal import JournalDB, StoreDamaged, StoreError, StoreFull, repair
from router.journal_files import Disk
from tests.faultyfs import (
    DeadlyDisk,
    FastDisk,
    FaultyDisk,
    ForgetfulDisk,
    Killed,
    changes,
    commit_next,
    lay_out,
    outcomes,
    state_after,
    state_of,
)

ROOT = Path(__file__).parent.parent
STEPS = (
    "journal-write",
    "journal-written",
    "journal-fsynced",
    "snapshot-written",
    "snapshot-fsynced",
    "snapshot-renamed",
    "journal-reset",
)


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = FastDisk()
    monkeypatch.setattr(journal_files, "disk", disk)
    return disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.json"


def journal_of(path: Path) -> Path:
    return path.with_name(path.name + ".journal")


def filled(path: Path, commits: int, snapshot_at: int) -> None:
    """A closed store of so many commits of the workload, the first of them in the snapshot."""
    with JournalDB(path) as db:
        for _ in range(commits):
            commit_next(db)
            if db.sequence == snapshot_at:
                db.snapshot()


# --- cut short


def test_a_record_cut_at_any_byte_is_gone_alone_and_this_is_said(path: Path) -> None:
    filled(path, 9, 4)
    whole = journal_of(path).read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for missing in range(1, last + 1):
        journal_of(path).write_bytes(whole[:-missing])
        with JournalDB(path) as db:
            assert db.recovered == last - missing
            assert state_of(db) == state_after(8)
            assert commit_next(db) == 9
        with JournalDB(path) as db:
            assert db.recovered == 0
            assert state_of(db) == state_after(9)
        assert journal_of(path).read_bytes() == whole


def test_a_long_record_of_which_some_blocks_never_reached_the_disk_is_cut(path: Path) -> None:
    with JournalDB(path) as db:
        commit_next(db)
        before = journal_of(path).stat().st_size
        db.commit({"leads": {"1": {"text": "x" * 30_000}}})
    whole = journal_of(path).read_bytes()
    blocks = range(0, len(whole), 4096)
    for lost in itertools.chain(([block] for block in blocks), itertools.combinations(blocks, 2)):
        content = bytearray(whole)
        for block in lost:
            start = max(block, before)
            content[start : block + 4096] = bytes(len(content[start : block + 4096]))
        journal_of(path).write_bytes(content)
        with JournalDB(path) as db:
            assert db.recovered == len(whole) - before
            assert state_of(db) == state_after(1)


def test_a_lost_block_that_held_several_records_is_no_torn_tail(path: Path) -> None:
    filled(path, 12, 0)
    whole = journal_of(path).read_bytes()
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[:10])) + 30  # inside of record 10: its beginning still says how long it is
    journal_of(path).write_bytes(whole[:start] + bytes(len(whole) - start))
    with pytest.raises(StoreDamaged, match="record 10"):
        JournalDB(path)


# --- flipped


def flips(content: bytes, values: Callable[[int, int], set[int]]) -> Iterator[tuple[int, bytes]]:
    for at, byte in enumerate(content):
        for value in values(at, byte) - {byte}:
            yield at, content[:at] + bytes([value]) + content[at + 1 :]


def one(at: int, byte: int) -> set[int]:
    """A changed bit, and now and then a line's end."""
    return {0x0A} if at % 9 == 8 else {byte ^ (1 << at % 9)}


def many(at: int, byte: int) -> set[int]:
    return {byte ^ (1 << bit) for bit in range(8)} | {0, 9, 0x0A}


def without(record: int, commits: int) -> dict[str, dict[str, Any]]:
    """The workload's state if one of its commits had never been."""
    state: dict[str, dict[str, Any]] = {}
    for number in range(1, commits + 1):
        if number != record:
            puts, deletes = changes(number)
            for table, documents in puts.items():
                state.setdefault(table, {}).update(documents)
            for table, keys in deletes.items():
                for key in keys:
                    state.get(table, {}).pop(key, None)
    return {table: documents for table, documents in state.items() if documents}


def check_journal_flips(path: Path, values: Callable[[int, int], set[int]], repair_each: int) -> None:
    filled(path, 7, 2)
    snapshot, whole = path.read_bytes(), journal_of(path).read_bytes()
    starts = list(itertools.accumulate(map(len, whole.splitlines(keepends=True)), initial=0))
    for at, damaged in flips(whole, values):
        line = max(index for index, start in enumerate(starts) if start <= at)
        journal_of(path).write_bytes(damaged)
        try:
            with JournalDB(path, read_only=True) as reader:
                assert line == 5, f"damage at byte {at} went unseen"
                assert state_of(reader) == state_after(6)
        except StoreDamaged as error:
            if line == 0:
                assert "its first line, byte 0;" in str(error)
            else:
                assert f"record {line + 2}, byte {starts[line]};" in str(error) or damaged[at] == 0x0A
        if at % repair_each:
            continue
        assert repair(path).dropped
        with JournalDB(path) as db:
            assert state_of(db) == (state_after(7) if line == 0 or at == starts[line + 1] - 1 else without(line + 2, 7))
        lay_out(path.parent, {path.name: snapshot})


def check_snapshot_flips(path: Path, values: Callable[[int, int], set[int]], repair_each: int) -> None:
    filled(path, 7, 5)
    whole, journal = path.read_bytes(), journal_of(path).read_bytes()
    lines = whole.splitlines(keepends=True)
    starts = list(itertools.accumulate(map(len, lines), initial=0))
    for at, damaged in flips(whole, values):
        line = max(index for index, start in enumerate(starts) if start <= at)
        path.write_bytes(damaged)
        with pytest.raises(StoreDamaged) as caught:
            JournalDB(path, read_only=True)
        assert "store.json, " in str(caught.value)
        if line < len(lines) - 1:
            assert f"byte {starts[line]};" in str(caught.value)
        if at % repair_each:
            continue
        assert repair(path).dropped
        document = lines[line].startswith((b' "', b',"')) and lines[line].endswith(b"}\n") and line < len(lines) - 1
        with JournalDB(path) as db:
            lost = missing(state_of(db), state_after(7))
            assert len(lost) <= (document and at != starts[line + 1] - 1), f"damage at byte {at} cost {lost}"
        lay_out(path.parent, {journal_of(path).name: journal})


def missing(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> list[str]:
    """The documents that are not as they should be."""
    keys = {(table, key) for state in (found, expected) for table, documents in state.items() for key in documents}
    return [f"{t} {k}" for t, k in keys if found.get(t, {}).get(k) != expected.get(t, {}).get(k)]


def test_a_changed_byte_anywhere_in_the_journal_is_seen_and_repair_loses_that_record_alone(path: Path) -> None:
    check_journal_flips(path, one, 11)


def test_a_changed_byte_anywhere_in_the_snapshot_is_seen_and_repair_loses_one_document_at_most(path: Path) -> None:
    check_snapshot_flips(path, one, 11)


@pytest.mark.torture
def test_many_changes_of_every_byte_of_the_journal(path: Path, fault: Callable[..., None]) -> None:
    check_journal_flips(path, many, 2)
    fault("store: every byte of the journal changed", tries=journal_of(path).stat().st_size, note="seen, and repaired")


@pytest.mark.torture
def test_many_changes_of_every_byte_of_the_snapshot(path: Path, fault: Callable[..., None]) -> None:
    check_snapshot_flips(path, many, 2)
    fault("store: every byte of the snapshot changed", tries=path.stat().st_size, note="seen, and repaired")


# --- full and failing


def survive(path: Path, disk: FaultyDisk, commits: int) -> None:
    """Bring the store to so many commits whatever fails, as the daemon would: try again, or open again."""
    db: JournalDB | None = None
    acknowledged = 0
    for _ in range(20 * commits):
        try:
            if db is None:
                db = JournalDB(path, max_journal=900)
                assert acknowledged <= db.sequence <= acknowledged + 1
                assert state_of(db) == state_after(db.sequence)
                acknowledged = db.sequence
            if db.sequence >= commits:
                db.compact()
                break
            acknowledged = commit_next(db)
        except StoreFull:
            if db is not None:
                assert state_of(db) == state_after(db.sequence)
                with JournalDB(path, read_only=True) as reader:
                    assert state_of(reader) == state_after(acknowledged), "kept, though it said that it did not"
        except StoreError:
            if db is not None:
                db.close()
            db = None
    assert db is not None
    db.close()
    disk.plan = lambda number, call: 0
    with JournalDB(path) as again:
        assert again.sequence == commits
        assert state_of(again) == state_after(commits)
        assert again.recovered == 0


def failing(first: int, last: int, number: int) -> Callable[[int, str], int]:
    return lambda count, call: number if first <= count <= last else 0


def check_failing_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int, lengths: tuple[int, ...]) -> int:
    tried = 0
    for number, length in itertools.product((errno.ENOSPC, errno.EIO), lengths):
        for first in itertools.count(1):
            disk = FaultyDisk(failing(first, first + length - 1, number))
            monkeypatch.setattr(journal_files, "disk", disk)
            folder = tmp_path / f"{number}-{length}-{first}"
            folder.mkdir()
            survive(folder / "store.json", disk, commits)
            shutil.rmtree(folder)
            tried += 1
            if len(disk.calls) < first:
                break
    return tried


def test_any_call_may_fail_once_or_thrice_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_failing_calls(tmp_path, monkeypatch, 8, (1, 3)) > 100


@pytest.mark.torture
def test_any_run_of_calls_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]) -> None:
    tried = check_failing_calls(tmp_path, monkeypatch, 25, (1, 2, 3, 4, 5, 7, 11))
    fault("store: disk calls that fail (ENOSPC, EIO)", tries=tried)


@pytest.mark.torture
def test_calls_that_fail_at_random(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]) -> None:
    fault("store: disk calls that fail (ENOSPC, EIO)", tries=1500)
    for seed in range(1500):
        rolled = random.Random(seed)
        disk = FaultyDisk(lambda count, call: rolled.choice((errno.ENOSPC, errno.EIO)) if rolled.random() < 0.15 else 0)  # noqa: B023
        monkeypatch.setattr(journal_files, "disk", disk)
        folder = tmp_path / str(seed)
        folder.mkdir()
        survive(folder / "store.json", disk, 15)
        shutil.rmtree(folder)


# --- killed


def check_deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commits: int) -> int:
    """Die at every call in turn, and at every call of the opening that follows."""
    deaths = 0
    for half in (False, True):
        for fatal in itertools.count(1):
            path = tmp_path / "store.json"
            disk = DeadlyDisk(fatal, half=half)
            monkeypatch.setattr(journal_files, "disk", disk)
            acknowledged = 0
            db = None
            try:
                db = JournalDB(path, max_journal=900)
                while acknowledged < commits:
                    acknowledged = commit_next(db)
            except Killed:
                deaths += 1
            if db is not None:
                db.close()
            deaths += die_opening(path, monkeypatch, acknowledged)
            monkeypatch.setattr(journal_files, "disk", FastDisk())
            with JournalDB(path) as again:
                assert acknowledged <= again.sequence <= acknowledged + 1
                assert state_of(again) == state_after(again.sequence)
                commit_next(again)
            with JournalDB(path) as again:
                assert state_of(again) == state_after(again.sequence)
            for file in tmp_path.iterdir():
                file.unlink()
            if not disk.dead:
                break
    return deaths


def die_opening(path: Path, monkeypatch: pytest.MonkeyPatch, acknowledged: int) -> int:
    for fatal in itertools.count(1):
        monkeypatch.setattr(journal_files, "disk", DeadlyDisk(fatal))
        try:
            db = JournalDB(path)
        except Killed:
            continue
        assert db.sequence >= acknowledged
        db.close()
        return fatal - 1
    raise AssertionError


def test_a_death_at_any_call_loses_nothing_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_deaths(tmp_path, monkeypatch, 8) > 100


@pytest.mark.torture
def test_a_death_at_any_call_of_a_longer_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    fault("store: death at a disk call", tries=check_deaths(tmp_path, monkeypatch, 60))


class Victim:
    """A process that commits for ever, to be killed: at a step by itself, or by us."""

    def __init__(self, path: Path, step: str, nth: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faultyfs", str(path), step, str(nth), "900"], cwd=ROOT, stdout=subprocess.PIPE
        )

    def outcome(self, after: float = 20) -> int:
        """The last number that it acknowledged, once it is dead, 0 for none; killed by us after so long."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + after
        told = b""
        while select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
            more = self.process.stdout.read1(1 << 16)  # type: ignore[union-attr]
            if not more:
                break
            told += more
        else:
            self.process.kill()
            told += self.process.stdout.read()
        assert self.process.wait() == -signal.SIGKILL
        self.process.stdout.close()
        return max([0, *map(int, told.split(b"\n")[:-1])])


def check_kill(path: Path, victim: Victim, after: float, acknowledged: int) -> int:
    acknowledged = max(acknowledged, victim.outcome(after))
    if not acknowledged and not journal_of(path).exists():
        return 0  # killed before it had made anything
    with JournalDB(path, read_only=True) as reader:
        assert acknowledged <= reader.sequence <= acknowledged + 1
        assert state_of(reader) == state_after(reader.sequence)
        return reader.sequence


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_a_named_step_loses_nothing_acknowledged(path: Path, step: str) -> None:
    reached = check_kill(path, Victim(path, step, 2), 20, 0)
    assert check_kill(path, Victim(path, step, 3), 20, reached) >= reached


@pytest.mark.torture
def test_processes_killed_at_every_step_and_at_random_moments(path: Path, fault: Callable[..., None]) -> None:
    rolled = random.Random(11)
    at_steps = [(step, nth, 20.0) for nth, step in itertools.product(range(1, 9), STEPS)]
    at_random = [("never", 0, 0.08 + rolled.random() * 0.15) for _ in range(150)]
    reached = commits = 0
    for kill, (step, nth, after) in enumerate(at_steps + at_random):
        if kill % 8 == 0:  # a new store now and then: the truth about a long life takes long to work out
            commits += reached
            reached = 0
            for file in path.parent.iterdir():
                file.unlink()
        reached = check_kill(path, Victim(path, step, nth), after, reached)
    kills = len(at_steps + at_random)
    fault("store: SIGKILL of a writer", tries=kills, note=f"{commits + reached:,} commits")


# --- unplugged


def power_cuts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plan: Callable[[int, str], int],
    commits: int,
    limit: int,
    every: int,
) -> int:
    """Run the workload, and open every folder that a power cut at (every nth of) its moments could have left."""
    disk = ForgetfulDisk(plan)
    monkeypatch.setattr(journal_files, "disk", disk)
    live = tmp_path / "live"
    live.mkdir()
    run_to(live / "store.json", disk, commits)
    monkeypatch.setattr(journal_files, "disk", FastDisk())
    rolled = random.Random(5)
    tried = 0
    after = tmp_path / "after"
    for moment in disk.moments[::every]:
        for files in outcomes(moment, rolled, limit):
            lay_out(after, files)
            with JournalDB(after / "store.json") as db:
                assert moment.acknowledged <= db.sequence <= max(moment.begun, moment.acknowledged)
                assert state_of(db) == state_after(db.sequence)
                commit_next(db)
            with JournalDB(after / "store.json") as db:
                assert state_of(db) == state_after(db.sequence)
            tried += 1
    shutil.rmtree(live)
    return tried


def run_to(path: Path, disk: ForgetfulDisk, commits: int) -> None:
    db = None
    for _ in range(10 * commits):
        try:
            db = db or JournalDB(path, max_journal=900)
            if db.sequence >= commits:
                break
            disk.promise(db)
        except StoreFull:
            pass
        except StoreError:
            if db is not None:
                db.close()
            db = None
    assert db is not None
    assert db.sequence == commits
    db.close()


def test_what_a_killed_process_left_in_memory_is_on_disk_before_it_is_served(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL between a write and its fsync, a new process that reads the record, then the power cut."""
    path = tmp_path / "live" / "store.json"
    path.parent.mkdir()
    disk = ForgetfulDisk()
    monkeypatch.setattr(journal_files, "disk", disk)
    db = JournalDB(path)
    commit_next(db)

    def die(step: str) -> None:
        if step == "journal-written":
            raise Killed

    monkeypatch.setattr(journal, "on_step", die)
    with pytest.raises(Killed):
        commit_next(db)
    db.close()
    with JournalDB(path) as again:
        assert again.sequence == 2
    after = tmp_path / "after"
    for files in outcomes(disk.moments[-1], random.Random(1), 100):
        lay_out(after, files)
        with JournalDB(after / "store.json", read_only=True) as reader:
            assert state_of(reader) == state_after(2)


def nth_call(call: str, nth: int, number: int, run: int = 1) -> Callable[[int, str], int]:
    counted = itertools.count(1)
    return lambda count, asked: number if asked == call and nth <= next(counted) < nth + run else 0


def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert power_cuts(tmp_path, monkeypatch, lambda count, call: 0, 9, 12, 1) > 150


@pytest.mark.parametrize("call", ["write", "datasync", "fsync", "rename", "sync_folder"])
def test_a_power_cut_around_a_failed_call_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    nth = {"write": 6, "datasync": 4, "fsync": 3, "rename": 3, "sync_folder": 3}[call]
    assert power_cuts(tmp_path, monkeypatch, nth_call(call, nth, errno.EIO, 2), 7, 6, 3) > 30


@pytest.mark.torture
def test_power_cuts_in_every_order_the_file_system_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    tried = power_cuts(tmp_path, monkeypatch, lambda count, call: 0, 25, 400, 1)
    for call in ("write", "datasync", "fsync", "rename", "sync_folder", "truncate"):
        for nth, run, number in itertools.product(range(1, 12), (1, 2, 3), (errno.EIO, errno.ENOSPC)):
            tried += power_cuts(tmp_path, monkeypatch, nth_call(call, nth, number, run), 9, 40, 2)
    fault("store: power cut, only fsynced bytes survive", tries=tried)


# --- read meanwhile


def read_beside(path: Path, seconds: float) -> int:
    """Open the store again and again beside a process that commits and snapshots all the time.

    `seconds` run from the first opening, however long the writer takes to begin.
    """
    victim = Victim(path, "never", 0)
    deadline = time.monotonic() + 60
    reads = last = 0
    while time.monotonic() < deadline:
        try:
            with JournalDB(path, read_only=True) as reader:
                if not last and reader.sequence:
                    deadline = time.monotonic() + seconds
                assert reader.sequence >= last
                last = reader.sequence
                assert last > 2000 or state_of(reader) == state_after(last)
                reads += bool(last)
        except StoreError as error:
            assert "There is no store" in str(error)  # the writer has not got so far yet
            time.sleep(0.01)
    victim.outcome(after=0)
    return reads


def test_a_reader_beside_a_snapshotting_writer_sees_one_state_in_whole(path: Path) -> None:
    assert read_beside(path, 0.6) > 3


@pytest.mark.torture
def test_a_reader_beside_a_writer_for_long(path: Path, fault: Callable[..., None]) -> None:
    fault("store: a reader beside snapshots", tries=read_beside(path, 20), note="each read whole")


# --- any order of calls, against a dict


documents = st.dictionaries(
    st.sampled_from(["name", "buns", "claims"]),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=6),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
tables = st.sampled_from(["people", "leads", "å\t"])
numbers = st.integers(1, 6)


class AnyLife(RuleBasedStateMachine):
    """Whatever is called in whatever order, with kills in between: the store and a dict agree."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bun-journal-"))
        self.path = self.folder / "store.json"
        self.old_disk, journal_files.disk = journal_files.disk, FastDisk()
        self.model: dict[str, dict[int, Any]] = {}
        self.db = JournalDB(self.path, max_journal=700)

    def table(self, name: str) -> dict[int, Any]:
        return self.model.setdefault(name, {})

    @rule(name=tables, document=documents)
    def insert(self, name: str, document: dict[str, Any]) -> None:
        number = self.db.table(name).insert(document)
        assert number not in self.table(name)
        self.table(name)[number] = document

    @rule(name=tables, many=st.lists(documents, max_size=3))
    def insert_multiple(self, name: str, many: list[dict[str, Any]]) -> None:
        numbers = self.db.table(name).insert_multiple(many)
        assert len(set(numbers) - self.table(name).keys()) == len(many)
        self.table(name).update(zip(numbers, many, strict=True))

    @rule(name=tables, fields=documents, value=st.integers(0, 2) | st.none())
    def update(self, name: str, fields: dict[str, Any], value: object) -> None:
        matching = [number for number, document in self.table(name).items() if document.get("buns", 7) == value]
        assert sorted(self.db.table(name).update(fields, where("buns") == value)) == sorted(matching)
        for number in matching:
            self.table(name)[number] = {**self.table(name)[number], **fields}

    @rule(name=tables, chosen=st.lists(numbers, max_size=3, unique=True))
    def update_by_number(self, name: str, chosen: list[int]) -> None:
        there = [number for number in chosen if number in self.table(name)]
        assert self.db.table(name).update(lambda document: document.clear(), doc_ids=chosen) == there
        self.table(name).update((number, {}) for number in there)

    @rule(name=tables, document=documents)
    def upsert(self, name: str, document: dict[str, Any]) -> None:
        matching = [number for number, old in self.table(name).items() if "name" in old]
        found = self.db.table(name).upsert(document, where("name").exists())
        if matching:
            assert sorted(found) == sorted(matching)
            for number in matching:
                self.table(name)[number] = {**self.table(name)[number], **document}
        else:
            self.table(name)[found[0]] = document

    @rule(name=tables, chosen=st.lists(numbers, max_size=3, unique=True))
    def remove(self, name: str, chosen: list[int]) -> None:
        there = [number for number in chosen if number in self.table(name)]
        assert self.db.table(name).remove(doc_ids=chosen) == there
        for number in there:
            del self.table(name)[number]

    @rule(name=tables)
    def truncate(self, name: str) -> None:
        self.db.table(name).truncate()
        self.table(name).clear()

    @rule(name=tables)
    def drop(self, name: str) -> None:
        self.db.drop_table(name)
        self.table(name).clear()

    @rule(name=tables, other=tables, number=numbers, document=documents, gone=numbers)
    def commit(self, name: str, other: str, number: int, document: dict[str, Any], gone: int) -> None:
        with suppress(ValueError):  # the same document put and deleted
            self.db.commit({name: {str(number): document}}, {other: [str(gone)]})
            self.table(name)[number] = document
            self.table(other).pop(gone, None)

    @rule()
    def snapshot(self) -> None:
        self.db.snapshot()

    @rule()
    def open_again(self) -> None:
        self.db.close()
        self.db = JournalDB(self.path, max_journal=700)

    @rule(fatal=st.integers(1, 6), half=st.booleans(), name=tables, number=numbers, document=documents)
    def die_in_a_commit(self, fatal: int, half: bool, name: str, number: int, document: dict[str, Any]) -> None:
        journal_files.disk = DeadlyDisk(fatal, half=half)
        acknowledged = False
        try:
            self.db.commit({name: {str(number): document}})
            acknowledged = True
            self.db.snapshot()
        except Killed:
            pass
        self.db.close()
        journal_files.disk = FastDisk()
        self.db = JournalDB(self.path, max_journal=700)
        assert self.db.recovered == 0 or not acknowledged
        if acknowledged or self.db.get_doc(name, str(number)) == document:
            self.table(name)[number] = document

    @invariant()
    def they_agree(self) -> None:
        expected = {name: found for name, found in self.model.items() if found}
        assert self.db.tables() == set(expected)
        for name, found in expected.items():
            assert {document.doc_id: dict(document) for document in self.db.table(name)} == found

    def teardown(self) -> None:
        if not hasattr(self, "db"):
            return
        self.db.snapshot()
        with TinyDB(self.path, access_mode="r") as stock:
            for name, found in self.model.items():
                assert {document.doc_id: dict(document) for document in stock.table(name)} == found
        self.db.close()
        journal_files.disk = self.old_disk
        shutil.rmtree(self.folder)


AnyLife.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, derandomize=True)
TestAnyLife = AnyLife.TestCase


@pytest.mark.torture
class TestAnyLifeForLong(AnyLife.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
