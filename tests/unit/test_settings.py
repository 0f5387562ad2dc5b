"""bluegreen.toml is read into frozen settings, with the defaults that are promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from bluegreen.errors import ConfigError
from bluegreen.model import HealthcheckPlan, MountPlan
from bluegreen.settings import (
    BuildSecret,
    Certificate,
    EdgeSettings,
    Listen,
    SecretFile,
    Settings,
    load,
)

#: The documented file of these sections, defaults written out.
DOCUMENTED = """
site = "web"
hosts = []

[build]
context = "."
dockerfile = "Dockerfile"
target = ""
args = {}
secrets = []
pull = false
timeout = "15m"

[container]
port = 80
command = []
entrypoint = []
working_dir = ""
stop_signal = ""
env = {}
env_file = []
secrets = []
healthcheck = {}
cap_add = []
security_opt = []
ulimits = {}
extra_hosts = {}
mounts = []
networks = []
memory = ""
cpus = 0
pids = 0
user = ""
read_only = false
tmpfs = []
cap_drop = []
init = true
restart = "unless-stopped"
stop_grace = "10s"
log_max_size = "10m"
log_max_files = 3
labels = {}

[gate]
path = "/"
host = ""
status = [200]
timeout = "60s"
passes = 3
interval = "20ms"

[freshness]
web_root = ""
index = "index.html"
build_id = ""
rewritten = []
last_modified = "warn"
unchanged = "release"

[assets]
paths = ["/assets/*"]
keep_releases = 5
keep_days = 7
max_size = "2g"
order = "live"

[edge]
name = "bluegreen-edge"
state_dir = ""
group = ""
listen = ["127.0.0.1:8080"]
tls = "off"
certificates = []
email = ""
trusted_proxies = []
image = "bundled"
switch = "auto"
try_duration = "3s"

[drain]
timeout = "30s"

[retain]
images = 5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "bluegreen.toml"
    path.write_text(text)
    return path


def read(folder: Path, text: str) -> Settings:
    return load(write(folder, text), environ={})


def test_the_documented_defaults_are_the_defaults(tmp_path: Path) -> None:
    documented = read(tmp_path, DOCUMENTED)
    minimal = read(tmp_path, 'site = "web"')

    assert documented == minimal


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = read(tmp_path, 'site = "web"')

    with pytest.raises(ValidationError):
        setattr(settings.gate, "passes", 1)  # noqa: B010  # for the type checker


def test_built_in_code_they_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUEGREEN_GATE__PASSES", "9")

    assert Settings(site="web").gate.passes == 3


@pytest.mark.parametrize(
    ("line", "section", "key", "value"),
    [
        ('timeout = "1m30s"', "gate", "timeout", 90.0),
        ('stop_grace = "0s"', "container", "stop_grace", 0.0),
        ("stop_grace = 0", "container", "stop_grace", 0.0),
        ('memory = "1.5g"', "container", "memory", 3 << 29),
        ("memory = 8388608", "container", "memory", 8 << 20),
        ('log_max_size = "50m"', "container", "log_max_size", "50m"),
        ("user = 1000", "container", "user", "1000"),
        (
            "env = { PORT = 8080, RATIO = 0.5 }",
            "container",
            "env",
            {"PORT": "8080", "RATIO": "0.5"},
        ),
        ("ulimits = { nofile = 1024 }", "container", "ulimits", {"nofile": "1024"}),
        ("status = [200, 204]", "gate", "status", (200, 204)),
        ('host = "WWW.Example.com"', "gate", "host", "www.example.com"),
        (
            'secrets = ["id=npm,env=NPM_TOKEN"]',
            "build",
            "secrets",
            (BuildSecret(id="npm", env="NPM_TOKEN"),),
        ),
        (
            'mounts = ["type=volume,source=x,target=/y,readonly", "type=tmpfs,dst=/t"]',
            "container",
            "mounts",
            (
                MountPlan(type="volume", source="x", target="/y", read_only=True),
                MountPlan(type="tmpfs", source="", target="/t"),
            ),
        ),
        (
            'secrets = ["id=token,src=/etc/token"]',
            "container",
            "secrets",
            (SecretFile(id="token", src=Path("/etc/token")),),
        ),
        ('builder = "auto"', "build", "builder", "auto"),
        ('builder = "buildx"', "build", "builder", "buildx"),
        ('listen = [":80"]', "edge", "listen", (Listen(host_ip="", port=80),)),
        ('listen = ["[::1]:8080"]', "edge", "listen", (Listen(host_ip="::1", port=8080),)),
        ('trusted_proxies = ["10.0.0.0/8"]', "edge", "trusted_proxies", ("10.0.0.0/8",)),
    ],
)
def test_values_are_read_as_people_write_them(
    tmp_path: Path, line: str, section: str, key: str, value: object
) -> None:
    settings = read(tmp_path, f'site = "web"\n[{section}]\n{line}\n')

    assert getattr(getattr(settings, section), key) == value


