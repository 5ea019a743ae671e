//! Finds mistakes in a declaration before anything runs: when the compiler evaluates a node that is a
//! constant, and when a build script packs one. Every message names the action, the field, and the
//! remedy.

mod text;

use text::{Message, contains, ends_with_parameter, has_segment, is, part};

use super::{Action, Answer, Kind, Node, Param, Place, Run, Slot, Trigger};

/// Parameters that the SDK reads at run time and never places in a request.
const READ_BY_SDK: [&str; 3] = ["limit", "all", "simplify"];

/// Checks a node.
///
/// # Panics
///
/// Panics at the first mistake.
pub(super) const fn check(node: &Node) {
    let mut i = 0;
    while i < node.slots.len() {
        check_slot(node, &node.slots[i]);
        i += 1;
    }
    let mut i = 0;
    while i < node.resources.len() {
        let mut j = 0;
        while j < node.resources[i].actions.len() {
            let actions = node.resources[i].actions[j];
            let mut k = 0;
            while k < actions.len() {
                check_action(node, &actions[k]);
                k += 1;
            }
            j += 1;
        }
        i += 1;
    }
    let mut i = 0;
    while i < node.triggers.len() {
        check_trigger(node, &node.triggers[i]);
        i += 1;
    }
    check_references(node);
}

const fn check_slot(node: &Node, slot: &Slot) {
    let mut i = 0;
    while i < slot.base_urls.len() {
        let base = &slot.base_urls[i];
        if let Some(url) = base.url
            && !is_inside(node, url)
        {
            Message::new("slot `", slot.name, "`: ")
                .and("the base URL `", base.name, "` (")
                .and("", url, ") is outside the origins of the node. ")
                .fail("Add its origin with `NodeBuilder::origins`, or correct the URL.");
        }
        i += 1;
    }
}

const fn check_action(node: &Node, action: &Action) {
    if count(node, action.name) > 1 {
        of(action)
            .text("another action or trigger has the same name. ")
            .fail("Give each its own name.");
    }
    check_address(node, action);
    check_path(action);
    check_body(action);
    check_form(node, action, action.parameters);
    check_uses(action);
    let mut i = 0;
    while i < action.parameters.len() {
        check_placed(action, action.parameters[i]);
        i += 1;
    }
}

const fn check_trigger(node: &Node, trigger: &Trigger) {
    let form = &trigger.form;
    if count(node, form.name) > 1 {
        of(form)
            .text("another action or trigger has the same name. ")
            .fail("Give each its own name.");
    }
    if let Some(name) = form.slot
        && slot(node, name).is_none()
    {
        no_slot(form, name);
    }
    check_form(node, form, form.parameters);
}

/// The slot and the base URL.
const fn check_address(node: &Node, action: &Action) {
    let base = match action.route.base {
        Some(base) => base,
        None if matches!(action.run, Run::Declared) => of(action)
            .text("it does not say where its request goes. ")
            .fail("Add `.with(SLOT, BASE_URL)` or `.without_credential(URL)`."),
        None => return,
    };
    let Some(name) = action.slot else {
        if !is_inside(node, base) {
            of(action)
                .and("its URL ", base, " is outside the origins of the node. ")
                .fail("Add its origin with `NodeBuilder::origins`, or correct the URL.");
        }
        return;
    };
    let Some(slot) = slot(node, name) else { no_slot(action, name) };
    let mut i = 0;
    while i < slot.base_urls.len() {
        if is(slot.base_urls[i].name, base) {
            return;
        }
        i += 1;
    }
    of(action)
        .and("the slot `", name, "` has no base URL ")
        .and("`", base, "`. ")
        .fail("Correct the name, or declare it with `Slot::base_urls`.");
}

const fn no_slot(action: &Action, name: &str) -> ! {
    of(action)
        .and("there is no slot `", name, "`. ")
        .fail("Correct the name, or declare it with `NodeBuilder::slots`.")
}

