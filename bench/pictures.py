"""`make pictures`: the pictures of mails, digest, report and tray in docs/pictures, taken in headless Chromium.

Everything is rendered as the router renders it, of the same facts that the tests use and of a small collective's month.
Light and dark stand side by side: each in a frame of its own colour scheme. Needs Chromium and nothing else.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

from router.digest import render_page, weekly
from router.lead import Claim, Event, Lead, Pass, Status
from router.people import build_world
from router.report import report, report_html
from router.start import read_templates
from router.tray import render_tray
from tests.every_mail import CASES, send
from tests.test_digest import Books, house
from tests.test_templates import html_of
from tests.test_tray import kept

OUT = Path(__file__).parent.parent / "docs" / "pictures"
NOW = datetime(2026, 3, 19, 9, 30, tzinfo=UTC)  # a Thursday, 10:30 in Stockholm
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=3000"),
)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def bun(
    number: int, days: float, subject: str, who: str, company: str, status: Status = Status.OFFERED, **more: object
) -> Lead:
    opened = ago(days)
    base = Lead(
        id=number,
        subject=subject,
        status=status,
        owner="di",
        opened=opened,
        offered_at=opened,
        client=f"{who.split()[0].lower()}@{company}",
        client_name=who,
        stage="window" if status == Status.OFFERED else "",
        text=f"Hello,\n\n{subject}: could one of you help us with it?\n\nBest regards\n{who}",
        events=(Event(opened, "came in", "client", f"from {who.split()[0].lower()}@{company}"),),
    )
    return replace(base, **more)  # type: ignore[arg-type]


def month() -> tuple[Lead, ...]:
    """What a small collective has on its tray, and what has gone over it."""
    in_hours = {n: NOW + timedelta(hours=n) for n in (5, 7, 24, 26)}
    return (
        bun(
            41,
            0.05,
            "Review of a Rust service before the summer",
            "Nora Berg",
            "northwind.example",
            skills=("Rust",),
            claims=(Claim("bo", ago(0.02), "Mine!"),),
            timers={"window": in_hours[24]},
        ),
        bun(
            40,
            1.1,
            "Forecasts for twelve bakeries",
            "Inés Prado",
            "prado.example",
            stage="cooling",
            urgent=True,
            skills=("data",),
            timers={"dry": in_hours[5]},
        ),
        bun(
            38,
            6,
            "Underhåll av ett gammalt lagersystem i COBOL",
            "Per Lund",
            "gardet.example",
            stage="dry",
            passes=(Pass("cy", ago(5)),),
            timers={"decide": in_hours[7]},
        ),
        bun(
            42,
            5,
            "Maybe a workshop in the autumn",
            "Lena North",
            "north.example",
            Status.DOUGH,
            timers={"dough": NOW + timedelta(days=8)},
        ),
        bun(
            39,
            1.9,
            "New booking site for a climbing hall",
            "Sam Toppen",
            "toppen.example",
            Status.CONTESTED,
            claims=(Claim("anna", ago(1.5)), Claim("cy", ago(1.4))),
            timers={"mediate": in_hours[7], "fallback": in_hours[26]},
        ),
        bun(
            33,
            10,
            "Accessibility audit",
            "Eva Stad",
            "stad.example",
            Status.TAKEN,
            owner="anna",
            team=("anna",),
            taken_at=ago(9),
            claims=(Claim("anna", ago(9.5), state="awarded"),),
            timers={"silent": in_hours[5]},
            keeper_may_release=True,
        ),
        bun(
            35,
            9,
            "Speed up nightly imports",
            "Lena North",
            "north.example",
            Status.TAKEN,
            owner="bo",
            team=("bo",),
            taken_at=ago(8),
            word_at=ago(1),
            skills=("data",),
            timers={"nudge": NOW + timedelta(days=4)},
        ),
        bun(
            30,
            11,
            "Shop search in Swedish",
            "Mats Ek",
            "stad.example",
            Status.EATEN,
            owner="cy",
            team=("cy",),
            skills=("web",),
            taken_at=ago(5),
            ended_at=ago(2),
        ),
        bun(
            31,
            8,
            "SAP roll-out in three countries",
            "Jo Park",
            "park.example",
            Status.THROWN,
            ended_at=ago(1),
            ended_as="dry",
            skills=("SAP",),
        ),
        bun(
            32,
            7,
            "Logo and leaflets",
            "Ida Moe",
            "moe.example",
            Status.THROWN,
            ended_at=ago(3),
            ended_as="thrown",
            source="form",
        ),
        bun(
            36,
            8,
            "Two weeks of pair programming",
            "Kai Ost",
            "north.example",
            Status.THROWN,
            owner="anna",
            team=("anna",),
            taken_at=ago(7),
            ended_at=ago(4),
            ended_as="lost",
            skills=("web",),
        ),
        bun(
            34,
            9,
            "Top talents for your team",
            "Rex Hire",
            "hire.example",
            Status.COOKIE,
            ended_at=ago(6),
            ended_as="cookie",
        ),
        *(_earlier(number) for number in range(1, 22)),
    )


def _earlier(number: int) -> Lead:
    days, owner = 12 + 9 * number, ("anna", "bo")[number % 2]
    company = "stad.example" if number % 2 else "prado.example"
    more = {"owner": owner, "team": (owner,), "taken_at": ago(days + 6), "ended_at": ago(days)}
    skills = (("web",), ("Rust",), ("data",))[number % 3]
    return bun(number, days + 8, f"Request {number}", "Eva Stad", company, Status.EATEN, skills=skills, **more)


def pages() -> dict[str, str]:
    """Name → HTML of everything that is shown."""
    where, templates, leads = house(happiness="anonymous"), read_templates(None), month()
    answers = [{"month": m, "score": s, "line": line} for m, s, line in (
        ("2026-02", 5, "A good client, and time to learn"), ("2026-02", 4, ""), ("2026-02", 3, "Too long on the bench"),
        ("2026-01", 3, ""), ("2026-01", 4, ""), ("2026-01", 3, ""))]  # fmt: skip
    books = Books(leads, answers)
    world = build_world(where, books, NOW)
    mails = {case.kind: send(case).raw for case in reversed(CASES)}
    with tempfile.TemporaryDirectory() as folder:
        tray = render_tray(where, kept(Path(folder), leads), world, templates)
    return {
        "digest": render_page(templates, "digest", where, digest=weekly(where, books, world, NOW)),
        "report": report_html(report(where, books, world, NOW), where, templates),
        "tray": tray,
        **{kind: html_of(raw) for kind, raw in mails.items()},
    }


# -- taking pictures -------------------------------------------------------------------------------------------------


def framed(html: str, width: int, height: int, schemes: tuple[str, ...]) -> str:
    """The same page beside itself, once in each colour scheme."""
    frames = "".join(
        f'<iframe style="color-scheme:{scheme};width:{width}px;height:{height}px" srcdoc="{escape(html)}"></iframe>'
        for scheme in schemes
    )
    return (
        '<!DOCTYPE html><meta charset="utf-8"><style>body{margin:12px;background:#cfc8c1;display:flex;gap:12px;'
        "align-items:flex-start}iframe{flex:none;border:0;border-radius:8px;background:Canvas}</style>"
        f"{frames}<script>addEventListener('load',()=>{{const a=[...document.querySelectorAll('iframe')];"
        "document.title=Math.max(...a.map(f=>f.contentDocument.querySelector('body').offsetHeight))})</script>"
    )


def take(
    chromium: str, name: str, html: str, width: int, height: int = 0, schemes: tuple[str, ...] = ("light", "dark")
) -> Path:
    """One picture, as high as its page unless `height` says otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        file, profile = Path(folder) / "page.html", f"--user-data-dir={folder}/profile"

        def run(*more: str) -> str:
            command = [chromium, *FLAGS, profile, *more, file.as_uri()]
            return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()

        file.write_text(framed(html, width, 800, schemes), "utf-8")
        found = re.search(r"<title>(\d+)</title>", run("--dump-dom", f"--window-size={width + 24},900"))
        high = height or (int(found[1]) if found else 800)
        file.write_text(framed(html, width, high, schemes), "utf-8")
        picture = OUT / f"{name}.png"
        wide = (width + 12) * len(schemes) + 12
        run(f"--screenshot={picture}", f"--window-size={wide},{high + 24}")
    return picture


