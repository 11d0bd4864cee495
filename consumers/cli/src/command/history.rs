//! `twinpool history`: what changed in a user's record, version by version, for as long as versions are kept.

use serde::Serialize;
use twinpool_shared::{
    error::Error,
    item::UserItem,
    personal::{Personal, Sub},
    port::Backup,
    time::Timestamp,
};

use crate::{
    arguments::personal,
    context::Context,
    exit::Exit,
    fields::{self, Changed},
    mask::Masking,
    output::Output,
    who,
};

/// Arguments of `history`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// sub, user name, e-mail address, phone number or preferred user name
    #[arg(value_name = "USER", value_parser = personal)]
    user: Personal,
}

/// A version of the record.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Version {
    version: u64,
    written_at: Timestamp,
    /// When DynamoDB removes it; `None` for the current version of a living user.
    expires_at: Option<Timestamp>,
    /// Against the version before; for the oldest that is kept, everything.
    changed: Vec<Changed>,
    /// Facets with the same content and a newer stamp.
    restamped: Vec<&'static str>,
}

/// The document.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct History {
    sub: Sub,
    /// Newest first.
    versions: Vec<Version>,
    /// Whether versions before the oldest one have expired.
    older_expired: bool,
}

/// Shows the versions, or lists those whom the name may mean.
///
/// # Errors
/// As the table answers; `NotFound` when nobody is meant.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let connection = context.connect().await?;
    let backup = connection.backup(table);
    let found = who::find(&backup, &connection.lookup(table), pool, &args.user).await?;
    let [current] = found.as_slice() else {
        return who::ask(&context.output, pool, &found);
    };
    let older = backup.user_versions(pool, &current.record.sub).await?;
    let history = history(current, &older, context.output.masking);
    if context.output.json {
        context.output.document("history", pool, &history)?;
    } else {
        print(&context.output, &history)?;
    }
    Ok(Exit::Ok)
}

/// Of the current item and the superseded ones, newest first.
fn history(current: &UserItem, older: &[UserItem], masking: Masking) -> History {
    // A crash between the two puts of a write leaves the current version put aside as well.
    let older = older.iter().filter(|item| item.version < current.version);
    let items: Vec<&UserItem> = std::iter::once(current).chain(older).collect();
    let versions = items.iter().enumerate().map(|(place, item)| {
        let before = items.get(place + 1).map(|item| &item.record);
        Version {
            version: item.version,
            written_at: item.written_at,
            expires_at: item.expires_at.map(super::show::of_seconds),
            changed: fields::changed(before, &item.record, masking),
            restamped: before
                .map(|before| fields::restamped(before, &item.record))
                .unwrap_or_default(),
        }
    });
    History {
        sub: current.record.sub.clone(),
        older_expired: items.last().is_some_and(|oldest| oldest.version > 1),
        versions: versions.collect(),
    }
}

fn print(output: &Output, history: &History) -> Result<(), Error> {
    let mut rows = Vec::new();
    for version in &history.versions {
        let mut head = [version.version.to_string(), version.written_at.to_string()];
        let mut row = |field: String, from: String, to: String| {
            let [number, written] = std::mem::take(&mut head);
            rows.push(vec![number, written, field, from, to]);
        };
        for changed in &version.changed {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            row(changed.field.clone(), value(&changed.from), value(&changed.to));
        }
        if version.changed.is_empty() {
            let what = if version.restamped.is_empty() {
                "only its end".to_owned()
            } else {
                format!("only stamps: {}", version.restamped.join(", "))
            };
            row(what, String::new(), String::new());
        }
    }
    output.table(&["version", "written", "field", "before", "after"], &rows)?;
    if history.older_expired {
        output.note("older versions have expired; the oldest one is shown whole");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use twinpool_shared::time::EPOCH;

    use super::*;
    use crate::{fields::tests::record, output::tests::documented};

    fn versions() -> (UserItem, Vec<UserItem>) {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let first = UserItem::current("p", 3, record(), EPOCH, 100);
        let mut changed = record();
        changed.status.as_mut().unwrap().data = "RESET_REQUIRED".into();
        let second = UserItem::current("p", 4, changed.clone(), at(10), 100);
        changed.status.as_mut().unwrap().as_of = at(20);
        let current = UserItem::current("p", 5, changed, at(20), 100);
        let older = vec![second.superseded(at(20), 100), first.superseded(at(10), 100)];
        (current, older)
    }

    #[test]
    fn each_version_names_what_changed_against_the_one_before() {
        let (current, older) = versions();
        let history = history(&current, &older, Masking::Masked);
        let fields = |place: usize| -> Vec<&str> {
            let changed = history.versions[place].changed.iter();
            changed.map(|changed| changed.field.as_str()).collect()
        };
        assert!(fields(0).is_empty());
        assert_eq!(history.versions[0].restamped, ["status"]);
        assert_eq!(fields(1), ["status"]);
        assert!(fields(2).len() > 10, "the oldest is shown whole");
        assert!(history.older_expired, "version 3 is the oldest that is kept");
    }

    #[test]
    fn a_version_put_aside_by_a_write_that_never_came_is_not_shown_twice() {
        let (current, mut older) = versions();
        older.insert(0, current.superseded(Timestamp::from_millis(30_000), 100));
        assert_eq!(history(&current, &older, Masking::Masked).versions.len(), 3);
    }

    #[test]
    fn the_documentation_shows_what_is_written() {
        let (current, mut older) = versions();
        older.pop();
        let mut history = history(&current, &older, Masking::Masked);
        // One changed field of the whole oldest version is enough for a page.
        history.versions[1]
            .changed
            .retain(|changed| changed.field == "attributes.email");
        assert_eq!(serde_json::to_value(&history).expect("JSON"), documented("history"));
    }
}
