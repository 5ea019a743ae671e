//! Scopes, roles, and regions in words.

use crate::keys::Region;
use crate::state::SUBDOMAIN;

/// Description of a scope. `name` is the user whose rights a classic scope uses.
pub(crate) fn right(scope: &str, name: &str) -> String {
    match scope {
        "openid" => return "Know your account and who you are".to_owned(),
        "read" => return format!("See everything that {name} can see"),
        "write" => return format!("See and change everything that {name} can see and change"),
        _ => {}
    }
    let (object, verb) = match scope.rsplit_once('.') {
        Some((object, "read")) => (object, "See"),
        Some((object, "write")) => (object, "Create and change"),
        _ => return format!("Use {scope}"),
    };
    let object = match object {
        "abilities" => "what the plan of the account includes".to_owned(),
        "oncalls" => "who is on call".to_owned(),
        "sre_agent" => "the SRE agent".to_owned(),
        _ => match object.split_once(':') {
            Some((of, part)) => format!("{} of {}", spaced(part), spaced(of)),
            None => spaced(object),
        },
    };
    format!("{verb} {object}")
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// PagerDuty's roles, as in its web app.
pub(crate) fn role(role: &str) -> &str {
    match role {
        "owner" => "Account owner",
        "admin" => "Global admin",
        "user" => "Manager",
        "limited_user" => "Responder",
        "observer" => "Observer",
        "restricted_access" => "Restricted access",
        "read_only_user" => "Full stakeholder, may only read",
        "read_only_limited_user" => "Limited stakeholder, may only read",
        other => other,
    }
}

/// A region in words.
pub(crate) fn region(region: Region) -> &'static str {
    match region {
        Region::Us => "United States",
        Region::Eu => "Europe",
    }
}

/// The URL of an account.
pub(crate) fn account(region: Region) -> String {
    format!("{SUBDOMAIN}.{}pagerduty.com", region.infix())
}

#[cfg(test)]
mod tests {
    use super::right;

    #[test]
    fn every_scope_has_a_description() {
        for (scope, words) in [
            ("write", "See and change everything that Ada can see and change"),
            ("incidents.read", "See incidents"),
            ("escalation_policies.write", "Create and change escalation policies"),
            ("users:contact_methods.read", "See contact methods of users"),
            ("oncalls.read", "See who is on call"),
            ("made-up", "Use made-up"),
        ] {
            assert_eq!(right(scope, "Ada"), words);
        }
    }
}
