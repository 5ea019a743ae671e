//! Lists of every kind, from the first page to the last.

use end_to_end::service::{Received, Reply};
use end_to_end::{error, values};
use serde_json::{Value, json};

use super::World;

const KINDS: [&str; 8] = [
    "element.list",
    "bare.list",
    "nested.list",
    "numbered.list",
    "counted.list",
    "linked.list",
    "next.list",
    "cursor.list",
];

/// The service has 230 things and answers with at most 30 of them where it pages.
fn answer(request: &Received) -> Reply {
    const TOTAL: u64 = 230;
    let number = |name| request.query(name).and_then(|text| text.parse::<u64>().ok());
    let size = number("per_page").unwrap_or(30).min(30);
    let page = number("page").unwrap_or(1);
    let things = |from: u64, to: u64| -> Vec<Value> {
        (from.min(TOTAL)..to.min(TOTAL)).map(|id| json!({ "id": id })).collect()
    };
    let part = things((page - 1) * size, page * size);
    let next = (page * size < TOTAL).then_some(page + 1);
    let target = next.map(|next| format!("/v1/linked?per_page={size}&page={next}"));
    match request.path() {
        "/v1/bare" => Reply::json(200, json!(things(0, TOTAL))),
        "/v1/nested" => Reply::json(200, json!({"data": [{"items": things(0, TOTAL)}]})),
        "/v1/numbered" => Reply::json(200, json!(part)),
        "/v1/counted" => {
            let pages = TOTAL.div_ceil(size);
            Reply::json(200, json!({"data": {"items": part}, "meta": {"pages": pages}}))
        }
        "/v1/linked" => {
            let reply = Reply::json(200, json!(part));
            match target {
                Some(target) => reply
                    .header("Link", "<https://api.service.test/v1/linked>; rel=\"first\"")
                    .header("link", format!("<https://api.service.test{target}>; rel=\"next\"")),
                None => reply,
            }
        }
        "/v1/next" => {
            let next = next.map(|next| format!("next?per_page={size}&page={next}"));
            Reply::json(200, json!({"items": part, "links": {"next": next}}))
        }
        "/v1/cursor" => Reply::json(200, json!({"items": part, "meta": {"next": next}})),
        other => Reply::json(404, json!(other)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_and_all_are_honored_by_every_kind_of_list() {
    let world = World::new(answer).await;
    for kind in KINDS {
        for (item, count) in [
            (json!({"limit": 2}), 2),
            (json!({"limit": 75}), 75),
            (json!({}), 100),
            (json!({"all": true}), 230),
        ] {
            let outcome = world.run("token", kind, item.clone()).await;
            let records = values(&outcome, 0);
            let ids: Vec<u64> = records.iter().map(|one| one["id"].as_u64().unwrap()).collect();
            assert_eq!(ids, (0..count).collect::<Vec<_>>(), "{kind} {item}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_next_page_at_another_origin_is_never_asked_for() {
    let world = World::new(|request| match request.path() {
        "/v1/linked" => Reply::json(200, json!([{"id": 1}]))
            .header("Link", "<https://evil.service.test/v1/linked?page=2>; rel=\"next\""),
        _ => Reply::json(
            200,
            json!({"items": [{"id": 1}], "links": {"next": "//evil.service.test/"}}),
        ),
    })
    .await;
    for kind in ["linked.list", "next.list"] {
        let outcome = world.run("token", kind, json!({"all": true})).await;
        assert!(error(&outcome, 0).message.contains("not at the origin"), "{outcome:?}");
    }
    assert_eq!(world.service.requests().len(), 2);
    let audited = world.audit.events();
    assert!(audited.iter().all(|event| event.origin == "https://api.service.test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_would_never_end_is_an_error() {
    let world = World::new(|request| match request.path() {
        "/v1/numbered" => Reply::json(200, json!([{"id": 1}])),
        "/v1/linked" => {
            Reply::json(200, json!([{"id": 1}])).header("Link", "</v1/linked?page=2>; rel=next")
        }
        _ => Reply::json(
            200,
            json!({"items": [{"id": 1}], "links": {"next": "?page=2"},
            "data": {"items": [{"id": 1}]}, "meta": {"next": 2, "pages": 1_000}}),
        ),
    })
    .await;
    for kind in ["numbered.list", "counted.list", "linked.list", "next.list", "cursor.list"] {
        let outcome = world.run("token", kind, json!({"all": true})).await;
        assert!(error(&outcome, 0).message.contains("would never end"), "{kind}: {outcome:?}");
    }
    assert!(world.service.requests().len() <= 20, "{}", world.service.requests().len());
}
