"""A pull is told in few lines, and its refusals are told apart."""

from __future__ import annotations

import pytest

from bluegreen.engine.images import split
from bluegreen.engine.pull import Progress, refusal, registry_of


@pytest.mark.parametrize(
    ("said", "status", "meaning"),
    [
        ("manifest for r.example/web:9 not found: manifest unknown: manifest unknown", 404, "no s"),
        ("name unknown: repository name not known to registry", 404, "no such image"),
        ("pull access denied for web, repository does not exist or may require", 404, "another lo"),
        ('Get "https://r.example/v2/": no basic auth credentials', 401, "refused the login"),
        ("unauthorized: incorrect username or password", 401, "refused the login"),
        ('Get "https://r.example/v2/": dial tcp: lookup r.example: no such host', 503, "reached"),
        (
            'Get "https://r.example/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
            503,
            "",
        ),
        ("Get https://r.example/v2/: x509: certificate signed by unknown authority", 503, "reache"),
        ("http: server gave HTTP response to HTTPS client", 503, "cannot be reached"),
    ],
)
def test_a_refusal_tells_a_missing_image_from_a_login_and_from_a_registry_that_is_away(
    said: str, status: int, meaning: str
) -> None:
    error = refusal("r.example/web:9", 500, said)

    assert error.status == status
    assert meaning in error.message
    assert said in error.message
    assert error.hint


def test_an_unknown_refusal_keeps_the_engines_own_words() -> None:
    error = refusal("web:1", 500, "layers are upside down")

    assert (error.status, error.message) == (500, "web:1 cannot be pulled: layers are upside down")


def test_progress_says_a_beginning_and_an_end_and_not_each_layers_every_message() -> None:
    said: list[str] = []
    progress = Progress("r.example/web:1", said.append)
    for now in range(500):
        progress.take(
            {
                "id": "0123456789ab",
                "status": "Downloading",
                "progressDetail": {"current": now, "total": 500},
            }
        )
    progress.take({"id": "0123456789ab", "status": "Pull complete"})
    progress.take({"status": "Digest: sha256:abc"})
    progress.take({"status": "Status: Downloaded newer image for r.example/web:1"})

    assert said == [
        "pulling r.example/web:1",
        "Digest: sha256:abc",
        "Status: Downloaded newer image for r.example/web:1",
    ]


def test_the_error_is_read_where_the_newest_engines_put_it() -> None:
    progress = Progress("web:1", print)

    progress.take({"errorDetail": {"message": "manifest unknown"}})

    assert progress.error == "manifest unknown"


@pytest.mark.parametrize(
    ("ref", "parts"),
    [
        ("web", ("web", "latest")),
        ("web:1", ("web", "1")),
        ("localhost:5000/web", ("localhost:5000/web", "latest")),
        ("localhost:5000/web:1", ("localhost:5000/web", "1")),
        ("r.example/web@sha256:abc", ("r.example/web", "sha256:abc")),
        ("r.example:5000/web:1@sha256:abc", ("r.example:5000/web", "sha256:abc")),
    ],
)
def test_a_reference_is_split_as_the_engine_reads_it(ref: str, parts: tuple[str, str]) -> None:
    assert split(ref) == parts


@pytest.mark.parametrize(
    ("ref", "registry"),
    [
        ("web", ""),
        ("team/web", ""),
        ("r.example/web", "r.example"),
        ("localhost/web:1", "localhost"),
        ("127.0.0.1:5000/web", "127.0.0.1:5000"),
    ],
)
def test_the_registry_is_named_as_docker_login_takes_it(ref: str, registry: str) -> None:
    assert registry_of(ref) == registry
