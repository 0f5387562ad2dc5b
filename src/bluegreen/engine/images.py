"""Images: what is there, what is used, and tags that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

from bluegreen.engine.answers import image_facts
from bluegreen.engine.connection import Connection
from bluegreen.engine.pull import Progress, refusal
from bluegreen.errors import EngineError, EngineUnreachable
from bluegreen.model import ImageFacts
from bluegreen.ports import Line


class Images(Connection):
    def image(self, ref: str) -> ImageFacts | None:
        answer = self.find(f"inspect the image {ref}", lambda: self.api.inspect_image(ref))
        return None if answer is None else image_facts(answer)

    def images(self, repository: str) -> tuple[ImageFacts, ...]:
        listed = self._listed({"reference": repository})
        return self._inspected(
            entry["Id"]
            for entry in listed
            if any(tag.startswith(f"{repository}:") for tag in entry.get("RepoTags") or ())
        )

    def dangling(self, labels: Mapping[str, str]) -> tuple[ImageFacts, ...]:
        wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
        listed = self._listed({"dangling": True, "label": wanted})
        return self._inspected(entry["Id"] for entry in listed)

    def images_in_use(self) -> frozenset[str]:
        listed = self.read("list containers", lambda: self.api.containers(all=True))
        return frozenset(entry["ImageID"] for entry in listed)

    def pull(self, ref: str, say: Line) -> None:
        """With the operator's own login, credential helpers too, as `docker pull` does it."""
        progress = Progress(ref, say)
        repository, tag = split(ref)
        try:
            self.once(f"pull {ref}", lambda: self._pull(repository, tag, progress))
        except EngineUnreachable:
            raise
        except EngineError as error:
            raise refusal(ref, error.status, error.message) from None
        if progress.error:
            raise refusal(ref, 0, progress.error)
        if self.image(ref) is None:
            raise EngineError(f"the engine pulled {ref}, and it is not there now", status=404)

    def _pull(self, repository: str, tag: str, progress: Progress) -> None:
        with closing(self.api.pull(repository, tag=tag, stream=True, decode=True)) as stream:
            for message in stream:
                progress.take(message)

    def tag(self, image_id: str, ref: str) -> None:
        repository, tag = split(ref)
        try:
            self.write(f"tag {image_id} as {ref}", lambda: self.api.tag(image_id, repository, tag))
        except EngineUnreachable:
            now = self.image(ref)
            if now is None or now.id != image_id:
                raise

    def remove_image(self, ref: str) -> None:
        try:
            self.write(f"remove the image {ref}", lambda: self.api.remove_image(ref))
        except EngineUnreachable:
            if self.image(ref) is not None:
                raise
        except EngineError as error:
            if error.status != 404:
                raise

    def import_image(self, tar: Iterable[bytes], ref: str, changes: tuple[str, ...]) -> str:
        repository, tag = split(ref)
        answer = self.write(
            f"import {ref}",
            lambda: self.api.import_image_from_data(
                iter(tar), repository=repository, tag=tag, changes=list(changes)
            ),
        )
        for message in _messages(answer):
            if reason := (message.get("errorDetail") or {}).get("message"):
                raise EngineError(f"the engine could not import {ref}: {reason}")
        made = self.image(ref)
        if made is None:
            raise EngineError(f"the engine imported {ref}, and it is not there now", status=404)
        return made.id

    def _listed(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.read(
            "list images", lambda: self.api.images(filters=dict(filters))
        )
        return listed

    def _inspected(self, ids: Iterable[str]) -> tuple[ImageFacts, ...]:
        seen = (self.image(identity) for identity in dict.fromkeys(ids))
        return tuple(facts for facts in seen if facts is not None)


def split(ref: str) -> tuple[str, str]:
    """Repository and tag, or repository and digest; "latest" is what the engine takes for none."""
    repository, at, digest = ref.rpartition("@")
    if at:
        # repo:tag@digest: the digest alone says which.
        name, colon, tag = repository.rpartition(":")
        return (name if colon and "/" not in tag else repository), digest
    repository, colon, tag = ref.rpartition(":")
    if colon and "/" not in tag:
        return repository, tag
    return ref, "latest"


def _messages(answer: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.splitlines() if line.strip()]
