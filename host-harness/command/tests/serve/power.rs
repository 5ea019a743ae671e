//! What a power failure may undo: rows of executions that were not yet written to the disk.

use std::path::PathBuf;

use pagerduty_simulator::{Fault, Hold};
use serde_json::{Value, json};

use crate::support::{EXECUTE, World, until};

const NOTES: &str = "/v1/plugins/pagerduty/actions/incident_note.create/execute";

/// Takes the database back to an earlier state, as if the disk had never received what came later.
struct Earlier(PathBuf, Vec<u8>);

impl Earlier {
    fn of(world: &World) -> Self {
        let path = world.path("data/server.db");
        let bytes = std::fs::read(&path).unwrap();
        Self(path, bytes)
    }

    fn restore(&self) {
        for suffix in ["db-wal", "db-shm"] {
            std::fs::remove_file(self.0.with_extension(suffix)).ok();
        }
        std::fs::write(&self.0, &self.1).unwrap();
    }
}

#[test]
fn an_execution_whose_row_was_lost_in_a_power_failure_resumes_from_its_journal() {
    let world = World::new();
    let token = world.full_token();
    let mut server = world.serve(&[]);
    let created = server.client(&token).post(EXECUTE, &world.incidents("incident", 1)).expect(200);
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    let earlier = Earlier::of(&world);
    let incident = created["items"][0]["output"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/incidents/{incident}/notes");
    let hold = Hold::new();
    let fault = Fault::hold_after_apply(&hold).method("POST").path(&path).after(3).always();
    world.simulator.fault(fault);
    let call = |text: &str| {
        let note = |number| json!({"incident_id": incident, "content": format!("{text} {number}")});
        json!({
            "execution_id": "notes", "credentials": {"rest": "work"},
            "items": (0..10).map(note).collect::<Vec<_>>(),
            "options": {"concurrency": 1, "continue_on_fail": true},
        })
    };
    let server = world.serve(&[]);
    let json = [("content-type", "application/json")];
    let body = call("Note").to_string();
    let stream = server.client(&token).begin("POST", NOTES, &json, body.as_bytes());
    until("a request at the service", || hold.arrived() > 0);
    server.kill();
    drop(stream);
    world.simulator.clear_faults();
    hold.release();
    earlier.restore();

    let server = world.serve(&[]);
    let client = server.client(&token);
    assert_eq!(client.get("/v1/executions/notes").status, 404, "the row is lost");
    // Its ID still belongs to the call that was made with it.
    let refused = client.post(NOTES, &call("Other")).expect(409);
    assert_eq!(refused["error"]["name"], "execution-conflict");
    let result = client.post(NOTES, &call("Note")).expect(200);
    assert_eq!((&result["status"], &result["finished"]), (&json!("finished"), &json!(10)));
    let unknown = |item: &&Value| item["error"]["kind"] == "outcome-unknown";
    let items = result["items"].as_array().unwrap();
    assert_eq!(items.iter().filter(unknown).count(), 1, "the one in flight: {result}");
    assert_eq!(items.iter().filter(|item| item["status"] == "ok").count(), 9, "{result}");
    let notes = world.simulator.requests().into_iter().filter(|one| one.path == path);
    let mut sent: Vec<Vec<u8>> =
        notes.filter(|one| one.method == "POST").map(|one| one.body.to_vec()).collect();
    assert_eq!(sent.len(), 10);
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 10, "each note was sent once");
}
