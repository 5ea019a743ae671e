//! A plugin for the tests, and a way to call it.

use serde_json::{Value, json};
use workflow_node_sdk::declare::{
    Action, Answer, BaseUrl, Cursor, Effect, Example, Failures, Idempotency, Kind, Link, NextUrl,
    Node, Offset, PageNumber, Paging, Param, Place, Reference, Resource, Run, Simple, SimpleField,
    SimpleKind, Slot, TimeKey,
};
use workflow_node_sdk::documents::{Configuration, Identity, OriginPattern, TokenGrant};
use workflow_node_sdk::error::{Error, ErrorKind, FieldError};
use workflow_node_sdk::http::{Request, Response, SendError};
use workflow_node_sdk::node::{
    self, Batch, Call, Credential, Custom, Declares, Likeness, OutputItem, Plugin, Task,
};
use workflow_node_sdk::testing::Host;
use workflow_node_sdk::{Map, json as text, literal};

pub(crate) struct Things;

static LIMIT: Param = Param::new(Kind::Integer(1, 1_000_000), "limit", "Limit", "At most.");
static ALL: Param = Param::new(Kind::Boolean, "all", "All", "Every one.");
static NAME: Param = Param::text("name", "Name", "Its name.").required().body("/name");
static KEY: Param = Param::text("key", "Key", "Names it.").body("/key");
static SEARCH: Param = Param::text("query", "Search", "Part of a name.").query("query");
static SINCE: Param = Param::new(Kind::DateTime, "since", "Since", "From.").query("since");
static UNTIL: Param = Param::new(Kind::DateTime, "until", "Until", "To.").query("until");
static RANGE: Param = Param::new(Kind::OneOf(&["all"]), "range", "Range", "Ever.").query("range");
static SORT: Param =
    Param::new(Kind::List(&Kind::Text), "sort", "Sort", "Order.").at(Place::QueryJoined("sort"));
static SIMPLIFY: Param = Param::new(Kind::Boolean, "simplify", "Simplify", "Flat.");
static THING_ID: Param =
    Param::text("thing_id", "Thing", "Which.").required().reference("thing").at(Place::Path);

static THING_IDS: Param = Param::new(Kind::List(&Kind::Text), "thing_ids", "Things", "Whose.")
    .reference("thing")
    .query("thing_ids[]");
static SHAPE: Param =
    Param::new(Kind::List(&Kind::Text), "include", "Include", "In full.").query("include[]");

const OFFSET: Offset = Offset::new(100).window(10_000).total("total");
const BY_TIME: TimeKey = TimeKey::new("at", "since", "until", 1_230_768_000)
    .oldest_first("sort", "at:asc")
    .everything("range", "all")
    .days(180);
const NEWEST_FIRST: TimeKey = TimeKey::new("at", "since", "until", 1_230_768_000);
const CURSOR: Cursor = Cursor::new(50, "cursor", "next").limit("limit");

const NUMBERED: PageNumber = PageNumber::new(3, "page").limit("per_page");

static FLAT: Simple = Simple::new(
    "Thing",
    &[
        SimpleField::new("id", SimpleKind::Text, &["/id"], ""),
        SimpleField::new("owner", SimpleKind::Text, &["/owner/name", "/owner/summary"], ""),
    ],
);

const fn api(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    method: &'static str,
    path: &'static str,
) -> Action {
    Action::new(name, title, description, method, path).with("main", "api")
}

const PAGED: &[&Param] = &[&LIMIT, &ALL];

const fn list(name: &'static str, path: &'static str, answer: Answer) -> Action {
    api(name, "List", "Reads them.", "GET", path).parameters(PAGED).answer(answer)
}

