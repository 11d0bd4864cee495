//! Attributes: the standard schema, custom attributes, and whether a value may be written.
//!
//! Invariant: a message names attributes, never their values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_authorized, unsupported};
use super::state::Pool;

/// One attribute of a pool's schema.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) mutable: bool,
    pub(crate) required: bool,
    /// Length of a string, value of a number.
    pub(crate) least: Option<i64>,
    pub(crate) most: Option<i64>,
}

/// Name, type, mutable, required, least, most; as DescribeUserPool shows them.
type Standard = (&'static str, &'static str, bool, bool, Option<i64>, Option<i64>);

const STANDARD: &[Standard] = &[
    ("sub", "String", false, true, Some(1), Some(2048)),
    ("name", "String", true, false, Some(0), Some(2048)),
    ("given_name", "String", true, false, Some(0), Some(2048)),
    ("family_name", "String", true, false, Some(0), Some(2048)),
    ("middle_name", "String", true, false, Some(0), Some(2048)),
    ("nickname", "String", true, false, Some(0), Some(2048)),
    ("preferred_username", "String", true, false, Some(0), Some(2048)),
    ("profile", "String", true, false, Some(0), Some(2048)),
    ("picture", "String", true, false, Some(0), Some(2048)),
    ("website", "String", true, false, Some(0), Some(2048)),
    ("email", "String", true, false, Some(0), Some(2048)),
    ("email_verified", "Boolean", true, false, None, None),
    ("gender", "String", true, false, Some(0), Some(2048)),
    ("birthdate", "String", true, false, Some(10), Some(10)),
    ("zoneinfo", "String", true, false, Some(0), Some(2048)),
    ("locale", "String", true, false, Some(0), Some(2048)),
    ("phone_number", "String", true, false, Some(0), Some(2048)),
    ("phone_number_verified", "Boolean", true, false, None, None),
    ("address", "String", true, false, Some(0), Some(2048)),
    ("updated_at", "Number", true, false, Some(0), None),
    ("identities", "String", true, false, None, None),
];

const MOST_CUSTOM: usize = 50;
/// In one call of AddCustomAttributes.
const MOST_ADDED: usize = 25;

pub(crate) fn standard() -> BTreeMap<String, Attribute> {
    STANDARD
        .iter()
        .map(|(name, kind, mutable, required, least, most)| {
            let attribute = Attribute {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                mutable: *mutable,
                required: *required,
                least: *least,
                most: *most,
            };
            ((*name).to_owned(), attribute)
        })
        .collect()
}

/// The standard attributes that a CSV file has columns for, in AWS's order.
pub(crate) fn importable() -> impl Iterator<Item = &'static str> {
    let names = STANDARD.iter().map(|(name, ..)| *name);
    names.filter(|name| *name != "sub" && *name != "identities")
}

/// Adds `SchemaAttributeType`s to a schema; `adding` = AddCustomAttributes, which knows custom ones only.
pub(crate) fn extend(schema: &mut BTreeMap<String, Attribute>, entries: &Value, adding: bool) -> Answer<()> {
    let list = entries.as_array().ok_or_else(|| invalid("Schema must be a list"))?;
    let most = if adding { MOST_ADDED } else { MOST_CUSTOM };
    if list.len() > most {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'schema' failed to satisfy constraint: Member must have length less than or equal to {most}"
        )));
    }
    for entry in list {
        let name = entry
            .get("Name")
            .and_then(Value::as_str)
            .ok_or_else(|| invalid("An attribute of the schema has no name."))?;
        if entry.get("DeveloperOnlyAttribute").and_then(Value::as_bool) == Some(true) {
            return Err(unsupported("DeveloperOnlyAttribute in a schema"));
        }
        let mutable = entry.get("Mutable").and_then(Value::as_bool);
        let required = entry.get("Required").and_then(Value::as_bool).unwrap_or(false);
        if let Some(known) = schema.get_mut(name).filter(|_| !adding) {
            known.mutable = mutable.unwrap_or(known.mutable);
            known.required = required || name == "sub";
            let (least, most) = limits(entry)?;
            known.least = least.or(known.least);
            known.most = most.or(known.most);
            continue;
        }
        // The prefix comes in any case: of `custom:x` AWS makes `custom:custom:x`.
        let full = format!("custom:{name}");
        if name.is_empty() || name.chars().count() > 20 {
            return Err(invalid("The name of a custom attribute must have 1 to 20 characters."));
        }
        if required {
            return Err(invalid("Required custom attributes are not supported currently."));
        }
        if schema.contains_key(&full) {
            return Err(invalid(format!("{full}: Existing attribute already has name {full}.")));
        }
        if schema.keys().filter(|known| known.starts_with("custom:")).count() >= MOST_CUSTOM {
            return Err(invalid("A user pool can have at most 50 custom attributes."));
        }
        let kind = entry
            .get("AttributeDataType")
            .and_then(Value::as_str)
            .unwrap_or("String");
        if !["String", "Number", "Boolean", "DateTime"].contains(&kind) {
            return Err(invalid(format!("{full}: unknown AttributeDataType")));
        }
        let (least, most) = limits(entry)?;
        let attribute = Attribute {
            name: full.clone(),
            kind: kind.to_owned(),
            mutable: mutable.unwrap_or(true),
            required,
            least,
            most,
        };
        schema.insert(full, attribute);
    }
    Ok(())
}

