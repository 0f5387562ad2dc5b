"""What pip installs is whole, and what it is built from is locked."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    """Also what comes from caddy/, which stands outside the package."""
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stderr

    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())

    sources = {f"bluegreen/{path.relative_to(ROOT / 'src/bluegreen')}" for path in python_files()}
    caddy = {f"bluegreen/{path.relative_to(ROOT)}" for path in (ROOT / "caddy").rglob("*.*")}
    assert caddy
    assert sources | caddy | {"bluegreen/py.typed"} <= packed


def python_files() -> list[Path]:
    return list((ROOT / "src/bluegreen").rglob("*.py"))


def test_every_package_is_locked_with_its_hash() -> None:
    """And no line says where it was fetched from."""
    lock = (ROOT / "requirements.lock").read_text()
    locked = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    hashed = re.findall(r"^([a-z0-9-]+)==.* \\\n    --hash=sha256:", lock, re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"], "hatchling"]

    assert {re.split(r"[^a-z0-9-]", name)[0] for name in wanted} <= set(locked)
    assert hashed == locked
    assert "://" not in lock
