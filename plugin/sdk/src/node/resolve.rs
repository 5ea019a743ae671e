//! Names and URLs in place of IDs. A parameter that refers to an object takes its ID, its name if
//! that is unique, or its URL at the service; the SDK sends the ID.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Credential, Hooks, Likeness, Task};
use crate::declare::{Action, Param, Reference};
use crate::error::{Error, ErrorKind};
use crate::executor::each_bounded;
use crate::text;

/// How many names are looked up concurrently.
const LOOKUPS: usize = 8;

/// How many candidates a message lists.
const CANDIDATES: usize = 5;

/// How many names are remembered. A stream with more distinct names clears the memory and starts
/// over, so that it stays bounded.
const REMEMBERED: usize = 1_024;

type Items = [Result<Map<String, Value>, Error>];

/// The ID for a name, or the reason why there is none.
type Found = Result<String, Error>;

thread_local! {
    /// Names that were looked up. An instance serves one execution, whose items may arrive in
    /// several calls; each name is looked up once.
    static REMEMBERS: RefCell<BTreeMap<Lookup, Found>> = const { RefCell::new(BTreeMap::new()) };
}

/// Clears the memory, as in a new instance.
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub(crate) fn forget() {
    REMEMBERS.with_borrow_mut(BTreeMap::clear);
}

/// A name to look up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lookup {
    pub(super) reference: &'static str,
    /// Parameters with which the list is read.
    pub(super) among: Vec<(&'static str, String)>,
    pub(super) name: String,
    /// Whether it may be an ID as well: if no record has the name, it is looked up by its ID.
    pub(super) may_be_id: bool,
}

/// A name that an item contains in place of an ID.
struct Named {
    item: usize,
    /// The path from the item's parameters to the name.
    at: Vec<Step>,
    reference: &'static Reference,
    name: String,
    /// Whether it may be an ID as well.
    may_be_id: bool,
}

/// A step of the path from an item's parameters to a value.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Member(&'static str),
    Element(usize),
}

/// Replaces names and URLs with IDs. An item whose names cannot be resolved fails.
pub(crate) async fn names(
    hooks: Hooks,
    action: &'static Action,
    credential: &Rc<Credential>,
    items: &mut Items,
) {
    if !refers(action.parameters) {
        return;
    }
    let mut named = Vec::new();
    for (index, item) in items.iter_mut().enumerate() {
        let Ok(parameters) = item else { continue };
        let before = named.len();
        let mut visitor = Visitor { hooks, item: index, named: &mut named, at: Vec::new() };
        if let Err(error) = visitor.members(action.parameters, parameters) {
            named.truncate(before);
            *item = Err(error);
        }
    }
    // First the names in a separate list; then those in the parts of an object that may itself
    // have been named.
    for is_nested in [false, true] {
        let mut lookups = Vec::new();
        for one in &named {
            let parents = parents(hooks, one.reference);
            if parents.is_empty() == is_nested {
                continue;
            }
            let Some(Ok(parameters)) = items.get(one.item) else { continue };
            match one.lookup(&parents, parameters) {
                Ok(lookup) => lookups.push((one, lookup)),
                Err(error) => items[one.item] = Err(error),
            }
        }
        look_up_all(hooks, credential, lookups.iter().map(|(_, lookup)| lookup)).await;
        for (one, lookup) in &lookups {
            let Some(found) = REMEMBERS.with_borrow(|known| known.get(lookup).cloned()) else {
                continue;
            };
            let Ok(parameters) = &mut items[one.item] else { continue };
            match found {
                Ok(id) => one.replace(parameters, id),
                Err(error) if error.kind == ErrorKind::InvalidInput => {
                    items[one.item] = Err(Error::invalid(one.pointer(), error.message));
                }
                Err(error) => items[one.item] = Err(error),
            }
        }
    }
    // A failure that may be temporary is not remembered: the next items try again.
    REMEMBERS.with_borrow_mut(|known| {
        known.retain(|_, found| {
            found.as_ref().map_or_else(|error| error.kind == ErrorKind::InvalidInput, |_| true)
        });
    });
}

