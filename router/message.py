"""Bytes to `Message`: what a mail says, read once and read safely.

Job: turn any bytes into a frozen `Message`. Never raises anything but `MessageError`, in bounded time and memory.
Core: no I/O, no clock, no logging. Decides nothing about leads.
"""

from __future__ import annotations

import email
import email.errors
import email.header
import email.message
import email.policy
import email.utils
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from router.htmltext import html_to_text


class MessageError(Exception):
    """The bytes are no mail that can be read; the text says what is wrong. Their fault, never ours."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as a header names it. `address` is lower-case and `""` when there is none; `name` is decoded."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Headers:
    """The header block in order, as (lower-case name, unfolded raw value) pairs; a value is decoded when asked for."""

    items: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """The first value of `name` (lower-case), raw and unfolded; `""` when absent."""
        for key, value in self.items:
            if key == name:
                return value
        return ""

    def get_all(self, name: str) -> tuple[str, ...]:
        return tuple(value for key, value in self.items if key == name)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self.items)


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf of the MIME tree. `content` is the decoded bytes; parts of an attached message are not listed here."""

    content_type: str
    charset: str = ""
    filename: str = ""
    disposition: str = ""
    content: bytes = b""
    params: tuple[tuple[str, str], ...] = ()  # other Content-Type parameters: format=flowed, report-type, …


@dataclass(frozen=True, slots=True)
class Message:
    """A mail as the rest of the router sees it. All times are aware UTC; all text is str without NUL."""

    headers: Headers = field(default_factory=Headers)
    message_id: str = ""  # with its angle brackets, "" when missing
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sender: Address = Address("", "")
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    date: datetime | None = None
    content_type: str = "text/plain"  # of the whole mail
    report_type: str = ""  # of multipart/report
    text: str = ""  # the readable body: text/plain parts, else the HTML as text; "" when nothing is readable
    html: str = ""  # the first HTML body as source, "" when there is none
    parts: tuple[Part, ...] = ()  # every leaf, in order
    attached: tuple[bytes, ...] = ()  # message/rfc822 parts, exact bytes
    note: str = ""  # why nothing, or not all, could be read ("encrypted", "larger than …"), for people
    size: int = 0  # bytes of the mail
    from_ambiguous: bool = False  # several From headers or addresses, or none: `sender` must not be trusted
    from_html: bool = False  # `text` was made from `html`: a reader may cut the HTML tree instead


def _text(data: bytes, charset: str) -> str:
    for name in (charset, "utf-8", "cp1252"):
        try:
            return data.decode(name).replace("\0", "")
        except (LookupError, UnicodeError, ValueError):
            continue
    return data.decode("latin-1").replace("\0", "")


def decode_words(value: str) -> str:
    """`value` with its RFC 2047 encoded words decoded. Never raises."""
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, UnicodeError, ValueError, email.errors.HeaderParseError):
        return value


def read_addresses(*values: str) -> tuple[Address, ...]:
    """The mailboxes that the values of an address header name."""
    pairs = email.utils.getaddresses([value[:8192] for value in values])
    return tuple(Address(decode_words(name), address.lower()) for name, address in pairs if "@" in address)


def _headers(message: email.message.Message) -> Headers:
    items = []
    for name, value in message.raw_items():
        value = _text(str(value).encode("utf-8", "surrogateescape"), "utf-8")
        items.append((name.lower(), re.sub(r"[\r\n]+[ \t]*", " ", value).strip()))
    return Headers(tuple(items))


def _ids(value: str) -> tuple[str, ...]:
    return tuple(re.findall(r"<[^<>\s]+>", value))


def _part(leaf: email.message.Message) -> Part:
    content = leaf.get_payload(decode=True)
    params = leaf.get_params(failobj=[], unquote=True)[1:]
    filename = leaf.get_filename() or ""
    return Part(
        content_type=leaf.get_content_type(),
        charset=str(leaf.get_param("charset", "") or "").lower(),
        filename=decode_words(filename),
        disposition=(leaf.get_content_disposition() or ""),
        content=content if isinstance(content, bytes) else b"",
        params=tuple((key.lower(), str(value)) for key, value in params if key.lower() not in ("charset", "name")),
    )


def _leaves(message: email.message.Message) -> tuple[list[Part], list[bytes]]:
    leaves: list[Part] = []
    attached: list[bytes] = []
    waiting: list[Any] = [message]
    while waiting:
        node = waiting.pop(0)
        payload = node.get_payload()
        if node.get_content_type() in ("message/rfc822", "message/global") and isinstance(payload, list):
            attached.append(payload[0].as_bytes())
        elif node.get_content_type() == "message/delivery-status" and isinstance(payload, list):
            leaves.append(Part("message/delivery-status", content=b"\n".join(p.as_bytes() for p in payload)))
        elif isinstance(payload, list):
            waiting[:0] = payload
        else:
            leaves.append(_part(node))
    return leaves, attached


def _date(value: str) -> datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def read_message(raw: bytes, *, partial: bool = False) -> Message:
    """Read `raw`. `partial`: the bytes are only the head of a larger mail.

    Raises MessageError when there is no header at all.
    """
    parsed = email.message_from_bytes(raw, policy=email.policy.compat32)
    headers = _headers(parsed)
    if not headers.items:
        raise MessageError("there is no header at all")
    leaves, attached = _leaves(parsed)
    bodies = [part for part in leaves if part.disposition != "attachment" and not part.filename]
    plain = [_text(p.content, p.charset).replace("\r\n", "\n") for p in bodies if p.content_type == "text/plain"]
    html = next((_text(p.content, p.charset) for p in bodies if p.content_type == "text/html"), "")
    text = "\n".join(plain)
    from_html = not text.strip()
    senders = read_addresses(*headers.get_all("from"))
    return Message(
        headers=headers,
        message_id=next(iter(_ids(headers.get("message-id"))), ""),
        in_reply_to=_ids(headers.get("in-reply-to")),
        references=_ids(headers.get("references")),
        sender=senders[0] if senders else Address("", ""),
        from_ambiguous=len(senders) != 1 or len(headers.get_all("from")) > 1,
        reply_to=read_addresses(*headers.get_all("reply-to")),
        to=read_addresses(*headers.get_all("to")),
        cc=read_addresses(*headers.get_all("cc")),
        subject=decode_words(headers.get("subject")),
        date=_date(headers.get("date")),
        content_type=parsed.get_content_type(),
        report_type=str(parsed.get_param("report-type", "") or "").lower(),
        text=html_to_text(html) if from_html else text,
        from_html=from_html and bool(html),
        html=html,
        parts=tuple(leaves),
        attached=tuple(attached),
        note="" if text.strip() or html.strip() else "there is no text in it",
        size=len(raw),
    )
