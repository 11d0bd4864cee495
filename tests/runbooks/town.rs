//! Users who go on living while something is broken: they sign up, sign in, are edited and deleted.
//!
//! Invariant: every call has to succeed, because none of the drills may harm a user.

use aws_sdk_cognitoidentityprovider::types::{AttributeType, AuthFlowType};
use twinpool_tests::{
    compare::Deleted,
    stack::{PoolHandle, Stack},
};

const PASSWORD: &str = "Correct-horse-1";

/// The people of the first pool.
#[derive(Debug, Default)]
pub(super) struct Town {
    pub(super) deleted: Vec<Deleted>,
    edits: u32,
}

fn pool(stack: &Stack) -> &PoolHandle {
    &stack.pools[0]
}

fn attribute(name: &str, value: &str) -> AttributeType {
    let attribute = AttributeType::builder().name(name).value(value).build();
    attribute.expect("an attribute")
}

impl Town {
    /// Somebody signs up and confirms; their `sub`.
    pub(super) async fn sign_up(&self, stack: &Stack, name: &str) -> String {
        let pool = pool(stack);
        let signing = stack
            .cognito
            .sign_up()
            .client_id(&pool.client_id)
            .username(name)
            .password(PASSWORD);
        let signing = signing.user_attributes(attribute("email", &format!("{name}@example.com")));
        let sub = signing.send().await.expect("SignUp").user_sub;
        let code = stack.control.code(&pool.id, &sub, "SignUp").await.expect("a code");
        let confirming = stack
            .cognito
            .confirm_sign_up()
            .client_id(&pool.client_id)
            .username(name);
        confirming.confirmation_code(code).send().await.expect("ConfirmSignUp");
        sub
    }

    /// Somebody signs in.
    pub(super) async fn sign_in(&self, stack: &Stack, name: &str) {
        assert!(self.lets_in(stack, name).await, "{name} is not let in");
    }

    /// Whether somebody is let in.
    pub(super) async fn lets_in(&self, stack: &Stack, name: &str) -> bool {
        let pool = pool(stack);
        let signing = stack.cognito.initiate_auth().client_id(&pool.client_id);
        let signing = signing.auth_flow(AuthFlowType::UserPasswordAuth);
        let signing = signing
            .auth_parameters("USERNAME", name)
            .auth_parameters("PASSWORD", PASSWORD);
        signing
            .send()
            .await
            .is_ok_and(|answer| answer.authentication_result.is_some())
    }

    /// An administrator edits somebody.
    pub(super) async fn edit(&mut self, stack: &Stack, name: &str) {
        self.edits += 1;
        let editing = stack
            .cognito
            .admin_update_user_attributes()
            .user_pool_id(&pool(stack).id)
            .username(name);
        let editing = editing.user_attributes(attribute("name", &format!("Version {}", self.edits)));
        editing.send().await.expect("AdminUpdateUserAttributes");
    }

    /// An administrator disables somebody.
    pub(super) async fn disable(&self, stack: &Stack, name: &str) {
        let disabling = stack
            .cognito
            .admin_disable_user()
            .user_pool_id(&pool(stack).id)
            .username(name);
        disabling.send().await.expect("AdminDisableUser");
    }

    /// An administrator deletes somebody whom the backup knows.
    pub(super) async fn delete(&mut self, stack: &Stack, name: &str, sub: &str) {
        let deleting = stack
            .cognito
            .admin_delete_user()
            .user_pool_id(&pool(stack).id)
            .username(name);
        deleting.send().await.expect("AdminDeleteUser");
        self.deleted.push(Deleted {
            pool: pool(stack).id.clone(),
            sub: sub.to_owned(),
            was_seen: true,
        });
    }
}
