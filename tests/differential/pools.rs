//! Pools, clients, users, groups and lists, compared with moto.
//!
//! Invariant: see the module above.

use serde_json::json;
use twinpool_tests::stand_ins::{Cognito, localcloud, moto};

use super::{
    known::{MOTO, all_known},
    script::{Codes, Side, compared},
};

#[tokio::test]
async fn the_double_agrees_with_moto() {
    let cloud = localcloud(&json!({"quotas": {"enabled": false}}), None).await;
    let ours = Side {
        cognito: Cognito::new(cloud.endpoint()),
        codes: Codes::Mailbox,
        functions: None,
    };
    let theirs = Side {
        cognito: Cognito::new(&moto().await),
        // moto takes any code.
        codes: Codes::Fixed("123456"),
        functions: None,
    };
    let mut differences = Vec::new();
    for script in [
        "pools.json",
        "users.json",
        "listing.json",
        "username-attributes.json",
        "rebuild.json",
    ] {
        differences.extend(compared(script, &ours, &theirs).await);
    }
    all_known(MOTO, &differences);
}
