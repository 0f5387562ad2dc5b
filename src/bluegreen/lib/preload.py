"""Imports that happen while the engine works: they cost a command nothing then."""

from __future__ import annotations

import threading
from contextlib import suppress
from importlib import import_module


def load(*modules: str) -> None:
    """Import them in the background. Whoever needs one meanwhile waits for it, as for any import;
    one that fails here fails there again, and is told there."""

    def run() -> None:
        for name in modules:
            with suppress(ImportError):
                import_module(name)

    threading.Thread(target=run, daemon=True, name="ahead").start()
