"""Puts hostile files before the real decoder pool, one after another, and says where the invariant does not hold.

The invariant: the agent lives, its memory and the decoder's stay under a bound, every file ends scored or quarantined with a known
reason and one clear line, in bounded time; no other file is opened; and a good file that follows is read.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_agent.core.errors import QUARANTINE_REASONS, FrameRejectedError
from edge_agent.frames import DecodeLimits, DecoderPool, completeness, content_hash
from edge_agent.frames.process import START_S
from tests.hostile.hdf5 import SECRET
from tests.hostile.seed import CannotBeMadeError
from tests.hostile_files import micrograph, tiff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_agent.core.portion import Portion
    from tests.hostile.seed import Hostile

LOOK_S = 1.0
"""Processor seconds that a look at one file may take in the agent's own process."""
LINE_LENGTH = 1000
"""Characters of the longest line about one file that is still clear."""
MOST_METADATA = 1 << 18
"""Characters of metadata that one frame may bring into the agent."""
MOST_PORTIONS = 3
"""Portions of a stack that are read."""
GOOD_EVERY = 50
GOOD = tiff(micrograph())
SCORED = "scored"


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of one file.

    Attributes:
        outcome: "scored", or the reason it was refused for.
        took_s: wall seconds to decode it.
        look_s: processor seconds that the agent's own look took.
        decoder_bytes: the decoder's largest resident memory meanwhile; 0 where it is not known.
        lost: whether a decoder was lost over it.
        complaints: where the invariant does not hold.
    """

    hostile: Hostile
    outcome: str
    took_s: float
    look_s: float
    decoder_bytes: int
    lost: bool
    complaints: tuple[str, ...] = ()


@dataclass(slots=True)
class Bench:
    """One folder, one decoder pool.

    Attributes:
        folder: an empty one of its own.
        limits: what a file may cost.
        grown_bytes: the most that looking at one file, and holding what came of it, made this process grow.
    """

    folder: Path
    limits: DecodeLimits = field(default_factory=DecodeLimits)
    grown_bytes: int = 0
    _beside: dict[str, bytes] = field(default_factory=dict)

    async def run(self, corpus: Iterable[Hostile]) -> list[Examined]:
        """Examine each file; the last entry's complaints include a good file that was not read any more."""
        pool = DecoderPool(limits=self.limits)
        found = []
        try:
            for number, hostile in enumerate(corpus, 1):
                with contextlib.suppress(CannotBeMadeError):
                    found.append(await self._examine(pool, hostile, then_good=number % GOOD_EVERY == 0))
        finally:
            await pool.close()
        return found

    async def _examine(self, pool: DecoderPool, hostile: Hostile, *, then_good: bool) -> Examined:
        path = self._put(hostile)
        _forget_peak("self")
        before_bytes = _peak("self")
        before = time.thread_time()
        complaints = []
        try:
            completeness(path)
        except Exception as error:  # noqa: BLE001 - whatever it is, the agent would have died of it
            complaints.append(f"the look raised {error!r}")
        look_s = time.thread_time() - before
        if look_s > LOOK_S:
            complaints.append(f"the look took {look_s:.1f} s")
        for pid in pool.process_ids:
            _forget_peak(str(pid))
        before_ids, began = pool.process_ids, time.monotonic()
        try:
            complaints += await _read(pool, path, hostile.name)
            outcome = SCORED
        except FrameRejectedError as refused:
            outcome = refused.cause
            complaints += _about_refusal(refused, hostile.name)
        took_s = time.monotonic() - began
        decoder_bytes = max((_peak(str(pid)) for pid in pool.process_ids), default=0)
        self.grown_bytes = max(self.grown_bytes, _peak("self") - before_bytes)
        lost = bool(before_ids) and pool.process_ids != before_ids
        if took_s > 2 * (self.limits.time_s + START_S):
            complaints.append(f"it took {took_s:.0f} s")
        if then_good or lost:
            complaints += await self._good(pool)
        return Examined(hostile, outcome, took_s, look_s, decoder_bytes, lost, tuple(complaints))

    async def _good(self, pool: DecoderPool) -> list[str]:
        path = self.folder / "good.tif"
        path.write_bytes(GOOD)
        try:
            await pool.read(str(path), "good.tif")
        except FrameRejectedError as refused:
            return [f"the good file that followed was refused: {refused}"]
        return []

    def _put(self, hostile: Hostile) -> Path:
        for name in self._beside.keys() - hostile.beside.keys():
            (self.folder / name).unlink(missing_ok=True)
        for name, content in hostile.beside.items():
            if self._beside.get(name) != content:
                (self.folder / name).write_bytes(content)
        self._beside = dict(hostile.beside)
        path = self.folder / hostile.name
        path.write_bytes(hostile.make())
        self._beside[hostile.name] = b""
        return path


