//! The actions.

use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Field, FieldKind, Idempotency, Kind, Link, Output, Paging,
    Param, Place,
};
use workflow_node_sdk::literal;

/// Every list: the service returns the next page in the header `Link`.
const LIST: Answer = Answer::List("", &Paging::Link(Link::new().limit("per_page", 100)));

static OWNER: Param =
    Param::text("owner", "Owner", "User or organization that owns the repository.")
        .required()
        .at(Place::Path);
static REPOSITORY: Param =
    Param::text("repository", "Repository", "Name of the repository, without its owner.")
        .required()
        .reference("repository")
        .at(Place::Path);
static NUMBER: Param = Param::integer("issue_number", 1, i64::MAX, "Issue", "Number of the issue.")
    .required()
    .at(Place::Path);
static LIMIT: Param = Param::integer(
    "limit",
    1,
    100_000,
    "Limit",
    "Maximum number of records to return. Ignored if All is set.",
)
.default(literal!(100));
static ALL: Param = Param::boolean("all", "All", "Whether to return all records.");

static TITLE: Param = Param::text("title", "Title", "Title of the issue.").body("/title");
static BODY: Param =
    Param::new(Kind::LongText, "body", "Body", "Text of the issue, in Markdown.").body("/body");
static LABEL_NAMES: Param =
    Param::new(Kind::List(&Kind::Text), "labels", "Labels", "Names of labels of the issue.")
        .reference("label")
        .body("/labels");
static ASSIGNEES: Param =
    Param::new(Kind::List(&Kind::Text), "assignees", "Assignees", "Logins of users to assign.")
        .body("/assignees");
static COMMENT: Param =
    Param::new(Kind::LongText, "body", "Text", "Text of the comment, in Markdown.")
        .required()
        .body("/body");

const REPOSITORY_RECORD: Output = Output::Record(&[
    Field::integer("id", "ID of the repository."),
    Field::text("name", "Name of the repository, without its owner."),
    Field::text("full_name", "Owner and name of the repository."),
    Field::text("description", "Description of the repository.").optional(),
    Field::boolean("private", "Whether only some users can see the repository."),
    Field::text("html_url", "Page of the repository."),
]);

const ISSUE_RECORD: Output = Output::Record(&[
    Field::integer("id", "ID of the issue."),
    Field::integer("number", "Number of the issue in its repository."),
    Field::text("title", "Title of the issue."),
    Field::text("state", "State: open or closed."),
    Field::text("body", "Text of the issue.").optional(),
    Field::new(
        "user",
        FieldKind::Record(&[Field::text("login", "Login of the user.")]),
        "Author of the issue.",
    )
    .optional(),
    Field::new(
        "labels",
        FieldKind::List(&FieldKind::Record(&[Field::text("name", "Name of the label.")])),
        "Labels of the issue.",
    ),
    Field::text("html_url", "Page of the issue."),
]);

const COMMENT_RECORD: Output = Output::Record(&[
    Field::integer("id", "ID of the comment."),
    Field::text("body", "Text of the comment.").optional(),
    Field::text("html_url", "Page of the comment."),
]);

const LABEL_RECORD: Output = Output::Record(&[
    Field::integer("id", "ID of the label."),
    Field::text("name", "Name of the label."),
    Field::text("color", "Color of the label as hexadecimal digits."),
    Field::text("description", "Description of the label.").optional(),
]);

const fn get(
    name: &'static str,
    path: &'static str,
    title: &'static str,
    description: &'static str,
) -> Action {
    Action::get(name, path, title, description).with("main", "api").scopes(&["repo"])
}

