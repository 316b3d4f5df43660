"""The journal as lines of text, each of them checked.

Job: its layout, written, replayed, and of a damaged one what is whole. Pure: takes and gives lines, opens nothing.
A line that says what the file is, then a line for each commit, its fields apart by tabs (which JSON never holds outside
of its escapes), so that a document is found without parsing it:

    <crc32> "bun-router journal" <format> <number of the last record before this file>
    <crc32> <length of the rest> <record number> "leads" 2 {…} "seen" 17 {…} "outbox" 9 <nothing: deleted>

Invariant: every byte is covered by a check. Leaves out: when a line is safely on disk (`journal_files.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from router.journal_documents import Tables, put, quoted, unquoted

FORMAT = 1
"""The version of both files' layout. Raise it when an older program would misread them: it then refuses."""

_MAGIC = b"bun-router journal"
_RECORD_START = re.compile(rb"[0-9a-f]{8}\t\d+\t\d+\t")


class Damage(Exception):
    """Something is not as it was written: `what`, and at which `byte` of its file it begins."""

    def __init__(self, what: str, byte: int) -> None:
        super().__init__(f"{what}, byte {byte}")
        self.what = what
        self.byte = byte


class NewerFormat(Exception):
    """The file was written by a later version of this program, in a layout that this one does not know."""


def _sealed(body: bytes) -> bytes:
    return b"%08x\t%s\n" % (crc32(body), body)


def _unsealed(line: bytes) -> bytes | None:
    body = line[9:-1]
    return body if line[-1:] == b"\n" and line[:9] == b"%08x\t" % crc32(body) else None


def journal_head(base: int) -> bytes:
    """The first line of a journal whose first record will be number `base` + 1."""
    return _sealed(b"%s\t%d\t%d" % (_MAGIC, FORMAT, base))


def read_journal_head(line: bytes) -> int:
    """The number before the journal's first record. Raises Damage, NewerFormat."""
    body = _unsealed(line)
    fields = body.split(b"\t") if body is not None else []
    if len(fields) < 3 or fields[0] != _MAGIC:
        raise Damage("its first line", 0)
    if int(fields[1]) > FORMAT:
        raise NewerFormat
    return int(fields[2])


def record_line(number: int, changes: Tables) -> bytes:
    """One commit, over any number of tables, as one line."""
    fields = [b"%d" % number]
    for table, documents in changes.items():
        name = quoted(table)
        for key, raw in documents.items():
            fields += (name, b"%d" % key, raw)
    body = b"\t".join(fields)
    return _sealed(b"%d\t%s" % (len(body), body))


def read_record(line: bytes) -> list[bytes] | None:
    """A whole record's fields: length, number, then table, key and document in turn. None when it is not whole."""
    body = _unsealed(line)
    if body is None or body.startswith(_MAGIC):
        return None
    return body.split(b"\t")


def apply_record(fields: list[bytes], tables: Tables) -> None:
    """Do to `tables` what the record says."""
    for at in range(2, len(fields), 3):
        put(tables, unquoted(fields[at]), int(fields[at + 1]), fields[at + 2])


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal holds: records `base` + 1 to `last` in `size` bytes, then `torn` bytes of one cut short."""

    base: int
    last: int
    size: int
    torn: int


def replay(lines: Iterable[bytes], tables: Tables, sequence: int) -> Replay:
    """Apply to `tables`, which stand at record `sequence`, all later records. Raises Damage, NewerFormat.

    Only the last line may be torn. Numbers must run without a gap, and reach at least to the record before
    `sequence` (that one may have been saved by the snapshot alone): anything else is a file of another time.
    """
    lines = iter(lines)
    head = next(lines, b"")
    base = last = read_journal_head(head)
    if base > sequence:
        raise Damage(
            f"record {sequence + 1}, which is missing (the snapshot is older than the journal, or gone)", len(head)
        )
    size, torn = len(head), 0
    for line in lines:
        fields = None if torn else read_record(line)
        if fields is None:
            if torn or not _may_be_torn(line):
                raise Damage(f"record {last + 1}", size)
            torn = len(line)
            continue
        if int(fields[1]) != last + 1:
            raise Damage(f"record {last + 1}, where record {int(fields[1])} stands", size)
        last, size = last + 1, size + len(line)
        if last > sequence:
            apply_record(fields, tables)
    if last < sequence - 1:
        raise Damage(f"record {last + 1}, which is missing (the journal is older than the snapshot)", size)
    return Replay(base, last, size, torn)


def _may_be_torn(line: bytes) -> bool:
    """Whether a line that is not whole can be one append cut short: never longer than it says it would be."""
    match = re.match(rb"[0-9a-f]{8}\t(\d{1,12})\t", line)
    return match is None or len(line) <= match.end() + int(match[1]) + 1


class Whole(NamedTuple):
    """A record of a damaged journal that is itself whole, and where it begins."""

    byte: int
    number: int
    fields: list[bytes]


def sift_records(lines: Iterable[bytes], byte: int) -> Iterator[Whole | Damage]:
    """What follows the head of a damaged journal, the first of `lines` beginning at `byte`."""
    for line in lines:
        yield from _whole_records(line, byte)
        byte += len(line)


def _whole_records(line: bytes, byte: int) -> Iterator[Whole | Damage]:
    """The record of one line, or those of a line whose end was damaged, so that it may hold the next one too."""
    fields = read_record(line)
    if fields is not None:
        yield Whole(byte, int(fields[1]), fields)
        return
    fields = read_record(line[:-1] + b"\n") or read_record(line + b"\n")
    if fields is not None:
        yield Whole(byte, int(fields[1]), fields)
        yield Damage("the end of a line", byte + len(line) - 1)
        return
    for match in _RECORD_START.finditer(line, 1):
        second = read_record(line[match.start() :])
        if second is not None:
            first = read_record(line[: match.start() - 1] + b"\n")
            yield Whole(byte, int(first[1]), first) if first else _damaged_record(line, byte)
            yield Damage("the end of a line", byte + match.start() - 1)
            yield Whole(byte + match.start(), int(second[1]), second)
            return
    yield _damaged_record(line, byte)


def _damaged_record(line: bytes, byte: int) -> Damage:
    match = re.match(rb"[^\t]*\t\d+\t(\d{1,20})\t", line)
    return Damage(f"record {int(match[1])}" if match else "a record", byte)
