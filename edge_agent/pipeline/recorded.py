"""From a frame as the journal keeps it back to what the judge saw of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import JournalError, ModelError
from edge_agent.core.frame import Acquisition, AcquisitionStatistics
from edge_agent.core.prediction import Score
from edge_agent.core.verdict import FrameRef, Observation
from edge_agent.uncertainty import p_value_of, uniform_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edge_agent.core.calibration_scores import CalibrationScores
    from edge_agent.core.prediction import ModelIdentity
    from edge_agent.journal.history import KeptFrame

MEASURED = ("confidence", "entropy", "distance")
STATISTICS = {
    "intensity_mean": "mean",
    "log_sigma": "log_sigma",
    "log_noise": "log_noise",
    "log_sharpness": "log_sharpness",
    "low_fraction": "low_fraction",
    "high_fraction": "high_fraction",
}
"""The event's names of the acquisition statistics, and theirs in AcquisitionStatistics."""
ACQUISITION = (
    "instrument", "detector", "sample_id", "acceleration_voltage_v", "beam_current_a", "magnification", "pixel_size_m", "dwell_s",
    "working_distance_m", "stage_x_m", "stage_y_m",
)  # fmt: skip
OTHERS = (
    "frame_time", "sample", "declared_lot", "lot", "mutual_information", "referred", "members_answering", "members_expected",
    "members_missing", "members_stale", "acquired_at", "metadata_json", "model", "model_version", "model_digest",
)  # fmt: skip
FIELDS = (*MEASURED, *STATISTICS, *ACQUISITION, *OTHERS)
"""Of a scored event's data, all that is read here."""
OTHER_MODEL = "frames of another model"
INCOMPLETE = "frames before the period that an older release recorded without all that is judged"
NEVER_NULL = (*MEASURED, *STATISTICS)


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when frames were taken; None is open."""

    since: datetime | None = None
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Whether a frame taken `at` this time belongs to it."""
        return not self.comes_after(at) and (self.until is None or at <= self.until)

    def comes_after(self, at: datetime) -> bool:
        """Whether it begins only after this time."""
        return self.since is not None and at < self.since


def recorded_observations(
    frames: Iterable[KeptFrame],
    model: ModelIdentity,
    distances: Mapping[str, CalibrationScores] | None,
    period: Period,
    left_out: Counter[str],
) -> Iterator[tuple[KeptFrame, Observation]]:
    """What a judge saw of each frame that `model` scored, in their order, frames outside the period too; `left_out` counts the others.

    Raises JournalError for a frame of the period that lacks what is judged, ModelError when another model scored all of them.
    """
    others: Counter[str] = Counter()
    found = False
    for kept in frames:
        digest = kept.data.get("model_digest", "unknown")
        if digest != model.digest:
            others[digest] += 1
            left_out[OTHER_MODEL] += 1
        elif missing := missing_fields(kept.data):
            if "frame_time" not in kept.data or not period.comes_after(_time(kept.data["frame_time"])):
                raise JournalError(
                    f"frame {kept.path} in the journal",
                    f"was recorded without {', '.join(missing)}",
                    "choose a later period with --since, or name the folder of the frames instead of --journal",
                )
            left_out[INCOMPLETE] += 1
        else:
            found = True
            yield kept, observation_of(kept, distances)
    if others and not found:
        raise ModelError(
            "the frames in the journal",
            f"were scored by the graph with SHA-256 {others.most_common(1)[0][0]}, model {model.name} is {model.digest}",
            "configure the model that scored them, or name the folder of the frames instead of --journal",
        )


def missing_fields(data: Mapping[str, Any]) -> list[str]:
    """What a judge needs and the data lack: fields of a later release, or numbers that were not finite."""
    absent = [name for name in FIELDS if name not in data]
    null = [name for name in NEVER_NULL if name in data and data[name] is None]
    lone = data.get("members_answering", 0) == 1
    if "mutual_information" in data and data["mutual_information"] is None and not lone:
        null.append("mutual_information")
    return sorted(absent + null)


def observation_of(kept: KeptFrame, distances: Mapping[str, CalibrationScores] | None) -> Observation:
    """What the judge saw, but for the p-value, which is that of `distances`: of the calibration it is judged by now.

    `missing_fields(kept.data)` must be empty.
    """
    data = kept.data
    whole = data["members_answering"] == data["members_expected"]
    calibration = (distances or {}).get(data["lot"]) if whole else None
    score = Score(
        lot=data["lot"],
        confidence=data["confidence"],
        entropy=data["entropy"],
        mutual_information=data["mutual_information"] or 0.0,  # null for a single member, who disagrees with nobody
        distance=data["distance"],
        p_value=p_value_of(data["distance"], calibration, uniform_of(kept.content_hash)),
        referred=data["referred"],
        field_entropy=kept.field_entropy,
        members_answering=data["members_answering"],
        members_missing=tuple(data["members_missing"]),
        members_stale=tuple(data["members_stale"]),
    )
    return Observation(
        ref=FrameRef(kept.seq, kept.path, kept.frame_index, data["sample"], _time(data["frame_time"])),
        score=score,
        statistics=AcquisitionStatistics(**{own: data[told] for told, own in STATISTICS.items()}),
        acquisition=Acquisition(
            acquired_at=None if data["acquired_at"] is None else _time(data["acquired_at"]),
            extra=json.loads(data["metadata_json"]),
            **{name: data[name] for name in ACQUISITION},
        ),
        declared_lot=data["declared_lot"],
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
