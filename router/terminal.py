"""What the commands print for people.

Job: tables that survive 80 columns on a terminal, plain lines where nobody looks, and a bar for whatever takes longer
than two seconds. What is told of buns is told as in the mails, in the collective's first language; commands, options
and faults are in English. Shell: rich prints.

Invariants: standard output holds only the answer, so that it can be piped; bars go to standard error, and only to a
terminal; nothing from outside is taken for rich's markup or for an escape sequence.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from router import progress
from router.compose import Templates
from router.digest import Times, freshness
from router.history import tongue_of
from router.house import House
from router.journal import RepairReport
from router.lead import Lead, Status
from router.marks import clean_line
from router.people import build_world
from router.report import Report, report_text
from router.store import Store
from router.turn import World

PATIENCE = 2.0  # seconds of work that nobody need see
BAR = 12  # cells of the longest bar in a table
MARKED = {"ok": "[green]ok[/]   ", "wrong": "[red]WRONG[/]"}

out = Console(highlight=False, soft_wrap=False)
nothing = Console(quiet=True)  # for what is not to be seen


# -- tables ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A `wide` one gives way and wraps when room is short; the others keep their words on one line."""

    name: str
    wide: bool = False
    number: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """On a terminal a table that fits it, without its empty columns; else one row a line, with tabs between."""
    if not out.is_terminal:
        for row in rows:
            print("\t".join(clean_line(cell, 10_000) for cell in row))
        return
    if title:
        out.print(Text(title, style="bold"))
    table = Table(box=None, pad_edge=False, header_style="dim" if title else "bold")
    used = [at for at in range(len(columns)) if any(row[at] for row in rows)] or range(len(columns))
    for column in (columns[at] for at in used):
        table.add_column(
            Text(column.name),
            justify="right" if column.number else "left",
            overflow="fold" if column.wide else "ellipsis",
            no_wrap=not column.wide,
        )
    for row in rows:
        table.add_row(*(Text(clean_line(row[at], 10_000)) for at in used))
    out.print(table)
    if title:
        out.print()


def print_checked(name: str, fine: bool, says: str) -> None:
    """One line of `check`; on a terminal what is wrong catches the eye."""
    out.print(f"{MARKED['ok' if fine else 'wrong']} {escape(name)}: {escape(clean_line(says, 2000))}", soft_wrap=True)


def print_explained(answer: Mapping[str, Any]) -> None:
    """How one mail would be read."""
    out.print(f"[bold]{escape(answer['file'])}[/]", soft_wrap=True)
    for name in ("kind", "reason", "sender", "subject", "client", "client_subject", "lead"):
        if answer[name]:
            print_fact(name.replace("_", " "), str(answer[name]), 2)
    command = answer["command"]
    if command:
        more = ", ".join(f"{k} {v}" for k, v in command.items() if k not in ("verb", "line"))
        print_fact("command", f"{command['verb']}, read from “{command['line']}” {more}", 2)
    if answer["text"]:
        out.print("  new text:")
        for line in answer["text"].splitlines()[:30]:
            print_hanging(f"    {clean_line(line, 10_000)}", 4)


def print_fact(label: str, value: str, indent: int = 0) -> None:
    print_hanging(f"{' ' * indent}{label + ':':<15} {clean_line(value, 10_000)}", indent + 16)


def print_hanging(line: str, indent: int, style: str = "") -> None:
    """One line; on a terminal wrapped at words, with what follows set in by `indent`."""
    if not out.is_terminal:
        print(line)
    elif not indent:
        out.print(Text(line, style))
    else:
        print_wrapped(out, Text(line[indent:], style), Text(line[:indent], style), indent)


def print_wrapped(console: Console, text: Text, head: Text, indent: int) -> None:
    """`text` behind `head`, its further lines set in by `indent`, so that none begins at the margin."""
    grid = Table.grid()
    grid.add_column(width=indent)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_row(head, text)
    console.print(grid)


