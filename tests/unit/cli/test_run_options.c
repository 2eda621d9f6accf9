/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of run: each row is a command line and the first line of docker's complaint (recorded
 * from the docker command line 28.2.2), or NULL where docker accepts it. Flags are parsed and the
 * request is finished exactly as the command does it.
 */
#include "base/err.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/option.h"
#include "cli/verbs.h"

#include "../unit.h"

struct row {
	const char *args[8];
	const char *expected;
};

static const struct row rows[] = {
	{{"--rm=maybe", "x"},
	 "invalid argument \"maybe\" for \"--rm\" flag: strconv.ParseBool: parsing \"maybe\": "
	 "invalid syntax"},
	{{"--memory"}, "flag needs an argument: --memory"},
	{{"-m"}, "flag needs an argument: 'm' in -m"},
	{{"--memory=x", "b"},
	 "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'"},
	{{"-m", "x", "b"}, "invalid argument \"x\" for \"-m, --memory\" flag: invalid size: 'x'"},
	{{"--=x", "b"}, "bad flag syntax: --=x"},
	{{"---x", "b"}, "bad flag syntax: ---x"},
	{{"-=3", "b"}, "unknown shorthand flag: '=' in -=3"},
	{{"--cpus=x", "b"},
	 "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number"},
	{{"--blkio-weight=70000", "b"},
	 "invalid argument \"70000\" for \"--blkio-weight\" flag: strconv.ParseUint: parsing "
	 "\"70000\": value out of range"},
	{{"--blkio-weight=x", "b"},
	 "invalid argument \"x\" for \"--blkio-weight\" flag: strconv.ParseUint: parsing \"x\": "
	 "invalid syntax"},
	{{"--cpu-shares=x", "b"},
	 "invalid argument \"x\" for \"-c, --cpu-shares\" flag: strconv.ParseInt: parsing \"x\": "
	 "invalid syntax"},
	{{"--cpu-shares=0x10", "b"}, NULL},
	{{"--memory-swap=-2", "b"},
	 "invalid argument \"-2\" for \"--memory-swap\" flag: invalid size: '-2'"},
	{{"--ulimit", "foo", "b"},
	 "invalid argument \"foo\" for \"--ulimit\" flag: invalid ulimit argument: foo"},
	{{"--ulimit", "nofile=3:2", "b"},
	 "invalid argument \"nofile=3:2\" for \"--ulimit\" flag: ulimit soft limit must be less "
	 "than or equal to hard limit: 3 > 2"},
	{{"--ulimit", "foo=3", "b"},
	 "invalid argument \"foo=3\" for \"--ulimit\" flag: invalid ulimit type: foo"},
	{{"--ulimit", "nofile=a", "b"},
	 "invalid argument \"nofile=a\" for \"--ulimit\" flag: strconv.ParseInt: parsing \"a\": "
	 "invalid syntax"},
	{{"--ulimit", "nofile=1:b", "b"},
	 "invalid argument \"nofile=1:b\" for \"--ulimit\" flag: strconv.ParseInt: parsing \"b\": "
	 "invalid syntax"},
	{{"--ulimit", "nofile=1:2:3", "b"},
	 "invalid argument \"nofile=1:2:3\" for \"--ulimit\" flag: too many limit value arguments "
	 "- 1:2:3, can only have up to two, `soft[:hard]`"},
	{{"--ulimit", "nofile=-1:5", "b"},
	 "invalid argument \"nofile=-1:5\" for \"--ulimit\" flag: ulimit soft limit must be less "
	 "than or equal to hard limit: soft: -1 (unlimited), hard: 5"},
	{{"--stop-timeout=x", "b"},
	 "invalid argument \"x\" for \"--stop-timeout\" flag: strconv.ParseInt: parsing \"x\": "
	 "invalid syntax"},
	{{"--pids-limit=99999999999999999999", "b"},
	 "invalid argument \"99999999999999999999\" for \"--pids-limit\" flag: strconv.ParseInt: "
	 "parsing \"99999999999999999999\": value out of range"},
	{{"-l", "=x", "b"},
	 "invalid argument \"=x\" for \"-l, --label\" flag: invalid label '=x': empty name"},
	{{"-l", "c d=x", "b"},
	 "invalid argument \"c d=x\" for \"-l, --label\" flag: label 'c d' contains whitespaces"},
	{{"-e", "=", "b"},
	 "invalid argument \"=\" for \"-e, --env\" flag: invalid environment variable: ="},
	{{"-e", "", "b"},
	 "invalid argument \"\" for \"-e, --env\" flag: invalid environment variable: "},
	{{"--sysctl", "x", "b"},
	 "invalid argument \"x\" for \"--sysctl\" flag: sysctl 'x' is not allowed"},
	{{"--sysctl", "a=b=c", "b"},
	 "invalid argument \"a=b=c\" for \"--sysctl\" flag: sysctl 'a=b=c' is not allowed"},
	{{"--sysctl", "net.a=b", "b"}, NULL},
	{{"-a", "foo", "b"},
	 "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and "
	 "STDERR"},
	{{"--restart", "on-failure:x", "b"},
	 "invalid restart policy format: maximum retry count must be an integer"},
	{{"--restart", ":3", "b"},
	 "invalid restart policy format: no policy provided before colon"},
	{{"--rm", "--restart", "always", "b"},
	 "conflicting options: cannot specify both --restart and --rm"},
	{{"--pid", "foo", "b"}, "--pid: invalid PID mode"},
	{{"--uts", "foo", "b"}, "--uts: invalid UTS mode"},
	{{"--cgroupns", "foo", "b"}, "--cgroupns: invalid CGROUP mode"},
	{{"--network", "", "b"}, "no name set for network"},
	{{"--userns", "foo", "b"}, "--userns: invalid USER mode"},
	{{"--pull", "foo", "b"},
	 "invalid pull option: 'foo': must be one of \"always\", \"missing\" or \"never\""},
	{{"-q", "--tty=x", "b"},
	 "invalid argument \"x\" for \"-t, --tty\" flag: strconv.ParseBool: parsing \"x\": invalid "
	 "syntax"},
	{{"--shm-size=-1", "b"},
	 "invalid argument \"-1\" for \"--shm-size\" flag: invalid size: '-1'"},
	{{"--memory=-1", "b"},
	 "invalid argument \"-1\" for \"-m, --memory\" flag: invalid size: '-1'"},
	{{"--memory-swappiness=200", "b"},
	 "invalid value: 200. Valid memory swappiness range is 0-100"},
	{{"--publish", "x", "b"}, "invalid containerPort: x"},
	{{"-p", "80:x", "b"}, "invalid containerPort: x"},
	{{"-p", "1-2:1-3", "b"},
	 "invalid ranges specified for container and host Ports: 1-3 and 1-2"},
	{{"-p", "1:2:3:4", "b"}, "invalid IP address: 1:2"},
	{{"-p", "70000", "b"}, "invalid containerPort: 70000"},
	{{"-p", "70000:1", "b"}, "invalid hostPort: 70000"},
	{{"-p", "9-3:1", "b"}, "invalid hostPort: 9-3"},
	{{"-p", "x:1:1", "b"}, "invalid IP address: x"},
	{{"-p", "::", "b"}, "no port specified: ::<empty>"},
	{{"-p", "", "b"}, "no port specified: <empty>"},
	{{"-p", "80/foo", "b"}, "invalid proto: foo"},
	{{"--expose", "x", "b"},
	 "invalid range format for --expose: x, error: strconv.ParseUint: parsing \"x\": invalid "
	 "syntax"},
	{{"--expose", "", "b"},
	 "invalid range format for --expose: , error: empty string specified for ports"},
	{{"--expose", "65536", "b"},
	 "invalid range format for --expose: 65536, error: strconv.ParseUint: parsing \"65536\": "
	 "value out of range"},
	{{"--expose", "a-b", "b"},
	 "invalid range format for --expose: a-b, error: strconv.ParseUint: parsing \"a\": invalid "
	 "syntax"},
	{{"--dns-search", "a_b.c", "b"},
	 "invalid argument \"a_b.c\" for \"--dns-search\" flag: a_b.c is not a valid domain"},
	{{"--dns-search", "a..b", "b"},
	 "invalid argument \"a..b\" for \"--dns-search\" flag: a..b is not a valid domain"},
	{{"--expose", "80:80", "b"}, "invalid port format for --expose: 80:80"},
	{{"--expose", "9-3", "b"},
	 "invalid range format for --expose: 9-3, error: invalid range specified for port: 9-3"},
	{{"--log-driver", "none", "--log-opt", "a=b", "b"}, "invalid logging opts for driver none"},
	{{"--security-opt", "x", "b"}, "Invalid --security-opt: \"x\""},
	{{"--device-read-bps", "x", "b"},
	 "invalid argument \"x\" for \"--device-read-bps\" flag: bad format: x"},
	{{"--device-read-bps", "/dev/sda:x", "b"},
	 "invalid argument \"/dev/sda:x\" for \"--device-read-bps\" flag: invalid rate for device: "
	 "/dev/sda:x. The correct format is <device-path>:<number>[<unit>]. Number must be a "
	 "positive integer. Unit is optional and can be kb, mb, or gb"},
	{{"--device-read-bps", "sda:1", "b"},
	 "invalid argument \"sda:1\" for \"--device-read-bps\" flag: bad format for device path: "
	 "sda:1"},
	{{"--device-read-iops", "/dev/sda:-1", "b"},
	 "invalid argument \"/dev/sda:-1\" for \"--device-read-iops\" flag: invalid rate for "
	 "device: /dev/sda:-1. The correct format is <device-path>:<number>. Number must be a "
	 "positive integer"},
	{{"--blkio-weight-device", "/dev/x:5", "b"},
	 "invalid argument \"/dev/x:5\" for \"--blkio-weight-device\" flag: invalid weight for "
	 "device: /dev/x:5"},
	{{"--blkio-weight-device", "/dev/x:a", "b"},
	 "invalid argument \"/dev/x:a\" for \"--blkio-weight-device\" flag: invalid weight for "
	 "device: /dev/x:a"},
	{{"--device-cgroup-rule", "x", "b"},
	 "invalid argument \"x\" for \"--device-cgroup-rule\" flag: invalid device cgroup format "
	 "'x'"},
	{{"--device-cgroup-rule", "c 1:3 rwmr", "b"},
	 "invalid argument \"c 1:3 rwmr\" for \"--device-cgroup-rule\" flag: invalid device cgroup "
	 "format 'c 1:3 rwmr'"},
	{{"--device-cgroup-rule", "c *:* rwm", "b"}, NULL},
	{{"--env-file", "/nonexist", "b"}, "open /nonexist: no such file or directory"},
	{{"--label-file", "/nonexist", "b"}, "open /nonexist: no such file or directory"},
	{{"--dns", "x", "b"},
	 "invalid argument \"x\" for \"--dns\" flag: IP address is not correctly formatted: x"},
	{{"--dns-search", "a b", "b"},
	 "invalid argument \"a b\" for \"--dns-search\" flag: a b is not a valid domain"},
	{{"--cpus", "0.0000000001", "b"},
	 "invalid argument \"0.0000000001\" for \"--cpus\" flag: value is too precise"},
	{{"--cpus", "1.5", "b"}, NULL},
	{{"--network", "foo=3", "b"},
	 "invalid argument \"foo=3\" for \"--network\" flag: invalid field key foo"},
	{{"--network", "a", "--network", "host", "b"},
	 "conflicting options: cannot attach both user-defined and non-user-defined network-modes"},
	{{"--mount", "", "b"}, "invalid argument \"\" for \"--mount\" flag: EOF"},
	{{"--mount", "a", "b"},
	 "invalid argument \"a\" for \"--mount\" flag: invalid field 'a' must be a key=value pair"},
	{{"--mount", "type=bind", "b"},
	 "invalid argument \"type=bind\" for \"--mount\" flag: target is required"},
	{{"--mount", "type=bind,source=/x", "b"},
	 "invalid argument \"type=bind,source=/x\" for \"--mount\" flag: target is required"},
	{{"--mount", "type=bind,source=/x,target=/y,readonly=maybe", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,readonly=maybe\" for \"--mount\" flag: "
	 "invalid value for readonly: maybe"},
	{{"--mount", "type=bind,source=/x,target=/y,ro=1", "b"}, NULL},
	{{"--mount", "type=bind,source=/x,target=/y,ro=", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,ro=\" for \"--mount\" flag: invalid "
	 "value for ro: "},
	{{"--mount", "type=bind,source=/x,target=/y,foo=bar", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,foo=bar\" for \"--mount\" flag: "
	 "unexpected key 'foo' in 'foo=bar'"},
	{{"--mount", "type=bind,source=/x,target=/y,foo", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,foo\" for \"--mount\" flag: invalid "
	 "field 'foo' must be a key=value pair"},
	{{"--mount", "type=tmpfs,target=/y,tmpfs-size=x", "b"},
	 "invalid argument \"type=tmpfs,target=/y,tmpfs-size=x\" for \"--mount\" flag: invalid "
	 "value for tmpfs-size: x"},
	{{"--mount", "type=tmpfs,target=/y,tmpfs-mode=9", "b"},
	 "invalid argument \"type=tmpfs,target=/y,tmpfs-mode=9\" for \"--mount\" flag: invalid "
	 "value for tmpfs-mode: 9"},
	{{"--mount", "type=bind,source=/x,target=/y,tmpfs-size=3", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,tmpfs-size=3\" for \"--mount\" flag: "
	 "cannot mix 'tmpfs-*' options with mount type 'bind'"},
	{{"--mount", "type=volume,target=/y,bind-propagation=shared", "b"},
	 "invalid argument \"type=volume,target=/y,bind-propagation=shared\" for \"--mount\" flag: "
	 "cannot mix 'bind-*' options with mount type 'volume'"},
	{{"--mount", "type=tmpfs,target=/y,volume-nocopy", "b"},
	 "invalid argument \"type=tmpfs,target=/y,volume-nocopy\" for \"--mount\" flag: cannot mix "
	 "'volume-*' options with mount type 'tmpfs'"},
	{{"--mount", "type=bind,source=/x,target=/y,image-subpath=z", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,image-subpath=z\" for \"--mount\" flag: "
	 "cannot mix 'image-*' options with mount type 'bind'"},
	{{"--mount", "type=,target=/y", "b"},
	 "invalid argument \"type=,target=/y\" for \"--mount\" flag: type is required"},
	{{"--mount", "type=bind,source=/x,target=/y,bind-recursive=writable", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,bind-recursive=writable\" for "
	 "\"--mount\" flag: option 'bind-recursive=writable' requires 'readonly' to be specified "
	 "in conjunction"},
	{{"--mount", "type=bind,source=/x,target=/y,bind-recursive=foo", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,bind-recursive=foo\" for \"--mount\" "
	 "flag: invalid value for bind-recursive: foo (must be \"enabled\", \"disabled\", "
	 "\"writable\", or \"readonly\")"},
	{{"--mount", "type=bind,source=/x,target=/y,bind-recursive=readonly", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,bind-recursive=readonly\" for "
	 "\"--mount\" flag: option 'bind-recursive=readonly' requires 'readonly' to be specified "
	 "in conjunction"},
	{{"--mount", "type=bind,source=/x,target=/y,bind-recursive=readonly,ro", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,bind-recursive=readonly,ro\" for "
	 "\"--mount\" flag: option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' "
	 "to be specified in conjunction"},
	{{"--mount", "type=bind,source=/x,target=/y,bind-nonrecursive=foo", "b"},
	 "invalid argument \"type=bind,source=/x,target=/y,bind-nonrecursive=foo\" for \"--mount\" "
	 "flag: invalid value for bind-nonrecursive: foo"},
	{{"--mount", "type=bind,\"source=/x,y\",target=/y", "b"}, NULL},
	{{"--mount", "type=bind,\"source=/x,target=/y", "b"},
	 "invalid argument \"type=bind,\\\"source=/x,target=/y\" for \"--mount\" flag: parse error "
	 "on line 1, column 31: extraneous or missing \" in quoted-field"},
	{{"--mount", "type=bind,sou\"rce=/x,target=/y", "b"},
	 "invalid argument \"type=bind,sou\\\"rce=/x,target=/y\" for \"--mount\" flag: parse error "
	 "on line 1, column 14: bare \" in non-quoted-field"},
	{{"--mount", "type=bind,\"source\"=/x,target=/y", "b"},
	 "invalid argument \"type=bind,\\\"source\\\"=/x,target=/y\" for \"--mount\" flag: parse "
	 "error on line 1, column 18: extraneous or missing \" in quoted-field"},
	{{"--mount", "type=bind,\"sour\"\"ce=/x\",target=/y", "b"},
	 "invalid argument \"type=bind,\\\"sour\\\"\\\"ce=/x\\\",target=/y\" for \"--mount\" flag: "
	 "unexpected key 'sour\"ce' in 'sour\"ce=/x'"},
	{{"--mount", " type=bind,source=/x,target=/y", "b"},
	 "invalid argument \" type=bind,source=/x,target=/y\" for \"--mount\" flag: unexpected key "
	 "' type' in ' type=bind'"},
	{{"--mount", "type=bind,source=/x,dst=/y,volume-nocopy=maybe", "b"},
	 "invalid argument \"type=bind,source=/x,dst=/y,volume-nocopy=maybe\" for \"--mount\" "
	 "flag: invalid value for volume-nocopy: maybe"},
	{{"--mount", "type=bind,source=/x,target=", "b"},
	 "invalid argument \"type=bind,source=/x,target=\" for \"--mount\" flag: target is "
	 "required"},
	{{"--mount", "TYPE=bind,SOURCE=/x,target=/y", "b"}, NULL},
	{{"--mount", "type=bind,,target=/y", "b"},
	 "invalid argument \"type=bind,,target=/y\" for \"--mount\" flag: invalid field '' must be "
	 "a key=value pair"},
	{{"--mount", "type=bind,target=/y,", "b"},
	 "invalid argument \"type=bind,target=/y,\" for \"--mount\" flag: invalid field '' must be "
	 "a key=value pair"},
	{{"-v", "", "b"}, "invalid empty volume spec"},
	{{"-v", ":/b", "b"}, "invalid spec: :/b: empty section between colons"},
	{{"-v", "/a:", "b"}, "invalid spec: /a:: empty section between colons"},
	{{"-v", "/a:/b:", "b"}, "invalid spec: /a:/b:: empty section between colons"},
	{{"-itZ", "b"}, "unknown shorthand flag: 'Z' in -Z"},
	{{"-p"}, "flag needs an argument: 'p' in -p"},
	{{"-ti", "-e"}, "flag needs an argument: 'e' in -e"},
	{{"--memory", "", "b"},
	 "invalid argument \"\" for \"-m, --memory\" flag: invalid size: ''"},
	{{"--memory", "64mib", "b"}, NULL},
	{{"--memory", "64 MB", "b"}, NULL},
	{{"--cpu-shares", "", "b"},
	 "invalid argument \"\" for \"-c, --cpu-shares\" flag: strconv.ParseInt: parsing \"\": "
	 "invalid syntax"},
	{{"--cpu-shares", "1_000", "b"}, NULL},
	{{"--cpu-shares", "_1", "b"},
	 "invalid argument \"_1\" for \"-c, --cpu-shares\" flag: strconv.ParseInt: parsing \"_1\": "
	 "invalid syntax"},
	{{"--cpu-shares", "0o17", "b"}, NULL},
	{{"--cpu-shares", "017", "b"}, NULL},
	{{"--cpu-shares", "08", "b"},
	 "invalid argument \"08\" for \"-c, --cpu-shares\" flag: strconv.ParseInt: parsing \"08\": "
	 "invalid syntax"},
	{{"--cpu-shares", "0b11", "b"}, NULL},
	{{"--cpu-shares", "+5", "b"}, NULL},
	{{"--cpu-shares", "-9223372036854775809", "b"},
	 "invalid argument \"-9223372036854775809\" for \"-c, --cpu-shares\" flag: "
	 "strconv.ParseInt: parsing \"-9223372036854775809\": value out of range"},
	{{"--blkio-weight", "-1", "b"},
	 "invalid argument \"-1\" for \"--blkio-weight\" flag: strconv.ParseUint: parsing \"-1\": "
	 "invalid syntax"},
	{{"--blkio-weight", "0x20", "b"}, NULL},
	{{"--ulimit", "", "b"},
	 "invalid argument \"\" for \"--ulimit\" flag: invalid ulimit argument: "},
	{{"--ulimit", "=3", "b"},
	 "invalid argument \"=3\" for \"--ulimit\" flag: invalid ulimit type: "},
	{{"--ulimit", "nofile=", "b"},
	 "invalid argument \"nofile=\" for \"--ulimit\" flag: strconv.ParseInt: parsing \"\": "
	 "invalid syntax"},
	{{"--ulimit", "nofile=99999999999999999999", "b"},
	 "invalid argument \"nofile=99999999999999999999\" for \"--ulimit\" flag: "
	 "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"},
	{{"--ulimit", "as=3", "b"},
	 "invalid argument \"as=3\" for \"--ulimit\" flag: invalid ulimit type: as"},
	{{"-m", "a\\\"é\t", "b"},
	 "invalid argument \"a\\\\\\\"é\\t\" for \"-m, --memory\" flag: invalid size: 'a\\\"é\t'"},
	{{"--attach", "STDERR", "b"}, NULL},
	{{"-e", "A", "-e", "B=c", "-e", "C=", "b"}, NULL},
	{{"--unknown-flag=3", "b"}, "unknown flag: --unknown-flag"},
	{{"--memory-swa", "3", "b"}, "unknown flag: --memory-swa"},
	{{"--tty=T", "b"}, NULL},
	{{"-t=1", "b"}, NULL},
	{{"-t=x", "b"},
	 "invalid argument \"x\" for \"-t, --tty\" flag: strconv.ParseBool: parsing \"x\": invalid "
	 "syntax"},
	{{"-it=x", "b"},
	 "invalid argument \"x\" for \"-t, --tty\" flag: strconv.ParseBool: parsing \"x\": invalid "
	 "syntax"},
	/* Where the daemon, not the command line, has docker's text. */
	{{"--restart", "foo", "b"},
	 "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', "
	 "or "
	 "'unless-stopped'"},
	{{"-v", "a:/b:c:d", "b"}, "invalid volume specification: 'a:/b:c:d'"},
	{{"-v", "/foo:rw", "b"}, "invalid volume specification: '/foo:rw'"},
	{{"-v", "/a:/b:foo", "b"}, "invalid mode: foo"},
	{{"-v", "/a:/b:ro,rw", "b"}, "invalid mode: ro,rw"},
	{{"-v", "/a:/b:nocopy", "b"},
	 "invalid volume specification: '/a:/b:nocopy': invalid mount config for type \"bind\": "
	 "field VolumeOptions must not be specified"},
	{{"-v", "va:/b/../c", "-v", "vb:/c/", "b"}, "Duplicate mount point: /c"},
	{{"-v", "/x:/", "b"},
	 "invalid volume specification: '/x:/': invalid mount config for type \"bind\": invalid "
	 "specification: destination can't be '/'"},
	{{"-v", "/x:y", "b"},
	 "invalid volume specification: '/x:y': invalid mount config for type \"bind\": invalid "
	 "mount "
	 "path: 'y' mount path must be absolute"},
	{{"-v", "/a:/x", "-v", "/b:/x/", "b"}, "Duplicate mount point: /x"},
	{{"--tmpfs", "/x", "-v", "/a:/x", "b"}, "Duplicate mount point: /x"},
	{{"-v", "/a:/b:ro,Z,rshared,cached", "b"}, NULL},
	{{"-v", "name:/x", "b"}, NULL},
	{{"-v", "/x", "b"}, NULL},
	{{"-v", "/x", "-v", "/x", "b"}, NULL},
	{{"-v", "v:/x", "-v", "/x", "b"}, NULL},
	{{"-v", "va:/x", "-v", "vb:/x/", "b"}, "Duplicate mount point: /x"},
	{{"--mount", "target=/x", "b"}, NULL},
	{{"-v", "va:/x:rslave", "b"},
	 "invalid volume specification: 'va:/x:rslave': invalid mount config for type \"volume\": "
	 "field BindOptions must not be specified"},
	{{"-v", "va:/x:idmap", "b"}, NULL},
	{{"-v", "/a:/x:ro,idmap=1000:1000", "b"}, NULL},
	{{"-v", "/a:/x:idmap,idmap=1", "b"}, "invalid mode: idmap,idmap=1"},
	{{"-v", "/a:/x:idmap=1:2:3", "b"}, "invalid volume specification: '/a:/x:idmap=1:2:3'"},
	{{"--mount", "type=bind,src=/a,dst=/x,idmap=5:6", "b"}, NULL},
	{{"--mount", "src=va,dst=/x,volume-subpath=a/../../b", "b"},
	 "invalid mount config for type \"volume\": subpath must be a relative path within the "
	 "volume"},
	{{"--mount", "src=va,dst=/x,volume-subpath=a/../b", "b"}, NULL},
	{{"--mount", "type=image,src=i,dst=/x,image-subpath=a", "b"}, NULL},
	{{"--volumes-from", "a", "--volume-driver", "local", "b"}, NULL},
	{{"--mount", "type=bind,target=/x", "b"},
	 "invalid mount config for type \"bind\": field Source must not be empty"},
	{{"--mount", "type=bind,source=x,target=/y", "b"},
	 "invalid mount config for type \"bind\": invalid mount path: 'x' mount path must be "
	 "absolute"},
	{{"--mount", "type=tmpfs,source=x,target=/y", "b"},
	 "invalid mount config for type \"tmpfs\": field Source must not be specified"},
	{{"--mount", "type=foo,target=/y", "b"},
	 "invalid mount config for type \"foo\": mount type unknown"},
	{{"--tmpfs", "x", "b"}, "invalid mount path: 'x' mount path must be absolute"},
	{{"--tmpfs", "/x:foo", "b"}, "Invalid tmpfs option \"foo\""},
	{{"--tmpfs", "/x:rw,size=64m,mode=1777", "b"}, NULL},
	{{"--device", "/dev/null:/dev/x:rw", "b"}, NULL},
	{{"--device", "/dev/null:r", "b"}, NULL},
	{{"--device", "a:b:c:d", "b"}, "bad format for path: a:b:c:d"},
	{{"--device", "/dev/null:x", "b"}, "x is not an absolute path"},
	{{"--device", "/dev/null:/x:q", "b"}, "bad mode specified: q"},
	{{"--env-file", "/nonexistent/f", "b"}, "open /nonexistent/f: no such file or directory"},
	{{"--security-opt", "seccomp=/nonexistent/f", "b"},
	 "opening seccomp profile (/nonexistent/f) failed: open /nonexistent/f: no such file or "
	 "directory"},
	{{"-d", "-a", "stdin", "b"},
	 "conflicting options: cannot specify both --attach and --detach"},
	{{"-p", "80:80", "-P", "b"}, NULL},
	{{"--dry-run", "b"}, "--dry-run needs --explain"},
	{{"--explain=json", "--dry-run", "b"}, NULL},
	{{"--explain=yaml", "b"},
	 "invalid argument \"yaml\" for \"--explain\" flag: must be shell or json"},
	{{"--use-api-socket", "b"}, "--use-api-socket: there is no API socket yet"},
	{{"--gpus", "x=y", "b"},
	 "invalid argument \"x=y\" for \"--gpus\" flag: unexpected key 'x' in 'x=y'"},
	{{"--gpus", "\"device=1,2\",capabilities=compute", "b"}, NULL},
	{{"--device", "vendor.com/class=name", "b"}, NULL},
	{{"--uts", "container:x", "b"}, NULL},
	{{"--link", "a:b:c", "b"},
	 "invalid argument \"a:b:c\" for \"--link\" flag: bad format for links: a:b:c"},
	{{"--storage-opt", "size", "b"}, "invalid storage option"},
	{{"--privileged", "-itd", "--", "b"}, NULL},
	{{"b", "--nosuch", "-Z"}, NULL}, /* belongs to the container's command */
};

/* The complaint about ARGS in ERR, or 0; the options are left in O for a look. */
static int parse(char *const *args, union verb_options *o, struct err *err)
{
	cleanup_strv struct strv rest = STRV_INIT;
	struct option_parse p = {
		.tables = {container_options, run_only_options},
		.target = o,
		.stop_at_first = true,
		.ret_args = &rest,
	};
	size_t n = 0;

	while (args[n])
		n++;
	run_options_init(o);
	if (option_parse(&p, args, n, err) < 0)
		return -err->code;
	if (p.refused)
		return err_set(err, ERR_UNSUPPORTED, "--%s: %s", p.refused->name,
			       p.refused->missing);
	return run_request_finish(&o->run, &rest, err);
}

static void every_line_gives_dockers_answer(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_with(run_options_done) union verb_options o = {};
		cleanup_strv struct strv args = STRV_INIT;
		struct err err = ERR_INIT;
		int rc = 0;

		for (size_t j = 0; j < 8 && rows[i].args[j]; j++)
			strv_add(&args, rows[i].args[j]);
		rc = parse(args.items, &o, &err);
		if (!str_is_equal(rc < 0 ? err.msg : NULL, rows[i].expected))
			fail_msg("row %zu (%s %s): got %s, want %s", i, rows[i].args[0],
				 rows[i].args[1] ? rows[i].args[1] : "",
				 rc < 0 ? err.msg : "success",
				 rows[i].expected ? rows[i].expected : "success");
	}
}

/* Everything lands in its field. */
static void a_full_line_fills_the_spec(void **state)
{
	static const char line[] =
		"-itd --name=c1 -eA=b -e=C=d -h host --domainname=dom -u 1:2 -w/srv -m64m "
		"--memory-swap -1 --memory-reservation=32M --memory-swappiness=0 --cpus=.5 -c20 "
		"--cpuset-cpus 0 --pids-limit=-1 --ulimit nofile=1:2 --ulimit nofile=3 -v "
		"/a:/b:ro,z "
		"--mount type=tmpfs,dst=/t,tmpfs-size=1k,tmpfs-mode=755 --tmpfs /u:size=1m "
		"--device "
		"/dev/null:/dev/n:r --cap-drop=ALL --sysctl net.x=1 --stop-timeout 0 --restart "
		"on-failure:3 --pull never --entrypoint= --sig-proxy=false --shm-size 1m --network "
		"host "
		"--device-read-bps /dev/sda:1mb --expose 80-81/udp --add-host=a:1.2.3.4 -l k=v "
		"--log-opt max-size=1m img:1 sh -c true";
	cleanup_with(run_options_done) union verb_options o = {};
	cleanup_strv struct strv args = STRV_INIT;
	struct container_spec *s = &o.run.spec;
	struct err err = ERR_INIT;

	strv_split(&args, line, ' ');
	if (parse(args.items, &o, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(s->tty && s->open_stdin && s->detach && !s->sig_proxy);
	assert_string_equal(s->image, "img:1");
	assert_int_equal(s->command.n, 3);
	assert_string_equal(s->command.items[2], "true");
	assert_string_equal(s->entrypoint, "");
	assert_string_equal(s->name, "c1");
	assert_string_equal(s->env.items[0], "A=b");
	assert_string_equal(s->env.items[1], "C=d");
	assert_string_equal(s->workdir, "/srv");
	assert_int_equal(s->memory, 64 << 20);
	assert_int_equal(s->memory_swap, -1);
	assert_int_equal(s->memory_swappiness, 0);
	assert_int_equal(s->nano_cpus, 500000000);
	assert_int_equal(s->cpu_shares, 20);
	assert_true(s->has_pids_limit && s->pids_limit == -1);
	assert_int_equal(s->n_ulimits, 1);
	assert_int_equal(s->ulimits[0].hard, 3);
	assert_int_equal(s->n_mounts, 3);
	assert_int_equal(s->mounts[0].type, MOUNT_TMPFS); /* --mount is read with the flags */
	assert_int_equal(s->mounts[0].tmpfs_size, 1024);
	assert_int_equal(s->mounts[0].tmpfs_mode, 0755);
	assert_true(s->mounts[1].read_only && s->mounts[1].create_source);
	assert_string_equal(s->mounts[1].selinux, "z");
	assert_string_equal(s->mounts[2].mode, "size=1m");
	assert_string_equal(s->devices[0].perms, "r");
	assert_true(s->has_stop_timeout && s->stop_timeout_s == 0);
	assert_int_equal(s->restart, RESTART_ON_FAILURE);
	assert_int_equal(s->restart_max, 3);
	assert_int_equal(s->pull, PULL_NEVER);
	assert_int_equal(s->device_read_bps.items[0].value, 1 << 20);
	assert_int_equal(s->expose.n, 2);
	assert_string_equal(s->expose.items[1], "81/udp");
	assert_string_equal(s->extra_hosts.items[0], "a:1.2.3.4");
	assert_string_equal(spec_network_mode(s), "host");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_gives_dockers_answer),
		cmocka_unit_test(a_full_line_fills_the_spec),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
