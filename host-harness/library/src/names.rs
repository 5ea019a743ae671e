//! Enums that have a stable name for each variant.

/// Defines an enum whose variants have stable names: as text, in JSON, and to compare with.
macro_rules! names {
    (
        $(#[$about:meta])*
        pub enum $Name:ident {
            $($(#[$variant_about:meta])* $Variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Deserialize,
            ::serde::Serialize,
        )]
        #[non_exhaustive]
        pub enum $Name {
            $($(#[$variant_about])* #[serde(rename = $text)] $Variant,)*
        }

        impl $Name {
            /// The name, which stays the same over versions.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $text,)*
                }
            }
        }

        impl ::std::fmt::Display for $Name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl PartialEq<str> for $Name {
            fn eq(&self, name: &str) -> bool {
                self.as_str() == name
            }
        }

        impl PartialEq<&str> for $Name {
            fn eq(&self, name: &&str) -> bool {
                self.as_str() == *name
            }
        }
    };
}
pub(crate) use names;
