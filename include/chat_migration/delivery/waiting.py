"""Waiting for the present to pass: a message's time must lie in the target's past before it can be sent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from chat_migration.delivery.context import Tools
from chat_migration.planning.forecast import NOW_MARGIN_MS

_log = logging.getLogger(__name__)

LONGEST_MS = 86_400_000
"""How far ahead a time may lie that a run waits for; what bears a later one has a wrong clock, and is deferred."""
_LOOK_SECONDS = 10.0


def is_past(tools: Tools, instant_ms: int, before_wait: Callable[[], None] = lambda: None) -> bool:
    """Tell whether a message can be sent with this time; with ``wait_deferred`` wait until it can.

    ``before_wait`` is called once if there is a wait, to write down what must not wait as well.

    Raises:
        InterruptedRunError: the run is to stop; what was not sent is left to the next one.
    """
    if instant_ms <= tools.clock.now_ms() - NOW_MARGIN_MS:
        return True
    ahead_ms = instant_ms + NOW_MARGIN_MS - tools.clock.now_ms()
    if not tools.settings.wait_deferred or ahead_ms > LONGEST_MS:
        return False
    before_wait()
    until = datetime.fromtimestamp((instant_ms + NOW_MARGIN_MS) / 1000, UTC)
    text = f"waiting until {until:%Y-%m-%d %H:%M:%S} UTC, when the newest messages can be sent"
    _log.info("%s (%.0f s)", text, ahead_ms / 1000)
    while (left_ms := instant_ms + NOW_MARGIN_MS - tools.clock.now_ms()) > 0:
        tools.progress.note(text)
        tools.caller.pause(min(left_ms / 1000, _LOOK_SECONDS))
    return True
