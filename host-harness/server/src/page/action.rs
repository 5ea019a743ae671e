//! The form of an action: filled in, checked, and run.

use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use workflow_node_host::description::{Action, Field, Form};

use super::Page;
use super::client::path;
use super::credentials;
use super::enter::Posted;
use super::form::{Choices, Entered, Picked, Read, Shown, field_at, has_secrets};
use super::items::{self, Pasted};
use super::layout::{Part, bounded, failed, problem, redirect, token, with_status};
use super::overview::member;
use super::plugins::effect_mark;
use crate::connection::random_text;
use crate::error::ApiError;
use crate::permitted::permitted_action;
use crate::session::Session;
use crate::token::Role;

/// Choices that a list offers at once.
const CHOICES: usize = 100;

/// A form with what a person has done so far.
#[derive(Default)]
struct Sheet {
    entered: Entered,
    problems: Vec<(String, String)>,
    choices: Option<Choices>,
    error: Option<ApiError>,
    /// Whether the form was checked and nothing is wrong.
    is_good: bool,
    /// Begins the ID of the execution.
    run: String,
}

/// A secret that parameters may name.
#[derive(Deserialize)]
struct StoredSecret {
    name: String,
}

/// A credential that fits a slot.
#[derive(Deserialize)]
struct Fitting {
    name: String,
    status: String,
}

pub(super) async fn show(
    State(of): State<Page>,
    session: Session,
    Path((plugin, action)): Path<(String, String)>,
    Query(example): Query<Example>,
) -> Response {
    let mut sheet = Sheet { entered: Entered::new(), run: random_text(), ..Sheet::default() };
    if let Some(number) = example.example {
        match found(&of, &session, &plugin, &action).await {
            Ok((_, described, form)) => {
                let chosen = described.examples.get(number);
                let chosen = chosen.and_then(|one| one.parameters.value().as_object());
                if let Some(parameters) = chosen {
                    sheet.entered = Entered::filled(&form, parameters);
                }
            }
            Err(error) => return failed(&session, Part::Overview, &error),
        }
    }
    respond(&of, &session, &plugin, &action, sheet).await
}

/// Which example of the action to fill in.
#[derive(Deserialize)]
pub(super) struct Example {
    example: Option<usize>,
}

/// The action and its form, if the session may run it.
async fn found(
    of: &Page,
    session: &Session,
    plugin: &str,
    name: &str,
) -> Result<(workflow_node_host::Plugin, Action, Form), ApiError> {
    let plugin = of.state.plugin(&session.caller, plugin)?.clone();
    let action = permitted_action(&session.caller, &plugin, name)?.clone();
    let (own, of_action) = (plugin.clone(), action.name.clone());
    // A form may have thousands of schemas.
    let form = tokio::task::spawn_blocking(move || own.action_form(&of_action)).await;
    let form = form.map_err(|error| ApiError::internal(&error))??;
    Ok((plugin, action, form))
}

