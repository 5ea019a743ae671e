//! Paging of lists, in every style.

use pagerduty_simulator::facts::{self, Operation, Paging};
use pagerduty_simulator::{Simulator, examples};
use serde_json::Value;

use crate::client::{Line, line};
use crate::operations::{current, least, request, simulator};

/// Adds objects to the collection of a list, if an operation can do so.
async fn fill(simulator: &Simulator, line: &Line, list: &Operation) {
    let create = current().find(|other| other.method == "POST" && other.path == list.path);
    let Some(create) = create.filter(|create| create.body.is_some()) else { return };
    for number in 0..5 {
        let mut body = examples::body(create).unwrap();
        rename(&mut body, number);
        let answer = request(simulator, create, &[], Some(&body)).send_on(line).await;
        assert!((200..300).contains(&answer.status), "{} {body}", create.id);
    }
}

/// Names and addresses must be unique.
fn rename(value: &mut Value, number: usize) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if ["name", "label", "title"].contains(&name.as_str()) => {
                        *text = format!("Number {number}");
                    }
                    Value::String(text) if name == "email" => {
                        *text = format!("number.{number}@example.com");
                    }
                    other => rename(other, number),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, number)),
        _ => {}
    }
}

/// Follows the pages of a list to its end.
async fn follow(simulator: &Simulator, line: &Line, list: &Operation, limit: &str) -> Vec<Value> {
    let root = match list.id.as_str() {
        "getTagsByEntityType" => "users",
        _ => list.root().unwrap(),
    };
    let mut seen: Vec<Value> = Vec::new();
    let mut next: Option<(&str, String)> = None;
    loop {
        let mut more = vec![("limit", limit)];
        more.extend(next.as_ref().map(|(name, value)| (*name, value.as_str())));
        let answer = request(simulator, list, &more, None).send_on(line).await;
        assert_eq!(Some(answer.status), list.status, "{} {more:?}", list.id);
        let page = answer.json();
        let items = page[root].as_array().unwrap().clone();
        assert!(items.len() <= limit.parse().unwrap(), "{}", list.id);
        seen.extend(items);
        let text = |name: &str| page[name].as_str().map(str::to_owned);
        next = match list.paging {
            Paging::Classic => (page["more"] == true).then(|| ("offset", seen.len().to_string())),
            Paging::Cursor => text("next_cursor").map(|cursor| ("cursor", cursor)),
            Paging::AfterBefore => text("after").map(|cursor| ("after", cursor)),
            _ => None,
        };
        if next.is_none() {
            return seen;
        }
    }
}

#[tokio::test]
async fn every_list_can_be_paged_without_gaps_or_duplicates() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let lists = current().filter(|operation| {
        operation.method == "GET"
            && matches!(operation.paging, Paging::Classic | Paging::Cursor | Paging::AfterBefore)
            && operation.query.iter().any(|field| field.name == "limit")
    });
    let (mut paged, mut long) = (0, 0);
    for list in lists {
        simulator.reset();
        // Changes create audit records, which are lists, too.
        if list.path.ends_with("/audit/records") {
            for id in [
                "updateUser",
                "updateTeam",
                "updateService",
                "updateEscalationPolicy",
                "updateSchedule",
                "updateScheduleV3",
                "updateIpAllowList",
            ] {
                let update = facts::operation(id).unwrap();
                for _ in 0..4 {
                    assert_eq!(least(&simulator, &line, update).await.status, 200, "{id}");
                }
            }
        }
        fill(&simulator, &line, list).await;
        let whole = follow(&simulator, &line, list, "50").await;
        assert!(!whole.is_empty(), "{} is empty", list.id);
        for limit in ["1", "2", "3"] {
            assert_eq!(follow(&simulator, &line, list, limit).await, whole, "{} {limit}", list.id);
        }
        paged += 1;
        long += usize::from(whole.len() > 3);
    }
    assert_eq!(paged, 55);
    assert!(long > 30, "{long}");
}

#[tokio::test]
async fn classic_lists_end_at_ten_thousand_and_count_on_request() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let lists = current().filter(|one| one.method == "GET" && one.paging == Paging::Classic);
    for list in lists {
        let send = |more: &[(&str, &str)]| request(&simulator, list, more, None).send_on(&line);
        assert_eq!(send(&[("offset", "9991"), ("limit", "10")]).await.status, 400, "{}", list.id);
        assert_eq!(send(&[("limit", "0")]).await.status, 400, "{}", list.id);
        assert_eq!(send(&[("limit", "1001")]).await.status, 400, "{}", list.id);
        let far = send(&[("offset", "9990"), ("limit", "10")]).await;
        assert_eq!(Some(far.status), list.status, "{}", list.id);
        assert_eq!(far.json()["more"], false, "{}", list.id);
        if list.query.iter().any(|field| field.name == "total")
            && list.page_fields.contains(&"total".to_owned())
        {
            let counted = send(&[("total", "true")]).await.json();
            assert!(
                counted["total"].as_u64().is_some_and(|total| total > 0),
                "{} {counted}",
                list.id
            );
            assert_eq!(send(&[]).await.json()["total"], Value::Null, "{}", list.id);
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_kind_is_refused() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let lists = current().filter(|one| one.query.iter().any(|field| field.name == "cursor"));
    let mut tried = 0;
    for list in lists {
        let answer = request(&simulator, list, &[("cursor", "made up")], None);
        assert_eq!(answer.send_on(&line).await.status, 400, "{}", list.id);
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}
