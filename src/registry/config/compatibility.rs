//! `compatibility`: old formats.

use std::path::PathBuf;

use super::{scalar, tree::Node};

/// `compatibility.schema1`: Docker's image manifests of 2014.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Schema1 {
    /// `enabled`: whether they may be pushed, and are made for clients that read no others.
    pub enabled: bool,
    /// `signingkeyfile`: the key that signs them; one for this process when unset.
    pub signing_key_file: Option<PathBuf>,
}

/// Reads the section; what is of the wrong kind has been reported.
pub(super) fn read(root: &Node) -> Schema1 {
    let text = |path| root.find(path).and_then(Node::text).filter(|text| !text.is_empty());
    let enabled = text("compatibility.schema1.enabled").and_then(scalar::boolean);
    let file = text("compatibility.schema1.signingkeyfile");
    Schema1 { enabled: enabled.unwrap_or(false), signing_key_file: file.map(PathBuf::from) }
}
