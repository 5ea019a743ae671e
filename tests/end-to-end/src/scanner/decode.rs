//! What files say beyond their bytes.

use std::io::{self, Read as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use memchr::memmem;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// No compressed text is searched beyond this size when it is decoded, in bytes.
const LARGEST: u64 = 256 << 20;

/// The decoded contents of a file, without the file itself.
///
/// # Errors
///
/// If the file holds HTTP in an encoding that is not decoded here.
pub(crate) fn views(path: &Path, bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut views = bodies(bytes)?;
    if bytes.starts_with(b"SQLite format 3\0") {
        views.push(values(path).map_err(io::Error::other)?);
    }
    let mut unpacked = gunzipped(bytes);
    unpacked.extend(views.iter().flat_map(|view| gunzipped(view)));
    views.append(&mut unpacked);
    Ok(views)
}

fn find(bytes: &[u8], what: &[u8], from: usize) -> Option<usize> {
    memmem::find(bytes.get(from..)?, what).map(|at| from + at)
}

/// The bodies of HTTP messages that were sent in chunks, each put together.
fn bodies(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut bodies = Vec::new();
    if find(bytes, b"HTTP/1.", 0).is_none() {
        return Ok(bodies);
    }
    let lower = bytes.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = find(&lower, b"\r\ncontent-encoding:", from) {
        let value = &lower[at + 19..find(&lower, b"\r\n", at + 2).unwrap_or(lower.len())];
        let value = String::from_utf8_lossy(value).trim().to_owned();
        if value != "gzip" && value != "identity" {
            return Err(io::Error::other(format!(
                "bodies in the encoding {value} are not decoded"
            )));
        }
        from = at + 2;
    }
    from = 0;
    while let Some(at) = find(&lower, b"\r\ntransfer-encoding: chunked", from) {
        let Some(head) = find(bytes, b"\r\n\r\n", at) else { break };
        from = head + 4;
        let mut body = Vec::new();
        while let Some(end) = find(bytes, b"\r\n", from) {
            let line = String::from_utf8_lossy(&bytes[from..end]);
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
            let Ok(size @ 1..) = size else { break };
            let last = (end + 2).saturating_add(size).min(bytes.len());
            body.extend_from_slice(&bytes[end + 2..last]);
            from = last + 2;
        }
        bodies.push(body);
    }
    Ok(bodies)
}

/// Everything in the bytes that is compressed with gzip, as far as it can be read.
fn gunzipped(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(at) = find(bytes, b"\x1f\x8b\x08", from) {
        let mut plain = Vec::new();
        // What was read before an error counts: the rest may be cut off, or be something else.
        let _complete_or_not =
            MultiGzDecoder::new(&bytes[at..]).take(LARGEST).read_to_end(&mut plain);
        if !plain.is_empty() {
            all.push(plain);
        }
        from = at + 1;
    }
    all
}

/// All values of a SQLite database. In the file, they may be split between pages.
fn values(path: &Path) -> rusqlite::Result<Vec<u8>> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let tables: Vec<String> =
        tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut all = Vec::new();
    for table in tables {
        let quoted = table.replace('"', "\"\"");
        let mut query = database.prepare(&format!("SELECT * FROM \"{quoted}\""))?;
        let columns = query.column_count();
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                if let ValueRef::Text(value) | ValueRef::Blob(value) = row.get_ref(column)? {
                    all.extend_from_slice(value);
                    all.push(0);
                }
            }
        }
    }
    Ok(all)
}
