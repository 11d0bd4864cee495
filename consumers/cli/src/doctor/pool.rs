//! The user pool: that it is there, what a copy of it can and cannot bring back, its trigger slots, its native replicas, and
//! what a reconcile leaves of the quota.

use std::collections::HashMap;

use aws_sdk_cognitoidentityprovider::{
    Client,
    types::{
        DeletionProtectionType, LambdaConfigType, LimitClass, LimitDefinitionType, ReplicaRoleType, ReplicaStatusType,
        UserPoolMfaType, UserPoolReplicaType, UserPoolTierType, UserPoolType,
    },
};
use twinpool_shared::{
    adapter::aws::classify,
    error::{Error, ErrorKind},
    quota::{Category, Share},
};

use super::{
    Finding, State, account_of,
    functions::{CHAIN_TO, Functions, QUEUE_URL, Settings, name},
};

/// Name of a finding and of the slot, for each of the three slots that Twinpool fills.
const SLOTS: [(&str, &str); 3] = [
    ("trigger.post-confirmation", "PostConfirmation"),
    ("trigger.post-authentication", "PostAuthentication"),
    ("trigger.custom-message", "CustomMessage"),
];

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
    let slots = slots(described.lambda_config.as_ref());
    for ((check, slot), arn) in SLOTS.into_iter().zip(slots) {
        findings.push(match arn {
            None => empty_slot(check, slot),
            Some(arn) => trigger(functions, check, slot, &arn, queue_url).await,
        });
    }
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

/// The functions in the three slots, in the order of [`SLOTS`].
fn slots(config: Option<&LambdaConfigType>) -> [Option<String>; 3] {
    let slot = |pick: fn(&LambdaConfigType) -> Option<&str>| {
        let arn = config.and_then(pick).filter(|arn| !arn.is_empty());
        arn.map(str::to_owned)
    };
    [
        slot(LambdaConfigType::post_confirmation),
        slot(LambdaConfigType::post_authentication),
        slot(LambdaConfigType::custom_message),
    ]
}

fn empty_slot(check: &'static str, slot: &str) -> Finding {
    Finding::warn(
        check,
        "no function is attached: such changes are heard from CloudTrail only, or found by the reconcile",
        format!("attach Twinpool's function to the slot {slot} (infra/README.md)"),
    )
}

async fn trigger(
    functions: &mut Functions,
    check: &'static str,
    slot: &str,
    arn: &str,
    queue_url: Option<&str>,
) -> Finding {
    let settings = match functions.settings(arn).await {
        Ok(settings) => settings,
        Err(error) if error.kind == ErrorKind::NotFound => {
            return Finding::fail(
                check,
                format!("the attached function {} does not exist: users' calls fail", name(arn)),
                format!("attach Twinpool's function to the slot {slot}, or empty it"),
            );
        }
        Err(error) => return Finding::unread(check, &error),
    };
    let chained = match &settings.chain_to {
        None => None,
        Some(chained) => Some((chained.as_str(), functions.settings(chained).await)),
    };
    judge_trigger(check, slot, arn, &settings, queue_url, chained)
}

fn judge_trigger(
    check: &'static str,
    slot: &str,
    arn: &str,
    settings: &Settings,
    queue_url: Option<&str>,
    chained: Option<(&str, Result<Settings, Error>)>,
) -> Finding {
    let own = name(arn);
    let Some(sends_to) = &settings.queue_url else {
        return Finding::warn(
            check,
            format!("the function {own}, which is not Twinpool's ({QUEUE_URL} is not set)"),
            format!("attach Twinpool's function to the slot {slot}, with {CHAIN_TO} set to {own}'s ARN"),
        );
    };
    if queue_url.is_some_and(|url| url != sends_to) {
        return Finding::fail(
            check,
            format!("{own} sends to another queue than the one named"),
            format!("name that queue with --queue-url, or correct {QUEUE_URL} of the function"),
        );
    }
    match chained {
        None => Finding::ok(check, own),
        Some((arn, Ok(_))) => Finding::ok(check, format!("{own}, chained to {}", name(arn))),
        Some((arn, Err(error))) if error.kind == ErrorKind::NotFound => Finding::fail(
            check,
            format!("{own} is chained to {}, which does not exist", name(arn)),
            format!("correct {CHAIN_TO} of the function"),
        ),
        Some((_, Err(error))) => Finding::unread(check, &error),
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
            "{limit:.0} lists of users a second {asked}; a reconcile takes {share} % of them, and {:.0} a second are left \
             to applications",
            limit - taken
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::states;

    const ARN: &str = "arn:aws:lambda:us-east-1:111122223333:function:twinpool-post-confirmation";
    const OTHER: &str = "arn:aws:lambda:us-east-1:111122223333:function:theirs";
    const QUEUE: &str = "https://sqs.us-east-1.amazonaws.com/111122223333/changes";

    fn ours(chain_to: Option<&str>) -> Settings {
        Settings {
            queue_url: Some(QUEUE.to_owned()),
            chain_to: chain_to.map(str::to_owned),
        }
    }

    fn judged(settings: &Settings, url: Option<&str>, chained: Option<(&str, Result<Settings, Error>)>) -> Finding {
        judge_trigger(
            "trigger.post-confirmation",
            "PostConfirmation",
            ARN,
            settings,
            url,
            chained,
        )
    }

    #[test]
    fn a_slot_is_twinpools_or_somebody_elses() {
        assert_eq!(judged(&ours(None), None, None).state, State::Ok);
        assert_eq!(judged(&ours(None), Some(QUEUE), None).state, State::Ok);
        assert_eq!(
            judged(&ours(None), Some("https://elsewhere/q"), None).state,
            State::Fail
        );
        let theirs = judged(&Settings::default(), None, None);
        assert_eq!(theirs.state, State::Warn);
        assert!(theirs.fix.is_some_and(|fix| fix.contains("TWINPOOL_CHAIN_TO")));
    }

    #[test]
    fn a_chained_function_has_to_exist() {
        let of = |chained| judged(&ours(Some(OTHER)), None, Some((OTHER, chained)));
        let there = of(Ok(Settings::default()));
        assert_eq!(there.what, "twinpool-post-confirmation, chained to theirs");
        assert_eq!(of(Err(Error::new(ErrorKind::NotFound, "x"))).state, State::Fail);
        assert_eq!(of(Err(Error::new(ErrorKind::Denied, "x"))).state, State::Unknown);
    }

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
    fn the_quota_that_is_left_to_applications_is_said() {
        assert!(
            judge_quota(None)
                .what
                .starts_with("30 lists of users a second by default; a reconcile takes 50 %")
        );
        assert!(judge_quota(Some(60.0)).what.contains("30 a second are left"));
    }
}
