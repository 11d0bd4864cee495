//! PUTs to the presigned URLs of import jobs: over the scripted core, and once with the real one.
//!
//! Invariant: as in `calls.rs`.

use serde_json::{Value, json};

use super::doubles::Stage;
use crate::gateway::core::{Core, UserPools};
use crate::gateway::locked;
use crate::pools::{Call, TokenSigner};

const PATH: &str = "/aws-cognito-idp-user-import-eu-central-1/111122223333/eu-central-1_POOL/import-1?X-Amz-Expires=900&X-Amz-Signature=abc";
const ENCRYPTED: [(&str, &str); 1] = [("x-amz-server-side-encryption", "aws:kms")];

fn uploads(stage: &Stage) -> Vec<Value> {
    let calls = locked(&stage.core.calls).clone();
    let uploads = calls
        .iter()
        .filter(|call| call.operation == "LocalcloudUploadImportFile");
    uploads.map(|call| call.input.clone()).collect()
}

#[tokio::test]
async fn a_put_enters_the_core_with_its_signature_and_header() {
    let stage = Stage::set("{}").await;
    let reply = stage.send("PUT", PATH, &ENCRYPTED, "a,b\n").await.expect("an answer");
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    stage
        .send("PUT", PATH, &[], vec![0xff_u8, 0x00])
        .await
        .expect("an answer");
    let text = json!({
        "UserPoolId": "eu-central-1_POOL", "JobId": "import-1", "Signature": "abc", "Encryption": "aws:kms", "Body": "a,b\n",
    });
    let bytes =
        json!({ "UserPoolId": "eu-central-1_POOL", "JobId": "import-1", "Signature": "abc", "BodyBase64": "/wA=" });
    assert_eq!(uploads(&stage), [text, bytes]);
    assert_eq!(stage.control("counters").await["calls"]["s3"]["PutObject"], 2);
    assert_eq!(stage.send("GET", PATH, &[], "").await.expect("an answer").status, 405);
}

#[tokio::test]
async fn an_upload_meets_the_faults_of_its_region() {
    let lost = r#"{"faults": [{"service": "s3", "operation": "PutObject", "kind": "lost_response", "count": 1},
                              {"service": "s3", "kind": "http503", "count": 1},
                              {"kind": "refuse_region", "region": "eu-central-1"}]}"#;
    let stage = Stage::set(lost).await;
    assert!(
        stage.send("PUT", PATH, &ENCRYPTED, "x").await.is_none(),
        "applied, but not answered"
    );
    assert_eq!(uploads(&stage).len(), 1);
    assert_eq!(
        stage
            .send("PUT", PATH, &ENCRYPTED, "x")
            .await
            .expect("an answer")
            .status,
        503
    );
    assert!(stage.send("PUT", PATH, &ENCRYPTED, "x").await.is_none());
    let other = PATH.replace("eu-central-1", "eu-west-1");
    assert_eq!(
        stage
            .send("PUT", &other, &ENCRYPTED, "x")
            .await
            .expect("an answer")
            .status,
        200
    );
    assert_eq!(uploads(&stage).len(), 2);
}

fn call(core: &mut Core, operation: &str, input: Value) -> Value {
    let call = Call {
        region: Some("eu-central-1".to_owned()),
        operation: operation.to_owned(),
        input,
        caller: None,
        stale_by_millis: 0,
    };
    core.apply(&call, 1_000).answer.expect("a good call")
}

#[test]
fn a_presigned_url_leads_to_the_gateway() {
    let mut core = Core::new(1, TokenSigner::unsigned()).at("http://127.0.0.1:4599");
    let pool = call(&mut core, "CreateUserPool", json!({ "PoolName": "people" }))["UserPool"]["Id"].clone();
    let input =
        json!({ "UserPoolId": pool, "JobName": "x", "CloudWatchLogsRoleArn": "arn:aws:iam::111122223333:role/logs" });
    let job = call(&mut core, "CreateUserImportJob", input)["UserImportJob"].clone();
    let url = job["PreSignedUrl"].as_str().expect("a URL");
    assert!(
        url.starts_with("http://127.0.0.1:4599/aws-cognito-idp-user-import-eu-central-1/111122223333/eu-central-1_"),
        "{url}"
    );
}

#[test]
fn a_bought_limit_admits_more_at_once_and_in_its_region_only() {
    let mut core = Core::new(1, TokenSigner::unsigned());
    let admitted = |core: &mut Core, region: &str, now: i64| {
        let calls = (0..1_000).filter(|_| core.admit(region, "AdminCreateUser", now));
        calls.count()
    };
    assert_eq!(admitted(&mut core, "eu-central-1", 0), 50);
    let definition = json!({ "LimitClass": "API_CATEGORY", "Attributes": { "Category": "UserCreation" } });
    let input = json!({ "LimitDefinition": definition, "RequestedLimitValue": 200 });
    call(&mut core, "UpdateProvisionedLimit", input);
    assert_eq!(admitted(&mut core, "eu-central-1", 1_000), 200);
    assert_eq!(admitted(&mut core, "us-east-1", 1_000), 50);
    // Another configuration takes nothing back.
    core.set_rates(&[("UserCreation".to_owned(), 10)].into());
    assert_eq!(admitted(&mut core, "eu-central-1", 2_000), 200);
    assert_eq!(admitted(&mut core, "us-east-1", 2_000), 10);
}
