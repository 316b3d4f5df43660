"""Mails that say they are a colleague's: forged ones, and genuine ones as real mail systems deliver them.

Job: from a seed, one mail after the other, with a word on what it is. A forgery is written by somebody who controls
every byte below what our own server sets on top; our server is honest, and may be one that writes little. A genuine
mail varies in all that real servers, lists and programs vary in. Used by test_trust.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from router.ids import CLIENT, COLLEAGUES, CONFIRM, Ids

DOMAIN, HOME = "coll.example", "home.example"
SHARED, LIST = f"hello@{DOMAIN}", f"crew@{DOMAIN}"
SERVER = f"mx.{DOMAIN}"
PEOPLE = {
    "anna": ("Anna Lind", (f"anna@{DOMAIN}",)),
    "bo": ("Bo Ek", (f"bo@{DOMAIN}", f"bo@{HOME}")),
    "cy": ("Cy Moreau", (f"cy@{DOMAIN}",)),
}
WORDS = ("mine", "Mine!", "I'll take this one", "jag tar den", "ich nehme das", "je prends", "pass", "throw", "eaten",
         "away until 3 May", "release", "award Anna", "yes", "skills rust, go", "urgent", "bun")  # fmt: skip
LETTERS = str.maketrans({"a": "а", "o": "о", "c": "с", "y": "у", "e": "е", "n": "ո", "k": "K", "l": "ӏ"})
THEN = "Mon, 2 Mar 2026 09:00:00 +0000"
FOREIGN = (
    f"Received: from [203.0.113.9] by smtp.evil.example (Postfix) with ESMTPSA id 3; {THEN}",
    f"Received: from laptop (localhost [127.0.0.1]) by evil.example; {THEN}",
)


@dataclass(frozen=True, slots=True)
class Made:
    """A mail, whom it speaks for, and what was done to it."""

    what: str
    raw: bytes
    person: str
    word: str
    exchange: bool = False


def _received(by: str, source: str = "mail.evil.example (mail.evil.example [203.0.113.9])") -> str:
    return f"Received: from {source}\r\n\tby {by} (Postfix) with ESMTPS id 4Xk\r\n\tfor <{SHARED}>; {THEN}"


def _compose(top: list[str], below: list[str], body: str) -> bytes:
    lines = [*top, *below, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
    lines += ["Content-Transfer-Encoding: 8bit", "", body, ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


# -- forgeries -------------------------------------------------------------------------------------------------------


class Forger:
    """Knows what outsiders may come to know: addresses, names, Message-IDs, the list's reply address, a client's."""

    def __init__(self, ids: Ids, seed: int) -> None:
        self.ids, self.random, self.count = ids, random.Random(seed), seed * 1_000_000

    def make(self) -> Made:
        key = self.random.choice(tuple(PEOPLE))
        name, addresses = PEOPLE[key]
        address = self.random.choice(addresses)
        trick = self.random.choice(TRICKS)
        exchange = self.random.random() < 0.2
        top = self._top(address, trick.domain or "evil.example", exchange)
        below = trick.write(self, key, name, address)
        what = f"{trick.write.__name__.strip('_').replace('_', ' ')} as {address}"
        extra = self.random.sample(self._lies(address, exchange), self.random.randint(0, 3))
        below = [*extra, *below] if self.random.random() < 0.7 else [*below, *extra]
        fields = self._fields([line.partition(":")[0].lower() for line in below])
        word = self.random.choice(WORDS)
        body = f"{word}\r\n\r\nOn Mon, 2 Mar 2026 at 09:00, The Collective <{SHARED}> wrote:\r\n> Can one of you help?"
        return Made(what, _compose(top, [*below, *fields], body), key, word, exchange)

    def _top(self, address: str, sends_as: str, exchange: bool) -> list[str]:
        """What our own, honest server sets on top of a mail from outside."""
        domain = address.partition("@")[2]
        strict = domain == DOMAIN and self.random.random() < 0.6  # it publishes DMARC; the other domain does not
        findings = [f"spf=pass smtp.mailfrom=x@{sends_as}", f"dkim=pass header.d={sends_as} header.i=@{sends_as}"]
        if sends_as == "nobody.example":
            findings = [f"spf=fail smtp.mailfrom={address}", f"dkim=fail (bad signature) header.d={domain}"]
        if self.random.random() < 0.2:  # an odd local part, as a correct server quotes it
            findings[0] = f'spf=pass smtp.mailfrom="x; dmarc=pass header.from={domain} "@{sends_as}'
        if self.random.random() < 0.1:  # and as a careless one puts it into a comment
            findings[0] = f'spf=pass (domain of "x) ; dmarc=pass header.from={domain} (y"@{sends_as} designates it)'
        verdict = "fail (p=reject dis=none)" if strict else self.random.choice(("none", "permerror", "temperror"))
        findings.append(f"dmarc={verdict} header.from={domain}")
        self.random.shuffle(findings)
        server = "" if exchange else f"{SERVER};"
        if exchange:
            hop = "DB9PR01.eurprd01.prod.outlook.com"
            return [f"Received: from X.outlook.com by {hop}; {THEN}",
                    f"Authentication-Results: {';'.join(findings)};compauth=fail reason=001",
                    _received("HE1EUR.mail.protection.outlook.com")]  # fmt: skip
        if self.random.random() < 0.3:
            spf = f"Authentication-Results: {server} {next(f for f in findings if f.startswith('spf'))}"
            rest = "; ".join(f for f in findings if not f.startswith("spf"))
            return [spf, _received(SERVER), f"Authentication-Results: {server} {rest}"]
        header = f"Authentication-Results: {server} {'; '.join(findings)}"
        return self.random.choice(([header, _received(SERVER)], [_received(SERVER), header]))

    def _lies(self, address: str, exchange: bool) -> list[str]:
        domain = address.partition("@")[2]
        claims = f"dmarc=pass header.from={domain}; dkim=pass header.d={domain}; auth=pass smtp.auth={address}"
        lies = [
            f"Authentication-Results: {SERVER}; {claims}",
            f"Authentication-Results: {SERVER.upper()} 1;\r\n {claims}",
            f"Authentication-Results: {claims}",
            f"authentication-results : {SERVER}; {claims}",
            f"Authentication-Results: {SERVER}.evil.example; {claims}",
            f"ARC-Authentication-Results: i=1; {SERVER}; {claims}",
            f"X-Authentication-Results: {SERVER}; {claims}",
            _received(SERVER, "localhost (localhost [127.0.0.1])"),
            *FOREIGN,
            f"X-Original-From: {address}",
            f"X-Original-Sender: {address}",
            f"List-Id: The Crew <{LIST.replace('@', '.')}>",
            f"List-Post: <mailto:{LIST}>",
            f"Sender: {address}",
            f"Resent-From: {address}",
            f"Return-Path: <{address}>",
            f"Reply-To: {address}",
            "X-Request-Ref: 1.uaaaaaaaaaaaa.bbbbbbbbbbbb",
            f"X-Request-Ref: {self.ids.reference(1, 'ack', CLIENT, 1)}",
            f"Delivered-To: {self.ids.reply_address(1, COLLEAGUES)}",
            "DKIM-Signature: v=1; a=rsa-sha256; d=" + domain + "; s=k; b=AAAA",
            "Auto-Submitted: no",
        ]
        return lies if exchange else [*lies, "X-MS-Exchange-Organization-AuthAs: Internal"]

    def _fields(self, there: list[str]) -> list[str]:
        """What a mail needs beside its trick: where it goes, what it answers, its identity."""
        self.count += 1
        guess = "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz234567", k=12))
        local, _, domain = SHARED.partition("@")
        to = self.random.choice(
            (
                SHARED,
                self.ids.reply_address(1, COLLEAGUES),
                self.ids.reply_address(2, COLLEAGUES),
                self.ids.reply_address(1, CLIENT),
                self.ids.reply_address(1, "@kim"),
                f"{local}+1.{guess}@{domain}",
                f"{local}+c1.{guess}@{domain}",
                f"{local}+p1.{guess}@{domain}",
                self.ids.reply_address(7, CONFIRM),
                self.ids.reply_address(1, COLLEAGUES).replace("+1.", "+2."),
            )
        )
        fields = {
            "to": f"To: {to}",
            "subject": "Subject: " + self.random.choice(("Re: [BUN 1] Review", "Re: Offer", "BUN: new one")),
            "message-id": f"Message-ID: <{self.count}@evil.example>",
            "date": "Date: Mon, 02 Mar 2026 09:00:00 +0000",
            "in-reply-to": f"In-Reply-To: {self.ids.message_id(1, 'offer', 'list', 1)}",
        }
        return [line for name, line in fields.items() if name not in there]


@dataclass(frozen=True, slots=True)
class Trick:
    write: Callable[[Forger, str, str, str], list[str]]
    domain: str = ""  # whose mail our server found it to be


def _from_alone(forger: Forger, key: str, name: str, address: str) -> list[str]:
    return [f"From: {forger.random.choice((name, name.upper(), ''))} <{address}>".replace(":  <", ": <")]


def _from_in_capitals(forger: Forger, key: str, name: str, address: str) -> list[str]:
    return [f"From: {name} <{address.upper()}>"]


def _look_alike_domain(forger: Forger, key: str, name: str, address: str) -> list[str]:
    local, _, domain = address.partition("@")
    other = forger.random.choice(
        (f"{domain}.evil.example", f"evil-{domain}", domain.replace("l", "1"), domain.replace(".", "-") + ".com",
         f"x{domain}", f"{domain}.", f"mail.{domain}.co", domain.replace("example", "examp1e"), f"sub.{domain}")
    )  # fmt: skip
    return [f"From: {name} <{local}@{other.rstrip('.') if other != domain + '.' else 'c0ll.example'}>"]


def _homograph(forger: Forger, key: str, name: str, address: str) -> list[str]:
    local, _, domain = address.partition("@")
    swapped = forger.random.choice((f"{local.translate(LETTERS)}@{domain}", f"{local}@{domain.translate(LETTERS)}"))
    hidden = forger.random.choice("\u200b\u200d\ufeff\u00ad\u2060")
    return [f"From: {name} <{forger.random.choice((swapped, address[:2] + hidden + address[2:]))}>"]


def _address_as_a_name(forger: Forger, key: str, name: str, address: str) -> list[str]:
    encoded, word = address.replace("@", "=40"), name.replace(" ", "_")
    shown = forger.random.choice(
        (f'"{address}"', f'"{name} <{address}>"', f"=?utf-8?q?{encoded}?=", f"=?utf-8?q?{word}_=3C{encoded}=3E?=",
         f"{name} ({address})", f'"{name} \\"<{address}>\\""', f"{address} ", f"'{address}' via hello")
    )  # fmt: skip
    return [f"From: {shown} <x@evil.example>"]


def _several_addresses(forger: Forger, key: str, name: str, address: str) -> list[str]:
    other = "x@evil.example"
    return [
        forger.random.choice(
            (f"From: {name} <{address}>, {other}", f"From: {other}, {name} <{address}>", f"From: {address}, {other}",
             f"From: group: {address}, {other};", f"From: <{address}> <{other}>", f"From: {address} <{other}>",
             f"From: <@evil.example:{address}>", f"From: {address}({other})", f"From: ({other}) {address} {other}")
        )
    ]  # fmt: skip


def _several_from_headers(forger: Forger, key: str, name: str, address: str) -> list[str]:
    both = [f"From: {name} <{address}>", "From: x@evil.example"]
    forger.random.shuffle(both)
    return [both[0], "X-Between: x", both[1]] if forger.random.random() < 0.5 else both


def _no_from(forger: Forger, key: str, name: str, address: str) -> list[str]:
    return forger.random.choice(
        ([f"Sender: {address}"], [f"Reply-To: {name} <{address}>"], ["From:", f"Reply-To: {address}"],
         [f"Return-Path: <{address}>"], [f"From : <>\r\nSender: {address}"], [f"Resent-From: {address}"])
    )  # fmt: skip


def _reply_to_and_sender(forger: Forger, key: str, name: str, address: str) -> list[str]:
    return ["From: x@evil.example", f"Reply-To: {name} <{address}>", f"Sender: {address}"]


def _behind_the_list(forger: Forger, key: str, name: str, address: str) -> list[str]:
    munged = forger.random.choice((LIST, SHARED))
    listed = [f"List-Id: <{LIST.replace('@', '.')}>", f"List-Post: <mailto:{LIST}>"]
    headers = [f"From: {name} via crew <{munged}>", *listed]
    named = [f"X-Original-From: {name} <{address}>", f"X-Original-Sender: {address}", f"Reply-To: {address}"]
    return [*headers, *forger.random.sample(named, forger.random.randint(1, 3))]


def _posted_to_the_list(forger: Forger, key: str, name: str, address: str) -> list[str]:
    return [f"From: {name} <{address}>", f"List-Id: Crew <{LIST.replace('@', '.')}>", f"To: {LIST}"]


def _stolen_token(forger: Forger, key: str, name: str, address: str) -> list[str]:
    """A forwarded personal offer: the finder writes as themselves, or as somebody who is not its reader."""
    token = forger.ids.reply_address(1, f"@{key}")
    other = next(each for each in PEOPLE if each != key)
    finder = forger.random.choice(("Client <jo@acme.example>", f"{name} <x@evil.example>", PEOPLE[other][1][0]))
    return [f"From: {finder}", f"To: {token}"]


def _token_of_another_lead(forger: Forger, key: str, name: str, address: str) -> list[str]:
    """The personal address of bun 2 with its number changed, or beside the thread of bun 1."""
    changed = forger.ids.reply_address(2, f"@{key}").replace("+2.", "+1.")
    return [f"From: {name} <{address}>", f"To: {changed}"]


def _copied_loop_header(forger: Forger, key: str, name: str, address: str) -> list[str]:
    """What any client can copy out of an acknowledgement, behind a colleague's address."""
    reference = forger.ids.reference(1, "ack", CLIENT, 1)
    copied = [f"Message-ID: <{reference}.{forger.count}@{DOMAIN}>", f"X-Request-Ref: {reference}"]
    return [f"From: {name} <{address}>", *copied]


