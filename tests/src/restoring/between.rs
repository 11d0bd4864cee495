//! Stands between the importer and the raw side of a pool: kills at a chosen request.
//!
//! Invariant: a change is cut off in front of the request or behind its effect, as a killed process is.

use serde_json::Value;
use twinpool_shared::{
    error::Error,
    port::{RawPool, Refusal, WritePool},
};

use crate::reconciling::{Asked, Between};

impl<P: RawPool> RawPool for Between<P> {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        let answer = self.inner.call(operation, input);
        self.ask(Asked::Raw(operation.to_owned()), None, answer).await
    }
}

impl<W: WritePool> WritePool for Between<W> {
    async fn change(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        self.cut.step().await;
        self.note(Asked::Raw(operation.to_owned()));
        let answer = self.inner.change(operation, input).await;
        self.cut.step().await;
        answer
    }
}
