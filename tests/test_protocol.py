"""The table of a bun's life: what stands in the README, what the code does, and what the dialogues show."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router import protocol
from router.lead import Lead, Pending, Status, from_doc, stamp, to_doc
from router.protocol.table import _BY_CUE, ROWS, SECTIONS, life_table
from router.turn import Turn
from tests.dialogue import Play, Reader, read_dialogue
from tests.test_dialogues import DIALOGUES

ROOT = Path(__file__).parent.parent
# What people may say; every one of them has a row in every status, or is refused in words.
SPOKEN = (
    "claim pass yield release award offer with join together warm send throw last-call eaten lost withdrawn note "
    "cookie dough bun urgent up undo"
)
NEVER_MET = {"no_longer_matters"}  # cues that nobody gives to an ended lead; were one given, it would change nothing


def test_the_readme_shows_the_table_that_the_code_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- life table: begin -->\n(.*?)<!-- life table: end -->", readme, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == life_table().strip(), "run: python -m tests.test_protocol"


def test_a_cue_in_a_status_has_one_row_that_always_fits_at_most_and_it_is_the_last() -> None:
    for key, rows in _BY_CUE.items():
        always = [row.act.__name__ for row in rows if row.when is None]
        assert len(always) <= 1, f"{key}: {always}"
        assert all(row.when is not None for row in rows[:-1]), key


def test_each_row_stands_in_a_known_section_and_says_what_happens() -> None:
    for row in ROWS:
        assert row.section in (*SECTIONS, "")
        assert bool(row.says) == bool(row.section)
        assert row.act.__doc__ or row.section or row.act.__name__ != "<lambda>"


@pytest.mark.parametrize("status", list(Status))
def test_every_word_in_every_status_acts_or_is_refused_in_words(status: Status, tmp_path: Path) -> None:
    """Nothing that a colleague says is met with silence, but for what the table leaves silent."""
    play = Play(tmp_path)
    office = play.open()
    Reader(play)._act("acme -> hello: Rust review | Can one of you review our Rust code next week?", 1)
    lead = office.store.lead(1)
    assert lead is not None
    ended = play.now if status in (Status.EATEN, Status.THROWN, Status.COOKIE) else None
    team = ("bo",) if status == Status.TAKEN else ()
    taken = play.now if team else None
    lead = replace(lead, status=status, ended_at=ended, owner="bo" if team else "kim", team=team, taken_at=taken)
    for verb in SPOKEN.split():
        for who in ("bo", "kim"):
            cue = protocol.Cue(verb, play.now, who=who, line=verb, named=("anna",))
            outcome = protocol.advance(lead, cue, office.world())
            assert outcome.mails or outcome.lead.events != lead.events or outcome.lead != lead, f"{verb} by {who}"
            assert outcome.lead.owner in play.members


def test_every_row_of_the_table_acts_in_some_dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that no dialogue shows is a promise that nobody has seen kept."""
    acted: set[str] = set()
    found = protocol.table.find_row

    def watched(turn: Turn) -> protocol.Row | None:
        row = found(turn)
        if row is not None:
            acted.add(row.act.__name__)
            if row.says:
                acted.add(row.says)
        return row

    monkeypatch.setattr(protocol.table, "find_row", watched)
    for path in DIALOGUES:
        folder = tmp_path / path.stem
        folder.mkdir()
        _, steps = read_dialogue(path.read_text(encoding="utf-8"))
        Reader(Play(folder)).run(steps)
    shown = defaultdict(list)
    for row in ROWS:
        if row.says and row.cues and row.says not in acted:
            shown[row.section].append(row.says)
        elif row.cues and row.act.__name__ not in acted | NEVER_MET:
            shown[row.act.__name__] += row.cues
    assert not shown


def test_a_report_that_the_owner_cannot_be_reached_is_no_word_from_the_owner(tmp_path: Path) -> None:
    play = Play(tmp_path)
    office = play.open()
    lead = Lead(1, "Rust", Status.TAKEN, "bo", play.now, team=("bo",), taken_at=play.now, keeper_may_release=True)
    for name in ("unreachable", "accepted:handover-owner", "failed:handover-owner", "due:nudge"):
        after = protocol.advance(lead, protocol.Cue(name, play.now, who="bo"), office.world()).lead
        assert after.word_at is None, name
        assert after.keeper_may_release, name


def test_a_store_with_one_waiting_word_opens_with_a_queue_of_one(tmp_path: Path) -> None:
    now = Play(tmp_path).now
    lead = Lead(1, "Rust", Status.OFFERED, "kim", now, timers={"undo": now})
    word = {"verb": "throw", "who": "kim", "line": "throw", "at": stamp(now)}
    read = from_doc({**to_doc(lead), "pending": word})
    assert read.pending == (Pending("throw", "kim", "throw", at=now),)
    assert from_doc(to_doc(read)) == read


def test_a_store_with_a_field_that_is_no_more_opens() -> None:
    lead = Lead(1, "Rust", Status.THROWN, "kim", datetime(2026, 3, 2, 8, tzinfo=UTC))
    assert from_doc({**to_doc(lead), "reopen_asked": True}) == lead


def write_readme() -> None:
    """Put the table into the README: `python -m tests.test_protocol`."""
    path = ROOT / "README.md"
    readme = path.read_text(encoding="utf-8")
    begin, end = "<!-- life table: begin -->\n", "<!-- life table: end -->"
    head, _, rest = readme.partition(begin)
    path.write_text(head + begin + life_table().strip() + "\n" + end + rest.partition(end)[2], encoding="utf-8")


if __name__ == "__main__":
    write_readme()
