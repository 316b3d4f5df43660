"""The header block of a mail: where it ends, its fields, and what their values say.

Job: split a block into fields however it is broken (RFC 5322 section 2.2, and the mails that never read it), and
decode encoded words (RFC 2047), parameters (RFC 2045, RFC 2231), message ids and dates. Addresses have their own
module. Core: pure, never raises. Invariant: every loop and regular expression is linear in a block of at most 64 kB.
Leaves out what a field means for the router.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from router.charset import STATEFUL, codec, decode

MAX_BLOCK = 64 * 1024  # bytes of a header block that are read
MAX_VALUE = 8 * 1024  # characters of one field
MAX_FIELDS = 2000
MAX_IDS = 200

_BLOCK_END = re.compile(rb"\n\r*\n")
_EMPTY_LINE = re.compile(rb"\r*\n|\r")
_FIELD_NAME = re.compile(r"[!-9;-~]{1,200}[ \t]*", re.ASCII)
_MAIL_FIELD = re.compile(
    r"(?i)(?:from|to|cc|bcc|subject|date|sender|reply-to|return-path|received|message-id|in-reply-to|references"
    r"|mime-version|content-[a-z-]+|x-[a-z0-9_-]+|dkim-signature|list-[a-z]+|precedence|delivered-to|importance"
    r"|thread-[a-z]+|user-agent|organization|auto-submitted|arc-[a-z-]+|authentication-results)[ \t]*:"
)
_CHARSET = re.compile(rb"(?i)\bcharset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})")
_TWO_BYTE = ("gb18030", "cp949", "cp950", "euc_jp")
_LONE_BYTE = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?:[\x80-\xff]{2})*(?![\x80-\xff])")
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)))
_BREAKS = {10: " ", 13: " "}
# The text of a word may hold a stray "?", but never the opening of another word.
_WORD = re.compile(
    r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,40})?\?([bq])\?((?:(?!=\?[^?\s]{1,60}\?[bq]\?).){0,2000}?)\?=", re.I | re.S
)
_ID = re.compile(r"<([^<>]{1,998})>")
_COMMENT = re.compile(r"\([^()]*\)")
_SPACED_COLON = re.compile(r"\s*+:\s*")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_TOKEN = re.compile(r"[\s\"]*+[\w!#$&^.+-]{1,100}+(?:\s*+/\s*+[\w!#$&^.+-]{1,100}+)?(?!\s*=)")
_PARAMETER = re.compile(r"(?:^|[;\s])([^\s;=\"*]{1,60})(?:\*(\d{1,3}))?(\*)?\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"?|([^;]*))")
_ABSENT = [""]
_SPACED = ("name", "filename", "boundary")  # may hold spaces although they are not quoted


@dataclass(frozen=True, slots=True)
class Headers:
    """The header block in order, as (lower-case name, unfolded raw value) pairs; a value is decoded when asked for."""

    items: tuple[tuple[str, str], ...] = ()
    _values: dict[str, list[str]] = field(init=False, repr=False, compare=False)  # by name

    def __post_init__(self) -> None:
        values: dict[str, list[str]] = {}
        for name, value in self.items:
            values.setdefault(name, []).append(value)
        object.__setattr__(self, "_values", values)

    def get(self, name: str) -> str:
        """The first value of `name` (lower-case), raw and unfolded; `""` when absent."""
        return self._values.get(name, _ABSENT)[0]

    def get_all(self, name: str) -> tuple[str, ...]:
        """Every value of `name` (lower-case), in order."""
        return tuple(self._values.get(name, ()))

    def __contains__(self, name: object) -> bool:
        return name in self._values


def split_headers(raw: bytes, start: int = 0, end: int | None = None) -> tuple[Headers, int]:
    """The fields at the top of `raw[start:end]`, and where the body begins.

    A body that follows without an empty line is found. Lines that are no fields, but stand between fields, belong
    to the field above: some clients wrap without indenting. A "From " line of an mbox is passed over.
    """
    end = len(raw) if end is None else end
    newline = _newline(raw, start, end)
    block_end, body = _block_end(raw, start, end, newline.encode())
    text = raw[start : min(block_end, start + MAX_BLOCK)].decode("utf-8", "surrogateescape")
    lines = text.split(newline)
    if block_end > start + MAX_BLOCK and len(lines) > 1:
        lines.pop()  # cut in the middle: neither a field nor the beginning of the body
    fields, used = _fields(lines)
    if used < len(lines):
        body = min(end, start + len(newline.join([*lines[:used], ""]).encode("utf-8", "surrogateescape")))
    if not text.isascii() or "\0" in text:
        charsets = _charsets(raw, start, body, end)
        fields = [(name, _redecoded(value, charsets)) for name, value in fields]
    return Headers(tuple(fields)), body


def _newline(raw: bytes, start: int, end: int) -> str:
    """Almost always LF. CR where there is no LF, or where the first line ends in a bare CR and a field follows."""
    line_end = min(end, start + MAX_BLOCK)
    feed = raw.find(b"\n", start, line_end)
    first = raw[start : line_end if feed < 0 else feed].rstrip(b"\r")
    cr = first.find(b"\r")
    if feed < 0:
        return "\r" if cr >= 0 else "\n"
    return "\r" if cr >= 0 and _MAIL_FIELD.match(first[cr + 1 : cr + 80].decode("latin-1")) else "\n"


def _block_end(raw: bytes, start: int, end: int, newline: bytes) -> tuple[int, int]:
    """Where the fields end and where the body begins: at the first line that is empty, not merely blank."""
    lead = _EMPTY_LINE.match(raw, start, end)
    if lead:
        return start, lead.end()
    if newline == b"\r":
        at = raw.find(b"\r\r", start, end)
        return (end, end) if at < 0 else (at, at + 2)
    found = _BLOCK_END.search(raw, start, end)
    return (found.start(), found.end()) if found else (end, end)


def _fields(lines: list[str]) -> tuple[list[tuple[str, str]], int]:
    """(lower-case name, unfolded value) pairs, and how many lines they took: fewer than all if a body follows."""
    fields: list[tuple[str, list[str]]] = []
    last = None  # line with a well-known field: what is before it is not yet the body
    for number, line in enumerate(lines):
        if line[:1] in (" ", "\t") or not line:
            if fields:
                fields[-1][1].append(line)
            continue
        name, colon, value = line.partition(":")
        if colon and _FIELD_NAME.fullmatch(name):
            if len(fields) < MAX_FIELDS:
                fields.append((name.rstrip(" \t").lower(), [value]))
        else:
            if last is None:
                last = max((at for at in range(number, len(lines)) if _MAIL_FIELD.match(lines[at])), default=-1)
            if number > last and not line.startswith(("From ", ">From ")):
                return _unfolded(fields), number
            if fields:
                fields[-1][1].append(line)
    return _unfolded(fields), len(lines)


def _unfolded(fields: list[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    unfolded = []
    for name, lines in fields:
        value = lines[0].strip() if len(lines) == 1 else " ".join(map(str.strip, lines)).strip()
        if "\r" in value or "\n" in value:
            value = value.translate(_BREAKS)
        unfolded.append((name, value[:MAX_VALUE]))
    return unfolded


def _charsets(raw: bytes, start: int, body: int, end: int) -> list[str]:
    """The charsets that the mail names for its texts; raw 8-bit headers are mostly in one of them."""
    windows = raw[start : min(body, start + MAX_BLOCK)], raw[body : min(end, body + MAX_BLOCK)]
    labels = dict.fromkeys(label.decode("ascii") for window in windows for label in _CHARSET.findall(window)[:20])
    known = (("euc_jp" if codec(label).startswith("iso2022_jp") else codec(label)) for label in labels)
    return [name for name in known if name not in ("", "utf-8", *STATEFUL)]


def _redecoded(value: str, charsets: list[str]) -> str:
    """A value that is not UTF-8 read in a charset of the mail; NUL stays visible, so that no address hides in it."""
    value = value.replace("\0", "\ufffd")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        data = value.encode("utf-8", "surrogateescape")
        asian = (name for name in charsets if name in _TWO_BYTE and not _LONE_BYTE.search(data))
        return decode(data, next(asian, "") or next(iter(charsets), ""))
    return value


def decode_words(value: str) -> str:
    """`value` on one line with its encoded words decoded (RFC 2047); what cannot be decoded stays as it is."""
    if "=?" in value:
        value = _decoded(value)
    elif "\x1b$" in value and value.isascii():  # Japanese mail before MIME
        value = decode(value.encode("ascii"), "iso-2022-jp")
    return " ".join(value.split()).translate(_CONTROLS)


def _decoded(value: str) -> str:
    """Neighbouring words of one charset are joined before decoding: senders cut characters in two."""
    out: list[str] = []
    run: list[tuple[str, str, str]] = []
    place = 0
    for word in _WORD.finditer(value):
        gap = value[place : word.start()]
        place = word.end()
        charset, encoding, text = word[1].lower(), word[2].lower(), word[3]
        if run and (gap.strip() or run[0][:2] != (charset, encoding)):
            out.append(_decoded_run(run))
            run = []
            out.append(gap if gap.strip() else "")
        elif not run:
            out.append(gap)
        run.append((charset, encoding, text))
    if run:
        out.append(_decoded_run(run))
    return "".join([*out, value[place:]])


def _decoded_run(run: list[tuple[str, str, str]]) -> str:
    charset, encoding, _ = run[0]
    texts = [_word_bytes(text, charset) for _, _, text in run]
    if encoding == "q":
        return decode(b"".join(binascii.a2b_qp(text, header=True) for text in texts), charset)
    if all(len(text) % 4 == 0 for text in texts):
        return decode(b"".join(map(decode_base64, texts)), charset)
    return decode(decode_base64(b"".join(text.rstrip(b"=") for text in texts)), charset)


def _word_bytes(text: str, charset: str) -> bytes:
    """The bytes of an encoded word; raw 8-bit letters in it, which nothing allows, are taken to be in its charset."""
    try:
        return text.encode("ascii" if text.isascii() else codec(charset) or "utf-8")
    except (UnicodeError, LookupError):
        return text.encode("utf-8", "replace")


def decode_base64(data: bytes | memoryview) -> bytes:
    """`data` decoded as far as it is base64: strange characters are passed over, missing padding is supplied."""
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        letters = bytes(data).translate(None, _NOT_BASE64)
        letters = letters[: len(letters) - (len(letters) % 4 == 1)]
        return binascii.a2b_base64(letters + b"==")


def read_ids(value: str) -> tuple[str, ...]:
    """The message ids in a Message-ID, In-Reply-To or References value, each in its angle brackets."""
    if "<" not in value:  # some clients leave the brackets out; In-Reply-To was prose once
        words = value.split()
        return tuple(f"<{word}>" for word in words[:1] if "@" in word or len(words) == 1)
    found = (f"<{''.join(inner.split())}>" for inner in _ID.findall(value))
    return tuple(dict.fromkeys(one for one in found if one != "<>"))[:MAX_IDS]


def read_date(value: str) -> datetime | None:
    """The moment in a Date value as aware UTC; None when it says none, or an impossible one."""
    value = _SPACED_COLON.sub(":", _COMMENT.sub(" ", value[:200]))
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, LookupError, ArithmeticError):
            continue
    return None


@lru_cache(maxsize=256)
def read_parameters(value: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The lower-case value of a Content-Type or Content-Disposition header, and its parameters (RFC 2045, RFC 2231).

    Names are lower-case and given once; the first of a repeated parameter counts.
    """
    head = _TOKEN.match(value)
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, str]]] = {}
    for name, number, star, quoted, bare in _PARAMETER.findall(value, head.end() if head else 0):
        name = name.lower()
        text = quoted.replace("\\\\", "\\").replace('\\"', '"') or bare.strip()
        if bare and name not in _SPACED:  # a missing semicolon, or a comment
            text = text.partition(" ")[0]
        if number or star:
            pieces.setdefault(name, {}).setdefault(int(number or 0), (bool(star), text))
        else:
            plain.setdefault(name, text)
    plain |= {name: _joined(found) for name, found in pieces.items()}
    return (re.sub(r"[\s\"]", "", head[0]).lower() if head else ""), tuple(plain.items())


def _joined(pieces: dict[int, tuple[bool, str]]) -> str:
    """The pieces of a parameter in order, percent-decoded where they say so (RFC 2231 sections 3 and 4)."""
    charset = ""
    data = b""
    for number in sorted(pieces):
        is_encoded, text = pieces[number]
        if is_encoded and number == min(pieces) and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        data += unquote_to_bytes(text) if is_encoded else text.encode("utf-8", "replace")
    return decode(data, charset)
