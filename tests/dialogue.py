"""Whole lives of buns as readable text, played through the real office and a real store.

A dialogue file reads like this (see tests/dialogues/ for many):

    # One colleague wants it.                                 a comment; the first one is the dialogue's name
    given window = 4 working hours                            a span or choice of [protocol]; before the first moment
    monday 09:00                                              the clock moves on to the next such moment
    acme -> hello: Rust review | Can one of you review it?    a client writes: subject | text
        router -> acme: ack                                   every mail that this leads to, and no other
        router -> list: offer
    +5 minutes                                                the clock moves on by a span
    bo -> bun 1: mine                                         a colleague answers on the bun's thread
        router -> bo: receipt claim
    bun 1: offered, kim owns it, claimed by bo                what is known of it now

Between moments the clock stands. Whatever falls due while it moves is decided at its time, in order, and its mails are
expected below the line that moved the clock; a mail that nobody expects fails the dialogue, and so does a missing one.
Who writes: a consultant's key, or any other word for a client (acme is acme@acme.example). Further lines:

    given list = none                 offers go to each consultant one by one
    given per_stranger = 1            a bound of [restraint]
    given show_zone                   times name the zone
    given authenticated               senders must be proven; mails from consultants come with DMARC passed
    bo -> hello: …                    a colleague writes to the shared address, about no bun in particular
    bo -> list: BUN: subject | text   … or to the collective's list, with the router subscribed
    bo forwards acme: Help | text     a colleague forwards a client's mail
    bo -> acme about bun 1: text      a colleague writes to the client, the bun's address in Cc
    bo -> acme, hello in Cc: subject | text   … or without any thread, the shared address in Cc
    unproven bo -> acme …             both, in a mail that says it is from bo, and is not proven
    cto@acme.example answers that mail: text  to its writer, the shared address in Cc
    acme -> bun 1: text               the client answers the router's last mail on that bun
    acme's robot -> bun 1: text       … and so does an out-of-office
    acme's newsletter -> hello: subject | text   a mail with all that newsletters carry
    the keeper's list is due          what was set aside, as the almanac has it each working day
    unproven bo -> bun 1: mine        a mail that says it is from bo, and is not proven
    stranger x@y.example -> bun 1: …  from an address that is on no roster, on the colleagues' thread
    bounce of bo / bounce of acme on bun 1
    bounce of acme on bun 1, naming team@host.example   … with the mailbox that it was forwarded to, or "naming nobody"
    bo confirms / bo answers: yes     the answer to the last question with a secret
    imap is down / imap is back       mail waits on the server; nothing is heard, nothing falls due
    smtp is down / smtp is back       mail waits in the outbox
    router is down / router is back   both
    mail to list fails                its server refuses for good whatever goes to the list, to bo, to acme
    junk finds: <a line as above>     what that line says was in Junk, received at the moment noted by `at`
    at monday 10:05 bo -> bun 1: mine the server received it then, and it is met only now
    cy leaves the roster
    the last mail comes again         the same bytes once more, as mail servers and lists do at times
    the clock goes back 40 minutes    somebody has set it right
    the router restarts               everything is read from the store's files again
    mails to come: nothing            (a reminder for readers; the same is true of every line without mails)

PROTOCOL.md says what must happen; these say what does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

from router.clerk import list_asides
from router.compose import Outgoing
from router.house import Bounds, House, Member
from router.ids import Ids
from router.inbox import Met
from router.lead import Lead
from router.message import read_message
from router.office import Handled, Office
from router.start import read_templates
from router.store import Delivery, Store
from router.turn import Terms
from router.worktime import Calendar, parse_span

DOMAIN = "coll.example"
SHARED = f"hello@{DOMAIN}"
LIST = f"crew@{DOMAIN}"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
START = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)  # a Monday, 08:00 in Stockholm


class Wrong(AssertionError):
    """The dialogue and the router differ; says where and how."""


@dataclass
class Step:
    """A line of the dialogue with the mails expected below it."""

    number: int
    line: str
    mails: list[str]


def read_dialogue(text: str) -> tuple[str, list[Step]]:
    """(name, steps) of a dialogue file."""
    name, steps = "", []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split(" #")[0].rstrip() if not raw.startswith("#") else raw
        if line.startswith("#"):
            name = name or line.lstrip("# ")
        elif line.startswith("    ") and line.strip():
            if not steps:
                raise Wrong(f"line {number}: mails before anything has happened")
            steps[-1].mails.append(" ".join(line.split()))
        elif line.strip():
            steps.append(Step(number, " ".join(line.split()), []))
    return name, steps


MEMBERS = {
    "anna": Member("anna", "Anna Lind", (f"anna@{DOMAIN}",), skills=("rust", "security")),
    "bo": Member("bo", "Bo Ek", (f"bo@{DOMAIN}", "bo@home.example"), skills=("rust",)),
    "cy": Member("cy", "Cy Moreau", (f"cy@{DOMAIN}",), skills=("design",)),
    "kim": Member("kim", "Kim Keeper", (f"kim@{DOMAIN}",), never_claims=True),
}


class Play:
    """A house on a virtual clock, with a real store in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = START
        self.given: dict[str, str] = {}
        self.members = dict(MEMBERS)
        self.sent: list[Outgoing] = []  # since the last step
        self.last: dict[tuple[int, str], Outgoing] = {}  # the last mail on a bun to a role
        self.secrets: list[Outgoing] = []
        self.sent_at: dict[str, datetime] = {}
        self.imap_up = self.smtp_up = True
        self.waiting: list[tuple[bytes, Met, str]] = []
        self.uid = 0
        self.delivered = b""
        self.refused: set[str] = set()  # addresses whose server refuses all mail
        self.office: Office | None = None
        self.watchers: list[Callable[[Handled], None]] = []

    # -- the house -------------------------------------------------------------------------------------------------

    def open(self) -> Office:
        if self.office is None:
            store = Store(self.folder / "buns.json")
            self.office = Office(self._house(), store, TEMPLATES, lambda: self.now, self._watch)
            self.office.take_roster()
            self._settle()
            self.sent.clear()
        return self.office

    def _house(self) -> House:
        choices = {name: value for name, value in self.given.items() if name in Terms.__slots__}
        spans: dict[str, Any] = {
            name: value if name in ("contest_fallback", "no_by", "reheat_by") else parse_span(value)
            for name, value in choices.items()
        }
        members = self.given.get("members", "").split()
        if members:
            self.members = {key: m for key, m in self.members.items() if key in members}
        return House(
            name="The Collective",
            address=SHARED,
            ids=Ids(b"k" * 32, "play", SHARED),
            calendar=Calendar(
                self.given.get("timezone", "Europe/Stockholm"),
                country=self.given.get("country", "SE"),
                show_zone="show_zone" in self.given,
            ),
            members=self.members,
            names=_names(self.members),
            terms=Terms(**spans),
            list_address="" if self.given.get("list") == "none" else LIST,
            list_id=LIST.replace("@", "."),
            keeper="" if "rota" in self.given else self.given.get("keeper", "kim"),
            rota=tuple(self.given.get("rota", "").split()),
            deputy=self.given.get("deputy", ""),
            mediator=self.given.get("mediator", ""),
            business_developer=self.given.get("business_developer", ""),
            operator=f"operator@{DOMAIN}",
            languages=tuple(self.given.get("languages", "en sv").split()),
            forms=tuple(self.given.get("forms", "").split()),
            trust_senders="authenticated" if "authenticated" in self.given else "address",
            authserv_id=f"mx.{DOMAIN}",
            plus_addresses=True,
            bounds=Bounds(**{name: int(self.given[name]) for name in Bounds.__slots__ if name in self.given}),
        )

    def _watch(self, handled: Handled) -> None:
        for watcher in self.watchers:
            watcher(handled)

    def _settle(self) -> None:
        """Flush; the outbox sends all that it may; results come in; until nothing moves."""
        assert self.office is not None
        store = self.office.store
        self.office.tell_anew()
        while True:
            store.flush()
            mails = store.take(1000, self.now, SHARED) if self.smtp_up else []
            accepted: list[Delivery] = []
            for mail in mails:
                doc = store.get("outbox", mail.row) or {}
                sent = Outgoing(mail.lead or 0, doc["kind"], doc["to"], mail.recipients, mail.message_id, mail.raw)
                if set(mail.recipients) <= self.refused:
                    failed = Delivery(mail.row, mail.lead or 0, "failed", self.now, "550 no such user")
                    store.mark([failed])
                    continue
                gone = tuple((each, "550 no such user") for each in mail.recipients if each in self.refused)
                accepted.append(Delivery(mail.row, mail.lead or 0, "accepted", self.now, refused=gone))
                self.sent.append(sent)
                self.last[sent.lead, sent.to] = sent
                self.sent_at[sent.message_id] = self.now
                if sent.kind in ("confirm", "one-of-us"):
                    self.secrets.append(sent)
            store.mark(accepted)
            did = self.office.take_results() if self.imap_up else False
            if not mails and not did:
                return

    # -- time ------------------------------------------------------------------------------------------------------

    def move(self, moment: datetime) -> None:
        """On to `moment`, deciding on the way what falls due, each at its time."""
        office = self.open()
        while self.imap_up:
            midnight = self._midnight()
            due = office.store.next_due()
            if min(due or moment, midnight) >= moment and (due is None or due > moment):
                break
            self.now = max(self.now, min(due or midnight, midnight))
            if self.now == midnight:  # as the almanac does
                office.pass_keys()
            office.fall_due(self.now)
            self._settle()
        self.now = max(self.now, moment)
        office.pass_keys()  # the almanac does not need to hear
        self._settle()

    def _midnight(self) -> datetime:
        zone = self.open().house.calendar.zone
        day = self.now.astimezone(zone).date() + timedelta(days=1)
        return datetime.combine(day, time(0), zone).astimezone(UTC)

    # -- mail ------------------------------------------------------------------------------------------------------

    def deliver(self, raw: bytes, place: str = "inbox", received: datetime | None = None) -> None:
        """The server receives a mail; the router reads it when it can hear."""
        self.delivered = raw
        self.uid += 1
        met = Met("Junk" if place == "junk" else "INBOX", 1, self.uid, received or self.now, len(raw))
        self.waiting.append((raw, met, place))
        if self.imap_up:
            self.read()

    def read(self) -> None:
        """Mail first, in the order in which the server received it; then results; then what fell due."""
        office = self.open()
        for raw, met, place in sorted(self.waiting, key=lambda each: each[1].order()):
            office.take_in(raw, met, place)
        self.waiting.clear()
        self._settle()
        while office.fall_due(self.now):
            self._settle()


