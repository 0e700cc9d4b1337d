//! Where it is remembered what the manifests of a storage refer to.

use std::path::PathBuf;

use registry::{Config, collect};

/// The file: in the storage itself if that is a folder, so that every command on it has the same one, and otherwise where the
/// instance has it that asks, if one does.
pub(super) fn references(config: &Config, of_instance: Option<&PathBuf>) -> Option<PathBuf> {
    config.storage.folder().map(collect::cache_in).or_else(|| of_instance.cloned())
}
