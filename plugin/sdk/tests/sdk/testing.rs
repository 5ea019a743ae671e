//! The module `testing`, which compares what a node returns with what it describes.

use serde_json::json;
use workflow_node_sdk::declare::{
    Action, Answer, Example, Field, Node, Output, Param, Place, Resource, Slot,
};
use workflow_node_sdk::http::{self, Request};
use workflow_node_sdk::literal;
use workflow_node_sdk::node::{Declares, Plugin};
use workflow_node_sdk::testing::{Call, Host, answer, assert_sound, describe};

use workflow_node_sdk::{block_on, context, join_all, time};

use crate::plugin::Things;

const ORIGIN: &str = "https://api.test";

/// Why something panics.
fn panic_of(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(run).expect_err("it panics");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => panic.downcast_ref::<&str>().expect("a message").to_string(),
    }
}

macro_rules! node {
    ($name:ident, $declaration:ident, $actions:expr) => {
        struct $name;
        static $declaration: Node = Node::builder("cities", "Cities", "Cities.")
            .origins(&[ORIGIN])
            .resources(&[Resource::new("city", "Cities", "Cities.", &[$actions])])
            .build();
        impl Plugin for $name {
            fn declaration() -> &'static dyn Declares {
                &$declaration
            }
        }
    };
}

const fn get(name: &'static str, path: &'static str) -> Action {
    Action::get(name, path, "Get", "Gets.").without_credential(ORIGIN)
}

const CELSIUS: Output = Output::Record(&[Field::number("celsius", "Degrees.")]);
static CITY: Param = Param::text("city", "City", "City.").required().at(Place::Path);

node!(
    Sound,
    SOUND,
    &[
        get("city.weather", "/{city}")
            .parameters(&[&CITY])
            .output(CELSIUS)
            .examples(&[Example::new("Berlin", literal!({ "city": "berlin" }))
                .output(literal!({ "celsius": 21 })),]),
        Action::delete("city.delete", "/{city}", "Delete", "Deletes.")
            .without_credential(ORIGIN)
            .parameters(&[&CITY])
            .answer(Answer::Nothing(literal!({ "deleted": true })))
            .output(Output::Record(&[Field::boolean("deleted", "Always true.")]))
            .examples(&[Example::new("Berlin", literal!({ "city": "berlin" }))]),
    ]
);

#[test]
fn a_sound_node_is_accepted() {
    assert_sound::<Sound>();
    let description = describe::<Sound>();
    let delete = description.node.action("city.delete").unwrap();
    assert_eq!(**delete.examples[0].output.as_ref().unwrap(), json!({ "deleted": true }));
}

node!(
    WrongExample,
    WRONG_EXAMPLE,
    &[get("city.weather", "/{city}")
        .parameters(&[&CITY])
        .examples(&[Example::new("Berlin", literal!({ "town": "berlin" }))])]
);

node!(
    WrongOutput,
    WRONG_OUTPUT,
    &[get("city.weather", "/{city}")
        .parameters(&[&CITY])
        .output(CELSIUS)
        .examples(&[Example::new("Berlin", literal!({ "city": "berlin" }))
            .output(literal!({ "celsius": "21" })),])]
);

node!(
    WrongNothing,
    WRONG_NOTHING,
    &[get("city.forget", "/{city}")
        .parameters(&[&CITY])
        .answer(Answer::Nothing(literal!({ "done": true })))
        .output(CELSIUS)
        .examples(&[Example::new("Berlin", literal!({ "city": "berlin" }))])]
);

#[test]
fn examples_and_records_that_do_not_fit_are_found_without_a_service() {
    let message = panic_of(assert_sound::<WrongExample>);
    assert!(
        message.starts_with("the example `Berlin` of `city.weather` does not fit its form"),
        "{message}"
    );
    for message in [panic_of(assert_sound::<WrongOutput>), panic_of(assert_sound::<WrongNothing>)] {
        assert!(message.starts_with("the output of the example `Berlin` of `city."), "{message}");
        assert!(message.contains("does not fit its own schema"), "{message}");
    }
}

struct WrongSlot;

static WRONG_SLOT: Node = Node::builder("cities", "Cities", "Cities.")
    .origins(&[ORIGIN])
    .slots(&[Slot::new("main", "A key.", &["api-kye"])])
    .resources(&[Resource::new("city", "Cities", "Cities.", &[&[get("city.list", "/")]])])
    .build();

impl Plugin for WrongSlot {
    fn declaration() -> &'static dyn Declares {
        &WRONG_SLOT
    }
}

