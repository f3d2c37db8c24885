"""Samples that come back: a stage that visits a few specimens in turn images few samples, however often it changes.

The frames of every visit share the sample's peculiarities. Taken for another sample each time, one that lies a standard deviation off its
lot would add up over its visits like a change of the instrument: two samples frame by frame in turn gave an alarm in 450 frames. So a
sample that comes back before SAMPLES others have come goes on: what it has added to the evidence, its likelihood ratio, is taken back
and that of all its frames is put in its place. The quotient of the two has mean one given everything before, as nearly as LR itself, so
that the bound of `edge_agent.drift.evidence` holds in frames as before. A name that comes back later, in weeks say, is another visit and a
new sample.
More specimens in turn than are remembered have their peculiarities counted again: with one more, an alarm came in 7700 frames of 43200.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, NamedTuple

from edge_agent.drift.evidence import Evidence
from edge_agent.drift.sample import Before, Sample

if TYPE_CHECKING:
    from edge_agent.core.verdict import FrameRef
    from edge_agent.drift.tables import LotTable

SAMPLES = 8
"""Finished samples that are remembered."""


class Recalled(NamedTuple):
    """A finished sample.

    Attributes:
        identity: eight hexadecimal digits of its name's and settings' SHA-256.
        lot: what it was held against.
        before: what its frames amount to.
    """

    identity: str
    lot: str
    before: Before


def identity_of(name: str, stratum: str) -> str:
    """Tells samples apart; a name may be of any length, and hold bytes that are no Unicode."""
    return hashlib.sha256(f"{name}\0{stratum}".encode("utf-8", "surrogatepass")).hexdigest()[:8]


def remember(recalled: list[Recalled], sample: Sample, table: LotTable) -> list[Recalled]:
    """The newest SAMPLES, `sample` among them if it has a name: only that tells that it is the same one again."""
    if sample.name is None:
        return recalled
    identity = identity_of(sample.name, sample.stratum)
    others = [one for one in recalled if one.identity != identity]
    return [*others[-(SAMPLES - 1) :], Recalled(identity, table.lot, sample.remembered(table))]


def resume(one: Recalled, name: str, first: FrameRef, stratum: str, evidence: Evidence, table: LotTable) -> Sample:
    """The sample that comes back with `first`; its likelihood ratio is taken out of `evidence`, until it is over again."""
    sample = Sample(name, first, stratum, votes={one.lot: one.before.frames}, before=one.before)
    alone = Evidence(earned=1)
    alone.end_sample(sample, sample.scores(table), table)  # from nothing held and one frame earned: the ratios themselves
    earned = evidence.earned
    for chain, ratio in enumerate(alone.held):
        if ratio:  # else none of its frames counted
            evidence.held[chain] = float(f"{(evidence.held[chain] + earned) / ratio - earned:.6g}")
            evidence.since[chain] = round(max(0.0, evidence.since[chain] - math.log(ratio)), 3)
    return sample
