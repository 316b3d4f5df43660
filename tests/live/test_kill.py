"""Killed at any point, started again: nothing is lost, and nothing happens twice.

The real daemon against Dovecot and an SMTP server that records, killed with SIGKILL at each named step and at random
moments while requests and claims keep coming in. At the end it is compared with the truth: every request one lead and
one acknowledgement, every claim once and in the server's order, every mail delivered; a second delivery only under the
same Message-ID.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from router.message import read_message
from router.store import Store
from tests.house import DOMAIN, LIST, Running, wait_for
from tests.killed_run import STEPS
from tests.servers import Dovecot, RecordingSmtp

pytestmark = [pytest.mark.live, pytest.mark.dovecot]


class Torture:
    """A house under kills, and the truth to compare with."""

    def __init__(self, house: Running, dovecot: Dovecot, smtp: RecordingSmtp, seed: int) -> None:
        self.house, self.dovecot, self.smtp = house, dovecot, smtp
        self.random = random.Random(seed)
        self.requests: list[str] = []  # subjects, in order
        self.claims: dict[str, list[str]] = {}  # subject → who, in the order in which the server received them
        self.kills: Counter[str] = Counter()

    def mail_comes_in(self) -> None:
        number = len(self.requests) + 1
        subject = f"Request number {number}"
        self.requests.append(subject)
        text = f"Can one of you help us with matter {number} in May?"
        self._deliver(self.house.mail(f"c{number}@client{number}.example", subject, text))
        self._claim()

    def _claim(self) -> None:
        """Somebody claims a bun whose offer is out, and whom nobody of that name has claimed yet."""
        for mail in self.random.sample(self.smtp.mails, len(self.smtp.mails)):
            message = read_message(mail.raw)
            subject = next((s for s in self.requests if message.subject.endswith(s)), "")
            free = [who for who in ("anna", "bo") if who not in self.claims.get(subject, [])]
            if LIST in mail.rcpts and subject and free and message.subject.startswith("[BUN"):
                who = self.random.choice(free)
                self.claims.setdefault(subject, []).append(who)
                self._deliver(self.house.mail(f"{who}@{DOMAIN}", "Re: offer", "mine", answers=message))
                return

    def _deliver(self, raw: bytes) -> None:
        self.dovecot.deliver(self.house.user, raw)

    def life(self, step: str, count: int) -> None:
        """Start it, let mail come in, and have it killed at the step; at a random moment when it never gets there."""
        starts = self._starts()
        with (self.house.folder / "daemon.log").open("a") as log:
            command = [sys.executable, "-m", "tests.killed_run", step, str(count), "--config", str(self.house.config)]
            root = Path(__file__).parent.parent.parent
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=root, env=self.house._environment())
        wait_for(lambda: process.poll() is not None or self._starts() > starts, 60, "a start")
        self.mail_comes_in()
        limit = time.monotonic() + (self.random.uniform(0.5, 2.5) if step == "never" else 4.0)
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        reached = process.poll() is not None
        if not reached:
            process.kill()
        process.wait(10)
        self.kills[step if reached else "at random"] += 1

    def _starts(self) -> int:
        """How often the daemon has said that it runs: a busy machine takes seconds to get that far."""
        return self.house.log().count(" reads ")

    def check(self) -> dict[str, int]:
        """Let it come to rest unharmed, and compare."""
        starts = self._starts()
        self.house.start()
        wait_for(lambda: self._starts() > starts, 60, "a start")
        wait_for(self._is_at_rest, 60, "everything handled and sent")
        assert self.house.stop() == 0
        store = Store(self.house.store_path, read_only=True)
        leads = {lead.subject: lead for lead in store.leads()}
        assert sorted(leads) == sorted(self.requests), "every request is one lead"
        assert len(list(store.leads())) == len(self.requests)
        for subject, people in self.claims.items():
            assert [claim.who for claim in leads[subject].claims] == people, f"claims on {subject}"
        ids = Counter((read_message(m.raw).message_id, tuple(m.rcpts)) for m in self.smtp.mails)
        for number in range(1, len(self.requests) + 1):
            acks = {mid for (mid, rcpts) in ids if f"c{number}@client{number}.example" in rcpts}
            assert len(acks) == 1, f"client {number} was acknowledged under {len(acks)} Message-IDs"
        offers = {mid for (mid, rcpts) in ids if LIST in rcpts}
        assert len(offers) >= len(self.requests)
        assert not store.quarantined()
        assert sum(map(len, self.claims.values())) >= len(self.requests) // 5, "hardly a life got as far as an offer"
        assert self.kills["at random"] <= sum(self.kills.values()) * 3 // 4, f"few steps were reached: {self.kills}"
        return {
            "kills": sum(self.kills.values()),
            "requests": len(self.requests),
            "claims": sum(map(len, self.claims.values())),
            "lost": 0,
            "doubled": sum(ids.values()) - len(ids),
        }

    def _is_at_rest(self) -> bool:
        if self.dovecot.mails(self.house.user):
            return False
        try:
            store = Store(self.house.store_path, read_only=True)
        except Exception:
            return False
        return not store.count_unsent() and not store.unfiled() and len(store.lead_numbers()) == len(self.requests)


def torture(tmp_path: Path, dovecot: Dovecot, kills: int, seed: int, counts: tuple[int, ...]) -> dict[str, int]:
    with RecordingSmtp() as smtp:
        user = f"kill{seed}x{kills}"
        more = "[restraint]\nper_address = 10000\ntotal = 100000\n"
        house = Running(tmp_path, dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, more=more)
        run = Torture(house, dovecot, smtp, seed)
        steps = [*STEPS, "never"]
        run.random.shuffle(steps)
        for number in range(kills):
            run.life(steps[number % len(steps)], run.random.choice(counts))
        return run.check()


def note_kills(figures: dict[str, int], fault: Callable[..., None]) -> None:
    name, note = "killed (SIGKILL) at a named step or at random", "doubled under the same Message-ID"
    fault(name, tries=figures["kills"], doubled=figures["doubled"], note=note)


@pytest.mark.short
def test_ten_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, dovecot: Dovecot, fault: Callable[..., None]
) -> None:
    figures = torture(tmp_path, dovecot, 10, seed=1, counts=(1,))
    assert figures["lost"] == 0
    note_kills(figures, fault)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(4))
def test_two_hundred_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, dovecot: Dovecot, part: int, fault: Callable[..., None]
) -> None:
    """In four lives of fifty kills, so that the cores share them; `KILLS=` in all, `SEED=` for others."""
    kills, seed = int(os.environ.get("KILLS", "200")) // 4, int(os.environ.get("SEED", "7")) + part
    figures = torture(tmp_path, dovecot, kills, seed, counts=(1, 1, 2, 3))
    note_kills(figures, fault)
    assert figures["lost"] == 0
    assert figures["doubled"] <= figures["kills"]
