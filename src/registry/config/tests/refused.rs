//! What is refused, and how that is said.

use super::{Config, LEAST, problems, with, with_http, with_storage};

/// Each text has exactly one problem, which contains these words.
fn each_is_refused(rows: &[(String, &str)]) {
    for (text, words) in rows {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        assert!(found[0].contains(words), "{}\nlacks: {words}", found[0]);
    }
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    let filesystem = "filesystem: {rootdirectory: /srv}";
    each_is_refused(&[
        (with_http("addr: ':0', tls: {letsencrypt: {email: e}}"), "`http.tls.letsencrypt`"),
        (with_http("addr: ':0', letsencrypt: {email: e}"), "`http.letsencrypt`"),
        (
            with_http("addr: ':0', debug: {addr: ':5001', pprof: {enabled: true}}"),
            "`http.debug.pprof.enabled` is `true`: refused: there is no runtime of Go",
        ),
        (
            with_storage("inmemory: , tag: {concurrencylimit: -1}"),
            "`storage.tag.concurrencylimit` is `-1`: must be a number from 0 to 65535",
        ),
        (with("reporting: {bugsnag: {apikey: k}}"), "`reporting`: refused: errors are reported to"),
        (
            with("log: {hooks: [{type: mail, levels: [panic]}]}"),
            "`log.hooks`: refused: the registry sends no mail",
        ),
        (with("log: {output: syslog}"), "must be one of stderr, stdout"),
        (with("profiling: {stackdriver: {enabled: true}}"), "`profiling`: refused"),
        (
            with_http("addr: ':0', headers: {content-length: ['5']}"),
            "`http.headers.content-length`: each answer says this of itself",
        ),
        (
            with("proxy: {exec: {command: /c}}"),
            "`proxy.exec`: refused: the registry runs no programs",
        ),
        (
            with("proxy: {remoteurl: registry.example.com}"),
            "`proxy.remoteurl`: the scheme is missing",
        ),
        (
            with("proxy: {remoteurl: 'https://a:b@registry.example.com'}"),
            "`proxy.remoteurl`: a URL with a password is refused",
        ),
        (
            with("proxy: {remoteurl: 'https://registry.example.com', username: a}"),
            "`proxy.password`: missing; a name needs one",
        ),
        (with("middleware: {registry: [{name: a}]}"), "`middleware.registry`"),
        (with("middleware: {repository: [{name: a}]}"), "`middleware.repository`"),
        (
            with("middleware: {storage: [{name: redirect}]}"),
            "`middleware.storage[].options.baseurl`: missing",
        ),
        (
            with("middleware: {storage: [{name: rewrite}]}"),
            "`rewrite` changes the URLs of a driver",
        ),
        (with("middleware: {storage: [{name: googlecdn}]}"), "before Google's storage only"),
        (with("middleware: {storage: [{name: other}]}"), "`other` is no middleware of the storage"),
        (
            with("middleware: {storage: [{name: redirect, options: {baseurl: cdn.example.com}}]}"),
            "the scheme is missing",
        ),
        (
            with(
                "middleware: {storage: [{name: redirect, options: {baseurl: 'http://a'}}, {name: cloudfront}]}",
            ),
            "`middleware.storage`: two that redirect",
        ),
        (
            with(
                "middleware: {storage: [{name: cloudfront, options: {baseurl: a.example.com, privatekey: /k, keypairid: K, ipfilteredby: aws}}]}",
            ),
            "sends clients inside AWS to S3",
        ),
        (with("database: {enabled: true}"), "there is no metadata database here"),
        (with_storage("azure: "), "the storage driver `azure` is not supported yet"),
        (with_storage("gcs: {bucket: b}"), "`gcs` is not supported yet"),
        (with_storage("swift: {}"), "`swift` is not supported yet"),
        (with_storage("oss: {}"), "`oss` is not supported yet"),
        (with_storage("filesytem: {}"), "did you mean `filesystem`?"),
        (with_storage(&format!("{filesystem}, regctl: {{}}")), "names 2 drivers"),
    ]);
}

