/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR BSD-2-Clause */
/*
 * The layout of an xseg segment: what the Go package, the C library and the kernel driver agree on.
 *
 * Rules of this file
 *   - little-endian, fixed-width integers, explicit padding, no pointers, no bitfields;
 *   - numbers are enum constants (they reach the debug information, from which the Go mirror is
 *     generated), never preprocessor defines;
 *   - a position inside the segment is an offset in bytes from its start;
 *   - fields are appended; a reserved field gets a meaning only together with a feature bit, and
 *     anything else raises XSEG_ABI_VERSION;
 *   - every shared word has one writer, named here; it is read once, checked, then used.
 */
#ifndef XSEG_ABI_H
#define XSEG_ABI_H

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <assert.h>
#include <linux/types.h>
#include <stddef.h>
#endif

enum xseg_version {
	XSEG_ABI_VERSION = 2,
};

/* "XSEGARCH" read as a little-endian 64-bit number. */
enum xseg_magic {
	XSEG_MAGIC = 0x4843524147455358ULL,
};

/* Limits of the layout. */
enum xseg_limits {
	XSEG_PAGE_SIZE = 4096,
	XSEG_MIN_PORTS = 16,
	XSEG_MAX_PORTS = 65536,
	XSEG_MAX_SLOTS = 1024,		/* per channel; a power of two */
	XSEG_MAX_DATA = 4194304,	/* bytes that one request carries */
	XSEG_NAME_MAX = 63,		/* segment name, without the final NUL */
	XSEG_ROLE_MAX = 31,		/* role name, without the final NUL */
	XSEG_RUNDIR_MAX = 79,		/* runtime directory, so that a socket path fits 107 bytes */
	XSEG_TARGET_MAX = 176,		/* bytes of a request's target */
	XSEG_INLINE_MAX = 208,		/* bytes of a request's inline payload */
	XSEG_VOLUME_NAME_MAX = 128,
	XSEG_HIST_BUCKETS = 32,
	XSEG_MAX_VOLUMES = 4096,	/* rows of the volume table */
	XSEG_VOLUME_OPS = 4,		/* enum xseg_volume_op_kind */
	XSEG_MAP_LEVELS = 4,		/* three stored levels and one being born */
};

/* Operations. 0 to 20 are those of the documented system. */
enum xseg_op {
	XSEG_OP_PING = 0,
	XSEG_OP_READ = 1,
	XSEG_OP_WRITE = 2,
	XSEG_OP_SYNC = 3,
	XSEG_OP_TRUNCATE = 4,
	XSEG_OP_DELETE = 5,
	XSEG_OP_ACQUIRE = 6,
	XSEG_OP_RELEASE = 7,
	XSEG_OP_COPY = 8,
	XSEG_OP_CLONE = 9,
	XSEG_OP_COMMIT = 10,
	XSEG_OP_INFO = 11,
	XSEG_OP_MAPR = 12,
	XSEG_OP_MAPW = 13,
	XSEG_OP_OPEN = 14,
	XSEG_OP_CLOSE = 15,
	XSEG_OP_SNAPSHOT = 16,
	XSEG_OP_HASH = 17,
	XSEG_OP_CREATE = 18,
	XSEG_OP_RENAME = 19,
	XSEG_OP_FLUSH = 20,
	XSEG_OP_DISCARD = 32,
	XSEG_OP_WRITE_ZEROES = 33,
	XSEG_OP_LIST = 34,
	XSEG_OP_STAT = 35,
	XSEG_OP_APPEND = 36,
	XSEG_OP_REPLACE = 37,
	XSEG_OP_LOCK_ADVANCE = 38,
	XSEG_OP_LOCK_READ = 39,
	XSEG_OP_RESIZE = 40,
	XSEG_OP_ROLLBACK = 41,
	XSEG_OP_FLATTEN = 42,
	XSEG_OP_LEASE = 43,
	XSEG_OP_BLOCK_STATUS = 44,
	XSEG_OP_USAGE = 45,
	XSEG_OP_DIFF = 46,
	XSEG_OP_SNAPSHOT_GROUP = 47,
	XSEG_OP_TRACE = 48,	/* the latest requests of a volume, from number OFFSET on */
	XSEG_OP_FILL = 49,	/* blocker: a write that brings along what lies around it */
};

enum xseg_request_flags {
	XSEG_REQ_NOSYNC = 1,	/* do not wait: answer EBUSY or EAGAIN instead */
	XSEG_REQ_FLUSH = 2,	/* make what was acknowledged before durable first */
	XSEG_REQ_FUA = 4,	/* the reply says that this is durable */
	XSEG_REQ_FORCE = 8,
	XSEG_REQ_EXCL = 16,	/* fail with EEXIST if the target exists */
	XSEG_REQ_REPLACE = 32,	/* COMMIT: the shape of the entry changes */
};

