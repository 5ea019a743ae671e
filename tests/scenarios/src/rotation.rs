//! A rotation bot: it reads who is on call, and creates an override for each shift of a rotation.
//! If its access ends, each rotation that used it falls back to manual: the rotation keeps the
//! shifts, and people enter them manually.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use workflow_node_host::oauth::{CredentialEnded, CredentialEvents};

use crate::{By, Failed, World};

/// A shift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The user's email address.
    pub who: String,
    /// RFC 3339.
    pub start: String,
    /// RFC 3339.
    pub end: String,
}

/// How a rotation is maintained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// By the bot.
    Automatic,
    /// By people, with the reason.
    Manual(String),
}

/// A rotation.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The schedule, by name.
    pub schedule: String,
    /// How it is maintained.
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

    /// Starts to maintain a rotation; its name is the workflow's.
    pub fn take_over(&self, name: &str, schedule: &str) {
        let rotation = Rotation { schedule: schedule.to_owned(), keeping: Keeping::Automatic };
        self.rotations().insert(name.to_owned(), rotation);
    }

    /// A rotation.
    ///
    /// # Panics
    ///
    /// If there is no rotation with this name.
    pub fn rotation(&self, name: &str) -> Rotation {
        self.rotations()[name].clone()
    }

    /// Who is on call in a rotation now, by name.
    ///
    /// # Errors
    ///
    /// If PagerDuty refuses it.
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

    /// Creates an override for each shift, all concurrently. If one cannot be created, the rotation
    /// becomes manual.
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
