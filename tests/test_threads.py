"""Which bun a mail is about: by the reply address, the mails it answers, the number in its subject; each alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from router.house import House, Member
from router.ids import CLIENT, COLLEAGUES, Ids
from router.lead import Lead, Status
from router.message import read_message
from router.triage import Incoming, Verdict, identity, triage
from router.view import EmptyView, Seen
from router.worktime import Calendar

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
IDS = Ids(b"k" * 32, "threads", "buns@coll.example")
HOUSE = House(
    name="The Collective",
    address="buns@coll.example",
    ids=IDS,
    calendar=Calendar(),
    members={"bo": Member("bo", "Bo Ek", ("bo@coll.example", "bo@home.example"))},
    names=(("bo", "Bo"),),
    keeper="bo",
    list_address="crew@coll.example",
    trust_senders="address",
)
BO, ANN, STRANGER = "Bo Ek <bo@coll.example>", "Ann <ann@client.example>", "Cy <cy@elsewhere.example>"
OFFER = IDS.message_id(42, "offer", "list", 1)
ACK = IDS.message_id(42, "ack", "client", 1)
REQUEST = "<request@client.example>"


class OneBun(EmptyView):
    """A house with bun 42, Ann's, whose request and one later mail of hers have been seen."""

    def lead(self, number: int) -> Lead | None:
        if number != 42:
            return None
        return Lead(42, "We need Rust", Status.OFFERED, "bo", NOW, client="ann@client.example", message_id=REQUEST)

    def seen(self, message_id: str) -> Seen | None:
        known = Seen(REQUEST, "ann@client.example", "", 42, CLIENT)
        return {REQUEST: known, ACK: replace(known, message_id=ACK)}.get(message_id)


def read(sender: str, *fields: str, body: str = "mine", subject: str = "Re: x", to: str = HOUSE.address) -> Verdict:
    head = (f"From: {sender}", f"To: {to}", f"Subject: {subject}", "Message-ID: <new@x.example>", *fields)
    named = {field.partition(":")[0] for field in fields}
    lines = [line for at, line in enumerate(head) if at > 3 or line.partition(":")[0] not in named]
    raw = "\r\n".join((*lines, "Content-Type: text/plain; charset=utf-8", "", body, "")).encode()
    return triage(Incoming(read_message(raw), NOW), HOUSE, OneBun())


def about(sender: str, *fields: str, **more: str) -> tuple[str, int | None]:
    verdict = read(sender, *fields, **more)
    return verdict.kind, verdict.lead


# -- each way without the others


def test_the_reply_address_is_enough_though_nothing_else_tells() -> None:
    assert about(BO, to=IDS.reply_address(42, COLLEAGUES), subject="something else") == ("reply", 42)
    assert about(ANN, to=IDS.reply_address(42, CLIENT), subject="something else") == ("follow-up", 42)


def test_a_reply_address_in_capitals_counts_and_one_without_its_code_is_only_a_hint() -> None:
    assert about(BO, to=IDS.reply_address(42, COLLEAGUES).upper()) == ("reply", 42)
    assert about(BO, to="buns+42.abcdefgh@coll.example")[1] is None


def test_a_reply_address_among_others_in_cc_or_as_delivered_counts() -> None:
    token = IDS.reply_address(42, COLLEAGUES)
    assert about(BO, f"Cc: x@y.example, {token}") == ("reply", 42)
    assert about(BO, f"Delivered-To: {token}") == ("reply", 42)


def test_the_mail_it_answers_is_enough_in_either_header() -> None:
    assert about(BO, f"In-Reply-To: {OFFER}") == ("reply", 42)
    assert about(BO, f"References: <unknown@x> {OFFER}") == ("reply", 42)
    assert about(ANN, f"In-Reply-To: {ACK}") == ("follow-up", 42)
    assert about(ANN, f"References: {REQUEST} <between@x>") == ("follow-up", 42)


def test_the_number_in_the_subject_is_enough_from_a_colleague_and_from_that_client() -> None:
    assert about(BO, subject="SV: [BUN 42] We need Rust") == ("reply", 42)
    assert about(ANN, subject="Re: [BUN 42] We need Rust") == ("follow-up", 42)


def test_the_number_in_the_subject_is_not_believed_from_a_stranger_or_of_no_bun() -> None:
    assert about(STRANGER, subject="Re: [BUN 42] We need Rust") == ("request", None)
    assert about(BO, subject="Re: [BUN 41] We need Rust")[1] is None


def test_a_reply_that_names_another_bun_than_its_thread_is_no_command() -> None:
    token = IDS.reply_address(42, COLLEAGUES)
    mine, other = (read(BO, to=token, body=f"I'll take #{number}").reading for number in (42, 43))
    assert mine and mine.command and mine.command.verb == "claim"
    assert other and other.command is None and other.half and "another bun" in other.why


