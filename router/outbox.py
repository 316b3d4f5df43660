"""The outbox: what is stored and unsent goes out, and what became of it goes back.

Job: `Sender`, a thread with one asyncio loop that keeps a few connections busy: takes due mails, sends each as a task
of its own, gathers the outcomes and reports them, pauses the queue when the server or the login is in trouble.
Shell: may import delivery and smtp. How to talk to a server is in `smtp.py`, what its replies mean in `delivery.py`.

Invariants
- A mail is in flight from `take` until `report` has returned. Results that could not be reported are kept and reported
  again before anything new is taken or sent, so an accepted mail is not sent twice while we live.
- One slow or stuck mail holds nobody: after PATIENCE seconds it no longer counts against the connections.
- Trouble with the session pauses the queue and costs no mail a try; the sender alone then tries with one connection.
- Time that is decided on comes from `clock`; the loop's own time only paces connections and commits.

Leaves out: bounds on how much is sent (restraint), order among mails, what an outcome means for a lead.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from router.delivery import (
    LONG_PAUSES,
    Accepted,
    Dialogue,
    Later,
    Mail,
    Never,
    Outcome,
    Paused,
    Refused,
    Scope,
    Trouble,
    later,
    may_be_stale,
    pause,
    read_dialogue,
    settle,
)
from router.smtp import NoSession, Server, Session, Timeouts, check_server, open_session, tls_context

__all__ = [
    "Accepted",
    "Later",
    "Mail",
    "Never",
    "Outcome",
    "Paused",
    "Refused",
    "Sender",
    "Server",
    "Timeouts",
    "check_server",
]

log = logging.getLogger(__name__)

on_step: Callable[[str], None] | None = None  # told "smtp-mail", "smtp-data", "smtp-accepted"; the kill harness sets it

TICK = 1.0  # seconds: how often the sender looks for mail that has fallen due, when nobody wakes it
GATHER = 0.01  # seconds that a result waits for others, so that one commit covers them
PATIENCE = 5.0  # seconds on a connection after which a mail no longer keeps others from starting
DOUBTS = 3  # doubtful failures in a row, none taken in between, that pause the queue
FEWER_FOR = timedelta(minutes=10)  # how long we make do with the connections that the server let us have

Result = tuple[Mail, Outcome, datetime]


def _step(name: str) -> None:
    if on_step is not None:
        on_step(name)


class Sender:
    """The sending thread.

    `take(n)`: up to n mails that are due and not in flight, which they then are; quick, called in the sending thread.
    `report(results)`: all of them stored in one commit, or an exception and none of them; called in the sending thread,
    again with the same and more after an exception. A mail whose outcome is Paused is only no longer in flight.
    `clock`: now, aware UTC. `on_state`: told each new state, called in the sending thread.
    """

    def __init__(
        self,
        server: Server,
        *,
        take: Callable[[int], Sequence[Mail]],
        report: Callable[[Sequence[Result]], None],
        clock: Callable[[], datetime],
        on_state: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._server, self._take, self._report, self._clock, self._on_state = server, take, report, clock, on_state
        self._state = "ok"
        self._clean = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        # From here on: touched in the sending thread alone.
        self._woken = asyncio.Event()
        self._stop_at: float | None = None
        self._waiting: deque[Mail] = deque()  # taken, not begun
        self._active: dict[asyncio.Task[None], float | None] = {}  # since when on a connection; None: it gets one
        self._results: list[Result] = []
        self._record_at = 0.0
        self._store_trouble = ""
        self._context: ssl.SSLContext | None = None
        self._sessions: set[Session] = set()
        self._idle: list[Session] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._limit, self._limit_until = server.connections, datetime.min.replace(tzinfo=UTC)
        self._knocks, self._knock_at = 0, 0.0  # further connections refused in a row; when the next may be tried
        self._proven = False  # there was a session since the start or the last pause
        self._failures = self._doubts = 0  # in a row
        self._paused: Paused | None = None  # over when a mail has got through; when its time is up, one may try

    @property
    def state(self) -> str:
        """ "ok", or "paused: " and a sentence, until a mail has got through again."""
        return self._state

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be mail to send, or time has passed. Any thread, any time."""
        with suppress(RuntimeError):  # the loop is closed: stopped already
            self._loop.call_soon_threadsafe(self._woken.set)

    def stop(self, deadline: float) -> bool:
        """Take nothing new, let mails under way finish for `deadline` seconds, leave the server.

        True: nothing was cut off, and every result has been reported.
        """
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ask_to_stop, deadline)
        if self._thread.ident is None:
            self._loop.close()
        else:
            self._thread.join(deadline + self._server.timeouts.quit + 2 * TICK)
        return self._clean and not self._thread.is_alive()

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._main())
        finally:
            self._loop.close()

    async def _main(self) -> None:
        while self._stop_at is None:
            try:
                self._turn()
                await asyncio.sleep(0)  # mails that have just begun are written before the store blocks us
                self._record_results()
            except Exception as bug:  # a silent sender would be worse than a noisy one
                log.exception("the sender goes on after %s", type(bug).__name__)
                await asyncio.sleep(TICK)
            await self._sleep()
        await self._finish(self._stop_at)

    async def _sleep(self) -> None:
        """Until something has happened, or the next moment at which something is to be done."""
        times = [self._loop.time() + TICK]
        if self._results:
            times.append(self._record_at)
        if self._stop_at is not None:
            times.append(self._stop_at)
        alarm = self._loop.call_at(min(times), self._woken.set)
        try:
            await self._woken.wait()
        finally:
            alarm.cancel()
        self._woken.clear()

    def _turn(self) -> None:
        """Whatever can be done now."""
        self._retire()
        if self._store_trouble and self._results:
            return
        if self._is_paused():
            self._hand_back()
            return
        wanted = self._room() - len(self._waiting)
        if wanted > 0:
            self._take_more(wanted + self._limit)
        ready = len(self._idle)
        while self._waiting and self._room() > 0 and (ready > 0 or self._loop.time() >= self._knock_at):
            ready -= 1
            task = self._loop.create_task(self._deliver(self._waiting.popleft()))
            self._active[task] = None
            task.add_done_callback(self._done)

    def _take_more(self, count: int) -> None:
        try:
            self._waiting.extend(self._take(count))
        except Exception as failure:
            self._store_failed("the outbox cannot be read", failure)
        else:
            self._store_works()

    def _room(self) -> int:
        """How many mails may begin. One until a session has worked, so that a wrong password is tried once."""
        if self._limit < self._server.connections and self._clock() >= self._limit_until:
            self._limit = self._server.connections
        limit = self._limit if self._proven else 1
        now = self._loop.time()
        slow = sum(since is not None and now - since > PATIENCE for since in self._active.values())
        return limit + min(slow, limit) - len(self._active)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._active[task]
        self._woken.set()

    async def _finish(self, stop_at: float) -> None:
        while self._active and self._loop.time() < stop_at:
            self._record_results()
            await self._sleep()
        cut = set(self._active)
        for task in cut:
            task.cancel()
        if cut:
            await asyncio.wait(cut, timeout=TICK)
        self._paused = Paused("the router is stopping", self._clock())
        self._hand_back()
        self._record_at = 0.0
        self._record_results()
        self._clean = not cut and not self._results
        for session in self._idle:
            self._leave(session)
        if self._leaving:
            await asyncio.wait(self._leaving)
        for session in list(self._sessions):
            self._drop(session)

    def _ask_to_stop(self, deadline: float) -> None:
        self._stop_at = self._loop.time() + deadline
        self._woken.set()

    # -- results ------------------------------------------------------------------------------------------------

    def _add_result(self, mail: Mail, outcome: Outcome) -> None:
        if not self._results:
            self._record_at = self._loop.time() + GATHER
        self._results.append((mail, outcome, self._clock()))

    def _record_results(self) -> None:
        """Report what has gathered: at once when nothing else is under way, else after GATHER."""
        waits = self._loop.time() < self._record_at
        if not self._results or (waits and (self._active or self._store_trouble)):
            return
        batch = tuple(self._results)
        try:
            self._report(batch)
        except Exception as failure:
            self._record_at = self._loop.time() + TICK
            self._store_failed("what became of mails cannot be stored, so none is sent", failure)
            return
        self._results.clear()
        self._store_works()
        self._woken.set()

    def _store_failed(self, what: str, failure: Exception) -> None:
        if not self._store_trouble:
            log.error("%s", what, exc_info=failure)
        self._store_trouble = f"{what} ({failure or type(failure).__name__})"
        self._tell_state()

    def _store_works(self) -> None:
        if self._store_trouble:
            self._store_trouble = ""
            self._tell_state()

    def _hand_back(self) -> None:
        while self._waiting and self._paused:
            self._add_result(self._waiting.popleft(), self._paused)

    # -- one mail -----------------------------------------------------------------------------------------------

    async def _deliver(self, mail: Mail) -> None:
        try:
            outcome = await self._try(mail)
        except asyncio.CancelledError:
            outcome = Paused("the router is stopping", self._clock())
        except Exception as bug:  # ours or not, it is this mail's alone
            log.exception("row %d of the outbox: %s", mail.row, type(bug).__name__)
            outcome = later(mail, f"an unexpected {type(bug).__name__}", self._clock())
        if outcome is not None:
            self._add_result(mail, outcome)

    async def _try(self, mail: Mail) -> Outcome | None:
        """What became of it; None: it waits again, since the server grants no further connection."""
        while True:
            session = self._idle.pop() if self._idle else None
            reused = session is not None
            try:
                session = session or await self._connect()
            except NoSession as failed:
                return self._without_session(mail, failed.trouble)
            dialogue = await self._talk(session, mail)
            trouble = read_dialogue(dialogue)
            if reused and trouble and may_be_stale(dialogue, trouble):
                self._drop(session)
                continue
            self._release(session)
            return self._settle(mail, dialogue, trouble)

    async def _talk(self, session: Session, mail: Mail) -> Dialogue:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for mypy: we run inside the task that _turn made
        self._active[task] = self._loop.time()
        try:
            return await session.send(mail, _step)
        except BaseException:
            self._drop(session)
            raise

    def _settle(self, mail: Mail, dialogue: Dialogue, trouble: Trouble | None) -> Outcome:
        outcome = settle(mail, dialogue, trouble, self._clock())
        if trouble is None or trouble.scope in (Scope.MESSAGE, Scope.RECIPIENT):
            self._got_through()
        elif trouble.scope is Scope.SESSION:
            return self._pause(trouble)
        else:
            self._doubts += 1
            if self._doubts >= DOUBTS:
                self._pause(trouble)
        return outcome

    # -- pauses -------------------------------------------------------------------------------------------------

    def _is_paused(self) -> bool:
        """A clock that was set back must not make a pause of minutes one of years."""
        return self._paused is not None and timedelta(0) < self._paused.until - self._clock() <= LONG_PAUSES[-1]

    def _pause(self, trouble: Trouble) -> Paused:
        if self._paused is None or not self._is_paused():
            self._failures += 1
            self._paused = Paused(trouble.reason, self._clock() + pause(trouble, self._failures))
        self._proven = False
        self._tell_state()
        return self._paused

    def _got_through(self) -> None:
        self._failures = self._doubts = self._knocks = 0
        self._proven, self._paused = True, None
        self._tell_state()

    def _tell_state(self) -> None:
        reason = self._store_trouble or (self._paused.reason if self._paused else "")
        state = f"paused: {reason}" if reason else "ok"
        if state != self._state:
            self._state = state
            try:
                self._on_state(state)
            except Exception as bug:  # must not be taken for a failure of the mail that was just accepted
                log.exception("on_state: %s", type(bug).__name__)

    # -- connections --------------------------------------------------------------------------------------------

    async def _connect(self) -> Session:
        if self._context is None:
            self._context = tls_context(self._server)
        session = await open_session(self._server, self._context)
        self._sessions.add(session)
        self._proven, self._knocks = True, 0
        self._woken.set()  # others may begin
        return session

    def _without_session(self, mail: Mail, trouble: Trouble) -> Outcome | None:
        """While other connections stand, the server only wants fewer of them (RFC 5321 4.2.1: 421)."""
        if not (self._sessions and trouble.again) or self._knocks >= DOUBTS:
            return self._pause(trouble)
        if self._loop.time() >= self._knock_at:
            self._knocks += 1
            self._knock_at = self._loop.time() + PATIENCE
        self._limit, self._limit_until = len(self._sessions), self._clock() + FEWER_FOR
        self._waiting.appendleft(mail)
        return None

    def _release(self, session: Session) -> None:
        if session.is_open:
            session.idle_since = self._loop.time()
            self._idle.append(session)
        else:
            self._drop(session)

    def _drop(self, session: Session) -> None:
        session.close()
        self._sessions.discard(session)

    def _retire(self) -> None:
        """Leave the server on connections that have been idle for long; forget those that it has closed."""
        limit = self._loop.time() - self._server.timeouts.idle
        for session in [each for each in self._idle if not each.is_open or each.idle_since < limit]:
            self._idle.remove(session)
            self._leave(session)

    def _leave(self, session: Session) -> None:
        self._sessions.discard(session)
        task = self._loop.create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
