//! What `reconcile` and `verify` have in common: a reconciler over the operator's credentials, and somebody who looks on.
//!
//! Invariant: findings are kept by `sub` and field name; no value of a user is kept.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use twinpool_reconciler::{Finding, Phase, Subject, Watch};
use twinpool_shared::{
    adapter::{
        governor::Governor,
        pool::{Patience, PoolReader},
    },
    quota::Share,
};

use crate::{context::Connection, progress::Progress};

/// Findings that are listed; beyond that they are counted.
const LISTED_MAX: usize = 10_000;

/// The pool, read at a share of its quotas.
pub(crate) fn reader(connection: &Connection, governor: &Governor) -> PoolReader {
    PoolReader::new(connection.cognito(), governor.clone(), Patience::WALK)
}

/// A share of the quotas, as an argument.
pub(crate) fn share(text: &str) -> Result<Share, String> {
    let percent = text
        .parse()
        .map_err(|_| "not a whole number from 1 to 100".to_owned())?;
    Share::new(percent).map_err(|error| error.what)
}

/// A difference, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Difference {
    /// `user` or `group`.
    pub(crate) kind: &'static str,
    /// The `sub`, or the group's name.
    pub(crate) subject: String,
    /// In what pool and backup differ.
    pub(crate) field: String,
}

impl From<&Finding> for Difference {
    fn from(finding: &Finding) -> Self {
        let (kind, subject) = match &finding.subject {
            Subject::User(sub) => ("user", sub.to_string()),
            Subject::Group(name) => ("group", name.clone()),
        };
        Self {
            kind,
            subject,
            field: finding.field.name(),
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The first of them.
    pub(crate) listed: Vec<Difference>,
    /// How many there are.
    pub(crate) count: u64,
}

/// Looks on at a run: shows how far it is and keeps what it finds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Onlooker {
    wanted: bool,
    progress: Arc<Mutex<Option<Progress>>>,
    findings: Arc<Mutex<Findings>>,
}

impl Onlooker {
    /// Shows progress if it is `wanted`.
    pub(crate) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            ..Self::default()
        }
    }

    /// What was found, in order.
    pub(crate) fn findings(&self) -> Findings {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut findings = std::mem::take(&mut *findings);
        findings.listed.sort();
        findings
    }
}

impl Watch for Onlooker {
    fn phase(&self, phase: Phase, expected: Option<u64>) {
        let what = match phase {
            Phase::Plan => "groups",
            Phase::Members => "memberships",
            Phase::Users => "users",
            Phase::Sweep => "missing users",
        };
        let progress = Progress::start(self.wanted, what, expected.unwrap_or(0));
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = Some(progress);
    }

    fn advanced(&self, by: u64) {
        if let Some(progress) = &mut *self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            let found = self.findings.lock().unwrap_or_else(PoisonError::into_inner).count;
            progress.advance_by(by, &format!("{found} differences"));
        }
    }

    fn found(&self, finding: &Finding) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.count += 1;
        if findings.listed.len() < LISTED_MAX {
            findings.listed.push(finding.into());
        }
    }
}
