"""Mails that break us, at the daemon's own level: put aside with their traceback, and nobody else waits.

After three in a row a healthy mail decides: where that passes the mails are hostile and all goes on; where it fails the
fault is ours, and the daemon stops loudly before it drains good mail.
"""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from router import cli, office
from router.triage import triage
from tests.house import sent_to
from tests.open_house import Clock, OpenHouse, alerts
from tests.servers import Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)


class Bug:
    """Stands before `triage`, and breaks over mails that hold `words`; over every mail where these are ""."""

    def __init__(self) -> None:
        self.words: str | None = "hemlock"

    def __call__(self, incoming: Any, *rest: Any) -> Any:
        if self.words is not None and self.words in incoming.message.text:
            raise RuntimeError("a case that nobody thought of")
        return triage(incoming, *rest)


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> Bug:
    bug = Bug()
    monkeypatch.setattr(office, "triage", bug)
    return bug


def command(house: OpenHouse, *words: str) -> str:
    """`bun-router quarantine …`, in this process, beside the daemon."""
    done = CliRunner().invoke(cli.app, [*words, "--config", str(house.config)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_mail_that_breaks_us_is_put_aside_and_can_be_looked_at_retried_and_dropped(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, bug: Bug, fault: Callable[..., None]
) -> None:
    bad = house.mail("jo@acme.example", "Bad", "Can one of you help us with hemlock in May?")
    worse = house.mail("lu@worse.example", "Worse", "Can one of you brew us hemlock in June?")
    good = house.mail("su@beta.example", "Good", "Can one of you help us with parsley in May?")
    for raw in (bad, worse, good):
        dovecot.deliver(house.user, raw, received=house.clock())
    took = house.took(lambda: sent_to(smtp.mails, "su@beta.example"), "the next mail is answered", step=1)
    house.until(lambda: len(dovecot.mails(house.user, "Buns.Quarantine")) == 2, why="filed apart")
    house.until(lambda: alerts(smtp.mails), why="the operator hears")
    assert alerts(smtp.mails) == ["quarantine"]
    assert "RuntimeError" in command(house, "quarantine", "list")
    shown = json.loads(command(house, "quarantine", "show", "1", "--json"))
    paths = {name: Path(shown[name]) for name in ("bytes", "traceback")}
    assert paths["bytes"].read_bytes() == bad
    assert "a case that nobody thought of" in paths["traceback"].read_text()
    assert [path.stat().st_mode & 0o077 for path in (paths["bytes"], paths["traceback"])] == [0, 0]
    assert "hemlock" not in house.log(), "what a mail says is never logged"
    with pytest.raises(cli.Sorry, match="still cannot be handled"):
        command(house, "quarantine", "retry", "1")
    assert len(house.store().quarantined()) == 2, "one entry a mail"
    bug.words = None
    assert "is handled" in command(house, "quarantine", "retry", "1")
    house.until(lambda: sent_to(smtp.mails, "jo@acme.example"), why="the acknowledgement after a retry")
    assert "is dropped" in command(house, "quarantine", "drop", "2")
    assert "empty" in command(house, "quarantine", "list")
    assert not [path for path in paths.values() if path.exists()]
    assert house.subjects() == ["Bad", "Good"]
    fault("poison: a mail that breaks us", tries=2, recovered=took, clock="house", note="kept apart, then retried")


def test_hostile_mails_in_a_row_are_put_aside_and_the_operator_hears_once(
    house: OpenHouse, dovecot: Dovecot, smtp: RecordingSmtp, bug: Bug, fault: Callable[..., None]
) -> None:
    for number in range(12):
        raw = house.mail(f"m{number}@mean.example", f"Mean {number}", f"Number {number} of much hemlock?")
        dovecot.deliver(house.user, raw, received=house.clock())
    good = house.mail("su@beta.example", "Good", "Can one of you help us with parsley in May?")
    dovecot.deliver(house.user, good, received=house.clock())
    took = house.took(lambda: sent_to(smtp.mails, "su@beta.example"), "the next mail is answered", step=1)
    house.until(lambda: not house.store().count_unsent(), why="all sent")
    assert sorted(alerts(smtp.mails)) == ["poison", "quarantine"]
    assert len(house.store().quarantined()) == 12
    fault("poison: hostile mails in a row", tries=12, recovered=took, clock="house", note="all put aside")


def test_where_a_healthy_mail_fails_too_the_daemon_stops_loudly(
    tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp, bug: Bug, fault: Callable[..., None]
) -> None:
    """Status 3, with a sentence; good mail stays where it is, and is answered after the mending."""
    user = f"poison{next(_users)}"
    house = OpenHouse(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD)
    house.clock, house.events = Clock(), []
    clients = [f"c{n}@client{n}.example" for n in range(6)]
    for number, client in enumerate(clients):
        raw = house.mail(client, f"Request {number}", f"Can you help us with matter {number} in May?")
        dovecot.deliver(user, raw, received=house.clock())
    bug.words = ""
    handlers = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BUN_PASSWORD", dovecot.PASSWORD)
        patch.setattr(cli, "now", house.clock)
        try:
            with pytest.raises(cli.Sorry, match="our own fault") as stopped:
                cli.run(config=house.config)
        finally:
            for name, handler in handlers.items():
                signal.signal(name, handler)
    assert stopped.value.status == 3
    assert len(dovecot.mails(user)) + len(dovecot.mails(user, "Buns.Quarantine")) == 6
    assert len(house_quarantine(house)) <= 2, "what came before the third"
    bug.words = None
    house.open()
    try:
        house.until(lambda: sent_to(smtp.mails, clients[-1]), why="the rest is answered")
        for number, _ in house_quarantine(house):
            assert "is handled" in command(house, "quarantine", "retry", str(number))
        house.until(lambda: all(sent_to(smtp.mails, client) for client in clients), why="all are answered")
        assert len(house.subjects()) == 6
    finally:
        house.close()
    fault("poison: our own bug", tries=6, note="stops with status 3; all answered after the mending")


def house_quarantine(house: OpenHouse) -> list[tuple[int, dict[str, Any]]]:
    return house.store().quarantined()
