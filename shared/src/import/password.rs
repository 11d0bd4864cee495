//! Random passwords that meet every password policy, known to nobody.
//!
//! A policy asks for a length from 6 to 99 and for any of four classes of characters; Cognito takes up to 256 characters.
//! [API: PasswordPolicyType, AdminSetUserPassword]
//!
//! Invariant: made of the randomness that is handed in, one character a byte; never stored and never shown.

use crate::personal::Personal;

/// Bytes of randomness, and characters, of a password: more than the longest length that a policy can ask for.
pub const BYTES: usize = 100;

const CLASSES: [&[u8]; 4] = [
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"abcdefghijklmnopqrstuvwxyz",
    b"0123456789",
    b"!@#%^*-_=+",
];
/// 64 of them, so that a byte chooses each with the same chance.
const ALL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The password that `random` makes.
#[must_use]
pub fn password(random: &[u8; BYTES]) -> Personal {
    let pick = |from: &[u8], byte: u8| from.get(usize::from(byte) % from.len()).copied().map(char::from);
    let classes = CLASSES.into_iter().map(Some).chain(std::iter::repeat(None));
    let text: String = random
        .iter()
        .zip(classes)
        .filter_map(|(byte, class)| pick(class.unwrap_or(ALL), *byte))
        .collect();
    Personal::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_password_meets_the_strictest_policy() {
        for byte in 0..=u8::MAX {
            let password = password(&[byte; BYTES]);
            let text = password.expose();
            assert_eq!(text.len(), 100);
            assert!(text.chars().any(|c| c.is_ascii_uppercase()) && text.chars().any(|c| c.is_ascii_lowercase()));
            assert!(text.chars().any(|c| c.is_ascii_digit()) && text.chars().any(|c| c.is_ascii_punctuation()));
        }
    }

    #[test]
    fn other_randomness_is_another_password() {
        let mut random = [7; BYTES];
        let before = password(&random);
        random[50] = 8;
        assert_ne!(password(&random), before);
        assert_eq!(format!("{before:?}"), "[redacted]");
    }
}
