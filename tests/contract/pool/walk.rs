//! Pages of users, members and groups: a walk meets everyone exactly once, whatever happens on the way.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use twinpool_localcloud::gateway::{config::Config, instance::LocalCloud};
use twinpool_shared::{
    adapter::pool::{Patience, PoolReader},
    error::{Error, ErrorKind},
    personal::Sub,
    port::{Page, ReadPool},
    quota::Category,
};
use twinpool_tests::{
    scripted_http::{Script, ScriptedServer},
    stand_ins::localcloud,
};

use super::Bench;

/// A full page and some.
const MANY: usize = 65;
const PREFIXES: [&str; 16] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
];
/// More than any list here has.
const PAGES_MAX: usize = 50;

/// Follows a list to its end by its token alone.
async fn follow<T, F>(next: impl Fn(Option<String>) -> F) -> Result<Vec<Page<T>>, Error>
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    let mut pages = Vec::new();
    let mut token = None;
    loop {
        let page = next(token).await?;
        token = page.token.clone();
        pages.push(page);
        assert!(pages.len() <= PAGES_MAX, "the list has an end");
        if token.is_none() {
            return Ok(pages);
        }
    }
}

fn entries<T>(pages: Vec<Page<T>>) -> Vec<T> {
    pages.into_iter().flat_map(|page| page.entries).collect()
}

async fn users(reader: &PoolReader, pool: &str, prefix: Option<&str>) -> Result<Vec<Sub>, Error> {
    let pages = follow(|token| async move { reader.users_page(pool, prefix, token.as_deref()).await }).await?;
    Ok(entries(pages).into_iter().map(|(sub, _)| sub).collect())
}

async fn members(reader: &PoolReader, pool: &str, group: &str) -> Vec<Page<Sub>> {
    let next = |token: Option<String>| async move {
        let page = reader.members_page(pool, group, token.as_deref()).await?;
        Ok(page.expect("the group is there"))
    };
    follow(next).await.expect("they are read")
}

async fn create_many(bench: &Bench, pool: &str) -> BTreeSet<Sub> {
    let mut subs = BTreeSet::new();
    for n in 0..MANY {
        subs.insert(bench.create(pool, &format!("user-{n:02}"), &[]).await);
    }
    subs
}

/// Each exactly once.
fn once(met: Vec<Sub>) -> BTreeSet<Sub> {
    let count = met.len();
    let met: BTreeSet<Sub> = met.into_iter().collect();
    assert_eq!(met.len(), count, "somebody was met twice");
    met
}

pub(super) async fn everyone_and_every_group_is_met_once(bench: &Bench) {
    let pool = bench.pool().await;
    let created = create_many(bench, &pool).await;
    let reader = &bench.reader;

    let first = reader.users_page(&pool, None, None).await.expect("it is read");
    assert_eq!((first.entries.len(), first.token.is_some()), (60, true));
    let (sub, shown) = first.entries.first().expect("a user");
    assert_eq!(
        &bench.found(&pool, sub).await,
        shown,
        "a page shows what the single read does"
    );
    assert_eq!(once(users(reader, &pool, None).await.expect("it is read")), created);

    let mut met = Vec::new();
    for prefix in PREFIXES {
        let shard = users(reader, &pool, Some(prefix)).await.expect("it is read");
        assert!(shard.iter().all(|sub| sub.as_str().starts_with(prefix)), "{prefix}");
        met.extend(shard);
    }
    assert_eq!(once(met), created);

    for n in 0..MANY {
        let settings = json!({"Description": format!("number {n}"), "Precedence": n + 1});
        bench.group(&pool, &format!("group-{n:02}"), settings).await;
        let username = format!("user-{n:02}");
        let group = [("GroupName", json!("group-00"))];
        bench.admin("AdminAddUserToGroup", &pool, &username, &group).await;
    }
    let pages = members(reader, &pool, "group-00").await;
    assert!(pages.len() >= 2, "65 are no single page");
    assert_eq!(once(entries(pages)), created);

    let id = pool.as_str();
    let pages = follow(|token| async move { reader.groups_page(id, token.as_deref()).await }).await;
    let groups = entries(pages.expect("they are read"));
    let names: BTreeSet<&str> = groups.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((groups.len(), names.len()), (MANY, MANY));
    for (name, settings) in &groups {
        let n: i32 = name.trim_start_matches("group-").parse().expect("a number");
        assert_eq!(settings.precedence, Some(n + 1), "{name}");
        assert_eq!(settings.description, Some(format!("number {n}")), "{name}");
    }
}