/// AWS sends the bounds as strings.
fn limits(entry: &Value) -> Answer<(Option<i64>, Option<i64>)> {
    let read = |pointer: &str| match entry.pointer(pointer) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| invalid("A constraint is not a number.")),
        Some(value) => value
            .as_i64()
            .map(Some)
            .ok_or_else(|| invalid("A constraint is not a number.")),
    };
    let least = read("/StringAttributeConstraints/MinLength")?.or(read("/NumberAttributeConstraints/MinValue")?);
    let most = read("/StringAttributeConstraints/MaxLength")?.or(read("/NumberAttributeConstraints/MaxValue")?);
    Ok((least, most))
}

pub(crate) fn describe(attribute: &Attribute) -> Value {
    let mut shown = Map::new();
    shown.insert("Name".into(), json!(attribute.name));
    shown.insert("AttributeDataType".into(), json!(attribute.kind));
    shown.insert("DeveloperOnlyAttribute".into(), json!(false));
    shown.insert("Mutable".into(), json!(attribute.mutable));
    shown.insert("Required".into(), json!(attribute.required));
    let (member, low, high) = match attribute.kind.as_str() {
        "String" => ("StringAttributeConstraints", "MinLength", "MaxLength"),
        "Number" => ("NumberAttributeConstraints", "MinValue", "MaxValue"),
        _ => return Value::Object(shown),
    };
    let mut bounds = Map::new();
    bounds.extend(attribute.least.map(|least| (low.to_owned(), json!(least.to_string()))));
    bounds.extend(attribute.most.map(|most| (high.to_owned(), json!(most.to_string()))));
    shown.insert(member.into(), Value::Object(bounds));
    Value::Object(shown)
}

/// Who writes: what may be written depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer<'a> {
    Administrator,
    /// A user through an app client, with the client's `WriteAttributes` if restricted.
    Client(Option<&'a Vec<Value>>),
    /// A federated sign-in writes mapped attributes.
    Provider,
}

/// Checks values that a call wants to write. `creating` = the user does not exist yet, so immutable ones may be set.
pub(crate) fn check(pool: &Pool, writes: &[(&str, &str)], writer: Writer<'_>, creating: bool) -> Answer<()> {
    for (name, value) in writes {
        if *name == "sub" || *name == "identities" {
            return Err(invalid(format!("Cannot modify the non-mutable attribute {name}")));
        }
        let Some(attribute) = pool.schema.get(*name) else {
            return Err(conform(&format!(
                "Type for attribute {{{name}}} could not be determined"
            )));
        };
        if !creating && !attribute.mutable {
            return Err(conform(&format!("{name}: Attribute cannot be updated.")));
        }
        if let Writer::Client(allowed) = writer {
            let listed = allowed.is_none_or(|list| list.iter().any(|entry| entry == name) || attribute.required);
            if name.ends_with("_verified") || !listed {
                return Err(not_authorized("A client attempted to write unauthorized attribute"));
            }
        }
        if !value.is_empty() || attribute.required {
            check_value(attribute, value)?;
        }
    }
    Ok(())
}

/// The required attributes that have no value.
pub(crate) fn lacking(pool: &Pool, has: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    let required = pool.schema.values().filter(|attribute| attribute.required);
    let names = required.map(|attribute| attribute.name.as_str());
    names.filter(move |name| *name != "sub" && !has(name))
}

/// Checks that every required attribute has a value.
pub(crate) fn check_required(pool: &Pool, has: impl Fn(&str) -> bool) -> Answer<()> {
    match lacking(pool, has).next() {
        Some(name) => Err(conform(&format!("{name}: The attribute is required"))),
        None => Ok(()),
    }
}

fn check_value(attribute: &Attribute, value: &str) -> Answer<()> {
    let name = &attribute.name;
    if value.len() > 2048 {
        return Err(conform(&format!(
            "{name}: String must be no longer than 2048 characters"
        )));
    }
    match attribute.kind.as_str() {
        "Number" => {
            let number: i64 = value
                .parse()
                .map_err(|_| conform(&format!("{name}: Value must be an integer")))?;
            if attribute.least.is_some_and(|least| number < least) {
                return Err(conform(&format!("{name}: Value must be at least the minimum")));
            }
            if attribute.most.is_some_and(|most| number > most) {
                return Err(conform(&format!("{name}: Value must be at most the maximum")));
            }
        }
        "Boolean" if !value.eq_ignore_ascii_case("true") && !value.eq_ignore_ascii_case("false") => {
            return Err(conform(&format!("{name}: Value must be true or false")));
        }
        "String" => {
            let length = i64::try_from(value.chars().count()).unwrap_or(i64::MAX);
            if attribute.least.is_some_and(|least| length < least) {
                return Err(conform(&format!("{name}: String must be longer")));
            }
            if let Some(most) = attribute.most.filter(|most| length > *most) {
                return Err(conform(&format!(
                    "{name}: String must be no longer than {most} characters"
                )));
            }
        }
        _ => {}
    }
    if name == "email" && !looks_like_email(value) {
        return Err(invalid("Invalid email address format."));
    }
    if name == "phone_number" && !looks_like_phone(value) {
        return Err(invalid("Invalid phone number format."));
    }
    Ok(())
}

fn conform(problem: &str) -> super::ApiError {
    invalid(format!("Attributes did not conform to the schema: {problem}\n"))
}

pub(crate) fn looks_like_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !value.contains(char::is_whitespace)
    })
}

pub(crate) fn looks_like_phone(value: &str) -> bool {
    value
        .strip_prefix('+')
        .is_some_and(|digits| (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
