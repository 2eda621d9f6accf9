/* SPDX-License-Identifier: Apache-2.0 */
/* The words that begin instructions. */
#include "dockerfile/syntax.h"

const char *dockerfile_keyword_name(enum dockerfile_keyword keyword)
{
	static const char *const names[KEYWORD_COUNT] = {
		[KEYWORD_ADD] = "ADD",
		[KEYWORD_ARG] = "ARG",
		[KEYWORD_CMD] = "CMD",
		[KEYWORD_COPY] = "COPY",
		[KEYWORD_ENTRYPOINT] = "ENTRYPOINT",
		[KEYWORD_ENV] = "ENV",
		[KEYWORD_EXPOSE] = "EXPOSE",
		[KEYWORD_FROM] = "FROM",
		[KEYWORD_HEALTHCHECK] = "HEALTHCHECK",
		[KEYWORD_LABEL] = "LABEL",
		[KEYWORD_MAINTAINER] = "MAINTAINER",
		[KEYWORD_ONBUILD] = "ONBUILD",
		[KEYWORD_RUN] = "RUN",
		[KEYWORD_SHELL] = "SHELL",
		[KEYWORD_STOPSIGNAL] = "STOPSIGNAL",
		[KEYWORD_USER] = "USER",
		[KEYWORD_VOLUME] = "VOLUME",
		[KEYWORD_WORKDIR] = "WORKDIR",
	};

	return names[keyword];
}
