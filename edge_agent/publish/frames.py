"""Events about files and their frames, topic edge.frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from edge_agent.core.portion import RefusedFrame
from edge_agent.publish.cloudevent import derived_id, make_event
from edge_agent.publish.payload import Number, StreamPayload, Text, Time, utc

if TYPE_CHECKING:
    from edge_agent.core.errors import FrameRejectedError
    from edge_agent.core.event import Event
    from edge_agent.core.frame import FileIdentity, Frame
    from edge_agent.core.prediction import Prediction
    from edge_agent.core.verdict import Observation, Verdict

TOPIC = "edge.frames"
SCORED = "edge.frame.scored.v1"
QUARANTINED = "edge.frame.quarantined.v1"
COMPANION = "edge.frame.companion.v1"
METADATA_LIMIT = 32_768
"""Characters of vendor metadata an event may carry: far below what brokers refuse."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which file an event is about, and when it is told.

    Attributes:
        agent: the agent's name.
        file: the file's identity.
        generation: which content under this path.
        settled_at_ns: when it settled, nanoseconds since the epoch.
        now_ns: the time of the event, nanoseconds since the epoch.
    """

    agent: str
    file: FileIdentity
    generation: int
    settled_at_ns: int
    now_ns: int


class FilePayload(StreamPayload):
    """Event data about one file."""

    path: Text
    """The file, relative to the stream's folder, with / between parts."""
    generation: int
    """0 for the first content seen under this path, one more after each rewrite."""
    size_bytes: int
    """The file's size."""
    modified_at: Time
    """The file's modification time."""
    settled_at: Time
    """When the file was found complete."""


class FrameScored(FilePayload):
    """A frame was predicted, scored and judged."""

    frame_time: Time
    """When the frame was taken, as its file says; its file's modification time where it does not."""
    frame_index: int
    """Place within the file, from 0."""
    frame_count: int
    """Frames in the file when it was read: a stack may grow."""
    content_hash: Text
    """SHA-256, hexadecimal, of the pixels' shape, type and bytes."""
    sample: Text | None
    """The sample the frame belongs to."""
    declared_lot: Text | None
    """The lot the instrument or its user declared."""
    lot: Text
    """The most probable lot."""
    confidence: Number
    """Its probability, in [0, 1]."""
    entropy: Number
    """Entropy of the ensemble's mean prediction, nats."""
    mutual_information: Number
    """What of the entropy is the members' disagreement, nats; null where fewer than two members answer."""
    distance: Number
    """Natural logarithm of how far the frame lies from the training set, in the sense that distance_kind says."""
    distance_kind: Text = "mahalanobis"
    """mahalanobis (squared distance to the nearest lot), rigidity (inverse prediction rigidity) or variance (of a Gaussian process)."""
    p_value: Number
    """Conformal p-value of the distance within the predicted lot; null without a calibration, and where members are left out."""
    referred: bool
    """Whether a person should decide this frame; always where predictions are held, and where frames are referred and members left out."""
    held: bool = False
    """Whether an operator holds this stream's predictions: scored, but none to be relied on until released."""
    members_answering: int
    """Ensemble members the score is made of; with fewer than expected it is not comparable with the calibration."""
    members_expected: int
    """Ensemble members the model has."""
    members_missing: tuple[Text, ...] = ()
    """Members left out because they gave no finite probabilities."""
    members_stale: tuple[Text, ...] = ()
    """Members left out because they no longer give the canary's known answer."""
    drift_statistic: Number
    """The judge's evidence after this frame, as the decimal logarithm of frames between false alarms; null when uncalibrated."""
    drift_threshold: Number
    """The value at which it alarms; null when uncalibrated."""
    drift_state: Text
    """uncalibrated, in_control, alarm, or acknowledged: in alarm still, and an operator knows."""
    stratum: Text | None = None
    """The settings the frame was judged at: detector, voltage, octaves of magnification and dwell time; null when the file says none."""
    not_judged: Text | None = None
    """Why the frame was not judged; null when it was."""
    model: Text
    """The model's name."""
    model_version: Text
    """The model's version."""
    model_digest: Text
    """SHA-256, hexadecimal, of the model's ONNX graph."""
    settle_s: Number
    """Seconds between the file's modification and its settling."""
    read_s: Number
    """Seconds it took to read and decode the file, or the portion of a stack that holds the frame."""
    inference_s: Number
    """Seconds of the frame's share of the inference."""
    intensity_mean: Number
    """Mean intensity, full scale is 1."""
    log_sigma: Number
    """Natural logarithm of the intensity's standard deviation."""
    log_noise: Number
    """Natural logarithm of the noise estimate."""
    log_sharpness: Number
    """Natural logarithm of the mean squared gradient over the variance."""
    low_fraction: Number
    """Fraction of pixels at the lower limit."""
    high_fraction: Number
    """Fraction of pixels at the upper limit."""
    acquired_at: Time | None
    """The acquisition time the file gives."""
    instrument: Text | None
    """The instrument."""
    detector: Text | None
    """The detector."""
    sample_id: Text | None
    """The sample's identifier in the file."""
    acceleration_voltage_v: Number
    """Acceleration voltage, volts."""
    beam_current_a: Number
    """Beam current, amperes."""
    magnification: Number
    """Magnification."""
    pixel_size_m: Number
    """Pixel size, metres."""
    dwell_s: Number
    """Dwell time a pixel, seconds."""
    working_distance_m: Number
    """Working distance, metres."""
    stage_x_m: Number
    """Stage position, metres."""
    stage_y_m: Number
    """Stage position, metres."""
    metadata_json: Text
    """The vendor's remaining metadata, a JSON object of text in one string."""


