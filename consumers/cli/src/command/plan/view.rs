//! A plan as tables and sentences: what the page on the terminal and the report in HTML both show.
//!
//! Invariant: pure; everything shown stands in the plan, and a plan holds nothing personal.

use twinpool_shared::{
    cost::active,
    import::plan::{NEVER, Plan, TargetPool},
};

use crate::{
    figures::{dollars, duration, thousands},
    report::Section,
};

/// What the plan is of, in sentences.
pub(crate) fn summary(plan: &Plan) -> Vec<String> {
    let target = match &plan.target.pool {
        TargetPool::New { name } => format!("a new pool \"{name}\""),
        TargetPool::Existing { id } => format!("the pool {id}, of which nothing is deleted"),
    };
    let mut lines = vec![
        format!(
            "from  the backup of {} as of {}, table {}",
            plan.source.pool, plan.source.as_of, plan.source.table
        ),
        format!(
            "to    {target} in {}, account {}",
            plan.target.region, plan.target.account
        ),
    ];
    if plan.source.as_of == plan.made_at {
        lines.push(
            "that instant is the present by the clock of the computer that planned; --as-of names another".to_owned(),
        );
    }
    lines.push(match &plan.source.freshness.reconcile {
        Some(last) => format!("the backup was last held against the pool at {}", last.finished_at),
        None => "the backup was never held against the pool".to_owned(),
    });
    let accepted = plan.source.freshness.accepted.iter();
    lines.extend(accepted.map(|reason| format!("accepted by --allow-stale: {reason}")));
    lines
}

/// Everything else, section by section.
pub(crate) fn sections(plan: &Plan) -> Vec<Section> {
    let mut sections = vec![configuration(plan), users(plan), phases(plan), categories(plan)];
    sections.extend([losses(plan), not_made(plan), by_hand(plan)]);
    sections.retain(|section| !section.is_empty());
    sections
}

/// What is made or changed, in order: a row for each run of the same operation.
fn configuration(plan: &Plan) -> Section {
    const NAMED_MAX: usize = 3;
    let mut runs: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for step in plan.calls() {
        match runs.last_mut() {
            Some((phase, operation, subjects)) if (*phase, *operation) == (&step.phase, &step.operation) => {
                subjects.push(&step.subject);
            }
            _ => runs.push((&step.phase, &step.operation, vec![&step.subject])),
        }
    }
    let rows = runs.into_iter().map(|(phase, operation, subjects)| {
        let named = subjects.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = subjects.len().saturating_sub(NAMED_MAX);
        let named = if more > 0 {
            format!("{named} and {more} more")
        } else {
            named
        };
        vec![
            phase.to_owned(),
            operation.to_owned(),
            subjects.len().to_string(),
            named,
        ]
    });
    let header = &["phase", "operation", "calls", "of"];
    let mut section = Section::new("Configuration, in this order", header, rows.collect());
    let left_out = plan.left_out.iter();
    section.notes = left_out
        .map(|left| format!("left out, as the mapping file says: {left}"))
        .collect();
    section
}

fn users(plan: &Plan) -> Section {
    let counts = &plan.users.counts;
    let mut rows: Vec<Vec<String>> = counts
        .statuses
        .iter()
        .map(|(status, users)| vec![format!("in the backup as {status}"), thousands(*users)])
        .collect();
    for (what, count) in [
        ("made", counts.made),
        ("of these disabled", counts.disabled),
        (
            "not made and disabled: will be let in by the identity provider until repaired",
            counts.disabled_federated,
        ),
        ("not reconciled yet", counts.unreconciled),
        ("of these able to go by an import job", counts.by_csv),
        ("memberships", counts.memberships),
        ("outside identities linked", counts.links),
        ("MFA preferences", counts.preferences),
    ] {
        if count > 0 || what == "made" {
            rows.push(vec![what.to_owned(), thousands(count)]);
        }
    }
    let mut section = Section::new("Users", &["", "users"], rows);
    section.notes.push(format!(
        "way: {} ({} for most); most recently seen first, in {} chunks",
        plan.users.way.as_str(),
        plan.estimate.way,
        thousands(u64::from(plan.users.chunks))
    ));
    section
}

