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
    /// The members of each.
    Sizes(Vec<u64>),
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

    /// Lists that are walked one after the other.
    pub(super) fn lists(&self) -> f64 {
        let groups = self.count();
        let lists = match self {
            // The most that so many or fewer groups are divided into: 17 groups are fewer lists than 16.
            Self::Even { .. } => groups.min(LISTS_MIN).max(groups.div_ceil(GROUPS_PER_LIST)),
            Self::Sizes(_) => groups.div_ceil(groups.div_ceil(LISTS_MIN).clamp(1, GROUPS_PER_LIST)),
        };
        lists as f64
    }
}
