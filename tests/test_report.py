"""The business developer's report: demand, the unserved, known clients."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from router.compose import LANGUAGES
from router.lead import Event, Lead, Status
from router.report import (
    Report,
    blocks,
    company_of,
    csv_rows,
    guard_cell,
    monthly_mail,
    plain_json,
    report,
    report_html,
    report_text,
)
from tests.markup import check_mail
from tests.test_digest import NOW, TEMPLATES, Books, days_ago, house, lead, world

LEADS = (
    lead(1, 5, skills=("Rust",)),
    lead(2, 6, Status.EATEN, "bo", team=("bo",), skills=("Rust", "data"), taken_at=days_ago(5), ended_at=days_ago(1)),
    lead(3, 40, Status.THROWN, skills=("SAP",), ended_at=days_ago(36), ended_as="dry", stage=""),
    lead(4, 41, Status.THROWN, "anna", taken_at=days_ago(39), ended_at=days_ago(30), ended_as="lost", team=("anna",)),
    lead(5, 42, Status.THROWN, ended_at=days_ago(41), ended_as="thrown", subject="=SUM(A1)", source="form"),
    lead(6, 70, Status.EATEN, "cy", team=("cy", "bo"), taken_at=days_ago(69), ended_at=days_ago(20), source="post"),
    lead(7, 500, Status.EATEN, "anna", team=("anna",), taken_at=days_ago(499), ended_at=days_ago(450)),
)


def found(*leads: Lead, months: int = 12, language: str = "") -> Report:
    books = Books(leads or LEADS)
    return report(house(), books, world(books), NOW, language, months)


def test_demand_is_counted_by_skill_and_month() -> None:
    demand = {each.skill: each for each in found().demand}
    assert (demand["Rust"].total, demand["Rust"].served, demand["Rust"].thrown) == (2, 1, 0)
    assert demand["Rust"].by_month[-1] == 2
    assert (demand["SAP"].total, demand["SAP"].thrown, demand["SAP"].by_month[-2]) == (1, 1, 1)
    assert found().demand[-1].skill == "", "what names no skill comes last"


def test_demand_over_time_is_a_line_of_blocks() -> None:
    assert blocks((0, 1, 4, 8, 16, 0)) == "▁▂▃▅█▁"
    assert blocks(()) == ""
    assert blocks((0, 0)) == "▁▁"
    rust = next(each for each in found().demand if each.skill == "Rust")
    assert rust.trend == "▁▁▁▁▁▁▁▁▁▁▁█"
    html = report_html(found(), house(), TEMPLATES)
    assert 'aria-label="month by month: 0 0 0 0 0 0 0 0 0 0 0 2"' in html, "told to those who hear it"


def test_the_unserved_are_those_thrown_away_that_nobody_ever_took() -> None:
    assert [(each.tag, each.why) for each in found().unserved] == [("[BUN 3]", "dry"), ("[BUN 5]", "thrown")]


def test_months_count_what_came_in_them_and_what_became_of_it() -> None:
    months = {month.month: month for month in found().months}
    assert next(iter(months)) == "2025-04"
    assert list(months)[-1] == "2026-03"
    assert (months["2026-03"].came, months["2026-03"].eaten, months["2026-03"].open) == (2, 1, 1)
    assert (months["2026-02"].came, months["2026-02"].thrown, months["2026-02"].lost) == (3, 2, 1)
    assert months["2026-03"].to_owner.count == 1


def test_dry_is_what_went_dry_at_some_time_even_when_it_was_eaten_later() -> None:
    events = (Event(days_ago(4), "dry", "router"),)
    month = found(replace(LEADS[1], events=events), LEADS[0]).months[-1]
    assert (month.offered, month.dry, month.eaten) == (2, 1, 1)


def test_known_clients_are_found_by_company_with_the_colleagues_who_know_them() -> None:
    """Also when the earlier request is older than the report; never by a provider of free mail."""
    leads = (
        replace(LEADS[0], client="jo@acme.example"),
        replace(LEADS[6], client="maria@acme.example"),
        replace(LEADS[1], client="x@gmail.com"),
        replace(LEADS[3], client="y@gmail.com"),
    )
    (client,) = found(*leads).clients
    assert (client.company, client.requests, client.people, client.by) == ("acme.example", 2, 2, ("Anna Berg",))
    assert company_of("X@Gmail.com") == "x@gmail.com"
    assert company_of("-") == ""


def test_sources_join_what_colleagues_bring() -> None:
    assert {each.source: each.total for each in found().sources} == {"mail": 4, "form": 1, "forward": 1}


def test_the_months_mail_covers_whole_months_and_goes_to_the_business_developer() -> None:
    where, books = house(business_developer="cy"), Books(LEADS)
    ((mail, _),) = monthly_mail(where, books, world(books, where), NOW, TEMPLATES).mails
    assert mail.to == "@cy"
    assert [month.month for month in mail.facts["report"].months][-1] == "2026-02"
    assert mail.facts["report"].until.isoformat() == "2026-02-28"
    books = Books()
    assert monthly_mail(house(), books, world(books), NOW).mails[0][0].to == "@di", "else to the keeper"


def test_csv_is_one_long_table_without_formulas() -> None:
    file = io.StringIO()
    csv.writer(file).writerows(csv_rows(found()))
    rows = list(csv.reader(io.StringIO(file.getvalue())))
    assert rows[0] == ["section", "name", "month", "figure", "value"]
    assert {len(row) for row in rows} == {5}
    assert ["unserved", "[BUN 5]", "2026-02", "thrown", "'=SUM(A1)"] in rows
    assert ["demand", "Rust", "2026-03", "asked", "2"] in rows


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "=HYPERLINK(1)"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert guard_cell(cell)[0] == "'"


@pytest.mark.parametrize("cell", ["-3", "4.5", "a=b", "2026-03-01", ""])
def test_plain_cells_stay_as_they_are(cell: str) -> None:
    assert guard_cell(cell) == cell


def test_json_is_plain_and_dates_are_iso() -> None:
    doc = json.loads(json.dumps(plain_json(found())))
    assert (doc["until"], doc["total"], doc["months"][-1]["came"]) == ("2026-03-16", 6, 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_whole_report_as_text_and_as_page(language: str) -> None:
    of = found(*LEADS, replace(LEADS[0], id=9, client=LEADS[1].client), language=language)
    text, html = report_text(of, house(), TEMPLATES), report_html(of, house(), TEMPLATES)
    for each in ("Rust", "=SUM(A1)", "acme2.example"):
        assert each in text
        assert each in html
    assert f'lang="{language}"' in html
    assert language == "en" or "What nobody" not in text + html
    check_mail(html)


def test_a_time_without_requests_is_said_so() -> None:
    books = Books()
    empty = report(house(), books, world(books), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=3))
    assert "No requests in this time." in report_text(empty, house(), TEMPLATES)
    assert "No requests in this time." in report_html(empty, house(), TEMPLATES)
