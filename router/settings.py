"""The settings as frozen models: every section and key of the file, its type and its default.

Job: turn a file's data into `Settings`, or say which places in it are `Wrong`.
Shell. The only module that imports pydantic; imports values, secret and worktime. Others import it as `router.config`.
`config.example.toml` is the manual of these keys; a test holds the two together, key by key and default by default.

Invariants
- A key that is not a field is wrong. Nothing is required here, so that one mistake cannot hide another: what must be
  given, and what must fit together, is `config.py`'s to say.
- A secret is never in a model or its repr; `secret()` reads it from its source each time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

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

from router.oauth import AccessTokens, from_command, from_refresh_token, keep_in
from router.secret import read_named
from router.values import (
    plain,
    read_address,
    read_argv,
    read_clock,
    read_date,
    read_date_or_none,
    read_dates,
    read_env_name,
    read_key,
    read_language,
    read_path,
    read_size,
    read_span,
    read_weekday,
    read_weekday_or_off,
    some,
)
from router.worktime import Calendar, Span, parse_span

PORTS = {"imap": {"tls": 993, "starttls": 143, "plain": 143}, "smtp": {"tls": 465, "starttls": 587, "plain": 25}}

ENDPOINTS = {  # token endpoint and scope
    "microsoft": (
        "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access",
    ),
    "google": ("https://oauth2.googleapis.com/token", ""),
}


def _path(value: object, info: ValidationInfo) -> Path | None:
    return read_path(value, (info.context or {}).get("folder", Path()))


def _file(value: object, info: ValidationInfo) -> Path:
    found = _path(value, info)
    if found is None:
        raise ValueError("must name a file; leave the key out for the default")
    return found


Text = Annotated[str, Field(strict=True)]
Texts = tuple[Text, ...]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
MailAddress = Annotated[str, AfterValidator(read_address)]
MailAddressOrNone = Annotated[str, AfterValidator(lambda value: read_address(value) if value else "")]
LanguageOrNone = Annotated[str, AfterValidator(lambda value: read_language(value) if value else "")]
Key = Annotated[str, AfterValidator(read_key)]
Language = Annotated[str, AfterValidator(read_language)]
DurationOrZero = Annotated[Span, PlainValidator(read_span)]
Duration = Annotated[Span, PlainValidator(read_span), AfterValidator(some)]
PlainDuration = Annotated[Span, PlainValidator(read_span), AfterValidator(plain), AfterValidator(some)]
PlainDurationOrZero = Annotated[Span, PlainValidator(read_span), AfterValidator(plain)]
Clock = Annotated[time, PlainValidator(read_clock)]
Weekday = Annotated[int, PlainValidator(read_weekday)]
WeekdayOrOff = Annotated[int | None, PlainValidator(read_weekday_or_off)]
Date = Annotated[date, PlainValidator(read_date)]
DateOrNone = Annotated[date | None, PlainValidator(read_date_or_none)]
Dates = Annotated[tuple[Date, ...], BeforeValidator(read_dates)]
Size = Annotated[int, PlainValidator(read_size)]
FilePath = Annotated[Path, PlainValidator(_file)]
PathOrNone = Annotated[Path | None, PlainValidator(_path)]
Command = Annotated[Texts, BeforeValidator(read_argv)]
EnvName = Annotated[str, AfterValidator(read_env_name)]


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
    address: MailAddressOrNone = ""
    aliases: tuple[MailAddress, ...] = ()
    plus_addresses: Literal["auto", True, False] = "auto"
    list: MailAddressOrNone = ""
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
    operator: MailAddressOrNone = ""
    operator_second: MailAddressOrNone = ""
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
        return read_named("oauth.client_secret", *sources) if any(sources) else ""

    def refresh_token(self) -> str:
        """The refresh token, read now. Raises ConfigError."""
        return read_named("oauth.refresh_token", file=self.refresh_token_file)

    def tokens(self, ca_file: Path | None = None) -> AccessTokens:
        """A source of access tokens; nothing is fetched yet. Raises ValueError for an endpoint that is not https."""
        if self.token_command:
            return AccessTokens(from_command(self.token_command))
        url, scope = ENDPOINTS.get(self.provider, ("", ""))
        endpoint = self.token_url or url.format(tenant=self.tenant)
        fetch = from_refresh_token(
            endpoint,
            self.client_id,
            self.refresh_token,
            self.secret,
            scope=self.scope or scope,
            ca_file=ca_file,
            keep=keep_in(self.refresh_token_file) if self.refresh_token_file else lambda renewed: None,
        )
        return AccessTokens(fetch)


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
        return read_named(f"{self.section}.password", self.password_env, self.password_file, self.password_command)


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
    """[hours]: when the collective works. A file without a timezone means this machine's."""

    timezone: Text = "UTC"
    days: tuple[Weekday, ...] = (0, 1, 2, 3, 4)
    start: Clock = time(9)
    end: Clock = time(17)
    country: Text = ""
    subdivision: Text = ""
    closed: Dates = ()
    show_zone: Flag = False


class Trust(Section):
    """[trust]: how a sender is proven."""

    senders: Literal["authenticated", "address"] = "authenticated"
    authserv_id: Text = ""
    exchange_online: Flag = False
    relays: Texts = ()
    list_dkim: Text = ""
    key_file: FilePath = Field(default=Path("bun-router.json.key"), validate_default=True)


class Restraint(Section):
    """[restraint]: bounds on what leaves, each in mails a day, counted by recipient."""

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
    to: MailAddressOrNone = ""
    report_day: Annotated[Count, Field(le=28)] = 1
    report_to: MailAddressOrNone = ""
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
    language: LanguageOrNone = ""
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
            show_zone=hours.show_zone,
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


def keys(model: type[Section]) -> tuple[str, ...]:
    """The keys of a table, as the file spells them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def sections(model: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    """The tables within a table: their key and model."""
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Section):
                yield field.alias or name, kind


@dataclass(frozen=True, slots=True)
class Wrong:
    """A place in the data that its model refuses: pydantic's kind of error, its context and its own words."""

    place: tuple[int | str, ...]
    kind: str
    context: Mapping[str, Any]
    words: str


def read_settings(data: Mapping[str, Any], folder: Path) -> Settings | tuple[Wrong, ...]:
    """The settings, paths joined to `folder`; or every place that is wrong, in the order of the models."""
    try:
        return Settings.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        return tuple(
            Wrong(each["loc"], each["type"], each.get("ctx", {}), each["msg"])
            for each in error.errors(include_url=False)
        )
