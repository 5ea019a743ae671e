//! Case files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use workflow_node_host::{ItemErrorKind, Origin};

use crate::file::{self, FileError, Source};

/// JSON Schema of a case file.
pub const SCHEMA: &str = include_str!("../../schemas/case.json");

const NEXT: &str = "harness test --schema prints the format";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    title: Option<String>,
    action: Spanned<String>,
    parameters: Option<Spanned<toml::Value>>,
    items: Option<Vec<Spanned<toml::Value>>>,
    #[serde(default)]
    credentials: BTreeMap<String, RawCredential>,
    #[serde(default)]
    servers: BTreeMap<String, Spanned<String>>,
    fake: Option<PathBuf>,
    concurrency: Option<usize>,
    #[serde(default)]
    expect: RawExpect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCredential {
    r#type: String,
    #[serde(default)]
    fields: toml::Table,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpect {
    output: Option<Vec<toml::Value>>,
    error: Option<RawError>,
    requests: Option<Vec<Spanned<RawRequest>>>,
    snapshot: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawError {
    kind: Spanned<String>,
    http_status: Option<u16>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawRequest {
    Line(String),
    Table {
        request: String,
        #[serde(default)]
        query: BTreeMap<String, String>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        body: Option<toml::Value>,
    },
}

/// One case: a run and its expected result.
#[derive(Clone, Debug)]
pub struct Case {
    /// Path below the directory without the suffix, e.g. `incident/create`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Title of the case.
    pub title: Option<String>,
    /// Action.
    pub action: String,
    /// Parameters of each item.
    pub items: Vec<Value>,
    /// Credentials by slot.
    pub credentials: BTreeMap<String, CredentialOf>,
    /// Origins of the servers that an operator chooses.
    pub servers: BTreeMap<String, Origin>,
    /// A fake that answers instead of a recording.
    pub fake: Option<PathBuf>,
    /// How many items are in progress at once.
    pub concurrency: Option<usize>,
    /// The expectations.
    pub expect: Expect,
}

/// A credential without its secrets.
#[derive(Clone, Debug)]
pub struct CredentialOf {
    /// Name of the credential type.
    pub credential_type: String,
    /// Fields that are not secret.
    pub fields: Map<String, Value>,
}

/// The expectations of a case.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Records of the port `main`, of all items in order. Each may have more members.
    pub output: Option<Vec<Value>>,
    /// The error of every item.
    pub error: Option<ExpectedError>,
    /// All requests, in order.
    pub requests: Option<Vec<ExpectedRequest>>,
    /// Whether the whole result is compared with a file beside the case.
    pub snapshot: bool,
}

/// An expected error.
#[derive(Clone, Debug)]
pub struct ExpectedError {
    /// Its kind.
    pub kind: ItemErrorKind,
    /// Status of the response.
    pub http_status: Option<u16>,
    /// A part of its message.
    pub message: Option<String>,
}

/// An expected request.
#[derive(Clone, Debug, Default)]
pub struct ExpectedRequest {
    /// Method and path.
    pub request: String,
    /// Query parameters that it must have. A trailing `*` matches any rest.
    pub query: BTreeMap<String, String>,
    /// Headers that it must have. A trailing `*` matches any rest.
    pub headers: BTreeMap<String, String>,
    /// Members that its body must have.
    pub body: Option<Value>,
}

impl Case {
    /// The recording beside the case.
    pub fn recording(&self) -> PathBuf {
        self.path.with_extension("recording.json")
    }

    /// The snapshot beside the case.
    pub fn snapshot(&self) -> PathBuf {
        self.path.with_extension("expected.json")
    }

    /// Reads the text of a case file.
    ///
    /// # Errors
    ///
    /// If it is invalid; the error names the line and the next step.
    pub fn parse(path: &Path, name: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { path, text };
        let document: Document = source.parse(NEXT)?;
        let span = document.action.span();
        let object = |value: &Spanned<toml::Value>| -> Result<Value, FileError> {
            let json = match value.get_ref() {
                toml::Value::String(text) => serde_json::from_str(text).map_err(|error| {
                    source
                        .error(&value.span(), "not JSON")
                        .next("write a table, or JSON in '''…'''")
                        .because(error)
                })?,
                value => file::json(value),
            };
            match json {
                Value::Object(_) => Ok(json),
                _ => Err(source
                    .error(&value.span(), "parameters are not an object")
                    .next("e.g. parameters = { id = \"A\" }")),
            }
        };
        let items = match (&document.parameters, &document.items) {
            (None, None) => vec![Value::Object(Map::new())],
            (Some(parameters), None) => vec![object(parameters)?],
            (shared, Some(items)) => {
                let shared = shared.as_ref().map(&object).transpose()?;
                let mut all = Vec::new();
                for item in items {
                    let mut whole = shared.clone().unwrap_or_else(|| Value::Object(Map::new()));
                    if let (Value::Object(whole), Value::Object(item)) = (&mut whole, object(item)?)
                    {
                        whole.extend(item);
                    }
                    all.push(whole);
                }
                all
            }
        };
        let mut servers = BTreeMap::new();
        for (name, origin) in &document.servers {
            let parsed = origin.get_ref().parse::<Origin>().map_err(|error| {
                source
                    .error(&origin.span(), format!("`{}` is not an origin", origin.get_ref()))
                    .next("write it like https://git.example.com")
                    .because(error)
            })?;
            servers.insert(name.clone(), parsed);
        }
        let beside = path.parent().unwrap_or(Path::new(""));
        let expect = expect(&source, document.expect)?;
        if expect.error.is_some() && expect.output.is_some() {
            return Err(source
                .error(&span, "the case expects both an output and an error")
                .next("keep one of them, or expect a snapshot"));
        }
        let credentials = document.credentials.into_iter().map(|(slot, raw)| {
            let fields = match file::json(&toml::Value::Table(raw.fields)) {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            (slot, CredentialOf { credential_type: raw.r#type, fields })
        });
        Ok(Self {
            name: name.to_owned(),
            path: path.to_owned(),
            title: document.title,
            action: document.action.into_inner(),
            items,
            credentials: credentials.collect(),
            servers,
            fake: document.fake.map(|fake| beside.join(fake)),
            concurrency: document.concurrency,
            expect,
        })
    }

    /// Reads all case files below a directory, sorted by name.
    ///
    /// # Errors
    ///
    /// If the directory or a file cannot be read, a file is invalid, or there is none.
    pub fn all(directory: &Path) -> Result<Vec<Self>, FileError> {
        let mut paths = Vec::new();
        find(directory, &mut paths)?;
        paths.sort();
        let mut cases = Vec::new();
        for path in paths {
            let below = path.strip_prefix(directory).unwrap_or(&path).with_extension("");
            let name = below.to_string_lossy().replace('\\', "/");
            let text = file::read(&path)?;
            // A fake or a plan may be next to the cases.
            if toml::from_str::<toml::Table>(&text).is_ok_and(|table| {
                !table.contains_key("action")
                    && (table.contains_key("route") || table.contains_key("fault"))
            }) {
                continue;
            }
            cases.push(Self::parse(&path, &name, &text)?);
        }
        if cases.is_empty() {
            return Err(FileError::new(directory, "The directory holds no case")
                .next("write one; harness test --example prints a case"));
        }
        Ok(cases)
    }
}

fn find(directory: &Path, paths: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let failed = |error: std::io::Error| {
        FileError::new(directory, "Cannot read the directory")
            .next("name the directory with the cases")
            .because(error)
    };
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    Ok(())
}

fn expect(source: &Source<'_>, raw: RawExpect) -> Result<Expect, FileError> {
    let error = raw.error.map(|error| {
        let name = error.kind.get_ref();
        let kind = KINDS.iter().find(|kind| kind.as_str() == name).copied().ok_or_else(|| {
            let names: Vec<&str> = KINDS.iter().map(|kind| kind.as_str()).collect();
            source
                .error(&error.kind.span(), format!("`{name}` is not a kind of error"))
                .next(format!("use one of {}", names.join(", ")))
        })?;
        Ok(ExpectedError { kind, http_status: error.http_status, message: error.message })
    });
    let requests = raw.requests.map(|requests| {
        requests
            .into_iter()
            .map(|request| {
                let span = request.span();
                let request = match request.into_inner() {
                    RawRequest::Line(request) => {
                        ExpectedRequest { request, ..ExpectedRequest::default() }
                    }
                    RawRequest::Table { request, query, headers, body } => ExpectedRequest {
                        request,
                        query,
                        headers,
                        body: body.as_ref().map(file::json),
                    },
                };
                match request.request.split_once(' ') {
                    Some((_, path)) if path.starts_with('/') => Ok(request),
                    _ => Err(source
                        .error(&span, format!("`{}` is not a request", request.request))
                        .next("write it like \"GET /items/A\"")),
                }
            })
            .collect::<Result<Vec<_>, FileError>>()
    });
    let output = raw.output.map(|output| output.iter().map(file::json).collect());
    let (error, requests) = (error.transpose()?, requests.transpose()?);
    let says_nothing = output.is_none() && error.is_none();
    Ok(Expect { snapshot: raw.snapshot.unwrap_or(says_nothing), output, error, requests })
}

/// All kinds of errors.
pub(crate) const KINDS: [ItemErrorKind; 14] = [
    ItemErrorKind::InvalidInput,
    ItemErrorKind::Unauthenticated,
    ItemErrorKind::Forbidden,
    ItemErrorKind::NotFound,
    ItemErrorKind::Conflict,
    ItemErrorKind::RateLimited,
    ItemErrorKind::Unavailable,
    ItemErrorKind::Timeout,
    ItemErrorKind::OutcomeUnknown,
    ItemErrorKind::DeniedByHost,
    ItemErrorKind::OverBudget,
    ItemErrorKind::Unsupported,
    ItemErrorKind::Cancelled,
    ItemErrorKind::Internal,
];
