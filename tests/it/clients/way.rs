//! The way to a registry: what its clients are told of it.

use crate::support::Demo;

/// A registry as its clients know it.
pub(crate) trait Way {
    /// What an image is called there.
    fn image(&self, name: &str) -> String;

    /// What stands before the path of a URL.
    fn origin(&self) -> String;

    /// What curl is told with each request: whom it trusts, and how it gets there.
    fn flags_of_curl(&self) -> Vec<String>;

    /// What skopeo, podman and buildah are told, each flag beginning with this: empty, `src-` or `dest-`.
    fn flags(&self, end: &str) -> Vec<String>;

    /// `NAME:PASSWORD`, where there are users.
    fn user(&self) -> Option<String>;
}

impl Way for Demo {
    fn image(&self, name: &str) -> String {
        Self::image(self, name)
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    fn flags_of_curl(&self) -> Vec<String> {
        Vec::new()
    }

    fn flags(&self, end: &str) -> Vec<String> {
        vec![format!("--{end}tls-verify=false")]
    }

    fn user(&self) -> Option<String> {
        None
    }
}