static ACTIONS: &[Action] = &[
    list("record.list", "/records", Answer::List("records", &Paging::Offset(OFFSET)))
        .examples(&[Example::new("All", literal!({ "all": true }))]),
    list("change.list", "/changes?kind=all", Answer::List("changes", &Paging::Cursor(CURSOR))),
    list("name.list", "/names", Answer::List("names", &Paging::None)),
    list("part.list", "/parts", Answer::List("parts", &Paging::Limit("limit", 50))),
    list(
        "undocumented.list",
        "/undocumented",
        Answer::List("records", &Paging::Offset(OFFSET.undocumented())),
    ),
    api("report.list", "Query", "By a body.", "POST", "/reports")
        .effect(Effect::Read, Idempotency::Safe)
        .parameters(&[&NAME.optional(), &LIMIT, &ALL])
        .answer(Answer::List(
            "data",
            &Paging::Cursor(
                Cursor::new(1_000, "starting_after", "last").limit("limit").more("more").in_body(),
            ),
        )),
    list("event.list", "/events", Answer::List("events", &Paging::Offset(OFFSET)))
        .ranges(&[BY_TIME])
        .parameters(&[&SINCE, &UNTIL, &RANGE, &SORT, &LIMIT, &ALL]),
    list("audit.list", "/audit", Answer::List("audit", &Paging::Cursor(CURSOR)))
        .ranges(&[NEWEST_FIRST.default_range("24 hours").days(31)])
        .parameters(&[&SINCE, &UNTIL, &LIMIT, &ALL]),
    api("metric.list", "Metrics", "Of a time range.", "GET", "/metrics")
        .ranges(&[BY_TIME])
        .parameters(&[&SINCE, &UNTIL]),
    list("log.list", "/log", Answer::List("log", &Paging::Offset(OFFSET)))
        .ranges(&[NEWEST_FIRST])
        .parameters(&[&SINCE, &UNTIL, &LIMIT, &ALL]),
    list("thing.list", "/things", Answer::List("things", &Paging::Offset(OFFSET)))
        .parameters(&[&SEARCH, &SIMPLIFY, &LIMIT, &ALL])
        .simple(&FLAT),
    list("filtered.list", "/filtered", Answer::List("things", &Paging::Offset(OFFSET)))
        .parameters(&[&THING_IDS, &SHAPE, &LIMIT, &ALL]),
    list(
        "filtered_event.list",
        "/filtered_events",
        Answer::List("events", &Paging::Offset(OFFSET)),
    )
    .ranges(&[BY_TIME])
    .parameters(&[&THING_IDS, &LIMIT, &ALL]),
    list("element.list", "/elements", Answer::Elements),
    list("bare.list", "/bare", Answer::List("", &Paging::None)),
    list("deep.list", "/deep", Answer::List("data/0/items", &Paging::None)),
    list("everything.list", "/everything", Answer::List("", &Paging::Page(NUMBERED)))
        .parameters(&[]),
    list("numbered.list", "/numbered", Answer::List("", &Paging::Page(NUMBERED))),
    list(
        "counted.list",
        "/counted?kind=all",
        Answer::List("data/items", &Paging::Page(NUMBERED.first(0).pages("meta/pages"))),
    ),
    list(
        "totaled.list",
        "/totaled",
        Answer::List("items", &Paging::Page(NUMBERED.total("meta/total"))),
    ),
    list("more.list", "/more", Answer::List("items", &Paging::Page(NUMBERED.more("has_more")))),
    list(
        "linked.list",
        "/linked",
        Answer::List("", &Paging::Link(Link::new().limit("per_page", 3))),
    ),
    list(
        "next.list",
        "/next",
        Answer::List("items", &Paging::NextUrl(NextUrl::new("links/next").limit("size", 3))),
    ),
    list(
        "start.list",
        "/start",
        Answer::List("issues", &Paging::Offset(Offset::new(3).total("total").without_more())),
    ),
    list(
        "number_cursor.list",
        "/number_cursor",
        Answer::List(
            "items",
            &Paging::Cursor(Cursor::new(50, "cursor", "meta/next").limit("limit")),
        ),
    ),
    api("thing.subscribe", "Subscribe", "Several.", "POST", "/things/subscribers")
        .answer(Answer::List("subscriptions", &Paging::None))
        .failures(&Failures::unless("/subscriptions", "result", &["success", "duplicate"])),
    api("thing.batch", "Change several", "At once.", "PUT", "/things")
        .answer(Answer::List("things", &Paging::None))
        .failures(&Failures::each("/failed").reason("message")),
    api("thing.associate", "Associate", "Several.", "POST", "/things/associations")
        .parameters(&[&NAME])
        .failures(&Failures::unless("/associations", "errors", &[]).reason("errors")),
    api("thing.unsubscribe", "Unsubscribe", "Several.", "POST", "/things/unsubscribe")
        .failures(&Failures::each("/unauthorized_count")),
    api("thing.get", "Get a thing", "One.", "GET", "/things/{thing_id}").parameters(&[&THING_ID]),
    api("thing.create", "Create a thing", "Unkeyed.", "POST", "/things")
        .envelope("/thing")
        .parameters(&[&NAME])
        .answer(Answer::Object("thing")),
    api("thing.put", "Put a thing", "Keyed.", "POST", "/things")
        .envelope("/thing")
        .parameters(&[&NAME, &KEY])
        .keyed("key")
        .answer(Answer::Object("thing")),
    api("thing.update", "Update a thing", "In order.", "PUT", "/things/{thing_id}")
        .parameters(&[&THING_ID, &NAME]),
    api("thing.move", "Move things", "Several.", "POST", "/things/move").parameters(&[
        &Param::new(Kind::List(&Kind::Text), "thing_ids", "Things", "Which.")
            .reference("thing")
            .body("/ids"),
        &Param::new(
            Kind::Objects(&[
                &Param::text("part_id", "Part", "Which.").reference("part"),
                &Param::text("thing_id", "Thing", "Where to.").reference("thing"),
                &Param::text("kind", "Kind", "What `id` is of."),
                &Param::text("id", "Which", "A thing or a part.")
                    .reference_by("kind", &[("a_thing", "thing"), ("a_part", "part")]),
            ]),
            "moves",
            "Moves",
            "Each.",
        )
        .body("/moves"),
    ]),
    api("thing.choose", "Choose things", "Of several kinds.", "POST", "/things/choose").parameters(
        &[
            &Param::text("linked_id", "Linked", "Which.").reference("linked").body("/linked"),
            &Param::text("numbered_id", "Numbered", "Which.")
                .reference("numbered")
                .body("/numbered"),
        ],
    ),
    api("thing.delete", "Delete a thing", "One.", "DELETE", "/things/{thing_id}")
        .parameters(&[&THING_ID])
        .answer(Answer::Nothing(literal!({ "deleted": true }))),
    api("thing.join", "Join things", "All at once.", "POST", "/things/join")
        .parameters(&[&NAME])
        .run(Run::Batch),
    api("thing_part.list", "List parts", "Of one.", "GET", "/things/{thing_id}/parts")
        .parameters(&[&THING_ID, &LIMIT, &ALL])
        .answer(Answer::List("parts", &Paging::Cursor(CURSOR))),
    api("thing_part.get", "Get a part", "Of one.", "GET", "/things/{thing_id}/parts/{part_id}")
        .parameters(&[
            &THING_ID,
            &Param::text("part_id", "Part", "Which.").required().reference("part").at(Place::Path),
        ]),
    Action::new("echo.get", "Echo", "Gives back what it was given.", "GET", "/")
        .parameters(&[&Param::text("text", "Text", "What to give back.").required()])
        .run(Run::Custom),
    Action::get("status.get", "/status", "Get the status", "Without a credential.")
        .without_credential("https://open.test/v1/"),
];

