"""inbox.py and imap.py against a real Dovecot and the embedded hub: the same rules hold on both."""

from __future__ import annotations

import email
import imaplib
import logging
import os
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.imap import Connection, _is_loopback
from router.inbox import Inbox, InboxError, Met
from router.mailhub import MailHub
from router.message import read_message
from tests.live.conftest import FULL, Mailbox
from tests.live.scripted_imap import ScriptedImap
from tests.servers import HOST, Dovecot, make_certificates, wait_until

pytestmark = pytest.mark.live

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def mail(number: int = 1, text: str = "Hello", sender: str = "acme@client.example") -> bytes:
    return (
        f"Message-ID: <{number}@client.example>\r\nFrom: Acme <{sender}>\r\nTo: buns@collective.example\r\n"
        f"Subject: Request {number}\r\n\r\n{text}\r\n"
    ).encode()


def bodies(inbox: Inbox, folder: str = "INBOX") -> list[bytes]:
    return [fetched.raw for fetched in inbox.fetch(folder, inbox.search(folder).met)]


def fault(call: Callable[[], Any]) -> InboxError:
    with pytest.raises(InboxError) as caught:
        call()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # no traceback shows our secrets
    return caught.value


class TestSearching:
    def test_finds_every_mail_in_the_order_in_which_the_server_received_them(self, mailbox: Mailbox) -> None:
        for number, hours in [(1, 2), (2, 0), (3, 1)]:
            mailbox.deliver(mail(number), received=MONDAY + timedelta(hours=hours))
        found = mailbox.inbox.search("INBOX")
        assert [met.received for met in found.met] == [MONDAY + timedelta(hours=hours) for hours in (0, 1, 2)]
        assert [met.size for met in found.met] == [len(mail(number)) for number in (2, 3, 1)]
        assert {met.uidvalidity for met in found.met} == {found.uidvalidity}
        assert found.uidnext == max(met.uid for met in found.met) + 1

    def test_the_last_mail_is_not_found_again(self, mailbox: Mailbox) -> None:
        """A search for n:* names the last mail, whatever its UID."""
        mailbox.deliver(mail())
        first = mailbox.inbox.search("INBOX")
        again = mailbox.inbox.search("INBOX", after_uid=first.uidnext - 1)
        assert (len(first.met), again.met, again.uidnext) == (1, (), first.uidnext)

    def test_what_arrives_while_the_folder_is_open_is_found(self, mailbox: Mailbox) -> None:
        seen = mailbox.inbox.search("INBOX").uidnext - 1
        for number in range(3):
            mailbox.deliver(mail(number))
            found = mailbox.inbox.search("INBOX", after_uid=seen)
            assert len(found.met) == 1
            seen = found.uidnext - 1

    def test_since_leaves_out_older_mail_to_the_second_and_counts_it(self, mailbox: Mailbox) -> None:
        for hours in (-50, -1, 0, 1):
            mailbox.deliver(mail(), received=MONDAY + timedelta(hours=hours))
        found = mailbox.inbox.search("INBOX", since=MONDAY)
        assert [met.received for met in found.met] == [MONDAY, MONDAY + timedelta(hours=1)]
        assert found.older == 2

    def test_more_mails_than_one_command_names(self, mailbox: Mailbox) -> None:
        for number in range(820):
            mailbox.deliver(b"Subject: %d\r\n\r\nx\r\n" % number)
        found = mailbox.inbox.search("INBOX")
        assert len(found.met) == 820
        assert len(list(mailbox.inbox.fetch("INBOX", found.met))) == 820

    def test_message_ids_are_found_again_for_a_store_that_was_cut(self, mailbox: Mailbox) -> None:
        mailbox.deliver(mail(1), received=MONDAY)
        mailbox.deliver(mail(2).replace(b"Message-ID: ", b"MESSAGE-id:\r\n "), received=MONDAY)
        mailbox.deliver(b"Subject: none\r\n\r\n<9@body.example>\r\n", received=MONDAY)
        mailbox.deliver(mail(3), received=MONDAY - timedelta(days=9))
        found = mailbox.inbox.find_message_ids("INBOX", MONDAY - timedelta(hours=1))
        assert [message_id for _, message_id in found] == ["<1@client.example>", "<2@client.example>", ""]

    def test_an_address_is_found_exactly(self, mailbox: Mailbox) -> None:
        """Servers search for letters: bo@acme.example is also found in jumbo@acme.example."""
        mailbox.deliver(mail(1, sender="jumbo@acme.example"))
        mailbox.deliver(mail(2, sender="Bo@acme.example"))
        mailbox.deliver(b"From: x@y.example\r\nTo: a@b.example,\r\n Bo <bo@acme.example>\r\n\r\nhi\r\n")
        uids = [met.uid for met in mailbox.inbox.search("INBOX").met]
        assert mailbox.inbox.search_address("INBOX", "bo@acme.example") == uids[1:]
        assert mailbox.inbox.search_address("INBOX", 'x" OR ALL\r\n') == []

    def test_a_missing_folder_is_a_fault_of_the_folder_and_the_connection_lives_on(self, mailbox: Mailbox) -> None:
        mailbox.inbox.ensure_folders(["Here"])
        with imaplib.IMAP4(HOST, mailbox.settings["port"]) as other:
            other.login(mailbox.settings["user"], mailbox.settings["secret"]())
            other.delete("Here")
        for folder in ("Nowhere", "Here"):
            assert fault(lambda folder=folder: mailbox.inbox.search(folder)).kind == "folder"  # type: ignore[misc]
            assert not mailbox.inbox.has_folder(folder)
        assert mailbox.inbox.search("INBOX").met == ()


