//! The backup table: consistent reads, conditional writes.
//!
//! Invariant: a current item is only ever replaced on the condition that it still has the version that was read, and only
//! after its old version has been put aside. A crash between the two loses nothing; a lost answer ends in a conflict, whose
//! re-read finds that the write was made.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    types::{AttributeValue, KeysAndAttributes},
};
use serde::de::DeserializeOwned;

use super::aws::classify;
use crate::{
    error::{Error, ErrorKind},
    item::{GroupItem, Key, SCHEMA_VERSION, UserItem, group_key, part_key, user_key},
    marks::Part,
    personal::Sub,
    time::Timestamp,
};

type Item = HashMap<String, AttributeValue>;

/// Most keys that BatchGetItem takes.
const BATCH_KEYS_MAX: usize = 100;
/// How often unprocessed keys are asked for again.
const UNPROCESSED_ROUNDS_MAX: usize = 8;

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// Somebody else wrote first: read again, merge again.
    Conflict,
}

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

    /// Current items of these users of one pool, read consistently. Users without an item are absent from the answer.
    ///
    /// # Errors
    /// As DynamoDB answers; `Newer` when an item was written by a newer version.
    pub async fn users(&self, pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        const CALL: &str = "dynamodb:BatchGetItem on the table";
        let mut users = HashMap::with_capacity(subs.len());
        for chunk in subs.chunks(BATCH_KEYS_MAX) {
            let mut keys: Vec<Item> = chunk.iter().map(|sub| key_item(&user_key(pool, sub))).collect();
            let mut rounds = 0;
            while !keys.is_empty() {
                if rounds == UNPROCESSED_ROUNDS_MAX {
                    return Err(Error::new(
                        ErrorKind::Throttled,
                        format!("{CALL} left keys unprocessed"),
                    ));
                }
                rounds += 1;
                let wanted = KeysAndAttributes::builder()
                    .set_keys(Some(keys))
                    .consistent_read(true)
                    .build();
                let wanted =
                    wanted.map_err(|_| Error::new(ErrorKind::Rejected, format!("{CALL} could not be built")))?;
                let answer = self
                    .client
                    .batch_get_item()
                    .request_items(&self.name, wanted)
                    .send()
                    .await;
                let answer = answer.map_err(|error| classify(CALL, &error))?;
                // Keyed by the table's name, or by its ARN when the request named that; there is only one.
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    let user: UserItem = read_item(item)?;
                    users.insert(user.record.sub.clone(), user);
                }
                let left = answer.unprocessed_keys.unwrap_or_default();
                keys = left.into_values().flat_map(|wanted| wanted.keys).collect();
            }
        }
        Ok(users)
    }

    /// Stores `next` in the place of `stored`, whose old version is put aside first.
    ///
    /// # Errors
    /// As DynamoDB answers. The write may have been made all the same; writing again ends in [`Written::Conflict`].
    pub async fn put_user(&self, next: &UserItem, superseded: Option<&UserItem>) -> Result<Written, Error> {
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

    /// The group's item, read consistently.
    ///
    /// # Errors
    /// As DynamoDB answers; `Newer` when it was written by a newer version.
    pub async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupItem>, Error> {
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

    /// Stores `next` in the place of the version `replaced`.
    ///
    /// # Errors
    /// As for [`Self::put_user`].
    pub async fn put_group(&self, next: &GroupItem, replaced: Option<u64>) -> Result<Written, Error> {
        self.put_versioned(write_item(next)?, replaced).await
    }

    /// Marks a part of the pool for the reconciler, unless it is marked as late or later already. The rest of the item, the
    /// reconciler's own, stays as it is.
    ///
    /// # Errors
    /// As DynamoDB answers.
    pub async fn mark(&self, pool: &str, part: Part, at: Timestamp, cause: &str) -> Result<Written, Error> {
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
/// `Newer` or `BadItem`; neither quotes the item.
pub fn read_item<T: DeserializeOwned>(item: Item) -> Result<T, Error> {
    let version = item
        .get("schema_version")
        .and_then(|value| value.as_n().ok())
        .and_then(|n| n.parse::<u32>().ok());
    match version {
        Some(version) if version > SCHEMA_VERSION => Err(Error::new(
            ErrorKind::Newer,
            format!("an item has schema_version {version}, newer than {SCHEMA_VERSION}"),
        )),
        _ => serde_dynamo::from_item(item).map_err(|_| {
            Error::new(
                ErrorKind::BadItem,
                "an item of the table is not one that Twinpool wrote",
            )
        }),
    }
}
