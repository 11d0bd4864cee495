//! The key that encrypts the table.
//!
//! Invariant: metadata only; nothing is decrypted.

use serde_json::{Value, json};
use twinpool_shared::error::Error;

use super::{Finding, State};
use crate::untyped::{KMS, Untyped};

const CHECK: &str = "table.key";

/// The finding about the key with `arn`, as DescribeTable names it; `None` for DynamoDB's own key.
pub(crate) async fn check(kms: &Untyped, arn: Option<&str>) -> Finding {
    let Some(arn) = arn else {
        return Finding::warn(
            CHECK,
            "encrypted with a key of DynamoDB's",
            "encrypt with a customer-managed key, so that its policy says who may read the users",
        );
    };
    judge(&kms.call(KMS, "DescribeKey", &json!({"KeyId": arn})).await)
}

fn judge(answer: &Result<Value, Error>) -> Finding {
    let metadata = match answer {
        Ok(answer) => &answer["KeyMetadata"],
        Err(error) => return Finding::unread(CHECK, error),
    };
    if metadata["KeyState"] != "Enabled" {
        return Finding::fail(
            CHECK,
            format!(
                "the key is in state {}",
                metadata["KeyState"].as_str().unwrap_or("unknown")
            ),
            "enable the key, or cancel its deletion: without it the table cannot be read",
        );
    }
    if metadata["KeyManager"] != "CUSTOMER" {
        return Finding::warn(
            CHECK,
            "encrypted with a key that AWS manages",
            "encrypt with a customer-managed key, so that its policy says who may read the users",
        );
    }
    Finding::unless(
        metadata["MultiRegion"] == true,
        CHECK,
        "encrypted with a customer-managed multi-Region key",
        (
            State::Warn,
            "the customer-managed key is of this Region only",
            "make sure that every replica has a key of its own Region, or use a multi-Region key",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_judged_by_state_owner_and_regions() {
        for (state, manager, multi, found) in [
            ("Enabled", "CUSTOMER", true, State::Ok),
            ("Enabled", "CUSTOMER", false, State::Warn),
            ("Enabled", "AWS", false, State::Warn),
            ("PendingDeletion", "CUSTOMER", true, State::Fail),
            ("Disabled", "CUSTOMER", true, State::Fail),
        ] {
            let answer = json!({"KeyMetadata": {"KeyState": state, "KeyManager": manager, "MultiRegion": multi}});
            assert_eq!(judge(&Ok(answer)).state, found, "{state} {manager} {multi}");
        }
    }
}
