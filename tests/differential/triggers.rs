//! The triggers' events and their order, compared with cognito-local.
//!
//! Invariant: see the module above.

use serde_json::json;
use twinpool_tests::stand_ins::{CODE, Cognito, CognitoLocal, Functions, localcloud};

use super::{
    known::{COGNITO_LOCAL, all_known},
    script::{Codes, Side, compared},
};

#[tokio::test]
async fn the_double_fires_triggers_as_cognito_local_does() {
    let (our_functions, their_functions) = (Functions::echoing().await, Functions::echoing().await);
    let cloud = localcloud(&json!({"quotas": {"enabled": false}}), Some(&our_functions)).await;
    let cognito_local = CognitoLocal::start(&their_functions).await;
    let ours = Side {
        cognito: Cognito::new(cloud.endpoint()),
        codes: Codes::Mailbox,
        functions: Some(&our_functions),
    };
    let theirs = Side {
        cognito: Cognito::new(cognito_local.endpoint()),
        codes: Codes::Fixed(CODE),
        functions: Some(&their_functions),
    };
    let differences = compared("triggers.json", &ours, &theirs).await;
    all_known(COGNITO_LOCAL, &differences);
}
