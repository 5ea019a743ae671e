//! The request that follows from an action's declaration and one item's parameters.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Action, Encoding, Kind, Literal, Param, Place, form, record};
use crate::error::Error;
use crate::http::Request;
use crate::json;
use crate::percent;
use crate::{text, time};

/// Builds the request. `key` is the execution's idempotency key for this item.
///
/// # Errors
///
/// Returns an error of kind `invalid-input` if a value is not valid in the path or in a form.
pub(crate) fn build(
    action: &Action,
    base_url: &str,
    parameters: &Map<String, Value>,
    key: Option<&str>,
) -> Result<Request, Error> {
    let route = &action.route;
    let of_record = record::parameters(action, parameters);
    let parameters = of_record.as_ref().unwrap_or(parameters);
    let mut url = base_url.trim_end_matches('/').to_owned();
    append_path(&mut url, route.path, parameters)?;
    let mut request = Request::new(route.method, "");
    for (name, value) in route.headers {
        request.headers.push(((*name).into(), (*value).into()));
    }
    let mut body = None;
    if !route.envelope.is_empty() {
        object_at(slot(&mut body, route.envelope, ""));
    }
    // Unknown members come first, so that the form's values are added to them and never replaced.
    for param in action.parameters {
        if let (Place::BodyMembers(pointer), Some(Value::Object(members))) =
            (param.place, parameters.get(param.name))
        {
            let at = slot(&mut body, route.envelope, pointer);
            merge(at, Value::Object(members.clone()));
        }
    }
    for (pointer, literal) in route.constants {
        let at = slot(&mut body, route.envelope, pointer);
        if at.is_null() {
            *at = literal.value();
        }
    }
    let mut file = None;
    for param in action.parameters {
        let constant;
        let value = match (param.kind, parameters.get(param.name)) {
            (Kind::Constant(literal), _) => {
                constant = literal.value();
                &constant
            }
            (_, Some(value)) => value,
            (_, None) => continue,
        };
        match param.place {
            Place::Control | Place::Path | Place::BodyMembers(_) | Place::Record => {}
            Place::Query(name) => {
                for one in each(value) {
                    percent::append_query(&mut url, name, &plain(&sent(&param.kind, one)));
                }
            }
            Place::QueryJoined(name) => {
                let mut joined = String::new();
                for one in each(value) {
                    if !joined.is_empty() {
                        joined.push(',');
                    }
                    joined.push_str(&plain(one));
                }
                percent::append_query(&mut url, name, &joined);
            }
            Place::QueryMembers => append_members(&mut url, param.name, value)?,
            Place::Header(name) => {
                request.headers.push((name.into(), plain(value).into_owned()));
            }
            Place::Body(pointer) => {
                insert(&mut body, route.envelope, pointer, built(&param.kind, value));
            }
            Place::BodyAs(pointer, template) | Place::PathAndBody(pointer, template) => {
                insert(&mut body, route.envelope, pointer, filled_each(template, value));
            }
            Place::FormFile(name, kind) => file = Some(multipart(name, kind, &plain(value))),
        }
    }
    if let (Some(param), Some(key)) = (key_param(action), key) {
        let given = parameters.get(param.name).filter(|value| !value.is_null());
        if given.is_none() {
            match param.place {
                Place::Body(pointer) => insert(&mut body, route.envelope, pointer, key.into()),
                Place::Header(name) => request.headers.push((name.into(), key.into())),
                Place::Query(name) => percent::append_query(&mut url, name, key),
                _ => {}
            }
        }
        request.idempotency_key =
            Some(given.map_or_else(|| key.to_owned(), |value| plain(value).into_owned()));
    }
    let content = match (file, body) {
        (Some(file), _) => Some(file),
        (None, Some(body)) => Some(match route.encoding {
            Encoding::Json => ("application/json".to_owned(), json::text(&body)),
            Encoding::Form(lists) => (form::CONTENT_TYPE.to_owned(), form::encoded(&body, lists)?),
        }),
        (None, None) => None,
    };
    if let Some((content_type, content)) = content {
        request.headers.push(("content-type".into(), content_type));
        request.body = Some(content.into_bytes());
    }
    request.url = url;
    Ok(request)
}

