//! Text for the parts of a description, the same on a terminal and in reference pages.

use serde_json::Value;
use workflow_node_host::description::{
    Action, AnsweredBy, ClientAuthentication, Delivery, Effect, Field, Grant, Idempotency,
    RateLimit, Signature, SignatureEncoding, SignatureScheme, Webhook,
};

/// The effects, from harmless to not.
pub(crate) const EFFECTS: [Effect; 5] =
    [Effect::Read, Effect::Create, Effect::Update, Effect::Delete, Effect::Execute];

pub(crate) fn effect(effect: Effect) -> &'static str {
    effect.as_str()
}

pub(crate) fn effect_in_words(effect: Effect) -> &'static str {
    match effect {
        Effect::Read => "reads and changes nothing",
        Effect::Create => "creates an object",
        Effect::Update => "changes an object",
        Effect::Delete => "deletes an object",
        _ => "has another effect, or one that depends on the parameters",
    }
}

pub(crate) fn idempotency(idempotency: Idempotency) -> &'static str {
    idempotency.as_str()
}

pub(crate) fn idempotency_in_words(kind: Idempotency) -> &'static str {
    match kind {
        Idempotency::Safe => "changes nothing and can be retried",
        Idempotency::Idempotent => "repeating it has no further effect",
        Idempotency::Keyed => "repeating a run with the same execution ID has no further effect",
        _ => {
            "never retried automatically; if the response is lost, the item fails as \
             outcome-unknown"
        }
    }
}

/// The scopes that a scoped credential needs for an action, of all its slots.
pub(crate) fn scopes(action: &Action) -> Vec<&str> {
    action.slots.values().flat_map(|slot| &slot.scopes).map(String::as_str).collect()
}

/// Size for people.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ => format!("{} kB", bytes.div_ceil(1_000)),
    }
}

/// Time for people: whole hours, minutes or seconds where it is that.
pub(crate) fn span(milliseconds: u64) -> String {
    let (number, unit) = match milliseconds {
        0 => (0, "s"),
        whole if whole.is_multiple_of(3_600_000) => (whole / 3_600_000, "h"),
        whole if whole.is_multiple_of(60_000) => (whole / 60_000, "min"),
        whole if whole.is_multiple_of(1_000) => (whole / 1_000, "s"),
        other => (other, "ms"),
    };
    format!("{number} {unit}")
}

/// `every minute`, `every 5 min`.
pub(crate) fn every(milliseconds: u64) -> String {
    match milliseconds {
        1_000 => "every second".to_owned(),
        60_000 => "every minute".to_owned(),
        3_600_000 => "every hour".to_owned(),
        other => format!("every {}", span(other)),
    }
}

pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `a`, `a or b`, `a, b, or c`.
pub(crate) fn any_of<T: AsRef<str>>(list: &[T]) -> String {
    listed(list, "or")
}

/// Values as text: strings without quotation marks.
pub(crate) fn texts(values: &[Value]) -> Vec<String> {
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    values.iter().map(text).collect()
}

/// The type of a field with its values, and what it may be given as.
pub(crate) fn field_type(field: &Field) -> String {
    let mut kind = match (texts(&field.values), field.is_list) {
        (values, _) if values.is_empty() => field.type_in_words.clone(),
        (values, true) => format!("list of {}", any_of(&values)),
        (values, false) => any_of(&values),
    };
    if !field.accepts.is_empty() {
        kind.push_str(&format!(" ({})", any_of(&accepts(field))));
    }
    kind
}

/// Forms in which a reference may be given, as text.
pub(crate) fn accepts(field: &Field) -> Vec<String> {
    let word = |word: &String| if word == "id" { "ID".to_owned() } else { word.clone() };
    field.accepts.iter().map(word).collect()
}

/// `a`, `a and b`, `a, b, and c`.
pub(crate) fn all_of<T: AsRef<str>>(list: &[T]) -> String {
    listed(list, "and")
}

fn listed<T: AsRef<str>>(list: &[T], last: &str) -> String {
    let list: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
    match list.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, end] => format!("{one} {last} {end}"),
        [first @ .., end] => format!("{}, {last} {end}", first.join(", ")),
    }
}

/// How events come, in a few words.
pub(crate) fn delivery_in_short(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Poll(poll) => format!("polls {}", every(poll.interval_ms)),
        Delivery::Webhook(webhook) if webhook.signature.is_some() => "webhook, signed".to_owned(),
        Delivery::Webhook(_) => "webhook, NOT signed".to_owned(),
        _ => "unknown delivery kind".to_owned(),
    }
}

/// How events come, point by point.
pub(crate) fn delivery(delivery: &Delivery) -> Vec<(&'static str, String)> {
    match delivery {
        Delivery::Poll(poll) => {
            let every = every(poll.interval_ms);
            vec![("Delivery", format!("polls the service {every} by default"))]
        }
        Delivery::Webhook(webhook) => webhook_points(webhook),
        other => vec![("Delivery", delivery_in_short(other))],
    }
}

