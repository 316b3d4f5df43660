"""What an Outlook file (.msg) holds: who wrote the mail in it, what about, when, and its text.

Job: `read_msg` turns such a file, attached by somebody who drags a mail out of Outlook, into the bytes of a plain mail,
which `message.py` reads like any other. The file is a compound file (MS-CFB) whose streams are the mail's properties
(MS-OXMSG). Core: pure, never raises. Bounded: no chain of sectors is followed further than the file is long, and of
each property at most MAX_VALUE bytes are read. Leaves out recipients and files inside.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from router.charset import decode
from router.rtf import read_rtf, unpack_rtf

MAX_FILE = 20 * 1024 * 1024  # bytes of a file that is opened
MAX_VALUE = 512 * 1024  # bytes of one property
MAX_ENTRIES = 20_000  # of the directory: each recipient and each file has some thirty

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NO_MORE = 0xFFFFFFFA  # sector numbers from here on mean an end, or a sector that holds a table
_NONE = 0xFFFFFFFF
_ROOT, _STREAM = 5, 2
_PREFIX = "__substg1.0_"

# MS-OXPROPS. Addresses of colleagues are Exchange's own ("/O=…") in the first of a pair, SMTP's in the second.
_SUBJECT, _HEADERS, _CODEPAGE = 0x0037, 0x007D, 0x3FFD
_BODY, _HTML, _RTF = 0x1000, 0x1013, 0x1009
_AUTHOR_NAMES, _AUTHOR_ADDRESSES = (0x0042, 0x0C1A), (0x5D02, 0x5D01, 0x0065, 0x0C1F)
_MOMENTS = (0x0039, 0x0E06)  # handed in by the author; delivered


def read_msg(data: bytes) -> bytes | None:
    """The mail in `data` as the bytes of a plain mail; None when `data` is no Outlook file or names no author."""
    if not data.startswith(SIGNATURE) or not 1024 <= len(data) <= MAX_FILE:
        return None
    values = _Properties(dict(_File(data).streams()))
    address = next(filter(_is_address, map(values.text, _AUTHOR_ADDRESSES)), "") or _author(values.text(_HEADERS))
    if not address:
        return None
    name = next(filter(None, map(values.text, _AUTHOR_NAMES)), "")
    kind, text = values.body()
    moment = values.moment()
    head = [
        f"From: {_word(name)} <{address}>",
        f"Subject: {_word(values.text(_SUBJECT))}",
        *([f"Date: {format_datetime(moment)}"] if moment else []),
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: base64",
    ]
    return "\r\n".join([*head, "", ""]).encode() + base64.encodebytes(text.encode("utf-8", "replace"))


def _word(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text[:500].encode('utf-8', 'replace')).decode()}?=" if text else ""


def _is_address(value: str) -> bool:
    local, _, domain = value.partition("@")
    return bool(local) and "." in domain and len(value) < 255 and not set(value) & set(' <>,;:"\\()/\r\n')


def _author(headers: str) -> str:
    """The address in the From of the headers with which the mail came over the network."""
    for line in headers[:64_000].splitlines():
        if line[:5].lower() == "from:":
            address = line[5:].rpartition("<")[2].rstrip("> ").strip()
            return address if _is_address(address) else ""
    return ""


@dataclass(frozen=True, slots=True)
class _Properties:
    """The streams of a message, by their names."""

    streams: dict[str, bytes]

    def text(self, name: int) -> str:
        wide = self.streams.get(f"{_PREFIX}{name:04X}001F")
        if wide is not None:
            return wide.decode("utf-16-le", "replace").partition("\0")[0].strip()
        return self._narrow(self.streams.get(f"{_PREFIX}{name:04X}001E", b""))

    def _narrow(self, value: bytes) -> str:
        page = int.from_bytes(self._fixed(_CODEPAGE)[:4], "little")
        return decode(value.rstrip(b"\0"), "utf-8" if page == 65001 else f"cp{page or 1252}").strip()

    def body(self) -> tuple[str, str]:
        """("plain" or "html", the text)."""
        text = self.text(_BODY)
        if text:
            return "plain", text
        html = self.streams.get(f"{_PREFIX}{_HTML:04X}0102", b"")
        if html:
            return "html", self._narrow(html)
        text, is_html = read_rtf(unpack_rtf(self.streams.get(f"{_PREFIX}{_RTF:04X}0102", b"")))
        return "html" if is_html else "plain", text

    def moment(self) -> datetime | None:
        """When the mail was sent: tenths of microseconds since 1601."""
        for name in _MOMENTS:
            ticks = int.from_bytes(self._fixed(name), "little")
            if 0 < ticks < 2 * 10**17:
                return datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
        return None

    def _fixed(self, name: int) -> bytes:
        """The value of a property of fixed size: they stand in one stream, sixteen bytes each, behind 32 others."""
        table = self.streams.get("__properties_version1.0", b"")[:16_000]
        for at in range(32, len(table) - 15, 16):
            if int.from_bytes(table[at + 2 : at + 4], "little") == name:
                return table[at + 8 : at + 16]
        return b""


class _File:
    """A compound file: sectors chained by a table, and small streams in a stream of their own (MS-CFB 2)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size = 1 << min(max(self._number(30, 2), 9), 12)
        self._cutoff = self._number(56)
        self._sectors = len(data) // self._size
        self._table = self._read_table()
        self._directory = self._chained(self._number(48), MAX_ENTRIES * 128)
        self._small_table = _numbers(self._chained(self._number(60), len(data)))
        self._small = b""

    def _number(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self._data[at : at + size], "little")

    def _sector(self, number: int) -> bytes:
        at = (number + 1) * self._size
        return self._data[at : at + self._size]

    def _read_table(self) -> list[int]:
        """Which sector follows each: the header names the sectors of this table, but for the 110th and on."""
        named = _numbers(self._data[76:512])
        more, seen = self._number(68), 0
        while more < _NO_MORE and seen < self._sectors:
            sector = _numbers(self._sector(more))
            if len(sector) < 2:
                break
            named.extend(sector[:-1])
            more, seen = sector[-1], seen + 1
        table: list[int] = []
        for number in named:
            if number >= _NO_MORE or len(table) > self._sectors:
                break
            table += _numbers(self._sector(number))
        return table

    def _chained(self, first: int, size: int) -> bytes:
        """At most `size` bytes from the chain of sectors that begins at `first`."""
        parts: list[bytes] = []
        for number in _chain(self._table, first, min(size // self._size + 1, self._sectors)):
            parts.append(self._sector(number))
        return b"".join(parts)[:size]

    def streams(self) -> Iterator[tuple[str, bytes]]:
        """(name, content) of each stream of the message itself; those of recipients and files lie deeper."""
        root = self._entry(0)
        if root is None or root.kind != _ROOT:
            return
        self._small = self._chained(root.start, min(root.size, len(self._data)))
        waiting, seen = [root.child], set[int]()
        while waiting and len(seen) < MAX_ENTRIES:
            number = waiting.pop()
            entry = self._entry(number) if number != _NONE and number not in seen else None
            seen.add(number)
            if entry is None:
                continue
            waiting += [entry.left, entry.right]
            if entry.kind == _STREAM:
                yield entry.name, self._content(entry)

    def _content(self, entry: _Entry) -> bytes:
        size = min(entry.size, MAX_VALUE)
        if entry.size >= self._cutoff:
            return self._chained(entry.start, size)
        numbers = _chain(self._small_table, entry.start, size // 64 + 1)
        return b"".join(self._small[number * 64 : number * 64 + 64] for number in numbers)[:size]

    def _entry(self, number: int) -> _Entry | None:
        raw = self._directory[number * 128 : number * 128 + 128]
        if len(raw) < 128:
            return None
        left, right, child = (int.from_bytes(raw[at : at + 4], "little") for at in (68, 72, 76))
        name = raw[: max(0, min(int.from_bytes(raw[64:66], "little"), 64) - 2)].decode("utf-16-le", "replace")
        start, size = int.from_bytes(raw[116:120], "little"), int.from_bytes(raw[120:124], "little")
        return _Entry(name, raw[66], left, right, child, start, size)


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the directory says of a stream or storage: its neighbours among its siblings, its first child and sector."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    start: int
    size: int


def _numbers(data: bytes) -> list[int]:
    return [number for (number,) in struct.iter_unpack("<I", data[: len(data) & ~3])]


def _chain(table: list[int], first: int, most: int) -> Iterator[int]:
    """The sectors of a chain, at most `most`: a broken file may chain them in a ring."""
    for _ in range(most):
        if first >= len(table):
            return
        yield first
        first = table[first]
