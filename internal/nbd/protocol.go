// Package nbd has the numbers and the encodings of the NBD protocol that a server and a client
// share: fixed newstyle negotiation, structured replies, metadata contexts. It does no I/O.
//
// All numbers are big-endian. Names follow the protocol document (NBD_OPT_GO is OptGo), so that
// either can be searched for the other's.
package nbd

// Magic numbers.
const (
	MagicInit       uint64 = 0x4e42444d41474943 // "NBDMAGIC"
	MagicOption     uint64 = 0x49484156454f5054 // "IHAVEOPT"
	MagicOptReply   uint64 = 0x0003e889045565a9
	MagicRequest    uint32 = 0x25609513
	MagicSimple     uint32 = 0x67446698
	MagicStructured uint32 = 0x668e33ef
)

// Handshake flags (server) and client flags: the same two bits.
const (
	FlagFixedNewstyle uint16 = 1 << 0
	FlagNoZeroes      uint16 = 1 << 1
)

// Transmission flags.
const (
	FlagHasFlags        uint16 = 1 << 0
	FlagReadOnly        uint16 = 1 << 1
	FlagSendFlush       uint16 = 1 << 2
	FlagSendFUA         uint16 = 1 << 3
	FlagRotational      uint16 = 1 << 4
	FlagSendTrim        uint16 = 1 << 5
	FlagSendWriteZeroes uint16 = 1 << 6
	FlagSendDF          uint16 = 1 << 7
	FlagCanMultiConn    uint16 = 1 << 8
	FlagSendCache       uint16 = 1 << 10
	FlagSendFastZero    uint16 = 1 << 11
)

// Option is the type of an option.
type Option uint32

// Options.
const (
	OptExportName      Option = 1
	OptAbort           Option = 2
	OptList            Option = 3
	OptStartTLS        Option = 5
	OptInfo            Option = 6
	OptGo              Option = 7
	OptStructuredReply Option = 8
	OptListMetaContext Option = 9
	OptSetMetaContext  Option = 10
)

// Reply is the type of a reply to an option. Bit 31 marks errors.
type Reply uint32

// Replies to options.
const (
	RepAck         Reply = 1
	RepServer      Reply = 2
	RepInfo        Reply = 3
	RepMetaContext Reply = 4

	repError         Reply = 1 << 31
	RepErrUnsup      Reply = repError + 1
	RepErrPolicy     Reply = repError + 2
	RepErrInvalid    Reply = repError + 3
	RepErrPlatform   Reply = repError + 4
	RepErrTLSReqd    Reply = repError + 5
	RepErrUnknown    Reply = repError + 6
	RepErrShutdown   Reply = repError + 7
	RepErrBlockSize  Reply = repError + 8
	RepErrTooBig     Reply = repError + 9
	RepErrExtHeaders Reply = repError + 10
)

// IsError says whether the option failed.
func (r Reply) IsError() bool { return r&repError != 0 }

// Info types in the replies to OptInfo and OptGo.
const (
	InfoExport      uint16 = 0
	InfoName        uint16 = 1
	InfoDescription uint16 = 2
	InfoBlockSize   uint16 = 3
)

// Command is the type of a request.
type Command uint16

// Commands.
const (
	CmdRead        Command = 0
	CmdWrite       Command = 1
	CmdDisc        Command = 2
	CmdFlush       Command = 3
	CmdTrim        Command = 4
	CmdCache       Command = 5
	CmdWriteZeroes Command = 6
	CmdBlockStatus Command = 7
)

// Flags of commands.
const (
	CmdFlagFUA      uint16 = 1 << 0
	CmdFlagNoHole   uint16 = 1 << 1
	CmdFlagDF       uint16 = 1 << 2
	CmdFlagReqOne   uint16 = 1 << 3
	CmdFlagFastZero uint16 = 1 << 4
)

// Chunk is the type of a chunk of a structured reply. Bit 15 marks errors.
type Chunk uint16

// Chunks, and the flag of the last one of a reply.
const (
	ChunkNone        Chunk = 0
	ChunkData        Chunk = 1
	ChunkHole        Chunk = 2
	ChunkStatus      Chunk = 5
	ChunkError       Chunk = 1<<15 + 1
	ChunkErrorOffset Chunk = 1<<15 + 2

	ReplyFlagDone uint16 = 1 << 0
)

// IsError says whether the chunk tells of an error.
func (c Chunk) IsError() bool { return c&(1<<15) != 0 }

// The one metadata context of the base namespace, and its bits.
const (
	ContextBase       = "base:"
	ContextAllocation = "base:allocation"

	StateHole uint32 = 1 << 0
	StateZero uint32 = 1 << 1
)

// Our own context: the state of an extent is the depth at which its bytes are found, counted from 1
// in the uppermost object; 0 = nowhere, they read as zeros.
const (
	ContextArchipelago = "archipelago:"
	ContextDepth       = "archipelago:depth"
)

// Limits of the protocol, in bytes.
const (
	MaxString  = 4096     // an export name, a message
	MaxPayload = 32 << 20 // what every server and client must cope with
)

// Sizes of the fixed parts, in bytes.
const (
	GreetingSize     = 18 // server's first bytes
	OptionSize       = 16 // head of an option
	OptReplySize     = 20 // head of a reply to an option
	RequestSize      = 28
	SimpleSize       = 16
	StructuredSize   = 20
	ChunkDataSize    = StructuredSize + 8 // up to the data
	ChunkErrorSize   = StructuredSize + 6 // without a message
	ChunkStatusSize  = StructuredSize + 4 // up to the extents
	ExtentSize       = 8
	ExportReplySize  = 10  // reply to OptExportName without its zeros
	ExportZeroesSize = 124 // unless both sides said no
)
