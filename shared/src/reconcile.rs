//! Comparing a walked pool with the backup: what differs, what is missing, and how much may be deleted.
//!
//! Invariant: pure; and nothing here says "delete" without the [`Guard`].

mod differ;
mod guard;

pub use differ::{
    Field, Fingerprint, Seen, Shard, Walked, came_again, differences, disputed, effective_groups, group_differences,
    groups_as_of, groups_evidence, profile_evidence, walked_groups,
};
pub use guard::{ALLOWANCE_MIN, Guard, Refusal, Suspicion, judge_suspect};
