"""An S3 server in this process, a bucket, and the environment that leads there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer
from tests.clocks_fast import FastClock

from chat_migration.clock import Clock
from chat_migration.store.object_stage import ObjectStage

BUCKET = "chat-stage"
SECRET = "wJalrXUtnFEMI-not-a-real-key"
S3 = {
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of an S3 server."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """An empty bucket; give the environment of its users."""
    import requests
    import s3fs

    requests.post(f"{s3_url}/moto-api/reset", timeout=10).raise_for_status()
    requests.put(f"{s3_url}/{BUCKET}", timeout=10).raise_for_status()
    environment = {**S3, "AWS_ENDPOINT_URL": s3_url}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    s3fs.S3FileSystem.clear_instance_cache()
    yield environment
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def clock() -> Clock:
    return FastClock()


@pytest.fixture
def stage(s3: dict[str, str], tmp_path: Path, clock: Clock) -> ObjectStage:
    """A stage in the bucket, as one worker sees it."""
    return ObjectStage(f"s3://{BUCKET}/migration", tmp_path / "one", clock)


@pytest.fixture
def elsewhere(s3: dict[str, str], tmp_path: Path, clock: Clock) -> ObjectStage:
    """The same stage, as another worker sees it."""
    return ObjectStage(f"s3://{BUCKET}/migration", tmp_path / "other", clock)
