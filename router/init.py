"""`bun-router init`: from a few questions to a configuration that works.

Job: ask, try the connections as soon as they are known, learn from the mailbox what can be learnt, and write
config.toml (and the password's file) at the end. Shell. What the answers become is `founding.py`'s to say.

Invariants: nothing is written before the last question, and nothing is overwritten unasked; a password is never shown,
and stands in no file but its own, which is ours alone (0600); a wrong answer is named in one sentence and asked again.
Answers may be piped: one a line, an empty one for the default.
"""

from __future__ import annotations

import getpass
import os
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from router.check import Checked, run_checks
from router.config import ConfigError, Settings, load, machine_zone, parse
from router.counter import Sorry
from router.founding import Answers, Colleague, Trusted, Wire, key_for, learn_server, write_config
from router.headers import split_headers
from router.inbox import InboxError
from router.journal_files import put_file
from router.oauth import SecretError
from router.outbox import check_server
from router.secret import read_named
from router.settings import PORTS
from router.start import make_inbox, read_templates, server_of
from router.values import read_address, read_env_name, read_language
from router.worktime import known_countries

T = TypeVar("T")
LOOKED_AT = 50  # of the newest mails
PASSWORD_FILE = "mail.password"  # noqa: S105 - a file's name


class Asker:
    """Asks on standard output and reads from standard input, whether a person types or a pipe holds the answers."""

    def __init__(self) -> None:
        self.is_person = sys.stdin.isatty() and sys.stdout.isatty()

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def ask(self, question: str, default: str, read: Callable[[str], T]) -> T:
        """The answer, as `read` makes of it; asked again while that raises ValueError. "" is the default."""
        while True:
            given = self._line(f"{question}{f' [{default}]' if default else ''}: ").strip() or default
            try:
                return read(given)
            except ValueError as wrong:
                self.say(f"  {wrong}.")

    def ask_secret(self, question: str) -> str:
        """Never echoed, and never empty."""
        while True:
            given = getpass.getpass(f"{question}: ") if self.is_person else self._line(f"{question}: ")
            if given.strip():
                return given.strip("\r\n")
            self.say("  It cannot be empty.")

    def _line(self, question: str) -> str:
        print(question, end="" if self.is_person else "\n", flush=True)
        line = sys.stdin.readline()
        if not line:
            raise Sorry("the answers end before the last question; nothing is written", 1)
        return line


@dataclass(frozen=True, slots=True)
class Login:
    """A connection as it was asked for, with its password; `file` is where that is to be written."""

    wire: Wire
    password: str = ""
    file: str = ""

    def __repr__(self) -> str:
        return f"Login({self.wire.user} at {self.wire.host})"


