"""Mails that we write, held against the standard library's reading of them."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from router.mime import Attached, address_header, encode_words, header_value, write_mail

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=120)


def read(raw: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(raw, policy=policy.default))


@given(TEXT, TEXT)
@settings(max_examples=150, deadline=None)
def test_what_goes_into_subject_and_body_comes_out_of_them(subject: str, text: str) -> None:
    raw = write_mail([("Subject", subject), ("To", "a@example.org")], text, "", NOW)
    mail = read(raw)
    assert " ".join(str(mail["Subject"] or "").split()) == " ".join(header_value(subject).split())
    assert mail.get_content().replace("\r\n", "\n").rstrip("\n") == text.replace("\u2028", "\u2028").rstrip("\n")


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_name_or_subject_can_add_a_header(text: str) -> None:
    hostile = f"{text}\r\nBcc: evil@example.org\r\n\r\nbody"
    raw = write_mail([("To", address_header(hostile, "a@example.org")), ("Subject", hostile)], "x", "", NOW)
    mail = read(raw)
    assert mail["Bcc"] is None
    assert [a.addr_spec for a in mail["To"].addresses] == ["a@example.org"]
    assert mail.get_content().strip() == "x"


def test_every_line_is_ascii_and_short_enough_for_smtp() -> None:
    raw = write_mail([("Subject", "å" * 300), ("References", "<a@b> " * 200)], "ö" * 5000, "<p>ö</p>" * 900, NOW)
    raw.decode("ascii")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_text_and_html_are_alternatives_and_files_stand_beside_them() -> None:
    files = [Attached("Über uns.pdf", "application/pdf", b"\x00\x01" * 100), Attached("m.eml", "message/rfc822", b"x")]
    mail = read(write_mail([("Subject", "s")], "text", "<p>html</p>", NOW, files))
    body = mail.get_body(("plain",))
    assert body is not None and body.get_content().strip() == "text"
    attachments = list(mail.iter_attachments())
    assert [a.get_filename() for a in attachments] == ["Über uns.pdf", "m.eml"]
    assert attachments[0].get_content() == b"\x00\x01" * 100
    assert attachments[1].get_content_type() == "application/octet-stream"


def test_a_display_name_is_quoted_when_it_must_be() -> None:
    for name in ('Doe, "Jo"', "a@b.example", "plain name", "Ünï", "back\\slash"):
        mail = read(write_mail([("To", address_header(name, "a@example.org"))], "x", "", NOW))
        (address,) = mail["To"].addresses
        assert (address.display_name, address.addr_spec) == (name, "a@example.org")


def test_ascii_that_looks_like_an_encoded_word_stays_what_it_is() -> None:
    mail = read(write_mail([("Subject", "=?utf-8?q?fake?=")], "x", "", NOW))
    assert str(mail["Subject"]) == "=?utf-8?q?fake?="
    assert encode_words("plain") == "plain"
