/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "format/format.h"

/*
 * Names of images in QEMU's notation: "file:a.raw", and
 * json:{"driver":"qcow2","file":{"driver":"file","filename":"a.qcow2"}}, as QEMU and libvirt store
 * them in images and scripts give them.
 */

/* The name without "file:" before it. */
const char *image_name_plain(const char *name);

/*
 * The name of the file, which stays the same when it is resolved once more and which the caller
 * frees, and the format that the name says; NULL: none. ST_UNSUPPORTED: what it says has no meaning
 * here, with words that name it; ST_INVALID, ST_NO_MEMORY.
 */
enum status image_name_resolve(const char *name, char **ret_file, const struct image_format **ret,
			       struct error *);
