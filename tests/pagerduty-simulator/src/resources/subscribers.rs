//! Subscribers of incidents and business services, from both ends.

use serde_json::{Value, json};

use super::text;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::Subscription;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("getIncidentNotificationSubscribers", list_of_incident),
    ("createIncidentNotificationSubscribers", add_to_incident),
    ("removeIncidentNotificationSubscribers", remove_from_incident),
    ("getBusinessServiceSubscribers", list_of_business_service),
    ("createBusinessServiceNotificationSubscribers", add_to_business_service),
    ("removeBusinessServiceNotificationSubscriber", remove_from_business_service),
    ("getUserNotificationSubscriptions", list_of_user),
    ("createUserNotificationSubscriptions", add_to_user),
    ("unsubscribeUserNotificationSubscriptions", remove_from_user),
    ("getTeamNotificationSubscriptions", list_of_team),
    ("createTeamNotificationSubscriptions", add_to_team),
    ("removeTeamNotificationSubscriptions", remove_from_team),
];

/// The end of the subscription in the path.
#[derive(Clone, Copy)]
enum End {
    /// The objects that are subscribed to; the body contains the subscribers.
    Subscribable(&'static str),
    /// The subscribers; the body contains the objects.
    Subscriber(&'static str),
}

const INCIDENT: End = End::Subscribable("incident");
const BUSINESS_SERVICE: End = End::Subscribable("business_service");
const USER: End = End::Subscriber("user");
const TEAM: End = End::Subscriber("team");

fn list_of_incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(list(call, INCIDENT))
}

fn add_to_incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(add(call, INCIDENT))
}

fn remove_from_incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(remove(call, INCIDENT))
}

fn list_of_business_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(list(call, BUSINESS_SERVICE))
}

fn add_to_business_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(add(call, BUSINESS_SERVICE))
}

fn remove_from_business_service(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(remove(call, BUSINESS_SERVICE))
}

fn list_of_user(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(list(call, USER))
}

fn add_to_user(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(add(call, USER))
}

fn remove_from_user(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(remove(call, USER))
}

fn list_of_team(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(list(call, TEAM))
}

fn add_to_team(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(add(call, TEAM))
}

fn remove_from_team(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(remove(call, TEAM))
}

/// The subscriptions in the body, each completed with the end in the path.
fn named(call: &Call<'_>, end: End) -> Vec<Subscription> {
    let own = call.capture(0).to_owned();
    let (list, prefix) = match end {
        End::Subscribable(_) => ("subscribers", "subscriber"),
        End::Subscriber(_) => ("subscribables", "subscribable"),
    };
    let items = call.body[list].as_array().into_iter().flatten();
    items
        .map(|item| {
            let member = |name: &str| text(&item[format!("{prefix}_{name}")]).unwrap_or_default();
            let other = (member("type"), member("id"));
            match end {
                End::Subscribable(kind) => {
                    Subscription { subscriber: other, subscribable: (kind.to_owned(), own.clone()) }
                }
                End::Subscriber(kind) => {
                    Subscription { subscriber: (kind.to_owned(), own.clone()), subscribable: other }
                }
            }
        })
        .collect()
}

fn exists(call: &Call<'_>, (kind, id): &(String, String)) -> bool {
    crate::engine::references::home(kind).is_some_and(|home| call.state.exists(home, id))
}

fn list(call: &Call<'_>, end: End) -> Reply {
    let own = call.capture(0);
    let ties: Vec<&Subscription> = call
        .state
        .subscriptions
        .iter()
        .filter(|tie| match end {
            End::Subscribable(kind) => tie.subscribable == (kind.to_owned(), own.to_owned()),
            End::Subscriber(kind) => tie.subscriber == (kind.to_owned(), own.to_owned()),
        })
        .collect();
    let account = call.state.account_id();
    let reply = paging::reply(call.operation, &call.page(), ties, |tie| {
        let one = match end {
            End::Subscribable(_) => json!({
                "subscriber_id": tie.subscriber.1, "subscriber_type": tie.subscriber.0,
                "has_indirect_subscription": false, "subscribed_via": null,
            }),
            End::Subscriber(_) => shown(tie, &account),
        };
        one.to_string()
    });
    match end {
        End::Subscribable(_) => {
            let mut body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            body["account_id"] = json!(account);
            Reply::json(reply.status, &body)
        }
        End::Subscriber(_) => reply,
    }
}

fn shown(tie: &Subscription, account: &str) -> Value {
    json!({
        "account_id": account,
        "subscribable_id": tie.subscribable.1,
        "subscribable_type": tie.subscribable.0,
        "subscriber_id": tie.subscriber.1,
        "subscriber_type": tie.subscriber.0,
    })
}

/// Each subscription is created separately; the response contains the result of each.
fn add(call: &mut Call<'_>, end: End) -> Reply {
    let account = call.state.account_id();
    let mut results = Vec::new();
    for tie in named(call, end) {
        let mut one = shown(&tie, &account);
        let known = exists(call, &tie.subscriber) && exists(call, &tie.subscribable);
        one["result"] = json!(match (known, call.state.subscriptions.contains(&tie)) {
            (false, _) => "unauthorized",
            (true, true) => "duplicate",
            (true, false) => {
                call.state.subscriptions.push(tie);
                "success"
            }
        });
        results.push(one);
    }
    call.answer(&json!(results))
}

fn remove(call: &mut Call<'_>, end: End) -> Reply {
    let (mut deleted, mut unauthorized, mut missing) = (0, 0, 0);
    for tie in named(call, end) {
        let place = call.state.subscriptions.iter().position(|one| *one == tie);
        match place {
            Some(place) => {
                call.state.subscriptions.remove(place);
                deleted += 1;
            }
            None if exists(call, &tie.subscriber) && exists(call, &tie.subscribable) => {
                missing += 1
            }
            None => unauthorized += 1,
        }
    }
    let counts = json!({
        "deleted_count": deleted, "unauthorized_count": unauthorized, "non_existent_count": missing,
    });
    Reply::json(call.status(), &counts)
}
