//! Lists of ordinary services: bare arrays, nested members, pages by number, by `Link`, and by URL.

use serde_json::{Value, json};
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::http::{Request, Response};
use workflow_node_sdk::node;
use workflow_node_sdk::testing::{Host, answer};

use crate::plugin::{Outcome, Things, call_one, host, query};

/// Everything that the item yields: what it emitted, then what it returned.
fn yielded(host: &Host, result: Outcome) -> Vec<String> {
    let emitted = host.emitted().into_iter().map(|(_, output)| output.json);
    emitted.chain(result.unwrap()).collect()
}

fn record(id: u64) -> Value {
    json!({ "id": id })
}

fn ids(count: u64) -> Vec<String> {
    (0..count).map(|id| record(id).to_string()).collect()
}

fn urls(host: &Host) -> Vec<String> {
    let path = |request: Request| request.url.strip_prefix("https://api.test").unwrap().to_owned();
    host.requests().into_iter().map(path).collect()
}

/// The records of page `number`, counted from 0.
fn part(total: u64, number: u64, size: u64) -> Vec<Value> {
    (number * size..((number + 1) * size).min(total)).map(record).collect()
}

fn with_link(link: &str, body: &Value) -> Response {
    let mut response = answer(200, &body.to_string());
    if !link.is_empty() {
        response.headers.push(("Link".into(), link.into()));
    }
    response
}

/// A service with 8 records, whatever kind of paging is asked for.
fn service(total: u64) -> Host {
    host(move |request| {
        let path = request.url.strip_prefix("https://api.test").unwrap();
        let path = path.split('?').next().unwrap();
        let asked = |name| query(request, name);
        let size = asked("per_page").or(asked("size")).or(asked("limit")).unwrap_or(3).min(3);
        let first = u64::from(path != "/counted");
        let number = asked("page").unwrap_or(first) - first;
        let page = part(total, number, size);
        let is_last = |number: u64, size: u64| (number + 1) * size >= total;
        let (is_last_of, is_last) = (is_last, is_last(number, size));
        let next = if is_last { Value::Null } else { json!(number + 1 + first) };
        Ok(match path {
            "/elements" | "/bare" => answer(200, &json!(part(total, 0, total)).to_string()),
            "/deep" => {
                answer(200, &json!({"data": [{"items": part(total, 0, total)}]}).to_string())
            }
            "/numbered" | "/everything" => answer(200, &json!(page).to_string()),
            "/counted" => {
                let body = json!({
                    "data": {"items": page},
                    "meta": {"pages": total.div_ceil(size)}
                });
                answer(200, &body.to_string())
            }
            "/totaled" => {
                answer(200, &json!({"items": page, "meta": {"total": total}}).to_string())
            }
            "/more" => answer(200, &json!({"items": page, "has_more": !is_last}).to_string()),
            "/linked" => {
                let link = match is_last {
                    true => r#"</linked?page=1>; rel="prev""#.to_owned(),
                    false => format!(
                        "<https://api.test/linked?page=1>; rel=\"first\", \
                         <https://api.test/linked?per_page={size}&page={next}>; rel=\"next\""
                    ),
                };
                with_link(&link, &json!(page))
            }
            "/next" => {
                let next = match is_last {
                    true => Value::Null,
                    false => json!(format!("?size={size}&page={next}")),
                };
                answer(200, &json!({"items": page, "links": {"next": next}}).to_string())
            }
            "/start" => {
                let start = asked("offset").unwrap_or(0);
                let issues: Vec<_> = (start..(start + size).min(total)).map(record).collect();
                answer(200, &json!({"issues": issues, "total": total}).to_string())
            }
            "/number_cursor" => {
                let number = asked("cursor").unwrap_or(0);
                let next = if is_last_of(number, size) { Value::Null } else { json!(number + 1) };
                let body = json!({"items": part(total, number, size), "meta": {"next": next}});
                answer(200, &body.to_string())
            }
            other => panic!("{other}"),
        })
    })
}

const KINDS: [&str; 11] = [
    "element.list",
    "bare.list",
    "deep.list",
    "numbered.list",
    "counted.list",
    "totaled.list",
    "more.list",
    "linked.list",
    "next.list",
    "start.list",
    "number_cursor.list",
];

#[test]
fn every_kind_of_list_yields_all_records_and_exactly_the_limit() {
    for kind in KINDS {
        for total in [0, 1, 3, 8, 9] {
            let host = service(total);
            let result = call_one(&host, kind, json!({"all": true}));
            assert_eq!(yielded(&host, result), ids(total), "{kind}: all of {total}");
        }
        for limit in [1, 2, 3, 4, 6, 8, 20] {
            let host = service(8);
            let result = call_one(&host, kind, json!({ "limit": limit }));
            assert_eq!(yielded(&host, result), ids(limit.min(8)), "{kind}: {limit} of 8");
        }
        let host = service(230);
        let result = call_one(&host, kind, json!({}));
        assert_eq!(yielded(&host, result), ids(100), "{kind}: as its form says");
    }
}

