/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The yardstick of the transport's benchmark: the bare round trip between processes over shared
 * memory, in C, with nothing that a real transport needs beyond it (no liveness, no generations,
 * no validation, no counters).
 *
 *   roundtrip HOPS DEPTH SECONDS [MODE]   prints: round trips, nanoseconds, nanoseconds a round trip
 *
 * MODE is spin (the default), nospin, or inline: all of the chain in one process, one after the
 * other, so that what remains is the work without a wake-up or a scheduler.
 *
 * The client keeps DEPTH requests in flight; each of HOPS servers passes a request on to the next
 * one, the last one answers, and the answer runs back through all of them. Rings, completion
 * bitmap and wait word are those of docs/segment-layout.md, so that the two differ in the
 * transport's own cost only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 64, MAX_HOPS = 8, SPIN_NS = 30000 };

struct slot {
	uint64_t fields[8];
};

struct channel {
	_Alignas(64) _Atomic uint32_t tail;
	_Alignas(64) _Atomic uint32_t head;
	_Alignas(64) _Atomic uint64_t done;
	_Alignas(64) uint32_t ring[SLOTS];
	struct slot slots[SLOTS];
};

struct waiter {
	_Alignas(64) _Atomic uint32_t word;
};

struct shared {
	struct waiter waiters[MAX_HOPS + 1];
	struct channel channels[MAX_HOPS];
};

