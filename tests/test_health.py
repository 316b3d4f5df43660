"""A router that is not well says so: to monitors, to systemd, and to its operator by another way than its own mail."""

from __future__ import annotations

import configparser
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.bell import Bell, ring
from router.canary import NOTE, Canary, from_doc, to_doc
from router.clerk import HEALTH_EVERY, Clerk
from router.compose import Outgoing
from router.config import load
from router.health import faults_of, notify, read_health, this_host
from router.message import read_message
from tests.dialogue import DOMAIN, SHARED, Play
from tests.test_clerk import CONFIG

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SECOND = "operator@elsewhere.example"


def well(**changes: Any) -> dict[str, Any]:
    doc = {
        "at": NOW.isoformat(),
        "running": True,
        "imap": "ok",
        "smtp": "ok",
        "disk": "ok",
        "unsent": 0,
        "quarantine": 0,
    }
    return {
        **doc,
        "started": NOW.isoformat(),
        "heard": NOW.isoformat(),
        "pid": os.getpid(),
        "host": this_host(),
        **changes,
    }


# -- what monitors hear ------------------------------------------------------------------------------------------------


def test_a_router_that_is_well_has_no_faults() -> None:
    assert faults_of(well(), NOW + timedelta(seconds=60)) == []
    assert faults_of(well(heard=None), NOW) == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"imap": "the mailbox cannot be reached"}, "imap: the mailbox cannot be reached"),
        ({"smtp": "mail cannot leave: 535"}, "smtp: mail cannot leave: 535"),
        ({"disk": "no space left"}, "disk: no space left"),
        ({"running": False}, "the daemon has been stopped"),
        ({"at": (NOW - timedelta(minutes=3)).isoformat()}, "last heard of 180 s ago"),
        ({"heard": (NOW - timedelta(minutes=20)).isoformat()}, "last read 20 minutes ago"),
        ({"canary": {"told": True}}, "the canary is late"),
    ],
)
def test_each_thing_that_can_be_wrong_is_a_fault(changes: dict[str, Any], says: str) -> None:
    faults = faults_of(well(**changes), NOW)
    assert len(faults) == 1 and says in faults[0]


def test_a_process_that_ended_without_a_word_is_known_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert "ended without saying so" in faults_of(well(pid=gone.pid), NOW)[0]
    assert faults_of(well(pid=gone.pid, host="another machine"), NOW) == [], "its processes are not ours to see"


def test_a_health_file_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "health"
    assert read_health(path) is None
    for content in (b"", b"{", b"[]", b'{"at": 1}', b"\xff"):
        path.write_bytes(content)
        assert read_health(path) is None
    path.write_text(json.dumps(well()))
    assert read_health(path) == well()


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_abstract", [False, True])
def test_systemd_is_told_through_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool) -> None:
    name = f"@bun-router-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(name.replace("@", "\0", 1))
        server.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("WATCHDOG=1")
        assert server.recv(100) == b"WATCHDOG=1"
    notify("READY=1")  # nobody listens any more, and that is no fault of ours


UNIT = Path(__file__).parent.parent / "deploy" / "bun-router.service"


def test_the_units_promises_are_the_daemons() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # names of settings keep their case
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Type"] == "notify", "it says READY=1 itself"
    assert float(service["WatchdogSec"]) > 4 * HEALTH_EVERY, "the daemon is heard of at least that often"
    assert set(service["RestartPreventExitStatus"].split()) == {"2", "3"}, "what no restart can mend"
    state = Path("/var/lib") / service["StateDirectory"]
    config = Path(service["ExecStart"].split("--config ")[1])
    assert config.parent == state, "paths are relative to the configuration, and only this folder can be written to"
    assert (service["UMask"], service["StateDirectoryMode"], service["LimitCORE"]) == ("0077", "0700", "0")
    assert "AF_UNIX" in service["RestrictAddressFamilies"], "for the notify socket"


# -- the bell ----------------------------------------------------------------------------------------------------------


