"""The MIME tree of a mail: its parts, decoded.

Job: RFC 2045 and 2046 from a body's bytes to a tree of parts with their transfer encoding undone, also for broken
boundaries, wrong labels and encodings that lie; what is packed into a part (S/MIME, winmail.dat, uuencode) becomes
parts of the tree. Core: pure, never raises. Invariants: at most MAX_PARTS parts in MAX_DEPTH levels; an attached mail
is one part and is not walked. Leaves out which part is the text to read.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from router.charset import decode
from router.headers import Headers, decode_base64, decode_words, read_parameters, split_headers
from router.smime import is_encrypted, read_signed
from router.tnef import Packed, read_tnef

MAX_PARTS = 200
MAX_DEPTH = 20
MAX_ENVELOPES = 4  # signatures around signatures
MAX_BOUNDARY_MISSES = 2000  # lines that begin like a boundary and are none, before the search ends
MAX_PACKED = 20 * 1024 * 1024  # bytes of a winmail.dat or of a signed envelope that are opened
MAX_FILES = 20  # uuencoded in one text
MAX_PIECES = 10_000  # of base64, each with its own padding, in one part

ATTACHED_MAIL = frozenset({"message/rfc822", "message/global", "message/news"})
_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_SMIME = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
# Types that senders write for the real ones; anything else that is none is read as text (RFC 2045 section 5.2).
_REPAIRED = {"html": "text/html", "multipart": "multipart/mixed", "application": "application/octet-stream"}
_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+")
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r*\n|\r|\Z)")
_LIKELY_BOUNDARY = re.compile(rb"(?:\A|(?<=\n))--([^\s-][^\s]{0,200})[ \t]*\r*\n")
_SOFT_BREAK = re.compile(rb"=[ \t]+(?=\r?\n)")
_WORDS = re.compile(rb"[A-Za-z]{2} [A-Za-z]{2,20} [A-Za-z]{2}")
_BASE64_LINE = re.compile(rb"\s*+(?:[A-Za-z0-9+/]{4})++(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?[ \t]*+(?:[\r\n]|\Z)")
_ONLY_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")
_UU_BEGIN = re.compile(rb"(?:\A|(?<=\n))begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n(?=[ -`]{2,62}\r?\n)")
_LINE = re.compile(rb"[^\n]+")
_UU_END = re.compile(rb"\nend[ \t]*(?=\r?\n|\Z)")


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of the MIME tree. `content` is the decoded bytes; parts of an attached message are not listed here."""

    content_type: str
    charset: str = ""
    filename: str = ""
    disposition: str = ""
    content: bytes = b""
    params: tuple[tuple[str, str], ...] = ()  # other Content-Type parameters: format=flowed, report-type, …

    def param(self, name: str) -> str:
        """The Content-Type parameter `name` (lower-case), `""` when absent."""
        return next((value for key, value in self.params if key == name), "")

    def text(self) -> str:
        """The content as text in its charset, with its own line ends."""
        return decode(self.content, self.charset)


@dataclass(frozen=True, slots=True)
class Node:
    """A part with the parts inside it; `part.content` is empty where there are children."""

    part: Part
    children: tuple[Node, ...] = ()


@dataclass(slots=True)
class _Walk:
    """One mail's bytes, and what may still be spent on them."""

    raw: bytes
    parts_left: int = MAX_PARTS
    envelopes_left: int = MAX_ENVELOPES
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def read_tree(raw: bytes, headers: Headers, body: int) -> tuple[Node, list[str]]:
    """The tree of the mail whose header block is `headers` and whose body begins at `body`; notes for people."""
    walk = _Walk(raw)
    return _node(walk, headers, body, len(raw), 0, "text/plain"), walk.notes


def leaves(node: Node) -> Iterator[Part]:
    """Every part without parts inside, in order."""
    if not node.children:
        yield node.part
    for child in node.children:
        yield from leaves(child)


def is_mail(part: Part) -> bool:
    """A mail attached whole, also under a name ending in .eml and a type that says nothing."""
    if part.content_type in ATTACHED_MAIL:
        return bool(part.content)
    if not part.filename.lower().endswith(".eml"):
        return False
    headers, _ = split_headers(part.content[: 64 * 1024])
    return sum(name in headers for name in ("from", "to", "subject", "date", "received", "message-id")) >= 2


