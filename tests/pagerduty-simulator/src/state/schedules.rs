//! Schedules: who is on call when. Layers rotate, later layers cover earlier ones, and overrides
//! cover all layers.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Map, Value};

/// A schedule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Schedule {
    /// Opaque id.
    pub id: String,
    /// Unique name.
    pub name: String,
    /// The first user of its first layer.
    pub user_id: String,
    pub(crate) time_zone: String,
    pub(crate) layers: Vec<Layer>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) team_ids: Vec<String>,
    /// Members that the simulator does not interpret, as written.
    pub(crate) more: Map<String, Value>,
}

/// A layer: users who take turns.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Option<Timestamp>,
    /// When the first turn of the first user began, or would have begun.
    pub(crate) virtual_start: Timestamp,
    pub(crate) turn_seconds: i64,
    pub(crate) users: Vec<String>,
    pub(crate) restrictions: Vec<Restriction>,
}

/// The hours of a day, or of a week, to which a layer is restricted.
#[derive(Clone, Debug)]
pub(crate) struct Restriction {
    pub(crate) start: Time,
    pub(crate) seconds: i64,
    /// 1 for Monday; none for every day.
    pub(crate) weekday: Option<i8>,
}

/// A user who covers a range.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    pub(crate) id: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) user_id: String,
}

/// A range during which a user is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) user_id: String,
}

/// A time range.
pub(crate) type Stretch = (Timestamp, Timestamp);

