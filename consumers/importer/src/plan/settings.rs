//! What the target is to be set to: the configuration of the backup as calls and, where the target is there already,
//! what it lacks.
//!
//! Invariant: `apply` and `verify` make the same configuration of the same [`Subject`] as the plan did.

use std::collections::BTreeMap;

use serde_json::Value;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        configure::{self, Step, Wanted},
        mapping::{Mapping, Place},
        patch::{self, Patch},
        plan::{Plan, TargetPool},
        select::existed,
        shape::{CUSTOM_MAX, Marker, Shape},
    },
    marks::Part,
    port::{Backup, RawPool, ReadPool, WritePool},
    snapshot::{POOL_LEVEL, past::Configuration},
    time::Timestamp,
};

use crate::{Importer, apply::outdated, configuration::captured};

/// The configuration that is wanted, and the shape of the pool that users are made in.
pub(crate) struct Settings {
    /// What the target is to be set to.
    pub(crate) wanted: Wanted,
    /// What that takes in a target that is there already.
    pub(super) changes: Option<Patch>,
    /// Its shape, once that is done.
    pub(crate) shape: Shape,
    /// Its tier, where it says one.
    pub(super) tier: Option<String>,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// What the target is to be set to, what that takes, and the shape that it has then.
    pub(crate) async fn settings(&self, subject: &Subject<'_>, target: &TargetPool) -> Result<Settings, Error> {
        let name = match target {
            TargetPool::New { name } => name.as_str(),
            TargetPool::Existing { .. } => "",
        };
        let wanted = subject.wanted(name)?;
        let (changes, shape, marker) = match target {
            TargetPool::New { .. } => {
                let recorded = subject.recorded;
                let pool = recorded.json(Part::Pool, POOL_LEVEL).unwrap_or(&Value::Null);
                // A factor that lost its sender is nobody's.
                let mut steps = wanted.steps.iter();
                let mfa = steps.find(|step| step.phase == configure::Phase::Mfa);
                let shape = Shape::of(pool, mfa.map(|step| step.input.expose()))?;
                let marker = shape.marker();
                (None, shape, marker)
            }
            TargetPool::Existing { id } => {
                let found = captured(&self.reader, &self.clock, id, &wanted).await?;
                let patch = patch::patch(&wanted, &BTreeMap::new(), &found).map_err(Error::from)?;
                let (pool, mfa) = patch.laid_over(&found);
                let shape = Shape::of(&pool, mfa.as_ref())?;
                if shape.custom_attributes() > CUSTOM_MAX {
                    return Err(unfit(
                        "has no room for all custom attributes of the backup: 50 are the most",
                    ));
                }
                (Some(patch), shape, self::shape(&found.configuration)?.marker())
            }
        };
        match marker {
            Marker::There | Marker::Addable => {}
            Marker::Full => return Err(unfit("has 50 custom attributes, and users need custom:original_sub")),
            Marker::Unfit => {
                return Err(unfit(
                    "has a custom:original_sub that is no text, is too short or cannot be changed",
                ));
            }
        }
        Ok(Settings {
            wanted,
            changes,
            tier: shape.tier.clone(),
            shape: shape.with_marker(),
        })
    }

    /// Whether an existing target still takes the changes that were planned: whoever agreed to them agreed to no others.
    ///
    /// # Errors
    /// `Unmet` when it takes others; else as Cognito answers.
    pub(crate) async fn is_as_planned(&self, plan: &Plan, wanted: &Wanted) -> Result<(), Error> {
        let TargetPool::Existing { id } = &plan.target.pool else {
            return Ok(());
        };
        let found = captured(&self.reader, &self.clock, id, wanted).await?;
        let patch = patch::patch(wanted, &BTreeMap::new(), &found).map_err(Error::from)?;
        let planned = plan.changes.iter().flatten().map(|step| step.digest.as_str());
        if planned.eq(patch.steps.iter().map(Step::digest)) {
            return Ok(());
        }
        Err(outdated("the settings that the target lacks are"))
    }
}

/// The shape of a pool that is set to this.
pub(crate) fn shape(configuration: &Configuration) -> Result<Shape, Error> {
    let pool = configuration.json(Part::Pool, POOL_LEVEL).unwrap_or(&Value::Null);
    Shape::of(pool, configuration.json(Part::Mfa, POOL_LEVEL))
}

/// What settings are made from.
pub(crate) struct Subject<'a> {
    /// The configuration of the backup.
    pub(crate) recorded: &'a Configuration,
    /// Its groups.
    pub(crate) groups: &'a BTreeMap<String, GroupRecord>,
    /// The mapping file.
    pub(crate) mapping: &'a Mapping,
    /// From where to where.
    pub(crate) place: &'a Place,
    /// The instant.
    pub(crate) as_of: Timestamp,
    /// The plan's id.
    pub(crate) plan: &'a str,
}

impl Subject<'_> {
    /// The configuration that is wanted in a pool called `name`.
    ///
    /// # Errors
    /// `BadSetting` for references that are not mapped, and as [`configure::steps`].
    pub(crate) fn wanted(&self, name: &str) -> Result<Wanted, Error> {
        let existed = self.groups.iter().filter(|(_, group)| existed(group, self.as_of));
        let groups = existed.map(|(name, group)| {
            // Deleted after the instant: at the instant it lived.
            let group = GroupRecord {
                deleted: None,
                ..group.clone()
            };
            (name.clone(), group)
        });
        let groups: BTreeMap<String, GroupRecord> = groups.collect();
        let mut wanted = configure::steps(self.recorded, &groups, self.mapping, self.place, self.plan, name)?;
        wanted.manual.extend(configure::newer_groups(&groups, self.as_of));
        Ok(wanted)
    }
}

fn unfit(what: &str) -> Error {
    Error::new(
        ErrorKind::BadSetting,
        format!("the target {what}; plan for another target"),
    )
}
