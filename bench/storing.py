"""Rows about the store: what an event, a start and a hundred thousand leads cost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.mails import WORDS
from bench.runs import Bench, Row, house
from router.config import load
from router.journal import JournalDB
from router.lead import Claim, Event, Lead, Status, to_doc
from router.office import Office
from router.start import house_of, read_key, read_templates
from router.store import Store, key_of
from tests.house import Running

FEW = 100
OPEN = 60  # of the leads, those that are still open
SEEN = 5  # Message-IDs for each lead
EVENTS = 10  # in one turn
TURNS = 30  # in one round, few and many leads after one another
SPREAD = 1 << 16  # bytes of journal between snapshots, so that a few thousand events see many
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def fill(path: Path, leads: int) -> None:
    """A store of so many leads of 2 kB, nearly all of them ended, with the Message-IDs that led to them."""
    store = JournalDB(path)
    text = " ".join(random.Random(1).choices(WORDS, k=180))
    for start in range(1, leads + 1, 5000):
        numbers = range(start, min(start + 5000, leads + 1))
        seen = {
            str(key_of(f"<{n}.{i}@x.example>")): {"i": f"<{n}.{i}@x.example>", "l": n, "k": "request"}
            for n in numbers
            for i in range(SEEN)
        }
        store.commit({"leads": {str(n): to_doc(lead(n, text, leads)) for n in numbers}, "seen": seen})
    store.snapshot()
    store.close()


def lead(number: int, text: str, leads: int) -> Lead:
    """A bun that two wanted and one got, with its history: 2 kB, half of them the client's words."""
    opened, client = NOW - timedelta(hours=leads - number), f"c{number}@company{number}.example"
    at = [opened + timedelta(hours=hour) for hour in range(8)]
    what = ("came in", "claim", "claim", "window closed", "yields", "awarded", "handed over", "warm")
    base = Lead(
        number,
        f"Request {number}",
        Status.TAKEN,
        "bo",
        opened,
        client=client,
        client_name=f"Client {number}",
        text=text,
        message_id=f"<{number}.0@x.example>",
        client_thread=(f"<{number}.0@x.example>",),
        claims=(Claim("bo", at[1], "mine", "awarded"), Claim("cy", at[2], "count me in", "withdrawn")),
        offered_at=opened,
        taken_at=at[5],
        handed_over=True,
        acked=True,
        team=("bo",),
        counts={"offer list": 1, "ack client": 1, "receipt @bo": 1, "receipt @cy": 1, "handover client": 1},
        events=tuple(Event(moment, each, "bo", "“mine”") for moment, each in zip(at, what, strict=True)),
    )
    return base if number > leads - OPEN else replace(base, status=Status.EATEN, ended_at=at[7])


@contextmanager
def opened(bench: Bench, leads: int) -> Iterator[Office]:
    with tempfile.TemporaryDirectory() as name:
        own = house(Path(name), bench, "nobody")
        fill(own.store_path, leads)
        settings = load(own.config)
        store = Store(settings.store.path)
        yield Office(house_of(settings, "bench", b"k" * 32), store, read_templates(None), lambda: datetime.now(UTC))
        store.close()


def event(bench: Bench) -> list[Row]:
    """A word from a colleague on one bun: read, decided, a receipt written, and all of it kept by one fsync."""
    cpu, size = [], []
    with opened(bench, FEW) as few, opened(bench, bench.leads) as many:
        for number in range(bench.rounds + 1):
            first, second = Counter[str](), Counter[str]()
            for turn in range(TURNS):
                first.update(_events(few, FEW, turn))
                second.update(_events(many, bench.leads, turn))
            if number:  # the first warms caches up
                cpu.append(second["cpu"] / first["cpu"])
                size.append(second["bytes"] / first["bytes"])
                each = [count["cpu"] / TURNS / EVENTS / 1e6 for count in (first, second)]
                bench.tell(f"  round {number}: {each[0]:.2f} ms of CPU, {each[1]:.2f} with many leads")
    name = f"an event at {bench.leads} leads against {FEW}"
    return [Row(f"{name}: CPU", tuple(cpu), 1.1), Row(f"{name}: bytes written", tuple(size), 1.1)]


