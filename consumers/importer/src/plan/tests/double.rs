//! A backup in memory, and a pool that only refuses: planning reads the one and changes nothing in the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    item::{GroupItem, Key, UserItem},
    marks::Part,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Backup, Document, Page, RawPool, ReadPool, Refusal, WritePool, Written},
    time::Timestamp,
    user::Factors,
};

/// What the table holds.
#[derive(Clone, Default)]
pub(super) struct Held {
    pub(super) users: Vec<UserItem>,
    pub(super) groups: Vec<GroupItem>,
    pub(super) documents: Vec<Document>,
    pub(super) marks: Vec<(Part, Timestamp)>,
}

impl Backup for Held {
    async fn users(&self, _: &str, _: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        unreachable!("a plan scans")
    }

    async fn user_versions(&self, _: &str, _: &Sub) -> Result<Vec<UserItem>, Error> {
        Ok(Vec::new())
    }

    async fn put_user(&self, _: &UserItem, _: Option<&UserItem>) -> Result<Written, Error> {
        unreachable!("a plan writes nothing")
    }

    async fn users_in(&self, partition: &str, _: &str, _: Option<&str>) -> Result<Page<UserItem>, Error> {
        let entries = self.users.iter().filter(|item| item.key.pk == partition).cloned();
        Ok(Page {
            entries: entries.collect(),
            token: None,
        })
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupItem>, Error> {
        unreachable!("a plan reads all groups")
    }

    async fn groups(&self, _: &str) -> Result<Vec<GroupItem>, Error> {
        Ok(self.groups.clone())
    }

    async fn put_group(&self, _: &GroupItem, _: Option<u64>) -> Result<Written, Error> {
        unreachable!("a plan writes nothing")
    }

    async fn mark(&self, _: &str, _: Part, _: Timestamp, _: &str) -> Result<Written, Error> {
        unreachable!("a plan writes nothing")
    }

    async fn marks(&self, _: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        Ok(self.marks.clone())
    }

    async fn clear_mark(&self, _: &str, _: Part, _: Timestamp) -> Result<Written, Error> {
        unreachable!("a plan writes nothing")
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        Ok(self.documents.iter().find(|document| document.key == *key).cloned())
    }

    async fn put_document(&self, _: &Document, _: Option<u64>) -> Result<Written, Error> {
        unreachable!("a plan writes nothing")
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        let found = self.documents.iter();
        let found = found.filter(|document| document.key.pk == pk && document.key.sk.starts_with(sk_prefix));
        Ok(found.cloned().collect())
    }

    async fn remove_documents(&self, _: &[Key]) -> Result<(), Error> {
        unreachable!("a plan writes nothing")
    }
}

/// A Region without pools. Of `denied` operations IAM says so first.
#[derive(Clone, Default)]
pub(crate) struct Empty {
    pub(super) denied: BTreeSet<&'static str>,
    /// What was asked for, and about which pool.
    pub(super) asked: Arc<Mutex<BTreeMap<String, String>>>,
    /// Tags of the one pool that is there all the same.
    pub(super) tags: Value,
    /// Pools that a drill made, by their ids.
    pub(crate) pools: Arc<Mutex<BTreeMap<String, Value>>>,
    /// How often these are not listed yet.
    pub(crate) lag: Arc<AtomicUsize>,
    /// Inputs of `UpdateUserPool`.
    pub(crate) updates: Arc<Mutex<Vec<Value>>>,
    /// Who is in it.
    pub(super) people: Vec<(Sub, UserRead)>,
}

impl WritePool for Empty {
    async fn change(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        let pool = input["UserPoolId"].as_str().unwrap_or_default().to_owned();
        if self.pools.lock().expect("no panic").contains_key(&pool) {
            match operation {
                "UpdateUserPool" => self.updates.lock().expect("no panic").push(input),
                "DeleteUserPool" => drop(self.pools.lock().expect("no panic").remove(&pool)),
                other => panic!("{other} is not asked for"),
            }
            return Ok(Value::Null);
        }
        self.asked.lock().expect("no panic").insert(operation.to_owned(), pool);
        Err(if self.denied.contains(operation) {
            Refusal::Failed(Error::new(ErrorKind::Denied, "AccessDeniedException"))
        } else {
            Refusal::Refused("ResourceNotFoundException".to_owned())
        })
    }
}

impl RawPool for Empty {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        let pools = self.pools.lock().expect("no panic");
        if operation == "ListUserPools" {
            let late = self.lag.fetch_update(SeqCst, SeqCst, |lag| lag.checked_sub(1)).is_ok();
            let pools: Vec<&Value> = pools.values().filter(|_| !late).collect();
            return Ok(json!({"UserPools": pools}));
        }
        assert_eq!(operation, "DescribeUserPool", "the plan of a new pool asks no pool");
        if let Some(shown) = pools.get(input["UserPoolId"].as_str().unwrap_or_default()) {
            return Ok(json!({"UserPool": shown}));
        }
        Ok(json!({"UserPool": {"UserPoolTags": self.tags}}))
    }
}

impl ReadPool for Empty {
    async fn find_user(&self, _: &str, _: &Sub) -> Result<Option<UserRead>, Error> {
        unreachable!()
    }

    async fn groups_of(&self, _: &str, _: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        unreachable!()
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupSettings>, Error> {
        unreachable!()
    }

    async fn factors_of(&self, _: &str, _: &Personal) -> Result<Option<Factors>, Error> {
        unreachable!()
    }

    async fn clients_of(&self, _: &str) -> Result<Vec<String>, Error> {
        unreachable!()
    }

    async fn users_page(&self, _: &str, _: Option<&str>, token: Option<&str>) -> Result<Page<(Sub, UserRead)>, Error> {
        // The first page is empty, as pages may be.
        Ok(match token {
            None => Page {
                entries: Vec::new(),
                token: Some("second".to_owned()),
            },
            Some(_) => Page {
                entries: self.people.clone(),
                token: None,
            },
        })
    }

    async fn members_page(&self, _: &str, _: &str, _: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        unreachable!()
    }

    async fn groups_page(&self, _: &str, _: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        unreachable!()
    }

    async fn estimated_users(&self, _: &str) -> Result<u64, Error> {
        unreachable!()
    }
}
