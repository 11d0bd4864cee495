//! Users around the outage: some are linked with an outside provider before, and one signs in afterwards.
//!
//! Invariant: what happens before the outage has arrived in the backup when this returns.

use std::time::Duration;

use aws_sdk_cognitoidentityprovider::types::{IdentityProviderTypeType, ProviderUserIdentifierType};
use serde_json::{Value, json};

use crate::{
    restoring::sign_in::App,
    stack::{Failure, PoolHandle, RECOVERY, Stack, refused},
    stand_ins::Cognito,
};

const DRAINED_WITHIN: Duration = Duration::from_secs(60);
const PROVIDER: &str = "Corp";
const LINKS: usize = 3;

/// Links some users of `pool` with a provider.
pub(super) async fn link(stack: &Stack, pool: &PoolHandle) -> Result<(), Failure> {
    let creating = stack.cognito.create_identity_provider().user_pool_id(&pool.id);
    let mut creating = creating
        .provider_name(PROVIDER)
        .provider_type(IdentityProviderTypeType::Oidc);
    for (name, value) in [
        ("client_id", "twinpool"),
        ("client_secret", "secret"),
        ("authorize_scopes", "openid email"),
        ("oidc_issuer", "https://id.example.com"),
        ("attributes_request_method", "GET"),
    ] {
        creating = creating.provider_details(name, value);
    }
    creating.send().await.map_err(refused("CreateIdentityProvider"))?;
    let listing = stack
        .cognito
        .list_users()
        .user_pool_id(&pool.id)
        .filter("cognito:user_status = \"CONFIRMED\"");
    let listed = listing.send().await.map_err(refused("ListUsers"))?;
    for (number, user) in listed.users.unwrap_or_default().into_iter().take(LINKS).enumerate() {
        let here = ProviderUserIdentifierType::builder().provider_name("Cognito");
        let there = ProviderUserIdentifierType::builder().provider_name(PROVIDER);
        let linking = stack.cognito.admin_link_provider_for_user().user_pool_id(&pool.id);
        linking
            .destination_user(here.set_provider_attribute_value(user.username).build())
            .source_user(
                there
                    .provider_attribute_name("Cognito_Subject")
                    .provider_attribute_value(format!("corp-{number}"))
                    .build(),
            )
            .send()
            .await
            .map_err(refused("AdminLinkProviderForUser"))?;
    }
    stack.drained(DRAINED_WITHIN).await
}

/// The first user of the rebuilt pool who can: forgets the password, chooses a new one and signs in.
pub(super) async fn come_back(stack: &Stack, pool: &str, client: &str) -> Result<bool, Failure> {
    let input = json!({"UserPoolId": pool, "Filter": "cognito:user_status = \"CONFIRMED\"", "Limit": 60});
    let listed = stack.control.by_hand("ListUsers", Some(RECOVERY), input).await?;
    let can = |user: &&Value| user["Enabled"] == true && attribute(user, "email_verified") == Some("true");
    let user = listed["Users"].as_array().into_iter().flatten().find(can);
    let user = user.ok_or_else(|| Failure("nobody of the rebuilt pool has a verified address".to_owned()))?;
    let (Some(username), Some(sub)) = (user["Username"].as_str(), attribute(user, "sub")) else {
        return Err(Failure("ListUsers shows a user without a name".to_owned()));
    };
    let app = App {
        cognito: &Cognito::in_region(stack.endpoint(), RECOVERY),
        pool,
        client,
        secret: None,
    };
    let claims = app.comes_back(username, sub).await;
    let claims = claims.map_err(|error| Failure::new("signing in", error.code))?;
    Ok(claims["sub"] == sub)
}

fn attribute<'a>(user: &'a Value, name: &str) -> Option<&'a str> {
    let attributes = user["Attributes"].as_array().into_iter().flatten();
    attributes
        .filter(|one| one["Name"] == name)
        .find_map(|one| one["Value"].as_str())
}
