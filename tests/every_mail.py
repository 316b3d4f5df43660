"""Every mail that the router can send, with facts as the protocol gives them: what the tests of templates render."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from router.compose import LANGUAGES, Outgoing, Templates, compose
from router.house import House, Member
from router.ids import Ids
from router.lead import Carried, Claim, Lead, Letter, Status
from router.turn import Mail, Person, World
from router.view import Aside
from router.worktime import Calendar

FOLDER = Path(__file__).parent.parent / "templates"
NOW = datetime(2027, 3, 2, 9, 30, tzinfo=UTC)  # a Tuesday
SOON = NOW + timedelta(hours=25)
LATER = NOW + timedelta(days=6)
REQUEST = """Hello,

we are building a payment service in Rust and would like somebody from outside to review it before we go live: about \
40,000 lines, a small team that is happy to explain everything.

Could one of you spend two or three weeks on it in April? We can start on the 12th. You reach me at \
+46 70 123 45 67 or maria@acme.example.

Best regards
Maria Ek"""


@cache
def templates() -> Templates:
    """The project's own templates, read once."""
    return Templates({f"{p.parent.name}/{p.stem}": p.read_text("utf-8") for p in FOLDER.glob("*/*.txt")})


def house(**changes: Any) -> House:
    members = {
        "anna": Member("anna", "Anna Berg", ("anna@crisp.example",), ("Rust", "security")),
        "bo": Member("bo", "Bo Ek", ("bo@crisp.example",), ("Rust", "SQL")),
        "cy": Member("cy", "Cy Dahl", ("cy@crisp.example",), ("Python",)),
        "kim": Member("kim", "Kim Lund", ("kim@crisp.example",), (), never_claims=True),
    }
    base = House(
        name="Crisp Collective",
        address="hello@crisp.example",
        ids=Ids(b"k" * 32, "test", "hello@crisp.example"),
        calendar=Calendar("Europe/Stockholm"),
        members=members,
        list_address="all@crisp.example",
        keeper="kim",
        operator="ops@crisp.example",
        languages=LANGUAGES,
    )
    return replace(base, **changes)


def world(of: House, now: datetime = NOW) -> World:
    people = {
        m.key: Person(m.key, m.name, m.addresses, m.skills, m.language, m.never_claims) for m in of.members.values()
    }
    people["bo"] = replace(people["bo"], available_since=date(2027, 2, 1))
    return World(
        now, of.terms, of.calendar, people, "kim", "kim", business_developer="cy", taken_recently={"anna": 2, "cy": 1}
    )


def bun(**changes: Any) -> Lead:
    base = Lead(
        id=42,
        subject="Rust reviewer wanted",
        status=Status.OFFERED,
        owner="kim",
        opened=NOW - timedelta(hours=1),
        client="maria@acme.example",
        client_name="Maria Ek",
        text=REQUEST,
        message_id="<one@acme.example>",
        client_thread=("<one@acme.example>",),
        stage="window",
        skills=("Rust",),
        carried=(Carried("architecture.pdf", "application/pdf", 90_000, "0" * 64),),
        timers={"window": SOON},
    )
    return replace(base, **changes)


CLAIMS = (Claim("anna", NOW, "mine"), Claim("bo", NOW, "I'll take it"))
COOLING = bun(stage="cooling", timers={}, opened=NOW - timedelta(days=1))
DRIED = bun(stage="dry", timers={}, opened=NOW - timedelta(days=4))  # a Friday: two working days
CONTESTED = bun(status=Status.CONTESTED, stage="", claims=CLAIMS, timers={"fallback": LATER})
TAKEN = bun(status=Status.TAKEN, stage="", owner="anna", team=("anna",), handed_over=True)
TEAM = replace(TAKEN, team=("anna", "bo"))
OWN = bun(owner="anna", own="anna")
NAMELESS = replace(OWN, client="", client_name="")
DOUGH = bun(status=Status.DOUGH, stage="", owner="anna", own="anna", timers={})
EATEN = replace(TAKEN, status=Status.EATEN, ended_at=NOW, ended_as="eaten")
THROWN = bun(status=Status.THROWN, stage="", ended_at=NOW, ended_as="thrown", timers={})
WITHDRAWN = replace(THROWN, ended_as="withdrawn")
COOKIE = bun(status=Status.COOKIE, stage="", ended_at=NOW, ended_as="cookie", timers={})
LONG = bun(
    text=REQUEST + "\n\n" + "\n\n".join(f"Point {n}: what we want is careful reading. " * 4 for n in range(1, 15))
)
ALL_STATUSES = (DOUGH, bun(), COOLING, CONTESTED, TAKEN, TEAM, EATEN, THROWN, COOKIE)

