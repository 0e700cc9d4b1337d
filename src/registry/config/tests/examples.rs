//! Files that people have.

use super::{config, problems, warnings};

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

/// What GitLab's package renders, as far as it is supported.
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
validation:
  disabled: true
";

#[test]
fn debians_file_is_refused_for_its_passwords_only() {
    let found = problems(DEBIAN);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("line 18, column 5: `auth.htpasswd`: not supported yet"));
}

#[test]
fn upstreams_example_loads() {
    let upstream = DEBIAN.split("auth:").next().unwrap();
    let found = config(upstream);
    assert!(found.storage.delete);
    assert_eq!(found.http.headers.len(), 1);
    assert_eq!(format!("{:?}", found.http.address), "Tcp([::]:5000)");
}

#[test]
fn a_file_of_gitlabs_package_loads() {
    let found = warnings(OMNIBUS);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|warning| warning.contains("no effect yet")), "{found:?}");
}
