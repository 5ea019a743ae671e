//! Names of headers and query parameters that belong to the host, in every spelling.
//!
//! Two kinds are refused. What shapes the connection (`Host`, `Content-Length`, `Transfer-Encoding`)
//! would let a guest speak to the service behind the host's back. What a service or a proxy in front
//! of it takes for the truth about a request (`X-HTTP-Method-Override`, `X-Original-URL`,
//! `X-Forwarded-For`, `X-Remote-User`) would make the request another one than the host has judged:
//! the approval, the placements, and the audit go by the method, the URL, and the origin that are
//! sent.
//!
//! Servers do not agree on spelling: gateways of the CGI family read `X_Real_IP` and `X.Real.IP` as
//! `X-Real-IP`. Names are therefore compared by their letters and digits alone, in lower case; see
//! [`canonical`].

/// Names that belong to the host, in canonical form, with or without an `x` in front.
const NAMES: &[&str] = &[
    // The connection and the message.
    "acceptencoding",
    "altsvc",
    "altused",
    "connection",
    "contentencoding",
    "contentlength",
    "contenttransferencoding",
    "cookie",
    "cookie2",
    "earlydata",
    "expect",
    "host",
    "http2settings",
    "ifrange",
    "keepalive",
    "maxforwards",
    "range",
    "requestrange",
    "te",
    "trailer",
    "transferencoding",
    "upgrade",
    "upgradeinsecurerequests",
    // The target, for a server or proxy that believes the sender.
    "authority",
    "baseurl",
    "destinationurl",
    "httpdestinationurl",
    "httphost",
    "httppath",
    "httpurl",
    "path",
    "pathinfo",
    "requesturi",
    "scheme",
    "scriptname",
    "servername",
    "uri",
    "url",
    "urlscheme",
    "frontendhttps",
    // The method.
    "method",
    "verb",
    // Where the request came from, and who is behind it.
    "cdnloop",
    "clusterclientip",
    "forwarded",
    "ip",
    "originatingip",
    "proxy",
    "realip",
    "realhost",
    "remoteaddr",
    "remotehost",
    "remoteident",
    "remoteuser",
    "sourceip",
    "via",
    "wapprofile",
];

/// Beginnings of names that belong to the host, in canonical form, without an `x` in front: the
/// headers of proxies, content networks, and web servers.
const PREFIXES: &[&str] = &[
    "accel",
    "akamai",
    "amzcf",
    "amznmtls",
    "amznoidc",
    "appengine",
    "arr",
    "authenticateduser",
    "azureclientip",
    "azurefdid",
    "azureref",
    "azuresocketip",
    "cfconnecting",
    "cfipcountry",
    "cfray",
    "cfvisitor",
    "cfworker",
    "clientcert",
    "clientssl",
    "cloudfront",
    "envoy",
    "fastly",
    "forward",
    "googauthenticateduser",
    "incap",
    "msclientprincipal",
    "nginx",
    "original",
    "proxy",
    "remote",
    "rewrite",
    "sec",
    "sendfile",
    "sslclient",
    "sucuri",
    "surrogate",
    "varnish",
    "vercelforwarded",
    "vercelip",
    "webauth",
    "wlproxy",
];

/// Beginnings in `PREFIXES` that are also the beginnings of harmless names: these count only as a
/// whole word, i.e. before a separator.
const WHOLE_WORDS: &[&str] = &["accel", "arr", "original", "remote", "sec", "rewrite", "proxy"];

/// Parts of names that belong to the host wherever they stand, in canonical form.
const PARTS: &[&str] = &[
    "clientip",
    "connectingip",
    "externaladdress",
    "forwardedfor",
    "hostoverride",
    "httpmethod",
    "httpverb",
    "methodoverride",
    "methodoveride",
    "originalurl",
    "originaluri",
    "overridehost",
    "overridemethod",
    "overridepath",
    "overrideuri",
    "overrideurl",
    "overrideverb",
    "pathoverride",
    "realip",
    "remoteaddr",
    "remoteip",
    "requestmethod",
    "rewriteuri",
    "rewriteurl",
    "socketip",
    "tunnelmethod",
    "urioverride",
    "urloverride",
    "userip",
    "verboverride",
    "vieweraddress",
];

