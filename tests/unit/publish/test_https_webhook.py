"""Where an alert may be sent: https, or http on this machine; nothing else, and nowhere else by a redirect."""

from __future__ import annotations

import pytest

from edge_agent.core.errors import ConfigurationError, SinkUnavailableError
from edge_agent.core.event import OutboxRow
from edge_agent.publish import CommandSink, WebhookSink, alert_test
from tests.peers.webhook import WebhookReceiver


@pytest.mark.parametrize(
    "address",
    [
        "http://a.org/x",
        "http://10.0.0.7/x",
        "file:///etc/passwd",
        "ftp://a.org/",
        "gopher://127.0.0.1/",
        "http://127.0.0.1.evil.org/",
        "//a.org",
    ],
)
def test_what_others_could_read_or_what_is_no_post_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[alert\] webhook"):
        WebhookSink(address, 1.0)


@pytest.mark.parametrize("address", ["https://a.org/x", "http://127.0.0.1:1/x", "http://[::1]/x", "http://localhost/x"])
def test_https_and_this_machine_may_be_told(address: str) -> None:
    WebhookSink(address, 1.0)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://127.0.0.1:1/", "ftp://127.0.0.1/"])
async def test_no_redirect_leads_elsewhere(location: str) -> None:
    with WebhookReceiver() as receiver:
        receiver.always = (307, location)
        sink = WebhookSink(receiver.url, 2.0)
        with pytest.raises(SinkUnavailableError, match="answered 307"):
            await sink.publish([OutboxRow(1, alert_test("agent", "sem", 0))])
        await sink.close()


async def test_no_shell_reads_the_command(tmp_path) -> None:
    harm = tmp_path / "harm"
    sink = CommandSink(("/bin/echo", f"; touch {harm}", f"$(touch {harm})", f"`touch {harm}`", f"| tee {harm}"), 10.0)
    await sink.publish([OutboxRow(1, alert_test("agent", "sem", 0))])
    await sink.close()
    assert not harm.exists()
