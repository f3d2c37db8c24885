"""What really lay in the folder: every content of every file, as its writer knows it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCORED, OPTIONAL, QUARANTINED = "scored", "optional", "quarantined"
UNREADABLE = "unreadable"
"""The one reason for which a good file may end in quarantine: its own folder was locked while it was to be read."""


@dataclass
class Version:
    """One content of one file.

    Attributes:
        path: relative to the folder.
        number: place among the path's contents, from 0.
        content_hash: SHA-256 of its pixels; "" for what is no image.
        fate: `scored`: it must be, once; `optional`: it was replaced, renamed or deleted before it had been read, so that it may be, once;
            `quarantined`: it must be, for one of the path's `excuses`.
        recipe: what `microscope.picture` draws it from again.
        at_s: when it was whole, seconds since the run began.
    """

    path: str
    number: int
    content_hash: str
    fate: str
    recipe: tuple[float, ...]
    at_s: float


@dataclass
class Truth:
    """Every version by path, and the reasons for which a path may be in quarantine."""

    versions: dict[str, list[Version]] = field(default_factory=dict)
    excuses: dict[str, set[str]] = field(default_factory=dict)

    def add(self, path: str, content_hash: str, fate: str, recipe: tuple[float, ...], at_s: float) -> Version:
        """The path's next content."""
        known = self.versions.setdefault(path, [])
        known.append(Version(path, len(known), content_hash, fate, recipe, at_s))
        return known[-1]

    def excuse(self, path: str, *reasons: str) -> None:
        """From now on the path may be quarantined for these reasons."""
        self.excuses.setdefault(path, set()).update(reasons)

    def excuse_below(self, folder: str, reason: str) -> None:
        """As `excuse`, for every path in `folder`."""
        for path in [path for path in self.versions if path.startswith(f"{folder}/")]:
            self.excuse(path, reason)

    @property
    def files(self) -> int:
        """Paths ever written."""
        return len(self.versions)

    def save(self, path: Path) -> None:
        """Write it down, so that a run can be checked again."""
        whole = {
            "versions": [asdict(version) for versions in self.versions.values() for version in versions],
            "excuses": {path: sorted(reasons) for path, reasons in self.excuses.items()},
        }
        path.write_text(json.dumps(whole))

    @classmethod
    def load(cls, path: Path) -> Truth:
        """What `save` wrote."""
        whole = json.loads(path.read_text())
        truth = cls(excuses={name: set(reasons) for name, reasons in whole["excuses"].items()})
        for each in whole["versions"]:
            version = Version(**{**each, "recipe": tuple(each["recipe"])})
            truth.versions.setdefault(version.path, []).append(version)
        return truth
