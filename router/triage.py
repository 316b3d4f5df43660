"""What is this mail, and which lead is it about?

Job: PROTOCOL "Reading a mail: first match wins". `CHECKS` is that list: small named checks, whose order is the policy.
Each looks at one mail and answers a `Verdict` or None. Core: decides nothing about leads, does nothing.

May import the reading rooms (message, reply, commands, forward, machines, trust), house, ids, view.
Invariants: a client never reaches a command; a robot never gets a verdict that is answered; nobody on the roster is
read as a command unless proven.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from router.commands import Reading, read_command
from router.forward import Forward, read_forward
from router.house import House
from router.ids import ASIDE, CLIENT, CONFIRM, PROBE, Token
from router.lead import Lead
from router.machines import Bounce, auto_reply_reason, bulk_reason, form_letter_reason, read_bounce
from router.message import Address, Message
from router.reply import Reply, read_reply
from router.trust import Evidence, Proof, is_refuted, prove
from router.view import OUR_SIDE, Seen, View

INBOX, SENT, JUNK = "inbox", "sent", "junk"
GENERAL_VERBS = frozenset({"status", "list", "help", "away", "back", "skills", "yes"})


NOBODY = Address("", "")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail as it was met: what it says, when the server received it, and where."""

    message: Message
    received: datetime
    place: str = INBOX  # inbox, sent, junk
    as_reply: bool = False  # `explain --in-reply-to-offer`


@dataclass(frozen=True, slots=True)
class Thread:
    """The lead that a mail belongs to, and how that was found out."""

    lead: int
    how: str
    audience: str = ""  # who had seen the mail that this one answers


@dataclass(frozen=True, slots=True)
class Post:
    """A BUN or DOU post by a colleague."""

    subject: str
    dough: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a mail is. `kind` is one of ARCHITECTURE's names; `reason` is for people."""

    kind: str
    reason: str
    author: Address = NOBODY
    person: str = ""  # roster key, when the author is on it
    lead: int | None = None
    thread: Thread | None = None
    token: Token | None = None
    proof: Proof | None = None
    via_list: bool = False
    reply: Reply | None = None
    reading: Reading | None = None
    forward: Forward | None = None
    post: Post | None = None
    bounce: Bounce | None = None
    to_client: bool = False  # the client is among its recipients
    stranger: bool = False  # on a thread that only colleagues have seen
    chat: bool = False  # talk on the list, left alone
    seen: Seen | None = None


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


def triage(incoming: Incoming, house: House, view: View) -> Verdict:
    """What `incoming` is: the first check that answers."""
    case = _open(incoming, house, view)
    for check in CHECKS:
        verdict = check(case)
        if verdict is not None:
            return verdict
    raise AssertionError("the last check always answers")  # pragma: no cover


# -- laying the mail on the table -----------------------------------------------------------------------------------


def _open(incoming: Incoming, house: House, view: View) -> Case:
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
    others = [each for each in message.reply_to if each.address not in ours and not _is_token(each.address, house)]
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


def _is_token(address: str, house: House) -> bool:
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


# -- the checks, in PROTOCOL's order --------------------------------------------------------------------------------


def is_own(case: Case) -> Verdict | None:
    """Sent by this router: a Message-ID or loop header whose code is ours, in a mail that says it comes from us."""
    message, house = case.message, case.house
    from_us = message.sender.address in (*house.own_addresses, house.list_address) or case.via_list
    if not from_us or message.from_ambiguous:
        return None
    for value in (message.message_id, message.headers.get("x-request-ref").strip()):
        ours = house.ids.read_reference(value)
        if ours is not None and ours.audience == CLIENT and not case.via_list and is_refuted(message, house):
            continue  # any client can copy the code of a mail to them
        if ours is not None:
            return case.verdict("own", "sent by this router", lead=ours.lead or None)
    if any(token.scope == PROBE and token.proven for token in case.tokens):
        return case.verdict("own", "the router's own probe")
    return None


