//! The user pool: that it is there, what a copy of it can and cannot bring back, its native replicas, and
//! what a reconcile leaves of the quota.

use std::collections::HashMap;

use aws_sdk_cognitoidentityprovider::{
    Client,
    types::{
        DeletionProtectionType, LimitClass, LimitDefinitionType, ReplicaRoleType, ReplicaStatusType, UserPoolMfaType,
        UserPoolReplicaType, UserPoolTierType, UserPoolType,
    },
};
use twinpool_shared::{
    adapter::aws::classify,
    error::{Error, ErrorKind},
    quota::{Category, Share},
};

use super::{Finding, State, account_of, functions::Functions, triggers};

/// Reads and judges the pool. `account` is the caller's.
pub(crate) async fn check(
    cognito: &Client,
    functions: &mut Functions,
    pool: &str,
    account: Option<&str>,
    queue_url: Option<&str>,
) -> Vec<Finding> {
    let described = match describe(cognito, pool).await {
        Ok(described) => described,
        Err(error) => return vec![Finding::unread("pool", &error)],
    };
    let mut findings = judge(&described, account);
    findings.extend(triggers::check(functions, described.lambda_config.as_ref(), queue_url).await);
    findings.push(match replicas(cognito, pool).await {
        Ok(replicas) => judge_replicas(&replicas),
        Err(error) => Finding::unread("pool.native-replicas", &error),
    });
    findings.push(judge_quota(user_list_limit(cognito).await));
    findings
}

async fn describe(cognito: &Client, pool: &str) -> Result<UserPoolType, Error> {
    let answer = cognito.describe_user_pool().user_pool_id(pool).send().await;
    let answer = answer.map_err(|error| classify("cognito-idp:DescribeUserPool on the pool", &error))?;
    answer.user_pool.ok_or_else(|| {
        Error::new(
            ErrorKind::Unavailable,
            "cognito-idp:DescribeUserPool answered without UserPool",
        )
    })
}

async fn replicas(cognito: &Client, pool: &str) -> Result<Vec<UserPoolReplicaType>, Error> {
    // One secondary is all that Cognito allows, so one page has them.
    let answer = cognito.list_user_pool_replicas().user_pool_id(pool).send().await;
    let answer = answer.map_err(|error| classify("cognito-idp:ListUserPoolReplicas on the pool", &error))?;
    Ok(answer.user_pool_replicas.unwrap_or_default())
}

/// The limit in force for lists of users, in requests a second; `None` where it may not be asked.
async fn user_list_limit(cognito: &Client) -> Option<f64> {
    let category = HashMap::from([("Category".to_owned(), Category::UserList.as_str().to_owned())]);
    let wanted = LimitDefinitionType::builder()
        .limit_class(LimitClass::ApiCategory)
        .set_attributes(Some(category));
    let request = cognito.get_provisioned_limit().limit_definition(wanted.build().ok()?);
    let limit = request.send().await.ok()?.limit?.provisioned_limit_value;
    (limit > 0).then(|| f64::from(limit))
}

fn judge(pool: &UserPoolType, account: Option<&str>) -> Vec<Finding> {
    let tier = pool.user_pool_tier.as_ref();
    let own = pool.arn.as_deref().and_then(account_of);
    let foreign = matches!((own, account), (Some(own), Some(account)) if own != account);
    vec![
        Finding::unless(
            !foreign,
            "pool",
            format!(
                "about {} users, tier {}",
                pool.estimated_number_of_users,
                tier.map_or("unknown", UserPoolTierType::as_str)
            ),
            (
                State::Fail,
                "the pool is of another account than the credentials",
                "use credentials of the pool's account",
            ),
        ),
        mfa(pool.mfa_configuration.as_ref()),
        Finding::unless(
            pool.deletion_protection == Some(DeletionProtectionType::Active),
            "pool.deletion-protection",
            "protected from deletion",
            (
                State::Warn,
                "the pool can be deleted by one call",
                "turn the pool's deletion protection on",
            ),
        ),
    ]
}

/// What MFA means for a copy: secrets are given to nobody.
fn mfa(setting: Option<&UserPoolMfaType>) -> Finding {
    let check = "pool.mfa";
    match setting {
        Some(UserPoolMfaType::On) => Finding::warn(
            check,
            "MFA is required, and authenticator secrets cannot be copied",
            "plan for users to register their authenticator apps again after an import",
        ),
        Some(UserPoolMfaType::Optional) => Finding::ok(
            check,
            "MFA is optional; after an import, authenticator apps are registered again",
        ),
        _ => Finding::ok(check, "MFA is off"),
    }
}

/// What a native replica means beside a backup.
fn judge_replicas(replicas: &[UserPoolReplicaType]) -> Finding {
    let check = "pool.native-replicas";
    let secondary = replicas
        .iter()
        .find(|replica| replica.role.as_ref() != Some(&ReplicaRoleType::Primary));
    let Some(replica) = secondary else {
        return Finding::ok(
            check,
            "no multi-Region replication: the backup is the only copy, and passwords are in none",
        );
    };
    let region = replica.region_name.as_deref().unwrap_or("another Region");
    let status = replica.status.as_ref().map_or("unknown", ReplicaStatusType::as_str);
    Finding::ok(
        check,
        format!(
            "multi-Region replication to {region} ({status}): sign-ins go on there, passwords included; it is no backup, \
             because deletions and mistakes are replicated, and it takes no sign-ups and no changes"
        ),
    )
}

fn judge_quota(limit: Option<f64>) -> Finding {
    let category = Category::UserList;
    let asked = if limit.is_some() { "now" } else { "by default" };
    let limit = limit.unwrap_or_else(|| category.default_rps());
    let share = Share::default().percent();
    let taken = limit * f64::from(share) / 100.0;
    Finding::ok(
        "quota.user-list",
        format!(
            "{limit:.0} lists of users a second {asked}; by default a reconcile takes {share} % of them, {taken:.0} a second, \
             and the replicators together as much while they have work"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::states;

    #[test]
    fn a_pool_of_another_account_fails() {
        let pool = UserPoolType::builder()
            .arn("arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_a")
            .deletion_protection(DeletionProtectionType::Active)
            .build();
        assert_eq!(states(&judge(&pool, Some("111122223333")))[0].1, State::Ok);
        assert_eq!(states(&judge(&pool, Some("444455556666")))[0].1, State::Fail);
        assert_eq!(states(&judge(&pool, None))[0].1, State::Ok);
    }

    #[test]
    fn native_replication_is_named_for_what_it_is() {
        let replica = |role| {
            UserPoolReplicaType::builder()
                .region_name("eu-west-1")
                .role(role)
                .build()
        };
        let only_primary = judge_replicas(&[replica(ReplicaRoleType::Primary)]);
        assert!(
            only_primary.what.starts_with("no multi-Region"),
            "{}",
            only_primary.what
        );
        let both = judge_replicas(&[replica(ReplicaRoleType::Primary), replica(ReplicaRoleType::Secondary)]);
        assert!(
            both.what.contains("eu-west-1") && both.what.contains("no backup"),
            "{}",
            both.what
        );
    }

    #[test]
    fn the_quota_and_what_twinpool_takes_of_it_are_said() {
        let what = judge_quota(None).what;
        assert!(
            what.starts_with("30 lists of users a second by default; by default a reconcile takes 50 %"),
            "{what}"
        );
        assert!(judge_quota(Some(60.0)).what.contains("50 % of them, 30 a second"));
    }
}
