//! `twinpool undelete`: lists deleted users, and marks those that an import is to bring back.
//!
//! A mark is a document beside the pool's, and the user's tombstone without its end, so that the record is still there when
//! the import comes.
//!
//! Invariant: nothing is written to the user pool, and no user's record changes but for its end.

mod marks;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use serde::Serialize;
use twinpool_shared::{
    adapter::lambda::now,
    error::{Error, ErrorKind},
    item::{UserItem, undelete_marks},
    personal::Sub,
    port::Backup,
    settings::{RETENTION_DAYS_DEFAULT, RETENTION_DAYS_MIN},
    time::Timestamp,
};

use self::marks::Marks;
use super::show::of_seconds;
use crate::{context::Context, exit::Exit, instant, mask::Masking, output::Output, walk::each_user};

/// Arguments of `undelete`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Only users deleted at this instant or later: RFC 3339, or a date
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    since: Option<Timestamp>,
    /// Mark these users for the next import
    #[arg(long, value_name = "SUB", num_args = 1.., value_parser = sub, conflicts_with_all = ["mark_all", "unmark"])]
    mark: Vec<Sub>,
    /// Mark every deleted user that the list shows
    #[arg(long, conflicts_with = "unmark")]
    mark_all: bool,
    /// Take the marks of these users away; their records expire after the retention, counted anew
    #[arg(long, value_name = "SUB", num_args = 1.., value_parser = sub)]
    unmark: Vec<Sub>,
    /// Days that a tombstone is kept
    #[arg(long, value_name = "DAYS", env = "TWINPOOL_RETENTION_DAYS", hide_env_values = true, default_value_t = RETENTION_DAYS_DEFAULT,
          value_parser = clap::value_parser!(i64).range(RETENTION_DAYS_MIN..=3_650))]
    retention_days: i64,
}

fn sub(text: &str) -> Result<Sub, String> {
    Sub::new(text).ok_or_else(|| "not a sub; twinpool show finds the sub of a name".to_owned())
}

/// A deleted user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Deleted {
    sub: Sub,
    username: Option<String>,
    deleted_at: Timestamp,
    /// The call that announced it.
    deleted_by: String,
    /// When DynamoDB removes the record; `None` while it is kept.
    expires_at: Option<Timestamp>,
    /// Whether the next import is to bring the user back.
    marked: bool,
}

/// The document.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Listed {
    /// Newest deletion first.
    deleted: Vec<Deleted>,
    /// Users marked by this command.
    newly_marked: Vec<Sub>,
    /// Users whose mark this command took away.
    unmarked: Vec<Sub>,
    /// Users for whom it could not be done, with the reason.
    failed: BTreeMap<Sub, String>,
}

/// Lists, marks and unmarks.
///
/// # Errors
/// As the table answers. What fails for one user only is named, and the rest is done.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let connection = context.connect().await?;
    if args.mark_all || !args.mark.is_empty() || !args.unmark.is_empty() {
        connection.writes_at_home()?;
    }
    let backup = connection.backup(table);
    let marks = Marks {
        backup: &backup,
        pool,
        retention_seconds: args.retention_days * 86_400,
    };
    let mut done = Done::default();
    for sub in &args.mark {
        done.note(sub, marks.mark(sub, now()).await, true)?;
    }
    for sub in &args.unmark {
        done.note(sub, marks.unmark(sub, now()).await, false)?;
    }
    let mut deleted = list(context, &backup, pool, args.since).await?;
    if args.mark_all {
        for user in &mut deleted {
            let outcome = marks.mark(&user.sub, now()).await;
            if outcome.is_ok() {
                (user.marked, user.expires_at) = (true, None);
            }
            done.note(&user.sub, outcome, true)?;
        }
    }
    let listed = Listed {
        deleted,
        newly_marked: done.marked,
        unmarked: done.unmarked,
        failed: done.failed,
    };
    if context.output.json {
        context.output.document("undelete", pool, &listed)?;
    } else {
        print(&context.output, &listed)?;
    }
    Ok(if listed.failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Partial
    })
}

/// What this command did.
#[derive(Default)]
struct Done {
    marked: Vec<Sub>,
    unmarked: Vec<Sub>,
    failed: BTreeMap<Sub, String>,
}

