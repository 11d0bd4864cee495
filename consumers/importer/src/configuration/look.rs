//! Looking for what an attempt without an answer may have made, by its marker.
//!
//! The marker of a pool is the tag [`PLAN_TAG`]; of a client its name, secret and settings, unless it is known as another one;
//! of anything else its natural key.
//!
//! Invariant: reads only. Of two that could be meant, none is taken.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        configure::{ADD_ATTRIBUTES, CREATE_CLIENT, CREATE_GROUP, Step},
        patch::same_client,
        plan::PLAN_TAG,
    },
    port::{RawPool, ReadPool},
};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It is not there.
    Absent,
    /// It is there.
    There,
    /// The client is there, with this id.
    Client(String),
    /// The step makes nothing: what it sets ends as it is set, however often.
    Set,
}

/// Looks for what `step` makes in `pool`.
pub(super) async fn look<P: ReadPool + RawPool>(
    reader: &P,
    pool: &str,
    clients: &BTreeMap<String, String>,
    step: &Step,
) -> Result<Look, Error> {
    let about = |member: &str| json!({"UserPoolId": pool, member: step.subject});
    let shown = match step.operation {
        CREATE_CLIENT => return client(reader, pool, clients, step).await,
        CREATE_GROUP => reader.group(pool, &step.subject).await?.is_some(),
        ADD_ATTRIBUTES => has_attributes(reader, pool, step).await?,
        "CreateUserPoolDomain" => {
            let domain = shown(reader, "DescribeUserPoolDomain", json!({"Domain": step.subject})).await?;
            domain.is_some_and(|domain| domain["DomainDescription"]["UserPoolId"] == pool)
        }
        "CreateResourceServer" => is_shown(reader, "DescribeResourceServer", about("Identifier")).await?,
        "CreateIdentityProvider" => is_shown(reader, "DescribeIdentityProvider", about("ProviderName")).await?,
        "CreateManagedLoginBranding" => {
            let operation = "DescribeManagedLoginBrandingByClient";
            is_shown(reader, operation, about_client(pool, clients, step)).await?
        }
        "CreateTerms" => has_terms(reader, pool, clients, step).await?,
        _ => return Ok(Look::Set),
    };
    Ok(if shown { Look::There } else { Look::Absent })
}

/// The pool that `plan` made under `name`.
///
/// # Errors
/// `Unmet` for two of them, with both ids; else as Cognito answers.
pub(super) async fn made_by<P: RawPool>(reader: &P, plan: &str, name: &str) -> Result<Option<String>, Error> {
    let pools = listed(reader, "ListUserPools", json!({"MaxResults": 60}), "UserPools").await?;
    let mut made = Vec::new();
    for pool in pools.iter().filter(|pool| pool["Name"] == name) {
        let Some(id) = pool["Id"].as_str() else { continue };
        let described = shown(reader, "DescribeUserPool", json!({"UserPoolId": id})).await?;
        if described.is_some_and(|described| described["UserPool"]["UserPoolTags"][PLAN_TAG] == plan) {
            made.push(id.to_owned());
        }
    }
    only("user pools of this plan", made)
}

/// The only one of `ids`.
fn only(what: &str, mut ids: Vec<String>) -> Result<Option<String>, Error> {
    let one = ids.pop();
    if ids.is_empty() {
        return Ok(one);
    }
    ids.extend(one);
    let what = format!(
        "the target has {} {what}: {}; delete all but one, and do it again",
        ids.len(),
        ids.join(" and ")
    );
    Err(Error::new(ErrorKind::Unmet, what))
}

async fn client<P: RawPool>(
    reader: &P,
    pool: &str,
    clients: &BTreeMap<String, String>,
    step: &Step,
) -> Result<Look, Error> {
    let input = json!({"UserPoolId": pool, "MaxResults": 60});
    let listed = listed(reader, "ListUserPoolClients", input, "UserPoolClients").await?;
    let name = &step.input.expose()["ClientName"];
    let mut made = Vec::new();
    for entry in listed.iter().filter(|entry| entry["ClientName"] == *name) {
        let Some(id) = entry["ClientId"]
            .as_str()
            .filter(|id| !clients.values().any(|known| known == id))
        else {
            continue;
        };
        let input = json!({"UserPoolId": pool, "ClientId": id});
        let described = shown(reader, "DescribeUserPoolClient", input).await?;
        if described.is_some_and(|described| same_client(step.input.expose(), &described["UserPoolClient"])) {
            made.push(id.to_owned());
        }
    }
    let made = only(&format!("app clients that could be {}", step.subject), made)?;
    Ok(made.map_or(Look::Absent, Look::Client))
}

async fn has_attributes<P: RawPool>(reader: &P, pool: &str, step: &Step) -> Result<bool, Error> {
    let described = shown(reader, "DescribeUserPool", json!({"UserPoolId": pool}))
        .await?
        .unwrap_or_default();
    let schema = described["UserPool"]["SchemaAttributes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let has = |entry: &Value| {
        // A developer-only attribute is shown with one prefix more.
        let prefix = if entry["DeveloperOnlyAttribute"] == true {
            "dev:custom:"
        } else {
            "custom:"
        };
        let name = entry["Name"].as_str().map(|name| format!("{prefix}{name}"));
        schema
            .iter()
            .any(|attribute| attribute["Name"].as_str() == name.as_deref())
    };
    let added = step.input.expose()["CustomAttributes"].as_array();
    Ok(added.is_some_and(|added| added.iter().all(has)))
}

async fn has_terms<P: RawPool>(
    reader: &P,
    pool: &str,
    clients: &BTreeMap<String, String>,
    step: &Step,
) -> Result<bool, Error> {
    let of_client = &about_client(pool, clients, step)["ClientId"];
    let input = json!({"UserPoolId": pool, "MaxResults": 60});
    let listed = listed(reader, "ListTerms", input, "Terms").await?;
    for entry in listed
        .iter()
        .filter(|entry| entry["TermsName"] == step.subject.as_str())
    {
        let input = json!({"UserPoolId": pool, "TermsId": entry["TermsId"]});
        let described = shown(reader, "DescribeTerms", input).await?;
        if described.is_some_and(|described| described["Terms"]["ClientId"] == *of_client) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn about_client(pool: &str, clients: &BTreeMap<String, String>, step: &Step) -> Value {
    let client = step.client.as_ref().and_then(|old| clients.get(old));
    json!({"UserPoolId": pool, "ClientId": client})
}

async fn is_shown<P: RawPool>(reader: &P, operation: &str, input: Value) -> Result<bool, Error> {
    Ok(shown(reader, operation, input).await?.is_some())
}

/// What the operation shows; `None` when there is nothing.
async fn shown<P: RawPool>(reader: &P, operation: &str, input: Value) -> Result<Option<Value>, Error> {
    match reader.call(operation, input).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// All entries of a list, page by page.
async fn listed<P: RawPool>(reader: &P, operation: &str, mut input: Value, member: &str) -> Result<Vec<Value>, Error> {
    let mut entries = Vec::new();
    loop {
        let mut page = reader.call(operation, input.clone()).await?;
        if let Value::Array(more) = page[member].take() {
            entries.extend(more);
        }
        match page["NextToken"].take() {
            Value::Null => return Ok(entries),
            token => input["NextToken"] = token,
        }
    }
}
