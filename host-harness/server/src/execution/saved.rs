//! Calls of detached executions, kept so that the server can repeat them by itself after it was
//! interrupted: the call without its items, and the items as lines, sealed in parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Items;
use super::record::Key;
use crate::database::DatabaseError;

/// Text of one part.
const PART: usize = 1024 * 1024;

/// A call without its items.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SavedCall {
    /// ID of the token that has made it.
    pub(crate) token: String,
    pub(crate) plugin: String,
    pub(crate) action: String,
    pub(crate) workflow: Option<String>,
    pub(crate) credentials: BTreeMap<String, String>,
    pub(crate) continue_on_fail: bool,
    pub(crate) concurrency: Option<u32>,
    pub(crate) timeout_ms: Option<u64>,
}

/// A call that the server repeats by itself.
#[derive(Debug)]
pub(crate) struct Interrupted {
    pub(crate) key: Key,
    pub(crate) actor: String,
    pub(crate) call: SavedCall,
    /// The items, one on each line.
    pub(crate) lines: Vec<String>,
}

/// The parts of a call: the call, then lines of items. `None` if they have more than `most` bytes.
/// Takes time.
pub(super) fn parts(
    call: &SavedCall,
    items: &mut Items,
    most: usize,
) -> Result<Option<Vec<String>>, DatabaseError> {
    let mut parts = vec![serde_json::to_string(call).map_err(DatabaseError::unwritable)?];
    let (mut part, mut total) = (String::new(), parts[0].len());
    let mut is_too_large = false;
    let read = items.check(|_, portion: &[Value]| {
        for item in portion {
            let line = item.to_string();
            total += line.len() + 1;
            if total > most {
                is_too_large = true;
                return Err(std::io::Error::other("too large"));
            }
            part.push_str(&line);
            part.push('\n');
            if part.len() >= PART {
                parts.push(std::mem::take(&mut part));
            }
        }
        Ok(())
    });
    if is_too_large {
        return Ok(None);
    }
    read.map_err(DatabaseError::unwritable)?;
    parts.push(part);
    Ok(Some(parts))
}
