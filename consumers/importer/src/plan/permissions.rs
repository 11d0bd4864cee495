//! Whether the credentials may do what the plan needs, found out before anything is made.
//!
//! IAM judges a call before Cognito looks at what it is about. So each operation is called about something that does not exist:
//! a pool of an impossible name, or, where the target exists and the policy may be of that pool alone, a user whom nobody can
//! be: their name is random. "Not found" says that it is permitted. What has an effect without a pool (`CreateUserPool`), or on
//! the pool itself where that is there, is not tried, and is named for whoever reads the plan.
//!
//! Invariant: no call of these can change anything.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        estimate::Estimate,
        plan::{TargetPool, UsersWay},
    },
    port::{Backup, RawPool, ReadPool, Refusal, WritePool},
};

use crate::Importer;

/// Operations on a user who has to exist.
const OF_A_USER: [&str; 6] = [
    "AdminAddUserToGroup",
    "AdminDisableUser",
    "AdminLinkProviderForUser",
    "AdminSetUserMFAPreference",
    "AdminSetUserPassword",
    "AdminUpdateUserAttributes",
];
/// Operations that have an effect whatever they are about, or that another permission is judged with: `CreateUserImportJob`
/// hands over a role.
const NEVER_TRIED: [&str; 2] = ["CreateUserImportJob", "CreateUserPool"];
/// How often a call is made that nobody answers for.
const ATTEMPTS_MAX: u32 = 6;
/// Operations on what an import job made first.
const OF_A_JOB: [&str; 2] = ["CreateUserImportJob", "StartUserImportJob"];

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Tries every operation that changes something and that `estimate` counts calls of, or an import job needs; says which
    /// could not be tried.
    ///
    /// # Errors
    /// `Denied` with everything that is missing; else as Cognito answers.
    pub(super) async fn try_permissions(
        &self,
        target: &TargetPool,
        region: &str,
        (estimate, way): (&Estimate, UsersWay),
    ) -> Result<Vec<String>, Error> {
        let nobody = random_name()?;
        let mut denied = Vec::new();
        let mut untried = Vec::new();
        for operation in needed(estimate, way) {
            let Some(input) = probe(operation, target, region, &nobody) else {
                untried.push(format!("cognito-idp:{operation}"));
                continue;
            };
            if !self.permits(operation, &input).await? {
                denied.push(format!("cognito-idp:{operation}"));
            }
        }
        if denied.is_empty() {
            return Ok(untried);
        }
        let what = format!("the import needs permissions that are missing: {}", denied.join(", "));
        Err(Error::new(ErrorKind::Denied, what))
    }

    /// Whether a call is permitted. One that nobody answers for changes nothing either, and is made again.
    async fn permits(&self, operation: &str, input: &Value) -> Result<bool, Error> {
        let mut attempts = 1;
        loop {
            match self.writer.change(operation, input.clone()).await {
                Err(Refusal::Failed(error)) if error.kind == ErrorKind::Denied => return Ok(false),
                Err(Refusal::Doubtful(_)) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(Refusal::Failed(error) | Refusal::Doubtful(error)) => return Err(error),
                Ok(_) | Err(Refusal::Refused(_)) => return Ok(true),
            }
        }
    }
}

/// The permissions that nobody has tried.
pub(super) fn unproven(operations: &[String]) -> String {
    let operations = operations.iter().map(String::as_str).chain(["iam:PassRole"]);
    format!(
        "make sure of these permissions, which cannot be tried without effect: {}",
        operations.collect::<Vec<_>>().join(", ")
    )
}

/// A name that nobody has, from the randomness of the operating system.
fn random_name() -> Result<String, Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|_| Error::new(ErrorKind::NotFound, "the operating system's source of randomness"))?;
    Ok(format!("twinpool-{:032x}", u128::from_be_bytes(random)))
}

/// Operations that change something, in the order of their names.
fn needed(estimate: &Estimate, way: UsersWay) -> BTreeSet<&str> {
    let counted = estimate.phases.iter().flat_map(|phase| phase.calls.keys());
    let counted = counted
        .map(String::as_str)
        .filter(|operation| *operation != "ListUsers");
    let of_jobs = OF_A_JOB.into_iter().filter(|_| way == UsersWay::Csv);
    counted.chain(of_jobs).collect()
}

