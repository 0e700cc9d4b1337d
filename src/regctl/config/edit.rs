//! Editing one key of `instance.toml`: everything else stays byte for byte as its author wrote it.
//!
//! A value that is there is replaced in its place; a key or a table that is missing is added as a line of its own.
//! Only where the author has written a table on one line must that line be written anew.

use std::ops::Range;

use toml_edit::{Document, DocumentMut, Item, TableLike, value};

/// Why a key is not edited.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not TOML: {0}")]
    Syntax(#[from] toml_edit::TomlError),
    #[error("`{path}` cannot be set: `{parent}` is no table")]
    NoTable { path: String, parent: String },
    #[error("`{0}` cannot be set where this file would have to have it")]
    NoPlace(String),
}

/// Returns the text with the flag of this whole name set, or unset: `registry.enable`.
pub(crate) fn set_flag(text: &str, path: &str, flag: bool) -> Result<String, Error> {
    let edited = match place(text, path)? {
        Place::Value(span) => spliced(text, span, &flag.to_string()),
        Place::After(header) => line_after(text, header, path, flag),
        Place::End => table_at_end(text, path, flag),
        Place::Elsewhere => rewritten(text, path, flag)?,
    };
    // A header at the end may open a table that dotted keys have closed.
    match reads(&edited, path) == Some(flag) {
        true => Ok(edited),
        false => {
            let edited = rewritten(text, path, flag)?;
            let is_set = reads(&edited, path) == Some(flag);
            is_set.then_some(edited).ok_or_else(|| Error::NoPlace(path.to_owned()))
        }
    }
}

/// Where a key is, or would be.
enum Place {
    Value(Range<usize>),
    /// Its table has a header there.
    After(Range<usize>),
    /// Nothing speaks of its table.
    End,
    Elsewhere,
}

fn place(text: &str, path: &str) -> Result<Place, Error> {
    let document = Document::parse(text)?;
    let mut item = document.as_item();
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let Some(table) = item.as_table_like() else { return Ok(Place::Elsewhere) };
        match table.get(name) {
            Some(found) => item = found,
            None => {
                let is_key = names.peek().is_none();
                return Ok(missing(item, is_key));
            }
        }
    }
    Ok(item.span().map_or(Place::Elsewhere, Place::Value))
}

/// Returns where something goes that its table does not have.
fn missing(table: &Item, is_key: bool) -> Place {
    match (table.as_table(), is_key) {
        (Some(table), true) if !table.is_dotted() && !table.is_implicit() => {
            table.span().map_or(Place::Elsewhere, Place::After)
        }
        (Some(table), false) if !table.is_dotted() => Place::End,
        _ => Place::Elsewhere,
    }
}

fn spliced(text: &str, span: Range<usize>, with: &str) -> String {
    [&text[..span.start], with, &text[span.end..]].concat()
}

/// Returns how the file ends its lines.
fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

fn name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn line_after(text: &str, header: Range<usize>, path: &str, flag: bool) -> String {
    let rest = &text[header.end..];
    let end = rest.find('\n').map_or(text.len(), |index| header.end + index + 1);
    let (before, after) = text.split_at(end);
    let end = line_end(text);
    let start = if before.ends_with('\n') { "" } else { end };
    format!("{before}{start}{} = {flag}{end}{after}", name(path))
}

fn table_at_end(text: &str, path: &str, flag: bool) -> String {
    let end = line_end(text);
    let table = path.rsplit_once('.').map_or("", |(table, _)| table);
    let start = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    let blank = if text.trim().is_empty() { "" } else { end };
    format!("{text}{start}{blank}[{table}]{end}{} = {flag}{end}", name(path))
}

