"""The mailboxes that an address header names.

Job: RFC 5322 section 3.4 and what mailers make of it: comments, groups, routes, quotes that never close, commas in
names. Core: pure, never raises, linear in the value. Trust rests on `sender`, so where two readers could see two
addresses the reading is marked unclear, nothing is repaired into an address, and letters are never folded into ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from router.headers import Headers, decode_words

MAX_ADDRESSES = 500
MAX_TOKENS = 2000  # of one value: more than its 8 kB hold unless somebody wants to keep us busy
MAX_ADDRESS = 320  # RFC 5321 section 4.5.3.1: 64 for the local part, 255 for the domain


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as a header names it. `address` is lower-case and `""` when there is none; `name` is decoded."""

    name: str
    address: str


# "Kim <kim@example.org>" and "kim@example.org": nearly all there is, read without the scanner. Spaces are single.
_USUAL = re.compile(
    r"(?:(?:\"([^\"\\]*)\"|([^\"<>(),;:@\\]*)) ?<([^ \"<>(),;:@\\\[\]]+@[^ \"<>(),;:@\\\[\]]+)>"
    r"|((?!=\?)[^ \"'<>(),;:@\\\[\]]+@[^ \"'<>(),;:@\\\[\]]+))"
)
_TOKEN = re.compile(r"=\?[^?\s]{1,60}\?[bqBQ]\?[^?]{0,2000}\?=|[^\"<>(),;: =]+|.", re.S)
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*+\"", re.S)
_ANGLE = re.compile(r"<(?:\"[^\"<>]*\"|[^<>\"])*+>")
_COMMENT = re.compile(r"\([^()]*\)")
_QUOTED_LOCAL = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"@([^@]+)", re.S)
_PARENTHESIS = re.compile(r"\\.|[()]", re.S)
_ESCAPE = re.compile(r"\\(.)", re.S)
_ODD = re.compile(r"[\x00-\x20\s\"(),:;<>\\\x7f-\xa0\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufffd]")
_QUOTED_SPACE = "\x01"  # stands for a space that separates no words
_ENCODED_COMMA = re.compile(r"=\?[^?]*\?q\?=2c\?=", re.IGNORECASE)  # some versions of Python's email encode it
_MARKS = {",": "comma", ";": "end", ":": "group"}
_ATOM = re.compile(r"[^\s\"(),:;<>@\[\\\]]+")
_OBSOLETE_SPACE = re.compile(r" ?([@.]) ?")

# What never closed, or closes what never opened.
_UNCLEAR = (("group", ""), ("text", '"'), ("text", "<"), ("text", ">"))

_Token = tuple[str, str]  # (kind, text); kinds: text, quoted, angle, comment, comma, end, group


def read_addresses(*values: str) -> tuple[Address, ...]:
    """The mailboxes, at most 500, that the raw values of an address header name; names without one are left out."""
    return tuple(islice((box for value in values for box, _ in _read(value) if box.address), MAX_ADDRESSES))


def read_sender(headers: Headers) -> tuple[Address, bool]:
    """Who the mail says wrote it, and whether that is ambiguous, so that nothing may be trusted to it.

    The first address of the first From; ambiguous when there are more, when From can be read in two ways, or when
    there is none and the address had to be taken from Reply-To, Sender or Return-Path.
    """
    values = headers.get_all("from")
    boxes = [*_read(values[0])] if values else []
    usable = [(box, is_clear) for box, is_clear in boxes if box.address]
    if usable:
        box, is_clear = usable[0]
        return box, not (is_clear and len(usable) == 1 and len(values) == 1)
    name = boxes[0][0].name if boxes else ""
    others = [*values[1:], *map(decode_words, values), *map(headers.get, ("reply-to", "sender", "return-path"))]
    other = next((box for value in others for box, _ in _read(value) if box.address), Address("", ""))
    return Address(name or other.name, other.address), True


def _read(value: str) -> Iterator[tuple[Address, bool]]:
    """Each mailbox of a value, and whether it can be read in one way only."""
    value = " ".join(value.split())
    usual = _USUAL.fullmatch(value)
    if usual:
        name, bare_name, spec, bare = usual.groups()
        spec = spec or bare
        yield Address(_name(name or bare_name or ""), _lower(spec).rstrip(".")), not _ODD.search(spec)
        return
    for tokens in _mailboxes(value):
        if tokens:
            yield _mailbox(tokens)


def _mailboxes(value: str) -> Iterator[list[_Token]]:
    """The tokens of one mailbox after the other. A comma inside a name without quotes separates nothing."""
    tokens: list[_Token] = []
    has_address = False
    for kind, text in islice(_scan(value), MAX_TOKENS):
        if kind == "group":
            tokens, has_address = [("group", "")], False
        elif kind == "end" or (kind == "comma" and has_address):
            yield tokens
            tokens, has_address = [], False
        else:
            tokens.append((kind, text))
            has_address = has_address or kind == "angle" or (kind == "text" and "@" in text)
    yield tokens


