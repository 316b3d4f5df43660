"""A mail that brings a request: how it becomes a lead, or joins one.

Job: the handlers of clients' requests and follow-ups, of colleagues' forwards and posts, and of bulk that is set aside.
Core: decides everything, does nothing.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from router import protocol
from router.decision import ASIDE_FOLDER, Decision, Desk, advance_lead, of_outcome, ours
from router.language import guess_language
from router.lead import Lead
from router.message import Address, Message
from router.people import named_skills
from router.protocol import Arrival
from router.sameness import fingerprint, plain_subject, says_nothing_new
from router.verdict import JUNK
from router.view import Aside

_FREE_MAIL = """
gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com icloud.com me.com aol.com gmx.de gmx.net
web.de t-online.de orange.fr wanadoo.fr free.fr laposte.net proton.me protonmail.com fastmail.com mail.com telia.com
bredband.net comhem.se yahoo.fr yahoo.de yahoo.es hotmail.fr hotmail.se ziggo.nl kpnmail.nl
"""


FREE_MAIL = frozenset(_FREE_MAIL.split())  # an address there says nothing about a company


def set_bulk_aside(desk: Desk) -> Decision:
    """Set aside and listed to the keeper; what the server itself took for junk is only counted."""
    verdict, message = desk.verdict, desk.message
    if desk.incoming.place == JUNK:
        return Decision("bulk", notes={"junk": int(desk.view.note("junk") or 0) + 1})
    number = desk.view.next_number("aside")
    text = message.text[:8000]
    aside = Aside(
        number,
        desk.incoming.received,
        verdict.author.address,
        verdict.author.name,
        message.subject,
        text,
        verdict.reason,
        message.message_id,
        language=guess_language(message, desk.house.languages),
    )
    return Decision("bulk", aside=(aside,), file_to=ASIDE_FOLDER)


def request_text(message: Message) -> str:
    """What a client asks for, in their words; never empty: what cannot be read is carried and said so."""
    text = message.text.strip()
    if message.note:
        text = f"{text}\n\n[{message.note}]".strip()
    return text or "(see the original)"


def take_request(desk: Desk) -> Decision:
    verdict, message = desk.verdict, desk.message
    client, subject = verdict.author, plain_subject(message.subject)
    twin = find_twin(desk, client.address, subject, message.text)
    if twin is not None:
        return _write_again(desk, twin, subject, request_text(message))
    form_letter = verdict.reason if verdict.kind == "request" and verdict.reason != _PLAIN_REQUEST else ""
    return _open(desk, client, subject, request_text(message), source=verdict.kind, form_letter=form_letter)


_PLAIN_REQUEST = "from a person who is not on the roster"


def _open(
    desk: Desk,
    client: Address,
    subject: str,
    text: str,
    *,
    source: str,
    forwarder: str = "",
    dough: bool = False,
    form_letter: str = "",
    uncertain: bool = False,
    linked: tuple[int, ...] = (),
    last_owner: str = "",
) -> Decision:
    house, message = desk.house, desk.message
    arrival = Arrival(
        id=desk.view.next_number("leads"),
        at=desk.incoming.received,
        subject=subject or _first_words(text),
        text=text[: 64 * 1024],
        client=client.address,
        client_name=client.name,
        language=guess_language(message, house.languages, text),
        message_id=message.message_id,
        source=source,
        forwarder=forwarder,
        on_list=desk.verdict.via_list and bool(forwarder),
        dough=dough,
        form_letter=form_letter,
        note=message.note,
        uncertain=uncertain,
        skills=named_skills(f"{subject} {text}", house, desk.view.people_states()),
        carried=desk.carried,
        linked=linked or linked_leads(desk, client.address),
        last_owner=last_owner,
    )
    return of_outcome(desk.verdict.kind, protocol.open_lead(arrival, desk.world), files=desk.files)


def _first_words(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line[:60] + ("…" if len(line) > 60 else "")


def find_twin(desk: Desk, client: str, subject: str, text: str, forwarder: str = "") -> Lead | None:
    """The open lead that this one doubles: the same client and subject, or the same text by another way."""
    view = desk.view
    for number in reversed(view.leads_of_client(client) if client else ()):
        lead = view.lead(number)
        if lead is not None and lead.is_open and subject and plain_subject(lead.subject).lower() == subject.lower():
            return lead
    mark = fingerprint(text)
    double = view.lead_with_text(mark) if mark else None
    twin = view.lead(double) if double else None
    if twin is None or not twin.is_open:
        return None
    # Two clients who send the same words are two clients: neither may be left in silence.
    return twin if forwarder or not client or not twin.client or twin.client == client else None


def linked_leads(desk: Desk, client: str) -> tuple[int, ...]:
    """Other leads of this client, or of another person of that company, for the offer to name."""
    domain = client.rpartition("@")[2]
    numbers = list(desk.view.leads_of_client(client)) if client else []
    if domain and domain not in FREE_MAIL:
        numbers += desk.view.leads_at_domain(domain)
    recent = []
    for number in sorted(set(numbers))[-8:]:
        lead = desk.view.lead(number)
        if lead is not None and (lead.is_open or desk.world.now - (lead.ended_at or lead.opened) < timedelta(days=365)):
            recent.append(number)
    return tuple(recent[-3:])


def _write_again(desk: Desk, lead: Lead, subject: str, text: str) -> Decision:
    """A client's further mail about an open lead: the same request once more, or news for whoever has it."""
    author = desk.verdict.author
    known = (lead.text, *(letter.text for letter in lead.letters if letter.who == "client"))
    if not lead.client or says_nothing_new(text, known):
        spoken = guess_language(desk.message, desk.house.languages, text)
        named = {"client": author.address, "client_name": author.name, "language": spoken}
        return advance_lead(desk, lead, desk.cue("joined", who="", line=subject, text=text, **named))
    cue = desk.cue("client writes", who="", text=text[: 64 * 1024], line=text[:80], carried=desk.carried)
    return replace(advance_lead(desk, lead, cue), files=desk.files)


