//! A plan as a file: JSON with a checksum.
//!
//! The checksum is no signature. It finds a file that was cut off, merged or edited by hand; whoever may run `apply` may also
//! make a plan.
//!
//! Invariant: what [`open`] returns is what [`seal`] was given; everything else is refused, with what to do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Plan, SCHEMA};
use crate::{
    canon::content_hash,
    error::{Error, ErrorKind},
};

/// What the name of every version of the format begins with.
const SCHEMA_FAMILY: &str = "twinpool.plan.v";

#[derive(Serialize)]
struct Sealed<'a> {
    schema: &'static str,
    checksum: String,
    plan: &'a Plan,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Opened {
    schema: String,
    checksum: String,
    plan: Plan,
}

/// `plan` as the text of a file.
///
/// # Errors
/// `Rejected`: never, for a plan that was made here.
pub fn seal(plan: &Plan) -> Result<String, Error> {
    let sealed = Sealed {
        schema: SCHEMA,
        checksum: content_hash(plan).to_string(),
        plan,
    };
    let text = serde_json::to_string_pretty(&sealed)
        .map_err(|_| Error::new(ErrorKind::Rejected, "the plan could not be written as JSON"))?;
    Ok(format!("{text}\n"))
}

/// The plan in `text`.
///
/// # Errors
/// `Newer` for a format that this version does not know, `BadSetting` for anything else that is no plan as it was written.
pub fn open(text: &str) -> Result<Plan, Error> {
    let refuse = |what: &str| {
        Error::new(
            ErrorKind::BadSetting,
            format!("{what}: make a new plan with twinpool plan; a plan is not edited by hand"),
        )
    };
    let value: Value = serde_json::from_str(text).map_err(|error| {
        refuse(if error.is_eof() {
            "the plan file is cut off"
        } else {
            "the plan file is no JSON"
        })
    })?;
    let schema = value.get("schema").and_then(Value::as_str).unwrap_or_default();
    if schema != SCHEMA {
        return Err(if schema.starts_with(SCHEMA_FAMILY) {
            let what = format!("the plan has the format {schema}, and this twinpool knows {SCHEMA}");
            Error::new(ErrorKind::Newer, what)
        } else {
            refuse("the file is no plan of twinpool's")
        });
    }
    // The values of a file that somebody edited are not quoted.
    let opened: Opened = serde_json::from_value(value)
        .map_err(|_| refuse("the plan file was edited: it has members that are missing, unknown or of another kind"))?;
    if opened.schema != SCHEMA || content_hash(&opened.plan).to_string() != opened.checksum {
        return Err(refuse("the plan file was edited: its checksum is another"));
    }
    Ok(opened.plan)
}

#[cfg(test)]
mod tests;
