"""One connection: what is said on it, what is never said, and which sentence each failure gets."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from router.delivery import Dialogue, Mail, Reply, read_dialogue
from router.oauth import AccessTokens, Token
from router.smtp import NoSession, Server, check_server, open_session
from tests.fake_outbox import QUICK, START, TEXT
from tests.scripted_smtp import CLOSE_AFTER, DROP, HANG, ScriptedSmtp

PASSWORD = "correct-horse-battery"
MAIL = Mail(1, 42, "buns@example.org", ("bo@example.org",), TEXT, "<1@example.org>", 0, START)


def server_of(scripted: ScriptedSmtp, **more: Any) -> Server:
    values = {"host": "127.0.0.1", "security": "plain", "timeouts": QUICK, "name": "router.example.org", **more}
    return Server(port=scripted.port, **values)


def talk(server: Server, *mails: Mail) -> list[Dialogue]:
    """The dialogues of `mails` on one connection."""

    async def run() -> list[Dialogue]:
        session = await open_session(server, None)
        try:
            return [await session.send(mail) for mail in mails]
        finally:
            await session.quit()

    return asyncio.run(run())


def mail_to(*recipients: str, **more: Any) -> Mail:
    return replace(MAIL, recipients=recipients, **more)


# -- what is said -------------------------------------------------------------------------------------------------


def test_where_pipelining_is_offered_a_mail_takes_two_round_trips() -> None:
    with ScriptedSmtp() as scripted:
        talk(server_of(scripted), mail_to("bo@example.org", "cy@example.org"), MAIL)
    transactions = [piece for piece in scripted.segments if b"MAIL" in piece]
    assert [piece.count(b"\r\n") for piece in transactions] == [4, 3]
    assert transactions[0].endswith(b"DATA\r\n")


def test_where_it_is_not_each_command_waits_for_the_reply_before() -> None:
    with ScriptedSmtp(extensions=("HELP",)) as scripted:
        (said,) = talk(server_of(scripted), mail_to("bo@example.org", "cy@example.org"))
    assert read_dialogue(said) is None
    assert [each for each in scripted.segments if each.count(b"\r\n") > 1] == [TEXT + b".\r\n"]


@pytest.mark.parametrize(
    "raw", [b".", b"..", b".\r\n", b"x\r\n.\r\ny\r\n", b"x\n.\ny\n", b"x\r.\ry", b"", b"\r\n..\r\n.x"]
)
def test_no_text_can_end_a_mail_before_its_end(raw: bytes) -> None:
    with ScriptedSmtp() as scripted:
        first, second = talk(server_of(scripted), replace(MAIL, raw=raw), MAIL)
    assert read_dialogue(first) is read_dialogue(second) is None
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removesuffix(b"\n")
    assert [mail.raw for mail in scripted.mails] == [lines.replace(b"\n", b"\r\n") + b"\r\n", TEXT]


def test_after_a_refusal_the_next_mail_begins_with_rset() -> None:
    with ScriptedSmtp(lambda _, line: "451 4.3.0 later" if line == "." else None) as scripted:
        talk(server_of(scripted), MAIL, MAIL)
    assert [line.split()[0] for _, line in scripted.lines][4:6] == ["RSET", "MAIL"]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ("HELP",)])
def test_data_that_a_server_wants_although_nobody_is_there_gets_none(extensions: tuple[str, ...]) -> None:
    def script(_: int, line: str) -> str | None:
        return {"RCPT": "550 5.1.1 unknown", "DATA": "354 go on"}.get(line[:4])

    with ScriptedSmtp(script, extensions=extensions) as scripted:
        first, second = talk(server_of(scripted), MAIL, MAIL)
    assert first == second
    assert first.recipients == (("bo@example.org", Reply(550, "5.1.1 unknown")),)
    assert first.end is None
    assert scripted.mails == []


def test_a_server_without_ehlo_is_spoken_to_with_helo() -> None:
    with ScriptedSmtp(lambda _, line: "502 5.5.1 what?" if line.startswith("EHLO") else None) as scripted:
        (said,) = talk(server_of(scripted), MAIL)
    assert read_dialogue(said) is None
    assert scripted.said("MAIL") == ["MAIL FROM:<buns@example.org>"]


def test_replies_in_pieces_and_over_several_lines_are_read_whole() -> None:
    reply = [bytes([byte]) for byte in b"250-first\r\n250-second\r\n250 third\r\n"]
    with ScriptedSmtp(lambda _, line: reply if line.startswith("RCPT") else None) as scripted:
        (said,) = talk(server_of(scripted), MAIL)
    assert said.recipients[0][1] == Reply(250, "first second third")
    assert read_dialogue(said) is None


def test_size_and_8bitmime_are_said_where_they_are_offered() -> None:
    with ScriptedSmtp() as scripted:
        talk(server_of(scripted), MAIL, replace(MAIL, raw="Subject: x\r\n\r\nfåglar\r\n".encode()))
    assert scripted.said("MAIL") == [
        f"MAIL FROM:<buns@example.org> SIZE={len(TEXT)}",
        "MAIL FROM:<buns@example.org> SIZE=23 BODY=8BITMIME",
    ]


def test_a_mail_larger_than_the_server_says_is_not_sent_at_all() -> None:
    with ScriptedSmtp(extensions=("SIZE 100",)) as scripted:
        (said,) = talk(server_of(scripted), replace(MAIL, raw=TEXT + b"x" * 100))
    trouble = read_dialogue(said)
    assert trouble
    assert "too large" in trouble.reason
    assert not trouble.again
    assert not scripted.said("MAIL")


# -- addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "bo@example.org>\r\nRCPT TO:<eve@example.org",
        "bo@example.org\nDATA",
        "bo@example.org> SIZE=1",
        "bo b@example.org",
        "bo\x00@example.org",
        "bo",
        "@example.org",
        "bo@",
        '"bo"x@example.org',
        '"bo\r\n"@example.org',
        "bo@exa mple.org",
        "bo@" + "ä" * 70 + ".org",
    ],
)
def test_no_address_can_smuggle_a_command(address: str) -> None:
    with ScriptedSmtp() as scripted:
        alone, beside = talk(server_of(scripted), mail_to(address), mail_to(address, "cy@example.org"))
    assert alone.recipients[0][1].code == 553
    assert read_dialogue(beside) is None
    assert scripted.said("RCPT") == ["RCPT TO:<cy@example.org>"]
    assert [mail.recipients for mail in scripted.mails] == [("cy@example.org",)]


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("o'neil+x@example.org", "o'neil+x@example.org"),
        ('"bo b"@example.org', '"bo b"@example.org'),
        ("bo@[192.0.2.1]", "bo@[192.0.2.1]"),
        ("bo@bücher.example", "bo@xn--bcher-kva.example"),
    ],
)
def test_unusual_addresses_are_written_as_smtp_wants_them(address: str, written: str) -> None:
    with ScriptedSmtp(extensions=("HELP",)) as scripted:
        talk(server_of(scripted), mail_to(address))
    assert scripted.said("RCPT") == [f"RCPT TO:<{written}>"]


def test_an_address_beyond_ascii_is_written_to_only_where_smtputf8_is_offered() -> None:
    mail = mail_to("åsa@example.org", "cy@example.org")
    with ScriptedSmtp(extensions=("SMTPUTF8", "HELP")) as scripted:
        (said,) = talk(server_of(scripted), mail)
    assert said.taken == ("åsa@example.org", "cy@example.org")
    assert scripted.said("MAIL")[0].endswith(" SMTPUTF8")
    with ScriptedSmtp(extensions=("HELP",)) as scripted:
        (said,) = talk(server_of(scripted), mail)
    assert said.taken == ("cy@example.org",)
    assert ("åsa@example.org", Reply(553, "5.6.7 the mail server takes no such address (SMTPUTF8)")) in said.recipients
    assert "SMTPUTF8" not in scripted.said("MAIL")[0]


# -- logins and secrets -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["mail.example.org", "192.0.2.1", "localhost.example.org", "10.0.0.1"])
def test_credentials_never_leave_without_tls_except_to_loopback(host: str) -> None:
    with pytest.raises(ValueError, match="clear text"):
        Server(host, 25, "plain", user="buns", password=lambda: PASSWORD)
    assert Server(host, 25, "plain")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_to_loopback_they_may(host: str) -> None:
    assert Server(host, 25, "plain", user="buns", password=lambda: PASSWORD)


@pytest.mark.parametrize(
    ("offered", "said"),
    [("LOGIN CRAM-MD5 PLAIN", "AUTH PLAIN"), ("CRAM-MD5 LOGIN", "AUTH LOGIN"), ("CRAM-MD5", "AUTH CRAM-MD5")],
)
def test_a_login_tries_one_mechanism_once(offered: str, said: str) -> None:
    with ScriptedSmtp(
        lambda _, line: "535 5.7.8 no" if line.startswith("AUTH") else None, extensions=(f"AUTH {offered}",)
    ) as scripted:
        reason = check_server(server_of(scripted, user="buns", password=lambda: PASSWORD))
    assert "refuses the login (535 5.7.8 no)" in reason
    assert [line[: len(said)] for line in scripted.said("AUTH")] == [said]


def test_a_token_goes_by_xoauth2_and_is_fetched_anew_after_a_refusal() -> None:
    fetched = iter(["first-token", "second-token"])
    tokens = AccessTokens(lambda: Token(next(fetched), 3600))

    def expired(_: int, line: str) -> str | None:
        return "535 5.7.8 expired" if line.startswith("AUTH") and len(scripted.said("AUTH")) == 1 else None

    with ScriptedSmtp(expired, extensions=("AUTH XOAUTH2 PLAIN",)) as scripted:
        server = server_of(scripted, user="buns", tokens=tokens)
        assert "refuses the login" in check_server(server)
        assert check_server(server) == ""
    expected = [b64encode(f"user=buns\x01auth=Bearer {t}-token\x01\x01".encode()).decode() for t in ("first", "second")]
    assert scripted.said("AUTH") == [f"AUTH XOAUTH2 {each}" for each in expected]


@pytest.mark.parametrize(
    ("extensions", "tokens", "words"),
    [
        (("HELP",), False, "offers no login"),
        (("AUTH GSSAPI",), False, "offers no login"),
        (("AUTH PLAIN",), True, "does not offer XOAUTH2"),
    ],
)
def test_a_login_that_cannot_be_made_says_why(extensions: tuple[str, ...], tokens: bool, words: str) -> None:
    login: dict[str, Any] = {"password": lambda: PASSWORD}
    if tokens:
        login = {"tokens": AccessTokens(lambda: Token("t", 1))}
    with ScriptedSmtp(extensions=extensions) as scripted:
        assert words in check_server(server_of(scripted, user="buns", **login))
    assert not scripted.said("AUTH")


def test_no_secret_is_in_a_sentence_a_repr_or_a_log(caplog: pytest.LogCaptureFixture) -> None:
    def quoting(_: int, line: str) -> str | None:
        return f"535 5.7.8 {PASSWORD} is wrong, as is {line}" if line.startswith("AUTH") else None

    caplog.set_level(logging.DEBUG)
    encoded = b64encode(f"\0buns\0{PASSWORD}".encode()).decode()
    with ScriptedSmtp(quoting, extensions=("AUTH PLAIN",)) as scripted:
        server = server_of(scripted, user="buns", password=lambda: PASSWORD)
        with pytest.raises(NoSession) as failure:
            asyncio.run(open_session(server, None))
    for text in (str(failure.value), repr(failure.value), repr(server), str(server), caplog.text):
        assert PASSWORD not in text
        assert encoded.rstrip("=") not in text
    assert "… is wrong, as is AUTH PLAIN …" in str(failure.value)


def test_a_password_source_that_breaks_says_no_more_than_its_kind() -> None:
    def password() -> str:
        raise RuntimeError(PASSWORD)

    with ScriptedSmtp(extensions=("AUTH PLAIN",)) as scripted:
        reason = check_server(server_of(scripted, user="buns", password=password))
    assert "RuntimeError" in reason
    assert PASSWORD not in reason


# -- sentences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (lambda _, line: CLOSE_AFTER + "554 5.7.1 go away" if not line else None, "turns us away at the greeting"),
        (lambda _, line: DROP if not line else None, "cannot be reached (it closes the connection)"),
        (lambda _, line: HANG if not line else None, "did not answer in time"),
        (lambda _, line: b"* OK IMAP4rev1 ready\r\n" if not line else None, "turns us away at the greeting"),
        (lambda _, line: "550 5.7.1 bad name" if line[1:4] in ("HLO", "ELO") else None, "EHLO (550 5.7.1 bad name)"),
        (lambda _, line: DROP if line.startswith("EHLO") else None, "not ready at EHLO (the server closed"),
        (lambda _, line: HANG if line.startswith("EHLO") else None, "not ready at EHLO (the server did not answer"),
        (lambda _, line: DROP if line.startswith("AUTH") else None, "not ready at the login (the server closed"),
        (lambda _, line: HANG if line.startswith("AUTH") else None, "not ready at the login (the server did not"),
        (lambda _, line: "454 4.7.0 later" if line.startswith("AUTH") else None, "at the login (454 4.7.0 later)"),
    ],
)
def test_each_way_in_which_no_session_comes_about_has_a_sentence(script: Any, words: str) -> None:
    with ScriptedSmtp(script, extensions=("AUTH PLAIN",)) as scripted:
        login = {"user": "buns", "password": lambda: PASSWORD}
        server = server_of(scripted, timeouts=replace(QUICK, connect=0.1), **login)
        reason = check_server(server)
    assert words in reason
    assert f"127.0.0.1:{scripted.port}" in reason
    assert "\n" not in reason


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    server = Server("no-such-host.invalid", 25, "plain", timeouts=QUICK)
    assert check_server(server).startswith("the mail server no-such-host.invalid:25 cannot be reached (")


def test_a_host_all_of_whose_addresses_refuse_is_told_plainly() -> None:
    with ScriptedSmtp() as gone:
        port = gone.port
    reason = check_server(Server("localhost", port, "plain", timeouts=QUICK))
    advice = "check host, port and security in [smtp]"
    assert reason == f"the mail server localhost:{port} cannot be reached (Connection refused): {advice}"


def test_a_working_server_gets_no_sentence_and_a_goodbye() -> None:
    with ScriptedSmtp() as scripted:
        assert check_server(server_of(scripted)) == ""
    assert scripted.said("QUIT")


def test_an_unreadable_ca_file_is_named(tmp_path: Any) -> None:
    missing = tmp_path / "none.pem"
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    for path in (missing, empty):
        assert str(path) in check_server(Server("127.0.0.1", 1, "tls", ca_file=path))
