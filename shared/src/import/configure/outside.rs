//! What the pool shows to the outside: domains, resource servers, identity providers.
//!
//! Invariant: a custom domain is made only with a certificate that the mapping names; nobody's DNS is touched.

use serde_json::json;

use super::{Phase, build::Build, form, step::CREATE_DOMAIN};
use crate::{import::mapping::DomainTarget, marks::Part};

/// Why a domain cannot become `target`: a prefix stays a prefix, and a custom domain a custom domain.
fn unlike(name: &str, is_custom: bool, target: &DomainTarget) -> Option<String> {
    let line = |rest: &str| format!("\"{name}\" in \"domains\" of the mapping file: {rest}");
    let is_whole = target.name.contains('.');
    match (is_custom, is_whole) {
        (true, false) => Some(line(&format!(
            "{} is a prefix, and {name} is a custom domain: give a whole name and its certificate, or null",
            target.name
        ))),
        (false, true) => Some(line(&format!(
            "{} is a whole name, and {name} is a prefix: give another prefix, or null",
            target.name
        ))),
        (false, false) if target.certificate.is_some() => {
            Some(line("a prefix has no certificate: leave \"certificate\" out"))
        }
        _ => None,
    }
}

impl Build<'_> {
    pub(super) fn domains(&mut self) {
        for (name, shown) in self.members(Part::Domain) {
            let path = format!("domain/{name}");
            let mut input = form(CREATE_DOMAIN, shown);
            let is_custom = input.get("CustomDomainConfig").is_some();
            let target = match self.mapping.domains.get(name) {
                Some(None) => {
                    self.gap(path, "the mapping makes no domain of it");
                    continue;
                }
                Some(Some(target)) => Some(target),
                None => None,
            };
            if let Some(what) = target.and_then(|target| unlike(name, is_custom, target)) {
                self.refuse(what);
                continue;
            }
            let certificate = target.and_then(|target| target.certificate.clone());
            if is_custom && certificate.is_none() {
                let line =
                    format!("\"{name}\": {{\"name\": \"{name}\", \"certificate\": \"arn:aws:acm:us-east-1:...\"}}");
                let what = format!(
                    "make this custom domain and point its DNS name there, or add to \"domains\" in the mapping file: {line}"
                );
                self.gap(path, what);
                continue;
            }
            input["Domain"] = json!(target.map_or(name, |target| target.name.as_str()));
            if let Some(certificate) = certificate.filter(|_| is_custom) {
                input["CustomDomainConfig"]["CertificateArn"] = json!(certificate);
                self.task(
                    &path,
                    "point the DNS name of the custom domain to the CloudFront distribution of the new one",
                );
            }
            if shown.get("Routing").is_some_and(|routing| !routing.is_null()) {
                self.gap(format!("{path}/Routing"), "failover to a replica is not restored");
            }
            let subject = input["Domain"].as_str().unwrap_or(name).to_owned();
            self.push(Phase::Domains, CREATE_DOMAIN, &subject, None, input);
            self.has_domain = true;
        }
    }

    pub(super) fn resource_servers(&mut self) {
        for (name, shown) in self.members(Part::ResourceServers) {
            self.set(
                (Phase::ResourceServers, "CreateResourceServer"),
                Part::ResourceServers,
                name,
                shown,
            );
        }
    }

    pub(super) fn identity_providers(&mut self) {
        for (name, shown) in self.members(Part::IdentityProviders) {
            let path = format!("identity-providers/{name}");
            if shown["ProviderType"] == "SignInWithApple" && shown["ProviderDetails"]["private_key"].is_null() {
                // `DescribeIdentityProvider` shows no private key of Apple's.
                self.gap(
                    path,
                    "make it with its private key, which Cognito shows to nobody, and add it to its app clients",
                );
                self.missing_providers.insert(name.to_owned());
                continue;
            }
            self.task(
                path,
                "allow the new pool's domain as redirect URI (or entity and ACS URL) at the provider",
            );
            let phase = (Phase::IdentityProviders, "CreateIdentityProvider");
            self.set(phase, Part::IdentityProviders, name, shown);
        }
    }
}
