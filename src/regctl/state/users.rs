//! Users and their passwords: a file as Apache's `htpasswd -B` writes it, one `NAME:HASH` a line.
//!
//! Other people's lines, comments and their order stay as they are. The registry takes bcrypt alone, and of
//! two lines for one name the last.

use std::{
    fmt, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
};

use bcrypt::{HashParts, Version};

use super::{
    Layout, Lock, Patience,
    lock::{self, Held},
};
use crate::{
    Secret,
    sys::{account, fs, host, owned},
};

/// The mode of a new file: it is worth guessing at.
pub(crate) const MODE: u32 = 0o640;

/// The content of a file without users. To programs that read it a file without a byte is one that somebody is
/// about to write.
pub(crate) const NOBODY: &str = "# NAME:HASH, one on each line; `regctl user add NAME` adds one\n";

/// The work of one hash, a power of two: a tenth of a second for whoever signs in, and for every guess.
const COST: u32 = 10;

/// What bcrypt reads of a password.
const PASSWORD_BYTES_MAX: usize = 72;

const NAME_BYTES_MAX: usize = 255;

/// A name that can stand in the file, and in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct UserName(String);

/// A password that can be hashed whole.
#[derive(Clone, Debug)]
pub(crate) struct Password(Secret);

/// A value that cannot be used: the end of the sentence "must …".
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unusable(&'static str);

/// The content of the file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Users {
    lines: Vec<Line>,
}

/// One line, with its end.
#[derive(Clone, Eq, PartialEq)]
struct Line {
    text: String,
    kind: LineKind,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum LineKind {
    /// Nothing, or a comment.
    Aside,
    User {
        name: String,
        hash: String,
    },
    /// Neither: the registry cannot read the file.
    Broken,
}

/// A line that means, or should mean, a user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) line: usize,
    /// None: the line is broken.
    pub(crate) name: Option<String>,
    /// Why nobody gets in by this line.
    pub(crate) problem: Option<&'static str>,
}

