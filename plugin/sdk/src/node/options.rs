//! The choices of form fields: read with the action that lists the objects that a parameter refers
//! to.

use std::rc::Rc;

use serde_json::{Map, Value};
use workflow_node_documents::Document as _;
pub use workflow_node_documents::{Choice, Options, OptionsQuery};

use super::pages::By;
use super::resolve::{parents, plain_id};
use super::{Credential, Hooks, Plugin, Task, listing};
use crate::declare::{Paging, Param, Reference};
use crate::error::{Error, ErrorKind};
use crate::executor::block_on;
use crate::json;
use crate::percent;
use crate::text;

/// How many current values of a form are looked up, to find those that no longer exist.
const CHECKED: usize = 20;

/// Maximum number of choices on a page, if the query does not set it.
const PAGE: u64 = 100;

#[doc(hidden)]
pub fn load_options<P: Plugin>(query: String) -> Result<String, Error> {
    let query = json::value(&query).and_then(OptionsQuery::from_value);
    let query = query.ok_or_else(|| Error::invalid("", "the query is malformed"))?;
    declared(Hooks::of::<P>(), &query)?;
    Ok(block_on(P::options(query))?.to_json())
}

/// The reference of a query's parameter.
fn declared(hooks: Hooks, query: &OptionsQuery) -> Result<&'static Param, Error> {
    let action = hooks.declaration.action(query.form());
    let action = action.or_else(|| hooks.declaration.trigger(query.form()));
    let param = action.and_then(|action| find(action.parameters, &query.parameter));
    let refuse = |message: String| Err(Error::new(ErrorKind::Unsupported, message));
    match param {
        Some(param) if param.refers() => Ok(param),
        Some(_) => refuse(format!("`{}` has no choices", query.parameter)),
        None => refuse(format!("`{1}` has no parameter `{0}`", query.parameter, query.form())),
    }
}

/// A parameter by its path: `rules/targets/user_id` is a member of a member. Positions in lists may
/// be included and are ignored: `rules/0/targets/1/user_id`.
fn find(params: &[&'static Param], path: &str) -> Option<&'static Param> {
    let (name, rest) = match path.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    if let (true, Some(rest)) = (is_place(name), rest) {
        return find(params, rest);
    }
    let param = params.iter().copied().find(|param| param.name == name)?;
    match rest {
        None => Some(param),
        Some(rest) => find(param.members(), rest),
    }
}

/// Whether a step of a path is a position in a list.
fn is_place(step: &str) -> bool {
    !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit())
}

/// The siblings of a parameter in the form, if the path contains the positions of its elements.
fn beside<'a>(parameters: &'a Map<String, Value>, path: &str) -> Option<&'a Map<String, Value>> {
    let Some((step, rest)) = path.split_once('/') else {
        return Some(parameters);
    };
    let (value, rest) = match (parameters.get(step)?, rest.split_once('/')) {
        (Value::Array(list), Some((place, rest))) if is_place(place) => {
            (list.get(place.parse::<usize>().ok()?)?, rest)
        }
        (value, _) => (value, rest),
    };
    beside(value.as_object()?, rest)
}

/// The choices of a parameter's reference.
///
/// # Errors
///
/// If they cannot be read. "Forbidden" is a different error than "not found" or "unavailable". An
/// empty list is not an error.
pub async fn choices<P: Plugin>(query: OptionsQuery) -> Result<Options, Error> {
    let hooks = Hooks::of::<P>();
    let param = declared(hooks, &query)?;
    let beside = beside(&query.parameters, &query.parameter);
    let name = beside.map_or(param.reference, |members| param.reference_beside(members));
    let Some(name) = name else {
        let member = param.decided_by.unwrap_or_default();
        let message = ["choose `", member, "` first: the choices depend on it"];
        return Err(Error::invalid(["/", member].concat(), message.concat()));
    };
    let reference = hooks.declaration.reference(name).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, ["`", param.name, "` has no choices"].concat())
    })?;
    load(hooks, reference, param, query).await
}

async fn load(
    hooks: Hooks,
    reference: &'static Reference,
    param: &'static Param,
    query: OptionsQuery,
) -> Result<Options, Error> {
    let Some(list) = hooks.declaration.action(reference.list) else {
        return Err(Error::new(ErrorKind::Internal, "a reference lists with no declared action"));
    };
    let credential = Rc::new(Credential::in_slot(list.slot)?);
    let mut parameters = Map::new();
    for parent in parents(hooks, reference) {
        let Some(value) = query.parameters.get(parent).filter(|value| value.is_string()) else {
            let message = ["choose `", parent, "` first: the choices depend on it"];
            return Err(Error::invalid(["/", parent].concat(), message.concat()));
        };
        parameters.insert(parent.to_owned(), value.clone());
    }
    let search = query.search.as_deref().map(str::trim_ascii).filter(|text| !text.is_empty());
    if let (Some(search), Some(parameter)) = (search, reference.search) {
        parameters.insert(parameter.to_owned(), Value::from(search));
    }
    let task = Task::with_hooks(hooks, 0, reference.list, &credential, parameters.clone())?;
    let is_first = query.cursor.is_none() && search.is_none();
    let mut options = match search {
        Some(search) if reference.search.is_none() => {
            // The service does not search: all records are read and filtered here.
            let everything = Task { parameters: with_all(parameters.clone()), ..task };
            let mut options = Options::default();
            for record in allowed(everything.records().await, &everything)? {
                options.choices.extend(choice(&record, reference).filter(|choice| {
                    text::contains(&choice.label, search)
                        || choice.description.as_ref().is_some_and(|d| text::contains(d, search))
                }));
            }
            options
        }
        _ => page(&task, reference, &query).await?,
    };
    if let (Some(get), true) = (reference.get, is_first) {
        let context = (reference, get, param);
        options.stale = stale(hooks, context, &query, &parameters, &credential).await?;
    }
    Ok(options)
}

