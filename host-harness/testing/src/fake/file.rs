//! The file that describes a fake: its content, and its validation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;
use workflow_node_host::{Origin, PathTemplate};

use super::template::Template;
use crate::fault::Fault;
use crate::file::{self, FileError, Source};

/// JSON Schema of the file.
pub const SCHEMA: &str = include_str!("../../schemas/fake.json");

const NEXT: &str = "harness fake --schema prints the format; harness fake --example prints a file";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Origins that the fake replaces.
    origins: Vec<Spanned<String>>,
    /// Headers of every response.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    route: Vec<RawRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    request: Spanned<String>,
    origin: Option<Spanned<String>>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<toml::Value>,
    times: Option<u64>,
    answer: Option<Spanned<RawAnswer>>,
    #[serde(default)]
    answers: Vec<Spanned<RawAnswer>>,
    paging: Option<Spanned<RawPaging>>,
    fault: Option<Fault>,
    #[serde(default)]
    webhook: Vec<Spanned<RawWebhook>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: Option<toml::Value>,
    text: Option<String>,
    file: Option<PathBuf>,
}

fn ok() -> u16 {
    200
}

/// How a list is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Style {
    /// `?page=2`, and a `Link` header with the next page.
    Link,
    /// `?page=2`, and the total number of records in the body.
    Page,
    /// `?offset=20`, and whether there are more records in the body.
    Offset,
    /// `?cursor=…`, and the next cursor in the body.
    Cursor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPaging {
    style: Style,
    member: Option<String>,
    #[serde(default = "size")]
    size: usize,
    #[serde(default = "largest")]
    largest: usize,
    items: Option<Vec<toml::Value>>,
    count: Option<usize>,
    item: Option<toml::Value>,
    size_parameter: Option<String>,
    position_parameter: Option<String>,
    next_member: Option<String>,
}

fn size() -> usize {
    30
}

fn largest() -> usize {
    100
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWebhook {
    to: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    json: toml::Value,
    after: Option<String>,
    signature: Option<RawSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    header: String,
    secret: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    prefix: String,
}

/// Encoding of a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Encoding {
    /// Hexadecimal digits.
    #[default]
    Hex,
    /// Base64 with padding.
    Base64,
}

/// A validated route.
pub(super) struct Route {
    pub(super) line: usize,
    pub(super) method: String,
    pub(super) path: PathTemplate,
    /// Names of the placeholders in the path, by the position of their segment.
    pub(super) captures: Vec<(usize, String)>,
    pub(super) origin: Option<Origin>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    /// Members that the body must have.
    pub(super) body: Option<serde_json::Value>,
    pub(super) times: Option<u64>,
    /// One after the other; the last one is repeated.
    pub(super) answers: Vec<Answer>,
    pub(super) paging: Option<Paging>,
    pub(super) fault: Option<Fault>,
    pub(super) webhooks: Vec<Webhook>,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) content: Content,
}

pub(super) enum Content {
    None,
    Json(Template),
    Text(Template),
    /// The bytes of a file and their media type.
    Bytes(bytes::Bytes, &'static str),
}

pub(super) struct Paging {
    pub(super) style: Style,
    pub(super) member: Option<String>,
    pub(super) size: usize,
    pub(super) largest: usize,
    pub(super) items: Items,
    pub(super) size_parameter: String,
    pub(super) position_parameter: String,
    pub(super) next_member: String,
}

pub(super) enum Items {
    Listed(Vec<Template>),
    /// This many records generated from a template.
    Made(usize, Template),
}

pub(super) struct Webhook {
    pub(super) to: Template,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) json: Template,
    pub(super) after: Duration,
    pub(super) signature: Option<Signing>,
}

pub(super) struct Signing {
    pub(super) header: String,
    pub(super) secret: Template,
    pub(super) encoding: Encoding,
    pub(super) prefix: String,
}

/// The validated content of a file.
pub(super) struct Checked {
    pub(super) origins: Vec<Origin>,
    pub(super) headers: Vec<(String, Template)>,
    pub(super) routes: Vec<Route>,
}

