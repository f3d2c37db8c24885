"""Events are flat, typed, recognisable when they are told again, and as the committed schemas say."""

from __future__ import annotations

import dataclasses
import json
import math
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import numpy as np
import pytest

from edge_agent.core.errors import FrameRejectedError
from edge_agent.core.event import Event, OutboxRow
from edge_agent.core.frame import Acquisition, AcquisitionStatistics, FileIdentity, Frame
from edge_agent.core.prediction import ModelIdentity, Prediction, Score
from edge_agent.core.verdict import DriftState, EpisodeChange, FrameRef, Kind, Mark, Marking, Observation, Phase, Verdict
from edge_agent.publish import (
    KafkaSettings,
    Origin,
    agent_heartbeat,
    agent_started,
    agent_stopped,
    alert,
    alert_marked,
    alert_rebased,
    baseline_changed,
    frame_companion,
    frame_quarantined,
    frame_scored,
    hold_changed,
)
from edge_agent.publish.cloudevent import binary_headers, structured
from edge_agent.publish.describe import PAYLOADS, SCHEMAS, documents

MODEL = ModelIdentity("sem-real", "1", "d" * 64)
ORIGIN = Origin("pc7", FileIdentity("sem", "A17/0001.tif", 123, 1_000_000_000), 2, 3_500_000_000, 4_000_000_000)
ZURICH = timezone(timedelta(hours=1))


def scored(
    origin: Origin = ORIGIN,
    *,
    score: dict[str, Any] | None = None,
    acquisition: Acquisition | None = None,
    statistic: float | None = 1.5,
    distance_kind: str = "mahalanobis",
    held: bool = False,
    **frame: Any,
) -> Event:
    statistics = AcquisitionStatistics(0.5, -1.0, -4.0, -2.0, 0.0, 0.01)
    pixels = np.zeros((4, 4), np.uint8)
    place = {"frame_index": 1, "frame_count": 3, "content_hash": "c" * 64, **frame}
    taken = Frame(pixels, 255.0, **place, acquisition=Acquisition(), statistics=statistics)
    values = {
        "lot": "ebc",
        "confidence": 0.9,
        "entropy": 0.3,
        "mutual_information": 0.1,
        "distance": 4.2,
        "p_value": 0.5,
        "referred": False,
    }
    made = Score(**{**values, "members_answering": 5, **(score or {})}, field_entropy=((0.1,),))
    ref = FrameRef(7, origin.file.path, 1, "A17", datetime(2026, 1, 2, 13, 0, tzinfo=ZURICH))
    observation = Observation(ref, made, statistics, acquisition or Acquisition(detector="InLens", extra={"AP_WD": "5 mm"}), None)
    prediction = Prediction(np.ones((1, 5, 3), np.float32), np.ones((1, 5), np.float32), (1, 1), ("a", "b", "c"), MODEL, 5, 0.0123)
    prediction = dataclasses.replace(prediction, distance_kind=distance_kind)
    return frame_scored(origin, taken, observation, prediction, Verdict(statistic, None, DriftState.UNCALIBRATED), read_s=0.004, held=held)


def change(phase: Phase = Phase.OPENED, revision: int = 0, **fields: Any) -> EpisodeChange:
    onset = FrameRef(3, "A16/0009.tif", 0, "A16", datetime(2026, 1, 2, tzinfo=UTC))
    evidence = (onset, dataclasses.replace(onset, path="A17/0001.tif", sample="A17"))
    whole = EpisodeChange("e1", phase, revision, Kind.UNSEEN_LOT, 0.8, onset, evidence, "distance is 4 sigma high", "hold predictions")
    return dataclasses.replace(whole, **fields)


REJECTED = FrameRejectedError("A17/0001.tif", "truncated", "it ends after 12 bytes", "write it again")


def torn(origin: Origin) -> Event:
    return frame_quarantined(origin, REJECTED)


def companion(origin: Origin) -> Event:
    return frame_companion(origin, "of A17/0001.tif")


