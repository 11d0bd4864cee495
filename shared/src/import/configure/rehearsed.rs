//! What a drill makes otherwise than a restore: domains.
//!
//! A prefix belongs to one pool of a Region, whoever owns it, and a custom domain to one pool of the world: a drill that took
//! them would keep them from the restore that it rehearses.
//!
//! Source: API reference, `CreateUserPoolDomain`: a prefix has at most 63 letters.
//!
//! Invariant: a pool whose name begins with [`DRILL_PREFIX`] has no domain that the backup has.

use serde_json::{Value, json};

use super::{
    ManualTask, Phase, Wanted,
    hosts::Hosts,
    step::{CREATE_DOMAIN, SET_USER_INTERFACE},
};
use crate::{
    import::{mapping::Place, plan::PLAN_TAG},
    snapshot::Json,
};

/// What the name of a drill's pool begins with.
pub const DRILL_PREFIX: &str = "twinpool-drill-";
/// The longest prefix of a domain.
const LETTERS_MAX: usize = 63;

/// Whether a pool of this name is one of a drill.
pub(super) fn is_drill(name: &str) -> bool {
    name.starts_with(DRILL_PREFIX)
}

/// `wanted` as the drill that made the pool `shown` (as `DescribeUserPool` shows it) wanted it; `None` when it is no drill's.
pub(in crate::import) fn of_pool(wanted: &Wanted, shown: &Value) -> Option<Wanted> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = text(&shown["Name"]).filter(|name| is_drill(name))?;
    if wanted.pool.expose()["Name"] == name.as_str() {
        return None;
    }
    let plan = text(&shown["UserPoolTags"][PLAN_TAG])?;
    let (region, _) = shown["Id"].as_str()?.split_once('_')?;
    Some(rehearsed(wanted.clone(), &plan, region))
}

/// `wanted` as the drill of `plan` makes it in `region`.
pub(super) fn rehearsed(mut wanted: Wanted, plan: &str, region: &str) -> Wanted {
    let place = Place {
        source_region: region.to_owned(),
        target_region: region.to_owned(),
        account: String::new(),
    };
    let mut hosts = Hosts::default();
    let mut left_out = Vec::new();
    wanted.steps.retain_mut(|step| {
        if step.operation != CREATE_DOMAIN {
            return true;
        }
        let mut input = step.input.expose().clone();
        if input.get("CustomDomainConfig").is_some() {
            left_out.push((step.path(), "a drill makes no custom domain"));
            return false;
        }
        let prefix = suffixed(&step.subject, plan);
        hosts.add(&step.subject, &prefix, &place);
        input["Domain"] = json!(prefix);
        step.subject = prefix;
        step.input = Json::new(input);
        true
    });
    if !wanted.steps.iter().any(|step| step.phase == Phase::Domains) {
        wanted.steps.retain(|step| {
            let is_kept = step.operation != SET_USER_INTERFACE;
            if !is_kept {
                left_out.push((step.path(), "a drill without a domain has no hosted UI"));
            }
            is_kept
        });
    }
    for (path, what) in left_out {
        wanted.manual.retain(|task| task.path != path);
        wanted.manual.push(ManualTask::gap(path, what));
    }
    for json in wanted
        .steps
        .iter_mut()
        .map(|step| &mut step.input)
        .chain([&mut wanted.pool])
    {
        let mut value = json.expose().clone();
        hosts.rewrite(&mut value);
        *json = Json::new(value);
    }
    wanted
}

/// `prefix` with the last part of the plan's id, which is no other plan's.
fn suffixed(prefix: &str, plan: &str) -> String {
    let suffix = plan.rsplit('-').next().unwrap_or_default();
    let kept: String = prefix.chars().take(LETTERS_MAX - 1 - suffix.len()).collect();
    format!("{}-{suffix}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_leaves_a_prefix_that_cognito_takes() {
        assert_eq!(suffixed("login", "20261123T081316Z-0a1b2c3d"), "login-0a1b2c3d");
        let long = format!("{}--{}", "a".repeat(52), "b".repeat(9));
        let taken = suffixed(&long, "20261123T081316Z-0a1b2c3d");
        assert_eq!(taken, format!("{}-0a1b2c3d", "a".repeat(52)));
        assert!(suffixed(&"a".repeat(63), "20261123T081316Z-0a1b2c3d").len() <= LETTERS_MAX);
    }
}