def _logged_in_elsewhere(forger: Forger, key: str, name: str, address: str) -> list[str]:
    return [f"From: {name} <{address}>", f"Authentication-Results: {SERVER}; auth=pass smtp.auth={address}"]


TRICKS = (
    Trick(_from_alone),
    Trick(_from_alone, "nobody.example"),
    Trick(_from_in_capitals),
    Trick(_look_alike_domain),
    Trick(_homograph),
    Trick(_address_as_a_name),
    Trick(_several_addresses),
    Trick(_several_from_headers),
    Trick(_no_from),
    Trick(_reply_to_and_sender),
    Trick(_behind_the_list),
    Trick(_posted_to_the_list),
    Trick(_stolen_token),
    Trick(_token_of_another_lead),
    Trick(_copied_loop_header),
    Trick(_logged_in_elsewhere),
)


# -- genuine mails ---------------------------------------------------------------------------------------------------

_CLAIMS = ("mine", "Mine!", "I'll take this one", "jag tar den", "count me in")


class Colleague:
    """Writes as consultants do, from the programs and through the servers that they have."""

    def __init__(self, ids: Ids, seed: int) -> None:
        self.ids, self.random, self.count = ids, random.Random(seed), seed * 1_000_000

    def make(self) -> Made:
        key = self.random.choice(tuple(PEOPLE))
        name, addresses = PEOPLE[key]
        address = self.random.choice(addresses)
        way = self.random.choice(WAYS)
        top, to = way(self, key, address)
        word = self.random.choice(_CLAIMS)
        self.count += 1
        old = f"Authentication-Results: mx.elsewhere.example; dkim=fail header.d={address.partition('@')[2]}"
        below = self.random.sample([*FOREIGN, old, "ARC-Seal: i=1; a=rsa-sha256; cv=none; d=x.example"], 2)
        shown = self.random.choice((name, f'"{name}"', f"=?utf-8?q?{name.replace(' ', '_')}?=", "", f'"{address}"'))
        bare = self.random.choice((address, f"<{address}>", f"{address} ({name})"))
        author = f"{shown} <{address}>" if shown else bare
        fields = [
            f"From: {author if self.random.random() < 0.8 else author.upper()}",
            f"To: {to}",
            "Subject: Re: [BUN 1] Review",
            f"Message-ID: <{self.count}@{address.partition('@')[2]}>",
            f"In-Reply-To: {self.ids.message_id(1, 'offer', 'list', 1)}",
            "Date: Mon, 2 Mar 2026 10:00:00 +0100",
        ]
        body = f"{word}\r\n\r\nOn Mon, 2 Mar 2026 at 09:00, The Collective <{SHARED}> wrote:\r\n> Can one of you help?"
        what = f"{way.__name__.strip('_').replace('_', ' ')}, {address}"
        return Made(what, _compose(top, [*below, *fields], body), key, word, exchange=way in EXCHANGE)

    def header(self, findings: list[str], server: str = SERVER) -> str:
        """The findings as one header: folded or not, in capitals or not, with a version or not."""
        self.random.shuffle(findings)
        fold = self.random.choice((" ", "\r\n\t", "\r\n  "))
        head = self.random.choice((server, server.upper(), f"{server} 1", f"{server} "))
        name = self.random.choice(("Authentication-Results", "authentication-results", "Authentication-results"))
        return f"{name}: {head};{fold}" + f";{fold}".join(findings) + self.random.choice(("", ";"))

    def findings(self, address: str) -> list[str]:
        domain = address.partition("@")[2]
        dkim = self.random.choice(
            (f"dkim=pass (2048-bit key; unprotected) header.d={domain} header.i=@{domain} header.b=\"a/b=\"",
             f"dkim=pass header.i=@{domain} header.s=s1 header.b=Ab12", f"dkim=pass header.d={domain}",
             f"dkim=pass reason=\"good; as ever\" header.d={domain}", f"DKIM=PASS header.D={domain.upper()}")
        )  # fmt: skip
        dmarc = self.random.choice(
            (f"dmarc=pass (p=none dis=none) header.from={domain}", f"dmarc=pass (policy=reject) header.from={domain}",
             f"dmarc=pass (p=NONE sp=NONE dis=NONE) header.from={domain}", f"dmarc / 1 = pass header.from = {domain}")
        )  # fmt: skip
        spf = f"spf=pass (mx: domain of {address} designates 192.0.2.1 as permitted sender) smtp.mailfrom={address}"
        other = "dkim=fail (body hash did not verify; (nested)) header.d=list.example"
        sets = ([dkim], [dmarc], [dkim, dmarc, spf], [other, dkim, spf], [dmarc, other, "bimi=skipped"])
        return self.random.choice(sets)