class FrameQuarantined(FilePayload):
    """A file, or one of its frames, could not be used."""

    reason: Text
    """One word of a fixed list, such as truncated."""
    detail: Text
    """What is wrong with it, for a person."""
    remedy: Text
    """The way out."""
    frame_index: int | None = None
    """Place of the frame within the file, from 0, where its other frames are not concerned; null where the whole file is."""


class FrameCompanion(FilePayload):
    """A file that accompanies others, such as an instrument's side-car; it is not read as a frame."""

    detail: Text
    """Whose companion it is."""


def metadata_json(extra: dict[str, str]) -> str:
    """`extra` as a JSON object; what is beyond `METADATA_LIMIT` is left out and counted under `...`."""
    text = json.dumps(extra)
    if len(text) <= METADATA_LIMIT:
        return text
    kept: dict[str, str] = {}
    size = 0
    for key, value in sorted(extra.items(), key=lambda item: len(item[0]) + len(item[1])):
        size += len(json.dumps({key: value}))
        if size > METADATA_LIMIT:
            break
        kept[key] = value
    return json.dumps({**kept, "...": f"{len(extra) - len(kept)} keys left out"})


def _file(origin: Origin) -> dict[str, object]:
    return {
        "agent": origin.agent,
        "stream": origin.file.stream,
        "emitted_at": utc(origin.now_ns),
        "path": origin.file.path,
        "generation": origin.generation,
        "size_bytes": origin.file.size,
        "modified_at": utc(origin.file.mtime_ns),
        "settled_at": utc(origin.settled_at_ns),
    }


def _id(origin: Origin, kind: str, content_hash: str = "", frame_index: int = 0, model_digest: str = "") -> str:
    file = origin.file
    return derived_id(origin.agent, file.stream, file.path, content_hash, origin.generation, frame_index, model_digest, kind, 0)


def _state(origin: Origin) -> str:
    """What stands for the content of a file that was not decoded: two states of one file are two events."""
    return f"{origin.file.size}/{origin.file.mtime_ns}"