def _names(members: Mapping[str, Member]) -> tuple[tuple[str, str], ...]:
    return tuple((key, name) for key, m in members.items() for name in (key, m.name, m.name.split()[0]))


TEMPLATES = read_templates(None)


# -- lines of a dialogue -------------------------------------------------------------------------------------------


class Reader:
    """Plays the steps of one dialogue and compares."""

    def __init__(self, play: Play) -> None:
        self.play = play

    def run(self, steps: list[Step]) -> None:
        for step in steps:
            self.play.sent.clear()
            self._act(step.line, step.number)
            self._compare(step)

    def _act(self, line: str, number: int) -> None:
        for pattern, act in _LINES:
            match = re.fullmatch(pattern, line, re.IGNORECASE)
            if match:
                act(self, match)
                return
        raise Wrong(f"line {number}: nobody understands “{line}”")

    def _compare(self, step: Step) -> None:
        want = sorted(mail.removesuffix(" once") for mail in step.mails)
        got = sorted(self._shown(mail, want) for mail in self.play.sent)
        if want != got:
            missing = [mail for mail in want if mail not in got]
            extra = [mail for mail in got if mail not in want]
            raise Wrong(
                f"line {step.number}: {step.line}\n  expected: {'; '.join(want) or 'no mail'}\n"
                f"  sent:     {'; '.join(got) or 'no mail'}\n  missing: {missing}\n  too many: {extra}"
            )

    def _shown(self, mail: Outgoing, want: list[str]) -> str:
        """The mail as a dialogue writes it, with as many words after its kind as the expectation has."""
        base = f"router -> {self._role(mail)}: {mail.kind}"
        fits = [each for each in want if each.startswith(base + " ")]
        for each in fits:
            words = each[len(base) :].strip().strip('“”"').lower()
            message = read_message(mail.raw)
            if words in " ".join(f"{message.subject} {message.text}".lower().split()):
                return each
        return base

    def _role(self, mail: Outgoing) -> str:
        if mail.to == "client":
            return mail.recipients[0].partition("@")[0]
        return mail.to.lstrip("@")

    # -- who writes ------------------------------------------------------------------------------------------------

    def address(self, who: str) -> str:
        member = self.play.members.get(who) or MEMBERS.get(who)
        if member is not None:
            return f"{member.name} <{member.addresses[0]}>"
        return who if "@" in who else f"{who.title()} <{who}@{who}.example>"

    def is_colleague(self, who: str) -> bool:
        return who in MEMBERS or who in self.play.members

    def post(
        self,
        who: str,
        to: str,
        subject: str,
        text: str,
        *,
        proven: bool = True,
        answers: Outgoing | None = None,
        headers: Mapping[str, str] | None = None,
        cc: str = "",
        place: str = "inbox",
        received: datetime | None = None,
        sender: str = "",
    ) -> None:
        play = self.play
        play.open()
        lines = []
        if "authenticated" in play.given and proven and self.is_colleague(who):
            lines.append(f"Authentication-Results: mx.{DOMAIN}; dmarc=pass header.from={DOMAIN}")
        lines += [f"From: {sender or self.address(who)}", f"To: {to}", f"Subject: {subject}"]
        lines += [f"Cc: {cc}"] if cc else []
        number = play.uid + 1
        lines += [f"Message-ID: <{number}@{who.replace('@', '.')}.mail>", "Date: Mon, 02 Mar 2026 09:00:00 +0000"]
        if answers is not None:
            lines.append(f"In-Reply-To: {answers.message_id}")
            quoted = read_message(answers.raw).text.strip().splitlines()[:6]
            text += "\n\nOn Mon, 2 Mar 2026 at 09:00, The Collective wrote:\n" + "\n".join("> " + q for q in quoted)
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"]
        raw = "\r\n".join((*lines, "", text, "")).encode()
        play.deliver(raw, place, received)

    def thread(self, number: int, who: str) -> tuple[str, Outgoing | None]:
        """Where an answer on a bun goes, and what it answers: the last mail this person got about it."""
        play = self.play
        house = play.open().house
        if self.is_colleague(who):
            found = play.last.get((number, f"@{who}")) or play.last.get((number, "list"))
            return house.ids.reply_address(number, f"@{who}" if (number, f"@{who}") in play.last else "us"), found
        return house.ids.reply_address(number, "client"), play.last.get((number, "client"))


