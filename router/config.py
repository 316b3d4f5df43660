"""Configuration: a TOML file becomes frozen `Settings`, or one `ConfigError` that names every fault in it by key.

Job: read the file, fill in what follows from the rest, refuse what cannot work, and fetch secrets when they are needed.
Shell: reads files and the environment. Imports worktime; the only module that imports pydantic.
`config.example.toml` is the manual; a test holds the two together, key by key and default by default.

Invariants
- All faults are reported in one go, each as "key: what is wrong and what to do". Items of lists count from 1.
- Settings that exist can be run with: roles are on the roster, zones and countries exist, each login has one secret.
- A secret is never in a model, its repr or a fault; `secret()` reads it from its source each time.
- Relative paths are relative to the folder of the configuration file. Addresses are lower-case.

Leaves out: whether servers, folders and templates are really there. `check` tries those.
"""

from __future__ import annotations

import copy
import difflib
import ipaddress
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
)

from router.worktime import Calendar, Span, known_countries, parse_span

FILE = "config.toml"
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PORTS = {"imap": {"tls": 993, "starttls": 143, "plain": 143}, "smtp": {"tls": 465, "starttls": 587, "plain": 25}}
SOURCES = ("password_env", "password_file", "password_command", "oauth")
COMMAND_SECONDS = 30
VERBS = (
    *("claim", "pass", "yield", "release", "award", "offer", "with", "join", "together", "warm", "send", "throw"),
    *("last-call", "eaten", "lost", "withdrawn", "note", "cookie", "dough", "bun", "urgent", "up", "undo", "yes"),
    *("status", "list", "help", "away", "back", "skills"),
)


class ConfigError(Exception):
    """The configuration, or a secret it points to, cannot be used. `faults` are whole sentences for the operator."""

    def __init__(self, faults: Iterable[str], where: str = "") -> None:
        self.faults = tuple(faults)
        self.where = where
        super().__init__("\n".join(self.faults))


# --- values: each reads what TOML can hold and raises ValueError with what to do --------------------------------------


def _address(value: str) -> str:
    if not value:
        return ""
    if not re.fullmatch(r"[^\s@<>()\[\],;:\"\\]+@[^\s@<>()\[\],;:\"\\]+", value) or ".." in value:
        raise ValueError(f'"{value}" is no mail address; write only the address, as in "anna@example.org"')
    return value.lower()


def _span(value: object) -> Span:
    if isinstance(value, Span):
        return value
    if value == 0 and value is not False:
        return Span(0, "second")
    if not isinstance(value, str):
        raise ValueError('must be a duration in quotes, as in "1 working day" or "30 seconds"')
    return parse_span(value)


def _some(span: Span) -> Span:
    if not span:
        raise ValueError("must be longer than nothing")
    return span


def _plain(span: Span) -> Span:
    if span.working:
        raise ValueError(f'"{span}" is working time; this one runs day and night, so write it as in "60 seconds"')
    return span


def _clock(value: object) -> time:
    if isinstance(value, time):
        return value.replace(second=0, microsecond=0)
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    if not found or (value != "24:00" and (int(found[1]) > 23 or int(found[2]) > 59)):
        raise ValueError('must be a time of day, as in "09:00"')
    return time(int(found[1]) % 24, int(found[2]))


def _weekday(value: object) -> int:
    name = value.lower() if isinstance(value, str) else ""
    matches = [number for number, day in enumerate(DAY_NAMES) if len(name) >= 3 and day.startswith(name)]
    if not matches:
        raise ValueError('must be a day of the week in English, as in "Monday" or "Mon"')
    return matches[0]


def _weekday_or_off(value: object) -> int | None:
    return None if value is None or value == "off" else _weekday(value)


def _date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a date, as in 2027-02-28") from None


def _date_or_none(value: object) -> date | None:
    return None if value is None or value == "" else _date(value)


def _dates(value: object) -> object:
    """Dates and {from, until} stretches as one list of dates."""
    if not isinstance(value, list):
        return value
    days: list[object] = []
    for item in value:
        if isinstance(item, dict):
            first, last = _date(item.get("from")), _date(item.get("until"))
            if item.keys() != {"from", "until"} or not first <= last <= first + timedelta(days=400):
                raise ValueError("a stretch is written as {from = 2027-07-05, until = 2027-07-30}")
            days.extend(first + timedelta(days=count) for count in range((last - first).days + 1))
        else:
            days.append(item)
    return days


