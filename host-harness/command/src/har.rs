//! `--trace`: an HTTP Archive (HAR 1.2) of requests and responses. The host passes exchanges as the
//! plugin sees them, so they contain no credential; placements are filled in later.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use har::v1_2::{
    Cache, Content, Creator, Entries, Headers, Log, PostData, QueryString, Request, Response,
    Timings,
};
use har::{Har, Spec};
use workflow_node_host::Exchange;

use crate::exit::Failure;

/// An archive that is about to be written. It is made before anything is sent, so that a file that
/// cannot be written stops the run in time.
pub(crate) struct Archive {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
    written: bool,
}

impl Archive {
    /// Makes the file beside its place, for its owner alone: answers hold people's data.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temporary).map_err(|error| {
            let path = path.display();
            Failure::input("trace", format!("Cannot write trace file {path}: {error}"))
        })?;
        Ok(Self { path: path.to_owned(), temporary, file, written: false })
    }

    /// Writes it, and puts it in its place.
    pub(crate) fn write(mut self, exchanges: &[Exchange]) -> Result<(), Failure> {
        let entries = exchanges.iter().map(entry).collect();
        let creator = Creator {
            name: "harness".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            comment: Some("credentials are filled in later and are not recorded".to_owned()),
        };
        let log = Log { creator, entries, ..Log::default() };
        let archive = Har { log: Spec::V1_2(log) };
        let text = serde_json::to_vec_pretty(&archive).map_err(Failure::internal)?;
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_all())
            .and_then(|()| std::fs::rename(&self.temporary, &self.path))
            .map_err(|error| {
                let path = self.path.display();
                Failure::internal(format!("Cannot write trace file {path}: {error}"))
            })?;
        self.written = true;
        Ok(())
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        if !self.written {
            // Nothing was sent; what is left is an empty file.
            let _removed = std::fs::remove_file(&self.temporary).is_ok();
        }
    }
}

fn entry(exchange: &Exchange) -> Entries {
    let milliseconds = i64::try_from(exchange.started).unwrap_or_default();
    let started = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
    let time = exchange.duration_ms as f64;
    let mut comments = Vec::new();
    if let Some(slot) = &exchange.slot {
        comments.push(format!("credential of slot `{slot}`, not recorded"));
    }
    if exchange.attempts > 1 {
        comments.push(format!("sent {} times", exchange.attempts));
    }
    if let Some(error) = &exchange.error {
        comments.push(error.clone());
    }
    Entries {
        started_date_time: format!("{started:.3}"),
        time,
        request: request(exchange),
        response: response(exchange),
        cache: Cache::default(),
        timings: Timings { send: 0.0, wait: time, receive: 0.0, ..Timings::default() },
        comment: (!comments.is_empty()).then(|| comments.join("; ")),
        ..Entries::default()
    }
}

fn request(exchange: &Exchange) -> Request {
    let query_string = url::Url::parse(&exchange.url)
        .map(|url| {
            url.query_pairs()
                .map(|(name, value)| QueryString {
                    name: name.into_owned(),
                    value: value.into_owned(),
                    comment: None,
                })
                .collect()
        })
        .unwrap_or_default();
    Request {
        method: exchange.method.clone(),
        url: exchange.url.clone(),
        http_version: exchange.version.clone(),
        headers: headers(&exchange.headers),
        query_string,
        post_data: exchange.body.as_ref().map(|body| PostData {
            mime_type: header(&exchange.headers, "content-type").unwrap_or_default(),
            text: Some(body.clone()),
            params: None,
            comment: None,
        }),
        headers_size: -1,
        body_size: size(exchange.body.as_deref()),
        ..Request::default()
    }
}

/// Status 0 where there was no answer, as browsers write it.
fn response(exchange: &Exchange) -> Response {
    let status = exchange.status.map_or(0, i64::from);
    Response {
        status,
        http_version: exchange.version.clone(),
        headers: headers(&exchange.response_headers),
        content: Content {
            size: size(exchange.response_body.as_deref()),
            mime_type: Some(header(&exchange.response_headers, "content-type").unwrap_or_default()),
            text: exchange.response_body.clone(),
            ..Content::default()
        },
        redirect_url: Some(header(&exchange.response_headers, "location").unwrap_or_default()),
        headers_size: -1,
        body_size: -1,
        ..Response::default()
    }
}

fn headers(headers: &[(String, String)]) -> Vec<Headers> {
    headers
        .iter()
        .map(|(name, value)| Headers { name: name.clone(), value: value.clone(), comment: None })
        .collect()
}

fn header(headers: &[(String, String)], name: &str) -> Option<String> {
    headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
}

fn size(text: Option<&str>) -> i64 {
    text.map_or(0, |text| i64::try_from(text.len()).unwrap_or(i64::MAX))
}
