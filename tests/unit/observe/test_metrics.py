"""Metrics: every label set is there from the start, every fact moves the metric it should."""

from __future__ import annotations

import math
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_agent.core.errors import QUARANTINE_REASONS
from edge_agent.core.telemetry import Telemetry
from edge_agent.core.verdict import DriftState, Kind, Phase
from edge_agent.observe import Metrics
from edge_agent.observe.metrics import OUTCOMES

ALLOWED_LABELS = {"stream", "model", "version", "stage", "reason", "kind", "via", "outcome", "state", "sink", "le"}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(["sem", "eds"], "kafka", "1.2.3", triton=True)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"edge_agent_{name}", labels)


def own_samples(metrics: Metrics):
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        if family.name.startswith("edge_agent_"):
            yield from family.samples


def test_no_fact_of_telemetry_is_dropped():
    facts = {name for name, member in vars(Telemetry).items() if callable(member) and not name.startswith("_")}

    assert facts <= set(vars(Metrics))


def test_labels_are_the_contracts_and_no_other(metrics: Metrics):
    metrics.model("sem", "sem-real", "1", "f" * 64)

    assert {label for sample in own_samples(metrics) for label in sample.labels} <= ALLOWED_LABELS


def test_counters_have_no_second_creation_gauge(metrics: Metrics):
    assert not re.search(r"^\w+_created", metrics.exposition().decode(), re.MULTILINE)


@pytest.mark.parametrize("stream", ["sem", "eds"])
def test_label_sets_exist_before_the_first_frame(metrics: Metrics, stream: str):
    assert all(value(metrics, "quarantined_total", stream=stream, reason=reason) == 0 for reason in QUARANTINE_REASONS)
    assert all(value(metrics, "alert_open", stream=stream, kind=kind) == 0 for kind in Kind)
    assert all(value(metrics, "alerts_total", stream=stream, kind=kind) == 0 for kind in Kind)
    assert all(value(metrics, "frames_total", stream=stream, outcome=outcome) == 0 for outcome in OUTCOMES)
    assert all(value(metrics, "discovered_total", stream=stream, via=via) == 0 for via in ("event", "scan"))
    assert value(metrics, "entropy_nats_count", stream=stream) == 0
    assert value(metrics, "watch_up", stream=stream) == 0
    assert value(metrics, "published_total", sink="kafka") == 0


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("last_frame_timestamp_seconds", {"stream": "sem"}),
        ("drift_statistic", {"stream": "sem"}),
        ("drift_threshold", {"stream": "sem"}),
        ("outbox_oldest_timestamp_seconds", {}),
        ("broker_last_success_timestamp_seconds", {}),
        ("triton_canary_timestamp_seconds", {}),
    ],
)
def test_what_is_not_known_yet_is_nan_and_never_1970(metrics: Metrics, name: str, labels: dict[str, str]):
    known = value(metrics, name, **labels)

    assert known is not None
    assert math.isnan(known)


def test_a_peer_that_is_not_configured_has_no_metric():
    metrics = Metrics(["sem"], "jsonl", "1.2.3")
    metrics.published("jsonl", 3, 100.0)
    metrics.canary_answered(100.0)

    assert value(metrics, "broker_last_success_timestamp_seconds") is None
    assert value(metrics, "triton_canary_timestamp_seconds") is None
    assert value(metrics, "published_total", sink="jsonl") == 3


def test_a_scored_frame_is_counted_measured_and_dated(metrics: Metrics):
    metrics.frame_done("sem", "scored", size=1000, at_s=1.7e9, entropy=0.3, mutual_information=0.02, referred=True)

    assert value(metrics, "frames_total", stream="sem", outcome="scored") == 1
    assert value(metrics, "frame_bytes_total", stream="sem") == 1000
    assert value(metrics, "last_frame_timestamp_seconds", stream="sem") == 1.7e9
    assert value(metrics, "entropy_nats_sum", stream="sem") == pytest.approx(0.3)
    assert value(metrics, "mutual_information_nats_sum", stream="sem") == pytest.approx(0.02)
    assert value(metrics, "referred_total", stream="sem") == 1
    assert value(metrics, "frames_total", stream="eds", outcome="scored") == 0


def test_a_quarantined_frame_is_counted_and_leaves_the_rest_alone(metrics: Metrics):
    metrics.frame_done("sem", "quarantined", size=10, at_s=1.7e9, entropy=None, mutual_information=None, referred=False)
    metrics.quarantined("sem", "truncated")

    assert value(metrics, "frames_total", stream="sem", outcome="quarantined") == 1
    assert value(metrics, "quarantined_total", stream="sem", reason="truncated") == 1
    assert value(metrics, "entropy_nats_count", stream="sem") == 0
    assert math.isnan(value(metrics, "last_frame_timestamp_seconds", stream="sem") or 0)


