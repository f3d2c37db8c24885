"""kafka-python's clients, made so that a broker that is away costs nothing and why it is away is known."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kafka.errors import KafkaError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError

from edge_agent.core.errors import EdgeAgentError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What matters reaches us as an exception and is told once; kafka-python would tell every try at reconnecting, and its whole
# configuration, password included, where debugging is on.
logging.getLogger("kafka").setLevel(logging.CRITICAL)
TELLING = (EdgeAgentError, SaslAuthenticationFailedError, UnsupportedSaslMechanismError)
_connections = logging.getLogger("kafka.net.manager")
_connections.setLevel(logging.WARNING)
_connections.propagate = False
_connections.addHandler(logging.NullHandler())


class _LastFailure(logging.Handler):
    """Keeps the last exception that a line of the log was about, and rather one that tells than one more try's end."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None

    def emit(self, record: logging.LogRecord) -> None:
        arguments = record.args if isinstance(record.args, tuple) else ()
        for one in arguments:
            if isinstance(one, Exception) and (isinstance(one, TELLING) or not isinstance(self.failure, TELLING)):
                self.failure = one


@contextmanager
def _listening() -> Iterator[_LastFailure]:
    """Why a connection failed is said to the log only: the exception that arrives says "unable to bootstrap"."""
    listener = _LastFailure()
    _connections.addHandler(listener)
    try:
        yield listener
    finally:
        _connections.removeHandler(listener)


def connect(kind: Any, **configuration: Any) -> Any:
    """A KafkaProducer, KafkaConsumer or KafkaAdminClient; a KafkaError has the failure of the last connection as its cause.

    A constructor that fails, as it does while no broker answers, would leave its thread and sockets behind; through an outage of
    hours they would pile up until the agent had no descriptor left. So the network client is kept hold of, and closed then.
    """
    made: list[Any] = []

    def network_client(**options: Any) -> Any:
        made.append(kind.DEFAULT_CONFIG["kafka_client"](**options))
        return made[-1]

    with _listening() as listener:
        try:
            return kind(kafka_client=network_client, **configuration)
        except BaseException as error:
            for client in made:
                client.close()
            if isinstance(error, KafkaError) and listener.failure not in (None, error):
                raise error from listener.failure
            raise
