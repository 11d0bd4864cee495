//! Members of a stored item that this version does not know.
//!
//! A newer version may have added them. Whoever rewrites the item carries them along, so that two versions can work on one
//! table while a deployment is under way.
//!
//! Invariant: what was read is written again, unread and unlogged.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};

/// Members by name. `Debug` tells the names only: nobody knows whether a value is personal.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unforeseen(BTreeMap<String, Anything>);

impl Unforeseen {
    /// Names of the members.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Unforeseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// Two items with the same members are the same item, also when a number of them is not equal to itself.
impl Eq for Unforeseen {}

/// Whatever JSON or DynamoDB can hold.
#[derive(Clone, PartialEq)]
enum Anything {
    Nothing,
    Flag(bool),
    Whole(i64),
    Natural(u64),
    Fraction(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Anything>),
    Map(BTreeMap<String, Anything>),
}

impl Serialize for Anything {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Natural(number) => serializer.serialize_u64(*number),
            Self::Fraction(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(list) => list.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Anything;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Anything, E> {
        Ok(Anything::Nothing)
    }

    fn visit_none<E>(self) -> Result<Anything, E> {
        Ok(Anything::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Anything, D::Error> {
        Anything::deserialize(deserializer)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Anything, E> {
        Ok(Anything::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Anything, E> {
        Ok(Anything::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Anything, E> {
        Ok(Anything::Natural(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Anything, E> {
        Ok(Anything::Fraction(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Anything, E> {
        Ok(Anything::Text(text.to_owned()))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Anything, E> {
        Ok(Anything::Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Anything, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Anything::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Anything, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((name, value)) = members.next_entry()? {
            map.insert(name, value);
        }
        Ok(Anything::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        let members =
            json!({"a": null, "b": [true, -1, 18_446_744_073_709_551_615_u64, 0.5], "c": {"d": "text", "e": {}}});
        let held: Unforeseen = serde_json::from_value(members.clone()).unwrap();
        assert_eq!(serde_json::to_value(&held).unwrap(), members);
        assert_eq!(held.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn names_are_shown_and_values_are_not() {
        let held: Unforeseen = serde_json::from_value(json!({"nickname": "secret value"})).unwrap();
        assert_eq!(format!("{held:?}"), r#"{"nickname"}"#);
        let _: Value = serde_json::to_value(&held).unwrap();
    }
}
