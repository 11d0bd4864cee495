//! Time-based one-time passwords (RFC 6238: HMAC-SHA1, 30 s, six digits), as authenticator apps compute them.
//!
//! Invariant: a code is accepted for its own time step and the one before, no longer.

use aws_lc_rs::hmac;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const STEP_MILLIS: i64 = 30_000;

pub(crate) fn encode_secret(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[usize::from((buffer >> bits) as u8 & 31)]));
        }
        buffer &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(BASE32[usize::from((buffer << (5 - bits)) as u8 & 31)]));
    }
    text
}

fn decode_secret(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for letter in text.bytes() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        buffer = (buffer << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits) as u8);
            buffer &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

/// The code that an authenticator app shows at `now_millis` for the `SecretCode` of AssociateSoftwareToken; `None` if that
/// is not base32.
pub fn totp_code(secret: &str, now_millis: i64) -> Option<String> {
    let counter = u64::try_from(now_millis.div_euclid(STEP_MILLIS)).ok()?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &decode_secret(secret)?);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last()? & 0x0f);
    let window: [u8; 4] = bytes.get(offset..offset + 4)?.try_into().ok()?;
    Some(format!("{:06}", (u32::from_be_bytes(window) & 0x7fff_ffff) % 1_000_000))
}

pub(crate) fn accepts(secret: &str, given: &str, now_millis: i64) -> bool {
    [now_millis, now_millis - STEP_MILLIS]
        .into_iter()
        .any(|at| totp_code(secret, at).as_deref() == Some(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_rfc_6238() {
        let secret = encode_secret(b"12345678901234567890");
        assert_eq!(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        // The RFC prints eight digits; six are the last six of them.
        for (second, eight) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(totp_code(&secret, second * 1000).as_deref(), Some(&eight[2..]));
        }
        assert!(accepts(&secret, "287082", 59_000) && accepts(&secret, "287082", 61_000));
        assert!(!accepts(&secret, "287082", 91_000));
        assert_eq!(totp_code("not base32!", 0), None);
        let odd = encode_secret(&[1, 2, 3]);
        assert_eq!(decode_secret(&odd).expect("base32"), vec![1, 2, 3]);
    }
}
