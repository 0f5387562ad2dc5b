"""Containers: the part of the engine's adapter that boots and retires."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bluegreen.engine.answers import container_facts
from bluegreen.engine.archive import opened
from bluegreen.engine.create_body import render, restart_policy
from bluegreen.engine.networks import Networks
from bluegreen.engine.translate import translated
from bluegreen.errors import EngineError, EngineUnreachable
from bluegreen.model import ContainerFacts, ContainerPlan

_GONE_WITHIN = 30.0  # seconds for the engine to finish a removal that it has begun
_UNREADABLE_LOG = ("does not support reading", "no such file or directory")


class Containers(Networks):
    """`which` is always a whole name or a whole id.

    The engine takes the beginning of an id for it too, so that a container named "cafe"
    that is gone would become whichever container has an id that begins so.
    """

    def create(self, plan: ContainerPlan) -> str:
        for network in filter(None, (plan.network, *plan.networks)):
            self._check_network(plan.name, network)
        identity = self._create(plan)
        try:
            for network in plan.networks:
                self._join(identity, plan.name, network)
        except BaseException:
            self.remove(identity)
            raise
        return identity

    def start(self, which: str) -> None:
        before = self._existing(which, "start")
        try:
            self.write(f"start {before.name}", lambda: self.api.start(before.id))
        except EngineUnreachable:
            # It may still be at it: a start on a busy disk can outlast our patience.
            if not self.wait_for(lambda: self._started_since(before), self.timeout):
                raise

    def inspect(self, which: str) -> ContainerFacts | None:
        answer = self.find(f"inspect {which}", lambda: self.api.inspect_container(which))
        if answer is None:
            return None
        facts = container_facts(answer)
        return facts if which in (facts.id, facts.name) else None

    def set_restart(self, which: str, policy: str) -> None:
        found = self._existing(which, "change the restart policy of")
        body = restart_policy(policy)
        try:
            self.write(
                f"set the restart policy of {found.name} to {policy}",
                lambda: self.api.update_container(found.id, restart_policy=body),
            )
        except EngineUnreachable:
            now = self.inspect(found.id)
            if now is None or now.restart_policy != policy:
                raise

    def stop(self, which: str, grace: float) -> None:
        found = self.inspect(which)
        if found is None:
            return
        seconds = math.ceil(grace)
        try:
            # Without an explicit time the client gives up before the container's own grace ends.
            self.once(f"stop {found.name}", lambda: self.api.stop(found.id, timeout=seconds))
        except EngineUnreachable:
            now = self.inspect(found.id)
            if now is not None and now.running:
                raise
        except EngineError as error:
            if error.status != 404:
                raise

    def remove(self, which: str) -> None:
        found = self.inspect(which)
        if found is None:
            return
        try:
            self.write(
                f"remove {found.name}",
                lambda: self.api.remove_container(found.id, v=True, force=True),
            )
            return
        except EngineUnreachable:
            now = self.inspect(found.id)
            if now is not None and now.status != "removing":
                raise
        except EngineError as error:
            under_way = error.status == 409 and "already in progress" in error.message
            if error.status != 404 and not under_way:
                raise
        if not self.wait_for(lambda: self.inspect(found.id) is None, _GONE_WITHIN):
            raise EngineError(
                f"the engine is not done removing {found.name} after {_GONE_WITHIN:.0f} s",
                hint=f"docker rm --force {found.name}",
            )

    def logs(self, which: str, tail: int) -> tuple[str, ...]:
        found = self.inspect(which)
        if found is None or tail <= 0:
            return ()
        try:
            raw: bytes = self.read(
                f"read the log of {found.name}",
                lambda: self.api.logs(found.id, timestamps=True, tail=tail),
            )
        except EngineError as error:
            if error.status in {404, 409, 501}:
                return ()
            if any(reason in error.message for reason in _UNREADABLE_LOG):
                return ()
            raise
        lines = raw.decode("utf-8", "replace").split("\n")
        return tuple(line.rstrip("\r") for line in lines if line)[-tail:]

    def archive(self, which: str, path: str) -> Iterator[bytes]:
        found = self._existing(which, f"read {path} from")
        act = f"read {path} from {found.name}"
        response = self.read(act, lambda: opened(self.api, found.id, path, self.timeout))
        return self._chunks(act, response)

    def containers(self, labels: Mapping[str, str]) -> tuple[ContainerFacts, ...]:
        wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
        listed = self.read(
            "list containers", lambda: self.api.containers(all=True, filters={"label": wanted})
        )
        # What goes away between the list and the look is no longer there: that is no error.
        seen = (self.inspect(entry["Id"]) for entry in listed)
        return tuple(facts for facts in seen if facts is not None)

    def _create(self, plan: ContainerPlan) -> str:
        body = render(plan, self.api.api_version)
        try:
            answer = self.write(
                f"create {plan.name}",
                lambda: self.api.create_container_from_config(body, plan.name),
            )
        except EngineUnreachable:
            return self._created_after_all(plan)
        except EngineError as error:
            if error.status == 409:
                raise self._name_taken(plan.name) from None
            raise
        for warning in answer.get("Warnings") or ():
            self.warn(f"the engine says of {plan.name}: {warning}")
        return str(answer["Id"])

    def _created_after_all(self, plan: ContainerPlan) -> str:
        """The answer was lost. What has our name, our labels of birth and never ran is ours."""
        found = self.inspect(plan.name)
        ours = found is not None and plan.labels.items() <= found.labels.items()
        if found is None or not plan.labels or not ours or found.status != "created":
            raise EngineUnreachable(
                f"the engine gave no answer when asked to create {plan.name},"
                " and no such new container is there now",
                hint="run the same command again",
            )
        return found.id

    def _check_network(self, name: str, network: str) -> None:
        """The engine makes the container anyway, and fails only when it is started."""
        if not self.network_exists(network):
            raise EngineError(
                f"the engine could not create {name}: the network {network} is missing",
                hint=f"docker network create {network}",
                status=404,
            )

    def _join(self, identity: str, name: str, network: str) -> None:
        try:
            self.write(
                f"join {name} to the network {network}",
                lambda: self.api.connect_container_to_network(identity, network),
            )
        except EngineUnreachable:
            now = self.inspect(identity)
            if now is None or network not in now.networks:
                raise

    def _name_taken(self, name: str) -> EngineError:
        holder = self.inspect(name)
        by = "another container"
        if holder is not None:
            by = f"the container {holder.id[:12]} ({holder.image}, {holder.status})"
        return EngineError(
            f"the container name {name} is taken by {by}",
            hint=f"see docker inspect {name}; if nobody needs it: docker rm {name}",
            status=409,
        )

    def _started_since(self, before: ContainerFacts) -> bool:
        now = self.inspect(before.id)
        return now is not None and now.started_at != before.started_at

    def _existing(self, which: str, verb: str) -> ContainerFacts:
        found = self.inspect(which)
        if found is None:
            raise EngineError(
                f"the engine could not {verb} {which}: there is no such container",
                hint="docker ps --all",
                status=404,
            )
        return found

    def _chunks(self, act: str, response: Any) -> Iterator[bytes]:
        close: Callable[[], None] = response.close
        try:
            with translated(act, self.endpoint.url):
                yield from response.iter_content(chunk_size=1 << 20)
        finally:
            close()
