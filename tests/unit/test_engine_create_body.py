"""What the engine is asked to create is what the plan says, and nothing else."""

from __future__ import annotations

import pytest

from bluegreen.engine.create_body import render, restart_policy
from bluegreen.model import ContainerPlan, HealthcheckPlan, MountPlan, PortPlan


def test_a_bare_plan_leaves_everything_to_the_image_but_logs_init_and_restart() -> None:
    plan = ContainerPlan(name="bg-web-1", image="bluegreen/web:1", network="edge")

    assert render(plan, "1.41") == {
        "Image": "bluegreen/web:1",
        "StopTimeout": 10,
        "NetworkingConfig": {"EndpointsConfig": {"edge": {}}},
        "HostConfig": {
            "NetworkMode": "edge",
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "Init": True,
            "ReadonlyRootfs": False,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        },
    }


def test_every_field_of_a_plan_reaches_the_engine_in_its_own_unit() -> None:
    """Nanoseconds, bytes, nano-CPUs, whole seconds; swap is not added to the memory."""
    plan = ContainerPlan(
        name="bg-web-1",
        image="bluegreen/web:1",
        network="edge",
        networks=("back",),
        labels={"a": "b"},
        env={"PORT": "80", "EMPTY": ""},
        command=("serve", "--fast"),
        entrypoint=("/init",),
        working_dir="/srv",
        user="1000:1000",
        stop_signal="SIGQUIT",
        stop_grace=2.5,
        healthcheck=HealthcheckPlan(
            test=("CMD-SHELL", "wget -q localhost"),
            interval=5,
            timeout=0.5,
            retries=3,
            start_period=20,
            start_interval=0.5,
        ),
        mounts=(
            MountPlan(type="bind", source="/etc/x", target="/x", read_only=True),
            MountPlan(type="tmpfs", source="", target="/run"),
        ),
        tmpfs=("/tmp:size=16m,mode=1777", "/cache"),
        memory=64 << 20,
        cpus=0.5,
        pids=100,
        ulimits={"nofile": "1024:2048", "core": "0"},
        cap_add=("NET_BIND_SERVICE",),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges:true",),
        extra_hosts={"api": "host-gateway"},
        read_only=True,
        init=False,
        restart="on-failure:3",
        log_max_size="1m",
        log_max_files=2,
        ports=(
            PortPlan(host_ip="127.0.0.1", host_port=8080, container_port=80),
            PortPlan(host_ip="[::1]", host_port=8080, container_port=80),
        ),
        dns_search=(".",),
        dns_options=("ndots:1",),
    )

    assert render(plan, "1.44") == {
        "Image": "bluegreen/web:1",
        "Cmd": ["serve", "--fast"],
        "Entrypoint": ["/init"],
        "WorkingDir": "/srv",
        "User": "1000:1000",
        "StopSignal": "SIGQUIT",
        "StopTimeout": 3,
        "Env": ["PORT=80", "EMPTY="],
        "Labels": {"a": "b"},
        "Healthcheck": {
            "Test": ["CMD-SHELL", "wget -q localhost"],
            "Interval": 5_000_000_000,
            "Timeout": 500_000_000,
            "Retries": 3,
            "StartPeriod": 20_000_000_000,
            "StartInterval": 500_000_000,
        },
        "ExposedPorts": {"80/tcp": {}},
        "NetworkingConfig": {"EndpointsConfig": {"edge": {}}},
        "HostConfig": {
            "NetworkMode": "edge",
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
            "Memory": 67108864,
            "MemorySwap": 67108864,
            "NanoCpus": 500_000_000,
            "PidsLimit": 100,
            "Ulimits": [
                {"Name": "nofile", "Soft": 1024, "Hard": 2048},
                {"Name": "core", "Soft": 0, "Hard": 0},
            ],
            "CapAdd": ["NET_BIND_SERVICE"],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "ExtraHosts": ["api:host-gateway"],
            "Tmpfs": {"/tmp": "size=16m,mode=1777", "/cache": ""},
            "Mounts": [
                {"Source": "/etc/x", "Type": "bind", "Target": "/x", "ReadOnly": True},
                {"Type": "tmpfs", "Target": "/run", "ReadOnly": False},
            ],
            "PortBindings": {
                "80/tcp": [
                    {"HostIp": "127.0.0.1", "HostPort": "8080"},
                    {"HostIp": "::1", "HostPort": "8080"},
                ]
            },
            "DnsSearch": ["."],
            "DnsOptions": ["ndots:1"],
            "Init": False,
            "ReadonlyRootfs": True,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        },
    }


@pytest.mark.parametrize(("api", "sent"), [("1.41", False), ("1.43", False), ("1.44", True)])
def test_the_start_interval_goes_only_to_an_engine_that_knows_it(api: str, sent: bool) -> None:
    plan = ContainerPlan(
        name="c", image="i", network="n", healthcheck=HealthcheckPlan(start_interval=0.5)
    )

    assert ("StartInterval" in render(plan, api).get("Healthcheck", {})) is sent


def test_a_check_without_its_form_is_a_command() -> None:
    plan = ContainerPlan(
        name="c", image="i", network="n", healthcheck=HealthcheckPlan(test=("/check", "-v"))
    )

    assert render(plan, "1.41")["Healthcheck"] == {"Test": ["CMD", "/check", "-v"]}


@pytest.mark.parametrize(
    ("text", "name", "most"),
    [("no", "no", 0), ("unless-stopped", "unless-stopped", 0), ("on-failure:5", "on-failure", 5)],
)
def test_restart_policies_read_as_the_cli_writes_them(text: str, name: str, most: int) -> None:
    assert restart_policy(text) == {"Name": name, "MaximumRetryCount": most}
