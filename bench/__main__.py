"""`make bench`: the whole pipeline against a bare script, and what an event and a start cost, in one run.

Starts Dovecot and Postfix's smtp-sink by itself on loopback, generates seeded mails (8 kB on average, a tenth with a
30 kB attachment), runs the product and the bare pipeline in turn, and prints ratios: minimum, median, maximum. The
figures move with the machine; the ratios do so less. JSON goes to bench/out/bench.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.mails import WORDS, requests
from router.journal import JournalDB
from tests.house import Running
from tests.servers import Dovecot, SmtpSink

OUT = Path(__file__).parent / "out"
BOUNDS = "[restraint]\nper_address = 1000000\nper_stranger = 1000\nper_lead = 1000000\ntotal = 1000000\n"


def product(server: Dovecot, sink: SmtpSink, raws: list[bytes], user: str) -> tuple[float, float]:
    """(seconds, CPU seconds) of `run --once` over a full inbox: taken in, stored, two mails each accepted, filed."""
    with tempfile.TemporaryDirectory() as folder:
        for raw in raws:
            server.deliver(user, raw)
        more = {"smtp_more": "connections = 4", "more": BOUNDS}
        house = Running(Path(folder), server.plain_port, sink.port, user, server.PASSWORD, **more)  # type: ignore[arg-type]
        before, began = _children(), time.perf_counter()
        done = subprocess.run(house.command("run", "--once"), env=house._environment(), capture_output=True, text=True)
        took, cpu = time.perf_counter() - began, _children() - before
        leads = len(house.status())
        if done.returncode or leads != len(raws):
            raise RuntimeError(f"{leads} leads of {len(raws)}, status {done.returncode}: {done.stderr[-500:]}")
        return took, cpu


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


BARE = Path(__file__).parent / "bare.py"


def bare(server: Dovecot, sink: SmtpSink, raws: list[bytes], user: str) -> tuple[float, float]:
    """The same with a bare script (bench/bare.py): no protocol, no store but a line and an fsync."""
    for raw in raws:
        server.deliver(user, raw)
    before, began = _children(), time.perf_counter()
    words = [sys.executable, str(BARE), str(server.plain_port), str(sink.port), user, server.PASSWORD]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    return time.perf_counter() - began, _children() - before


def event_cost(documents: int) -> tuple[float, float]:
    """(CPU milliseconds, bytes written per byte of JSON changed) of one commit beside so many leads."""
    text = " ".join(random.Random(1).choices(WORDS, k=330))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.json"
        store = JournalDB(path)
        docs = {
            str(n): {"id": n, "status": "eaten", "client": f"c{n}@x.example", "text": text}
            for n in range(1, documents + 1)
        }
        store.commit({"leads": docs})
        store.snapshot()
        changed, size = 0, _written(path)
        began = time.process_time()
        for number in range(400):
            key = str(number % documents + 1)
            doc = {**docs[key], "n": number}
            changed += len(json.dumps(doc))
            store.commit({"leads": {key: doc}})
        took = time.process_time() - began
        written = _written(path) - size
        store.close()
        return took / 400 * 1000, written / changed


def _written(path: Path) -> int:
    return sum(p.stat().st_size for p in path.parent.glob("s.json*"))


def start_cost(documents: int) -> float:
    """Opening a store of so many leads, against json.load of the same bytes."""
    text = " ".join(random.Random(1).choices(WORDS, k=330))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s.json"
        store = JournalDB(path)
        store.commit({"leads": {str(n): {"id": n, "status": "eaten", "text": text} for n in range(1, documents + 1)}})
        store.snapshot()
        store.close()
        began = time.perf_counter()
        JournalDB(path, read_only=True)
        ours = time.perf_counter() - began
        began = time.perf_counter()
        json.loads(path.read_bytes())
        return ours / (time.perf_counter() - began)


def fsync_time() -> float:
    with tempfile.NamedTemporaryFile(dir=OUT) as file:
        times = []
        for _ in range(20):
            file.write(b"x" * 4000)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--leads", type=int, default=100_000)
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    rows: dict[str, tuple[list[float], str]] = {}
    pace: list[float] = []
    with Dovecot() as server, SmtpSink() as sink:
        ratios: list[float] = []
        cpus: list[float] = []
        bare_cpus: list[float] = []
        for number in range(arguments.rounds):
            raws = requests(arguments.mails, number)
            ours, cpu = product(server, sink, raws, f"ours{number}")
            theirs, bare_cpu = bare(server, sink, raws, f"bare{number}")
            ratios.append(theirs / ours)
            pace.append(len(raws) / ours)
            cpus.append(cpu / len(raws) * 1000)
            bare_cpus.append(bare_cpu / len(raws) * 1000)
            print(f"round {number + 1}: {pace[-1]:.0f} mails/s, the bare script {len(raws) / theirs:.0f}", flush=True)
        rows["whole pipeline, times the bare script's rate"] = ratios, "≥ 1.5"
        rows["mails a second"] = pace, ""
        rows["CPU a mail, ms"] = cpus, "≤ 3 where the bare script takes 4.5"
        rows["CPU a mail of the bare script, ms"] = bare_cpus, ""
    few, many = event_cost(100), event_cost(arguments.leads)
    rows[f"CPU of an event at {arguments.leads} leads against 100"] = [many[0] / few[0]], "≤ 1.1"
    rows["journal bytes for an event, times its JSON"] = [many[1]], "≤ 3"
    rows[f"start with {arguments.leads} leads against json.load"] = (
        [start_cost(arguments.leads) for _ in range(3)],
        "≤ 0.5",
    )
    _print(rows)
    machine = {"cores": os.cpu_count(), "fsync_ms": fsync_time() * 1000}
    print(f"\n{machine['cores']} cores, fsync {machine['fsync_ms']:.1f} ms")
    figures = {name: {"values": values, "reach": reach} for name, (values, reach) in rows.items()}
    (OUT / "bench.json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=1))
    return 0


def _print(rows: dict[str, tuple[list[float], str]]) -> None:
    print("\n| what | min | median | max | reach |\n| --- | --- | --- | --- | --- |")
    for name, (values, reach) in rows.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"| {name} | {low:.2f} | {middle:.2f} | {high:.2f} | {reach} |")


if __name__ == "__main__":
    sys.exit(main())
