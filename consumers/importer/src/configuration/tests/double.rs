//! A Cognito with one account, and a table of documents.
//!
//! Invariant: decides nothing but what Cognito decides: ids, and that some keys are there only once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    import::configure::Wanted,
    item::{GroupItem, Key, SCHEMA_VERSION, UserItem},
    marks::Part,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Backup, Document, Page, RawPool, ReadPool, Refusal, WritePool, Written},
    run::Lease,
    time::Timestamp,
    user::Factors,
};

use crate::configuration::Configured;

/// What happens to a changing call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// Its answer is lost.
    Lost {
        /// Whether it was carried out.
        is_carried_out: bool,
    },
    /// The process ends there.
    Cut {
        /// Whether it was carried out.
        is_carried_out: bool,
    },
    /// Cognito refuses it.
    Refused(&'static str),
}

#[derive(Default)]
struct Account {
    /// Pieces by pool, operation that makes or sets them, and natural key.
    pieces: BTreeMap<(String, String, String), Value>,
    schema: Value,
    changes: Vec<String>,
    troubles: BTreeMap<usize, Trouble>,
    /// How often lists still show nothing after the next trouble.
    lag: usize,
    ids: u32,
    /// Called with the number of each changing call, once it is carried out.
    after: Option<Box<dyn Fn(usize) + Send>>,
}

/// Cognito in one account and Region.
#[derive(Clone, Default)]
pub(super) struct Cognito(Arc<Mutex<Account>>);

fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_default().to_owned()
}

fn not_found(operation: &str) -> Error {
    let what = format!("cognito-idp:{operation} on the pool failed with ResourceNotFoundException");
    Error::new(ErrorKind::NotFound, what)
}

impl Account {
    fn change(&mut self, operation: &str, mut input: Value) -> Result<Value, Refusal> {
        self.ids += 1;
        let id = format!("id{}", self.ids);
        let pool = text(&input, "UserPoolId");
        let (operation, key) = match operation {
            "CreateUserPool" => {
                input["Id"] = json!(id);
                input["Name"] = input["PoolName"].take();
                input["SchemaAttributes"] = self.schema.clone();
                input["LambdaConfig"] = json!({});
                input["MfaConfiguration"] = json!("OFF");
                let made = json!({"UserPool": {"Id": id}});
                self.pieces.insert((id, operation.to_owned(), String::new()), input);
                return Ok(made);
            }
            "UpdateUserPool" => {
                let pool = self
                    .pieces
                    .get_mut(&(pool, "CreateUserPool".to_owned(), String::new()))
                    .unwrap();
                pool.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
                return Ok(json!({}));
            }
            "UpdateUserPoolClient" => {
                let id = text(&input, "ClientId");
                let client = self
                    .pieces
                    .get_mut(&(pool, "CreateUserPoolClient".to_owned(), id))
                    .unwrap();
                // What is not said again goes back to its default; a secret stays.
                input["ClientSecret"] = client["ClientSecret"].clone();
                *client = input;
                return Ok(json!({}));
            }
            "CreateUserPoolClient" => {
                input["ClientId"] = json!(id);
                self.pieces.insert((pool, operation.to_owned(), id.clone()), input);
                return Ok(json!({"UserPoolClient": {"ClientId": id}}));
            }
            "CreateTerms" => {
                let key = format!("{} {}", text(&input, "ClientId"), text(&input, "TermsName"));
                input["TermsId"] = json!(key);
                (operation, key)
            }
            "CreateManagedLoginBranding" => {
                input["ManagedLoginBrandingId"] = json!(id);
                (operation, text(&input, "ClientId"))
            }
            "CreateUserPoolDomain" => (operation, text(&input, "Domain")),
            "CreateResourceServer" => (operation, text(&input, "Identifier")),
            "CreateIdentityProvider" => (operation, text(&input, "ProviderName")),
            "CreateGroup" => (operation, text(&input, "GroupName")),
            set => {
                assert!(set.starts_with("Set"), "the double has no {set}");
                (set, text(&input, "ClientId"))
            }
        };
        let before = self.pieces.insert((pool, operation.to_owned(), key), input);
        assert!(before.is_none() || operation.starts_with("Set"), "{operation} twice");
        Ok(json!({}))
    }

