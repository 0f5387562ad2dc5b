"""A resolver that answers every name must never lead a site's users to a stranger.

Docker hands the name of a stopped container to the host's resolvers; with a wildcard there
(usual in company networks) users got another server's page with status 200.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from kit.site import images
from kit.site.host import Host, Site

#: Answers every A question with the address in its argument (RFC 1035).
RESOLVER = """
import socket, sys
address = socket.inet_aton(sys.argv[1])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
print("ready", flush=True)
while True:
    question, client = server.recvfrom(512)
    end = question.index(b"\\0", 12) + 5
    is_a = question[end - 4:end - 2] == b"\\0\\1"
    head = question[:2] + b"\\x81\\x80\\0\\1" + (b"\\0\\1" if is_a else b"\\0\\0") + b"\\0\\0\\0\\0"
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + address if is_a else b""
    server.sendto(head + question[12:end] + answer, client)
"""


@pytest.fixture
def stranger(host: Host, client: docker.DockerClient) -> Iterator[str]:
    """A foreign web server's address."""
    container = client.containers.run(
        images.busybox(),
        ["sh", "-c", "mkdir /s && echo a stranger > /s/index.html && httpd -f -p 80 -h /s"],
        detach=True,
        name=f"stranger-{host.name}",
        network=host.name,
    )
    yield address_of(container, host.name)
    container.remove(force=True)


@pytest.fixture
def resolver(host: Host, client: docker.DockerClient, stranger: str) -> Iterator[str]:
    """The address of a resolver that knows every name."""
    container = client.containers.run(
        images.server(),
        entrypoint=["/bin/python3", "-I", "-S", "-c", RESOLVER, stranger],
        detach=True,
        name=f"resolver-{host.name}",
        network=host.name,
    )
    yield address_of(container, host.name)
    container.remove(force=True)


def address_of(container: Container, network: str) -> str:
    container.reload()
    return str(container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"])


def with_resolver(host: Host, resolver: str, **changed: Any) -> None:
    """The edge as it is, made anew on a host whose resolver knows every name."""
    edge = host.edge_container()
    config, settings = dict(edge.attrs["Config"]), dict(edge.attrs["HostConfig"])
    edge.remove(force=True)
    config["HostConfig"] = {**settings, "Dns": [resolver], **changed}
    config["NetworkingConfig"] = {"EndpointsConfig": {host.name: {}}}
    made = host.client.api.create_container_from_config(config, host.name)
    host.client.api.start(made["Id"])
    host.wait_until_it_answers()


def stopped(host: Host) -> Site:
    site = host.site("v1")
    site.bluegreen("release", expect=0)
    (container,) = site.containers()
    container.stop(timeout=1)
    return site


def test_users_of_a_stopped_container_get_502_whatever_the_resolver_says(
    host: Host, resolver: str
) -> None:
    site = stopped(host)
    with_resolver(host, resolver)
    answer = host.get(site)
    assert (answer.status, b"stranger" in answer.body) == (502, False)


def test_without_the_edges_dns_settings_they_would_get_the_strangers_page(
    host: Host, resolver: str
) -> None:
    """That the proof above can fail."""
    site = stopped(host)
    with_resolver(host, resolver, DnsSearch=["corp.example"], DnsOptions=[])
    answer = host.get(site)
    assert (answer.status, b"stranger" in answer.body) == (200, True)
