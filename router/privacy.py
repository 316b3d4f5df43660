"""Forgetting: on request, and by itself.

Job: erase a person from the store, its journal and snapshots, the mails kept beside it and the quarantine, keeping the
counts; and let go of what is older than the operator keeps. Shell.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from router.lead import Event, Lead, Letter, with_event
from router.restraint import REACHED_FOR
from router.store import Store

if TYPE_CHECKING:
    from router.office import Office

ERASED = "(erased)"
SEEN_KEPT = timedelta(days=400)


def forget(office: Office, address: str) -> str:
    """Erase everything that names `address`; answers in one sentence what was erased."""
    address = address.strip().lower()
    store = office.store
    leads = [lead for lead in store.leads() if _names(lead, address)]
    for lead in leads:
        store.put_lead(_without(lead, address, office.clock()))
    rows = [(n, doc) for n, doc in store.unsent() if address in (a.lower() for a in doc["rcpt"]) or _in(doc, address)]
    for number, doc in rows:
        store.drop_row(number, doc["lead"])
    others = 0
    for table in ("seen", "aside", "held", "quarantine", "results", "counts"):
        for number, doc in list(store.scan(table)):
            if _in(doc, address):
                if table == "quarantine":
                    _unlink(office, doc["file"])
                store.delete(table, number)
                others += 1
    store.reload_after_erasing()
    _drop_files(office, [c.sha256 for lead in leads for c in lead.carried])
    _drop_quarantined(office, address)
    store.compact()
    office.forget_world()
    return f"{address}: erased from {len(leads)} leads, {len(rows)} unsent mails and {others} other records"


def _in(doc: object, address: str) -> bool:
    return address in json.dumps(doc, ensure_ascii=False).lower()


def _names(lead: Lead, address: str) -> bool:
    texts = [lead.client, lead.text, lead.subject, lead.draft, *(letter.text for letter in lead.letters)]
    texts += [f"{event.who} {event.why}" for event in lead.events]
    return any(address in text.lower() for text in texts)


def _without(lead: Lead, address: str, now: datetime) -> Lead:
    """The lead with its numbers and times, and without the person: who, what they wrote, what was quoted of it."""
    if lead.client != address:
        return _scrubbed(lead, address)
    bare = replace(
        lead,
        client="",
        client_name="",
        subject=ERASED,
        text=ERASED,
        message_id="",
        client_thread=(),
        letters=tuple(Letter(letter.at, letter.who, ERASED) for letter in lead.letters),
        carried=(),
        draft="",
        pending=(),
        events=tuple(replace(event, why="") if event.why else event for event in lead.events),
    )
    return with_event(bare, Event(now, "the client's data was erased", "operator"))


def _scrubbed(lead: Lead, address: str) -> Lead:
    def scrub(text: str) -> str:
        return _replace(text, address)

    return replace(
        lead,
        subject=scrub(lead.subject),
        text=scrub(lead.text),
        draft=scrub(lead.draft),
        letters=tuple(replace(letter, text=scrub(letter.text)) for letter in lead.letters),
        events=tuple(replace(event, why=scrub(event.why), who=scrub(event.who)) for event in lead.events),
    )


def _replace(text: str, address: str) -> str:
    at = text.lower().find(address)
    while at >= 0:
        text = text[:at] + ERASED + text[at + len(address) :]
        at = text.lower().find(address, at + len(ERASED))
    return text


def _drop_files(office: Office, digests: Iterable[str]) -> None:
    used = {c.sha256 for lead in office.store.leads() for c in lead.carried}
    for digest in digests:
        if digest not in used:
            (office.files / digest).unlink(missing_ok=True)


def _drop_quarantined(office: Office, address: str) -> None:
    """Kept mails that name the address, whether or not their record does."""
    if not office.poison.is_dir():
        return
    for path in office.poison.glob("*.eml"):
        if address.encode() in path.read_bytes().lower():
            _unlink(office, path.stem)
            for number, doc in office.store.quarantined():
                if doc["file"] == path.stem:
                    office.store.delete("quarantine", number)
    office.store.flush()


def _unlink(office: Office, name: str) -> None:
    for suffix in (".eml", ".txt"):
        (office.poison / f"{name}{suffix}").unlink(missing_ok=True)


def expire(store: Store, months: int, now: datetime) -> int:
    """Let go of what is older than it is kept: personal data of ended leads, old Message-IDs, counts (staged)."""
    gone = 0
    for number, doc in list(store.scan("counts")):
        if doc["day"] < (now - timedelta(days=2)).date().isoformat():
            store.delete("counts", number)
            gone += 1
    for number, doc in list(store.scan("reached")):
        if doc["days"][-1] < (now - REACHED_FOR).date().isoformat():
            store.delete("reached", number)
            gone += 1
    oldest = now - timedelta(days=30.5 * months)
    if months:
        for lead in store.leads():
            if lead.ended_at is not None and lead.ended_at < oldest and lead.text != ERASED:
                store.put_lead(_without(replace(lead, client=lead.client or "-"), lead.client or "-", now))
                gone += 1
    for table, kept in (("said", SEEN_KEPT), ("aside", timedelta(days=60))):
        for number, doc in list(store.scan(table)):
            if datetime.fromisoformat(doc["at"]) < now - kept:
                store.delete(table, number)
                gone += 1
    return gone
