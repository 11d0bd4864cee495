//! What of the target a step is about.
//!
//! Invariant: looks things up by their natural keys only.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{CREATE_CLIENT, Found, POOL_LEVEL, Part, Phase, Step, UPDATE_POOL};
use crate::import::configure::{ADMIN_ONLY, CREATE_GROUP, form, group_input};

/// What to do about a domain that [`is_taken`].
pub(super) const TAKEN: &str =
    "the target has another domain of its kind, and can have one: make it by hand or keep the other";

/// What is there already.
pub(super) struct Counterpart {
    /// As input of the step's operation.
    pub(super) form: Value,
    /// Members that name it in an update.
    pub(super) key: Map<String, Value>,
}

/// The counterpart of a step in the target.
pub(super) fn counterpart(step: &Step, clients: &BTreeMap<String, String>, found: &Found) -> Option<Counterpart> {
    if step.operation == CREATE_GROUP {
        let settings = found.groups.get(&step.subject)?;
        return Some(plain(group_input(&step.subject, Some(settings))));
    }
    if step.operation == UPDATE_POOL {
        let pool = found.json(Part::Pool, POOL_LEVEL);
        let member = |name: &str| {
            pool.and_then(|pool| pool.get(name))
                .cloned()
                .unwrap_or_else(|| json!({}))
        };
        let mut there =
            json!({"LambdaConfig": member("LambdaConfig"), "AdminCreateUserConfig": member("AdminCreateUserConfig")});
        // What Cognito does where nothing is said.
        if there["AdminCreateUserConfig"][ADMIN_ONLY].is_null() {
            there["AdminCreateUserConfig"][ADMIN_ONLY] = json!(false);
        }
        return Some(plain(there));
    }
    let shown = shown(step, clients, found)?;
    let mut form = form(step.operation, shown);
    if matches!(step.phase, Phase::Clients | Phase::OutsideSignIn) {
        form = changeable(&form);
    }
    let key = ["ManagedLoginBrandingId", "TermsId"];
    let key = key
        .iter()
        .filter_map(|id| Some(((*id).to_owned(), shown.get(id)?.clone())));
    Some(Counterpart {
        form,
        key: key.collect(),
    })
}

fn plain(form: Value) -> Counterpart {
    Counterpart { form, key: Map::new() }
}

fn shown<'a>(step: &Step, clients: &BTreeMap<String, String>, found: &'a Found) -> Option<&'a Value> {
    let of_client = |part| match &step.client {
        Some(old) => found.json(part, clients.get(old)?),
        None => found.json(part, POOL_LEVEL),
    };
    match step.phase {
        Phase::Pool | Phase::Groups | Phase::Triggers | Phase::SignUp => None,
        Phase::Mfa => found.json(Part::Mfa, POOL_LEVEL),
        Phase::Domains => found.json(Part::Domain, &step.subject),
        Phase::ResourceServers => found.json(Part::ResourceServers, &step.subject),
        Phase::IdentityProviders => found.json(Part::IdentityProviders, &step.subject),
        Phase::Clients | Phase::OutsideSignIn => of_client(Part::Clients),
        Phase::Branding => of_client(Part::Branding),
        Phase::UserInterface => of_client(Part::UiCustomization),
        Phase::Risk => of_client(Part::Risk),
        Phase::Sessions => of_client(Part::Sessions),
        Phase::LogDelivery => found.json(Part::LogDelivery, POOL_LEVEL),
        Phase::Terms => {
            let client = clients.get(step.client.as_ref()?)?;
            let mut all = found.all(Part::Terms).map(|(_, shown)| shown);
            all.find(|shown| shown["ClientId"] == client.as_str() && shown["TermsName"] == step.subject.as_str())
        }
    }
}

/// Without what only the making of it takes: a secret is chosen once.
pub(super) fn changeable(input: &Value) -> Value {
    let mut input = input.clone();
    if let Value::Object(members) = &mut input {
        members.remove("ClientSecret");
    }
    input
}

/// The operation that changes what `operation` makes, and whether it takes the client's id.
pub(super) fn update_of(operation: &'static str) -> (&'static str, bool) {
    match operation {
        "CreateUserPoolDomain" => ("UpdateUserPoolDomain", false),
        "CreateResourceServer" => ("UpdateResourceServer", false),
        "CreateIdentityProvider" => ("UpdateIdentityProvider", false),
        "CreateManagedLoginBranding" => ("UpdateManagedLoginBranding", false),
        "CreateTerms" => ("UpdateTerms", false),
        CREATE_GROUP => ("UpdateGroup", false),
        CREATE_CLIENT => ("UpdateUserPoolClient", true),
        other => (other, true),
    }
}

/// Whether the target has another domain of the same kind: it can have one prefix domain and one custom domain.
pub(super) fn is_taken(step: &Step, found: &Found) -> bool {
    let is_custom = |input: &Value| input.get("CustomDomainConfig").is_some();
    let wanted = is_custom(step.input.expose());
    step.phase == Phase::Domains
        && found.json(Part::Domain, &step.subject).is_none()
        && found
            .all(Part::Domain)
            .any(|(_, shown)| is_custom(&form(step.operation, shown)) == wanted)
}

/// Whether the client in the target has the secret of the backup, or both have none.
pub(super) fn has_its_secret(step: &Step, clients: &BTreeMap<String, String>, found: &Found) -> bool {
    let there = shown(step, clients, found).and_then(|shown| shown.get("ClientSecret"));
    there == step.input.expose().get("ClientSecret")
}
