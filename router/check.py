"""Everything that can be known before running.

Job: try each connection, folder, file and template once, and say of each in one sentence whether it works. Shell.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from router.authres import OurServer, read_results
from router.compose import TemplateFault, Templates
from router.config import ConfigError, Settings
from router.digest import render_page, weekly
from router.headers import split_headers
from router.inbox import Inbox, InboxError
from router.journal import StoreError
from router.journal_files import StoreFiles
from router.outbox import check_server
from router.people import build_world
from router.report import report, report_html
from router.start import house_of, lost_key, read_key, read_templates
from router.store import Store
from router.tray import render_tray

LOOKED_AT = 30  # of the newest mails, for the name of our own server
ENOUGH = 10  # fewer say nothing


@dataclass(frozen=True, slots=True)
class Checked:
    name: str
    fine: bool
    says: str


def run_checks(settings: Settings) -> Iterator[Checked]:
    """One result each, as it becomes known; takes no lock and changes nothing but missing folders on the server."""
    yield Checked("configuration", True, f"{len(settings.roster)} consultants, list {_list_of(settings)}")
    yield _guard("key", lambda: _key(settings))
    yield from _secrets(settings)
    yield _guard("store", lambda: _store(settings))
    yield _guard("templates", lambda: _templates(settings))
    yield from _imap(settings)
    yield _guard("smtp", lambda: _smtp(settings))
    yield _guard("working time", lambda: _hours(settings))
    yield _trust(settings)


def _guard(name: str, check: Callable[[], str]) -> Checked:
    try:
        return Checked(name, True, check())
    except ConfigError as error:
        return Checked(name, False, "; ".join(error.faults))
    except (StoreError, OSError, ValueError, InboxError) as error:
        return Checked(name, False, str(error))


def _list_of(settings: Settings) -> str:
    return "one by one to each" if settings.collective.members else settings.collective.list


def _key(settings: Settings) -> str:
    path = settings.trust.key_file
    if not path.exists():
        made = _is_made(settings.store.path)
        fault = lost_key(settings, Store(settings.store.path, read_only=True).count_leads() if made else 0)
        if fault:
            raise ValueError(fault)
        return f"{path} will be made at the first run; back it up with the store"
    read_key(path, make=False)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ValueError(f"{path} can be read by others (mode {mode:o}); run chmod 600 on it")
    return str(path)


def _secrets(settings: Settings) -> Iterator[Checked]:
    """The files that hold secrets are for us alone. What a service manager hands over in /run is its own to guard."""
    paths = [settings.imap.password_file, settings.smtp.password_file]
    for oauth in (settings.imap.oauth, settings.smtp.oauth):
        paths += [oauth.client_secret_file, oauth.refresh_token_file] if oauth else []
    for path in dict.fromkeys(path for path in paths if path is not None):
        if path.is_file() and path.stat().st_mode & 0o077 and not path.is_relative_to("/run"):
            mode = path.stat().st_mode & 0o777
            yield Checked("secrets", False, f"{path} can be read by others (mode {mode:o}); run chmod 600 on it")


def _store(settings: Settings) -> str:
    path = settings.store.path
    if not path.parent.is_dir():
        raise ValueError(f"the folder {path.parent} does not exist; make it")
    StoreFiles(path).try_writing()
    if not _is_made(path):
        return f"{path} will be made at the first run"
    store = Store(path, read_only=True)
    return f"{path}, {store.count_leads()} leads, {len(store.open_leads())} open"


def _is_made(store: Path) -> bool:
    return store.exists() or store.with_name(store.name + ".journal").exists()


def _templates(settings: Settings) -> str:
    templates = read_templates(settings.templates.folder)
    missing = [language for language in settings.collective.languages if language not in templates.languages()]
    if missing:
        raise ValueError(f"no templates in {', '.join(missing)}; clients there are answered in another language")
    for page, fault in _page_faults(settings, templates):
        raise ValueError(f"{page}.html cannot be made: {fault}")
    return ", ".join(templates.languages())


def _page_faults(settings: Settings, templates: Templates) -> Iterator[tuple[str, str]]:
    """Each of the operator's pages that cannot be made of what the store holds now."""
    path = settings.store.path
    if settings.templates.folder is None or not _is_made(path):
        return
    house = house_of(settings, settings.collective.address, read_key(settings.trust.key_file, make=False))
    now = datetime.now(UTC)
    store = Store(path, read_only=True)
    world = build_world(house, store, now)
    makers: tuple[tuple[str, Callable[[], str]], ...] = (
        ("digest", lambda: render_page(templates, "digest", house, digest=weekly(house, store, world, now))),
        ("report", lambda: report_html(report(house, store, world, now), house, templates)),
        ("tray", lambda: render_tray(house, store, world, templates)),
    )
    for page, make in makers:
        try:
            make()
        except TemplateFault as fault:
            yield page, str(fault)


