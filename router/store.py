"""The store: what the router remembers, and one commit for everything that a decision changes.

Job: answer `View` with values, take Decisions in and write them as ONE record (leads, outbox, seen Message-ID, words
held, mail to be filed), hand out unsent mail, take delivery results in. Shell. Its parts: `staging` (the batch in the
making), `rows` (the outbox), `lead_index` (what makes each question about leads flat in cost), `documents` (the stored
form of all but leads).

Threads: the mail thread stages and flushes; the sending thread calls `take` and `mark`. One lock around append, fsync
and apply, never held during network I/O.

Invariant: a decision is in the journal, whole, or it never happened. `stage` collects decisions, `flush` writes them in
one record.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from router import happiness, progress
from router.compose import Outgoing
from router.decision import Decision
from router.delivery import Mail
from router.documents import (
    Cursor,
    Delivery,
    Filing,
    Result,
    aside_doc,
    aside_from,
    held_doc,
    held_from,
    key_of,
    person_doc,
    person_from,
    seen_doc,
    seen_from,
)
from router.journal import JournalDB
from router.journal_files import not_kept, put_file
from router.lead import Lead, from_doc, stamp
from router.lead_index import LeadIndex
from router.rows import Rows
from router.staging import Staging
from router.turn import Mail as Intent
from router.view import Aside, Held, PersonState, Seen

__all__ = ["Cursor", "Delivery", "Filing", "Result", "Store", "ensure_folder", "keep_file", "key_of"]

LEADS_IN_MEMORY = 256  # parsed leads kept at hand; they are frozen, so sharing them is safe


class Store:
    """The documents and their indexes. Implements `view.View`."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Raises journal.StoreError (locked, damaged, newer, full) with one sentence."""
        self.path = path
        self._db = JournalDB(path, read_only=read_only)
        self._lock = threading.RLock()
        self._staging = Staging(self._db)
        self._rows = Rows(self._db, self._staging, self._lock)
        self._cache: dict[int, Lead] = {}
        self._read()

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

    def _read(self) -> None:
        """Everything that is kept in memory, as the journal has it."""
        self._cache.clear()
        self._index = LeadIndex()
        leads = self._db.scan_raw("leads")
        for number, raw in progress.walk("indexing the leads", leads, self._db.count("leads")):
            self._index.add_raw(number, raw)
        self._index.sort()
        self._held = {int(k): held_from(d) for k, d in self._db.scan("held")}
        self._people = {d["key"]: person_from(d) for _, d in self._db.scan("people")}
        self._notes = {d["name"]: d["value"] for _, d in self._db.scan("notes")}
        self._filing = {int(k): Filing(int(k), d["f"], d["v"], d["u"], d["t"]) for k, d in self._db.scan("filing")}
        self._rows.read()
        numbers = self._staging.numbers
        numbers.clear()
        for table in ("outbox", "filing", "results", "quarantine", "leads"):
            numbers[table] = self._db.last_number(table)
        for table in ("held", "aside", "quarantine", "leads"):
            numbers[table] = max(numbers[table], int(self._notes.get(f"last {table}", 0)))

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
        while len(self._cache) > LEADS_IN_MEMORY and not self._staging.puts:
            self._cache.pop(next(iter(self._cache)))

    def count_leads(self) -> int:
        return self._db.count("leads")

    def lead_numbers(self) -> list[int]:
        return [int(key) for key in self._db.keys("leads")]

    def leads(self) -> Iterator[Lead]:
        numbers = self.lead_numbers()
        for number in progress.walk("looking through the leads", numbers, len(numbers)):
            lead = self.lead(number)
            if lead is not None:
                yield lead

    def seen(self, message_id: str) -> Seen | None:
        doc = self._staging.doc("seen", key_of(message_id))
        for each in (doc, *(doc or {}).get("more", ())):
            if each and each["i"] == message_id:
                return seen_from(each)
        return None

    def leads_of_client(self, address: str) -> Sequence[int]:
        return self._index.of_client(address)

    def leads_at_domain(self, domain: str) -> Sequence[int]:
        return self._index.at_domain(domain)

    def lead_with_text(self, mark: str) -> int | None:
        return self._index.with_text(mark)

    def held(self, number: int) -> Held | None:
        return self._held.get(number)

    def held_for(self, lead: int) -> Sequence[Held]:
        """The words that wait to be confirmed on this lead; on any lead for 0."""
        return tuple(held for held in self._held.values() if lead in (0, held.lead))

    def aside(self, number: int) -> Aside | None:
        doc = self._staging.doc("aside", number) if number > 0 else None
        return aside_from(number, doc) if doc else None

    def asides(self) -> list[Aside]:
        return [aside_from(int(key), doc) for key, doc in self._db.scan("aside")]

    def people_states(self) -> Mapping[str, PersonState]:
        return dict(self._people)

    def taken_since(self, moment: datetime) -> Mapping[str, int]:
        return self._index.taken_since(moment)

    def last_taken(self) -> Mapping[str, datetime]:
        return self._index.last_taken()

    @property
    def takings(self) -> int:
        """Grows with each award, so that others see when what they know of them is old."""
        return self._index.takings

    def open_leads(self) -> Sequence[Lead]:
        found = (self.lead(number) for number in list(self._index.open))
        return tuple(lead for lead in found if lead is not None)

    def next_number(self, table: str) -> int:
        return self._staging.numbers[table] + 1

    def plus_proven(self) -> bool:
        return bool(self._notes.get("plus proven"))

    def said_once(self, what: str) -> bool:
        return self._staging.doc("said", key_of(what)) is not None

    def note(self, name: str) -> Any:
        """A small fact kept by name, or None."""
        return self._notes.get(name)

    # -- due times ---------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """The earliest moment at which a lead has something due."""
        due = self._index.next_due(self.lead)
        return due[0] if due else None

    def due_leads(self, until: datetime) -> Lead | None:
        """The lead whose due moment is the earliest at or before `until`."""
        due = self._index.next_due(self.lead)
        return self.lead(due[1]) if due is not None and due[0] <= until else None

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
        staging = self._staging
        with self._lock:
            for lead in decision.leads:
                self._put_lead(lead)
            for row in rows:
                self._rows.put(row, now)
            if decision.seen is not None:
                self._put_seen(decision.seen)
            for state in decision.people:
                self._people[state.key] = state
                staging.put("people", key_of(state.key), person_doc(state))
            for held in decision.held:
                self._held[held.number] = held
                self._count_up("held", held.number)
                staging.put("held", held.number, held_doc(held))
            for number in decision.settled:
                self._held.pop(number, None)
                staging.delete("held", number)
            for aside in decision.aside:
                self._count_up("aside", aside.number)
                staging.put("aside", aside.number, aside_doc(aside))
            for answer in decision.answers:
                staging.put("happiness", key_of(answer.mark), happiness.to_doc(answer))
            for what in decision.said:
                staging.put("said", key_of(what), {"what": what, "at": stamp(now)})
            for name, value in (decision.notes or {}).items():
                self.set_note(name, value)
            if decision.plus_proven and not self.plus_proven():
                self.set_note("plus proven", stamp(now))
            if filing is not None:
                doc = {"f": filing.folder, "v": filing.uidvalidity, "u": filing.uid, "t": filing.to}
                row_number = staging.append("filing", doc)
                self._filing[row_number] = replace(filing, row=row_number)
            for number in settled_results:
                self._rows.settle(number)

    def _put_lead(self, lead: Lead) -> None:
        numbers = self._staging.numbers
        numbers["leads"] = max(numbers["leads"], lead.id)
        before = self._cache.get(lead.id) or (self.lead(lead.id) if lead.id in self._index.open else None)
        self._staging.put("leads", lead.id, lead)  # written out at the flush: one bun may change many times before
        self._remember(lead)
        self._index.add(lead, before)
        self._rows.drop_outgrown(lead)

    def _put_seen(self, seen: Seen) -> None:
        doc, key = seen_doc(seen), key_of(seen.message_id)
        old = self._staging.doc("seen", key)
        if old is not None:
            kept = [each for each in ({**old, "more": []}, *old.get("more", ())) if each["i"] != seen.message_id]
            if kept:
                doc["more"] = kept
        self._staging.put("seen", key, doc)

    def _count_up(self, table: str, number: int) -> None:
        """Numbers in reply addresses are never used twice, also after the document is gone."""
        numbers = self._staging.numbers
        numbers[table] = max(numbers[table], number)
        self.set_note(f"last {table}", numbers[table])

    def set_note(self, name: str, value: Any) -> None:
        self._notes[name] = value
        self._staging.put("notes", key_of(name), {"name": name, "value": value})

    def drop_note(self, name: str) -> None:
        if self._notes.pop(name, None) is not None:
            self._staging.delete("notes", key_of(name))

    def put(self, table: str, key: int, doc: Mapping[str, Any]) -> None:
        """Stage one document of a table that has no decisions of its own (quarantine, counts)."""
        numbers = self._staging.numbers
        numbers[table] = max(numbers[table], key) if key < 1 << 40 else numbers[table]
        self._staging.put(table, key, dict(doc))

    def get(self, table: str, key: int) -> dict[str, Any] | None:
        return self._staging.doc(table, key)

    def scan(self, table: str) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((int(key), doc) for key, doc in self._db.scan(table))

    def quarantined(self) -> list[tuple[int, dict[str, Any]]]:
        """Mails that could not be handled, by number."""
        return list(self.scan("quarantine"))

    def delete(self, table: str, key: int) -> None:
        self._staging.delete(table, key)

    @property
    def has_staged(self) -> bool:
        return not self._staging.is_empty

    def flush(self) -> bool:
        """Write all that is staged as one record under one fsync; answers whether there was anything.

        Raises journal.StoreFull when the disk refuses: nothing of the batch is kept, and it may be tried again.
        """
        with self._lock:
            if not self.has_staged:
                return False
            try:
                self._db.commit_many([self._staging.hand_over()])
            except BaseException:
                self._read()
                raise
            return True

    def put_lead(self, lead: Lead) -> None:
        """Stage one changed lead outside a decision (erasing)."""
        with self._lock:
            self._put_lead(lead)

    def reload_after_erasing(self) -> None:
        """Write what is staged and build the indexes anew, so that nothing erased is left in memory."""
        with self._lock:
            self.flush()
            self._read()

    def flush_works(self) -> bool:
        """Whether something can be written now: tried with a small note, so that all-clear is only said when it is."""
        with self._lock:
            self.set_note("writable", (self._notes.get("writable") or 0) + 1)
            return self.flush()

    def discard(self) -> None:
        """Forget what is staged, as if it had never been decided."""
        with self._lock:
            if self.has_staged:
                self._staging.forget()
                self._read()  # rare, so it may cost a full reading

    # -- filing ------------------------------------------------------------------------------------------------------

    def unfiled(self) -> list[Filing]:
        return list(self._filing.values())

    def filed(self, rows: Iterable[int]) -> None:
        """These are where they belong. Staged only: if that is lost, they are filed again or found missing."""
        with self._lock:
            for row in rows:
                self._filing.pop(row, None)
                self._staging.delete("filing", row)

    def cursor(self, folder: str) -> Cursor | None:
        value = self._notes.get(f"cursor {folder}")
        return Cursor(folder, value[0], value[1]) if value else None

    def set_cursor(self, cursor: Cursor) -> None:
        if self.cursor(cursor.folder) != cursor:
            self.set_note(f"cursor {cursor.folder}", [cursor.uidvalidity, cursor.uid])

    # -- the outbox --------------------------------------------------------------------------------------------------

    def take(self, count: int, now: datetime, sender: str) -> list[Mail]:
        """Up to `count` unsent mails that are due; they are in flight until they are marked (sending thread)."""
        return self._rows.take(count, now, sender)

    def mark(self, changes: Sequence[Delivery]) -> None:
        """Store what became of mails that were in flight, in one record. Raises journal.StoreFull: nothing is kept."""
        self._rows.mark(changes)

    @property
    def in_flight(self) -> int:
        return len(self._rows.flying)

    def drop_row(self, row: int, lead: int, *, in_flight: bool = False) -> None:
        """Stage the removal of an unsent mail; with `in_flight` also of one that is just leaving, for the last time."""
        with self._lock:
            self._rows.drop(row, lead, in_flight=in_flight)

    def grown_old(self, now: datetime) -> list[tuple[int, int, Intent]]:
        """(row, lead, intent) of waiting mails that are to be written anew by now."""
        return self._rows.grown_old(now)

    def write_anew(self, row: int, mails: Iterable[Outgoing]) -> None:
        """Stage the mail of these that this row holds, in place of what waits there."""
        self._rows.write_anew(row, mails)

    def stage_failed(self, mails: Iterable[Outgoing], now: datetime) -> None:
        """Mails that will never leave, whose leads wait for them: as if the server had refused them (staged)."""
        self._rows.stage_failed(mails, now)

    def results(self) -> list[Result]:
        """Delivery results that the mail thread has not taken in yet, oldest first."""
        return self._rows.results()

    def has_results(self) -> bool:
        return self._rows.has_results()

    def can_send(self, now: datetime, line_works: bool) -> bool:
        """Whether mail is in flight, or due and the line works: something may still change without new mail."""
        return self._rows.can_send(now, line_works)

    def untried(self, lead: int, kind: str) -> int:
        """How many mails of this kind for this lead have not even been tried."""
        return self._rows.waiting(lead, kind, untried=True)

    def waiting(self, lead: int, kind: str) -> int:
        """How many mails of this kind for this lead have neither left nor failed."""
        return self._rows.waiting(lead, kind)

    def unsent(self) -> list[tuple[int, dict[str, Any]]]:
        return list(self.scan("outbox"))

    def count_unsent(self) -> int:
        return self._db.count("outbox")


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
