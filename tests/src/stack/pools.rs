//! The pools of a stack: two kinds that differ in everything a copy can get wrong about names.
//!
//! Invariant: attaching the triggers sends every other setting along, because UpdateUserPool resets what is left out.

use std::collections::BTreeMap;

use aws_sdk_cognitoidentityprovider::{
    Client,
    types::{
        AliasAttributeType, AttributeDataType, ExplicitAuthFlowsType, LambdaConfigType, NumberAttributeConstraintsType,
        SchemaAttributeType, SmsConfigurationType, StringAttributeConstraintsType, UserPoolMfaType,
        UsernameAttributeType, UsernameConfigurationType, VerifiedAttributeType,
    },
};

use super::{Failure, refused};

/// How users of a pool are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// By a user name of their own, with the e-mail address as an alias.
    Username,
    /// By their e-mail address; the user name is the `sub`.
    Email,
}

/// A pool of the stack with its app client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolHandle {
    /// Pool id.
    pub id: String,
    /// Id of its app client, which has no secret.
    pub client_id: String,
    /// How its users are named.
    pub kind: PoolKind,
}

pub(super) async fn create(cognito: &Client, kind: PoolKind, number: usize) -> Result<PoolHandle, Failure> {
    let request = cognito.create_user_pool().pool_name(format!("pool-{number}"));
    let request = match kind {
        PoolKind::Username => request.alias_attributes(AliasAttributeType::Email),
        PoolKind::Email => request.username_attributes(UsernameAttributeType::Email),
    };
    let case_insensitive = UsernameConfigurationType::builder().case_sensitive(false);
    let case_insensitive = case_insensitive
        .build()
        .map_err(|error| Failure::new("UsernameConfiguration", error))?;
    let request = request
        .username_configuration(case_insensitive)
        .auto_verified_attributes(VerifiedAttributeType::Email)
        .mfa_configuration(UserPoolMfaType::Optional)
        .sms_configuration(sms())
        .set_schema(Some(schema()));
    let answer = request.send().await.map_err(refused("CreateUserPool"))?;
    let id = answer
        .user_pool
        .and_then(|pool| pool.id)
        .ok_or_else(|| Failure("CreateUserPool answered no id".to_owned()))?;
    let client = cognito
        .create_user_pool_client()
        .user_pool_id(&id)
        .client_name("app")
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth)
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowRefreshTokenAuth)
        .send()
        .await
        .map_err(refused("CreateUserPoolClient"))?;
    let client_id = client
        .user_pool_client
        .and_then(|client| client.client_id)
        .ok_or_else(|| Failure("CreateUserPoolClient answered no id".to_owned()))?;
    Ok(PoolHandle { id, client_id, kind })
}

fn sms() -> SmsConfigurationType {
    SmsConfigurationType::builder()
        .sns_caller_arn("arn:aws:iam::111122223333:role/sms")
        .external_id("tests")
        .build()
}

fn schema() -> Vec<SchemaAttributeType> {
    let text = StringAttributeConstraintsType::builder()
        .min_length("0")
        .max_length("256")
        .build();
    let number = NumberAttributeConstraintsType::builder()
        .min_value("0")
        .max_value("1000000")
        .build();
    vec![
        SchemaAttributeType::builder()
            .name("plan")
            .attribute_data_type(AttributeDataType::String)
            .mutable(true)
            .string_attribute_constraints(text)
            .build(),
        SchemaAttributeType::builder()
            .name("points")
            .attribute_data_type(AttributeDataType::Number)
            .mutable(true)
            .number_attribute_constraints(number)
            .build(),
    ]
}

pub(super) async fn attach_triggers(
    cognito: &Client,
    pool: &PoolHandle,
    functions: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let triggers = LambdaConfigType::builder()
        .set_post_confirmation(functions.get("post-confirmation").cloned())
        .set_post_authentication(functions.get("post-authentication").cloned())
        .set_custom_message(functions.get("custom-message").cloned())
        .build();
    cognito
        .update_user_pool()
        .user_pool_id(&pool.id)
        .auto_verified_attributes(VerifiedAttributeType::Email)
        .mfa_configuration(UserPoolMfaType::Optional)
        .sms_configuration(sms())
        .lambda_config(triggers)
        .send()
        .await
        .map(drop)
        .map_err(refused("UpdateUserPool"))
}
