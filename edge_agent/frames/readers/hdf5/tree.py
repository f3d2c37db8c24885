"""A walk through an HDF5 file that never leaves it: external links are noted and not followed, and the walk's length is bounded.

A link decides what is opened, so each is looked at before it is: h5py by itself would follow one into any file that the agent may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge_agent.frames.refusal import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OBJECTS = 20_000
DEEPEST = 24
MOST_SOFT_LINKS = 16
"""Soft links that may lead to each other."""


class Tree:
    """The objects of an open file.

    Args:
        file: an h5py.File.
        name: what refusals call it.

    Attributes:
        elsewhere: names of other files that its links point to.
    """

    def __init__(self, file: Any, name: str) -> None:
        import h5py  # noqa: PLC0415 - a decoder loads only what its files need

        self._h5py = h5py
        self.root = file["/"]
        self.name = name
        self.elsewhere: list[str] = []
        self._looked_at = 0

    def is_group(self, found: Any) -> bool:
        """Whether an object is a group."""
        return isinstance(found, self._h5py.Group)

    def is_dataset(self, found: Any) -> bool:
        """Whether an object is a dataset."""
        return isinstance(found, self._h5py.Dataset)

    def child(self, group: Any, name: str, soft_links_left: int = MOST_SOFT_LINKS) -> Any:
        """The object that a group's link leads to; None where it leads nowhere, or out of the file."""
        self._count()
        links, link = group.id.links, name.encode("utf-8", "surrogateescape")
        if name in {"", "."} or "/" in name or not links.exists(link):
            return None
        kind = links.get_info(link).type
        if kind == self._h5py.h5l.TYPE_HARD:
            return group[name]
        if kind == self._h5py.h5l.TYPE_SOFT and soft_links_left > 0:
            return self.at(links.get_val(link).decode("utf-8", "surrogateescape"), group, soft_links_left - 1)
        if kind == self._h5py.h5l.TYPE_EXTERNAL:
            self._note(links.get_val(link)[0].decode("utf-8", "replace"))
        return None

    def at(self, path: str, start: Any = None, soft_links_left: int = MOST_SOFT_LINKS) -> Any:
        """The object at a path, step by step, from `start` or the root; None where there is none within the file."""
        place = self.root if start is None or path.startswith("/") else start
        for step in path.split("/"):
            if step in {"", "."}:
                continue
            if not self.is_group(place):
                return None
            place = self.child(place, step, soft_links_left)
        return place

    def children(self, group: Any) -> Iterator[tuple[str, Any]]:
        """A group's links that lead to an object within the file, by name."""
        for name in sorted(group.keys()):
            found = self.child(group, name)
            if found is not None:
                yield name, found

    def walk(self, top: Any = None) -> Iterator[tuple[str, Any]]:
        """Every object below `top`, or the root, once, with its path from there; groups before what they hold."""
        top = self.root if top is None else top
        seen = {self._identity(top)}
        waiting: list[tuple[str, Any]] = [("", top)]
        while waiting:
            path, group = waiting.pop()
            further = []
            for name, found in self.children(group):
                identity = self._identity(found)
                if identity in seen:
                    continue
                seen.add(identity)
                yield f"{path}/{name}", found
                if self.is_group(found) and path.count("/") < DEEPEST:
                    further.append((f"{path}/{name}", found))
            waiting += reversed(further)

    def datasets(self) -> list[tuple[str, Any]]:
        """Every dataset with its path."""
        return [(path, found) for path, found in self.walk() if self.is_dataset(found)]

    def note_elsewhere(self, dataset: Any) -> bool:
        """Whether a dataset's values lie in other files, and note which."""
        if dataset.is_virtual:
            for source in dataset.virtual_sources():
                self._note(str(source.file_name))
            return True
        for file_name, *_ in dataset.external or ():
            self._note(str(file_name))
        return bool(dataset.external)

    def _note(self, file_name: str) -> None:
        if file_name not in self.elsewhere and len(self.elsewhere) < DEEPEST:
            self.elsewhere.append(file_name)

    def _count(self) -> None:
        self._looked_at += 1
        if self._looked_at > MOST_OBJECTS:
            refuse(self.name, "unsupported", f"holds more than {MOST_OBJECTS} objects")

    def _identity(self, found: Any) -> Any:
        return self._h5py.h5o.get_info(found.id).addr


def text(value: Any) -> str | None:
    """An attribute or a scalar dataset's value as text; None of anything that is none."""
    if hasattr(value, "shape") and getattr(value, "size", 0) == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    found = value.strip().strip("\x00 ") if isinstance(value, str) else ""
    return found or None
