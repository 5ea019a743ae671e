//! Lists in pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::limits::ServerLimits;

/// Number of entries on a page by default.
const DEFAULT: usize = 100;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Text that entries must contain, in any case.
    pub(crate) search: Option<String>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
    /// Maximum number of entries. Defaults to 100; the server may return fewer.
    #[param(minimum = 1)]
    pub(crate) limit: Option<u64>,
}

impl PageQuery {
    /// Number of entries to return.
    pub(crate) fn limit(&self, limits: &ServerLimits) -> Result<usize, ApiError> {
        match self.limit {
            None => Ok(DEFAULT.min(limits.page)),
            Some(0) => Err(ApiError::invalid("`limit` is 0. Ask for at least one entry.")),
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX).min(limits.page)),
        }
    }

    /// The key of the last entry on the page before.
    pub(crate) fn after(&self) -> Result<Option<String>, ApiError> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|key| String::from_utf8(key).ok());
        key.map(Some).ok_or_else(bad_cursor)
    }

    /// The text to search for, in lower case.
    pub(crate) fn search(&self) -> String {
        self.search.as_deref().unwrap_or_default().to_lowercase()
    }

    /// A page of a list, and the cursor of the next one. `key` returns the name of an entry.
    pub(crate) fn of<T>(
        &self,
        list: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> &str,
        texts: impl Fn(&T) -> Vec<&str>,
        limits: &ServerLimits,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let (limit, search) = (self.limit(limits)?, self.search());
        let mut list: Vec<T> = list.into_iter().collect();
        if let Some(after) = self.after()? {
            let at = list.iter().position(|entry| key(entry) == after).ok_or_else(bad_cursor)?;
            list.drain(..=at);
        }
        list.retain(|entry| {
            search.is_empty()
                || texts(entry).iter().any(|text| text.to_lowercase().contains(&search))
        });
        let has_more = list.len() > limit;
        list.truncate(limit);
        let next = list.last().filter(|_| has_more).map(|last| cursor(key(last)));
        Ok((list, next))
    }
}

/// A cursor that continues after a key.
pub(crate) fn cursor(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

pub(crate) fn bad_cursor() -> ApiError {
    ApiError::invalid("`cursor` is not one that this list has returned. Begin without a cursor.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_every_entry_once() {
        let limits = ServerLimits::default();
        let names = ["alert", "incident", "incident_note", "service", "user"];
        let mut query = PageQuery { limit: Some(2), ..PageQuery::default() };
        let mut seen = Vec::new();
        loop {
            let (page, next) = query.of(names, |name| name, |name| vec![name], &limits).unwrap();
            assert!(page.len() <= 2);
            seen.extend(page);
            match next {
                Some(next) => query.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, names);
        let found = PageQuery { search: Some("INCIDENT".into()), ..PageQuery::default() };
        let (page, next) = found.of(names, |name| name, |name| vec![name], &limits).unwrap();
        assert_eq!((page, next), (vec!["incident", "incident_note"], None));
        for wrong in [
            PageQuery { cursor: Some("!".into()), ..PageQuery::default() },
            PageQuery { cursor: Some(cursor("gone")), ..PageQuery::default() },
            PageQuery { limit: Some(0), ..PageQuery::default() },
        ] {
            assert!(wrong.of(names, |name| name, |name| vec![name], &limits).is_err());
        }
    }
}
