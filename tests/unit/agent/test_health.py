"""What /readyz makes of the parts: members left out degrade, a model that is not believed makes unready."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge_agent.agent.health import Health
from edge_agent.observe import PartState


def health(*, predictor: str = "", overdue: str = "", judge: str = "", unwatched: str = "") -> Health:
    pipeline: Any = SimpleNamespace(waiting_for={})
    publisher: Any = SimpleNamespace(state=SimpleNamespace(ok=True, reason=""))
    predictors: dict[str, Any] = {"tiny": SimpleNamespace(degradation=predictor, overdue=overdue)}
    standing = SimpleNamespace(degradation=judge, not_watched=unwatched)
    line: Any = SimpleNamespace(name="sem", judge=standing, desk=SimpleNamespace(hold=None))
    made = Health(pipeline, publisher, [], predictors, [line])
    made.models["tiny"] = ""
    return made


def test_a_model_is_unready_until_it_has_answered() -> None:
    made = health()
    made.models["tiny"] = "it has not been asked yet"
    assert made.parts()["model tiny"] == PartState("unready", "it has not been asked yet")
    assert made.summary() == ("unready", "model tiny: it has not been asked yet")


def test_a_model_that_owes_its_answer_is_unready_before_its_request_is_given_up() -> None:
    made = health(overdue="has not answered for 3 s")
    assert made.parts()["model tiny"] == PartState("unready", "model tiny has not answered for 3 s; frames wait meanwhile")


@pytest.mark.parametrize(
    ("said", "part"),
    [({"predictor": "member 2 is stale"}, "model tiny"), ({"judge": "4 of 5 members answer"}, "ensemble of sem")],
)
def test_members_left_out_degrade_and_are_named(said: dict[str, str], part: str) -> None:
    (reason,) = said.values()
    made = health(**said)
    assert made.parts()[part] == PartState("degraded", reason)
    assert made.summary() == ("degraded", f"{part}: {reason}")


def test_a_model_that_is_not_believed_outweighs_its_missing_members() -> None:
    made = health(predictor="member 2 is stale")
    made.models["tiny"] = "it does not answer"
    assert made.parts()["model tiny"] == PartState("unready", "it does not answer")


def test_a_folder_that_cannot_be_listed_degrades_its_watch() -> None:
    made = health()
    watched = SimpleNamespace(stream="sem", unseen="", state=SimpleNamespace(watching=True, reason=""))
    made._watchers = [watched]  # type: ignore[list-item]  # a stand-in: no folder is needed here
    assert made.summary() == ("ok", "")
    watched.unseen = "1 folder(s) cannot be listed"
    assert made.summary() == ("degraded", "watch sem: 1 folder(s) cannot be listed")
    watched.state.watching = False
    assert made.parts()["watch sem"].state == "unready"


def test_a_whole_ensemble_is_no_part_of_its_own() -> None:
    assert "ensemble of sem" not in health().parts()
    assert health().summary() == ("ok", "")


def test_a_stream_whose_frames_are_not_judged_degrades_with_reason_and_way_out() -> None:
    made = health(unwatched="32 of the last 32 frames were not judged: lot nylon was never calibrated")
    standing, reason = made.summary()
    assert standing == "degraded"
    assert reason.startswith(
        "drift of sem: 32 of the last 32 frames were not judged: lot nylon was never calibrated; `edge-agent calibrate`"
    )


def test_a_disk_that_is_all_but_full_degrades_and_a_journal_without_room_is_unready() -> None:
    made = health()
    made.disk = "1.2 MB are left"
    assert made.parts()["journal"] == PartState("degraded", "1.2 MB are left")
    made._pipeline.waiting_for["journal"] = "no room to write"
    assert made.parts()["journal"] == PartState("unready", "no room to write")
