"""What colleagues say about a bun that is no clear command.

Job: pass conversation on to the owner, answer half a claim with the words that work, take a corrected address. Core.
"""

from __future__ import annotations

import re
from dataclasses import replace

from router import protocol
from router.decision import DONE, Decision, Desk, advance_lead, noted, ours
from router.forward import read_forward
from router.lead import Lead
from router.turn import Cue, Mail

_ONLY_ADDRESS = re.compile(
    r"^\s*(?:client|kund|kunde|cliente|klant|from)?\s*:?\s*(?:mailto:)?<?([^\s<>,;:\"]{1,64}@[^\s<>,;:\"]{3,250})>?\s*\.?\s*$",
    re.I,
)


def no_command(desk: Desk, lead: Lead) -> Decision:
    """Conversation: recorded, passed on to the owner, and answered to its writer alone with the words that work."""
    verdict = desk.verdict
    line = verdict.reading.line[:200] if verdict.reading else ""
    if verdict.via_list:
        return _half_claim_on_list(desk, lead, line)
    text = _news(desk)
    corrected = _corrected_address(desk, lead, text)
    if corrected:
        return advance_lead(desk, lead, desk.cue("correct", text=corrected))
    return pass_on_talk(desk, lead, desk.cue("word", line=line, text=text))


def _news(desk: Desk) -> str:
    """What the owner has not read: the words, and a mail that their writer forwards below them."""
    reply = desk.verdict.reply
    if reply is None:
        return ""
    forward = None if reply.forwarded else read_forward(desk.message)
    of_others = forward is not None and forward.client is not None and forward.client.address not in ours(desk)
    return "\n\n".join(filter(None, (reply.news.strip(), reply.quoted.strip("\n") if of_others else "")))


def pass_on_talk(desk: Desk, lead: Lead, cue: Cue) -> Decision:
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

    May know it: who brought the lead; its owner, where we have no address or mail to it came back; who was asked.
    """
    match, who = _ONLY_ADDRESS.match(text.partition("\n")[0]), desk.verdict.person
    if match is None or match[1].lower() in ours(desk):
        return ""
    came_back = any(event.what == "mail came back" for event in lead.events)
    theirs = who in (lead.owner, *lead.team) and (not lead.client or came_back)
    asked = f"unreachable @{who}" in lead.counts
    return match[1].lower() if who == lead.own or theirs or asked else ""


def _count(lead: Lead, slot: str) -> int:
    return lead.counts.get(slot, 0) + 1


def _counted(lead: Lead, slot: str) -> Lead:
    return replace(lead, counts={**lead.counts, slot: _count(lead, slot)})


def _half_claim_on_list(desk: Desk, lead: Lead, line: str) -> Decision:
    """A half-claim on the list is answered privately, once; chat is left alone."""
    verdict = desk.verdict
    once = f"half {lead.id} {verdict.person}"
    if verdict.reading is None or not verdict.reading.half or desk.view.said_once(once):
        return noted(desk, "talk on the list", line)
    decision = noted(desk, "half a claim on the list", line)
    mail = Mail("unclear", f"@{verdict.person}", {"line": line}, _count(lead, "unclear"))
    changed = _counted(decision.leads[0], "unclear")
    return replace(decision, leads=(changed,), mails=((mail, changed),), said=(once,))
