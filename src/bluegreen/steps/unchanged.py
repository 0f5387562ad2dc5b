"""Nothing differs from live: not the bytes, not the spec, not the routing."""

from __future__ import annotations

from bluegreen.attempt import Attempt
from bluegreen.errors import Rejected
from bluegreen.model import LiveRelease, Outcome
from bluegreen.steps.prove import Proving
from bluegreen.undo import Undo


def ends_here(attempt: Attempt, undo: Undo, proving: Proving, live: LiveRelease, mode: str) -> bool:
    """Whether the attempt is over: `mode` is `skip`, and users are seen to get these bytes.

    Otherwise a fresh container goes live all the same, and that is said. Raises Rejected
    where `mode` is `fail`.
    """
    told = f"the same content, settings and routing as live ({live.id})"
    if mode == "fail":
        raise Rejected(
            f"nothing changed: {told}",
            hint='commit a change, or set freshness.unchanged = "release" or "skip"',
        )
    if mode == "release":
        attempt.warn(f"{told}: released afresh")
        return False
    with attempt.step("verify") as note:
        wrong = proving.live_is_seen()
        note.text = "users get these very bytes from live"
        if wrong:
            note.status, note.text = "skipped", "live does not serve these bytes"
    if wrong:
        attempt.warn(f"{told}, yet users do not get it ({wrong[0].what}): released afresh")
        return False
    undo.unwind()
    attempt.outcome = Outcome.UNCHANGED
    return True
