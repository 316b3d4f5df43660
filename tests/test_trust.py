"""Nobody speaks in a colleague's name, no client reaches a command, nothing from outside is more than text.

One test for each trick, and ten thousand generated forgeries under torture; and the other way round, that genuine mail
of all kinds of servers is believed, since a trust that refuses colleagues loses claims.
"""

from __future__ import annotations

import base64
import email.policy
import io
import itertools
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from html.parser import HTMLParser
from pathlib import Path

import pytest

from router.authres import OurServer, author_of_results, read_results, split_statements
from router.decide import decide
from router.digest import weekly_mail
from router.headers import Headers
from router.house import Bounds
from router.ids import CLIENT, COLLEAGUES
from router.lead import Lead
from router.message import read_message
from router.people import build_world
from router.report import report, report_html
from router.tray import render_tray
from router.triage import Incoming, Verdict, triage
from router.trust import prove
from tests.dialogue import DOMAIN, LIST, SHARED, Play, Reader
from tests.forgeries import HOME, SERVER, WORDS, Colleague, Forger, Made
from tests.hostile import HOSTILE

PASSED = f"Authentication-Results: {SERVER}; dmarc=pass header.from={DOMAIN}"
FAILED = f"Authentication-Results: {SERVER}; dmarc=fail (p=none) header.from={DOMAIN}"
FOREIGN = "Received: from a.example by mx.elsewhere.example; Mon, 2 Mar 2026 09:00:00 +0000"
OWN = f"Received: from a.example by {SERVER}; Mon, 2 Mar 2026 09:00:00 +0000"
ANNA = f"From: Anna Lind <anna@{DOMAIN}>"
LISTED = (f"List-Id: The Crew <{LIST.replace('@', '.')}>", f"List-Post: <mailto:{LIST}>")


