"""What Outlook and S/MIME pack is unpacked as their specifications say, as far as it goes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.rtf import MAX_OUTPUT, read_rtf, unpack_rtf
from router.smime import is_encrypted, read_signed
from router.tnef import read_tnef

MAIL = Path(__file__).parent / "mail"


def packed(name: str) -> bytes:
    """The last part, in base64, of one of our test mails."""
    body = (MAIL / f"message-{name}.eml").read_bytes().rsplit(b"base64\n\n", 1)[1]
    return base64.b64decode(body.split(b"--=_b")[0])


@pytest.mark.parametrize(
    ("compressed", "text"),
    [  # MS-OXRTFCP sections 4.1.1 and 4.1.2
        (
            "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0",
            rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n",
        ),
        ("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0", rb"{\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
    ],
)
def test_the_examples_of_the_specification_are_unpacked(compressed: str, text: bytes) -> None:
    assert unpack_rtf(bytes.fromhex(compressed)) == text


def test_uncompressed_rtf_is_taken_as_it_is() -> None:
    assert unpack_rtf(b"\0" * 8 + b"MELA\0\0\0\0{\\rtf1 a}") == b"{\\rtf1 a}"


@pytest.mark.parametrize(
    ("rtf", "text"),
    [
        (rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}Hello\par there}", "Hello\nthere"),
        (rb"{\rtf1\ansicpg1251 \'cf\'f0\'e8}", "При"),
        (rb"{\rtf1\ansicpg932 \'88\'cb\'97\'8a}", "依頼"),
        (rb"{\rtf1\uc1 \u8211?\u-10180?\u-8448?x\u-10180?y}", "–🌀x\ufffdy"),
        (rb"{\rtf1 a\~b\_c\{d\}\\e\tab f}", "a b-c{d}\\e\tf"),
        (rb"{\rtf1 shown{\*\secret not}{\pict 00ff}}", "shown"),
        (rb"{\rtf1 never {closed", "never closed"),
        (rb"}}}}{\rtf1 x", "x"),
    ],
)
def test_rich_text_is_read(rtf: bytes, text: str) -> None:
    assert read_rtf(rtf) == (text, False)


def test_the_html_that_outlook_wrapped_in_rich_text_is_found() -> None:
    rtf = rb"{\rtf1\fromhtml1{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 Hi{\*\htmltag72 </p>}\htmlrtf\par}\htmlrtf0 }"
    assert read_rtf(rtf) == ("<p>Hi</p>", True)


def test_a_winmail_is_read_in_part_when_it_is_cut() -> None:
    whole = packed("winmail")
    found = read_tnef(whole)
    assert found is not None
    assert (found.subject, [file.name for file in found.files]) == ("Review", ["offer for you.pdf"])
    for cut in range(len(whole)):
        read_tnef(whole[:cut])
    assert read_tnef(b"%PDF") is None


def test_a_signed_envelope_gives_its_content_and_an_encrypted_one_does_not() -> None:
    signed, encrypted = packed("smime-opaque"), packed("smime-encrypted")
    assert b"Hello signed" in (read_signed(signed) or b"")
    assert not is_encrypted(signed)
    assert read_signed(encrypted) is None
    assert is_encrypted(encrypted)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10_000), st.binary(max_size=8), st.sampled_from(["winmail", "winmail-rtf", "smime-opaque"]))
def test_damage_anywhere_is_survived(place: int, damage: bytes, name: str) -> None:
    whole = packed(name)
    place %= len(whole)
    broken = whole[:place] + damage + whole[place + len(damage) :]
    read_tnef(broken)
    read_signed(broken)
    is_encrypted(broken)
    assert len(unpack_rtf(broken[place:])) <= MAX_OUTPUT
    read_rtf(broken[place:])
