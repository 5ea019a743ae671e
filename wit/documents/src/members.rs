//! The macro that defines a document's objects.

use serde::Deserialize;
use serde::de::{Error, MapAccess};

use crate::{Schema, Schemas};

/// Reads the value of a member into its slot. A member that occurs twice is refused, because two
/// readers could disagree about which one counts.
pub(crate) fn read<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    members: &mut A,
    slot: &mut Option<T>,
    name: &'static str,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(members.next_value()?);
    Ok(())
}

/// Whether a member has its default and need not be written. Comparing with `Default::default()`
/// would make every component parse schemas.
pub(crate) trait IsDefault {
    fn is_default(&self) -> bool;
}

impl IsDefault for bool {
    fn is_default(&self) -> bool {
        !self
    }
}

impl IsDefault for u64 {
    fn is_default(&self) -> bool {
        *self == 0
    }
}

impl IsDefault for Schema {
    fn is_default(&self) -> bool {
        self.text() == "true"
    }
}

impl IsDefault for Schemas {
    fn is_default(&self) -> bool {
        self.text() == "{}"
    }
}

/// Defines an object of a document: the struct, `new`, a setter for each other member, and
/// `Serialize` and `Deserialize`.
///
/// An `open` object keeps unknown members as JSON text. A `closed` one rejects them. serde's
/// `flatten` could keep them, but it buffers: raw JSON and numbers of arbitrary precision would be
/// lost.
///
/// | section | in JSON | in `new` | setter takes |
/// | --- | --- | --- | --- |
/// | `required` | always | `impl Into<T>` | |
/// | `exact` | always | `T`, because literals of numbers have no `Into` | |
/// | `preset` | always | the given value | `T` |
/// | `optional` | unless `None`; `null` reads as `None` | `None` | `impl Into<T>` |
/// | `number` | as `optional` | `None` | `T` |
/// | `list` | unless empty | empty | elements |
/// | `map` | unless empty | empty | pairs of a name and a value |
/// | `object` | unless empty | empty | pairs of a name and any value |
/// | `default` | unless the default | the default | `T` |
macro_rules! document {
    (
        $(#[$about:meta])*
        $kind:ident struct $Name:ident {
            $(required { $($(#[$r_about:meta])* $r:ident: $R:ty,)* })?
            $(exact { $($(#[$e_about:meta])* $e:ident: $E:ty,)* })?
            $(preset { $($(#[$p_about:meta])* $p:ident: $P:ty = $p_value:expr,)* })?
            $(optional { $($(#[$o_about:meta])* $o:ident: $O:ty,)* })?
            $(number { $($(#[$n_about:meta])* $n:ident: $N:ty,)* })?
            $(list { $($(#[$l_about:meta])* $l:ident: $L:ty,)* })?
            $(map { $($(#[$m_about:meta])* $m:ident: $M:ty,)* })?
            $(object { $($(#[$j_about:meta])* $j:ident,)* })?
            $(default { $($(#[$d_about:meta])* $d:ident: $D:ty,)* })?
        }
    ) => {
        $crate::members::document! { @struct $kind
            $(#[$about])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            #[non_exhaustive]
            pub struct $Name {
                $($($(#[$r_about])* pub $r: $R,)*)?
                $($($(#[$e_about])* pub $e: $E,)*)?
                $($($(#[$p_about])* pub $p: $P,)*)?
                $($($(#[$o_about])* pub $o: Option<$O>,)*)?
                $($($(#[$n_about])* pub $n: Option<$N>,)*)?
                $($($(#[$l_about])* pub $l: Vec<$L>,)*)?
                $($($(#[$m_about])* pub $m: ::std::collections::BTreeMap<String, $M>,)*)?
                $($($(#[$j_about])* pub $j: ::serde_json::Map<String, ::serde_json::Value>,)*)?
                $($($(#[$d_about])* pub $d: $D,)*)?
            }
        }

        impl $Name {
            /// Creates one with the members that are required.
            #[allow(clippy::new_without_default, clippy::too_many_arguments)]
            pub fn new($($($r: impl Into<$R>,)*)? $($($e: $E,)*)?) -> Self {
                $crate::members::document! { @build $kind $Name {
                    $($($r: $r.into(),)*)?
                    $($($e,)*)?
                    $($($p: $p_value,)*)?
                    $($($o: None,)*)?
                    $($($n: None,)*)?
                    $($($l: Vec::new(),)*)?
                    $($($m: ::std::collections::BTreeMap::new(),)*)?
                    $($($j: ::serde_json::Map::new(),)*)?
                    $($($d: <$D>::default(),)*)?
                } {} }
            }

            $($(
                $(#[$p_about])*
                #[must_use]
                pub fn $p(mut self, $p: $P) -> Self {
                    self.$p = $p;
                    self
                }
            )*)?
            $($(
                $(#[$o_about])*
                #[must_use]
                pub fn $o(mut self, $o: impl Into<$O>) -> Self {
                    self.$o = Some($o.into());
                    self
                }
            )*)?
            $($(
                $(#[$n_about])*
                #[must_use]
                pub fn $n(mut self, $n: $N) -> Self {
                    self.$n = Some($n);
                    self
                }
            )*)?
            $($(
                $(#[$l_about])*
                #[must_use]
                pub fn $l(mut self, $l: impl IntoIterator<Item = impl Into<$L>>) -> Self {
                    self.$l.clear();
                    for element in $l {
                        self.$l.push(element.into());
                    }
                    self
                }
            )*)?
            $($(
                $(#[$m_about])*
                #[must_use]
                pub fn $m(
                    mut self,
                    $m: impl IntoIterator<Item = (impl Into<String>, impl Into<$M>)>,
                ) -> Self {
                    self.$m.clear();
                    for (name, value) in $m {
                        self.$m.insert(name.into(), value.into());
                    }
                    self
                }
            )*)?
            $($(
                $(#[$j_about])*
                #[must_use]
                pub fn $j(
                    mut self,
                    $j: impl IntoIterator<Item = (impl Into<String>, impl Into<::serde_json::Value>)>,
                ) -> Self {
                    self.$j.clear();
                    for (name, value) in $j {
                        self.$j.insert(name.into(), value.into());
                    }
                    self
                }
            )*)?
            $($(
                $(#[$d_about])*
                #[must_use]
                pub fn $d(mut self, $d: $D) -> Self {
                    self.$d = $d;
                    self
                }
            )*)?
        }

        impl ::serde::Serialize for $Name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeMap as _;
                let mut members = serializer.serialize_map(None)?;
                $($(members.serialize_entry(stringify!($r), &self.$r)?;)*)?
                $($(members.serialize_entry(stringify!($e), &self.$e)?;)*)?
                $($(members.serialize_entry(stringify!($p), &self.$p)?;)*)?
                $($(
                    if let Some(value) = &self.$o {
                        members.serialize_entry(stringify!($o), value)?;
                    }
                )*)?
                $($(
                    if let Some(value) = self.$n {
                        members.serialize_entry(stringify!($n), &value)?;
                    }
                )*)?
                $($(
                    if !self.$l.is_empty() {
                        members.serialize_entry(stringify!($l), &self.$l)?;
                    }
                )*)?
                $($(
                    if !self.$m.is_empty() {
                        members.serialize_entry(stringify!($m), &self.$m)?;
                    }
                )*)?
                $($(
                    if !self.$j.is_empty() {
                        members.serialize_entry(stringify!($j), &self.$j)?;
                    }
                )*)?
                $($(
                    if !$crate::members::IsDefault::is_default(&self.$d) {
                        members.serialize_entry(stringify!($d), &self.$d)?;
                    }
                )*)?
                $crate::members::document! { @write $kind self members }
                members.end()
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $Name {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members;

                impl<'de> ::serde::de::Visitor<'de> for Members {
                    type Value = $Name;

                    fn expecting(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        formatter.write_str(concat!("an object of type ", stringify!($Name)))
                    }

                    #[allow(unused_mut)]
                    fn visit_map<A: ::serde::de::MapAccess<'de>>(
                        self,
                        mut members: A,
                    ) -> Result<$Name, A::Error> {
                        use $crate::members::read;
                        $($(let mut $r: Option<$R> = None;)*)?
                        $($(let mut $e: Option<$E> = None;)*)?
                        $($(let mut $p: Option<$P> = None;)*)?
                        $($(let mut $o: Option<Option<$O>> = None;)*)?
                        $($(let mut $n: Option<Option<$N>> = None;)*)?
                        $($(let mut $l: Option<Vec<$L>> = None;)*)?
                        $($(let mut $m: Option<::std::collections::BTreeMap<String, $M>> = None;)*)?
                        $($(
                            let mut $j: Option<::serde_json::Map<String, ::serde_json::Value>> = None;
                        )*)?
                        $($(let mut $d: Option<$D> = None;)*)?
                        let mut extra = $crate::Extra::new();
                        while let Some(member) = members.next_key::<String>()? {
                            match member.as_str() {
                                $($(stringify!($r) => read(&mut members, &mut $r, stringify!($r))?,)*)?
                                $($(stringify!($e) => read(&mut members, &mut $e, stringify!($e))?,)*)?
                                $($(stringify!($p) => read(&mut members, &mut $p, stringify!($p))?,)*)?
                                $($(stringify!($o) => read(&mut members, &mut $o, stringify!($o))?,)*)?
                                $($(stringify!($n) => read(&mut members, &mut $n, stringify!($n))?,)*)?
                                $($(stringify!($l) => read(&mut members, &mut $l, stringify!($l))?,)*)?
                                $($(stringify!($m) => read(&mut members, &mut $m, stringify!($m))?,)*)?
                                $($(stringify!($j) => read(&mut members, &mut $j, stringify!($j))?,)*)?
                                $($(stringify!($d) => read(&mut members, &mut $d, stringify!($d))?,)*)?
                                _ => $crate::members::document! {
                                    @unknown $kind $Name members member extra
                                },
                            }
                        }
                        Ok($crate::members::document! { @build $kind $Name {
                            $($($r: $r.ok_or_else(|| <A::Error as ::serde::de::Error>::missing_field(stringify!($r)))?,)*)?
                            $($($e: $e.ok_or_else(|| <A::Error as ::serde::de::Error>::missing_field(stringify!($e)))?,)*)?
                            $($($p: $p.ok_or_else(|| <A::Error as ::serde::de::Error>::missing_field(stringify!($p)))?,)*)?
                            $($($o: $o.flatten(),)*)?
                            $($($n: $n.flatten(),)*)?
                            $($($l: $l.unwrap_or_default(),)*)?
                            $($($m: $m.unwrap_or_default(),)*)?
                            $($($j: $j.unwrap_or_default(),)*)?
                            $($($d: $d.unwrap_or_default(),)*)?
                        } { extra } })
                    }
                }

                deserializer.deserialize_map(Members)
            }
        }

        $crate::members::document! { @extra $kind $Name [
            $($(stringify!($r),)*)? $($(stringify!($e),)*)? $($(stringify!($p),)*)?
            $($(stringify!($o),)*)? $($(stringify!($n),)*)? $($(stringify!($l),)*)?
            $($(stringify!($m),)*)? $($(stringify!($j),)*)? $($(stringify!($d),)*)?
        ] }
    };

    // An open object has one field more than its members.
    (@struct open $(#[$about:meta])* pub struct $Name:ident { $($fields:tt)* }) => {
        $(#[$about])*
        pub struct $Name {
            $($fields)*
            extra: $crate::Extra,
        }
    };
    (@struct closed $(#[$about:meta])* pub struct $Name:ident { $($fields:tt)* }) => {
        $(#[$about])*
        pub struct $Name { $($fields)* }
    };

    (@build open $Name:ident { $($fields:tt)* } {}) => {
        $Name { $($fields)* extra: $crate::Extra::new() }
    };
    (@build open $Name:ident { $($fields:tt)* } { $extra:ident }) => {
        $Name { $($fields)* extra: $extra }
    };
    (@build closed $Name:ident { $($fields:tt)* } {}) => {
        $Name { $($fields)* }
    };
    (@build closed $Name:ident { $($fields:tt)* } { $extra:ident }) => {{
        let _: $crate::Extra = $extra;
        $Name { $($fields)* }
    }};

    (@write open $self:ident $members:ident) => {
        for (name, value) in $self.extra.iter() {
            $members.serialize_entry(name, value)?;
        }
    };
    (@write closed $self:ident $members:ident) => {};

    (@unknown open $Name:ident $members:ident $member:ident $extra:ident) => {{
        let value = $members.next_value()?;
        $extra.insert($member, value);
    }};
    (@unknown closed $Name:ident $members:ident $member:ident $extra:ident) => {
        return Err(<A::Error as ::serde::de::Error>::unknown_field(&$member, $Name::MEMBERS))
    };

    (@extra open $Name:ident [$($known:expr,)*]) => {
        impl $Name {
            const MEMBERS: &[&str] = &[$($known,)*];

            /// Members that this version does not define, as they were read.
            pub fn extra(&self) -> &$crate::Extra {
                &self.extra
            }

            /// Adds a member that this version does not define. One that it defines is left as it
            /// is.
            #[must_use]
            pub fn with_extra(mut self, name: impl Into<String>, value: impl Into<$crate::Json>) -> Self {
                let name = name.into();
                if !Self::MEMBERS.contains(&name.as_str()) {
                    self.extra.insert(name, value.into());
                }
                self
            }
        }
    };
    (@extra closed $Name:ident [$($known:expr,)*]) => {
        impl $Name {
            const MEMBERS: &[&str] = &[$($known,)*];
        }
    };
}
pub(crate) use document;