def _scan(value: str) -> Iterator[_Token]:
    """The tokens of a value. What opens and never closes is plain text, and is looked for only once."""
    never_closes: set[str] = set()
    place = 0
    while place < len(value):
        first = value[place]
        kind, end_of = _OPENINGS.get(first, ("", None))
        after = end_of(value, place) if end_of and first not in never_closes else 0
        if after:
            yield kind, value[place + 1 : after - 1]
            place = after
            continue
        never_closes.add(first)
        token = _TOKEN.match(value, place)
        text = token[0] if token else first
        place += len(text)
        if text.startswith("=?"):  # an encoded word is part of a name, never of an address
            yield "comma" if _ENCODED_COMMA.fullmatch(text) else "quoted", text
        else:
            yield _MARKS.get(text, "text"), text


def _quote_end(value: str, place: int) -> int:
    found = _QUOTED.match(value, place)
    return found.end() if found else 0


def _angle_end(value: str, place: int) -> int:
    found = _ANGLE.match(value, place)
    return found.end() if found else 0


def _comment_end(value: str, place: int) -> int:
    """Behind the parenthesis that closes the one at `place`, or 0; comments nest."""
    depth = 0
    for found in _PARENTHESIS.finditer(value, place):
        depth += {"(": 1, ")": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return 0


_OPENINGS: dict[str, tuple[str, Callable[[str, int], int]]] = {
    '"': ("quoted", _quote_end),
    "<": ("angle", _angle_end),
    "(": ("comment", _comment_end),
}


def _mailbox(tokens: list[_Token]) -> tuple[Address, bool]:
    """The address in angle brackets, else the first word with an @; everything else is the name."""
    angles = [text for kind, text in tokens if kind == "angle"]
    if angles:
        words = [text for kind, text in tokens if kind in ("text", "quoted", "comma")]
        address, is_clear = _address(angles[0])
        is_clear = (
            is_clear and len(angles) == 1 and [k for k, t in tokens if k != "comment" and t != " "][-1] == "angle"
        )
    else:
        words, address, is_clear = _bare(tokens)
    if any(token in _UNCLEAR or (token[0] == "comment" and "@" in token[1]) for token in tokens):
        is_clear = False
    name = _name("".join(words)) or _name(" ".join(text for kind, text in tokens if kind == "comment"))
    return Address(name, address), is_clear


def _bare(tokens: list[_Token]) -> tuple[list[str], str, bool]:
    """The words of the name, the address and its clearness, of a mailbox without angle brackets."""
    names: list[str] = []
    spec = ""
    for (kind, text), (_, following) in zip(tokens, [*tokens[1:], ("", "")], strict=True):
        if kind == "quoted" and following.startswith("@"):
            spec += f'"{text.replace(" ", _QUOTED_SPACE)}"'
        elif kind == "quoted":
            names.append(text)
        elif kind in ("text", "comma"):
            spec += text if kind == "text" else " , "
    words = _OBSOLETE_SPACE.sub(r"\1", spec).split()
    with_at = next((word for word in words if "@" in word and len(word) > 1), "")
    bare = with_at.strip("<>") if "@[" in with_at else with_at.strip("<>[]")
    address, is_clear = _address(bare.replace(_QUOTED_SPACE, " "))
    names += [f" {word}" for word in words if word is not with_at]
    return names, address, is_clear and not names


def _address(spec: str) -> tuple[str, bool]:
    """The mailbox `spec` as it is compared, `""` when it is none, and whether it could be read as another."""
    is_plain = "(" not in spec and not spec.startswith("@")
    spec = _OBSOLETE_SPACE.sub(r"\1", _COMMENT.sub(" ", spec)).strip()
    if spec.startswith("@") and ":" in spec:  # a route, RFC 5322 section 4.4
        spec = spec.rpartition(":")[2]
    spec = spec.removeprefix("mailto:")
    if spec[:1] == spec[-1:] == "'":
        spec = spec[1:-1]
    quoted = _QUOTED_LOCAL.fullmatch(spec)
    if quoted:
        inner = _ESCAPE.sub(r"\1", quoted[1])
        spec = f"{inner}@{quoted[2]}" if _ATOM.fullmatch(inner) else spec
    local, _, domain = spec.rpartition("@")
    domain = domain.rstrip(".")
    is_clear = is_plain and (bool(quoted) or ("@" not in local and not _ODD.search(spec)))
    if not local or not domain or len(spec) > MAX_ADDRESS or " " in domain:
        return "", False
    return _lower(f"{local}@{domain}"), is_clear


def _lower(text: str) -> str:
    """Lower-case, but no foreign letter becomes an ASCII one: the Kelvin sign is not the k of a colleague's name."""
    if text.isascii():
        return text.lower()
    return "".join(low if (low := one.lower()).isascii() == one.isascii() else one for one in text)


def _name(text: str) -> str:
    """A display name decoded, without the quotes around it, also those of a quote that never closed."""
    name = decode_words(_ESCAPE.sub(r"\1", text)).strip(", ")
    if name.count('"') == 1:
        name = name.replace('"', "").strip()
    while len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1].strip()
    return name
