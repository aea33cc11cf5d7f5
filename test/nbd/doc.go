// Package nbd tests a whole node through its NBD socket: with the clients that others wrote, and
// with our own where a client has to survive a restart of the server.
package nbd
