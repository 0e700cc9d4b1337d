//! Tables that `gitlab.rb` has no words for.

use super::{
    Key,
    Kind::{Choice, Duration, Flag, List, Schedule, Size, Table, Text},
    Section,
};

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
        "cleanup_policy",
        None,
        "which tags go, as [[cleanup_policy]]",
        &[
            Key::later("repositories", List, "the repositories it is for"),
            Key::later("cadence", Duration, "how often it runs"),
            Key::later("keep_n", Table, "how many tags stay"),
            Key::later("older_than", Duration, "how old a tag must be to go"),
            Key::later("name_regex_delete", Text, "which tags may go"),
            Key::later("name_regex_keep", Text, "which tags stay"),
        ],
    )
    .not_yet(),
    Section::new(
        "quota",
        None,
        "how much a repository may hold, as [[quota]]",
        &[
            Key::later("repositories", List, "the repositories it is for"),
            Key::later("size", Size, "the limit"),
        ],
    )
    .not_yet(),
    Section::new(
        "immutable_tag",
        None,
        "tags that never change, as [[immutable_tag]]",
        &[
            Key::later("repositories", List, "the repositories it is for"),
            Key::later("tags", List, "the tags"),
        ],
    )
    .not_yet(),
    Section::new(
        "migrate",
        None,
        "migrations",
        &[Key::later("to", Table, "the storage that a migration goes to")],
    )
    .not_yet(),
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
