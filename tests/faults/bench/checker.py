"""The one checker: files, journal and consumer, compared; every difference is a sentence, and the first is the one to look at.

Pure: it is given what was written, what the journal holds and what was consumed, so that it can be shown to fail.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.faults.bench.truth import QUARANTINED, SCORED, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tests.faults.bench.truth import Truth, Version

SCORED_TYPE, QUARANTINED_TYPE = "edge.frame.scored.v1", "edge.frame.quarantined.v1"
TOLERANCE = 1e-4
"""Of what is compared as numbers: an answer's last digit depends on which frames were asked together."""


@dataclass(frozen=True)
class Consumed:
    """One record as a read-committed consumer got it, in the order in which it did."""

    topic: str
    partition: int
    key: str
    id: str
    type: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Admitted:
    """One admission of the journal; `outcome` is None while it is unfinished."""

    seq: int
    path: str
    outcome: str | None
    cause: str | None
    detail: str | None


@dataclass(frozen=True)
class Judged:
    """One frame of the journal; `data` as its event told them."""

    seq: int
    path: str
    frame_index: int
    content_hash: str
    event_id: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Queued:
    """One row of the journal's outbox."""

    seq: int
    id: str
    type: str
    topic: str
    key: str


@dataclass(frozen=True)
class Kept:
    """What the journal holds, in its own order."""

    admissions: Sequence[Admitted] = ()
    frames: Sequence[Judged] = ()
    outbox: Sequence[Queued] = ()


@dataclass(frozen=True)
class Undisturbed:
    """What an agent that nobody disturbed said of the same frames in the same order: alerts, and each frame's data."""

    alerts: Sequence[tuple[Any, ...]] = ()
    frames: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Run:
    """Everything that is compared."""

    truth: Truth
    kept: Kept
    consumed: Sequence[Consumed]
    undisturbed: Undisturbed
    crashes: Sequence[str] = field(default=())


def differences(run: Run) -> Iterator[str]:
    """Every difference, the most telling ones first; nothing when all is well."""
    yield from run.crashes
    yield from _unfinished(run.kept)
    yield from _consumer_against_journal(run)
    yield from _order(run)
    yield from _journal_against_truth(run)
    yield from _alerts(run)
    yield from _judgements(run)


def _unfinished(kept: Kept) -> Iterator[str]:
    for one in kept.admissions:
        if one.outcome is None:
            yield f"unfinished: {one.path} was admitted as number {one.seq} and never finished"
        elif one.outcome == "quarantined" and not (one.cause and one.detail):
            yield f"no reason: {one.path} is in quarantine without a reason"


