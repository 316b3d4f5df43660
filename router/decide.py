"""What a mail leads to.

Job: turn a `Verdict` into a `Decision`: the changed leads, the mails to send, what to remember. One handler for each
kind of mail. Core: decides everything, does nothing; the shell stores a Decision in one record and then acts on it.

May import triage, protocol, people, house, view. Reads no clock: `world.now` is an argument, and what people said
counts from when the server received it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from router import canary, happiness, protocol
from router.commands import Command
from router.house import House
from router.ids import ASIDE, CONFIRM, PROBE
from router.language import guess_language
from router.lead import Carried, Event, Lead, Status, with_event
from router.message import Address, Message
from router.people import named_skills
from router.protocol import Arrival
from router.returned import addressee
from router.triage import (
    GENERAL_VERBS,
    JUNK,
    Incoming,
    Post,
    Verdict,
    fingerprint,
    identity,
    plain_subject,
    read_words,
    says_nothing_new,
    shown_token,
)
from router.turn import Cue, Mail, World
from router.view import CLIENT_SIDE, OUR_SIDE, Aside, Held, PersonState, Seen, View

DONE, ASIDE_FOLDER, GONE, STAYS = "done", "aside", "gone", ""  # where a mail is filed, by role; gone is deleted
CONFIRMATIONS = 5  # outstanding requests to confirm per person: a flood of forgeries is no flood of mail
_FREE_MAIL = """
gmail.com googlemail.com outlook.com hotmail.com live.com msn.com yahoo.com icloud.com me.com aol.com gmx.de gmx.net
web.de t-online.de orange.fr wanadoo.fr free.fr laposte.net proton.me protonmail.com fastmail.com mail.com telia.com
bredband.net comhem.se yahoo.fr yahoo.de yahoo.es hotmail.fr hotmail.se ziggo.nl kpnmail.nl
"""
FREE_MAIL = frozenset(_FREE_MAIL.split())  # an address there says nothing about a company


@dataclass(frozen=True, slots=True)
class Decision:
    """What one mail, timer, result or request leads to. Stored whole or not at all."""

    kind: str
    reason: str = ""
    leads: tuple[Lead, ...] = ()
    mails: tuple[tuple[Mail, Lead | None], ...] = ()
    seen: Seen | None = None
    file_to: str = STAYS
    people: tuple[PersonState, ...] = ()
    held: tuple[Held, ...] = ()
    settled: tuple[int, ...] = ()  # held words that are answered
    aside: tuple[Aside, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()  # carried bytes by SHA-256
    answers: tuple[happiness.Filed, ...] = ()  # to the monthly question
    said: tuple[str, ...] = ()  # what is to be said only once, and now has been
    plus_proven: bool = False
    notes: Mapping[str, Any] | None = None  # small facts kept by name, plain JSON: calendar marks and the like

    @property
    def lead_numbers(self) -> tuple[int, ...]:
        return tuple(lead.id for lead in self.leads)


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a handler works with."""

    incoming: Incoming
    verdict: Verdict
    house: House
    view: View
    world: World
    carried: tuple[Carried, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()

    @property
    def message(self) -> Message:
        return self.incoming.message

    def lead(self) -> Lead | None:
        return self.view.lead(self.verdict.lead) if self.verdict.lead else None

    def cue(self, name: str, **more: object) -> Cue:
        base = Cue(name, self.incoming.received, self.verdict.person, message_id=self.message.message_id)
        return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


def decide(
    incoming: Incoming,
    verdict: Verdict,
    house: House,
    view: View,
    world: World,
    carried: tuple[Carried, ...] = (),
    files: tuple[tuple[str, bytes], ...] = (),
) -> Decision:
    """What this mail leads to. `carried`: the files that a new lead would carry on, with their bytes in `files`."""
    desk = Desk(incoming, verdict, house, view, world, carried, files)
    decision = HANDLERS[verdict.kind](desk)
    if verdict.kind == "duplicate" or (verdict.kind == "bulk" and incoming.place == JUNK):
        return decision
    lead = decision.leads[0].id if decision.leads else verdict.lead or 0
    # a form's mail is its sender's, whoever filled it in: a copy is known by that
    author = incoming.message.sender.address if verdict.kind == "form" else verdict.author.address
    seen = Seen(
        message_id=identity(incoming.message, author, view),
        author=author,
        date=incoming.message.headers.get("date").strip(),
        lead=lead,
        audience=_audience(verdict),
        kind=verdict.kind,
        held=decision.held[0].number if decision.held else 0,
        unproven=bool(verdict.person) and verdict.proof is None and verdict.kind in ("forged", "general"),
    )
    said = (*decision.said, *_shown_tokens(desk))
    return replace(decision, seen=seen, reason=decision.reason or verdict.reason, said=said)


def _audience(verdict: Verdict) -> str:
    """Who knows the mail besides us. What nobody has proven to be a colleague's keeps what its thread had."""
    if verdict.to_client or verdict.kind in ("request", "form", "follow-up"):
        return CLIENT_SIDE
    if verdict.proof is None and verdict.thread is not None:
        return verdict.thread.audience or CLIENT_SIDE
    return OUR_SIDE


def _shown_tokens(desk: Desk) -> tuple[str, ...]:
    """Personal reply addresses that somebody else has been seen to know: a client in copy, a reader of a forward."""
    verdict, house = desk.verdict, desk.house
    if verdict.kind in ("own", "bounce", "auto-reply"):  # a reader's own machine, whatever it calls itself
        return ()
    found = (
        house.ids.read_reply_address(each.address, tuple(house.members))
        for each in (*desk.message.to, *desk.message.cc)
        if "+" in each.address
    )
    personal = [token for token in found if token is not None and token.proven and token.scope.startswith("@")]
    theirs = [token for token in personal if verdict.to_client or token.scope != f"@{verdict.person}"]
    return tuple(shown_token(token.number, token.scope[1:]) for token in theirs)


def of_outcome(kind: str, outcome: protocol.Outcome, **more: object) -> Decision:
    base = Decision(
        kind, leads=(outcome.lead,), mails=tuple((mail, outcome.lead) for mail in outcome.mails), file_to=DONE
    )
    return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


def _advance(desk: Desk, lead: Lead, cue: Cue) -> Decision:
    return of_outcome(desk.verdict.kind, protocol.advance(lead, cue, desk.world))


def _nothing(desk: Desk, file_to: str = DONE) -> Decision:
    return Decision(desk.verdict.kind, file_to=file_to)


def _noted(desk: Desk, what: str, why: str) -> Decision:
    """Stands in the lead's history and changes nothing else."""
    lead = desk.lead()
    if lead is None:
        return _nothing(desk)
    event = Event(desk.incoming.received, what, desk.verdict.person or desk.verdict.author.address, why)
    return Decision(desk.verdict.kind, leads=(with_event(lead, event),), file_to=DONE)


# -- machines -----------------------------------------------------------------------------------------------------


def _own(desk: Desk) -> Decision:
    """What we sent to ourselves to see that it arrives has done so, unless it lies where copies of sent mail do."""
    if desk.incoming.place == "sent":
        return _nothing(desk, STAYS)
    if desk.verdict.token is not None and desk.verdict.token.scope == PROBE and desk.verdict.token.proven:
        return Decision("own", "plus addresses are delivered here", file_to=GONE, plus_proven=True)
    names = (desk.message.message_id.strip("<>").partition("@")[0], desk.message.headers.get("x-request-ref").strip())
    waiting = canary.from_doc(desk.view.note(canary.NOTE))
    if waiting.ids and not set(names).isdisjoint(waiting.ids):
        name = next(name for name in names if name in waiting.ids)
        back = waiting.came_back(name, desk.world.now)
        return Decision("own", "the canary is back", file_to=GONE, notes={canary.NOTE: canary.to_doc(back)})
    return _nothing(desk)


def _duplicate(desk: Desk) -> Decision:
    """A copy that is better proven proves the first."""
    seen = desk.verdict.seen
    held = desk.view.held(seen.held) if seen and seen.held else None
    if held is None or desk.verdict.proof is None:
        return _nothing(desk)
    return replace(_confirmed(desk, held, held.who), kind="duplicate")


def _bounce(desk: Desk) -> Decision:
    """Tied to the mail that bounced; a temporary failure is only noted."""
    verdict, house = desk.verdict, desk.house
    bounce = verdict.bounce
    lead = desk.lead()
    if bounce is None or not bounce.given_up:
        return _noted(desk, "delivery report", verdict.reason)
    addresses = [f.address for f in bounce.failed if f.permanent]
    if house.list_address and house.list_address in addresses:
        alert = Mail("alert", "operator", {"what": "list-unreachable", "detail": bounce.why})
        return replace(_noted(desk, "the list could not be reached", bounce.why), mails=((alert, None),))
    if lead is None:
        return _nothing(desk)
    why = f"{', '.join(addresses)}: {bounce.why}" if addresses else bounce.why
    readers = ["" if each == lead.client else house.people_by_address.get(each, None) for each in addresses]
    if all(reader is None for reader in readers):  # forwarded from there to an address that nobody here knows, say
        readers = [addressee(bounce.original_id, lead, house)]
    for reader in readers:
        if reader == "" or reader in (lead.owner, *lead.claimants, *lead.team):
            return _advance(desk, lead, desk.cue("unreachable", who=reader, text=why))
    return _noted(desk, "mail came back", why)


def _auto_reply(desk: Desk) -> Decision:
    return _noted(desk, "auto-reply", desk.verdict.reason)


def _bulk(desk: Desk) -> Decision:
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


# -- requests -----------------------------------------------------------------------------------------------------


def request_text(message: Message) -> str:
    """What a client asks for, in their words; never empty: what cannot be read is carried and said so."""
    text = message.text.strip()
    if message.note:
        text = f"{text}\n\n[{message.note}]".strip()
    return text or "(see the original)"


def _request(desk: Desk) -> Decision:
    verdict, message = desk.verdict, desk.message
    client, subject = verdict.author, plain_subject(message.subject)
    twin = _twin(desk, client.address, subject, message.text)
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
        linked=linked or _linked(desk, client.address),
        last_owner=last_owner,
    )
    return of_outcome(desk.verdict.kind, protocol.open_lead(arrival, desk.world), files=desk.files)


