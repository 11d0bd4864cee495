//! Building the steps, part by part.
//!
//! Invariant: whatever of the backup leads to no step leads to a manual task, to an entry of what is left out, or to a
//! refusal; nothing vanishes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Adjusted, CREATE_GROUP, CREATE_POOL, ManualTask, Phase, Refused, Step, Wanted, form, group_input,
    hosts::{Hosts, mentions},
    pool, schema,
};
use crate::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        ORIGINAL_SUB,
        mapping::{LeftOut, Mapping, Place, Unmapped, rewrite},
    },
    marks::Part,
    snapshot::{Json, POOL_LEVEL, past::Configuration},
};

/// Everything that steps are built from, and what was built.
pub(super) struct Build<'a> {
    configuration: &'a Configuration,
    pub(super) mapping: &'a Mapping,
    place: &'a Place,
    source_pool: String,
    hosts: Hosts,
    /// Whether a domain is made: the classic hosted UI cannot be set without one.
    pub(super) has_domain: bool,
    /// Identity providers that cannot be made.
    pub(super) missing_providers: BTreeSet<String>,
    /// What an app client without a list of its own may write.
    pub(super) writable: Vec<String>,
    /// Whether the schema has room for the attribute that keeps the `sub` of the backup.
    pub(super) has_marker: bool,
    pub(super) adjusted: Vec<Adjusted>,
    /// Whether users may sign up.
    pub(super) has_sign_up: bool,
    pub(super) steps: Vec<Step>,
    manual: Vec<ManualTask>,
    left_out: BTreeSet<LeftOut>,
    unmapped: Vec<Unmapped>,
    /// Why what the mapping says cannot be made.
    unusable: Vec<String>,
}

impl<'a> Build<'a> {
    pub(super) fn new(configuration: &'a Configuration, mapping: &'a Mapping, place: &'a Place) -> Self {
        Self {
            configuration,
            mapping,
            place,
            source_pool: String::new(),
            hosts: Hosts::default(),
            has_domain: false,
            missing_providers: BTreeSet::new(),
            writable: Vec::new(),
            has_marker: false,
            adjusted: Vec::new(),
            has_sign_up: false,
            steps: Vec::new(),
            manual: Vec::new(),
            left_out: BTreeSet::new(),
            unmapped: Vec::new(),
            unusable: Vec::new(),
        }
    }

