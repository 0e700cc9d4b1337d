//! The files as they were when the services were last seen to serve, kept until they are seen to serve with the new ones.
//!
//! It is what a roll-back goes by, also that of the next command, when the one that made the change was killed before it
//! could see what came of it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::plan::{Access, Change, Kind, OldAccess, Plan};
use crate::{
    render::Content,
    state::{
        Layout,
        layout::STATE_MODE,
        owner::{Ownership, Principal},
    },
    sys::{
        fs::{self, Existing},
        managed,
    },
};

const SCHEMA: u32 = 1;

/// It holds what the files hold, secrets included.
const MODE: u32 = 0o600;

/// Files as they were.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Former {
    files: Vec<FormerFile>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct FormerFile {
    path: PathBuf,
    /// None: there was no such file.
    was: Option<Was>,
}

#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
struct Was {
    text: String,
    mode: u32,
    ids: (u32, u32),
}

/// The form on disk; paths are under the root.
#[derive(Deserialize, Serialize)]
struct OnDisk {
    schema: u32,
    files: Vec<FormerFile>,
}

/// Why it is not known how the files were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error("`{}` was not written by this regctl: {reason}; remove it to go on without", path.display())]
    Foreign { path: PathBuf, reason: String },
}

impl Former {
    /// Returns what a command that did not come to its end has left.
    pub(super) fn load(layout: &Layout) -> Result<Option<Self>, Error> {
        let path = layout.former();
        let Some(found) = managed::read(&path)? else { return Ok(None) };
        Self::parse(&found.text, layout).map(Some).map_err(|reason| Error::Foreign { path, reason })
    }

    /// Takes only what regctl itself would write: it decides which files are replaced.
    fn parse(text: &str, layout: &Layout) -> Result<Self, String> {
        let stored: OnDisk = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if stored.schema != SCHEMA {
            return Err(format!("its schema is {}, and must be {SCHEMA}", stored.schema));
        }
        let managed = layout.managed();
        let known = |file: FormerFile| {
            let path = layout.resolve(&file.path);
            match managed.contains(&path) {
                true => Ok(FormerFile { path, ..file }),
                false => Err(format!("`{}` is no file that regctl writes", path.display())),
            }
        };
        let files = stored.files.into_iter().map(known).collect::<Result<_, _>>()?;
        Ok(Self { files })
    }

    /// What a file held; none where it is not known, or was not there.
    pub(super) fn text_of(&self, path: &Path) -> Option<&str> {
        let file = self.files.iter().find(|file| file.path == path)?;
        file.was.as_ref().map(|was| was.text.as_str())
    }

    /// Adds the files that a plan changes, as they are now; those that are there already are older, and stay.
    ///
    /// Secrets are made for good.
    pub(super) fn add(&mut self, plan: &Plan, layout: &Layout) -> Result<(), fs::Error> {
        let for_good = [layout.secrets_json(), layout.token_crt()];
        for Change { path, .. } in &plan.changes {
            if !for_good.contains(path) && !self.files.iter().any(|file| file.path == *path) {
                let was = managed::read(path)?;
                let was =
                    was.map(|was| Was { text: was.text, mode: was.mode, ids: (was.uid, was.gid) });
                self.files.push(FormerFile { path: path.clone(), was });
            }
        }
        Ok(())
    }

    /// Keeps it for whoever comes next.
    pub(super) fn save(&self, layout: &Layout) -> Result<(), fs::Error> {
        let near = |file: &FormerFile| {
            let path = file.path.strip_prefix(layout.root()).unwrap_or(&file.path).to_owned();
            FormerFile { path, was: file.was.clone() }
        };
        let stored = OnDisk { schema: SCHEMA, files: self.files.iter().map(near).collect() };
        let text = serde_json::to_string(&stored).expect("paths under the root are text");
        fs::create_folder(&layout.state(), STATE_MODE)?;
        fs::write_atomic(&layout.former(), text.as_bytes(), MODE, Existing::Replace)
    }

