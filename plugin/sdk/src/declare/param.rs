//! Parameters: their types, and their places in the request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Literal, leak};

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
#[non_exhaustive]
pub enum Kind {
    /// One line.
    Text,
    /// Many lines.
    LongText,
    /// An e-mail address.
    Email,
    /// An absolute URL.
    Url,
    /// A time: ISO 8601, with or without seconds, fractions, and a colon in the offset; a date
    /// means midnight UTC. Sent as RFC 3339 with its offset, if it has one.
    DateTime,
    /// As [`Kind::DateTime`], sent in UTC: `2026-01-31T08:30:00Z`.
    UtcDateTime,
    /// A date: `2026-01-31`. If a time is given, its date is sent.
    Date,
    /// A whole number in this range.
    Integer(i64, i64),
    /// One of these whole numbers.
    IntegerOf(#[serde(deserialize_with = "leak::slice")] &'static [i64]),
    /// Any number.
    Number,
    /// True or false.
    Boolean,
    /// One of these texts.
    OneOf(#[serde(deserialize_with = "leak::slice")] &'static [&'static str]),
    /// A list of one type.
    List(#[serde(deserialize_with = "leak::one")] &'static Kind),
    /// Any JSON object.
    Map,
    /// Any JSON value.
    Json,
    /// An object with these members.
    Object(#[serde(deserialize_with = "leak::refs")] &'static [&'static Param]),
    /// A list of objects with these members.
    Objects(#[serde(deserialize_with = "leak::refs")] &'static [&'static Param]),
    /// Always this value; forms do not ask for it.
    Constant(Literal),
}

/// Where a parameter goes in the request. Positions in the body (RFC 6901) are relative to the
/// route's envelope; inside an object, to that object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Place {
    /// Not placed: the code that runs the action reads it. For a member of an object: its own name.
    Control,
    /// The path segment of the same name.
    Path,
    /// A query parameter; a list repeats the parameter.
    Query(&'static str),
    /// A query parameter; the elements of a list are joined by commas.
    QueryJoined(&'static str),
    /// Query parameters, one for each member.
    QueryMembers,
    /// A header.
    Header(&'static str),
    /// A position in the JSON body.
    Body(&'static str),
    /// A position in the JSON body, where each value becomes the template, with the value in place
    /// of `given`: `literal!({ "id": given, "type": "service_reference" })`.
    BodyAs(&'static str, Literal),
    /// Members of the object at a position in the JSON body. They are merged with what other
    /// parameters place there, at any depth, and never replace it.
    BodyMembers(&'static str),
    /// The record as the service returned it. It provides every parameter that is placed in the
    /// body and not given separately. Members without a parameter are dropped.
    Record,
    /// The path segment of the same name, and in addition a position in the JSON body, as
    /// [`Place::BodyAs`].
    PathAndBody(&'static str, Literal),
    /// A file in a form (`multipart/form-data`): the name of the field and the media type of the
    /// file.
    FormFile(&'static str, &'static str),
}

/// One parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Param {
    /// Name of the field in the API.
    pub name: &'static str,
    /// Label in a form.
    #[serde(skip)]
    pub title: &'static str,
    /// Description, with the unit and the default.
    #[serde(skip)]
    pub description: &'static str,
    /// Type of the value.
    pub kind: Kind,
    /// Place in the request.
    pub place: Place,
    /// Whether it is required.
    pub is_required: bool,
    /// Whether it may be null, which clears the field.
    pub is_nullable: bool,
    /// Whether sending it has an effect each time, for example notifies people. Such a parameter is
    /// never taken from a record ([`Place::Record`]).
    pub is_step: bool,
    /// Name of the [`Reference`](super::Reference) of the node that the value identifies. Forms then
    /// offer choices, and the parameter also accepts a name or a URL.
    pub reference: Option<&'static str>,
    /// The sibling member that determines what the value is the ID of.
    pub decided_by: Option<&'static str>,
    /// The reference for each value of that member.
    #[serde(deserialize_with = "leak::slice")]
    pub reference_by: &'static [(&'static str, &'static str)],
    /// The service's default. Forms show it, and the node never sends it.
    #[serde(skip)]
    pub default: Option<Literal>,
    /// Maximum number of characters, elements, or members.
    pub max: Option<u32>,
    /// Minimum number of characters or elements. Text has at least one character unless it may be
    /// empty.
    pub min: u32,
    /// The sibling member that determines whether it may be set.
    pub when: Option<&'static str>,
    /// Values of that member with which it may be set.
    #[serde(deserialize_with = "leak::slice")]
    pub when_is: &'static [&'static str],
    /// Known values, if others are possible.
    #[serde(skip)]
    pub suggestions: &'static [&'static str],
    /// The secret of the node that it holds. The host passes the guest a handle instead.
    #[serde(skip)]
    pub secret: Option<&'static str>,
}

impl Param {
    /// Creates a parameter of any type; not sent until it is placed.
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
            reference: None,
            decided_by: None,
            reference_by: &[],
            default: None,
            max: None,
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
            when: None,
            when_is: &[],
            suggestions: &[],
            secret: None,
        }
    }

    /// Creates a parameter for one line of text.
    pub const fn text(name: &'static str, title: &'static str, description: &'static str) -> Self {
        Self::new(Kind::Text, name, title, description)
    }

    /// Creates a parameter for a whole number in this range.
    pub const fn integer(
        name: &'static str,
        least: i64,
        most: i64,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(Kind::Integer(least, most), name, title, description)
    }

    /// Creates a Boolean parameter.
    pub const fn boolean(
        name: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(Kind::Boolean, name, title, description)
    }

    /// Creates a member of an object that always has this value. Forms do not ask for it.
    pub const fn constant(name: &'static str, value: Literal) -> Self {
        Self::new(Kind::Constant(value), name, "", "")
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

    /// Makes it required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Makes it optional.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.is_required = false;
        self
    }

    /// Allows null.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.is_nullable = true;
        self
    }

    /// Makes it the ID of an object of this reference.
    #[must_use]
    pub const fn reference(mut self, name: &'static str) -> Self {
        self.reference = Some(name);
        self
    }

    /// Makes it the ID of an object that a sibling member determines: `("type",
    /// &[("user_reference", "user")])`.
    #[must_use]
    pub const fn reference_by(
        mut self,
        member: &'static str,
        references: &'static [(&'static str, &'static str)],
    ) -> Self {
        self.decided_by = Some(member);
        self.reference_by = references;
        self
    }

    /// Whether it is the ID of an object.
    pub fn refers(&self) -> bool {
        self.reference.is_some() || !self.reference_by.is_empty()
    }

    /// The reference, given its sibling members; `None` if it is not an ID or not determined yet.
    pub fn reference_beside(&self, members: &Map<String, Value>) -> Option<&'static str> {
        let decided = self.decided_by.and_then(|member| members.get(member)?.as_str());
        let found = decided.and_then(|value| self.reference_by.iter().find(|one| one.0 == value));
        found.map_or(self.reference, |(_, reference)| Some(reference))
    }

    /// Sets the service's default. Forms show it, and the node never sends it.
    #[must_use]
    pub const fn default(mut self, value: Literal) -> Self {
        self.default = Some(value);
        self
    }

    /// Sets the maximum number of characters, elements, or members.
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = Some(max);
        self
    }

    /// Sets the minimum number of characters or elements; 0 for text that may be empty.
    #[must_use]
    pub const fn min(mut self, min: u32) -> Self {
        self.min = min;
        self
    }

    /// Allows it only if the sibling member of this name has one of these values.
    #[must_use]
    pub const fn when(mut self, member: &'static str, values: &'static [&'static str]) -> Self {
        self.when = Some(member);
        self.when_is = values;
        self
    }

    /// Whether it may be given with these sibling members. `None` if that is not determined yet.
    pub fn applies(&self, members: &Map<String, Value>) -> Option<bool> {
        let Some(when) = self.when else {
            return Some(true);
        };
        let value = members.get(when)?.as_str()?;
        Some(self.when_is.contains(&value))
    }

    /// Suggests these values; others are possible.
    #[must_use]
    pub const fn suggestions(mut self, values: &'static [&'static str]) -> Self {
        self.suggestions = values;
        self
    }

    /// Makes it the secret of this name, which the guest must not see. In a list each element is a
    /// secret, in a map each member; they must be text.
    #[must_use]
    pub const fn secret(mut self, name: &'static str) -> Self {
        self.secret = Some(name);
        self
    }

    /// Sets another description for the form.
    #[must_use]
    pub const fn titled(mut self, title: &'static str, description: &'static str) -> Self {
        self.title = title;
        self.description = description;
        self
    }

    /// Whether forms ask for it.
    pub fn is_asked(&self) -> bool {
        !matches!(self.kind, Kind::Constant(_))
    }

    /// Whether it is placed in the body.
    pub fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Body(_) | Place::BodyAs(..))
    }

    /// The members of the object, or of each object in the list.
    pub fn members(&self) -> &'static [&'static Param] {
        match self.kind {
            Kind::Object(members) | Kind::Objects(members) => members,
            _ => &[],
        }
    }
}