def is_duplicate(case: Case) -> Verdict | None:
    """A Message-ID already handled, with the same author and Date; lists change the rest."""
    seen = case.view.seen(identity(case.message, case.author.address, case.view))
    if seen is None or not seen.kind or not _is_same(seen, case.message, case.author.address):
        return None
    better = _proof(case) if case.person and (seen.held or seen.unproven) else None
    if better is not None and not seen.held:
        return None  # nothing was done about the copy that came first, since nobody knew who had written it
    return case.verdict("duplicate", "this mail was handled before", seen=seen, proof=better, lead=seen.lead or None)


def _is_same(seen: Seen, message: Message, author: str) -> bool:
    return seen.author == author and seen.date == message.headers.get("date").strip()


def is_form(case: Case) -> Verdict | None:
    """A website form: the client is the Reply-To or a labelled address in the text."""
    message, house = case.message, case.house
    if message.sender.address not in house.forms:
        return None
    known = {*house.own_addresses, house.list_address, *house.forms}
    others = [a for a in message.reply_to if a.address and a.address not in known]
    client = others[0] if others else _labelled_client(message.text, known)
    return case.verdict("form", "from a website form named in the configuration", author=client, person="")


_LABELLED = re.compile(
    r"^\s*[*_]*(?:e-?mail|e-?post|mejl|courriel|correo|mail|from|från|von|de|van|reply-?to)[^:\n]{0,20}:[*_\s]*"
    r"(?:mailto:)?<?([^\s<>,;:\"|]+@[^\s<>,;:\"|]+\.[a-z]{2,})",
    re.IGNORECASE,
)
_LABELLED_NAME = re.compile(
    r"^\s*[*_]*(?:your name|full name|name|namn|nom|nombre|naam)[*_]*\s*:[*_\s]*(\S.{0,80})$", re.I
)


def _labelled_client(text: str, known: set[str]) -> Address:
    name = ""
    for line in text.splitlines()[:400]:
        line = line[:300]
        named = _LABELLED_NAME.match(line)
        name = name or (named[1].strip() if named else "")
        match = _LABELLED.match(line)
        if match and match[1].lower() not in known:
            return Address(name, match[1].lower())
    return Address(name, "")


def is_bounce(case: Case) -> Verdict | None:
    bounce = read_bounce(case.message)
    if bounce is None:
        return None
    ours = case.house.ids.read_reference(bounce.original_id) if bounce.original_id else None
    lead = (ours.lead if ours else 0) or (case.thread.lead if case.thread else None)
    return case.verdict("bounce", bounce.why, bounce=bounce, lead=lead)


def is_auto_reply(case: Case) -> Verdict | None:
    reason = auto_reply_reason(case.message)
    return case.verdict("auto-reply", reason) if reason else None


def is_in_sent_folder(case: Case) -> Verdict | None:
    """The Sent folder holds what people write from the shared mailbox: word to a client, or nothing to us."""
    if case.incoming.place != SENT:
        return None
    lead = _lead_of_recipients(case)
    if lead is not None:
        return case.verdict("reply", "a person wrote to the client", to_client=True, lead=lead.id, reply=_reply(case))
    return case.verdict("own", "sent by a person from the shared mailbox")


def _lead_of_recipients(case: Case) -> Lead | None:
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


def is_junk(case: Case) -> Verdict | None:
    """In Junk only proven consultants and threads with a token are read; the rest is counted for the keeper."""
    if case.incoming.place != JUNK:
        return None
    token = case.token is not None and case.token.proven
    proven = case.person and _proof(case) is not None
    return None if token or proven else case.verdict("bulk", "in the Junk folder")


def is_consultant(case: Case) -> Verdict | None:
    """On the roster and proven: a reply, a forward, a post, or a general word."""
    proof = Proof("read as a reply to an offer") if case.incoming.as_reply else None
    if proof is None:
        if not case.person or case.author.address in case.house.own_addresses:
            return None
        proof = _proof(case)
        if proof is None:
            return None
    return _colleagues_mail(case, proof)


def _proof(case: Case) -> Proof | None:
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


