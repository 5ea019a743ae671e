//! Checks that references in forms exist, and that their choices can be loaded.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;
use workflow_node_documents::{Action, OptionsQuery};
use workflow_node_host::description::{Field, OptionsCall};
use workflow_node_host::{ErrorKind, ItemErrorKind as Kind, OptionsRequest};

use super::OVER;
use crate::check::Results;
use crate::check::answer::Shape;
use crate::check::bench::{Bench, Known};
use crate::check::described::{all_forms, each_field};
use crate::check::report::Judgement;
use crate::check::service::Behavior;

const ID: &str = "references";

pub(super) async fn judge(bench: &Bench, results: &mut Results<'_>, known: &[Known]) {
    if !results.plan.wants(ID) {
        return;
    }
    let started = Instant::now();
    let mut judgement = Judgement::default();
    described(bench, &mut judgement);
    let mut queries: Vec<(&Action, &Known, OptionsCall, Field)> = Vec::new();
    for one in known {
        let Ok(form) = bench.plugin.action_form(&one.action.name) else { continue };
        each_field(&form.fields, &form.variants, "", &mut |_, field: &Field, _| {
            if let Some(call) = &field.options {
                queries.push((&one.action, one, call.clone(), field.clone()));
            }
        });
    }
    // Of many fields, a selection from all parts.
    let step = queries.len().div_ceil(results.plan.sample.max(1)).max(1);
    let total = queries.len().div_ceil(step);
    for (done, (action, one, call, field)) in queries.into_iter().step_by(step).enumerate() {
        let subject = format!("{}: {}", action.name, call.parameter);
        results.plan.progress.step(done, total, &format!("{ID}: {subject}"));
        match results.plan.is_over() {
            true => judgement.skip(subject, OVER),
            false => load(bench, one, &call, &field, &subject, &mut judgement).await,
        }
    }
    if judgement.is_empty() {
        judgement.skip("node", "nothing refers to anything");
    }
    results.add(ID, judgement, started.elapsed());
}

/// Checks names in the description that refer to other parts of it.
fn described(bench: &Bench, judgement: &mut Judgement) {
    let node = &bench.plugin.description().node;
    for action in &node.actions {
        let Some(resource) = &action.resource else { continue };
        let is_known = node.resources.iter().any(|one| one.name == *resource);
        let problem = (!is_known).then(|| {
            format!("it belongs to the resource `{resource}`, which the node does not have")
        });
        judgement.judge(&action.name, problem);
    }
    for (name, form) in all_forms(bench) {
        let mut visit = |path: &str, field: &Field, beside: &BTreeSet<&str>| {
            let Some(on) = field.options.as_ref().and_then(|call| call.depends_on.as_ref()) else {
                return;
            };
            // A field of an object may depend on one next to the object.
            let is_known = beside.contains(on.as_str()) || form.field(on).is_some();
            let problem = (!is_known)
                .then(|| format!("it depends on the field `{on}`, which the form does not have"));
            judgement.judge(&format!("{name}: {path}"), problem);
        };
        each_field(&form.fields, &form.variants, "", &mut visit);
    }
}

/// Loads the choices of a field with responses of every shape, until one is understood.
async fn load(
    bench: &Bench,
    known: &Known,
    call: &OptionsCall,
    field: &Field,
    subject: &str,
    judgement: &mut Judgement,
) {
    let mut reason = String::new();
    for shape in [Shape::Wrapped, Shape::Array, Shape::Bare, Shape::WrappedOne] {
        let action = &known.action;
        let answering = bench.answering(action, shape, std::slice::from_ref(&known.parameters));
        bench.service.begin(Behavior::Answers, answering);
        let (parameter, is_chosen) = placed(call, &known.parameters);
        let mut query = OptionsQuery::for_action(&action.name, parameter);
        query.version = Some(action.version);
        query.parameters = known.parameters.as_object().cloned().unwrap_or_default();
        let mut request = OptionsRequest::new(query);
        request.credentials = bench.filled(action.slots.keys().cloned());
        let loaded = bench.plugin.load_options(request).await;
        bench.service.end();
        let error = match loaded {
            Ok(options) => {
                let wrong = options.choices.iter().find(|one| !accepts(field, &one.value));
                let problem = wrong.map(|one| {
                    format!(
                        "the choice `{}` has the value {}, which the field does not accept",
                        one.label, one.value
                    )
                });
                return judgement.judge(subject, problem);
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Item(Kind::InvalidInput) if !is_chosen => {
                let on = call.depends_on.as_deref().unwrap_or_default();
                return judgement
                    .skip(subject, format!("the first example does not choose `{on}`"));
            }
            ErrorKind::Item(Kind::Unsupported | Kind::Internal | Kind::InvalidInput)
            | ErrorKind::PluginStopped => {
                return judgement.fail(subject, format!("its choices cannot be loaded: {error:#}"));
            }
            _ => reason = format!("{error:#}"),
        }
    }
    judgement.skip(subject, format!("the node does not understand generated answers ({reason})"));
}

/// The path of a field with list positions, as far as parameters contain it, and whether they
/// contain what it depends on.
fn placed(call: &OptionsCall, parameters: &Value) -> (String, bool) {
    let mut path = Vec::new();
    let mut at = Some(parameters);
    let mut parent = None;
    for name in call.parameter.split('/') {
        if let Some(first) = at.and_then(Value::as_array).and_then(|list| list.first()) {
            path.push("0");
            at = Some(first);
        }
        parent = at;
        path.push(name);
        at = at.and_then(|value| value.get(name));
    }
    let is_chosen = call.depends_on.as_ref().is_none_or(|on| {
        let has = |value: Option<&Value>| value.is_some_and(|value| value.get(on).is_some());
        has(parent) || has(Some(parameters))
    });
    (path.join("/"), is_chosen)
}

/// Whether a field can have a value.
fn accepts(field: &Field, value: &Value) -> bool {
    let types = if field.element_types.is_empty() { &field.types } else { &field.element_types };
    let is_type = |name: &String| match name.as_str() {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => true,
    };
    (types.is_empty() || types.iter().any(is_type))
        && (field.values.is_empty() || field.values.contains(value))
}
