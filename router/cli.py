"""The commands.

Job: what people type, in one sentence each; the work is done elsewhere. Reading commands open the store beside the
daemon; writing ones leave a request for it, or take the lock when there is none. Shell: typer and rich are imported
only here and in demo.

Bad input is answered with one sentence and status 2; a check that fails, with status 1.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from router import __version__
from router.check import run_checks
from router.clerk import Clerk, leave_request
from router.config import ConfigError, Settings, find_config, load
from router.daemon import Daemon, describe
from router.house import House
from router.journal import StoreError, StoreLocked, repair
from router.lead import Lead, read_stamp, stamp
from router.message import MessageError, read_message
from router.office import Office, OurBug, explain_verdict
from router.people import build_world
from router.start import house_of, read_key, read_templates
from router.store import Store
from router.triage import Incoming, triage
from router.view import EmptyView

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Bun Router: turns mails to a shared address into leads and finds each an owner, with mail alone.",
)
quarantine_app = typer.Typer(no_args_is_help=False, help="Mails that could not be handled.")
store_app = typer.Typer(no_args_is_help=True, help="The store's files.")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(store_app, name="store")

out = Console(highlight=False, soft_wrap=False)
Config = Annotated[Path | None, typer.Option("--config", help="The configuration file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


class Sorry(Exception):
    """One sentence for the person at the keyboard; `status` is the exit status."""

    def __init__(self, sentence: str, status: int = 2) -> None:
        super().__init__(sentence)
        self.status = status


def main() -> None:
    """Entry point: every expected fault ends in one sentence."""
    try:
        app(standalone_mode=True)
    except Sorry as sorry:
        print(f"bun-router: {sorry}", file=sys.stderr)
        sys.exit(sorry.status)
    except ConfigError as error:
        for fault in error.faults:
            print(f"{error.where or 'bun-router'}: {fault}", file=sys.stderr)
        sys.exit(2)
    except StoreError as error:
        print(f"bun-router: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(0)


# -- opening ---------------------------------------------------------------------------------------------------------


def _settings(config: Path | None) -> Settings:
    return load(find_config(config))


def _installation(store: Store | None, settings: Settings) -> str:
    """Made with the store; part of every outgoing Message-ID."""
    known = store.note("installation") if store is not None else None
    return str(known or settings.collective.address)


def open_office(settings: Settings, *, read_only: bool = False) -> Office:
    """Key, store, templates and house together. Raises ConfigError, StoreError."""
    key = read_key(settings.trust.key_file, make=not read_only)
    templates = read_templates(settings.templates.folder)
    store = Store(settings.store.path, read_only=read_only)
    if not read_only and store.note("installation") is None:
        import secrets

        store.set_note("installation", secrets.token_hex(6))
        store.flush()
    house = house_of(settings, _installation(store, settings), key)
    return Office(house, store, templates, _now)


def _now() -> datetime:
    return datetime.now(UTC)


def _reading(config: Path | None) -> tuple[Settings, Office]:
    settings = _settings(config)
    if not settings.store.path.exists() and not _journal(settings.store.path).exists():
        raise Sorry(f"there is no store at {settings.store.path} yet; start `bun-router run` first", 1)
    return settings, open_office(settings, read_only=True)


def _journal(store: Path) -> Path:
    return store.with_name(store.name + ".journal")


# -- running ---------------------------------------------------------------------------------------------------------


@app.command()
def run(
    config: Config = None,
    once: Annotated[bool, typer.Option("--once", help="Handle what is there and due, send it, end.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each mail's kind and reason.")] = False,
) -> None:
    """The daemon: reads the inbox, decides, and mails, until it is told to stop."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("imapclient").setLevel(logging.WARNING)
    settings = _settings(config)
    settings.imap.oauth or settings.imap.secret()  # a missing password is said now, not after the first connection
    office = open_office(settings)
    if verbose:
        office.watch = lambda handled: logging.getLogger("router").info(describe(handled))
    daemon = Daemon(settings, office, _now)
    daemon.install_signals()
    print(f"bun-router {__version__} reads {settings.imap.user} at {settings.imap.host}", file=sys.stderr)
    try:
        daemon.run(once=once)
    except OurBug as bug:
        raise Sorry(f"stopped, since this is our own fault: {bug}", 3) from None
    if once and daemon.fault:
        raise Sorry(daemon.fault, 1)


