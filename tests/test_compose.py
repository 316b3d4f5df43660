"""From an intent to bytes: who gets it, what they may know, how an answer comes back, and marks that become HTML."""

from __future__ import annotations

import email
import email.policy
import re
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import quote as percent

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.compose import KINDS, LANGUAGES, TO_CLIENT, Templates, compose
from router.lead import Lead, Letter
from router.marks import (
    clean_line,
    clean_text,
    mark_button,
    mark_fact,
    mark_heading,
    mark_quote,
    mark_reply,
    mark_small,
    mark_title,
    replies,
    to_html,
    to_text,
)
from router.reply import MARKERS
from router.shown import begins_with_greeting, ends_with_name, excerpt, first_name, greeting_name, show_lead, withhold
from router.turn import Mail
from tests.every_mail import (
    CASES,
    NOW,
    OWN,
    REQUEST,
    SOON,
    TAKEN,
    TEAM,
    bun,
    house,
    in_language,
    send,
    templates,
    world,
)
from tests.markup import check_mail

TOKEN = re.compile(r"hello\+[a-z0-9]+\.[a-z2-7]{12}@crisp\.example")


def composed(kind: str, to: str, lead: Lead | None = None, *, plus: bool = True, of: object = None, **facts: object):  # type: ignore[no-untyped-def]
    at = of or house()
    return compose(Mail(kind, to, facts), lead, world(at), at, templates(), plus)  # type: ignore[arg-type]


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(raw: bytes) -> str:
    part = parsed(raw).get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


# -- envelopes -------------------------------------------------------------------------------------------------------


def test_an_offer_goes_to_the_list_once_or_to_everybody_one_by_one() -> None:
    (to_list,) = composed("offer", "list", bun(), closes=SOON)
    assert to_list.recipients == ("all@crisp.example",)
    alone = composed("offer", "list", bun(), of=house(list_address=""), closes=SOON)
    assert [mail.recipients for mail in alone] == [(f"{key}@crisp.example",) for key in ("anna", "bo", "cy", "kim")]
    assert len({mail.message_id for mail in alone}) == 4


def test_each_consultant_answers_to_an_address_of_their_own() -> None:
    alone = composed("offer", "list", bun(), of=house(list_address=""), closes=SOON)
    ids = house().ids
    for mail, key in zip(alone, ("anna", "bo", "cy", "kim"), strict=True):
        token = ids.read_reply_address(parsed(mail.raw)["reply-to"], ("anna", "bo", "cy", "kim"))
        assert token is not None
        assert (token.number, token.scope, token.proven) == (42, f"@{key}", True)


def test_a_client_never_sees_a_consultants_token() -> None:
    for case in CASES:
        if KINDS[case.kind].audience == TO_CLIENT:
            raw = send(case).raw.decode("ascii")
            for address in TOKEN.findall(raw):
                token = house().ids.read_reply_address(address, ("anna", "bo", "cy", "kim"))
                assert token is not None
                assert token.scope == "client", case.name


def test_without_plus_addresses_answers_go_to_the_shared_address() -> None:
    (mail,) = composed("offer", "list", bun(), plus=False, closes=SOON)
    assert parsed(mail.raw)["reply-to"] == "hello@crisp.example"
    assert "mailto:hello@crisp.example?" in mail.raw.decode("ascii").replace("=\r\n", "")


def test_the_handover_brings_client_and_team_together() -> None:
    (mail,) = composed("handover", "client", TEAM, owner="anna", team=("Anna Berg", "Bo Ek"))
    message = parsed(mail.raw)
    assert message["to"] == "Maria Ek <maria@acme.example>"
    assert message["cc"] == "Anna Berg <anna@crisp.example>, Bo Ek <bo@crisp.example>"
    assert message["reply-to"].startswith("anna@crisp.example, hello+42.")
    assert mail.recipients == ("maria@acme.example", "anna@crisp.example", "bo@crisp.example")
    assert (message["in-reply-to"], message["references"]) == ("<one@acme.example>", "<one@acme.example>")


