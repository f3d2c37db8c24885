"""What every test shares: the rule that turns a missing peer into a skip, or under REQUIRE into a failure; no test is timed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.peers.kafka import KafkaBroker
from tests.peers.kafka import why_absent as why_kafka_is_absent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure
settings.load_profile("untimed")

REQUIRED = frozenset(filter(None, os.environ.get("REQUIRE", "").split(",")))


def absent(peer: str, reason: str) -> None:
    """Skip the test for want of `peer`, or fail it when REQUIRE names the peer."""
    if peer in REQUIRED:
        pytest.fail(f"REQUIRE names {peer}, but {reason}")
    pytest.skip(f"{peer}: {reason}")


@pytest.fixture(scope="session")
def missing() -> Callable[[str, str], None]:
    return absent


@pytest.fixture(scope="session")
def kcat() -> None:
    """The consumer that is not ours."""
    if shutil.which("kcat") is None:
        absent("kcat", "there is no kcat; run tests/peers/install.sh prometheus")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker for the whole session; a test that stops it starts its own instead."""
    if reason := why_kafka_is_absent():
        absent("kafka", reason)
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of served models that holds the calibrated `tiny`."""
    from tests.calibrated_model import write_calibrated_model  # seconds of imports that most tests do without

    return write_calibrated_model(tmp_path_factory.mktemp("models"))
