"""The steps that several rows share: opening a window, awarding, handing over, saying no.

Each is one thing that the protocol does, whatever led to it. Pure: they change the Turn, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from router.lead import INTEREST, STANDING, WITHDRAWN, Claim, Pass, Status
from router.turn import QUARTER, Turn, drawn_first

AWARDED = "awarded"
THE_CLIENT = "client"  # in `unreached`
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


def last_owner(turn: Turn) -> str:
    """Who answers for a bun that has ended: its owner, or the keeper once they are away or gone."""
    owner, world = turn.lead.owner, turn.world
    return owner if world.is_here(owner) else world.keeper or world.standing_keeper


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
        if cue.at < old.at:  # said before, and met only now
            put_claim(turn, replace(old, at=cue.at))
        return
    put_claim(turn, Claim(cue.who, cue.at, cue.line, state))
    turn.set(passes=tuple(p for p in lead.passes if p.who != cue.who))
    turn.record("claim" if state == STANDING else "interest", why=f"“{cue.line}”")


def mark_claims(turn: Turn, keys: Iterable[str], state: str) -> None:
    chosen = frozenset(keys)
    turn.set(claims=tuple(replace(c, state=state) if c.who in chosen else c for c in turn.lead.claims))


def put_claim(turn: Turn, claim: Claim) -> None:
    """This person's claim as it is now, in the order in which the server received them."""
    claims = (*(each for each in turn.lead.claims if each.who != claim.who), claim)
    turn.set(claims=tuple(sorted(claims, key=lambda each: each.at)))


def withdraw(turn: Turn, who: str) -> None:
    claim = turn.lead.claim_of(who)
    if claim is not None:
        put_claim(turn, replace(claim, state=WITHDRAWN, spoken=turn.cue.at))


def is_overtaken(turn: Turn) -> bool:
    """A word on a claim that the server had before the same person's last one, and that is met only now.

    It is recorded and changes nothing: what a person said last is what they want (rule 6).
    """
    cue, lead = turn.cue, turn.lead
    if cue.name not in ("claim", "pass", "yield", "release") or cue.settled:
        return False
    last, known = lead.last_word_on_claim(cue.who), lead.claim_of(cue.who)
    repeated = cue.name == "claim" and known is not None and known.state != WITHDRAWN
    if last is None or cue.at >= last or repeated:
        return False
    if cue.name == "claim" and known is None:
        put_claim(turn, Claim(cue.who, cue.at, cue.line, WITHDRAWN, last))
    turn.record(f"“{cue.name}” overtaken by a later word", why=f"“{cue.line}”")
    return True


def leave_company(turn: Turn) -> bool:
    """Who has joined somebody's claim and says "pass" or "yours" is no longer with them; answers whether they were."""
    rest = tuple(pair for pair in turn.lead.joined if pair.split()[1] != turn.cue.who)
    was_with = rest != turn.lead.joined
    if was_with:
        turn.set(joined=rest)
        turn.record("no longer joins", why=f"“{turn.cue.line}”")
    return was_with


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
    turn.set(awaits="", offered_at=turn.lead.offered_at or at)
    run_until(turn, window, opened=at)
    if not terms.window and turn.lead.claimants:
        award(turn, turn.lead.claimants[0], why="first come, as the collective chose")
    else:
        close_early(turn)


def run_until(turn: Turn, window: datetime, opened: datetime) -> None:
    """The window closes then; freshness runs from the opening, whatever the window (PROTOCOL "Time")."""
    fresh = turn.world.after(opened, turn.world.terms.freshness)
    turn.start(window=window if turn.world.terms.window else None, cool=max(window, fresh))
    turn.start(reheat=fresh if fresh < window else None)


def close_early(turn: Turn) -> None:
    """Everybody who may claim and is not away has answered: there is nobody left to wait for."""
    lead = turn.lead
    unheard = lead.awaits in ("offer", "back") or (lead.hold_until is not None and lead.hold_until > turn.world.now)
    if lead.status != Status.OFFERED or unheard or lead.stage == "goodbye":
        return
    answered = frozenset(lead.claimants) | {p.who for p in lead.passes}
    waiting = turn.world.may_claim() - answered
    if waiting or not answered & turn.world.may_claim():
        return
    if lead.claimants:
        until = lead.timers.get("window") or max(turn.world.now, *(claim.at for claim in lead.claims))
        if any(claim.state == STANDING and claim.at <= until for claim in lead.claims):
            turn.record("window closed early", why="everybody who may claim and is here has answered", who="router")
            judge(turn, until, closed_at=min(until, turn.world.now))
    elif lead.stage in ("window", "cooling"):
        go_dry(turn, why="all have passed")