def test_hostnames_are_lower_case_and_may_be_wildcards(tmp_path: Path) -> None:
    settings = read(
        tmp_path, 'site = "web"\nhosts = ["*.Example.com"]\n[gate]\nhost = "a.example.com"'
    )

    assert settings.hosts == ("*.example.com",)
    assert settings.gate_host == "a.example.com"


def test_a_probe_asks_for_the_first_host(tmp_path: Path) -> None:
    assert read(tmp_path, 'site = "web"\nhosts = ["a.test", "b.test"]').gate_host == "a.test"
    assert read(tmp_path, 'site = "web"').gate_host == ""


@pytest.mark.parametrize(
    ("tls", "entry", "scheme"),
    [
        ("off", ":80", "http"),
        ("off", ":8443", "http"),
        ("internal", ":443", "https"),
        ("internal", "127.0.0.1:8443", "https"),
        ("internal", ":80", "http"),
        ("internal", "https://:80", "https"),
        ("internal", "http://:8080", "http"),
    ],
)
def test_what_a_port_speaks(tls: str, entry: str, scheme: str) -> None:
    """With TLS every port but 80 speaks it, unless its scheme is written before it."""
    edge = EdgeSettings.model_validate({"listen": [entry], "tls": tls})

    assert [listen.scheme for listen in edge.listen] == [scheme]


def test_the_default_port_follows_tls_too() -> None:
    assert [str(entry) for entry in EdgeSettings.model_validate({"tls": "internal"}).listen] == [
        "https://127.0.0.1:8080"
    ]


@pytest.mark.parametrize(
    ("healthcheck", "plan"),
    [
        ("{}", None),
        (
            '{ test = "wget -q localhost", interval = "5s" }',
            HealthcheckPlan(test=("CMD-SHELL", "wget -q localhost"), interval=5.0),
        ),
        ('{ test = ["CMD", "true"] }', HealthcheckPlan(test=("CMD", "true"))),
        ('{ test = ["NONE"] }', HealthcheckPlan(test=("NONE",))),
        (
            '{ retries = 2, start_interval = "500ms" }',
            HealthcheckPlan(retries=2, start_interval=0.5),
        ),
    ],
)
def test_a_healthcheck_beside_or_instead_of_the_images(
    tmp_path: Path, healthcheck: str, plan: HealthcheckPlan | None
) -> None:
    settings = read(tmp_path, f'site = "web"\n[container]\nhealthcheck = {healthcheck}\n')

    assert settings.container.healthcheck.plan == plan


