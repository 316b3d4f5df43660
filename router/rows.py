"""The rows of the outbox: mail that waits, mail in flight, and what became of it.

Job: take mails in, hand them out to the sending thread, take delivery results in, drop what its lead has outgrown, and
say what has waited so long that it is to be written anew. A part of the store, under the store's lock. Shell.

Invariants
- A mail leaves only after the record that holds its lead; it leaves the outbox in the record that says it was sent.
- What its acceptance means for its lead is a row of `results` in that same record, until the mail thread has it.
- A row that is in flight is handed out to nobody else and is not dropped.
"""

from __future__ import annotations

import heapq
import threading
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from router import retold
from router.compose import Outgoing
from router.delivery import Mail
from router.documents import Delivery, Result, deferred, mail_from, result_doc, result_from
from router.journal import Change, JournalDB
from router.lead import Lead, read_stamp, stamp
from router.protocol import is_outgrown
from router.restraint import STOPPED
from router.staging import Staging
from router.turn import Mail as Intent

# Mails whose acceptance starts a clock.
CLOCK_KINDS = frozenset(
    {"offer", "back", "second-call", "last-call", "no", "gathered", "handover-owner", "decide", "contest", "unless"}
)
# While mail waits, a newer one of these says all that an older would: no burst of mails for one bun.
OVERTAKES = {
    "reheat": ("reheat", "ack"),
    "offer": ("offer", "back"),
    **{kind: (kind,) for kind in ("decide", "nudge", "silent", "no")},
}


