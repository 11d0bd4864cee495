//! A whole import against the local cloud's pool: seconds against what the quotas allow, and calls.
//!
//! The floor of a phase is what no import can beat: its calls at the full rate of their quota. The phases begin together and
//! wait for quotas of their own, so the time that a phase spends waiting for its first users counts against it.
//!
//! Invariant: see [`super`].

use twinpool_importer::Phase;
use twinpool_shared::quota::Category;

use super::{
    cloud::{COGNITO_MILLIS, Cloud},
    restore::restore,
    scene::{Shape, TABLE_MILLIS, back_up},
};
use crate::{
    bench::{
        Places,
        figures::figure,
        report::{Goal, Report},
    },
    stack::Failure,
};

const SHAPE: Shape = Shape {
    users: 5_000,
    groups: 100,
    mixed: false,
    linked: false,
};
/// What a phase may take, in times of its floor.
const OF_FLOOR: f64 = 1.1;
/// Of all calls.
const THROTTLED_PERCENT: f64 = 1.0;

/// Measures an import.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    let cloud = Cloud::start(&places.scratch.join("importer")).await?;
    let pool = SHAPE.create(&cloud).await?;
    let backup = back_up(&cloud, &pool).await?;
    let restored = Box::pin(restore(&cloud, &pool, &backup)).await?;
    report.row("plan: seconds", restored.plan_seconds, "s", Goal::None);
    report.row("apply: seconds", restored.apply_seconds, "s", Goal::None);
    let settings = restored.seconds(Phase::Configuration);
    report.row(
        "apply: seconds of the settings and groups before users",
        settings,
        "s",
        Goal::None,
    );
    // A call for each user in each of them.
    for (phase, category, goal) in [
        (Phase::Users, Category::UserCreation, Goal::AtMost(OF_FLOOR)),
        (Phase::Passwords, Category::UserAccountRecovery, Goal::None),
        (Phase::Memberships, Category::UserUpdate, Goal::AtMost(OF_FLOOR)),
    ] {
        let floor = figure(SHAPE.users) / category.default_rps();
        let (name, seconds) = (phase.as_str(), restored.seconds(phase));
        report.row(format!("{name}: seconds"), seconds, "s", Goal::None);
        report.row(format!("{name}: floor"), floor, "s", Goal::None);
        report.row(format!("{name}: of the floor"), seconds / floor, "times", goal);
    }
    let count = |count: u64| figure(usize::try_from(count).unwrap_or(usize::MAX));
    let traffic = restored.of_apply;
    report.row(
        "plan: calls of Cognito",
        count(restored.of_plan.calls),
        "calls",
        Goal::None,
    );
    report.row("apply: calls of Cognito", count(traffic.calls), "calls", Goal::None);
    report.row("apply: throttled", count(traffic.throttled), "calls", Goal::None);
    let share = 100.0 * count(traffic.throttled) / count(traffic.calls);
    report.row("apply: throttled of all", share, "%", Goal::Below(THROTTLED_PERCENT));
    report.row(
        "apply: messages to users",
        count(traffic.messages),
        "messages",
        Goal::AtMost(0.0),
    );
    report.note(format!(
        "importer: {} users, each in one of {} groups, with a password; quotas as documented (UserCreation 50 a second, \
         UserAccountRecovery 30, UserUpdate 25), {COGNITO_MILLIS} ms a call of Cognito; the table is maps in the bench's own \
         process at {TABLE_MILLIS} ms a request. The phases begin together.",
        SHAPE.users, SHAPE.groups
    ));
    Ok(())
}
