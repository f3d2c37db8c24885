"""Settings: their meaning, where they are found, and what is said when they are wrong."""

from __future__ import annotations

from edge_agent.config.duration import Duration
from edge_agent.config.load import PREFIX, find_configuration, load_settings, resolve_paths
from edge_agent.config.minimal import minimal_configuration
from edge_agent.config.secret_files import read_secret, with_secrets
from edge_agent.config.settings import (
    AgentSettings,
    AlertSettings,
    DriftSettings,
    HttpSettings,
    KafkaSettings,
    LogSettings,
    ModelSettings,
    ReferralSettings,
    Settings,
    StreamSettings,
    TopicSettings,
)

__all__ = [
    "PREFIX",
    "AgentSettings",
    "AlertSettings",
    "DriftSettings",
    "Duration",
    "HttpSettings",
    "KafkaSettings",
    "LogSettings",
    "ModelSettings",
    "ReferralSettings",
    "Settings",
    "StreamSettings",
    "TopicSettings",
    "find_configuration",
    "load_settings",
    "minimal_configuration",
    "read_secret",
    "resolve_paths",
    "with_secrets",
]
