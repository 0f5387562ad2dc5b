"""What a candidate must pass before any user sees it.

The engine's word (a crash, an OOM kill, an unhealthy check end the gate at once), HTTP
through the edge's preview listener several times in a row, and the manifest's bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from bluegreen.errors import Rejected
from bluegreen.lib import poll
from bluegreen.model import ContainerFacts, Exchange, Upstream
from bluegreen.ports import Edge, Engine, Line
from bluegreen.proof import causes, compare, evidence
from bluegreen.settings import GateSettings
from bluegreen.settings.container_spec import Spec

#: One answer may take this long; a slower page is not fit to be live.
PROBE_TIMEOUT = 10.0
#: How long one file of the proof may go unanswered while the candidate already passes.
_PROOF_PATIENCE = 5.0
#: A candidate that does not listen yet is asked again after so many seconds …
_SOON = 0.02
#: … until so many probes have failed; then it takes its time, and is asked less often.
_HASTY, _LATER = 100, 0.1
#: What a shell and an init say by these codes (POSIX, Shell Command Language, 2.8.2).
_EXIT_HINTS = {
    126: "its command cannot be executed: look at its mode and its architecture",
    127: "its command is not in the image: correct CMD, ENTRYPOINT or container.command",
}


@dataclass(slots=True)
class Passed:
    passes: int = 0
    compared: int = 0
    #: url → what the candidate answered to the proof, each file asked for as it is.
    answers: dict[str, Exchange] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)


def gate(
    engine: Engine,
    edge: Edge,
    container: str,
    upstream: Upstream,
    spec: Spec,
    expected: Sequence[compare.Expectation],
    say: Line,
) -> Passed:
    """Raises Rejected, with the evidence, as soon as the candidate cannot pass any more."""
    passed = Passed()

    def reject(what: str, hint: str) -> Rejected:
        found = evidence.collect(engine, container, spec, passed.exchanges)
        return Rejected(what + evidence.last_words(found), hint=hint, evidence=found)

    ask = compare.noting(
        compare.through(partial(edge.preview, upstream), PROBE_TIMEOUT), passed.answers
    )
    proven = _answers(
        engine, edge, container, upstream, spec.gate, passed, reject, say,
        lambda: not compare.prove(ask, expected, patience=0),
    )  # fmt: skip
    wrong = () if proven else compare.prove(ask, expected, _PROOF_PATIENCE)
    if wrong:
        passed.exchanges += [mismatch.came for mismatch in wrong]
        raise reject(
            f"the candidate serves other content than its image: {listed(wrong)}",
            causes.likely(wrong, expected, spec.container, spec.freshness),
        )
    passed.compared = len(expected)
    facts = engine.inspect(container)
    if (trouble := trouble_of(facts)) is not None:
        raise reject(*trouble)
    return passed


def _answers(
    engine: Engine,
    edge: Edge,
    container: str,
    upstream: Upstream,
    settings: GateSettings,
    passed: Passed,
    reject: Callable[[str, str], Rejected],
    say: Line,
    is_proven: Callable[[], bool],
) -> bool:
    """Whether the bytes were proven too, between two passes: the time to the next is waited for
    anyway."""
    proven = False
    for left in poll.ticks(settings.timeout, lambda: _pace(settings, passed)):
        facts = engine.inspect(container)
        if (trouble := trouble_of(facts)) is not None:
            raise reject(*trouble)
        timeout = min(PROBE_TIMEOUT, max(left, settings.interval))
        answer = edge.preview(upstream, settings.path, timeout=timeout)
        passed.exchanges.append(answer)
        if answer.status in settings.status:
            passed.passes += 1
            say(f"{passed.passes}/{settings.passes} passes")
            if passed.passes >= settings.passes:
                return proven
            if passed.passes == 1:
                proven = is_proven()
        else:
            passed.passes, proven = 0, False
            say(described(answer))
    last = passed.exchanges[-1]
    pid = facts.pid if facts else 0
    raise reject(
        f"the candidate did not pass within {settings.timeout:g} s:"
        f" {settings.path} on port {upstream.port} gave {described(last)},"
        f" {_statuses(settings)} expected",
        _hint(last, upstream.port, evidence.listening(pid)),
    )


def _pace(settings: GateSettings, passed: Passed) -> float:
    """Seconds to the next probe. One that nobody listens to disturbs nobody either: at the start
    it is repeated soon."""
    if passed.passes:
        return settings.interval
    if len(passed.exchanges) >= _HASTY:
        return max(settings.interval, _LATER)
    unheard = passed.exchanges[-1].status in compare.PASSING
    return min(settings.interval, _SOON) if unheard else settings.interval


def trouble_of(facts: ContainerFacts | None) -> tuple[str, str] | None:
    """What the engine says is wrong with a container that should run, and what to do."""
    if facts is None:
        return "the candidate's container is gone", "somebody removed it: run the command again"
    if facts.oom_killed:
        return (
            f"the candidate was OOM-killed (exit code {facts.exit_code})",
            "raise container.memory, or look for what needs so much",
        )
    if facts.restart_count or facts.restarting:
        return (
            f"the candidate restarts: {facts.restart_count} times so far",
            "bluegreen logs shows its last lines",
        )
    if not facts.running:
        said = f": {facts.error}" if facts.error else ""
        return (
            f"the candidate exited with code {facts.exit_code}{said}",
            _EXIT_HINTS.get(facts.exit_code, "its last log lines are kept: bluegreen logs"),
        )
    if facts.health == "unhealthy":
        last = facts.health_log[-1].strip() if facts.health_log else "no output"
        return (
            f"the candidate is unhealthy by its own check: {last}",
            "correct the HEALTHCHECK of the image or container.healthcheck, or what it checks",
        )
    return None


def described(answer: Exchange) -> str:
    """An answer in a few words."""
    if answer.status == 0:
        return f"no answer ({answer.error})"
    if answer.location:
        return f"status {answer.status}, a redirect to {answer.location}"
    return f"status {answer.status}" + (f" ({answer.error})" if answer.error else "")


def listed(wrong: Sequence[compare.Mismatch], most: int = 3) -> str:
    rest = len(wrong) - most
    shown = "; ".join(str(mismatch) for mismatch in wrong[:most])
    return shown + (f"; and {rest} more" if rest > 0 else "")


def _statuses(settings: GateSettings) -> str:
    return " or ".join(str(status) for status in settings.status)


def _hint(last: Exchange, port: int, listening: tuple[str, ...]) -> str:
    if last.location:
        return (
            "redirects are not followed: set gate.path to a page that answers itself, or gate.host"
        )
    ports = {address.rpartition(":")[2] for address in listening}
    if last.error and listening and str(port) not in ports:
        return f"it listens on {', '.join(listening)}: set container.port"
    if (
        last.error
        and listening
        and all(_only_local(a) for a in listening if a.endswith(f":{port}"))
    ):
        return f"it listens on {', '.join(listening)} only: bind to 0.0.0.0"
    if last.error and not listening:
        return "nothing in it listens yet: raise gate.timeout, or look at bluegreen logs"
    return "its last log lines are kept: bluegreen logs"


def _only_local(address: str) -> bool:
    return address.startswith(("127.", "[::1]"))
