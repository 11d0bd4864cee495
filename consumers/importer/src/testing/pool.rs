//! A pool that makes users as Cognito does, as far as an import asks for it.
//!
//! What would be a mail to a user is a panic.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Page, RawPool, ReadPool, Refusal, WritePool},
    user::{Account, Attributes, Factors},
};

use super::{Fortune, Network, locked, now};

/// A user of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) sub: String,
    pub(crate) status: String,
    pub(crate) disabled: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) links: Vec<(String, String)>,
    pub(crate) preference: Option<Value>,
    /// How often a password was set.
    pub(crate) passwords: u32,
    /// For how long they are there, in seconds.
    pub(crate) age: i64,
}

#[derive(Default)]
struct State {
    users: BTreeMap<String, User>,
    groups: BTreeSet<String>,
    /// Changes that were made, in order: operation and user name.
    made: Vec<(String, String)>,
    /// Operations that are refused for users, with a code.
    refusals: BTreeMap<(String, String), String>,
    jobs: BTreeMap<String, Job>,
    /// How jobs end, if not well.
    jobs_end: Option<&'static str>,
    /// Pages of lists by prefix that show nobody yet.
    empty_pages: u32,
    /// Pages of lists that were asked for, and users who were asked for by name.
    asked: (u32, u32),
}

#[derive(Clone, Default)]
struct Job {
    name: String,
    status: String,
    file: Option<String>,
    imported: u64,
}

#[derive(Clone)]
pub(crate) struct PoolDouble {
    network: Arc<Network>,
    state: Arc<Mutex<State>>,
}

type Answer = Result<Value, Refusal>;

fn refused(code: &str) -> Refusal {
    Refusal::Refused(code.to_owned())
}