/// A form with one file, with its content type (RFC 7578).
fn multipart(name: &str, kind: &str, content: &str) -> (String, String) {
    let mut boundary = "workflow-node".to_owned();
    while text::contains(content, &boundary) {
        boundary.push('-');
        boundary.push_str(&content.len().to_string());
    }
    let form = [
        "--",
        &boundary,
        "\r\nContent-Disposition: form-data; name=\"",
        name,
        "\"; filename=\"",
        name,
        "\"\r\nContent-Type: ",
        kind,
        "\r\n\r\n",
        content,
        "\r\n--",
        &boundary,
        "--\r\n",
    ];
    (["multipart/form-data; boundary=", &boundary].concat(), form.concat())
}

/// Query parameters by name; a list is repeated.
fn append_members(url: &mut String, param: &str, value: &Value) -> Result<(), Error> {
    let Value::Object(members) = value else {
        return Ok(());
    };
    for (name, value) in members {
        for one in each(value) {
            if matches!(one, Value::Object(_) | Value::Array(_) | Value::Null) {
                let message = "must be a text, a number, true or false, or a list of them";
                return Err(Error::invalid(["/", param, "/", name].concat(), message));
            }
            percent::append_query(url, name, &plain(one));
        }
    }
    Ok(())
}

/// A value in the form in which it is sent in the body. Members of objects are placed as declared.
fn built(kind: &Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::Object(members), Value::Object(given)) => element(members, given),
        (Kind::Objects(members), Value::Array(list)) => {
            let mut elements = Vec::with_capacity(list.len());
            for one in list {
                elements.push(match one {
                    Value::Object(given) => element(members, given),
                    other => other.clone(),
                });
            }
            Value::Array(elements)
        }
        (Kind::List(element), Value::Array(list)) => {
            list.iter().map(|one| built(element, one)).collect()
        }
        (kind, value) => sent(kind, value).into_owned(),
    }
}

fn element(members: &[&Param], given: &Map<String, Value>) -> Value {
    let mut body = Some(Value::Object(Map::new()));
    for member in members {
        if let (Place::BodyMembers(_), Some(more)) = (member.place, given.get(member.name)) {
            merge(slot(&mut body, "", ""), more.clone());
        }
    }
    for member in members {
        let (pointer, value) = match (member.kind, given.get(member.name)) {
            (Kind::Constant(literal), _) => (member.place, literal.value()),
            (_, None) => continue,
            (kind, Some(value)) => match member.place {
                Place::BodyAs(pointer, template) => {
                    (Place::Body(pointer), filled_each(template, value))
                }
                place => (place, built(&kind, value)),
            },
        };
        match pointer {
            Place::Body(pointer) => insert(&mut body, "", pointer, value),
            Place::BodyMembers(_) => {}
            _ => insert(&mut body, "/", member.name, value),
        }
    }
    body.unwrap_or_default()
}

/// A time in the notation that the service takes; other values unchanged.
fn sent<'a>(kind: &Kind, value: &'a Value) -> Cow<'a, Value> {
    let Value::String(text) = value else {
        return Cow::Borrowed(value);
    };
    let element = match kind {
        Kind::List(element) => element,
        kind => kind,
    };
    let written = match element {
        Kind::DateTime => time::rfc3339(text),
        Kind::UtcDateTime => time::parse(text).map(time::format),
        Kind::Date => text.trim_ascii().get(..10).map(str::to_owned),
        _ => None,
    };
    written.map_or(Cow::Borrowed(value), |text| Cow::Owned(Value::String(text)))
}

/// Merges a value into an existing one: members of objects are merged at any depth, and any other
/// value is replaced.
fn merge(at: &mut Value, value: Value) {
    match (at, value) {
        (Value::Object(known), Value::Object(more)) => {
            for (name, value) in more {
                merge(known.entry(name).or_insert(Value::Null), value);
            }
        }
        (at, value) => *at = value,
    }
}

/// The parameter that takes the execution's idempotency key.
pub(crate) fn key_param(action: &Action) -> Option<&'static Param> {
    let name = action.route.key?;
    action.parameters.iter().copied().find(|param| param.name == name)
}