class TestFetching:
    def test_gives_the_exact_bytes_and_marks_nothing_as_read(self, mailbox: Mailbox) -> None:
        raws = [mail(1, "å ä ö"), mail(2, "." * 3000), b"Subject: \xff\xfe\r\n\r\n\r\n\r\nFrom here\r\n"]
        for index, raw in enumerate(raws):
            mailbox.deliver(raw, received=MONDAY + timedelta(minutes=index))
        assert bodies(mailbox.inbox) == raws
        with imaplib.IMAP4(HOST, mailbox.settings["port"]) as other:
            other.login(mailbox.settings["user"], mailbox.settings["secret"]())
            other.select("INBOX")
            assert len(other.search(None, "UNSEEN")[1][0].split()) == 3

    def test_a_mail_that_has_vanished_takes_no_other_with_it(self, mailbox: Mailbox) -> None:
        """Dovecot leaves it out; a server that has not told us yet may still give it."""
        for number in range(3):
            mailbox.deliver(mail(number), received=MONDAY + timedelta(minutes=number))
        found = mailbox.inbox.search("INBOX")
        other = mailbox.another()
        other.connect()
        other.delete("INBOX", [found.met[1].uid])
        other.close()
        raws = [fetched.raw for fetched in mailbox.inbox.fetch("INBOX", found.met)]
        assert raws == [mail(0), mail(2)] or (mailbox.server == "hub" and raws == [mail(0), mail(1), mail(2)])

    def test_of_a_mail_that_is_too_large_the_header_and_the_first_text_are_fetched(self, mailbox: Mailbox) -> None:
        large = (
            mail().split(b"\r\n\r\n")[0] + b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="out er"'
            b"\r\n\r\n--out er\r\nContent-Type: application/pdf\r\n\r\n" + b"x" * 70 + b"\r\n" * 9000 + b"--out er\r\n"
            b"Content-Type: multipart/alternative; boundary=inner\r\n\r\n--inner\r\nContent-Type: text/plain; "
            b"charset=utf-8\r\n\r\nWe need a r\xc3\xa9viewer.\r\n--inner\r\nContent-Type: text/html\r\n\r\n<p>no\r\n"
            b"--inner--\r\n--out er--\r\n"
        )
        mailbox.deliver(large)
        mailbox.deliver(b"Subject: flat\r\n\r\n" + b"word " * 4000 + b"\r\n")
        mailbox.deliver(mail(2))
        inbox = mailbox.another(max_size=10_000)
        inbox.connect()
        multi, flat, small = sorted(inbox.fetch("INBOX", inbox.search("INBOX").met), key=lambda each: each.met.uid)
        inbox.close()
        assert [each.partial for each in (multi, flat, small)] == [True, True, False]
        read = email.message_from_bytes(multi.raw)
        assert read["Message-ID"] == "<1@client.example>"
        assert [part.get_content_type() for part in read.walk()] == ["multipart/mixed", "text/plain"]
        text = next(part for part in read.walk() if part.get_content_type() == "text/plain")
        assert "We need a réviewer." in bytes(text.get_payload(decode=True)).decode()
        assert len(multi.raw) < 1000
        assert flat.raw.startswith(b"Subject: flat\r\n\r\nword word")

    @pytest.mark.torture
    def test_of_fifty_megabytes_the_head_and_the_text_are_fetched_and_read_at_once(self, mailbox: Mailbox) -> None:
        """The files stay on the server: what is fetched and held is a few kB, whatever the mail weighs."""
        if mailbox.server == "hub":
            return
        head = (
            mail().split(b"\r\n\r\n")[0] + b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        )
        text = b"--b\r\nContent-Type: text/plain\r\n\r\nWe need somebody who knows Rust.\r\n"
        plan = b"--b\r\nContent-Type: application/pdf; name=plan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        mailbox.deliver(head + text + plan + (b"QUJD" * 19 + b"\r\n") * 670_000 + b"--b--\r\n")
        found = mailbox.inbox.search("INBOX")
        assert found.met[0].size > 50_000_000
        began = time.monotonic()
        tracemalloc.start()
        (fetched,) = mailbox.inbox.fetch("INBOX", found.met)
        message = read_message(fetched.raw)
        took, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"50 MB: {took:.2f} s, {peak / 1e6:.1f} MB of memory, {len(fetched.raw)} bytes fetched")
        assert fetched.partial
        assert message.text == "We need somebody who knows Rust."
        assert (message.sender.address, message.subject) == ("acme@client.example", "Request 1")
        assert took < 5 and peak < 2_000_000

    def test_uids_of_another_numbering_are_never_used(self, mailbox: Mailbox) -> None:
        mailbox.deliver(mail())
        (met,) = mailbox.inbox.search("INBOX").met
        stale = Met("INBOX", met.uidvalidity + 1, met.uid, met.received, met.size)
        assert fault(lambda: list(mailbox.inbox.fetch("INBOX", [stale]))).kind == "dropped"


