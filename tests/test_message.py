"""What a mail says is read rightly, whatever wrote it, and nothing in a mail can break or slow the reading."""

from __future__ import annotations

import contextlib
import json
import os
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.message import Message, MessageError, read_message
from tests.hostile import HOSTILE

MAIL = Path(__file__).parent / "mail"
WEIRD = Path(__file__).parent / "weird"
CORPUS = Path(os.environ.get("BUN_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))


def strings(message: Message) -> Iterator[str]:
    """Every piece of text in a message."""
    for name, value in message.headers.items:
        yield from (name, value)
    for box in (message.sender, *message.reply_to, *message.to, *message.cc):
        yield from (box.name, box.address)
    for part in message.parts:
        yield from (part.content_type, part.charset, part.filename, part.disposition, part.text())
    yield from (message.message_id, *message.in_reply_to, *message.references, message.subject)
    yield from (message.text, message.html, message.note, message.content_type, message.report_type)


def hold_promises(message: Message) -> None:
    """What every reader of a `Message` may rely on."""
    for text in strings(message):
        assert "\0" not in text
        text.encode("utf-8")  # no half characters: they could not be stored or sent
    single = [value for _, value in message.headers.items] + [message.subject, message.sender.name, message.note]
    single += [part.filename for part in message.parts]
    assert not any("\n" in text or "\r" in text for text in single)
    for box in (message.sender, *message.reply_to, *message.to, *message.cc):
        assert "@" in box.address or not box.address
        assert "\n" not in box.address
    assert message.text or message.note, "an empty text says why"
    assert len(message.text) <= 64 * 1024
    assert len(message.headers.items) <= 2000
    assert sum(len(value) for _, value in message.headers.items) <= 4 * 64 * 1024
    assert len(message.parts) <= 230
    assert message.date is None or message.date.tzinfo is UTC


def read_safely(raw: bytes, *, partial: bool = False) -> Message | None:
    """The message, None for bytes that are no mail; fails the test on anything else."""
    try:
        message = read_message(raw, partial=partial)
    except MessageError as error:
        assert str(error)
        return None
    hold_promises(message)
    return message


# --- mails with what must be read in them


def cases() -> list[Path]:
    return sorted(MAIL.glob("message-*.eml"))


@pytest.mark.parametrize("path", cases(), ids=lambda path: path.stem.removeprefix("message-"))
def test_mails_are_read_as_their_json_says(path: Path) -> None:
    message = read_safely(path.read_bytes())
    assert message is not None
    expected: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    found: dict[str, Any] = {
        "sender": message.sender.address,
        "name": message.sender.name,
        "from_ambiguous": message.from_ambiguous,
        "subject": message.subject,
        "text": message.text.strip(),
        "from_html": message.from_html,
        "note": message.note,
        "to": [box.address for box in message.to],
        "cc": [box.address for box in message.cc],
        "filenames": [part.filename for part in message.parts if part.filename],
        "contents": [part.content.decode("latin-1") for part in message.parts if part.filename],
        "attached": [raw.decode() for raw in message.attached],
        "message_id": message.message_id,
        "in_reply_to": list(message.in_reply_to),
        "references": list(message.references),
        "date": message.date.isoformat() if message.date else None,
        "report_type": message.report_type,
    }
    defaults = {"from_ambiguous": False, "from_html": False, "filenames": [], "attached": [], "report_type": ""}
    for key, value in (defaults | expected).items():
        if key.endswith("_has"):
            assert value in found[key.removesuffix("_has")], expected["why"]
        elif key != "why":
            assert found[key] == value, f"{key}: {expected['why']}"


@pytest.mark.parametrize("path", sorted(WEIRD.glob("*.eml")), ids=lambda path: path.stem)
def test_weird_mails_are_read_without_harm(path: Path) -> None:
    raw = path.read_bytes()
    read_safely(raw)
    for cut in range(0, len(raw), max(1, len(raw) // 40)):
        read_safely(raw[:cut], partial=True)


def test_each_weird_mail_says_why_it_is_there() -> None:
    said = (WEIRD / "README.md").read_text()
    assert [path.name for path in WEIRD.glob("*.eml") if f"| {path.name} | " not in said] == []


# --- errors and notes


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"Hello, this is no mail.\n", b"\0\xff" * 50, b"From a@b Tue\n\nx"])
def test_bytes_without_any_header_are_no_mail(raw: bytes) -> None:
    with pytest.raises(MessageError):
        read_message(raw)


def test_a_mail_of_which_only_the_head_is_there_says_so() -> None:
    raw = b"From: a@b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nHello\n--b\nContent-Type: a/b; name=c\n\nd"
    message = read_message(raw, partial=True)
    assert (message.text, message.parts[1].filename) == ("Hello", "c")
    assert "only its beginning was read" in message.note


def test_reading_twice_gives_the_same() -> None:
    raw = (MAIL / "message-nested.eml").read_bytes()
    assert read_message(raw) == read_message(raw)


def test_the_size_is_that_of_the_bytes() -> None:
    assert read_message(b"From: a@b\n\nx").size == 12


def test_times_are_utc() -> None:
    message = read_message(b"From: a@b\nDate: Tue, 03 Jun 2025 10:11:12 +0200\n\nx")
    assert message.date == datetime(2025, 6, 3, 8, 11, 12, tzinfo=UTC)


# --- anything


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    read_safely(raw)
    read_safely(b"From: a@b\n" + raw)
    read_safely(b"From: a@b\n\n" + raw)


PIECES = (
    b"From: ", b"To: ", b"Subject: ", b"Content-Type: ", b"Content-Disposition: ", b"Content-Transfer-Encoding: ",
    b"multipart/mixed; boundary=b", b"text/plain; ", b"text/html; ", b"message/rfc822", b"application/ms-tnef",
    b"application/pkcs7-mime", b"text/calendar", b"charset=", b"utf-7", b"iso-2022-jp", b"utf-16", b"base64",
    b"quoted-printable", b"x-uuencode", b"filename*0*=", b"name=", b"format=flowed", b"--b", b"--b--", b"\n", b"\r\n",
    b"\r", b"\n\n", b" ", b"\t", b"=?utf-8?q?", b"?=", b"=?x?b?", b"\"", b"<", b">", b"(", b")", b"\\", b"@", b",",
    b";", b":", b"\0", b"\xff", b"\xc3\xa5", b"\x1b$B", b"=", b"a", b"begin 644 a\n", b"\nend\n", b"<p>", b"<!--",
    b"&#0;", b"-----BEGIN PGP SIGNED MESSAGE-----\n", b"\x78\x9f\x3e\x22\0\0", b"\x30\x80", b"BEGIN:VEVENT\n",
    b"> ", b"-- \n",
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_any_order_of_the_pieces_of_mails_is_read_or_refused(pieces: list[bytes]) -> None:
    read_safely(b"".join(pieces))


@pytest.mark.torture
@settings(max_examples=20_000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=200))
def test_any_order_of_the_pieces_of_mails_at_length(pieces: list[bytes]) -> None:
    read_safely(b"".join(pieces))


# --- bounds


def seconds(raw: bytes) -> float:
    """The CPU time of the best of three readings; a busy machine must not fail the test."""
    best = 9.0
    for _ in range(3):
        start = time.process_time()
        with contextlib.suppress(MessageError):
            read_message(raw)
        best = min(best, time.process_time() - start)
        if best < 0.1:
            break
    return best


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_is_read_in_a_fifth_of_a_second(name: str) -> None:
    assert seconds(HOSTILE[name]()) < 0.2


@pytest.mark.torture
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_takes_at_most_five_times_its_memory(name: str) -> None:
    raw = HOSTILE[name]()
    tracemalloc.start()
    with contextlib.suppress(MessageError):
        read_message(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 5 * max(len(raw), 100_000)


@pytest.mark.torture
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_megabyte_holds_the_promises(name: str) -> None:
    read_safely(HOSTILE[name]())


# --- real mails, where they are at hand


def labels(name: str) -> list[dict[str, Any]]:
    path = CORPUS / "labels" / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("no corpus at hand (BUN_CORPUS)")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_tenth_real_mail_is_read() -> None:
    for label in labels("parse")[::10]:
        assert read_safely((CORPUS / label["path"]).read_bytes()) is not None, label["path"]


@pytest.mark.torture
def test_every_real_mail_is_read_also_when_it_is_cut() -> None:
    for label in labels("parse"):
        raw = (CORPUS / label["path"]).read_bytes()
        assert read_safely(raw) is not None, label["path"]
        for tenth in range(1, 10):
            read_safely(raw[: len(raw) * tenth // 10], partial=True)
            read_safely(raw[len(raw) * tenth // 10 :])


def test_senders_and_subjects_of_real_mails() -> None:
    wrong = []
    for label in labels("headers"):
        message = read_message((CORPUS / label["path"]).read_bytes())
        address = label["from_email"].lower().rstrip(".>")
        if "@" in address and " " not in address and message.sender.address != address:
            wrong.append((label["path"], message.sender.address))
        if label["subject"] is not None and " ".join(message.subject.split()) != " ".join(label["subject"].split()):
            wrong.append((label["path"], message.subject))
    assert wrong == []
