use super::super::{BaseUrl, Delivery, NodeBuilder, Paging, Reference, Resource};
use super::*;
use crate::literal;

const ORIGIN: &str = "https://api.test";
static SLOTS: &[Slot] =
    &[Slot::new("main", "", &["key"]).base_urls(&[BaseUrl::fixed("api", ORIGIN)])];
const NAME: Param = Param::text("name", "", "").query("name");
const BY_NAME: &[&Param] = &[&NAME];

fn with(node: NodeBuilder, actions: Vec<Action>) -> NodeBuilder {
    let actions: &'static [Action] = actions.leak();
    let actions: &'static [&'static [Action]] = vec![actions].leak();
    node.resources(vec![Resource::new("thing", "", "", actions)].leak())
}

fn node() -> NodeBuilder {
    Node::builder("things", "", "").origins(&[ORIGIN]).slots(SLOTS)
}

fn get(path: &'static str) -> Action {
    Action::get("thing.get", path, "", "").with("main", "api")
}

fn params(params: Vec<Param>) -> &'static [&'static Param] {
    let params: Vec<&'static Param> =
        params.into_iter().map(|param| &*Box::leak(Box::new(param))).collect();
    params.leak()
}

/// The message with which building a node fails; empty if the node can be built.
fn problem(node: NodeBuilder) -> String {
    match std::panic::catch_unwind(|| node.build()) {
        Ok(_) => String::new(),
        Err(panic) => panic.downcast_ref::<String>().expect("a message").clone(),
    }
}

fn problem_of(action: Action) -> String {
    problem(with(node(), vec![action]))
}

#[test]
fn a_sound_declaration_is_built() {
    let id = Param::text("thing_id", "", "").required().at(Place::Path);
    assert_eq!(problem_of(get("/things/{thing_id}/x?a=b").parameters(params(vec![id]))), "");
    assert_eq!(problem_of(get("/").parameters(BY_NAME)), "");
}

#[test]
fn a_misspelled_path_parameter_is_found() {
    let id = Param::text("thing_id", "", "").required().at(Place::Path);
    assert_eq!(
        problem_of(get("/things/{thingid}").parameters(params(vec![id]))),
        "action `thing.get`: the path names the parameter `thingid`, which it does not have. \
         Correct the name in the path, or add the parameter with `.at(Place::Path)`."
    );
    assert_eq!(
        problem_of(get("/things").parameters(params(vec![id]))),
        "action `thing.get`, parameter `thing_id`: the path `/things` has no segment of its \
         name. Correct the name, or place the parameter elsewhere."
    );
}

#[test]
fn an_optional_path_parameter_is_found() {
    let id = Param::text("thing_id", "", "").at(Place::Path);
    let expected = "action `thing.get`, parameter `thing_id`: it is in the path, and may be \
                    absent. Add `.required()`, without `.nullable()` and `.when(…)`.";
    for id in [id, id.required().nullable()] {
        assert_eq!(problem_of(get("/things/{thing_id}").parameters(params(vec![id]))), expected);
    }
    let elsewhere = Param::text("thing_id", "", "").required().query("id");
    assert_eq!(
        problem_of(get("/things/{thing_id}").parameters(params(vec![elsewhere]))),
        "action `thing.get`, parameter `thing_id`: the path names it, but it is not placed \
         there. Add `.at(Place::Path)`."
    );
}

#[test]
fn an_invalid_path_is_found() {
    assert_eq!(
        problem_of(get("things")),
        "action `thing.get`: the path `things` does not begin with a slash. Begin it with `/`."
    );
    for path in ["/a{b}", "/{a}{b}", "/{a", "/a}"] {
        let problem = problem_of(get(path));
        assert!(problem.contains("is not one parameter. A parameter takes a whole"), "{problem}");
    }
}

