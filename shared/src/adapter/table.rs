//! The backup table: consistent reads, conditional writes.
//!
//! Invariant: a current item is only ever replaced on the condition that it still has the version that was read, and only
//! after its old version has been put aside. A crash between the two loses nothing; a lost answer ends in a conflict, whose
//! re-read finds that the write was made.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest},
};
use serde::de::DeserializeOwned;

use super::aws::classify;
use crate::{
    error::{Error, ErrorKind},
    item::{
        GroupItem, Key, SCHEMA_VERSION, USER_PREFIX, UserItem, group_key, part_key, user_key, user_partition,
        user_version_prefixes,
    },
    marks::Part,
    personal::Sub,
    port::{Backup, Document, Page, Written},
    time::Timestamp,
};

type Item = HashMap<String, AttributeValue>;

/// Most keys that BatchGetItem takes.
const BATCH_KEYS_MAX: usize = 100;
/// Most requests that BatchWriteItem takes.
const BATCH_WRITES_MAX: usize = 25;
/// How often what was left unprocessed is asked for again.
const UNPROCESSED_ROUNDS_MAX: u32 = 8;
/// Wait before the second round, in milliseconds; it doubles from there.
const UNPROCESSED_WAIT_MILLIS: u64 = 20;

/// The backup table in one Region.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table `name`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self {
            client,
            name: name.into(),
        }
    }

    /// Whether the table exists and answers, for the check at start.
    ///
    /// # Errors
    /// `NotFound` or `Denied`, which name the variable or the permission.
    pub async fn probe(&self) -> Result<(), Error> {
        let answer = self.client.describe_table().table_name(&self.name).send().await;
        answer
            .map(drop)
            .map_err(|error| classify("dynamodb:DescribeTable on the table in TWINPOOL_TABLE", &error))
    }

    /// The items that exist under `keys`, read consistently, in any order.
    async fn get_all(&self, keys: Vec<Item>) -> Result<Vec<Item>, Error> {
        const CALL: &str = "dynamodb:BatchGetItem on the table";
        let mut items = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(BATCH_KEYS_MAX) {
            let mut keys = chunk.to_vec();
            let mut rounds = Rounds::new(CALL);
            while !keys.is_empty() {
                rounds.next().await?;
                let wanted = KeysAndAttributes::builder()
                    .set_keys(Some(keys))
                    .consistent_read(true)
                    .build();
                let wanted =
                    wanted.map_err(|_| Error::new(ErrorKind::Rejected, format!("{CALL} could not be built")))?;
                let request = self.client.batch_get_item().request_items(&self.name, wanted);
                let answer = request.send().await.map_err(|error| classify(CALL, &error))?;
                // Keyed by the table's name, or by its ARN when the request named that; there is only one.
                items.extend(answer.responses.unwrap_or_default().into_values().flatten());
                let left = answer.unprocessed_keys.unwrap_or_default();
                keys = left.into_values().flat_map(|wanted| wanted.keys).collect();
            }
        }
        Ok(items)
    }

    /// One page of the items whose sort key begins with `sk_prefix`, after the sort key `after`.
    async fn query(
        &self,
        pk: &str,
        sk_prefix: &str,
        after: Option<&str>,
        consistent: bool,
    ) -> Result<Page<Item>, Error> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let start = after.map(|sk| {
            key_item(&Key {
                pk: pk.to_owned(),
                sk: sk.to_owned(),
            })
        });
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", text(pk))
            .expression_attribute_values(":prefix", text(sk_prefix))
            .consistent_read(consistent)
            .set_exclusive_start_key(start);
        let answer = request
            .send()
            .await
            .map_err(|error| classify("dynamodb:Query on the table", &error))?;
        let last = answer.last_evaluated_key.unwrap_or_default();
        Ok(Page {
            entries: answer.items.unwrap_or_default(),
            token: last.get("sk").and_then(|sk| sk.as_s().ok()).cloned(),
        })
    }

    /// Every item whose sort key begins with `sk_prefix`, read consistently.
    async fn query_all<T: DeserializeOwned>(&self, pk: &str, sk_prefix: &str) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.query(pk, sk_prefix, after.as_deref(), true).await?;
            for item in page.entries {
                found.push(read_item(item)?);
            }
            after = page.token;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn put_versioned(&self, item: Item, replaced: Option<u64>) -> Result<Written, Error> {
        let put = self.client.put_item().table_name(&self.name).set_item(Some(item));
        let put = match replaced {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
        };
        written("dynamodb:PutItem on the table", put.send().await)
    }
}

