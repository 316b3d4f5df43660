"""The steps that several rows share: opening a window, awarding, handing over, saying no.

Each is one thing that the protocol does, whatever led to it. Pure: they change the Turn, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from router.lead import INTEREST, STANDING, WITHDRAWN, Claim, Pass, Status
from router.turn import Turn, drawn_first

AWARDED = "awarded"
_ABOUT_SOMEBODY = frozenset({"unreachable", "left", "keeper turns"})  # cues that name a person who has not spoken


# -- who may say what ---------------------------------------------------------------------------------------------


def is_owner(turn: Turn) -> bool:
    """The owner; and the acting keeper for a bun that the standing keeper owns while away."""
    lead, world = turn.lead, turn.world
    if turn.cue.who == lead.owner:
        return True
    return turn.cue.who == world.keeper and lead.status != Status.TAKEN and not world.is_here(lead.owner)


def may_end(turn: Turn) -> bool:
    """ "By the owner (by the keeper until an award)"."""
    return is_owner(turn) or (turn.cue.who == turn.world.keeper and turn.lead.status != Status.TAKEN)


def only_owner(turn: Turn) -> bool:
    """Refuse anybody but the owner; answers whether the sender was refused."""
    if may_end(turn):
        return False
    turn.refuse("not-owner", owner=turn.world.name(turn.lead.owner))
    return True


def claims_stand(turn: Turn) -> bool:
    """Refuse what would lose a claim, naming the claimants; answers whether it was refused."""
    claimants = turn.lead.claimants
    if not claimants or turn.lead.status == Status.TAKEN:
        return False
    turn.refuse("claims-stand", people=turn.world.names(claimants))
    return True


# -- claims -------------------------------------------------------------------------------------------------------


def add_claim(turn: Turn, state: str = STANDING) -> None:
    """Record the sender's claim at the time the server received it; in server order, whatever order it is read in."""
    cue, lead = turn.cue, turn.lead
    old = lead.claim_of(cue.who)
    if old is not None and old.state == state:
        return
    claims = [claim for claim in lead.claims if claim.who != cue.who]
    claims.append(Claim(cue.who, cue.at, cue.line, state))
    claims.sort(key=lambda claim: claim.at)
    turn.set(claims=tuple(claims), passes=tuple(p for p in lead.passes if p.who != cue.who))
    turn.record("claim" if state == STANDING else "interest", why=f"“{cue.line}”")


def mark_claims(turn: Turn, keys: Iterable[str], state: str) -> None:
    chosen = frozenset(keys)
    turn.set(claims=tuple(replace(c, state=state) if c.who in chosen else c for c in turn.lead.claims))


def withdraw(turn: Turn, who: str) -> None:
    mark_claims(turn, [who], WITHDRAWN)


def add_pass(turn: Turn) -> None:
    cue = turn.cue
    others = tuple(p for p in turn.lead.passes if p.who != cue.who)
    turn.set(passes=(*others, Pass(cue.who, cue.at)))
    turn.record("pass", why=f"“{cue.line}”")


# -- opening ------------------------------------------------------------------------------------------------------


def keeper_owns(turn: Turn) -> None:
    """The keeper owns by standing agreement, also while away: a bun is never without an owner (rule 1)."""
    turn.set(owner=turn.world.keeper or turn.world.standing_keeper)


def open_offer(turn: Turn, kind: str = "offer", **facts: object) -> None:
    """Offer the bun to the list. Its clocks run from when the mail server has accepted that mail (PROTOCOL "Time")."""
    turn.set(status=Status.OFFERED, stage="window", together=(), named=(), keeper_may_release=False)
    turn.stop_all()
    if turn.lead.on_list and kind == "offer":
        start_clocks(turn)
        return
    turn.set(awaits=kind)
    turn.tell_list(kind, closes=turn.in_time(turn.world.terms.window), **facts)


def start_clocks(turn: Turn) -> None:
    """The window and freshness run from now."""
    terms, at = turn.world.terms, turn.cue.at
    window = turn.world.after(at, terms.window)
    if turn.lead.urgent:
        window = min(window, turn.world.after(at, terms.urgent_window))
    cool = max(window, turn.world.after(at, terms.freshness))
    turn.set(awaits="", offered_at=turn.lead.offered_at or at)
    turn.start(cool=cool, window=window if terms.window else None)
    reheat = turn.world.after(at, terms.freshness)
    turn.start(reheat=reheat if reheat < window else None)
    if not terms.window and turn.lead.claimants:
        award(turn, turn.lead.claimants[0], why="first come, as the collective chose")
    else:
        close_early(turn)


def close_early(turn: Turn) -> None:
    """Everybody who may claim and is not away has answered: there is nobody left to wait for."""
    lead = turn.lead
    if lead.status != Status.OFFERED or lead.awaits or lead.stage == "goodbye":
        return
    answered = frozenset(lead.claimants) | {p.who for p in lead.passes}
    waiting = turn.world.may_claim() - answered
    if waiting or not answered & turn.world.may_claim():
        return
    if lead.claimants:
        turn.record("window closed early", why="everybody who may claim and is here has answered", who="router")
        judge(turn, closed_at=turn.cue.at)
    elif lead.stage in ("window", "cooling"):
        go_dry(turn, why="all have passed")


