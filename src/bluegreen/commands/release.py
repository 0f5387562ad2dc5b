"""`bluegreen release`: put a new image in front of users, or leave the site as it was found."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from bluegreen import builder
from bluegreen.attempt import Attempt
from bluegreen.builder.revision import Revision
from bluegreen.commands.deploy import prepare, put_live
from bluegreen.errors import ConfigError
from bluegreen.model import Outcome, Release, Result
from bluegreen.plan import Plan, draw
from bluegreen.proof.origin import Birth
from bluegreen.settings import Settings
from bluegreen.settings import container_spec as specs
from bluegreen.site import Host, live_release
from bluegreen.steps import build
from bluegreen.undo import Undo

_SUFFIX_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the command line asks of a release."""

    revision: Revision
    image: str = ""  # skip the build and take this image
    no_cache: bool = False
    dry_run: bool = False
    wait: float = 0.0  # seconds for the site's lock


def release(host: Host, ask: Ask) -> Result:
    attempt = Attempt(host, "release", lambda: live_release(host))
    with attempt:
        tool = None if ask.image else builder.require()
        with host.held("release", ask.wait) as lock:
            attempt.holds(lock)
            _release(host, ask, tool, attempt)
    return attempt.result


def _release(host: Host, ask: Ask, tool: builder.Buildx | None, attempt: Attempt) -> None:
    """Without a tool the image is the one that was given."""
    settings, engine = host.settings, host.engine
    spec = specs.read(
        settings.container, settings.gate, settings.freshness, settings.hosts, host.state.key()
    )
    _require_revision(settings, ask.revision)
    seen = prepare(host, attempt, dry_run=ask.dry_run)
    with attempt.step("plan") as note:
        plan = draw(
            seen,
            kind="release",
            now=datetime.now(UTC),
            suffix=new_suffix(),
            revision=ask.revision.name,
            source=f"take {ask.image}" if ask.image else f"build {settings.build.context}",
            switch_kind=host.edge.switch_kind,
        )
        note.text = told(plan)
    attempt.release = plan.release
    if ask.dry_run:
        attempt.outcome = Outcome.PLANNED
        attempt.detail["plan"] = list(plan.lines())
        return
    attempt.record(
        plan.release, kind="release", origin=plan.origin, spec=spec.record, spec_hash=spec.hash
    )
    with Undo(host.say.note) as undo:
        attempt.debris_of(undo)
        undo.later(
            f"remove the image {plan.release.image}",
            lambda: engine.remove_image(plan.release.image),
            by_hand=f"docker rmi {plan.release.image}",
        )
        began = time.time()
        with attempt.step("build") as note:
            new, built = _image(host, ask, tool, plan.release)
            attempt.release = new
            host.ledger.built(new)
            note.text = f"{new.image} by {built.builder}"
            note.detail = {"builder": built.builder, "image_id": new.image_id}
        for warning in built.warnings:
            attempt.warn(warning)
        given = engine.image(new.image) if ask.image else None
        birth = Birth(
            build=settings.build,
            revision=ask.revision,
            started=began,
            cached=built.cached,
            given=ask.image,
            given_created=given.created if given else "",
        )
        put_live(host, attempt, undo, plan, new, spec, birth)


def _image(
    host: Host, ask: Ask, tool: builder.Buildx | None, release: Release
) -> tuple[Release, builder.Built]:
    settings = host.settings.build
    if tool is None:
        return build.take_prebuilt(host.engine, release, ask.image, host.say, pull=settings.pull)
    return build.build(
        tool, host.engine, release, settings, ask.revision, host.say, no_cache=ask.no_cache
    )


def _require_revision(settings: Settings, revision: Revision) -> None:
    if settings.freshness.build_id and revision.name in ("", "none"):
        raise ConfigError(
            f"freshness.build_id = {settings.freshness.build_id!r} is compared with the revision,"
            f" and {settings.build.context} has none: it is no git checkout with a commit",
            hint="bluegreen release --revision REV",
        )


def told(plan: Plan) -> str:
    """The plan in a few words."""
    if plan.replaces is None:
        return f"{plan.release.id} ({plan.release.slot}), the first release"
    return (
        f"{plan.release.id} ({plan.release.slot})"
        f" replaces {plan.replaces.id} ({plan.replaces.slot or 'unknown'})"
    )


def new_suffix() -> str:
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(4))
