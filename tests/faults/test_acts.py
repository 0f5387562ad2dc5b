"""No act that reaches outside the process is left out of the fault matrix."""

from __future__ import annotations

import ast
from pathlib import Path

import bluegreen
from kit.faults.acts import unsorted

#: Where files are written by other means than `durable`: each has its own reason, and tests.
_WRITERS = {
    "assets/store.py",  # acts of its own, see kit/faults/acts.py
    "assets/fill.py",  # the store's folder of temporary files
    "cli/run.py",  # the debug log
    "commands/recover.py",  # removes what others left
    "edge/caddy/switches.py",  # staged files that nobody needs
    "edge/registry.py",  # `edge up` alone: certificates that nobody needs, and its way back
    "state/durable.py",
    "state/folder.py",  # modes and owners; a staged key
    "state/ledger.py",  # SQLite's own journal
    "state/lock.py",  # advice for whoever waits
}
_WRITING = {
    "write_text",
    "write_bytes",
    "unlink",
    "rename",
    "replace",
    "hardlink_to",
    "mkdir",
    "rmdir",
}


def test_every_act_has_its_faults() -> None:
    """A new method of an adapter is sorted in kit/faults/acts.py before it is used."""
    assert unsorted() == set()


def test_no_file_is_written_past_the_matrix() -> None:
    source = Path(bluegreen.__file__).parent
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(_writes(node) for node in ast.walk(ast.parse(path.read_text())))
    }
    assert found - _WRITERS == set(), (
        "write through durable, or sort its acts in kit/faults/acts.py"
    )


def _writes(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    name, args = node.func.attr, [ast.unparse(arg) for arg in node.args]
    if name == "replace":  # str.replace takes two texts, Path.replace one path
        return len(args) == 1 and not node.keywords
    if name == "open":
        return any(arg.strip("'\"")[:1] in "wxa" for arg in args if arg.startswith("'"))
    return name in _WRITING
