"""The office: one mail, one timer, one result at a time, decided and stored.

Job: everything between bytes that were fetched and rows that wait in the outbox: read, triage, decide, compose, weigh,
stage. The daemon brings the bytes and the time; tests and the simulator drive the same office without a network.
Shell: it commits to the store. May import the core and the store; no socket, no thread.

Invariants: what a mail leads to is staged whole; a mail that breaks us is put aside with its reason and never stops
the next one; nothing due is decided before `heard` says that all mail that could matter has been read.
"""

from __future__ import annotations

import hashlib
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from router import protocol, roster
from router.commands import Command
from router.compose import Outgoing, Templates, compose
from router.decide import decide
from router.decision import Decision, of_outcome, said_on
from router.house import House
from router.inbox import Met
from router.journal import StoreError
from router.lead import Carried, Event, Lead, with_event
from router.message import Message, MessageError, read_message
from router.mime import Attached
from router.people import build_world
from router.restraint import REACHED_FOR, STOPPED, Weighed, weigh
from router.retold import anew_at, as_of_now
from router.store import Filing, Result, Store, keep_file, key_of
from router.triage import read_words, triage
from router.turn import Cue, Mail, World
from router.typed import is_refused, tell_outcome, tell_unclear
from router.verdict import Incoming, Verdict

log = logging.getLogger("router")
_ADDRESS = re.compile(r"[^\s<>,;:]+@[^\s<>,;:]+")  # of people, who are nobody's business in a log

CARRY_CAP = 20 * 1024 * 1024  # bytes of attachments that go along with one mail
CARRYING = frozenset({"request", "form", "forward", "post", "follow-up"})
COUNTED_ON = frozenset({"handover", "word", "unreachable"})  # somebody believes that these have been read
TO_EVERYBODY = frozenset({"offer", "back", "second-call", "last-call", "gathered", "decide", "contest", "unless"})
POISON_IN_A_ROW = 3
ALERTS_A_DAY = 30


class OurBug(Exception):
    """A healthy mail cannot be handled either: the fault is ours, and we stop before we drain good mail."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one mail, for the log and for whoever watches."""

    kind: str
    reason: str
    lead: int = 0
    decision: Decision | None = None
    verdict: Verdict | None = None
    rows: tuple[Outgoing, ...] = ()


class NotDone(str):
    """An answer to the operator that says why nothing was done."""

    __slots__ = ()


