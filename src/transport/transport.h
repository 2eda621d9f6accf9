/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSPORT_TRANSPORT_H
#define TRANSPORT_TRANSPORT_H
/*
 * Moving images in and out, and between places outside. A place is written TRANSPORT:WHERE, as
 * skopeo does; one table has the transports, each of which opens a source and takes an image in.
 * Whatever moves is verified on the way, and gets its name when all of it is there.
 */
#include "base/err.h"
#include "oci/digest.h"
#include "transport/report.h"

#include <stdbool.h>

struct platform;
struct source;
struct source_image;
struct store;
struct strv;
struct transport;

/* "oci:DIR:REF" taken apart. */
struct place {
	const struct transport *transport;
	char *path;  /* owned: file or directory; of "tare:" the image */
	char *image; /* owned: what follows it; NULL for nothing */
};

#define PLACE_INIT \
	{          \
	}
/* Frees what it owns; an empty one is fine. */
void place_done(struct place *place);
#define cleanup_place __attribute__((cleanup(place_done)))
/* ERR_INVALID names the transports that there are. */
int place_parse(const char *text, struct place *ret, struct err *err);

struct transport {
	const char *name;
	const char *form; /* "oci:DIRECTORY[:REFERENCE]" */
	bool has_path;	  /* else all that follows the name is the image */
	bool is_optional; /* WHERE may be empty */
	/* Opens what stands at PLACE; SOURCE has its store. */
	int (*open)(const struct place *place, const struct transport_report *report,
		    struct source *ret, struct err *err);
	/* Takes IMAGE of SOURCE in; with WANT only what is for that platform. */
	int (*take)(const struct place *place, struct source *source, struct source_image *image,
		    const struct platform *want, const struct transport_report *report,
		    struct err *err);
};

/* The table; TRANSPORT_TAKE functions are in take_*.c. */
int take_layout(const struct place *place, struct source *source, struct source_image *image,
		const struct platform *want, const struct transport_report *report,
		struct err *err);
int take_dir(const struct place *place, struct source *source, struct source_image *image,
	     const struct platform *want, const struct transport_report *report, struct err *err);
int take_layout_archive(const struct place *place, struct source *source,
			struct source_image *image, const struct platform *want,
			const struct transport_report *report, struct err *err);
int take_docker_archive(const struct place *place, struct source *source,
			struct source_image *image, const struct platform *want,
			const struct transport_report *report, struct err *err);
int take_store(const struct place *place, struct source *source, struct source_image *image,
	       const struct platform *want, const struct transport_report *report, struct err *err);

/* Brings an image into the store under the canonical NAMES; the names' target is the manifest or
 * index that it came with. RET_ID gets 64 digits. */
int image_bring_in(struct store *store, struct source *source, const struct source_image *image,
		   const struct strv *names, const struct platform *want,
		   const struct transport_report *report, char ret_id[static DIGEST_HEX_LEN + 1],
		   struct err *err);

/* `image copy`: one image from SOURCE to DESTINATION, both as typed. PLATFORM "os/arch/variant" or
 * NULL. */
int image_copy(struct store *store, const char *source, const char *destination,
	       const char *platform, const struct transport_report *report, struct err *err);

/* `load`: all images of the archive in FD. What docker prints ("Loaded image: x:t") is said by the
 * report as soon as it is true. */
int image_load(struct store *store, int fd, const char *platform,
	       const struct transport_report *report, struct err *err);

/* `save`: the images NAMES (names, ids, repositories) as one archive into FD. */
int image_save(struct store *store, const struct strv *names, const char *platform, int fd,
	       const struct transport_report *report, struct err *err);

#endif
