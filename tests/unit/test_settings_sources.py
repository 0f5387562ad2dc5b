"""The environment wins over .env, and .env over the file; every key has its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from bluegreen.errors import ConfigError
from bluegreen.model import MountPlan
from bluegreen.settings import BuildSecret, Settings, load

FILE = 'site = "web"\n[gate]\npasses = 2\ninterval = "2s"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bluegreen.toml").write_text(FILE)
    return tmp_path


def read(project: Path, **environ: str) -> Settings:
    return load(project / "bluegreen.toml", environ)


def test_the_stronger_source_wins_key_by_key(project: Path) -> None:
    (project / ".env").write_text(
        "BLUEGREEN_GATE__PASSES=3\nBLUEGREEN_GATE__PATH=/dotenv\nOTHER=x\n"
    )

    gate = read(project, BLUEGREEN_GATE__PASSES="4").gate

    assert (gate.passes, gate.path, gate.interval) == (4, "/dotenv", 2.0)


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("BLUEGREEN_GATE__TIMEOUT", "2m", "gate", "timeout", 120.0),
        ("bluegreen_gate__timeout", "2m", "gate", "timeout", 120.0),
        ("BLUEGREEN_GATE__STATUS", "200, 204", "gate", "status", (200, 204)),
        ("BLUEGREEN_GATE__STATUS", "[200, 204]", "gate", "status", (200, 204)),
        ("BLUEGREEN_CONTAINER__READ_ONLY", "true", "container", "read_only", True),
        ("BLUEGREEN_CONTAINER__CPUS", "0.5", "container", "cpus", 0.5),
        ("BLUEGREEN_CONTAINER__CAP_DROP", "ALL", "container", "cap_drop", ("ALL",)),
        ("BLUEGREEN_CONTAINER__CAP_DROP", "", "container", "cap_drop", ()),
        ("BLUEGREEN_CONTAINER__COMMAND", '["a, b", "c"]', "container", "command", ("a, b", "c")),
        ("BLUEGREEN_CONTAINER__ENV", '{"A": "1"}', "container", "env", {"A": "1"}),
        ("BLUEGREEN_CONTAINER__ENV__API_URL", "/api", "container", "env", {"API_URL": "/api"}),
        ("BLUEGREEN_CONTAINER__ENV__A__B", "1", "container", "env", {"A__B": "1"}),
        (
            "BLUEGREEN_CONTAINER__MOUNTS",
            "type=volume,source=x,target=/y",
            "container",
            "mounts",
            (MountPlan(type="volume", source="x", target="/y"),),
        ),
        (
            "BLUEGREEN_BUILD__SECRETS",
            '["id=a,env=A", "id=b,env=B"]',
            "build",
            "secrets",
            (BuildSecret(id="a", env="A"), BuildSecret(id="b", env="B")),
        ),
    ],
)
def test_every_kind_of_value_has_its_variable(
    project: Path, name: str, text: str, section: str, key: str, value: object
) -> None:
    settings = read(project, **{name: text})

    assert getattr(getattr(settings, section), key) == value


def test_hosts_are_separated_by_commas(project: Path) -> None:
    assert read(project, BLUEGREEN_HOSTS="a.test, b.test").hosts == ("a.test", "b.test")


def test_a_check_command_keeps_its_commas(project: Path) -> None:
    settings = read(project, BLUEGREEN_CONTAINER__HEALTHCHECK__TEST="test a, b")

    assert settings.container.healthcheck.test == ("CMD-SHELL", "test a, b")


def test_tables_are_merged_and_the_finer_variable_wins(project: Path) -> None:
    (project / "bluegreen.toml").write_text(
        'site = "web"\n[container]\nenv = { A = "file", B = "file" }\n'
    )

    settings = read(
        project,
        BLUEGREEN_CONTAINER__ENV='{"B": "json", "C": "json"}',
        BLUEGREEN_CONTAINER__ENV__C="single",
    )

    assert settings.container.env == {"A": "file", "B": "json", "C": "single"}


def test_dotenv_values_are_taken_literally(project: Path) -> None:
    (project / ".env").write_text("export BLUEGREEN_CONTAINER__ENV__PRICE='${HOME} $5'\n")

    assert read(project).container.env == {"PRICE": "${HOME} $5"}


def test_no_file_is_needed_where_the_environment_has_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BLUEGREEN_HOSTS=a.test\n")

    settings = load(environ={"BLUEGREEN_SITE": "web"})

    assert (settings.site, settings.hosts, settings.build.context) == ("web", ("a.test",), tmp_path)


def test_a_variable_may_name_the_file(project: Path) -> None:
    assert load(environ={"BLUEGREEN_CONFIG": str(project / "bluegreen.toml")}).site == "web"

    with pytest.raises(ConfigError, match="does not exist"):
        load(environ={"BLUEGREEN_CONFIG": str(project / "gone.toml"), "BLUEGREEN_SITE": "web"})


def test_the_real_environment_is_the_default(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUEGREEN_GATE__PASSES", "7")

    assert load(project / "bluegreen.toml").gate.passes == 7


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "BLUEGREEN_GATE__PASES",
            "2",
            "BLUEGREEN_GATE__PASES is not a setting; did you mean BLUEGREEN_GATE__PASSES?",
        ),
        (
            "BLUEGREEN_CONTAINER_PORT",
            "80",
            "BLUEGREEN_CONTAINER_PORT is not a setting; did you mean BLUEGREEN_CONTAINER__PORT?",
        ),
        ("BLUEGREEN_ZZZ", "2", "BLUEGREEN_ZZZ is not a setting"),
        (
            "BLUEGREEN_GATE__STATUS__FIRST",
            "2",
            "BLUEGREEN_GATE__STATUS__FIRST is not a setting",
        ),
        (
            "BLUEGREEN_GATE__PASSES",
            "many",
            'BLUEGREEN_GATE__PASSES = "many"; allowed: a whole number',
        ),
        (
            "BLUEGREEN_GATE__STATUS",
            "200,20",
            'BLUEGREEN_GATE__STATUS[1] = "20"; allowed: at least 100',
        ),
        (
            "BLUEGREEN_HOSTS",
            "[",
            'BLUEGREEN_HOSTS cannot be read; allowed: a JSON list, such as ["a", "b"]',
        ),
        (
            "BLUEGREEN_GATE",
            '{"pases": 1}',
            "BLUEGREEN_GATE.pases is not a key; did you mean gate.passes?",
        ),
    ],
)
def test_a_wrong_variable_is_named_by_its_own_name(
    project: Path, name: str, text: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(project, **{name: text})

    (said,) = caught.value.problems
    assert said.startswith(problem)


def test_a_wrong_line_of_dotenv_is_named_with_its_file(project: Path) -> None:
    (project / ".env").write_text(
        "# BLUEGREEN_SITE\nBLUEGREEN_GATE__PASSES=many\nBLUEGREEN_GATE__PATH /x\nwhat is this\n"
    )

    with pytest.raises(ConfigError) as caught:
        read(project)

    assert set(caught.value.problems) == {
        f'BLUEGREEN_GATE__PASSES ({project}/.env) = "many"; allowed: a whole number',
        f"{project}/.env line 3; allowed: NAME=value",
    }