/*
 * Slot states. The state word of a slot is (generation << 8) | state; each move is one
 * compare-and-swap on the whole word (a release store where only one side may move it), so a stale
 * ring entry never matches.
 *
 *   from       to         who        how, and when
 *   FREE       SUBMITTED  submitter  store; request filled in, before the ring entry is published
 *   SUBMITTED  RUNNING    server     CAS, before it reads anything else of the request
 *   RUNNING    DONE       server     store, if it is still as the CAS left it; after the reply
 *                                    fields, before its bit in the done bitmap
 *   DONE       FREE       submitter  store; the reply was taken; the next use raises the generation
 *   SUBMITTED  CANCELLED  submitter  CAS, gives up before a server began
 *   CANCELLED  FREE       submitter  store; once the server's head has passed its ring entry (with
 *                                    one entry per slot in the ring, an earlier use could overflow
 *                                    it); a server that meets the entry fails its CAS
 *   RUNNING    SUBMITTED  submitter  only on reconnection, when the server and all that it passed
 *                                    on are known to be dead; generation + 1
 */
enum xseg_slot_state {
	XSEG_SLOT_FREE = 0,
	XSEG_SLOT_SUBMITTED = 1,
	XSEG_SLOT_RUNNING = 2,
	XSEG_SLOT_DONE = 3,
	XSEG_SLOT_CANCELLED = 4,
};

/*
 * Channel states, moved under the control lock only.
 *
 *   FREE -> SETUP      the submitter has taken the entry and its extent
 *   SETUP -> LIVE      rings and slots are initialised; the server may serve it
 *   LIVE -> ORPHAN     the submitter is dead or has closed; requests may still be running
 *   ORPHAN -> DRAINED  no request of it runs any more (said by the server or its successor)
 *   DRAINED -> FREE    the extent was given back
 *   SETUP -> FREE      a half-done connect was undone
 */
enum xseg_channel_state {
	XSEG_CHANNEL_FREE = 0,
	XSEG_CHANNEL_SETUP = 1,
	XSEG_CHANNEL_LIVE = 2,
	XSEG_CHANNEL_ORPHAN = 3,
	XSEG_CHANNEL_DRAINED = 4,
};

enum xseg_port_state {
	XSEG_PORT_FREE = 0,
	XSEG_PORT_BOUND = 1,
};

/*
 * Open-file-description locks on the segment file: positions far beyond its end, one byte each.
 * They are part of the layout: every implementation takes the same bytes.
 */
enum xseg_lock {
	XSEG_LOCK_CONTROL = 1ULL << 40,	/* control steps */
	XSEG_LOCK_PORTS = 1ULL << 41,	/* + port number: held as long as the port is bound */
	XSEG_LOCK_WAITERS = 1ULL << 42,	/* + waiter index: held as long as the waiter is in use */
};

/* How the consumer behind a waiter is woken. */
enum xseg_waiter_kind {
	XSEG_WAITER_NONE = 0,
	XSEG_WAITER_FUTEX = 1,		/* shared futex on the wait word */
	XSEG_WAITER_EVENTFD = 2,	/* eventfd passed over the socket of each channel */
};

/* Control steps that may be found half done. */
enum xseg_control_step {
	XSEG_STEP_NONE = 0,
	XSEG_STEP_BIND = 1,
	XSEG_STEP_CONNECT = 2,
	XSEG_STEP_REAP = 3,
	XSEG_STEP_WAITER = 4,
	XSEG_STEP_RECONNECT = 5,
	XSEG_STEP_UNBIND = 6,
};

/*
 * Start of the segment. Written by its creator, but for the words marked.
 */
struct xseg_header {
	__u64 magic;
	__u32 abi_version;
	__u32 header_size;
	__u64 features;
	__u32 port_size;
	__u32 waiter_size;
	__u32 channel_size;
	__u32 channel_header_size;
	__u32 slot_size;
	__u32 page_shift;
	__u32 nr_ports;
	__u32 nr_waiters;
	__u32 nr_channels;
	__u32 ready;			/* 1 once everything else is written (release) */
	__u64 segment_size;
	__u64 ports_offset;
	__u64 waiters_offset;
	__u64 channels_offset;
	__u64 heap_offset;
	__u64 heap_size;
	__u8 nonce[16];			/* made at creation: tells two segments of one name apart */
	__u8 boot_id[16];
	char name[64];
	char runtime_dir[80];
	__u64 volume_owners_offset;
	__u64 volumes_offset;
	__u32 nr_volumes;
	__u32 volume_size;
	__u64 volumes_missed;		/* volumes that found no free row; added to by any server */
	__u8 pad0[64];