    fn of<'a>(&'a self, pool: &'a str, operation: &'a str) -> impl Iterator<Item = &'a Value> {
        let all = self.pieces.iter();
        all.filter(move |((of, made_by, _), _)| of == pool && made_by == operation)
            .map(|(_, piece)| piece)
    }

    fn show(&self, operation: &str, input: &Value) -> Result<Value, Error> {
        let pool = text(input, "UserPoolId");
        let one = |made_by: &str, key: &str| {
            let piece = self.pieces.get(&(pool.clone(), made_by.to_owned(), text(input, key)));
            piece.cloned().ok_or_else(|| not_found(operation))
        };
        let list = |made_by: &str| self.of(&pool, made_by).cloned().collect::<Vec<_>>();
        let domains = list("CreateUserPoolDomain");
        Ok(match operation {
            "ListUserPools" => {
                let pools = self
                    .pieces
                    .iter()
                    .filter(|((_, made_by, _), _)| made_by == "CreateUserPool");
                json!({"UserPools": pools.map(|(_, pool)| pool.clone()).collect::<Vec<_>>()})
            }
            "DescribeUserPool" => {
                let mut shown = one("CreateUserPool", "")?;
                if let Some(domain) = domains.first() {
                    shown["Domain"] = domain["Domain"].clone();
                }
                json!({"UserPool": shown})
            }
            "GetUserPoolMfaConfig" => {
                one("SetUserPoolMfaConfig", "ClientId").unwrap_or_else(|_| json!({"MfaConfiguration": "OFF"}))
            }
            "GetLogDeliveryConfiguration" => {
                json!({"LogDeliveryConfiguration": one("SetLogDeliveryConfiguration", "ClientId")?})
            }
            "GetUserPoolSessionConfiguration" => one("SetUserPoolSessionConfiguration", "ClientId")?,
            "GetUserPoolClientSessionConfiguration" => one("SetUserPoolClientSessionConfiguration", "ClientId")?,
            "GetUICustomization" => json!({"UICustomization": one("SetUICustomization", "ClientId")?}),
            "DescribeRiskConfiguration" => json!({"RiskConfiguration": one("SetRiskConfiguration", "ClientId")?}),
            "DescribeManagedLoginBrandingByClient" => {
                json!({"ManagedLoginBranding": one("CreateManagedLoginBranding", "ClientId")?})
            }
            "DescribeUserPoolDomain" => {
                let domain = self
                    .pieces
                    .iter()
                    .find(|((_, made_by, key), _)| made_by == "CreateUserPoolDomain" && *key == text(input, "Domain"));
                json!({"DomainDescription": domain.map_or_else(|| json!({}), |(_, domain)| domain.clone())})
            }
            "ListIdentityProviders" => json!({"Providers": list("CreateIdentityProvider")}),
            "DescribeIdentityProvider" => json!({"IdentityProvider": one("CreateIdentityProvider", "ProviderName")?}),
            "ListResourceServers" => json!({"ResourceServers": list("CreateResourceServer")}),
            "DescribeResourceServer" => json!({"ResourceServer": one("CreateResourceServer", "Identifier")?}),
            "ListTerms" => json!({"Terms": list("CreateTerms")}),
            "DescribeTerms" => json!({"Terms": one("CreateTerms", "TermsId")?}),
            "ListUserPoolClients" => json!({"UserPoolClients": list("CreateUserPoolClient")}),
            "DescribeUserPoolClient" => json!({"UserPoolClient": one("CreateUserPoolClient", "ClientId")?}),
            "ListUserPoolClientSecrets" => json!({"ClientSecrets": []}),
            other => panic!("the double has no {other}"),
        })
    }
}

