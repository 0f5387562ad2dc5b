"""All mistakes are told at once: the key, the value given, what is allowed, and no secret."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest

from bluegreen.errors import ConfigError
from bluegreen.settings import load


def problems(folder: Path, text: str, **environ: str) -> tuple[str, ...]:
    path = folder / "bluegreen.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, environ)
    return caught.value.problems


def test_every_mistake_is_told_together(tmp_path: Path) -> None:
    """In keys, between keys, in names and in the environment alike."""
    path = tmp_path / "bluegreen.toml"
    path.write_text(
        """
        site = "Web"
        hosts = ["a.test"]
        [gate]
        host = "b.test"
        pases = 1
        [retain]
        images = 0
        """
    )

    with pytest.raises(ConfigError) as caught:
        load(path, {"BLUEGREEN_DRAIN__TIMOUT": "1s"})

    assert caught.value.message == f"{path} has 5 mistakes"
    assert caught.value.hint
    assert caught.value.problems == (
        "BLUEGREEN_DRAIN__TIMOUT is not a setting; did you mean BLUEGREEN_DRAIN__TIMEOUT?",
        'site = "Web"; allowed: a to z, 0 to 9 and -, a letter first, at most 31 characters',
        "gate.pases is not a key; did you mean gate.passes?",
        "retain.images = 0; allowed: at least 1",
        'gate.host = "b.test"; allowed: a hostname that hosts routes to this site (a.test)',
    )


def test_one_mistake_is_one(tmp_path: Path) -> None:
    path = tmp_path / "bluegreen.toml"
    path.write_text("")

    with pytest.raises(ConfigError, match=r"has 1 mistake$") as caught:
        load(path, environ={})

    assert caught.value.problems == ('site is required: a short name, such as "web"',)


@pytest.mark.parametrize(
    ("section", "line", "problem"),
    [
        ("", 'hosts = "a.test"', r'hosts = "a.test"; allowed: a list, such as \["a", "b"\]'),
        ("", 'hosts = ["http://a.test"]', r"hosts\[0\] = .*; allowed: a hostname such as"),
        ("", 'hosts = ["a.test:80"]', "without scheme, port or path"),
        ("", 'hosts = ["a_b.test"]', "a hostname"),
        ("", 'hosts = ["-a.test"]', "a hostname"),
        ("", 'hosts = ["bücher.test"]', "xn-- form"),
        ("", f'hosts = ["{"a" * 64}.test"]', "a hostname"),
        ("", 'hosts = ["a.test", "A.test"]', r'hosts = \["a.test"\]; allowed: each hostname once'),
        ("", "gate = 3", "gate = 3; allowed: a table"),
        ("assets", 'paths = ["/*"]', r"assets.paths\[0\] = .*; allowed: a path pattern such as"),
        ("assets", 'paths = "/assets/*"', "allowed: a list"),
        ("assets", "keep_releases = 0", "allowed: at least 1"),
        ("assets", "keep_days = -1", "allowed: at least 0"),
        ("assets", 'max_size = "much"', "allowed: a size"),
        ("assets", "max_size = 0", "a size above zero"),
        ("assets", 'order = "disk"', 'allowed: "live" or "store"'),
        ("build", 'builder = "kaniko"', 'allowed: "auto" or "buildx"'),
        ("build", 'builder = "classic"', "classic builder is gone, and docker buildx is needed"),
        ("build", 'timeout = "0s"', "a duration above zero"),
        ("build", 'secrets = ["id=npm"]', "id=npm,env=NPM_TOKEN"),
        ("build", 'secrets = ["id=npm,env=A,src=b"]', "id=npm,env=NPM_TOKEN"),
        ("build", 'secrets = ["id=npm,env=A-B"]', "id=npm,env=NPM_TOKEN"),
        ("build", 'secrets = ["id=a,env=A", "id=a,env=B"]', 'secrets = .*"a".*each id once'),
        ("container", "port = 0", "port = 0; allowed: at least 1"),
        ("container", "port = 65536", "port = 65536; allowed: at most 65535"),
        ("container", "port = 80.5", "port = 80.5; allowed: a whole number"),
        ("container", 'read_only = "perhaps"', "true or false"),
        ("container", 'memory = "4m"', 'memory = "4m"; allowed: 0 for no limit, or at least "6m"'),
        ("container", 'memory = "much"', "a size, such as"),
        ("container", "cpus = -1", "at least 0"),
        ("container", "cpus = nan", "a number|at least 0"),
        ("container", 'restart = "always"', "comes back when Docker restarts"),
        ("container", 'restart = "sometimes"', 'allowed: "no", "on-failure" or "unless-stopped"'),
        ("container", 'log_max_size = "10 MB"', 'such as "10m"'),
        ("container", 'stop_signal = "quickly"', "a signal"),
        ("container", 'working_dir = "srv"', "an absolute path"),
        ("container", 'tmpfs = ["tmp"]', "an absolute path"),
        ("container", 'mounts = ["type=bind,target=/a"]', "needs its source"),
        ("container", 'mounts = ["type=tmpfs,source=a,target=/a"]', "has no source"),
        ("container", 'mounts = ["type=volume,target=a"]', "an absolute path"),
        ("container", 'mounts = ["type=npipe,target=/a"]', "bind, volume or"),
        ("container", 'mounts = ["type=volume,target=/a,mode=1"]', "'mode' is not known here"),
        ("container", 'mounts = ["type=volume,type=bind,target=/a"]', "'type' is given twice"),
        ("container", 'mounts = ["type=volume,target=/a,readonly=yes"]', "readonly is true or"),
        ("container", 'mounts = ["/a:/b"]', "a mount such as"),
        (
            "container",
            'mounts = ["type=volume,target=/a"]\ntmpfs = ["/a/:size=1m"]',
            'mounts = \\["/a"\\]; allowed: one mount or tmpfs a path',
        ),
        ("container", 'secrets = ["src=a"]', "id=token,src=PATH"),
        ("container", 'secrets = ["id=../a,src=a"]', "id=token,src=PATH"),
        ("container", 'networks = ["bluegreen-edge"]', "without the edge's own"),
        ("container", 'ulimits = { nofile = "many" }', "nofile"),
        ("container", 'extra_hosts = { api = "db" }', "IP address"),
        ("container", 'labels = { "dev.bluegreen.site" = "x" }', "keeps for itself"),
        ("container", 'healthcheck = { test = ["wget"] }', 'begins with "CMD"'),
        ("container", "healthcheck = { retries = -1 }", "healthcheck.retries = -1"),
        ("container", 'env = { "" = "x" }', "names that are not empty"),
        ("gate", 'path = "index.html"', 'a path that begins with "/"'),
        ("gate", "status = []", "at least one entry"),
        ("gate", "status = [99]", r"status\[0\] = 99; allowed: at least 100"),
        ("gate", "timeout = 30", "timeout = 30; allowed: a duration with its unit"),
        ("gate", 'host = "*.test"', "one hostname without"),
        ("gate", 'timeout = "10s"\ninterval = "5s"', "more than 3 passes, 5s apart, take"),
        ("freshness", 'web_root = "dist"', "an absolute path"),
        ("freshness", 'index = "/index.html"', "a path below web_root"),
        ("freshness", 'index = "../index.html"', "a path below web_root"),
        ("freshness", 'build_id = "version.json"', 'a path that begins with "/", or nothing'),
        ("freshness", 'rewritten = ["/index.html"]', "a path below web_root"),
        ("freshness", 'rewritten = ["index.html"]', "nothing without freshness.web_root"),
        ("freshness", 'web_root = "/srv"\nrewritten = ["a", "a"]', "each file once"),
        ("freshness", 'last_modified = "on"', 'allowed: "off", "warn" or "fail"'),
        ("freshness", 'unchanged = "stop"', 'allowed: "release", "skip" or "fail"'),
        ("edge", 'listen = ["localhost:80"]', "an address to listen on"),
        ("edge", 'listen = [":0"]', "an address to listen on"),
        ("edge", 'listen = ["300.0.0.1:80"]', "an address to listen on"),
        ("edge", 'listen = ["127.0.0.1"]', "an address to listen on"),
        ("edge", "listen = []", "at least one entry"),
        ("edge", 'listen = [":80", "127.0.0.1:80"]', "each port once an address"),
        ("edge", 'listen = ["https://:443"]', 'http only, since edge.tls = "off"'),
        ("edge", 'tls = "files"', "edge.certificates = .*at least one"),
        ("edge", 'certificates = ["cert=a,key=b"]', 'tls = "off"; allowed: "files"'),
        ("edge", 'certificates = ["cert=a"]', "cert=PATH,key=PATH"),
        ("edge", 'trusted_proxies = ["all"]', "an address or a range"),
        ("edge", 'state_dir = "state"', "an absolute path"),
        ("edge", 'email = "me"', "an e-mail address"),
        ("edge", 'name = "my edge"', "letters, digits"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(
    tmp_path: Path, section: str, line: str, problem: str
) -> None:
    header = f"[{section}]\n" if section else ""

    said = problems(tmp_path, f'site = "web"\n{header}{line}\n')

    assert any(re.search(problem, one) for one in said), said


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'hosts = ["*.a.test"]',
            'gate.host = ""; allowed: one hostname to probe, since the first of hosts is *.a.test',
        ),
        (
            'hosts = ["a.test", "*.a.test"]\n[edge]\ntls = "acme"\nlisten = [":443"]',
            'hosts = ["*.a.test"]; allowed: names without * where edge.tls = "acme": a wildcard'
            ' needs a DNS challenge, or tls = "files"',
        ),
        (
            'hosts = ["a.test"]\n[edge]\ntls = "internal"\nlisten = [":80"]',
            'edge.listen = ["http://:80"]; allowed: at least one https address, such as ":443",'
            ' since edge.tls = "internal"',
        ),
        (
            'hosts = ["*.a.test"]\n[gate]\nhost = "b.c.a.test"',
            'gate.host = "b.c.a.test"; allowed: a hostname that hosts routes to this site'
            " (*.a.test)",
        ),
    ],
)
def test_keys_that_do_not_go_together(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, f'site = "web"\n{text}\n') == (problem,)


def test_a_rule_between_keys_is_silent_where_one_of_them_is_wrong(tmp_path: Path) -> None:
    """What follows from a mistake is no second mistake."""
    said = problems(
        tmp_path, 'site = "web"\nhosts = ["a b"]\n[gate]\nhost = "a.test"\n[edge]\ntls = "acme"\n'
    )

    assert len(said) == 1
    assert said[0].startswith('hosts[0] = "a b"')


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("[gates]", "gates is not a key; did you mean gate?"),
        ("[gate]\npth = 1", "gate.pth is not a key; did you mean gate.path?"),
        ("xyz = 80", "xyz is not a key; there are site, hosts, build,"),
        ("dockerfil = 80", "dockerfil is not a key; did you mean build.dockerfile?"),
        ("port = 80", "port is not a key; did you mean container.port?"),
        (
            "[gate]\nhosts = []",
            "gate.hosts is not a key; did you mean hosts (above the first [section])?",
        ),
        (
            "[retain]\nzzz = 1",
            "retain.zzz is not a key; there are images",
        ),
        (
            "[container.healthcheck]\ntset = 1",
            "container.healthcheck.tset is not a key; did you mean container.healthcheck.test?",
        ),
    ],
)
def test_an_unknown_name_comes_with_the_nearest_right_one(
    tmp_path: Path, text: str, instead: str
) -> None:
    (said,) = problems(tmp_path, f'site = "web"\n{text}\n')

    assert said.startswith(instead)


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("[container]\nenv = { TOKEN = [SECRET] }", {}),
        ("[container]\nenv = SECRET", {}),
        ("[container]\nenvironment = { TOKEN = SECRET }", {}),
        ("[build]\nargs = { TOKEN = [SECRET] }", {}),
        ("[build]\nargs = [SECRET]", {}),
        ("[[build]]\nargs = { TOKEN = SECRET }", {}),
        ("", {"BLUEGREEN_CONTAINER__ENV": '{"TOKEN": "hunter2-hunter2"'}),
        ("", {"BLUEGREEN_BUILD__ARGS": '["hunter2-hunter2"]'}),
        ("", {"BLUEGREEN_CONTAINER__ENVIRONMENT": "hunter2-hunter2"}),
    ],
)
def test_no_secret_is_repeated(tmp_path: Path, text: str, environ: dict[str, str]) -> None:
    """Neither in a problem nor in the chain of exceptions behind it."""
    path = tmp_path / "bluegreen.toml"
    path.write_text(f'site = "web"\n{text.replace("SECRET", repr("hunter2-hunter2"))}\n')

    with pytest.raises(ConfigError) as caught:
        load(path, environ)

    assert caught.value.problems
    told = "".join([*caught.value.problems, *traceback.format_exception(caught.value)])
    assert "hunter2" not in told
