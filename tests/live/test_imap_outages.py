"""The daemon when the mailbox fails it: real Dovecot behind a line that can be cut, hours pressed into seconds.

In every case mail comes in meanwhile; afterwards each request is one lead with one acknowledgement, and the operator
has had one alert and one all-clear, or none where it was a hiccup.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from router.inbox import Inbox
from router.message import read_message
from router.trouble import BACK_OFF
from tests.house import sent_to
from tests.open_house import OpenHouse, alerts, opened
from tests.servers import HOST, Dovecot, RecordingSmtp
from tests.wire import BYE, CUT, HOLE, NO_LOGIN, PASSES, Wire

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)
MINUTES = timedelta(minutes=1)


@pytest.fixture
def wire(dovecot: Dovecot) -> Iterator[Wire]:
    with Wire(dovecot.plain_port) as wire:
        yield wire


class Outage:
    """A house whose mailbox is taken away, with the requests that came in before and meanwhile."""

    def __init__(self, house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp) -> None:
        self.house, self.dovecot, self.smtp = house, dovecot, smtp
        self.clients: list[str] = []

    def request(self) -> str:
        """A request comes in; the address of its client."""
        number = len(self.clients) + 1
        client = f"c{number}@client{number}.example"
        text = f"Can one of you help us with matter {number} in May?"
        raw = self.house.mail(client, f"Request {number}", text)
        self.dovecot.deliver(self.house.user, raw, received=self.house.clock())
        self.clients.append(client)
        return client

    def is_answered(self) -> bool:
        return all(sent_to(self.smtp.mails, client) for client in self.clients)

    def check(self) -> int:
        """Every request one lead and one acknowledgement; how many mails went out twice, under the same Message-ID."""
        self.house.until(lambda: not self.house.store().count_unsent(), why="everything sent")
        assert self.house.subjects() == sorted(f"Request {n}" for n in range(1, len(self.clients) + 1))
        sent = Counter((mail.rcpts[0], sent_to([mail], mail.rcpts[0])[0].message_id) for mail in self.smtp.mails)
        for client in self.clients:
            assert len([key for key in sent if key[0] == client]) == 1, f"{client} had more than one acknowledgement"
        return sum(sent.values()) - len(sent)


@pytest.fixture
def outage(tmp_path: Path, dovecot: Dovecot, wire: Wire, smtp: RecordingSmtp) -> Iterator[Outage]:
    with opened(tmp_path, wire.port, smtp.port, f"out{next(_users)}", dovecot.PASSWORD) as house:
        run = Outage(house, dovecot, smtp)
        run.request()
        house.until(run.is_answered, why="the first acknowledgement")
        yield run


def wrong_password(outage: Outage, wire: Wire) -> None:
    os.environ["BUN_PASSWORD"] = "wrong"
    wire.state = CUT
    wire.state = PASSES


def right_password(outage: Outage, wire: Wire) -> None:
    os.environ["BUN_PASSWORD"] = outage.dovecot.PASSWORD


def state(name: str) -> Callable[[Outage, Wire], None]:
    return lambda outage, wire: setattr(wire, "state", name)


Do = Callable[[Outage, Wire], None]
OUTAGES: dict[str, tuple[Do, Do, str]] = {
    "stopped and started": (lambda o, w: o.dovecot.go_down(), lambda o, w: o.dovecot.go_up(), ""),
    "line cut": (state(CUT), state(PASSES), "ended the connection"),
    "black hole": (state(HOLE), state(PASSES), "did not answer in time"),
    "BYE": (state(BYE), state(PASSES), ""),
    "login dropped": (state(NO_LOGIN), state(PASSES), "ended the connection"),
    "wrong password": (wrong_password, right_password, "password is wrong"),
}


def suffer(outage: Outage, wire: Wire, name: str, hours: int = 0) -> float:
    """Break it, let mail come in for a while, mend it; the seconds of the house's time until all is answered."""
    house = outage.house
    break_it, mend_it, words = OUTAGES[name]
    try:
        break_it(outage, wire)
        knocks = wire.knocks
        house.until(lambda: house.daemon.troubles.imap, why="trouble", step=1)
        outage.request()
        house.pass_time(7 * MINUTES)
        house.until(lambda: alerts(outage.smtp.mails), why="the alert")  # decided by now; another thread sends it
        assert alerts(outage.smtp.mails) == ["imap-down"]
        assert words in house.health()["imap"]
        outage.request()
        house.pass_time(timedelta(hours=hours), step=timedelta(minutes=5))
        assert not sent_to(outage.smtp.mails, outage.clients[1]), "nothing can have been read"
        assert wire.knocks - knocks <= len(BACK_OFF) + 5 + 13 * hours, "it does not knock all the time"
    finally:
        mend_it(outage, wire)
    took = house.took(outage.is_answered, "all are answered after " + name)
    house.until(lambda: len(alerts(outage.smtp.mails)) == 2, why="the all-clear")
    assert alerts(outage.smtp.mails) == ["imap-down", "imap-back"]
    assert took <= BACK_OFF[-1].total_seconds() + 10
    house.until(
        lambda: house.daemon.troubles.imap is None, why="all well, a slow answer of a busy machine apart", step=1
    )
    return took