@app.command()
def check(config: Config = None, as_json: Json = False) -> None:
    """Everything that can be known before running, one line each; status 1 if anything is wrong."""
    settings = _settings(config)
    wrong = 0
    for result in run_checks(settings):
        wrong += not result.fine
        if as_json:
            print(json.dumps({"check": result.name, "ok": result.fine, "says": result.says}), flush=True)
        else:
            mark = "[green]ok[/]  " if result.fine else "[red]WRONG[/]"
            out.print(f"{mark} {escape(result.name)}: {escape(result.says)}", soft_wrap=True)
    raise typer.Exit(1 if wrong else 0)


# -- looking ---------------------------------------------------------------------------------------------------------


def lead_json(lead: Lead) -> dict[str, Any]:
    """A bun as `status --json` lists it (ARCHITECTURE "Names")."""
    return {
        "id": lead.id,
        "subject": lead.subject,
        "status": str(lead.status),
        "owner": lead.owner,
        "client": lead.client,
        "claims": [{"who": c.who, "at": stamp(c.at)} for c in lead.claims if c.state in ("standing", "awarded")],
        "opened": stamp(lead.opened),
        "due": stamp(lead.due) if lead.due else None,
    }


@app.command()
def status(config: Config = None, as_json: Json = False) -> None:
    """The open buns: who owns each, who has claimed it, what happens next."""
    _, office = _reading(config)
    leads = sorted(office.store.open_leads(), key=lambda lead: lead.id)
    if as_json:
        print(json.dumps([lead_json(lead) for lead in leads], ensure_ascii=False))
        return
    if not leads:
        print("Nothing is open.")
    else:
        _print_status(leads, office)
    silenced = office.store.note("silenced") or []
    if silenced:
        print(f"Silenced by a bound: {'; '.join(silenced[-5:])}")
    held = len(office.store.quarantined())
    if held:
        print(f"In quarantine: {held} (`bun-router quarantine list`)")


def _print_status(leads: Iterable[Lead], office: Office) -> None:
    now, house = _now(), office.house
    world = build_world(house, office.store, now)
    rows = [
        (
            str(lead.id),
            str(lead.status) + (f", {lead.stage}" if lead.stage and lead.stage != "window" else ""),
            lead.subject,
            world.name(lead.owner),
            ", ".join(world.names(lead.claimants)),
            house.calendar.say_age(house.calendar.between(lead.opened, now)),
            house.calendar.say(lead.due, "en", now) if lead.due else f"after the {lead.awaits}" if lead.awaits else "",
        )
        for lead in leads
    ]
    print_table(("bun", "status", "subject", "owner", "claims", "age", "next"), rows, wide="subject")


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], wide: str = "") -> None:
    """A table that survives 80 columns; tab-separated lines when nobody looks at a terminal."""
    if not out.is_terminal:
        for row in rows:
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="ellipsis", no_wrap=column != wide, ratio=1 if column == wide else None)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


@app.command()
def show(number: Annotated[int, typer.Argument(metavar="N")], config: Config = None, as_json: Json = False) -> None:
    """One bun with its whole history and the reason for each step."""
    _, office = _reading(config)
    lead = office.store.lead(number)
    if lead is None:
        raise Sorry(f"there is no bun {number}", 1)
    if as_json:
        history = [{"at": stamp(e.at), "what": e.what, "who": e.who, "why": e.why} for e in lead.events]
        print(json.dumps({**lead_json(lead), "text": lead.text, "history": history}, ensure_ascii=False))
        return
    now, house = _now(), office.house
    world = build_world(house, office.store, now)
    out.print(f"[bold]{escape(house.words['BUN'])} {lead.id}: {escape(lead.subject)}[/]", soft_wrap=True)
    facts = [
        ("status", str(lead.status) + (f" ({lead.stage})" if lead.stage else "")),
        ("owner", world.name(lead.owner)),
        ("client", f"{lead.client_name} <{lead.client}>" if lead.client else "unknown"),
        ("claims", ", ".join(f"{world.name(c.who)} ({c.state})" for c in lead.claims)),
        ("passed", ", ".join(world.names(p.who for p in lead.passes))),
        ("next", house.calendar.say(lead.due, "en", now) if lead.due else ""),
        ("same client", ", ".join(map(str, lead.linked))),
        ("files", ", ".join(c.name for c in lead.carried)),
    ]
    for name, value in facts:
        if value:
            out.print(f"{name + ':':<12} {escape(value)}", soft_wrap=True)
    print()
    for event in lead.events:
        at = event.at.astimezone(house.calendar.zone)
        who = world.name(event.who)
        why = f" – {event.why}" if event.why else ""
        out.print(f"{at:%Y-%m-%d %H:%M}  {escape(who)}: {escape(event.what)}{escape(why)}", soft_wrap=True)


