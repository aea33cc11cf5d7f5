// Package ring is a checked model of the data path of the transport: submission ring, slot states,
// completion bitmap and the wait words of both directions, between a server and one or two
// submitters, with requests taken back, a successor of a killed server, and a successor of a
// killed submitter. Both sides are killed before any step, which are those that package step of
// the transport names. The server answers at once, later from another thread, or when another
// server that it has passed the request to has answered it.
//
// What must hold: nobody sleeps for ever while there is work for it; every request of a live
// submitter ends once; none is executed after it ended, was taken back, or was already answered;
// none of a dead submitter is executed after one of its successor; nobody writes to a buffer that
// isn't its request's any more.
//
// The wait word is counted on nowhere but for whether it moved since somebody read it, which is
// all that the protocol looks at. That reading it and moving it are two steps of a producer is the
// business of a model beside the transport itself. Rows and extents are that of package table.
package ring
