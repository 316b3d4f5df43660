"""The whole daemon as a process of its own, against real servers: a mail goes in, a claim and a handover come out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from router import progress
from tests.house import DOMAIN, LIST, SHARED, Running, sent_to, wait_for
from tests.open_house import START, OpenHouse
from tests.servers import Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)
FAST = 'window = "2 seconds"\nfreshness = "2 seconds"\n'


@pytest.fixture
def house(tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp) -> Iterator[Running]:
    user = f"daemon{next(_users)}"
    running = Running(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, protocol=FAST)
    yield running
    running.kill()


def test_request_claim_handover(house: Running, dovecot: Dovecot, smtp: RecordingSmtp) -> None:
    """A request is acknowledged and offered, the claim gets a receipt, and at the close client and owner meet."""
    house.start()
    dovecot.deliver(house.user, house.mail("Jo <jo@acme.example>", "Help us", "Can one of you help us in May?"))
    offer = wait_for(lambda: sent_to(smtp.mails, LIST, "help us in May"))[0]
    assert len(sent_to(smtp.mails, "jo@acme.example")) == 1
    dovecot.deliver(house.user, house.mail(f"bo@{DOMAIN}", "Re: offer", "mine", answers=offer))
    wait_for(lambda: sent_to(smtp.mails, f"bo@{DOMAIN}", "mine"), why="a receipt")
    wait_for(lambda: sent_to(smtp.mails, "jo@acme.example", "Bo"), why="the handover")
    assert [lead["owner"] for lead in house.status()] == ["bo"]
    assert house.stop() == 0
    handled = dovecot.mails(house.user, "Buns.Handled")
    assert len(handled) == 2
    assert not dovecot.mails(house.user)


def test_each_mail_is_handled_within_a_second_of_the_notice(
    house: Running, dovecot: Dovecot, smtp: RecordingSmtp
) -> None:
    """With IDLE, a quiet router answers at once; Dovecot itself takes half a second to say that mail is there."""
    house.start()
    dovecot.deliver(house.user, house.mail("a@x.example", "First", "A first question, for warming up?"))
    wait_for(lambda: sent_to(smtp.mails, "a@x.example"))
    wait_for(lambda: not dovecot.mails(house.user), why="filed")
    began = time.monotonic()
    dovecot.deliver(house.user, house.mail("b@x.example", "Second", "A second question, quite another one?"))
    wait_for(lambda: sent_to(smtp.mails, "b@x.example"))
    assert time.monotonic() - began < 3.0  # generous: the machine may be busy; bench/ measures it


def test_once_handles_what_is_there_and_ends(house: Running, dovecot: Dovecot, smtp: RecordingSmtp) -> None:
    for name in ("a", "b", "c"):
        dovecot.deliver(
            house.user, house.mail(f"{name}@{name}.example", f"Help {name}", f"Can you help {name} in May?")
        )
    assert house.start("--once").wait(30) == 0
    assert {m.rcpts[0] for m in smtp.mails} >= {f"{name}@{name}.example" for name in ("a", "b", "c")}
    assert len(house.status()) == 3


def test_a_killed_daemon_does_nothing_twice(house: Running, dovecot: Dovecot, smtp: RecordingSmtp) -> None:
    house.start()
    dovecot.deliver(house.user, house.mail("jo@acme.example", "Help us", "Can one of you help us in May?"))
    wait_for(lambda: sent_to(smtp.mails, LIST))
    house.kill()
    house.start()
    dovecot.deliver(house.user, house.mail("su@beta.example", "Other", "And can one of you help us in June?"))
    wait_for(lambda: sent_to(smtp.mails, "su@beta.example"))
    assert house.stop() == 0
    assert len(house.status()) == 2
    # a kill between DATA and its commit may send one mail again, and then under the same Message-ID
    assert len({mail.message_id for mail in sent_to(smtp.mails, "jo@acme.example")}) == 1


def test_a_second_daemon_on_one_store_says_so_and_ends(house: Running, dovecot: Dovecot) -> None:
    house.start()
    wait_for(lambda: (house.folder / "store" / "buns.json.health").exists())
    said = house.call("run", "--once", status=1)
    assert "in use by process" in said
    assert "Traceback" not in said


def test_a_first_start_leaves_old_mail_alone(house: Running, dovecot: Dovecot, smtp: RecordingSmtp) -> None:
    from datetime import UTC, datetime, timedelta

    old = datetime.now(UTC) - timedelta(days=30)
    dovecot.deliver(house.user, house.mail("old@x.example", "Old", "An old question of last month?"), received=old)
    dovecot.deliver(house.user, house.mail("new@x.example", "New", "A new question of this very day?"))
    assert house.start("--once").wait(30) == 0
    assert sent_to(smtp.mails, "new@x.example")
    assert not sent_to(smtp.mails, "old@x.example")
    assert sent_to(smtp.mails, f"operator@{DOMAIN}", "1")


def test_a_first_reading_of_a_full_inbox_says_how_far_it_is(
    tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp
) -> None:
    heard: dict[str, list[tuple[int, int]]] = {}
    user = f"daemon{next(_users)}"
    house = OpenHouse(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD)
    for number in range(70):
        raw = house.mail(f"c{number}@client{number}.example", f"Request {number}", "Can one of you help us in May?")
        dovecot.deliver(user, raw, received=START)
    with progress.listening(lambda what, done, total: heard.setdefault(what, []).append((done, total))):
        house.open()
        house.until(lambda: len(house.subjects()) == 70, why="all are leads")
        house.close()
    told = heard["reading mail"]
    assert [done for done, total in told if total == 70][:70] == list(range(1, 71))
    assert heard["searching INBOX"][0] == (1, 1)


def test_a_wrong_password_is_one_sentence_from_check(house: Running) -> None:
    house.password = "wrong"
    said = house.call("check", status=1)
    assert "Traceback" not in said
    assert "WRONG imap" in said
    assert SHARED not in said or "password" in said


def test_check_finds_nothing_wrong_in_a_working_house(house: Running) -> None:
    said = house.call("check")
    assert "WRONG" not in said
