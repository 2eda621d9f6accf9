/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions, from their text to what they say. */
#include "../unit.h"

#include <string.h>

#include "base/mem.h"
#include "describe.h"

static void understands(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		/* FROM */
		{"FROM busybox", "busybox"},
		{"from busybox", "busybox"},
		{"FROM busybox AS Build", "busybox as=build typed=Build"},
		{"FROM busybox as b-1_x.y", "busybox as=b-1_x.y"},
		{"FROM busybox aS b", "busybox as=b"},
		{"FROM --platform=linux/arm64 busybox", "busybox platform=linux/arm64"},
		{"FROM --platform=$BUILDPLATFORM busybox AS b",
		 "busybox as=b platform=$BUILDPLATFORM"},
		{"FROM --platform= busybox", "busybox"},
		{"FROM ${BASE:-scratch}", "${BASE:-scratch}"},
		{"FROM a@sha256:00", "a@sha256:00"},
		/* ARG */
		{"ARG A", "A"},
		{"ARG A=1", "A=>1"},
		{"ARG A=", "A=>"},
		{"ARG A=1 B C=3", "A=>1|B|C=>3"},
		{"ARG A=\"x y\" B", "A=>\"x y\"|B"},
		{"ARG A=b=c", "A=>b=c"},
		/* ENV and LABEL */
		{"ENV a=b", "a=>b"},
		{"ENV a=b c=d", "a=>b|c=>d"},
		{"ENV a=\"b c\" d='e f'", "a=>\"b c\"|d=>'e f'"},
		{"ENV a b c", "a=>b c legacy"},
		{"ENV a=", "a=>"},
		{"LABEL x.y=z", "x.y=>z"},
		{"LABEL \"a b\"=c", "\"a b\"=>c"},
		{"LABEL a b", "a=>b legacy"},
		/* RUN */
		{"RUN echo a  b", "shell[echo a  b]"},
		{"RUN [\"echo\", \"a b\"]", "list[echo|a b]"},
		{"RUN ['echo']", "shell[['echo']]"},
		{"RUN [\"a\" \"b\"]", "shell[[\"a\" \"b\"]]"},
		{"RUN --network=none true", "shell[true] network=none"},
		{"RUN --network=host --security=insecure true",
		 "shell[true] network=host security=insecure"},
		{"RUN --mount=type=cache,target=/c --mount=target=/x true",
		 "shell[true] mounts[type=cache,target=/c|target=/x]"},
		{"RUN --mount=type=cache,target=$D [\"a\"]",
		 "list[a] mounts[type=cache,target=$D]"},
		{"RUN --device=vendor.com/d=x true", "shell[true] devices[vendor.com/d=x]"},
		{"RUN <<EOF\nx\nEOF", "shell[]"},
		{"RUN <<-\"EOF\"\nx\nEOF", "shell[]"},
		{"RUN cat <<EOF\nx\nEOF", "shell[cat <<EOF]"},
		{"RUN --mount=target=/m <<EOF\nx\nEOF", "shell[] mounts[target=/m]"},
		{"RUN -- true", "shell[true]"},
		/* COPY and ADD */
		{"COPY a b", "a -> b"},
		{"COPY a b /c/", "a|b -> /c/"},
		{"COPY [\"a b\", \"/c d\"]", "a b -> /c d"},
		{"COPY --from=build /a /b", "/a -> /b from=build"},
		{"COPY --from=0 --chown=1:2 --chmod=u+x a b", "a -> b from=0 chown=1:2 chmod=u+x"},
		{"COPY --link a b", "a -> b link"},
		{"COPY --link=true --parents ./a/./b c", "./a/./b -> c link parents"},
		{"COPY --link=FALSE a b", "a -> b"},
		{"COPY --exclude=*.o --exclude=x a b", "a -> b excludes[*.o|x]"},
		{"COPY --from= --chown= a b", "a -> b"},
		{"COPY <<EOF /x\nhi\nEOF", "<<EOF -> /x"},
		{"COPY <<-'A' <<\"B\" c /d/\nx\nA\ny\nB", "<<A|<<B|c -> /d/"},
		{"COPY a\\ b c", "a\\|b -> c"},
		{"ADD a b", "add a -> b"},
		{"ADD --keep-git-dir --checksum=sha256:00 --unpack u /x",
		 "add u -> /x checksum=sha256:00 keep-git-dir unpack=1"},
		{"ADD --unpack=false a b", "add a -> b unpack=0"},
		{"ADD --chown=a --chmod=644 --link --exclude=e a b",
		 "add a -> b chown=a chmod=644 excludes[e] link"},
		{"ADD <<f /x\n1\nf", "add <<f -> /x"},
		/* CMD and ENTRYPOINT */
		{"CMD a b", "shell[a b]"},
		{"CMD [\"a\",\"b\"]", "list[a|b]"},
		{"CMD []", "list[]"},
		{"CMD", "shell[]"},
		{"ENTRYPOINT [\"/e\"]", "list[/e]"},
		{"ENTRYPOINT []", "list[]"},
		{"ENTRYPOINT exec top -b", "shell[exec top -b]"},
		/* HEALTHCHECK */
		{"HEALTHCHECK NONE", "none NONE"},
		{"HEALTHCHECK none", "none NONE"},
		{"HEALTHCHECK --interval=5s NONE", "none NONE"},
		{"HEALTHCHECK CMD a  b", "CMD-SHELL|a  b"},
		{"HEALTHCHECK cmd [\"a\",\"b\"]", "CMD|a|b"},
		{"HEALTHCHECK CMD ['a']", "CMD-SHELL|['a']"},
		{"HEALTHCHECK --interval=1s --timeout=2ms --start-period=3m --start-interval=4s "
		 "--retries=5 CMD a",
		 "CMD-SHELL|a interval=1000000000 timeout=2000000 start-period=180000000000 "
		 "start-interval=4000000000 retries=5"},
		{"HEALTHCHECK --interval= --retries= CMD a", "CMD-SHELL|a"},
		{"HEALTHCHECK --interval=0s --retries=0 CMD a", "CMD-SHELL|a"},
		/* one text */
		{"MAINTAINER me <me@x>", "me <me@x>"},
		{"USER a:b", "a:b"},
		{"USER $U", "$U"},
		{"WORKDIR /a b", "/a b"},
		{"WORKDIR \"\"", "\"\""},
		{"STOPSIGNAL SIGTERM", "SIGTERM"},
		/* lists */
		{"EXPOSE 80", "80"},
		{"EXPOSE 90 80/UDP 8000-8010/tcp", "80/UDP|8000-8010/tcp|90"},
		{"EXPOSE $P ${Q}/udp", "$P|${Q}/udp"},
		{"VOLUME /a /b", "/a|/b"},
		{"VOLUME [\"/a b\", \"/c\"]", "/a b|/c json"},
		{"VOLUME [\"/a\" \"/b\"]", "[\"/a\"|\"/b\"]"},
		{"SHELL [\"/bin/bash\", \"-c\"]", "/bin/bash|-c json"},
		/* ONBUILD */
		{"ONBUILD RUN a", "RUN shell[a]"},
		{"ONBUILD run a", "RUN shell[a]"},
		{"ONBUILD COPY --from=x a b", "COPY a -> b from=x"},
		{"ONBUILD COPY <<E /x\nhi\nE", "COPY <<E -> /x"},
		{"ONBUILD ENV a=b", "ENV a=>b"},
		{"ONBUILD HEALTHCHECK CMD a", "HEALTHCHECK CMD-SHELL|a"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dockerfile_instruction syntax = {};
		struct instruction instruction = {};
		cleanup_str struct str got = STR_INIT;
		struct err err = ERR_INIT;

		if (dockerfile_parse_line(cases[i].line, '\\', &syntax, &err) < 0 ||
		    instruction_parse(&syntax, &instruction, &err) < 0)
			fail_msg("%s: %s", cases[i].line, err.msg);
		describe_instruction(&instruction, &got);
		if (strcmp(str_get(&got), cases[i].want) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].line, str_get(&got),
				 cases[i].want);
		instruction_done(&instruction);
		dockerfile_instruction_done(&syntax);
	}
}