def _given(reader: Reader, m: re.Match[str]) -> None:
    name, _, value = m[1].partition("=")
    if reader.play.office is not None:
        raise Wrong(f"“given {m[1]}” comes after something has happened")
    reader.play.given[name.strip()] = value.strip()


def _moment(reader: Reader, m: re.Match[str]) -> datetime:
    """The next such weekday and time in the collective's zone; today when it has not yet passed."""
    zone = reader.play.open().house.calendar.zone
    local = reader.play.now.astimezone(zone)
    hour, minute = map(int, m[2].split(":"))
    days = (DAYS.index(m[1].lower()) - local.weekday()) % 7
    moment = (local + timedelta(days=days)).replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (moment if moment >= local else moment + timedelta(days=7)).astimezone(UTC)


def _go_to(reader: Reader, m: re.Match[str]) -> None:
    reader.play.move(_moment(reader, m))


def _go_on(reader: Reader, m: re.Match[str]) -> None:
    span = parse_span(m[1])
    reader.play.move(reader.play.open().house.calendar.add(reader.play.now, span))


def _date(reader: Reader, m: re.Match[str]) -> None:
    zone = reader.play.open().house.calendar.zone
    moment = datetime.fromisoformat(f"{m[1]}T{m[2]}").replace(tzinfo=zone).astimezone(UTC)
    reader.play.move(moment)


