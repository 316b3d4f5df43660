"""What is read once at the start: the operator's own templates and pages, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.check import _templates as check_templates
from router.config import ConfigError, load
from router.counter import open_office
from router.digest import weekly_mail
from router.start import read_templates
from tests.test_config import MINIMAL
from tests.test_digest import NOW, WEEK, Books, house, world


def own(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt").replace("_html", ".html")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_the_operators_template_and_page_stand_before_the_built_in_ones(tmp_path: Path) -> None:
    templates = read_templates(own(tmp_path, en__ack_txt="Subject: Ours\n\nHello", tray_html="Tray\n<p>{{ open }}</p>"))
    assert templates.render("en", "ack", {}) == ("Ours", "Hello\n")
    assert templates.render("page", "tray", {"open": 3})[1] == "<p>3</p>\n"
    assert "{% macro" in templates.sources["page/digest"], "the others stay"
    assert templates.languages() == ("de", "en", "es", "fr", "nl", "sv")


def test_a_language_of_ones_own_is_a_language(tmp_path: Path) -> None:
    templates = read_templates(own(tmp_path, da___words_txt="{% set and = 'og' %}", da__ack_txt="Subject: Tak\n\nHej"))
    assert "da" in templates.languages()
    assert templates.render("da", "ack", {})[0] == "Tak"


def test_every_file_that_cannot_be_used_is_named_at_once(tmp_path: Path) -> None:
    folder = own(tmp_path, en__ack_txt="Subject: x\n\n{% if %}", sv__ofer_txt="Subject: y\n\n", tary_html="z")
    (tmp_path / "en" / "no.txt").write_bytes(b"Subject: caf\xe9")
    with pytest.raises(ConfigError) as caught:
        read_templates(folder)
    assert caught.value.faults == ("templates.folder: no.txt cannot be read: it is not UTF-8",)
    (tmp_path / "en" / "no.txt").unlink()
    with pytest.raises(ConfigError) as caught:
        read_templates(folder)
    assert sorted(caught.value.faults) == [
        "templates.folder: en/ack: line 3: Expected an expression, got 'end of statement block'",
        "templates.folder: page/tary: there is no such template",
        "templates.folder: sv/ofer: there is no such template",
    ]
    with pytest.raises(ConfigError, match="is no folder"):
        read_templates(tmp_path / "nowhere")


def test_a_page_that_fails_leaves_the_mail_with_the_html_of_its_text(tmp_path: Path) -> None:
    templates = read_templates(own(tmp_path, digest_html="Week\n{{ digest.nothing.here }}"))
    books = Books(WEEK)
    ((mail, _),) = weekly_mail(house(), books, world(books), NOW, templates).mails
    assert mail.facts["html"] == ""


def test_check_tells_of_a_page_that_cannot_be_made_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    folder = own(tmp_path / "own", report_html="Report\n{{ report.nothing.here }}")
    (tmp_path / "config.toml").write_text(MINIMAL + '[store]\npath = "buns.json"\n[templates]\nfolder = "own"\n')
    settings = load(tmp_path / "config.toml")
    assert "en" in check_templates(settings), "before the first run there is nothing to make it of"
    open_office(settings).store.close()
    with pytest.raises(ValueError, match=r"report\.html cannot be made: .*nothing"):
        check_templates(settings)
    (folder / "report.html").unlink()
    assert "sv" in check_templates(settings)
