//! What the double remembers: pools, users, groups, clients, sign-ins, codes, and a short history for stale reads.
//!
//! Invariant: every change of what a listing can see goes through [`Pool::edit`], [`Pool::insert`] or [`Pool::remove`], which
//! keep history, aliases and memberships in step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound::{self, Excluded, Unbounded};

use serde_json::{Map, Value};

use super::configuration::Configuration;
use super::import_job::{ImportJob, Pace};
use super::random::Random;
use super::schema::Attribute;
use super::signer::TokenSigner;

/// How far back a stale read can look.
pub(crate) const HISTORY_MILLIS: i64 = 120_000;

#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) account: String,
    pub(crate) random: Random,
    pub(crate) signer: TokenSigner,
    pub(crate) pools: BTreeMap<String, Pool>,
    /// App client id to pool id: the unsigned operations name no pool.
    pub(crate) pool_of_client: BTreeMap<String, String>,
    /// `(pool, sub)` of the users active in `month`.
    pub(crate) active: BTreeSet<(String, String)>,
    pub(crate) month: (i16, i8),
    /// Requests per second by category, where they are not AWS's defaults.
    pub(crate) rates: BTreeMap<String, u32>,
    /// Those that were bought, by Region and category.
    pub(crate) provisioned: BTreeMap<(String, String), u32>,
    pub(crate) pace: Pace,
    /// The import job at work, by Region: its pool and key.
    pub(crate) importing: BTreeMap<String, (String, String)>,
    /// How many in a hundred pages of users are short.
    pub(crate) short_pages: u32,
}

impl State {
    /// The rates in force in a Region, where they are not AWS's defaults: what was bought, else what the configuration says.
    pub(crate) fn rates_in(&self, region: &str) -> BTreeMap<String, u32> {
        let mut rates = self.rates.clone();
        let bought = self.provisioned.iter().filter(|((place, _), _)| place == region);
        rates.extend(bought.map(|((_, category), rate)| (category.clone(), *rate)));
        rates
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Unconfirmed,
    Confirmed,
    ForceChangePassword,
    ResetRequired,
    ExternalProvider,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Confirmed => "CONFIRMED",
            Self::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
            Self::ResetRequired => "RESET_REQUIRED",
            Self::ExternalProvider => "EXTERNAL_PROVIDER",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Factors {
    pub(crate) sms: bool,
    pub(crate) email: bool,
    pub(crate) totp: bool,
    /// `SMS_MFA`, `EMAIL_OTP` or `SOFTWARE_TOKEN_MFA`.
    pub(crate) preferred: Option<&'static str>,
    /// The shared secret in base32, once associated.
    pub(crate) totp_secret: Option<String>,
    pub(crate) totp_verified: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) provider: String,
    pub(crate) user_id: String,
    pub(crate) primary: bool,
    pub(crate) created: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) sub: String,
    pub(crate) username: String,
    /// All but `sub` and `identities`, which are not stored as text.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) enabled: bool,
    pub(crate) status: Status,
    /// A digest; `None` for users without a password.
    pub(crate) password: Option<String>,
    /// When a temporary password stops working.
    pub(crate) temporary_until: Option<i64>,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) factors: Factors,
    pub(crate) identities: Vec<Identity>,
    /// Values that wait for a code (`AttributesRequireVerificationBeforeUpdate`).
    pub(crate) pending: BTreeMap<String, String>,
}

impl User {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub(crate) fn is_verified(&self, name: &str) -> bool {
        self.attribute(&format!("{name}_verified"))
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) precedence: Option<i64>,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) members: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) created: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// The oldest first; empty for a public client.
    pub(crate) secrets: Vec<Secret>,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    /// Members of `UserPoolClientType` besides those above.
    pub(crate) settings: Map<String, Value>,
}

/// One sign-in: the tokens that came of it.
#[derive(Clone, Debug)]
pub(crate) struct SignIn {
    pub(crate) client: String,
    pub(crate) refresh: String,
    pub(crate) refresh_until: i64,
    pub(crate) origin: String,
    pub(crate) at: i64,
    /// `jti` of each access token and when it expires.
    pub(crate) access: BTreeMap<String, i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    SignUp,
    ForgotPassword,
    Email,
    Phone,
}

