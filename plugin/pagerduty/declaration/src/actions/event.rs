//! Events (Events API v2): what monitoring sends. The routing key is the credential; the host
//! writes it into the body.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param};

use crate::parameters::ADDITIONAL_FIELDS;
use crate::records::EVENT_RESULT;

const ENQUEUE: &str = "/v2/enqueue";
const CHANGE: &str = "/v2/change/enqueue";

static SUMMARY: Param = Param::text("summary", "Summary", "What happened, in one line.")
    .required()
    .max(1024)
    .body("/payload/summary");
static SOURCE: Param = Param::text(
    "source",
    "Source",
    "What it happened to, e.g. a host name or the name of a system.",
)
.body("/payload/source");
static TIMESTAMP: Param =
    Param::new(Kind::DateTime, "timestamp", "Time", "When it happened, with an offset.")
        .body("/payload/timestamp");
static CUSTOM_DETAILS: Param =
    Param::new(Kind::Map, "custom_details", "Details", "Anything else, by name.")
        .body("/payload/custom_details");
static LINKS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(Kind::Url, "href", "Address", "Where the link leads.").required(),
        &Param::text("text", "Text", "What the link says."),
    ]),
    "links",
    "Links",
    "Links to show beside it.",
)
.body("/links");
static DEDUP_KEY: Param = Param::text(
    "dedup_key",
    "Deduplication key",
    "Names the alert: events with the same key belong together.",
)
.max(255)
.body("/dedup_key");
static DEDUP_KEY_OF_ITEM: Param = Param {
    description: "Names the alert: events with the same key belong together, and an open alert \
                  with it is not opened twice. By default a key of this execution's item.",
    ..DEDUP_KEY
};
static IMAGES: Param = Param::new(
    Kind::Objects(&[
        &Param::new(Kind::Url, "src", "Image", "Where the image is; https.").required(),
        &Param::new(Kind::Url, "href", "Address", "Where a click leads."),
        &Param::text("alt", "Text", "What the image shows."),
    ]),
    "images",
    "Images",
    "Images to show beside it.",
)
.body("/images");

/// An event with its action.
const fn enqueue(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    constants: &'static [(&'static str, &'static str)],
) -> Action {
    Action::new(name, title, description, "POST", ENQUEUE)
        .with("events", "events")
        .documented("https://developer.pagerduty.com/docs/events-api-v2-overview")
        .effect(Effect::Execute, Idempotency::None)
        .constants(constants)
        .keyed("dedup_key")
        .gives(EVENT_RESULT)
}

pub(super) static ACTIONS: &[Action] = &[
    enqueue(
        "event.trigger",
        "Trigger an alert",
        "Reports a problem: opens an alert, or adds to the open one with the same key.",
        &[("/event_action", r#""trigger""#)],
    )
    .takes(&[
        &SUMMARY,
        &SOURCE.required(),
        &Param::new(
            Kind::OneOf(&["critical", "error", "warning", "info"]),
            "severity",
            "Severity",
            "How bad it is for the source.",
        )
        .required()
        .body("/payload/severity"),
        &DEDUP_KEY_OF_ITEM,
        &TIMESTAMP,
        &Param::text("component", "Component", "The part that is responsible.")
            .body("/payload/component"),
        &Param::text("group", "Group", "The larger whole it belongs to.").body("/payload/group"),
        &Param::text("class", "Class", "What kind of event it is.").body("/payload/class"),
        &CUSTOM_DETAILS,
        &LINKS,
        &IMAGES,
        &Param::text("client", "Client", "Name of the system that sends the event.")
            .body("/client"),
        &Param::new(Kind::Url, "client_url", "Client URL", "Address of that system.")
            .body("/client_url"),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[Example::new(
        "A disk fills up",
        r#"{"summary":"Disk of db-1 is 95 % full","source":"db-1","severity":"warning","dedup_key":"db-1/disk"}"#,
    )]),
    enqueue(
        "event.acknowledge",
        "Acknowledge an alert",
        "Says that somebody works on the alert with this key. PagerDuty ignores it silently when \
         there is none.",
        &[("/event_action", r#""acknowledge""#)],
    )
    .takes(&[&DEDUP_KEY.required()])
    .examples(&[Example::new("Somebody looks after it", r#"{"dedup_key":"db-1/disk"}"#)]),
    enqueue(
        "event.resolve",
        "Resolve an alert",
        "Says that the problem with this key is over. PagerDuty ignores it silently when there is \
         none.",
        &[("/event_action", r#""resolve""#)],
    )
    .takes(&[&DEDUP_KEY.required()])
    .examples(&[Example::new("All is well", r#"{"dedup_key":"db-1/disk"}"#)]),
    Action::new(
        "event.change",
        "Send a change event",
        "Tells that something was changed, e.g. deployed. It notifies nobody, but stands beside \
         incidents that follow.",
        "POST",
        CHANGE,
    )
    .with("events", "events")
    .documented("https://developer.pagerduty.com/docs/send-change-event")
    .effect(Effect::Execute, Idempotency::None)
    .check("Look with `change_event.list` whether it is there before you run it again.")
    .takes(&[&SUMMARY, &SOURCE, &TIMESTAMP, &CUSTOM_DETAILS, &LINKS, &IMAGES, &ADDITIONAL_FIELDS])
    .gives(EVENT_RESULT)
    .examples(&[Example::new(
        "A deploy",
        r#"{"summary":"Deployed build 4711","source":"ci","custom_details":{"build":4711}}"#,
    )]),
];
