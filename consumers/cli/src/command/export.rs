//! `twinpool export`: every user of the backup, one line each, as JSON lines or CSV.
//!
//! Invariant: streamed; memory does not grow with the pool.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use serde::Serialize;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    item::UserItem,
    personal::Sub,
    port::Backup,
    reconcile::effective_groups,
    time::Timestamp,
    user::UserRecord,
};

use crate::{
    context::Context,
    csv,
    exit::Exit,
    fields,
    mask::Masking,
    output::{printable, schema},
    walk::each_user,
};

/// Arguments of `export`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {
    /// JSON lines, or CSV (RFC 4180; a pass over the table for the columns comes first)
    #[arg(long, value_enum)]
    format: Format,
    /// Deleted users as well, with what was known of them
    #[arg(long)]
    include_deleted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Jsonl,
    Csv,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    schema: String,
    pool: &'a str,
    personal: &'static str,
    sub: &'a Sub,
    alive: bool,
    version: u64,
    written_at: Timestamp,
    /// Names of the groups that count; `None` when they were never read.
    groups: Option<BTreeSet<String>>,
    record: UserRecord,
}

/// Columns of CSV before those of the attributes.
const COLUMNS: [&str; 14] = [
    "sub",
    "alive",
    "username",
    "status",
    "enabled",
    "created",
    "modified",
    "groups",
    "factors",
    "preferred_factor",
    "last_seen",
    "deleted_at",
    "deleted_by",
    "version",
];

/// Writes the users.
///
/// # Errors
/// As the table answers.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let backup = context.connect().await?.backup(table);
    if context.output.masking == Masking::Masked {
        context
            .output
            .note("names, addresses and other attribute values are masked; --show-personal writes them in full");
    }
    let groups = backup.groups(pool).await?;
    let groups: BTreeMap<String, GroupRecord> = groups
        .into_iter()
        .map(|group| (group.record.name.clone(), group.record))
        .collect();
    match args.format {
        Format::Jsonl => {
            let line = |user: &UserItem| json_line(pool, user, &groups, context.output.masking);
            write_all(context, &backup, pool, args.include_deleted, line).await?;
            Ok(Exit::Ok)
        }
        Format::Csv => csv(context, &backup, pool, args.include_deleted, &groups).await,
    }
}

