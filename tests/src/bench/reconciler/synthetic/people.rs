//! Who is in the pool, by number.
//!
//! Invariant: everything about a user follows from the number.

use std::collections::BTreeSet;

use twinpool_shared::{
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    time::{DAY_MILLIS, Timestamp},
    user::{Account, Attributes},
};

/// Groups of the pool.
pub(super) const GROUPS: usize = 100;
/// Values of the three digits with which a `sub` begins.
const FIRSTS: usize = 4_096;

/// The users of a pool.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct People {
    /// How many.
    pub(in crate::bench) users: usize,
    /// Of how many in a hundred the backup is wrong.
    pub(in crate::bench) changed_percent: usize,
}

impl People {
    /// Numbers of the users whose `sub` begins with `prefix`: at most three hexadecimal digits.
    pub(super) fn of_prefix(self, prefix: &str) -> impl Iterator<Item = usize> {
        let firsts = match usize::from_str_radix(prefix, 16) {
            Ok(value) => {
                let width = FIRSTS >> (4 * prefix.len());
                value * width..(value + 1) * width
            }
            Err(_) if prefix.is_empty() => 0..FIRSTS,
            Err(_) => 0..0,
        };
        firsts.flat_map(move |first| (first..self.users).step_by(FIRSTS))
    }

    /// The number behind a `sub`.
    pub(super) fn number(self, sub: &Sub) -> Option<usize> {
        let (_, number) = sub.as_str().rsplit_once('-')?;
        usize::from_str_radix(number, 16)
            .ok()
            .filter(|number| *number < self.users)
    }

    /// Whether the backup is wrong about a user.
    pub(super) fn changed(self, number: usize) -> bool {
        number / GROUPS % 100 < self.changed_percent
    }
}

/// The partition digit, in the place of the hash's: nobody but the backup needs to know.
pub(super) fn spread(number: usize) -> usize {
    number / FIRSTS % 16
}

pub(in crate::bench) fn sub(number: usize) -> Option<Sub> {
    Sub::new(&format!("{:03x}0a1b2-0051-7076-79e2-{number:012x}", number % FIRSTS))
}

pub(super) fn group_name(group: usize) -> String {
    format!("group-{group:02}")
}

pub(super) fn groups_of(number: usize) -> BTreeSet<String> {
    BTreeSet::from([group_name(number % GROUPS)])
}

/// A user as the pool shows them now, or as they were before they changed.
pub(super) fn read(number: usize, changed: bool) -> UserRead {
    let name = if changed { "Former Name" } else { "Name" };
    let values = [
        ("email", format!("user-{number}@example.com")),
        ("email_verified", "true".to_owned()),
        ("phone_number", format!("+1555{number:07}")),
        ("name", format!("{name} {number}")),
        ("given_name", "Given".to_owned()),
        ("family_name", "Family".to_owned()),
        ("locale", "en-US".to_owned()),
        ("zoneinfo", "Europe/Vienna".to_owned()),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), Personal::new(value)));
    UserRead {
        attributes: Attributes {
            username: Personal::new(format!("user-{number}")),
            values: values.into(),
        },
        status: "CONFIRMED".to_owned(),
        account: Account {
            enabled: true,
            created: long_ago(),
            modified: long_ago().plus_millis(if changed { 0 } else { DAY_MILLIS }),
        },
    }
}

pub(super) fn group(number: usize) -> GroupSettings {
    GroupSettings {
        description: None,
        precedence: i32::try_from(number).ok(),
        role_arn: None,
        created: long_ago(),
        modified: long_ago(),
    }
}

/// 2025-01-01.
pub(in crate::bench) fn long_ago() -> Timestamp {
    Timestamp::from_millis(1_735_689_600_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_is_in_one_prefix_of_every_length_and_known_by_their_sub() {
        let people = People {
            users: 9_000,
            changed_percent: 1,
        };
        for digits in 0..=3_u32 {
            let width = usize::try_from(digits).expect("small");
            let prefixes = (0..16_usize.pow(digits)).map(|value| match width {
                0 => String::new(),
                _ => format!("{value:0width$x}"),
            });
            let mut found: Vec<usize> = prefixes
                .flat_map(|prefix| {
                    let numbers: Vec<usize> = people.of_prefix(&prefix).collect();
                    let subs = numbers.iter().filter_map(|number| sub(*number));
                    assert!(subs.into_iter().all(|sub| sub.as_str().starts_with(&prefix)));
                    numbers
                })
                .collect();
            found.sort_unstable();
            assert!(found.into_iter().eq(0..9_000), "{digits} digits");
        }
        assert_eq!(people.of_prefix("_").count(), 0);
        let last = sub(8_999).and_then(|sub| people.number(&sub));
        assert_eq!(last, Some(8_999));
        let nobody = sub(9_000).and_then(|sub| people.number(&sub));
        assert_eq!(nobody, None);
    }
}
