"""What a person reads of an alert: which stream, what, how sure, since when, why, and what to do."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from edge_agent.core.frame import FileIdentity
from edge_agent.core.prediction import ModelIdentity
from edge_agent.core.verdict import EpisodeChange, FrameRef, Kind, Phase
from edge_agent.drift.diagnosis import ACTIONS
from edge_agent.publish import Origin, alert, alert_abandoned

ORIGIN = Origin("pc7", FileIdentity("sem", "A17/0002.tif", 123, 1_000_000_000), 0, 3_500_000_000, 4_000_000_000)
ONSET = FrameRef(3, "A17/0001.tif", 0, "A17", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
CHANGE = EpisodeChange(
    "e1", Phase.OPENED, 0, Kind.UNSEEN_LOT, 0.934, ONSET, (ONSET,), "The noise is high.", "Image the reference standard."
)
MODEL = ModelIdentity("sem-real", "1", "d" * 64)


def told(pictures: frozenset[str] = frozenset(), **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(alert(ORIGIN, dataclasses.replace(CHANGE, **changes), MODEL, pictures).data)
    return found


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_words_and_an_action_with_the_reference_standard(kind: Kind) -> None:
    assert "reference standard" in ACTIONS[kind]
    said = told(kind=kind, action=ACTIONS[kind])["summary"]
    assert kind.value not in said or "_" not in kind.value, "words, not the event's codes"
    assert said.endswith(f"What to do: {ACTIONS[kind]}")


def test_an_alert_reads_as_sentences() -> None:
    assert told()["summary"] == (
        "Alert on sem (agent pc7): a lot that the network has never seen (93% sure), since sample A17, A17/0001.tif, 2026-01-02 03:04 UTC."
        " The noise is high. What to do: Image the reference standard."
    )
    without_sample = dataclasses.replace(ONSET, sample=None, frame_index=4, path="odd\udcff\n.tif")
    assert "since odd\\udcff\\n.tif (frame 4), 2026" in told(onset=without_sample)["summary"]


def test_an_end_asks_for_nothing_more() -> None:
    said = told(phase=Phase.CLOSED, reason="The last frames are ordinary again.")["summary"]
    assert said.startswith("Alert over on sem (agent pc7): a lot that the network has never seen, which began with sample A17")
    assert said.endswith("The last frames are ordinary again.")


def test_paths_are_named_only_of_what_will_be_made() -> None:
    nothing = told()
    assert [nothing[name] for name in ("evidence_dir", "strip", "local_map")] == [None, None, None]
    strip = told(frozenset({"strip.png"}))
    assert [strip[name] for name in ("evidence_dir", "strip", "local_map")] == ["evidence/sem/e1", "evidence/sem/e1/strip.png", None]
    assert told(frozenset({"strip.png", "local-map.png"}), episode="../../etc")["strip"].count("..") == 0


def test_an_abandoned_alert_of_an_older_release_gets_its_words() -> None:
    older = {name: value for name, value in told().items() if name not in {"summary", "evidence_dir", "strip", "local_map"}}
    closed = json.loads(alert_abandoned(older, 5_000_000_000).data)
    assert closed["summary"].startswith("Alert over on sem")
    assert closed["summary"].endswith("was replaced while it was open.")
    assert closed["strip"] is None
