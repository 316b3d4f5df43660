"""Shared by every test: torture runs only when asked for; a skipped check is a failure in CI; the table of faults."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.faults import Faults, Row

settings.register_profile("house", deadline=None)  # a busy machine is no fault; what must be quick has tests of its own
settings.load_profile("house")


@pytest.hookimpl(tryfirst=True)  # before `-m` is looked at
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow torture tests out of the default run; `-m torture` selects them. Mark what stands in the table."""
    for item in items:
        if "fault" in getattr(item, "fixturenames", ()):
            item.add_marker("faults")
    if "torture" in (config.getoption("markexpr") or ""):
        return
    slow = [item for item in items if item.get_closest_marker("torture")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("torture")]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI a live test that was skipped has proved nothing, so the run fails."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or exitstatus != 0:
        return
    skipped = [report for report in reporter.stats.get("skipped", []) if "live" in report.keywords]
    if skipped:
        reporter.write_line(f"CI: {len(skipped)} live tests were skipped; install Dovecot so that they run", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# -- the table of faults -----------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", metavar="FILE", help="write the table of faults to this file too, as Markdown")


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Put what a test has seen into the table: `fault("disk full", tries=12, recovered=3.5)`."""

    def note(name: str, **figures: Any) -> None:
        request.node.user_properties.append(("fault", Row(name, **figures).to_doc()))

    return note


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """One table of all that was broken on purpose, and what came of it; also where several processes ran the tests."""
    faults = Faults()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in report.user_properties:
                if name == "fault":
                    faults.add(Row(**value), failed=outcome == "failed")
    if faults.rows and "torture" in (config.getoption("markexpr") or ""):
        terminalreporter.section("faults")
        terminalreporter.write_line(faults.text())
    if config.getoption("--table") and faults.rows:
        Path(config.getoption("--table")).write_text(faults.markdown(), encoding="utf-8")
