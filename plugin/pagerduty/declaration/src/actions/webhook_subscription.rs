//! Webhook subscriptions: addresses to which PagerDuty tells what happens.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::flat::WEBHOOK_SUBSCRIPTION_FLAT;
use crate::paging::{DELETED, DONE, classic, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, SIMPLIFY};
use crate::records::WEBHOOK_SUBSCRIPTION;

static EVENTS: Param = Param::new(
    Kind::List(&Kind::Text),
    "events",
    "Events",
    "What is told, e.g. incident.triggered.",
)
.body("/events");
static FILTER_TYPE: Param = Param::new(
    Kind::OneOf(&["account_reference", "service_reference", "team_reference"]),
    "filter_type",
    "Of what",
    "The account, a service or a team.",
)
.body("/filter/type");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What the subscription is for.")
        .body("/description");
static FILTER_ID: Param =
    Param::text("filter_id", "Of which", "ID of the service or team; none for the account.")
        .body("/filter/id");
static WEBHOOK_SUBSCRIPTION_ID: Param = Param::text(
    "webhook_subscription_id",
    "Webhook subscription",
    "ID of the webhook subscription.",
)
.reference("webhook_subscription")
.at(Place::Path);
static NAME: Param = Param::text("name", "Name", "Its name.").max(255).body("/name");
static CLIENT_ID: Param =
    Param::text("client_id", "Client ID", "ID of the client at the other side.")
        .max(255)
        .body("/client_id");
static CLIENT_SECRET: Param = Param::text(
    "client_secret",
    "Client secret",
    "Secret of the client. The node sees a handle in its place.",
)
.max(255)
.secret("webhook-client-secret")
.body("/client_secret");
static TOKEN_URL: Param =
    Param::new(Kind::Url, "token_url", "Token address", "Where PagerDuty gets its token.")
        .max(255)
        .body("/token_url");
static GRANT_TYPE: Param = Param::new(
    Kind::OneOf(&["client_credentials"]),
    "grant_type",
    "Grant",
    "How PagerDuty gets its token.",
)
.body("/grant_type");
static SCOPE: Param = Param::text("scope", "Scopes", "The scopes to ask for, separated by spaces.")
    .max(255)
    .body("/scope");