fn text(input: &Value, path: &str) -> String {
    input
        .pointer(path)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

impl PoolDouble {
    pub(crate) fn new(network: &Arc<Network>, groups: impl Iterator<Item = String>) -> Self {
        let state = State {
            groups: groups.collect(),
            ..State::default()
        };
        Self {
            network: Arc::clone(network),
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn users(&self) -> BTreeMap<String, User> {
        locked(&self.state).users.clone()
    }

    pub(crate) fn put(&self, name: &str, user: User) {
        locked(&self.state).users.insert(name.to_owned(), user);
    }

    pub(crate) fn edit(&self, name: &str, edit: impl FnOnce(&mut User)) {
        edit(locked(&self.state).users.get_mut(name).expect("the user"));
    }

    pub(crate) fn refuse(&self, operation: &str, name: &str, code: Option<&str>) {
        let key = (operation.to_owned(), name.to_owned());
        let refusals = &mut locked(&self.state).refusals;
        match code {
            Some(code) => refusals.insert(key, code.to_owned()),
            None => refusals.remove(&key),
        };
    }

    /// Changes that were made since this was last asked.
    pub(crate) fn made(&self) -> Vec<(String, String)> {
        std::mem::take(&mut locked(&self.state).made)
    }

    /// From now on jobs end in this status and make nobody.
    pub(crate) fn jobs_end(&self, status: Option<&'static str>) {
        locked(&self.state).jobs_end = status;
    }

    /// The next pages of lists by prefix show nobody.
    pub(crate) fn lag(&self, pages: u32) {
        locked(&self.state).empty_pages = pages;
    }

    /// Pages of lists, and users by name, that were asked for since this was last asked.
    pub(crate) fn asked(&self) -> (u32, u32) {
        std::mem::take(&mut locked(&self.state).asked)
    }

    pub(crate) fn take_file(&self, url: &str, body: &[u8]) -> Result<(), Error> {
        let mut state = locked(&self.state);
        let job = url
            .strip_prefix("https://upload/")
            .and_then(|id| state.jobs.get_mut(id));
        let job = job.ok_or_else(|| Error::new(ErrorKind::Rejected, "no such job"))?;
        job.file = Some(String::from_utf8(body.to_vec()).expect("text"));
        Ok(())
    }
}

impl State {
    fn change(&mut self, operation: &str, input: &Value) -> Answer {
        let name = text(input, "/Username");
        if let Some(code) = self.refusals.get(&(operation.to_owned(), name.clone())) {
            return Err(refused(code));
        }
        let answer = match operation {
            "AdminCreateUser" => self.create(&name, input),
            "AdminLinkProviderForUser" => self.link(input),
            "CreateUserImportJob" => {
                let id = format!("import-{}", self.jobs.len() + 1);
                let job = Job {
                    name: text(input, "/JobName"),
                    status: "Created".to_owned(),
                    file: None,
                    imported: 0,
                };
                self.jobs.insert(id.clone(), job);
                Ok(json!({"UserImportJob": self.shown(&id)}))
            }
            "StartUserImportJob" => self.start(&text(input, "/JobId")),
            _ => self.change_user(operation, &name, input),
        };
        if answer.is_ok() {
            self.made.push((operation.to_owned(), name));
        }
        answer
    }

    fn create(&mut self, name: &str, input: &Value) -> Answer {
        assert_eq!(input["MessageAction"], "SUPPRESS", "a mail");
        if self.users.contains_key(name) {
            return Err(refused("UsernameExistsException"));
        }
        self.add(name, attributes(input), "FORCE_CHANGE_PASSWORD");
        let user = self.shown_user(name, "Attributes");
        Ok(json!({"User": user}))
    }

    fn add(&mut self, name: &str, attributes: BTreeMap<String, String>, status: &str) {
        let user = User {
            sub: format!("{:08x}-aaaa-bbbb-cccc-0123456789ab", self.users.len()),
            status: status.to_owned(),
            attributes,
            ..User::default()
        };
        self.users.insert(name.to_owned(), user);
    }

    fn link(&mut self, input: &Value) -> Answer {
        let name = text(input, "/DestinationUser/ProviderAttributeValue");
        let name = match text(input, "/DestinationUser/ProviderName").as_str() {
            "Cognito" => name,
            provider => format!("{provider}_{name}"),
        };
        let link = (
            text(input, "/SourceUser/ProviderName"),
            text(input, "/SourceUser/ProviderAttributeValue"),
        );
        let user = self
            .users
            .get_mut(&name)
            .ok_or_else(|| refused("UserNotFoundException"))?;
        if user.links.contains(&link) {
            return Err(refused("InvalidParameterException"));
        }
        user.links.push(link);
        let identities = user
            .links
            .iter()
            .map(|(provider, id)| json!({"providerName": provider, "userId": id}));
        let identities = Value::Array(identities.collect()).to_string();
        user.attributes.insert("identities".to_owned(), identities);
        Ok(json!({}))
    }

    fn change_user(&mut self, operation: &str, name: &str, input: &Value) -> Answer {
        let user = self
            .users
            .get_mut(name)
            .ok_or_else(|| refused("UserNotFoundException"))?;
        match operation {
            "AdminDisableUser" => user.disabled = true,
            "AdminSetUserPassword" => {
                assert!(text(input, "/Password").len() >= 20 && input["Permanent"] == true);
                user.passwords += 1;
                user.status = "CONFIRMED".to_owned();
            }
            "AdminUpdateUserAttributes" => user.attributes.extend(attributes(input)),
            "AdminAddUserToGroup" => {
                let group = text(input, "/GroupName");
                if !self.groups.contains(&group) {
                    return Err(refused("ResourceNotFoundException"));
                }
                user.groups.insert(group);
            }
            "AdminSetUserMFAPreference" => user.preference = Some(input.clone()),
            other => panic!("{other} is not asked for"),
        }
        Ok(json!({}))
    }

    /// Runs a job to its end. Of its columns only these are looked at.
    fn start(&mut self, id: &str) -> Answer {
        let job = self.jobs.get_mut(id).filter(|job| job.status == "Created");
        let job = job.ok_or_else(|| refused("PreconditionNotMetException"))?;
        job.status = self.jobs_end.unwrap_or("Succeeded").to_owned();
        if self.jobs_end.is_some() {
            return Ok(json!({}));
        }
        let file = job.file.clone().expect("the file was uploaded");
        let mut imported = 0;
        let mut lines = file.lines();
        let columns: Vec<&str> = lines.next().expect("a header").split(',').collect();
        for line in lines {
            let values = columns
                .iter()
                .zip(line.split(','))
                .filter(|(_, value)| !value.is_empty());
            let mut values: BTreeMap<String, String> = values
                .map(|(column, value)| ((*column).to_owned(), value.to_owned()))
                .collect();
            let name = values.remove("cognito:username").expect("a name");
            if let Some(there) = self.users.get(&name) {
                assert_ne!(there.status, "RESET_REQUIRED", "{name} is in two files");
                continue;
            }
            self.add(&name, values, "RESET_REQUIRED");
            imported += 1;
        }
        self.jobs.get_mut(id).expect("the job").imported = imported;
        Ok(json!({}))
    }

    fn shown(&self, id: &str) -> Value {
        let job = &self.jobs[id];
        let mut shown = json!({
            "JobId": id, "JobName": job.name, "Status": job.status, "PreSignedUrl": format!("https://upload/{id}"),
            "ImportedUsers": job.imported,
        });
        if job.status != "Created" {
            shown["StartDate"] = json!(now().as_seconds());
            shown["CompletionDate"] = json!(now().as_seconds());
        }
        shown
    }

    fn shown_user(&self, name: &str, list: &str) -> Option<Value> {
        let user = self.users.get(name)?;
        let mut attributes = user.attributes.clone();
        attributes.insert("sub".to_owned(), user.sub.clone());
        let pairs: Vec<Value> = attributes
            .iter()
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        let mut shown = json!({"Username": name, list: pairs, "UserStatus": user.status, "Enabled": !user.disabled,
            "UserCreateDate": now().as_seconds() - user.age});
        let preference = user.preference.iter().flat_map(|preference| {
            let kinds = [("SMSMfaSettings", "SMS_MFA"), ("EmailMfaSettings", "EMAIL_OTP")];
            kinds
                .into_iter()
                .filter(|(settings, _)| preference.get(settings).is_some())
        });
        let factors: Vec<&str> = preference.map(|(_, name)| name).collect();
        if !factors.is_empty() {
            shown["UserMFASettingList"] = json!(factors);
        }
        Some(shown)
    }
}

fn attributes(input: &Value) -> BTreeMap<String, String> {
    let pairs = input["UserAttributes"].as_array().expect("attributes").iter();
    pairs.map(|pair| (text(pair, "/Name"), text(pair, "/Value"))).collect()
}

/// A user as a list shows them.
fn listed(name: &str, user: &User) -> UserRead {
    let values = user
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Personal::new(value)));
    UserRead {
        attributes: Attributes {
            username: Personal::new(name),
            values: values.collect(),
        },
        status: user.status.clone(),
        account: Account {
            enabled: !user.disabled,
            created: now().plus_millis(-user.age * 1_000),
            modified: now(),
        },
    }
}

impl WritePool for PoolDouble {
    async fn change(&self, operation: &str, input: Value) -> Answer {
        loop {
            self.network.step().await;
            let fortune = self.network.fortune();
            let answer = match fortune {
                Fortune::LostBefore => None,
                _ => Some(locked(&self.state).change(operation, &input)),
            };
            self.network.step().await;
            if let (Fortune::Answered, Some(answer)) = (fortune, answer) {
                return answer;
            }
            // As the adapter does.
            if !twinpool_shared::import::repeatable(operation) {
                return Err(Refusal::Doubtful(Error::new(ErrorKind::Unavailable, "lost")));
            }
        }
    }
}

impl RawPool for PoolDouble {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        self.network.step().await;
        let mut state = locked(&self.state);
        match operation {
            "AdminGetUser" => {
                state.asked.1 += 1;
                let user = state.shown_user(&text(&input, "/Username"), "UserAttributes");
                let what = "cognito-idp:AdminGetUser on the pool failed with UserNotFoundException";
                user.ok_or_else(|| Error::new(ErrorKind::Rejected, what))
            }
            "DescribeUserPool" => Ok(json!({"UserPool": super::described()})),
            "GetUserPoolMfaConfig" => Ok(json!({})),
            "ListIdentityProviders" => Ok(json!({"Providers": [{"ProviderName": "Google"}]})),
            "DescribeIdentityProvider" => Ok(json!({"IdentityProvider": {"AttributeMapping": {"email": "email"}}})),
            "GetCSVHeader" => Ok(json!({"CSVHeader": [
                "cognito:username", "email", "email_verified", "name", "custom:original_sub", "cognito:mfa_enabled",
            ]})),
            "ListUserImportJobs" => {
                let jobs: Vec<Value> = state.jobs.keys().map(|id| state.shown(id)).collect();
                Ok(json!({"UserImportJobs": jobs}))
            }
            "DescribeUserImportJob" => Ok(json!({"UserImportJob": state.shown(&text(&input, "/JobId"))})),
            other => panic!("{other} is not asked for"),
        }
    }
}