def _size(value: object) -> int:
    found = re.fullmatch(r"(\d{1,6}) ?(kB|MB)", value) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if not found or not int(found[1]):
        raise ValueError('must be a size, as in "25 MB"')
    return int(found[1]) * {"kB": 1000, "MB": 1_000_000}[found[2]]


def _path(value: object, info: ValidationInfo) -> Path | None:
    if value is None or value == "":
        return None
    if not isinstance(value, (str, Path)):
        raise ValueError("must be a path in quotes")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder, Path(os.path.expandvars(str(value))).expanduser())


def _argv(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


def _env_name(value: str) -> str:
    # the value is not repeated: it may be the password itself, put there by mistake
    if value and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
        raise ValueError("must be the name of an environment variable in capitals, not the password itself")
    return value


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2}", value):
        raise ValueError(f'"{value}" is no language; write its two letters, as in "en"')
    return value


def _key(value: str) -> str:
    if value and not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", value):
        raise ValueError(f'"{value}" cannot be a key; use lower-case letters, digits, - and _, as in "anna"')
    return value


Text = Annotated[str, Field(strict=True)]
Texts = tuple[Text, ...]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
MailAddress = Annotated[str, AfterValidator(_address)]
Key = Annotated[str, AfterValidator(_key)]
Language = Annotated[str, AfterValidator(_language)]
DurationOrZero = Annotated[Span, PlainValidator(_span)]
Duration = Annotated[Span, PlainValidator(_span), AfterValidator(_some)]
PlainDuration = Annotated[Span, PlainValidator(_span), AfterValidator(_plain), AfterValidator(_some)]
PlainDurationOrZero = Annotated[Span, PlainValidator(_span), AfterValidator(_plain)]
Clock = Annotated[time, PlainValidator(_clock)]
Weekday = Annotated[int, PlainValidator(_weekday)]
WeekdayOrOff = Annotated[int | None, PlainValidator(_weekday_or_off)]
Date = Annotated[date, PlainValidator(_date)]
DateOrNone = Annotated[date | None, PlainValidator(_date_or_none)]
Dates = Annotated[tuple[Date, ...], BeforeValidator(_dates)]
Size = Annotated[int, PlainValidator(_size)]
FilePath = Annotated[Path, PlainValidator(_path)]
PathOrNone = Annotated[Path | None, PlainValidator(_path)]
Command = Annotated[Texts, BeforeValidator(_argv)]
EnvName = Annotated[str, AfterValidator(_env_name)]


# --- sections ---------------------------------------------------------------------------------------------------------


class Section(BaseModel):
    """One table of the file. Frozen; a key it does not have is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(Section):
    """[collective.words]: what the collective calls things, and its subject prefixes."""

    bun: Text = "bun"
    dough: Text = "dough"
    cookie: Text = "cookie"
    bun_prefix: Text = Field(default="BUN", alias="BUN")
    dough_prefix: Text = Field(default="DOU", alias="DOU")


class Collective(Section):
    """[collective]: who the people are and what they have agreed. Roles are keys of the roster, "" where nobody."""

    name: Text = ""
    address: MailAddress = ""
    aliases: tuple[MailAddress, ...] = ()
    plus_addresses: Literal["auto", True, False] = "auto"
    list: MailAddress = ""
    members: Flag = False
    list_id: Text = ""
    keeper: Text = ""
    rota: Texts = ()
    rota_start: DateOrNone = None
    deputy: Text = ""
    mediator: Text = ""
    business_developer: Text = ""
    languages: tuple[Language, ...] = ("en",)
    words: Words = Words()
    forms: tuple[MailAddress, ...] = ()
    operator: MailAddress = ""
    operator_second: MailAddress = ""
    show_client: Literal["all", "name", "none"] = "name"
    no_by: Literal["router", "person"] = "router"
    reheat_by: Literal["router", "owner"] = "router"
    happiness: Literal["off", "anonymous", "named"] = "off"

    def keeper_in_week_of(self, day: date) -> str:
        """Whose turn it is by the calendar, absences aside: the keeper, or the rota's for that ISO week."""
        if not self.rota:
            return self.keeper
        weeks = (day.toordinal() - 1) // 7  # day 1 of the calendar was a Monday, so this turns with ISO weeks
        start = (self.rota_start.toordinal() - 1) // 7 if self.rota_start else 0
        return self.rota[(weeks - start) % len(self.rota)]


