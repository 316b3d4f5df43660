"""What a mail leads to.

Job: turn a `Verdict` into a `Decision`: the changed leads, the mails to send, what to remember. One handler for each
kind of mail. Core: decides everything, does nothing; the shell stores a Decision in one record and then acts on it.

May import triage, protocol, people, house, view. Reads no clock: `world.now` is an argument, and what people said
counts from when the server received it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from router import canary
from router.arrivals import set_bulk_aside, take_follow_up, take_forward, take_post, take_request
from router.case import shown_token
from router.commands import Command
from router.decision import DONE, GONE, STAYS, Decision, Desk, advance_lead, help_mail, noted, nothing, said_on
from router.general import GENERAL, answer_on_happiness, aside_meant, request_from_aside
from router.house import House
from router.ids import ASIDE, CONFIRM, PROBE
from router.lead import Carried
from router.returned import addressee
from router.sameness import identity
from router.talk import no_command
from router.turn import Cue, Mail, World
from router.unproven import answer_to_question, ask_to_confirm, take_confirmed
from router.verdict import GENERAL_VERBS, JUNK, Incoming, Verdict
from router.view import CLIENT_SIDE, OUR_SIDE, Seen, View


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


def _own(desk: Desk) -> Decision:
    """What we sent to ourselves to see that it arrives has done so, unless it lies where copies of sent mail do."""
    if desk.incoming.place == "sent":
        return nothing(desk, STAYS)
    if desk.verdict.token is not None and desk.verdict.token.scope == PROBE and desk.verdict.token.proven:
        return Decision("own", "plus addresses are delivered here", file_to=GONE, plus_proven=True)
    names = (desk.message.message_id.strip("<>").partition("@")[0], desk.message.headers.get("x-request-ref").strip())
    waiting = canary.from_doc(desk.view.note(canary.NOTE))
    if waiting.ids and not set(names).isdisjoint(waiting.ids):
        name = next(name for name in names if name in waiting.ids)
        back = waiting.came_back(name, desk.world.now)
        return Decision("own", "the canary is back", file_to=GONE, notes={canary.NOTE: canary.to_doc(back)})
    return nothing(desk)


def _duplicate(desk: Desk) -> Decision:
    """A copy that is better proven proves the first."""
    seen = desk.verdict.seen
    held = desk.view.held(seen.held) if seen and seen.held else None
    if held is None or desk.verdict.proof is None:
        return nothing(desk)
    return replace(take_confirmed(desk, held, held.who), kind="duplicate")


def _bounce(desk: Desk) -> Decision:
    """Tied to the mail that bounced; a temporary failure is only noted."""
    verdict, house = desk.verdict, desk.house
    bounce = verdict.bounce
    lead = desk.lead()
    if bounce is None or not bounce.given_up:
        return noted(desk, "delivery report", verdict.reason)
    addresses = [f.address for f in bounce.failed if f.permanent]
    if house.list_address and house.list_address in addresses:
        alert = Mail("alert", "operator", {"what": "list-unreachable", "detail": bounce.why})
        return replace(noted(desk, "the list could not be reached", bounce.why), mails=((alert, None),))
    if lead is None:
        return nothing(desk)
    why = f"{', '.join(addresses)}: {bounce.why}" if addresses else bounce.why
    readers = ["" if each == lead.client else house.people_by_address.get(each, None) for each in addresses]
    if all(reader is None for reader in readers):  # forwarded from there to an address that nobody here knows, say
        readers = [addressee(bounce.original_id, lead, house)]
    for reader in readers:
        if reader == "" or reader in (lead.owner, *lead.claimants, *lead.team):
            return advance_lead(desk, lead, desk.cue("unreachable", who=reader, text=why))
    return noted(desk, "mail came back", why)


def _auto_reply(desk: Desk) -> Decision:
    return noted(desk, "auto-reply", desk.verdict.reason)


def _reply(desk: Desk) -> Decision:
    lead, verdict = desk.lead(), desk.verdict
    if lead is None:
        return _general(desk)
    if verdict.to_client:
        who = verdict.person or desk.world.keeper
        text = verdict.reply.text if verdict.reply else ""
        place = STAYS if desk.incoming.place == "sent" else DONE
        return replace(advance_lead(desk, lead, desk.cue("person writes", who=who, text=text)), file_to=place)
    command = verdict.reading.command if verdict.reading else None
    if command is None or command.verb == "yes":  # a yes to what? only a request to confirm asks for one
        return no_command(desk, lead)
    if command.verb in GENERAL_VERBS:
        return _general(desk)
    return advance_lead(desk, lead, cue_of(desk, command))


def cue_of(desk: Desk, command: Command) -> Cue:
    return desk.cue(
        said_on(desk.lead(), command, desk.verdict.person),
        line=command.line[:200],
        text=command.text,
        named=command.who,
        unknown=command.unknown,
        until=command.until,
    )


def _general(desk: Desk) -> Decision:
    verdict = desk.verdict
    if verdict.chat:
        return nothing(desk, STAYS if desk.incoming.place != "inbox" else DONE)
    token = verdict.token if verdict.token and verdict.token.proven else None
    command = verdict.reading.command if verdict.reading else None
    if token is not None and token.scope == CONFIRM:
        return answer_to_question(desk, token.number)
    answer = answer_on_happiness(desk)
    if answer is not None:
        return Decision(verdict.kind, "an answer to the monthly question", answers=(answer,), file_to=DONE)
    aside = aside_meant(desk, command, token.number if token and token.scope == ASIDE else 0)
    if aside is not None:
        return request_from_aside(desk, aside)
    if command is not None and command.verb in GENERAL:
        return GENERAL[command.verb](desk, command)
    return help_mail(desk, command)


HANDLERS: Mapping[str, Callable[[Desk], Decision]] = {
    "own": _own,
    "duplicate": _duplicate,
    "form": take_request,
    "request": take_request,
    "bounce": _bounce,
    "auto-reply": _auto_reply,
    "reply": _reply,
    "forward": take_forward,
    "post": take_post,
    "general": _general,
    "forged": ask_to_confirm,
    "follow-up": take_follow_up,
    "bulk": set_bulk_aside,
}
