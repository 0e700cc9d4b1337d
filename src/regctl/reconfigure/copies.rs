//! An administrator's own copies of templates, read from `etc/regctl/templates`.

use std::path::Path;

use super::trust::{self, Error};
use crate::{
    config::nearest,
    render::{Copy, Name, Templates},
    state::Layout,
    sys::{fs, managed},
};

/// The most files that are looked at for a name that is none.
const STRANGERS_MAX: usize = 100;

/// Reads the copies that are there.
pub(crate) fn load(layout: &Layout) -> Result<Templates, Error> {
    let folder = layout.templates();
    let mut templates = Templates::default();
    for name in Name::ALL {
        let path = folder.join(name.as_str());
        let Some(found) = managed::read(&path)? else { continue };
        trust::template(&path)?;
        let copy = Copy { path: path.display().to_string(), text: found.text };
        templates.copies.insert(name, copy);
    }
    for name in fs::names_in(&folder, STRANGERS_MAX)? {
        if name.ends_with(".j2") && Name::ALL.iter().all(|known| known.as_str() != name) {
            templates.strangers.push(stranger(&folder, &name));
        }
    }
    if !templates.copies.is_empty() {
        trust::template(&folder)?;
    }
    Ok(templates)
}

/// Says that a file is no template, and which one was perhaps meant.
fn stranger(folder: &Path, name: &str) -> String {
    let names = Name::ALL.map(Name::as_str);
    let path = folder.join(name);
    let what = format!("`{}` does nothing: no template is called that", path.display());
    match nearest(name, names) {
        Some(near) => format!("{what}; did you mean `{near}`?"),
        None => format!("{what}; the templates are {}", names.join(", ")),
    }
}