#[test]
fn an_unknown_reference_is_found_at_any_depth() {
    let expected = "it refers to `thin`, which is not a reference of the node. Correct the name, \
                    or declare it with `NodeBuilder::references`.";
    let own = Param::text("thing_id", "", "").reference("thin").query("id");
    let inner = params(vec![Param::text("id", "", "").reference("thin")]);
    let inner = Param::new(Kind::Objects(inner), "things", "", "").body("/things");
    let by = Param::text("id", "", "").reference_by("name", &[("a", "thin")]).query("id");
    for (params, name) in [
        (params(vec![own]), "thing_id"),
        (params(vec![inner]), "id"),
        (params(vec![by, NAME]), "id"),
    ] {
        let action = Action::post("thing.make", "/things", "", "").with("main", "api");
        assert_eq!(
            problem_of(action.parameters(params)),
            format!("action `thing.make`, parameter `{name}`: {expected}")
        );
    }
}

#[test]
fn a_reference_whose_actions_are_missing_or_wrong_is_found() {
    let list = Action::get("thing.list", "/things", "", "")
        .with("main", "api")
        .parameters(BY_NAME)
        .answer(Answer::List("things", &Paging::None));
    let reference = Reference::new("thing", "a thing", "thing.list");
    for (reference, expected) in [
        (reference.search("name").get("thing.get"), ""),
        (
            Reference::new("thing", "a thing", "thing.lst"),
            "there is no action `thing.lst` to list its choices. Correct the name in \
             `Reference::new`, or declare the action.",
        ),
        (
            Reference::new("thing", "a thing", "thing.get"),
            "the action `thing.get` does not return a list. Name an action whose answer is a \
             list.",
        ),
        (
            reference.search("query"),
            "the action `thing.list` has no parameter `query` to search by. Correct the name \
             in `.search(…)`.",
        ),
        (
            reference.get("thing.read"),
            "there is no action `thing.read` to read one record. Correct the name in \
             `.get(…)`, or declare the action.",
        ),
        (
            reference.get("thing.list"),
            "the path of `thing.list` does not end with the ID. Name an action whose path ends \
             with a parameter.",
        ),
    ] {
        let id = Param::text("id", "", "").required().at(Place::Path);
        let actions = vec![list, get("/things/{id}").parameters(params(vec![id]))];
        let node = with(node(), actions).references(vec![reference].leak());
        let expected = match expected {
            "" => String::new(),
            expected => format!("reference `thing`: {expected}"),
        };
        assert_eq!(problem(node), expected);
    }
}

#[test]
fn a_slot_or_base_url_that_does_not_exist_is_found() {
    let at = |slot, base| problem_of(Action::get("thing.get", "/", "", "").with(slot, base));
    assert_eq!(
        at("main", "apii"),
        "action `thing.get`: the slot `main` has no base URL `apii`. Correct the name, or \
         declare it with `Slot::base_urls`."
    );
    assert_eq!(
        at("man", "api"),
        "action `thing.get`: there is no slot `man`. Correct the name, or declare it with \
         `NodeBuilder::slots`."
    );
    assert_eq!(
        problem_of(Action::get("thing.get", "/", "", "")),
        "action `thing.get`: it does not say where its request goes. Add `.with(SLOT, \
         BASE_URL)` or `.without_credential(URL)`."
    );
    for url in ["https://other.test", "https://api.test.other.test", "api.test"] {
        let action = Action::get("thing.get", "/", "", "").without_credential(url);
        assert!(problem_of(action).contains("is outside the origins of the node"), "{url}");
    }
    let wrong =
        Slot::new("main", "", &[]).base_urls(const { &[BaseUrl::fixed("api", "https://x.test")] });
    let node = with(node().slots(vec![wrong].leak()), vec![get("/")]);
    assert_eq!(
        problem(node),
        "slot `main`: the base URL `api` (https://x.test) is outside the origins of the node. \
         Add its origin with `NodeBuilder::origins`, or correct the URL."
    );
}

#[test]
fn a_body_of_a_read_request_is_found() {
    for place in [
        Place::Body("/x"),
        Place::BodyAs("/x", literal!(given)),
        Place::BodyMembers(""),
        Place::Record,
        Place::FormFile("x", "text/csv"),
    ] {
        let param = Param::text("x", "", "").at(place);
        assert_eq!(
            problem_of(get("/").parameters(params(vec![param]))),
            "action `thing.get`, parameter `x`: GET has no body to place it in. Place it with \
             `.query(…)`, or use another method."
        );
    }
    for action in [get("/").envelope("/x"), get("/").constants(const { &[("/x", literal!(1))] })] {
        assert_eq!(
            problem_of(action),
            "action `thing.get`: GET has no body, and it declares an envelope or constants. \
             Remove them, or use another method."
        );
    }
    let action = Action::new("thing.get", "", "", "GTE", "/").with("main", "api");
    assert!(problem_of(action).contains("the method `GTE` is unknown"));
}