@app.command()
def explain(
    files: Annotated[list[str], typer.Argument(metavar="FILE.eml…")],
    config: Config = None,
    as_json: Json = False,
    in_reply_to_offer: Annotated[
        bool, typer.Option("--in-reply-to-offer", help="Read each as a reply to an offer from its sender.")
    ] = False,
) -> None:
    """How the router would read a mail, and why. Changes nothing. "-" reads one path a line from standard input."""
    settings = _settings(config)
    house = house_of(settings, settings.collective.address, read_key(settings.trust.key_file, make=False))
    for name in _names_of(files):
        answer = explain_file(Path(name), house, in_reply_to_offer)
        if as_json:
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        else:
            _print_explained(answer)


def _names_of(files: Iterable[str]) -> Iterable[str]:
    for name in files:
        if name == "-":
            yield from (line.rstrip("\n") for line in sys.stdin if line.strip())
        else:
            yield name


def explain_file(path: Path, house: House, in_reply: bool) -> dict[str, Any]:
    """One mail as the router would read it; a file that cannot be read is an answer too."""
    nothing = dict.fromkeys(("text", "command", "client", "client_subject", "lead"))
    unreadable = {"file": str(path), "kind": "unreadable", "sender": "", "subject": "", **nothing, "text": ""}
    try:
        raw = path.read_bytes()
    except OSError as error:
        return {**unreadable, "reason": f"the file cannot be read: {error.strerror}"}
    try:
        incoming = Incoming(read_message(raw), _now(), as_reply=in_reply)
    except MessageError as error:
        return {**unreadable, "reason": str(error)}
    verdict = triage(incoming, house, EmptyView())
    return {"file": str(path), **explain_verdict(verdict, incoming)}


def _print_explained(answer: dict[str, Any]) -> None:
    out.print(f"[bold]{escape(answer['file'])}[/]", soft_wrap=True)
    for name in ("kind", "reason", "sender", "subject", "client", "client_subject", "lead"):
        if answer[name]:
            out.print(f"  {name.replace('_', ' ') + ':':<15} {escape(str(answer[name]))}", soft_wrap=True)
    command = answer["command"]
    if command:
        more = ", ".join(f"{k} {v}" for k, v in command.items() if k not in ("verb", "line"))
        out.print(f"  {'command:':<15} {command['verb']}, read from “{escape(command['line'])}” {escape(more)}")
    if answer["text"]:
        out.print("  new text:")
        for line in answer["text"].splitlines()[:30]:
            out.print(f"    {escape(line)}", soft_wrap=True)


# -- writing ---------------------------------------------------------------------------------------------------------


def ask_daemon(settings: Settings, request: dict[str, Any], seconds: float = 60.0) -> str:
    """Have the running daemon do it; without one, take the lock and do it here. Answers what was done."""
    try:
        office = open_office(settings)
    except StoreLocked:
        answer_path = leave_request(settings.store.path, request)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer_path.exists():
                answer = str(json.loads(answer_path.read_bytes())["answer"])
                answer_path.unlink(missing_ok=True)
                return answer
            time.sleep(0.05)
        raise Sorry("the daemon has not answered yet; the request stays, and it will take it in", 1) from None
    try:
        clerk = Clerk(settings, office)
        answer = clerk.answer(request)
        office.store.flush()
        return answer
    finally:
        office.store.close()


