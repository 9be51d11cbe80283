@echo -off
#
# Captures a disk into a compressed qcow2 image, and makes sure that the image is what was read.
#
#   capture DISK IMAGE
#   capture serial=S4X9NG0R12 fs0:\pc.qcow2
#
# `efi-img list` shows the disks. %lasterror% is 0 only if everything is right.
#
if "x%2" == "x" then
  echo "usage: capture DISK IMAGE"
  exit /b 1
endif

efi-img convert -p -c -O qcow2 --manifest=%2.json %1 %2
if not %lasterror% == 0 then
  set -v capture_code %lasterror%
  echo "%1 could not be captured."
  goto failed
endif

efi-img check %2
if not %lasterror% == 0 then
  set -v capture_code %lasterror%
  echo "%2 is not sound."
  goto failed
endif

efi-img hash -p --check=%2.json %2
if not %lasterror% == 0 then
  set -v capture_code %lasterror%
  echo "%2 does not hold what was read."
  goto failed
endif

echo "%2 is %1, checked."
exit /b 0

:failed
exit /b %capture_code%
