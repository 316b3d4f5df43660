"""What every row of the bench stands on: servers on loopback, a house of the router's, programs run and measured.

A run is a process of its own from its start to its end; its seconds are of the wall clock, its CPU what the
kernel has counted for it (wait4). What a start costs is known from a run over an empty inbox, and taken off
where a row says so.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.house import Running
from tests.servers import Dovecot, SmtpSink

BARE = Path(__file__).parent / "bare.py"
BOUNDS = "[restraint]\nper_address = 1000000\nper_stranger = 1000\nper_lead = 1000000\ntotal = 10000000\n"
CONNECTIONS = 4  # to the SMTP server, for the router as for the bare script
PATIENCE = 240.0  # seconds that any one run may take


@dataclass(frozen=True, slots=True)
class Run:
    """One process from start to end."""

    seconds: float
    cpu: float  # seconds, user and system


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `reach` is what the median must be: at most, or with `at_least` no less than that."""

    name: str
    values: tuple[float, ...]
    reach: float | None = None
    at_least: bool = False

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def holds(self) -> bool:
        if self.reach is None:
            return True
        return self.median >= self.reach if self.at_least else self.median <= self.reach


@dataclass(slots=True)
class Bench:
    """The servers, and how much is asked for."""

    dovecot: Dovecot
    sink: SmtpSink
    mails: int
    rounds: int
    leads: int
    _users: int = 0
    failed: list[str] = field(default_factory=list)  # rows that could not be measured

    def user(self) -> str:
        """A mailbox that nobody has used."""
        self._users += 1
        return f"bench{self._users}"

    def tell(self, line: str) -> None:
        print(line, flush=True)


def run_to_end(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a program to its end. Raises RuntimeError with what it said when it fails or takes too long."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(words, env=environment, stdout=said, stderr=said)
        try:
            usage = _wait(process, began + PATIENCE)
        except BaseException:
            process.kill()
            process.wait()
            raise
        seconds = time.perf_counter() - began
        said.seek(0)
        if process.returncode:
            raise RuntimeError(f"{words[:4]} ended with {process.returncode}: {said.read()[-600:].decode()}")
    return Run(seconds, usage.ru_utime + usage.ru_stime)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> os.struct_rusage:  # type: ignore[name-defined]
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return usage
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{process.args} took over {PATIENCE} s")
        time.sleep(0.002)


def house(folder: Path, bench: Bench, user: str, **more: str) -> Running:
    """A house in `folder` on the bench's servers, with bounds that nothing here reaches."""
    words = {"smtp_more": f"connections = {CONNECTIONS}", **more, "more": BOUNDS + more.get("more", "")}
    dovecot = bench.dovecot
    return Running(folder, dovecot.plain_port, bench.sink.port, user, dovecot.PASSWORD, **words)  # type: ignore[arg-type]


def take_in(
    bench: Bench, raws: Sequence[bytes], before: Callable[[str], None] = lambda user: None, leads: int | None = None
) -> Run:
    """`run --once` over a full inbox: taken in, stored, two mails each accepted, filed. Raises where a lead is missing.

    `before` prepares the mailbox of the user whom it is given.
    """
    user = bench.user()
    before(user)
    for raw in raws:
        bench.dovecot.deliver(user, raw)
    with tempfile.TemporaryDirectory() as name:
        own = house(Path(name), bench, user)
        run = run_to_end(own.command("run", "--once"), own._environment())
        found = len(own.status()) if raws else 0
    if found != (len(raws) if leads is None else leads):
        raise RuntimeError(f"{found} leads of {len(raws)} mails")
    return run


def bare(bench: Bench, raws: Sequence[bytes]) -> Run:
    """The same with the bare script: no protocol, no store but a line and an fsync a mail."""
    user = bench.user()
    for raw in raws:
        bench.dovecot.deliver(user, raw)
    ports = str(bench.dovecot.plain_port), str(bench.sink.port)
    return run_to_end([sys.executable, str(BARE), *ports, user, bench.dovecot.PASSWORD])


def without(run: Run, start: Run) -> Run:
    """A run with what its start costs taken off."""
    return Run(run.seconds - start.seconds, run.cpu - start.cpu)
