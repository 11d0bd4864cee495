//! Rewriting the references in one piece of configuration.
//!
//! A reference is a text that is an ARN and nothing else, or the name of a Region in a member whose name ends in `Region`.
//!
//! Invariant: what is left out or rewritten is exactly what the mapping names; everything else comes out as it went in.

use serde_json::{Map, Value};

use super::{Mapping, Place, Unmapped, arn::Arn};

/// Members without which the object around them means nothing: leaving one out leaves out the object.
const ESSENTIAL: [&str; 8] = [
    "ApplicationArn",
    "BucketArn",
    "CallerArn",
    "KmsKeyArn",
    "LambdaArn",
    "LogGroupArn",
    "SnsCallerArn",
    "StreamArn",
];
/// Of `LambdaConfig`: the key by which the functions that send the codes read them, and those functions, which Cognito takes
/// with a key only. [API: `LambdaConfigType`, `KMSKeyID`]
const SENDERS_KEY: &str = "KMSKeyID";
const SENDERS: [&str; 2] = ["CustomEmailSender", "CustomSMSSender"];
/// `NotifyConfiguration` has no sender without it; in `EmailConfiguration` it is optional.
const SENDER: (&str, &str) = ("NotifyConfiguration", "SourceArn");

/// A piece of configuration without references to the lost Region.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewritten {
    /// The piece.
    pub value: Value,
    /// What the mapping leaves out.
    pub left_out: Vec<LeftOut>,
}

/// Something that the mapping leaves out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Where it was.
    pub path: String,
    /// The ARN that is mapped to `null`.
    pub arn: String,
}

/// Rewrites `json`, which stands at `path`.
///
/// # Errors
/// Everything that is not mapped.
pub fn rewrite(path: &str, json: &Value, mapping: &Mapping, place: &Place) -> Result<Rewritten, Vec<Unmapped>> {
    let mut pass = Pass {
        mapping,
        place,
        left_out: Vec::new(),
        unmapped: Vec::new(),
    };
    let value = pass.value(path, "", json).unwrap_or(Value::Null);
    if pass.unmapped.is_empty() {
        Ok(Rewritten {
            value,
            left_out: pass.left_out,
        })
    } else {
        Err(pass.unmapped)
    }
}

struct Pass<'a> {
    mapping: &'a Mapping,
    place: &'a Place,
    left_out: Vec<LeftOut>,
    unmapped: Vec<Unmapped>,
}

impl Pass<'_> {
    /// The value of the member `name`, or `None` when it is left out.
    fn value(&mut self, path: &str, name: &str, value: &Value) -> Option<Value> {
        match value {
            Value::Object(members) => self.object(path, name, members),
            Value::Array(entries) => {
                let kept = entries.iter().enumerate();
                let kept = kept.filter_map(|(index, entry)| self.value(&format!("{path}[{index}]"), name, entry));
                Some(Value::Array(kept.collect()))
            }
            Value::String(text) => self.text(path, name, text).map(Value::String),
            _ => Some(value.clone()),
        }
    }

    fn object(&mut self, path: &str, name: &str, members: &Map<String, Value>) -> Option<Value> {
        let mut kept = Map::new();
        let mut pointless = false;
        let key = members.get(SENDERS_KEY).and_then(Value::as_str);
        let keyless = key.filter(|key| self.mapping.arns.get(*key) == Some(&None));
        for (member, value) in members {
            if let Some(key) = keyless.filter(|_| SENDERS.contains(&member.as_str())) {
                self.left_out.push(LeftOut {
                    path: format!("{path}/{member}"),
                    arn: key.to_owned(),
                });
                continue;
            }
            match self.value(&format!("{path}/{member}"), member, value) {
                Some(value) => {
                    kept.insert(member.clone(), value);
                }
                None => pointless |= ESSENTIAL.contains(&member.as_str()) || (name, member.as_str()) == SENDER,
            }
        }
        (!pointless).then_some(Value::Object(kept))
    }

    fn text(&mut self, path: &str, name: &str, text: &str) -> Option<String> {
        if let Some(arn) = Arn::parse(text) {
            return self.arn(path, text, arn);
        }
        if name.ends_with("Region") && text != self.place.target_region {
            return Some(self.region(path, text));
        }
        Some(text.to_owned())
    }

    fn arn(&mut self, path: &str, text: &str, arn: Arn<'_>) -> Option<String> {
        match self.mapping.arns.get(text) {
            Some(Some(new)) => return Some(new.clone()),
            Some(None) => {
                self.left_out.push(LeftOut {
                    path: path.to_owned(),
                    arn: text.to_owned(),
                });
                return None;
            }
            None => {}
        }
        if let Some(suggested) = counterpart(arn, self.place) {
            self.unmapped.push(Unmapped {
                path: path.to_owned(),
                kind: format!("{} ARN", arn.service),
                section: "arns",
                line: format!("\"{text}\": \"{suggested}\""),
            });
        }
        Some(text.to_owned())
    }

    fn region(&mut self, path: &str, text: &str) -> String {
        let new = self.mapping.regions.get(text).cloned();
        if new.is_none() {
            self.unmapped.push(Unmapped {
                path: path.to_owned(),
                kind: "Region".to_owned(),
                section: "regions",
                line: format!("\"{text}\": \"{}\"", self.place.target_region),
            });
        }
        new.unwrap_or_else(|| text.to_owned())
    }
}

/// What most likely takes the place of an ARN that cannot stay; `None` when it stays.
///
/// IAM is one for all Regions, and its roles stay where the account does. The name of a bucket has no Region, and yet the
/// bucket is in one.
fn counterpart(arn: Arn<'_>, place: &Place) -> Option<String> {
    match (arn.service, arn.region) {
        (_, region) if region == place.target_region => None,
        ("iam", _) if ["", "aws", &place.account].contains(&arn.account) => None,
        ("iam", _) => Some(arn.in_account(&place.account)),
        ("s3", "") => Some(format!("arn:aws:s3:::a-bucket-in-{}", place.target_region)),
        _ => Some(arn.in_region(&place.target_region)),
    }
}
