"""Mails, digest and report in headless Chromium: nothing sticks out of a phone of 320 pixels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

import pytest

from router.compose import LANGUAGES
from router.digest import weekly_mail
from router.lead import Event, Status
from router.people import build_world
from router.report import report, report_html
from router.tray import write_tray
from tests.every_mail import CASES, send
from tests.test_digest import NOW, TEMPLATES, WEEK, Books, days_ago, house, lead, world
from tests.test_report import LEADS
from tests.test_templates import html_of, mails
from tests.test_tray import BROWSER, browse, kept

# Writes into the page's title which frames are wider inside than they are.
PROBE = """<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll("iframe")].filter(
    (frame) => frame.contentDocument.documentElement.scrollWidth > 320);
  document.title = JSON.stringify([document.querySelectorAll("iframe").length, wide.map((frame) => frame.name)]);
});
</script>"""


def too_wide(folder: Path, pages: Iterable[tuple[str, str]]) -> list[str]:
    """The names of those pages that cannot be read at 320 pixels without moving sideways."""
    frames = [f'<iframe name="{escape(name)}" width="320" srcdoc="{escape(html)}"></iframe>' for name, html in pages]
    (folder / "probe.html").write_text(f'<!DOCTYPE html><meta charset="utf-8">{PROBE}{"".join(frames)}', "utf-8")
    dom = browse(folder, folder / "probe.html", "--virtual-time-budget=5000", "--dump-dom")
    title = re.search(r"<title>(.*?)</title>", dom)
    assert title
    count, wide = json.loads(title[1].replace("&amp;", "&"))
    assert count == len(frames) > 0
    return list(wide)


def _pages(language: str) -> Iterable[tuple[str, str]]:
    long = lead(60, 1, subject="Donaudampfschifffahrtsgesellschaftskapitän gesucht", client_name="W" * 60)
    where = house(languages=(language,), list_address="", happiness="named")
    books = Books([*WEEK, long], [{"month": "2026-02", "score": 4, "line": "w" * 200, "who": "anna"}])
    mail = weekly_mail(where, books, world(books, where), NOW, TEMPLATES).mails[0][0]
    yield f"{language} digest", mail.facts["html"]
    books = Books([*LEADS, *WEEK, long])
    yield f"{language} report", report_html(report(where, books, world(books, where), NOW, language), where, TEMPLATES)


KINDS_OF_SHAPE = ("offer", "decide", "contest", "mediate", "help", "status", "gathered", "unreachable", "happiness")


@BROWSER
def test_nothing_sticks_out_of_a_phone(tmp_path: Path) -> None:
    """One mail of each shape in German, whose words are the longest; every mail in the long run."""
    each = {case.kind: case for case in CASES if case.kind in KINDS_OF_SHAPE}.values()
    mails_of = ((case.name, html_of(send(case, "de").raw)) for case in each)
    assert too_wide(tmp_path, [*mails_of, *_pages("de")]) == []


@BROWSER
@pytest.mark.torture
@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_sticks_out_of_a_phone_in_any_language(tmp_path: Path, language: str) -> None:
    assert too_wide(tmp_path, [*((seen.name, seen.html) for seen in mails(language)), *_pages(language)]) == []


TIMED = """<!DOCTYPE html><meta charset="utf-8"><body>
<script>const began = performance.now();</script>
<iframe src="tray.html" style="width:1280px;height:900px"></iframe>
<script>
addEventListener("load", () => {
  document.querySelector("iframe").contentDocument.documentElement.scrollHeight;
  document.title = performance.now() - began;
});
</script></body>"""


@BROWSER
@pytest.mark.torture
def test_a_thousand_buns_are_shown_within_a_second(tmp_path: Path) -> None:
    """Read, laid out and run through the filter's script, as Chromium measures it; the best of three."""
    steps = tuple(Event(days_ago(n), "note", "anna", "why") for n in range(10))
    states = (Status.OFFERED, Status.CONTESTED, Status.TAKEN)
    leads = [lead(n + 1, n / 33, states[n % 3], "anna", text="We need help. " * 60, events=steps) for n in range(1000)]
    where, store = house(), kept(tmp_path, leads)
    write_tray(tmp_path / "tray.html", where, store, build_world(where, store, NOW), TEMPLATES)
    (tmp_path / "timed.html").write_text(TIMED)
    took = []
    for _ in range(3):
        flags = ("--allow-file-access-from-files", "--dump-dom")
        title = re.search(r"<title>([\d.]+)</title>", browse(tmp_path, tmp_path / "timed.html", *flags))
        assert title
        took.append(float(title[1]))
    print(f"a thousand buns: {', '.join(f'{each:.0f} ms' for each in took)}")
    assert min(took) < 1000
