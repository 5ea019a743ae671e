//! Forms compiled from the parameter schemas of actions and triggers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{MOST_PROBLEMS, Plugin, unknown};
use crate::description::schema::Validator;
use crate::description::{Description, FieldProblem};
use crate::description::{InputSecret, input_secrets};
use crate::error::Error;
use crate::execution::FormOf;
use crate::handle::looks_like_handle;
use crate::limits::exceeded;
use crate::shared::Shared;

impl Plugin {
    /// The places (RFC 6901) at which parameters of an action or a trigger hold a secret itself, not
    /// a handle of one. For an engine that must not store secrets in its workflows.
    ///
    /// # Errors
    ///
    /// If the plugin has no such action or trigger.
    pub fn raw_secrets(&self, name: &str, parameters: &Value) -> Result<Vec<String>, Error> {
        let mut places = self.secret_places(name, parameters)?;
        let text = |pointer: &str| parameters.pointer(pointer).and_then(Value::as_str);
        places.retain(|pointer| !text(pointer).is_some_and(looks_like_handle));
        Ok(places)
    }

    /// The places (RFC 6901) at which parameters of an action or a trigger hold a secret or a handle of
    /// one.
    ///
    /// # Errors
    ///
    /// If the plugin has no such action or trigger.
    pub fn secret_places(&self, name: &str, parameters: &Value) -> Result<Vec<String>, Error> {
        let form = self.form_of(name)?;
        let mut found = Vec::new();
        for secret in &form.secrets {
            secret.each(parameters, &mut |pointer, _| found.push(pointer.to_owned()));
        }
        Ok(found)
    }

    /// Whether parameters of an action or a trigger may hold secrets.
    ///
    /// # Errors
    ///
    /// If the plugin has no such action or trigger.
    pub fn takes_secrets(&self, name: &str) -> Result<bool, Error> {
        Ok(!self.form_of(name)?.secrets.is_empty())
    }

    fn form_of(&self, name: &str) -> Result<Arc<CompiledForm>, Error> {
        let of = match self.description.trigger(name) {
            Some(_) => FormOf::Trigger(name.to_owned()),
            None => FormOf::Action(self.action(name)?.name.clone()),
        };
        self.form(&of)
    }
}

/// The forms of a plugin that were used lately.
#[derive(Default)]
pub(super) struct Forms(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    forms: HashMap<String, Arc<CompiledForm>>,
    /// Bytes of their schemas.
    weight: usize,
}

impl Forms {
    /// Bytes of schemas that are kept compiled.
    const MOST: usize = 16 * 1024 * 1024;

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, of: &FormOf) -> Option<Arc<CompiledForm>> {
        self.kept().forms.get(&of.key()).cloned()
    }

    pub(super) fn keep(&self, of: &FormOf, form: CompiledForm) -> Arc<CompiledForm> {
        let (form, weight) = (Arc::new(form), 1_024);
        let weight = form.validator.weight() + weight;
        let mut kept = self.kept();
        if kept.weight + weight > Self::MOST {
            *kept = Kept::default();
        }
        kept.weight += weight;
        kept.forms.insert(of.key(), form.clone());
        form
    }
}

/// A compiled form.
pub(super) struct CompiledForm {
    /// Bytes that a secret may have.
    most: usize,
    validator: Validator,
    /// Where secrets are in the parameters.
    pub(super) secrets: Vec<InputSecret>,
}

impl CompiledForm {
    /// Compiles a form. Takes time.
    pub(super) fn new(
        description: &Description,
        of: &FormOf,
        shared: &Shared,
    ) -> Result<Self, Error> {
        let parameters = match of {
            FormOf::Action(name) => description.node.action(name).map(|one| &one.parameters),
            FormOf::Trigger(name) => description.trigger(name).map(|one| &one.parameters),
        };
        let Some(parameters) = parameters else {
            return Err(unknown("form", of.name(), std::iter::empty()));
        };
        let schemas = &description.node.schemas;
        let limits = &shared.process_limits;
        let validator = Validator::new(schemas, parameters, limits).map_err(Error::refused)?;
        Ok(Self {
            most: limits.secret,
            validator: validator.steps(shared.limits.schema_steps),
            secrets: input_secrets(schemas, parameters).map_err(Error::refused)?,
        })
    }

    /// Whether items are validated in next to no time.
    pub(super) fn is_brief(&self, items: &[Value]) -> bool {
        self.validator.is_brief(items)
    }

    /// Everything that is wrong with parameters, in words that say nothing of their secrets.
    pub(super) fn problems(&self, parameters: &Value) -> Vec<FieldProblem> {
        let too_large = self.too_large(parameters);
        if !too_large.is_empty() || self.validator.is_valid(parameters) {
            return too_large;
        }
        let is_secret = |place: &str| self.secrets.iter().any(|secret| secret.touches(place));
        self.validator.problems_told(parameters, &is_secret)
    }

    /// Secrets that no handle is made for.
    fn too_large(&self, parameters: &Value) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        for secret in &self.secrets {
            secret.each(parameters, &mut |pointer, text| {
                if text.len() > self.most && problems.len() < MOST_PROBLEMS {
                    let message = exceeded("this secret", "secret", self.most);
                    problems.push(FieldProblem { pointer: pointer.to_owned(), message });
                }
            });
        }
        problems
    }
}
