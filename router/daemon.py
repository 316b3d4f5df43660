"""The daemon: wait for mail, take it in, decide what has fallen due, file, and let the outbox send.

Job: the loop of ARCHITECTURE "The one idea", with its signals, back-off and health. Shell: acts, and decides nothing
about leads; what a mail means is the office's to say, what is due is the store's.

The mail thread owns IMAP and everything about leads. The sending thread reports results, which wake this one through a
pipe. Back-off waits in the same place. While the server cannot be heard, nothing falls due.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from router import progress
from router.almanac import Almanac
from router.bell import Bell
from router.clerk import Clerk
from router.config import Settings
from router.decision import GONE
from router.health import notify
from router.inbox import BATCH as FILE_BATCH
from router.inbox import Fetched, Inbox, InboxError, Met
from router.journal import StoreError, StoreFull
from router.office import Handled, Office
from router.outbox import Accepted, Later, Never, Outcome, Paused, Sender
from router.outbox import Mail as Unsent
from router.start import make_inbox, server_of
from router.store import Cursor, Delivery, Filing, Store
from router.trouble import Troubles
from router.verdict import INBOX, JUNK, SENT

log = logging.getLogger("router")

BATCH = 64  # mails under one fsync, when so many lie waiting
OTHERS_EVERY = timedelta(minutes=1)  # how often folders without IDLE are read
DISK_AGAIN = 5.0  # seconds between two tries to write on a full disk


class Daemon:
    """Runs the router. `clock` gives now, aware UTC; `watch` hears of all that is decided (for the demo)."""

    def __init__(
        self,
        settings: Settings,
        office: Office,
        clock: Callable[[], datetime],
        *,
        clerk: Clerk | None = None,
    ) -> None:
        self.settings, self.office, self.clock = settings, office, clock
        self.store: Store = office.store
        self.clerk = clerk or Clerk(settings, office)
        self.almanac: Almanac = self.clerk.almanac
        self.inbox: Inbox | None = None
        self.sender = Sender(
            server_of(settings),
            take=lambda count: self.store.take(count, self.clock(), settings.collective.address),
            report=self._report,
            clock=clock,
            on_state=self._sender_state,
        )
        self._bell = Bell(self.clerk.requests)
        self._stop = threading.Event()
        self._heard: datetime | None = None  # when the last complete reading of every folder began
        self._last_full: datetime | None = None
        self._behind = timedelta(0)  # how far the mail server's clock is seen to lag
        self.troubles = Troubles(clock, office.alert, self.store)
        self._smtp_state = "ok"  # as the sending thread told it last
        self._broken: StoreError | None = None  # the store cannot go on, as the sending thread has met first
        self._started = clock()
        self._searched_back = False
        self.mails_read = self.mails_sent = 0  # since the start

    # -- from outside ------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """End cleanly: finish what is in hand, hand back what is unsent. Safe from signals and other threads."""
        self._stop.set()
        self.wake()

    @property
    def fault(self) -> str:
        """What keeps the router from hearing, storing or speaking at this moment; "" when all is well."""
        if self._smtp_state != "ok":  # perhaps since the last round
            self.troubles.smtp_is(self._smtp_state)
        return self.troubles.fault

    def wake(self) -> None:
        self._bell.ring()

    def install_signals(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self.stop())

    # -- the loop ----------------------------------------------------------------------------------------------------

    def run(self, once: bool = False) -> None:
        """Until stopped, or with `once` until what is there and due is handled and sent.

        Raises OurBug when not even a healthy mail can be handled, StoreError when the store cannot go on.
        """
        self._guarded(self._tell_anew)
        self.sender.start()
        notify("READY=1")
        begun = False
        try:
            while not self._stop.is_set():
                begun = begun or self._guarded(self._begin)
                found = begun and self._guarded(self._round)
                if once and (self._is_quiet() or self.troubles.imap):
                    break
                self._wait(found, once)
        finally:
            self._end()

    def _tell_anew(self) -> bool:
        """What has waited since before we were down says what is true now, before it can leave."""
        self.office.tell_anew()
        return self.store.flush()

    def _begin(self) -> bool:
        self.office.take_roster()
        self._flush()
        return True

    def _end(self) -> None:
        notify("STOPPING=1")
        if not self.sender.stop(10.0):
            log.warning("the outbox was still sending; what was not confirmed goes out again under the same Message-ID")
        with suppress(StoreError):
            self.office.take_results()
            self.store.flush()
        if self.inbox is not None:
            self.inbox.close()
        self.clerk.write_health(self._health(), running=False)
        self.store.close()

    def _guarded(self, step: Callable[[], bool]) -> bool:
        """One step; trouble with the disk is waited out, never fatal. Nothing is read while nothing can be stored."""
        if self._broken is not None:
            raise self._broken
        try:
            if self.troubles.disk is not None:
                self.store.flush_works()
            done = step()
        except StoreFull as error:
            self._forget_staged()
            self.troubles.disk_full(str(error))
            self.clerk.write_health(self._health())
            notify("WATCHDOG=1")
            return False
        self.troubles.disk_back()
        return done

    def _round(self) -> bool:
        """Mail first, then results and requests, then what fell due; all stored before anything is filed or sent.

        While the server cannot be heard the rest goes on: nothing falls due that has not been heard of.
        """
        found = self._hear()
        did = self.office.take_results()
        if self.inbox is not None:
            did = self.clerk.take_requests() or did
        did = bool(self._fall_due()) or did
        did = self.clerk.tick() or did
        self.troubles.smtp_is(self._smtp_state)
        self.troubles.watch()
        self._flush()
        self._file()
        self.clerk.write_health(self._health())
        notify("WATCHDOG=1")
        return found or did

    def _flush(self) -> None:
        if self.store.has_staged and self._heard is not None:
            self._note_heard(self._heard)
        if self.store.flush():
            self.sender.wake()

    def _note_heard(self, heard: datetime) -> None:
        """Mail that came while the router was down is exempt from [imap] since; kept with what is stored anyway."""
        last = self.store.note("heard")
        if last is None or abs(heard - datetime.fromisoformat(last)) >= OTHERS_EVERY:
            self.store.set_note("heard", heard.isoformat())

    def _forget_staged(self) -> None:
        self.store.discard()
        self.office.forget_world()

    def _is_quiet(self) -> bool:
        """For `--once`: nothing staged, nothing due, nothing that could be sent now."""
        now = self.clock()
        due = self.store.next_due()
        waiting = due is not None and due <= self._heard_until(now)
        return not waiting and not self.store.results() and not self.store.can_send(now, self._smtp_state == "ok")

    # -- hearing -----------------------------------------------------------------------------------------------------

    def _hear(self) -> bool:
        """Read what is new, unless the server has just been in trouble and is left in peace for a while."""
        if self.inbox is None and self.troubles.imap_rests():
            return False
        try:
            inbox = self._connected()
            self._search_back(inbox)
            return self._read(inbox)
        except InboxError as error:
            self._imap_down(error)
            return False

    def _connected(self) -> Inbox:
        if self.inbox is None:
            inbox = make_inbox(self.settings)
            inbox.connect()
            self.inbox = inbox
            self._last_full = None
            folders = self.settings.imap.file
            if self.settings.imap.handled == "move":
                inbox.ensure_folders([folders.done, folders.quarantine, folders.bulk])
        return self.inbox

    def _read(self, inbox: Inbox) -> bool:
        """Search the folders, fetch what is new in the order in which the server received it, take it in."""
        now = self.clock()
        full = self._last_full is None or now - self._last_full >= OTHERS_EVERY or self._is_due_soon(now)
        places = self._places(inbox, full)
        found, missing = self._search_all(inbox, places, now)
        mets = sorted((met for each in found.values() for met in each[0]), key=Met.order)
        self._take_in(inbox, mets, places)
        for _, cursor in found.values():
            self.store.set_cursor(cursor)
        if missing is not None:
            self._flush()
            raise missing
        if full:
            self._last_full = now
        if full or len(places) == len(self._places(inbox, True)):
            self._heard = now - self._behind
        self.troubles.imap_back()
        return bool(mets)

    def _places(self, inbox: Inbox, full: bool) -> dict[str, str]:
        imap = self.settings.imap
        places = dict.fromkeys(imap.folders if full else imap.folders[:1], INBOX)
        if full:
            for folder, place in ((imap.sent, SENT), (imap.junk, JUNK)):
                if folder and inbox.has_folder(folder):
                    places.setdefault(folder, place)
        return places

    def _search_all(
        self, inbox: Inbox, places: dict[str, str], now: datetime
    ) -> tuple[dict[str, tuple[Sequence[Met], Cursor]], InboxError | None]:
        """What is new in each folder; and the trouble with one that is missing, for which the others do not wait."""
        found: dict[str, tuple[Sequence[Met], Cursor]] = {}
        missing = None
        for folder, place in places.items():
            try:
                found[folder] = self._search(inbox, folder, place, now)
            except InboxError as error:
                if error.kind != "folder":
                    raise
                missing = error
        return found, missing

    def _search(self, inbox: Inbox, folder: str, place: str, now: datetime) -> tuple[Sequence[Met], Cursor]:
        cursor = self.store.cursor(folder)
        if cursor is not None:
            found = inbox.search(folder, after_uid=cursor.uid)
            if found.uidvalidity == cursor.uidvalidity:
                self._measure_clock(found.met, now)
                return found.met, Cursor(folder, found.uidvalidity, found.uidnext - 1)
        since = self.office.house.calendar.back(now, self.settings.imap.since)
        last = self.store.note("heard")
        if last and cursor is not None:  # mail that arrived while the router was down is exempt
            since = min(since, datetime.fromisoformat(last))
        found = inbox.search(folder, since=since)
        if found.older and place == INBOX:
            what = "uidvalidity" if cursor is not None else "old-mail"
            once = f"{what} {folder} {found.uidvalidity}"
            self.office.alert(what, f"{found.older} older mails in {folder} are left alone", once)
        return found.met, Cursor(folder, found.uidvalidity, found.uidnext - 1)

    def _search_back(self, inbox: Inbox) -> None:
        """After a cut: the lost record may have been acknowledged and its mail filed, so what was handled since the
        last snapshot is looked through for Message-IDs that the store does not know (ARCHITECTURE "Store").
        """
        if not self.store.recovered or self._searched_back:
            return
        since = self.store.last_snapshot_at or self.clock() - timedelta(days=90)
        file = self.settings.imap.file
        filed = [file.done, file.bulk, file.quarantine]
        handled = filed if self.settings.imap.handled == "move" else list(self.settings.imap.folders)
        apart = {doc["message_id"] for _, doc in self.store.quarantined()}
        lost = 0
        for folder in handled:
            if not inbox.has_folder(folder):
                continue
            ids = inbox.find_message_ids(folder, since)
            unknown = [met for met, mid in ids if mid and mid not in apart and not self.store.seen(mid)]
            for fetched in inbox.fetch(folder, unknown):
                self.office.take_in(fetched.raw, replace(fetched.met, uid=0), INBOX, fetched.partial)
                lost += 1
        detail = f"{self.store.recovered} bytes of the last record were cut; {lost} mails were read again"
        self.office.alert("store-cut", detail, f"store-cut {self.store.sequence}")
        self._flush()
        self._searched_back = True  # not before: what a full disk refused is looked for again

    def _measure_clock(self, mets: Sequence[Met], now: datetime) -> None:
        """A mail that was not there at the last search cannot have been received before it: the server's clock lags."""
        if mets and self._heard is not None:
            lags = [self._heard - met.received for met in mets]
            lag = max(timedelta(0), min(lags))
            self._behind = min(lag, timedelta(hours=1))

    def _take_in(self, inbox: Inbox, mets: Sequence[Met], places: dict[str, str]) -> None:
        count = 0
        for fetched in progress.walk("reading mail", self._fetched(inbox, mets), len(mets)):
            self.office.take_in(fetched.raw, fetched.met, places[fetched.met.folder], fetched.partial)
            self.mails_read += 1
            count += 1
            if count % BATCH == 0:
                self._flush()
                notify("WATCHDOG=1")
                if self._stop.is_set():
                    raise InboxError("dropped", "stopped while reading", retry=True)
        if count:
            self._flush()

    def _fetched(self, inbox: Inbox, mets: Sequence[Met]) -> Iterator[Fetched]:
        to_file = {(f.folder, f.uidvalidity, f.uid) for f in self.store.unfiled()}
        fresh = [met for met in mets if (met.folder, met.uidvalidity, met.uid) not in to_file]
        for folder, run in groupby(fresh, key=lambda met: met.folder):
            yield from inbox.fetch(folder, list(run))

    # -- what falls due ----------------------------------------------------------------------------------------------

    def _heard_until(self, now: datetime) -> datetime:
        """Nothing due after this moment is decided yet: a complete reading must have begun `settle` after it."""
        settle = self.office.house.calendar.length(self.office.house.settle)
        return (self._heard or datetime.min.replace(tzinfo=UTC) + settle) - settle

    def _is_due_soon(self, now: datetime) -> bool:
        due = self.store.next_due()
        return due is not None and due + self.office.house.calendar.length(self.office.house.settle) <= now

    def _fall_due(self) -> int:
        return self.office.fall_due(self._heard_until(self.clock()))

    # -- filing ------------------------------------------------------------------------------------------------------

    def _file(self) -> None:
        """Move handled mail to where it belongs, after the commit, in batches."""
        filings = self.store.unfiled()
        if not filings or self.inbox is None:
            return
        filings.sort(key=lambda f: (f.folder, f.to, f.uid))
        try:
            for (folder, to), group in groupby(filings, key=lambda f: (f.folder, f.to)):
                batch = list(group)
                for start in range(0, len(batch), FILE_BATCH):
                    self._file_batch(self.inbox, folder, to, batch[start : start + FILE_BATCH])
        except InboxError as error:
            self._imap_down(error)

    def _file_batch(self, inbox: Inbox, folder: str, to: str, batch: list[Filing]) -> None:
        target = {"done": self.settings.imap.file.done, "aside": self.settings.imap.file.bulk}.get(
            to, self.settings.imap.file.quarantine
        )
        cursor = self.store.cursor(folder)
        current = [f for f in batch if cursor is None or f.uidvalidity == cursor.uidvalidity]
        try:
            if current and to == GONE:
                inbox.delete(folder, [f.uid for f in current])
            elif current:
                inbox.file(folder, [f.uid for f in current], target)
        except InboxError as error:
            if error.kind not in ("folder", "quota", "refused"):
                raise
            self.office.alert("filing", error.reason, f"filing {error.kind} {self.clock().date()}")
            return
        self.store.filed([f.row for f in batch])

    # -- speaking ----------------------------------------------------------------------------------------------------

    def _report(self, results: Sequence[tuple[Unsent, Outcome, datetime]]) -> None:
        """Called in the sending thread: store what became of mails, then wake the mail thread."""
        try:
            self.store.mark([_delivery(mail, outcome, at) for mail, outcome, at in results])
            self.mails_sent += sum(isinstance(outcome, Accepted) for _, outcome, _ in results)
        except StoreFull:
            raise
        except StoreError as error:
            self._broken = error
            self.wake()
            raise
        if self.store.has_results():
            self.wake()

    def _sender_state(self, state: str) -> None:
        self._smtp_state = state
        self.wake()

    # -- waiting -----------------------------------------------------------------------------------------------------

    def _wait(self, found: bool, once: bool) -> None:
        seconds = self._seconds_to_next(once)
        if self.inbox is None:
            self._bell.wait(seconds)
            return
        try:
            woken = self.inbox.wait(seconds, self._bell.fileno(), found_something=found)
        except InboxError as error:
            self._imap_down(error)
            self.clerk.write_health(self._health())
            return
        if woken == "wake":
            self._bell.hush()

    def _seconds_to_next(self, once: bool) -> float:
        if self.troubles.disk is not None:
            return DISK_AGAIN
        now = self.clock()
        seconds = [0.05 if once else 30.0, self.almanac.seconds_to_tick()]
        if self.inbox is None:
            return min(*seconds, self.troubles.imap_rests().total_seconds())
        due = self.store.next_due()
        if due is not None:
            settle = self.office.house.calendar.length(self.office.house.settle)
            seconds.append((due + settle - now).total_seconds())
        if self._last_full is not None:
            seconds.append((self._last_full + OTHERS_EVERY - now).total_seconds())
        return max(0.0, min(seconds))

    # -- trouble -----------------------------------------------------------------------------------------------------

    def _imap_down(self, error: InboxError) -> None:
        if self.inbox is not None:
            self.inbox.close()
            self.inbox = None
        self._forget_staged()
        if not self._stop.is_set():
            self.troubles.imap_down(error.reason, retry=error.retry)

    def _health(self) -> dict[str, object]:
        return {
            **self.troubles.states,
            "started": self._started.isoformat(),
            "heard": self._heard.isoformat() if self._heard else None,
            "unsent": self.store.count_unsent(),
        }


