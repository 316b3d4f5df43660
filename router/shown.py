"""Leads, people and mails as templates see them: cleaned, capped, and no more than their reader may know.

Job: turn what the core knows into small values made of plain text. Core: pure; `world.now` is the only clock.

Invariants: nothing here holds a control character or a mark (`marks.clean_text`); before the award a client's address
and numbers are withheld as configured (need-to-know); no template ever meets a `Lead`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

from router.house import House
from router.lead import Lead
from router.marks import clean_line, clean_text
from router.turn import World
from router.view import Aside

EXCERPT = 1200  # characters of a request that stand above the words to answer with; the whole of it stands below
LONGEST = 12000
_LETTERS = 5
LEFT_OUT = "[…]"  # where something is withheld: no slip of the pen, to anybody who reads it


@dataclass(frozen=True, slots=True)
class Person:
    """A consultant as templates see them."""

    key: str
    name: str
    address: str
    skills: tuple[str, ...]
    named_skills: tuple[str, ...]  # of these, those that the request names
    taken: int  # buns in the last 90 days
    since: date | None  # available since


@dataclass(frozen=True, slots=True)
class Shown:
    """A lead as templates see it."""

    id: int
    subject: str
    text: str
    excerpt: str  # the text, or its beginning when it is long
    client: str  # the address; "" while it is withheld or unknown
    client_name: str
    company: str  # the address's domain
    who: str  # the client in one line, as far as the reader may know: "Maria Ek (acme.example)"
    greeting: str  # the client's name if it can stand behind "Hello", else ""
    first: str  # the same, or the first name alone where the address shows that it is one
    status: str
    stage: str
    owner: str
    urgent: bool
    skills: tuple[str, ...]
    claimants: tuple[str, ...]
    team: tuple[str, ...]
    letters: tuple[str, ...]  # what the client wrote later, newest last
    withheld: bool  # its reader is none of those who have it: the files go to whoever takes it
    hidden: bool  # something in text or letters is withheld, shown as `LEFT_OUT`
    carried: tuple[str, ...]  # names of files
    age: str  # in working time
    came: str  # when it came in, for people
    tag: str  # what finds the lead in a subject: "[BUN 42]"
    own: bool  # a consultant's own: mails to the client are drafts
    has_client: bool  # an address is known, shown or not
    takeable: bool  # thrown by us, and not too long ago: whoever says that they want it has it


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail that was set aside, in one line."""

    number: int
    sender: str
    subject: str


def show_lead(
    lead: Lead, world: World, house: House, language: str, withheld: bool, *, to_client: bool = False
) -> Shown:
    """`withheld`: need-to-know, before the award: names, addresses and numbers of the client as configured.

    `to_client`: without the request's text, which its writer knows.
    """
    client, name, text = lead.client, lead.client_name, "" if to_client else lead.text[: 2 * LONGEST]
    company = lead.client.rpartition("@")[2]
    letters = tuple(letter.text[:LONGEST] for letter in lead.letters[-_LETTERS:] if letter.who == "client")
    whole = (text, letters)
    if withheld and house.show_client != "all":
        client = ""
        secret = name if house.show_client == "none" else ""
        text, letters = withhold(text, secret), tuple(withhold(each, secret) for each in letters)
        if house.show_client == "none":
            name, company = "", ""
    word = house.words["DOU"] if lead.status == "dough" else house.words["BUN"]
    said, text = text, clean_text(text, LONGEST).strip()
    greeting = greeting_name(clean_line(lead.client_name))
    return Shown(
        id=lead.id,
        subject=clean_line(lead.subject) or "—",
        text=text,
        excerpt=excerpt(text),
        client=clean_line(client),
        client_name=clean_line(name, 100),
        company=clean_line(company, 100),
        who=_who(clean_line(name, 100), clean_line(client), clean_line(company, 100)),
        greeting=greeting,
        first=first_name(greeting, lead.client),
        status=str(lead.status),
        stage=lead.stage,
        owner=clean_line(world.name(lead.owner)),
        urgent=lead.urgent,
        skills=tuple(clean_line(skill) for skill in lead.skills),
        claimants=_names(lead.claimants, world),
        team=_names(lead.team, world),
        letters=tuple(clean_text(each, 4000).strip() for each in letters),
        withheld=withheld,
        hidden=whole != (said, letters),
        carried=tuple(clean_line(each.name) for each in lead.carried),
        age=world.calendar.say_age(world.calendar.between(lead.opened, world.now), language),
        came=world.calendar.say(lead.opened, language, world.now),
        tag=clean_line(f"[{word} {lead.id}]"),
        own=bool(lead.own) and not lead.handed_over,
        has_client=bool(lead.client),
        takeable=_is_takeable(lead, world),
    )


def _is_takeable(lead: Lead, world: World) -> bool:
    """As `protocol/ended.py` decides: thrown away by us, not by the client, and within the time to microwave."""
    if lead.status != "thrown" or lead.ended_as in ("withdrawn", "lost") or lead.ended_at is None:
        return False
    return world.now <= world.after(lead.ended_at, world.terms.microwave)