fn append_path(
    url: &mut String,
    template: &str,
    parameters: &Map<String, Value>,
) -> Result<(), Error> {
    for segment in template.split('/').skip(1) {
        url.push('/');
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            url.push_str(segment);
            continue;
        };
        let value = parameters.get(name).map(plain).unwrap_or_default();
        if !percent::is_segment(&value) {
            return Err(Error::invalid(
                format!("/{name}"),
                format!("`{value}` cannot name anything: it would change the path of the request"),
            ));
        }
        percent::encode_into(url, &value);
    }
    Ok(())
}

/// The elements of a list, or a single value as a list of one.
fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// A value as text in a URL or a header.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(json::text(other)),
    }
}

fn filled_each(template: Literal, value: &Value) -> Value {
    match value {
        Value::Array(list) => {
            let mut all = Vec::with_capacity(list.len());
            for one in list {
                all.push(template.filled(one));
            }
            Value::Array(all)
        }
        Value::Null => Value::Null,
        one => template.filled(one),
    }
}

/// Adds the value at `envelope` and `pointer`, and creates objects on the way.
pub(crate) fn insert(body: &mut Option<Value>, envelope: &str, pointer: &str, value: Value) {
    merge(slot(body, envelope, pointer), value);
}

fn slot<'a>(body: &'a mut Option<Value>, envelope: &str, pointer: &str) -> &'a mut Value {
    let mut at = body.get_or_insert(Value::Null);
    for path in [envelope, pointer] {
        for segment in path.split('/') {
            if !segment.is_empty() {
                at = object_at(at).entry(segment).or_insert(Value::Null);
            }
        }
    }
    at
}

fn object_at(at: &mut Value) -> &mut Map<String, Value> {
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Value::Object(members) = at else { unreachable!("it was made one") };
    members
}

#[cfg(test)]
mod tests {
    use super::super::{Action, FormLists, Kind, Param, Place};
    use super::*;
    use crate::literal;

    static WRITE: Action = Action::new("thing.make", "", "", "POST", "/things/{thing_id}/x")
        .envelope("/thing")
        .constants(&[("/type", literal!("thing"))])
        .keyed("key")
        .parameters(&[
            &Param::text("thing_id", "", "").at(Place::Path),
            &Param::new(Kind::List(&Kind::Text), "tags", "", "").query("tags[]"),
            &Param::new(Kind::List(&Kind::Text), "sort", "", "").at(Place::QueryJoined("sort_by")),
            &Param::text("owner_id", "", "")
                .at(Place::BodyAs("/owner", literal!({ "id": given, "type": "user_reference" }))),
            &Param::text("key", "", "").body("/key"),
            &Param::new(
                Kind::Objects(&[
                    &Param::text("name", "", ""),
                    &Param::text("user_id", "", "")
                        .at(Place::BodyAs("/user", literal!({ "id": given }))),
                    &Param::constant("type", literal!("part")),
                    &Param::new(
                        Kind::Object(&[&Param::text("x", "", "").body("/deep/x")]),
                        "o",
                        "",
                        "",
                    ),
                    &Param::new(Kind::Map, "more", "", "").at(Place::BodyMembers("")),
                ]),
                "parts",
                "",
                "",
            )
            .body("/parts"),
            &Param::new(Kind::Map, "additional_fields", "", "").at(Place::BodyMembers("")),
            &Param::new(Kind::Map, "additional_query", "", "").at(Place::QueryMembers),
        ]);

    fn request(parameters: &str) -> Request {
        let parameters = serde_json::from_str(parameters).unwrap();
        build(&WRITE, "https://api.test/", &parameters, Some("k1")).unwrap()
    }

    /// The body with its members in alphabetical order, whatever map implementation the build uses.
    fn body(request: &Request) -> String {
        fn sorted(value: Value) -> Value {
            match value {
                Value::Object(members) => {
                    let mut members: Vec<_> = members.into_iter().collect();
                    members.sort_by(|one, other| one.0.cmp(&other.0));
                    members.into_iter().map(|(name, value)| (name, sorted(value))).collect()
                }
                other => other,
            }
        }
        sorted(serde_json::from_slice(request.body.as_ref().unwrap()).unwrap()).to_string()
    }

