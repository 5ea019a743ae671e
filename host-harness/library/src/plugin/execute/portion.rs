//! Portions: how many items the guest receives together.

use serde_json::Value;

use crate::limits::Limits;

/// Items that the guest receives together.
#[derive(Default)]
pub(in crate::plugin) struct Portion {
    pub(in crate::plugin) items: Vec<Value>,
    bytes: usize,
}

impl Portion {
    /// Whether another item fits into it, by number and bytes, with enough items to run
    /// `concurrency` of them at once.
    pub(in crate::plugin) fn has_room(
        &self,
        most: usize,
        concurrency: usize,
        limits: &Limits,
    ) -> bool {
        let (soft, hard) = limits.portion_bytes;
        let count = self.items.len();
        count == 0
            || (count < most.max(concurrency)
                && self.bytes < if count < concurrency { hard } else { soft })
    }

    pub(in crate::plugin) fn push(&mut self, item: Value) {
        self.bytes += weight(&item);
        self.items.push(item);
    }
}

/// About how long a value is as JSON text.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 5,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 3,
        Value::Array(list) => 2 + list.iter().map(weight).sum::<usize>(),
        Value::Object(members) => {
            2 + members.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>()
        }
    }
}
