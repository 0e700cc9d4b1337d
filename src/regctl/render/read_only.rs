//! Switching read-only in a `config.yml` that has been rendered, and nothing else in it.
//!
//! What else would be rendered differently by now has not been applied, and stays so.

/// Returns the text with another value of `storage.maintenance.readonly.enabled`; `None` when that is not there
/// as regctl's own template writes it, one key on each line.
pub(crate) fn with_read_only(text: &str, read_only: bool) -> Option<String> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end().trim_start_matches(' ');
        let indent = line.len() - line.trim_start_matches(' ').len();
        if !content.is_empty() && !content.starts_with('#') {
            above.retain(|(outer, _)| *outer < indent);
            let (key, value) = content.split_once(':')?;
            above.push((indent, key));
            if above.iter().map(|(_, key)| *key).eq(PATH) {
                let value = value.trim_start();
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                let at = start + (line.trim_end().len() - value.len());
                return matches!(&value[..end], "true" | "false")
                    .then(|| [&text[..at], word(read_only), &text[at + end..]].concat());
            }
        }
        start += line.len();
    }
    None
}

const PATH: [&str; 4] = ["storage", "maintenance", "readonly", "enabled"];

fn word(read_only: bool) -> &'static str {
    if read_only { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_value_changes() {
        let text = |value| {
            format!(
                "version: 0.1\n# readonly:\nstorage:\n  filesystem:\n    enabled: false\n  maintenance:\n    uploadpurging:\n      enabled: true\n\n    readonly:\n      enabled: {value} # kept\nhttp:\n  readonly:\n    enabled: false\n"
            )
        };
        assert_eq!(with_read_only(&text("false"), true), Some(text("true")));
        assert_eq!(with_read_only(&text("true"), true), Some(text("true")));
        assert_eq!(with_read_only(&text("true"), false), Some(text("false")));
    }

    #[test]
    fn another_form_is_left_alone() {
        for text in [
            "",
            "storage:\n  maintenance: {readonly: {enabled: false}}\n",
            "storage:\n  maintenance:\n    readonly:\n      enabled: ${READ_ONLY}\n",
            "maintenance:\n  readonly:\n    enabled: false\n",
        ] {
            assert_eq!(with_read_only(text, true), None, "{text}");
        }
    }
}