def _says(reader: Reader, m: re.Match[str], **more: Any) -> None:
    who, to, text = m["who"].lower(), m["to"], m["text"]
    bun = re.fullmatch(r"bun (\d+)", to)
    if bun:
        address, answers = reader.thread(int(bun[1]), who)
        subject = f"Re: {read_message(answers.raw).subject}" if answers else f"Re: [BUN {bun[1]}]"
        reader.post(who, address, subject, text.replace(" / ", "\n\n"), answers=answers, **more)
        return
    subject, _, body = text.partition(" | ")
    target = {"hello": SHARED, "list": LIST}.get(to, to)
    if to == "list":
        more["headers"] = {"List-Id": f"<{LIST.replace('@', '.')}>", "List-Post": f"<mailto:{LIST}>"}
    text = (body or subject).replace(" / ", "\n\n")
    reader.post(who, target, subject if body else "Hello", text, **more)


def _unproven(reader: Reader, m: re.Match[str]) -> None:
    """An answer to the offer's address, without any proof of who wrote it."""
    number = int(m["bun"])
    address = reader.play.open().house.ids.reply_address(number, "us")
    answers = reader.play.last.get((number, "list"))
    reader.post(m["who"].lower(), address, "Re: offer", m["text"], answers=answers, proven=False)


