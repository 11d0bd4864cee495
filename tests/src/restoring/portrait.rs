//! A pool as Cognito and the local cloud show it, in a form in which a pool and its copy can be compared.
//!
//! Invariant: it reads past the product, and bills nobody: users are looked at through the local cloud's control endpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use twinpool_shared::import::ORIGINAL_SUB;

use crate::stand_ins::Cognito;

/// A user, without what a copy cannot share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// `sub` in the pool that was looked at.
    pub sub: String,
    /// User name there.
    pub username: String,
    /// Attributes but `sub`, `identities` and the marker.
    pub attributes: BTreeMap<String, String>,
    /// `UserStatus`.
    pub status: String,
    /// Whether the user may sign in.
    pub enabled: bool,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// Outside identities: provider and id there.
    pub identities: BTreeSet<(String, String)>,
    /// Factors, the preferred one first.
    pub factors: (Option<String>, BTreeSet<String>),
}

/// A pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Portrait {
    /// Users by their first `sub`: the marker where there is one, else the `sub`.
    pub users: BTreeMap<String, Face>,
    /// Users of one first `sub` beyond the first: there must be none.
    pub doubles: Vec<String>,
    /// Groups, without dates.
    pub groups: BTreeMap<String, Value>,
    /// Everything else, by operation and name, without ids and dates.
    pub settings: BTreeMap<String, Value>,
    /// App clients: name to id.
    pub clients: BTreeMap<String, String>,
    /// App clients: name to secret.
    pub secrets: BTreeMap<String, String>,
}

/// Members of which a copy has its own.
const OWN: [&str; 15] = [
    "Id",
    "Arn",
    "UserPoolId",
    "ClientId",
    "ClientSecret",
    "CreationDate",
    "LastModifiedDate",
    "EstimatedNumberOfUsers",
    "AWSAccountId",
    "CloudFrontDistribution",
    "S3Bucket",
    "Version",
    "ManagedLoginBrandingId",
    "TermsId",
    "CSSVersion",
];

impl Portrait {
    /// Reads a pool.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn of(cognito: &Cognito, pool: &str) -> Self {
        let mut portrait = Self::default();
        portrait.read_users(cognito, pool).await;
        for mut group in list(cognito, "ListGroups", pool, "Groups", "NextToken").await {
            let name = group["GroupName"].as_str().expect("a name").to_owned();
            strip(&mut group);
            portrait.groups.insert(name, group);
        }
        portrait.read_settings(cognito, pool).await;
        portrait
    }

    async fn read_users(&mut self, cognito: &Cognito, pool: &str) {
        for user in list(cognito, "ListUsers", pool, "Users", "PaginationToken").await {
            let attributes = attributes(&user["Attributes"]);
            let shown = cognito
                .look(&format!("/_localcloud/user?pool={pool}&sub={}", attributes["sub"]))
                .await;
            let face = face(&shown);
            let first = attributes.get(ORIGINAL_SUB).unwrap_or(&face.sub).clone();
            if self.users.insert(first.clone(), face).is_some() {
                self.doubles.push(first);
            }
        }
    }

    async fn read_settings(&mut self, cognito: &Cognito, pool: &str) {
        let of_pool = json!({"UserPoolId": pool});
        let mut described = cognito.must("DescribeUserPool", of_pool.clone()).await["UserPool"].take();
        // A plan may give it another name.
        described["Name"] = Value::Null;
        let domains: Vec<Value> = ["Domain", "CustomDomain"]
            .iter()
            .map(|name| described[*name].clone())
            .collect();
        for domain in domains.iter().filter(|domain| domain.is_string()) {
            let found = cognito.must("DescribeUserPoolDomain", json!({"Domain": domain})).await;
            self.set("domain", domain, found["DomainDescription"].clone());
        }
        self.set("pool", &json!(""), described);
        for operation in [
            "GetUserPoolMfaConfig",
            "GetLogDeliveryConfiguration",
            "GetUserPoolSessionConfiguration",
            "GetUICustomization",
            "DescribeRiskConfiguration",
        ] {
            // What a pool does not have is refused by some of these.
            if let Ok(answer) = cognito.call(operation, of_pool.clone()).await {
                self.set(operation, &json!(""), answer);
            }
        }
        for (listed, member, described, name) in [
            (
                "ListIdentityProviders",
                "Providers",
                "DescribeIdentityProvider",
                "ProviderName",
            ),
            (
                "ListResourceServers",
                "ResourceServers",
                "DescribeResourceServer",
                "Identifier",
            ),
        ] {
            for one in list(cognito, listed, pool, member, "NextToken").await {
                let answer = cognito
                    .must(described, json!({"UserPoolId": pool, name: one[name]}))
                    .await;
                self.set(described, &one[name], answer);
            }
        }
        for client in list(cognito, "ListUserPoolClients", pool, "UserPoolClients", "NextToken").await {
            self.read_client(cognito, json!({"UserPoolId": pool, "ClientId": client["ClientId"]}))
                .await;
        }
        for terms in list(cognito, "ListTerms", pool, "Terms", "NextToken").await {
            let answer = cognito
                .must(
                    "DescribeTerms",
                    json!({"UserPoolId": pool, "TermsId": terms["TermsId"]}),
                )
                .await;
            let client = self.name_of(&answer["Terms"]["ClientId"]);
            let name = format!("{client}/{}", answer["Terms"]["TermsName"]);
            self.set("terms", &json!(name), answer["Terms"].clone());
        }
    }

    async fn read_client(&mut self, cognito: &Cognito, named: Value) {
        let client = cognito.must("DescribeUserPoolClient", named.clone()).await["UserPoolClient"].take();
        let name = client["ClientName"].as_str().expect("a name").to_owned();
        let id = client["ClientId"].as_str().expect("an id").to_owned();
        self.clients.insert(name.clone(), id);
        if let Some(secret) = client["ClientSecret"].as_str() {
            self.secrets.insert(name.clone(), secret.to_owned());
        }
        // Two clients may have the same name.
        let called = format!("{name} {}", client["AuthSessionValidity"]);
        self.set("client", &json!(called), client);
        for operation in [
            "DescribeManagedLoginBrandingByClient",
            "DescribeRiskConfiguration",
            "GetUserPoolClientSessionConfiguration",
            "GetUICustomization",
        ] {
            if let Ok(answer) = cognito.call(operation, named.clone()).await {
                self.set(&format!("{operation} of client"), &json!(name), answer);
            }
        }
    }

    fn name_of(&self, client: &Value) -> String {
        let mut names = self.clients.iter().filter(|(_, id)| json!(id) == *client);
        names.next().map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn set(&mut self, kind: &str, name: &Value, mut value: Value) {
        strip(&mut value);
        sort(&mut value);
        let name = name.as_str().unwrap_or_default();
        self.settings
            .insert(format!("{kind} {name}").trim_end().to_owned(), value);
    }

    /// The user of this name.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn named(&self, username: &str) -> &Face {
        let found = self.users.values().find(|face| face.username == username);
        found.unwrap_or_else(|| panic!("there is no user of this name"))
    }
}

