//! Parameters: what one holds, and where in the request it goes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Literal, leak};

/// What a parameter holds.
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
    /// Always this value, never asked for.
    Constant(Literal),
}

/// Where a parameter goes in the request. Positions in the body (RFC 6901) are relative to the
/// route's envelope; inside an object, to that object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// A position in the JSON body, where each value becomes the template with the value in place of
    /// `given`: `literal!({ "id": given, "type": "service_reference" })`.
    BodyAs(&'static str, Literal),
    /// Members of the object at a position in the JSON body. They are merged with what other
    /// parameters place there, at any depth, and never replace it.
    BodyMembers(&'static str),
    /// The record as the service returned it: gives all parameters that are placed in the body and
    /// are not given themselves. What no parameter is for is left out.
    Record,
    /// The path segment of its own name, and besides a position in the JSON body, as
    /// [`Place::BodyAs`].
    PathAndBody(&'static str, Literal),
    /// A file of a form (`multipart/form-data`): the name of the field, and the type of the file.
    FormFile(&'static str, &'static str),
}

/// One parameter of an action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// Of what it is an ID: a [`Reference`](super::Reference) of the node. It has choices then, and
    /// accepts a name or a URL in place of the ID.
    pub reference: Option<&'static str>,
    /// The member beside it that decides of what it is an ID.
    pub decided_by: Option<&'static str>,
    /// What each value of that member says that it is an ID of.
    #[serde(deserialize_with = "leak::slice")]
    pub reference_by: &'static [(&'static str, &'static str)],
    /// The service's own default, which forms show and the node never sends.
    #[serde(skip)]
    pub default: Option<Literal>,
    /// Most characters, elements, or members.
    pub max: Option<u32>,
    /// Fewest characters or elements. A text has at least one unless it may be empty.
    pub min: u32,
    /// The member beside it that decides whether it may be set.
    pub when: Option<&'static str>,
    /// Values of that member with which it may be set.
    #[serde(deserialize_with = "leak::slice")]
    pub when_is: &'static [&'static str],
    /// Known values, where others are possible.
    #[serde(skip)]
    pub suggestions: &'static [&'static str],
    /// Which of the node's secrets it is. The host gives the guest a handle in its place.
    #[serde(skip)]
    pub secret: Option<&'static str>,
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

    /// One line of text.
    pub const fn text(name: &'static str, title: &'static str, description: &'static str) -> Self {
        Self::new(Kind::Text, name, title, description)
    }

    /// A whole number between these.
    pub const fn integer(
        name: &'static str,
        least: i64,
        most: i64,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(Kind::Integer(least, most), name, title, description)
    }

    /// True or false.
    pub const fn boolean(
        name: &'static str,
        title: &'static str,
        description: &'static str,
    ) -> Self {
        Self::new(Kind::Boolean, name, title, description)
    }

    /// A member of an object that always has this value and is never asked for.
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
        self.reference = Some(name);
        self
    }

    /// Is the id of what another member beside it says: `("type", &[("user_reference", "user")])`.
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

    /// Whether it is the id of something.
    pub fn refers(&self) -> bool {
        self.reference.is_some() || !self.reference_by.is_empty()
    }

    /// Of what it is an ID beside these members; `None` where that is nothing, or not decided.
    pub fn reference_beside(&self, members: &Map<String, Value>) -> Option<&'static str> {
        let decided = self.decided_by.and_then(|member| members.get(member)?.as_str());
        let found = decided.and_then(|value| self.reference_by.iter().find(|one| one.0 == value));
        found.map_or(self.reference, |(_, reference)| Some(reference))
    }

    /// Sets the service's own default, which forms show and the node never sends.
    #[must_use]
    pub const fn default(mut self, value: Literal) -> Self {
        self.default = Some(value);
        self
    }

    /// At most so many characters, elements or members.
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = Some(max);
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
        self.when = Some(member);
        self.when_is = values;
        self
    }

    /// Whether it may be given beside these members. `None` where nothing has been decided.
    pub fn applies(&self, members: &Map<String, Value>) -> Option<bool> {
        let Some(when) = self.when else {
            return Some(true);
        };
        let value = members.get(when)?.as_str()?;
        Some(self.when_is.contains(&value))
    }

    /// Offers these values, where others are possible, too.
    #[must_use]
    pub const fn suggestions(mut self, values: &'static [&'static str]) -> Self {
        self.suggestions = values;
        self
    }

    /// Is the secret of this name, which the guest shall not see. In a list each element is one, in
    /// a map each member; they are texts then.
    #[must_use]
    pub const fn secret(mut self, name: &'static str) -> Self {
        self.secret = Some(name);
        self
    }

    /// Says something else to the person who fills it in.
    #[must_use]
    pub const fn titled(mut self, title: &'static str, description: &'static str) -> Self {
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