def _colleagues_mail(case: Case, proof: Proof) -> Verdict:
    if case.incoming.as_reply:
        return _read_words(case, proof, "reply", "on a lead's thread")
    if case.token is not None and case.token.proven and case.token.scope in (CONFIRM, ASIDE):
        return _read_words(case, proof, "general", "an answer to a question of the router")
    lead = case.view.lead(case.thread.lead) if case.thread else None
    client = _lead_of_recipients(case)
    if lead is not None and client is not None:
        return case.verdict("reply", "word to the client", to_client=True, proof=proof, reply=_reply(case))
    if lead is not None:
        return _read_words(
            case, proof, "reply", f"on the thread of bun {lead.id}, by {case.thread.how if case.thread else ''}"
        )
    post = read_post(case.message.subject, case.house)
    forward = read_forward(case.message)
    if post is not None:
        kind = "forward" if forward is not None and forward.client else "post"
        return case.verdict(kind, "the subject says so", post=post, forward=forward, proof=proof, reply=_reply(case))
    if case.via_list:
        return case.verdict("general", "talk on the list, left alone", chat=True, proof=proof, reply=_reply(case))
    if forward is not None:
        return case.verdict("forward", forward.how, forward=forward, proof=proof, reply=_reply(case))
    if client is not None:
        reply = _reply(case)
        return case.verdict("reply", "word to the client", to_client=True, lead=client.id, proof=proof, reply=reply)
    if _is_for_others(case):
        return case.verdict("general", "written to somebody outside", chat=True, proof=proof, reply=_reply(case))
    return _read_words(case, proof, "general", "from a consultant, about no bun in particular")


def _is_for_others(case: Case) -> bool:
    """Whether a colleague wrote to somebody outside and we only got a copy: what it says is not said to us."""
    house = case.house
    ours = {*house.own_addresses, house.list_address, *house.people_by_address}
    return any(a.address not in ours and not _is_token(a.address, house) for a in case.message.to if a.address)


def _reply(case: Case) -> Reply:
    return read_reply(case.message, case.house.banners)


def _read_words(case: Case, proof: Proof, kind: str, reason: str) -> Verdict:
    reply = _reply(case)
    reading = read_words(reply.text, case.house, case.incoming.received)
    return case.verdict(kind, f"{reason}; {reading.why}", proof=proof, reply=reply, reading=reading)


def read_words(text: str, house: House, received: datetime) -> Reading:
    """The command in a colleague's new text, in the collective's languages and words."""
    return read_command(
        text,
        names=house.names,
        today=received.astimezone(house.calendar.zone).date(),
        extra=house.phrases,
        things=tuple(dict.fromkeys((house.words["bun"], house.words["dough"]))),
    )


def read_post(subject: str, house: House) -> Post | None:
    """A subject that begins with the collective's BUN or DOU prefix; a "Re:" in front makes it talk about one."""
    words = house.words
    match = re.match(
        rf"\s*(?:(?:fwd?|fw|vb|wg|tr|rv|vs|i|doorst)\s*:\s*)*(?:\[[^\]]{{0,40}}\]\s*)?({re.escape(words['BUN'])}|{re.escape(words['DOU'])})\b\s*[:\-–—]?\s*(.*)",
        subject,
        re.IGNORECASE | re.DOTALL,
    )
    if match is None or re.match(r"\s*\d+\]", match[2]):
        return None
    return Post(match[2].strip() or subject.strip(), dough=match[1].lower() == words["DOU"].lower())


_NOT_FOR_US = "written to somebody else, and the sender is not proven"


def is_forged(case: Case) -> Verdict | None:
    """Says it is a consultant and is not proven: nothing is done yet. Talk on the list stays talk."""
    if not case.person:
        return None
    reply = _reply(case)
    reading = read_words(reply.text, case.house, case.incoming.received)
    post = read_post(case.message.subject, case.house)
    if case.via_list and post is None and (case.thread is None or reading.command is None):
        return None
    proven = _colleagues_mail(case, Proof("what it would be if it were proven"))
    if proven.to_client or proven.chat:  # no word to us, so nothing to confirm
        return replace(proven, kind="general", proof=None, to_client=False, chat=True, reason=_NOT_FOR_US)
    refuted = is_refuted(case.message, case.house)
    reason = "our own server says it is not from that address" if refuted else "the sender is not proven"
    forward = read_forward(case.message)
    return case.verdict("forged", reason, reply=reply, reading=reading, forward=forward, post=post)


