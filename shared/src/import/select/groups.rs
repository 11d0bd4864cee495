//! Groups and memberships as they were at an instant.
//!
//! The backup has no history of groups, only the last deletion and the settings of the last creation. A group deleted after
//! the instant existed at the instant; one created after it existed only if an earlier one of its name was deleted after it.
//!
//! Invariant: at the present instant this is [`GroupRecord::counts`].

use std::collections::{BTreeMap, BTreeSet};

use crate::{group::GroupRecord, time::Timestamp, user::UserRecord};

/// Whether the group existed at `instant`, as far as the backup knows. Only these are made again.
#[must_use]
pub fn existed(group: &GroupRecord, instant: Timestamp) -> bool {
    let deleted = group.deleted.as_ref().map(|tombstone| tombstone.at);
    let deleted_after = deleted.is_some_and(|deleted| deleted > instant);
    match created(group) {
        Some(created) if created > instant => {
            let of_an_earlier_one = deleted.is_some_and(|deleted| deleted.second_start() <= created);
            deleted_after && of_an_earlier_one
        }
        _ => deleted_after || group.is_alive(),
    }
}

/// The user's memberships that counted at `instant`. As everywhere, a group that the backup does not know hides nobody.
#[must_use]
pub fn effective(record: &UserRecord, groups: &BTreeMap<String, GroupRecord>, instant: Timestamp) -> BTreeSet<String> {
    let Some(facet) = &record.groups else {
        return BTreeSet::new();
    };
    let counts = |name: &&String| {
        groups
            .get(*name)
            .is_none_or(|group| counted(group, facet.as_of, instant))
    };
    facet.data.iter().filter(counts).cloned().collect()
}

/// Whether a membership that was current at `as_of` counted at `instant`.
fn counted(group: &GroupRecord, as_of: Timestamp, instant: Timestamp) -> bool {
    // Where the known creation is of a later group, that of the earlier one is forgotten, and the membership stands.
    let of_this_one = created(group).is_none_or(|created| created > instant || as_of >= created);
    existed(group, instant) && of_this_one
}

/// In whole seconds, for the reason that [`GroupRecord::counts`] gives.
fn created(group: &GroupRecord) -> Option<Timestamp> {
    group.settings.as_ref().map(|facet| facet.data.created.second_start())
}