def client_hears_by(turn: Turn) -> datetime:
    """The latest moment at which the router writes to the client of a bun just offered."""
    terms = turn.world.terms
    now = turn.world.now
    return turn.no_sooner(max(turn.world.after(now, terms.window), turn.world.after(now, terms.freshness)))


def client_hears_last(turn: Turn) -> datetime:
    """… and of a bun that nobody wanted at first: the whole way to the no."""
    terms, world = turn.world.terms, turn.world
    dry = world.after(world.now, terms.freshness)
    end = world.after(world.after(dry, terms.decide), terms.last_call) + QUARTER  # each step waits until all is heard
    return turn.no_sooner(end)


# -- judging a window ---------------------------------------------------------------------------------------------


def judge(turn: Turn, until: datetime, closed_at: datetime | None = None) -> None:
    """The window has closed: one claimant takes it, several sort it out. Claims after `until` are interest.

    `closed_at`: when it closed early; what the server had by then and turns up later was in time.
    """
    in_time = [c.who for c in turn.lead.claims if c.state == STANDING and c.at <= until]
    late = [c.who for c in turn.lead.claims if c.state == STANDING and c.at > until]
    mark_claims(turn, late, INTEREST)
    turn.set(closed_at=closed_at or until)
    turn.stop("window")
    if len(in_time) == 1:
        award(turn, in_time[0], why="the only claim when the window closed")
    else:
        contest(turn, in_time)
    turn.tell("has-it" if len(in_time) == 1 else "too-late", late)


def contest(turn: Turn, claimants: list[str]) -> None:
    terms, world = turn.world.terms, turn.world
    turn.set(status=Status.CONTESTED, stage="", awaits="contest", together=(), named=())
    turn.stop_all()
    end = turn.in_time(terms.contest_end)
    turn.record("contested", why="claimed by " + ", ".join(world.names(claimants)), who="router")
    tell_contest(turn, claimants, turn.in_time(terms.contest_mediate), end)
    by = turn.no_sooner(end)
    if turn.tell_client("reheat", because="contested", by=by):
        turn.promise(by)


def run_contest(turn: Turn) -> None:
    """The claimants' time runs from when they have heard of one another."""
    terms = turn.world.terms
    turn.start(mediate=turn.in_time(terms.contest_mediate), fallback=turn.in_time(terms.contest_end))


