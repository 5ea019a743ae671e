"""A task whose first try fails after its action has run."""

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from workflow_node.airflow.operators import WorkflowNodeOperator


def fail_once(context: Any, result: Any) -> None:
    if context["ti"].try_number == 1:
        raise RuntimeError("The worker has failed after the action")


with DAG(dag_id="tries", schedule=None, params={"service": ""}):
    WorkflowNodeOperator(
        task_id="open",
        plugin="pagerduty",
        action="incident.create",
        parameters={"title": "Tried twice", "service_id": "{{ params.service }}"},
        credentials={"rest": "work"},
        retries=1,
        retry_delay=timedelta(seconds=1),
        post_execute=fail_once,
    )
