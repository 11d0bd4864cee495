//! The table of operations on what a pool is configured with besides its settings, clients, groups and users.
//!
//! Invariant: as [`super::operations_table`].

use super::operations::Auth::Signed;
use super::operations::{Handler, Operation, entry, with_settings};
use super::{
    branding, domains, hosted_ui, import_jobs, limits, protection, providers, replicas, resource_servers, secrets,
    sessions, tags, terms,
};

const fn reads(
    name: &'static str,
    handler: Handler,
    members: &'static [&'static str],
    note: &'static str,
) -> Operation {
    entry(name, handler, Signed, false, members, note)
}

const fn writes(
    name: &'static str,
    handler: Handler,
    members: &'static [&'static str],
    note: &'static str,
) -> Operation {
    entry(name, handler, Signed, true, members, note)
}

const POOL: &[&str] = &["UserPoolId"];
const PAGE: &[&str] = &["UserPoolId", "MaxResults", "NextToken"];
const PROVIDER: &[&str] = &["UserPoolId", "ProviderName"];
const NEW_PROVIDER: &[&str] = &["UserPoolId", "ProviderName", "ProviderType"];
const SERVER: &[&str] = &["UserPoolId", "Identifier"];
const NEW_SERVER: &[&str] = &["UserPoolId", "Identifier", "Name", "Scopes"];
const DOMAIN: &[&str] = &["UserPoolId", "Domain"];
const NEW_DOMAIN: &[&str] = &[
    "UserPoolId",
    "Domain",
    "ManagedLoginVersion",
    "CustomDomainConfig",
    "Routing",
];
const CLIENT: &[&str] = &["UserPoolId", "ClientId"];
const UI: &[&str] = &["UserPoolId", "ClientId", "CSS", "ImageFile"];
const STYLE: &[&str] = &["UserPoolId", "ManagedLoginBrandingId"];
const STYLE_SETTINGS: &[&str] = &["UseCognitoProvidedValues", "Settings", "Assets"];
const TERMS: &[&str] = &["UserPoolId", "TermsId"];
const TERMS_SETTINGS: &[&str] = &["TermsName", "TermsSource", "Enforcement", "Links"];
const JOB: &[&str] = &["UserPoolId", "JobId"];
const REPLICA: &[&str] = &["UserPoolId", "RegionName"];

