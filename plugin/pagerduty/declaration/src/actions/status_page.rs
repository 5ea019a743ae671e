//! Status pages: pages that tell your customers how you are.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, one, undocumented};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, SERVICE_ID};

static STATUS_PAGE_ID: Param =
    Param::text("status_page_id", "Status page", "The status page that is meant.")
        .reference("status_page")
        .at(Place::Path);
static POST_TYPE: Param = Param::new(
    Kind::OneOf(&["incident", "maintenance"]),
    "post_type",
    "Kind of post",
    "About an incident, or about maintenance.",
)
.query("post_type");
static REVIEWED_STATUS: Param = Param::new(
    Kind::OneOf(&["approved", "not_reviewed"]),
    "reviewed_status",
    "Review",
    "Only what is approved, or only what is not.",
)
.query("reviewed_status");
static STATUS_PAGE_ID_VALUE: Param =
    Param::text("status_page_id", "Status page", "The status page that is meant.")
        .reference("status_page")
        .at(Place::PathAndBody("/status_page", r#"{"id":$,"type":"status_page"}"#));
static TITLE: Param =
    Param::text("title", "Title", "What it is about, in one line.").max(128).body("/title");
static POST_TYPE_VALUE: Param = Param::new(
    Kind::OneOf(&["incident", "maintenance"]),
    "post_type",
    "Kind of post",
    "About an incident, or about maintenance.",
)
.body("/post_type");
static STARTS_AT: Param = Param::new(
    Kind::DateTime,
    "starts_at",
    "Start",
    "When the maintenance begins, with an offset; null for an incident.",
)
.nullable()
.body("/starts_at");
static ENDS_AT: Param = Param::new(
    Kind::DateTime,
    "ends_at",
    "End",
    "When the maintenance ends, with an offset; null for an incident.",
)
.nullable()
.body("/ends_at");
static POST_ID: Param = Param::text("post_id", "Post", "The post that is meant.")
    .reference("status_page_post")
    .at(Place::Path);
static POST_ID_VALUE: Param = Param::text("post_id", "Post", "The post that is meant.")
    .reference("status_page_post")
    .at(Place::PathAndBody("/post", r#"{"id":$,"type":"status_page_post"}"#));
static MESSAGE: Param =
    Param::new(Kind::LongText, "message", "Message", "What is told.").body("/message");
static STATUS_ID: Param = Param::text("status_id", "State", "How far it is: a state of the page.")
    .reference("status_page_status")
    .at(Place::BodyAs("/status", r#"{"id":$,"type":"status_page_status"}"#));
static SEVERITY_ID: Param =
    Param::text("severity_id", "Severity", "How grave it is: a severity of the page.")
        .reference("status_page_severity")
        .at(Place::BodyAs("/severity", r#"{"id":$,"type":"status_page_severity"}"#));
static IMPACTED_SERVICES: Param = Param::new(
    Kind::Objects(&[
        &Param::text("service_id", "Service", "A service of the page.")
            .required()
            .reference("status_page_service")
            .at(Place::BodyAs("/service", r#"{"id":$,"type":"status_page_service"}"#)),
        &Param::text("impact_id", "Impact", "How badly it is affected: an impact of the page.")
            .required()
            .reference("status_page_impact")
            .at(Place::BodyAs("/impact", r#"{"id":$,"type":"status_page_impact"}"#)),
    ]),
    "impacted_services",
    "Affected services",
    "Which services of the page are affected, and how badly.",
)
.body("/impacted_services");
static UPDATE_FREQUENCY_MS: Param = Param::new(
    Kind::Integer(0, 2147483647),
    "update_frequency_ms",
    "Next update",
    "In how many milliseconds the next update is due; null for no promise.",
)
.nullable()
.body("/update_frequency_ms");
static NOTIFY_SUBSCRIBERS: Param = Param::new(
    Kind::Boolean,
    "notify_subscribers",
    "Notify subscribers",
    "Whether the subscribers of the page are told.",
)
.body("/notify_subscribers");
static REPORTED_AT: Param =
    Param::new(Kind::DateTime, "reported_at", "Reported", "When it was told; null for now.")
        .nullable()
        .body("/reported_at");
static POST_UPDATE_ID: Param =
    Param::text("post_update_id", "Post update", "ID of the post update.")
        .reference("status_page_update")
        .at(Place::Path);
static SUBSCRIPTION_ID: Param =
    Param::text("subscription_id", "Subscription", "ID of the subscription.")
        .reference("status_page_subscription")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "status_page.list",
        "List status pages",
        "Reads the status pages of the account.",
        "GET",
        "/status_pages",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &Param::new(
            Kind::OneOf(&["public", "private"]),
            "status_page_type",
            "Kind of page",
            "Public or private.",
        )
        .query("status_page_type"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(undocumented("status_pages"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "status_page_impact.list",
        "List the impacts of a status page",
        "Reads in which words a page says how badly a service is affected.",
        "GET",
        "/status_pages/{status_page_id}/impacts",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_TYPE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("impacts"))
    .examples(&[Example::new("The first hundred", r#"{"status_page_id":"PSTATUSPAGE001"}"#)]),
    rest(
        "status_page_impact.get",
        "Get an impact of a status page",
        "Looks up one of these words.",
        "GET",
        "/status_pages/{status_page_id}/impacts/{impact_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &Param::text("impact_id", "Impact", "How badly it is affected: an impact of the page.")
            .required()
            .reference("status_page_impact")
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("impact"))
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","impact_id":"PIMPACT0000001"}"#,
        ),
    ]),
    rest(
        "status_page_service.list",
        "List the services of a status page",
        "Reads which services a page shows.",
        "GET",
        "/status_pages/{status_page_id}/services",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("services"))
    .examples(&[Example::new("The first hundred", r#"{"status_page_id":"PSTATUSPAGE001"}"#)]),
    rest(
        "status_page_service.get",
        "Get a service of a status page",
        "Looks up one service of a page.",
        "GET",
        "/status_pages/{status_page_id}/services/{service_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &SERVICE_ID, &ADDITIONAL_QUERY])
    .answer(one("service"))
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","service_id":"PSERVICE000001"}"#,
        ),
    ]),
    rest(
        "status_page_severity.list",
        "List the severities of a status page",
        "Reads in which words a page says how grave something is.",
        "GET",
        "/status_pages/{status_page_id}/severities",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_TYPE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("severities"))
    .examples(&[Example::new("The first hundred", r#"{"status_page_id":"PSTATUSPAGE001"}"#)]),
    rest(
        "status_page_severity.get",
        "Get a severity of a status page",
        "Looks up one of these words.",
        "GET",
        "/status_pages/{status_page_id}/severities/{severity_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &Param::text("severity_id", "Severity", "How grave it is: a severity of the page.")
            .required()
            .reference("status_page_severity")
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("severity"))
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","severity_id":"PSEVERITY00001"}"#,
        ),
    ]),
    rest(
        "status_page_status.list",
        "List the states of a status page",
        "Reads in which words a page says how far something is.",
        "GET",
        "/status_pages/{status_page_id}/statuses",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_TYPE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("statuses"))
    .examples(&[Example::new("The first hundred", r#"{"status_page_id":"PSTATUSPAGE001"}"#)]),
    rest(
        "status_page_status.get",
        "Get a state of a status page",
        "Looks up one of these words.",
        "GET",
        "/status_pages/{status_page_id}/statuses/{status_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &Param::text("status_id", "State", "How far it is: a state of the page.")
            .required()
            .reference("status_page_status")
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("status"))
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","status_id":"PSTATUS0000001"}"#,
        ),
    ]),
    rest(
        "status_page_post.list",
        "List the posts of a status page",
        "Reads what a page has told, about incidents and maintenance.",
        "GET",
        "/status_pages/{status_page_id}/posts",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_TYPE,
        &REVIEWED_STATUS,
        &Param::new(Kind::List(&Kind::Text), "status", "State", "The state.").query("status[]"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(undocumented("posts"))
    .examples(&[Example::new("The first hundred", r#"{"status_page_id":"PSTATUSPAGE001"}"#)]),
    rest(
        "status_page_post.create",
        "Create a post on a status page",
        "Tells your customers about an incident or about maintenance, with a first update.",
        "POST",
        "/status_pages/{status_page_id}/posts",
    )
    .scopes(&["status_pages.write"])
    .envelope("/post")
    .constants(&[("/type", r#""status_page_post""#)])
    .takes(&[
        &STATUS_PAGE_ID_VALUE.required(),
        &TITLE.required(),
        &POST_TYPE_VALUE.required(),
        &STARTS_AT.required(),
        &ENDS_AT.required(),
        &Param::new(
            Kind::Objects(&[
                &Param::new(Kind::LongText, "message", "Message", "What is told.").required(),
                &Param::text("status_id", "State", "How far it is: a state of the page.")
                    .required()
                    .reference("status_page_status")
                    .at(Place::BodyAs("/status", r#"{"id":$,"type":"status_page_status"}"#)),
                &Param::text("severity_id", "Severity", "How grave it is: a severity of the page.")
                    .required()
                    .reference("status_page_severity")
                    .at(Place::BodyAs("/severity", r#"{"id":$,"type":"status_page_severity"}"#)),
                &Param::new(
                    Kind::Objects(&[
                        &Param::text("service_id", "Service", "A service of the page.")
                            .required()
                            .reference("status_page_service")
                            .at(Place::BodyAs("/service", r#"{"id":$,"type":"status_page_service"}"#)),
                        &Param::text(
                            "impact_id",
                            "Impact",
                            "How badly it is affected: an impact of the page.",
                        )
                        .required()
                        .reference("status_page_impact")
                        .at(Place::BodyAs("/impact", r#"{"id":$,"type":"status_page_impact"}"#)),
                    ]),
                    "impacted_services",
                    "Affected services",
                    "Which services of the page are affected, and how badly.",
                )
                .required(),
                &Param::new(
                    Kind::Integer(0, 2147483647),
                    "update_frequency_ms",
                    "Next update",
                    "In how many milliseconds the next update is due; null for no promise.",
                )
                .required()
                .nullable(),
                &Param::new(
                    Kind::Boolean,
                    "notify_subscribers",
                    "Notify subscribers",
                    "Whether the subscribers of the page are told.",
                )
                .required(),
                &Param::new(
                    Kind::DateTime,
                    "reported_at",
                    "Reported",
                    "When it was told; null for now.",
                )
                .nullable(),
                &Param::constant("type", r#""status_page_post_update""#),
                &Param::constant("post", r#"{"type":"status_page_post"}"#),
            ]),
            "updates",
            "First update",
            "What is told at first.",
        )
        .required()
        .max(50)
        .body("/updates"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("post"))
    .examples(&[
        Example::new(
            "Maintenance",
            r#"{"status_page_id":"PSTATUSPAGE001","title":"New disks","post_type":"maintenance","starts_at":"2027-01-01T20:00:00Z","ends_at":"2027-01-01T22:00:00Z","updates":[{"message":"The shop is closed for two hours.","status_id":"PSTATUS0000001","severity_id":"PSEVERITY00001","impacted_services":[],"update_frequency_ms":null,"notify_subscribers":false}]}"#,
        ),
    ]),
    rest(
        "status_page_post.get",
        "Get a post on a status page",
        "Looks up one post.",
        "GET",
        "/status_pages/{status_page_id}/posts/{post_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_ID.required(),
        &Param::new(
            Kind::List(&Kind::OneOf(&["status_page_post_update"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("post"))
    .examples(&[
        Example::new("One", r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001"}"#),
    ]),
    rest(
        "status_page_post.update",
        "Update a post on a status page",
        "Changes the title or the times of a post.",
        "PUT",
        "/status_pages/{status_page_id}/posts/{post_id}",
    )
    .scopes(&["status_pages.write"])
    .envelope("/post")
    .constants(&[("/type", r#""status_page_post""#)])
    .takes(&[
        &STATUS_PAGE_ID_VALUE.required(),
        &POST_ID.required(),
        &TITLE,
        &POST_TYPE_VALUE,
        &STARTS_AT,
        &ENDS_AT,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("post"))
    .examples(&[
        Example::new(
            "Another title",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001","title":"New and faster disks","post_type":"maintenance","starts_at":"2027-01-01T20:00:00Z","ends_at":"2027-01-01T22:00:00Z"}"#,
        ),
    ]),
    rest(
        "status_page_post.delete",
        "Delete a post on a status page",
        "Removes a post.",
        "DELETE",
        "/status_pages/{status_page_id}/posts/{post_id}",
    )
    .scopes(&["status_pages.write"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001"}"#),
    ]),
    rest(
        "status_page_update.list",
        "List the updates of a post",
        "Reads what has been told since.",
        "GET",
        "/status_pages/{status_page_id}/posts/{post_id}/post_updates",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_ID.required(),
        &REVIEWED_STATUS,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(undocumented("post_updates"))
    .examples(&[
        Example::new(
            "The first hundred",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001"}"#,
        ),
    ]),
    rest(
        "status_page_update.create",
        "Create an update of a post",
        "Tells your customers how it goes.",
        "POST",
        "/status_pages/{status_page_id}/posts/{post_id}/post_updates",
    )
    .scopes(&["status_pages.write"])
    .envelope("/post_update")
    .constants(&[("/type", r#""status_page_post_update""#)])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_ID_VALUE.required(),
        &MESSAGE.required(),
        &STATUS_ID.required(),
        &SEVERITY_ID.required(),
        &IMPACTED_SERVICES.required(),
        &UPDATE_FREQUENCY_MS.required(),
        &NOTIFY_SUBSCRIBERS.required(),
        &REPORTED_AT,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("post_update"))
    .examples(&[
        Example::new(
            "All is well",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001","message":"The shop is open again.","status_id":"PSTATUS0000001","severity_id":"PSEVERITY00001","impacted_services":[],"update_frequency_ms":null,"notify_subscribers":true}"#,
        ),
    ]),
    rest(
        "status_page_update.get",
        "Get an update of a post",
        "Looks up one update.",
        "GET",
        "/status_pages/{status_page_id}/posts/{post_id}/post_updates/{post_update_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_ID.required(),
        &POST_UPDATE_ID.required(),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("post_update"))
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001","post_update_id":"PPOSTUPDATE001"}"#,
        ),
    ]),
    rest(
        "status_page_update.update",
        "Update an update of a post",
        "Corrects what was told.",
        "PUT",
        "/status_pages/{status_page_id}/posts/{post_id}/post_updates/{post_update_id}",
    )
    .scopes(&["status_pages.write"])
    .envelope("/post_update")
    .constants(&[("/type", r#""status_page_post_update""#)])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_ID_VALUE.required(),
        &POST_UPDATE_ID.required(),
        &MESSAGE,
        &STATUS_ID,
        &SEVERITY_ID,
        &IMPACTED_SERVICES,
        &UPDATE_FREQUENCY_MS,
        &NOTIFY_SUBSCRIBERS,
        &REPORTED_AT,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("post_update"))
    .examples(&[
        Example::new(
            "Another text",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001","post_update_id":"PPOSTUPDATE001","message":"The shop is open again, and faster.","status_id":"PSTATUS0000001","severity_id":"PSEVERITY00001","impacted_services":[],"update_frequency_ms":null,"notify_subscribers":false}"#,
        ),
    ]),
    rest(
        "status_page_update.delete",
        "Delete an update of a post",
        "Removes an update.",
        "DELETE",
        "/status_pages/{status_page_id}/posts/{post_id}/post_updates/{post_update_id}",
    )
    .scopes(&["status_pages.write"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_ID.required(), &POST_UPDATE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001","post_update_id":"PPOSTUPDATE001"}"#,
        ),
    ]),
    rest(
        "status_page_postmortem.get",
        "Get the postmortem of a post",
        "Reads what was told afterwards about the causes.",
        "GET",
        "/status_pages/{status_page_id}/posts/{post_id}/postmortem",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("postmortem"))
    .examples(&[
        Example::new("One", r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001"}"#),
    ]),
    rest(
        "status_page_postmortem.set",
        "Write the postmortem of a post",
        "Tells your customers about the causes, afterwards.",
        "PUT",
        "/status_pages/{status_page_id}/posts/{post_id}/postmortem",
    )
    .scopes(&["status_pages.write"])
    .envelope("/postmortem")
    .constants(&[("/type", r#""status_page_post_postmortem""#)])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &POST_ID_VALUE.required(),
        &Param::new(Kind::LongText, "message", "Message", "What is told.")
            .max(10000)
            .body("/message"),
        &NOTIFY_SUBSCRIBERS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("postmortem"))
    .examples(&[
        Example::new(
            "In short",
            r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001","message":"A disk had failed.","notify_subscribers":false}"#,
        ),
    ]),
    rest(
        "status_page_postmortem.delete",
        "Delete the postmortem of a post",
        "Removes what was told about the causes.",
        "DELETE",
        "/status_pages/{status_page_id}/posts/{post_id}/postmortem",
    )
    .scopes(&["status_pages.write"])
    .takes(&[&STATUS_PAGE_ID.required(), &POST_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"status_page_id":"PSTATUSPAGE001","post_id":"PPOST000000001"}"#),
    ]),
    rest(
        "status_page_subscription.list",
        "List the subscriptions of a status page",
        "Reads who is told when a page changes.",
        "GET",
        "/status_pages/{status_page_id}/subscriptions",
    )
    .scopes(&["status_pages.read"])
    .takes(&[
        &STATUS_PAGE_ID.required(),
        &Param::new(
            Kind::OneOf(&["active", "pending"]),
            "status",
            "State",
            "Only active or only pending ones.",
        )
        .query("status"),
        &Param::new(
            Kind::OneOf(&["webhook", "email", "slack"]),
            "channel",
            "Way",
            "How they are told.",
        )
        .query("channel"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(undocumented("subscriptions"))
    .examples(&[Example::new("The first hundred", r#"{"status_page_id":"PSTATUSPAGE001"}"#)]),
    rest(
        "status_page_subscription.create",
        "Create a subscription of a status page",
        "Tells somebody when a page changes.",
        "POST",
        "/status_pages/{status_page_id}/subscriptions",
    )
    .scopes(&["status_pages.write"])
    .envelope("/subscription")
    .constants(&[("/type", r#""status_page_subscription""#)])
    .takes(&[
        &STATUS_PAGE_ID_VALUE.required(),
        &Param::new(Kind::OneOf(&["webhook", "email"]), "channel", "Way", "How they are told.")
            .required()
            .body("/channel"),
        &Param::text("contact", "Contact", "The e-mail address, or the address of the webhook.")
            .required()
            .body("/contact"),
        &Param::new(
            Kind::OneOf(&["status_page", "status_page_service", "status_page_post"]),
            "subscribable_object_type",
            "About",
            "A page, a service of a page, or a post.",
        )
        .required()
        .body("/subscribable_object/type"),
        &Param::text("subscribable_object_id", "About which", "ID of the page, service or post.")
            .required()
            .body("/subscribable_object/id"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("subscription"))
    .examples(&[
        Example::new(
            "By e-mail",
            r#"{"status_page_id":"PSTATUSPAGE001","channel":"email","contact":"customer@example.com","subscribable_object_id":"PSTATUSPAGE001","subscribable_object_type":"status_page"}"#,
        ),
    ]),
    rest(
        "status_page_subscription.get",
        "Get a subscription of a status page",
        "Looks up one subscription.",
        "GET",
        "/status_pages/{status_page_id}/subscriptions/{subscription_id}",
    )
    .scopes(&["status_pages.read"])
    .takes(&[&STATUS_PAGE_ID.required(), &SUBSCRIPTION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("subscription"))
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","subscription_id":"PSUBSCRIPTION1"}"#,
        ),
    ]),
    rest(
        "status_page_subscription.delete",
        "Delete a subscription of a status page",
        "Ends a subscription.",
        "DELETE",
        "/status_pages/{status_page_id}/subscriptions/{subscription_id}",
    )
    .scopes(&["status_pages.write"])
    .takes(&[&STATUS_PAGE_ID.required(), &SUBSCRIPTION_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"status_page_id":"PSTATUSPAGE001","subscription_id":"PSUBSCRIPTION1"}"#,
        ),
    ]),
];
