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
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from router import __version__, terminal
from router.check import run_checks
from router.config import ConfigError, Settings, find_config, load
from router.counter import NO_FILE, Sorry, ask_daemon, explain_file, lead_json, make_new_key, now, open_office
from router.daemon import Daemon, describe
from router.journal import StoreError, repair
from router.lead import read_stamp, stamp
from router.office import Office, OurBug
from router.people import build_world
from router.start import house_of, read_key
from router.terminal import Column
from router.triage import read_words

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
quarantine_app = typer.Typer(no_args_is_help=False, help="Mails that could not be handled.")
store_app = typer.Typer(no_args_is_help=True, help="The store's files.")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(store_app, name="store")

Config = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def _read_number(value: str) -> int:
    """A number as `status` and `quarantine` list them."""
    if not value.isdecimal():
        raise Sorry(f"“{value}” is no number; `bun-router status` lists the buns, `bun-router quarantine` the mails")
    return int(value)


Number = Annotated[int, typer.Argument(metavar="N", parser=_read_number)]

_given: dict[str, Path | None] = {}  # the configuration that was named before the command


def _say_version(wanted: bool) -> None:
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def before(
    config: Config = None,
    _: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Bun Router: turns mails to a shared address into leads and finds each an owner, with mail alone."""
    _given["config"] = config


def main() -> None:
    """Entry point: every expected fault ends in one sentence."""
    try:
        with terminal.bars():
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
    return load(find_config(config or _given.get("config")))


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
    settings = _settings(config)
    terminal.log_to_stderr(logging.INFO if verbose else logging.WARNING, settings.calendar().zone)
    settings.imap.oauth or settings.imap.secret()  # a missing password is said now, not after the first connection
    office = open_office(settings)
    if verbose:
        office.watch = lambda handled: logging.getLogger("router").info(describe(handled))
    daemon = Daemon(settings, office, now)
    daemon.install_signals()
    print(f"bun-router {__version__} reads {settings.imap.user} at {settings.imap.host}", file=sys.stderr)
    try:
        daemon.run(once=once)
    except OurBug as bug:
        raise Sorry(f"stopped, since this is our own fault: {bug}", 3) from None
    if once and daemon.fault:
        raise Sorry(daemon.fault, 1)
    if once and sys.stdout.isatty():
        print(f"mails read: {daemon.mails_read}; mails sent: {daemon.mails_sent}")


@app.command()
def init(config: Config = None) -> None:
    """A few questions, both connections tried, and a configuration that works. Answers may be piped."""
    from router.init import Asker, run_init, say_next

    path = config or _given.get("config") or Path("config.toml")
    fine = True
    for result in run_init(path, Asker()):
        fine = fine and result.fine
        terminal.print_checked(result.name, result.fine, result.says)
    print(say_next(path, fine))
    raise typer.Exit(0 if fine else 1)


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
            terminal.print_checked(result.name, result.fine, result.says)
    raise typer.Exit(1 if wrong else 0)


# -- looking ---------------------------------------------------------------------------------------------------------


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
        terminal.print_status(leads, office.house, office.store, office.templates, now())
    silenced = office.store.note("silenced") or []
    if silenced:
        print(f"Silenced by a bound: {'; '.join(silenced[-5:])}")
    held = len(office.store.quarantined())
    if held:
        print(f"In quarantine: {held} (`bun-router quarantine list`)")


@app.command()
def show(number: Number, config: Config = None, as_json: Json = False) -> None:
    """One bun with its whole history and the reason for each step."""
    _, office = _reading(config)
    lead = office.store.lead(number)
    if lead is None:
        raise Sorry(f"there is no bun {number}", 1)
    if as_json:
        history = [{"at": stamp(e.at), "what": e.what, "who": e.who, "why": e.why} for e in lead.events]
        print(json.dumps({**lead_json(lead), "text": lead.text, "history": history}, ensure_ascii=False))
        return
    terminal.print_bun(lead, office.house, office.store, office.templates, now())


@app.command()
def explain(
    files: Annotated[list[str], typer.Argument(metavar="FILE.eml…")],
    config: Config = None,
    as_json: Json = False,
    in_reply_to_offer: Annotated[
        bool, typer.Option("--in-reply-to-offer", help="Read each as a reply to an offer from its sender.")
    ] = False,
) -> None:
    """How the router would read a mail, and why. Changes nothing. "-" reads one path a line from standard input.

    Status 1 where a file cannot be opened.
    """
    settings = _settings(config)
    house = house_of(settings, settings.collective.address, read_key(settings.trust.key_file, make=False))
    if "-" in files:  # somebody waits for each answer: the book of phrases is opened before the first
        read_words("", house, now())
    unread = 0
    for name in _names_of(files):
        answer = explain_file(Path(name), house, in_reply_to_offer)
        unread += answer["reason"].startswith(NO_FILE)
        if as_json:
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        else:
            terminal.print_explained(answer)
    raise typer.Exit(1 if unread else 0)


def _names_of(files: Iterable[str]) -> Iterable[str]:
    for name in files:
        if name == "-":
            yield from (line.rstrip("\n") for line in sys.stdin if line.strip())
        else:
            yield name


# -- writing ---------------------------------------------------------------------------------------------------------


@app.command("do")
def do_words(
    number: Number,
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
    as_json: Json = False,
) -> None:
    """The weekly digest, on the screen or (with --send) to the list."""
    if send:
        print(ask_daemon(_settings(config), {"do": "digest"}))
        return
    from router.digest import weekly, weekly_text
    from router.report import plain_json

    _, office = _reading(config)
    world = build_world(office.house, office.store, now())
    if as_json:
        print(json.dumps(plain_json(weekly(office.house, office.store, world, now())), ensure_ascii=False))
        return
    for line in weekly_text(office.house, office.store, world, now(), office.templates).splitlines():
        terminal.print_hanging(line, 2 if line.startswith("  ") else 0)


@app.command()
def forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS")],
    config: Config = None,
    mailbox: Annotated[
        bool, typer.Option("--mailbox", help="Delete the person's mails on the mail server too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before anything is erased.")] = False,
) -> None:
    """Erase a person's data from the store and all that is kept beside it; list their mails on the mail server.

    Asks first where somebody sits at the terminal.
    """
    settings = _settings(config)
    if not yes and sys.stdin.isatty() and sys.stdout.isatty():
        _make_sure(address, config)
    print(f"{address}: {ask_daemon(settings, {'do': 'forget', 'address': address})}")
    from router.inbox import InboxError
    from router.start import make_inbox

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


def _make_sure(address: str, config: Path | None) -> None:
    from router.privacy import Nobody, preview

    _, office = _reading(config)
    try:
        print(f"{address}: {preview(office, address)}. What is erased is gone for good.")
    except Nobody as nobody:
        raise Sorry(str(nobody), 1) from None
    if not typer.confirm("Erase it?"):
        raise Sorry("nothing was erased", 1)


@quarantine_app.callback(invoke_without_command=True)
def quarantine(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    """Mails that could not be handled: list, show, retry, drop."""
    _given["config"] = config or _given.get("config")
    if context.invoked_subcommand is None:
        quarantine_list(None, as_json)


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
        columns = (
            Column("no", number=True),
            Column("received"),
            Column("bytes", number=True),
            Column("reason", wide=True),
        )
        terminal.print_table((*columns, Column("reason", wide=True)), rows)


@quarantine_app.command("show")
def quarantine_show(number: Number, config: Config = None, as_json: Json = False) -> None:
    """One mail in quarantine: its reason and where its bytes and the traceback are."""
    _, office = _reading(config)
    doc = office.store.get("quarantine", number)
    if doc is None:
        raise Sorry(f"there is no mail {number} in quarantine", 1)
    trace = office.poison / f"{doc['file']}.txt"
    shown = {"number": number, **doc, "bytes": f"{office.poison / doc['file']}.eml"}
    if trace.exists():
        shown["traceback"] = str(trace)
    if as_json:
        print(json.dumps(shown, ensure_ascii=False))
        return
    for name, value in shown.items():
        terminal.print_fact(name, str(value))


@quarantine_app.command("retry")
def quarantine_retry(number: Number, config: Config = None) -> None:
    """Handle a mail in quarantine again."""
    print(ask_daemon(_settings(config), {"do": "retry", "number": number}))


@quarantine_app.command("drop")
def quarantine_drop(number: Number, config: Config = None) -> None:
    """Throw a mail in quarantine away."""
    print(ask_daemon(_settings(config), {"do": "drop", "number": number}))


@store_app.command("repair")
def store_repair(config: Config = None, as_json: Json = False) -> None:
    """Keep every whole record of a damaged store, and a copy of the original."""
    report = repair(_settings(config).store.path)
    if as_json:
        print(json.dumps(asdict(report), default=str, ensure_ascii=False))
    else:
        terminal.print_repaired(report)


@store_app.command("new-key")
def store_new_key(config: Config = None) -> None:
    """A new key where the store's is lost for good; says what is lost with it. Restore the old one if you can."""
    print(make_new_key(_settings(config)))


@app.command()
def health(config: Config = None, as_json: Json = False) -> None:
    """Whether the daemon runs, hears and speaks; status 1 if not (for monitors)."""
    from router.health import faults_of, read_health

    path = _settings(config).store.health_file
    doc = read_health(path)
    if doc is None:
        raise Sorry(f"there is no health file at {path}: the daemon has not run yet", 1)
    faults = faults_of(doc, now())
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

    from router.report import csv_rows, plain_json, report_html
    from router.report import report as sum_up

    _, office = _reading(config)
    house, moment = office.house, now()
    found = sum_up(house, office.store, build_world(house, office.store, moment), moment, months=months)
    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(found))
    elif as_json:
        print(json.dumps(plain_json(found), ensure_ascii=False))
    elif as_html:
        print(report_html(found, house, office.templates), end="")
    else:
        terminal.print_report(found, house, office.templates)


