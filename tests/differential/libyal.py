# SPDX-License-Identifier: BSD-2-Clause
"""
libvhdi and libvmdk as judges, by their Python modules: their programs mount an image with FUSE,
which containers and Debian 13 do without.
"""

import pyvhdi
import pyvmdk


def read_vhd(path, parent=None):
    """The disk in a VHD or VHDX image; `parent` is the image below a differencing one."""
    image = pyvhdi.file()
    image.open(str(path))
    if parent:
        below = pyvhdi.file()
        below.open(str(parent))
        image.set_parent(below)
    return image.read_buffer_at_offset(image.media_size, 0)


def read_vmdk(path):
    """The disk in a VMDK image, whose other files are beside it."""
    image = pyvmdk.handle()
    image.open(str(path))
    image.open_extent_data_files()
    return image.read_buffer_at_offset(image.media_size, 0)
