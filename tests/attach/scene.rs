//! What the attachment is played with: the program as a process, a customer's function, a pool with every setting, and people.
//!
//! Invariant: the pool is set and read past the counters, so that what is counted is the program's.

use std::process::Stdio;

use aws_sdk_cognitoidentityprovider::{
    error::ProvideErrorMetadata,
    types::{AttributeType, AuthFlowType},
};
use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use serde_json::{Value, json};
use tokio::process::Command;
use twinpool_tests::stack::{PRIMARY, PoolHandle, Stack, target_folder};

const PASSWORD: &str = "Perman3nt-password!";
/// A customer's function: lets in whom it invited.
const WELCOME: &str = "def handler(event, context):
    if event['userName'].startswith('uninvited'):
        raise Exception('not invited')
    return event
";
/// A function of Twinpool's that does not even start.
pub(crate) const BROKEN: &str = "#!/bin/sh
exit 1
";
const PACK: &str = "import sys, zipfile
entry = zipfile.ZipInfo(sys.argv[1])
entry.external_attr = 0o100755 << 16
with zipfile.ZipFile(sys.stdout.buffer, 'w') as archive:
    archive.writestr(entry, sys.argv[2])
";

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The program with an operator's variables, and without a terminal.
pub(crate) fn command(stack: &Stack, pool: &str, arguments: &[&str]) -> Command {
    let folder = target_folder().expect("a target folder");
    let own = std::env::current_exe().expect("the path of this program");
    let build = own.parent().and_then(|deps| deps.parent()).expect("a build folder");
    let mut command = Command::new(build.join("twinpool"));
    command
        .args(arguments)
        .args(["--pool", pool])
        .env_clear()
        .env("HOME", folder.join("tmp/nobody"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_ENDPOINT_URL", stack.endpoint())
        .env("TWINPOOL_TABLE", &stack.deployment.table)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

pub(crate) async fn run(stack: &Stack, arguments: &[&str]) -> Ran {
    run_for(stack, &stack.pools[0].id, arguments).await
}

pub(crate) async fn run_for(stack: &Stack, pool: &str, arguments: &[&str]) -> Ran {
    let done = command(stack, pool, arguments).output().await.expect("twinpool runs");
    Ran {
        status: done.status.code().expect("an exit status"),
        stdout: String::from_utf8(done.stdout).expect("text"),
        stderr: String::from_utf8(done.stderr).expect("text"),
    }
}

pub(crate) async fn packed(file: &str, text: &str) -> Blob {
    let packed = Command::new("python3").args(["-c", PACK, file, text]).output().await;
    let packed = packed.expect("python3 runs");
    assert!(packed.status.success(), "{packed:?}");
    Blob::new(packed.stdout)
}

/// Creates the customer's function; its ARN.
pub(crate) async fn function(stack: &Stack, name: &str) -> String {
    let code = FunctionCode::builder()
        .zip_file(packed("index.py", WELCOME).await)
        .build();
    let creating = stack.lambda.create_function().function_name(name).code(code);
    let created = creating
        .runtime(Runtime::Python312)
        .handler("index.handler")
        .role("arn:aws:iam::111122223333:role/welcome")
        .send()
        .await
        .expect("CreateFunction");
    permit(stack, name).await;
    created.function_arn.expect("an ARN")
}

/// Lets Cognito invoke a function, as the console does when it puts one into a slot.
pub(crate) async fn permit(stack: &Stack, name: &str) {
    let permitting = stack
        .lambda
        .add_permission()
        .function_name(name)
        .statement_id("cognito");
    let permitting = permitting
        .action("lambda:InvokeFunction")
        .principal("cognito-idp.amazonaws.com");
    permitting.send().await.expect("AddPermission");
}

/// Takes that permission away.
pub(crate) async fn forbid(stack: &Stack, name: &str) {
    let forbidding = stack.lambda.remove_permission().function_name(name);
    let forbidding = forbidding.statement_id("cognito").send().await;
    forbidding.expect("RemovePermission");
}

/// Everything that a pool can be set to and an update can lose.
pub(crate) fn settings(pool: &str, team: &str, triggers: &Value) -> Value {
    json!({
        "UserPoolId": pool, "DeletionProtection": "ACTIVE", "LambdaConfig": triggers, "MfaConfiguration": "OPTIONAL",
        "Policies": {"PasswordPolicy": {"MinimumLength": 14, "RequireUppercase": true, "RequireLowercase": true,
            "RequireNumbers": true, "RequireSymbols": false, "TemporaryPasswordValidityDays": 3},
            "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}},
        "UserPoolTier": "PLUS", "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
        "AutoVerifiedAttributes": ["email"],
        "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE", "EmailMessage": "Your code: {####} ü",
            "EmailSubject": "Welcome"},
        "SmsAuthenticationMessage": "Sign in with {####}",
        "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
        "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": false, "DeviceOnlyRememberedOnUserPrompt": true},
        "EmailConfiguration": {"EmailSendingAccount": "DEVELOPER", "From": "Example <no-reply@example.com>",
            "SourceArn": "arn:aws:ses:us-east-1:111122223333:identity/example.com"},
        "SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::111122223333:role/sms", "ExternalId": "tests"},
        "UserPoolTags": {"team": team, "cost-centre": "42"},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false, "InviteMessageTemplate":
            {"EmailMessage": "{username}: {####}", "EmailSubject": "Come in", "SMSMessage": "{username} {####}"}},
        "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
    })
}