def test_what_is_for_nobody_we_know_is_no_mail() -> None:
    assert composed("nudge", "@gone", TAKEN) == []
    assert composed("ack", "client", bun(client=""), by=SOON) == []
    assert composed("alert", "operator", of=house(operator=""), what="poison", detail="") == []


def test_the_same_intent_has_the_same_message_id_for_ever() -> None:
    first, again = (composed("ack", "client", bun(), by=SOON)[0] for _ in range(2))
    assert (first.message_id, first.raw) == (again.message_id, again.raw)
    everything = [send(case).message_id for case in {case.kind: case for case in CASES}.values()]
    assert len(set(everything)) == len(everything)


def test_a_machines_mail_says_so_and_a_persons_own_words_do_not() -> None:
    for kind, submitted in (("ack", "auto-replied"), ("no", "auto-generated")):
        (mail,) = composed(kind, "client", bun(), by=SOON)
        assert parsed(mail.raw)["auto-submitted"] == submitted
    (word,) = composed("word", "client", TAKEN, text="I will call you.", name="Anna Berg")
    assert parsed(word.raw)["auto-submitted"] is None


# -- languages -------------------------------------------------------------------------------------------------------


def test_a_client_is_answered_in_their_language_and_a_consultant_in_theirs() -> None:
    (ack,) = composed("ack", "client", bun(language="fr"), by=SOON)
    assert text_of(ack.raw).startswith("Bonjour Maria,")
    of = house()
    members = {**of.members, "bo": replace(of.members["bo"], language="de")}
    of = replace(of, members=members, list_address="", languages=("en",))
    texts = [text_of(mail.raw) for mail in composed("offer", "list", bun(), of=of, closes=SOON)]
    assert [text.split("\n")[0] for text in texts] == [MARKERS["en"], MARKERS["de"], MARKERS["en"], MARKERS["en"]]


def test_a_language_without_templates_falls_back_to_the_collectives_first() -> None:
    (ack,) = composed("ack", "client", bun(language="ja"), of=house(languages=("sv", "en")), by=SOON)
    assert text_of(ack.raw).startswith("Hej Maria,")


def test_an_unknown_name_in_a_template_is_an_error_and_never_a_blank() -> None:
    broken = Templates({"en/ack": "Subject: x\n\n{{ nothing }}"})
    with pytest.raises(jinja2.UndefinedError):
        compose(Mail("ack", "client", {}), bun(), world(house()), house(), broken, False)


# -- what its reader may know ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("show", "shown", "hidden"),
    [
        ("none", (), ("Maria", "acme.example", "+46", "123 45 67")),
        ("name", ("Maria Ek (acme.example)",), ("maria@acme.example", "+46 70", "123 45 67")),
        ("all", ("Maria Ek <maria@acme.example>", "+46 70 123 45 67"), ()),
    ],
)
def test_an_offer_tells_of_the_client_what_is_configured(
    show: str, shown: tuple[str, ...], hidden: tuple[str, ...]
) -> None:
    lead = bun(letters=(Letter(NOW, "client", "Call Maria on 070-123 45 67!"),))
    for kind in ("offer", "second-call", "last-call"):
        (mail,) = composed(kind, "list", lead, of=house(show_client=show), closes=SOON, by=SOON)
        text = text_of(mail.raw)
        assert all(each in text for each in shown), text
        assert not any(each in text for each in hidden), text


def test_the_award_shows_everything() -> None:
    of = house(show_client="none")
    (mail,) = composed("handover-owner", "@anna", TAKEN, of=of, owner="anna", team=("Anna Berg",))
    assert all(each in text_of(mail.raw) for each in ("Maria Ek", "maria@acme.example", "+46 70 123 45 67"))
    (late,) = composed("late-claim", "@bo", TAKEN, of=of, name="Bo Ek", received=NOW)
    assert "maria" not in text_of(late.raw).lower()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Call +46 (0)70-123 45 67 or 08/123 456.", "Call […] or […]."),
        ("Mail a.b+c@mail.example.co.uk today", "Mail […] today"),
        ("40,000 lines in 2027, from 12 to 30 April", "40,000 lines in 2027, from 12 to 30 April"),
        ("invoice 2027-03-02, room 12", "invoice […], room 12"),
    ],
)
def test_withholding_takes_addresses_and_numbers_out(text: str, left: str) -> None:
    """A date with eight digits goes with the phone numbers: better a date too few than a number too many."""
    assert withhold(text) == left


