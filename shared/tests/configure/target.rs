//! A small model of a target: what Cognito shows after the calls that it was given.
//!
//! Invariant: refuses to make the same thing twice, as Cognito does.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twinpool_shared::{
    group::GroupSettings,
    import::{configure::Step, patch::Found},
    marks::Part,
    snapshot::{
        Content, Json,
        past::{Configuration, Held},
    },
    time::Timestamp,
};

use super::TARGET;

/// A pool that is made and changed by steps.
#[derive(Clone, Default)]
pub(super) struct Target {
    parts: BTreeMap<(Part, String), Value>,
    groups: BTreeMap<String, GroupSettings>,
    /// New ids of clients by old ones, as an importer keeps them.
    pub(super) clients: BTreeMap<String, String>,
    made: u32,
}

impl Target {
    /// Carries out a step. The operation is what counts, as with Cognito.
    pub(super) fn carry_out(&mut self, step: &Step) {
        let mut input = step.call_input(TARGET, &self.clients).expect("the client is made");
        let client = input["ClientId"].as_str().map(str::to_owned);
        let text = |input: &Value, member: &str| input[member].as_str().unwrap_or_default().to_owned();
        match step.operation {
            "CreateUserPool" => self.pool(input),
            "AddCustomAttributes" => {
                let added = input["CustomAttributes"].as_array().cloned().unwrap_or_default();
                let schema = self.edit(Part::Pool, "pool")["SchemaAttributes"]
                    .as_array_mut()
                    .expect("a schema");
                schema.extend(added.into_iter().map(custom));
            }
            "UpdateUserPool" => {
                // The importer says everything else again.
                lay_over(self.edit(Part::Pool, "pool"), &input);
            }
            "SetUserPoolMfaConfig" => self.set(Part::Mfa, "pool", input),
            "CreateUserPoolDomain" => {
                let name = text(&input, "Domain");
                input["Status"] = json!("ACTIVE");
                let member = if input.get("CustomDomainConfig").is_some() {
                    "CustomDomain"
                } else {
                    "Domain"
                };
                self.edit(Part::Pool, "pool")[member] = json!(name);
                self.make(Part::Domain, &name, input);
            }
            "CreateResourceServer" => self.make(Part::ResourceServers, &text(&input, "Identifier"), input),
            "CreateIdentityProvider" => self.make(Part::IdentityProviders, &text(&input, "ProviderName"), input),
            "CreateUserPoolClient" => {
                self.made += 1;
                let id = format!("new{}", self.made);
                input["ClientId"] = json!(id);
                input["LastModifiedDate"] = json!(1);
                self.clients.insert(step.client.clone().expect("an old id"), id.clone());
                self.make(Part::Clients, &id, input);
            }
            "CreateManagedLoginBranding" => {
                self.made += 1;
                input["ManagedLoginBrandingId"] = json!(format!("style{}", self.made));
                self.make(Part::Branding, &client.expect("a client"), input);
            }
            "CreateTerms" => {
                self.made += 1;
                input["TermsId"] = json!(format!("terms{}", self.made));
                self.make(Part::Terms, &text(&input.clone(), "TermsId"), input);
            }
            "SetUICustomization" => self.set(Part::UiCustomization, &client.unwrap_or("pool".into()), input),
            "SetRiskConfiguration" => self.set(Part::Risk, &client.unwrap_or("pool".into()), input),
            "SetLogDeliveryConfiguration" => self.set(Part::LogDelivery, "pool", input),
            "SetUserPoolSessionConfiguration" => self.set(Part::Sessions, "pool", input),
            "SetUserPoolClientSessionConfiguration" => self.set(Part::Sessions, &client.expect("a client"), input),
            "CreateGroup" | "UpdateGroup" => {
                let settings = GroupSettings {
                    description: input["Description"].as_str().map(str::to_owned),
                    precedence: input["Precedence"]
                        .as_i64()
                        .and_then(|number| i32::try_from(number).ok()),
                    role_arn: input["RoleArn"].as_str().map(str::to_owned),
                    created: Timestamp::from_millis(5),
                    modified: Timestamp::from_millis(5),
                };
                let before = self.groups.insert(text(&input, "GroupName"), settings);
                assert_eq!(before.is_some(), step.operation == "UpdateGroup", "{}", step.subject);
            }
            "UpdateUserPoolDomain" => self.lay_over(Part::Domain, &text(&input, "Domain"), &input),
            "UpdateResourceServer" => self.lay_over(Part::ResourceServers, &text(&input, "Identifier"), &input),
            "UpdateIdentityProvider" => self.lay_over(Part::IdentityProviders, &text(&input, "ProviderName"), &input),
            "UpdateUserPoolClient" => self.lay_over(Part::Clients, &client.expect("a client"), &input),
            "UpdateTerms" => self.lay_over(Part::Terms, &text(&input, "TermsId"), &input),
            other => panic!("the model has no {other}"),
        }
    }