/// Reads and validates a file. Paths in it are relative to it.
pub(super) fn read(source: &Source<'_>) -> Result<Checked, FileError> {
    let document: Document = source.parse(NEXT)?;
    let mut origins = Vec::new();
    for origin in &document.origins {
        let span = origin.span();
        let parsed = origin.get_ref().parse::<Origin>();
        origins.push(parsed.map_err(|error| {
            source
                .error(&span, format!("`{}` is not an origin", origin.get_ref()))
                .next("write it like https://api.example.com")
                .because(error)
        })?);
    }
    if origins.is_empty() {
        return Err(FileError::new(source.path, "`origins` is empty").next(
            "name the origins of the service, e.g. origins = [\"https://api.example.com\"]",
        ));
    }
    if document.route.is_empty() {
        return Err(FileError::new(source.path, "there is no route")
            .next("add one: [[route]] with request = \"GET /items\" and an answer"));
    }
    let reader = Reader { source, origins: &origins };
    let routes = document.route.into_iter().map(|route| reader.route(route));
    let routes = routes.collect::<Result<_, _>>()?;
    let headers = reader.headers(document.headers, &(0..0), &[])?;
    Ok(Checked { origins, headers, routes })
}

type Span = std::ops::Range<usize>;

struct Reader<'a> {
    source: &'a Source<'a>,
    origins: &'a [Origin],
}

