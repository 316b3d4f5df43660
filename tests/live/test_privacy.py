"""Against a real mail server, with the daemon running: forgetting leaves no byte, and nothing secret is written.

Bodies and passwords carry marks; afterwards every file that was written, every line that was logged and every command
line in /proc is searched for them.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import DOMAIN, LIST, Running, sent_to, wait_for
from tests.servers import Dovecot, RecordingSmtp
from tests.test_privacy import files_with

pytestmark = [pytest.mark.live, pytest.mark.dovecot]
_users = itertools.count(1)
BODY, SECRET, NAME, ADDRESS = "whispering-heron", "s3cret-of-the-otter", "Maria Falkenberg", "maria@falken.example"


class Marked(Running):
    """A house whose every logger writes everything, and that breaks on mails with "poison" in their subject."""

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tests.marked_run", *words, "--config", str(self.config)]


@pytest.fixture
def house(tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp) -> Iterator[Marked]:
    user = f"privacy{next(_users)}"
    more = '[[consultant]]\nkey = "x"\nname = "X"\naddresses = ["x@coll.example"]\n'
    running = Marked(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, more=more)
    yield running
    running.kill()


def _client(house: Running, subject: str, text: str) -> bytes:
    return house.mail(f"{NAME} <{ADDRESS}>", subject, text)


@pytest.mark.parametrize("is_running", [True, pytest.param(False, marks=pytest.mark.torture)])
def test_forgetting_leaves_no_byte_beside_the_store_nor_on_the_mail_server(
    house: Marked, dovecot: Dovecot, smtp: RecordingSmtp, is_running: bool
) -> None:
    house.start("--verbose")
    dovecot.deliver(house.user, _client(house, "Help", f"Can one of you help with the {BODY} of ours?"))
    dovecot.deliver(house.user, _client(house, "poison", f"The {BODY} again"))
    dovecot.deliver(house.user, house.mail("jo@acme.example", "Other", "Can one of you help us with a thing in May?"))
    offer = wait_for(lambda: sent_to(smtp.mails, LIST, BODY))[0]
    dovecot.deliver(
        house.user, house.mail(f"bo@{DOMAIN}", "Re: offer", f"mine, the {BODY} is dear to me", answers=offer)
    )
    wait_for(lambda: sent_to(smtp.mails, f"bo@{DOMAIN}", BODY), why="a receipt")
    wait_for(lambda: not dovecot.mails(house.user), why="all filed")
    if not is_running:
        assert house.stop() == 0
    assert files_with(house.store_path.parent, ADDRESS, BODY)
    said = house.call("forget", ADDRESS, *(["--mailbox"] if is_running else []))
    assert f"{ADDRESS}: erased from 1 leads" in said
    handled = [line for line in said.splitlines() if "Handled" in line]
    assert handled and ("1 mails deleted" in handled[0] if is_running else "1 mails (UID " in handled[0]), said
    words = (ADDRESS, NAME, BODY)
    if is_running:
        wait_for(lambda: not files_with(house.store_path.parent, *words), why="what was in flight has landed")
        assert house.stop() == 0
    assert files_with(house.folder, *words) == []
    assert "heron" not in house.log() and "falken" not in house.log().lower()
    left = [raw for folder in ("INBOX", "Buns.Handled", "Buns.Quarantine") for raw in dovecot.mails(house.user, folder)]
    assert is_running == (not [raw for raw in left if ADDRESS.encode() in raw.partition(b"\n\n")[0]])
    assert any(b"jo@acme.example" in raw for raw in left), "others' mail is where it was"
    assert [lead["client"] for lead in house.status()] == ["jo@acme.example"]


def test_no_body_is_logged_at_any_level_also_not_of_a_mail_that_breaks_us(
    house: Marked, dovecot: Dovecot, smtp: RecordingSmtp
) -> None:
    house.start("--verbose")
    dovecot.deliver(house.user, _client(house, f"About the {BODY}", f"Can one of you help with the {BODY} of ours?"))
    offer = wait_for(lambda: sent_to(smtp.mails, LIST, BODY))[0]
    for text in (f"mine\n\n{BODY}", f"note {BODY}", f"what is the {BODY}?", f"warm {BODY}", f"away until the {BODY}"):
        dovecot.deliver(house.user, house.mail(f"bo@{DOMAIN}", "Re: offer", text, answers=offer))
    dovecot.deliver(
        house.user,
        house.mail(
            f"bo@{DOMAIN}",
            f"Fwd: {BODY}",
            f"Look\n\n---- Forwarded message ----\nFrom: {ADDRESS}\nSubject: {BODY}\n\n{BODY}",
        ),
    )
    for number in range(4):
        dovecot.deliver(house.user, _client(house, f"poison {number}", f"The {BODY} breaks {number}"))
    dovecot.deliver(house.user, b"\r\n\r\n" + BODY.encode())
    wait_for(lambda: not dovecot.mails(house.user), why="all filed")
    assert house.stop() == 0
    log = house.log()
    assert "claim" in log and "DEBUG" in log and "ValueError" in log, "it does log what it does"
    assert BODY not in log and "heron" not in log
    assert ADDRESS not in log
    traces = list((house.folder / "store" / "buns.json.quarantine").glob("*.txt"))
    assert traces and all(path.stat().st_mode & 0o077 == 0 for path in traces), (
        "the traceback is kept apart, for us alone"
    )


SLOW = pytest.mark.torture


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        pytest.param("", "", marks=SLOW),
        ("smtp", "cannot leave"),
        pytest.param("imap", "cannot be read", marks=SLOW),
        pytest.param("missing", "", marks=SLOW),
    ],
)
def test_a_secret_is_in_no_file_no_log_no_command_line_and_no_output(
    tmp_path: Path, dovecot: Dovecot, wrong: str, says: str
) -> None:
    """With the right passwords, with one that a server refuses, and with one that cannot be had."""
    with RecordingSmtp(users={"sender": SECRET}) as smtp:
        house = Marked(tmp_path, dovecot.plain_port, smtp.port, f"privacy{next(_users)}", dovecot.PASSWORD)
        login = 'user = "sender"\npassword_env = "MAIL_OUT"\n'
        house.config.write_text(house.config.read_text().replace('user = ""\n', login))
        house.environment = {"MAIL_OUT": f"wrong-{SECRET}" if wrong == "smtp" else SECRET}
        house.password = {"imap": f"wrong-{SECRET}", "missing": ""}.get(wrong, dovecot.PASSWORD)
        dovecot.deliver(house.user, house.mail("su@beta.example", "Help", "Can one of you help us in June?"))
        if wrong == "missing":
            said = [house.call("run", "--once", status=2)]
        else:
            house.start("--verbose")
            wait_for(lambda: says in house.log() if wrong else sent_to(smtp.mails, "su@beta.example"), why="it says so")
            said = [house.call("check", status=1 if wrong else 0), _command_line(house)]
            assert house.stop() == 0
        for secret in (SECRET, dovecot.PASSWORD):
            assert not any(secret in text for text in said)
            assert files_with(tmp_path, secret) == []
            assert secret.encode().hex() not in house.log()


def _command_line(house: Running) -> str:
    assert house.process is not None
    me = Path(f"/proc/{house.process.pid}/cmdline").read_bytes()
    assert b"run" in me
    return me.decode()