def client_hears_by(turn: Turn) -> datetime:
    """The latest moment at which the router writes to the client of a bun just offered."""
    terms = turn.world.terms
    now = turn.world.now
    return max(turn.world.after(now, terms.window), turn.world.after(now, terms.freshness))


def client_hears_last(turn: Turn) -> datetime:
    """… and of a bun that nobody wanted at first: the whole way to the no."""
    terms, world = turn.world.terms, turn.world
    dry = world.after(world.now, terms.freshness)
    return world.after(world.after(dry, terms.decide), terms.last_call)


# -- judging a window ---------------------------------------------------------------------------------------------


def judge(turn: Turn, closed_at: datetime) -> None:
    """The window has closed: one claimant takes it, several sort it out. Claims after the close are interest."""
    in_time = [c.who for c in turn.lead.claims if c.state == STANDING and c.at <= closed_at]
    late = [c.who for c in turn.lead.claims if c.state == STANDING and c.at > closed_at]
    mark_claims(turn, late, INTEREST)
    turn.set(closed_at=closed_at)
    turn.stop("window")
    if len(in_time) == 1:
        award(turn, in_time[0], why="the only claim when the window closed")
    else:
        contest(turn, in_time)
    turn.tell("has-it" if len(in_time) == 1 else "too-late", late)


def contest(turn: Turn, claimants: list[str]) -> None:
    terms, world = turn.world.terms, turn.world
    turn.set(status=Status.CONTESTED, stage="", awaits="", together=(), named=())
    turn.stop_all()
    mediate, end = turn.in_time(terms.contest_mediate), turn.in_time(terms.contest_end)
    turn.start(mediate=mediate, fallback=end)
    turn.record("contested", why="claimed by " + ", ".join(world.names(claimants)), who="router")
    tell_contest(turn, claimants)
    if turn.tell_client("reheat", because="contested", by=end):
        turn.promise(end)


def tell_contest(turn: Turn, readers: Iterable[str]) -> None:
    """The facts of the contest as it stands: who wants it, what is known of them, and how it ends."""
    world, claimants, timers = turn.world, turn.lead.claimants, turn.lead.timers
    turn.tell(
        "contest",
        readers,
        people=claimants,
        mediator=world.name(world.mediator_for(claimants)),
        mediate=timers.get("mediate"),
        ends=timers.get("fallback"),
        fallback=world.terms.contest_fallback,
    )


def settle_by_rule(turn: Turn) -> tuple[str, str]:
    """Whom the configured fallback names, and why. Ties are drawn from the request's Message-ID (rule 3)."""
    lead, world = turn.lead, turn.world
    claimants = lead.claimants
    rule = world.terms.contest_fallback
    if rule == "earliest":
        first = min(claim.at for claim in lead.claims if claim.state == STANDING)
        best = [c.who for c in lead.claims if c.state == STANDING and c.at == first]
        why = "the earliest claim"
    elif rule == "longest":
        last = {key: world.last_taken.get(key) for key in claimants}
        never = [key for key in claimants if last[key] is None]
        oldest = min((at for at in last.values() if at), default=None)
        best = never or [key for key in claimants if last[key] == oldest]
        why = "the longest time since their last bun"
    else:
        best, why = list(claimants), "drawn"
    if len(best) > 1:
        why += ", the tie drawn from the request's Message-ID"
    return drawn_first(lead.message_id, best), why


# -- award and handover -------------------------------------------------------------------------------------------


def award(turn: Turn, who: str, why: str, team: tuple[str, ...] = ()) -> None:
    """The bun has an owner: client and owner are brought together, the list hears in one line."""
    lead, world = turn.lead, turn.world
    members = tuple(dict.fromkeys((who, *team, *_joined_with(turn, who))))
    losers = [key for key in lead.claimants if key not in members]
    turn.stop_all()
    turn.stop("promise")  # the handover keeps it
    mark_claims(turn, losers, INTEREST)
    mark_claims(turn, members, AWARDED)
    turn.set(
        status=Status.TAKEN,
        owner=who,
        team=members,
        stage="",
        awaits="handover-owner",
        taken_at=turn.world.now,
        closed_at=lead.closed_at or turn.cue.at,
        word_at=None,
        keeper_may_release=False,
        ended_at=None,
        ended_as="",
        released_by="",
    )
    turn.record(f"taken by {', '.join(world.names(members))}", why=why, who="router")
    hand_over(turn)
    turn.tell_list("outcome", what="taken", people=world.names(members), why=why)


def _joined_with(turn: Turn, who: str) -> tuple[str, ...]:
    return tuple(pair.split()[1] for pair in turn.lead.joined if pair.split()[0] == who)


def hand_over(turn: Turn) -> None:
    """Client and owner are brought together; from here on a consultant's own bun is the owner's to write about."""
    lead, world = turn.lead, turn.world
    turn.tell_client("handover", owner=lead.owner, team=world.names(lead.team))
    carried = tuple(each.sha256 for each in lead.carried)
    turn.tell("handover-owner", lead.team, owner=lead.owner, team=world.names(lead.team), attach=carried)
    turn.set(handed_over=True, draft="", draft_kind="")


