//! GitLab Rails: how it signs tokens (RS256, libtrust's name of the key, no certificates), and how it finds out whether
//! tags can be deleted before it does so.

use serde_json::json;

use super::fixture::{Registry, bearing};
use crate::support::{
    http::{Answer, Request, sha256},
    issuer::{Issuer, claims},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const NAME: &str = "group/project/app";

/// Rails, with a token for some actions on the project's repository.
struct Rails<'a> {
    registry: &'a Registry,
    token: String,
}

impl Rails<'_> {
    fn ask(&self, request: Request) -> Answer {
        self.registry.ask(&bearing(request, &self.token))
    }

    /// Pushes an image without layers under a tag.
    fn push(&self, tag: &str) -> String {
        let config = json!({ "tag": tag }).to_string();
        let digest = sha256(config.as_bytes());
        let target = format!("/v2/{NAME}/blobs/uploads/?digest={digest}");
        self.ask(Request::new("POST", target).body(config.clone())).expect(201);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest.to_string(),
                "size": config.len(),
            },
            "layers": [],
        });
        let request = Request::new("PUT", format!("/v2/{NAME}/manifests/{tag}"));
        let request = request.header("Content-Type", MANIFEST).body(manifest.to_string());
        let answer = self.ask(request).expect(201);
        answer.header("docker-content-digest").unwrap().to_owned()
    }

    fn tags(&self) -> serde_json::Value {
        self.ask(Request::get(format!("/v2/{NAME}/tags/list"))).expect(200).json()["tags"].clone()
    }
}

#[test]
fn rails_asks_whether_tags_can_be_deleted_and_deletes_them() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let rails = Rails { registry: &registry, token: issuer.token(&[(NAME, &["*"])]) };
    for tag in ["v1", "v2", "v3"] {
        rails.push(tag);
    }
    let version = rails.ask(Request::get("/v2/")).expect(200);
    let features = version.header("gitlab-container-registry-features").unwrap();
    assert!(features.split(',').any(|feature| feature.trim() == "tag_delete"), "{features}");
    assert_eq!(version.header("gitlab-container-registry-database-enabled"), Some("false"));
    // Two generations of Rails ask for a tag that is not there.
    for (probe, target) in [("manifests", "v1"), ("tags/reference", "v2")] {
        let probed = format!("/v2/{NAME}/{probe}/tag");
        let answer = rails.ask(Request::new("OPTIONS", probed));
        assert_eq!(answer.status / 100, 2, "{answer:?}");
        assert!(answer.header("allow").unwrap().contains("DELETE"), "{answer:?}");
        let deleted = format!("/v2/{NAME}/{probe}/{target}");
        rails.ask(Request::new("DELETE", deleted)).expect(202);
    }
    assert_eq!(rails.tags(), json!(["v3"]));
    rails.ask(Request::get(format!("/v2/{NAME}/manifests/v3"))).expect(200);
    // There is no metadata database behind this registry.
    rails.ask(Request::get("/gitlab/v1/")).expect(404);
}

#[test]
fn a_token_of_rails_for_one_project_opens_no_other() {
    let issuer = Issuer::new();
    let registry = Registry::with_tokens_of(&issuer);
    let mut narrow = claims(&[(NAME, &["pull"])]);
    narrow["auth_type"] = json!("gitlab_or_ldap");
    narrow["user"] = json!("signed for Rails itself");
    let rails = Rails { registry: &registry, token: issuer.sign(&narrow) };
    rails.ask(Request::get(format!("/v2/{NAME}/tags/list"))).expect(404);
    let others = [
        Request::get("/v2/group/other/tags/list"),
        Request::new("DELETE", format!("/v2/{NAME}/manifests/v1")),
        Request::get("/v2/_catalog"),
    ];
    for request in others {
        let answer = rails.ask(request).expect(401);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    }
}
