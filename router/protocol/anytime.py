"""What may be said and happen while a lead is open, whatever its status; and the word that takes words back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from router.lead import INTEREST, STANDING, WITHDRAWN, Letter, Status, read_stamp
from router.protocol import steps
from router.protocol.arriving import person_answered, welcome
from router.protocol.offered import after_withdrawal
from router.protocol.table import ALL, ANY_ENDED, ANY_OPEN, COOKIE, DOUGH, EATEN, THROWN, row, take
from router.turn import QUARTER, Cue, Turn


@row("Any open lead", ANY_OPEN, ("with",), says="“with Bo” by a claimant or owner", then="Bo is asked",
     mails="invitation → Bo; Bo joins by saying “join”")  # fmt: skip
def invite(turn: Turn) -> None:
    lead, cue, world = turn.lead, turn.cue, turn.world
    if cue.who not in (*lead.claimants, lead.owner, *lead.team):
        turn.refuse("not-yours")
        return
    guests = [key for key in cue.named if key != cue.who]
    if not guests:
        turn.refuse("unknown-name", name=cue.unknown)
        return
    turn.set(invited=tuple(dict.fromkeys((*lead.invited, *(f"{cue.who} {key}" for key in guests)))))
    turn.record("asks " + ", ".join(world.names(guests)) + " to join", why=f"“{cue.line}”")
    turn.tell("invitation", guests, name=world.name(cue.who))
    turn.receipt("with", people=world.names(guests))


@row("", ANY_OPEN, ("join",), says="", then="")
def join_team(turn: Turn) -> None:
    """Nobody joins a team who has not said so, and nobody who was not asked (rule 2)."""
    lead, who = turn.lead, turn.cue.who
    hosts = [pair.split()[0] for pair in lead.invited if pair.split()[1] == who]
    if lead.status != Status.DOUGH:  # who has given way has nothing left to share
        hosts = [host for host in hosts if host in (lead.owner, *lead.claimants, *lead.team)]
    if not hosts and lead.status == Status.TAKEN:
        turn.tell("has-it", [who])
        return
    if not hosts:
        turn.refuse("not-invited")
        return
    turn.set(joined=tuple(dict.fromkeys((*lead.joined, *(f"{host} {who}" for host in hosts)))))
    turn.record("joins " + ", ".join(turn.world.names(hosts)), why=f"“{turn.cue.line}”")
    if lead.status == Status.TAKEN:  # its hosts are its team
        turn.set(team=tuple(dict.fromkeys((*lead.team, who))))
        turn.tell("handover-owner", [who], owner=lead.owner, team=turn.world.names(turn.lead.team))
    turn.receipt("join", people=turn.world.names(hosts))


@row("Any open lead", ANY_OPEN, ("warm",), says="“warm” by the owner, with or without a text", then="reheated",
     mails="the text → client")  # fmt: skip
def warm(turn: Turn) -> None:
    if not turn.cue.settled and not _may_write(turn):  # what was theirs to write goes, whoever has the bun by now
        return
    if not turn.cue.settled:
        steps.spare(turn)
    if turn.cue.text and turn.wait_for_undo(text=turn.cue.text):
        return
    if turn.cue.text:
        _write_to_client(turn, turn.cue.text)
    else:
        turn.receipt("warm", until=turn.cue.until)
    steps.warm_up(turn)
    turn.record("reheated", why=f"“{turn.cue.line}”")


@row("", ANY_ENDED, ("warm",), when=lambda turn: turn.cue.settled, says="", then="")
def letter_outlives_bun(turn: Turn) -> None:
    """Written while the bun was open; a person's own text always goes (PROTOCOL "Time")."""
    _write_to_client(turn, turn.cue.text)
    turn.record("wrote to the client", why=f"“{turn.cue.line}”")


def _may_write(turn: Turn) -> bool:
    """The owner; and whoever has the bun with them, since the client knows the whole team."""
    if turn.cue.who in turn.lead.team or steps.may_end(turn):
        return True
    turn.refuse("not-owner", owner=turn.world.name(turn.lead.owner))
    return False


