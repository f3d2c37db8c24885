"""Evidence that the stream has changed: Shiryaev-Roberts sums over samples, in frames between false alarms.

One chain watches one component in one direction. When a sample begins, it earns as much as frames were taken since the last one began; then
everything held is multiplied by the sample's likelihood ratio, changed over unchanged, which is renewed with every frame of the sample:

    R_n(k) = (R_{n-1} + frames of sample n-1) * LR_n(k)

Were the random-effects model of `edge_agent.drift.tables` known, LR, that of the mean of k frames, would be a martingale of mean one in k:
E[R] would never exceed the frames taken, and so the mean number of frames until R reaches A would be at least A, however often one looks
(optional stopping; Shiryaev 1963, Pollak 1985; as e-detectors: Shin, Ramdas & Rinaldo, arXiv 2309.09111). That holds for samples of five
frames as for samples of three hundred, which is why frames are earned, not samples; a component that a sample does not tell earns none.

The judge is near to that, no more. Spread and centre are estimated, and the same error meets every sample of a lot: Student's tails and
CAUTION see to errors of the usual size, not to a centre that is two standard errors off. The farthest frame is tamed and a first one
cut off, which makes LR smaller on the side where it is large. From nine frames on the mean goes on while its spread stays that of eight: a
low LR then drifts back towards one. Drawn from the model, LR passes x within 8 frames of a sample in less than 0.41 / x of samples, and
within 300 in less than 0.44 / x, where the bound is 1 / x (x from 3 to 100); see LOOSENESS in `edge_agent.drift.thresholds`.

A mean of chains is as good as a chain; `Evidence` takes one over both directions, all components, and two layers: samples against
their lot, and blocks of a long sample against its own beginning, where the sample's peculiarities cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.drift.components import COMPONENTS
from edge_agent.drift.likelihood import BLOCK_TERMS, ratios
from edge_agent.drift.sample import BLOCK, PLACES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.sample import Sample
    from edge_agent.drift.tables import LotTable

CHAINS = 2 * len(COMPONENTS)
"""Upwards first, then downwards."""
WITHIN_SHARE = 0.2
"""Weight of the within-sample layer."""
ONSET_ODDS = math.log(3.0)
"""Logarithm of the odds from which earlier samples, too, are thought to be changed."""
STARTS = 4
"""Sample starts that are remembered as possible onsets; an older onset is told as the oldest of these."""


@dataclass(frozen=True, slots=True)
class Sign:
    """The strongest sign of change after a frame.

    Attributes:
        frames: the evidence, in frames between false alarms.
        place: the leading component.
        sign: +1 above, -1 below the usual.
        layer: sample, stream or contrast.
        score: the leading component's normal deviate in this sample, or of this block.
        onset: where it began, when that is not the current sample's first frame.
    """

    frames: float
    place: int
    sign: int
    layer: str
    score: float
    onset: FrameRef | None = None


NOTHING = Sign(0.0, 0, 1, "sample", 0.0)


@dataclass(slots=True)
class Evidence:
    """Chains over samples and over blocks within samples.

    Attributes:
        held: R of each chain over the samples that are over.
        block_held: R of each chain over blocks.
        since: logarithm of the likelihood ratio since the best onset of each chain (Page's sum), 0 where there is none.
        began: index into `starts` of that onset.
        starts: first frames of recent samples, oldest first.
        earned: frames of the last sample that is over; of one without a name, those since it last forgot, which are fewer.
    """

    held: list[float] = field(default_factory=lambda: [0.0] * CHAINS)
    block_held: list[float] = field(default_factory=lambda: [0.0] * CHAINS)
    since: list[float] = field(default_factory=lambda: [0.0] * CHAINS)
    began: list[int] = field(default_factory=lambda: [0] * CHAINS)
    starts: list[FrameRef] = field(default_factory=list)
    earned: int = 1

    def look(self, sample: Sample, scores: Sequence[float], table: LotTable) -> Sign:
        """The evidence if the current sample ended now; takes a block into account that was just filled."""
        contrasts = sample.contrasts(table)
        if contrasts is not None:
            told = [None if size is None else ratios(size, BLOCK_TERMS) for size in contrasts]
            blocks = zip(self.block_held, _both_ways(told), strict=True)
            self.block_held = [held if changed is None else _digits((held + BLOCK) * changed) for held, changed in blocks]
        held_and_changed = zip(self.held, likelihood_ratios(sample, scores, table), strict=True)
        running = [held if changed is None else (held + self.earned) * changed for held, changed in held_and_changed]
        over_samples, within = sum(running) / CHAINS, sum(self.block_held) / CHAINS
        frames = (1 - WITHIN_SHARE) * over_samples + WITHIN_SHARE * within
        if contrasts is not None and WITHIN_SHARE * within > (1 - WITHIN_SHARE) * over_samples:
            chain = max(range(CHAINS), key=self.block_held.__getitem__)
            place, sign = _watched(chain)
            return Sign(frames, place, sign, "contrast", contrasts[place] or 0.0, sample.block_first)
        chain = max(range(CHAINS), key=running.__getitem__)
        place, sign = _watched(chain)
        if self.starts and self.since[chain] > ONSET_ODDS:
            return Sign(frames, place, sign, "stream", scores[place], self.starts[self.began[chain]])
        return Sign(frames, place, sign, "sample", scores[place])

    def end_sample(self, sample: Sample, scores: Sequence[float], table: LotTable) -> None:
        """Take a finished sample; chains of components for which none of its frames counts stay as they are, and earn nothing."""
        self.starts.append(sample.first)
        newest = len(self.starts) - 1
        for chain, changed in enumerate(likelihood_ratios(sample, scores, table)):
            if changed is None:
                continue
            self.held[chain] = _digits((self.held[chain] + self.earned) * changed)
            if self.since[chain] <= 0.0:
                self.began[chain] = newest
            self.since[chain] = round(max(0.0, self.since[chain] + math.log(changed)), 3)
        if len(self.starts) > STARTS:
            del self.starts[0]
            self.began = [max(0, index - 1) for index in self.began]
        self.earned = sample.frames


def likelihood_ratios(sample: Sample, scores: Sequence[float], table: LotTable) -> list[float | None]:
    """Each chain's likelihood ratio for the current sample; None where none of its frames counts."""
    counts = [sample.counted(place) for place in PLACES]
    return _both_ways(
        [
            ratios(score, table.likelihood(place, frames)) if frames else None
            for place, (score, frames) in enumerate(zip(scores, counts, strict=True))
        ]
    )


def _both_ways(told: Sequence[tuple[float, float] | None]) -> list[float | None]:
    """Upward and downward ratios of each component in the chains' order."""
    return [None if pair is None else pair[way] for way in (0, 1) for pair in told]


def _watched(chain: int) -> tuple[int, int]:
    """A chain's component and direction."""
    return chain % len(COMPONENTS), 1 if chain < len(COMPONENTS) else -1


def _digits(value: float) -> float:
    """Four significant digits: what a restart reads is what was held."""
    return float(f"{min(value, 1e30):.4g}")
