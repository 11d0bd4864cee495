//! Users as the CSV file of an import job.
//!
//! Rules: developer guide, "Importing users into user pools from a CSV file". The columns are those of `GetCSVHeader`, all of
//! them; a comma in a value is written `\,`; nothing is quoted; white space around a value is trimmed; the file is UTF-8 without
//! byte order mark. The guide does not say what becomes of a backslash that stands before no comma, of a quotation mark or of
//! a line break within a value, so such users go by the API.
//!
//! Invariant: a value arrives as it is in the backup, or its user does not go by the file. Only a date of birth changes its form.

pub mod part;
pub mod unfit;

use std::collections::BTreeSet;

use serde_json::Value;

pub use self::{
    part::{PART_MAX, Part, PartLimit},
    unfit::Unfit,
};
use super::{ORIGINAL_SUB, recreate::Recreation, shape::Shape};
use crate::{
    error::{Error, ErrorKind},
    personal::Personal,
};

/// Longest row, in characters.
pub const ROW_CHARS_MAX: usize = 16_000;
/// The column of the user name.
const USERNAME: &str = "cognito:username";

/// The columns of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    columns: Vec<String>,
}

impl Header {
    /// The columns that `answer`, of `GetCSVHeader`, names.
    ///
    /// # Errors
    /// `Unavailable` when it is no such answer, and `BadSetting` when a file with these columns cannot bring users back so that
    /// they are found again.
    pub fn of(answer: &Value) -> Result<Self, Error> {
        let broken = || {
            Error::new(
                ErrorKind::Unavailable,
                "GetCSVHeader answered without a list of columns",
            )
        };
        let columns = answer.get("CSVHeader").and_then(Value::as_array).ok_or_else(broken)?;
        let columns = columns
            .iter()
            .map(|name| name.as_str().map(str::to_owned).ok_or_else(broken));
        let columns: Vec<String> = columns.collect::<Result<_, _>>()?;
        let refuse = |problem: &str| {
            let what = format!("users cannot go by a CSV file: {problem}; plan with --users api");
            Err(Error::new(ErrorKind::BadSetting, what))
        };
        for needed in [USERNAME, ORIGINAL_SUB] {
            if !columns.iter().any(|name| name == needed) {
                return refuse(&format!("it has no column {needed}"));
            }
        }
        if columns.iter().collect::<BTreeSet<_>>().len() < columns.len() {
            return refuse("two of its columns have the same name");
        }
        if columns.iter().any(|name| !is_plain(name) || name.contains(',')) {
            return refuse("the name of a custom attribute has a comma, a backslash or a quotation mark");
        }
        Ok(Self { columns })
    }

    /// The first line, without its end.
    #[must_use]
    pub fn line(&self) -> String {
        self.columns.join(",")
    }

    /// The row of a user, without its end. `target` is the shape of the pool that gave the columns.
    ///
    /// # Errors
    /// Why this user goes by the API.
    pub fn row(&self, user: &Recreation, target: &Shape) -> Result<Personal, Unfit> {
        unfit::check(user, target)?;
        let known = |name: &String| self.columns.contains(name);
        if !user.attributes.keys().all(known) {
            return Err(Unfit::NoColumn);
        }
        let mut row = String::new();
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                row.push(',');
            }
            let value = match column.as_str() {
                USERNAME => Some(&user.username),
                _ => user.attributes.get(column),
            };
            if let Some(value) = value {
                row.push_str(&field(column, value.expose())?);
            }
        }
        if row.chars().count() > ROW_CHARS_MAX {
            return Err(Unfit::RowTooLong);
        }
        Ok(Personal::new(row))
    }
}

/// A value as it stands in the file.
fn field(column: &str, value: &str) -> Result<String, Unfit> {
    if !is_plain(value) {
        return Err(Unfit::Characters);
    }
    match column {
        "birthdate" => birthdate(value).ok_or(Unfit::Birthdate),
        // As in the guide's example.
        "email_verified" | "phone_number_verified" => Ok(value.to_ascii_uppercase()),
        USERNAME if value.contains(char::is_whitespace) => Err(Unfit::Characters),
        _ => Ok(value.replace(',', "\\,")),
    }
}

/// Whether the file can hold `text` without doubt about how it is read.
fn is_plain(text: &str) -> bool {
    let doubtful = |c: char| c.is_control() || matches!(c, '\\' | '"' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    text.trim() == text && !text.contains(doubtful)
}

/// A date of birth in the form of the file, `mm/dd/yyyy`, from that of the attribute, `yyyy-mm-dd`, or from its own. Year 0,
/// by which OpenID Connect leaves the year out, is no date there.
pub(super) fn birthdate(value: &str) -> Option<String> {
    let parts = |separator| -> Option<[&str; 3]> { value.split(separator).collect::<Vec<_>>().try_into().ok() };
    let (year, month, day) = match (parts('-'), parts('/')) {
        (Some([year, month, day]), _) => (year, month, day),
        (None, Some([month, day, year])) => (year, month, day),
        (None, None) => return None,
    };
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let within = |text: &str, most: u8| text.parse().is_ok_and(|number: u8| (1..=most).contains(&number));
    let is_date =
        digits(year, 4) && year != "0000" && digits(month, 2) && digits(day, 2) && within(month, 12) && within(day, 31);
    is_date.then(|| format!("{month}/{day}/{year}"))
}
