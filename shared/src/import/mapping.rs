//! The mapping file: what becomes of everything in a pool's configuration that belongs to the lost Region.
//!
//! ```json
//! {
//!   "version": 1,
//!   "arns": {
//!     "arn:aws:lambda:us-east-1:111122223333:function:sign-up": "arn:aws:lambda:us-west-2:111122223333:function:sign-up",
//!     "arn:aws:firehose:us-east-1:111122223333:deliverystream/audit": null
//!   },
//!   "regions": { "us-east-1": "us-west-2" },
//!   "domains": { "auth.example.com": { "name": "auth.example.com", "certificate": "arn:aws:acm:us-east-1:..." } },
//!   "import_logs_role": "arn:aws:iam::111122223333:role/cognito-import"
//! }
//! ```
//!
//! `null` leaves out what is named, and the plan says so.
//!
//! Invariant: nothing is guessed. A reference to another Region that is not mapped stops the plan, with the line to add.

mod arn;
mod rewrite;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

pub use self::rewrite::{LeftOut, Rewritten, rewrite};
use crate::error::{Error, ErrorKind};

/// Version of the format.
pub const VERSION: u32 = 1;

/// A mapping file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// [`VERSION`].
    pub version: u32,
    /// ARNs by those that they replace; `null` leaves the member out. An ARN that maps to itself is kept.
    #[serde(default)]
    pub arns: BTreeMap<String, Option<String>>,
    /// Regions by those that they replace, for settings that name a Region (`SnsRegion`).
    #[serde(default)]
    pub regions: BTreeMap<String, String>,
    /// Domains by the name in the backup; `null` makes none. A prefix domain that is not named keeps its name, a custom
    /// domain that is not named is left to the operator.
    #[serde(default)]
    pub domains: BTreeMap<String, Option<DomainTarget>>,
    /// Role that lets Cognito write the logs of an import job (`CloudWatchLogsRoleArn`); without one there is no CSV way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import_logs_role: Option<String>,
}

/// What a domain becomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainTarget {
    /// The name in the target: a prefix, or a whole name for a custom domain.
    pub name: String,
    /// The certificate of a custom domain, always one in us-east-1 (`CreateUserPoolDomain`, `CustomDomainConfig`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

impl Default for Mapping {
    fn default() -> Self {
        Self {
            version: VERSION,
            arns: BTreeMap::new(),
            regions: BTreeMap::new(),
            domains: BTreeMap::new(),
            import_logs_role: None,
        }
    }
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// `BadSetting` that names line and member, `Newer` for a version that this one does not know.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what: String| Error::new(ErrorKind::BadSetting, format!("the mapping file {what}"));
        let mapping: Self = serde_json::from_str(text).map_err(|error| bad(format!("cannot be read: {error}")))?;
        match mapping.version {
            VERSION => {}
            0 => return Err(bad(format!("has no such version as 0; write \"version\": {VERSION}"))),
            newer => {
                let what = format!("the mapping file has version {newer}, and this Twinpool reads {VERSION}");
                return Err(Error::new(ErrorKind::Newer, what));
            }
        }
        let named = mapping.arns.iter().flat_map(|(old, new)| [Some(old), new.as_ref()]);
        let certificates = mapping
            .domains
            .values()
            .flatten()
            .map(|domain| domain.certificate.as_ref());
        for text in named
            .chain(certificates)
            .chain([mapping.import_logs_role.as_ref()])
            .flatten()
        {
            if arn::Arn::parse(text).is_none() {
                return Err(bad(format!("names {text}, which is no ARN")));
            }
        }
        Ok(mapping)
    }

    /// Checks that nothing is mapped into the lost Region.
    ///
    /// # Errors
    /// `BadSetting` that names the first such line.
    pub fn check(&self, place: &Place) -> Result<(), Error> {
        let lost = |region: &str| region == place.source_region;
        let arns = self.arns.iter().filter_map(|(old, new)| Some((old, new.as_ref()?)));
        let arns = arns.filter(|(_, new)| arn::Arn::parse(new).is_some_and(|new| lost(new.region)));
        let regions = self.regions.iter().filter(|(_, new)| lost(new));
        match arns.chain(regions).next() {
            None => Ok(()),
            Some((old, new)) => {
                let what = format!(
                    "the mapping file maps {old} to {new}, which is in the lost Region {}",
                    place.source_region
                );
                Err(Error::new(ErrorKind::BadSetting, what))
            }
        }
    }
}

/// From where to where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Region of the pool in the backup.
    pub source_region: String,
    /// Region of the target.
    pub target_region: String,
    /// Account of the target. IAM roles of another account need a mapping.
    pub account: String,
}

impl Place {
    /// From the pool `source_pool` to `target_region` in `account`. The id of a pool begins with its Region.
    ///
    /// # Errors
    /// `BadSetting` when the id has no Region.
    pub fn new(source_pool: &str, target_region: &str, account: &str) -> Result<Self, Error> {
        let Some((source_region, _)) = source_pool.split_once('_').filter(|(region, _)| !region.is_empty()) else {
            let what = format!("the user pool id {source_pool} has no Region; write it as us-east-1_Ab1Cd2Ef3");
            return Err(Error::new(ErrorKind::BadSetting, what));
        };
        Ok(Self {
            source_region: source_region.to_owned(),
            target_region: target_region.to_owned(),
            account: account.to_owned(),
        })
    }
}

/// A reference that the mapping file does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// Where it is: part, member and names down to it, joined by `/`.
    pub path: String,
    /// What it is: `lambda ARN`, `Region`.
    pub kind: String,
    /// The member of the mapping file that takes the line.
    pub section: &'static str,
    /// The line to add, with the counterpart that is most likely right.
    pub line: String,
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            kind,
            section,
            line,
        } = self;
        write!(
            f,
            "{path} names a {kind} that is not mapped; add to \"{section}\" in the mapping file: {line}"
        )
    }
}