@app.command()
def tray(
    config: Config = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the page goes.", show_default="[store] tray")
    ] = None,
    as_json: Json = False,
) -> None:
    """Every bun at a glance, as one HTML page."""
    from router.tray import write_tray

    settings, office = _reading(config)
    path = out_file or settings.store.tray
    if path is None:
        raise Sorry("where to? Name a file with --out, or set tray under [store]")
    try:
        world = build_world(office.house, office.store, now())
        write_tray(path, office.house, office.store, world, office.templates)
    except OSError as error:
        raise Sorry(f"{path} cannot be written: {error.strerror}", 1) from None
    if as_json:
        found = {"page": str(path), "open": len(office.store.open_leads()), "leads": office.store.count_leads()}
        print(json.dumps(found, ensure_ascii=False))
    else:
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
        words = terminal.speech_of(office.house, office.templates).words["timers"]
        export_ics(office.store, office.house, words, now(), sys.stdout)
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
    as_json: Json = False,
) -> None:
    """A small cast, an embedded mail server and the real daemon: the whole story in half a minute."""
    try:
        from router.demo import run_demo
    except ImportError as error:
        raise Sorry(f"the demo needs its extra packages ({error.name}); install bun-router[demo]") from None
    if as_json and keep:
        raise Sorry("choose one of --keep and --json")
    try:
        status = run_demo(out_folder, keep, terminal.nothing if as_json else terminal.out)
    except ValueError as error:
        raise Sorry(str(error)) from None
    if as_json:
        _, office = _reading(out_folder / "config.toml")
        leads = [lead_json(lead) for lead in office.store.leads()]
        print(json.dumps({"as_it_should": not status, "leads": leads}, ensure_ascii=False))
    raise typer.Exit(status)


@app.command()
def version() -> None:
    """The version."""
    print(f"bun-router {__version__}")
