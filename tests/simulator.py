"""A simulator that tries to break the protocol: random lives of buns, with the rules checked after every step.

Every step is a line of a dialogue (tests/dialogue.py), so a life that breaks a rule is printed as a dialogue file that
can be dropped into tests/dialogues/. It runs the real office over a real store; only the clock and the network are
played. `Simulator.live` plays one life from a seed; tests/test_simulator.py lets hypothesis choose the steps.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from router.compose import KINDS, TO_CLIENT, Outgoing
from router.lead import Lead, Status
from router.worktime import parse_span
from tests.dialogue import MEMBERS, Play, Reader

PEOPLE = tuple(MEMBERS)
CLAIMERS = ("anna", "bo", "cy")
MEMORY = Path("/dev/shm")  # lives are many and short; where there is no such folder, the disk will do

CLAIMS = ("mine", "I'll take this one", "jag tar den", "count me in", "Mine!")
WORDS = (
    "pass",
    "yours",
    "release",
    "together",
    "with Cy",
    "with Anna",
    "join",
    "warm",
    "warm / We will call you on Thursday.",
    "throw",
    "throw / Sorry, we have no time before May.",
    "last call",
    "answered",
    "won",
    "we lost it",
    "withdrawn",
    "cookie",
    "dough",
    "bun",
    "urgent",
    "up",
    "undo",
    "note they called",
    "Anna takes it",
    "Bo takes it",
    "Cy takes it",
    "award Anna",
    "award Bo",
    "offer Cy",
    "offer Bo",
    "send",
    "Sounds interesting, who knows them?",
    "is it mine?",
    "mine if it can wait until June",
)
SPANS = (
    "5 minutes",
    "20 minutes",
    "40 minutes",
    "2 working hours",
    "5 working hours",
    "1 working day",
    "2 working days",
)


class Broken(AssertionError):
    """A rule does not hold; the text is the life as a dialogue."""


class Simulator:
    """One life: a house with a random roster and choices, and everything that can happen to it."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        self.play = Play(folder)
        self.reader = Reader(self.play)
        self.lines: list[str] = []
        self.told: list[str] = []  # the lines with the mails that each led to
        self.clients = 0
        self.requests: dict[int, str] = {}  # bun → client who wrote it
        self.claimed: dict[int, set[str]] = {}  # bun → who has said "mine", and never "undo"
        self.said: dict[int, set[str]] = {}  # bun → who has asked for it in any way: mine, together, join
        self.ids: set[str] = set()
        self.acks: Counter[tuple[int, str]] = Counter()  # by bun and address: a corrected one has read nothing yet
        self.heard: dict[int, datetime] = {}  # when a client last heard something
        self.answered: set[int] = set()  # buns whose client had a handover, a no, or a person's own words
        self.per_day: Counter[tuple[str, str]] = Counter()
        self.buns = 0
        self.held: dict[str, tuple[int, str]] = {}  # who → the word that waits to be confirmed
        self.spoken: set[int] = set()  # buns whose client a person may have spoken with
        self.promised: dict[int, tuple[datetime, datetime]] = {}  # bun → (told at, the time that the client was told)
        self._choose_house()

    # -- the house -------------------------------------------------------------------------------------------------

    def _choose_house(self) -> None:
        pick = self.random
        if pick.random() < 0.3:
            self.line("given list = none")
        if pick.random() < 0.3:
            self.line(f"given deputy = {pick.choice(CLAIMERS)}")
        if pick.random() < 0.2:
            self.line(f"given mediator = {pick.choice(CLAIMERS)}")
        if pick.random() < 0.3:
            self.line("given business_developer = cy")
        if pick.random() < 0.15:
            self.line(f"given keeper = {pick.choice(CLAIMERS)}")
        if pick.random() < 0.3:
            windows = ("0", "4 working hours", "3 working days", "1 hour")
            self.line(f"given window = {pick.choice(windows)}")
        if pick.random() < 0.4:
            self.line(f"given contest_fallback = {pick.choice(('earliest', 'draw', 'longest'))}")
        if pick.random() < 0.1:
            self.line("given no_by = person")
        if pick.random() < 0.1:
            self.line("given reheat_by = owner")
        if pick.random() < 0.15:
            self.line("given authenticated")
        if pick.random() < 0.1:
            self.line(f"given per_stranger = {pick.randint(1, 4)}")
        if pick.random() < 0.15:
            self.line(f"given rota = {pick.choice(('kim anna', 'bo cy', 'kim bo cy'))}")
        if pick.random() < 0.1:
            self.line("given forms = noreply@site.example")
        self.line("monday 09:00")

    # -- steps -----------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Play one line, and hold every rule against what it led to."""
        self.lines.append(text)
        self.told.append(text)
        self.play.sent.clear()
        try:
            self.reader._act(text, len(self.lines))
            self.told += [f"    {self.reader._shown(mail, [])}" for mail in self.play.sent]
            if not text.startswith("given "):
                self.check()
        except AssertionError as error:
            raise Broken(self.dialogue(str(error))) from error

    def dialogue(self, rule: str) -> str:
        """The life so far as a dialogue file: it plays as it stands, and its first line says what is wrong with it."""
        return f"# {rule}  (seed {self.seed})\n" + "\n".join(self.told)

    def live(self, steps: int) -> None:
        """A life of random steps, and then everything runs to its end."""
        for _ in range(steps):
            self.step()
        self.finish()

    def step(self) -> None:
        actions: list[tuple[float, Callable[[], None]]] = [
            (14, self.new_request),
            (26, self.claim),
            (26, self.word),
            (20, self.time_passes),
            (5, self.client_again),
            (3, self.robot),
            (2, self.bounce),
            (1, self.colleague_bounces),
            (1, self.correct),
            (0.5, self.refuse),
            (4, self.forward),
            (2, self.post),
            (3, self.double),
            (3, self.absence),
            (3, self.outage),
            (2, self.restart),
            (2, self.person_writes),
            (2, self.late_mail),
            (2, self.unproven),
            (2, self.confirm),
            (1, self.stranger),
            (2, self.form_letter),
            (1, self.newsletter),
            (1, self.form),
            (2, self.mail_again),
            (1, self.clock_back),
            (1, self.week_passes),
            (0.3, self.somebody_leaves),
        ]
        weights = [weight for weight, _ in actions]
        self.random.choices([action for _, action in actions], weights)[0]()

    def new_request(self) -> None:
        self.clients += 1
        who = f"client{self.clients}"
        self._expect_bun(
            who, f"{who} -> hello: Request {self.clients} | Can one of you help {who} with number {self.clients}?"
        )

    def _expect_bun(self, client: str, line: str) -> None:
        before = set(self.play.open().store.lead_numbers()) if self.play.office else set()
        self.line(line)
        for number in set(self.play.open().store.lead_numbers()) - before:
            self.buns += 1
            self.requests[number] = client

    def some_bun(self) -> int | None:
        numbers = sorted(self.requests)
        return self.random.choice(numbers[-6:]) if numbers else None

    def claim(self) -> None:
        number = self.some_bun()
        if number is None:
            return
        who = self.random.choice(CLAIMERS)
        self._note_claim(number, who)
        self.line(f"{who} -> bun {number}: {self.random.choice(CLAIMS)}")

    def _note_claim(self, number: int, who: str) -> None:
        lead = self.play.open().store.lead(number)
        if who not in self.play.members:
            return
        self.said.setdefault(number, set()).add(who)
        if lead is not None and who not in (lead.owner if lead.status == Status.TAKEN else "", *lead.team):
            self.claimed.setdefault(number, set()).add(who)

    def word(self) -> None:
        number = self.some_bun()
        if number is None:
            return
        who, word = self.random.choice(PEOPLE), self.random.choice(WORDS)
        if word.startswith("warm"):
            self.spoken.add(number)  # with the client, or they will in a quarter of an hour
        if word == "undo":
            self.claimed.get(number, set()).discard(who)
        if word in ("together", "join"):
            self.said.setdefault(number, set()).add(who)
        if word in ("answered", "won", "withdrawn", "cookie", "we lost it"):
            self.answered.add(number)  # a person answers for it
        self.line(f"{who} -> bun {number}: {word}")

    def time_passes(self) -> None:
        self.line(f"+{self.random.choice(SPANS)}")

    def client_again(self) -> None:
        number = self.some_bun()
        if number is not None and (number, "client") in self.play.last:
            self.line(
                f"{self.requests[number]} -> bun {number}: {self.random.choice(('Thanks!', 'One thing more: in May.'))}"
            )

    def robot(self) -> None:
        number = self.some_bun()
        if number is None:
            return
        who = self.random.choice((*CLAIMERS, self.requests[number]))
        if who in CLAIMERS or (number, "client") in self.play.last:
            self.line(f"{who}'s robot -> bun {number}: I am away; mine is the desk by the window.")
            if self.play.imap_up and self.play.smtp_up and self.play.sent:
                raise Broken(self.dialogue("a robot was answered"))

    def bounce(self) -> None:
        number = self.some_bun()
        if number is not None and (number, "client") in self.play.last:
            lead = self.play.open().store.lead(number)
            if lead is not None and lead.client:
                self.line(f"bounce of {self.requests[number]} on bun {number}")

    def colleague_bounces(self) -> None:
        number, who = self.some_bun(), self.random.choice(PEOPLE)
        known = number is not None and {(number, f"@{who}"), (number, "list")} & self.play.last.keys()
        if known and who in self.play.members and "list" not in self.play.given:
            self.line(f"bounce of {who} on bun {number}")

    def correct(self) -> None:
        """Somebody names another address of the client's; the client reads the new one only."""
        number = self.some_bun()
        if number is not None:
            client = self.requests[number]
            self.line(f"{self.random.choice(PEOPLE)} -> bun {number}: office@{client}.example")

    def refuse(self) -> None:
        """From now on a server refuses all mail to somebody, for good."""
        number = self.some_bun()
        client = (self.requests[number],) if number is not None else ()
        who = self.random.choice(("list", *CLAIMERS, *client))
        if who != "list" or "list" not in self.play.given:
            self.line(f"mail to {who} fails")

    def forward(self) -> None:
        self.clients += 1
        client, who = f"client{self.clients}", self.random.choice(CLAIMERS)
        line = (
            f"{who} forwards {client}: Request {self.clients} | Could somebody help with number {self.clients} in June?"
        )
        self._expect_bun(client, line)

    def post(self) -> None:
        self.clients += 1
        who = self.random.choice(CLAIMERS)
        kind, to = self.random.choice(("BUN", "DOU")), self.random.choice(("hello", "list"))
        if "list" in self.play.given:
            to = "hello"
        client = f"client{self.clients}"
        text = f"A call about number {self.clients}; write to {client}@{client}.example"
        self._expect_bun(client, f"{who} -> {to}: {kind}: Call {self.clients} | {text}")

    def double(self) -> None:
        number = self.some_bun()
        lead = self.play.open().store.lead(number) if number else None
        if lead is not None and lead.is_open and lead.client and not lead.own:
            client = self.requests[number or 0]
            self._expect_bun(client, f"{client} -> hello: {lead.subject} | {lead.text.splitlines()[0]}")

    def absence(self) -> None:
        who = self.random.choice(PEOPLE)
        day = (self.play.now + timedelta(days=self.random.randint(1, 12))).date()
        self.line(f"{who} -> hello: {self.random.choice((f'away until {day}', 'back'))}")

    def outage(self) -> None:
        what = self.random.choice(("imap", "smtp", "router"))
        self.line(f"{what} is down")
        for _ in range(self.random.randint(1, 3)):
            self.random.choice((self.time_passes, self.new_request, self.claim, self.client_again))()
        self.line(f"{what} is back")

    def restart(self) -> None:
        self.line("the router restarts")

    def person_writes(self) -> None:
        number = self.some_bun()
        lead = self.play.open().store.lead(number) if number else None
        if number and lead is not None and lead.client:
            self.answered.add(number)
            self.heard[number] = self.play.now
            who = self.random.choice([each for each in PEOPLE if each in self.play.members])
            self.line(f"{who} -> client about bun {number}: I will call you tomorrow.")

    def late_mail(self) -> None:
        """A claim that the server had earlier and that turns up only now, in Junk or out of order."""
        number = self.some_bun()
        if number is None:
            return
        lead = self.play.open().store.lead(number)
        zone = self.play.open().house.calendar.zone
        at = (self.play.now - timedelta(hours=self.random.randint(1, 30))).astimezone(zone)
        if lead is None or at <= lead.opened:
            return
        who = self.random.choice(CLAIMERS)
        self._note_claim(number, who)
        junk = self.random.choice(("", "junk "))
        self.line(f"{junk}at {at:%A} {at:%H:%M} {who} -> bun {number}: mine".replace(f"{at:%A}", f"{at:%A}".lower()))

    def unproven(self) -> None:
        """A word that says it is from a colleague; where senders must be proven, its address is asked."""
        number = self.some_bun()
        if number is None or (number, "list") not in self.play.last:
            return
        who, word = self.random.choice(CLAIMERS), self.random.choice(("mine", "pass", "throw", "mine"))
        if "authenticated" not in self.play.given and word == "mine":
            self._note_claim(number, who)
        self.held[who] = (number, word)
        self.line(f"unproven {who} -> bun {number}: {word}")

    def confirm(self) -> None:
        question = self.play.secrets[-1] if self.play.secrets else None
        if question is None or question.kind != "confirm" or question.to.lstrip("@") not in self.play.members:
            return
        who = question.to.lstrip("@")
        number, word = self.held[who]
        if word == "mine":
            self.said.setdefault(number, set()).add(who)
        self.line(f"{who} answers the question: {self.random.choice(('yes', 'yes', 'no', 'what is this?'))}")

    def stranger(self) -> None:
        number = self.some_bun()
        if number is not None and (number, "list") in self.play.last:
            self.line(f"stranger someone@elsewhere.example -> bun {number}: {self.random.choice(('mine', 'throw'))}")

    def form_letter(self) -> None:
        self.clients += 1
        who = f"seller{self.clients}"
        text = (
            "Hello, we offer our services as a staffing partner. We have several senior developers available "
            f"immediately, number {self.clients} of our CV profiles is attached, with competitive rates. Would you "
            "have 15 minutes for a call this week? / Unsubscribe here if you do not want to receive these emails."
        )
        self._expect_bun(who, f"{who} -> hello: Available consultants {self.clients} | {text}")

    def newsletter(self) -> None:
        """Set aside; and a colleague, or two of them, may say that it is a request."""
        self.clients += 1
        who = f"client{self.clients}"
        self.line(f"{who}'s newsletter -> hello: News {self.clients} | What is new with number {self.clients}")
        number = self.play.open().store.next_number("aside") - 1
        for each in self.random.choices(PEOPLE, k=self.random.randint(0, 2)):
            if self.play.imap_up and each in self.play.members and "authenticated" not in self.play.given:
                self._expect_bun(who, f"{each} -> hello: Re: set aside | bun: {number}")

    def form(self) -> None:
        if "forms" not in self.play.given:
            return
        self.clients += 1
        who = f"client{self.clients}"
        text = f"Name: Jo / E-mail: {who}@{who}.example / Message: Can one of you look at site {self.clients}?"
        self._expect_bun(who, f"noreply@site.example -> hello: Contact form {self.clients} | {text}")

    def mail_again(self) -> None:
        if self.play.delivered:
            self.line("the last mail comes again")
            if self.play.imap_up and self.play.smtp_up and self.play.sent:
                raise Broken(self.dialogue("a mail that came twice was answered twice"))

    def clock_back(self) -> None:
        self.line(f"the clock goes back {self.random.choice((1, 20, 70))} minutes")

    def week_passes(self) -> None:
        if "rota" in self.play.given:
            self.line("+5 working days")

    def somebody_leaves(self) -> None:
        gone = set(MEMBERS) - set(self.play.members)
        keepers = {*self.play.given.get("rota", "").split(), self.play.given.get("keeper", "kim")}
        others = [who for who in CLAIMERS if who not in gone | keepers]
        if not gone and others:
            self.line(f"{self.random.choice(others)} leaves the roster")

    def finish(self) -> None:
        """Everything runs on; in the end every request is answered, and nothing open waits for nobody."""
        for _ in range(14):
            self.line("+2 working days")
        office = self.play.open()
        for number in office.store.lead_numbers():
            lead = office.store.lead(number)
            assert lead is not None
            by_person = self.play.given.get("no_by") == "person" or self.play.given.get("reheat_by") == "owner"
            nobody = not office.world().keeper or "mail to list fails" in self.lines  # the keeper is asked every day
            fine = lead.status in (Status.TAKEN, Status.DOUGH) or not lead.is_open or by_person or nobody
            self._hold(fine, f"bun {number} is still {lead.status}, {lead.stage}")
            own = lead.own or not lead.client or lead.source in ("forward", "post")
            answered = number in self.answered or own or lead.status == Status.DOUGH or by_person or nobody
            self._hold(answered, f"the client of bun {number} ({lead.status}, {lead.ended_as}) was left in silence")
        office.store.close()

    # -- the rules -------------------------------------------------------------------------------------------------

    def _hold(self, holds: bool, rule: str) -> None:
        if not holds:
            raise Broken(self.dialogue(rule))

    def check(self) -> None:
        for mail in self.play.sent:
            self._check_mail(mail)
            if mail.kind == "unreachable":
                self.answered.add(mail.lead)  # a person knows that the client does not
        office = self.play.open()
        assert not office.store.quarantined(), "a mail could not be handled"
        for lead in office.store.open_leads():
            self._check_lead(lead)
        if self.play.imap_up:
            self._check_claims()

    def _check_mail(self, mail: Outgoing) -> None:
        lead = mail.lead
        assert mail.message_id not in self.ids, f"{mail.kind} of bun {lead} went out twice"
        self.ids.add(mail.message_id)
        for address in mail.recipients:
            assert "mailer-daemon" not in address.lower(), "a machine was answered"
            key = (str(self.play.sent_at[mail.message_id].date()), address)
            self.per_day[key] += 1
            assert self.per_day[key] <= 60, f"{address} got more than a day's mails"
        if mail.kind == "ack":
            self.acks[lead, mail.recipients[0]] += 1
            assert self.acks[lead, mail.recipients[0]] == 1, f"bun {lead} was acknowledged twice"
        if KINDS[mail.kind].audience == TO_CLIENT:
            self._check_client_mail(mail)

    def _check_client_mail(self, mail: Outgoing) -> None:
        world = self.play.open().world()
        last, at = self.heard.get(mail.lead), self.play.sent_at[mail.message_id]
        if mail.kind == "reheat" and last is not None and not self._was_down:
            soonest = world.calendar.add(last, parse_span("1 working day"))
            lead = self.play.open().store.lead(mail.lead)
            drafted = lead is not None and (lead.own or world.terms.reheat_by == "owner")
            assert at >= soonest or drafted, f"the client of bun {mail.lead} was reheated twice in a working day"
        self.heard[mail.lead] = at
        if mail.kind in ("handover", "no", "word"):
            self.answered.add(mail.lead)
        lead = self.play.open().store.lead(mail.lead)
        by = lead.timers.get("promise") if lead else None
        if by is not None:
            self.promised[mail.lead] = (at, by)

    def _is_bounded(self, lead: int) -> bool:
        """Whether there are mails that the client never gets, for restraint's sake or because their server refuses."""
        return "per_stranger" in self.play.given or f"mail to {self.requests.get(lead)} fails" in self.lines

    @property
    def _was_down(self) -> bool:
        """While mail waits in the outbox, when it was written and when it left differ."""
        return any("is down" in line for line in self.lines)

    def _check_lead(self, lead: Lead) -> None:
        members, world = self.play.members, self.play.open().world()
        assert lead.owner in members, f"bun {lead.id} is owned by {lead.owner!r}, who is on no roster"
        said = self.said.get(lead.id, set())
        if lead.status == Status.TAKEN:
            assert lead.owner in said, f"{lead.owner} owns bun {lead.id} and has never asked for it"
            assert set(lead.team) <= said, f"the team of bun {lead.id} is {lead.team}; only {said} asked for it"
            assert lead.team and lead.team[0] == lead.owner, f"the owner of bun {lead.id} is not first of its team"
        else:
            house = self.play.open().house
            nobody_here = () if world.keeper else (house.keeper, house.deputy, *house.rota)
            assert lead.owner in (world.keeper, lead.own, *nobody_here), (
                f"bun {lead.id} is {lead.status} and owned by {lead.owner}"
            )
        if lead.status == Status.CONTESTED:
            assert len(lead.claimants) >= 1, f"bun {lead.id} is contested by nobody"
        told, by = self.promised.get(lead.id, (self.play.now, self.play.now))
        silent = self.heard.get(lead.id, told) <= told and lead.status != Status.TAKEN and lead.stage != "goodbye"
        by_person = lead.id in self.spoken or "reheat_by" in self.play.given
        kept = self.play.now <= by or not silent or by_person or self._was_down or self._is_bounded(lead.id)
        assert kept, f"the client of bun {lead.id} was promised a word by {by}"
        drying = {"window", "cool", "dry", "decide", "last-call"} & set(lead.timers) or lead.awaits
        assert lead.status != Status.OFFERED or drying, f"bun {lead.id} will never dry, nor be taken: {lead.timers}"
        waits = lead.due is not None or bool(lead.awaits) or bool(lead.pending)
        assert waits, f"bun {lead.id} is {lead.status} and nothing will ever happen to it"

    def _check_claims(self) -> None:
        store = self.play.open().store
        for number, people in self.claimed.items():
            lead = store.lead(number)
            assert lead is not None
            kept = {claim.who for claim in lead.claims} | set(lead.team)
            assert people <= kept, f"a claim on bun {number} is lost: {people - kept}"


def live(seed: int, steps: int) -> Simulator:
    """One life from a seed, in a folder of its own that is gone afterwards. Raises Broken."""
    folder = Path(tempfile.mkdtemp(prefix="life-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        simulator = Simulator(seed, folder)
        simulator.live(steps)
        return simulator
    finally:
        shutil.rmtree(folder, ignore_errors=True)
