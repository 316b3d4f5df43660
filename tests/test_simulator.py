"""Random lives of buns: the ten rules hold after every step, and in the end every client has been answered."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.dialogue import Play, Reader, read_dialogue
from tests.simulator import MEMORY, Simulator, live


class Life(RuleBasedStateMachine):
    """Hypothesis chooses every step, and shrinks a life that breaks a rule to its shortest form."""

    simulator: Simulator

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="life-", dir=MEMORY if MEMORY.is_dir() else None))
        self.simulator = Simulator(seed, self.folder)

    @rule(choices=st.randoms(use_true_random=False))
    def step(self, choices: random.Random) -> None:
        self.simulator.random = choices
        self.simulator.step()

    def teardown(self) -> None:
        if hasattr(self, "simulator"):
            try:
                self.simulator.finish()
            finally:
                shutil.rmtree(self.folder, ignore_errors=True)


Life.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestLife = Life.TestCase


@pytest.mark.parametrize("seed", range(8))
def test_a_life_of_sixty_steps_breaks_no_rule(seed: int) -> None:
    assert live(seed, 60).play.uid > 0


def test_a_life_is_printed_as_a_dialogue_that_plays(tmp_path: Path) -> None:
    """So that one which breaks a rule can be dropped into tests/dialogues/."""
    life = live(3, 40)
    name, steps = read_dialogue(life.dialogue("as it was"))
    assert name.startswith("as it was")
    Reader(Play(tmp_path)).run(steps)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(4))
def test_thousands_of_buns_break_no_rule(part: int, fault: Callable[..., None]) -> None:
    """Months of working time for each of some hundred houses; `SEED=` begins elsewhere, `BUNS=` says how many in all.

    In four parts, so that the cores share them.
    """
    seed = int(os.environ.get("SEED", "1000")) + 100_000 * part
    wanted = int(os.environ.get("BUNS", "4000")) // 4
    buns = lives = steps = 0
    began = time.monotonic()
    while buns < wanted:
        simulator = live(seed + lives, 80)
        buns, lives, steps = buns + simulator.buns, lives + 1, steps + len(simulator.lines)
    took = time.monotonic() - began
    print(f"\nsimulator: {buns} buns in {lives} houses, {steps} steps, no rule broken, {took:.0f} s, seeds from {seed}")
    fault("downtime, late and doubled mail, absences: random lives", tries=buns, note="buns; no rule broken")
