//! Request-rate quotas of user pools: which category an operation counts in, the defaults, and the token buckets.
//!
//! Invariant: pure integer arithmetic on the caller's clock; a bucket never holds more than one second of its rate.

use std::collections::BTreeMap;

/// AWS's categories with their default requests per second (per account and Region, pooled over all user pools).
pub const DEFAULT_RATES: &[(&str, u32)] = &[
    ("UserAuthentication", 120),
    ("UserCreation", 50),
    ("UserFederation", 25),
    ("UserAccountRecovery", 30),
    ("UserRead", 120),
    ("UserUpdate", 25),
    ("UserToken", 120),
    ("UserResourceRead", 50),
    ("UserResourceUpdate", 25),
    ("UserList", 30),
    ("UserPoolRead", 15),
    ("UserPoolUpdate", 15),
    ("UserPoolResourceRead", 20),
    ("UserPoolResourceUpdate", 15),
    ("UserPoolClientRead", 15),
    ("UserPoolClientUpdate", 15),
    ("LimitManagement", 1),
];

/// The categories whose rate can be raised.
pub(crate) const ADJUSTABLE: &[&str] = &[
    "UserAuthentication",
    "UserCreation",
    "UserFederation",
    "UserRead",
    "UserToken",
    "UserResourceRead",
];

/// The category an operation counts in; `None` for operations that AWS does not have (those of the double itself).
///
/// AWS's table leaves out terms documents, log delivery, sessions, replicas, client secrets and the deletion of a software
/// token: they stand with their kin.
pub fn quota_category(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "InitiateAuth"
        | "AdminInitiateAuth"
        | "RespondToAuthChallenge"
        | "AdminRespondToAuthChallenge"
        | "GetTokensFromRefreshToken" => "UserAuthentication",
        "SignUp" | "ConfirmSignUp" | "AdminCreateUser" | "AdminConfirmSignUp" => "UserCreation",
        "ChangePassword"
        | "ForgotPassword"
        | "ConfirmForgotPassword"
        | "AdminResetUserPassword"
        | "AdminSetUserPassword" => "UserAccountRecovery",
        "AdminGetUser" | "AdminGetUserAuthFactors" | "GetUser" => "UserRead",
        "AdminAddUserToGroup"
        | "AdminRemoveUserFromGroup"
        | "AdminUpdateUserAttributes"
        | "AdminDeleteUserAttributes"
        | "AdminDeleteUser"
        | "AdminDisableUser"
        | "AdminEnableUser"
        | "AdminLinkProviderForUser"
        | "AdminDisableProviderForUser"
        | "AdminUserGlobalSignOut"
        | "GlobalSignOut"
        | "UpdateUserAttributes"
        | "DeleteUserAttributes"
        | "VerifyUserAttribute"
        | "DeleteUser" => "UserUpdate",
        "RevokeToken" => "UserToken",
        "AdminListGroupsForUser"
        | "AdminListDevices"
        | "AdminListUserAuthEvents"
        | "ResendConfirmationCode"
        | "GetUserAttributeVerificationCode" => "UserResourceRead",
        "AdminSetUserMFAPreference"
        | "SetUserMFAPreference"
        | "AdminDeleteSoftwareToken"
        | "AssociateSoftwareToken"
        | "VerifySoftwareToken" => "UserResourceUpdate",
        "ListUsers" | "ListUsersInGroup" => "UserList",
        "DescribeUserPool" | "ListUserPools" => "UserPoolRead",
        "CreateUserPool" | "UpdateUserPool" | "DeleteUserPool" => "UserPoolUpdate",
        "GetGroup"
        | "ListGroups"
        | "GetUserPoolMfaConfig"
        | "GetCSVHeader"
        | "DescribeUserImportJob"
        | "ListUserImportJobs"
        | "DescribeIdentityProvider"
        | "ListIdentityProviders"
        | "DescribeResourceServer"
        | "ListResourceServers"
        | "DescribeUserPoolDomain"
        | "DescribeRiskConfiguration"
        | "DescribeManagedLoginBranding"
        | "DescribeManagedLoginBrandingByClient"
        | "DescribeTerms"
        | "DescribeTermsByClient"
        | "ListTerms"
        | "GetIdentityProviderByIdentifier"
        | "GetLogDeliveryConfiguration"
        | "GetSigningCertificate"
        | "GetUICustomization"
        | "GetUserPoolSessionConfiguration"
        | "ListUserPoolReplicas"
        | "ListTagsForResource" => "UserPoolResourceRead",
        "CreateGroup"
        | "UpdateGroup"
        | "DeleteGroup"
        | "AddCustomAttributes"
        | "SetUserPoolMfaConfig"
        | "CreateUserImportJob"
        | "StartUserImportJob"
        | "StopUserImportJob"
        | "CreateIdentityProvider"
        | "UpdateIdentityProvider"
        | "DeleteIdentityProvider"
        | "CreateResourceServer"
        | "UpdateResourceServer"
        | "DeleteResourceServer"
        | "CreateUserPoolDomain"
        | "UpdateUserPoolDomain"
        | "DeleteUserPoolDomain"
        | "SetRiskConfiguration"
        | "SetUICustomization"
        | "SetLogDeliveryConfiguration"
        | "SetUserPoolSessionConfiguration"
        | "CreateManagedLoginBranding"
        | "UpdateManagedLoginBranding"
        | "DeleteManagedLoginBranding"
        | "CreateTerms"
        | "UpdateTerms"
        | "DeleteTerms"
        | "CreateUserPoolReplica"
        | "UpdateUserPoolReplica"
        | "DeleteUserPoolReplica"
        | "TagResource"
        | "UntagResource" => "UserPoolResourceUpdate",
        "DescribeUserPoolClient"
        | "ListUserPoolClients"
        | "ListUserPoolClientSecrets"
        | "GetUserPoolClientSessionConfiguration" => "UserPoolClientRead",
        "CreateUserPoolClient"
        | "UpdateUserPoolClient"
        | "DeleteUserPoolClient"
        | "AddUserPoolClientSecret"
        | "DeleteUserPoolClientSecret"
        | "SetUserPoolClientSessionConfiguration" => "UserPoolClientUpdate",
        "GetProvisionedLimit" | "UpdateProvisionedLimit" => "LimitManagement",
        _ => return None,
    })
}

