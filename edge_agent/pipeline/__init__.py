"""The way of a frame, in the order in which it goes.

1. notice and 2. settle are the watcher's (edge_agent.watch); it hands over in `Pipeline.admit`, which journals the order.
3. read: a decoder turns bytes into pixels, acquisition metadata and a content hash.
4. predict: embedded or Triton; out come every member's probabilities and feature distances.
5. score: entropy, mutual information, p-value, accept or refer.
6. judge: the stream's drift detector, in the order of admission.
7. commit: one transaction with the result, the detector's state and the outgoing events. Only then publish and observe.

Everything before step 7 is a pure function of file content, model and drift state: after a crash it is done again.
"""

from __future__ import annotations

from edge_agent.pipeline.desk import Desk
from edge_agent.pipeline.line import StreamLine
from edge_agent.pipeline.orders import Order, Orders
from edge_agent.pipeline.past import ReadFile, read_files
from edge_agent.pipeline.pipeline import Pipeline
from edge_agent.pipeline.recorded import Period, recorded_observations

__all__ = ["Desk", "Order", "Orders", "Period", "Pipeline", "ReadFile", "StreamLine", "read_files", "recorded_observations"]
