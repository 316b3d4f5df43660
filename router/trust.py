"""Is this sender who they say they are?

Job: PROTOCOL "Trust": a consultant's word is proven by a personal token, by what the collective's own mail server
found out (`Authentication-Results`, RFC 8601), by the collective's own list, or, if the operator says so, by the
address alone. Core: values in, a `Proof` or None out; no DNS, no network.

Invariants: From alone proves nothing unless configured. DMARC failed by our own server outweighs every token. A header
below a foreign server's Received line is hearsay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from router.house import House
from router.ids import Token
from router.message import Headers, Message

_BY_HOST = re.compile(r"\bby\s+([^\s;()]+)", re.IGNORECASE)
_METHOD = re.compile(r"^\s*([a-z][a-z0-9-]*)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_PROPERTY = re.compile(r"\b(header|smtp|policy)\.([a-z0-9._-]+)\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_COMMENT = re.compile(r"\([^()]*\)")
MAX_VALUE = 8192  # a longer Authentication-Results header is nobody's


@dataclass(frozen=True, slots=True)
class Proof:
    """Why a sender is believed, for people to read."""

    how: str


@dataclass(frozen=True, slots=True)
class Result:
    """One method of an Authentication-Results header: `dkim=pass header.d=example.com`."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        return next((value for key, value in self.properties if key == name), "")


def read_results(headers: Headers, authserv_id: str, exchange_online: bool = False) -> tuple[Result, ...]:
    """What our own server found out about this mail: the topmost header of its name, if no foreign server is above."""
    for name, value in headers.items:
        if name == "received" and _is_foreign(value, authserv_id, exchange_online):
            return ()
        if name != "authentication-results" or len(value) > MAX_VALUE:
            continue
        text = _COMMENT.sub(" ", value)
        head, _, rest = text.partition(";")
        server = head.strip().split(" ")[0].lower()
        if exchange_online and ("=" in head or not server):
            return tuple(_methods(text))
        if authserv_id and server == authserv_id.lower():
            return tuple(_methods(rest))
    return ()


def _methods(text: str) -> Iterator[Result]:
    for piece in text.split(";"):
        match = _METHOD.match(piece)
        if match:
            found = tuple((f"{kind}.{name}".lower(), value.lower()) for kind, name, value in _PROPERTY.findall(piece))
            yield Result(match[1].lower(), match[2].lower(), found)


def _is_foreign(received: str, authserv_id: str, exchange_online: bool) -> bool:
    """Whether a Received line was written by a server that is not ours; an address literal or a bare name is local."""
    match = _BY_HOST.search(received[:1000])
    host = match[1].lower().strip("[].") if match else ""
    if not host or "." not in host or ":" in host or host.replace(".", "").isdigit():
        return False
    if exchange_online and host.endswith((".outlook.com", ".office365.com", ".exchangelabs.com")):
        return False
    return not authserv_id or _home(host) != _home(authserv_id.lower())


def _home(host: str) -> str:
    """The last labels of a host name that its owner registered, near enough to tell ours from theirs."""
    labels = host.rstrip(".").split(".")
    keep = 3 if len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3 else 2
    return ".".join(labels[-keep:])


def aligned(domain: str, author_domain: str) -> bool:
    """RFC 7489 §3.1, strictly enough: the same domain, or the author writes from a subdomain of the signer."""
    domain, author_domain = domain.lower().lstrip("@"), author_domain.lower()
    return bool(domain) and "." in domain and (author_domain == domain or author_domain.endswith("." + domain))


def is_refuted(message: Message, house: House) -> bool:
    """DMARC failed, says our own server: outweighs every token."""
    results = read_results(message.headers, house.authserv_id, house.exchange_online)
    return any(r.method == "dmarc" and r.result == "fail" for r in results)


def prove(message: Message, house: House, author: str, token: Token | None, via_list: bool) -> Proof | None:
    """Why `author` (an address on the roster) is believed to have written this mail, or None."""
    if message.from_ambiguous:
        return None
    key = house.people_by_address.get(author, "")
    if house.trust_senders == "address":
        return Proof("the address alone, as configured")
    results = read_results(message.headers, house.authserv_id, house.exchange_online)
    if not via_list and any(r.method == "dmarc" and r.result == "fail" for r in results):
        return None
    if token is not None and token.proven and token.scope == f"@{key}":
        return Proof("the personal reply address")
    if via_list:
        return _vouched_by_list(results, house)
    return _authenticated(results, house, author, message.headers)


def _vouched_by_list(results: tuple[Result, ...], house: House) -> Proof | None:
    wanted = house.list_dkim or house.list_address.partition("@")[2]
    for result in results:
        signer = result.get("header.d") or result.get("header.i").rpartition("@")[2]
        if result.method == "dkim" and result.result == "pass" and wanted and aligned(wanted, signer):
            return Proof("the collective's own list vouches")
    return None


def _authenticated(results: tuple[Result, ...], house: House, author: str, headers: Headers) -> Proof | None:
    domain = author.rpartition("@")[2]
    for result in results:
        if result.result != "pass":
            continue
        if result.method == "dmarc" and (not result.get("header.from") or aligned(result.get("header.from"), domain)):
            return Proof("DMARC passed at our own server")
        signer = result.get("header.d") or result.get("header.i").rpartition("@")[2]
        if result.method == "dkim" and aligned(signer, domain):
            return Proof("an aligned DKIM signature, checked by our own server")
        if result.method == "auth" and domain == house.domain:
            login = result.get("smtp.auth") or result.get("smtp.mailfrom")
            if not login or login in (author, author.partition("@")[0]):
                return Proof("logged in at our own server")
    if house.exchange_online and headers.get("x-ms-exchange-organization-authas").strip().lower() == "internal":
        return Proof("a colleague inside our own Exchange")
    return None
