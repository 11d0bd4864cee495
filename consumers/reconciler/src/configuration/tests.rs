//! A capture that is cut off at any write, or whose answer is lost, loses nothing and is made good by the next one.
//!
//! Invariant: each test has a table of its own.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use twinpool_shared::{
    item::{GroupItem, UserItem},
    personal::Sub,
    port::Page,
    snapshot::{Content, POOL_LEVEL, reading::at},
    time::Timestamp,
};

use super::*;

const POOL: &str = "eu-west-1_a";
const RETENTION_SECONDS: i64 = 35 * 86_400;
const IMAGE_BYTES: usize = 800_000;

fn day(day: i64) -> Timestamp {
    Timestamp::from_millis(1_795_392_000_000 + day * 86_400_000)
}

fn clock(at: i64) -> Clock {
    Arc::new(move || day(at))
}

/// A pool with one app client, whose style has a large image.
#[derive(Clone)]
struct Pool {
    image: char,
    denied: Option<&'static str>,
}

impl Pool {
    fn with(image: char) -> Self {
        Self { image, denied: None }
    }

    fn style(&self) -> Value {
        json!({"Assets": [{"Bytes": self.image.to_string().repeat(IMAGE_BYTES)}]})
    }

    fn answer(&self, operation: &str) -> Option<Value> {
        Some(match operation {
            "DescribeUserPool" => json!({"UserPool": {"Id": POOL, "Arn": "arn", "Domain": "login"}}),
            "GetUserPoolMfaConfig" => json!({"MfaConfiguration": self.image.to_string()}),
            "DescribeUserPoolDomain" => json!({"DomainDescription": {"UserPoolId": POOL, "ManagedLoginVersion": 2}}),
            "ListTagsForResource" => json!({"Tags": {}}),
            "ListUserPoolReplicas" => json!({"UserPoolReplicas": []}),
            "ListIdentityProviders" => json!({"Providers": []}),
            "ListResourceServers" => json!({"ResourceServers": []}),
            "ListTerms" => json!({"Terms": []}),
            "ListUserPoolClients" => json!({"UserPoolClients": [{"ClientId": "c1"}]}),
            "DescribeUserPoolClient" => json!({"UserPoolClient": {"ClientId": "c1"}}),
            "DescribeManagedLoginBrandingByClient" => json!({"ManagedLoginBranding": self.style()}),
            _ => return None,
        })
    }
}

impl RawPool for Pool {
    async fn call(&self, operation: &str, _: Value) -> Result<Value, Error> {
        let refused = |kind, code: &str| {
            Err(Error::new(
                kind,
                format!("cognito-idp:{operation} on the pool failed with {code}"),
            ))
        };
        if self.denied == Some(operation) {
            return refused(ErrorKind::Denied, "AccessDeniedException");
        }
        match self.answer(operation) {
            Some(answer) => Ok(answer),
            None => refused(ErrorKind::NotFound, "ResourceNotFoundException"),
        }
    }
}

/// When the table's connection breaks: at this write, before or after it is made.
#[derive(Clone, Copy)]
struct Cut {
    at_write: usize,
    made: bool,
}

/// Documents and marks in memory.
#[derive(Default)]
struct Table {
    documents: Mutex<BTreeMap<Key, Document>>,
    marks: Mutex<BTreeMap<Part, Timestamp>>,
    writes: Mutex<usize>,
    cut: Mutex<Option<Cut>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn broken() -> Error {
    Error::new(ErrorKind::Unavailable, "dynamodb:PutItem on the table timed out")
}

impl Table {
    /// Writes since the last call.
    fn take_writes(&self) -> usize {
        std::mem::take(&mut *locked(&self.writes))
    }

    fn cut_at(&self, cut: Option<Cut>) {
        *locked(&self.cut) = cut;
        self.take_writes();
    }

    fn count(&self) -> usize {
        locked(&self.documents).len()
    }

