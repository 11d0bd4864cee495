//! The backup table as `infra/primary.yaml` makes it, for tests that need the table and no deployment.
//!
//! Invariant: keys and indexes are the template's; what it adds (encryption, recovery, replicas) no test here looks at.

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType,
    },
};

/// The indexes, each with its key.
pub const INDEXES: [(&str, &str); 4] = [
    ("by-username", "gsi_username"),
    ("by-email", "gsi_email"),
    ("by-phone", "gsi_phone"),
    ("by-preferred-username", "gsi_preferred_username"),
];

/// Creates the table `name`.
///
/// # Panics
/// When the service refuses.
pub async fn create(client: &Client, name: &str) {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        request = request
            .attribute_definitions(text(attribute))
            .key_schema(key(attribute, kind));
    }
    for (index, attribute) in INDEXES {
        let projection = Projection::builder().projection_type(ProjectionType::KeysOnly).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(index)
            .key_schema(key(attribute, KeyType::Hash))
            .projection(projection);
        request = request
            .attribute_definitions(text(attribute))
            .global_secondary_indexes(index.build().expect("an index"));
    }
    request.send().await.expect("the table is created");
}

fn text(name: &str) -> AttributeDefinition {
    let definition = AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S);
    definition.build().expect("a definition")
}

fn key(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .expect("a key")
}
