"""The clerk: what is done by the calendar, and what the operator asks for at the router itself.

Job: run what the almanac says is due (digest, reports, the keeper's list, housekeeping, canary, gathered offers), take
in request files that commands have written, write the health file and the tray page. Shell.

Requests are files in `<store>.requests/` (0700): written to a temporary name, fsynced, renamed; taken in order of name.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from router import bell, happiness
from router.almanac import Almanac, Daily, Every, Monthly, Rhythm, Weekly
from router.canary import NOTE, Canary, from_doc, to_doc
from router.compose import TemplateFault
from router.config import Settings
from router.decision import Decision
from router.digest import weekly_mail
from router.health import this_host
from router.ids import PROBE
from router.inbox import Met
from router.journal_files import overwrite_file, put_file
from router.lead import Lead
from router.mime import rfc5322_date, write_mail
from router.office import NotDone, Office
from router.report import monthly_mail
from router.store import ensure_folder
from router.tray import write_tray
from router.turn import Mail

log = logging.getLogger("router")

HEALTH_EVERY = 30.0  # seconds
GATHERED_IN_ONE = 50  # offers in one mail; the rest has its turn in the next


class Clerk:
    def __init__(self, settings: Settings, office: Office, tick: timedelta | None = None) -> None:
        self.settings, self.office, self.store = settings, office, office.store
        canary = (settings.canary.every.plain, settings.canary.late.plain) if settings.canary.every else ()
        tick = tick or min((timedelta(minutes=1), *canary))
        self.almanac = Almanac(self._rhythms(), office.house.calendar.zone, tick)
        self.requests = requests_folder(self.store.path)
        self._health_at, self._health_was = 0.0, ()  # type: tuple[float, tuple[object, ...]]
        self._tray_of = -1  # the last commit that the tray page shows
        self._duties: Mapping[str, Callable[[datetime], None]] = {
            "digest": self._digest,
            "report": self._report,
            "happiness": self._happiness,
            "aside": lambda moment: list_asides(self.office, moment),
            "rota": lambda moment: self.office.pass_keys(),
            "gather": lambda moment: self._gather(),
            "housekeeping": self._housekeeping,
            "canary": self._canary,
            "expire": lambda moment: self._expire_held(),
        }

    def _rhythms(self) -> dict[str, Rhythm]:
        digest, calendar = self.settings.digest, self.office.house.calendar
        rhythms: dict[str, Rhythm] = {
            "aside": Daily(self.settings.hours.start, calendar),
            "rota": Daily(self.settings.hours.start.replace(hour=0, minute=0)),
            "gather": Every(self.settings.restraint.gather.plain),
            "housekeeping": Every(timedelta(days=1)),
            "expire": Every(timedelta(minutes=10)),
        }
        if digest.day is not None:
            rhythms["digest"] = Weekly(digest.day, digest.time)
        if digest.report_day:
            rhythms["report"] = Monthly(digest.report_day, digest.time)
        if digest.happiness_day and self.settings.collective.happiness != "off":
            rhythms["happiness"] = Monthly(digest.happiness_day, digest.time)
        if self.settings.canary.every:
            rhythms["canary"] = Every(self.settings.canary.every.plain)
        return rhythms

    def tick(self) -> bool:
        """Do what the calendar says is due (staged). On the first start nothing is made up for."""
        did = False
        for name, moment in self.almanac.due(self.office.clock(), self._last):
            first = self._last(name) is None
            self.store.set_note(f"done {name}", moment.isoformat())
            if not first:
                self._duties[name](moment)
                did = True
        if self.store.note("erasing"):
            self._finish_erasing()
        if self.settings.canary.every:
            self._watch_canary()
        self._probe_plus()
        return did

    def _last(self, name: str) -> datetime | None:
        value = self.store.note(f"done {name}")
        return datetime.fromisoformat(value) if value else None

    # -- by the calendar ---------------------------------------------------------------------------------------------

    def _digest(self, moment: datetime) -> None:
        pages, to = self.office.templates, self.settings.digest.to
        self.office.commit(weekly_mail(self.office.house, self.store, self.office.world(), moment, pages, to))

    def _report(self, moment: datetime) -> None:
        pages, to = self.office.templates, self.settings.digest.report_to
        self.office.commit(monthly_mail(self.office.house, self.store, self.office.world(), moment, pages, to))

    def _happiness(self, moment: datetime) -> None:
        slot = happiness.slot_of(moment, self.office.house)
        mails = tuple((Mail("happiness", f"@{key}", {"slot": slot}), None) for key in self.office.house.members)
        self.office.commit(Decision("happiness", "the monthly question", mails=mails))

    def _gather(self) -> None:
        """The offers that a bound held back, in one mail: each client's first, so that no flood hides the others."""
        leads: list[Lead] = []
        turns: Counter[str] = Counter()
        order: dict[int, tuple[int, int]] = {}
        for number, _ in sorted(self.store.scan("gathered")):
            lead = self.store.lead(number)
            if lead is None or not lead.awaits:
                self.store.delete("gathered", number)
                continue
            leads.append(lead)
            order[number] = (turns[lead.client], number)
            turns[lead.client] += 1
        leads = sorted(leads, key=lambda lead: order[lead.id])[:GATHERED_IN_ONE]
        for lead in leads:
            self.store.delete("gathered", lead.id)
        if leads:
            slot = self.office.clock().isoformat()
            facts = {"leads": tuple(leads), "gathers": tuple(lead.id for lead in leads), "slot": slot}
            mail = Mail("gathered", "list", facts)
            self.office.commit(Decision("gathered", f"{len(leads)} offers in one mail", mails=((mail, None),)))

    def _expire_held(self) -> None:
        """Words that nobody confirmed are set aside and shown to the operator."""
        now = self.office.clock()
        late = [held for held in self.store.held_for(0) if held.expires < now]
        if late:
            self.office.commit(Decision("expired", settled=tuple(held.number for held in late)))
            names = ", ".join(sorted({held.who or held.sender for held in late})[:10])
            self.office.alert("unconfirmed", f"{len(late)} unconfirmed words, said to be from {names}, were set aside")

    def _housekeeping(self, moment: datetime) -> None:
        from router.privacy import expire

        if expire(self.office, self.settings.store.keep_months):
            self._tray_of = -1

    def _finish_erasing(self) -> None:
        """What a daemon that was killed had begun to forget."""
        from router.privacy import finish_erasing

        self.store.flush()
        finish_erasing(self.office)
        self._tray_of = -1

    # -- the canary, and the probe for plus addresses ----------------------------------------------------------------

    def _canary(self, moment: datetime) -> None:
        """One more mail to ourselves; those that never left make way for it."""
        for row, doc in self.store.unsent():
            if doc["kind"] == "canary":
                self.store.drop_row(row, 0)
        reference = self._send_to_self("canary", self.office.house.address, moment)
        self._note_canary(self._known_canary().left(reference, self.office.clock()))

    def _known_canary(self) -> Canary:
        return from_doc(self.store.note(NOTE))

    def _note_canary(self, canary: Canary) -> None:
        self.store.set_note(NOTE, to_doc(canary))

    def _watch_canary(self) -> None:
        """One alert when a canary is missing, and one all-clear when one is back."""
        known = self._known_canary()
        if known.told and known.since is None:
            self._note_canary(replace(known, told=False))
            self.office.alert("canary-back", f"a mail to ourselves has come back, at {known.back:%H:%M} UTC")
        elif not known.told and known.is_late(self.settings.canary.late.plain, self.office.clock()):
            self._note_canary(replace(known, told=True))
            self.office.alert("canary-late", f"a mail to ourselves, sent {known.since:%d %B %H:%M} UTC, is not back")

    def _probe_plus(self) -> None:
        """One mail to a plus address of our own: until it has come back, tokens are not put into addresses."""
        if self.office.house.plus_addresses is not None or self.store.plus_proven() or self.store.note("probed"):
            return
        now = self.office.clock()
        self._send_to_self("probe", self.office.house.ids.reply_address(1, PROBE), now)
        self.store.set_note("probed", now.isoformat())

    def _send_to_self(self, kind: str, to: str, moment: datetime) -> str:
        """Answers the part of its Message-ID before the @, which its loop header holds too."""
        from router.compose import Outgoing

        house = self.office.house
        message_id = house.ids.message_id(0, kind, to, int(moment.timestamp()))
        headers = [
            ("From", house.address),
            ("To", to),
            ("Subject", f"{house.name}: checking that mail arrives"),
            ("Message-ID", message_id),
            ("Auto-Submitted", "auto-generated"),
            ("X-Request-Ref", message_id.strip("<>").partition("@")[0]),
        ]
        text = f"Sent {rfc5322_date(moment)} to see that mail to this address comes back.\n"
        row = Outgoing(0, kind, to, (to,), message_id, write_mail(headers, text, "", moment))
        self.store.stage(Decision(kind), [row], now=self.office.clock())
        return message_id.strip("<>").partition("@")[0]

    # -- requests ----------------------------------------------------------------------------------------------------

    def take_requests(self) -> bool:
        """Take in what commands have asked for; each answer is written beside its request."""
        if not self.requests.is_dir():
            return False
        did = False
        for path in sorted(self.requests.glob("*.json")):
            answer = self._take_request(path)
            self.store.flush()
            path.unlink(missing_ok=True)  # first: what was done is stored, and must not be done again
            doc = {"answer": answer, "done": not isinstance(answer, NotDone)}
            try:
                put_file(path.with_suffix(".answer"), json.dumps(doc).encode())
            except OSError as error:
                log.warning("the answer to a command cannot be written: %s", error.strerror)
            did = True
        return did

    def _take_request(self, path: Path) -> str:
        try:
            request = json.loads(path.read_bytes())
            return self.answer(request)
        except (ValueError, KeyError, TypeError) as error:
            return f"the request could not be read: {error}"

    def answer(self, request: Mapping[str, Any]) -> str:
        """Do what a request asks, and say what was done."""
        match request["do"]:
            case "say":
                return self.office.do(int(request["lead"]), str(request["words"]), str(request["as"]))
            case "digest":
                self._digest(self.office.clock())
                return "the digest is on its way"
            case "forget":
                from router.privacy import Nobody, forget

                own = (self.settings.store.tray, self.settings.store.health_file)
                try:
                    said = forget(self.office, str(request["address"]), filter(None, own))
                except Nobody as nobody:
                    return NotDone(str(nobody))
                self._tray_of = -1
                self._write_tray()
                return said
            case "retry":
                return self._retry(int(request["number"]))
            case "drop":
                return self._drop(int(request["number"]))
            case other:
                return NotDone(f"unknown request {other!r}")

    def _retry(self, number: int) -> str:
        doc = self.store.get("quarantine", number)
        if doc is None:
            return NotDone(f"there is no mail {number} in quarantine")
        try:
            raw = (self.office.poison / f"{doc['file']}.eml").read_bytes()
        except OSError as error:
            return NotDone(f"the bytes of mail {number} cannot be read: {error.strerror}")
        met = Met(doc["folder"], 0, 0, datetime.fromisoformat(doc["at"]), len(raw))
        handled = self.office.take_in(raw, met)
        if handled.kind == "unreadable":
            self._drop(int(self.store.note("last quarantine")))  # one entry a mail: it stays where it stood
            return NotDone(f"mail {number} still cannot be handled: {handled.reason}")
        self._drop(number)
        return f"mail {number} is handled: {handled.kind}" + (f", bun {handled.lead}" if handled.lead else "")

    def _drop(self, number: int) -> str:
        doc = self.store.get("quarantine", number)
        if doc is None:
            return NotDone(f"there is no mail {number} in quarantine")
        self.store.delete("quarantine", number)
        self.store.flush()  # before the files: a record whose bytes are gone could not be retried
        for suffix in (".eml", ".txt"):
            (self.office.poison / f"{doc['file']}{suffix}").unlink(missing_ok=True)
        return f"mail {number} is dropped"

    # -- health ------------------------------------------------------------------------------------------------------

    def write_health(self, facts: Mapping[str, object], running: bool = True) -> None:
        """The health file, for `bun-router health` and monitors: at most every half minute, at once when it changes."""
        known = self._known_canary()
        state = (running, facts["imap"], facts["smtp"], facts["disk"], known.told)
        now = time.monotonic()
        if state == self._health_was and now - self._health_at < HEALTH_EVERY:
            return
        self._health_at, self._health_was = now, state
        self._write_tray()
        doc = {
            **facts,
            "at": self.office.clock().isoformat(),
            "running": running,
            "pid": os.getpid(),
            "host": this_host(),
            "quarantine": len(self.store.quarantined()),
            "canary": to_doc(known),
        }
        path, content = self.settings.store.health_file, json.dumps(doc).encode()
        try:
            put_file(path, content)
        except OSError:  # on a full disk it says so where it stands
            try:
                overwrite_file(path, content)
            except OSError as error:
                log.warning("the health file cannot be written: %s", error.strerror)

    def _write_tray(self) -> None:
        """The tray page, where one is wanted, whenever something was stored since it was last written."""
        path, store = self.settings.store.tray, self.store
        if path is None or store.sequence == self._tray_of:
            return
        self._tray_of = store.sequence
        try:
            write_tray(path, self.office.house, store, self.office.world(), self.office.templates)
        except OSError as error:
            log.warning("the tray page cannot be written: %s", error.strerror)
        except TemplateFault as fault:
            log.warning("the tray page cannot be made: tray.html: %s", fault)


def requests_folder(store: Path) -> Path:
    return store.with_name(store.name + ".requests")


def leave_request(store: Path, request: Mapping[str, Any]) -> Path:
    """Write a request for the running daemon; answers the path at which its answer will appear."""
    folder = requests_folder(store)
    ensure_folder(folder)
    path = folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
    put_file(path, json.dumps(dict(request)).encode())
    bell.ring(folder)
    return path.with_suffix(".answer")


def list_asides(office: Office, moment: datetime) -> None:
    """What was set aside, once each working day, to the keeper."""
    store = office.store
    fresh = [aside for aside in store.asides() if not aside.listed]
    junk = int(store.note("junk") or 0)
    store.drop_note("junk")
    if not fresh and not junk:
        return
    keeper = office.world().keeper
    to = f"@{keeper}" if keeper else "list"
    mail = Mail("aside", to, {"items": tuple(fresh[:200]), "junk": junk, "slot": moment.isoformat()})
    listed = tuple(replace(aside, listed=True) for aside in fresh)
    office.commit(Decision("aside", f"{len(fresh)} mails set aside", mails=((mail, None),), aside=listed))
