"""After the end: a thrown bun can be microwaved, a client may write again, an old client begins anew."""

from __future__ import annotations

from router.lead import INTEREST, Lead, Letter, Status
from router.protocol import steps
from router.protocol.table import ANY_ENDED, COOKIE, EATEN, THROWN, registered, row
from router.turn import Turn, World


def _still_warm(turn: Turn) -> bool:
    """Thrown away by us, and not long ago; a client who no longer wants it is not brought together with anybody."""
    ended = turn.lead.ended_at
    in_time = ended is not None and turn.cue.at <= turn.world.after(ended, turn.world.terms.microwave)
    return in_time and not _client_said_no(turn)


def _client_said_no(turn: Turn) -> bool:
    return turn.lead.ended_as in ("withdrawn", "lost")


@row("Ended", (THROWN,), ("claim",), when=_still_warm, says="thrown, ≤ 30 days: “mine”",
     then="`taken` (a bun can be microwaved)", mails="handover, outcome")  # fmt: skip
def microwave(turn: Turn) -> None:
    steps.add_claim(turn)
    steps.award(turn, turn.cue.who, why="claimed after it was thrown away")


@row("", (THROWN,), ("claim",), when=_client_said_no, says="", then="")
def claim_after_clients_no(turn: Turn) -> None:
    """The wish is kept; the last owner knows whether the client can be asked again."""
    steps.add_claim(turn, INTEREST)
    turn.refuse("client-said-no", owner=turn.world.name(turn.lead.owner))


@row("", (THROWN, COOKIE), ("claim",), says="", then="")
def claim_long_after(turn: Turn) -> None:
    """Too old, or a cookie: the wish is kept, and the last owner can open it again with "bun"."""
    steps.add_claim(turn, INTEREST)
    turn.refuse("ended-long-ago", owner=turn.world.name(turn.lead.owner))


@row("Ended", (THROWN, COOKIE), ("client writes",), says="thrown, cookie: client writes again", then="unchanged",
     mails="→ last owner: “bun” opens it again; asked again once after a working day")  # fmt: skip
def client_writes_after_no(turn: Turn) -> None:
    _append(turn)
    turn.start(reask=turn.in_time(turn.world.terms.freshness))
    turn.tell("reopen", [steps.last_owner(turn)], text=turn.cue.text, again=False)


@row("", (THROWN, COOKIE), ("due:reask",), says="", then="")
def ask_again(turn: Turn) -> None:
    turn.stop("reask")
    text = next((letter.text for letter in reversed(turn.lead.letters) if letter.who == "client"), "")
    turn.tell("reopen", [steps.last_owner(turn)], text=text, again=True)


@row("Ended", (EATEN,), ("client writes",), says="eaten: client writes again", then="unchanged", mails="→ owner")
def client_writes_after_eaten(turn: Turn) -> None:
    _append(turn)
    new = tuple(each.sha256 for each in turn.cue.carried)
    turn.tell("follow-up", turn.lead.team or (turn.lead.owner,), text=turn.cue.text, attach=new)


def starts_anew(lead: Lead, world: World) -> bool:
    """Eaten, and "after 30 days, or the owner has left or is away": the client's mail is a new bun, linked."""
    if lead.status != Status.EATEN or lead.ended_at is None:
        return False
    return world.after(lead.ended_at, world.terms.eaten_for) < world.now or not world.is_here(lead.owner)


registered(
    "Ended",
    "eaten, after 30 days, or the owner has left or is away: client writes again",
    "a new bun, linked",
    "ack; offer naming the last owner",
)


def _append(turn: Turn) -> None:
    turn.set(letters=(*turn.lead.letters, Letter(turn.cue.at, "client", turn.cue.text)))
    turn.set(carried=(*turn.lead.carried, *turn.cue.carried))
    if turn.cue.message_id:
        turn.set(client_thread=(*turn.lead.client_thread, turn.cue.message_id))
    turn.record("client writes", who="client")


@row("", ANY_ENDED, ("person writes",), says="", then="")
def client_has_heard(turn: Turn) -> None:
    turn.stop("redraft")
    turn.record("person writes", why=turn.cue.line)


@row("", ANY_ENDED, ("pass", "yield", "word", "note", "joined"), says="", then="")
def only_recorded(turn: Turn) -> None:
    """Said about a bun that has ended: it stands in the history and changes nothing."""
    turn.record(turn.cue.name, why=turn.cue.line)


@row("", ANY_ENDED, ("left", "keeper turns", "early", "due:promise"), says="", then="")
def no_longer_matters(turn: Turn) -> None:
    turn.stop(turn.cue.name.removeprefix("due:"))
