"""The documents that the store keeps besides leads, and the values that they are: each to the other.

Job: the stored form of rows of the outbox, of results, of what was seen, held and set aside, and of people. Short,
plain JSON; a default is left out, so that an old store opens with new fields. Core: pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

from router.delivery import Mail
from router.lead import read_stamp, stamp
from router.view import Aside, Held, PersonState, Seen


def key_of(text: str) -> int:
    """A 63-bit number for a text: the document id under which Message-IDs and the like are kept, and so their index."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) >> 1 or 1


@dataclass(frozen=True, slots=True)
class Filing:
    """A handled mail that is still to be filed on the server."""

    row: int
    folder: str
    uidvalidity: int
    uid: int
    to: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a mail whose lead waits for it. `outcome` is "accepted", "failed", or "refused".

    Refused is a mail that reached others and never will reach the address in `to`.
    """

    row: int
    lead: int
    kind: str
    to: str
    outcome: str
    at: datetime
    detail: str = ""
    leads: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a folder has been read: every mail below `uid` is handled."""

    folder: str
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one row of the outbox: accepted, failed, or (with `retry_at`) put off."""

    row: int
    lead: int
    outcome: str
    at: datetime
    detail: str = ""
    retry_at: datetime | None = None
    recipients: tuple[str, ...] | None = None  # those still to be reached, when some were
    refused: tuple[tuple[str, str], ...] = ()  # (address, reply) of those whom it will never reach, when some were
    tried: bool = True


# -- forms -----------------------------------------------------------------------------------------------------------


def mail_from(row: int, doc: Mapping[str, Any], sender: str) -> Mail:
    first = doc.get("first")
    return Mail(
        row=row,
        lead=doc["lead"] or None,
        sender=sender,
        recipients=tuple(doc["rcpt"]),
        raw=doc["raw"].encode("ascii"),
        message_id=doc["id"],
        tries=doc.get("tries", 0),
        not_before=read_stamp(doc["after"]),
        first_tried=read_stamp(first) if first else None,
    )


def deferred(doc: Mapping[str, Any], change: Delivery) -> dict[str, Any]:
    out = {**doc, "after": stamp(change.retry_at or change.at), "why": change.detail[:300]}
    if change.tried:
        out["tries"] = doc.get("tries", 0) + 1
        out.setdefault("first", stamp(change.at))
    if change.recipients is not None:
        out["rcpt"] = list(change.recipients)
        out["part"] = True
    return out


def result_doc(result: Result) -> dict[str, Any]:
    return {
        "lead": result.lead,
        "kind": result.kind,
        "to": result.to,
        "outcome": result.outcome,
        "at": stamp(result.at),
        "detail": result.detail[:300],
        "leads": list(result.leads),
    }


def result_from(row: int, doc: Mapping[str, Any]) -> Result:
    leads = tuple(doc.get("leads", ()))
    at = read_stamp(doc["at"])
    return Result(row, doc["lead"], doc["kind"], doc["to"], doc["outcome"], at, doc["detail"], leads)


def seen_doc(seen: Seen) -> dict[str, Any]:
    """Short names: there are several of these for every lead, for years."""
    doc = {"i": seen.message_id, "a": seen.author, "d": seen.date, "l": seen.lead, "u": seen.audience, "k": seen.kind}
    doc |= {"h": seen.held, "n": seen.unproven}
    return {name: value for name, value in doc.items() if value}


def seen_from(doc: Mapping[str, Any]) -> Seen:
    names = ("a", ""), ("d", ""), ("l", 0), ("u", ""), ("k", ""), ("h", 0), ("n", False)
    return Seen(doc["i"], *(doc.get(name, default) for name, default in names))


def person_doc(state: PersonState) -> dict[str, Any]:
    doc: dict[str, Any] = {"key": state.key}
    if state.away_until:
        doc["away_until"] = state.away_until.isoformat()
    if state.back:
        doc["back"] = True
    if state.skills is not None:
        doc["skills"] = list(state.skills)
    if state.available_since:
        doc["available_since"] = state.available_since.isoformat()
    if state.left:
        doc["left"] = True
    if state.addresses:
        doc |= {"name": state.name, "addresses": list(state.addresses)}
    return doc


def person_from(doc: Mapping[str, Any]) -> PersonState:
    until, since = doc.get("away_until"), doc.get("available_since")
    return PersonState(
        doc["key"],
        date.fromisoformat(until) if until else None,
        doc.get("back", False),
        tuple(doc["skills"]) if "skills" in doc else None,
        date.fromisoformat(since) if since else None,
        doc.get("left", False),
        doc.get("name", ""),
        tuple(doc.get("addresses", ())),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def held_doc(held: Held) -> dict[str, Any]:
    return {name: _plain(getattr(held, name)) for name in Held.__slots__ if getattr(held, name) not in ("", (), None)}


def held_from(doc: Mapping[str, Any]) -> Held:
    values = {**doc, "at": read_stamp(doc["at"]), "expires": read_stamp(doc["expires"])}
    values["until"] = date.fromisoformat(doc["until"]) if doc.get("until") else None
    values["named"] = tuple(doc.get("named", ()))
    return Held(**{"who": "", "lead": 0, "line": "", **values})


def aside_doc(aside: Aside) -> dict[str, Any]:
    return {name: _plain(getattr(aside, name)) for name in Aside.__slots__ if name != "number"}


def aside_from(number: int, doc: Mapping[str, Any]) -> Aside:
    return Aside(number, **{**doc, "at": read_stamp(doc["at"])})
