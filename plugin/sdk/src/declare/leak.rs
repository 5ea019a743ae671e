//! Reads declared data back as `&'static`. A guest lives for one call and reads one action, so the
//! memory that is never freed stays small.

use serde::{Deserialize, Deserializer};

pub(super) fn slice<'de, D, T>(deserializer: D) -> Result<&'static [T], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Vec::deserialize(deserializer)?.leak())
}

pub(super) fn one<'de, D, T>(deserializer: D) -> Result<&'static T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Box::leak(Box::new(T::deserialize(deserializer)?)))
}

pub(super) fn refs<'de, D, T>(deserializer: D) -> Result<&'static [&'static T], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let owned: Vec<T> = Vec::deserialize(deserializer)?;
    let mut refs: Vec<&'static T> = Vec::with_capacity(owned.len());
    for one in owned {
        refs.push(Box::leak(Box::new(one)));
    }
    Ok(refs.leak())
}

pub(super) fn some<'de, D, T>(deserializer: D) -> Result<Option<&'static T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let owned = Option::deserialize(deserializer)?;
    Ok(owned.map(|one: T| &*Box::leak(Box::new(one))))
}