    async fn style(&self, at_day: i64) -> Option<Content> {
        let mut configuration = at(self, POOL, day(at_day)).await.expect("readable");
        let held = configuration.members.remove(&(Part::Branding, "c1".to_owned()));
        held.map(|held| held.content)
    }
}

impl Backup for Table {
    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        Ok(locked(&self.documents).get(key).cloned())
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        let cut = *locked(&self.cut);
        let number = {
            let mut writes = locked(&self.writes);
            *writes += 1;
            *writes
        };
        let cut = cut.filter(|cut| cut.at_write == number);
        if cut.is_some_and(|cut| !cut.made) {
            return Err(broken());
        }
        let mut documents = locked(&self.documents);
        if documents.get(&next.key).map(|there| there.version) != replaced {
            return Ok(Written::Conflict);
        }
        documents.insert(next.key.clone(), next.clone());
        if cut.is_some() {
            Err(broken())
        } else {
            Ok(Written::Stored)
        }
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        let documents = locked(&self.documents);
        let found = documents
            .values()
            .filter(|document| document.key.pk == pk && document.key.sk.starts_with(sk_prefix));
        Ok(found.cloned().collect())
    }

    async fn mark(&self, _: &str, part: Part, at: Timestamp, _: &str) -> Result<Written, Error> {
        locked(&self.marks).insert(part, at);
        Ok(Written::Stored)
    }

    async fn marks(&self, _: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        Ok(locked(&self.marks).iter().map(|(part, at)| (*part, *at)).collect())
    }

    async fn clear_mark(&self, _: &str, part: Part, at: Timestamp) -> Result<Written, Error> {
        let mut marks = locked(&self.marks);
        if marks.get(&part) != Some(&at) {
            return Ok(Written::Conflict);
        }
        marks.remove(&part);
        Ok(Written::Stored)
    }

    async fn remove_documents(&self, _: &[Key]) -> Result<(), Error> {
        unreachable!("a capture removes nothing")
    }

    async fn users(&self, _: &str, _: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        unreachable!("a capture reads no user")
    }

    async fn user_versions(&self, _: &str, _: &Sub) -> Result<Vec<UserItem>, Error> {
        unreachable!("a capture reads no user")
    }

    async fn put_user(&self, _: &UserItem, _: Option<&UserItem>) -> Result<Written, Error> {
        unreachable!("a capture writes no user")
    }

