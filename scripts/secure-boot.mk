# SPDX-License-Identifier: BSD-2-Clause
# Part of the Makefile: the program signed for machines with Secure Boot on.

##
## make sign         the program with a signature for Secure Boot, build/x86_64/efi-img-signed.efi;
##                   KEY=db.key CERT=db.pem: as scripts/make-keys makes them
.PHONY: sign
sign: $(B)/efi-img.efi | setup-sign
	@[ -n "$(KEY)" ] && [ -n "$(CERT)" ] || { echo "KEY=db.key CERT=db.pem are missing:" \
		"scripts/make-keys FOLDER makes them" >&2; exit 2; }
	$(call step,SIGN,$(<:.efi=-signed.efi))
	scripts/sign "$(KEY)" "$(CERT)" $< $(<:.efi=-signed.efi)

## make usb-keys     sticks for machines with Secure Boot on, where the keys of KEYS=FOLDER are
## make usb-shim     enrolled, or Debian's shim trusts them: docs/SECURE-BOOT.md
.PHONY: usb-keys usb-shim
usb-keys usb-shim: usb-%: $(B)/efi-img.efi $(STICK) build/firmware/trixie | setup-sign
	@[ -n "$(KEYS)" ] || { echo "KEYS=FOLDER is missing: scripts/make-keys FOLDER" \
		"makes one" >&2; exit 2; }
	scripts/make-secure-usb $* "$(KEYS)" build/firmware/trixie $< build/efi-img-$@.img $(STICK)
	@echo "Write it to a stick: dd if=build/efi-img-$@.img of=/dev/THE-STICK bs=4M conv=fsync"

# Firmware and boot loaders of a release of Debian, some MB: for tests, and for sticks.
build/firmware/%: scripts/fetch-firmware scripts/apt-lists | setup-run
	$(call step,FETCH)
	scripts/fetch-firmware $* $@
