"""From a few questions to a router that runs: a newcomer answers, `check` is all green, and a request is handled."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from router import init
from router.check import Checked, run_checks
from router.config import load
from router.counter import Sorry
from router.founding import Answers, Colleague, Trusted, Wire, key_for, learn_server, write_config
from router.headers import split_headers
from router.mailhub import MailHub

SECRET = "s3cret-of-the-otter"
HOME = "oven.example"
SHARED = f"hello@{HOME}"
PEOPLE = ["Anna Andersson", f"anna@{HOME}", "rust, security", "Bo Berg", f"bo@{HOME} bo@home.example", "-", ""]
COLLECTIVE = ["The Oven", SHARED, "en sv", "-", *PEOPLE, "", "", "", "Europe/Stockholm", "SE"]


@pytest.fixture
def hub() -> Iterator[MailHub]:
    with MailHub({"hello": SECRET}, {SHARED: "hello"}, authserv_id=f"mx.{HOME}") as server:
        yield server


def answers(hub: MailHub, *middle: str, collective: list[str] = COLLECTIVE) -> list[str]:
    """All answers in order; `middle` stands between the login and the way out."""
    return [
        *collective,
        f"127.0.0.1:{hub.imap_port}",
        "plain",
        "hello",
        *middle,
        f"127.0.0.1:{hub.smtp_port}",
        "plain",
        "",
    ]


def checked_mail(number: int, server: str = f"mx.{HOME}") -> bytes:
    return (
        f"Received: from a by {server}; Mon, 2 Mar 2026 09:00:00 +0000\r\n"
        f"Authentication-Results: {server}; dkim=pass header.d=x.example\r\n"
        f"From: a@x.example\r\nSubject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\nHello\r\n"
    ).encode()


def founded(path: Path, given: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[list[Checked], str]:
    """`init` in this process with piped answers: its final checks, and all that it printed."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(given) + "\n"))
    monkeypatch.setattr(sys, "stdout", said)
    return list(init.run_init(path, init.Asker())), said.getvalue()


