//! Names and addresses in place of ids. A parameter that refers to something takes its id, its name
//! where only one has it, or its address at the service; what is sent is the id.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Credential, Hooks, Task};
use crate::declare::{Action, Param, Reference};
use crate::error::{Error, ErrorKind};
use crate::executor::each_bounded;
use crate::text;

/// How many names are looked up at once.
const LOOKUPS: usize = 8;

/// How many candidates a message names.
const CANDIDATES: usize = 5;

type Items = [Result<Map<String, Value>, Error>];

/// What has been found by name, in the order of the names: each is looked up once per call.
type Found = Vec<(Wanted, Result<String, Error>)>;

/// A name that is to be looked up: of what, among what, and the name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    reference: &'static str,
    /// Parameters that the list is read with.
    among: Vec<(&'static str, String)>,
    name: String,
}

/// Replaces names and addresses by ids. An item whose names cannot be resolved fails.
pub(crate) async fn names(
    hooks: Hooks,
    action: &'static Action,
    credential: &Rc<Credential>,
    items: &mut Items,
) {
    // First what stands for itself, then what is found among something else.
    for is_nested in [false, true] {
        let mut found = Found::new();
        let mut wanted = Vec::new();
        for item in items.iter_mut() {
            let Ok(parameters) = item else { continue };
            let all = parameters.clone();
            let mut visitor =
                Visitor { hooks, all: &all, is_nested, wanted: &mut wanted, found: None };
            if let Err(error) = visitor.members(action.parameters, parameters, "") {
                *item = Err(error);
            }
        }
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() {
            continue;
        }
        each_bounded(
            wanted,
            LOOKUPS,
            |_, wanted| async move {
                let id = look_up(hooks, credential, &wanted).await;
                (wanted, id)
            },
            |_, found_one| found.push(found_one),
        )
        .await;
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        for item in items.iter_mut() {
            let Ok(parameters) = item else { continue };
            let all = parameters.clone();
            let mut none = Vec::new();
            let mut visitor =
                Visitor { hooks, all: &all, is_nested, wanted: &mut none, found: Some(&found) };
            if let Err(error) = visitor.members(action.parameters, parameters, "") {
                *item = Err(error);
            }
        }
    }
}

fn find<'a>(found: &'a Found, wanted: &Wanted) -> Option<&'a Result<String, Error>> {
    let at = found.binary_search_by(|(one, _)| one.cmp(wanted)).ok()?;
    found.get(at).map(|(_, id)| id)
}

/// Visits the references in an item: collects what must be looked up, or puts in what was found.
struct Visitor<'a> {
    hooks: Hooks,
    /// All parameters of the item, for lists that are read with some of them.
    all: &'a Map<String, Value>,
    is_nested: bool,
    wanted: &'a mut Vec<Wanted>,
    found: Option<&'a Found>,
}

impl Visitor<'_> {
    fn members(
        &mut self,
        declared: &[&'static Param],
        given: &mut Map<String, Value>,
        at: &str,
    ) -> Result<(), Error> {
        for param in declared {
            let reference = param.reference_beside(given);
            let Some(value) = given.get_mut(param.name) else {
                continue;
            };
            let at = [at, "/", param.name].concat();
            if !param.members().is_empty() {
                match value {
                    Value::Object(inner) => self.members(param.members(), inner, &at)?,
                    Value::Array(list) => {
                        for one in list {
                            if let Value::Object(inner) = one {
                                self.members(param.members(), inner, &at)?;
                            }
                        }
                    }
                    _ => {}
                }
            }
            if reference.is_empty() {
                continue;
            }
            let Some(reference) = self.hooks.declaration.reference(reference) else {
                continue;
            };
            match value {
                Value::Array(list) => {
                    for one in list {
                        self.one(reference, one, &at)?;
                    }
                }
                one => self.one(reference, one, &at)?,
            }
        }
        Ok(())
    }

    fn one(
        &mut self,
        reference: &'static Reference,
        value: &mut Value,
        at: &str,
    ) -> Result<(), Error> {
        let Value::String(text) = value else {
            return Ok(());
        };
        let name = match read(self.hooks, reference, text) {
            Ok(Given::Id(id)) => {
                if let Some(id) = id {
                    *text = id;
                }
                return Ok(());
            }
            Ok(Given::Name(name)) => name,
            Err(message) => return Err(Error::invalid(at, message)),
        };
        let parents = parents(self.hooks, reference);
        if parents.is_empty() == self.is_nested {
            return Ok(());
        }
        let mut among = Vec::with_capacity(parents.len());
        for parent in parents {
            let Some(Value::String(id)) = self.all.get(parent) else {
                let message =
                    ["is a name, and `", parent, "` is not there to look it up: give the id"];
                return Err(Error::invalid(at, message.concat()));
            };
            among.push((parent, id.clone()));
        }
        let wanted = Wanted { reference: reference.name, among, name };
        match self.found {
            None => self.wanted.push(wanted),
            Some(found) => match find(found, &wanted) {
                Some(Ok(id)) => *text = id.clone(),
                Some(Err(error)) if error.kind == ErrorKind::InvalidInput => {
                    return Err(Error::invalid(at, error.message.clone()));
                }
                Some(Err(error)) => return Err(error.clone()),
                None => {}
            },
        }
        Ok(())
    }
}