fn phases(plan: &Plan) -> Section {
    let rows = plan.estimate.phases.iter().map(|phase| {
        vec![
            phase.phase.clone(),
            thousands(phase.calls.values().sum()),
            duration(phase.seconds),
            if phase.overlaps {
                "with the other stages of the users"
            } else {
                ""
            }
            .to_owned(),
        ]
    });
    let mut section = Section::new(
        "Time, phase by phase",
        &["phase", "calls", "at least", "runs"],
        rows.collect(),
    );
    section.notes.push(format!(
        "together at least {} at {} % of the quotas",
        duration(plan.estimate.seconds),
        plan.estimate.share
    ));
    section
}

fn categories(plan: &Plan) -> Section {
    let estimate = &plan.estimate;
    let rows = estimate.categories.iter().map(|time| {
        let asked = if time.live { "asked" } else { "documented" };
        vec![
            time.category.clone(),
            thousands(time.calls),
            format!("{} ({asked})", time.rps),
            duration(time.seconds),
        ]
    });
    let header = &["category", "calls", "requests a second", "at least"];
    let mut section = Section::new("Calls and quotas", header, rows.collect());
    if let Some(bottleneck) = &estimate.bottleneck {
        section.notes.push(format!("the users wait for {bottleneck}"));
    }
    if let Some(raised) = &estimate.raised {
        section.notes.push(if raised.saved_seconds == 0 {
            format!(
                "raising UserCreation by UpdateProvisionedLimit would save nothing: {} is the bottleneck, and it cannot be raised",
                raised.bottleneck
            )
        } else {
            format!(
                "raising UserCreation to {} by UpdateProvisionedLimit would save {}: the users would then take {}, and wait for {}",
                raised.to_rps,
                duration(raised.saved_seconds),
                duration(raised.seconds),
                raised.bottleneck
            )
        });
    }
    section.notes.push(cost(plan));
    section
}

fn cost(plan: &Plan) -> String {
    let users = thousands(plan.estimate.active_users);
    let unverified = if active::SOURCE.is_unverified() {
        ", unverified"
    } else {
        ""
    };
    match plan.estimate.active_users_cents {
        Some(cents) => format!(
            "up to {users} monthly active users: at most {} US dollars for this month (prices of {}{unverified}: {})",
            dollars(cents),
            active::READ,
            active::SOURCE.as_str()
        ),
        None => format!("up to {users} monthly active users; the price of this pool's tier is not known"),
    }
}

fn losses(plan: &Plan) -> Section {
    let losses = plan.users.counts.losses.iter();
    let rows = losses.map(|(loss, users)| {
        vec![
            loss.as_str().to_owned(),
            thousands(*users),
            loss.explanation().to_owned(),
        ]
    });
    let header = &["what", "users", "what it means"];
    let mut section = Section::new("What does not come back", header, rows.collect());
    section.notes = NEVER.iter().map(|what| format!("for nobody: {what}")).collect();
    section
}

fn not_made(plan: &Plan) -> Section {
    let reasons = plan.users.counts.not_made.iter();
    let rows = reasons.map(|(reason, users)| {
        vec![
            reason.as_str().to_owned(),
            thousands(*users),
            reason.explanation().to_owned(),
        ]
    });
    Section::new(
        "Users who are not made",
        &["why", "users", "what it means"],
        rows.collect(),
    )
}

fn by_hand(plan: &Plan) -> Section {
    let rows = plan.manual.iter().map(|task| vec![task.clone()]).collect();
    Section::new("To be done by hand", &["task"], rows)
}

#[cfg(test)]
pub(crate) mod tests;