SHOTS = (
    ("mail-offer", "offer", 320, 0, ("light", "dark")),
    ("mail-offer-wide", "offer", 700, 0, ("light",)),
    ("mail-receipt", "receipt", 320, 0, ("light", "dark")),
    ("mail-contest", "contest", 320, 0, ("light", "dark")),
    ("mail-yours", "handover-owner", 320, 0, ("light", "dark")),
    ("mail-ack", "ack", 320, 0, ("light", "dark")),
    ("mail-handover", "handover", 320, 0, ("light", "dark")),
    ("mail-decide", "decide", 320, 900, ("light", "dark")),
    ("digest", "digest", 340, 1000, ("light", "dark")),
    ("digest-wide", "digest", 700, 1100, ("light",)),
    ("report", "report", 700, 900, ("light",)),
    ("tray", "tray", 1280, 820, ("light",)),
    ("tray-dark", "tray", 1280, 820, ("dark",)),
    ("tray-phone", "tray", 360, 820, ("light", "dark")),
)


def main() -> int:
    chromium = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), "")
    if not chromium:
        print("No Chromium is installed, so no pictures are taken.", file=sys.stderr)
        return 1
    found = pages()
    for name, page, width, height, schemes in SHOTS:
        picture = take(chromium, name, found[page], width, height, schemes)
        print(f"{picture.name}: {picture.stat().st_size // 1024} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
