"""Shared by every test: torture runs only when asked for; a skipped check is a failure in CI."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave slow torture tests out of the default run; `-m torture` selects them."""
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
