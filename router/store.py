"""The store: what the router remembers, and one commit for everything that a decision changes.

Job: answer `View` with values, take Decisions in and write them as ONE record (leads, outbox, seen Message-ID, words
held, mail to be filed), hand out unsent mail, take delivery results in. Keeps the indexes that make each of these flat
in cost. Shell: the only module that knows the documents' form; imports journal, and the core's values.

Threads: the mail thread stages and flushes; the sending thread calls `take` and `mark`. One lock around append, fsync
and apply, never held during network I/O.

Invariants
- A decision is in the journal, whole, or it never happened. `stage` collects decisions, `flush` writes them in
  one record.
- A row of the outbox leaves it in the record that says it was sent; what its acceptance means for its lead is a row of
  `results` in that same record, until the mail thread has taken it in.
- A row that is in flight is handed out to nobody else and is not dropped.
"""

from __future__ import annotations

import heapq
import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

from router import happiness, progress, retold
from router.arrivals import FREE_MAIL
from router.compose import Outgoing
from router.decision import Decision
from router.delivery import Mail
from router.journal import Change, JournalDB
from router.journal_files import not_kept, put_file
from router.lead import ENDED, Lead, Status, from_doc, read_stamp, stamp, to_doc
from router.protocol import is_outgrown
from router.restraint import STOPPED
from router.triage import fingerprint
from router.turn import Mail as Intent
from router.view import Aside, Held, PersonState, Seen

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
LEADS_IN_MEMORY = 256  # parsed leads kept at hand; they are frozen, so sharing them is safe


