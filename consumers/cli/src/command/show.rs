//! `twinpool show`: one user's record as the backup has it.

use std::collections::BTreeMap;

use serde::Serialize;
use twinpool_shared::{
    adapter::lookup::INDEXES,
    error::Error,
    group::GroupRecord,
    item::{UserItem, undelete_key},
    personal::Personal,
    port::Backup,
    time::Timestamp,
    user::{Facet, UserRecord},
};

use crate::{arguments::personal, context::Context, exit::Exit, fields, mask::Masking, output::Output, who};

/// Arguments of `show`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// sub, user name, e-mail address, phone number or preferred user name
    #[arg(value_name = "USER", value_parser = personal)]
    user: Personal,
}

/// A group of the user.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Membership {
    group: String,
    /// Whether the membership is in force.
    counts: bool,
    why: String,
}

/// The document.
#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    alive: bool,
    version: u64,
    written_at: Timestamp,
    /// When DynamoDB removes the item; deleted users only.
    expires_at: Option<Timestamp>,
    /// Whether an import is to bring the user back.
    marked: bool,
    memberships: Vec<Membership>,
    /// Indexes that find the user.
    indexes: Vec<&'static str>,
    record: UserRecord,
}

/// Shows a user, or lists those whom the name may mean.
///
/// # Errors
/// As the table answers; `NotFound` when nobody is meant.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let connection = context.connect().await?;
    let backup = connection.backup(table);
    let found = who::find(&backup, &connection.lookup(table), pool, &args.user).await?;
    let [item] = found.as_slice() else {
        return who::ask(&context.output, pool, &found);
    };
    let groups = backup.groups(pool).await?;
    let groups = groups
        .into_iter()
        .map(|group| (group.record.name.clone(), group.record))
        .collect();
    let marked = backup.document(&undelete_key(pool, &item.record.sub)).await?.is_some();
    let shown = shown(item, &groups, marked, context.output.masking);
    if context.output.json {
        context.output.document("show", pool, &shown)?;
    } else {
        print(&context.output, &shown)?;
    }
    Ok(Exit::Ok)
}

fn shown(item: &UserItem, groups: &BTreeMap<String, GroupRecord>, marked: bool, masking: Masking) -> Shown {
    let memberships = item.record.groups.iter().flat_map(|facet| {
        facet
            .data
            .iter()
            .map(|name| membership(name, groups.get(name), facet.as_of))
    });
    let keys = [
        &item.gsi_username,
        &item.gsi_email,
        &item.gsi_phone,
        &item.gsi_preferred_username,
    ];
    Shown {
        alive: item.record.is_alive(),
        version: item.version,
        written_at: item.written_at,
        expires_at: item.expires_at.map(of_seconds),
        marked,
        memberships: memberships.collect(),
        indexes: INDEXES
            .iter()
            .zip(keys)
            .filter_map(|((index, _), key)| key.is_some().then_some(*index))
            .collect(),
        record: masking.record(&item.record),
    }
}

/// A TTL as an instant.
pub(super) fn of_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1_000))
}

fn membership(name: &str, group: Option<&GroupRecord>, as_of: Timestamp) -> Membership {
    let why = match group {
        None => "the group was never read".to_owned(),
        Some(group) if group.counts(as_of) => "the group exists".to_owned(),
        Some(group) if !group.is_alive() => match &group.deleted {
            Some(tombstone) => format!("the group was deleted at {}", tombstone.at),
            None => "the group was deleted".to_owned(),
        },
        Some(group) => match &group.settings {
            Some(settings) => format!("the group was created anew at {}", settings.data.created),
            None => "the group was created anew".to_owned(),
        },
    };
    Membership {
        group: name.to_owned(),
        counts: group.is_none_or(|group| group.counts(as_of)),
        why,
    }
}

