"""TLS at a real edge: its own authority, and the operator's certificates."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from bluegreen import probe
from bluegreen.errors import ConfigError, EdgeError
from bluegreen.state.folder import State
from kit.engine.edges import Place, free_port, place_of
from kit.load.http2 import Http2Client
from kit.site.host import Host


@pytest.fixture
def place(client: docker.DockerClient) -> Iterator[Place]:
    with place_of(client) as place:
        yield place


def test_internal_tls_speaks_http2_and_is_verified(place: Place) -> None:
    """The public probe trusts the edge's own root and no other; browsers get HTTP/2."""
    place.up(tls="internal")
    settings = place.settings(hosts=("www.test",), tls="internal")
    running = place.running(tls="internal")
    running.register(settings)
    edge = running.site(settings)
    edge.switch(place.backend("hello"))
    assert edge.public("/", timeout=5).head == "hello"
    with (
        running.listeners.public("other.test") as client,
        pytest.raises(AssertionError),
    ):
        assert client.ask("/", host="other.test", timeout=5).status
    context = ssl.create_default_context(cadata=running.admin.root_certificate())
    http2 = Http2Client(f"https://127.0.0.1:{place.port}", host="www.test", context=context)
    with http2.asking() as ask:
        assert ask("/").body == b"hello"


def test_verify_by_https_trusts_whom_this_machine_trusts(bare_host: Host) -> None:
    """The system's roots, or SSL_CERT_FILE: a certificate of anybody else is a finding."""
    bare_host.edge["tls"] = "internal"
    bare_host.up()
    site = bare_host.site("v1", config={"hosts": ["localhost"]})
    site.bluegreen("release", expect=0)
    url = f"https://localhost:{bare_host.port}"
    ran = site.bluegreen("verify", "--url", url).expect(1)
    assert {found["where"] for found in ran.document["findings"]} == {"cdn"}
    assert "certificate verify failed" in ran.error["message"]

    root = State(bare_host.state_dir).data / "caddy/pki/authorities/local/root.crt"
    site.bluegreen.env["SSL_CERT_FILE"] = str(root)
    proven = site.bluegreen("verify", "--url", url, expect=0)
    assert set(proven.document["checked"]) == {"origin", "edge", "cdn"}


def test_a_site_without_hosts_has_tls_too(place: Place) -> None:
    """Whoever names no host, or any, gets the certificate for localhost."""
    place.up(tls="internal")
    settings = place.settings()
    running = place.running()
    running.register(settings)
    edge = running.site(settings)
    edge.switch(place.backend("hello"))
    assert edge.public("/", timeout=5).head == "hello"


def test_the_authority_outlives_the_container(place: Place) -> None:
    """Clients that trust its root go on trusting it after the container is made anew."""
    place.up(tls="internal")
    root = place.running().admin.root_certificate()
    other = free_port()
    place.up(listen=[f"127.0.0.1:{other}"], recreate=True)
    assert place.running(listen=[f"127.0.0.1:{other}"]).admin.root_certificate() == root


def test_plain_http_leads_to_https(place: Place) -> None:
    """With the port, where it is not 443; the path and the query stay."""
    plain = free_port()
    listen = [f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{place.port}"]
    place.up(tls="internal", listen=listen)
    with probe.Client(f"http://127.0.0.1:{plain}", via="public") as client:
        answer = client.ask("/a/b?c=d", host="www.test", timeout=5)
    assert answer.status == 308
    assert answer.location == f"https://www.test:{place.port}/a/b?c=d"


def test_requests_over_tls_reach_the_release_as_https(place: Place) -> None:
    """In the preview as in public: a release that redirects to https must not be told http."""
    place.up(tls="internal")
    settings = place.settings(hosts=("www.test",))
    running = place.running()
    running.register(settings)
    edge = running.site(settings)
    handler = {"handler": "static_response", "body": "{http.request.header.X-Forwarded-Proto}"}
    server = {"listen": [":80"], "routes": [{"handle": [handler]}]}
    server["automatic_https"] = {"disable": True}
    upstream = place.backend(
        "", {"admin": {"disabled": True}, "apps": {"http": {"servers": {"s": server}}}}
    )
    edge.switch(upstream)
    assert edge.preview(upstream, "/", timeout=5).head == "https"
    assert edge.public("/", timeout=5).head == "https"


def test_the_operators_certificates_are_served_and_renewed(place: Place, tmp_path: Path) -> None:
    """A renewed one costs `edge up` and one load; the container stays, old copies go."""
    cert, key = _certificate(tmp_path, "www.test")
    edge: dict[str, Any] = {"tls": "files", "certificates": [f"cert={cert},key={key}"]}
    place.up(**edge)
    running = place.running(**edge)
    running.register(place.settings(hosts=("www.test",), **edge))
    before = place.inspect()["Id"]
    assert _served(place, "www.test") == cert.read_text()
    assert _served(place, "unknown.test") == cert.read_text()
    _certificate(tmp_path, "www.test")
    assert _served(place, "www.test") != cert.read_text()
    assert place.up(**edge).outcome == "up"
    assert _served(place, "www.test") == cert.read_text()
    assert place.inspect()["Id"] == before
    assert len(list(place.state.certs.iterdir())) == 2


def test_certificates_that_cannot_be_read_are_named(place: Place, tmp_path: Path) -> None:
    """Nothing is made for them."""
    cert, key = _certificate(tmp_path, "www.test")
    key.unlink()
    with pytest.raises(ConfigError) as caught:
        place.up(tls="files", certificates=[f"cert={cert},key={key}"])
    assert str(key) in caught.value.problems[0]
    assert place.engine.inspect(place.name) is None


def test_certificates_that_do_not_fit_leave_the_edge_as_it_was(
    place: Place, tmp_path: Path
) -> None:
    """Caddy refuses the load, its reason is told, and the old certificate goes on serving."""
    cert, key = _certificate(tmp_path, "www.test")
    edge: dict[str, Any] = {"tls": "files", "certificates": [f"cert={cert},key={key}"]}
    place.up(**edge)
    served = _served(place, "www.test")
    _certificate(tmp_path / "other", "www.test")
    key.write_bytes((tmp_path / "other" / "key.pem").read_bytes())
    with pytest.raises(EdgeError, match="private key does not match"):
        place.up(**edge)
    assert _served(place, "www.test") == served
    place.restart()
    with httpx.Client(verify=False, transport=httpx.HTTPTransport(verify=False, retries=9)) as web:
        assert web.get(f"https://127.0.0.1:{place.port}/").status_code == 404
    assert _served(place, "www.test") == served


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30"
    subprocess.run(
        [
            *command.split(),
            *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def _served(place: Place, name: str) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", place.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
    assert certificate is not None
    return ssl.DER_cert_to_PEM_cert(certificate)
