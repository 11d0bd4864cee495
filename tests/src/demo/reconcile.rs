//! The nightly reconcile, by hand: an operator runs `twinpool` while events get lost, the table is edited and a pool emptied.
//!
//! Invariant: what does not come out as it must is in [`Outcome::failures`], and the demo fails with it.

use std::collections::BTreeSet;

use comfy_table::Table;
use serde_json::json;
use twinpool_shared::cost::Agreement;

use super::{
    cost::Counted,
    drift::{self, Elders, Injected},
    emptying::delete_everybody,
    operator::{Operator, Reconciled, Verified, counted_apart},
    say, show_differences,
};
use crate::{
    compare::{self, Deleted, MfaSettings, What},
    report::Reconcile,
    stack::{Failure, PoolHandle, Stack},
};

const RECONCILE: [&str; 3] = ["reconcile", "--share", "100"];
const VERIFY: [&str; 3] = ["verify", "--share", "100"];

/// What the reconciles came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The figures of the run that mended the drift.
    pub(super) reconcile: Reconcile,
    /// Its calls beside those that the cost model has.
    pub(super) cost_model: Vec<Agreement>,
    /// What did not come out as it must.
    pub(super) failures: Vec<String>,
}

/// An operator's night.
struct Night<'a> {
    stack: &'a Stack,
    operator: Operator<'a>,
    outcome: Outcome,
}

/// Reconciles the first pool, lets it drift, mends it, and empties the second one.
///
/// # Errors
/// When the local cloud or `twinpool` breaks off.
pub(super) async fn run(stack: &Stack, elders: &Elders<'_>, deleted: &[Deleted]) -> Result<Outcome, Failure> {
    let [first, second] = &stack.pools[..] else {
        return Err(Failure("the demo needs two pools".to_owned()));
    };
    stack.configure(counted_apart(json!({}))).await?;
    let mut night = Night {
        stack,
        operator: Operator::new(stack)?,
        outcome: Outcome::default(),
    };
    say("\nReconciles, by an operator with `twinpool`, of the first pool:");
    night.backfill(first).await?;
    night.drift(first, elders, deleted).await?;
    let status = night.operator.twinpool(&first.id, &["status"]).await?;
    say(&format!("$ twinpool status\n{}", status.stdout.trim_end()));
    night.emptied(second).await?;
    for failure in &night.outcome.failures {
        say(&format!("NOT AS IT MUST BE: {failure}"));
    }
    Ok(night.outcome)
}