/// Why users are not as asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    File(#[from] fs::Error),
    #[error(transparent)]
    Lock(#[from] lock::Error),
    #[error("the user `{0}` exists")]
    Exists(UserName),
    #[error("there is no user `{0}`")]
    Missing(UserName),
    #[error("this is not the password of `{0}`")]
    Wrong(UserName),
    #[error("nobody can sign in as `{name}`: {problem}")]
    Useless { name: UserName, problem: &'static str },
    #[error("the registry's group `{0}` does not exist yet")]
    NoGroup(String),
    #[error("failed to look up the group `{group}`")]
    Group { group: String, source: io::Error },
    #[error("failed to hash the password")]
    Hash(#[source] bcrypt::BcryptError),
}

impl FromStr for UserName {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Self, Unusable> {
        let reason = match () {
            () if text.is_empty() => "must not be empty",
            () if text.len() > NAME_BYTES_MAX => "must have at most 255 bytes",
            () if text.contains(':') => "must not contain a colon, which ends a name",
            () if text.chars().any(char::is_control) => "must not contain control characters",
            () if text.starts_with('#') => "must not start with `#`, which starts a comment",
            () if text.trim() != text => "must not start or end with a space",
            () => return Ok(Self(text.to_owned())),
        };
        Err(Unusable(reason))
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Password {
    pub(crate) fn new(secret: Secret) -> Result<Self, Unusable> {
        let text = secret.reveal();
        match () {
            () if text.is_empty() => Err(Unusable("must not be empty")),
            () if text.contains(['\0', '\n', '\r']) => Err(Unusable("must be one line of text")),
            () if text.len() > PASSWORD_BYTES_MAX => {
                Err(Unusable("must have at most 72 bytes: bcrypt ignores the rest"))
            }
            () => Ok(Self(secret)),
        }
    }

    fn hash(&self) -> Result<String, Error> {
        let hash = bcrypt::hash_with_result(self.0.reveal(), COST).map_err(Error::Hash)?;
        // As Apache marks it; the algorithm is the same.
        Ok(hash.format_for_version(Version::TwoY))
    }
}

/// Where the users stand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The registry's group, where it has one of its own.
    pub(crate) group: String,
    /// Whether instance.toml names the account: then it has one wherever its root is.
    pub(crate) is_account_named: bool,
}

/// The instance's file of users, about to be changed; nobody else changes it meanwhile.
#[derive(Debug)]
pub(crate) struct Editing<'a> {
    path: &'a Path,
    users: Users,
    is_new: bool,
    /// Whose a new file is; None: whoever's makes it.
    owner: Option<(u32, u32)>,
    _lock: Held,
}

impl<'a> Editing<'a> {
    /// Takes the instance lock and reads the file; `waits` is told who holds the lock.
    pub(crate) fn begin(
        layout: &Layout,
        place: &'a Place,
        command: &str,
        patience: Patience,
        waits: impl FnOnce(&str),
    ) -> Result<Self, Error> {
        let lock = Lock::Instance.acquire(layout, command, patience, waits)?;
        let path = &place.path;
        let text = fs::read_to_string(path)?;
        let is_new = text.is_none();
        let owner = if is_new { owner(layout, place)? } else { None };
        let users = Users::parse(text.as_deref().unwrap_or(NOBODY));
        Ok(Self { path, users, is_new, owner, _lock: lock })
    }

    pub(crate) fn has(&self, name: &UserName) -> bool {
        self.users.has(name)
    }

    /// Gives a user a password, and returns whether there was such a user before.
    pub(crate) fn set(mut self, name: &UserName, password: &Password) -> Result<bool, Error> {
        let existed = self.users.set(name, &password.hash()?);
        self.write().map(|()| existed)
    }

    pub(crate) fn remove(mut self, name: &UserName) -> Result<(), Error> {
        match self.users.remove(name) {
            true => self.write(),
            false => Err(Error::Missing(name.clone())),
        }
    }

    fn write(&self) -> Result<(), Error> {
        let text = self.users.to_text();
        let text = if text.is_empty() { NOBODY } else { &text };
        match self.is_new {
            true => Ok(owned::create(self.path, text.as_bytes(), MODE, self.owner)?),
            false => Ok(owned::replace(self.path, text.as_bytes())?),
        }
    }
}

/// Returns whose a new file is: root's, and readable to the registry, which has an account of its own there.
fn owner(layout: &Layout, place: &Place) -> Result<Option<(u32, u32)>, Error> {
    let group = place.group.as_str();
    let has_account = layout.is_system_wide() || place.is_account_named;
    if !has_account || !host::is_root() {
        return Ok(None);
    }
    let failed = |source| Error::Group { group: group.to_owned(), source };
    let id = account::group(group).map_err(failed)?;
    let id = id.ok_or_else(|| Error::NoGroup(group.to_owned()))?;
    Ok(Some((host::user(), id)))
}

/// Reads the users; a file that is missing has none.
pub(crate) fn load(path: &Path) -> Result<Users, Error> {
    Ok(Users::parse(&fs::read_to_string(path)?.unwrap_or_default()))
}

impl Users {
    fn parse(text: &str) -> Self {
        Self { lines: text.split_inclusive('\n').map(Line::parse).collect() }
    }

    fn to_text(&self) -> String {
        self.lines.iter().map(|line| line.text.as_str()).collect()
    }

    /// Checks a password as the registry does.
    pub(crate) fn check(&self, name: &UserName, password: &Password) -> Result<(), Error> {
        let hash = self.hash(name).ok_or_else(|| Error::Missing(name.clone()))?;
        if let Some(problem) = problem(hash) {
            return Err(Error::Useless { name: name.clone(), problem });
        }
        match bcrypt::verify(password.0.reveal(), hash) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Wrong(name.clone())),
            Err(source) => Err(Error::Hash(source)),
        }
    }

    pub(crate) fn has(&self, name: &UserName) -> bool {
        self.hash(name).is_some()
    }

    /// Returns every line that means, or should mean, a user.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let entry = |(index, line): (usize, &Line)| {
            let (name, problem) = match &line.kind {
                LineKind::Aside => return None,
                LineKind::Broken => {
                    (None, Some("no `NAME:HASH`: the registry cannot read the file"))
                }
                LineKind::User { name, .. } if self.is_overridden(index, name) => {
                    (Some(name.clone()), Some("a later line has this name too"))
                }
                LineKind::User { name, hash } => (Some(name.clone()), problem(hash)),
            };
            Some(Entry { line: index + 1, name, problem })
        };
        self.lines.iter().enumerate().filter_map(entry).collect()
    }

    fn is_overridden(&self, index: usize, name: &str) -> bool {
        self.lines[index + 1..].iter().any(|line| line.is_for(name))
    }

    fn hash(&self, name: &UserName) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| match &line.kind {
            LineKind::User { name: found, hash } if *found == name.0 => Some(hash.as_str()),
            _ => None,
        })
    }

    /// Puts the user where it stood first, or at the end.
    fn set(&mut self, name: &UserName, hash: &str) -> bool {
        let line = Line::parse(&format!("{name}:{hash}\n"));
        let Some(first) = self.lines.iter().position(|line| line.is_for(&name.0)) else {
            if let Some(last) = self.lines.last_mut().filter(|last| !last.text.ends_with('\n')) {
                last.text.push('\n');
            }
            self.lines.push(line);
            return false;
        };
        self.lines[first] = line;
        let mut index = 0;
        self.lines.retain(|line| {
            index += 1;
            index - 1 <= first || !line.is_for(&name.0)
        });
        true
    }

    fn remove(&mut self, name: &UserName) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| !line.is_for(&name.0));
        self.lines.len() < before
    }
}

