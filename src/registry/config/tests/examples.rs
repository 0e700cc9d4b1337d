//! Files that people have.

use std::path::Path;

use super::{config, warnings};
use crate::config::Auth;

/// What Debian's package `docker-registry` installs.
const DEBIAN: &str = "\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
auth:
  htpasswd:
    realm: basic-realm
    path: /etc/docker/registry
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
";

/// What GitLab's package renders.
const OMNIBUS: &str = "\
version: 0.1
log:
  level: info
  formatter: text
  fields:
    service: registry
    environment: production
storage: {\"filesystem\":{\"rootdirectory\":\"/var/opt/gitlab/gitlab-rails/shared/registry\"},\"cache\":{\"blobdescriptor\":\"inmemory\"},\"delete\":{\"enabled\":true},\"redirect\":{\"disable\":false}}
http:
  addr: 127.0.0.1:5000
  secret: \"0123456789abcdef\"
  headers:
    X-Content-Type-Options: [nosniff]
auth:
  token:
    realm: https://gitlab.example.com/jwt/auth
    service: container_registry
    issuer: omnibus-gitlab-issuer
    rootcertbundle: /var/opt/gitlab/registry/gitlab-registry.crt
    autoredirect: false
validation:
  disabled: true
";

#[test]
fn debians_file_loads() {
    let found = config(DEBIAN);
    assert!(found.storage.delete);
    assert_eq!(found.http.headers.len(), 1);
    assert_eq!(format!("{:?}", found.http.address), "Tcp([::]:5000)");
    let Auth::Htpasswd(htpasswd) = found.auth else { panic!("{:?}", found.auth) };
    assert_eq!(htpasswd.realm.to_string(), "basic-realm");
    assert_eq!(htpasswd.path, Path::new("/etc/docker/registry"));
}

#[test]
fn a_file_of_gitlabs_package_loads() {
    assert_eq!(warnings(OMNIBUS), [""; 0]);
}
