"""The configuration: complete defaults, every fault at once by key, a manual that cannot drift, secrets kept out."""

from __future__ import annotations

import re
import stat
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from router.config import ConfigError, Connection, Settings, find_config, load, machine_zone, parse
from router.oauth import SecretError
from router.settings import Section, keys, sections
from router.worktime import Span

EXAMPLE = Path(__file__).parent.parent / "config.example.toml"
MINIMAL = """
[collective]
name = "The Oven"
address = "hello@oven.example"
list = "all@oven.example"
keeper = "anna"
[imap]
host = "mail.oven.example"
user = "hello@oven.example"
password_env = "BUNS_PASSWORD"
[smtp]
host = "mail.oven.example"
[[consultant]]
key = "anna"
name = "Anna Andersson"
addresses = ["Anna@Oven.example"]
"""


def data(more: str = "") -> dict[str, Any]:
    """The minimal configuration with further TOML laid over it; a [[consultant]] there is added to the roster."""
    found = tomllib.loads(MINIMAL)
    for key, value in tomllib.loads(more).items():
        found[key] = found[key] + value if key == "consultant" else {**found.get(key, {}), **value}
    return found


def faults(more: str = "", **sections: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse({**data(more), **sections})
    return list(caught.value.faults)


def leaves(model: type[Section], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the models that is no table itself."""
    tables = dict(sections(model))
    for key in keys(model):
        if key in tables and key not in ("away",):
            yield from leaves(tables[key], (*above, key))
        else:
            yield (*above, key)


# --- what a short file gives ------------------------------------------------------------------------------------------


def test_a_minimal_file_is_enough() -> None:
    settings = parse(data(), "/etc/buns/config.toml")
    assert settings.imap.port == 993
    assert settings.smtp.port == 465
    assert settings.protocol.window == Span(1, "day", working=True)
    assert settings.collective.list_id == "all.oven.example"
    assert settings.operator == "anna@oven.example"
    assert settings.calendar().day_length.total_seconds() == 8 * 3600


def test_smtp_uses_the_login_of_imap_unless_it_has_its_own() -> None:
    assert parse(data()).smtp.password_env == "BUNS_PASSWORD"
    assert parse(data('[smtp]\nuser = ""')).smtp.password_env == ""
    own = parse(data('[smtp]\nuser = "relay"\npassword_file = "relay.pw"'), "/etc/buns/config.toml").smtp
    assert (own.user, own.password_env, own.password_file) == ("relay", "", Path("/etc/buns/relay.pw"))
    assert faults('[smtp]\nuser = "relay"') == [
        "smtp.password_env: is missing: where the password is; give one of "
        "password_env, password_file, password_command, oauth"
    ]


@pytest.mark.parametrize(("security", "imap", "smtp"), [("tls", 993, 465), ("starttls", 143, 587), ("plain", 143, 25)])
def test_the_port_follows_the_security(security: str, imap: int, smtp: int) -> None:
    here = f'host = "127.0.0.1"\nsecurity = "{security}"'
    settings = parse(data(f"[imap]\n{here}\n[smtp]\n{here}"))
    assert (settings.imap.port, settings.smtp.port) == (imap, smtp)
    assert parse(data("[imap]\nport = 1143")).imap.port == 1143


def test_paths_are_relative_to_the_file_and_follow_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/buns")
    file = tmp_path / "config.toml"
    file.write_text(
        MINIMAL.replace('password_env = "BUNS_PASSWORD"', 'password_file = "$CREDENTIALS_DIRECTORY/mail"')
        + '[store]\npath = "/var/lib/buns/store.json"\ntray = "tray.html"\n[templates]\nfolder = "~/buns"\n'
    )
    settings = load(file)
    assert settings.imap.password_file == Path("/run/credentials/buns/mail")
    assert settings.trust.key_file == Path("/var/lib/buns/store.json.key")
    assert settings.store.health_file == Path("/var/lib/buns/store.json.health")
    assert settings.store.tray == tmp_path / "tray.html"
    assert settings.templates.folder == Path.home() / "buns"


def test_addresses_are_lower_case_and_found_in_any_case() -> None:
    settings = parse(data())
    anna = settings.by_address("ANNA@oven.example")
    assert anna is not None and anna.addresses == ("anna@oven.example",)
    assert settings.by_address("bo@oven.example") is None
    assert settings.consultant("anna") is anna and settings.consultant("bo") is None


def test_people_are_called_by_key_name_alias_and_a_first_name_that_only_one_has() -> None:
    settings = parse(
        data(
            '[[consultant]]\nkey = "anna-b"\nname = "Anna Berg"\naliases = ["Annie"]\naddresses = ["ab@x.example"]\n'
            '[[consultant]]\nkey = "bo"\nname = "Bo Ek"\naddresses = ["bo@x.example"]\n'
        )
    )
    assert settings.names == (
        *(("anna", "anna"), ("anna", "Anna Andersson")),
        *(("anna-b", "anna-b"), ("anna-b", "Anna Berg"), ("anna-b", "Annie")),
        *(("bo", "bo"), ("bo", "Bo Ek"), ("bo", "Bo")),
    )


def test_the_rota_turns_with_iso_weeks_from_its_start() -> None:
    bo = '[[consultant]]\nkey = "bo"\nname = "Bo Ek"\naddresses = ["bo@x.example"]\n'
    base = data(bo)
    del base["collective"]["keeper"]
    base["collective"] |= {"rota": ["anna", "bo"], "rota_start": date(2027, 1, 6)}  # a Wednesday
    collective = parse(base).collective
    days = [date(2027, 1, 4), date(2027, 1, 10), date(2027, 1, 11), date(2027, 1, 17), date(2027, 1, 18)]
    assert [collective.keeper_in_week_of(day) for day in days] == ["anna", "anna", "bo", "bo", "anna"]
    assert collective.keeper_in_week_of(date(2027, 1, 3)) == "bo"
    assert parse(data()).collective.keeper_in_week_of(date(2027, 1, 4)) == "anna"


def test_absence_includes_both_its_days() -> None:
    more = '[[consultant]]\nkey = "bo"\nname = "Bo"\naddresses = ["bo@x.example"]\n'
    bo = parse(data(more + "away = [{from = 2027-07-12, until = 2027-07-14}]")).consultant("bo")
    assert bo is not None
    away = [day for day in range(10, 18) if bo.is_away(date(2027, 7, day))]
    assert away == [12, 13, 14]


def test_the_hours_become_the_calendar() -> None:
    settings = parse(
        data(
            '[hours]\ntimezone = "Europe/Stockholm"\ndays = ["Mon", "tuesday", "Sun"]\n'
            'start = 08:00:00\nend = "24:00"\n'
            'country = "SE"\nclosed = [2027-03-01, {from = 2027-03-07, until = 2027-03-09}, "2027-03-15"]'
        )
    )
    calendar = settings.calendar()
    assert settings.hours.days == (0, 1, 6) and settings.hours.start == time(8) and calendar.day_length.seconds == 57600
    closed = [day.isoformat() for day in settings.hours.closed]
    assert closed == ["2027-03-01", "2027-03-07", "2027-03-08", "2027-03-09", "2027-03-15"]
    assert calendar.is_working(datetime(2027, 3, 2, 22, 59, tzinfo=UTC))
    assert not calendar.is_working(datetime(2027, 3, 8, 12, tzinfo=UTC))


def test_a_file_without_a_zone_means_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    assert machine_zone() == "Europe/Lisbon" == parse(data()).hours.timezone
    monkeypatch.setenv("TZ", "not/a/zone")
    assert machine_zone() != "not/a/zone"


def test_plain_seconds_are_allowed_for_a_whole_life() -> None:
    spans = [key for key in keys(Settings.model_fields["protocol"].annotation) if key != "contest_fallback"]  # type: ignore[arg-type]
    text = "\n".join(f'{key} = "{number} seconds"' for number, key in enumerate(spans, 5))
    protocol = parse(data(f"[protocol]\n{text}")).protocol
    assert [getattr(protocol, key) for key in spans] == [Span(number, "second") for number in range(5, 5 + len(spans))]
    assert not parse(data("[protocol]\nwindow = 0")).protocol.window
    assert not parse(data('[protocol]\nwindow = "0"')).protocol.window


# --- faults -----------------------------------------------------------------------------------------------------------


def test_five_mistakes_are_named_by_key_in_one_go() -> None:
    found = faults(
        '[imap]\nport = "993"\n[protocol]\nwindow = "1 fortnight"\n[hours]\ntimezone = "Europe/Stockhom"\n'
        '[collective]\nkeeper = "ana"\n[digest]\ndya = "Monday"\n'
    )
    assert sorted(fault.partition(":")[0] for fault in found) == [
        "collective.keeper",
        "digest.dya",
        "hours.timezone",
        "imap.port",
        "protocol.window",
    ]
    assert 'collective.keeper: "ana" is not the key of a [[consultant]]; did you mean "anna"?' in found
    assert 'digest.dya: is not a key; did you mean "day"?' in found


FAULTS = [
    # what is written, the key it is reported under, words of the sentence
    ('[imap]\nhost = ""', "imap.host", "is missing: the server of the shared mailbox"),
    ('[imap]\nsecurity = "ssl"', "imap.security", 'must be "tls", "starttls" or "plain"'),
    ("[imap]\nport = 70000", "imap.port", "must be at most 65535"),
    ("[imap]\nfolders = []", "imap.folders", "at least one folder"),
    ('[imap]\nfolders = "INBOX"', "imap.folders", "must be a list"),
    ('[imap]\nfolders = ["INBOX", "Sent"]', "imap.sent", "also among imap.folders"),
    ('[imap]\nfile = {done = "Sent"}', "imap.file.done", "also read"),
    ('[imap]\nfile = {bulk = ""}', "imap.file.bulk", "is missing"),
    ('[imap]\npoll = "1 working hour"', "imap.poll", "runs day and night"),
    ('[imap]\npoll = "0"', "imap.poll", "longer than nothing"),
    ('[imap]\nsince = "0 working days"', "imap.since", "longer than nothing"),
    ('[imap]\nmax_size = "25 M"', "imap.max_size", "25 MB"),
    ('[imap]\nwindow = "1 day"', "imap.window", "it belongs in [protocol]"),
    ('[imap]\npassword_file = "pw"', "imap.password_file", "second source for the password beside password_env"),
    ('[imap]\noauth = {provider = "google"}', "imap.oauth", "second source"),
    ('[smtp]\nsecurity = "plain"', "smtp.security", "use tls or starttls"),
    ("[smtp]\nconnections = 0", "smtp.connections", "at least 1"),
    ("[smtp]\nconnections = true", "smtp.connections", "must be a whole number"),
    ('[collective]\naddress = "Oven <hello@oven.example>"', "collective.address", "only the address"),
    ('[collective]\nlist = ""', "collective.list", "members = true"),
    ("[collective]\nmembers = true", "collective.members", "keep one of the two"),
    ('[collective]\nmembers = "yes"', "collective.members", "must be true or false"),
    ('[collective]\nkeeper = ""', "collective.keeper", "is missing"),
    ('[collective]\nrota = ["anna"]', "collective.rota", "keep one of the two"),
    ('[collective]\ndeputy = "Anna"', "collective.deputy", 'did you mean "anna"?'),
    ('[collective]\nmediator = "zoe"', "collective.mediator", "is not the key of a [[consultant]]"),
    ('[collective]\nbusiness_developer = "zoe"', "collective.business_developer", "is not the key"),
    ('[collective]\noperator = "hello@oven.example"', "collective.operator", "must reach a person elsewhere"),
    ('[collective]\nlanguages = ["en", "swedish"]', "collective.languages[2]", "two letters"),
    ("[collective]\nlanguages = []", "collective.languages", "at least one language"),
    ('[collective]\nplus_addresses = "yes"', "collective.plus_addresses", '"auto", true or false'),
    ('[collective]\nwords = {Bun = "bulle"}', "collective.words.Bun", 'did you mean "bun"?'),
    ('[protocol]\nfreshness = "0"', "protocol.freshness", "longer than nothing"),
    ("[protocol]\nsettle = 3", "protocol.settle", "a duration in quotes"),
    ('[protocol]\ndry = "1 working day"', "protocol.dry", 'must be longer than freshness, "1 working day"'),
    ('[protocol]\ncontest_fallback = "boss"', "protocol.contest_fallback", '"longest", "earliest" or "draw"'),
    ("[hours]\ndays = []", "hours.days", "no working time would ever pass"),
    ('[hours]\ndays = ["Mondag"]', "hours.days[1]", "day of the week"),
    ('[hours]\nend = "08:00"', "hours.end", "is not after the start"),
    ('[hours]\nstart = "9"', "hours.start", "time of day"),
    ('[hours]\ncountry = "Sweden"', "hours.country", "two letters"),
    ('[hours]\ncountry = "DE"\nsubdivision = "XX"', "hours.subdivision", "it must be one of BB, BE"),
    ('[hours]\ncountry = "SE"\nsubdivision = "AB"', "hours.subdivision", "left out"),
    ('[hours]\nsubdivision = "BY"', "hours.subdivision", "needs a country"),
    ("[hours]\nclosed = [2027-01-01T12:00:00]", "hours.closed[1]", "must be a date"),
    ("[hours]\nclosed = [{from = 2027-01-02, until = 2027-01-01}]", "hours.closed", "a stretch is written"),
    ('[trust]\nsenders = "anybody"', "trust.senders", '"authenticated" or "address"'),
    ('[trust]\nkey_file = ""', "trust.key_file", "leave the key out"),
    ("[restraint]\nper_lead = 3", "restraint.per_lead", "at least 4"),
    ("[reading]\nphrases = {clam = ['dibs']}", "reading.phrases.clam", 'did you mean "claim"?'),
    ("[reading]\nphrases = {claim = 'dibs'}", "reading.phrases.claim", "must be a list"),
    ('[digest]\nday = "never"', "digest.day", "day of the week"),
    ("[digest]\nreport_day = 31", "digest.report_day", "at most 28"),
    ("[store]\nkeep_months = -1", "store.keep_months", "at least 0"),
    ("[colective]\nname = 'x'", "colective", 'did you mean "collective"?'),
    ("[zzz]", "zzz", "the keys here are collective, imap"),
    ("[[consultant]]\nname = 'Bo'\naddresses = ['bo@x.example']", "consultant[2].key", "is missing"),
    ("[[consultant]]\nkey = 'bo'\naddresses = ['bo@x.example']", "consultant[2].name", "is missing for bo"),
    ("[[consultant]]\nkey = 'bo'\nname = 'Bo'", "consultant[2].addresses", "is missing for bo"),
    ("[[consultant]]\nkey = 'Bo'\nname = 'Bo'\naddresses = ['bo@x.example']", "consultant[2].key", "lower-case"),
    (
        "[[consultant]]\nkey = 'anna'\nname = 'A'\naddresses = ['a@x.example']",
        "consultant[2].key",
        "each needs its own",
    ),
    ("[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['']", "consultant[2].addresses[1]", "no mail address"),
    (
        "[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['bo@x.example', 'ANNA@oven.example']",
        "consultant[2].addresses[2]",
        "already consultant[1].addresses[1]",
    ),
    (
        "[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['hello@oven.example']",
        "consultant[2].addresses[1]",
        "already the shared address",
    ),
    (
        "[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['all@oven.example']",
        "consultant[2].addresses[1]",
        "already the list's address",
    ),
    (
        "[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['bo@x.example']\nlanguage = 'sv'",
        "consultant[2].language",
        "not among collective.languages",
    ),
    (
        "[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['bo@x.example']\naway = [{from = 2027-01-02}]",
        "consultant[2].away[1].until",
        "is missing",
    ),
    (
        "[[consultant]]\nkey = 'bo'\nname = 'Bo'\naddresses = ['bo@x.example']\n"
        "away = [{from = 2027-01-02, until = 2027-01-01}]",
        "consultant[2].away[1]",
        "ends before it begins",
    ),
]


@pytest.mark.parametrize(
    ("written", "key", "words"), FAULTS, ids=[f"{key}-{n}" for n, (_, key, _) in enumerate(FAULTS)]
)
def test_each_mistake_is_one_sentence_under_its_key_and_no_other(written: str, key: str, words: str) -> None:
    found = faults(written)
    assert len(found) == 1, found
    assert found[0].startswith(f"{key}: ") and words in found[0]


@pytest.mark.parametrize("section", [key for key, _ in sections(Settings)])
@pytest.mark.parametrize("value", [3, "x", [], [1], [{}], None])
def test_a_section_of_the_wrong_shape_is_a_fault_and_never_a_crash(section: str, value: object) -> None:
    try:
        parse({**data(), section: value})
    except ConfigError as error:
        assert any(fault.startswith(section) for fault in error.faults)
    else:
        pytest.fail(f"[{section}] = {value!r} was taken")


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 99), st.text(max_size=8), st.dates(), st.floats()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.sampled_from(sorted(leaves(Settings))), values), min_size=1, max_size=6))
@hypothesis_settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_file_is_settings_or_a_config_error(laid: list[tuple[tuple[str, ...], Any]]) -> None:
    written: dict[str, Any] = data()
    for path, value in laid:
        table: Any = written
        for step in path[:-1]:
            table = table[0] if isinstance(table, list) else table
            table = table.setdefault(step, {})
        table = table[0] if isinstance(table, list) else table
        table[path[-1]] = value
    try:
        assert parse(written).calendar()
    except ConfigError as error:
        assert error.faults and all(re.match(r"[\w.\[\]-]+: |\w", fault) for fault in error.faults)


def test_one_section_of_the_wrong_shape_hides_no_other_mistake() -> None:
    found = faults("[digest]\nday = 'x'", hours=3, consultant=[3, {"kye": "bo"}])
    assert [fault.partition(":")[0] for fault in found] == ["hours", "digest.day", "consultant[1]", "consultant[2].kye"]


def test_a_single_bracket_consultant_is_told_about_the_double() -> None:
    assert "double brackets" in faults(consultant={"key": "anna"})[0]


def test_the_shared_address_may_itself_be_the_list() -> None:
    assert parse(data('[collective]\nlist = "hello@oven.example"')).collective.list == "hello@oven.example"


def test_one_by_one_the_bounds_must_hold_a_bun_s_mails() -> None:
    people = "".join(
        f'[[consultant]]\nkey = "p{n}"\nname = "P{n}"\naddresses = ["p{n}@x.example"]\n' for n in range(80)
    )
    found = faults(f'{people}[collective]\nlist = ""\nmembers = true\n')
    assert found == ["restraint.per_lead: 300 is not enough for a bun's mails of a day; make it at least 324"]


def test_oauth_names_what_it_lacks() -> None:
    base = data()
    del base["imap"]["password_env"]
    base["imap"]["oauth"] = {"provider": "other"}
    with pytest.raises(ConfigError) as caught:
        parse(base)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "imap.oauth.client_id",
        "imap.oauth.refresh_token_file",
        "imap.oauth.token_url",
    ]
    base["imap"]["oauth"] |= {"client_id": "x", "refresh_token_file": "token", "token_url": "http://login.example/"}
    with pytest.raises(ConfigError, match=r"^imap.oauth.token_url: .* must be an https:// address$"):
        parse(base)


def test_oauth_gives_tokens_to_both_connections(tmp_path: Path) -> None:
    base = data()
    del base["imap"]["password_env"]
    base["imap"]["oauth"] = {"token_command": f"{sys.executable} -c 'print(\"a-token\")'"}
    settings = parse(base)
    for oauth in (settings.imap.oauth, settings.smtp.oauth):
        assert oauth is not None and oauth.tokens()() == "a-token"
    base["imap"]["oauth"] = {"provider": "microsoft", "client_id": "x", "refresh_token_file": "gone"}
    microsoft = parse(base, str(tmp_path / "config.toml")).imap.oauth
    assert microsoft is not None
    with pytest.raises(SecretError, match=r"^oauth.refresh_token_file: .*gone cannot be read"):
        microsoft.tokens()()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_plain_is_allowed_on_this_very_machine(host: str) -> None:
    assert parse(data(f'[imap]\nhost = "{host}"\nsecurity = "plain"')).imap.security == "plain"


@pytest.mark.parametrize("host", ["mail.oven.example", "192.168.0.2", "0.0.0.0", "127.0.0.1.evil.example"])
def test_plain_with_a_password_is_refused_over_any_network(host: str) -> None:
    assert faults(f'[imap]\nhost = "{host}"\nsecurity = "plain"')[0].startswith("imap.security")


def test_plain_without_a_login_may_go_anywhere() -> None:
    assert parse(data('[smtp]\nsecurity = "plain"\nuser = ""')).smtp.port == 25


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse(data()).imap.host = "elsewhere"


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["README.md", "docs/access-tokens.md"])
def test_what_the_pages_tell_people_to_write_can_be_run_with(page: str) -> None:
    """Each block of TOML in them, added to the least that is needed, is a configuration."""
    text = (Path(__file__).parent.parent / page).read_text("utf-8")
    blocks = re.findall(r"^ *```toml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 3
    for block in blocks:
        written = data(textwrap.dedent(block))
        if {"oauth", "password_file"} & written["imap"].keys():
            del written["imap"]["password_env"]
        parse(written)


def test_a_syntax_error_is_one_sentence_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[imap]\nhost = mail\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    (fault,) = caught.value.faults
    assert caught.value.where == str(file), "which is said once, in front"
    assert fault.startswith("is not TOML: ") and "line 2" in fault and "\n" not in fault


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# sm\xf6rg\xe5s\n")
    for path, word in [("none.toml", "No such file"), (".", "directory"), ("latin.toml", "UTF-8")]:
        with pytest.raises(ConfigError, match=word) as caught:
            load(tmp_path / path)
        assert len(caught.value.faults) == 1


def test_the_file_is_looked_for_here_then_in_the_user_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    (home / "bun-router").mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    with pytest.raises(ConfigError, match="bun-router init"):
        find_config()
    (home / "bun-router" / "config.toml").touch()
    assert find_config() == home / "bun-router" / "config.toml"
    (here / "config.toml").touch()
    assert find_config() == Path("config.toml")
    assert find_config(Path("other.toml")) == Path("other.toml")


# --- secrets ----------------------------------------------------------------------------------------------------------


def connection(tmp_path: Path, **source: Any) -> Connection:
    base = data()
    del base["imap"]["password_env"]
    base["imap"] |= source
    return parse(base, str(tmp_path / "config.toml")).imap


def test_a_secret_comes_from_its_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNS_PASSWORD", "from env")
    (tmp_path / "pw").write_text(" från fil \r\n", encoding="utf-8")
    say = [sys.executable, "-c", "print('from command'); print('second line')"]
    assert connection(tmp_path, password_env="BUNS_PASSWORD").secret() == "from env"
    assert connection(tmp_path, password_file="pw").secret() == " från fil "
    assert connection(tmp_path, password_command=say).secret() == "from command"


def test_a_secret_is_read_anew_each_time_and_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imap = connection(tmp_path, password_env="BUNS_PASSWORD")
    monkeypatch.setenv("BUNS_PASSWORD", "first-secret")
    assert imap.secret() == "first-secret"
    monkeypatch.setenv("BUNS_PASSWORD", "second-secret")
    assert imap.secret() == "second-secret"
    assert "secret" not in f"{imap!r} {imap} {vars(imap)}"


def test_a_secret_that_cannot_be_read_is_one_sentence_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BUNS_PASSWORD", raising=False)
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    fail = [sys.executable, "-c", "print('hunter2'); raise SystemExit(3)"]
    cases = [
        ({"password_env": "BUNS_PASSWORD"}, "imap.password_env: the environment variable BUNS_PASSWORD is not set"),
        ({"password_file": "gone"}, f"imap.password_file: .*{tmp_path / 'gone'} cannot be read"),
        ({"password_file": "empty"}, "imap.password_file: .* is empty"),
        ({"password_file": "binary"}, "imap.password_file: .*not UTF-8"),
        ({"password_file": "."}, "imap.password_file: .* cannot be read"),
        ({"password_command": fail}, "imap.password_command: .* failed with status 3"),
        ({"password_command": [sys.executable, "-c", ""]}, "imap.password_command: .* printed nothing"),
        ({"password_command": ["/no/such/command"]}, "imap.password_command: .* cannot be run"),
    ]
    for source, pattern in cases:
        with pytest.raises(ConfigError, match=pattern) as caught:
            connection(tmp_path, **source).secret()
        assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None


def test_a_password_written_into_the_file_is_refused_and_not_repeated() -> None:
    for written in ('password = "hunter2"', 'password_env = "hunter2"'):
        base = data()
        base["imap"] |= tomllib.loads(written)
        with pytest.raises(ConfigError) as caught:
            parse(base)
        (fault,) = caught.value.faults
        assert fault.startswith("imap.password") and "hunter2" not in fault


def test_a_command_gets_no_shell(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    script = tmp_path / "say"
    script.write_text('#!/bin/sh\nprintf "%s" "$1"\n')
    script.chmod(stat.S_IRWXU)
    assert connection(tmp_path, password_command=f"{script} '$(touch {marker})'").secret() == f"$(touch {marker})"
    assert not marker.exists()


# --- the manual -------------------------------------------------------------------------------------------------------

DEFAULT = re.compile(r"^#(?=[a-zA-Z_]+ = )", re.MULTILINE)
CHOICE = re.compile(r"^#or (?=\[|[a-zA-Z_]+ = )", re.MULTILINE)


def named(text: str) -> set[tuple[str, ...]]:
    """Every key that a text assigns, under its table; doubled keys are allowed, as choices stand side by side."""
    found, table = set(), ()
    for line in text.splitlines():
        if header := re.match(r"\[+([\w.]+)\]", line):
            table = tuple(header[1].split("."))
        elif key := re.match(r"(\w+) = ", line):
            found.add((*table, key[1]))
    return found


def test_the_example_is_a_configuration_with_nothing_but_what_is_needed() -> None:
    settings = load(EXAMPLE)
    assert settings.model_fields_set >= {"collective", "imap", "smtp", "roster"}
    assert settings.protocol == parse(data()).protocol


def test_the_example_names_every_key_and_no_other() -> None:
    written = named(CHOICE.sub("", DEFAULT.sub("", EXAMPLE.read_text(encoding="utf-8"))))
    free = {key for key in written if key[:2] == ("reading", "phrases")}
    assert free == {("reading", "phrases", "claim")}
    wanted = set(leaves(Settings)) - {("reading", "phrases")}
    assert written - free - wanted == set(), "the example names keys that do not exist"
    assert wanted - written == set(), "keys that the example does not explain"


def test_the_example_s_commented_lines_are_the_defaults() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    written = parse(tomllib.loads(text), str(EXAMPLE))
    spelled_out = parse(tomllib.loads(DEFAULT.sub("", text)), str(EXAMPLE))
    assert len(DEFAULT.findall(text)) > 90
    assert spelled_out == written


def test_every_choice_in_the_example_is_a_key_that_its_section_takes() -> None:
    """Taken alone a choice may contradict the defaults beside it, but it is never an unknown key or a wrong value."""
    text = EXAMPLE.read_text(encoding="utf-8")
    for choice in CHOICE.finditer(text):
        line = text[choice.end() :].partition("\n")[0]
        if line.startswith("["):
            continue
        headers = re.findall(r"^(?:#or )?(\[+[\w.]+\]+)$", text[: choice.start()], re.MULTILINE)
        try:
            parse(tomllib.loads(f"{headers[-1]}\n{line}"))
        except ConfigError as error:
            key = line.partition(" = ")[0]
            mine = [fault for fault in error.faults if re.match(rf"[\w.\[\]]*\b{key}(\[\d+\])?: ", fault)]
            assert not [fault for fault in mine if "is not a key;" in fault or "is not a key here" in fault], line
            assert not [fault for fault in mine if "must be" in fault], line
