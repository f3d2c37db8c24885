"""A canary and a frame's requests may overlap: whoever was not believed before or after them is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_agent.inference import RollCall, TritonPredictor
from edge_agent.inference.answers import Answers
from edge_agent.inference.triton_config import ServedConfig
from tests.frames_of import noise_frame
from tests.served_model import write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

WHOLE, LACKING = RollCall(), RollCall(stale=frozenset({1}))


@pytest.mark.parametrize(("before", "after"), [(WHOLE, LACKING), (LACKING, WHOLE)], ids=["found meanwhile", "believed again meanwhile"])
async def test_a_member_that_is_not_believed_on_one_side_of_the_requests_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: RollCall, after: RollCall
) -> None:
    predictor = TritonPredictor(write_tiny_model(tmp_path / "tiny", members=3), "nowhere:1")

    async def infer(fields: Any) -> Answers:
        predictor._roll = after  # a canary came in between
        return Answers(np.full((len(fields), 3, 3), 1 / 3, np.float32), np.ones((len(fields), 3), np.float32))

    monkeypatch.setattr(predictor, "_infer", infer)
    predictor._served, predictor._roll = ServedConfig(max_batch=48, precision="fp32"), before
    (prediction,) = await predictor.predict([noise_frame(0)])
    assert prediction.members_stale == ("member 2 (seed 12)",)
    (prediction,) = await predictor.predict([noise_frame(0)])
    assert len(prediction.members_stale) == len(after.stale)
