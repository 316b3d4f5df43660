"""A bun with an owner: nudges until its outcome is known, release, teams, and claims that come too late."""

from __future__ import annotations

from router.lead import INTEREST, Status
from router.protocol import steps
from router.protocol.contested import late_claim
from router.protocol.table import CONTESTED, DOUGH, EATEN, OFFERED, TAKEN, row
from router.turn import Turn


@row("Taken", (TAKEN,), ("due:nudge",), says="one working day, no word from the owner", then="",
     mails="nudge → owner: “warm”, “eaten” or “release”")  # fmt: skip
def nudge(turn: Turn) -> None:
    turn.stop("nudge")
    turn.record("owner nudged", why="no word yet", who="router")
    turn.tell("nudge", [turn.lead.owner])


@row("Taken", (TAKEN,), ("due:silent",), says="two working days, no word, and every second after that",
     then="the keeper may say “release”", mails="owner and keeper told")  # fmt: skip
def silent_owner(turn: Turn) -> None:
    turn.set(keeper_may_release=True)
    turn.start(silent=turn.in_time(turn.world.terms.nudge_again))
    turn.record("keeper told", why="the owner is silent", who="router")
    owner = turn.world.name(turn.lead.owner)
    turn.tell("silent", [turn.lead.owner], name=owner, to_owner=True)
    if turn.world.keeper != turn.lead.owner:
        turn.tell_keeper("silent", name=owner, to_owner=False)


@row("", (TAKEN,), ("accepted:handover-owner", "failed:handover-owner"), says="", then="")
def owner_has_heard(turn: Turn) -> None:
    """The owner's time runs from when their mail was accepted; where it cannot be, the keeper is told at once."""
    terms, lead = turn.world.terms, turn.lead
    if turn.cue.name.startswith("failed:"):
        turn.record("the owner could not be told", why=turn.cue.text)
        steps.report_colleague(turn)
    if lead.awaits == "handover-owner":
        turn.set(awaits="")
        turn.start(nudge=turn.in_time(terms.nudge), silent=turn.in_time(terms.nudge_again))


@row(
    "Taken",
    (TAKEN,),
    ("word",),
    says="any word from the owner",
    then="next nudge after five working days, or after the date in “warm until 3 May”",
)
def any_word(turn: Turn) -> None:
    """What the owner writes to the bun alone and is no command is kept; the client has not seen it."""
    turn.record("writes", why=turn.cue.line)


@row("", (DOUGH, OFFERED, CONTESTED), ("word",), says="", then="")
def talk(turn: Turn) -> None:
    """What somebody says about the bun and is no command."""
    turn.record("writes", why=turn.cue.line)


def _may_release(turn: Turn) -> bool:
    lead, who = turn.lead, turn.cue.who
    if who in lead.team or (lead.keeper_may_release and who == turn.world.keeper):
        return True
    turn.refuse("not-owner", owner=turn.world.name(lead.owner))
    return False


def _in_team(turn: Turn) -> bool:
    """One of several leaves: by their own word, or the silent owner by the keeper's."""
    lead, cue = turn.lead, turn.cue
    by_keeper = lead.keeper_may_release and cue.who == turn.world.keeper and cue.name == "release"
    return len(lead.team) > 1 and (cue.who in lead.team or by_keeper)


@row("Taken", (TAKEN,), ("release", "yield", "pass", "left"), when=_in_team, says="one of a team releases",
     then="the others keep it; the earliest of them owns",
     mails="handover if the contact changed")  # fmt: skip
def leave_team(turn: Turn) -> None:
    lead = turn.lead
    who = turn.cue.who if turn.cue.who in lead.team else lead.owner
    rest = tuple(key for key in lead.team if key != who)
    turn.set(team=rest, owner=rest[0])
    steps.withdraw(turn, who)
    turn.record("leaves the team", why=f"“{turn.cue.line}”" if turn.cue.line else "left the roster")
    turn.receipt("left-team", people=turn.world.names(rest))
    if lead.owner == who:  # the new contact has the time of a new owner
        turn.set(awaits="handover-owner", word_at=None, keeper_may_release=False)
        turn.stop("nudge", "silent")
        steps.hand_over(turn)


