"""The daemon when mail does not leave: faults at every stage of SMTP, days of retries pressed into seconds.

In every case nothing is lost, nothing is doubled but where a server fell silent after the whole mail (and then under
the same Message-ID), one stubborn mail holds nobody, and the operator has at most one word when it is over.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from router.delivery import PAUSES
from router.message import read_message
from tests.house import DOMAIN, LIST, sent_to
from tests.open_house import OPERATOR, OpenHouse, alerts, opened
from tests.servers import DROP, HANG, TAKE_AND_DROP, TAKE_AND_HANG, Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)
Fail = Callable[[str, str], str | None]
FIRST, SECOND = "jo@acme.example", "su@beta.example"


def request(house: OpenHouse, dovecot: Dovecot, client: str) -> None:
    raw = house.mail(client, f"From {client}", f"Can one of you help {client} in May?")
    dovecot.deliver(house.user, raw, received=house.clock())


def doubled(mails: list[Any]) -> int:
    """Mails that were taken more than once: each under one Message-ID, by the same recipient."""
    sent = Counter((read_message(mail.raw).message_id, mail.rcpts[0]) for mail in mails)
    return sum(sent.values()) - len(sent)


def acknowledgements(mails: list[Any], client: str) -> set[str]:
    return {message.message_id for message in sent_to(mails, client)}


# -- the session: everybody waits, nobody loses a try ------------------------------------------------------------------

SESSION = [
    *(("connect", answer) for answer in ("421 4.3.2 too busy", "554 5.7.1 go away", DROP, HANG)),
    *(("ehlo", answer) for answer in ("421 4.3.2 later", DROP, HANG)),
    ("mail", "530 5.7.0 authentication required"),
    ("mail", "421 4.3.2 shutting down"),
]


def break_the_session(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str, hours: float
) -> float:
    """So long nothing leaves; the seconds of the house's time until all of it has left afterwards."""
    smtp.fail = lambda at, _: answer if at == stage else None
    request(house, dovecot, FIRST)
    house.until(lambda: house.daemon.troubles.smtp, why="trouble", step=1)
    house.until(lambda: house.health()["smtp"] != "ok", why="the health file says so")
    house.pass_time(timedelta(hours=hours), step=timedelta(minutes=10))
    assert not smtp.mails
    assert all(not doc.get("tries") or stage == "mail" for _, doc in house.store().unsent())
    request(house, dovecot, SECOND)
    smtp.fail = None
    return house.took(lambda: all(sent_to(smtp.mails, c) for c in (FIRST, SECOND)), f"{answer} at {stage}", step=30)


@pytest.mark.short
@pytest.mark.parametrize(("stage", "answer"), [SESSION[0], SESSION[-2]])
def test_a_session_that_fails_holds_all_mail_and_the_operator_hears_once_when_it_is_over(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str, fault: Callable[..., None]
) -> None:
    took = break_the_session(house, dovecot, smtp, stage, answer, 1)
    house.until(lambda: alerts(smtp.mails), why="the all-clear", step=30)
    assert alerts(smtp.mails) == ["smtp-back"]
    assert took <= 3700
    fault(_session_row(stage, answer), doubled=doubled(smtp.mails), recovered=took, clock="house")


@pytest.mark.torture
@pytest.mark.parametrize(("stage", "answer"), SESSION)
def test_every_session_that_fails_holds_all_mail_and_loses_none(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str, fault: Callable[..., None]
) -> None:
    took = break_the_session(house, dovecot, smtp, stage, answer, 6)
    house.until(lambda: alerts(smtp.mails), why="the all-clear", step=30)
    assert alerts(smtp.mails) == ["smtp-back"]
    assert {len(acknowledgements(smtp.mails, client)) for client in (FIRST, SECOND)} == {1}
    fault(_session_row(stage, answer), doubled=doubled(smtp.mails), recovered=took, clock="house")


def _session_row(stage: str, answer: str) -> str:
    if stage == "mail" and answer.startswith("4"):
        return "SMTP: every mail put off (421 at MAIL)"  # each by its own back-off
    return "SMTP: no session (5xx)" if answer.startswith("5") else "SMTP: no session (4xx, dropped, silent)"