impl Cognito {
    /// A Cognito whose pools have the schema that is wanted.
    pub(super) fn new(wanted: &Wanted) -> Self {
        let cognito = Self::default();
        cognito.account().schema = wanted.pool.expose()["SchemaAttributes"].clone();
        cognito
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Troubles the changing call of this number.
    pub(super) fn trouble(&self, number: usize, trouble: Trouble) {
        self.account().troubles.insert(number, trouble);
    }

    /// Has `after` called with the number of each changing call, once it is carried out.
    pub(super) fn after(&self, after: impl Fn(usize) + Send + 'static) {
        self.account().after = Some(Box::new(after));
    }

    pub(super) fn client(&self, pool: &str, id: &str) -> Value {
        let account = self.account();
        let client = account
            .of(pool, "CreateUserPoolClient")
            .find(|client| client["ClientId"] == id);
        client.unwrap().clone()
    }

    /// Pools and clients are listed as if there were none, so many times after a trouble.
    pub(super) fn lag(&self, times: usize) {
        self.account().lag = times;
    }

    /// The changing calls, in their order.
    pub(super) fn changes(&self) -> Vec<String> {
        self.account().changes.clone()
    }

    pub(super) fn pool(&self, id: &str) -> Value {
        self.account().of(id, "CreateUserPool").next().unwrap().clone()
    }

    /// Every piece of every pool, with the ids that differ from run to run replaced by what they stand for.
    pub(super) fn shape(&self, configured: &Configured) -> BTreeMap<String, Value> {
        let account = self.account();
        let named = |text: &str| {
            let mut text = text.replace(&format!("\"{}\"", configured.pool), "\"POOL\"");
            for (old, new) in &configured.clients {
                text = text
                    .replace(&format!("\"{new}\""), &format!("\"{old}\""))
                    .replace(&format!("\"{new} "), &format!("\"{old} "));
            }
            text
        };
        let pieces = account.pieces.iter().map(|((pool, made_by, key), piece)| {
            let mut piece = piece.clone();
            if let Value::Object(members) = &mut piece {
                members.remove("ManagedLoginBrandingId");
            }
            let piece = serde_json::from_str(&named(&piece.to_string())).unwrap();
            (named(&json!([pool, made_by, key]).to_string()), piece)
        });
        pieces.collect()
    }
}

impl RawPool for Cognito {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        let mut account = self.account();
        let is_troubled = account.troubles.keys().any(|number| *number < account.changes.len());
        if is_troubled && account.lag > 0 && ["ListUserPools", "ListUserPoolClients"].contains(&operation) {
            account.lag -= 1;
            return Ok(json!({}));
        }
        account.show(operation, &input)
    }
}

impl WritePool for Cognito {
    async fn change(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        let mut account = self.account();
        let trouble = account.changes.len();
        let trouble = account.troubles.get(&trouble).copied();
        account.changes.push(operation.to_owned());
        let error = || Error::new(ErrorKind::Unavailable, format!("cognito-idp:{operation} timed out"));
        match trouble {
            None => {
                let answer = account.change(operation, input);
                let number = account.changes.len() - 1;
                if let Some(after) = &account.after {
                    after(number);
                }
                answer
            }
            Some(Trouble::Refused(code)) => Err(Refusal::Refused(code.to_owned())),
            Some(Trouble::Lost { is_carried_out } | Trouble::Cut { is_carried_out }) => {
                if is_carried_out {
                    account.change(operation, input)?;
                }
                Err(match trouble {
                    Some(Trouble::Lost { .. }) => Refusal::Doubtful(error()),
                    _ => Refusal::Failed(error()),
                })
            }
        }
    }
}

impl ReadPool for Cognito {
    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupSettings>, Error> {
        let page = self.groups_page(pool, None).await?;
        Ok(page
            .entries
            .into_iter()
            .find(|(group, _)| group == name)
            .map(|(_, settings)| settings))
    }

    async fn groups_page(&self, pool: &str, _: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        let account = self.account();
        let groups = account.of(pool, "CreateGroup").map(|group| {
            let settings = GroupSettings {
                description: None,
                precedence: None,
                role_arn: None,
                created: Timestamp::from_millis(0),
                modified: Timestamp::from_millis(0),
            };
            (text(group, "GroupName"), settings)
        });
        Ok(Page {
            entries: groups.collect(),
            token: None,
        })
    }