def _node(walk: _Walk, headers: Headers, start: int, end: int, depth: int, default: str) -> Node:
    walk.parts_left -= 1
    part = _described(headers, default)
    encoding = headers.get("content-transfer-encoding")[:100].lower().strip("\"'; \t").partition(";")[0].split(" ")[0]
    if part.content_type.startswith("multipart/"):
        if depth >= MAX_DEPTH:
            walk.note(f"its parts are nested more than {MAX_DEPTH} deep, and what is deeper was not read")
            return Node(part)
        children = tuple(_children(walk, part, start, end, depth))
        if children:
            return Node(part, children)
        part = replace(part, content_type="text/plain")  # no boundary in it: all there is, is text
    return _leaf(walk, replace(part, content=_transferred(walk.raw, start, end, encoding)), depth)


def _described(headers: Headers, default: str) -> Part:
    """A part by its headers, without content."""
    kind, params = read_parameters(headers.get("content-type"))
    disposition, more = read_parameters(headers.get("content-disposition"))
    known = dict(params)
    filename = dict(more).get("filename") or known.get("name") or ""
    return Part(
        content_type=kind if _TYPE.fullmatch(kind) else _REPAIRED.get(kind, default),
        charset=known.get("charset", "").lower(),
        filename=decode_words(filename),
        disposition=disposition,
        params=tuple(pair for pair in params if pair[0] not in ("charset", "name")),
    )


def _children(walk: _Walk, part: Part, start: int, end: int, depth: int) -> Iterator[Node]:
    boundary = _boundary(walk.raw, part.param("boundary"), start, end)
    if not boundary:
        return
    default = "message/rfc822" if part.content_type == "multipart/digest" else "text/plain"
    for inner_start, inner_end in _ranges(walk.raw, boundary, start, end):
        if walk.parts_left <= 0:
            walk.note(f"it has more than {MAX_PARTS} parts, and the rest was not read")
            return
        inner, body = split_headers(walk.raw, inner_start, inner_end)
        yield _node(walk, inner, body, inner_end, depth + 1, default)


def _boundary(raw: bytes, declared: str, start: int, end: int) -> bytes:
    """The declared boundary when it occurs, else the first line that looks like one; `b""` when there is none."""
    boundary = declared.rstrip(" \t").encode("utf-8", "replace")[:1000]
    if boundary and raw.find(b"--" + boundary, start, end) >= 0:
        return boundary
    found = _LIKELY_BOUNDARY.search(raw, start, min(end, start + 64 * 1024))
    return found[1] if found else b""


