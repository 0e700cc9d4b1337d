//! What the text of a scalar means: YAML 1.1 as Go's yaml.v2 reads it.

/// One of the spellings that YAML 1.1 has for a boolean.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(false)
        }
        _ => None,
    }
}

/// An integer in any of Go's bases: `1000`, `1_000`, `0x3e8`, `0o1750`, `01750`, `0b11`.
pub(super) fn integer(text: &str) -> Option<i64> {
    let plain = text.replace('_', "");
    let (sign, digits) = match plain.as_bytes().first()? {
        b'-' => ("-", &plain[1..]),
        b'+' => ("", &plain[1..]),
        _ => ("", plain.as_str()),
    };
    let (radix, digits) = radix(digits);
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

fn radix(digits: &str) -> (u32, &str) {
    const PREFIXES: [(&str, u32); 6] =
        [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    for (prefix, radix) in PREFIXES {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return (radix, rest);
        }
    }
    match digits.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => (8, rest),
        _ => (10, digits),
    }
}

#[cfg(test)]
mod tests {
    use super::{boolean, integer};

    #[test]
    fn booleans_are_those_of_yaml_1_1() {
        for (text, meant) in [
            ("yes", Some(true)),
            ("On", Some(true)),
            ("y", Some(true)),
            ("TRUE", Some(true)),
            ("off", Some(false)),
            ("N", Some(false)),
            ("No", Some(false)),
            ("yES", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(boolean(text), meant, "{text}");
        }
    }

    #[test]
    fn integers_come_in_the_bases_of_go() {
        for (text, meant) in [
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            ("0x10", Some(16)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("0b11", Some(3)),
            ("08", None),
            ("--5", None),
            ("0x-5", None),
            ("5k", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(integer(text), meant, "{text}");
        }
    }
}
