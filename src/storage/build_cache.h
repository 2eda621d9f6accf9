/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_BUILD_CACHE_H
#define STORAGE_BUILD_CACHE_H
/*
 * The form in which results of steps leave the store and come back: an OCI layout whose manifest
 * has a configuration of its own media type. That lists the steps,
 *
 *	{"steps":[{"key":HEX,"result":HEX,"kind":N,"description":TEXT,"parent":HEX,
 *		   "layer":"sha256:...","size":N}],
 *	 "aliases":[{"key":HEX,"target":HEX}],
 *	 "mounts":[{"id":TEXT,"layer":"sha256:...","size":N,"mode":N,"uid":N,"gid":N}]}
 *
 * where a step that changed nothing has no layer, and a layer is an archive like any image's.
 */
#define BUILD_CACHE_TYPE   "application/vnd.tare.buildcache.v1+json"
#define BUILD_CACHE_BLOBS  "blobs/sha256"
#define BUILD_CACHE_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

#define OCI_MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define OCI_INDEX_TYPE	  "application/vnd.oci.image.index.v1+json"
#define OCI_LAYER_TYPE	  "application/vnd.oci.image.layer.v1.tar+"

#endif
