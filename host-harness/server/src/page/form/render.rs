//! A form as HTML. Every text of a plugin is escaped by the templates.

use maud::{Markup, html};
use workflow_node_host::description::{Field, Form, Variant};

use super::{
    Entered, Kind, MOST_ROWS, Picked, below, has_variants, is_nullable, kind, shown, title_of,
};
use crate::page::layout::bounded;

/// Optional fields that are shown without a click.
const FEW: usize = 6;

/// Choices of a field that were loaded.
pub(in crate::page) struct Choices {
    /// Place of the field.
    pub(in crate::page) at: String,
    /// With their descriptions.
    pub(in crate::page) list: Vec<(Picked, Option<String>)>,
    pub(in crate::page) has_more: bool,
    /// Why they cannot be loaded.
    pub(in crate::page) problem: Option<String>,
}

/// A form with what was entered.
pub(in crate::page) struct Shown<'a> {
    entered: &'a Entered,
    problems: &'a [(String, String)],
    choices: Option<&'a Choices>,
    /// Whether secrets themselves may be typed.
    raw_secrets: bool,
    /// Names of stored secrets.
    secrets: &'a [String],
}

/// An ID for a place.
fn id(at: &str) -> String {
    let place: String = at.chars().map(|one| if one.is_whitespace() { '_' } else { one }).collect();
    format!("p{place}")
}

impl<'a> Shown<'a> {
    pub(in crate::page) fn new(
        entered: &'a Entered,
        problems: &'a [(String, String)],
        choices: Option<&'a Choices>,
        raw_secrets: bool,
    ) -> Self {
        Self { entered, problems, choices, raw_secrets, secrets: &[] }
    }

    /// Offers stored secrets by name.
    pub(in crate::page) fn secrets(mut self, names: &'a [String]) -> Self {
        self.secrets = names;
        self
    }

    /// The fields of a form.
    pub(in crate::page) fn form(&self, form: &Form) -> Markup {
        html! {
            (self.members(&form.fields, &form.variants, form.discriminator.as_deref(), ""))
            @if form.is_cut {
                p.dim { "The form has more fields than this page shows. Use the API for them." }
            }
        }
    }

    /// Summary of a form's errors, with links to the fields.
    pub(in crate::page) fn summary(&self, form: &Form) -> Markup {
        if self.problems.is_empty() {
            return html! {};
        }
        let fields = self.members(&form.fields, &form.variants, form.discriminator.as_deref(), "");
        let fields_text = fields.into_string();
        // A message belongs to the nearest place that the form shows.
        let has_place = |at: &str| fields_text.contains(&format!("id=\"{}\"", escaped(&id(at))));
        html! {
            div.notice.bad role="alert" tabindex="-1" id="problems" {
                p { b { (crate::page::words::count(self.problems.len() as u64, "problem")) } }
                ul {
                    @for (at, message) in self.problems {
                        li {
                            @if !at.is_empty() && has_place(at) {
                                a href=(format!("#{}", fragment(&id(at)))) { (self.name_of(form, at)) }
                                ": "
                            } @else if !at.is_empty() {
                                code { (at) } ": "
                            }
                            (bounded(message))
                        }
                    }
                }
            }
        }
    }

    /// The label of a place at the top of the form.
    fn name_of(&self, form: &Form, at: &str) -> String {
        let mut parts = at.split('/').skip(1);
        let first = parts.next().unwrap_or_default();
        let all = form.fields.iter().chain(form.variants.iter().flat_map(|one| &one.fields));
        let found = all.into_iter().find(|field| below("", &field.name)[1..] == *first);
        let mut name = found.map_or(first, title_of).to_owned();
        for part in parts {
            match part.parse::<usize>() {
                Ok(row) => name.push_str(&format!(" {}", row + 1)),
                Err(_) => name.push_str(&format!(", {part}")),
            }
        }
        name
    }