pub(crate) static NODE: Node = Node::builder("things", "Things", "Things of a test.")
    .documentation_url("https://api.test/documentation")
    .icon(r#"<svg xmlns="http://www.w3.org/2000/svg"/>"#)
    .categories(&["tests"])
    .aliases(&["objects"])
    .origins(&["https://api.test", "https://open.test"])
    .slots(&[Slot::new("main", "A key.", &["key"])
        .base_urls(&[BaseUrl::fixed("api", "https://api.test")])])
    .schemas(&[("thing", literal!({ "type": "object" }))])
    .references(&[
        Reference::new("linked", "a linked thing", "linked.list").named(&["name"]),
        Reference::new("numbered", "a numbered thing", "numbered.list").named(&["name"]),
        Reference::new("thing", "a thing", "thing.list")
            .get("thing.get")
            .search("query")
            .named(&["name", "nickname"])
            .detail("detail")
            .segments(&["things"]),
        Reference::new("part", "a part", "thing_part.list")
            .get("thing_part.get")
            .named(&["name"])
            .segments(&["parts"]),
    ])
    .resources(&[Resource::new("thing", "Things", "All of them.", &[ACTIONS])])
    .build();

impl Plugin for Things {
    fn declaration() -> &'static dyn Declares {
        &NODE
    }

    fn configure(
        credential_type: &str,
        fields: &Map<String, Value>,
        grant: Option<&TokenGrant>,
    ) -> Result<Configuration, Vec<FieldError>> {
        let values = json!({"type": credential_type, "fields": fields, "grant": grant});
        let api: OriginPattern = "https://api.test".parse().unwrap();
        Ok(Configuration::new([api]).values(values.as_object().unwrap().clone()))
    }

    async fn test(credential: Credential) -> Result<Identity, Error> {
        Ok(Identity::new(credential.credential_type))
    }

    fn prepare(request: &mut Request, _: &Action, _: &Credential) -> Result<(), Error> {
        request.headers.push(("accept".into(), "application/json".into()));
        Ok(())
    }

    fn error(response: &Response, _: &Action, _: &Credential) -> Error {
        let kind = match response.status {
            403 => ErrorKind::Forbidden,
            404 => ErrorKind::NotFound,
            429 => ErrorKind::RateLimited,
            500.. => ErrorKind::Unavailable,
            _ => ErrorKind::InvalidInput,
        };
        let mut error = Error::new(kind, "the service says no");
        error.http_status = Some(response.status);
        error.retry_after = Some(1_000);
        error
    }

    /// Ids have no letters in small.
    fn likeness(_: &Reference, text: &str) -> Likeness {
        match text.bytes().all(|byte| !byte.is_ascii_lowercase() && byte != b' ') {
            true => Likeness::Id,
            false => Likeness::Name,
        }
    }

    fn custom(action: &str) -> Option<Custom> {
        (action == "echo.get").then_some(|task: Task| {
            Box::pin(
                async move { Ok(vec![node::main(text::text(&Value::Object(task.parameters)))]) },
            )
        })
    }

    fn batch(action: &str) -> Option<Batch> {
        (action == "thing.join").then_some(|tasks: Vec<Task>| {
            Box::pin(async move {
                let names: Vec<_> = tasks.iter().filter_map(|task| task.text("name")).collect();
                let all = json!(names).to_string();
                tasks.iter().map(|_| Ok(vec![node::main(all.clone())])).collect()
            })
        })
    }
}