def _imap(settings: Settings) -> Iterator[Checked]:
    from router.start import make_inbox

    inbox = make_inbox(settings)
    try:
        inbox.connect()
        waits = "IDLE" if inbox.has_idle else f"polling every {settings.imap.poll}"
        yield Checked("imap", True, f"{settings.imap.user} at {settings.imap.host}:{settings.imap.port}, {waits}")
        yield from _folders(settings, inbox)
        yield from _signed(settings, inbox)
    except (InboxError, ConfigError) as error:
        says = error.reason if isinstance(error, InboxError) else "; ".join(error.faults)
        yield Checked("imap", False, says)
    finally:
        inbox.close()


def _signed(settings: Settings, inbox: Inbox) -> Iterator[Checked]:
    """Whether the mail server really writes the name that is trusted: with a wrong one nobody would be believed."""
    name = settings.trust.authserv_id
    if not name or settings.trust.senders == "address":
        return
    server = OurServer(name, False, (settings.collective.address.partition("@")[2], *settings.trust.relays))
    raws = inbox.newest_headers(settings.imap.folders[0], LOOKED_AT, ("RECEIVED", "AUTHENTICATION-RESULTS"))
    seen = sum(bool(read_results(split_headers(raw)[0], server)) for raw in raws)
    if seen or len(raws) < ENOUGH:
        return
    says = (
        f"none of the {len(raws)} newest mails was checked by {name}, so no colleague would be believed by that name; "
        "correct trust.authserv_id, or name the machines behind it in trust.relays"
    )
    yield Checked("authserv_id", False, says)


def _folders(settings: Settings, inbox: Inbox) -> Iterator[Checked]:
    imap = settings.imap
    for folder in imap.folders:
        there = inbox.has_folder(folder)
        yield Checked("folder", there, folder if there else f"there is no folder {folder} on the server")
    for name, folder in (("sent", imap.sent), ("junk", imap.junk)):
        if folder:
            there = inbox.has_folder(folder)
            yield Checked(name, True, folder if there else f"no folder {folder}; it is not read")
    if imap.handled == "keep":
        kept = inbox.keeps_keyword(imap.folders[0])
        says = "handled mail gets a keyword" if kept else 'the server keeps no keywords; set imap.handled to "move"'
        yield Checked("handled", kept, says)
    else:
        made = inbox.ensure_folders([imap.file.done, imap.file.quarantine, imap.file.bulk])
        yield Checked("handled", True, f"moved to {imap.file.done}" + (f"; made {', '.join(made)}" if made else ""))


def _smtp(settings: Settings) -> str:
    from router.start import server_of

    fault = check_server(server_of(settings))
    if fault:
        raise ValueError(fault)
    return f"{settings.smtp.host}:{settings.smtp.port}"


def _hours(settings: Settings) -> str:
    calendar = settings.calendar()
    now = datetime.now(UTC)
    span = settings.protocol.window
    closes = calendar.say(calendar.add(now, span), "en", now)
    zone = f"{settings.hours.timezone}, now {now.astimezone(calendar.zone):%a %H:%M}"
    if abs(time.time() - now.timestamp()) > 5:
        raise ValueError("this machine's clock is being set; wait until it is steady")
    return f"{zone}; a window opened now closes {closes}"


def _trust(settings: Settings) -> Checked:
    if settings.trust.senders == "address":
        return Checked("trust", True, "the sender's address alone is believed, as configured")
    if settings.trust.exchange_online or settings.trust.authserv_id:
        return Checked("trust", True, f"as {settings.trust.authserv_id or 'Exchange Online'} has authenticated them")
    says = "trust.authserv_id is not set: only personal reply addresses and confirmations prove a sender"
    return Checked("trust", True, says)
