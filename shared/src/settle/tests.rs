//! Every branch of the judgements, row by row. That waiting is bounded, whatever is read, is a property in
//! `shared/tests/settle.rs`.
//!
//! Invariant: a row differs from its neighbour in what decides, and in as little else as possible.

use Doubt::{Membership, Missing, Stale, StillVisible};
use Verdict::{Believed, Park, Settled};

use super::*;
use crate::{
    change::{PoolRef, Profile, SCHEMA_VERSION, Subject},
    personal::Sub,
    user::{Account, Attributes, Facet, Tombstone},
};

const UPDATE: &str = "AdminUpdateUserAttributes";
const DISABLE: &str = "AdminDisableUser";
const ENABLE: &str = "AdminEnableUser";
const DELETE: &str = "AdminDeleteUser";
const ADD: &str = "AdminAddUserToGroup";
const REMOVE: &str = "AdminRemoveUserFromGroup";
const FACTORS: &str = "SetUserMFAPreference";
const LINK: &str = "AdminLinkProviderForUser";

/// The event's second: it happened somewhere between 10,000 and 10,999.
const EVENT: i64 = 10_000;
const NOW: i64 = 12_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn change(cause: &str, attempt: u32) -> Change {
    Change {
        schema_version: SCHEMA_VERSION,
        id: "1".into(),
        pool: PoolRef::Any,
        subject: Subject::User(Sub::new("0f1e").unwrap()),
        cause: cause.into(),
        occurred_at: at(EVENT),
        seen_at: at(EVENT),
        group: Some("g".into()),
        profile: None,
        attempt,
    }
}

fn carrying(cause: &str) -> Change {
    Change {
        profile: Some(Profile {
            attributes: Attributes::default(),
            status: None,
        }),
        ..change(cause, 0)
    }
}

fn account(enabled: bool, modified: i64) -> Account {
    Account {
        enabled,
        created: at(0),
        modified: at(modified),
    }
}

fn read(enabled: bool, modified: i64) -> Option<UserRead> {
    let account = account(enabled, modified);
    Some(UserRead {
        attributes: Attributes::default(),
        status: "CONFIRMED".into(),
        account,
    })
}

fn shows(modified: i64) -> Option<UserRead> {
    read(true, modified)
}

fn unknown() -> UserRecord {
    UserRecord::new(Sub::new("0f1e").unwrap())
}

fn known(modified: i64) -> Option<UserRecord> {
    let data = account(true, modified);
    let facet = Facet {
        as_of: at(modified),
        observed_at: at(modified),
        source: "ListUsers".into(),
        data,
    };
    Some(UserRecord {
        account: Some(facet),
        ..unknown()
    })
}

fn buried(tombstone: i64, alive_at: Option<i64>) -> Option<UserRecord> {
    let deleted = Some(Tombstone {
        at: at(tombstone),
        cause: DELETE.into(),
    });
    Some(UserRecord {
        deleted,
        alive_at: alive_at.map(at),
        ..unknown()
    })
}

fn again(delay_seconds: u32, why: Doubt) -> Verdict {
    Verdict::Again { delay_seconds, why }
}

