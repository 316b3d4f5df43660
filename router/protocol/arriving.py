"""How a lead begins: a client writes, a colleague forwards or posts, the same request comes by two ways."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.lead import Carried, Lead, Letter, Status
from router.protocol.steps import client_hears_by, keeper_owns, may_be_reached, open_offer
from router.protocol.table import ALL, ANY_OPEN, DOUGH, registered, row
from router.turn import Cue, Turn, World


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it was read from a mail. `forwarder` is the consultant who brought it, "" for the client's own."""

    id: int
    at: datetime  # when the mail server received it
    subject: str
    text: str
    client: str = ""
    client_name: str = ""
    language: str = "en"
    message_id: str = ""
    source: str = "mail"  # mail, form, forward, post
    forwarder: str = ""
    on_list: bool = False
    dough: bool = False
    form_letter: str = ""  # why it reads like one
    note: str = ""  # what of the mail could not be read
    uncertain: bool = False  # the client's address is a guess: the forwarder is asked
    skills: tuple[str, ...] = ()
    carried: tuple[Carried, ...] = ()
    linked: tuple[int, ...] = ()
    last_owner: str = ""  # of the lead that this one follows on


def open_lead(arrival: Arrival, world: World) -> Turn:
    """The first turn of a new lead (PROTOCOL "Arriving")."""
    cue = Cue("arrives", arrival.at, who=arrival.forwarder, line=arrival.subject, message_id=arrival.message_id)
    lead = Lead(
        id=arrival.id,
        subject=arrival.subject,
        status=Status.DOUGH,
        owner=arrival.forwarder,
        opened=arrival.at,
        client=arrival.client,
        client_name=arrival.client_name,
        language=arrival.language,
        text=arrival.text,
        message_id=arrival.message_id,
        client_thread=(arrival.message_id,) if arrival.message_id and not arrival.forwarder else (),
        source=arrival.source,
        own=arrival.forwarder,
        on_list=arrival.on_list,
        skills=arrival.skills,
        carried=arrival.carried,
        linked=arrival.linked,
    )
    turn = Turn(lead, cue, world)
    if arrival.forwarder:
        _brought_by_colleague(turn, arrival)
    else:
        _written_by_client(turn, arrival)
    return turn


def _written_by_client(turn: Turn, arrival: Arrival) -> None:
    keeper_owns(turn)
    if arrival.form_letter:
        turn.record("came in, reads like a form letter", why=arrival.form_letter, who="client")
        asked_until = turn.in_time(turn.world.terms.form_letter_after)
        turn.start(offer=asked_until)
        turn.tell_keeper("bun-or-cookie", reason=arrival.form_letter, by=asked_until)
        return
    turn.record("came in", why=f"from {arrival.client}", who="client")
    welcome(turn)
    open_offer(turn, linked=arrival.linked, last_owner=turn.world.name(arrival.last_owner))


def _brought_by_colleague(turn: Turn, arrival: Arrival) -> None:
    turn.record("came in through a colleague", why=f"client: {arrival.client or 'unknown'}")
    if arrival.dough:
        turn.start(dough=turn.in_time(turn.world.terms.still_dough))
        if not arrival.on_list:
            turn.tell_list("dough", what="new")
    else:
        open_offer(turn, linked=arrival.linked, last_owner=turn.world.name(arrival.last_owner))
    turn.receipt("brought", client=arrival.client, uncertain=arrival.uncertain or not arrival.client)


def welcome(turn: Turn) -> None:
    """One acknowledgement per request, never two (rule 5); a person's own mail has taken its place.

    A draft counts only when its owner has let it go, and while it waits there is no second one.
    """
    if turn.lead.acked or turn.lead.draft_kind == "ack":
        return
    by = client_hears_by(turn)
    if turn.lead.handed_over:  # they know us by name: thanking them for their mail would come too late
        told = turn.tell_client("reheat", because="window", by=by)
    else:
        told = turn.tell_client("ack", by=by)
    if told:
        turn.set(acked=True)
        turn.promise(by)


def person_answered(turn: Turn) -> None:
    """A person's own mail has left for the client: it is their acknowledgement, and nothing is offered unasked."""
    turn.set(acked=True)
    if turn.lead.status == Status.DOUGH and "offer" in turn.lead.timers:
        turn.stop("offer")
        turn.start(dough=turn.in_time(turn.world.terms.still_dough))


