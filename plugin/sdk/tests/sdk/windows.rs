//! Listings longer than the service's window: they go on by time.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::http::Request;
use workflow_node_sdk::testing::{Host, answer};
use workflow_node_sdk::time;

use crate::plugin::{call_one, host};

const DAY: i64 = 86_400;
/// 2024-01-01T00:00:00Z
const START: i64 = 1_704_067_200;
const WINDOW: usize = 10_000;

fn parameters(request: &Request) -> Vec<(String, String)> {
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let plain = |text: &str| text.replace("%3A", ":").replace("%2C", ",");
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), plain(value)))
        .collect()
}

/// A service that keeps `times` and judges requests: never beyond its window, never more than 180
/// days at once. The log is always newest first.
fn service(times: Rc<RefCell<Vec<i64>>>) -> Host {
    host(move |request| {
        let parameters = parameters(request);
        let get = |name: &str| {
            parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
        };
        let number = |name: &str| get(name).map_or(0, |value| value.parse::<usize>().unwrap());
        let is_log = request.url.contains("/log");
        let (since, until) =
            (get("since").and_then(time::parse), get("until").and_then(time::parse));
        let (offset, limit) = (number("offset"), number("limit"));
        assert!(offset + limit <= WINDOW, "{}", request.url);
        if let (Some(since), Some(until), false) = (since, until, is_log) {
            assert!(until - since <= 180 * DAY, "{}", request.url);
        }
        if !is_log {
            assert!(get("range") == Some("all") || since.is_some(), "{}", request.url);
            assert!(get("range").is_none() || since.is_none(), "{}", request.url);
        }
        assert_eq!(since.is_some(), until.is_some(), "both ends: {}", request.url);
        let mut matching: Vec<(usize, i64)> = times
            .borrow()
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, at)| since.is_none_or(|since| *at >= since))
            .filter(|(_, at)| until.is_none_or(|until| *at < until))
            .collect();
        matching.sort_by_key(|(id, at)| (*at, *id));
        if is_log || get("sort") == Some("at:desc") {
            matching.reverse();
        }
        let page: Vec<String> = matching
            .iter()
            .skip(offset)
            .take(limit)
            .map(|(id, at)| json!({"id": id, "at": time::format(*at)}).to_string())
            .collect();
        let total = if get("total").is_some() { json!(matching.len()) } else { Value::Null };
        let (name, more) =
            (if is_log { "log" } else { "events" }, offset + page.len() < matching.len());
        let body = format!(r#"{{"{name}":[{}],"more":{more},"total":{total}}}"#, page.join(","));
        Ok(answer(200, &body))
    })
}

fn spread(count: usize, seconds: i64) -> Rc<RefCell<Vec<i64>>> {
    Rc::new(RefCell::new((0..count as i64).map(|index| START + index * seconds).collect()))
}

/// The ids that the item yields, in order, and its error.
fn listed(host: &Host, action: &str, parameters: Value) -> (Vec<usize>, Option<ErrorKind>) {
    let result = call_one(host, action, parameters);
    let emitted = host.emitted().into_iter().map(|(_, output)| output.json);
    let (returned, error) = match result {
        Ok(outputs) => (outputs, None),
        Err(error) => (Vec::new(), Some(error.kind)),
    };
    let id = |json: String| {
        serde_json::from_str::<Value>(&json).unwrap()["id"].as_u64().unwrap() as usize
    };
    (emitted.chain(returned).map(id).collect(), error)
}

