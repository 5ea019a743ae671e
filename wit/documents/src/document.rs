//! Shared behavior of all documents.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    CallOptions, Configuration, CredentialTypes, Identity, Node, Options, OptionsQuery, TokenGrant,
    TriggerOptions, Triggers,
};

/// A document of the contract.
///
/// Reading checks less than the published schema: lengths, patterns, and counts are the business of
/// a host, which validates what plugins write against [`Document::SCHEMA`].
pub trait Document: Serialize + DeserializeOwned {
    /// Name of the schema in `wit/schemas`, with its extension.
    const NAME: &'static str;
    /// The published schema.
    const SCHEMA: &'static str;

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// When the text is not JSON or not this document.
    fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Writes the document as compact JSON.
    fn to_json(&self) -> String {
        let Ok(text) = serde_json::to_string(self) else {
            unreachable!("the keys of every document are strings")
        };
        text
    }
}

macro_rules! documents {
    ($($Type:ident = $name:literal,)*) => {
        $(
            impl Document for $Type {
                const NAME: &'static str = $name;
                const SCHEMA: &'static str = include_str!(concat!("../schemas/", $name));
            }
        )*

        /// The published schemas by name: those of the documents, and that of a file value, which
        /// is reserved.
        pub const SCHEMAS: &[(&str, &str)] = &[
            $(($name, <$Type as Document>::SCHEMA),)*
            ("file.json", include_str!("../schemas/file.json")),
        ];
    };
}

documents! {
    CallOptions = "call-options.json",
    Configuration = "configuration.json",
    CredentialTypes = "credential-type.json",
    TokenGrant = "grant.json",
    Identity = "identity.json",
    Node = "node.json",
    OptionsQuery = "options-query.json",
    Options = "options.json",
    TriggerOptions = "trigger-options.json",
    Triggers = "trigger.json",
}
