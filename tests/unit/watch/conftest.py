"""What the tests of a watcher share."""

import pytest

from tests.watched import Ledger


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()