def key_of(text: str) -> int:
    """A 63-bit number for a text: the document id under which Message-IDs and the like are kept, and so their index."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) >> 1 or 1


@dataclass(frozen=True, slots=True)
class Filing:
    """A handled mail that is still to be filed on the server."""

    row: int
    folder: str
    uidvalidity: int
    uid: int
    to: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mail whose lead waits for it. `outcome` is "accepted", "failed", or "refused".

    Refused is a mail that reached others and never will reach the address in `to`.
    """

    row: int
    lead: int
    kind: str
    to: str
    outcome: str
    at: datetime
    detail: str = ""
    leads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder has been read: every mail below `uid` is handled."""

    folder: str
    uidvalidity: int
    uid: int


class Store:
    """The documents and their indexes. Implements `view.View`."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Raises journal.StoreError (locked, damaged, newer, full) with one sentence."""
        self.path = path
        self._db = JournalDB(path, read_only=read_only)
        self._lock = threading.RLock()
        self._puts: dict[str, dict[int, Any]] = defaultdict(dict)
        self._deletes: dict[str, set[int]] = defaultdict(set)
        self._cache: dict[int, Lead] = {}
        self._build_indexes()

    # -- opening and closing -----------------------------------------------------------------------------------------

    @property
    def recovered(self) -> int:
        return self._db.recovered

    @property
    def last_snapshot_at(self) -> datetime | None:
        return self._db.last_snapshot_at

    @property
    def sequence(self) -> int:
        return self._db.sequence

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def compact(self) -> None:
        with self._lock:
            self._db.compact()

    def _build_indexes(self) -> None:
        self._by_client: dict[int, list[int]] = defaultdict(list)  # by the hash of the address: short, and made quickly
        self._by_domain: dict[int, list[int]] = defaultdict(list)
        self._open: dict[int, datetime | None] = {}
        self._due: list[tuple[datetime, int]] = []
        self._texts: dict[str, int] = {}
        self._taken: deque[tuple[datetime, str]] = deque()
        self.takings = 0  # grows with each award, so that others see when what they know of them is old
        self._last_taken: dict[str, datetime] = {}
        self._numbers: Counter[str] = Counter()
        self._cache.clear()
        leads = self._db.scan_raw("leads")
        for number, raw in progress.walk("indexing the leads", leads, self._db.count("leads")):
            self._index_raw(number, raw)
        self._taken = deque(sorted(self._taken))
        self._held = {int(k): _held_from(d) for k, d in self._db.scan("held")}
        self._people = {d["key"]: _person_from(d) for _, d in self._db.scan("people")}
        self._notes = {d["name"]: d["value"] for _, d in self._db.scan("notes")}
        self._filing = {int(k): Filing(int(k), d["f"], d["v"], d["u"], d["t"]) for k, d in self._db.scan("filing")}
        self._results = {int(k): _result_from(int(k), d) for k, d in self._db.scan("results")}
        self._flying: dict[int, dict[str, Any]] = {}  # rows in flight, parsed once for their way out and back
        self._ready: deque[int] = deque()
        self._later: list[tuple[datetime, int]] = []
        self._rows_of: dict[int, set[int]] = defaultdict(set)
        self._anew: dict[int, datetime] = {}  # rows that are written anew should they still wait then
        for key, row in self._db.scan("outbox"):
            self._rows_of[row["lead"]].add(int(key))
            heapq.heappush(self._later, (read_stamp(row["after"]), int(key)))
            if "anew" in row:
                self._anew[int(key)] = read_stamp(row["anew"])
        for table in ("outbox", "filing", "results", "quarantine", "leads"):
            self._numbers[table] = self._db.last_number(table)
        for table in ("held", "aside", "quarantine", "leads"):
            self._numbers[table] = max(self._numbers[table], int(self._notes.get(f"last {table}", 0)))

    def _index_raw(self, number: int, raw: bytes) -> None:
        """Index a stored lead. Ended ones are not parsed: a few fields are picked out of their JSON."""
        status = _pick(raw, b'"status":"')
        if status not in _ENDED_BYTES:
            self._index(from_doc(json.loads(raw)))
            return
        client = _pick(raw, b'"client":"').decode("ascii", "replace")
        self._index_client(number, client)
        taken = _pick(raw, b'"taken_at":"')
        if taken:
            self._index_taken(read_stamp(taken.decode()), _pick(raw, b'"owner":"').decode())
        if b'"timers":' in raw:
            self._index_due(from_doc(json.loads(raw)))

    def _index(self, lead: Lead) -> None:
        self._index_client(lead.id, lead.client)
        if lead.taken_at is not None:
            self._index_taken(lead.taken_at, lead.owner)
        self._index_due(lead)
        if lead.is_open:
            self._open[lead.id] = lead.due
            mark = fingerprint(lead.text)
            if mark:
                self._texts[mark] = lead.id
        else:
            self._open.pop(lead.id, None)

    def _index_client(self, number: int, client: str) -> None:
        if not client:
            return
        numbers = self._by_client[hash(client)]
        if number not in numbers[-1:] and number not in numbers:
            numbers.append(number)
            domain = client.rpartition("@")[2]
            if domain not in FREE_MAIL:
                self._by_domain[hash(domain)].append(number)

    def _index_taken(self, at: datetime, owner: str) -> None:
        self.takings += 1
        self._taken.append((at, owner))
        self._last_taken[owner] = max(at, self._last_taken.get(owner, at))

    def _index_due(self, lead: Lead) -> None:
        due = lead.due
        if due is not None:
            heapq.heappush(self._due, (due, lead.id))

    # -- View: values, never live data -------------------------------------------------------------------------------

    def lead(self, number: int) -> Lead | None:
        found = self._cache.get(number)
        if found is not None:
            return found
        raw = self._db.get_raw("leads", str(number)) if number > 0 else None
        if raw is None:
            return None
        lead = from_doc(json.loads(raw))
        self._remember(lead)
        return lead

    def _remember(self, lead: Lead) -> None:
        self._cache.pop(lead.id, None)
        self._cache[lead.id] = lead
        while len(self._cache) > LEADS_IN_MEMORY and not self._puts:
            self._cache.pop(next(iter(self._cache)))

    def lead_numbers(self) -> list[int]:
        return [int(key) for key in self._db.keys("leads")]

    def leads(self) -> Iterator[Lead]:
        numbers = self.lead_numbers()
        for number in progress.walk("looking through the leads", numbers, len(numbers)):
            lead = self.lead(number)
            if lead is not None:
                yield lead

    def seen(self, message_id: str) -> Seen | None:
        doc = self._doc("seen", key_of(message_id))
        for each in (doc, *(doc or {}).get("more", ())):
            if each and each["i"] == message_id:
                return _seen_from(each)
        return None

    def _doc(self, table: str, key: int) -> dict[str, Any] | None:
        if key in self._puts.get(table, ()):
            staged: dict[str, Any] = self._puts[table][key]
            return staged
        if key in self._deletes.get(table, ()):
            return None
        return self._db.get_doc(table, str(key))

    def leads_of_client(self, address: str) -> Sequence[int]:
        return tuple(self._by_client.get(hash(address), ()))

    def leads_at_domain(self, domain: str) -> Sequence[int]:
        return tuple(self._by_domain.get(hash(domain), ())[-8:])

    def lead_with_text(self, mark: str) -> int | None:
        return self._texts.get(mark)

    def held(self, number: int) -> Held | None:
        return self._held.get(number)

    def held_for(self, lead: int) -> Sequence[Held]:
        """The words that wait to be confirmed on this lead; on any lead for 0."""
        return tuple(held for held in self._held.values() if lead in (0, held.lead))

    def aside(self, number: int) -> Aside | None:
        doc = self._doc("aside", number) if number > 0 else None
        return _aside_from(number, doc) if doc else None

    def asides(self) -> list[Aside]:
        return [_aside_from(int(key), doc) for key, doc in self._db.scan("aside")]

    def people_states(self) -> Mapping[str, PersonState]:
        return dict(self._people)

    def taken_since(self, moment: datetime) -> Mapping[str, int]:
        while self._taken and self._taken[0][0] < moment - timedelta(days=400):
            self._taken.popleft()
        return Counter(owner for at, owner in self._taken if at >= moment)

    def last_taken(self) -> Mapping[str, datetime]:
        return dict(self._last_taken)

    def open_leads(self) -> Sequence[Lead]:
        found = (self.lead(number) for number in list(self._open))
        return tuple(lead for lead in found if lead is not None)

    def next_number(self, table: str) -> int:
        return self._numbers[table] + 1

    def plus_proven(self) -> bool:
        return bool(self._notes.get("plus proven"))

    def said_once(self, what: str) -> bool:
        return self._doc("said", key_of(what)) is not None

    def note(self, name: str) -> Any:
        """A small fact kept by name, or None."""
        return self._notes.get(name)

    # -- due times ---------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """The earliest moment at which a lead has something due."""
        while self._due:
            at, number = self._due[0]
            lead = self.lead(number)
            if lead is not None and lead.due == at:
                return at
            heapq.heappop(self._due)
        return None

    def due_leads(self, until: datetime) -> Lead | None:
        """The lead whose due moment is the earliest at or before `until`."""
        at = self.next_due()
        return self.lead(self._due[0][1]) if at is not None and at <= until else None

    # -- taking decisions in -----------------------------------------------------------------------------------------

    def stage(
        self,
        decision: Decision,
        rows: Iterable[Outgoing] = (),
        *,
        now: datetime,
        filing: Filing | None = None,
        settled_results: Iterable[int] = (),
    ) -> None:
        """Take a decision in; nothing is kept until `flush`. Later decisions of the same batch see it."""
        with self._lock:
            for lead in decision.leads:
                self._put_lead(lead)
            for row in rows:
                self._put_row(row, now)
            if decision.seen is not None:
                self._put_seen(decision.seen)
            for state in decision.people:
                self._people[state.key] = state
                self._puts["people"][key_of(state.key)] = _person_doc(state)
            for held in decision.held:
                self._held[held.number] = held
                self._count_up("held", held.number)
                self._puts["held"][held.number] = _held_doc(held)
            for number in decision.settled:
                self._held.pop(number, None)
                self._delete("held", number)
            for aside in decision.aside:
                self._count_up("aside", aside.number)
                self._puts["aside"][aside.number] = _aside_doc(aside)
            for answer in decision.answers:
                self._puts["happiness"][key_of(answer.mark)] = happiness.to_doc(answer)
            for what in decision.said:
                self._puts["said"][key_of(what)] = {"what": what, "at": stamp(now)}
            for name, value in (decision.notes or {}).items():
                self.set_note(name, value)
            if decision.plus_proven and not self.plus_proven():
                self.set_note("plus proven", stamp(now))
            if filing is not None:
                self._put_filing(filing)
            for number in settled_results:
                self._results.pop(number, None)
                self._delete("results", number)

    def _put_lead(self, lead: Lead) -> None:
        self._numbers["leads"] = max(self._numbers["leads"], lead.id)
        before = self._cache.get(lead.id) or (self.lead(lead.id) if lead.id in self._open else None)
        self._puts["leads"][lead.id] = lead  # written out at the flush: one bun may change many times before
        self._remember(lead)
        newly_taken = lead.taken_at is not None and (before is None or before.taken_at != lead.taken_at)
        self._index_client(lead.id, lead.client)
        if newly_taken and lead.taken_at:
            self._index_taken(lead.taken_at, lead.owner)
        self._index_due(lead)
        if lead.is_open:
            self._open[lead.id] = lead.due
            if before is None or before.text != lead.text:
                mark = fingerprint(lead.text)
                if mark:
                    self._texts[mark] = lead.id
        else:
            self._open.pop(lead.id, None)
        self._drop_outgrown(lead)

    def _drop_outgrown(self, lead: Lead) -> None:
        for row in self._rows_of.get(lead.id, set()) - self._flying.keys():
            doc = self._doc("outbox", row)
            if doc and (is_outgrown(doc["kind"], doc["to"], lead) or _goes_astray(doc, lead)):
                self._forget_row(row, lead.id)

    def _row(self, row: int) -> dict[str, Any] | None:
        return self._flying.get(row) or self._doc("outbox", row)

    def _drop_overtaken(self, mail: Outgoing) -> None:
        """What waits and would say less than `mail` never leaves (PROTOCOL "Time")."""
        for row in list(self._rows_of.get(mail.lead, ())):
            doc = self._doc("outbox", row)
            if doc and row not in self._flying and doc["kind"] in OVERTAKES[mail.kind] and doc["to"] == mail.to:
                self._forget_row(row, mail.lead)

    def _forget_row(self, row: int, lead: int) -> None:
        self._rows_of[lead].discard(row)
        if not self._rows_of[lead]:
            del self._rows_of[lead]
        self._delete("outbox", row)
        self._anew.pop(row, None)
        if row in self._flying:
            self._flying[row] = {}  # nothing of it stays in memory, though it may still arrive

    def _delete(self, table: str, key: int) -> None:
        """A document that was only staged is simply not written."""
        self._puts.get(table, {}).pop(key, None)
        self._deletes[table].add(key)

    def _put_row(self, mail: Outgoing, now: datetime) -> None:
        if mail.kind in OVERTAKES:
            self._drop_overtaken(mail)
        self._numbers["outbox"] += 1
        row = self._numbers["outbox"]
        self._puts["outbox"][row] = {
            "lead": mail.lead,
            "kind": mail.kind,
            "to": mail.to,
            "rcpt": list(mail.recipients),
            "id": mail.message_id,
            "raw": mail.raw.decode("ascii"),
            "after": stamp(now),
            **({"leads": list(mail.leads)} if mail.leads else {}),
            **self._to_be_retold(row, mail),
        }
        self._rows_of[mail.lead].add(row)
        self._ready.append(row)

    def _to_be_retold(self, row: int, mail: Outgoing) -> dict[str, Any]:
        self._anew.pop(row, None)
        if mail.intent is None or mail.anew_at is None:
            return {}
        self._anew[row] = mail.anew_at
        return {"anew": stamp(mail.anew_at), "say": retold.to_doc(mail.intent)}

    def grown_old(self, now: datetime) -> list[tuple[int, int, Intent]]:
        """(row, lead, intent) of waiting mails that are to be written anew by now."""
        with self._lock:
            due = [row for row, at in self._anew.items() if at <= now and row not in self._flying]
            docs = [(row, self._doc("outbox", row)) for row in due]
            return [(row, doc["lead"], retold.from_doc(doc["kind"], doc["say"])) for row, doc in docs if doc]

    def write_anew(self, row: int, mails: Iterable[Outgoing]) -> None:
        """Stage the mail of these that this row holds, as it is written now, in place of what waits there."""
        with self._lock:
            self._anew.pop(row, None)
            doc = None if row in self._flying else self._doc("outbox", row)
            mail = next((each for each in mails if doc and each.message_id == doc["id"]), None)
            if doc is None or mail is None:
                return
            kept = {name: value for name, value in doc.items() if name not in ("anew", "say")}
            self._puts["outbox"][row] = {**kept, "raw": mail.raw.decode("ascii"), **self._to_be_retold(row, mail)}

    def _put_seen(self, seen: Seen) -> None:
        doc = _seen_doc(seen)
        key = key_of(seen.message_id)
        old = self._doc("seen", key)
        if old is not None:
            kept = [each for each in ({**old, "more": []}, *old.get("more", ())) if each["i"] != seen.message_id]
            doc["more"] = kept
            if not kept:
                del doc["more"]
        self._puts["seen"][key] = doc

    def _put_filing(self, filing: Filing) -> None:
        self._numbers["filing"] += 1
        row = self._numbers["filing"]
        self._filing[row] = replace(filing, row=row)
        self._puts["filing"][row] = {"f": filing.folder, "v": filing.uidvalidity, "u": filing.uid, "t": filing.to}

    def _count_up(self, table: str, number: int) -> None:
        """Numbers in reply addresses are never used twice, also after the document is gone."""
        self._numbers[table] = max(self._numbers[table], number)
        self.set_note(f"last {table}", self._numbers[table])

    def set_note(self, name: str, value: Any) -> None:
        self._notes[name] = value
        self._puts["notes"][key_of(name)] = {"name": name, "value": value}

    def drop_note(self, name: str) -> None:
        if self._notes.pop(name, None) is not None:
            self._delete("notes", key_of(name))

    def put(self, table: str, key: int, doc: Mapping[str, Any]) -> None:
        """Stage one document of a table that has no decisions of its own (quarantine, counts)."""
        self._numbers[table] = max(self._numbers[table], key) if key < 1 << 40 else self._numbers[table]
        self._puts[table][key] = dict(doc)

    def get(self, table: str, key: int) -> dict[str, Any] | None:
        return self._doc(table, key)

    def scan(self, table: str) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((int(key), doc) for key, doc in self._db.scan(table))

    def quarantined(self) -> list[tuple[int, dict[str, Any]]]:
        """Mails that could not be handled, by number."""
        return list(self.scan("quarantine"))

    def delete(self, table: str, key: int) -> None:
        self._delete(table, key)

    @property
    def has_staged(self) -> bool:
        return bool(self._puts) or bool(self._deletes)

    def flush(self) -> bool:
        """Write all that is staged as one record under one fsync; answers whether there was anything.

        Raises journal.StoreFull when the disk refuses: nothing of the batch is kept, and it may be tried again.
        """
        with self._lock:
            if not self.has_staged:
                return False
            puts = {
                table: {str(k): to_doc(d) if table == "leads" else d for k, d in docs.items()}
                for table, docs in self._puts.items()
                if docs
            }
            deletes = {
                table: [str(k) for k in keys if k not in self._puts.get(table, ())]
                for table, keys in self._deletes.items()
            }
            self._puts, self._deletes = defaultdict(dict), defaultdict(set)
            try:
                self._db.commit_many([Change(puts, deletes)])
            except BaseException:
                self._undo_staging()
                raise
            return True

    def put_lead(self, lead: Lead) -> None:
        """Stage one changed lead outside a decision (erasing)."""
        with self._lock:
            self._put_lead(lead)

    def drop_row(self, row: int, lead: int, *, in_flight: bool = False) -> None:
        """Stage the removal of an unsent mail; with `in_flight` also of one that is just leaving, for the last time."""
        with self._lock:
            if in_flight or row not in self._flying:
                self._forget_row(row, lead)

    def reload_after_erasing(self) -> None:
        """Write what is staged and build the indexes anew, so that nothing erased is left in memory."""
        with self._lock:
            self.flush()
            self._undo_staging()

    def flush_works(self) -> bool:
        """Whether something can be written now: tried with a small note, so that all-clear is only said when it is."""
        with self._lock:
            self.set_note("writable", (self._notes.get("writable") or 0) + 1)
            return self.flush()

    def discard(self) -> None:
        """Forget what is staged, as if it had never been decided."""
        with self._lock:
            if self.has_staged:
                self._puts, self._deletes = defaultdict(dict), defaultdict(set)
                self._undo_staging()

    def _undo_staging(self) -> None:
        """Back to what the journal holds. Rare, so it may cost a full reading; what is in flight stays in flight."""
        flying = self._flying
        self._build_indexes()
        self._flying = flying

    # -- filing ------------------------------------------------------------------------------------------------------

    def unfiled(self) -> list[Filing]:
        return list(self._filing.values())

    def filed(self, rows: Iterable[int]) -> None:
        """These are where they belong. Staged only: if that is lost, they are filed again or found missing."""
        with self._lock:
            for row in rows:
                self._filing.pop(row, None)
                self._delete("filing", row)

    def cursor(self, folder: str) -> Cursor | None:
        value = self._notes.get(f"cursor {folder}")
        return Cursor(folder, value[0], value[1]) if value else None

    def set_cursor(self, cursor: Cursor) -> None:
        if self.cursor(cursor.folder) != cursor:
            self.set_note(f"cursor {cursor.folder}", [cursor.uidvalidity, cursor.uid])

    # -- the outbox: called in the sending thread --------------------------------------------------------------------

    def take(self, count: int, now: datetime, sender: str) -> list[Mail]:
        """Up to `count` unsent mails that are due; they are in flight until they are marked."""
        with self._lock:
            while self._later and self._later[0][0] <= now:
                self._ready.append(heapq.heappop(self._later)[1])
            out: list[Mail] = []
            staged = self._puts.get("outbox", {})
            held_back: list[int] = []
            while self._ready and len(out) < count:
                row = self._ready.popleft()
                if row in staged:  # not in the journal yet: a mail leaves only after its lead is safe
                    held_back.append(row)
                    continue
                doc = self._db.get_doc("outbox", str(row))
                if doc is None or row in self._flying:
                    continue
                self._flying[row] = doc
                out.append(_mail_from(row, doc, sender))
            self._ready.extendleft(reversed(held_back))
            return out

    def mark(self, changes: Sequence[Delivery]) -> None:
        """Store what became of mails that were in flight, in one record. Raises journal.StoreFull: nothing is kept."""
        with self._lock:
            puts: dict[str, dict[str, Any]] = defaultdict(dict)
            deletes: dict[str, list[str]] = defaultdict(list)
            results: list[Result] = []
            for change in changes:
                doc = self._row(change.row)
                if doc is None:
                    continue
                results += self._refusals(change, doc, len(results))
                if change.retry_at is not None:
                    doc = _deferred(doc, change)
                    puts["outbox"][str(change.row)] = doc
                else:
                    deletes["outbox"].append(str(change.row))
                    results += self._result_of(change, doc, len(results))
            for result in results:
                puts["results"][str(result.row)] = _result_doc(result)
            if puts or deletes:
                self._db.commit_many([Change(puts, deletes)])
            self._after_marking(changes, results)

    def _result_of(self, change: Delivery, doc: Mapping[str, Any], so_far: int) -> list[Result]:
        """What the mail thread must hear: mail that starts a clock, and mail that will never arrive."""
        if change.outcome == "accepted" and doc["kind"] not in CLOCK_KINDS:
            return []
        if change.outcome == "failed" and doc.get("part"):  # some have it; these never will
            return self._refusals(replace(change, refused=tuple((a, change.detail) for a in doc["rcpt"])), doc, so_far)
        row = self._numbers["results"] + 1 + so_far
        leads = tuple(doc.get("leads", ()))
        return [Result(row, doc["lead"], doc["kind"], doc["to"], change.outcome, change.at, change.detail, leads)]

    def _refusals(self, change: Delivery, doc: Mapping[str, Any], so_far: int) -> list[Result]:
        """Recipients of a mail that reached others."""
        row, lead, kind = self._numbers["results"] + 1 + so_far, doc["lead"], doc["kind"]
        return [
            Result(row + i, lead, kind, address, "refused", change.at, reply)
            for i, (address, reply) in enumerate(change.refused)
        ]

    def _after_marking(self, changes: Sequence[Delivery], results: Sequence[Result]) -> None:
        for change in changes:
            self._flying.pop(change.row, None)
            if change.retry_at is None:
                self._anew.pop(change.row, None)
            if change.retry_at is not None:
                heapq.heappush(self._later, (change.retry_at, change.row))
            else:
                for lead in [lead for lead in (change.lead, 0) if change.row in self._rows_of.get(lead, ())]:
                    self._rows_of[lead].discard(change.row)
                    if not self._rows_of[lead]:
                        del self._rows_of[lead]
        for result in results:
            self._results[result.row] = result
            self._numbers["results"] = max(self._numbers["results"], result.row)

    def stage_failed(self, mails: Iterable[Outgoing], now: datetime) -> None:
        """Mails that will never leave, whose leads wait for them: as if the server had refused them (staged)."""
        with self._lock:
            for mail in mails:
                self._numbers["results"] += 1
                row = self._numbers["results"]
                result = Result(row, mail.lead, mail.kind, mail.to, "failed", now, STOPPED)
                self._results[row] = result
                self._puts["results"][row] = _result_doc(result)

    def results(self) -> list[Result]:
        """Delivery results that the mail thread has not taken in yet, oldest first."""
        with self._lock:
            return [self._results[row] for row in sorted(self._results)]

    def has_results(self) -> bool:
        return bool(self._results)

    def can_send(self, now: datetime, line_works: bool) -> bool:
        """Whether mail is in flight, or due and the line works: something may still change without new mail."""
        with self._lock:
            return bool(self._flying) or (line_works and (bool(self._ready) or self._is_retry_due(now)))

    def _is_retry_due(self, now: datetime) -> bool:
        return bool(self._later) and self._later[0][0] <= now

    def untried(self, lead: int, kind: str) -> int:
        """How many mails of this kind for this lead have not even been tried."""
        with self._lock:
            docs = map(self._row, self._rows_of.get(lead, ()))
            return sum(1 for doc in docs if doc and doc["kind"] == kind and not doc.get("tries"))

    def waiting(self, lead: int, kind: str) -> int:
        """How many mails of this kind for this lead have neither left nor failed."""
        with self._lock:
            docs = map(self._row, self._rows_of.get(lead, ()))
            return sum(1 for doc in docs if doc and doc["kind"] == kind)

    def unsent(self) -> list[tuple[int, dict[str, Any]]]:
        return [(int(key), doc) for key, doc in self._db.scan("outbox")]

    def count_unsent(self) -> int:
        return self._db.count("outbox")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one row of the outbox: accepted, failed, or (with `retry_at`) put off."""

    row: int
    lead: int
    outcome: str
    at: datetime
    detail: str = ""
    retry_at: datetime | None = None
    recipients: tuple[str, ...] | None = None  # those still to be reached, when some were
    refused: tuple[tuple[str, str], ...] = ()  # (address, reply) of those whom it will never reach, when some were
    tried: bool = True


# -- documents -------------------------------------------------------------------------------------------------------

_ENDED_BYTES = frozenset(str(status).encode() for status in ENDED)
assert Status.OFFERED not in ENDED  # noqa: S101  # the fast path above rests on it


def _pick(raw: bytes, mark: bytes) -> bytes:
    """A string field of a JSON object, found by its name. Inside another string its quotes would be escaped."""
    at = raw.find(mark)
    if at < 0:
        return b""
    start = at + len(mark)
    return raw[start : raw.index(b'"', start)]


def _goes_astray(doc: Mapping[str, Any], lead: Lead) -> bool:
    """Written to an address that has turned out not to be the client's; the right one is written to anew."""
    astray = doc["to"] == "client" and bool(lead.client) and lead.client not in doc["rcpt"] and not doc.get("part")
    return astray and doc["kind"] != "word"  # a person's own text is never lost


