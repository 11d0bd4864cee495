//! The outage: the primary Region answers nobody, and an operator rebuilds the first pool in the other one with `twinpool`.
//!
//! What is typed here, `infra/runbooks/01-region-lost.md` says.
//!
//! Invariant: from the moment of the outage on, nothing of this phase needs the primary Region; what does not come out as it
//! must is in [`Outcome::failures`], and the demo fails with it.

mod people;

use std::{collections::BTreeMap, time::Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use twinpool_shared::quota::{Category, category_of};

use super::{
    operator::{Operator, ROLE, Ran, counted_apart},
    say,
};
use crate::{
    report::Restore,
    stack::{Failure, PRIMARY, PoolHandle, RECOVERY, Stack, control::Counters, target_folder},
};

/// What the restore came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The figures.
    pub(super) restore: Restore,
    /// What did not come out as it must.
    pub(super) failures: Vec<String>,
}

/// What `twinpool apply --json` writes, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Applied {
    #[serde(rename = "target")]
    pool: String,
    clients: BTreeMap<String, String>,
    users: u64,
    memberships: u64,
    links: u64,
    failed_users: u64,
}

/// What `twinpool verify --target --json` writes, as far as it is looked at.
#[derive(Debug, Deserialize)]
struct Compared {
    expected: u64,
    unexpected: u64,
}

/// An operator on the worst night of the year.
struct Outage<'a> {
    stack: &'a Stack,
    lost: &'a PoolHandle,
    operator: Operator<'a>,
    outcome: Outcome,
}

/// Loses the primary Region and rebuilds the first pool in [`RECOVERY`].
///
/// # Errors
/// When the local cloud or `twinpool` breaks off.
pub(super) async fn run(stack: &Stack) -> Result<Outcome, Failure> {
    let lost = stack
        .pools
        .first()
        .ok_or_else(|| Failure("the demo needs a pool".to_owned()))?;
    say(&format!(
        "\nThe outage: {PRIMARY} is lost, and the first pool is rebuilt in {RECOVERY}:"
    ));
    people::link(stack, lost).await?;
    let at_home = Operator::new(stack)?;
    let (status, _): (i32, Value) = at_home.ask(&lost.id, &["reconcile", "--share", "100"]).await?;
    let mut outage = Outage {
        stack,
        lost,
        operator: Operator::new(stack)?.in_region(RECOVERY),
        outcome: Outcome::default(),
    };
    outage.must(status == 0, "the last reconcile before the outage ends with 0");
    stack
        .configure(counted_apart(
            json!({"faults": [{"kind": "refuse_region", "region": PRIMARY}]}),
        ))
        .await?;
    let refused = stack.cognito.describe_user_pool().user_pool_id(&lost.id).send().await;
    outage.must(refused.is_err(), "the primary answers nobody");
    say(&format!("{PRIMARY} answers nobody from now on"));
    outage.rebuild().await?;
    for failure in &outage.outcome.failures {
        say(&format!("NOT AS IT MUST BE: {failure}"));
    }
    Ok(outage.outcome)
}

