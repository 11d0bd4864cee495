//! The backup table: what protects it, and whether a second Region has it.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::{
    Client,
    types::{
        ContinuousBackupsDescription, GlobalSecondaryIndexDescription, IndexStatus, PointInTimeRecoveryStatus,
        ReplicaDescription, ReplicaStatus, TableDescription, TableStatus, TimeToLiveDescription, TimeToLiveStatus,
    },
};
use twinpool_shared::{
    adapter::{aws::classify, lookup::INDEXES},
    error::{Error, ErrorKind},
};

use super::{Finding, State, key};
use crate::untyped::Untyped;

/// Name of the attribute that ends an item.
const TTL_ATTRIBUTE: &str = "expires_at";

/// Reads and judges the table.
pub(crate) async fn check(dynamodb: &Client, kms: &Untyped, table: &str) -> Vec<Finding> {
    let described = match describe(dynamodb, table).await {
        Ok(described) => described,
        Err(error) => return vec![Finding::unread("table", &error)],
    };
    let mut findings = judge(&described);
    let encryption = described.sse_description.as_ref();
    findings.push(key::check(kms, encryption.and_then(|sse| sse.kms_master_key_arn.as_deref())).await);
    findings.push(match backups(dynamodb, table).await {
        Ok(backups) => judge_backups(backups.as_ref()),
        Err(error) => Finding::unread("table.recovery", &error),
    });
    findings.push(match time_to_live(dynamodb, table).await {
        Ok(ttl) => judge_ttl(ttl.as_ref()),
        Err(error) => Finding::unread("table.ttl", &error),
    });
    findings
}

async fn describe(dynamodb: &Client, table: &str) -> Result<TableDescription, Error> {
    let answer = dynamodb.describe_table().table_name(table).send().await;
    let answer = answer.map_err(|error| classify("dynamodb:DescribeTable on the table", &error))?;
    answer
        .table
        .ok_or_else(|| Error::new(ErrorKind::Unavailable, "dynamodb:DescribeTable answered without Table"))
}

async fn backups(dynamodb: &Client, table: &str) -> Result<Option<ContinuousBackupsDescription>, Error> {
    let answer = dynamodb.describe_continuous_backups().table_name(table).send().await;
    let answer = answer.map_err(|error| classify("dynamodb:DescribeContinuousBackups on the table", &error))?;
    Ok(answer.continuous_backups_description)
}

async fn time_to_live(dynamodb: &Client, table: &str) -> Result<Option<TimeToLiveDescription>, Error> {
    let answer = dynamodb.describe_time_to_live().table_name(table).send().await;
    let answer = answer.map_err(|error| classify("dynamodb:DescribeTimeToLive on the table", &error))?;
    Ok(answer.time_to_live_description)
}

fn judge(table: &TableDescription) -> Vec<Finding> {
    vec![
        state(table),
        indexes(table),
        replicas(table),
        Finding::unless(
            table.deletion_protection_enabled == Some(true),
            "table.deletion-protection",
            "protected from deletion",
            (
                State::Warn,
                "not protected from deletion",
                "turn deletion protection on, in every replica",
            ),
        ),
    ]
}

fn state(table: &TableDescription) -> Finding {
    let usable = matches!(table.table_status, Some(TableStatus::Active | TableStatus::Updating));
    let status = table.table_status.as_ref().map_or("unknown", TableStatus::as_str);
    Finding::unless(
        usable,
        "table",
        format!("{status}, {} items at the last count", table.item_count.unwrap_or(0)),
        (
            State::Fail,
            &format!("the table is {status}"),
            "wait until it is ACTIVE, or restore it",
        ),
    )
}

fn indexes(table: &TableDescription) -> Finding {
    let usable = |index: &&GlobalSecondaryIndexDescription| {
        !matches!(index.index_status, Some(IndexStatus::Creating | IndexStatus::Deleting))
    };
    let there: BTreeSet<&str> = table
        .global_secondary_indexes()
        .iter()
        .filter(usable)
        .filter_map(|index| index.index_name())
        .collect();
    let missing: Vec<&str> = INDEXES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !there.contains(name))
        .collect();
    Finding::unless(
        missing.is_empty(),
        "table.indexes",
        "the four indexes are there",
        (
            State::Fail,
            &format!("missing or not ready: {}", missing.join(", ")),
            "deploy infra/primary.yaml again, and wait until the indexes are ACTIVE",
        ),
    )
}

fn replicas(table: &TableDescription) -> Finding {
    let check = "table.replicas";
    let named = |replica: &ReplicaDescription| {
        let status = replica.replica_status.as_ref().map_or("unknown", ReplicaStatus::as_str);
        format!("{} ({status})", replica.region_name().unwrap_or("unknown"))
    };
    let all: Vec<String> = table.replicas().iter().map(named).collect();
    let active = table
        .replicas()
        .iter()
        .filter(|replica| {
            matches!(
                replica.replica_status,
                Some(ReplicaStatus::Active | ReplicaStatus::Updating)
            )
        })
        .count();
    if active == all.len() && active > 1 {
        return Finding::ok(check, all.join(", "));
    }
    // DescribeTable names the other Regions; where it names its own as well, one entry is not a second Region.
    let own = table.table_arn.as_deref().and_then(|arn| arn.split(':').nth(3));
    let others = table
        .replicas()
        .iter()
        .filter(|replica| replica.region_name.as_deref() != own);
    if others.count() == 0 {
        return Finding::fail(
            check,
            "the table is in this Region only",
            "add a replica in the recovery Region (RecoveryRegion of infra/primary.yaml)",
        );
    }
    Finding::unless(
        active == all.len(),
        check,
        all.join(", "),
        (
            State::Fail,
            &format!("not every replica is ready: {}", all.join(", ")),
            "wait until they are ACTIVE, or remove and add them again",
        ),
    )
}

