"""The command, waiting less long for each answer of the engine:

    python -m kit.faults.short_timeouts SECONDS bluegreen release …

No setting says how long it waits (30 s, and 300 s where the engine works for long without a
word): an engine that hangs does so for good, and a test need not see all of it. Nothing else
is changed.
"""

from __future__ import annotations

import runpy
import sys

from bluegreen.engine import connect

if __name__ == "__main__":
    connect.__defaults__ = (float(sys.argv[1]),)
    del sys.argv[1]
    module = sys.argv.pop(1)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
