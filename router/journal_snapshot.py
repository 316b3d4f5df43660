"""The snapshot: all documents in one JSON object that stock TinyDB opens, a document a line, the comma in front.

    {"_journal":{"1":{"format":1,"sequence":42,"written":"2025-03-04T09:30:00+00:00","check":"…"}}
    ,"leads":{
     "1":{…}
    ,"2":{…}
    }
    ,"_checks":{"1":{"sequence":42,"tables":["leads"],"lines":"<8 hex digits a line>","check":"<of this line>"}}}

Job: its layout, written and read; and of a damaged one, what is whole. Pure: takes and gives lines, opens nothing.
Invariants: every byte is covered by a check. A document's check begins with that of its table's line, so that what is
whole can be told line by line, and a document is never taken for one of another table. Documents are not parsed.
"""

from __future__ import annotations

import json
import re
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

from router.journal_documents import Tables, put, quoted, unquoted
from router.journal_lines import FORMAT, Damage, NewerFormat

_HEAD_START = b'{"_journal":{"1":'
_CHECKS_START = b',"_checks":{"1":'
_DOCUMENT_START = re.compile(rb'[ ,]"(\d+)":(?=\{)')
_TABLE_START = re.compile(rb',("(?:[^"\\]|\\.)*"):\{\n')
_CLOSE = b"}\n"


@dataclass(frozen=True, slots=True)
class Head:
    """The first line: the last record that the snapshot holds, and when it was written (aware UTC)."""

    sequence: int
    written: datetime | None


@dataclass(frozen=True, slots=True)
class Checks:
    """The last line: what every line before it must add up to."""

    sequence: int
    tables: tuple[str, ...]
    lines: array[int]


def snapshot_lines(tables: Tables, sequence: int, written: datetime) -> Iterator[bytes]:
    """A whole snapshot as of record `sequence`."""
    about = {"format": FORMAT, "sequence": sequence, "written": written.isoformat(timespec="seconds")}
    head = _sealed(_HEAD_START, about, b"}}\n")
    checks = array("I", [crc32(head)])
    yield head
    for table, documents in tables.items():
        opening = _table_line(table)
        seed = crc32(opening)
        checks.append(seed)
        yield opening
        comma = b" "
        for key, raw in documents.items():
            line = b'%s"%d":%s\n' % (comma, key, raw)
            checks.append(crc32(line, seed))
            yield line
            comma = b","
        checks.append(crc32(_CLOSE))
        yield _CLOSE
    yield _checks_line(sequence, list(tables), checks)


def read_snapshot(lines: Iterable[bytes]) -> tuple[Head, Tables]:
    """The whole snapshot. No lines at all are an empty store. Raises Damage, NewerFormat.

    Where the damage is would be costly to know on every start: `find_damage` looks for it.
    """
    lines = iter(lines)
    first = next(lines, None)
    if first is None:
        return Head(0, None), {}
    head = read_head(first)
    if head is None:
        raise Damage("its first line", 0)
    tables: Tables = {}
    seen = array("I", [crc32(first)])
    try:
        last = _read_tables(lines, tables, seen)
    except (ValueError, IndexError, RecursionError) as error:
        raise Damage("a line", 0) from error
    checks = read_checks(last)
    if checks is None or checks.lines != seen or checks.sequence != head.sequence or next(lines, None) is not None:
        raise Damage("a line", 0)
    return head, tables


def _read_tables(lines: Iterator[bytes], tables: Tables, seen: array[int]) -> bytes:
    """Fill `tables` and the checks `seen`; return the first line after all tables. The inner loop is a start's cost."""
    for line in lines:
        if line.startswith(_CHECKS_START):
            return line
        seed = crc32(line)
        seen.append(seed)
        documents = tables[unquoted(line[1:-3])] = {}
        for row in lines:
            if row[0] == 0x7D:  # the brace that closes the table
                seen.append(crc32(row))
                break
            seen.append(crc32(row, seed))
            cut = row.index(b":")
            documents[int(row[2 : cut - 1])] = row[cut + 1 : -1]
    return b""


def _table_line(table: str) -> bytes:
    return b",%s:{\n" % quoted(table)


def _sealed(start: bytes, values: dict[str, Any], end: bytes) -> bytes:
    """A line that holds `values` and a check of its own."""
    text = json.dumps(values, separators=(",", ":")).encode()[:-1]
    return b'%s%s,"check":"%08x"%s' % (start, text, crc32(text), end)


def _unsealed(line: bytes, start: bytes, end: bytes) -> dict[str, Any] | None:
    text, _, tail = line[len(start) :].rpartition(b',"check":')
    if not line.startswith(start) or tail != b'"%08x"%s' % (crc32(text), end):
        return None
    values: dict[str, Any] = json.loads(text + b"}")
    return values


def read_head(line: bytes) -> Head | None:
    """The first line read; None when it is not whole. Raises NewerFormat."""
    values = _unsealed(line, _HEAD_START, b"}}\n")
    if values is None:
        return None
    if values["format"] > FORMAT:
        raise NewerFormat
    return Head(values["sequence"], datetime.fromisoformat(values["written"]))