@app.command("do")
def do_words(
    number: Annotated[int, typer.Argument(metavar="N")],
    words: Annotated[list[str], typer.Argument(metavar="WORDS…")],
    key: Annotated[str, typer.Option("--as", metavar="KEY", help="The consultant whose word it is.")],
    config: Config = None,
) -> None:
    """What WORDS from that consultant on bun N would do, done."""
    print(ask_daemon(_settings(config), {"do": "say", "lead": number, "words": " ".join(words), "as": key}))


@app.command()
def digest(
    config: Config = None,
    send: Annotated[bool, typer.Option("--send", help="Send it now.")] = False,
) -> None:
    """The weekly digest, on the screen or (with --send) to the list."""
    if send:
        print(ask_daemon(_settings(config), {"do": "digest"}))
        return
    from router.digest import weekly_text

    _, office = _reading(config)
    world = build_world(office.house, office.store, _now())
    print(weekly_text(office.house, office.store, world, _now(), office.templates), end="")


@app.command()
def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    config: Config = None,
    mailbox: Annotated[
        bool, typer.Option("--mailbox", help="Delete the person's mails on the mail server too.")
    ] = False,
) -> None:
    """Erase a person's data from the store and all that is kept beside it; list their mails on the mail server."""
    settings = _settings(config)
    print(f"{address}: {ask_daemon(settings, {'do': 'forget', 'address': address})}")
    from router.daemon import make_inbox
    from router.inbox import InboxError

    inbox = make_inbox(settings)
    try:
        inbox.connect()
        for folder in inbox.folders():
            uids = inbox.search_address(folder, address)
            if uids and mailbox:
                inbox.delete(folder, uids)
                print(f"{folder}: {len(uids)} mails deleted")
            elif uids:
                print(f"{folder}: {len(uids)} mails (UID {', '.join(map(str, uids[:20]))}); --mailbox deletes them")
    except InboxError as error:
        raise Sorry(f"the mail server could not be asked: {error.reason}", 1) from None
    finally:
        inbox.close()


@quarantine_app.callback(invoke_without_command=True)
def quarantine(context: typer.Context, config: Config = None) -> None:
    """Mails that could not be handled: list, show, retry, drop."""
    if context.invoked_subcommand is None:
        quarantine_list(config)


@quarantine_app.command("list")
def quarantine_list(config: Config = None, as_json: Json = False) -> None:
    """What is in quarantine, and why."""
    _, office = _reading(config)
    found = office.store.quarantined()
    if as_json:
        print(json.dumps([{"number": number, **doc} for number, doc in found]))
    elif not found:
        print("The quarantine is empty.")
    else:
        rows = [(str(n), f"{read_stamp(d['at']):%Y-%m-%d %H:%M}", str(d["size"]), d["reason"]) for n, d in found]
        print_table(("no", "received", "bytes", "reason"), rows, wide="reason")


Number = Annotated[int, typer.Argument(metavar="N")]


@quarantine_app.command("show")
def quarantine_show(number: Number, config: Config = None) -> None:
    """One mail in quarantine: its reason and where its bytes and the traceback are."""
    _, office = _reading(config)
    doc = office.store.get("quarantine", number)
    if doc is None:
        raise Sorry(f"there is no mail {number} in quarantine", 1)
    for name, value in doc.items():
        print(f"{name}: {value}")
    print(f"bytes: {office.poison / doc['file']}.eml")
    trace = office.poison / f"{doc['file']}.txt"
    if trace.exists():
        print(f"traceback: {trace}")


@quarantine_app.command("retry")
def quarantine_retry(number: Number, config: Config = None) -> None:
    """Handle a mail in quarantine again."""
    print(ask_daemon(_settings(config), {"do": "retry", "number": number}))


@quarantine_app.command("drop")
def quarantine_drop(number: Number, config: Config = None) -> None:
    """Throw a mail in quarantine away."""
    print(ask_daemon(_settings(config), {"do": "drop", "number": number}))


@store_app.command("repair")
def store_repair(config: Config = None) -> None:
    """Keep every whole record of a damaged store, and a copy of the original."""
    report = repair(_settings(config).store.path)
    print(report)


