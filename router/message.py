"""Bytes to `Message`: what a mail says, read once and read safely.

Job: turn any bytes into a frozen `Message`. Never raises anything but `MessageError`, in bounded time and memory.
Core: no I/O, no clock, no logging. Decides nothing about leads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


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


def read_message(raw: bytes, *, partial: bool = False) -> Message:
    """Read `raw`. `partial`: the bytes are only the head of a larger mail.

    Raises MessageError when there is no header at all.
    """
    raise MessageError("not written yet")
