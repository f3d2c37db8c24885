"""The committed split: which image is for training, calibration or test, by independent source and never by crop."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from pathlib import Path

Side = Literal["train", "calibration", "test", "unseen"]
SIDES: tuple[Side, ...] = ("train", "calibration", "test")


class SplitError(EdgeAgentError):
    """A split that leaks, is unbalanced or cannot be read."""


class SplitEntry(BaseModel):
    """One image: its path relative to the data folder, its lot, the sample imaged, and the group that never stands on two sides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    lot: str
    sample: str
    group: str
    side: Side


class Split(BaseModel):
    """Every image's side; refuses a group on two sides, a sample in two groups, a lot missing from a side, and repeated paths."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    name: str
    rule: str
    images: tuple[SplitEntry, ...]

    @model_validator(mode="after")
    def _refuse_leaks(self) -> Self:
        repeated = [path for path, count in Counter(entry.path for entry in self.images).items() if count > 1]
        if repeated:
            msg = f"{repeated[0]} stands twice"
            raise ValueError(msg)
        sides: dict[tuple[str, str], set[str]] = defaultdict(set)
        groups: dict[tuple[str, str], set[str]] = defaultdict(set)
        lots: dict[str, set[str]] = defaultdict(set)
        for entry in self.images:
            sides[entry.lot, entry.group].add(entry.side)
            groups[entry.lot, entry.sample].add(entry.group)
            lots[entry.lot].add(entry.side)
        for (lot, group), found in sides.items():
            if len(found) > 1:
                msg = f"group {group} of lot {lot} stands on two sides: {', '.join(sorted(found))}"
                raise ValueError(msg)
        for (lot, sample), within in groups.items():
            if len(within) > 1:
                msg = f"sample {sample} of lot {lot} belongs to two groups: {', '.join(sorted(within))}"
                raise ValueError(msg)
        for lot, found in lots.items():
            absent = set(SIDES) - found
            if found != {"unseen"} and (absent or "unseen" in found):
                msg = f"lot {lot} has too few sources: nothing for {', '.join(sorted(absent)) or 'training alone'}"
                raise ValueError(msg)
        return self

    @property
    def lots(self) -> tuple[str, ...]:
        """The lots that are trained on, sorted."""
        return tuple(sorted({entry.lot for entry in self.images if entry.side != "unseen"}))

    def on(self, side: Side) -> tuple[SplitEntry, ...]:
        """The images of one side, in the file's order."""
        return tuple(entry for entry in self.images if entry.side == side)

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Images and independent groups by lot and side."""
        table: dict[str, dict[str, dict[str, int]]] = {}
        for lot in sorted({entry.lot for entry in self.images}):
            chosen = [entry for entry in self.images if entry.lot == lot]
            table[lot] = {
                side: {
                    "images": sum(entry.side == side for entry in chosen),
                    "groups": len({entry.group for entry in chosen if entry.side == side}),
                }
                for side in sorted({entry.side for entry in chosen})
            }
        return table


def load_split(path: Path) -> Split:
    """Read and check a split file; raise SplitError."""
    try:
        return Split.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SplitError(str(path), f"cannot be read ({error.strerror})", "name the split file in the recipe") from error
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise SplitError(str(path), reason, "mend the split so that every group has one side and every lot all three") from error