/// Token buckets of one account in one Region; keep one value per Region.
#[derive(Clone, Debug)]
pub struct Buckets {
    by_category: BTreeMap<String, Bucket>,
}

#[derive(Clone, Debug)]
struct Bucket {
    rate: u32,
    /// Thousandths of a request, so that one millisecond adds exactly `rate` of them.
    level: i64,
    at_millis: i64,
}

const ONE_REQUEST: i64 = 1000;

impl Default for Buckets {
    fn default() -> Self {
        Self::new(&BTreeMap::new())
    }
}

impl Buckets {
    /// The default rates, with `overrides` (requests per second by category) in their place where given.
    pub fn new(overrides: &BTreeMap<String, u32>) -> Self {
        let mut rates: BTreeMap<String, u32> = DEFAULT_RATES
            .iter()
            .map(|(category, rate)| ((*category).to_owned(), *rate))
            .collect();
        rates.extend(overrides.iter().map(|(category, rate)| (category.clone(), *rate)));
        let by_category = rates
            .into_iter()
            .map(|(category, rate)| {
                (
                    category,
                    Bucket {
                        rate,
                        level: i64::from(rate) * ONE_REQUEST,
                        at_millis: i64::MIN,
                    },
                )
            })
            .collect();
        Self { by_category }
    }

    /// Changes the rate of a category at once; what its bucket holds stays.
    pub fn set_rate(&mut self, category: &str, rate: u32) {
        if let Some(bucket) = self.by_category.get_mut(category) {
            bucket.rate = rate;
        }
    }

    /// Takes one request out of a category's bucket; `false` means `TooManyRequestsException`. Unknown categories are not
    /// limited.
    pub fn take(&mut self, category: &str, now_millis: i64) -> bool {
        let Some(bucket) = self.by_category.get_mut(category) else {
            return true;
        };
        let full = i64::from(bucket.rate) * ONE_REQUEST;
        let passed = now_millis.saturating_sub(bucket.at_millis).clamp(0, ONE_REQUEST);
        bucket.level = (bucket.level + passed * i64::from(bucket.rate)).min(full);
        bucket.at_millis = bucket.at_millis.max(now_millis);
        let granted = bucket.level >= ONE_REQUEST;
        if granted {
            bucket.level -= ONE_REQUEST;
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_grants_the_rate_and_no_more() {
        let mut buckets = Buckets::default();
        let granted = (0..100).filter(|_| buckets.take("UserList", 0)).count();
        assert_eq!(granted, 30, "a full bucket is one second of the rate");
        assert!(!buckets.take("UserList", 33));
        assert!(buckets.take("UserList", 34), "30 a second = one in 33.3 ms");
        let over_ten_seconds = (0..10_000)
            .filter(|millis| buckets.take("UserList", 1_000 + millis))
            .count();
        assert!((300..=331).contains(&over_ten_seconds), "{over_ten_seconds}");
    }

    #[test]
    fn rates_can_be_overridden_and_unknown_categories_are_free() {
        let mut buckets = Buckets::new(&BTreeMap::from([("UserList".to_owned(), 1)]));
        assert!(buckets.take("UserList", 5));
        assert!(!buckets.take("UserList", 5));
        assert!((0..1000).all(|_| buckets.take("LocalcloudControl", 5)));
    }

    #[test]
    fn a_clock_that_steps_back_grants_nothing_extra() {
        let mut buckets = Buckets::new(&BTreeMap::from([("UserList".to_owned(), 1)]));
        assert!(buckets.take("UserList", 10_000));
        assert!(!buckets.take("UserList", 1_000));
        assert!(!buckets.take("UserList", 10_999));
        assert!(buckets.take("UserList", 11_000));
    }

    #[test]
    fn every_category_in_use_has_a_default_rate() {
        for operation in crate::pools::operations::all() {
            if let Some(category) = quota_category(operation.name) {
                assert!(DEFAULT_RATES.iter().any(|(known, _)| *known == category), "{category}");
            } else {
                assert!(
                    operation.name.starts_with("Localcloud"),
                    "{} has no category",
                    operation.name
                );
            }
        }
    }
}