pub(crate) static REPOSITORIES: &[Action] = &[
    get(
        "repository.list",
        "/user/repos",
        "List your repositories",
        "Returns the repositories that the account can read.",
    )
    .parameters(&[
        &Param::new(
            Kind::OneOf(&["all", "public", "private"]),
            "visibility",
            "Visibility",
            "Include only repositories with this visibility.",
        )
        .query("visibility"),
        &Param::new(
            Kind::OneOf(&["created", "updated", "pushed", "full_name"]),
            "sort",
            "Sort by",
            "Time or name to sort by.",
        )
        .query("sort"),
        &LIMIT,
        &ALL,
    ])
    .answer(LIST)
    .output(REPOSITORY_RECORD)
    .examples(&[Example::new("All repositories", literal!({ "all": true }))]),
    get(
        "repository.of_owner",
        "/users/{owner}/repos",
        "List the repositories of an owner",
        "Returns the public repositories of a user or an organization.",
    )
    .parameters(&[&OWNER, &LIMIT, &ALL])
    .answer(LIST)
    .output(REPOSITORY_RECORD)
    .examples(&[Example::new("Of one user", literal!({ "owner": "octocat" }))]),
    get(
        "repository.get",
        "/repos/{owner}/{repository}",
        "Get a repository",
        "Returns one repository.",
    )
    .parameters(&[&OWNER, &REPOSITORY])
    .output(REPOSITORY_RECORD)
    .examples(&[Example::new(
        "One repository",
        literal!({ "owner": "octocat", "repository": "hello-world" }),
    )]),
];

pub(crate) static ISSUES: &[Action] = &[
    get(
        "issue.list",
        "/repos/{owner}/{repository}/issues",
        "List issues",
        "Returns the issues of a repository, with its pull requests.",
    )
    .parameters(&[
        &OWNER,
        &REPOSITORY,
        &Param::new(
            Kind::OneOf(&["open", "closed", "all"]),
            "state",
            "State",
            "Include only issues in this state. Defaults to open.",
        )
        .query("state"),
        &Param::new(
            Kind::List(&Kind::Text),
            "labels",
            "Labels",
            "Include only issues that have all of these labels.",
        )
        .reference("label")
        .at(Place::QueryJoined("labels")),
        &Param::new(
            Kind::UtcDateTime,
            "since",
            "Updated since",
            "Include only issues that were updated at this time or later.",
        )
        .query("since"),
        &LIMIT,
        &ALL,
    ])
    .answer(LIST)
    .output(ISSUE_RECORD)
    .examples(&[Example::new(
        "Open bugs",
        literal!({ "owner": "octocat", "repository": "hello-world", "labels": ["bug"] }),
    )]),
    get(
        "issue.get",
        "/repos/{owner}/{repository}/issues/{issue_number}",
        "Get an issue",
        "Returns one issue.",
    )
    .parameters(&[&OWNER, &REPOSITORY, &NUMBER])
    .output(ISSUE_RECORD)
    .examples(&[Example::new(
        "One issue",
        literal!({ "owner": "octocat", "repository": "hello-world", "issue_number": 1347 }),
    )]),
    Action::post(
        "issue.create",
        "/repos/{owner}/{repository}/issues",
        "Create an issue",
        "Creates an issue and returns it.",
    )
    .with("main", "api")
    .scopes(&["repo"])
    .parameters(&[&OWNER, &REPOSITORY, &TITLE.required(), &BODY, &LABEL_NAMES, &ASSIGNEES])
    .output(ISSUE_RECORD)
    .check("issue.list")
    .examples(&[Example::new(
        "A bug",
        literal!({
            "owner": "octocat",
            "repository": "hello-world",
            "title": "It does not start",
            "labels": ["bug"]
        }),
    )]),
    Action::patch(
        "issue.update",
        "/repos/{owner}/{repository}/issues/{issue_number}",
        "Update an issue",
        "Changes an issue, or closes it, and returns it. Repeating it has no further effect.",
    )
    .effect(Effect::Update, Idempotency::Idempotent)
    .with("main", "api")
    .scopes(&["repo"])
    .parameters(&[
        &OWNER,
        &REPOSITORY,
        &NUMBER,
        &TITLE,
        &BODY,
        &Param::new(Kind::OneOf(&["open", "closed"]), "state", "State", "New state of the issue.")
            .body("/state"),
        &LABEL_NAMES,
        &ASSIGNEES,
    ])
    .output(ISSUE_RECORD)
    .examples(&[Example::new(
        "Close an issue",
        literal!({
            "owner": "octocat",
            "repository": "hello-world",
            "issue_number": 1347,
            "state": "closed"
        }),
    )]),
    Action::put(
        "issue.lock",
        "/repos/{owner}/{repository}/issues/{issue_number}/lock",
        "Lock an issue",
        "Locks the conversation of an issue. Only collaborators can comment on it then.",
    )
    .with("main", "api")
    .scopes(&["repo"])
    .parameters(&[
        &OWNER,
        &REPOSITORY,
        &NUMBER,
        &Param::new(
            Kind::OneOf(&["off-topic", "too heated", "resolved", "spam"]),
            "reason",
            "Reason",
            "Reason for locking the issue.",
        )
        .body("/lock_reason"),
    ])
    .answer(Answer::Nothing(literal!({ "locked": true })))
    .output(Output::Record(&[Field::boolean("locked", "Whether the issue is locked.")]))
    .examples(&[Example::new(
        "Lock an issue",
        literal!({
            "owner": "octocat",
            "repository": "hello-world",
            "issue_number": 1347,
            "reason": "resolved"
        }),
    )]),
];