impl Line {
    /// Reads a line as Distribution does, without the space around it.
    fn parse(text: &str) -> Self {
        let inner = text.trim();
        let kind = match inner.split_once(':') {
            _ if inner.is_empty() || inner.starts_with('#') => LineKind::Aside,
            Some((name, hash)) => LineKind::User { name: name.to_owned(), hash: hash.to_owned() },
            None => LineKind::Broken,
        };
        Self { text: text.to_owned(), kind }
    }

    fn is_for(&self, name: &str) -> bool {
        matches!(&self.kind, LineKind::User { name: found, .. } if found == name)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            LineKind::User { name, .. } => write!(f, "{name}:{}", crate::secret::REDACTED),
            _ => f.write_str("…"),
        }
    }
}

/// The costs that the registry takes: a cheaper hash is no bcrypt, a dearer one keeps it busy for minutes.
const COSTS: RangeInclusive<u32> = 4..=17;

/// Returns why the registry refuses whoever has this hash.
fn problem(hash: &str) -> Option<&'static str> {
    const SCHEMES: [&str; 3] = ["$2a$", "$2b$", "$2y$"];
    if !SCHEMES.iter().any(|scheme| hash.starts_with(scheme)) {
        return Some("its hash is not bcrypt, and the registry takes no other");
    }
    match hash.parse::<HashParts>() {
        Ok(parts) if COSTS.contains(&parts.get_cost()) => None,
        Ok(_) => Some("the cost of its hash must be from 4 to 17"),
        Err(_) => Some("its hash is damaged: the registry cannot read the file"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# the team\nann:$2y$05$x\r\n\n  bob:{SHA}x\nann:old\n# end";

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let mut users = Users::parse(FILE);
        assert_eq!(users.to_text(), FILE);
        assert!(!users.set(&name("eve"), "h"));
        assert_eq!(users.to_text(), format!("{FILE}\neve:h\n"));
        assert!(users.set(&name("ann"), "new"));
        let expected = "# the team\nann:new\n\n  bob:{SHA}x\n# end\neve:h\n";
        assert_eq!(users.to_text(), expected);
        assert!(users.remove(&name("ann")) && !users.remove(&name("ann")));
        assert_eq!(users.to_text(), expected.replace("ann:new\n", ""));
    }

    #[test]
    fn lines_that_let_nobody_in_are_told() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let users = Users::parse(&format!("{FILE}\nbroken\neve:{hash}\n"));
        let problems: Vec<_> = users
            .entries()
            .into_iter()
            .map(|entry| (entry.line, entry.problem.is_some()))
            .collect();
        assert_eq!(problems, [(2, true), (4, true), (5, true), (7, true), (8, false)]);
    }

    #[test]
    fn a_hash_is_apaches_and_is_checked() {
        let password = |text: &str| Password::new(Secret::new(text.to_owned())).unwrap();
        let mut users = Users::parse("");
        users.set(&name("ann"), &password("right").hash().unwrap());
        assert!(users.to_text().starts_with("ann:$2y$10$"), "{}", users.to_text());
        assert!(users.check(&name("ann"), &password("right")).is_ok());
        assert!(matches!(users.check(&name("ann"), &password("wrong")), Err(Error::Wrong(_))));
        assert!(matches!(users.check(&name("bob"), &password("right")), Err(Error::Missing(_))));
        assert!(!format!("{users:?}").contains("$2y$"));
    }

    #[test]
    fn names_and_passwords_fit_into_the_file_and_the_hash() {
        let long = "x".repeat(256);
        for bad in ["", "a:b", "a\nb", "#a", " a", "a ", long.as_str()] {
            assert!(bad.parse::<UserName>().is_err(), "{bad:?}");
        }
        for good in ["a", "ann@example.com", "jürgen", "a b"] {
            assert!(good.parse::<UserName>().is_ok(), "{good:?}");
        }
        let long = "x".repeat(73);
        for bad in ["", "a\nb", "a\0", long.as_str()] {
            assert!(Password::new(Secret::new(bad.to_owned())).is_err(), "{bad:?}");
        }
    }
}
