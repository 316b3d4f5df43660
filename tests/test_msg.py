"""Outlook files attached to a forward: the original's author, subject, date and text, or "unknown", never a crash."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

from hypothesis import given
from hypothesis import strategies as st

from router.forward import Forward, read_forward
from router.message import read_message
from router.msg import read_msg
from tests.outlook_file import msg

ANN = {
    0x0037: "Vi söker en granskare – 三",
    0x0C1A: "Åsa Ek",
    0x5D01: "asa@client.example",
    0x1000: "Hej!\r\n\r\nVi behöver hjälp.",
}
MOMENT = int((datetime(2025, 6, 3, 8, 11, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7


def forward_of(*files: bytes, subject: str = "FW: Vi söker en granskare") -> Forward | None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Bo Ek <bo@coll.example>", "buns@coll.example", subject
    mail["Message-ID"] = "<1@coll.example>"
    mail.set_content("Who wants it?")
    for data in files:
        mail.add_attachment(data, maintype="application", subtype="vnd.ms-outlook", filename="original.msg")
    return read_forward(read_message(mail.as_bytes()))


def test_an_attached_outlook_file_is_a_forward_of_the_mail_in_it() -> None:
    found = forward_of(msg(ANN, MOMENT))
    assert found and found.client and found.certain
    assert (found.client.name, found.client.address) == ("Åsa Ek", "asa@client.example")
    assert found.subject == ANN[0x0037]
    assert found.date == datetime(2025, 6, 3, 8, 11, tzinfo=UTC)
    assert found.text == "Hej!\n\nVi behöver hjälp."
    assert found.above == "Who wants it?"


def test_an_old_file_without_unicode_and_a_body_that_needs_sectors_of_its_own_are_read() -> None:
    long = "Vi behöver hjälp med åäö. " * 400
    found = forward_of(msg({**ANN, 0x0037: "Hjälp", 0x1000: long}, narrow=True))
    assert found and found.text == long.strip()
    assert found.client and found.client.name == "Åsa Ek"
    html = forward_of(msg({**ANN, 0x1000: ""}, html=b"<p>Vi beh\xf6ver <b>hj\xe4lp</b></p>"))
    assert html and html.text == "Vi behöver hjälp"


def test_a_colleague_s_exchange_address_is_no_address_and_the_headers_of_transport_help() -> None:
    values = {0x0037: "x", 0x0C1F: "/O=ACME/OU=EX/CN=RECIPIENTS/CN=ANN", 0x1000: "text"}
    assert read_msg(msg(values)) is None
    unknown = forward_of(msg(values))
    assert unknown and unknown.client is None and not unknown.certain
    named = forward_of(msg({**values, 0x007D: "Received: by x\r\nFrom: Ann <ann@client.example>\r\nTo: y"}))
    assert named and named.client and named.client.address == "ann@client.example"


def test_two_outlook_files_of_two_authors_leave_the_client_uncertain() -> None:
    found = forward_of(msg(ANN), msg({**ANN, 0x5D01: "cy@client.example"}))
    assert found and not found.certain


@given(st.binary(max_size=40), st.integers(0, 3000), st.integers(0, 3000))
def test_a_broken_outlook_file_is_read_as_far_as_it_goes(junk: bytes, at: int, cut: int) -> None:
    whole = msg(ANN, MOMENT)
    broken = whole[:at] + junk + whole[at + len(junk) :]
    for data in (broken, whole[:cut], broken[: len(broken) - cut]):
        read_msg(data)
    ring = bytearray(whole)
    ring[512 : 512 + 128 * 4] = b"\x01\0\0\0" * 128  # every sector is followed by the first
    read_msg(bytes(ring))