AWARDS = (
    "first come, as the collective chose",
    "the only claim when the window closed",
    "the other claimants yielded and nobody objected",
    "all claimants said “together”",
    "claimed after it was thrown away",
    "unresolved for two working days: the earliest claim",
    "unresolved for two working days: drawn",
    "unresolved for two working days: drawn, the tie drawn from the request's Message-ID",
    "unresolved for two working days: the longest time since their last bun",
)
DRY = (
    "two working days without a claim",
    "all have passed",
    "the client wrote before the no had left",
    "keeper and deputy are away",
    "the last call is over",
)
UNKNOWN_REASON = "a reason that no template knows"
ALERTS = (
    *("list-unreachable", "imap-down", "imap-back", "smtp-paused", "smtp-back", "quarantine", "poison", "bounds"),
    *("silenced", "canary-late", "canary-back", "disk-full", "disk-back", "old-mail", "uidvalidity", "never-sent"),
    *("unconfirmed", "filing", "store-cut"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One mail: its kind, the lead it is about, to whom it goes, and the facts that the protocol gives."""

    kind: str
    lead: Lead | None
    to: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        codes = [str(self.facts[key]) for key in ("what", "why", "because", "about") if key in self.facts]
        return " ".join((self.kind, *codes, str(self.lead.status) if self.lead else "", self.to))


def _to_clients() -> Iterator[Case]:
    yield Case("ack", bun(), "client", {"by": SOON})
    yield Case("ack", bun(client_name="", owner="gone"), "client", {"by": None})
    for because in ("nobody-yet", "contested", "window", "released"):
        yield Case("reheat", bun(), "client", {"because": because, "by": SOON, "name": "Anna Berg"})
    yield Case("reheat", bun(owner="gone"), "client", {"because": "released", "by": None, "name": ""})
    yield Case("handover", TAKEN, "client", {"owner": "anna", "team": ("Anna Berg",)})
    yield Case("handover", TEAM, "client", {"owner": "anna", "team": ("Anna Berg", "Bo Ek")})
    for because in ("dry", "thrown"):
        yield Case("no", bun(), "client", {"text": "", "because": because})
    yield Case("no", bun(), "client", {"text": "We are full until June.\n\nSorry about that.", "because": "thrown"})
    yield Case("no", bun(), "client", {"text": "Hi Maria,\n\nwe are full.\n\nBest, Kim", "because": "thrown"})
    yield Case("word", TAKEN, "client", {"text": "I will call you tomorrow at ten.", "name": "Anna Berg"})
    yield Case("word", TAKEN, "client", {"text": "Hej Maria,\n\njag ringer.\n\n/Anna", "name": "Anna Berg"})


def _to_the_list() -> Iterator[Case]:
    facts = {"closes": SOON, "linked": (), "last_owner": ""}
    yield Case("offer", bun(), "list", facts)
    yield Case("offer", LONG, "list", facts)
    yield Case("offer", OWN, "list", {**facts, "closes": None, "linked": (12, 17), "last_owner": "Bo Ek"})
    yield Case("offer", bun(urgent=True), "list", {"closes": SOON})
    yield Case("offer", bun(client="", client_name="", skills=(), carried=()), "@anna", facts)
    yield Case("second-call", COOLING, "list")
    yield Case("second-call", replace(COOLING, letters=(Letter(NOW, "client", "Any news?"),)), "list")
    yield Case("last-call", replace(COOLING, stage="last-call"), "list", {"by": SOON})
    for interested in ((), ("Bo Ek",), ("Bo Ek", "Cy Dahl")):
        yield Case("back", bun(), "list", {"closes": SOON, "name": "Anna Berg", "interested": interested})
    yield Case("dough", DOUGH, "list", {"what": "new"})
    for why in (*AWARDS, "awarded by Kim Lund, the mediator: “Anna takes it”", UNKNOWN_REASON):
        yield Case("outcome", TAKEN, "list", {"what": "taken", "people": ("Anna Berg",), "why": why})
    yield Case("outcome", TEAM, "list", {"what": "taken", "people": ("Anna Berg", "Bo Ek"), "why": AWARDS[3]})
    for why in ("dry", "thrown"):
        for heard, draft in ((True, False), (False, False)):
            told = {"heard": heard, "draft": draft}
            yield Case("outcome", THROWN, "list", {"what": "thrown", "people": (), "why": why, **told})
    drafted = {"what": "thrown", "people": (), "why": "dry", "heard": False, "draft": True}
    yield Case("outcome", replace(OWN, status=Status.THROWN), "list", drafted)
    yield Case("outcome", DOUGH, "list", {"what": "dough", "people": (), "why": ""})
    yield Case("outcome", EATEN, "list", {"what": "answered", "people": ("Kim Lund",), "why": ""})
    yield Case("outcome", THROWN, "@anna", {"what": "withdrawn", "people": (), "why": ""})
    yield Case("outcome", THROWN, "@anna", {"what": "erased", "people": (), "why": ""})
    yield Case("gathered", None, "list", {"leads": (bun(), OWN), "gathers": (42, 43)})


def _to_the_keeper() -> Iterator[Case]:
    for because in (*DRY, "the list could not be reached: 550 no such user"):
        yield Case("decide", DRIED, "@kim", {"because": because, "by": SOON})
    for because in ("keeper and deputy are away", "two working days without a claim"):
        yield Case("decide", DRIED, "list", {"because": because, "by": SOON})
    yield Case("nobody-yet", COOLING, "@kim", {"told": True})
    yield Case("nobody-yet", COOLING, "list", {"told": False})
    yield Case("silent", TAKEN, "list", {"name": "Anna Berg", "to_owner": False})
    for reader in ("@kim", "list"):
        yield Case("bun-or-cookie", bun(status=Status.DOUGH), reader, {"reason": "it greets nobody", "by": SOON})
    yield Case("owner-left", bun(), "@kim", {"name": "dee"})
    yield Case("colleague-unreachable", TAKEN, "@kim", {"name": "Anna Berg", "reason": "550 mailbox full"})
    question = {"sender": "anna@home.example", "line": "mine", "number": 3, "received": NOW}
    yield Case("one-of-us", bun(), "@kim", question)
    yield Case("one-of-us", None, "@kim", question)
    for count in (1, 3):
        items = tuple(
            Aside(n, NOW, "news@shop.example", "The Shop", f"Sale number {n}", "Buy!", "a list") for n in range(count)
        )
        yield Case("aside", None, "@kim", {"items": items, "junk": count - 1})
    yield Case("aside", None, "@kim", {"items": (), "junk": 4})
    for incoming in (True, False):
        for because in ("week", "away", "back"):
            facts = {"incoming": incoming, "other": "Bo Ek", "because": because}
            yield Case("rota", None, "@kim", {"leads": (bun(),), **facts})
            yield Case("rota", None, "@kim", {"leads": (bun(), CONTESTED), **facts})


RECEIPTS: Mapping[str, tuple[tuple[Lead | None, Mapping[str, Any]], ...]] = {
    "claim": (
        (bun(), {"closes": SOON}),
        (bun(), {"closes": NOW - timedelta(hours=1)}),
        (CONTESTED, {"closes": None}),
        (bun(timers={}), {"closes": None}),
    ),
    "yield": ((bun(), {}), (CONTESTED, {})),
    "claim-on-dough": ((DOUGH, {}),),
    "interest": ((CONTESTED, {"people": ("Anna Berg", "Bo Ek")}),),
    "last-call": ((COOLING, {"by": SOON}),),
    "offer": ((bun(), {"people": ("Bo Ek",)}), (bun(), {"people": ("Bo Ek", "Cy Dahl")})),
    "urgent": ((bun(urgent=True), {"closes": SOON}),),
    "dough": ((DOUGH, {}),),
    "bun": ((bun(), {}),),
    "award": ((CONTESTED, {"people": ("Anna Berg",)}),),
    "with": ((bun(), {"people": ("Bo Ek",)}), (TAKEN, {"people": ("Bo Ek", "Cy Dahl")})),
    "join": ((bun(), {"people": ("Anna Berg",)}), (TEAM, {"people": ("Anna Berg",)})),
    "together": ((CONTESTED, {"people": ("Bo Ek",)}), (CONTESTED, {"people": ()})),
    "warm": (
        (TAKEN, {"effect": SOON, "text": "We meet on Monday."}),
        (TAKEN, {"until": date(2027, 5, 3)}),
        (COOLING, {"until": None}),
    ),
    "send": ((OWN, {"effect": SOON, "text": ""}),),
    "throw": ((COOLING, {"effect": SOON, "text": "We are full."}), (COOLING, {"effect": SOON, "text": ""})),
    "eaten": ((TAKEN, {"effect": SOON}), (bun(), {"effect": SOON})),
    "lost": ((TAKEN, {"effect": SOON}),),
    "withdrawn": ((bun(), {"effect": SOON}),),
    "cookie": ((DOUGH, {"effect": SOON}),),
    "up": ((bun(), {"people": ("Cy Dahl",)}),),
    "brought": (
        (OWN, {"client": "maria@acme.example", "uncertain": False}),
        (OWN, {"client": "maria@acme.example", "uncertain": True}),
        (NAMELESS, {"client": "", "uncertain": True}),
        (DOUGH, {"client": "maria@acme.example", "uncertain": False}),
    ),
    "corrected": (
        (OWN, {"client": "maria@acme.example", "sent": "", "heard": False}),
        *((TAKEN, {"client": "m@acme.example", "sent": sent, "heard": True}) for sent in ("handover", "")),
        *((bun(), {"client": "m@acme.example", "sent": sent, "heard": True}) for sent in ("ack", "reheat", "draft")),
        (THROWN, {"client": "m@acme.example", "sent": "no", "heard": True}),
    ),
    "undone": ((bun(), {"verb": "throw"}), (bun(), {"verb": "claim"}), (bun(), {"verb": "pass"})),
    "already-yours": ((TAKEN, {}), (TEAM, {})),
    "release": ((bun(), {}),),
    "left-team": ((TAKEN, {"people": ("Bo Ek",)}),),
    "away": ((None, {"until": date(2027, 2, 3)}), (bun(), {"until": date(2027, 2, 3)})),
    "back": ((None, {}),),
    "skills": ((None, {"skills": ("Rust", "SQL")}),),
}
REFUSALS: Mapping[str, tuple[tuple[Lead, Mapping[str, Any]], ...]] = {
    "claims-stand": ((replace(bun(), claims=CLAIMS), {"people": ("Anna Berg", "Bo Ek"), "verb": "throw"}),),
    "not-owner": ((TAKEN, {"owner": "Anna Berg", "verb": "throw"}),),
    "no-claim": ((bun(), {"verb": "yield"}),),
    "unknown-name": ((bun(), {"name": "Kalle", "verb": "offer"}), (bun(), {"name": "", "verb": "offer"})),
    "no-on-its-way": ((bun(stage="goodbye"), {"verb": "last-call"}),),
    "no-window": ((COOLING, {"verb": "urgent"}),),
    "window-open": ((bun(), {"verb": "last-call"}),),
    "owner-claimed": ((bun(), {"verb": "urgent"}),),
    "not-mediator": ((CONTESTED, {"people": ("Anna Berg", "Bo Ek"), "verb": "award"}),),
    "not-claimant": ((CONTESTED, {"people": ("Anna Berg", "Bo Ek"), "verb": "award"}),),
    "not-yours": ((bun(), {"verb": "with"}),),
    "not-invited": ((bun(), {"verb": "join"}),),
    "no-draft": ((OWN, {"verb": "send"}), (NAMELESS, {"verb": "send"})),
    "no-developer": ((bun(), {"verb": "up"}),),
    "client-said-no": ((bun(status=Status.THROWN, ended_as="withdrawn"), {"verb": "claim", "owner": "Kim Keeper"}),),
    "nothing-to-undo": ((bun(), {"verb": "undo"}),),
    "ended-long-ago": ((THROWN, {"owner": "Kim Lund", "verb": "claim"}),),
    "not-possible": tuple((lead, {"status": str(lead.status), "verb": "together"}) for lead in ALL_STATUSES),
}
LINE = "I'll take this one"


def _to_one_colleague() -> Iterator[Case]:
    for what, cases in RECEIPTS.items():
        for lead, facts in cases:
            yield Case("receipt", lead, "@anna", {"what": what, "line": LINE, **facts})
    for why, refusals in REFUSALS.items():
        for lead, facts in refusals:
            yield Case("refused", lead, "@cy", {"why": why, "line": LINE, **facts})
    contest = {"people": ("anna", "bo"), "mediator": "Kim Lund", "mediate": SOON, "ends": LATER}
    for fallback in ("longest", "earliest", "draw"):
        yield Case("contest", CONTESTED, "@anna", {**contest, "fallback": fallback})
    yield Case("contest", CONTESTED, "@anna", {**contest, "fallback": "longest", "mediator": ""})
    yield Case("mediate", CONTESTED, "@kim", {"people": ("anna", "bo"), "ends": LATER})
    for who in ("anna", "bo"):
        yield Case("unless", CONTESTED, f"@{who}", {"name": "Anna Berg", "at": SOON})
    for named in ((), ("Cy Dahl",), ("Cy Dahl", "Bo Ek")):
        yield Case("all-yielded", COOLING, "@anna", {"people": named})
    for because in ("back", "asked", "yielded"):
        yield Case("personal-offer", bun(), "@anna", {"because": because, "name": "Bo Ek", "closes": SOON})
    yield Case("personal-offer", COOLING, "@anna", {"because": "asked", "name": "Bo Ek", "closes": None})
    yield Case("up-offer", bun(), "@cy", {"name": "Kim Lund"})
    for lead in (bun(), TAKEN):
        yield Case("invitation", lead, "@bo", {"name": "Anna Berg"})
    yield Case("handover-owner", TAKEN, "@anna", {"owner": "anna", "team": ("Anna Berg",)})
    for who in ("anna", "bo"):
        yield Case("handover-owner", TEAM, f"@{who}", {"owner": "anna", "team": ("Anna Berg", "Bo Ek")})
    yield Case("handover-owner", replace(TAKEN, client=""), "@anna", {"owner": "anna", "team": ("Anna Berg",)})
    yield Case("nudge", TAKEN, "@anna")
    yield Case("silent", TAKEN, "@anna", {"name": "Anna Berg", "to_owner": True})
    yield Case("silent", TAKEN, "@kim", {"name": "Anna Berg", "to_owner": False})
    for lead, who in ((bun(), "kim"), (bun(claims=CLAIMS), "anna"), (TAKEN, "anna"), (TEAM, "bo"), (EATEN, "anna")):
        yield Case("follow-up", lead, f"@{who}", {"text": "Have you had time to look?\n\nMaria"})
    for again in (True, False):
        for lead in (THROWN, WITHDRAWN, COOKIE):
            yield Case("reopen", lead, "@kim", {"text": "Are you sure?", "again": again})
    drafts: Mapping[str, Mapping[str, Any]] = {
        "ack": {"by": SOON},
        "reheat": {"because": "nobody-yet", "by": SOON, "name": ""},
        "no": {"text": "", "because": "thrown"},
    }
    for about, facts in drafts.items():
        yield Case("draft", OWN, "@anna", {"about": about, "facts": facts})
    told: Mapping[str, Mapping[str, Any]] = {**drafts, "word": {"text": "We call you."}, "handover": {"team": ()}}
    for about, facts in told.items():
        yield Case("please-tell", NAMELESS, "@anna", {"about": about, "facts": facts})
    for lead in (TAKEN, EATEN):
        yield Case("has-it", lead, "@bo")
    yield Case("too-late", CONTESTED, "@cy")
    for who, lead in (("anna", TAKEN), ("cy", TAKEN), ("kim", TAKEN), ("anna", CONTESTED)):
        yield Case("late-claim", lead, f"@{who}", {"name": "Cy Dahl", "received": NOW - timedelta(hours=3)})
    for who in ("kim", "anna"):
        for found in ("", "maria@acme.example"):
            yield Case("joined", bun(own="kim"), f"@{who}", {"owner": "kim", "found": found})
    yield Case("still-dough", DOUGH, "@anna")
    yield Case("unreachable", TAKEN, "@anna", {"reason": "maria@acme.example: 550 unknown"})
    yield Case("unreachable", OWN, "@anna", {"reason": ""})
    yield Case("unreachable", THROWN, "@kim", {"reason": "550 unknown"})
    for lead in ALL_STATUSES:
        yield Case("not-seen", lead, "@kim", {"line": "They seem nice."})
        yield Case("unclear", lead, "@bo", {"line": "mine, if it can wait until June"})
        yield Case("talk", lead, "@kim", {"text": "I know them.\n\nGood people.", "name": "Bo Ek"})
    for lead_or_none in (None, bun()):
        for line in ("", "what is for lunch"):
            yield Case("help", lead_or_none, "@anna", {"line": line})
        yield Case(
            "confirm",
            lead_or_none,
            "@anna",
            {"line": "mine", "received": NOW, "sender": "anna@home.example", "number": 3},
        )
    yield Case("status", None, "@anna", {"leads": (), "mine": (), "silenced": ()})
    yield Case("status", None, "@anna", {"leads": ALL_STATUSES[:5], "mine": (42,), "silenced": ()})
    others = tuple(replace(lead, id=50 + place) for place, lead in enumerate(ALL_STATUSES))
    yield Case("status", None, "@anna", {"leads": (bun(), *others), "mine": (42,), "silenced": ("offer 51",)})
    yield Case("happiness", None, "@anna")
    for what in (*ALERTS, "a trouble that no template knows"):
        yield Case("alert", None, "operator", {"what": what, "detail": "550 no such user"})
    yield Case("alert", None, "operator", {"what": "bounds", "detail": ""})


CASES = (*_to_clients(), *_to_the_list(), *_to_the_keeper(), *_to_one_colleague())


def in_language(language: str, of: House) -> House:
    """The house whose list and whose people read that language."""
    members = {key: replace(member, language=language) for key, member in of.members.items()}
    return replace(of, languages=(language, *(each for each in LANGUAGES if each != language)), members=members)


def send(case: Case, language: str = "en", of: House | None = None, *, plus: bool = True) -> Outgoing:
    """The mail of a case, composed as the router composes it."""
    at = in_language(language, of or house())
    lead = replace(case.lead, language=language) if case.lead else None
    (mail,) = compose(Mail(case.kind, case.to, case.facts), lead, world(at), at, templates(), plus)
    return mail
