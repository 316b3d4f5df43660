"""Would anybody notice? Small faults, put into a copy of the protocol one at a time, must each be caught by a test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STEPS, OFFERED, CONTESTED = "protocol/steps.py", "protocol/offered.py", "protocol/contested.py"
TAKEN, ANYTIME, ENDED, INIT = "protocol/taken.py", "protocol/anytime.py", "protocol/ended.py", "protocol/__init__.py"
MUTANTS = [
    (STEPS, "if c.state == STANDING and c.at <= until]", "if c.state == STANDING]"),
    (STEPS, "turn.set(claims=tuple(sorted(claims, key=lambda each: each.at)))", "turn.set(claims=tuple(claims))"),
    (STEPS, "if not claimants or turn.lead.status == Status.TAKEN:", "if True:"),
    (STEPS, "    mark_claims(turn, losers, INTEREST)\n", ""),
    (STEPS, "reheat=fresh if fresh < window else None", "reheat=None"),
    (STEPS, "    if waiting or not answered & turn.world.may_claim():", "    if not answered & turn.world.may_claim():"),
    (STEPS, "    keeper_owns(turn)\n    turn.record(f\"released", "    turn.record(f\"released"),
    (STEPS, "best = never or [", "best = ["),
    (STEPS, "quiet = world.opening_of(turn.cue.until)", "quiet = quiet"),
    (STEPS, 'turn.set(stage="goodbye", awaits="no")', "finish_throw(turn)"),
    (OFFERED, "closes = min(closes, turn.lead.timers[\"window\"])", "closes = max(closes, turn.lead.timers[\"window\"])"),
    (OFFERED, 'turn.set(stage="cooling", awaits="", ended_as="")', "pass"),
    (INIT, "lead.stage in (\"last-call\", \"goodbye\")", "False"),
    (OFFERED, "    if steps.only_owner(turn) or steps.claims_stand(turn) or turn.wait_for_undo():", "    if steps.only_owner(turn) or turn.wait_for_undo():"),
    (CONTESTED, "if len(claimants) > 1 and set(claimants) <= set(turn.lead.together):", "if len(claimants) > 1:"),
    (CONTESTED, "turn.cue.named[0] not in lead.claimants:", "False:"),
    (CONTESTED, "    if turn.cue.who in turn.cue.named:  # \"I take it, Bo\": no yielding", "    if False:"),
    (CONTESTED, 'if not turn.lead.awaits and "fallback" not in turn.lead.timers:', "if False:"),
    (TAKEN, "lead.keeper_may_release and who == turn.world.keeper", "who == turn.world.keeper"),
    (TAKEN, "    turn.start(silent=turn.in_time(turn.world.terms.nudge_again))\n", ""),
    (TAKEN, "when=late_claim,", "when=lambda turn: False,"),
    (ANYTIME, "    if not hosts:\n        turn.refuse(\"not-invited\")\n        return\n", ""),
    (ANYTIME, "turn.cue = Cue(word.verb,", "turn.cue = Cue(\"note\","),
    (ANYTIME, "word is not mine[-1]", "False"),
    (ANYTIME, "        _say(turn, \"claim\")", "        steps.mark_claims(turn, [who], STANDING)"),
    (ANYTIME, "if turn.lead.stage == \"goodbye\":  # one no is enough", "if False:"),
    (ANYTIME, "    if turn.letters_waiting():  # a person's", "    if False:  # a person's"),
    (CONTESTED, "return late_claim(turn) and not turn.cue.confirmed", "return late_claim(turn)"),
    (TAKEN, "    if lead.awaits == \"handover-owner\":\n        turn.set(awaits=\"\")", "    if False:\n        turn.set(awaits=\"\")"),
    (ENDED, "return in_time and not _client_said_no(turn)", "return in_time"),
    (OFFERED, "    turn.start(last_call=turn.lead.timers[\"undo\"])", "    steps.say_no(turn, ended_as=\"dry\")"),
    ("turn.py", "return word.verb == \"warm\"", "return False"),
    ("turn.py", "return other.verb in ENDING", "return False"),
    ("turn.py", "name in (\"undo\", \"promise\")", "name == \"undo\""),
    ("office.py", "if row.kind in COUNTED_ON or awaits.get(row.lead) == row.kind]", "if False]"),
    (STEPS, "if last is None or cue.at >= last or repeated:", "if True:"),
    (STEPS, "unheard = lead.awaits in (\"offer\", \"back\") or", "unheard ="),
    (OFFERED, "    turn.stop(\"cool\", \"dry\", \"decide\", \"last-call\", \"reheat\")", "    turn.stop(\"window\")"),
    (TAKEN, "by_keeper = lead.keeper_may_release and", "by_keeper = False and"),
    (STEPS, "return owner if world.is_here(owner) else", "return owner or"),
    ("office.py", "        if decision.people:  # somebody", "        if False:  # somebody"),
    (ANYTIME, "readers = lead.team if lead.status == Status.TAKEN else (lead.owner, *lead.claimants)", "readers = (lead.owner,)"),
    (ENDED, "    turn.start(reask=turn.in_time(turn.world.terms.freshness))\n", ""),
    (ENDED, "return world.after(lead.ended_at, world.terms.eaten_for) < world.now", "return False"),
    (INIT, "return unwanted or (lead.is_open and lead.awaits != \"no\")", "return False"),
    ("turn.py", "return warmed is None or self.world.after(", "return True or self.world.after("),
    ("turn.py", "        if cue.settled:\n", "        if True:\n"),
    ("people.py", "if not house.rota:", "if True:"),
    (ANYTIME, "if steps.is_news(turn, steps.THE_CLIENT, reader):", "if True:"),
    (ANYTIME, "    if lead.draft_kind and first:", "    if False:"),
    (ANYTIME, "    if unheard and keeper != lead.owner and", "    if False and"),
    (STEPS, "    if turn.lead.stage == \"goodbye\":\n        turn.set(stage=\"cooling\"", "    if False:\n        turn.set(stage=\"cooling\""),
    (STEPS, "            turn.start(redraft=", "            turn.start(undone="),
    (ENDED, "    turn.stop(\"redraft\")", "    turn.stop(\"\")"),
    (CONTESTED, "return cue.at < closed if first_come else cue.at <= closed", "return cue.at <= closed"),
    (OFFERED, "        turn.set(awaits=\"offer\")", "        pass"),
    ("protocol/arriving.py", "text=lead.goodbye", "text=\"\""),
    ("turn.py", "(owner,) if self.world.is_here(owner) or not keeper else (owner, keeper)", "(owner,)"),
    ("retold.py", "elif lead.awaits and mail.kind != \"receipt\":", "elif False:"),
    ("rows.py", "    return astray and", "    return False and"),
    ("rows.py", "\"offer\": (\"offer\", \"back\"),", "\"offer\": (),"),
    ("roster.py", "if world.keeper or lead.owner == old]", "if lead.owner == old]"),
    ("triage.py", "if proven.to_client or proven.chat:", "if False:"),
    ("general.py", "    if became is not None:", "    if False:"),
    (ANYTIME, "lead.owner if lead.is_open else steps.last_owner(turn)", "lead.owner"),
]  # fmt: skip
TESTS = ["tests/test_dialogues.py", "tests/test_protocol.py", "tests/test_simulator.py"]


def test_every_fault_fits_the_code_as_it_stands() -> None:
    """A fault that can no longer be put in would prove nothing."""
    for name, old, _ in MUTANTS:
        assert old in (ROOT / "router" / name).read_text(encoding="utf-8"), f"{name} no longer holds: {old}"


@pytest.mark.torture
@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_a_fault_in_the_protocol_is_caught(number: int, tmp_path: Path, fault: Callable[..., None]) -> None:
    name, old, new = MUTANTS[number]
    fault("a fault put into the protocol's own code", note="each noticed by a test")
    shutil.copytree(ROOT / "router", tmp_path / "router")
    for folder in ("tests", "templates"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for file in ("README.md", "pyproject.toml"):
        (tmp_path / file).symlink_to(ROOT / file)
    path = tmp_path / "router" / name
    source = path.read_text(encoding="utf-8")
    assert source.count(old) >= 1, f"{name} no longer holds: {old}"
    path.write_text(source.replace(old, new, 1), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), *TESTS]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment, timeout=90)
    except subprocess.TimeoutExpired:
        return  # it never comes to rest: noticed
    assert done.returncode == 1, (
        f"nobody noticed in {name}: {old!r} → {new!r}\n{done.stdout[-800:]}{done.stderr[-500:]}"
    )
