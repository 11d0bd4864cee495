//! Reads of the backup table that only an operator asks for: who is meant by a name.
//!
//! Invariant: reads only, and no secret of the table leaves it: these are users.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::{Client, operation::query::builders::QueryFluentBuilder, types::AttributeValue};

use super::aws::classify;
use crate::{
    error::Error,
    item::{USER_PREFIX, index_key},
    personal::{Personal, Sub},
};

type Item = HashMap<String, AttributeValue>;

/// The four KEYS_ONLY indexes and their partition keys, as `infra/primary.yaml` makes them.
pub const INDEXES: [(&str, &str); 4] = [
    ("by-username", "gsi_username"),
    ("by-email", "gsi_email"),
    ("by-phone", "gsi_phone"),
    ("by-preferred-username", "gsi_preferred_username"),
];

/// Looks things up in the backup table of one Region.
#[derive(Clone, Debug)]
pub struct Lookup {
    client: Client,
    table: String,
}

impl Lookup {
    /// A lookup in `table`, a name or an ARN.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }

    /// Living users whose user name, e-mail address, phone number or preferred user name is `value`, whatever its case.
    ///
    /// Candidates only: the indexes lag, cut long values and fold case. The caller reads the records and compares.
    ///
    /// # Errors
    /// As DynamoDB answers.
    pub async fn candidates(&self, pool: &str, value: &Personal) -> Result<BTreeSet<Sub>, Error> {
        let key = index_key(pool, value.expose());
        let mut subs = BTreeSet::new();
        for (index, attribute) in INDEXES {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(index)
                .key_condition_expression("#key = :value")
                .expression_attribute_names("#key", attribute)
                .expression_attribute_values(":value", AttributeValue::S(key.expose().to_owned()));
            let entries = all("dynamodb:Query on the table's indexes", request).await?;
            subs.extend(entries.iter().filter_map(sub_of));
        }
        Ok(subs)
    }
}

/// Every item of a query, page by page.
async fn all(call: &str, request: QueryFluentBuilder) -> Result<Vec<Item>, Error> {
    let mut items = Vec::new();
    let mut start = None;
    loop {
        let page = request.clone().set_exclusive_start_key(start).send().await;
        let page = page.map_err(|error| classify(call, &error))?;
        items.extend(page.items.unwrap_or_default());
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(items);
        }
    }
}

/// The user of an index entry, from its sort key.
fn sub_of(item: &Item) -> Option<Sub> {
    let key = item.get("sk")?.as_s().ok()?;
    Sub::new(key.strip_prefix(USER_PREFIX)?)
}