pub(super) fn seconds_after(moment: Timestamp, seconds: i64) -> Timestamp {
    moment.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

fn common(one: Stretch, other: Stretch) -> Option<Stretch> {
    let both = (one.0.max(other.0), one.1.min(other.1));
    (both.0 < both.1).then_some(both)
}

/// The time zone with this name; none if it is unknown.
pub(crate) fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

impl Layer {
    /// Who is on call within a range in this layer.
    pub(super) fn entries(&self, within: Stretch, zone: &TimeZone) -> Vec<Entry> {
        let life = (self.start, self.end.unwrap_or(Timestamp::MAX));
        let Some(within) = common(within, life).filter(|_| !self.users.is_empty()) else {
            return Vec::new();
        };
        let allowed = self.allowed(within, zone);
        let origin = self.virtual_start.as_second();
        let turn = self.turn_seconds.max(1);
        // With a single user, there is only one turn.
        let alone = self.users.len() == 1;
        let mut entries = Vec::new();
        let mut moment = within.0;
        while moment < within.1 {
            let number = (moment.as_second() - origin).div_euclid(turn);
            let end = match alone {
                true => within.1,
                false => seconds_after(self.virtual_start, (number + 1) * turn).min(within.1),
            };
            let length = i64::try_from(self.users.len()).unwrap_or(1);
            let user = &self.users[usize::try_from(number.rem_euclid(length)).unwrap_or_default()];
            for stretch in allowed.iter().filter_map(|one| common(*one, (moment, end))) {
                entries.push(Entry { start: stretch.0, end: stretch.1, user_id: user.clone() });
            }
            moment = end;
        }
        entries
    }

    /// The parts of a range that the restrictions of this layer allow.
    fn allowed(&self, within: Stretch, zone: &TimeZone) -> Vec<Stretch> {
        if self.restrictions.is_empty() {
            return vec![within];
        }
        let mut stretches = Vec::new();
        let mut day = zone.to_datetime(within.0).date();
        // A restriction that began up to a week ago may still be in effect.
        day = day.checked_sub(8.days()).unwrap_or(day);
        let last = zone.to_datetime(within.1).date();
        while day <= last {
            for restriction in &self.restrictions {
                let today = day.weekday().to_monday_one_offset();
                if restriction.weekday.is_some_and(|wanted| wanted != today) {
                    continue;
                }
                if let Ok(start) = day.to_datetime(restriction.start).to_zoned(zone.clone()) {
                    let start = start.timestamp();
                    let end = seconds_after(start, restriction.seconds);
                    stretches.extend(common((start, end), within));
                }
            }
            let Ok(next) = day.checked_add(1.day()) else { break };
            day = next;
        }
        stretches.sort_unstable();
        stretches
    }
}

/// Covers entries with others, and merges adjacent ones.
pub(crate) fn cover(below: Vec<Entry>, above: &[Entry]) -> Vec<Entry> {
    let mut left = below;
    for top in above {
        left = left.into_iter().flat_map(|entry| without(entry, (top.start, top.end))).collect();
    }
    left.extend(above.iter().cloned());
    left.sort_by_key(|entry| entry.start);
    let mut joined: Vec<Entry> = Vec::new();
    for entry in left {
        match joined.last_mut() {
            Some(last) if last.end == entry.start && last.user_id == entry.user_id => {
                last.end = entry.end;
            }
            _ => joined.push(entry),
        }
    }
    joined
}

/// The parts of an entry outside a range.
fn without(entry: Entry, hole: Stretch) -> Vec<Entry> {
    if common((entry.start, entry.end), hole).is_none() {
        return vec![entry];
    }
    let before = Entry { end: hole.0, ..entry.clone() };
    let after = Entry { start: hole.1, ..entry };
    [before, after].into_iter().filter(|part| part.start < part.end).collect()
}

impl Schedule {
    pub(super) fn zone(&self) -> TimeZone {
        time_zone(&self.time_zone).unwrap_or(TimeZone::UTC)
    }

    pub(super) fn override_entries(&self, within: Stretch) -> Vec<Entry> {
        let entries = self.overrides.iter().filter_map(|one| {
            let (start, end) = common((one.start, one.end), within)?;
            Some(Entry { start, end, user_id: one.user_id.clone() })
        });
        // Of two overlapping entries, the later one applies.
        entries.fold(Vec::new(), |below, entry| cover(below, &[entry]))
    }

    /// Who is on call within a range, from all layers and overrides.
    pub(crate) fn entries(&self, since: Timestamp, until: Timestamp) -> Vec<Entry> {
        let (within, zone) = ((since, until), self.zone());
        let layers = self
            .layers
            .iter()
            .fold(Vec::new(), |below, layer| cover(below, &layer.entries(within, &zone)));
        cover(layers, &self.override_entries(within))
    }

    /// The entries that overlap a range, at their full length as far as a month around it shows.
    pub(crate) fn whole_entries(&self, since: Timestamp, until: Timestamp) -> Vec<Entry> {
        const MONTH: i64 = 31 * 24 * 3600;
        let around = (seconds_after(since, -MONTH), seconds_after(until, MONTH));
        let touches =
            |entry: &Entry| entry.start < until.max(seconds_after(since, 1)) && entry.end > since;
        let mut entries = self.entries(around.0, around.1);
        entries.retain(touches);
        entries
    }

    /// Who is on call at a time.
    pub(crate) fn on_call(&self, at: Timestamp) -> Option<String> {
        self.entries(at, seconds_after(at, 1)).pop().map(|entry| entry.user_id)
    }

    /// The users of all layers, without duplicates.
    pub(crate) fn users(&self) -> Vec<&String> {
        let mut users: Vec<&String> = Vec::new();
        for user in self.layers.iter().flat_map(|layer| &layer.users) {
            if !users.contains(&user) {
                users.push(user);
            }
        }
        users
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn layer(users: &[&str], turn_seconds: i64, restrictions: Vec<Restriction>) -> Layer {
        Layer {
            id: "L".to_owned(),
            name: "Layer".to_owned(),
            start: at("2026-03-01T00:00:00Z"),
            end: None,
            virtual_start: at("2026-03-01T00:00:00Z"),
            turn_seconds,
            users: users.iter().map(|user| (*user).to_owned()).collect(),
            restrictions,
        }
    }

    fn schedule(time_zone: &str, layers: Vec<Layer>) -> Schedule {
        Schedule {
            id: "S".to_owned(),
            name: "S".to_owned(),
            user_id: "a".to_owned(),
            time_zone: time_zone.to_owned(),
            layers,
            overrides: Vec::new(),
            team_ids: Vec::new(),
            more: Map::new(),
        }
    }

    fn shown(entries: &[Entry]) -> Vec<String> {
        let show = |entry: &Entry| format!("{} {} {}", entry.user_id, entry.start, entry.end);
        entries.iter().map(show).collect()
    }

    #[test]
    fn turns_follow_one_another() {
        let days = schedule("Etc/UTC", vec![layer(&["a", "b"], 86_400, Vec::new())]);
        let entries = days.entries(at("2026-03-01T12:00:00Z"), at("2026-03-03T06:00:00Z"));
        assert_eq!(
            shown(&entries),
            [
                "a 2026-03-01T12:00:00Z 2026-03-02T00:00:00Z",
                "b 2026-03-02T00:00:00Z 2026-03-03T00:00:00Z",
                "a 2026-03-03T00:00:00Z 2026-03-03T06:00:00Z",
            ]
        );
        assert_eq!(days.on_call(at("2026-03-02T00:00:00Z")).as_deref(), Some("b"));
        // Nobody was on call before the layer began.
        assert_eq!(days.on_call(at("2026-02-28T00:00:00Z")), None);
    }

    #[test]
    fn restrictions_follow_their_time_zone() {
        let hours =
            Restriction { start: Time::constant(9, 0, 0, 0), seconds: 8 * 3600, weekday: None };
        let office = schedule("Europe/Berlin", vec![layer(&["a"], 86_400, vec![hours])]);
        // Daylight saving time begins on March 29, 2026.
        let entries = office.entries(at("2026-03-28T00:00:00Z"), at("2026-03-30T00:00:00Z"));
        assert_eq!(
            shown(&entries),
            [
                "a 2026-03-28T08:00:00Z 2026-03-28T16:00:00Z",
                "a 2026-03-29T07:00:00Z 2026-03-29T15:00:00Z",
            ]
        );
        let monday =
            Restriction { start: Time::constant(0, 0, 0, 0), seconds: 86_400, weekday: Some(1) };
        let weekly = schedule("Etc/UTC", vec![layer(&["a"], 86_400, vec![monday])]);
        let entries = weekly.entries(at("2026-03-01T00:00:00Z"), at("2026-03-10T00:00:00Z"));
        assert_eq!(
            shown(&entries),
            [
                "a 2026-03-02T00:00:00Z 2026-03-03T00:00:00Z",
                "a 2026-03-09T00:00:00Z 2026-03-10T00:00:00Z",
            ]
        );
    }

    #[test]
    fn later_layers_and_overrides_cover_what_is_below() {
        let mut second = layer(&["b"], 86_400, Vec::new());
        second.start = at("2026-03-02T00:00:00Z");
        second.end = Some(at("2026-03-03T00:00:00Z"));
        let mut both = schedule("Etc/UTC", vec![layer(&["a"], 86_400, Vec::new()), second]);
        both.overrides.push(Override {
            id: "O".to_owned(),
            start: at("2026-03-02T06:00:00Z"),
            end: at("2026-03-02T08:00:00Z"),
            user_id: "c".to_owned(),
        });
        let entries = both.entries(at("2026-03-01T00:00:00Z"), at("2026-03-04T00:00:00Z"));
        assert_eq!(
            shown(&entries),
            [
                "a 2026-03-01T00:00:00Z 2026-03-02T00:00:00Z",
                "b 2026-03-02T00:00:00Z 2026-03-02T06:00:00Z",
                "c 2026-03-02T06:00:00Z 2026-03-02T08:00:00Z",
                "b 2026-03-02T08:00:00Z 2026-03-03T00:00:00Z",
                "a 2026-03-03T00:00:00Z 2026-03-04T00:00:00Z",
            ]
        );
        let whole = both.whole_entries(at("2026-03-02T07:00:00Z"), at("2026-03-02T07:00:00Z"));
        assert_eq!(shown(&whole), ["c 2026-03-02T06:00:00Z 2026-03-02T08:00:00Z"]);
    }
}