/* One process: it submits on `out` (NULL at the end of the chain) and serves `in` (NULL: client). */
struct process {
	struct shared *shared;
	struct channel *in, *out;
	int index;
	uint32_t woken_next, woken_previous; /* the wait-word value last woken, per peer */
	int wake_next, wake_previous;
	int spin;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

/* A producer's half of the wait word: see the layout. */
static void wake(struct waiter *w, uint32_t *last)
{
	uint32_t v = atomic_load(&w->word);

	if (!(v & 1) || v == *last)
		return;
	if (atomic_compare_exchange_strong(&w->word, &v, v + 2)) {
		*last = v + 2;
		syscall(SYS_futex, &w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

static void submit(struct process *p, uint32_t slot)
{
	struct channel *c = p->out;
	uint32_t tail = atomic_load_explicit(&c->tail, memory_order_relaxed);

	c->ring[tail % SLOTS] = slot;
	atomic_store(&c->tail, tail + 1);
	p->wake_next = 1;
}

static void answer(struct process *p, uint32_t slot)
{
	atomic_fetch_or(&p->in->done, 1ull << slot);
	p->wake_previous = 1;
}

/* Serves what has come in: passes it on, or answers it. Returns whether there was anything. */
static int serve(struct process *p)
{
	struct channel *c = p->in;
	uint32_t head, tail;

	if (!c)
		return 0;
	head = atomic_load_explicit(&c->head, memory_order_relaxed);
	tail = atomic_load_explicit(&c->tail, memory_order_acquire);
	if (head == tail)
		return 0;
	for (; head != tail; head++) {
		uint32_t slot = c->ring[head % SLOTS];

		if (p->out) {
			p->out->slots[slot] = c->slots[slot];
			submit(p, slot);
		} else {
			c->slots[slot].fields[7] = c->slots[slot].fields[0];
			answer(p, slot);
		}
	}
	atomic_store_explicit(&c->head, head, memory_order_release);
	return 1;
}

/* Takes answers: relays them, or (client) counts them and submits the next. */
static uint64_t complete(struct process *p)
{
	uint64_t bits, n = 0;

	if (!p->out)
		return 0;
	if (!atomic_load_explicit(&p->out->done, memory_order_acquire))
		return 0;
	for (bits = atomic_exchange(&p->out->done, 0); bits; bits &= bits - 1, n++) {
		uint32_t slot = (uint32_t)__builtin_ctzll(bits);

		if (p->in) {
			p->in->slots[slot].fields[7] = p->out->slots[slot].fields[7];
			answer(p, slot);
		} else {
			p->out->slots[slot].fields[0]++;
			submit(p, slot);
		}
	}
	return n;
}

static void wake_peers(struct process *p)
{
	if (p->wake_next)
		wake(&p->shared->waiters[p->index + 1], &p->woken_next);
	if (p->wake_previous)
		wake(&p->shared->waiters[p->index - 1], &p->woken_previous);
	p->wake_next = p->wake_previous = 0;
}

static uint64_t step(struct process *p, int *busy)
{
	int served = serve(p);
	uint64_t n = complete(p);

	*busy = served || n;
	wake_peers(p);
	return n;
}

/* Spins a while, giving way, then sleeps on the wait word until there is something. */
static void idle(struct process *p, uint64_t *completed)
{
	_Atomic uint32_t *word = &p->shared->waiters[p->index].word;
	uint64_t until;
	int busy = 0;

	if (p->spin) {
		for (until = now() + SPIN_NS; now() < until;) {
			sched_yield();
			*completed += step(p, &busy);
			if (busy)
				return;
		}
	}
	atomic_fetch_add(word, 1);
	for (;;) {
		uint32_t v = atomic_load(word);

		*completed += step(p, &busy);
		if (busy)
			break;
		futex_wait(word, v);
		atomic_fetch_add(word, 2);
	}
	atomic_fetch_add(word, 1);
}

static void run(struct process *p, uint64_t until, uint64_t *completed)
{
	int busy;

	while (!until || now() < until) {
		*completed += step(p, &busy);
		if (!busy)
			idle(p, completed);
	}
}

/* The whole chain in this process: last server first, so that a batch runs through it at once. */
static void run_inline(struct process *client, int hops, uint64_t until, uint64_t *completed)
{
	struct process servers[MAX_HOPS];
	int busy;

	for (int i = 1; i <= hops; i++) {
		servers[i - 1] = (struct process){.shared = client->shared, .index = i};
		servers[i - 1].in = &client->shared->channels[i - 1];
		servers[i - 1].out = i < hops ? &client->shared->channels[i] : NULL;
	}
	while (now() < until)
		for (int n = 0; n < 1000; n++) {
			for (int i = hops; i >= 1; i--)
				step(&servers[i - 1], &busy);
			*completed += step(client, &busy);
		}
}

static void start_server(struct shared *s, int index, int hops, int spin)
{
	struct process p = {.shared = s, .index = index, .spin = spin};
	uint64_t completed = 0;

	if (fork() != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	p.in = &s->channels[index - 1];
	p.out = index < hops ? &s->channels[index] : NULL;
	run(&p, 0, &completed);
	_exit(0);
}

int main(int argc, char **argv)
{
	int hops = argc > 1 ? atoi(argv[1]) : 1;
	int depth = argc > 2 ? atoi(argv[2]) : 1;
	double seconds = argc > 3 ? atof(argv[3]) : 1;
	const char *mode = argc > 4 ? argv[4] : "spin";
	int spin = strcmp(mode, "nospin") != 0, in_line = !strcmp(mode, "inline");
	struct process client = {.spin = spin};
	uint64_t completed = 0, started, took;

	if (hops < 1 || hops > MAX_HOPS || depth < 1 || depth > SLOTS || seconds <= 0) {
		fprintf(stderr, "usage: roundtrip HOPS(1-%d) DEPTH(1-%d) SECONDS [spin|nospin|inline]\n", MAX_HOPS, SLOTS);
		return 2;
	}
	client.shared = mmap(NULL, sizeof *client.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (client.shared == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	for (int i = 1; i <= hops && !in_line; i++)
		start_server(client.shared, i, hops, spin);
	client.out = &client.shared->channels[0];
	for (int i = 0; i < depth; i++)
		submit(&client, (uint32_t)i);
	wake_peers(&client);
	started = now();
	if (in_line)
		run_inline(&client, hops, started + (uint64_t)(seconds * 1e9), &completed);
	else
		run(&client, started + (uint64_t)(seconds * 1e9), &completed);
	took = now() - started;
	printf("%llu %llu %.0f\n", (unsigned long long)completed, (unsigned long long)took,
	       completed ? (double)took / (double)completed : 0.0);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0) /* so that their processor time counts as ours */
		;
	return 0;
}