class Rows:
    """The store's outbox and results."""

    def __init__(self, db: JournalDB, staging: Staging, lock: threading.RLock) -> None:
        self._db, self._staging, self._lock = db, staging, lock
        self.flying: dict[int, dict[str, Any]] = {}  # rows in flight, parsed once for their way out and back
        self.read()

    def read(self) -> None:
        """Everything as the journal has it; what is in flight stays in flight."""
        self._results = {int(key): result_from(int(key), doc) for key, doc in self._db.scan("results")}
        self._ready: deque[int] = deque()
        self._later: list[tuple[datetime, int]] = []
        self._rows_of: dict[int, set[int]] = defaultdict(set)
        self._anew: dict[int, datetime] = {}  # rows that are written anew should they still wait then
        for key, row in self._db.scan("outbox"):
            self._rows_of[row["lead"]].add(int(key))
            heapq.heappush(self._later, (read_stamp(row["after"]), int(key)))
            if "anew" in row:
                self._anew[int(key)] = read_stamp(row["anew"])

    # -- taking mails in (staged) ----------------------------------------------------------------------------------

    def put(self, mail: Outgoing, now: datetime) -> None:
        if mail.kind in OVERTAKES:
            self._drop_overtaken(mail)
        doc = {
            "lead": mail.lead,
            "kind": mail.kind,
            "to": mail.to,
            "rcpt": list(mail.recipients),
            "id": mail.message_id,
            "raw": mail.raw.decode("ascii"),
            "after": stamp(now),
            **({"leads": list(mail.leads)} if mail.leads else {}),
            **_to_be_retold(mail),
        }
        row = self._staging.append("outbox", doc)
        self._rows_of[mail.lead].add(row)
        self._ready.append(row)
        if mail.anew_at is not None:
            self._anew[row] = mail.anew_at

    def _drop_overtaken(self, mail: Outgoing) -> None:
        """What waits and would say less than `mail` never leaves (PROTOCOL "Time")."""
        for row in list(self._rows_of.get(mail.lead, ())):
            doc = self._staging.doc("outbox", row)
            if doc and row not in self.flying and doc["kind"] in OVERTAKES[mail.kind] and doc["to"] == mail.to:
                self._forget(row, mail.lead)

    def drop_outgrown(self, lead: Lead) -> None:
        for row in self._rows_of.get(lead.id, set()) - self.flying.keys():
            doc = self._staging.doc("outbox", row)
            if doc and (is_outgrown(doc["kind"], doc["to"], lead) or _goes_astray(doc, lead)):
                self._forget(row, lead.id)

    def drop(self, row: int, lead: int, *, in_flight: bool = False) -> None:
        if in_flight or row not in self.flying:
            self._forget(row, lead)

    def _forget(self, row: int, lead: int) -> None:
        self._leave(row, lead)
        self._staging.delete("outbox", row)
        if row in self.flying:
            self.flying[row] = {}  # nothing of it stays in memory, though it may still arrive

    def _leave(self, row: int, lead: int) -> None:
        """The row waits no longer."""
        self._anew.pop(row, None)
        self._rows_of[lead].discard(row)
        if not self._rows_of[lead]:
            del self._rows_of[lead]

    # -- what has waited long (staged) -----------------------------------------------------------------------------

    def grown_old(self, now: datetime) -> list[tuple[int, int, Intent]]:
        """(row, lead, intent) of waiting mails that are to be written anew by now."""
        with self._lock:
            due = [row for row, at in self._anew.items() if at <= now and row not in self.flying]
            docs = [(row, self._staging.doc("outbox", row)) for row in due]
            return [(row, doc["lead"], retold.from_doc(doc["kind"], doc["say"])) for row, doc in docs if doc]

    def write_anew(self, row: int, mails: Iterable[Outgoing]) -> None:
        """The mail of these that this row holds, as it is written now, in place of what waits there."""
        with self._lock:
            self._anew.pop(row, None)
            doc = None if row in self.flying else self._staging.doc("outbox", row)
            mail = next((each for each in mails if doc and each.message_id == doc["id"]), None)
            if doc is None or mail is None:
                return
            kept = {name: value for name, value in doc.items() if name not in ("anew", "say")}
            self._staging.put("outbox", row, {**kept, "raw": mail.raw.decode("ascii"), **_to_be_retold(mail)})
            if mail.anew_at is not None:
                self._anew[row] = mail.anew_at

    # -- the sending thread's side ---------------------------------------------------------------------------------

    def take(self, count: int, now: datetime, sender: str) -> list[Mail]:
        """Up to `count` unsent mails that are due; they are in flight until they are marked."""
        with self._lock:
            while self._later and self._later[0][0] <= now:
                self._ready.append(heapq.heappop(self._later)[1])
            out: list[Mail] = []
            staged = self._staging.puts.get("outbox", {})
            held_back: list[int] = []
            while self._ready and len(out) < count:
                row = self._ready.popleft()
                if row in staged:  # not in the journal yet: a mail leaves only after its lead is safe
                    held_back.append(row)
                    continue
                doc = self._db.get_doc("outbox", str(row))
                if doc is None or row in self.flying:
                    continue
                self.flying[row] = doc
                out.append(mail_from(row, doc, sender))
            self._ready.extendleft(reversed(held_back))
            return out

    def mark(self, changes: Sequence[Delivery]) -> None:
        """Store what became of mails that were in flight, in one record. Raises journal.StoreFull: nothing is kept."""
        with self._lock:
            puts: dict[str, dict[str, Any]] = defaultdict(dict)
            deletes: dict[str, list[str]] = defaultdict(list)
            results: list[Result] = []
            for change in changes:
                doc = self._doc(change.row)
                if doc is None:
                    continue
                results += self._refusals(change, doc, len(results))
                if change.retry_at is not None:
                    doc = deferred(doc, change)
                    puts["outbox"][str(change.row)] = doc
                else:
                    deletes["outbox"].append(str(change.row))
                    results += self._result_of(change, doc, len(results))
            for result in results:
                puts["results"][str(result.row)] = result_doc(result)
            if puts or deletes:
                self._db.commit_many([Change(puts, deletes)])
            self._after_marking(changes, results)

    def _doc(self, row: int) -> dict[str, Any] | None:
        return self.flying.get(row) or self._staging.doc("outbox", row)

    def _result_of(self, change: Delivery, doc: Mapping[str, Any], so_far: int) -> list[Result]:
        """What the mail thread must hear: mail that starts a clock, and mail that will never arrive."""
        if change.outcome == "accepted" and doc["kind"] not in CLOCK_KINDS:
            return []
        if change.outcome == "failed" and doc.get("part"):  # some have it; these never will
            return self._refusals(replace(change, refused=tuple((a, change.detail) for a in doc["rcpt"])), doc, so_far)
        row = self._staging.numbers["results"] + 1 + so_far
        leads = tuple(doc.get("leads", ()))
        return [Result(row, doc["lead"], doc["kind"], doc["to"], change.outcome, change.at, change.detail, leads)]

    def _refusals(self, change: Delivery, doc: Mapping[str, Any], so_far: int) -> list[Result]:
        """Recipients of a mail that reached others."""
        row, lead, kind = self._staging.numbers["results"] + 1 + so_far, doc["lead"], doc["kind"]
        return [
            Result(row + i, lead, kind, address, "refused", change.at, reply)
            for i, (address, reply) in enumerate(change.refused)
        ]

    def _after_marking(self, changes: Sequence[Delivery], results: Sequence[Result]) -> None:
        for change in changes:
            self.flying.pop(change.row, None)
            if change.retry_at is not None:
                heapq.heappush(self._later, (change.retry_at, change.row))
            else:
                for lead in [lead for lead in (change.lead, 0) if change.row in self._rows_of.get(lead, ())]:
                    self._leave(change.row, lead)
        numbers = self._staging.numbers
        for result in results:
            self._results[result.row] = result
            numbers["results"] = max(numbers["results"], result.row)

    # -- results ---------------------------------------------------------------------------------------------------

    def stage_failed(self, mails: Iterable[Outgoing], now: datetime) -> None:
        """Mails that will never leave, whose leads wait for them: as if the server had refused them (staged)."""
        with self._lock:
            for mail in mails:
                result = Result(0, mail.lead, mail.kind, mail.to, "failed", now, STOPPED)
                row = self._staging.append("results", result_doc(result))
                self._results[row] = replace(result, row=row)

    def settle(self, result: int) -> None:
        """The mail thread has taken it in (staged)."""
        self._results.pop(result, None)
        self._staging.delete("results", result)

    def results(self) -> list[Result]:
        """Delivery results that the mail thread has not taken in yet, oldest first."""
        with self._lock:
            return [self._results[row] for row in sorted(self._results)]

    def has_results(self) -> bool:
        return bool(self._results)

    # -- what waits ------------------------------------------------------------------------------------------------

    def can_send(self, now: datetime, line_works: bool) -> bool:
        """Whether mail is in flight, or due and the line works: something may still change without new mail."""
        with self._lock:
            retry_is_due = bool(self._later) and self._later[0][0] <= now
            return bool(self.flying) or (line_works and (bool(self._ready) or retry_is_due))

    def waiting(self, lead: int, kind: str, *, untried: bool = False) -> int:
        """How many mails of this kind for this lead have neither left nor failed; have not even been tried."""
        with self._lock:
            docs = map(self._doc, self._rows_of.get(lead, ()))
            return sum(1 for doc in docs if doc and doc["kind"] == kind and not (untried and doc.get("tries")))


def _to_be_retold(mail: Outgoing) -> dict[str, Any]:
    if mail.intent is None or mail.anew_at is None:
        return {}
    return {"anew": stamp(mail.anew_at), "say": retold.to_doc(mail.intent)}


def _goes_astray(doc: Mapping[str, Any], lead: Lead) -> bool:
    """Written to an address that has turned out not to be the client's; the right one is written to anew."""
    astray = doc["to"] == "client" and bool(lead.client) and lead.client not in doc["rcpt"] and not doc.get("part")
    return astray and doc["kind"] != "word"  # a person's own text is never lost