@app.command()
def health(config: Config = None, as_json: Json = False) -> None:
    """Whether the daemon runs and hears; status 1 if not (for monitors)."""
    settings = _settings(config)
    try:
        doc = json.loads(settings.store.health_file.read_bytes())
    except (OSError, ValueError):
        raise Sorry(f"no health file at {settings.store.health_file}: the daemon has not run yet", 1) from None
    age = (_now() - datetime.fromisoformat(doc["at"])).total_seconds()
    canary = doc.get("canary") or {}
    faults = [f"{name}: {doc[name]}" for name in ("imap", "smtp", "disk") if doc[name] != "ok"]
    faults += [] if doc["running"] else ["the daemon has been stopped"]
    faults += [f"the daemon was last heard of {age:.0f} s ago"] if age > 120 else []
    faults += ["the canary is late"] if canary.get("told") else []
    if as_json:
        print(json.dumps({**doc, "ok": not faults, "faults": faults}))
    else:
        print("; ".join(faults) or f"ok; {doc['unsent']} mails unsent, {doc['quarantine']} in quarantine")
    raise typer.Exit(1 if faults else 0)


@app.command()
def report(
    config: Config = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print one long table for spreadsheets.")] = False,
    as_json: Json = False,
    as_html: Annotated[bool, typer.Option("--html", help="Print an HTML page.")] = False,
    months: Annotated[int, typer.Option(min=1, max=120, help="How many months, this one included.")] = 12,
) -> None:
    """What was asked for, what nobody could serve, who has been here before."""
    import csv

    from router.report import csv_rows, report_html, report_json, report_text
    from router.report import report as sum_up

    _, office = _reading(config)
    house, now = office.house, _now()
    found = sum_up(house, office.store, build_world(house, office.store, now), now, months=months)
    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(found))
    elif as_json:
        print(json.dumps(report_json(found), ensure_ascii=False))
    elif as_html:
        print(report_html(found, house, office.templates), end="")
    else:
        print(report_text(found, house, office.templates), end="")


@app.command()
def tray(
    config: Config = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the page goes.", show_default="[store] tray")
    ] = None,
) -> None:
    """Every bun at a glance, as one HTML page."""
    from router.tray import write_tray

    settings, office = _reading(config)
    path = out_file or settings.store.tray
    if path is None:
        raise Sorry("where to? Name a file with --out, or set tray under [store]")
    try:
        world = build_world(office.house, office.store, _now())
        write_tray(path, office.house, office.store, world, office.templates)
    except OSError as error:
        raise Sorry(f"{path} cannot be written: {error.strerror}", 1) from None
    print(path)


@app.command()
def export(
    what: Annotated[str, typer.Argument(metavar="[leads|claims|events]")] = "leads",
    config: Config = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV (the default).")] = False,
    as_json: Json = False,
    as_ics: Annotated[bool, typer.Option("--ics", help="Print the open buns' deadlines as iCalendar.")] = False,
) -> None:
    """The data, for spreadsheets and programs; docs/export.md describes every column."""
    from router.export import TABLES, export_csv, export_ics, export_json

    if what not in TABLES:
        raise Sorry(f"there is no table {what!r}; there are {', '.join(TABLES)}")
    if as_csv + as_json + as_ics > 1:
        raise Sorry("choose one of --csv, --json and --ics")
    _, office = _reading(config)
    sys.stdout.reconfigure(newline="")  # type: ignore[union-attr]  # CSV and iCalendar end lines with CR LF
    if as_ics:
        export_ics(office.store, office.house, _now(), sys.stdout)
    elif as_json:
        export_json(office.store, what, sys.stdout)
    else:
        export_csv(office.store, what, sys.stdout)


@app.command()
def demo(
    out_folder: Annotated[
        Path, typer.Option("--out", help="Where the mails, the store and the tray page are left.")
    ] = Path("demo-out"),
    keep: Annotated[bool, typer.Option("--keep", help="Leave the mail server and the daemon up at the end.")] = False,
) -> None:
    """A small cast, an embedded mail server and the real daemon: the whole story in half a minute."""
    try:
        from router.demo import run_demo
    except ImportError as error:
        raise Sorry(f"the demo needs its extra packages ({error.name}); install bun-router[demo]") from None
    try:
        status = run_demo(out_folder, keep, out)
    except ValueError as error:
        raise Sorry(str(error)) from None
    raise typer.Exit(status)


@app.command()
def version() -> None:
    """The version."""
    print(f"bun-router {__version__}")
