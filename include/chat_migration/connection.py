"""Where a target is and with which secret: one typed object, whoever supplies it.

Airflow supplies a Connection, the command line the same JSON from ``AIRFLOW_CONN_<ID>``. Extras are read by
name; a name that is not known is refused rather than passed on. Here is what all targets share; each has a
class of its own, and :mod:`chat_migration.targets.vendors` lists them.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat_migration.errors import UsageError

if TYPE_CHECKING:
    from chat_migration.clock import Clock
    from chat_migration.targets.base import Target
    from chat_migration.targets.rules import TargetRules
    from chat_migration.targets.sizes import BatchSizes

SETTLE_MARGIN_SECONDS = 2.0


class ApiRate(Protocol):
    """How often one API of a vendor may be called, per second and app, and whether it changes anything."""

    @property
    def calls_per_second(self) -> int:
        """Return the vendor's limit."""

    @property
    def writes(self) -> bool:
        """Tell whether a call can change something."""


class TargetConnection(BaseModel, ABC):
    """One app at one vendor: where it is, who signs, how fast it may be called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: ClassVar[str]
    """Name of the kind of target, as ``--target`` takes it."""
    conn_type: ClassVar[str]
    """Airflow's connection type."""
    title: ClassVar[str]
    """The vendor's product, for people."""
    label: ClassVar[str]
    """The same in a sentence about a connection."""
    variable: ClassVar[str]
    """Environment variable that holds a connection as JSON."""
    example: ClassVar[str]
    """Such JSON."""
    parts: ClassVar[Mapping[str, str]]
    """Fields that are no extras, by what Airflow calls them."""
    required_extras: ClassVar[tuple[str, ...]]
    expected: ClassVar[str]
    """What a connection must have, for people."""
    shows_parts: ClassVar[bool] = False
    """Whether a problem of such a field is told by Airflow's name for it, beside our own."""
    apis: ClassVar[Mapping[str, ApiRate]]
    """Every API of the vendor that is called, by name."""
    live_apis: ClassVar[frozenset[str]]
    """What live servers call too, from the same limit."""
    vendor_rate: ClassVar[float]
    """The vendor's usual limit, to which ``calls_per_second`` refers; APIs with another one get their share of it."""
    backend_timeout_seconds: ClassVar[float]
    """After this the service has given up a request."""

    host: str = Field(description="Region name, host name, or base URL.")
    calls_per_second: float = Field(gt=0, description="Budget per API, calls per second.")
    live_reserve: float = Field(
        0,
        ge=0,
        le=0.9,
        description="Share of the budget left to live traffic, 0 to 0.9, of each API that live servers call too.",
    )
    timeout_seconds: float = Field(
        10, gt=3, description="How long to wait for one answer, seconds."
    )
    retention_days: int | None = Field(
        None, gt=0, description="The app's history retention, days; older rows are warned about."
    )
    parallel_calls: int = Field(
        64, ge=1, le=512, description="Calls in flight at most, per worker."
    )

    @property
    @abstractmethod
    def app(self) -> str:
        """Return the name of this app in the ledger: the same for every host and secret of it."""

    @property
    @abstractmethod
    def proof(self) -> str:
        """Return what is true once :meth:`Target.check` has passed, in one sentence."""

    @abstractmethod
    def rules(self) -> TargetRules:
        """Return what planning must know of the target."""

    @abstractmethod
    def sizes(self) -> BatchSizes:
        """Return how many items a call takes."""

    @abstractmethod
    def connect(self, clock: Clock | None = None) -> Target:
        """Return the target; nothing is called yet."""

    @classmethod
    @abstractmethod
    def nowhere(cls) -> Self:
        """Return a connection to plan with where there is none: to an app that nobody has, at a usual one's limits."""

    @property
    def settle_seconds(self) -> float:
        """Return how long after a request its effect may still appear."""
        return self.backend_timeout_seconds + SETTLE_MARGIN_SECONDS

    def rates(self) -> dict[str, float]:
        """Return the budget of each API, calls per second, without what is left to live traffic."""
        ours = self.calls_per_second / self.vendor_rate
        return {
            api: limit.calls_per_second * ours * (1 - self.live_reserve * (api in self.live_apis))
            for api, limit in self.apis.items()
        }

    @classmethod
    def extras(cls) -> list[str]:
        """Return the names of the extras, those that must be given first."""
        fields = {name: each for name, each in cls.model_fields.items() if name not in cls.parts}
        return sorted(fields, key=lambda name: not fields[name].is_required())

    @classmethod
    def from_parts(
        cls, *, host: str | None, login: str | None, password: str | None, extra: Mapping[str, Any]
    ) -> Self:
        """Build from the fields of an Airflow connection.

        Raises:
            UsageError: a field is missing, unknown or wrong; secrets do not appear in the text.
        """
        fields = {name: value for name, value in extra.items() if value not in (None, "")}
        cls._refuse_parts_as_extras(fields)
        given = {"host": host, "login": login, "password": password}
        needed = given | {f"extra.{name}": fields.get(name) for name in cls.required_extras}
        missing = [f"`{name}`" for name, value in needed.items() if not value]
        if missing:
            raise UsageError(
                f"The {cls.label} connection lacks {', '.join(missing)}.", expected=cls.expected
            )
        try:
            return cls.model_validate(fields | {name: given[of] for name, of in cls.parts.items()})
        except ValidationError as error:
            problems = "; ".join(
                f"`{cls._shown('.'.join(map(str, each['loc'])))}`: {each['msg']}"
                for each in error.errors(include_url=False, include_input=False)
            )
            raise UsageError(
                f"The {cls.label} connection is wrong: {problems}.",
                advice=f"Known extras are: {', '.join(sorted(cls.extras()))}.",
            ) from None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the connection that the environment, by default this process's, describes as JSON.

        Raises:
            UsageError: the variable is missing or no such JSON.
        """
        return cls.from_parts(**_parts_from_environment(cls.variable, cls.example, environ))

    @classmethod
    def _shown(cls, field: str) -> str:
        is_part = cls.shows_parts and field in cls.parts
        return f"{cls.parts[field]} ({field})" if is_part else field

    @classmethod
    def _refuse_parts_as_extras(cls, extra: Mapping[str, Any]) -> None:
        wrong = [f"`{name}`" for name in cls.parts if name in extra]
        if wrong:
            parts = ", ".join(f"`{part}` ({name})" for name, part in cls.parts.items())
            raise UsageError(
                f"The {cls.label} connection is wrong: {', '.join(wrong)} cannot be an extra.",
                expected=f"These are fields of the connection itself: {parts}.",
            )


def _parts_from_environment(
    variable: str, example: str, environ: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return host, login, password and extra of the connection that a variable describes as JSON.

    Raises:
        UsageError: the variable is missing or no such JSON.
    """
    raw = (os.environ if environ is None else environ).get(variable, "")
    if not raw:
        raise UsageError(
            f"The environment has no `{variable}`.",
            expected=f"The target's connection as JSON, for example {example}.",
        )
    try:
        fields = json.loads(raw)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        parts = {name: fields.get(name) for name in ("host", "login", "password")}
        return parts | {"extra": dict(extra or {})}
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise UsageError(
            f"`{variable}` is no JSON object.", expected=f"For example {example}."
        ) from None
