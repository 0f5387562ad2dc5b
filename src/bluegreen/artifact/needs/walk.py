"""From the page to every file that it needs, along names that are certain."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from bluegreen.artifact.needs import manifests, page
from bluegreen.artifact.needs.address import at, file_of, resolved
from bluegreen.artifact.needs.named import Kind, Named
from bluegreen.artifact.needs.page import Link, Page, Role

#: What a build names itself, so that the address tells where it is made to be served.
_BUILT = frozenset({Role.MODULE, Role.SCRIPT, Role.STYLE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A file that the site needs; `by`: the chain of files that leads to it, the page first."""

    url: str  # as the page, or the file before it, has it
    path: str  # below the web root
    role: Role
    by: tuple[str, ...]

    @property
    def chain(self) -> str:
        return " → ".join((*self.by, self.path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    page_url: str  # where the page is served
    prefix: str  # what stands before the paths in the page and not in the files; "" = nothing
    present: tuple[Need, ...]
    missing: tuple[Need, ...]
    readable: bool = True  # else the page could not be parsed within bounds
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What is known of a web root, as far as it matters here."""

    files: Collection[str]
    kept: Mapping[str, bytes]
    named: Mapping[str, tuple[Named, ...]]


def of_index(root: Root, index: str, hosts: frozenset[str] = frozenset()) -> Needs:
    """What the page at `index` needs, and what of it is not there.

    Where every fixed address of the page misses and all are there without a common first
    part ("/app/"), the site is made to be served below it: its URLs stay as the page has
    them, its files are looked for without it.
    """
    source = root.kept.get(index, b"")
    found = page.read(source, index_url(index), hosts)
    prefix = base_prefix(found.links, root.files)
    if prefix:
        found = page.read(source, prefix + index_url(index)[1:], hosts)
    walk = _Walk(root, found, prefix, index, hosts)
    walk.run()
    notes = list(walk.notes)
    if prefix:
        notes.append(f"made to be served below {prefix}: its files are asked for there")
    return Needs(
        page_url=prefix + index_url(index)[1:] if prefix else index_url(index),
        prefix=prefix,
        present=tuple(need for need in walk.needs.values() if need.path in root.files),
        missing=tuple(need for need in walk.needs.values() if need.path not in root.files),
        readable=found.readable,
        notes=tuple(notes),
    )


def index_url(index: str) -> str:
    """Where a web server shows the index: `index.html` is its folder's page."""
    folder, _, name = index.rpartition("/")
    prefix = f"/{folder}/" if folder else "/"
    return prefix if name == "index.html" else prefix + name


def base_prefix(links: tuple[Link, ...], files: Collection[str]) -> str:
    """ "/app/" where the page's addresses all start with it and the files do not; else ""."""
    urls = [link.url for link in links if link.fixed and link.role in _BUILT]
    if not urls or any(file_of(url) in files for url in urls):
        return ""
    first, *rest = [url.split("/")[1:-1] for url in urls]
    common = list(first)
    for folders in rest:
        same = 0
        while same < min(len(common), len(folders)) and common[same] == folders[same]:
            same += 1
        del common[same:]
    for length in range(1, len(common) + 1):
        prefix = f"/{'/'.join(common[:length])}/"
        if all(file_of(url.removeprefix(prefix)) in files for url in urls):
            return prefix
    return ""


class _Walk:
    def __init__(
        self, root: Root, found: Page, prefix: str, index: str, hosts: frozenset[str]
    ) -> None:
        self._root = root
        self._page = found
        self._prefix = prefix
        self._index = index
        self._hosts = hosts
        self._later: deque[Need] = deque()
        self.needs: dict[str, Need] = {}
        self.notes: list[str] = []

    def run(self) -> None:
        self._later.extend(self._of_page())
        while self._later:
            need = self._later.popleft()
            if need.url not in self.needs:
                self.needs[need.url] = need
                self._later.extend(self._named_by(need))

    def _of_page(self) -> Iterator[Need]:
        by = (self._index,)
        for link in self._page.links:
            yield self._need(link.url, link.role, by)
        for named in self._page.inline:
            yield from self._imported(named, self._page.base, by)
        yield from self._by_vite()
        for address in self._page.imports.targets():
            if (url := resolved(address, self._page.base, self._hosts)) is not None:
                yield self._need(url, Role.MODULE, (*by, "its import map"))

    def _need(self, url: str, role: Role, by: tuple[str, ...]) -> Need:
        return Need(url=url, path=self._file(url), role=role, by=by)

    def _file(self, url: str) -> str:
        path = file_of(url)
        if self._prefix and path not in self._root.files and url.startswith(self._prefix):
            return file_of(url.removeprefix(self._prefix))
        return path

    def _named_by(self, need: Need) -> Iterator[Need]:
        by = (*need.by, need.path)
        if need.role is Role.WEB_MANIFEST:
            for name in manifests.web_icons(self._root.kept.get(need.path, b"")):
                if (url := resolved(name, at(need.url), self._hosts)) is not None:
                    yield self._need(url, Role.OTHER, by)
        for named in self._root.named.get(need.path, ()):
            if named.kind in (Kind.STYLE, Kind.RESOURCE):
                yield from self._styled(named, need, by)
            elif named.kind is Kind.DYNAMIC or need.role is Role.MODULE:
                yield from self._imported(named, at(need.url), by)

    def _styled(self, named: Named, need: Need, by: tuple[str, ...]) -> Iterator[Need]:
        if named.text.startswith("#"):
            return  # a part of the document itself
        url = resolved(named.text, at(need.url), self._hosts)
        if url is not None:
            role = Role.STYLE if named.kind is Kind.STYLE else Role.OTHER
            yield self._need(url, role, by)

    def _imported(self, named: Named, referrer: str, by: tuple[str, ...]) -> Iterator[Need]:
        address = self._page.imports.address(named.text, referrer)
        url = resolved(address, referrer, self._hosts) if address else None
        if url is None:
            return
        need = self._need(url, Role.MODULE, by)
        # A name without a suffix is the server's to complete: nothing certain.
        if need.path in self._root.files or posixpath.splitext(need.path)[1]:
            yield need

    def _by_vite(self) -> Iterator[Need]:
        """Every file of Vite's own manifest, where it is of the build that made the page."""
        for path in manifests.VITE_PATHS:
            entries = manifests.vite_entries(self._root.kept.get(path, b""))
            if not entries:
                continue
            built = [str(chunk["file"]) for chunk in entries.values()]
            if (base := self._base_of(built)) is None:
                self.notes.append(f"{path} is of another build than {self._index}: not used")
                continue
            for file in manifests.vite_files(entries):
                if (url := resolved(file, at(base), self._hosts)) is not None:
                    yield self._need(url, _role_of(file), (self._index, path))

    def _base_of(self, built: Iterable[str]) -> str | None:
        """What the page puts before a file that the build made; None where it names none."""
        urls = [link.url for link in self._page.links]
        for file in built:
            for url in urls:
                if url.endswith(f"/{file}"):
                    return url[: -len(file)]
        return None


def _role_of(file: str) -> Role:
    if file.endswith((".js", ".mjs")):
        return Role.MODULE
    return Role.STYLE if file.endswith(".css") else Role.OTHER
