//! The groups of a reconcile: how many calls their members take, and how many lists they are divided into.
//!
//! Invariant: what is known of every group is counted exactly; what is only known in sum never shrinks when the sum grows.

/// Groups of one list at most: `plan.rs` of the reconciler.
const GROUPS_PER_LIST: u64 = 50;
/// Lists that few groups are divided into: likewise.
const LISTS_MIN: u64 = 16;
/// Members of a page.
const PAGE: u64 = 60;

/// Groups and their members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// So many, with so many members together.
    Even {
        /// Groups.
        groups: u64,
        /// Memberships of all of them.
        memberships: u64,
    },
    /// The members of each, in the order of the groups' names.
    Sizes(Vec<u64>),
}

/// Lists of groups that are alike.
pub(super) struct Lists {
    /// How many lists.
    pub(super) count: f64,
    /// Memberships of each of them.
    pub(super) members: f64,
    known: bool,
}

impl Lists {
    /// How often the members of one list are written: at its end, and whenever `most` have been gathered.
    pub(super) fn keeps(&self, most: f64) -> f64 {
        let full = self.members / most;
        // What is left at the end is half of that, when only the sum is known.
        if self.known {
            full.floor() + 1.0
        } else {
            (full + 0.5).max(1.0)
        }
    }
}

impl Groups {
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Even { groups, .. } => *groups,
            Self::Sizes(sizes) => sizes.len() as u64,
        }
    }

    pub(super) fn memberships(&self) -> u64 {
        match self {
            Self::Even { memberships, .. } => *memberships,
            Self::Sizes(sizes) => sizes.iter().sum(),
        }
    }

    /// `ListUsersInGroup` calls: one for each page, one for an empty group.
    pub(super) fn pages(&self) -> f64 {
        match self {
            // The last page of a group is half full; a group of few has one page.
            Self::Even { groups, memberships } => {
                let (groups, memberships, page) = (*groups as f64, *memberships as f64, PAGE as f64);
                let last = groups * (page - 1.0) / (2.0 * page);
                (memberships / page + last).max(groups)
            }
            Self::Sizes(sizes) => sizes.iter().map(|members| members.div_ceil(PAGE).max(1)).sum::<u64>() as f64,
        }
    }

    /// Lists that are walked, several at a time.
    pub(super) fn lists(&self) -> f64 {
        self.members_of_lists().iter().fold(0.0, |sum, lists| sum + lists.count)
    }

    /// The same with their members.
    pub(super) fn members_of_lists(&self) -> Vec<Lists> {
        match self {
            Self::Even { groups: 0, .. } => Vec::new(),
            Self::Even { groups, memberships } => {
                // The most that so many or fewer groups are divided into: 17 groups are fewer lists than 16.
                let count = (*groups).min(LISTS_MIN).max(groups.div_ceil(GROUPS_PER_LIST)) as f64;
                let members = *memberships as f64 / count;
                vec![Lists {
                    count,
                    members,
                    known: false,
                }]
            }
            Self::Sizes(sizes) => {
                let groups_per_list = (sizes.len() as u64).div_ceil(LISTS_MIN).clamp(1, GROUPS_PER_LIST) as usize;
                let lists = sizes.chunks(groups_per_list);
                let list = |list: &[u64]| Lists {
                    count: 1.0,
                    members: list.iter().sum::<u64>() as f64,
                    known: true,
                };
                lists.map(list).collect()
            }
        }
    }
}
