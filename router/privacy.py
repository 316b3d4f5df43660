"""Forgetting: on request, and by itself.

Job: erase a person from the store, its journal and snapshots, the files that mails and commands have left beside it,
keeping the counts; and let go of what is older than the operator keeps. Shell. What is taken out of a lead is
`erasure.py`'s to say; mails on the mail server are the command's to list and delete.

Invariants: when `forget` has answered, no byte of the person is left in the store's own files, also not in the journal:
it is written anew. What is not ours to change (a configuration, an export somebody made) is named in the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from router.decision import Decision
from router.erasure import ERASED, Subject, full_name, strike, without_client, without_words
from router.headers import read_date
from router.journal_repair import damaged_copies
from router.lead import Lead, Status
from router.message import MessageError, read_message
from router.turn import Cue, Turn

if TYPE_CHECKING:
    from router.office import Office

SEEN_KEPT = timedelta(days=400)
ASIDE_KEPT = timedelta(days=60)
ANSWER_KEPT = timedelta(days=1)
LOOKED_INTO = 50_000_000  # bytes of a file beside the store that are searched
ERASING = "erasing"  # the note that stands while the store's files still hold what was taken out
_ADDRESS = re.compile(r"(?:\"[^\"\n]{1,64}\"|[^\s@<>,;]+)@[^\s@<>,;]+")
_RECORDS = ("seen", "aside", "held", "results", "said", "happiness")


# -- on request ------------------------------------------------------------------------------------------------------


class Nobody(Exception):
    """What was given is no mail address, and no colleague's key."""


def forget(office: Office, address: str, rewritten: Iterable[Path] = ()) -> str:
    """Erase everything of the person who has `address`; answers in one sentence, without naming them.

    `address`: a mail address, or the key of somebody who is or was on the roster. `rewritten`: files that the caller
    writes anew right after. Raises Nobody before anything is touched.
    """
    office.store.flush()
    subject = _subject(office, address.strip().lower())
    own, others = _leads_of(office, subject)
    if subject.alias:
        office.store.set_note("last former", int(subject.alias.rpartition("-")[2]))
    mails = _drop_rows(office, own, subject)
    for lead in own:
        _erase(office, lead)
    for lead in others:
        kept = tuple(each for each in lead.carried if not _file_names(office.files / each.sha256, subject))
        office.store.put_lead(without_words(replace(lead, carried=kept), subject))
    records = _drop_records(office, subject) + _drop_quarantined(office, subject)
    beside = set(_drop_files_beside(office, subject))  # files first: the store still knows whose they are
    left = sorted(beside - {path.absolute() for path in rewritten})
    office.store.set_note(ERASING, True)
    office.store.reload_after_erasing()
    finish_erasing(office)
    return _answer(len(own) + len(others), mails, records, subject, office, left)


def preview(office: Office, address: str) -> str:
    """What `forget` would take out of the leads, as a sentence. Raises Nobody."""
    subject = _subject(office, address.strip().lower())
    own, others = _leads_of(office, subject)
    still_open = sum(lead.is_open for lead in own)
    ends = f" ({still_open} still open, which would end)" if still_open else ""
    return f"buns of theirs: {len(own)}{ends}; of others that name them: {len(others)}"


def _leads_of(office: Office, subject: Subject) -> tuple[list[Lead], list[Lead]]:
    """Those whose client the person is, and those that name them otherwise."""
    own: list[Lead] = []
    others: list[Lead] = []
    for lead in office.store.leads():
        if lead.client and lead.client in subject.addresses:
            own.append(lead)
        elif _names(lead, subject):
            others.append(lead)
    return own, others


def finish_erasing(office: Office) -> None:
    """Write the store anew where something was erased, so that neither journal nor snapshot holds it any more.

    Whoever was killed half-way finds it noted, and the files that no lead carries any more go as well.
    """
    if not office.store.note(ERASING):
        return
    _drop_carried(office, [path.name for path in office.files.glob("*")] if office.files.is_dir() else [])
    office.store.compact()
    office.store.drop_note(ERASING)
    office.store.flush()
    office.forget_world()


def _answer(leads: int, mails: int, records: int, subject: Subject, office: Office, left: Iterable[Path]) -> str:
    said = f"erased from {leads} leads, {mails} unsent mails and {records} other records"
    if subject.key in office.house.members and subject.key:
        said += "; the person is on the roster, so name and addresses stay in the configuration"
    names = ", ".join(sorted(str(path) for path in left))
    return said + (f"; these files are not the router's and name the person: {names}" if names else "")


