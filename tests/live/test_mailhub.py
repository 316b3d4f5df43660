"""mailhub.py: what the demo and other tests take for granted of the embedded server."""

from __future__ import annotations

import gc
import imaplib
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.mailhub import MailHub
from tests.servers import HOST

pytestmark = pytest.mark.live

USERS = {"buns": "pw-buns", "anna": "pw-anna", "bo": "pw-bo"}
ADDRESSES = {"buns@hub.test": "buns", "anna@hub.test": "anna", "bo@hub.test": "bo", "bo@home.test": "bo"}
LISTS = {"all@hub.test": ["anna@hub.test", "bo@hub.test", "far@away.test"], "everybody@hub.test": ["all@hub.test"]}
RAW = b"From: x@client.test\r\nSubject: Hello\r\n\r\nHej \xc3\xa5\r\n.dot\r\n"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[MailHub]:
    with MailHub(USERS, ADDRESSES, LISTS, folder=tmp_path / "kept") as server:
        yield server


def send(hub: MailHub, *to: str, raw: bytes = RAW, sender: str = "x@client.test", login: str = "") -> None:
    with smtplib.SMTP(HOST, hub.smtp_port, timeout=5) as client:
        if login:
            client.login(login, USERS[login])
        client.sendmail(sender, to, raw)


def read(hub: MailHub, login: str, folder: str = "INBOX") -> list[bytes]:
    with imaplib.IMAP4(HOST, hub.imap_port, timeout=5) as client:
        client.login(login, USERS[login])
        client.select(folder)
        answer = client.fetch("1:*", "BODY.PEEK[]")[1]
        return [part[1] for part in answer if isinstance(part, tuple)]


