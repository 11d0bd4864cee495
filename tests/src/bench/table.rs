//! A double of DynamoDB for one bench: what it measures is the replicator, beyond what an emulator in Python can take.
//!
//! It knows the three operations of the replicator's way of a user (DescribeTable, BatchGetItem, PutItem) and their two
//! conditions; a map in this process is its store. Nothing else may be concluded from it: no capacity, no throttling.
//!
//! Invariant: what it does not know is an error, and a conditional write is refused when its condition does not hold.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use serde_json::{Value, json};

use super::server::{Reply, Server};
use crate::stack::Failure;

type Key = (String, String);
type Items = HashMap<Key, Value>;

/// Starts the double; every answer but that to DescribeTable is delayed.
///
/// # Errors
/// When no port is free.
pub async fn start(delay: Duration) -> Result<Server, Failure> {
    let items = Arc::<Mutex<Items>>::default();
    Server::start(move |operation, body| {
        let items = items.clone();
        async move {
            if !delay.is_zero() && operation != "DescribeTable" {
                tokio::time::sleep(delay).await;
            }
            let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&mut items, &operation, &body)
        }
    })
    .await
}

fn answer(items: &mut Items, operation: &str, body: &[u8]) -> Reply {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return refused("SerializationException");
    };
    let answer = match operation {
        "DescribeTable" => Some(json!({"Table": {"TableName": request["TableName"], "TableStatus": "ACTIVE"}})),
        "BatchGetItem" => batch_get(items, &request),
        "PutItem" => match put(items, request) {
            Some(true) => Some(json!({})),
            Some(false) => return refused("ConditionalCheckFailedException"),
            None => None,
        },
        _ => None,
    };
    answer.map_or_else(
        || refused("ValidationException"),
        |answer| (200, Bytes::from(answer.to_string())),
    )
}

fn refused(code: &str) -> Reply {
    let body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "refused"});
    (400, Bytes::from(body.to_string()))
}

fn key(item: &Value) -> Option<Key> {
    let part = |name: &str| item[name]["S"].as_str().map(str::to_owned);
    Some((part("pk")?, part("sk")?))
}

fn batch_get(items: &Items, request: &Value) -> Option<Value> {
    let mut responses = serde_json::Map::new();
    for (table, wanted) in request["RequestItems"].as_object()? {
        let keys = wanted["Keys"].as_array()?.iter().map(key).collect::<Option<Vec<_>>>()?;
        let found: Vec<_> = keys.iter().filter_map(|key| items.get(key)).cloned().collect();
        responses.insert(table.clone(), Value::from(found));
    }
    Some(json!({"Responses": responses, "UnprocessedKeys": {}}))
}

/// Whether the condition held; `None` for a request that is not known here.
fn put(items: &mut Items, mut request: Value) -> Option<bool> {
    let item = request["Item"].take();
    let key = key(&item)?;
    let stored = items.get(&key);
    let holds = match request["ConditionExpression"].as_str() {
        None => true,
        Some("attribute_not_exists(pk)") => stored.is_none(),
        Some("#version = :version") => {
            stored.is_some_and(|stored| stored["version"] == request["ExpressionAttributeValues"][":version"])
        }
        Some(_) => return None,
    };
    if holds {
        items.insert(key, item);
    }
    Some(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(items: &mut Items, operation: &str, request: &Value) -> (u16, Value) {
        let (status, body) = answer(items, operation, request.to_string().as_bytes());
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[test]
    fn writes_are_conditional_and_read_back() {
        let mut items = Items::new();
        let item = |version: &str| json!({"pk": {"S": "p"}, "sk": {"S": "s"}, "version": {"N": version}});
        let fresh = json!({"TableName": "t", "Item": item("1"), "ConditionExpression": "attribute_not_exists(pk)"});
        assert_eq!(call(&mut items, "PutItem", &fresh).0, 200);
        let (status, error) = call(&mut items, "PutItem", &fresh);
        assert_eq!(status, 400);
        assert!(
            error["__type"]
                .as_str()
                .is_some_and(|code| code.ends_with("#ConditionalCheckFailedException"))
        );
        let next = |from: &str| {
            json!({"TableName": "t", "Item": item("2"), "ConditionExpression": "#version = :version",
                "ExpressionAttributeValues": {":version": {"N": from}}})
        };
        assert_eq!(call(&mut items, "PutItem", &next("7")).0, 400);
        assert_eq!(call(&mut items, "PutItem", &next("1")).0, 200);
        let get = json!({"RequestItems": {"t": {"Keys": [
            {"pk": {"S": "p"}, "sk": {"S": "s"}}, {"pk": {"S": "p"}, "sk": {"S": "absent"}}]}}});
        assert_eq!(
            call(&mut items, "BatchGetItem", &get).1["Responses"]["t"],
            json!([item("2")])
        );
        assert_eq!(call(&mut items, "UpdateItem", &get).0, 400);
        let other = json!({"Item": item("3"), "ConditionExpression": "version < :v"});
        assert_eq!(call(&mut items, "PutItem", &other).0, 400);
    }
}
