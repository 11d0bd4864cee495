//! What every stamp of a record claims, held against the pool's past.
//!
//! A record that is wrong for a while and healed by the next run does not show at the end of a history. A stamp that claims
//! too much shows here, when it is written.
//!
//! Invariant: only what a write brings is judged, and nothing of a user whose item was edited by hand.

use twinpool_shared::{
    personal::Sub,
    time::{SECOND_MILLIS, Timestamp},
    user::{Facet, UserRecord},
};

use super::describe::short;
use crate::world::{
    clock::WorldClock,
    pool::{Past, PoolDouble, UserTruth},
};

/// The claims of one record.
struct Claims<'a> {
    sub: &'a Sub,
    past: Past,
    clock: WorldClock,
    /// CloudTrail's whole seconds, and the skews of the machine that stamps and of the pool.
    tolerance: i64,
    broken: Vec<String>,
}

impl Claims<'_> {
    /// Whether something was so at `as_of` or later.
    fn had_since(&self, as_of: Timestamp, holds: impl Fn(&UserTruth) -> bool) -> bool {
        self.past
            .had_since(self.clock.elapsed_at(as_of) - self.tolerance, holds)
    }

    /// A facet claims that its content was still current at `as_of`.
    fn facet<T: PartialEq>(
        &mut self,
        name: &str,
        facets: (Option<&Facet<T>>, Option<&Facet<T>>),
        holds: impl Fn(&UserTruth, &T) -> bool,
    ) {
        let (before, Some(after)) = facets else { return };
        let brought = before.is_none_or(|before| before.as_of != after.as_of || before.data != after.data);
        if brought && !self.had_since(after.as_of, |state| holds(state, &after.data)) {
            let what = format!("{}: {name} were not so any more at {}", short(self.sub), after.as_of);
            self.broken.push(what);
        }
    }
}

/// What of `after` is not true, as far as `before` did not say it already.
pub(super) fn broken(
    before: Option<&UserRecord>,
    after: &UserRecord,
    pool: &PoolDouble,
    clock: WorldClock,
) -> Vec<String> {
    let mut claims = Claims {
        sub: &after.sub,
        past: pool.past_of(&after.sub),
        clock,
        tolerance: 2 * pool.skew_millis_max() + SECOND_MILLIS,
        broken: Vec::new(),
    };
    let attributes = (
        before.and_then(|record| record.attributes.as_ref()),
        after.attributes.as_ref(),
    );
    claims.facet("attributes", attributes, |state, data| state.read.attributes == *data);
    let status = (before.and_then(|record| record.status.as_ref()), after.status.as_ref());
    claims.facet("status", status, |state, data| state.read.status == *data);
    let account = (
        before.and_then(|record| record.account.as_ref()),
        after.account.as_ref(),
    );
    claims.facet("account", account, |state, data| state.read.account == *data);
    let factors = (
        before.and_then(|record| record.factors.as_ref()),
        after.factors.as_ref(),
    );
    claims.facet("factors", factors, |state, data| state.factors == *data);
    memberships(before, after, &mut claims);
    let deleted_at = claims.past.deleted_at.unwrap_or(i64::MAX);
    if let Some(alive_at) = after.alive_at
        && before.is_none_or(|record| record.alive_at != after.alive_at)
        && clock.elapsed_at(alive_at) - claims.tolerance > deleted_at
    {
        claims
            .broken
            .push(format!("{}: did not live at {alive_at}", short(&after.sub)));
    }
    if let Some(tombstone) = &after.deleted
        && before.is_none_or(|record| record.deleted != after.deleted)
        && clock.elapsed_at(tombstone.at) + claims.tolerance < deleted_at
    {
        let what = format!("{}: was not deleted before {}", short(&after.sub), tombstone.at);
        claims.broken.push(what);
    }
    claims.broken
}

/// Memberships are judged one by one: a walk sees each group at another instant.
fn memberships(before: Option<&UserRecord>, after: &UserRecord, claims: &mut Claims<'_>) {
    let Some(facet) = &after.groups else { return };
    let held = before.and_then(|record| record.groups.as_ref());
    if held.is_some_and(|held| held.as_of == facet.as_of && held.data == facet.data) {
        return;
    }
    let named = claims.past.states.iter().flat_map(|(_, state)| &state.groups);
    let mut names: Vec<String> = named.chain(&facet.data).cloned().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let member = facet.data.contains(&name);
        if !claims.had_since(facet.as_of, |state| state.groups.contains(&name) == member) {
            let is = if member { "a" } else { "no" };
            let what = format!(
                "{}: was {is} member of {name} no more at {}",
                short(&after.sub),
                facet.as_of
            );
            claims.broken.push(what);
        }
    }
}
