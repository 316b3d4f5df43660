"""The sender against servers that others have written: aiosmtpd over TLS with logins, and Postfix's smtp-sink."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from router.delivery import Accepted, Later, Never
from router.oauth import AccessTokens, Token
from router.outbox import Server, check_server
from tests.fake_outbox import QUICK, Outbox, running
from tests.scripted_smtp import ScriptedSmtp
from tests.servers import (
    DROP,
    TAKE_AND_DROP,
    TAKE_AND_HANG,
    Certificates,
    RecordingSmtp,
    ServerMissing,
    SmtpSink,
    make_certificates,
)

pytestmark = pytest.mark.live
QUICK_PAUSE = timedelta(minutes=5)
USERS = {"buns@example.org": "correct-horse"}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    try:
        return make_certificates(tmp_path_factory.mktemp("tls"))
    except ServerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    try:
        with SmtpSink() as server:
            yield server
    except ServerMissing as missing:
        pytest.skip(str(missing))


def login(**more: Any) -> dict[str, Any]:
    return {"host": "localhost", "user": "buns@example.org", "password": lambda: "correct-horse", **more}


# -- TLS ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_mail_goes_out_over_tls_after_a_login(certificates: Certificates, security: Any) -> None:
    with (
        RecordingSmtp(tls=security, certificates=certificates, users=USERS) as server,
        running(server.port, security=security, ca_file=certificates.authority, **login()) as run,
    ):
        raw = b"Subject: x\r\n\r\n" + (b"y" * 70 + b"\r\n") * 2000
        rows = [run.send(f"{n}@example.org", raw=raw) for n in range(10)]
        assert [run.outcome(row) for row in rows] == [Accepted()] * 10
        assert [mail.raw for mail in server.mails] == [raw] * 10
        assert server.connections <= 2
        assert ("auth", "PLAIN") in server.stages


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_does_not_verify_pauses_with_a_sentence_and_nothing_is_said(
    certificates: Certificates, security: Any
) -> None:
    with (
        RecordingSmtp(tls=security, certificates=certificates, users=USERS) as server,
        running(server.port, security=security, **login()) as run,
    ):
        run.send()
        run.until(lambda: "does not verify (" in run.sender.state, "a pause")
        assert "ca_file" in run.sender.state
        assert not [stage for stage, _ in server.stages if stage in ("auth", "mail")]


def test_a_certificate_for_another_name_does_not_verify(tmp_path: Path) -> None:
    try:
        other = make_certificates(tmp_path, "other.example.org")
    except ServerMissing as missing:
        pytest.skip(str(missing))
    with RecordingSmtp(tls="tls", certificates=other) as server:
        reason = check_server(Server("localhost", server.port, "tls", ca_file=other.authority, timeouts=QUICK))
    assert "does not verify (Hostname mismatch" in reason


def test_starttls_that_was_stripped_on_the_way_pauses_before_any_secret_is_said() -> None:
    with (
        ScriptedSmtp(extensions=("AUTH PLAIN", "PIPELINING")) as server,
        running(server.port, security="starttls", **login(host="127.0.0.1")) as run,
    ):
        run.send()
        run.until(lambda: "does not offer STARTTLS" in run.sender.state, "a pause")
    assert [line.split()[0] for _, line in server.lines] == ["EHLO"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("454 4.7.0 TLS not available", "not ready at STARTTLS (454 4.7.0 TLS not available)"),
        ("502 5.5.1 no such command", "turns us away at STARTTLS (502"),
        ("drop", "not ready at STARTTLS (the server closed the connection)"),
        ("hang", "not ready at STARTTLS (the server did not answer in time)"),
    ],
)
def test_starttls_that_fails_is_never_gone_on_without(certificates: Certificates, answer: str, words: str) -> None:
    def script(_: int, line: str) -> str | None:
        return answer if line == "STARTTLS" else None

    with ScriptedSmtp(script, tls=certificates.context(), extensions=("AUTH PLAIN", "HELP")) as server:
        slow = replace(QUICK, connect=0.2)
        target = Server(port=server.port, security="starttls", ca_file=certificates.authority, timeouts=slow, **login())
        reason = check_server(target)
    assert words in reason
    assert not server.said("AUTH")


def test_what_was_said_before_tls_is_not_believed_after_it(certificates: Certificates) -> None:
    """RFC 3207 section 4.2: whoever sits on the line may have slipped it in behind the server's 220."""
    injected = b"220 go ahead\r\n250-evil\r\n250 AUTH XOAUTH2\r\n"

    def script(_: int, line: str) -> bytes | None:
        return injected if line == "STARTTLS" else None

    with ScriptedSmtp(script, tls=certificates.context(), extensions=("AUTH PLAIN", "HELP")) as server:
        target = Server(
            port=server.port, security="starttls", ca_file=certificates.authority, timeouts=QUICK, **login()
        )
        assert check_server(target) == ""
    assert [line.split()[0] for _, line in server.lines] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "QUIT"]