	/* cache line 6: the lease. Written by the mapper; ~0 = no lease, never ends. */
	__u64 lease_deadline;		/* nanoseconds on CLOCK_BOOTTIME */
	__u64 term;
	__u8 pad1[48];

	/* cache line 7: control steps. Written by the holder of the control lock. */
	__u32 control_pid;
	__u32 control_step;		/* enum xseg_control_step */
	__u64 control_arg;
	__u64 control_since;		/* nanoseconds on CLOCK_BOOTTIME */
	__u64 next_incarnation;
	__u64 next_serial;
	__u8 pad2[24];
	__u8 reserved[3584];
};

/* Counters. Written by the owner alone, read by anyone; monotonic but for in_flight. */
struct xseg_counters {
	__u64 requests;
	__u64 errors;
	__u64 bytes_read;
	__u64 bytes_written;
	__u64 in_flight;
	__u64 wakes;
	__u64 restarts;
	__u64 reserved;
	__u64 latency[32];		/* log2 buckets: [i] counts 2^i <= ns / 256 < 2^(i+1) */
};

/*
 * One port. Written by its holder (who holds the range lock of the port), but state, pid,
 * start_time, incarnation, waiter and role change under the control lock too.
 */
struct xseg_port {
	__u32 state;			/* enum xseg_port_state */
	__u32 pid;
	__u64 start_time;		/* field 22 of /proc/PID/stat: clock ticks since boot */
	__u64 incarnation;		/* never 0 once bound; changes with each bind */
	__u32 waiter;			/* index of the waiter that serves this port */
	__u32 flags;
	char role[32];
	__u8 pad[64];
	struct xseg_counters counters;
	__u8 reserved[64];
};

/* What the row of a volume counts apart. */
enum xseg_volume_op_kind {
	XSEG_VOLUME_OP_READ = 0,
	XSEG_VOLUME_OP_WRITE = 1,
	XSEG_VOLUME_OP_FLUSH = 2,
	XSEG_VOLUME_OP_DISCARD = 3,	/* DISCARD and WRITE_ZEROES: no data goes along */
};

/* Counters of one kind of request on a volume. */
struct xseg_volume_op {
	__u64 requests;
	__u64 errors;
	__u64 bytes;			/* that the requests covered */
	__u64 reserved;
	__u64 latency[32];		/* as in struct xseg_counters */
};

/*
 * One volume that is served: a page, which has memory behind it only while it is in use. Who owns
 * row n is said by word n of the owner table: the incarnation of the port that serves the volume;
 * 0 = free.
 *
 *   from  to    who        how
 *   0     mine  server     CAS; then it backs the page, clears and describes it
 *   dead  mine  successor  CAS; the counters go on
 *   mine  0     owner      store; after it gave the page back
 *   dead  0     successor  through mine: a row that was never described
 *
 * Written by the owner alone. name, uuid and size are whole while seq is even and the same
 * before and after.
 */
struct xseg_volume {
	__u32 seq;			/* odd while the description changes */
	__u32 port;			/* that serves it */
	__u8 uuid[16];			/* zero: not described yet */
	__u64 size;			/* bytes */
	__u64 depth;			/* requests under way now */
	__u64 successions;		/* how often a successor took the row over */
	__u64 since;			/* nanoseconds on CLOCK_BOOTTIME when the counters began */
	__u32 name_size;
	__u32 flags;
	char name[128];
	__u8 pad[64];
	struct xseg_volume_op ops[4];	/* by enum xseg_volume_op_kind */
	__u8 reserved[2688];
};

/*
 * One waiter: the wait word of a serving thread, in a cache line of its own.
 *
 * Even = awake, odd = asleep. Consumer: add 1 (odd); look at everything again; futex_wait(word);
 * after every return add 2 and look again; add 1 (even) to go on. Producer: publish
 * (sequentially consistent), read the word; if odd and not the value that it last woke: add 2
 * (compare-and-swap), remember, FUTEX_WAKE. A producer never clears the sleep bit.
 */
struct xseg_waiter {
	__u32 word;
	__u32 kind;			/* enum xseg_waiter_kind; NONE = free */
	__u32 pid;
	__u32 pad;
	__u64 start_time;
	__u8 reserved[40];
};