#[test]
fn a_list_whose_form_takes_no_limit_yields_everything() {
    let host = service(230);
    let result = call_one(&host, "everything.list", json!({}));
    assert_eq!(yielded(&host, result), ids(230));
}

#[test]
fn all_pages_of_a_listing_by_number_have_one_size() {
    let host = service(8);
    call_one(&host, "totaled.list", json!({"limit": 5})).unwrap();
    assert_eq!(urls(&host), ["/totaled?per_page=3", "/totaled?per_page=3&page=2"]);
    let host = service(8);
    call_one(&host, "totaled.list", json!({"limit": 2})).unwrap();
    assert_eq!(urls(&host), ["/totaled?per_page=2"]);
    let host = service(8);
    call_one(&host, "number_cursor.list", json!({"limit": 2})).unwrap();
    call_one(&host, "number_cursor.list", json!({"limit": 5})).unwrap();
    let numbered = ["?limit=2", "?limit=5", "?limit=5&cursor=1"];
    assert_eq!(urls(&host), numbered.map(|query| format!("/number_cursor{query}")));
    let host = service(4);
    call_one(&host, "counted.list", json!({"all": true})).unwrap();
    assert_eq!(
        urls(&host),
        ["/counted?kind=all&per_page=3", "/counted?kind=all&per_page=3&page=1"]
    );
}

#[test]
fn no_page_is_requested_beyond_the_limit() {
    for kind in ["numbered.list", "linked.list", "next.list"] {
        let host = service(1_000);
        call_one(&host, kind, json!({"limit": 6})).unwrap();
        assert_eq!(host.requests().len(), 2, "{kind}");
    }
}

