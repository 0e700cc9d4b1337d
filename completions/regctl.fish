# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_regctl_global_optspecs
    string join \n root= json q/quiet h/help V/version
end

function __fish_regctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_regctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_regctl_using_subcommand
    set -l cmd (__fish_regctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c regctl -n "__fish_regctl_needs_command" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_needs_command" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_needs_command" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_needs_command" -s V -l version -d 'Print version'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "init" -d 'Write the starter instance.toml and create the instance\'s folders'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "run" -d 'Run the registry in the foreground until Ctrl-C'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "supervise" -d 'Keep the services up, as they were last configured'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "status" -d 'Show how the services are'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "service-list" -d 'List the services; a star marks those that are enabled'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "start" -d 'Start services, and wait until they serve'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "stop" -d 'Stop services, and wait until they have ended'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "restart" -d 'Restart services, and wait until the new processes serve'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "once" -d 'Start services, and leave them down when they end'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "hup" -d 'Have services read their files again, live'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "term" -d 'Send services the signal TERM'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "int" -d 'Send services the signal INT'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "kill" -d 'Send services the signal KILL, with all that they have started'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "graceful-kill" -d 'Stop services, and kill what has not ended in time'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "tail" -d 'Follow the logs of services until Ctrl-C'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "reconfigure" -d 'Apply instance.toml: render, check and replace the files made from it'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "set-readonly" -d 'Switch read-only on or off, live'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "registry-garbage-collect" -d 'Remove from the registry\'s storage what nothing in it needs'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "migrate-storage" -d 'Move the registry\'s content to another storage, compared object by object'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "verify" -d 'Read the whole storage and say what is wrong with it'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "cleanup-policy" -d 'Delete tags by the rules of `[[cleanup_policy]]`'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "du" -d 'Show what takes the space of the storage'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "user" -d 'Add, remove, list and check the users of [registry.auth.htpasswd]'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "events" -d 'Look at the events that wait for webhooks, and replay or drop them'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "generate-secrets" -d 'Generate the secrets file, without applying anything'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "check-config" -d 'Check instance.toml and list every problem'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "show-config" -d 'Show every setting in effect and where it came from'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "diff-config" -d 'Show what differs from the defaults'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "registry" -d 'Run upstream\'s commands on a config.yml'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "man" -d 'Print a page of the manual'
complete -c regctl -n "__fish_regctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand init" -l url -d 'The URL that users will type, as in image names; no path' -r
complete -c regctl -n "__fish_regctl_using_subcommand init" -l storage -d 'The folder for blobs, manifests and tags; a relative one is under the root' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand init" -l http-addr -d 'The address the registry listens on [default: 127.0.0.1:5000, or the next free port]' -r
complete -c regctl -n "__fish_regctl_using_subcommand init" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand init" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand init" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand init" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand init" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand run" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand run" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand run" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand run" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand run" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand supervise" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand supervise" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand supervise" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand supervise" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand status" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand status" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand status" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand service-list" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand service-list" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand service-list" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand service-list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand start" -l wait -d 'Wait at most this long until it is so [env: SVWAIT, in seconds] [default: 30s, or as long as a service may take to end]' -r
complete -c regctl -n "__fish_regctl_using_subcommand start" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand start" -l no-wait -d 'Do not wait: say how it is at once'
complete -c regctl -n "__fish_regctl_using_subcommand start" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand start" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand stop" -l wait -d 'Wait at most this long until it is so [env: SVWAIT, in seconds] [default: 30s, or as long as a service may take to end]' -r
complete -c regctl -n "__fish_regctl_using_subcommand stop" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand stop" -l no-wait -d 'Do not wait: say how it is at once'
complete -c regctl -n "__fish_regctl_using_subcommand stop" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand stop" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand restart" -l wait -d 'Wait at most this long until it is so [env: SVWAIT, in seconds] [default: 30s, or as long as a service may take to end]' -r
complete -c regctl -n "__fish_regctl_using_subcommand restart" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand restart" -l no-wait -d 'Do not wait: say how it is at once'
complete -c regctl -n "__fish_regctl_using_subcommand restart" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand restart" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand restart" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand once" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand once" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand once" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand once" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand once" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand once" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand hup" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand hup" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand hup" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand hup" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand hup" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand hup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand term" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand term" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand term" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand term" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand int" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand int" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand int" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand int" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand kill" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand kill" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand kill" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand graceful-kill" -l wait -d 'Wait at most this long until it is so [env: SVWAIT, in seconds] [default: 30s, or as long as a service may take to end]' -r
complete -c regctl -n "__fish_regctl_using_subcommand graceful-kill" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand graceful-kill" -l no-wait -d 'Do not wait: say how it is at once'
complete -c regctl -n "__fish_regctl_using_subcommand graceful-kill" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand graceful-kill" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand graceful-kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand tail" -s n -l lines -d 'Begin with so many lines of each log' -r
complete -c regctl -n "__fish_regctl_using_subcommand tail" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand tail" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand tail" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand tail" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -l print-template -d 'Print a built-in template, to be copied to etc/regctl/templates and edited there' -r -f -a "config.yml.j2\t''
nginx.conf.j2\t''
registry.conf.j2\t''
regctl.service.j2\t''
logrotate.j2\t''
tmpfiles.conf.j2\t''
cron.j2\t''"
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -s n -l dry-run -d 'Show what would change as a unified diff, and change nothing'
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -l exit-code -d 'With --dry-run: exit 5 when something would change'
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand reconfigure" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand set-readonly" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand set-readonly" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand set-readonly" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand set-readonly" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand set-readonly" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand set-readonly" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l quarantine -d 'Move what goes to a quarantine that is emptied by the first run after this time' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l undo -d 'Bring back what a run has put into quarantine' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l grace -d 'What is younger stays' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -s m -l delete-untagged -d 'Remove manifests that no tag leads to'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -s d -l dry-run -d 'Say what would go, and why; change nothing and stop nothing'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l stop -d 'Stop the registry meanwhile, whatever `garbage_collect.mode` says'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l read-only -d 'Leave the registry up, read-only meanwhile; what is younger than 24 h stays'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l online -d 'Leave the registry up for pulls and pushes; what is younger than 24 h stays, and what it has promised to clients'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l prune-empty-repositories -d 'Remove repositories that have neither tags nor manifests any more, whole or not at all; not with --online'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry-garbage-collect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l to -d 'The driver under [migrate.to] that is moved to' -r -f -a "filesystem\t'A folder'
s3\t'An S3 bucket'
s3aws\t'The old name of s3'"
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l only -d 'Only copy while the registry serves, or only compare' -r -f -a "copy\t'Copy, while the registry serves'
verify\t'Compare; the registry is read-only meanwhile'"
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l confirm -d 'The name that --delete or --discard asks for, where nobody is there to type it' -r
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l verify -d 'Which blobs of the target are read and hashed, beside being compared by their sizes' -r -f -a "fast\t'None'
once\t'Those that no migration to this target has copied or read before'
full\t'All of them'"
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l concurrency -d 'Objects on their way at once' -r
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l max-rate -d 'Copy at most so much in a second, such as 50MB' -r
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l back -d 'Move back to the storage that the last migration has left, with what was pushed since; as --to with --switch'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l discard -d 'With --back: leave behind what was pushed since'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -s n -l dry-run -d 'Compare both sides, try the target and say what would be copied and how long that takes; nothing that is changed stays'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l switch -d 'Serve from the target when it holds the same'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l delete -d 'Remove from the target what the source does not have, whoever has put it there'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand migrate-storage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l sample -d 'Hash only so many of the blobs, others each time; links, tags and manifests are all looked at' -r
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l concurrency -d 'Blobs that are read at once' -r
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l max-rate -d 'Read at most so much in a second, such as 50MB' -r
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l repair -d 'Repair what can be repaired without a loss'
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l restart -d 'Hash again what a run has hashed that was cut off'
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand verify" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand verify" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -f -a "run" -d 'Run the policies that are due'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -f -a "preview" -d 'Say of every tag what would become of it, and by which rule'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -f -a "list" -d 'List the policies, when each has run, and when it runs again'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -f -a "undo" -d 'Put back the tags that a run has deleted'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and not __fish_seen_subcommand_from run preview list undo help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l repository -d 'Only repositories like this one; `*` is anything but a slash, `**` anything' -r
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l now -d 'Run policies that are not due as well'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -s d -l dry-run -d 'Say what would go, and why; change nothing'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l gc -d 'Then collect what nothing needs any more, untagged manifests too, as `[garbage_collect]` says'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from preview" -l repository -d 'Only repositories like this one; `*` is anything but a slash, `**` anything' -r
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from preview" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from preview" -l csv -d 'As comma-separated values'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from preview" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from preview" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from preview" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from list" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from undo" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from undo" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from undo" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from undo" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from undo" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run the policies that are due'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from help" -f -a "preview" -d 'Say of every tag what would become of it, and by which rule'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the policies, when each has run, and when it runs again'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from help" -f -a "undo" -d 'Put back the tags that a run has deleted'
complete -c regctl -n "__fish_regctl_using_subcommand cleanup-policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand du" -l by -d 'What to add up' -r -f -a "project\t'The first components of the names of repositories'
repository\t''
tag\t''"
complete -c regctl -n "__fish_regctl_using_subcommand du" -l depth -d 'How many components of a name make a project' -r
complete -c regctl -n "__fish_regctl_using_subcommand du" -l top -d 'Only so many rows, the largest ones' -r
complete -c regctl -n "__fish_regctl_using_subcommand du" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand du" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand du" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand du" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -f -a "add" -d 'Add a user, or give one a new password'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -f -a "remove" -d 'Remove a user'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -f -a "list" -d 'List the users, and the lines of the file by which nobody gets in'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -f -a "check" -d 'Check a user\'s password'
complete -c regctl -n "__fish_regctl_using_subcommand user; and not __fish_seen_subcommand_from add remove list check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -l password-stdin -d 'Read the password from stdin'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -l replace -d 'Give a user that exists a new password'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from remove" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from remove" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from remove" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from list" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from check" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from check" -l password-stdin -d 'Read the password from stdin'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from check" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a user, or give one a new password'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a user'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the users, and the lines of the file by which nobody gets in'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a user\'s password'
complete -c regctl -n "__fish_regctl_using_subcommand user; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -f -a "list" -d 'List the endpoints, with what waits for each and what was given up'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -f -a "replay" -d 'Deliver the events of an endpoint after all that were given up'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -f -a "drop" -d 'Drop the events of an endpoint that were given up, or those that wait'
complete -c regctl -n "__fish_regctl_using_subcommand events; and not __fish_seen_subcommand_from list replay drop help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from list" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from replay" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from replay" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from replay" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from drop" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from drop" -l pending -d 'Drop those that wait, instead of those that were given up'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from drop" -l yes -d 'Do not ask'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from drop" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from drop" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from drop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the endpoints, with what waits for each and what was given up'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "replay" -d 'Deliver the events of an endpoint after all that were given up'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "drop" -d 'Drop the events of an endpoint that were given up, or those that wait'
complete -c regctl -n "__fish_regctl_using_subcommand events; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -s f -l file -d 'Write this file instead of etc/regctl/secrets.json' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -l wait -d 'Wait this long for another command that is changing the instance' -r
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -l no-wait -d 'Do not wait: exit 75 at once'
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand generate-secrets" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand check-config" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand check-config" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand check-config" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand check-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand show-config" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand show-config" -l defaults -d 'Show every key that instance.toml can have, with its default and meaning; no instance is needed'
complete -c regctl -n "__fish_regctl_using_subcommand show-config" -l show-secrets -d 'Print secrets as they are'
complete -c regctl -n "__fish_regctl_using_subcommand show-config" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand show-config" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand show-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand diff-config" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand diff-config" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand diff-config" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand diff-config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "serve" -d 'Serve a registry until TERM or Ctrl-C'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "garbage-collect" -d 'Remove from a storage what nothing in it needs'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "cleanup-tags" -d 'Change tags as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "migrate" -d 'Work on a migration as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "usage" -d 'Say what takes the space of a storage'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "verify" -d 'Verify a storage as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and not __fish_seen_subcommand_from serve garbage-collect cleanup-tags migrate usage verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from serve" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from serve" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from serve" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l quarantine -d 'Move what goes to a quarantine that is emptied by the first run after this time' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l undo -d 'Bring back what a run has put into quarantine' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l references -d 'Where the instance remembers what manifests refer to' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l grace -d 'What is younger stays' -r
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -s m -l delete-untagged -d 'Remove manifests that no tag leads to'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -s d -l dry-run -d 'Say what would go, and why; change nothing. The registry may run'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l prune-empty-repositories -d 'Remove repositories that have neither tags nor manifests any more, whole or not at all'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l shared -d 'The storage is served by a registry that is read-only'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l beside -d 'The storage is served by the registry to which a connection was passed on'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l check -d 'Only see whether it could work at all'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l told -d 'Who started this wants to hear of each deletion'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from garbage-collect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l references -d 'Where the instance remembers what manifests refer to' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l dry-run -d 'Say what would go; change nothing'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l forecast -d 'The same, and how many bytes a collection would free then'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l csv -d 'As comma-separated values'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l beside -d 'The storage is served by the registry to which a connection was passed on'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from cleanup-tags" -s h -l help -d 'Print help'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from migrate" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from migrate" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from migrate" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from migrate" -s h -l help -d 'Print help'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -l by -r -f -a "project\t'The first components of the names of repositories'
repository\t''
tag\t''"
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -l depth -r
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -l top -r
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -l references -d 'Where the instance remembers what manifests refer to' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from usage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from verify" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from verify" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "serve" -d 'Serve a registry until TERM or Ctrl-C'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "garbage-collect" -d 'Remove from a storage what nothing in it needs'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "cleanup-tags" -d 'Change tags as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "migrate" -d 'Work on a migration as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "usage" -d 'Say what takes the space of a storage'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Verify a storage as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand registry; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand completions" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand completions" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand completions" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand completions" -s h -l help -d 'Print help'
complete -c regctl -n "__fish_regctl_using_subcommand man" -l root -d 'The folder of the whole instance [env: REGCTL_ROOT] [default: /]' -r -F
complete -c regctl -n "__fish_regctl_using_subcommand man" -l json -d 'Print one JSON document instead of text'
complete -c regctl -n "__fish_regctl_using_subcommand man" -s q -l quiet -d 'Say nothing unless something needs a look'
complete -c regctl -n "__fish_regctl_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "init" -d 'Write the starter instance.toml and create the instance\'s folders'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "run" -d 'Run the registry in the foreground until Ctrl-C'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "supervise" -d 'Keep the services up, as they were last configured'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "status" -d 'Show how the services are'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "service-list" -d 'List the services; a star marks those that are enabled'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "start" -d 'Start services, and wait until they serve'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "stop" -d 'Stop services, and wait until they have ended'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "restart" -d 'Restart services, and wait until the new processes serve'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "once" -d 'Start services, and leave them down when they end'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "hup" -d 'Have services read their files again, live'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "term" -d 'Send services the signal TERM'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "int" -d 'Send services the signal INT'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "kill" -d 'Send services the signal KILL, with all that they have started'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "graceful-kill" -d 'Stop services, and kill what has not ended in time'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "tail" -d 'Follow the logs of services until Ctrl-C'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "reconfigure" -d 'Apply instance.toml: render, check and replace the files made from it'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "set-readonly" -d 'Switch read-only on or off, live'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "registry-garbage-collect" -d 'Remove from the registry\'s storage what nothing in it needs'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "migrate-storage" -d 'Move the registry\'s content to another storage, compared object by object'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "verify" -d 'Read the whole storage and say what is wrong with it'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "cleanup-policy" -d 'Delete tags by the rules of `[[cleanup_policy]]`'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "du" -d 'Show what takes the space of the storage'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "user" -d 'Add, remove, list and check the users of [registry.auth.htpasswd]'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "events" -d 'Look at the events that wait for webhooks, and replay or drop them'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "generate-secrets" -d 'Generate the secrets file, without applying anything'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "check-config" -d 'Check instance.toml and list every problem'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "show-config" -d 'Show every setting in effect and where it came from'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "diff-config" -d 'Show what differs from the defaults'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "registry" -d 'Run upstream\'s commands on a config.yml'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "man" -d 'Print a page of the manual'
complete -c regctl -n "__fish_regctl_using_subcommand help; and not __fish_seen_subcommand_from init run supervise status service-list start stop restart once hup term int kill graceful-kill tail reconfigure set-readonly registry-garbage-collect migrate-storage verify cleanup-policy du user events generate-secrets check-config show-config diff-config registry completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from cleanup-policy" -f -a "run" -d 'Run the policies that are due'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from cleanup-policy" -f -a "preview" -d 'Say of every tag what would become of it, and by which rule'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from cleanup-policy" -f -a "list" -d 'List the policies, when each has run, and when it runs again'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from cleanup-policy" -f -a "undo" -d 'Put back the tags that a run has deleted'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "add" -d 'Add a user, or give one a new password'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "remove" -d 'Remove a user'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "list" -d 'List the users, and the lines of the file by which nobody gets in'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from user" -f -a "check" -d 'Check a user\'s password'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from events" -f -a "list" -d 'List the endpoints, with what waits for each and what was given up'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from events" -f -a "replay" -d 'Deliver the events of an endpoint after all that were given up'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from events" -f -a "drop" -d 'Drop the events of an endpoint that were given up, or those that wait'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from registry" -f -a "serve" -d 'Serve a registry until TERM or Ctrl-C'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from registry" -f -a "garbage-collect" -d 'Remove from a storage what nothing in it needs'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from registry" -f -a "cleanup-tags" -d 'Change tags as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from registry" -f -a "migrate" -d 'Work on a migration as the command says that has started this'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from registry" -f -a "usage" -d 'Say what takes the space of a storage'
complete -c regctl -n "__fish_regctl_using_subcommand help; and __fish_seen_subcommand_from registry" -f -a "verify" -d 'Verify a storage as the command says that has started this'