class OAuth(Section):
    """[imap.oauth], [smtp.oauth]: where access tokens come from."""

    provider: Literal["microsoft", "google", "other"] = "other"
    flow: Literal["refresh", "client_credentials"] = "refresh"
    tenant: Text = "common"
    token_url: Text = ""
    client_id: Text = ""
    client_secret_env: EnvName = ""
    client_secret_file: PathOrNone = None
    client_secret_command: Command = ()
    refresh_token_file: PathOrNone = None
    scope: Text = ""
    token_command: Command = ()

    def secret(self) -> str:
        """The client's secret, read now; "" for a public client, which has none. Raises ConfigError."""
        sources = (self.client_secret_env, self.client_secret_file, self.client_secret_command)
        return _read_secret("oauth.client_secret", *sources) if any(sources) else ""


class Connection(Section):
    """What [imap] and [smtp] share."""

    section: ClassVar[str] = ""
    host: Text = ""
    security: Literal["tls", "starttls", "plain"] = "tls"
    user: Text = ""
    password_env: EnvName = ""
    password_file: PathOrNone = None
    password_command: Command = ()
    oauth: OAuth | None = None
    ca_file: PathOrNone = None
    timeout: PlainDuration = parse_span("30 seconds")

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this very machine, where a password may travel without TLS."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def secret(self) -> str:
        """The password, read now from its one source. Raises ConfigError; with `oauth` there is none to ask for."""
        return _read_secret(f"{self.section}.password", self.password_env, self.password_file, self.password_command)


class ImapFolders(Section):
    """[imap.file]: where handled mail goes. "/" separates levels, whatever the server uses."""

    done: Text = "Buns/Handled"
    quarantine: Text = "Buns/Quarantine"
    bulk: Text = "Buns/Bulk"


class Imap(Connection):
    """[imap]: the shared mailbox."""

    section: ClassVar[str] = "imap"
    port: Port = PORTS["imap"]["tls"]
    folders: Texts = ("INBOX",)
    sent: Text = "Sent"
    junk: Text = "Junk"
    handled: Literal["move", "keep"] = "move"
    file: ImapFolders = ImapFolders()
    since: Duration = parse_span("2 working days")
    poll: PlainDuration = parse_span("60 seconds")
    max_size: Size = 25_000_000


class Smtp(Connection):
    """[smtp]: the way out."""

    section: ClassVar[str] = "smtp"
    port: Port = PORTS["smtp"]["tls"]
    connections: Annotated[int, Field(strict=True, ge=1, le=20)] = 2
    give_up: Duration = parse_span("5 days")


class Protocol(Section):
    """[protocol]: the spans of PROTOCOL.md's tables."""

    window: DurationOrZero = parse_span("1 working day")
    short_window: Duration = parse_span("2 working hours")
    urgent_window: Duration = parse_span("4 working hours")
    freshness: Duration = parse_span("1 working day")
    dry: Duration = parse_span("2 working days")
    decide: Duration = parse_span("1 working day")
    last_call: Duration = parse_span("1 working day")
    contest_mediate: Duration = parse_span("1 working day")
    contest_end: Duration = parse_span("2 working days")
    contest_fallback: Literal["longest", "earliest", "draw"] = "longest"
    objection: DurationOrZero = parse_span("30 minutes")
    undo_for: DurationOrZero = parse_span("15 minutes")
    form_letter_after: DurationOrZero = parse_span("4 working hours")
    still_dough: Duration = parse_span("20 working days")
    nudge: Duration = parse_span("1 working day")
    nudge_again: Duration = parse_span("2 working days")
    nudge_quiet: Duration = parse_span("5 working days")
    microwave: DurationOrZero = parse_span("30 days")
    eaten_for: DurationOrZero = parse_span("30 days")
    confirm_for: Duration = parse_span("2 working days")
    confirm_wait: DurationOrZero = parse_span("2 working hours")
    settle: DurationOrZero = parse_span("2 minutes")
    reheat_every: Duration = parse_span("1 working day")


class Hours(Section):
    """[hours]: when the collective works. Without a timezone, this machine's."""

    timezone: Text = ""
    days: tuple[Weekday, ...] = (0, 1, 2, 3, 4)
    start: Clock = time(9)
    end: Clock = time(17)
    country: Text = ""
    subdivision: Text = ""
    closed: Dates = ()


class Trust(Section):
    """[trust]: how a sender is proven."""

    senders: Literal["authenticated", "address"] = "authenticated"
    authserv_id: Text = ""
    exchange_online: Flag = False
    list_dkim: Text = ""
    key_file: FilePath = Field(default=Path("bun-router.json.key"), validate_default=True)