    fn members(
        &self,
        fields: &[Field],
        variants: &[Variant],
        discriminator: Option<&str>,
        at: &str,
    ) -> Markup {
        let is_chosen = has_variants(variants);
        let fields: Vec<&Field> = fields
            .iter()
            .filter(|field| !(is_chosen && discriminator == Some(&*field.name)))
            .collect();
        let (needed, optional): (Vec<&Field>, Vec<&Field>) =
            fields.into_iter().partition(|field| field.is_required);
        html! {
            @for field in &needed { (self.field(field, at)) }
            @if is_chosen { (self.variants(variants, discriminator, at)) }
            @if optional.len() <= FEW {
                @for field in &optional { (self.field(field, at)) }
            } @else {
                @let is_open = optional.iter().any(|field| self.is_used(&below(at, &field.name)));
                details.more open[is_open || (needed.is_empty() && !is_chosen)] {
                    summary { "Optional fields (" (optional.len()) ")" }
                    @for field in &optional { (self.field(field, at)) }
                }
            }
        }
    }

    /// Whether something was entered at a place, or something is wrong there.
    fn is_used(&self, at: &str) -> bool {
        let is_below = |other: &str| {
            other.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.entered.has(at)
            || self.problems.iter().any(|(other, _)| is_below(other))
            || self.choices.is_some_and(|choices| is_below(&choices.at))
    }

    fn variants(&self, variants: &[Variant], discriminator: Option<&str>, at: &str) -> Markup {
        let chosen = self.entered.variant(at);
        let name = format!("v{at}");
        let label = |variant: &Variant| match (variant.title.is_empty(), variant.values.as_slice())
        {
            (false, _) => variant.title.clone(),
            (true, []) => variant.type_in_words.clone(),
            (true, values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        };
        html! {
            div.field {
                label for=(format!("{}-kind", id(at))) { "Kind" }
                div.joined {
                    select id=(format!("{}-kind", id(at))) name=(name) data-change="1" {
                        option value="" { "Choose…" }
                        @for (index, variant) in variants.iter().enumerate() {
                            option value=(index) selected[chosen == Some(index)] { (label(variant)) }
                        }
                    }
                    button.quiet type="submit" name="do" value=(format!("show:{at}")) { "Show fields" }
                }
            }
            @if let Some(variant) = chosen.and_then(|index| variants.get(index)) {
                @if !variant.description.is_empty() { p.hint { (bounded(&variant.description)) } }
                @for field in &variant.fields {
                    @if discriminator != Some(&*field.name) || variant.values.len() != 1 {
                        (self.field(field, at))
                    }
                }
            }
        }
    }

    fn messages(&self, at: &str) -> Vec<&str> {
        let own = self.problems.iter().filter(|(other, _)| other == at);
        own.map(|(_, message)| message.as_str()).collect()
    }

    fn field(&self, field: &Field, at: &str) -> Markup {
        let at = below(at, &field.name);
        match kind(field) {
            Kind::Object => self.group(field, &at, &self.inner(field, &at)),
            Kind::Rows => self.group(field, &at, &self.rows(field, &at)),
            Kind::List if self.is_boxes(field, &at) => {
                self.group(field, &at, &self.boxes(field, &at))
            }
            kind => self.single(field, kind, &at),
        }
    }

    fn inner(&self, field: &Field, at: &str) -> Markup {
        self.members(&field.fields, &field.variants, field.discriminator.as_deref(), at)
    }

    fn rows(&self, field: &Field, at: &str) -> Markup {
        let rows = self.entered.rows(at);
        html! {
            input type="hidden" name=(format!("n{at}")) value=(rows);
            @for row in 0..rows {
                @let place = format!("{at}/{row}");
                fieldset id=(id(&place)) class="row" {
                    legend { (title_of(field)) " " (row + 1) }
                    (self.errors(&place))
                    (self.inner(field, &place))
                    button.quiet type="submit" name="do" value=(format!("remove:{place}")) {
                        "Remove " (title_of(field)) " " (row + 1)
                    }
                }
            }
            @if rows < MOST_ROWS {
                button.quiet type="submit" name="do" value=(format!("add:{at}")) { "Add" }
            }
        }
    }

    fn errors(&self, at: &str) -> Markup {
        let messages = self.messages(at);
        html! {
            @if !messages.is_empty() {
                p.error id=(format!("{}-error", id(at))) {
                    @for message in messages { (bounded(message)) " " }
                }
            }
        }
    }

    /// The IDs of the hint and of the messages of a field.
    fn described(&self, field: &Field, at: &str) -> Option<String> {
        let id = id(at);
        let hint = self.has_hint(field).then(|| format!("{id}-hint"));
        let error = (!self.messages(at).is_empty()).then(|| format!("{id}-error"));
        let all: Vec<String> = hint.into_iter().chain(error).collect();
        (!all.is_empty()).then(|| all.join(" "))
    }

    fn facts(&self, field: &Field) -> Vec<String> {
        let mut facts = Vec::new();
        let bounds = field.bounds_in_words();
        facts.extend((!bounds.is_empty()).then(|| capitalized(&bounds)));
        if let Some(default) = &field.default {
            facts.push(format!("Default: {}", shown(default)));
        }
        if let Some(format) = &field.format {
            facts.push(match format.as_str() {
                "date-time" => "For example 2026-01-31T09:00:00Z".to_owned(),
                "date" => "For example 2026-01-31".to_owned(),
                format => format!("Format: {format}"),
            });
        }
        if let Some(pattern) = &field.bounds.pattern {
            facts.push(format!("Pattern: {pattern}"));
        }
        match kind(field) {
            Kind::List if field.values.is_empty() => facts.push("One per line".to_owned()),
            Kind::Json => facts.push(format!("JSON: {}", field.type_in_words)),
            _ => {}
        }
        if !field.accepts.is_empty() && field.options.is_some() {
            let accepts = field.accepts.iter().map(|one| match one.as_str() {
                "id" => "ID".to_owned(),
                other => other.to_owned(),
            });
            facts.push(format!("Accepts: {}", accepts.collect::<Vec<_>>().join(", ")));
        }
        if field.is_secret {
            facts.push(match self.raw_secrets {
                true => "The secret itself, or secret:NAME for a stored one".to_owned(),
                false => "The name of a stored secret, as secret:NAME".to_owned(),
            });
        }
        facts
    }

    fn has_hint(&self, field: &Field) -> bool {
        !field.description.is_empty() || !self.facts(field).is_empty()
    }

    fn hint(&self, field: &Field, at: &str) -> Markup {
        let facts = self.facts(field);
        html! {
            @if self.has_hint(field) {
                p.hint id=(format!("{}-hint", id(at))) {
                    (bounded(&field.description))
                    @if !facts.is_empty() {
                        @if !field.description.is_empty() { " " }
                        span.facts { (bounded(&facts.join(" · "))) }
                    }
                }
            }
        }
    }

    fn group(&self, field: &Field, at: &str, content: &Markup) -> Markup {
        let class = if self.messages(at).is_empty() { "group" } else { "group bad" };
        html! {
            fieldset id=(id(at)) class=(class) tabindex="-1" aria-describedby=[self.described(field, at)] {
                legend { (bounded(title_of(field))) (required(field)) }
                (self.hint(field, at))
                (self.errors(at))
                (content)
                (self.null(field, at))
            }
        }
    }

    fn null(&self, field: &Field, at: &str) -> Markup {
        html! {
            @if is_nullable(field) {
                label.check {
                    input type="checkbox" name=(format!("z{at}")) checked[self.entered.is_null(at)];
                    " Set to null"
                }
            }
        }
    }

    fn single(&self, field: &Field, kind: Kind, at: &str) -> Markup {
        let class = if self.messages(at).is_empty() { "field" } else { "field bad" };
        html! {
            div class=(class) {
                label for=(id(at)) { (bounded(title_of(field))) (required(field)) }
                (self.hint(field, at))
                @if field.options.is_some() {
                    (self.with_choices(field, kind, at))
                } @else {
                    (self.control(field, kind, at))
                }
                (self.errors(at))
                (self.null(field, at))
            }
        }
    }

    /// Content of a field: the entered text, or the default of a required field.
    fn value(&self, field: &Field, at: &str) -> String {
        let typed = self.entered.all('p', at).join("\n");
        match &field.default {
            Some(default) if self.entered.is_new && field.is_required => match kind(field) {
                Kind::OneOf => default.to_string(),
                _ => shown(default),
            },
            _ => typed,
        }
    }

    fn control(&self, field: &Field, kind: Kind, at: &str) -> Markup {
        let (id, name, value) = (id(at), format!("p{at}"), self.value(field, at));
        let described = self.described(field, at);
        let invalid = (!self.messages(at).is_empty()).then_some("true");
        let needed = field.is_required.then_some("true");
        let blank = match (&field.default, field.is_required) {
            (Some(default), _) => format!("Default ({})", shown(default)),
            (None, true) => "Choose…".to_owned(),
            (None, false) => "Not set".to_owned(),
        };
        let options: Vec<(String, String)> = match kind {
            Kind::OneOf => {
                field.values.iter().map(|value| (value.to_string(), shown(value))).collect()
            }
            Kind::Boolean => vec![("true".into(), "Yes".into()), ("false".into(), "No".into())],
            _ => Vec::new(),
        };
        let is_long = matches!(kind, Kind::List | Kind::Json)
            || (kind == Kind::Text && !field.is_secret && field.is_multiline);
        let known: Vec<String> = match field.is_secret {
            true => self.secrets.iter().map(|name| format!("secret:{name}")).collect(),
            false => field.known_values.iter().map(shown).collect(),
        };
        let list = (!known.is_empty()).then(|| format!("{id}-known"));
        html! {
            @if matches!(kind, Kind::OneOf | Kind::Boolean) {
                select id=(id) name=(name) aria-describedby=[described] aria-invalid=[invalid]
                    aria-required=[needed] {
                    option value="" { (blank) }
                    @for (text, label) in &options {
                        option value=(text) selected[*text == value] { (bounded(label)) }
                    }
                }
            } @else if is_long {
                textarea id=(id) name=(name) rows=(if kind == Kind::Text { 3 } else { 4 })
                    aria-describedby=[described] aria-invalid=[invalid] aria-required=[needed]
                    spellcheck=[(kind == Kind::Json).then_some("false")] { "\n" (value) }
            } @else {
                input id=(id) name=(name) value=(value) type=(self.input_type(field, kind)) list=[list.clone()]
                    inputmode=[(kind == Kind::Number).then_some("decimal")]
                    autocomplete="off" aria-describedby=[described] aria-invalid=[invalid]
                    aria-required=[needed];
                @if let Some(list) = list {
                    datalist id=(list) {
                        @for known in known.iter().take(200) { option value=(known) {} }
                    }
                }
            }
        }
    }

    fn input_type(&self, field: &Field, kind: Kind) -> &'static str {
        match (field.is_secret && self.raw_secrets, kind, field.format.as_deref()) {
            (true, ..) => "password",
            (_, Kind::Text, Some("email")) => "email",
            (_, Kind::Text, Some("uri")) => "url",
            (_, Kind::Text, Some("date")) => "date",
            _ => "text",
        }
    }

    /// The choices of a field that were loaded just now.
    fn loaded(&self, at: &str) -> Option<&Choices> {
        self.choices.filter(|choices| choices.at == at)
    }

    fn with_choices(&self, field: &Field, kind: Kind, at: &str) -> Markup {
        let picked = self.entered.picked(at);
        let loaded = self.loaded(at);
        let load = format!("load:{at}");
        let title = title_of(field);
        let listed = loaded.filter(|choices| choices.problem.is_none());
        html! {
            @if listed.is_some() || !picked.is_empty() {
                div.joined {
                    (self.picks(field, at, &picked))
                    button.quiet type="submit" name="do" value=(load)
                        aria-label=(format!("List choices of {title} again")) { "List again" }
                    button.quiet type="submit" name="do" value=(format!("type:{at}"))
                        aria-label=(format!("Type {title} instead")) { "Type it" }
                }
                (self.more(field, at))
            } @else {
                div.joined {
                    (self.control(field, kind, at))
                    button.quiet type="submit" name="do" value=(load)
                        aria-label=(format!("List choices of {title}")) { "List choices" }
                }
            }
            @if let Some(problem) = loaded.and_then(|choices| choices.problem.as_deref()) {
                p.error role="alert" { (bounded(problem)) }
            }
        }
    }

    fn picks(&self, field: &Field, at: &str, picked: &[Picked]) -> Markup {
        let list = self.loaded(at).map_or(&[][..], |choices| choices.list.as_slice());
        let is_listed = |one: &Picked| list.iter().any(|(other, _)| other.value == one.value);
        let is_picked = |one: &Picked| picked.iter().any(|other| other.value == one.value);
        html! {
            select id=(id(at)) name=(format!("o{at}")) aria-describedby=[self.described(field, at)]
                aria-invalid=[(!self.messages(at).is_empty()).then_some("true")]
                aria-required=[field.is_required.then_some("true")] {
                option value="" { @if field.is_required { "Choose…" } @else { "Not set" } }
                @for one in picked.iter().filter(|one| !is_listed(one)) {
                    option value=(Picked::text(&one.value, &one.label)) selected { (bounded(&one.label)) }
                }
                @for (one, description) in list {
                    option value=(Picked::text(&one.value, &one.label)) selected[is_picked(one)] {
                        (bounded(&one.label))
                        @if let Some(description) = description { " – " (bounded(description)) }
                    }
                }
            }
        }
    }

    /// Finds choices that are not on the list.
    fn more(&self, field: &Field, at: &str) -> Markup {
        let Some(choices) = self.loaded(at) else { return html! {} };
        let search = self.entered.search(at);
        if choices.problem.is_some() || (!choices.has_more && search.is_empty()) {
            return html! {
                @if choices.list.is_empty() && choices.problem.is_none() { p.hint { "There are no choices." } }
            };
        }
        let search_id = format!("{}-search", id(at));
        html! {
            div.search {
                label for=(search_id) {
                    @if choices.has_more { "More choices exist. Search " } @else { "Search " }
                    (title_of(field))
                }
                div.joined {
                    input id=(search_id) name=(format!("s{at}")) value=(search) type="search" autocomplete="off";
                    button.quiet type="submit" name="do" value=(format!("load:{at}")) { "Search" }
                }
            }
        }
    }

    /// Whether a list is chosen from boxes.
    fn is_boxes(&self, field: &Field, at: &str) -> bool {
        let has_picks = !self.entered.picked(at).is_empty();
        let is_loaded = self.loaded(at).is_some_and(|choices| choices.problem.is_none());
        !field.values.is_empty() || (field.options.is_some() && (has_picks || is_loaded))
    }

    fn boxes(&self, field: &Field, at: &str) -> Markup {
        if field.options.is_none() {
            let chosen: Vec<&str> =
                self.entered.all('p', at).iter().flat_map(|text| text.lines()).collect();
            return html! {
                div.boxes {
                    @for value in &field.values {
                        @let text = value.to_string();
                        label.check {
                            input type="checkbox" name=(format!("p{at}")) value=(text)
                                checked[chosen.contains(&text.as_str())];
                            " " (bounded(&shown(value)))
                        }
                    }
                }
            };
        }
        let picked = self.entered.picked(at);
        let list = self.loaded(at).map_or(&[][..], |choices| choices.list.as_slice());
        let is_listed = |one: &Picked| list.iter().any(|(other, _)| other.value == one.value);
        let is_picked = |one: &Picked| picked.iter().any(|other| other.value == one.value);
        let unlisted = picked.iter().filter(|one| !is_listed(one)).map(|one| (one, None, true));
        let all = unlisted.chain(
            list.iter().map(|(one, description)| (one, description.as_deref(), is_picked(one))),
        );
        html! {
            div.boxes {
                @for (one, description, is_checked) in all {
                    label.check {
                        input type="checkbox" name=(format!("o{at}"))
                            value=(Picked::text(&one.value, &one.label)) checked[is_checked];
                        " " (bounded(&one.label))
                        @if let Some(description) = description { span.dim { " " (bounded(description)) } }
                    }
                }
            }
            (self.more(field, at))
            div.joined {
                button.quiet type="submit" name="do" value=(format!("load:{at}")) { "List again" }
            }
        }
    }
}

fn required(field: &Field) -> Markup {
    html! { @if field.is_required { span.needed { "required" } } }
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// As the templates write an attribute.
fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

/// As a fragment of a URL.
fn fragment(id: &str) -> String {
    let mut url = url::Url::parse("http://host/").expect("the address is a URL");
    url.set_fragment(Some(id));
    url.fragment().unwrap_or_default().to_owned()
}
