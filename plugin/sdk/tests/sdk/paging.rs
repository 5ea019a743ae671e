//! Long lists.

use serde_json::json;
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::http::Request;
use workflow_node_sdk::testing::{Host, answer};

use crate::plugin::{Outcome, call_one, host, query};

/// A collection of `total` records, returned by offset in pages of at most `largest`.
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
fn exactly_the_limit_is_returned_and_no_more_is_requested() {
    let host = records(1_000, 100);
    let result = call_one(&host, "record.list", json!({"limit": 250}));
    assert_eq!(yielded(&host, result), ids(250));
    assert_eq!(pages(&host.requests()), [(0, 100), (100, 100), (200, 50)]);
}

#[test]
fn the_default_limit_is_a_hundred() {
    let host = records(1_000, 100);
    let result = call_one(&host, "record.list", json!({}));
    assert_eq!(yielded(&host, result), ids(100));
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn all_returns_every_record_regardless_of_the_limit() {
    let host = records(230, 100);
    let result = call_one(&host, "record.list", json!({"all": true, "limit": 1}));
    assert_eq!(yielded(&host, result), ids(230));
    assert_eq!(pages(&host.requests()), [(0, 100), (100, 100), (200, 100)]);
}

#[test]
fn all_of_an_empty_list_is_empty() {
    let host = records(0, 100);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(yielded(&host, result), ids(0));
}

#[test]
fn pages_are_emitted_as_they_arrive() {
    let host = records(230, 100);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(host.emitted().len(), 200);
    assert_eq!(result.unwrap().len(), 30);
}

#[test]
fn smaller_pages_than_requested_lose_no_records() {
    let host = records(100, 30);
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(yielded(&host, result), ids(100));
    assert_eq!(pages(&host.requests()), [(0, 100), (30, 100), (60, 100), (90, 100)]);
}

#[test]
fn the_whole_window_can_be_read() {
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
fn an_empty_page_that_announces_more_is_an_error() {
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
fn records_are_passed_on_unchanged() {
    let record = r#"{ "n":12345678901234567890123, "f":1.10,"unknown":{"a":[null]},"s":"\u00e9" }"#;
    let host =
        host(move |_| Ok(answer(200, &format!(r#"{{"more":false,"records":[ {record} ,1]}}"#))));
    assert_eq!(call_one(&host, "record.list", json!({})).unwrap(), [record, "1"]);
}

#[test]
fn a_failing_page_keeps_the_emitted_records() {
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
fn a_list_without_pages_is_cut_by_the_sdk() {
    let host = host(|_| Ok(answer(200, r#"{"names":["a","b","c"]}"#)));
    assert_eq!(call_one(&host, "name.list", json!({"limit": 2})).unwrap(), [r#""a""#, r#""b""#]);
    assert_eq!(host.requests()[0].url, "https://api.test/names");
}

/// A collection that returns its total, and the number of concurrent requests.
fn counted(total: u64) -> Host {
    host(move |request| {
        let offset = query(request, "offset").unwrap_or(0);
        let limit = query(request, "limit").unwrap();
        let end = (offset + limit).min(total);
        let records: Vec<_> = (offset..end).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let told =
            if request.url.contains("total=true") { total.to_string() } else { "null".into() };
        let more = end < total;
        let body = format!(r#"{{"records":[{}],"more":{more},"total":{told}}}"#, records.join(","));
        Ok(answer(200, &body))
    })
}

/// How many requests a listing of so many records takes: pages that are under way at the same time
/// share a record with the one before.
fn requests(records: u64) -> u64 {
    match records.checked_sub(200) {
        None | Some(0) => records.div_ceil(100).max(1),
        Some(rest) => 2 + rest.div_ceil(99),
    }
}

#[test]
fn once_the_total_is_known_only_needed_pages_are_fetched_concurrently() {
    for total in [0, 99, 100, 101, 200, 201, 999, 1_000, 1_001] {
        for last_first in [false, true] {
            let host = if last_first { counted(total).last_first() } else { counted(total) };
            let result = call_one(&host, "record.list", json!({"all": true}));
            assert_eq!(yielded(&host, result), ids(total), "{total}");
            assert_eq!(host.requests().len() as u64, requests(total), "{total}");
            assert!(host.most_open() <= 4);
            assert_eq!(host.most_open(), if total > 500 { 4 } else { host.most_open() });
        }
    }
}

#[test]
fn a_limit_is_exact_with_read_ahead() {
    for limit in [1, 100, 250, 333, 640, 700] {
        let host = counted(700);
        let result = call_one(&host, "record.list", json!({"limit": limit}));
        assert_eq!(yielded(&host, result), ids(limit), "{limit}");
        assert_eq!(host.requests().len() as u64, requests(limit), "{limit}");
    }
}

#[test]
fn the_total_is_requested_once_and_only_for_more_than_two_pages() {
    let host = counted(150);
    yielded(&host, call_one(&host, "record.list", json!({"limit": 150}))).len();
    assert!(host.requests().iter().all(|request| !request.url.contains("total")));
    let host = counted(700);
    yielded(&host, call_one(&host, "record.list", json!({"all": true}))).len();
    let asked: Vec<_> = host.requests().iter().map(|r| r.url.contains("total=true")).collect();
    assert_eq!(asked, [false, true, false, false, false, false, false, false]);
}

#[test]
fn records_that_arrive_meanwhile_are_yielded_once_and_hide_none() {
    // The newest first: with each request one more has arrived in front.
    let mut arrived = 0;
    let host = host(move |request| {
        let offset = query(request, "offset").unwrap_or(0);
        let limit = query(request, "limit").unwrap();
        let total = 450 + arrived;
        arrived += 1;
        let end = (offset + limit).min(total);
        // Position 0 is the newest: number total - 1.
        let numbers = (offset..end).map(|at| total - 1 - at);
        let records: Vec<_> = numbers.map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let more = end < total;
        let told = if request.url.contains("total=true") { total } else { 0 };
        let told = if told > 0 { told.to_string() } else { "null".to_owned() };
        let body = format!(r#"{{"records":[{}],"more":{more},"total":{told}}}"#, records.join(","));
        Ok(answer(200, &body))
    });
    let result = call_one(&host, "record.list", json!({"all": true}));
    let mut got = yielded(&host, result);
    let count = got.len();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len(), count, "none twice");
    for id in 0..450 {
        assert!(got.contains(&format!(r#"{{"id":{id}}}"#)), "{id} was there all the time");
    }
}

/// The newest first. The answer to the request number `late` is the last of those that are under way
/// together: so many records have arrived, or gone, since the others were answered.
fn disordered(late: usize, moved: i64) -> Host {
    let mut number = 0;
    host(move |request| {
        let offset = query(request, "offset").unwrap_or(0);
        let limit = query(request, "limit").unwrap();
        let has_moved = number == late || number > late + 3;
        number += 1;
        // The newest has the highest number; what goes is among the first.
        let ids: Vec<i64> = match (has_moved, moved > 0) {
            (false, _) => (0..1_000).rev().collect(),
            (true, true) => (0..1_000 + moved).rev().collect(),
            (true, false) => {
                (0..1_000).rev().filter(|id| *id < 990 + moved || *id >= 990).collect()
            }
        };
        let page = ids.iter().skip(offset as usize).take(limit as usize);
        let records: Vec<_> = page.map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let more = offset as usize + records.len() < ids.len();
        let told = if request.url.contains("total=true") { json!(ids.len()) } else { json!(null) };
        let body = format!(r#"{{"records":[{}],"more":{more},"total":{told}}}"#, records.join(","));
        Ok(answer(200, &body))
    })
}

#[test]
fn records_that_move_between_concurrent_pages_are_noticed() {
    for late in 2..=5 {
        for moved in [1, 7, 120, -1, -7] {
            let host = disordered(late, moved);
            let result = call_one(&host, "record.list", json!({"all": true}));
            let mut got = yielded(&host, result);
            let count = got.len();
            got.sort_unstable();
            got.dedup();
            assert_eq!(got.len(), count, "none twice: {late} {moved}");
            for id in 0..980 {
                assert!(got.contains(&format!(r#"{{"id":{id}}}"#)), "{id}: {late} {moved}");
            }
        }
    }
}

#[test]
fn an_undocumented_paging_is_used_only_when_there_is_more() {
    let host = host(|request| {
        let body = match query(request, "offset") {
            None => r#"{"records":[{"id":1},{"id":2}],"more":true}"#,
            Some(2) => r#"{"records":[{"id":3}],"more":false}"#,
            other => panic!("{other:?}"),
        };
        Ok(answer(200, body))
    });
    let result = call_one(&host, "undocumented.list", json!({"all": true}));
    assert_eq!(yielded(&host, result).len(), 3);
    assert_eq!(host.requests()[0].url, "https://api.test/undocumented");
}

#[test]
fn a_limit_of_the_service_alone_cuts_there_and_here() {
    let host = host(|_| Ok(answer(200, r#"{"parts":[1,2,3]}"#)));
    assert_eq!(call_one(&host, "part.list", json!({"limit": 2})).unwrap(), ["1", "2"]);
    call_one(&host, "part.list", json!({"all": true})).unwrap();
    let urls: Vec<_> = host.requests().into_iter().map(|request| request.url).collect();
    assert_eq!(urls, ["https://api.test/parts?limit=2", "https://api.test/parts?limit=50"]);
}

#[test]
fn a_cursor_in_the_body_leads_from_page_to_page() {
    let host = host(|request| {
        let body: serde_json::Value =
            serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        assert_eq!(body["name"], "n");
        Ok(answer(
            200,
            match body["starting_after"].as_str() {
                None => r#"{"data":[1,2],"last":"b","more":true}"#,
                Some("b") => r#"{"data":[3],"last":"c","more":false}"#,
                other => panic!("{other:?}"),
            },
        ))
    });
    let result = call_one(&host, "report.list", json!({"name": "n", "all": true}));
    assert_eq!(yielded(&host, result), ["1", "2", "3"]);
    let requests = host.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].url, "https://api.test/reports");
    let limit = |index: usize| {
        let body = requests[index].body.as_ref().unwrap();
        serde_json::from_slice::<serde_json::Value>(body).unwrap()["limit"].clone()
    };
    assert_eq!((limit(0), limit(1)), (json!(1000), json!(1000)));
}

#[test]
fn a_flat_record_is_returned_on_request() {
    let body = r#"{"things":[{"id":"P1","owner":{"summary":"Ada"},"x":1}],"more":false}"#;
    let host = host(move |_| Ok(answer(200, body)));
    let flat = call_one(&host, "thing.list", json!({"simplify": true})).unwrap();
    assert_eq!(flat, [r#"{"id":"P1","owner":"Ada"}"#]);
    let whole = call_one(&host, "thing.list", json!({"simplify": false})).unwrap();
    assert_eq!(whole, [r#"{"id":"P1","owner":{"summary":"Ada"},"x":1}"#]);
}

/// The error of a listing, and how many requests it took.
fn endless(
    action: &str,
    item: serde_json::Value,
    page: impl Fn(usize) -> String + 'static,
) -> (String, usize) {
    let asked = std::cell::Cell::new(0);
    let host = host(move |_| {
        asked.set(asked.get() + 1);
        Ok(answer(200, &page(asked.get())))
    });
    let error = call_one(&host, action, item).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(error.http_status, Some(200));
    (error.message, host.requests().len())
}

#[test]
fn a_listing_by_position_without_progress_ends_with_an_error() {
    for action in ["record.list", "undocumented.list"] {
        for item in [json!({"all": true}), json!({"limit": 2}), json!({"limit": 5_000})] {
            let page = |_| r#"{"records":[{"id":1}],"more":true}"#.to_owned();
            let (message, requests) = endless(action, item, page);
            assert!(message.contains("nothing new"), "{message}");
            assert!(requests <= 3, "{requests} requests");
        }
    }
    // Also where pages are fetched at the same time.
    let records: Vec<_> = (0..100).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
    let body = format!(r#"{{"records":[{}],"more":true,"total":9000}}"#, records.join(","));
    let (message, requests) = endless("record.list", json!({"all": true}), move |_| body.clone());
    assert!(message.contains("nothing new"), "{message}");
    assert!(requests <= 8, "{requests} requests");
    let same = r#"{"log":[{"id":1,"at":"2026-01-01T00:00:00Z"}],"more":true}"#;
    let (_, requests) = endless("log.list", json!({"all": true}), move |_| same.to_owned());
    assert!(requests <= 3, "{requests} requests");
}

#[test]
fn a_listing_by_cursor_without_progress_ends_with_an_error() {
    let page = |records: &'static str| {
        move |asked: usize| format!(r#"{{"changes":{records},"next":"cursor {asked}"}}"#)
    };
    for records in [r#"[{"id":1}]"#, "[]"] {
        let (message, requests) = endless("change.list", json!({"all": true}), page(records));
        assert!(message.contains("nothing new"), "{message}");
        assert!(requests <= 3, "{requests} requests");
    }
    // In a circle that is longer than what is remembered of records.
    let circle = |asked: usize| {
        let at = asked % 40;
        let records: Vec<_> = (0..50).map(|id| format!(r#"{{"id":{}}}"#, at * 50 + id)).collect();
        format!(r#"{{"changes":[{}],"next":"cursor {at}"}}"#, records.join(","))
    };
    let (message, requests) = endless("change.list", json!({"all": true}), circle);
    assert!(message.contains("a cursor that it gave before"), "{message}");
    assert!(requests <= 41, "{requests} requests");
    // In the body, too.
    let body = |asked: usize| format!(r#"{{"data":[{{"id":1}}],"last":"{asked}","more":true}}"#);
    let (_, requests) = endless("report.list", json!({"all": true}), body);
    assert!(requests <= 3, "{requests} requests");
}

#[test]
fn one_page_without_a_new_record_does_not_end_the_listing() {
    let host = host(|request| {
        let offset = query(request, "offset").unwrap_or(0);
        // Records that arrived in the meantime pushed the first page to the second position.
        let from = if offset == 0 { 0 } else { offset - 100 };
        let records: Vec<_> = (from..from + 100).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
        let body = format!(r#"{{"records":[{}],"more":{}}}"#, records.join(","), from < 100);
        Ok(answer(200, &body))
    });
    let result = call_one(&host, "record.list", json!({"all": true}));
    assert_eq!(yielded(&host, result).len(), 200);
}
