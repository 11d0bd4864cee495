//! Host names of the pool's own domains, which name the Region, in URLs and as relying party.
//!
//! Source: the developer guide, "Configuring a user pool domain": `{prefix}.auth.{region}.amazoncognito.com`.
//!
//! Invariant: only the pool's own hosts are rewritten. A value that names the lost Region in another way is pointed out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::import::mapping::Place;

/// The hosts of the pool's domains in the target, by those in the backup.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts(BTreeMap<String, String>);

impl Hosts {
    /// Adds a domain: a prefix, or a whole name.
    pub(super) fn add(&mut self, old: &str, new: &str, place: &Place) {
        let host = |name: &str, region: &str| {
            if name.contains('.') {
                name.to_owned()
            } else {
                format!("{name}.auth.{region}.amazoncognito.com")
            }
        };
        self.0
            .insert(host(old, &place.source_region), host(new, &place.target_region));
    }

    /// Puts the new hosts in place of the old ones, wherever they are.
    pub(super) fn rewrite(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for (old, new) in &self.0 {
                    *text = replaced(text, old, new);
                }
            }
            Value::Array(entries) => entries.iter_mut().for_each(|entry| self.rewrite(entry)),
            Value::Object(members) => members.values_mut().for_each(|member| self.rewrite(member)),
            _ => {}
        }
    }
}

/// `text` with every whole host name `old` replaced.
fn replaced(text: &str, old: &str, new: &str) -> String {
    let is_of_host = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    let (mut done, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(old) {
        let (before, after) = rest.split_at(at);
        let after = after.strip_prefix(old).unwrap_or_default();
        let is_whole = !before.ends_with(is_of_host) && !after.starts_with(is_of_host);
        done.push_str(before);
        done.push_str(if is_whole { new } else { old });
        rest = after;
    }
    done + rest
}

/// Paths of texts that name a host of the source Region, or the source pool.
pub(super) fn mentions(path: &str, value: &Value, region: &str, pool: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let host = [
                format!(".{region}.amazonaws.com"),
                format!(".{region}.amazoncognito.com"),
            ];
            if host.iter().any(|host| text.contains(host)) || text.contains(pool) {
                found.push(path.to_owned());
            }
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                mentions(&format!("{path}[{index}]"), entry, region, pool, found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                mentions(&format!("{path}/{name}"), member, region, pool, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_hosts_of_the_pool_are_replaced() {
        let place = Place::new("us-east-1_a", "us-west-2", "1").expect("a place");
        let mut hosts = Hosts::default();
        hosts.add("login", "login", &place);
        hosts.add("auth.example.com", "auth2.example.com", &place);
        for (old, new) in [
            (
                "https://login.auth.us-east-1.amazoncognito.com/oauth2/idpresponse",
                "https://login.auth.us-west-2.amazoncognito.com/oauth2/idpresponse",
            ),
            ("auth.example.com", "auth2.example.com"),
            ("https://auth.example.com:443/a", "https://auth2.example.com:443/a"),
            (
                "my-login.auth.us-east-1.amazoncognito.com",
                "my-login.auth.us-east-1.amazoncognito.com",
            ),
            ("https://auth.example.com.au/", "https://auth.example.com.au/"),
        ] {
            let mut value = serde_json::json!({"URLs": [old]});
            hosts.rewrite(&mut value);
            assert_eq!(value["URLs"][0], new);
        }
    }
}