/// The letters and digits of a name, in lower case: what all readers of it have in common.
pub(crate) fn canonical(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a header belongs to the host or the connection, however its name is written.
pub(crate) fn is_hosts(name: &str) -> bool {
    let all = canonical(name);
    let without_x = all.strip_prefix('x').unwrap_or(&all);
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let first = match words.as_slice() {
        [x, second, ..] if x == "x" => second.as_str(),
        [first, ..] => first.as_str(),
        [] => "",
    };
    NAMES.contains(&all.as_str())
        || NAMES.contains(&without_x)
        || PREFIXES.iter().any(|prefix| match WHOLE_WORDS.contains(prefix) {
            true => first == *prefix && words.len() > 1,
            false => all.starts_with(prefix) || without_x.starts_with(prefix),
        })
        || PARTS.iter().any(|part| all.contains(part))
}

/// Whether a query parameter would make the request another one for a service that follows it: the
/// spellings that web frameworks take for the method.
pub(crate) fn overrides_method(parameter: &str) -> bool {
    let all = canonical(parameter);
    let is_marked = parameter.trim_start().starts_with(['_', '$', '@']);
    (is_marked && ["method", "verb", "httpmethod"].contains(&all.as_str()))
        || ["httpmethod", "methodoverride", "httpverb", "overridemethod"]
            .iter()
            .any(|part| all.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_makes_a_request_another_one_belongs_to_the_host_in_every_spelling() {
        for name in [
            "X-HTTP-Method-Override",
            "X_HTTP_METHOD_OVERRIDE",
            "x.http.method.override",
            "XHttpMethodOverride",
            "X-HTTP-Method",
            "X-Method-Override",
            "X-Method",
            "HTTP-Method-Override",
            "X-HTTP-Verb",
            "X-Tunnel-Method",
            "X-Original-URL",
            "X_Original_Url",
            "X-Rewrite-URL",
            "X-Original-URI",
            "X-Original-Host",
            "X-Original-Method",
            "X-Host",
            "X-HTTP-Host-Override",
            "X-HTTP-DestinationURL",
            "X-Forwarded-Host",
            "X_FORWARDED_FOR",
            "X-Forward-For",
            "Forwarded",
            "Forwarded-For",
            "X-Real-IP",
            "X_Real_IP",
            "True-Client-IP",
            "Client-IP",
            "X-Client-IP",
            "X-Cluster-Client-IP",
            "CF-Connecting-IP",
            "CF-Connecting-IPv6",
            "Fastly-Client-IP",
            "X-Originating-IP",
            "X-Remote-IP",
            "X-Remote-Addr",
            "Remote-User",
            "X-Remote-User",
            "X-ProxyUser-Ip",
            "X-Envoy-External-Address",
            "X-Azure-ClientIP",
            "X-AppEngine-User-IP",
            "CloudFront-Viewer-Address",
            "X-Accel-Redirect",
            "X-Sendfile",
            "Proxy-Authorization",
            "Sec-Fetch-Site",
            "Content-Encoding",
            "Content_Encoding",
            "Transfer_Encoding",
            "Content_Length",
            "Host",
            "Via",
            "TE",
            "Max-Forwards",
            "Cookie",
            "Range",
            "CDN-Loop",
            "X-Client-Cert",
            "X-SSL-Client-Verify",
            "X-MS-Client-Principal",
        ] {
            assert!(is_hosts(name), "{name}");
        }
    }

    #[test]
    fn a_header_of_an_ordinary_service_is_the_guests() {
        for name in [
            "Accept",
            "Accept-Language",
            "Authorization",
            "Content-Type",
            "Content-Language",
            "Content-Range",
            "From",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "Origin",
            "Prefer",
            "Referer",
            "User-Agent",
            "X-Api-Key",
            "X-Api-Version",
            "X-Amz-Date",
            "X-Early-Access",
            "X-EARLY-ACCESS",
            "X-GitHub-Api-Version",
            "X-Goog-Api-Client",
            "X-Payment-Method",
            "X-Request-Id",
            "X-Routing-Key",
            "X-Secret-Version",
            "X-Security-Token",
            "X-Array-Format",
            "X-Recipient",
            "X-Verbose",
            "Notion-Version",
            "Stripe-Account",
        ] {
            assert!(!is_hosts(name), "{name}");
        }
    }

    #[test]
    fn a_query_parameter_that_replaces_the_method_is_recognized() {
        for name in
            ["_method", "_METHOD", "X-HTTP-Method-Override", "_HttpMethod", "$method", "httpMethod"]
        {
            assert!(overrides_method(name), "{name}");
        }
        for name in ["method", "methods[]", "payment_method", "query", "verbose", "include[]"] {
            assert!(!overrides_method(name), "{name}");
        }
    }
}
