"""A record in the cursor topic that no agent wrote stops publishing, with a way out, and not the agent."""

import pytest

from edge_agent.core.errors import SinkUnavailableError
from edge_agent.publish.kafka_cursor import Cursor


def test_a_cursor_is_what_it_was_when_it_was_written() -> None:
    assert Cursor.from_json(Cursor("0a1b", 12).to_json(), "edge.cursors") == Cursor("0a1b", 12)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"hello",
        b"12",
        b"null",
        b"[]",
        b"{}",
        b'{"journal_id": "a"}',
        b'{"journal_id": "a", "seq": "12"}',
        b'{"journal_id": "a", "seq": -1}',
        b'{"journal_id": "a", "seq": true}',
        b'{"journal_id": null, "seq": 1}',
        b'{"journal_id": "a", "seq": ' + b"9" * 6000 + b"}",
        b"[" * 200_000,
        b"\xff\xfe",
    ],
)
def test_a_record_that_is_no_cursor_is_told_with_its_topic(value: bytes) -> None:
    with pytest.raises(SinkUnavailableError, match=r"topic edge\.cursors: this agent's newest record in it is no cursor") as refused:
        Cursor.from_json(value, "edge.cursors")
    assert str(refused.value).isprintable()