impl Night<'_> {
    fn must(&mut self, holds: bool, what: &str) {
        if !holds {
            self.outcome.failures.push(what.to_owned());
        }
    }

    async fn reconcile(&self, pool: &PoolHandle) -> Result<(i32, Reconciled), Failure> {
        say(&format!("$ twinpool {}", RECONCILE.join(" ")));
        let (status, run): (i32, Reconciled) = self.operator.ask(&pool.id, &RECONCILE).await?;
        let configuration = run.configuration.as_ref();
        say(&format!(
            "exit {status}: {} users, {} memberships, {} groups with {} calls in {:.1} s; {} items and {} parts of the \
             configuration written; drift found {}, left {}",
            run.users,
            run.memberships,
            run.groups,
            run.calls.values().sum::<u64>(),
            run.seconds,
            run.writes,
            configuration.map_or(0, |capture| capture.written.values().sum::<u64>()),
            run.drift_found,
            run.drift_left
        ));
        if !run.drift.is_empty() {
            let kinds: Vec<String> = run
                .drift
                .iter()
                .map(|(kind, users)| format!("{kind} {users}"))
                .collect();
            say(&format!("users by difference: {}", kinds.join(", ")));
        }
        Ok((status, run))
    }

    async fn verify(&self, pool: &PoolHandle) -> Result<(i32, Verified), Failure> {
        say(&format!("$ twinpool {}", VERIFY.join(" ")));
        let (status, verified): (i32, Verified) = self.operator.ask(&pool.id, &VERIFY).await?;
        if !verified.differences.is_empty() {
            let mut table = Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(["kind", "subject", "difference"]);
            for found in &verified.differences {
                table.add_row([&found.kind, &found.subject, &found.field]);
            }
            say(&table.to_string());
        }
        say(&format!(
            "exit {status}: {} users, {} memberships, {} groups compared in {:.1} s: {} differences",
            verified.users,
            verified.memberships,
            verified.groups,
            verified.seconds,
            verified.differences.len()
        ));
        Ok((status, verified))
    }

    /// The first run brings what no event carries, the second nothing.
    async fn backfill(&mut self, pool: &PoolHandle) -> Result<(), Failure> {
        let (status, first) = self.reconcile(pool).await?;
        self.must(
            status == 0 && first.drift_found == 0,
            "the replicated copy has no drift",
        );
        let (status, second) = self.reconcile(pool).await?;
        let configuration = second.configuration.is_some_and(|capture| capture.written.is_empty());
        let nothing = status == 0 && second.writes == 0 && configuration;
        self.must(nothing, "a second reconcile writes nothing");
        let (status, verified) = self.verify(pool).await?;
        self.must(
            status == 0 && verified.equal,
            "pool and backup are equal after the first reconciles",
        );
        Ok(())
    }

    /// Drift is found, all of it and nothing else; mended, and gone in both Regions.
    async fn drift(&mut self, pool: &PoolHandle, elders: &Elders<'_>, deleted: &[Deleted]) -> Result<(), Failure> {
        let wait = elders.too_young_for();
        if !wait.is_zero() {
            say(&format!(
                "waiting {} s: a list may be a minute old, so whoever is younger would be left to the next night",
                wait.as_secs() + 1
            ));
            tokio::time::sleep(wait).await;
        }
        let injected = self.unheard(elders.meet_their_fates()).await?;
        say(&format!("drift, made on purpose: {}", drift::IN_WORDS));
        let (status, verified) = self.verify(pool).await?;
        self.must(status == 3, "verify ends with 3 when pool and backup differ");
        self.must(
            verified.differences == injected.differences,
            "verify finds the drift that was made, and nothing else",
        );

        let before = self.stack.control.counters().await?;
        let (status, run) = self.reconcile(pool).await?;
        let counted = Counted::between(&before, &self.stack.control.counters().await?);
        self.must(status == 0, "the reconcile that mends the drift ends with 0");
        let all = run.drift_found == injected.subjects && run.drift_left == 0;
        self.must(
            all,
            "the reconcile finds every user and group that drifted, and leaves none",
        );
        self.must(
            run.calls == counted.cognito,
            "the calls that the reconcile reports are those that the local cloud counted",
        );
        self.compare_costs(&counted, &run, &injected);

        let (status, verified) = self.verify(pool).await?;
        self.must(
            status == 0 && verified.equal,
            "pool and backup are equal after the drift is mended",
        );
        let mut deleted = deleted.to_vec();
        deleted.push(injected.deleted);
        let compared = compare::compare(self.stack, &deleted, MfaSettings::Compared).await?;
        say(&format!(
            "compared {} users, {} groups, {} tombstones and {} items in two Regions: {}",
            compared.users,
            compared.groups,
            compared.tombstones,
            compared.items,
            show_differences(&compared.differences)
        ));
        self.must(compared.differences.is_empty(), "the drift is mended in both Regions");
        self.outcome.reconcile = Reconcile {
            users: run.users,
            memberships: run.memberships,
            calls: run.calls,
            writes: run.writes,
            drift_found: run.drift_found,
            drift_left: run.drift_left,
            guard_tripped_on_emptied_pool: false,
            seconds: run.seconds,
        };
        Ok(())
    }

    /// Does something of which CloudTrail loses every record.
    async fn unheard<T>(&self, done: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.stack
            .configure(counted_apart(json!({"trail": {"drop_percent": 100}})))
            .await?;
        let done = done.await?;
        self.stack.configure(counted_apart(json!({}))).await?;
        Ok(done)
    }

    fn compare_costs(&mut self, counted: &Counted, run: &Reconciled, injected: &Injected) {
        match counted.beside_the_model(run, injected.changed) {
            Ok(agreements) => {
                let rows: Vec<String> = agreements
                    .iter()
                    .map(|one| format!("{} {}/{:.0}", one.operation.as_str(), one.measured, one.modelled))
                    .collect();
                say(&format!("calls counted/modelled: {}", rows.join(", ")));
                let holds = agreements.iter().all(Agreement::holds);
                self.must(holds, "the cost model agrees with the counted calls within a tenth");
                self.outcome.cost_model = agreements;
            }
            Err(failure) => self.must(false, &failure.to_string()),
        }
    }

    /// Somebody deletes every user of a pool, and no event tells.
    async fn emptied(&mut self, pool: &PoolHandle) -> Result<(), Failure> {
        let gone = self.unheard(delete_everybody(self.stack, pool)).await?;
        say(&format!(
            "somebody deletes all {} users of the second pool, and no event tells",
            gone.len()
        ));
        let (status, run) = self.reconcile(pool).await?;
        let trip = run.guard.as_ref();
        let (reason, suspects) = trip.map_or(("none", 0), |trip| (trip.reason.as_str(), trip.suspects));
        say(&format!(
            "guard: {reason}, {suspects} users are missing in the pool, nothing was deleted"
        ));
        let tripped = status == 4 && reason == "pool_shows_nobody" && suspects == gone.len() as u64;
        self.must(tripped, "the guard trips on an emptied pool, with exit status 4");
        // All that may differ now: whoever was deleted lives in the backup, and in both Regions.
        let compared = compare::compare(self.stack, &[], MfaSettings::Skipped).await?;
        let kept: BTreeSet<String> = compared
            .differences
            .iter()
            .filter(|difference| difference.what == What::UserExtra && difference.pool == pool.id)
            .map(|difference| difference.subject.clone())
            .collect();
        let shrank = gone.difference(&kept).count();
        say(&format!(
            "living users in the backup of that pool: {} before, {} after",
            gone.len(),
            kept.len()
        ));
        self.must(shrank == 0, "the backup of an emptied pool does not shrink by one user");
        let others = compared.differences.len() - kept.len();
        self.must(
            others == 0 && kept == gone,
            "nothing else differs after the pool was emptied",
        );
        self.outcome.reconcile.guard_tripped_on_emptied_pool = tripped && shrank == 0;
        Ok(())
    }
}