/// Every operation of this kind that the double carries out.
pub(crate) static CONFIGURATION: &[Operation] = &[
    with_settings(
        providers::SETTINGS,
        writes(
            "CreateIdentityProvider",
            providers::create,
            NEW_PROVIDER,
            "metadata and discovery documents are not read; AttributeMapping is not compared with the schema",
        ),
    ),
    reads(
        "DescribeIdentityProvider",
        providers::describe_one,
        PROVIDER,
        "as CreateIdentityProvider",
    ),
    reads(
        "GetIdentityProviderByIdentifier",
        providers::find,
        &["UserPoolId", "IdpIdentifier"],
        "as CreateIdentityProvider",
    ),
    with_settings(
        providers::SETTINGS,
        writes(
            "UpdateIdentityProvider",
            providers::update,
            PROVIDER,
            "what is left out stays: AWS does not say",
        ),
    ),
    writes(
        "DeleteIdentityProvider",
        providers::delete,
        PROVIDER,
        "clients keep its name: AWS does not say",
    ),
    reads("ListIdentityProviders", providers::list, PAGE, "in the order of names"),
    writes("CreateResourceServer", resource_servers::create, NEW_SERVER, ""),
    reads("DescribeResourceServer", resource_servers::describe_one, SERVER, ""),
    writes("UpdateResourceServer", resource_servers::update, NEW_SERVER, ""),
    writes(
        "DeleteResourceServer",
        resource_servers::delete,
        SERVER,
        "clients keep its scopes: AWS does not say",
    ),
    reads(
        "ListResourceServers",
        resource_servers::list,
        PAGE,
        "in the order of identifiers",
    ),
    writes(
        "CreateUserPoolDomain",
        domains::create,
        NEW_DOMAIN,
        "serves no pages and checks no certificate; Routing is stored only",
    ),
    reads(
        "DescribeUserPoolDomain",
        domains::describe,
        &["Domain"],
        "always ACTIVE, with made-up addresses",
    ),
    writes(
        "UpdateUserPoolDomain",
        domains::update,
        NEW_DOMAIN,
        "what is left out stays: AWS does not say",
    ),
    writes("DeleteUserPoolDomain", domains::delete, DOMAIN, "at once"),
    writes(
        "SetUICustomization",
        hosted_ui::set,
        UI,
        "the CSS is not checked, the image not kept",
    ),
    reads("GetUICustomization", hosted_ui::get, CLIENT, ""),
    with_settings(
        STYLE_SETTINGS,
        writes(
            "CreateManagedLoginBranding",
            branding::create,
            CLIENT,
            "settings and images are not checked",
        ),
    ),
    with_settings(
        STYLE_SETTINGS,
        writes(
            "UpdateManagedLoginBranding",
            branding::update,
            STYLE,
            "as CreateManagedLoginBranding",
        ),
    ),
    writes("DeleteManagedLoginBranding", branding::delete, STYLE, ""),
    reads(
        "DescribeManagedLoginBranding",
        branding::describe_one,
        &["UserPoolId", "ManagedLoginBrandingId", "ReturnMergedResources"],
        "no ReturnMergedResources",
    ),
    reads(
        "DescribeManagedLoginBrandingByClient",
        branding::describe_by_client,
        &["UserPoolId", "ClientId", "ReturnMergedResources"],
        "no ReturnMergedResources",
    ),
    with_settings(TERMS_SETTINGS, writes("CreateTerms", terms::create, CLIENT, "")),
    with_settings(
        TERMS_SETTINGS,
        writes(
            "UpdateTerms",
            terms::update,
            TERMS,
            "what is left out stays: AWS does not say",
        ),
    ),
    writes("DeleteTerms", terms::delete, TERMS, ""),
    reads("DescribeTerms", terms::describe_one, TERMS, ""),
    reads(
        "DescribeTermsByClient",
        terms::describe_by_client,
        &["UserPoolId", "ClientId", "TermsName"],
        "",
    ),
    reads("ListTerms", terms::list, PAGE, "in the order of ids"),
    with_settings(
        protection::RISK,
        writes(
            "SetRiskConfiguration",
            protection::set_risk,
            CLIENT,
            "stored only; the feature plan is not checked",
        ),
    ),
    reads(
        "DescribeRiskConfiguration",
        protection::describe_risk,
        CLIENT,
        "the defaults of what was not set are not shown",
    ),
    writes(
        "SetLogDeliveryConfiguration",
        protection::set_logs,
        &["UserPoolId", "LogConfigurations"],
        "stored only",
    ),
    reads("GetLogDeliveryConfiguration", protection::get_logs, POOL, ""),
    writes(
        "SetUserPoolSessionConfiguration",
        sessions::set,
        &["UserPoolId", "UserSessionTracking", "TokenSession"],
        "stored only",
    ),
    reads("GetUserPoolSessionConfiguration", sessions::get, POOL, ""),
    writes(
        "SetUserPoolClientSessionConfiguration",
        sessions::set_of_client,
        &["UserPoolId", "ClientId", "SSOSession"],
        "stored only",
    ),
    reads(
        "GetUserPoolClientSessionConfiguration",
        sessions::get_of_client,
        CLIENT,
        "no SSOSession when none was set: AWS does not say",
    ),
    writes(
        "AddUserPoolClientSecret",
        secrets::add,
        &["UserPoolId", "ClientId", "ClientSecret"],
        "DescribeUserPoolClient shows the oldest: AWS does not say",
    ),
    reads(
        "ListUserPoolClientSecrets",
        secrets::list,
        &["UserPoolId", "ClientId", "NextToken"],
        "",
    ),
    writes(
        "DeleteUserPoolClientSecret",
        secrets::delete,
        &["UserPoolId", "ClientId", "ClientSecretId"],
        "",
    ),
    writes("TagResource", tags::tag, &["ResourceArn", "Tags"], ""),
    writes("UntagResource", tags::untag, &["ResourceArn", "TagKeys"], ""),
    reads("ListTagsForResource", tags::list, &["ResourceArn"], ""),
    writes(
        "CreateUserPoolReplica",
        replicas::create,
        REPLICA,
        "an entry in the list, INACTIVE at once; key and issuer are not checked, no UserPoolTags",
    ),
    writes(
        "UpdateUserPoolReplica",
        replicas::update,
        &["UserPoolId", "RegionName", "Status"],
        "from the primary Region only",
    ),
    writes("DeleteUserPoolReplica", replicas::delete, REPLICA, "at once"),
    reads(
        "ListUserPoolReplicas",
        replicas::list,
        &["UserPoolId", "NextToken"],
        "empty without a replica: AWS does not say",
    ),
    reads(
        "GetProvisionedLimit",
        limits::get,
        &["LimitDefinition"],
        "refuses categories that are not adjustable with InvalidParameterException: AWS does not name the error",
    ),
    writes(
        "UpdateProvisionedLimit",
        limits::update,
        &["LimitDefinition", "RequestedLimitValue"],
        "up to ten times the default; also with managed login",
    ),
    reads("GetCSVHeader", import_jobs::header, POOL, "no password_hash"),
    writes(
        "CreateUserImportJob",
        import_jobs::create,
        &["UserPoolId", "JobName", "CloudWatchLogsRoleArn"],
        "no PasswordHashingAlgorithm; the role is not assumed and no log written; the URL is on the gateway",
    ),
    reads("DescribeUserImportJob", import_jobs::describe_one, JOB, ""),
    reads(
        "ListUserImportJobs",
        import_jobs::list,
        &["UserPoolId", "MaxResults", "PaginationToken"],
        "",
    ),
    writes(
        "StartUserImportJob",
        import_jobs::start,
        JOB,
        "at the configured rate; a file over a limit or with another header fails the job, a row with a quotation mark or a taken alias fails, more rows left out than imported fail the job in the end: AWS does not say",
    ),
    writes("StopUserImportJob", import_jobs::stop, JOB, "at once, never Stopping"),
    writes(
        "LocalcloudUploadImportFile",
        import_jobs::upload,
        &["UserPoolId", "JobId", "Signature", "Encryption", "Body", "BodyBase64"],
        "not of AWS: a PUT to the presigned URL of an import job",
    ),
];
