"""Which leads are open, whose they are, what they say, and when the next of them has something due.

Job: the indexes over leads that make each question of the store flat in cost. Core: in memory only, no I/O.

Invariant: whatever is put in is found by its client, its company, its text while it is open, and its next due moment.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from router.arrivals import FREE_MAIL
from router.lead import ENDED, Lead, Status, from_doc, read_stamp
from router.sameness import fingerprint

_REMEMBERED = timedelta(days=400)  # how far back takings are counted
_ENDED_BYTES = frozenset(str(status).encode() for status in ENDED)
assert Status.OFFERED not in ENDED  # noqa: S101  # the fast path of `add_raw` rests on it


class LeadIndex:
    """Built from every stored lead, and told of every change."""

    def __init__(self) -> None:
        self._by_client: dict[int, list[int]] = defaultdict(list)  # by the hash of the address: short, and made quickly
        self._by_domain: dict[int, list[int]] = defaultdict(list)
        self.open: dict[int, datetime | None] = {}
        self._due: list[tuple[datetime, int]] = []
        self._texts: dict[str, int] = {}
        self._taken: deque[tuple[datetime, str]] = deque()
        self._last_taken: dict[str, datetime] = {}
        self.takings = 0  # grows with each award, so that others see when what they know of them is old

    # -- taking in -------------------------------------------------------------------------------------------------

    def add_raw(self, number: int, raw: bytes) -> None:
        """A stored lead. Ended ones are not parsed: a few fields are picked out of their JSON."""
        if _pick(raw, b'"status":"') not in _ENDED_BYTES:
            self.add(from_doc(json.loads(raw)))
            return
        self._add_client(number, _pick(raw, b'"client":"').decode("ascii", "replace"))
        taken = _pick(raw, b'"taken_at":"')
        if taken:
            self._add_taking(read_stamp(taken.decode()), _pick(raw, b'"owner":"').decode())
        if b'"timers":' in raw:
            self._add_due(from_doc(json.loads(raw)))

    def sort(self) -> None:
        """Once all stored leads are in: takings in the order of time."""
        self._taken = deque(sorted(self._taken))

    def add(self, lead: Lead, before: Lead | None = None) -> None:
        """A lead as it is now; `before` as it was, where that is known."""
        self._add_client(lead.id, lead.client)
        if lead.taken_at is not None and (before is None or before.taken_at != lead.taken_at):
            self._add_taking(lead.taken_at, lead.owner)
        self._add_due(lead)
        if not lead.is_open:
            self.open.pop(lead.id, None)
            return
        self.open[lead.id] = lead.due
        if before is None or before.text != lead.text:
            mark = fingerprint(lead.text)
            if mark:
                self._texts[mark] = lead.id

    def _add_client(self, number: int, client: str) -> None:
        if not client:
            return
        numbers = self._by_client[hash(client)]
        if number not in numbers[-1:] and number not in numbers:
            numbers.append(number)
            domain = client.rpartition("@")[2]
            if domain not in FREE_MAIL:
                self._by_domain[hash(domain)].append(number)

    def _add_taking(self, at: datetime, owner: str) -> None:
        self.takings += 1
        self._taken.append((at, owner))
        self._last_taken[owner] = max(at, self._last_taken.get(owner, at))

    def _add_due(self, lead: Lead) -> None:
        due = lead.due
        if due is not None:
            heapq.heappush(self._due, (due, lead.id))

    # -- questions -------------------------------------------------------------------------------------------------

    def of_client(self, address: str) -> Sequence[int]:
        return tuple(self._by_client.get(hash(address), ()))

    def at_domain(self, domain: str) -> Sequence[int]:
        return tuple(self._by_domain.get(hash(domain), ())[-8:])

    def with_text(self, mark: str) -> int | None:
        return self._texts.get(mark)

    def taken_since(self, moment: datetime) -> Mapping[str, int]:
        while self._taken and self._taken[0][0] < moment - _REMEMBERED:
            self._taken.popleft()
        return Counter(owner for at, owner in self._taken if at >= moment)

    def last_taken(self) -> Mapping[str, datetime]:
        return dict(self._last_taken)

    def next_due(self, find: Callable[[int], Lead | None]) -> tuple[datetime, int] | None:
        """The earliest moment at which a lead has something due, and its number. `find` tells a lead as it is now."""
        while self._due:
            at, number = self._due[0]
            lead = find(number)
            if lead is not None and lead.due == at:
                return at, number
            heapq.heappop(self._due)
        return None


def _pick(raw: bytes, mark: bytes) -> bytes:
    """A string field of a JSON object, found by its name. Inside another string its quotes would be escaped."""
    at = raw.find(mark)
    if at < 0:
        return b""
    start = at + len(mark)
    return raw[start : raw.index(b'"', start)]