def _consumer_against_journal(run: Run) -> Iterator[str]:
    """Each topic's events of a key: the journal's, each once, in its order."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in run.consumed:
        told[record.topic, record.key].append(record.id)
    kept: dict[tuple[str, str], list[Queued]] = defaultdict(list)
    for row in run.kept.outbox:
        kept[row.topic, row.key].append(row)
    for place in sorted(told.keys() | kept.keys()):
        topic, key = place
        counts = Counter(told[place])
        for row in kept[place]:
            if counts[row.id] == 0:
                yield f"lost: event {row.seq} ({row.type}, {row.id}) of {key} is in the journal and never reached a consumer of {topic}"
            elif counts[row.id] > 1:
                yield f"doubled: event {row.seq} ({row.type}, {row.id}) of {key} reached a consumer of {topic} {counts[row.id]} times"
        known = {row.id for row in kept[place]}
        for stranger in [event for event in counts if event not in known]:
            yield f"invented: a consumer of {topic} got event {stranger} of {key}, of which the journal knows nothing"
        wanted = [row.id for row in kept[place]]
        if told[place] != wanted and Counter(wanted) == counts:
            at = next(number for number, (got, right) in enumerate(zip(told[place], wanted, strict=True)) if got != right)
            yield f"reordered: a consumer of {topic} got event {told[place][at]} of {key} where {wanted[at]} was due"


def _order(run: Run) -> Iterator[str]:
    """Frames reach the consumer in the order of admission."""
    seq_of = {frame.event_id: (frame.seq, frame.frame_index) for frame in run.kept.frames}
    newest: dict[str, tuple[int, int]] = {}
    for record in run.consumed:
        if record.type != SCORED_TYPE or record.id not in seq_of:
            continue
        stream = record.data["stream"]
        if stream in newest and seq_of[record.id] < newest[stream]:
            yield f"reordered: {record.data['path']} (admitted as number {seq_of[record.id][0]}) came after number {newest[stream][0]}"
        newest[stream] = max(newest.get(stream, (0, 0)), seq_of[record.id])


def _journal_against_truth(run: Run) -> Iterator[str]:
    """Each content of each file: judged once, or in quarantine for a reason that it deserves."""
    judged = Counter((frame.path, frame.content_hash) for frame in run.kept.frames)
    quarantined: dict[str, list[Admitted]] = defaultdict(list)
    for one in run.kept.admissions:
        if one.outcome == "quarantined":
            quarantined[one.path].append(one)
    for path, versions in run.truth.versions.items():
        for version in versions:
            yield from _version(version, judged.pop((path, version.content_hash), 0), quarantined[path], run.truth.excuses.get(path, ()))
    for path, content_hash in judged:
        yield f"invented: a frame of {path} was judged that nobody wrote ({content_hash[:12]})"
    for path, admissions in quarantined.items():
        for one in admissions:
            if one.cause not in run.truth.excuses.get(path, ()):
                yield f"wrongly in quarantine: {path} as {one.cause} ({one.detail})"


def _version(version: Version, times: int, quarantined: Sequence[Admitted], excuses: Collection[str]) -> Iterator[str]:
    locked = UNREADABLE in excuses and any(one.cause == UNREADABLE for one in quarantined)
    if times > 1:
        yield f"doubled: content {version.number} of {version.path} was judged {times} times"
    elif times == 0 and version.fate == SCORED and not locked:
        why = "; ".join(f"{one.cause}: {one.detail}" for one in quarantined)
        yield f"lost: content {version.number} of {version.path} was never judged" + (f" (in quarantine: {why})" if why else "")
    elif version.fate == QUARANTINED and not quarantined:
        yield f"lost: {version.path} is no image and not in quarantine"


def alert_of(kind: str, data: dict[str, Any]) -> tuple[Any, ...]:
    """What makes two alerts equal: phase, kind, revision, onset and evidence frames."""
    evidence = tuple(zip(data["evidence_paths"], data["evidence_frame_indices"], strict=True))
    return (kind, data["kind"], data["revision"], data["onset_path"], data["onset_frame_index"], evidence)


def _alerts(run: Run) -> Iterator[str]:
    told = [alert_of(record.type, record.data) for record in run.consumed if record.type.startswith("edge.alert.")]
    wanted = list(run.undisturbed.alerts)
    for number, (got, right) in enumerate(zip(told, wanted, strict=False)):
        if got != right:
            yield f"another alert: number {number} is {_in_words(got)}, undisturbed it is {_in_words(right)}"
            return
    for number, right in enumerate(wanted[len(told) :], len(told)):
        yield f"another alert: number {number}, {_in_words(right)}, was told only undisturbed"
    for number, got in enumerate(told[len(wanted) :], len(wanted)):
        yield f"another alert: number {number}, {_in_words(got)}, was told only disturbed"


def _in_words(alert: tuple[Any, ...]) -> str:
    kind, what, revision, onset, index, evidence = alert
    return f"{kind} {what} revision {revision} since {onset} frame {index} with {len(evidence)} frames of evidence"


def _judgements(run: Run) -> Iterator[str]:
    """What is said of each frame: which is how two runs that differ later began to differ."""
    frames = sorted(run.kept.frames, key=lambda frame: (frame.seq, frame.frame_index))
    if len(frames) != len(run.undisturbed.frames):
        yield f"another number of frames: {len(frames)}, undisturbed {len(run.undisturbed.frames)}"
        return
    for frame, right in zip(frames, run.undisturbed.frames, strict=True):
        for name in ("content_hash", "lot", "entropy", "drift_statistic", "drift_state"):
            if not _equal(frame.data.get(name), right.get(name)):
                yield f"another judgement: {name} of {frame.path} is {frame.data.get(name)}, undisturbed {right.get(name)}"
                return


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE * max(1.0, abs(other))
    return bool(one == other)
