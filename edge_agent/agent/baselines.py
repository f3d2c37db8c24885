"""What `edge-agent baseline show` tells: which calibration judges a stream, what operators made of it, and when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_agent.agent.compose import find_served_model
from edge_agent.core.clock import utc_of
from edge_agent.drift.baseline import Rebase
from edge_agent.drift.rebasing import SAMPLES_TO_REBASE, count_samples
from edge_agent.journal import JournalView, Standing, operation
from edge_agent.pipeline.since import Since, frames_since

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from edge_agent.config import Settings, StreamSettings
    from edge_agent.drift import Calibration
    from edge_agent.journal import Baseline, Word


@dataclass(frozen=True, slots=True)
class Moved:
    """One component of one lot under a re-based baseline.

    Attributes:
        stratum: the settings it holds for; "" where the files say none.
        offset: in the component's own unit; `deviations` the same in standard deviations between the calibration's samples.
        between, within: factors on the spreads between and within samples.
    """

    stratum: str
    lot: str
    component: str
    offset: float
    deviations: float
    between: float
    within: float


@dataclass(frozen=True, slots=True)
class StreamBaseline:
    """A stream's baselines.

    Attributes:
        calibration, source, written_at: the model's own: its identity, where its frames came from, when its file was written; None without.
        standing: how the stream stands.
        in_force: the baseline that an operator made and that judges the stream; None for the calibration itself.
        belongs: whether that one was made from the present calibration; it is not in force otherwise.
        confirmed: samples judged by it without an alarm, while it is provisional.
        moves: how it differs from the calibration.
        made: every baseline operators made, oldest first.
        words: every order about the stream, oldest first.
    """

    stream: str
    model: str
    calibration: str | None
    source: str
    written_at: datetime | None
    standing: Standing
    in_force: Baseline | None
    belongs: bool
    confirmed: int
    moves: tuple[Moved, ...]
    made: tuple[Baseline, ...]
    words: tuple[Word, ...]


def stream_baselines(settings: Settings, only: str | None = None) -> Iterator[StreamBaseline]:
    """Every configured stream's baselines, or those of one; raises EdgeAgentError."""
    view = JournalView.open(settings.agent.place)
    for stream in settings.stream:
        if only in {None, stream.name}:
            yield _describe(settings, stream, view)


def _describe(settings: Settings, stream: StreamSettings, view: JournalView | None) -> StreamBaseline:
    model = find_served_model(settings, stream)
    calibration = model.calibration
    own = model.manifest.calibration
    path = stream.model.calibration or (model.folder / own.file if own else None)
    standing, made, words = Standing(stream.name), [], []
    if view is not None:
        standing = view.look(partial(operation.standing, stream=stream.name))
        made = view.look(partial(operation.baselines, stream=stream.name))
        words = view.look(partial(operation.words, stream=stream.name))
    kept = next((baseline for baseline in made if baseline.id == standing.baseline), None)
    rebase = Rebase.model_validate_json(kept.data) if kept else None
    belongs = rebase is None or (calibration is not None and rebase.calibration == calibration.digest)
    confirmed = 0
    if view is not None and calibration is not None and standing.provisional:
        since = Since(standing.since_seq + 1, "it is in force")
        look = partial(frames_since, stream=stream.name, since=since, calibration=calibration, in_control=True)
        confirmed = min(SAMPLES_TO_REBASE, count_samples(view.look(look)))
    return StreamBaseline(
        stream=stream.name,
        model=f"{model.manifest.name} {model.manifest.version}",
        calibration=calibration.digest[:16] if calibration else None,
        source=calibration.source if calibration else "",
        written_at=utc_of(path.stat().st_mtime_ns) if calibration and path else None,
        standing=standing,
        in_force=kept if belongs else None,
        belongs=belongs,
        confirmed=confirmed,
        moves=tuple(_moves(calibration, rebase)) if calibration and rebase and belongs else (),
        made=tuple(made),
        words=tuple(words),
    )


def _moves(calibration: Calibration, rebase: Rebase) -> Iterator[Moved]:
    for stratum, lots in rebase.cells.items():
        calibrated = calibration.at(stratum) or {}
        for lot, moves in lots.items():
            for component, move in moves.items():
                deviations = round(move.offset / calibrated[lot].spread[component].between, 2)
                yield Moved(stratum or rebase.stratum, lot, component, move.offset, deviations, move.between, move.within)


def lines_about(one: StreamBaseline) -> Iterator[str]:
    """The same for people."""
    yield f"{one.stream} is answered by {one.model}"
    if one.calibration is None:
        yield "  its model has no calibration: frames are scored, not judged"
        return
    yield f"  calibration {one.calibration}: {one.source}; file written {one.written_at:%Y-%m-%d %H:%M} UTC"
    yield from _lines_in_force(one)
    if hold := one.standing.hold:
        until = "until released" if hold.until_ns is None else f"until {_when(hold.until_ns)}"
        yield f"  predictions held by {hold.who} since {_when(hold.since_ns)}, {until}: {hold.why}"
    for made in one.made:
        if one.in_force is None or made.id != one.in_force.id:
            yield f"  earlier baseline {made.id}: {_when(made.made_at_ns)} by {made.who} from {made.samples} samples: {made.why}"
    for word in one.words:
        yield f"  {_when(word.done_at_ns)} {word.verb} by {word.who} ({word.why}): {'' if word.applied else 'REFUSED, '}{word.answer}"


def _lines_in_force(one: StreamBaseline) -> Iterator[str]:
    if not one.belongs:
        yield f"  baseline {one.standing.baseline} was made from another calibration and is not in force"
    made = one.in_force
    if made is None:
        yield "  judged by the calibration itself"
        return
    sure = f"provisional: {one.confirmed} of {SAMPLES_TO_REBASE} samples confirm it" if one.standing.provisional else "confirmed"
    yield f"  judged by baseline {made.id} ({sure})"
    yield f"  re-based {_when(made.made_at_ns)} by {made.who} from {made.samples} samples: {made.why}"
    row = "    {:16} {:20} {:>10} {:>22} {:>22} {:>8}"
    yield row.format("lot", "component", "offset", "in standard deviations", "spread between samples", "within")
    for number, move in enumerate(one.moves):
        if move.stratum and (number == 0 or one.moves[number - 1].stratum != move.stratum):
            yield f"    at {move.stratum}:"
        factors = (f"x {move.between:.2f}", f"x {move.within:.2f}")
        yield row.format(move.lot, move.component, f"{move.offset:+.4g}", f"{move.deviations:+.1f}", *factors)


def _when(ns: int) -> str:
    return f"{utc_of(ns):%Y-%m-%d %H:%M} UTC"
