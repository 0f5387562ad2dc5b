"""The engine's contract for containers, on a real engine."""

from __future__ import annotations

import io
import secrets
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import docker
import pytest

from bluegreen.engine import DockerEngine, connect
from bluegreen.errors import EngineError
from bluegreen.model import ContainerFacts, ContainerPlan, HealthcheckPlan
from kit.site import images

FOREVER = ("sleep", "3600")


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture
def plan(engine: DockerEngine) -> Iterator[ContainerPlan]:
    """A container that sleeps; whatever carries its label is removed."""
    unique = f"bg-test-{secrets.token_hex(4)}"
    yield ContainerPlan(
        name=unique,
        image=images.busybox(),
        network="bridge",
        labels={"test.bluegreen.run": unique},
        command=FOREVER,
        stop_grace=1,
    )
    for facts in engine.containers({"test.bluegreen.run": unique}):
        engine.remove(facts.id)


def running(engine: DockerEngine, plan: ContainerPlan) -> ContainerFacts:
    engine.start(engine.create(plan))
    return seen(engine, plan.name)


def seen(engine: DockerEngine, name: str) -> ContainerFacts:
    facts = engine.inspect(name)
    assert facts is not None
    return facts


def until(
    engine: DockerEngine, name: str, true: Callable[[ContainerFacts], bool]
) -> ContainerFacts:
    deadline = time.monotonic() + 20
    while not true(facts := seen(engine, name)):
        assert time.monotonic() < deadline, facts
        time.sleep(0.02)
    return facts


def test_the_engine_tells_what_a_release_needs_to_know(engine: DockerEngine) -> None:
    facts = engine.facts()

    assert facts.id
    assert facts.local
    assert facts.endpoint == "unix:///var/run/docker.sock"
    assert facts.cli_environment["DOCKER_HOST"] == facts.endpoint
    assert tuple(map(int, facts.api.split("."))) >= (1, 41)


def test_create_makes_it_and_starts_nothing(engine: DockerEngine, plan: ContainerPlan) -> None:
    identity = engine.create(plan)

    facts = seen(engine, plan.name)
    assert (facts.id, facts.status, facts.running) == (identity, "created", False)
    assert (facts.started_at, facts.pid, facts.restart_policy) == ("", 0, "no")
    assert facts.labels.items() >= plan.labels.items()
    assert facts.image == plan.image
    image = engine.image(plan.image)
    assert image is not None
    assert facts.image_id == image.id


def test_start_stop_and_remove_can_be_said_twice(engine: DockerEngine, plan: ContainerPlan) -> None:
    engine.create(plan)
    engine.start(plan.name)
    engine.start(plan.name)
    facts = seen(engine, plan.name)
    assert facts.running
    assert facts.pid > 0
    assert facts.networks["bridge"]

    engine.stop(plan.name, 5)
    engine.stop(plan.name, 5)
    assert seen(engine, plan.name).status == "exited"

    engine.remove(plan.name)
    engine.remove(plan.name)
    engine.stop(plan.name, 5)
    assert engine.inspect(plan.name) is None


def test_the_process_hears_the_stop_signal(engine: DockerEngine, plan: ContainerPlan) -> None:
    running(engine, plan)

    engine.stop(plan.name, 10)

    assert seen(engine, plan.name).exit_code == 143