def frame_scored(
    origin: Origin,
    frame: Frame,
    observation: Observation,
    prediction: Prediction,
    verdict: Verdict,
    *,
    read_s: float | None,
    held: bool = False,
) -> Event:
    """A frame's score and the judge's conclusion; its kept record too."""
    score, statistics, acquisition, model = observation.score, observation.statistics, observation.acquisition, prediction.model
    acquired = acquisition.acquired_at
    payload = FrameScored.model_validate({
        **_file(origin),
        "frame_time": observation.ref.at,
        "frame_index": frame.frame_index,
        "frame_count": frame.frame_count,
        "content_hash": frame.content_hash,
        "sample": observation.ref.sample,
        "declared_lot": observation.declared_lot,
        "lot": score.lot,
        "confidence": score.confidence,
        "entropy": score.entropy,
        "mutual_information": score.mutual_information if score.members_answering > 1 else None,
        "distance": score.distance,
        "distance_kind": prediction.distance_kind,
        "p_value": score.p_value,
        "referred": score.referred or held,
        "held": held,
        "members_answering": score.members_answering,
        "members_expected": prediction.members_expected,
        "members_missing": score.members_missing,
        "members_stale": score.members_stale,
        "drift_statistic": verdict.statistic,
        "drift_threshold": verdict.threshold,
        "drift_state": verdict.state.value,
        "stratum": verdict.stratum or None,
        "not_judged": verdict.not_judged or None,
        "model": model.name,
        "model_version": model.version,
        "model_digest": model.digest,
        "settle_s": round((origin.settled_at_ns - origin.file.mtime_ns) / 1e9, 6),
        "read_s": None if read_s is None else round(read_s, 6),
        "inference_s": round(prediction.inference_s, 6),
        "intensity_mean": statistics.mean,
        "log_sigma": statistics.log_sigma,
        "log_noise": statistics.log_noise,
        "log_sharpness": statistics.log_sharpness,
        "low_fraction": statistics.low_fraction,
        "high_fraction": statistics.high_fraction,
        "acquired_at": acquired if acquired is None or acquired.tzinfo else acquired.replace(tzinfo=UTC),
        "instrument": acquisition.instrument,
        "detector": acquisition.detector,
        "sample_id": acquisition.sample_id,
        "acceleration_voltage_v": acquisition.acceleration_voltage_v,
        "beam_current_a": acquisition.beam_current_a,
        "magnification": acquisition.magnification,
        "pixel_size_m": acquisition.pixel_size_m,
        "dwell_s": acquisition.dwell_s,
        "working_distance_m": acquisition.working_distance_m,
        "stage_x_m": acquisition.stage_x_m,
        "stage_y_m": acquisition.stage_y_m,
        "metadata_json": metadata_json(acquisition.extra),
    })  # fmt: skip
    event_id = _id(origin, SCORED, frame.content_hash, frame.frame_index, model.digest)
    return make_event(event_id, SCORED, TOPIC, payload, origin.file.stream)


def frame_quarantined(origin: Origin, rejected: FrameRejectedError | RefusedFrame) -> Event:
    """A file, or one of its frames, that could not be used, and why."""
    frame_index = rejected.frame_index if isinstance(rejected, RefusedFrame) else None
    payload = FrameQuarantined.model_validate(
        {
            **_file(origin),
            "reason": rejected.cause,
            "detail": rejected.reason,
            "remedy": rejected.remedy,
            "frame_index": frame_index,
        }
    )
    content = _state(origin)
    if isinstance(rejected, RefusedFrame):
        content = rejected.content_hash or "not read"  # not the file's state: a stack that grows meanwhile tells the same once
    return make_event(_id(origin, QUARANTINED, content, frame_index or 0), QUARANTINED, TOPIC, payload, origin.file.stream)


def frame_companion(origin: Origin, detail: str) -> Event:
    """A side-car file."""
    payload = FrameCompanion.model_validate({**_file(origin), "detail": detail})
    return make_event(_id(origin, COMPANION, _state(origin)), COMPANION, TOPIC, payload, origin.file.stream)