def _subject(office: Office, address: str) -> Subject:
    """Everything by which this person is known here."""
    house, states = office.house, office.store.people_states()
    key = house.people_by_address.get(address) or next(
        (state.key for state in states.values() if address in (*state.addresses, state.key)), ""
    )
    if not key and not _ADDRESS.fullmatch(address):
        raise Nobody(f"{address!r} is no mail address, and nobody's key; nothing was erased")
    if not key:
        names = {lead.client_name for lead in office.store.leads() if lead.client == address}
        names |= {aside.name for aside in office.store.asides() if aside.sender == address}
        return Subject((address,), tuple(sorted(filter(None, map(full_name, names)))))
    state, member = states.get(key), house.members.get(key)
    addresses = dict.fromkeys((address, *(state.addresses if state else ()), *(member.addresses if member else ())))
    name = full_name(member.name if member else state.name if state else "")
    alias = "" if member else f"former-{int(office.store.note('last former') or 0) + 1}"
    known = tuple(each for each in addresses if "@" in each)
    return Subject(known, (name,) if name and alias else (), key, alias)


def _names(lead: Lead, subject: Subject) -> bool:
    if subject.key and _speaks_as(lead, subject.key):
        return True
    texts = [lead.text, lead.subject, lead.draft, lead.client_name, *(letter.text for letter in lead.letters)]
    texts += [text for event in lead.events for text in (event.who, event.what, event.why)]
    texts += [claim.line for claim in lead.claims]
    texts += [text for each in lead.pending for text in (each.line, each.text)]
    pattern = subject.pattern
    return any(pattern.search(text) for text in texts)


def _speaks_as(lead: Lead, key: str) -> bool:
    doc = (lead.owner, lead.own, *lead.team, *lead.invited, *lead.joined, *lead.asked, *lead.named, *lead.counts)
    whos = [claim.who for claim in lead.claims] + [each.who for each in lead.passes]
    whos += [event.who for event in lead.events] + [letter.who for letter in lead.letters]
    return any(key in text for text in (*doc, *whos))


def _erase(office: Office, lead: Lead) -> None:
    """The lead without its client. One that is open ends, and who works on it hears so, in words that name nobody."""
    now = office.clock()
    if not lead.is_open:
        office.store.put_lead(without_client(lead, now))
        return
    turn = Turn(without_client(lead, now), Cue("withdrawn", now, by="operator"), office.world())
    turn.end(Status.THROWN, "withdrawn")
    turn.set(timers={}, pending=(), awaits="", hold_until=None)  # nobody is left to whom anything was promised
    turn.tell("outcome", (*lead.claimants, *lead.team, lead.owner), what="erased", people=(), why="")
    mails = tuple((mail, turn.lead) for mail in turn.mails)
    office.commit(Decision("erased", "the client is forgotten", leads=(turn.lead,), mails=mails))


def _drop_rows(office: Office, leads: Iterable[Lead], subject: Subject) -> int:
    """Unsent mails about the person's leads, and those that name the person or one of these leads."""
    numbers = {lead.id for lead in leads}
    words = office.house.words
    tags = tuple(f"[{words[prefix]} {number}]" for number in numbers for prefix in ("BUN", "DOU"))
    count = 0
    for row, doc in office.store.unsent():
        about = doc["lead"] in numbers or not numbers.isdisjoint(doc.get("leads", ()))
        said = "" if about else _said(doc["raw"].encode("ascii"))
        if about or _in(doc, subject) or subject.pattern.search(said) or any(tag in said for tag in tags):
            office.store.drop_row(row, doc["lead"], in_flight=True)
            count += 1
    return count


def _said(raw: bytes) -> str:
    """All that a mail says and names, decoded."""
    try:
        message = read_message(raw)
    except MessageError:
        return ""
    people = (message.sender, *message.reply_to, *message.to, *message.cc)
    return " ".join([message.text, message.subject, *(f"{each.name} {each.address}" for each in people)])


def _in(doc: object, subject: Subject) -> bool:
    return subject.pattern.search(json.dumps(doc, ensure_ascii=False)) is not None


def _drop_records(office: Office, subject: Subject) -> int:
    """Records that name the person go; notes and named answers lose what names them."""
    store, count = office.store, 0
    for table in _RECORDS:
        if table == "seen" and subject.key in office.house.members and subject.key:
            continue  # a colleague's own mails stay known, or they would be read again
        for number, doc in list(store.scan(table)):
            mine = bool(subject.alias) and subject.key in (doc.get("who"), *str(doc.get("what", "")).split())
            if mine or _in(doc, subject):
                store.delete(table, number)
                count += 1
    for number, doc in list(store.scan("people")):
        if doc["key"] == subject.key and subject.alias:
            store.delete("people", number)
            count += 1
    for _, doc in list(store.scan("notes")):
        if _in(doc["value"], subject):
            store.set_note(doc["name"], strike(doc["value"], replace(subject, alias="")))
            count += 1
    return count


