use github::Github;
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::json;
use workflow_node_sdk::testing::{Host, answer};

fn connected(host: Host) -> Host {
    host.connected::<Github>("main", "token", json!({}))
}

fn issue(number: u64) -> String {
    json!({
        "id": number, "number": number, "title": "A bug", "state": "open", "labels": [],
        "html_url": "https://github.com/o/r/issues/1",
    })
    .to_string()
}

#[test]
fn a_list_follows_the_header_link_until_the_last_page() {
    let host = connected(Host::answering(|request| {
        let page = |numbers: [u64; 2]| format!("[{},{}]", issue(numbers[0]), issue(numbers[1]));
        match request.url.contains("page=2") {
            true => Ok(answer(200, &page([3, 4]))),
            false => {
                let mut first = answer(200, &page([1, 2]));
                let next = "https://api.github.com/repositories/7/issues?per_page=100&page=2";
                first.headers.push(("link".into(), format!("<{next}>; rel=\"next\"")));
                Ok(first)
            }
        }
    }));
    let parameters = json!({ "owner": "o", "repository": "r", "all": true });
    let records = host.execute::<Github>("issue.list", parameters).unwrap();
    let numbers: Vec<u64> =
        records.iter().map(|record| record["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(host.sent()[0].query("per_page").as_deref(), Some("100"));
    assert_eq!(host.sent()[0].header_value("x-github-api-version"), Some("2022-11-28"));
    assert_eq!(host.sent()[1].path(), "/repositories/7/issues");
}

#[test]
fn labels_of_a_filter_are_joined_by_commas() {
    let labels = ["bug", "help wanted"];
    let found = json!([{ "name": "bug" }, { "name": "help wanted" }]);
    let found = issue(1).replace(r#""labels":[]"#, &format!(r#""labels":{found}"#));
    let host = connected(Host::scripted([answer(200, &format!("[{found}]"))]));
    let parameters = json!({ "owner": "o", "repository": "r", "labels": labels });
    host.execute::<Github>("issue.list", parameters).unwrap();
    assert_eq!(host.only_request().query("labels").as_deref(), Some("bug,help wanted"));
}

#[test]
fn an_exhausted_rate_limit_that_is_reported_as_403_is_a_rate_limit() {
    let mut limited = answer(403, r#"{"message":"API rate limit exceeded"}"#);
    limited.headers.push(("x-ratelimit-remaining".into(), "0".into()));
    let host = connected(Host::scripted([limited]));
    let parameters = json!({ "owner": "o", "repository": "r", "issue_number": 1 });
    let error = host.execute::<Github>("issue.get", parameters.clone()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::RateLimited);

    let host = connected(Host::scripted([answer(403, r#"{"message":"Not accessible"}"#)]));
    let error = host.execute::<Github>("issue.get", parameters).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Forbidden);
}

#[test]
fn an_error_contains_the_services_code() {
    let body =
        r#"{"message":"Validation Failed","errors":[{"field":"title","code":"missing_field"}]}"#;
    let host = connected(Host::scripted([answer(422, body)]));
    let parameters = json!({ "owner": "o", "repository": "r", "title": "A bug" });
    let error = host.execute::<Github>("issue.create", parameters).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
    assert_eq!(error.code.as_deref(), Some("missing_field"));
}

#[test]
fn the_credential_is_tested_by_reading_the_user() {
    let host = connected(Host::scripted([answer(200, r#"{"login":"octocat"}"#)]));
    let identity = host.test::<Github>("main").unwrap();
    assert_eq!(identity.summary, "The credential acts as octocat.");
    assert_eq!(host.only_request().path(), "/user");

    let host = connected(Host::scripted([answer(401, r#"{"message":"Bad credentials"}"#)]));
    assert_eq!(host.test::<Github>("main").unwrap_err().kind, ErrorKind::Unauthenticated);
}
