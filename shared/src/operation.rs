//! What each Cognito call means for the backup: one table.
//!
//! The table names every operation of AWS's `cognito-idp` model; a test compares it with the model of the pinned AWS CLI, so
//! that an operation AWS adds is noticed. An operation that is missing here is still not dropped: see [`meaning_of_unknown`].

use crate::marks::Part;

/// What a re-read has to show before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: whatever it shows is news.
    Anything,
    /// `UserLastModifiedDate` has reached the event.
    Modified,
    /// The same, or the flag has this value.
    Enabled(bool),
    /// The user is gone.
    Gone,
    /// The user is (or is no longer) in the group that the event names.
    Member(bool),
}

/// Why a successful call needs nothing from the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nothing {
    /// It changes nothing.
    Reads,
    /// It changes what Cognito gives to nobody: passwords, secrets, devices, sessions, feedback.
    NotReadable,
    /// It only starts something; the call that completes it is the change.
    Starts,
    /// A sign-in: the post-authentication trigger tells about it, without a call to Cognito.
    SignIn,
}

/// What a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing to back up.
    Nothing(Nothing),
    /// This user differs now.
    User(Expect),
    /// This user's factors differ now; `Modified` is not certain.
    Factors,
    /// This group differs now.
    Group,
    /// This group is gone.
    GroupGone,
    /// A part of the configuration differs now, or some users do.
    Part(Part),
    /// A sign-in challenge was answered: a change only when it was one of those that set something.
    Challenge,
}

/// Challenges whose answer changes the user: a new password confirms and sets required attributes. A factor that is set up on
/// the way has a call of its own, VerifySoftwareToken.
pub const CHANGING_CHALLENGES: [&str; 2] = ["NEW_PASSWORD_REQUIRED", "MFA_SETUP"];

use Expect::{Anything, Enabled, Gone, Member, Modified};
use Meaning::{Challenge, Factors, Group, GroupGone, Nothing as No, Part as P, User};
use Nothing::{NotReadable, Reads, SignIn, Starts};

