"""The drift bench on real pictures, with a handful of made ones: who calibrates, what a stream shows, what is said of so few."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import asdict
from functools import partial

import numpy as np
import pytest
from PIL import Image

from edge_agent.core.errors import EdgeAgentError
from edge_agent.core.frame import AcquisitionStatistics
from edge_agent.core.prediction import Score
from tests.benchmarks import bench_drift
from tests.benchmarks.drift import real_pictures, real_run
from tests.benchmarks.drift.kept import Kept
from tests.benchmarks.drift.library import Library
from tests.benchmarks.drift.real_folds import Fold, leave_one_source_out
from tests.benchmarks.drift.real_pictures import OTHER_FRAMES, Picture, RealPictures, RealVisit, fields_of_view, open_pictures
from tests.benchmarks.drift.real_report import share_interval, tell
from tests.benchmarks.drift.real_run import CONTROL, LEFT_OUT, ORDERS, SHIPPED, RealStage, RealStudy
from tests.benchmarks.drift.scored import Scored

FILAMENT = np.array([0.3, 0.4, 0.6, 0.05, -0.4, 0.9, 0.3])
STRANGE = np.array([0.9, 0.9, 2.5, 0.0, 0.0, 0.0, 0.0])


def number_of(words: str) -> int:
    return int(hashlib.sha256(words.encode()).hexdigest()[:8], 16)


def picture(lot: str, source: str, name: str) -> Picture:
    pixels = np.random.default_rng(number_of(name)).integers(0, 256, (96, 128)).astype(np.uint8)
    return Picture(lot, source, name, hashlib.sha256(name.encode()).hexdigest(), partial(np.asarray, pixels))


def pictures_of(side: str, sources: dict[str, tuple[str, ...]], each: int = 2) -> tuple[Picture, ...]:
    return tuple(
        picture(lot, source, f"{side}-{lot}-{source}-{n}") for lot, held in sources.items() for source in held for n in range(each)
    )


class Numbers:
    """Scores drawn by lot, source and picture."""

    def read(self, visit: RealVisit) -> list[Scored]:
        rng = np.random.default_rng(number_of(repr(visit)))
        place = np.random.default_rng(number_of(visit.source)).normal(0, 0.1, 7) + visit.filament * FILAMENT
        place = place + STRANGE * (visit.lot not in {"a", "b", "c"})
        return [frame(place + rng.normal(0, 0.1 if visit.lot else 2.0, 7), visit.lot) for _ in range(visit.frames)]


def frame(values: np.ndarray, lot: str) -> Scored:
    entropy, information, distance, mean, sigma, noise, sharpness = values.tolist()
    score = Score(lot if lot in {"a", "b"} else "b", 0.8, math.exp(entropy - 2), math.exp(information - 3), distance, None, False, (), 5)
    return Scored(score, AcquisitionStatistics(0.4 + 0.05 * mean, sigma - 2, noise - 4, sharpness - 1, 0.0, 0.0))


@pytest.fixture(scope="module")
def pictures() -> RealPictures:
    return RealPictures(
        train=pictures_of("train", {"a": ("a0",), "b": ("b0",)}, 1),
        calibration=pictures_of("calibration", {"a": ("a1", "a2"), "b": ("b1",)}),
        test=pictures_of("test", {"a": ("a3",), "b": ("b2",)}),
        unseen=pictures_of("unseen", {"z": ("z1", "z2")}),
        unrelated=tuple(picture("", f"photograph {n}", f"photograph {n}") for n in range(5)),
    )


@pytest.fixture(scope="module")
def library(pictures: RealPictures) -> Library:
    return Library(Numbers(), pictures.visits())


@pytest.fixture(scope="module")
def folds(pictures: RealPictures, library: Library) -> list[Fold]:
    statistics = asdict(AcquisitionStatistics(0.4, -2.0, -4.0, -1.0, 0.0, 0.0))
    training = {picture.name: [statistics] * 3 for picture in pictures.train}
    return leave_one_source_out(pictures, library, training, model_digest="0" * 64, members=5)


def test_each_calibration_lacks_one_source_of_every_lot_and_holds_the_others(pictures: RealPictures, folds: list[Fold]) -> None:
    assert len(folds) == 3
    out = [{(picture.lot, picture.source) for picture in fold.held_out} for fold in folds]
    assert all(sorted(lot for lot, _ in pairs) == ["a", "b"] for pairs in out)
    assert Counter(pair for pairs in out for pair in pairs) == {
        ("a", "a1"): 1,
        ("a", "a2"): 1,
        ("a", "a3"): 1,
        ("b", "b1"): 2,
        ("b", "b2"): 1,
    }
    for fold in folds:
        assert {lot: held.samples for lot, held in fold.calibration.lots.items()} == {"a": 2, "b": 1}
        assert {lot: held.acquisition_samples for lot, held in fold.calibration.lots.items()} == {"a": 3, "b": 2}
        assert len(fold.held_out) == 4
    assert folds[0].calibration.digest != folds[1].calibration.digest


def test_a_lot_of_one_source_is_never_left_out(pictures: RealPictures) -> None:
    few = RealPictures(
        train=(),
        calibration=pictures_of("calibration", {"a": ("a1", "a2"), "c": ("c1",)}),
        test=(),
        unseen=(),
        unrelated=pictures.unrelated,
    )
    found = leave_one_source_out(few, Library(Numbers(), few.visits()), {}, model_digest="0" * 64, members=5)
    assert [sorted({picture.lot for picture in fold.held_out}) for fold in found] == [["a"], ["a"]]


def test_a_stream_shows_every_held_out_picture_once_and_nothing_else_before_its_change(
    pictures: RealPictures, library: Library, folds: list[Fold]
) -> None:
    fold = folds[0]
    calm = sorted(row for picture in fold.held_out for row in library.rows[picture.calm])
    changed = sorted(row for picture in fold.held_out for row in library.rows[picture.visit(OTHER_FRAMES, 0.5)])
    stage = RealStage(library, pictures, fold, (1,))
    assert sorted(stage.calm().rows.tolist()) == calm
    stream = stage.filament(0.5, "b")
    assert sorted(stream.rows[: stream.change].tolist()) == calm
    assert sorted(stream.rows[stream.change :].tolist()) == changed
    assert stream.lots[stream.samples[stream.change]] == "b"
    for strange in (stage.unseen("z", "z2"), stage.unrelated()):
        assert sorted(strange.rows[: strange.change].tolist()) == calm
        assert len(set(strange.rows.tolist())) == len(strange.rows)
    shown = {visit.source for visit, rows in library.rows.items() if rows[0] in set(stage.unseen("z", "z2").rows.tolist())}
    assert shown == {picture.source for picture in fold.held_out} | {"z2"}


def test_a_visit_shows_the_same_fields_again_and_others_through_another_filament() -> None:
    one = picture("a", "a1", "some")
    calm, again, changed = (list(fields_of_view(one.read(), one.visit(3, strength))) for strength in (0.0, 0.0, 1.0))
    assert all(np.array_equal(first, second) for first, second in zip(calm, again, strict=True))
    assert {frame.shape for frame in calm} == {(96, 96)}
    assert max(frame.max() for frame in calm) == 255
    assert np.mean([frame.std() for frame in changed]) < 0.8 * np.mean([frame.std() for frame in calm])


def test_shares_have_clopper_and_pearsons_interval() -> None:
    assert share_interval(0, 10) == pytest.approx((0.0, 1 - 0.05**0.1))
    assert share_interval(10, 10) == pytest.approx((0.05**0.1, 1.0))
    assert share_interval(3, 10) == pytest.approx((0.0873, 0.6066), abs=1e-4)


def test_a_study_of_real_pictures_is_kept_and_told_with_what_it_cannot_show(
    pictures: RealPictures, library: Library, folds: list[Fold], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_run, "STRENGTHS", (2.0,))
    monkeypatch.setattr(real_run, "PEERS", real_run.PEERS[-1:])
    ways = {LEFT_OUT: folds, SHIPPED: [Fold.of(folds[0].calibration, pictures.test, library)]}
    results = RealStudy(pictures, library, ways, Kept(tmp_path)).run()
    assert [len(results.calm[way]) for way in ways] == [3 * ORDERS, ORDERS]
    assert [len(results.events[LEFT_OUT][change]) for change in (CONTROL, "filament 2", "unseen lot", "unrelated")] == [24, 24, 24, 12]
    assert {event["source"] for event in results.events[LEFT_OUT]["unseen lot"]} == {"z/z1", "z/z2"}
    assert {source for run in results.calm[LEFT_OUT] for source in run["shown"]} == {"a/a1", "a/a2", "a/a3", "b/b1", "b/b2"}
    monkeypatch.setattr("tests.benchmarks.drift.real_report.PEERS", real_run.PEERS)
    text, failures = tell(results, model="numbers", digest="0" * 64)
    alarmed = {source for run in results.calm[LEFT_OUT] for source in run["opened_in"]}
    assert f"{len(alarmed)} of 5 (" in text
    assert any("of 5 sources" in failure for failure in failures) is bool(alarmed)
    assert "No false-alarm guarantee can be stated" in text
    assert "where there are 5." in text

    def measured_again(*_: object) -> None:
        raise AssertionError("what is kept is not measured again")

    for name in ("calm_run", "follow", "tune"):
        monkeypatch.setattr(real_run, name, measured_again)
    assert RealStudy(pictures, library, ways, Kept(tmp_path)).run() == results


def test_pictures_come_from_the_split_and_a_missing_one_is_named(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_pictures, "_photographs", lambda: iter(()))
    entries = [
        {"path": f"a/{side}.png", "lot": "a", "sample": side, "group": side, "side": side} for side in ("train", "calibration", "test")
    ]
    entries += [{"path": f"z/{n}.png", "lot": "z", "sample": "s", "group": "s", "side": "unseen"} for n in range(9)]
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"name": "tiny", "rule": "by hand", "images": entries}))
    for place, entry in enumerate(entries):
        path = tmp_path / entry["path"]
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), place, np.uint8)).save(path)
    found = open_pictures(split, tmp_path)
    assert [picture.name for picture in found.known] == ["calibration.png", "test.png"]
    assert [picture.name for picture in found.unseen] == ["0.png", "3.png", "5.png", "8.png"]
    assert found.test[0].read().tolist() == np.full((8, 8), 2).tolist()
    (tmp_path / "a" / "test.png").unlink()
    with pytest.raises(EdgeAgentError, match=r"test\.png"):
        open_pictures(split, tmp_path)


def test_without_micrographs_the_page_says_so(tmp_path) -> None:
    study, told = bench_drift.real_part(tmp_path / "no model", tmp_path / "no data", tmp_path, Kept(tmp_path / "results"))
    assert study is None
    assert "--data" in told.section