impl Done {
    /// Notes what became of one user. What is wrong with one user only does not stop the others.
    fn note(&mut self, sub: &Sub, outcome: Result<bool, Error>, marking: bool) -> Result<(), Error> {
        match outcome {
            Ok(true) if marking => self.marked.push(sub.clone()),
            Ok(true) => self.unmarked.push(sub.clone()),
            Ok(false) => {}
            Err(error) if [ErrorKind::NotFound, ErrorKind::Contended, ErrorKind::BadItem].contains(&error.kind) => {
                self.failed.insert(sub.clone(), error.what);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

async fn list<B: Backup>(
    context: &Context,
    backup: &B,
    pool: &str,
    since: Option<Timestamp>,
) -> Result<Vec<Deleted>, Error> {
    let first = undelete_marks(pool);
    let marks = backup.documents(&first.pk, &first.sk).await?;
    let marked: BTreeSet<&str> = marks
        .iter()
        .filter_map(|mark| mark.key.sk.strip_prefix(&first.sk))
        .collect();
    let mut deleted = Vec::new();
    each_user(context, backup, pool, |user| {
        let found = deleted_user(&user, &marked, context.output.masking);
        deleted.extend(found.filter(|user| since.is_none_or(|since| user.deleted_at >= since)));
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    deleted.sort_by(|one, two| (two.deleted_at, &two.sub).cmp(&(one.deleted_at, &one.sub)));
    Ok(deleted)
}

fn deleted_user(user: &UserItem, marked: &BTreeSet<&str>, masking: Masking) -> Option<Deleted> {
    let record = &user.record;
    let tombstone = record.deleted.as_ref().filter(|_| !record.is_alive())?;
    Some(Deleted {
        sub: record.sub.clone(),
        username: record.username().map(|name| masking.username(&record.sub, name)),
        deleted_at: tombstone.at,
        deleted_by: tombstone.cause.clone(),
        expires_at: user.expires_at.map(of_seconds),
        marked: marked.contains(record.sub.as_str()),
    })
}

fn print(output: &Output, listed: &Listed) -> Result<(), Error> {
    let rows: Vec<Vec<String>> = listed
        .deleted
        .iter()
        .map(|user| {
            let kept = user.expires_at.map(|at| at.to_string());
            vec![
                user.sub.to_string(),
                user.username.clone().unwrap_or_default(),
                user.deleted_at.to_string(),
                user.deleted_by.clone(),
                kept.unwrap_or_else(|| "kept".to_owned()),
                if user.marked { "marked" } else { "" }.to_owned(),
            ]
        })
        .collect();
    output.table(
        &["sub", "user name", "deleted at", "deleted by", "expires", "undelete"],
        &rows,
    )?;
    for (sub, reason) in &listed.failed {
        output.note(&format!("{sub}: {reason}"));
    }
    output.note(&format!(
        "{} deleted users; {} newly marked, {} unmarked, {} failed",
        listed.deleted.len(),
        listed.newly_marked.len(),
        listed.unmarked.len(),
        listed.failed.len()
    ));
    let expiring = listed
        .deleted
        .iter()
        .filter(|user| user.marked && user.expires_at.is_some());
    if expiring.count() > 0 {
        output.note("some marked users expire all the same: mark them again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{time::EPOCH, user::Tombstone};

    use super::*;
    use crate::{fields::tests::record, output::tests::documented};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn tombstone() -> UserItem {
        let mut record = record();
        record.deleted = Some(Tombstone {
            at: at(10),
            cause: "AdminDeleteUser".into(),
        });
        UserItem::current("p", 3, record, at(11), 100)
    }

    #[test]
    fn only_the_deleted_are_listed_with_their_end_and_mark() {
        let living = UserItem::current("p", 3, record(), EPOCH, 100);
        assert_eq!(deleted_user(&living, &BTreeSet::new(), Masking::Masked), None);
        let deleted = deleted_user(&tombstone(), &BTreeSet::new(), Masking::Masked).expect("deleted");
        assert_eq!((deleted.expires_at, deleted.marked), (Some(at(111)), false));
        let sub = record().sub;
        let marked = BTreeSet::from([sub.as_str()]);
        assert!(deleted_user(&tombstone(), &marked, Masking::Masked).is_some_and(|user| user.marked));
    }

    #[test]
    fn what_is_wrong_with_one_user_does_not_stop_the_others() {
        let mut done = Done::default();
        let (one, two) = (Sub::new("a").expect("a sub"), Sub::new("b").expect("a sub"));
        let missing = Err(Error::new(ErrorKind::NotFound, "the backup has no such user"));
        done.note(&one, missing, true).expect("goes on");
        done.note(&two, Ok(true), true).expect("goes on");
        done.note(&two, Ok(false), false).expect("goes on");
        assert_eq!(
            (done.marked, done.unmarked.len(), done.failed.len()),
            (vec![two.clone()], 0, 1)
        );
        let denied = Err(Error::new(ErrorKind::Denied, "x"));
        assert!(Done::default().note(&two, denied, true).is_err());
    }

    #[test]
    fn the_documentation_shows_what_is_written() {
        let mut user = tombstone();
        user.expires_at = None;
        let sub = user.record.sub.clone();
        let marked = BTreeSet::from([sub.as_str()]);
        let listed = Listed {
            deleted: deleted_user(&user, &marked, Masking::Masked).into_iter().collect(),
            newly_marked: vec![sub.clone()],
            unmarked: Vec::new(),
            failed: BTreeMap::from([(
                Sub::new("0f1e").expect("a sub"),
                "the backup has no such user".to_owned(),
            )]),
        };
        assert_eq!(serde_json::to_value(&listed).expect("JSON"), documented("undelete"));
    }
}
