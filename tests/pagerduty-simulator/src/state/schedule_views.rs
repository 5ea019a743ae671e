//! Representation of schedules: their layers, their overrides, and the final schedule.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::schedules::{Entry, Layer, Override, Restriction, Schedule, Stretch, seconds_after};
use crate::clock::written;

impl Layer {
    fn json(&self, state: &State, rendered: &Rendered) -> Value {
        let users: Vec<Value> =
            self.users.iter().map(|id| json!({"user": state.user_reference(id)})).collect();
        let restrictions: Vec<Value> = self.restrictions.iter().map(Restriction::json).collect();
        let mut layer = json!({
            "id": self.id,
            "name": self.name,
            "start": written(self.start),
            "end": self.end.map(written),
            "rotation_virtual_start": written(self.virtual_start),
            "rotation_turn_length_seconds": self.turn_seconds,
            "users": users,
            "restrictions": restrictions,
        });
        rendered.write_into(state, &mut layer);
        layer
    }
}

impl Restriction {
    fn json(&self) -> Value {
        let mut restriction = json!({
            "type": if self.weekday.is_some() { "weekly_restriction" } else { "daily_restriction" },
            "start_time_of_day": self.start.strftime("%H:%M:%S").to_string(),
            "duration_seconds": self.seconds,
        });
        if let Some(weekday) = self.weekday {
            restriction["start_day_of_week"] = json!(weekday);
        }
        restriction
    }
}

/// Entries within a range, if one was requested.
pub(crate) struct Rendered {
    entries: Vec<Entry>,
    within: Option<Stretch>,
}

impl Rendered {
    fn write_into(&self, state: &State, object: &mut Value) {
        let entries: Vec<Value> = self
            .entries
            .iter()
            .map(|entry| {
                json!({
                    "start": written(entry.start),
                    "end": written(entry.end),
                    "user": state.user_reference(&entry.user_id),
                })
            })
            .collect();
        let coverage = self.within.map(|(since, until)| {
            let length = |from: Timestamp, to: Timestamp| to.as_second() - from.as_second();
            let covered: i64 = self.entries.iter().map(|one| length(one.start, one.end)).sum();
            #[allow(clippy::cast_precision_loss, reason = "a percentage for people")]
            let share = covered as f64 * 100.0 / length(since, until).max(1) as f64;
            (share * 10.0).round() / 10.0
        });
        object["rendered_schedule_entries"] = json!(entries);
        object["rendered_coverage_percentage"] = json!(coverage);
    }
}

/// The rendered parts of a schedule.
#[derive(Clone, Debug, Default)]
pub(crate) struct View<'a> {
    /// The rendered range.
    pub(crate) within: Option<Stretch>,
    /// Whether entries keep their full length.
    pub(crate) overflow: bool,
    /// Whether the layers, the overrides, and the final schedule are included.
    pub(crate) layers: bool,
    pub(crate) overrides: bool,
    pub(crate) result: bool,
    /// The user whose next turn is included.
    pub(crate) next_for: Option<&'a str>,
}

impl State {
    pub(crate) fn schedule_json(&self, schedule: &Schedule) -> Value {
        self.schedule_view(schedule, &View::default())
    }

    pub(crate) fn schedule_view(&self, schedule: &Schedule, view: &View<'_>) -> Value {
        let policies: Vec<Value> = self
            .policies
            .iter()
            .filter(|policy| policy.schedules.iter().flatten().any(|id| *id == schedule.id))
            .map(|policy| self.policy_reference(&policy.id))
            .collect();
        let users: Vec<Value> =
            schedule.users().into_iter().map(|id| self.user_reference(id)).collect();
        let mut object = self.object(
            "schedule",
            "schedules",
            &schedule.id,
            &schedule.name,
            json!({
                "name": schedule.name,
                "description": schedule.more.get("description"),
                "time_zone": schedule.time_zone,
                "escalation_policies": policies,
                "users": users,
                "teams": self.teams_json(&schedule.team_ids, false),
            }),
        );
        let render = |entries: &dyn Fn(Stretch) -> Vec<Entry>| Rendered {
            entries: view.within.map(entries).unwrap_or_default(),
            within: view.within,
        };
        if view.layers {
            let zone = schedule.zone();
            let layers = schedule
                .layers
                .iter()
                .map(|layer| layer.json(self, &render(&|within| layer.entries(within, &zone))));
            object["schedule_layers"] = layers.collect();
        }
        if view.overrides {
            let mut part = json!({"name": "Overrides"});
            render(&|within| schedule.override_entries(within)).write_into(self, &mut part);
            object["overrides_subschedule"] = part;
        }
        if view.result {
            let mut part = json!({"name": "Final Schedule"});
            let entries = |(since, until)| match view.overflow {
                true => schedule.whole_entries(since, until),
                false => schedule.entries(since, until),
            };
            render(&entries).write_into(self, &mut part);
            object["final_schedule"] = part;
        }
        if let Some(user) = view.next_for {
            object["next_oncall_for_user"] = self.next_on_call(schedule, user);
        }
        object
    }

    /// The next turn of a user within three months, or the current one.
    fn next_on_call(&self, schedule: &Schedule, user: &str) -> Value {
        let now = self.now();
        let entries = schedule.entries(now, seconds_after(now, 90 * 24 * 3600));
        let next = entries.into_iter().find(|entry| entry.user_id == user);
        next.map_or(Value::Null, |entry| {
            json!({
                "start": written(entry.start),
                "end": written(entry.end),
                "user": self.user_reference(user),
            })
        })
    }

    pub(crate) fn override_json(&self, one: &Override) -> Value {
        json!({
            "id": one.id,
            "start": written(one.start),
            "end": written(one.end),
            "user": self.user_reference(&one.user_id),
        })
    }
}