#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) value: String,
    pub(crate) until: i64,
    /// The attribute that receiving the code proves.
    pub(crate) attribute: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) name: &'static str,
    pub(crate) sub: String,
    pub(crate) client: String,
    pub(crate) until: i64,
    pub(crate) code: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) username_attributes: Vec<String>,
    pub(crate) alias_attributes: Vec<String>,
    pub(crate) case_sensitive: bool,
    /// `UsernameConfiguration`, shown when it was given.
    pub(crate) username_configuration: Option<Value>,
    /// Members of `UserPoolType` that an update can change.
    pub(crate) settings: Map<String, Value>,
    /// What SetUserPoolMfaConfig sets besides the settings that UpdateUserPool knows as well.
    pub(crate) mfa: Map<String, Value>,
    /// Whether text messages are a second factor, and not only a way to verify a number.
    pub(crate) sms_mfa: bool,
    pub(crate) schema: BTreeMap<String, Attribute>,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) configuration: Configuration,
    /// By a key that puts the newest first.
    pub(crate) import_jobs: BTreeMap<String, ImportJob>,
    users: BTreeMap<String, User>,
    by_username: BTreeMap<String, String>,
    aliases: BTreeMap<(String, String), String>,
    pub(crate) identities: BTreeMap<(String, String), String>,
    pub(crate) sign_ins: BTreeMap<String, Vec<SignIn>>,
    pub(crate) codes: BTreeMap<(String, Purpose), Code>,
    pub(crate) challenges: BTreeMap<String, Challenge>,
    /// Per user: until when each earlier version was the current one (`None` = no such user).
    history: BTreeMap<String, VecDeque<(i64, Option<User>)>>,
    history_order: VecDeque<(i64, String)>,
}

/// The immutable choices of a new pool.
#[derive(Clone, Debug)]
pub(crate) struct Naming {
    pub(crate) username_attributes: Vec<String>,
    pub(crate) alias_attributes: Vec<String>,
    pub(crate) case_sensitive: bool,
    pub(crate) username_configuration: Option<Value>,
}

impl Pool {
    pub(crate) fn new(
        id: String,
        region: String,
        now: i64,
        naming: Naming,
        settings: Map<String, Value>,
        schema: BTreeMap<String, Attribute>,
    ) -> Self {
        Self {
            id,
            region,
            created: now,
            modified: now,
            username_attributes: naming.username_attributes,
            alias_attributes: naming.alias_attributes,
            case_sensitive: naming.case_sensitive,
            username_configuration: naming.username_configuration,
            settings,
            mfa: Map::new(),
            sms_mfa: false,
            schema,
            clients: BTreeMap::new(),
            groups: BTreeMap::new(),
            configuration: Configuration::default(),
            import_jobs: BTreeMap::new(),
            users: BTreeMap::new(),
            by_username: BTreeMap::new(),
            aliases: BTreeMap::new(),
            identities: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            codes: BTreeMap::new(),
            challenges: BTreeMap::new(),
            history: BTreeMap::new(),
            history_order: VecDeque::new(),
        }
    }

    /// User names and aliases are compared in this form.
    pub(crate) fn fold(&self, name: &str) -> String {
        if self.case_sensitive {
            name.to_owned()
        } else {
            name.to_lowercase()
        }
    }

    pub(crate) fn users(&self) -> &BTreeMap<String, User> {
        &self.users
    }

    pub(crate) fn user(&self, sub: &str) -> Option<&User> {
        self.users.get(sub)
    }

    /// A user by user name, by alias, or by `sub`.
    pub(crate) fn find(&self, name: &str) -> Option<&User> {
        let folded = self.fold(name);
        let by_alias = || {
            ["email", "phone_number", "preferred_username"]
                .iter()
                .find_map(|attribute| self.aliases.get(&((*attribute).to_owned(), folded.clone())))
        };
        let sub = self
            .by_username
            .get(&folded)
            .or_else(by_alias)
            .map_or(name, String::as_str);
        self.users.get(sub)
    }

    pub(crate) fn has_username(&self, name: &str) -> bool {
        self.by_username.contains_key(&self.fold(name))
    }

    /// Who is found by this alias.
    pub(crate) fn alias_owner(&self, attribute: &str, value: &str) -> Option<&str> {
        self.aliases
            .get(&(attribute.to_owned(), self.fold(value)))
            .map(String::as_str)
    }

    fn alias_keys(&self, user: &User) -> Vec<(String, String)> {
        let mut keys = Vec::new();
        for attribute in &self.username_attributes {
            keys.extend(
                user.attribute(attribute)
                    .map(|value| (attribute.clone(), self.fold(value))),
            );
        }
        for attribute in &self.alias_attributes {
            if attribute == "preferred_username" || user.is_verified(attribute) {
                keys.extend(
                    user.attribute(attribute)
                        .map(|value| (attribute.clone(), self.fold(value))),
                );
            }
        }
        keys
    }

    pub(crate) fn insert(&mut self, user: User, now: i64) {
        self.remember(&user.sub, None, now);
        self.by_username.insert(self.fold(&user.username), user.sub.clone());
        for key in self.alias_keys(&user) {
            self.aliases.insert(key, user.sub.clone());
        }
        for identity in &user.identities {
            self.identities
                .insert((identity.provider.clone(), identity.user_id.clone()), user.sub.clone());
        }
        self.users.insert(user.sub.clone(), user);
    }