/// A call of `operation` about what does not exist; `None` where there is no such call.
fn probe(operation: &str, target: &TargetPool, region: &str, nobody: &str) -> Option<Value> {
    let pool = match target {
        _ if NEVER_TRIED.contains(&operation) => return None,
        // Cognito's own ids are longer.
        TargetPool::New { .. } => format!("{region}_twinpool"),
        TargetPool::Existing { id } if OF_A_USER.contains(&operation) => id.clone(),
        // It would change the pool, or make what it is asked about.
        TargetPool::Existing { .. } => return None,
    };
    let mut input = json!({"UserPoolId": pool});
    let user = json!({"Username": nobody});
    let client = json!({"ClientId": "twinpool"});
    let beside = match operation {
        // A password that meets any policy; it is of nobody.
        "AdminSetUserPassword" => json!({"Username": nobody, "Password": "Aa1!Aa1!Aa1!Aa1!Aa1!", "Permanent": true}),
        "AdminAddUserToGroup" => json!({"Username": nobody, "GroupName": nobody}),
        "AdminUpdateUserAttributes" => json!({"Username": nobody, "UserAttributes": []}),
        "AdminCreateUser" => json!({"Username": nobody, "MessageAction": "SUPPRESS"}),
        "AdminLinkProviderForUser" => json!({
            "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": nobody},
            "SourceUser": {"ProviderName": nobody, "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": nobody},
        }),
        "AdminDisableUser" | "AdminSetUserMFAPreference" => user,
        "AddCustomAttributes" => json!({"CustomAttributes": [{"Name": "twinpool", "AttributeDataType": "String"}]}),
        "CreateGroup" | "UpdateGroup" => json!({"GroupName": nobody}),
        "CreateIdentityProvider" => json!({"ProviderName": "twinpool", "ProviderType": "OIDC", "ProviderDetails": {}}),
        "UpdateIdentityProvider" => json!({"ProviderName": "twinpool"}),
        "CreateResourceServer" | "UpdateResourceServer" => json!({"Identifier": nobody, "Name": nobody}),
        "CreateTerms" => json!({
            "ClientId": "twinpool", "TermsName": "terms-of-use", "TermsSource": "LINK", "Enforcement": "NONE",
        }),
        "CreateUserPoolClient" => json!({"ClientName": nobody}),
        "CreateUserPoolDomain" | "UpdateUserPoolDomain" => json!({"Domain": nobody}),
        "CreateManagedLoginBranding" | "UpdateUserPoolClient" | "SetUserPoolClientSessionConfiguration" => client,
        "SetLogDeliveryConfiguration" => json!({"LogConfigurations": []}),
        "SetUserPoolMfaConfig" => json!({"MfaConfiguration": "OFF"}),
        "StartUserImportJob" => json!({"JobId": "import-twinpool"}),
        _ => json!({}),
    };
    let beside = beside.as_object().cloned().unwrap_or_default();
    input.as_object_mut()?.extend(beside);
    Some(input)
}

#[cfg(test)]
mod tests {
    use twinpool_shared::import::REPEATABLE;

    use super::*;

    const NOBODY: &str = "twinpool-0123";

    #[test]
    fn no_probe_is_about_a_user_or_a_pool_that_can_exist() {
        let new = TargetPool::New {
            name: "people".to_owned(),
        };
        let existing = TargetPool::Existing {
            id: "us-west-2_a1".to_owned(),
        };
        let makes = [
            "AdminCreateUser",
            "CreateUserPoolClient",
            "CreateUserPoolDomain",
            "CreateGroup",
        ];
        for operation in OF_A_USER.into_iter().chain(REPEATABLE).chain(makes) {
            let input = probe(operation, &new, "us-west-2", NOBODY).expect("a probe");
            assert_eq!(input["UserPoolId"], "us-west-2_twinpool", "{operation}");
            let Some(input) = probe(operation, &existing, "us-west-2", NOBODY) else {
                assert!(!OF_A_USER.contains(&operation), "{operation}");
                continue;
            };
            assert!(OF_A_USER.contains(&operation), "{operation} would change the pool");
            assert_eq!(input["UserPoolId"], "us-west-2_a1");
            let user = input
                .get("Username")
                .unwrap_or(&input["DestinationUser"]["ProviderAttributeValue"]);
            assert_eq!(user, NOBODY, "{operation}");
        }
        for target in [&new, &existing] {
            assert_eq!(
                probe("CreateUserPool", target, "us-west-2", NOBODY),
                None,
                "it would make one"
            );
        }
        assert!(
            probe("AdminCreateUser", &new, "us-west-2", NOBODY)
                .is_some_and(|input| input["MessageAction"] == "SUPPRESS")
        );
    }
}
