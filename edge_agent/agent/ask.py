"""An operator's order from the command line to the agent, and its answer back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from edge_agent.core.errors import ConfigurationError, EdgeAgentError
from edge_agent.journal import JournalView, operation, running
from edge_agent.pipeline import Order, Orders

if TYPE_CHECKING:
    from edge_agent.config import Settings

PATIENCE_S = 10.0
"""How long a running agent is waited for: it looks for orders twice a second, and a re-base may read a month of frames."""
LOOK_S = 0.1


def waiting_orders(settings: Settings) -> list[Order]:
    """The orders that no agent has carried out yet, oldest first."""
    return Orders(settings.agent.place).waiting(tidy=False)


def withdraw(settings: Settings, identity: str) -> str:
    """Take back an order that waits, named by the first characters of its id; raises EdgeAgentError where none or several are so named."""
    orders = Orders(settings.agent.place)
    found = [order for order in orders.waiting(tidy=False) if order.id.startswith(identity)]
    if len(found) != 1:
        why = "no order of that name waits" if not found else f"{len(found)} orders begin with that"
        raise EdgeAgentError(f"--withdraw {identity}", why, "`edge-agent status` lists those that wait; one that is carried out stands")
    (order,) = found
    try:
        orders.done(order)
    except OSError as error:
        raise EdgeAgentError(f"--withdraw {identity}", error.strerror or str(error), "do it as the user that the agent runs as") from None
    view = JournalView.open(settings.agent.place)
    if view is not None and view.look(lambda connection: operation.word(connection, order.id)) is not None:
        raise EdgeAgentError(f"--withdraw {identity}", "the agent has carried it out meanwhile", "give the opposite order")
    return f"withdrawn: {order.verb} by {order.who}: {order.why}"


def ask(settings: Settings, verb: str, who: str, why: str, patience_s: float = PATIENCE_S, **about: object) -> str:
    """Leave an order (see `Order`) and return what became of it, or that it waits; raises EdgeAgentError when it was refused."""
    try:
        order = Order.model_validate({"verb": verb, "who": who, "why": why, "asked_at_ns": time.time_ns(), **about})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"--{first['loc'][0]}", str(first["msg"]), "say it in other words") from None
    place = settings.agent.place
    view = JournalView(place)  # without one there is nothing to be ordered
    if running(place) is None:
        _refuse_if_hopeless(view, order)
    Orders(place).give(order)
    deadline = time.monotonic() + patience_s
    while running(place) is not None:
        word = view.look(lambda connection: operation.word(connection, order.id))
        if word is not None and word.applied:
            return word.answer
        if word is not None:
            raise EdgeAgentError("refused", word.answer, "nothing was changed")
        if time.monotonic() > deadline:
            return f"the agent has not answered within {patience_s:.0f} s; the order stays with it ({order.id})"
        time.sleep(LOOK_S)
    back = f"`edge-agent status --withdraw {order.id[:8]}` takes it back"
    return f"no agent runs here at present; the order waits, and is the first thing that the next run carries out; {back}"


def _refuse_if_hopeless(view: JournalView, order: Order) -> None:
    """Raise EdgeAgentError for an order that the next run could only refuse: its episode is none that the journal knows."""
    named = order.episode
    if named is None:
        return
    told = view.look(lambda connection: operation.episode(connection, named))
    if told is None or order.stream not in {None, told["stream"]}:
        on = f" on stream {order.stream}" if order.stream else ""
        raise EdgeAgentError("refused", f"no episode {named} is known{on}", "nothing was changed; `edge-agent alarm list` names them")
