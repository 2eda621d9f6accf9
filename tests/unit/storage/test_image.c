/* SPDX-License-Identifier: Apache-2.0 */
/* Images: lookup, tags, the rules of rmi, prune, filters, inspect. */
#include <dirent.h>
#include <string.h>

#include "oci/document.h"
#include "storage/container.h"
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
	cleanup_strv struct strv lines = STRV_INIT;
	struct err err = ERR_INIT;

	if (image_remove(f->store, ref, force, running, NULL, &lines, &err) < 0)
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
	assert_int_equal(container_delete(f->store, CONTAINER, &err), 1);
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
	static const char *const rows[] = {"foo=1", "dangling=maybe", "until=never", "label"};

	for (size_t i = 0; i < 3; i++) {
		cleanup_image_filter struct image_filter filter;
		struct err err = ERR_INIT;

		image_filter_init(&filter);
		assert_int_equal(image_filter_add(&filter, rows[i], &err), -ERR_INVALID);
		assert_true(str_has_prefix(err.msg, "invalid filter '"));
	}
}

static void prunes(void **state)
{
	struct fixture *f = *state;
	cleanup_strv struct strv lines = STRV_INIT;
	char used[DIGEST_HEX_LEN + 1], id[DIGEST_HEX_LEN + 1];
	struct err err = ERR_INIT;
	int64_t reclaimed = 0;

	import_image(f, "used", "used", NULL, used);
	add_container(f, used);
	import_image(f, "nameless", NULL, NULL, id);
	import_image(f, "named", "named", NULL, id);
	assert_int_equal(image_prune(f->store, false, NULL, &lines, &reclaimed, &err), 0);
	/* Eight bytes of content, and the blob that the helper of these tests makes of them. */
	assert_int_equal(reclaimed, 8 + 28);
	assert_int_equal(lines.n, 2);
	assert_true(str_has_prefix(lines.items[0], "deleted: sha256:"));
	assert_int_equal(image_prune(f->store, true, NULL, &lines, &reclaimed, &err), 0);
	assert_int_equal(reclaimed, 5 + 25);
	assert_int_equal(lines.n, 5);
	assert_string_equal(lines.items[2], "untagged: named:latest");
	assert_int_equal(count_entries(f, "layers"), 1);
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
	assert_string_equal(
		config,
		"{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,"
		"\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,\"OpenStdin\":false,"
		"\"StdinOnce\":false,\"Env\":null,\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"],"
		"\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,"
		"\"OnBuild\":null,\"Labels\":null}");
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
		cmocka_unit_test_setup_teardown(prunes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(inspects, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