#[test]
fn a_slot_for_a_credential_type_that_does_not_exist_is_found() {
    let message = panic_of(assert_sound::<WrongSlot>);
    assert!(
        message.starts_with("the slot `main` takes the credential type `api-kye`"),
        "{message}"
    );
}

#[test]
fn a_record_that_does_not_fit_its_schema_is_found() {
    let run = |host: Host| host.execute::<Sound>("city.weather", json!({ "city": "berlin" }));
    let message = panic_of(move || {
        run(Host::scripted([answer(200, r#"{"celsius":"21"}"#)])).ok();
    });
    assert!(
        message.starts_with("a record of `city.weather` does not fit its own schema: /celsius"),
        "{message}"
    );
    let host = Host::scripted([answer(200, "{}")]).without_output_check();
    assert_eq!(run(host).unwrap(), [json!({})]);
    assert_eq!(run(Host::scripted([answer(200, r#"{"celsius":1}"#)])).unwrap().len(), 1);
}

#[test]
fn emitted_records_come_before_those_that_are_returned() {
    let page = |more: bool, ids: [u32; 2]| {
        let records = ids.map(|id| json!({ "id": id }));
        answer(200, &json!({ "records": records, "more": more }).to_string())
    };
    let host = Host::scripted([page(true, [1, 2]), page(false, [3, 4])]).connected::<Things>(
        "main",
        "key",
        json!({}),
    );
    let records = host.execute::<Things>("record.list", json!({ "all": true })).unwrap();
    let ids: Vec<_> = records.iter().map(|record| record["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    host.assert_finished();
}

#[test]
fn items_are_reported_as_they_end_if_requested() {
    let list =
        || Call::new("city.weather").items([json!({"city": "a"}), json!({}), json!({"city": "b"})]);
    let weather = |request: &Request| match request.url.ends_with("/a") {
        true => Ok(answer(404, "{}")),
        false => Ok(answer(200, r#"{"celsius":1}"#)),
    };
    let host = Host::answering(weather);
    let whole = host.call::<Sound>(list().continue_on_fail()).unwrap();
    assert_eq!(host.finished(), []);
    let one_by_one = host.call::<Sound>(list().continue_on_fail().finish_items()).unwrap();
    assert_eq!(one_by_one, whole);
    // The wrong item is known before the first request.
    let order: Vec<u32> = host.finished().iter().map(|(item, _)| *item).collect();
    assert_eq!(order, [1, 0, 2]);
}

#[test]
fn a_script_that_is_too_short_or_too_long_is_found() {
    let list = || Call::new("city.weather").items([json!({"city": "a"}), json!({"city": "b"})]);
    let weather = || answer(200, r#"{"celsius":1}"#);
    let message = panic_of(move || {
        Host::scripted([weather()]).call::<Sound>(list()).ok();
    });
    assert_eq!(message, "the script has no response left for GET https://api.test/b");
    let message = panic_of(move || {
        let host = Host::scripted([weather(), weather(), weather()]);
        host.call::<Sound>(list()).unwrap();
        host.assert_finished();
    });
    assert_eq!(message, "1 responses of the script are left");
}

#[test]
fn another_version_of_an_action_is_refused() {
    let call = Call::new("city.weather").version(2).item(json!({ "city": "a" }));
    let error = Host::scripted([]).call::<Sound>(call).unwrap_err();
    assert!(error.message.contains("version"), "{}", error.message);
}

#[test]
fn the_virtual_clock_advances_only_while_the_node_waits() {
    let host = Host::scripted([answer(200, "{}")]).at(1_000).latency(40).deadline(500);
    host.run(|| {
        block_on(async {
            http::send(&Request::new("GET", ORIGIN)).await.unwrap();
            assert_eq!(context::now(), 1_000_040);
            time::sleep(100).await;
            assert_eq!(context::now(), 1_000_140);
            time::sleep(3_600_000).await;
        });
    });
    assert_eq!(host.now(), 1_000_500);
}

#[test]
fn a_shorter_timer_ends_before_a_longer_one_that_was_started_first() {
    let host = Host::scripted([]);
    let order = std::cell::RefCell::new(Vec::new());
    host.run(|| {
        block_on(join_all([300, 100, 200].map(|wait| {
            let order = &order;
            async move {
                time::sleep(wait).await;
                order.borrow_mut().push(wait);
            }
        })));
    });
    assert_eq!(order.into_inner(), [100, 200, 300]);
    assert_eq!(host.now(), 300);
}