def _first_words(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line[:60] + ("…" if len(line) > 60 else "")


def _twin(desk: Desk, client: str, subject: str, text: str, forwarder: str = "") -> Lead | None:
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


def _linked(desk: Desk, client: str) -> tuple[int, ...]:
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
        return _advance(desk, lead, desk.cue("joined", who="", line=subject, text=text, **named))
    cue = desk.cue("client writes", who="", text=text[: 64 * 1024], line=text[:80], carried=desk.carried)
    return replace(_advance(desk, lead, cue), files=desk.files)


def _begun_anew(desk: Desk, old: Lead) -> Lead | None:
    """The open lead that this client's mail on an old thread has led to already."""
    addresses = {desk.verdict.author.address, old.client} - {""}
    numbers = sorted({number for address in addresses for number in desk.view.leads_of_client(address)})
    for number in reversed(numbers):
        lead = desk.view.lead(number)
        if lead is not None and lead.is_open and old.id in lead.linked and lead.opened > (old.ended_at or old.opened):
            return lead
    return None


def _follow_up(desk: Desk) -> Decision:
    lead = desk.lead()
    if lead is None:
        return _request(desk)
    reply = desk.verdict.reply
    text = (reply.text if reply and reply.text.strip() else desk.message.text).strip()
    if protocol.starts_anew(lead, desk.world):
        subject = plain_subject(desk.message.subject)
        anew = _begun_anew(desk, lead)
        if anew is not None:
            return _write_again(desk, anew, subject, text)
        return _open(desk, desk.verdict.author, subject, text, source="mail", linked=(lead.id,), last_owner=lead.owner)
    cue = desk.cue("client writes", who="", text=text[: 64 * 1024], line=text[:80], carried=desk.carried)
    return replace(_advance(desk, lead, cue), files=desk.files)


# -- colleagues -----------------------------------------------------------------------------------------------------


def _reply(desk: Desk) -> Decision:
    lead, verdict = desk.lead(), desk.verdict
    if lead is None:
        return _general(desk)
    if verdict.to_client:
        who = verdict.person or desk.world.keeper
        text = verdict.reply.text if verdict.reply else ""
        place = STAYS if desk.incoming.place == "sent" else DONE
        return replace(_advance(desk, lead, desk.cue("person writes", who=who, text=text)), file_to=place)
    command = verdict.reading.command if verdict.reading else None
    if command is None or command.verb == "yes":  # a yes to what? only a request to confirm asks for one
        return _no_command(desk, lead)
    if command.verb in GENERAL_VERBS:
        return _general(desk)
    return _advance(desk, lead, cue_of(desk, command))


def cue_of(desk: Desk, command: Command) -> Cue:
    return desk.cue(
        command.verb,
        line=command.line[:200],
        text=command.text,
        named=command.who,
        unknown=command.unknown,
        until=command.until,
    )


_ONLY_ADDRESS = re.compile(
    r"^\s*(?:client|kund|kunde|cliente|klant|from)?\s*:?\s*(?:mailto:)?<?([^\s<>,;:\"]{1,64}@[^\s<>,;:\"]{3,250})>?\s*\.?\s*$",
    re.I,
)


def _no_command(desk: Desk, lead: Lead) -> Decision:
    """Conversation: recorded, passed on to the owner, and answered to its writer alone with the words that work."""
    verdict = desk.verdict
    text = verdict.reply.text.strip() if verdict.reply else ""
    line = verdict.reading.line[:200] if verdict.reading else ""
    if verdict.via_list:
        return _half_claim_on_list(desk, lead, line)
    corrected = _corrected_address(desk, lead, text)
    if corrected:
        return _advance(desk, lead, desk.cue("correct", text=corrected))
    return _talk(desk, lead, desk.cue("word", line=line, text=text))


def _talk(desk: Desk, lead: Lead, cue: Cue) -> Decision:
    lead = protocol.advance(lead, cue, desk.world).lead
    alone = cue.who in (lead.owner, *lead.team)
    mails = [Mail("not-seen" if alone else "unclear", f"@{cue.who}", {"line": cue.line}, _count(lead, "unclear"))]
    if not alone and cue.text and lead.is_open:
        facts = {"text": cue.text, "name": desk.world.name(cue.who)}
        mails.append(Mail("talk", f"@{lead.owner}", facts, _count(lead, "unclear")))
    lead = _counted(lead, "unclear")
    return Decision(desk.verdict.kind, leads=(lead,), mails=tuple((mail, lead) for mail in mails), file_to=DONE)


def _corrected_address(desk: Desk, lead: Lead, text: str) -> str:
    """The client's address that somebody who may know it names, and nothing else; "" where there is none.

    May know it: who brought the lead; and its owner, where we have no address or mail to it came back.
    """
    match, who = _ONLY_ADDRESS.match(text.partition("\n")[0]), desk.verdict.person
    if match is None or match[1].lower() in _ours(desk):
        return ""
    came_back = any(event.what == "mail came back" for event in lead.events) or f"unreachable @{who}" in lead.counts
    asked = not lead.client or came_back
    return match[1].lower() if who == lead.own or (asked and who in (lead.owner, *lead.team)) else ""


def _ours(desk: Desk) -> frozenset[str]:
    house = desk.house
    return frozenset((*house.own_addresses, house.list_address, *house.people_by_address))


def _count(lead: Lead, slot: str) -> int:
    return lead.counts.get(slot, 0) + 1


def _counted(lead: Lead, slot: str) -> Lead:
    return replace(lead, counts={**lead.counts, slot: _count(lead, slot)})


def _half_claim_on_list(desk: Desk, lead: Lead, line: str) -> Decision:
    """A half-claim on the list is answered privately, once; chat is left alone."""
    verdict = desk.verdict
    once = f"half {lead.id} {verdict.person}"
    if verdict.reading is None or not verdict.reading.half or desk.view.said_once(once):
        return _noted(desk, "talk on the list", line)
    decision = _noted(desk, "half a claim on the list", line)
    mail = Mail("unclear", f"@{verdict.person}", {"line": line}, _count(lead, "unclear"))
    changed = _counted(decision.leads[0], "unclear")
    return replace(decision, leads=(changed,), mails=((mail, changed),), said=(once,))


def _forward(desk: Desk) -> Decision:
    """A consultant brings a client's mail: the client is the original sender, shown for correction."""
    verdict, house = desk.verdict, desk.house
    forward = verdict.forward
    if forward is None:
        return _post(desk)
    client = forward.client or Address("", "")
    if client.address in (house.address, house.list_address) or client.address in house.people_by_address:
        client = Address("", "")
    subject = plain_subject(verdict.post.subject if verdict.post else forward.subject or desk.message.subject)
    text = forward.text.strip() or request_text(desk.message)
    return _brought(desk, client, subject, text, uncertain=not forward.certain)


def _post(desk: Desk) -> Decision:
    """A BUN or DOU post, from a phone call, say: who the client is stands in the text, or nowhere."""
    verdict = desk.verdict
    text = (verdict.reply.text if verdict.reply else "") or request_text(desk.message)
    subject = verdict.post.subject if verdict.post else plain_subject(desk.message.subject)
    return _brought(desk, Address("", _client_named(desk, text)), subject, text, uncertain=True)


def _client_named(desk: Desk, text: str) -> str:
    """The only address in a text that is none of ours, "" where there is none or several."""
    known = _ours(desk)
    addresses = [a.lower() for a in re.findall(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}", text[:20000])]
    others = list(dict.fromkeys(a.rstrip(".") for a in addresses if a.rstrip(".") not in known))
    return others[0] if len(others) == 1 else ""


def _brought(desk: Desk, client: Address, subject: str, text: str, uncertain: bool) -> Decision:
    verdict = desk.verdict
    twin = _twin(desk, client.address, subject, text, forwarder=verdict.person)
    if twin is not None:
        spoken = guess_language(desk.message, desk.house.languages, text)
        named = {"client": client.address, "client_name": client.name, "language": spoken}
        return _advance(desk, twin, desk.cue("joined", line=subject, text=text, **named))
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


# -- words about no bun in particular ---------------------------------------------------------------------------------


def _general(desk: Desk) -> Decision:
    verdict = desk.verdict
    if verdict.chat:
        return _nothing(desk, STAYS if desk.incoming.place != "inbox" else DONE)
    token = verdict.token if verdict.token and verdict.token.proven else None
    command = verdict.reading.command if verdict.reading else None
    if token is not None and token.scope == CONFIRM:
        return _answer_to_question(desk, token.number)
    answer = _answer_on_happiness(desk)
    if answer is not None:
        return Decision(verdict.kind, "an answer to the monthly question", answers=(answer,), file_to=DONE)
    aside = _aside_meant(desk, command, token.number if token and token.scope == ASIDE else 0)
    if aside is not None:
        return _request_from_aside(desk, aside)
    if command is not None and command.verb in _GENERAL:
        return _GENERAL[command.verb](desk, command)
    return _help(desk, command)


def _answer_on_happiness(desk: Desk) -> happiness.Filed | None:
    """A number and a line in answer to the monthly question; kept named or anonymous, and not acknowledged."""
    verdict, message = desk.verdict, desk.message
    if desk.house.happiness == "off" or verdict.reply is None:
        return None
    asked = (*message.in_reply_to, *message.references)
    month = happiness.month_asked(asked, verdict.person, desk.incoming.received, desk.house)
    answer = happiness.read_answer(verdict.reply.text) if month else None
    return happiness.file_answer(answer, verdict.person, month, desk.house) if answer else None


def _mail_back(desk: Desk, mail: Mail, **more: object) -> Decision:
    mail = replace(mail, facts={**mail.facts, "slot": desk.message.message_id})
    base = Decision(desk.verdict.kind, mails=((mail, desk.lead()),), file_to=DONE)
    return replace(base, **more)  # type: ignore[arg-type]  # names are checked by the dataclass itself


def _help(desk: Desk, command: Command | None) -> Decision:
    line = desk.verdict.reading.line[:200] if desk.verdict.reading and command is None else ""
    return _mail_back(desk, Mail("help", f"@{desk.verdict.person}", {"line": line}))


def _status(desk: Desk, command: Command) -> Decision:
    leads = tuple(sorted(desk.view.open_leads(), key=lambda lead: lead.id))
    mine = tuple(lead.id for lead in leads if desk.verdict.person in (lead.owner, *lead.team, *lead.claimants))
    facts = {"leads": leads, "mine": mine, "silenced": tuple(desk.view.note("silenced") or ())}
    return _mail_back(desk, Mail("status", f"@{desk.verdict.person}", facts))


def _state(desk: Desk) -> PersonState:
    key = desk.verdict.person
    return desk.view.people_states().get(key) or PersonState(key)


def _away(desk: Desk, command: Command) -> Decision:
    if command.until is None:
        return _help(desk, None)
    state = replace(_state(desk), away_until=command.until, back=False)
    receipt = Mail("receipt", f"@{desk.verdict.person}", {"what": "away", "line": command.line, "until": command.until})
    return _absence_changed(desk, state, receipt)


def _back(desk: Desk, command: Command) -> Decision:
    today = desk.world.now.astimezone(desk.house.calendar.zone).date()
    state = replace(_state(desk), away_until=None, back=True, available_since=today)
    receipt = Mail("receipt", f"@{desk.verdict.person}", {"what": "back", "line": command.line})
    return _absence_changed(desk, state, receipt)


def _absence_changed(desk: Desk, state: PersonState, receipt: Mail) -> Decision:
    """Who may claim has changed, so every open window is looked at again."""
    away = state.away_until is not None
    people = {**desk.world.people}
    person = people.get(state.key)
    if person is not None:
        people[state.key] = replace(person, away=away, away_until=state.away_until)
    world = replace(desk.world, people=people)
    leads, mails = [], []
    for lead in desk.view.open_leads():
        if lead.status == Status.OFFERED:
            outcome = protocol.advance(lead, Cue("early", desk.world.now), world)
            if outcome.lead != lead:
                leads.append(outcome.lead)
                mails += [(mail, outcome.lead) for mail in outcome.mails]
    answer = _mail_back(desk, receipt)
    return replace(answer, people=(state,), leads=tuple(leads), mails=(*answer.mails, *mails))


def _skills(desk: Desk, command: Command) -> Decision:
    state = replace(_state(desk), skills=command.skills)
    facts = {"what": "skills", "line": command.line, "skills": command.skills}
    return _mail_back(desk, Mail("receipt", f"@{desk.verdict.person}", facts), people=(state,))


_GENERAL: Mapping[str, Callable[[Desk, Command], Decision]] = {
    "status": _status,
    "list": _status,
    "help": lambda desk, command: _help(desk, command),
    "away": _away,
    "back": _back,
    "skills": _skills,
}


def _aside_meant(desk: Desk, command: Command | None, number: int) -> Aside | None:
    """The mail set aside that "bun" is said of: by the reply address, or by its number ("bun 17")."""
    if command is None or command.verb != "bun":
        return None
    digits = re.search(r"\b(\d{1,9})\b", f"{command.line} {command.text}")
    return desk.view.aside(number or (int(digits[1]) if digits else 0))


def _request_from_aside(desk: Desk, aside: Aside) -> Decision:
    arrival = Arrival(
        id=desk.view.next_number("leads"),
        at=desk.incoming.received,
        subject=plain_subject(aside.subject),
        text=aside.text,
        client=aside.sender,
        client_name=aside.name,
        language=aside.language,
        message_id=aside.message_id,
        skills=named_skills(aside.subject + " " + aside.text, desk.house, desk.view.people_states()),
        linked=_linked(desk, aside.sender),
    )
    return of_outcome("general", protocol.open_lead(arrival, desk.world))


# -- words that nobody has proven ----------------------------------------------------------------------------------


def _forged(desk: Desk) -> Decision:
    """Nothing is done yet: the address on the roster is asked, with a secret; a stranger is shown to the keeper."""
    verdict = desk.verdict
    command = verdict.reading.command if verdict.reading else None
    talk = verdict.stranger and verdict.reply is not None and bool(verdict.reply.text.strip())
    if command is None and verdict.forward is None and verdict.post is None and not talk:
        return _set_aside(desk, verdict.reason)
    waiting = [h for h in desk.view.held_for(0) if h.who == verdict.person and h.expires > desk.world.now]
    out = _claim_asked_about(desk, command, waiting)
    if out is not None:
        again = _noted(desk, f"“{out.line}” waits to be confirmed", "the question is out already")
        expires = desk.world.after(desk.world.now, desk.house.confirm_for)
        return replace(again, kind="forged", held=(replace(out, expires=expires),))
    if len(waiting) >= CONFIRMATIONS:
        return _set_aside(desk, f"{verdict.reason}; {len(waiting)} words from there wait to be confirmed already")
    held = _hold(desk, command)
    facts = {
        "line": held.line or held.subject,
        "received": held.at,
        "sender": verdict.author.address,
        "number": held.number,
        "reply_to": (desk.house.ids.reply_address(held.number, CONFIRM),),
        "slot": held.number,
    }
    asked = held.who or held.asked
    mail = Mail("one-of-us" if verdict.stranger else "confirm", f"@{asked}" if asked else "list", facts)
    lead = desk.lead()
    changed: tuple[Lead, ...] = ()
    if lead is not None:
        what = f"“{held.line}” waits to be confirmed"
        lead = with_event(lead, Event(desk.incoming.received, what, verdict.author.address, verdict.reason))
        if held.verb == "claim" and lead.status == Status.OFFERED:
            wait = desk.world.after(desk.incoming.received, desk.house.confirm_wait)
            lead = replace(lead, hold_until=max(lead.hold_until or wait, wait))
        changed = (lead,)
    return Decision("forged", leads=changed, mails=((mail, lead),), held=(held,), file_to=DONE)


def _claim_asked_about(desk: Desk, command: Command | None, waiting: Sequence[Held]) -> Held | None:
    """The same claim that is being asked about already: forged ones must not use up the questions for the true one."""
    lead = desk.lead()
    if command is None or command.verb != "claim" or lead is None or lead.status != Status.OFFERED:
        return None
    since = lead.offered_at or lead.opened
    sender = desk.verdict.author.address
    same = (h for h in waiting if h.verb == "claim" and h.lead == lead.id and h.at >= since)
    return next((h for h in same if h.who or h.sender == sender), None)


def _set_aside(desk: Desk, reason: str) -> Decision:
    return replace(_bulk(desk), kind="forged", reason=reason)


def _hold(desk: Desk, command: Command | None) -> Held:
    verdict, received = desk.verdict, desk.incoming.received
    forward = verdict.forward
    base = Held(
        number=desk.view.next_number("held"),
        lead=verdict.lead or 0,
        who=verdict.person,
        at=received,
        expires=desk.world.after(desk.world.now, desk.house.confirm_for),
        verb="forward",
        line="",
        message_id=desk.message.message_id,
        asked=desk.world.keeper if verdict.stranger else "",
    )
    if forward is not None and (command is None or verdict.post is not None):
        sender = forward.client.address if forward.client else ""
        return replace(base, text=forward.text, sender=sender, subject=forward.subject)
    if verdict.post is not None:
        text = (verdict.reply.text if verdict.reply else "") or request_text(desk.message)
        verb = "post dough" if verdict.post.dough else "post"
        return replace(base, verb=verb, text=text, sender=_client_named(desk, text), subject=verdict.post.subject)
    base = replace(base, sender=verdict.author.address, subject=desk.message.subject)
    if command is None:
        text = verdict.reply.text.strip() if verdict.reply else ""
        return replace(base, verb="word", line=" ".join(text.split())[:400], text=text[: 64 * 1024])
    return replace(
        base,
        verb=command.verb,
        line=command.line[:200],
        text=command.text,
        named=command.who,
        unknown=command.unknown,
        until=command.until,
    )


def _answer_to_question(desk: Desk, number: int) -> Decision:
    """A clear yes with the secret, once, before it expires, never from an auto-reply (PROTOCOL "Trust")."""
    held, verdict = desk.view.held(number), desk.verdict
    command = verdict.reading.command if verdict.reading else None
    if held is None or held.expires < desk.world.now:
        return _help(desk, None)
    if held.who:
        if verdict.person != held.who or command is None or command.verb != "yes":
            return _help(desk, None)
        return _confirmed(desk, held, held.who)
    named = _person_named(desk)
    if verdict.person not in (desk.world.keeper, held.asked or verdict.person) or not named:
        return _help(desk, None)
    return _confirmed(desk, held, named)


def _person_named(desk: Desk) -> str:
    """Whom the keeper names in an answer to "one of us?": "yes, Anna", "Anna"."""
    command = desk.verdict.reading.command if desk.verdict.reading else None
    if command is not None and len(command.who) == 1:
        return command.who[0]
    text = desk.verdict.reply.text.lower() if desk.verdict.reply else ""
    words = set(re.findall(r"\w+", text[:300]))
    found = [m.key for m in desk.house.members.values() if words & {m.key.lower(), *m.name.lower().split()}]
    return found[0] if len(found) == 1 else ""


def _confirmed(desk: Desk, held: Held, who: str) -> Decision:
    """The held word counts from the moment it first came in."""
    cue = Cue(
        held.verb,
        held.at,
        who,
        held.line,
        held.text,
        held.named,
        held.unknown,
        held.until,
        held.message_id,
        confirmed=True,
    )
    if held.verb in ("forward", "post", "post dough"):
        post = Post(held.subject, dough=True) if held.verb == "post dough" else None
        verdict = replace(desk.verdict, person=who, kind=held.verb.split()[0], via_list=False, post=post)
        opened = _brought(
            replace(desk, verdict=verdict), Address("", held.sender), plain_subject(held.subject), held.text, True
        )
        return replace(opened, settled=(held.number,))
    if held.verb in _GENERAL:
        command = read_words(held.line, desk.house, held.at).command
        mine = replace(desk, verdict=replace(desk.verdict, person=who))
        return replace(_GENERAL[held.verb](mine, command or Command(held.verb, held.line)), settled=(held.number,))
    lead = desk.view.lead(held.lead) if held.lead else None
    if lead is None:
        return Decision(desk.verdict.kind, file_to=DONE, settled=(held.number,))
    if held.verb == "word":
        return replace(_talk(desk, lead, cue), settled=(held.number,))
    others = [h for h in desk.view.held_for(lead.id) if h.number != held.number and h.verb == "claim"]
    lead = lead if others else replace(lead, hold_until=None)
    outcome = protocol.advance(lead, cue, desk.world)
    return of_outcome(desk.verdict.kind, outcome, settled=(held.number,))


HANDLERS: Mapping[str, Callable[[Desk], Decision]] = {
    "own": _own,
    "duplicate": _duplicate,
    "form": _request,
    "request": _request,
    "bounce": _bounce,
    "auto-reply": _auto_reply,
    "reply": _reply,
    "forward": _forward,
    "post": _post,
    "general": _general,
    "forged": _forged,
    "follow-up": _follow_up,
    "bulk": _bulk,
}
