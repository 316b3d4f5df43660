"""A mail that a decision wants, and the templates: the bytes that leave.

Job: turn a `Mail` intent into one `Outgoing` per envelope: who gets it, in which language, under which Message-ID, as
multipart text and HTML. jinja2 is imported only here. Core: the templates' sources come in as strings.

A template is text: a first line "Subject: …", an empty line, then the body. The HTML is made from that same text, so
the two never differ. What the two show differently is marked by helpers (`marks.py`): `title(text)` the headline,
`heading(text)` that of a part, `quote(text)` a stranger's words, `fact(label, value)` a line of facts, `reply(word,
meaning)` an answer that works, in HTML a mailto: button, `word(word, meaning)` one to be said in a mail of one's own,
`small(text)` small print. The words that a language teaches stand in its `_words.txt`. What a template may see of leads
and people is in `shown.py`.

Invariants: no header value holds CR or LF; what a client wrote is shown as text and as nothing else; an address that
a client may see never holds a consultant's token; the same intent gives the same Message-ID for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote as percent

import jinja2

from router.house import House
from router.ids import CLIENT, COLLEAGUES
from router.lead import Lead
from router.marks import (
    clean_line,
    clean_text,
    mark_button,
    mark_fact,
    mark_heading,
    mark_quote,
    mark_reply,
    mark_small,
    mark_title,
    mark_word,
    to_html,
    to_text,
)
from router.mime import Attached, address_header, header_value, write_mail
from router.reply import MARKERS
from router.shown import Shown, begins_with_greeting, ends_with_name, show_fact, show_lead, show_people
from router.turn import Mail, World
from router.worktime import say_span

TemplateFault = jinja2.TemplateError  # so that no other room need know who renders
# Alerts that our own mail does not work, or does again: these go to the operator's second address as well.
OWN_MAIL = frozenset({"imap-down", "imap-back", "smtp-back", "canary-late", "canary-back"})
LANGUAGES = ("en", "sv", "de", "fr", "es", "nl")
QUARTER = timedelta(minutes=15)

# Every kind of mail: who reads it, and the facts that its template may use besides the common ones (`COMMON`).
TO_CLIENT, TO_LIST, TO_PERSON, TO_OPERATOR = "client", "list", "person", "operator"
COMMON = ("collective", "words", "lead", "marker", "person")


@dataclass(frozen=True, slots=True)
class Kind:
    audience: str
    facts: tuple[str, ...] = ()
    marker: bool = False  # begins with the marker line above which people answer
    shows_request: bool = False


KINDS: Mapping[str, Kind] = {
    # to the client: a person's name and a time, and no word of the protocol
    "ack": Kind(TO_CLIENT, ("by",)),
    "reheat": Kind(TO_CLIENT, ("because", "by", "name")),
    "handover": Kind(TO_CLIENT, ("owner", "team")),
    "no": Kind(TO_CLIENT, ("text", "because")),
    "word": Kind(TO_CLIENT, ("text", "name")),
    # to the list
    "offer": Kind(TO_LIST, ("closes", "linked", "last_owner"), marker=True, shows_request=True),
    "second-call": Kind(TO_LIST, (), marker=True, shows_request=True),
    "last-call": Kind(TO_LIST, ("by",), marker=True, shows_request=True),
    "back": Kind(TO_LIST, ("closes", "name", "interested"), marker=True, shows_request=True),
    "dough": Kind(TO_LIST, ("what",), marker=True, shows_request=True),
    "outcome": Kind(TO_LIST, ("what", "people", "why", "heard", "draft")),
    "gathered": Kind(TO_LIST, ("leads",), marker=True),
    # to the keeper (to the list while keeper and deputy are away)
    "decide": Kind(TO_PERSON, ("because", "by"), marker=True, shows_request=True),
    "nobody-yet": Kind(TO_PERSON, (), marker=True),
    "bun-or-cookie": Kind(TO_PERSON, ("reason", "by"), marker=True, shows_request=True),
    "owner-left": Kind(TO_PERSON, ("name",)),
    "colleague-unreachable": Kind(TO_PERSON, ("name", "reason")),
    "one-of-us": Kind(TO_PERSON, ("sender", "line", "number"), marker=True),
    "aside": Kind(TO_PERSON, ("items", "junk"), marker=True),
    "rota": Kind(TO_PERSON, ("leads", "incoming", "other", "because"), marker=True),
    # to one consultant
    "receipt": Kind(
        TO_PERSON,
        (
            *("what", "line", "closes", "effect", "text", "people", "client", "uncertain", "by", "until", "verb"),
            *("skills", "sent", "heard"),
        ),
        marker=True,
    ),
    "refused": Kind(TO_PERSON, ("why", "line", "verb", "owner", "people", "name", "status"), marker=True),
    "contest": Kind(TO_PERSON, ("claimants", "mediator", "mediate", "ends", "fallback"), marker=True),
    "mediate": Kind(TO_PERSON, ("claimants", "ends"), marker=True, shows_request=True),
    "unless": Kind(TO_PERSON, ("name", "at"), marker=True),
    "all-yielded": Kind(TO_PERSON, ("people",), marker=True),
    "personal-offer": Kind(TO_PERSON, ("because", "name", "closes"), marker=True, shows_request=True),
    "up-offer": Kind(TO_PERSON, ("name",), marker=True, shows_request=True),
    "invitation": Kind(TO_PERSON, ("name",), marker=True, shows_request=True),
    "handover-owner": Kind(TO_PERSON, ("owner", "team"), marker=True, shows_request=True),
    "nudge": Kind(TO_PERSON, (), marker=True),
    "silent": Kind(TO_PERSON, ("name", "to_owner"), marker=True),
    "follow-up": Kind(TO_PERSON, ("text",), marker=True),
    "reopen": Kind(TO_PERSON, ("text", "again"), marker=True),
    "draft": Kind(TO_PERSON, ("about", "preview"), marker=True),
    "please-tell": Kind(TO_PERSON, ("about", "preview"), marker=True),
    "has-it": Kind(TO_PERSON, (), marker=True),
    "too-late": Kind(TO_PERSON, (), marker=True),
    "late-claim": Kind(TO_PERSON, ("name", "received"), marker=True),
    "joined": Kind(TO_PERSON, ("owner", "found"), marker=True),
    "still-dough": Kind(TO_PERSON, (), marker=True, shows_request=True),
    "unreachable": Kind(TO_PERSON, ("reason",), marker=True),
    "not-seen": Kind(TO_PERSON, ("line",), marker=True),
    "unclear": Kind(TO_PERSON, ("line",), marker=True),
    "talk": Kind(TO_PERSON, ("text", "name"), marker=True),
    "help": Kind(TO_PERSON, ("line",)),
    "confirm": Kind(TO_PERSON, ("line", "received"), marker=True),
    "status": Kind(TO_PERSON, ("leads", "mine", "silenced")),
    "happiness": Kind(TO_PERSON, (), marker=True),
    # the collective's own business
    "digest": Kind(TO_LIST, ("digest",)),
    "report": Kind(TO_PERSON, ("report",)),
    "alert": Kind(TO_OPERATOR, ("what", "detail")),
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A mail ready to leave: one envelope. `to` is the role it was written for: part of its identity."""

    lead: int
    kind: str
    to: str
    recipients: tuple[str, ...]
    message_id: str
    raw: bytes
    leads: tuple[int, ...] = ()  # of a mail that gathers several offers
    intent: Mail | None = None  # of a mail that, should it wait long, is to be written anew …
    anew_at: datetime | None = None  # … then