@pytest.mark.short
@pytest.mark.parametrize("name", ["stopped and started", "wrong password"])
def test_an_outage_means_one_alert_one_all_clear_and_nothing_lost(
    outage: Outage, wire: Wire, name: str, fault: Callable[..., None]
) -> None:
    took = suffer(outage, wire, name)
    fault(f"IMAP: {name}", doubled=outage.check(), recovered=took, clock="house")


@pytest.mark.torture
@pytest.mark.parametrize("name", OUTAGES)
def test_every_outage_of_hours_means_one_alert_one_all_clear_and_nothing_lost(
    outage: Outage, wire: Wire, name: str, fault: Callable[..., None]
) -> None:
    took = suffer(outage, wire, name, 1)
    fault(f"IMAP: {name}", doubled=outage.check(), recovered=took, clock="house")


def test_a_hiccup_is_nobodys_business(outage: Outage, wire: Wire, fault: Callable[..., None]) -> None:
    """Cut, silenced and let go again within minutes: no alert, and mail is answered."""
    for hiccup in (CUT, HOLE, BYE):
        wire.state = hiccup
        outage.house.until(lambda: outage.house.daemon.troubles.imap, why="trouble", step=1)
        outage.request()
        outage.house.pass_time(2 * MINUTES)
        wire.state = PASSES
        took = outage.house.took(outage.is_answered, hiccup)
        fault("IMAP: a hiccup of minutes", recovered=took, clock="house")
    assert outage.check() == 0
    assert alerts(outage.smtp.mails) == []


def other_client(outage: Outage) -> Inbox:
    inbox = Inbox(
        host=HOST,
        port=outage.dovecot.plain_port,
        security="plain",
        user=outage.house.user,
        secret=lambda: outage.dovecot.PASSWORD,
    )
    inbox.connect()
    return inbox


def test_deleted_folders_are_made_again_and_mail_is_filed(outage: Outage, fault: Callable[..., None]) -> None:
    house = outage.house
    house.until(lambda: not outage.dovecot.mails(house.user), why="filed")
    inbox = other_client(outage)
    inbox.folders()
    with inbox._talking("deleting") as server:
        server.delete_folder(inbox._name("Buns/Handled"))
    inbox.close()
    outage.request()
    took = house.took(lambda: outage.is_answered() and not outage.dovecot.mails(house.user), "answered and filed")
    assert len(outage.dovecot.mails(house.user, "Buns.Handled")) == 1
    fault("IMAP: the folder for handled mail deleted", doubled=outage.check(), recovered=took, clock="house")


