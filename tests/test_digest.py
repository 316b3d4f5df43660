"""The weekly digest: its facts, its mails, and that it stays cheap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from router.house import House, Member
from router.ids import Ids
from router.lead import Claim, Event, Lead, Pass, Status
from router.people import build_world
from router.turn import World
from router.view import EmptyView
from router.worktime import Calendar

NOW = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)  # a Monday, 09:00 in Stockholm
PEOPLE = {"anna": "Anna Berg", "bo": "Bo Ek", "cy": "Cy Falk", "di": "Di Gren"}


def house(**more: Any) -> House:
    members = {
        key: Member(key, name, (f"{key}@bunhouse.example",), skills=("Rust", "data") if key == "bo" else ("web",))
        for key, name in PEOPLE.items()
    }
    base = House(
        name="The Bun House",
        address="hello@bunhouse.example",
        ids=Ids(b"k" * 32, "inst", "hello@bunhouse.example"),
        calendar=Calendar("Europe/Stockholm", country="SE"),
        members=members,
        list_address="list@bunhouse.example",
        keeper="di",
    )
    return replace(base, **more)


class Books(EmptyView):
    """A store of a few leads: what reports and pages ask of it."""

    def __init__(self, leads: Iterable[Lead] = (), answers: Iterable[dict[str, Any]] = ()) -> None:
        self._leads, self._answers = tuple(leads), tuple(answers)

    def leads(self) -> Iterator[Lead]:
        return iter(self._leads)

    def open_leads(self) -> tuple[Lead, ...]:
        return tuple(lead for lead in self._leads if lead.is_open)

    def scan(self, table: str) -> Iterator[tuple[int, dict[str, Any]]]:
        return iter(enumerate(self._answers) if table == "happiness" else ())

    def taken_since(self, moment: datetime) -> dict[str, int]:
        out: dict[str, int] = {}
        for lead in self._leads:
            if lead.taken_at and lead.taken_at >= moment:
                out[lead.owner] = out.get(lead.owner, 0) + 1
        return out


def lead(number: int, days: float, status: Status = Status.OFFERED, owner: str = "di", **more: Any) -> Lead:
    """A lead that came in so many days before NOW."""
    opened = NOW - timedelta(days=days)
    base = Lead(
        id=number,
        subject=f"Request {number}",
        status=status,
        owner=owner,
        opened=opened,
        offered_at=opened,
        client=f"client{number}@acme{number}.example",
        client_name="Maria Ek",
        stage="window" if status == Status.OFFERED else "",
        text="We need help.",
        events=(Event(opened, "came in", "client", "from somebody"),),
    )
    return replace(base, **more)


def world(books: Books, where: House | None = None, now: datetime = NOW) -> World:
    return build_world(where or house(), books, now)