#define TWO_ARGUMENTS                                                                            \
	" requires at least two arguments, but only one was provided. Destination could not be " \
	"determined"
#define STRINGS_ONLY "when using JSON array syntax, arrays must be comprised of strings only"

static void refuses(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{"FROM", "FROM requires either one or three arguments"},
		{"FROM a b", "FROM requires either one or three arguments"},
		{"FROM a is b", "FROM requires either one or three arguments"},
		{"FROM a AS b c", "FROM requires either one or three arguments"},
		{"FROM a AS 1", "invalid name for build stage: \"1\", name can't start with a "
				"number or contain symbols"},
		{"FROM a AS B/c", "invalid name for build stage: \"B/c\", name can't start with a "
				  "number or contain symbols"},
		{"FROM --platfrom=x a", "unknown flag: --platfrom (did you mean platform?)"},
		{"FROM --from=x a", "unknown flag: --from"},
		{"FROM --platform a", "missing a value on flag: --platform"},
		{"FROM --platform=a --platform=b c", "duplicate flag specified: --platform"},
		{"ARG", "ARG requires at least one argument"},
		{"ARG =1", "ARG names can not be blank"},
		{"ARG A =1", "ARG names can not be blank"},
		{"ENV", "ENV requires at least one argument"},
		{"ENV =a", "ENV names can not be blank"},
		{"ENV a", "ENV must have two arguments"},
		{"ENV a=b c",
		 "Syntax error - can't find = in \"c\". Must be of the form: name=value"},
		{"ENV --x a=b", "unknown flag: --x"},
		{"LABEL", "LABEL requires at least one argument"},
		{"LABEL a=b # c",
		 "Syntax error - can't find = in \"#\". Must be of the form: name=value"},
		{"RUN --mont=x true", "unknown flag: --mont (did you mean mount?)"},
		{"RUN --netwrk=none true", "unknown flag: --netwrk (did you mean network?)"},
		{"RUN --network=bridge true", "invalid network mode \"bridge\""},
		{"RUN --network true", "missing a value on flag: --network"},
		{"RUN --security=none true", "security \"none\" is not valid"},
		{"RUN --network=none --network=none true", "duplicate flag specified: --network"},
		{"RUN [\"a\", 1]", STRINGS_ONLY},
		{"COPY", "COPY" TWO_ARGUMENTS},
		{"COPY a", "COPY" TWO_ARGUMENTS},
		{"COPY [\"a\"]", "COPY" TWO_ARGUMENTS},
		{"ADD a", "ADD" TWO_ARGUMENTS},
		{"COPY --frm=x a b", "unknown flag: --frm (did you mean from?)"},
		{"COPY --chow=x a b", "unknown flag: --chow (did you mean chown?)"},
		{"COPY --checksum=x a b", "unknown flag: --checksum"},
		{"COPY --unpack a b", "unknown flag: --unpack"},
		{"ADD --from=x a b", "unknown flag: --from"},
		{"ADD --parents a b", "unknown flag: --parents"},
		{"COPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"},
		{"COPY --link= a b", "missing a value on flag: --link"},
		{"COPY --link --link a b", "duplicate flag specified: --link"},
		{"COPY a <<E\nx\nE", "COPY cannot accept a heredoc as a destination"},
		{"ADD a <<E\nx\nE", "ADD cannot accept a heredoc as a destination"},
		{"CMD --x a", "unknown flag: --x"},
		{"CMD [1]", STRINGS_ONLY},
		{"ENTRYPOINT [null]", STRINGS_ONLY},
		{"HEALTHCHECK", "HEALTHCHECK requires at least one argument"},
		{"HEALTHCHECK NONE a", "HEALTHCHECK NONE takes no arguments"},
		{"HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"},
		{"HEALTHCHECK CMD []", "Missing command after HEALTHCHECK CMD"},
		{"HEALTHCHECK CMD [1]", STRINGS_ONLY},
		{"HEALTHCHECK exec a", "Unknown type \"EXEC\" in HEALTHCHECK (try CMD)"},
		{"HEALTHCHECK --intervall=1s CMD a",
		 "unknown flag: --intervall (did you mean interval?)"},
		{"HEALTHCHECK --interval=5 CMD a", "time: missing unit in duration \"5\""},
		{"HEALTHCHECK --interval=x CMD a", "time: invalid duration \"x\""},
		{"HEALTHCHECK --timeout=1us CMD a", "Interval \"timeout\" cannot be less than 1ms"},
		{"HEALTHCHECK --start-period=-1s CMD a",
		 "Interval \"start-period\" cannot be less than 1ms"},
		{"HEALTHCHECK --retries=x CMD a",
		 "strconv.ParseInt: parsing \"x\": invalid syntax"},
		{"HEALTHCHECK --retries=99999999999 CMD a",
		 "strconv.ParseInt: parsing \"99999999999\": value out of range"},
		{"HEALTHCHECK --retries=-1 CMD a", "--retries cannot be negative (-1)"},
		{"MAINTAINER", "MAINTAINER requires exactly one argument"},
		{"USER", "USER requires exactly one argument"},
		{"WORKDIR", "WORKDIR requires exactly one argument"},
		{"STOPSIGNAL", "STOPSIGNAL requires exactly one argument"},
		{"USER --x a", "unknown flag: --x"},
		{"EXPOSE", "EXPOSE requires at least one argument"},
		{"VOLUME", "VOLUME requires at least one argument"},
		{"VOLUME []", "VOLUME requires at least one argument"},
		{"VOLUME [\"\"]", "VOLUME specified can not be an empty string"},
		{"VOLUME [\" \"]", "VOLUME specified can not be an empty string"},
		{"VOLUME [\"a\", {}]", STRINGS_ONLY},
		{"SHELL", "SHELL requires at least one argument"},
		{"SHELL []", "SHELL requires at least one argument"},
		{"SHELL /bin/sh -c", "SHELL requires the arguments to be in JSON form"},
		{"ONBUILD", "ONBUILD requires at least one argument"},
		{"ONBUILD ONBUILD RUN a", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"},
		{"ONBUILD FROM a", "FROM isn't allowed as an ONBUILD trigger"},
		{"ONBUILD from a", "FROM isn't allowed as an ONBUILD trigger"},
		{"ONBUILD MAINTAINER a", "MAINTAINER isn't allowed as an ONBUILD trigger"},
		{"ONBUILD COPY a", "COPY" TWO_ARGUMENTS},
		{"ONBUILD COPY --frm=a b c", "unknown flag: --frm (did you mean from?)"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dockerfile_instruction syntax = {};
		struct instruction instruction = {};
		struct err err = ERR_INIT;
		int rc = dockerfile_parse_line(cases[i].line, '\\', &syntax, &err);

		if (rc == 0)
			rc = instruction_parse(&syntax, &instruction, &err);
		if (rc != -ERR_INVALID || strcmp(err.msg, cases[i].message) != 0)
			fail_msg("%s: %d \"%s\", not \"%s\"", cases[i].line, rc, err.msg,
				 cases[i].message);
		dockerfile_instruction_done(&syntax);
	}
}

/* What stands above ARG says what it is for. */
static void documents(void **state)
{
	static const char text[] = "# A the first\n# B the second\nARG A=1 B C\nFROM scratch\n";
	cleanup_dockerfile struct dockerfile file = DOCKERFILE_INIT;
	cleanup_stages struct dockerfile_stages stages = {};
	cleanup_str struct str got = STR_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(dockerfile_parse("Dockerfile", text, strlen(text), &file, NULL, &err), 0);
	assert_int_equal(dockerfile_get_stages(&file, &stages, NULL, &err), 0);
	describe_instruction(&stages.globals[0], &got);
	assert_string_equal(str_get(&got), "A=>1(the first)|B(the second)|C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands),
		cmocka_unit_test(refuses),
		cmocka_unit_test(documents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
