//! Memberships of the target, in 20 bytes each.
//!
//! `ListUsersInGroup` shows members 60 at a time; asking for each user's groups would take a call for everybody.
//!
//! Invariant: every page of every group is read; loops end with the token and with nothing else.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    error::Error,
    personal::Sub,
    port::{Backup, RawPool, ReadPool, WritePool},
};

use super::{
    CHAINS,
    seen::{Short, short},
};
use crate::Importer;

/// Groups and who is in them.
#[derive(Debug, Default)]
pub(super) struct Memberships {
    /// Their names.
    pub(super) groups: Vec<String>,
    /// Sorted; the second is the group's place.
    members: Vec<(Short, u32)>,
}

impl Memberships {
    /// Names of the groups of `sub`.
    pub(super) fn of(&self, sub: &Sub) -> BTreeSet<String> {
        let short = short(sub);
        let from = self.members.partition_point(|(member, _)| *member < short);
        let mine = self
            .members
            .iter()
            .skip(from)
            .take_while(|(member, _)| *member == short);
        mine.filter_map(|(_, group)| self.groups.get(*group as usize))
            .cloned()
            .collect()
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.members.len() as u64
    }
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Reads the members of `groups`.
    pub(super) async fn memberships(&self, target: &str, groups: Vec<String>) -> Result<Memberships, Error> {
        let places = (0_u32..).zip(groups.iter().map(String::as_str));
        let members: Vec<Vec<(Short, u32)>> = stream::iter(places)
            .map(|(place, name)| self.members_of(target, name, place))
            .buffer_unordered(CHAINS)
            .try_collect()
            .await?;
        let mut members: Vec<(Short, u32)> = members.into_iter().flatten().collect();
        members.sort_unstable();
        members.dedup();
        Ok(Memberships { groups, members })
    }

    async fn members_of(&self, target: &str, group: &str, place: u32) -> Result<Vec<(Short, u32)>, Error> {
        let mut members = Vec::new();
        let mut token = None;
        // A group that was deleted since it was listed has no members.
        while let Some(page) = self.reader.members_page(target, group, token.as_deref()).await? {
            members.extend(page.entries.iter().map(|sub| (short(sub), place)));
            match page.token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_groups_are_theirs_and_nobody_elses() {
        let [ann, bob] = ["a", "b"].map(|sub| Sub::new(sub).expect("a sub"));
        let mut members = vec![(short(&ann), 1), (short(&bob), 0), (short(&ann), 0)];
        members.sort_unstable();
        let memberships = Memberships {
            groups: vec!["admins".to_owned(), "staff".to_owned()],
            members,
        };
        assert_eq!(
            memberships.of(&ann),
            BTreeSet::from(["admins".to_owned(), "staff".to_owned()])
        );
        assert_eq!(memberships.of(&bob), BTreeSet::from(["admins".to_owned()]));
        assert!(memberships.of(&Sub::new("c").expect("a sub")).is_empty());
        assert_eq!(memberships.count(), 3);
    }
}