pub(super) async fn what_is_empty_or_missing_is_told_apart(bench: &Bench) {
    let pool = bench.pool().await;
    let reader = &bench.reader;
    assert_eq!(users(reader, &pool, None).await, Ok(vec![]));
    assert_eq!(users(reader, &pool, Some("a")).await, Ok(vec![]));
    assert_eq!(reader.members_page(&pool, "staff", None).await, Ok(None));
    let groups = reader.groups_page(&pool, None).await.expect("it is read");
    assert_eq!((groups.entries.len(), groups.token), (0, None));
    bench.group(&pool, "staff", json!({})).await;
    let nobody = Page {
        entries: vec![],
        token: None,
    };
    assert_eq!(reader.members_page(&pool, "staff", None).await, Ok(Some(nobody)));
    let missing = "us-east-1_Missing00";
    for answer in [
        reader.users_page(missing, None, None).await.map(drop),
        reader.groups_page(missing, None).await.map(drop),
        reader.estimated_users(missing).await.map(drop),
    ] {
        let error = answer.expect_err("there is no such pool");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
}

/// Not over the others: they show 0 whatever the pool has.
pub(super) async fn the_estimate_is_told(bench: &Bench) {
    let pool = bench.pool().await;
    assert_eq!(bench.reader.estimated_users(&pool).await, Ok(0));
    bench.create(&pool, "ann", &[]).await;
    bench.create(&pool, "bob", &[]).await;
    assert_eq!(bench.reader.estimated_users(&pool).await, Ok(2));
}

fn configure(cloud: &LocalCloud, config: &Value) {
    let config = Config::parse(config.to_string().as_bytes());
    cloud.gateway().configure(config.expect("a configuration"));
}

/// A pool with [`MANY`] users behind a reader that walks.
async fn crowd() -> (LocalCloud, Bench, String, BTreeSet<Sub>) {
    let cloud = localcloud(&json!({"quotas": {"enabled": false}}), None).await;
    let bench = Bench::patient(cloud.endpoint(), Patience::WALK).await;
    let pool = bench.pool().await;
    let created = create_many(&bench, &pool).await;
    (cloud, bench, pool, created)
}

#[tokio::test]
async fn an_empty_page_with_a_token_is_not_the_end_of_a_walk() {
    let (cloud, bench, pool, created) = crowd().await;
    bench.group(&pool, "staff", json!({})).await;
    let group = [("GroupName", json!("staff"))];
    bench.admin("AdminAddUserToGroup", &pool, "user-00", &group).await;
    let fault = |operation| json!({"service": "cognito", "operation": operation, "count": 2, "kind": "empty_page"});
    configure(
        &cloud,
        &json!({"faults": [fault("ListUsers"), fault("ListUsersInGroup")]}),
    );

    let first = bench.reader.users_page(&pool, None, None).await.expect("it is read");
    assert_eq!((first.entries.len(), first.token.is_some()), (0, true));
    let met = users(&bench.reader, &pool, None).await.expect("it is read");
    assert_eq!(once(met), created);
    let pages = members(&bench.reader, &pool, "staff").await;
    let sizes: Vec<usize> = pages.iter().map(|page| page.entries.len()).collect();
    assert_eq!(sizes, [0, 0, 1]);
}

/// Rounds of all shards in four chains; who was met in each round.
async fn rounds(bench: &Bench, pool: &str, rounds: usize) -> Vec<BTreeSet<Sub>> {
    let shards = (0..rounds).flat_map(|round| PREFIXES.map(|prefix| (round, prefix)));
    let chains = shards.map(|(round, prefix)| async move {
        let met = users(&bench.reader, pool, Some(prefix)).await?;
        Ok::<_, Error>((round, met))
    });
    let met: Vec<(usize, Vec<Sub>)> = stream::iter(chains)
        .buffer_unordered(4)
        .try_collect()
        .await
        .expect("every shard is read");
    (0..rounds)
        .map(|round| {
            let of_round = met.iter().filter(|(of, _)| *of == round);
            once(of_round.flat_map(|(_, subs)| subs.clone()).collect())
        })
        .collect()
}

#[tokio::test]
async fn four_chains_at_a_full_share_use_the_quota_and_are_not_refused() {
    let (cloud, bench, pool, created) = crowd().await;
    // Four chains that did not wait would make fifty calls a second.
    configure(
        &cloud,
        &json!({"quotas": {"enabled": true}, "latency_ms": {"cognito": 80}}),
    );
    let begun = Instant::now();
    for met in rounds(&bench, &pool, 12).await {
        assert_eq!(met, created);
    }
    let took = begun.elapsed();
    let calls = bench.governor.calls().get("ListUsers").copied().unwrap_or_default();
    assert!(calls >= 12 * 16, "{calls} calls");
    let throttles = bench.governor.throttles().get("ListUsers").copied().unwrap_or_default();
    assert!(throttles <= 1, "{throttles} of {calls} calls were refused");
    // No later than that only on a machine that has time for it, hence no upper bound here.
    let calls = u32::try_from(calls).expect("some hundred");
    assert!(
        took >= Duration::from_secs(1) * (calls - 2) / 30,
        "{calls} calls took {took:?}"
    );
}

#[tokio::test]
async fn a_walk_that_is_refused_and_interrupted_ends_exact() {
    let (cloud, bench, pool, created) = crowd().await;
    let fault = |kind: &str, percent, count| json!({"service": "cognito", "operation": "ListUsers", "kind": kind, "percent": percent, "count": count});
    let faults = [
        fault("throttle", 30, 6),
        fault("http500", 10, 2),
        fault("drop_connection", 10, 2),
        fault("malformed_body", 10, 2),
        fault("empty_page", 20, 4),
    ];
    configure(&cloud, &json!({"seed": 7, "faults": faults}));
    for met in rounds(&bench, &pool, 3).await {
        assert_eq!(met, created);
    }
    let refused = cloud.gateway().counters().throttled.remove("cognito-idp");
    let refused = refused.and_then(|mut by_operation| by_operation.remove("ListUsers"));
    assert!(refused >= Some(3), "{refused:?} calls were refused");
    assert_eq!(bench.governor.throttles().get("ListUsers").copied(), refused);
    let fired = cloud.gateway().counters().faults_fired;
    assert!(fired.len() >= 4, "{fired:?}");
}

#[tokio::test]
async fn live_limits_are_learned_where_the_account_may_ask() {
    let limit = json!({"Limit": {"ProvisionedLimitValue": 300, "FreeLimitValue": 120}});
    let server = ScriptedServer::start(Script::json(200, limit.to_string())).await;
    let bench = Bench::new(server.endpoint()).await;
    let limits = bench.reader.live_limits(&[Category::UserRead]).await;
    assert_eq!(
        limits.into_iter().collect::<Vec<_>>(),
        [(Category::UserRead, Some(300.0))]
    );
    assert!(bench.governor.rate(Category::UserRead) > 290.0);
    let asked: Vec<Value> = server
        .take_received()
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("JSON"))
        .collect();
    let definition = json!({"LimitClass": "API_CATEGORY", "Attributes": {"Category": "UserRead"}});
    assert_eq!(asked, [json!({"LimitDefinition": definition})]);
}

#[tokio::test]
async fn limits_that_may_not_be_asked_for_keep_their_defaults() {
    let server = ScriptedServer::start(Script::error(400, "AccessDeniedException")).await;
    let bench = Bench::new(server.endpoint()).await;
    let before = bench.governor.rate(Category::UserRead);
    let limits = bench
        .reader
        .live_limits(&[Category::UserRead, Category::UserCreation])
        .await;
    assert_eq!(limits.into_values().collect::<Vec<_>>(), [None, None]);
    assert_eq!(server.take_received().len(), 1, "one refusal speaks for all categories");
    assert_eq!(bench.governor.rate(Category::UserRead), before);
}
