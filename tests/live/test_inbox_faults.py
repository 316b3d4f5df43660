"""inbox.py when the server, the line or other people misbehave: each fault on a scripted server."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from router import inbox as inbox_module
from router.inbox import Inbox, InboxError
from tests.live.scripted_imap import BYE, DROP, GARBAGE, HALF, SILENT, SPLIT, Folder, ScriptedImap, Session
from tests.servers import HOST, free_port, wait_until

pytestmark = pytest.mark.live

RAW = b"Message-ID: <1@client.example>\r\nSubject: Request\r\n\r\nHello\r\n"
COMMANDS = ("GREETING", "AUTHENTICATE", "LIST", "SELECT", "NOOP", "SEARCH", "FETCH", "MOVE", "IDLE")
READ_TIMEOUT = 0.3


def make_inbox(server: ScriptedImap, **changes: Any) -> Inbox:
    settings: dict[str, Any] = {
        "host": HOST,
        "port": server.port,
        "security": "plain",
        "user": "buns",
        "secret": lambda: server.secret,
        "connect_timeout": READ_TIMEOUT,
        "read_timeout": READ_TIMEOUT,
    }
    return Inbox(**{**settings, **changes})


@contextmanager
def connected(server: ScriptedImap, **changes: Any) -> Iterator[Inbox]:
    inbox = make_inbox(server, **changes)
    inbox.connect()
    yield inbox
    inbox.close()


def a_pass(inbox: Inbox) -> list[bytes]:
    """What the daemon does: search, fetch, file, wait; the bodies that it met."""
    inbox.ensure_folders(["Handled"])
    inbox.search("INBOX")
    found = inbox.search("INBOX")  # the folder is open now, so that NOOP is used too
    raws = [fetched.raw for fetched in inbox.fetch("INBOX", found.met)]
    inbox.file("INBOX", [met.uid for met in found.met], "Handled")
    inbox.wait(0.01)
    return raws


def fault(call: Callable[[], Any]) -> InboxError:
    with pytest.raises(InboxError) as caught:
        call()
    assert caught.value.reason.count("\n") == 0
    return caught.value


class TestLostConnections:
    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize("action", [DROP, HALF, SILENT, BYE, GARBAGE])
    def test_at_any_command_one_error_then_a_new_connection_and_nothing_lost(
        self, scripted: ScriptedImap, command: str, action: str
    ) -> None:
        """Disconnects, cut answers, black holes, BYE and nonsense; the object is dead afterwards, and says so."""
        scripted.inbox.put(RAW)
        scripted.bend(command, action)
        inbox = make_inbox(scripted)

        def live() -> None:
            inbox.connect()
            a_pass(inbox)

        started = time.monotonic()
        error = fault(live)
        assert time.monotonic() - started < READ_TIMEOUT + 1
        assert error.kind == ("unreachable" if command == "GREETING" else "dropped"), error.reason
        assert error.retry
        assert fault(lambda: inbox.search("INBOX")).kind == "dropped"
        assert fault(lambda: inbox.wait(1)).kind == "dropped"
        inbox.connect()
        a_pass(inbox)
        assert scripted.inbox.mails == []
        assert [mail.raw for mail in scripted.folders["Handled"].mails] == [RAW]
        inbox.close()

    @pytest.mark.parametrize("command", COMMANDS)
    def test_answers_in_small_pieces_are_read_as_any(self, scripted: ScriptedImap, command: str) -> None:
        scripted.inbox.put(RAW)
        scripted.bend(command, SPLIT)
        with connected(scripted) as inbox:
            assert a_pass(inbox) == [RAW]

    def test_nobody_listens(self) -> None:
        port = free_port()
        inbox = Inbox(host=HOST, port=port, security="plain", user="buns", secret=lambda: "secret")
        error = fault(inbox.connect)
        assert (error.kind, error.retry) == ("unreachable", True)
        assert str(port) in error.reason

    def test_a_name_that_does_not_resolve(self) -> None:
        inbox = Inbox(host="no-such-host.invalid", port=993, security="tls", user="buns", secret=lambda: "secret")
        assert fault(inbox.connect).kind == "unreachable"

    def test_a_port_that_takes_connections_and_says_nothing(self) -> None:
        with socket.create_server((HOST, 0)) as silent:
            for security in ("plain", "starttls", "tls"):
                inbox = Inbox(
                    host=HOST,
                    port=silent.getsockname()[1],
                    security=security,  # type: ignore[arg-type]
                    user="buns",
                    secret=lambda: "secret",
                    connect_timeout=0.2,
                    read_timeout=0.2,
                )
                started = time.monotonic()
                assert fault(inbox.connect).kind == "unreachable"
                assert time.monotonic() - started < 2

    def test_closing_never_raises_and_never_hangs(
        self, scripted: ScriptedImap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("router.imap.LOGOUT_SECONDS", 0.2)
        for action in (DROP, SILENT, GARBAGE):
            with connected(scripted) as inbox:
                scripted.bend("LOGOUT", action)
                started = time.monotonic()
                inbox.close()
                assert time.monotonic() - started < 1
                inbox.close()

    @pytest.mark.torture
    def test_any_faults_in_any_order_lose_nothing_and_file_everything_once(
        self, scripted: ScriptedImap, fault: Callable[..., None]
    ) -> None:
        seed = random.randrange(10**6)
        chance = random.Random(seed)
        inbox, sent, errors, slowest = make_inbox(scripted), 0, 0, 0.0
        for _ in range(400):
            for _ in range(chance.randrange(4)):
                sent += 1
                scripted.arrive(b"Subject: %d\r\n\r\n" % sent)
            if chance.random() < 0.7:
                actions = [DROP, HALF, BYE, GARBAGE, SPLIT, SILENT, "NO [UNAVAILABLE] later", "BAD what?"]
                scripted.bend(chance.choice(COMMANDS), chance.choice(actions))
            started = time.monotonic()
            for _ in range(20):
                try:
                    if not inbox.capabilities or errors:
                        inbox.connect()
                    a_pass(inbox)
                    errors = 0
                    break
                except InboxError as error:
                    errors += 1
                    assert error.reason and "Traceback" not in error.reason
            else:
                pytest.fail("never recovered")
            slowest = max(slowest, time.monotonic() - started)
        filed = sorted(int(mail.raw.split()[1]) for mail in scripted.folders["Handled"].mails)
        assert filed == list(range(1, sent + 1))
        fault("IMAP: any faults at any command", tries=400, recovered=slowest, note=f"{sent} mails, seed {seed}")


class TestLogin:
    def test_a_wrong_password(self, scripted: ScriptedImap) -> None:
        error = fault(make_inbox(scripted, secret=lambda: "letmein").connect)
        assert (error.kind, error.retry) == ("login", False)
        assert "letmein" not in error.reason

    @pytest.mark.parametrize("action", [DROP, BYE, HALF])
    def test_a_connection_lost_at_the_login_is_no_wrong_password(self, scripted: ScriptedImap, action: str) -> None:
        for command in ("AUTHENTICATE", "LOGIN"):
            scripted.capabilities = "IMAP4rev1" + (" AUTH=PLAIN" if command == "AUTHENTICATE" else "")
            scripted.bend(command, action)
            error = fault(make_inbox(scripted).connect)
            assert (error.kind, error.retry) == ("dropped", True)

    @pytest.mark.parametrize("answer", ["NO [UNAVAILABLE] try later", "NO Too many connections", "BAD what?"])
    def test_any_other_no_may_pass(self, scripted: ScriptedImap, answer: str) -> None:
        scripted.bend("AUTHENTICATE", answer)
        error = fault(make_inbox(scripted).connect)
        assert (error.kind, error.retry) == ("login", True)
        assert answer.split("] ")[-1].removeprefix("NO ").removeprefix("BAD ") in error.reason

    def test_login_where_there_is_no_authenticate(self, scripted: ScriptedImap) -> None:
        scripted.capabilities = "IMAP4rev1"
        with connected(scripted):
            assert scripted.said("LOGIN") == ['LOGIN buns "secret"']
        error = fault(make_inbox(scripted, secret=lambda: "hemlig\r\nA1 DELETE INBOX").connect)
        assert error.kind == "login"
        assert len(scripted.said("LOGIN")) == 1
        scripted.capabilities = "IMAP4rev1 LOGINDISABLED"
        assert fault(make_inbox(scripted).connect).kind == "login"
        assert len(scripted.said("LOGIN")) == 1

    @pytest.mark.parametrize(
        ("offered", "said"),
        [
            ("AUTH=XOAUTH2", "user=buns\x01auth=Bearer secret\x01\x01"),
            ("AUTH=OAUTHBEARER", "n,a=buns,\x01auth=Bearer secret\x01\x01"),
            ("AUTH=XOAUTH2 AUTH=OAUTHBEARER AUTH=PLAIN", "user=buns\x01auth=Bearer secret\x01\x01"),
        ],
    )
    def test_access_tokens(self, scripted: ScriptedImap, offered: str, said: str) -> None:
        scripted.capabilities = f"IMAP4rev1 {offered}"
        with connected(scripted, oauth=True):
            assert f"authenticated {said!r}" in scripted.commands

    @pytest.mark.parametrize(("offered", "answer"), [("AUTH=XOAUTH2", b""), ("AUTH=OAUTHBEARER", b"\x01")])
    def test_a_token_that_is_refused(self, scripted: ScriptedImap, offered: str, answer: bytes) -> None:
        """The server says why and wants an answer before it says no (RFC 7628, 3.2.3)."""
        scripted.capabilities = f"IMAP4rev1 {offered}"
        error = fault(make_inbox(scripted, oauth=True, secret=lambda: "expired-token").connect)
        assert (error.kind, error.retry) == ("login", False)
        assert "access token" in error.reason and "expired-token" not in error.reason
        assert f"answered {answer!r}" in scripted.commands

    def test_the_secret_is_asked_for_at_each_login(self, scripted: ScriptedImap) -> None:
        secrets = iter(["stale", "secret"])
        inbox = make_inbox(scripted, secret=lambda: next(secrets))
        assert fault(inbox.connect).kind == "login"
        inbox.connect()
        inbox.close()


class TestWaiting:
    def patient(self, server: ScriptedImap, inbox: Inbox) -> None:
        """The next wait is a long one."""
        inbox.search("INBOX")
        for _ in range(2):
            inbox.wait(0.001)

    def timed(self, inbox: Inbox, seconds: float = 5.0) -> tuple[str, float]:
        started = time.monotonic()
        return inbox.wait(seconds), time.monotonic() - started

    def test_an_event_that_comes_with_the_continuation(self, scripted: ScriptedImap) -> None:
        """One segment, "+ idling" and "* 1 EXISTS": poll() sees nothing of it."""

        def both(session: Session, tag: str, line: str) -> None:
            session.send(b"+ idling\r\n* 1 EXISTS\r\n")
            session.read()
            session.ok(tag)

        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", both)
            woken, took = self.timed(inbox)
            assert woken == "mail" and took < 1

    def test_an_event_that_comes_before_the_continuation(self, scripted: ScriptedImap) -> None:
        def before(session: Session, tag: str, line: str) -> None:
            session.send(b"* 1 EXISTS\r\n* 1 RECENT\r\n")
            session.do_idle(tag, line)

        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", before)
            assert inbox.wait(0.05) in ("mail", "time")
            assert inbox.search("INBOX").met == ()

    def test_an_event_split_over_segments(self, scripted: ScriptedImap) -> None:
        def split(session: Session, tag: str, line: str) -> None:
            session.send(b"+ idling\r\n")
            time.sleep(0.05)
            session.send(b"* 1 EX")
            time.sleep(0.05)
            session.send(b"ISTS\r\n")
            session.read()
            session.ok(tag)

        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", split)
            woken, took = self.timed(inbox)
            assert woken == "mail" and took < 1
            assert inbox.search("INBOX").met == ()

    def test_an_event_that_comes_with_the_end_of_idle(self, scripted: ScriptedImap) -> None:
        def late(session: Session, tag: str, line: str) -> None:
            session.send(b"+ idling\r\n")
            session.read()
            session.send(b"* 1 EXISTS\r\n")
            session.ok(tag)

        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", late)
            assert inbox.wait(0.05) == "mail"

    def test_mail_nobody_was_told_of_is_found_by_the_short_slices(self, scripted: ScriptedImap) -> None:
        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.arrive(tell=False)
            woken, took = inbox.wait(5, found_something=True), 0.0
            assert woken == "time"
            assert len(inbox.search("INBOX").met) == 1
            scripted.arrive(tell=False)
            woken, took = self.timed(inbox)
            assert woken == "time" and 0.9 < took < 2
            assert len(inbox.search("INBOX").met) == 2

    @pytest.mark.parametrize("action", [DROP, BYE])
    def test_the_server_goes_while_we_idle(self, scripted: ScriptedImap, action: str) -> None:
        def goes(session: Session, tag: str, line: str) -> None:
            session.send(b"+ idling\r\n")
            time.sleep(0.05)
            if action == BYE:
                session.send(b"* BYE going down\r\n")
            session.close()

        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", goes)
            started = time.monotonic()
            assert fault(lambda: inbox.wait(5)).kind == "dropped"
            assert time.monotonic() - started < 1

    def test_the_server_vanishes_while_we_idle(self, scripted: ScriptedImap) -> None:
        """No FIN, no answer to DONE: known after the slice and one read timeout."""

        def vanishes(session: Session, tag: str, line: str) -> None:
            session.send(b"+ idling\r\n")
            session._file.read()

        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", vanishes)
            assert fault(lambda: inbox.wait(0.05)).kind == "dropped"

    def test_a_server_that_will_not_idle_now(self, scripted: ScriptedImap) -> None:
        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            scripted.bend("IDLE", "NO not now")
            assert fault(lambda: inbox.wait(5)).kind == "refused"
            assert inbox.search("INBOX").met == ()  # the connection lives on

    def test_without_idle_the_time_of_a_poll_passes(self, scripted: ScriptedImap) -> None:
        scripted.capabilities = "IMAP4rev1 AUTH=PLAIN"
        with connected(scripted, poll=0.2) as inbox:
            self.patient(scripted, inbox)
            woken, took = self.timed(inbox)
            assert woken == "time" and 0.19 < took < 0.3
            assert not scripted.said("IDLE")

    def test_without_idle_a_lost_connection_is_noticed(self, scripted: ScriptedImap) -> None:
        scripted.capabilities = "IMAP4rev1 AUTH=PLAIN"
        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            threading.Timer(0.05, scripted.sessions[0].close).start()
            woken, took = self.timed(inbox)
            assert woken == "mail" and took < 1
            assert fault(lambda: inbox.search("INBOX")).kind == "dropped"

    def test_no_wait_is_longer_than_half_a_minute_of_idle(
        self, scripted: ScriptedImap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Servers end an IDLE after half an hour, and firewalls forget a silent line long before."""
        assert max(inbox_module.SLICES) == 30
        monkeypatch.setattr(inbox_module, "SLICES", (0.01, 0.02, 0.05))
        with connected(scripted) as inbox:
            self.patient(scripted, inbox)
            woken, took = self.timed(inbox, 3600)
            assert woken == "time" and took < 1


