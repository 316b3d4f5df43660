"""The real daemon under a real notify socket, with real canaries: out by SMTP, into Dovecot, and back by IMAP."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.clerk import leave_request
from router.health import faults_of, read_health
from router.message import read_message
from tests.house import SHARED, Running, wait_for
from tests.servers import Dovecot, Recorded, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)
SECOND = "operator@elsewhere.example"
CANARY = '[canary]\nevery = "1 second"\nlate = "2 seconds"\n'


class Delivering(RecordingSmtp):
    """Records, and puts what is for the shared address into its mailbox, while `delivers` holds."""

    def __init__(self, dovecot: Dovecot, user: str) -> None:
        super().__init__()
        self.dovecot, self.user, self.delivers = dovecot, user, True

    def _take(self, mail: Recorded) -> None:
        super()._take(mail)
        if self.delivers and SHARED in mail.rcpts:
            self.dovecot.deliver(self.user, mail.raw)

    def told(self, words: str) -> list[str]:
        """To whom mails with these words in their subject went."""
        found = (mail for mail in self.mails if words in read_message(mail.raw).subject)
        return [address for mail in found for address in mail.rcpts]


@pytest.fixture
def smtp(dovecot: Dovecot) -> Iterator[Delivering]:
    with Delivering(dovecot, f"watch{next(_users)}") as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, dovecot: Dovecot, smtp: Delivering) -> Iterator[Running]:
    running = Running(tmp_path, dovecot.plain_port, smtp.port, smtp.user, dovecot.PASSWORD, more=CANARY)
    text = running.config.read_text().replace("plus_addresses", f'operator_second = "{SECOND}"\nplus_addresses')
    running.config.write_text(text)
    yield running
    running.kill()


def _faults(house: Running) -> list[str]:
    """What `health` would say, without starting a process for it."""
    doc = read_health(house.store_path.with_name("buns.json.health"))
    return ["no file"] if doc is None else faults_of(doc, datetime.now(UTC))


def test_canaries_fly_and_a_missing_one_is_told_by_the_second_address_once(
    house: Running, dovecot: Dovecot, smtp: Delivering
) -> None:
    house.start()
    wait_for(lambda: len([mail for mail in smtp.mails if mail.rcpts == [SHARED]]) >= 3, why="three canaries")
    wait_for(lambda: not dovecot.mails(smtp.user), why="those that came back are deleted")
    assert _faults(house) == []
    smtp.delivers = False
    wait_for(lambda: SECOND in smtp.told("not come back"), why="the alert")
    wait_for(lambda: any("the canary is late" in fault for fault in _faults(house)), why="health says so")
    smtp.delivers = True
    wait_for(lambda: SECOND in smtp.told("comes back again"), why="the all-clear")
    wait_for(lambda: _faults(house) == [], why="health says so too")
    assert house.stop() == 0
    assert smtp.told("not come back").count(SECOND) == smtp.told("comes back again").count(SECOND) == 1
    assert not dovecot.mails(smtp.user, "Buns.Handled"), "canaries do not pile up"
    assert _faults(house) == ["the daemon has been stopped"]


def test_systemd_hears_ready_watchdog_and_stopping_and_a_request_is_answered_at_once(
    house: Running, tmp_path: Path
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(20)
        house.environment = {"NOTIFY_SOCKET": str(path)}
        house.write_config()  # without canaries: nothing else wakes it
        house.config.write_text(house.config.read_text().replace(CANARY, ""))
        house.start()
        heard = [server.recv(100), server.recv(100)]
        assert heard == [b"READY=1", b"WATCHDOG=1"]
        wait_for(lambda: (house.folder / "store" / "buns.json.health").exists())
        answer = leave_request(house.store_path, {"do": "drop", "number": 7})
        wait_for(answer.exists, 5.0, why="the bell wakes the daemon from its half minute")
        assert house.stop() == 0
        server.setblocking(False)
        while True:
            try:
                heard.append(server.recv(100))
            except BlockingIOError:
                break
    assert heard[-1] == b"STOPPING=1"
    assert set(heard) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}


def test_a_killed_daemon_is_known_to_be_gone(house: Running) -> None:
    house.start()
    wait_for(lambda: (house.folder / "store" / "buns.json.health").exists())
    house.kill()
    assert "ended without saying so" in house.call("health", status=1)
