"""What one value of the configuration may say: addresses, durations, days, times, sizes, paths.

Job: each reader takes what TOML can hold, returns the value, and raises ValueError with what is wrong and what to do.
Core in spirit, used by `settings.py` alone: no I/O but looking up environment variables and home folders in paths.
Imports worktime for spans. Leaves out how values depend on each other: `config.py`.
"""

from __future__ import annotations

import os
import re
import shlex
from datetime import date, datetime, time, timedelta
from pathlib import Path

from router.worktime import Span, parse_span

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_address(value: str) -> str:
    """A bare mail address, lower-cased."""
    if not re.fullmatch(r"[^\s@<>()\[\],;:\"\\]+@[^\s@<>()\[\],;:\"\\]+", value) or ".." in value:
        raise ValueError(f'"{value}" is no mail address; write only the address, as in "anna@example.org"')
    return value.lower()


def read_span(value: object) -> Span:
    """A duration in words, or the number 0."""
    if isinstance(value, Span):
        return value
    if value == 0 and value is not False:
        return Span(0, "second")
    if not isinstance(value, str):
        raise ValueError('must be a duration in quotes, as in "1 working day" or "30 seconds"')
    return parse_span(value)


def some(span: Span) -> Span:
    """A duration that is not nothing."""
    if not span:
        raise ValueError("must be longer than nothing")
    return span


def plain(span: Span) -> Span:
    """A duration that runs day and night."""
    if span.working:
        raise ValueError(f'"{span}" is working time; this one runs day and night, so write it as in "60 seconds"')
    return span


def read_clock(value: object) -> time:
    """A time of day; "24:00" is 00:00, the midnight that ends a day."""
    if isinstance(value, time):
        return value.replace(second=0, microsecond=0)
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    if not found or (value != "24:00" and (int(found[1]) > 23 or int(found[2]) > 59)):
        raise ValueError('must be a time of day, as in "09:00"')
    return time(int(found[1]) % 24, int(found[2]))


def read_weekday(value: object) -> int:
    """A day of the week, Monday being 0."""
    name = value.lower() if isinstance(value, str) else ""
    matches = [number for number, day in enumerate(DAY_NAMES) if len(name) >= 3 and day.startswith(name)]
    if not matches:
        raise ValueError('must be a day of the week in English, as in "Monday" or "Mon"')
    return matches[0]


def read_weekday_or_off(value: object) -> int | None:
    """A day of the week, or "off"."""
    return None if value is None or value == "off" else read_weekday(value)


def read_date(value: object) -> date:
    """A date as TOML writes it, or the same in quotes; no time of day."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a date, as in 2027-02-28") from None


def read_date_or_none(value: object) -> date | None:
    """A date, or "" for none."""
    return None if value is None or value == "" else read_date(value)


def read_dates(value: object) -> object:
    """Dates and {from, until} stretches as one list of dates."""
    if not isinstance(value, list):
        return value
    days: list[object] = []
    for item in value:
        if isinstance(item, dict):
            first, last = read_date(item.get("from")), read_date(item.get("until"))
            if item.keys() != {"from", "until"} or not first <= last <= first + timedelta(days=400):
                raise ValueError("a stretch is written as {from = 2027-07-05, until = 2027-07-30}")
            days.extend(first + timedelta(days=count) for count in range((last - first).days + 1))
        else:
            days.append(item)
    return days


def read_size(value: object) -> int:
    """A size in bytes, as a number or as "25 MB"."""
    found = re.fullmatch(r"(\d{1,6}) ?(kB|MB)", value) if isinstance(value, str) else None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    if not found or not int(found[1]):
        raise ValueError('must be a size, as in "25 MB"')
    return int(found[1]) * {"kB": 1000, "MB": 1_000_000}[found[2]]


def read_path(value: object, folder: Path) -> Path | None:
    """A path joined to the folder of the configuration file; "" is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, (str, Path)):
        raise ValueError("must be a path in quotes")
    return Path(folder, Path(os.path.expandvars(str(value))).expanduser())


def read_argv(value: object) -> object:
    """A command as its words; one string is split as a shell would. No shell ever runs it."""
    return shlex.split(value) if isinstance(value, str) else value


def read_env_name(value: str) -> str:
    """The name of an environment variable, "" for none."""
    # the value is not repeated: it may be the password itself, put there by mistake
    if value and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", value):
        raise ValueError("must be the name of an environment variable in capitals, not the password itself")
    return value


def read_language(value: str) -> str:
    """A language's two letters."""
    if not re.fullmatch(r"[a-z]{2}", value):
        raise ValueError(f'"{value}" is no language; write its two letters, as in "en"')
    return value


def read_key(value: str) -> str:
    """A consultant's key: what commands, `--as` and roles call them."""
    if value and not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", value):
        raise ValueError(f'"{value}" cannot be a key; use lower-case letters, digits, - and _, as in "anna"')
    return value
