"""Configuration: a TOML file becomes frozen `Settings`, or one `ConfigError` that names every fault in it by key.

Job: find and read the file, fill in what follows from the rest of it, and refuse what cannot work.
Shell: reads the file and the machine's time zone. Imports settings (whose models it hands on), secret and worktime.

Invariants
- All faults are reported in one go, each as "key: what is wrong and what to do". Items of lists count from 1.
- Settings that exist can be run with: roles are on the roster, zones and countries exist, each login has one secret.
- Relative paths are relative to the folder of the configuration file. Addresses are lower-case.

Leaves out: whether servers, folders and templates are really there. `check` tries those.
"""

from __future__ import annotations

import copy
import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from router.commands import VERBS
from router.secret import ConfigError
from router.settings import (
    PORTS,
    Away,
    Canary,
    Collective,
    Connection,
    Consultant,
    Digest,
    Hours,
    Imap,
    ImapFolders,
    OAuth,
    Protocol,
    Reading,
    Restraint,
    Section,
    Settings,
    Smtp,
    Store,
    Templates,
    Trust,
    Words,
    Wrong,
    keys,
    read_settings,
    sections,
)
from router.worktime import Calendar, known_countries

__all__ = [
    "Away",
    "Canary",
    "Collective",
    "ConfigError",
    "Connection",
    "Consultant",
    "Digest",
    "Hours",
    "Imap",
    "ImapFolders",
    "OAuth",
    "Protocol",
    "Reading",
    "Restraint",
    "Settings",
    "Smtp",
    "Store",
    "Templates",
    "Trust",
    "Words",
    "find_config",
    "load",
    "machine_zone",
    "parse",
]

FILE = "config.toml"
SOURCES = ("password_env", "password_file", "password_command", "oauth")

Faults = Iterator[tuple[str, str]]


def find_config(given: Path | None = None) -> Path:
    """The file to read: the given one, else config.toml here, else in the user's configuration folder."""
    if given is not None:
        return given
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = (Path(FILE), home / "bun-router" / FILE)
    for place in places:
        if place.is_file():
            return place
    looked = " and ".join(str(place) for place in places)
    raise ConfigError(
        [f'There is no configuration (looked for {looked}); "bun-router init" writes one, --config FILE names another.']
    )


def load(path: Path) -> Settings:
    """Read a configuration file. Raises ConfigError with every fault in it."""
    where = str(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}; {_how_to_have_one(path)}"], where) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not UTF-8 text (byte {error.start}); save it as UTF-8"], where) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"is not TOML: {error}"], where) from None
    return parse(data, where)


def _how_to_have_one(path: Path) -> str:
    """What to do about a configuration that cannot be read."""
    if path.is_dir():
        return f"name the file in it, as in --config {path / FILE}"
    if path.exists():
        return "run this as the user who may read it"
    option = "" if path == Path(FILE) else f" --config {path}"
    return f'"bun-router init{option}" writes one, --config FILE names another'


def parse(data: Mapping[str, Any], where: str = FILE) -> Settings:
    """Settings from a file's data. `where` names the file: its folder is what relative paths are relative to.

    Raises ConfigError with every fault. A key with a fault is set aside while the rest is checked, so that one
    mistake neither hides the others nor makes sound keys look wrong.
    """
    left = _filled(data)
    folder = Path(where).absolute().parent
    faults: dict[str, str] = {}
    while not isinstance(settings := read_settings(left, folder), Settings):
        for wrong in settings:
            faults.setdefault(_dotted(wrong.place), _sentence(wrong))
        removed = [_set_aside(left, wrong) for wrong in settings]
        if not any(removed):
            raise ConfigError(_reported(faults), where)
    for key, sentence in _contradictions(settings):
        if not any(_within(key, known) or _within(known, key) for known in faults):
            faults[key] = sentence
    faults = {key: sentence for key, sentence in faults.items() if not _is_echo(key, faults, data)}
    if faults:
        raise ConfigError(_reported(faults), where)
    return settings