def test_a_reader_is_told_who_they_are_to_the_bun() -> None:
    (mine,) = composed("follow-up", "@anna", TAKEN, text="Hello?")
    (theirs,) = composed("follow-up", "@bo", TEAM, text="Hello?")
    assert "It is yours to answer" in text_of(mine.raw)
    assert "Anna Berg has it" in text_of(theirs.raw)


# -- drafts and times ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("kind", "facts"),
    [("ack", {"by": SOON}), ("no", {"text": "", "because": "thrown"}), ("reheat", {"because": "window", "by": SOON})],
)
def test_a_draft_shows_exactly_what_would_go_to_the_client(kind: str, facts: dict[str, object], language: str) -> None:
    lead = replace(OWN, language=language)
    (sent,) = composed(kind, "client", lead, **facts)
    (draft,) = composed("draft", "@anna", lead, about=kind, facts=facts)
    quoted = [line[1:].strip() for line in text_of(draft.raw).split("\n") if line.startswith(">")]
    assert quoted == [line.strip() for line in text_of(sent.raw).strip().split("\n")]


def test_a_time_told_to_a_client_is_rounded_up_to_the_quarter() -> None:
    (mail,) = composed("ack", "client", bun(), by=NOW.replace(hour=13, minute=1) + timedelta(days=1))
    assert "by Wednesday 14:15 at the latest" in text_of(mail.raw)
    (exact,) = composed("ack", "client", bun(), by=NOW.replace(hour=13, minute=15) + timedelta(days=1))
    assert "by Wednesday 14:15 at the latest" in text_of(exact.raw)


def test_a_long_request_is_shown_in_part_above_the_words_and_whole_below() -> None:
    long = REQUEST + "\n\n" + "careful reading is what we want. " * 120 + "The last word."
    (mail,) = composed("offer", "list", bun(text=long), closes=SOON)
    text = text_of(mail.raw)
    above, _, below = text.partition("  mine – ")
    assert "The last word." not in above
    assert len(above) < 2200
    assert "The last word." in below
    assert excerpt("short") == "short"


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Maria Ek", "Maria Ek"),
        ("Jean-Luc d’Or", "Jean-Luc d’Or"),
        ("maria@acme.example", ""),
        ("Ek, Maria", ""),
        ("ACME Purchasing / Stockholm", ""),
        ("x" * 60, ""),
        ("", ""),
    ],
)
def test_only_what_looks_like_a_name_is_greeted_by_it(name: str, greeted: str) -> None:
    assert greeting_name(name) == greeted


@pytest.mark.parametrize(
    ("name", "address", "greeted"),
    [
        ("Maria Ek", "maria.ek@acme.example", "Maria"),
        ("Maria Ek", "mariaek@acme.example", "Maria"),
        ("Örjan Å Ek", "orjan@acme.example", "Örjan"),
        ("Jean-Luc d’Or", "jeanluc@acme.example", "Jean-Luc"),
        ("Maria Ek", "mek@acme.example", "Maria Ek"),
        ("Acme Purchasing", "info@acme.example", "Acme Purchasing"),
        ("Acme Purchasing", "", "Acme Purchasing"),
        ("Maria", "maria@acme.example", "Maria"),
        ("漢 字", "maria@acme.example", "漢 字"),
        ("", "maria@acme.example", ""),
    ],
)
def test_a_first_name_is_one_that_the_address_shows(name: str, address: str, greeted: str) -> None:
    assert first_name(name, address) == greeted