/// What a person has given for a reference.
enum Given {
    /// Its id; `None` where the text is the id as it stands.
    Id(Option<String>),
    /// Its name.
    Name(String),
}

fn read(hooks: Hooks, reference: &Reference, given: &str) -> Result<Given, String> {
    let given_trimmed = given.trim_ascii();
    if let Some(id) = given_trimmed.strip_prefix("id:") {
        return Ok(Given::Id(Some(id.trim_ascii().to_owned())));
    }
    if let Some(name) = given_trimmed.strip_prefix("name:") {
        return Ok(Given::Name(name.trim_ascii().to_owned()));
    }
    if let Some((scheme, rest)) = given_trimmed.split_once("://")
        && matches!(scheme, "http" | "https")
    {
        return match id_in_address(reference, rest) {
            Some(id) => Ok(Given::Id(Some(id.to_owned()))),
            None => Err(["is an address, but not of ", reference.words].concat()),
        };
    }
    if (hooks.is_id)(reference, given_trimmed) {
        let id = (given_trimmed.len() != given.len()).then(|| given_trimmed.to_owned());
        return Ok(Given::Id(id));
    }
    Ok(Given::Name(given_trimmed.to_owned()))
}

/// The id after one of the reference's segments.
fn id_in_address<'a>(reference: &Reference, rest: &'a str) -> Option<&'a str> {
    let path = rest.split(['?', '#']).next()?;
    let mut segments = path.split('/').skip(1);
    let mut id = None;
    while let Some(segment) = segments.next() {
        if reference.segments.contains(&segment) {
            let next = segments.next().unwrap_or_default();
            // `/users/new` and the like name nothing.
            id = (!next.is_empty()).then_some(next).or(id);
        }
    }
    id
}

/// The parameters that stand in the path of the list.
pub(super) fn parents(hooks: Hooks, reference: &Reference) -> Vec<&'static str> {
    let mut parents = Vec::new();
    if let Some(list) = hooks.declaration.action(reference.list) {
        for segment in list.route.path.split('/') {
            if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                parents.push(name);
            }
        }
    }
    parents
}

async fn look_up(
    hooks: Hooks,
    credential: &Rc<Credential>,
    wanted: &Wanted,
) -> Result<String, Error> {
    let Some(reference) = hooks.declaration.reference(wanted.reference) else {
        return Err(Error::new(ErrorKind::Internal, "a parameter refers to nothing declared"));
    };
    let mut parameters = Map::new();
    for (name, value) in &wanted.among {
        parameters.insert((*name).to_owned(), Value::from(value.as_str()));
    }
    if let Some(special) = (hooks.find)(reference, &wanted.name, credential) {
        return special.await;
    }
    if !reference.search.is_empty() {
        parameters.insert(reference.search.to_owned(), Value::from(wanted.name.as_str()));
    }
    parameters.insert("all".to_owned(), Value::Bool(true));
    let task = Task::with_hooks(hooks, 0, reference.list, credential, parameters)?;
    let records = match task.records().await {
        Ok(records) => records,
        Err(mut error) => {
            if error.kind == ErrorKind::Forbidden {
                error.message.push_str(
                    " A name can be looked up only with the right to read; give the id instead.",
                );
            }
            return Err(error);
        }
    };
    choose(reference, &wanted.name, &records)
}

/// The id of the one record that has this name.
fn choose(reference: &Reference, name: &str, records: &[Value]) -> Result<String, Error> {
    let mut ids: Vec<&str> = Vec::new();
    let mut similar: Vec<&str> = Vec::new();
    for record in records {
        let Some(id) = record.get("id").and_then(Value::as_str) else {
            continue;
        };
        let mut is_meant = false;
        for label in reference.labels {
            let Some(value) = record.get(*label).and_then(Value::as_str) else {
                continue;
            };
            is_meant |= value.trim_ascii().eq_ignore_ascii_case(name);
            if similar.len() < CANDIDATES
                && !similar.contains(&value)
                && text::contains(value, name)
            {
                similar.push(value);
            }
        }
        if is_meant && !ids.contains(&id) {
            ids.push(id);
        }
    }
    let words = reference.words;
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => {
            let mut message =
                ["`", shown(name), "` is neither the id nor the name of ", words].concat();
            if !similar.is_empty() {
                message.push_str("; similar: ");
                message.push_str(&text::join(&similar, ", "));
            }
            Err(Error::invalid("", message))
        }
        several => {
            let mut message =
                ["`", shown(name), "` is the name of more than one: ", &text::join(several, ", ")]
                    .concat();
            message.push_str("; give the id");
            Err(Error::invalid("", message))
        }
    }
}

/// As much of a name as is read in a sentence.
fn shown(name: &str) -> &str {
    name.char_indices().nth(60).map_or(name, |(end, _)| &name[..end])
}

/// A value as a person may give it, brought into the form of an id where that needs no request.
pub(super) fn plain_id(hooks: Hooks, reference: &Reference, value: &Value) -> Option<String> {
    let Value::String(given) = value else {
        return None;
    };
    match read(hooks, reference, given) {
        Ok(Given::Id(id)) => Some(id.unwrap_or_else(|| given.clone())),
        _ => None,
    }
}
