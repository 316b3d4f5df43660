"""What has a calendar: the digest, the reports, the keeper's daily list, the rota, the canary, housekeeping.

Job: say which of these are due, from what is stored: the last time each was done. `schedule` only ticks (it keeps
nothing over a restart and knows no zones); so what was missed while the router was down is done once on return.
Shell: the only module that imports schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import schedule

from router.worktime import Calendar


@dataclass(frozen=True, slots=True)
class Weekly:
    """Every week on a day (0 = Monday) at a time of the collective's zone."""

    day: int
    at: time

    def last(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The latest moment at or before `now` at which it was due."""
        local = now.astimezone(zone)
        day = local.date() - timedelta(days=(local.weekday() - self.day) % 7)
        moment = datetime.combine(day, self.at, zone)
        return moment if moment <= local else datetime.combine(day - timedelta(days=7), self.at, zone)


@dataclass(frozen=True, slots=True)
class Monthly:
    """Every month on a day from 1 to 28."""

    day: int
    at: time

    def last(self, now: datetime, zone: ZoneInfo) -> datetime:
        local = now.astimezone(zone)
        first = local.date().replace(day=self.day)
        moment = datetime.combine(first, self.at, zone)
        if moment <= local:
            return moment
        before = (first.replace(day=1) - timedelta(days=1)).replace(day=self.day)
        return datetime.combine(before, self.at, zone)


@dataclass(frozen=True, slots=True)
class Daily:
    """Every day at a time; on working days only, where a calendar is given."""

    at: time
    calendar: Calendar | None = None

    def last(self, now: datetime, zone: ZoneInfo) -> datetime:
        local = now.astimezone(zone)
        day: date = local.date() if datetime.combine(local.date(), self.at, zone) <= local else _before(local.date())
        while self.calendar is not None and not self.calendar.works_on(day):
            day = _before(day)
        return datetime.combine(day, self.at, zone)


@dataclass(frozen=True, slots=True)
class Every:
    """At an interval of plain time, counted from the epoch, so that a restart changes nothing."""

    span: timedelta

    def last(self, now: datetime, zone: ZoneInfo) -> datetime:
        return now - timedelta(seconds=now.timestamp() % self.span.total_seconds())


def _before(day: date) -> date:
    return day - timedelta(days=1)


Rhythm = Weekly | Monthly | Daily | Every


class Almanac:
    """Ticks, and answers what is due. `last(name)` is when it was last done; None on the very first start."""

    def __init__(self, rhythms: Mapping[str, Rhythm], zone: ZoneInfo, tick: timedelta = timedelta(minutes=1)) -> None:
        self._rhythms, self._zone = dict(rhythms), zone
        self._ticked = True  # once at the start
        self._scheduler = schedule.Scheduler()
        self._scheduler.every(max(1, int(tick.total_seconds()))).seconds.do(self._tick)

    def _tick(self) -> None:
        self._ticked = True

    def seconds_to_tick(self) -> float:
        idle = self._scheduler.idle_seconds
        return max(0.0, idle) if idle is not None else 60.0

    def due(self, now: datetime, last: Callable[[str], datetime | None]) -> list[tuple[str, datetime]]:
        """Names and moments of what has come due since it was last done; nothing between two ticks."""
        self._scheduler.run_pending()
        if not self._ticked:
            return []
        self._ticked = False
        out = []
        for name, rhythm in self._rhythms.items():
            moment, done = rhythm.last(now, self._zone), last(name)
            if done is None or done < moment:
                out.append((name, moment))
        return out
