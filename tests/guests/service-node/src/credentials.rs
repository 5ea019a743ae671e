//! Credentials that common services accept.

use workflow_node_sdk::documents::{
    Access, ClientAuthentication, ClientCredentials, Configuration, CredentialType,
    CredentialTypes, DeviceAuthorization, FieldBuilder, FormBuilder, Grant, OauthConfiguration,
    OriginPattern, PathTemplate, Placement, RateLimit, RateReset, RateWindow, ResetFormat, Scope,
    SecretPlacement, SecretPosition, TokenGrant,
};
use workflow_node_sdk::error::FieldError;
use workflow_node_sdk::{Map, Value};

/// Origin of the service.
pub(crate) const API: &str = "https://api.service.test";

fn api() -> OriginPattern {
    API.parse().expect("it is an origin")
}

/// The server that the operator chooses.
pub(crate) const OWN: &str = "https://{own}";

fn own() -> OriginPattern {
    OWN.parse().expect("it names a server")
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

fn client() -> FormBuilder {
    FormBuilder::new().required(FieldBuilder::text("client_id", "Client ID", "Of the app."))
}

/// A token that the service issues.
fn granted(name: &str, grant: Grant, fields: FormBuilder) -> CredentialType {
    let bearer = Placement::header("Authorization", "Bearer {access_token}", [api()]);
    let fields = fields.build();
    CredentialType::new(name, name, "For the service.", fields, grant, [api()], [bearer])
        .scopes([Scope::new("things", "Reads things.").access(Access::Read)])
}

fn at(path: &str) -> String {
    [API, path].concat()
}

fn device() -> Grant {
    let (codes, tokens) = (vec![at("/oauth/device")], vec![at("/oauth/token")]);
    DeviceAuthorization::new(codes, tokens, ClientAuthentication::None, "client_id").into()
}

fn signed() -> Grant {
    let by = ClientAuthentication::PrivateKeyJwt;
    ClientCredentials::new(vec![at("/oauth/token")], by, "client_id", "client_secret").into()
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
        CredentialType::new(
            "own",
            "own",
            "For a server of your own.",
            FormBuilder::new()
                .required(FieldBuilder::text("own", "Server", "Origin of the server."))
                .required(secret("key", "Key"))
                .build(),
            Grant::Fixed,
            [own()],
            [Placement::header("X-Key", "{key}", [own()])],
        ),
        credential_type("form-key", key, Placement::body("/api_key", "{key}", [api()])),
        granted("device", device(), client()),
        granted("signed", signed(), client().required(secret("client_secret", "Private key"))),
    ])
}

/// Secrets that people enter.
pub(crate) fn secrets() -> Vec<SecretPosition> {
    let path: PathTemplate = "/v1/charges".parse().expect("it is a path");
    let placement: SecretPlacement =
        SecretPlacement::new(["POST".to_owned()], [api()], path, "/password");
    let hooks: PathTemplate = "/v1/hooks".parse().expect("it is a path");
    let hook = SecretPlacement::new(["POST".to_owned()], [api()], hooks, "/secret");
    vec![
        SecretPosition::new("card-password", "Password of a card.").placements([placement]),
        SecretPosition::new("hook-secret", "Signs deliveries.").placements([hook]),
    ]
}

/// Where a credential may be sent: to the origin of the service, or to the server that it names.
pub(crate) fn configure(
    credential_type: &str,
    fields: &Map<String, Value>,
    _: Option<&TokenGrant>,
) -> Result<Configuration, Vec<FieldError>> {
    if credential_type == "own" {
        let server = fields.get("own").and_then(Value::as_str).unwrap_or_default();
        let server = server.trim_end_matches('/');
        let Ok(origin) = server.parse::<OriginPattern>() else {
            let message = "must be an origin".to_owned();
            return Err(vec![FieldError { pointer: "/own".to_owned(), message }]);
        };
        return Ok(Configuration::new([origin]).base_urls([("own", [server, "/api"].concat())]));
    }
    let configuration = Configuration::new([api()]).base_urls([("api", at("/v1"))]);
    let oauth = OauthConfiguration::new(at("/oauth/token"), vec!["things".to_owned()]);
    Ok(match credential_type {
        "device" => configuration.oauth(oauth.device_authorization_url(at("/oauth/device"))),
        "signed" => configuration.oauth(oauth),
        _ => configuration,
    })
}