#[test]
#[rustfmt::skip]
fn reads_are_judged_row_by_row() {
    type Row = (&'static str, &'static str, u32, Option<UserRecord>, Option<UserRead>, i64, Verdict);
    let rows: Vec<Row> = vec![
        ("not found: wait", UPDATE, 0, None, None, NOW, again(1, Missing)),
        ("... longer", UPDATE, 3, None, None, NOW, again(8, Missing)),
        ("... a last time", UPDATE, 6, None, None, NOW, again(64, Missing)),
        ("... and park", UPDATE, 7, None, None, NOW, Park(Missing)),
        ("whatever is expected", LINK, 0, None, None, NOW, again(1, Missing)),
        ("factors too", FACTORS, 7, None, None, NOW, Park(Missing)),
        ("a known user as well", UPDATE, 0, known(EVENT), None, NOW, again(1, Missing)),
        ("not found: as announced", DELETE, 0, known(EVENT), None, NOW, Settled),
        ("not found: as known", UPDATE, 0, buried(9_999, None), None, NOW, Settled),
        ("seen after the deletion", UPDATE, 0, buried(9_999, Some(10_000)), None, NOW, again(1, Missing)),
        // A deleted user who is still shown.
        ("an echo", DELETE, 0, None, shows(9_000), NOW, again(1, StillVisible)),
        ("an echo of that second", DELETE, 1, None, shows(10_999), NOW, again(2, StillVisible)),
        ("a last look", DELETE, 6, None, shows(9_000), NOW, again(64, StillVisible)),
        ("then the pool is believed", DELETE, 7, None, shows(9_000), NOW, Believed(StillVisible)),
        ("changed after it", DELETE, 0, None, shows(11_000), NOW, Settled),
        ("an echo for another event", LINK, 0, buried(10_999, None), shows(5_000), 70_999, again(1, StillVisible)),
        ("bounded as well", LINK, 7, buried(10_999, None), shows(5_000), 70_999, Believed(StillVisible)),
        ("too late for an echo", LINK, 0, buried(10_999, None), shows(5_000), 71_000, Settled),
        ("changed in that second", LINK, 0, buried(10_999, None), shows(10_999), NOW, again(1, StillVisible)),
        ("changed after the tombstone", LINK, 0, buried(10_999, None), shows(11_000), NOW, Settled),
        ("a tombstone long overcome", LINK, 0, buried(10_999, Some(11_000)), shows(5_000), NOW, Settled),
        // A state from before the event.
        ("stale", UPDATE, 0, None, shows(9_999), NOW, again(1, Stale)),
        ("stale, once more", UPDATE, 3, None, shows(9_999), NOW, again(8, Stale)),
        ("stale for good", UPDATE, 4, None, shows(9_999), NOW, Believed(Stale)),
        ("no expectation, no doubt", LINK, 0, None, shows(1), NOW, Settled),
        ("memberships do not modify", ADD, 0, known(1), shows(1), NOW, Settled),
        ("factors do not modify", FACTORS, 0, known(1), shows(1), NOW, Settled),
        ("not disabled yet", DISABLE, 0, None, read(true, 9_999), NOW, again(1, Stale)),
        ("the flag is proof", DISABLE, 0, None, read(false, 9_999), NOW, Settled),
        ("the stamp is proof", DISABLE, 0, None, read(true, 11_000), NOW, Settled),
        ("not enabled yet", ENABLE, 0, None, read(false, 9_999), NOW, again(1, Stale)),
        ("enabled", ENABLE, 0, None, read(true, 9_999), NOW, Settled),
        // A state of the event's own second.
        ("reached", UPDATE, 0, None, shows(10_000), NOW, Settled),
        ("reached, and news", UPDATE, 0, known(9_999), shows(10_000), NOW, Settled),
        ("reached, no news", UPDATE, 0, known(10_000), shows(10_000), NOW, again(2, Stale)),
        ("older than known", UPDATE, 0, known(10_001), shows(10_000), NOW, again(2, Stale)),
        ("end of the second", UPDATE, 0, known(10_999), shows(10_999), NOW, again(2, Stale)),
        ("after the second", UPDATE, 0, known(11_000), shows(11_000), NOW, Settled),
        ("one doubt only", UPDATE, 1, known(10_000), shows(10_000), NOW, Settled),
        ("still recent", UPDATE, 0, known(10_000), shows(10_000), 13_999, again(2, Stale)),
        ("long ago", UPDATE, 0, known(10_000), shows(10_000), 14_000, Settled),
        ("the flag, no news", DISABLE, 0, known(9_000), read(false, 9_000), NOW, again(2, Stale)),
        ("no news, so one more look", LINK, 0, known(10_000), shows(10_000), NOW, again(2, Stale)),
        ("certain by the list", ADD, 0, known(10_000), shows(10_000), NOW, Settled),
    ];
    for (what, cause, attempt, stored, read, now, expected) in rows {
        let verdict = judge_user(&change(cause, attempt), stored.as_ref(), false, read.as_ref(), at(now));
        assert_eq!(verdict, expected, "{what}");
    }
}

#[test]
fn a_deletion_elsewhere_in_the_batch_explains_a_missing_user() {
    assert_eq!(judge_user(&change(UPDATE, 7), None, true, None, at(NOW)), Settled);
    assert_eq!(
        judge_user(&change(UPDATE, 0), None, true, shows(9_999).as_ref(), at(NOW)),
        again(1, Stale)
    );
}

#[test]
fn what_is_carried_needs_no_read() {
    assert_eq!(
        judge_user(&carrying("PostConfirmation_ConfirmSignUp"), None, false, None, at(NOW)),
        Settled
    );
}

#[test]
fn lists_are_judged_by_the_named_group() {
    let with = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    for (cause, attempt, groups, expected) in [
        (ADD, 0, with(&["g", "h"]), Settled),
        (ADD, 0, with(&["h"]), again(1, Membership)),
        (ADD, 3, with(&[]), again(8, Membership)),
        (ADD, 4, with(&[]), Believed(Membership)),
        (REMOVE, 0, with(&["h"]), Settled),
        (REMOVE, 2, with(&["g"]), again(4, Membership)),
        (UPDATE, 0, with(&[]), Settled),
        (FACTORS, 0, with(&["g"]), Settled),
    ] {
        assert_eq!(
            judge_groups(&change(cause, attempt), &groups),
            expected,
            "{cause} {attempt} {groups:?}"
        );
    }
    assert_eq!(
        judge_groups(
            &Change {
                group: None,
                ..change(ADD, 0)
            },
            &with(&[])
        ),
        Settled,
        "no group is named"
    );
    assert_eq!(judge_groups(&carrying(ADD), &with(&[])), Settled);
}

