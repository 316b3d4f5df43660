"""The weekly digest: its facts, its mails, and that it stays cheap."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import jinja2
import pytest

from router.compose import LANGUAGES, compose
from router.digest import Digest, first_word_at, freshness, percentile, text_facts, weekly, weekly_mail
from router.happiness import Answer, file_answer, history, month_asked, read_answer, slot_of, to_doc
from router.house import House, Member
from router.ids import Ids
from router.lead import Claim, Event, Lead, Pass, Status
from router.marks import to_text
from router.people import build_world
from router.report import report, report_html
from router.start import read_templates
from router.turn import Mail, World
from router.view import EmptyView
from router.worktime import Calendar
from tests.markup import check_mail

TEMPLATES = read_templates(None)
NOW = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)  # a Monday, 09:00 in Stockholm
PEOPLE = {"anna": "Anna Berg", "bo": "Bo Ek", "cy": "Cy Falk", "di": "Di Gren"}


def house(**more: Any) -> House:
    members = {
        key: Member(key, name, (f"{key}@bunhouse.example",), skills=("Rust", "data") if key == "bo" else ("web",))
        for key, name in PEOPLE.items()
    }
    base = House(
        name="The Bun House",
        address="hello@bunhouse.example",
        ids=Ids(b"k" * 32, "inst", "hello@bunhouse.example"),
        calendar=Calendar("Europe/Stockholm", country="SE"),
        members=members,
        list_address="list@bunhouse.example",
        keeper="di",
    )
    return replace(base, **more)


class Books(EmptyView):
    """A store of a few leads: what reports and pages ask of it."""

    def __init__(self, leads: Iterable[Lead] = (), answers: Iterable[dict[str, Any]] = ()) -> None:
        self._leads, self._answers = tuple(leads), tuple(answers)

    def leads(self) -> Iterator[Lead]:
        return iter(self._leads)

    def open_leads(self) -> tuple[Lead, ...]:
        return tuple(lead for lead in self._leads if lead.is_open)

    def scan(self, table: str) -> Iterator[tuple[int, dict[str, Any]]]:
        return iter(enumerate(self._answers) if table == "happiness" else ())

    def taken_since(self, moment: datetime) -> dict[str, int]:
        out: dict[str, int] = {}
        for lead in self._leads:
            if lead.taken_at and lead.taken_at >= moment:
                out[lead.owner] = out.get(lead.owner, 0) + 1
        return out


def lead(number: int, days: float, status: Status = Status.OFFERED, owner: str = "di", **more: Any) -> Lead:
    """A lead that came in so many days before NOW."""
    opened = NOW - timedelta(days=days)
    base = Lead(
        id=number,
        subject=f"Request {number}",
        status=status,
        owner=owner,
        opened=opened,
        offered_at=opened,
        client=f"client{number}@acme{number}.example",
        client_name="Maria Ek",
        stage="window" if status == Status.OFFERED else "",
        text="We need help.",
        events=(Event(opened, "came in", "client", "from somebody"),),
    )
    return replace(base, **more)


def world(books: Books, where: House | None = None, now: datetime = NOW) -> World:
    return build_world(where or house(), books, now)


def words_of(language: str) -> object:
    return jinja2.Environment(autoescape=False).from_string(TEMPLATES.sources[f"{language}/_pages"]).module


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


CONTESTED = lead(4, 4, Status.CONTESTED, claims=(Claim("anna", days_ago(3.9)), Claim("bo", days_ago(3.8))))
SILENT = lead(5, 10, Status.TAKEN, "anna", team=("anna",), taken_at=days_ago(7), claims=(Claim("anna", days_ago(9)),))
WEEK = (
    lead(1, 0.01),
    lead(2, 3.7, stage="cooling"),
    lead(3, 6, stage="dry", subject="Evil\r\nBcc: x\x1b[31m <b>"),
    CONTESTED,
    SILENT,
    lead(6, 6, Status.EATEN, "bo", team=("bo",), ended_at=days_ago(2), taken_at=days_ago(4), passes=()),
    lead(7, 9, Status.THROWN, ended_at=days_ago(3), ended_as="dry"),
    lead(8, 9, Status.THROWN, "cy", ended_at=days_ago(3.2), ended_as="lost", taken_at=days_ago(8)),
    lead(9, 12, Status.COOKIE, ended_at=days_ago(10), ended_as="cookie"),
    lead(10, 2, Status.DOUGH, passes=(Pass("cy", days_ago(1)),)),
)


def digest_of(leads: Iterable[Lead] = WEEK, reader: str = "", where: House | None = None, **more: Any) -> Digest:
    where, books = where or house(), Books(leads, **more)
    return weekly(where, books, world(books, where), NOW, reader=reader)


def said(digest: Digest, language: str = "en") -> str:
    _, marked = TEMPLATES.render(language, "digest", text_facts(house(), digest=replace(digest, language=language)))
    return to_text(marked)


def test_open_buns_stand_by_freshness_the_driest_first() -> None:
    digest = digest_of()
    assert [(bun.lead.id, bun.freshness) for bun in digest.buns] == [(3, "dry"), (2, "cooling"), (1, "fresh")]
    assert (digest.offered, digest.dry, digest.taken) == (3, 1, 1)
    assert [bun.lead.id for bun in digest.contested] == [4]
    assert [bun.lead.id for bun in digest.dough] == [10]


def test_freshness_runs_from_the_opening_in_working_time() -> None:
    """Offered on Friday noon, it is fresh on Monday morning: a weekend dries nothing."""
    friday = lead(1, 2.9)
    assert freshness(friday, world(Books())) == "fresh"
    assert freshness(friday, world(Books(), now=NOW + timedelta(days=1))) == "cooling"
    assert freshness(friday, world(Books(), now=NOW + timedelta(days=2))) == "dry"


def test_a_taken_bun_is_silent_until_its_owner_says_a_word() -> None:
    assert [bun.lead.id for bun in digest_of().silent] == [5]
    assert digest_of([replace(SILENT, word_at=days_ago(1))]).silent == ()
    later = replace(SILENT, timers={"nudge": NOW + timedelta(days=20)})
    assert digest_of([later]).silent == (), "“warm until” names a later date"


def test_the_week_is_held_against_the_week_before() -> None:
    digest = digest_of()
    assert {name: (pair.now, pair.before) for name, pair in digest.ended.items()} == {
        "eaten": (1, 0),
        "thrown": (1, 0),
        "lost": (1, 0),
        "withdrawn": (0, 0),
        "cookie": (0, 1),
    }
    assert (digest.came.now, digest.came.before) == (6, 4)
    assert digest.to_owner[0].count == 2
    assert digest.to_owner[1].count == 1


def test_median_and_ninetieth_percentile_are_times_somebody_really_waited() -> None:
    spans = [timedelta(hours=n) for n in range(1, 11)]
    assert percentile(spans, 50) == timedelta(hours=5)
    assert percentile(spans, 90) == timedelta(hours=9)
    assert percentile(spans[:1], 90) == timedelta(hours=1)


def test_the_first_word_is_a_colleagues_and_no_machines() -> None:
    events = (
        Event(days_ago(3), "came in through a colleague", "anna"),
        Event(days_ago(2.9), "auto-reply", "cy"),
        Event(days_ago(2.8), "client writes", "client"),
        Event(days_ago(1), "note", "operator, as bo"),
    )
    assert first_word_at(replace(lead(1, 3), events=events)) == days_ago(1)
    assert first_word_at(lead(1, 3)) is None


def test_an_empty_week_is_one_line() -> None:
    text = said(digest_of(()))
    assert text.count("\n") == 1
    assert "9–15 March: nothing is open" in text


def test_nobody_is_ranked_and_money_is_not_spoken_of() -> None:
    """People stand in the order of the roster, however much they carry (rule 9)."""
    digest = digest_of()
    assert [load.name for load in digest.load] == list(PEOPLE.values())
    assert {load.name: load.taken for load in digest.load} == {"Anna Berg": 1, "Bo Ek": 1, "Cy Falk": 1, "Di Gren": 0}
    assert not re.search(r"fee|€|\$|revenue|rank", said(digest), re.I)


def test_who_is_free_who_is_away_and_until_when() -> None:
    members = dict(house().members)
    members["cy"] = replace(members["cy"], away=(("2026-03-10", "2026-03-20"),))
    members["di"] = replace(members["di"], available="2026-03-03")
    free = {each.name: each for each in digest_of(where=house(members=members)).free}
    assert "Anna Berg" not in free, "she has a bun"
    assert (free["Cy Falk"].away, str(free["Cy Falk"].until)) == (True, "2026-03-21")
    assert free["Di Gren"].days == 13


def test_one_by_one_each_reads_of_their_own_buns_and_claims() -> None:
    where, books = house(list_address=""), Books(WEEK)
    decision = weekly_mail(where, books, world(books, where), NOW, TEMPLATES)
    mails = {mail.to: mail for mail, _ in decision.mails}
    assert set(mails) == {f"@{key}" for key in PEOPLE}
    personal = mails["@anna"].facts["digest"].personal
    assert [bun.lead.id for bun in personal.owns] == [5]
    assert [bun.lead.id for bun in personal.claims] == [4]
    assert "You asked for" in mails["@anna"].facts["html"]


def test_the_list_gets_one_digest_and_its_slot_makes_the_message_id_its_own() -> None:
    books = Books(WEEK)
    ((mail, lead_),) = weekly_mail(house(), books, world(books), NOW, TEMPLATES).mails
    assert (mail.kind, mail.to, lead_, mail.facts["slot"]) == ("digest", "list", None, NOW.isoformat())
    (sent,) = compose(mail, None, world(books), house(), TEMPLATES, False)
    assert sent.recipients == ("list@bunhouse.example",)


def test_bounced_mail_of_others_is_named_with_its_reason() -> None:
    event = Event(days_ago(1), "mail came back", "mailer@x.example", "cy@bunhouse.example: 550 mailbox full")
    stranger = Event(days_ago(1), "mail came back", "router", "client1@acme1.example: 550 no such user")
    digest = digest_of([lead(1, 2, events=(event, event, stranger))])
    assert [(each.name, each.count, each.reason) for each in digest.back] == [("Cy Falk", 2, "550 mailbox full")]


def test_nothing_a_client_writes_becomes_markup_or_a_second_line() -> None:
    books = Books(WEEK)
    html = weekly_mail(house(), books, world(books), NOW, TEMPLATES).mails[0][0].facts["html"]
    assert "Evil Bcc: x[31m &lt;b&gt;" in html
    check_mail(html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_whole_digest(language: str) -> None:
    """No template is missing, and none falls back to another language."""
    answers = [{"month": "2026-02", "score": n, "line": "fine"} for n in (3, 4, 5)]
    where = house(languages=(language,), happiness="anonymous")
    digest = digest_of(where=where, reader="anna", answers=answers)
    subject, _ = TEMPLATES.render(language, "digest", text_facts(where, digest=digest))
    text = said(digest, language)
    words = words_of(language).t  # type: ignore[attr-defined]
    for each in ("offer", "contested", "silent", "happened", "people", "load", "happy", "yours"):
        assert f"\n{words[each]}\n" in text, each
    assert "The Bun House" in subject
    assert language == "en" or "week before" not in text
    where = replace(where, list_address="", happiness="named")
    books = Books(WEEK, [{"month": "2026-02", "score": 4, "line": "<b>fine</b>", "who": "anna"}])
    for mail, _ in weekly_mail(where, books, world(books, where), NOW, TEMPLATES).mails:
        read = check_mail(mail.facts["html"])
        assert {"2026", "<b>fine</b>"} <= set(read.words)


def test_an_open_bun_says_what_happens_next_and_when() -> None:
    bun = replace(CONTESTED, timers={"mediate": NOW + timedelta(hours=6), "fallback": NOW + timedelta(days=2)})
    assert "the mediator helps today (Monday) 15:00" in said(digest_of([bun]))
    assert "die Vermittlung hilft heute (Montag), 15:00 Uhr" in said(
        digest_of([bun], where=house(languages=("de",))), "de"
    )


def test_the_collectives_own_words_run_through_digest_and_report() -> None:
    words = {"bun": "bulle", "dough": "deg", "cookie": "smula", "BUN": "BULLE", "DOU": "DEG"}
    where, books = house(words=words), Books(WEEK)
    mail = weekly_mail(where, books, world(books, where), NOW, TEMPLATES).mails[0][0]
    (sent,) = compose(mail, None, world(books, where), where, TEMPLATES, False)
    pages = (mail.facts["html"], report_html(report(where, books, world(books, where), NOW), where, TEMPLATES))
    for text in (*pages, message_from_bytes(sent.raw, policy=policy.default).get_body(("plain",)).get_content()):  # type: ignore[union-attr]
        assert "[BULLE 7]" in text
        assert not re.search(r"\b(BUN|DOU|buns?|dough)\b", re.sub(r"The Bun House|bunhouse", "", text)), text
    assert "[DEG 10]" in pages[0] and ">Deg</h2>" in pages[0]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_words(language: str) -> None:
    module, english = (words_of(each) for each in (language, "en"))
    for name in ("t", "fresh", "source", "reason", "tray", "timers", "ended"):
        ours, theirs = getattr(module, name), getattr(english, name)
        assert set(ours) == set(theirs), name
        assert {key: each.count("%s") for key, each in ours.items()} == {k: v.count("%s") for k, v in theirs.items()}


# -- happiness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "score", "line"),
    [
        ("4", 4, ""),
        ("4/5 a good client", 4, "a good client"),
        ("5!\nBest month in years", 5, "Best month in years"),
        (" 2 - too long on the bench", 2, "too long on the bench"),
        ("(3)", 3, ""),
        ("4 av 5", 4, ""),
        ("3\n\nbecause\nof x", 3, "because of x"),
    ],
)
def test_an_answer_is_a_number_and_a_line(text: str, score: int, line: str) -> None:
    assert read_answer(text) == Answer(score, line)


@pytest.mark.parametrize("text", ["", "6", "0", "42", "4.5", "3,5", "happy", "I am at 4", "2026-03-01", "1/2"])
def test_what_is_no_number_from_one_to_five_is_no_answer(text: str) -> None:
    assert read_answer(text) is None


def test_anonymous_answers_hold_nobody_and_no_time() -> None:
    filed = file_answer(Answer(4, "good"), "anna", "2026-03", house(happiness="anonymous"))
    assert to_doc(filed) == {"month": "2026-03", "score": 4, "line": "good"}
    again = file_answer(Answer(2), "anna", "2026-03", house(happiness="anonymous"))
    assert filed.mark == again.mark, "a second answer replaces the first"
    assert filed.mark != file_answer(Answer(4), "bo", "2026-03", house()).mark
    assert to_doc(file_answer(Answer(4), "anna", "2026-03", house(happiness="named")))["who"] == "anna"


def test_fewer_than_three_anonymous_answers_are_only_counted() -> None:
    docs = [{"month": "2026-02", "score": 1, "line": "secret"}, {"month": "2026-02", "score": 5}]
    (month,) = history(docs, {})
    assert (month.count, month.mean, month.voices) == (2, None, ())
    (month,) = history([*docs, {"month": "2026-02", "score": 3}], {})
    assert (month.mean, [voice.score for voice in month.voices]) == (3.0, [5, 3, 1])
    (month,) = history([{"month": "2026-02", "score": 1, "who": "anna"}], {"anna": "Anna Berg"})
    assert month.voices[0].name == "Anna Berg"


def test_an_answer_belongs_to_the_month_whose_question_it_answers() -> None:
    """The ids follow from person and month; nothing is remembered."""
    where, books = house(happiness="named"), Books()
    mail = Mail("happiness", "@anna", {"slot": slot_of(NOW, where)})
    (sent,) = compose(mail, None, world(books, where), where, TEMPLATES, False)
    ids = ("<other@x.example>", sent.message_id)
    assert month_asked(ids, "anna", NOW + timedelta(days=40), where) == "2026-03"
    assert month_asked(ids, "bo", NOW, where) == ""
    assert month_asked(ids, "anna", NOW + timedelta(days=120), where) == ""
    assert month_asked(ids[:1], "anna", NOW, where) == ""
