// Package remote carries the contract of a blocker over a channel: New is the submitter's side, a
// blocker.Store whose operations become requests; Serve is the server's side, a handler that
// submits what it receives to a store.
//
// The mapping. "size" and "offset" are fields of the request, "data" is its buffer, "count" is what
// the reply has serviced; numbers in payloads are little-endian. Volume, term and FUA go with every
// request.
//
//	operation     request        target  offset      size     data     payload        reply
//	Read          READ           name    Offset      len      to fill                 count N
//	Write         WRITE          name    Offset      len      Data                    count N
//	WriteZeroes   WRITE_ZEROES   name    Offset      Length                           count N
//	Discard       DISCARD        name    Offset      Length                           count N
//	Copy          COPY           name    Offset      Length            xseg_copy_args count N
//	Fill          FILL           name    Offset      len      Data     xseg_copy_args count N
//	Sync          SYNC           name                                                 count N
//	Stat          STAT           name                                                 count N, payload Allocated
//	Create        CREATE         name                len      Data                    count N
//	Replace       REPLACE        name                len      Data                    count N
//	Append        APPEND         name    Offset      len      Data                    count N
//	TruncateTail  TRUNCATE       name    Offset                                       count N
//	Delete        DELETE         name                                                 count N
//	List          LIST           Name                len      to fill  After          count N, payload More
//	LockRead      LOCK_READ      name                len      to fill                 count N, payload Generation
//	LockAdvance   LOCK_ADVANCE   name    Generation  len      Data                    count N, payload Generation
//
// Payloads of replies are one 64-bit number (More: 0 or 1), and are there after an error as well:
// ErrConflict has results. xseg_copy_args holds the source and its offset, and
// the length of the range of a Fill.
//
// Errors cross as errno. They come back as the contract's error of that number if there is one,
// else as the syscall.Errno, wrapped with the name of the object. Two pairs of errors share a
// number: what a store refuses as ErrName comes back as ErrArgument (but the client refuses bad
// names itself), and ErrBad as EIO.
//
// A request carries at most 4 MiB of data: an operation with more is ErrArgument.
package remote
