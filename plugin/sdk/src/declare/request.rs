//! The request that follows from an action's declaration and one item's parameters.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Action, Param, Place};
use crate::error::Error;
use crate::http::Request;
use crate::json;
use crate::percent;

/// Builds the request. `key` is the execution's idempotency key for this item.
///
/// # Errors
///
/// Of kind `invalid-input`, when a value cannot stand in the path.
pub(crate) fn build(
    action: &Action,
    base_url: &str,
    parameters: &Map<String, Value>,
    key: Option<&str>,
) -> Result<Request, Error> {
    let route = &action.route;
    let mut url = base_url.trim_end_matches('/').to_owned();
    append_path(&mut url, route.path, parameters)?;
    let mut request = Request::new(route.method, "");
    let mut body = None;
    for (pointer, text) in route.constants {
        let value = json::constant(text);
        insert(body.get_or_insert(Value::Null), pointer, value);
    }
    for param in action.parameters {
        let Some(value) = parameters.get(param.name) else {
            continue;
        };
        match param.place {
            Place::Control | Place::Path => {}
            Place::Query(name) => {
                for one in each(value) {
                    percent::append_query(&mut url, name, &plain(one));
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
            Place::Header(name) => {
                request.headers.push((name.into(), plain(value).into_owned()));
            }
            Place::Body(pointer) => {
                insert(body.get_or_insert(Value::Null), pointer, value.clone());
            }
            Place::BodyAs(pointer, template) => {
                let value = match value {
                    Value::Array(list) => {
                        list.iter().map(|one| filled(template, one)).collect::<Vec<_>>().into()
                    }
                    Value::Null => Value::Null,
                    one => filled(template, one),
                };
                insert(body.get_or_insert(Value::Null), pointer, value);
            }
        }
    }
    if let (Some(param), Some(key)) = (key_param(action), key) {
        let given = parameters.get(param.name).filter(|value| !value.is_null());
        if given.is_none()
            && let Place::Body(pointer) = param.place
        {
            insert(body.get_or_insert(Value::Null), pointer, key.into());
        }
        request.idempotency_key =
            Some(given.map_or_else(|| key.to_owned(), |value| plain(value).into_owned()));
    }
    if let Some(body) = body {
        request.headers.push(("content-type".into(), "application/json".into()));
        request.body = Some(json::text(&body).into_bytes());
    }
    request.url = url;
    Ok(request)
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

/// The elements of a list, or the one value itself.
fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// A value as it stands in a URL or a header.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(json::text(other)),
    }
}

fn filled(template: &str, value: &Value) -> Value {
    let (before, after) = template.split_once('$').unwrap_or((template, ""));
    json::constant(&[before, &json::text(value), after].concat())
}

/// Sets the value at a pointer, making objects on the way.
fn insert(root: &mut Value, pointer: &str, value: Value) {
    let mut at = root;
    for segment in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(members) = at else { return };
        at = members.entry(segment).or_insert(Value::Null);
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Effect, Kind, Param, Place, Route};
    use super::*;

    static WRITE: Action = Action {
        parameters: &[
            &Param::text("thing_id", "", "").at(Place::Path),
            &Param::new(Kind::List(&Kind::Text), "tags", "", "").at(Place::Query("tags[]")),
            &Param::new(Kind::List(&Kind::Text), "sort", "", "").at(Place::QueryJoined("sort_by")),
            &Param::text("owner_id", "", "")
                .at(Place::BodyAs("/thing/owner", r#"{"id":$,"type":"user_reference"}"#)),
            &Param::text("key", "", "").at(Place::Body("/thing/key")),
        ],
        route: Route {
            constants: &[("/thing/type", r#""thing""#)],
            key: Some("key"),
            ..Action::write(Effect::Create, "", "", "", "POST", "/things/{thing_id}/x").route
        },
        ..Action::write(Effect::Create, "thing.make", "", "", "POST", "")
    };

    fn request(parameters: &str) -> Request {
        let parameters = serde_json::from_str(parameters).unwrap();
        build(&WRITE, "https://api.test/", &parameters, Some("k1")).unwrap()
    }

    /// The body with its members in alphabetical order, whatever map the build uses.
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
    fn values_go_where_the_declaration_says() {
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
    fn null_and_numbers_stand_as_they_were_given() {
        let request = request(r#"{"thing_id":7,"owner_id":null,"sort":1.50,"key":null}"#);
        assert_eq!(request.url, "https://api.test/things/7/x?sort_by=1.50");
        assert_eq!(body(&request), r#"{"thing":{"key":"k1","owner":null,"type":"thing"}}"#);
    }

    #[test]
    fn big_integers_survive_in_a_body() {
        static RAW: Action = Action {
            parameters: &[
                &Param::new(Kind::Json, "value", "", "").at(Place::Body("/value")),
                &Param::text("from", "", "").at(Place::Header("from")),
            ],
            ..Action::write(Effect::Create, "raw.make", "", "", "POST", "/raw")
        };
        let parameters =
            crate::json::object(r#"{"value":{"n":12345678901234567890123},"from":"a@b.test"}"#);
        let request = build(&RAW, "https://api.test", &parameters.unwrap(), None).unwrap();
        assert_eq!(request.body.unwrap(), br#"{"value":{"n":12345678901234567890123}}"#);
        assert_eq!(request.headers[0], ("from".to_owned(), "a@b.test".to_owned()));
        assert_eq!(request.idempotency_key, None);
    }

    #[test]
    fn a_request_without_values_for_the_body_has_none() {
        static GET: Action = Action {
            parameters: &[&Param::text("q", "", "").at(Place::Query("q"))],
            ..Action::get("thing.list", "", "", "/things")
        };
        let request = build(&GET, "https://api.test", &Map::new(), None).unwrap();
        assert_eq!((request.body, request.headers.len()), (None, 0));
        assert_eq!(request.url, "https://api.test/things");
    }
}
