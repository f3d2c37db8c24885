"""Files that are read while their writers add to them, and those to which nothing is added any more; pure but for the times it is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_agent.watch.listing import FoundFile


@dataclass(slots=True)
class Following:
    """Each file's last state, and since when it stands so."""

    _since_s: dict[str, tuple[FoundFile, float]] = field(default_factory=dict)

    def note(self, file: FoundFile, now_s: float) -> None:
        """A file's writer had it open at `now_s`."""
        before = self._since_s.get(file.path)
        if before is None or (before[0].size, before[0].mtime_ns) != (file.size, file.mtime_ns):
            self._since_s[file.path] = (file, now_s)

    def drop(self, path: str) -> None:
        """The file is closed, or gone."""
        self._since_s.pop(path, None)

    def left_open(self, before_s: float) -> list[str]:
        """Files to which nothing was added since `before_s`: each is told once, until something is."""
        left = [path for path, (_, since_s) in self._since_s.items() if since_s <= before_s]
        for path in left:
            del self._since_s[path]
        return left
