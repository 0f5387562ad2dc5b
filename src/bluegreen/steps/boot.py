"""Create the candidate beside live and start it, under its own name only."""

from __future__ import annotations

from collections.abc import Mapping

from bluegreen.errors import EngineError, EngineUnreachable, Rejected
from bluegreen.model import (
    CONTAINER_LABEL,
    EDGE_LABEL,
    IMAGE_ID_LABEL,
    RELEASE_LABEL,
    SITE_LABEL,
    SLOT_LABEL,
    SPEC_HASH_LABEL,
    ContainerPlan,
    HealthcheckPlan,
    MountPlan,
    Release,
)
from bluegreen.ports import Engine
from bluegreen.settings.container_spec import Spec

#: How often the engine runs a check while the container starts, where it knows
#: StartInterval (API 1.44): the first result then comes after half a second, not after 30.
_START_INTERVAL = 0.5


def labels_of(release: Release, spec: Spec, edge_name: str) -> dict[str, str]:
    """Facts of birth: they never change while the container lives."""
    return {
        CONTAINER_LABEL: "1",
        EDGE_LABEL: edge_name,
        SITE_LABEL: release.site,
        RELEASE_LABEL: release.id,
        SLOT_LABEL: release.slot,
        IMAGE_ID_LABEL: release.image_id,
        SPEC_HASH_LABEL: spec.hash,
    }


def boot(
    engine: Engine, release: Release, spec: Spec, network: str, labels: Mapping[str, str]
) -> str:
    """The started candidate's id. Raises Rejected where the image cannot be run as asked.

    Its restart policy is `no` until it has passed: a crash then shows as what it is.
    """
    image = engine.image(release.image)
    plan = plan_container(
        release, spec, network, labels, image is not None and image.has_healthcheck
    )
    try:
        container = engine.create(plan)
        facts = engine.inspect(container)
        if facts is None or facts.image_id != release.image_id:
            came = facts.image_id if facts else "nothing"
            raise Rejected(
                f"the engine made the container from {came}, not from the built"
                f" {release.image_id}: something moved the tag {release.image}",
                hint="run the same command again",
            )
        engine.start(container)
    except EngineUnreachable:
        raise
    except EngineError as error:
        if error.status == EngineError.FULL:
            raise  # no fault of the candidate's
        raise Rejected(
            f"the candidate cannot be started: {error.message}",
            hint=error.hint or "correct [container] in bluegreen.toml, or the image",
        ) from error
    return container


def plan_container(
    release: Release, spec: Spec, network: str, labels: Mapping[str, str], image_has_check: bool
) -> ContainerPlan:
    """The whole `[container]` spec as one create call."""
    asked = spec.container
    secrets = tuple(
        MountPlan(
            type="bind", source=str(secret.src), target=f"/run/secrets/{secret.id}", read_only=True
        )
        for secret in asked.secrets
    )
    return ContainerPlan(
        name=release.container,
        image=release.image,
        network=network,
        networks=tuple(asked.networks),
        labels={**asked.labels, **labels},
        env=spec.env,
        command=tuple(asked.command),
        entrypoint=tuple(asked.entrypoint),
        working_dir=asked.working_dir,
        user=asked.user,
        stop_signal=asked.stop_signal,
        stop_grace=asked.stop_grace,
        healthcheck=_healthcheck(spec, image_has_check),
        mounts=(*asked.mounts, *secrets),
        tmpfs=tuple(asked.tmpfs),
        memory=asked.memory,
        cpus=asked.cpus,
        pids=asked.pids,
        ulimits=asked.ulimits,
        cap_add=tuple(asked.cap_add),
        cap_drop=tuple(asked.cap_drop),
        security_opt=tuple(asked.security_opt),
        extra_hosts=asked.extra_hosts,
        read_only=asked.read_only,
        init=asked.init,
        restart="no",
        log_max_size=asked.log_max_size,
        log_max_files=asked.log_max_files,
    )


def _healthcheck(spec: Spec, image_has_check: bool) -> HealthcheckPlan | None:
    asked = spec.container.healthcheck
    if not asked.test and not image_has_check:
        return None
    return HealthcheckPlan(
        test=tuple(asked.test),
        interval=asked.interval,
        timeout=asked.timeout,
        retries=asked.retries,
        start_period=asked.start_period,
        start_interval=asked.start_interval or _START_INTERVAL,
    )
