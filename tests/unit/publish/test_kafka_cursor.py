"""What may be concluded from a cursor topic that is not to be seen."""

from __future__ import annotations

from typing import Any

import pytest
from kafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from edge_agent.publish import KafkaSettings, kafka_cursor


class Broker:
    """Shows no partition of any topic, and says `error` of one asked for by name."""

    def __init__(self, error: type[Exception]) -> None:
        self._error: Any = error

    def connect(self, _kind: Any, **_configuration: Any) -> Any:
        return self

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return set()

    def describe_topics(self, topics: list[str]) -> list[dict[str, Any]]:
        return [{"name": name, "error_code": self._error.errno, "partitions": []} for name in topics]

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("exists", "said", "nothing_was_published"),
    [
        (False, UnknownTopicOrPartitionError, True),
        (False, TopicAuthorizationFailedError, False),
        (True, UnknownTopicOrPartitionError, False),
    ],
)
def test_only_a_topic_that_is_certainly_absent_means_that_nothing_was_published(
    monkeypatch: pytest.MonkeyPatch, exists: bool, said: type[Exception], nothing_was_published: bool
) -> None:
    monkeypatch.setattr(kafka_cursor, "connect", Broker(said).connect)
    settings = KafkaSettings("a", ("127.0.0.1:9",))
    if nothing_was_published:
        assert kafka_cursor.read_cursor(settings, topic_exists=exists) is None
    else:
        with pytest.raises(UnknownTopicOrPartitionError, match=r"edge\.cursors, which says what was published"):
            kafka_cursor.read_cursor(settings, topic_exists=exists)
