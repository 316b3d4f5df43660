"""A bun on offer: claims gather in a window, or it cools, dries, and gets a last call."""

from __future__ import annotations

from router.lead import Status
from router.protocol import steps
from router.protocol.table import DOUGH, OFFERED, row
from router.turn import Turn


def _first_come(turn: Turn) -> bool:
    return not turn.world.terms.window


def _no_window_open(turn: Turn) -> bool:
    """No window is open, nor about to be, as while the offer has not left: a claim opens a short one."""
    about_to_open = turn.lead.stage == "window" and turn.lead.awaits in ("offer", "back")
    return "window" not in turn.lead.timers and not about_to_open


def _owner_has_claimed(turn: Turn) -> bool:
    return turn.cue.who in turn.lead.claimants


@row(
    "Offered",
    (OFFERED,),
    ("claim",),
    when=_first_come,
    says="“mine” where the window is 0",
    then="`taken`: the first claim is the award",
    mails="handover → client and owner; outcome → list",
)
def first_come(turn: Turn) -> None:
    steps.add_claim(turn)
    steps.award(turn, turn.cue.who, why="first come, as the collective chose")


@row(
    "Offered",
    (OFFERED,),
    ("claim",),
    when=_no_window_open,
    says="“mine” while cooling, dry or on its last call",
    then="a short window of 2 working hours opens and closes as any window",
    mails="receipt → claimant",
)
def claim_late(turn: Turn) -> None:
    if turn.lead.stage == "goodbye":  # the no has not left, so the bun can still be saved; the unsent no is outgrown
        turn.set(stage="cooling", awaits="", ended_as="")
    steps.add_claim(turn)
    closes = turn.in_time(turn.world.terms.short_window)
    turn.start(window=closes)
    turn.receipt("claim", closes=closes)
    steps.close_early(turn)


@row(
    "Offered",
    (OFFERED,),
    ("claim",),
    says="“mine” (the owner's and the keeper's too)",
    then="claim recorded",
    mails="receipt → claimant: when the window closes",
)
def claim(turn: Turn) -> None:
    steps.add_claim(turn)
    closes = turn.lead.timers.get("window")
    if closes is None or turn.cue.at <= closes:  # a later one is answered when the window is judged
        turn.receipt("claim", closes=closes)
    steps.close_early(turn)


@row("Offered", (OFFERED, DOUGH), ("pass",), says="“pass”", then="recorded, for the facts and the early close",
     mails="none")  # fmt: skip
def pass_on(turn: Turn) -> None:
    had_claimed = turn.cue.who in turn.lead.claimants
    steps.leave_company(turn)
    if had_claimed:
        steps.withdraw(turn, turn.cue.who)
    steps.add_pass(turn)
    if had_claimed:
        turn.receipt("yield")
    after_withdrawal(turn)


@row(
    "Offered",
    (OFFERED, DOUGH),
    ("yield", "release"),
    says="“yours” / “release” by a claimant",
    then="claim withdrawn",
    mails="receipt",
)
def withdraw_claim(turn: Turn) -> None:
    if turn.cue.who not in turn.lead.claimants:
        if steps.leave_company(turn):
            turn.receipt("yield")
        else:
            turn.refuse("no-claim")
        return
    steps.withdraw(turn, turn.cue.who)
    turn.record("claim withdrawn", why=f"“{turn.cue.line}”")
    turn.receipt("yield")
    after_withdrawal(turn)


def after_withdrawal(turn: Turn) -> None:
    """A short window with nobody left in it closes; a first window stays open for the others."""
    lead = turn.lead
    if lead.stage in ("cooling", "dry", "last-call") and not lead.claimants:
        turn.stop("window")
        if lead.stage == "cooling" and "dry" not in lead.timers and not lead.awaits:
            turn.start(dry=turn.in_time(turn.world.terms.freshness))
    steps.close_early(turn)


@row(
    "Offered",
    (OFFERED,),
    ("early",),
    when=lambda turn: bool(turn.lead.claimants),
    says="everyone who may claim and is not away has answered, at least one of them claims",
    then="window closes early",
    mails="as at the close",
)
@row("Offered", (OFFERED,), ("early",), says="all have passed", then="as dry, at once: no second call, no reheat",
     mails="“decide” → keeper")  # fmt: skip