def is_list_talk(case: Case) -> Verdict | None:
    """What others post to the collective's own list is not for the shared address, unless the two are one."""
    if not case.via_list or case.house.list_address == case.house.address:
        return None
    return case.verdict("general", "talk on the list, left alone", chat=True)


def is_follow_up(case: Case) -> Verdict | None:
    if case.thread is None:
        return None
    lead = case.view.lead(case.thread.lead)
    if lead is None:
        return None
    if case.author.address != lead.client and case.thread.audience == OUR_SIDE:
        reply = _reply(case)
        reading = read_words(reply.text, case.house, case.incoming.received)
        reason = "a stranger on a thread that only colleagues have seen"
        return case.verdict("forged", reason, stranger=True, reply=reply, reading=reading)
    forward = read_forward(case.message)  # what a client forwards into the thread is new to the owner
    said = Reply(case.message.text, "", f"it forwards: {forward.how}") if forward else _reply(case)
    return case.verdict("follow-up", f"from a client, by {case.thread.how}", reply=said)


def is_bulk(case: Case) -> Verdict | None:
    own = tuple(name for name in (case.house.list_id, case.house.list_address, case.house.address) if name)
    reason = bulk_reason(case.message, own_lists=own)
    return case.verdict("bulk", reason) if reason else None


def is_request(case: Case) -> Verdict | None:
    """Anything else from a person: a new bun, or one that came twice."""
    reason = form_letter_reason(case.message)
    if case.author.address in (*case.house.own_addresses, ""):
        return case.verdict("bulk", "it says it comes from the shared address itself, and nothing proves it")
    return case.verdict("request", reason or "from a person who is not on the roster")


CHECKS: tuple[Callable[[Case], Verdict | None], ...] = (
    is_own,
    is_duplicate,
    is_form,
    is_bounce,
    is_auto_reply,
    is_in_sent_folder,
    is_junk,
    is_consultant,
    is_forged,
    is_list_talk,
    is_follow_up,
    is_bulk,
    is_request,
)


# -- identities -----------------------------------------------------------------------------------------------------


def identity(message: Message, author: str, view: View) -> str:
    """The Message-ID. Without one, or where another mail has come under it before, a hash of what tells mails apart."""
    seen = view.seen(message.message_id) if message.message_id else None
    if message.message_id and (seen is None or not seen.kind or _is_same(seen, message, author)):
        return message.message_id
    facts = "\0".join((author, message.headers.get("date").strip(), message.subject, message.text))
    return f"<{hashlib.sha256(facts.encode('utf-8', 'replace')).hexdigest()[:32]}@no-message-id>"


_REPLY_PREFIX = re.compile(
    r"^\s*(?:(?:re|sv|aw|vs|fwd?|fw|vb|wg|tr|rv|antw|ref)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE
)


def plain_subject(subject: str) -> str:
    """The subject without "Re:" and its kin, for people and for comparing."""
    return _REPLY_PREFIX.sub("", subject[:998]).strip()


_NO_WORDS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
SHORT = 60  # characters of words: what is shorter does not tell one request from another


@lru_cache(maxsize=4)  # asked for when a request comes in, and again when it is stored
def fingerprint(text: str) -> str:
    """A hash of what a text says, whatever its wrapping; "" for a text too short to tell requests apart."""
    words = _bare_words(text[:4000])
    return hashlib.sha256(words.encode()).hexdigest()[:24] if len(words) >= SHORT else ""


def says_nothing_new(text: str, known: Iterable[str]) -> bool:
    """Whether what a text says has been said before: the same words, or a longer passage of what is known."""
    words = _bare_words(text)
    before = [_bare_words(each) for each in known]
    return words in before or (len(words) >= SHORT and any(f" {words} " in f" {each} " for each in before))


def _bare_words(text: str) -> str:
    return " ".join(text.translate(_NO_WORDS).split() if text.isascii() else re.findall(r"\w+", text)).lower()
