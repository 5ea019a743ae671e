//! Events (Events API v2): what monitoring sends. The routing key is the credential; the host
//! writes it into the body.

use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Idempotency, Kind, Param, Place, Route,
};

const ENQUEUE: &str = "/v2/enqueue";
const CHANGE: &str = "/v2/change/enqueue";
const OUTPUT: &str = r##"{"$ref":"#/$defs/event_result"}"##;

static SUMMARY: Param = Param::text("summary", "Summary", "What happened, in one line.")
    .required()
    .max(1024)
    .at(Place::Body("/payload/summary"));
static SOURCE: Param = Param::text(
    "source",
    "Source",
    "What it happened to, e.g. a host name or the name of a system.",
)
.at(Place::Body("/payload/source"));
static SOURCE_REQUIRED: Param = SOURCE.required();
static TIMESTAMP: Param =
    Param::new(Kind::DateTime, "timestamp", "Time", "When it happened, with an offset.")
        .at(Place::Body("/payload/timestamp"));
static CUSTOM_DETAILS: Param =
    Param::new(Kind::Map, "custom_details", "Details", "Anything else, by name.")
        .at(Place::Body("/payload/custom_details"));
static LINKS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(Kind::Url, "href", "Address", "Where the link leads.").required(),
        &Param::text("text", "Text", "What the link says."),
    ]),
    "links",
    "Links",
    "Links to show beside it.",
)
.at(Place::Body("/links"));
static DEDUP_KEY: Param = Param::text(
    "dedup_key",
    "Deduplication key",
    "Names the alert: events with the same key belong together.",
)
.max(255)
.at(Place::Body("/dedup_key"));
static DEDUP_KEY_REQUIRED: Param = DEDUP_KEY.required();
static DEDUP_KEY_OF_ITEM: Param = Param {
    description: "Names the alert: events with the same key belong together, and an open alert \
                  with it is not opened twice. By default a key of this execution's item.",
    ..DEDUP_KEY
};

/// An event on `/v2/enqueue` with its action.
const fn enqueue(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    constants: &'static [(&'static str, &'static str)],
) -> Action {
    Action {
        documentation_url: "https://developer.pagerduty.com/docs/events-api-v2-overview",
        slot: "events",
        idempotency: Idempotency::Keyed,
        route: Route {
            method: "POST",
            base: "events",
            path: ENQUEUE,
            constants,
            key: Some("dedup_key"),
            answer: Answer::Whole,
        },
        output: OUTPUT,
        ..Action::write(Effect::Execute, name, title, description, "POST", ENQUEUE)
    }
}

pub(crate) static ACTIONS: &[Action] = &[
    Action {
        parameters: &[
            &SUMMARY,
            &SOURCE_REQUIRED,
            &Param::new(
                Kind::OneOf(&["critical", "error", "warning", "info"]),
                "severity",
                "Severity",
                "How bad it is for the source.",
            )
            .required()
            .at(Place::Body("/payload/severity")),
            &DEDUP_KEY_OF_ITEM,
            &TIMESTAMP,
            &Param::text("component", "Component", "The part that is responsible.")
                .at(Place::Body("/payload/component")),
            &Param::text("group", "Group", "The larger whole it belongs to.")
                .at(Place::Body("/payload/group")),
            &Param::text("class", "Class", "What kind of event it is.")
                .at(Place::Body("/payload/class")),
            &CUSTOM_DETAILS,
            &LINKS,
            &Param::new(
                Kind::Objects(&[
                    &Param::new(Kind::Url, "src", "Image", "Where the image is; https.").required(),
                    &Param::new(Kind::Url, "href", "Address", "Where a click leads."),
                    &Param::text("alt", "Text", "What the image shows."),
                ]),
                "images",
                "Images",
                "Images to show beside it.",
            )
            .at(Place::Body("/images")),
            &Param::text("client", "Client", "Name of the system that sends the event.")
                .at(Place::Body("/client")),
            &Param::new(Kind::Url, "client_url", "Client URL", "Address of that system.")
                .at(Place::Body("/client_url")),
        ],
        examples: &[Example {
            title: "A disk fills up",
            parameters: r#"{"summary":"Disk of db-1 is 95 % full","source":"db-1","severity":"warning","dedup_key":"db-1/disk"}"#,
        }],
        ..enqueue(
            "event.trigger",
            "Trigger an alert",
            "Reports a problem: opens an alert, or adds to the open one with the same key.",
            &[("/event_action", r#""trigger""#)],
        )
    },
    Action {
        parameters: &[&DEDUP_KEY_REQUIRED],
        examples: &[Example {
            title: "Somebody looks after it",
            parameters: r#"{"dedup_key":"db-1/disk"}"#,
        }],
        ..enqueue(
            "event.acknowledge",
            "Acknowledge an alert",
            "Says that somebody works on the alert with this key. PagerDuty ignores it silently \
             when there is none.",
            &[("/event_action", r#""acknowledge""#)],
        )
    },
    Action {
        parameters: &[&DEDUP_KEY_REQUIRED],
        examples: &[Example { title: "All is well", parameters: r#"{"dedup_key":"db-1/disk"}"# }],
        ..enqueue(
            "event.resolve",
            "Resolve an alert",
            "Says that the problem with this key is over. PagerDuty ignores it silently when \
             there is none.",
            &[("/event_action", r#""resolve""#)],
        )
    },
    Action {
        documentation_url: "https://developer.pagerduty.com/docs/send-change-event",
        idempotency: Idempotency::None,
        parameters: &[&SUMMARY, &SOURCE, &TIMESTAMP, &CUSTOM_DETAILS, &LINKS],
        route: Route {
            method: "POST",
            base: "events",
            path: CHANGE,
            constants: &[],
            key: None,
            answer: Answer::Whole,
        },
        examples: &[Example {
            title: "A deploy",
            parameters: r#"{"summary":"Deployed build 4711","source":"ci","custom_details":{"build":4711}}"#,
        }],
        ..enqueue(
            "event.change",
            "Send a change event",
            "Tells that something was changed, e.g. deployed. It notifies nobody, but stands \
             beside incidents that follow.",
            &[],
        )
    },
];