def somebody_left_or_returned(turn: Turn) -> None:
    """The set of those who may answer has changed (away, back, left the roster)."""
    steps.close_early(turn)


def _in_time(turn: Turn) -> int:
    closed = turn.lead.timers.get("window", turn.cue.at)
    return sum(1 for c in turn.lead.claims if c.state == "standing" and c.at <= closed)


@row("Offered", (OFFERED,), ("due:window",), when=lambda turn: _in_time(turn) == 1, says="window closes, one claimant",
     then="`taken`, claimant owns", mails="handover → client and owner; outcome → list")  # fmt: skip
@row(
    "Offered",
    (OFFERED,),
    ("due:window",),
    when=lambda turn: _in_time(turn) > 1,
    says="window closes, several",
    then="`contested`",
    mails="contest → all claimants, with the facts: skills named, buns taken in the last 90 days, available since, and "
    "how it ends if they do not agree; reheat → client",
)
def close_window(turn: Turn) -> None:
    steps.judge(turn, until=turn.lead.timers["window"])


@row("", (OFFERED,), ("due:window",), says="", then="")
def nobody_in_time(turn: Turn) -> None:
    """The window is over without a claim; one that came after it finds a bun that is cooling."""
    closed_at = turn.lead.timers["window"]
    turn.set(closed_at=closed_at)
    turn.stop("window")
    late = [c for c in turn.lead.claims if c.state == "standing"]
    if late:
        if turn.lead.stage == "window":
            turn.set(stage="cooling")
        closes = turn.in_time(turn.world.terms.short_window)  # from now: nobody has been told of it before
        turn.start(window=closes)
        for each in late:
            turn.tell("receipt", [each.who], what="claim", line=each.line, closes=closes)


@row(
    "Offered",
    (OFFERED,),
    ("due:cool",),
    when=lambda turn: not turn.lead.claimants,
    says="window closes, none; or one working day has passed, whichever is later",
    then="still `offered`, cooling",
    mails="second call → list; reheat → client; “nobody yet” → keeper",
)
def cool_down(turn: Turn) -> None:
    turn.stop("cool")
    if "window" in turn.lead.timers:  # judged first
        turn.start(cool=turn.lead.due_at("window"))  # which may wait for a claim that is being confirmed
        return
    turn.set(stage="cooling", awaits="second-call")
    turn.record("nobody yet", why="one working day without a claim", who="router")
    turn.tell_list("second-call")
    by = steps.client_hears_last(turn)
    told = turn.tell_client("reheat", because="nobody-yet", by=by)
    if told:
        turn.promise(by)
    turn.tell_keeper("nobody-yet", told=told)


@row("", (OFFERED,), ("due:cool",), says="", then="")
def cooling_waits_for_window(turn: Turn) -> None:
    """Somebody has claimed in a window still open: its close decides, and only if the claim is withdrawn it cools."""
    turn.start(cool=max(turn.lead.timers.get("window", turn.cue.at), turn.in_time(turn.world.terms.short_window)))


@row(
    "Offered",
    (OFFERED,),
    ("due:reheat",),
    says="a window longer than a working day",
    then="after each working day",
    mails="reheat → client",
)
def reheat_in_long_window(turn: Turn) -> None:
    turn.stop("reheat")
    closes = turn.lead.timers.get("window")
    following = turn.in_time(turn.world.terms.freshness)
    if closes is None:
        return
    if following < closes:
        turn.start(reheat=following)
    by = turn.no_sooner(closes)
    if turn.tell_client("reheat", because="window", by=by):
        turn.promise(by)


@row("Offered", (OFFERED,), ("due:dry",), when=lambda turn: not turn.lead.claimants,
     says="two working days without a claim", then="dry",
     mails="“decide” → keeper: mine, throw, last call, or warm (which buys one working day)")  # fmt: skip
def dry_out(turn: Turn) -> None:
    steps.go_dry(turn, why="two working days without a claim")


@row("", (OFFERED,), ("due:dry", "due:decide", "due:last-call"), when=lambda turn: bool(turn.lead.claimants),
     says="", then="")  # fmt: skip
def claim_outlives_deadline(turn: Turn) -> None:
    """A standing claim keeps the bun from drying or being thrown: its short window is judged first."""
    name = turn.cue.name.removeprefix("due:")
    window = turn.lead.due_at("window") if "window" in turn.lead.timers else turn.in_time(turn.world.terms.short_window)
    turn.start(**{name.replace("-", "_"): window})


