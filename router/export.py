"""Export: leads, claims and events for spreadsheets and programs, and open deadlines for calendars.

Job: write the store's leads as CSV, JSON or iCalendar into an open file, one lead at a time. docs/export.md describes
each column. Shell: it reads the store; nothing is changed.

Invariants: columns are only ever added at the end; moments are ISO 8601 in UTC; no cell can be taken for a formula
(CSV only); the memory needed does not grow with the store.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from router.house import House
from router.lead import Lead, stamp
from router.marks import clean_line
from router.report import ended_as, guard_cell
from router.store import Store

Row = dict[str, Any]


def _at(moment: datetime | None) -> str:
    return stamp(moment) if moment else ""


def _lead_rows(lead: Lead) -> Iterator[Row]:
    yield {
        "id": lead.id,
        "subject": lead.subject,
        "status": str(lead.status),
        "ended_as": "answered" if lead.ended_as == "answered" else ended_as(lead),
        "owner": lead.owner,
        "team": list(lead.team),
        "client": lead.client,
        "client_name": lead.client_name,
        "language": lead.language,
        "source": lead.source,
        "skills": list(lead.skills),
        "opened": _at(lead.opened),
        "offered": _at(lead.offered_at),
        "closed": _at(lead.closed_at),
        "taken": _at(lead.taken_at),
        "ended": _at(lead.ended_at),
        "client_heard": _at(lead.warmed_at),
        "due": _at(lead.due if lead.is_open else None),
        "urgent": lead.urgent,
        "claims": len(lead.claims),
        "passes": len(lead.passes),
        "linked": list(lead.linked),
    }


def _claim_rows(lead: Lead) -> Iterator[Row]:
    for claim in lead.claims:
        yield {"lead": lead.id, "who": claim.who, "at": _at(claim.at), "state": claim.state, "line": claim.line}
    for each in lead.passes:
        yield {"lead": lead.id, "who": each.who, "at": _at(each.at), "state": "passed", "line": ""}


def _event_rows(lead: Lead) -> Iterator[Row]:
    for event in lead.events:
        yield {"lead": lead.id, "at": _at(event.at), "who": event.who, "what": event.what, "why": event.why}


TABLES: Mapping[str, tuple[tuple[str, ...], Callable[[Lead], Iterable[Row]]]] = {
    "leads": (
        (
            *("id", "subject", "status", "ended_as", "owner", "team", "client", "client_name", "language", "source"),
            *("skills", "opened", "offered", "closed", "taken", "ended", "client_heard", "due", "urgent"),
            *("claims", "passes", "linked"),
        ),
        _lead_rows,
    ),
    "claims": (("lead", "who", "at", "state", "line"), _claim_rows),
    "events": (("lead", "at", "who", "what", "why"), _event_rows),
}


def export_csv(store: Store, what: str, file: TextIO) -> int:
    """Write a table as CSV (RFC 4180, a header first); answers the number of rows. Raises KeyError, OSError."""
    columns, rows_of = TABLES[what]
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(columns)
    count = 0
    for lead in store.leads():
        for row in rows_of(lead):
            writer.writerow([_cell(row[name]) for name in columns])
            count += 1
    return count


def _cell(value: Any) -> str:
    if isinstance(value, list):
        value = " ".join(map(str, value)) if all(isinstance(each, int) for each in value) else ", ".join(value)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return guard_cell(value)


def export_json(store: Store, what: str, file: TextIO) -> int:
    """Write a table as a JSON list of objects, one a line; answers their number. Raises KeyError, OSError."""
    _, rows_of = TABLES[what]
    count = 0
    file.write("[")
    for lead in store.leads():
        for row in rows_of(lead):
            file.write((",\n " if count else "\n ") + json.dumps(row, ensure_ascii=False))
            count += 1
    file.write("\n]\n" if count else "]\n")
    return count


# -- iCalendar (RFC 5545) --------------------------------------------------------------------------------------------

# What happens next to a bun, as far as people plan by it; promises to clients are the router's own business.
PLANNED = ("window", "cool", "dry", "decide", "last-call", "mediate", "fallback", "nudge", "silent", "dough")


def export_ics(store: Store, house: House, words: Mapping[str, str], now: datetime, file: TextIO) -> int:
    """Write the open buns' deadlines as events without duration; answers their number. Raises OSError.

    `words`: what each timer is called (`timers` in <lang>/_pages).
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//Bun Router//{_ics_text(house.domain)}//EN"]
    count = 0
    for lead in sorted(store.open_leads(), key=lambda lead: lead.id):
        for timer, at in sorted(lead.timers.items()):
            if timer in PLANNED:
                lines += _ics_event(lead, timer, words.get(timer, timer), at, house, now)
                count += 1
    for line in [*lines, "END:VCALENDAR"]:
        file.write(_fold(line) + "\r\n")
    return count


def _ics_event(lead: Lead, timer: str, said: str, at: datetime, house: House, now: datetime) -> list[str]:
    summary = f"[{house.words['BUN']} {lead.id}] {clean_line(lead.subject)}: {said}"
    return [
        "BEGIN:VEVENT",
        f"UID:{lead.id}-{timer}@{house.domain}",
        f"DTSTAMP:{_ics_moment(now)}",
        f"DTSTART:{_ics_moment(at)}",
        f"SUMMARY:{_ics_text(summary)}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _ics_moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _ics_text(text: str) -> str:
    """RFC 5545 §3.3.11: backslash, semicolon and comma are escaped; there are no line breaks left."""
    line = clean_line(text)
    return line.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")


def _fold(line: str) -> str:
    """RFC 5545 §3.1: at most 75 octets a line; a character is never cut."""
    out, width = [""], 75
    for character in line:
        if len((out[-1] + character).encode()) > width:
            out.append("")
            width = 74
        out[-1] += character
    return "\r\n ".join(out)
