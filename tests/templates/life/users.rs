//! The users of the pool, who come by the app and are changed by an administrator.
//!
//! Invariant: a user whom anything refuses fails the test.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use aws_sdk_cognitoidentityprovider::types::AttributeType;
use twinpool_tests::stack::Stack;

const BETWEEN_USERS: Duration = Duration::from_millis(150);

/// One user more, by the app: signed up, confirmed, and changed by an administrator.
pub(super) async fn one_more(stack: &Stack, number: usize) {
    let pool = &stack.pools[0];
    let (name, email) = (format!("user-{number:04}"), format!("user-{number:04}@example.com"));
    let attribute = |name: &str, value: &str| {
        let attribute = AttributeType::builder().name(name).value(value);
        attribute.build().expect("an attribute")
    };
    let sign_up = stack.cognito.sign_up().client_id(&pool.client_id).username(&name);
    let sign_up = sign_up
        .password("Correct-horse-1")
        .user_attributes(attribute("email", &email));
    sign_up.send().await.expect("SignUp");
    let confirm = stack
        .cognito
        .admin_confirm_sign_up()
        .user_pool_id(&pool.id)
        .username(&name);
    confirm.send().await.expect("AdminConfirmSignUp");
    let change = stack
        .cognito
        .admin_update_user_attributes()
        .user_pool_id(&pool.id)
        .username(&name);
    let change = change.user_attributes(attribute("custom:plan", "changed"));
    change.send().await.expect("AdminUpdateUserAttributes");
}

/// Users come while `work` is done, from the number `first` on; how many came, and what the work came to.
pub(super) async fn meanwhile<T>(stack: &Stack, first: usize, work: impl Future<Output = T>) -> (usize, T) {
    let (ended, came) = (AtomicBool::new(false), AtomicUsize::new(0));
    let users = async {
        while !ended.load(Ordering::Relaxed) {
            one_more(stack, first + came.fetch_add(1, Ordering::Relaxed)).await;
            tokio::time::sleep(BETWEEN_USERS).await;
        }
    };
    let work = async {
        let done = work.await;
        ended.store(true, Ordering::Relaxed);
        done
    };
    let ((), done) = tokio::join!(users, work);
    (came.into_inner(), done)
}
