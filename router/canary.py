"""The canary: a mail to ourselves, out by SMTP and back by IMAP, to know that both work.

Job: what is known of the mails that we send to ourselves, as a value: which are on their way, since when one is
missing, whether that has been told. Core: pure. The clerk sends them, `decide.py` meets them, the clerk tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

NOTE = "canary"  # the name under which the store keeps it
REMEMBERED = 20  # of the latest: one that comes back late still says that mail gets through


@dataclass(frozen=True, slots=True)
class Canary:
    """`since`: when the oldest left that has not come back, None while all have. `told`: the operator knows of it."""

    ids: tuple[str, ...] = ()  # the part of a Message-ID before its @, newest last
    since: datetime | None = None
    told: bool = False
    back: datetime | None = None  # when one came back last

    def left(self, reference: str, now: datetime) -> Canary:
        """One more is on its way."""
        return replace(self, ids=(*self.ids, reference)[-REMEMBERED:], since=self.since or now)

    def came_back(self, reference: str, now: datetime) -> Canary:
        """One is here, so what was missing is nothing to worry about any more."""
        return replace(self, since=None, back=now) if reference in self.ids else self

    def is_late(self, late: timedelta, now: datetime) -> bool:
        return self.since is not None and now - self.since > late


def to_doc(canary: Canary) -> dict[str, Any]:
    return {
        "ids": list(canary.ids),
        "since": canary.since.isoformat() if canary.since else "",
        "told": canary.told,
        "back": canary.back.isoformat() if canary.back else "",
    }


def from_doc(doc: object) -> Canary:
    """The canary that `to_doc` stored; a new one where there is none, or one of an older form."""
    if not isinstance(doc, Mapping) or not isinstance(doc.get("ids"), list):
        return Canary()
    since, back = doc.get("since"), doc.get("back")
    return Canary(
        tuple(doc["ids"]),
        datetime.fromisoformat(since) if since else None,
        bool(doc.get("told")),
        datetime.fromisoformat(back) if back else None,
    )
