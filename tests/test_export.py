"""Export: columns as documented, nothing that a spreadsheet runs, deadlines for a calendar."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from router.decision import Decision
from router.export import TABLES, export_csv, export_ics, export_json
from router.lead import Claim, Pass
from router.store import Store
from tests.test_digest import NOW, days_ago, house, lead

DOCS = Path(__file__).parent.parent / "docs" / "export.md"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    one = lead(
        1,
        2,
        subject='=cmd|" /C calc"!A0\r\nx, y;z ' + "ö" * 60,
        claims=(Claim("anna", days_ago(1), "+mine"),),
        passes=(Pass("bo", days_ago(1)),),
        timers={"window": NOW + timedelta(hours=5), "promise": NOW},
        skills=("Rust", "data"),
    )
    store = Store(tmp_path / "store.json")
    store.stage(Decision("test", leads=(one, replace(one, id=2, claims=(), timers={}))), now=NOW)
    store.flush()
    return store


@pytest.mark.parametrize("what", TABLES)
def test_csv_has_the_documented_columns_and_no_formula(store: Store, what: str) -> None:
    file = io.StringIO(newline="")
    count = export_csv(store, what, file)
    rows = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert tuple(rows[0]) == TABLES[what][0]
    assert len(rows) == count + 1
    assert file.getvalue().count("\r\n") == count + 1
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "@", "-")]


@pytest.mark.parametrize("what", TABLES)
def test_json_rows_have_the_same_columns_and_the_bare_text(store: Store, what: str) -> None:
    file = io.StringIO()
    count = export_json(store, what, file)
    rows = json.loads(file.getvalue())
    assert len(rows) == count
    assert all(tuple(row) == TABLES[what][0] for row in rows)
    if what == "leads":
        assert rows[0]["subject"].startswith("=cmd")
        assert rows[0]["skills"] == ["Rust", "data"]


@pytest.mark.parametrize("what", TABLES)
def test_every_column_stands_in_the_documentation(what: str) -> None:
    section = DOCS.read_text().partition(f"\n## {what}\n")[2].partition("\n## ")[0]
    assert not [column for column in TABLES[what][0] if f"`{column}`" not in section]


def test_an_empty_store_gives_a_header_and_an_empty_list(tmp_path: Path) -> None:
    store, file, plain = Store(tmp_path / "s.json"), io.StringIO(), io.StringIO()
    assert (export_csv(store, "claims", file), file.getvalue()) == (0, "lead,who,at,state,line\r\n")
    export_json(store, "claims", plain)
    assert json.loads(plain.getvalue()) == []


def test_claims_and_passes_are_rows_in_server_time(store: Store) -> None:
    file = io.StringIO()
    export_json(store, "claims", file)
    states = [(row["lead"], row["who"], row["state"], row["at"]) for row in json.loads(file.getvalue())]
    assert states[:2] == [(1, "anna", "standing", "2026-03-15T08:00:00Z"), (1, "bo", "passed", "2026-03-15T08:00:00Z")]


def test_deadlines_become_calendar_events(store: Store) -> None:
    """RFC 5545: CR LF, lines of at most 75 octets, text escaped; promises to clients are the router's own business."""
    file = io.StringIO(newline="")
    assert export_ics(store, house(), {"window": "the window closes"}, NOW, file) == 1
    text = file.getvalue()
    assert text.startswith("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n")
    assert text.endswith("END:VCALENDAR\r\n")
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    unfolded = text.replace("\r\n ", "")
    assert "DTSTART:20260316T130000Z\r\n" in unfolded
    assert "UID:1-window@bunhouse.example\r\n" in unfolded
    summary = re.search(r"SUMMARY:(.*)\r\n", unfolded)
    assert summary
    assert "x\\, y\\;z" in summary[1]
    assert summary[1].endswith("window closes")
