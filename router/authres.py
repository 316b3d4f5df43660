"""What the collective's own mail server found out about a mail: `Authentication-Results`, RFC 8601.

Job: find the headers that our own server wrote, and read them as it meant them. Core: pure, linear, never raises.

Anybody can write such a header into a mail. Ours are known by three things together: the name in them is the configured
one (Exchange Online writes none and is configured as such); no Received line of a foreign server stands above them; and
they stand where our server puts them. Above the topmost Received line nothing but our server has written; below it the
topmost header of our name is believed, and only where those above say nothing that could prove a sender (a policy
server writes SPF above, the milters write the rest below). A failure is believed wherever it stands: it can only hurt
whoever wrote it.

Senders choose parts of these values (local parts in quotes, HELO names), so a value is taken apart by the grammar, and
one that does not fit the grammar is nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from router.headers import Headers

PROVING = frozenset({"dkim", "dmarc", "auth"})  # methods that say something of From
MAX_VALUE = 8000  # characters; a longer value may have been cut, so it is nobody's

_PIECE = re.compile(r"\\.?|[\"();]|[^\\\"();]+", re.DOTALL)
_METHOD = re.compile(r"^\s*([a-z][a-z0-9-]*)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)(?![\w.-])", re.IGNORECASE)
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_PROPERTY = re.compile(
    rf"{_QUOTED}|(?<![\w.-])(header|smtp|policy)\.([a-z0-9._-]+)\s*=\s*({_QUOTED}|[^\s;\"]+)", re.IGNORECASE | re.DOTALL
)
_COMMENT = re.compile(r"\([^()]*\)")
_BY_HOST = re.compile(r"(?<![\w.-])by\s+([^\s;()]+)", re.IGNORECASE)
_MICROSOFT = (".outlook.com", ".office365.com", ".exchangelabs.com")
# Names that exist in nobody's public DNS: RFC 6761, RFC 6762 appendix G, RFC 8375, and .internal.
_LOCAL_ENDS = ("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "arpa")
# Labels below which people register names, where the last label is a country's.
_SECOND_LEVEL = frozenset(
    ("ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "gv", "ltd", "me", "ne", "net", "nom", "or", "org", "plc")
)


@dataclass(frozen=True, slots=True)
class Result:
    """One method of an Authentication-Results header: `dkim=pass header.d=example.com`."""

    method: str
    result: str
    properties: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        return next((value for key, value in self.properties if key == name), "")


@dataclass(frozen=True, slots=True)
class OurServer:
    """Our own mail server, as the operator describes it."""

    authserv_id: str = ""
    exchange_online: bool = False
    domains: tuple[str, ...] = ()  # of its machines besides the domain of its name


def read_results(headers: Headers, server: OurServer) -> tuple[Result, ...]:
    """What our own server found out about this mail, the most trustworthy first."""
    found: list[Result] = []
    is_below = is_taken = False
    for name, value in headers.items:
        if name == "received":
            if _is_foreign(value, server):
                break
            is_below = True
        elif name == "authentication-results":
            results = _read_ours(value, server)
            if results is None:
                continue
            found += [each for each in results if not is_taken or each.result == "fail"]
            is_taken = is_below or is_taken or not results
        is_taken = is_taken or (is_below and any(each.method in PROVING for each in found))
    return tuple(found)


def _read_ours(value: str, server: OurServer) -> list[Result] | None:
    """The results in a header that our server wrote; None for anybody else's. One that cannot be read says nothing."""
    statements = split_statements(value) if len(value) <= MAX_VALUE else None
    head = statements[0] if statements else value[:1000].partition(";")[0]
    words = _COMMENT.sub(" ", head).split()
    name = words[0].strip('"').lower() if words else ""
    if server.exchange_online and (not name or "=" in head):
        return list(_results(statements or ()))
    if server.authserv_id and name == server.authserv_id.lower():
        return list(_results(statements[1:] if statements else ()))
    return None


def split_statements(value: str) -> list[str] | None:
    """The value at its semicolons, without comments; None where quotes or parentheses do not close as they should.

    A comment with half a quotation in it is what a sender's odd local part leaves behind, and hides where it ends.
    """
    statements = [""]
    depth = quotes = 0
    is_quoted = False
    for match in _PIECE.finditer(value):
        piece = match[0]
        if depth:
            depth += {"(": 1, ")": -1}.get(piece, 0)
            quotes += piece == '"'
            if not depth and quotes % 2:
                return None
        elif is_quoted or piece == '"':
            is_quoted = is_quoted != (piece == '"')
            statements[-1] += piece
        elif piece == "(":
            depth, quotes = 1, 0
            statements[-1] += " "
        elif piece == ")":
            return None
        elif piece == ";":
            statements.append("")
        else:
            statements[-1] += piece
    return None if depth or is_quoted else statements


def _results(statements: Collection[str]) -> Iterator[Result]:
    for statement in statements:
        match = _METHOD.match(statement)
        if match is None:
            continue
        properties: dict[str, str] = {}
        is_clear = True
        for kind, name, value in _PROPERTY.findall(statement):
            if kind:
                key, plain = f"{kind}.{name}".lower(), value.strip('"').lower()
                is_clear = is_clear and properties.setdefault(key, plain) == plain
        if is_clear or match[2].lower() != "pass":
            yield Result(match[1].lower(), match[2].lower(), tuple(properties.items()))


def foreign_homes(headers: Headers, server: OurServer) -> list[str]:
    """The homes of servers, taken for foreign, that stand above the topmost header of our name: machines on the way."""
    homes: list[str] = []
    for name, value in headers.items:
        if name == "authentication-results" and _read_ours(value, server) is not None:
            return homes
        match = _BY_HOST.search(value[:1000]) if name == "received" else None
        if match and _is_foreign(value, server):
            homes.append(home(match[1].lower().strip("[].")))
    return []


def _is_foreign(received: str, server: OurServer) -> bool:
    """Whether a Received line was written by a server that is not ours; a number or a private name is local."""
    match = _BY_HOST.search(received[:1000])
    host = match[1].lower().strip("[].") if match else ""
    if not host or "." not in host or ":" in host or host.replace(".", "").isdigit():
        return False
    if host.rpartition(".")[2] in _LOCAL_ENDS or (server.exchange_online and host.endswith(_MICROSOFT)):
        return False
    names = (server.authserv_id.lower(), *server.domains)
    return home(host) not in {home(name) for name in names if name}


def home(host: str) -> str:
    """The last labels of a host name that its owner registered, near enough to tell ours from theirs."""
    labels = host.rstrip(".").split(".")
    keep = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-keep:])


def author_of_results(value: str) -> str:
    """The name with which a server signed this header; "" for none, and where it says nothing that proves a sender."""
    statements = split_statements(value) if len(value) <= MAX_VALUE else None
    if not statements or "=" in statements[0] or not statements[0].split():
        return ""
    proves = any(each.method in PROVING for each in _results(statements[1:]))
    return statements[0].split()[0].strip('"').lower() if proves else ""
