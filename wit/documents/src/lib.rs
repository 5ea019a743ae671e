#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

mod call;
mod credential;
mod credential_type;
mod document;
mod extra;
mod form;
mod grant;
mod json;
mod members;
mod node;
mod options;
mod origin;
mod path_template;
mod schemas;
mod server;
mod text;
mod trigger;

pub use call::{CallOptions, TriggerOptions};
pub use credential::{
    Account, Configuration, CredentialAccess, Identity, OauthConfiguration, TokenGrant, User,
};
pub use credential_type::{
    Access, CredentialType, CredentialTypes, OperationLimit, Placement, PlacementEncoding,
    PlacementKind, RateLimit, RateReset, RateWindow, ResetFormat, Scope,
};
pub use document::{Document, SCHEMAS};
pub use extra::Extra;
pub use form::{FieldBuilder, FormBuilder};
pub use grant::{
    AuthorizationCode, AuthorizeParameter, ClientAuthentication, ClientCredentials,
    DeviceAuthorization, Grant, PkceMethod,
};
pub use json::{Json, Schema, SchemaError};
pub use node::{
    Action, Effect, Example, ICON_LIMIT, Idempotency, Node, Resource, SecretPlacement,
    SecretPosition, Slot, SlotUse,
};
pub use options::{Choice, Options, OptionsQuery};
pub use origin::{Origin, OriginError, OriginPattern, Scheme};
pub use path_template::{PathTemplate, PathTemplateError};
pub use schemas::Schemas;
pub use server::{Server, ServerPattern, server_of_url, url_at};
pub use trigger::{
    AnsweredBy, Delivery, Poll, Signature, SignatureEncoding, SignatureScheme, Trigger, Triggers,
    Webhook,
};