    pub(super) fn members(&self, part: Part) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.configuration.json_of(part)
    }

    pub(super) fn member(&self, part: Part, name: &str) -> Option<&'a Value> {
        self.configuration.json(part, name)
    }

    /// Something that the target lacks until somebody does it.
    pub(super) fn gap(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.manual.push(ManualTask::gap(path, what));
    }

    /// Refuses the mapping, with what is wrong and the line that mends it.
    pub(super) fn refuse(&mut self, what: impl Into<String>) {
        self.unusable.push(what.into());
    }

    /// The ARN at `path` that the mapping leaves out.
    pub(super) fn left_out_at(&self, path: &str) -> Option<String> {
        let left_out = self.left_out.iter().find(|left_out| left_out.path == path);
        left_out.map(|left_out| left_out.arn.clone())
    }

    /// Something to do beside what is made.
    pub(super) fn task(&mut self, path: impl Into<String>, what: impl Into<String>) {
        self.manual.push(ManualTask::beside(path, what));
    }

    /// `value`, which stands at `path`, without references to the lost Region.
    pub(super) fn rewritten(&mut self, path: &str, mut value: Value) -> Value {
        self.hosts.rewrite(&mut value);
        let value = match rewrite(path, &value, self.mapping, self.place) {
            Ok(rewritten) => {
                self.left_out.extend(rewritten.left_out);
                rewritten.value
            }
            Err(unmapped) => {
                self.unmapped.extend(unmapped);
                return value;
            }
        };
        let mut found = Vec::new();
        mentions(path, &value, &self.place.source_region, &self.source_pool, &mut found);
        for path in found {
            let what = format!(
                "look at it: it names a host in {} or the lost pool",
                self.place.source_region
            );
            self.task(path, what);
        }
        value
    }

    pub(super) fn push(
        &mut self,
        phase: Phase,
        operation: &'static str,
        subject: &str,
        client: Option<&str>,
        input: Value,
    ) {
        self.steps.push(Step {
            phase,
            operation,
            subject: subject.to_owned(),
            client: client.map(str::to_owned),
            input: Json::new(input),
        });
    }

    /// A step that sets `shown` by `operation`, rewritten.
    pub(super) fn set(&mut self, (phase, operation): (Phase, &'static str), part: Part, name: &str, shown: &Value) {
        let input = self.rewritten(&format!("{}/{name}", part.as_str()), form(operation, shown));
        self.push(phase, operation, name, None, form(operation, &input));
    }

    /// The pool, and with it the hosts of its domains, which the rest may name.
    pub(super) fn pool(&mut self, name: &str, plan: &str) -> Result<Json, Refused> {
        let Some(shown) = self.member(Part::Pool, POOL_LEVEL) else {
            let what = "the backup does not hold the pool's configuration at that instant; choose a later --as-of";
            return Err(Error::new(ErrorKind::NotFound, what).into());
        };
        self.source_pool = shown["Id"].as_str().unwrap_or_default().to_owned();
        self.hosts();
        let mut settings = pool::settings(shown);
        if let Some(Value::Object(tags)) = self.member(Part::Tags, POOL_LEVEL).map(|tags| &tags["Tags"]) {
            settings.insert("UserPoolTags".into(), Value::Object(tags.clone()));
            settings = pool::settings(&Value::Object(settings));
        }
        pool::remove_own_tags(&mut settings);
        let triggers = settings.remove("LambdaConfig");
        if self.member(Part::Mfa, POOL_LEVEL).is_some() {
            settings.remove("MfaConfiguration");
        }
        let mut attributes = settings
            .remove("SchemaAttributes")
            .and_then(|all| all.as_array().cloned());
        let Value::Object(mut settings) = self.rewritten("pool/pool", Value::Object(settings)) else {
            return Err(Error::new(ErrorKind::BadItem, "the pool's configuration is no object").into());
        };
        self.sender(&mut settings);
        self.has_sign_up = pool::take_sign_up(&mut settings);
        self.has_marker = schema::add_original_sub(attributes.get_or_insert_default());
        self.writable = schema::writable(attributes.as_deref().unwrap_or_default());
        if !self.has_marker {
            let what = "the schema has 50 custom attributes, so that users cannot carry the sub of the backup: \
                        leave out one, or keep the sub map";
            self.gap(format!("pool/pool/SchemaAttributes[{ORIGINAL_SUB}]"), what);
        }
        settings.insert("SchemaAttributes".into(), Value::Array(attributes.unwrap_or_default()));
        let (input, added) = pool::create_input(&settings, name, plan);
        self.push(Phase::Pool, CREATE_POOL, name, None, input);
        for entries in added {
            let input = json!({"CustomAttributes": entries});
            self.push(Phase::Pool, super::ADD_ATTRIBUTES, "custom attributes", None, input);
        }
        settings.insert("Name".into(), json!(name));
        if let Some(triggers) = triggers {
            settings.insert("LambdaConfig".into(), triggers);
        }
        Ok(Json::new(Value::Object(settings)))
    }

    fn hosts(&mut self) {
        for (name, _) in self.members(Part::Domain) {
            let new = match self.mapping.domains.get(name) {
                Some(Some(target)) => target.name.as_str(),
                Some(None) => continue,
                None => name,
            };
            self.hosts.add(name, new, self.place);
        }
    }

    pub(super) fn log_delivery(&mut self) {
        let Some(shown) = self.member(Part::LogDelivery, POOL_LEVEL) else {
            return;
        };
        let has_logs = |input: &Value| {
            input["LogConfigurations"]
                .as_array()
                .is_some_and(|logs| !logs.is_empty())
        };
        if has_logs(shown) {
            let path = "log-delivery/pool";
            let operation = "SetLogDeliveryConfiguration";
            let input = self.rewritten(path, form(operation, shown));
            let input = form(operation, &input);
            if has_logs(&input) {
                self.push(Phase::LogDelivery, operation, POOL_LEVEL, None, input);
            }
        }
    }

    pub(super) fn groups(&mut self, groups: &BTreeMap<String, GroupRecord>) {
        for (name, group) in groups.iter().filter(|(_, group)| group.is_alive()) {
            let mut input = group_input(name, group.settings.as_ref().map(|facet| &facet.data));
            // A description is free text: only the role refers to anything.
            if let Some(role) = input.get("RoleArn").cloned() {
                let role = self.rewritten(&format!("groups/{name}"), json!({"RoleArn": role}));
                match role.get("RoleArn") {
                    Some(role) => input["RoleArn"] = role.clone(),
                    None => drop(input.as_object_mut().and_then(|input| input.remove("RoleArn"))),
                }
            }
            self.push(Phase::Groups, CREATE_GROUP, name, None, input);
        }
    }

    /// What no call here makes again.
    pub(super) fn beside(&mut self) {
        for (region, _) in self.members(Part::Replicas) {
            let path = format!("replicas/{region}");
            self.task(
                path,
                "the lost pool has a native replica there: it may answer still; none is made for the target",
            );
        }
        for (category, limit) in self.members(Part::Limits) {
            if limit["ProvisionedLimitValue"] != limit["FreeLimitValue"] {
                let what = "the lost Region's quota was raised: raise it here as well (UpdateProvisionedLimit)";
                self.gap(format!("limits/{category}"), what);
            }
        }
        for (part, name) in &self.configuration.unknown {
            let path = format!("{}/{name}", part.as_str());
            self.manual.push(ManualTask::gap(
                path,
                "the history does not reach back to that instant: set it by hand",
            ));
        }
        self.task(
            "web-acl",
            "associate the web ACL of AWS WAF again, if there was one: Cognito does not show it",
        );
    }

    /// What was built.
    pub(super) fn finish(self, pool: Json) -> Result<Wanted, Refused> {
        if !self.unmapped.is_empty() {
            return Err(Refused::Unmapped(self.unmapped));
        }
        if !self.unusable.is_empty() {
            return Err(Error::new(ErrorKind::BadSetting, self.unusable.join("\n")).into());
        }
        Ok(Wanted {
            pool,
            steps: self.steps,
            manual: self.manual,
            adjusted: self.adjusted,
            left_out: self.left_out.into_iter().collect(),
        })
    }
}