/// Every operation of the `cognito-idp` model (botocore 1.44.5), sorted.
#[rustfmt::skip]
pub const OPERATIONS: &[(&str, Meaning)] = &[
    ("AddCustomAttributes", P(Part::Pool)),
    ("AddUserPoolClientSecret", P(Part::Clients)),
    ("AdminAddUserToGroup", User(Member(true))),
    ("AdminConfirmSignUp", User(Modified)),
    ("AdminCreateUser", User(Modified)),
    ("AdminDeleteSoftwareToken", Factors),
    ("AdminDeleteUser", User(Gone)),
    ("AdminDeleteUserAttributes", User(Modified)),
    ("AdminDisableProviderForUser", User(Anything)),
    ("AdminDisableUser", User(Enabled(false))),
    ("AdminEnableUser", User(Enabled(true))),
    ("AdminForgetDevice", No(NotReadable)),
    ("AdminGetDevice", No(Reads)),
    ("AdminGetUser", No(Reads)),
    ("AdminGetUserAuthFactors", No(Reads)),
    ("AdminInitiateAuth", No(SignIn)),
    ("AdminLinkProviderForUser", User(Anything)),
    ("AdminListDevices", No(Reads)),
    ("AdminListGroupsForUser", No(Reads)),
    ("AdminListUserAuthEvents", No(Reads)),
    ("AdminListUserSessions", No(Reads)),
    ("AdminRemoveUserFromGroup", User(Member(false))),
    ("AdminResetUserPassword", User(Modified)),
    ("AdminRespondToAuthChallenge", Challenge),
    ("AdminRevokeUserSession", No(NotReadable)),
    ("AdminSetUserMFAPreference", Factors),
    ("AdminSetUserPassword", User(Modified)),
    ("AdminSetUserSettings", Factors),
    ("AdminUpdateAuthEventFeedback", No(NotReadable)),
    ("AdminUpdateDeviceStatus", No(NotReadable)),
    ("AdminUpdateUserAttributes", User(Modified)),
    ("AdminUserGlobalSignOut", No(NotReadable)),
    ("AssociateSoftwareToken", No(Starts)),
    ("ChangePassword", User(Anything)),
    ("CompleteWebAuthnRegistration", Factors),
    ("ConfirmDevice", No(NotReadable)),
    ("ConfirmForgotPassword", User(Modified)),
    ("ConfirmSignUp", User(Modified)),
    ("CreateGroup", Group),
    ("CreateIdentityProvider", P(Part::IdentityProviders)),
    ("CreateManagedLoginBranding", P(Part::Branding)),
    ("CreateResourceServer", P(Part::ResourceServers)),
    ("CreateTerms", P(Part::Terms)),
    ("CreateUserImportJob", No(Starts)),
    ("CreateUserPool", P(Part::Pool)),
    ("CreateUserPoolClient", P(Part::Clients)),
    ("CreateUserPoolDomain", P(Part::Domain)),
    ("CreateUserPoolReplica", P(Part::Replicas)),
    ("DeleteGroup", GroupGone),
    ("DeleteIdentityProvider", P(Part::IdentityProviders)),
    ("DeleteManagedLoginBranding", P(Part::Branding)),
    ("DeleteResourceServer", P(Part::ResourceServers)),
    ("DeleteTerms", P(Part::Terms)),
    ("DeleteUser", User(Gone)),
    ("DeleteUserAttributes", User(Modified)),
    ("DeleteUserPool", P(Part::Pool)),
    ("DeleteUserPoolClient", P(Part::Clients)),
    ("DeleteUserPoolClientSecret", P(Part::Clients)),
    ("DeleteUserPoolDomain", P(Part::Domain)),
    ("DeleteUserPoolReplica", P(Part::Replicas)),
    ("DeleteWebAuthnCredential", Factors),
    ("DescribeIdentityProvider", No(Reads)),
    ("DescribeManagedLoginBranding", No(Reads)),
    ("DescribeManagedLoginBrandingByClient", No(Reads)),
    ("DescribeResourceServer", No(Reads)),
    ("DescribeRiskConfiguration", No(Reads)),
    ("DescribeTerms", No(Reads)),
    ("DescribeTermsByClient", No(Reads)),
    ("DescribeUserImportJob", No(Reads)),
    ("DescribeUserPool", No(Reads)),
    ("DescribeUserPoolClient", No(Reads)),
    ("DescribeUserPoolDomain", No(Reads)),
    ("ForgetDevice", No(NotReadable)),
    ("ForgotPassword", No(Starts)),
    ("GetCSVHeader", No(Reads)),
    ("GetClientToken", No(SignIn)),
    ("GetDerivedToken", No(SignIn)),
    ("GetDevice", No(Reads)),
    ("GetGroup", No(Reads)),
    ("GetIdentityProviderByIdentifier", No(Reads)),
    ("GetLogDeliveryConfiguration", No(Reads)),
    ("GetProvisionedLimit", No(Reads)),
    ("GetSigningCertificate", No(Reads)),
    ("GetTokensFromRefreshToken", No(SignIn)),
    ("GetUICustomization", No(Reads)),
    ("GetUser", No(Reads)),
    ("GetUserAttributeVerificationCode", No(Starts)),
    ("GetUserAuthFactors", No(Reads)),
    ("GetUserPoolClientSessionConfiguration", No(Reads)),
    ("GetUserPoolMfaConfig", No(Reads)),
    ("GetUserPoolSessionConfiguration", No(Reads)),
    ("GlobalSignOut", No(NotReadable)),
    ("InitiateAuth", No(SignIn)),
    ("ListDevices", No(Reads)),
    ("ListGroups", No(Reads)),
    ("ListIdentityProviders", No(Reads)),
    ("ListResourceServers", No(Reads)),
    ("ListTagsForResource", No(Reads)),
    ("ListTerms", No(Reads)),
    ("ListUserImportJobs", No(Reads)),
    ("ListUserPoolClientSecrets", No(Reads)),
    ("ListUserPoolClients", No(Reads)),
    ("ListUserPoolReplicas", No(Reads)),
    ("ListUserPools", No(Reads)),
    ("ListUserSessions", No(Reads)),
    ("ListUsers", No(Reads)),
    ("ListUsersInGroup", No(Reads)),
    ("ListWebAuthnCredentials", No(Reads)),
    ("ResendConfirmationCode", No(Starts)),
    ("RespondToAuthChallenge", Challenge),
    ("RevokeToken", No(NotReadable)),
    ("RevokeUserSession", No(NotReadable)),
    ("SetLogDeliveryConfiguration", P(Part::LogDelivery)),
    ("SetRiskConfiguration", P(Part::Risk)),
    ("SetUICustomization", P(Part::UiCustomization)),
    ("SetUserMFAPreference", Factors),
    ("SetUserPoolClientSessionConfiguration", P(Part::Sessions)),
    ("SetUserPoolMfaConfig", P(Part::Mfa)),
    ("SetUserPoolSessionConfiguration", P(Part::Sessions)),
    ("SetUserSettings", Factors),
    ("SignUp", User(Modified)),
    ("StartUserImportJob", P(Part::Users)),
    ("StartWebAuthnRegistration", No(Starts)),
    ("StopUserImportJob", P(Part::Users)),
    ("TagResource", P(Part::Tags)),
    ("UntagResource", P(Part::Tags)),
    ("UpdateAuthEventFeedback", No(NotReadable)),
    ("UpdateDeviceStatus", No(NotReadable)),
    ("UpdateGroup", Group),
    ("UpdateIdentityProvider", P(Part::IdentityProviders)),
    ("UpdateManagedLoginBranding", P(Part::Branding)),
    ("UpdateProvisionedLimit", P(Part::Limits)),
    ("UpdateResourceServer", P(Part::ResourceServers)),
    ("UpdateTerms", P(Part::Terms)),
    ("UpdateUserAttributes", User(Modified)),
    ("UpdateUserPool", P(Part::Pool)),
    ("UpdateUserPoolClient", P(Part::Clients)),
    ("UpdateUserPoolDomain", P(Part::Domain)),
    ("UpdateUserPoolReplica", P(Part::Replicas)),
    ("VerifySoftwareToken", Factors),
    ("VerifyUserAttribute", User(Modified)),
];

