"""What a winmail.dat holds.

Job: read the subject, the body and the files out of Outlook's transport format (MS-OXTNEF, MS-OXCDATA). Core: pure,
never raises; what is broken is read as far as it goes. Leaves out recipients, calendars and Outlook's own properties.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from router.charset import decode
from router.rtf import read_rtf, unpack_rtf

MAX_ATTRIBUTES = 5_000
MAX_PROPERTIES = 5_000
MAX_FILES = 100

_SIGNATURE = b"\x78\x9f\x3e\x22"
_CODEPAGE, _SUBJECT, _BODY, _MESSAGE = 0x9007, 0x8004, 0x800C, 0x9003
_FILE_BEGINS, _FILE_TITLE, _FILE_DATA, _FILE = 0x9002, 0x8010, 0x800F, 0x9005

_PR_SUBJECT, _PR_BODY, _PR_HTML, _PR_RTF, _PR_CODEPAGE = 0x0037, 0x1000, 0x1013, 0x1009, 0x3FDE
_PR_DATA, _PR_NAME, _PR_LONG_NAME, _PR_TYPE = 0x3701, 0x3704, 0x3707, 0x370E
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0xA: 4, 0xB: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_STRING, _UNICODE, _BINARY, _OBJECT = 0x1E, 0x1F, 0x102, 0xD
_MANY = 0x1000


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file inside a winmail.dat."""

    name: str = ""
    content_type: str = ""
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Packed:
    """A winmail.dat. Of `text` and `html` at most one is needed: `html` is the body where there is one."""

    subject: str = ""
    text: str = ""
    html: str = ""
    files: tuple[PackedFile, ...] = ()


def read_tnef(data: bytes) -> Packed | None:
    """What `data` holds, None when it is no TNEF stream or holds nothing that can be read."""
    if not data.startswith(_SIGNATURE):
        return None
    found = Packed()
    files: list[PackedFile] = []
    charset = "cp1252"
    for kind, value in _attributes(data):
        if kind == _CODEPAGE:
            charset = f"cp{int.from_bytes(value[:4], 'little')}"
        elif kind == _SUBJECT:
            found = replace(found, subject=_string(value, charset))
        elif kind == _BODY:
            found = replace(found, text=_string(value, charset))
        elif kind == _MESSAGE:
            found = _with_body(found, dict(_properties(value)), charset)
        elif kind == _FILE_BEGINS and len(files) < MAX_FILES:
            files.append(PackedFile())
        elif files and kind in (_FILE_TITLE, _FILE_DATA, _FILE):
            files[-1] = _with_file(files[-1], kind, value, charset)
    found = replace(found, files=tuple(file for file in files if file.content))
    return None if found == Packed() else found


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, value) of each attribute of the stream."""
    at = 6
    for _ in range(MAX_ATTRIBUTES):
        if at + 9 > len(data):
            return
        kind = int.from_bytes(data[at + 1 : at + 3], "little")
        size = int.from_bytes(data[at + 5 : at + 9], "little")
        yield kind, data[at + 9 : at + 9 + size]
        at += 9 + size + 2  # a checksum ends it


def _properties(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """(property, (type, value)) of each MAPI property; of one with many values the first."""
    at = 4
    for _ in range(min(int.from_bytes(data[:4], "little"), MAX_PROPERTIES)):
        kind, name = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
        at = _after_name(data, at + 4) if name >= 0x8000 else at + 4
        base = kind & ~_MANY
        is_sized = base in (_STRING, _UNICODE, _BINARY, _OBJECT)
        count = 1
        if is_sized or kind & _MANY:
            count = int.from_bytes(data[at : at + 4], "little")
            at += 4
        if base not in _FIXED and not is_sized:
            return  # its size is not known, and so where the next one begins
        for number in range(count):
            if at >= len(data):
                return
            size = _FIXED.get(base, 0)
            if is_sized:
                size = int.from_bytes(data[at : at + 4], "little")
                at += 4
            if not number:
                yield name, (base, data[at : at + size])
            at += (size + 3) & ~3


def _after_name(data: bytes, at: int) -> int:
    """Behind the name of a named property: a GUID, and a number or a string."""
    kind = int.from_bytes(data[at + 16 : at + 20], "little")
    if kind == 0:
        return at + 24
    size = int.from_bytes(data[at + 20 : at + 24], "little")
    return at + 24 + ((size + 3) & ~3)


def _with_body(found: Packed, properties: dict[int, tuple[int, bytes]], charset: str) -> Packed:
    if _PR_CODEPAGE in properties:
        charset = f"cp{int.from_bytes(properties[_PR_CODEPAGE][1][:4], 'little')}"
    text = _value(properties, _PR_BODY, charset) or found.text
    html = _value(properties, _PR_HTML, charset)
    if _PR_RTF in properties and not html and not text:
        body, is_html = read_rtf(unpack_rtf(properties[_PR_RTF][1]))
        text, html = ("", body) if is_html else (body, "")
    return replace(found, subject=_value(properties, _PR_SUBJECT, charset) or found.subject, text=text, html=html)


def _with_file(file: PackedFile, kind: int, value: bytes, charset: str) -> PackedFile:
    if kind == _FILE_TITLE:
        return file if file.name else replace(file, name=_string(value, charset))
    if kind == _FILE_DATA:
        return replace(file, content=value)
    properties = dict(_properties(value))
    name = _value(properties, _PR_LONG_NAME, charset) or file.name or _value(properties, _PR_NAME, charset)
    data_kind, data = properties.get(_PR_DATA, (0, b""))
    if data_kind == _OBJECT:
        data = data[16:]  # behind the interface's id
    content_type = _value(properties, _PR_TYPE, charset).lower()
    return PackedFile(name, content_type or file.content_type, file.content or data)


def _value(properties: dict[int, tuple[int, bytes]], name: int, charset: str) -> str:
    kind, value = properties.get(name, (0, b""))
    return _string(value, "utf-16-le" if kind == _UNICODE else charset)


def _string(value: bytes, charset: str) -> str:
    if charset == "utf-16-le":
        return value.decode("utf-16-le", "replace").partition("\0")[0]
    return decode(value.rstrip(b"\0"), charset)
