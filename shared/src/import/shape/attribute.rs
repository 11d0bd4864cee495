//! An attribute of a pool's schema, and which values it takes.
//!
//! The rules are those of `SchemaAttributeType` in Cognito's API reference. An address or number is not checked for its form:
//! the backup's were accepted once, and what exactly Cognito accepts is not documented.
//!
//! Invariant: no error and no `Debug` text has a value in it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{bad, flag, member, text};
use crate::{error::Error, personal::Sub};

/// `AttributeDataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; bounds are numbers of characters.
    Text,
    /// A whole number; bounds are values.
    Number,
    /// `true` or `false`, as text.
    Boolean,
    /// An instant, as text. Cognito says no more of it.
    DateTime,
}

/// An attribute of a pool's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its type.
    pub kind: Kind,
    /// Whether it can be changed once the user is made. One that cannot may be set when the user is made.
    pub mutable: bool,
    /// Whether sign-up demands it.
    pub required: bool,
    /// Smallest number of characters, or smallest value.
    pub least: Option<i128>,
    /// Largest number of characters, or largest value.
    pub most: Option<i128>,
}

impl Attribute {
    /// The attribute that a plan adds to bear the `sub` of the backup.
    #[must_use]
    pub fn marker() -> Self {
        Self {
            kind: Kind::Text,
            mutable: true,
            required: false,
            least: Some(1),
            most: Some(Sub::LENGTH_MAX as i128),
        }
    }

    /// Whether this attribute can bear a `sub`, and another one later.
    #[must_use]
    pub fn is_marker(&self) -> bool {
        /// Characters of the `sub`s that Cognito gives out.
        const USUAL: i128 = 36;
        self.kind == Kind::Text
            && self.mutable
            && self.least.is_none_or(|least| least <= USUAL)
            && self.most.is_none_or(|most| most >= USUAL)
    }

    /// Whether it takes `value`, which is not empty.
    #[must_use]
    pub fn takes(&self, value: &str) -> bool {
        let within =
            |size: i128| self.least.is_none_or(|least| size >= least) && self.most.is_none_or(|most| size <= most);
        match self.kind {
            Kind::Text => within(value.chars().count() as i128),
            Kind::Number => value.parse().is_ok_and(within),
            Kind::Boolean => value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
            Kind::DateTime => true,
        }
    }
}

/// `SchemaAttributes`, by full name.
///
/// # Errors
/// As [`super::Shape::of`].
pub(super) fn schema(list: Option<&Value>) -> Result<BTreeMap<String, Attribute>, Error> {
    const PATH: &str = "/SchemaAttributes";
    let list = list.and_then(Value::as_array).ok_or_else(|| bad(PATH, "is no list"))?;
    let attributes = list.iter().map(|entry| {
        let name = text(entry, "/Name")?.ok_or_else(|| bad(PATH, "has an entry without Name"))?;
        Ok((name.to_owned(), attribute(name, entry)?))
    });
    attributes.collect()
}

fn attribute(name: &str, entry: &Value) -> Result<Attribute, Error> {
    let problem = |problem: &str| bad(&format!("/SchemaAttributes ({name})"), problem);
    let (kind, least, most) = match text(entry, "/AttributeDataType")? {
        Some("String") => (
            Kind::Text,
            "/StringAttributeConstraints/MinLength",
            "/StringAttributeConstraints/MaxLength",
        ),
        Some("Number") => (
            Kind::Number,
            "/NumberAttributeConstraints/MinValue",
            "/NumberAttributeConstraints/MaxValue",
        ),
        Some("Boolean") => (Kind::Boolean, "", ""),
        Some("DateTime") => (Kind::DateTime, "", ""),
        _ => return Err(problem("has no AttributeDataType that is known")),
    };
    let bound = |path: &str| match member(entry, path).filter(|_| !path.is_empty()) {
        None => Ok(None),
        // AWS writes bounds as text.
        Some(Value::String(bound)) => bound
            .parse()
            .map(Some)
            .map_err(|_| problem("has a bound that is no number")),
        Some(bound) => {
            let bound = bound.as_i64().ok_or_else(|| problem("has a bound that is no number"))?;
            Ok(Some(i128::from(bound)))
        }
    };
    Ok(Attribute {
        kind,
        mutable: flag(entry, "/Mutable")?.unwrap_or(true),
        required: flag(entry, "/Required")?.unwrap_or(false),
        least: bound(least)?,
        most: bound(most)?,
    })
}
