use crate::support::{World, assert_text};

#[test]
fn choices_are_a_table() {
    let world = World::connected();
    let args = ["options", world.plugin(), "incident.create", "service_id", "--credential", "work"];
    let output = world.sends(&args).expect(0);
    assert_text!(world, format!("{}--- standard error\n{}", output.stdout, output.stderr));
}

#[test]
fn choices_can_be_searched() {
    let world = World::connected();
    let service = world.service();
    let args = [
        "options",
        world.plugin(),
        "incident.create",
        "service_id",
        "--credential",
        "work",
        "--search",
        &service.name,
        "--format",
        "json",
    ];
    let document = world.sends(&args).expect(0).json();
    assert_eq!(document["choices"][0]["value"], service.id.as_str());
    assert_eq!(document["choices"].as_array().unwrap().len(), 1);
}

#[test]
fn a_long_list_of_choices_is_continued() {
    let world = World::connected();
    world.simulator.us().add_services(300);
    let all = world.simulator.us().services().len();
    let mut args: Vec<String> = ["options", world.plugin(), "incident.create", "service_id"]
        .iter()
        .chain(&["--credential", "work", "--format", "json"])
        .map(ToString::to_string)
        .collect();
    let mut seen = 0;
    loop {
        let borrowed: Vec<&str> = args.iter().map(String::as_str).collect();
        let document = world.sends(&borrowed).expect(0).json();
        seen += document["choices"].as_array().unwrap().len();
        let Some(cursor) = document["next_cursor"].as_str() else { break };
        args.truncate(8);
        args.extend(["--cursor".to_owned(), cursor.to_owned()]);
    }
    assert_eq!(seen, all);
}

#[test]
fn a_parameter_without_choices_is_bad_input() {
    let world = World::connected();
    let options = |rest: &[&str], code| {
        let args = [&["options", world.plugin()][..], rest, &["--credential", "work"]].concat();
        world.sends(&args).expect(code)
    };
    options(&["incident.create", "title"], 2).says("service_id");
    options(&["incident.creat", "service_id"], 2).says("incident.create");
    options(&["incident.create", "service_id", "--parameters", "7"], 2).says("expected an object");
    assert!(world.simulator.requests().is_empty());
}

#[test]
fn choices_need_a_credential_that_the_service_accepts() {
    let world = World::connected();
    let args = ["options", world.plugin(), "incident.create", "service_id"];
    world.sends(&args).expect(3).says("rest");
    world.connect("bad", "not-a-real-token");
    let args = [&args[..], &["--credential", "bad", "--format", "json"]].concat();
    let failure = world.sends(&args).expect(1).failure();
    assert_eq!(failure["cause"]["kind"], "unauthenticated");
}