def _filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the data in which what follows from other keys is spelled out."""
    filled = copy.deepcopy(dict(data))

    def table(name: str) -> dict[str, Any]:
        found = filled.setdefault(name, {})
        return found if isinstance(found, dict) else {}  # what is no table is refused later

    imap, smtp, store, collective = table("imap"), table("smtp"), table("store"), table("collective")
    smtp.setdefault("user", imap.get("user", ""))
    if smtp["user"] and smtp["user"] == imap.get("user") and not any(source in smtp for source in SOURCES):
        smtp.update({source: imap[source] for source in SOURCES if source in imap})
    for name, ports in PORTS.items():
        security = str(table(name).get("security", "tls"))
        table(name).setdefault("port", ports.get(security, ports["tls"]))
    table("hours").setdefault("timezone", machine_zone())
    path = store.get("path") or Store.model_fields["path"].default
    table("trust").setdefault("key_file", f"{path}.key")
    store.setdefault("health_file", f"{path}.health")
    address = collective.get("list")
    if isinstance(address, str) and "@" in address:
        collective.setdefault("list_id", address.lower().replace("@", "."))
        table("trust").setdefault("list_dkim", address.lower().rpartition("@")[2])
    return filled


def machine_zone() -> str:
    """The time zone that this machine is set to, as TZ or /etc/localtime name it; UTC where neither does."""
    named = os.environ.get("TZ", "").lstrip(":")
    linked = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")[2]
    return next((name for name in (named, linked) if name and _is_zone(name)), "UTC")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # absent, absolute or no zone file; a folder of zones
        return False
    return True


# --- faults -----------------------------------------------------------------------------------------------------------


def _dotted(loc: tuple[int | str, ...]) -> str:
    """A place in the file as people write it: consultant[2].addresses[1], counted from 1."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in loc).lstrip(".")


def _reported(faults: Mapping[str, str]) -> list[str]:
    return [f"{key}: {sentence}" for key, sentence in faults.items()]


def _is_echo(key: str, faults: Mapping[str, str], data: Mapping[str, Any]) -> bool:
    """Whether a fault of [smtp]'s login is only [imap]'s, from which it was taken over."""
    section, _, rest = key.partition(".")
    twin = any(_within(known, f"imap.{rest.partition('.')[0]}") for known in faults)
    own = data.get("smtp")
    written = own if isinstance(own, dict) else {}
    return section == "smtp" and twin and rest.startswith(SOURCES) and not any(source in written for source in SOURCES)


def _within(key: str, place: str) -> bool:
    return key == place or key.startswith((f"{place}.", f"{place}["))


def _set_aside(data: dict[str, Any], wrong: Wrong) -> bool:
    """Take the innermost named key of a faulty place out of the data, for something missing that of its table."""
    loc = wrong.place[:-1] if wrong.kind == "missing" else wrong.place
    last = max(index for index, step in enumerate(loc) if isinstance(step, str))
    inner: Any = data
    try:
        for step in loc[:last]:
            inner = inner[step]
        del inner[loc[last]]
    except (KeyError, IndexError, TypeError):
        return False  # taken out before, with what held it
    return True


def _sentence(wrong: Wrong) -> str:
    """What is wrong and what to do. Values are repeated only where none can be secret."""
    kind, context = wrong.kind, wrong.context
    if kind == "extra_forbidden":
        return _unknown(wrong.place)
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = context["expected"].replace("'", '"').replace("True", "true").replace("False", "false")
        return f"must be {choices}"
    if kind == "model_type":
        return "must be a table of keys of its own"
    if kind == "tuple_type" and wrong.place == ("consultant",):
        return "must be written [[consultant]], in double brackets, once for each person"
    plain = {
        "missing": "is missing",
        "string_type": "must be text in quotes",
        "tuple_type": 'must be a list, as in ["one", "two"]',
        "dict_type": "must be a table of keys of its own",
        "int_type": "must be a whole number, without quotes",
        "bool_type": "must be true or false, without quotes",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
    }
    return plain.get(kind, wrong.words)


def _unknown(loc: tuple[int | str, ...]) -> str:
    """A key that does not exist: what it may have been meant to be."""
    name = str(loc[-1])
    if name in ("password", "client_secret", "secret"):
        return f"secrets are not kept in this file; use {name}_env, {name}_file or {name}_command and take it out"
    model: type[Section] = Settings
    for step in loc[:-1]:
        if isinstance(step, str):
            model = next(found for key, found in sections(model) if key == step)
    known = keys(model)
    close = difflib.get_close_matches(name, known, 1) or difflib.get_close_matches(name.lower(), known, 1)
    if close:
        return f'is not a key; did you mean "{close[0]}"?'
    homes = [key for key, section in sections(Settings) if name in keys(section)]
    if homes:
        return f"is not a key here; it belongs in [{homes[0]}]"
    return f"is not a key; the keys here are {', '.join(known)}"


