//! Builds actions from operations and the overlay.

use std::collections::BTreeSet;

use pagerduty_facts::{Basic, Field, FromHeader, Operation, Paging as Pages};
use workflow_node_sdk::declare::{
    Action, Answer, Cursor, Effect, Example, Failures, Idempotency, Kind, Literal, Offset, Paging,
    Param, Place, Run,
};

use super::fields::{
    Around, Maker, basic, keep, keep_text, keep_texts, named_kind, singular, template, titled,
};
use super::{ranges, words};
use crate::paging::{CLASSIC, CURSOR, DELETED, DONE};
use crate::{flat, paging, parameters, records};

/// Builds the action of an operation and its words.
pub(super) fn action(
    maker: &Maker<'_>,
    words: &words::Action,
    operation: Option<&Operation>,
) -> Action {
    let (method, path) = words.request.split_once(' ').unwrap_or(("", ""));
    let mut action = Action::new(
        keep_text(&words.name),
        keep_text(&words.title),
        keep_text(&words.description),
        keep_text(method),
        keep_text(path),
    );
    action = match &words.event {
        Some(_) => action.with("events", "events"),
        None => action.with("rest", "rest"),
    };
    action.documentation_url = given(&words.documentation);
    action.check = given(&words.check);
    action.ordered_by = given(&words.ordered_by);
    if operation.is_some_and(|one| one.reads) {
        action.effect = Effect::Read;
    }
    if let Some(effect) = &words.effect {
        action.effect = effect_of(effect);
    }
    action.idempotency = match &words.idempotency {
        Some(idempotency) => idempotency_of(idempotency),
        None if action.effect == Effect::Read => Idempotency::Safe,
        None => action.idempotency,
    };
    action.run = match words.run.as_deref() {
        None => Run::Declared,
        Some("custom") => Run::Custom,
        Some("batch") => Run::Batch,
        Some(other) => panic!("{}: there is no way to run called `{other}`", words.name),
    };
    if let Some(operation) = operation {
        of_operation(maker, words, operation, &mut action);
    } else {
        let mut own: Vec<_> =
            words.parameters.iter().map(|one| own(one, maker.references)).collect();
        own.push(&parameters::FROM);
        action.acts_as_user = true;
        action.parameters = own.leak();
        action.route.answer = given_answer(words, None).unwrap_or(Answer::Whole);
    }
    if let Some(key) = &words.key {
        action = action.keyed(keep_text(key));
    }
    if let Some(record) = &words.record {
        action.output = records::by_name(record)
            .unwrap_or_else(|| panic!("{}: there is no record `{record}`", words.name));
    }
    if let Some(simple) = &words.simple {
        action.simple = Some(
            flat::by_name(simple)
                .unwrap_or_else(|| panic!("{}: there is no flat form `{simple}`", words.name)),
        );
    }
    let examples: Vec<Example> = words
        .examples
        .iter()
        .map(|one| Example::new(keep_text(&one.title), literal(&one.parameters)))
        .collect();
    action.examples = examples.leak();
    action
}