def _mail_from(row: int, doc: Mapping[str, Any], sender: str) -> Mail:
    first = doc.get("first")
    return Mail(
        row=row,
        lead=doc["lead"] or None,
        sender=sender,
        recipients=tuple(doc["rcpt"]),
        raw=doc["raw"].encode("ascii"),
        message_id=doc["id"],
        tries=doc.get("tries", 0),
        not_before=read_stamp(doc["after"]),
        first_tried=read_stamp(first) if first else None,
    )


def _deferred(doc: Mapping[str, Any], change: Delivery) -> dict[str, Any]:
    out = {**doc, "after": stamp(change.retry_at or change.at), "why": change.detail[:300]}
    if change.tried:
        out["tries"] = doc.get("tries", 0) + 1
        out.setdefault("first", stamp(change.at))
    if change.recipients is not None:
        out["rcpt"] = list(change.recipients)
        out["part"] = True
    return out


def _result_doc(result: Result) -> dict[str, Any]:
    return {
        "lead": result.lead,
        "kind": result.kind,
        "to": result.to,
        "outcome": result.outcome,
        "at": stamp(result.at),
        "detail": result.detail[:300],
        "leads": list(result.leads),
    }


def _result_from(row: int, doc: Mapping[str, Any]) -> Result:
    leads = tuple(doc.get("leads", ()))
    at = read_stamp(doc["at"])
    return Result(row, doc["lead"], doc["kind"], doc["to"], doc["outcome"], at, doc["detail"], leads)