def _names(keys: Sequence[str], world: World) -> tuple[str, ...]:
    return tuple(map(_name, world.names(keys)))


_name = lru_cache(maxsize=1024)(clean_line)  # a bun that many want is shown to each of them


def _who(name: str, client: str, company: str) -> str:
    known = f"{name} <{client}>" if name and client else client
    return known or (f"{name} ({company})" if name and company else name or company)


def excerpt(text: str) -> str:
    """The text, or of a long one its beginning, cut where a paragraph, a line or a word ends."""
    if len(text) <= EXCERPT + EXCERPT // 3:
        return text
    head = text[:EXCERPT]
    cut = next((at for at in (head.rfind("\n\n"), head.rfind("\n"), head.rfind(" ")) if at > EXCERPT // 2), EXCERPT)
    return f"{head[:cut].rstrip()} …"


_NO_NAME = re.compile(r"[@/\\<>\"|:;,_\d]")


def greeting_name(name: str) -> str:
    """A name that people can be greeted by; "" for addresses, departments with slashes, and the like."""
    return name if 1 < len(name) <= 50 and not _NO_NAME.search(name) and len(name.split()) <= 4 else ""


def first_name(name: str, address: str) -> str:
    """ "Maria" for Maria Ek at maria.ek@…; the whole name where the address does not begin with its first word.

    "Acme Purchasing" at info@… is no Acme; people are greeted by their first names, companies are not.
    """
    first, _, rest = name.partition(" ")
    return first if rest and _letters(address.partition("@")[0]).startswith(_letters(first) or "-") else name


def _letters(text: str) -> str:
    """The bare letters: "Örjan" and "jean-luc" as "orjan" and "jeanluc"."""
    return "".join(each for each in unicodedata.normalize("NFKD", text.lower()) if each.isalpha())


_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,250}\.[A-Za-z]{2,24}")
_DIGITS = re.compile(r"\d(?:[ ()./-]{0,2}\d){6}")
_PHONE = re.compile(r"(?<![\w-])\+?\(?\d(?:[ ()./-]{0,2}\d){6,14}(?![\w-])")


def withhold(text: str, name: str = "") -> str:
    """The text without mail addresses, phone numbers and that name: they come with the award."""
    words = [re.escape(word) for word in name[:200].split() if len(word) > 2]
    hidden = re.compile(rf"\b(?:{'|'.join(words)})\b", re.I) if words else None
    bare = _ADDRESS.sub(LEFT_OUT, text) if "@" in text else text
    if _DIGITS.search(bare):  # as many as the shortest number has: far quicker than looking for a number at each letter
        bare = _PHONE.sub(LEFT_OUT, bare)
    return hidden.sub(LEFT_OUT, bare) if hidden else bare


def show_people(keys: Sequence[str], lead: Lead | None, world: World) -> tuple[Person, ...]:
    """Those of `keys` who are on the roster, with what may be told of them: skills and load, never money (rule 9)."""
    people = (world.people[key] for key in keys if key in world.people)
    return tuple(
        Person(
            key=person.key,
            name=clean_line(person.name),
            address=person.address,
            skills=person.skills,
            named_skills=tuple(skill for skill in person.skills if lead and skill in lead.skills),
            taken=world.taken_recently.get(person.key, 0),
            since=person.available_since,
        )
        for person in people
    )


_SEVERAL_LINES = frozenset({"text", "preview", "detail", "digest", "report"})  # every other fact is one line


def show_fact(name: str, value: Any, world: World, house: House, language: str) -> Any:
    """A fact of an intent as templates may see it; leads and mails in it become what is shown of them."""
    if isinstance(value, str):
        return clean_text(value) if name in _SEVERAL_LINES else clean_line(value, 400)
    if isinstance(value, Lead):
        return show_lead(value, world, house, language, withheld=True)
    if isinstance(value, Aside):
        sender = f"{value.name} <{value.sender}>" if value.name else value.sender
        return Listed(value.number, clean_line(sender, 100), clean_line(value.subject) or "—")
    if isinstance(value, list | tuple):
        return tuple(show_fact(name if name in _SEVERAL_LINES else "", each, world, house, language) for each in value)
    return value


_GREETING_WORDS = """
hi hello hey dear good hej hejsan hallå tjena bästa käre kära god hallo liebe lieber sehr guten moin servus grüezi
bonjour bonsoir salut cher chère chers hola buenos buenas estimado estimada estimados querido querida beste geachte
goedemorgen goedemiddag goede dag
"""
_GREETINGS = frozenset(_GREETING_WORDS.split())


def begins_with_greeting(text: str) -> bool:
    """Whether somebody's own text greets its reader already."""
    words = re.findall(r"\w+", text[:80].lower())
    return bool(words) and words[0] in _GREETINGS


def ends_with_name(text: str, name: str) -> bool:
    """Whether somebody has signed their own text already."""
    words = re.findall(r"\w+", " ".join(text.strip().split("\n")[-2:])[-160:].lower())
    first = name.lower().split()[:1]
    return bool(first) and first[0] in words
