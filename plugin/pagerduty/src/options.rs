//! The choices of form fields: services, users, escalation policies, priorities.

use std::rc::Rc;

use serde_json::Value;
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::node::{Choice, Credential, Options, OptionsQuery, Plugin, fetch};
use workflow_node_sdk::{percent, text};

use crate::PagerDuty;

/// Where choices come from.
struct Source {
    /// The parameters that they are for, singular.
    names: &'static [&'static str],
    /// Path and member.
    collection: &'static str,
    /// Whether the API searches itself; else it is done here, over all of them.
    searches: bool,
    /// The member that makes a good second line.
    description: &'static str,
    /// The scope that is needed.
    scope: &'static str,
}

const SOURCES: &[Source] = &[
    Source {
        names: &["service_id"],
        collection: "services",
        searches: true,
        description: "description",
        scope: "services.read",
    },
    Source {
        names: &["user_id", "assignee_id"],
        collection: "users",
        searches: true,
        description: "email",
        scope: "users.read",
    },
    Source {
        names: &["escalation_policy_id"],
        collection: "escalation_policies",
        searches: true,
        description: "description",
        scope: "escalation_policies.read",
    },
    Source {
        names: &["priority_id"],
        collection: "priorities",
        searches: false,
        description: "description",
        scope: "priorities.read",
    },
];

/// The largest page of the API.
const PAGE: u64 = 100;

/// Loads the choices of a parameter.
pub(crate) async fn load(query: OptionsQuery) -> Result<Options, Error> {
    let singular = query.parameter.strip_suffix('s').unwrap_or(&query.parameter);
    let source =
        SOURCES.iter().find(|source| source.names.contains(&singular)).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, format!("`{}` has no choices", query.parameter))
        })?;
    let action = PagerDuty::NODE.action(&query.action).ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, format!("there is no action `{}`", query.action))
    })?;
    let credential = Rc::new(Credential::in_slot("rest")?);
    let offset = match query.cursor.as_deref() {
        None => 0,
        Some(cursor) => cursor
            .parse::<u64>()
            .map_err(|_| Error::invalid("/cursor", "is not one that this node has given"))?,
    };
    let search = query.search.as_deref().map(str::trim_ascii).filter(|text| !text.is_empty());
    let limit = match query.limit {
        Some(limit) if search.is_none() || source.searches => limit.clamp(1, PAGE),
        _ => PAGE,
    };
    let mut url = format!("{}/{}", credential.base_url("rest")?, source.collection);
    percent::append_query(&mut url, "limit", &limit.to_string());
    percent::append_query(&mut url, "offset", &offset.to_string());
    if let (Some(search), true) = (search, source.searches) {
        percent::append_query(&mut url, "query", search);
    }
    let response = match fetch::<PagerDuty>(action, &credential, url).await {
        Ok(response) => response,
        Err(mut error) if error.kind == ErrorKind::Forbidden => {
            error.message =
                format!("{} Choices need the right to read ({}).", error.message, source.scope);
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let body = response.object()?;
    let mut choices = Vec::new();
    if let Some(Value::Array(records)) = body.get(source.collection) {
        for record in records {
            let Some(choice) = choice(record, source) else {
                continue;
            };
            if source.searches || search.is_none_or(|part| text::contains(&choice.label, part)) {
                choices.push(choice);
            }
        }
    }
    let more = body.get("more").and_then(Value::as_bool).unwrap_or(false);
    Ok(Options { choices, next_cursor: more.then(|| (offset + limit).to_string()) })
}

fn choice(record: &Value, source: &Source) -> Option<Choice> {
    let text =
        |name: &str| record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = text("id")?;
    Some(Choice {
        value: id.into(),
        label: text("name").or_else(|| text("summary")).unwrap_or(id).to_owned(),
        description: text(source.description).map(str::to_owned),
    })
}
