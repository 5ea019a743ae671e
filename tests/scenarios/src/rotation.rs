//! A bot for rotations: it looks who is on call, and puts the person of a rotation on call by an
//! override for each shift. When its access ends, each rotation that used it falls back to manual: the
//! shifts stand in the rotation, and somebody enters them by hand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use workflow_node_host::oauth::{CredentialEnded, CredentialEvents};

use crate::{By, Failed, World};

/// When somebody is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// Who, by e-mail.
    pub who: String,
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
}

/// How a rotation is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// By the bot.
    Automatic,
    /// By people, and why.
    Manual(String),
}

/// A rotation.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The schedule, by name.
    pub schedule: String,
    /// How it is kept.
    pub keeping: Keeping,
}

/// The bot.
#[derive(Debug, Default)]
pub struct Bot {
    rotations: Mutex<BTreeMap<String, Rotation>>,
}

impl Bot {
    fn rotations(&self) -> MutexGuard<'_, BTreeMap<String, Rotation>> {
        self.rotations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a rotation over; its name is the workflow's.
    pub fn take_over(&self, name: &str, schedule: &str) {
        let rotation = Rotation { schedule: schedule.to_owned(), keeping: Keeping::Automatic };
        self.rotations().insert(name.to_owned(), rotation);
    }

    /// A rotation.
    ///
    /// # Panics
    ///
    /// When there is none of that name.
    pub fn rotation(&self, name: &str) -> Rotation {
        self.rotations()[name].clone()
    }

    /// Who is on call in a rotation now, by name.
    ///
    /// # Errors
    ///
    /// What PagerDuty says against it.
    pub async fn on_call(
        &self,
        world: &World,
        user: &str,
        credential: &str,
        rotation: &str,
    ) -> Result<Vec<String>, Failed> {
        let by = By { user, workflow: rotation };
        let schedule = self.rotation(rotation).schedule;
        let on_calls = world
            .ask(by, credential, "on_call.now", json!({"schedule_id": schedule, "simplify": true}))
            .await?;
        let name = |one: &Value| one["user"].as_str().unwrap_or_default().to_owned();
        Ok(on_calls.iter().map(name).collect())
    }

    /// Puts people on call, one override for each shift; all at once. What cannot be done makes the
    /// rotation manual.
    pub async fn apply(
        &self,
        world: &World,
        user: &str,
        credential: &str,
        rotation: &str,
        shifts: &[Shift],
    ) -> Vec<Result<Value, Failed>> {
        let by = By { user, workflow: rotation };
        let schedule = self.rotation(rotation).schedule;
        let items: Vec<Value> = shifts
            .iter()
            .map(|shift| {
                json!({"schedule_id": schedule, "user_id": shift.who, "start": shift.start,
                    "end": shift.end})
            })
            .collect();
        let results: Vec<Result<Value, Failed>> =
            match world.run(by, credential, "schedule_override.create", &items).await {
                Err(error) => vec![Err(error.into())],
                Ok(outcome) => outcome
                    .items
                    .into_iter()
                    .map(|item| match item.error {
                        Some(error) => Err(error.into()),
                        None => Ok(item.output.first().map(|one| one.value()).unwrap_or_default()),
                    })
                    .collect(),
            };
        if let Some(Err(error)) = results.iter().find(|result| result.is_err()) {
            self.fall_back(rotation, &error.message);
        }
        results
    }

    fn fall_back(&self, rotation: &str, reason: &str) {
        if let Some(rotation) = self.rotations().get_mut(rotation) {
            rotation.keeping = Keeping::Manual(reason.to_owned());
        }
    }
}

#[async_trait]
impl CredentialEvents for Bot {
    async fn disconnected(&self, event: &CredentialEnded) {
        for dependant in &event.dependants {
            self.fall_back(&dependant.workflow, &event.reason);
        }
    }

    async fn needs_reconnect(&self, event: &CredentialEnded) {
        self.disconnected(event).await;
    }
}