fn with_all(mut parameters: Map<String, Value>) -> Map<String, Value> {
    parameters.insert("all".to_owned(), Value::Bool(true));
    parameters
}

/// One page of choices.
async fn page(task: &Task, reference: &Reference, query: &OptionsQuery) -> Result<Options, Error> {
    let Some((member, paging)) = task.action.route.answer.list() else {
        return Err(Error::new(
            ErrorKind::Internal,
            "a reference lists with an action that does not",
        ));
    };
    let mut request = task.request()?;
    let url = &mut request.url;
    let limit = query.limit.unwrap_or(PAGE);
    let mut start = 0;
    let mut position = None;
    match paging {
        Paging::Offset(paging) => {
            if let Some(cursor) = &query.cursor {
                start = cursor.parse::<u64>().map_err(|_| {
                    Error::invalid("/cursor", "is not one that this node has given")
                })?;
            }
            if !paging.is_undocumented || start > 0 {
                let size = limit.clamp(1, paging.page).to_string();
                percent::append_query(url, paging.limit, &size);
            }
            if start > 0 {
                percent::append_query(url, paging.offset, &start.to_string());
            }
        }
        Paging::Cursor(paging) if !paging.in_body => {
            if let Some(name) = paging.limit {
                percent::append_query(url, name, &limit.clamp(1, paging.page).to_string());
            }
            if let Some(cursor) = &query.cursor {
                percent::append_query(url, paging.cursor, cursor);
            }
        }
        _ => {
            if let Some(by) = pages_by(paging) {
                let (first, at) = by.begin(request, limit, query.cursor.as_deref())?;
                (request, position) = (first, Some(at));
            }
        }
    }
    let asked = request.url.clone();
    let response = allowed(task.send(request).await, task)?;
    let page = listing::page(&response, member)?;
    let count = page.records.len() as u64;
    let next_cursor = match (paging, &mut position) {
        (_, Some(position)) => {
            position.advance(&asked, &response, &page)?.map(|next| position.written(next))
        }
        (Paging::Offset(paging), _) => {
            let total = paging.total.and_then(|total| page.number(total));
            let more = match paging.more {
                Some(more) => page.at(more) == Some("true"),
                None => total.is_none_or(|total| start + count < total),
            };
            (more && count > 0).then(|| (start + count).to_string())
        }
        (Paging::Cursor(paging), _) if !paging.in_body => listing::next_cursor(&page, paging)
            .map(|next| next.as_str().map_or_else(|| json::text(&next), str::to_owned)),
        _ => None,
    };
    let mut options = Options::default();
    for record in &page.records {
        options.choices.extend(json::value(record).and_then(|one| choice(&one, reference)));
    }
    options.next_cursor = next_cursor;
    Ok(options)
}

/// How pages that have a number or a URL follow each other.
fn pages_by(paging: Paging) -> Option<By> {
    match paging {
        Paging::Page(by) => Some(By::Number(by)),
        Paging::Link(by) => Some(By::Link(by)),
        Paging::NextUrl(by) => Some(By::Body(by)),
        _ => None,
    }
}

fn choice(record: &Value, reference: &Reference) -> Option<Choice> {
    let text = |path: &str| Reference::at(record, path)?.as_str().filter(|text| !text.is_empty());
    let id = text(reference.value)?;
    let label = reference.labels.iter().find_map(|label| text(label));
    let label = label.or_else(|| text("summary")).unwrap_or(id);
    let mut choice = Choice::new(id, label);
    choice.description = reference.detail.and_then(text).map(str::to_owned);
    Some(choice)
}

/// The values of the form that no longer exist at the service.
async fn stale(
    hooks: Hooks,
    (reference, get, param): (&Reference, &'static str, &Param),
    query: &OptionsQuery,
    parents: &Map<String, Value>,
    credential: &Rc<Credential>,
) -> Result<Vec<Value>, Error> {
    let held = beside(&query.parameters, &query.parameter);
    let values = match held.and_then(|members| members.get(param.name)) {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => return Ok(Vec::new()),
    };
    let Some(action) = hooks.declaration.action(get) else {
        return Ok(Vec::new());
    };
    let Some(name) = action
        .route
        .path
        .rsplit('/')
        .find_map(|segment| segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')))
    else {
        return Ok(Vec::new());
    };
    let mut stale = Vec::new();
    for value in values.iter().take(CHECKED) {
        let Some(id) = plain_id(hooks, reference, value) else {
            continue;
        };
        let mut parameters = parents.clone();
        parameters.insert(name.to_owned(), Value::from(id));
        let task = Task::with_hooks(hooks, 0, get, credential, parameters)?;
        match task.send(task.request()?).await {
            Err(error) if error.kind == ErrorKind::NotFound => stale.push(value.clone()),
            // The choices are available; whether the value is one of them shows when it is used.
            _ => {}
        }
    }
    Ok(stale)
}

/// Adds what is missing if reading is forbidden.
fn allowed<T>(result: Result<T, Error>, task: &Task) -> Result<T, Error> {
    result.map_err(|mut error| {
        if error.kind == ErrorKind::Forbidden && !task.action.scopes.is_empty() {
            error.message.push_str(" Choices need the right to read (");
            error.message.push_str(&text::join(task.action.scopes, ", "));
            error.message.push_str(").");
        }
        error
    })
}
