"""Normal frames of known lots: from a folder, or from a period of the journal in which samples' lots were declared."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from edge_agent.agent.compose import find_served_model
from edge_agent.agent.past import files_in, line_on
from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.journal.history import JournalHistory
from edge_agent.pipeline import read_files, recorded_observations

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_agent.config import Settings, StreamSettings
    from edge_agent.core.verdict import Observation
    from edge_agent.pipeline import Period

SampleKey: TypeAlias = tuple[str, str]
"""A lot and the name of one of its samples."""

REJECTED = "files that cannot be read"
REFUSED = "frames of stacks that cannot be used"
LACKING = "frames that members were left out of"
NO_LOT = "frames whose lot is not known"
NO_SAMPLE = "frames that belong to no sample"
DECLARES_NONE = frozenset({"predicted", "none"})
"""Rules for a lot under which no frame declares one."""


@dataclass(frozen=True, slots=True)
class NormalFrame:
    """One scored frame, and the hash of the pixels it was scored on."""

    observation: Observation
    content_hash: str


@dataclass(slots=True)
class Material:
    """What there is to calibrate with.

    Attributes:
        root: the folder that paths are relative to.
        source: where it comes from, in words.
        samples: each sample's frames, in the order in which they were taken.
        left_out: what cannot be used, with numbers, by reason.
    """

    root: Path
    source: str
    samples: dict[SampleKey, list[NormalFrame]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def lots(self) -> dict[str, list[SampleKey]]:
        """Each lot's samples, by name."""
        held: dict[str, list[SampleKey]] = defaultdict(list)
        for key in sorted(self.samples):
            held[key[0]].append(key)
        return dict(held)

    def add(self, lot: str | None, sample: str | None, frame: NormalFrame) -> None:
        """Take a frame, or count why not."""
        score = frame.observation.score
        if score.members_missing or score.members_stale:
            self.left_out[LACKING] += 1
        elif lot is None:
            self.left_out[NO_LOT] += 1
        elif sample is None:
            self.left_out[NO_SAMPLE] += 1
        else:
            self.samples[lot, sample].append(frame)

    def without(self, names: Sequence[str]) -> Material:
        """All but the samples of these names; raises ConfigurationError for a name that no sample has."""
        known = {sample for _, sample in self.samples}
        for name in names:
            if name not in known:
                raise ConfigurationError(f"--exclude {name}", "there is no such sample", f"known: {', '.join(sorted(known))}")
        kept = {key: frames for key, frames in self.samples.items() if key[1] not in names}
        return Material(self.root, self.source, kept, Counter(self.left_out))

    def check(self, way_out: str) -> None:
        """Raises EdgeAgentError when there is nothing to calibrate with."""
        if not self.samples:
            why = ", ".join(f"{number} {reason}" for reason, number in self.left_out.items()) or "it is empty"
            raise EdgeAgentError(self.source, f"holds no frame to calibrate with ({why})", way_out)


def from_folder(settings: Settings, stream: StreamSettings, folder: Path, on_file: Callable[[], None]) -> Material:
    """Read and score `folder`: lots and samples by the stream's rules; where it declares no lots, as DIR/<lot>/<sample>/...

    Raises ConfigurationError, ModelError, or EdgeAgentError where no frame can be used.
    """
    return asyncio.run(_from_folder(settings, stream, folder, on_file))


async def _from_folder(settings: Settings, stream: StreamSettings, folder: Path, on_file: Callable[[], None]) -> Material:
    material = Material(folder, str(folder))
    files = files_in(stream, folder)
    async with line_on(settings, stream, folder) as line:
        async for read in read_files(line, files):
            if read.rejected is not None:
                material.left_out[REJECTED] += 1
            if read.refused:
                material.left_out[REFUSED] += len(read.refused)
            for frame, observation in zip(read.frames, read.observations, strict=True):
                lot, sample = observation.declared_lot, observation.ref.sample
                if stream.lot in DECLARES_NONE:
                    lot, sample = _by_folder(read.file.path)
                material.add(lot, sample, NormalFrame(observation, frame.content_hash))
            if not read.more:
                on_file()
    material.check("put frames into DIR/<lot>/<sample>/, or set the stream's lot so that it tells a frame's lot")
    return material


def _by_folder(path: str) -> tuple[str | None, str | None]:
    """Lot and sample of a frame at <lot>/<sample>/...; a sample's name holds its lot's.

    >>> _by_folder("ebc/A17/scan/1.tif"), _by_folder("ebc/1.tif"), _by_folder("1.tif")
    (('ebc', 'ebc/A17'), ('ebc', None), (None, None))
    """
    lot, *rest = path.split("/")
    if not rest:
        return None, None
    return lot, f"{lot}/{rest[0]}" if len(rest) > 1 else None


def from_journal(settings: Settings, stream: StreamSettings, period: Period, on_frame: Callable[[], None]) -> Material:
    """The period's frames whose lots were declared, as they were scored; no pixel is read, a running agent is not disturbed.

    Raises JournalError, ModelError, or EdgeAgentError where no frame can be used.
    """
    model = find_served_model(settings, stream)
    history = JournalHistory(settings.agent.place)
    frames = history.kept_frames(stream.name, history.past(stream.name).last_row)
    material = Material(stream.path, f"the journal of stream {stream.name}")
    for kept, observation in recorded_observations(frames, model.manifest.identity, None, period, material.left_out):
        if period.holds(observation.ref.at):
            material.add(observation.declared_lot, observation.ref.sample, NormalFrame(observation, kept.content_hash))
        on_frame()
    material.check("declare lots with the stream's lot rule, widen --since and --until, or calibrate from a folder with --from")
    return material
