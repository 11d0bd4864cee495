//! The table that the suite runs over, and the records and items that it writes.
//!
//! Invariant: what it reads raw is what the stand-in holds, past the adapter.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use twinpool_shared::{
    adapter::table::Table,
    item::{Key, UserItem},
    merge::{Decision, merge},
    observation::{Evidence, Observation, UserRead},
    personal::{Personal, Sub},
    port::Backup,
    time::Timestamp,
    user::{Account, Attributes, UserRecord},
};
use twinpool_tests::{
    backup_table,
    stand_ins::{sdk_config, unique},
};

pub(super) const RETENTION_SECONDS: i64 = 35 * 86_400;
pub(super) struct Bench {
    pub(super) client: Client,
    name: String,
    pub(super) table: Table,
}

impl Bench {
    pub(super) async fn new(endpoint: &str) -> Self {
        let client = Client::new(&sdk_config(endpoint).await);
        let name = unique("backup");
        backup_table::create(&client, &name).await;
        let table = Table::new(client.clone(), &name);
        table.probe().await.expect("the table is there");
        Self { client, name, table }
    }

    /// The current item, which has to be there.
    pub(super) async fn stored(&self, pool: &str, sub: &Sub) -> UserItem {
        let mut users = self
            .table
            .users(pool, std::slice::from_ref(sub))
            .await
            .expect("it is read");
        users.remove(sub).expect("it is there")
    }

    pub(super) async fn raw(&self, key: &Key) -> Option<HashMap<String, AttributeValue>> {
        let get = self.client.get_item().table_name(&self.name).consistent_read(true);
        let get = get.key("pk", s(&key.pk)).key("sk", s(&key.sk));
        get.send().await.expect("it is read").item
    }

    pub(super) async fn put_raw(&self, key: &Key, members: &[(&str, AttributeValue)]) {
        let mut put = self.client.put_item().table_name(&self.name);
        put = put.item("pk", s(&key.pk)).item("sk", s(&key.sk));
        for (name, value) in members {
            put = put.item(*name, value.clone());
        }
        put.send().await.expect("it is written");
    }

    /// Sort keys that an index shows for a value.
    pub(super) async fn found(&self, index: &str, attribute: &str, value: &Personal) -> Vec<String> {
        let query = self.client.query().table_name(&self.name).index_name(index);
        let query = query
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", attribute)
            .expression_attribute_values(":value", s(value.expose()));
        let found = query.send().await.expect("the index answers").items.unwrap_or_default();
        let sort_key = |item: &HashMap<String, AttributeValue>| item.get("sk")?.as_s().ok().cloned();
        found.iter().filter_map(sort_key).collect()
    }
}

pub(super) fn s(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_780_000_000_000 + second * 1_000)
}

pub(super) fn sub(text: &str) -> Sub {
    Sub::new(text).expect("a sub")
}

/// What `ListUsers` shows at `second` of a user with these attributes.
pub(super) fn read(values: &[(&str, &str)], second: i64) -> Observation {
    let values: BTreeMap<_, _> = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Personal::new(*value)))
        .collect();
    let user = UserRead {
        attributes: Attributes {
            username: Personal::new("Ann"),
            values,
        },
        status: "CONFIRMED".into(),
        account: Account {
            enabled: true,
            created: at(0),
            modified: at(second),
        },
    };
    Observation {
        source: "ListUsers".into(),
        evidence: Evidence::Read {
            user,
            read_at: at(second),
        },
    }
}

/// The record that `observations` add to `stored`, if anything.
pub(super) fn merged(stored: Option<&UserItem>, sub: &Sub, observations: &[Observation]) -> Option<UserRecord> {
    match merge(
        stored.map(|item| &item.record),
        || UserRecord::new(sub.clone()),
        observations,
    ) {
        Decision::Write(record) => Some(record),
        Decision::Unchanged => None,
    }
}

/// The item that follows `stored`, with `stored` as a superseded version.
pub(super) fn following(
    pool: &str,
    stored: Option<&UserItem>,
    record: UserRecord,
    second: i64,
) -> (UserItem, Option<UserItem>) {
    let version = stored.map_or(1, |item| item.version + 1);
    let next = UserItem::current(pool, version, record, at(second), RETENTION_SECONDS);
    (next, stored.map(|item| item.superseded(at(second), RETENTION_SECONDS)))
}

pub(super) fn item(pool: &str, sub: &Sub, email: &str) -> UserItem {
    let record = merged(None, sub, &[read(&[("email", email)], 1)]).expect("news");
    following(pool, None, record, 1).0
}
