//! The file of an import job: its header, its rows, and the user that a row makes.
//!
//! Source: "Importing users into user pools from a CSV file", Amazon Cognito developer guide. Where the guide leaves a choice,
//! the stricter one is taken, so that what passes here passes at AWS: see the notes on the functions.
//!
//! Invariant: a pure function of file, pool and time; a row that is not taken changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::random::Random;
use super::schema::{self, Writer};
use super::sign_up::{self, NewName};
use super::state::{Pool, Status};

/// 100 MB. AWS does not say whether it counts in powers of ten or of two.
const MOST_BYTES: usize = 100_000_000;
const MOST_ROWS: usize = 500_000;
const MOST_CHARACTERS: usize = 16_000;
const USERNAME: &str = "cognito:username";
const MFA: &str = "cognito:mfa_enabled";
const ADDRESSES: [&str; 2] = ["email", "phone_number"];

/// A file that can be read.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    columns: Vec<String>,
    /// Where the first row begins, in bytes.
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Imported,
    /// The user exists already.
    Skipped,
    Failed,
}

/// The columns: the schema's attributes in AWS's order, custom ones behind them, then the two that are no attributes.
pub(crate) fn header(pool: &Pool) -> Vec<String> {
    let standard = schema::importable().map(str::to_owned);
    let custom = pool.schema.keys().filter(|name| name.starts_with("custom:")).cloned();
    let others = [MFA, USERNAME].map(str::to_owned);
    standard.chain(custom).chain(others).collect()
}

/// Reads the header and counts the rows; `Err` is the message of a job that fails as a whole.
///
/// The guide gives the limits without saying what exceeding them does: here it fails the job. So does a header that is not
/// exactly the pool's columns, in any order.
pub(crate) fn open(pool: &Pool, file: &[u8]) -> Result<Opened, &'static str> {
    if file.len() > MOST_BYTES {
        return Err("The CSV file is larger than 100 MB.");
    }
    let text = std::str::from_utf8(file).map_err(|_| "The CSV file is not encoded in UTF-8.")?;
    if text.starts_with('\u{feff}') {
        return Err("The CSV file begins with a byte order mark.");
    }
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let columns: Vec<String> = fields(first);
    let named: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    let wanted = header(pool);
    let wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    if named != wanted || named.len() != columns.len() {
        return Err("The header of the CSV file does not match the attributes of the user pool.");
    }
    let mut rows = 0;
    for line in lines {
        if line.chars().count() > MOST_CHARACTERS {
            return Err("A row of the CSV file is longer than 16,000 characters.");
        }
        rows += 1;
    }
    if rows > MOST_ROWS {
        return Err("The CSV file has more than 500,000 rows.");
    }
    let first_row = text.find('\n').map_or(text.len(), |end| end + 1);
    Ok(Opened {
        columns,
        first_row,
        rows,
    })
}

/// The values of a row, trimmed. A backslash stands for itself unless a comma follows it.
fn fields(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut field = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.peek() == Some(&',') => {
                field.push(',');
                letters.next();
            }
            ',' => all.push(std::mem::take(&mut field).trim().to_owned()),
            other => field.push(other),
        }
    }
    all.push(field.trim().to_owned());
    all
}

/// Makes the user of a row.
pub(crate) fn import(pool: &mut Pool, random: &mut Random, file: &Opened, line: &str, at: i64) -> Fate {
    match read(pool, &file.columns, line) {
        Ok(row) => {
            let status = status(pool, &row.attributes);
            let mut user = sign_up::user(random.uuid(), row.name, row.attributes, status, at);
            user.factors.sms = row.mfa && pool.sms_mfa && user.attribute("phone_number").is_some();
            pool.insert(user, at);
            Fate::Imported
        }
        Err(fate) => fate,
    }
}

struct Row {
    name: NewName,
    attributes: BTreeMap<String, String>,
    mfa: bool,
}