def run_init(path: Path, asker: Asker) -> Iterator[Checked]:
    """Ask, try and write; yields the results of the final checks. Raises Sorry."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise Sorry(f"the folder {folder} does not exist; make it first", 1)
    if path.exists() and not asker.ask(f"{path} is there already. Write a new one in its place?", "no", _yes_or_no):
        raise Sorry(f"{path} stays as it is", 1)
    asker.say("A few questions; Enter takes what stands in brackets. Nothing is written before the last one.\n")
    answers = _ask_people(asker)
    asker.say("\nThe shared mailbox.")
    imap, smtp, trusted = _ask_wires(asker, answers, folder)
    answers = replace(answers, imap=imap.wire, smtp=smtp.wire, trusted=trusted)
    _write(path, answers, (imap, smtp), asker)
    asker.say("\nTrying everything once more, as `bun-router check` does:")
    yield from run_checks(load(path))


def say_next(path: Path, fine: bool) -> str:
    """What to do after `init`, for people."""
    config = "" if path == Path("config.toml") else f" --config {path}"
    first = "" if fine else f"First put right what is WRONG above, and run `bun-router check{config}` again.\n"
    return (
        f"\n{first}Next:\n"
        f"  bun-router run{config}          starts it; deploy/bun-router.service does so under systemd\n"
        "  Tell your colleagues: offers come by mail, and the first line of an answer is “mine” or “pass”.\n"
        "  Back up the store and its key (bun-router.json*) together. All else that can be set: config.example.toml."
    )


# -- the collective --------------------------------------------------------------------------------------------------


def _needed(value: str) -> str:
    if not value:
        raise ValueError("An answer is needed here")
    return value


def _yes_or_no(value: str) -> bool:
    if value.lower() in ("y", "yes", "n", "no"):
        return value.lower().startswith("y")
    raise ValueError("Write yes or no")


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(map(read_address, _needed(value).replace(",", " ").split()))


def _languages(value: str) -> tuple[str, ...]:
    wanted = tuple(map(read_language, _needed(value).lower().replace(",", " ").split()))
    ours = read_templates(None).languages()
    missing = [each for each in wanted if each not in ours]
    if missing:
        raise ValueError(f'There are no mails in "{missing[0]}"; write some of {", ".join(ours)}')
    return wanted


def _full_name(value: str) -> str:
    if "@" in value:
        raise ValueError("Write the name; the addresses are asked for next")
    return value


def _country(value: str) -> str:
    if value and value.upper() not in known_countries():
        raise ValueError(f'"{value}" is no country we know; write its two letters, as in SE')
    return value.upper()


def _ask_people(asker: Asker) -> Answers:
    name = asker.ask("The collective's name, as clients read it", "", _needed)
    address = asker.ask("The shared address that clients write to", "", read_address)
    languages = asker.ask("The languages of your mails, two letters each, the main one first", "en", _languages)
    question = "Your mailing list's address, where offers go (- writes to everybody one by one)"
    listed = asker.ask(question, "-", lambda value: "" if value == "-" else read_address(value))
    asker.say("\nThe colleagues who answer offers.")
    colleagues = _ask_colleagues(asker, {address: "the shared address itself", listed: "the list's address"})
    keys = [each.key for each in colleagues]

    def keepers(value: str) -> tuple[str, ...]:
        named = tuple(value.lower().replace(",", " ").split())
        unknown = [each for each in named if each not in keys]
        if unknown or not named:
            raise ValueError(f"Write one or more of {', '.join(keys)}")
        return named

    kept = asker.ask("Who answers for the shared address (several take turns, a week each)", keys[0], keepers)
    never = asker.ask("Those of them who never take a bun themselves (- for nobody)", "-", _among(kept))
    colleagues = tuple(replace(each, never_claims=each.key in never) for each in colleagues)
    first = next(each for each in colleagues if each.key == kept[0])

    def elsewhere(value: str) -> str:
        if read_address(value) == address:
            raise ValueError("That is the shared address itself; faults must reach a person elsewhere")
        return read_address(value)

    operator = asker.ask("Who is told when something does not work", first.addresses[0], elsewhere)
    zone = asker.ask("Your time zone", machine_zone(), _zone)
    country = asker.ask(
        "The country whose public holidays are free (- for none)", "-", lambda v: _country(v.strip("-"))
    )
    nowhere = Wire("", 0, "", "")
    return Answers(name, address, listed, languages, colleagues, kept, operator, zone, country, nowhere, nowhere)


def _among(keys: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(value: str) -> tuple[str, ...]:
        named = () if value == "-" else tuple(value.lower().replace(",", " ").split())
        if any(each not in keys for each in named):
            raise ValueError(f"Write some of {', '.join(keys)}, or -")
        return named

    return read


def _zone(value: str) -> str:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(value)
    except (OSError, ValueError, KeyError):
        raise ValueError(f'"{value}" is no time zone; write it as in Europe/Stockholm') from None
    return value


def _ask_colleagues(asker: Asker, taken: Mapping[str, str]) -> tuple[Colleague, ...]:
    """`taken`: what each address is that is no colleague's."""
    found: list[Colleague] = []
    while True:
        name = asker.ask("A colleague's full name" + (" (Enter when all are named)" if found else ""), "", _full_name)
        if not name and found:
            return tuple(found)
        if not name:
            asker.say("  At least one is needed.")
            continue

        free = _not_among(taken)
        addresses = asker.ask("  All addresses they write from, the one that gets mail first", "", free)
        skills = asker.ask("  Their skills, with commas between (- for none)", "-", _skills)
        taken = {**taken, **dict.fromkeys(addresses, f"{name}'s already")}
        found.append(Colleague(key_for(name, {each.key for each in found}), name, addresses, skills))
        asker.say(f"  {name} is “{found[-1].key}” in commands.")


