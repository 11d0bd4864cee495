//! The query protocol: a form in, XML out, both as the JSON that they stand for.
//!
//! Source: CloudFormation API reference, "Making API requests"; Smithy, "AWS query protocol".
//!
//! Invariant: an answer that was cut short is no answer.

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};
use serde_json::{Map, Value};

/// Of a form.
pub(super) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// Name of every entry of a list.
const MEMBER: &str = "member";

/// The form of a call. Objects and lists are laid out flat: `Parameters.member.1.ParameterKey`.
pub(super) fn form(operation: &str, version: &str, input: &Value) -> String {
    let mut pairs = vec![
        ("Action".to_owned(), operation.to_owned()),
        ("Version".to_owned(), version.to_owned()),
    ];
    flatten("", input, &mut pairs);
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn flatten(path: &str, value: &Value, pairs: &mut Vec<(String, String)>) {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                flatten(&below(name), value, pairs);
            }
        }
        Value::Array(entries) => {
            for (number, value) in (1..).zip(entries) {
                flatten(&below(&format!("{MEMBER}.{number}")), value, pairs);
            }
        }
        Value::Null => {}
        Value::String(text) => pairs.push((path.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => pairs.push((path.to_owned(), value.to_string())),
    }
}

/// RFC 3986: everything is escaped but its unreserved characters.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// What an answer says: elements with elements in them as objects, those with `member`s as lists, all others as text. An empty
/// element is an empty text, because nothing tells an empty list from it. `None` for what is no whole XML.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let mut leaves = leaves(text).into_iter();
    let mut document = Document::new(text);
    let mut root = document.root_element().ok()?;
    // The decoder takes the end of the text for the end of every element.
    let end = format!("</{}>", root.start_el().local());
    if !text.trim_end().ends_with(&end) {
        return None;
    }
    value(&mut root, &mut leaves).ok()
}

/// Of each element, in the order of their beginnings, whether there is no element in it.
fn leaves(text: &str) -> Vec<bool> {
    let mut document = Document::new(text);
    let mut depths = Vec::new();
    while let Some(element) = document.next_start_element() {
        depths.push(element.depth());
    }
    let deeper = |number: usize, depth: usize| depths.get(number + 1).is_some_and(|next| *next > depth);
    let elements = depths.iter().enumerate();
    elements.map(|(number, depth)| !deeper(number, *depth)).collect()
}

fn value(
    element: &mut ScopedDecoder<'_, '_>,
    leaves: &mut impl Iterator<Item = bool>,
) -> Result<Value, XmlDecodeError> {
    if leaves.next().unwrap_or(true) {
        return try_data(element).map(|text| Value::String(text.into_owned()));
    }
    let mut members = Vec::new();
    while let Some(mut child) = element.next_tag() {
        let name = child.start_el().local().to_owned();
        members.push((name, value(&mut child, leaves)?));
    }
    Ok(if members.iter().all(|(name, _)| name == MEMBER) {
        members.into_iter().map(|(_, value)| value).collect()
    } else {
        Value::Object(members.into_iter().collect::<Map<_, _>>())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_flat_and_escaped() {
        let input = json!({"StackName": "a b", "UsePreviousTemplate": true, "RoleARN": null, "Capabilities": ["X", "Y"],
            "Parameters": [{"ParameterKey": "K", "ParameterValue": "cron(0 3 * * ? *)&ü"}]});
        assert_eq!(
            form("UpdateStack", "2010-05-15", &input),
            "Action=UpdateStack&Version=2010-05-15&Capabilities.member.1=X&Capabilities.member.2=Y\
             &Parameters.member.1.ParameterKey=K&Parameters.member.1.ParameterValue=cron%280%203%20%2A%20%2A%20%3F%20%2A%29%26%C3%BC\
             &StackName=a%20b&UsePreviousTemplate=true"
        );
    }

    #[test]
    fn an_answer_is_read_with_its_lists_and_entities() {
        let xml = r#"<?xml version="1.0"?>
            <DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>
              <member><StackName>a &amp; b</StackName><Parameters><member><ParameterKey>K</ParameterKey><ParameterValue/></member>
              </Parameters><Capabilities><member>X</member><member>Y</member></Capabilities><Tags></Tags></member>
            </Stacks></DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStacksResponse>"#;
        let stack = json!({"StackName": "a & b", "Parameters": [{"ParameterKey": "K", "ParameterValue": ""}],
            "Capabilities": ["X", "Y"], "Tags": ""});
        let expected = json!({"DescribeStacksResult": {"Stacks": [stack]}, "ResponseMetadata": {"RequestId": "1"}});
        assert_eq!(read(xml.as_bytes()), Some(expected));
    }

    #[test]
    fn an_answer_that_is_cut_short_is_none() {
        let xml = "<R><Stacks><member><Name>a</Name></member></Stacks></R>";
        assert!(read(xml.as_bytes()).is_some());
        for cut in 0..xml.len() {
            assert_eq!(read(&xml.as_bytes()[..cut]), None, "{}", &xml[..cut]);
        }
        assert_eq!(read(b"{}"), None);
    }
}