#[test]
fn a_later_state_answers_an_earlier_event() {
    for (cause, by_a_later_state) in [
        (UPDATE, true),
        (DISABLE, true),
        (DELETE, false),
        (ADD, false),
        (FACTORS, false),
        (LINK, false),
    ] {
        assert_eq!(
            already_reflected(&change(cause, 0), known(11_000).as_ref()),
            by_a_later_state,
            "{cause}"
        );
        assert!(
            !already_reflected(&change(cause, 0), known(10_999).as_ref()),
            "{cause}: the same second"
        );
        assert!(
            !already_reflected(&change(cause, 0), Some(&unknown())),
            "{cause}: never read"
        );
        assert!(!already_reflected(&change(cause, 0), None), "{cause}: never stored");
    }
    assert!(!already_reflected(&carrying(UPDATE), known(11_000).as_ref()));
}

#[test]
fn a_read_long_enough_after_the_event_answers_it() {
    let observed = |modified: i64, observed_at: i64| {
        let mut record = known(modified);
        if let Some(facet) = record.as_mut().and_then(|record| record.account.as_mut()) {
            facet.observed_at = at(observed_at);
        }
        record
    };
    for cause in [UPDATE, ENABLE] {
        for (modified, observed_at, reflected) in [
            (10_000, 25_000, true),
            (10_000, 24_999, false),
            (9_999, 99_000, false),
            (10_999, 25_000, true),
        ] {
            let found = already_reflected(&change(cause, 0), observed(modified, observed_at).as_ref());
            assert_eq!(found, reflected, "{cause} {modified} {observed_at}");
        }
    }
    for cause in [FACTORS, LINK, DELETE] {
        assert!(
            !already_reflected(&change(cause, 0), observed(10_000, 25_000).as_ref()),
            "{cause}"
        );
    }
}

#[test]
fn a_flag_that_says_otherwise_answers_nothing_unless_it_is_younger() {
    let enabled = |modified: i64| {
        let mut record = known(modified);
        if let Some(facet) = record.as_mut().and_then(|record| record.account.as_mut()) {
            facet.observed_at = at(25_000);
        }
        record
    };
    for (modified, reflected) in [(10_000, false), (10_999, false), (11_000, true)] {
        let found = already_reflected(&change(DISABLE, 0), enabled(modified).as_ref());
        assert_eq!(found, reflected, "the flag says no, modified at {modified}");
    }
}

#[test]
fn groups_read_long_enough_after_the_event_answer_it() {
    let groups = |names: &[&str], as_of: i64, observed_at: i64| {
        let data = names.iter().map(|name| (*name).to_owned()).collect();
        let source = "AdminListGroupsForUser".into();
        let facet = Facet {
            as_of: at(as_of),
            observed_at: at(observed_at),
            source,
            data,
        };
        UserRecord {
            groups: Some(facet),
            ..unknown()
        }
    };
    for (cause, record, reflected) in [
        (ADD, groups(&["g"], 10_000, 25_000), true),
        (ADD, groups(&["g"], 11_000, 11_500), true),
        (ADD, groups(&["g"], 10_000, 24_999), false),
        (ADD, groups(&["g"], 9_000, 99_000), false),
        (ADD, groups(&[], 10_000, 25_000), false),
        (REMOVE, groups(&[], 10_000, 25_000), true),
        (REMOVE, groups(&["g"], 10_000, 25_000), false),
        (UPDATE, groups(&["g"], 10_000, 25_000), false),
    ] {
        assert_eq!(
            already_reflected(&change(cause, 0), Some(&record)),
            reflected,
            "{cause} {record:?}"
        );
    }
}

#[test]
fn a_deletion_answers_every_earlier_event() {
    for cause in [UPDATE, DISABLE, DELETE, ADD, FACTORS, LINK] {
        assert!(
            already_reflected(&change(cause, 0), buried(10_999, None).as_ref()),
            "{cause}"
        );
        assert!(
            !already_reflected(&change(cause, 0), buried(10_998, None).as_ref()),
            "{cause}: after the deletion"
        );
        assert!(
            !already_reflected(&change(cause, 0), buried(10_999, Some(11_000)).as_ref()),
            "{cause}: seen since"
        );
    }
    assert!(
        !already_reflected(&carrying(UPDATE), buried(10_999, None).as_ref()),
        "what is carried is merged"
    );
}