/// Managed-login and OIDC endpoints that CloudTrail records as service events and that change no profile. Federated sign-ins
/// may map new attributes; the post-authentication trigger carries them.
pub const SIGN_IN_PAGES: &[&str] = &[
    "Login_POST",
    "Logout_POST",
    "Token_POST",
    "OAuth2_Token_POST",
    "Authorize_POST",
    "Revoke_POST",
    "UserInfo_POST",
];

/// What `name` means, or `None` when the table has no such operation.
#[must_use]
pub fn meaning(name: &str) -> Option<Meaning> {
    OPERATIONS
        .binary_search_by(|(operation, _)| (*operation).cmp(name))
        .ok()
        .and_then(|at| OPERATIONS.get(at))
        .map(|row| row.1)
}

/// What a mutating call means that this version does not know: re-read the user it names, else have the reconciler walk.
#[must_use]
pub fn meaning_of_unknown(names_user: bool) -> Meaning {
    if names_user { User(Anything) } else { P(Part::Pool) }
}

/// What a service event (managed login, hosted UI, OIDC endpoint) means.
#[must_use]
pub fn meaning_of_page(name: &str, names_user: bool) -> Meaning {
    if name.ends_with("_GET") {
        No(Reads)
    } else if SIGN_IN_PAGES.contains(&name) {
        No(SignIn)
    } else if names_user && (name.starts_with("mfa_") || name.starts_with("passkeys_")) {
        Factors
    } else if names_user {
        User(Anything)
    } else {
        P(Part::Users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found() {
        assert!(OPERATIONS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (name, expected) in OPERATIONS {
            assert_eq!(meaning(name), Some(*expected));
        }
        assert_eq!(meaning("AdminInventedByAws"), None);
    }

    #[test]
    fn whatever_reads_by_name_is_nothing_and_whatever_writes_is_accounted_for() {
        for (name, meaning) in OPERATIONS {
            let core = name.strip_prefix("Admin").unwrap_or(name);
            let reads = ["Get", "List", "Describe"].iter().any(|verb| core.starts_with(verb));
            let starts = [
                "GetUserAttributeVerificationCode",
                "GetClientToken",
                "GetDerivedToken",
                "GetTokensFromRefreshToken",
            ];
            assert_eq!(*meaning == No(Reads), reads && !starts.contains(name), "{name}");
        }
    }

    #[test]
    fn the_unknown_becomes_a_re_read() {
        assert_eq!(meaning_of_unknown(true), User(Anything));
        assert_eq!(meaning_of_unknown(false), P(Part::Pool));
        assert_eq!(meaning_of_page("Login_GET", true), No(Reads));
        assert_eq!(meaning_of_page("Login_POST", true), No(SignIn));
        assert_eq!(meaning_of_page("Confirm_POST", true), User(Anything));
        assert_eq!(meaning_of_page("mfa_totp_POST", true), Factors);
        assert_eq!(meaning_of_page("passkeys_add_POST", true), Factors);
        assert_eq!(meaning_of_page("Signup_POST", false), P(Part::Users));
    }
}
