"""The canary is answered member by member: one that computes something else is found however well the others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_agent.core.errors import ModelError
from edge_agent.inference import Manifest, RollCall, call_roll, load_manifest
from tests.served_model import write_tiny_model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder: Path = tmp_path_factory.mktemp("models") / "tiny"
    return load_manifest(write_tiny_model(folder, members=4))


def known(manifest: Manifest) -> np.ndarray:
    return np.array(manifest.canary.probabilities, np.float32)


def called(manifest: Manifest, answer: np.ndarray, distances: np.ndarray | None = None) -> RollCall:
    distances = np.ones(answer.shape[:2], np.float32) if distances is None else distances
    return call_roll(manifest, answer, distances, manifest.canary.tolerance, "model tiny", "reload it")


def test_the_known_answer_leaves_nobody_out_even_at_the_edge_of_the_tolerance(manifest: Manifest) -> None:
    assert called(manifest, known(manifest)) == RollCall()
    assert called(manifest, known(manifest) + np.float32(0.9 * manifest.canary.tolerance)) == RollCall()


def test_one_wrong_number_of_one_member_is_enough(manifest: Manifest) -> None:
    answer = known(manifest)
    answer[1, 2, 0] += 2 * manifest.canary.tolerance
    roll = called(manifest, answer)
    assert (roll.stale, roll.missing) == ({2}, frozenset())
    assert roll.said == "member 3 (seed 13) is stale: its canary differs from the known answer by 0.002; reload it"


def test_an_answer_that_is_not_finite_is_missing_and_not_stale(manifest: Manifest) -> None:
    answer = known(manifest)
    answer[0, 1, 0], answer[1, 3, 2] = np.nan, np.inf
    answer[0, 0] = 0
    roll = called(manifest, answer)
    assert (roll.stale, roll.missing) == ({0}, {1, 3})
    assert roll.said.startswith("member 2 (seed 12) gives no finite answer to the canary; member 4 (seed 14) gives no finite answer")


def test_a_member_without_finite_distances_is_missing_whatever_its_probabilities(manifest: Manifest) -> None:
    distances = np.ones((2, 4), np.float32)
    distances[1, 2] = np.nan
    roll = called(manifest, known(manifest), distances)
    assert (roll.stale, roll.missing) == (frozenset(), {2})
    assert roll.said == "member 3 (seed 13) gives no finite answer to the canary; reload it"


@pytest.mark.parametrize("answer", [0.0, np.nan])
def test_when_nobody_gives_it_the_model_is_not_believed(manifest: Manifest, answer: float) -> None:
    with pytest.raises(ModelError, match=r"canary differs from the known answer by (0\.\d+|inf), more than 0\.001; reload it"):
        called(manifest, np.full_like(known(manifest), answer))


def test_an_answer_of_another_shape_is_not_believed(manifest: Manifest) -> None:
    with pytest.raises(ModelError, match=r"with shape \(2, 3, 3\), its known answer has \(2, 4, 3\)"):
        called(manifest, known(manifest)[:, :3])
