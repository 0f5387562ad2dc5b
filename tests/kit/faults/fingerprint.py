"""Which worlds are alike: healing is the same work in both, and needs to be seen but once."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing

from kit.fakes.world import World

_MOMENT = re.compile(r"\b\d{8}-\d{6}\b")  # of a release's id
#: Times, the names of temporary files, and addresses that no build has.
_CHANCE = re.compile(
    r"""(?<=seconds": )[\d.e-]+|\d{4}-\d\d-\d\dT[\d:.]+|(?<=-)[0-9a-f]{8}(?=')"""
    r"""|[0-9a-f]{12}(?=-0000)"""
)
#: Columns of a release's row that no command reads but to show them; its steps are all so.
_TOLD = ("started", "finished", "error", "evidence")


def fingerprint(world: World) -> str:
    """A digest, equal for two worlds that no command can tell apart.

    It leaves out when things happened (their order counts), what they were called by chance,
    and what is only told of them.
    """
    seen = world.dump()
    seen["flights"] = world.caddy.flights
    seen["networks"] = world.engine.networks
    seen["built"] = sorted(world.engine.made_images)
    seen["containers"] = [
        (one.plan, one.image_id, one.status, one.exit_code, one.restart, sorted(one.networks))
        for one in world.engine.by_id.values()
    ]
    with closing(sqlite3.connect(world.state.ledger)) as ledger:
        ledger.row_factory = sqlite3.Row
        rows = [dict(row) for row in ledger.execute("select * from release order by id")]
    seen["rows"] = [{key: row[key] for key in row if key not in _TOLD} for row in rows]
    text = _CHANCE.sub("", repr(seen))
    for number, moment in enumerate(sorted(set(_MOMENT.findall(text)))):
        text = text.replace(moment, f"moment {number}")
    return hashlib.sha256(text.encode()).hexdigest()