# -- building blocks -------------------------------------------------------------------------------------------------


def _delivery(mail: Unsent, outcome: Outcome, at: datetime) -> Delivery:
    """What an outcome means for the row. What it means for the lead is the mail thread's to decide, as an event."""
    lead = mail.lead or 0
    match outcome:
        case Accepted(retry_at=retry) if retry is not None and outcome.rest:
            why = "; ".join(each.reply for each in outcome.refused)
            return Delivery(mail.row, lead, "later", at, why, retry, outcome.rest, refused=_for_good(outcome))
        case Accepted():
            return Delivery(mail.row, lead, "accepted", at, refused=_for_good(outcome))
        case Later(reason=reason, retry_at=retry):
            return Delivery(mail.row, lead, "later", at, reason, retry)
        case Paused(reason=reason, until=until):
            return Delivery(mail.row, lead, "later", at, reason, until, tried=False)
        case Never(reason=reason):
            return Delivery(mail.row, lead, "failed", at, reason)


def _for_good(outcome: Accepted) -> tuple[tuple[str, str], ...]:
    return tuple((each.address, each.reply) for each in outcome.refused if each.permanent)


def describe(handled: Handled) -> str:
    """One line for the log: what a mail was, which word it held, why its writer is believed; nothing that it says."""
    verdict = handled.verdict
    command = verdict.reading.command if verdict and verdict.reading else None
    facts = [command.verb] if command else []
    facts += [verdict.proof.how] if verdict and verdict.proof else []
    lead = f" (bun {handled.lead})" if handled.lead else ""
    return f"{handled.kind}{lead}" + (f": {', '.join(facts)}" if facts else "")