/// Each `{name}` in the path is a required parameter that is placed there, and each parameter that
/// is placed there is in the path.
const fn check_path(action: &Action) {
    let path = action.route.path.as_bytes();
    let mut end = 0;
    while end < path.len() && path[end] != b'?' {
        end += 1;
    }
    if end == 0 || path[0] != b'/' {
        of(action)
            .and("the path `", action.route.path, "` does not begin with a slash. ")
            .fail("Begin it with `/`.");
    }
    let mut at = 1;
    while at <= end {
        let mut next = at;
        while next < end && path[next] != b'/' {
            next += 1;
        }
        check_segment(action, part(path, at, next));
        at = next + 1;
    }
    let mut i = 0;
    while i < action.parameters.len() {
        let param = action.parameters[i];
        if matches!(param.place, Place::Path | Place::PathAndBody(..))
            && !has_segment(action.route.path, param.name)
        {
            field(action, param)
                .and("the path `", action.route.path, "` has no segment of its name. ")
                .fail("Correct the name, or place the parameter elsewhere.");
        }
        i += 1;
    }
}

const fn check_segment(action: &Action, segment: &str) {
    let bytes = segment.as_bytes();
    let mut braces = 0;
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'{' || bytes[i] == b'}' {
            braces += 1;
        }
        i += 1;
    }
    if braces == 0 {
        return;
    }
    if braces != 2 || bytes[0] != b'{' || bytes[bytes.len() - 1] != b'}' {
        of(action)
            .and("the path segment `", segment, "` is not one parameter. ")
            .fail("A parameter takes a whole segment, as `{name}`.");
    }
    let name = part(bytes, 1, bytes.len() - 1);
    let Some(param) = find(action.parameters, name) else {
        of(action)
            .and("the path names the parameter `", name, "`, which it does not have. ")
            .fail("Correct the name in the path, or add the parameter with `.at(Place::Path)`.")
    };
    if !matches!(param.place, Place::Path | Place::PathAndBody(..)) {
        field(action, param)
            .text("the path names it, but it is not placed there. ")
            .fail("Add `.at(Place::Path)`.");
    }
    if !param.is_required || param.is_nullable || param.when.is_some() {
        field(action, param)
            .text("it is in the path, and may be absent. ")
            .fail("Add `.required()`, without `.nullable()` and `.when(…)`.");
    }
}

/// A request that reads has no body.
const fn check_body(action: &Action) {
    if !matches!(action.route.method.as_bytes(), b"GET" | b"HEAD" | b"OPTIONS") {
        if !matches!(action.route.method.as_bytes(), b"POST" | b"PUT" | b"PATCH" | b"DELETE") {
            of(action)
                .and("the method `", action.route.method, "` is unknown. ")
                .fail("Use GET, HEAD, OPTIONS, POST, PUT, PATCH, or DELETE.");
        }
        return;
    }
    if !action.route.constants.is_empty() || !action.route.envelope.is_empty() {
        of(action)
            .and(
                "",
                action.route.method,
                " has no body, and it declares an envelope or constants. ",
            )
            .fail("Remove them, or use another method.");
    }
    let mut i = 0;
    while i < action.parameters.len() {
        let param = action.parameters[i];
        if is_in_body(&param.place) {
            field(action, param)
                .and("", action.route.method, " has no body to place it in. ")
                .fail("Place it with `.query(…)`, or use another method.");
        }
        i += 1;
    }
}

const fn is_in_body(place: &Place) -> bool {
    matches!(
        place,
        Place::Body(_)
            | Place::BodyAs(..)
            | Place::BodyMembers(_)
            | Place::PathAndBody(..)
            | Place::FormFile(..)
            | Place::Record
    )
}

