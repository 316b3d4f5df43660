"""Tokens that only this router can make, and that say no more than they must."""

from __future__ import annotations

import hmac
from base64 import b32encode

from hypothesis import given
from hypothesis import strategies as st

from router.ids import CLIENT, COLLEAGUES, CONFIRM, Ids

IDS = Ids(b"a key of some length, as secret as any", "inst", "buns@coll.example")
KEYS = ("anna", "bo")


def test_a_reply_address_is_read_back_with_its_scope() -> None:
    for scope in (CLIENT, COLLEAGUES, CONFIRM, "@anna", "@bo"):
        token = IDS.read_reply_address(IDS.reply_address(42, scope), KEYS)
        assert token is not None
        assert (token.number, token.scope, token.proven) == (42, scope, True)


def test_a_reply_address_survives_a_mail_server_that_changes_case() -> None:
    address = IDS.reply_address(42, "@anna")
    assert address == address.lower()
    token = IDS.read_reply_address(address.upper(), KEYS)
    assert token is not None and token.proven


def test_the_token_of_one_lead_or_person_is_nothing_on_another() -> None:
    anna = IDS.reply_address(42, "@anna")
    other_lead = anna.replace("+42.", "+43.")
    token = IDS.read_reply_address(other_lead, KEYS)
    assert token is not None and not token.proven
    assert anna != IDS.reply_address(42, "@bo") != IDS.reply_address(42, COLLEAGUES)


def test_another_installation_or_key_makes_other_codes() -> None:
    address = IDS.reply_address(42, "@anna")
    for other in (
        Ids(b"another key of some length, as secret", "inst", IDS.address),
        Ids(IDS.key, "other", IDS.address),
    ):
        token = other.read_reply_address(address, KEYS)
        assert token is not None and not token.proven


def test_a_foreign_address_is_no_token() -> None:
    for address in (
        "buns@coll.example",
        "buns+42@coll.example",
        "buns+42.abc@coll.example",
        "x+42.aaaaaaaaaaaa@evil.example",
    ):
        assert IDS.read_reply_address(address, KEYS) is None


def test_a_message_id_is_the_same_each_time_and_says_who_has_seen_it() -> None:
    client, ours = IDS.message_id(7, "ack", CLIENT, 1), IDS.message_id(7, "offer", "list", 1)
    assert client == IDS.message_id(7, "ack", CLIENT, 1)
    seen = [IDS.read_reference(each) for each in (client, ours)]
    assert [(r.lead, r.audience) for r in seen if r] == [(7, "client"), (7, "us")]
    assert len({IDS.message_id(7, "offer", to, n) for to in ("list", "@bo") for n in (1, 2)}) == 4


@given(st.text(max_size=80))
def test_no_text_that_we_did_not_make_is_a_reference_of_ours(text: str) -> None:
    assert IDS.read_reference(text) is None
    assert IDS.read_reference(f"<{text}@coll.example>") is None


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(IDS)


def test_a_code_is_the_beginning_of_an_hmac_in_base_32() -> None:
    """So that anybody with the key can check one by hand; and codes in mails that have left stay ours for ever."""
    digest = hmac.digest(IDS.key, b"inst\0reply\x0042\0us", "sha256")
    assert IDS.code("reply", 42, "us") == b32encode(digest)[:12].decode().lower()
