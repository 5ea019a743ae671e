"""PagerDuty's published client against the simulator.

The client knows how PagerDuty pages lists, wraps objects, and reports errors. It connects to the
real host names, which are mapped to the simulator here, so that it sends the headers that it always
sends.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pagerduty
import pytest

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SIMULATOR = Path(os.environ.get("PAGERDUTY_SIMULATOR", TARGET / "debug/pagerduty-simulator"))


class World:
    """A running simulator, and clients for it."""

    def __init__(self, directory: Path) -> None:
        authority = directory / "ca.pem"
        options = ["--print-json", "--ca-file", str(authority), "--rate-limit", "100000"]
        self.process = subprocess.Popen(
            [str(SIMULATOR), *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.info: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.tls = ssl.create_default_context(cafile=str(authority))
        self.addresses: dict[str, int] = {}
        for mapping in self.info["connect_to"]:
            origin, address = mapping.split("=")
            self.addresses[origin.removeprefix("https://")] = int(address.rsplit(":", 1)[1])

    @property
    def us(self) -> dict[str, Any]:
        return self.info["us"]

    def client(self, key: str, **options: Any) -> pagerduty.RestApiV2Client:
        return pagerduty.RestApiV2Client(self.us["keys"][key], verify=self.tls, **options)

    def events(self) -> pagerduty.EventsApiV2Client:
        return pagerduty.EventsApiV2Client(self.us["keys"]["routing"], verify=self.tls)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("simulator"))
    connect = socket.create_connection

    def mapped(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
        port = world.addresses.get(address[0]) if address[1] == 443 else None
        return connect(("127.0.0.1", port) if port else address, *args, **options)

    socket.create_connection = mapped
    try:
        yield world
    finally:
        socket.create_connection = connect
        world.process.terminate()
        assert world.process.wait(10) == 0, "SIGTERM ends the simulator"


@pytest.fixture
def user(world: World) -> pagerduty.RestApiV2Client:
    return world.client("user")


def a_service(client: pagerduty.RestApiV2Client, name: str) -> dict[str, Any]:
    policy = client.find("escalation_policies", "Default")
    policy = policy or next(client.iter_all("escalation_policies"))
    reference = {"id": policy["id"], "type": "escalation_policy_reference"}
    body = {"type": "service", "name": name, "escalation_policy": reference}
    return client.rpost("services", json=body)


def an_incident(client: pagerduty.RestApiV2Client, service: dict[str, Any], title: str) -> Any:
    reference = {"id": service["id"], "type": "service_reference"}
    body = {"type": "incident", "title": title, "service": reference}
    return client.rpost("incidents", json=body)


def test_objects_are_created_read_changed_and_deleted(user: pagerduty.RestApiV2Client) -> None:
    service = a_service(user, "Created")
    assert user.rget(service)["name"] == "Created"
    assert user.rget(f"services/{service['id']}")["id"] == service["id"]
    changed = user.rput(service, json={**service, "description": "changed"})
    assert changed["description"] == "changed"
    assert user.rdelete(service).status_code == 204
    with pytest.raises(pagerduty.HttpError) as missing:
        user.rget(service)
    assert missing.value.response.status_code == 404


def test_lists_are_paged_by_offset_to_their_end(user: pagerduty.RestApiV2Client) -> None:
    created = {a_service(user, f"Paged {number}")["id"] for number in range(23)}
    listed = [service["id"] for service in user.iter_all("services", page_size=5)]
    assert len(listed) == len(set(listed)) == user.get_total("services")
    assert created <= set(listed)
    assert user.dict_all("services", page_size=10).keys() == set(listed)
    assert user.find("services", "paged 7")["name"] == "Paged 7"
    assert user.find("services", "Nothing of this name") is None


def test_lists_are_paged_by_cursor_to_their_end(user: pagerduty.RestApiV2Client) -> None:
    a_service(user, "Audited")
    now = datetime.now(timezone.utc)
    params = {"since": (now - timedelta(hours=1)).isoformat(), "limit": 3}
    records = list(user.iter_cursor("audit/records", params=params))
    assert len(records) > 3
    assert len({record["id"] for record in records}) == len(records)


def test_histories_are_read_by_time(user: pagerduty.RestApiV2Client) -> None:
    an_incident(user, a_service(user, "With a history"), "Logged")
    now = datetime.now(timezone.utc)
    since, until = now - timedelta(days=2), now + timedelta(minutes=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        entries = list(user.iter_history("log_entries", since, until))
    assert any(entry["type"] == "trigger_log_entry" for entry in entries)
    total = user.get_total(
        "log_entries", params={"since": since.isoformat(), "until": until.isoformat()}
    )
    assert len(entries) == total


def test_incidents_are_acknowledged_annotated_and_resolved_together(
    user: pagerduty.RestApiV2Client,
) -> None:
    service = a_service(user, "With incidents")
    incidents = [an_incident(user, service, f"Incident {number}") for number in range(3)]
    acknowledged = user.rput(
        f"incidents/{incidents[0]['id']}",
        json={"type": "incident", "status": "acknowledged"},
    )
    assert acknowledged["status"] == "acknowledged"
    note = user.rpost(f"incidents/{incidents[0]['id']}/notes", json={"content": "Seen"})
    assert note["content"] == "Seen"
    # Without it, a channel shows nothing but its type.
    included = {"include[]": ["channels"]}
    notes = list(user.iter_incident_notes(incidents[0]["id"], params=included))
    assert [one["channel"]["summary"] for one in notes] == ["Seen"]
    references = [
        {"id": one["id"], "type": "incident_reference", "status": "resolved"} for one in incidents
    ]
    resolved = user.rput("incidents", json=references)
    assert [one["status"] for one in resolved] == ["resolved"] * 3
    params = {"service_ids[]": [service["id"]], "statuses[]": ["resolved"]}
    assert len(list(user.iter_all("incidents", params=params))) == 3


def test_an_object_is_found_or_created(user: pagerduty.RestApiV2Client) -> None:
    values = {"name": "Persisted", "email": "persisted@example.com", "type": "user"}
    created = user.persist("users", "email", values)
    assert user.persist("users", "email", values)["id"] == created["id"]
    renamed = user.persist("users", "email", {**values, "name": "Renamed"}, update=True)
    assert renamed["name"] == "Renamed"
    assert user.rget(created)["name"] == "Renamed"


def test_abilities_and_the_kind_of_a_key_are_recognized(world: World) -> None:
    user, account = world.client("user"), world.client("account")
    assert user.account_has_ability("teams")
    with pytest.raises(pagerduty.HttpError) as unknown:
        user.account_has_ability("levitation")
    assert unknown.value.response.status_code == 404
    assert user.api_key_access == "user"
    assert account.api_key_access == "account"
    assert user.subdomain == account.subdomain


def test_an_account_key_acts_as_the_default_user(world: World) -> None:
    client = world.client("account", default_from="ada@example.com")
    incident = an_incident(client, a_service(client, "Of an account key"), "From Ada")
    assert incident["status"] == "triggered"
    without = world.client("account")
    with pytest.raises(pagerduty.HttpError) as missing:
        an_incident(without, client.find("services", "Of an account key"), "From nobody")
    assert missing.value.response.status_code == 400


def test_errors_are_those_that_the_client_expects(world: World) -> None:
    wrong = pagerduty.RestApiV2Client("y_0123456789abcdefghij", verify=world.tls)
    with pytest.raises(pagerduty.HttpError) as unauthorized:
        wrong.rget("services")
    assert unauthorized.value.response.status_code == 401
    with pytest.raises(pagerduty.HttpError) as invalid:
        world.client("user").rpost("services", json={"type": "service", "name": "X"})
    assert invalid.value.response.status_code == 400
    assert invalid.value.response.json()["error"]["errors"]


def test_events_are_triggered_acknowledged_resolved_and_reported(world: World) -> None:
    events, user = world.events(), world.client("user")
    key = events.trigger("Disk full", "db-1", severity="critical")
    assert key
    assert events.acknowledge(key) == key
    [incident] = user.iter_all("incidents", params={"incident_key": key, "date_range": "all"})
    assert incident["status"] == "acknowledged"
    assert events.resolve(key) == key
    assert user.rget(incident)["status"] == "resolved"
    # The client's own default for the time fails.
    now = datetime.now(timezone.utc).isoformat()
    events.submit("Deployed version 2", source="ci", timestamp=now)
    changes = [change["summary"] for change in user.iter_all("change_events")]
    assert changes.count("Deployed version 2") == 1


def test_an_app_gets_a_token_that_the_api_accepts(world: World) -> None:
    app = next(app for app in world.info["apps"] if app["name"] == "Scoped app (US)")
    oauth = pagerduty.OAuthTokenClient(app["client_secret"], app["client_id"], verify=world.tls)
    subdomain = world.client("user").subdomain
    scope = f"as_account-us.{subdomain} services.read"
    token = oauth.get_scoped_app_token(scope)
    client = pagerduty.RestApiV2Client(
        token["access_token"], auth_type="bearer", verify=world.tls
    )
    assert list(client.iter_all("services"))


def test_raw_analytics_of_incidents_are_paged(world: World) -> None:
    user = world.client("account", default_from="ada@example.com")
    rows = list(user.iter_analytics_raw_incidents({}, limit=5))
    assert len({row["id"] for row in rows}) == len(rows) > 5
