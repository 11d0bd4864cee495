//! The users of an import in the order in which they are made, small enough for a million of them: 20 bytes each.
//!
//! Living users come before deleted ones, so that an address that was given to somebody new is theirs, and of the living who
//! has a verified address before who has none, because an alias goes to whoever is first; see [`Class`]. Within a class whoever
//! was seen most recently comes first; then by `sub`. A chunk is of one class.
//!
//! The digest is a sum of SHA-256 over each user's `sub` and content hash, modulo 2^256. A sum does not depend on the order in
//! which partitions were read and needs no second list of a million hashes, and, unlike exclusive or, two equal entries do not
//! cancel. It has to notice chance, a changed or missing user, and there one in 2^256 goes unseen. Nobody attacks it: who can
//! write the table can change the users and plan again.
//!
//! Invariant: order, chunks and digest are functions of the set that was pushed.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    canon::ContentHash,
    personal::Sub,
    time::{DAY_MILLIS, Timestamp},
    user::UserRecord,
};

/// Users of a chunk.
pub const CHUNK_USERS: usize = 100;

/// When a user is made: smaller goes first.
type Rank = u32;

/// The bits of a rank that are its class.
const CLASS_SHIFT: u32 = 30;
/// The rest of a rank. Days since 1970 never reach it.
const RECENCY_MAX: Rank = (1 << CLASS_SHIFT) - 1;

/// Users who are made before any of the next class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Living, with a verified address or number.
    Verified,
    /// Living, without one.
    Unverified,
    /// Deleted in the backup.
    Deleted,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 3] = [Self::Verified, Self::Unverified, Self::Deleted];

    /// The class of the user of `record`.
    #[must_use]
    pub fn of(record: &UserRecord) -> Self {
        let verified = |flag: &str| {
            let values = record.attributes.as_ref().map(|facet| &facet.data.values);
            let value = values.and_then(|values| values.get(flag));
            value.is_some_and(|value| value.expose().eq_ignore_ascii_case("true"))
        };
        if !record.is_alive() {
            Self::Deleted
        } else if verified("email_verified") || verified("phone_number_verified") {
            Self::Verified
        } else {
            Self::Unverified
        }
    }
}

/// Chunks, one after another, of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The class.
    pub class: Class,
    /// How many chunks.
    pub chunks: usize,
}

/// A `sub` of the usual form, packed. Compares as its text does, because both are digits of fixed width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Packed {
    rank: Rank,
    sub: [u8; 16],
}

/// Collects the chosen users.
#[derive(Clone, Debug, Default)]
pub struct Order {
    packed: Vec<Packed>,
    /// Of any other form. None is known, and Cognito does not promise that there is none.
    other: Vec<(Rank, Sub)>,
    digest: Sum,
}

/// The chosen users, in order.
#[derive(Clone, Debug)]
pub struct Ordered {
    packed: Vec<Packed>,
    /// With their places in the whole order, which rise.
    other: Vec<(usize, Sub)>,
    /// Where each class ends.
    ends: [usize; 3],
    digest: ContentHash,
}

impl Order {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a user, who must not be added twice. `content_hash` is the item's own, and `class` that of the chosen record.
    pub fn push(&mut self, sub: &Sub, last_seen: Option<Timestamp>, class: Class, content_hash: &str) {
        self.digest.add(sub, content_hash);
        let rank = rank(last_seen, class);
        match pack(sub) {
            Some(sub) => self.packed.push(Packed { rank, sub }),
            None => self.other.push((rank, sub.clone())),
        }
    }

    /// Adds those that another scan chose, of other partitions.
    pub fn append(&mut self, mut other: Self) {
        self.packed.append(&mut other.packed);
        self.other.append(&mut other.other);
        self.digest.merge(&other.digest);
    }