/// Checks what the parameters, or the members of an object, state about each other and about
/// references.
const fn check_form(node: &Node, action: &Action, params: &[&Param]) {
    let mut i = 0;
    while i < params.len() {
        let param = params[i];
        let asked = !matches!(param.kind, Kind::Constant(_));
        let mut j = i + 1;
        while asked && j < params.len() {
            if is(params[j].name, param.name) && !matches!(params[j].kind, Kind::Constant(_)) {
                field(action, param)
                    .text("another parameter beside it has the same name. ")
                    .fail("Give each its own name.");
            }
            j += 1;
        }
        if let Some(name) = param.reference
            && !has_reference(node, name)
        {
            unknown_reference(action, param, name);
        }
        let mut j = 0;
        while j < param.reference_by.len() {
            if !has_reference(node, param.reference_by[j].1) {
                unknown_reference(action, param, param.reference_by[j].1);
            }
            j += 1;
        }
        if let Some(name) = param.decided_by
            && find(params, name).is_none()
        {
            no_member(action, param, name, "reference_by");
        }
        if let Some(name) = param.when {
            check_when(action, params, param, name);
        }
        match param.kind {
            Kind::Object(members) | Kind::Objects(members) => check_form(node, action, members),
            _ => {}
        }
        i += 1;
    }
}

const fn check_when(action: &Action, params: &[&Param], param: &Param, name: &str) {
    let Some(decides) = find(params, name) else { no_member(action, param, name, "when") };
    let Kind::OneOf(values) = decides.kind else {
        field(action, param)
            .and("`", name, "` decides whether it may be set, and has no fixed values. ")
            .fail("Declare it as `Kind::OneOf`.")
    };
    let mut i = 0;
    while i < param.when_is.len() {
        if !contains(values, param.when_is[i]) {
            field(action, param)
                .and("`", name, "` never has the value ")
                .and("`", param.when_is[i], "`. ")
                .fail("Correct the value in `.when(…)`.");
        }
        i += 1;
    }
}

const fn no_member(action: &Action, param: &Param, name: &str, method: &str) -> ! {
    field(action, param)
        .and("there is no parameter `", name, "` beside it. ")
        .and("Correct the name in `.", method, "(…)`.")
        .fail("")
}

const fn unknown_reference(action: &Action, param: &Param, name: &str) -> ! {
    field(action, param)
        .and("it refers to `", name, "`, which is not a reference of the node. ")
        .fail("Correct the name, or declare it with `NodeBuilder::references`.")
}

/// A parameter of a declared request is placed somewhere in the request.
const fn check_placed(action: &Action, param: &Param) {
    if !matches!(param.place, Place::Control)
        || !matches!(action.run, Run::Declared)
        || matches!(param.kind, Kind::Constant(_))
        || contains(&READ_BY_SDK, param.name)
    {
        return;
    }
    let mut i = 0;
    while i < action.parameters.len() {
        let other = action.parameters[i];
        // Another parameter depends on its value.
        if let Some(name) = other.when
            && is(name, param.name)
        {
            return;
        }
        if let Some(name) = other.decided_by
            && is(name, param.name)
        {
            return;
        }
        i += 1;
    }
    field(action, param).text("it is not placed in the request, so it has no effect. ").fail(
        "Place it with `.query(…)`, `.body(…)`, or `.at(…)`, or run code with `Run::Custom`.",
    );
}

/// The parameters that an action names outside its form, such as for ordering.
const fn check_uses(action: &Action) {
    if let Some(name) = action.ordered_by
        && find(action.parameters, name).is_none()
    {
        no_parameter(action, name, "ordered_by");
    }
    if let Some(name) = action.route.key {
        let Some(param) = find(action.parameters, name) else {
            no_parameter(action, name, "keyed")
        };
        if matches!(action.run, Run::Declared)
            && !matches!(param.place, Place::Body(_) | Place::Header(_) | Place::Query(_))
        {
            field(action, param)
                .text("it takes the idempotency key, and is not sent. ")
                .fail("Place it with `.body(…)`, `.query(…)`, or `.at(Place::Header(…))`.");
        }
    }
}

const fn no_parameter(action: &Action, name: &str, method: &str) -> ! {
    of(action)
        .and("it has no parameter `", name, "`. ")
        .and("Correct the name in `.", method, "(…)`.")
        .fail("")
}

