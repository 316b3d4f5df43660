"""Rows about mails taken in by the thousand: against the bare script, at five thousand, beside old mail."""

from __future__ import annotations

import imaplib
from datetime import UTC, datetime, timedelta

from bench.mails import requests
from bench.runs import Bench, Row, bare, take_in, without

OLD = 20_000
MANY = 5  # times as many mails


def whole_pipeline(bench: Bench) -> list[Row]:
    """IMAP → durable lead → offer and acknowledgement accepted → filed; rates and CPU, in turn with the bare script."""
    names = ("rate", "rate with starts", "cpu", "bare cpu", "cpu share", "cpu with start", "pace")
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(bench.rounds):
        raws = requests(bench.mails, number)
        ours, theirs = take_in(bench, raws), bare(bench, raws)
        our_start, their_start = take_in(bench, []), bare(bench, [])
        net, their_net = without(ours, our_start), without(theirs, their_start)
        milliseconds = 1000 / len(raws)
        found["rate"].append(their_net.seconds / net.seconds)
        found["rate with starts"].append(theirs.seconds / ours.seconds)
        found["cpu"].append(net.cpu * milliseconds)
        found["bare cpu"].append(their_net.cpu * milliseconds)
        found["cpu share"].append(net.cpu / their_net.cpu)
        found["cpu with start"].append(ours.cpu * milliseconds)
        found["pace"].append(len(raws) / net.seconds)
        bench.tell(f"  round {number + 1}: {found['pace'][-1]:.0f} mails/s, bare {len(raws) / their_net.seconds:.0f}")
    return [
        Row("whole pipeline: times the bare script's rate", tuple(found["rate"]), 1.5, at_least=True),
        Row("the same, the start of both programs in it", tuple(found["rate with starts"]), 1.5, at_least=True),
        Row("mails a second", tuple(found["pace"])),
        Row("CPU a mail: share of the bare script's", tuple(found["cpu share"]), 3 / 4.5),
        Row("CPU a mail, ms", tuple(found["cpu"])),
        Row("CPU a mail of the bare script, ms", tuple(found["bare cpu"])),
        Row("CPU a mail with the start, ms", tuple(found["cpu with start"])),
    ]


def five_thousand(bench: Bench) -> list[Row]:
    ratios = []
    for number in range(bench.rounds):
        start = take_in(bench, [])
        few = without(take_in(bench, requests(bench.mails, number)), start)
        many = without(take_in(bench, requests(bench.mails * MANY, 100 + number)), start)
        ratios.append(many.seconds / MANY / few.seconds)
        bench.tell(f"  round {number + 1}: {ratios[-1]:.2f} times the time a mail")
    return [Row(f"{bench.mails * MANY} mails: time a mail against {bench.mails}", tuple(ratios), 1.1)]


def old_inbox(bench: Bench) -> list[Row]:
    """New mails in an inbox that holds many old ones, which the router leaves alone."""
    old = b"From: a@old.example\r\nTo: hello@coll.example\r\nMessage-ID: <%d@old.example>\r\n\r\nOld.\r\n"
    then = datetime.now(UTC) - timedelta(days=60)

    def fill(user: str) -> None:
        for number in range(OLD):
            bench.dovecot.deliver(user, old % number, received=then)
        _open(bench, user)  # the server's own index of them is not what is measured

    ratios = []
    for number in range(bench.rounds):
        raws = requests(bench.mails, 200 + number)
        empty, full = take_in(bench, raws, lambda user: _open(bench, user)), take_in(bench, raws, fill)
        ratios.append(full.seconds / empty.seconds)
        bench.tell(f"  round {number + 1}: {ratios[-1]:.2f} times the time a mail")
    return [Row(f"an inbox with {OLD} old mails against an empty one: time a mail", tuple(ratios), 1.1)]


def _open(bench: Bench, user: str) -> None:
    with imaplib.IMAP4("127.0.0.1", bench.dovecot.plain_port) as server:
        server.login(user, bench.dovecot.PASSWORD)
        server.select()
