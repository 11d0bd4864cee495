//! Lines of the sub map.

use twinpool_shared::import::sub_map::{CSV_HEADER, Entry};

use crate::generate::sub;

#[test]
fn lines_of_both_forms() {
    let mut entry = Entry {
        old: sub("old-1"),
        new: sub("new_2"),
        first: None,
    };
    assert_eq!(CSV_HEADER, "old_sub,new_sub,first_sub");
    assert_eq!(entry.csv_line(), "old-1,new_2,");
    assert_eq!(entry.json_line(), r#"{"old":"old-1","new":"new_2"}"#);
    entry.first = Some(sub("first3"));
    assert_eq!(entry.csv_line(), "old-1,new_2,first3");
    assert_eq!(entry.json_line(), r#"{"old":"old-1","new":"new_2","first":"first3"}"#);
}

#[test]
fn a_json_line_is_the_entry() {
    for first in [None, Some(sub("first3"))] {
        let entry = Entry {
            old: sub("old-1"),
            new: sub("new_2"),
            first,
        };
        assert_eq!(serde_json::to_string(&entry).unwrap(), entry.json_line());
        assert_eq!(serde_json::from_str::<Entry>(&entry.json_line()).unwrap(), entry);
    }
}