def _not_among(taken: Mapping[str, str]) -> Callable[[str], tuple[str, ...]]:
    def read(value: str) -> tuple[str, ...]:
        addresses = _addresses(value)
        double = [each for each in addresses if each in taken]
        if double:
            raise ValueError(f"{double[0]} is {taken[double[0]]}")
        return addresses

    return read


def _skills(value: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in value.strip("-").split(",") if each.strip())


# -- the servers -----------------------------------------------------------------------------------------------------


def _ask_wires(asker: Asker, answers: Answers, folder: Path) -> tuple[Login, Login, Trusted]:
    """Both connections, tried; asked for again while they do not work and the person wants to."""
    domain = answers.address.partition("@")[2]
    asker.say("Microsoft 365 and Google want access tokens instead of a password: see “Access tokens” in the README.")
    expected = Wire(f"imap.{domain}", PORTS["imap"]["tls"], "tls", answers.address)
    while True:
        imap = _ask_login(asker, "imap", expected, folder)
        settings = _settings_of(replace(answers, imap=imap.wire, smtp=imap.wire), folder)
        fault, trusted = _try_imap(settings, imap, domain)
        if not _asks_again(asker, "IMAP", fault):
            break
        expected = imap.wire
    if not fault:
        trusted = _confirm_server(asker, trusted)
    asker.say("\nThe way out.")
    security = imap.wire.security
    expected = Wire(imap.wire.host.replace("imap", "smtp", 1), PORTS["smtp"][security], security, imap.wire.user)
    while True:
        smtp = _ask_login(asker, "smtp", expected, folder, imap)
        settings = _settings_of(replace(answers, imap=imap.wire, smtp=smtp.wire), folder)
        if not _asks_again(asker, "SMTP", _try_smtp(settings, smtp)):
            return imap, smtp, trusted
        expected = smtp.wire


def _place(wire: Wire) -> str:
    """The host, with its port where that does not follow from the security."""
    usual = {ports[wire.security] for ports in PORTS.values()}
    return wire.host if wire.port in usual else f"{wire.host}:{wire.port}"


def _asks_again(asker: Asker, what: str, fault: str) -> bool:
    if not fault:
        asker.say(f"  {what} works.")
        return False
    asker.say(f"  {what} does not work: {fault}")

    def read(value: str) -> bool:
        if value.lower() not in ("again", "on", "stop"):
            raise ValueError("Write again, on or stop")
        if value.lower() == "stop":
            raise Sorry("stopped; nothing is written", 1)
        return value.lower() == "again"

    return asker.ask("Answer these questions again, go on all the same, or stop (again, on, stop)", "again", read)


def _ask_login(asker: Asker, section: str, expected: Wire, folder: Path, other: Login | None = None) -> Login:
    """`expected`: what was answered before, or is likely. `other`: the mailbox's login, which may serve here too."""
    place = asker.ask(f"The {section.upper()} server, with :port where it is an unusual one", _place(expected), _host)
    question = "TLS from the first byte, STARTTLS or none (tls, starttls, plain)"
    secure = asker.ask(question, expected.security, _security(place[0]))
    port = place[1] or PORTS[section][secure]
    user = expected.user or "-"
    login = asker.ask("The login" + (" (- sends without one)" if other else ""), user, _needed)
    if other and login == "-":
        return Login(Wire(place[0], port, secure, ""))
    if other and login == other.wire.user:
        return replace(other, wire=replace(other.wire, host=place[0], port=port, security=secure))
    name = PASSWORD_FILE if other is None else f"smtp-{PASSWORD_FILE}"
    secret, password, file = _ask_secret(asker, name, folder, _source_of(expected))
    return Login(Wire(place[0], port, secure, login, secret), password, file)


def _host(value: str) -> tuple[str, int]:
    host, colon, port = _needed(value).rpartition(":")
    if not colon:
        return value.lower(), 0
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'"{value}" is no server; write it as in mail.example.org or mail.example.org:1993')
    return host.lower(), int(port)


