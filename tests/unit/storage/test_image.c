/* SPDX-License-Identifier: Apache-2.0 */
/* Images: lookup, tags, the rules of rmi, prune, filters, inspect. */
#include <dirent.h>
#include <string.h>

#include "oci/document.h"
#include "storage/container.h"
#include "storage/db.h"
#include "storage/disk_usage.h"
#include "storage/image.h"
#include "store_fixture.h"

#define CONTAINER "cc00000000000000000000000000000000000000000000000000000000000001"

static void add_container(const struct fixture *f, const char *image_id)
{
	const struct container_row row = {
		.id = CONTAINER, .name = "c", .image_id = image_id, .image_ref = "one"};
	char holder[ID_LEN + 1];
	struct err err = ERR_INIT;

	if (container_insert(f->store, &row, holder, &err) < 0)
		fail_msg("insert: %s", err.msg);
}

static bool runs(const char *id, void *data)
{
	return true;
}

/* Removes REF; the lines joined by "|", or the message. Ids of IMAGE and LAYER become I and L. */
static char *remove_image(const struct fixture *f, const char *ref, bool force,
			  image_running_fn running)
{
	const struct image_removal how = {.force = force, .running = running};
	cleanup_strv struct strv lines = STRV_INIT;
	struct err err = ERR_INIT;

	if (image_remove(f->store, ref, &how, &lines, &err) < 0)
		return str_dup(err.msg);
	strv_foreach (i, &lines) {
		if (str_has_prefix(lines.items[i], "Deleted: sha256:"))
			str_replace(&lines.items[i], "Deleted");
	}
	return strv_join(&lines, "|");
}

#define assert_removal(f, ref, force, running, expected)                           \
	do {                                                                       \
		cleanup_free char *actual_ = remove_image(f, ref, force, running); \
		assert_string_equal(actual_, expected);                            \
	} while (0)