#[test]
fn wrong_values_are_refused_with_what_is_allowed() {
    each_is_refused(&[
        (
            LEAST.replace("version: 0.1", "version: 0.2"),
            "`version` is `0.2`: the only version is 0.1",
        ),
        (LEAST.replace("version: 0.1\n", ""), "`version`: missing"),
        (LEAST.replace("storage: inmemory\n", ""), "`storage`: names no driver"),
        (with_storage("delete: {enabled: true}"), "names no driver"),
        (
            with_storage("inmemory: , delete: yes"),
            "`storage.delete` is `yes`: a single value where a map",
        ),
        (
            with_storage("inmemory: , delete: {enabled: 1}"),
            "`storage.delete.enabled` is `1`: must be a boolean",
        ),
        (
            with_storage("inmemory: , maintenance: {readonly: {enabled: maybe}}"),
            "must be a boolean",
        ),
        (
            with_storage("inmemory: , maintenance: {uploadpurging: {age: 168}}"),
            "must be a duration with a unit",
        ),
        (
            with_storage("inmemory: , maintenance: {uploadpurging: {interval: 0s}}"),
            "must be longer than nothing",
        ),
        (
            with_storage("inmemory: , maintenance: {uploadpurging: {age: 7d}}"),
            "`7d`: must be a duration",
        ),
        (with_storage("filesystem: {maxthreads: many}"), "`many`: must be a whole number"),
        (with_storage("filesystem: {maxthreads: 1000000}"), "must be at most 10000"),
        (
            with_storage("filesystem: {rootdirectory: [a]}"),
            "a list where a single value is expected",
        ),
        (with("auth: {ldap: {}}"), "`auth.ldap`: no type of auth"),
        (
            with("log: {level: loud}"),
            "`log.level` is `loud`: must be one of error, warn, info, debug",
        ),
        (
            with("log: {formatter: xml}"),
            "`log.formatter` is `xml`: must be one of text, json, logstash",
        ),
        (with("log: {fields: {a: [b]}}"), "`log.fields.a`: must be a single value"),
        (with("log: debug"), "`log` is `debug`: a single value where a map is expected"),
        (with("catalog: {maxentries: lots}"), "must be a whole number"),
        (with_http("addr: 5000"), "`http.addr` is `5000`: the port is missing"),
        (with_http("addr: 'http://127.0.0.1:5000'"), "no scheme such as `http://`"),
        (with_http("addr: '127.0.0.1:99999'"), "a number from 0 to 65535"),
        (with_http("addr: [a]"), "a list where a single value is expected"),
        (with_http("net: unix"), "the path of a socket is missing"),
        (with_http("net: udp, addr: ':0'"), "`http.net` is `udp`: must be one of tcp, unix"),
        (with_http("addr: ':0', host: registry.example.com"), "the scheme is missing"),
        (with_http("addr: ':0', host: 'https://r/path'"), "a path belongs to `http.prefix`"),
        (with_http("addr: ':0', prefix: '/a b'"), "must be the beginning of a path"),
        (with_http("addr: ':0', prefix: '/../'"), "must be the beginning of a path"),
        (
            with_http("addr: ':0', draintimeout: 5x"),
            "`http.draintimeout` is `5x`: must be a duration",
        ),
        (with_http("addr: ':0', draintimeout: -5s"), "must not be negative"),
        (with_http("addr: ':0', headers: {'X A': [b]}"), "no name of a header"),
        (with_http("addr: ':0', headers: {X-A: [\"b\\nc\"]}"), "must be text without line breaks"),
        (with_http("addr: ':0', headers: {X-A: {b: c}}"), "must be a list of values"),
        (with_http("addr: ':0', relativeurls: 2"), "`http.relativeurls` is `2`: must be a boolean"),
    ]);
}

#[test]
fn all_problems_are_reported_at_once_with_their_places() {
    let text = "version: 0.1\nstorage:\n  inmemory: {}\nhttp:\n  addr: nowhere\n  net: udp\nlog:\n  level: loud\nauth:\n  htpasswd: {realm: r}\n";
    assert_eq!(
        problems(text),
        [
            "line 6, column 8: `http.net` is `udp`: must be one of tcp, unix",
            "line 10, column 3: `auth.htpasswd.path`: missing; `auth.htpasswd` cannot do without it",
            "line 8, column 10: `log.level` is `loud`: must be one of error, warn, info, debug",
            "line 5, column 9: `http.addr` is `nowhere`: the port is missing; write `host:port`, or `:5000`",
        ]
    );
}

#[test]
fn two_drivers_are_one_problem_that_names_both() {
    let text = "version: 0.1\nstorage:\n  filesystem: {}\n  s3: {}\n";
    assert_eq!(
        problems(text),
        [
            "line 3, column 3: `storage`: names 2 drivers: `filesystem` (line 3) and `s3` (line 4); keep one"
        ]
    );
}

#[test]
fn two_types_of_authorization_are_a_problem() {
    let found = problems(&with("auth: {none: {}, htpasswd: {}}"));
    assert!(found.iter().any(|problem| problem.contains("two types, `none` and `htpasswd`")));
}

#[test]
fn secrets_are_in_no_problem_no_warning_and_no_debug() {
    let secret = "hunter2";
    let texts = [
        format!("version: 0.1\nstorage: inmemory\nhttp: {{addr: ':0', secret: {secret}}}"),
        format!("version: 0.1\nstorage: inmemory\nhttp: {{secret: [{secret}]}}"),
        format!("version: 0.1\nstorage: inmemory\nhttp: {{secret: *{secret}}}"),
        format!("version: 0.1\nstorage: inmemory\nhttp: {{host: 'https://u:{secret}@r'}}"),
        with(&format!("auth: {{ldap: {{password: {secret}}}}}")),
        with(&format!("proxy: {{remoteurl: 'https://u:{secret}@r', password: {secret}}}")),
        with(&format!("notifications: {{endpoints: [{{headers: {{Authorization: {secret}}}}}]}}")),
        with(&format!("notifications: {{endpoints: [{{name: a, url: 'ftp://u:{secret}@h/'}}]}}")),
        with(&format!(
            "notifications: {{endpoints: [{{name: a, url: 'http://{secret}@h/?{secret}'}}]}}"
        )),
        with(&format!("redis: {{password: {secret}}}")),
        with_http(&format!("headers: {{Authorization: \"{secret}\\n\"}}")),
        with_storage(&format!("s3: {{secretkey: {secret}}}")),
        with_storage(&format!("s3aws: {{secretkey: [{secret}], sessiontoken: {secret}}}")),
        with_storage(&format!("s3: {{bucket: b, regionendpoint: 'https://a:{secret}@b'}}")),
        with_storage(&format!(
            "s3: {{bucket: b, region: eu-west-1, accesskey: a, secretkey: {secret}}}"
        )),
    ];
    let variable = vec![("REGISTRY_HTTP_SECRET".to_owned(), format!("*{secret}"))];
    for text in &texts {
        for environment in [&[][..], &variable] {
            let shown = match Config::parse(text, environment) {
                Ok(parsed) => format!("{parsed:?} {:?}", parsed.warnings),
                Err(invalid) => format!("{invalid} {invalid:?}"),
            };
            assert!(!shown.contains(secret), "{text}\n{shown}");
        }
    }
}
