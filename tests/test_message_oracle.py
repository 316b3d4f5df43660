"""On well-formed mail the reading agrees with the standard library's, which is slow and breaks on the rest."""

from __future__ import annotations

import email
import email.policy
import random
from datetime import UTC, datetime, timedelta, timezone
from email.headerregistry import Address as StandardAddress
from email.message import EmailMessage

import pytest

from router.message import read_message

NAMES = (
    "Ann Client",
    "Jörg Müller",
    "Client, Ann",
    'Ann "Rusty" Client',
    "O'Neill",
    "田中 太郎",
    "Åsa (work)",
    "",
    "a@b",
)
LOCALS = ("ann", "ann.client", "ann+buns", "o'neill", "x", "ann_client-1")
DOMAINS = ("client.example", "mail.client.example", "a-b.example")
SUBJECTS = (
    "We need a Rust reviewer",
    "Granskning på fredag – går det?",
    "レビューの依頼: 二千行のコードを来週までに見ていただけますか。よろしくお願いいたします。",
    "Re: [bun 42] " + "a long subject that is folded over several lines, again and again, " * 3,
    "Проверка кода " * 8,
    "emoji 🎉 and = signs ?= and _ underscores",
    "x",
)
TEXTS = (
    "Hello,\n\nwe need somebody next week.\n\nAnn\n",
    "Hej,\n\nvi behöver någon nästa vecka – på plats i Göteborg.\n-- \nÅsa\n",
    "> quoted\n> again\n\nmine\n",
    "From the start, a line that mboxes escape.\n.\n..dots\n",
    "=20 is not a space, =?utf-8?q?and_this?= no word\n",
    "a very long line " * 90 + "\nand a short one\n",
    "レビューをお願いします。\n来週まで。\n",
    "tabs\tand  spaces   \nend\n",
)
CHARSETS = ("utf-8", "iso-8859-1", "windows-1252", "iso-8859-15", "us-ascii", "iso-2022-jp", "shift_jis", "koi8-r")
FILES = ("offer.pdf", "Långt namn.pdf", "with space.txt", 'quote".bin', "レビュー.pdf", "a" * 90 + ".pdf")
ENCODINGS = ("quoted-printable", "base64", "8bit", "7bit")


def box(rnd: random.Random) -> StandardAddress:
    return StandardAddress(rnd.choice(NAMES), rnd.choice(LOCALS), rnd.choice(DOMAINS))


def identifier(rnd: random.Random) -> str:
    return f"<{rnd.getrandbits(64):x}.{rnd.choice(LOCALS)}@{rnd.choice(DOMAINS)}>"


def set_text(mail: EmailMessage, rnd: random.Random, text: str, subtype: str = "plain") -> None:
    """A text in a charset and transfer encoding that can carry it."""
    charset, encoding = rnd.choice(CHARSETS), rnd.choice(ENCODINGS)
    try:
        mail.set_content(text, subtype=subtype, charset=charset, cte=encoding)
    except (UnicodeError, ValueError):
        mail.set_content(text, subtype=subtype, charset="utf-8", cte="base64")


def generated(seed: int) -> bytes:
    """A well-formed mail, another for each seed."""
    raw = b"?q?=2C?="
    while b"?q?=2C?=" in raw:  # some versions of the library encode the comma between two addresses
        raw = _generated(random.Random(seed))
        seed += 1_000_000
    return raw