fn webhook_points(webhook: &Webhook) -> Vec<(&'static str, String)> {
    let methods = match webhook.methods.as_slice() {
        [] => "POST".to_owned(),
        methods => any_of(methods),
    };
    let mut how = format!("webhook; the service sends {methods} requests");
    if let Some(limit) = webhook.body_limit_bytes {
        how.push_str(&format!("; bodies above {} are rejected", size(limit)));
    }
    let mut points = vec![("Delivery", how)];
    points.push((
        "Signed",
        webhook.signature.as_ref().map_or_else(
            || "no: anyone who knows the address can send events".to_owned(),
            signature_in_words,
        ),
    ));
    if let Some(header) = &webhook.id_header {
        let words = format!("duplicates are recognized by the header {header} and dropped");
        points.push(("Duplicates", words));
    }
    if let Some(within) = webhook.answer_within_ms {
        let by = match webhook.answered_by {
            AnsweredBy::Plugin => "the plugin responds",
            _ => "the host responds as soon as it has stored the delivery",
        };
        points.push(("Response", format!("{by}; the service waits up to {}", span(within))));
    }
    points
}

fn signature_in_words(signature: &Signature) -> String {
    let scheme = match signature.scheme {
        SignatureScheme::HmacSha256 => "HMAC-SHA256 over the raw body",
        other => other.as_str(),
    };
    let encoding = match signature.encoding {
        SignatureEncoding::Hex => "in hex",
        SignatureEncoding::Base64 => "in base64",
        other => other.as_str(),
    };
    let mut words = format!("{scheme}, {encoding}, in the header {}", signature.header);
    if let Some(prefix) = &signature.prefix {
        words.push_str(&format!(" after `{prefix}`"));
    }
    if let Some(separator) = &signature.separator {
        words.push_str(&format!("; several are separated by `{separator}`"));
    }
    words.push_str(&format!("; uses the secret {}", signature.secret));
    if signature.previous_ms > 0 {
        let previous = span(signature.previous_ms);
        words.push_str(&format!(", whose previous value is accepted for {previous}"));
    }
    words
}

/// How a secret comes to be, point by point.
pub(crate) fn grant(grant: &Grant) -> Vec<(&'static str, String)> {
    let mut points = vec![("Grant", grant.name().to_owned())];
    let mut urls = |name, list: &[String]| {
        if !list.is_empty() {
            points.push((name, all_of(list)));
        }
    };
    let client = match grant {
        Grant::AuthorizationCode(grant) => {
            urls("Authorization endpoint", &grant.authorize_urls);
            urls("Token endpoint", &grant.token_urls);
            urls("Revocation endpoint", &grant.revoke_urls);
            grant.client_authentication
        }
        Grant::ClientCredentials(grant) => {
            urls("Token endpoint", &grant.token_urls);
            urls("Revocation endpoint", &grant.revoke_urls);
            grant.client_authentication
        }
        Grant::DeviceAuthorization(grant) => {
            urls("Device authorization endpoint", &grant.device_authorization_urls);
            urls("Token endpoint", &grant.token_urls);
            urls("Revocation endpoint", &grant.revoke_urls);
            grant.client_authentication
        }
        _ => return points,
    };
    let client = match client {
        ClientAuthentication::ClientSecretPost => "client secret in the form body",
        ClientAuthentication::ClientSecretBasic => "client secret in the Authorization header",
        ClientAuthentication::PrivateKeyJwt => "signature of a private key (private_key_jwt)",
        ClientAuthentication::None => "none (public client)",
        other => other.as_str(),
    };
    points.push(("Client authentication", client.to_owned()));
    points
}

/// `960 requests in 1 min`.
pub(crate) fn rate_limit(limit: &RateLimit) -> String {
    let windows: Vec<String> = limit
        .windows
        .iter()
        .map(|window| {
            let requests = count(window.requests as usize, "request");
            format!("{requests} in {}", span(window.milliseconds))
        })
        .collect();
    all_of(&windows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_where_they_can_be() {
        assert_eq!(span(60_000), "1 min");
        assert_eq!(span(48 * 3_600_000), "48 h");
        assert_eq!(span(5_000), "5 s");
        assert_eq!(span(1_500), "1500 ms");
        assert_eq!(span(0), "0 s");
        assert_eq!(every(60_000), "every minute");
        assert_eq!(every(300_000), "every 5 min");
    }

    #[test]
    fn sizes_have_few_digits() {
        assert_eq!(size(9_999), "9999 bytes");
        assert_eq!(size(214_001), "215 kB");
        assert_eq!(size(2 << 20), "2 MiB");
        assert_eq!(size(1_500_000), "1500 kB");
    }

    #[test]
    fn lists_end_in_a_word() {
        assert_eq!(any_of(&["a"]), "a");
        assert_eq!(any_of(&["a", "b", "c"]), "a, b, or c");
        assert_eq!(all_of(&["a", "b"]), "a and b");
        assert_eq!(all_of::<&str>(&[]), "");
    }
}