def _write_to_client(turn: Turn, text: str) -> None:
    """A person's own text always goes, on their own bun too: they have said so."""
    lead = turn.lead
    turn.set(letters=(*lead.letters, Letter(turn.cue.at, turn.cue.who, text)))
    if lead.client:
        steps.may_be_reached(turn)
        turn.mail("word", "client", text=text, name=turn.world.name(turn.cue.who))
        turn.set(warmed_at=turn.cue.at)
        person_answered(turn)
    else:
        turn.mail("please-tell", f"@{lead.owner}", about="word", facts={"text": text})


@row("", (*ANY_OPEN, THROWN), ("send",), says="", then="")
def send_draft(turn: Turn) -> None:
    """The owner lets a draft go (PROTOCOL "Arriving": mails of a consultant's own bun are drafts to its owner)."""
    lead = turn.lead
    if steps.only_owner(turn):
        return
    if not lead.draft_kind or not lead.client:
        turn.refuse("no-draft")
        return
    if turn.wait_for_undo(text=""):
        return
    facts = _draft_facts(turn)
    turn.mail(lead.draft_kind, "client", **facts)
    if facts.get("by") and lead.is_open:
        turn.promise(facts["by"])
    turn.set(draft="", draft_kind="", warmed_at=turn.cue.at, acked=True)
    turn.record("draft sent to the client", why=lead.draft_kind)


def _draft_facts(turn: Turn) -> dict[str, Any]:
    """The draft as its owner saw it; a time in it that has passed meanwhile is told anew."""
    facts: dict[str, Any] = json.loads(turn.lead.draft or "{}")
    if facts.get("by"):
        by = read_stamp(facts["by"])
        facts["by"] = by if by > turn.world.now else steps.client_hears_last(turn)
    return facts


@row("", (THROWN,), ("due:redraft",), says="", then="")
def show_no_again(turn: Turn) -> None:
    """A no that nobody has let go: asked again once, as about everything that a client waits for."""
    turn.stop("redraft")
    if turn.lead.draft_kind == "no":
        turn.show_draft(_draft_facts(turn))


@row(
    "Any open lead",
    ANY_OPEN,
    ("person writes",),
    says="a person writes to the client themselves, seen in the shared mailbox's Sent folder or with the bun's reply "
    "address in Cc",
    then="reheated; word from that person if they own it",
    mails="none",
)
def person_wrote(turn: Turn) -> None:
    turn.set(letters=(*turn.lead.letters, Letter(turn.cue.at, turn.cue.who, turn.cue.text)))
    steps.spare(turn)
    steps.warm_up(turn)
    person_answered(turn)
    turn.record("wrote to the client", why=turn.cue.line)


@row(
    "Any open lead",
    ANY_OPEN,
    ("throw",),
    says="“throw” by the owner (by the keeper until an award), with or without a text",
    then="`thrown`; refused while a claim stands, naming the claimants",
    mails="no → client, with the text if given; outcome → list if it was offered",
)
def throw(turn: Turn) -> None:
    if steps.only_owner(turn) or steps.claims_stand(turn):
        return
    if turn.lead.stage == "goodbye":  # one no is enough
        turn.refuse("no-on-its-way")
        return
    if turn.wait_for_undo(text=turn.cue.text):
        return
    turn.record("throws it away", why=f"“{turn.cue.line}”")
    steps.say_no(turn, ended_as="thrown", text=turn.cue.text)


@row("", ANY_OPEN, ("accepted:no",), says="", then="")
def no_has_left(turn: Turn) -> None:
    if turn.lead.awaits == "no":
        steps.finish_throw(turn)
    else:
        turn.record("the no had left already", why="somebody spoke up while it was on its way")


@row("", ANY_OPEN, ("failed:no",), says="", then="")
def no_never_left(turn: Turn) -> None:
    if turn.lead.awaits == "no":
        turn.tell("unreachable", [turn.lead.owner], reason=turn.cue.text)
        steps.finish_throw(turn)


