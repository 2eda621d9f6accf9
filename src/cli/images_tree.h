/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_IMAGES_TREE_H
#define CLI_IMAGES_TREE_H
/* images --tree. */
struct engine;
struct err;
struct image_filter;

/* Prints the images that FILTER lets through, each once with all its names, and below one whose
 * name stands for several platforms a line for each of them. As wide as the terminal, 80 columns
 * where there is none. */
int images_tree_print(struct engine *engine, const struct image_filter *filter, struct err *err);

#endif