/* One entry of the channel table; it is also the only record of who owns which extent. */
struct xseg_channel {
	__u32 state;			/* enum xseg_channel_state */
	__u32 flags;
	__u32 src_port;			/* submitter */
	__u32 dst_port;			/* server */
	__u64 src_incarnation;
	__u64 dst_incarnation;		/* of the server that serves it now; 0 = none yet */
	__u64 serial;			/* of this channel; raised on reconnection too */
	__u64 extent_offset;		/* bytes from the start of the segment, page-aligned */
	__u64 extent_size;
	__u64 buffer_offset;		/* bytes from the start of the segment, page-aligned */
	__u64 buffer_size;
	__u64 buffer_backed;		/* bytes of the buffer area that have memory behind them */
	__u32 nr_slots;
	__u32 slots_backed;		/* slots that have memory behind them: only they are used */
	__u8 pad1[40];
	struct xseg_counters counters;	/* written by the submitter */
	__u8 reserved[64];
};

/* Start of a channel's extent. The ring and the slots follow at the offsets given here. */
struct xseg_channel_header {
	__u32 tail;			/* next ring entry to publish; written by the submitter */
	__u8 pad0[60];
	__u32 head;			/* next ring entry to serve; written by the server */
	__u8 pad1[60];
	__u64 done[16];			/* bit per slot: server fetch-or, submitter swap with 0 */
	__u32 nr_slots;			/* copy for whoever maps only this extent */
	__u32 ring_offset;		/* bytes from the start of the extent */
	__u32 slots_offset;		/* bytes from the start of the extent */
	__u32 pad2;
	__u8 reserved[240];
};

/* One entry of the submission ring; the ring has nr_slots of them, so it can't overflow. */
struct xseg_ring_entry {
	__u32 slot;
	__u32 generation;		/* low 32 bits of the slot's generation */
};

/*
 * One request. The submitter writes it while the slot is FREE; after RUNNING the server owns the
 * reply fields and the inline area until DONE.
 */
struct xseg_slot {
	__u64 state;			/* (generation << 8) | enum xseg_slot_state */
	__u32 op;			/* enum xseg_op */
	__u32 flags;			/* enum xseg_request_flags */
	__u8 volume[16];		/* UUID; zero where there is none (yet) */
	__u64 term;			/* of the translation that this request rests on */
	__u64 offset;
	__u64 size;
	__u64 data_offset;		/* of the buffer, bytes from the start of the segment */
	__u64 data_size;
	__u32 target_size;
	__u32 inline_size;		/* of the request's, then of the reply's inline payload */
	__u8 request_id[16];		/* control requests: made by the first submitter */
	__s32 error;			/* reply: 0 or a positive errno */
	__u32 pad;
	__u64 serviced;			/* reply: bytes done, or what the operation defines */
	__u64 trace;
	__u64 submitted;		/* nanoseconds on CLOCK_MONOTONIC; by the submitter */
	__u8 payload[208];		/* inline payload */
	char target[176];		/* not NUL-terminated */
};

/* ---- payloads -------------------------------------------------------------------------- */

/* One level of a map entry: an object of (uuid, epoch, birth) and the sub-blocks it holds. */
struct xseg_map_level {
	__u8 uuid[16];
	__u64 epoch;
	__u64 birth;
	__u64 mask;
};

/* What lies below all levels. */
enum xseg_map_bottom {
	XSEG_BOTTOM_ZERO = 0,
	XSEG_BOTTOM_HASHED = 1,		/* key = SHA-256 name of the object */
	XSEG_BOTTOM_FOREIGN = 2,	/* key = origin number (u32), pad (u32), index (u64) */
};

/* MAPR reply (data buffer, one per object) and MAPW reply, COMMIT request (inline). */
struct xseg_map_entry {
	__u8 bottom;			/* enum xseg_map_bottom */
	__u8 nr_levels;
	__u8 pad[6];
	__u8 key[32];
	struct xseg_map_level level[4];
};

enum xseg_volume_flags {
	XSEG_VOLUME_READONLY = 1,
	XSEG_VOLUME_HASHED = 2,
	XSEG_VOLUME_PENDING = 4,
	XSEG_VOLUME_MOVING = 8,
	XSEG_VOLUME_OPEN = 256,		/* not stored: this node holds its lock */
	XSEG_VOLUME_UNCACHED = 512,	/* not stored: another node may change it: remember nothing */
};

/* OPEN and INFO reply (inline). */
struct xseg_volume_info {
	__u8 uuid[16];
	__u64 size;			/* bytes */
	__u32 object_size;		/* bytes */
	__u32 flags;			/* enum xseg_volume_flags */
	__u64 epoch;
	__u64 term;
	__u64 generation;		/* of the lock; 0 = never locked */
	__u32 port;			/* of the vlmcd thread that serves it; 0 = not said */
	__u32 nr_chunks;
	__s64 created;			/* seconds since 1970 UTC */
	__s64 modified;
	__u8 origin[16];		/* UUID of the snapshot it was cloned from, or zero */
	char owner[64];			/* node that holds the lock, padded with zeros; "" = nobody */
	__u8 reserved[48];
};

