"""Reads compose files as ``docker compose`` does: variables from ``.env``, merges resolved, overrides laid over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"
SEVERAL_MACHINES = ROOT / "deploy" / "several-machines.yaml"
ENV_EXAMPLE = ROOT / ".env.example"

_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<rule>:?[-?])(?P<rest>[^}]*))?\})"
)
_ASSIGNMENT = re.compile(r"(?P<off>#)?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)")


class MissingVariableError(Exception):
    """A needed variable is not set; the text is what ``docker compose`` would say."""


def template(path: Path = COMPOSE) -> dict[str, Any]:
    """Return a compose file with its anchors resolved and its variables still in place."""
    return yaml.safe_load(path.read_text())


def compose(env: Mapping[str, str], *paths: Path) -> dict[str, Any]:
    """Return the files as one, with the variables filled in."""
    merged: dict[str, Any] = {}
    for path in paths or (COMPOSE,):
        merged = _laid_over(merged, _filled(template(path), env))
    for service in merged["services"].values():
        service["environment"] = _passed_on(service.get("environment", {}), env)
    return merged


def example(*, with_optional: bool = False) -> dict[str, str]:
    """Return the variables of ``.env.example``; those that are commented out only if asked for."""
    found = {}
    for line in ENV_EXAMPLE.read_text().splitlines():
        if (match := _ASSIGNMENT.fullmatch(line)) and (with_optional or not match["off"]):
            found[match["name"]] = match["value"].strip("'")
    return found


def filled_example() -> dict[str, str]:
    """Return ``.env.example`` as a person fills it in: a made-up value for everything empty."""
    return {
        name: value or f"made-up-{name.lower()}".replace("_", "-")
        for name, value in example().items()
    }


def variables(*paths: Path) -> dict[str, list[str]]:
    """Return the variables that the files use, each with how: "", ":-", ":?" or "passed on"."""
    used: dict[str, list[str]] = {}
    for path in paths or (COMPOSE,):
        tree = template(path)
        for text in strings(tree):
            for match in _VARIABLE.finditer(text):
                if not match["escaped"]:
                    used.setdefault(match["name"], []).append(match["rule"] or "")
        for service in tree["services"].values():
            for name, value in (service.get("environment") or {}).items():
                if value is None:
                    used.setdefault(name, []).append("passed on")
    return used


def strings(tree: Any) -> Iterator[str]:
    """Return every text value below a node; keys are no values."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, Mapping):
        for value in tree.values():
            yield from strings(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from strings(value)


def seconds(duration: str) -> float:
    """Return a duration such as ``1m30s`` in seconds; ValueError if it is none."""
    parts = re.findall(r"(\d+)(ms|h|m|s)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        message = f"{duration!r} is no duration"
        raise ValueError(message)
    size = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(int(number) * size[unit] for number, unit in parts)


def size_bytes(size: str) -> int:
    """Return a size such as ``512m`` in bytes; ValueError if it is none."""
    match = re.fullmatch(r"(\d+)([kmg])b?", size)
    if not match:
        message = f"{size!r} is no size"
        raise ValueError(message)
    return int(match[1]) * 1024 ** ("kmg".index(match[2]) + 1)


def _filled(tree: Any, env: Mapping[str, str]) -> Any:
    if isinstance(tree, str):
        return _VARIABLE.sub(lambda match: _value(match, env), tree)
    if isinstance(tree, Mapping):
        return {name: _filled(value, env) for name, value in tree.items()}
    if isinstance(tree, list):
        return [_filled(value, env) for value in tree]
    return tree


def _value(match: re.Match[str], env: Mapping[str, str]) -> str:
    if match["escaped"]:
        return "$"
    value, rule = env.get(match["name"]), match["rule"] or ""
    absent = value is None or (value == "" and rule.startswith(":"))
    if absent and rule.endswith("?"):
        message = f"required variable {match['name']} is missing a value: {match['rest']}"
        raise MissingVariableError(message)
    if absent and rule.endswith("-"):
        return match["rest"]
    return value or ""


def _passed_on(environment: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, str]:
    """Drop what has no value and is not in ``.env`` either."""
    return {
        name: env[name] if value is None else value
        for name, value in environment.items()
        if value is not None or name in env
    }


def _laid_over(base: Any, over: Any) -> Any:
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {
            **base,
            **{name: _laid_over(base.get(name), value) for name, value in over.items()},
        }
    if isinstance(base, list) and isinstance(over, list):
        return base + over
    return over