    /// Users so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packed.len() + self.other.len()
    }

    /// Whether nobody is chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts them in order.
    #[must_use]
    pub fn finish(mut self) -> Ordered {
        self.packed.sort_unstable();
        self.packed.shrink_to_fit();
        self.other.sort_unstable();
        let digest = self.digest.finish(self.len());
        let ends = Class::ALL.map(|class| {
            let last = class as Rank;
            let packed = self.packed.partition_point(|one| one.rank >> CLASS_SHIFT <= last);
            packed + self.other.partition_point(|(rank, _)| rank >> CLASS_SHIFT <= last)
        });
        let packed = self.packed;
        let before = |rank: Rank, sub: &Sub| {
            packed.partition_point(|one| (one.rank, unpack(&one.sub).as_str()) < (rank, sub.as_str()))
        };
        let other = self.other.into_iter().enumerate();
        let other = other
            .map(|(index, (rank, sub))| (before(rank, &sub) + index, sub))
            .collect();
        Ordered {
            packed,
            other,
            ends,
            digest,
        }
    }
}

impl Ordered {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packed.len() + self.other.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The digest over everybody's `sub` and content.
    #[must_use]
    pub fn digest(&self) -> ContentHash {
        self.digest
    }

    /// Number of chunks.
    #[must_use]
    pub fn chunk_count(&self) -> usize {
        self.runs().iter().map(|run| run.chunks).sum()
    }

    /// The chunks by class; no class without users.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let runs = self.ranges().map(|(class, start, end)| Run {
            class,
            chunks: (end - start).div_ceil(CHUNK_USERS),
        });
        runs.filter(|run| run.chunks > 0).collect()
    }

    /// Where each class begins and ends.
    fn ranges(&self) -> impl Iterator<Item = (Class, usize, usize)> {
        let starts = [0].into_iter().chain(self.ends);
        let ranges = Class::ALL.into_iter().zip(starts).zip(self.ends);
        ranges.map(|((class, start), end)| (class, start, end))
    }

    /// The users of the chunk `number`, counted from 0; none beyond the last.
    #[must_use]
    pub fn chunk(&self, number: usize) -> Vec<Sub> {
        let mut before = 0;
        for (_, start, end) in self.ranges() {
            let chunks = (end - start).div_ceil(CHUNK_USERS);
            if number < before + chunks {
                let first = start + (number - before) * CHUNK_USERS;
                let places = first..end.min(first + CHUNK_USERS);
                return places.filter_map(|place| self.at(place)).collect();
            }
            before += chunks;
        }
        Vec::new()
    }

    /// All chunks with their numbers.
    pub fn chunks(&self) -> impl Iterator<Item = (usize, Vec<Sub>)> + '_ {
        (0..self.chunk_count()).map(|number| (number, self.chunk(number)))
    }

    fn at(&self, place: usize) -> Option<Sub> {
        match self.other.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(index) => self.other.get(index).map(|(_, sub)| sub.clone()),
            Err(others_before) => self
                .packed
                .get(place.checked_sub(others_before)?)
                .and_then(|one| Sub::new(&unpack(&one.sub))),
        }
    }
}

/// Users of whom no sign-in is known come last in their class.
fn rank(last_seen: Option<Timestamp>, class: Class) -> Rank {
    let day = last_seen.map_or(0, |seen| seen.as_millis().div_euclid(DAY_MILLIS));
    let day = Rank::try_from(day).unwrap_or(0).min(RECENCY_MAX);
    (class as Rank) << CLASS_SHIFT | (RECENCY_MAX - day)
}

const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// The 16 bytes of `8-4-4-4-12` small hexadecimal digits; `None` for any other text.
pub(in crate::import) fn pack(sub: &Sub) -> Option<[u8; 16]> {
    let text = sub.as_str();
    if text.len() != 36 {
        return None;
    }
    let mut packed = [0_u8; 16];
    let mut digits = 0;
    for (place, byte) in text.bytes().enumerate() {
        if HYPHENS.contains(&place) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        let slot = packed.get_mut(digits / 2)?;
        *slot = *slot << 4 | digit;
        digits += 1;
    }
    Some(packed)
}

