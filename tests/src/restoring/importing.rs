//! The importer in this process, over the deployed adapters.
//!
//! Invariant: nothing is paced, so that what a test waits for is the local cloud and not a quota.

use std::sync::Arc;

use aws_sdk_cognitoidentityprovider::{Client, config::Region};
use twinpool_importer::{ApplyOptions, ApplyReport, HttpUpload, Importer};
use twinpool_shared::{
    adapter::{
        governor::Governor,
        lease::Holder,
        pool::{Patience, PoolReader, PoolWriter},
    },
    error::Error,
    import::plan::{Plan, file},
    quota::{Category, Share},
};

use super::{Outage, RECOVERY};
use crate::reconciling::{Between, Cut};

const UNPACED_RPS: f64 = 100_000.0;

/// What became of an import.
#[derive(Debug)]
pub enum Ended {
    /// It came to its end.
    Done(Box<Result<ApplyReport, Error>>),
    /// It was killed.
    Killed,
}

impl Ended {
    /// Whether everybody was made.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Done(ended) if ended.as_ref().as_ref().is_ok_and(|report| !report.is_partial()))
    }
}

impl Outage {
    /// The plan in `plan.json`.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let text = std::fs::read_to_string(self.path("plan.json")).expect("it was written");
        file::open(&text).expect("a plan")
    }

    /// Carries out the plan as `owner`, and is killed at `cut`.
    pub async fn import(&self, owner: &str, cut: &Arc<Cut>) -> Ended {
        let governor = Governor::new(Share::new(100).unwrap_or_default(), 1);
        for category in Category::ALL {
            governor.learn(category, UNPACED_RPS);
        }
        let config = self.night.sdk.to_builder().region(Region::new(RECOVERY)).build();
        let client = Client::new(&config);
        let reader = PoolReader::new(client.clone(), governor.clone(), Patience::WALK);
        let writer = PoolWriter::new(client, governor, Patience::WALK);
        let importer = Importer {
            reader: Between::noting(reader).until(cut),
            writer: Between::noting(writer).until(cut),
            backup: Between::noting(self.night.table.clone()).until(cut),
            clock: self.night.clock(),
            watch: Box::new(()),
            upload: Box::new(HttpUpload),
        };
        let options = ApplyOptions {
            holder: Holder {
                owner: owner.to_owned(),
                seconds: 120,
                steal: false,
            },
            retry_failed: false,
            open_sign_up: false,
        };
        let plan = self.plan();
        tokio::select! {
            ended = Box::pin(importer.apply(&plan, &options)) => Ended::Done(Box::new(ended)),
            () = cut.reached() => Ended::Killed,
        }
    }
}
