//! Counting the users of a plan: what becomes of each, in figures, with the digest over all of them.
//!
//! Invariant: nothing of a user is kept but the 20 bytes of their place in the order.

use std::collections::BTreeMap;

use serde_json::json;
use twinpool_shared::{
    error::Error,
    group::GroupRecord,
    import::{
        csv::Header,
        plan::UserCounts,
        recreate::{Fate, Loss, NotMade, recreate},
        select::{Class, Order, effective},
        shape::Shape,
    },
    item::UserItem,
    personal::Sub,
    time::Timestamp,
};

/// A user who loses more than everybody does, or is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// `sub` in the backup.
    pub sub: Sub,
    /// Set when the user is not made.
    pub not_made: Option<NotMade>,
    /// Whether they are disabled, and an outside provider will let them in until they are mended.
    pub let_in: bool,
    /// What does not come back, the password left out: nobody's does.
    pub losses: Vec<Loss>,
}

/// Counts users.
pub(super) struct Census<'a> {
    pub(super) groups: &'a BTreeMap<String, GroupRecord>,
    pub(super) as_of: Timestamp,
    pub(super) target: &'a Shape,
    /// Columns of an import job; `None` where a file cannot be made.
    pub(super) header: Option<Header>,
    pub(super) counts: UserCounts,
    pub(super) order: Order,
}

/// Of whom no status was ever read.
const UNKNOWN: &str = "(unknown)";

impl Census<'_> {
    /// Counts `item`; says what they lose beside the password.
    pub(super) fn count(&mut self, item: &UserItem) -> Option<Affected> {
        let record = &item.record;
        self.order
            .push(&record.sub, record.last_seen, Class::of(record), &item.content_hash);
        self.counts.chosen += 1;
        let status = record.status.as_ref().map_or(UNKNOWN, |facet| facet.data.as_str());
        match self.counts.statuses.get_mut(status) {
            Some(users) => *users += 1,
            None => {
                self.counts.statuses.insert(status.to_owned(), 1);
            }
        }
        self.counts.unreconciled += u64::from(record.status.is_none() || record.account.is_none());
        let groups = effective(record, self.groups, self.as_of);
        let affected = match recreate(record, groups, self.target) {
            Fate::NotMade(reason) => {
                *self.counts.not_made.entry(reason).or_default() += 1;
                let disabled = record.account.as_ref().is_some_and(|account| !account.data.enabled);
                let let_in = disabled && reason == NotMade::FederatedOnly;
                self.counts.disabled_federated += u64::from(let_in);
                Affected {
                    sub: record.sub.clone(),
                    not_made: Some(reason),
                    let_in,
                    losses: Vec::new(),
                }
            }
            Fate::Made(made) => {
                let counts = &mut self.counts;
                counts.made += 1;
                counts.disabled += u64::from(!made.enabled);
                counts.passwords += u64::from(made.password);
                counts.later += u64::from(!made.later.is_empty());
                counts.links += made.links.len() as u64;
                counts.memberships += made.groups.len() as u64;
                counts.preferences += u64::from(made.factors.is_some());
                for loss in &made.losses {
                    *counts.losses.entry(*loss).or_default() += 1;
                }
                if self
                    .header
                    .as_ref()
                    .is_some_and(|header| header.row(&made, self.target).is_ok())
                {
                    counts.by_csv += 1;
                    counts.csv_active += u64::from(!made.groups.is_empty() || made.factors.is_some());
                }
                Affected {
                    sub: record.sub.clone(),
                    not_made: None,
                    let_in: false,
                    losses: made.losses.into_iter().filter(|loss| *loss != Loss::Password).collect(),
                }
            }
        };
        (affected.not_made.is_some() || !affected.losses.is_empty()).then_some(affected)
    }
}

/// The columns that `GetCSVHeader` will name for a pool of the shape `target`, which need not exist yet: the user name, every
/// attribute that can be set, and the MFA flag. `None` where a file with these cannot be made.
pub(super) fn header_of(target: &Shape) -> Option<Header> {
    const NOT_SET: [&str; 2] = ["sub", "identities"];
    let attributes = target.schema.keys().map(String::as_str);
    let columns: Vec<&str> = ["cognito:username", "cognito:mfa_enabled"]
        .into_iter()
        .chain(attributes.filter(|name| !NOT_SET.contains(name)))
        .collect();
    Header::of(&json!({"CSVHeader": columns})).ok()
}

/// What somebody has to do who does not want disabled users to sign in: they come back by their provider, which knows nothing of
/// the flag.
pub(super) fn to_block(counts: &UserCounts) -> Option<String> {
    let users = counts.disabled_federated;
    (users > 0).then(|| {
        format!(
            "block {users} disabled users at their identity providers: these will let them in until twinpool repair-federated has \
             mended them (--affected FILE lists them)"
        )
    })
}

/// Records of groups by name.
///
/// # Errors
/// As DynamoDB answers.
pub(crate) async fn groups<B: twinpool_shared::port::Backup>(
    backup: &B,
    pool: &str,
) -> Result<BTreeMap<String, GroupRecord>, Error> {
    let groups = backup.groups(pool).await?;
    Ok(groups
        .into_iter()
        .map(|group| (group.record.name.clone(), group.record))
        .collect())
}
