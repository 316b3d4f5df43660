"""Fuzzing what reads mail: whatever the bytes, an answer or a `MessageError`, in bounded time.

`python -m bench.fuzz --minutes N`: coverage-guided by atheris where it is installed, random mutation otherwise. Starts
from this project's own mails. A finding is written beside the run and ends it with status 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from router.commands import read_command
from router.forward import read_forward
from router.house import House, Member
from router.ids import Ids
from router.machines import auto_reply_reason, bulk_reason, form_letter_reason, read_bounce
from router.message import MessageError, read_message
from router.reply import cut_text, read_reply
from router.triage import Incoming, triage
from router.view import EmptyView
from router.worktime import Calendar

ROOT = Path(__file__).parent.parent
SLOW = 2.0  # seconds for one mail of at most 100 kB: a hundred times what it should take
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUSE = House(
    name="The Collective",
    address="buns@coll.example",
    ids=Ids(b"k" * 32, "fuzz", "buns@coll.example"),
    calendar=Calendar(),
    members={"bo": Member("bo", "Bo Ek", ("bo@coll.example",))},
    names=(("bo", "Bo"), ("bo", "Bo Ek")),
    keeper="bo",
    list_address="crew@coll.example",
    trust_senders="address",
)


def read_everything(raw: bytes) -> None:
    """Every reader once. Anything but a MessageError is a finding."""
    try:
        message = read_message(raw)
    except MessageError:
        return
    for reader in (read_reply, read_forward, read_bounce, auto_reply_reason, bulk_reason, form_letter_reason):
        reader(message)  # type: ignore[operator]
    read_command(read_reply(message).text, names=HOUSE.names, today=NOW.date())
    for as_reply in (False, True):
        triage(Incoming(message, NOW, as_reply=as_reply), HOUSE, EmptyView())
    cut_text(raw[:20_000].decode("latin-1"))


def seeds() -> list[bytes]:
    folder = ROOT / "tests"
    return [path.read_bytes()[:100_000] for path in sorted(folder.rglob("*.eml"))]


_PIECES = (
    b"\r\n", b"\n", b"\r", b"> ", b"On ", b" wrote:\n", b"From: ", b"--", b"\x00", b"=?utf-8?b?", b"?=",
    b"<div class=gmail_quote>", b"<blockquote>", b"Content-Type: multipart/mixed; boundary=b\n", b"\n--b\n", b"mine",
    b"pass", b"\xff\xfe", b"=3D", b"\xe2\x80\x8b", b"Subject: ", b"Auto-Submitted: auto-replied\n",
    b"-----Original Message-----\n", b"\x78\x9f\x3e\x22", b"(" * 50, b"<" * 200,
)  # fmt: skip


def mutate(raw: bytes, pool: list[bytes], pick: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(pick.choice((1, 1, 2, 4, 16))):
        at = pick.randrange(len(data) + 1)
        match pick.randrange(7):
            case 0:
                data[at:at] = pick.choice(_PIECES) * pick.choice((1, 1, 1, 3, 50, 1000))
            case 1:
                del data[at : at + pick.choice((1, 4, 40, 400))]
            case 2 if data:
                data[at % len(data)] = pick.randrange(256)
            case 3:
                other = pick.choice(pool)
                start = pick.randrange(len(other) + 1)
                data[at:at] = other[start : start + pick.choice((10, 100, 2000))]
            case 4:
                piece = data[at : at + pick.choice((5, 80, 800))]
                data[at:at] = piece * pick.choice((2, 20, 200))
            case 5:
                del data[at:]
            case _:
                data[at:at] = bytes(pick.randrange(256) for _ in range(pick.choice((1, 8, 60))))
    return bytes(data[:100_000])


def random_fuzz(minutes: float, seed: int) -> int:
    pick, pool = random.Random(seed), seeds()
    began, tried, slowest = time.monotonic(), 0, 0.0
    while time.monotonic() - began < minutes * 60:
        raw = mutate(pick.choice(pool), pool, pick)
        started = time.perf_counter()
        try:
            read_everything(raw)
        except Exception as error:
            return _found(raw, f"{type(error).__name__}: {error}")
        slowest = max(slowest, time.perf_counter() - started)
        if slowest > SLOW:
            return _found(raw, f"{slowest:.1f} s for {len(raw)} bytes")
        tried += 1
        if pick.random() < 0.02:
            pool[pick.randrange(len(pool))] = raw  # findings often stand a few steps from where one began
    print(f"{tried} mails in {minutes:g} minutes, seed {seed}: nothing found; slowest {slowest * 1000:.0f} ms")
    return 0


def _found(raw: bytes, what: str) -> int:
    path = Path("fuzz-finding.eml")
    path.write_bytes(raw)
    print(f"found: {what}\nthe mail is in {path}; a shortened copy belongs into tests/weird/")
    return 1


def guided_fuzz(minutes: float, setup: Callable[..., object], fuzz: Callable[[], object]) -> int:
    corpus = ROOT / "bench" / "out" / "fuzz"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate(seeds()):
        (corpus / f"seed{number:04}").write_bytes(raw)
    read_command("a mine", names=HOUSE.names, today=NOW.date())  # the book of phrases is written once, not for a mail
    limits = [f"-max_total_time={int(minutes * 60)}", "-max_len=20000", "-timeout=20", "-print_final_stats=1"]
    setup(["fuzz", *limits, str(corpus)], read_everything)
    fuzz()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--random", action="store_true", help="random mutation even where atheris is installed")
    arguments = parser.parse_args()
    if not arguments.random:
        try:
            import atheris
        except ImportError:
            print("atheris is not installed; fuzzing by random mutation")
        else:
            atheris.instrument_all()
            return guided_fuzz(arguments.minutes, atheris.Setup, atheris.Fuzz)
    return random_fuzz(arguments.minutes, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