def _checks_line(sequence: int, tables: list[str], checks: array[int]) -> bytes:
    values = {"sequence": sequence, "tables": tables, "lines": _little(checks).tobytes().hex()}
    return _sealed(_CHECKS_START, values, b"}}}\n")


def read_checks(line: bytes) -> Checks | None:
    """The last line read, also where the line before it has lost its end; None when it is not whole."""
    values = _unsealed(line[max(0, line.find(_CHECKS_START)) :], _CHECKS_START, b"}}}\n")
    if values is None:
        return None
    return Checks(values["sequence"], tuple(values["tables"]), _little(array("I", bytes.fromhex(values["lines"]))))


def _little(checks: array[int]) -> array[int]:
    """The same in little-endian order, which the file has on every machine; on most it is the same array."""
    if sys.byteorder == "big":
        checks = array("I", checks)
        checks.byteswap()
    return checks


# --- damaged snapshots


@dataclass(slots=True)
class Sifted:
    """What is whole in a damaged snapshot, and what is not."""

    sequence: int = 0
    tables: Tables = field(default_factory=dict)
    faults: list[Damage] = field(default_factory=list)


Found = tuple[str, int, bytes]
"""A document: its table, number and JSON bytes."""


class _Checked:
    """Tells whole lines by the checks of the last line, wherever they now stand."""

    def __init__(self, checks: Checks) -> None:
        self.table = ""
        self.expected = frozenset(checks.lines)
        self.seeds = [(table, crc32(_table_line(table))) for table in checks.tables]

    def is_frame(self, line: bytes) -> bool:
        """Whether the line is whole and holds no document; remembers the table that it opens."""
        if crc32(line) not in self.expected:
            return False
        self.table = _opened(line) or self.table
        return True

    def document(self, line: bytes) -> Found | None:
        """The document of a whole line."""
        for table, seed in self.seeds:
            if crc32(line, seed) in self.expected:
                return _as_document(table, line)
        return None


class _Unchecked:
    """Tells documents by their being JSON, below the line of their table; all that is left when the checks are lost."""

    def __init__(self) -> None:
        self.table = ""

    def is_frame(self, line: bytes) -> bool:
        opened = _opened(line)
        self.table = opened or self.table
        return bool(opened) or line == _CLOSE

    def document(self, line: bytes) -> Found | None:
        found = _as_document(self.table, line)
        try:
            return found if found and found[0] and isinstance(json.loads(found[2]), dict) else None
        except (ValueError, RecursionError):
            return None


def _opened(line: bytes) -> str:
    match = _TABLE_START.fullmatch(line)
    return unquoted(match[1]) if match else ""


def _as_document(table: str, line: bytes) -> Found | None:
    match = _DOCUMENT_START.match(line)
    return (table, int(match[1]), line[match.end() : -1]) if match else None


def sift_snapshot(lines: Iterable[bytes], checks: Checks | None) -> Sifted:
    """All documents that are whole. Without `checks`, those that can be read at all. Raises NewerFormat."""
    sieve = _Checked(checks) if checks else _Unchecked()
    sifted = Sifted(checks.sequence if checks else 0)
    byte = count = 0
    for line in lines:
        if byte == 0:
            sifted.sequence = _sifted_head(line, sifted)
        elif not line.startswith(_CHECKS_START):
            _sift_line(line, byte, sieve, sifted)
        byte += len(line)
        count += 1
    if checks is None:
        sifted.faults.append(Damage("its last line, by which the others are checked", byte))
    elif count <= len(checks.lines) and not sifted.faults:
        sifted.faults.append(Damage(f"{len(checks.lines) + 1 - count} lines, which are missing", byte))
    return sifted


def find_damage(lines: Iterable[bytes], checks: Checks | None) -> Damage:
    """The first fault in a snapshot that `read_snapshot` refused. `checks` are those of its last line."""
    faults = sift_snapshot(lines, checks).faults
    return faults[0] if faults else Damage("the order of its lines", 0)


def _sifted_head(line: bytes, sifted: Sifted) -> int:
    head = read_head(line)
    if head is None:
        sifted.faults.append(Damage("its first line", 0))
    return sifted.sequence or (head.sequence if head else 0)


def _sift_line(line: bytes, byte: int, sieve: _Checked | _Unchecked, sifted: Sifted) -> None:
    """Keep what is whole in a line, or in the two of one whose end was damaged, so that it holds the next one too."""
    if sieve.is_frame(line):
        return
    found = [sieve.document(line)]
    if found[0] is None:
        match = _DOCUMENT_START.match(line)
        what = f"document {int(match[1])} of {sieve.table}" if match else "a line between documents"
        sifted.faults.append(Damage(what, byte))
        found = _around_a_lost_line_end(line, sieve)
    for document in found:
        if document is not None:
            put(sifted.tables, *document)


def _around_a_lost_line_end(line: bytes, sieve: _Checked | _Unchecked) -> list[Found | None]:
    """The documents of two lines that have become one: a document and the next, or a table's last and its brace."""
    for match in _DOCUMENT_START.finditer(line, 1):
        second = sieve.document(line[match.start() :])
        if second is not None:
            return [sieve.document(line[: match.start() - 1] + b"\n"), second]
    return [sieve.document(line[:-3] + b"\n")]
