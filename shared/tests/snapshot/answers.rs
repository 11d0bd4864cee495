//! A pool that answers from a table, and a backup that is a map.
//!
//! Invariant: what is not in the table does not exist: `ResourceNotFoundException`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind, kind_of_code},
    item::{Key, config_key},
    marks::Part,
    port::Document,
    snapshot::{
        Captured, Content,
        past::{Configuration, at},
        stored::{Stored, outdated_chunks, writes},
        survey::{Findings, Survey},
    },
    time::Timestamp,
};

pub(super) const POOL: &str = "eu-west-1_a";
pub(super) const DAY: i64 = 86_400;
pub(super) const MARK: &str = "SECRET-";

pub(super) fn day(days: i64) -> Timestamp {
    Timestamp::from_millis(1_795_392_000_000 + days * DAY * 1_000)
}

pub(super) fn refused(operation: &str, code: &str) -> Error {
    let what = format!("cognito-idp:{operation} on the pool failed with {code}");
    Error::new(kind_of_code(code, Some(400)), what)
}

/// Answers by operation and by what is asked about.
#[derive(Clone, Default)]
pub(super) struct Answers {
    answers: BTreeMap<(String, String), Result<Value, Error>>,
    /// Operations that fail, whatever they are asked about.
    failing: BTreeMap<String, Error>,
    /// The pool is deleted after so many calls.
    pub(super) gone_after: Option<usize>,
}

impl Answers {
    /// A pool with nothing but itself.
    pub(super) fn bare() -> Self {
        let mut answers = Self::default();
        let arn = format!("arn:aws:cognito-idp:eu-west-1:111122223333:userpool/{POOL}");
        let pool = json!({"UserPool": {"Id": POOL, "Name": "main", "Arn": arn, "EstimatedNumberOfUsers": 3,
            "LastModifiedDate": 1_795_392_000.123, "UserPoolAddOns": {"AdvancedSecurityMode": "OFF"}}});
        answers.set("DescribeUserPool", "", pool);
        answers.set("GetUserPoolMfaConfig", "", json!({"MfaConfiguration": "OFF"}));
        answers.set(
            "GetLogDeliveryConfiguration",
            "",
            json!({"LogDeliveryConfiguration": {"UserPoolId": POOL, "LogConfigurations": []}}),
        );
        let sessions =
            json!({"UserPoolId": POOL, "UserSessionTracking": "DISABLED", "TokenSession": {"MaxPerUser": 20}});
        answers.set("GetUserPoolSessionConfiguration", "", sessions);
        answers.set(
            "GetUICustomization",
            "",
            json!({"UICustomization": {"ClientId": "ALL", "CSS": "a"}}),
        );
        answers.set("ListTagsForResource", &arn, json!({"Tags": {"team": "login"}}));
        answers.set("ListUserPoolReplicas", "", json!({"UserPoolReplicas": []}));
        for (operation, list) in [
            ("ListIdentityProviders", "Providers"),
            ("ListResourceServers", "ResourceServers"),
            ("ListTerms", "Terms"),
            ("ListUserPoolClients", "UserPoolClients"),
        ] {
            answers.set(operation, "", json!({ list: [] }));
        }
        for category in [
            "UserAuthentication",
            "UserCreation",
            "UserFederation",
            "UserRead",
            "UserResourceRead",
            "UserToken",
        ] {
            answers.set(
                "GetProvisionedLimit",
                category,
                json!({"Limit": {"ProvisionedLimitValue": 120, "FreeLimitValue": 120}}),
            );
        }
        answers
    }

    /// The same with app clients that have a secret.
    pub(super) fn with_clients(clients: &[&str]) -> Self {
        let mut answers = Self::bare();
        answers.list_clients(clients);
        for client in clients {
            answers.set(
                "DescribeUserPoolClient",
                client,
                json!({"UserPoolClient": {
                    "UserPoolId": POOL, "ClientId": client, "ClientSecret": format!("{MARK}{client}"),
                    "CallbackURLs": ["https://a", "https://b"], "LastModifiedDate": 1,
                }}),
            );
            answers.set(
                "ListUserPoolClientSecrets",
                client,
                json!({"ClientSecrets": [{"ClientSecretId": "s--1"}]}),
            );
        }
        answers
    }

    pub(super) fn list_clients(&mut self, clients: &[&str]) {
        let entries: Vec<Value> = clients.iter().map(|client| json!({"ClientId": client})).collect();
        self.set("ListUserPoolClients", "", json!({"UserPoolClients": entries}));
    }

    pub(super) fn domain(&mut self, version: u64) {
        self.edit_pool(|pool| pool["Domain"] = json!("login"));
        let domain = json!({"UserPoolId": POOL, "Domain": "login", "Status": "ACTIVE", "ManagedLoginVersion": version});
        self.set("DescribeUserPoolDomain", "login", json!({"DomainDescription": domain}));
    }

    pub(super) fn edit_pool(&mut self, edit: impl FnOnce(&mut Value)) {
        self.edit("DescribeUserPool", "", |answer| edit(&mut answer["UserPool"]));
    }

    pub(super) fn edit(&mut self, operation: &str, about: &str, edit: impl FnOnce(&mut Value)) {
        let answer = self
            .answers
            .get_mut(&(operation.to_owned(), about.to_owned()))
            .expect("an answer");
        edit(answer.as_mut().expect("no error"));
    }