impl ReadPool for PoolDouble {
    async fn users_page(&self, _: &str, prefix: Option<&str>, _: Option<&str>) -> Result<Page<(Sub, UserRead)>, Error> {
        self.network.step().await;
        let mut state = locked(&self.state);
        state.asked.0 += 1;
        if prefix.is_some() && state.empty_pages > 0 {
            state.empty_pages -= 1;
            return Ok(Page {
                entries: Vec::new(),
                token: None,
            });
        }
        let users = state
            .users
            .iter()
            .filter(|(_, user)| user.sub.starts_with(prefix.unwrap_or_default()));
        let entries = users.map(|(name, user)| (Sub::new(&user.sub).expect("a sub"), listed(name, user)));
        Ok(Page {
            entries: entries.collect(),
            token: None,
        })
    }

    async fn find_user(&self, _: &str, sub: &Sub) -> Result<Option<UserRead>, Error> {
        self.network.step().await;
        let mut state = locked(&self.state);
        state.asked.0 += 1;
        let found = state.users.iter().find(|(_, user)| user.sub == sub.as_str());
        Ok(found.map(|(name, user)| listed(name, user)))
    }

    async fn groups_of(&self, _: &str, _: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        unreachable!("an import does not ask for it")
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupSettings>, Error> {
        unreachable!("an import does not ask for it")
    }

    async fn factors_of(&self, _: &str, _: &Personal) -> Result<Option<Factors>, Error> {
        unreachable!("an import does not ask for it")
    }

    async fn clients_of(&self, _: &str) -> Result<Vec<String>, Error> {
        unreachable!("an import does not ask for it")
    }

    async fn members_page(&self, _: &str, _: &str, _: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        unreachable!("an import does not ask for it")
    }

    async fn groups_page(&self, _: &str, _: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        unreachable!("an import does not ask for it")
    }

    async fn estimated_users(&self, _: &str) -> Result<u64, Error> {
        unreachable!("an import does not ask for it")
    }
}
