"""Every dialogue in tests/dialogues/ holds, line by line, through the real office and a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dialogue import play_dialogue

DIALOGUES = sorted((Path(__file__).parent / "dialogues").glob("*.txt"))


@pytest.mark.parametrize("path", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(path: Path, tmp_path: Path) -> None:
    """What a consultant reads in the dialogue is what happens."""
    play_dialogue(path, tmp_path)
