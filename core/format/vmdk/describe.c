/* SPDX-License-Identifier: BSD-2-Clause */
/* What `info` shows of a VMDK beyond what all formats have, in the order and words of qemu-img. */
#include "format/vmdk/image.h"

#include "base/text.h"

/* As the descriptor of a split image calls it; an extent with the descriptor inside has none. */
static const char *type_of(const struct vmdk_image *v, const struct vmdk_extent *extent)
{
	if (v->image.n_files == 1 && extent->kind == VMDK_SPARSE)
		return "";
	switch (extent->kind) {
	case VMDK_FLAT:
		return text_equal_nocase(v->descriptor.create_type, "vmfs") ? "VMFS" : "FLAT";
	case VMDK_ZEROS:
		return "ZERO";
	case VMDK_SPARSE:
		return "SPARSE";
	case VMDK_COWD:
		return "VMFSSPARSE";
	default:
		return "SESPARSE";
	}
}

void vmdk_describe(const struct image *image, struct tree *tree)
{
	const struct vmdk_image *v = const_vmdk(image);
	const char *type = v->descriptor.create_type;

	tree_number(tree, "cid", v->descriptor.cid);
	tree_number(tree, "parent-cid", v->descriptor.parent_cid);
	tree_text(tree, "create-type", type[0] != '\0' ? type : "monolithicSparse");
	tree_array(tree, "extents");
	for (size_t i = 0; i < v->n_extents; i++) {
		const struct vmdk_extent *extent = &v->extent[i];

		tree_object(tree, NULL);
		if (extent->sparse.compressed)
			tree_bool(tree, "compressed", true);
		tree_number(tree, "virtual-size", extent->size);
		if (extent->kind != VMDK_ZEROS)
			tree_text(tree, "filename", image->file[extent->file].name);
		if (extent->sparse.grain_bytes > 0)
			tree_number(tree, "cluster-size", extent->sparse.grain_bytes);
		tree_text(tree, "format", type_of(v, extent));
		tree_end(tree);
	}
	tree_end(tree);
}
