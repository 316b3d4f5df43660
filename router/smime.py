"""What an S/MIME envelope holds, as far as it can be read without keys.

Job: find the content inside a CMS signed-data object (RFC 5652), and tell an encrypted one. A bounded walk over BER;
nothing is verified, so a signature proves nothing here. Core: pure, never raises.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_DEPTH = 16
MAX_ELEMENTS = 2_000  # and one more for every hundred bytes

_SIGNED = bytes.fromhex("2a864886f70d010702")
_ENVELOPED = (
    bytes.fromhex("2a864886f70d010703"),  # enveloped-data
    bytes.fromhex("2a864886f70d010706"),  # encrypted-data
    bytes.fromhex("2a864886f70d0109100117"),  # authenticated-enveloped-data
)
_OCTETS = 0x04
_OID = 0x06
_SEQUENCE = 0x30
_EXPLICIT = 0xA0
_CONSTRUCTED = 0x20


class _Bad(Exception):
    """The bytes are not the BER that was expected."""


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    start: int  # of the contents
    end: int  # of the contents
    after: int  # where the next element begins


@dataclass(slots=True)
class _Reader:
    data: bytes
    left: int

    def element(self, at: int, end: int, depth: int = 0) -> _Element:
        """The element at `at`; the end of one of indefinite length is found by walking it."""
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH or at + 2 > end:
            raise _Bad
        tag, length = self.data[at], self.data[at + 1]
        if tag & 0x1F == 0x1F:
            raise _Bad  # long tags do not occur in CMS
        start = at + 2
        if length == 0x80:
            return self._indefinite(tag, start, end, depth)
        if length > 0x80:
            size = length & 0x7F
            if size > 8 or start + size > end:
                raise _Bad
            length = int.from_bytes(self.data[start : start + size], "big")
            start += size
        return _Element(tag, start, min(start + length, end), min(start + length, end))

    def _indefinite(self, tag: int, start: int, end: int, depth: int) -> _Element:
        at = start
        while at < end and self.data[at : at + 2] != b"\0\0":
            at = self.element(at, end, depth + 1).after
        return _Element(tag, start, at, min(at + 2, end))

    def child(self, parent: _Element, index: int, tag: int) -> _Element:
        """The child number `index` of `parent`, which must have `tag`."""
        at = parent.start
        for _ in range(index):
            at = self.element(at, parent.end).after
        found = self.element(at, parent.end)
        if found.tag != tag:
            raise _Bad
        return found

    def octets(self, element: _Element, depth: int = 0) -> bytes:
        """An octet string, which BER allows to be cut in pieces."""
        if not element.tag & _CONSTRUCTED:
            return self.data[element.start : element.end]
        pieces = []
        at = element.start
        while at < element.end:
            piece = self.element(at, element.end, depth)
            if depth >= MAX_DEPTH or piece.tag & ~_CONSTRUCTED != _OCTETS:
                raise _Bad
            pieces.append(self.octets(piece, depth + 1))
            at = piece.after
        return b"".join(pieces)


def _reader(data: bytes) -> _Reader:
    return _Reader(data, MAX_ELEMENTS + len(data) // 100)


def read_signed(data: bytes) -> bytes | None:
    """The content of a signed-data object, usually a MIME entity; None when it is none or cannot be read."""
    reader = _reader(data)
    try:
        kind, body = _content(reader)
        if kind != _SIGNED:
            return None
        inner = reader.child(reader.child(body, 0, _SEQUENCE), 2, _SEQUENCE)  # version, digestAlgorithms, this
        wrapped = reader.child(inner, 1, _EXPLICIT)
        octets = reader.element(wrapped.start, wrapped.end)
        return reader.octets(octets) if octets.tag & ~_CONSTRUCTED == _OCTETS else None
    except _Bad:
        return None


def is_encrypted(data: bytes) -> bool:
    """Whether the object is readable for the owner of a key only."""
    try:
        return _content(_reader(data))[0] in _ENVELOPED
    except _Bad:
        return False


def _content(reader: _Reader) -> tuple[bytes, _Element]:
    """The type and the contents of a ContentInfo."""
    outer = reader.element(0, len(reader.data))
    kind = reader.child(outer, 0, _OID)
    return reader.data[kind.start : kind.end], reader.child(outer, 1, _EXPLICIT)