class Desk:
    """A house with two open buns, into which anybody may write."""

    def __init__(self, folder: Path, **given: str) -> None:
        self.play = Play(folder)
        self.play.given |= {"authenticated": "", **given}
        self.reader = Reader(self.play)
        if not given and _first:
            self._begin_like(_first[0])
        else:
            self.says("acme -> hello: Review | Can one of you review our Rust code in April please?")
            self.says("beta -> hello: Design | Could somebody look at the design of our shop in May?")
        self.office = self.play.open()
        self.house, self.ids, self.store = self.office.house, self.office.house.ids, self.office.store
        self._count = 0

    def _begin_like(self, other: Play) -> None:
        """With the files of another house that has stood there since its two buns came in."""
        shutil.copytree(other.folder, self.play.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.lock"))
        self.play.last, self.play.uid = dict(other.last), other.uid

    def says(self, line: str) -> None:
        self.reader._act(line, 0)

    def mail(self, *fields: str, body: str = "mine", to: str = "", message_id: str = "") -> bytes:
        """A mail on the thread of bun 1; `fields` stand on top, and replace what they name."""
        self._count += 1
        named = {field.partition(":")[0].lower() for field in fields}
        default = {
            "to": to or self.ids.reply_address(1, COLLEAGUES),
            "subject": "Re: Offer",
            "message-id": message_id or f"<{self._count}@somewhere.example>",
            "date": "Mon, 02 Mar 2026 09:00:00 +0000",
            "in-reply-to": self.ids.message_id(1, "offer", "list", 1),
        }
        rest = [f"{name}: {value}" for name, value in default.items() if name not in named]
        return "\r\n".join((*fields, *rest, "Content-Type: text/plain; charset=utf-8", "", body, "")).encode(
            "utf-8", "surrogateescape"
        )

    def verdict(self, *fields: str, **more: str) -> Verdict:
        """What such a mail is taken to be; nothing is done."""
        return triage(Incoming(read_message(self.mail(*fields, **more)), self.play.now), self.house, self.store)

    def proven(self, *fields: str, **more: str) -> bool:
        return self.verdict(*fields, **more).proof is not None

    def post(self, *fields: str, **more: str) -> Lead:
        """Such a mail is handled; bun 1 afterwards."""
        self.play.sent.clear()
        self.play.deliver(self.mail(*fields, **more))
        return self.lead(1)

    def lead(self, number: int) -> Lead:
        lead = self.store.lead(number)
        assert lead is not None
        return lead

    def sent(self, kind: str) -> list[str]:
        """To whom mails of this kind went since the last post."""
        return [mail.to for mail in self.play.sent if mail.kind == kind]


_first: list[Play] = []


@pytest.fixture
def desk(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    if not _first:
        _first.append(Desk(tmp_path_factory.mktemp("first")).play)
    return Desk(tmp_path)


# -- who writes: From and its neighbours ------------------------------------------------------------------------------


def test_from_alone_does_nothing_and_the_address_on_the_roster_is_asked(desk: Desk) -> None:
    lead = desk.post(ANNA)
    assert lead.claims == ()
    assert desk.sent("confirm") == ["@anna"]


def test_a_look_alike_domain_is_a_stranger(desk: Desk) -> None:
    for domain in (
        f"x{DOMAIN}",
        f"{DOMAIN}.evil.example",
        f"mail.{DOMAIN}",
        DOMAIN.replace("l", "1"),
        "coll-example.com",
    ):
        author = f"Authentication-Results: {SERVER}; dmarc=pass header.from={domain}"
        verdict = desk.verdict(author, f"From: Anna Lind <anna@{domain}>")
        assert (verdict.person, verdict.proof) == ("", None), domain


def test_a_display_name_is_nobodys_address(desk: Desk) -> None:
    evil = f"Authentication-Results: {SERVER}; dmarc=pass header.from=evil.example"
    for shown in (f'"anna@{DOMAIN}"', f'"Anna <anna@{DOMAIN}>"', f"=?utf-8?q?anna=40{DOMAIN}?=", f"<anna@{DOMAIN}>",
                  "=?utf-8?b?PGFubmFAY29sbC5leGFtcGxlPg==?=", f"(anna@{DOMAIN})", f'"\\"<anna@{DOMAIN}>"'):  # fmt: skip
        assert not desk.proven(evil, f"From: {shown} <x@evil.example>"), shown


def test_homographs_and_invisible_letters_make_another_address(desk: Desk) -> None:
    for address in (
        f"аnna@{DOMAIN}",
        "anna@cоll.example",
        f"an\u200bna@{DOMAIN}",
        "anna@ｃoll.example",
        "ANN\u0410@coll.example",
    ):
        verdict = desk.verdict(PASSED, f"From: Anna Lind <{address}>")
        assert verdict.person == "" or verdict.proof is None, address


def test_several_from_headers_or_addresses_prove_nobody(desk: Desk) -> None:
    evil = "From: x@evil.example"
    for fields in ((ANNA, evil), (evil, ANNA), (f"{ANNA}, x@evil.example",),
                   (f"From: x@evil.example, anna@{DOMAIN}",), (f"From: anna@{DOMAIN} <x@y.example>",),
                   (f"From: <anna@{DOMAIN}> <x@y.example>",), (f"From: <@evil.example:anna@{DOMAIN}>",)):  # fmt: skip
        assert not desk.proven(PASSED, *fields), fields
        assert not desk.proven(*fields, to=desk.ids.reply_address(1, "@anna")), fields


def test_reply_to_is_nobodys_proof_and_gets_no_answer(desk: Desk) -> None:
    evil = f"Authentication-Results: {SERVER}; dmarc=pass header.from=evil.example"
    assert desk.verdict(evil, "From: x@evil.example", f"Reply-To: anna@{DOMAIN}").person == ""
    desk.post(PASSED, ANNA, "Reply-To: x@evil.example", body="what is this about?")
    assert {address for mail in desk.play.sent for address in mail.recipients} <= {f"anna@{DOMAIN}", f"kim@{DOMAIN}"}


def test_sender_and_resent_headers_are_nobodys_proof(desk: Desk) -> None:
    evil = f"Authentication-Results: {SERVER}; dmarc=pass header.from=evil.example"
    for name in ("Sender", "Resent-From", "Resent-Sender", "Return-Path", "X-Original-From", "X-Original-Sender"):
        verdict = desk.verdict(evil, "From: x@evil.example", f"{name}: anna@{DOMAIN}")
        assert (verdict.person, verdict.proof) == ("", None), name
    assert not desk.proven(PASSED, f"Sender: anna@{DOMAIN}"), "no From at all"


# -- what our own server found out -------------------------------------------------------------------------------------


def test_our_own_servers_word_is_believed_where_it_stands_on_top(desk: Desk) -> None:
    for fields in ((PASSED, ANNA), (OWN, PASSED, ANNA), (PASSED, OWN, FOREIGN, ANNA)):
        assert desk.proven(*fields), fields
    assert desk.post(OWN, PASSED, ANNA).claimants == ("anna",)


def test_a_header_below_a_foreign_servers_line_is_hearsay(desk: Desk) -> None:
    assert not desk.proven(FOREIGN, PASSED, ANNA)
    assert not desk.proven(OWN, FOREIGN, PASSED, ANNA)


def test_a_lower_header_of_our_name_adds_nothing_to_the_one_above(desk: Desk) -> None:
    none = f"Authentication-Results: {SERVER}; dkim=none; dmarc=none header.from={DOMAIN}"
    for lie in (PASSED, f"Authentication-Results: {SERVER}; auth=pass smtp.auth=anna@{DOMAIN}"):
        assert not desk.proven(OWN, none, lie, ANNA)
        assert not desk.proven(none, OWN, lie, ANNA)


def test_a_failure_that_our_server_names_anywhere_counts(desk: Desk) -> None:
    assert not desk.proven(PASSED, OWN, FAILED, ANNA)
    assert not desk.proven(FAILED, OWN, PASSED, ANNA)


def test_spf_in_a_header_of_its_own_does_not_hide_the_rest(desk: Desk) -> None:
    spf = f"Authentication-Results: {SERVER}; spf=pass smtp.mailfrom=anna@{DOMAIN}"
    assert desk.proven(spf, OWN, PASSED, ANNA)
    assert not desk.proven(spf, OWN, f"Authentication-Results: {SERVER}; dkim=none", PASSED, ANNA)


def test_only_the_configured_name_is_ours(desk: Desk) -> None:
    for name in (f"{SERVER}.evil.example", f"x{SERVER}", DOMAIN, "", f"mx {SERVER}", f"({SERVER}) mx.evil.example"):
        assert not desk.proven(f"Authentication-Results: {name}; dmarc=pass header.from={DOMAIN}", ANNA), name
    for name in (SERVER.upper(), f"{SERVER} 1", f'"{SERVER}"', f"(ours) {SERVER}"):
        assert desk.proven(f"Authentication-Results: {name}; dmarc=pass header.from={DOMAIN}", ANNA), name


def test_no_name_configured_believes_no_header(desk: Desk) -> None:
    desk.house = replace(desk.house, authserv_id="")
    assert not desk.proven(PASSED, ANNA)
    assert not desk.proven(f"Authentication-Results: ; dmarc=pass header.from={DOMAIN}", ANNA)


PLANTED = (
    f'spf=pass smtp.mailfrom="x; dmarc=pass header.from={DOMAIN} "@evil.example',
    f'spf=pass (domain of "x) ; dmarc=pass header.from={DOMAIN} (y"@evil.example designates it)',
    f"spf=pass (a (nested; dmarc=pass header.from={DOMAIN}) one) smtp.mailfrom=evil.example",
    f'dkim=fail reason="no; dmarc=pass header.from={DOMAIN}" header.d=evil.example',
    f"dkim=pass header.s=x header.d=evil.example header.d={DOMAIN}",
    f'dkim=pass reason="header.d={DOMAIN}" header.d=evil.example',
    f"dkim=pass x-header.d={DOMAIN}",
    f"spf=pass (never closed ; dmarc=pass header.from={DOMAIN}",
)


def test_what_a_sender_chooses_is_never_read_as_a_finding(desk: Desk) -> None:
    for planted in PLANTED:
        assert not desk.proven(f"Authentication-Results: {SERVER}; {planted}", ANNA), planted


RESULTS = ("fail", "none", "neutral", "policy", "temperror", "permerror", "bestguesspass", "passed")


def test_nothing_but_pass_is_a_pass(desk: Desk) -> None:
    ways = ("dmarc={} header.from={}", "dkim={} header.d={}", "auth={} smtp.auth=anna@{}")
    for finding in (way.format(result, DOMAIN) for way in ways for result in RESULTS):
        assert not desk.proven(f"Authentication-Results: {SERVER}; {finding}", ANNA), finding


def test_what_passed_must_be_the_authors_own(desk: Desk) -> None:
    for finding in ("dmarc=pass header.from=evil.example", "dkim=pass header.d=evil.example", "dkim=pass header.d=e",
                    f"dkim=pass header.d=x.{DOMAIN}", f"dkim=pass header.i=@x{DOMAIN}", "auth=pass smtp.auth=x@y.z",
                    "auth=pass smtp.auth=bo", f"spf=pass smtp.mailfrom=anna@{DOMAIN}", f"arc=pass header.d={DOMAIN}",
                    f"iprev=pass; x-dmarc=pass header.from={DOMAIN}"):  # fmt: skip
        assert not desk.proven(f"Authentication-Results: {SERVER}; {finding}", ANNA), finding


def test_a_pass_without_its_domain_counts_only_where_from_shows_one_address(desk: Desk) -> None:
    bare = f"Authentication-Results: {SERVER}; dmarc=pass"
    assert desk.proven(bare, ANNA)
    assert desk.proven(bare, f'From: "anna@{DOMAIN}" <anna@{DOMAIN}>')
    assert not desk.proven(bare, f'From: "x@evil.example" <anna@{DOMAIN}>')


def test_arc_is_other_peoples_word(desk: Desk) -> None:
    for name in ("ARC-Authentication-Results: i=1;", "X-Authentication-Results:", "Authentication-Results-Original:"):
        assert not desk.proven(f"{name} {SERVER}; dmarc=pass header.from={DOMAIN}", ANNA), name


def test_exchange_online_is_believed_without_a_name_and_only_there(desk: Desk) -> None:
    hop = "Received: from A.outlook.com by B.eurprd01.prod.outlook.com; Mon, 2 Mar 2026 09:00:00 +0000"
    said = f"spf=pass (sender IP is 1.2.3.4) smtp.mailfrom={DOMAIN}; dmarc=pass action=none header.from={DOMAIN}"
    failed = f"Authentication-Results: spf=fail smtp.mailfrom=x; dmarc=fail action=none header.from={DOMAIN}"
    inside = "X-MS-Exchange-Organization-AuthAs: Internal"
    assert not desk.proven(hop, f"Authentication-Results: {said}", ANNA)
    assert not desk.proven(inside, ANNA)
    desk.house = replace(desk.house, authserv_id="", exchange_online=True)
    assert desk.proven(hop, f"Authentication-Results: {said}", ANNA)
    assert desk.proven(hop, inside, ANNA)
    assert not desk.proven(hop, failed, f"Authentication-Results: {said}", ANNA)
    assert not desk.proven(hop, f"Authentication-Results: mx.evil.example; {said}", ANNA)
    assert not desk.proven(hop, FOREIGN, f"Authentication-Results: {said}", ANNA)
    assert not desk.proven("X-MS-Exchange-Organization-AuthAs: Anonymous", inside, ANNA)


def test_machines_of_other_domains_are_ours_where_the_operator_names_them(desk: Desk) -> None:
    hop = "Received: from mx by store.bighost.net; Mon, 2 Mar 2026 09:00:00 +0000"
    assert not desk.proven(hop, PASSED, ANNA)
    desk.house = replace(desk.house, relays=("bighost.net",))
    assert desk.proven(hop, PASSED, ANNA)


def test_short_domains_of_a_country_are_one_home() -> None:
    headers = Headers(
        (("received", "from x by mail.abc.se; now"), ("authentication-results", "mx.abc.se; dkim=pass header.d=abc.se"))
    )
    assert read_results(headers, OurServer("mx.abc.se"))
    assert not read_results(headers, OurServer("mx.abd.se"))
    british = Headers((("received", "by mail.evil.co.uk"), ("authentication-results", "mx.abc.co.uk; dkim=pass")))
    assert not read_results(british, OurServer("mx.abc.co.uk"))


def test_the_name_of_a_server_is_suggested_only_where_it_proves_senders() -> None:
    assert author_of_results("MX.abc.se 1; dkim=pass header.d=x.se") == "mx.abc.se"
    assert author_of_results("mx.abc.se; spf=pass smtp.mailfrom=x.se") == ""
    assert author_of_results("spf=pass smtp.mailfrom=x.se; dmarc=pass") == ""
    assert split_statements('a (b;c "d;e" f) "g;h"; i') == ['a   "g;h"', " i"]


def test_with_trust_in_addresses_a_failure_of_dmarc_still_counts(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.house = replace(desk.house, trust_senders="address")
    assert desk.proven(ANNA)
    assert not desk.proven(FAILED, ANNA)
    assert not desk.proven(FAILED, ANNA, *LISTED), "a list header is no way around it"
    assert not desk.proven(ANNA, "From: x@evil.example")


# -- tokens ------------------------------------------------------------------------------------------------------------


def test_a_personal_address_proves_its_reader_and_nobody_else(desk: Desk) -> None:
    mine = desk.ids.reply_address(1, "@anna")
    assert desk.proven(ANNA, to=mine)
    for author in (
        "From: x@evil.example",
        f"From: Bo Ek <bo@{DOMAIN}>",
        f"From: Anna Lind <anna@{DOMAIN}.evil.example>",
    ):
        assert not desk.proven(author, to=mine), author


def test_a_failure_of_dmarc_outweighs_the_personal_address(desk: Desk) -> None:
    assert not desk.proven(FAILED, ANNA, to=desk.ids.reply_address(1, "@anna"))
    assert desk.post(FAILED, ANNA, to=desk.ids.reply_address(1, "@anna")).claims == ()


def test_a_token_of_one_lead_says_nothing_on_another(desk: Desk) -> None:
    other = desk.ids.reply_address(2, "@anna")
    changed = other.replace("+2.", "+1.")
    assert not desk.proven(ANNA, to=changed)
    both = f"To: {desk.ids.reply_address(1, COLLEAGUES)}, {other}"
    verdict = desk.verdict(ANNA, both)
    assert (verdict.lead, verdict.proof) == (1, None)
    verdict = desk.verdict(ANNA, to=other)  # on the thread of bun 1, but sent to the address of bun 2
    assert verdict.lead == 2


def test_guessed_addresses_are_no_tokens(desk: Desk) -> None:
    local, _, domain = SHARED.partition("@")
    for tag in (
        "1",
        "1.aaaaaaaaaaaa",
        "01.aaaaaaaaaaaa",
        "c1.aaaaaaaaaaaa",
        "a1.aaaaaaaaaaaa",
        "p1.aaaaaaaaaaaa",
        "1.x",
        "x",
    ):
        verdict = desk.verdict("From: x@evil.example", f"To: {local}+{tag}@{domain}", "In-Reply-To: <none@x>")
        assert verdict.thread is None and verdict.kind == "request", tag
        assert not desk.proven(ANNA, f"To: {local}+{tag}@{domain}"), tag


def test_a_replayed_mail_does_nothing_twice_and_not_under_another_name(desk: Desk) -> None:
    raw = desk.mail(OWN, PASSED, ANNA, message_id="<first@coll.example>")
    desk.play.deliver(raw)
    assert desk.lead(1).claimants == ("anna",)
    desk.post(OWN, PASSED, ANNA, body="release")
    assert desk.lead(1).claimants == ()
    desk.play.deliver(raw)
    assert desk.lead(1).claimants == (), "the same mail again"
    stripped = raw.replace(PASSED.encode() + b"\r\n", b"").replace(b"<first@", b"<second@")
    desk.play.deliver(stripped)
    assert desk.lead(1).claimants == (), "sent again from outside, under another Message-ID"


def test_a_forwarded_personal_offer_lets_nobody_act_as_its_reader(desk: Desk) -> None:
    token = desk.ids.reply_address(1, "@anna")
    evil = f"Authentication-Results: {SERVER}; dmarc=pass header.from=acme.example"
    assert desk.post(evil, "From: Jo <acme@acme.example>", to=token).claims == (), "a client"
    assert desk.sent("one-of-us") == ["@kim"] or desk.sent("follow-up")
    lead = desk.post(PASSED, f"From: Bo Ek <bo@{DOMAIN}>", to=token)
    assert lead.claimants == ("bo",), "a colleague claims for himself"
    assert not desk.proven(ANNA, to=token), "others know it now, so it proves nothing any more"
    assert desk.proven(PASSED, ANNA, to=token), "who is proven otherwise is still believed"


def test_a_readers_own_machine_gives_nothing_away(desk: Desk) -> None:
    """A vacation notice from a private account to which a colleague forwards their mail."""
    token = desk.ids.reply_address(1, "@anna")
    desk.post("From: anna.private@mail.example", "Auto-Submitted: auto-replied", f"To: {token}", body="I am away.")
    assert desk.proven(ANNA, to=token)


def test_an_address_that_a_client_was_shown_proves_nothing_any_more(desk: Desk) -> None:
    token = desk.ids.reply_address(1, "@anna")
    desk.post(PASSED, ANNA, "To: acme@acme.example", f"Cc: {token}", body="I will call you tomorrow.")
    assert desk.lead(1).claims == ()
    assert not desk.proven(ANNA, to=token)
    assert desk.proven(ANNA, to=desk.ids.reply_address(2, "@anna")), "other buns' addresses are as secret as before"


# -- the question to confirm -------------------------------------------------------------------------------------------


def _question(desk: Desk) -> str:
    return read_message(desk.play.secrets[-1].raw).reply_to[0].address


def test_a_colleague_without_any_proof_can_confirm(desk: Desk) -> None:
    """The secret is the proof: who needs the question can prove themselves in no other way."""
    desk.post(f"From: bo@{HOME}")
    secret = _question(desk)
    lead = desk.post(f"From: bo@{HOME}", to=secret, body="yes")
    assert lead.claimants == ("bo",)
    assert lead.claims[0].at == desk.play.now


def test_only_a_clear_yes_of_the_one_who_was_asked_confirms_and_only_once(desk: Desk) -> None:
    desk.post(f"From: bo@{HOME}")
    secret = _question(desk)
    for fields, body in (
        (("From: x@evil.example",), "yes"),
        ((PASSED, ANNA), "yes"),
        ((f"From: bo@{HOME}",), "what is this?"),
        ((f"From: bo@{HOME}",), "no"),
        ((f"From: bo@{HOME}", "Auto-Submitted: auto-replied"), "yes"),
        ((f"From: bo@{HOME}", f"Authentication-Results: {SERVER}; dmarc=fail header.from={HOME}"), "yes"),
    ):
        assert desk.post(*fields, to=secret, body=body).claims == (), fields
    assert desk.post(f"From: bo@{HOME}", to=secret, body="yes").claimants == ("bo",)
    desk.post(PASSED, f"From: bo@{DOMAIN}", body="release")
    assert desk.post(f"From: bo@{HOME}", to=secret, body="yes").claimants == (), "it was answered"


def test_a_question_expires(desk: Desk) -> None:
    desk.post(f"From: bo@{HOME}")
    secret = _question(desk)
    desk.play.now += timedelta(days=5)
    assert desk.post(f"From: bo@{HOME}", to=secret, body="yes").claims == ()


def test_the_secret_of_one_question_answers_no_other(desk: Desk) -> None:
    desk.post(f"From: bo@{HOME}")
    desk.post(f"From: cy@{DOMAIN}")
    first, second = (read_message(mail.raw).reply_to[0].address for mail in desk.play.secrets[-2:])
    assert desk.post(f"From: bo@{HOME}", to=second, body="yes").claims == ()
    assert desk.ids.read_reply_address(first.replace("+c1.", "+c2."), ()).proven is False  # type: ignore[union-attr]


def test_a_flood_of_forgeries_is_no_flood_of_questions(desk: Desk) -> None:
    for _ in range(30):
        desk.play.deliver(desk.mail(ANNA))
    assert len(desk.play.secrets) <= 5


def test_forged_claims_do_not_use_up_the_question_about_the_true_one(desk: Desk) -> None:
    for _ in range(12):
        desk.play.deliver(desk.mail(f"From: bo@{HOME}"))
    assert len(desk.play.secrets) == 1
    desk.post(f"From: bo@{HOME}", body="pass")
    assert len(desk.play.secrets) == 2, "another word is another question"
    first = read_message(desk.play.secrets[0].raw).reply_to[0].address
    assert desk.post(f"From: bo@{HOME}", to=first, body="yes").claimants == ("bo",)


def test_a_token_proves_nothing_behind_an_address_that_is_not_its_readers(desk: Desk) -> None:
    fields = (f"From: Anna via Crew <{LIST}>", f"X-Original-From: anna@{DOMAIN}", *LISTED)
    assert not desk.proven(*fields, to=desk.ids.reply_address(1, "@anna"))


def test_words_about_no_bun_count_once_they_are_confirmed(desk: Desk) -> None:
    fields = (f"From: bo@{HOME}", f"To: {SHARED}", "In-Reply-To: <none@x>", "Subject: Holiday")
    desk.post(*fields, body="away until 20 March")
    assert "bo" not in {key for key, state in desk.store.people_states().items() if state.away_until}
    desk.post(f"From: bo@{HOME}", to=_question(desk), body="yes")
    assert str(desk.store.people_states()["bo"].away_until) == "2026-03-20"


def test_a_post_that_nobody_has_proven_becomes_a_bun_once_it_is_confirmed(desk: Desk) -> None:
    fields = (f"From: bo@{HOME}", f"To: {SHARED}", "In-Reply-To: <none@x>", "Subject: BUN: Data model of a bank")
    desk.post(*fields, body="They called me: jo@bank.example wants a week of help with a data model.")
    assert [lead.id for lead in desk.store.open_leads()] == [1, 2]
    desk.post(f"From: bo@{HOME}", to=_question(desk), body="yes")
    lead = desk.lead(3)
    assert (lead.own, lead.client, lead.subject) == ("bo", "jo@bank.example", "Data model of a bank")


# -- the list ----------------------------------------------------------------------------------------------------------


def test_the_list_vouches_by_its_signature_and_not_by_its_headers(desk: Desk) -> None:
    signed = f"Authentication-Results: {SERVER}; dkim=pass header.d={DOMAIN}; dmarc=fail header.from={HOME}"
    author = f"From: Bo Ek <bo@{HOME}>"
    assert desk.proven(OWN, signed, author, *LISTED)
    assert not desk.proven(OWN, author, *LISTED)
    assert not desk.proven(OWN, signed, author), "without the list, DMARC has failed"
    assert not desk.proven(OWN, signed.replace(f"d={DOMAIN}", "d=evil.example"), author, *LISTED)


def test_behind_a_list_that_rewrites_from_only_the_list_can_vouch(desk: Desk) -> None:
    munged = f"From: Bo Ek via Crew <{LIST}>"
    dmarc = f"Authentication-Results: {SERVER}; dmarc=pass header.from={DOMAIN}"
    signed = f"Authentication-Results: {SERVER}; dkim=pass header.d={DOMAIN}"
    assert desk.verdict(signed, munged, f"Reply-To: bo@{HOME}", *LISTED).person == "bo"
    assert desk.proven(signed, munged, f"Reply-To: bo@{HOME}", *LISTED)
    assert not desk.proven(dmarc, munged, f"X-Original-From: bo@{HOME}", *LISTED), "DMARC spoke of the list's address"
    assert not desk.proven(dmarc, f"From: <{SHARED}>", f"X-Original-From: bo@{HOME}", "List-Id: <other.example>")


def test_a_poster_who_names_a_colleague_is_not_taken_for_them(desk: Desk) -> None:
    """A list keeps headers that it does not know and adds the poster's own address."""
    signed = f"Authentication-Results: {SERVER}; dkim=pass header.d={DOMAIN}"
    munged = f"From: Someone via Crew <{LIST}>"
    for fields in ((f"X-Original-From: anna@{DOMAIN}", "Reply-To: x@evil.example"),
                   (f"X-Original-From: anna@{DOMAIN}", "X-Original-Sender: x@evil.example"),
                   (f"Reply-To: anna@{DOMAIN}, x@evil.example",)):  # fmt: skip
        verdict = desk.verdict(signed, munged, *fields, *LISTED)
        assert (verdict.person, verdict.proof) == ("", None), fields


def test_a_claim_on_the_list_that_nobody_vouches_for_is_asked_about_and_talk_is_left_alone(desk: Desk) -> None:
    assert desk.post(OWN, ANNA, *LISTED, f"To: {LIST}").claims == ()
    assert desk.sent("confirm") == ["@anna"]
    desk.post(OWN, ANNA, *LISTED, f"To: {LIST}", body="Who is coming for lunch on Friday?")
    assert not desk.play.sent


def test_a_better_proven_copy_counts_after_one_that_was_left_alone(desk: Desk) -> None:
    """Answered to all: the copy through the list comes first, unsigned, and the direct one is proven."""
    desk.post(
        OWN, ANNA, *LISTED, f"To: {LIST}", "In-Reply-To: <none@x>", "Subject: hm", message_id="<twice@coll.example>"
    )
    assert desk.lead(1).claims == ()
    assert desk.post(OWN, PASSED, ANNA, message_id="<twice@coll.example>").claimants == ("anna",)


def test_another_lists_name_is_not_ours(desk: Desk) -> None:
    for name in (f"<x{LIST.replace('@', '.')}>", f"<{LIST.replace('@', '.')}.evil.example>", "crew <other.example>"):
        assert not desk.verdict("From: x@evil.example", f"List-Id: {name}", f"List-Post: <mailto:x{LIST}>").via_list


# -- loops, threads and identities -------------------------------------------------------------------------------------


def test_a_copied_loop_header_hides_nothing_and_captures_no_thread(desk: Desk) -> None:
    ack = next(iter(desk.play.last[1, "client"].message_id.split()))
    reference = ack.strip("<>").partition("@")[0]
    lead = desk.post(
        "From: Jo <acme@acme.example>", f"X-Request-Ref: {reference}", body="One more thing: it is urgent."
    )
    assert "urgent" in lead.letters[-1].text, "a client whose program copies the header"
    alone = (f"To: {SHARED}", "In-Reply-To: <none@x>")
    assert desk.verdict(FAILED, f"From: <{SHARED}>", f"X-Request-Ref: {reference}", *alone).kind == "bulk", "shown"
    assert desk.verdict(f"From: <{SHARED}>", "X-Request-Ref: 1.uaaaaaaaaaaaa.bbbbbbbbbbbb", *alone).kind == "bulk"
    both = (f"From: <{SHARED}>", "From: x@evil.example")
    assert desk.verdict(*both, f"X-Request-Ref: {reference}", *alone).kind != "own"


def test_a_strangers_mail_under_one_of_our_message_ids_captures_no_answer(desk: Desk) -> None:
    offer = desk.play.last[1, "list"].message_id
    desk.play.deliver(desk.mail("From: x@evil.example", "In-Reply-To: <none@x>", f"To: {SHARED}", message_id=offer))
    assert desk.lead(3).client == "x@evil.example"
    assert desk.post(PASSED, ANNA, f"To: {SHARED}", f"In-Reply-To: {offer}").claimants == ("anna",)


def test_a_second_mail_under_a_clients_message_id_takes_nothing_over(desk: Desk) -> None:
    first = desk.lead(1).message_id
    desk.play.deliver(desk.mail("From: x@evil.example", "In-Reply-To: <none@x>", f"To: {SHARED}", message_id=first))
    assert desk.lead(3).client == "x@evil.example"
    answer = desk.verdict("From: Jo <acme@acme.example>", f"To: {SHARED}", f"In-Reply-To: {first}")
    assert answer.lead == 1
    again = desk.mail("From: x@evil.example", "In-Reply-To: <none@x>", f"To: {SHARED}", message_id=first)
    assert triage(Incoming(read_message(again), desk.play.now), desk.house, desk.store).kind == "duplicate"


def test_the_probe_is_known_by_its_code_and_only_from_ourselves(desk: Desk) -> None:
    probe = desk.ids.reply_address(1, "probe")
    assert desk.verdict("From: x@evil.example", f"To: {probe}", "In-Reply-To: <none@x>").kind == "request"
    assert desk.verdict(f"From: <{SHARED}>", f"To: {probe[:-20]}aaaaaa@{DOMAIN}").kind != "own"


# -- clients and commands ----------------------------------------------------------------------------------------------


def test_a_client_never_reaches_a_command(desk: Desk) -> None:
    desk.office.house = replace(desk.house, bounds=Bounds(10_000, 10_000, 10_000, 10_000))
    before = {n: desk.lead(n) for n in (1, 2)}
    for words, scope in itertools.product((*WORDS, "last call", "send", "warm", "undo"), (CLIENT, COLLEAGUES, "@anna")):
        to = desk.ids.reply_address(1, scope)
        desk.post("From: Jo <acme@acme.example>", f"To: {to}", "Subject: Re: [BUN 2] x", body=words)
        assert {mail.kind for mail in desk.play.sent} <= {"follow-up"}, words
    for number, lead in before.items():
        now = desk.lead(number)
        assert (now.status, now.owner, now.claims, now.passes, now.stage, now.pending, now.urgent) == (
            lead.status, lead.owner, lead.claims, lead.passes, lead.stage, lead.pending, lead.urgent
        )  # fmt: skip
    assert not any(state.away_until or state.skills for state in desk.store.people_states().values())


# -- ten thousand ------------------------------------------------------------------------------------------------------


def _judge(desk: Desk, made: Made) -> tuple[Verdict, tuple[Lead, ...]]:
    house = replace(desk.house, exchange_online=True, authserv_id="") if made.exchange else desk.house
    incoming = Incoming(read_message(made.raw), desk.play.now)
    verdict = triage(incoming, house, desk.store)
    decision = decide(incoming, verdict, house, desk.store, desk.office.world())
    assert not decision.people or verdict.proof, made.what
    return verdict, decision.leads


def _accepted(desk: Desk, count: int, seed: int) -> Iterator[str]:
    forger = Forger(desk.ids, seed)
    for _ in range(count):
        made = forger.make()
        verdict, leads = _judge(desk, made)
        if (verdict.person == made.person and verdict.proof) or any(lead.claims or lead.own for lead in leads):
            yield f"{made.what}: {verdict.reason}\n{made.raw.decode('utf-8', 'replace')}"


def _refused(desk: Desk, count: int, seed: int) -> Iterator[str]:
    colleague = Colleague(desk.ids, seed)
    for _ in range(count):
        made = colleague.make()
        verdict, leads = _judge(desk, made)
        claimed = any(claim.who == made.person for lead in leads for claim in lead.claims)
        if verdict.person != made.person or verdict.proof is None or not claimed:
            yield f"{made.what}: {verdict.kind}, {verdict.reason}\n{made.raw.decode('utf-8', 'replace')}"


def test_none_of_three_hundred_forgeries_is_accepted(desk: Desk) -> None:
    assert list(_accepted(desk, 300, 7)) == []


def test_each_of_a_hundred_genuine_mails_is_believed_and_claims(desk: Desk) -> None:
    assert list(_refused(desk, 100, 7)) == []


@pytest.mark.torture
def test_none_of_ten_thousand_forgeries_is_accepted(desk: Desk, fault: Callable[..., None]) -> None:
    wrong = list(_accepted(desk, 10_000, 1))
    assert wrong == []
    fault("trust: forged mails", tries=10_000, note="none accepted")


@pytest.mark.torture
def test_each_of_ten_thousand_genuine_mails_is_believed_and_claims(desk: Desk, fault: Callable[..., None]) -> None:
    wrong = list(_refused(desk, 10_000, 1))
    assert wrong == []
    fault("trust: genuine mails", tries=10_000, note="all believed")


# -- injection ---------------------------------------------------------------------------------------------------------

BREAKS = ("\r\nBcc: x@evil.example", "\nX-Evil: 1", "\rX-Evil: 1", "\u2028X-Evil: 1", "\x85X-Evil: 1", "\x0bX-Evil: 1",
          "\x00X-Evil: 1", "\r\n\r\n<script>alert(1)</script>")  # fmt: skip
HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% for x in y %}{{ lead.client }}{# x"
_KNOWN = """
from to cc reply-to subject message-id in-reply-to references date mime-version content-type
content-transfer-encoding x-request-ref auto-submitted x-auto-response-suppress
"""
KNOWN = frozenset(_KNOWN.split())


def _encoded(text: str, how: str) -> str:
    if how == "b":
        return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="
    return "=?utf-8?q?" + "".join(f"={byte:02X}" for byte in text.encode()) + "?="


def test_no_subject_or_name_adds_a_header_or_a_line_to_any_mail(tmp_path: Path) -> None:
    """Encoded words that decode to line ends, and the separators that some programs take for one."""
    desk = Desk(tmp_path, window="1 hour", list="none")
    sent = []
    for number, planted in enumerate(BREAKS):
        how, other = ("b", "q") if number % 2 else ("q", "b")
        name, subject = _encoded(f"Jo{planted}", how), _encoded(f"Help{planted}", other)
        fields = (
            f"From: {name} <jo@c{number}.example>",
            f"Subject: {subject}",
            "In-Reply-To: <none@x>",
            f"To: {SHARED}",
        )
        desk.play.deliver(desk.mail(*fields, body=f"Can one of you help us with matter {number}?{planted}"))
        lead = max(each.id for each in desk.store.open_leads())
        desk.says(f"bo -> bun {lead}: mine")
        desk.play.deliver(desk.mail(*fields, f"References: {desk.lead(lead).message_id}", body=f"More{planted}"))
    desk.play.move(desk.play.now + timedelta(days=3))
    sent = desk.play.sent
    assert len({mail.kind for mail in sent}) > 5
    for mail in sent:
        parsed = message_from_bytes(mail.raw, policy=email.policy.default)
        names = [name.lower() for name in parsed]
        assert set(names) <= KNOWN, set(names) - KNOWN
        assert len(names) == len(set(names))
        assert not re.search(rb"(?m)^(?:X-Evil|Bcc)", mail.raw.partition(b"\r\n\r\n")[0])
        assert all(ord(letter) > 31 for letter in str(parsed["subject"]))
        assert not parsed.defects


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, [name for name, _ in attrs]))


def test_html_and_templates_in_a_mail_stay_text_in_mails_tray_digest_and_report(tmp_path: Path) -> None:
    desk = Desk(tmp_path, window="1 hour")
    desk.house = desk.office.house = replace(desk.house, show_client="all")
    fields = (f'From: "{HTML}" <jo@evil.example>', f"Subject: {HTML}", "In-Reply-To: <none@x>", f"To: {SHARED}")
    desk.play.sent.clear()
    desk.play.deliver(desk.mail(*fields, body=f"Can one of you help us? {HTML}"))
    desk.says("bo -> bun 3: mine")
    desk.says(f"anna -> bun 3: note {HTML}")
    desk.play.move(desk.play.now + timedelta(days=2))
    pages, world = desk.office.templates, build_world(desk.house, desk.store, desk.play.now)
    digest = weekly_mail(desk.house, desk.store, world, desk.play.now, pages, "")
    desk.office.commit(digest)
    desk.play._settle()
    texts = [render_tray(desk.house, desk.store, world, pages)]
    texts.append(report_html(report(desk.house, desk.store, world, desk.play.now, months=2), desk.house, pages))
    for mail in desk.play.sent:
        message = message_from_bytes(mail.raw, policy=email.policy.default)
        texts += [part.get_content() for part in message.walk() if part.get_content_type() == "text/html"]
    assert len(texts) > 6
    for text in texts:
        tags = _Tags(text).seen
        assert "img" not in {tag for tag, _ in tags}
        assert not any(name.startswith("on") for _, names in tags for name in names)
        assert text.count("<script>") == (1 if 'id="offered"' in text else 0)
    everything = "\n".join(texts)
    assert "{{ 7*7 }}" in everything.replace("&#39;", "'"), "shown letter for letter"
    assert ">49<" not in everything


def test_an_address_that_no_header_of_ours_can_hold_stops_nothing(desk: Desk) -> None:
    """Letters beyond ASCII in addresses, and bytes that are no letters: the bun is offered, its client answered."""
    for number, address in enumerate(
        ("jürgen@beispiel.example", "jo@müller.example", "用户@例子.example", "j\udcff@x.example")
    ):
        desk.play.sent.clear()
        fields = (
            f"From: Jürgen \udcfe <{address}>",
            "In-Reply-To: <none@x>",
            f"To: {SHARED}",
            f"Subject: Hilfe {number}\udcfc",
        )
        raw = "\r\n".join(
            (
                *fields,
                f"Message-ID: <ä{number}\udcff@x>",
                f"Date: {number}",
                "",
                f"Kann uns jemand bei {number} helfen?",
            )
        )
        desk.play.deliver(raw.encode("utf-8", "surrogateescape"))
        assert desk.sent("offer") == ["list"], address
        assert desk.sent("ack") == ["client"], address
        for mail in desk.play.sent:
            assert not message_from_bytes(mail.raw, policy=email.policy.default).defects
        lead = desk.store.open_leads()[-1].id
        desk.play.deliver(desk.mail(PASSED, ANNA, f"To: {desk.ids.reply_address(lead, COLLEAGUES)}"))
        again = desk.mail(*fields[:1], f"To: {desk.ids.reply_address(lead, CLIENT)}", body="One more thing.")
        desk.play.deliver(again)
        desk.play.move(desk.play.now + timedelta(days=1))
    assert not desk.store.quarantined()


# -- bombs -------------------------------------------------------------------------------------------------------------


BOMBS = ("three thousand levels", "five thousand parts", "rich text that unpacks for ever", "90,000 From headers")


def test_a_bomb_is_handled_like_any_mail_and_in_bounded_time(desk: Desk) -> None:
    for name in BOMBS:
        began = time.process_time()
        desk.play.deliver(HOSTILE[name]())
        assert time.process_time() - began < 5.0, name
    desk.says("gamma -> hello: After it | Can one of you still read this after all that?")
    assert any(lead.client == "gamma@gamma.example" for lead in desk.store.open_leads())


def test_an_archive_is_carried_as_it_is_and_never_opened(desk: Desk) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/passwd", b"0" * 20_000_000)
    body = base64.encodebytes(packed.getvalue()).decode()
    raw = (
        f"From: jo@zip.example\r\nTo: {SHARED}\r\nSubject: Files\r\nMessage-ID: <zip@x>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
        "Can you look at these files of ours?\r\n--b\r\nContent-Type: application/zip\r\n"
        'Content-Disposition: attachment; filename="../../../etc/cron.d/x\r\n .zip"\r\n'
        f"Content-Transfer-Encoding: base64\r\n\r\n{body}\r\n--b--\r\n"
    )
    desk.play.deliver(raw.encode())
    (carried,) = desk.lead(3).carried
    kept = [path for path in desk.play.folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 2_000_000
    assert (desk.office.files / carried.sha256).read_bytes() == packed.getvalue()
    assert "/" not in carried.name or not Path(carried.name).is_absolute()


def test_nobody_else_than_the_core_decides_who_is_believed(desk: Desk) -> None:
    """An unclear From proves nobody, whatever else there is: the first line of the rule."""
    from router.trust import Evidence

    message = read_message(desk.mail(PASSED, ANNA, "From: x@evil.example"))
    for evidence in (Evidence(), Evidence(True, True, True)):
        assert prove(message, replace(desk.house, trust_senders="address"), f"anna@{DOMAIN}", evidence) is None