class TestFiling:
    def test_moved_by_somebody_else_first(self, scripted: ScriptedImap) -> None:
        scripted.folders["Handled"] = Folder()
        first, second = scripted.inbox.put(RAW), scripted.inbox.put(RAW)
        with connected(scripted) as inbox:
            inbox.search("INBOX")
            scripted.inbox.mails.remove(first)
            filed = inbox.file("INBOX", [first.uid, second.uid], "Handled")
            assert (filed.done, filed.missing) == ((second.uid,), (first.uid,))
            assert inbox.file("INBOX", [first.uid], "Handled").missing == (first.uid,)
            assert len(scripted.said("MOVE")) == 1  # nothing is asked where nothing is left

    @pytest.mark.parametrize("can", ["MOVE UIDPLUS", "UIDPLUS", ""])
    def test_without_move_and_without_uidplus(self, scripted: ScriptedImap, can: str) -> None:
        """Never a plain EXPUNGE, which would erase what others have marked as deleted."""
        scripted.capabilities = f"IMAP4rev1 AUTH=PLAIN {can}"
        scripted.folders["Handled"] = Folder()
        ours, theirs = scripted.inbox.put(RAW), scripted.inbox.put(b"Subject: theirs\r\n\r\n")
        theirs.flags.add("\\Deleted")
        with connected(scripted) as inbox:
            assert inbox.file("INBOX", [ours.uid], "Handled").done == (ours.uid,)
            assert inbox.file("INBOX", [ours.uid], "Handled").missing == (ours.uid,)
        assert [mail.raw for mail in scripted.folders["Handled"].mails] == [RAW]
        assert theirs in scripted.inbox.mails
        assert (ours in scripted.inbox.mails) is (can == "")
        assert all(line.upper().startswith("UID EXPUNGE") for line in scripted.said("EXPUNGE"))

    @pytest.mark.parametrize(("can", "command"), [("MOVE UIDPLUS", "MOVE"), ("UIDPLUS", "COPY")])
    def test_a_full_mailbox(self, scripted: ScriptedImap, can: str, command: str) -> None:
        scripted.capabilities = f"IMAP4rev1 AUTH=PLAIN {can}"
        scripted.folders["Handled"] = Folder()
        mail = scripted.inbox.put(RAW)
        scripted.bend(command, "NO [OVERQUOTA] Quota exceeded")
        with connected(scripted) as inbox:
            error = fault(lambda: inbox.file("INBOX", [mail.uid], "Handled"))
            assert (error.kind, error.retry) == ("quota", True)
            assert mail in scripted.inbox.mails and not mail.flags  # nothing was marked as deleted
            assert inbox.file("INBOX", [mail.uid], "Handled").done == (mail.uid,)  # and the connection lives on

    def test_a_full_mailbox_takes_no_mail(self, scripted: ScriptedImap) -> None:
        scripted.bend("APPEND", "NO [OVERQUOTA] Quota exceeded")
        with connected(scripted) as inbox:
            assert fault(lambda: inbox.append("INBOX", RAW)).kind == "quota"
            inbox.append("INBOX", RAW)
            assert [mail.raw for mail in scripted.inbox.mails] == [RAW]

    def test_a_target_that_cannot_be_made(self, scripted: ScriptedImap) -> None:
        mail = scripted.inbox.put(RAW)
        scripted.bend("CREATE", "NO [NOPERM] not yours")
        with connected(scripted) as inbox:
            assert fault(lambda: inbox.file("INBOX", [mail.uid], "Handled")).kind == "refused"
            assert mail in scripted.inbox.mails
            assert inbox.file("INBOX", [mail.uid], "Handled").done == (mail.uid,)

    def test_a_folder_that_somebody_makes_in_the_same_moment(self, scripted: ScriptedImap) -> None:
        scripted.bend("CREATE", "NO [ALREADYEXISTS] there is one")
        with connected(scripted) as inbox:
            assert inbox.ensure_folders(["Handled"]) == ["Handled"]

    def test_a_mail_that_vanishes_in_the_same_moment(self, scripted: ScriptedImap) -> None:
        """Dovecot says no to the whole MOVE then."""
        scripted.folders["Handled"] = Folder()
        first, second = scripted.inbox.put(RAW), scripted.inbox.put(RAW)

        def too_late(session: Session, tag: str, line: str) -> None:
            scripted.inbox.mails.remove(first)
            session.send(f"{tag} NO [EXPUNGEISSUED] Some of the requested messages no longer exist.\r\n".encode())

        scripted.bend("MOVE", too_late)
        with connected(scripted) as inbox:
            filed = inbox.file("INBOX", [first.uid, second.uid], "Handled")
        assert (filed.done, filed.missing) == ((second.uid,), (first.uid,))

    def test_many_mails_are_filed_in_batches(self, scripted: ScriptedImap) -> None:
        scripted.folders["Handled"] = Folder()
        uids = [scripted.inbox.put(RAW).uid for _ in range(1700)]
        with connected(scripted, read_timeout=10.0) as inbox:
            assert inbox.file("INBOX", uids, "Handled").done == tuple(uids)
        assert [line.count(",") + 1 for line in scripted.said("MOVE")] == [800, 800, 100]
        assert max(map(len, scripted.commands)) < 8000

    def test_a_mailbox_that_may_only_be_read(self, scripted: ScriptedImap) -> None:
        def only_read(session: Session, tag: str, line: str) -> None:
            session.send(b"* 0 EXISTS\r\n* OK [UIDVALIDITY 1] v\r\n")
            session.ok(tag, "[READ-ONLY] selected")

        scripted.bend("SELECT", only_read)
        with connected(scripted) as inbox:
            assert fault(lambda: inbox.search("INBOX")).kind == "folder"