def test_another_process_rings_the_bell_and_a_signal_does(tmp_path: Path) -> None:
    ring(tmp_path)  # nobody there yet
    bell = Bell(tmp_path)
    for rings in (bell.ring, lambda: ring(tmp_path)):
        timer = threading.Timer(0.05, rings)
        timer.start()
        bell.wait(10)
        timer.join()
        assert timer.finished.is_set()
    assert (tmp_path / ".bell").stat().st_mode & 0o777 == 0o600
    Bell(tmp_path)  # a second start finds it there


def test_a_bell_without_its_pipe_still_rings_within(tmp_path: Path) -> None:
    (tmp_path / ".bell").write_text("a file is in the way")
    bell = Bell(tmp_path)
    bell.ring()
    bell.wait(10)
    ring(tmp_path)
    assert (tmp_path / ".bell").read_text() == "a file is in the way"


# -- the canary --------------------------------------------------------------------------------------------------------


def test_a_canary_is_missing_since_the_oldest_that_has_not_come_back() -> None:
    at = [NOW + timedelta(minutes=5 * step) for step in range(6)]
    canary = Canary().left("a", at[0]).left("b", at[1]).left("c", at[2])
    assert canary.since == at[0]
    assert not canary.is_late(timedelta(minutes=15), at[3])
    assert canary.is_late(timedelta(minutes=15), at[4])
    assert canary.came_back("x", at[4]) == canary, "somebody else's"
    back = canary.came_back("a", at[4])
    assert back.since is None and back.back == at[4], "late, but mail gets through"
    assert from_doc(to_doc(back)) == back
    assert from_doc({"id": "<old>", "sent": "x", "told": False}) == Canary(), "an older form"
    assert from_doc(None) == Canary()
    for number in range(100):
        back = back.left(str(number), NOW)
    assert len(back.ids) == 20


class Nest:
    """A house that sends itself a mail every ten minutes, on a virtual clock."""

    def __init__(self, folder: Path) -> None:
        self.play = Play(folder)
        office = self.play.open()
        second = f'operator = "operator@{DOMAIN}"\noperator_second = "{SECOND}"\n'
        canary = '[canary]\nevery = "10 minutes"\nlate = "15 minutes"\n'
        text = CONFIG.replace('happiness = "anonymous"\n', second).replace("[[consultant]]", canary + "[[consultant]]")
        (folder / "config.toml").write_text(text)
        office.house = replace(office.house, operator_second=SECOND)
        self.office, self.clerk = office, Clerk(load(folder / "config.toml"), office)
        self.comes_back = True
        self.alerts: list[Outgoing] = []

    def pass_minutes(self, minutes: int) -> None:
        """Minute by minute; what is sent to ourselves comes back, or not."""
        for _ in range(minutes):
            self.play.now += timedelta(minutes=1)
            self.clerk.almanac._tick()
            self.clerk.tick()
            self.play.sent.clear()
            self.play._settle()
            for mail in list(self.play.sent):
                if mail.kind == "canary" and self.comes_back:
                    self.play.deliver(mail.raw)
                if mail.kind == "alert":
                    self.alerts.append(mail)

    @property
    def told(self) -> list[tuple[str, str]]:
        words = (("not come back", "late"), ("comes back again", "back"))
        return [
            (mail.recipients[0], word)
            for mail in self.alerts
            for said, word in words
            if said in read_message(mail.raw).text or said in read_message(mail.raw).subject
        ]


@pytest.fixture
def nest(tmp_path: Path) -> Iterator[Nest]:
    yield Nest(tmp_path)


def test_canaries_come_and_go_and_nobody_hears_of_them(nest: Nest) -> None:
    nest.pass_minutes(60)
    assert nest.alerts == []
    known = from_doc(nest.office.store.note(NOTE))
    assert len(known.ids) >= 5 and known.since is None and known.back is not None
    assert {filing.to for filing in nest.office.store.unfiled()} == {"gone"}, "they do not pile up in the mailbox"
    assert not nest.office.store.open_leads() and not nest.office.store.asides()


