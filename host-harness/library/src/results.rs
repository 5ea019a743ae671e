//! Checks of the results that a guest returns, before anything of them is kept: one result per
//! item, known ports, valid JSON, within the limits.

use std::collections::BTreeSet;

use crate::bindings::workflow::node::types::{Error as GuestError, OutputItem};
use crate::item::{ItemError, OutputRecord, weight, weight_of_error};
use crate::json::Measure;
use crate::limits::{Limits, RECORD_OVERHEAD, too_much_output};
use crate::text::printable;

/// Result that a guest returns for an item.
pub(crate) type GuestResult = Result<Vec<OutputItem>, GuestError>;

/// Result of each item.
type ItemResults = Vec<Result<Vec<OutputRecord>, ItemError>>;

/// Bytes of results that are checked on the executor's own thread.
const BRIEF: usize = 16 * 1024;

/// Whether checking the results takes next to no time.
pub(crate) fn is_brief(results: &[GuestResult]) -> bool {
    let mut left = BRIEF;
    results.iter().all(|result| {
        let size = match result {
            Ok(outputs) if outputs.len() < BRIEF / RECORD_OVERHEAD => {
                outputs.iter().map(weight).sum()
            }
            Ok(_) => usize::MAX,
            Err(error) => error.message.len() + error.detail.as_ref().map_or(0, String::len),
        };
        left = left.saturating_sub(size.saturating_add(RECORD_OVERHEAD));
        left > 0
    })
}

/// The results, with what all output counts now; before, it counted `bytes`. Takes time with the size
/// of the results.
pub(crate) fn checked_results(
    ports: &BTreeSet<String>,
    results: Vec<GuestResult>,
    items: usize,
    limits: &Limits,
    mut bytes: usize,
) -> Result<(ItemResults, usize), String> {
    if results.len() != items {
        return Err(format!("it returned {} results for {items} items", results.len()));
    }
    let mut add = |more: usize| {
        bytes = bytes.saturating_add(more);
        match bytes > limits.output {
            true => Err(too_much_output(limits.output)),
            false => Ok(()),
        }
    };
    let mut checked = Vec::with_capacity(items);
    for result in results {
        checked.push(match result {
            Err(error) => {
                let detail = error.detail.as_deref();
                let detail = detail.filter(|text| text.len() <= limits.error_detail);
                let detail = detail.map_or(0, |text| Measure::of(text).weight());
                let error = ItemError::of_guest(error, limits);
                add(weight_of_error(&error, if error.detail.is_some() { detail } else { 0 }))?;
                Err(error)
            }
            Ok(outputs) => {
                for output in &outputs {
                    add(weight(output))?;
                    if !ports.contains(&output.port) {
                        let port = printable(&output.port);
                        return Err(format!(
                            "it returned output on the port `{port}`, which the action does not \
                             declare"
                        ));
                    }
                }
                let record = |output| OutputRecord::checked(output, limits.json_depth);
                Ok(outputs.into_iter().map(record).collect::<Result<_, _>>()?)
            }
        });
    }
    Ok((checked, bytes))
}
