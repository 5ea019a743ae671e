"""Airflow provider: a hook, an operator, a sensor, and the triggers that they are deferred to."""

from __future__ import annotations

from typing import Any

from .._version import __version__


def get_provider_info() -> dict[str, Any]:
    """Describes the provider to Airflow."""
    hook = "workflow_node.airflow.hooks.WorkflowNodeHook"
    return {
        "package-name": "workflow-node",
        "name": "workflow-node",
        "description": "Runs the actions of workflow nodes.",
        "versions": [__version__],
        "connection-types": [{"connection-type": "workflow_node", "hook-class-name": hook}],
    }
