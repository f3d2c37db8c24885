"""From settings to parts: which model, calibration, judge and watcher each stream gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog

from edge_agent import inference
from edge_agent.agent.broker import broker_settings
from edge_agent.core.errors import ConfigurationError, ModelError
from edge_agent.core.naming import NameRule
from edge_agent.drift import Calibration, DriftSettings, SequentialJudge, load_calibration
from edge_agent.frames import DecoderPool, completeness
from edge_agent.pipeline import Desk, StreamLine
from edge_agent.publish import JsonLinesSink, KafkaSink
from edge_agent.uncertainty import referral_threshold, referral_threshold_for_risk
from edge_agent.watch import FolderWatcher, WatchSettings

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.agent.stands import Stands
    from edge_agent.config import Settings, StreamSettings
    from edge_agent.core.protocols import Admissions, Clock, EventSink, FrameReader, KnownFiles, Predictor
    from edge_agent.core.telemetry import Telemetry
    from edge_agent.inference import Manifest

log = structlog.get_logger(__name__)

NAMES_NONE = frozenset({"none", "predicted"})
"""Rules for a sample under which no frame names one."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model a stream asks, as its folder describes it.

    Attributes:
        folder: the model's folder.
        manifest: what it promises.
        calibration: what its frames look like while nothing is wrong: the stream's own, else the model's; None without either.
        referral_threshold: entropy above which a frame is referred, nats; None when referral is off.
    """

    folder: Path
    manifest: Manifest
    calibration: Calibration | None
    referral_threshold: float | None


def find_served_model(settings: Settings, stream: StreamSettings) -> ServedModel:
    """Find and verify a stream's model; raises ModelError or ConfigurationError."""
    folder = inference.find_model(stream.model.name, settings.agent.model_dirs)
    manifest = inference.load_manifest(folder)
    wanted = stream.model.version
    if wanted is not None and wanted != manifest.version:
        raise ModelError(
            f"model {folder}",
            f"is version {manifest.version}, stream {stream.name} asks for {wanted}",
            "change model.version or model_dirs",
        )
    inference.verify(folder, manifest)
    return ServedModel(folder, manifest, _calibration(stream, folder, manifest), _referral(stream, manifest))


def lots_not_calibrated(model: ServedModel) -> tuple[str, ...]:
    """Lots that the model answers with and its calibration lacks, at whatever settings: frames taken for them are not judged."""
    if model.calibration is None:
        return model.manifest.lots
    held = set(model.calibration.lots).union(*model.calibration.strata.values())
    return tuple(lot for lot in model.manifest.lots if lot not in held)


def _calibration(stream: StreamSettings, folder: Path, manifest: Manifest) -> Calibration | None:
    """The stream's own calibration, else the model's; raises ModelError for one that was made with another graph or ensemble."""
    path = stream.model.calibration
    if path is None:
        if manifest.calibration is None:
            return None
        path, way_out = folder / manifest.calibration.file, "run `model-repo calibrate` for this model"
    else:
        way_out = f"run `edge-agent calibrate --stream {stream.name}` with this model, or remove model.calibration"
    calibration = load_calibration(path)
    if calibration.model_digest != manifest.onnx.sha256:
        raise ModelError(
            f"calibration {path}",
            f"was made for the graph with SHA-256 {calibration.model_digest}, but model {manifest.name} is {manifest.onnx.sha256}",
            way_out,
        )
    if calibration.members != manifest.members:
        raise ModelError(
            f"calibration {path}", f"was made with {calibration.members} members, model {manifest.name} has {manifest.members}", way_out
        )
    return calibration


def _referral(stream: StreamSettings, manifest: Manifest) -> float | None:
    coverage, risk = stream.referral.coverage, stream.referral.risk
    if risk is not None:
        try:
            return referral_threshold_for_risk(manifest.risk_points, risk)
        except ValueError as error:
            raise ConfigurationError(
                f"[stream {stream.name}] referral.risk",
                f"model {manifest.name}: {error}",
                "allow more risk, set referral.coverage instead, or export the model with more calibration samples",
            ) from None
    if coverage is None or coverage == 1.0:
        return None
    if not manifest.coverage_points and "coverage" not in stream.referral.model_fields_set:
        return None  # nobody asked for it: the default is for models that can
    try:
        return referral_threshold(manifest.coverage_points, coverage)
    except ValueError as error:
        way_out = (
            "choose a coverage within that range"
            if manifest.coverage_points
            else "remove the line, or export the model with calibration samples"
        )
        raise ConfigurationError(f"[stream {stream.name}] referral.coverage", str(error), way_out) from None