async fn csv<B: Backup>(
    context: &Context,
    backup: &B,
    pool: &str,
    include_deleted: bool,
    groups: &BTreeMap<String, GroupRecord>,
) -> Result<Exit, Error> {
    let mut attributes: BTreeSet<String> = BTreeSet::new();
    each_user(context, backup, pool, |user| {
        if include_deleted || user.record.is_alive() {
            let names = user.record.attributes.iter().flat_map(|facet| facet.data.values.keys());
            for name in names {
                if !attributes.contains(name) {
                    attributes.insert(name.clone());
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    let header = COLUMNS.into_iter().chain(attributes.iter().map(String::as_str));
    context.output.write(&csv::record(header))?;
    // Written between the two passes: its column is not in the header any more.
    let mut late: BTreeSet<String> = BTreeSet::new();
    let line = |user: &UserItem| {
        let names = user.record.attributes.iter().flat_map(|facet| facet.data.values.keys());
        late.extend(names.filter(|name| !attributes.contains(*name)).cloned());
        Ok(csv_line(user, groups, &attributes, context.output.masking))
    };
    write_all(context, backup, pool, include_deleted, line).await?;
    if late.is_empty() {
        return Ok(Exit::Ok);
    }
    let names: Vec<String> = late.iter().map(|name| printable(name)).collect();
    context.output.note(&format!(
        "attributes that appeared while the export ran are not in it: {}; run it again",
        names.join(", ")
    ));
    Ok(Exit::Partial)
}

async fn write_all<B: Backup>(
    context: &Context,
    backup: &B,
    pool: &str,
    include_deleted: bool,
    mut line: impl FnMut(&UserItem) -> Result<String, Error>,
) -> Result<(), Error> {
    each_user(context, backup, pool, |user| {
        if include_deleted || user.record.is_alive() {
            context.output.write(&line(&user)?)?;
        }
        Ok(if context.output.is_closed() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })
    .await
}

fn json_line(
    pool: &str,
    user: &UserItem,
    groups: &BTreeMap<String, GroupRecord>,
    masking: Masking,
) -> Result<String, Error> {
    let line = Line {
        schema: schema("export"),
        pool,
        personal: masking.as_str(),
        sub: &user.record.sub,
        alive: user.record.is_alive(),
        version: user.version,
        written_at: user.written_at,
        groups: counting(&user.record, groups),
        record: masking.record(&user.record),
    };
    let text = serde_json::to_string(&line);
    let text = text.map_err(|_| Error::new(ErrorKind::Rejected, "a user could not be written as JSON"))?;
    Ok(format!("{text}\n"))
}

/// Names of the groups that count, unless the user's groups were never read.
fn counting(record: &UserRecord, groups: &BTreeMap<String, GroupRecord>) -> Option<BTreeSet<String>> {
    record.groups.is_some().then(|| effective_groups(record, groups))
}

fn csv_line(
    user: &UserItem,
    groups: &BTreeMap<String, GroupRecord>,
    attributes: &BTreeSet<String>,
    masking: Masking,
) -> String {
    let record = masking.record(&user.record);
    let text = |instant: Option<Timestamp>| instant.map(|instant| instant.to_string()).unwrap_or_default();
    let account = record.account.as_ref().map(|facet| &facet.data);
    let factors = record.factors.as_ref().map(|facet| &facet.data);
    let deleted = record.deleted.as_ref().filter(|_| !record.is_alive());
    let own = [
        record.sub.to_string(),
        record.is_alive().to_string(),
        record
            .username()
            .map(|name| name.expose().to_owned())
            .unwrap_or_default(),
        record
            .status
            .as_ref()
            .map(|facet| facet.data.clone())
            .unwrap_or_default(),
        account.map(|account| account.enabled.to_string()).unwrap_or_default(),
        text(account.map(|account| account.created)),
        text(account.map(|account| account.modified)),
        counting(&record, groups)
            .map(|names| fields::list(&names))
            .unwrap_or_default(),
        factors
            .map(|factors| fields::list(&factors.enabled))
            .unwrap_or_default(),
        factors
            .and_then(|factors| factors.preferred.clone())
            .unwrap_or_default(),
        text(record.last_seen),
        text(deleted.map(|tombstone| tombstone.at)),
        deleted.map(|tombstone| tombstone.cause.clone()).unwrap_or_default(),
        user.version.to_string(),
    ];
    let values = record.attributes.as_ref().map(|facet| &facet.data.values);
    let values = attributes.iter().map(|name| {
        let value = values.and_then(|values| values.get(name));
        value.map(|value| value.expose()).unwrap_or_default()
    });
    csv::record(own.iter().map(String::as_str).chain(values))
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{personal::Personal, time::EPOCH};

    use super::*;
    use crate::{fields::tests::record, output::tests::documented_document};

    fn user() -> UserItem {
        UserItem::current("us-east-1_EXAMPLE", 7, record(), EPOCH, 100)
    }

    #[test]
    fn a_line_of_json_is_one_line_and_is_what_the_documentation_shows() {
        let line = json_line("us-east-1_EXAMPLE", &user(), &BTreeMap::new(), Masking::Masked).expect("JSON");
        assert_eq!(line.matches('\n').count(), 1);
        let written: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(written, documented_document("export"));
    }

    #[test]
    fn csv_has_a_cell_for_every_column_whatever_the_user_has() {
        let attributes: BTreeSet<String> = ["email".to_owned(), "custom:plan".to_owned()].into();
        let line = csv_line(&user(), &BTreeMap::new(), &attributes, Masking::Shown);
        let cells = "3c9a1b2d-0051-7076-79e2-0123456789ab,true,ann,CONFIRMED,true,1970-01-01T00:00:00.000Z,\
                     1970-01-01T00:00:00.000Z,\"[\"\"admins\"\",\"\"staff\"\"]\",\"[\"\"SOFTWARE_TOKEN_MFA\"\"]\",\
                     SOFTWARE_TOKEN_MFA,,,,7,,ann@example.com\r\n";
        assert_eq!(line, cells);
    }

    #[test]
    fn groups_that_were_never_read_are_not_none() {
        let mut user = user();
        user.record.groups = None;
        let line = csv_line(&user, &BTreeMap::new(), &BTreeSet::new(), Masking::Masked);
        assert!(!line.contains("[]"), "{line}");
        let json = json_line("p", &user, &BTreeMap::new(), Masking::Masked).expect("JSON");
        assert!(json.contains("\"groups\":null"), "{json}");
    }

    #[test]
    fn personal_values_are_masked_in_both_formats() {
        let mut user = user();
        let values = &mut user.record.attributes.as_mut().unwrap().data.values;
        values.insert("address".into(), Personal::new("Main Street 1"));
        let attributes: BTreeSet<String> = values.keys().cloned().collect();
        let csv = csv_line(&user, &BTreeMap::new(), &attributes, Masking::Masked);
        let json = json_line("p", &user, &BTreeMap::new(), Masking::Masked).expect("JSON");
        for personal in ["ann", "example.com", "612345", "Main"] {
            assert!(!csv.contains(personal), "{csv}");
            assert!(!json.contains(personal), "{json}");
        }
        assert!(csv.contains("M***"), "{csv}");
    }
}