def test_a_newcomer_gets_from_init_to_check_all_green_and_a_handled_request(hub: MailHub, tmp_path: Path) -> None:
    for number in range(4):
        hub.deliver(SHARED, checked_mail(number))
    command = [sys.executable, "-m", "router"]
    done = subprocess.run(
        [*command, "init"], input="\n".join(answers(hub, "file", SECRET, "yes")) + "\n", capture_output=True, text=True,
        cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WRONG" not in done.stdout and "IMAP works" in done.stdout and "SMTP works" in done.stdout
    assert "bun-router run" in done.stdout.rpartition("Next:")[2]
    assert f'4 of the 4 newest mails were checked by "mx.{HOME}"' in done.stdout
    assert SECRET not in done.stdout + done.stderr
    for name in ("config.toml", "mail.password"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert SECRET not in (tmp_path / "config.toml").read_text()
    green = subprocess.run([*command, "check"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert green.returncode == 0 and "WRONG" not in green.stdout
    assert f"mx.{HOME}" in green.stdout
    hub.deliver(
        SHARED, b"From: jo@acme.example\r\nSubject: Help\r\nMessage-ID: <r@x>\r\n\r\nCan one of you help us?\r\n"
    )
    once = subprocess.run([*command, "run", "--once"], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert once.returncode == 0, once.stderr
    assert {mail.rcpt_tos[0] for mail in hub.outside} >= {"jo@acme.example", f"anna@{HOME}", f"bo@{HOME}"}
    assert once.stdout == "", "in cron nobody is told of what went well"
    mine, theirs = pty.openpty()
    again = subprocess.run([*command, "run", "--once"], stdout=theirs, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60)
    os.close(theirs)
    assert again.returncode == 0 and b"mails read: 0; mails sent: " in os.read(mine, 4096)
    os.close(mine)


def test_what_was_answered_stands_in_the_configuration(
    hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collective = ["The Oven", SHARED, "en sv", f"all@{HOME}", *PEOPLE, "anna bo", "anna", f"ops@{HOME}", "UTC", "-"]
    checks, _ = founded(tmp_path / "c.toml", answers(hub, "file", SECRET, collective=collective), monkeypatch)
    assert all(check.fine for check in checks)
    settings = load(tmp_path / "c.toml")
    assert settings.collective.list == f"all@{HOME}" and not settings.collective.members
    assert settings.collective.rota == ("anna", "bo") and settings.collective.languages == ("en", "sv")
    assert settings.operator == f"ops@{HOME}" and settings.hours.country == ""
    anna, bo = settings.roster
    assert (anna.key, anna.never_claims, anna.skills) == ("anna", True, ("rust", "security"))
    assert bo.addresses == (f"bo@{HOME}", "bo@home.example")
    assert settings.smtp.user == "hello" and settings.smtp.secret() == SECRET
    assert settings.trust.authserv_id == "", "an empty mailbox teaches nothing"


def test_wrong_answers_are_named_and_asked_again(hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collective = ["", "The Oven", "hello", SHARED, "english", "xx", "en", "crew", "-"]
    people = [
        "",
        f"anna@{HOME}",
        "Anna A",
        "x",
        SHARED,
        f"anna@{HOME}",
        "-",
        "Bo",
        f"anna@{HOME}",
        f"bo@{HOME}",
        "-",
        "",
    ]
    roles = ["kim", "anna", "bo", "-", SHARED, f"ops@{HOME}", "Mars", "UTC", "Sweden", "SE"]
    wires = [
        "127.0.0.1:x",
        f"127.0.0.1:{hub.imap_port}",
        "none",
        "plain",
        "hello",
        "somewhere",
        "env",
        "file",
        "",
        SECRET,
    ]
    given = [*collective, *people, *roles, *wires, f"127.0.0.1:{hub.smtp_port}", "plain", "-"]
    checks, said = founded(tmp_path / "config.toml", given, monkeypatch)
    assert all(check.fine for check in checks)
    for each in (
        *("An answer is needed here", '"hello" is no mail address', '"english" is no language', "is no time zone"),
        *(f"anna@{HOME} is Anna A's already", "Write one or more of anna, bo", "is no country"),
        *(f"{SHARED} is the shared address itself", "faults must reach a person elsewhere", "Write the name;"),
        *('There are no mails in "xx"; write some of de, en, ',),
        *("is no server", "Write tls, starttls or plain", "Write file, env NAME", "It cannot be empty", "At least one"),
    ):
        assert each in said, each
    assert load(tmp_path / "config.toml").smtp.user == ""
    assert "Traceback" not in said


def test_a_wrong_password_is_said_and_can_be_typed_again(
    hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = [f"127.0.0.1:{hub.imap_port}", "plain", "hello", "file"]
    kept = ["", "", "", ""]  # server, security, login, source: what was answered before
    given = [*COLLECTIVE, *place, f"wrong-{SECRET}", "again", *kept, SECRET]
    checks, said = founded(tmp_path / "c.toml", [*given, f"127.0.0.1:{hub.smtp_port}", "plain", ""], monkeypatch)
    assert all(check.fine for check in checks)
    assert "IMAP does not work: " in said and SECRET not in said
    assert f"[127.0.0.1:{hub.imap_port}]" in said and "(tls, starttls, plain) [plain]" in said
    assert (tmp_path / "mail.password").read_text() == f"{SECRET}\n"


def test_stopping_or_running_out_of_answers_writes_nothing(
    hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = [f"127.0.0.1:{hub.imap_port}", "plain", "hello", "file", "wrong"]
    for given in ([], COLLECTIVE, [*COLLECTIVE, *place], [*COLLECTIVE, *place, "stop"]):
        with pytest.raises(Sorry, match="nothing is written"):
            founded(tmp_path / "c.toml", given, monkeypatch)
    assert list(tmp_path.iterdir()) == []


def test_going_on_with_a_server_that_is_not_there_ends_in_a_check_that_says_so(
    hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [
        *COLLECTIVE,
        "127.0.0.1:1",
        "plain",
        "hello",
        "file",
        SECRET,
        "on",
        f"127.0.0.1:{hub.smtp_port}",
        "plain",
        "",
    ]
    checks, _ = founded(tmp_path / "c.toml", given, monkeypatch)
    assert [check.name for check in checks if not check.fine] == ["imap"]
    assert "First put right what is WRONG" in init.say_next(tmp_path / "c.toml", False)


def test_nothing_is_overwritten_unasked(hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mine")
    for given in ([""], ["no"]):
        with pytest.raises(Sorry, match="stays as it is"):
            founded(path, given, monkeypatch)
    assert path.read_text() == "mine"
    (tmp_path / "mail.password").write_text(f"{SECRET}\n")
    checks, said = founded(path, ["yes", *answers(hub, "file", "yes")], monkeypatch)
    assert "mail.password is there already" in said
    assert path.read_text() != "mine" and (tmp_path / "mail.password").read_text() == f"{SECRET}\n"
    assert [check.name for check in checks if not check.fine] == ["secrets"], "its mode is others' to read"


def test_a_password_may_come_from_a_variable_or_a_command(
    hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVEN_PASSWORD", SECRET)
    founded(tmp_path / "a.toml", answers(hub, "env OVEN_PASSWORD"), monkeypatch)
    assert load(tmp_path / "a.toml").imap.password_env == "OVEN_PASSWORD"
    monkeypatch.delenv("OVEN_PASSWORD")
    checks, said = founded(tmp_path / "b.toml", answers(hub, "env OVEN_PASSWORD", SECRET), monkeypatch)
    assert "OVEN_PASSWORD is not set here" in said
    assert [check.name for check in checks if not check.fine] == ["imap", "smtp"], (
        "it must be set where the router runs"
    )
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    founded(tmp_path / "c.toml", answers(hub, f"command cat '{tmp_path}/secret'"), monkeypatch)
    assert load(tmp_path / "c.toml").imap.password_command == ("cat", f"{tmp_path}/secret")
    assert not (tmp_path / "mail.password").exists()
    assert os.environ.get("OVEN_PASSWORD") is None


def test_a_wrong_name_of_the_mail_server_is_found_by_check(
    hub: MailHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        hub.deliver(SHARED, checked_mail(number))
    checks, _ = founded(tmp_path / "c.toml", answers(hub, "file", SECRET, "yes"), monkeypatch)
    assert all(check.fine for check in checks)
    text = (tmp_path / "c.toml").read_text()
    (tmp_path / "c.toml").write_text(text.replace(f"mx.{HOME}", f"mail.{HOME}"))
    wrong = [check for check in run_checks(load(tmp_path / "c.toml")) if not check.fine]
    assert [check.name for check in wrong] == ["authserv_id"]
    assert "none of the 12 newest mails" in wrong[0].says


# -- what is learnt from mails -----------------------------------------------------------------------------------------


def heads(*mails: bytes) -> list:  # type: ignore[type-arg]
    return [split_headers(mail)[0] for mail in mails]


def test_the_servers_name_is_learnt_from_most_mails_and_a_forged_one_is_not() -> None:
    genuine = [checked_mail(n) for n in range(5)]
    evil = b"Authentication-Results: mx.evil.example; dkim=pass header.d=x\r\n"
    planted = [mail.replace(b"From:", evil + b"From:") for mail in genuine]
    found = learn_server(heads(*planted, evil + genuine[0]), HOME)
    assert (found.authserv_id, found.seen, found.of, found.is_sure) == (f"mx.{HOME}", 5, 6, True)
    assert not learn_server(heads(*genuine[:2]), HOME).is_sure, "two mails are too few"
    assert not learn_server(heads(*genuine[:3], *[b"From: a@b\r\n\r\n"] * 4), HOME).is_sure
    spf = b"Authentication-Results: mx.x.example; spf=pass smtp.mailfrom=a\r\nFrom: a@b\r\n\r\n"
    assert learn_server(heads(spf, spf, spf), HOME) == Trusted(of=3), "it would not strip what others plant"


def test_machines_on_the_way_and_exchange_are_learnt() -> None:
    hop = b"Received: from mx by store.bighost.net; Mon, 2 Mar 2026 09:00:00 +0000\r\n"
    found = learn_server(heads(*[hop + checked_mail(n) for n in range(3)]), HOME)
    assert found.relays == ("bighost.net",)
    exchange = (
        b"Received: from a by B.eurprd01.prod.outlook.com; x\r\nAuthentication-Results: spf=pass smtp.mailfrom=a;"
        b" dmarc=pass header.from=a;compauth=pass reason=100\r\nFrom: a@b\r\n\r\n"
    )
    found = learn_server(heads(exchange, exchange, exchange), HOME)
    assert (found.exchange_online, found.authserv_id, found.is_sure) == (True, "", True)


def test_keys_are_short_plain_and_each_persons_own() -> None:
    taken: list[str] = []
    for name in ("Anna Lind", "Anna Berg", "Åsa Öberg", "Søren", "李 雷", "李 雷", "Anna Lind", "4711"):
        taken.append(key_for(name, taken))
    assert taken == ["anna", "annab", "asa", "soren", "colleague", "colleague2", "annal", "colleague3"]


def test_every_answer_is_written_so_that_it_is_read_back() -> None:
    odd = 'A "quoted" \\ name\twith \x7f and ünïcode'
    wire = Wire("mail.x.example", 993, "tls", odd, ("password_command", ("echo", odd)))
    colleague = Colleague("anna", odd, ("anna@x.example",), (odd,))
    text = write_config(
        Answers(odd, "a@x.example", "", ("en",), (colleague,), ("anna",), "o@x.example", "UTC", "", wire, wire)
    )
    data = tomllib.loads(text)
    assert data["collective"]["name"] == data["consultant"][0]["name"] == data["imap"]["user"] == odd
    assert data["imap"]["password_command"] == ["echo", odd]
    assert "user" not in data["smtp"] and data["collective"]["members"] is True