#[test]
fn what_was_only_announced_waits_once() {
    let announced = change("CustomMessage_UpdateUserAttribute", 0);
    assert_eq!(first_delay_seconds(&announced, at(EVENT)), Some(5));
    assert_eq!(first_delay_seconds(&announced, at(EVENT + 4_999)), Some(5));
    assert_eq!(
        first_delay_seconds(&announced, at(EVENT + 5_000)),
        None,
        "the queue was slow enough"
    );
    assert_eq!(first_delay_seconds(&announced.again(), at(EVENT)), None);
    assert_eq!(first_delay_seconds(&carrying("CustomMessage_SignUp"), at(EVENT)), None);
    assert_eq!(first_delay_seconds(&change(UPDATE, 0), at(EVENT)), None);
}

#[test]
fn factors_are_read_in_the_month_of_activity_only() {
    let october = Timestamp::parse("2026-10-31T23:59:59.999Z").unwrap();
    let november = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
    assert!(may_read_factors(Some(november), november));
    assert!(!may_read_factors(Some(october), november));
    assert!(!may_read_factors(None, november));
    let last_minute = Timestamp::parse("2026-10-31T23:59:30Z").unwrap();
    assert!(
        !may_read_factors(Some(last_minute), last_minute),
        "the call could end in November"
    );
}

#[test]
fn waits_double_up_to_a_minute() {
    let delays: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, 31, 32, u32::MAX].map(delay_seconds).into();
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64]);
}

#[test]
fn doubts_have_names_of_their_own() {
    let names = [Stale, Missing, StillVisible, Membership].map(Doubt::as_str);
    let expected = [
        "stale_read",
        "user_missing_without_delete",
        "deleted_user_still_visible",
        "membership_not_visible",
    ];
    assert_eq!(names, expected);
}

#[test]
#[rustfmt::skip]
fn reads_of_a_group_are_judged_row_by_row() {
    const CREATE: &str = "CreateGroup";
    const GONE: &str = "DeleteGroup";
    let shows = |created, modified| Some(GroupSettings {
        description: None,
        precedence: None,
        role_arn: None,
        created: at(created),
        modified: at(modified),
    });
    let buried = |tombstone, alive_at: Option<i64>| Some(GroupRecord {
        deleted: Some(Tombstone { at: at(tombstone), cause: GONE.into() }),
        alive_at: alive_at.map(at),
        ..GroupRecord::new("g")
    });
    type Row = (&'static str, &'static str, u32, Option<GroupRecord>, Option<GroupSettings>, Verdict);
    let rows: Vec<Row> = vec![
        ("not found: wait", CREATE, 0, None, None, again(1, Missing)),
        ("... a last time", CREATE, 6, None, None, again(64, Missing)),
        ("... and park", CREATE, 7, None, None, Park(Missing)),
        ("not found: as announced", GONE, 0, None, None, Settled),
        ("not found: as known", CREATE, 0, buried(9_999, None), None, Settled),
        ("seen after the deletion", CREATE, 0, buried(9_999, Some(10_000)), None, again(1, Missing)),
        ("an echo", GONE, 0, None, shows(1_000, 1_000), again(1, StillVisible)),
        ("an echo of that second", GONE, 6, None, shows(10_999, 10_999), again(64, StillVisible)),
        ("then the pool is believed", GONE, 7, None, shows(1_000, 1_000), Believed(StillVisible)),
        ("updated after it, which only an echo can be", GONE, 0, None, shows(1_000, 11_000), again(1, StillVisible)),
        ("the next group of that name", GONE, 0, None, shows(11_000, 11_000), Settled),
        ("an echo for another event", CREATE, 0, buried(10_999, None), shows(10_999, 12_000), again(1, StillVisible)),
        ("bounded as well", CREATE, 7, buried(10_999, None), shows(10_999, 12_000), Believed(StillVisible)),
        ("created after the tombstone", CREATE, 0, buried(10_999, None), shows(11_000, 11_000), Settled),
        ("a tombstone long overcome", CREATE, 0, buried(9_999, Some(10_000)), shows(9_999, 10_000), Settled),
        ("stale", CREATE, 0, None, shows(1_000, 9_999), again(1, Stale)),
        ("stale, once more", CREATE, 3, None, shows(1_000, 9_999), again(8, Stale)),
        ("stale for good", CREATE, 4, None, shows(1_000, 9_999), Believed(Stale)),
        ("reached", CREATE, 0, None, shows(1_000, 10_000), Settled),
    ];
    for (what, cause, attempt, stored, read, expected) in rows {
        let change = Change { subject: Subject::Group("g".into()), group: None, ..change(cause, attempt) };
        assert_eq!(judge_group(&change, stored.as_ref(), false, read.as_ref()), expected, "{what}");
    }
    let create = Change { subject: Subject::Group("g".into()), ..change(CREATE, 7) };
    assert_eq!(judge_group(&create, None, true, None), Settled, "a deletion is in the batch");
}
