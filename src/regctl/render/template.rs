//! The templates: embedded in the program, each replaceable by an administrator's own copy.
//!
//! A copy is a promise to follow the embedded template. Its first line says which text it was copied from,
//! so that regctl can point it out when that text has changed.

use std::collections::BTreeMap;

/// The templates that an administrator may replace.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Name {
    ConfigYml,
    NginxConf,
    RegistryConf,
    SystemdUnit,
    Logrotate,
    Tmpfiles,
    Cron,
}

impl Name {
    pub(crate) const ALL: [Self; 7] = [
        Self::ConfigYml,
        Self::NginxConf,
        Self::RegistryConf,
        Self::SystemdUnit,
        Self::Logrotate,
        Self::Tmpfiles,
        Self::Cron,
    ];

    /// Returns the template's file name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ConfigYml => "config.yml.j2",
            Self::NginxConf => "nginx.conf.j2",
            Self::RegistryConf => "registry.conf.j2",
            Self::SystemdUnit => "regctl.service.j2",
            Self::Logrotate => "logrotate.j2",
            Self::Tmpfiles => "tmpfiles.conf.j2",
            Self::Cron => "cron.j2",
        }
    }

    pub(crate) fn embedded(self) -> &'static str {
        match self {
            Self::ConfigYml => include_str!("../../../templates/config.yml.j2"),
            Self::NginxConf => include_str!("../../../templates/nginx.conf.j2"),
            Self::RegistryConf => include_str!("../../../templates/registry.conf.j2"),
            Self::SystemdUnit => include_str!("../../../templates/regctl.service.j2"),
            Self::Logrotate => include_str!("../../../templates/logrotate.j2"),
            Self::Tmpfiles => include_str!("../../../templates/tmpfiles.conf.j2"),
            Self::Cron => include_str!("../../../templates/cron.j2"),
        }
    }

    /// Returns the first line of a copy of the embedded template.
    pub(crate) fn version_line(self) -> String {
        let hash = fingerprint(self.embedded());
        format!("{{#- copied from regctl's {}, version {hash:016x} #}}", self.as_str())
    }

    /// Returns the text of a new copy.
    pub(crate) fn copy(self) -> String {
        format!("{}\n{}", self.version_line(), self.embedded())
    }
}

/// An administrator's own copy of a template.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Copy {
    /// Where it is, as messages name it.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The templates in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    pub(crate) copies: BTreeMap<Name, Copy>,
    /// Files beside them that are called as no template is.
    pub(crate) strangers: Vec<String>,
}

impl Templates {
    /// Returns what to render, and what messages call it.
    pub(super) fn get(&self, name: Name) -> (&str, &str) {
        match self.copies.get(&name) {
            Some(copy) => (&copy.path, &copy.text),
            None => (name.as_str(), name.embedded()),
        }
    }

    /// Returns a sentence for each copy that does not say it is one of the template as it is now.
    pub(crate) fn stale(&self) -> Vec<String> {
        let stale = |(name, copy): (&Name, &Copy)| {
            let expected = name.version_line();
            let first = copy.text.lines().next().unwrap_or_default();
            let start = expected.split("version").next().unwrap_or_default();
            let what = match first {
                line if line == expected => return None,
                line if line.starts_with(start) => {
                    "was copied from another version of the template than this regctl's"
                }
                _ => "does not say which version of the template it was copied from",
            };
            let advice = format!("`regctl reconfigure --print-template {}`", name.as_str());
            Some(format!(
                "`{}` {what}: compare it with {advice} and take over its first line",
                copy.path
            ))
        };
        self.copies.iter().filter_map(stale).collect()
    }
}

/// FNV-1a: it tells versions apart, and protects from nothing.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stale(text: String) -> Vec<String> {
        let copy = Copy { path: "/x/config.yml.j2".to_owned(), text };
        Templates { copies: [(Name::ConfigYml, copy)].into(), ..Templates::default() }.stale()
    }

    #[test]
    fn a_fresh_copy_is_not_stale_whatever_follows_its_first_line() {
        assert_eq!(stale(Name::ConfigYml.copy()), [""; 0]);
        assert_eq!(stale(format!("{}\nversion: 0.1\n", Name::ConfigYml.version_line())), [""; 0]);
    }

    #[test]
    fn a_copy_of_another_version_is_told_from_one_of_unknown_origin() {
        let other = "{#- copied from regctl's config.yml.j2, version 0000000000000000 #}\n";
        assert!(stale(other.to_owned())[0].contains("another version"));
        assert!(stale("version: 0.1\n".to_owned())[0].contains("does not say"));
    }
}