def test_a_process_that_will_not_hear_is_killed_after_its_grace(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    deaf = ("sh", "-c", "trap '' TERM; echo deaf; while true; do sleep 0.1; done")
    running(engine, replace(plan, command=deaf))
    until(engine, plan.name, lambda _: bool(engine.logs(plan.name, 1)))

    engine.stop(plan.name, 0.3)

    assert seen(engine, plan.name).exit_code == 137


def test_a_name_that_is_taken_is_told_with_its_holder(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    holder = running(engine, plan)

    with pytest.raises(EngineError, match=f"{plan.name} is taken by the container") as raised:
        engine.create(plan)

    assert raised.value.status == 409
    assert holder.id[:12] in raised.value.message
    assert seen(engine, plan.name).running, "the holder was touched"


def test_an_image_that_the_engine_lacks_is_an_error_and_never_pulled(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    with pytest.raises(EngineError, match="No such image") as raised:
        engine.create(replace(plan, image="bluegreen-test/lacking:1"))

    assert raised.value.status == 404
    assert engine.inspect(plan.name) is None


def test_further_networks_are_joined_before_the_start(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    first, second = f"{plan.name}-a", f"{plan.name}-b"
    try:
        for network in (first, second):
            engine.ensure_network(network, {})

        engine.create(replace(plan, network=first, networks=(second,)))

        assert set(seen(engine, plan.name).networks) == {first, second}
    finally:
        engine.remove(plan.name)
        for network in (first, second):
            engine.remove_network(network)


@pytest.mark.parametrize(
    "networks",
    [{"network": "bg-test-gone"}, {"networks": ("bg-test-gone",)}],
    ids=["its own", "a further one"],
)
def test_a_missing_network_is_told_before_anything_is_made(
    engine: DockerEngine, plan: ContainerPlan, networks: dict[str, object]
) -> None:
    """The engine itself would create it, join nothing, and fail at the start."""
    with pytest.raises(EngineError, match="-gone is missing") as raised:
        engine.create(replace(plan, **networks))  # type: ignore[arg-type]

    assert raised.value.status == 404
    assert engine.inspect(plan.name) is None


def test_an_interrupt_in_mid_create_leaves_no_container(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    """The first network that it joins raises, as Ctrl-C would."""

    class Interrupting(tuple[str, ...]):
        def __iter__(self) -> Iterator[str]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.create(replace(plan, networks=Interrupting(("x",))))

    assert engine.inspect(plan.name) is None


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ({"user": "stranger"}, "unable to find user stranger"),
        ({"command": ("/no/such/program",)}, "no such file or directory"),
    ],
    ids=["unknown user", "unknown command"],
)
def test_what_cannot_be_started_says_why(
    engine: DockerEngine, plan: ContainerPlan, trouble: dict[str, object], said: str
) -> None:
    engine.create(replace(plan, init=False, **trouble))  # type: ignore[arg-type]

    with pytest.raises(EngineError, match=said) as raised:
        engine.start(plan.name)

    assert raised.value.hint


def test_the_spec_reaches_the_process(engine: DockerEngine, plan: ContainerPlan) -> None:
    """Environment, user, working folder, read-only root, tmpfs, limits, init."""
    script = (
        'echo "$GREETING|$(id -u)|$PWD"; touch /x 2>/dev/null || echo readonly;'
        " touch /tmp/x && echo tmpfs; ulimit -n; cat /proc/1/comm"
    )
    running(
        engine,
        replace(
            plan,
            command=("sh", "-c", script),
            env={"GREETING": "hello"},
            user="1234",
            working_dir="/etc",
            read_only=True,
            tmpfs=("/tmp:size=1m,mode=1777",),
            ulimits={"nofile": "99:99"},
            cap_drop=("ALL",),
            security_opt=("no-new-privileges:true",),
            memory=64 << 20,
            cpus=0.5,
            pids=50,
        ),
    )
    until(engine, plan.name, lambda facts: facts.status == "exited")

    lines = [line.partition(" ")[2] for line in engine.logs(plan.name, 10)]
    assert lines == ["hello|1234|/etc", "readonly", "tmpfs", "99", "docker-init"]


def test_logs_come_with_their_times_and_only_the_last(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    running(engine, replace(plan, command=("sh", "-c", "seq 1 9; echo bad >&2; exit 3")))
    facts = until(engine, plan.name, lambda facts: facts.status == "exited")

    assert facts.exit_code == 3
    assert len(engine.logs(plan.name, 100)) == 10
    assert len(engine.logs(plan.name, 2)) == 2
    assert all(line.startswith("20") and "Z " in line for line in engine.logs(plan.name, 9))
    assert engine.logs(plan.name, 0) == ()
    assert engine.logs(f"{plan.name}-gone", 9) == ()


def test_a_kill_for_want_of_memory_is_seen(engine: DockerEngine, plan: ContainerPlan) -> None:
    """A process that dies in its first milliseconds is only seen as exit code 137: the
    engine then misses the kernel's word."""
    greedy = ("sh", "-c", "sleep 0.5; tail /dev/zero")
    running(engine, replace(plan, command=greedy, memory=16 << 20))

    facts = until(engine, plan.name, lambda facts: facts.status == "exited")

    assert facts.oom_killed
    assert facts.exit_code == 137


@pytest.mark.parametrize(("test", "health"), [("true", "healthy"), ("false", "unhealthy")])
def test_the_word_of_a_health_check_is_heard(
    engine: DockerEngine, plan: ContainerPlan, test: str, health: str
) -> None:
    check = HealthcheckPlan(test=("CMD-SHELL", f"echo asked; {test}"), interval=0.1, retries=1)
    assert running(engine, replace(plan, healthcheck=check)).health in {"starting", health}

    facts = until(engine, plan.name, lambda facts: facts.health == health)

    assert facts.health_log[-1].endswith(": asked")


def test_without_a_check_there_is_no_health(engine: DockerEngine, plan: ContainerPlan) -> None:
    assert running(engine, plan).health == ""


def test_the_restart_policy_of_a_running_container_changes(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    running(engine, plan)

    for policy in ("unless-stopped", "on-failure:3", "no"):
        engine.set_restart(plan.name, policy)
        assert seen(engine, plan.name).restart_policy == policy


def test_restarts_are_counted(engine: DockerEngine, plan: ContainerPlan) -> None:
    crashing = replace(plan, command=("sh", "-c", "exit 7"), restart="on-failure:2")
    running(engine, crashing)

    facts = until(engine, plan.name, lambda facts: facts.status == "exited")

    assert (facts.restart_count, facts.exit_code) == (2, 7)


def test_acts_on_what_is_absent_say_so_with_404(engine: DockerEngine, plan: ContainerPlan) -> None:
    for act in (
        lambda: engine.start(plan.name),
        lambda: engine.set_restart(plan.name, "no"),
        lambda: engine.archive(plan.name, "/"),
    ):
        with pytest.raises(EngineError, match="there is no such container") as raised:
            act()
        assert raised.value.status == 404


def test_files_are_read_from_a_container_that_never_ran(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    identity = engine.create(plan)

    content = b"".join(engine.archive(identity, "/etc"))

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        passwd = tar.extractfile("etc/passwd")
        assert passwd is not None
        assert b"root" in passwd.read()


def test_a_link_to_a_folder_is_followed(engine: DockerEngine, plan: ContainerPlan) -> None:
    """The engine packs a link as a link: a web root that is one would seem empty."""
    tag = f"bluegreen-test/link:{plan.name}"
    engine.import_image([tar_of(folder="dist", link="www")], tag, ())
    try:
        engine.create(replace(plan, image=tag))

        content = b"".join(engine.archive(plan.name, "/www"))

        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            assert [entry.name for entry in tar if entry.isdir()] == ["dist"]
    finally:
        engine.remove(plan.name)
        engine.remove_image(tag)


def test_a_path_that_is_not_there_is_404(engine: DockerEngine, plan: ContainerPlan) -> None:
    identity = engine.create(plan)

    with pytest.raises(EngineError, match=f"read /no/such from {plan.name}") as raised:
        engine.archive(identity, "/no/such")

    assert raised.value.status == 404


def test_containers_are_found_by_all_their_labels(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    """Running and stopped; an empty value matches any."""
    labels = dict(plan.labels)
    engine.create(replace(plan, labels=labels | {"test.slot": "blue"}))
    running(engine, replace(plan, name=f"{plan.name}-b", labels=labels | {"test.slot": "green"}))

    def names(**more: str) -> set[str]:
        wanted = labels | {f"test.{name}": value for name, value in more.items()}
        return {facts.name for facts in engine.containers(wanted)}

    assert names() == names(slot="") == {plan.name, f"{plan.name}-b"}
    assert names(slot="green") == {f"{plan.name}-b"}
    assert names(slot="red") == set()


def test_a_container_is_found_by_its_whole_name_or_id_only(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    identity = engine.create(plan)

    assert seen(engine, identity).name == plan.name
    assert engine.inspect(identity[:12]) is None
    assert engine.inspect(plan.name[:-1]) is None
    engine.remove(identity[:12])
    assert engine.inspect(plan.name) is not None


def test_many_may_remove_the_same_container_at_once(
    engine: DockerEngine, plan: ContainerPlan
) -> None:
    """The engine tells all but one "removal is already in progress"."""
    running(engine, plan)
    failures: list[BaseException] = []

    def remove() -> None:
        try:
            engine.remove(plan.name)
            assert engine.inspect(plan.name) is None
        except BaseException as error:  # noqa: BLE001 - told to the test below
            failures.append(error)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_anonymous_volumes_go_with_their_container(
    engine: DockerEngine, plan: ContainerPlan, client: docker.DockerClient
) -> None:
    tag = f"bluegreen-test/volume:{plan.name}"
    engine.import_image([tar_of(folder="data", link="www")], tag, ("VOLUME /data",))
    try:
        identity = engine.create(replace(plan, image=tag))
        mounts = client.api.inspect_container(identity)["Mounts"]
        assert len(mounts) == 1

        engine.remove(identity)

        assert mounts[0]["Name"] not in {volume.name for volume in client.volumes.list()}
    finally:
        engine.remove(plan.name)
        engine.remove_image(tag)


def tar_of(*, folder: str, link: str) -> bytes:
    """A folder and a link to it."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        entry = tarfile.TarInfo(folder)
        entry.type = tarfile.DIRTYPE
        tar.addfile(entry)
        entry = tarfile.TarInfo(link)
        entry.type, entry.linkname = tarfile.SYMTYPE, f"/{folder}"
        tar.addfile(entry)
    return content.getvalue()