# -- buns ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Speech:
    """The collective's language, for what is told of buns."""

    language: str
    words: Mapping[str, Any]  # the tables of <lang>/_pages
    house: House

    def status(self, lead: Lead, world: World) -> str:
        if lead.status in (Status.DOUGH, Status.COOKIE):
            return str(self.house.words["dough" if lead.status == Status.DOUGH else "cookie"])
        warm = freshness(lead, world)
        said = str(self.words["statuses"].get(str(lead.status), lead.status))
        return f"{said}, {self.words['fresh'][warm]}" if warm else said

    def next(self, lead: Lead, world: World) -> str:
        timer = lead.next_timer if lead.is_open else ""
        if not timer:
            return ""
        said = self.house.calendar.say(lead.due_at(timer), self.language, world.now)
        return f"{self.words['timers'].get(timer, timer)} {said}"


def speech_of(house: House, templates: Templates) -> Speech:
    language = house.languages[0] if f"{house.languages[0]}/_pages" in templates.sources else "en"
    return Speech(language, templates.words(f"{language}/_pages"), house)


def print_status(leads: Sequence[Lead], house: House, store: Store, templates: Templates, now: datetime) -> None:
    """The open buns, one a row."""
    speech, world = speech_of(house, templates), build_world(house, store, now)
    say = speech.words["tray"]
    columns = (
        *(Column(say["bun"], number=True), Column(say["subject"], wide=True)),
        *(Column(say["status"], wide=True), Column(say["owner"], wide=True), Column(say["claims"], wide=True)),
        Column(say["age"], wide=True),
        Column(say["next"], wide=True),
    )
    rows = [
        (
            *(str(lead.id), lead.subject, speech.status(lead, world), world.name(lead.owner)),
            ", ".join(world.names(lead.claimants)),
            house.calendar.say_age(house.calendar.between(lead.opened, now), speech.language),
            speech.next(lead, world),
        )
        for lead in leads
    ]
    print_table(columns, rows)


def print_bun(lead: Lead, house: House, store: Store, templates: Templates, now: datetime) -> None:
    """One bun with its whole history."""
    speech, world = speech_of(house, templates), build_world(house, store, now)
    tongue, say, words = tongue_of(templates, speech.language), speech.words["tray"], speech.words
    claims = (f"{world.name(claim.who)} ({words['claims'].get(claim.state, claim.state)})" for claim in lead.claims)
    facts = (
        (say["status"], speech.status(lead, world)),
        (say["owner"], world.name(lead.owner)),
        (say["client"], f"{lead.client_name} <{lead.client}>" if lead.client else "–"),
        (say["claims"], ", ".join(claims)),
        (say["passes"], ", ".join(world.names(each.who for each in lead.passes))),
        (say["next"], speech.next(lead, world)),
        (say["linked"], ", ".join(map(str, lead.linked))),
        (say["files"], ", ".join(each.name for each in lead.carried)),
    )
    print_hanging(f"{house.words['BUN']} {lead.id}: {clean_line(lead.subject)}", 0, "bold")
    for label, value in facts:
        if value:
            print_fact(label, value)
    print()
    for event in lead.events:
        what, why = tongue.tell(event.what, event.why)
        told = f"{tongue.who(event.who, world)}: {what}{f' – {why}' if why else ''}"
        print_hanging(f"{event.at.astimezone(house.calendar.zone):%Y-%m-%d %H:%M}  {clean_line(told, 10_000)}", 18)


# -- the store --------------------------------------------------------------------------------------------------------


def print_repaired(report: RepairReport) -> None:
    """What a repair kept, what it dropped, and where the damaged files are."""
    kept = f"{report.documents} documents kept (of the snapshot and {report.records} records of the journal)"
    if not report.dropped:
        print(f"The store is whole, nothing was changed: {kept}.")
        return
    print(f"{kept}; {len(report.dropped)} {'piece' if len(report.dropped) == 1 else 'pieces'} dropped:")
    for each in report.dropped:
        print(f"  {each}")
    print("The damaged files as they were, which hold people's data; remove them when nobody needs them:")
    for path in report.copies:
        print(f"  {path}")


# -- the report ------------------------------------------------------------------------------------------------------


def print_report(found: Report, house: House, templates: Templates) -> None:
    """The report as tables on a terminal, else as its mail says it."""
    if not out.is_terminal or not found.total:
        print(report_text(found, house, templates), end="")
        return
    words = templates.words(f"{found.language}/_pages")
    t: Mapping[str, str] = words["t"]
    out.print(Text(f"{t['report']}: {house.name}, {found.months[0].month} – {found.months[-1].month}", style="bold"))
    out.print()
    for title, columns, rows in _sections(found, words):
        print_table(columns, rows, title)
    out.print(Text(t["bottom"], style="dim"))


