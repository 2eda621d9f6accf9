/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prose of the manual pages: what a command does and what is to be known when it is used, and
 * examples to start from. Names, options and their short texts come from the tables.
 */
#include "cli/manual.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"

const char manual_program_description[] =
	"tare makes and runs containers on Linux. It has the command line of docker, and no "
	"daemon: a command does its work and ends. What has to outlive it is one small "
	"process for each running container, its monitor, which keeps the log and writes "
	"down how the container ended.\n\nCommands that act on containers, images, networks "
	"and volumes come in groups. The usual ones also have a short name: `tare ps' is `tare "
	"container ls'. Every command has a page of its own, tare-NAME(1), and prints a "
	"summary with --help.";

const char manual_program_files[] =
	"/var/lib/tare\n\tImages, layers, networks, volumes, and the containers with their "
	"writable layers and logs (--root).\n/run/tare\n\tWhat is alive: the state, the "
	"sockets and the addresses of running containers (--runroot). Gone after a boot.\n"
	"/etc/tare/tare.conf\n\tWhat the host's owner decides for all containers, one `key = "
	"value' to a line: publish.default-ip, the address where a port is published when "
	"--publish names none; publish.respect-firewall=true, with which published ports "
	"pass the host's own input rules; network.pools, what networks without --subnet get "
	"theirs from (base=10.200.0.0/16,size=24, several with blanks between them).\n"
	"~/.docker/config.json\n"
	"\tdocker's own configuration, of which tare reads detachKeys, proxies and the "
	"formats of lists (psFormat, imagesFormat, volumesFormat, statsFormat).";

const char manual_program_environment[] =
	"TARE_ROOT, TARE_RUNROOT\n\tThe directories, where no option names them.\n"
	"TARE_CONFIG\n\tThe file that is read instead of /etc/tare/tare.conf.\n"
	"TARE_LOG_LEVEL\n\tHow much tare says about itself: trace, debug, info, notice, "
	"warn, error, fatal.\nDOCKER_CONFIG\n\tThe directory of docker's configuration, "
	"where --config does not name it.\nSOURCE_DATE_EPOCH\n\tSeconds since 1970: the time "
	"that everything in a built image gets that is later.\nBUILDKIT_PROGRESS\n\tHow build "
	"shows its progress, where no option says so.\nNO_COLOR\n\tWhen it is set, nothing is "
	"printed in "
	"color.";