    #[test]
    fn the_idempotency_key_is_sent_in_its_parameters_place() {
        static IN_HEADER: Action = Action::post("thing.make", "/things", "", "")
            .parameters(&[&Param::text("key", "", "").at(Place::Header("idempotency-key"))])
            .keyed("key");
        static IN_QUERY: Action = Action::post("thing.make", "/things", "", "")
            .parameters(&[&Param::text("key", "", "").query("request_id")])
            .keyed("key");
        let request = build(&IN_HEADER, "https://api.test", &Map::new(), Some("k1")).unwrap();
        assert_eq!(request.headers, [("idempotency-key".to_owned(), "k1".to_owned())]);
        let request = build(&IN_QUERY, "https://api.test", &Map::new(), Some("k1")).unwrap();
        assert_eq!(request.url, "https://api.test/things?request_id=k1");
    }

    #[test]
    fn values_are_placed_as_declared() {
        let request = request(
            r#"{"thing_id":"a/b","tags":["x y","z"],"sort":["a:asc","b"],"owner_id":"P\"1"}"#,
        );
        assert_eq!(
            request.url,
            "https://api.test/things/a%2Fb/x?tags%5B%5D=x%20y&tags%5B%5D=z&sort_by=a%3Aasc%2Cb"
        );
        assert_eq!(
            body(&request),
            r#"{"thing":{"key":"k1","owner":{"id":"P\"1","type":"user_reference"},"type":"thing"}}"#
        );
        assert_eq!(request.idempotency_key.as_deref(), Some("k1"));
    }

