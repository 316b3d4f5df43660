"""What must be there before the first mail: the key, the templates, the house as the core sees it, the two servers.

Job: read the operator's files once and turn `Settings` into the values that the others work with. Shell.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from router.compose import Templates
from router.config import ConfigError, Consultant, Settings
from router.house import Bounds, House, Member
from router.ids import Ids
from router.inbox import Inbox
from router.smtp import Server, Timeouts
from router.turn import Terms

KEY_BYTES = 32


def read_key(path: Path, *, make: bool) -> bytes:
    """The secret under all tokens: made at first run, 0600, to be backed up with the store. Raises ConfigError."""
    try:
        key = path.read_bytes().strip()
    except FileNotFoundError:
        if make:
            return _make_key(path)
        key = b"\0" * KEY_BYTES  # for looking only: no token will be recognised, none is made
    except OSError as error:
        raise ConfigError((f"trust.key_file: cannot read {path}: {error.strerror}",), str(path)) from None
    if len(key) < KEY_BYTES:
        fault = f"trust.key_file: {path} holds {len(key)} bytes, fewer than {KEY_BYTES}; restore it from the backup"
        raise ConfigError((fault,), str(path))
    return key


def _make_key(path: Path) -> bytes:
    key = secrets.token_hex(KEY_BYTES).encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError((f"trust.key_file: {path} cannot be made: {error.strerror}",), str(path)) from None
    return key


def lost_key(settings: Settings, leads: int) -> str:
    """What is wrong when a store holds leads and its key is gone; "" when all is well."""
    path = settings.trust.key_file
    if path.exists() or not leads:
        return ""
    return (
        f"the store {settings.store.path} holds leads ({leads}), but its key {path} is missing; restore it from the "
        "backup (only if it is lost for good: `bun-router store new-key`, which says what is lost with it)"
    )


def read_templates(folder: Path | None) -> Templates:
    """The templates and pages of the package, each overridden by a file of the same name in the operator's folder.

    Raises ConfigError naming each of the operator's files that cannot be used.
    """
    sources = dict(_sources(_own_templates()))
    if folder is None:
        return Templates(sources)
    if not folder.is_dir():
        raise ConfigError((f"templates.folder: {folder} is no folder",), str(folder))
    own = dict(_sources(folder))
    templates = Templates({**sources, **own})
    known = {name.partition("/")[2] for name in sources}
    faults = [f"{name}: there is no such template" for name in own if name.partition("/")[2] not in known]
    faults += [f"{name}: {fault}" for name in own if (fault := templates.fault_in(name))]
    if faults:
        raise ConfigError(tuple(f"templates.folder: {fault}" for fault in faults), str(folder))
    return templates


def _own_templates() -> Traversable:
    """Beside the code in a wheel, beside the package in a checkout."""
    inside = resources.files("router") / "templates"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "templates"


def _sources(folder: Traversable | Path) -> Iterator[tuple[str, str]]:
    """ "sv/offer" from sv/offer.txt, "page/tray" from tray.html."""
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            for file in each.iterdir():
                if file.name.endswith(".txt"):
                    yield f"{each.name}/{file.name.removesuffix('.txt')}", _text(file)
        elif each.name.endswith(".html"):
            yield f"page/{each.name.removesuffix('.html')}", _text(each)


def _text(file: Traversable | Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError((f"templates.folder: {file.name} cannot be read: {what}",), str(file)) from None


def house_of(settings: Settings, installation: str, key: bytes) -> House:
    """The settings as the core sees them."""
    c, p = settings.collective, settings.protocol
    return House(
        name=c.name,
        address=c.address,
        aliases=c.aliases,
        ids=Ids(key, installation, c.address),
        calendar=settings.calendar(),
        members={person.key: _member(person) for person in settings.roster},
        names=settings.names,
        terms=_terms(settings),
        list_address="" if c.members else c.list,
        list_id=c.list_id,
        list_dkim=settings.trust.list_dkim,
        keeper=c.keeper,
        rota=c.rota,
        rota_start=(c.rota_start.toordinal() - 1) // 7 if c.rota_start else 0,
        deputy=c.deputy,
        mediator=c.mediator,
        business_developer=c.business_developer,
        operator=settings.operator,
        operator_second=c.operator_second,
        languages=c.languages,
        words={
            "bun": c.words.bun,
            "dough": c.words.dough,
            "cookie": c.words.cookie,
            "BUN": c.words.bun_prefix,
            "DOU": c.words.dough_prefix,
        },
        forms=c.forms,
        show_client=c.show_client,
        plus_addresses=None if c.plus_addresses == "auto" else c.plus_addresses,
        trust_senders=settings.trust.senders,
        authserv_id=settings.trust.authserv_id,
        exchange_online=settings.trust.exchange_online,
        relays=settings.trust.relays,
        banners=settings.reading.banners,
        phrases=settings.reading.phrases,
        bounds=Bounds(
            settings.restraint.per_address,
            settings.restraint.per_stranger,
            settings.restraint.per_lead,
            settings.restraint.total,
        ),
        confirm_for=p.confirm_for,
        confirm_wait=p.confirm_wait,
        settle=p.settle,
        happiness=c.happiness,
    )


def _member(person: Consultant) -> Member:
    return Member(
        key=person.key,
        name=person.name,
        addresses=person.addresses,
        skills=person.skills,
        away=tuple((each.first.isoformat(), each.until.isoformat()) for each in person.away),
        available=person.available.isoformat() if person.available else "",
        never_claims=person.never_claims,
        language=person.language,
    )


def _terms(settings: Settings) -> Terms:
    spans = {name: getattr(settings.protocol, name) for name in Terms.__slots__ if hasattr(settings.protocol, name)}
    return Terms(**spans, no_by=settings.collective.no_by, reheat_by=settings.collective.reheat_by)


def make_inbox(settings: Settings, secret: Callable[[], str] | None = None) -> Inbox:
    """`secret` stands in for the password's configured source."""
    imap = settings.imap
    oauth = imap.oauth
    return Inbox(
        host=imap.host,
        port=imap.port,
        security=imap.security,
        user=imap.user,
        secret=secret or (oauth.tokens(imap.ca_file) if oauth else imap.secret),
        oauth=oauth is not None,
        ca_file=imap.ca_file,
        connect_timeout=min(10.0, imap.timeout.plain.total_seconds()),
        read_timeout=max(imap.timeout.plain.total_seconds(), 5.0),
        handled=imap.handled,
        max_size=imap.max_size,
        poll=imap.poll.plain.total_seconds(),
    )


def server_of(settings: Settings) -> Server:
    """Where mail leaves, and as whom."""
    smtp = settings.smtp
    oauth = smtp.oauth
    return Server(
        host=smtp.host,
        port=smtp.port,
        security=smtp.security,
        user=smtp.user,
        password=smtp.secret if smtp.user and not oauth else None,
        tokens=oauth.tokens(smtp.ca_file) if oauth else None,
        ca_file=smtp.ca_file,
        connections=smtp.connections,
        timeouts=Timeouts(),
    )
