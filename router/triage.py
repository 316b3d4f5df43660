"""What is this mail, and which lead is it about?

Job: PROTOCOL "Reading a mail: first match wins". `CHECKS` is that list: small named checks, whose order is the policy.
Each looks at one mail and answers a `Verdict` or None. Core: decides nothing about leads, does nothing.

May import the reading rooms (message, reply, commands, forward, machines, trust), case, verdict, sameness, house, view.
Invariants: a client never reaches a command; a robot never gets a verdict that is answered; nobody on the roster is
read as a command unless proven.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from router.case import Case, is_token, lay_open, lead_of_recipients, proof_of, shown_token
from router.commands import Reading, read_command
from router.forward import read_forward
from router.house import House
from router.ids import ASIDE, CLIENT, CONFIRM, PROBE
from router.machines import auto_reply_reason, bulk_reason, form_letter_reason, read_bounce
from router.message import Address
from router.reply import Reply, read_reply
from router.sameness import fingerprint, identity, is_same, plain_subject, says_nothing_new
from router.trust import Proof, is_refuted
from router.verdict import GENERAL_VERBS, INBOX, JUNK, NOBODY, SENT, Incoming, Post, Thread, Verdict
from router.view import OUR_SIDE, View

__all__ = [
    "CHECKS",
    "GENERAL_VERBS",
    "INBOX",
    "JUNK",
    "NOBODY",
    "SENT",
    "Case",
    "Incoming",
    "Post",
    "Thread",
    "Verdict",
    "fingerprint",
    "identity",
    "plain_subject",
    "read_post",
    "read_words",
    "says_nothing_new",
    "shown_token",
    "triage",
]


def triage(incoming: Incoming, house: House, view: View) -> Verdict:
    """What `incoming` is: the first check that answers."""
    case = lay_open(incoming, house, view)
    for check in CHECKS:
        verdict = check(case)
        if verdict is not None:
            return verdict
    raise AssertionError("the last check always answers")  # pragma: no cover


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
    if seen is None or not seen.kind or not is_same(seen, case.message, case.author.address):
        return None
    better = proof_of(case) if case.person and (seen.held or seen.unproven) else None
    if better is not None and not seen.held:
        return None  # nothing was done about the copy that came first, since nobody knew who had written it
    return case.verdict("duplicate", "this mail was handled before", seen=seen, proof=better, lead=seen.lead or None)


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
    lead = lead_of_recipients(case)
    if lead is not None:
        return case.verdict("reply", "a person wrote to the client", to_client=True, lead=lead.id, reply=_reply(case))
    return case.verdict("own", "sent by a person from the shared mailbox")


def is_junk(case: Case) -> Verdict | None:
    """In Junk only proven consultants and threads with a token are read; the rest is counted for the keeper."""
    if case.incoming.place != JUNK:
        return None
    token = case.token is not None and case.token.proven
    proven = case.person and proof_of(case) is not None
    return None if token or proven else case.verdict("bulk", "in the Junk folder")


def is_consultant(case: Case) -> Verdict | None:
    """On the roster and proven: a reply, a forward, a post, or a general word."""
    proof = Proof("read as a reply to an offer") if case.incoming.as_reply else None
    if proof is None:
        if not case.person or case.author.address in case.house.own_addresses:
            return None
        proof = proof_of(case)
        if proof is None:
            return None
    return _colleagues_mail(case, proof)


def _colleagues_mail(case: Case, proof: Proof) -> Verdict:
    if case.incoming.as_reply:
        return _read_words(case, proof, "reply", "on a lead's thread")
    if case.token is not None and case.token.proven and case.token.scope in (CONFIRM, ASIDE):
        return _read_words(case, proof, "general", "an answer to a question of the router")
    lead = case.view.lead(case.thread.lead) if case.thread else None
    client = lead_of_recipients(case)
    if lead is not None and client is not None:
        return case.verdict("reply", "word to the client", to_client=True, proof=proof, reply=_reply(case))
    if lead is not None:
        thread = f"on the thread of bun {lead.id}, by {case.thread.how if case.thread else ''}"
        return _read_words(case, proof, "reply", thread)
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
    return any(a.address not in ours and not is_token(a.address, house) for a in case.message.to if a.address)


def _reply(case: Case) -> Reply:
    return read_reply(case.message, case.house.banners)


def _read_words(case: Case, proof: Proof, kind: str, reason: str) -> Verdict:
    reply = _reply(case)
    reading = _read_case(case, reply)
    return case.verdict(kind, f"{reason}; {reading.why}", proof=proof, reply=reply, reading=reading)


def _read_case(case: Case, reply: Reply) -> Reading:
    return read_words(reply.text, case.house, case.incoming.received, case.thread.lead if case.thread else 0)


def read_words(text: str, house: House, received: datetime, number: int = 0) -> Reading:
    """The command in a colleague's new text on the thread of bun `number`, in the collective's languages and words."""
    return read_command(
        text,
        names=house.names,
        today=received.astimezone(house.calendar.zone).date(),
        extra=house.phrases,
        things=tuple(dict.fromkeys((house.words["bun"], house.words["dough"]))),
        number=number,
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
    reading = _read_case(case, reply)
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
        reading = _read_case(case, reply)
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