/// Looks up the unknown names, each once.
async fn look_up_all(
    hooks: Hooks,
    credential: &Rc<Credential>,
    lookups: impl Iterator<Item = &Lookup>,
) {
    let unknown = REMEMBERS.with_borrow_mut(|known| {
        if known.len() > REMEMBERED {
            known.clear();
        }
        let mut unknown: Vec<&Lookup> =
            lookups.filter(|lookup| !known.contains_key(lookup)).collect();
        unknown.sort();
        unknown.dedup();
        unknown
    });
    each_bounded(
        unknown,
        LOOKUPS,
        |_, lookup| async move { (lookup, look_up(hooks, credential, lookup).await) },
        |_, (lookup, found)| {
            REMEMBERS.with_borrow_mut(|known| known.insert(lookup.clone(), found));
        },
    )
    .await;
}

/// Whether any of these parameters, or their members, is the ID of an object.
fn refers(parameters: &[&Param]) -> bool {
    parameters.iter().any(|param| param.refers() || refers(param.members()))
}

impl Named {
    fn lookup(
        &self,
        parents: &[&'static str],
        parameters: &Map<String, Value>,
    ) -> Result<Lookup, Error> {
        let mut among = Vec::with_capacity(parents.len());
        for parent in parents {
            let Some(Value::String(id)) = parameters.get(*parent) else {
                let message =
                    ["is a name, and `", parent, "` is not there to look it up: give the id"];
                return Err(Error::invalid(self.pointer(), message.concat()));
            };
            among.push((*parent, id.clone()));
        }
        let (reference, may_be_id) = (self.reference.name, self.may_be_id);
        Ok(Lookup { reference, among, name: self.name.clone(), may_be_id })
    }

    fn replace(&self, parameters: &mut Map<String, Value>, id: String) {
        let mut steps = self.at.iter();
        let Some(Step::Member(name)) = steps.next() else { return };
        let mut place = parameters.get_mut(*name);
        for step in steps {
            place = place.and_then(|value| match step {
                Step::Member(name) => value.get_mut(*name),
                Step::Element(index) => value.get_mut(*index),
            });
        }
        if let Some(place) = place {
            *place = Value::String(id);
        }
    }

    fn pointer(&self) -> String {
        pointer(&self.at)
    }
}

/// The path as a pointer (RFC 6901).
pub(super) fn pointer(steps: &[Step]) -> String {
    let mut pointer = String::new();
    for step in steps {
        pointer.push('/');
        match step {
            Step::Member(name) => pointer.push_str(name),
            Step::Element(index) => pointer.push_str(&index.to_string()),
        }
    }
    pointer
}

/// Visits the references in an item: normalizes IDs and URLs, and collects the names.
struct Visitor<'a> {
    hooks: Hooks,
    item: usize,
    named: &'a mut Vec<Named>,
    /// The path to the value that is visited.
    at: Vec<Step>,
}

