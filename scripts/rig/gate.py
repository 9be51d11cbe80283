"""
A disk whose requests a test can hold. What a machine has read and written, not time, decides where
it is stopped, cut off from power, or loses a disk.

A Gate is an NBD server for the image of one drive, on a Unix socket and in a thread of this
process. QEMU sends it every read, write and flush in the order in which the machine makes them. It
serves one request after the other and counts bytes, so `hold(8 * MIB)` stops the machine's I/O at
the same request on a fast host and on a busy one. A request that is held has not changed the image:
to end the machine then is to cut the power just before that request.

A machine that is to continue must not be held for long: the firmware's drivers abort a request
after some seconds by their own clock, which may run faster than ours, and QEMU answers no command
while it waits for the aborted request. For such a machine the gate crawls: it holds each request
for a moment, and then lets it pass. How long a busy host takes to react only decides how many
requests pass meanwhile.

The protocol is https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md: fixed newstyle
negotiation, the option GO, simple replies.

SPDX-License-Identifier: BSD-2-Clause
"""

import errno
import os
import socket
import struct
import sys
import threading

READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3  # NBD_CMD_*
OPTION_MAGIC, REPLY_MAGIC = 0x49484156454F5054, 0x0003E889045565A9
OPTION_ABORT, OPTION_GO = 2, 7
SIMPLE_REPLY_MAGIC = 0x67446698
REPLY_ACK, REPLY_INFO, REPLY_UNSUPPORTED = 1, 3, 1 << 31 | 1
REQUEST = struct.Struct(">IHHQQI")  # magic, flags, type, cookie, offset, length


class Gone(Exception):
    """The machine has closed the connection, or the gate is closed."""


class ImageFile:
    """An image file, for a Gate."""

    def __init__(self, path, read_only):
        self.file = os.open(path, os.O_RDONLY if read_only else os.O_RDWR)
        self.size = os.fstat(self.file).st_size

    def read(self, offset, length):
        return os.pread(self.file, length, offset)

    def write(self, offset, data):
        """Zeros that are written into a hole leave it a hole."""
        if data.count(0) == len(data):
            try:
                if os.lseek(self.file, offset, os.SEEK_DATA) >= offset + len(data):
                    return
            except OSError:
                return  # the rest of the file is a hole
        os.pwrite(self.file, data, offset)

    def close(self):
        os.close(self.file)


class Gate:
    """Belongs to one Drive, in one Machine after the other."""

    def __init__(self):
        self.passed = 0  # bytes read and written since the machine was switched on
        self._limit = None  # of `passed`, from which on requests are held
        self._crawls = 0  # requests that are held for a moment each; 0: they are held for ever
        self._reached = self._closed = False
        self._changed = threading.Condition()
        self._listener = self._thread = None

    def hold(self, after):
        """Lets `after` more bytes pass, then holds every request."""
        self._set_limit(self.passed + after, 0)

    def crawl(self, after, requests=sys.maxsize):
        """Lets `after` more bytes pass, then so many requests slowly, and then every request."""
        self._set_limit(self.passed + after, requests)

    def release(self):
        """Lets every request pass."""
        self._set_limit(None, 0)

    def _set_limit(self, limit, crawls):
        with self._changed:
            self._limit, self._crawls, self._reached = limit, crawls, False
            self._changed.notify_all()

    def reached(self):
        """Whether those bytes have passed and another request has come."""
        with self._changed:
            return self._reached

    def wait_reached(self):
        """Waits until reached(); returns False if the gate is released instead."""
        with self._changed:
            self._changed.wait_for(lambda: self._reached or self._limit is None or self._closed)
            return self._reached

    def open(self, directory, name, image, read_only, crawl_seconds):
        """
        Serves `image` on the socket `name` in `directory`, with nothing held. `crawl_seconds`: how
        long a request is held when the gate crawls. For Machine.
        """
        self._crawl_seconds = crawl_seconds
        self.passed, self._limit, self._crawls = 0, None, 0
        self._reached = self._closed = False
        self._listener = socket.socket(socket.AF_UNIX)
        # The path of a Unix socket has at most 107 characters. That of a descriptor is short.
        descriptor = os.open(directory, os.O_PATH)
        try:
            self._listener.bind(f"/proc/self/fd/{descriptor}/{name}")
        finally:
            os.close(descriptor)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, args=(image, read_only), daemon=True)
        self._thread.start()

    def close(self):
        """Stops serving, and drops a request that is held. For Machine, once QEMU has ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self, image, read_only):
        file = self._open(image, read_only)
        try:
            line, _ = self._listener.accept()
            with line:
                self._negotiate(line, file.size, read_only)
                while True:
                    self._request(line, file)
        except (Gone, OSError):
            pass  # QEMU, if it still runs, sees a disk that fails
        finally:
            file.close()

    def _open(self, image, read_only):
        return ImageFile(image, read_only)

    @staticmethod
    def _receive(line, length):
        parts = bytearray()
        while len(parts) < length:
            part = line.recv(length - len(parts))
            if not part:
                raise Gone
            parts += part
        return bytes(parts)

    def _negotiate(self, line, size, read_only):
        line.sendall(b"NBDMAGIC" + struct.pack(">QH", OPTION_MAGIC, 1))  # fixed newstyle
        self._receive(line, 4)
        while True:
            _, option, length = struct.unpack(">QII", self._receive(line, 16))
            self._receive(line, length)

            def reply(kind, data=b"", option=option):
                line.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)

            if option == OPTION_GO:
                # NBD_INFO_EXPORT; the flags are: has flags, read-only, takes flushes.
                reply(REPLY_INFO, struct.pack(">HQH", 0, size, 1 | (2 if read_only else 0) | 4))
                reply(REPLY_ACK)
                return
            reply(REPLY_ACK if option == OPTION_ABORT else REPLY_UNSUPPORTED)

    def _request(self, line, file):
        _, _, kind, cookie, offset, length = REQUEST.unpack(self._receive(line, REQUEST.size))
        data = self._receive(line, length) if kind == WRITE else b""
        if kind == DISCONNECT:
            raise Gone
        self._pass(length if kind != FLUSH else 0)
        failed = 0
        try:
            if kind == READ:
                data = file.read(offset, length)
            elif kind == WRITE:
                file.write(offset, data)
        except OSError as error:
            failed = error.errno
        if kind not in (READ, WRITE, FLUSH):
            failed = errno.EINVAL
        answer = data if kind == READ and not failed else b""
        line.sendall(struct.pack(">IIQ", SIMPLE_REPLY_MAGIC, failed, cookie) + answer)

    def _pass(self, length):
        """Waits until a request may pass, and counts its bytes."""
        with self._changed:
            if self._holds():
                self._reached = True
                self._changed.notify_all()
                let_go = self._changed.wait_for(
                    lambda: not self._holds() or self._closed,
                    self._crawl_seconds if self._crawls else None,
                )
                if not let_go:
                    self._crawls -= 1
                    if self._crawls == 0:
                        self._limit = None
            if self._closed:
                raise Gone
            self.passed += length

    def _holds(self):
        return self._limit is not None and self.passed >= self._limit
