"""Downloads that are checked before they are kept."""

from __future__ import annotations

import hashlib
import threading
import time
import urllib.request
import zlib
from http.client import HTTPException
from urllib.error import HTTPError

from exactnet.base.progress import ProgressBar

STALL_SECONDS = 15.0  # without a byte
TOTAL_SECONDS = 300.0  # of one attempt; MNIST needs 33 kB/s


def fetch(mirrors: list[str], name: str, size: int, md5: str) -> bytes:
    """Return a good copy of a file, unpacked if it comes compressed by gzip.

    Parameters
    ----------
    mirrors : list of str
        URLs that become that of the file with its name behind them, asked one after the other.
        Those that fail move to the end of the list.
    name : str
    size, md5 : int, str
        Of the unpacked file. Hardly more than that many bytes are taken, packed or unpacked.

    Raises
    ------
    ConnectionError
        With the reason of every mirror, if none has a good copy.
    """
    reasons = []
    for mirror in list(mirrors):
        try:
            with ProgressBar(f"downloading {name}") as bar:
                data = _unpacked(_received(mirror + name, size + 2**16, bar), size)
            found = hashlib.md5(data, usedforsecurity=False).hexdigest()
            if found == md5:
                return data
            reason = f"{len(data)} bytes of MD5 {found} instead of {size} of {md5}"
        except (OSError, HTTPException, ValueError, zlib.error) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
        reasons.append(f"{mirror}: {reason:.200}")
        mirrors.append(mirrors.pop(mirrors.index(mirror)))
    raise ConnectionError(f"no mirror has a good {name}; {'; '.join(reasons)}")


def _received(url: str, most: int, bar: ProgressBar) -> bytes:
    """Return what a server sends.

    A thread reads: a socket's timeout does not bound the look-up of a name, nor the time of a
    server that sends byte by byte.
    """
    data = bytearray()
    announced = most
    failures: list[Exception] = []
    given_up = threading.Event()

    def read() -> None:
        nonlocal announced
        request = urllib.request.Request(url, headers={"User-Agent": "exactnet"})
        try:
            with urllib.request.urlopen(request, timeout=STALL_SECONDS) as response:
                announced = int(response.headers.get("Content-Length", most))
                while not given_up.is_set() and (chunk := response.read1(2**16)):
                    data.extend(chunk)
                    if len(data) > most:
                        raise ValueError(f"more than {most} bytes")
        except Exception as error:  # whatever it is, it belongs to the other thread
            if isinstance(error, HTTPError):
                error.close()  # it is a response too
            failures.append(error)

    thread = threading.Thread(target=read, daemon=True)
    deadline = time.monotonic() + TOTAL_SECONDS
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.05)
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished after {TOTAL_SECONDS:g} s")
            bar(min(1.0, len(data) / max(announced, 1)))
    finally:
        given_up.set()
    if failures:
        raise failures[0]
    bar(1.0)  # it may have ended before it was first looked at
    return bytes(data)


def _unpacked(data: bytes, size: int) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    stream = zlib.decompressobj(wbits=31)
    unpacked = bytearray()
    for k in range(0, len(data), 2**18):  # in parts, between which Ctrl-C is answered
        unpacked += stream.decompress(data[k : k + 2**18], size + 1 - len(unpacked))
        if len(unpacked) > size:
            raise ValueError(f"more than {size} bytes when unpacked")
    if not stream.eof:
        raise ValueError(f"truncated after {len(data)} bytes")
    return bytes(unpacked)