def test_relative_paths_start_at_the_files_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at the folder that the command happens to run in."""
    project = tmp_path / "project"
    project.mkdir()
    write(
        project,
        """
        site = "web"
        hosts = ["a.test"]
        [build]
        context = "app"
        secrets = ["id=npm,src=../npm", "id=other,env=OTHER"]
        [container]
        env_file = [".env.web", "/etc/web.env"]
        secrets = ["id=token,src=token"]
        mounts = ["type=bind,source=data,target=/a", "type=volume,source=data,target=/b"]
        [edge]
        tls = "files"
        listen = [":443"]
        certificates = ["cert=tls/cert.pem,key=/etc/key.pem"]
        """,
    )
    monkeypatch.chdir(tmp_path)

    settings = load(Path("project/bluegreen.toml"), environ={})

    assert settings.build.context == project / "app"
    assert [secret.src for secret in settings.build.secrets] == [tmp_path / "npm", None]
    assert settings.container.env_file == (project / ".env.web", Path("/etc/web.env"))
    assert settings.container.secrets[0].src == project / "token"
    assert [mount.source for mount in settings.container.mounts] == [f"{project}/data", "data"]
    assert settings.edge.certificates == (
        Certificate(cert=project / "tls/cert.pem", key=Path("/etc/key.pem")),
    )


FULL = """
site = "web"
hosts = ["a.test"]
[container]
port = 3000
command = ["serve", "--port", "3000"]
env = { A = "1" }
env_file = ["env"]
secrets = ['id=token,"src=a,b"']
healthcheck = { test = ["CMD", "true"], interval = "1m30s" }
mounts = ["type=volume,source=x,target=/y,readonly", '"type=bind","source=/a,b","target=/c"']
memory = "512m"
cpus = 0.5
ulimits = { nofile = "1024:2048" }
extra_hosts = { api = "host-gateway" }
stop_grace = "100ms"
labels = { team = "web" }
[gate]
status = [200, 204]
interval = "1.5s"
[edge]
tls = "files"
listen = ["https://[::1]:8443", "127.0.0.1:80"]
certificates = ["cert=/c,key=/k"]
"""


@pytest.mark.parametrize("section", ["container", "gate", "freshness", "edge"])
def test_what_is_stored_is_read_back(tmp_path: Path, section: str) -> None:
    """The ledger keeps container, gate and freshness for a rollback, the host keeps edge."""
    settings: BaseModel = getattr(read(tmp_path, FULL), section)

    stored = json.dumps(settings.model_dump(mode="json"))

    assert type(settings).model_validate(json.loads(stored)) == settings


def test_the_edge_keys_that_were_written_are_known(tmp_path: Path) -> None:
    path = write(tmp_path, 'site = "web"\n[edge]\nlisten = [":8080"]\n')

    assert load(path, {}).explicit_edge == {"listen"}
    assert load(path, {"BLUEGREEN_EDGE__EMAIL": ""}).explicit_edge == {"listen", "email"}
    assert Settings(site="web").explicit_edge == frozenset()


def test_a_site_is_compared_to_the_host_on_what_it_wrote(tmp_path: Path) -> None:
    """What the site leaves out is the host's to decide, also the TLS behind a port."""
    stored = EdgeSettings.model_validate({"listen": [":443"], "tls": "internal", "email": "a@b.c"})

    same = read(tmp_path, 'site = "web"\n[edge]\nlisten = [":443"]\n')
    other = read(tmp_path, 'site = "web"\n[edge]\nlisten = [":443"]\nemail = "x@y.z"\n')

    assert same.edge_differences(stored) == {}
    assert other.edge_differences(stored) == {"email": ("x@y.z", "a@b.c")}


def test_a_missing_file_is_named_with_what_to_create(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "other.toml", environ={"BLUEGREEN_SITE": "web"})

    assert caught.value.message == f"{tmp_path}/other.toml does not exist"
    assert 'site = "web"' in caught.value.hint
    assert caught.value.exit_code == 2


def test_the_file_that_the_hint_shows_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"there is no bluegreen\.toml in ") as caught:
        load(environ={})

    write(tmp_path, caught.value.hint.partition("\n\n")[2])

    assert load(environ={}).site == "web"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'site = "web"\nport 80\n', "line 2, column 6"),
        (b'site = "web', "is not TOML"),
        (b'site = "\xff"', "is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "bluegreen.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=message) as caught:
        load(path, environ={})

    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_folder_in_place_of_the_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, environ={})
