"""The first configuration, from a few answers.

Job: the answers of `bun-router init` as a value, the text of the configuration that they make, and what can be learnt
from mails that lie in the mailbox: by what name our own mail server signs its findings. Core: pure.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from router.authres import OurServer, author_of_results, foreign_homes
from router.headers import Headers

HEAD = "# Bun Router. Every key, with its meaning and default, is in config.example.toml."
ENOUGH = 3  # mails that must agree before a name is proposed as the answer


@dataclass(frozen=True, slots=True)
class Colleague:
    key: str
    name: str
    addresses: tuple[str, ...]
    skills: tuple[str, ...] = ()
    never_claims: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection. `secret`: the key and value that say where the password is: ("password_file", "mail.password")."""

    host: str
    port: int
    security: str
    user: str
    secret: tuple[str, str | tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Trusted:
    """What is known of our own mail server's findings: `seen` of `of` mails have them."""

    authserv_id: str = ""
    exchange_online: bool = False
    relays: tuple[str, ...] = ()
    seen: int = 0
    of: int = 0

    @property
    def is_sure(self) -> bool:
        return self.seen >= ENOUGH and self.seen * 2 > self.of


@dataclass(frozen=True, slots=True)
class Answers:
    name: str
    address: str
    list_address: str  # "" = one by one
    languages: tuple[str, ...]
    colleagues: tuple[Colleague, ...]
    keepers: tuple[str, ...]  # several are a rota
    operator: str
    timezone: str
    country: str
    imap: Wire
    smtp: Wire
    trusted: Trusted = Trusted()


def key_for(name: str, taken: Collection[str]) -> str:
    """A short name for commands: the first name in plain letters, with as much of the rest as makes it the only one."""
    plain = unicodedata.normalize("NFKD", name.lower().replace("ß", "ss").replace("ø", "o").replace("æ", "ae"))
    words = re.findall(r"[a-z0-9]+", "".join(letter for letter in plain if not unicodedata.combining(letter)))
    words = [word for word in words if not word[0].isdigit()] or ["colleague"]
    rest = "".join(words[1:])
    candidates = [words[0] + rest[:count] for count in range(len(rest) + 1)]
    candidates += [f"{words[0]}{number}" for number in range(2, 1000)]
    shortened: list[str] = [each[:32] for each in candidates]
    return next(key for key in shortened if key not in taken)


def learn_server(mails: Sequence[Headers], domain: str) -> Trusted:
    """By what name the collective's server signs its findings, from the mails that it has put into the mailbox.

    Only the topmost such header of a mail says anything: what stands below may be anybody's.
    """
    names: Counter[str] = Counter()
    homes: Counter[str] = Counter()
    nameless = 0
    for headers in mails:
        topmost = headers.get("authentication-results")
        name = author_of_results(topmost)
        if name:
            names[name] += 1
            homes.update(set(foreign_homes(headers, OurServer(name, False, (domain,)))))
        elif "compauth=" in topmost and "outlook.com" in headers.get("received"):
            nameless += 1
    name, seen = names.most_common(1)[0] if names else ("", 0)
    if nameless > seen:
        return Trusted(exchange_online=True, seen=nameless, of=len(mails))
    relays = tuple(sorted(home for home, count in homes.items() if count * 2 > seen))
    return Trusted(name, relays=relays, seen=seen, of=len(mails))


# -- the text --------------------------------------------------------------------------------------------------------


def _toml(value: object) -> str:
    """A TOML value: JSON's strings, arrays and booleans are TOML's too (TOML 1.0, basic strings)."""
    if isinstance(value, tuple):
        value = list(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _lines(pairs: Sequence[tuple[str, object]]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in pairs if value not in ("", (), None)]


def write_config(answers: Answers) -> str:
    """The configuration in few lines; config.example.toml is the manual of all that can be said."""
    keeper: tuple[str, object] = ("keeper", answers.keepers[0])
    if len(answers.keepers) > 1:
        keeper = ("rota", answers.keepers)
    offers: tuple[str, object] = ("list", answers.list_address) if answers.list_address else ("members", True)
    collective = [("name", answers.name), ("address", answers.address), offers, keeper]
    more = [("languages", answers.languages), ("operator", answers.operator)]
    sections = [
        [HEAD, "[collective]", *_lines([*collective, *more])],
        ["[imap]", *_wire(answers.imap)],
        ["[smtp]", *_smtp(answers)],
        ["[hours]", *_lines([("timezone", answers.timezone), ("country", answers.country)])],
        ["[trust]", *_trust(answers.trusted)],
        *(["[[consultant]]", *_colleague(each)] for each in answers.colleagues),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _wire(wire: Wire) -> list[str]:
    pairs: list[tuple[str, object]] = [("host", wire.host), ("port", wire.port), ("security", wire.security)]
    return _lines([*pairs, ("user", wire.user), *([wire.secret] if wire.secret else [])])


def _smtp(answers: Answers) -> list[str]:
    """With the mailbox's own login left out, since that is the default; an empty one sends without."""
    smtp, imap = answers.smtp, answers.imap
    if (smtp.user, smtp.secret) == (imap.user, imap.secret):
        return _wire(Wire(smtp.host, smtp.port, smtp.security, ""))
    return _wire(smtp) if smtp.user else [*_wire(smtp), 'user = ""']


def _trust(trusted: Trusted) -> list[str]:
    if trusted.exchange_online:
        return ["exchange_online = true"]
    if trusted.authserv_id:
        return _lines([("authserv_id", trusted.authserv_id), ("relays", trusted.relays)])
    return [
        "# The name with which your mail server signs its Authentication-Results: look into the headers of any mail.",
        "# Without it colleagues are known by personal reply addresses, and by answering a request to confirm.",
        'authserv_id = ""',
    ]


def _colleague(each: Colleague) -> list[str]:
    lines = _lines([("key", each.key), ("name", each.name), ("addresses", each.addresses), ("skills", each.skills)])
    return [*lines, *(["never_claims = true"] if each.never_claims else [])]