def _stranger(reader: Reader, m: re.Match[str]) -> None:
    number = int(m["bun"])
    address = reader.play.open().house.ids.reply_address(number, "us")
    answers = reader.play.last.get((number, "list"))
    reader.post(m["who"], address, "Re: offer", m["text"], answers=answers, proven=False)


def _forwards(reader: Reader, m: re.Match[str]) -> None:
    client = m["client"].lower()
    subject, _, text = m["text"].partition(" | ")
    body = (
        f"{m['above'] or 'See below.'}\n\n---------- Forwarded message ---------\nFrom: {reader.address(client)}\n"
        f"Date: Mon, 2 Mar 2026 at 08:58\nSubject: {subject}\nTo: <{m['who'].lower()}@{DOMAIN}>\n\n{text}\n"
    )
    reader.post(m["who"].lower(), SHARED, f"Fwd: {subject}", body)


def _to_client(reader: Reader, m: re.Match[str]) -> None:
    number = int(m["bun"])
    house = reader.play.open().house
    lead = house and reader.play.open().store.lead(number)
    assert lead is not None
    cc = house.ids.reply_address(number, "client")
    reader.post(m["who"].lower(), lead.client, f"Re: {lead.subject}", m["text"], cc=cc, proven=not m["unproven"])


def _to_outsider(reader: Reader, m: re.Match[str]) -> None:
    subject, _, text = m["text"].partition(" | ")
    to, proven = reader.address(m["to"].lower()), not m["unproven"]
    reader.post(m["who"].lower(), to, subject, text.replace(" / ", "\n\n"), cc=SHARED, proven=proven)


def _answers_that(reader: Reader, m: re.Match[str]) -> None:
    """An answer to the mail that was delivered last, which somebody other than the router wrote."""
    that = read_message(reader.play.delivered)
    headers = {"In-Reply-To": that.message_id}
    to, subject = that.sender.address, f"Re: {that.subject.removeprefix('Re: ')}"
    reader.post(m["who"].lower(), to, subject, m["text"], cc=SHARED, headers=headers)


def _robot(reader: Reader, m: re.Match[str]) -> None:
    number = int(m["bun"])
    who = m["who"].lower()
    address, answers = reader.thread(number, who)
    headers = {"Auto-Submitted": "auto-replied"}
    reader.post(who, address, "Automatic reply: away", m["text"], answers=answers, headers=headers)


def _newsletter(reader: Reader, m: re.Match[str]) -> None:
    subject, _, text = m["text"].partition(" | ")
    signs = {"List-Unsubscribe": "<https://news.example/out>", "List-Id": "<news.example>", "Precedence": "bulk"}
    reader.post(m["who"].lower(), SHARED, subject, text.replace(" / ", "\n\n"), headers=signs)


def _list_is_due(reader: Reader, m: re.Match[str]) -> None:
    office = reader.play.open()
    list_asides(office, reader.play.now)
    reader.play._settle()


