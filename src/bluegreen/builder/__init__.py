"""From a Dockerfile, or from an image that others built, to an image that is a release's own.

    require()    docker buildx, or the error that says how to install it
    build()      by docker buildx
    prebuilt()   `--image`: pull if need be, and give it a tag of the release's own
    oci_labels() what an image says of itself

Everything that goes wrong here is a BuildFailed, but for an engine that is away and a host
without docker buildx.
"""

from __future__ import annotations

from bluegreen.builder.build import build
from bluegreen.builder.labels import oci_labels
from bluegreen.builder.prebuilt import prebuilt
from bluegreen.builder.request import BuildRequest, Built, Secret
from bluegreen.builder.tool import Buildx, require

__all__ = [
    "BuildRequest",
    "Buildx",
    "Built",
    "Secret",
    "build",
    "oci_labels",
    "prebuilt",
    "require",
]