pub(in crate::import) fn unpack(packed: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for byte in packed {
        for digit in [byte >> 4, byte & 0xf] {
            if HYPHENS.contains(&text.len()) {
                text.push('-');
            }
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

/// A sum of SHA-256 values modulo 2^256, lowest limb first.
#[derive(Clone, Copy, Debug, Default)]
struct Sum([u64; 4]);

impl Sum {
    /// A `sub` has no space, so no two pairs have the same bytes.
    fn add(&mut self, sub: &Sub, content_hash: &str) {
        let hash: [u8; 32] = Sha256::digest(format!("{sub} {content_hash}").as_bytes()).into();
        let mut limbs = [0_u64; 4];
        for (limb, bytes) in limbs.iter_mut().zip(hash.as_chunks().0) {
            *limb = u64::from_le_bytes(*bytes);
        }
        self.merge(&Self(limbs));
    }

    fn merge(&mut self, other: &Self) {
        let mut carry = false;
        for (limb, more) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = limb.overflowing_add(more);
            let (sum, over_by_carry) = sum.overflowing_add(u64::from(carry));
            *limb = sum;
            carry = over || over_by_carry;
        }
    }

    /// With the number of users, so that nobody and an unlikely sum of zero differ.
    fn finish(self, users: usize) -> ContentHash {
        let [a, b, c, d] = self.0;
        ContentHash::of_bytes(format!("{users} {d:016x}{c:016x}{b:016x}{a:016x}").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_users_take_far_less_than_60_megabytes() {
        const USERS: u32 = 1_000_000;
        let mut order = Order::new();
        let mut largest = 0;
        for number in 0..USERS {
            // A multiplier that is odd visits every number once, out of order.
            let sub = Sub::new(&format!(
                "{:08x}-0051-7076-79e2-0123456789ab",
                number.wrapping_mul(2_654_435_761)
            ))
            .unwrap();
            let seen = (number % 3 > 0).then(|| Timestamp::from_millis(i64::from(number % 1_000) * DAY_MILLIS));
            order.push(&sub, seen, Class::Verified, "0123456789abcdef");
            largest = largest.max(order.packed.capacity());
        }
        assert!(order.other.is_empty());
        // While it grows, the vector is there twice: the old half beside the new whole.
        let peak = size_of::<Packed>() * largest * 3 / 2;
        assert!(peak < 40_000_000, "{peak} bytes");
        let ordered = order.finish();
        assert!(size_of::<Packed>() * ordered.packed.capacity() <= 20_000_000);
        assert_eq!((ordered.len(), ordered.chunk_count()), (1_000_000, 10_000));
    }

    #[test]
    fn only_the_usual_form_is_packed_and_it_is_unpacked_again() {
        let usual = "3c9a1b2d-0051-7076-79e2-0123456789ab";
        assert_eq!(unpack(&pack(&Sub::new(usual).unwrap()).unwrap()), usual);
        for other in [
            "3C9a1b2d-0051-7076-79e2-0123456789ab",
            "3c9a1b2d00051-7076-79e2-0123456789ab",
            "3c9a1b2d-0051-7076-79e2-0123456789a-",
            "3c9a1b2d-0051-7076-79e2-0123456789a",
            "3c9a1b2d-0051-7076-79e2-0123456789ag",
        ] {
            assert_eq!(pack(&Sub::new(other).unwrap()), None, "{other}");
        }
    }

    #[test]
    fn sums_carry_from_limb_to_limb_and_wrap() {
        let mut sum = Sum([u64::MAX, u64::MAX, 0, u64::MAX]);
        sum.merge(&Sum([1, 0, 0, 0]));
        assert_eq!(sum.0, [0, 0, 1, u64::MAX]);
        sum.merge(&Sum([0, 0, u64::MAX, 0]));
        assert_eq!(sum.0, [0, 0, 0, 0]);
    }
}
