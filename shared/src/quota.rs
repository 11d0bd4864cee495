//! Cognito's request quotas: which category an operation counts in, how many requests a second it has, and what part of that
//! Twinpool takes.
//!
//! A quota is one for all pools of an account in a Region, and it is the application's as well: what the backup uses, sign-ins
//! lack. Source of names, rates and operations: "Amazon Cognito user pools API operation categories and request rate quotas",
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html#category_operations>.
//!
//! Invariant: an operation that is in no category here is not guessed at; whoever calls it has to be told.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// "Any individual operation in this category" may not be called more often for one pool, in requests a second. It holds for
/// the categories of [`Category::is_per_pool_and_operation`].
pub const POOL_OPERATION_RPS: f64 = 5.0;
/// Most calls that may start at once after a pause. A quota counts by the second, so a burst of a whole second is refused as
/// soon as it meets the next one.
const BURST_CALLS_MAX: f64 = 3.0;
/// How much of a limit is used at a share of 100 %. The rest is the slack in which a call that starts late is made up for;
/// without it every delay would be lost, or a second would hold a call too many.
const USABLE: f64 = 0.99;

/// A category of request quotas, under AWS's name. Only those that Twinpool calls operations of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// Signing users in.
    UserAuthentication,
    /// Creating and confirming users.
    UserCreation,
    /// Passwords.
    UserAccountRecovery,
    /// Reading one user.
    UserRead,
    /// Attributes, memberships, links, deletions.
    UserUpdate,
    /// A user's groups and devices.
    UserResourceRead,
    /// A user's MFA preference and devices.
    UserResourceUpdate,
    /// Lists of users: the narrowest, and the one that a walk lives on.
    UserList,
    /// Reading pools.
    UserPoolRead,
    /// Creating and changing pools.
    UserPoolUpdate,
    /// Groups, identity providers, domains and all other settings, read.
    UserPoolResourceRead,
    /// The same, changed.
    UserPoolResourceUpdate,
    /// Reading app clients.
    UserPoolClientRead,
    /// Creating and changing app clients.
    UserPoolClientUpdate,
    /// Asking for the quotas themselves.
    LimitManagement,
}

struct Documented {
    name: &'static str,
    default_rps: u32,
    adjustable: bool,
    operations: &'static [&'static str],
}

