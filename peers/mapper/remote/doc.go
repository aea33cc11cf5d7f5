// Package remote carries the contract of package mapper over a channel of a segment: New is the
// submitter's side, Serve the server's. The layouts are those of abi.h.
//
//	operation  request                                              reply
//	OPEN       target = name, volume (or zero)                      inline: volume info
//	CLOSE      target = name, volume (or zero)                      -
//	MAPR       volume, target = name, offset = index, size = count  data: map entries
//	MAPW       volume, target = name, offset = index, term          inline: map entry
//	COMMIT     volume, target = name, offset = index, term,         inline: map entry
//	           inline: map entry, flag REPLACE
//	FLUSH      volume, target = name                                -
//	SNAPSHOT   target = volume's name, volume (or zero), id,        inline: volume info
//	           data: name args (the snapshot's name),               (of the snapshot)
//	           inline: group args, or nothing
//	CLONE      target = new name, id, data: clone args              inline: volume info
//	INFO       target = name                                        inline: volume info
//	LIST       target = cursor, data                                data: names, serviced = bytes,
//	                                                                inline: uint32 "more"
//	DELETE     target = name, volume (or zero), id                  -
//	RENAME     target = name, volume (or zero), id,                 inline: volume info
//	           data: name args (the new name)
//	ROLLBACK   target = volume's name, volume (or zero), id,        inline: volume info
//	           data: name args (the snapshot's name)
//	RESIZE     target = name, volume (or zero), id, size            inline: volume info
//	SNAPSHOT_GROUP  inline: group args, data: names                 -
//	USAGE      target = name                                        inline: usage
//	ACQUIRE    target = name, volume (or zero)                      inline: volume info
//	RELEASE    target = name, volume (or zero), flag FORCE          -
//	DIFF       target = name, offset = index,                       data: ranges, serviced = count,
//	           size = how many ranges fit at most,                  inline: diff next
//	           data: name args (the other name)
//
// Names in the data of LIST and SNAPSHOT_GROUP are each a little-endian uint16 length and the bytes. A reply with an
// error carries the text of the error inline, cut to the size of the inline area, so that the cause
// reaches whoever asked; the number alone decides what kind of error it is.
//
// What arrives is checked before use: lengths against the buffers they are in, names against the
// rules of volume names, the counts inside an entry against the layout.
package remote
