//! A two-way sync of incidents with the issues of a tracker. It reacts to changes on either side by
//! comparing both sides with their last common state, so that the order and the number of
//! notifications do not matter: its own changes are no longer a difference.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use workflow_node_host::trigger::{EventSink, SinkError, TriggerEvent};

use crate::tracker::{Issue, Progress, Tracker};
use crate::{By, Failed, World};

/// Prefix of the deduplication key of an issue's incident; followed by its number and round.
const KEY: &str = "tracker-issue-";

/// The tracker's author of comments from PagerDuty.
pub const VOICE: &str = "PagerDuty";

/// The sync.
pub struct Sync {
    world: Arc<World>,
    tracker: Arc<Tracker>,
    credential: String,
    /// Services by the label that opens an incident on them.
    services: BTreeMap<String, String>,
    /// One comparison at a time, because the state must not change meanwhile.
    links: Mutex<BTreeMap<usize, Link>>,
}

/// An issue and its incident.
#[derive(Clone, Debug)]
struct Link {
    incident: String,
    /// How many incidents the issue has had: a resolved one cannot be reopened from here.
    round: usize,
    /// The last common state.
    common: Progress,
    /// Comments that exist as notes.
    comments_told: usize,
    /// Notes that exist as comments, or were comments first.
    notes_known: BTreeSet<String>,
}

impl Sync {
    /// A sync for these services, by the label that creates an incident on them.
    pub fn new(
        world: Arc<World>,
        tracker: Arc<Tracker>,
        credential: &str,
        services: BTreeMap<String, String>,
    ) -> Arc<Self> {
        let credential = credential.to_owned();
        Arc::new(Self { world, tracker, credential, services, links: Mutex::default() })
    }

    /// Reacts to changes in the tracker until there are no more.
    ///
    /// # Errors
    ///
    /// If PagerDuty refuses it; the change remains to be done.
    pub async fn tracker_changed(&self) -> Result<(), Failed> {
        while let Some(number) = self.tracker.next_change() {
            self.reconcile(number).await?;
        }
        Ok(())
    }

    /// Compares everything, for changes that were missed.
    ///
    /// # Errors
    ///
    /// If PagerDuty refuses it.
    pub async fn catch_up(&self) -> Result<(), Failed> {
        let filter = json!({"service_ids": self.services.values().collect::<Vec<_>>(), "all": true,
            "date_range": "all"});
        for incident in self.ask("incident.list", filter).await? {
            self.heard_of(&incident).await?;
        }
        for issue in self.tracker.issues() {
            self.reconcile(issue.number).await?;
        }
        self.tracker_changed().await
    }

    /// The incident of an issue.
    pub async fn incident_of(&self, number: usize) -> Option<String> {
        self.links.lock().await.get(&number).map(|link| link.incident.clone())
    }

    /// The issue of an incident.
    pub async fn issue_of(&self, incident: &str) -> Option<Issue> {
        let links = self.links.lock().await;
        let number = links.iter().find(|(_, link)| link.incident == incident)?.0;
        Some(self.tracker.issue(*number))
    }

    async fn ask(&self, action: &str, parameters: Value) -> Result<Vec<Value>, Failed> {
        let by = By { user: "integration", workflow: "issue-sync" };
        self.world.ask(by, &self.credential, action, parameters).await
    }

    async fn one(&self, action: &str, parameters: Value) -> Result<Value, Failed> {
        Ok(self.ask(action, parameters).await?.pop().unwrap_or_default())
    }

    /// An incident that the sync may not know yet.
    async fn heard_of(&self, incident: &Value) -> Result<(), Failed> {
        let id = text(&incident["id"]);
        let mut links = self.links.lock().await;
        if let Some((number, _)) = links.iter().find(|(_, link)| link.incident == id) {
            let number = *number;
            drop(links);
            return self.reconcile(number).await;
        }
        // Its own incident, whose event arrives before the sync has recorded it.
        let own = text(&incident["incident_key"]).strip_prefix(KEY);
        let own = own.and_then(|own| own.split_once('.'));
        let own = own.and_then(|(number, round)| Some((number.parse().ok()?, round.parse().ok()?)));
        if own.is_some_and(|(number, _)| links.contains_key(&number)) {
            // An earlier incident of the same issue, which is resolved.
            return Ok(());
        }
        let (number, round) = own.unwrap_or_else(|| {
            let service = text(&incident["service"]["id"]);
            let labels = self.services.iter().filter(|(_, id)| *id == service);
            let labels: Vec<&str> = labels.map(|(label, _)| label.as_str()).collect();
            (self.tracker.file(text(&incident["title"]), &labels), 0)
        });
        links.insert(number, Link::new(id, round, 0));
        drop(links);
        self.reconcile(number).await
    }