@row("", (OFFERED,), ("due:last-call",), when=lambda turn: bool(turn.lead.pending), says="", then="")
def a_person_has_spoken(turn: Turn) -> None:
    """Somebody's own words wait for "undo": they take effect first, and the no is theirs or has more time."""
    turn.start(last_call=turn.lead.timers["undo"])


@row("", (OFFERED,), ("due:decide",), when=lambda turn: not turn.world.keeper, says="", then="")
def nobody_to_decide(turn: Turn) -> None:
    """With keeper and deputy away nothing is thrown: the list is asked to decide, once each working day."""
    by = turn.in_time(turn.world.terms.decide)
    turn.start(decide=by)
    turn.tell_keeper("decide", because="keeper and deputy are away", by=by)


@row("Offered", (OFFERED,), ("due:decide",), says="no decision in a working day, or “last call”",
     then="last call, one working day on", mails="last call → list, with the date")  # fmt: skip
def last_call_for_want_of_decision(turn: Turn) -> None:
    steps.call_last(turn)


@row("", (OFFERED,), ("last-call",), says="", then="")
def last_call_by_word(turn: Turn) -> None:
    if steps.only_owner(turn) or steps.claims_stand(turn):
        return
    if turn.lead.stage == "goodbye":
        turn.refuse("no-on-its-way")
        return
    if turn.lead.stage == "window":  # colleagues were promised that long
        turn.refuse("window-open")
        return
    steps.call_last(turn)
    turn.receipt("last-call", by=turn.in_time(turn.world.terms.last_call))


@row("", (OFFERED,), ("due:last-call",), when=lambda turn: turn.world.terms.no_by == "person" or not turn.world.keeper,
     says="", then="")  # fmt: skip
def only_a_person_says_no(turn: Turn) -> None:
    """Where only a person says no, and where no keeper is there, a reminder each working day takes its place."""
    by = turn.in_time(turn.world.terms.decide)
    turn.start(last_call=by)
    turn.set(stage="dry")
    turn.tell_keeper("decide", because="the last call is over", by=by)


@row("Offered", (OFFERED,), ("due:last-call",), says="the last call's date passes, no claim standing", then="`thrown`",
     mails="no → client; outcome → list")  # fmt: skip
def throw_dry(turn: Turn) -> None:
    steps.say_no(turn, ended_as="dry")


@row("Offered", (OFFERED,), ("offer",), says="“offer Anna” by the owner", then="unchanged",
     mails="personal offer → Anna")  # fmt: skip
def offer_to_person(turn: Turn) -> None:
    if steps.only_owner(turn):
        return
    if not turn.cue.named:
        turn.refuse("unknown-name", name=turn.cue.unknown)
        return
    turn.set(asked=tuple(dict.fromkeys((*turn.lead.asked, *turn.cue.named))))
    turn.record("offered to " + ", ".join(turn.world.names(turn.cue.named)), why=f"“{turn.cue.line}”")
    sender = turn.world.name(turn.cue.who)
    turn.tell("personal-offer", turn.cue.named, because="asked", name=sender, closes=turn.lead.timers.get("window"))
    turn.receipt("offer", people=turn.world.names(turn.cue.named))


@row(
    "Offered",
    (OFFERED,),
    ("urgent",),
    when=lambda turn: not _owner_has_claimed(turn),
    says="“urgent” by the owner, unless the owner has claimed",
    then="window shortened to 4 working hours from now, never lengthened",
    mails="offer again, marked urgent",
)
def make_urgent(turn: Turn) -> None:
    if steps.only_owner(turn):
        return
    if turn.lead.stage != "window" or turn.lead.urgent:
        turn.refuse("no-window")
        return
    closes = turn.in_time(turn.world.terms.urgent_window)
    if "window" in turn.lead.timers:
        closes = min(closes, turn.lead.timers["window"])
        steps.run_until(turn, closes, opened=turn.lead.offered_at or turn.cue.at)
    turn.set(urgent=True)
    turn.record("urgent", why=f"“{turn.cue.line}”")
    if turn.lead.awaits:  # the list has not heard yet: the urgent offer goes instead of the one that waits
        turn.set(awaits="offer")
    turn.tell_list("offer", closes=closes)
    turn.receipt("urgent", closes=closes)


