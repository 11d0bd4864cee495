//! What the target is to be set to: the configuration of the backup as calls and, where the target is there already, what it lacks.
//!
//! Invariant: `apply` and `verify` make the same configuration of the same [`Subject`] as the plan did.

use std::collections::BTreeMap;

use serde_json::Value;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        configure::{self, Wanted},
        mapping::{Mapping, Place},
        patch::{self, Patch},
        plan::TargetPool,
        select::existed,
        shape::{Marker, Shape},
    },
    marks::Part,
    port::{Backup, RawPool, ReadPool, WritePool},
    snapshot::{POOL_LEVEL, past::Configuration},
    time::Timestamp,
};

use crate::{Importer, configuration::captured};

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
        let (changes, shape) = match target {
            TargetPool::New { .. } => (None, shape(subject.recorded)?),
            TargetPool::Existing { id } => {
                let found = captured(&self.reader, &self.clock, id, &wanted).await?;
                let shape = shape(&found.configuration)?;
                let patch = patch::patch(&wanted, &BTreeMap::new(), &found);
                (Some(patch.map_err(Error::from)?), shape)
            }
        };
        match shape.marker() {
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
        let wanted = configure::steps(self.recorded, &groups, self.mapping, self.place, self.plan, name);
        wanted.map_err(Error::from)
    }
}

fn unfit(what: &str) -> Error {
    Error::new(
        ErrorKind::BadSetting,
        format!("the target {what}; plan for another target"),
    )
}