impl Backup for Table {
    async fn users(&self, pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        let keys: Vec<Item> = subs.iter().map(|sub| key_item(&user_key(pool, sub))).collect();
        let items = self.get_all(keys).await?;
        let users = items.into_iter().map(read_item::<UserItem>);
        users
            .map(|user| user.map(|user| (user.record.sub.clone(), user)))
            .collect()
    }

    async fn user_versions(&self, pool: &str, sub: &Sub) -> Result<Vec<UserItem>, Error> {
        let partition = user_partition(pool, sub);
        let mut versions: Vec<UserItem> = Vec::new();
        for prefix in user_version_prefixes(sub) {
            versions.extend(self.query_all::<UserItem>(&partition, &prefix).await?);
        }
        versions.sort_by_key(|item| std::cmp::Reverse(item.version));
        Ok(versions)
    }

    async fn put_user(&self, next: &UserItem, superseded: Option<&UserItem>) -> Result<Written, Error> {
        if let Some(old) = superseded {
            let put = self
                .client
                .put_item()
                .table_name(&self.name)
                .set_item(Some(write_item(old)?));
            put.send()
                .await
                .map_err(|error| classify("dynamodb:PutItem on the table", &error))?;
        }
        self.put_versioned(write_item(next)?, superseded.map(|old| old.version))
            .await
    }

    async fn users_in(&self, partition: &str, sub_prefix: &str, token: Option<&str>) -> Result<Page<UserItem>, Error> {
        let page = self
            .query(partition, &format!("{USER_PREFIX}{sub_prefix}"), token, false)
            .await?;
        let mut users = Vec::with_capacity(page.entries.len());
        for item in page.entries {
            let user: UserItem = read_item(item)?;
            if user.is_current() {
                users.push(user);
            }
        }
        Ok(Page {
            entries: users,
            token: page.token,
        })
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupItem>, Error> {
        let key = key_item(&group_key(pool, name));
        let get = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key))
            .consistent_read(true);
        let answer = get
            .send()
            .await
            .map_err(|error| classify("dynamodb:GetItem on the table", &error))?;
        answer.item.map(read_item).transpose()
    }

    async fn groups(&self, pool: &str) -> Result<Vec<GroupItem>, Error> {
        let first = group_key(pool, "");
        self.query_all(&first.pk, &first.sk).await
    }

    async fn put_group(&self, next: &GroupItem, replaced: Option<u64>) -> Result<Written, Error> {
        self.put_versioned(write_item(next)?, replaced).await
    }

    async fn mark(&self, pool: &str, part: Part, at: Timestamp, cause: &str) -> Result<Written, Error> {
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(&part_key(pool, part))))
            .update_expression(
                "SET marked_at = :at, marked_by = :cause, #pool = :pool, schema_version = if_not_exists(schema_version, :schema)",
            )
            .condition_expression("attribute_not_exists(marked_at) OR marked_at < :at")
            .expression_attribute_names("#pool", "pool")
            .expression_attribute_values(":at", text(&at.to_string()))
            .expression_attribute_values(":cause", text(cause))
            .expression_attribute_values(":pool", text(pool))
            .expression_attribute_values(":schema", AttributeValue::N(SCHEMA_VERSION.to_string()));
        written("dynamodb:UpdateItem on the table", update.send().await)
    }

    async fn marks(&self, pool: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        let keys = Part::ALL.map(|part| key_item(&part_key(pool, part)));
        let mut marks = Vec::new();
        for item in self.get_all(keys.to_vec()).await? {
            let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
            let part = Part::ALL
                .into_iter()
                .find(|part| text("sk") == Some(&part_key(pool, *part).sk));
            let at = text("marked_at").and_then(|at| Timestamp::parse(at));
            marks.extend(part.zip(at));
        }
        marks.sort_unstable();
        Ok(marks)
    }

    async fn clear_mark(&self, pool: &str, part: Part, at: Timestamp) -> Result<Written, Error> {
        let update = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(&part_key(pool, part))))
            .update_expression("REMOVE marked_at, marked_by")
            .condition_expression("marked_at = :at")
            .expression_attribute_values(":at", AttributeValue::S(at.to_string()));
        written("dynamodb:UpdateItem on the table", update.send().await)
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        let mut items = self.get_all(vec![key_item(key)]).await?;
        items.pop().map(read_item).transpose()
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        self.put_versioned(write_item(next)?, replaced).await
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        self.query_all(pk, sk_prefix).await
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        const CALL: &str = "dynamodb:BatchWriteItem on the table";
        let unbuilt = |_| Error::new(ErrorKind::Rejected, format!("{CALL} could not be built"));
        for chunk in keys.chunks(BATCH_WRITES_MAX) {
            let mut requests = Vec::with_capacity(chunk.len());
            for key in chunk {
                let delete = DeleteRequest::builder().set_key(Some(key_item(key)));
                let delete = delete.build().map_err(unbuilt)?;
                requests.push(WriteRequest::builder().delete_request(delete).build());
            }
            let mut rounds = Rounds::new(CALL);
            while !requests.is_empty() {
                rounds.next().await?;
                let write = self.client.batch_write_item().request_items(&self.name, requests);
                let answer = write.send().await.map_err(|error| classify(CALL, &error))?;
                requests = answer
                    .unprocessed_items
                    .unwrap_or_default()
                    .into_values()
                    .flatten()
                    .collect();
            }
        }
        Ok(())
    }
}

