"""The old container finishes its requests, then goes; until it stops it can take over again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bluegreen.attempt import Attempt, Note
from bluegreen.errors import Interrupted, TakenBack
from bluegreen.model import ContainerFacts, Upstream
from bluegreen.site import Host
from bluegreen.steps import drain, promote, retire
from bluegreen.undo import Undo


def let_go(
    host: Host,
    attempt: Attempt,
    undo: Undo,
    old: Upstream,
    container: ContainerFacts,
    stands: Callable[[], None],
    meanwhile: Callable[[], None],
) -> None:
    """What cannot be confirmed stays. `stands` raises TakenBack where the new release fell and
    `container`, the old one, can serve: then all that was done is undone after all. `meanwhile`
    is done once while the old one drains.
    """
    try:
        with attempt.forward("drain", "bluegreen prune") as drained:
            _drain(host, attempt, drained, old, container, stands, meanwhile)
        if not drained.failed:
            _retire(host, attempt, container, stands)
    except TakenBack:
        attempt.switched, attempt.replaced = False, None
        undo.later(
            f"let {container.name} outlive a reboot again",
            partial(promote.promote, host.engine, container.id, container.restart_policy),
            by_hand="bluegreen recover",
        )
        undo.revive()
        raise
    except Interrupted:
        attempt.debris.append(
            f"{container.name} still runs; bluegreen prune lets it finish and removes it"
        )
        raise


def _drain(
    host: Host,
    attempt: Attempt,
    note: Note,
    old: Upstream,
    container: ContainerFacts,
    stands: Callable[[], None],
    meanwhile: Callable[[], None],
) -> None:
    retire.no_way_back(host.engine, container.id)
    todo = [meanwhile]

    def at_each_count() -> None:
        stands()
        if todo:
            todo.pop()()

    timeout = host.settings.drain.timeout
    done = drain.drain(host.edge, old, timeout, host.say.line, at_each_count)
    note.detail = {"left": done.left, "most": done.most}
    note.text = "no request left" if not done.left else f"{done.left} left at the deadline"
    if done.left:
        attempt.warn(
            f"{done.left} requests or streams on {old.container} were cut after"
            f" {timeout:g} s: raise drain.timeout if they matter"
        )


def _retire(
    host: Host, attempt: Attempt, container: ContainerFacts, stands: Callable[[], None]
) -> None:
    with attempt.forward("retire", f"docker rm -f {container.name}") as note:
        stands()
        grace = host.settings.container.stop_grace
        warning = retire.retire(host.engine, container.id, grace)
        note.text = f"{container.name} removed"
        if warning:
            attempt.warn(warning)
