//! The forms of the credential types, and where the host places credentials.

use workflow_node_sdk::documents::{
    AuthorizationCode, ClientAuthentication, ClientCredentials, CredentialType, CredentialTypes,
    FieldBuilder, FormBuilder, Grant, OperationLimit, OriginPattern, PathTemplate, Placement,
    RateLimit, RateWindow, Scope,
};

use crate::regions::{AUTHORIZE_URL, REGIONS, REVOKE_URL, Region, TOKEN_URL};
use crate::scopes;

/// Time between two attempts if a response with the status 429 does not state how long to wait, in
/// milliseconds: PagerDuty's guide asks for 30 seconds.
const DEFAULT_WAIT_MS: u64 = 30_000;

/// The credential types.
pub fn credential_types() -> CredentialTypes {
    let types = vec![api_token(), oauth2(), oauth2_app(), events_integration()];
    CredentialTypes::default().credential_types(types)
}

fn api_token() -> CredentialType {
    let token =
        FieldBuilder::text("api_token", "API token", "REST API key, as shown when it was created.");
    let form = FormBuilder::new()
        .required(region())
        .required(token.secret().min_length(8).max_length(500))
        .optional(from_email());
    CredentialType::new(
        "api-token",
        "PagerDuty API token",
        "REST API key of the account (General Access) or of a user (User API key). The key of a user acts as that user.",
        form.build(),
        Grant::Fixed,
        rest(),
        [Placement::header("Authorization", "Token token={api_token}", rest())],
    )
    .documentation_url("https://support.pagerduty.com/main/docs/api-access-keys")
    .rate_limit(rest_limit())
}

fn oauth2() -> CredentialType {
    let client = FieldBuilder::text(
        "client_id",
        "Client ID",
        "Client ID of the app, from Integrations, App Registration.",
    );
    let secret = FieldBuilder::text(
        "client_secret",
        "Client secret",
        "Client secret of the app. A public client of Classic User OAuth has none.",
    );
    let access = FieldBuilder::choice(
        "access",
        "Permission",
        "Permission of a Classic User OAuth app. Ignored if scopes are set.",
        &["read", "read-write"],
    );
    let asked = FieldBuilder::texts(
        "scopes",
        "Scopes",
        "Scopes to request. For Scoped OAuth, up to those registered for the app, e.g. incidents.read. For Classic User OAuth, read or write.",
        1,
        200,
    );
    let form = FormBuilder::new()
        .required(client.min_length(1).max_length(500))
        .optional(secret.secret().min_length(8).max_length(500))
        .optional(access.default("read"))
        .optional(asked)
        .optional(from_email());
    let grant = AuthorizationCode::new(
        [AUTHORIZE_URL.to_owned()],
        [TOKEN_URL.to_owned()],
        ClientAuthentication::ClientSecretPost,
        "client_id",
    )
    .client_secret_field("client_secret")
    .revoke_urls([REVOKE_URL])
    .issuers([
        "https://identity.pagerduty.com/global/oauth/anonymous",
        "https://app.pagerduty.com/global/oauth/anonymous",
    ])
    .scopes_field("scopes")
    .id_token_claims(["aud", "region", "subdomain", "account_id", "user_id"]);
    let mut known = scopes::classic();
    known.append(&mut scopes::scoped());
    CredentialType::new(
        "oauth2",
        "PagerDuty OAuth 2.0",
        "App that acts for a user who consents: Classic User OAuth with read or read/write permission, or Scoped OAuth with a list of scopes.",
        form.build(),
        grant,
        rest(),
        [bearer()],
    )
    .documentation_url("https://developer.pagerduty.com/docs/oauth-functionality")
    .rate_limit(rest_limit())
    .scopes(known)
}

