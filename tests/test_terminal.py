"""What people see at the keyboard: tables that survive 80 columns and pipes, bars for long work, one clear sentence."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from router import cli, progress, terminal
from router.check import run_checks
from router.compose import LANGUAGES
from router.config import load
from router.counter import Sorry, ask_daemon, open_office
from router.decision import Decision
from router.lead import Claim, Event, Lead, Status
from router.office import NotDone
from router.report import report
from router.store import Store
from router.terminal import Bars, Column, print_bun, print_report, print_status, print_table
from tests.test_config import MINIMAL
from tests.test_digest import NOW, TEMPLATES, WEEK, Books, days_ago, house, lead, world
from tests.test_report import LEADS
from tests.test_tray import kept

HOSTILE = "[bold]Rust[/] \x1b[31mreviewer\x07 wanted\t{{ 7 }}"
LONG = lead(
    40,
    3,
    subject="Underhåll av ett gammalt lagersystem i COBOL, gärna med någon som har gjort det förut",
    timers={"decide": NOW + timedelta(hours=5)},
    events=(
        Event(days_ago(3), "came in", "client", "from maria@acme40.example"),
        Event(days_ago(1), "dry", "router", "two working days without a claim"),
        Event(days_ago(1), "note", "operator, as bo", "a word of my own " * 12),
    ),
)


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    console = Console(width=width, force_terminal=True, color_system=None, highlight=False)
    monkeypatch.setattr(terminal, "out", console)


def lines_of(text: str, width: int) -> Sequence[str]:
    lines = text.split("\n")
    assert max(map(len, lines)) <= width, max(lines, key=len)
    return lines


# -- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [80, 140])
def test_the_open_buns_fit_the_terminal_in_every_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str, width: int
) -> None:
    where, store = house(languages=(language,)), kept(tmp_path, [*WEEK, LONG])
    on_a_terminal(monkeypatch, width)
    print_status(store.open_leads(), where, store, TEMPLATES, NOW)
    told = capsys.readouterr().out
    lines_of(told, width)
    words = TEMPLATES.words(f"{language}/_pages")
    flat = re.sub(r"\s+", "", told)
    for each in (words["tray"]["owner"], words["statuses"]["contested"], words["timers"]["decide"], "COBOL", "dough"):
        assert "".join(each.split()[:1]) in flat, each
    assert not re.search(r"\x1b", told)


def test_an_empty_column_takes_no_room(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    on_a_terminal(monkeypatch, 80)
    print_table((Column("one"), Column("two"), Column("three")), [("a", "", "c"), ("d", "", "f")])
    assert "two" not in capsys.readouterr().out


def test_in_a_pipe_a_row_is_a_line_with_tabs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, store = house(), kept(tmp_path, [lead(1, 1, subject=HOSTILE)])
    print_status(store.open_leads(), where, store, TEMPLATES, NOW)
    assert capsys.readouterr().out.split("\t")[:4] == [
        *("1", "[bold]Rust[/] [31mreviewer wanted {{ 7 }}", "on offer, fresh", "Di Gren")
    ]


def test_a_bun_is_told_with_its_history_in_the_collectives_language(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    where, store = house(languages=("sv",)), kept(tmp_path, [LONG])
    print_bun(LONG, where, store, TEMPLATES, NOW)
    piped = capsys.readouterr().out.splitlines()
    assert piped[0] == f"BUN 40: {LONG.subject}"
    assert "2026-03-15 09:00  routern: torr – två arbetsdagar, och ingen har anmält sig" in piped
    on_a_terminal(monkeypatch, 80)
    print_bun(LONG, where, store, TEMPLATES, NOW)
    lines = lines_of(capsys.readouterr().out, 80)
    (note,) = (at for at, line in enumerate(lines) if "driften, för Bo Ek: noterar" in line)
    assert lines[note + 1].startswith(" " * 18 + "own a word"), "what follows is set in"


def test_nothing_from_outside_is_markup_or_an_escape_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bun = lead(1, 1, subject=HOSTILE, client_name=HOSTILE, events=(Event(NOW, HOSTILE, HOSTILE, HOSTILE),))
    where, store = house(), kept(tmp_path, [bun])
    for width in (0, 80):
        if width:
            on_a_terminal(monkeypatch, width)
        print_bun(bun, where, store, TEMPLATES, NOW)
        told = capsys.readouterr().out
        assert "[bold]Rust[/] [31mreviewer wanted {{ 7 }}" in told
        assert "\x1b" not in told and "\x07" not in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_is_tables_on_a_terminal_and_text_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    where, books = house(languages=(language,)), Books([*LEADS, replace(LEADS[0], id=90, opened=days_ago(33))])
    found = report(where, books, world(books, where), NOW)
    words = TEMPLATES.words(f"{language}/_pages")["t"]
    print_report(found, where, TEMPLATES)
    assert f"{words['demand']}" in capsys.readouterr().out
    on_a_terminal(monkeypatch, 80)
    print_report(found, where, TEMPLATES)
    told = capsys.readouterr().out
    lines_of(told, 80)
    for each in ("happened", "response", "demand", "unserved", "seen", "sources", "bottom"):
        assert words[each][:20] in told, each
    assert "██" in told and "2026-03" in told


# -- bars ------------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_bar_shows_only_what_takes_longer_than_two_seconds() -> None:
    file, clock = io.StringIO(), Clock()
    shown = Bars(Console(file=file, force_terminal=True, width=80), clock)
    with progress.listening(shown.hear):
        for at in progress.walk("indexing the leads", range(400), 400):
            clock.now = 1.9 * at / 400
        assert file.getvalue() == "", "short work is nobody's business"
        for at in progress.walk("reading mail", range(400), 400):
            clock.now = at / 10
            if at == 300:
                assert "reading mail" in file.getvalue()
        shown.close()
    assert "400/400" not in file.getvalue().split("reading mail")[0]
    progress.tell("nobody listens any more", 1, 2)


def test_a_walk_that_is_left_early_leaves_no_bar() -> None:
    heard: list[tuple[str, int, int]] = []
    with progress.listening(lambda *told: heard.append(told)):
        for item in progress.walk("leads", "abcdef", 6):
            if item == "c":
                break
    assert heard[:2] == [("leads", 1, 6), ("leads", 2, 6)]
    assert heard[-1] == ("leads", 6, 6)


def test_opening_and_walking_a_store_say_how_far_they_are(tmp_path: Path) -> None:
    store = Store(tmp_path / "buns.json")
    store.stage(Decision("test", leads=tuple(lead(n, 1) for n in range(1, 300))), now=NOW)
    store.flush()
    store.close()
    heard: dict[str, list[tuple[int, int]]] = {}
    with progress.listening(lambda what, done, total: heard.setdefault(what, []).append((done, total))):
        store = Store(tmp_path / "buns.json")
        assert sum(1 for _ in store.leads()) == 299
        store.close()
    size = (tmp_path / "buns.json.journal").stat().st_size
    assert heard["reading buns.json.journal"][-1] == (size, size)
    assert heard["indexing the leads"][-1] == heard["looking through the leads"][-1] == (299, 299)
    assert all(done <= total for told in heard.values() for done, total in told)
    assert [done for done, _ in heard["indexing the leads"]] == sorted(done for done, _ in heard["indexing the leads"])


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL + '[store]\npath = "buns.json"\n', "utf-8")
    return path


def _keep(config: Path, *leads: Lead) -> None:
    office = open_office(load(config))
    office.store.stage(Decision("test", leads=leads), now=NOW)
    office.store.flush()
    office.store.close()


def test_what_is_not_done_is_an_error_with_its_reason(config: Path) -> None:
    _keep(config, lead(1, 1, owner="anna"))
    settings = load(config)
    for request, why in (
        ({"do": "say", "lead": 9, "words": "mine", "as": "anna"}, "there is no bun 9"),
        ({"do": "say", "lead": 1, "words": "mine", "as": "zoe"}, "nobody on the roster has the key 'zoe'"),
        ({"do": "say", "lead": 1, "words": "dance", "as": "anna"}, "“dance” is none of the words that work"),
        ({"do": "drop", "number": 3}, "there is no mail 3 in quarantine"),
        ({"do": "sing"}, "unknown request 'sing'"),
    ):
        with pytest.raises(Sorry, match=re.escape(why)) as caught:
            ask_daemon(settings, request)
        assert caught.value.status == 1
    assert not isinstance(ask_daemon(settings, {"do": "say", "lead": 1, "words": "mine", "as": "anna"}), NotDone)


def test_a_typed_word_is_answered_as_by_mail(config: Path) -> None:
    """No code of the protocol reaches the screen: what was understood, when it takes effect, or why it was refused."""
    wanted = lead(3, 1, owner="anna", claims=(Claim("bo", NOW, "mine"),))
    taken = lead(2, 1, owner="anna", status=Status.TAKEN, team=("anna",), taken_at=NOW)
    _keep(config, lead(1, 1, owner="anna"), taken, wanted)
    settings = load(config)

    def say(number: int, words: str) -> str:
        try:
            return ask_daemon(settings, {"do": "say", "lead": number, "words": words, "as": "anna"})
        except Sorry as sorry:
            assert sorry.status == 1
            return f"sorry: {sorry}"

    unclear = say(1, "dance")
    assert unclear.startswith("sorry: “dance” is none of the words that work, so nothing has changed.")
    assert "  mine – you would like to take it" in unclear.splitlines()
    assert "Noted: you would like it" in say(1, "mine")
    refused = say(3, "throw")
    assert refused.startswith("sorry: ") and "not possible while somebody wants it" in refused
    assert "claims-stand" not in refused
    eaten = say(2, "eaten")
    assert "It is closed" in eaten and "undo" in eaten, "it says when the word takes effect"
    assert say(2, "note call them on Monday") == "bun 2: notes – call them on Monday"


# -- the store's files -----------------------------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    """What `bun-router WORDS…` ends with, and what it says."""
    monkeypatch.setattr(sys, "argv", ["bun-router", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_a_lost_key_stops_what_writes_until_somebody_decides(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new key made in silence would take every answer to an older mail for a stranger's."""
    _keep(config, lead(1, 1, owner="anna"))
    settings, key = load(config), config.with_name("buns.json.key")
    old = key.read_bytes()
    key.unlink()
    lost = f"holds leads (1), but its key {key} is missing; restore it from the backup"
    found = {check.name: check for check in run_checks(settings)}
    assert not found["key"].fine and lost in found["key"].says
    for words in (("run", "--once"), ("do", "1", "mine", "--as", "anna"), ("digest", "--send")):
        monkeypatch.setenv("BUNS_PASSWORD", "secret")
        status, _, said = command(capsys, monkeypatch, *words, "--config", str(config))
        assert status == 1 and lost in said and said.count("\n") == 1, said
        assert not key.exists()
    assert command(capsys, monkeypatch, "status", "--config", str(config))[0] == 0, "looking needs no key"
    status, said, _ = command(capsys, monkeypatch, "store", "new-key", "--config", str(config))
    assert status == 0 and "Lost with the old one" in said
    assert key.read_bytes() != old and key.stat().st_mode & 0o777 == 0o600
    assert command(capsys, monkeypatch, "do", "1", "mine", "--as", "anna", "--config", str(config))[0] == 0
    made = key.read_bytes()
    status, _, said = command(capsys, monkeypatch, "store", "new-key", "--config", str(config))
    assert status == 1 and "nothing was changed" in said and key.read_bytes() == made