@row("Any open lead", ANY_OPEN, ("withdrawn",), says="“withdrawn” by the owner: the client no longer wants it",
     then="`thrown`, reason withdrawn", mails="outcome → claimants; nothing → client")  # fmt: skip
def withdraw_request(turn: Turn) -> None:
    if steps.only_owner(turn) or turn.wait_for_undo():
        return
    others = [key for key in (*turn.lead.claimants, *turn.lead.team) if key != turn.cue.who]
    turn.end(Status.THROWN, "withdrawn")
    turn.record("withdrawn by the client", why=f"“{turn.cue.line}”")
    turn.tell("outcome", others, what="withdrawn", people=(), why="")


@row("Any open lead", ANY_OPEN, ("cookie",), says="“cookie” by the owner",
     then="`cookie`; refused while a claim stands", mails="none")  # fmt: skip
def make_cookie(turn: Turn) -> None:
    if steps.only_owner(turn) or steps.claims_stand(turn) or turn.wait_for_undo():
        return
    turn.end(Status.COOKIE, "cookie")
    turn.record("cookie", why=f"“{turn.cue.line}”")


@row("Any open lead", (DOUGH, COOKIE, THROWN, EATEN), ("bun",), says="“bun” by the owner, on dough or a cookie",
     then="`offered`", mails="offer → list; ack if there was none")  # fmt: skip
def make_bun(turn: Turn) -> None:
    if steps.only_owner(turn):
        return
    turn.set(ended_at=None, ended_as="", own=turn.lead.own if not turn.lead.handed_over else "")
    if not turn.lead.own:
        steps.keeper_owns(turn)
    turn.record("bun", why=f"“{turn.cue.line}”")
    turn.stop_all()
    turn.wait_with(*turn.letters_waiting())  # a word on its end is no longer meant
    turn.set(passes=(), team=(), invited=(), joined=(), urgent=False)
    _greet_again(turn)
    turn.set(on_list=False)
    steps.open_offer(turn)
    steps.ask_first(turn, turn.lead.interested)
    turn.receipt("bun")


def _greet_again(turn: Turn) -> None:
    """A client who has had an acknowledgement, and a no perhaps, hears that somebody looks for a colleague again."""
    if not turn.lead.acked:
        welcome(turn)
        return
    by = steps.client_hears_by(turn)
    if turn.tell_client("reheat", because="window", by=by):
        turn.promise(by)


@row("Any open lead", ANY_OPEN, ("note",), says="“note …”", then="recorded", mails="none")
def take_note(turn: Turn) -> None:
    turn.record("note", why=turn.cue.text or turn.cue.line)


@row(
    "Any open lead",
    ANY_OPEN,
    ("client writes",),
    says="client writes again, on the thread or under the same subject",
    then="appended",
    mails="→ owner and claimants, with the client and the bun's address in Reply-To; "
    "the list reads it in its next mail",
)
def client_writes(turn: Turn) -> None:
    lead, cue = turn.lead, turn.cue
    first = not any(each.who == "client" and lead.drafted_at and each.at >= lead.drafted_at for each in lead.letters)
    turn.set(letters=(*lead.letters, Letter(cue.at, "client", cue.text)))
    if cue.message_id:
        turn.set(client_thread=(*lead.client_thread, cue.message_id))
    if lead.stage == "goodbye":  # the no has not left: what the client says now comes first
        steps.go_dry(turn, why="the client wrote before the no had left")
        turn.set(ended_as="")
    turn.record("client writes", who="client")
    steps.may_be_reached(turn)
    readers = lead.team if lead.status == Status.TAKEN else (lead.owner, *lead.claimants)
    turn.set(carried=(*turn.lead.carried, *cue.carried))
    turn.tell("follow-up", readers, text=cue.text, attach=tuple(each.sha256 for each in cue.carried))
    if lead.draft_kind and first:  # they may be writing because they have heard nothing: the owner sees it once more
        turn.show_draft(_draft_facts(turn))


@row("Any open lead", ANY_OPEN, ("up",), says="a strategic request, in the owner's view: “up”", then="unchanged",
     mails="personal offer → business developer")  # fmt: skip
