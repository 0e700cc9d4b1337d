//! Tables that `gitlab.rb` has no words for.

use super::{
    Key,
    Kind::{Cadence, Choice, Count, Duration, Flag, Globs, Label, Path, Pattern, Schedule, Size},
    Part, Section,
};

/// `[[cleanup_policy]]`.
pub(super) const POLICY: &[Part] = &[
    Part::required("name", Label),
    Part::required("repositories", Globs),
    Part::new("enabled", Flag),
    Part::new("all", Flag),
    Part::new("cadence", Cadence),
    Part::new("keep_n", Count(1)),
    Part::new("older_than", Duration),
    Part::new("name_regex_delete", Pattern),
    Part::new("name_regex", Pattern),
    Part::new("name_regex_keep", Pattern),
    Part::new("keep_latest", Flag),
    Part::new("protected_tags", Globs),
    Part::new("keep_pushed_within", Duration),
    Part::new("allow_all", Flag),
];

/// `[[immutable_tag]]`.
pub(super) const IMMUTABLE: &[Part] =
    &[Part::required("repositories", Globs), Part::required("tags", Globs)];

/// `[[quota]]`.
pub(super) const QUOTA: &[Part] =
    &[Part::required("repositories", Globs), Part::required("max_size", Size)];

pub(super) const SECTIONS: &[Section] = &[
    Section::new(
        "garbage_collect",
        None,
        "defaults of collections",
        &[
            Key::new(
                "schedule",
                Schedule,
                None,
                "when to collect, as cron has it: `5 4 * * 0`, or `@weekly`; reconfigure writes it to cron.d",
            )
            .live(),
            Key::new(
                "mode",
                Choice(&["stop", "read-only", "online"]),
                Some("\"stop\""),
                "what becomes of the registry meanwhile, when the command line does not say",
            )
            .live(),
            Key::new(
                "delete_untagged",
                Flag,
                Some("false"),
                "the scheduled run removes manifests that no tag leads to; the bare command never does without -m",
            )
            .live(),
            Key::new(
                "quarantine",
                Duration,
                None,
                "how long what is removed can be brought back; unset: it is gone at once",
            )
            .live(),
            Key::new(
                "grace",
                Duration,
                Some("\"24h\""),
                "what is younger stays when the registry is not stopped",
            )
            .live(),
        ],
    ),
    Section::new(
        "cleanup",
        None,
        "when the policies run",
        &[
            Key::new(
                "schedule",
                Schedule,
                Some("\"25 2 * * *\""),
                "when it is seen which policies are due; reconfigure writes it to cron.d where there is a policy",
            )
            .live(),
            Key::new(
                "collect",
                Flag,
                Some("false"),
                "the scheduled run is followed by a collection, by the settings of [garbage_collect]",
            )
            .live(),
        ],
    ),
    Section::new("migrate", None, "migrations", &[]),
    Section::new("migrate.to", None, "where `migrate-storage` goes to", &[]),
    Section::new(
        "migrate.to.filesystem",
        None,
        "a folder, with the options of [registry.storage.filesystem]",
        &[
            Key::new("rootdirectory", Path, None, "the folder that is to hold docker/registry/v2"),
            Key::new("maxthreads", Count(25), None, "file operations at once"),
        ],
    ),
    Section::new(
        "migrate.to.s3",
        None,
        "an S3 bucket, with the options of [registry.storage.s3]",
        super::storage::S3,
    ),
    Section::new(
        "migrate.to.s3aws",
        None,
        "the old name of s3",
        super::storage::S3,
    ),
    Section::new("cluster", None, "more than one machine", &[]).not_yet(),
    Section::new("backup", None, "backups", &[]).not_yet(),
    Section::new(
        "manage_accounts",
        Some("manage_accounts"),
        "accounts",
        &[Key::new(
            "enable",
            Flag,
            Some("true"),
            "create the service's account and group, as root",
        )],
    ),
    Section::new(
        "manage_storage_directories",
        Some("manage_storage_directories"),
        "storage folders",
        &[Key::new("enable", Flag, Some("true"), "create the storage folder")],
    ),
    Section::new(
        "manage_system_files",
        None,
        "files for systemd, logrotate and tmpfiles",
        &[Key::new(
            "enable",
            Flag,
            None,
            "write and use them; unset: as root, with the root /, where systemd runs",
        )],
    ),
];
