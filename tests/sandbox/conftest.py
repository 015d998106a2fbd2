"""One sandbox per test process, made new before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sandbox.client import Tencent
from tests.sandbox.zim_client import Zim

import chat_sandbox
from chat_sandbox import SandboxHandle


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxHandle]:
    """A sandbox in this process whose messages expire after a day."""
    with chat_sandbox.running(retention_days=2) as handle:
        yield handle


@pytest.fixture
def sandbox(shared_sandbox: SandboxHandle) -> SandboxHandle:
    """The sandbox, empty, with a clock that stands still and without rate limits."""
    shared_sandbox.reset()
    shared_sandbox.freeze_clock()
    shared_sandbox.set_rates(enabled=False)
    return shared_sandbox


@pytest.fixture
def tencent(sandbox: SandboxHandle) -> Iterator[Tencent]:
    """A client whose accounts ann, bob and cid are imported."""
    client = Tencent(sandbox)
    client.accounts("ann", "bob", "cid")
    yield client
    client.session.close()


@pytest.fixture
def crew(tencent: Tencent) -> Tencent:
    """The client with a Public group `g` of owner ann and members bob and cid."""
    assert tencent.make_group("g", Owner_Account="ann")["ErrorCode"] == 0
    assert tencent.join("g", "bob", "cid") == [1, 1]
    return tencent


@pytest.fixture
def zim(sandbox: SandboxHandle) -> Iterator[Zim]:
    """A client of ZIM whose users ann, bob and cid are registered, without rate limits."""
    sandbox.zim.set_rates(enabled=False)
    client = Zim(sandbox)
    client.register("ann", "bob", "cid")
    yield client
    client.session.close()


@pytest.fixture
def zim_crew(zim: Zim) -> Zim:
    """The client with a group `g` of owner ann and members bob and cid."""
    zim.make_group("g", "bob", "cid")
    return zim
