"""How a lead begins: a client writes, a colleague forwards or posts, the same request comes by two ways."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.lead import Carried, Lead, Letter, Status
from router.protocol.steps import client_hears_by, keeper_owns, open_offer
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
    """One acknowledgement per request, never two (rule 5); a person's own mail has taken its place."""
    if turn.lead.acked:
        return
    turn.set(acked=True)
    by = client_hears_by(turn)
    if turn.tell_client("ack", by=by):
        turn.promise(by)


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
    says="the same text, or the same client and subject, while open",
    then="joined; owner and clocks unchanged",
    mails="one line → owner and forwarder; no ack, no offer",
)
def join_double_touch(turn: Turn) -> None:
    cue = turn.cue
    turn.set(letters=(*turn.lead.letters, Letter(cue.at, cue.who or "client", cue.text)))
    if cue.message_id and not cue.who:
        turn.set(client_thread=(*turn.lead.client_thread, cue.message_id))
    turn.record("came in a second time, joined", why=cue.line)
    turn.tell("joined", (turn.lead.owner, cue.who), owner=turn.lead.owner)


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
    """The forwarder names the client's address; nothing has reached the client before (own bun, drafts)."""
    address = turn.cue.text
    turn.set(client=address, client_name="" if address != turn.lead.client else turn.lead.client_name)
    turn.record("client's address corrected", why=address)
    turn.receipt("corrected", client=address)
