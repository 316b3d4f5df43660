"""Whose mail came back: for which reader one of our own mails was meant, by nothing but its Message-ID.

Job: a delivery report may name an address that nobody here knows (a mailbox that forwards) or none at all. Outgoing
Message-IDs follow from (lead, kind, reader, number), so each that a lead can have sent is made again and compared.
Core: pure.
"""

from __future__ import annotations

from router.house import House
from router.ids import CLIENT
from router.lead import Lead

NUMBERS = 50  # of one kind to one reader; later ones are not looked for


def addressee(message_id: str, lead: Lead, house: House) -> str | None:
    """The colleague's key, "" for the client; None for a mail to the list and for what is none of the lead's mails."""
    ours = house.ids.read_reference(message_id) if message_id else None
    if ours is None or ours.lead != lead.id:
        return None
    if ours.audience == CLIENT:
        return ""
    for slot, count in lead.counts.items():
        kind, _, to = slot.partition(" ")
        for key in house.members:
            reader = f"@{key}" if to == f"@{key}" else f"{to} @{key}" if to == "list" and not house.list_address else ""
            if reader and any(_is(house, lead, kind, reader, n, message_id) for n in range(1, min(count, NUMBERS) + 1)):
                return key
    return None


def _is(house: House, lead: Lead, kind: str, reader: str, number: int, message_id: str) -> bool:
    return house.ids.message_id(lead.id, kind, reader, number).partition("@")[0] == message_id.partition("@")[0]