@row("", (OFFERED,), ("urgent",), says="", then="")
def urgent_by_claimant(turn: Turn) -> None:
    turn.refuse("owner-claimed")


@row("Offered", (OFFERED,), ("dough",), says="“dough” by the owner",
     then="`dough`; “still dough?” after 20 working days", mails="outcome → list")  # fmt: skip
def back_to_dough(turn: Turn) -> None:
    if steps.only_owner(turn) or steps.claims_stand(turn):
        return
    turn.set(status=Status.DOUGH, stage="", awaits="")
    turn.stop_all()
    turn.wait_with(*turn.letters_waiting())  # a word on its end is no longer meant
    turn.start(dough=turn.in_time(turn.world.terms.still_dough))
    turn.record("dough", why=f"“{turn.cue.line}”")
    turn.tell_list("outcome", what="dough", people=(), why="")
    turn.receipt("dough")


@row("Offered", (OFFERED,), ("eaten",), says="“answered” / “eaten” by the owner: a person has seen to it",
     then="`eaten`", mails="outcome → list")  # fmt: skip
def answered(turn: Turn) -> None:
    if steps.only_owner(turn) or steps.claims_stand(turn) or turn.wait_for_undo():
        return
    turn.end(Status.EATEN, "answered")
    turn.record("answered", why=f"“{turn.cue.line}”")
    turn.tell_list("outcome", what="answered", people=(turn.world.name(turn.cue.who),), why="")


@row("", (OFFERED,), ("accepted:offer", "accepted:back"), says="", then="")
def offer_accepted(turn: Turn) -> None:
    if turn.lead.awaits in ("offer", "back"):
        steps.start_clocks(turn)


@row("", (OFFERED,), ("accepted:second-call",), says="", then="")
def second_call_accepted(turn: Turn) -> None:
    """The second working day runs from when the list has heard the second call."""
    if turn.lead.awaits != "second-call":
        return
    turn.set(awaits="")
    turn.start(dry=turn.world.dries(turn.lead, turn.in_time(turn.world.terms.freshness)))


@row("", (OFFERED,), ("accepted:last-call",), says="", then="")
def last_call_accepted(turn: Turn) -> None:
    if turn.lead.awaits == "last-call":
        turn.set(awaits="")
        turn.start(last_call=turn.in_time(turn.world.terms.last_call))


@row("", (OFFERED,), ("failed:offer", "failed:back", "failed:second-call", "failed:last-call"), says="", then="")
def list_never_heard(turn: Turn) -> None:
    """The list cannot be reached: the keeper decides at once, unless somebody has claimed all the same."""
    lead, why = turn.lead, "the list could not be reached: " + turn.cue.text
    if lead.awaits != turn.cue.name.removeprefix("failed:"):
        return
    if not lead.claimants:
        steps.go_dry(turn, why=why)
        return
    turn.set(stage="cooling", awaits="")
    turn.stop("cool", "dry", "decide", "last-call", "reheat")
    turn.record("the list has not heard", why=why, who="router")
    if "window" not in lead.timers:
        turn.start(window=turn.in_time(turn.world.terms.short_window))
    steps.close_early(turn)


@row("", (OFFERED,), ("accepted:decide", "failed:decide"), says="", then="")
def keeper_has_heard(turn: Turn) -> None:
    """The keeper's working day runs from when they were asked; who cannot be asked does not stop the clock for ever."""
    if turn.lead.awaits == "decide":
        turn.set(awaits="")
        turn.start(decide=turn.in_time(turn.world.terms.decide))


@row("", (DOUGH, OFFERED), ("left",), says="", then="")
def somebody_left_roster(turn: Turn) -> None:
    who = turn.cue.who
    if who in turn.lead.claimants:
        steps.withdraw(turn, who)
        turn.record("claim withdrawn", why="left the roster", who=who)
    if who == turn.lead.owner:
        steps.keeper_owns(turn)
        turn.set(own="")
        turn.record("the keeper owns it", why=f"{turn.world.name(who)} left the roster", who="router")
        turn.tell_keeper("owner-left", name=turn.world.name(who))
    if turn.lead.status == Status.OFFERED:
        after_withdrawal(turn)