fn judge_backups(backups: Option<&ContinuousBackupsDescription>) -> Finding {
    let check = "table.recovery";
    let recovery = backups.and_then(|backups| backups.point_in_time_recovery_description.as_ref());
    let on = recovery
        .is_some_and(|recovery| recovery.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled));
    let days = recovery.and_then(|recovery| recovery.recovery_period_in_days);
    let reach = days.map_or_else(String::new, |days| format!(", {days} days back"));
    Finding::unless(
        on,
        check,
        format!("point-in-time recovery is on{reach}"),
        (
            State::Warn,
            "point-in-time recovery is off",
            "turn it on, in every replica: it undoes what is done to the table itself",
        ),
    )
}

fn judge_ttl(ttl: Option<&TimeToLiveDescription>) -> Finding {
    let attribute = ttl.and_then(|ttl| ttl.attribute_name.as_deref());
    let on = ttl.is_some_and(|ttl| {
        matches!(
            ttl.time_to_live_status,
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)
        )
    });
    Finding::unless(
        on && attribute == Some(TTL_ATTRIBUTE),
        "table.ttl",
        "old versions and tombstones expire",
        (
            State::Warn,
            "old versions and tombstones never expire",
            "turn time to live on, for the attribute expires_at",
        ),
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{PointInTimeRecoveryDescription, builders::TableDescriptionBuilder};

    use super::*;
    use crate::doctor::tests::states;

    fn replica(region: &str, status: ReplicaStatus) -> ReplicaDescription {
        ReplicaDescription::builder()
            .region_name(region)
            .replica_status(status)
            .build()
    }

    fn table() -> TableDescriptionBuilder {
        let mut table = TableDescription::builder()
            .table_status(TableStatus::Active)
            .table_arn("arn:aws:dynamodb:us-east-1:111122223333:table/t")
            .deletion_protection_enabled(true);
        for (name, _) in INDEXES {
            let index = GlobalSecondaryIndexDescription::builder().index_name(name);
            table = table.global_secondary_indexes(index.index_status(IndexStatus::Active).build());
        }
        table
    }

    #[test]
    fn a_table_as_the_template_makes_it_is_ok() {
        let good = table().replicas(replica("eu-west-1", ReplicaStatus::Active)).build();
        let states = states(&judge(&good));
        assert!(states.iter().all(|(_, state)| *state == State::Ok), "{states:?}");
        assert_eq!(states.len(), 4);
    }

    #[test]
    fn a_table_without_a_ready_second_region_fails() {
        let of = |table: TableDescriptionBuilder| replicas(&table.build()).state;
        assert_eq!(of(table()), State::Fail);
        assert_eq!(
            of(table().replicas(replica("us-east-1", ReplicaStatus::Active))),
            State::Fail
        );
        assert_eq!(
            of(table().replicas(replica("eu-west-1", ReplicaStatus::Creating))),
            State::Fail
        );
        let both = table()
            .replicas(replica("us-east-1", ReplicaStatus::Active))
            .replicas(replica("eu-west-1", ReplicaStatus::Active));
        assert_eq!(of(both), State::Ok);
    }

    #[test]
    fn what_is_missing_is_named() {
        let bare = TableDescription::builder().table_status(TableStatus::Archived).build();
        let findings = judge(&bare);
        assert_eq!(
            states(&findings),
            [
                ("table", State::Fail),
                ("table.indexes", State::Fail),
                ("table.replicas", State::Fail),
                ("table.deletion-protection", State::Warn)
            ]
        );
        assert!(findings[1].what.contains("by-email"), "{}", findings[1].what);
    }

    #[test]
    fn an_index_that_is_being_made_is_not_there_yet() {
        let index = GlobalSecondaryIndexDescription::builder().index_name("by-email");
        let making = index.index_status(IndexStatus::Creating).build();
        let finding = indexes(&TableDescription::builder().global_secondary_indexes(making).build());
        assert!(
            finding.state == State::Fail && finding.what.contains("by-email"),
            "{finding:?}"
        );
    }

    #[test]
    fn recovery_and_ttl_are_on_or_a_warning() {
        let recovery = |status| {
            let recovery = PointInTimeRecoveryDescription::builder()
                .point_in_time_recovery_status(status)
                .build();
            let backups = ContinuousBackupsDescription::builder()
                .continuous_backups_status(aws_sdk_dynamodb::types::ContinuousBackupsStatus::Enabled)
                .point_in_time_recovery_description(recovery);
            judge_backups(backups.build().ok().as_ref()).state
        };
        assert_eq!(recovery(PointInTimeRecoveryStatus::Enabled), State::Ok);
        assert_eq!(recovery(PointInTimeRecoveryStatus::Disabled), State::Warn);
        assert_eq!(judge_backups(None).state, State::Warn);
        let ttl = |name: &str, status| {
            let ttl = TimeToLiveDescription::builder().attribute_name(name);
            judge_ttl(Some(&ttl.time_to_live_status(status).build())).state
        };
        assert_eq!(ttl("expires_at", TimeToLiveStatus::Enabled), State::Ok);
        assert_eq!(ttl("ends", TimeToLiveStatus::Enabled), State::Warn);
        assert_eq!(ttl("expires_at", TimeToLiveStatus::Disabled), State::Warn);
    }
}