/// The actions that references name exist.
const fn check_references(node: &Node) {
    let mut i = 0;
    while i < node.references.len() {
        let reference = &node.references[i];
        let Some(list) = node.find_action(reference.list) else {
            Message::new("reference `", reference.name, "`: ")
                .and("there is no action `", reference.list, "` to list its choices. ")
                .fail("Correct the name in `Reference::new`, or declare the action.")
        };
        if !matches!(list.route.answer, Answer::List(..) | Answer::Elements) {
            Message::new("reference `", reference.name, "`: ")
                .and("the action `", reference.list, "` does not return a list. ")
                .fail("Name an action whose answer is a list.");
        }
        if let Some(name) = reference.search
            && find(list.parameters, name).is_none()
        {
            Message::new("reference `", reference.name, "`: ")
                .and("the action `", reference.list, "` has no parameter ")
                .and("`", name, "` to search by. ")
                .fail("Correct the name in `.search(…)`.");
        }
        if let Some(name) = reference.get {
            let Some(get) = node.find_action(name) else {
                Message::new("reference `", reference.name, "`: ")
                    .and("there is no action `", name, "` to read one record. ")
                    .fail("Correct the name in `.get(…)`, or declare the action.")
            };
            if !ends_with_parameter(get.route.path) {
                Message::new("reference `", reference.name, "`: ")
                    .and("the path of `", name, "` does not end with the ID. ")
                    .fail("Name an action whose path ends with a parameter.");
            }
        }
        i += 1;
    }
}

impl Node {
    const fn find_action(&self, name: &str) -> Option<&'static Action> {
        let mut i = 0;
        while i < self.resources.len() {
            let mut j = 0;
            while j < self.resources[i].actions.len() {
                let actions = self.resources[i].actions[j];
                let mut k = 0;
                while k < actions.len() {
                    if is(actions[k].name, name) {
                        return Some(&actions[k]);
                    }
                    k += 1;
                }
                j += 1;
            }
            i += 1;
        }
        None
    }
}

/// Counts the actions and triggers with a name.
const fn count(node: &Node, name: &str) -> usize {
    let mut count = 0;
    let mut i = 0;
    while i < node.resources.len() {
        let mut j = 0;
        while j < node.resources[i].actions.len() {
            let actions = node.resources[i].actions[j];
            let mut k = 0;
            while k < actions.len() {
                count += is(actions[k].name, name) as usize;
                k += 1;
            }
            j += 1;
        }
        i += 1;
    }
    let mut i = 0;
    while i < node.triggers.len() {
        count += is(node.triggers[i].form.name, name) as usize;
        i += 1;
    }
    count
}

const fn slot(node: &Node, name: &str) -> Option<&'static Slot> {
    let mut i = 0;
    while i < node.slots.len() {
        if is(node.slots[i].name, name) {
            return Some(&node.slots[i]);
        }
        i += 1;
    }
    None
}

const fn has_reference(node: &Node, name: &str) -> bool {
    let mut i = 0;
    while i < node.references.len() {
        if is(node.references[i].name, name) {
            return true;
        }
        i += 1;
    }
    false
}

/// The parameter of a name that a form asks for.
const fn find<'a>(params: &'a [&'a Param], name: &str) -> Option<&'a Param> {
    let mut i = 0;
    while i < params.len() {
        if is(params[i].name, name) {
            return Some(params[i]);
        }
        i += 1;
    }
    None
}

/// Whether a URL is at one of the node's origins. Patterns are left to the host.
const fn is_inside(node: &Node, url: &str) -> bool {
    let url = url.as_bytes();
    let mut i = 0;
    while i < node.origins.len() {
        let origin = node.origins[i].as_bytes();
        let mut at = 0;
        while at < origin.len() && at < url.len() && origin[at] == url[at] {
            at += 1;
        }
        if at == origin.len() && (at == url.len() || url[at] == b'/') {
            return true;
        }
        let mut at = 0;
        while at < origin.len() {
            if matches!(origin[at], b'*' | b'{') {
                return true;
            }
            at += 1;
        }
        i += 1;
    }
    false
}

const fn of(action: &Action) -> Message {
    Message::new("action `", action.name, "`: ")
}

const fn field(action: &Action, param: &Param) -> Message {
    Message::new("action `", action.name, "`, parameter `").and("", param.name, "`: ")
}

#[cfg(test)]
mod tests;