class Restraint(Section):
    """[restraint]: bounds on what leaves. Mails a day, counted by recipient; `per_lead` over a lead's whole life."""

    per_address: Annotated[Count, Field(ge=1)] = 60
    per_stranger: Annotated[Count, Field(ge=1)] = 8
    per_lead: Annotated[Count, Field(ge=1)] = 300
    total: Annotated[Count, Field(ge=1)] = 2000
    gather: PlainDuration = parse_span("1 hour")


class Reading(Section):
    """[reading]: help for reading this collective's mail."""

    banners: Texts = ()
    phrases: dict[str, Texts] = {}


class Digest(Section):
    """[digest]: what has a calendar. "" sends to the list (report: the business developer, else the keeper)."""

    day: WeekdayOrOff = 0
    time: Clock = time(8)
    to: MailAddress = ""
    report_day: Annotated[Count, Field(le=28)] = 1
    report_to: MailAddress = ""
    happiness_day: Annotated[Count, Field(le=28)] = 15


class Store(Section):
    """[store]: what the router remembers, and the files it writes for others."""

    path: FilePath = Field(default=Path("bun-router.json"), validate_default=True)
    keep_months: Count = 24
    health_file: FilePath = Field(default=Path("bun-router.json.health"), validate_default=True)
    tray: PathOrNone = None


class Templates(Section):
    """[templates]: the collective's own wording, before the built-in one."""

    folder: PathOrNone = None


class Canary(Section):
    """[canary]: a mail to itself, out by SMTP and back by IMAP."""

    every: PlainDurationOrZero = Span(0, "second")
    late: PlainDuration = parse_span("15 minutes")


class Away(Section):
    """A stretch of absence; both days are days away."""

    first: Date = Field(alias="from")
    until: Date


class Consultant(Section):
    """[[consultant]]: one person of the roster."""

    key: Key = ""
    name: Text = ""
    aliases: Texts = ()
    addresses: tuple[MailAddress, ...] = ()
    skills: Texts = ()
    language: Annotated[str, AfterValidator(lambda value: _language(value) if value else "")] = ""
    available: DateOrNone = None
    never_claims: Flag = False
    away: tuple[Away, ...] = ()

    def is_away(self, day: date) -> bool:
        """Whether the configuration says that this person is away on that day."""
        return any(stretch.first <= day <= stretch.until for stretch in self.away)


class Settings(Section):
    """The whole file. `roster` is [[consultant]], in the file's order."""

    collective: Collective = Collective()
    imap: Imap = Imap()
    smtp: Smtp = Smtp()
    protocol: Protocol = Protocol()
    hours: Hours = Hours()
    trust: Trust = Trust()
    restraint: Restraint = Restraint()
    reading: Reading = Reading()
    digest: Digest = Digest()
    store: Store = Store()
    templates: Templates = Templates()
    canary: Canary = Canary()
    roster: tuple[Consultant, ...] = Field(default=(), alias="consultant")

    def calendar(self) -> Calendar:
        """The collective's working time."""
        hours = self.hours
        return Calendar(
            timezone=hours.timezone,
            days=frozenset(hours.days),
            start=hours.start,
            end=hours.end,
            country=hours.country,
            subdivision=hours.subdivision,
            closed=frozenset(hours.closed),
        )

    def consultant(self, key: str) -> Consultant | None:
        """The person of that key."""
        return next((person for person in self.roster if person.key == key), None)

    def by_address(self, address: str) -> Consultant | None:
        """The person who has that address, in any case."""
        return next((person for person in self.roster if address.lower() in person.addresses), None)

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """(key, name) for all that people may call each other: key, full name, aliases, and first names of one only."""
        firsts = [person.name.split()[0] for person in self.roster]
        pairs: dict[tuple[str, str], None] = {}
        for person, first in zip(self.roster, firsts, strict=True):
            own = (person.key, person.name, *person.aliases, *([first] if firsts.count(first) == 1 else []))
            pairs.update(dict.fromkeys((person.key, name) for name in own))
        return tuple(pairs)

    @property
    def operator(self) -> str:
        """Who is told of faults: `collective.operator`, else the keeper or the first of the rota."""
        first = self.consultant(self.collective.keeper or (self.collective.rota or ("",))[0])
        return self.collective.operator or (first.addresses[0] if first else "")