    #[test]
    fn members_of_objects_are_placed_as_declared() {
        let request = request(
            r#"{"thing_id":"a","parts":[{"name":"n","user_id":"P1","o":{"x":"y"},"more":{"new":1}},{}]}"#,
        );
        let parts = r#"[{"name":"n","new":1,"o":{"deep":{"x":"y"}},"type":"part","user":{"id":"P1"}},{"type":"part"}]"#;
        let whole = format!(r#"{{"thing":{{"key":"k1","parts":{parts},"type":"thing"}}}}"#);
        assert_eq!(json::object(body(&request)).unwrap(), json::object(whole).unwrap());
    }

    #[test]
    fn undeclared_members_are_passed_through() {
        let request = request(
            r#"{"thing_id":"a","additional_fields":{"new":[1],"type":"other"},"additional_query":{"m[]":["x","y"],"n":1}}"#,
        );
        assert_eq!(request.url, "https://api.test/things/a/x?m%5B%5D=x&m%5B%5D=y&n=1");
        assert_eq!(body(&request), r#"{"thing":{"key":"k1","new":[1],"type":"other"}}"#);
        let wrong = json::object(r#"{"thing_id":"a","additional_query":{"n":{}}}"#).unwrap();
        let error = build(&WRITE, "https://api.test", &wrong, None).unwrap_err();
        assert!(
            error.message.starts_with("additional_query/n: must be a text"),
            "{}",
            error.message
        );
    }

    #[test]
    fn an_empty_envelope_is_sent() {
        static BARE: Action = Action::new("thing.set", "", "", "PUT", "/thing").envelope("/thing");
        let request = build(&BARE, "https://api.test", &Map::new(), None).unwrap();
        assert_eq!(request.body.unwrap(), br#"{"thing":{}}"#);
    }

    #[test]
    fn a_form_contains_the_same_values_as_json() {
        static PAY: Action = Action::new("charge.make", "", "", "POST", "/charges")
            .form(FormLists::Brackets)
            .constants(&[("/currency", literal!("usd"))])
            .keyed("key")
            .parameters(&[
                &Param::new(Kind::Integer(0, 100), "amount", "", "").body("/amount"),
                &Param::new(Kind::List(&Kind::Text), "tags", "", "").body("/metadata/tags"),
                &Param::text("key", "", "").body("/key"),
                &Param::new(Kind::Map, "more", "", "").at(Place::BodyMembers("")),
            ]);
        let parameters = json::object(r#"{"amount":5,"tags":["a"],"more":{"new":true}}"#).unwrap();
        let request = build(&PAY, "https://api.test", &parameters, Some("k1")).unwrap();
        assert_eq!(
            request.headers,
            [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())]
        );
        let body = String::from_utf8(request.body.unwrap()).unwrap();
        let mut pairs: Vec<&str> = body.split('&').collect();
        pairs.sort_unstable();
        assert_eq!(
            pairs,
            ["amount=5", "currency=usd", "key=k1", "metadata%5Btags%5D%5B%5D=a", "new=true"]
        );
    }

    #[test]
    fn a_file_is_sent_as_a_form() {
        static FILE: Action =
            Action::new("file.put", "", "", "POST", "/file").parameters(&[&Param::new(
                Kind::LongText,
                "csv",
                "",
                "",
            )
            .at(Place::FormFile("file", "text/csv"))]);
        let parameters = json::object(r#"{"csv":"a\nworkflow-node"}"#).unwrap();
        let request = build(&FILE, "https://api.test", &parameters, None).unwrap();
        let boundary = "workflow-node-15";
        assert_eq!(request.headers[0].1, format!("multipart/form-data; boundary={boundary}"));
        assert_eq!(
            String::from_utf8(request.body.unwrap()).unwrap(),
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
                 Content-Type: text/csv\r\n\r\na\nworkflow-node\r\n--{boundary}--\r\n"
            )
        );
    }

    #[test]
    fn a_path_parameter_may_also_be_in_the_body() {
        static PART: Action = Action::new("part.make", "", "", "POST", "/things/{thing_id}/parts")
            .envelope("/part")
            .parameters(&[
                &Param::text("thing_id", "", "")
                    .at(Place::PathAndBody("/thing", literal!({ "id": given }))),
                &Param::constant("include", literal!(["x"])).query("include[]"),
            ]);
        let parameters = json::object(r#"{"thing_id":"T1"}"#).unwrap();
        let request = build(&PART, "https://api.test", &parameters, None).unwrap();
        assert_eq!(request.url, "https://api.test/things/T1/parts?include%5B%5D=x");
        assert_eq!(request.body.unwrap(), br#"{"part":{"thing":{"id":"T1"}}}"#);
    }

    #[test]
    fn a_given_key_is_used_instead_of_the_executions() {
        let request = request(r#"{"thing_id":"a","key":"mine"}"#);
        assert!(String::from_utf8(request.body.unwrap()).unwrap().contains(r#""key":"mine""#));
        assert_eq!(request.idempotency_key.as_deref(), Some("mine"));
    }

    #[test]
    fn dot_segments_are_refused() {
        let parameters = serde_json::from_str(r#"{"thing_id":".."}"#).unwrap();
        assert!(build(&WRITE, "https://api.test", &parameters, None).is_err());
    }

    #[test]
    fn a_value_of_the_wrong_shape_cannot_change_the_path() {
        for id in ["", ".", ".."] {
            let parameters = [("thing_id".to_owned(), Value::from(id))].into_iter().collect();
            let error = build(&WRITE, "https://api.test", &parameters, None).unwrap_err();
            assert_eq!(error.kind, crate::ErrorKind::InvalidInput, "{id}");
        }
        assert!(build(&WRITE, "https://api.test", &Map::new(), None).is_err());
    }

    #[test]
    fn null_and_numbers_are_sent_unchanged() {
        let request = request(r#"{"thing_id":7,"owner_id":null,"sort":1.50,"key":null}"#);
        assert_eq!(request.url, "https://api.test/things/7/x?sort_by=1.50");
        assert_eq!(body(&request), r#"{"thing":{"key":"k1","owner":null,"type":"thing"}}"#);
    }

    #[test]
    fn large_integers_are_preserved_in_a_body() {
        static RAW: Action = Action::new("raw.make", "", "", "POST", "/raw").parameters(&[
            &Param::new(Kind::Json, "value", "", "").body("/value"),
            &Param::text("from", "", "").at(Place::Header("from")),
        ]);
        let parameters =
            crate::json::object(r#"{"value":{"n":12345678901234567890123},"from":"a@b.test"}"#);
        let request = build(&RAW, "https://api.test", &parameters.unwrap(), None).unwrap();
        assert_eq!(request.body.unwrap(), br#"{"value":{"n":12345678901234567890123}}"#);
        assert_eq!(request.headers[0], ("from".to_owned(), "a@b.test".to_owned()));
        assert_eq!(request.idempotency_key, None);
    }

    #[test]
    fn a_request_without_values_for_the_body_has_none() {
        static GET: Action = Action::new("thing.list", "", "", "GET", "/things")
            .parameters(&[&Param::text("q", "", "").query("q")]);
        let request = build(&GET, "https://api.test", &Map::new(), None).unwrap();
        assert_eq!((request.body, request.headers.len()), (None, 0));
        assert_eq!(request.url, "https://api.test/things");
    }
}
