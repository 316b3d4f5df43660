"""Words that nobody has proven (PROTOCOL "Reading a mail", forged; "Trust").

Job: hold them and ask the address on the roster; take them as they were when the answer is a clear yes. Core.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from router import protocol
from router.arrivals import brought_by_colleague, client_named, request_text, set_aside
from router.commands import Command
from router.decision import DONE, Decision, Desk, help_mail, noted, of_outcome, said_on
from router.general import GENERAL
from router.ids import CONFIRM
from router.lead import Event, Lead, Status, with_event
from router.message import Address
from router.sameness import plain_subject
from router.talk import pass_on_talk
from router.triage import read_words
from router.turn import Cue, Mail
from router.verdict import Post
from router.view import Held

CONFIRMATIONS = 5  # outstanding requests to confirm per person: a flood of forgeries is no flood of mail


def ask_to_confirm(desk: Desk) -> Decision:
    """Nothing is done yet: the address on the roster is asked, with a secret; a stranger is shown to the keeper."""
    verdict = desk.verdict
    command = verdict.reading.command if verdict.reading else None
    talk = verdict.stranger and verdict.reply is not None and bool(verdict.reply.text.strip())
    if command is None and verdict.forward is None and verdict.post is None and not talk:
        return set_aside(desk, verdict.reason)
    waiting = [h for h in desk.view.held_for(0) if h.who == verdict.person and h.expires > desk.world.now]
    out = _claim_asked_about(desk, command, waiting)
    if out is not None:
        again = noted(desk, f"“{out.line}” waits to be confirmed", "the question is out already")
        expires = desk.world.after(desk.world.now, desk.house.confirm_for)
        return replace(again, kind="forged", held=(replace(out, expires=expires),))
    if len(waiting) >= CONFIRMATIONS:
        return set_aside(desk, f"{verdict.reason}; {len(waiting)} words from there wait to be confirmed already")
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
        return replace(base, verb=verb, text=text, sender=client_named(desk, text), subject=verdict.post.subject)
    base = replace(base, sender=verdict.author.address, subject=desk.message.subject)
    if command is None:
        text = verdict.reply.text.strip() if verdict.reply else ""
        return replace(base, verb="word", line=" ".join(text.split())[:400], text=text[: 64 * 1024])
    return replace(
        base,
        verb=said_on(desk.lead(), command, verdict.person),
        line=command.line[:200],
        text=command.text,
        named=command.who,
        unknown=command.unknown,
        until=command.until,
    )


def answer_to_question(desk: Desk, number: int) -> Decision:
    """A clear yes with the secret, once, before it expires, never from an auto-reply (PROTOCOL "Trust")."""
    held, verdict = desk.view.held(number), desk.verdict
    command = verdict.reading.command if verdict.reading else None
    if held is None or held.expires < desk.world.now:
        return help_mail(desk, None)
    if held.who:
        if verdict.person != held.who or command is None or command.verb != "yes":
            return help_mail(desk, None)
        return take_confirmed(desk, held, held.who)
    named = _person_named(desk)
    if verdict.person not in (desk.world.keeper, held.asked or verdict.person) or not named:
        return help_mail(desk, None)
    return take_confirmed(desk, held, named)


def _person_named(desk: Desk) -> str:
    """Whom the keeper names in an answer to "one of us?": "yes, Anna", "Anna"."""
    command = desk.verdict.reading.command if desk.verdict.reading else None
    if command is not None and len(command.who) == 1:
        return command.who[0]
    text = desk.verdict.reply.text.lower() if desk.verdict.reply else ""
    words = set(re.findall(r"\w+", text[:300]))
    found = [m.key for m in desk.house.members.values() if words & {m.key.lower(), *m.name.lower().split()}]
    return found[0] if len(found) == 1 else ""


def take_confirmed(desk: Desk, held: Held, who: str) -> Decision:
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
        opened = brought_by_colleague(
            replace(desk, verdict=verdict), Address("", held.sender), plain_subject(held.subject), held.text, True
        )
        return replace(opened, settled=(held.number,))
    if held.verb in GENERAL:
        command = read_words(held.line, desk.house, held.at).command
        mine = replace(desk, verdict=replace(desk.verdict, person=who))
        return replace(GENERAL[held.verb](mine, command or Command(held.verb, held.line)), settled=(held.number,))
    lead = desk.view.lead(held.lead) if held.lead else None
    if lead is None:
        return Decision(desk.verdict.kind, file_to=DONE, settled=(held.number,))
    if held.verb == "word":
        return replace(pass_on_talk(desk, lead, cue), settled=(held.number,))
    others = [h for h in desk.view.held_for(lead.id) if h.number != held.number and h.verb == "claim"]
    lead = lead if others else replace(lead, hold_until=None)
    outcome = protocol.advance(lead, cue, desk.world)
    return of_outcome(desk.verdict.kind, outcome, settled=(held.number,))