class Office:
    """Decides and stores. `clock` gives now, aware UTC; `watch` is told of everything that is decided."""

    def __init__(
        self,
        house: House,
        store: Store,
        templates: Templates,
        clock: Callable[[], datetime],
        watch: Callable[[Handled], None] = lambda _: None,
    ) -> None:
        self.house, self.store, self.templates, self.clock, self.watch = house, store, templates, clock, watch
        self.files = store.path.with_name(store.path.name + ".mail")
        self.poison = store.path.with_name(store.path.name + ".quarantine")
        self._world: World | None = None
        self._broken_in_a_row = 0

    # -- the world ---------------------------------------------------------------------------------------------------

    def world(self) -> World:
        """The world at this moment; what changes slowly is worked out again only when it may have changed."""
        now = self.clock()
        world = self._world
        if world is None or now - world.now > timedelta(seconds=1) or now < world.now:
            world = build_world(self.house, self.store, now)
        else:
            world = replace(world, now=now)
        self._world = world
        return world

    def forget_world(self) -> None:
        """What was worked out before may name somebody who was erased."""
        self._world = None

    @property
    def plus(self) -> bool:
        """Whether reply addresses with tokens may be used."""
        proven = self.store.plus_proven()
        return proven if self.house.plus_addresses is None else self.house.plus_addresses

    # -- mail --------------------------------------------------------------------------------------------------------

    def take_in(self, raw: bytes, met: Met, place: str = "inbox", partial: bool = False) -> Handled:
        """Handle one mail: staged, not yet flushed. Whatever is wrong with it, it is dealt with here."""
        try:
            message = read_message(raw, partial=partial)
        except MessageError as error:
            return self._quarantine(raw, met, str(error), "")
        try:
            handled = self._decide(message, raw, met, place)
        except StoreError:
            raise  # the disk's fault, not the mail's
        except Exception as error:
            log.error("a mail (UID %s in %s) could not be handled: %s", met.uid, met.folder, type(error).__name__)
            return self._break(raw, met, message, error)
        self._broken_in_a_row = 0
        return handled

    def _decide(self, message: Message, raw: bytes, met: Met, place: str) -> Handled:
        incoming = Incoming(message, met.received, place)
        verdict = triage(incoming, self.house, self.store)
        carried, files = self._carried(message, raw) if verdict.kind in CARRYING else ((), ())
        decision = decide(incoming, verdict, self.house, self.store, self.world(), carried, files)
        handled = self.commit(decision, verdict=verdict, filing=self._filing(met, decision.file_to))
        if decision.people:  # somebody has come or gone
            self.pass_keys()
        return handled

    def _filing(self, met: Met, role: str) -> Filing | None:
        return Filing(0, met.folder, met.uidvalidity, met.uid, role) if role and met.uid else None

    def _carried(self, message: Message, raw: bytes) -> tuple[tuple[Carried, ...], tuple[tuple[str, bytes], ...]]:
        """The files that go along with a request; the whole mail where it could not be read in full."""
        found = [
            (part.filename or "attachment", part.content_type, part.content)
            for part in message.parts
            if part.content and (part.filename or part.disposition == "attachment")
        ]
        found += [("attached.eml", "message/rfc822", attached) for attached in message.attached]
        if message.note:
            found.append(("original.eml", "message/rfc822", raw))
        carried, files, total = [], [], 0
        for name, content_type, content in found[:50]:
            total += len(content)
            if total > CARRY_CAP:
                break
            digest = hashlib.sha256(content).hexdigest()
            carried.append(Carried(name[:150], content_type[:100], len(content), digest))
            files.append((digest, content))
        return tuple(carried), tuple(files)

    # -- storing what was decided ------------------------------------------------------------------------------------

    def commit(
        self,
        decision: Decision,
        *,
        verdict: Verdict | None = None,
        filing: Filing | None = None,
        results: Iterable[int] = (),
    ) -> Handled:
        """Compose, weigh and stage a decision. Its files are on disk before the record that names them."""
        now = self.clock()
        world = self.world()
        for digest, content in decision.files:
            keep_file(self.files, digest, content)
        rows = [row for mail, lead in decision.mails for row in self._compose(mail, lead, world)]
        weighed = weigh(
            rows, lambda name: self._count(name, now), self.house, lambda name: len(self._days_reached(name, now))
        )
        decision = self._silenced(decision, weighed, now)
        takings = self.store.takings
        self.store.stage(decision, weighed.go, now=now, filing=filing, settled_results=results)
        for name in weighed.added:
            self._add_count(name, now)
        for name in weighed.reached:
            today = now.date().isoformat()
            self.store.put("reached", key_of(name), {"days": [*self._days_reached(name, now), today]})
        for row in weighed.gathered:
            self.store.put("gathered", row.lead, {"kind": row.kind})
        self.store.stage_failed(self._awaited(weighed, decision), now)
        if decision.people or self.store.takings != takings:
            self._world = None
        lead = decision.leads[0].id if decision.leads else 0
        handled = Handled(decision.kind, decision.reason, lead, decision, verdict, weighed.go)
        self.watch(handled)
        return handled

    def _compose(self, mail: Mail, lead: Lead | None, world: World) -> list[Outgoing]:
        rows = compose(mail, lead, world, self.house, self.templates, self.plus, self._attached(mail, lead))
        anew = anew_at(mail, lead, world.now) if lead is not None else None
        return [replace(row, intent=mail, anew_at=anew) for row in rows] if anew is not None else rows

    def tell_anew(self) -> None:
        """What has waited in the outbox until it is hardly true any more is written as of now (staged)."""
        for row, number, mail in self.store.grown_old(self.clock()):
            world, lead = self.world(), self.store.lead(number)
            rows = self._compose(as_of_now(mail, lead, world), lead, world) if lead is not None else []
            self.store.write_anew(row, rows)

    def _attached(self, mail: Mail, lead: Lead | None) -> list[Attached]:
        out: list[Attached] = []
        for digest in mail.facts.get("attach") or ():
            known = next((c for c in (lead.carried if lead else ()) if c.sha256 == digest), None)
            path = self.files / digest
            if known is not None and path.exists():
                out.append(Attached(known.name, known.content_type, path.read_bytes()))
        return out

    def _silenced(self, decision: Decision, weighed: Weighed, now: datetime) -> Decision:
        """What restraint stopped stands in the history, and the operator hears of it once a day."""
        quiet = (*weighed.gathered, *weighed.stopped)
        if not quiet:
            return decision
        leads = {lead.id: lead for lead in decision.leads}
        for row in quiet:
            what = "gathered into the hour's mail" if row in weighed.gathered else "not sent"
            if row.lead in leads:
                event = Event(now, f"{row.kind} {what}", "router", STOPPED)
                leads[row.lead] = with_event(leads[row.lead], event)
        kinds = ", ".join(sorted({f"{row.kind} to {row.recipients[0]}" for row in weighed.stopped})[:5])
        once = f"bounds {now.date()}"
        self.store.set_note("silenced", [*(self.store.note("silenced") or [])[-49:], kinds or "offers gathered"])
        if not self.store.said_once(once):
            self.alert("bounds", kinds or "offers are gathered into one mail an hour", once)
        return replace(decision, leads=tuple(leads.values()))

    def _awaited(self, weighed: Weighed, decision: Decision) -> list[Outgoing]:
        """Of the mails that were stopped, those that somebody waits for: their lead hears that they failed."""
        awaits = {lead.id: lead.awaits for lead in decision.leads}
        return [row for row in weighed.stopped if row.kind in COUNTED_ON or awaits.get(row.lead) == row.kind]

    def _count(self, name: str, now: datetime) -> int:
        doc = self.store.get("counts", key_of(f"{now.date()} {name}"))
        return int(doc["n"]) if doc else 0

    def _add_count(self, name: str, now: datetime) -> None:
        key = key_of(f"{now.date()} {name}")
        self.store.put("counts", key, {"day": str(now.date()), "n": self._count(name, now) + 1})

    def _days_reached(self, name: str, now: datetime) -> list[str]:
        """The days before today, of the last REACHED_FOR, on which this stranger's bound was reached."""
        doc = self.store.get("reached", key_of(name)) or {"days": ()}
        oldest, today = (now - REACHED_FOR).date().isoformat(), now.date().isoformat()
        return [day for day in doc["days"] if oldest <= day < today]

    def alert(self, what: str, detail: str, once: str = "") -> bool:
        """One mail to the operator, and whether it was one; with `once`, never a second of that name.

        At most ALERTS_A_DAY, since a flood of mails that fail must not become one of alerts: the rest is in the log. An
        all-clear follows an alert that was sent, so it is not counted.
        """
        if once and self.store.said_once(once):
            return False
        log.warning("%s: %s", what, _ADDRESS.sub("…", detail))
        now = self.clock()
        count = self._count("alerts", now)
        if not what.endswith("-back"):
            if count >= ALERTS_A_DAY:
                return False
            self._add_count("alerts", now)
            detail += "; it is the last alert of today, more are in the log" if count == ALERTS_A_DAY - 1 else ""
        slot = once or f"{what} {now.isoformat()}"
        mail = Mail("alert", "operator", {"what": what, "detail": detail, "slot": slot})
        self.commit(Decision("alert", f"{what}: {detail}", mails=((mail, None),), said=(once,) if once else ()))
        return True

    # -- mails that break us -----------------------------------------------------------------------------------------

    def _break(self, raw: bytes, met: Met, message: Message, error: Exception) -> Handled:

        self._broken_in_a_row += 1
        if self._broken_in_a_row >= POISON_IN_A_ROW:
            self._prove_health()
            if self._broken_in_a_row == POISON_IN_A_ROW:
                once = f"poison {self.clock().date()}"
                self.alert("poison", f"{POISON_IN_A_ROW} mails in a row could not be handled", once)
        told = f"{type(error).__name__} while it was handled"
        return self._quarantine(raw, met, told, traceback.format_exc(), message.message_id)

    def _prove_health(self) -> None:
        """A healthy mail decides whether the mails are hostile or the fault is ours."""
        from router.view import EmptyView

        healthy = (
            b"From: Healthy <healthy@example.com>\r\nTo: buns@example.com\r\nSubject: A question\r\n"
            b"Message-ID: <healthy@example.com>\r\nDate: Mon, 05 Jan 2026 10:00:00 +0000\r\n\r\n"
            b"Hello, can one of you help us for a week?\r\n"
        )
        try:
            now = self.clock()
            incoming = Incoming(read_message(healthy), now)
            verdict = triage(incoming, self.house, EmptyView())
            world = build_world(self.house, EmptyView(), now)
            decision = decide(incoming, verdict, self.house, EmptyView(), world)
            for mail, lead in decision.mails:
                compose(mail, lead, world, self.house, self.templates, False)
        except Exception as error:
            raise OurBug(f"a healthy mail cannot be handled either ({type(error).__name__}: {error})") from error

    def _quarantine(self, raw: bytes, met: Met, reason: str, trace: str, message_id: str = "") -> Handled:
        """Put a mail aside with its reason; its bytes and the traceback are kept apart from the store."""
        number = self.store.next_number("quarantine")
        name = f"{number}-{hashlib.sha256(raw).hexdigest()[:12]}"
        keep_file(self.poison, f"{name}.eml", raw)
        if trace:
            keep_file(self.poison, f"{name}.txt", trace.encode())
        doc = {
            "at": met.received.isoformat(),
            "reason": reason[:300],
            "folder": met.folder,
            "message_id": message_id[:300],
            "size": len(raw),
            "file": name,
        }
        self.store.put("quarantine", number, doc)
        self.store.set_note("last quarantine", number)
        if met.uid:
            self.store.stage(
                Decision("unreadable", reason),
                now=self.clock(),
                filing=Filing(0, met.folder, met.uidvalidity, met.uid, "quarantine"),
            )
        handled = Handled("unreadable", reason)
        self.watch(handled)
        self._tell_of_quarantine(number, reason)
        return handled

    def _tell_of_quarantine(self, number: int, reason: str) -> None:
        """Once a day: a client may wait behind that mail. Where even this breaks us, the mail is safe all the same."""
        try:
            self.alert("quarantine", f"mail {number}: {reason}", f"quarantine {self.clock().date()}")
        except StoreError:
            raise
        except Exception as error:
            log.error("the operator could not be told of the quarantine: %s", type(error).__name__)

    # -- delivery results --------------------------------------------------------------------------------------------

    def take_results(self) -> bool:
        """What became of mails that leads wait for, as events (staged). Answers whether there was anything."""
        done = False
        for result in self.store.results():
            if result.outcome == "accepted" and any(self.store.untried(n, result.kind) for n in _leads_of(result)):
                continue  # a colleague's copy has not even been tried: everybody gets the whole window
            self._take_result(result)
            done = True
        return done

    def _take_result(self, result: Result) -> None:
        leads = [lead for lead in map(self.store.lead, _leads_of(result)) if lead is not None]
        if result.outcome == "failed":
            self._tell_operator_never(result)
        settled: Sequence[int] = (result.row,)
        for lead in leads:
            cue = self._cue_of_result(result, lead)
            if cue is not None:
                decision = of_outcome(cue.name, protocol.advance(lead, cue, self.world()))
            else:
                event = Event(self.clock(), "mail came back", "router", f"{result.kind}: {result.detail}")
                decision = Decision(result.outcome, leads=(with_event(lead, event),))
            self.commit(decision, results=settled)
            settled = ()
        if settled:
            self.commit(Decision(result.outcome), results=settled)

    def _cue_of_result(self, result: Result, lead: Lead) -> Cue | None:
        """What a delivery result says to this lead; None where it only stands in the history."""
        kind = lead.awaits if result.kind == "gathered" else result.kind
        who = result.to.removeprefix("@") if result.to.startswith("@") else ""
        if result.outcome == "accepted":
            return Cue(f"accepted:{kind}", result.at, who)
        if result.outcome == "refused":  # a colleague in copy also has a mail of their own, which says so too
            told = f"{result.kind}: {result.detail}"
            return Cue("unreachable", self.clock(), text=told) if result.to == lead.client else None
        others_hear = result.kind in TO_EVERYBODY and who and self._others_hear(lead.id, result)
        if kind == lead.awaits and not others_hear:
            return Cue(f"failed:{kind}", self.clock(), who, text=result.detail)
        if result.to == "list" or (who and who not in (lead.owner, *lead.claimants, *lead.team)):
            return None  # the operator has heard, and nobody with a part in this bun is out of reach
        return Cue("unreachable", self.clock(), who, text=f"{result.kind}: {result.detail}", line=result.kind)

    def _others_hear(self, lead: int, result: Result) -> bool:
        """Whether a colleague's copy has left or may still leave, where offers go to each one by one."""
        left = any(
            r.outcome == "accepted" and r.kind == result.kind and lead in _leads_of(r) for r in self.store.results()
        )
        return left or bool(self.store.waiting(lead, result.kind))

    def _tell_operator_never(self, result: Result) -> None:
        if result.detail == STOPPED:  # of that the operator has heard once
            return
        about = f"bun {result.lead}: " if result.lead else ""
        self.alert(
            "never-sent", f"{about}{result.kind} to {result.to.strip('@')}: {result.detail}", f"never {result.row}"
        )

    # -- what falls due ----------------------------------------------------------------------------------------------

    def fall_due(self, heard: datetime) -> int:
        """Decide what was due by `heard` (the start of the last complete reading of all folders, less `settle`)."""
        count = 0
        self.tell_anew()
        while count < 1000:
            lead = self.store.due_leads(heard)
            if lead is None:
                break
            outcome = protocol.fall_due(lead, self.world())
            self.commit(of_outcome("due", outcome, reason="a deadline has passed"))
            count += 1
        return count

    # -- colleagues come and go --------------------------------------------------------------------------------------

    def take_roster(self) -> None:
        """At a start: who has joined or left the roster since the last one, and whose week it is."""
        roster.take_roster(self)

    def pass_keys(self) -> None:
        """When the keeper changes, since the rota turned or by coming and going, open buns pass on."""
        roster.pass_keys(self)

    # -- typed at the router itself ----------------------------------------------------------------------------------

    def do(self, number: int, words: str, key: str) -> str:
        """What WORDS from that consultant on that bun would do, done; answers what was understood, for people."""
        lead = self.store.lead(number)
        if lead is None:
            return NotDone(f"there is no bun {number}")
        if key not in self.house.members:
            return NotDone(f"nobody on the roster has the key {key!r}; there are {', '.join(self.house.members)}")
        reading = read_words(words, self.house, self.clock(), number)
        if reading.command is None:
            return NotDone(tell_unclear(words, lead, key, self.world(), self.house, self.templates))
        cue = replace(_cue_of(lead, reading.command, key, self.clock()), by="operator")
        outcome = protocol.advance(lead, cue, self.world())
        self.commit(of_outcome("do", outcome, reason=f"operator, as {key}: {words}"))
        told = tell_outcome(outcome.mails, outcome.lead, key, self.world(), self.house, self.templates)
        return NotDone(told) if is_refused(outcome.mails) else told


def _cue_of(lead: Lead, command: Command, who: str, at: datetime) -> Cue:
    verb = said_on(lead, command, who)
    return Cue(verb, at, who, command.line, command.text, command.who, command.unknown, command.until)


def _leads_of(result: Result) -> tuple[int, ...]:
    return result.leads or ((result.lead,) if result.lead else ())