impl Visitor<'_> {
    fn members(
        &mut self,
        declared: &[&'static Param],
        given: &mut Map<String, Value>,
    ) -> Result<(), Error> {
        for param in declared {
            let members = param.members();
            if members.is_empty() && !param.refers() {
                continue;
            }
            let reference = param.reference_beside(given);
            let Some(value) = given.get_mut(param.name) else {
                continue;
            };
            self.at.push(Step::Member(param.name));
            if !members.is_empty() {
                self.each(value, &mut |visitor, one| match one {
                    Value::Object(inner) => visitor.members(members, inner),
                    _ => Ok(()),
                })?;
            }
            if let Some(reference) =
                reference.and_then(|name| self.hooks.declaration.reference(name))
            {
                self.each(value, &mut |visitor, one| visitor.one(reference, one))?;
            }
            self.at.pop();
        }
        Ok(())
    }

    /// Visits the elements of a list, or a single value.
    fn each(
        &mut self,
        value: &mut Value,
        visit: &mut dyn FnMut(&mut Self, &mut Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Value::Array(list) = value else {
            return visit(self, value);
        };
        for (index, one) in list.iter_mut().enumerate() {
            self.at.push(Step::Element(index));
            visit(self, one)?;
            self.at.pop();
        }
        Ok(())
    }

    fn one(&mut self, reference: &'static Reference, value: &mut Value) -> Result<(), Error> {
        let Value::String(text) = value else {
            return Ok(());
        };
        match read(self.hooks, reference, text) {
            Ok(Given::Id(id)) => {
                if let Some(id) = id {
                    *text = id;
                }
                Ok(())
            }
            Ok(Given::Name { name, may_be_id }) => {
                let at = self.at.clone();
                self.named.push(Named { item: self.item, at, reference, name, may_be_id });
                Ok(())
            }
            Err(message) => Err(Error::invalid(pointer(&self.at), message)),
        }
    }
}

/// The form in which a person has given a reference.
enum Given {
    /// An ID; `None` if the text is the ID unchanged.
    Id(Option<String>),
    /// A name, which may be an ID as well.
    Name { name: String, may_be_id: bool },
}

fn read(hooks: Hooks, reference: &Reference, given: &str) -> Result<Given, String> {
    let given_trimmed = given.trim_ascii();
    if let Some(id) = given_trimmed.strip_prefix("id:") {
        return Ok(Given::Id(Some(id.trim_ascii().to_owned())));
    }
    if let Some(name) = given_trimmed.strip_prefix("name:") {
        return Ok(Given::Name { name: name.trim_ascii().to_owned(), may_be_id: false });
    }
    if let Some((scheme, rest)) = given_trimmed.split_once("://")
        && matches!(scheme, "http" | "https")
    {
        return match id_in_address(reference, rest) {
            Some(id) => Ok(Given::Id(Some(id.to_owned()))),
            None => Err(["is an address, but not of ", reference.noun].concat()),
        };
    }
    let likeness = (hooks.likeness)(reference, given_trimmed);
    if likeness == Likeness::Id {
        let id = (given_trimmed.len() != given.len()).then(|| given_trimmed.to_owned());
        return Ok(Given::Id(id));
    }
    let may_be_id = likeness == Likeness::Either;
    Ok(Given::Name { name: given_trimmed.to_owned(), may_be_id })
}

/// The ID after one of the reference's path segments.
fn id_in_address<'a>(reference: &Reference, rest: &'a str) -> Option<&'a str> {
    // Some pages have the ID in the fragment: `/escalation_policies#PABC123`, `/#/users/PABC123`.
    let (path, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let without_query = |part: &'a str| part.split('?').next().unwrap_or_default();
    let host_and_path = without_query(path).split('/').skip(1);
    let mut segments = host_and_path
        .chain(without_query(fragment).split('/'))
        .filter(|segment| !segment.is_empty());
    let mut id = None;
    while let Some(segment) = segments.next() {
        if reference.segments.contains(&segment) {
            let next = segments.next().unwrap_or_default();
            // `/users/new` and similar pages do not contain an ID.
            id = (!next.is_empty()).then_some(next).or(id);
        }
    }
    id
}

/// The parameters in the path of the list.
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