def _seen_doc(seen: Seen) -> dict[str, Any]:
    """Short names: there are several of these for every lead, for years."""
    doc = {"i": seen.message_id, "a": seen.author, "d": seen.date, "l": seen.lead, "u": seen.audience, "k": seen.kind}
    doc |= {"h": seen.held, "n": seen.unproven}
    return {name: value for name, value in doc.items() if value}


def _seen_from(doc: Mapping[str, Any]) -> Seen:
    names = ("a", ""), ("d", ""), ("l", 0), ("u", ""), ("k", ""), ("h", 0), ("n", False)
    return Seen(doc["i"], *(doc.get(name, default) for name, default in names))


def _person_doc(state: PersonState) -> dict[str, Any]:
    doc: dict[str, Any] = {"key": state.key}
    if state.away_until:
        doc["away_until"] = state.away_until.isoformat()
    if state.back:
        doc["back"] = True
    if state.skills is not None:
        doc["skills"] = list(state.skills)
    if state.available_since:
        doc["available_since"] = state.available_since.isoformat()
    if state.left:
        doc["left"] = True
    if state.addresses:
        doc |= {"name": state.name, "addresses": list(state.addresses)}
    return doc


def _person_from(doc: Mapping[str, Any]) -> PersonState:
    until, since = doc.get("away_until"), doc.get("available_since")
    return PersonState(
        doc["key"],
        date.fromisoformat(until) if until else None,
        doc.get("back", False),
        tuple(doc["skills"]) if "skills" in doc else None,
        date.fromisoformat(since) if since else None,
        doc.get("left", False),
        doc.get("name", ""),
        tuple(doc.get("addresses", ())),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _held_doc(held: Held) -> dict[str, Any]:
    return {name: _plain(getattr(held, name)) for name in Held.__slots__ if getattr(held, name) not in ("", (), None)}


def _held_from(doc: Mapping[str, Any]) -> Held:
    values = {**doc, "at": read_stamp(doc["at"]), "expires": read_stamp(doc["expires"])}
    values["until"] = date.fromisoformat(doc["until"]) if doc.get("until") else None
    values["named"] = tuple(doc.get("named", ()))
    return Held(**{"who": "", "lead": 0, "line": "", **values})


def _aside_doc(aside: Aside) -> dict[str, Any]:
    return {name: _plain(getattr(aside, name)) for name in Aside.__slots__ if name != "number"}


def _aside_from(number: int, doc: Mapping[str, Any]) -> Aside:
    return Aside(number, **{**doc, "at": read_stamp(doc["at"])})


def ensure_folder(path: Path) -> None:
    """A folder of the router's own, for its eyes only."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def keep_file(folder: Path, name: str, content: bytes) -> None:
    """Keep bytes that a record will name, on disk before that record (ARCHITECTURE "Store"). Raises StoreFull."""
    target = folder / name
    if target.exists():
        return
    try:
        ensure_folder(folder)
        put_file(target, content)
    except OSError as error:
        raise not_kept(error, target) from error