# --- what no single key can know --------------------------------------------------------------------------------------


def _contradictions(settings: Settings) -> Faults:
    yield from _check_required(settings)
    yield from _check_list(settings.collective)
    yield from _check_roster(settings)
    yield from _check_addresses(settings)
    yield from _check_roles(settings)
    yield from _check_connection("imap", settings.imap)
    yield from _check_connection("smtp", settings.smtp)
    yield from _check_folders(settings.imap)
    yield from _check_hours(settings.hours)
    yield from _check_spans(settings)
    yield from _check_bounds(settings)
    for verb in settings.reading.phrases:
        if verb not in VERBS:
            yield f"reading.phrases.{verb}", "is not a command" + _meant(verb, VERBS)


def _meant(value: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(value.lower(), list(known), 1)
    return f'; did you mean "{close[0]}"?' if close else ""


def _check_required(settings: Settings) -> Faults:
    needed = {
        "collective.name": (settings.collective.name, "the name of the collective, as clients read it"),
        "collective.address": (settings.collective.address, "the shared address that clients write to"),
        "imap.host": (settings.imap.host, "the server of the shared mailbox"),
        "imap.user": (settings.imap.user, "the login of the shared mailbox"),
        "smtp.host": (settings.smtp.host, "the server that takes the router's mail"),
        "imap.folders": (settings.imap.folders, 'at least one folder to read, as in ["INBOX"]'),
        "collective.languages": (settings.collective.languages, 'at least one language, as in ["en"]'),
        "consultant": (settings.roster, "a [[consultant]] section for each person"),
    }
    for key, (value, meaning) in needed.items():
        if not value:
            yield key, f"is missing: {meaning}"


def _check_list(collective: Collective) -> Faults:
    if not collective.list and not collective.members:
        yield "collective.list", "is missing: the list's address, or members = true to write to everybody one by one"
    if collective.list and collective.members:
        yield "collective.members", "cannot be true beside a list; keep one of the two"


def _check_roster(settings: Settings) -> Faults:
    seen: dict[str, int] = {}
    for number, person in enumerate(settings.roster, 1):
        here = f"consultant[{number}]"
        for key, value in (("key", person.key), ("name", person.name.strip()), ("addresses", person.addresses)):
            if not value:
                yield f"{here}.{key}", f"is missing{f' for {person.key or person.name}' if key != 'key' else ''}"
        if person.key and seen.setdefault(person.key, number) != number:
            yield f"{here}.key", f'"{person.key}" is also the key of consultant[{seen[person.key]}]; each needs its own'
        if person.language and person.language not in settings.collective.languages:
            yield f"{here}.language", f'"{person.language}" is not among collective.languages'
        for count, stretch in enumerate(person.away, 1):
            if stretch.until < stretch.first:
                yield f"{here}.away[{count}]", "ends before it begins"


def _check_addresses(settings: Settings) -> Faults:
    collective = settings.collective
    ours = dict.fromkeys(collective.aliases, "an alias of the shared address")
    ours[collective.address] = "the shared address"  # which may itself be run as the list
    taken = {collective.list: "the list's address"} | ours
    for key in ("operator", "operator_second"):
        if (address := getattr(collective, key)) and address in ours:
            yield f"collective.{key}", f'"{address}" is {ours[address]}; faults must reach a person elsewhere'
    for number, person in enumerate(settings.roster, 1):
        for count, address in enumerate(person.addresses, 1):
            here = f"consultant[{number}].addresses[{count}]"
            if address in taken:
                yield here, f'"{address}" is already {taken[address]}; each address belongs to one'
            taken[address] = here


def _check_roles(settings: Settings) -> Faults:
    collective, known = settings.collective, [person.key for person in settings.roster if person.key]
    if not collective.keeper and not collective.rota:
        yield "collective.keeper", "is missing: the key of who answers for the shared address (or a weekly rota)"
    if collective.keeper and collective.rota:
        yield "collective.rota", "cannot stand beside keeper; keep one of the two"
    roles = [(f"collective.{role}", getattr(collective, role)) for role in ("keeper", "deputy", "mediator")]
    roles.append(("collective.business_developer", collective.business_developer))
    roles += [(f"collective.rota[{number}]", key) for number, key in enumerate(collective.rota, 1)]
    for role, key in roles:
        if key and known and key not in known:
            yield role, f'"{key}" is not the key of a [[consultant]]{_meant(key, known)}'


def _check_connection(section: str, connection: Connection) -> Faults:
    given = [source for source in SOURCES if getattr(connection, source)]
    if connection.user and not given:
        yield f"{section}.password_env", f"is missing: where the password is; give one of {', '.join(SOURCES)}"
    if len(given) > 1:
        yield f"{section}.{given[1]}", f"is a second source for the password beside {given[0]}; keep one of them"
    if connection.user and connection.security == "plain" and not connection.is_loopback:
        yield f"{section}.security", "plain would send the password readable over the network; use tls or starttls"
    oauth = connection.oauth
    if oauth and not oauth.token_command:
        wanted = {"client_id": oauth.client_id, "refresh_token_file": str(oauth.refresh_token_file or "")}
        if oauth.provider == "other":
            wanted["token_url"] = oauth.token_url
        for key, value in wanted.items():
            if not value:
                yield f"{section}.oauth.{key}", "is missing (or give token_command, which prints an access token)"
    if oauth and oauth.token_url:
        try:
            oauth.tokens()
        except ValueError as error:
            yield f"{section}.oauth.token_url", str(error)
    if oauth and sum(map(bool, (oauth.client_secret_env, oauth.client_secret_file, oauth.client_secret_command))) > 1:
        yield f"{section}.oauth.client_secret_env", "is one of several sources for the client's secret; keep one"


def _check_hours(hours: Hours) -> Faults:
    if not _is_zone(hours.timezone):
        yield "hours.timezone", f'"{hours.timezone}" is no time zone; write it as in "Europe/Stockholm"'
    if not hours.days:
        yield "hours.days", "names no day, so no working time would ever pass"
    if hours.end != time(0) and hours.end <= hours.start:
        yield "hours.end", f"{hours.end:%H:%M} is not after the start, {hours.start:%H:%M}"
    regions = known_countries().get(hours.country) if hours.country else None
    if hours.country and regions is None:
        yield "hours.country", f'"{hours.country}" is no country we know; write its two letters, as in "SE"'
    if hours.subdivision and hours.country and regions is not None and hours.subdivision not in regions:
        choices = f"one of {', '.join(regions)}" if regions else "left out: its holidays are the same everywhere"
        yield "hours.subdivision", f'"{hours.subdivision}" is no region of {hours.country}; it must be {choices}'
    if hours.subdivision and not hours.country:
        yield "hours.subdivision", "needs a country beside it"


def _check_folders(imap: Imap) -> Faults:
    read = {*imap.folders, imap.sent, imap.junk}
    for key in keys(ImapFolders):
        folder = getattr(imap.file, key)
        if not folder or folder in read:
            why = f'"{folder}" is also read, so handled mail would come back' if folder else "is missing"
            yield f"imap.file.{key}", f"{why}; name a folder of its own"
    for key in ("sent", "junk"):
        if getattr(imap, key) in imap.folders:
            yield f"imap.{key}", "is also among imap.folders; keep it in one of the two"


def _check_bounds(settings: Settings) -> Faults:
    people = len(settings.roster) if settings.collective.members else 1
    for key in ("per_lead", "total"):
        bound = getattr(settings.restraint, key)
        if bound < 4 * people:  # an offer, a call, an outcome, and some words in between
            yield f"restraint.{key}", f"{bound} is not enough for a bun's mails of a day; make it at least {4 * people}"


def _check_spans(settings: Settings) -> Faults:
    protocol = settings.protocol
    pairs = (("dry", "freshness"), ("contest_end", "contest_mediate"))
    for longer, shorter in pairs:
        a, b = getattr(protocol, longer), getattr(protocol, shorter)
        if a.working == b.working and Calendar().length(a) <= Calendar().length(b):
            yield f"protocol.{longer}", f'"{a}" must be longer than {shorter}, "{b}"'