# -- in their order


def test_the_reply_address_outweighs_the_headers_and_these_the_subject() -> None:
    token = IDS.reply_address(42, COLLEAGUES)
    assert about(BO, f"In-Reply-To: {IDS.message_id(41, 'offer', 'list', 1)}", to=token) == ("reply", 42)
    assert about(BO, f"In-Reply-To: {OFFER}", subject="Re: [BUN 41] other") == ("reply", 42)


# -- what people and providers do to threads


def test_a_client_s_second_address_on_the_thread_is_the_client() -> None:
    assert about("Ann <ann@private.example>", f"In-Reply-To: {ACK}") == ("follow-up", 42)
    assert about("Ann <ann@private.example>", to=IDS.reply_address(42, CLIENT)) == ("follow-up", 42)


def test_a_client_s_colleague_who_joins_the_thread_is_a_follow_up() -> None:
    assert about(STRANGER, f"References: {REQUEST}") == ("follow-up", 42)


def test_a_changed_subject_stays_on_its_bun() -> None:
    assert about(ANN, f"In-Reply-To: {ACK}", subject="Invoice address") == ("follow-up", 42)
    assert about(BO, f"In-Reply-To: {OFFER}", subject="Lunch?") == ("reply", 42)


def test_a_colleague_s_second_address_is_the_colleague() -> None:
    verdict = read("Bo <bo@home.example>", f"In-Reply-To: {OFFER}")
    assert (verdict.kind, verdict.lead, verdict.person) == ("reply", 42, "bo")


def test_a_rewritten_message_id_leaves_the_reply_address_and_the_subject() -> None:
    """Some providers give every mail that they send an id of their own, so that answers name one we never wrote."""
    assert about(BO, "In-Reply-To: <rewritten@provider.example>", subject="Re: [BUN 42] x") == ("reply", 42)
    assert about(ANN, "References: <rewritten@provider.example>", to=IDS.reply_address(42, CLIENT)) == ("follow-up", 42)


def test_what_a_client_forwards_into_the_thread_is_passed_on_whole() -> None:
    body = (
        "FYI, from our boss.\n\n---------- Forwarded message ---------\nFrom: Di <di@client.example>\nSubject: x\n\nGo!"
    )
    verdict = read(ANN, f"In-Reply-To: {ACK}", subject="Fwd: x", body=body)
    assert (verdict.kind, verdict.reply and verdict.reply.text.strip()) == ("follow-up", body)
    answer = read(ANN, f"In-Reply-To: {ACK}", body="Yes.\n\nOn 3 May 2025 10:00, Bo <bo@coll.example> wrote:\n> Go?")
    assert answer.reply and answer.reply.text == "Yes."


def test_an_answer_to_the_digest_is_about_no_bun() -> None:
    digest = IDS.message_id(0, "digest", "bo", 7)
    verdict = read(BO, f"In-Reply-To: {digest}", body="status", subject="Re: The week in buns")
    assert (verdict.kind, verdict.lead) == ("general", None)
    assert verdict.reading and verdict.reading.command and verdict.reading.command.verb == "status"


def test_a_claim_in_an_answer_to_the_digest_claims_nothing() -> None:
    verdict = read(BO, f"In-Reply-To: {IDS.message_id(0, 'digest', 'bo', 7)}", subject="Re: The week in buns")
    assert (verdict.kind, verdict.lead) == ("general", None)


def test_a_mail_without_a_message_id_finds_its_bun_and_is_known_again() -> None:
    head = f"From: {BO}\r\nTo: buns@coll.example\r\nSubject: Re: [BUN 42] x\r\nIn-Reply-To: {OFFER}\r\n\r\n"
    message = read_message(f"{head}mine\r\n".encode())
    assert message.message_id == ""
    found = triage(Incoming(message, NOW), HOUSE, OneBun())
    assert (found.kind, found.lead) == ("reply", 42)
    known = identity(message, "bo@coll.example", OneBun())

    class Handled(OneBun):
        def seen(self, message_id: str) -> Seen | None:
            seen = Seen(known, "bo@coll.example", "", 42, COLLEAGUES, kind="reply")
            return seen if message_id == known else super().seen(message_id)

    assert triage(Incoming(message, NOW), HOUSE, Handled()).kind == "duplicate"
    other = read_message(f"{head}pass\r\n".encode())
    assert triage(Incoming(other, NOW), HOUSE, Handled()).kind == "reply"


def test_a_thread_id_of_ours_with_a_wrong_code_is_nobodys() -> None:
    broken = OFFER.replace("42", "43", 1)
    assert about(BO, f"In-Reply-To: {broken}")[1] is None
    assert about(STRANGER, f"In-Reply-To: {broken}") == ("request", None)