EVENTS = {
    "edge.frame.scored.v1": scored(),
    "edge.frame.quarantined.v1": torn(ORIGIN),
    "edge.frame.companion.v1": companion(ORIGIN),
    "edge.alert.opened.v1": alert(ORIGIN, change(), MODEL),
    "edge.alert.updated.v1": alert(ORIGIN, change(Phase.UPDATED, 1), MODEL),
    "edge.alert.closed.v1": alert(ORIGIN, change(Phase.CLOSED, 2), MODEL),
    "edge.agent.started.v1": agent_started("pc7", 10**9, "one false alarm a month"),
    "edge.agent.heartbeat.v1": agent_heartbeat("pc7", "sem", 10**9, "ok", ""),
    "edge.agent.stopped.v1": agent_stopped("pc7", 10**9, "asked to"),
    "edge.baseline.changed.v1": baseline_changed(
        "pc7", "sem", 10**9, order_id="f" * 32, change="rebased", operator="A. Curie", reason="a new filament",
        baselines=("a" * 16, "b" * 16), samples=24, provisional=True, episode="e1",
    ),
    "edge.hold.changed.v1": hold_changed(
        "pc7", "sem", 10**9, order_id="f" * 32, held=True, operator="A. Curie", reason="an unseen lot", until_ns=2 * 10**9
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", EVENTS)
def test_every_event_is_flat_and_as_its_schema_says(kind: str) -> None:
    event = EVENTS[kind]
    assert event.type == kind
    assert uuid.UUID(event.id).version == 5
    schema = json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))
    data = json.loads(event.data)
    jsonschema.validate(data, schema, format_checker=jsonschema.FormatChecker())
    assert set(data) == set(schema["properties"]), "missing is null, never absent"
    assert "readers ignore those they do not know" in schema["description"]
    for value in data.values():
        assert not isinstance(value, dict)
        assert not isinstance(value, list) or all(isinstance(item, (str, int)) for item in value)
    assert data["agent"] == "pc7"
    assert event.source == "/edge-agent/pc7"
    assert event.time == data["emitted_at"] or datetime.fromisoformat(event.time) == datetime.fromisoformat(data["emitted_at"])
    assert event.key == ("pc7" if event.subject is None else "pc7/sem")


def test_events_kept_from_the_first_release_are_still_what_the_schema_says() -> None:
    schema = json.loads((SCHEMAS / "edge.frame.scored.v1.json").read_text(encoding="utf-8"))
    data = json.loads(scored().data)
    added = {name: data.pop(name) for name in ("distance_kind", "members_missing", "members_stale", "stratum", "not_judged", "held")}
    jsonschema.validate(data, schema, format_checker=jsonschema.FormatChecker())
    assert set(schema["required"]) == set(data)
    assert {name: schema["properties"][name]["default"] for name in added} == {
        "distance_kind": "mahalanobis",
        "members_missing": [],
        "members_stale": [],
        "stratum": None,
        "not_judged": None,
        "held": False,
    }


def test_each_type_has_a_topic_and_an_example() -> None:
    topics = {kind: topic for topic, kinds in PAYLOADS.items() for kind in kinds}
    assert {kind: event.topic for kind, event in EVENTS.items()} == topics


def test_committed_schemas_are_those_of_the_models() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()}
    assert committed == documents(), "run `python -m edge_agent.publish.describe` and commit what it wrote"


def test_asyncapi_refers_only_to_what_exists() -> None:
    document = json.loads((SCHEMAS / "asyncapi.json").read_text(encoding="utf-8"))

    def references(node: Any) -> list[str]:
        if isinstance(node, list):
            return [ref for item in node for ref in references(item)]
        if not isinstance(node, dict):
            return []
        return [node["$ref"]] if "$ref" in node else [ref for item in node.values() for ref in references(item)]

    for reference in references(document):
        if reference.startswith("#/"):
            place: Any = document
            for step in reference[2:].split("/"):
                place = place[step]
        else:
            assert (SCHEMAS / reference).is_file()


def test_a_scored_frame_says_what_the_contract_lists() -> None:
    data = json.loads(scored().data)
    assert data["path"] == "A17/0001.tif"
    assert data["sample"] == "A17"
    assert (data["lot"], data["declared_lot"]) == ("ebc", None)
    assert (data["drift_statistic"], data["drift_threshold"], data["drift_state"]) == (1.5, None, "uncalibrated")
    assert (data["settle_s"], data["read_s"], data["inference_s"]) == (2.5, 0.004, 0.0123)
    assert datetime.fromisoformat(data["frame_time"]) == datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert data["frame_time"].endswith("Z")
    assert (data["detector"], data["dwell_s"]) == ("InLens", None)
    assert json.loads(data["metadata_json"]) == {"AP_WD": "5 mm"}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_is_null(value: float | None) -> None:
    data = json.loads(scored(score={"distance": value, "p_value": value}).data)
    assert (data["distance"], data["p_value"]) == (None, None)


def test_names_that_are_no_unicode_can_be_told() -> None:
    file = dataclasses.replace(ORIGIN.file, path="caf\udce9.tif")
    data = json.loads(scored(dataclasses.replace(ORIGIN, file=file), acquisition=Acquisition(extra={"k": "\udcff"})).data)
    assert data["path"] == "caf\\udce9.tif"
    assert json.loads(data["metadata_json"]) == {"k": "\udcff"}


def test_vendors_metadata_never_make_an_event_too_large() -> None:
    extra = {f"key{number}": "v" * 400 for number in range(1000)} | {"one": "1"}
    event = scored(acquisition=Acquisition(extra=extra))
    assert len(event.data) < 100_000
    kept = json.loads(json.loads(event.data)["metadata_json"])
    assert kept["one"] == "1"
    assert kept["..."] == f"{1001 - (len(kept) - 1)} keys left out"