def test_what_is_no_tls_after_starttls_is_not_gone_on_with(certificates: Certificates) -> None:
    def script(_: int, line: str) -> list[bytes] | None:
        return [b"220 go ahead\r\n", b"this is no TLS at all, is it?\r\n"] if line == "STARTTLS" else None

    with ScriptedSmtp(script, extensions=("STARTTLS", "AUTH PLAIN")) as server:
        target = Server(port=server.port, security="starttls", timeouts=replace(QUICK, connect=0.2), **login())
        assert "fails at TLS" in check_server(target)
    assert not server.said("AUTH")


def test_tls_to_a_port_that_speaks_plain_smtp_says_so() -> None:
    with ScriptedSmtp() as server:
        reason = check_server(Server("localhost", server.port, "tls", timeouts=QUICK))
    assert "fails at TLS" in reason
    assert "is security right for that port?" in reason


def test_plain_smtp_to_a_tls_port_does_not_hang(certificates: Certificates) -> None:
    with RecordingSmtp(tls="tls", certificates=certificates) as server:
        target = Server("localhost", server.port, "plain", timeouts=replace(QUICK, connect=0.2))
        assert "not ready at the greeting" in check_server(target)


# -- logins -------------------------------------------------------------------------------------------------------


def test_a_wrong_password_is_one_sentence() -> None:
    with RecordingSmtp(users=USERS) as server:
        target = Server(port=server.port, security="plain", timeouts=QUICK, **login(password=lambda: "wrong-horse"))
        reason = check_server(target)
    assert "refuses the login (535" in reason
    assert "wrong-horse" not in reason


@pytest.mark.parametrize("token", ["fresh", "stale"])
def test_a_token_logs_in_by_xoauth2(token: str) -> None:
    tokens = AccessTokens(lambda: Token(token, 3600))
    with RecordingSmtp(users={"buns@example.org": "fresh"}) as server:
        target = Server(port=server.port, security="plain", timeouts=QUICK, **login(password=None, tokens=tokens))
        reason = check_server(target)
    assert reason == "" if token == "fresh" else "refuses the login (535" in reason


# -- a server that others have written, without PIPELINING --------------------------------------------------------