/// A host with a credential.
pub(crate) fn host(answer: impl FnMut(&Request) -> Result<Response, SendError> + 'static) -> Host {
    Host::answering(answer).connected::<Things>("main", "key", json!({}))
}

/// Outcome of an item: its records or its error.
pub(crate) type Outcome = Result<Vec<String>, Error>;

/// Calls an action, one item per parameters.
pub(crate) fn call(host: &Host, action: &str, items: &[Value], options: &Value) -> Vec<Outcome> {
    let call = Call {
        node: "things".into(),
        version: 1,
        action: action.into(),
        items: items.iter().map(Value::to_string).collect(),
        options: options.to_string(),
    };
    let results = host.run(|| node::execute::<Things>(call)).expect("the call makes sense");
    let bare = |outputs: Vec<OutputItem>| outputs.into_iter().map(|output| output.json).collect();
    results.into_iter().map(|result| result.map(bare)).collect()
}

/// Calls an action for one item.
pub(crate) fn call_one(host: &Host, action: &str, item: Value) -> Outcome {
    call(host, action, &[item], &json!({})).remove(0)
}

/// The query parameter of a request.
pub(crate) fn query(request: &Request, name: &str) -> Option<u64> {
    let (_, query) = request.url.split_once('?')?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    value.parse().ok()
}