Section = tuple[str, tuple[Column, ...], Sequence[tuple[str, ...]]]


def _sections(found: Report, words: Mapping[str, Any]) -> Iterator[Section]:
    t = words["t"]
    months = [month for month in found.months if month.came]
    figures = tuple(Column(t[name], number=True) for name in ("came", "eaten", "lost", "thrown", "rate"))
    rows = [
        (m.month, *map(str, (m.came, m.eaten, m.lost, m.thrown)), f"{m.dry} ({share(m.dry, m.offered)})")
        for m in months
    ]
    yield t["happened"], (Column(t["month"]), *figures), rows
    waited = (Column(t["month"]), Column(t["word"], wide=True), Column(t["owner_after"], wide=True))
    yield t["response"], waited, [(m.month, _waited(m.first_word, t), _waited(m.to_owner, t)) for m in months]
    most = max((each.total for each in found.demand), default=1)
    demand = [
        (e.skill or t["other"], "█" * -(-e.total * BAR // most), e.trend, *map(str, (e.total, e.served, e.thrown)))
        for e in found.demand
    ]
    counts = tuple(Column(t[name], number=True) for name in ("total", "served", "thrown"))
    yield t["demand"], (Column(t["skill"], wide=True), Column(""), Column(t["trend"]), *counts), demand
    if found.unserved:
        names = tuple(Column(t[name], wide=True) for name in ("requests", "company", "why"))
        why = words["reason"]
        unserved = [(e.tag, e.subject, e.company, str(why.get(e.why, e.why))) for e in found.unserved]
        yield t["unserved"], (Column(""), *names), unserved
    if found.clients:
        known = (Column(t["company"], wide=True), Column(t["requests"], number=True), Column(t["by"], wide=True))
        clients = [(e.company, str(e.requests), ", ".join(e.by), e.last.isoformat()) for e in found.clients]
        yield t["seen"], (*known, Column(t["last"])), clients
    sources = [(str(words["source"].get(e.source, e.source)), str(e.total), str(e.eaten)) for e in found.sources]
    yield t["sources"], (Column(""), Column(t["total"], number=True), Column(t["eaten"], number=True)), sources


def share(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.0f} %" if whole else "–"


def _waited(times: Times, t: Mapping[str, str]) -> str:
    if times.count < 2:
        return times.median or t["none"]
    return f"{t['half'] % times.median}, {t['most'] % times.p90}"


# -- the log ---------------------------------------------------------------------------------------------------------


def log_to_stderr(level: int, zone: ZoneInfo) -> None:
    """The daemon's log, with times in the collective's zone, as `status` and the mails have them."""
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
    formatter.converter = lambda seconds: datetime.fromtimestamp(seconds or 0, zone).timetuple()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("imapclient").setLevel(logging.WARNING)


# -- bars ------------------------------------------------------------------------------------------------------------


class Bars:
    """Hears how far work has come, and shows a bar for each that takes longer than people like to wait."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._began: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars: Progress | None = None

    def hear(self, what: str, done: int, total: int) -> None:
        """A `progress.Listener`."""
        now = self._clock()
        began = self._began.setdefault(what, now)
        if done >= total:
            self._end(what)
        elif what in self._tasks and self._bars is not None:
            self._bars.update(self._tasks[what], completed=done, total=total)
        elif now - began >= PATIENCE:
            self._show().update(self._tasks.setdefault(what, self._show().add_task(what, total=total)), completed=done)

    def _show(self) -> Progress:
        if self._bars is None:
            parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bars = Progress(*parts, console=self._console, transient=True)
            self._bars.start()
        return self._bars

    def _end(self, what: str) -> None:
        self._began.pop(what, None)
        task = self._tasks.pop(what, None)
        if task is not None and self._bars is not None:
            self._bars.remove_task(task)
        if not self._tasks:
            self.close()

    def close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None


@contextmanager
def bars() -> Iterator[None]:
    """Bars on standard error while the block runs, where somebody looks at it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    shown = Bars(console)
    try:
        with progress.listening(shown.hear):
            yield
    finally:
        shown.close()