/// Quotation marks fail their row wherever they stand: the guide forbids them around a value, and does not say what they do
/// inside one. So does an alias that another user holds.
fn read(pool: &Pool, columns: &[String], line: &str) -> Result<Row, Fate> {
    let values = fields(line);
    if values.len() != columns.len() || line.contains('"') {
        return Err(Fate::Failed);
    }
    let mut attributes: BTreeMap<String, String> = columns
        .iter()
        .cloned()
        .zip(values)
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let username = attributes.remove(USERNAME).ok_or(Fate::Failed)?;
    let mfa = mfa(pool, attributes.remove(MFA).as_deref())?;
    for (name, value) in &mut attributes {
        if name.ends_with("_verified") {
            *value = value.to_lowercase();
        }
    }
    let name = sign_up::new_name(pool, &username).map_err(|error| fate_of(&error.code))?;
    if let Some(attribute) = name.attribute {
        attributes.entry(attribute.to_owned()).or_insert(username);
    }
    if !is_reachable(pool, &attributes) || attributes.get("birthdate").is_some_and(|date| !is_american(date)) {
        return Err(Fate::Failed);
    }
    let writes: Vec<(&str, &str)> = attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    schema::check(pool, &writes, Writer::Administrator, true)
        .and_then(|()| schema::check_required(pool, |attribute| attributes.contains_key(attribute)))
        .and_then(|()| sign_up::check_username_attributes(pool, &attributes))
        .map_err(|error| fate_of(&error.code))?;
    if takes_an_alias(pool, &attributes) {
        return Err(Fate::Failed);
    }
    Ok(Row { name, attributes, mfa })
}

fn fate_of(code: &str) -> Fate {
    if code == "UsernameExistsException" {
        Fate::Skipped
    } else {
        Fate::Failed
    }
}

fn is_verified(attributes: &BTreeMap<String, String>, address: &str) -> bool {
    attributes
        .get(&format!("{address}_verified"))
        .is_some_and(|value| value == "true")
}

/// At least one address that the pool verifies automatically is verified, and each verified one is there.
fn is_reachable(pool: &Pool, attributes: &BTreeMap<String, String>) -> bool {
    let verified = ADDRESSES.map(|address| is_verified(attributes, address).then_some(address));
    let mut verified = verified.into_iter().flatten().peekable();
    let automatic = |address: &str| pool.lists("AutoVerifiedAttributes", "", address);
    verified.clone().any(automatic) && verified.all(|address| attributes.contains_key(address))
}

/// What the column asks for; blank means what the pool demands.
fn mfa(pool: &Pool, given: Option<&str>) -> Result<bool, Fate> {
    let mode = pool.setting("MfaConfiguration", "").and_then(serde_json::Value::as_str);
    let asked = match given.map(str::to_lowercase).as_deref() {
        None => return Ok(mode == Some("ON")),
        Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Fate::Failed),
    };
    match mode {
        Some("ON") if !asked => Err(Fate::Failed),
        Some("OFF") if asked => Err(Fate::Failed),
        _ => Ok(asked),
    }
}

/// `mm/dd/yyyy`, the only form that the file may have. It is stored as it comes: AWS does not say what becomes of it.
fn is_american(date: &str) -> bool {
    let parts: Vec<&str> = date.split('/').collect();
    let number = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| part.parse::<u32>().ok())
    };
    match parts[..] {
        [month, day, year] if (month.len(), day.len(), year.len()) == (2, 2, 4) => {
            let within = |part: &str, most: u32| number(part).flatten().is_some_and(|n| (1..=most).contains(&n));
            within(month, 12) && within(day, 31) && within(year, 9999)
        }
        _ => false,
    }
}

fn takes_an_alias(pool: &Pool, attributes: &BTreeMap<String, String>) -> bool {
    pool.alias_attributes
        .iter()
        .filter(|alias| *alias == "preferred_username" || is_verified(attributes, alias))
        .any(|alias| {
            let value = attributes.get(alias);
            value.is_some_and(|value| pool.alias_owner(alias, value).is_some())
        })
}

/// Users who can sign in without a password need none; all others have to set one first.
fn status(pool: &Pool, attributes: &BTreeMap<String, String>) -> Status {
    if sign_up::is_passwordless(pool, attributes) {
        Status::Confirmed
    } else {
        Status::ResetRequired
    }
}
