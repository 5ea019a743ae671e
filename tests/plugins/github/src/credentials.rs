//! Credential types: a personal access token, and an OAuth app.

use workflow_node_sdk::documents::{
    Access, AuthorizationCode, ClientAuthentication, CredentialType, CredentialTypes, FieldBuilder,
    FormBuilder, Grant, OriginPattern, Placement, RateLimit, RateReset, RateWindow, ResetFormat,
    Scope,
};

use crate::API;

/// Page on which a user consents.
pub(crate) const AUTHORIZE_URL: &str = "https://github.com/login/oauth/authorize";
/// Where tokens are issued.
pub(crate) const TOKEN_URL: &str = "https://github.com/login/oauth/access_token";

/// Scopes of the OAuth app, and what they allow.
pub(crate) const SCOPES: [(&str, &str); 3] = [
    ("repo", "Read and change repositories, with their issues and comments."),
    ("admin:repo_hook", "Create and remove webhooks of repositories."),
    ("read:user", "Read the profile of the user."),
];

/// Where credentials may be sent.
pub(crate) fn audiences() -> [OriginPattern; 1] {
    [API.parse().expect("it is an origin")]
}

/// The service's limit for one credential.
fn rate_limit() -> RateLimit {
    RateLimit::new([RateWindow::new(5_000, 3_600_000)])
        .remaining_header("x-ratelimit-remaining")
        .reset(RateReset::new("x-ratelimit-reset", ResetFormat::UnixSeconds))
}

/// The credential types.
pub(crate) fn types() -> CredentialTypes {
    let token = FieldBuilder::text("token", "Token", "Personal access token of the account.");
    let form = FormBuilder::new().required(token.secret().min_length(20).max_length(255));
    let token = CredentialType::new(
        "token",
        "Personal access token",
        "Token that a user creates in the developer settings. It acts as this user.",
        form.build(),
        Grant::Fixed,
        audiences(),
        [Placement::header("Authorization", "Bearer {token}", audiences())],
    );
    CredentialTypes::of([token.rate_limit(rate_limit()), oauth()])
}

fn oauth() -> CredentialType {
    let id = FieldBuilder::text("client_id", "Client ID", "Client ID of the OAuth app.");
    let secret =
        FieldBuilder::text("client_secret", "Client secret", "Client secret of the OAuth app.");
    let form = FormBuilder::new()
        .required(id.min_length(1).max_length(100))
        .required(secret.secret().min_length(20).max_length(100));
    let grant = AuthorizationCode::new(
        [AUTHORIZE_URL.to_owned()],
        [TOKEN_URL.to_owned()],
        ClientAuthentication::ClientSecretPost,
        "client_id",
    )
    .client_secret_field("client_secret");
    let scopes = SCOPES.map(|(name, description)| {
        let access = if name == "read:user" { Access::Read } else { Access::Write };
        Scope::new(name, description).access(access)
    });
    CredentialType::new(
        "oauth2",
        "OAuth app",
        "OAuth app that acts for a user who consents.",
        form.build(),
        grant,
        audiences(),
        [Placement::header("Authorization", "Bearer {access_token}", audiences())],
    )
    .scopes(scopes)
    .rate_limit(rate_limit())
}
