"""`make bench`: how fast and how flat the router is, every figure as a ratio measured in one run.

Starts Dovecot and Postfix's smtp-sink by itself on loopback, runs the product and what it is measured against in turn,
and prints for each row minimum, median and maximum, what it is to reach, and whether the median does. JSON goes to
bench/out/bench.json. `--only ROW` (again and again) measures single rows; figures move with the machine, the ratios do
so less, so at the end it says what the machine was.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import pipeline, storing, waiting
from bench.runs import Bench, Row
from tests.servers import Dovecot, ServerMissing, SmtpSink

OUT = Path(__file__).parent / "out"
ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "pipeline": pipeline.whole_pipeline,
    "many": pipeline.five_thousand,
    "old": pipeline.old_inbox,
    "event": storing.event,
    "bytes": storing.event_bytes,
    "start": storing.start,
    "memory": storing.memory,
    "idle": waiting.idle,
    "poll": waiting.polling,
    "claims": waiting.claims,
    "distance": waiting.distance,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=ROWS, metavar="ROW", help=f"one of {', '.join(ROWS)}")
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--leads", type=int, default=100_000)
    arguments = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # programs are compiled once, as where they are installed
    began = time.monotonic()
    try:
        rows, failed = measure(arguments)
    except ServerMissing as missing:
        print(missing)
        return 1
    print_table(rows)
    machine = {"cores": os.cpu_count(), "fsync_ms": fsync_time() * 1000, "load": os.getloadavg()[0]}
    took = time.monotonic() - began
    print(f"\n{machine['cores']} cores, an fsync takes {machine['fsync_ms']:.2f} ms; {took / 60:.1f} minutes in all")
    figures = [{"what": r.name, "values": r.values, "reach": r.reach, "at_least": r.at_least} for r in rows]
    (OUT / "bench.json").write_text(json.dumps({"machine": machine, "rows": figures, "failed": failed}, indent=1))
    if failed:
        print(f"not measured: {', '.join(failed)}")
    return 1 if failed else 0


def measure(arguments: argparse.Namespace) -> tuple[list[Row], list[str]]:
    """The rows, and the names of those that could not be measured."""
    rows: list[Row] = []
    with Dovecot() as dovecot, SmtpSink() as sink:
        bench = Bench(dovecot, sink, arguments.mails, arguments.rounds, arguments.leads)
        for name in arguments.only or ROWS:
            began = time.monotonic()
            print(f"{name}: {(ROWS[name].__doc__ or ROWS[name].__name__).splitlines()[0]}", flush=True)
            try:
                rows += ROWS[name](bench)
            except Exception as error:  # one row that fails takes no other with it
                print(f"  failed: {type(error).__name__}: {error}", flush=True)
                bench.failed.append(name)
            print(f"  {time.monotonic() - began:.0f} s", flush=True)
    return rows, bench.failed


def print_table(rows: list[Row]) -> None:
    print("\n| what | min | median | max | reach | |\n| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        reach = "" if row.reach is None else f"{'≥' if row.at_least else '≤'} {row.reach:.4g}"
        low, high = min(row.values), max(row.values)
        verdict = "" if row.reach is None else "holds" if row.holds else "**short**"
        print(f"| {row.name} | {low:.3g} | {row.median:.3g} | {high:.3g} | {reach} | {verdict} |")


def fsync_time() -> float:
    """The median of twenty, in seconds, where the stores of the bench lie."""
    with tempfile.NamedTemporaryFile() as file:
        times = []
        for _ in range(20):
            file.write(b"x" * 4000)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