impl Outage<'_> {
    fn must(&mut self, holds: bool, what: &str) {
        if !holds {
            self.outcome.failures.push(what.to_owned());
        }
    }

    async fn type_in(&self, shown: &str, arguments: &[&str]) -> Result<Ran, Failure> {
        say(&format!("$ twinpool {shown}"));
        self.operator.twinpool(&self.lost.id, arguments).await
    }

    async fn rebuild(&mut self) -> Result<(), Failure> {
        let folder = target_folder()?.join("demo/restore");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::new("the folder of the plan", error))?;
        let path = |name: &str| folder.join(name).display().to_string();
        let (plan, mapping) = (path("plan.json"), path("mapping.json"));
        let page = (path("plan.html"), path("verify.html"));
        let (affected, failed) = (path("affected.csv"), path("failed.csv"));
        let written = std::fs::write(&mapping, self.mapping().to_string());
        written.map_err(|error| Failure::new("the mapping file", error))?;

        let before = self.stack.control.counters().await?;
        let arguments = [
            "plan",
            "--target-region",
            RECOVERY,
            "--mapping",
            &mapping,
            "--out",
            &plan,
            "--report",
            &page.0,
            "--affected",
            &affected,
        ];
        let shown = format!(
            "plan --target-region {RECOVERY} --mapping mapping.json --out plan.json --report plan.html --affected affected.csv"
        );
        let planned = self.type_in(&shown, &arguments).await?;
        say(planned.stdout.trim_end());
        self.must(planned.status == 0, "the plan is made");

        let planned_with = self.stack.control.counters().await?;
        let begun = Instant::now();
        let arguments = ["apply", &plan, "--failed", &failed, "--yes", "--json", "--quiet"];
        let shown = "apply plan.json --failed failed.csv --yes";
        let applied = self.type_in(shown, &arguments).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let counted = self.stack.control.counters().await?;
        let made: Applied = document("apply", &applied)?;
        let floor_seconds = floor_seconds(&planned_with, &counted);
        say(&format!(
            "exit {}: {} users, {} memberships, {} links in pool {} after {seconds:.1} s; the quotas alone take {floor_seconds:.1} s",
            applied.status, made.users, made.memberships, made.links, made.pool
        ));
        self.must(
            applied.status == 0 && made.failed_users == 0,
            "every user that can be made is made",
        );

        let arguments = [
            "verify", "--target", &made.pool, &plan, "--report", &page.1, "--json", "--quiet",
        ];
        let shown = format!("verify --target {} plan.json --report verify.html", made.pool);
        let verified = self.type_in(&shown, &arguments).await?;
        let compared: Compared = document("verify", &verified)?;
        say(&format!(
            "exit {}: {} expected differences, {} unexpected",
            verified.status, compared.expected, compared.unexpected
        ));
        self.must(
            verified.status == 0,
            "pool and backup are equal but for what cannot come back",
        );
        let after = self.stack.control.counters().await?;
        let mails_sent = after.mails + after.sms - before.mails - before.sms;
        self.must(mails_sent == 0, "nobody is told of the restore");

        let exported = self
            .type_in(
                "export-sub-map plan.json --format csv > sub-map.csv",
                &["export-sub-map", &plan, "--format", "csv"],
            )
            .await?;
        let mapped = exported.stdout.lines().skip(1).count();
        say(&format!("{mapped} users have their old sub beside the new one"));
        self.must(
            exported.status == 0 && u64::try_from(mapped) == Ok(made.users),
            "the sub map has every user who was made",
        );

        let sign_in_after_reset = self.somebody_signs_in(&made).await?;
        self.must(sign_in_after_reset, "a person signs in through forgot-password");
        self.outcome.restore = Restore {
            users: made.users,
            memberships: made.memberships,
            links: made.links,
            seconds,
            floor_seconds,
            mails_sent,
            differences_expected: compared.expected,
            differences_unexpected: compared.unexpected,
            sign_in_after_reset,
        };
        Ok(())
    }

    /// The functions of the lost Region have no counterpart: the rebuilt pool has none yet.
    fn mapping(&self) -> Value {
        let functions = self.stack.deployment.functions.values();
        let arns: BTreeMap<&str, Value> = functions.map(|arn| (arn.as_str(), Value::Null)).collect();
        json!({"version": 1, "arns": arns})
    }

    async fn somebody_signs_in(&self, made: &Applied) -> Result<bool, Failure> {
        let client = made.clients.get(&self.lost.client_id);
        let client = client.ok_or_else(|| Failure("the app client has no new id".to_owned()))?;
        let signed_in = people::come_back(self.stack, &made.pool, client).await?;
        say(if signed_in {
            "a person forgets the password, reads the code, chooses a new one and signs in to the rebuilt pool"
        } else {
            "nobody could sign in to the rebuilt pool"
        });
        Ok(signed_in)
    }
}

fn document<T: serde::de::DeserializeOwned>(command: &str, ran: &Ran) -> Result<T, Failure> {
    serde_json::from_str(&ran.stdout).map_err(|error| Failure::new(&format!("twinpool {command} --json"), error))
}

/// How long the operator's calls between two readings take at the documented quotas: those of the busiest category.
fn floor_seconds(before: &Counters, after: &Counters) -> f64 {
    let mut calls: BTreeMap<_, f64> = BTreeMap::new();
    for (operation, count) in after.by_caller.get(ROLE).into_iter().flatten() {
        let earlier = before.by_caller.get(ROLE).and_then(|calls| calls.get(operation));
        // Asking for the quotas is none of the work that they hold up.
        if let Some(category) = category_of(operation).filter(|one| *one != Category::LimitManagement) {
            *calls.entry(category).or_default() += (count - earlier.copied().unwrap_or_default()) as f64;
        }
    }
    let seconds = calls
        .into_iter()
        .map(|(category, calls)| calls / category.default_rps());
    seconds.fold(0.0, f64::max)
}
