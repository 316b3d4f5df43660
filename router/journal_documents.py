"""Documents in memory: their JSON bytes by table and number, and the changes to be made to them.

Job: what may be a document, a key and a table; changes as callers write them and as the journal keeps them; and the two
ways in which TinyDB looks at a table. Pure. Bytes are parsed each time that somebody asks, so nobody holds live data.
Invariant: all JSON is ASCII on one line (JSON escapes the rest), so that the locale in which somebody opens the files
makes no difference.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

RESERVED = frozenset({"_journal", "_checks"})
"""Tables of the snapshot that are its own."""

Tables = dict[str, dict[int, bytes]]
"""Table name → document number → the document's JSON bytes. As a change, empty bytes delete."""

Document = Mapping[str, Any]

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def dump(document: Document) -> bytes:
    """One document as compact ASCII JSON. Raises TypeError or ValueError for what JSON cannot hold (NaN included)."""
    if not isinstance(document, Mapping):
        raise TypeError(f"a document is a mapping, not {type(document).__name__}")
    return _encode(document if isinstance(document, dict) else dict(document)).encode("ascii")


def checked(raw: bytes) -> bytes:
    """`raw`, a document that the caller has dumped. Raises ValueError where it could not stand in a line.

    Its JSON is not parsed again, which would cost as much as dumping it has saved.
    """
    if raw[:1] != b"{" or raw[-1:] != b"}" or b"\n" in raw or b"\t" in raw or not raw.isascii():
        raise ValueError("a dumped document must be one JSON object in ASCII, without tabs and line ends")
    return raw


def number_of(key: str) -> int:
    """The number that a document's key spells. Raises ValueError unless it is a positive integer below 2**64."""
    if not (key.isascii() and key.isdigit() and key[0] != "0" and len(key) <= 20 and int(key) < 1 << 64):
        raise ValueError(f"{key!r} cannot be a document's key: stock TinyDB wants positive integers")
    return int(key)


@lru_cache(maxsize=256)
def quoted(table: str) -> bytes:
    """A table's name as JSON. Raises ValueError for the names that the store keeps for itself."""
    if not table or table in RESERVED:
        raise ValueError(f"{table!r} cannot be a table's name")
    return json.dumps(table).encode("ascii")


@lru_cache(maxsize=256)
def unquoted(name: bytes) -> str:
    """The table that `quoted` made this of. Raises ValueError for anything else."""
    return str(json.loads(name))


def put(tables: Tables, table: str, key: int, raw: bytes) -> bytes:
    """Store `raw` (delete when empty) and return what it replaces, empty when nothing. Empty tables do not stay."""
    documents = tables.setdefault(table, {})
    before = documents.get(key, b"")
    if raw:
        documents[key] = raw
    else:
        documents.pop(key, None)
        if not documents:
            del tables[table]
    return before


@dataclass(frozen=True, slots=True)
class Change:
    """Documents to put, by table and key, as values or as their dumped JSON; and keys to delete, by table."""

    puts: Mapping[str, Mapping[str, Document | bytes]]
    deletes: Mapping[str, Collection[str]] = field(default_factory=dict)


def merged(changes: Iterable[Change]) -> Tables:
    """Several changes as one, the later winning. Raises ValueError or TypeError for what cannot be stored."""
    result: Tables = {}
    for change in changes:
        for table, documents in change.puts.items():
            target = result.setdefault(table, {})
            for key, document in documents.items():
                target[number_of(key)] = checked(document) if isinstance(document, bytes) else dump(document)
        for table, keys in change.deletes.items():
            if isinstance(keys, str):
                raise TypeError(f"keys to delete come in a collection, not as the string {keys!r}")
            if not set(change.puts.get(table, ())).isdisjoint(keys):
                raise ValueError(f"one change both puts and deletes the same document of {table}")
            result.setdefault(table, {}).update((number_of(key), b"") for key in keys)
    for table in result:
        quoted(table)  # raises for a name that cannot be kept, before anything is written
    return result


class Stored(Mapping[str, dict[str, Any]]):
    """A table as TinyDB reads it: keys are strings, and each document is parsed, anew, when it is asked for."""

    def __init__(self, documents: Mapping[int, bytes]) -> None:
        self._documents = documents

    def __getitem__(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._documents[int(key)])
        return document

    def __iter__(self) -> Iterator[str]:
        return map(str, list(self._documents))

    def __len__(self) -> int:
        return len(self._documents)


class Pending(MutableMapping[int, dict[str, Any]]):
    """A table as TinyDB's updaters change it: copies on access, remembering what was touched and what is gone."""

    def __init__(self, documents: Mapping[int, bytes]) -> None:
        self._documents = documents
        self._touched: dict[int, dict[str, Any]] = {}
        self._gone: set[int] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._touched or (key in self._documents and key not in self._gone)

    def __getitem__(self, key: int) -> dict[str, Any]:
        if key not in self:
            raise KeyError(key)
        if key not in self._touched:
            self._touched[key] = json.loads(self._documents[key])
        return self._touched[key]

    def __setitem__(self, key: int, document: dict[str, Any]) -> None:
        self._touched[key] = document
        self._gone.discard(key)

    def __delitem__(self, key: int) -> None:
        if key not in self:
            raise KeyError(key)
        self._touched.pop(key, None)
        if key in self._documents:
            self._gone.add(key)

    def __iter__(self) -> Iterator[int]:
        yield from (key for key in list(self._documents) if key not in self._gone)
        yield from (key for key in list(self._touched) if key not in self._documents)

    def __len__(self) -> int:
        return len(self._documents) - len(self._gone) + len(self._touched.keys() - self._documents.keys())

    def clear(self) -> None:
        """As inherited, which would begin each deletion at the front again."""
        self._touched.clear()
        self._gone = set(self._documents)

    def changes(self) -> dict[int, bytes]:
        """What is now other than stored, empty bytes for what is gone."""
        dumped = {number_of(str(key)): dump(document) for key, document in self._touched.items()}
        puts = {key: raw for key, raw in dumped.items() if self._documents.get(key) != raw}
        return puts | dict.fromkeys(self._gone, b"")
