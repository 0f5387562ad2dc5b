"""The edge's container: what is asked of the engine. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace

from bluegreen.edge.managed.image import BUNDLED, FILE_CAPABILITY
from bluegreen.model import (
    EDGE_LABEL,
    SPEC_HASH_LABEL,
    STATE_DIR_LABEL,
    ContainerPlan,
    MountPlan,
    PortPlan,
)
from bluegreen.settings import EdgeSettings
from bluegreen.state.folder import (
    MOUNT_CERTS,
    MOUNT_CONFIG,
    MOUNT_DATA,
    MOUNT_SITES,
    MOUNT_SOCK,
    MOUNT_STORE,
    State,
)

#: What can only be changed by a new container, and so costs refused connections.
ANEW = frozenset({"name", "state_dir", "group", "listen", "image"})

#: Go's collector runs as often as the heap has doubled, and Caddy's is small: at five times it,
#: a proxied request costs a tenth less. The limit is soft, for an edge with very many sites.
_COLLECTOR = {"GOGC": "400", "GOMEMLIMIT": "512MiB"}


def plan(edge: EdgeSettings, state: State, image: str, image_id: str) -> ContainerPlan:
    """`image` is the reference to create it with, `image_id` what that is now."""
    uid, gid = state.edge_user
    bare = ContainerPlan(
        name=edge.name,
        image=image,
        network=edge.name,
        entrypoint=("caddy",),
        command=("run", "--config", f"{MOUNT_CONFIG}/{state.caddy_json.name}"),
        user=f"{uid}:{gid}",
        env={
            "HOME": MOUNT_DATA,
            "XDG_DATA_HOME": MOUNT_DATA,
            "XDG_CONFIG_HOME": f"{MOUNT_DATA}/config",
            **_COLLECTOR,
        },
        mounts=(
            # Folders, never files: a mounted file keeps its old inode after a rename.
            MountPlan(type="bind", source=str(state.sites), target=MOUNT_SITES, read_only=True),
            MountPlan(type="bind", source=str(state.store), target=MOUNT_STORE, read_only=True),
            MountPlan(type="bind", source=str(state.sock), target=MOUNT_SOCK),
            MountPlan(type="bind", source=str(state.config), target=MOUNT_CONFIG, read_only=True),
            MountPlan(type="bind", source=str(state.data), target=MOUNT_DATA),
            MountPlan(type="bind", source=str(state.certs), target=MOUNT_CERTS, read_only=True),
        ),
        tmpfs=("/tmp",),
        cap_drop=("ALL",),
        cap_add=() if edge.image == BUNDLED else FILE_CAPABILITY,
        security_opt=("no-new-privileges:true",),
        read_only=True,
        init=False,  # Caddy minds its signals, and starts no processes
        restart="unless-stopped",
        ports=tuple(
            PortPlan(host_ip=entry.host_ip, host_port=entry.port, container_port=entry.port)
            for entry in edge.listen
        ),
        # Docker hands the name of a stopped container to the host's resolver; with a search
        # domain and a wildcard there, users got a stranger's page with status 200.
        dns_search=(".",),
        dns_options=("ndots:1",),
    )
    labels = {
        EDGE_LABEL: edge.name,
        STATE_DIR_LABEL: str(state.root),
        SPEC_HASH_LABEL: _hash(bare, image_id),
    }
    return replace(bare, labels=labels)


def network_labels(edge: EdgeSettings) -> dict[str, str]:
    return {EDGE_LABEL: edge.name}


def _hash(bare: ContainerPlan, image_id: str) -> str:
    """Of everything that needs the container made anew when it changes."""
    facts = asdict(bare) | {"image": image_id}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
