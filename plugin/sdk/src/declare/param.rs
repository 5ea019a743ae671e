//! Parameters: what one holds, and where in the request it goes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::leak;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// One line.
    Text,
    /// Many lines.
    LongText,
    /// An e-mail address.
    Email,
    /// An absolute URL.
    Url,
    /// A time: ISO 8601, with or without seconds, fractions, and a colon in the offset; a date is its
    /// midnight in UTC. Sent as RFC 3339 with its offset, if it has one.
    DateTime,
    /// As [`Kind::DateTime`], sent in UTC: `2026-01-31T08:30:00Z`.
    UtcDateTime,
    /// A date: `2026-01-31`. Of a time, its date is sent.
    Date,
    /// Whole number between these.
    Integer(i64, i64),
    /// One of these whole numbers.
    IntegerOf(#[serde(deserialize_with = "leak::slice")] &'static [i64]),
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// One of these.
    OneOf(#[serde(deserialize_with = "leak::slice")] &'static [&'static str]),
    /// Several of one kind.
    List(#[serde(deserialize_with = "leak::one")] &'static Kind),
    /// Any JSON object.
    Map,
    /// Any JSON value.
    Json,
    /// An object with these members.
    Object(#[serde(deserialize_with = "leak::refs")] &'static [&'static Param]),
    /// Several objects with these members.
    Objects(#[serde(deserialize_with = "leak::refs")] &'static [&'static Param]),
    /// Always this JSON text, never asked for.
    Constant(&'static str),
}

/// Where a parameter goes in the request. Positions in the body (RFC 6901) are relative to the
/// route's envelope; inside an object, to that object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Place {
    /// Nowhere; the code that runs the action reads it. A member of an object: under its own name.
    Control,
    /// The path segment of its own name.
    Path,
    /// A query parameter; a list repeats it.
    Query(&'static str),
    /// A query parameter; a list is joined by commas.
    QueryJoined(&'static str),
    /// Query parameters, one for each member.
    QueryMembers,
    /// A header.
    Header(&'static str),
    /// A position in the JSON body.
    Body(&'static str),
    /// A position in the JSON body, where each value `v` becomes the JSON text with `$` replaced by
    /// the value: `{"id":$,"type":"service_reference"}`.
    BodyAs(&'static str, &'static str),
    /// Members of the object at a position in the JSON body. They are merged with what other
    /// parameters place there, at any depth, and never replace it.
    BodyMembers(&'static str),
    /// The record as the service returned it: gives all parameters that are placed in the body and
    /// are not given themselves. What no parameter is for is left out.
    Record,
    /// The path segment of its own name, and besides a position in the JSON body, as
    /// [`Place::BodyAs`].
    PathAndBody(&'static str, &'static str),
    /// A file of a form (`multipart/form-data`): the name of the field, and the type of the file.
    FormFile(&'static str, &'static str),
}

/// One parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// As the API names the field.
    pub name: &'static str,
    /// What a form shows.
    #[serde(skip)]
    pub title: &'static str,
    /// What it means, its unit and its default.
    #[serde(skip)]
    pub description: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Where it goes.
    pub place: Place,
    /// Whether it must be given.
    pub is_required: bool,
    /// Whether null is a value (it clears the field).
    pub is_nullable: bool,
    /// Whether sending it does something each time, for instance notifies people: a record
    /// ([`Place::Record`]) does not give it.
    pub is_step: bool,
    /// Of what it is an id (a [`Reference`](super::Reference) of the node), or empty. It has
    /// choices then, and takes a name or an address for the id.
    pub reference: &'static str,
    /// Where that depends on another member beside it: that member, or empty.
    pub decided_by: &'static str,
    /// What each of that member's values says that it is an id of.
    #[serde(deserialize_with = "leak::slice")]
    pub reference_by: &'static [(&'static str, &'static str)],
    /// JSON text, shown in the form; the service's own default, never sent by us.
    #[serde(skip)]
    pub default: Option<&'static str>,
    /// Most characters, elements or members; 0 for no limit.
    pub max: u32,
    /// Fewest characters or elements. A text has at least one unless it may be empty.
    pub min: u32,
    /// The member beside it that decides whether it may be given, and the values with which it may;
    /// empty where it always may.
    pub when: &'static str,
    /// See [`when`](Self::when).
    #[serde(deserialize_with = "leak::slice")]
    pub when_is: &'static [&'static str],
    /// Values that are known, where others are possible, too.
    #[serde(skip)]
    pub suggestions: &'static [&'static str],
    /// Which of the node's secrets it is, or empty. The host hands the guest a handle then.
    #[serde(skip)]
    pub secret: &'static str,
}

impl Param {
    /// A parameter of any kind; not sent anywhere until placed.
    pub const fn new(
        kind: Kind,
        name: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            title,
            description,
            kind,
            place: Place::Control,
            is_required: false,
            is_nullable: false,
            is_step: false,
            reference: "",
            decided_by: "",
            reference_by: &[],
            default: None,
            max: 0,
            min: match kind {
                Kind::Text
                | Kind::LongText
                | Kind::Email
                | Kind::Url
                | Kind::DateTime
                | Kind::UtcDateTime
                | Kind::Date => 1,
                _ => 0,
            },
            when: "",
            when_is: &[],
            suggestions: &[],
            secret: "",
        }
    }

    /// One line of text.
    pub const fn text(name: &'static str, title: &'static str, description: &'static str) -> Self {
        Self::new(Kind::Text, name, title, description)
    }

    /// A member of an object that always holds this JSON text and is never asked for.
    pub const fn constant(name: &'static str, json: &'static str) -> Self {
        Self::new(Kind::Constant(json), name, "", "")
    }

    /// Places it in the request.
    #[must_use]
    pub const fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Places it at a position in the body.
    #[must_use]
    pub const fn body(self, pointer: &'static str) -> Self {
        self.at(Place::Body(pointer))
    }

    /// Places it in the query.
    #[must_use]
    pub const fn query(self, name: &'static str) -> Self {
        self.at(Place::Query(name))
    }

    /// Must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// May be left out.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_required = false;
        self
    }

    /// May be null.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.is_nullable = true;
        self
    }

    /// Is the id of one of these.
    #[must_use]
    pub const fn reference(mut self, name: &'static str) -> Self {
        self.reference = name;
        self
    }

    /// Is the id of what another member beside it says: `("type", &[("user_reference", "user")])`.
    #[must_use]
    pub const fn reference_by(
        mut self,
        member: &'static str,
        references: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.decided_by = member;
        self.reference_by = references;
        self
    }

    /// Whether it is the id of something.
    pub fn refers(&self) -> bool {
        !self.reference.is_empty() || !self.reference_by.is_empty()
    }

    /// Of what it is an id, beside these members; empty where that is nothing, or not decided.
    pub fn reference_beside(&self, members: &Map<String, Value>) -> &'static str {
        let decided = members.get(self.decided_by).and_then(Value::as_str);
        let found = decided.and_then(|value| self.reference_by.iter().find(|one| one.0 == value));
        found.map_or(self.reference, |(_, reference)| reference)
    }

    /// What happens when it is absent.
    #[must_use]
    pub const fn default(mut self, json: &'static str) -> Self {
        self.default = Some(json);
        self
    }

    /// At most so many characters, elements or members.
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }

    /// At least so many characters or elements; 0 for a text that may be empty.
    #[must_use]
    pub const fn min(mut self, min: u32) -> Self {
        self.min = min;
        self
    }

    /// May be given only when the member of this name beside it has one of these values.
    #[must_use]
    pub const fn when(mut self, member: &'static str, values: &'static [&'static str]) -> Self {
        self.when = member;
        self.when_is = values;
        self
    }

    /// Whether it may be given beside these members. `None` where nothing has been decided.
    pub fn applies(&self, members: &Map<String, Value>) -> Option<bool> {
        if self.when.is_empty() {
            return Some(true);
        }
        let value = members.get(self.when)?.as_str()?;
        Some(self.when_is.contains(&value))
    }

    /// Offers these values, where others are possible, too.
    #[must_use]
    pub const fn suggests(mut self, values: &'static [&'static str]) -> Self {
        self.suggestions = values;
        self
    }

    /// Is the secret of this name, which the guest shall not see. In a list each element is one, in
    /// a map each member; they are texts then.
    #[must_use]
    pub const fn secret(mut self, name: &'static str) -> Self {
        self.secret = name;
        self
    }

    /// Says something else to the person who fills it in.
    #[must_use]
    pub const fn described(mut self, title: &'static str, description: &'static str) -> Self {
        self.title = title;
        self.description = description;
        self
    }

    /// Whether a form asks for it.
    pub fn is_asked(&self) -> bool {
        !matches!(self.kind, Kind::Constant(_))
    }

    /// Whether it becomes a part of the body.
    pub fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Body(_) | Place::BodyAs(..))
    }

    /// The members of the object, or of each object, that it holds.
    pub fn members(&self) -> &'static [&'static Param] {
        match self.kind {
            Kind::Object(members) | Kind::Objects(members) => members,
            _ => &[],
        }
    }
}