# --- reading ----------------------------------------------------------------------------------------------------------


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
        raise ConfigError([f"{where} cannot be read: {error.strerror}."], where) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"{where} is not UTF-8 text (byte {error.start}); save it as UTF-8."], where) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{where} is not TOML: {error}."], where) from None
    return parse(data, where)


def parse(data: Mapping[str, Any], where: str = FILE) -> Settings:
    """Settings from a file's data. `where` names the file: its folder is what relative paths are relative to.

    Raises ConfigError with every fault. A key with a fault is set aside while the rest is checked, so that one
    mistake neither hides the others nor makes sound keys look wrong.
    """
    left = _filled(data)
    folder = Path(where).absolute().parent
    faults: dict[str, str] = {}
    settings = None
    while settings is None:
        try:
            settings = Settings.model_validate(left, context={"folder": folder})
        except ValidationError as error:
            for each in error.errors(include_url=False):
                faults.setdefault(_dotted(each["loc"]), _sentence(each))
                _set_aside(left, each["loc"])
    for key, sentence in _contradictions(settings, left):
        if not any(_within(key, known) or _within(known, key) for known in faults):
            faults[key] = sentence
    if faults:
        raise ConfigError([f"{key}: {sentence}" for key, sentence in faults.items()], where)
    return settings


