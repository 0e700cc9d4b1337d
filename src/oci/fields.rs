//! JSON objects as Distribution reads them.
//!
//! Distribution and most clients are written in Go, whose decoder takes a key in any case, lets the
//! last of several win and takes `null` for nothing said. Storage holds what such a decoder
//! accepted, and a collector that saw fewer layers in a manifest than the registry that took it
//! would delete the others. So this crate reads objects by the same rules.

use std::fmt;

use serde::de;

/// Declares what may be read from an object: for each key nothing, `null` or a value.
///
/// Other keys are skipped. An error says in which field it is.
#[macro_export]
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name {
            $(pub(crate) $field: Option<Option<$type>>,)*
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map($crate::fields::Object::<$name>::default())
            }
        }

        impl $crate::fields::Fields for $name {
            fn read<'de, A>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>
            where
                A: serde::de::MapAccess<'de>,
            {
                $(if $crate::fields::is_key(key, $key) {
                    return $crate::fields::read_into(&mut self.$field, $key, map);
                })*
                map.next_value::<serde::de::IgnoredAny>().map(|_| ())
            }
        }
    };
}
pub use object;

/// What an [`object!`] does with one key.
pub trait Fields: Default {
    /// Reads the value that belongs to the key.
    fn read<'de, A: de::MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Visits an object.
#[derive(Debug, Default)]
pub struct Object<T>(T);

impl<'de, T: Fields> de::Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut fields = self.0;
        while let Some(key) = map.next_key::<String>()? {
            fields.read(&key, &mut map)?;
        }
        Ok(fields)
    }
}

/// Reads a value or `null`; a `null` does not undo an earlier value.
pub fn read_into<'de, A, T>(
    field: &mut Option<Option<T>>,
    key: &str,
    map: &mut A,
) -> Result<(), A::Error>
where
    A: de::MapAccess<'de>,
    T: de::Deserialize<'de>,
{
    let in_field = |error| de::Error::custom(format_args!("`{key}`: {error}"));
    match map.next_value::<Option<T>>().map_err(in_field)? {
        Some(value) => *field = Some(Some(value)),
        None => *field = Some(field.take().flatten()),
    }
    Ok(())
}

/// Whether a key that was sent is meant to be this one.
pub fn is_key(sent: &str, key: &str) -> bool {
    sent == key || sent.chars().map(fold).eq(key.chars().map(fold))
}

/// Folds case as Go's decoder does, to which two letters beyond ASCII are `k` and `s`.
const fn fold(character: char) -> char {
    match character {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        _ => character.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    object! {
        /// Two fields are enough.
        Sample {
            name: String = "name",
            size: u64 = "layerSize",
        }
    }

    fn read(json: &str) -> Result<Sample, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_match_in_any_case_and_the_last_wins() {
        let sample =
            read(r#"{"NAME": "a", "Name": "b", "layer\u017fize": 3, "other": [{}]}"#).unwrap();
        assert_eq!(sample.name, Some(Some("b".into())));
        assert_eq!(sample.size, Some(Some(3)));
    }

    #[test]
    fn null_does_not_undo_a_value() {
        assert_eq!(read(r#"{"name": "a", "name": null}"#).unwrap().name, Some(Some("a".into())));
    }

    #[test]
    fn null_is_told_from_absent() {
        let sample = read(r#"{"name": null}"#).unwrap();
        assert_eq!((sample.name, sample.size), (Some(None), None));
    }

    #[test]
    fn an_error_names_the_field_and_the_place() {
        assert_eq!(
            read(r#"{"LAYERSIZE": "x"}"#).unwrap_err(),
            "`layerSize`: invalid type: string \"x\", expected u64 at line 1 column 17"
        );
    }
}