static const struct manual_page pages[] = {
	{"builder", "build", "The same as build.", "\ttare builder build -t web .", "build"},
	{"builder", "du",
	 "Lists what the steps of builds left, by the last use, with its size. What has become a "
	 "layer of an image, too, is marked by a star: removing it from the cache frees "
	 "nothing.\n\nUnder each step of a build lies a digest over everything that decides what "
	 "it does; that is the id in the list.",
	 "\ttare builder du --verbose", "builder-prune build system-df"},
	{"builder", "prune",
	 "Removes results of steps that no running build uses: without --all what nothing else "
	 "builds on, with it all of them. What became a layer of an image stays as long as the "
	 "image does. --keep-storage keeps so much of the most recently used.",
	 "Keep 10 GB of what was used last:\n\ttare builder prune -af --keep-storage 10gb",
	 "builder-du system-prune"},
	{"buildx", "build", "The same as build.", "\ttare buildx build -t web .", "build"},
	{"buildx", "create",
	 "For scripts that ask docker for a builder of their own: names the one that there is.",
	 "\ttare buildx create --use", "build"},
	{"buildx", "du", "The same as builder du.", "\ttare buildx du", "builder-du"},
	{"buildx", "inspect", "Says what the one builder can do.",
	 "\ttare buildx inspect --bootstrap", "build"},
	{"buildx", "ls", "Lists the one builder, and the platforms that this machine can run.",
	 "\ttare buildx ls", "build"},
	{"buildx", "prune", "The same as builder prune.", "\ttare buildx prune -f",
	 "builder-prune"},
	{"buildx", "rm", "For scripts that made a builder: there is nothing to remove.",
	 "\ttare buildx rm mine", "build"},
	{"buildx", "use", "For scripts that choose a builder: there is only one.",
	 "\ttare buildx use default", "build"},
	{"buildx", "version", "Prints the version of the builder, which is that of tare.",
	 "\ttare buildx version", "version"},
	{"container", "attach",
	 "Connects the terminal to a running container: what it prints is shown, what is "
	 "typed goes to its standard input, and signals are passed on. Several can be "
	 "attached at once, and all see the same. The output from before is not shown again; "
	 "that is what logs is for.\n\nThe detach keys (ctrl-p ctrl-q, unless --detach-keys "
	 "or the configuration file say otherwise) leave the container running. A container "
	 "without a terminal of its own gets interrupts as signals, unless --sig-proxy=false.",
	 "See what a container prints, without the power to disturb it:\n\ttare attach "
	 "--no-stdin --sig-proxy=false web",
	 "exec logs run"},
	{"container", "commit",
	 "Makes an image of a container: its image and one more layer with all that was "
	 "changed. Mounts are not part of it. Unless --pause=false the container stands still "
	 "while its files are read. --change applies an instruction of a Dockerfile to the "
	 "configuration: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, "
	 "VOLUME or WORKDIR.",
	 "\ttare commit -m 'with vim' -c 'CMD [\"bash\"]' work mine:2", "diff export save"},
	{"container", "cp",
	 "Copies files between a container and the host, in either direction, whether the "
	 "container runs or not. What a container has mounted is seen as it is inside. `-' "
	 "stands for a tar archive on standard input or output.\n\nA folder is copied with "
	 "its content: as a new folder of that name when the destination is one, and onto it "
	 "when the source ends in `/.'. Symbolic links are copied as links unless "
	 "--follow-link is given.",
	 "Take the configuration out, change it, and put it back:\n\ttare cp "
	 "web:/etc/nginx/nginx.conf .\n\ttare cp nginx.conf web:/etc/nginx/",
	 "export diff"},
	{"container", "create",
	 "Makes a container as run does, and does not start it. The id is printed; start runs it.",
	 "\ttare create --name job -v data:/data busybox sh /data/job.sh\n\ttare start -a job",
	 "run start"},
	{"container", "debug",
	 "Opens a shell with tools in a container, also in one that has no shell itself, and "
	 "in one that does not run. The tools come from another image, which --image names.",
	 "\ttare debug web\n\ttare debug web ps -o pid,args", "exec"},
	{"container", "diff",
	 "Lists what was changed in a container since it was made, one path a line: A for "
	 "added, C for changed, D for deleted.",
	 "\ttare diff web", "commit export"},
	{"container", "exec",
	 "Runs one more command in a running container, with its namespaces, limits and "
	 "rights, and its environment and user unless others are given. The command's end is "
	 "the end of exec; the container goes on, and with --detach so does the command.",
	 "\ttare exec -it web sh\n\ttare exec -u postgres -w /tmp db pg_dump -f all.sql",
	 "attach debug top"},
	{"container", "export",
	 "Writes all files of a container as a tar archive, as they are now, without what is "
	 "mounted there. Layers, history and configuration of the image are not part of it; "
	 "save keeps those.",
	 "\ttare export web | tar -tf -\n\ttare export -o web.tar web", "import save commit cp"},
	{"container", "inspect",
	 "Prints all that is known of containers as JSON. A template (--format) takes out "
	 "what is wanted; --size adds how much was written.",
	 "\ttare container inspect -f '{{.State.Status}} {{.State.ExitCode}}' web",
	 "inspect image-inspect"},
	{"container", "kill",
	 "Sends a signal to the first process of containers, KILL unless --signal names "
	 "another one. A container with a restart policy stays down after it.",
	 "\ttare kill -s HUP web", "stop"},
	{"container", "logs",
	 "Prints what a container has written to standard output and standard error, each to "
	 "its own stream. --follow goes on until the container ends, also across the rotation "
	 "of its log. --since and --until take times such as 2024-01-02T15:04:05 or ages such "
	 "as 10m.",
	 "\ttare logs -f --tail 20 web\n\ttare logs -t --since 1h web", "attach events"},
	{"container", "ls",
	 "Lists containers: those that run, or all with --all. Filters of one key are "
	 "alternatives, filters of several keys must all hold; id and name take regular "
	 "expressions.\n\n--format table TEMPLATE prints chosen columns, json one object a "
	 "line, anything else is a Go template for each line. The fields are ID, Image, "
	 "Command, CreatedAt, RunningFor, Ports, State, Status, Size, Names, Labels, Label "
	 "\"KEY\", Mounts, LocalVolumes, Networks and Platform.",
	 "\ttare ps -a --filter status=exited\n\ttare ps -q --filter 'name=^web-[0-9]+$'\n"
	 "\ttare ps --format 'table {{.Names}}\\t{{.Status}}'",
	 "inspect stats"},
	{"container", "pause",
	 "Stops all processes of containers where they are, by the freezer of their control "
	 "groups. They notice nothing but that time has passed.",
	 "\ttare pause job", "unpause stop"},
	{"container", "port",
	 "Shows where the ports of a running container are published: all of them, or those of "
	 "one port of the container (tcp unless it says otherwise).",
	 "\ttare port web\n\ttare port dns 53/udp", "ps run update"},
	{"container", "prune",
	 "Removes all containers that do not run, after asking. --filter keeps it to those "
	 "older than a time (until=) or with or without a label (label=, label!=).",
	 "\ttare container prune -f --filter until=24h", "rm system-prune"},
	{"container", "rename", "Gives a container another name. It may be running.",
	 "\ttare rename web web-old", "ps"},
	{"container", "restart",
	 "Stops containers, as stop does, and starts them again. One that does not run is started.",
	 "\ttare restart -t 30 web", "stop start update"},
	{"container", "rm",
	 "Removes containers with their writable layers and logs. One that runs is refused, "
	 "unless --force kills it. Named volumes stay; --volumes removes the anonymous ones.",
	 "\ttare rm -f web\n\ttare rm $(tare ps -aq --filter status=exited)",
	 "container-prune stop"},
	{"container", "run",
	 "Makes a container of an image and starts a command in it: the one that is given, or "
	 "the image's own. Without --detach it stays connected until the command ends, and "
	 "ends as it did. --rm removes the container then.\n\nAn image that is not there is "
	 "looked for among those that come with tare.\n\n--health-cmd is run again and again "
	 "in the container, which is healthy while it succeeds and unhealthy after "
	 "--health-retries failures in a row; ps, inspect and events tell. --health-on-failure "
	 "says what is done then: none, kill (the restart policy goes on from there), stop, or "
	 "restart.\n\n--explain prints every step that was "
	 "taken, as shell commands, with its time; with --dry-run nothing is done and the "
	 "output is a script that does the same.",
	 "A shell in a new container that leaves nothing behind:\n\ttare run --rm -it "
	 "busybox\nA service with a volume, a limit, and a policy for its end:\n\ttare run -d "
	 "--name db -v data:/var/lib/db -m 512m --restart on-failure:3 db:1\nA service "
	 "that is started anew when it does not answer:\n\ttare run -d --name web "
	 "--health-cmd 'wget -qO- http://127.0.0.1/' --health-interval 10s "
	 "--health-on-failure restart web:1",
	 "create exec logs start stop"},
	{"container", "start",
	 "Starts containers that were created or have ended, with the configuration that they "
	 "have. With --attach the output is shown and the exit status is the container's.",
	 "\ttare start web\n\ttare start -ai shell", "run stop restart"},
	{"container", "stats",
	 "Shows what containers use, again and again: CPU, memory, network, disk and "
	 "processes. --no-stream prints it once. Memory is without the cache that the kernel "
	 "can drop.",
	 "\ttare stats --no-stream --format '{{.Name}} {{.MemUsage}}'", "top ps"},
	{"container", "stop",
	 "Asks containers to end, by SIGTERM or the signal that their image or --signal "
	 "names, and kills what is still there after ten seconds or --timeout.",
	 "\ttare stop -t 60 db", "kill start"},
	{"container", "top",
	 "Lists the processes of a container with the host's ps(1) and its options. `tare top "
	 "--all' is a live view of all containers: their use of CPU and memory, the end of "
	 "the log of the chosen one, and keys to stop, restart, and open a shell.",
	 "\ttare top web -o pid,user,args\n\ttare top --all", "stats exec"},
	{"container", "unpause", "Lets the processes of paused containers go on.",
	 "\ttare unpause job", "pause"},
	{"container", "update",
	 "Changes limits, the restart policy and the published ports of containers. Of a running "
	 "one limits and ports change at once, and so do they for its next start.\n\n--publish-rm "
	 "takes a container's port with all places where it is published (80, 53/udp), or one of "
	 "them as --publish wrote it (8080:80, 127.0.0.1:8080:80). What is withdrawn goes "
	 "before anything is published; connections that are there stay.",
	 "\ttare update -m 1g --memory-swap 1g db\n\ttare update --restart unless-stopped web\n"
	 "From another port, without a restart:\n\ttare update --publish-rm 8080:80 -p "
	 "8081:80 web",
	 "port run stats"},
	{"container", "wait",
	 "Waits until containers have ended and prints their exit codes, one a line, in the "
	 "order in which they were given. One that does not run has ended already.",
	 "\ttare wait job && echo done", "run logs"},
	{"image", "build",
	 "Makes an image as a Dockerfile says. The argument is the context, whose files COPY and "
	 "ADD see: a directory, a git repository (URL#branch:directory), the URL of an archive, or "
	 "`-' for an archive or a Dockerfile on standard input. `.dockerignore' in it says what "
	 "does not belong to it.\n\nThe whole language of BuildKit is understood, without a "
	 "`# syntax' line: here-documents, RUN --mount (bind, cache, secret, ssh, tmpfs), COPY "
	 "--link, --parents and --exclude. Stages that nothing needs are not built, independent "
	 "ones run at the same time, and a step whose inputs are what they were is taken from the "
	 "cache: contents count, times do not.\n\nThe same inputs give the same image, wherever "
	 "and whenever it is built: times later than 2020 become the beginning of 2020, unless "
	 "SOURCE_DATE_EPOCH or --timestamp name another moment; `images' shows when it was really "
	 "made.\n\n--output takes the result elsewhere: type=local,dest=DIR as files, type=tar, "
	 "type=oci or type=docker as an archive. --call=check (or --check) says what is doubtful "
	 "in the Dockerfile and builds nothing.",
	 "Build and try:\n\ttare build -t web . && tare run --rm web\n\nWith a secret that "
	 "leaves no trace:\n\ttare build --secret id=token,src=$HOME/.token .\n\nLook into a "
	 "step that fails:\n\ttare build --on-error=shell .",
	 "builder-prune builder-du run images"},
	{"image", "copy",
	 "Copies an image between places: oci:DIR and oci-archive:FILE (image layouts), "
	 "docker-archive:FILE, dir:DIR, and tare:NAME, what is stored here. Layers and "
	 "manifests arrive byte for byte, so digests stay what they are.",
	 "\ttare image copy tare:mine:2 oci:/srv/images:mine\n\ttare image copy "
	 "docker-archive:old.tar tare:old:1",
	 "load save"},
	{"image", "history",
	 "Lists the steps that made an image, newest first, with the size of what each added.",
	 "\ttare history --no-trunc busybox", "image-inspect image-size"},
	{"image", "import",
	 "Makes an image with one layer of a tar archive of a root file system: a file, or "
	 "standard input for `-'. It may be compressed by gzip, bzip2, xz or zstd. --change "
	 "sets parts of the configuration as for commit.",
	 "\tmmdebstrap bookworm - | tare import -c 'CMD [\"bash\"]' - debian:12",
	 "load export commit"},
	{"image", "inspect",
	 "Prints all that is known of images as JSON, or what a template takes out of it.",
	 "\ttare image inspect -f '{{.Config.Cmd}}' busybox", "inspect history"},
	{"image", "load",
	 "Takes images from an archive that save, or docker, has written: of docker's form or "
	 "an OCI image layout, compressed or not. What is already here is not read again.",
	 "\ttare load -i images.tar\n\tssh host docker save app | tare load",
	 "save image-copy import"},
	{"image", "ls",
	 "Lists images with their names. --all adds nameless ones that others were made from, "
	 "--tree shows the platforms of each. The fields for --format are ID, Repository, "
	 "Tag, Digest, CreatedSince, CreatedAt and Size.",
	 "\ttare images --filter dangling=true -q\n\ttare images 'debian:*'", "image-size rmi"},
	{"image", "prune",
	 "Removes images that have no name and no container, after asking; with --all also "
	 "those with a name that no container uses.",
	 "\ttare image prune -a -f --filter until=240h", "rmi system-df"},
	{"image", "pull",
	 "Takes an image by its name from those that come with tare. There are no registries yet.",
	 "\ttare pull busybox", "load image-copy"},
	{"image", "rm",
	 "Removes names of images, and an image with its layers when its last name goes. One "
	 "that a container was made of is refused, unless --force takes only its names.",
	 "\ttare rmi old:1 old:2", "image-prune"},
	{"image", "save",
	 "Writes images with all layers and names into one archive, which docker, podman and "
	 "others can read as well: an OCI image layout with docker's own index beside it.",
	 "\ttare save -o app.tar app:1 app:2\n\ttare save app | zstd > app.tar.zst",
	 "load image-copy export"},
	{"image", "size",
	 "Shows how large images are: what is theirs alone, what they share with others, and "
	 "how much is kept for save and copy.",
	 "\ttare image size --by-layer app", "image-waste system-df"},
	{"image", "tag", "Gives an image one more name.", "\ttare tag app:dev app:1.2",
	 "images rmi"},
	{"image", "waste",
	 "Shows the bytes of an image that nobody can see, because a later layer deletes or "
	 "overwrites them.",
	 "\ttare image waste app", "image-size history"},
	{"network", "audit",
	 "Says who can reach what, and why: from outside, the host and each container to "
	 "containers, services of the host, and outside. It is concluded from what tare has "
	 "set up and from the host's forwarding; nothing is sent. In the table, parties for "
	 "which the same holds share a line; below it stands what deserves a look: ports that "
	 "are published on every address, containers with the host's network, a firewall that "
	 "was changed or that somebody else lets nothing pass with. Named networks and "
	 "containers restrict it to what concerns them.\n\n--format json prints one object: "
	 "Relations (From, To, Ports, IPv4, IPv6, Allowed, Reason, Why), one for each pair and "
	 "verdict, and Findings (Level, Code, Subject, Text, Hint). The exit status is 0 "
	 "whatever is found.",
	 "\ttare network audit\nWho reaches db, as a list:\n\ttare network audit --format json db "
	 "| "
	 "jq -r '.Relations[] | select(.To == \"db\" and .Allowed) | .From'\nNothing may be open "
	 "to "
	 "the world:\n\ttest -z \"$(tare network audit --format '{{range .Findings}}{{.Code}} "
	 "{{end}}' | grep published-everywhere)\"",
	 "network-graph network-inspect"},
	{"network", "connect",
	 "Connects a container to one more network. One that runs has the link with its address at "
	 "once, answers to its names there, and finds others by theirs; one that does not gets it "
	 "at its next start. The way out goes through the network with the highest --gw-priority, "
	 "the first by name among equals. --ip and --ip6 need a subnet that was said when the "
	 "network was made. A container with the host's network, another container's or none "
	 "cannot be connected; from \"none\" it can be disconnected first. --explain shows the "
	 "commands of ip(8) that do the same.",
	 "\ttare network connect --alias db --ip 10.7.0.9 shop postgres", "network-disconnect run"},
	{"network", "create",
	 "Makes a network: a bridge of this host with a subnet of its own, whose containers find "
	 "each other by name. Without --subnet it is the first of the pools (network.pools in "
	 "tare.conf) that neither another network has nor this host has an address in or a "
	 "route to. The driver's options (--opt) are com.docker.network.bridge.name, the "
	 "bridge's link; com.docker.network.bridge.enable_icc=false, which keeps its containers "
	 "from each other; com.docker.network.bridge.enable_ip_masquerade=false, which shows "
	 "their own addresses outside; com.docker.network.bridge.host_binding_ipv4, where ports "
	 "are published when nobody says; com.docker.network.bridge.gateway_mode_ipv4 and "
	 "_ipv6, which are nat, nat-unprotected, routed or isolated; "
	 "com.docker.network.bridge.inhibit_ipv4; com.docker.network.driver.mtu; and "
	 "com.docker.network.container_iface_prefix, the names of links inside. The drivers "
	 "macvlan and ipvlan take parent, macvlan_mode, ipvlan_mode and ipvlan_flag. --explain "
	 "shows the commands of ip(8) and nft(8) that do the same.",
	 "\ttare network create --subnet 10.7.0.0/24 --gateway 10.7.0.254 shop\nNo way out, and no "
	 "containers that talk to each other:\n\ttare network create --internal -o "
	 "com.docker.network.bridge.enable_icc=false cells",
	 "network-ls network-rm run"},
	{"network", "disconnect",
	 "Takes a container out of a network: its link, its address and its names there go at "
	 "once, and it will not be in it after its next start. If its way out went through that "
	 "network, another one takes its place.",
	 "\ttare network disconnect shop postgres", "network-connect"},
	{"network", "graph",
	 "Draws networks with their containers, addresses and ports, as wide as the terminal; "
	 "in a locale that is not UTF-8 with plain characters. A network is a box with a line "
	 "that runs down from it, and what hangs on the line is in the network. Networks that "
	 "have no container in common stand side by side where there is room. --output writes "
	 "an SVG file that needs nothing else and follows the reader's light or dark setting.",
	 "\ttare network graph\n\ttare network graph -o networks.svg front back",
	 "network-audit network-inspect"},
	{"network", "inspect",
	 "Prints all that is known of networks, and which running containers are in them, as JSON "
	 "or by a template.",
	 "\ttare network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{end}}' shop",
	 "network-ls inspect"},
	{"network", "ls",
	 "Lists networks. The filter dangling=true shows those that no running container is in, "
	 "type=custom leaves out bridge, host and none, which are always there.",
	 "\ttare network ls --filter label=shop\n\ttare network ls --format '{{.Name}} {{.ID}}'",
	 "network-inspect network-prune"},
	{"network", "prune",
	 "Removes the networks that no running container is in, after asking. The bridge of the "
	 "default network and the rules of the firewall go, too, when nothing needs them; the next "
	 "container brings them back.",
	 "\ttare network prune -f --filter until=24h", "network-rm system-prune"},
	{"network", "rm",
	 "Removes networks with their bridges and rules. One that a running container is in is "
	 "refused.",
	 "\ttare network rm shop", "network-prune"},
	{"system", "boot",
	 "Starts, after a reboot, the containers whose restart policy says so, in order. The "
	 "units that are installed with tare call it; it does nothing to a container that "
	 "runs.",
	 "\ttare system boot --dry-run", "update"},
	{"system", "check",
	 "Compares the index with layers and blobs on disk and says what is missing, damaged "
	 "or left over. --full reads all content and compares its digests. Nothing is "
	 "changed. The exit status is 0 when all is well and 1 otherwise.",
	 "\ttare system check --full", "system-repair"},
	{"system", "df",
	 "Shows the disk space that images, containers and volumes take, and how much of it "
	 "could be had back. --verbose lists each of them.",
	 "\ttare system df -v", "system-prune image-size"},
	{"system", "events",
	 "Prints what happens to containers, images, networks and volumes, as it happens. --since "
	 "starts in the past, and --until ends the output; with both in the past it is a look "
	 "at the journal, which is bounded.",
	 "\ttare events --since 1h --until 0s --filter event=die\n\ttare events --format "
	 "'{{.Action}} {{.Actor.Attributes.name}}'",
	 "logs ps"},
	{"system", "info", "Describes the host and what tare can do on it.",
	 "\ttare info -f '{{.CgroupVersion}}'", "version system-check"},
	{"system", "prune",
	 "Removes containers that do not run, networks that no container is in and images without "
	 "a name, after asking; --all also images that no container uses, --volumes anonymous "
	 "volumes that none uses.",
	 "\ttare system prune -f --volumes",
	 "container-prune image-prune network-prune volume-prune"},
	{"system", "repair",
	 "Puts right what check finds: layers are unpacked again from their blobs, left-overs "
	 "are removed, and what cannot be mended is moved to the folder damaged of the root.",
	 "\ttare system repair --dry-run", "system-check"},
	{"volume", "clone", "Makes a volume with a copy of the content of another one.",
	 "\ttare volume clone data data-before-upgrade", "volume-export volume-rename"},
	{"volume", "create",
	 "Makes a volume: a folder that outlives the containers that have it mounted. run "
	 "makes those that it does not find. The driver local takes the options type, device "
	 "and o of mount(8).",
	 "\ttare volume create -o type=tmpfs -o device=tmpfs -o o=size=64m scratch",
	 "run volume-ls"},
	{"volume", "export", "Writes the content of a volume as a tar archive.",
	 "\ttare volume export -o data.tar data", "volume-import volume-clone"},
	{"volume", "import",
	 "Unpacks a tar archive, a file or standard input, into a volume. What has the same "
	 "name is replaced, the rest stays.",
	 "\tssh old tare volume export data | tare volume import data -", "volume-export"},
	{"volume", "inspect", "Prints all that is known of volumes as JSON, or by a template.",
	 "\ttare volume inspect -f '{{.Mountpoint}}' data", "volume-ls"},
	{"volume", "ls",
	 "Lists volumes. The filter dangling=true shows those that no container has.",
	 "\ttare volume ls -q --filter dangling=true", "volume-prune"},
	{"volume", "prune",
	 "Removes anonymous volumes that no container has, after asking; with --all also "
	 "those with a name.",
	 "\ttare volume prune -f", "volume-rm system-prune"},
	{"volume", "rename", "Gives a volume that no container uses another name.",
	 "\ttare volume rename data data-old", "volume-clone"},
	{"volume", "rm",
	 "Removes volumes with their content. One that a container has is refused, running or not.",
	 "\ttare volume rm data-old", "volume-prune"},
	{NULL, "inspect",
	 "Prints all that is known of containers, images, networks and volumes as JSON. A name is "
	 "looked for in this order; --type says which is meant. With --format a Go template "
	 "is run on each.",
	 "\ttare inspect -f '{{json .State}}' web",
	 "container-inspect image-inspect network-inspect volume-inspect"},
	{NULL, "version",
	 "Prints the version of tare, and of the interface of docker that it follows.",
	 "\ttare version -f '{{.Client.Version}}'", "info"},
};

const struct manual_page *manual_find(const struct command *command)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		if (str_is_equal(pages[i].group, command->group) &&
		    strcmp(pages[i].name, command->name) == 0)
			return &pages[i];
	return NULL;
}