async def _read(pool: DecoderPool, path: Path, name: str) -> list[str]:
    """Read the first portions of a file; raises FrameRejectedError where the first is refused."""
    complaints: list[str] = []
    first = 0
    for number in range(MOST_PORTIONS):
        try:
            portion = await pool.read(str(path), name, first)
        except FrameRejectedError as refused:
            if number == 0:
                raise
            return [*complaints, *_about_refusal(refused, name)]
        complaints += _about(portion)
        if portion.next_first is None:
            break
        if portion.next_first <= first:
            complaints.append(f"its portions do not end: after frame {first} comes {portion.next_first}")
            break
        first = portion.next_first
    return complaints


def _about(portion: Portion) -> list[str]:
    complaints = []
    if any(frame.content_hash == content_hash(SECRET) for frame in portion.frames):
        complaints.append("it made the decoder read another file")
    if not (portion.frames or portion.refused or portion.growing):
        complaints.append("neither scored nor refused")
    if not all(frame.pixels.size and np.isfinite(frame.pixels).all() for frame in portion.frames):
        complaints.append("scored without pixels")
    for refused in portion.refused:
        if refused.cause not in QUARANTINE_REASONS or not refused.reason.isprintable():
            complaints.append(f"frame {refused.frame_index} is refused for {refused.cause}: {refused.reason[:300]!r}")
    for frame in portion.frames[:1]:
        acquisition = frame.acquisition
        texts = (acquisition.sample_id, acquisition.instrument, acquisition.detector)
        if any(len(text or "") > LINE_LENGTH for text in texts):
            complaints.append(f"an identifier of {max(len(text or '') for text in texts)} characters")
        told = sum(len(key) + len(value) for key, value in acquisition.extra.items())
        if told > MOST_METADATA:
            complaints.append(f"{told} characters of metadata")
    return complaints


def _about_refusal(refused: FrameRejectedError, name: str) -> list[str]:
    complaints = []
    line = str(refused)
    if refused.cause not in QUARANTINE_REASONS:
        complaints.append(f"{refused.cause} is no reason")
    if not line.isprintable() or len(line) > LINE_LENGTH or not line.startswith(name) or not refused.remedy:
        complaints.append(f"no clear line: {line[:300]!r} ({len(line)} characters)")
    return complaints


def _peak(pid: str) -> int:
    """A process's largest resident memory since `_forget_peak`, bytes; 0 where /proc does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return 0


def _forget_peak(pid: str) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def table(examined: Iterable[Examined]) -> str:
    """By format: files, scored, by reason, decoders lost, slowest, largest memory."""
    rows: dict[str, list[Examined]] = {}
    for one in examined:
        rows.setdefault(one.hostile.seed.form, []).append(one)
    lines = [f"{'format':<16}{'files':>7}{'scored':>8}{'lost':>6}{'slowest':>9}{'look':>7}{'decoder':>9}  refused"]
    for form, of in sorted(rows.items()):
        counts = Counter(one.outcome for one in of)
        refused = ", ".join(f"{cause} {number}" for cause, number in counts.most_common() if cause != SCORED)
        lines.append(
            f"{form:<16}{len(of):>7}{counts[SCORED]:>8}{sum(one.lost for one in of):>6}{max(one.took_s for one in of):>8.1f}s"
            f"{max(one.look_s for one in of):>6.2f}s{max(one.decoder_bytes for one in of) / 1e6:>7.0f}MB  {refused}"
        )
    return "\n".join(lines)