async fn respond(of: &Page, session: &Session, plugin: &str, name: &str, sheet: Sheet) -> Response {
    let (plugin, action, form) = match found(of, session, plugin, name).await {
        Ok(found) => found,
        Err(error) => return failed(session, Part::Overview, &error),
    };
    let node = &plugin.description().node;
    let may_run = session.caller.policy.roles.contains(&Role::Run);
    let status = match (&sheet.error, sheet.problems.is_empty()) {
        (Some(error), _) => error.status,
        (None, false) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, true) => StatusCode::OK,
    };
    let shown = Shown::new(
        &sheet.entered,
        &sheet.problems,
        sheet.choices.as_ref(),
        session.caller.policy.raw_secrets,
    );
    let secrets = match has_secrets(&form.fields, &form.variants) {
        true => of.client.get(&session.caller, "/v1/secrets?limit=500").await.ok(),
        false => None,
    };
    let secrets = secrets.and_then(|all| member::<Vec<StoredSecret>>(all, "secrets").ok());
    let secrets: Vec<String> =
        secrets.unwrap_or_default().into_iter().map(|secret| secret.name).collect();
    let shown = shown.secrets(&secrets);
    let at = path(["page", "plugins", &node.name, "actions", &action.name]);
    let is_delete = action.effect.to_string() == "delete";
    let content = html! {
        p.dim {
            a href=(path(["page", "plugins", &node.name])) { (bounded(&node.display_name)) }
            " · " code { (action.name) }
        }
        p.lead { (bounded(&action.description)) }
        p { (effect_mark(&action.effect.to_string())) " " span.dim { (repeating(&action)) } }
        @if !may_run {
            div.notice.warn { p { "Your rights do not include the role " code { "run" } ", so you can look at the form and not run it." } }
        }
        @if !action.examples.is_empty() {
            p {
                "Examples: "
                @for (number, example) in action.examples.iter().enumerate() {
                    @if number > 0 { " · " }
                    a href=(format!("{at}?example={number}")) { (bounded(&example.title)) }
                }
            }
        }
        section {
            form.sheet id="form" method="post" action=(at) novalidate autocomplete="off" {
                (token(session))
                input type="hidden" name="run" value=(sheet.run);
                // Enter in a field checks the form, and runs nothing.
                button.first type="submit" name="do" value="check" tabindex="-1" aria-hidden="true" { "Check" }
                @if let Some(error) = &sheet.error { (problem(error)) }
                @if sheet.is_good {
                    div.notice.good role="status" { p { "The form is complete. Nothing was sent." } }
                }
                (shown.summary(&form))
                (slots(of, session, &node.name, &action, &sheet.entered).await)
                (shown.form(&form))
                (items::form(&sheet.entered, of.state.limits.page_items))
                div.run {
                    @if may_run {
                        button class=(if is_delete { "danger" } else { "" }) type="submit" name="do" value="run" {
                            "Run: " (bounded(&action.title))
                        }
                    }
                    button.quiet type="submit" name="do" value="check" { "Check the form" }
                }
            }
        }
    };
    with_status(status, session, Part::Overview, &bounded(&action.title), &content)
}

fn repeating(action: &Action) -> &'static str {
    match action.idempotency.to_string().as_str() {
        "safe" => "Changes nothing.",
        "idempotent" | "keyed" => "Repeating the same run has no further effect.",
        _ => "Each run takes effect again.",
    }
}

/// One choice of a credential for each slot of the action.
async fn slots(
    of: &Page,
    session: &Session,
    plugin: &str,
    action: &Action,
    entered: &Entered,
) -> Markup {
    let mut slots = Vec::new();
    for (name, used) in &action.slots {
        let query = [("plugin", plugin), ("slot", name), ("limit", "500")];
        let at = super::client::with_query("/v1/credentials", &query);
        let fitting = of.client.get(&session.caller, &at).await;
        let fitting = fitting.and_then(|all| member::<Vec<Fitting>>(all, "credentials"));
        slots.push((name, used.required, fitting));
    }
    let one = slots.len() == 1;
    html! {
        @for (name, is_required, fitting) in &slots {
            @let field = format!("slot:{name}");
            @match fitting {
                Err(error) => (problem(error)),
                Ok(fitting) => div.field {
                    label for=(field) {
                        "Credential" @if !one { " (" (name) ")" }
                        @if *is_required { span.needed { "required" } }
                    }
                    @let chosen = entered.plain(&field);
                    @let chosen = if chosen.is_empty() && fitting.len() == 1 && *is_required { &fitting[0].name } else { chosen };
                    select id=(field) name=(field) aria-required=[is_required.then_some("true")] {
                        option value="" { @if *is_required { "Choose…" } @else { "None" } }
                        @for one in fitting {
                            option value=(one.name) selected[one.name == chosen] {
                                (bounded(&one.name))
                                @if one.status != "connected" { " – " (credentials::status(&one.status).1) }
                            }
                        }
                    }
                    @if fitting.is_empty() {
                        p.hint { "No account is connected that fits. " a href="/page/credentials#connect" { "Connect an account" } }
                    }
                },
            }
        }
    }
}