@dataclass(frozen=True, slots=True)
class Envelope:
    """Where one copy goes and how an answer to it comes back."""

    to: str
    recipients: tuple[tuple[str, str], ...]  # (name, address)
    cc: tuple[tuple[str, str], ...]
    reply_to: tuple[str, ...]
    language: str


# -- templates -------------------------------------------------------------------------------------------------------


class _Environment(jinja2.Environment):
    """jinja2 with plain dictionaries for what all templates may use: its chained ones cost more than most templates."""

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        return {**self.globals, **(d or {})}


class Templates:
    """The compiled templates of every language, from sources that the shell has read: "sv/offer" → text."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = dict(sources)
        self._environment = _Environment(
            loader=jinja2.DictLoader(self.sources),
            auto_reload=False,
            cache_size=-1,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=False,
            autoescape=False,  # these are text; `to_html` escapes every character of what they yield
        )
        self._environment.globals.update(quote=mark_quote, fact=mark_fact, button=mark_button, reply=mark_reply)
        self._environment.globals.update(word=mark_word, title=mark_title, small=mark_small, clean=clean_text)
        self._environment.globals.update(heading=mark_heading)

    def languages(self) -> tuple[str, ...]:
        return tuple(sorted(name.removesuffix("/_words") for name in self.sources if name.endswith("/_words")))

    def fault_in(self, source: str) -> str:
        """What is wrong with how a source is written; "" when it can be used."""
        try:
            self._environment.get_template(source)
        except jinja2.TemplateSyntaxError as error:
            return f"line {error.lineno}: {error.message}"
        return ""

    def words(self, source: str) -> Mapping[str, Mapping[str, str]]:
        """The tables that a source without a mail of its own sets ("sv/_words"), by name."""
        module = self._environment.get_template(source).module
        return {name: value for name, value in vars(module).items() if isinstance(value, dict)}

    def render(self, language: str, kind: str, facts: Mapping[str, Any]) -> tuple[str, str]:
        """(subject, marked body). Raises jinja2.TemplateError when a template is at fault."""
        # a language without this template is answered in English rather than not at all
        template = self._environment.select_template([f"{language}/{kind}", f"en/{kind}"])
        head, _, body = template.render(facts).lstrip("\n").partition("\n")
        return header_value(head.removeprefix("Subject:").strip()), re.sub(r"\n{3,}", "\n\n", body.strip()) + "\n"


# -- from intent to bytes --------------------------------------------------------------------------------------------


def compose(
    mail: Mail,
    lead: Lead | None,
    world: World,
    house: House,
    templates: Templates,
    plus: bool,
    attached: Sequence[Attached] = (),
) -> list[Outgoing]:
    """The mails for one intent: one, or one for each consultant where the list is the people themselves.

    `plus`: reply addresses with tokens may be used, since a round trip has proved that the mail server delivers them.
    `attached`: the files that go with it. Raises jinja2.TemplateError when a template is at fault.
    """
    if lead is not None:
        mail = preview(mail, lead, world, house, templates)
    return [
        _compose_one(mail, envelope, lead, world, house, templates, attached)
        for envelope in _envelopes(mail, lead, world, house, plus)
    ]


def render_text(mail: Mail, lead: Lead, world: World, house: House, templates: Templates) -> str:
    """What a mail to one consultant says, for a screen: no line above which to answer. "" where nobody would get it."""
    for envelope in _envelopes(mail, lead, world, house, False):
        facts = {**facts_for(mail, envelope, lead, world, house), "marker": ""}
        return to_text(templates.render(envelope.language, mail.kind, facts)[1], envelope.language)
    return ""


def _envelopes(mail: Mail, lead: Lead | None, world: World, house: House, plus: bool) -> list[Envelope]:
    number = lead.id if lead else 0
    plain = (house.address,)

    def answers(scope: str) -> tuple[str, ...]:
        return (house.ids.reply_address(number, scope),) if plus and number else plain

    if mail.to == "list" and house.list_address:
        to = ((house.name, house.list_address),)
        return [Envelope("list", to, (), answers(COLLEAGUES), house.languages[0])]
    if mail.to == "list":
        # who has it has just read so in a mail of their own
        know = lead.team if lead is not None and mail.facts.get("what") == "taken" else ()
        return [_to_person(key, world, house, answers) for key in world.people if key not in know]
    if mail.to.startswith("@"):
        return [_to_person(mail.to[1:], world, house, answers)] if mail.to[1:] in world.people else []
    if mail.to == "operator":
        second = house.operator_second if mail.facts.get("what") in OWN_MAIL else ""
        both = (("operator", house.operator), ("operator's second address", second))
        return [Envelope(role, (("", each),), (), plain, house.languages[0]) for role, each in both if each]
    if mail.to == "client" and lead is not None and lead.client:
        cc: tuple[tuple[str, str], ...] = ()
        reply = answers(CLIENT)
        if mail.kind == "handover":
            team = [world.people[key] for key in lead.team if key in world.people]
            cc = tuple((person.name, person.address) for person in team)
            reply = (*[person.address for person in team[:1]], *reply)
        return [Envelope("client", ((lead.client_name, lead.client),), cc, reply, _language(lead.language, house))]
    if "@" in mail.to:
        return [Envelope(mail.to, (("", mail.to),), (), mail.facts.get("reply_to") or plain, house.languages[0])]
    return []


def _to_person(key: str, world: World, house: House, answers: Callable[[str], tuple[str, ...]]) -> Envelope:
    person = world.people[key]
    language = _language(person.language, house)
    return Envelope(f"@{key}", ((person.name, person.address),), (), answers(f"@{key}"), language)


def _language(wanted: str, house: House) -> str:
    return wanted if wanted in house.languages or wanted in LANGUAGES else house.languages[0]


def _compose_one(
    mail: Mail,
    envelope: Envelope,
    lead: Lead | None,
    world: World,
    house: House,
    templates: Templates,
    attached: Sequence[Attached],
) -> Outgoing:
    kind = KINDS[mail.kind]
    number = lead.id if lead else 0
    reply_to = tuple(mail.facts.get("reply_to") or _answers_to(mail, envelope, lead, house))
    facts = facts_for(mail, envelope, lead, world, house)
    subject, marked = templates.render(envelope.language, mail.kind, facts)
    message_id = house.ids.message_id(number, f"{mail.kind}", _slot(mail, envelope), mail.number)

    def mailto(word: str, about: str) -> str:
        address = percent(reply_to[-1], safe="@+", errors="replace")
        said = percent(about or "Re: " + subject, errors="replace")
        return f"mailto:{address}?subject={said}&body={percent(word, errors='replace')}"

    html = mail.facts.get("html") or to_html(marked, mailto, envelope.language, subject)
    headers = [
        ("From", address_header(house.name, house.address)),
        ("To", ", ".join(address_header(name, address) for name, address in envelope.recipients)),
        ("Cc", ", ".join(address_header(name, address) for name, address in envelope.cc)),
        ("Reply-To", ", ".join(address_header("", address) for address in reply_to)),
        ("Subject", subject),
        ("Message-ID", message_id),
        *_threading(mail, envelope, lead, house, message_id),
        *_machine_headers(mail, kind, number, house, message_id),
    ]
    raw = write_mail(headers, to_text(marked, envelope.language), html, world.now, attached)
    recipients = tuple(address for _, address in (*envelope.recipients, *envelope.cc))
    leads = tuple(mail.facts.get("gathers") or ())
    return Outgoing(number, mail.kind, envelope.to, recipients, message_id, raw, leads)


def _answers_to(mail: Mail, envelope: Envelope, lead: Lead | None, house: House) -> tuple[str, ...]:
    """Where an answer goes. What a client wrote is answered to the client, with the bun in copy: no personal token."""
    if mail.kind != "follow-up" or lead is None or not lead.client:
        return envelope.reply_to
    tokens = any("+" in address for address in envelope.reply_to)
    return (lead.client, house.ids.reply_address(lead.id, CLIENT) if tokens else house.address)


def _slot(mail: Mail, envelope: Envelope) -> str:
    return f"{_role(mail.to, envelope.to)}{mail.facts.get('slot', '')}"


def _role(to: str, reader: str) -> str:
    """Whom a mail was for, and whose copy it is where the list is the people themselves."""
    return to if to == reader else f"{to} {reader}"


def _threading(
    mail: Mail, envelope: Envelope, lead: Lead | None, house: House, message_id: str
) -> list[tuple[str, str]]:
    """To the client: an answer to their last mail. To colleagues: everything hangs below the offer."""
    if lead is None:
        return []
    if envelope.to == "client":
        thread = lead.client_thread[-10:]
        return [("In-Reply-To", thread[-1]), ("References", " ".join(thread))] if thread else []
    reader = "list" if house.list_address else envelope.to
    first = house.ids.message_id(lead.id, "offer", _role("list", reader), 1)
    return [("In-Reply-To", first), ("References", first)] if first != message_id else []


def _machine_headers(mail: Mail, kind: Kind, number: int, house: House, message_id: str) -> list[tuple[str, str]]:
    """RFC 3834 §5 and what Exchange wants to hear. A person's own words to a client are no machine's."""
    ref = [("X-Request-Ref", message_id.strip("<>").partition("@")[0])]
    if mail.kind == "word":
        return ref
    submitted = "auto-replied" if mail.kind in ("ack", "receipt", "refused", "help", "status") else "auto-generated"
    return [*ref, ("Auto-Submitted", submitted), ("X-Auto-Response-Suppress", "All")]


# -- facts -----------------------------------------------------------------------------------------------------------


def facts_for(mail: Mail, envelope: Envelope, lead: Lead | None, world: World, house: House) -> dict[str, Any]:
    """Everything a template may use. A fact of its kind that the intent does not give is None, never undefined."""
    kind = KINDS[mail.kind]
    language = envelope.language
    facts: dict[str, Any] = dict.fromkeys(kind.facts)
    given = {name: show_fact(name, value, world, house, language) for name, value in mail.facts.items()}
    reader = envelope.to[1:] if envelope.to.startswith("@") else ""
    knows = lead is not None and bool(reader) and reader in (*lead.team, lead.own)
    claimants = mail.facts.get("people") or () if mail.kind in ("contest", "mediate") else ()
    owner = show_people((lead.owner,), lead, world) if lead else ()
    facts.update(given)
    facts.update(
        collective=house.name,
        words=house.words,
        language=language,
        marker=MARKERS[language] if kind.marker else "",
        person=clean_line(world.name(reader)),
        is_owner=lead is not None and reader == lead.owner,
        lead=_shown(kind, lead, world, house, language, knows) if lead else None,
        claimants=show_people(claimants, lead, world),
        owner_name=clean_line(world.name(lead.owner)) if lead else "",
        owner_person=owner[0] if owner else None,
        when=lambda moment: world.calendar.say(moment, language, world.now) if moment else "",
        latest=lambda moment: world.calendar.say(_round_up(moment), language, world.now) if moment else "",
        after=lambda term: world.after(world.now, getattr(world.terms, term)),
        dries=lambda: world.dries(lead, world.after(world.now, world.terms.freshness)) if lead else None,
        span=lambda term: say_span(getattr(world.terms, term), language),
        first_come=not world.terms.window,
        over=lambda moment: moment is not None and moment <= world.now,
        everybody=mail.to == "list",  # what a keeper would read, while none is here, is read by who may say less
        throws=world.terms.no_by != "person" and bool(world.keeper),  # the router says no once the last call is over
        name=given.get("name") or "",
        names=_join_names,
        greeted=begins_with_greeting(given.get("text") or ""),
        signed=ends_with_name(given.get("text") or "", given.get("name") or (world.name(lead.owner) if lead else "")),
    )
    if "preview" in kind.facts and lead is not None:
        facts["preview_kind"] = mail.facts["about"]
        facts["preview_facts"] = mail.facts["facts"]
    return facts


def _shown(kind: Kind, lead: Lead, world: World, house: House, language: str, knows: bool) -> Shown:
    to_client = kind.audience == TO_CLIENT
    return show_lead(lead, world, house, language, withheld=not knows and not to_client, to_client=to_client)


_SOUNDS_I = re.compile(r"h?i(?![ae])", re.I)


def _join_names(names: Sequence[str], word: str) -> str:
    names = [clean_line(name) for name in names]
    if word == "y" and names and _SOUNDS_I.match(names[-1]):
        word = "e"  # Spanish: "Bo e Ingrid"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}" if names else ""


def _round_up(moment: datetime) -> datetime:
    """To the next quarter of an hour: a time told to a client is never later than it says."""
    over = timedelta(minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond)
    return moment if not over else moment - over + QUARTER


def preview(mail: Mail, lead: Lead, world: World, house: House, templates: Templates) -> Mail:
    """The intent with the text of the mail it speaks of: a draft shows its owner what would go to the client."""
    if "preview" not in KINDS[mail.kind].facts:
        return mail
    about, inner = mail.facts["about"], mail.facts["facts"]
    envelope = Envelope("client", ((lead.client_name, lead.client),), (), (), _language(lead.language, house))
    facts = facts_for(Mail(about, "client", inner), envelope, lead, world, house)
    _, marked = templates.render(envelope.language, about, facts)
    return replace(mail, facts={**mail.facts, "preview": to_text(marked, envelope.language)})
