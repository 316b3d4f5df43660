"""Bytes to `Message`: what a mail says, read once and read safely.

Job: turn any bytes into a frozen `Message`. Never raises anything but `MessageError`, in bounded time and memory: a
mail of 1 MB takes less than 200 ms and five times its size, whatever is in it. Core: no I/O, no clock, no logging.
The rooms behind it: `headers.py` (the header block), `addresses.py`, `parts.py` (the MIME tree), `body.py` (its text),
`htmltext.py`, `charset.py`, and for what Outlook and S/MIME pack, `tnef.py`, `rtf.py` and `smime.py`. The standard
library's parser is not used: it raises on real mails, loses text, and costs most of a mail's time.
Decides nothing about leads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from router.addresses import Address, read_addresses, read_sender
from router.body import read_body
from router.headers import MAX_BLOCK, Headers, decode_words, read_date, read_ids, split_headers
from router.parts import Part, is_mail, leaves, read_tree

__all__ = ["Address", "Headers", "Message", "MessageError", "Part", "decode_words", "read_addresses", "read_message"]

NOBODY = Address("", "")
_BEFORE_HEADERS = b" \t\r\n\xef\xbb\xbf"  # blank lines and a byte-order mark


class MessageError(Exception):
    """The bytes are no mail that can be read; the text says what is wrong. Their fault, never ours."""


@dataclass(frozen=True, slots=True)
class Message:
    """A mail as the rest of the router sees it. All times are aware UTC; all text is str without NUL."""

    headers: Headers = field(default_factory=Headers)
    message_id: str = ""  # with its angle brackets, "" when missing
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sender: Address = NOBODY
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


def read_message(raw: bytes, *, partial: bool = False) -> Message:
    """Read `raw`. `partial`: the bytes are only the head of a larger mail.

    Raises MessageError when there is no header at all.
    """
    head = raw[:MAX_BLOCK]
    headers, body_start = split_headers(raw, len(head) - len(head.lstrip(_BEFORE_HEADERS)))
    if not headers.items:
        raise MessageError("there is no header at all" if raw.strip() else "there is nothing in it")
    tree, notes = read_tree(raw, headers, body_start)
    body = read_body(tree)
    sender, is_ambiguous = read_sender(headers)
    parts = tuple(leaves(tree))
    if partial:
        notes.append("the mail is too large, and only its beginning was read")
    return Message(
        headers=headers,
        message_id=next(iter(read_ids(headers.get("message-id"))), ""),
        in_reply_to=read_ids(headers.get("in-reply-to")),
        references=read_ids(headers.get("references")),
        sender=sender,
        from_ambiguous=is_ambiguous,
        reply_to=read_addresses(*headers.get_all("reply-to")),
        to=read_addresses(*headers.get_all("to")),
        cc=read_addresses(*headers.get_all("cc")),
        subject=decode_words(headers.get("subject")),
        date=read_date(headers.get("date")),
        content_type=tree.part.content_type,
        report_type=tree.part.param("report-type").lower(),
        text=body.text,
        from_html=body.from_html,
        html=body.html,
        parts=parts,
        attached=tuple(part.content for part in parts if is_mail(part)),
        note="; ".join([*notes, *filter(None, [body.note])]),
        size=len(raw),
    )
