//! Long lists.

use serde_json::json;
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::http::Request;
use workflow_node_sdk::testing::{Host, answer};

use crate::plugin::{Outcome, call_one, host, query};

/// A collection of `total` records, handed out by offset in pages of at most `largest`.
fn records(total: u64, largest: u64) -> Host {
    host(move |request| {
        let offset = query(request, "offset").unwrap_or(0);
        let limit = query(request, "limit").expect("a limit is always sent").min(largest);
        let end = (offset + limit).min(total);
        let records: Vec<_> = (offset..end).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let body = format!(r#"{{"records":[{}],"more":{}}}"#, records.join(","), end < total);
        Ok(answer(200, &body))
    })
}

/// Everything that the item yields: what it emitted, then what it returned.
fn yielded(host: &Host, result: Outcome) -> Vec<String> {
    let emitted = host.emitted().into_iter().map(|(_, output)| output.json);
    emitted.chain(result.unwrap()).collect()
}

fn ids(count: u64) -> Vec<String> {
    (0..count).map(|id| format!(r#"{{"id":{id}}}"#)).collect()
}

fn pages(requests: &[Request]) -> Vec<(u64, u64)> {
    let page = |request| (query(request, "offset").unwrap_or(0), query(request, "limit").unwrap());
    requests.iter().map(page).collect()
}

#[test]
fn exactly_the_limit_is_returned_and_no_more_is_asked_for() {
    let host = records(1_000, 100);
    let result = call_one(&host, "record.list", json!({"limit": 250}));
    assert_eq!(yielded(&host, result), ids(250));
    assert_eq!(pages(&host.requests()), [(0, 100), (100, 100), (200, 50)]);
}

#[test]
fn without_a_limit_it_is_a_hundred() {
    let host = records(1_000, 100);
    let result = call_one(&host, "record.list", json!({}));
    assert_eq!(yielded(&host, result), ids(100));
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn all_means_every_record_and_beats_the_limit() {
    let host = records(230, 100);
    let result = call_one(&host, "record.list", json!({"all": true, "limit": 1}));
    assert_eq!(yielded(&host, result), ids(230));
    assert_eq!(pages(&host.requests()), [(0, 100), (100, 100), (200, 100)]);
}

#[test]
fn all_of_nothing_is_nothing() {
    let host = records(0, 100);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(yielded(&host, result), ids(0));
}

#[test]
fn pages_are_handed_over_as_they_come() {
    let host = records(230, 100);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(host.emitted().len(), 200);
    assert_eq!(result.unwrap().len(), 30);
}

#[test]
fn smaller_pages_than_asked_for_lose_nothing() {
    let host = records(100, 30);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(yielded(&host, result), ids(100));
    assert_eq!(pages(&host.requests()), [(0, 100), (30, 100), (60, 100), (90, 100)]);
}

#[test]
fn the_whole_window_can_be_had() {
    let host = records(10_000, 100);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(yielded(&host, result).len(), 10_000);
    assert_eq!(pages(&host.requests()).last(), Some(&(9_900, 100)));
}

#[test]
fn beyond_the_window_is_an_error_and_not_a_silent_end() {
    let host = records(10_001, 100);
    let error = call_one(&host, "record.list", json!({"all": true})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert!(error.message.contains("at most 10000"), "{}", error.message);
    assert_eq!(host.emitted().len(), 10_000);
    for (offset, limit) in pages(&host.requests()) {
        assert!(offset + limit <= 10_000);
    }
}

#[test]
fn the_last_page_of_the_window_is_cut_to_fit() {
    let host = records(20_000, 70);
    call_one(&host, "record.list", json!({"all": true})).unwrap_err();
    // 142 pages of 70 end at 9,940.
    assert_eq!(pages(&host.requests()).last(), Some(&(9_940, 60)));
}

#[test]
fn an_empty_page_that_promises_more_is_an_error() {
    let host = host(|_| Ok(answer(200, r#"{"records":[],"more":true}"#)));
    let error = call_one(&host, "record.list", json!({"all": true})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn a_listing_without_its_list_is_an_error() {
    for body in [r#"{"more":false}"#, r#"{"records":{}}"#, r#"{"records":[1"#, "[]"] {
        let host = host(move |_| Ok(answer(200, body)));
        let error = call_one(&host, "record.list", json!({})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{body}");
    }
}

#[test]
fn records_are_passed_on_as_they_were_written() {
    let record = r#"{ "n":12345678901234567890123, "f":1.10,"unknown":{"a":[null]},"s":"\u00e9" }"#;
    let host =
        host(move |_| Ok(answer(200, &format!(r#"{{"more":false,"records":[ {record} ,1]}}"#))));
    assert_eq!(call_one(&host, "record.list", json!({})).unwrap(), [record, "1"]);
}

#[test]
fn a_failing_page_leaves_what_was_handed_over() {
    let mut count = 0;
    let host = host(move |_| {
        count += 1;
        let body = r#"{"records":[1,2],"more":true}"#;
        Ok(if count == 2 { answer(503, "") } else { answer(200, body) })
    });
    let error = call_one(&host, "record.list", json!({"all": true})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(host.emitted().len(), 2);
}

#[test]
fn a_cursor_leads_from_page_to_page() {
    let host = host(|request| {
        let body = match query(request, "cursor") {
            None => r#"{"changes":[1,2],"next":"7"}"#,
            Some(7) => r#"{"changes":[3],"next":"8"}"#,
            _ => r#"{"changes":[4],"next":null}"#,
        };
        Ok(answer(200, body))
    });
    let result = call_one(&host, "change.list", json!({"all": true}));
    assert_eq!(yielded(&host, result), ["1", "2", "3", "4"]);
    let urls: Vec<_> = host.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(urls[0], "https://api.test/changes?kind=all&limit=50");
    assert_eq!(urls[2], "https://api.test/changes?kind=all&limit=50&cursor=8");
}

#[test]
fn a_cursor_that_stays_the_same_is_an_error() {
    let host = host(|_| Ok(answer(200, r#"{"changes":[1],"next":"same"}"#)));
    let error = call_one(&host, "change.list", json!({"all": true})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(host.requests().len(), 2);
}

#[test]
fn an_absent_or_empty_cursor_ends_the_listing() {
    for end in ["", r#","next":"""#, r#","next":null"#] {
        let host = host(move |_| Ok(answer(200, &format!(r#"{{"changes":[1]{end}}}"#))));
        assert_eq!(call_one(&host, "change.list", json!({"all": true})).unwrap(), ["1"]);
    }
}

#[test]
fn a_list_without_pages_is_cut_here() {
    let host = host(|_| Ok(answer(200, r#"{"names":["a","b","c"]}"#)));
    assert_eq!(call_one(&host, "name.list", json!({"limit": 2})).unwrap(), [r#""a""#, r#""b""#]);
    assert_eq!(host.requests()[0].url, "https://api.test/names");
}