/// A clock far behind the last record; the host of these tests says 0.
fn ascending(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// As `assert_eq`, but for what is said when it fails.
fn assert_ids(ids: &[usize], expected: &[usize]) {
    let differ = ids.iter().zip(expected).position(|(one, other)| one != other);
    assert!(
        ids == expected,
        "{} ids instead of {}; the first difference is at {differ:?}",
        ids.len(),
        expected.len()
    );
}

#[test]
fn all_continues_beyond_the_window_by_time() {
    // 600 days: four stretches of 180 days.
    let host = service(spread(25_000, 2_074)).at(START + 601 * DAY);
    let (ids, error) = listed(&host, "event.list", json!({"all": true}));
    assert_eq!(error, None);
    assert_ids(&ids, &ascending(25_000));
}

#[test]
fn a_limit_beyond_the_window_is_exact() {
    let host = service(spread(25_000, 60)).at(START + 100 * DAY);
    let parameters = json!({"limit": 12_345, "range": "all"});
    let (ids, error) = listed(&host, "event.list", parameters);
    assert_eq!((ids.len(), error), (12_345, None));
    assert_ids(&ids, &ascending(12_345));
}

#[test]
fn many_records_of_one_second_at_the_boundary_are_yielded_once() {
    // 300 records of each second: the window ends inside of one.
    let times: Vec<i64> = (0..21_000).map(|index| START + index / 300).collect();
    let host = service(Rc::new(RefCell::new(times))).at(START + DAY);
    let (mut ids, error) = listed(&host, "event.list", json!({"all": true}));
    assert_eq!(error, None);
    ids.sort_unstable();
    assert_ids(&ids, &ascending(21_000));
}

#[test]
fn a_window_full_of_one_second_ends_with_an_error() {
    let times = vec![START; 10_500];
    let host = service(Rc::new(RefCell::new(times))).at(START + DAY);
    let (ids, error) = listed(&host, "event.list", json!({"all": true}));
    assert_eq!((ids.len(), error), (10_000, Some(ErrorKind::InvalidInput)));
}

#[test]
fn a_range_longer_than_the_service_allows_is_listed_in_parts() {
    let host = service(spread(4_000, DAY / 5)).at(START + 900 * DAY);
    let parameters = json!({
        "all": true, "since": time::format(START + 10 * DAY), "until": time::format(START + 700 * DAY),
    });
    let (ids, error) = listed(&host, "event.list", parameters.clone());
    assert_eq!(error, None);
    assert_ids(&ids, &(50..3_500).collect::<Vec<_>>());
    let mut newest_first = parameters;
    newest_first["sort"] = json!(["at:desc"]);
    let host = service(spread(4_000, DAY / 5)).at(START + 900 * DAY);
    let (ids, error) = listed(&host, "event.list", newest_first);
    assert_eq!(error, None);
    assert_ids(&ids, &(50..3_500).rev().collect::<Vec<_>>());
}

#[test]
fn the_newest_first_goes_back_in_time() {
    for (action, parameters) in [
        ("log.list", json!({"all": true})),
        ("event.list", json!({"all": true, "sort": ["at:desc"]})),
    ] {
        let host = service(spread(23_000, 600)).at(START + 200 * DAY);
        let (ids, error) = listed(&host, action, parameters);
        assert_eq!(error, None, "{action}");
        assert_ids(&ids, &(0..23_000).rev().collect::<Vec<_>>());
    }
}

#[test]
fn another_order_ends_at_the_window_with_an_error() {
    let host = service(spread(10_100, 60)).at(START + 100 * DAY);
    let parameters = json!({"all": true, "sort": ["urgency:asc"]});
    let (ids, error) = listed(&host, "event.list", parameters);
    assert_eq!((ids.len(), error), (10_000, Some(ErrorKind::InvalidInput)));
}

#[test]
fn records_that_arrive_during_a_listing_are_neither_missed_nor_repeated() {
    let times = spread(15_000, 60);
    let growing = times.clone();
    let inner = service(times);
    // Each request finds one record more, the newest of all.
    let host = {
        let mut next = START + 15_000 * 60;
        inner.before_each(move |_| {
            growing.borrow_mut().push(next);
            next += 1;
        })
    };
    let host = host.at(START + 20 * DAY);
    let (ids, error) = listed(&host, "event.list", json!({"all": true}));
    assert_eq!(error, None);
    assert!(ids.len() >= 15_000);
    assert_ids(&ids, &ascending(ids.len()));
}

#[test]
fn a_short_listing_is_sorted_as_the_service_sorts_it() {
    let host = service(spread(50, 60)).at(START + DAY);
    listed(&host, "event.list", json!({"range": "all", "limit": 10}));
    assert_eq!(
        parameters(&host.requests()[0]),
        [("range".to_owned(), "all".to_owned()), ("limit".to_owned(), "10".to_owned()),]
    );
}

/// A service that keeps an audit log: the newest first, by cursor, the past 24 hours unless both ends
/// are given, at most 31 days at once, both ends included.
fn audit(times: Vec<i64>, now: i64) -> Host {
    let service = move |request: &Request| {
        let parameters = parameters(request);
        let get = |name: &str| {
            parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
        };
        let until = get("until").and_then(time::parse).unwrap_or(now);
        let since = get("since").and_then(time::parse).unwrap_or(until - DAY);
        assert!(until - since <= 31 * DAY, "{}", request.url);
        let offset = get("cursor").map_or(0, |cursor| cursor.parse::<usize>().unwrap());
        let limit = get("limit").unwrap().parse::<usize>().unwrap();
        let mut matching: Vec<(usize, i64)> = times.iter().copied().enumerate().collect();
        matching.retain(|(_, at)| since <= *at && *at <= until);
        matching.reverse();
        let page: Vec<Value> = matching
            .iter()
            .skip(offset)
            .take(limit)
            .map(|(id, at)| json!({"id": id, "at": time::format(*at)}))
            .collect();
        let end = offset + page.len();
        let next = (end < matching.len()).then(|| end.to_string());
        Ok(answer(200, &json!({"audit": page, "next": next}).to_string()))
    };
    host(service).at(now)
}

#[test]
fn a_listing_by_cursor_steps_through_all_of_time() {
    // Four records of each day, some of them at the very edge of a stretch.
    let times: Vec<i64> = (0..400).map(|index| START + index * DAY / 4).collect();
    let now = START + 100 * DAY;
    let newest_first: Vec<usize> = (0..400).rev().collect();
    let host = audit(times.clone(), now);
    let (ids, error) = listed(&host, "audit.list", json!({"all": true}));
    assert_eq!(error, None);
    assert_ids(&ids, &newest_first);
    let since = time::format(START);
    for parameters in [json!({"all": true, "since": since}), json!({"limit": 400, "since": since})]
    {
        let host = audit(times.clone(), now);
        let (ids, _) = listed(&host, "audit.list", parameters);
        assert_ids(&ids, &newest_first);
    }
    let host = audit(times.clone(), now);
    let until = time::format(START + 50 * DAY);
    let (ids, _) = listed(&host, "audit.list", json!({"limit": 10, "until": until}));
    assert_ids(&ids, &(191..=200).rev().collect::<Vec<_>>());
    // Without a range, the service's own.
    let (ids, _) = listed(&audit(times, now), "audit.list", json!({}));
    assert_eq!(ids.len(), 4);
}

#[test]
fn one_end_of_a_range_is_sent_with_the_other() {
    let host = service(spread(1_000, DAY / 2)).at(START + 600 * DAY);
    let since = time::format(START + 100 * DAY);
    let (ids, error) = listed(&host, "event.list", json!({"all": true, "since": since}));
    assert_eq!(error, None);
    assert_ids(&ids, &(200..1_000).collect::<Vec<_>>());
    let host = service(spread(1_000, DAY / 2)).at(START + 600 * DAY);
    let until = time::format(START + 400 * DAY);
    let (ids, error) = listed(&host, "event.list", json!({"all": true, "until": until}));
    assert_eq!(error, None);
    assert_ids(&ids, &ascending(800));
    let requests = host.requests();
    assert!(requests.len() < 15, "the first record says where time begins: {}", requests.len());
    // A response that is not a list is requested as far back as the service allows.
    let host = crate::plugin::host(|_| Ok(answer(200, "{}"))).at(START);
    call_one(&host, "metric.list", json!({"until": time::format(START)})).unwrap();
    call_one(&host, "metric.list", json!({"since": time::format(START - DAY)})).unwrap();
    let sent = |index: usize| parameters(&host.requests()[index]);
    assert_eq!(sent(0)[0], ("since".to_owned(), time::format(START - 180 * DAY)));
    assert_eq!(sent(1)[1], ("until".to_owned(), time::format(START + 1)));
}

#[test]
fn a_range_too_long_for_another_order_is_refused() {
    let host = service(spread(10, DAY)).at(START + 400 * DAY);
    let parameters = json!({"since": time::format(START), "sort": ["urgency:asc"]});
    let (ids, error) = listed(&host, "event.list", parameters);
    assert_eq!((ids.len(), error), (0, Some(ErrorKind::InvalidInput)));
    assert_eq!(host.requests().len(), 0);
}
