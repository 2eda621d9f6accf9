/* SPDX-License-Identifier: Apache-2.0 */
/* Freeing of instructions, half made ones among them. */
#include "dockerfile/instruction.h"

#include "base/mem.h"

static void from_done(struct instruction *i)
{
	free(i->from.image);
	free(i->from.platform);
	free(i->from.name);
	free(i->from.name_typed);
}

static void arg_done(struct instruction *i)
{
	for (size_t k = 0; k < i->arg.n; k++) {
		free(i->arg.items[k].name);
		free(i->arg.items[k].value);
		free(i->arg.items[k].doc);
	}
	free(i->arg.items);
}

static void pairs_done(struct instruction *i)
{
	strv_done(&i->pairs.keys);
	strv_done(&i->pairs.values);
}

static void run_done(struct instruction *i)
{
	strv_done(&i->run.command.words);
	strv_done(&i->run.mounts);
	strv_done(&i->run.devices);
	free(i->run.network);
	free(i->run.security);
}

static void copy_done(struct instruction *i)
{
	strv_done(&i->copy.sources);
	strv_done(&i->copy.excludes);
	free(i->copy.target);
	free(i->copy.from);
	free(i->copy.chown);
	free(i->copy.chmod);
	free(i->copy.checksum);
}

static void command_done(struct instruction *i)
{
	strv_done(&i->command.words);
}

static void health_done(struct instruction *i)
{
	strv_done(&i->health.command.words);
	strv_done(&i->health.check.test);
}

static void text_done(struct instruction *i)
{
	free(i->text.text);
}

static void list_done(struct instruction *i)
{
	strv_done(&i->list.words);
}

static void onbuild_done(struct instruction *i)
{
	if (i->trigger)
		instruction_done(i->trigger);
	free(i->trigger);
}

void instruction_done(struct instruction *i)
{
	static void (*const done[KEYWORD_COUNT])(struct instruction *) = {
		[KEYWORD_ADD] = copy_done,
		[KEYWORD_ARG] = arg_done,
		[KEYWORD_CMD] = command_done,
		[KEYWORD_COPY] = copy_done,
		[KEYWORD_ENTRYPOINT] = command_done,
		[KEYWORD_ENV] = pairs_done,
		[KEYWORD_EXPOSE] = list_done,
		[KEYWORD_FROM] = from_done,
		[KEYWORD_HEALTHCHECK] = health_done,
		[KEYWORD_LABEL] = pairs_done,
		[KEYWORD_MAINTAINER] = text_done,
		[KEYWORD_ONBUILD] = onbuild_done,
		[KEYWORD_RUN] = run_done,
		[KEYWORD_SHELL] = list_done,
		[KEYWORD_STOPSIGNAL] = text_done,
		[KEYWORD_USER] = text_done,
		[KEYWORD_VOLUME] = list_done,
		[KEYWORD_WORKDIR] = text_done,
	};

	done[i->keyword](i);
	*i = (struct instruction){.keyword = i->keyword};
}
