"""A scene for each test: the sandbox's ZIM half, empty, without rate limits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.delivery.zego_zim.sending import Scene

from chat_sandbox import SandboxHandle


@pytest.fixture
def scene(sandbox: SandboxHandle) -> Iterator[Scene]:
    """A target whose waits move the sandbox's clock."""
    sandbox.zim.set_rates(enabled=False)
    made = Scene(sandbox)
    yield made
    made.target.close()


@pytest.fixture
def ready(scene: Scene) -> Scene:
    """The scene with accounts and a group, to which nothing was said yet."""
    scene.people("ada", "bob", "cid")
    scene.group("bob")
    return scene