def tell_contest(
    turn: Turn, readers: Iterable[str], mediate: datetime | None = None, ends: datetime | None = None
) -> None:
    """The facts of the contest as it stands: who wants it, what is known of them, and how it ends."""
    world, claimants, timers = turn.world, turn.lead.claimants, turn.lead.timers
    turn.tell(
        "contest",
        readers,
        people=claimants,
        mediator=world.name(world.mediator_for(claimants)),
        mediate=mediate or timers.get("mediate"),
        ends=ends or timers.get("fallback"),
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
    members = tuple(dict.fromkeys((who, *team, *_joined_with(turn, (who, *team)))))
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


def _joined_with(turn: Turn, hosts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pair.split()[1] for pair in turn.lead.joined if pair.split()[0] in hosts)


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
    client_knows = lead.handed_over and lead.awaits != "handover-owner"  # else the handover has not even left
    mark_claims(turn, [c.who for c in lead.claims if c.state != WITHDRAWN], INTEREST)
    withdraw(turn, who)
    turn.set(passes=(Pass(who, turn.cue.at),), team=(), invited=(), joined=(), released_by=who, urgent=False)
    keeper_owns(turn)
    turn.record(f"released by {world.name(who)}", why=why)
    open_offer(turn, "back", name=world.name(who), interested=world.names(earlier))
    ask_first(turn, earlier)
    if client_knows:
        tell_released(turn)
    else:
        turn.set(released_by="", handed_over=False)
        turn.promise(client_hears_by(turn))


def ask_first(turn: Turn, keys: Iterable[str]) -> None:
    """Those who wanted it before are asked by name when it comes back (PROTOCOL "Words": interest)."""
    name, closes = turn.world.name(turn.lead.released_by), turn.in_time(turn.world.terms.window)
    turn.tell("personal-offer", keys, because="back", name=name, closes=closes)


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
    turn.set(stage="dry", awaits="decide")
    turn.stop("window", "cool", "dry", "reheat")
    turn.record("dry", why=why, who="router")
    turn.tell_keeper("decide", because=why, by=turn.in_time(turn.world.terms.decide))


def call_last(turn: Turn) -> None:
    """One more mail to the list, with the date at which the bun is thrown away."""
    turn.set(stage="last-call", awaits="last-call")
    turn.stop("decide", "dry", "cool", "window")
    turn.record("last call")
    turn.tell_list("last-call", by=turn.in_time(turn.world.terms.last_call))


def say_no(turn: Turn, ended_as: str, text: str = "") -> None:
    """Say no to the client. A throw counts once the no has left; where nobody can be told, at once."""
    turn.stop_all()
    turn.wait_with(*turn.letters_waiting())
    turn.set(ended_as=ended_as, goodbye=text)
    lead = turn.lead
    theirs = not lead.own or lead.handed_over or turn.cue.who == lead.own
    if text and lead.client and theirs:  # the person whose client it is has written it: no draft
        turn.mail("no", "client", text=text, because=ended_as)
        turn.set(warmed_at=turn.world.now, stage="goodbye", awaits="no")
        turn.record("no is on its way to the client", why=ended_as)
    elif turn.tell_client("no", text=text, because=ended_as):
        turn.set(stage="goodbye", awaits="no")
        turn.record("no is on its way to the client", why=ended_as)
    else:
        finish_throw(turn)
        if turn.lead.draft_kind == "no":
            turn.start(redraft=turn.in_time(turn.world.terms.freshness))


def finish_throw(turn: Turn) -> None:
    told = turn.lead.offered_at is not None or turn.lead.on_list
    heard = turn.cue.name == "accepted:no"
    turn.end(Status.THROWN, turn.lead.ended_as or "thrown")
    turn.record("thrown away", why=turn.lead.ended_as)
    if told:
        draft = not heard and turn.lead.draft_kind == "no"
        turn.tell_list("outcome", what="thrown", people=(), why=turn.lead.ended_as, heard=heard, draft=draft)


def spare(turn: Turn) -> None:
    """Somebody writes to the client while the no has not left: what they say comes first, and the bun cools again."""
    if turn.lead.stage == "goodbye":
        turn.set(stage="cooling", awaits="", ended_as="", goodbye="")
        turn.start(dry=turn.in_time(turn.world.terms.decide))
        no, letter = "throw", "warm"
        turn.record(f"“{no}” gives way to “{letter}”", why=turn.cue.line)


def is_news(turn: Turn, whom: str, reader: str) -> bool:
    """Whether this reader has not heard yet that mail to them comes back; from now on they have."""
    told = f"{whom} {reader}"
    if told in turn.lead.unreached:
        return False
    turn.set(unreached=(*turn.lead.unreached, told))
    return True


def report_colleague(turn: Turn) -> None:
    """A colleague with a part in this bun cannot be reached: the keeper hears at once, and once."""
    world, cue = turn.world, turn.cue
    if is_news(turn, f"@{cue.who}", world.keeper or "list"):
        turn.tell_keeper("colleague-unreachable", name=world.name(cue.who), reason=cue.text)


def may_be_reached(turn: Turn) -> None:
    """Something new is known of the client, or written to them: should mail come back now, its owner hears again."""
    turn.set(unreached=tuple(pair for pair in turn.lead.unreached if pair.split()[0] != THE_CLIENT))


def warm_up(turn: Turn) -> None:
    """A person has told the client something: freshness buys one working day in a bun that nobody has taken."""
    turn.set(warmed_at=max(turn.cue.at, turn.lead.warmed_at or turn.cue.at))
    lead, terms = turn.lead, turn.world.terms
    if lead.status == Status.OFFERED and lead.stage == "dry":
        turn.set(stage="cooling", awaits="")
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
