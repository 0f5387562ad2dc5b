"""What a test leaves for people: screenshots and measurements, in a folder that git ignores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "output"


def path(name: str) -> Path:
    FOLDER.mkdir(exist_ok=True)
    return FOLDER / name


def keep(name: str, facts: dict[str, Any]) -> None:
    """Write the facts as JSON, and print them for whoever reads the run's output."""
    target = path(f"{name}.json")
    target.write_text(json.dumps(facts, indent=2) + "\n")
    print(f"{target}: {json.dumps(facts)}")