#[test]
fn a_record_that_moves_to_the_next_page_is_yielded_once() {
    let host = host(|request| {
        Ok(match query(request, "page") {
            None => answer(200, r#"[{"id":1},{"id":2},{"id":3}]"#),
            Some(2) => answer(200, r#"[{"id":3},{"id":4}]"#),
            _ => answer(200, "[]"),
        })
    });
    let result = call_one(&host, "numbered.list", json!({"all": true}));
    assert_eq!(yielded(&host, result).len(), 4);
}

#[test]
fn records_without_an_id_that_look_alike_are_all_yielded() {
    let host = host(|request| {
        Ok(match query(request, "page") {
            None => answer(200, "[1,1,2]"),
            Some(2) => answer(200, "[2,3]"),
            _ => answer(200, "[]"),
        })
    });
    let result = call_one(&host, "numbered.list", json!({"all": true}));
    assert_eq!(yielded(&host, result), ["1", "1", "2", "2", "3"]);
}

#[test]
fn a_next_page_at_another_origin_ends_the_listing_with_an_error() {
    for target in [
        "https://evil.test/linked?page=2",
        "//evil.test/linked",
        "http://api.test/linked",
        "https://api.test@evil.test/",
        "https://api.test:444/",
    ] {
        for (kind, link) in [("linked.list", true), ("next.list", false)] {
            let host = host(move |_| {
                Ok(match link {
                    true => with_link(&format!("<{target}>; rel=next"), &json!([{"id": 1}])),
                    false => {
                        let body = json!({"items": [{"id": 1}], "links": {"next": target}});
                        answer(200, &body.to_string())
                    }
                })
            });
            let error = call_one(&host, kind, json!({"all": true})).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert!(error.message.contains("not at the origin"), "{}", error.message);
            assert_eq!(host.requests().len(), 1, "{kind}: {target}");
        }
    }
}

#[test]
fn a_credential_in_the_next_url_is_left_to_the_host() {
    let host = host(|request| {
        let is_first = query(request, "page").is_none();
        let next = "https://api.test/next?key=[credential removed]&page=2&q=a%20b";
        let next = if is_first { json!(next) } else { Value::Null };
        let id = u64::from(is_first);
        let body = json!({"items": [{"id": id}], "links": {"next": next}});
        Ok(answer(200, &body.to_string()))
    });
    let result = call_one(&host, "next.list", json!({"all": true}));
    assert_eq!(yielded(&host, result).len(), 2);
    assert_eq!(urls(&host), ["/next?size=3", "/next?page=2&q=a%20b"]);
}

#[test]
fn a_listing_that_repeats_itself_ends_with_an_error() {
    let stuck = |kind: &str, page: fn(usize) -> Response| {
        let asked = std::cell::Cell::new(0);
        let host = host(move |_| {
            asked.set(asked.get() + 1);
            Ok(page(asked.get()))
        });
        let error = call_one(&host, kind, json!({"all": true})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{kind}");
        assert!(error.message.contains("would never end"), "{kind}: {}", error.message);
        assert!(host.requests().len() <= 4, "{kind}");
    };
    // The same page, whatever is asked for.
    stuck("numbered.list", |_| answer(200, r#"[{"id":1},{"id":2}]"#));
    stuck("counted.list", |_| answer(200, r#"{"data":{"items":[{"id":1}]},"meta":{"pages":99}}"#));
    stuck("counted.list", |_| answer(200, r#"{"data":{"items":[]},"meta":{"pages":99}}"#));
    stuck("totaled.list", |_| answer(200, r#"{"items":[],"meta":{"total":99}}"#));
    stuck("more.list", |_| answer(200, r#"{"items":[{"id":1}],"has_more":true}"#));
    stuck("start.list", |_| answer(200, r#"{"issues":[{"id":1}],"total":99}"#));
    stuck("linked.list", |_| with_link("</linked?page=2>; rel=next", &json!([{"id": 1}])));
    stuck("linked.list", |n| {
        with_link(&format!("</linked?page={n}>; rel=next"), &json!([{"id": 1}]))
    });
    stuck("linked.list", |n| {
        let id = n % 2;
        with_link(&format!("</linked?page={id}>; rel=next"), &json!([{ "id": n }]))
    });
    stuck("next.list", |n| {
        answer(200, &json!({"items": [], "links": {"next": format!("?page={n}")}}).to_string())
    });
    stuck("number_cursor.list", |_| {
        answer(200, &json!({"items": [1], "meta": {"next": 7}}).to_string())
    });
}

#[test]
fn an_answer_that_is_not_the_declared_list_is_an_error() {
    for (kind, body) in [
        ("element.list", "{}"),
        ("bare.list", r#"{"items":[]}"#),
        ("numbered.list", "null"),
        ("deep.list", r#"{"data":[]}"#),
        ("next.list", "[]"),
    ] {
        let host = host(move |_| Ok(answer(200, body)));
        let error = call_one(&host, kind, json!({"all": true})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable, "{kind}");
    }
}

#[test]
fn a_list_cut_by_the_service_is_not_mistaken_for_a_complete_one() {
    let full: Vec<_> = (0..50).map(record).collect();
    let body = json!({ "parts": full }).to_string();
    let host = host(move |_| Ok(answer(200, &body)));
    let error = call_one(&host, "part.list", json!({"all": true})).unwrap_err();
    assert!(error.message.contains("at most 50 records"), "{}", error.message);
    assert_eq!(host.emitted().len(), 50, "what is known is delivered");
    assert_eq!(call_one(&host, "part.list", json!({"limit": 50})).unwrap().len(), 50);
}

/// The choices of a parameter, page after page.
fn choices(host: &Host, parameter: &str) -> Vec<String> {
    let mut cursor = Value::Null;
    let mut ids = Vec::new();
    loop {
        let mut asked =
            json!({"action": "thing.choose", "parameter": parameter, "parameters": {}, "limit": 2});
        if !cursor.is_null() {
            asked["cursor"] = cursor;
        }
        let page = host.run(|| node::load_options::<Things>(asked.to_string())).unwrap();
        let page: Value = serde_json::from_str(&page).unwrap();
        let choices = page["choices"].as_array().unwrap();
        ids.extend(choices.iter().map(|one| one["value"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            return ids;
        }
    }
}

#[test]
fn choices_are_read_page_after_page_for_every_kind_of_list() {
    let host = host(|request| {
        let number = query(request, "page").unwrap_or(1);
        let size = query(request, "per_page").unwrap();
        let all = ["a", "b", "c", "d", "e"];
        let page: Vec<_> = all
            .iter()
            .skip(((number - 1) * size) as usize)
            .take(size as usize)
            .map(|id| json!({ "id": id }))
            .collect();
        let next = number + 1;
        let link = match request.url.contains("/linked") && number * size < 5 {
            true => format!("</linked?per_page={size}&page={next}>; rel=next"),
            false => String::new(),
        };
        Ok(with_link(&link, &json!(page)))
    });
    for parameter in ["linked_id", "numbered_id"] {
        assert_eq!(choices(&host, parameter), ["a", "b", "c", "d", "e"], "{parameter}");
    }
    let foreign = json!({"action": "thing.choose", "parameter": "linked_id", "parameters": {},
        "cursor": "https://evil.test/"});
    let error = host.run(|| node::load_options::<Things>(foreign.to_string())).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}
