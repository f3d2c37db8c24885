"""What would happen: `config validate` and `run --dry-run`, which write nothing and start nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.agent.alerting import alert_sinks
from edge_agent.agent.broker import broker_settings
from edge_agent.agent.compose import NAMES_NONE, check_places, find_served_model, lots_not_calibrated, make_judge
from edge_agent.core.address import LOOPBACK
from edge_agent.core.errors import ConfigurationError
from edge_agent.core.shift import Shift
from edge_agent.drift import DriftSettings, Limits, foresee
from edge_agent.drift.baseline import strata_of, tells_no_stratum
from edge_agent.journal import JournalView
from edge_agent.observe import check_http
from edge_agent.publish import find_program
from edge_agent.watch import list_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.compose import ServedModel
    from edge_agent.config import Settings, StreamSettings
    from edge_agent.drift import Calibration

FIRST_NAMES = 5
HOURS_A_DAY = 24.0
USUAL_SHIFTS = ("filament 0.25", "noise +15 %", "blur +0.5 px")
"""What is foretold where no smallest shift is set, as far as the calibration knows them."""


def check(settings: Settings) -> Iterator[str]:
    """A line for each stream that can run; raises ConfigurationError or ModelError at the first that cannot."""
    check_places(settings)
    for stream in settings.stream:
        if not stream.path.is_dir():
            is_file = stream.path.is_file()
            raise ConfigurationError(
                f"[stream {stream.name}] path = {stream.path}",
                "it is a file" if is_file else "there is no such folder",
                "name the folder that it lies in, and files by include" if is_file else "create it or correct the path",
            )
        model = find_served_model(settings, stream)
        manifest = model.manifest
        members = f"{manifest.members} members, lots {', '.join(manifest.lots)}"
        yield f"stream {stream.name}: {stream.path} -> {manifest.name} version {manifest.version} ({stream.model.backend}), {members}"
        yield from (f"stream {stream.name}: {line}" for line in _covered(stream, model))
        yield f"stream {stream.name}: {make_judge(stream, model, None).guarantee}"
        if stream.sample in NAMES_NONE:
            yield f"stream {stream.name}: WARNING: it names no samples; set its sample rule if its files or folders can tell them"
        yield from (f"stream {stream.name}: {line}" for line in _held_for(model.calibration))
        yield from (f"stream {stream.name}: {line}" for line in _expected(stream, model.calibration))
    check_http(settings.http)
    if broker := broker_settings(settings):
        yield f"events: Kafka at {broker.address}"
    else:
        yield f"events: JSON Lines in {settings.agent.place / 'events'}"
    sinks = alert_sinks(settings)
    if settings.alert.command is not None:
        find_program(settings.alert.command[0])
    if sinks:
        yield f"alerts: told by {' and '.join(sink.name for sink in sinks)} too"
    yield f"metrics: {settings.http.listen}"
    yield from _exposed(settings)


def _exposed(settings: Settings) -> Iterator[str]:
    """What others on the network may read of secrets, or without one."""
    http, kafka = settings.http, settings.kafka
    if http.host not in LOOPBACK and http.tls_certificate_file is None:
        yield "metrics: WARNING: the token goes over the network unencrypted; set tls_certificate_file and tls_key_file"
    if http.host not in LOOPBACK and http.token is None and http.token_file is None:
        yield "metrics: WARNING: anybody on the network may read them; set token_file"
    if kafka is not None and any(address.rpartition(":")[0].strip("[]") not in LOOPBACK for address in kafka.bootstrap_servers):
        if kafka.security_protocol == "SASL_PLAINTEXT" and kafka.sasl_mechanism == "PLAIN":
            yield "events: WARNING: the password goes over the network unencrypted; use SASL_SSL"
        elif kafka.security_protocol in {"PLAINTEXT", "SASL_PLAINTEXT"}:
            yield "events: WARNING: they go over the network unencrypted; use SSL or SASL_SSL"


def _covered(stream: StreamSettings, model: ServedModel) -> Iterator[str]:
    """Lots of the model that will not be judged; raises ConfigurationError where none would be."""
    missing = lots_not_calibrated(model)
    if model.calibration is None or not missing:
        return
    if len(missing) < len(model.manifest.lots):
        yield f"WARNING: the calibration does not hold lots {', '.join(missing)}: frames taken for them will be scored, not judged"
    elif stream.lot in NAMES_NONE:
        raise ConfigurationError(
            f"[stream {stream.name}] the calibration of model {model.manifest.name}",
            f"holds {', '.join(model.calibration.lots)}, but none of the model's lots {', '.join(missing)}, so no frame would be judged",
            f"run `edge-agent calibrate --stream {stream.name}` with samples of these, or have frames declare their lots",
        )
    else:
        yield f"WARNING: the calibration holds no lot of the model: only frames declared {', '.join(model.calibration.lots)} are judged"


def _held_for(calibration: Calibration | None) -> Iterator[str]:
    """The settings that frames are judged at."""
    if calibration is None:
        return
    if tells_no_stratum(calibration):
        yield "the calibration does not say at which settings it was made: it is held to be for those that most of the first frames show"
    else:
        yield f"frames are judged at the settings {'; '.join(stratum or 'not recorded' for stratum in strata_of(calibration))}"


def _expected(stream: StreamSettings, calibration: Calibration | None) -> Iterator[str]:
    """The threshold, the run length and the delays that follow from what the lab can bear."""
    if calibration is None:
        return
    drift = stream.drift
    settings = DriftSettings(drift.false_alarms_per_month, drift.frames_per_hour)
    limits = Limits.of(settings)
    between = settings.frames_between_false_alarms
    days = between / drift.frames_per_hour / HOURS_A_DAY
    yield (
        f"alarms where the statistic reaches {limits.statistic:.2f}, for {between:,.0f} frames between false alarms on average, "
        f"{days:.3g} days of imaging at {drift.frames_per_hour:g} frames an hour"
    )
    shifts = (drift.smallest_shift,) if drift.smallest_shift else USUAL_SHIFTS
    for words in shifts:
        try:
            yield str(foresee(calibration, settings, Shift.parse(words)))
        except ValueError as error:
            if drift.smallest_shift:
                raise ConfigurationError(
                    f"[stream {stream.name}] smallest_shift", str(error), "choose a smaller one, or calibrate the model again"
                ) from error


def plan(settings: Settings, *, once: bool = False) -> Iterator[str]:
    """What `run`, or `run --once`, would read now, stream by stream."""
    yield from check(settings)
    view = JournalView.open(settings.agent.place)
    for stream in settings.stream:
        files = list(list_files(stream.path, stream.include, stream.exclude))
        begun = view is not None and view.begun(stream.name)
        if not begun and stream.start == "now" and not once:
            yield f"stream {stream.name}: {len(files)} files are there and would be left alone (start = now); new ones would be read"
            continue
        new = [file for file in files if view is None or not view.knows(stream.name, file)]
        names = ", ".join(file.path for file in new[:FIRST_NAMES]) + (", ..." if len(new) > FIRST_NAMES else "")
        yield f"stream {stream.name}: {len(files)} files match, {len(new)} would be read{': ' + names if new else ''}"
