"""The DAG of this repository, as Airflow parses it."""

from __future__ import annotations

import importlib.util
from typing import Any

from tests.deployment.compose_file import ROOT


def import_dag() -> Any:
    """Return the DAG ``import_to_tencent_chat``."""
    path = ROOT / "dags" / "import_to_tencent_chat.py"
    spec = importlib.util.spec_from_file_location("deployment_dag", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.dag