_Way = Callable[[Colleague, str, str], tuple[list[str], str]]


def _to(colleague: Colleague) -> str:
    return colleague.random.choice((SHARED, colleague.ids.reply_address(1, COLLEAGUES)))


def _header_below_received(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    """Postfix with its milters, and most others."""
    own = _received(SERVER, "out.provider.example ([192.0.2.1])")
    return [own, colleague.header(colleague.findings(address))], _to(colleague)


def _header_above_received(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    return [colleague.header(colleague.findings(address)), _received(SERVER)], _to(colleague)


def _several_hops_inside(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    """LMTP, Cyrus and filters within the provider: names that exist in no public DNS."""
    hops = colleague.random.sample(
        (f"Received: from mx by store.phl.internal (Cyrus 3.11) with LMTPA; {THEN}",
         f"Received: from mx ([127.0.0.1]) by localhost (amavisd-new, port 10024); {THEN}",
         f"Received: by 2002:a05:6a10:1 with SMTP id x; {THEN}",
         f"Received: from a by imap.{DOMAIN} with LMTP id y; {THEN}",
         f"Received: from a by dovecot with LMTP id y (<bo@home.example>); {THEN}"),
        2,
    )  # fmt: skip
    return [*hops, _received(SERVER), colleague.header(colleague.findings(address))], _to(colleague)


def _spf_in_a_header_of_its_own(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    """A policy server writes above Postfix's own Received line, the milters below it."""
    spf = f"Authentication-Results: {SERVER}; spf=pass smtp.mailfrom={address}"
    return [spf, _received(SERVER), colleague.header(colleague.findings(address))], _to(colleague)


def _two_milters(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    """OpenDMARC's header above OpenDKIM's; the second says nothing that is needed."""
    domain = address.partition("@")[2]
    dmarc = f"Authentication-Results: {SERVER}; dmarc=pass (p=none dis=none) header.from={domain}"
    return [_received(SERVER), dmarc, f"Authentication-Results: {SERVER}; dkim=none"], _to(colleague)


def _exchange(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    domain = address.partition("@")[2]
    findings = (
        f"spf=pass (sender IP is 192.0.2.1)\r\n smtp.mailfrom={domain}; dkim=pass (signature was verified)\r\n"
        f" header.d={domain};dmarc=pass action=none header.from={domain};compauth=pass reason=100"
    )
    hop = f"Received: from A.outlook.com by B.eurprd01.prod.outlook.com with HTTPS; {THEN}"
    return [hop, f"Authentication-Results: {findings}", _received("C.mail.protection.outlook.com")], _to(colleague)


def _inside_exchange(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    hop = f"Received: from A.outlook.com by B.eurprd01.prod.exchangelabs.com with HTTPS; {THEN}"
    none = f"Authentication-Results: dkim=none (not signed);\r\n dmarc=none action=none header.from={DOMAIN};"
    return [hop, none, "X-MS-Exchange-Organization-AuthAs: Internal"], _to(colleague)


def _logged_in_at_our_server(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    if not address.endswith(f"@{DOMAIN}"):
        return _header_below_received(colleague, key, address)
    login = colleague.random.choice((address, address.partition("@")[0], address.upper()))
    header = colleague.header([f"auth=pass (plain) smtp.auth={login} smtp.mailfrom={address}"])
    return [_received(SERVER, "laptop"), header], _to(colleague)


def _personal_address(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    """No word from our server at all, or one that knows nothing."""
    none = f"Authentication-Results: {SERVER}; dkim=none; dmarc=none header.from={HOME}; spf=softfail smtp.helo=x"
    top = colleague.random.choice(([], [_received(SERVER)], [_received(SERVER), none]))
    own = colleague.ids.reply_address(1, f"@{key}")
    cased = colleague.random.choice((own, own.upper(), f"The Collective <{own}>", f"{SHARED}, {own}"))
    return top, cased


def _through_the_list(colleague: Colleague, key: str, address: str) -> tuple[list[str], str]:
    """A footer has broken the author's signature and DMARC; the list signs what it sends on."""
    findings = [f"dkim=pass header.d={DOMAIN} header.s=list", f"dkim=fail header.d={HOME}"]
    if address.endswith(HOME):
        findings.append(f"dmarc=fail (p=reject) header.from={HOME}")
    listed = [f"List-Id: The Crew <{LIST.replace('@', '.')}>", f"List-Post: <mailto:{LIST}>"]
    return [_received(SERVER), colleague.header(findings), *listed], LIST


EXCHANGE = (_exchange, _inside_exchange)
WAYS: tuple[_Way, ...] = (
    _header_below_received,
    _header_above_received,
    _several_hops_inside,
    _spf_in_a_header_of_its_own,
    _two_milters,
    _exchange,
    _inside_exchange,
    _logged_in_at_our_server,
    _personal_address,
    _through_the_list,
)