pub(crate) async fn by_hand(stack: &Stack, operation: &str, input: Value) -> Value {
    let answer = stack.control.by_hand(operation, Some(PRIMARY), input).await;
    answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
}

/// The raw answer of DescribeUserPool with the MFA configuration, as text.
pub(crate) async fn shown(stack: &Stack, pool: &str) -> (Value, Value) {
    let id = json!({"UserPoolId": pool});
    let pool = by_hand(stack, "DescribeUserPool", id.clone()).await["UserPool"].take();
    (pool, by_hand(stack, "GetUserPoolMfaConfig", id).await)
}

/// The same without what an attachment may change, as bytes.
pub(crate) async fn kept(stack: &Stack, pool: &str, without: &[&str]) -> String {
    let (mut described, mfa) = shown(stack, pool).await;
    let members = described.as_object_mut().expect("settings");
    // Users come and go meanwhile.
    for name in without.iter().chain(&["LastModifiedDate", "EstimatedNumberOfUsers"]) {
        members.remove(*name);
    }
    json!([described, mfa]).to_string()
}

pub(crate) async fn calls(stack: &Stack, service: &str, operation: &str) -> u64 {
    let counters = stack.control.counters().await.expect("counters");
    let of_service = counters.calls.get(service);
    of_service.and_then(|calls| calls.get(operation)).copied().unwrap_or(0)
}

/// Signs up and confirms; the `sub`, and what became of the confirmation.
pub(crate) async fn sign_up(stack: &Stack, pool: &PoolHandle, name: &str) -> (String, Result<(), String>) {
    let signing_up = stack
        .cognito
        .sign_up()
        .client_id(&pool.client_id)
        .username(name)
        .password(PASSWORD);
    let email = AttributeType::builder().name("email");
    let email = email
        .value(format!("{name}@example.com"))
        .build()
        .expect("a name is given");
    let sub = signing_up.user_attributes(email).send().await.expect("SignUp").user_sub;
    let code = stack.control.code(&pool.id, &sub, "SignUp").await.expect("a code");
    let confirming = stack
        .cognito
        .confirm_sign_up()
        .client_id(&pool.client_id)
        .username(name);
    let confirmed = confirming.confirmation_code(code).send().await;
    let refusal = confirmed
        .map(drop)
        .map_err(|error| error.message().unwrap_or_default().to_owned());
    (sub, refusal)
}

pub(crate) async fn sign_in(stack: &Stack, pool: &PoolHandle, name: &str) {
    let signing_in = stack.cognito.initiate_auth().client_id(&pool.client_id);
    let signing_in = signing_in
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .auth_parameters("USERNAME", name);
    let signed_in = signing_in
        .auth_parameters("PASSWORD", PASSWORD)
        .send()
        .await
        .expect("InitiateAuth");
    assert!(signed_in.authentication_result.is_some(), "signed in");
}
