"""Repair of a damaged store: keep all that is whole, in order, and say what is not.

Job: what `bun-router store repair` does. Shell. The damaged files are copied aside before anything is written. Every
record holds whole documents, so records after a damaged one can be kept: what the damaged one changed is then as old
as the record before it left it, and the report says so.
Leaves out: opening a healthy store (`journal.py`), and asking the operator.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from router.journal_documents import Tables, checked, dump, number_of, put
from router.journal_files import NEWER, StoreError, StoreFiles, refusal
from router.journal_lines import Damage, NewerFormat, Whole, apply_record, journal_head, read_journal_head, sift_records
from router.journal_snapshot import Sifted, read_head, read_snapshot, sift_snapshot, snapshot_lines


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What a repair kept and dropped. Nothing dropped: the store was whole, and was not touched."""

    documents: int
    """Documents in the store now."""
    records: int
    """Whole records of the journal that went into it."""
    dropped: tuple[str, ...]
    """What was not whole, a phrase each, with the file and the byte."""
    copies: tuple[Path, ...]
    """The damaged files as they were. They hold people's data: remove them when they are no longer needed."""


def damaged_copies(path: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The copies that repairs of the store at `path` have left, oldest first."""
    files = StoreFiles(path)
    names = (files.snapshot, files.journal)
    return tuple(sorted(found for name in names for found in name.parent.glob(f"{name.name}.damaged-*")))


def repair(path: str | os.PathLike[str]) -> RepairReport:
    """Make the store at `path` whole again from what is whole in it.

    Raises StoreLocked while somebody writes to it, StoreFull when there is no room, StoreError when there is no store
    or a newer version wrote it. Killed half-way, it has lost nothing and can be run again.
    """
    files = StoreFiles(path)
    lock = files.take_lock()
    try:
        if not files.exist():
            raise StoreError(f"There is no store at {files.snapshot}.")
        return _repair(files)
    except NewerFormat as error:
        raise StoreError(NEWER.format(path=files.snapshot)) from error
    except OSError as error:
        raise refusal(error, files.snapshot, "Repairing") from error
    finally:
        os.close(lock)


def _repair(files: StoreFiles) -> RepairReport:
    sifted = _sift_snapshot(files)
    dropped = [f"{files.snapshot.name}: {fault}" for fault in sifted.faults]
    records, faults = _sift_journal(files, sifted)
    dropped += [f"{files.journal.name}: {fault}" for fault in faults]
    documents = sum(map(len, sifted.tables.values()))
    copies: tuple[Path, ...] = ()
    if dropped:
        copies = files.copy_aside((files.snapshot, files.journal))
        _write(files, sifted)
    return RepairReport(documents, records, tuple(dropped), copies)


def _write(files: StoreFiles, sifted: Sifted) -> None:
    """The snapshot before the journal, as ever: between the two the store still counts as damaged."""
    lines = snapshot_lines(sifted.tables, sifted.sequence, datetime.now(UTC))
    os.close(files.replace(files.snapshot, lines)[0])
    os.close(files.replace(files.journal, [journal_head(sifted.sequence)])[0])


def _sift_snapshot(files: StoreFiles) -> Sifted:
    if not files.snapshot.exists() or files.snapshot.stat().st_size == 0:
        return Sifted()
    checks = files.last_checks()
    with files.read_lines(files.snapshot) as lines:
        ours = checks is not None or read_head(lines.readline()) is not None
        foreign = None if ours else _of_stock_tinydb(files.snapshot)
        if foreign is not None:
            return foreign
        lines.seek(0)
        sifted = sift_snapshot(lines, checks)
    if checks is not None and not sifted.faults:
        _look_for_disorder(files, sifted)
    return sifted


def _look_for_disorder(files: StoreFiles, sifted: Sifted) -> None:
    """All lines may be whole and yet the file not be as it was written."""
    with files.read_lines(files.snapshot) as lines:
        try:
            read_snapshot(lines)
        except Damage:
            sifted.faults.append(Damage("the order of its lines", 0))


def _of_stock_tinydb(path: Path) -> Sifted | None:
    """The documents of a file that stock TinyDB has written, ours or its own; None for anything else."""
    try:
        content = json.loads(path.read_bytes())
        about = content.pop("_journal", {}).get("1", {})
        content.pop("_checks", None)
        tables: Tables = {}
        for table, documents in content.items():
            for key, document in documents.items():
                put(tables, table, number_of(key), checked(dump(document)))
        fault = Damage("its layout, stock TinyDB having written it (all its documents were kept)", 0)
        return Sifted(int(about.get("sequence", 0)), tables, [fault])
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _sift_journal(files: StoreFiles, sifted: Sifted) -> tuple[int, list[Damage]]:
    """Apply every whole record that is later than the snapshot; return how many these were, and what is not whole."""
    if not files.journal.exists():
        return 0, [Damage("the whole file, which is missing", 0)]
    with files.read_lines(files.journal) as lines:
        head = lines.readline()
        try:
            base, faults = read_journal_head(head), []
        except Damage as damage:
            base, faults = None, [damage]
        if base is not None and sifted.sequence < base:
            if not sifted.faults:
                faults.append(Damage(f"records {sifted.sequence + 1} to {base}, which are missing", len(head)))
            sifted.sequence = base
        found = sift_records(lines, len(head))
        if base is None:  # it may have lost only its end, and so hold the first record
            found = chain((record for record in sift_records([head], 0) if isinstance(record, Whole)), found)
        return _apply_whole(found, base, sifted, faults), faults


def _apply_whole(found: Iterator[Whole | Damage], base: int | None, sifted: Sifted, faults: list[Damage]) -> int:
    """Apply in their order the records that are later than the snapshot, naming each gap that no damage explains."""
    snapshot, records = sifted.sequence, 0
    last, explained = base or 0, base is None
    for record in found:
        if isinstance(record, Damage):
            faults.append(record)
            explained = True
        elif record.number <= last:
            faults.append(Damage(f"record {record.number}, which stands out of its order", record.byte))
        else:
            if record.number > last + 1 and not explained:
                faults.append(Damage(f"records {last + 1} to {record.number - 1}, which are missing", record.byte))
            last, explained = record.number, False
            if record.number > snapshot:
                apply_record(record.fields, sifted.tables)
                records += 1
    if last < snapshot - 1 and not faults:
        faults.append(Damage(f"records from {last + 1} on, which are missing (the snapshot is younger)", 0))
    sifted.sequence = max(snapshot, last)
    return records