def _security(host: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in ("tls", "starttls", "plain"):
            raise ValueError("Write tls, starttls or plain")
        if value.lower() == "plain" and host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("plain would send the password readable over the network; write tls or starttls")
        return value.lower()

    return read


def _ask_secret(
    asker: Asker, name: str, folder: Path, expected: str = "file"
) -> tuple[tuple[str, str | tuple[str, ...]], str, str]:
    """(the configuration's key and value, the password, the file that it is to be written to)."""
    question = "Where is the password? file: you type it now; env NAME: a variable; command WORDS: what that prints"
    kind, rest = asker.ask(question, expected, _source)
    if kind == "file":
        target = rest or name
        if (folder / target).exists() and asker.ask(
            f"{target} is there already. Use what is in it?", "yes", _yes_or_no
        ):
            return ("password_file", target), _read_secret(folder / target), ""
        return ("password_file", target), asker.ask_secret("The password (it is not shown)"), target
    if kind == "env":
        password = os.environ.get(rest, "") or asker.ask_secret(f"{rest} is not set here. The password, to try it")
        return ("password_env", rest), password, ""
    words = tuple(shlex.split(rest))
    try:
        return ("password_command", words), read_named("password", command=words), ""
    except SecretError as fault:
        asker.say(f"  {fault}.")
        return _ask_secret(asker, name, folder)


def _source_of(wire: Wire) -> str:
    """Where the password was said to be, as it is answered."""
    key, value = wire.secret or ("password_file", "")
    if key == "password_file":
        return "file"
    return f"env {value}" if key == "password_env" else f"command {shlex.join(value)}"


def _read_secret(path: Path) -> str:
    try:
        return read_named("password", file=path)
    except SecretError as fault:
        raise Sorry(f"{fault}; nothing is written", 1) from None


def _source(value: str) -> tuple[str, str]:
    kind, _, rest = value.partition(" ")
    rest = rest.strip()
    if kind.lower() == "file":
        return "file", rest
    if kind.lower() == "env" and rest:
        return "env", read_env_name(rest)
    if kind.lower() == "command" and rest:
        shlex.split(rest)  # raises ValueError where quotes do not close
        return "command", rest
    raise ValueError("Write file, env NAME, or command WORDS")


def _settings_of(answers: Answers, folder: Path) -> Settings:
    """The answers so far as settings, read as the file would be. Raises Sorry."""
    try:
        return parse(tomllib.loads(write_config(answers)), str(folder / "config.toml"))
    except ConfigError as error:
        raise Sorry("; ".join(error.faults), 1) from None


def _try_imap(settings: Settings, login: Login, domain: str) -> tuple[str, Trusted]:
    """What does not work, and what the newest mails say of the mail server."""
    inbox = make_inbox(settings, lambda: login.password)
    try:
        inbox.connect()
        raws = inbox.newest_headers("INBOX", LOOKED_AT, ("RECEIVED", "AUTHENTICATION-RESULTS"))
    except InboxError as error:
        return error.reason, Trusted()
    finally:
        inbox.close()
    return "", learn_server([split_headers(raw)[0] for raw in raws], domain)


def _try_smtp(settings: Settings, login: Login) -> str:
    server = server_of(settings)
    return check_server(replace(server, password=(lambda: login.password) if server.user else None))


def _confirm_server(asker: Asker, found: Trusted) -> Trusted:
    if not found.seen:
        asker.say(
            f"  None of the {found.of} newest mails says whom a server has authenticated; see [trust] in the file."
        )
        return Trusted()
    default = "yes" if found.is_sure else "no"
    counted = f"{found.seen} of the {found.of} newest mails"
    meaning = "(yes: colleagues whom it has authenticated are believed; no: they are known by personal reply addresses)"
    if found.exchange_online:
        question = f"{counted} were checked by Exchange Online. Is that your own mail server? {meaning}"
    else:
        relays = f", and passes through {', '.join(found.relays)}" if found.relays else ""
        question = f'{counted} were checked by "{found.authserv_id}"{relays}. Is that your own mail server? {meaning}'
    return found if asker.ask(question, default, _yes_or_no) else Trusted()


# -- the files -------------------------------------------------------------------------------------------------------


def _write(path: Path, answers: Answers, logins: tuple[Login, ...], asker: Asker) -> None:
    """The passwords' files first, so that a configuration that is there can be used. All are 0600."""
    text = write_config(answers)
    _settings_of(answers, path.absolute().parent)
    written = {login.file: login.password for login in logins if login.file}
    try:
        for name, password in written.items():
            put_file(path.absolute().parent / name, f"{password}\n".encode())
        put_file(path, text.encode())
    except OSError as error:
        raise Sorry(f"{path} cannot be written: {error.strerror}", 1) from None
    asker.say(f"\nWritten, for your eyes only: {', '.join([str(path), *written])}.")
