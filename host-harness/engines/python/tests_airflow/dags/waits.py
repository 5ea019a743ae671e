"""A sensor that waits in the triggerer."""

from airflow.sdk import DAG

from workflow_node.airflow.sensors import WorkflowNodeSensor

with DAG(dag_id="waits", schedule=None, params={"incident": ""}):
    WorkflowNodeSensor(
        task_id="resolved",
        plugin="pagerduty",
        action="incident.get",
        parameters={"incident_id": "{{ params.incident }}"},
        credentials={"rest": "work"},
        pointer="/status",
        values=["resolved"],
        deferrable=True,
        poke_interval=0.5,
        timeout=60,
    )
