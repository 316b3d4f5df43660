"""Several want the bun: they sort it out among themselves, with help, and in the end by the announced rule."""

from __future__ import annotations

from router.lead import INTEREST, STANDING, WITHDRAWN, Status
from router.protocol import steps
from router.protocol.table import CONTESTED, row
from router.turn import Turn


def _claims(turn: Turn) -> bool:
    return turn.cue.who in turn.lead.claimants


def _has_joined(turn: Turn) -> bool:
    return any(pair.split()[1] == turn.cue.who for pair in turn.lead.joined)


def _last_one(turn: Turn) -> bool:
    return _claims(turn) and len(turn.lead.claimants) == 1


@row("", (CONTESTED,), ("yield", "release", "pass"), when=lambda turn: not _claims(turn) and _has_joined(turn),
     says="", then="")  # fmt: skip
def no_longer_joins(turn: Turn) -> None:
    steps.leave_company(turn)
    turn.receipt("yield")


@row("Contested", (CONTESTED,), ("yield", "release", "pass", "offer", "award"), when=_last_one, says="none left",
     then="`offered`, keeper owns",
     mails="“you have all yielded” → all; personal offer to whomever they named")  # fmt: skip
def last_one_yields(turn: Turn) -> None:
    if turn.cue.who in turn.cue.named:
        turn.receipt("claim", closes=None)
        return
    _withdraw(turn)
    _none_left(turn)


def _withdraw(turn: Turn) -> None:
    steps.withdraw(turn, turn.cue.who)
    named = tuple(key for key in turn.cue.named if key != turn.cue.who)
    turn.set(
        named=tuple(dict.fromkeys((*turn.lead.named, *named))),
        together=tuple(key for key in turn.lead.together if key != turn.cue.who),
    )
    turn.record("yields", why=f"“{turn.cue.line}”" if turn.cue.line else "left the roster")


def _none_left(turn: Turn) -> None:
    lead, world = turn.lead, turn.world
    everybody = [c.who for c in lead.claims if c.state in (STANDING, WITHDRAWN)]
    named, interested = lead.named, lead.interested
    steps.keeper_owns(turn)
    turn.stop("objection", "mediate", "fallback")
    turn.set(status=Status.OFFERED, stage="cooling", awaits="", together=(), named=())
    turn.set(asked=tuple(dict.fromkeys((*lead.asked, *named))))
    turn.start(dry=turn.in_time(world.terms.freshness))
    turn.record("back on offer", why="all claimants have yielded", who="router")
    turn.tell("all-yielded", everybody, people=world.names(named))
    turn.tell("personal-offer", named, because="yielded", name=world.name(turn.cue.who), closes=None)
    steps.ask_first(turn, (key for key in interested if key not in named))


@row(
    "Contested",
    (CONTESTED,),
    ("yield", "release", "pass", "offer", "award"),
    when=_claims,
    says="a claimant yields (“yours”, “Anna takes it”)",
    then="claim withdrawn; one left: `taken` after 30 minutes",
    mails="“Anna, unless somebody objects” → all, at once; then handover, outcome",
)
def yield_claim(turn: Turn) -> None:
    if turn.cue.who in turn.cue.named:  # "I take it, Bo": no yielding
        turn.receipt("claim", closes=None)
        return
    _withdraw(turn)
    turn.receipt("yield")
    one_left(turn)


def one_left(turn: Turn) -> None:
    claimants = turn.lead.claimants
    if len(claimants) != 1:
        settle_together(turn)
        return
    turn.stop("mediate", "fallback")
    turn.set(awaits="unless")  # the time to object runs from when they have heard
    at = turn.in_time(turn.world.terms.objection)
    everybody = [c.who for c in turn.lead.claims if c.state in (STANDING, WITHDRAWN)]
    turn.tell("unless", everybody, name=turn.world.name(claimants[0]), at=at)


@row("", (CONTESTED,), ("accepted:contest", "failed:contest"), says="", then="")
def claimants_have_heard(turn: Turn) -> None:
    if turn.lead.awaits == "contest":
        turn.set(awaits="")
        steps.run_contest(turn)


@row("", (CONTESTED,), ("accepted:unless", "failed:unless"), says="", then="")
def they_may_object(turn: Turn) -> None:
    if turn.lead.awaits == "unless":
        turn.set(awaits="")
        turn.start(objection=turn.in_time(turn.world.terms.objection))


@row("", (CONTESTED,), ("due:objection",), says="", then="")
def nobody_objected(turn: Turn) -> None:
    turn.stop("objection")
    if len(turn.lead.claimants) == 1:
        steps.award(turn, turn.lead.claimants[0], why="the other claimants yielded and nobody objected")


@row("Contested", (CONTESTED,), ("together",), when=_claims, says="all claimants say “together”",
     then="`taken` as a team; the earliest claimant owns and is the client's contact",
     mails="handover, outcome")  # fmt: skip
def say_together(turn: Turn) -> None:
    turn.set(together=tuple(dict.fromkeys((*turn.lead.together, turn.cue.who))))
    turn.record("together", why=f"“{turn.cue.line}”")
    turn.receipt("together", people=turn.world.names(k for k in turn.lead.claimants if k not in turn.lead.together))
    settle_together(turn)