def test_an_episode_counts_once_however_often_it_changes(metrics: Metrics):
    metrics.episode("sem", Kind.UNDETERMINED, Phase.OPENED)
    metrics.open_episodes("sem", [Kind.UNDETERMINED])
    metrics.episode("sem", Kind.UNSEEN_LOT, Phase.UPDATED)
    metrics.open_episodes("sem", [Kind.UNSEEN_LOT])

    assert value(metrics, "alerts_total", stream="sem", kind="undetermined") == 1
    assert value(metrics, "alerts_total", stream="sem", kind="unseen_lot") == 0
    assert value(metrics, "alert_open", stream="sem", kind="undetermined") == 0
    assert value(metrics, "alert_open", stream="sem", kind="unseen_lot") == 1


@pytest.mark.parametrize(("state", "number"), [(DriftState.UNCALIBRATED, 0), (DriftState.IN_CONTROL, 1), (DriftState.ALARM, 2)])
def test_a_state_is_its_place_in_the_order(metrics: Metrics, state: DriftState, number: int):
    metrics.drift("sem", 3.5, None, state)

    assert value(metrics, "drift_state", stream="sem") == number
    assert value(metrics, "drift_statistic", stream="sem") == 3.5
    assert math.isnan(value(metrics, "drift_threshold", stream="sem") or 0)


def test_samples_are_counted_and_holds_come_and_go(metrics: Metrics):
    assert (value(metrics, "samples_total", stream="sem"), value(metrics, "held", stream="sem")) == (0, 0)

    metrics.sample_began("sem")
    metrics.sample_began("sem")
    metrics.held("sem", held=True)
    assert (value(metrics, "samples_total", stream="sem"), value(metrics, "held", stream="sem")) == (2, 1)

    metrics.held("sem", held=False)
    assert value(metrics, "held", stream="sem") == 0
    assert value(metrics, "samples_total", stream="eds") == 0


def test_an_emptied_outbox_has_no_oldest_event(metrics: Metrics):
    metrics.outbox(4, 1.7e9)
    assert value(metrics, "outbox_oldest_timestamp_seconds") == 1.7e9

    metrics.outbox(0, None)
    assert value(metrics, "outbox_events") == 0
    assert math.isnan(value(metrics, "outbox_oldest_timestamp_seconds") or 0)


def test_peers_date_their_last_success(metrics: Metrics):
    metrics.published("kafka", 7, 1.7e9)
    metrics.publish_failed("kafka", "unavailable")
    metrics.canary_answered(1.8e9)

    assert value(metrics, "published_total", sink="kafka") == 7
    assert value(metrics, "publish_failures_total", sink="kafka", reason="unavailable") == 1
    assert value(metrics, "broker_last_success_timestamp_seconds") == 1.7e9
    assert value(metrics, "triton_canary_timestamp_seconds") == 1.8e9


def test_a_new_model_takes_the_old_ones_place(metrics: Metrics):
    metrics.model("sem", "sem-real", "1", "a" * 64)
    metrics.model("sem", "sem-real", "1", "a" * 64)
    metrics.model("sem", "sem-real", "2", "b" * 64)

    assert value(metrics, "model_info", stream="sem", model="sem-real", version="2+" + "b" * 12) == 1
    assert value(metrics, "model_info", stream="sem", model="sem-real", version="1+" + "a" * 12) is None


def test_the_remaining_facts_reach_their_metrics(metrics: Metrics):
    metrics.discovered("sem", "event")
    metrics.settled("sem", 1.05)
    metrics.watch_state("sem", up=True)
    metrics.watch_restarted("sem")
    metrics.queue_length("read", 12)
    metrics.stage_time("predict", 0.2)
    metrics.requests_in_flight(2)
    metrics.members("sem", 2, 1, 2)

    assert value(metrics, "discovered_total", stream="sem", via="event") == 1
    assert value(metrics, "settle_wait_seconds_sum", stream="sem") == 1.05
    assert value(metrics, "watch_up", stream="sem") == 1
    assert value(metrics, "watch_restarts_total", stream="sem") == 1
    assert value(metrics, "queue_frames", stage="read") == 12
    assert value(metrics, "stage_seconds_sum", stage="predict") == 0.2
    assert value(metrics, "inflight_requests") == 2
    assert [value(metrics, "ensemble_members", stream="sem", state=state) for state in ("answering", "missing", "stale")] == [2, 1, 2]
    assert value(metrics, "build_info", version="1.2.3") == 1


def test_two_agents_in_one_process_do_not_share_counts():
    first, second = (Metrics(["sem"], "jsonl", "1") for _ in range(2))
    first.discovered("sem", "scan")

    assert value(second, "discovered_total", stream="sem", via="scan") == 0
