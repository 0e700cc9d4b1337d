//! A registry at the other end of HTTP, ours or the peer: the requests that no client sends on purpose.

use oci::{Algorithm, Digest};
use reqwest::{
    Method,
    blocking::{Client, RequestBuilder, Response},
    header::{ACCEPT, CONTENT_TYPE, LOCATION},
};
use serde_json::{Value, json};

use crate::{
    api::fixture::Registry,
    support::{Demo, Peer, client},
};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Every manifest that a registry may have.
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry on a port of loopback.
pub(crate) struct Wire {
    port: u16,
    client: Client,
}

impl From<&Registry> for Wire {
    fn from(registry: &Registry) -> Self {
        Self { port: registry.port(), client: client() }
    }
}

impl From<&Demo> for Wire {
    fn from(demo: &Demo) -> Self {
        Self { port: demo.port(), client: client() }
    }
}

impl From<&Peer> for Wire {
    fn from(peer: &Peer) -> Self {
        Self { port: peer.port(), client: client() }
    }
}

impl Wire {
    /// Returns an image of this registry as skopeo names it.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }

    /// Gets a path below `/v2/`.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(&format!("/v2/{path}"))).header(ACCEPT, ACCEPTED)
    }

    /// Asks as a client that says nothing of what it can read.
    pub(crate) fn ask_silently(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(&format!("/v2/{path}")))
    }

    /// Gets bytes that are there.
    pub(crate) fn bytes(&self, path: &str) -> Vec<u8> {
        expect(200, self.get(path)).bytes().unwrap().to_vec()
    }

    /// Begins an upload session and returns path and query of its location.
    pub(crate) fn begin(&self, repository: &str) -> String {
        location(&expect(
            202,
            self.client.post(self.url(&format!("/v2/{repository}/blobs/uploads/"))),
        ))
    }

    /// Appends to a session and returns where it goes on.
    pub(crate) fn append(&self, session: &str, bytes: &[u8]) -> String {
        location(&expect(202, self.client.patch(self.url(session)).body(bytes.to_vec())))
    }

    /// Ends a session with its last bytes.
    pub(crate) fn commit(&self, session: &str, digest: &Digest, bytes: &[u8]) {
        let url = self.url(&format!("{session}&digest={digest}"));
        expect(201, self.client.put(url).body(bytes.to_vec()));
    }

    pub(crate) fn push_blob(&self, repository: &str, algorithm: Algorithm, bytes: &[u8]) -> Digest {
        let digest = Digest::of(algorithm, bytes);
        self.commit(&self.begin(repository), &digest, bytes);
        digest
    }

    /// Puts a manifest of any type under a tag or its digest.
    pub(crate) fn push_manifest(&self, repository: &str, reference: &str, bytes: &[u8]) {
        let url = self.url(&format!("/v2/{repository}/manifests/{reference}"));
        let document: Value = serde_json::from_slice(bytes).unwrap();
        let media_type = document["mediaType"].as_str().unwrap().to_owned();
        expect(201, self.client.put(url).header(CONTENT_TYPE, media_type).body(bytes.to_vec()));
    }

    /// Pushes the blobs of a small image, named by this algorithm, and returns its manifest.
    pub(crate) fn push_parts(
        &self,
        repository: &str,
        algorithm: Algorithm,
        layer: &[u8],
    ) -> Vec<u8> {
        let diff_id = Digest::of(Algorithm::Sha256, layer).to_string();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let config = config.to_string();
        let describe = |media_type: &str, bytes: &[u8]| {
            let digest = self.push_blob(repository, algorithm, bytes);
            json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": describe(CONFIG, config.as_bytes()),
            "layers": [describe(LAYER, layer)],
        });
        manifest.to_string().into_bytes()
    }

    /// Pushes a small image and returns its digest.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, layer: &[u8]) -> Digest {
        let manifest = self.push_parts(repository, Algorithm::Sha256, layer);
        self.push_manifest(repository, tag, &manifest);
        Digest::of(Algorithm::Sha256, &manifest)
    }

    /// Deletes a tag, or a manifest by its digest.
    pub(crate) fn delete(&self, repository: &str, reference: &str) {
        let url = self.url(&format!("/v2/{repository}/manifests/{reference}"));
        expect(202, self.client.delete(url));
    }

    /// Returns the names of the repositories.
    pub(crate) fn repositories(&self) -> Vec<String> {
        let listed: Value = serde_json::from_slice(&self.bytes("_catalog?n=1000")).unwrap();
        let mut names: Vec<String> =
            serde_json::from_value(listed["repositories"].clone()).unwrap();
        names.sort();
        names
    }

    /// Returns the tags of a repository.
    ///
    /// Where there is none the peer says `null`, or 404 in a repository that never had one; it keeps no order.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        let response = self.get(&format!("{repository}/tags/list")).send().unwrap();
        if response.status() == 404 {
            return Vec::new();
        }
        let listed: Value = serde_json::from_slice(&response.bytes().unwrap()).unwrap();
        let tags: Option<Vec<String>> = serde_json::from_value(listed["tags"].clone()).unwrap();
        let mut tags = tags.unwrap_or_default();
        // SeaweedFS keeps a folder whose last tag is deleted, and the peer takes it for a tag without a name.
        tags.retain(|tag| !tag.is_empty());
        tags.sort();
        tags
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Sends a request that must get this status.
pub(crate) fn expect(status: u16, request: RequestBuilder) -> Response {
    let response = request.send().unwrap();
    let (found, url) = (response.status(), response.url().clone());
    if found == status {
        return response;
    }
    panic!("{found}, not {status}, of {url}: {}", response.text().unwrap());
}

fn location(response: &Response) -> String {
    let location = response.headers()[LOCATION].to_str().unwrap();
    location[location.find("/v2/").unwrap()..].to_owned()
}