fn oauth2_app() -> CredentialType {
    let subdomain = FieldBuilder::text(
        "subdomain",
        "Subdomain",
        "Subdomain of the account: acme for acme.pagerduty.com.",
    );
    let client = FieldBuilder::text("client_id", "Client ID", "Client ID of the app.");
    let secret = FieldBuilder::text("client_secret", "Client secret", "Client secret of the app.");
    let asked =
        FieldBuilder::texts("scopes", "Scopes", "Scopes to request, e.g. incidents.read.", 1, 200);
    let form = FormBuilder::new()
        .required(region())
        .required(subdomain.pattern("^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"))
        .required(client.min_length(1).max_length(500))
        .required(secret.secret().min_length(8).max_length(500))
        .required(asked.min_items(1))
        .optional(from_email());
    let grant = ClientCredentials::new(
        [TOKEN_URL.to_owned()],
        ClientAuthentication::ClientSecretPost,
        "client_id",
        "client_secret",
    )
    .revoke_urls([REVOKE_URL])
    .scopes_field("scopes");
    let mut known = vec![Scope::new("as_account-{region}.{subdomain}", "Act in this account.")];
    known.append(&mut scopes::scoped());
    CredentialType::new(
        "oauth2-app",
        "PagerDuty OAuth 2.0 for an app",
        "Scoped OAuth app that acts for itself in one account, without a user (client credentials).",
        form.build(),
        grant,
        rest(),
        [bearer()],
    )
    .documentation_url("https://developer.pagerduty.com/docs/app-oauth-token")
    .rate_limit(rest_limit())
    .scopes(known)
}

fn events_integration() -> CredentialType {
    let key = FieldBuilder::text(
        "routing_key",
        "Integration key",
        "Integration key of 32 characters, from the Integrations tab of the service.",
    );
    let form =
        FormBuilder::new().required(region()).required(key.secret().pattern("^[A-Za-z0-9]{32}$"));
    let mut placements = Vec::new();
    for path in ["/v2/enqueue", "/v2/change/enqueue"] {
        let path: PathTemplate = path.parse().expect("it is a path");
        let placement = Placement::body("/routing_key", "{routing_key}", events());
        placements.push(placement.methods(["POST"]).path(path));
    }
    CredentialType::new(
        "events-integration",
        "PagerDuty Events API v2 integration",
        "Integration key of a service or an event orchestration. Sends events and reads nothing.",
        form.build(),
        Grant::Fixed,
        events(),
        placements,
    )
    .documentation_url("https://developer.pagerduty.com/docs/events-api-v2-overview")
    .rate_limit(RateLimit::new([per_minute(120)]).default_wait_ms(DEFAULT_WAIT_MS))
}

fn region() -> FieldBuilder {
    let mut names = Vec::new();
    for region in REGIONS {
        names.push(region.name);
    }
    let field = FieldBuilder::choice(
        "region",
        "Service region",
        "Service region of the account: `eu` if its URL ends in eu.pagerduty.com.",
        &names,
    );
    field.default(REGIONS[0].name)
}

fn from_email() -> FieldBuilder {
    let field = FieldBuilder::text(
        "from_email",
        "Acting user",
        "Email address of the acting user for changes of incidents. Required with an account API key or an app token.",
    );
    field.email().max_length(320)
}

fn bearer() -> Placement {
    Placement::header("Authorization", "Bearer {access_token}", rest())
}

fn per_minute(requests: u32) -> RateWindow {
    RateWindow::new(requests, 60_000)
}

/// The rate limit of one key or token, and of operations with separate limits. PagerDuty does not
/// publish the latter: a response with the status 429 reports them, and pauses only that operation.
fn rest_limit() -> RateLimit {
    let limited = pagerduty_facts::operations().iter().filter(|one| one.operation_limit);
    let operations = limited.map(|one| {
        let path: PathTemplate =
            one.path.parse().expect("the path of an operation is a path template");
        OperationLimit::new(path, [per_minute(960)]).methods([one.method.as_str()])
    });
    RateLimit::new([per_minute(960)])
        .remaining_header("ratelimit-remaining")
        .retry_after_header("ratelimit-reset")
        .default_wait_ms(DEFAULT_WAIT_MS)
        .operations(operations)
}

/// The origins of the REST API.
fn rest() -> Vec<OriginPattern> {
    origins(|region| region.rest)
}

/// The origins of the Events API.
fn events() -> Vec<OriginPattern> {
    origins(|region| region.events)
}

fn origins(of: fn(&Region) -> &'static str) -> Vec<OriginPattern> {
    let mut origins = Vec::new();
    for region in REGIONS {
        origins.push(of(region).parse().expect("a region has origins"));
    }
    origins
}
