"""A lead without a person: what is taken out of it, and what stays to be counted.

Job: turn a `Lead` into the same lead with its numbers, times and statuses, and without somebody. Core: pure.

A client is taken out of their own leads with everything they wrote and everything that quotes them. In other leads
their address and name are struck out. A consultant's words are struck out where they stand; one who has left is
afterwards called by a number, so that the counts stay right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from router.lead import Event, Lead, Letter, from_doc, to_doc, with_event

ERASED = "(erased)"
_QUOTED = re.compile(r"“[^”]*”?")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to forget. `names` are whole names; a word that many people share would strike out too much."""

    addresses: tuple[str, ...]
    names: tuple[str, ...] = ()
    key: str = ""  # on the roster, now or once
    alias: str = ""  # what the key is replaced by; "" keeps it, for somebody who is on the roster still

    @property
    def pattern(self) -> re.Pattern[str]:
        """Their addresses and names, whole: ann@x.example is neither joann@x.example nor ann@x.example.net.

        As they are, and as JSON has them: what is searched may be a line of a file.
        """
        known = {*self.addresses, *self.names} - {""}
        escaped = {json.dumps(word, ensure_ascii=False)[1:-1] for word in known}
        words = sorted(known | escaped, key=len, reverse=True)
        either = "|".join(map(re.escape, words)) or r"(?!)"
        return re.compile(rf"(?:(?<![\w.+-])|(?<=\\[nrt]))(?:{either})(?![\w-]|\.\w)", re.IGNORECASE)

    @property
    def key_pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w.-]){re.escape(self.key)}(?![\w.-])" if self.alias else r"(?!)")


def full_name(name: str) -> str:
    """A name that can be struck out wherever it stands: of at least two words."""
    name = " ".join(name.split())
    return name if len(name) >= 5 and " " in name else ""


def strike(value: Any, subject: Subject) -> Any:
    """Any JSON value without the person's addresses and names; keys of objects too."""
    return _strike(value, subject.pattern, subject)


def _strike(value: Any, pattern: re.Pattern[str], subject: Subject) -> Any:
    if isinstance(value, str):
        value = pattern.sub(ERASED, value)
        return subject.key_pattern.sub(subject.alias, value) if subject.alias else value
    if isinstance(value, list | tuple):
        return [_strike(each, pattern, subject) for each in value]
    if isinstance(value, Mapping):
        return {_strike(key, pattern, subject): _strike(each, pattern, subject) for key, each in value.items()}
    return value


def without_client(lead: Lead, now: datetime) -> Lead:
    """The lead with its numbers and times, and without its client: who, what they wrote, what was said of it."""
    bare = replace(
        lead,
        client="",
        client_name="",
        subject=ERASED,
        text=ERASED,
        message_id="",
        client_thread=(),
        letters=tuple(Letter(letter.at, _role(letter.who), ERASED) for letter in lead.letters),
        claims=tuple(replace(claim, line="") for claim in lead.claims),
        carried=(),
        draft="",
        goodbye="",
        pending=(),
        events=tuple(replace(each, who=_role(each.who), what=_unquoted(each.what), why="") for each in lead.events),
    )
    return with_event(bare, Event(now, "the client's data was erased", "operator"))


def _role(who: str) -> str:
    return "client" if "@" in who else who


def _unquoted(what: str) -> str:
    return _QUOTED.sub("“…”", what)


def without_words(lead: Lead, subject: Subject) -> Lead:
    """The lead without what this consultant wrote, and without their address and name."""
    key = subject.key

    def of(who: str) -> bool:
        return bool(key) and key in re.split(r"[\s,]+", who)

    bare = replace(
        lead,
        letters=tuple(replace(each, text=ERASED) if of(each.who) else each for each in lead.letters),
        claims=tuple(replace(each, line="") if of(each.who) else each for each in lead.claims),
        draft="" if of(lead.owner) else lead.draft,
        goodbye="",  # whoever's words they were
        pending=tuple(replace(each, line="", text="") if of(each.who) else each for each in lead.pending),
        events=tuple(
            replace(each, what=_unquoted(each.what), why="") if of(each.who) else each for each in lead.events
        ),
    )
    return _struck(bare, subject)


def _struck(lead: Lead, subject: Subject) -> Lead:
    """Every text of the lead without the addresses and names; and the key, where it is replaced, in every list.

    Texts by others are only struck out, so that a word of theirs that happens to be the key stays what it is.
    """
    pattern = subject.pattern
    doc = {name: _strike(value, pattern, replace(subject, alias="")) for name, value in to_doc(lead).items()}
    lead = from_doc(doc)
    if not subject.alias:
        return lead

    def renamed(text: str) -> str:
        return subject.key_pattern.sub(subject.alias, text)

    def all_renamed(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(renamed, texts))

    return replace(
        lead,
        owner=renamed(lead.owner),
        own=renamed(lead.own),
        released_by=renamed(lead.released_by),
        claims=tuple(replace(each, who=renamed(each.who)) for each in lead.claims),
        passes=tuple(replace(each, who=renamed(each.who)) for each in lead.passes),
        letters=tuple(replace(each, who=renamed(each.who)) for each in lead.letters),
        events=tuple(replace(each, who=renamed(each.who), why=renamed(each.why)) for each in lead.events),
        pending=tuple(replace(each, who=renamed(each.who)) for each in lead.pending),
        together=all_renamed(lead.together),
        named=all_renamed(lead.named),
        team=all_renamed(lead.team),
        invited=all_renamed(lead.invited),
        joined=all_renamed(lead.joined),
        asked=all_renamed(lead.asked),
        unreached=all_renamed(lead.unreached),
        counts={renamed(slot): count for slot, count in lead.counts.items()},
    )