def test_uidvalidity_changes_and_500_old_mails_reappear(outage: Outage, wire: Wire, fault: Callable[..., None]) -> None:
    """Nothing new comes of them, the operator has one notice, and new mail is answered as ever."""
    house, user = outage.house, outage.house.user
    house.until(lambda: not outage.dovecot.mails(user), why="filed")
    handled = outage.dovecot.mails(user, "Buns.Handled")
    outage.dovecot.go_down()
    for number in range(500):
        raw = house.mail(f"old{number}@old.example", f"Old {number}", f"A question of last month, number {number}?")
        outage.dovecot.deliver(user, raw, received=house.clock() - timedelta(days=30))
    for raw in handled:
        outage.dovecot.deliver(user, raw, received=house.clock())
    outage.dovecot.renumber(user)
    outage.dovecot.go_up()
    outage.request()
    took = house.took(outage.is_answered, "the new mail is answered")
    house.pass_time(10 * MINUTES)
    assert alerts(outage.smtp.mails) == ["uidvalidity"]
    assert len(outage.dovecot.mails(user)) == 500
    fault("IMAP: UIDVALIDITY changed, 500 old mails reappear", doubled=outage.check(), recovered=took, clock="house")


def test_mail_that_came_while_the_router_was_down_is_read_also_from_a_renumbered_folder(
    outage: Outage, fault: Callable[..., None]
) -> None:
    """Ten days down, a backup restored meanwhile: what came in those days is answered, what is older is not."""
    house, user = outage.house, outage.house.user
    house.pass_time(5 * MINUTES)
    outage.request()
    house.until(outage.is_answered, why="a record that says until when was heard")
    heard = house.clock()
    house.close()
    house.clock.ahead += timedelta(days=10)
    outage.dovecot.go_down()
    old = house.mail("old@old.example", "Old", "A question of last month, whom nobody has answered?")
    outage.dovecot.deliver(user, old, received=heard - timedelta(days=30))
    client = f"c{len(outage.clients) + 1}@client{len(outage.clients) + 1}.example"
    raw = house.mail(client, f"Request {len(outage.clients) + 1}", "Can one of you help us with a matter of that week?")
    outage.dovecot.deliver(user, raw, received=heard + timedelta(days=1))
    outage.clients.append(client)
    outage.dovecot.renumber(user)
    outage.dovecot.go_up()
    house.open()
    took = house.took(outage.is_answered, "answered")
    house.until(lambda: alerts(outage.smtp.mails), why="the notice")
    assert alerts(outage.smtp.mails) == ["uidvalidity"]
    assert house.subjects() == sorted(f"Request {n}" for n in range(1, len(outage.clients) + 1))
    fault("IMAP: renumbered while the router was down", recovered=took, clock="house")


def test_others_read_move_and_delete_mails_first(outage: Outage, fault: Callable[..., None]) -> None:
    """While forty requests come in, somebody's mail program takes some of them away: each is one lead or none."""
    house, user = outage.house, outage.house.user
    other, rolled = other_client(outage), random.Random(5)
    for _ in range(10):
        for _ in range(4):
            outage.request()
        present = list(other.search("INBOX").met)
        other.file("INBOX", [met.uid for met in present if rolled.random() < 0.4], "Elsewhere")
        other.delete("INBOX", [met.uid for met in present if rolled.random() < 0.1])
        house.look_around()
    house.until(lambda: not outage.dovecot.mails(user), why="the inbox is empty")
    house.until(lambda: not house.store().unfiled() and not house.store().count_unsent(), why="at rest")
    other.close()
    subjects = house.subjects()
    assert len(subjects) == len(set(subjects)), "one lead each"
    handled = {_subject(raw) for raw in outage.dovecot.mails(user, "Buns.Handled")}
    assert handled <= set(subjects)
    taken = len(outage.clients) - len(subjects)
    for client, number in ((client, n) for n, client in enumerate(outage.clients, 1)):
        acknowledged = len({message.message_id for message in sent_to(outage.smtp.mails, client)})
        assert acknowledged == (f"Request {number}" in subjects)
    assert alerts(outage.smtp.mails) in ([], ["bounds"])
    fault("IMAP: others move and delete mail first", tries=len(outage.clients), note=f"{taken} were gone unread")