def test_a_repair_says_in_words_what_it_kept_and_dropped(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep(config, lead(1, 1))
    status, said, _ = command(capsys, monkeypatch, "store", "repair", "--config", str(config))
    assert status == 0 and said.startswith("The store is whole, nothing was changed: ")
    journal = config.with_name("buns.json.journal")
    content = bytearray(journal.read_bytes())
    content[-20] ^= 1
    journal.write_bytes(content + content)
    status, said, _ = command(capsys, monkeypatch, "store", "repair", "--config", str(config))
    lines = said.splitlines()
    assert status == 0 and re.fullmatch(r"\d+ documents kept \(.*\); \d+ pieces? dropped:", lines[0])
    assert any(line.startswith("  buns.json.journal: ") for line in lines)
    assert any(line.endswith("buns.json.journal.damaged-1") for line in lines)
    assert "RepairReport" not in said


# -- what is typed wrongly -------------------------------------------------------------------------------------------


def test_what_cannot_be_opened_ends_with_status_1(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = config.with_name("a.eml")
    mail.write_bytes(b"From: a@b.example\r\nSubject: x\r\n\r\nHello\r\n")
    named = ("--config", str(config))
    assert command(capsys, monkeypatch, "explain", str(mail), *named)[0] == 0
    status, said, _ = command(capsys, monkeypatch, "explain", str(mail), "nosuch.eml", *named)
    assert status == 1 and "No such file" in said and "a@b.example" in said
    status, said, _ = command(capsys, monkeypatch, "explain", str(config.parent), *named)
    assert status == 1 and "it is a folder; name the mails in it" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "x"), "“x” is no number"),
        (("status", "--config", "nowhere.toml"), "nowhere.toml: cannot be read: No such file or directory; "),
        (("--config", "nowhere.toml", "status"), '"bun-router init --config nowhere.toml" writes one'),
        (("status", "--config", "bad.toml"), "bad.toml: is not TOML: "),
        (("status", "--config", "."), "name the file in it, as in --config config.toml"),
    ],
)
def test_what_is_typed_wrongly_is_one_plain_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("x =")
    status, _, told = command(capsys, monkeypatch, *words)
    assert status == 2 and said in told and told.count("\n") == 1, told
    assert told.count(words[-1]) <= 2


