//! Who is asking: the account, and whether the pool is of the same one.
//!
//! Invariant: a session's name, which is often a person's e-mail address, is not shown.

use aws_sdk_sts::Client;
use twinpool_shared::{adapter::aws::classify, error::Error};

use super::Finding;

/// Who the credentials are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account.
    pub(crate) account: String,
    principal: String,
}

/// Asks STS.
///
/// # Errors
/// As STS answers.
pub(crate) async fn read(sts: &Client) -> Result<Caller, Error> {
    let answer = sts.get_caller_identity().send().await;
    let answer = answer.map_err(|error| classify("sts:GetCallerIdentity", &error))?;
    Ok(Caller {
        account: answer.account.unwrap_or_default(),
        principal: principal(answer.arn.as_deref().unwrap_or_default()),
    })
}

/// The finding about the credentials: without an answer nothing else can be believed, so that is a failure.
pub(crate) fn judge(read: &Result<Caller, Error>, region: &str) -> Finding {
    match read {
        Ok(caller) => Finding::ok(
            "credentials",
            format!("account {}, {}, Region {region}", caller.account, caller.principal),
        ),
        Err(error) => Finding::fail(
            "credentials",
            format!("not accepted: {}", error.what),
            "sign in again, or name another profile with --profile",
        ),
    }
}

/// Kind and name of the principal, without the session or the user.
fn principal(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let mut parts = resource.split('/');
    match (parts.next(), parts.next()) {
        (Some("assumed-role"), Some(role)) => format!("role {role}"),
        (Some("root"), _) => "the root user".to_owned(),
        (Some("user"), _) => "an IAM user".to_owned(),
        (Some("federated-user"), _) => "a federated user".to_owned(),
        _ => "an unknown principal".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_shown_without_the_person() {
        for (arn, shown) in [
            (
                "arn:aws:sts::111122223333:assumed-role/Admin/ann@example.com",
                "role Admin",
            ),
            ("arn:aws:iam::111122223333:user/path/ann", "an IAM user"),
            ("arn:aws:iam::111122223333:root", "the root user"),
            ("arn:aws:sts::111122223333:federated-user/ann", "a federated user"),
            ("", "an unknown principal"),
        ] {
            assert_eq!(principal(arn), shown);
        }
    }
}