def settle_together(turn: Turn) -> None:
    claimants = turn.lead.claimants
    if len(claimants) > 1 and set(claimants) <= set(turn.lead.together):
        steps.award(turn, claimants[0], why="all claimants said “together”", team=claimants)


def _yielded_before(turn: Turn) -> bool:
    """… in the contest: who gave back before the close has no part in it."""
    claim, closed = turn.lead.claim_of(turn.cue.who), turn.lead.closed_at
    if claim is None or claim.state != WITHDRAWN:
        return False
    return closed is None or (claim.spoken or claim.at) >= closed


@row("", (CONTESTED,), ("claim",), when=_claims, says="", then="")
def claim_again(turn: Turn) -> None:
    turn.record("says “mine” again", why=f"“{turn.cue.line}”")
    turn.receipt("claim", closes=None)


@row("", (CONTESTED,), ("claim",), when=_yielded_before, says="", then="")
def object_to_award(turn: Turn) -> None:
    """Who yielded and now says "mine" objects: the contest goes on."""
    others = turn.lead.claimants
    steps.add_claim(turn)
    _goes_on(turn)
    turn.receipt("claim", closes=None)
    steps.tell_contest(turn, others)


def _goes_on(turn: Turn) -> None:
    """Nothing is settled after all; the contest has its time again."""
    turn.stop("objection")
    if turn.lead.awaits == "unless":
        turn.set(awaits="")
    if not turn.lead.awaits and "fallback" not in turn.lead.timers:
        steps.run_contest(turn)


def late_claim(turn: Turn) -> bool:
    """The server had it before the close, and it turns up only now (from Junk, say)."""
    closed, cue = turn.lead.closed_at, turn.cue
    if closed is None or cue.who in turn.lead.claimants:
        return False
    first_come = not turn.world.terms.window  # the first claim was the close: of two in one second it came first
    return cue.at < closed if first_come else cue.at <= closed


def _late_and_proven(turn: Turn) -> bool:
    """A claim that was confirmed only after the close is interest (PROTOCOL "Reading a mail", forged)."""
    return late_claim(turn) and not turn.cue.confirmed


@row("", (CONTESTED,), ("claim",), when=_late_and_proven, says="", then="")
def late_claim_joins_contest(turn: Turn) -> None:
    """Nothing is awarded yet, so a claim that was in time counts in full, and the others are told."""
    others = turn.lead.claimants
    steps.add_claim(turn)
    _goes_on(turn)
    turn.receipt("claim", closes=None)
    turn.tell("late-claim", others, name=turn.world.name(turn.cue.who), received=turn.cue.at)


@row("Contested", (CONTESTED,), ("claim",), says="“mine” by somebody new", then="interest", mails="receipt")
def claim_too_late(turn: Turn) -> None:
    steps.add_claim(turn, INTEREST)
    turn.receipt("interest", people=turn.world.names(turn.lead.claimants))


@row("Contested", (CONTESTED,), ("due:mediate",), says="one working day unresolved", then="still `contested`",
     mails="mediator asked; “award Anna” settles it, Anna being a claimant")  # fmt: skip
def ask_mediator(turn: Turn) -> None:
    turn.stop("mediate")
    claimants = turn.lead.claimants
    mediator = turn.world.mediator_for(claimants)
    turn.record("mediator asked" if mediator else "nobody can mediate", why="unresolved for a working day")
    ends = turn.lead.timers.get("fallback", turn.cue.at)
    turn.tell("mediate", [mediator] if mediator else [], people=claimants, ends=ends)


@row("", (CONTESTED,), ("award", "offer"), says="", then="")
def award_by_mediator(turn: Turn) -> None:
    lead, world, who = turn.lead, turn.world, turn.cue.who
    if who not in (world.mediator_for(lead.claimants), world.mediator) or who in lead.claimants:
        turn.refuse("not-mediator", people=world.names(lead.claimants))
    elif len(turn.cue.named) != 1 or turn.cue.named[0] not in lead.claimants:
        turn.refuse("not-claimant", people=world.names(lead.claimants))
    else:
        turn.receipt("award", people=world.names(turn.cue.named))
        steps.award(turn, turn.cue.named[0], why=f"awarded by {world.name(who)}, the mediator: “{turn.cue.line}”")


@row("Contested", (CONTESTED,), ("due:fallback",), says="two working days unresolved",
     then="`taken` by the configured fallback: longest since their last bun (default), earliest, or draw",
     mails="handover, outcome")  # fmt: skip
def settle_contest(turn: Turn) -> None:
    if not turn.lead.claimants:
        _none_left(turn)
        return
    who, why = steps.settle_by_rule(turn)
    steps.award(turn, who, why=f"unresolved for two working days: {why}")


@row("", (CONTESTED,), ("left",), says="", then="")
def claimant_left_roster(turn: Turn) -> None:
    if turn.cue.who == turn.lead.owner:
        steps.keeper_owns(turn)
        turn.set(own="")
    if turn.cue.who not in turn.lead.claimants:
        return
    _withdraw(turn)
    if turn.lead.claimants:
        one_left(turn)
    else:
        _none_left(turn)
