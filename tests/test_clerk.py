"""What has a calendar, and what the operator asks for: done once, also when it was missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from router import happiness
from router.almanac import Almanac, Daily, Every, Monthly, Weekly
from router.clerk import Clerk, leave_request
from router.config import load
from router.lead import Status
from router.message import read_message
from router.office import Office
from router.worktime import Calendar
from tests.dialogue import MEMBERS, SHARED, Play, Reader

ZONE = ZoneInfo("Europe/Stockholm")
CONFIG = """\
[collective]
name = "The Collective"
address = "hello@coll.example"
list = "crew@coll.example"
keeper = "kim"
happiness = "anonymous"
[imap]
host = "127.0.0.1"
security = "plain"
user = "x"
password_env = "NOT_NEEDED"
[smtp]
host = "127.0.0.1"
security = "plain"
[hours]
timezone = "Europe/Stockholm"
[[consultant]]
key = "kim"
name = "Kim Keeper"
addresses = ["kim@coll.example"]
"""


def at(day: str, clock: str) -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).astimezone(UTC)


def test_a_weekly_moment_is_the_latest_that_has_passed() -> None:
    weekly = Weekly(0, time(8))
    assert weekly.last(at("2026-03-02", "07:59"), ZONE) == at("2026-02-23", "08:00")
    assert weekly.last(at("2026-03-02", "08:00"), ZONE) == at("2026-03-02", "08:00")
    assert weekly.last(at("2026-03-08", "23:00"), ZONE) == at("2026-03-02", "08:00")


def test_a_weekly_moment_keeps_its_hour_over_the_change_of_clocks() -> None:
    assert Weekly(0, time(8)).last(at("2026-03-30", "12:00"), ZONE) == at("2026-03-30", "08:00")


def test_a_monthly_and_a_daily_moment() -> None:
    assert Monthly(15, time(8)).last(at("2026-03-02", "09:00"), ZONE) == at("2026-02-15", "08:00")
    working = Daily(time(9), Calendar("Europe/Stockholm", country="SE"))
    assert working.last(at("2026-03-08", "12:00"), ZONE) == at("2026-03-06", "09:00")  # a Sunday: Friday's


def test_what_was_missed_is_due_once_and_nothing_is_due_between_ticks() -> None:
    almanac = Almanac({"digest": Weekly(0, time(8)), "often": Every(timedelta(hours=1))}, ZONE)
    done: dict[str, datetime] = {"digest": at("2026-02-02", "08:00"), "often": at("2026-03-02", "08:30")}
    due = almanac.due(at("2026-03-02", "08:45"), done.get)
    assert [(name, moment) for name, moment in due] == [("digest", at("2026-03-02", "08:00"))]
    assert almanac.due(at("2026-03-02", "08:46"), done.get) == []


@pytest.fixture
def played(tmp_path: Path) -> tuple[Play, Clerk]:
    play = Play(tmp_path)
    office = play.open()
    (tmp_path / "config.toml").write_text(CONFIG)
    settings = load(tmp_path / "config.toml")
    office.house = replace(office.house, happiness="anonymous")
    return play, Clerk(settings, office)


def test_a_digest_missed_while_down_is_sent_once_on_return(played: tuple[Play, Clerk]) -> None:
    play, clerk = played
    clerk.tick()
    play._settle()
    assert not [mail for mail in play.sent if mail.kind == "digest"], "a first start makes up for nothing"
    play.now = play.now + timedelta(days=23)
    for _ in range(3):
        clerk.almanac._tick()
        clerk.tick()
        play._settle()
    assert len([mail for mail in play.sent if mail.kind == "digest"]) == 1


def test_what_is_typed_at_the_router_is_said_in_the_persons_name_and_the_history_tells(
    played: tuple[Play, Clerk],
) -> None:
    play, clerk = played
    Reader(play)._act("acme -> hello: Rust review | Can one of you review our Rust code next week?", 1)
    office: Office = clerk.office
    answer = leave_request(office.store.path, {"do": "say", "lead": 1, "words": "mine", "as": "bo"})
    assert clerk.take_requests()
    assert "Noted: you would like it" in answer.read_text()
    lead = office.store.lead(1)
    assert lead is not None and lead.claimants == ("bo",)
    assert lead.events[-1].who == "operator, as bo"
    assert not list(clerk.requests.glob("*.json"))


def test_a_request_that_makes_no_sense_is_answered_in_words(played: tuple[Play, Clerk]) -> None:
    _, clerk = played
    for request in (
        {"do": "dance"},
        {"do": "say", "lead": 9, "words": "mine", "as": "bo"},
        {"do": "retry", "number": 3},
    ):
        assert len(clerk.answer(request)) > 10
    path = leave_request(clerk.store.path, {"no": "verb"})
    clerk.take_requests()
    assert "could not be read" in path.read_text()


def test_an_answer_to_the_monthly_question_is_kept_once_and_without_a_name(played: tuple[Play, Clerk]) -> None:
    play, clerk = played
    clerk._happiness(play.now)
    play._settle()
    question = next(mail for mail in play.sent if mail.kind == "happiness" and mail.to == "@bo")
    for text in ("4 a good client", "5 / even better"):
        Reader(play).post("bo", SHARED, "Re: How happy are you?", text, answers=question)
    docs = [doc for _, doc in clerk.store.scan("happiness")]
    assert [doc["score"] for doc in docs] == [5]
    assert "bo" not in str(docs)
    assert happiness.from_doc(docs[0]).month == "2026-03"


def test_offers_past_a_bound_go_out_together_and_their_clocks_start(played: tuple[Play, Clerk]) -> None:
    play, clerk = played
    office = clerk.office
    office.house = replace(office.house, bounds=replace(office.house.bounds, per_address=2))
    reader = Reader(play)
    for number in range(5):
        reader._act(f"client{number} -> hello: Matter {number} | Can one of you help us with matter {number}?", number)
    offers = [mail for mail in play.sent if mail.kind == "offer"]
    assert len(offers) == 2
    assert all(lead.awaits for lead in office.store.open_leads() if lead.id > 2)
    clerk._gather()
    play._settle()
    gathered = [mail for mail in play.sent if mail.kind == "gathered"]
    assert len(gathered) == 1
    text = read_message(gathered[0].raw).text
    assert all(f"Matter {number}" in text for number in (2, 3, 4))
    leads = office.store.open_leads()
    assert all(lead.status == Status.OFFERED and "window" in lead.timers for lead in leads)
    assert set(MEMBERS) >= {lead.owner for lead in leads}


def test_with_a_new_key_answers_to_older_mails_still_find_their_bun(tmp_path: Path) -> None:
    """What `store new-key` says: by the number in the subject, and a client's by their own mail in the thread."""
    play = Play(tmp_path)
    office, reader = play.open(), Reader(play)
    reader._act("acme -> hello: Rust review | Can one of you review our Rust code next week?", 1)
    office.house = replace(office.house, ids=replace(office.house.ids, key=b"another" * 8))
    office.forget_world()
    reader._act("bo -> bun 1: mine", 2)
    reader._act("acme -> bun 1: It is async code.", 3)
    assert office.store.lead_numbers() == [1]
    lead = office.store.lead(1)
    assert lead is not None
    assert lead.claimants == ("bo",) and [letter.who for letter in lead.letters] == ["client"]
