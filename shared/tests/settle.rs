//! Waiting is bounded, whatever the reads show.
//!
//! Invariant: the reads here are arbitrary; nothing assumes that a pool behaves.

use proptest::{collection, option, prelude::*};
use twinpool_shared::{
    change::{Change, PoolRef, SCHEMA_VERSION, Subject},
    group::GroupSettings,
    observation::UserRead,
    settle::{Doubt, MISSING_ATTEMPTS_MAX, Verdict, judge_group, judge_groups, judge_user},
    user::{Account, Attributes, UserRecord},
};

use crate::generate::{NARROW, at, cases, cause, group_record, instant, sub, user_record};

fn read() -> impl Strategy<Value = Option<UserRead>> {
    let read = (any::<bool>(), instant(NARROW)).prop_map(|(enabled, modified)| UserRead {
        attributes: Attributes::default(),
        status: "CONFIRMED".to_owned(),
        account: Account {
            enabled,
            created: at(-86_400_000),
            modified,
        },
    });
    option::of(read)
}

fn change() -> impl Strategy<Value = Change> {
    (cause(), instant(NARROW), option::of(prop_oneof!["g", "h"])).prop_map(|(cause, occurred_at, group)| Change {
        schema_version: SCHEMA_VERSION,
        id: "1".to_owned(),
        pool: PoolRef::Any,
        subject: Subject::User(sub("0f1e")),
        cause,
        occurred_at,
        seen_at: occurred_at,
        group,
        profile: None,
        attempt: 0,
    })
}

/// What one attempt meets.
type Meets = (Option<UserRead>, Option<UserRecord>, bool, i64);

fn meets() -> impl Strategy<Value = Meets> {
    (read(), option::of(user_record(NARROW)), any::<bool>(), 0..90_000_i64)
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn waiting_for_a_user_is_bounded(change in change(), meets in collection::vec(meets(), MISSING_ATTEMPTS_MAX as usize + 1)) {
        let mut change = change;
        let mut waited = 0;
        let mut verdict = None;
        for (read, stored, deletion_announced, later) in meets {
            let now = change.occurred_at.plus_millis(later);
            let judged = judge_user(&change, stored.as_ref(), deletion_announced, read.as_ref(), now);
            match judged {
                Verdict::Again { delay_seconds, .. } => {
                    prop_assert!((1..=64).contains(&delay_seconds));
                    waited += delay_seconds;
                    change = change.again();
                }
                Verdict::Park(doubt) => {
                    prop_assert_eq!(doubt, Doubt::Missing);
                    prop_assert!(read.is_none() && !deletion_announced && change.attempt == MISSING_ATTEMPTS_MAX);
                    verdict = Some(judged);
                    break;
                }
                Verdict::Settled | Verdict::Believed(_) => {
                    verdict = Some(judged);
                    break;
                }
            }
        }
        prop_assert!(verdict.is_some(), "still undecided after {} attempts", change.attempt);
        prop_assert!(waited <= 127);
    }

    #[test]
    fn waiting_for_a_membership_is_bounded(
        change in change(), lists in collection::vec(collection::btree_set("[gh]", 0..2), MISSING_ATTEMPTS_MAX as usize + 1),
    ) {
        let mut change = change;
        let settled = lists.iter().any(|groups| match judge_groups(&change, groups) {
            Verdict::Settled | Verdict::Believed(_) => true,
            Verdict::Again { delay_seconds, why } => {
                assert!((1..=8).contains(&delay_seconds) && why == Doubt::Membership);
                change = change.again();
                false
            }
            Verdict::Park(_) => panic!("a membership is never parked"),
        });
        prop_assert!(settled);
    }

    #[test]
    fn waiting_for_a_group_is_bounded(
        change in change(),
        meets in collection::vec(
            (option::of((instant(NARROW), instant(NARROW))), option::of(group_record(NARROW)), any::<bool>()),
            MISSING_ATTEMPTS_MAX as usize + 1,
        ),
    ) {
        let mut change = change;
        let mut answered = false;
        for (read, stored, deletion_announced) in meets {
            let read = read.map(|(created, modified)| GroupSettings {
                description: None, precedence: None, role_arn: None, created, modified,
            });
            match judge_group(&change, stored.as_ref(), deletion_announced, read.as_ref()) {
                Verdict::Again { delay_seconds, .. } => {
                    prop_assert!((1..=64).contains(&delay_seconds));
                    change = change.again();
                    continue;
                }
                Verdict::Park(doubt) => {
                    prop_assert_eq!(doubt, Doubt::Missing);
                    prop_assert!(read.is_none() && change.attempt == MISSING_ATTEMPTS_MAX);
                }
                Verdict::Settled | Verdict::Believed(_) => {}
            }
            answered = true;
            break;
        }
        prop_assert!(answered, "still undecided after {} attempts", change.attempt);
    }

    /// However often a change was put back already, an answer comes.
    #[test]
    fn absurd_attempts_end(change in change(), meets in meets(), attempt in MISSING_ATTEMPTS_MAX..=u32::MAX) {
        let change = Change { attempt, ..change };
        let (read, stored, deletion_announced, later) = meets;
        let now = change.occurred_at.plus_millis(later);
        let verdict = judge_user(&change, stored.as_ref(), deletion_announced, read.as_ref(), now);
        let again = matches!(verdict, Verdict::Again { .. });
        prop_assert!(!again);
        prop_assert_eq!(change.again().attempt, attempt.saturating_add(1));
    }
}