def _file_names(path: Path, subject: Subject) -> bool:
    """Whether the bytes of a file name the person, as they stand or as the text of a mail."""
    try:
        if not path.is_file() or path.stat().st_size > LOOKED_INTO:
            return False
        raw = path.read_bytes()
    except OSError:
        return False
    if subject.pattern.search(raw.decode("utf-8", "replace")):
        return True
    return path.suffix == ".eml" and subject.pattern.search(_said(raw)) is not None


def _drop_quarantined(office: Office, subject: Subject) -> int:
    """Kept mails that name the person, whether or not their record does."""
    count = 0
    for number, doc in list(office.store.quarantined()):
        path = office.poison / f"{doc['file']}.eml"
        if _in(doc, subject) or _file_names(path, subject) or _file_names(path.with_suffix(".txt"), subject):
            _drop_quarantine(office, number, doc["file"])
            count += 1
    for path in sorted(office.poison.glob("*")) if office.poison.is_dir() else ():
        if _file_names(path, subject):
            _unlink(path.with_suffix(".eml"), path.with_suffix(".txt"))
    return count


def _drop_quarantine(office: Office, number: int, file: str) -> None:
    office.store.delete("quarantine", number)
    _unlink(office.poison / f"{file}.eml", office.poison / f"{file}.txt")


def _unlink(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _drop_carried(office: Office, digests: Iterable[str]) -> None:
    used = {carried.sha256 for lead in office.store.leads() for carried in lead.carried}
    _unlink(*(office.files / digest for digest in digests if digest not in used))


def _drop_files_beside(office: Office, subject: Subject) -> list[Path]:
    """Copies that a repair has kept, answers that nobody has fetched; and what else there names the person."""
    store = office.store.path.absolute()
    _unlink(*(path for path in damaged_copies(store) if _file_names(path, subject)))
    left = []
    for path in _files_below(store.parent):
        if path.name.startswith(store.name) and path.parent == store.parent:
            continue  # the store itself, which is written anew
        if _file_names(path, subject):
            if path.parent.name == f"{store.name}.requests" and path.suffix == ".answer":
                _unlink(path)
            elif path.parent.name != f"{store.name}.requests":
                left.append(path)
    return left


def _files_below(folder: Path) -> Iterator[Path]:
    """The files in a folder and in the folders of the store in it; not a whole home folder."""
    for path in sorted(folder.iterdir()):
        if path.is_file():
            yield path
        elif path.is_dir() and path.name.endswith((".requests", ".quarantine")):  # kept files go with their leads
            yield from (each for each in sorted(path.iterdir()) if each.is_file())


# -- by itself -------------------------------------------------------------------------------------------------------


def expire(office: Office, months: int) -> int:
    """Let go of what is older than it is kept: personal data of ended leads, old Message-IDs, asides, answers."""
    store, now = office.store, office.clock()
    store.flush()
    gone = _expire_leads(office, now - timedelta(days=30.5 * months), now) if months else 0
    for number, doc in list(store.scan("counts")):
        if doc["day"] < (now - timedelta(days=2)).date().isoformat():
            store.delete("counts", number)
    for table, kept in (("said", SEEN_KEPT), ("aside", ASIDE_KEPT)):
        for number, doc in list(store.scan(table)):
            if datetime.fromisoformat(doc["at"]) < now - kept:
                store.delete(table, number)
                gone += table == "aside"
    requests = store.path.with_name(f"{store.path.name}.requests")
    for path in requests.glob("*.answer") if requests.is_dir() else ():
        if path.stat().st_mtime < (now - ANSWER_KEPT).timestamp():
            _unlink(path)
    if gone:
        store.set_note(ERASING, True)
    store.flush()
    finish_erasing(office)
    return gone


def _expire_leads(office: Office, oldest: datetime, now: datetime) -> int:
    store = office.store
    ended = [lead for lead in store.leads() if lead.ended_at and lead.ended_at < oldest and lead.text != ERASED]
    numbers = {lead.id for lead in ended}
    for lead in ended:
        store.put_lead(without_client(lead, now))
    gone = len(ended)
    for number, doc in list(store.scan("seen")):
        if doc.get("l", 0) in numbers or (not doc.get("l") and _is_old(doc.get("d", ""), min(oldest, now - SEEN_KEPT))):
            store.delete("seen", number)
            gone += 1
    for number, doc in list(store.quarantined()):
        if datetime.fromisoformat(doc["at"]) < oldest:
            _drop_quarantine(office, number, doc["file"])
            gone += 1
    return gone


def _is_old(date: str, oldest: datetime) -> bool:
    """By the Date of the mail itself; one without a readable Date, or from the future, is kept."""
    written = read_date(date)
    return written is not None and written < oldest