def _ranges(raw: bytes, boundary: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each part between the boundaries begins and ends; the last may lack its boundary (RFC 2046 section 5.1)."""
    opened = -1
    for line, after, closes in _delimiters(raw, b"--" + boundary, start, end):
        if opened >= 0:
            yield opened, _without_newline(raw, opened, line)
        opened = after
        if closes:
            return
    if 0 <= opened < end:
        yield opened, end


def _delimiters(raw: bytes, mark: bytes, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """(where the line begins, where the next one begins, whether it closes) of each boundary line."""
    newline = b"\n" if raw.find(b"\n", start, end) >= 0 else b"\r"
    at = start if raw.startswith(mark, start, end) else raw.find(newline + mark, start, end) + 1
    misses = 0
    while at > 0 and misses < MAX_BOUNDARY_MISSES:
        found = _AFTER_BOUNDARY.match(raw, at + len(mark), end)
        if found:
            yield at, found.end(), bool(found[1])
        misses += not found
        at = raw.find(newline + mark, at + len(mark), end) + 1


def _without_newline(raw: bytes, opened: int, line: int) -> int:
    """The end of a part: the newline before a boundary belongs to the boundary."""
    for newline in (b"\r\n", b"\n", b"\r"):
        if raw.endswith(newline, opened, line):
            return line - len(newline)
    return max(opened, line)


# --- what parts pack


def _leaf(walk: _Walk, part: Part, depth: int) -> Node:
    kind, name = part.content_type, part.filename.lower()
    if kind in _TNEF or name == "winmail.dat":
        packed = read_tnef(part.content) if len(part.content) <= MAX_PACKED else None
        return Node(replace(part, content=b""), tuple(_unpacked(packed))) if packed else Node(part)
    if kind in _SMIME or name.endswith(".p7m"):
        return _envelope(walk, part, depth)
    if kind == "text/plain" and part.disposition != "attachment" and b"begin " in part.content:
        return _uuencoded(walk, part)
    return Node(part)


def _unpacked(packed: Packed) -> Iterator[Node]:
    """The parts of a winmail.dat: its text under a name, because it repeats the mail's own where that has one."""
    if packed.html:
        yield Node(Part("text/html", "utf-8", "winmail.dat", content=packed.html.encode("utf-8", "replace")))
    elif packed.text or not packed.files:
        yield Node(Part("text/plain", "utf-8", "winmail.dat", content=packed.text.encode("utf-8", "replace")))
    for file in packed.files:
        kind = file.content_type if _TYPE.fullmatch(file.content_type) else "application/octet-stream"
        yield Node(Part(kind, filename=decode_words(file.name), disposition="attachment", content=file.content))


def _envelope(walk: _Walk, part: Part, depth: int) -> Node:
    """S/MIME: the entity that a signature wraps (RFC 8551 section 3.5.2), or a note that it takes a key."""
    if is_encrypted(part.content):
        walk.note("it is encrypted (S/MIME)")
        return Node(part)
    inner = read_signed(part.content) if walk.envelopes_left and len(part.content) <= MAX_PACKED else None
    if not inner:
        return Node(part)
    headers, body = split_headers(inner)
    inside = _Walk(inner, walk.parts_left, walk.envelopes_left - 1, walk.notes)
    node = _node(inside, headers, body, len(inner), depth + 1, "text/plain")
    walk.parts_left = inside.parts_left
    return Node(replace(part, content=b""), (node,))


def _uuencoded(walk: _Walk, part: Part) -> Node:
    """A text with files in it, as mail was sent before MIME: the text without them, and the files."""
    files: list[Node] = []
    text: list[bytes] = []
    place = 0
    while len(files) < min(walk.parts_left, MAX_FILES):
        found = _uu_file(part.content, place)
        if not found:
            break
        name, content, start, end = found
        text.append(part.content[place:start])
        files.append(Node(Part("application/octet-stream", "", decode(name), "attachment", content)))
        place = end
    if not files:
        return Node(part)
    walk.parts_left -= len(files)
    body = replace(part, content=b"".join([*text, part.content[place:]]))
    return Node(replace(part, content=b""), (Node(body), *files))


# --- transfer encodings


def _transferred(raw: bytes, start: int, end: int, encoding: str) -> bytes:
    """The bytes between `start` and `end` with their transfer encoding undone; what lies about it stays as it is."""
    if encoding in ("base64", "b64", "base-64") and not _is_prose(raw, start, end):
        return _from_base64(raw, start, end)
    data = raw[start:end]
    if encoding in ("quoted-printable", "quotedprintable", "qp"):
        return binascii.a2b_qp(_SOFT_BREAK.sub(b"=", data) if b"= " in data or b"=\t" in data else data)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        found = _uu_file(data, 0)
        return found[1] if found else data
    return data


def _is_prose(raw: bytes, start: int, end: int) -> bool:
    """Words, and a first line that is no base64: the header lies. Words further down may be an appended footer."""
    return bool(_WORDS.search(raw, start, min(end, start + 2048))) and not _BASE64_LINE.match(raw, start, end)


def _from_base64(raw: bytes, start: int, end: int) -> bytes:
    """Base64, also of several pieces each with its own padding; a footer that somebody appended is dropped."""
    padding = raw.find(b"=", start, end)
    rest = raw[padding:end].lstrip(b"= \t\r\n") if padding >= 0 else b""
    if rest and _ONLY_BASE64.fullmatch(rest):
        return b"".join(decode_base64(piece) for piece in raw[start:end].split(b"=", MAX_PIECES) if piece)
    return decode_base64(memoryview(raw)[start:end])


def _uu_file(data: bytes, place: int) -> tuple[bytes, bytes, int, int] | None:
    """(name, content, where it begins, where it ends) of the next uuencoded file, None when there is none."""
    begin = _UU_BEGIN.search(data, place)
    end = _UU_END.search(data, begin.end()) if begin else None
    if not begin or not end:
        return None
    content = bytearray()
    for line in _LINE.finditer(data, begin.end(), end.start()):
        content += _uu_line(line[0])
    return begin[1].strip(), bytes(content), begin.start(), end.end()


def _uu_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line.rstrip(b"\r"))
    except binascii.Error:  # trailing garbage: only what the length at its beginning announces counts
        size = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
        try:
            return binascii.a2b_uu(line[:size])
        except binascii.Error:
            return b""