pub(crate) static COMMENTS: &[Action] = &[
    get(
        "comment.list",
        "/repos/{owner}/{repository}/issues/{issue_number}/comments",
        "List comments",
        "Returns the comments on an issue, the oldest first.",
    )
    .parameters(&[&OWNER, &REPOSITORY, &NUMBER, &LIMIT, &ALL])
    .answer(LIST)
    .output(COMMENT_RECORD)
    .examples(&[Example::new(
        "Of one issue",
        literal!({ "owner": "octocat", "repository": "hello-world", "issue_number": 1347 }),
    )]),
    Action::post(
        "comment.create",
        "/repos/{owner}/{repository}/issues/{issue_number}/comments",
        "Comment on an issue",
        "Adds a comment to an issue and returns the comment.",
    )
    .with("main", "api")
    .scopes(&["repo"])
    .parameters(&[&OWNER, &REPOSITORY, &NUMBER, &COMMENT])
    .output(COMMENT_RECORD)
    .check("comment.list")
    .examples(&[Example::new(
        "A comment",
        literal!({
            "owner": "octocat",
            "repository": "hello-world",
            "issue_number": 1347,
            "body": "Thank you for the report."
        }),
    )]),
];

pub(crate) static LABELS: &[Action] = &[
    get(
        "label.list",
        "/repos/{owner}/{repository}/labels",
        "List labels",
        "Returns the labels of a repository.",
    )
    .parameters(&[&OWNER, &REPOSITORY, &LIMIT, &ALL])
    .answer(LIST)
    .output(LABEL_RECORD)
    .examples(&[Example::new(
        "All labels",
        literal!({ "owner": "octocat", "repository": "hello-world", "all": true }),
    )]),
    Action::delete(
        "label.delete",
        "/repos/{owner}/{repository}/labels/{label}",
        "Delete a label",
        "Deletes a label from a repository and from all of its issues.",
    )
    .with("main", "api")
    .scopes(&["repo"])
    .parameters(&[
        &OWNER,
        &REPOSITORY,
        &Param::text("label", "Label", "Name of the label.")
            .required()
            .reference("label")
            .at(Place::Path),
    ])
    .answer(Answer::Nothing(literal!({ "deleted": true })))
    .output(Output::Record(&[Field::boolean("deleted", "Whether the label is deleted.")]))
    .examples(&[Example::new(
        "One label",
        literal!({ "owner": "octocat", "repository": "hello-world", "label": "wontfix" }),
    )]),
];
