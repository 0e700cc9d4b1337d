//! An administrator's own copies of templates, read from `etc/regctl/templates`.

use super::trust::{self, Error};
use crate::{
    render::{Copy, Name, Templates},
    state::Layout,
    sys::managed,
};

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
    if !templates.copies.is_empty() {
        trust::template(&folder)?;
    }
    Ok(templates)
}