static OAUTH_CLIENT_ID: Param =
    Param::text("oauth_client_id", "OAuth client", "The OAuth client that is meant.")
        .reference("webhook_oauth_client")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "webhook_subscription.list",
        "List webhook subscriptions",
        "Reads who is told what, of the account, a service or a team.",
        "GET",
        "/webhook_subscriptions",
    )
    .scopes(&["webhook_subscriptions.read"])
    .takes(&[
        &Param::new(
            Kind::OneOf(&["account", "service", "team"]),
            "filter_type",
            "Of what",
            "The account, a service or a team.",
        )
        .query("filter_type"),
        &Param::text("filter_id", "Of which", "ID of the service or team; none for the account.")
            .query("filter_id"),
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("webhook_subscriptions"))
    .gives(WEBHOOK_SUBSCRIPTION)
    .simple(&WEBHOOK_SUBSCRIPTION_FLAT)
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "webhook_subscription.create",
        "Create a webhook subscription",
        "Tells an address what happens. The node sees a handle in place of the secret that signs \
         the deliveries. To start workflows, use the trigger instead.",
        "POST",
        "/webhook_subscriptions",
    )
    .scopes(&["webhook_subscriptions.write"])
    .envelope("/webhook_subscription")
    .constants(&[
        ("/type", r#""webhook_subscription""#),
        ("/delivery_method/type", r#""http_delivery_method""#),
    ])
    .takes(&[
        &Param::new(Kind::Url, "url", "Address", "Where the deliveries go.")
            .required()
            .body("/delivery_method/url"),
        &EVENTS.required(),
        &FILTER_TYPE.required(),
        &Param::new(Kind::Boolean, "active", "Active", "Whether it is in force.")
            .default(r#"true"#)
            .body("/active"),
        &Param::new(
            Kind::Objects(&[
                &Param::text("name", "Name", "Name of the header.").required(),
                &Param::text("value", "Value", "Value of the header.")
                    .required()
                    .secret("webhook-header"),
            ]),
            "custom_headers",
            "Headers",
            "Headers that are sent with every delivery. The node sees handles in place of the \
             values.",
        )
        .body("/delivery_method/custom_headers"),
        &DESCRIPTION,
        &FILTER_ID,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("webhook_subscription"))
    .gives(WEBHOOK_SUBSCRIPTION)
    .examples(&[
        Example::new(
            "New incidents of a service",
            r#"{"url":"https://example.com/hook","events":["incident.triggered","incident.resolved"],"filter_type":"service_reference","filter_id":"PSERVICE000001","description":"To the issue tracker"}"#,
        ),
    ]),
    rest(
        "webhook_subscription.get",
        "Get a webhook subscription",
        "Looks up one subscription.",
        "GET",
        "/webhook_subscriptions/{webhook_subscription_id}",
    )
    .scopes(&["webhook_subscriptions.read"])
    .takes(&[&WEBHOOK_SUBSCRIPTION_ID.required(), &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("webhook_subscription"))
    .gives(WEBHOOK_SUBSCRIPTION)
    .simple(&WEBHOOK_SUBSCRIPTION_FLAT)
    .examples(&[Example::new("One", r#"{"webhook_subscription_id":"PWEBHOOKSUBSC1"}"#)]),
    rest(
        "webhook_subscription.update",
        "Update a webhook subscription",
        "Changes what is told. The address cannot be changed.",
        "PUT",
        "/webhook_subscriptions/{webhook_subscription_id}",
    )
    .scopes(&["webhook_subscriptions.write"])
    .envelope("/webhook_subscription")
    .takes(&[
        &WEBHOOK_SUBSCRIPTION_ID.required(),
        &DESCRIPTION,
        &EVENTS,
        &FILTER_TYPE,
        &FILTER_ID,
        &Param::new(Kind::Boolean, "active", "Active", "Whether it is in force.").body("/active"),
        &Param::text(
            "oauth_client_id",
            "OAuth client",
            "With which client PagerDuty logs in where it delivers; null for none.",
        )
        .nullable()
        .reference("webhook_oauth_client")
        .body("/oauth_client_id"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("webhook_subscription"))
    .gives(WEBHOOK_SUBSCRIPTION)
    .examples(&[
        Example::new(
            "Switched off",
            r#"{"webhook_subscription_id":"PWEBHOOKSUBSC1","active":false}"#,
        ),
    ]),
    rest(
        "webhook_subscription.delete",
        "Delete a webhook subscription",
        "Stops telling an address.",
        "DELETE",
        "/webhook_subscriptions/{webhook_subscription_id}",
    )
    .scopes(&["webhook_subscriptions.write"])
    .takes(&[&WEBHOOK_SUBSCRIPTION_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"webhook_subscription_id":"PWEBHOOKSUBSC1"}"#)]),
    rest(
        "webhook_subscription.enable",
        "Switch a webhook subscription on again",
        "Switches a subscription on that PagerDuty has switched off after failures.",
        "POST",
        "/webhook_subscriptions/{webhook_subscription_id}/enable",
    )
    .scopes(&["webhook_subscriptions.write"])
    .effect(Effect::Execute, Idempotency::Idempotent)
    .takes(&[&WEBHOOK_SUBSCRIPTION_ID.required()])
    .answer(one("webhook_subscription"))
    .gives(WEBHOOK_SUBSCRIPTION)
    .examples(&[Example::new("One", r#"{"webhook_subscription_id":"PWEBHOOKSUBSC1"}"#)]),
    rest(
        "webhook_subscription.ping",
        "Test a webhook subscription",
        "Sends a greeting to the address.",
        "POST",
        "/webhook_subscriptions/{webhook_subscription_id}/ping",
    )
    .check("Look at the receiver whether a ping has come before you run it again.")
    .scopes(&["webhook_subscriptions.write"])
    .effect(Effect::Execute, Idempotency::None)
    .takes(&[&WEBHOOK_SUBSCRIPTION_ID.required()])
    .answer(DONE)
    .examples(&[Example::new("One", r#"{"webhook_subscription_id":"PWEBHOOKSUBSC1"}"#)]),
    rest(
        "webhook_oauth_client.list",
        "List OAuth clients of webhooks",
        "Reads with which clients PagerDuty logs in where it delivers.",
        "GET",
        "/webhook_subscriptions/oauth_clients",
    )
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("oauth_clients"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "webhook_oauth_client.create",
        "Create an OAuth client of webhooks",
        "Says with which client PagerDuty logs in where it delivers. The secret is not shown to \
         the node.",
        "POST",
        "/webhook_subscriptions/oauth_clients",
    )
    .envelope("/oauth_client")
    .takes(&[
        &NAME.required(),
        &CLIENT_ID.required(),
        &CLIENT_SECRET.required(),
        &TOKEN_URL.required(),
        &GRANT_TYPE.required(),
        &SCOPE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("oauth_client"))
    .examples(&[
        Example::new(
            "A client",
            r#"{"name":"Our gateway","client_id":"pagerduty","client_secret":"example-client-secret","grant_type":"client_credentials","token_url":"https://example.com/oauth/token"}"#,
        ),
    ]),
    rest(
        "webhook_oauth_client.get",
        "Get an OAuth client of webhooks",
        "Looks up one client.",
        "GET",
        "/webhook_subscriptions/oauth_clients/{oauth_client_id}",
    )
    .takes(&[&OAUTH_CLIENT_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("oauth_client"))
    .examples(&[Example::new("One", r#"{"oauth_client_id":"POAUTHCLIENT01"}"#)]),
    rest(
        "webhook_oauth_client.update",
        "Update an OAuth client of webhooks",
        "Changes one client.",
        "PUT",
        "/webhook_subscriptions/oauth_clients/{oauth_client_id}",
    )
    .envelope("/oauth_client")
    .takes(&[
        &OAUTH_CLIENT_ID.required(),
        &NAME,
        &CLIENT_ID,
        &CLIENT_SECRET,
        &SCOPE,
        &TOKEN_URL,
        &GRANT_TYPE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("oauth_client"))
    .examples(&[
        Example::new("Another name", r#"{"oauth_client_id":"POAUTHCLIENT01","name":"The gateway"}"#),
    ]),
    rest(
        "webhook_oauth_client.delete",
        "Delete an OAuth client of webhooks",
        "Removes one client.",
        "DELETE",
        "/webhook_subscriptions/oauth_clients/{oauth_client_id}",
    )
    .takes(&[&OAUTH_CLIENT_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"oauth_client_id":"POAUTHCLIENT01"}"#)]),
];
