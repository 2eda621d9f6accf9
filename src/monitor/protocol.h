/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_PROTOCOL_H
#define MONITOR_PROTOCOL_H
/*
 * What a monitor and its clients say to each other over a Unix stream socket.
 *
 * A frame is one byte of type, the length of its payload as 32 bits little endian, the payload.
 * Integers in payloads are little endian. Nothing is longer than FRAME_PAYLOAD_MAX.
 *
 *   client -> monitor                        monitor -> client
 *   HELLO    u32 CLIENT_* flags, first       STARTED    u32 pid; answers HELLO once the container
 *   RESIZE   u16 rows, u16 columns                      runs; carries the container's standard
 *   SIGNAL   u32 number                                 input as a descriptor if CLIENT_STDIN
 *   STDIN_EOF                                STDOUT, STDERR  bytes
 *   PAUSED   u8 bool: write it down          STDIN_EOF  close the descriptor you were given
 *   STOPPING u8 RESTART_MARK_*: heed them    DONE       answers PAUSED, STOPPING, POLICY,
 *   POLICY   u8 restart policy, u32 maximum             ADOPT and RELEASE
 *   ADOPT    u8 kind, payload; with descriptors
 *   RELEASE  u8 kind, key                    REFUSED    u32 errno: instead of DONE
 *                                            ERROR      struct err: the container did not start
 *                                            EXIT       i32 code, u8 out of memory; the last one
 *
 * Standard input does not cross in frames. The client gets the write end of the pipe (or the master
 * of the terminal) itself, so input runs at the speed of a pipe, has the pipe's own back-pressure,
 * and never holds up a signal queued behind it. The descriptor is non-blocking.
 *
 * The parser takes garbage: an unknown type or a wrong length is -EPROTO, and the peer is dropped.
 */
#include "monitor/companion.h"

#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_LEN  5
#define FRAME_PAYLOAD_MAX 65536
/* Control frames from a client fit here. */
#define FRAME_REQUEST_MAX (1 + COMPANION_PAYLOAD_MAX)

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_RESIZE,
	FRAME_SIGNAL,
	FRAME_STDIN_EOF,
	FRAME_PAUSED,
	FRAME_STARTED,
	FRAME_STDOUT,
	FRAME_STDERR,
	FRAME_DONE,
	FRAME_ERROR,
	FRAME_EXIT,
	FRAME_STOPPING,
	FRAME_POLICY,
	FRAME_ADOPT,
	FRAME_RELEASE,
	FRAME_REFUSED,
	N_FRAME_TYPES,
};

/* What a client is there for. */
enum client_flag {
	CLIENT_STDIN = 1 << 0,
	CLIENT_STDOUT = 1 << 1,
	CLIENT_STDERR = 1 << 2,
	/* It removes the container itself once it has read EXIT, so the monitor need not. */
	CLIENT_SETTLES = 1 << 3,
	CLIENT_FLAGS_ALL = (1 << 4) - 1,
};

#define FRAME_EXIT_LEN	 5
#define FRAME_POLICY_LEN 5

/* Little endian, at any alignment. The header's LEN is at most FRAME_PAYLOAD_MAX. */
void frame_put_u16(uint8_t *to, uint16_t v);
void frame_put_u32(uint8_t *to, uint32_t v);
uint16_t frame_get_u16(const uint8_t *from);
uint32_t frame_get_u32(const uint8_t *from);
void frame_put_header(uint8_t to[static FRAME_HEADER_LEN], enum frame_type type, size_t len);

/* Reads frames out of a byte stream that arrives in any pieces. STDOUT and STDERR are handed on
 * piece by piece as they come; all others whole. */
struct frame_parser {
	uint8_t header[FRAME_HEADER_LEN];
	uint8_t n_header;
	uint32_t remaining; /* payload bytes still to come */
	uint32_t n_control;
	uint32_t control_cap;
	uint8_t *control; /* borrowed: where whole frames are collected */
};

/* A frame, or a piece of an output frame. DATA points into the input or the parser's buffer and is
 * valid until the next call. */
struct frame_span {
	enum frame_type type;
	const uint8_t *data;
	size_t len;
};

/* CONTROL (borrowed, of CAP bytes) bounds the length of frames that are delivered whole. */
void frame_parser_init(struct frame_parser *parser, uint8_t *control, size_t cap);
/* Takes bytes from *DATA, *LEN and moves them on. 1: RET is the next span; 0: everything was taken
 * and more is needed; -EPROTO: not our protocol. */
int frame_parser_next(struct frame_parser *parser, const uint8_t **data, size_t *len,
		      struct frame_span *ret);

/* Sends one frame of up to FRAME_REQUEST_MAX payload bytes in one call, with the N descriptors FDS.
 * 0, or -errno; -EAGAIN when the socket had no room for all of it: give the peer up. */
int frame_send_fds(int socket_fd, enum frame_type type, const void *payload, size_t len,
		   const int *fds, size_t n);
/* The same with descriptor FD unless it is negative. */
int frame_send(int socket_fd, enum frame_type type, const void *payload, size_t len, int fd);

#endif