    /// Synchronizes an issue and its incident.
    async fn reconcile(&self, number: usize) -> Result<(), Failed> {
        let mut links = self.links.lock().await;
        let issue = self.tracker.issue(number);
        let link = match links.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match self.open(&issue, 1, 0).await? {
                Some(link) => place.insert(link),
                None => return Ok(()),
            },
        };
        if self.progress(&issue, link).await? {
            let told = link.comments_told;
            let Some(next) = self.open(&issue, link.round + 1, told).await? else { return Ok(()) };
            *link = next;
            self.progress(&issue, link).await?;
        }
        self.comments(&issue, link).await
    }

    /// Creates an incident if a label of the issue requires one. The key ensures that it is created
    /// once.
    async fn open(&self, issue: &Issue, round: usize, told: usize) -> Result<Option<Link>, Failed> {
        let service = issue.labels.iter().find_map(|label| self.services.get(label));
        let Some(service) = service.filter(|_| issue.progress != Progress::Done) else {
            return Ok(None);
        };
        let incident = self
            .one(
                "incident.create",
                json!({"title": issue.title, "service_id": service,
                    "incident_key": format!("{KEY}{}.{round}", issue.number)}),
            )
            .await?;
        Ok(Some(Link::new(text(&incident["id"]), round, told)))
    }

    /// Sets both to the same status. Returns true if that needs another incident.
    async fn progress(&self, issue: &Issue, link: &mut Link) -> Result<bool, Failed> {
        let incident = self.one("incident.get", json!({"incident_id": link.incident})).await?;
        let theirs = progress_of(text(&incident["status"]));
        let ours = issue.progress;
        // The side that has changed decides; if both have, the one with more progress.
        let wanted = match (ours == link.common, theirs == link.common) {
            (true, _) => theirs,
            (false, true) => ours,
            (false, false) => ours.max(theirs),
        };
        if theirs != wanted {
            let action = match (theirs, wanted) {
                (Progress::Done, _) => return Ok(true),
                (_, Progress::Done) => "incident.resolve",
                (_, Progress::Started) => "incident.acknowledge",
                (_, Progress::Open) => "incident.reopen",
            };
            self.one(action, json!({"incident_id": link.incident})).await?;
        }
        link.common = wanted;
        if ours != wanted {
            self.tracker.set_progress(issue.number, wanted);
        }
        Ok(false)
    }

    async fn comments(&self, issue: &Issue, link: &mut Link) -> Result<(), Failed> {
        for comment in &issue.comments[link.comments_told..] {
            if comment.author != VOICE {
                let content = format!("{} (in the tracker): {}", comment.author, comment.text);
                let note = json!({"incident_id": link.incident, "content": content});
                let note = self.one("incident_note.create", note).await?;
                link.notes_known.insert(text(&note["id"]).to_owned());
            }
            link.comments_told += 1;
        }
        let notes = self.ask("incident_note.list", json!({"incident_id": link.incident})).await?;
        for note in notes {
            if link.notes_known.insert(text(&note["id"]).to_owned()) {
                let words =
                    format!("{}: {}", text(&note["user"]["summary"]), text(&note["content"]));
                self.tracker.comment(issue.number, VOICE, &words);
            }
        }
        Ok(())
    }
}

impl Link {
    fn new(incident: &str, round: usize, comments_told: usize) -> Self {
        Self {
            incident: incident.to_owned(),
            round,
            common: Progress::Open,
            comments_told,
            notes_known: BTreeSet::new(),
        }
    }
}

#[async_trait]
impl EventSink for Sync {
    async fn event(&self, event: &TriggerEvent) -> Result<(), SinkError> {
        let event: Value = serde_json::from_str(event.event.get())?;
        let data = &event["data"];
        // A note refers to its incident; other events are about the incident itself.
        let incident = if data["type"] == "incident" { data } else { &data["incident"] };
        let parameters = json!({"incident_id": incident["id"]});
        let whole = self.one("incident.get", parameters).await.map_err(told)?;
        self.heard_of(&whole).await.map_err(told)?;
        self.tracker_changed().await.map_err(told)
    }
}

fn told(error: Failed) -> SinkError {
    format!("{}: {}", error.kind, error.message).into()
}

fn progress_of(status: &str) -> Progress {
    match status {
        "resolved" => Progress::Done,
        "acknowledged" => Progress::Started,
        _ => Progress::Open,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
