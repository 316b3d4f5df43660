"""Mailboxes are read as their writers meant them, and never as somebody else's."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.addresses import Address, read_addresses, read_sender
from router.headers import Headers

BOSS = "boss@corp.example"


def sender(*values: str, **others: str) -> tuple[str, str, bool]:
    """(name, address, ambiguous) of a mail with these From headers and others."""
    items = [("from", value) for value in values]
    items += [(key.replace("_", "-"), value) for key, value in others.items()]
    box, is_ambiguous = read_sender(Headers(tuple(items)))
    return box.name, box.address, is_ambiguous


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("ann@x.example", "", "ann@x.example"),
        ("Ann <Ann@X.example>", "Ann", "ann@x.example"),
        ('"Client, Ann" <ann@x.example>', "Client, Ann", "ann@x.example"),
        ("Client, Ann <ann@x.example>", "Client, Ann", "ann@x.example"),
        ('"Ann \\"Rusty\\" Client" <ann@x.example>', 'Ann "Rusty" Client', "ann@x.example"),
        ("ann@x.example (Ann Client)", "Ann Client", "ann@x.example"),
        ("Pete(A nice \\) chap) <pete@silly.test>", "Pete", "pete@silly.test"),
        ("=?utf-8?Q?Client,_Ann?= <ann@x.example>", "Client, Ann", "ann@x.example"),
        ('"=?utf-8?Q?J=C3=B6rg?=" <j@x.example>', "Jörg", "j@x.example"),
        ("ann @ x . example", "", "ann@x.example"),
        ('"ann"@x.example', "", "ann@x.example"),
        ('"ann client"@x.example', "", '"ann client"@x.example'),
        ("'ann@x.example'", "", "ann@x.example"),
        ("<mailto:ann@x.example>", "", "ann@x.example"),
        ("ann@x.example.", "", "ann@x.example"),
        ("Ann <ann@[192.0.2.1]>", "Ann", "ann@[192.0.2.1]"),
        ("Jörg <jörg@bücher.example>", "Jörg", "jörg@bücher.example"),
        ("Who? <who@x.example>", "Who?", "who@x.example"),
        ("Ann <ann@x.example>,", "Ann", "ann@x.example"),
    ],
)
def test_a_plain_sender_is_read_and_not_ambiguous(value: str, name: str, address: str) -> None:
    assert sender(value) == (name, address, False)


@pytest.mark.parametrize(
    "value",
    [
        f'"{BOSS}" <evil@x.example>',
        f"{BOSS} <evil@x.example>",
        f"evil@x.example ({BOSS})",
        f"=?utf-8?q?{BOSS}?= <evil@x.example>",
        f'"{BOSS}" evil@x.example',
        f'"{BOSS}",evil@x.example',
        f"({BOSS}) evil@x.example",
        f"{BOSS}: evil@x.example;",
        f'"a <{BOSS}>" <evil@x.example>',
    ],
)
def test_a_name_that_looks_like_an_address_is_no_address(value: str) -> None:
    assert sender(value)[1] == "evil@x.example"


@pytest.mark.parametrize(
    "value",
    [
        f"<@evil.example:{BOSS}>",
        "<boss(@evil.example)@corp.example>",
        "boss(@evil.example)@corp.example",
        f"<{BOSS}> <evil@x.example>",
        f"{BOSS}, evil@x.example",
        f"{BOSS} evil@x.example",
        f"<{BOSS}@evil.example>",
        f"{BOSS} <evil>",
        f"evil@x.example: {BOSS};",
        f'"evil@x.example {BOSS}',
        f"<{BOSS}",
        f"=?utf-8?q?=3C{BOSS}=3E?=",
        f"Boss <{BOSS}> evil@x.example",
        "bo\ufffdss@corp.example",
        "bo\u200bss@corp.example",
        "bo\x1b(Bss@corp.example",
        "<bo ss@corp.example>",
    ],
)
def test_a_sender_that_two_readers_may_read_differently_is_ambiguous(value: str) -> None:
    assert sender(value)[2]


def test_a_quote_that_is_part_of_the_address_stays() -> None:
    assert sender(f"'{BOSS}")[1] == f"'{BOSS}"
    assert sender(f"<'{BOSS}>")[1] == f"'{BOSS}"


def test_routes_and_comments_are_read_over() -> None:
    assert sender("<@relay.example,@b.example:ann@x.example>")[1] == "ann@x.example"
    assert sender("Pete <pete(his account)@silly.test(his host)>")[1] == "pete@silly.test"


@pytest.mark.parametrize("value", ["BOSS@CORP.EXAMPLE", "\u212aim@x.example", "\u0130@x.example"])
def test_lower_case_makes_no_ascii_letter_of_a_foreign_one(value: str) -> None:
    address = sender(value)[1]
    assert address.isascii() == value.isascii()


def test_characters_that_nobody_sees_do_not_vanish_from_an_address() -> None:
    for hidden in ("\u200b", "\u202e", "\ufffd", "\xad", "\x1b(B"):
        assert sender(f"bo{hidden}ss@corp.example")[1] != BOSS


def test_of_two_from_headers_the_first_counts_and_nothing_is_trusted() -> None:
    assert sender("a@x.example", BOSS) == ("", "a@x.example", True)
    assert sender(BOSS, BOSS)[2]


def test_without_a_from_the_address_to_answer_is_taken_and_nothing_is_trusted() -> None:
    assert sender(reply_to="a@x.example", sender="b@x.example") == ("", "a@x.example", True)
    assert sender(sender="b@x.example", return_path="<c@x.example>") == ("", "b@x.example", True)
    assert sender("Mail Delivery System <>", return_path="<>") == ("Mail Delivery System", "", True)
    assert sender() == ("", "", True)


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("a@x.example, b@x.example", ["a@x.example", "b@x.example"]),
        ("a@x.example; b@x.example", ["a@x.example", "b@x.example"]),
        ("team: a@x.example, B <b@x.example>;, c@x.example", ["a@x.example", "b@x.example", "c@x.example"]),
        ("undisclosed-recipients:;", []),
        ("a@x.example =?utf-8?q?=2C?= B <b@x.example>", ["a@x.example", "b@x.example"]),
        ("A <a@x.example , B <b@x.example>", ["a@x.example", "b@x.example"]),
        ('"never closed <a@x.example>, b@x.example', ["a@x.example", "b@x.example"]),
        (", ,a@x.example,,", ["a@x.example"]),
        ("Ann, Bo", []),
    ],
)
def test_lists_of_addresses(value: str, addresses: list[str]) -> None:
    assert [box.address for box in read_addresses(value)] == addresses


def test_an_address_is_a_value() -> None:
    assert read_addresses("Ann <ann@x.example>") == (Address("Ann", "ann@x.example"),)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab@.<>(),;:"\\=?_ \t\0é\u212a', max_size=60))
def test_any_value_gives_addresses_on_one_line(value: str) -> None:
    for box in read_addresses(value):
        assert "@" in box.address
        assert "\n" not in box.name + box.address


@pytest.mark.parametrize(
    "piece", ['"\\"', "(", "(a)", "<", '"', '<"', "a@b,", '\\"', "=?a?q?", "a: ", ",", "@", '"a"@', "(\\", "<(", " "]
)
def test_a_header_of_openings_is_read_in_linear_time(piece: str) -> None:
    value = (piece * 8192)[:8192]
    start = time.process_time()
    read_addresses(value)
    assert time.process_time() - start < 0.15
