//! Every known difference between the local cloud and the stand-ins, with the side that is right and why.
//!
//! Invariant: a difference that is not here fails, and so does a line that nothing needs any more.

use super::compare::Difference;

/// Which side does what AWS documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// The local cloud.
    Ours,
    /// The stand-in: the double is to be mended.
    Theirs,
    /// AWS does not say, or neither is expected to be like AWS.
    Open,
}

/// One known difference.
#[derive(Debug)]
pub(super) struct Known {
    /// The operation; `*` for all.
    operation: &'static str,
    /// Its path; `*` stands for any run of characters.
    path: &'static str,
    right: Right,
    /// The reason, with the source: `API` is the model's documentation, `guide` the Cognito developer guide.
    why: &'static str,
}

const fn known(operation: &'static str, path: &'static str, right: Right, why: &'static str) -> Known {
    Known {
        operation,
        path,
        right,
        why,
    }
}

use Right::{Open, Ours, Theirs};

const DEFAULTS: &str = "API: UserPoolType documents the member; moto leaves it out until it is set";
const MESSAGES: &str =
    "moto fills in AWS's default wording; AWS does not say whether a message that was never set is shown";
const SHOWN_EMPTY: &str = "moto shows empty what was never set; AWS does not say, and our reader takes both alike";
const SCHEMA: &str =
    "moto does not check attributes; guide, user-pool-settings-attributes: unknown and immutable ones are refused";
const UNVERIFIED: &str =
    "guide, signing-up-users: an address that nobody verified reads email_verified = false; moto leaves it as it was";

/// Against moto.
pub(super) static MOTO: &[Known] = &[
    known("*", "UserPool.AccountRecoverySetting", Ours, DEFAULTS),
    known("*", "UserPool.DeletionProtection", Ours, DEFAULTS),
    known("*", "UserPool.LambdaConfig", Ours, DEFAULTS),
    known("*", "UserPool.Policies.SignInPolicy", Ours, DEFAULTS),
    known("*", "UserPool.UserPoolTags", Ours, DEFAULTS),
    known("*", "UserPool.UserPoolTier", Ours, DEFAULTS),
    known(
        "*",
        "UserPool.AdminCreateUserConfig.UnusedAccountValidityDays",
        Ours,
        DEFAULTS,
    ),
    known(
        "*",
        "UserPool.AdminCreateUserConfig.InviteMessageTemplate",
        Open,
        MESSAGES,
    ),
    known("*", "UserPool.EmailVerificationMessage", Open, MESSAGES),
    known("*", "UserPool.EmailVerificationSubject", Open, MESSAGES),
    known("*", "UserPool.SmsVerificationMessage", Open, MESSAGES),
    known("*", "UserPool.VerificationMessageTemplate.*Message", Open, MESSAGES),
    known("*", "UserPool.VerificationMessageTemplate.EmailSubject", Open, MESSAGES),
    known(
        "DescribeUserPool",
        "UserPool.AliasAttributes",
        Ours,
        "guide: alias attributes cannot be changed after creation; moto's UpdateUserPool drops them",
    ),
    known(
        "*",
        "UserPool.SchemaAttributes[*]",
        Ours,
        "API: SchemaAttributes holds the standard attributes too; moto drops them when a schema is given, and does not know \
         `identities`",
    ),
    known(
        "*",
        "UserPool.SchemaAttributes[custom:born].*Constraints",
        Ours,
        "API: a number has NumberAttributeConstraints; moto gives it those of a text",
    ),
    known(
        "*",
        "UserPoolClient.*Date",
        Ours,
        "API: UserPoolClientType has CreationDate and LastModifiedDate",
    ),
    known(
        "*",
        "UserPoolClient.ExplicitAuthFlows",
        Ours,
        "API: UpdateUserPoolClient sets what is left out to its default; moto keeps it",
    ),
    known(
        "*",
        "UserPoolClient.RefreshTokenValidity",
        Ours,
        "API: UpdateUserPoolClient sets what is left out to its default (30 days); moto keeps it",
    ),
    known("*", "*MFAOptions", Open, SHOWN_EMPTY),
    known("*", "UserMFASettingList", Open, SHOWN_EMPTY),
    known("*", "PreferredMfaSetting", Open, SHOWN_EMPTY),
    known("*", "*Description", Open, SHOWN_EMPTY),
    known(
        "AdminGetUser",
        "error ok|UserNotFoundException",
        Ours,
        "API: AdminGetUser takes the sub of a local user as Username; moto does so only with UsernameAttributes",
    ),
    known("AdminCreateUser", "error InvalidParameterException|ok", Ours, SCHEMA),
    known(
        "AdminUpdateUserAttributes",
        "error InvalidParameterException|ok",
        Ours,
        SCHEMA,
    ),
    known("AdminGetUser", "UserAttributes[custom:*", Ours, SCHEMA),
    known("AdminGetUser", "UserAttributes[email_verified]*", Ours, UNVERIFIED),
    known(
        "AdminCreateUser",
        "error InvalidPasswordException|ok",
        Ours,
        "API: TemporaryPassword must conform to the pool's policy; moto does not check it",
    ),
    known(
        "ForgotPassword",
        "error NotAuthorizedException|ok",
        Ours,
        "a FORCE_CHANGE_PASSWORD user cannot reset the password (aws-aspnet-cognito-identity-provider, issue 37)",
    ),
    known(
        "ForgotPassword",
        "CodeDeliveryDetails.*",
        Ours,
        "API: the code goes to a verified address that the user has; moto names the phone number of whoever has none",
    ),
    known(
        "CreateUserPoolDomain",
        "CloudFrontDomain",
        Open,
        "AWS does not say whether a prefix domain is told its distribution; custom domains are",
    ),
    known(
        "InitiateAuth",
        "error PasswordResetRequiredException|ok",
        Ours,
        "API: InitiateAuth answers PasswordResetRequiredException in RESET_REQUIRED; moto signs in",
    ),
    known(
        "AdminConfirmSignUp",
        "error NotAuthorizedException|ok",
        Ours,
        "a confirmed user cannot be confirmed again; cognito-local agrees",
    ),
    known(
        "ListUsers",
        "error InvalidParameterException|ok",
        Ours,
        "API: QueryLimitType ends at 60; moto gives all",
    ),
    known(
        "ListUsers",
        "error InvalidParameterException|InvalidToken",
        Ours,
        "API: ListUsers has no error InvalidToken",
    ),
];