@row(
    "Taken",
    (TAKEN,),
    ("release", "yield"),
    says="“release” by the owner, or by the keeper when so told",
    then="`offered`, keeper owns, new window",
    mails="reheat → client (“Anna cannot after all; you hear by …”); personal offer → earlier claimants and the "
    "interested; back → list",
)
def release(turn: Turn) -> None:
    if turn.cue.who != turn.lead.owner and turn.cue.name == "yield":
        turn.refuse("no-claim")
    elif _may_release(turn):
        owner = turn.lead.owner
        turn.receipt("release")
        steps.reoffer(turn, owner, why=f"“{turn.cue.line}”")


@row("", (TAKEN,), ("pass",), says="", then="")
def pass_on_taken(turn: Turn) -> None:
    """A "pass" from the owner can only mean that they give it back; from anybody else it changes nothing."""
    if turn.cue.who == turn.lead.owner:
        release(turn)
    else:
        steps.add_pass(turn)


@row("", (TAKEN,), ("claim",), when=lambda turn: turn.cue.who in turn.lead.team, says="", then="")
def claim_by_owner(turn: Turn) -> None:
    turn.record("says “mine” again", why=f"“{turn.cue.line}”")
    turn.receipt("already-yours")


@row(
    "Taken",
    (TAKEN,),
    ("claim",),
    when=late_claim,
    says="a claim that the server had in time turns up after the close (from Junk, say)",
    then="recorded with its time; the award stands; interest",
    mails="owner, keeper, claimant told",
)
def claim_found_after_close(turn: Turn) -> None:
    lead, world = turn.lead, turn.world
    known = lead.claim_of(turn.cue.who)
    if known is not None:
        tell_who_has_it(turn)
        return
    steps.add_claim(turn, INTEREST)
    facts = {"name": world.name(turn.cue.who), "received": turn.cue.at}
    turn.tell("late-claim", (lead.owner, world.keeper, turn.cue.who), **facts)


@row("Taken", (TAKEN, EATEN), ("claim",), says="“mine” by somebody else (also when eaten)", then="interest",
     mails="“Bo has it” → sender")  # fmt: skip
def tell_who_has_it(turn: Turn) -> None:
    steps.add_claim(turn, INTEREST)
    turn.tell("has-it", [turn.cue.who])


@row("Taken", (TAKEN,), ("left",), when=lambda turn: turn.cue.who == turn.lead.owner,
     says="the owner leaves the roster", then="as “release”", mails="as “release”; keeper told")  # fmt: skip
def owner_left(turn: Turn) -> None:
    steps.reoffer(turn, turn.cue.who, why="left the roster")
    turn.tell_keeper("owner-left", name=turn.world.name(turn.cue.who))


@row("Taken", (TAKEN,), ("eaten",), says="“eaten” / “done” / “won”", then="`eaten`", mails="none (digest)")
def eat(turn: Turn) -> None:
    if _not_in_team(turn) or turn.wait_for_undo():
        return
    turn.end(Status.EATEN, "eaten")
    turn.record("eaten", why=f"“{turn.cue.line}”")


@row("Taken", (TAKEN,), ("lost",), says="“lost”", then="`thrown`, reason lost", mails="none (digest)")
def lose(turn: Turn) -> None:
    if _not_in_team(turn) or turn.wait_for_undo():
        return
    turn.end(Status.THROWN, "lost")
    turn.record("lost", why=f"“{turn.cue.line}”")


def _not_in_team(turn: Turn) -> bool:
    if turn.cue.who in turn.lead.team:
        return False
    turn.refuse("not-owner", owner=turn.world.name(turn.lead.owner))
    return True


@row("", (TAKEN,), ("left",), says="", then="")
def somebody_else_left(turn: Turn) -> None:
    """Somebody without a part in this bun has left the roster."""
