//! Checks of credential types that their schema cannot express.

use serde_json::Map;
use url::Url;

use super::authorize;
use super::schema::{Validator, file_mark};
use super::{Configuration, CredentialType, Grant, PlacementKind, refused_file};
use crate::limits::ProcessLimits;
use crate::origin::{Origin, OriginOfUrl as _};
use crate::reserved::{is_hosts, overrides_method};

/// Checks that the form is a schema, and that every placement writes a secret of the form or the
/// grant inside the credential type's origins.
pub(super) fn check(described: &CredentialType, limits: &ProcessLimits) -> Result<(), String> {
    let name = &described.name;
    let no_schemas = Map::new();
    Validator::new(&no_schemas, &described.fields, limits)
        .map_err(|error| format!("the fields of `{name}`: {error}"))?;
    if let Some(place) = file_mark(&no_schemas, &described.fields) {
        return Err(refused_file(&format!("the credential type `{name}`"), &place));
    }
    let Some(properties) = described.properties() else {
        return Err(format!("the fields of `{name}` are not an object schema with properties"));
    };
    let grant = &described.grant;
    let fields = [grant.client_id_field(), grant.client_secret_field()];
    let optional = [grant.scopes_field(), grant.key_id_field()];
    for field in fields.into_iter().chain(optional).flatten() {
        if !properties.contains_key(field) {
            return Err(format!(
                "the grant of `{name}` names the field `{field}`, which the type does not have"
            ));
        }
    }
    if let Some(field) = grant.client_secret_field()
        && !described.secret_fields().contains(field)
    {
        return Err(format!(
            "the field `{field}` of `{name}` holds a secret of the client: mark it `writeOnly`"
        ));
    }
    authorize::check(&described.grant).map_err(|problem| format!("`{name}`: {problem}"))?;
    let placed = described.secret_fields();
    let tokens = described.grant_secrets();
    for placement in &described.placements {
        for field in placement.fields() {
            if grant.private_key_field() == Some(field) {
                return Err(format!(
                    "a placement of `{name}` writes `{{{field}}}`, a private key, which never leaves \
                     the host"
                ));
            }
            if !properties.contains_key(field) && !tokens.contains(&field) {
                return Err(format!(
                    "a placement of `{name}` writes `{{{field}}}`, but the type does not have this \
                     field"
                ));
            }
        }
        if !placement.fields().iter().any(|field| placed.contains(*field) || tokens.contains(field))
        {
            return Err(format!("a placement of `{name}` does not write a secret"));
        }
        let foreign = match &placement.kind {
            // A session cookie is a credential like any other; everything else is the host's.
            PlacementKind::Header { name } => {
                (is_hosts(name) && !name.eq_ignore_ascii_case("cookie")).then_some(name)
            }
            PlacementKind::Query { name } => overrides_method(name).then_some(name),
            _ => None,
        };
        if let Some(written) = foreign {
            return Err(format!(
                "a placement of `{name}` writes `{written}`, which belongs to the host"
            ));
        }
        for origin in &placement.origins {
            if !described.origins.iter().any(|own| own.covers(origin)) {
                return Err(format!(
                    "a placement of `{name}` applies to {origin}, which is not one of its origins"
                ));
            }
        }
    }
    Ok(())
}

/// Checks that a configuration stays within the description of its credential type.
///
/// # Errors
///
/// The part of the configuration that does not.
pub(crate) fn check_configuration(
    described: &CredentialType,
    configuration: &Configuration,
) -> Result<(), String> {
    for audience in &configuration.audiences {
        if !described.origins.iter().any(|origin| origin.covers(audience)) {
            return Err(format!("the audience {audience} is not one of the origins of the type"));
        }
    }
    for (base, url) in &configuration.base_urls {
        let origin = Url::parse(url).ok().and_then(|url| Origin::of(&url));
        let inside = origin.is_some_and(|origin| {
            configuration.audiences.iter().any(|audience| audience.matches(&origin))
        });
        if !inside {
            return Err(format!("the base URL `{base}` is outside the audiences"));
        }
    }
    let Some(oauth) = &configuration.oauth else {
        return Ok(());
    };
    let nothing: &[String] = &[];
    let (authorize, device, token, revoke) = match &described.grant {
        Grant::AuthorizationCode(grant) => {
            (&*grant.authorize_urls, nothing, &*grant.token_urls, &*grant.revoke_urls)
        }
        Grant::ClientCredentials(grant) => {
            (nothing, nothing, &*grant.token_urls, &*grant.revoke_urls)
        }
        Grant::DeviceAuthorization(grant) => {
            (nothing, &*grant.device_authorization_urls, &*grant.token_urls, &*grant.revoke_urls)
        }
        _ => return Err("a fixed grant has no OAuth endpoints".into()),
    };
    let is_described =
        |url: &Option<String>, urls: &[String]| url.as_ref().is_none_or(|url| urls.contains(url));
    if !is_described(&oauth.authorize_url, authorize)
        || !is_described(&oauth.device_authorization_url, device)
        || !token.contains(&oauth.token_url)
        || !is_described(&oauth.revoke_url, revoke)
    {
        return Err("an OAuth endpoint is not declared".into());
    }
    authorize::check_parameters(&described.grant, &oauth.parameters)?;
    for scope in &oauth.scopes {
        if !described.scopes.iter().any(|known| known.allows(scope)) {
            return Err(format!("the scope `{scope}` is not declared"));
        }
    }
    Ok(())
}