def test_a_mail_that_was_taken_without_a_word_goes_out_again_with_the_same_bytes() -> None:
    for silent in (TAKE_AND_DROP, TAKE_AND_HANG):
        left = [silent]

        def fail(stage: str, address: str, left: list[str] = left) -> str | None:
            return left.pop() if stage == "data" and left else None

        with (
            RecordingSmtp(fail) as server,
            running(server.port, timeouts=replace(QUICK, end=0.1)) as run,
        ):
            row = run.send()
            got = run.outcome(row)
            assert isinstance(got, Later)
            assert "may have been taken" in got.reason
            run.pass_time(got.retry_at - run.outbox.now)
            assert run.outcome(row, 2) == Accepted()
            first, second = server.mails
            assert first.raw == second.raw


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data-start", "data", "rset"])
def test_a_server_that_drops_the_line_at_any_stage_loses_no_mail(stage: str) -> None:
    left = [DROP, DROP]

    def fail(at: str, address: str) -> str | None:
        return left.pop() if at == stage and left else None

    with RecordingSmtp(fail) as server, running(server.port, connections=1) as run:
        for n in range(5):
            run.send(f"{n}@example.org")

        def gone() -> bool:
            due = [mail.not_before for mail in run.outbox.rows.values()]
            if due and not run.outbox.flying:
                run.pass_time(max(max(due) - run.outbox.now, QUICK_PAUSE))
            return not run.outbox.rows

        run.until(gone, "all sent")
        assert {mail.rcpts[0] for mail in server.mails} == {f"{n}@example.org" for n in range(5)}
        assert len(server.mails) == 5


def test_a_size_limit_gives_up_the_large_mail_alone() -> None:
    with RecordingSmtp(size_limit=5000) as server, running(server.port) as run:
        large, small = run.send(raw=b"Subject: x\r\n\r\n" + b"y" * 6000), run.send()
        got = run.outcome(large)
        assert isinstance(got, Never)
        assert "too large" in got.reason
        assert run.outcome(small) == Accepted()
        assert not any(stage == "data" for stage, _ in server.stages[:3])


def test_every_header_and_byte_arrives() -> None:
    raw = b"From: a@example.org\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\n.\r\n.. dots\r\n\r\nlast line"
    with RecordingSmtp() as server, running(server.port) as run:
        run.outcome(run.send(raw=raw))
        (mail,) = server.mails
    read = message_from_bytes(mail.raw, policy=policy.default)
    assert read["Subject"] == "café"
    assert mail.raw == raw + b"\r\n"


# -- smtp-sink ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connections", [1, 4])
def test_a_flood_goes_out_once_each_over_reused_connections(sink: SmtpSink, connections: int) -> None:
    """A floor, far below what an idle machine does (bench/ has the figures)."""
    with running(sink.port, connections=connections) as run:
        for n in range(1000):
            run.outbox.add(f"{n}@example.org")
        began = time.monotonic()
        run.sender.wake()
        run.until(lambda: len(run.outbox.outcomes) >= 1000, "1,000 results", 20)
        seconds = time.monotonic() - began
        assert len(run.outbox.outcomes) == 1000
        assert {type(outcome) for _, outcome in run.outbox.outcomes} == {Accepted}
        assert run.outbox.flying == set()
    assert 1000 / seconds > 100


@pytest.mark.torture
def test_a_sender_that_is_stopped_at_any_moment_loses_nothing_and_doubles_only_what_was_cut(
    sink: SmtpSink, fault: Callable[..., None]
) -> None:
    outbox = Outbox()
    for n in range(3000):
        outbox.add(f"{n}@example.org")
    clean = True
    for number in range(40):
        with running(sink.port, connections=4, outbox=outbox) as run:
            time.sleep(0.005 * (number % 7))
            clean &= run.sender.stop(2)
    with running(sink.port, connections=4, outbox=outbox) as run:
        run.until(lambda: not outbox.rows, "the rest", 30)
    assert clean
    accepted = [row for row, outcome in outbox.outcomes if isinstance(outcome, Accepted)]
    assert len(accepted) == len(set(accepted)) == 3000
    fault("SMTP: stopped at any moment", tries=40, note="3,000 mails, each accepted once")


# -- a black hole -------------------------------------------------------------------------------------------------


def test_a_server_that_accepts_and_never_speaks_pauses_and_stop_does_not_wait_for_it() -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(5)
        with running(hole.getsockname()[1], timeouts=replace(QUICK, connect=60)) as run:
            run.send()
            run.until(lambda: run.outbox.flying, "the mail under way")
            began = time.monotonic()
            assert run.sender.stop(0.1) is False
            assert time.monotonic() - began < 2
            assert not run.outbox.flying
    assert threading.active_count() < 10
