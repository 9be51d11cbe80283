/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "format/probe.h"

/* A kind of file that is known not to be a raw disk, and that efi-img has no image format for. */
struct foreign {
	const char *name;  /* for `info`: what qemu-img calls its driver where it has one, "vmdk" */
	const char *words; /* "a VMDK image (VMware)" */
	const char *advice; /* what to do with it instead; NULL: nothing but to take its bytes as
			       they are */
};

/*
 * What a file is by its first and last bytes, which the probe has all; NULL: nothing that is known.
 * A device never is anything: what a disk begins with is its contents.
 */
const struct foreign *foreign_recognise(const struct image_probe *);

/* Writes what it is and what to do, to follow the name of the file and ": ". */
void foreign_print(const struct foreign *, struct out *);
