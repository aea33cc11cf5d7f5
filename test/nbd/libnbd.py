"""What libnbd can ask of a server, beyond what its tools do."""

import errno
import os

import nbd

uri, snapshot, missing = os.environ["URI"], os.environ["SNAPSHOT"], os.environ["MISSING"]


def refused(call, number):
    """call must fail with an errno."""
    try:
        call()
    except nbd.Error as e:
        assert e.errnum == number, (e.errnum, e.string)
    else:
        raise AssertionError("not refused")


def connect(where, *contexts):
    handle = nbd.NBD()
    for context in contexts:
        handle.add_meta_context(context)
    handle.connect_uri(where)
    return handle


def extents(handle, count, offset, flags=0):
    found = {}
    handle.block_status(count, offset,
                        lambda context, at, entries, err: found.__setitem__(context, (at, list(entries))), flags)
    return found


a, b = connect(uri, "base:allocation", "archipelago:depth"), connect(uri)
assert a.get_protocol() == "newstyle-fixed" and a.get_structured_replies_negotiated()
assert a.can_multi_conn() and a.can_fua() and a.can_flush() and a.can_trim() and a.can_zero()
assert a.can_fast_zero() and a.can_cache() and a.can_df() and not a.is_read_only()
assert a.get_block_size(nbd.SIZE_MINIMUM) == 1 and a.get_block_size(nbd.SIZE_MAXIMUM) == 32 << 20
assert a.can_meta_context("base:allocation") and a.can_meta_context("archipelago:depth")

# What one connection has been told is written, another one reads; a flush covers both.
data = os.urandom(32 << 20)
a.pwrite(data, 1000)
assert b.pread(len(data), 1000) == data
pieces = []
a.pread_structured(len(data), 1000, lambda piece, *_: pieces.append(bytes(piece)), nbd.CMD_FLAG_DF)
assert pieces == [data], [len(piece) for piece in pieces]
b.flush()
a.pwrite(b"durable", 5, nbd.CMD_FLAG_FUA)
a.cache(1 << 20, 0)

a.zero(8 << 20, 4 << 20, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_FUA)
assert not any(b.pread(8 << 20, 4 << 20))
refused(lambda: a.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO | nbd.CMD_FLAG_NO_HOLE), errno.EOPNOTSUPP)
a.zero(4096, 0, nbd.CMD_FLAG_NO_HOLE)
a.trim(4 << 20, 16 << 20)

found = extents(a, 24 << 20, 0)
assert found["base:allocation"] == (0, [4 << 20, 0, 8 << 20, 3, 4 << 20, 0, 4 << 20, 3, 4 << 20, 0]), found
assert found["archipelago:depth"][1][:4] == [4 << 20, 1, 8 << 20, 0], found
found = extents(a, 20 << 20, 1 << 20, nbd.CMD_FLAG_REQ_ONE)
assert found["base:allocation"] == (1 << 20, [3 << 20, 0]), found

# Out of range, and against the flags of a snapshot: refused here, so that the server is asked.
for handle in (a, b):
    handle.set_strict_mode(0)
refused(lambda: a.pread(512, a.get_size()), errno.EINVAL)
refused(lambda: a.pwrite(bytes(512), a.get_size() - 1), errno.ENOSPC)
refused(lambda: b.block_status(512, 0, lambda *_: 0), errno.EINVAL)
s = connect(snapshot)
s.set_strict_mode(0)
assert s.is_read_only() and not s.can_trim() and not s.can_zero()
for change in (lambda: s.pwrite(b"x", 0), lambda: s.trim(512, 0), lambda: s.zero(512, 0)):
    refused(change, errno.EPERM)
s.flush()

# Options one by one.
o = nbd.NBD()
o.set_opt_mode(True)
o.connect_uri(uri)
names = []
o.opt_list(lambda name, description: names.append(name))
assert o.get_export_name() in names, names
o.opt_info()
assert o.get_size() == a.get_size()
contexts = []
o.opt_list_meta_context(contexts.append)
assert contexts == ["base:allocation", "archipelago:depth"], contexts
o.set_export_name("nothing-of-that-name")
refused(o.opt_info, errno.ENOENT)
refused(o.opt_go, errno.ENOENT)
o.opt_abort()
refused(lambda: connect(missing), errno.ENOENT)

t = nbd.NBD()
if t.supports_tls():
    t.set_tls(nbd.TLS_REQUIRE)
    try:
        t.connect_uri(uri)
    except nbd.Error as e:
        assert "TLS" in e.string, e.string
    else:
        raise AssertionError("TLS was granted")
print("libnbd is content")