def _subject(raw: bytes) -> str:
    return read_message(raw).subject


@pytest.mark.parametrize("can", ["IMAP4rev1 MOVE UIDPLUS", "IMAP4rev1 IDLE UIDPLUS", "IMAP4rev1"])
def test_a_server_without_idle_move_or_uidplus_is_worked_with(
    tmp_path: Path, smtp: RecordingSmtp, can: str, fault: Callable[..., None]
) -> None:
    """Without UIDPLUS handled mail is only marked as deleted, and is not met again."""
    with (
        Dovecot(extra=f"imap_capability = {can} LITERAL+ SASL-IR AUTH=PLAIN") as dovecot,
        opened(tmp_path, dovecot.plain_port, smtp.port, "plain", dovecot.PASSWORD) as house,
    ):
        run = Outage(house, dovecot, smtp)
        for _ in range(3):
            run.request()
            house.look_around()
        took = house.took(run.is_answered, "all answered")
        house.until(lambda: len(dovecot.mails("plain", "Buns.Handled")) == 3, why="filed")
        house.pass_time(5 * MINUTES)
        fault("IMAP: no IDLE, MOVE or UIDPLUS", doubled=run.check(), recovered=took, clock="house")


def test_a_full_mailbox_stops_the_filing_and_nothing_else(
    tmp_path: Path, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    """Handled mail stays where it is, the operator hears once, and it is filed when there is room.

    Dovecot moves within a full mailbox, but does not copy.
    """
    extra = "imap_capability = IMAP4rev1 IDLE UIDPLUS LITERAL+ SASL-IR AUTH=PLAIN"
    with (
        Dovecot(extra=extra, limited={"full": "*:messages=4"}) as dovecot,
        opened(tmp_path, dovecot.plain_port, smtp.port, "full", dovecot.PASSWORD) as house,
    ):
        run = Outage(house, dovecot, smtp)
        for _ in range(5):
            run.request()
        house.until(run.is_answered, why="all are answered")
        house.pass_time(10 * MINUTES)
        assert alerts(smtp.mails) == ["filing"]
        assert len(dovecot.mails("full")) == 5
        assert house.health()["imap"] == "ok"
        dovecot.limit("full", "*:messages=1000")
        dovecot.go_down()
        dovecot.go_up()
        took = house.took(lambda: not house.daemon.store.unfiled() and not dovecot.mails("full"), "filed")
        assert len(dovecot.mails("full", "Buns.Handled")) == 5
        fault("IMAP: quota full", doubled=run.check(), recovered=took, clock="house")


def test_a_missing_second_folder_does_not_hold_up_the_inbox(
    tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp, fault: Callable[..., None]
) -> None:
    """Nothing falls due until it can be read, and one alert says why; the inbox is read all the same."""
    user = f"second{next(_users)}"
    with opened(
        tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, imap_more='folders = ["INBOX", "Sales"]\n'
    ) as house:
        run = Outage(house, dovecot, smtp)
        house.until(lambda: house.daemon.troubles.imap, why="trouble")
        run.request()
        house.took(run.is_answered, "answered")
        house.pass_time(10 * MINUTES)
        assert alerts(smtp.mails) == ["imap-down"]
        assert "Sales" in house.health()["imap"]
        dovecot.maildir(user, "Sales")
        took = house.took(lambda: alerts(smtp.mails, "imap-back"), "the all-clear")
        fault("IMAP: a second folder missing", doubled=run.check(), recovered=took, clock="house")