def test_a_missing_canary_is_told_once_to_both_addresses_and_so_is_the_all_clear(nest: Nest) -> None:
    nest.pass_minutes(30)
    nest.comes_back = False
    nest.pass_minutes(300)
    both = {f"operator@{DOMAIN}", SECOND}
    assert sorted(nest.told) == sorted((address, "late") for address in both)
    nest.clerk.write_health({"imap": "ok", "smtp": "ok", "disk": "ok", "unsent": 0, "heard": None, "started": None})
    doc = read_health(nest.clerk.settings.store.health_file)
    assert doc is not None and any("canary is late" in fault for fault in faults_of(doc, nest.play.now))
    nest.comes_back = True
    nest.pass_minutes(60)
    assert sorted(nest.told) == sorted((address, word) for address in both for word in ("late", "back"))
    nest.comes_back = False
    nest.pass_minutes(60)
    assert [word for _, word in nest.told].count("late") == 4, "a second time is told again"


def test_canaries_that_never_left_do_not_pile_up_in_the_outbox(nest: Nest) -> None:
    nest.play.smtp_up = False
    nest.pass_minutes(120)
    waiting = [doc["kind"] for _, doc in nest.office.store.unsent()]
    assert waiting.count("canary") == 1
    nest.play.smtp_up = True
    nest.pass_minutes(15)
    assert [word for _, word in nest.told].count("late") == 2, "told once mail leaves again"
    assert [word for _, word in nest.told].count("back") == 2


def test_a_copy_in_the_sent_folder_is_not_a_canary_that_came_back(nest: Nest) -> None:
    nest.comes_back = False
    nest.pass_minutes(11)
    raw = next(mail.raw for mail in nest.play.sent if mail.kind == "canary") if nest.play.sent else b""
    while not raw:
        nest.pass_minutes(1)
        raw = next((mail.raw for mail in nest.play.sent if mail.kind == "canary"), b"")
    nest.play.deliver(raw, "sent")
    assert from_doc(nest.office.store.note(NOTE)).since is not None
    nest.play.deliver(raw.replace(SHARED.encode(), b"x@evil.example", 1))
    assert from_doc(nest.office.store.note(NOTE)).since is not None, "from somebody else"
    nest.play.deliver(raw.replace(b"Message-ID: <", b"Message-ID: <rewritten-"))
    assert from_doc(nest.office.store.note(NOTE)).since is None, "some providers rewrite Message-IDs"


def test_our_own_server_may_find_our_own_mail_unsigned(nest: Nest) -> None:
    """SMTP through a provider that signs nothing: DMARC fails for the canary, and it is ours all the same."""
    nest.comes_back = False
    while not any(mail.kind == "canary" for mail in nest.play.sent):
        nest.pass_minutes(1)
    raw = next(mail.raw for mail in nest.play.sent if mail.kind == "canary")
    nest.play.deliver(f"Authentication-Results: mx.{DOMAIN}; dmarc=fail header.from={DOMAIN}\r\n".encode() + raw)
    assert from_doc(nest.office.store.note(NOTE)).since is None


def test_health_is_written_at_once_when_it_changes_and_else_every_half_minute(nest: Nest) -> None:
    path = nest.clerk.settings.store.health_file
    facts = {"imap": "ok", "smtp": "ok", "disk": "ok", "unsent": 0, "heard": None, "started": None}

    def says(**changes: str) -> str:
        nest.clerk.write_health({**facts, **changes})
        doc = read_health(path)
        assert doc is not None
        return f"{doc['imap']} {doc['at']}"

    first = says()
    nest.play.now += timedelta(seconds=1)
    assert says() == first, "nothing new, and written a moment ago"
    assert says(imap="down").startswith("down")
    assert says().startswith("ok"), "also when it is well again"
    assert path.stat().st_mode & 0o777 == 0o600