class TestDelivery:
    def test_a_mail_is_in_each_mailbox_before_it_is_accepted(self, hub: MailHub) -> None:
        send(hub, "buns@hub.test", "Bo@Home.test")
        trace = b"Return-Path: <x@client.test>\r\nDelivered-To: %b\r\n"
        assert read(hub, "buns") == [trace % b"buns@hub.test" + RAW]
        assert read(hub, "bo") == [trace % b"Bo@Home.test" + RAW]
        (mail,) = hub.mails
        assert (mail.mail_from, mail.rcpt_tos, mail.raw) == ("x@client.test", ("buns@hub.test", "Bo@Home.test"), RAW)
        assert abs((mail.at - datetime.now(UTC)).total_seconds()) < 5

    def test_plus_addresses_reach_the_base_address(self, hub: MailHub) -> None:
        send(hub, "buns+42.c0de@hub.test")
        (raw,) = read(hub, "buns")
        assert b"Delivered-To: buns+42.c0de@hub.test" in raw

    def test_a_list_adds_its_headers_and_rewrites_nothing(self, hub: MailHub) -> None:
        send(hub, "all@hub.test")
        for login in ("anna", "bo"):
            (raw,) = read(hub, login)
            head = b"List-Id: <all.hub.test>\r\nList-Post: <mailto:all@hub.test>\r\nPrecedence: list\r\n"
            assert raw.endswith(head + RAW)
        assert [mail.rcpt_tos for mail in hub.outside] == [("far@away.test",)]
        assert read(hub, "buns") == []

    def test_a_list_may_hold_a_list(self, hub: MailHub) -> None:
        send(hub, "everybody@hub.test")
        (raw,) = read(hub, "anna")
        assert raw.count(b"List-Id:") == 2

    def test_the_outside_world_takes_everything(self, hub: MailHub) -> None:
        send(hub, "acme@client.test", "buns@hub.test")
        assert [(mail.rcpt_tos, mail.raw) for mail in hub.outside] == [(("acme@client.test",), RAW)]

    def test_the_null_sender(self, hub: MailHub) -> None:
        send(hub, "buns@hub.test", sender="")
        assert hub.mails[0].mail_from == ""
        assert read(hub, "buns")[0].startswith(b"Return-Path: <>\r\n")

    def test_every_mail_is_kept_as_a_numbered_file(self, hub: MailHub) -> None:
        for number in range(3):
            send(hub, "buns@hub.test", raw=b"Subject: %d\r\n\r\nx\r\n" % number)
        assert hub.folder
        kept = sorted(hub.folder.iterdir())
        assert [path.name for path in kept] == ["0001.eml", "0002.eml", "0003.eml"]
        assert kept[1].read_bytes() == b"Subject: 1\r\n\r\nx\r\n"

    def test_mail_can_be_put_into_a_mailbox_from_any_thread_at_any_time(self, hub: MailHub) -> None:
        threads = [threading.Thread(target=hub.deliver, args=("anna@hub.test", RAW)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read(hub, "anna") == [RAW] * 10
        hub.deliver("anna@hub.test", RAW, folder="Junk", received=datetime(2026, 1, 2, tzinfo=UTC))
        assert read(hub, "anna", "Junk") == [RAW]
        assert hub.mails == []
        with pytest.raises(KeyError):
            hub.deliver("nobody@hub.test", RAW)

    def test_waiting_for_a_mail_past_or_to_come(self, hub: MailHub) -> None:
        timer = threading.Timer(0.1, send, [hub, "buns@hub.test"])
        timer.start()
        assert hub.wait_for(lambda mail: b"Hello" in mail.raw, 5) == hub.mails[0]
        assert hub.wait_for(lambda mail: b"Hello" in mail.raw, 0.01) == hub.mails[0]
        with pytest.raises(TimeoutError, match="1 mails were accepted"):
            hub.wait_for(lambda mail: False, 0.01)
        timer.join()

    def test_the_server_says_who_had_logged_in(self) -> None:
        with MailHub(USERS, ADDRESSES, authserv_id="mx.hub.test") as hub:
            send(hub, "buns@hub.test", login="bo")
            send(hub, "buns@hub.test")
            known, stranger = read(hub, "buns")
        assert b"Authentication-Results: mx.hub.test; auth=pass smtp.auth=bo\r\n" in known
        assert b"Authentication-Results: mx.hub.test; none\r\n" in stranger


class TestImap:
    def test_wrong_passwords_are_refused_by_both(self, hub: MailHub) -> None:
        with imaplib.IMAP4(HOST, hub.imap_port) as imap, pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAIL"):
            imap.login("bo", "wrong")
        with smtplib.SMTP(HOST, hub.smtp_port) as smtp, pytest.raises(smtplib.SMTPAuthenticationError):
            smtp.login("bo", "wrong")

    def test_a_login_costs_next_to_nothing(self, hub: MailHub) -> None:
        """pymap's own choice is PBKDF2: 0.2 s each."""
        started = time.process_time()
        for _ in range(10):
            read(hub, "bo")
        assert time.process_time() - started < 1

    def test_keywords_are_kept(self, hub: MailHub) -> None:
        hub.deliver("bo@hub.test", RAW)
        with imaplib.IMAP4(HOST, hub.imap_port) as client:
            client.login("bo", USERS["bo"])
            client.create("Made")
            client.select("INBOX")
            client.store("1:*", "+FLAGS", "($BunHandled)")
            client.copy("1:*", "Made")
            for folder in ("INBOX", "Made"):
                client.select(folder)
                assert client.search(None, "KEYWORD", "$BunHandled")[1] == [b"1"]

    def test_everybody_has_a_sent_and_a_junk_folder(self, hub: MailHub) -> None:
        assert read(hub, "anna", "Sent") == read(hub, "anna", "Junk") == []

    def test_connections_survive_the_garbage_collector(self, hub: MailHub) -> None:
        """asyncio holds its tasks weakly; from Python 3.13 on, pymap's own service loses clients."""
        clients = [imaplib.IMAP4(HOST, hub.imap_port, timeout=5) for _ in range(5)]
        for _ in range(3):
            gc.collect()
        for client in clients:
            client.login("bo", USERS["bo"])
            client.logout()

    def test_tls_with_a_certificate_of_its_own(self) -> None:
        with MailHub(USERS, ADDRESSES, tls=True) as hub:
            context = ssl.create_default_context(cafile=str(hub.ca_file))
            with smtplib.SMTP_SSL("localhost", hub.smtp_port, context=context) as smtp:
                smtp.login("bo", USERS["bo"])
                smtp.sendmail("x@client.test", ["bo@hub.test"], RAW)
            with imaplib.IMAP4_SSL("localhost", hub.imap_port, ssl_context=context) as imap:
                imap.login("bo", USERS["bo"])
                assert imap.select() == ("OK", [b"1"])


class TestFaults:
    def test_an_address_is_refused_as_often_as_asked(self, hub: MailHub) -> None:
        hub.refuse("bo@hub.test", "550 5.1.1 nobody here", times=2)
        for _ in range(2):
            with smtplib.SMTP(HOST, hub.smtp_port) as client:
                refused = client.sendmail("x@client.test", ["bo+1@hub.test", "anna@hub.test"], RAW)
                assert refused == {"bo+1@hub.test": (550, b"5.1.1 nobody here")}
        send(hub, "bo@hub.test")
        assert (len(read(hub, "bo")), len(read(hub, "anna"))) == (1, 2)

    @pytest.mark.parametrize("stage", ["connect", "mail", "rcpt", "data"])
    def test_a_stage_is_refused_or_cut(self, hub: MailHub, stage: str) -> None:
        for code in (451, "drop"):
            hub.refuse(stage, code)
            with pytest.raises(smtplib.SMTPException):
                send(hub, "bo@hub.test")
        assert hub.mails == []
        hub.refuse(stage, 421, times=None)
        hub.accept_again()
        send(hub, "bo@hub.test")
        assert len(hub.mails) == 1

    def test_connections_can_be_dropped(self, hub: MailHub) -> None:
        imap = imaplib.IMAP4(HOST, hub.imap_port, timeout=5)
        smtp = smtplib.SMTP(HOST, hub.smtp_port, timeout=5)
        hub.drop_connections()
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            imap.noop()
        with pytest.raises(smtplib.SMTPServerDisconnected):
            smtp.noop()
        imap.shutdown()
        smtp.close()
        send(hub, "bo@hub.test")

    def test_imap_goes_deaf_while_smtp_works(self, hub: MailHub) -> None:
        client = imaplib.IMAP4(HOST, hub.imap_port, timeout=0.2)
        client.login("bo", USERS["bo"])
        hub.pause_imap()
        send(hub, "bo@hub.test")
        with pytest.raises(TimeoutError):
            client.select()
        with pytest.raises(TimeoutError):
            imaplib.IMAP4(HOST, hub.imap_port, timeout=0.1)
        hub.resume()
        client.shutdown()
        assert len(read(hub, "bo")) == 1

    def test_imap_can_be_gone_altogether(self, hub: MailHub) -> None:
        hub.pause_imap(refuse=True)
        with pytest.raises((imaplib.IMAP4.abort, OSError)):
            imaplib.IMAP4(HOST, hub.imap_port, timeout=5)
        hub.resume()
        assert read(hub, "bo") == []

    def test_it_ends_with_clients_connected_and_without_noise(self, capfd: pytest.CaptureFixture[str]) -> None:
        with MailHub(USERS, ADDRESSES) as hub:
            idle = imaplib.IMAP4(HOST, hub.imap_port, timeout=5)
            deaf = imaplib.IMAP4(HOST, hub.imap_port, timeout=5)
            smtp = smtplib.SMTP(HOST, hub.smtp_port, timeout=5)
            hub.pause_imap()
            idle.send(b"a1 NOOP\r\n")
        for client in (idle, deaf):
            client.shutdown()
        smtp.close()
        assert capfd.readouterr().err == ""