def send_up(turn: Turn) -> None:
    developer = turn.world.business_developer
    if steps.only_owner(turn):
        return
    if not developer:
        turn.refuse("no-developer")
        return
    turn.record("up", why=f"“{turn.cue.line}”")
    turn.tell("up-offer", [developer], name=turn.world.name(turn.cue.who))
    turn.receipt("up", people=turn.world.names([developer]))


# -- taking words back --------------------------------------------------------------------------------------------


@row("", ALL, ("undo",), says="", then="")
def undo(turn: Turn) -> None:
    """Stops a word that waits; otherwise takes back the sender's own last word on claims, while that is possible."""
    lead, who = turn.lead, turn.cue.who
    mine = [word for word in lead.pending if word.who == who and turn.cue.at <= turn.effect_of(word)]
    if mine:
        turn.wait_with(*(word for word in lead.pending if word is not mine[-1]))
        turn.record(f"undone: {mine[-1].verb}", why=mine[-1].line)
        turn.receipt("undone", verb=mine[-1].verb)
        return
    if _undo_of_company(turn):
        return
    claim = lead.claim_of(who)
    passed = any(p.who == who for p in lead.passes)
    if claim is not None and claim.state == STANDING and lead.status == Status.CONTESTED:
        _say(turn, "yield")  # to take the claim back is to give way
    elif claim is not None and claim.state == STANDING and lead.status in (Status.OFFERED, Status.DOUGH):
        steps.withdraw(turn, who)
        turn.receipt("yield")
        turn.record("claim taken back", why=f"“{turn.cue.line}”")
        after_withdrawal(turn)
    elif claim is not None and claim.state == WITHDRAWN and lead.status in ANY_OPEN:
        _say(turn, "claim")  # as whatever a claim is now: in its window, in a short one, an objection, or interest
        again = turn.lead.claim_of(who)
        if again is not None and again.state == STANDING:  # it counts from when it was first made
            steps.put_claim(turn, replace(again, at=claim.at, spoken=turn.cue.at))
    elif claim is not None and claim.state == INTEREST:
        turn.set(claims=tuple(c for c in lead.claims if c.who != who))
        turn.record("interest taken back", why=f"“{turn.cue.line}”")
        turn.receipt("undone", verb="claim")
    elif passed:
        turn.set(passes=tuple(p for p in lead.passes if p.who != who))
        turn.record("pass taken back", why=f"“{turn.cue.line}”")
        turn.receipt("undone", verb="pass")
    else:
        turn.refuse("nothing-to-undo")


def _say(turn: Turn, verb: str) -> None:
    """The cue as if its sender had said `verb`."""
    turn.cue = replace(turn.cue, name=verb)
    take(turn)


def _undo_of_company(turn: Turn) -> bool:
    """Where the last word was not about a claim, "undo" leaves the claim alone; answers whether it was so."""
    lead, who = turn.lead, turn.cue.who
    last = next((event.what for event in reversed(lead.events) if event.who.rpartition(" ")[2] == who), "")
    for said, verb in (("asks ", "with"), ("joins ", "join"), ("together", "together")):
        if last.startswith(said):
            turn.set(
                invited=tuple(p for p in lead.invited if verb != "with" or p.split()[0] != who),
                joined=tuple(p for p in lead.joined if verb != "join" or p.split()[1] != who),
                together=tuple(key for key in lead.together if verb != "together" or key != who),
            )
            turn.record(f"undone: {verb}", why=f"“{turn.cue.line}”")
            turn.receipt("undone", verb=verb)
            return True
    if last.startswith(_CANNOT_BE_UNSAID):
        turn.refuse("nothing-to-undo")
        return True
    return False


_CANNOT_BE_UNSAID = ("note", "offered to ", "urgent", "last call", "up", "reheated", "wrote ", "undone: ")