/* COPY, FILL (blocker): the source, inline. */
struct xseg_copy_args {
	__u64 offset;
	__u32 name_size;
	__u32 length;			/* FILL: of the range, which begins at offset in both objects; COPY: 0 */
	char name[192];
};

/* SNAPSHOT, RENAME, HASH: the other name; data buffer. The documented form. */
struct xseg_name_args {
	char name[256];
	__u32 name_size;
};

/* CLONE: data buffer. size 0 = the parent's; empty name = a blank volume. The documented form. */
struct xseg_clone_args {
	char name[256];
	__u32 name_size;
	__u32 pad;
	__u64 size;
	__u64 object_size;		/* ours: 0 = default; only for blank volumes */
};

/* SNAPSHOT of a member of a group, SNAPSHOT_GROUP: inline. All zeros: no group. */
struct xseg_group_args {
	__u8 group[16];
	__u32 nr_members;
	__u32 pad;
};

/* USAGE reply (inline): bytes that the map of a volume refers to. */
struct xseg_usage {
	__u64 allocated;		/* exclusive + shared */
	__u64 exclusive;		/* in objects that no other volume can refer to */
	__u64 shared;
	__u64 nr_objects;		/* map entries that refer to something */
	__u64 reserved[4];
};

enum xseg_range_kind {
	XSEG_RANGE_DATA = 0,
	XSEG_RANGE_ZERO = 1,		/* reads as zeros */
};

/* DIFF reply (data buffer): a range of a volume. */
struct xseg_range {
	__u64 offset;			/* bytes */
	__u64 length;			/* bytes */
	__u32 kind;			/* enum xseg_range_kind */
	__u32 pad;
};

/* DIFF reply (inline): where to go on. */
struct xseg_diff_next {
	__u64 index;			/* of the object to ask for next */
	__u32 more;			/* 0 = that was all */
	__u32 pad;
};

#define XSEG_CHECK_SIZE(t, n) static_assert(sizeof(struct t) == (n), #t " has another size")
#define XSEG_CHECK(t, f, n) static_assert(offsetof(struct t, f) == (n), #t "." #f " moved")

XSEG_CHECK_SIZE(xseg_header, 4096);
XSEG_CHECK(xseg_header, segment_size, 64);
XSEG_CHECK(xseg_header, nonce, 112);
XSEG_CHECK(xseg_header, runtime_dir, 208);
XSEG_CHECK(xseg_header, volume_owners_offset, 288);
XSEG_CHECK(xseg_header, lease_deadline, 384);
XSEG_CHECK(xseg_header, control_pid, 448);
XSEG_CHECK_SIZE(xseg_counters, 320);
XSEG_CHECK_SIZE(xseg_port, 512);
XSEG_CHECK(xseg_port, counters, 128);
XSEG_CHECK_SIZE(xseg_volume_op, 288);
XSEG_CHECK_SIZE(xseg_volume, 4096);
XSEG_CHECK(xseg_volume, ops, 256);
XSEG_CHECK_SIZE(xseg_waiter, 64);
XSEG_CHECK_SIZE(xseg_channel, 512);
XSEG_CHECK(xseg_channel, counters, 128);
XSEG_CHECK_SIZE(xseg_channel_header, 512);
XSEG_CHECK(xseg_channel_header, head, 64);
XSEG_CHECK(xseg_channel_header, done, 128);
XSEG_CHECK_SIZE(xseg_ring_entry, 8);
XSEG_CHECK_SIZE(xseg_slot, 512);
XSEG_CHECK(xseg_slot, payload, 128);
XSEG_CHECK(xseg_slot, target, 336);
XSEG_CHECK_SIZE(xseg_map_level, 40);
XSEG_CHECK_SIZE(xseg_map_entry, 200);
XSEG_CHECK_SIZE(xseg_volume_info, 208);
XSEG_CHECK_SIZE(xseg_copy_args, 208);
XSEG_CHECK_SIZE(xseg_name_args, 260);
XSEG_CHECK_SIZE(xseg_clone_args, 280);
XSEG_CHECK_SIZE(xseg_group_args, 24);
XSEG_CHECK_SIZE(xseg_usage, 64);
XSEG_CHECK_SIZE(xseg_range, 24);
XSEG_CHECK_SIZE(xseg_diff_next, 16);

#endif /* XSEG_ABI_H */
