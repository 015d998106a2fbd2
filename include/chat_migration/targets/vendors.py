"""The vendors that a history can be moved to: the one place outside their packages that names them."""

from __future__ import annotations

from chat_migration.connection import TargetConnection
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.zego_zim.connection import ZimConnection

VENDORS: dict[str, type[TargetConnection]] = {
    each.target: each for each in (TencentConnection, ZimConnection)
}
"""A target's connection by the name that ``--target`` takes. Its class says the rest: Airflow's connection type, the
variable, the title, the APIs."""

DEFAULT_TARGET = TencentConnection.target
"""Where to, if nobody says it."""
