"""kafka-python's clients, made so that a broker that is away costs nothing."""

from __future__ import annotations

import logging
from typing import Any

# What matters reaches us as an exception and is told once; kafka-python would tell every try at reconnecting, and its whole
# configuration, password included, where debugging is on.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


def connect(kind: Any, **configuration: Any) -> Any:
    """A KafkaProducer, KafkaConsumer or KafkaAdminClient.

    A constructor that fails, as it does while no broker answers, would leave its thread and sockets behind; through an outage of
    hours they would pile up until the agent had no descriptor left. So the network client is kept hold of, and closed then.
    """
    made: list[Any] = []

    def network_client(**options: Any) -> Any:
        made.append(kind.DEFAULT_CONFIG["kafka_client"](**options))
        return made[-1]

    try:
        return kind(kafka_client=network_client, **configuration)
    except BaseException:
        for client in made:
            client.close()
        raise