    /// Changes a user; `touch` moves its modification date (group memberships do not).
    pub(crate) fn edit(&mut self, sub: &str, now: i64, touch: bool, change: impl FnOnce(&mut User)) {
        let Some(before) = self.users.get(sub).cloned() else {
            return;
        };
        let mut after = before.clone();
        change(&mut after);
        if touch {
            after.modified = now;
        }
        for key in self.alias_keys(&before) {
            if self.aliases.get(&key).is_some_and(|owner| owner == sub) {
                self.aliases.remove(&key);
            }
        }
        for key in self.alias_keys(&after) {
            self.aliases.insert(key, sub.to_owned());
        }
        for identity in &before.identities {
            self.identities
                .remove(&(identity.provider.clone(), identity.user_id.clone()));
        }
        for identity in &after.identities {
            self.identities
                .insert((identity.provider.clone(), identity.user_id.clone()), sub.to_owned());
        }
        for left in before.groups.difference(&after.groups) {
            if let Some(group) = self.groups.get_mut(left) {
                group.members.remove(sub);
            }
        }
        for joined in after.groups.difference(&before.groups) {
            if let Some(group) = self.groups.get_mut(joined) {
                group.members.insert(sub.to_owned());
            }
        }
        self.users.insert(sub.to_owned(), after);
        self.remember(sub, Some(before), now);
    }

    pub(crate) fn remove(&mut self, sub: &str, now: i64) {
        let Some(user) = self.users.remove(sub) else {
            return;
        };
        self.by_username.remove(&self.fold(&user.username));
        for key in self.alias_keys(&user) {
            if self.aliases.get(&key).is_some_and(|owner| owner == sub) {
                self.aliases.remove(&key);
            }
        }
        for identity in &user.identities {
            self.identities
                .remove(&(identity.provider.clone(), identity.user_id.clone()));
        }
        for name in &user.groups {
            if let Some(group) = self.groups.get_mut(name) {
                group.members.remove(sub);
            }
        }
        self.sign_ins.remove(sub);
        for purpose in [Purpose::SignUp, Purpose::ForgotPassword, Purpose::Email, Purpose::Phone] {
            self.codes.remove(&(sub.to_owned(), purpose));
        }
        self.challenges.retain(|_, challenge| challenge.sub != sub);
        self.remember(sub, Some(user), now);
    }

    fn remember(&mut self, sub: &str, version: Option<User>, now: i64) {
        self.history
            .entry(sub.to_owned())
            .or_default()
            .push_back((now, version));
        self.history_order.push_back((now, sub.to_owned()));
        while let Some((at, _)) = self.history_order.front() {
            if *at >= now - HISTORY_MILLIS {
                break;
            }
            let Some((_, old)) = self.history_order.pop_front() else {
                break;
            };
            if let Some(versions) = self.history.get_mut(&old) {
                versions.pop_front();
                if versions.is_empty() {
                    self.history.remove(&old);
                }
            }
        }
    }

    /// The user as it was at `at` (the present when `at` is not in the past).
    pub(crate) fn user_at(&self, sub: &str, at: i64) -> Option<&User> {
        let earlier = self
            .history
            .get(sub)
            .and_then(|versions| versions.iter().find(|(until, _)| *until > at));
        match earlier {
            Some((_, version)) => version.as_ref(),
            None => self.users.get(sub),
        }
    }

    /// Every `sub` above `after` that exists now or did a short while ago, in ascending order.
    pub(crate) fn subs_after<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let living = keys_after(&self.users, Excluded(after));
        merged(living, keys_after(&self.history, Excluded(after)))
    }

    /// Every `sub` above `after` that is a member now or was changed a short while ago, in ascending order.
    pub(crate) fn members_after<'a>(
        &'a self,
        group: &'a Group,
        after: &str,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let members = group.members.range::<str, _>((Excluded(after), Unbounded));
        merged(members.map(String::as_str), keys_after(&self.history, Excluded(after)))
    }

    /// A nested setting, by JSON pointer.
    pub(crate) fn setting(&self, member: &str, pointer: &str) -> Option<&Value> {
        self.settings.get(member)?.pointer(pointer)
    }

    /// Whether a list setting such as `AutoVerifiedAttributes` contains a value.
    pub(crate) fn lists(&self, member: &str, pointer: &str, value: &str) -> bool {
        self.setting(member, pointer)
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|entry| entry == value))
    }

    pub(crate) fn function(&self, slot: &str) -> Option<String> {
        self.setting("LambdaConfig", &format!("/{slot}"))
            .and_then(Value::as_str)
            .map(str::to_owned)
    }
}

/// The keys of a map from a name on, found without passing the ones before it.
pub(crate) fn keys_after<'m, V>(
    map: &'m BTreeMap<String, V>,
    after: Bound<&str>,
) -> impl Iterator<Item = &'m str> + use<'m, V> {
    map.range::<str, _>((after, Unbounded)).map(|(key, _)| key.as_str())
}

/// Two ascending lists as one, in which nothing is twice.
fn merged<'a>(
    one: impl Iterator<Item = &'a str>,
    other: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = &'a str> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek().copied(), other.peek().copied()) {
        (Some(a), Some(b)) if a == b => {
            other.next();
            one.next()
        }
        (Some(a), Some(b)) if a < b => one.next(),
        (Some(_), None) => one.next(),
        _ => other.next(),
    })
}