    async fn users_in(&self, _: &str, _: &str, _: Option<&str>) -> Result<Page<UserItem>, Error> {
        unreachable!("a capture reads no user")
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupItem>, Error> {
        unreachable!("a capture reads no group")
    }

    async fn groups(&self, _: &str) -> Result<Vec<GroupItem>, Error> {
        unreachable!("a capture reads no group")
    }

    async fn put_group(&self, _: &GroupItem, _: Option<u64>) -> Result<Written, Error> {
        unreachable!("a capture writes no group")
    }
}

async fn captured(table: &Table, pool: &Pool, at_day: i64) -> Result<CaptureReport, Error> {
    capture(pool, table, &clock(at_day), POOL, RETENTION_SECONDS).await
}

#[tokio::test]
async fn the_second_capture_writes_nothing() {
    let (table, pool) = (Table::default(), Pool::with('A'));
    let report = captured(&table, &pool, 0).await.expect("a capture");
    assert!(report.incomplete.is_empty(), "{:?}", report.incomplete);
    assert_eq!(report.written[&Part::Branding], 1);
    assert_eq!(report.absent[&Part::Limits]["ResourceNotFoundException"], 6);
    let heads: u64 = report.written.values().sum();
    assert!(table.take_writes() as u64 > heads, "the image lies in pieces");
    let report = captured(&table, &pool, 1).await.expect("a capture");
    assert_eq!((report.written.len(), table.take_writes()), (0, 0));
}

#[tokio::test]
async fn a_capture_cut_off_at_any_write_is_made_good_by_the_next() {
    let undisturbed = Table::default();
    captured(&undisturbed, &Pool::with('A'), 0).await.expect("a capture");
    undisturbed.take_writes();
    captured(&undisturbed, &Pool::with('B'), 1).await.expect("a capture");
    let writes = undisturbed.take_writes();
    assert!(writes > 8, "pieces, versions, heads, ends: {writes}");

    for at_write in 1..=writes {
        for made in [false, true] {
            let table = Table::default();
            captured(&table, &Pool::with('A'), 0).await.expect("a capture");
            table.cut_at(Some(Cut { at_write, made }));
            let cut = captured(&table, &Pool::with('B'), 1).await.expect_err("cut off");
            assert_eq!(cut.kind, ErrorKind::Unavailable);
            let case = format!("write {at_write}, made: {made}");
            let between = table.style(1).await;
            assert!(
                [Pool::with('A'), Pool::with('B')]
                    .iter()
                    .any(|pool| between == content(pool)),
                "{case}: neither the old nor the new"
            );
            table.cut_at(None);
            captured(&table, &Pool::with('B'), 2).await.expect("a capture");
            assert_eq!(table.style(3).await, content(&Pool::with('B')), "{case}");
            assert_eq!(
                table.style(0).await,
                content(&Pool::with('A')),
                "{case}: the old content is in the history"
            );
            assert_eq!(table.count(), undisturbed.count(), "{case}: nothing is there twice");
            table.take_writes();
            captured(&table, &Pool::with('B'), 3).await.expect("a capture");
            assert_eq!(table.take_writes(), 0, "{case}");
        }
    }
}

fn content(pool: &Pool) -> Option<Content> {
    let answer = pool.answer("DescribeManagedLoginBrandingByClient")?;
    Some(Content::Json(twinpool_shared::snapshot::Json::new(
        answer.get("ManagedLoginBranding")?.clone(),
    )))
}

#[tokio::test]
async fn a_content_that_comes_back_does_not_end_with_its_old_version() {
    let table = Table::default();
    for (at_day, image) in [(0, 'A'), (1, 'B'), (2, 'A')] {
        captured(&table, &Pool::with(image), at_day).await.expect("a capture");
    }
    locked(&table.documents).retain(|_, document| document.expires_at.is_none());
    assert_eq!(table.style(3).await, content(&Pool::with('A')));
}

#[tokio::test]
async fn a_mark_goes_when_its_part_was_read_after_it() {
    let table = Table::default();
    let pool = Pool {
        denied: Some("GetUserPoolMfaConfig"),
        ..Pool::with('A')
    };
    for (part, at_day) in [(Part::Clients, 1), (Part::Domain, 2), (Part::Mfa, 1), (Part::Users, 1)] {
        table
            .mark(POOL, part, day(at_day), "UpdateUserPool")
            .await
            .expect("a mark");
    }
    let report = captured(&table, &pool, 2).await.expect("a capture");
    let left: Vec<Part> = locked(&table.marks).keys().copied().collect();
    assert_eq!(
        left,
        [Part::Mfa, Part::Domain, Part::Users],
        "not read, as old as the read, not the configuration"
    );
    assert_eq!(report.incomplete.len(), 1);
    assert!(
        report.incomplete[0].reason.contains("cognito-idp:GetUserPoolMfaConfig"),
        "the permission is named"
    );
    assert!(!report.captured.contains(&Part::Mfa) && report.captured.contains(&Part::Clients));
}

#[tokio::test]
async fn of_two_captures_the_later_read_stays() {
    let table = Table::default();
    captured(&table, &Pool::with('A'), 0).await.expect("a capture");
    let key = config_key(POOL, Part::Mfa, POOL_LEVEL);
    let stale = table.document(&key).await.expect("a table");
    captured(&table, &Pool::with('C'), 5).await.expect("a capture");
    let (at_four, earlier) = (clock(4), Pool::with('B'));
    let store = Store {
        backup: &table,
        clock: &at_four,
        pool: POOL,
        retention_seconds: RETENTION_SECONDS,
    };
    let survey = Survey::new(POOL, BTreeMap::new(), BTreeSet::new());
    let findings = ask(&earlier, &at_four, survey).await.expect("a pool");
    let mfa = findings
        .captured
        .iter()
        .find(|captured| captured.part == Part::Mfa)
        .expect("MFA settings");
    assert_eq!(store.put(mfa, stale).await, Ok(false));
    let stored = Stored::parse(&table.document(&key).await.expect("a table").expect("a head")).expect("a head");
    assert_eq!(stored.read_at, day(5));
}