def test_an_offer_that_waited_while_the_router_was_down_is_written_anew_before_it_leaves(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp
) -> None:
    smtp.fail = lambda at, _: DROP if at == "connect" else None
    request(house, dovecot, FIRST)
    house.until(lambda: house.store().unsent(), why="the offer waits", step=1)
    house.close()
    house.clock.ahead += timedelta(days=2)  # Wednesday: what the offer told is over
    smtp.fail = None
    house.open()
    house.until(lambda: sent_to(smtp.mails, LIST), why="the offer leaves", step=1)
    assert [each.headers.get("date").strip()[:3] for each in sent_to(smtp.mails, LIST)] == ["Wed"]


def test_a_hiccup_of_smtp_is_nobodys_business(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    smtp.fail = lambda at, _: DROP if at == "connect" else None
    request(house, dovecot, FIRST)
    house.until(lambda: house.daemon.troubles.smtp, why="trouble", step=1)
    smtp.fail = None
    took = house.took(lambda: sent_to(smtp.mails, FIRST) and sent_to(smtp.mails, LIST), "sent")
    house.until(lambda: house.daemon.troubles.smtp is None, why="all well")
    assert alerts(smtp.mails) == []
    assert took <= 2 * PAUSES[0].total_seconds() + 5
    fault("SMTP: a hiccup", doubled=doubled(smtp.mails), recovered=took, clock="house")


# -- one mail: the others do not wait ----------------------------------------------------------------------------------

MAIL = [
    *(("rcpt", answer) for answer in ("451 4.7.1 greylisted", "452 4.2.2 full", "421 4.7.0 slow down", DROP, HANG)),
    *(("data-start", answer) for answer in ("451 4.3.0 later", DROP, HANG)),
    *(("data", answer) for answer in ("451 4.3.0 later", DROP, HANG, TAKE_AND_DROP, TAKE_AND_HANG)),
]  # fmt: skip


def stubborn(smtp: RecordingSmtp, stage: str, answer: str) -> Fail:
    """Whatever is for FIRST meets `answer` at `stage`; everybody else is served."""
    return lambda at, address: answer if at == stage and address == FIRST else None


def hold_one(house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str) -> float:
    """One mail fails again and again and the others pass; the seconds until it has left when it may."""
    smtp.fail = stubborn(smtp, stage, answer)
    request(house, dovecot, FIRST)
    house.until(lambda: any(at == stage and who == FIRST for at, who in smtp.stages), why="the first try")
    request(house, dovecot, SECOND)
    others = house.took(lambda: sent_to(smtp.mails, SECOND) and len(sent_to(smtp.mails, LIST)) == 2, "the others")
    assert others <= 120, "others waited for one mail"
    house.pass_time(timedelta(minutes=20), step=timedelta(minutes=5))
    smtp.fail = None
    took = house.took(lambda: not house.store().count_unsent(), "all sent", step=60)
    assert len(acknowledgements(smtp.mails, FIRST)) == 1
    return took


@pytest.mark.short
@pytest.mark.parametrize(("stage", "answer"), [MAIL[0], MAIL[-2]])
def test_one_stubborn_mail_is_tried_again_and_holds_nobody(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str, fault: Callable[..., None]
) -> None:
    took = hold_one(house, dovecot, smtp, stage, answer)
    again = doubled(smtp.mails)
    assert again == 0 or answer in (TAKE_AND_DROP, TAKE_AND_HANG)
    fault(_mail_row(answer), doubled=again, recovered=took, clock="house", note=_mail_note(answer))


@pytest.mark.torture
@pytest.mark.parametrize(("stage", "answer"), MAIL)
def test_every_stubborn_mail_is_tried_again_and_holds_nobody(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str, fault: Callable[..., None]
) -> None:
    took = hold_one(house, dovecot, smtp, stage, answer)
    again = doubled(smtp.mails)
    assert again == 0 or answer in (TAKE_AND_DROP, TAKE_AND_HANG)
    fault(_mail_row(answer), doubled=again, recovered=took, clock="house", note=_mail_note(answer))


def _mail_row(answer: str) -> str:
    taken = answer in (TAKE_AND_DROP, TAKE_AND_HANG)
    return "SMTP: silence after the whole mail" if taken else "SMTP: one mail put off (4xx, dropped, silent)"


def _mail_note(answer: str) -> str:
    return "each under the same Message-ID" if answer in (TAKE_AND_DROP, TAKE_AND_HANG) else ""


@pytest.mark.parametrize(("stage", "answer"), [("rcpt", "550 5.1.1 no such user"), ("data", "552 5.3.4 too large")])
def test_a_mail_that_is_refused_for_good_is_reported_with_its_bun_at_once(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, stage: str, answer: str, fault: Callable[..., None]
) -> None:
    smtp.fail = stubborn(smtp, stage, answer)
    request(house, dovecot, FIRST)
    took = house.took(lambda: sent_to(smtp.mails, OPERATOR, "never-sent"), "the report")
    told = sent_to(smtp.mails, OPERATOR, "never-sent")[0].text
    assert "bun 1" in told and answer[:3] in told
    house.until(lambda: sent_to(smtp.mails, f"kim@{DOMAIN}"), why="the keeper, whose bun it is, hears of it")
    house.until(lambda: sent_to(smtp.mails, LIST), why="the offer leaves all the same")
    fault("SMTP: one mail refused for good", doubled=doubled(smtp.mails), recovered=took, clock="house")


def test_a_mail_that_can_never_be_sent_is_given_up_after_five_days_and_its_bun_lives_on(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    """Greylisted for ever: tries over five days, then a report with its bun, which is thrown away all the same."""
    smtp.fail = stubborn(smtp, "rcpt", "451 4.7.1 greylisted")
    request(house, dovecot, FIRST)
    house.until(lambda: sent_to(smtp.mails, LIST), why="the offer")

    def reports() -> list[Any]:
        return sent_to(smtp.mails, OPERATOR, "given up after 5 days")

    house.took(reports, "the first report", step=14400)
    tries = smtp.stages.count(("rcpt", FIRST))
    assert 20 <= tries <= 100, tries
    house.took(lambda: house.store().lead(1).status == "thrown", "the bun's end", step=14400)
    house.until(lambda: len(reports()) >= 2, why="the no is reported as well", step=60)
    assert all("bun 1" in message.text for message in reports())
    fault("SMTP: greylisted for five days", tries=tries, doubled=doubled(smtp.mails), note="given up and reported")


def test_a_wrong_password_is_tried_rarely_and_said_in_the_health_file(
    tmp_path: Path, dovecot: Dovecot, fault: Callable[..., None]
) -> None:
    more = {"smtp_user": "buns", "smtp_more": 'password_env = "SMTP_PASSWORD"'}
    with RecordingSmtp(users={"buns": "right"}) as smtp, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMTP_PASSWORD", "wrong")
        user = f"smtp{next(_users)}"
        with opened(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, **more) as house:
            request(house, dovecot, FIRST)
            house.until(lambda: house.daemon.troubles.smtp, why="trouble", step=1)
            house.pass_time(timedelta(hours=4), step=timedelta(minutes=10))
            knocks = sum(stage == "auth" for stage, _ in smtp.stages)
            assert 2 <= knocks <= 10, knocks
            assert "refuses the login" in house.health()["smtp"]
            patch.setenv("SMTP_PASSWORD", "right")
            took = house.took(lambda: sent_to(smtp.mails, FIRST), "sent with the right password", step=60)
            house.until(lambda: alerts(smtp.mails), why="the all-clear", step=10)
            assert alerts(smtp.mails) == ["smtp-back"]
            assert took <= 3700
            fault("SMTP: wrong password (535)", doubled=doubled(smtp.mails), recovered=took, clock="house")


def test_where_starttls_is_stripped_nothing_is_said_and_all_waits(
    tmp_path: Path, dovecot: Dovecot, fault: Callable[..., None]
) -> None:
    with RecordingSmtp() as smtp:
        user = f"smtp{next(_users)}"
        with opened(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, smtp_security="starttls") as house:
            request(house, dovecot, FIRST)
            house.until(lambda: house.daemon.troubles.smtp, why="trouble", step=1)
            house.pass_time(timedelta(hours=1), step=timedelta(minutes=10))
            assert "STARTTLS" in house.health()["smtp"]
            assert not [stage for stage, _ in smtp.stages if stage in ("mail", "auth")]
            assert house.store().count_unsent() >= 2
            fault("SMTP: STARTTLS stripped", note="nothing is said, all waits")


def test_a_limit_of_connections_costs_no_mail_a_try(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    """A server that grants one connection at a time."""
    standing = itertools.count()
    smtp.fail = lambda at, _: "421 4.7.0 too many connections" if at == "connect" and next(standing) % 2 else None
    clients = [f"c{n}@client{n}.example" for n in range(8)]
    for client in clients:
        request(house, dovecot, client)
    took = house.took(lambda: all(sent_to(smtp.mails, client) for client in clients), "all", step=10)
    assert doubled(smtp.mails) == 0
    fault("SMTP: a limit of connections", tries=8, recovered=took, clock="house")
