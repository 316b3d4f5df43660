"""How well mail is read: one table over labelled mails, by the corpus's own judge.

`python -m bench.reading [CORPUS] [--seed N …]`: for each label set the rate right, false commands, crashes; and, read
in this process, the worst time and the worst memory that any mail took. The corpus stands beside the checkout in
`../shared/corpus`; where it is not there, this says so and ends.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from router.config import load
from router.counter import explain_file
from router.house import House
from router.message import MessageError, read_message
from router.start import house_of
from router.triage import Incoming, triage
from router.view import EmptyView

ROOT = Path(__file__).parent.parent
CONFIG = """\
[collective]
name = "The Collective"
address = "leads@example.com"
list = "list@example.com"
keeper = "kim"
[imap]
host = "127.0.0.1"
port = 1143
security = "plain"
user = "leads"
password_env = "NOT_NEEDED"
[smtp]
host = "127.0.0.1"
port = 1025
security = "plain"
[trust]
senders = "address"
[[consultant]]
key = "kim"
name = "Kim Consultant"
addresses = ["kim.consultant@example.org"]
"""
WANTED = {  # what each figure is to reach; the rest is for information
    "no crash": 100.0,
    'no "error" answer': 100.0,
    "from": 97.0,
    "subject": 97.0,
    "exact": 90.0,
    "no leak": 95.0,
    "no loss": 97.0,
    "command read (top post)": 99.0,
    "command read (bottom post)": 90.0,
    "no false command (top post)": 100.0,
    "no false command (bottom post)": 100.0,
    "no false command (empty reply)": 100.0,
    "human passed [real mail]": 100.0,
    "auto found [real mail]": 100.0,
    "bounce never a human reply": 99.0,
    "human not a bounce": 100.0,
    "forward seen": 95.0,
    "original sender": 92.0,
}


def judge(corpus: Path, config: Path, seed: int) -> dict[str, dict[str, list[int]]]:
    """The corpus's own evaluator over `bun-router explain`: set → metric → [right, of]."""
    out = config.with_name(f"seed{seed}.json")
    command = f"{sys.executable} -m router explain --json --config {config} -"
    words = [sys.executable, str(corpus / "evaluate.py"), str(corpus), "--cmd", command, "--seed", str(seed)]
    subprocess.run([*words, "--show", "0", "--json", str(out)], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    results: dict[str, dict[str, list[int]]] = json.loads(out.read_text())["results"]
    return results


def mails_of(corpus: Path) -> Iterator[Path]:
    for line in (corpus / "labels" / "parse.jsonl").read_text(encoding="utf-8").splitlines():
        yield corpus / json.loads(line)["path"]


def worst(corpus: Path, config: Path) -> tuple[float, str, float, str]:
    """(seconds, mail, bytes of memory per byte of mail, mail): the dearest mails, read from bytes to verdict."""
    settings = load(config)
    house = house_of(settings, "bench", b"x" * 32)
    slow, slow_name, fat, fat_name = 0.0, "", 0.0, ""
    for path in mails_of(corpus):
        raw = path.read_bytes()
        began = time.perf_counter()
        _read(raw, house)
        took = time.perf_counter() - began
        if took > slow:
            slow, slow_name = took, path.name
        if len(raw) > 20_000:
            tracemalloc.start()
            _read(raw, house)
            peak = tracemalloc.get_traced_memory()[1] / len(raw)
            tracemalloc.stop()
            if peak > fat:
                fat, fat_name = peak, path.name
    return slow, slow_name, fat, fat_name


def _read(raw: bytes, house: House) -> None:
    with suppress(MessageError):
        triage(Incoming(read_message(raw), datetime.now(UTC)), house, EmptyView())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "corpus", nargs="?", type=Path, default=Path(os.environ.get("BUN_CORPUS", ROOT / "../shared/corpus"))
    )
    parser.add_argument("--seed", type=int, action="append", help="seeds for the judge; default 7 and 21")
    arguments = parser.parse_args()
    corpus: Path = arguments.corpus.resolve()
    if not (corpus / "evaluate.py").exists():
        print(f"there is no corpus at {corpus}; name its folder")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text(CONFIG)
        assert (
            explain_file(Path(folder) / "none", house_of(load(config), "bench", b"x" * 32), False)["kind"]
            == "unreadable"
        )
        short = _table([judge(corpus, config, seed) for seed in arguments.seed or (7, 21)])
        slow, slow_name, fat, fat_name = worst(corpus, config)
    print(
        f"\nworst time for a mail: {slow * 1000:.0f} ms ({slow_name}); worst memory: {fat:.1f} × the mail ({fat_name})"
    )
    return 1 if short else 0


def _table(rounds: list[dict[str, dict[str, list[int]]]]) -> int:
    print("| set | what | right | of | % | wanted |\n| --- | --- | --- | --- | --- | --- |")
    short = 0
    for name, metrics in rounds[0].items():
        for what in metrics:
            pairs = [each[name][what] for each in rounds]
            right, of = sum(a for a, _ in pairs), sum(b for _, b in pairs)
            rate, wanted = 100 * right / of, WANTED.get(what)
            mark = "" if wanted is None else f"{wanted:.0f}" + ("" if rate >= wanted else " – short")
            short += wanted is not None and rate < wanted
            print(f"| {name} | {what} | {right} | {of} | {rate:.1f} | {mark} |")
    return short


if __name__ == "__main__":
    sys.exit(main())
