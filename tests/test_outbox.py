"""The sending thread: nothing twice, nobody waits for somebody else's trouble, nothing given up without reason."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import router.outbox
from router.delivery import Accepted, Later, Mail, Never, Paused
from router.oauth import SecretError
from router.outbox import Sender, Server
from router.smtp import Timeouts
from tests.fake_outbox import QUICK, Outbox, running
from tests.scripted_smtp import CLOSE_AFTER, DROP, HANG, WAIT, ScriptedSmtp

MINUTE = timedelta(minutes=1)
Say = Callable[[int, str], str | bytes | None]


def on(verb: str, what: str | bytes, *, times: int = 10**9) -> Say:
    """Answer `what` to the first `times` commands that begin with `verb`."""
    left = [times]

    def script(_: int, line: str) -> str | bytes | None:
        if (line.startswith(verb) if verb else line == "") and left[0] > 0:
            left[0] -= 1
            return what
        return None

    return script


# -- the plain way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [("PIPELINING", "8BITMIME"), ("8BITMIME",)])
def test_a_stored_mail_goes_out_as_it_is(extensions: tuple[str, ...]) -> None:
    raw = b"Subject: dots\r\n\r\n.\r\n..two\r\nand\nbare\r\n."
    with ScriptedSmtp(extensions=extensions) as server, running(server.port) as run:
        row = run.send("bo@example.org", "cy@example.org", raw=raw)
        assert run.outcome(row) == Accepted()
    (taken,) = server.mails
    assert (taken.sender, taken.recipients) == ("buns@example.org", ("bo@example.org", "cy@example.org"))
    assert taken.raw == b"Subject: dots\r\n\r\n.\r\n..two\r\nand\r\nbare\r\n.\r\n"


def test_connections_are_used_again() -> None:
    with ScriptedSmtp() as server, running(server.port) as run:
        for _ in range(50):
            run.send()
        run.until(lambda: len(run.outbox.outcomes) == 50, "50 results")
    assert len(server.mails) == 50
    assert server.connections <= 2
    assert not server.said("RSET")


def test_a_result_is_reported_within_20_ms_and_results_at_once_share_a_commit() -> None:
    with ScriptedSmtp() as server, running(server.port, connections=4) as run:
        run.outcome(run.send())
        began = time.monotonic()
        run.outcome(run.send())
        alone = time.monotonic() - began
        for _ in range(200):
            run.outbox.add("bo@example.org")
        run.sender.wake()
        run.until(lambda: len(run.outbox.outcomes) == 202, "202 results")
    assert alone < 0.2  # 20 ms on an idle machine; a loaded one gets room
    assert len(run.outbox.batches) < 150


def test_a_connection_that_is_idle_is_closed_with_quit() -> None:
    with ScriptedSmtp() as server, running(server.port, timeouts=Timeouts(idle=0.01)) as run:
        run.outcome(run.send())
        time.sleep(0.02)
        run.sender.wake()
        run.until(lambda: server.said("QUIT"), "QUIT")
        assert run.outcome(run.send()) == Accepted()
    assert server.connections == 2


def test_mail_that_falls_due_is_sent_without_anybody_waking_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router.outbox, "TICK", 0.01)
    with ScriptedSmtp() as server, running(server.port) as run:
        row = run.outbox.add("bo@example.org")
        assert run.outcome(row) == Accepted()


def test_the_steps_are_named_for_the_kill_harness(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    monkeypatch.setattr(router.outbox, "on_step", steps.append)
    with ScriptedSmtp() as server, running(server.port) as run:
        run.outcome(run.send())
    assert steps == ["smtp-mail", "smtp-data", "smtp-accepted"]


# -- 4xx and 5xx at each stage ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["", "EHLO", "AUTH"])
@pytest.mark.parametrize("reply", ["421 4.3.2 not now", "454 4.3.0 later", "554 5.7.1 go away", DROP])
def test_trouble_before_any_mail_pauses_the_queue_and_costs_no_try(stage: str, reply: str) -> None:
    def script(_: int, line: str) -> str | None:
        if not broken:
            return None
        if stage == "EHLO" and line.startswith("HELO"):
            return reply
        return reply if (line.startswith(stage) if stage else not line) else None

    broken = [True]
    login: dict[str, Any] = {"user": "buns", "password": lambda: "secret-word"} if stage == "AUTH" else {}
    with ScriptedSmtp(script, extensions=("AUTH PLAIN", "PIPELINING")) as server, running(server.port, **login) as run:
        rows = [run.send(), run.send()]
        run.until(lambda: run.sender.state.startswith("paused: "), "a pause")
        run.until(lambda: not run.outbox.flying, "the mails handed back")
        assert {type(each) for _, each in run.outbox.outcomes} == {Paused}
        assert all(mail.tries == 0 for mail in run.outbox.rows.values())
        assert "secret-word" not in run.sender.state
        broken.clear()
        run.pass_pauses()
        assert [run.outcome(row) for row in rows] == [Accepted(), Accepted()]
    assert run.outbox.states[-1] == "ok"
    assert len(run.outbox.states) == 2, "one alert and one all-clear"


@pytest.mark.parametrize(
    ("stage", "reply", "kind", "words"),
    [
        ("MAIL", "451 4.3.0 later", Later, "asks to wait"),
        ("MAIL", "553 5.7.1 not your address", Later, "refuses the sender"),
        ("MAIL", "552 5.3.4 too big", Never, "too large"),
        ("RCPT", "450 4.7.1 greylisted", Later, "greylisted"),
        ("RCPT", "550 5.1.1 no such user", Never, "no such user"),
        ("DATA", "451 4.3.0 later", Later, "asks to wait"),
        ("DATA", "554 5.5.0 no", Never, "refuses the mail"),
        (".", "451 4.3.0 later", Later, "asks to wait"),
        (".", "554 5.7.1 spam", Never, "refuses the mail"),
        (".", "552 5.3.4 too big", Never, "too large"),
        ("MAIL", DROP, Later, "closed the connection at MAIL FROM"),
        ("RCPT", DROP, Later, "closed the connection"),
        ("DATA", DROP, Later, "closed the connection"),
        (".", DROP, Later, "may have been taken"),
        ("MAIL", CLOSE_AFTER + "421 4.7.0 bye", Later, "421 4.7.0 bye"),
        (".", CLOSE_AFTER + "421 4.7.0 bye", Later, "421 4.7.0 bye"),
        ("MAIL", b"what is this?\r\n", Later, "no SMTP reply at MAIL FROM"),
        (".", b"250", Later, "may have been taken"),  # half a reply, then silence
        (".", b"2" * 40_000, Later, "may have been taken"),
        ("RCPT", b"250 yes\r\n250 and another\r\n", Later, "DATA"),  # whose is the second?
    ],
)
@pytest.mark.parametrize("extensions", [("PIPELINING",), ("HELP",)])
def test_trouble_with_one_mail_is_its_own(
    stage: str, reply: str | bytes, kind: type, words: str, extensions: tuple[str, ...]
) -> None:
    brief = replace(QUICK, end=0.1)
    with (
        ScriptedSmtp(on(stage, reply, times=1), extensions=extensions) as server,
        running(server.port, timeouts=brief) as run,
    ):
        bad = run.send("bad@example.org")
        got = run.outcome(bad)
        assert isinstance(got, Later | Never)
        assert isinstance(got, kind)
        assert words in got.reason
        assert run.outcome(run.send("good@example.org")) == Accepted()
        assert run.sender.state == "ok"
    assert ("good@example.org",) in [mail.recipients for mail in server.mails]


@pytest.mark.parametrize(
    ("stage", "words"),
    [("MAIL", "did not answer"), ("RCPT", "did not answer"), ("DATA", "did not answer"), (".", "may have been taken")],
)
def test_a_silent_server_costs_a_try_of_that_mail_alone(stage: str, words: str) -> None:
    quick = Timeouts(command=0.05, end=0.05)
    with ScriptedSmtp(on(stage, HANG, times=1)) as server, running(server.port, timeouts=quick) as run:
        got = run.outcome(run.send())
        assert isinstance(got, Later)
        assert words in got.reason
        assert run.outcome(run.send()) == Accepted()


def test_recipients_are_refused_one_by_one_and_the_rest_is_tried_alone() -> None:
    def script(_: int, line: str) -> str | None:
        if "busy@" in line and times:
            times.pop()
            return "450 4.2.1 busy"
        return "550 5.1.1 unknown" if "gone@" in line else None

    times = [1]
    with ScriptedSmtp(script) as server, running(server.port) as run:
        row = run.send("bo@example.org", "busy@example.org", "gone@example.org")
        got = run.outcome(row)
        assert isinstance(got, Accepted)
        assert got.rest == ("busy@example.org",)
        assert run.outbox.rows[row].recipients == ("busy@example.org",)
        run.pass_time(MINUTE)
        assert run.outcome(row, 2) == Accepted()
    assert [mail.recipients for mail in server.mails] == [("bo@example.org",), ("busy@example.org",)]
    assert server.mails[0].raw == server.mails[1].raw


def test_a_greylisted_mail_is_tried_again_after_one_minute_and_after_five() -> None:
    with ScriptedSmtp(on("RCPT", "450 4.7.1 greylisted, come back", times=2)) as server, running(server.port) as run:
        row = run.send()
        run.outcome(row, 1)
        run.pass_time(MINUTE)
        run.outcome(row, 2)
        run.pass_time(4 * MINUTE)
        assert len(run.outbox.of(row)) == 2
        run.pass_time(MINUTE)
        assert run.outcome(row, 3) == Accepted()


def test_a_mail_that_can_never_be_sent_is_given_up_after_five_days_and_holds_nobody() -> None:
    def script(_: int, line: str) -> str | None:
        return "450 4.2.0 mailbox locked" if "locked@" in line else None

    with ScriptedSmtp(script) as server, running(server.port) as run:
        row, tries = run.send("locked@example.org"), 1
        while isinstance(got := run.outcome(row, tries), Later):
            assert run.outcome(run.send("bo@example.org")) == Accepted()
            run.pass_time(got.retry_at - run.outbox.now)
            tries += 1
        assert isinstance(got, Never)
        assert "given up after 5 days" in got.reason
        assert "mailbox locked" in got.reason
        assert run.outbox.of(row)[0] != got
        assert row not in run.outbox.rows
    assert 30 < tries < 40
    assert len(server.mails) == tries - 1


def test_a_demand_for_a_login_pauses_the_queue() -> None:
    with ScriptedSmtp(on("MAIL", "530 5.7.0 log in first", times=1)) as server, running(server.port) as run:
        row = run.send()
        run.until(lambda: "demands a login" in run.sender.state, "a pause")
        run.pass_pauses()
        assert run.outcome(row) == Accepted()


# -- the queue ----------------------------------------------------------------------------------------------------


def test_one_slow_mail_does_not_hold_the_others() -> None:
    def script(_: int, line: str) -> str | None:
        return WAIT if "slow@" in line else None

    with ScriptedSmtp(script) as server, running(server.port, connections=2) as run:
        slow = run.send("slow@example.org")
        others = [run.send() for _ in range(20)]
        assert all(run.outcome(row) == Accepted() for row in others)
        assert not run.outbox.of(slow)
        server.go_on()
        assert run.outcome(slow) == Accepted()


def test_where_all_connections_are_stuck_others_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router.outbox, "PATIENCE", 0.03)
    monkeypatch.setattr(router.outbox, "TICK", 0.02)

    def script(_: int, line: str) -> str | None:
        return WAIT if "slow@" in line else None

    with ScriptedSmtp(script) as server, running(server.port, connections=2) as run:
        stuck = [run.send("slow@example.org") for _ in range(2)]
        others = [run.send() for _ in range(20)]
        assert all(run.outcome(row) == Accepted() for row in others)
        assert server.most_open <= 4
        server.go_on()
        assert all(run.outcome(row) == Accepted() for row in stuck)


@pytest.mark.parametrize("goodbye", [b"", b"421 4.4.2 idle for too long\r\n"])
def test_a_server_that_left_meanwhile_costs_no_try(goodbye: bytes) -> None:
    with ScriptedSmtp() as server, running(server.port) as run:
        run.outcome(run.send())
        server.tell_all(goodbye) if goodbye else server.drop_all()
        run.until(lambda: server.open == 0, "the closed connection")
        assert run.outcome(run.send()) == Accepted()
    assert server.connections == 2


@pytest.mark.parametrize(
    "limit", [CLOSE_AFTER + "421 4.7.0 too many mails", "452 4.3.2 too many mails on this connection", DROP]
)
def test_a_limit_of_mails_per_connection_means_a_new_connection(limit: str) -> None:
    seen: dict[int, int] = {}

    def script(connection: int, line: str) -> str | None:
        if line.startswith("MAIL"):
            seen[connection] = seen.get(connection, 0) + 1
            return limit if seen[connection] > 3 else None
        return None

    with ScriptedSmtp(script) as server, running(server.port, connections=1) as run:
        rows = [run.send() for _ in range(10)]
        assert [run.outcome(row) for row in rows] == [Accepted()] * 10
        assert run.sender.state == "ok"
    assert server.connections == 4


def test_a_limit_of_connections_means_fewer_of_them() -> None:
    def script(connection: int, line: str) -> str | None:
        return CLOSE_AFTER + "421 4.7.0 too many connections" if not line and server.open > 1 else None

    with ScriptedSmtp(script) as server, running(server.port, connections=4) as run:
        for _ in range(60):
            run.outbox.add("bo@example.org")
        run.sender.wake()
        run.until(lambda: len(server.mails) == 60 and not run.outbox.rows, "60 mails over one connection")
        assert run.sender.state == "ok"
        assert run.outbox.states == []
    assert server.connections < 12, "it does not knock again for every mail"


def test_a_server_that_refuses_a_second_connection_is_not_knocked_at_while_the_first_is_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def script(connection: int, line: str) -> str | None:
        if not line and server.open > 1:
            return CLOSE_AFTER + "421 4.7.0 too many connections"
        return WAIT if "slow@" in line else None

    monkeypatch.setattr(router.outbox, "PATIENCE", 0.05)
    monkeypatch.setattr(router.outbox, "TICK", 0.01)
    with ScriptedSmtp(script) as server, running(server.port, connections=2) as run:
        slow, other = run.send("slow@example.org"), run.send()
        run.until(lambda: "too many connections" in run.sender.state, "a pause, since the queue stands still")
        assert server.connections < 8
        server.go_on()
        assert run.outcome(slow) == Accepted()
        assert run.outcome(other) == Accepted()
        assert run.sender.state == "ok"


def test_after_a_pause_all_connections_are_used_again() -> None:
    answers = ["553 5.7.1 not your address"] * 20  # which leaves the connections standing

    def script(_: int, line: str) -> str | None:
        return answers.pop() if line.startswith("MAIL") and answers else WAIT if line == "." else None

    patient = replace(QUICK, end=60)
    with ScriptedSmtp(script) as server, running(server.port, connections=3, timeouts=patient) as run:
        for _ in range(3):
            run.outcome(run.send())
        run.until(lambda: run.sender.state != "ok", "a pause")
        answers.clear()
        server.go_on()
        run.pass_time(MINUTE)
        run.until(lambda: not run.outbox.rows, "all sent")
        server.hold()
        before = len(server.said("DATA"))
        for _ in range(3):
            run.send()
        run.until(lambda: len(server.said("DATA")) == before + 3, "three under way at once", 2)
        server.go_on()


def test_after_ten_minutes_all_connections_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router.outbox, "PATIENCE", 0.02)  # between knocks at the server

    def script(connection: int, line: str) -> str | None:
        if not line and limited and server.open > 1:
            return CLOSE_AFTER + "421 4.7.0 too many connections"
        return WAIT if line == "." and not limited else None

    limited = [True]
    with ScriptedSmtp(script) as server, running(server.port, connections=3) as run:
        for _ in range(20):
            run.outbox.add("bo@example.org")
        run.sender.wake()
        run.until(lambda: not run.outbox.rows, "20 mails")
        limited.clear()
        run.pass_time(timedelta(minutes=11))
        for _ in range(3):
            run.send()
        run.until(lambda: server.open == 3, "three connections")
        server.go_on()
        run.until(lambda: not run.outbox.rows, "3 more")


def test_several_doubtful_failures_in_a_row_pause_the_queue() -> None:
    broken = [True]

    def script(_: int, line: str) -> str | None:
        return "553 5.7.1 sender not owned by user" if line.startswith("MAIL") and broken else None

    with ScriptedSmtp(script) as server, running(server.port, connections=1) as run:
        rows = [run.send() for _ in range(30)]
        run.until(lambda: "refuses the sender" in run.sender.state, "a pause")
        run.until(lambda: not run.outbox.flying, "the rest handed back")
        assert sum(isinstance(each, Later) for _, each in run.outbox.outcomes) == 3
        assert len(server.said("MAIL")) == 3, "a server that refuses everything is not asked for every mail"
        broken.clear()
        run.pass_pauses()
        run.until(lambda: not run.outbox.rows, "all sent")
        assert all(isinstance(run.outbox.of(row)[-1], Accepted) for row in rows)


def test_a_mail_that_always_ends_the_connection_does_not_starve_the_others() -> None:
    def script(_: int, line: str) -> str | None:
        return DROP if "bad@" in line else None

    with ScriptedSmtp(script) as server, running(server.port, connections=1) as run:
        bad = run.send("bad@example.org")
        for number in range(1, 6):
            got = run.outcome(bad, number)
            assert isinstance(got, Later)
            run.pass_time(got.retry_at - run.outbox.now)
        good = run.send()
        run.pass_pauses()
        assert run.outcome(good) == Accepted()


def test_a_wrong_password_is_tried_once_and_then_rarely() -> None:
    with (
        ScriptedSmtp(on("AUTH", "535 5.7.8 bad credentials"), extensions=("AUTH PLAIN LOGIN CRAM-MD5",)) as server,
        running(server.port, connections=4, user="buns", password=lambda: "secret-word") as run,
    ):
        for _ in range(10):
            run.send()
        run.until(lambda: "refuses the login" in run.sender.state, "a pause")
        run.until(lambda: not run.outbox.flying, "the mails handed back")
        assert len(server.said("AUTH")) == 1
        run.pass_time(timedelta(seconds=59))
        run.send()
        run.pass_time(timedelta(seconds=2))
        run.until(lambda: len(server.said("AUTH")) == 2, "the second try after a minute")
        run.pass_time(4 * MINUTE)
        assert len(server.said("AUTH")) == 2
    assert len(run.outbox.states) == 1


def test_an_unreadable_password_pauses_with_its_sentence() -> None:
    def password() -> str:
        raise SecretError("the environment variable BUNS is not set")

    with (
        ScriptedSmtp(extensions=("AUTH PLAIN",)) as server,
        running(server.port, user="buns", password=password) as run,
    ):
        run.send()
        run.until(lambda: "BUNS is not set" in run.sender.state, "a pause")


def test_an_unreachable_server_pauses_and_the_queue_goes_on_when_it_is_back() -> None:
    with ScriptedSmtp() as gone:
        port = gone.port
    with running(port) as run:
        row = run.send()
        run.until(lambda: "cannot be reached (Connection refused)" in run.sender.state, "a pause")
        assert f"127.0.0.1:{port}" in run.sender.state
        run.until(lambda: not run.outbox.flying, "the mail handed back")
        assert run.outbox.rows[row].tries == 0


def test_a_clock_that_is_set_back_does_not_make_a_pause_last() -> None:
    broken = [True]
    with (
        ScriptedSmtp(lambda _, line: "421 4.3.2 not now" if broken and not line else None) as server,
        running(server.port) as run,
    ):
        row = run.send()
        run.until(lambda: run.sender.state != "ok", "a pause")
        broken.clear()
        run.outbox.rows[row] = replace(run.outbox.rows[row], not_before=run.outbox.now - timedelta(days=3))
        run.pass_time(timedelta(days=-2))
        assert run.outcome(row) == Accepted()


# -- the store ----------------------------------------------------------------------------------------------------


def test_an_accepted_mail_that_cannot_be_recorded_is_not_sent_again_and_nothing_else_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router.outbox, "TICK", 0.02)
    with ScriptedSmtp() as server, running(server.port) as run:
        run.outcome(run.send())
        run.outbox.failing = OSError(28, "No space left on device")
        accepted = run.send()
        run.until(lambda: "No space left" in run.sender.state, "a pause")
        later = [run.send() for _ in range(5)]
        time.sleep(0.1)
        assert len(server.mails) == 2
        assert accepted in run.outbox.flying
        run.outbox.failing = None
        assert run.outcome(accepted) == Accepted()
        assert all(run.outcome(row) == Accepted() for row in later)
        assert run.sender.state == "ok"
    assert len(server.mails) == 7
    assert len(run.outbox.states) == 2


def test_results_that_come_while_the_store_fails_are_kept_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router.outbox, "TICK", 0.02)

    def script(_: int, line: str) -> str | None:
        return WAIT if "slow@" in line else None

    with ScriptedSmtp(script) as server, running(server.port) as run:
        slow = run.send("slow@example.org")
        run.until(lambda: server.said("RCPT"), "the slow one under way")
        run.outbox.failing = RuntimeError("store is full")
        fast = run.send("fast@example.org")
        run.until(lambda: "store is full" in run.sender.state, "a pause")
        server.go_on()
        run.until(lambda: len(server.mails) == 2, "both accepted")
        run.outbox.failing = None
        assert [run.outcome(fast), run.outcome(slow)] == [Accepted(), Accepted()]
    assert sorted(run.outbox.batches)[-1] == 2


def test_an_outbox_that_cannot_be_read_pauses_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router.outbox, "TICK", 0.02)
    outbox = Outbox()
    failures = [OSError(5, "Input/output error")]

    def take(count: int) -> list[Mail]:
        if failures:
            raise failures[0]
        return list(outbox.take(count))

    with ScriptedSmtp() as server:
        target = Server("127.0.0.1", server.port, "plain", timeouts=QUICK)
        sender = Sender(target, take=take, report=outbox.report, clock=outbox.clock, on_state=outbox.states.append)
        row = outbox.add("bo@example.org")
        sender.start()
        deadline = time.monotonic() + 5
        while sender.state == "ok" and time.monotonic() < deadline:
            time.sleep(0.005)
        assert "Input/output error" in sender.state
        failures.clear()
        while not outbox.of(row) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert outbox.of(row) == [Accepted()]
        assert sender.stop(1)
    assert outbox.states[-1] == "ok"


# -- the end ------------------------------------------------------------------------------------------------------


def test_stop_lets_a_mail_under_way_finish_and_records_it() -> None:
    with ScriptedSmtp(on(".", WAIT)) as server, running(server.port) as run:
        row = run.send()
        run.until(lambda: server.said("DATA"), "DATA")
        threading.Timer(0.1, server.go_on).start()
        assert run.sender.stop(5) is True
        assert run.outbox.of(row) == [Accepted()]
        run.until(lambda: server.said("QUIT"), "QUIT")


def test_stop_cuts_off_what_does_not_finish_and_says_so() -> None:
    with ScriptedSmtp(on(".", HANG)) as server, running(server.port, connections=1) as run:
        row = run.send()
        run.until(lambda: server.said("DATA"), "DATA")
        waiting = run.send()
        began = time.monotonic()
        assert run.sender.stop(0.1) is False
        assert time.monotonic() - began < 2
        assert not run.outbox.flying, "handed back"
        assert set(run.outbox.rows) == {row, waiting}
        assert all(mail.tries == 0 for mail in run.outbox.rows.values())


def test_a_bug_in_the_turn_neither_ends_the_sender_nor_makes_it_spin(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(router.outbox, "TICK", 0.05)
    with ScriptedSmtp() as server, running(server.port) as run:
        run.outcome(run.send())
        monkeypatch.setattr(run.sender, "_retire", lambda: 1 / 0)
        run.sender.wake()
        time.sleep(0.2)
        assert 1 <= caplog.text.count("the sender goes on after ZeroDivisionError") <= 6
        monkeypatch.undo()
        assert run.outcome(run.send()) == Accepted()


def test_stop_says_so_when_results_could_not_be_recorded() -> None:
    with ScriptedSmtp() as server, running(server.port) as run:
        run.outbox.failing = OSError(28, "No space left on device")
        run.send()
        run.until(lambda: run.sender.state != "ok", "a pause")
        assert run.sender.stop(0.1) is False


def test_stop_before_start_and_twice_and_wake_afterwards_are_harmless() -> None:
    with ScriptedSmtp() as server, running(server.port) as run:
        run.outcome(run.send())
        assert run.sender.stop(1) is True
        assert run.sender.stop(1) is True
        run.sender.wake()
    outbox = Outbox()
    idle = Sender(Server("127.0.0.1", 1, "plain"), take=outbox.take, report=outbox.report, clock=outbox.clock)
    assert idle.stop(0) is True


def test_a_listener_that_breaks_does_not_cost_an_accepted_mail_a_second_sending() -> None:
    outbox = Outbox()

    def on_state(state: str) -> None:
        outbox.states.append(state)
        raise RuntimeError("listener")

    answers = ["421 4.3.2 not now"]
    with ScriptedSmtp(lambda _, line: answers.pop() if not line and answers else None) as server:
        target = Server("127.0.0.1", server.port, "plain", timeouts=QUICK)
        sender = Sender(target, take=outbox.take, report=outbox.report, clock=outbox.clock, on_state=on_state)
        row = outbox.add("bo@example.org")
        sender.start()
        deadline = time.monotonic() + 5
        while not outbox.of(row) and time.monotonic() < deadline:
            time.sleep(0.005)
            if outbox.states:
                outbox.now += timedelta(seconds=1)
                sender.wake()
        assert sender.stop(1)
    assert outbox.of(row) == [Accepted()]
    assert len(server.mails) == 1
    assert outbox.states[-1] == "ok"


def test_our_own_bug_costs_one_mail_a_try_and_not_the_thread(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bugs = [ZeroDivisionError("oops")]

    def step(_: str) -> None:
        if bugs:
            raise bugs.pop()

    monkeypatch.setattr(router.outbox, "on_step", step)
    with ScriptedSmtp() as server, running(server.port) as run:
        got = run.outcome(run.send())
        assert isinstance(got, Later)
        assert "ZeroDivisionError" in got.reason
        assert run.outcome(run.send()) == Accepted()
    assert "A bun is warm" not in caplog.text
