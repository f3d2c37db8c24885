"""A stream's model: its files' digests, its known answer, and whether its calibration holds what it answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent.compose import Predictors, find_served_model, lots_not_calibrated, make_judge
from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.core.clock import SystemClock
from edge_agent.core.telemetry import NoTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.compose import ServedModel
    from edge_agent.agent.examination.finding import Finding
    from edge_agent.config import Settings, StreamSettings


async def model(settings: Settings, stream: StreamSettings) -> list[Finding]:
    """Ask the model for the known answer; raises ModelError or PredictorUnavailableError where it does not give it."""
    part = f"stream {stream.name}: model"
    served = find_served_model(settings, stream)
    predictor = Predictors(settings, NoTelemetry(), SystemClock()).of(stream, served)
    try:
        await predictor.start()
        lacks = predictor.degradation
    finally:
        await predictor.stop()
    named = f"{served.manifest.name} version {served.manifest.version}"
    where = f"Triton at {stream.model.url}" if stream.model.backend == "triton" else "embedded"
    if lacks:
        found = [mend(part, f"model {served.manifest.name}: its ensemble is degraded; {lacks}")]
    else:
        found = [fine(part, f"{named} ({where}, SHA-256 {served.manifest.onnx.sha256[:12]}) gives the known answer")]
    return [*found, *calibration(stream, served)]


def calibration(stream: StreamSettings, served: ServedModel) -> Iterator[Finding]:
    """Whether frames will be judged, and what the judge promises."""
    part = f"stream {stream.name}: calibration"
    missing = lots_not_calibrated(served)
    if served.calibration is None:
        yield note(part, "the model ships none: frames are scored, not judged; `edge-agent calibrate` makes one of your own")
        return
    if not missing:
        weight = note if served.calibration.scarce else fine
        yield weight(part, f"it holds every lot of the model; {make_judge(stream, served, None).guarantee}")
    elif len(missing) < len(served.manifest.lots):
        yield note(part, f"it does not hold lots {', '.join(missing)}: their frames are scored, not judged; calibrate them too")
    else:
        yield mend(
            part,
            f"it holds {', '.join(served.calibration.distances)}, and none of the model's lots {', '.join(missing)}; "
            f"run `edge-agent calibrate --stream {stream.name}` with samples of these",
        )
