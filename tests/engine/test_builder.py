"""The builder on a real engine: what it builds, how it fails, and what it never tells."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import docker
import pytest

from bluegreen import builder
from bluegreen.builder import BuildRequest, Built, oci_labels
from bluegreen.engine import DockerEngine, connect
from bluegreen.errors import BuildFailed
from bluegreen.settings.values import BuildSecret
from kit.site import images
from kit.site.host import Host


@dataclass
class Heard:
    """`Say` that keeps what it hears; `on_line` may act in mid-build."""

    lines: list[str] = field(default_factory=list)
    on_line: Any = None

    def line(self, text: str) -> None:
        self.lines.append(text)
        if self.on_line is not None:
            self.on_line(text)

    def step(self, name: str) -> None:
        raise AssertionError(f"a builder begins no step: {name}")

    def done(self, name: str, status: str, seconds: float, text: str) -> None:
        raise AssertionError(f"a builder ends no step: {name} {status} {seconds} {text}")

    note = warn = line


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    engine = connect()
    yield engine
    engine.close()


@pytest.fixture
def request_(engine: DockerEngine, tmp_path: Path) -> Iterator[BuildRequest]:
    """A request for the Dockerfile that `write` wrote; its image is removed."""
    tag = f"bluegreen-test/{secrets.token_hex(4)}:1"
    yield BuildRequest(context=tmp_path, tag=tag, timeout=120)
    engine.remove_image(tag)


def write(request: BuildRequest, *lines: str) -> None:
    text = "\n".join((f"FROM {images.busybox()}", *lines, ""))
    (request.context / "Dockerfile").write_text(text)


def build(engine: DockerEngine, request: BuildRequest, say: Heard) -> Built:
    return builder.build(builder.require(), engine, request, say)


def unique_sleep() -> str:
    """Seconds that no other process of this host sleeps."""
    return f"6{secrets.randbelow(10**8):08d}"


def commands_with(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in command:
            found.append(command)
    return found


def gone(text: str) -> bool:
    deadline = time.monotonic() + 20
    while commands_with(text):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


# --- what is built ---------------------------------------------------------------------


def test_an_image_is_built_with_its_arguments_labels_and_target(
    engine: DockerEngine, request_: BuildRequest, client: docker.DockerClient
) -> None:
    (request_.context / "page.html").write_text("hello")
    dockerfile = (
        f"FROM {images.busybox()} AS site\n"
        "ARG WHO=nobody\n"
        "COPY page.html /srv/www/\n"
        'RUN echo "made for $WHO" > /srv/www/who\n'
        "FROM scratch\n"
        "COPY page.html /\n"
    )
    (request_.context / "Dockerfile").write_text(dockerfile)
    labels = oci_labels(revision="abc", created="", source="", title="web", site="web")
    say = Heard()

    built = build(engine, replace(request_, target="site", args={"WHO": "me"}, labels=labels), say)

    image = engine.image(request_.tag)
    assert image is not None
    assert image.id == built.image_id
    assert image.labels.items() >= labels.items()
    assert built.builder.startswith("buildx ")
    assert say.lines[0] == f"builder: {built.builder}"
    out = client.containers.run(request_.tag, ["cat", "/srv/www/who"], remove=True)
    assert out == b"made for me\n"


def test_unchanged_content_has_the_same_id(engine: DockerEngine, request_: BuildRequest) -> None:
    write(request_, "RUN echo same > /same")

    first = build(engine, request_, Heard())
    second = build(engine, request_, Heard())

    assert first.image_id == second.image_id


def test_dockerignore_keeps_files_out(
    engine: DockerEngine, request_: BuildRequest, client: docker.DockerClient
) -> None:
    for name in ("in.txt", "out.log"):
        (request_.context / name).write_text(name)
    (request_.context / ".dockerignore").write_text("*.log\n")
    write(request_, "COPY . /srv/www/")

    build(engine, request_, Heard())

    listed = client.containers.run(request_.tag, ["ls", "/srv/www"], remove=True).split()
    assert b"in.txt" in listed
    assert b"out.log" not in listed


def test_a_dockerfile_may_lie_outside_its_context(
    engine: DockerEngine, request_: BuildRequest, tmp_path: Path
) -> None:
    write(request_, "COPY page.html /srv/www/")
    context = tmp_path / "site"
    context.mkdir()
    (context / "page.html").write_text("hello")
    dockerfile = tmp_path / "Dockerfile"

    asked = replace(request_, context=context, dockerfile=str(dockerfile))

    assert build(engine, asked, Heard()).image_id


# --- how it fails ----------------------------------------------------------------------


def test_a_failing_step_is_named_and_its_last_lines_are_kept(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    write(request_, "RUN seq 1 50; echo the-reason; exit 3")

    with pytest.raises(BuildFailed, match="RUN seq 1 50; echo the-reason; exit 3") as raised:
        build(engine, replace(request_, no_cache=True), Heard())

    log = raised.value.evidence["log"]
    assert len(log) <= 20
    assert any("the-reason" in line for line in log)
    assert "3" in raised.value.message
    assert engine.image(request_.tag) is None


def test_a_mistake_in_the_dockerfile_is_told_with_its_line(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    write(request_, "RUN true", "FOO bar")

    with pytest.raises(BuildFailed, match=r"(?i)line 3: unknown instruction: FOO"):
        build(engine, request_, Heard())


def test_a_base_image_that_cannot_be_had_fails_the_build(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    (request_.context / "Dockerfile").write_text("FROM 127.0.0.1:9/no/such:1\n")

    with pytest.raises(BuildFailed, match=r"127\.0\.0\.1:9"):
        build(engine, request_, Heard())


def test_what_is_missing_is_named_before_anything_runs(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    say = Heard()

    with pytest.raises(BuildFailed, match=f"no Dockerfile at {request_.context}/Dockerfile"):
        build(engine, request_, say)

    assert say.lines == []


def test_a_build_that_takes_too_long_is_stopped_with_all_its_processes(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    seconds = unique_sleep()
    write(request_, f"RUN sleep {seconds}")

    with pytest.raises(BuildFailed, match="took longer than 3 s, and was stopped") as raised:
        build(engine, replace(request_, timeout=3), Heard())

    assert "build.timeout" in raised.value.hint
    assert gone(f"sleep {seconds}")
    assert gone(request_.tag), "a process of the builder is left"


def test_an_interrupt_stops_the_build_with_all_its_processes(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    """Ctrl-C while a step runs, as the terminal sends it to us alone."""
    seconds = unique_sleep()
    write(request_, f"RUN echo begun && sleep {seconds}")

    def interrupt() -> None:
        deadline = time.monotonic() + 20
        while not commands_with(f"sleep {seconds}") and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        build(engine, replace(request_, no_cache=True), Heard())
    thread.join()

    assert gone(f"sleep {seconds}")
    assert gone(request_.tag), "a process of the builder is left"
    assert engine.image(request_.tag) is None


# --- secrets -----------------------------------------------------------------------------


def test_build_secrets_reach_the_step_and_nothing_else(
    engine: DockerEngine, request_: BuildRequest, tmp_path: Path, client: docker.DockerClient
) -> None:
    """Not argv, image, history, log, not even when a step prints them."""
    by_variable, by_file = secrets.token_hex(16), secrets.token_hex(16)
    file = tmp_path.parent / f"{tmp_path.name}.secret"
    file.write_text(by_file + "\n")
    write(
        request_,
        "RUN --mount=type=secret,id=one --mount=type=secret,id=two"
        " cat /run/secrets/one /run/secrets/two && md5sum < /run/secrets/one > /proof",
    )
    exposed: list[str] = []
    say = Heard(on_line=lambda _: exposed.extend(commands_with(by_variable)))
    asked = replace(
        request_,
        no_cache=True,  # a secret is no part of what BuildKit looks for in its cache
        secrets=[BuildSecret(id="one", env="TOKEN"), BuildSecret(id="two", src=file)],
        environ={"TOKEN": by_variable},
    )

    try:
        built = build(engine, asked, say)
    finally:
        file.unlink()

    told = "\n".join(say.lines) + repr(built)
    assert told.count("***") == 2
    history = str(client.images.get(request_.tag).history())
    saved = b"".join(client.images.get(request_.tag).save())
    for value in (by_variable, by_file):
        assert value not in told
        assert value not in history
        assert value.encode() not in saved
    assert exposed == []
    assert client.containers.run(request_.tag, ["cat", "/proof"], remove=True)


def test_a_secret_that_a_failing_step_prints_stands_in_no_error(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    value = secrets.token_hex(16)
    write(
        request_,
        "RUN --mount=type=secret,id=one cat /run/secrets/one; echo $(cat /run/secrets/one) >&2;"
        " exit 1",
    )
    asked = replace(
        request_, secrets=[BuildSecret(id="one", env="TOKEN")], environ={"TOKEN": value}
    )

    with pytest.raises(BuildFailed) as raised:
        build(engine, asked, Heard())

    assert value not in raised.value.message + str(raised.value.evidence)
    assert "***" in str(raised.value.evidence)


# --- prebuilt ----------------------------------------------------------------------------


def test_an_image_that_the_engine_has_needs_no_network(
    engine: DockerEngine, request_: BuildRequest
) -> None:
    local = f"bluegreen-test/{secrets.token_hex(4)}:local"
    write(request_, "RUN echo prebuilt > /x")
    made = build(engine, replace(request_, tag=local), Heard())
    say = Heard()
    try:
        built = builder.prebuilt(engine, local, request_.tag, False, say)
    finally:
        engine.remove_image(local)

    image = engine.image(request_.tag)
    assert image is not None, "its own tag holds it"
    assert image.id == made.image_id == built.image_id
    assert built == Built(image_id=made.image_id, builder="prebuilt", digest=built.digest)
    assert say.lines == []


@pytest.mark.parametrize("ref", ["sha256:" + "0" * 64, "0" * 12])
@pytest.mark.parametrize("pull", [False, True])
def test_an_id_is_never_pulled(
    engine: DockerEngine, request_: BuildRequest, ref: str, pull: bool
) -> None:
    """The engine would ask Docker's own registry for a repository of that name."""
    with pytest.raises(BuildFailed, match="no image with the id"):
        builder.prebuilt(engine, ref, request_.tag, pull, Heard())


# --- without buildx ----------------------------------------------------------------------


def test_without_the_docker_command_a_release_says_so_and_takes_an_image_that_is_given(
    host: Host, tmp_path: Path
) -> None:
    site = host.site()
    image = site.image_of("v1")
    bare = site.bluegreen.amid(PATH=str(tmp_path))

    refused = bare("release", expect=7)
    released = bare("release", "--image", image, expect=0)

    assert "docker buildx" in refused.error["message"]
    assert "apt-get install docker-buildx " in refused.error["hint"]
    assert refused.document["steps"] == []
    assert released.outcome == "released"
    assert host.get(site).version == "v1"