/// Every entry of a list.
async fn list(cognito: &Cognito, operation: &str, pool: &str, member: &str, token: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut next = Value::Null;
    loop {
        let mut input = json!({"UserPoolId": pool});
        let size = if ["ListUsers", "ListGroups"].contains(&operation) {
            "Limit"
        } else {
            "MaxResults"
        };
        input[size] = json!(50);
        if !next.is_null() {
            input[token] = next;
        }
        let mut page = cognito.must(operation, input).await;
        entries.extend(page[member].as_array().cloned().unwrap_or_default());
        next = page[token].take();
        if next.is_null() {
            return entries;
        }
    }
}

fn attributes(list: &Value) -> BTreeMap<String, String> {
    let list = list.as_array().into_iter().flatten();
    let pair = |one: &Value| Some((one["Name"].as_str()?.to_owned(), one["Value"].as_str()?.to_owned()));
    list.filter_map(pair).collect()
}

fn face(shown: &Value) -> Face {
    let mut attributes = attributes(&shown["UserAttributes"]);
    let sub = attributes.remove("sub").expect("a sub");
    attributes.remove("identities");
    attributes.remove(ORIGINAL_SUB);
    let texts = |list: &Value| -> BTreeSet<String> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let identities = shown["Identities"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Face {
        sub,
        username: text(&shown["Username"]),
        attributes,
        status: text(&shown["UserStatus"]),
        enabled: shown["Enabled"] == json!(true),
        groups: texts(&shown["Groups"]),
        identities: identities
            .map(|one| (text(&one["providerName"]), text(&one["userId"])))
            .collect(),
        factors: (
            shown["PreferredMfaSetting"].as_str().map(str::to_owned),
            texts(&shown["UserMFASettingList"]),
        ),
    }
}

/// Takes away the members of which a copy has its own, wherever they are.
fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let kept = std::mem::take(members).into_iter();
            *members = kept
                .filter(|(name, _)| !OWN.contains(&name.as_str()))
                .collect::<Map<_, _>>();
            members.remove("twinpool:plan");
            members.values_mut().for_each(strip);
        }
        Value::Array(entries) => entries.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Orders a schema by name, as a copy may list it in another order.
fn sort(value: &mut Value) {
    if let Some(schema) = value.get_mut("SchemaAttributes").and_then(Value::as_array_mut) {
        schema.retain(|attribute| attribute["Name"] != ORIGINAL_SUB);
        schema.sort_by_key(|attribute| attribute["Name"].as_str().unwrap_or_default().to_owned());
    }
}