def _begun_anew(desk: Desk, old: Lead) -> Lead | None:
    """The open lead that this client's mail on an old thread has led to already."""
    addresses = {desk.verdict.author.address, old.client} - {""}
    numbers = sorted({number for address in addresses for number in desk.view.leads_of_client(address)})
    for number in reversed(numbers):
        lead = desk.view.lead(number)
        if lead is not None and lead.is_open and old.id in lead.linked and lead.opened > (old.ended_at or old.opened):
            return lead
    return None


def take_follow_up(desk: Desk) -> Decision:
    lead = desk.lead()
    if lead is None:
        return take_request(desk)
    reply = desk.verdict.reply
    text = (reply.text if reply and reply.text.strip() else desk.message.text).strip()
    if protocol.starts_anew(lead, desk.world):
        subject = plain_subject(desk.message.subject)
        anew = _begun_anew(desk, lead)
        if anew is not None:
            return _write_again(desk, anew, subject, text)
        return _open(desk, desk.verdict.author, subject, text, source="mail", linked=(lead.id,), last_owner=lead.owner)
    cue = desk.cue("client writes", who="", text=text[: 64 * 1024], line=text[:80], carried=desk.carried)
    return replace(advance_lead(desk, lead, cue), files=desk.files)


def take_forward(desk: Desk) -> Decision:
    """A consultant brings a client's mail: the client is the original sender, shown for correction."""
    verdict, house = desk.verdict, desk.house
    forward = verdict.forward
    if forward is None:
        return take_post(desk)
    client = forward.client or Address("", "")
    if client.address in (house.address, house.list_address) or client.address in house.people_by_address:
        client = Address("", "")
    subject = plain_subject(verdict.post.subject if verdict.post else forward.subject or desk.message.subject)
    text = forward.text.strip() or request_text(desk.message)
    return brought_by_colleague(desk, client, subject, text, uncertain=not forward.certain)


def take_post(desk: Desk) -> Decision:
    """A BUN or DOU post, from a phone call, say: who the client is stands in the text, or nowhere."""
    verdict = desk.verdict
    text = (verdict.reply.text if verdict.reply else "") or request_text(desk.message)
    subject = verdict.post.subject if verdict.post else plain_subject(desk.message.subject)
    return brought_by_colleague(desk, Address("", client_named(desk, text)), subject, text, uncertain=True)


def client_named(desk: Desk, text: str) -> str:
    """The only address in a text that is none of ours, "" where there is none or several."""
    known = ours(desk)
    addresses = [a.lower() for a in re.findall(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}", text[:20000])]
    others = list(dict.fromkeys(a.rstrip(".") for a in addresses if a.rstrip(".") not in known))
    return others[0] if len(others) == 1 else ""


def brought_by_colleague(desk: Desk, client: Address, subject: str, text: str, uncertain: bool) -> Decision:
    verdict = desk.verdict
    twin = find_twin(desk, client.address, subject, text, forwarder=verdict.person)
    if twin is not None:
        spoken = guess_language(desk.message, desk.house.languages, text)
        named = {"client": client.address, "client_name": client.name, "language": spoken}
        return advance_lead(desk, twin, desk.cue("joined", line=subject, text=text, **named))
    dough = verdict.post is not None and verdict.post.dough
    return _open(
        desk,
        client,
        subject,
        text,
        source=verdict.kind,
        forwarder=verdict.person,
        dough=dough,
        uncertain=uncertain,
    )


def set_aside(desk: Desk, reason: str) -> Decision:
    return replace(set_bulk_aside(desk), kind="forged", reason=reason)