    pub(super) fn set(&mut self, operation: &str, about: &str, answer: Value) {
        self.answers
            .insert((operation.to_owned(), about.to_owned()), Ok(answer));
    }

    pub(super) fn remove(&mut self, operation: &str, about: &str) {
        self.answers.remove(&(operation.to_owned(), about.to_owned()));
    }

    pub(super) fn refuse(&mut self, operation: &str, about: &str, code: &str) {
        self.answers
            .insert((operation.to_owned(), about.to_owned()), Err(refused(operation, code)));
    }

    pub(super) fn fail(&mut self, operation: &str, code: &str) {
        self.failing.insert(operation.to_owned(), refused(operation, code));
    }

    fn answer(&self, calls: usize, operation: &str, input: &Value) -> Result<Value, Error> {
        if self.gone_after.is_some_and(|after| calls > after) {
            return Err(refused(operation, "ResourceNotFoundException"));
        }
        if let Some(error) = self.failing.get(operation) {
            return Err(error.clone());
        }
        let about = [
            "NextToken",
            "ClientId",
            "ProviderName",
            "Identifier",
            "TermsId",
            "Domain",
            "ResourceArn",
        ];
        let about = about.iter().find_map(|name| input[name].as_str());
        let about = about
            .or_else(|| input["LimitDefinition"]["Attributes"]["Category"].as_str())
            .unwrap_or_default();
        let answer = self.answers.get(&(operation.to_owned(), about.to_owned())).cloned();
        answer.unwrap_or_else(|| Err(refused(operation, "ResourceNotFoundException")))
    }

    pub(super) fn survey(
        &self,
        stored: BTreeMap<Part, BTreeSet<String>>,
        marked: &[Part],
        at: Timestamp,
    ) -> Result<Findings, Error> {
        let mut survey = Survey::new(POOL, stored, marked.iter().copied().collect());
        let mut calls = 0;
        while let Some(call) = survey.next_call() {
            calls += 1;
            assert!(calls < 10_000, "a survey that does not end");
            survey.answered(&call, self.answer(calls, call.operation, &call.input), at);
        }
        survey.finish()
    }
}

/// A backup that loses nothing, and counts.
#[derive(Clone, Default)]
pub(super) struct Table {
    pub(super) documents: BTreeMap<Key, Document>,
    pub(super) heads_written: Vec<String>,
}

impl Table {
    pub(super) fn living(&self) -> BTreeMap<Part, BTreeSet<String>> {
        let mut living: BTreeMap<Part, BTreeSet<String>> = BTreeMap::new();
        for document in self
            .documents
            .values()
            .filter(|document| document.key.sk.starts_with("config#"))
        {
            let stored = Stored::parse(document).expect("a head");
            if stored.has_content() {
                living.entry(stored.part).or_default().insert(stored.name);
            }
        }
        living
    }

    /// Surveys and writes what differs; the names of the heads written.
    pub(super) fn capture(&mut self, answers: &Answers, at: Timestamp) -> (Findings, Vec<String>) {
        let findings = answers.survey(self.living(), &[], at).expect("a pool");
        self.heads_written.clear();
        for captured in &findings.captured {
            self.write(captured, at);
        }
        (findings, self.heads_written.clone())
    }

    pub(super) fn write(&mut self, captured: &Captured, now: Timestamp) {
        let head = self.documents.get(&config_key(POOL, captured.part, &captured.name));
        let Some(next) = writes(POOL, head, captured, now, 35 * DAY).expect("readable") else {
            return;
        };
        assert_eq!(next.replaced, head.map(|head| head.version));
        self.heads_written.push(next.head.key.sk.clone());
        let head = next.head.clone();
        for document in next.chunks.into_iter().chain(next.aside).chain([next.head]) {
            self.documents.insert(document.key.clone(), document);
        }
        let all: Vec<_> = self
            .documents
            .values()
            .filter(|document| document.key.sk.starts_with("config-chunk#"))
            .cloned()
            .collect();
        for ended in outdated_chunks(&all, &head, now, 35 * DAY).expect("readable") {
            self.documents.insert(ended.key.clone(), ended);
        }
    }

    pub(super) fn at(&self, instant: Timestamp) -> Configuration {
        let documents: Vec<_> = self.documents.values().cloned().collect();
        at(&documents, instant).expect("readable")
    }

    pub(super) fn content(&self, part: Part, name: &str, instant: Timestamp) -> Option<Content> {
        let member = self.at(instant).members.remove(&(part, name.to_owned()));
        member.map(|held| held.content)
    }
}

/// The contents among what was found, by part and name.
pub(super) fn contents(findings: &Findings) -> BTreeMap<(Part, &str), &Value> {
    findings
        .captured
        .iter()
        .filter_map(|captured| match &captured.content {
            Content::Json(json) => Some(((captured.part, captured.name.as_str()), json.expose())),
            _ => None,
        })
        .collect()
}

/// What was found gone or absent.
pub(super) fn taken_away(findings: &Findings) -> Vec<(Part, &str)> {
    let without = findings
        .captured
        .iter()
        .filter(|captured| !matches!(captured.content, Content::Json(_)));
    without
        .map(|captured| (captured.part, captured.name.as_str()))
        .collect()
}

pub(super) fn kinds(findings: &Findings) -> BTreeMap<Part, ErrorKind> {
    findings
        .incomplete
        .iter()
        .map(|(part, error)| (*part, error.kind))
        .collect()
}
