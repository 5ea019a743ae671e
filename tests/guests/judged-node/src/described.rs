//! The description of the node.

use crate::{breaks, mode};

/// The credential types.
pub(crate) fn credential_types() -> String {
    r#"{"credential_types":[{
"name":"token","version":1,"display_name":"Token","description":"API token of an account.",
"fields":{"type":"object","properties":{"token":{"type":"string","minLength":8,"writeOnly":true,"title":"API token","description":"Token from the settings of the account."}},"required":["token"]},
"grant":{"kind":"fixed"},"origins":["https://api.judged.example"],
"placements":[{"kind":"header","name":"Authorization","value":"Bearer {token}","origins":["https://api.judged.example"],"path":"/**"}]
}]}"#
    .to_owned()
}

const OUTPUT: &str = r#"{"main":{"type":"object","properties":{"id":{"type":"string"},"name":{"type":"string"},"size":{"type":"integer"}},"required":["id","size"]}}"#;

/// The node.
pub(crate) fn node() -> String {
    let one = |wrong: &str, right: &str, check: &str| {
        (if breaks(check) { wrong } else { right }).to_owned()
    };
    let description = one("Get a thing.", "Returns the thing with this ID.", "descriptions");
    let title = one("", r#""title":"Thing","#, "forms");
    let default = one(r#""many""#, "20", "schemas");
    let version = one("0", "1", "load");
    let example = one("[]", r#"[{"title":"By ID","parameters":{"thing_id":"T1"}}]"#, "examples");
    let thing = format!(
        r#"{{"type":"string","minLength":1,{title}"description":"ID of the thing.","x-ui":{{"options":true}}}}"#
    );
    let action = |name: &str, effect: &str, idempotency: &str, about: &str, rest: &str| {
        let title = name.replace('.', " ");
        format!(
            r#"{{"name":"{name}","version":{version},"resource":"thing","title":"{title}","description":"{about}","slots":{{"main":{{"required":true}}}},"effect":"{effect}","idempotency":"{idempotency}","output":{OUTPUT},{rest}}}"#
        )
    };
    let actions = [
        action(
            "thing.list",
            "read",
            "safe",
            "Returns the things of the account.",
            &format!(
                r#""parameters":{{"type":"object","properties":{{"limit":{{"type":"integer","minimum":1,"default":{default},"title":"Limit","description":"Maximum number of things to return."}},"all":{{"type":"boolean","title":"All","description":"Whether to return all things."}}}}}},"examples":[{{"title":"All things","parameters":{{}}}}]"#
            ),
        ),
        action(
            "thing.get",
            "read",
            "safe",
            &description.replace("Get a thing.", "thing get"),
            &format!(
                r#""parameters":{{"type":"object","properties":{{"thing_id":{thing}}},"required":["thing_id"]}},"examples":{example}"#
            ),
        ),
        action(
            "thing.create",
            "create",
            "none",
            "Creates a thing and returns it.",
            r#""parameters":{"type":"object","properties":{"name":{"type":"string","minLength":1,"title":"Name","description":"Name of the thing."}},"required":["name"]},"examples":[{"title":"A thing","parameters":{"name":"Lamp"}}]"#,
        ),
        action(
            "thing.delete",
            "delete",
            "idempotent",
            "Deletes the thing with this ID.",
            r#""parameters":{"type":"object","properties":{"thing_id":{"type":"string","minLength":1,"title":"Thing","description":"ID of the thing."}},"required":["thing_id"]},"examples":[{"title":"By ID","parameters":{"thing_id":"T1"}}]"#,
        ),
    ];
    format!(
        r#"{{"name":"judged","version":1,"display_name":"Judged","description":"A node for the tests of the checks ({}).","origins":["https://api.judged.example"],"slots":{{"main":{{"credential_types":["token"],"description":"The account to use."}}}},"secrets":[{{"name":"hook-secret","description":"Secret that signs deliveries.","methods":["POST","PUT","GET"],"origins":["https://api.judged.example"],"path":"/hooks/**","pointer":"/secret"}}],"resources":[{{"name":"thing","title":"Things","description":"What the account has."}}],"actions":[{}]}}"#,
        mode(),
        actions.join(",")
    )
}