    /// The services serve: how the files were is of no more use.
    pub(super) fn forget(layout: &Layout) -> Result<(), fs::Error> {
        fs::remove(&layout.former())
    }

    /// Returns what must change for the files to be as they were.
    pub(super) fn way_back(&self) -> Result<Plan, fs::Error> {
        let mut plan = Plan::default();
        for FormerFile { path, was } in &self.files {
            let found = managed::read(path)?;
            let kind = match (was, found) {
                (None, None) => continue,
                (None, Some(found)) => Kind::Remove { old: found.text },
                (Some(was), None) => Kind::Create { content: was.content(), access: was.access() },
                (Some(was), Some(found)) => {
                    let old_access = OldAccess { mode: found.mode, ids: (found.uid, found.gid) };
                    if found.text == was.text
                        && (old_access.mode, old_access.ids) == (was.mode, was.ids)
                    {
                        continue;
                    }
                    let (content, access) = (was.content(), was.access());
                    Kind::Replace { old: found.text, old_access, content, access }
                }
            };
            plan.changes.push(Change { path: path.clone(), kind });
        }
        Ok(plan)
    }
}

impl Was {
    fn content(&self) -> Content {
        // Nobody is shown the way back.
        Content { text: self.text.clone(), shown: String::new() }
    }

    fn access(&self) -> Access {
        let (uid, gid) = self.ids;
        let user = Principal { name: uid.to_string(), id: Some(uid) };
        let group = Principal { name: gid.to_string(), id: Some(gid) };
        Access { mode: self.mode, owner: Some(Ownership { user, group }) }
    }
}

impl fmt::Debug for Was {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a file of mode {:04o}", self.mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconfigure::apply::apply;

    fn changed(path: PathBuf) -> Change {
        let content = Content { text: "new".to_owned(), shown: String::new() };
        let access = Access { mode: 0o640, owner: None };
        Change { path, kind: Kind::Create { content, access } }
    }

    #[test]
    fn the_way_back_leads_to_the_oldest_files_over_two_changes() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path().to_owned());
        layout.create_folders().unwrap();
        let (kept, made) = (layout.config_yml(), layout.nginx_conf());
        fs::write_atomic(&kept, b"first", 0o640, Existing::Replace).unwrap();
        let plan =
            Plan { changes: vec![changed(kept.clone()), changed(made.clone())], ..Plan::default() };
        let mut former = Former::default();
        former.add(&plan, &layout).unwrap();
        former.save(&layout).unwrap();
        for text in ["second", "third"] {
            fs::write_atomic(&kept, text.as_bytes(), 0o600, Existing::Replace).unwrap();
            fs::write_atomic(&made, text.as_bytes(), 0o644, Existing::Replace).unwrap();
            let mut former = Former::load(&layout).unwrap().unwrap();
            former.add(&plan, &layout).unwrap();
            former.save(&layout).unwrap();
        }
        let back = Former::load(&layout).unwrap().unwrap().way_back().unwrap();
        apply(&layout, &back).unwrap();
        let found = managed::read(&kept).unwrap().unwrap();
        assert_eq!((found.text.as_str(), found.mode), ("first", 0o640));
        assert_eq!(managed::read(&made).unwrap(), None);
        assert!(Former::load(&layout).unwrap().unwrap().way_back().unwrap().is_empty());
        Former::forget(&layout).unwrap();
        assert_eq!(Former::load(&layout).unwrap(), None);
    }

    #[test]
    fn only_files_that_regctl_writes_come_back() {
        let layout = Layout::new("/srv".into());
        for path in ["/etc/passwd", "etc/../etc/passwd", "var/opt/regctl/storage/docker"] {
            let text = format!(r#"{{"schema":1,"files":[{{"path":"{path}","was":null}}]}}"#);
            assert!(
                Former::parse(&text, &layout).unwrap_err().contains("no file that regctl"),
                "{path}"
            );
        }
        assert!(Former::parse(r#"{"schema":2,"files":[]}"#, &layout).is_err());
        assert!(Former::parse("", &layout).is_err());
    }
}
