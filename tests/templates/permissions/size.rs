//! How many pools a stack can be given: IAM takes 10,240 characters of inline policies for a role, white space not counted [IAM user
//! guide, "IAM and AWS STS quotas"], and each pool has a policy.
//!
//! Invariant: every name is as long as AWS lets it be, and of the branches of a condition the longest counts.

use serde_json::{Map, Value};

use crate::templates::document::{Resource, Templates, elements, references};

const CHARACTERS_MAX: usize = 10_240;
/// `STACK-post-authentication` is the name of a function, of 64 characters at most.
const STACK_LETTERS: usize = 44;
/// Letters of a name that is not given here, such as a queue's, which CloudFormation makes: 80 are the most of SQS.
const NAME_LETTERS: usize = 80;

/// The names of one role's policies.
struct Names<'a> {
    role: &'a str,
    pools: usize,
}

/// `<Region>_` and nine characters, as Cognito makes them.
fn pool(number: usize) -> String {
    format!("ap-southeast-1_AbCdEf{number:03}")
}

/// What an ARN of this partition, Region and account begins with: the longest partition and one of the longest Regions.
fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws-us-gov:{service}:ap-southeast-1:123456789012:{rest}")
}

impl Names<'_> {
    fn of(&self, name: &str) -> String {
        let stack = "s".repeat(STACK_LETTERS);
        match name.split('.').next().unwrap_or(name) {
            "AWS::Partition" => "aws-us-gov".to_owned(),
            "AWS::Region" => "ap-southeast-1".to_owned(),
            "AWS::AccountId" | "TableAccountId" | "Account" => "123456789012".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com.cn".to_owned(),
            "AWS::StackName" => stack,
            "TableName" => format!("{stack}-backup"),
            // Only primary.yaml takes a table whose name has any length.
            "ExistingTableArn" => arn("dynamodb", &format!("table/{}", "t".repeat(255))),
            "PoolId" => pool(0),
            "UserPoolIds" => (0..self.pools).map(pool).collect::<Vec<_>>().join(","),
            key if key.ends_with("Key") || key.ends_with("KeyArn") => {
                arn("kms", &format!("key/mrk-{}", "a".repeat(32)))
            }
            other => arn("cloudwatch", &format!("{other}{}", "n".repeat(NAME_LETTERS))),
        }
    }

    /// `text` with names in the place of `${...}`.
    fn substituted(&self, text: &str, own: &Value) -> String {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            match own.get(name) {
                Some(value) => whole.push_str(self.resolved(value).as_str().unwrap_or_default()),
                None => whole.push_str(&self.of(name)),
            }
            whole.push_str(rest);
        }
        whole
    }

    /// `value` as IAM is given it.
    fn resolved(&self, value: &Value) -> Value {
        match value {
            Value::Array(list) => list
                .iter()
                .map(|one| self.resolved(one))
                .filter(|one| !one.is_null())
                .collect(),
            Value::Object(members) => match members.iter().next() {
                Some((function, of)) if members.len() == 1 => self.called(function, of),
                _ => Value::Object(self.members(members)),
            },
            plain => plain.clone(),
        }
    }

    fn members(&self, members: &Map<String, Value>) -> Map<String, Value> {
        members
            .iter()
            .map(|(name, value)| (name.clone(), self.resolved(value)))
            .collect()
    }

    /// What an intrinsic function answers.
    fn called(&self, function: &str, of: &Value) -> Value {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match function {
            "Ref" if of == "AWS::NoValue" => Value::Null,
            "Ref" => Value::String(self.of(&text(of))),
            "Fn::GetAtt" => Value::String(self.of(of[0].as_str().or(of.as_str()).unwrap_or_default())),
            "Fn::Sub" if of.is_array() => Value::String(self.substituted(&text(&of[0]), &of[1])),
            "Fn::Sub" => Value::String(self.substituted(&text(of), &Value::Null)),
            "Fn::If" => {
                let branches = [&of[1], &of[2]].map(|branch| self.resolved(branch));
                branches.into_iter().max_by_key(letters).unwrap_or_default()
            }
            // A list parameter stands here as one text.
            "Fn::Join" => Value::String(text(&self.resolved(&of[1])).replace(',', &text(&of[0]))),
            "Fn::Split" => text(&self.resolved(&of[1]))
                .split(&text(&of[0]))
                .map(Value::from)
                .collect(),
            function if function.contains("::") && function.starts_with("Fn") => panic!("{}: {function}", self.role),
            member => Value::Object([(member.to_owned(), self.resolved(of))].into_iter().collect()),
        }
    }
}

/// Characters of a policy, white space left out.
fn letters(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        value => value
            .to_string()
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .count(),
    }
}

/// Characters of all policies of a role with so many pools.
fn characters(templates: &Templates, role: Resource<'_>, pools: usize) -> usize {
    let names = Names { role: role.id, pools };
    let own = elements(role.property("Policies")).into_iter();
    let own: usize = own
        .map(|policy| letters(&names.resolved(&policy["PolicyDocument"])))
        .sum();
    let attached = templates.of_type("AWS::IAM::Policy").into_iter();
    let attached = attached.filter(|policy| policy.file == role.file);
    let attached = attached.filter(|policy| references(policy.property("Roles")).contains(role.id));
    // Of the loop over the pools.
    let each: usize = attached
        .map(|policy| letters(&names.resolved(policy.property("PolicyDocument"))))
        .sum();
    own + each * pools
}

#[test]
fn as_many_pools_as_the_templates_say_fit_into_iams_limit_and_no_more() {
    let templates = Templates::load();
    for (file, said, pools) in [
        ("primary.yaml", "At most seven", 7),
        ("recovery.yaml", "At most five", 5),
    ] {
        let description = templates.of(file)["Parameters"]["UserPoolIds"]["Description"].as_str();
        assert!(
            description.is_some_and(|text| text.contains(said)),
            "{file}: {description:?}"
        );
        let roles = templates.of_type("AWS::IAM::Role").into_iter();
        let roles: Vec<Resource<'_>> = roles.filter(|role| role.file == file).collect();
        let most = |pools| {
            let sizes = roles.iter().map(|role| characters(&templates, *role, pools));
            sizes.max().expect("a role")
        };
        let (fits, one_more) = (most(pools), most(pools + 1));
        assert!(fits <= CHARACTERS_MAX, "{file}: {fits} characters for {pools} pools");
        assert!(
            one_more > CHARACTERS_MAX,
            "{file}: {one_more} characters for {} pools would fit",
            pools + 1
        );
    }
}