/// Rounds of a batch call whose rest comes back unprocessed: throttling, in other words.
struct Rounds {
    call: &'static str,
    made: u32,
}

impl Rounds {
    fn new(call: &'static str) -> Self {
        Self { call, made: 0 }
    }

    /// Waits for the next round; an error when there were enough.
    async fn next(&mut self) -> Result<(), Error> {
        if self.made == UNPROCESSED_ROUNDS_MAX {
            let what = format!("{} left something unprocessed", self.call);
            return Err(Error::new(ErrorKind::Throttled, what));
        }
        if self.made > 0 {
            tokio::time::sleep(Duration::from_millis(UNPROCESSED_WAIT_MILLIS << self.made)).await;
        }
        self.made += 1;
        Ok(())
    }
}

/// What became of a conditional write, from the SDK's answer.
fn written<T, E: ProvideErrorMetadata>(call: &str, answer: Result<T, SdkError<E>>) -> Result<Written, Error> {
    match answer {
        Ok(_) => Ok(Written::Stored),
        Err(error) if error.code() == Some("ConditionalCheckFailedException") => Ok(Written::Conflict),
        Err(error) => Err(classify(call, &error)),
    }
}

fn key_item(key: &Key) -> Item {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S(key.pk.clone())),
        ("sk".to_owned(), AttributeValue::S(key.sk.clone())),
    ])
}

fn write_item<T: serde::Serialize>(item: &T) -> Result<Item, Error> {
    serde_dynamo::to_item(item).map_err(|_| Error::new(ErrorKind::Rejected, "an item could not be built"))
}

/// Reads an item, unless a newer version wrote it: overwriting that would drop what it says.
///
/// # Errors
/// `Newer` or `BadItem`; both name the item by its key, and neither quotes it.
pub fn read_item<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    let version = item
        .get("schema_version")
        .and_then(|value| value.as_n().ok())
        .and_then(|n| n.parse::<u32>().ok());
    let key = |name: &str| {
        item.get(name)
            .and_then(|value| value.as_s().ok())
            .cloned()
            .unwrap_or_default()
    };
    let name = format!("the item {} in {}", key("sk"), key("pk"));
    match version {
        Some(version) if version > SCHEMA_VERSION => Err(Error::new(
            ErrorKind::Newer,
            format!("{name} has schema_version {version}, newer than {SCHEMA_VERSION}"),
        )),
        _ => serde_dynamo::from_item(item)
            .map_err(|_| Error::new(ErrorKind::BadItem, format!("{name} is not one that Twinpool wrote"))),
    }
}