class TestFiling:
    def test_moves_and_may_be_repeated(self, mailbox: Mailbox) -> None:
        for number in range(3):
            mailbox.deliver(mail(number))
        uids = [met.uid for met in mailbox.inbox.search("INBOX").met]
        assert mailbox.inbox.ensure_folders(["Buns/Handled"]) == ["Buns/Handled"]
        filed = mailbox.inbox.file("INBOX", uids[:2], "Buns/Handled")
        assert (filed.done, filed.missing) == (tuple(uids[:2]), ())
        again = mailbox.inbox.file("INBOX", uids[:2], "Buns/Handled")
        assert (again.done, again.missing) == ((), tuple(uids[:2]))
        assert bodies(mailbox.inbox) == [mail(2)]
        assert sorted(bodies(mailbox.inbox, "Buns/Handled")) == [mail(0), mail(1)]

    def test_a_target_that_somebody_deleted_is_made_again(self, mailbox: Mailbox) -> None:
        mailbox.deliver(mail())
        (met,) = mailbox.inbox.search("INBOX").met
        mailbox.inbox.ensure_folders(["Handled"])
        with imaplib.IMAP4(HOST, mailbox.settings["port"]) as other:
            other.login(mailbox.settings["user"], mailbox.settings["secret"]())
            other.delete("Handled")
        assert mailbox.inbox.file("INBOX", [met.uid], "Handled").done == (met.uid,)
        assert bodies(mailbox.inbox, "Handled") == [mail()]

    def test_keep_marks_the_mail_where_it_is(self, mailbox: Mailbox) -> None:
        mailbox.deliver(mail())
        inbox = mailbox.another(handled="keep")
        inbox.connect()
        assert inbox.keeps_keyword("INBOX")
        (met,) = inbox.search("INBOX").met
        assert inbox.file("INBOX", [met.uid], "Handled").done == (met.uid,)
        assert inbox.search("INBOX").met == (met,)
        with imaplib.IMAP4(HOST, mailbox.settings["port"]) as other:
            other.login(mailbox.settings["user"], mailbox.settings["secret"]())
            other.select("INBOX")
            assert len(other.search(None, "KEYWORD", "$BunHandled")[1][0].split()) == 1
        inbox.close()

    def test_folders_are_made_once_with_any_letters(self, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ["Buns/Handled", "Buns/Karantän", "Åäö & co", "INBOX"]
        assert mailbox.inbox.ensure_folders(names) == names[:3]
        assert mailbox.inbox.ensure_folders(names) == []
        other = mailbox.another()
        other.connect()
        assert all(other.has_folder(name) for name in names)
        assert not other.has_folder("Later")
        mailbox.inbox.ensure_folders(["Later"])
        assert not other.has_folder("Later"), "within a minute the list of folders is not asked for again"
        monkeypatch.setattr("router.inbox.LIST_AGAIN", 0.0)
        assert other.has_folder("Later")
        other.append("Åäö & co", mail())
        assert bodies(other, "Åäö & co") == [mail()]
        other.close()

    def test_deleting_takes_no_mail_of_others_along(self, mailbox: Mailbox) -> None:
        """Somebody has marked a mail as deleted and may still want it back: a plain EXPUNGE would erase it."""
        for number in range(3):
            mailbox.deliver(mail(number), received=MONDAY + timedelta(minutes=number))
        uids = [met.uid for met in mailbox.inbox.search("INBOX").met]
        with imaplib.IMAP4(HOST, mailbox.settings["port"]) as other:
            other.login(mailbox.settings["user"], mailbox.settings["secret"]())
            other.select("INBOX")
            other.uid("STORE", str(uids[0]), "+FLAGS", r"(\Deleted)")
        mailbox.inbox.delete("INBOX", uids[1:2])
        assert [met.uid for met in mailbox.inbox.search("INBOX").met] == [uids[0], uids[2]]


class TestWaiting:
    def patient(self, mailbox: Mailbox) -> Inbox:
        """An inbox with nothing new, whose next wait is a long one."""
        mailbox.inbox.search("INBOX")
        for _ in range(2):
            assert mailbox.inbox.wait(0.01) == "time"
        mailbox.inbox.search("INBOX")
        return mailbox.inbox

    def test_mail_ends_the_wait(self, mailbox: Mailbox) -> None:
        inbox = self.patient(mailbox)
        timer = threading.Timer(0.1, mailbox.deliver, [mail()])
        timer.start()
        started = time.monotonic()
        assert inbox.wait(10) == "mail"
        assert time.monotonic() - started < 2
        timer.join()
        assert len(inbox.search("INBOX").met) == 1

    def test_mail_that_lands_between_a_search_and_idle_ends_the_wait(self, mailbox: Mailbox) -> None:
        """Its notice comes with the server's "+ idling", where poll() cannot see it, or not at all."""
        for _ in range(3):
            inbox = self.patient(mailbox)
            known = inbox.search("INBOX").uidnext - 1
            mailbox.deliver(mail())
            if mailbox.server == "hub":
                inbox.wait(10, found_something=True)  # the hub tells nobody: the short slices are the remedy
            else:
                assert inbox.wait(10) == "mail"
            assert len(inbox.search("INBOX", after_uid=known).met) == 1

    def test_the_wake_descriptor_ends_the_wait(self, mailbox: Mailbox) -> None:
        inbox = self.patient(mailbox)
        reader, writer = os.pipe()
        timer = threading.Timer(0.05, os.write, [writer, b"x"])
        timer.start()
        started = time.monotonic()
        assert inbox.wait(10, reader) == "wake"
        assert time.monotonic() - started < 1
        assert inbox.search("INBOX").met == ()
        timer.join()
        os.close(reader)
        os.close(writer)

    def test_slices_are_short_after_a_pass_that_found_something(self, mailbox: Mailbox) -> None:
        mailbox.inbox.search("INBOX")
        started = time.monotonic()
        assert mailbox.inbox.wait(10, found_something=True) == "time"
        assert time.monotonic() - started < 0.5
        assert mailbox.inbox.wait(0.05) == "time"

    def test_only_the_first_folder_idles_and_is_looked_at_again_before(self, mailbox: Mailbox) -> None:
        mailbox.inbox.ensure_folders(["Other"])
        inbox = self.patient(mailbox)
        mailbox.deliver(mail())
        inbox.search("Other")
        assert inbox.wait(10) == "mail"
        assert len(inbox.search("INBOX").met) == 1

    def test_a_server_that_goes_away_ends_the_wait(self) -> None:
        with MailHub({"buns": "secret"}, {}) as hub:
            inbox = Inbox(
                host=HOST, port=hub.imap_port, security="plain", user="buns", secret=lambda: "secret", read_timeout=5
            )
            inbox.connect()
            inbox.search("INBOX")
            timer = threading.Timer(0.1, hub.drop_connections)
            timer.start()
            started = time.monotonic()
            assert fault(lambda: inbox.wait(10)).kind == "dropped"
            assert time.monotonic() - started < 2
            assert fault(lambda: inbox.wait(10)).kind == "dropped"
            timer.join()


@pytest.mark.dovecot
class TestConnecting:
    @pytest.mark.parametrize("security", ["plain", "starttls", "tls"])
    def test_every_way_in(self, dovecot: Dovecot, security: Any) -> None:
        port = dovecot.tls_port if security == "tls" else dovecot.plain_port
        inbox = self.inbox(dovecot, port=port, security=security)
        inbox.connect()
        assert inbox.has_idle and inbox.has_move and inbox.has_uidplus
        assert inbox.search("INBOX").met == ()
        dovecot.deliver("ways", mail())
        assert inbox.wait(10) == "mail"
        assert len(inbox.search("INBOX").met) == 1
        inbox.file("INBOX", [met.uid for met in inbox.search("INBOX").met], "Done")
        inbox.close()
        assert fault(lambda: inbox.search("INBOX")).kind == "dropped"

    def inbox(self, dovecot: Dovecot, **changes: Any) -> Inbox:
        settings = {
            "host": "localhost",
            "port": dovecot.plain_port,
            "security": "plain",
            "user": "ways",
            "secret": lambda: dovecot.PASSWORD,
            "ca_file": dovecot.certificates.authority,
        }
        return Inbox(**{**settings, **changes})

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    def test_a_certificate_of_an_unknown_authority_is_refused(
        self, dovecot: Dovecot, security: Any, tmp_path: Path
    ) -> None:
        port = dovecot.tls_port if security == "tls" else dovecot.plain_port
        asked: list[str] = []
        for authority in (None, make_certificates(tmp_path).authority):
            inbox = self.inbox(dovecot, port=port, security=security, ca_file=authority, secret=lambda: asked[0])
            error = fault(inbox.connect)
            assert error.kind == "tls"
            assert "does not verify" in error.reason

    def test_a_certificate_for_another_name_is_refused(self, dovecot: Dovecot) -> None:
        error = fault(self.inbox(dovecot, host="127.0.0.2", port=dovecot.tls_port, security="tls").connect)
        assert error.kind in ("tls", "unreachable")  # nobody listens on 127.0.0.2 everywhere

    @pytest.mark.parametrize("secret", ["letmein", "wröng", 'qu"ote\\', "new\nline"])
    def test_a_wrong_password_is_no_use_trying_again(self, dovecot: Dovecot, secret: str) -> None:
        error = fault(self.inbox(dovecot, secret=lambda: secret).connect)
        assert (error.kind, error.retry) == ("login", False)
        assert secret not in error.reason
        assert "ways" in error.reason

    def test_access_tokens(self, dovecot: Dovecot) -> None:
        self.inbox(dovecot, oauth=True, secret=lambda: dovecot.access_token("ways")).connect()
        for token in (dovecot.access_token("ways", -10), dovecot.access_token("somebody"), "nonsense"):
            error = fault(self.inbox(dovecot, oauth=True, secret=lambda token=token: token).connect)  # type: ignore[misc]
            assert (error.kind, error.retry) == ("login", False)
            assert token not in error.reason

    def test_what_the_secret_raises_passes(self, dovecot: Dovecot) -> None:
        def secret() -> str:
            raise RuntimeError("no token")

        with pytest.raises(RuntimeError, match="no token"):
            self.inbox(dovecot, secret=secret).connect()

    def test_a_trusted_file_that_is_missing_is_named(self, dovecot: Dovecot) -> None:
        error = fault(self.inbox(dovecot, security="tls", ca_file=Path("/nowhere/ca.pem")).connect)
        assert (error.kind, error.retry) == ("tls", False)
        assert "/nowhere/ca.pem" in error.reason

    def test_tls_with_a_server_that_speaks_none(self, dovecot: Dovecot) -> None:
        assert fault(self.inbox(dovecot, security="tls").connect).kind == "tls"

    @pytest.mark.usefixtures("dovecot")  # for its skip
    def test_folders_go_below_the_server_s_prefix_with_its_separator(self) -> None:
        """A server of another kind: no IDLE, MOVE or UIDPLUS either, and OAUTHBEARER as the only way for tokens."""
        few = "imap_capability = IMAP4rev1 NAMESPACE\nauth_mechanisms = plain oauthbearer"
        with Dovecot(separator=".", prefix="INBOX.", extra=few) as server:
            inbox = self.inbox(server, user="bo", oauth=True, secret=lambda: server.access_token("bo"))
            inbox.connect()
            assert not (inbox.has_idle or inbox.has_move or inbox.has_uidplus)
            assert inbox.ensure_folders(["Buns/Handled"]) == ["Buns/Handled"]
            assert "INBOX.Buns.Handled" in inbox.folders()
            assert inbox.ensure_folders(["Buns/Handled", "INBOX.Buns.Handled", "INBOX/Buns/Handled"]) == []
            server.deliver("bo", mail())
            (met,) = inbox.search("INBOX").met
            assert inbox.file("INBOX", [met.uid], "Buns/Handled").done == (met.uid,)
            assert inbox.file("INBOX", [met.uid], "Buns/Handled").missing == (met.uid,)
            assert len(server.mails("bo", "Buns.Handled")) == 1
            assert len(server.mails("bo")) == 1  # without UIDPLUS it is only marked as deleted
            inbox.close()

    def test_a_full_mailbox_says_so(self, dovecot: Dovecot) -> None:
        inbox = self.inbox(dovecot, user=FULL[0])
        inbox.connect()
        inbox.append("INBOX", mail(1))
        error = fault(lambda: inbox.append("INBOX", mail(2)))
        assert error.kind == "quota"
        assert bodies(inbox) == [mail(1)]
        inbox.close()


class TestSafety:
    @pytest.mark.parametrize(
        ("address", "here"),
        [
            ("127.0.0.1", True),
            ("127.8.9.1", True),
            ("::1", True),
            ("::ffff:127.0.0.1", True),
            ("192.0.2.1", False),
            ("fe80::1%eth0", False),
            ("::ffff:192.0.2.1", False),
        ],
    )
    def test_what_this_machine_is(self, address: str, here: bool) -> None:
        assert _is_loopback(address) is here

    def test_no_password_goes_to_another_machine_without_tls(
        self, scripted: ScriptedImap, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("router.imap._is_loopback", lambda address: False)
        asked: list[str] = []
        inbox = Inbox(
            host=HOST, port=scripted.port, security="plain", user="bo", secret=lambda: asked.append("x") or "secret"
        )
        error = fault(inbox.connect)
        assert (error.kind, error.retry, asked) == ("tls", False, [])
        assert not scripted.said("LOGIN") + scripted.said("AUTHENTICATE")

    def test_no_password_goes_where_starttls_was_stripped(self, scripted: ScriptedImap, tmp_path: Path) -> None:
        inbox = Inbox(host=HOST, port=scripted.port, security="starttls", user="bo", secret=lambda: "secret")
        assert fault(inbox.connect).kind == "tls"
        assert not scripted.said("LOGIN") + scripted.said("AUTHENTICATE")

    def test_neither_mails_nor_secrets_are_logged(self, mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        logging.getLogger("router").setLevel(logging.DEBUG)
        mailbox.deliver(mail(text="a word in confidence"))
        inbox = mailbox.another()
        inbox.connect()
        assert len(bodies(inbox)) == 1
        inbox.close()
        said = [record.getMessage() for record in caplog.records if not record.name.startswith(("pymap", "asyncio"))]
        assert not [line for line in said if "confidence" in line or mailbox.settings["secret"]() in line]

    def test_the_secret_is_in_no_repr(self) -> None:
        inbox = Inbox(host=HOST, port=1, security="plain", user="bo", secret=lambda: "hush")
        assert "hush" not in repr(inbox) + repr(vars(inbox))


@pytest.fixture(params=["plain", "tls"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with MailHub({"buns": "secret"}, {}, tls=request.param == "tls") as hub:
        inbox = Inbox(
            host="localhost",
            port=hub.imap_port,
            security=request.param,
            user="buns",
            secret=lambda: "secret",
            ca_file=hub.ca_file,
        )
        inbox.connect()
        assert inbox._connection
        yield inbox._connection
        inbox.close()


class TestContract:
    """What imap.py takes for granted of imapclient's and imaplib's insides; a new version must pass these."""

    def test_bytes_that_were_read_but_not_used_are_seen(self, connection: Connection) -> None:
        connection.select_folder("INBOX")
        assert connection.has_unread() is False
        connection._imap.send(b"a1 NOOP\r\n")
        wait_until(connection.has_unread, 2, "the answer")
        assert connection.has_unread() is True  # and it has taken nothing away
        line = connection._imap.readline()
        assert line.startswith((b"a1 OK", b"*"))

    def test_looking_leaves_the_socket_as_it_was(self, connection: Connection) -> None:
        before = connection.socket().gettimeout()
        connection.has_unread()
        assert connection.socket().gettimeout() == before == 60.0

    def test_idle_can_be_begun_and_ended_again_and_again(self, connection: Connection) -> None:
        connection.select_folder("INBOX")
        for _ in range(3):
            connection.idle()
            text, _told = connection.idle_done()
            assert text
        assert connection.noop()

    def test_imaplib_logs_nothing(self, connection: Connection) -> None:
        assert connection._imap.debug == 0

    def test_tls_is_verified_by_default(self) -> None:
        context = ssl.create_default_context()
        assert context.check_hostname and context.verify_mode is ssl.CERT_REQUIRED