    pub(super) fn edit(&mut self, part: Part, name: &str) -> &mut Value {
        self.parts.get_mut(&(part, name.to_owned())).expect("it is there")
    }

    pub(super) fn forget(&mut self, part: Part, name: &str) {
        self.parts.remove(&(part, name.to_owned())).expect("it is there");
    }

    pub(super) fn group(&mut self, name: &str) -> &mut GroupSettings {
        self.groups.get_mut(name).expect("it is there")
    }

    fn pool(&mut self, mut input: Value) {
        let schema = input["Schema"].take();
        let standard = |name: &str, required: bool| {
            json!({"Name": name, "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": true,
                "Required": required, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"}})
        };
        let told = |name: &str| schema.as_array().into_iter().flatten().any(|told| told["Name"] == name);
        let mut attributes: Vec<Value> = ["email", "name"].map(|name| standard(name, told(name))).into();
        attributes.push(
            json!({"Name": "birthdate", "AttributeDataType": "String", "DeveloperOnlyAttribute": false,
            "Mutable": true, "Required": false, "StringAttributeConstraints": {"MinLength": "10", "MaxLength": "10"}}),
        );
        attributes.push(
            json!({"Name": "updated_at", "AttributeDataType": "Number", "DeveloperOnlyAttribute": false,
            "Mutable": true, "Required": false, "NumberAttributeConstraints": {"MinValue": "0"}}),
        );
        attributes.push(
            json!({"Name": "email_verified", "AttributeDataType": "Boolean", "DeveloperOnlyAttribute": false,
            "Mutable": true, "Required": false}),
        );
        attributes.push(
            json!({"Name": "sub", "AttributeDataType": "String", "DeveloperOnlyAttribute": false,
            "Mutable": false, "Required": true, "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "2048"}}),
        );
        let is_custom = |told: &&Value| !attributes.iter().any(|attribute| attribute["Name"] == told["Name"]);
        let added: Vec<_> = schema
            .as_array()
            .into_iter()
            .flatten()
            .filter(is_custom)
            .cloned()
            .collect();
        attributes.extend(added.into_iter().map(custom));
        let pool = input.as_object_mut().expect("an object");
        let name = pool.remove("PoolName").expect("a name");
        pool.remove("Schema");
        pool.extend([
            ("Name".to_owned(), name),
            ("Id".to_owned(), json!(TARGET)),
            ("SchemaAttributes".to_owned(), Value::Array(attributes)),
            ("MfaConfiguration".to_owned(), json!("OFF")),
            ("LambdaConfig".to_owned(), json!({})),
        ]);
        self.make(Part::Pool, "pool", input);
    }

    fn make(&mut self, part: Part, name: &str, value: Value) {
        let before = self.parts.insert((part, name.to_owned()), value);
        assert!(before.is_none(), "{part:?} {name} was there already");
    }

    fn set(&mut self, part: Part, name: &str, value: Value) {
        self.parts.insert((part, name.to_owned()), value);
    }

    fn lay_over(&mut self, part: Part, name: &str, input: &Value) {
        let members = self.edit(part, name).as_object_mut().expect("an object");
        members.extend(input.as_object().expect("an object").clone());
    }

    pub(super) fn found(&self) -> Found {
        let members = self.parts.iter().map(|(member, value)| {
            let held = Held {
                read_at: Timestamp::from_millis(0),
                source: "Describe".to_owned(),
                content: Content::Json(Json::new(value.clone())),
            };
            (member.clone(), held)
        });
        Found {
            configuration: Configuration {
                members: members.collect(),
                ..Configuration::default()
            },
            groups: self.groups.clone(),
        }
    }
}

fn lay_over(base: &mut Value, changes: &Value) {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            for (name, change) in changes {
                lay_over(base.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (base, changes) => base.clone_from(changes),
    }
}

fn custom(mut attribute: Value) -> Value {
    attribute["Name"] = json!(format!("custom:{}", attribute["Name"].as_str().expect("a name")));
    attribute
}
