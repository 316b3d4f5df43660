"""Trouble: what does not work, since when, when it is tried again, and what the operator has been told of it.

Job: keep the state of the three things that the daemon lives on (the mailbox, the way out, the disk), say when the next
try is due, and turn trouble that lasts into one alert and one all-clear. Shell: it logs. Imports no other room.

While the disk is full no alert can be stored, and while no mail leaves none can be sent: those alerts are the log's and
the health file's, and the all-clear by mail says how long it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

log = logging.getLogger("router")

BACK_OFF = tuple(timedelta(seconds=n) for n in (1, 2, 5, 10, 30, 60, 120, 300))
LONG_BACK_OFF = timedelta(minutes=1)  # at least, where a person must mend it: servers lock accounts that knock often
LOGGED_EVERY = timedelta(hours=1)  # trouble that goes on for the same reason; at once when the reason changes
ALERT_AFTER = timedelta(minutes=5)  # trouble that has lasted this long is the operator's to know; a hiccup is nobody's
OK = "ok"
TOLD = "imap-down"  # the note that the operator knows: since when mail has not been read, in ISO 8601


class Notes(Protocol):
    """What is kept over a restart: the store's notes."""

    def note(self, name: str) -> Any: ...

    def set_note(self, name: str, value: Any) -> None: ...

    def drop_note(self, name: str) -> None: ...


@dataclass(slots=True)
class Trouble:
    """Something that does not work. `again`: not to be tried before."""

    since: datetime
    reason: str
    lasts: bool = False  # for so long that it was noted
    told: bool = False  # the operator has a mail
    tries: int = 0
    again: datetime | None = None
    logged: tuple[str, datetime] | None = None  # the reason that stands in the log last, and when


class Troubles:
    """`clock`: now, aware UTC. `alert(what, detail)` stages a mail to the operator, and answers whether it did.

    An alert of which no all-clear has followed is noted, so that a restart means neither a second one nor silence.
    """

    def __init__(self, clock: Callable[[], datetime], alert: Callable[[str, str], bool], notes: Notes) -> None:
        self._clock, self._alert, self._notes = clock, alert, notes
        self.imap: Trouble | None = None
        if since := notes.note(TOLD):
            self.imap = Trouble(datetime.fromisoformat(since), "mail could not be read before the restart", True, True)
        self.disk: Trouble | None = None
        self.smtp: Trouble | None = None

    @property
    def states(self) -> dict[str, str]:
        """ "ok" or the reason, of each; for the health file."""
        pairs = (("imap", self.imap), ("smtp", self.smtp), ("disk", self.disk))
        return {name: trouble.reason if trouble else OK for name, trouble in pairs}

    @property
    def fault(self) -> str:
        """What keeps the router from hearing, storing or speaking; "" when all is well."""
        return "; ".join(reason for reason in self.states.values() if reason != OK)

    # -- the mailbox -------------------------------------------------------------------------------------------------

    def imap_down(self, reason: str, *, retry: bool) -> None:
        """`retry` False: a person must mend it, so it is tried more rarely from the start."""
        now = self._clock()
        trouble = self.imap = self.imap or Trouble(now, reason)
        pause = BACK_OFF[min(trouble.tries, len(BACK_OFF) - 1)]
        trouble.again = now + (pause if retry else max(pause, LONG_BACK_OFF))
        trouble.reason, trouble.tries = reason, trouble.tries + 1
        self._log("mail cannot be read: %s", trouble)

    def imap_rests(self) -> timedelta:
        """How long the mail server is still left in peace: at most the longest pause, whatever the clock did."""
        again = self.imap.again if self.imap else None
        left = again - self._clock() if again else timedelta(0)
        return left if timedelta(0) < left <= BACK_OFF[-1] else timedelta(0)

    def imap_back(self) -> None:
        trouble, self.imap = self.imap, None
        if trouble is None:
            return
        log.info("mail can be read again")
        if trouble.told:
            self._notes.drop_note(TOLD)
            self._alert("imap-back", f"mail can be read again; it could not since {trouble.since:%H:%M} UTC")

    # -- the disk ----------------------------------------------------------------------------------------------------

    def disk_full(self, reason: str) -> None:
        if self.disk is None:
            self.disk = Trouble(self._clock(), reason)
            log.error("nothing can be stored, so no mail is taken: %s", reason)

    def disk_back(self) -> None:
        trouble, self.disk = self.disk, None
        if trouble is None:
            return
        log.info("the store can be written again")
        if self.smtp is not None:  # what could not be recorded could not be sent: the same trouble, and one all-clear
            self.smtp.told = True
        since = f"the store can be written again; it could not since {trouble.since:%H:%M} UTC: {trouble.reason}"
        self._alert("disk-back", since)

    # -- the way out -------------------------------------------------------------------------------------------------

    def smtp_is(self, state: str) -> None:
        """The sender's state: "ok", or a sentence."""
        if state == OK:
            self._smtp_back()
        elif self.smtp is None:
            self.smtp = Trouble(self._clock(), state)
        if self.smtp is not None:
            self.smtp.reason = state
            self._log("mail cannot leave: %s", self.smtp)

    def _smtp_back(self) -> None:
        trouble, self.smtp = self.smtp, None
        if trouble is None:
            return
        log.info("mail leaves again")
        if self._clock() - trouble.since >= ALERT_AFTER and not trouble.told:
            self._alert("smtp-back", f"mail leaves again; since {trouble.since:%H:%M} UTC: {trouble.reason}")

    # -- both --------------------------------------------------------------------------------------------------------

    def _log(self, words: str, trouble: Trouble) -> None:
        """Once for each reason, and now and then while it lasts: not at each of a thousand tries."""
        now, (reason, at) = self._clock(), trouble.logged or ("", trouble.since)
        if trouble.reason != reason or now - at >= LOGGED_EVERY:
            log.warning(words, trouble.reason)
            trouble.logged = (trouble.reason, now)

    def watch(self) -> None:
        """One alert for a mailbox that has not been read for so long."""
        imap = self.imap
        if imap is not None and not imap.lasts and self._clock() - imap.since >= ALERT_AFTER:
            imap.lasts = True
            imap.told = self._alert("imap-down", imap.reason)
            if imap.told:
                self._notes.set_note(TOLD, imap.since.isoformat())
