//! One action per kind of list and body.

use workflow_node_sdk::declare::{
    Action, Answer, Cursor, FormLists, Kind, Link, NextUrl, PageNumber, Paging, Param, Place, Run,
};
use workflow_node_sdk::literal;

static LIMIT: Param =
    Param::new(Kind::Integer(1, 100_000), "limit", "Limit", "Maximum number of records.");
static ALL: Param = Param::new(Kind::Boolean, "all", "All", "Whether to return all records.");
static PAGED: &[&Param] = &[&LIMIT, &ALL];

const NUMBERED: PageNumber = PageNumber::new(100, "page").limit("per_page");

const fn call(name: &'static str, method: &'static str, path: &'static str) -> Action {
    Action::new(name, "Call", "Calls the service.", method, path).with("main", "api")
}

const fn list(name: &'static str, path: &'static str, answer: Answer) -> Action {
    call(name, "GET", path).parameters(PAGED).answer(answer)
}

pub(crate) static LISTS: &[Action] = &[
    list("element.list", "/bare", Answer::Elements),
    list("bare.list", "/bare", Answer::List("", &Paging::None)),
    list("nested.list", "/nested", Answer::List("/data/0/items", &Paging::None)),
    list("numbered.list", "/numbered", Answer::List("", &Paging::Page(NUMBERED))),
    list(
        "counted.list",
        "/counted",
        Answer::List("data/items", &Paging::Page(NUMBERED.pages("meta/pages"))),
    ),
    list(
        "linked.list",
        "/linked",
        Answer::List("", &Paging::Link(Link::new().limit("per_page", 100))),
    ),
    list(
        "next.list",
        "/next",
        Answer::List("items", &Paging::NextUrl(NextUrl::new("links/next").limit("per_page", 100))),
    ),
    list(
        "cursor.list",
        "/cursor",
        Answer::List(
            "items",
            &Paging::Cursor(Cursor::new(100, "page", "meta/next").limit("per_page")),
        ),
    ),
];

pub(crate) static OTHERS: &[Action] = &[
    call("charge.create", "POST", "/charges")
        .form(FormLists::Brackets)
        .constants(&[("/currency", literal!("usd"))])
        .parameters(&[
            &Param::new(Kind::Integer(0, 1_000), "amount", "Amount", "Amount to charge.")
                .required()
                .body("/amount"),
            &Param::new(Kind::List(&Kind::Text), "tags", "Tags", "Tags.").body("/metadata/tags"),
            &Param::text("password", "Password", "Password of the card.")
                .body("/password")
                .secret("card-password"),
        ]),
    Action::get("own.get", "/thing", "Get", "Calls the operator's server.").with("own", "own"),
    // The code requests any URL; the host must refuse it.
    Action::get("own.fetch", "/", "Fetch", "Calls any URL.")
        .with("own", "own")
        .parameters(&[
            &Param::text("url", "URL", "Where to.").required(),
            &Param::new(Kind::Boolean, "with_credential", "Credential", "Whether to send it."),
        ])
        .run(Run::Custom),
    call("thing.get", "GET", "/thing").parameters(&[
        &Param::text("user_agent", "User agent", "To send.").at(Place::Header("user-agent")),
        &Param::text("again", "User agent", "To send as well.").at(Place::Header("User-Agent")),
    ]),
];
