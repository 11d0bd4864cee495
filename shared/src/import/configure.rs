//! The configuration of the backup, as the calls that make it again in the target.
//!
//! The input of every call is the raw JSON of the snapshot without what Cognito only shows, rewritten by the mapping file. It
//! never holds the ids of the new pool and of the new app clients: they are put in when the call is made, see
//! [`Step::call_input`].
//!
//! Order: pool, domains, MFA (passkeys may name a domain), resource servers, identity providers, app clients, what each client
//! looks like, terms, threat protection, logs, sessions, groups, Lambda triggers; then come the users; then what lets people in
//! beside the import: sign-up, if the pool has it, with the triggers `PreSignUp` and `UserMigration`, and the outside providers
//! of each client. Until then nobody can take the name or the outside identity of a user who is not made yet, and making one
//! fires no function: `AdminCreateUser` without a message runs `PreSignUp` only.
//!
//! Invariant: a pure function of the backup and the mapping. Inputs may hold client secrets; they are redacted in `Debug`, and
//! nothing else here holds one.

mod build;
mod factors;
mod hosts;
mod manual;
mod of_client;
mod outside;
mod permissions;
mod pieces;
mod pool;
mod rehearsed;
mod schema;
mod sign_up;
mod step;

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

pub(in crate::import) use self::pool::{ADMIN_ONLY, IMMUTABLE, lay_over, settings};
pub(in crate::import) use self::rehearsed::of_pool;
pub(in crate::import) use self::schema::{ADDED_MAX, custom_name, entry, is_own};
pub use self::{
    manual::{Adjusted, ManualTask},
    pieces::form,
    pool::update_input,
    rehearsed::DRILL_PREFIX,
    step::{ADD_ATTRIBUTES, CREATE_CLIENT, CREATE_GROUP, CREATE_POOL, Phase, Step, UPDATE_CLIENT, UPDATE_POOL},
};
use super::mapping::{LeftOut, Mapping, Place, Unmapped};
use crate::{
    error::{Error, ErrorKind},
    group::{GroupRecord, GroupSettings},
    snapshot::{Json, past::Configuration},
    time::Timestamp,
};

/// The steps that make `configuration` and the living ones of `groups` again in a pool called `name`, made by `plan`. A name
/// that begins with [`DRILL_PREFIX`] is a drill's, which has domains of its own.
///
/// # Errors
/// [`Refused::Unmapped`] with every reference that the mapping misses, all of them at once; [`Refused::Unusable`] when the
/// backup does not hold the pool's configuration or the mapping leads into the lost Region.
pub fn steps(
    configuration: &Configuration,
    groups: &BTreeMap<String, GroupRecord>,
    mapping: &Mapping,
    place: &Place,
    plan: &str,
    name: &str,
) -> Result<Wanted, Refused> {
    mapping.check(place)?;
    let mut build = build::Build::new(configuration, mapping, place);
    let pool = build.pool(name, plan)?;
    build.domains();
    build.mfa();
    build.resource_servers();
    build.identity_providers();
    build.clients();
    build.branding();
    build.terms();
    build.user_interface();
    build.risk();
    build.log_delivery();
    build.sessions();
    build.groups(groups);
    let pool = build.triggers(pool);
    build.outside_sign_in();
    build.beside();
    let wanted = build.finish(pool)?;
    Ok(if rehearsed::is_drill(name) {
        rehearsed::rehearsed(wanted, plan, &place.target_region)
    } else {
        wanted
    })
}

/// Input of `CreateGroup` and `UpdateGroup` without the pool.
#[must_use]
pub fn group_input(name: &str, settings: Option<&GroupSettings>) -> Value {
    let mut input = json!({"GroupName": name});
    let members = settings.map(|settings| {
        [
            ("Description", settings.description.as_ref().map(|text| json!(text))),
            ("Precedence", settings.precedence.map(|number| json!(number))),
            ("RoleArn", settings.role_arn.as_ref().map(|arn| json!(arn))),
        ]
    });
    for (member, value) in members.into_iter().flatten() {
        if let Some(value) = value {
            input[member] = value;
        }
    }
    input
}

/// What to know of groups that were changed after `as_of`: the backup holds one state of a group, the present one.
#[must_use]
pub fn newer_groups(groups: &BTreeMap<String, GroupRecord>, as_of: Timestamp) -> Vec<ManualTask> {
    let changed = groups.iter().filter_map(|(name, group)| {
        let modified = group.settings.as_ref()?.data.modified;
        let what = format!("role, precedence and description are those of {modified}, not of {as_of}");
        (modified > as_of).then(|| ManualTask::beside(format!("groups/{name}"), what))
    });
    changed.collect()
}

/// Everything that the target is to be set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// What `DescribeUserPool` has to show, without the triggers, the tags of the plan, and whether users may sign up if they
    /// may: that has steps of its own.
    pub pool: Json,
    /// The calls, in their order. The first makes the pool.
    pub steps: Vec<Step>,
    /// What somebody has to do by hand.
    pub manual: Vec<ManualTask>,
    /// What is made otherwise than the backup has it, on purpose.
    pub adjusted: Vec<Adjusted>,
    /// What the mapping leaves out.
    pub left_out: Vec<LeftOut>,
}

/// Why there are no steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// References to the lost Region that the mapping does not name.
    Unmapped(Vec<Unmapped>),
    /// The backup or the mapping cannot be used.
    Unusable(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Unusable(error)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmapped(all) => {
                let lines: Vec<String> = all.iter().map(Unmapped::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Unusable(error) => error.fmt(f),
        }
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unmapped(_) => Self::new(ErrorKind::Unmet, refused.to_string()),
            Refused::Unusable(error) => error,
        }
    }
}
