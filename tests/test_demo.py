"""The demo with --keep: once the story is over, people have time to read and to answer."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from router.demo import LIST, SHARED, SLOW_TIMES, TIMES, Cast, Story, make_folder, set_stage
from router.worktime import parse_span


def test_whoever_writes_by_hand_gets_two_minutes_from_the_same_daemon_and_store(tmp_path: Path) -> None:
    assert TIMES.keys() == SLOW_TIMES.keys()
    told = io.StringIO()
    story = Story(Console(file=told, width=120))
    with set_stage(make_folder(tmp_path / "out"), story) as stage:
        cast = Cast(stage.hub, story)
        cast.write("jo@acme.example", SHARED, "Rust review", "Can one of you review our Rust code?\n")
        cast.wait(LIST, "Rust code")
        stage.run_slowly()
        assert stage.office.house.terms.window == parse_span("2 minutes")
        cast.write("per@gardet.example", SHARED, "A booking site", "Can one of you help us with a booking site?\n")
        cast.wait(LIST, "booking site")
        assert stage.office.store.lead_numbers() == [1, 2]
        assert not stage.failures
    steps = [line for line in told.getvalue().splitlines() if "bun 1: request" in line or "bun 2: request" in line]
    assert len(steps) == 2 and all(re.match(r" *\d+\.\ds ", line) for line in steps), "each step has its time"