registered("Arriving", "client writes", "`offered`, keeper owns, window opens", "ack → client; offer → list")
registered(
    "Arriving",
    "a stranger's mail reads like a form letter",
    "`dough`, keeper owns; offered after 4 working hours without a word",
    '"bun or cookie?" → keeper; ack only once it is a bun',
)
registered(
    "Arriving",
    "consultant forwards a client's mail, or writes with the BUN prefix",
    "`offered`, that consultant owns; the client is the forwarded mail's sender",
    "offer → list (not again if it was sent to the list itself); receipt → consultant, with the client's address to "
    "correct",
)
registered("Arriving", "consultant writes with the DOU prefix", "`dough`, that consultant owns", "dough → list")


@row(
    "Arriving",
    ANY_OPEN,
    ("joined",),
    says="the same text, or a colleague brings the same client and subject, while open",
    then="joined; owner and clocks unchanged",
    mails="one line → owner and forwarder; no ack, no offer",
)
def join_double_touch(turn: Turn) -> None:
    cue = turn.cue
    turn.set(letters=(*turn.lead.letters, Letter(cue.at, cue.who or "client", cue.text)))
    if cue.message_id and not cue.who:
        turn.set(client_thread=(*turn.lead.client_thread, cue.message_id))
    turn.record("came in a second time, joined", why=cue.line)
    found = _learn_client(turn)
    turn.tell("joined", (turn.lead.owner, cue.who), owner=turn.lead.owner, found=found)
    if found:
        _introduce(turn)


def _learn_client(turn: Turn) -> str:
    """The client of a lead that had no address, where this mail names them; "" when it tells nothing new."""
    lead, cue = turn.lead, turn.cue
    if lead.client or not cue.client:
        return ""
    turn.set(client=cue.client, client_name=cue.client_name or lead.client_name, language=cue.language or lead.language)
    turn.record("client's address found", why=cue.client)
    return cue.client


def _introduce(turn: Turn) -> str:
    """The first mail to an address that we did not know before: answers its kind, "" when nothing has gone."""
    if turn.lead.handed_over and turn.lead.status == Status.TAKEN:
        told = turn.tell_client("handover", owner=turn.lead.owner, team=turn.world.names(turn.lead.team))
        return "handover" if told else ""
    if turn.lead.status == Status.TAKEN or turn.lead.stage == "goodbye":
        return ""
    before = len(turn.mails)
    welcome(turn)
    sent = turn.mails[before:]
    return sent[0].kind if sent else ""


registered(
    "Arriving",
    "the same client with another subject, or another person of that company",
    "another bun",
    "offer names the first; clients never hear of each other",
)


@row("", (DOUGH,), ("due:offer",), says="", then="")
def offer_after_all(turn: Turn) -> None:
    """Nobody said a word about what reads like a form letter: when in doubt, it is a request."""
    turn.record("offered, nobody called it a cookie", who="router")
    welcome(turn)
    open_offer(turn)


@row("", ALL, ("correct",), says="", then="")
def correct_client(turn: Turn) -> None:
    """Its owner, or whoever brought it, names the client's address: what the client should have heard goes there."""
    lead, address = turn.lead, turn.cue.text
    heard = bool(lead.client) and (lead.handed_over or lead.acked or lead.warmed_at is not None)
    sent = ""
    if address != lead.client:
        turn.set(client=address, client_name="")
        turn.record("client's address corrected", why=address)
        may_be_reached(turn)
        if heard or lead.handed_over or not lead.own:
            turn.set(acked=False, warmed_at=None)  # whoever read the old address, it was not the client
            on_its_way = lead.is_open and lead.stage != "goodbye"
            sent = _introduce(turn) if on_its_way else _say_no_again(turn)
    turn.receipt("corrected", client=address, sent=sent, heard=heard)


def _say_no_again(turn: Turn) -> str:
    """The no that went elsewhere, or is about to, in the same words."""
    lead = turn.lead
    said = lead.status == Status.THROWN and lead.counts.get("no client")
    if not said and lead.awaits != "no":
        return ""
    turn.mail("no", "client", text=lead.goodbye, because=lead.ended_as)
    turn.set(warmed_at=turn.world.now)
    return "no"
