//! Compares the members, limits, and values of the forms with those of the document.

use std::collections::BTreeMap;

use pagerduty_declaration::derive::Derived;
use serde_json::Value;
use workflow_node_sdk::declare::{Action, Kind, Param, Place};

use super::is_amended;
use crate::import;
use crate::schema::Document;

/// Paging parameters, which the node sets.
const OF_PAGES: [&str; 3] = ["limit", "starting_after", "ending_before"];

pub(super) fn differences(document: &Document, derived: &Derived) -> Vec<String> {
    let rows = import::rows(document);
    let mut lines = Vec::new();
    for row in &rows {
        let id = row["id"].as_str().unwrap_or_default();
        if row["deprecated"] == true || is_amended(id, "body", "fields") {
            continue;
        }
        let Some(action) = whole(id, derived) else { continue };
        let comparison = Comparison { id, action, derived, lines: &mut lines };
        comparison.run(row);
    }
    lines
}

/// The action that represents the whole operation: the one that places most fields.
fn whole(id: &str, derived: &Derived) -> Option<&'static Action> {
    let is_of = |action: &&Action| derived.operations.get(action.name).is_some_and(|one| one == id);
    let actions = derived.resources.iter().flat_map(|one| one.actions.iter().copied().flatten());
    actions.filter(is_of).max_by_key(|action| {
        action.parameters.iter().filter(|param| param.place != Place::Control).count()
    })
}

struct Comparison<'a> {
    id: &'a str,
    action: &'static Action,
    derived: &'a Derived,
    lines: &'a mut Vec<String>,
}

/// The parameters of a form by their place in the request.
type Placed = BTreeMap<String, &'static Param>;

fn placed(params: &[&'static Param], prefix: &str, is_outermost: bool, all: &mut Placed) {
    for param in params {
        let pointer = match param.place {
            Place::Body(pointer) | Place::BodyAs(pointer, _) | Place::PathAndBody(pointer, _) => {
                pointer
            }
            Place::Control if !is_outermost => param.name,
            _ => continue,
        };
        let place = format!("{prefix}{}", pointer.trim_start_matches('/').replace('/', "."));
        placed(param.members(), &format!("{place}."), false, all);
        all.insert(place, param);
    }
}

impl Comparison<'_> {
    fn report(&mut self, place: &str, attribute: &str, message: &str) {
        let full = format!("body.{place}");
        let reason = self.derived.hidden.get(&(self.action.name.to_owned(), place.to_owned()));
        if !is_amended(self.id, &full, attribute) && reason.is_none() {
            self.lines.push(format!("{}: {place}: {message}", self.action.name));
        }
    }

    fn run(mut self, row: &Value) {
        let Some(body) = row.get("body").filter(|body| body.get("content_type").is_none()) else {
            return;
        };
        let takes_more = |param: &&&Param| matches!(param.place, Place::BodyMembers(_));
        if !self.action.parameters.iter().any(|param| takes_more(&param)) {
            self.lines.push(format!("{}: has no additional_fields", self.action.name));
        }
        let envelope = self.action.route.envelope.trim_start_matches('/').replace('/', ".");
        let mut all = Placed::new();
        let prefix = if envelope.is_empty() { String::new() } else { format!("{envelope}.") };
        placed(self.action.parameters, &prefix, true, &mut all);
        self.members(body, "", &envelope, &all);
    }

    /// Compares the members of an object in the document.
    fn members(&mut self, around: &Value, prefix: &str, envelope: &str, all: &Placed) {
        let own = around["fields"].as_array().into_iter().flatten();
        let variants = around["variants"].as_array().into_iter().flatten();
        let of_variants = variants.filter_map(|one| one["fields"].as_array()).flatten();
        for field in own.chain(of_variants) {
            let name = field["name"].as_str().unwrap_or_default();
            let place = format!("{prefix}{name}");
            let is_page = prefix.is_empty() && OF_PAGES.contains(&name) && self.action.is_paged();
            if field["read_only"] == true || field["deprecated"] == true || is_page {
                continue;
            }
            let pointer =
                format!("/{}", place.strip_prefix(&format!("{envelope}.")).unwrap_or(&place));
            let pointer = pointer.replace('.', "/");
            if self.action.route.constants.iter().any(|(known, _)| *known == pointer) {
                continue;
            }
            let inner = format!("{place}.");
            let Some(param) = all.get(&place) else {
                let is_around = place == envelope || all.keys().any(|one| one.starts_with(&inner));
                let is_path =
                    self.action.parameters.iter().any(|param| {
                        param.place == Place::Path && param.name == format!("{name}_id")
                    });
                if is_around {
                    self.members(field, &inner, envelope, all);
                } else if !is_path {
                    self.report(&place, "type", "cannot be given");
                }
                continue;
            };
            self.field(&place, field, param);
            let has_members = matches!(param.kind, Kind::Object(_) | Kind::Objects(_));
            if has_members {
                self.members(field, &inner, envelope, all);
            }
        }
    }

    fn field(&mut self, place: &str, field: &Value, param: &Param) {
        let is_update = ["PUT", "PATCH"].contains(&self.action.route.method);
        if param.is_required && field["required"] != true && param.when.is_none() {
            self.report(place, "required", "is required by the form only");
        }
        if field["nullable"] == true && !param.is_nullable && param.kind != Kind::Json {
            self.report(place, "nullable", "may be null, which the form refuses");
        }
        if is_update && param.default.is_some() {
            self.report(place, "default", "has a default although an update leaves it as it is");
        }
        let number = |name: &str| field[name].as_i64();
        let is_list = field["type"].as_str().is_some_and(|kind| kind.starts_with("array"));
        let (most, least) =
            if is_list { ("max_items", "min_items") } else { ("max_length", "min_length") };
        let is_text =
            field["type"] == "string" && field["enum"].is_null() && field["format"].is_null();
        if (is_text || is_list) && !param.refers() {
            let limits = |max: u32| number(most).is_none_or(|most| i64::from(max) < most);
            if param.max.is_some_and(limits) {
                self.report(place, most, "is limited more than documented");
            }
            if i64::from(param.min) > number(least).unwrap_or(0) {
                let attribute = if is_list { least } else { "not_blank" };
                self.report(place, attribute, "may be empty, which the form refuses");
            }
        }
        let element = match param.kind {
            Kind::List(element) => *element,
            kind => kind,
        };
        match element {
            Kind::Integer(low, high)
                if low > number("minimum").unwrap_or(i64::MIN)
                    || high < number("maximum").unwrap_or(i64::MAX) =>
            {
                self.report(place, "minimum", "has a narrower range than documented");
            }
            Kind::OneOf(values) => {
                let documented = field["enum"].as_array().cloned().unwrap_or_default();
                let lacks =
                    documented.iter().filter_map(Value::as_str).any(|one| !values.contains(&one));
                if lacks || documented.is_empty() {
                    self.report(place, "enum", "offers fewer values than documented");
                }
            }
            Kind::Constant(literal) => {
                let documented = field["enum"].as_array().map_or(0, Vec::len);
                if documented > 2 {
                    self.report(place, "enum", &format!("is always {}", literal.value()));
                }
            }
            _ => {}
        }
    }
}