class TestSearchingAndFetching:
    def test_uidvalidity_changes_and_500_old_mails_reappear(self, scripted: ScriptedImap) -> None:
        """The caller sees the new number, and `since` keeps the old mails out and counts them."""
        now = datetime.now(UTC)
        with connected(scripted) as inbox:
            first = inbox.search("INBOX")
        restored = scripted.folders["INBOX"] = Folder(uidvalidity=2000)
        for _ in range(500):
            restored.put(RAW, now - timedelta(days=30))
        fresh = restored.put(RAW, now)
        with connected(scripted, read_timeout=10.0) as inbox:
            found = inbox.search("INBOX", since=now - timedelta(days=2))
        assert (first.uidvalidity, found.uidvalidity) == (1000, 2000)
        assert ([met.uid for met in found.met], found.older, found.uidnext) == ([fresh.uid], 500, 502)
        assert len(scripted.said("FETCH")) == 1

    def test_a_numbering_that_changes_under_us_is_seen(
        self, scripted: ScriptedImap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox_module, "SELECT_AGAIN", 0.0)
        scripted.inbox.put(RAW)
        with connected(scripted) as inbox:
            found = inbox.search("INBOX")
            scripted.inbox.uidvalidity += 1
            assert inbox.search("INBOX").uidvalidity == found.uidvalidity + 1
            assert fault(lambda: list(inbox.fetch("INBOX", found.met))).kind == "dropped"

    def test_bodies_come_in_batches_of_four_megabytes_and_larger_ones_alone(self, scripted: ScriptedImap) -> None:
        for size in (1_500_000, 1_500_000, 1_500_000, 6_000_000, 10, 10):
            scripted.inbox.put(b"Subject: x\r\n\r\n" + b"x" * size)
        with connected(scripted, read_timeout=10.0) as inbox:
            found = inbox.search("INBOX")
            sizes = [len(fetched.raw) for fetched in inbox.fetch("INBOX", found.met)]
        assert len(sizes) == 6
        assert [line.split()[2] for line in scripted.said("FETCH")[1:]] == ["1,2", "3", "4", "5,6"]

    def test_one_mail_that_has_vanished_does_not_hide_the_others(self, scripted: ScriptedImap) -> None:
        """Some servers say no to the whole FETCH then (RFC 2180, 4.1.1)."""
        mails = [scripted.inbox.put(RAW) for _ in range(3)]
        with connected(scripted) as inbox:
            found = inbox.search("INBOX")
            scripted.inbox.mails.remove(mails[1])
            scripted.bend("FETCH", "NO [EXPUNGEISSUED] some of them are gone")
            assert [each.met.uid for each in inbox.fetch("INBOX", found.met)] == [mails[0].uid, mails[2].uid]

    @pytest.mark.parametrize(
        "structure",
        [
            b"NIL",
            b"()",
            b"(",
            b"(NIL NIL NIL NIL NIL NIL 9)",
            b"((NIL NIL NIL NIL NIL NIL 9)(1 2) MIXED)",
            b"((TEXT",
            b'"\\',
            b"(" * 3000 + b'"TEXT" "PLAIN"' + b")" * 3000,
            b"((TEXT PLAIN NIL NIL NIL 7BIT 9 1) 5 MIXED)",
        ],
    )
    def test_a_large_mail_of_the_strangest_structure_is_fetched_all_the_same(
        self, scripted: ScriptedImap, structure: bytes
    ) -> None:
        """Its sender shaped the answer: the connection must not end over it, or it would at every try."""

        def strange(session: Session, tag: str, line: str) -> None:
            session.send(b"* 1 FETCH (UID 1 BODYSTRUCTURE " + structure + b")\r\n")
            session.ok(tag)

        def head(session: Session, tag: str, line: str) -> None:
            session.send(b"* 1 FETCH (UID 1 BODY[HEADER]<0> {14}\r\nSubject: x\r\n\r\n BODY[TEXT]<0> {4}\r\nword)\r\n")
            session.ok(tag)

        scripted.inbox.put(RAW)
        with connected(scripted, max_size=5) as inbox:
            found = inbox.search("INBOX")
            scripted.bend("FETCH", strange)
            scripted.bend("FETCH", head)
            assert [each.raw for each in inbox.fetch("INBOX", found.met)] == [b"Subject: x\r\n\r\nword"]

    def test_lines_said_unasked_are_no_mails(self, scripted: ScriptedImap) -> None:
        """Flags that somebody changes are told in between, with sequence numbers that look like UIDs."""

        def unasked(session: Session, tag: str, line: str) -> None:
            session.send(b"* 7 FETCH (FLAGS (\\Seen))\r\n* 2 EXISTS\r\n* OK still here\r\n* 9 EXPUNGE\r\n")
            session.do_fetch(tag, line)

        mail = scripted.inbox.put(RAW)
        with connected(scripted) as inbox:
            scripted.bend("FETCH", unasked, times=2)
            found = inbox.search("INBOX")
            assert [met.uid for met in found.met] == [mail.uid]
            assert [fetched.raw for fetched in inbox.fetch("INBOX", found.met)] == [RAW]

    def test_a_date_that_cannot_be_read_counts_as_now(self, scripted: ScriptedImap) -> None:
        def dateless(session: Session, tag: str, line: str) -> None:
            session.send(b'* 1 FETCH (UID 1 RFC822.SIZE 10 INTERNALDATE "32-Foo-20 99:00:00")\r\n')
            session.ok(tag)

        scripted.inbox.put(RAW)
        scripted.bend("FETCH", dateless)
        with connected(scripted) as inbox:
            (met,) = inbox.search("INBOX").met
        assert abs(met.received - datetime.now(UTC)) < timedelta(minutes=1)

    def test_the_server_s_words_are_short_and_on_one_line(self, scripted: ScriptedImap) -> None:
        scripted.bend("SEARCH", "NO " + "sorry " * 200)
        with connected(scripted) as inbox:
            error = fault(lambda: inbox.search("INBOX"))
        assert error.kind == "refused"
        assert len(error.reason) < 400

    def test_a_folder_is_found_by_its_use(self, scripted: ScriptedImap) -> None:
        """The default names Sent and Junk lead to a mailbox in German, too (RFC 6154)."""

        def german(session: Session, tag: str, line: str) -> None:
            session.send(b'* LIST (\\HasNoChildren) "/" INBOX\r\n* LIST (\\Sent) "/" Gesendet\r\n')
            session.ok(tag)

        scripted.folders["Gesendet"] = Folder()
        scripted.bend("LIST", german)
        with connected(scripted) as inbox:
            inbox.search("Sent")
            assert scripted.said("SELECT") == ['SELECT "Gesendet"']
            assert not inbox.has_folder("Junk")

    def test_a_folder_with_a_name_in_no_encoding_spoils_no_other(self, scripted: ScriptedImap) -> None:
        """Sloppy clients have made folders such as "R&D", which is no modified UTF-7."""
        scripted.folders |= {"R&D": Folder(), "2024": Folder(), "&AOU-": Folder()}
        with connected(scripted) as inbox:
            assert inbox.folders() == ["INBOX", "R&D", "2024", "å"]
            assert inbox.ensure_folders(["å", "Handled"]) == ["Handled"]

    def test_closing_logs_out(self, scripted: ScriptedImap) -> None:
        with connected(scripted) as inbox:
            inbox.search("INBOX")
        wait_until(lambda: scripted.said("LOGOUT"), 2, "the logout")