impl Reader<'_> {
    fn route(&self, raw: RawRoute) -> Result<Route, FileError> {
        let span = raw.request.span();
        let fail = |message: String, next: &str| self.source.error(&span, message).next(next);
        let text = raw.request.get_ref();
        let (method, path) = text.split_once(' ').ok_or_else(|| {
            fail(format!("`{text}` is not a request"), "write it like \"GET /items/{id}\"")
        })?;
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(fail(
                format!("`{method}` is not a method"),
                "write the method in upper case, e.g. GET or POST",
            ));
        }
        if path.contains('?') {
            return Err(fail(
                format!("`{path}` contains a query"),
                "put it into query, e.g. query = { state = \"open\" }",
            ));
        }
        let template = path.parse::<PathTemplate>().map_err(|error| {
            fail(
                "invalid path".to_owned(),
                "write placeholders as whole segments, e.g. /items/{id}",
            )
            .because(error)
        })?;
        let captures: Vec<(usize, String)> = path
            .split('/')
            .enumerate()
            .filter_map(|(at, segment)| {
                let name = segment.strip_prefix('{')?.strip_suffix('}')?;
                Some((at, name.to_owned()))
            })
            .collect();
        let names: Vec<&str> = captures.iter().map(|(_, name)| name.as_str()).collect();
        let origin = match &raw.origin {
            None => None,
            Some(origin) => {
                let span = origin.span();
                let known = self.origins.iter().find(|one| one.to_string() == *origin.get_ref());
                Some(known.cloned().ok_or_else(|| {
                    let message = format!("`{}` is not one of `origins`", origin.get_ref());
                    self.source.error(&span, message).next("add it to `origins`")
                })?)
            }
        };
        let is_paged = raw.paging.is_some();
        let mut answers = Vec::new();
        for answer in raw.answer.into_iter().chain(raw.answers) {
            answers.push(self.answer(answer, &names)?);
        }
        if answers.is_empty() && !is_paged && raw.fault.is_none() {
            return Err(fail(
                format!("the route `{text}` has no answer"),
                "add answer = { status = 204 }, paging, or a fault",
            ));
        }
        if !answers.is_empty() && is_paged {
            return Err(fail(
                format!("the route `{text}` has both an answer and paging"),
                "keep one of them, or split the route by `times` or `query`",
            ));
        }
        let paging = raw.paging.map(|paging| self.paging(paging, &names)).transpose()?;
        let webhooks = raw
            .webhook
            .into_iter()
            .map(|webhook| self.webhook(webhook, &names))
            .collect::<Result<_, _>>()?;
        Ok(Route {
            line: self.line(&span),
            method: method.to_owned(),
            path: template,
            captures,
            origin,
            query: raw.query,
            headers: raw.headers,
            body: raw.body.as_ref().map(file::json),
            times: raw.times,
            answers,
            paging,
            fault: raw.fault,
            webhooks,
        })
    }

    fn line(&self, span: &Span) -> usize {
        self.source.error(span, "").line.unwrap_or(1)
    }

    fn answer(&self, raw: Spanned<RawAnswer>, names: &[&str]) -> Result<Answer, FileError> {
        let span = raw.span();
        let raw = raw.into_inner();
        if !(200..600).contains(&raw.status) {
            let message = format!("{} is not the status of a response", raw.status);
            return Err(self.source.error(&span, message).next("use a status from 200 to 599"));
        }
        let content = match (raw.json, raw.text, raw.file) {
            (None, None, None) => Content::None,
            (Some(json), None, None) => {
                Content::Json(self.template(&file::json(&json), &span, names)?)
            }
            (None, Some(text), None) => Content::Text(self.template(&text.into(), &span, names)?),
            (None, None, Some(name)) => {
                let beside = self.source.path.parent().unwrap_or(Path::new(""));
                let path = beside.join(&name);
                let bytes = std::fs::read(&path).map_err(|error| {
                    let message = format!("Cannot read {}", path.display());
                    self.source
                        .error(&span, message)
                        .next("name a file relative to this one")
                        .because(error)
                })?;
                let is_json = path.extension().is_some_and(|extension| extension == "json");
                let kind = if is_json { "application/json" } else { "application/octet-stream" };
                Content::Bytes(bytes.into(), kind)
            }
            _ => {
                let message = "an answer has more than one of json, text, and file";
                return Err(self.source.error(&span, message).next("keep one of them"));
            }
        };
        let headers = self.headers(raw.headers, &span, names)?;
        Ok(Answer { status: raw.status, headers, content })
    }

    fn paging(&self, raw: Spanned<RawPaging>, names: &[&str]) -> Result<Paging, FileError> {
        let span = raw.span();
        let raw = raw.into_inner();
        let fail = |message: &str, next: &str| self.source.error(&span, message).next(next);
        let items = match (raw.items, raw.count, raw.item) {
            (Some(items), None, None) => {
                let items = items.iter().map(|item| self.template(&file::json(item), &span, names));
                Items::Listed(items.collect::<Result<_, _>>()?)
            }
            (None, Some(count), Some(item)) => {
                let names: Vec<&str> = names.iter().copied().chain(["index"]).collect();
                Items::Made(count, self.template(&file::json(&item), &span, &names)?)
            }
            _ => {
                return Err(fail(
                    "paging needs either `items`, or `count` with `item`",
                    "e.g. count = 230 and item = { id = \"I{{index}}\" }",
                ));
            }
        };
        if raw.size == 0 || raw.largest < raw.size {
            return Err(fail("`size` is 0, or larger than `largest`", "correct `size`"));
        }
        if raw.member.is_none() && !matches!(raw.style, Style::Link | Style::Page) {
            return Err(fail(
                "this style of paging has members beside the list, so the list needs a name",
                "add member = \"items\"",
            ));
        }
        let (position, next) = match raw.style {
            Style::Link | Style::Page => ("page", "total"),
            Style::Offset => ("offset", "more"),
            Style::Cursor => ("cursor", "next_cursor"),
        };
        let size = match raw.style {
            Style::Link | Style::Page => "per_page",
            Style::Offset | Style::Cursor => "limit",
        };
        Ok(Paging {
            style: raw.style,
            member: raw.member,
            size: raw.size,
            largest: raw.largest,
            items,
            size_parameter: raw.size_parameter.unwrap_or_else(|| size.to_owned()),
            position_parameter: raw.position_parameter.unwrap_or_else(|| position.to_owned()),
            next_member: raw.next_member.unwrap_or_else(|| next.to_owned()),
        })
    }

    fn webhook(&self, raw: Spanned<RawWebhook>, names: &[&str]) -> Result<Webhook, FileError> {
        let span = raw.span();
        let raw = raw.into_inner();
        let after = raw.after.as_deref().map(file::duration).transpose();
        let after = after
            .map_err(|message| self.source.error(&span, message).next("e.g. after = \"200ms\""))?;
        let signature = raw.signature.map(|signature| {
            Ok(Signing {
                header: signature.header,
                secret: self.template(&signature.secret.into(), &span, names)?,
                encoding: signature.encoding,
                prefix: signature.prefix,
            })
        });
        Ok(Webhook {
            to: self.template(&raw.to.into(), &span, names)?,
            headers: self.headers(raw.headers, &span, names)?,
            json: self.template(&file::json(&raw.json), &span, names)?,
            after: after.unwrap_or(Duration::from_millis(10)),
            signature: signature.transpose()?,
        })
    }

    fn headers(
        &self,
        raw: BTreeMap<String, String>,
        span: &Span,
        names: &[&str],
    ) -> Result<Vec<(String, Template)>, FileError> {
        raw.into_iter()
            .map(|(name, value)| {
                if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                    let message = format!("`{name}` is not the name of a header");
                    return Err(self.source.error(span, message).next("correct the name"));
                }
                Ok((name, self.template(&value.into(), span, names)?))
            })
            .collect()
    }

    fn template(
        &self,
        value: &serde_json::Value,
        span: &Span,
        names: &[&str],
    ) -> Result<Template, FileError> {
        Template::new(value, names).map_err(|message| {
            self.source.error(span, message).next(
                "use {{path.NAME}}, {{query.NAME}}, {{header.NAME}}, {{body.MEMBER}}, {{count}}, \
                 {{id}}, or {{now}}",
            )
        })
    }
}