@row("", ALL, ("due:undo",), says="", then="")
def take_effect(turn: Turn) -> None:
    """The time for "undo" has passed: the word comes back as a settled cue, and every check is made again."""
    due = [word for word in turn.lead.pending if turn.effect_of(word) <= turn.world.now]
    turn.wait_with(*(word for word in turn.lead.pending if word not in due))
    for word in due:
        turn.cue = Cue(word.verb, turn.world.now, word.who, word.line, word.text, settled=True, by=word.by)
        if not take(turn):
            turn.record(f"“{word.verb}” came too late", why=word.line)


# -- time -----------------------------------------------------------------------------------------------------------


_TELLS_CLIENT = ("window", "objection", "fallback", "last-call")  # at these the client is likely to hear
SOON = timedelta(minutes=30)


@row("", ANY_OPEN, ("due:promise",), says="", then="")
def keep_promise(turn: Turn) -> None:
    """A time promised to the client has come and nothing has been written since: say how things stand (rule 5)."""
    turn.stop("promise")
    lead = turn.lead
    if lead.status == Status.TAKEN:
        return
    if lead.stage == "goodbye":  # the no keeps it; should it be overtaken, we are back in a while
        turn.start(promise=turn.in_time(turn.world.terms.short_window))
        return
    if turn.letters_waiting():  # a person's own words are about to leave: they keep it better
        turn.start(promise=lead.timers.get("undo"))
        return
    due = [lead.due_at(name) for name in lead.timers if name in _TELLS_CLIENT]
    soon = [at for at in due if at <= turn.world.now + SOON]
    if soon:  # a handover or a no is about to leave: two mails in a row, and the first soon untrue, help nobody
        turn.start(promise=max(min(soon), turn.world.now + QUARTER))
        return
    if lead.released_by and lead.released_by not in lead.claimants:
        steps.tell_released(turn)
        return
    because = "contested" if lead.status == Status.CONTESTED else "window" if lead.stage == "window" else "nobody-yet"
    # on dough nothing is urgent, in a contest the end is known, and else the whole way to the no
    known = {Status.DOUGH: lead.timers.get("dough"), Status.CONTESTED: lead.timers.get("fallback")}.get(lead.status)
    by = known if known and known > turn.world.now else steps.client_hears_last(turn)
    if turn.tell_client("reheat", because=because, by=by):
        turn.promise(by)


@row("", (DOUGH,), ("due:dough",), says="", then="")
def still_dough(turn: Turn) -> None:
    turn.start(dough=turn.in_time(turn.world.terms.still_dough))
    turn.tell("still-dough", [turn.lead.owner])


@row("", (DOUGH,), ("claim",), says="", then="")
def claim_on_dough(turn: Turn) -> None:
    """A claim on dough stands, and counts in the window once the dough is offered: no claim is lost (rule 6)."""
    steps.add_claim(turn)
    turn.receipt("claim-on-dough")


@row("", ANY_OPEN, ("keeper turns",), says="", then="")
def keeper_turns(turn: Turn) -> None:
    """Open buns pass on with the rota; both keepers get one mail for all of them, sent by the caller."""
    turn.set(owner=turn.cue.who)
    turn.record("the keeper's week has turned", who="router", why=f"{turn.world.name(turn.cue.who)} owns it now")


@row("", ALL, ("unreachable",), says="", then="")
def unreachable(turn: Turn) -> None:
    """A delivery report about this lead: the client cannot be reached, or a colleague who owns or claims cannot."""
    lead, cue = turn.lead, turn.cue
    turn.record("mail came back", why=cue.text, who="router")
    if not cue.who:
        reader = lead.owner if lead.is_open else steps.last_owner(turn)
        if steps.is_news(turn, steps.THE_CLIENT, reader):
            turn.tell("unreachable", [reader], reason=cue.text)
        return
    unheard = cue.who == lead.owner and cue.line == "unreachable"  # the owner cannot hear that the client cannot
    keeper = turn.world.keeper or "list"
    if unheard and keeper != lead.owner and steps.is_news(turn, steps.THE_CLIENT, keeper):
        turn.tell_keeper("unreachable", reason="")
    steps.report_colleague(turn)
