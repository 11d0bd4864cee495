//! Signs the tokens of the double: RS256 with a generated key for real clients, or unsigned for the simulations.
//!
//! Invariant: with one key the same claims give the same bytes (PKCS#1 v1.5 is deterministic), and the private key leaves
//! this module in no form.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Why no signer could be made.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The cryptographic library refused to generate or to encode the key.
    #[error("no RSA key could be generated")]
    KeyGeneration,
    /// The generated key could not be used as a JSON web key.
    #[error("the RSA key could not be read back: {0}")]
    Key(#[from] jsonwebtoken::errors::Error),
}

/// Makes JSON web tokens; cheap to clone.
#[derive(Clone)]
pub struct TokenSigner {
    key: Option<Arc<RsaKey>>,
}

/// The library exports PKCS #8 while jsonwebtoken reads PKCS #1, which is the last member of the former: behind a head of
/// constant length for a key of this size (sequence, version, algorithm, octet string). A wrong cut does not parse.
const PKCS8_HEAD: usize = 26;

struct RsaKey {
    private: EncodingKey,
    key_id: String,
    public: Value,
}

impl TokenSigner {
    /// A signer with a fresh 2,048-bit RSA key (takes some tenths of a second; once per start of the gateway).
    pub fn generate() -> Result<Self, SignerError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| SignerError::KeyGeneration)?;
        let der =
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| SignerError::KeyGeneration)?;
        let pkcs1 = der.as_ref().get(PKCS8_HEAD..).ok_or(SignerError::KeyGeneration)?;
        let private = EncodingKey::from_rsa_der(pkcs1);
        let jwk = Jwk::from_encoding_key(&private, Algorithm::RS256)?;
        let AlgorithmParameters::RSA(parameters) = jwk.algorithm else {
            return Err(SignerError::KeyGeneration);
        };
        let key_id = parameters.n.chars().take(43).collect::<String>();
        let public = json!({
            "alg": "RS256", "e": parameters.e, "kid": key_id, "kty": "RSA", "n": parameters.n, "use": "sig",
        });
        Ok(Self {
            key: Some(Arc::new(RsaKey {
                private,
                key_id,
                public,
            })),
        })
    }

    /// A deterministic signer without a key, for the simulations: `alg` is `none` and the signature is empty.
    pub fn unsigned() -> Self {
        Self { key: None }
    }

    /// The key set that verifies the tokens, as at `/{pool}/.well-known/jwks.json`; empty for the unsigned one.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.key.iter().map(|key| key.public.clone()).collect::<Vec<_>>() })
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let Some(key) = &self.key else {
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
            return format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims.to_string()));
        };
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(key.key_id.clone());
        jsonwebtoken::encode(&header, claims, &key.private).expect("a generated RSA key signs any JSON object")
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.key.is_some() {
            "TokenSigner(RS256)"
        } else {
            "TokenSigner(unsigned)"
        })
    }
}

/// The claims of a token, read without looking at its signature: whether it is genuine is decided by its `jti`, which only
/// this double hands out.
pub(crate) fn claims_of(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    #[test]
    fn a_signed_token_verifies_against_the_published_key() {
        let signer = TokenSigner::generate().expect("a key");
        let token = signer.sign(&json!({ "sub": "a", "exp": 4_000_000_000_u64 }));
        let keys = signer.jwks();
        let key = &keys["keys"][0];
        let public = DecodingKey::from_rsa_components(
            key["n"].as_str().expect("modulus"),
            key["e"].as_str().expect("exponent"),
        )
        .expect("a public key");
        let read = decode::<Value>(&token, &public, &Validation::new(Algorithm::RS256)).expect("a valid signature");
        assert_eq!(read.claims["sub"], "a");
        assert_eq!(read.header.kid.as_deref(), key["kid"].as_str());
        assert_eq!(claims_of(&token).expect("claims")["sub"], "a");
    }

    #[test]
    fn an_unsigned_token_is_deterministic_and_readable() {
        let signer = TokenSigner::unsigned();
        assert_eq!(signer.sign(&json!({ "jti": "1" })), signer.sign(&json!({ "jti": "1" })));
        assert_eq!(
            claims_of(&signer.sign(&json!({ "jti": "1" }))),
            Some(json!({ "jti": "1" }))
        );
        assert_eq!(signer.jwks(), json!({ "keys": [] }));
        assert_eq!(claims_of("no token"), None);
    }
}