def test_the_same_told_again_has_the_same_id() -> None:
    later = dataclasses.replace(ORIGIN, now_ns=ORIGIN.now_ns + 10**9)
    assert scored(later).id == scored().id
    assert alert(later, change(), MODEL).id == EVENTS["edge.alert.opened.v1"].id


def test_whatever_differs_has_another_id() -> None:
    other_file = dataclasses.replace(ORIGIN.file, path="A17/0002.tif")
    events = [
        scored(),
        scored(frame_index=2),
        scored(content_hash="e" * 64),
        scored(dataclasses.replace(ORIGIN, generation=3)),
        scored(dataclasses.replace(ORIGIN, agent="pc8")),
        scored(dataclasses.replace(ORIGIN, file=other_file)),
        *(event for kind, event in EVENTS.items() if kind != "edge.frame.scored.v1"),
        alert(ORIGIN, change(revision=1), MODEL),
        agent_heartbeat("pc7", "sem", 2 * 10**9, "ok", ""),
        agent_heartbeat("pc7", "xrd", 10**9, "ok", ""),
    ]
    assert len({event.id for event in events}) == len(events)


def test_a_score_says_every_uncertainty_there_is_and_null_for_what_is_not() -> None:
    data = json.loads(scored(distance_kind="rigidity").data)
    told = ("entropy", "mutual_information", "distance", "distance_kind", "p_value", "members_missing", "members_stale")
    assert [data[name] for name in told] == [0.3, 0.1, 4.2, "rigidity", 0.5, [], []]
    alone = {"members_answering": 1, "mutual_information": 0.0, "p_value": None, "members_stale": ("member 1", "member 2")}
    data = json.loads(scored(score=alone, statistic=None).data)
    assert [data[name] for name in ("mutual_information", "p_value", "drift_statistic", "drift_threshold")] == [None] * 4
    assert (data["members_answering"], data["members_expected"], data["members_stale"]) == (1, 5, ["member 1", "member 2"])


def test_every_state_of_a_file_that_was_never_decoded_is_an_event_of_its_own() -> None:
    states = [dataclasses.replace(ORIGIN.file, size=size, mtime_ns=at) for size, at in ((123, 1), (124, 1), (123, 2))]
    origins = [dataclasses.replace(ORIGIN, file=file) for file in states]
    told = [tell(origin).id for origin in origins for tell in (torn, companion)]
    assert len(set(told)) == len(told)
    assert told == [tell(origin).id for origin in origins for tell in (torn, companion)]


def test_a_line_and_a_kafka_record_say_the_same() -> None:
    row = OutboxRow(42, EVENTS["edge.frame.scored.v1"])
    line = json.loads(structured(row, "j1"))
    headers = dict(binary_headers(row, "j1"))
    assert line.pop("data") == json.loads(row.event.data)
    assert line.pop("datacontenttype") == headers.pop("content-type").decode() == "application/json"
    assert line.pop("partitionkey") == row.event.key
    assert {name.removeprefix("ce_"): value.decode() for name, value in headers.items()} == line
    assert (line["specversion"], line["sequence"], line["journalid"]) == ("1.0", f"{42:020d}", "j1")


def test_a_password_is_never_shown() -> None:
    settings = KafkaSettings("pc7", ("b:9092",), sasl_username="u", sasl_password="hunter2")
    assert "hunter2" not in repr(settings)
    assert settings.connection("x")["sasl_plain_password"] == "hunter2"


def test_an_operators_word_on_an_episode_is_told_as_its_next_revision() -> None:
    told = json.loads(alert(ORIGIN, change(), MODEL).data)
    mark = Mark(Marking.ACKNOWLEDGED, "A. Curie", "the new filament")
    marked = alert_marked(told, 5 * 10**9, mark)
    data = json.loads(marked.data)
    assert (marked.type, data["revision"], data["kind"]) == ("edge.alert.updated.v1", 1, told["kind"])
    assert (data["operator_marking"], data["operator"], data["operator_reason"]) == ("acknowledged", "A. Curie", "the new filament")
    assert data["summary"].endswith("Marked acknowledged by A. Curie: the new filament")
    over = json.loads(alert(ORIGIN, change(Phase.CLOSED, 2, mark=mark), MODEL).data)
    assert over["operator"] == "A. Curie"
    wrong = alert_marked(over, 6 * 10**9, Mark(Marking.WRONG, "A. Curie", "a blanked beam"))
    assert (wrong.type, json.loads(wrong.data)["revision"]) == ("edge.alert.closed.v1", 3), "what is over is not opened again"
    rebased = alert_rebased(told, 7 * 10**9, "A. Curie", "usual now")
    assert rebased.type == "edge.alert.closed.v1"
    assert "A. Curie replaced the baseline: usual now" in json.loads(rebased.data)["reason"]


def test_a_held_frame_is_referred_whatever_its_score_says() -> None:
    assert [json.loads(one.data)["referred"] for one in (scored(), scored(held=True))] == [False, True]
    assert json.loads(scored(held=True).data)["held"] is True
