//! Comma-separated values as RFC 4180 has them.
//!
//! Invariant: whatever a value holds, a reader of RFC 4180 gets it back unchanged.

/// One record with its line end.
pub(crate) fn record<'a>(fields: impl IntoIterator<Item = &'a str>) -> String {
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    format!("{}\r\n", fields.join(","))
}

fn field(value: &str) -> String {
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_to_be_quoted_is_quoted() {
        let fields = ["plain", "a,b", "say \"hi\"", "two\nlines", "cr\r", "", " spaces "];
        assert_eq!(
            record(fields),
            "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\"cr\r\",, spaces \r\n"
        );
    }

    #[test]
    fn what_is_written_reads_back() {
        let fields = ["a,\"b\"\r\nc", "", "\"", ",", "é"];
        assert_eq!(read(&record(fields)), fields);
    }

    /// A reader of one record, by the grammar of RFC 4180.
    fn read(text: &str) -> Vec<String> {
        let text = text.strip_suffix("\r\n").expect("a line end");
        let mut fields = vec![String::new()];
        let mut quoted = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match (quoted, c) {
                (true, '"') if chars.peek() == Some(&'"') => {
                    chars.next();
                    fields.last_mut().expect("a field").push('"');
                }
                (_, '"') => quoted = !quoted,
                (false, ',') => fields.push(String::new()),
                (_, c) => fields.last_mut().expect("a field").push(c),
            }
        }
        fields
    }
}