fn of_operation(
    maker: &Maker<'_>,
    words: &words::Action,
    operation: &Operation,
    action: &mut Action,
) {
    action.scopes = match &operation.scope {
        Some(scope) => keep_texts(std::slice::from_ref(scope)),
        None => &[],
    };
    action.acts_as_user = operation.from != FromHeader::None;
    action.is_early_access = words.early_access;
    if let Some(value) = &operation.early_access {
        action.is_early_access = true;
        action.route.headers = keep([("x-early-access", keep_text(value))]);
    }
    action.route.answer = given_answer(words, Some(operation)).unwrap_or_else(|| answer(operation));
    if !words.handles_failures {
        action.failures = failures(maker, operation);
    }
    let shows =
        |place: &str| words.only.as_ref().is_none_or(|only| only.iter().any(|one| one == place));
    let mut of_body = match &operation.body {
        Some(body) => of_body(maker, words, operation, body, action, &shows),
        None => Vec::new(),
    };
    let mut all: Vec<(String, &'static Param)> = Vec::new();
    for (segment, field) in
        action.route.path.split('/').filter_map(name_of).zip(&operation.path_parameters)
    {
        let place = format!("{{{segment}}}");
        let words = maker.words(&place);
        let mut param = maker.described(basic(field, false), segment, &words, &place);
        param = param.required().at(Place::Path);
        if let Some(reference) = &words.reference {
            param.reference = Some(keep_text(reference));
        }
        if let Some(by) = &words.reference_by {
            param = param.reference_by(keep_text(by), by_plural(operation, by, maker));
        }
        let named = |(_, member): &(String, &'static Param)| member.name == segment;
        if let Some(place) = of_body.iter().position(named) {
            let (place, member) = of_body.remove(place);
            let is_sent = member.is_required || maker.words(&place).send.is_some();
            if let (Place::BodyAs(pointer, template), true) = (member.place, is_sent) {
                param.place = Place::PathAndBody(pointer, template);
            }
        }
        all.push((place, keep(param)));
    }
    let takes_object = takes_object(words, operation, action);
    if takes_object {
        all.push(("object".to_owned(), &parameters::OBJECT));
    }
    let mut rest: Vec<(String, &'static Param)> = Vec::new();
    rest.extend(query(maker, operation).into_iter().filter(|(place, _)| shows(place)));
    rest.extend(of_body);
    rest.extend(words.parameters.iter().map(|one| (one.name.clone(), own(one, maker.references))));
    rest.sort_by_key(|(place, param)| {
        let first = words.first.iter().position(|one| one == place || one == param.name);
        (first.unwrap_or(usize::MAX), !param.is_required)
    });
    all.extend(rest);
    let is_listed = action.is_list() && action.run == Run::Declared;
    for (is_there, param) in [
        (operation.from != FromHeader::None, &parameters::FROM),
        (words.simple.is_some(), &parameters::SIMPLIFY),
        (is_listed, &parameters::LIMIT),
        (is_listed, &parameters::ALL),
        (
            words.additional_query.unwrap_or(operation.method == "GET" && words.only.is_none()),
            &parameters::ADDITIONAL_QUERY,
        ),
        (
            operation.body.as_ref().is_some_and(|body| body.content_type == "application/json"),
            &parameters::ADDITIONAL_FIELDS,
        ),
    ] {
        if is_there && !all.iter().any(|(_, known)| known.name == param.name) {
            all.push((param.name.to_owned(), param));
        }
    }
    let mut names = BTreeSet::new();
    for (_, param) in all.iter().filter(|(_, param)| param.is_asked()) {
        if !names.insert(param.name) {
            maker
                .problems
                .borrow_mut()
                .push(format!("{}: two parameters are called `{}`", words.name, param.name));
        }
    }
    action.parameters = all.into_iter().map(|(_, param)| param).collect::<Vec<_>>().leak();
    ranges::set(maker, operation, action);
}

/// The reference that each value of another path parameter selects: `users` selects `user`.
fn by_plural(
    operation: &Operation,
    by: &str,
    maker: &Maker<'_>,
) -> &'static [(&'static str, &'static str)] {
    let kinds = operation.path_parameters.iter().find(|field| field.name == by);
    let kinds = kinds.map_or(&[][..], |field| field.values.as_slice());
    let known = kinds.iter().filter_map(|value| {
        let name = maker.references.get(singular(value).as_str())?;
        Some((keep_text(value), *name))
    });
    known.collect::<Vec<_>>().leak()
}

/// Whether an update accepts the record as its `get` returns it.
fn takes_object(words: &words::Action, operation: &Operation, action: &Action) -> bool {
    if let Some(takes) = words.object {
        return takes;
    }
    // A form that shows only a part of the operation is a separate action, not the update of a
    // record.
    if words.only.is_some() || !["PUT", "PATCH"].contains(&operation.method.as_str()) {
        return false;
    }
    let Answer::Object(member) = action.route.answer else { return false };
    let get = pagerduty_facts::operations()
        .iter()
        .find(|one| one.method == "GET" && one.path == operation.path && !one.deprecated);
    get.and_then(|get| get.answer.as_ref())
        .is_some_and(|answer| answer.keys.iter().any(|(key, _)| key == member))
}

/// Query parameters, except those for paging, which the listing sets.
fn query(maker: &Maker<'_>, operation: &Operation) -> Vec<(String, &'static Param)> {
    const OF_PAGES: [&str; 6] = ["limit", "offset", "total", "cursor", "after", "before"];
    let mut params = Vec::new();
    for field in &operation.query {
        if operation.paging != Pages::None && OF_PAGES.contains(&field.name.as_str()) {
            continue;
        }
        let place = format!("?{}", field.name);
        let words = maker.words(&place);
        if !maker.is_shown(field, &words, false) {
            continue;
        }
        let name = words.name.clone();
        let name = name.unwrap_or_else(|| field.name.trim_end_matches("[]").to_owned());
        let mut kind = match &words.kind {
            Some(kind) => named_kind(kind, field.is_list(), field.minimum, field.maximum),
            None => {
                let kind = basic(field, words.multiline);
                if field.is_list() { Kind::List(keep(kind)) } else { kind }
            }
        };
        if let Some(values) = words.values.clone().or_else(|| sort_orders(field)) {
            let values = Kind::OneOf(keep_texts(&values));
            kind = if field.is_list() { Kind::List(keep(values)) } else { values };
        }
        let mut param = maker.described(kind, &name, &words, &place);
        param = match field.joined {
            true => param.at(Place::QueryJoined(keep_text(&field.name))),
            false => param.query(keep_text(&field.name)),
        };
        param.is_required = words.required.unwrap_or(field.required);
        if let Some(default) = &field.default {
            param.default = Some(Literal::leaked(default));
        }
        if let Some(reference) = words.reference.as_ref().filter(|name| !name.is_empty()) {
            param.reference = Some(keep_text(reference));
        }
        params.push((place, keep(param)));
    }
    params
}

/// Each field of a joined list with both orders, unless the facts list them.
fn sort_orders(field: &Field) -> Option<Vec<String>> {
    let is_bare = field.joined && !field.values.iter().any(|value| value.contains(':'));
    let orders = |value: &String| [format!("{value}:asc"), format!("{value}:desc")];
    is_bare.then(|| field.values.iter().flat_map(orders).collect())
}

/// Parameters for the members of the body, within its envelope.
fn of_body(
    maker: &Maker<'_>,
    words: &words::Action,
    operation: &Operation,
    body: &pagerduty_facts::Body,
    action: &mut Action,
    shows: &dyn Fn(&str) -> bool,
) -> Vec<(String, &'static Param)> {
    if body.content_type != "application/json" {
        return Vec::new();
    }
    let mut fields = body.fields.as_slice();
    let mut around = Around { by: body.by.as_deref(), variants: &body.variants };
    if let [only] = fields
        && only.kind() == Basic::Record
        && !only.is_list()
        && !only.fields.is_empty()
        && super::fields::reference(only).is_none()
    {
        action.route.envelope = keep_text(&format!("/{}", only.name));
        fields = &only.fields;
        around = Around { by: only.by.as_deref(), variants: &only.variants };
    }
    let mut constants: Vec<(&'static str, Literal)> = words
        .fixed
        .iter()
        .map(|(place, value)| {
            let pointer = format!("/{}", place.replace('.', "/"));
            (keep_text(&pointer), json(value))
        })
        .collect();
    let mut params = Vec::new();
    for (place, param) in maker.members(fields, around, "", "", false) {
        let pointer = match param.place {
            Place::Body(pointer) | Place::BodyAs(pointer, _) => pointer,
            _ => "",
        };
        if let Kind::Constant(literal) = param.kind {
            if !constants.iter().any(|(known, _)| *known == pointer) {
                constants.push((pointer, literal));
            }
            continue;
        }
        let is_fixed = constants.iter().any(|(known, _)| *known == pointer);
        let is_page = takes_cursor(operation)
            && ["limit", "starting_after", "ending_before"].contains(&param.name);
        if is_fixed || is_page || !shows(&place) {
            continue;
        }
        // Each record of a bulk change has fields that the form does not declare as well.
        let param = match param.kind {
            Kind::Objects(members) if maker.is_update && fields.len() == 1 => {
                let mut members = members.to_vec();
                members.push(&parameters::ADDITIONAL_FIELDS);
                let mut param = *param;
                param.kind = Kind::Objects(members.leak());
                keep(param)
            }
            _ => param,
        };
        params.push((place, param));
    }
    // The operation requires a body, even an empty one.
    if constants.is_empty() && action.route.envelope.is_empty() && action.run == Run::Declared {
        constants.push(("", Literal::Object(&[])));
    }
    action.route.constants = constants.leak();
    params
}

/// A parameter that is not a field of the operation.
pub(super) fn own(given: &words::Parameter, references: &BTreeSet<&'static str>) -> &'static Param {
    let kind = match &given.values {
        Some(values) => {
            let values = Kind::OneOf(keep_texts(values));
            if given.list { Kind::List(keep(values)) } else { values }
        }
        None if given.kind == "constant" => {
            Kind::Constant(given.default.as_ref().map_or(Literal::Null, json))
        }
        None => named_kind(&given.kind, given.list, given.minimum, given.maximum),
    };
    let title = match given.title.as_str() {
        "" => titled(&given.name),
        title => title.to_owned(),
    };
    let mut param =
        Param::new(kind, keep_text(&given.name), keep_text(&title), keep_text(&given.description));
    param.is_required = given.required;
    param.is_nullable = given.nullable;
    param.max = (given.max > 0).then_some(given.max);
    param.suggestions = keep_texts(&given.suggests);
    if let Some(reference) = &given.reference {
        if !references.contains(reference.as_str()) {
            panic!("{}: there is no reference `{reference}`", given.name);
        }
        param.reference = Some(keep_text(reference));
    }
    if let Some(default) = &given.default {
        param.default = Some(json(default));
    }
    param.place = match (given.at.as_deref(), &given.send, &given.file) {
        (Some(name), _, Some(file)) => Place::FormFile(keep_text(name), keep_text(file)),
        (Some(at), Some(send), None) => Place::BodyAs(pointer(at), template(send)),
        (Some(at), None, None) => match at.strip_prefix('?') {
            Some(name) => Place::Query(keep_text(name)),
            None => Place::Body(pointer(at)),
        },
        _ => Place::Control,
    };
    keep(param)
}

fn pointer(place: &str) -> &'static str {
    keep_text(&format!("/{}", place.replace('.', "/")))
}

/// A text of the overlay, if it is not empty.
fn given(text: &str) -> Option<&'static str> {
    (!text.is_empty()).then(|| keep_text(text))
}

/// A value of the overlay.
fn json(value: &toml::Value) -> Literal {
    Literal::leaked(&serde_json::to_value(value).expect("TOML values are JSON values"))
}

/// JSON of the overlay.
fn literal(text: &str) -> Literal {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("`{text}`: {error}"));
    Literal::leaked(&value)
}

fn name_of(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn given_answer(words: &words::Action, operation: Option<&Operation>) -> Option<Answer> {
    let text = words.answer.as_deref()?;
    // A write returns what it changed at once.
    let read = operation.filter(|one| one.method == "GET");
    Some(match text.split_once(':') {
        Some(("one", member)) => Answer::Object(keep_text(member)),
        Some(("list", member)) => {
            Answer::List(keep_text(member), read.map_or(&paging::ONE_PAGE, pages))
        }
        None if text == "whole" => Answer::Whole,
        None if text == "elements" => Answer::Elements,
        None if text == "deleted" => DELETED,
        None if text == "done" => DONE,
        _ => panic!("{}: there is no answer `{text}`", words.name),
    })
}

/// How a response becomes output.
fn answer(operation: &Operation) -> Answer {
    let nothing = if operation.method == "DELETE" { DELETED } else { DONE };
    let Some(answer) = operation.answer.as_ref() else { return nothing };
    if answer.bare_array {
        return Answer::Elements;
    }
    let lists: Vec<&String> = answer
        .keys
        .iter()
        .filter(|(_, kind)| kind.starts_with("array"))
        .map(|(name, _)| name)
        .collect();
    if let [member] = lists.as_slice() {
        return Answer::List(keep_text(member), pages(operation));
    }
    match answer.keys.as_slice() {
        [] => nothing,
        [(member, kind)] if kind == "object" => Answer::Object(keep_text(member)),
        _ => Answer::Whole,
    }
}

/// Where a successful response reports failures.
fn failures(maker: &Maker<'_>, operation: &Operation) -> Option<&'static Failures> {
    operation.answer.iter().flat_map(|answer| &answer.reports).find_map(|report| {
        let (succeed, fail): (Vec<_>, Vec<_>) =
            report.results.iter().cloned().partition(|one| maker.results.success.contains(one));
        for result in fail.iter().filter(|one| !maker.results.failure.contains(one)) {
            maker.problem(&report.at, &format!("does the result `{result}` mean success?"));
        }
        let at = keep_text(&report.at);
        match report.member.as_deref() {
            None if fail.is_empty() && !succeed.is_empty() => None,
            None => Some(keep(Failures::each(at).reason("message"))),
            Some(member) => {
                let failures = Failures::unless(at, keep_text(member), keep_texts(&succeed));
                Some(keep(if report.results.is_empty() {
                    failures.reason(keep_text(member))
                } else {
                    failures
                }))
            }
        }
    })
}

/// Whether the response contains the cursor that the body takes. For the one operation that takes a
/// cursor and does not document where it comes from, the caller sets it.
fn takes_cursor(operation: &Operation) -> bool {
    operation.paging == Pages::StartingAfter
        && operation.page_fields.iter().any(|name| name == "last")
}

/// How a list is paged.
fn pages(operation: &Operation) -> &'static Paging {
    let limit = operation.query.iter().find(|field| field.name == "limit");
    let most = limit.and_then(|limit| u64::try_from(limit.maximum?).ok());
    keep(match operation.paging {
        Pages::None => Paging::None,
        Pages::Classic => {
            Paging::Offset(Offset::new(most.unwrap_or(CLASSIC.page)).window(10_000).total("total"))
        }
        Pages::ResponseOnly => Paging::Offset(CLASSIC.undocumented()),
        Pages::Cursor => {
            let cursor = CURSOR.page(most.unwrap_or(CURSOR.page));
            Paging::Cursor(if limit.is_some() { cursor.limit("limit") } else { cursor })
        }
        Pages::AfterBefore => {
            Paging::Cursor(Cursor::new(CURSOR.page, "after", "after").limit("limit"))
        }
        Pages::StartingAfter if takes_cursor(operation) => paging::ANALYTICS,
        Pages::StartingAfter => Paging::None,
        Pages::LimitOnly => Paging::Limit("limit", most.unwrap_or(CLASSIC.page)),
    })
}

fn effect_of(name: &str) -> Effect {
    match name {
        "read" => Effect::Read,
        "create" => Effect::Create,
        "update" => Effect::Update,
        "delete" => Effect::Delete,
        "execute" => Effect::Execute,
        other => panic!("there is no effect `{other}`"),
    }
}

fn idempotency_of(name: &str) -> Idempotency {
    match name {
        "safe" => Idempotency::Safe,
        "idempotent" => Idempotency::Idempotent,
        "keyed" => Idempotency::Keyed,
        "none" => Idempotency::None,
        other => panic!("there is no idempotency `{other}`"),
    }
}
