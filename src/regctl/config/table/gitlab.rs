//! `[gitlab_rails]`: what GitLab is told about the registry; one key of it moves the storage.

use super::{
    Key,
    Kind::{Account, Label, Path, Secret},
    Section,
};

const GITLAB_SIDE: &str = "it configures GitLab itself: keep it in gitlab.rb";

const FOLLOWS: &str = "it follows from registry_external_url: remove it";

pub(super) const SECTIONS: &[Section] = &[Section::new(
    "gitlab_rails",
    Some("gitlab_rails"),
    "the GitLab side",
    &[
        Key::new("registry_path", Path, None, "the folder of the filesystem driver"),
        Key::refused("registry_enabled", "whether GitLab uses the registry", GITLAB_SIDE),
        Key::refused("registry_host", "the host that users see", FOLLOWS),
        Key::refused("registry_port", "the port that users see", FOLLOWS),
        Key::refused("registry_api_url", "the address that GitLab itself uses", GITLAB_SIDE),
        Key::new(
            "registry_key_path",
            Path,
            None,
            "where the key that signs tokens is written for GitLab",
        ),
        Key::new(
            "registry_key_group",
            Account,
            None,
            "the group that may read that file; unset: the one it has",
        ),
        Key::new(
            "registry_issuer",
            Label,
            Some("\"omnibus-gitlab-issuer\""),
            "the issuer's name in tokens",
        ),
        Key::later("registry_notification_secret", Secret, "what GitLab expects in notifications"),
        Key::refused(
            "gitlab_default_projects_features_container_registry",
            "new projects get a registry",
            GITLAB_SIDE,
        ),
        Key::refused("geo_registry_replication_enabled", "Geo replication", GITLAB_SIDE),
        Key::refused("geo_registry_replication_primary_api_url", "Geo replication", GITLAB_SIDE),
        Key::refused("backup_registry_user", "the user of database backups", NO_DATABASE),
        Key::refused("backup_registry_password", "that user's password", NO_DATABASE),
        Key::refused("restore_registry_user", "the user of database restores", NO_DATABASE),
        Key::refused("restore_registry_password", "that user's password", NO_DATABASE),
        Key::refused("backup_registry", "the connection of database backups", NO_DATABASE),
    ],
)];

const NO_DATABASE: &str = "there is no metadata database here: remove it";
