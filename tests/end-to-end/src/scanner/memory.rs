//! The memory of processes.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

/// Bytes that are read at once.
const PART: usize = 16 << 20;

/// These processes and all that they have started, directly or not.
pub(crate) fn with_descendants(processes: &[u64]) -> io::Result<Vec<u64>> {
    let mut parents: Vec<(u64, u64)> = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // The name of the program, in parentheses, may contain anything.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
        if let Some(parent) = after.split_whitespace().nth(1).and_then(|id| id.parse().ok()) {
            parents.push((process, parent));
        }
    }
    let mut all = processes.to_vec();
    let mut at = 0;
    while at < all.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == all[at]);
        let new: Vec<u64> =
            children.map(|(child, _)| *child).filter(|id| !all.contains(id)).collect();
        all.extend(new);
        at += 1;
    }
    Ok(all)
}

/// Passes on the memory of a process that can have been written, in parts that overlap.
pub(crate) fn read(process: u64, overlap: usize, mut part: impl FnMut(&[u8])) -> io::Result<()> {
    let context = |error: io::Error| {
        io::Error::new(error.kind(), format!("the memory of the process {process}: {error}"))
    };
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).map_err(context)?;
    let memory = File::open(format!("/proc/{process}/mem")).map_err(context)?;
    let mut buffer = vec![0; PART];
    for line in maps.lines() {
        let mut columns = line.split_whitespace();
        let (Some(bounds), Some(rights)) = (columns.next(), columns.next()) else { continue };
        let is_file = line.contains('/');
        if !rights.starts_with('r') || (is_file && !rights.contains('w')) {
            continue;
        }
        let Some((start, end)) = bounds.split_once('-') else { continue };
        let (Ok(mut at), Ok(end)) = (u64::from_str_radix(start, 16), u64::from_str_radix(end, 16))
        else {
            continue;
        };
        while at < end {
            let size = usize::try_from(end - at).map_or(PART, |rest| rest.min(PART));
            // The process may have unmapped it, and some mappings cannot be read.
            let Ok(read @ 1..) = memory.read_at(&mut buffer[..size], at) else { break };
            part(&buffer[..read]);
            if at + read as u64 >= end {
                break;
            }
            at += read.saturating_sub(overlap).max(1) as u64;
        }
    }
    Ok(())
}
