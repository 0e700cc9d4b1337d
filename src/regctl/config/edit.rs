//! Editing one key of `instance.toml`: everything else stays byte for byte as its author wrote it.
//!
//! A value that is there is replaced in its place; a key or a table that is missing is added as a line of its own.
//! Only where the author has written a table on one line must that line be written anew.

use std::ops::Range;

use toml_edit::{Document, DocumentMut, Item, TableLike, Value, value};

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

/// The names of drivers that a storage may have.
const DRIVERS: [&str; 4] = ["filesystem", "s3", "s3aws", "inmemory"];

/// Why the storage is not another one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwapError {
    #[error("not TOML: {0}")]
    Syntax(#[from] toml_edit::TomlError),
    #[error("there is no [migrate.to.{0}]")]
    NoTarget(String),
    #[error("[{0}] must be a table with a line of its own to begin with")]
    NoTable(String),
    #[error(
        "`gitlab_rails.registry_path` names the storage: write it as `rootdirectory` of [registry.storage.filesystem] instead"
    )]
    GitlabsName,
    #[error(
        "the storage that is left behind would be called [migrate.to.{0}], and there is one: remove that"
    )]
    Taken(String),
}

/// Returns the text with the storage that stands under `[migrate.to.<driver>]`. The one that was stands there instead, for
/// the way back; where it was not written, it is the folder `usual`. Nothing else changes, not even the number of a line.
pub(crate) fn swap_storage(text: &str, driver: &str, usual: &str) -> Result<String, SwapError> {
    let document = Document::parse(text)?;
    let header = |path: &str| -> Result<Option<Range<usize>>, SwapError> {
        let item = path
            .split('.')
            .try_fold(document.as_item(), |item, name| item.get(name))
            .filter(|item| !item.is_none());
        let Some(item) = item else { return Ok(None) };
        let table = item.as_table().filter(|table| !table.is_dotted() && !table.is_implicit());
        let span = table.and_then(|table| table.span());
        span.map(Some).ok_or_else(|| SwapError::NoTable(path.to_owned()))
    };
    if document.get("gitlab_rails").and_then(|table| table.get("registry_path")).is_some() {
        return Err(SwapError::GitlabsName);
    }
    let target = header(&format!("migrate.to.{driver}"))?;
    let target = target.ok_or_else(|| SwapError::NoTarget(driver.to_owned()))?;
    let mut old = None;
    for name in DRIVERS {
        if let Some(span) = header(&format!("registry.storage.{name}"))? {
            old = Some((name, span));
        }
    }
    let left = old.as_ref().map_or("filesystem", |(name, _)| name);
    if left != driver && header(&format!("migrate.to.{left}"))?.is_some() {
        return Err(SwapError::Taken(left.to_owned()));
    }
    let mut edits = vec![(target, format!("[registry.storage.{driver}]"))];
    let is_written = old.is_some();
    edits.extend(old.map(|(name, span)| (span, format!("[migrate.to.{name}]"))));
    edits.sort_by_key(|(span, _)| span.start);
    let mut edited = text.to_owned();
    for (span, with) in edits.into_iter().rev() {
        edited.replace_range(span, &with);
    }
    if !is_written {
        let end = line_end(text);
        let start = if edited.ends_with('\n') { "" } else { end };
        let root = Value::from(usual);
        let root = root.to_string();
        let table = format!("[migrate.to.filesystem]{end}rootdirectory = {}{end}", root.trim());
        edited = format!("{edited}{start}{end}{table}");
    }
    Ok(edited)
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
    fn storages_change_places_and_back() {
        let before = "# a\n[registry.storage.filesystem] # old\nrootdirectory = \"x\"\n\n\
                      [migrate.to.s3] # new\nbucket = \"b\"\n# end\n";
        let after = "# a\n[migrate.to.filesystem] # old\nrootdirectory = \"x\"\n\n\
                     [registry.storage.s3] # new\nbucket = \"b\"\n# end\n";
        assert_eq!(swap_storage(before, "s3", "usual").unwrap(), after);
        assert_eq!(swap_storage(after, "filesystem", "usual").unwrap(), before);
        let usual = swap_storage("[migrate.to.s3]\nbucket = \"b\"", "s3", "usual").unwrap();
        let expected = "[registry.storage.s3]\nbucket = \"b\"\n\n\
                        [migrate.to.filesystem]\nrootdirectory = \"usual\"\n";
        assert_eq!(usual, expected);
        let folders = "[registry.storage.filesystem]\na=1\n[migrate.to.filesystem]\na=2\n";
        let other = "[migrate.to.filesystem]\na=1\n[registry.storage.filesystem]\na=2\n";
        assert_eq!(swap_storage(folders, "filesystem", "usual").unwrap(), other);
    }

    #[test]
    fn storages_that_are_no_tables_of_their_own_stay() {
        let dotted = "[migrate.to.s3]\n[registry]\nstorage.filesystem.rootdirectory = \"x\"\n";
        let error = swap_storage(dotted, "s3", "usual").unwrap_err();
        assert!(matches!(error, SwapError::NoTable(_)), "{error}");
        let none = swap_storage("[registry]\n", "s3", "usual").unwrap_err();
        assert!(matches!(none, SwapError::NoTarget(_)), "{none}");
        let gitlabs = "[gitlab_rails]\nregistry_path = \"/srv\"\n[migrate.to.s3]\n";
        let gitlabs = swap_storage(gitlabs, "s3", "usual").unwrap_err();
        assert!(matches!(gitlabs, SwapError::GitlabsName), "{gitlabs}");
        let taken = "[registry.storage.s3]\n[migrate.to.filesystem]\n[migrate.to.s3]\n";
        let taken = swap_storage(taken, "filesystem", "usual").unwrap_err();
        assert!(matches!(taken, SwapError::Taken(_)), "{taken}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_edited() {
        assert!(matches!(set_flag("[registry", PATH, true), Err(Error::Syntax(_))));
        let no_table = set_flag("registry = 1\n", PATH, true);
        assert!(matches!(no_table, Err(Error::NoTable { parent, .. }) if parent == "registry"));
    }
}
