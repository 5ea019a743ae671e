//! Credentials that ordinary services take.

use workflow_node_sdk::documents::{
    Configuration, CredentialType, CredentialTypes, FieldBuilder, FormBuilder, Grant,
    OriginPattern, PathTemplate, Placement, RateLimit, RateReset, RateWindow, ResetFormat,
    SecretPlacement, SecretPosition, TokenGrant,
};
use workflow_node_sdk::error::FieldError;
use workflow_node_sdk::{Map, Value};

/// Where the service is.
pub(crate) const API: &str = "https://api.service.test";

fn api() -> OriginPattern {
    API.parse().expect("it is an origin")
}

fn secret(name: &'static str, title: &str) -> FieldBuilder {
    FieldBuilder::text(name, title, title).secret().min_length(8)
}

fn credential_type(name: &str, fields: FormBuilder, placement: Placement) -> CredentialType {
    CredentialType::new(
        name,
        name,
        "For the service.",
        fields.build(),
        Grant::Fixed,
        [api()],
        [placement],
    )
}

/// The credential types.
pub(crate) fn types() -> CredentialTypes {
    let user = FormBuilder::new()
        .required(FieldBuilder::text("user", "User", "Name of the user."))
        .required(secret("password", "Password"));
    let token = FormBuilder::new().required(secret("token", "Token"));
    let key = FormBuilder::new().required(secret("key", "Key"));
    let limit = |header, format| {
        RateLimit::new([RateWindow::new(1_000, 1_000)])
            .remaining_header("x-remaining")
            .reset(RateReset::new(header, format))
    };
    CredentialTypes::default().credential_types(vec![
        credential_type("basic", user, Placement::basic("{user}", "{password}", [api()]))
            .rate_limit(limit("x-reset", ResetFormat::UnixSeconds)),
        credential_type("token", token, Placement::basic("{token}", "", [api()]))
            .rate_limit(limit("x-reset", ResetFormat::Rfc3339)),
        credential_type("form-key", key, Placement::body("/api_key", "{key}", [api()])),
    ])
}

/// Secrets that people type.
pub(crate) fn secrets() -> Vec<SecretPosition> {
    let path: PathTemplate = "/v1/charges".parse().expect("it is a path");
    let placement: SecretPlacement =
        SecretPlacement::new(["POST".to_owned()], [api()], path, "/password");
    vec![SecretPosition::new("card-password", "Password of a card.").placements([placement])]
}

/// Every credential is for the one origin.
pub(crate) fn configure(
    _: &str,
    _: &Map<String, Value>,
    _: Option<&TokenGrant>,
) -> Result<Configuration, Vec<FieldError>> {
    Ok(Configuration::new([api()]).base_urls([("api", [API, "/v1"].concat())]))
}
