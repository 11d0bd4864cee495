//! Pages that are short, or empty and not the last: both are documented, and both lose data in careless walks.
//!
//! Invariant: the token is opaque and the only sign of an end.

use serde_json::{Value, json};
use twinpool_localcloud::pools::ApiError;
use twinpool_shared::error::Error;

use super::PoolDouble;

/// In front of the pool's own token, or of nothing, after an empty page.
const AFTER_EMPTY: &str = "after-empty:";

/// One page of a list.
pub(super) struct RawPage {
    /// The service's answer; `None` for an empty page.
    pub(super) answer: Option<Value>,
    /// Where to go on.
    pub(super) token: Option<String>,
}

impl PoolDouble {
    /// One page of `operation`; `member` is what its token is called.
    pub(super) async fn page(
        &self,
        operation: &str,
        mut input: Value,
        member: &str,
        token: Option<&str>,
    ) -> Result<Result<RawPage, ApiError>, Error> {
        let network = &self.0.network;
        let short = network.percent(network.weather().short_pages_percent);
        let (was_empty, own) = match token.map(|token| token.strip_prefix(AFTER_EMPTY).ok_or(token)) {
            None => (false, None),
            Some(Ok(own)) => (true, Some(own).filter(|own| !own.is_empty())),
            Some(Err(own)) => (false, Some(own)),
        };
        // Never two in a row: a walk would be endless where every page is empty.
        if short && !was_empty && network.percent(30) {
            network.reach().await?;
            let token = Some(format!("{AFTER_EMPTY}{}", own.unwrap_or_default()));
            return Ok(Ok(RawPage { answer: None, token }));
        }
        input["Limit"] = json!(if short { 1 + network.below(4) } else { 60 });
        if let Some(own) = own {
            input[member] = json!(own);
        }
        let answer = match self.read(operation, input, operation != "ListGroups").await? {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        let token = answer[member].as_str().map(str::to_owned);
        Ok(Ok(RawPage {
            answer: Some(answer),
            token,
        }))
    }
}
