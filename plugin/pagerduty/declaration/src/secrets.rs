//! Where answers and requests hold secrets: the host puts handles in their place.

/// An integration's key opens incidents for whoever holds it; a webhook's secret lets anybody sign
/// deliveries; a calendar's address shows when people work. And there are passwords that PagerDuty
/// is given for other tools.
pub(crate) const SECRETS: &str = include_str!("secrets.json");