def reoffer(turn: Turn, who: str, why: str) -> None:
    """The bun comes back: the keeper owns, a new window opens, those who wanted it are asked first."""
    lead, world = turn.lead, turn.world
    earlier = [c.who for c in lead.claims if c.who != who]  # who yielded then may want it now
    mark_claims(turn, [c.who for c in lead.claims if c.state != WITHDRAWN], INTEREST)
    withdraw(turn, who)
    turn.set(passes=(Pass(who, turn.cue.at),), team=(), invited=(), joined=(), released_by=who, urgent=False)
    keeper_owns(turn)
    turn.record(f"released by {world.name(who)}", why=why)
    open_offer(turn, "back", name=world.name(who), interested=world.names(earlier))
    turn.tell("personal-offer", earlier, because="back", name=world.name(who), closes=turn.in_time(world.terms.window))
    tell_released(turn)


def tell_released(turn: Turn) -> None:
    """Tell the client that the promised person cannot; at the next moment at which a template may write to them."""
    lead, world = turn.lead, turn.world
    by = client_hears_by(turn)
    if turn.tell_client("reheat", because="released", name=world.name(lead.released_by), by=by):
        turn.promise(by)
        turn.set(released_by="")
    elif lead.client and lead.warmed_at and not turn.lead.draft_kind:
        turn.promise(world.after(lead.warmed_at, world.terms.reheat_every))


# -- drying and throwing ------------------------------------------------------------------------------------------


def go_dry(turn: Turn, why: str) -> None:
    turn.set(stage="dry", awaits="")
    turn.stop("window", "cool", "dry", "reheat")
    decide = turn.in_time(turn.world.terms.decide)
    turn.start(decide=decide)
    turn.record("dry", why=why, who="router")
    turn.tell_keeper("decide", because=why, by=decide)


def call_last(turn: Turn) -> None:
    """One more mail to the list, with the date at which the bun is thrown away."""
    turn.set(stage="last-call", awaits="last-call")
    turn.stop("decide", "dry", "cool", "window")
    turn.record("last call")
    turn.tell_list("last-call", by=turn.in_time(turn.world.terms.last_call))


def say_no(turn: Turn, ended_as: str, text: str = "") -> None:
    """Say no to the client. A throw counts once the no has left; where nobody can be told, at once."""
    turn.stop_all()
    turn.stop("promise")  # the no keeps it
    turn.wait_with(*turn.letters_waiting())
    turn.set(ended_as=ended_as)
    if text and turn.lead.client:  # a person has written it: no draft, whoever's bun it is
        turn.mail("no", "client", text=text, because=ended_as)
        turn.set(warmed_at=turn.world.now, stage="goodbye", awaits="no")
        turn.record("no is on its way to the client", why=ended_as)
    elif turn.tell_client("no", text=text, because=ended_as):
        turn.set(stage="goodbye", awaits="no")
        turn.record("no is on its way to the client", why=ended_as)
    else:
        finish_throw(turn)


def finish_throw(turn: Turn) -> None:
    told = turn.lead.offered_at is not None or turn.lead.on_list
    turn.end(Status.THROWN, turn.lead.ended_as or "thrown")
    turn.record("thrown away", why=turn.lead.ended_as)
    if told:
        turn.tell_list("outcome", what="thrown", people=(), why=turn.lead.ended_as)


def warm_up(turn: Turn) -> None:
    """A person has told the client something: freshness buys one working day in a bun that nobody has taken."""
    turn.set(warmed_at=max(turn.cue.at, turn.lead.warmed_at or turn.cue.at))
    turn.stop("promise")
    lead, terms = turn.lead, turn.world.terms
    if lead.status == Status.OFFERED and lead.stage == "dry":
        turn.set(stage="cooling")
        turn.stop("decide")
        turn.start(dry=turn.in_time(terms.decide))
    elif lead.status == Status.OFFERED and lead.stage == "last-call" and "last-call" in lead.timers:
        turn.start(last_call=max(lead.timers["last-call"], turn.in_time(terms.decide)))


def word_from_owner(turn: Turn) -> None:
    """Any word from the owner of a taken bun: the next nudge comes after five working days, or the date named."""
    lead, terms, world, cue = turn.lead, turn.world.terms, turn.world, turn.cue
    is_word = ":" not in cue.name and cue.name not in _ABOUT_SOMEBODY and not cue.settled
    if lead.status != Status.TAKEN or cue.who not in lead.team or not is_word:
        return
    quiet = turn.in_time(terms.nudge_quiet)
    if turn.cue.until is not None:
        quiet = world.opening_of(turn.cue.until)
    turn.set(word_at=turn.cue.at, keeper_may_release=False)
    if turn.lead.awaits == "handover-owner":  # who answers has read it
        turn.set(awaits="")
    turn.start(nudge=quiet, silent=world.after(quiet, terms.nudge))