def _bounce(reader: Reader, m: re.Match[str]) -> None:
    number = int(m["bun"])
    who = m["who"].lower()
    house = reader.play.open().house
    if who == "list":
        address, found = LIST, reader.play.last[number, "list"]
    elif reader.is_colleague(who):
        address = reader.play.members[who].addresses[0]
        found = reader.play.last.get((number, f"@{who}")) or reader.play.last[number, "list"]
    else:
        lead = reader.play.open().store.lead(number)
        assert lead is not None
        address, found = lead.client, reader.play.last[number, "client"]
    address = m["named"] or address
    named = "" if address == "nobody" else f"Final-Recipient: rfc822; {address}\r\n"
    raw = (
        f"From: MAILER-DAEMON@mx.{house.domain}\r\nTo: {SHARED}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        f"Message-ID: <bounce{reader.play.uid}@mx>\r\nDate: Mon, 02 Mar 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n'
        "Content-Type: text/plain\r\n\r\nThe mail could not be delivered: user unknown\r\n--b\r\n"
        "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n"
        f"{named}Action: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n"
        f"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: {found.message_id}\r\n\r\n--b--\r\n"
    )
    reader.play.deliver(raw.encode())


def _confirms(reader: Reader, m: re.Match[str]) -> None:
    """The answer to the last question with a secret: to its Reply-To."""
    question = reader.play.secrets[-1]
    to = read_message(question.raw).reply_to[0].address
    reader.post(m["who"].lower(), to, "Re: confirm", m["text"], answers=question)


def _down(reader: Reader, m: re.Match[str]) -> None:
    reader.play.open()
    what = m["what"].lower()
    if what in ("imap", "router"):
        reader.play.imap_up = False
    if what in ("smtp", "router"):
        reader.play.smtp_up = False


def _back(reader: Reader, m: re.Match[str]) -> None:
    what = m["what"].lower()
    if what in ("smtp", "router"):
        reader.play.smtp_up = True
    if what in ("imap", "router"):
        reader.play.imap_up = True
        reader.play.read()
    reader.play._settle()


def _at(reader: Reader, m: re.Match[str]) -> None:
    """A mail that the server received earlier and that is met only now."""
    zone = reader.play.open().house.calendar.zone
    local = reader.play.now.astimezone(zone)
    hour, minute = map(int, m["time"].split(":"))
    days = (local.weekday() - DAYS.index(m["day"].lower())) % 7
    received = (local - timedelta(days=days)).replace(hour=hour, minute=minute, second=0).astimezone(UTC)
    inner = re.fullmatch(_SAYS, m["rest"], re.IGNORECASE)
    if inner is None:
        raise Wrong(f"nobody understands “{m['rest']}”")
    _says(reader, inner, received=received, place="junk" if m["junk"] else "inbox")


def _leaves(reader: Reader, m: re.Match[str]) -> None:
    play = reader.play
    play.open()
    assert play.office is not None
    play.members = {key: member for key, member in play.members.items() if key != m["who"].lower()}
    house = replace(play.office.house, members=play.members, names=_names(play.members))
    play.office = Office(house, play.office.store, TEMPLATES, lambda: play.now, play._watch)
    play.office.take_roster()
    play._settle()


def _restart(reader: Reader, m: re.Match[str]) -> None:
    """The process ends and begins again: everything is read from the store's files."""
    play = reader.play
    office = play.open()
    office.store.close()
    play.office = Office(office.house, Store(play.folder / "buns.json"), TEMPLATES, lambda: play.now, play._watch)
    play.office.take_roster()
    play._settle()


def _again(reader: Reader, m: re.Match[str]) -> None:
    reader.play.deliver(reader.play.delivered)


def _fails(reader: Reader, m: re.Match[str]) -> None:
    who = m[1].lower()
    member = reader.play.members.get(who)
    reader.play.refused.add(LIST if who == "list" else member.addresses[0] if member else f"{who}@{who}.example")


def _clock_back(reader: Reader, m: re.Match[str]) -> None:
    reader.play.open()
    reader.play.now -= timedelta(minutes=int(m[1]))


def _known(reader: Reader, m: re.Match[str]) -> None:
    lead = reader.play.open().store.lead(int(m["bun"]))
    if lead is None:
        raise Wrong(f"there is no bun {m['bun']}")
    for fact in m["facts"].split(", "):
        _check_fact(lead, fact.strip())