def make_judge(stream: StreamSettings, model: ServedModel, state: str | None) -> SequentialJudge:
    """The stream's judge, continued from `state` where that belongs to this calibration."""
    drift = DriftSettings(stream.drift.false_alarms_per_month, stream.drift.frames_per_hour)
    judge = SequentialJudge(model.calibration, drift, names_samples=stream.sample not in NAMES_NONE)
    if state is not None:
        try:
            judge.restore(state)
        except ValueError as error:
            log.warning("drift detection starts afresh", stream=stream.name, reason=str(error))
    return judge


class Predictors:
    """One predictor for all streams that ask the same model in the same place."""

    def __init__(self, settings: Settings, telemetry: Telemetry, clock: Clock) -> None:
        self._threads = settings.agent.threads
        self._telemetry = telemetry
        self._clock = clock
        self._made: dict[tuple[Path, str, str | None], Predictor] = {}

    def of(self, stream: StreamSettings, model: ServedModel) -> Predictor:
        """The stream's predictor, made at its first mention."""
        key = (model.folder, stream.model.backend, stream.model.url)
        if key not in self._made:
            self._made[key] = inference.make_predictor(
                stream.model.backend,
                model.folder,
                url=stream.model.url,
                version=stream.model.version,
                threads=self._threads,
                telemetry=self._telemetry,
                clock=self._clock,
            )
        return self._made[key]

    @property
    def named(self) -> dict[str, Predictor]:
        """Each once, by a name that tells two places of one model apart."""
        return {
            f"{predictor.model.name} at {url}" if url else predictor.model.name: predictor for (_, _, url), predictor in self._made.items()
        }

    @property
    def remote(self) -> dict[str, Predictor]:
        """Those in another process, whose word alone is not believed: a canary has to ask them again and again."""
        return {f"{predictor.model.name} at {url}": predictor for (_, _, url), predictor in self._made.items() if url}


def make_line(
    stream: StreamSettings,
    model: ServedModel,
    predictor: Predictor,
    reader: FrameReader,
    state: str | None,
    stands: Stands | None = None,
) -> StreamLine:
    """The stream's line through the pipeline, under the baseline that an operator put in force, if any."""
    calibration = stands.calibration if stands else model.calibration
    return StreamLine(
        name=stream.name,
        root=stream.path,
        sample=NameRule.parse(stream.sample),
        lot=NameRule.parse(stream.lot),
        reader=reader,
        predictor=predictor,
        judge=make_judge(stream, replace(model, calibration=calibration), state),
        referral_threshold=model.referral_threshold,
        calibration_distances=model.calibration.distances if model.calibration else None,
        calibration=model.calibration,
        make_judge=lambda baseline: make_judge(stream, replace(model, calibration=baseline), None),
        desk=stands.desk if stands else Desk(),
    )


def make_reader(settings: Settings, stream: StreamSettings) -> DecoderPool:
    """The stream's decoders; times without a zone are read in the stream's."""
    return DecoderPool(workers=settings.agent.decoders, time_zone=ZoneInfo(stream.time_zone))


def make_watcher(
    stream: StreamSettings, *, once: bool, known: KnownFiles, admissions: Admissions, clock: Clock, telemetry: Telemetry
) -> FolderWatcher:
    """The stream's watcher; working off a backlog implies start = beginning."""
    watch = WatchSettings(
        stream=stream.name,
        root=stream.path,
        include=stream.include,
        exclude=stream.exclude,
        observer=stream.observer,
        start="beginning" if once else stream.start,
        settle_s=stream.settle,
        settle_timeout_s=stream.settle_timeout_s,
        scan_interval_s=stream.scan_interval_s,
    )
    return FolderWatcher(watch, known=known, admissions=admissions, is_complete=completeness, clock=clock, telemetry=telemetry)


def make_sink(settings: Settings) -> EventSink:
    """Kafka when it is configured, else JSON Lines files."""
    broker = broker_settings(settings)
    return JsonLinesSink(settings.agent.place / "events", settings.agent.retention) if broker is None else KafkaSink(broker)


def check_places(settings: Settings) -> None:
    """Refuse a state directory inside a watched folder: the agent would read its own journal."""
    state_dir = settings.agent.place
    for stream in settings.stream:
        if state_dir.is_relative_to(stream.path):
            raise ConfigurationError(
                f"[agent] state_dir = {state_dir}",
                f"lies inside the folder that stream {stream.name} watches",
                "choose a folder outside it",
            )


def check_folders(settings: Settings) -> None:
    """Refuse a folder that is not there, for those who wait for none; raises ConfigurationError."""
    for stream in settings.stream:
        if not stream.path.is_dir():
            raise ConfigurationError(str(stream.path), "there is no such folder", "create it, connect its drive, or correct the path")
