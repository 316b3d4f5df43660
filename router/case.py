"""One mail on the table: what the checks of `triage` share, worked out once.

Job: who wrote it, behind a list or a shared address that rewrites From; the tokens in the addresses that it was sent
to; the lead's thread that it is on; who else it is for; what proves its author. Core: pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from router.house import House
from router.ids import ASIDE, CLIENT, CONFIRM, PROBE, Token
from router.lead import Lead
from router.message import Address, Message
from router.trust import Evidence, Proof, prove
from router.verdict import Incoming, Thread, Verdict
from router.view import OUR_SIDE, View


@dataclass(slots=True)
class Case:
    """One mail on the table: what the checks share, worked out once."""

    incoming: Incoming
    house: House
    view: View
    author: Address
    person: str
    via_list: bool
    token: Token | None
    tokens: tuple[Token, ...]
    thread: Thread | None

    @property
    def message(self) -> Message:
        return self.incoming.message

    def verdict(self, kind: str, reason: str, **more: object) -> Verdict:
        base = Verdict(
            kind,
            reason,
            self.author,
            self.person,
            self.thread.lead if self.thread else None,
            self.thread,
            self.token,
            via_list=self.via_list,
        )
        return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


# -- laying it open ---------------------------------------------------------------------------------------------------


def lay_open(incoming: Incoming, house: House, view: View) -> Case:
    message = incoming.message
    via_list = _came_through_own_list(message, house)
    author = _author(message, house, via_list)
    person = house.people_by_address.get(author.address, "")
    tokens = _tokens(message, house)
    token = next((t for t in tokens if t.proven), tokens[0] if tokens else None)
    case = Case(incoming, house, view, author, person, via_list, token, tokens, None)
    case.thread = find_thread(case)
    return case


def _came_through_own_list(message: Message, house: House) -> bool:
    """Whether the list headers are those of the collective's own list. A claim, not a proof: anybody can write them."""
    if not house.list_address and not house.list_id:
        return False
    listed = set(re.split(r"[\s<>,\"]+", message.headers.get("list-id").lower()))
    posts = set(re.split(r"[\s<>,\"]+", message.headers.get("list-post").lower()))
    names = {house.list_id.lower(), house.list_address, house.list_address.replace("@", ".")} - {""}
    return bool(listed & names) or f"mailto:{house.list_address}" in posts


def _author(message: Message, house: House, via_list: bool) -> Address:
    """The writer: behind a list or a shared address that rewrites From, the one it names instead.

    Whoever posts can write such headers too: where they name several, the writer is nobody on the roster.
    """
    sender = message.sender
    ours = (house.list_address, *house.own_addresses)
    if sender.address not in ours or not sender.address or (not via_list and "list-id" not in message.headers):
        return sender
    named = [Address(sender.name, found) for found in _original_senders(message)]
    others = [each for each in message.reply_to if each.address not in ours and not is_token(each.address, house)]
    if not named and len(others) != 1:
        return sender
    named += others
    if len({house.people_by_address.get(each.address, "") for each in named}) == 1:
        return named[0]
    return next((each for each in named if each.address not in house.people_by_address), sender)


def _original_senders(message: Message) -> Iterator[str]:
    for name in ("x-original-from", "x-original-sender"):
        match = re.search(r"[^\s<>,;\"]+@[^\s<>,;\"]+", message.headers.get(name)[:500])
        if match:
            yield match[0].lower()


def is_token(address: str, house: House) -> bool:
    return house.ids.read_reply_address(address, ()) is not None


def _tokens(message: Message, house: House) -> tuple[Token, ...]:
    """Every token in the addresses that this mail was sent to."""
    addresses = [a.address for a in (*message.to, *message.cc)]
    for name in ("delivered-to", "x-original-to", "envelope-to"):
        addresses += [value.strip(" <>").lower() for value in message.headers.get_all(name)[:5]]
    keys = tuple(house.members)
    found = (house.ids.read_reply_address(address, keys) for address in dict.fromkeys(addresses) if "+" in address)
    return tuple(token for token in found if token is not None)


def find_thread(case: Case) -> Thread | None:
    """By token, then by Message-IDs, then by a subject tag (PROTOCOL "Reading a mail")."""
    for token in case.tokens:
        if token.proven and token.scope not in (CONFIRM, ASIDE, PROBE) and case.view.lead(token.number):
            return Thread(token.number, "the reply address", CLIENT if token.scope == CLIENT else OUR_SIDE)
    message = case.message
    for mid in (*reversed(message.in_reply_to), *reversed(message.references[-50:])):
        ours = case.house.ids.read_reference(mid)  # before `seen`: a stranger may have sent a mail under an ID of ours
        if ours is not None and case.view.lead(ours.lead):
            return Thread(ours.lead, "the mail it answers", ours.audience)
        seen = case.view.seen(mid)
        if seen is not None and seen.lead and case.view.lead(seen.lead):
            return Thread(seen.lead, "the mail it answers", seen.audience)
    return _by_subject(case)


def _by_subject(case: Case) -> Thread | None:
    """A tag like [BUN 42] is believed from a colleague, or from the client of that very lead."""
    tag = re.compile(
        rf"\[(?:{re.escape(case.house.words['BUN'])}|{re.escape(case.house.words['DOU'])})\s+(\d{{1,9}})\]", re.I
    )
    match = tag.search(case.message.subject)
    lead = case.view.lead(int(match[1])) if match else None
    if lead is None:
        return None
    if case.person or (lead.client and lead.client == case.author.address):
        return Thread(lead.id, "the number in the subject", OUR_SIDE if case.person else CLIENT)
    return None


# -- for whom it is, and who proves it --------------------------------------------------------------------------------


def lead_of_recipients(case: Case) -> Lead | None:
    recipients = {a.address for a in (*case.message.to, *case.message.cc)}
    if case.thread:
        lead = case.view.lead(case.thread.lead)
        return lead if lead and lead.client in recipients else None
    for address in recipients:
        for number in reversed(case.view.leads_of_client(address)):
            lead = case.view.lead(number)
            if lead is not None and lead.is_open:
                return lead
    return None


def proof_of(case: Case) -> Proof | None:
    evidence = Evidence(case.via_list, _is_personal(case), _is_asked(case))
    return prove(case.message, case.house, case.author.address, evidence)


def _is_personal(case: Case) -> bool:
    """Sent to this person's own reply address of the lead it is about, which nobody else has been seen to know."""
    if case.thread is None or case.view.said_once(shown_token(case.thread.lead, case.person)):
        return False
    own = Token(case.thread.lead, f"@{case.person}", True)
    return own in case.tokens


def _is_asked(case: Case) -> bool:
    """An answer to a question of the router, to the address with a secret that only this person was sent."""
    for token in case.tokens:
        if token.proven and token.scope == CONFIRM:
            held = case.view.held(token.number)
            return held is not None and bool(case.person) and case.person in (held.who, held.asked)
    return False


def shown_token(lead: int, person: str) -> str:
    """The name under which it is remembered that others know a personal reply address: it proves nothing any more."""
    return f"shown {lead} {person}"
