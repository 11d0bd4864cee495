//! A person at a sign-in page: forgets the password, reads the code, signs in.
//!
//! Invariant: only what an app client does, by user name, and never an administrator's call.

use serde_json::{Value, json};
use twinpool_localcloud::pools::secret_hash;

use super::source::PASSWORD;
use crate::stand_ins::{Cognito, ServiceError};

/// An app client of a pool.
#[derive(Clone, Debug)]
pub struct App<'a> {
    /// Cognito in the pool's Region.
    pub cognito: &'a Cognito,
    /// The pool.
    pub pool: &'a str,
    /// Id of the client.
    pub client: &'a str,
    /// Its secret, if it has one.
    pub secret: Option<&'a str>,
}

impl App<'_> {
    fn input(&self, username: &str, mut more: Value) -> Value {
        more["ClientId"] = json!(self.client);
        more["Username"] = json!(username);
        if let Some(secret) = self.secret {
            more["SecretHash"] = json!(secret_hash(secret, username, self.client));
        }
        more
    }

    /// Forgets the password and asks for a code.
    ///
    /// # Errors
    /// As Cognito answers.
    pub async fn forgets(&self, username: &str) -> Result<(), ServiceError> {
        let input = self.input(username, json!({}));
        self.cognito.call("ForgotPassword", input).await.map(drop)
    }

    /// Chooses a new password with the code of the latest message to the user with this `sub`.
    ///
    /// # Errors
    /// As Cognito answers.
    ///
    /// # Panics
    /// When there is no message.
    pub async fn chooses(&self, username: &str, sub: &str) -> Result<(), ServiceError> {
        let code = self.code(sub, "ForgotPassword").await;
        let input = self.input(username, json!({"ConfirmationCode": code, "Password": PASSWORD}));
        self.cognito.call("ConfirmForgotPassword", input).await.map(drop)
    }

    /// Signs in, with the code of a message when one is asked for. The ID token's claims.
    ///
    /// # Errors
    /// As Cognito answers.
    ///
    /// # Panics
    /// When something else is asked for.
    pub async fn signs_in(&self, username: &str, sub: &str) -> Result<Value, ServiceError> {
        let mut parameters = json!({"USERNAME": username, "PASSWORD": PASSWORD});
        if let Some(secret) = self.secret {
            parameters["SECRET_HASH"] = json!(secret_hash(secret, username, self.client));
        }
        let input = json!({"ClientId": self.client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters});
        let mut answer = self.cognito.call("InitiateAuth", input).await?;
        if let Some(challenge) = answer["ChallengeName"].as_str() {
            let code = self.code(sub, "Authentication").await;
            let responses = json!({"USERNAME": username, format!("{challenge}_CODE"): code});
            let input = json!({
                "ClientId": self.client, "ChallengeName": challenge, "Session": answer["Session"], "ChallengeResponses": responses,
            });
            answer = self.cognito.call("RespondToAuthChallenge", input).await?;
        }
        Ok(claims(
            answer["AuthenticationResult"]["IdToken"].as_str().expect("a token"),
        ))
    }

    /// All of it.
    ///
    /// # Errors
    /// As Cognito answers.
    pub async fn comes_back(&self, username: &str, sub: &str) -> Result<Value, ServiceError> {
        self.forgets(username).await?;
        self.chooses(username, sub).await?;
        self.signs_in(username, sub).await
    }

    async fn code(&self, sub: &str, reason: &str) -> Value {
        let path = format!("/_localcloud/messages?pool={}&sub={sub}", self.pool);
        let messages = self.cognito.look(&path).await;
        let messages = messages.as_array().expect("a list").iter().rev();
        let mut for_reason = messages.filter(|message| message["reason"] == reason);
        for_reason.next().expect("a message was sent")["code"].clone()
    }
}

/// The claims of a token.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&base64_url(payload)).expect("JSON")
}

fn base64_url(text: &str) -> Vec<u8> {
    let digit = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    let (mut buffer, mut bits) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        buffer = (buffer << 6 | u32::from(digit(letter))) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.extend((buffer >> bits).to_le_bytes().first());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_of_a_token_are_read() {
        // {"a":"ü?~"} in base64url: has both letters that are not base64's.
        assert_eq!(claims("e30.eyJhIjoiw7w_fiJ9.x"), json!({"a": "ü?~"}));
    }
}