async fn look_up(hooks: Hooks, credential: &Rc<Credential>, wanted: &Lookup) -> Found {
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
    // One request shows whether it is an ID; only a name needs the list.
    if wanted.may_be_id
        && let Some(id) = by_id(hooks, credential, reference, wanted).await
    {
        return Ok(id);
    }
    if let Some(search) = reference.search {
        parameters.insert(search.to_owned(), Value::from(wanted.name.as_str()));
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
    match choose(reference, &wanted.name, &records) {
        // If IDs cannot be looked up, the service decides.
        Err(error) if error.kind == ErrorKind::InvalidInput => {
            let is_unknown = wanted.may_be_id && reference.get.is_none();
            if is_unknown { Ok(wanted.name.clone()) } else { Err(error) }
        }
        chosen => chosen,
    }
}

/// The ID, if an object with it exists.
async fn by_id(
    hooks: Hooks,
    credential: &Rc<Credential>,
    reference: &Reference,
    wanted: &Lookup,
) -> Option<String> {
    let found = get(hooks, credential, reference, wanted)?.await;
    found.ok().map(|_| wanted.name.clone())
}

/// Reads the record with the ID; `None` if no action reads one.
fn get<'a>(
    hooks: Hooks,
    credential: &Rc<Credential>,
    reference: &Reference,
    wanted: &'a Lookup,
) -> Option<impl Future<Output = super::Outcome> + use<'a>> {
    let get = reference.get?;
    let action = hooks.declaration.action(get)?;
    let mut parameters = Map::new();
    for (name, value) in &wanted.among {
        parameters.insert((*name).to_owned(), Value::from(value.as_str()));
    }
    let own = action.route.path.rsplit('/').next()?;
    let own = own.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))?;
    parameters.insert(own.to_owned(), Value::from(wanted.name.as_str()));
    let task = Task::with_hooks(hooks, 0, get, credential, parameters).ok()?;
    Some(async move { task.run_declared().await })
}

/// Whether an object with the ID exists. One that cannot be looked up counts as existing.
pub(super) async fn is_known(task: &Task, reference: &Reference, wanted: &Lookup) -> bool {
    let is_id = |found: &Found| found.as_ref().is_ok_and(|id| *id == wanted.name);
    let is_found = |known: &BTreeMap<Lookup, Found>| {
        known.iter().any(|(one, found)| one.reference == wanted.reference && is_id(found))
    };
    if REMEMBERS.with_borrow(is_found) {
        return true;
    }
    let found = match get(task.hooks, &task.credential, reference, wanted) {
        Some(get) => get.await.map(|_| true),
        None => listed(task, reference, wanted).await,
    };
    match found {
        Ok(false) => false,
        Err(error) => error.kind != ErrorKind::NotFound,
        Ok(true) => {
            let found = Ok(wanted.name.clone());
            REMEMBERS.with_borrow_mut(|known| known.insert(wanted.clone(), found));
            true
        }
    }
}

/// Whether the list has a record with the ID.
async fn listed(task: &Task, reference: &Reference, wanted: &Lookup) -> Result<bool, Error> {
    let mut parameters = Map::new();
    for (name, value) in &wanted.among {
        parameters.insert((*name).to_owned(), Value::from(value.as_str()));
    }
    parameters.insert("all".to_owned(), Value::Bool(true));
    let records = task.other(reference.list, parameters)?.records().await?;
    Ok(records.iter().any(|one| {
        Reference::at(one, reference.value).and_then(Value::as_str) == Some(&wanted.name)
    }))
}

/// The error for a name or an ID that does not exist.
pub(super) fn unknown(reference: &Reference, name: &str) -> String {
    ["`", shown(name), "` is neither the ID nor the name of ", reference.noun].concat()
}

/// The ID of the only record with this name.
fn choose(reference: &Reference, name: &str, records: &[Value]) -> Result<String, Error> {
    let mut ids: Vec<&str> = Vec::new();
    let mut similar: Vec<&str> = Vec::new();
    for record in records {
        let Some(id) = Reference::at(record, reference.value).and_then(Value::as_str) else {
            continue;
        };
        let mut is_meant = false;
        for label in reference.labels {
            let Some(value) = Reference::at(record, label).and_then(Value::as_str) else {
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
    match ids.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => {
            let mut message = unknown(reference, name);
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

/// A name, shortened for a sentence.
fn shown(name: &str) -> &str {
    name.char_indices().nth(60).map_or(name, |(end, _)| &name[..end])
}

/// Normalizes a value to an ID, if that needs no request.
pub(super) fn plain_id(hooks: Hooks, reference: &Reference, value: &Value) -> Option<String> {
    let Value::String(given) = value else {
        return None;
    };
    match read(hooks, reference, given) {
        Ok(Given::Id(id)) => Some(id.unwrap_or_else(|| given.clone())),
        _ => None,
    }
}
