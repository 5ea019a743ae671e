"""Opens an incident, adds notes to it, resolves it, and waits until it is resolved.

Run it with `airflow dags test incident`. Its connection is `workflow_node_default`.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param

from workflow_node.airflow.operators import WorkflowNodeOperator
from workflow_node.airflow.sensors import WorkflowNodeSensor

ACCOUNT = {"plugin": "pagerduty", "credentials": {"rest": "work"}}
INCIDENT = "{{ ti.xcom_pull(task_ids='open')[0]['id'] }}"

with DAG(
    dag_id="incident",
    schedule=None,
    params={"service": Param("PSERVICE000001", type="string")},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=10)},
):
    opened = WorkflowNodeOperator(
        task_id="open",
        **ACCOUNT,
        action="incident.create",
        parameters={
            "title": "Nightly import failed ({{ run_id }})",
            "service_id": "{{ params.service }}",
        },
    )
    # Waits in the triggerer, not in a worker.
    noted = WorkflowNodeOperator(
        task_id="note",
        **ACCOUNT,
        action="incident_note.create",
        items=[
            {"incident_id": INCIDENT, "content": "The import was started again."},
            {"incident_id": INCIDENT, "content": "The import succeeded."},
        ],
        deferrable=True,
        poll_interval=1,
    )
    resolved = WorkflowNodeOperator(
        task_id="resolve",
        **ACCOUNT,
        action="incident.resolve",
        parameters={"incident_id": INCIDENT},
    )
    done = WorkflowNodeSensor(
        task_id="done",
        **ACCOUNT,
        action="incident.get",
        parameters={"incident_id": INCIDENT},
        pointer="/status",
        values=["resolved"],
        deferrable=True,
        poke_interval=1,
        timeout=60,
    )
    opened >> noted >> resolved >> done