/// The credentials that were chosen, by slot.
fn chosen(posted: &Posted) -> Map<String, Value> {
    let slots = posted.pairs.iter().filter_map(|(name, value)| {
        let slot = name.strip_prefix("slot:").filter(|_| !value.is_empty())?;
        Some((slot.to_owned(), Value::from(value.as_str())))
    });
    slots.collect()
}

/// The ID of an execution: the same for the same form with the same content, so that a second click
/// runs nothing twice.
fn execution_id(run: &str, call: &Value) -> String {
    let mut hash = Sha256::new();
    for part in [run, &call.to_string()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    format!("page-{}", hash[..12].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

pub(super) async fn change(
    State(of): State<Page>,
    Path((plugin, action)): Path<(String, String)>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let (_, described, form) = match found(&of, session, &plugin, &action).await {
        Ok(found) => found,
        Err(error) => return failed(session, Part::Overview, &error),
    };
    let run = posted.value("run").to_owned();
    let mut sheet = Sheet { entered: Entered::of(&posted.pairs), run, ..Sheet::default() };
    let order = posted.value("do").to_owned();
    let (order, at) = order.split_once(':').unwrap_or((&order, ""));
    match order {
        "add" => sheet.entered.add_row(at),
        "remove" => {
            if let Some((list, row)) = at.rsplit_once('/')
                && let Ok(row) = row.parse()
            {
                sheet.entered.remove_row(list, row);
            }
        }
        "type" => sheet.entered.type_instead(at),
        "show" => {}
        "load" => {
            sheet.choices = Some(load(&of, &posted, &plugin, &action, &form, at, &sheet).await)
        }
        _ => {
            let is_run = order == "run";
            let done =
                run_or_check(&of, &posted, &plugin, &described, &form, is_run, &mut sheet).await;
            if let Some(response) = done {
                return response;
            }
        }
    }
    respond(&of, session, &plugin, &action, sheet).await
}

/// Loads the choices of a field.
async fn load(
    of: &Page,
    posted: &Posted,
    plugin: &str,
    action: &str,
    form: &Form,
    at: &str,
    sheet: &Sheet,
) -> Choices {
    let none = |problem: String| Choices {
        at: at.to_owned(),
        list: Vec::new(),
        has_more: false,
        problem: Some(problem),
    };
    let field: Option<&Field> = field_at(form, &sheet.entered, at);
    let Some(call) = field.and_then(|field| field.options.as_ref()) else {
        return none("The field has no choices.".to_owned());
    };
    let entered = &sheet.entered;
    let search = if entered.search(at).is_empty() { entered.text(at) } else { entered.search(at) };
    let mut parameters = Read::of(form, entered).parameters;
    // Secrets are not needed for a list, and may not be sent where the policy refuses them.
    super::form::without_secrets(&mut parameters, &form.fields);
    let mut query = json!({
        "parameter": call.parameter, "parameters": parameters, "credentials": chosen(posted),
        "limit": CHOICES,
    });
    if !search.is_empty() {
        query["search"] = search.into();
    }
    let options = path(["v1", "plugins", plugin, "actions", action, "options"]);
    let caller = &posted.session.caller;
    let answer = match of.client.call(caller, Method::POST, &options, Some(&query)).await {
        Ok((_, answer)) => answer,
        Err(error) => {
            return none(format!("The choices cannot be loaded: {}", error.detail.message));
        }
    };
    let one = |choice: &Value| {
        let label = choice["label"].as_str().unwrap_or_default().to_owned();
        let description = choice["description"].as_str().map(str::to_owned);
        (Picked { value: choice["value"].clone(), label }, description)
    };
    let list: Vec<_> = answer["choices"].as_array().into_iter().flatten().map(one).collect();
    let has_more = !answer["next_cursor"].is_null() || list.len() > CHOICES;
    let list = list.into_iter().take(CHOICES).collect();
    Choices { at: at.to_owned(), list, has_more, problem: None }
}

/// Checks the form, and runs the action if that was asked for and nothing is wrong.
async fn run_or_check(
    of: &Page,
    posted: &Posted,
    plugin: &str,
    action: &Action,
    form: &Form,
    is_run: bool,
    sheet: &mut Sheet,
) -> Option<Response> {
    let mut read = Read::of(form, &sheet.entered);
    let limits = &of.state.limits;
    let pasted = match Pasted::of(&sheet.entered, limits) {
        Ok(pasted) => pasted,
        Err(problem) => {
            sheet.problems.push((String::new(), problem));
            return None;
        }
    };
    let is_one = pasted.is_none();
    if !is_one {
        read = read.without_missing();
    }
    let Read { parameters, problems } = read;
    sheet.problems = problems;
    let items = match pasted {
        None => vec![Value::Object(parameters)],
        Some(pasted) => pasted.over(&parameters, limits).unwrap_or_else(|problem| {
            sheet.problems.push((String::new(), problem));
            Vec::new()
        }),
    };
    let credentials = chosen(posted);
    for (slot, used) in &action.slots {
        if used.required && !credentials.contains_key(slot) {
            sheet.problems.insert(0, (String::new(), "Choose a credential.".to_owned()));
        }
    }
    let caller = &posted.session.caller;
    if !sheet.problems.is_empty() {
        return None;
    }
    if !is_run {
        let (own, name) = (of.state.plugin(caller, plugin).ok()?.clone(), action.name.clone());
        let checked = tokio::task::spawn_blocking(move || own.validate(&name, &items)).await;
        match checked.map_err(|error| ApiError::internal(&error)).and_then(|all| Ok(all?)) {
            Ok(problems) => {
                sheet.problems = match is_one {
                    true => {
                        let all = problems.into_iter().flatten();
                        all.map(|one| (one.pointer, one.message)).collect()
                    }
                    false => {
                        items::in_words(problems.iter().enumerate().flat_map(|(item, all)| {
                            all.iter()
                                .map(move |one| (item, one.pointer.as_str(), one.message.as_str()))
                        }))
                    }
                };
                sheet.is_good = sheet.problems.is_empty();
            }
            Err(error) => sheet.error = Some(error),
        }
        return None;
    }
    let mut call = json!({"credentials": credentials, "items": items});
    if items::goes_on(&sheet.entered) {
        call["options"] = json!({"continue_on_fail": true});
    }
    let id = execution_id(&sheet.run, &call);
    call["execution_id"] = id.as_str().into();
    call["workflow"] = "the page".into();
    match super::runs::begin(of, &posted.session, plugin, &action.name, &id, &call).await {
        Ok(()) => Some(redirect(&path(["page", "executions", &id]))),
        Err(error) => {
            let all = error.detail.problems.iter().map(|one| {
                let (item, pointer) = of_item(&one.pointer).unwrap_or_default();
                (item, pointer, one.message.as_str())
            });
            sheet.problems = match is_one {
                true => all.map(|(_, at, message)| (at.to_owned(), message.to_owned())).collect(),
                false => items::in_words(all),
            };
            if sheet.problems.is_empty() {
                sheet.error = Some(error);
            }
            None
        }
    }
}

/// The item that a place in a call belongs to, and the place in it.
fn of_item(pointer: &str) -> Option<(usize, &str)> {
    let rest = pointer.strip_prefix("/items/")?;
    let end = rest.find('/').unwrap_or(rest.len());
    Some((rest[..end].parse().ok()?, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_form_with_the_same_content_is_the_same_execution() {
        let call = json!({"items": [{"title": "a"}]});
        let id = execution_id("form", &call);
        assert_eq!(id, execution_id("form", &call));
        assert_ne!(id, execution_id("other form", &call));
        assert_ne!(id, execution_id("form", &json!({"items": [{"title": "b"}]})));
        assert!(id.len() < 40 && id.starts_with("page-"));
    }
}