def _check_fact(lead: Lead, fact: str) -> None:
    checks: list[tuple[str, Callable[[re.Match[str]], tuple[object, object]]]] = [
        (r"(dough|offered|contested|taken|eaten|thrown|cookie)", lambda m: (str(lead.status), m[1])),
        (r"(\w+) owns it", lambda m: (lead.owner, m[1])),
        (r"claimed by (.+)", lambda m: (" ".join(lead.claimants), m[1].replace(" and ", " "))),
        (r"no claims?", lambda m: (lead.claimants, ())),
        (r"interest of (.+)", lambda m: (" ".join(lead.interested), m[1].replace(" and ", " "))),
        (r"team of (.+)", lambda m: (" ".join(lead.team), m[1].replace(" and ", " "))),
        (r"ended as (\w+)", lambda m: (lead.ended_as, m[1])),
        (r"stage (\S+)", lambda m: (lead.stage, m[1])),
        (r"client (\S+)", lambda m: (lead.client, m[1])),
        (r"linked to (\d+)", lambda m: (lead.linked, (int(m[1]),))),
    ]
    for pattern, check in checks:
        match = re.fullmatch(pattern, fact)
        if match:
            got, want = check(match)
            if got != want:
                raise Wrong(f"bun {lead.id}: “{fact}” does not hold, it is {got!r}")
            return
    raise Wrong(f"nobody understands the fact “{fact}”")


_SAYS = r"(?P<who>[\w.+-]+(?:@[\w.-]+)?) -> (?P<to>hello|list|bun \d+): (?P<text>.*)"
_LINES: list[tuple[str, Callable[[Reader, re.Match[str]], None]]] = [
    (r"given (.+)", _given),
    (rf"({'|'.join(DAYS)}) (\d\d:\d\d)", _go_to),
    (r"(\d{4}-\d\d-\d\d) (\d\d:\d\d)", _date),
    (r"\+(.+)", _go_on),
    (r"unproven (?P<who>\w+) -> bun (?P<bun>\d+): (?P<text>.*)", _unproven),
    (r"stranger (?P<who>\S+) -> bun (?P<bun>\d+): (?P<text>.*)", _stranger),
    (r"(?P<who>\w+) forwards (?P<client>\w+)(?: above “(?P<above>[^”]*)”)?: (?P<text>.*)", _forwards),
    (r"(?P<unproven>unproven )?(?P<who>\w+) -> \w+ about bun (?P<bun>\d+): (?P<text>.*)", _to_client),
    (r"(?P<unproven>unproven )?(?P<who>\w+) -> (?P<to>\w+), hello in Cc: (?P<text>.*)", _to_outsider),
    (r"(?P<who>\S+) answers that mail: (?P<text>.*)", _answers_that),
    (r"(?P<who>\w+)'s robot -> bun (?P<bun>\d+): (?P<text>.*)", _robot),
    (r"(?P<who>\w+)'s newsletter -> hello: (?P<text>.*)", _newsletter),
    (r"the keeper's list is due", _list_is_due),
    (r"bounce of (?P<who>\w+) on bun (?P<bun>\d+)(?:, naming (?P<named>\S+))?", _bounce),
    (r"(?P<who>\w+) answers the question: (?P<text>.*)", _confirms),
    (r"(?P<what>imap|smtp|router) is down", _down),
    (r"(?P<what>imap|smtp|router) is back", _back),
    (rf"(?P<junk>junk )?at (?P<day>{'|'.join(DAYS)}) (?P<time>\d\d:\d\d) (?P<rest>.*)", _at),
    (r"the router restarts", _restart),
    (r"the last mail comes again", _again),
    (r"mail to (\w+) fails", _fails),
    (r"the clock goes back (\d+) minutes", _clock_back),
    (r"(?P<who>\w+) leaves the roster", _leaves),
    (r"bun (?P<bun>\d+): (?P<facts>.*)", _known),
    (_SAYS, _says),
]


def play_dialogue(path: Path, folder: Path) -> None:
    """Play one file. Raises Wrong with the line and the difference."""
    _, steps = read_dialogue(path.read_text(encoding="utf-8"))
    Reader(Play(folder)).run(steps)
