"""The tray page. (In the making.)"""

from __future__ import annotations

from pathlib import Path

from router.house import House
from router.store import Store
from router.turn import World


def write_tray(path: Path, house: House, store: Store, world: World) -> None:
    """Replace the page at once."""
    path.write_text("")