#[test]
fn a_parameter_without_effect_is_found() {
    let param = Param::text("x", "", "");
    assert_eq!(
        problem_of(get("/").parameters(params(vec![param]))),
        "action `thing.get`, parameter `x`: it is not placed in the request, so it has no \
         effect. Place it with `.query(…)`, `.body(…)`, or `.at(…)`, or run code with \
         `Run::Custom`."
    );
    assert_eq!(problem_of(get("/").parameters(params(vec![param])).run(Run::Custom)), "");
    let key = get("/").parameters(params(vec![param])).run(Run::Batch).keyed("x");
    assert_eq!(problem_of(key), "");
}

#[test]
fn a_name_without_a_parameter_is_found() {
    assert_eq!(
        problem_of(get("/").parameters(BY_NAME).ordered_by("nam")),
        "action `thing.get`: it has no parameter `nam`. Correct the name in `.ordered_by(…)`."
    );
    assert_eq!(
        problem_of(get("/").keyed("key")),
        "action `thing.get`: it has no parameter `key`. Correct the name in `.keyed(…)`."
    );
    let id = Param::text("id", "", "").required().at(Place::Path);
    assert_eq!(
        problem_of(get("/{id}").parameters(params(vec![id])).keyed("id")),
        "action `thing.get`, parameter `id`: it takes the idempotency key, and is not sent. \
         Place it with `.body(…)`, `.query(…)`, or `.at(Place::Header(…))`."
    );
}

#[test]
fn a_parameter_that_depends_on_a_missing_one_is_found() {
    let kind = Param::new(Kind::OneOf(&["a", "b"]), "kind", "", "").query("kind");
    for (params, expected) in [
        (params(vec![kind, NAME.when("kind", &["a"])]), ""),
        (
            params(vec![kind, NAME.when("knd", &["a"])]),
            "there is no parameter `knd` beside it. Correct the name in `.when(…)`.",
        ),
        (
            params(vec![kind, NAME.when("kind", &["c"])]),
            "`kind` never has the value `c`. Correct the value in `.when(…)`.",
        ),
        (
            params(vec![NAME.when("name", &["c"])]),
            "`name` decides whether it may be set, and has no fixed values. Declare it as \
             `Kind::OneOf`.",
        ),
        (
            params(vec![NAME.reference_by("knd", &[])]),
            "there is no parameter `knd` beside it. Correct the name in `.reference_by(…)`.",
        ),
        (
            params(vec![NAME, NAME]),
            "another parameter beside it has the same name. Give each its own name.",
        ),
    ] {
        let expected = match expected {
            "" => String::new(),
            expected => format!("action `thing.get`, parameter `name`: {expected}"),
        };
        assert_eq!(problem_of(get("/").parameters(params)), expected);
    }
}

#[test]
fn a_duplicate_name_is_found() {
    let expected = "action `thing.get`: another action or trigger has the same name. Give each \
                    its own name.";
    assert_eq!(problem(with(node(), vec![get("/"), get("/")])), expected);
    let trigger = Trigger::poll("thing.get", "", "", 60);
    let triggers: &'static [Trigger] = vec![trigger].leak();
    assert_eq!(problem(with(node(), vec![get("/")]).triggers(triggers)), expected);
    assert!(matches!(triggers[0].delivery, Delivery::Poll(60)));
}

#[test]
fn a_trigger_is_checked_like_an_action() {
    let problem = |trigger: Trigger| problem(node().triggers(vec![trigger].leak()));
    let trigger = Trigger::poll("changed", "", "", 60);
    assert_eq!(problem(trigger.with("main")), "");
    assert!(problem(trigger.with("man")).contains("there is no slot `man`"));
    let id = params(vec![Param::text("id", "", "").reference("thing")]);
    assert!(problem(trigger.parameters(id)).contains("refers to `thing`, which is not"));
}
