//! `[gitlab_rails]`: what GitLab is told about the registry; one key of it moves the storage.

use super::{
    Key,
    Kind::{Count, Flag, Path, Secret, Text, Url},
    Section,
};

const GITLAB_SIDE: &str = "it configures GitLab itself: keep it in gitlab.rb";

pub(super) const SECTIONS: &[Section] = &[Section::new(
    "gitlab_rails",
    Some("gitlab_rails"),
    "the GitLab side",
    &[
        Key::new("registry_path", Path, None, "the folder of the filesystem driver"),
        Key::later("registry_enabled", Flag, "whether GitLab uses the registry"),
        Key::later("registry_host", Text, "the host that users see"),
        Key::later("registry_port", Count(1), "the port that users see"),
        Key::later("registry_api_url", Url, "the address that GitLab itself uses"),
        Key::later("registry_key_path", Path, "where GitLab finds the key that signs tokens"),
        Key::later("registry_issuer", Text, "the issuer's name in tokens"),
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