def _filled(data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the data in which what follows from other keys is spelled out."""
    filled = copy.deepcopy(dict(data))
    for name in ("collective", "imap", "smtp", "hours", "trust", "store"):
        filled.setdefault(name, {})
    if any(not isinstance(filled[name], dict) for name in ("collective", "imap", "smtp", "hours", "trust", "store")):
        return filled  # refused anyway
    imap, smtp, store = filled["imap"], filled["smtp"], filled["store"]
    smtp.setdefault("user", imap.get("user", ""))
    if smtp["user"] and smtp["user"] == imap.get("user") and not any(source in smtp for source in SOURCES):
        smtp.update({source: imap[source] for source in SOURCES if source in imap})
    for name, ports in PORTS.items():
        security = str(filled[name].get("security", "tls"))
        filled[name].setdefault("port", ports.get(security, ports["tls"]))
    filled["hours"].setdefault("timezone", machine_zone())
    path = store.get("path") or Store.model_fields["path"].default
    filled["trust"].setdefault("key_file", f"{path}.key")
    store.setdefault("health_file", f"{path}.health")
    address = filled["collective"].get("list")
    if isinstance(address, str) and "@" in address:
        filled["collective"].setdefault("list_id", address.lower().replace("@", "."))
        filled["trust"].setdefault("list_dkim", address.lower().rpartition("@")[2])
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


def _within(key: str, place: str) -> bool:
    return key == place or key.startswith((f"{place}.", f"{place}["))


def _set_aside(data: dict[str, Any], loc: tuple[int | str, ...]) -> None:
    """Take the innermost named key of a faulty place out of the data."""
    last = max(index for index, step in enumerate(loc) if isinstance(step, str))
    inner: Any = data
    for step in loc[:last]:
        inner = inner[step]
    if isinstance(inner, dict):
        inner.pop(loc[last], None)


def _sentence(error: Any) -> str:
    """What is wrong and what to do, from one of pydantic's errors. Values are repeated only where none is secret."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(error["loc"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        choices = context["expected"].replace("'", '"').replace("True", "true").replace("False", "false")
        return f"must be {choices}"
    if kind == "model_type":
        return "must be a table of keys of its own"
    if kind == "tuple_type" and error["loc"] == ("consultant",):
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
    return plain.get(kind, str(error["msg"]))


def _unknown(loc: tuple[int | str, ...]) -> str:
    """A key that does not exist: what it may have been meant to be."""
    name = str(loc[-1])
    if name in ("password", "client_secret", "secret"):
        return f"secrets are not kept in this file; use {name}_env, {name}_file or {name}_command and take it out"
    model: type[BaseModel] = Settings
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


def keys(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a table, as the file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def sections(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The tables within a table: their key and model."""
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield field.alias or name, kind


# --- what no single key can know --------------------------------------------------------------------------------------

Faults = Iterator[tuple[str, str]]


def _contradictions(settings: Settings, data: Mapping[str, Any]) -> Faults:
    yield from _check_required(settings)
    yield from _check_list(settings.collective)
    yield from _check_roster(settings)
    yield from _check_addresses(settings)
    yield from _check_roles(settings)
    yield from _check_connection("imap", settings.imap)
    yield from _check_connection("smtp", settings.smtp)
    yield from _check_hours(settings.hours)
    yield from _check_spans(settings)
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
    taken = {settings.collective.address: "the shared address", settings.collective.list: "the list's address"}
    taken |= dict.fromkeys(settings.collective.aliases, "an alias of the shared address")
    if settings.collective.list and settings.collective.list == settings.collective.address:
        del taken[settings.collective.list]  # a shared address that is run as a list
        taken[settings.collective.address] = "the shared address"
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
    if given and connection.security == "plain" and not connection.is_loopback:
        yield f"{section}.security", "plain would send the password readable over the network; use tls or starttls"
    oauth = connection.oauth
    if oauth and not oauth.token_command:
        wanted = {"client_id": oauth.client_id}
        if oauth.flow == "refresh":
            wanted["refresh_token_file"] = str(oauth.refresh_token_file or "")
        if oauth.provider == "other":
            wanted["token_url"] = oauth.token_url
        for key, value in wanted.items():
            if not value:
                yield f"{section}.oauth.{key}", "is missing (or give token_command, which prints an access token)"
    if oauth and sum(map(bool, (oauth.client_secret_env, oauth.client_secret_file, oauth.client_secret_command))) > 1:
        yield f"{section}.oauth.client_secret_env", "is one of several sources for the client's secret; keep one"


def _check_hours(hours: Hours) -> Faults:
    if not _is_zone(hours.timezone):
        yield "hours.timezone", f'"{hours.timezone}" is no time zone; write it as in "Europe/Stockholm"'
    if not hours.days:
        yield "hours.days", "names no day, so no working time would ever pass"
    if hours.end != time(0) and hours.end <= hours.start:
        yield "hours.end", f"{hours.end:%H:%M} is not after the start, {hours.start:%H:%M}"
    regions = known_countries().get(hours.country)
    if hours.country and regions is None:
        yield "hours.country", f'"{hours.country}" is no country we know; write its two letters, as in "SE"'
    if hours.subdivision and hours.country and regions is not None and hours.subdivision not in regions:
        choices = f"one of {', '.join(regions)}" if regions else "left out: its holidays are the same everywhere"
        yield "hours.subdivision", f'"{hours.subdivision}" is no region of {hours.country}; it must be {choices}'
    if hours.subdivision and not hours.country:
        yield "hours.subdivision", "needs a country beside it"


def _check_spans(settings: Settings) -> Faults:
    protocol = settings.protocol
    pairs = (("dry", "freshness"), ("contest_end", "contest_mediate"))
    for longer, shorter in pairs:
        a, b = getattr(protocol, longer), getattr(protocol, shorter)
        if a.working == b.working and Calendar().length(a) <= Calendar().length(b):
            yield f"protocol.{longer}", f'"{a}" must be longer than {shorter}, "{b}"'


# --- secrets ----------------------------------------------------------------------------------------------------------


def _read_secret(key: str, env: str, file: Path | None, command: Iterable[str]) -> str:
    """One secret from the source that is given; its value is never part of an error."""
    if env:
        return _whole(os.environ.get(env, ""), f"{key}_env: the environment variable {env} is not set; set it")
    if file is not None:
        try:
            return _whole(file.read_text(encoding="utf-8").strip("\r\n"), f"{key}_file: {file} is empty")
        except FileNotFoundError:
            raise ConfigError([f"{key}_file: {file} is missing; write the secret there"]) from None
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError([f"{key}_file: {file} cannot be read: {why}"]) from None
    return run_for_secret(f"{key}_command", command)


def run_for_secret(key: str, command: Iterable[str]) -> str:
    """The first line that a command prints. Raises ConfigError; what a failing command printed is not repeated."""
    argv = tuple(command)
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, without a shell
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_SECONDS, check=False, text=True
        )
    except subprocess.TimeoutExpired:
        raise ConfigError([f"{key}: {argv[0]} did not end within {COMMAND_SECONDS} seconds"]) from None
    except (OSError, UnicodeDecodeError, IndexError):
        raise ConfigError([f"{key}: {argv[0] if argv else 'the command'} cannot be run"]) from None
    if done.returncode:
        raise ConfigError([f"{key}: {argv[0]} ended with status {done.returncode}; run it by hand to see why"])
    return _whole(done.stdout.partition("\n")[0].strip("\r"), f"{key}: {argv[0]} printed nothing")


def _whole(value: str, fault: str) -> str:
    if not value:
        raise ConfigError([fault])
    return value
