"""The tree of a web root with its links, as a web server in the container walks it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping

#: Linux follows at most as many links for one path (path_resolution(7)).
_MOST_LINKS = 40
_DEEPEST = 256  # folders; a path has at most 4096 characters (PATH_MAX)


class Tree:
    """Links by their path below the root, and where the root is in the image."""

    def __init__(self, folder: str) -> None:
        self._root = _parts(folder)
        self._links: dict[str, str] = {}
        self._same: dict[str, str] = {}

    def link(self, path: str, target: str) -> None:
        self._same.pop(path, None)
        self._links[path] = target

    def same(self, path: str, first: str) -> None:
        """A hard link: `path` is the file that was packed as `first`."""
        self._links.pop(path, None)
        self._same[path] = first

    def served(
        self, files: Iterable[str], most: int
    ) -> tuple[dict[str, str] | None, dict[str, str]]:
        """Every path that leads to a file → the real file; and links that lead to none.

        None in place of the paths where they would be more than `most`: links to folders
        can stand for any number of them. A link to a folder that it lies in is not walked
        again, though a server would: it names nothing new.
        """
        real = {path: path for path in files}
        for path, first in self._same.items():
            if (source := real.get(first)) is not None:
                real[path] = source
        if not self._links:
            return (real if len(real) <= most else None), {}
        return _Walk(self, real, most).whole()

    def is_link(self, path: str) -> bool:
        return path in self._links

    def links(self) -> Mapping[str, str]:
        return self._links

    def leads_to(self, path: str) -> str | None:
        """The real path below the root; None where it is outside, or after too many links."""
        left = [*reversed(_parts(path))]
        at = list(self._root)
        followed = 0
        while left:
            part = left.pop()
            if part == "..":
                del at[-1:]
                continue
            at.append(part)
            below = self._below(at)
            if below is None or below not in self._links:
                continue
            followed += 1
            if followed > _MOST_LINKS:
                return None
            target = self._links[below]
            at = [] if target.startswith("/") else at[:-1]
            left += reversed(_parts(target))
        return self._below(at)

    def _below(self, at: list[str]) -> str | None:
        length = len(self._root)
        return "/".join(at[length:]) if at[:length] == self._root else None


class _Walk:
    def __init__(self, tree: Tree, real: Mapping[str, str], most: int) -> None:
        self._tree = tree
        self._real = real
        self._most = most
        self._children: dict[str, dict[str, None]] = {}
        for path in (*real, *tree.links()):
            self._enter(path)
        self.served: dict[str, str] = {}
        self.dead: dict[str, str] = {}

    def _enter(self, path: str) -> None:
        """Known to its folder, and each folder to the one above it."""
        while path:
            folder, _, name = path.rpartition("/")
            siblings = self._children.setdefault(folder, {})
            if name in siblings:
                return
            siblings[name] = None
            path = folder

    def whole(self) -> tuple[dict[str, str] | None, dict[str, str]]:
        stack: list[tuple[str, str, frozenset[str], int]] = [("", "", frozenset({""}), 0)]
        steps = 0
        while stack:
            shown, folder, above, links = stack.pop()
            for name in self._children.get(folder, ()):
                steps += 1
                if len(self.served) > self._most or steps > 4 * self._most:
                    return None, self.dead
                path = posixpath.join(folder, name)
                stack += self._take(posixpath.join(shown, name), path, above, links)
        return self.served, self.dead

    def _take(
        self, shown: str, path: str, above: frozenset[str], links: int
    ) -> Iterator[tuple[str, str, frozenset[str], int]]:
        if self._tree.is_link(path):
            target = self._tree.leads_to(path)
            links += 1
            if target is None or (target not in self._real and target not in self._children):
                if shown == path:
                    self.dead[path] = self._tree.links()[path]
                return
            path = target
        if path in self._real:
            self.served[shown] = self._real[path]
        elif path not in above and links <= _MOST_LINKS and len(above) < _DEEPEST:
            yield shown, path, above | {path}, links


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]