/// Sets a key through the tree, which writes the tables anew that it changes.
fn rewritten(text: &str, path: &str, flag: bool) -> Result<String, Error> {
    let mut document: DocumentMut = text.parse()?;
    let no_table =
        |parent: &str| Error::NoTable { path: path.to_owned(), parent: parent.to_owned() };
    let (tables, key) = path.rsplit_once('.').unwrap_or(("", path));
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in tables.split('.').filter(|name| !name.is_empty()) {
        let item = table.entry(name).or_insert_with(toml_edit::table);
        table = item.as_table_like_mut().ok_or_else(|| no_table(name))?;
    }
    table.insert(key, value(flag));
    let edited = document.to_string();
    // The tree ends lines as Unix does.
    let is_changed = line_end(text) == "\r\n" && !edited.contains("\r\n");
    Ok(if is_changed { edited.replace('\n', "\r\n") } else { edited })
}

fn reads(text: &str, path: &str) -> Option<bool> {
    let document = Document::parse(text).ok()?;
    path.split('.').try_fold(document.as_item(), |item, name| item.get(name))?.as_bool()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "registry.storage.maintenance.readonly.enabled";

    fn on(text: &str) -> String {
        set_flag(text, PATH, true).unwrap()
    }

    #[test]
    fn a_value_is_replaced_in_its_place() {
        for before in [
            "# a\n[registry.storage.maintenance.readonly] # b\n  enabled   =  {} # c\n\n\n# d",
            "[registry]\nstorage.maintenance.readonly.enabled = {}",
            "[registry.storage]\r\nmaintenance = { readonly = { enabled = {} } }\r\n",
            "[registry.storage.maintenance]\nreadonly.enabled={}\n[registry]\na=1",
            "\u{feff}[registry.storage.maintenance.readonly]\nenabled = {}\n",
        ] {
            let off = before.replace("{}", "false");
            let result = set_flag(&off, PATH, true).unwrap();
            assert_eq!(result, before.replace("{}", "true"));
            assert_eq!(set_flag(&result, PATH, false).unwrap(), off);
        }
    }

    #[test]
    fn a_missing_key_goes_below_its_header() {
        for (before, after) in [
            (
                "[registry.storage.maintenance.readonly] # x\n# y\n",
                "[registry.storage.maintenance.readonly] # x\nenabled = true\n# y\n",
            ),
            (
                "[registry.storage.maintenance.readonly]",
                "[registry.storage.maintenance.readonly]\nenabled = true\n",
            ),
            (
                "[registry.storage.maintenance.readonly]\r\n[registry]\r\n",
                "[registry.storage.maintenance.readonly]\r\nenabled = true\r\n[registry]\r\n",
            ),
        ] {
            assert_eq!(on(before), after);
        }
    }

    #[test]
    fn a_missing_table_goes_to_the_end() {
        let table = "[registry.storage.maintenance.readonly]\nenabled = true\n";
        for before in
            ["[registry]\n# x\n", "[registry.storage.maintenance.uploadpurging]\nage = \"1d\"\n"]
        {
            assert_eq!(on(before), format!("{before}\n{table}"));
        }
        assert_eq!(on(""), table);
        assert_eq!(on("[registry]"), format!("[registry]\n\n{table}"));
        let before = "[registry]\r\n";
        assert_eq!(on(before), format!("{before}\r\n{}", table.replace('\n', "\r\n")));
    }

    #[test]
    fn a_table_on_one_line_is_written_anew_and_nothing_else() {
        for (before, after) in [
            (
                "# x\n[registry.storage]\nmaintenance = { }  # y\n",
                "maintenance = { readonly.enabled = true  }",
            ),
            (
                "# x\n[registry.storage]\nmaintenance.readonly = {} # y\n",
                "maintenance.readonly = { enabled = true } # y",
            ),
            (
                "# x\n[registry]\nstorage.maintenance.uploadpurging.age = '1d' # y\n",
                "storage.maintenance.readonly",
            ),
        ] {
            let result = on(before);
            assert_eq!(reads(&result, PATH), Some(true), "{result}");
            assert!(result.starts_with("# x\n[registry") && result.contains("# y"), "{result}");
            assert!(result.contains(after), "{result}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_edited() {
        assert!(matches!(set_flag("[registry", PATH, true), Err(Error::Syntax(_))));
        let no_table = set_flag("registry = 1\n", PATH, true);
        assert!(matches!(no_table, Err(Error::NoTable { parent, .. }) if parent == "registry"));
    }
}
