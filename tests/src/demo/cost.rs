//! The calls of one reconcile beside those that the cost model has for it.
//!
//! Invariant: what is measured is what the local cloud counted, not what the product says of itself.

use std::collections::BTreeMap;

use twinpool_shared::cost::{
    Agreement, Meter, Pool, Usage, agreement,
    reconcile::{Form, Groups, Walk, usage},
};

use super::operator::{ROLE, Reconciled};
use crate::stack::{Failure, control::Counters};

/// Calls by operation.
type Calls = BTreeMap<String, u64>;

/// What the local cloud counted during a reconcile.
#[derive(Debug)]
pub(super) struct Counted {
    /// Calls of the operator to Cognito.
    pub(super) cognito: Calls,
    /// Calls of anybody to DynamoDB: nobody else is at work.
    table: Calls,
}

impl Counted {
    /// What was called between two readings of the counters.
    pub(super) fn between(before: &Counters, after: &Counters) -> Self {
        Self {
            cognito: more(before.by_caller.get(ROLE), after.by_caller.get(ROLE)),
            table: more(before.calls.get("dynamodb"), after.calls.get("dynamodb")),
        }
    }

    /// Puts the counts beside those that the model has for `run`, in which the backup was wrong in `changed` users, lacked one,
    /// had one who was gone, and was wrong in one group. Cognito's operations that the model has not (those of the
    /// configuration, few and the same in every pool) are left out.
    ///
    /// # Errors
    /// When there were calls to the table that the model does not know at all.
    pub(super) fn beside_the_model(&self, run: &Reconciled, changed: u64) -> Result<Vec<Agreement>, Failure> {
        let mut measured = Usage::default();
        for (operation, count) in &self.cognito {
            if let Some(meter) = Meter::named(&format!("cognito-idp:{operation}")) {
                measured.add(meter, *count as f64);
            }
        }
        for (operation, count) in &self.table {
            let name = format!("dynamodb:{operation}");
            let meter = Meter::named(&name);
            let meter =
                meter.ok_or_else(|| Failure(format!("{count} calls of {name}, which the cost model has not")))?;
            measured.add(meter, *count as f64);
        }
        let pool = Pool::new(run.users, 0, 0);
        let walk = Walk {
            groups: Groups::Even {
                groups: run.groups,
                memberships: run.memberships,
            },
            form: Form::Process,
            created: 1,
            changed,
            deleted: 1,
            groups_written: 1,
            ..Walk::of(&pool)
        };
        Ok(agreement(&measured, &usage(&walk, &pool)))
    }
}

fn more(before: Option<&Calls>, after: Option<&Calls>) -> Calls {
    let earlier = |operation: &String| {
        before
            .and_then(|before| before.get(operation))
            .copied()
            .unwrap_or_default()
    };
    let more = |(operation, count): (&String, &u64)| {
        let more = count - earlier(operation);
        (more > 0).then(|| (operation.clone(), more))
    };
    after.into_iter().flatten().filter_map(more).collect()
}
