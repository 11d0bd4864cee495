//! Small pools, one for each kind of user name.
//!
//! Invariant: the users of a kind are found again by everything that they were found by before.

use serde_json::{Value, json};

use super::source::PASSWORD;
use crate::stand_ins::{Cognito, unique};

/// A kind of user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name of their own and nothing else; capital letters count.
    Plain,
    /// A name of their own, with verified addresses, numbers and preferred names as aliases.
    Aliases,
    /// The e-mail address.
    Email,
    /// The phone number.
    Phone,
    /// Either.
    Both,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Plain, Self::Aliases, Self::Email, Self::Phone, Self::Both];

    fn settings(self) -> Value {
        match self {
            Self::Plain => json!({}),
            Self::Aliases => json!({
                "AutoVerifiedAttributes": ["email"], "AliasAttributes": ["email", "phone_number", "preferred_username"], "UsernameConfiguration": {"CaseSensitive": false},
            }),
            Self::Email => json!({"UsernameAttributes": ["email"], "UsernameConfiguration": {"CaseSensitive": false}}),
            Self::Phone => json!({"UsernameAttributes": ["phone_number"]}),
            Self::Both => json!({
                "UsernameAttributes": ["email", "phone_number"], "UsernameConfiguration": {"CaseSensitive": false},
            }),
        }
    }

    /// The user names that are given, each with attributes.
    fn users(self) -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
        let verified = |email: &'static str| vec![("email", email), ("email_verified", "true")];
        let called = |number: &'static str| vec![("phone_number", number), ("phone_number_verified", "true")];
        match self {
            // Two who differ by capital letters only, and two with one address.
            Self::Plain => vec![
                ("ann", verified("a@example.com")),
                ("Ann", verified("a@example.com")),
                ("bob", vec![]),
            ],
            Self::Aliases => vec![
                ("Ann", [verified("Ann@example.com"), called("+12065550101")].concat()),
                ("bob", vec![("email", "bob@example.com")]),
                // The address is Bob's as well, and only one of them verified it.
                ("cyd", verified("bob@example.com")),
                ("dan", verified("dan@example.com")),
            ],
            Self::Email => vec![
                ("Ann@Example.com", verified("Ann@Example.com")),
                ("bob@example.com", vec![("email", "bob@example.com")]),
            ],
            Self::Phone => vec![
                ("+12065550101", called("+12065550101")),
                (
                    "+12065550102",
                    [verified("b@example.com"), called("+12065550102")].concat(),
                ),
            ],
            Self::Both => vec![
                ("ann@example.com", verified("ann@example.com")),
                ("+12065550101", called("+12065550101")),
                (
                    "bob@example.com",
                    [verified("bob@example.com"), called("+12065550102")].concat(),
                ),
                // The verified one of the two is what a user is found by at their best.
                (
                    "+12065550103",
                    [vec![("email", "cyd@example.com")], called("+12065550103")].concat(),
                ),
            ],
        }
    }

    /// By what each user can sign in, and who it is: the position in the order of creation.
    #[must_use]
    pub fn names(self) -> Vec<(&'static str, usize)> {
        match self {
            Self::Plain => vec![("ann", 0), ("Ann", 1), ("bob", 2)],
            Self::Aliases => vec![
                ("ann", 0),
                ("ANN@EXAMPLE.COM", 0),
                ("+12065550101", 0),
                ("the queen", 0),
                ("bob", 1),
                ("bob@example.com", 2),
                ("cyd", 2),
                ("Dan@example.com", 3),
            ],
            Self::Email => vec![("ann@example.com", 0), ("bob@example.com", 1)],
            Self::Phone => vec![("+12065550101", 0), ("+12065550102", 1)],
            Self::Both => vec![
                ("ann@example.com", 0),
                ("+12065550101", 1),
                ("BOB@example.com", 2),
                ("+12065550102", 2),
                ("+12065550103", 3),
            ],
        }
    }
}

/// Makes a pool of a kind with an app client and users: its id, the client's, and the users' `sub`s.
///
/// # Panics
/// When Cognito refuses.
pub async fn create(cognito: &Cognito, kind: Kind) -> ((String, String), Vec<String>) {
    let mut input = kind.settings();
    input["PoolName"] = json!(unique("kind"));
    let created = cognito.must("CreateUserPool", input).await;
    let pool = created["UserPool"]["Id"].as_str().expect("an id").to_owned();
    let flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
    let input = json!({"UserPoolId": pool, "ClientName": "app", "ExplicitAuthFlows": flows});
    let created = cognito.must("CreateUserPoolClient", input).await;
    let client = created["UserPoolClient"]["ClientId"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut subs = Vec::new();
    for (username, attributes) in kind.users() {
        let attributes: Value = attributes
            .iter()
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        let named = json!({"UserPoolId": pool, "Username": username});
        let mut input = named.clone();
        input["UserAttributes"] = attributes;
        input["MessageAction"] = json!("SUPPRESS");
        let created = cognito.must("AdminCreateUser", input).await;
        let shown = created["User"]["Attributes"].as_array().expect("attributes");
        let sub = shown.iter().find(|one| one["Name"] == "sub").expect("a sub");
        subs.push(sub["Value"].as_str().expect("text").to_owned());
        let mut input = named;
        input["Password"] = json!(PASSWORD);
        input["Permanent"] = json!(true);
        cognito.must("AdminSetUserPassword", input).await;
    }
    if kind == Kind::Aliases {
        let alias = json!([{"Name": "preferred_username", "Value": "The Queen"}]);
        let input = json!({"UserPoolId": pool, "Username": "Ann", "UserAttributes": alias});
        cognito.must("AdminUpdateUserAttributes", input).await;
    }
    ((pool, client), subs)
}