const fn documented(
    name: &'static str,
    default_rps: u32,
    adjustable: bool,
    operations: &'static [&'static str],
) -> Documented {
    Documented {
        name,
        default_rps,
        adjustable,
        operations,
    }
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 15] = [
        Self::UserAuthentication,
        Self::UserCreation,
        Self::UserAccountRecovery,
        Self::UserRead,
        Self::UserUpdate,
        Self::UserResourceRead,
        Self::UserResourceUpdate,
        Self::UserList,
        Self::UserPoolRead,
        Self::UserPoolUpdate,
        Self::UserPoolResourceRead,
        Self::UserPoolResourceUpdate,
        Self::UserPoolClientRead,
        Self::UserPoolClientUpdate,
        Self::LimitManagement,
    ];

    /// One row of AWS's table. The operations are those that Twinpool calls, in the copy, the reconcile or the import. The rows
    /// marked with (+) end in operations that AWS lists in no category yet; they are counted with their kind.
    #[rustfmt::skip]
    fn documented(self) -> Documented {
        match self {
            Self::UserAuthentication => documented("UserAuthentication", 120, true, &["AdminInitiateAuth"]),
            Self::UserCreation => documented("UserCreation", 50, true, &["AdminConfirmSignUp", "AdminCreateUser"]),
            Self::UserAccountRecovery => documented("UserAccountRecovery", 30, false, &[
                "AdminResetUserPassword", "AdminSetUserPassword",
            ]),
            Self::UserRead => documented("UserRead", 120, true, &["AdminGetUser", "AdminGetUserAuthFactors"]),
            Self::UserUpdate => documented("UserUpdate", 25, false, &[
                "AdminAddUserToGroup", "AdminDeleteUser", "AdminDeleteUserAttributes", "AdminDisableProviderForUser",
                "AdminDisableUser", "AdminEnableUser", "AdminLinkProviderForUser", "AdminRemoveUserFromGroup",
                "AdminUpdateUserAttributes",
            ]),
            Self::UserResourceRead => documented("UserResourceRead", 50, true, &["AdminListGroupsForUser"]),
            Self::UserResourceUpdate => documented("UserResourceUpdate", 25, false, &["AdminSetUserMFAPreference"]),
            Self::UserList => documented("UserList", 30, false, &["ListUsers", "ListUsersInGroup"]),
            Self::UserPoolRead => documented("UserPoolRead", 15, false, &["DescribeUserPool", "ListUserPools"]),
            Self::UserPoolUpdate => documented("UserPoolUpdate", 15, false, &[
                "CreateUserPool", "DeleteUserPool", "UpdateUserPool",
            ]),
            // (+)
            Self::UserPoolResourceRead => documented("UserPoolResourceRead", 20, false, &[
                "DescribeIdentityProvider", "DescribeManagedLoginBranding", "DescribeManagedLoginBrandingByClient",
                "DescribeResourceServer", "DescribeRiskConfiguration", "DescribeUserImportJob", "DescribeUserPoolDomain",
                "GetCSVHeader", "GetGroup", "GetSigningCertificate", "GetUICustomization", "GetUserPoolMfaConfig",
                "ListGroups", "ListIdentityProviders", "ListResourceServers", "ListTagsForResource", "ListUserImportJobs",
                "DescribeTerms", "GetLogDeliveryConfiguration", "GetUserPoolSessionConfiguration", "ListTerms",
                "ListUserPoolReplicas",
            ]),
            // (+)
            Self::UserPoolResourceUpdate => documented("UserPoolResourceUpdate", 15, false, &[
                "AddCustomAttributes", "CreateGroup", "CreateIdentityProvider", "CreateManagedLoginBranding",
                "CreateResourceServer", "CreateUserImportJob", "CreateUserPoolDomain", "DeleteGroup",
                "SetRiskConfiguration", "SetUICustomization", "SetUserPoolMfaConfig", "StartUserImportJob",
                "StopUserImportJob", "TagResource", "UpdateGroup", "UpdateIdentityProvider",
                "UpdateManagedLoginBranding", "UpdateResourceServer", "UpdateUserPoolDomain", "DeleteUserPoolDomain",
                "CreateTerms", "SetLogDeliveryConfiguration", "SetUserPoolSessionConfiguration", "UpdateTerms",
            ]),
            // (+)
            Self::UserPoolClientRead => documented("UserPoolClientRead", 15, false, &[
                "DescribeUserPoolClient", "ListUserPoolClients", "GetUserPoolClientSessionConfiguration",
                "ListUserPoolClientSecrets",
            ]),
            // (+)
            Self::UserPoolClientUpdate => documented("UserPoolClientUpdate", 15, false, &[
                "CreateUserPoolClient", "DeleteUserPoolClient", "UpdateUserPoolClient", "AddUserPoolClientSecret",
                "SetUserPoolClientSessionConfiguration",
            ]),
            Self::LimitManagement => documented("LimitManagement", 1, false, &[
                "GetProvisionedLimit", "UpdateProvisionedLimit",
            ]),
        }
    }

    /// AWS's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.documented().name
    }

    /// Requests a second that every account has, per Region.
    #[must_use]
    pub fn default_rps(self) -> f64 {
        f64::from(self.documented().default_rps)
    }

    /// Whether an account can have more. Only for these does `GetProvisionedLimit` know a value.
    #[must_use]
    pub fn is_adjustable(self) -> bool {
        self.documented().adjustable
    }

    /// The operations that Twinpool calls, by their API names.
    #[must_use]
    pub fn operations(self) -> &'static [&'static str] {
        self.documented().operations
    }

    /// Whether [`POOL_OPERATION_RPS`] holds beside the category's own rate.
    #[must_use]
    pub fn is_per_pool_and_operation(self) -> bool {
        matches!(
            self,
            Self::UserPoolResourceRead
                | Self::UserPoolResourceUpdate
                | Self::UserPoolClientRead
                | Self::UserPoolClientUpdate
        )
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The category that an operation counts in; `None` when Twinpool does not know the operation.
#[must_use]
pub fn category_of(operation: &str) -> Option<Category> {
    Category::ALL
        .into_iter()
        .find(|category| category.operations().contains(&operation))
}

/// How much of every quota Twinpool takes, in percent; the rest is the application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u8);

/// What one worker may do with a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allotment {
    /// Calls a second.
    pub rps: f64,
    /// Calls that may start at once after a pause; one at least.
    pub burst: f64,
}

impl Share {
    /// A share of `percent`.
    ///
    /// # Errors
    /// `BadSetting` when it is not from 1 to 100.
    pub fn new(percent: u8) -> Result<Self, Error> {
        if (1..=100).contains(&percent) {
            return Ok(Self(percent));
        }
        let what = format!("the quota share is {percent} %; give a whole number from 1 to 100");
        Err(Error::new(ErrorKind::BadSetting, what))
    }

    /// In percent.
    #[must_use]
    pub fn percent(self) -> u8 {
        self.0
    }

    /// What each of `workers` (at least one) gets of a limit in requests a second.
    ///
    /// A second then never holds more than the worker's part of the limit, or one call when that is less: a token bucket lets
    /// no more than `rps + burst` calls start in any one second, and `burst` is at most what the limit leaves above `rps`, and
    /// one. Parts of several workers that are no whole calls are rounded up together, so that a full share among workers may
    /// now and then be refused a call.
    #[must_use]
    pub fn allot(self, limit_rps: f64, workers: u32) -> Allotment {
        let part = limit_rps / f64::from(workers.max(1));
        let rps = part * (f64::from(self.0) / 100.0).min(USABLE);
        Allotment {
            rps,
            burst: (1.0 + part - rps).min(BURST_CALLS_MAX),
        }
    }
}

impl Default for Share {
    /// Half: a restore is asked to use more, a nightly run need not.
    fn default() -> Self {
        Self(50)
    }
}

#[cfg(test)]
mod tests;
