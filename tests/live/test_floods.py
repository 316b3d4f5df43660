"""Robots, floods and echoes against the real daemon: bounded by arithmetic that survives a restart.

Mail to a robot ends after a handful however it disguises itself, one sender's thousands hold nobody else up, and a list
that sends everything back is not answered.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from email.utils import make_msgid

import pytest

from router.message import Message
from router.settings import Restraint
from tests.house import DOMAIN, LIST, SHARED, sent_to
from tests.open_house import OPERATOR, OpenHouse, alerts
from tests.servers import Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
ROBOT = "robot@shop.example"
HANDFUL = 2 * Restraint().per_stranger  # a bound that is halved each day it was reached: 8 + 4 + 2 + 1


# -- two auto-responders ----------------------------------------------------------------------------------------------


def polite(house: OpenHouse, number: int, answers: Message | None) -> bytes:
    """As RFC 3834 asks."""
    return house.mail(
        ROBOT, "Auto: I am away", "I am away.", answers=answers, headers={"Auto-Submitted": "auto-replied"}
    )


def threaded(house: OpenHouse, number: int, answers: Message | None) -> bytes:
    """No sign of being a machine, but in the thread."""
    subject = f"Re: {answers.subject}" if answers else "Your order"
    return house.mail(ROBOT, subject, f"Thank you for writing, we look into it. No {number}.", answers=answers)


def disguised(house: OpenHouse, number: int, answers: Message | None) -> bytes:
    """No header of RFC 3834, no thread, another subject and text each time: nothing tells it from a person."""
    return house.mail(
        ROBOT, f"Ticket {number * 7919}", f"We have opened ticket {number * 7919} and will help you soon."
    )


ROBOTS = {"as RFC 3834 asks": polite, "threaded, without a sign": threaded, "disguised": disguised}


def face_each_other(
    house: OpenHouse,
    dovecot: Dovecot,
    smtp: RecordingSmtp,
    robot: Callable[[OpenHouse, int, Message | None], bytes],
    rounds: int,
) -> int:
    """The robot answers each of our mails, and writes on its own where we are silent, for so many rounds over weeks.

    After half of them the router is started again. Returns how many mails the robot got.
    """
    answered = 0
    dovecot.deliver(house.user, house.mail(ROBOT, "Help", "Can one of you help us in May?"), received=house.clock())
    for number in range(1, rounds + 1):
        if number % 5 == 0 or number < 50:
            house.look_around()
        got = sent_to(smtp.mails, ROBOT)
        answers = got[answered] if answered < len(got) else None
        answered += answers is not None
        dovecot.deliver(house.user, robot(house, number, answers), received=house.clock())
        if number % 50 == 0:
            house.pass_time(timedelta(days=1), step=timedelta(hours=6))
        if number == rounds // 2:
            house.close()
            house.open()
    house.until(lambda: not dovecot.mails(house.user), 120, why="all are handled")
    house.until(lambda: not house.store().count_unsent(), why="all sent")
    return len(sent_to(smtp.mails, ROBOT))


def check_bounds(smtp: RecordingSmtp) -> None:
    """No colleague, nor the list, nor the operator was flooded."""
    to = Counter(address for mail in smtp.mails for address in mail.rcpts)
    assert max(to[f"{who}@{DOMAIN}"] for who in ("anna", "bo", "cy", "kim")) <= 60 * 25
    assert len(alerts(smtp.mails, "bounds")) <= 25


@pytest.mark.short
@pytest.mark.parametrize("name", ["disguised"])
def test_two_robots_end_after_a_handful_of_mails(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, name: str, fault: Callable[..., None]
) -> None:
    got = face_each_other(house, dovecot, smtp, ROBOTS[name], 60)
    assert got <= HANDFUL, f"the robot got {got} mails"
    assert house.ended is None
    fault(f"loop: a robot, {name}", tries=60, note=f"got {got} mails")


@pytest.mark.torture
@pytest.mark.parametrize("name", ROBOTS)
def test_two_robots_of_a_thousand_rounds_end_after_a_handful_of_mails(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, name: str, fault: Callable[..., None]
) -> None:
    got = face_each_other(house, dovecot, smtp, ROBOTS[name], 1000)
    assert got <= HANDFUL, f"the robot got {got} mails"
    check_bounds(smtp)
    fault(f"loop: a robot, {name}", tries=1000, note=f"got {got} mails")


# -- a list that sends everything back --------------------------------------------------------------------------------


def echo(raw: bytes, style: str) -> bytes:
    """What a list makes of a mail of ours: as it is, with another Message-ID, or with none of our own headers."""
    head, _, body = raw.partition(b"\r\n\r\n")
    head = re.sub(rb"\r\n[ \t]+", b" ", head)
    lines = head.split(b"\r\n")
    if style != "as it is":
        lines = [line for line in lines if not line.lower().startswith(b"message-id:")]
        lines.append(f"Message-ID: {make_msgid(domain='lists.example')}".encode())
    if style == "stripped":
        lines = [line for line in lines if not line.lower().startswith((b"x-", b"auto-submitted", b"precedence"))]
    lines.append(f"List-Id: <{LIST.replace('@', '.')}>".encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize("style", ["as it is", "another Message-ID", "stripped"])
def test_a_list_that_sends_everything_back_is_not_answered(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, style: str, fault: Callable[..., None]
) -> None:
    """Every mail to the list comes back to the shared address; ten requests are ten buns, each offered once."""
    for number in range(10):
        raw = house.mail(f"c{number}@client{number}.example", f"Request {number}", f"Help us with matter {number}?")
        dovecot.deliver(house.user, raw, received=house.clock())
    echoed = 0
    for _ in range(12):
        house.look_around()
        mails = [mail for mail in smtp.mails if LIST in mail.rcpts]
        for mail in mails[echoed:]:
            dovecot.deliver(house.user, echo(mail.raw, style), received=house.clock())
        echoed = len(mails)
        house.until(lambda: not dovecot.mails(house.user), why="handled")
    house.until(lambda: not house.store().count_unsent(), why="all sent")
    assert house.subjects() == sorted(f"Request {n}" for n in range(10))
    assert len(sent_to(smtp.mails, LIST)) == 10, "an echo made mail"
    assert not [mail for mail in smtp.mails if SHARED in mail.rcpts and b"canary" in mail.raw.lower()]
    fault(f"loop: a list echoes everything, {style}", tries=echoed, note="no mail came of it")


# -- ten thousand mails from one sender -------------------------------------------------------------------------------

LYING = 500  # mails in the inbox beyond which no more are poured


def flood(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, count: int, others: int, rate: float
) -> tuple[float, float, float]:
    """`count` mails from one sender, `rate` a second, and now and then one of somebody else.

    A machine that is slower than `rate` is given as much as it takes in, with `LYING` mails always waiting for it.
    Returns the median and the longest real time that the others waited for their acknowledgement, in seconds; and how
    many mails a second came.
    """
    came: dict[str, float] = {}
    began = time.monotonic()
    folders = [dovecot.maildir(house.user) / name for name in ("new", "cur")]

    def pour() -> None:
        every = max(1, count // others)
        for number in range(count):
            raw = house.mail("much@flood.example", f"Offer {number}", f"Buy number {number}, the best of all numbers!")
            dovecot.deliver(house.user, raw, received=house.clock())
            if number % every == every // 2:
                who = f"c{number}@client{number}.example"
                raw = house.mail(who, f"Request {number}", f"Can one of you help us with matter {number} in May?")
                came[who] = time.monotonic()
                dovecot.deliver(house.user, raw, received=house.clock())
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            while number % 20 == 0 and sum(1 for each in folders for _ in each.iterdir()) > LYING and house.runs:
                time.sleep(0.05)

    waited: dict[str, float] = {}
    seen = 0
    source = threading.Thread(target=pour, daemon=True)
    source.start()
    limit = time.monotonic() + 60 + 10 * count / rate
    while source.is_alive() or len(waited) < len(came):
        assert time.monotonic() < limit, f"{len(came) - len(waited)} clients still wait"
        assert house.ended is None
        mails = smtp.mails
        for mail in mails[seen:]:
            for address in mail.rcpts:
                if address in came and address not in waited:
                    waited[address] = time.monotonic() - came[address]
        seen = len(mails)
        time.sleep(0.01)
    times = sorted(waited.values())
    return times[len(times) // 2], times[-1], count / (time.monotonic() - began)


def check_flood(house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, seconds: float) -> None:
    house.until(lambda: not dovecot.mails(house.user), seconds, why="all are handled")
    house.until(lambda: not house.daemon.store.count_unsent(), seconds, why="all sent")
    assert len(sent_to(smtp.mails, "much@flood.example")) <= Restraint().per_stranger
    assert len(sent_to(smtp.mails, LIST)) <= Restraint().per_address + 2
    assert len(sent_to(smtp.mails, OPERATOR)) <= 5
    assert len(sent_to(smtp.mails, f"kim@{DOMAIN}")) <= Restraint().per_address


@pytest.mark.short
def test_a_flood_from_one_sender_does_not_make_the_others_wait(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    median, longest, _ = flood(house, dovecot, smtp, 200, 5, rate=200)
    assert longest < 30
    check_flood(house, dovecot, smtp, 30)
    gathered = house.took(lambda: sent_to(smtp.mails, LIST, "on offer"), "the others' offers", step=600)
    assert gathered <= 3700
    last = sent_to(smtp.mails, LIST)[-1].text
    assert all(lead.subject in last for lead in house.store().leads() if lead.awaits and "Request" in lead.subject)
    fault("flood: one sender", tries=200, recovered=longest, note=f"others waited {median:.1f} s in the middle")


@pytest.mark.torture
def test_ten_thousand_mails_from_one_sender_do_not_make_the_others_wait(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    """An hour's flood, poured out in as many seconds as `RATE` (mails a second) makes of it."""
    count, rate = int(os.environ.get("FLOOD", "10000")), float(os.environ.get("RATE", "60"))
    median, longest, pace = flood(house, dovecot, smtp, count, 100, rate)
    assert longest * pace < 4 * LYING, "the others wait for what lay there before them, and not for the whole flood"
    check_flood(house, dovecot, smtp, 240)
    note = f"{pace:.0f} a second; others waited {median:.1f} s in the middle"
    fault("flood: one sender", tries=count, recovered=longest, note=note)


def test_what_restraint_stopped_leaves_no_bun_waiting_for_ever(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    """A client whose bound is reached gets no no; the keeper hears, and the bun ends all the same."""
    for number in range(Restraint().per_stranger + 2):
        raw = house.mail("jo@acme.example", f"Request {number}", f"Can one of you help us with matter {number} in May?")
        dovecot.deliver(house.user, raw, received=house.clock())
    house.until(lambda: len(house.subjects()) == Restraint().per_stranger + 2, why="all are buns")
    house.until(lambda: not house.store().count_unsent(), why="all sent")
    assert len(sent_to(smtp.mails, "jo@acme.example")) == Restraint().per_stranger
    house.took(lambda: all(not lead.is_open for lead in house.store().leads()), "all have ended", step=14400)
    house.until(lambda: not house.store().count_unsent(), why="all sent")
    fault("restraint: a no that is stopped", tries=Restraint().per_stranger + 2, note="every bun ends")