def _generated(rnd: random.Random) -> bytes:
    policy = rnd.choice((email.policy.default, email.policy.SMTP))
    mail = EmailMessage(policy=policy)
    mail["Received"] = "from a.example (a.example [192.0.2.1]) by b.example; Tue, 3 Jun 2025 10:11:12 +0200"
    mail["From"] = box(rnd)
    mail["To"] = [box(rnd) for _ in range(rnd.randrange(1, 5))]
    if rnd.random() < 0.4:
        mail["Cc"] = [box(rnd) for _ in range(rnd.randrange(1, 9))]
    if rnd.random() < 0.3:
        mail["Reply-To"] = [box(rnd)]
    mail["Subject"] = rnd.choice(SUBJECTS)
    mail["Message-ID"] = identifier(rnd)
    if rnd.random() < 0.6:
        mail["In-Reply-To"] = identifier(rnd)
        mail["References"] = " ".join(identifier(rnd) for _ in range(rnd.randrange(1, 12)))
    moment = datetime(2025, 1, 1, tzinfo=timezone(timedelta(minutes=30 * rnd.randrange(-20, 25))))
    mail["Date"] = moment + timedelta(seconds=rnd.randrange(10**8))
    text = rnd.choice(TEXTS)
    set_text(mail, rnd, text)
    if rnd.random() < 0.5:
        mail.add_alternative(f"<html><body><p>{text}</p></body></html>", subtype="html")
        if rnd.random() < 0.3:
            mail.get_payload()[1].add_related(rnd.randbytes(80), "image", "png", cid="<i@x>")
    for _ in range(rnd.randrange(3) if rnd.random() < 0.5 else 0):
        mail.add_attachment(rnd.randbytes(200), "application", "octet-stream", filename=rnd.choice(FILES))
    if rnd.random() < 0.2:
        inner = EmailMessage(policy=policy)
        inner["From"] = box(rnd)
        inner["Subject"] = rnd.choice(SUBJECTS)
        set_text(inner, rnd, rnd.choice(TEXTS))
        mail.add_attachment(inner)
    return mail.as_bytes()


def words(text: object) -> str:
    return " ".join(str(text).split())


def check(seed: int) -> None:
    raw = generated(seed)
    ours = read_message(raw)
    theirs = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(theirs, EmailMessage)
    assert ours.sender.address == theirs["from"].addresses[0].addr_spec.lower()
    assert words(ours.sender.name) == words(theirs["from"].addresses[0].display_name)
    assert not ours.from_ambiguous
    for name, boxes in (("to", ours.to), ("cc", ours.cc), ("reply-to", ours.reply_to)):
        expected = theirs[name].addresses if theirs[name] else ()
        assert [(words(one.name), one.address) for one in boxes] == [
            (words(one.display_name), one.addr_spec.lower()) for one in expected
        ]
    assert words(ours.subject) == words(theirs["subject"])
    assert ours.message_id == theirs["message-id"]
    assert ours.in_reply_to == tuple(str(theirs["in-reply-to"] or "").split())
    assert ours.references == tuple(str(theirs["references"] or "").split())
    assert ours.date == theirs["date"].datetime.astimezone(UTC)
    assert ours.content_type == theirs.get_content_type()
    body = theirs.get_body(("plain",))
    assert body is not None
    assert ours.text.strip("\n") == body.get_content().replace("\r\n", "\n").strip("\n")
    html = theirs.get_body(("html",))
    assert ours.html.replace("\r\n", "\n").strip() == (html.get_content().replace("\r\n", "\n").strip() if html else "")
    files = [part for part in theirs.iter_attachments() if part.get_content_type() != "message/rfc822"]
    mine = [part for part in ours.parts if part.disposition == "attachment" and part.content_type != "message/rfc822"]
    assert [(part.filename, part.content) for part in mine] == [
        (part.get_filename(), part.get_content()) for part in files
    ]
    inner = [part.get_content() for part in theirs.iter_attachments() if part.get_content_type() == "message/rfc822"]
    assert len(ours.attached) == len(inner)
    for attached, expected_mail in zip(ours.attached, inner, strict=True):
        assert attached in raw
        assert words(read_message(attached).subject) == words(expected_mail["subject"])


@pytest.mark.parametrize("seed", range(0, 300, 20))
def test_well_formed_mail_is_read_as_the_standard_library_reads_it(seed: int) -> None:
    for one in range(seed, seed + 20):
        check(one)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(1000, 7000, 500))
def test_thousands_of_well_formed_mails_are_read_as_the_standard_library_reads_them(seed: int) -> None:
    for one in range(seed, seed + 500):
        check(one)