fn print(output: &Output, shown: &Shown) -> Result<(), Error> {
    let record = &shown.record;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |field: &str, value: String, stamp: String| rows.push(vec![field.to_owned(), value, stamp]);
    row("sub", record.sub.to_string(), String::new());
    row(
        "state",
        if shown.alive { "alive" } else { "deleted" }.to_owned(),
        String::new(),
    );
    if let Some(tombstone) = record.deleted.as_ref().filter(|_| !shown.alive) {
        row("deleted", tombstone.at.to_string(), tombstone.cause.clone());
        let kept = match shown.expires_at {
            Some(at) => format!("until {at}"),
            None => "for good".to_owned(),
        };
        row("kept", kept, String::new());
        row(
            "undelete",
            if shown.marked { "marked" } else { "not marked" }.to_owned(),
            String::new(),
        );
    }
    row(
        "version",
        shown.version.to_string(),
        format!("written {}", shown.written_at),
    );
    if let Some(facet) = &record.attributes {
        row("user name", facet.data.username.expose().to_owned(), stamp(facet));
        for (name, value) in &facet.data.values {
            row(name, value.expose().to_owned(), stamp(facet));
        }
    }
    if let Some(facet) = &record.status {
        row("status", facet.data.clone(), stamp(facet));
    }
    if let Some(facet) = &record.account {
        row("enabled", facet.data.enabled.to_string(), stamp(facet));
        row("created", facet.data.created.to_string(), stamp(facet));
        row("modified", facet.data.modified.to_string(), stamp(facet));
    }
    if let Some(facet) = &record.groups {
        for membership in &shown.memberships {
            let counts = if membership.counts { "counts" } else { "does not count" };
            let value = format!("{} ({counts}: {})", membership.group, membership.why);
            row("group", value, stamp(facet));
        }
        if shown.memberships.is_empty() {
            row("groups", "none".to_owned(), stamp(facet));
        }
    }
    if let Some(facet) = &record.factors {
        row("factors", fields::list(&facet.data.enabled), stamp(facet));
        row(
            "preferred factor",
            facet.data.preferred.clone().unwrap_or_default(),
            stamp(facet),
        );
    }
    if let Some(due) = record.factors_due.filter(|_| record.factors_are_due()) {
        row(
            "factors changed",
            due.to_string(),
            "read at the next sign-in".to_owned(),
        );
    }
    if let Some(seen) = record.last_seen {
        row("last seen", seen.to_string(), String::new());
    }
    row("indexes", shown.indexes.join(", "), String::new());
    output.table(&["field", "value", "as of, source"], &rows)
}

fn stamp<T>(facet: &Facet<T>) -> String {
    format!("{} {}", facet.as_of, facet.source)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use twinpool_shared::{group::GroupSettings, time::EPOCH, user::Tombstone};

    use super::*;
    use crate::{
        fields::tests::{facet, record},
        output::tests::documented,
    };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn group(created: i64) -> GroupRecord {
        let mut group = GroupRecord::new("admins");
        group.settings = Some(facet(GroupSettings {
            description: None,
            precedence: None,
            role_arn: None,
            created: at(created),
            modified: at(created),
        }));
        group
    }

    #[test]
    fn a_membership_says_whether_it_counts_and_why() {
        let never_read = membership("admins", None, EPOCH);
        assert!(never_read.counts && never_read.why.contains("never read"));
        assert!(membership("admins", Some(&group(0)), EPOCH).counts);
        let anew = membership("admins", Some(&group(5_000)), EPOCH);
        assert!(
            !anew.counts && anew.why.contains("anew at 1970-01-01T00:00:05"),
            "{}",
            anew.why
        );
        let mut deleted = group(0);
        deleted.deleted = Some(Tombstone {
            at: at(1_000),
            cause: "DeleteGroup".into(),
        });
        let gone = membership("admins", Some(&deleted), EPOCH);
        assert!(
            !gone.counts && gone.why.contains("deleted at 1970-01-01T00:00:01"),
            "{}",
            gone.why
        );
    }

    #[test]
    fn what_is_shown_is_masked_and_is_what_the_documentation_shows() {
        let item = UserItem::current("us-east-1_EXAMPLE", 7, record(), EPOCH, 100);
        let groups = BTreeMap::from([("admins".to_owned(), group(0))]);
        let shown = shown(&item, &groups, false, Masking::Masked);
        let text = serde_json::to_string(&shown).expect("JSON");
        for personal in ["ann", "example", "612345"] {
            assert!(!text.contains(personal), "{text}");
        }
        let written: Value = serde_json::to_value(&shown).expect("JSON");
        assert_eq!(written, documented("show"));
    }
}