static int count_entries(const struct fixture *f, const char *dir)
{
	cleanup_free char *path = str_printf("%s/%s", f->root, dir);
	DIR *d = opendir(path);
	const struct dirent *e = NULL;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void looks_up(void **state)
{
	struct fixture *f = *state;
	char one[DIGEST_HEX_LEN + 1], two[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "layer one", "one", NULL, one);
	import_image(f, "layer two", "team/two:2", NULL, two);

	cleanup_free char *with_prefix = str_printf("sha256:%s", one);
	cleanup_free char *short_id = str_ndup(one, 12);
	cleanup_free char *short_with_prefix = str_printf("sha256:%s", short_id);
	const struct {
		const char *ref;
		const char *id;
		const char *reference;
	} rows[] = {
		{"one", one, "docker.io/library/one:latest"},
		{"docker.io/library/one:latest", one, "docker.io/library/one:latest"},
		{"team/two:2", two, "docker.io/team/two:2"},
		{one, one, NULL},
		{with_prefix, one, NULL},
		{short_id, one, NULL},
		{short_with_prefix, one, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image struct image image = IMAGE_INIT;

		assert_int_equal(image_lookup(f->store, rows[i].ref, &image, &err), 1);
		assert_string_equal(image.id, rows[i].id);
		assert_true(str_is_equal(image.reference, rows[i].reference));
		assert_int_equal(image.chain_ids.n, 1);
		assert_int_equal(image.size, 9);
	}
}

static void names_what_is_missing(void **state)
{
	static const struct {
		const char *ref;
		const char *message;
	} rows[] = {
		{"nosuch", "No such image: nosuch:latest"},
		{"a/b:c", "No such image: a/b:c"},
		{"docker.io/library/x", "No such image: x:latest"},
		{"abcdef", "No such image: abcdef:latest"},
		{"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 "No such image: "
		 "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		{"Upper",
		 "invalid reference format: repository name (library/Upper) must be lowercase"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image struct image image = IMAGE_INIT;
		struct err err = ERR_INIT;

		assert_true(image_find(f->store, rows[i].ref, &image, &err) < 0);
		assert_string_equal(err.msg, rows[i].message);
	}
}

static void tags(void **state)
{
	static const struct {
		const char *source, *target, *message;
	} rows[] = {
		{"one", "sha256:x",
		 "refusing to create an ambiguous tag using digest algorithm as name"},
		{"one", "A",
		 "Error parsing reference: \"A\" is not a valid repository/tag: invalid reference "
		 "format: repository name (library/A) must be lowercase"},
		{"two", "x", "No such image: two:latest"},
		{"one", "x@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		 "refusing to create a tag with a digest reference"},
	};
	struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	char id[DIGEST_HEX_LEN + 1], other[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "layer", "one", NULL, id);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(image_tag(f->store, rows[i].source, rows[i].target, &err) < 0);
		assert_string_equal(err.msg, rows[i].message);
	}
	assert_int_equal(image_tag(f->store, "one", "aa:1", &err), 0);
	assert_int_equal(image_tag(f->store, "one", "aa:1", &err), 0);
	import_image(f, "other", "aa:1", NULL, other);
	assert_int_equal(image_find(f->store, "aa:1", &image, &err), 1);
	assert_string_equal(image.id, other);
}

static void removes(void **state)
{
	struct fixture *f = *state;
	char one[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "layer", "one", NULL, one);
	assert_int_equal(image_tag(f->store, "one", "aa:1", &err), 0);
	assert_removal(f, "aa:1", false, NULL, "Untagged: aa:1");
	assert_removal(f, "aa:1", false, NULL, "No such image: aa:1");
	assert_int_equal(image_tag(f->store, "one", "aa:1", &err), 0);

	cleanup_free char *multiple = str_printf(
		"conflict: unable to delete %.12s (must be forced) - image is "
		"referenced in multiple repositories",
		one);

	assert_removal(f, one, false, NULL, multiple);
	assert_int_equal(count_entries(f, "layers"), 1);
	assert_removal(f, one, true, NULL, "Untagged: aa:1|Untagged: one:latest|Deleted|Deleted");
	assert_int_equal(count_entries(f, "layers"), 0);
	assert_int_equal(count_entries(f, "blobs/sha256"), 0);
	assert_int_equal(count_entries(f, "staging"), 0);
	import_image(f, "layer", "one", NULL, one);
	assert_removal(f, "one", false, NULL, "Untagged: one:latest|Deleted|Deleted");
}

/* Two images on one layer: it stays with the first and goes with the second. */
static void shares_layers(void **state)
{
	struct fixture *f = *state;
	char one[DIGEST_HEX_LEN + 1], two[DIGEST_HEX_LEN + 1];

	import_image(f, "layer", "one", NULL, one);
	import_image(f, "layer", "two", "CMD x", two);
	assert_string_not_equal(one, two);
	assert_int_equal(count_entries(f, "layers"), 1);
	assert_removal(f, "one", false, NULL, "Untagged: one:latest|Deleted");
	assert_int_equal(count_entries(f, "layers"), 1);
	assert_removal(f, "two", false, NULL, "Untagged: two:latest|Deleted|Deleted");
	assert_int_equal(count_entries(f, "layers"), 0);
}

static void refuses_while_used(void **state)
{
	struct fixture *f = *state;
	char one[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "layer", "one", NULL, one);
	add_container(f, one);

	cleanup_free char *by_name = str_printf(
		"conflict: unable to remove repository reference \"one\" (must "
		"force) - container %.12s is using its referenced image %.12s",
		CONTAINER, one);
	cleanup_free char *running = str_printf(
		"conflict: unable to delete %.12s (cannot be forced) - image is "
		"being used by running container %.12s",
		one, CONTAINER);
	cleanup_free char *stopped = str_printf(
		"conflict: unable to delete %.12s (must be forced) - image is "
		"being used by stopped container %.12s",
		one, CONTAINER);

	assert_removal(f, "one", false, runs, by_name);
	assert_removal(f, "one", false, NULL, by_name);
	assert_removal(f, one, false, runs, running);
	assert_removal(f, one, true, runs, running);
	assert_removal(f, one, false, NULL, stopped);
	/* By name and force while it runs: the name goes, the image stays. */
	assert_removal(f, "one", true, runs, "Untagged: one:latest");
	assert_int_equal(image_tag(f->store, one, "one", &err), 0);
	/* Stopped: hidden until the container goes, and its layers with it. */
	assert_removal(f, "one", true, NULL, "Untagged: one:latest|Deleted");
	cleanup_image struct image image = IMAGE_INIT;

	assert_int_equal(image_lookup(f->store, one, &image, &err), 0);
	assert_int_equal(count_entries(f, "layers"), 1);
	assert_int_equal(container_delete(f->store, CONTAINER, false, NULL, &err), 1);
	assert_int_equal(count_entries(f, "layers"), 0);
	assert_int_equal(count_entries(f, "blobs/sha256"), 0);
}

static int add_row(const struct image_row *row, void *data, struct err *err)
{
	str_addf(data, "%s:%s ", row->repository, row->tag);
	return 0;
}

static void lists(void **state)
{
	static const struct {
		const char *filter;
		const char *rows;
	} rows[] = {
		{"reference=*", "three:latest aa:1 aa:2 "},
		{"reference=a*:1", "aa:1 "},
		{"reference=aa", "aa:1 aa:2 "},
		{"reference=*/*", "team/aa:1 "},
		{"reference=nosuch", ""},
		{"dangling=true", "<none>:<none> "},
		{"dangling=false", "three:latest aa:1 aa:2 team/aa:1 "},
		{"label=tier", "three:latest "},
		{"label=tier=one", "three:latest "},
		{"label=tier=two", ""},
		{"label!=tier", "<none>:<none> aa:1 aa:2 team/aa:1 "},
		{"before=three", "<none>:<none> aa:1 aa:2 team/aa:1 "},
		{"since=aa:1", "three:latest <none>:<none> "},
		{"until=1h", ""},
	};
	struct fixture *f = *state;
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "one", "aa:2", NULL, id);
	assert_int_equal(image_tag(f->store, "aa:2", "aa:1", &err), 0);
	assert_int_equal(image_tag(f->store, "aa:2", "team/aa:1", &err), 0);
	import_image(f, "two", NULL, NULL, id);
	import_image(f, "three", "three", "LABEL tier=one", id);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image_filter struct image_filter filter;
		cleanup_str struct str actual = STR_INIT;

		image_filter_init(&filter);
		assert_int_equal(image_filter_add(&filter, rows[i].filter, &err), 0);
		assert_int_equal(image_list(f->store, &filter, add_row, &actual, &err), 0);
		assert_string_equal(str_get(&actual), rows[i].rows);
	}
}

static void refuses_filters(void **state)
{
	static const struct {
		const char *condition, *message; /* NULL: it is fine */
	} rows[] = {
		{"foo=1", "invalid filter 'foo'"},
		{"=", "invalid filter ''"},
		{"dangling=maybe", "invalid filter 'dangling=[maybe]'"},
		{"until=never", "failed to parse value as time or duration: \"never\""},
		{"reference=[", "syntax error in pattern"},
		{"reference=a[]", "syntax error in pattern"},
		{"reference=a[-b]", "syntax error in pattern"},
		{"reference=a[b-]", "syntax error in pattern"},
		{"reference=a\\", "syntax error in pattern"},
		{"reference=a[^b-d]e*\\[", NULL},
		{"reference=[\\]]", NULL},
		{"label!=x", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image_filter struct image_filter filter;
		struct err err = ERR_INIT;
		int rc = 0;

		image_filter_init(&filter);
		rc = image_filter_add(&filter, rows[i].condition, &err);
		assert_int_equal(rc, rows[i].message ? -ERR_INVALID : 0);
		if (rows[i].message)
			assert_string_equal(err.msg, rows[i].message);
	}
}

static void one_until(void **state)
{
	cleanup_image_filter struct image_filter filter;
	struct err err = ERR_INIT;

	image_filter_init(&filter);
	assert_int_equal(image_filter_add(&filter, "until=24h", &err), 0);
	assert_int_equal(image_filter_add(&filter, "until=48h", &err), -ERR_INVALID);
	assert_string_equal(err.msg, "more than one until filter specified");
}

/* What layers and blobs take on the disk. */
static int64_t bytes_on_disk(const struct fixture *f)
{
	cleanup_disk_usage struct disk_usage usage = DISK_USAGE_INIT;
	int fd = store_get_root_fd(f->store);

	return disk_usage_add(&usage, fd, "layers") + disk_usage_add(&usage, fd, "blobs");
}

static void prunes(void **state)
{
	struct fixture *f = *state;
	cleanup_strv struct strv lines = STRV_INIT;
	char used[DIGEST_HEX_LEN + 1], id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	int64_t before = 0;
	int64_t reclaimed = 0;

	import_image(f, "used", "used", NULL, used);
	add_container(f, used);
	import_image(f, "nameless", NULL, NULL, id);
	import_image(f, "named", "named", NULL, id);
	before = bytes_on_disk(f);
	assert_int_equal(image_prune(f->store, false, NULL, &lines, &reclaimed, &err), 0);
	assert_true(reclaimed > 0);
	assert_int_equal(reclaimed, before - bytes_on_disk(f));
	assert_int_equal(lines.n, 2);
	assert_true(str_has_prefix(lines.items[0], "deleted: sha256:"));
	before = bytes_on_disk(f);
	assert_int_equal(image_prune(f->store, true, NULL, &lines, &reclaimed, &err), 0);
	assert_true(reclaimed > 0);
	assert_int_equal(reclaimed, before - bytes_on_disk(f));
	assert_int_equal(lines.n, 5);
	assert_string_equal(lines.items[2], "untagged: named:latest");
	assert_int_equal(count_entries(f, "layers"), 1);
}

/* What a crash left is pruned and counted, too. */
static void prunes_leftovers(void **state)
{
	static const char name[] =
		"layers/00000000000000000000000000000000000000000000000000000000000000aa";
	struct fixture *f = *state;
	cleanup_strv struct strv lines = STRV_INIT;
	cleanup_free char *file = str_printf("%s/x", name);
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	int64_t before = 0;
	int64_t reclaimed = 0;
	int fd = store_get_root_fd(f->store);

	import_image(f, "one", "one", NULL, id);
	assert_int_equal(mkdirat(fd, name, 0700), 0);
	assert_int_equal(fd_replace_file_at(fd, file, "12345", 5, 0600, false), 0);
	before = bytes_on_disk(f);
	assert_int_equal(image_prune(f->store, false, NULL, &lines, &reclaimed, &err), 0);
	assert_true(reclaimed > 0);
	assert_int_equal(reclaimed, before - bytes_on_disk(f));
	assert_int_equal(lines.n, 0);
}

/* Makes CHILD an image that was made from PARENT. */
static void set_parent(const struct fixture *f, const char *child, const char *parent)
{
	struct err err = ERR_INIT;

	assert_int_equal(
		db_run(f->store, &err, "UPDATE image SET parent=? WHERE id=?", "tt", parent, child),
		1);
}

static void parents(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_LEN + 1], b[DIGEST_HEX_LEN + 1], c[DIGEST_HEX_LEN + 1];
	cleanup_free char *message = NULL;

	import_image(f, "a", "a", NULL, a);
	import_image(f, "b", NULL, NULL, b);
	import_image(f, "c", "c", NULL, c);
	set_parent(f, b, a);
	set_parent(f, c, b);
	message = str_printf("conflict: unable to delete %.12s (cannot be forced) - image has "
			     "dependent child images",
			     b);
	assert_removal(f, b, false, NULL, message);
	assert_removal(f, b, true, NULL, message);
	/* The name goes, the image stays; without it, it goes with its child. */
	assert_removal(f, "a", false, NULL, "Untagged: a:latest");
	assert_int_equal(count_entries(f, "layers"), 3);
	assert_removal(f, "c", false, NULL,
		       "Untagged: c:latest|Deleted|Deleted|Deleted|Deleted|Deleted|Deleted");
	assert_int_equal(count_entries(f, "layers"), 0);
}

static void parents_that_stay(void **state)
{
	struct fixture *f = *state;
	const struct image_removal no_prune = {.no_prune = true};
	char a[DIGEST_HEX_LEN + 1], b[DIGEST_HEX_LEN + 1], c[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "a", NULL, NULL, a);
	import_image(f, "b", "b", NULL, b);
	import_image(f, "c", "c", NULL, c);
	set_parent(f, b, a);
	set_parent(f, c, a);
	/* It has another child, a name, or a container; or it was said. */
	assert_removal(f, "b", false, NULL, "Untagged: b:latest|Deleted|Deleted");
	assert_int_equal(image_tag(f->store, a, "named", &err), 0);
	assert_removal(f, "c", false, NULL, "Untagged: c:latest|Deleted|Deleted");
	import_image(f, "d", "d", NULL, b);
	set_parent(f, b, a);
	assert_removal(f, "named", false, NULL, "Untagged: named:latest");
	assert_int_equal(image_remove(f->store, "d", &no_prune, NULL, &err), 0);
	assert_int_equal(count_entries(f, "layers"), 1);
	import_image(f, "e", "e", NULL, b);
	set_parent(f, b, a);
	add_container(f, a);
	assert_removal(f, "e", false, NULL, "Untagged: e:latest|Deleted|Deleted");
	assert_int_equal(count_entries(f, "layers"), 1);
}

static void hides_parents(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_LEN + 1], b[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	static const struct {
		const char *condition;
		bool all;
		const char *rows;
	} rows[] = {
		{NULL, false, "b:latest "},
		{NULL, true, "b:latest <none>:<none> "},
		{"dangling=true", false, ""},
		{"dangling=true", true, ""},
	};

	import_image(f, "a", NULL, NULL, a);
	import_image(f, "b", "b", NULL, b);
	set_parent(f, b, a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cleanup_image_filter struct image_filter filter;
		cleanup_str struct str actual = STR_INIT;

		image_filter_init(&filter);
		filter.all = rows[i].all;
		if (rows[i].condition)
			assert_int_equal(image_filter_add(&filter, rows[i].condition, &err), 0);
		assert_int_equal(image_list(f->store, &filter, add_row, &actual, &err), 0);
		assert_string_equal(str_get(&actual), rows[i].rows);
	}
}

static void inspects(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_json json_t *o = NULL;
	char id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;

	import_image(f, "layer", "one", "CMD echo $A", id);
	assert_int_equal(image_find(f->store, "one", &image, &err), 1);
	assert_int_equal(image_inspect(f->store, &image, &o, &err), 0);

	cleanup_free char *config = json_dumps(json_object_get(o, "Config"), JSON_COMPACT);
	cleanup_free char *tags = json_dumps(json_object_get(o, "RepoTags"), JSON_COMPACT);

	assert_string_equal(tags, "[\"one:latest\"]");
	assert_string_equal(config, "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"]}");
	assert_int_equal(json_integer_value(json_object_get(o, "Size")), 5);
	assert_string_equal(json_string_value(json_object_get(o, "Comment")), "Imported from -");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looks_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_what_is_missing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tags, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shares_layers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_while_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lists, set_up, tear_down),
		cmocka_unit_test(refuses_filters),
		cmocka_unit_test(one_until),
		cmocka_unit_test_setup_teardown(prunes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(prunes_leftovers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(parents_that_stay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hides_parents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(inspects, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
