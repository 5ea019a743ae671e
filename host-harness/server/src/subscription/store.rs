//! Subscriptions of engines, the sources that they share, and the events that an engine has not accepted
//! yet. Addresses, signing secrets, and events are sealed.

use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use serde_json::value::RawValue;
use workflow_node_host::trigger::TriggerEvent;
use workflow_node_host::{OriginPattern, Principal, Secret};

use super::sample::{LastEvent, SampleKind};
use crate::database::{Database, DatabaseError, now};
use crate::seal::Sealer;
use crate::token::signed;

/// Key of a subscription: the user who has created it, and the ID that the engine has chosen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) principal: Principal,
    pub(crate) id: String,
}

impl Key {
    fn parts(&self) -> [&str; 3] {
        [self.principal.tenant.as_str(), self.principal.user.as_str(), &self.id]
    }

    fn seal<'a>(&'a self, what: &'a str, number: &'a str) -> [&'a str; 5] {
        let [tenant, user, id] = self.parts();
        [what, tenant, user, id, number]
    }
}

/// One webhook at a service, or one poll. All subscriptions of a user with the same trigger,
/// credentials, and parameters share it.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Its name in the library, without the user's.
    pub(crate) name: String,
    pub(crate) principal: Principal,
    pub(crate) plugin: String,
    /// The last segment of its URL.
    pub(crate) hook: String,
    /// Origins that its calls of the plugin may reach; `None` does not narrow.
    pub(crate) destinations: Option<Vec<OriginPattern>>,
    /// Whether a subscription uses it.
    pub(crate) is_used: bool,
}

/// A subscription.
#[derive(Clone, Debug)]
pub(crate) struct StoredSubscription {
    pub(crate) key: Key,
    pub(crate) source: String,
    pub(crate) plugin: String,
    pub(crate) trigger: String,
    pub(crate) workflow: Option<String>,
    /// `None` if the engine pulls.
    pub(crate) deliver_to: Option<String>,
    /// Whether `deliver_to` may have a private address.
    pub(crate) is_private: bool,
    /// Signs deliveries.
    pub(crate) secret: Secret,
    pub(crate) created_at: u64,
    /// ID of the token that has made it; empty if that was before tokens were noted.
    pub(crate) token: String,
    pub(crate) waiting: u64,
    pub(crate) set_aside: u64,
    /// Why the last delivery was refused.
    pub(crate) problem: Option<String>,
}

/// An event that the engine has not accepted.
#[derive(Clone, Debug)]
pub(crate) struct StoredEvent {
    pub(crate) number: u64,
    /// The body of its delivery.
    pub(crate) body: String,
    pub(crate) reason: Option<String>,
    /// Time of the first refusal.
    pub(crate) refused_since: Option<u64>,
}

/// Which events of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Waiting,
    SetAside,
}

#[derive(serde::Serialize)]
struct Body<'a> {
    subscription: &'a str,
    number: u64,
    dedup_key: Option<&'a str>,
    occurred_at: Option<u64>,
    received_at: u64,
    /// Whether the event only shows what events look like, and where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<SampleKind>,
    event: &'a RawValue,
}

/// The subscriptions of a database. Its methods block.
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionStore {
    database: Database,
    sealer: Sealer,
}

const SOURCE: &str = "SELECT name, tenant, actor, plugin, hook, EXISTS (SELECT 1 FROM subscription \
                      WHERE subscription.source = source.name), destinations FROM source";

const COLUMNS: &str = "SELECT tenant, actor, id, source, plugin, trigger, workflow, deliver_to, \
                       is_private, secret, created_at, \
                       (SELECT count(*) FROM event WHERE event.tenant = subscription.tenant \
                        AND event.actor = subscription.actor AND event.id = subscription.id \
                        AND NOT set_aside), \
                       (SELECT count(*) FROM event WHERE event.tenant = subscription.tenant \
                        AND event.actor = subscription.actor AND event.id = subscription.id \
                        AND set_aside), problem, token FROM subscription";

const OF: &str = "tenant = ?1 AND actor = ?2 AND id = ?3";

impl SubscriptionStore {
    pub(crate) fn new(database: Database, sealer: Sealer) -> Self {
        Self { database, sealer }
    }