def test_the_configuration_may_be_named_before_the_command_and_the_version_be_asked_as_an_option(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _keep(config, lead(1, 1))
    for words in (("status",), ("quarantine",), ("quarantine", "list")):
        before = command(capsys, monkeypatch, "--config", str(config), *words)
        assert before[0] == 0 and before[1] == command(capsys, monkeypatch, *words, "--config", str(config))[1]
    assert command(capsys, monkeypatch, "quarantine", "--json", "--config", str(config))[1] == "[]\n"
    assert command(capsys, monkeypatch, "--version")[:2] == command(capsys, monkeypatch, "version")[:2]


def test_the_close_of_an_open_window_is_what_comes_next(tmp_path: Path) -> None:
    at = NOW + timedelta(hours=5)
    assert lead(1, 1, timers={"cool": at, "window": at}).next_timer == "window"
    assert lead(1, 1, timers={"cool": at, "undo": NOW, "window": at}).next_timer == "undo"
    assert lead(1, 1, timers={"cool": at}).next_timer == "cool"
    held = lead(1, 1, timers={"cool": at, "window": at}, hold_until=at + timedelta(hours=1))
    assert held.next_timer == "window", "no second call before the window has closed"


def test_the_real_command_on_a_real_terminal_of_80_columns(config: Path) -> None:
    _keep(config, replace(LONG, owner="anna"))
    command = [sys.executable, "-m", "router", "status", "--config", str(config)]
    mine, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(mine, 65536):
                said += part
        except OSError:  # how Linux says that the other end has been closed
            pass
        os.close(mine)
    assert process.returncode == 0, said
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said.decode())
    assert "Subject" in plain and "lagersystem" in plain
    assert max(map(len, plain.splitlines())) <= 80


def test_what_is_printed_can_be_had_as_json(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _keep(config, lead(1, 1, owner="anna"))
    here, page = ("--json", "--config", str(config)), tmp_path / "tray.html"

    def found(*words: str) -> Any:
        status, out, _ = command(capsys, monkeypatch, *words)
        assert status == 0
        return json.loads(out)

    assert found("tray", "--out", str(page), *here) == {"page": str(page), "open": 1, "leads": 1}
    assert page.exists()
    assert found("store", "repair", *here)["dropped"] == []
    assert [each["id"] for each in found("status", *here)] == [1]
    assert found("show", "1", *here)["id"] == 1
    assert found("quarantine", *here) == []
    assert found("digest", *here) and found("report", *here) and found("export", "leads", *here)
