"""What an image says of itself."""

from __future__ import annotations

from bluegreen.model import IMAGE_SITE_LABEL

_OCI = "org.opencontainers.image"


def oci_labels(
    *, revision: str, created: str, source: str, title: str, site: str
) -> dict[str, str]:
    """The OCI image annotations, and our own label. What is not known is left out.

    `created` is the commit's time, never now: a value that changes with each build would
    give unchanged content another id each time.
    https://github.com/opencontainers/image-spec/blob/v1.1.0/annotations.md
    """
    labels = {
        f"{_OCI}.revision": revision,
        f"{_OCI}.created": created,
        f"{_OCI}.source": source,
        f"{_OCI}.title": title,
        IMAGE_SITE_LABEL: site,
    }
    return {name: value for name, value in labels.items() if value}
