"""Is this sender who they say they are?

Job: PROTOCOL "Trust": a consultant's word is proven by a personal token, by what the collective's own mail server
found out (`authres.py`), by the collective's own list, by an answer to a question with a secret, or, if the operator
says so, by the address alone. Core: values in, a `Proof` or None out; no DNS, no network.

Invariants: From alone proves nothing unless configured, and an unclear From never does. DMARC failed by our own server
outweighs everything else. What is said of the author of a mail counts only for the author that stands in From: behind a
list that puts its own address there, the list alone can vouch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from router.authres import OurServer, Result, read_results
from router.headers import decode_words
from router.house import House
from router.message import Message

_ANY_ADDRESS = re.compile(r"[^\s<>()\",;:@]{1,64}@[^\s<>()\",;:@]{1,255}")


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a sender is believed, for people to read."""

    how: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a mail brings with it besides its headers."""

    via_list: bool = False  # it says that it came through the collective's own list
    personal: bool = False  # it was sent to this person's own reply address of this very lead, which only they know
    asked: bool = False  # it answers a question that was sent to this person alone, with the secret in it


def our_server(house: House) -> OurServer:
    return OurServer(house.authserv_id, house.exchange_online, (house.domain, *house.relays))


def aligned(domain: str, author_domain: str) -> bool:
    """RFC 7489 §3.1, strictly enough: the same domain, or the author writes from a subdomain of the signer."""
    domain, author_domain = domain.lower().lstrip("@"), author_domain.lower()
    return bool(domain) and "." in domain and (author_domain == domain or author_domain.endswith("." + domain))


def is_refuted(message: Message, house: House) -> bool:
    """DMARC failed, says our own server: outweighs every token."""
    return _dmarc_failed(read_results(message.headers, our_server(house)))


def prove(message: Message, house: House, author: str, evidence: Evidence) -> Proof | None:
    """Why `author` (an address on the roster) is believed to have written this mail, or None."""
    if message.from_ambiguous:
        return None
    results = read_results(message.headers, our_server(house))
    listed = _vouched_by_list(results, house) if evidence.via_list else None
    if _dmarc_failed(results) and listed is None:  # a list that changes mails makes DMARC fail, and signs them itself
        return None
    if house.trust_senders == "address":
        return Proof("the address alone, as configured")
    if author != message.sender.address:
        return listed
    if evidence.personal:
        return Proof("the personal reply address")
    if evidence.asked:
        return Proof("the secret that was sent to them alone")
    return listed or _authenticated(results, house, message)


def _dmarc_failed(results: tuple[Result, ...]) -> bool:
    return any(each.method == "dmarc" and each.result == "fail" for each in results)


def _signer(result: Result) -> str:
    return result.get("header.d") or result.get("header.i").rpartition("@")[2]


def _vouched_by_list(results: tuple[Result, ...], house: House) -> Proof | None:
    wanted = house.list_dkim or house.list_address.partition("@")[2]
    for result in results:
        if result.method == "dkim" and result.result == "pass" and wanted and aligned(wanted, _signer(result)):
            return Proof("the collective's own list vouches")
    return None


def _authenticated(results: tuple[Result, ...], house: House, message: Message) -> Proof | None:
    author = message.sender.address
    domain = author.rpartition("@")[2]
    for result in results:
        if result.result != "pass":
            continue
        if result.method == "dmarc" and _is_about(result, message, domain):
            return Proof("DMARC passed at our own server")
        if result.method == "dkim" and aligned(_signer(result), domain):
            return Proof("an aligned DKIM signature, checked by our own server")
        if result.method == "auth" and domain == house.domain:
            login = result.get("smtp.auth") or result.get("smtp.mailfrom")
            if not login or login in (author, author.partition("@")[0]):
                return Proof("logged in at our own server")
    said = {value.strip().lower() for value in message.headers.get_all("x-ms-exchange-organization-authas")}
    if house.exchange_online and said == {"internal"}:
        return Proof("a colleague inside our own Exchange")
    return None


def _is_about(result: Result, message: Message, domain: str) -> bool:
    """Whether DMARC passed for the author's domain. Where the server names none, From must show one address only."""
    if result.get("header.from"):
        return aligned(result.get("header.from"), domain)
    value = message.headers.get("from")
    shown = {found.lower() for found in _ANY_ADDRESS.findall(f"{value} {decode_words(value)}")}
    return shown == {message.sender.address}
