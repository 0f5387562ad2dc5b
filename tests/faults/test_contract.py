"""What a release relies on of an engine: of the fake as of the real one."""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bluegreen.engine import connect
from bluegreen.errors import EngineError
from bluegreen.model import ContainerPlan
from bluegreen.ports import Engine
from kit.fakes.adapters import FakeEngine, site_files
from kit.site import images


@dataclass
class Bench:
    """An engine, one image whose containers run until they are stopped, and a way to clean up."""

    engine: Engine
    image: str  # a reference
    network: str
    run: str = field(default_factory=lambda: f"contract-{secrets.token_hex(4)}")

    def plan(self, name: str = "", **asked: Any) -> ContainerPlan:
        asked = {
            "image": self.image,
            "network": self.network,
            "labels": {"contract": self.run},
            **asked,
        }
        return ContainerPlan(name=f"{self.run}-{name}", command=("sleep", "600"), **asked)

    def ref(self, tag: str) -> str:
        return f"bluegreen/{self.run}:{tag}"

    def clean(self) -> None:
        for container in self.engine.containers({"contract": self.run}):
            self.engine.remove(container.id)
        for image in self.engine.images(f"bluegreen/{self.run}"):
            for tag in image.tags:
                if tag.startswith(f"bluegreen/{self.run}:"):
                    self.engine.remove_image(tag)


@pytest.fixture(params=["fake", "real"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        fake = FakeEngine()
        fake.add_image("base", site_files("v1"))
        fake.ensure_network("contract", {})
        yield Bench(fake, "base", "contract")
        return
    request.getfixturevalue("client")
    engine = connect()
    bench = Bench(engine, images.busybox(), "bridge")
    try:
        yield bench
    finally:
        bench.clean()
        engine.close()


def test_a_container_is_created_then_runs_then_stops_then_is_gone(bench: Bench) -> None:
    engine, plan = bench.engine, bench.plan("a", stop_grace=1.0)
    identity = engine.create(plan)
    created = engine.inspect(identity)
    assert created is not None
    assert (created.name, created.status, created.running) == (plan.name, "created", False)
    assert created.started_at == ""
    assert created.restart_policy == "no"
    assert created.labels["contract"] == bench.run
    image = engine.image(bench.image)
    assert image is not None and created.image_id == image.id
    engine.start(plan.name)
    running = engine.inspect(plan.name)
    assert running is not None and running.running and running.id == identity
    assert running.started_at
    engine.start(identity)  # what runs already is success
    engine.stop(identity, 0.0)
    stopped = engine.inspect(identity)
    assert stopped is not None and not stopped.running and stopped.status == "exited"
    engine.stop(identity, 0.0)
    engine.remove(identity)
    assert engine.inspect(identity) is None
    assert engine.inspect(plan.name) is None


def test_what_is_absent_is_success_to_stop_and_remove_and_an_error_to_start(bench: Bench) -> None:
    name = f"{bench.run}-nobody"
    bench.engine.stop(name, 1.0)
    bench.engine.remove(name)
    assert bench.engine.logs(name, 5) == ()
    for act in (bench.engine.start, lambda which: bench.engine.set_restart(which, "no")):
        with pytest.raises(EngineError) as caught:
            act(name)
        assert caught.value.status == 404


def test_a_name_that_is_taken_is_a_conflict_and_leaves_its_holder(bench: Bench) -> None:
    first = bench.engine.create(bench.plan("a"))
    with pytest.raises(EngineError) as caught:
        bench.engine.create(bench.plan("a"))
    assert caught.value.status == 409
    assert [one.id for one in bench.engine.containers({"contract": bench.run})] == [first]


@pytest.mark.parametrize("missing", [{"image": "bluegreen-test/none:x"}, {"network": "none-such"}])
def test_what_cannot_be_created_leaves_nothing(bench: Bench, missing: dict[str, str]) -> None:
    with pytest.raises(EngineError) as caught:
        bench.engine.create(bench.plan("a", **missing))
    assert caught.value.status == 404
    assert bench.engine.containers({"contract": bench.run}) == ()


def test_a_restart_policy_is_changed_in_place(bench: Bench) -> None:
    identity = bench.engine.create(bench.plan("a"))
    for policy in ("unless-stopped", "no"):
        bench.engine.set_restart(identity, policy)
        facts = bench.engine.inspect(identity)
        assert facts is not None and facts.restart_policy == policy


def test_containers_are_found_by_all_of_their_labels(bench: Bench) -> None:
    one = bench.engine.create(bench.plan("a", labels={"contract": bench.run, "kind": "x"}))
    bench.engine.create(bench.plan("b"))
    found = bench.engine.containers({"contract": bench.run, "kind": ""})
    assert [container.id for container in found] == [one]
    assert bench.engine.containers({"contract": bench.run, "kind": "y"}) == ()


def test_removing_a_running_container_needs_no_stop(bench: Bench) -> None:
    identity = bench.engine.create(bench.plan("a"))
    bench.engine.start(identity)
    bench.engine.remove(identity)
    assert bench.engine.inspect(identity) is None


def test_a_tag_comes_moves_and_goes_and_its_image_stays_with_another(bench: Bench) -> None:
    engine, ref = bench.engine, bench.ref("one")
    base = engine.image(bench.image)
    assert base is not None
    engine.tag(base.id, ref)
    engine.tag(base.id, ref)  # idempotent
    found = engine.image(ref)
    assert found is not None and found.id == base.id and ref in found.tags
    assert [image.id for image in engine.images(f"bluegreen/{bench.run}")] == [base.id]
    engine.remove_image(ref)
    engine.remove_image(ref)  # absent is success
    assert engine.image(ref) is None
    assert engine.image(bench.image) is not None
    assert engine.images(f"bluegreen/{bench.run}") == ()


def test_the_last_tag_of_an_image_in_use_does_not_go(bench: Bench) -> None:
    engine, ref = bench.engine, bench.ref("own")
    own = engine.import_image([_tar()], ref, ('CMD ["true"]',))
    identity = engine.create(bench.plan("a", image=ref))
    assert own in engine.images_in_use()
    with pytest.raises(EngineError) as caught:
        engine.remove_image(ref)
    assert caught.value.status == 409
    engine.tag(own, bench.ref("second"))
    engine.remove_image(ref)  # a second name of it may
    assert engine.image(bench.ref("second")) is not None
    engine.remove(identity)
    engine.remove_image(bench.ref("second"))
    assert engine.image(own) is None
    assert own not in engine.images_in_use()


def test_a_path_that_is_not_there_is_a_404(bench: Bench) -> None:
    identity = bench.engine.create(bench.plan("a"))
    with pytest.raises(EngineError) as caught:
        list(bench.engine.archive(identity, "/no/such/folder"))
    assert caught.value.status == 404


def test_a_network_is_made_once_and_absent_is_success(bench: Bench) -> None:
    engine, name = bench.engine, f"{bench.run}-net"
    try:
        assert engine.ensure_network(name, {"contract": bench.run}) is True
        assert engine.ensure_network(name, {"contract": bench.run}) is False
        assert engine.network_exists(name)
        assert engine.network_labels(name) == {"contract": bench.run}
    finally:
        engine.remove_network(name)
        engine.remove_network(name)
    assert not engine.network_exists(name)
    assert engine.network_labels(name) is None


def _tar() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo("srv/www/index.html")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"ok"))
    return content.getvalue()
