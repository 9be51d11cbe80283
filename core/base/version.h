/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#define EFI_IMG_VERSION "0.1.0"