const ENVELOPE: &str = "cognito-local's own: version \"0\", Region \"local\", its SDK's version";
const ATTRIBUTES: &str =
    "guide, lambda triggers: the attributes have cognito:user_status and the state of verification";
const UNSET: &str = "guide, custom message: the members of the response come as null; cognito-local sends empty text";

/// Against cognito-local: paths begin with the place of the event among those of the call.
pub(super) static COGNITO_LOCAL: &[Known] = &[
    known("*", "0.event.version", Ours, ENVELOPE),
    known("*", "0.event.region", Ours, ENVELOPE),
    known("*", "0.event.callerContext.awsSdkVersion", Ours, ENVELOPE),
    known(
        "UpdateUserAttributes",
        "0.event.callerContext.clientId",
        Ours,
        "guide: the client is the one of the access token; cognito-local has lost it",
    ),
    known(
        "GetUserAttributeVerificationCode",
        "0.event.callerContext.clientId",
        Ours,
        "guide: the client is the one of the access token; cognito-local has lost it",
    ),
    known(
        "AdminConfirmSignUp",
        "0.event.callerContext.clientId",
        Open,
        "AWS does not say what stands there without a client; cognito-local sends null here and CLIENT_ID_NOT_APPLICABLE elsewhere",
    ),
    known(
        "*",
        "0.event.request.linkParameter",
        Ours,
        "guide, custom message: linkParameter is part of the request; cognito-local does not know it",
    ),
    known(
        "*",
        "0.event.request.usernameParameter",
        Ours,
        "guide, custom message: only for users that an administrator creates; cognito-local always sends it",
    ),
    known(
        "*",
        "0.event.request.userAttributes.cognito:user_status",
        Ours,
        ATTRIBUTES,
    ),
    known("*", "0.event.request.userAttributes.email_verified", Ours, ATTRIBUTES),
    known("*", "0.event.response.emailMessage", Ours, UNSET),
    known("*", "0.event.response.emailSubject", Ours, UNSET),
    known("*", "0.event.response.smsMessage", Ours, UNSET),
    known(
        "InitiateAuth",
        "error NotAuthorizedException|InvalidPasswordException",
        Ours,
        "API: a wrong password is NotAuthorizedException",
    ),
    known(
        "AdminUpdateUserAttributes",
        "0.event.request.userAttributes.email",
        Open,
        "AWS does not say whether the event has the new address already; cognito-local shows the old one here and the new \
         one for UpdateUserAttributes, so our change asks for a read",
    ),
];

impl Known {
    fn covers(&self, difference: &Difference) -> bool {
        (self.operation == "*" || self.operation == difference.operation) && matches(self.path, &difference.path)
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| matches(after, &rest[at..]))
        }),
    }
}

/// Fails with the differences that are not in `table`, and with the lines of it that nothing needs. Says where the double is
/// known to be wrong.
pub(super) fn all_known(table: &[Known], differences: &[Difference]) {
    let unknown = differences
        .iter()
        .filter(|difference| !table.iter().any(|known| known.covers(difference)));
    let unknown: Vec<String> = unknown.map(ToString::to_string).collect();
    let unused = table
        .iter()
        .filter(|known| !differences.iter().any(|difference| known.covers(difference)));
    let unused: Vec<String> = unused.map(|known| format!("{known:?}")).collect();
    for Known {
        operation, path, why, ..
    } in table.iter().filter(|known| known.right == Theirs)
    {
        eprintln!("the local cloud is wrong: {operation}: {path}: {why}");
    }
    assert!(
        unknown.is_empty(),
        "{} unknown differences:\n{}",
        unknown.len(),
        unknown.join("\n")
    );
    assert!(unused.is_empty(), "no longer needed:\n{}", unused.join("\n"));
}

#[test]
fn a_star_stands_for_any_run() {
    for (pattern, text, expected) in [
        ("a.b", "a.b", true),
        ("a.b", "a.bc", false),
        ("a.*c", "a.b.c", true),
        ("*c", "c", true),
        ("a[*", "a[x].y", true),
        ("a*b*c", "a.c.b", false),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