    fn sealed(&self, belongs: &[&str], text: &str) -> Result<Vec<u8>, DatabaseError> {
        let sealed = self.sealer.seal(belongs, text.as_bytes());
        sealed.map_err(DatabaseError::unwritable)
    }

    fn opened(&self, belongs: &[&str], sealed: Option<Vec<u8>>) -> Option<String> {
        let opened = self.sealer.open(belongs, &sealed?).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }

    fn read(&self, row: &Row<'_>) -> rusqlite::Result<StoredSubscription> {
        let principal = Principal::of(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
        let key = Key { principal, id: row.get(2)? };
        let number =
            |index: usize| Ok::<_, rusqlite::Error>(row.get::<_, i64>(index)?.unsigned_abs());
        Ok(StoredSubscription {
            source: row.get(3)?,
            plugin: row.get(4)?,
            trigger: row.get(5)?,
            workflow: row.get(6)?,
            deliver_to: self.opened(&key.seal("deliver-to", ""), row.get(7)?),
            is_private: row.get(8)?,
            secret: Secret::new(
                self.opened(&key.seal("secret", ""), row.get(9)?).unwrap_or_default(),
            ),
            created_at: number(10)?,
            waiting: number(11)?,
            set_aside: number(12)?,
            problem: self.opened(&key.seal("problem", ""), row.get(13)?),
            token: row.get(14)?,
            key,
        })
    }

    /// Makes a source, or finds the one of this name, whose destinations are the same. `hook`: its
    /// address if it is new.
    pub(crate) fn source(
        &self,
        name: &str,
        principal: &Principal,
        plugin: &str,
        hook: &str,
        destinations: Option<&[OriginPattern]>,
    ) -> Result<Source, DatabaseError> {
        let destinations = destinations.map(|all| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            all.join(" ")
        });
        self.database.write(|change| {
            let (tenant, user) = (principal.tenant.as_str(), principal.user.as_str());
            change.execute(
                "INSERT OR IGNORE INTO source (name, tenant, actor, plugin, hook, destinations) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![name, tenant, user, plugin, hook, destinations],
            )?;
            let find = format!("{SOURCE} WHERE name = ?1");
            Ok(change.query_row(&find, [name], source)?)
        })
    }