def _events(office: Office, leads: int, turn: int) -> dict[str, int]:
    """Nanoseconds of CPU and bytes written of a few events, each on another of the open leads."""
    written, began = _written(), time.process_time_ns()
    for number in range(turn * EVENTS, (turn + 1) * EVENTS):
        office.do(leads - number % OPEN, f"note {number}", "bo")
        office.store.flush()
    return {"cpu": time.process_time_ns() - began, "bytes": _written() - written}


def _written() -> int:
    """Bytes that this process has given to write() so far."""
    return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])


def event_bytes(bench: Bench) -> list[Row]:
    """Journal and snapshots together, for each byte of JSON that changed, over several snapshots."""
    ratios = []
    for number in range(bench.rounds):
        text = " ".join(random.Random(number).choices(WORDS, k=180))
        with tempfile.TemporaryDirectory() as name:
            store = JournalDB(Path(name) / "s.json", max_journal=SPREAD)
            documents = {str(n): to_doc(lead(n, text, 200)) for n in range(1, 201)}
            store.commit({"leads": documents})
            store.snapshot()
            changed, before = 0, _written()
            for step in range(3000):
                key = str(step % 200 + 1)
                document = {**documents[key], "draft": str(step)}
                changed += len(json.dumps(document))
                store.commit({"leads": {key: document}})
            ratios.append((_written() - before) / changed)
            store.close()
    return [Row("bytes written for an event, snapshots and all, times its JSON", tuple(ratios), 3.0)]


def start(bench: Bench) -> list[Row]:
    """Opening a store with its indexes, against json.load of the same bytes: its snapshot, and a journal of a tenth."""
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "s.json"
        fill(path, bench.leads)
        store = JournalDB(path, max_journal=1 << 40)
        for number in range(1, bench.leads, 10):
            document = store.get_doc("leads", str(number)) or {}
            store.commit({"leads": {str(number): {**document, "draft": "x"}}})
        store.close()
        for number in range(bench.rounds):
            began = time.perf_counter()
            ours = Store(path, read_only=True)
            opened_in = time.perf_counter() - began
            del ours
            plain = _plain_load(path)
            ratios.append(opened_in / plain)
            bench.tell(f"  round {number + 1}: {opened_in:.2f} s, json.load {plain:.2f} s")
    return [Row(f"start with {bench.leads} leads against json.load of the same bytes", tuple(ratios), 0.5)]


def _plain_load(path: Path) -> float:
    """Seconds that json.load takes over the snapshot, and json.loads over the journal's documents."""
    began = time.perf_counter()
    with path.open("rb") as file:
        snapshot = json.load(file)
    with path.with_name(path.name + ".journal").open("rb") as file:
        later = [json.loads(each) for line in file for each in line.split(b"\t") if each.startswith(b"{")]
    took = time.perf_counter() - began
    del snapshot, later
    return took


def memory(bench: Bench) -> list[Row]:
    """Peak memory of the whole program, `run --once` beside so many leads."""
    rows = []
    for leads, reach in ((1000, 80.0), (bench.leads, 450.0)):
        with tempfile.TemporaryDirectory() as name:
            own = house(Path(name), bench, bench.user())
            fill(own.store_path, leads)
            read_key(load(own.config).trust.key_file, make=True)
            peaks = [_peak(own) for _ in range(bench.rounds)]
            rows.append(Row(f"peak memory with {leads} leads, MB", tuple(peaks), reach))
            bench.tell(f"  {leads} leads: {max(peaks):.0f} MB")
    return rows


_SAY_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, capture_output=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _peak(own: Running) -> float:
    """MB that `run --once` took at most. Started by a small program: a child's peak begins with its parent's size."""
    words = [sys.executable, "-S", "-c", _SAY_PEAK, *own.command("run", "--once")]
    said = subprocess.run(words, env=own._environment(), check=True, capture_output=True, text=True)
    return int(said.stdout) / 1024
