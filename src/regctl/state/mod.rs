//! What an instance keeps on disk besides its configuration: its layout and its generated secrets.

pub(crate) mod layout;
pub(crate) mod secrets;

pub(crate) use layout::Layout;
pub(crate) use secrets::Secrets;