def test_spanish_joins_names_as_they_sound() -> None:
    (back,) = composed(
        *("back", "list", bun()), of=in_language("es", house()), closes=SOON, interested=("Bo Ek", "Ingrid Dahl")
    )
    assert "Bo Ek e Ingrid Dahl ya la querían" in text_of(back.raw)


def test_greetings_and_signatures_are_recognised() -> None:
    assert all(begins_with_greeting(text) for text in ("Hi Maria,\n…", "Sehr geehrte Frau Ek", "Hola, Maria", "hej!"))
    assert not any(begins_with_greeting(text) for text in ("We are full.", "", "Maria, we are full"))
    assert ends_with_name("We are full.\n\n/Anna", "Anna Berg")
    assert not ends_with_name("Anna is full.\n\nIt will be June.\n\nSorry.", "Anna Berg")
    assert not ends_with_name("We are full.", "")


# -- marks -----------------------------------------------------------------------------------------------------------

_MARKED = "\n".join(
    (
        mark_title("Rust <wanted>"),
        "",
        "Somebody & Co write:",
        mark_quote("> old\nnew\n\n\tcode"),
        mark_fact("Came in", "today"),
        mark_reply("mine", "you want it", main=True),
        mark_reply("award Anna Berg", "3 in 90 days", "Anna Berg"),
        mark_button("5"),
        mark_small("small print"),
    )
)


def _mailto(word: str, subject: str) -> str:
    return f"mailto:x@y.example?subject={percent(subject or 'Re')}&body={percent(word)}"


def test_marks_become_plain_lines() -> None:
    assert to_text(_MARKED).split("\n") == [
        "Rust <wanted>",
        "",
        "Somebody & Co write:",
        "> > old",
        "> new",
        ">",
        "> \tcode",
        "Came in: today",
        "  mine – you want it",
        "  award Anna Berg – 3 in 90 days",
        "small print",
        "",
    ]
    assert replies(_MARKED) == ("mine", "award Anna Berg", "5")


def test_marks_become_simple_html() -> None:
    html = to_html(_MARKED, _mailto, "en", "A & B")
    check_mail(html)
    assert "<title>A &amp; B</title>" in html
    assert "Rust &lt;wanted&gt;" in html
    assert re.findall(r'href="([^"]*)"[^>]*>([^<]*)<', html) == [
        ("mailto:x@y.example?subject=Re&amp;body=mine", "Mine"),
        ("mailto:x@y.example?subject=Re&amp;body=award%20Anna%20Berg", "Anna Berg"),
        ("mailto:x@y.example?subject=Re&amp;body=5", "5"),
    ]
    assert html.count("#8f4a0e") == 3, "one button stands out: its ground, for old and new programs, and its border"


_ANY = st.text(st.characters(codec="utf-8"), max_size=300)


@settings(max_examples=60, deadline=None)
@given(_ANY, _ANY)
def test_no_text_from_outside_writes_a_mark_a_tag_or_a_line(text: str, more: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", clean_text(text))
    assert "\n" not in clean_line(text)
    assert len(clean_line(text * 40)) <= 200
    marked = "\n".join(
        (
            *(mark_title(text), mark_heading(more), mark_quote(more), mark_fact(text, more)),
            *(mark_reply(clean_line(more) or "x", text), mark_small(more)),
        )
    )
    check_mail(to_html(marked, _mailto, "en", clean_line(text) or "—"))
    assert len(to_text(marked).split("\n")) <= 8 + clean_text(more).count("\n")


def test_a_lead_is_shown_clean_and_short() -> None:
    at = house()
    shown = show_lead(bun(subject="a\r\nb\u202e" * 300, text="x" * 70_000), world(at), at, "en", withheld=True)
    assert len(shown.subject) == 200
    assert "\n" not in shown.subject and "\u202e" not in shown.subject
    assert len(shown.text) <= 12_000
    assert (shown.tag, shown.who) == ("[BUN 42]", "Maria Ek (acme.example)")
