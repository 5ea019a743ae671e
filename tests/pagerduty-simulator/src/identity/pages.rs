//! The pages for users. Templates escape every value; there is no script, and the browser is
//! instructed to run none.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::authorize::Asked;
use super::desk::Accounts;
use super::refusal::Refusal;
use super::{paths, words};
use crate::keys::Region;
use crate::reply::Reply;
use crate::state::directory::User;

const STYLE: &str = include_str!("style.css");

/// Lets a user choose an account and log in.
pub(crate) fn chooser(accounts: Accounts<'_>, asked: &Asked, interaction: &str) -> Reply {
    let name = &asked.app.name;
    let title = "Choose an account";
    page(
        200,
        title,
        &[],
        &html! {
            h1 { (title) }
            p { b { (name) } " asks to be connected. Whose rights may it use?" }
            form method="post" action=(paths::ACCOUNT) {
                input type="hidden" name="interaction" value=(interaction);
                @for region in [Region::Us, Region::Eu] {
                    h2 { (words::region(region)) " " span { (words::account(region)) } }
                    @if asked.app.serves(region) {
                        ul.people {
                            @for user in accounts.of(region).users() {
                                li { (person(&user)) }
                            }
                        }
                    } @else {
                        p.quiet { "This app is private to " (words::account(asked.app.home)) "." }
                    }
                }
            }
            p.quiet { "There are no passwords here: choose whom you want to be." }
        },
    )
}

fn person(user: &User) -> Markup {
    html! {
        button type="submit" name="user" value=(user.id) {
            b { (user.name) }
            span { (user.email) " · " (words::role(&user.role)) }
        }
    }
}

/// Shows what an app requests and asks for consent.
pub(crate) fn consent(asked: &Asked, region: Region, user: &User, interaction: &str) -> Reply {
    let name = &asked.app.name;
    let title = format!("Connect {name}?");
    let only_reads = user.role.starts_with("read_only");
    let writes = asked.granted.iter().any(|scope| scope.ends_with("write"));
    let targets = [form_target(&asked.redirect_uri)];
    page(
        200,
        &title,
        &targets,
        &html! {
            h1 { (title) }
            p.who {
                b { (user.name) }
                span.quiet { (user.email) }
            span.quiet { (words::account(region)) ", " (words::region(region)) }
        }
        h2 { (name) " could then" }
            ul.rights {
                @for scope in &asked.granted {
                    li { (words::right(scope, &user.name)) " " code { (scope) } }
                }
            }
            @if writes && only_reads {
                p { (user.name) " may only read. Changes will be refused, whatever is allowed here." }
            } @else {
                p.quiet { "It can never do more than " (user.name) " may." }
            }
            @if !asked.dropped.is_empty() {
                p.quiet {
                    "Left out, because it is not registered for it: " (asked.dropped.join(", "))
                    ". (PagerDuty leaves it out without a word.)"
                }
            }
            form method="post" action=(paths::CONSENT) {
                input type="hidden" name="interaction" value=(interaction);
                div.answers {
                    button.allow type="submit" name="decision" value="allow" { "Allow" }
                    button.other type="submit" name="decision" value="deny" { "Deny" }
                }
            }
            p.quiet { "Either way you are sent on to " (destination(&asked.redirect_uri)) "." }
            p {
                a href={ (paths::ACCOUNT) "?interaction=" (interaction) } { "Choose another account" }
            }
        },
    )
}

/// Shows why nothing is redirected.
pub(crate) fn refused(refusal: &Refusal) -> Reply {
    let title = "This link does not work";
    page(
        400,
        title,
        &[],
        &html! {
            h1 { (title) }
            p { (refusal.description) ". " code { (refusal.error) } }
            p {
                "The link came from an app. Because it cannot be known where that app is, you were not "
                "sent back to it. Nothing was connected."
            }
            p.quiet {
                "Do you look after the app? Compare its client id and its redirect URI with those "
                "that are registered, letter by letter."
            }
        },
    )
}

/// Reports that a page was submitted before, or has been open for too long.
pub(crate) fn over() -> Reply {
    let title = "This page is over";
    page(
        400,
        title,
        &[],
        &html! {
            h1 { (title) }
            p { "It was answered already, or it was open for more than ten minutes." }
            p { "Go back to the app and start again." }
        },
    )
}

/// Reports that a page does not exist, or not with this method.
pub(crate) fn missing(status: u16) -> Reply {
    let title = "There is nothing here";
    page(
        status,
        title,
        &[],
        &html! {
            h1 { (title) }
            p { "This is the place where apps ask to be connected. They send you here." }
        },
    )
}

/// A whole page with its security headers. `targets` are the allowed destinations of its forms in
/// addition to this service: browsers follow the redirects of a form only to listed destinations.
fn page(status: u16, title: &str, targets: &[String], content: &Markup) -> Reply {
    let text = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " – PagerDuty simulator" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                p.sign role="note" {
                    b { "Simulator." } " This is not PagerDuty. Accounts and people are made up."
                }
                main { (content) }
            }
        }
    };
    let mut reply = Reply::text(status, text.into_string());
    reply.content_type = "text/html; charset=utf-8";
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'{}; \
         frame-ancestors 'none'; base-uri 'none'",
        super::id_token::sha256_base64(STYLE),
        targets.iter().fold(String::new(), |all, target| all + " " + target),
    );
    for (name, value) in [
        ("content-security-policy", policy.as_str()),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        reply.headers.push((name, value.to_owned()));
    }
    reply
}

/// A redirect URI in a content security policy. Policies cannot express IPv6 addresses or custom
/// schemes without a host; their scheme is used instead.
fn form_target(redirect_uri: &str) -> String {
    match url::Url::parse(redirect_uri) {
        Ok(url) => match url.host() {
            Some(url::Host::Domain(_) | url::Host::Ipv4(_)) if url.origin().is_tuple() => {
                url.origin().ascii_serialization()
            }
            _ => format!("{}:", url.scheme()),
        },
        Err(_) => String::new(),
    }
}

fn destination(redirect_uri: &str) -> String {
    url::Url::parse(redirect_uri).map_or_else(
        |_| redirect_uri.to_owned(),
        |url| match url.origin() {
            url::Origin::Opaque(_) => format!("an app on this device ({}:)", url.scheme()),
            origin => origin.ascii_serialization(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::form_target;

    #[test]
    fn a_policy_lists_the_destinations_of_a_form() {
        for (redirect_uri, target) in [
            ("https://example.com/callback?x=1", "https://example.com"),
            ("http://127.0.0.1:8123/callback", "http://127.0.0.1:8123"),
            ("http://[::1]:8123/callback", "http:"),
            ("com.example.app:/callback", "com.example.app:"),
        ] {
            assert_eq!(form_target(redirect_uri), target);
        }
    }
}