    async fn find_user(&self, _: &str, _: &Sub) -> Result<Option<UserRead>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn groups_of(&self, _: &str, _: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn factors_of(&self, _: &str, _: &Personal) -> Result<Option<Factors>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn clients_of(&self, _: &str) -> Result<Vec<String>, Error> {
        unreachable!("clients are read in raw JSON")
    }

    async fn users_page(&self, _: &str, _: Option<&str>, _: Option<&str>) -> Result<Page<(Sub, UserRead)>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn members_page(&self, _: &str, _: &str, _: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn estimated_users(&self, _: &str) -> Result<u64, Error> {
        unreachable!("the configuration has no users")
    }
}

/// A table of documents.
#[derive(Clone, Default)]
pub(super) struct Table(Arc<Mutex<Documents>>);

#[derive(Default)]
struct Documents {
    documents: BTreeMap<Key, Document>,
    writes: usize,
    failing: Option<usize>,
}

impl Table {
    /// `owner` holds the lease `key`, until further notice.
    pub(super) fn hold(&self, key: Key, owner: &str) {
        let at = Timestamp::from_millis(0);
        let lease = Lease {
            owner: owner.to_owned(),
            since: at,
            until: Timestamp::from_millis(i64::MAX / 1_000),
        };
        let document = Document {
            key: key.clone(),
            schema_version: SCHEMA_VERSION,
            pool: String::new(),
            version: 1,
            written_at: at,
            expires_at: None,
            body: Personal::new(serde_json::to_string(&lease).unwrap()),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .documents
            .insert(key, document);
    }

    /// Somebody else writes the document `key` in this moment.
    pub(super) fn overtake(&self, key: &Key) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.documents.get_mut(key).unwrap().version += 1;
    }

    /// The write of this number fails, and was not made.
    pub(super) fn fail(&self, number: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failing = Some(number);
    }
}

impl Backup for Table {
    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        Ok(self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .documents
            .get(key)
            .cloned())
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.writes += 1;
        if table.failing == Some(table.writes - 1) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "dynamodb:PutItem on the table timed out",
            ));
        }
        if table.documents.get(&next.key).map(|there| there.version) != replaced {
            return Ok(Written::Conflict);
        }
        table.documents.insert(next.key.clone(), next.clone());
        Ok(Written::Stored)
    }

    async fn users(&self, _: &str, _: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn user_versions(&self, _: &str, _: &Sub) -> Result<Vec<UserItem>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn put_user(&self, _: &UserItem, _: Option<&UserItem>) -> Result<Written, Error> {
        unreachable!("an import writes no user")
    }

    async fn users_in(&self, _: &str, _: &str, _: Option<&str>) -> Result<Page<UserItem>, Error> {
        unreachable!("the configuration has no users")
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupItem>, Error> {
        unreachable!("groups are given")
    }

    async fn groups(&self, _: &str) -> Result<Vec<GroupItem>, Error> {
        unreachable!("groups are given")
    }

    async fn put_group(&self, _: &GroupItem, _: Option<u64>) -> Result<Written, Error> {
        unreachable!("an import writes no group")
    }

    async fn mark(&self, _: &str, _: Part, _: Timestamp, _: &str) -> Result<Written, Error> {
        unreachable!("an import sets no mark")
    }

    async fn marks(&self, _: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        unreachable!("an import reads no mark here")
    }

    async fn clear_mark(&self, _: &str, _: Part, _: Timestamp) -> Result<Written, Error> {
        unreachable!("an import clears no mark")
    }

    async fn documents(&self, _: &str, _: &str) -> Result<Vec<Document>, Error> {
        unreachable!("documents are read one by one")
    }

    async fn remove_documents(&self, _: &[Key]) -> Result<(), Error> {
        unreachable!("an import removes nothing")
    }
}