    pub(crate) fn source_of_hook(&self, hook: &str) -> Result<Option<Source>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!("{SOURCE} WHERE hook = ?1"))?;
            query.query_row([hook], source).optional()
        })
    }

    pub(crate) fn source_of(&self, name: &str) -> Result<Option<Source>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!("{SOURCE} WHERE name = ?1"))?;
            query.query_row([name], source).optional()
        })
    }

    pub(crate) fn sources(&self) -> Result<Vec<Source>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare(SOURCE)?;
            query.query_map([], source)?.collect()
        })
    }

    /// Removes a source that no subscription uses.
    pub(crate) fn remove_source(&self, name: &str) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            change.execute(
                "DELETE FROM source WHERE name = ?1 AND NOT EXISTS (SELECT 1 FROM subscription \
                 WHERE source = ?1)",
                [name],
            )?;
            Ok(())
        })
    }

    /// Stores a subscription, or changes the one with its key. Waiting events are kept.
    pub(crate) fn keep(&self, subscription: &StoredSubscription) -> Result<(), DatabaseError> {
        let StoredSubscription { key, .. } = subscription;
        let deliver_to = subscription.deliver_to.as_ref();
        let deliver_to =
            deliver_to.map(|url| self.sealed(&key.seal("deliver-to", ""), url)).transpose()?;
        let secret = self.sealed(&key.seal("secret", ""), subscription.secret.expose())?;
        let [tenant, user, id] = key.parts();
        self.database.write(|change| {
            change.execute(
                "INSERT INTO subscription (tenant, actor, id, source, plugin, trigger, workflow, \
                 deliver_to, is_private, secret, created_at, token, next_number, last_event) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, 0) \
                 ON CONFLICT (tenant, actor, id) DO UPDATE SET source = ?4, plugin = ?5, \
                 trigger = ?6, workflow = ?7, deliver_to = ?8, is_private = ?9, secret = ?10, \
                 token = ?12, problem = NULL",
                params![
                    tenant,
                    user,
                    id,
                    subscription.source,
                    subscription.plugin,
                    subscription.trigger,
                    subscription.workflow,
                    deliver_to,
                    subscription.is_private,
                    secret,
                    signed(subscription.created_at),
                    subscription.token
                ],
            )?;
            Ok(())
        })
    }

    pub(crate) fn get(&self, key: &Key) -> Result<Option<StoredSubscription>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!("{COLUMNS} WHERE {OF}"))?;
            query.query_row(key.parts(), |row| self.read(row)).optional()
        })
    }

    /// Subscriptions of a user, by ID.
    pub(crate) fn list(&self, by: &Principal) -> Result<Vec<StoredSubscription>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "{COLUMNS} WHERE tenant = ?1 AND actor = ?2 ORDER BY id"
            ))?;
            let whose = [by.tenant.as_str(), by.user.as_str()];
            query.query_map(whose, |row| self.read(row))?.collect()
        })
    }

    /// The subscriptions of a source.
    pub(crate) fn of_source(&self, name: &str) -> Result<Vec<StoredSubscription>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!("{COLUMNS} WHERE source = ?1"))?;
            query.query_map([name], |row| self.read(row))?.collect()
        })
    }

    /// How many events wait, and how many were set aside.
    pub(crate) fn totals(&self) -> Result<(i64, i64), DatabaseError> {
        self.database.read(|database| {
            let count = "SELECT count(*) FILTER (WHERE NOT set_aside), \
                         count(*) FILTER (WHERE set_aside) FROM event";
            database.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?)))
        })
    }

    /// All subscriptions that the server delivers to.
    pub(crate) fn pushed(&self) -> Result<Vec<StoredSubscription>, DatabaseError> {
        self.database.read(|database| {
            let mut query = database.prepare(&format!("{COLUMNS} WHERE deliver_to IS NOT NULL"))?;
            query.query_map([], |row| self.read(row))?.collect()
        })
    }

    pub(crate) fn count(&self, tenant: &str) -> Result<u64, DatabaseError> {
        self.database.read(|database| {
            let count = "SELECT count(*) FROM subscription WHERE tenant = ?1";
            database.query_row(count, [tenant], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()))
        })
    }

    /// Removes a subscription with its events.
    pub(crate) fn remove(&self, key: &Key) -> Result<(), DatabaseError> {
        self.database.write(|change| {
            change.execute(&format!("DELETE FROM subscription WHERE {OF}"), key.parts())?;
            Ok(())
        })
    }

    /// Stores an event of a source for each of its subscriptions, once. Returns their keys, and the
    /// event's number in each.
    ///
    /// # Errors
    ///
    /// If one of them has no room; then none of them receives it.
    pub(crate) fn fan_out(
        &self,
        source: &str,
        event: &TriggerEvent,
        most: (usize, usize),
    ) -> Result<Vec<(Key, u64)>, DatabaseError> {
        self.database.write(|change| {
            let mut query = change.prepare_cached(
                "SELECT tenant, actor, id, next_number FROM subscription WHERE source = ?1 \
                 AND last_event < ?2",
            )?;
            let found: Vec<(Key, u64)> = query
                .query_map(params![source, signed(event.number)], |row| {
                    let principal =
                        Principal::of(row.get::<_, String>(0)?, row.get::<_, String>(1)?);
                    let key = Key { principal, id: row.get(2)? };
                    Ok((key, row.get::<_, i64>(3)?.unsigned_abs()))
                })?
                .collect::<Result<_, _>>()?;
            for (key, number) in &found {
                let [tenant, user, id] = key.parts();
                let held = format!(
                    "SELECT count(*), coalesce(sum(length(body)), 0) FROM event WHERE {OF}"
                );
                let (events, bytes): (i64, i64) =
                    change.query_row(&held, key.parts(), |row| Ok((row.get(0)?, row.get(1)?)))?;
                if events.unsigned_abs() >= most.0 as u64 || bytes.unsigned_abs() >= most.1 as u64 {
                    return Err(DatabaseError::Refused(format!(
                        "{events} events of {bytes} bytes wait for the subscription `{id}` (limits \
                         `waiting_events`, `waiting_event_bytes`)"
                    )));
                }
                let body = serde_json::to_string(&Body {
                    subscription: id,
                    number: *number,
                    dedup_key: event.dedup_key.as_deref(),
                    occurred_at: event.occurred_at,
                    received_at: event.received_at,
                    sample: None,
                    event: &event.event,
                });
                let body = body.map_err(DatabaseError::unwritable)?;
                let body = self.sealed(&key.seal("event", &number.to_string()), &body)?;
                change.execute(
                    "INSERT INTO event (tenant, actor, id, number, body, set_aside, stored_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
                    params![tenant, user, id, signed(*number), body, signed(now())],
                )?;
                change.execute(
                    &format!(
                        "UPDATE subscription SET next_number = next_number + 1, last_event = ?4 \
                         WHERE {OF}"
                    ),
                    params![tenant, user, id, signed(event.number)],
                )?;
            }
            if !found.is_empty() {
                self.remember(change, source, event)?;
            }
            Ok(found)
        })
    }

    /// Keeps the last event of a source, which samples show.
    fn remember(
        &self,
        change: &Transaction<'_>,
        source: &str,
        event: &TriggerEvent,
    ) -> Result<(), DatabaseError> {
        let TriggerEvent { occurred_at, received_at, event, .. } = event.clone();
        let recent = serde_json::to_string(&LastEvent { occurred_at, received_at, event });
        let recent = recent.map_err(DatabaseError::unwritable)?;
        let sealed = self.sealed(&["recent-event", source], &recent)?;
        change.execute(
            "INSERT OR REPLACE INTO recent_event \
             SELECT source, tenant, actor, plugin, trigger, ?2, ?3 FROM subscription \
             WHERE source = ?1 LIMIT 1",
            params![source, sealed, signed(now())],
        )?;
        Ok(())
    }

    /// The last event of a source, or else the last event of the same trigger that the user has received.
    pub(crate) fn last_event(
        &self,
        source: &str,
        by: &Principal,
        plugin: &str,
        trigger: &str,
    ) -> Result<Option<LastEvent>, DatabaseError> {
        let found: Option<(String, Vec<u8>)> = self.database.read(|database| {
            let mut query = database.prepare_cached(
                "SELECT source, event FROM recent_event \
                 WHERE tenant = ?1 AND actor = ?2 AND plugin = ?3 AND trigger = ?4 \
                 ORDER BY source = ?5 DESC, stored_at DESC LIMIT 1",
            )?;
            let of = [by.tenant.as_str(), by.user.as_str(), plugin, trigger, source];
            query.query_row(of, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })?;
        Ok(found.and_then(|(source, sealed)| {
            let opened = self.opened(&["recent-event", &source], Some(sealed))?;
            serde_json::from_str(&opened).ok()
        }))
    }

    /// Stores an event for a sample.
    pub(crate) fn show(
        &self,
        key: &Key,
        event: &LastEvent,
        sample: Option<SampleKind>,
    ) -> Result<(), DatabaseError> {
        let [tenant, user, id] = key.parts();
        self.database.write(|change| {
            let number: i64 = change.query_row(
                &format!(
                    "UPDATE subscription SET next_number = next_number + 1 WHERE {OF} \
                     RETURNING next_number - 1"
                ),
                key.parts(),
                |row| row.get(0),
            )?;
            let body = serde_json::to_string(&Body {
                subscription: id,
                number: number.unsigned_abs(),
                dedup_key: None,
                occurred_at: event.occurred_at,
                received_at: event.received_at,
                sample,
                event: &event.event,
            });
            let body = body.map_err(DatabaseError::unwritable)?;
            let body = self.sealed(&key.seal("event", &number.to_string()), &body)?;
            change.execute(
                "INSERT INTO event (tenant, actor, id, number, body, set_aside, stored_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
                params![tenant, user, id, number, body, signed(now())],
            )?;
            Ok(())
        })
    }

    /// Events of a subscription after a number, in order.
    pub(crate) fn events(
        &self,
        key: &Key,
        which: Which,
        after: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, DatabaseError> {
        let [tenant, user, id] = key.parts();
        self.database.read(|database| {
            let mut query = database.prepare_cached(&format!(
                "SELECT number, body, reason, refused_since FROM event \
                 WHERE {OF} AND set_aside = ?4 AND number > ?5 ORDER BY number LIMIT ?6"
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let of = params![tenant, user, id, which == Which::SetAside, signed(after), limit];
            let rows = query.query_map(of, |row| {
                let number = row.get::<_, i64>(0)?.unsigned_abs();
                let text = number.to_string();
                let body = self.opened(&key.seal("event", &text), row.get(1)?);
                Ok(StoredEvent {
                    number,
                    body: body.unwrap_or_default(),
                    reason: self.opened(&key.seal("reason", &text), row.get(2)?),
                    refused_since: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
                })
            })?;
            rows.collect()
        })
    }

    /// The engine has all events up to a number that were not set aside.
    pub(crate) fn accepted_until(&self, key: &Key, number: u64) -> Result<(), DatabaseError> {
        let [tenant, user, id] = key.parts();
        self.database.write(|change| {
            let delete = format!("DELETE FROM event WHERE {OF} AND number <= ?4 AND NOT set_aside");
            change.execute(&delete, params![tenant, user, id, signed(number)])?;
            Ok(())
        })
    }

    /// The engine has accepted an event.
    pub(crate) fn accepted(&self, key: &Key, number: u64) -> Result<(), DatabaseError> {
        let [tenant, user, id] = key.parts();
        self.database.write(|change| {
            let delete = format!("DELETE FROM event WHERE {OF} AND number = ?4");
            change.execute(&delete, params![tenant, user, id, signed(number)])?;
            let clear = format!("UPDATE subscription SET problem = NULL WHERE {OF}");
            change.execute(&clear, key.parts())?;
            Ok(())
        })
    }

    /// The engine has refused an event. With `set_aside`, delivery continues with the next ones.
    pub(crate) fn refused(
        &self,
        key: &Key,
        number: u64,
        reason: &str,
        set_aside: bool,
    ) -> Result<(), DatabaseError> {
        let [tenant, user, id] = key.parts();
        let text = number.to_string();
        let of_event = self.sealed(&key.seal("reason", &text), reason)?;
        let problem = self.sealed(&key.seal("problem", ""), reason)?;
        self.database.write(|change| {
            change.execute(
                &format!(
                    "UPDATE event SET refused_since = coalesce(refused_since, ?5), reason = ?6, \
                     set_aside = ?7 WHERE {OF} AND number = ?4"
                ),
                params![tenant, user, id, signed(number), signed(now()), of_event, set_aside],
            )?;
            let note = format!("UPDATE subscription SET problem = ?4 WHERE {OF}");
            change.execute(&note, params![tenant, user, id, problem])?;
            Ok(())
        })
    }

    /// Offers an event again that was set aside. Returns whether there is one.
    pub(crate) fn offer_again(&self, key: &Key, number: u64) -> Result<bool, DatabaseError> {
        let [tenant, user, id] = key.parts();
        self.database.write(|change| {
            let offer = format!(
                "UPDATE event SET set_aside = 0, refused_since = NULL WHERE {OF} AND number = ?4 \
                 AND set_aside"
            );
            Ok(change.execute(&offer, params![tenant, user, id, signed(number)])? > 0)
        })
    }

    /// Removes events that were stored before a time. Returns how many.
    pub(crate) fn prune(&self, before: u64) -> Result<usize, DatabaseError> {
        self.database.write(|change| {
            change.execute("DELETE FROM recent_event WHERE stored_at < ?1", [signed(before)])?;
            Ok(change.execute("DELETE FROM event WHERE stored_at < ?1", [signed(before)])?)
        })
    }
}

fn source(row: &Row<'_>) -> rusqlite::Result<Source> {
    let destinations: Option<String> = row.get(6)?;
    let destinations = destinations.map(|all| {
        // A destination that cannot be parsed allows nothing.
        all.split_whitespace().filter_map(|one| one.parse().ok()).collect()
    });
    Ok(Source {
        name: row.get(0)?,
        principal: Principal::of(row.get::<_, String>(1)?, row.get::<_, String>(2)?),
        plugin: row.get(3)?,
        hook: row.get(4)?,
        destinations,
        is_used: row.get(5)?,
    })
}
