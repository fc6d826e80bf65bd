/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sleep and wake of workers: the rings (src/async/ring.c), one for each worker, who takes from the
 * other one when its own is empty (src/async/rings.c), and the eventcount around them
 * (sleep_until_woken and osspi_executor_wake in src/async/executor.c), step by step.
 *
 * Proved: no ticket is lost or run twice, and none stays in a ring while a worker sleeps, even if
 * the worker that runs another ticket is busy until all others are done: the
 * other one takes what is in that worker's ring.
 *
 * One step here is one atomic operation there. Steps interleave as if memory were sequentially
 * consistent. That is enough: a full barrier stands between a push and the producer's look at
 * `sleepers`, and between a worker's announcement there and its look at the ring, so that one of
 * the two sees what the other wrote.
 *
 * BREAK leaves one precaution out, and must make the proof fail.
 *
 * holds:
 * fails: -DBREAK=1
 * fails: -DBREAK=2
 * fails: -DBREAK=3
 * fails: -DBREAK=4
 * fails: -DBREAK=5
 */
#ifndef BREAK
#define BREAK 0
#endif

#define WORKERS   2
#define PRODUCERS 2
#define RINGS     2
#define TICKETS   3 /* producer 0 pushes 1 and 3, producer 1 pushes 2 */
#define RING_OF(ticket) (ticket == 1 -> 0 : 1)
#define CELLS     4 /* of each ring */
#define LONG      1 /* its worker is busy until all others are done */

byte sequence[RINGS * CELLS]; /* those of ring 0, then those of ring 1; with the next line too */
byte ticket[RINGS * CELLS];
byte head[RINGS];
byte tail[RINGS];

#define CELL(ring, position) ((ring) * CELLS + (position) % CELLS)

byte wake_word;
byte sleepers;
bit waking;

byte asleep;  /* threads inside the futex */
byte permits; /* of these, woken and not yet back */

byte runs[TICKETS + 1];
byte finished;

/* The futex: looks and sleeps in one step, as the kernel does. */
inline futex_wait(seen)
{
    atomic {
        if
        :: wake_word != seen -> skip
        :: else ->
           asleep++;
end_asleep:
           permits > 0 -> permits--
        fi
    }
}

inline futex_wake()
{
    d_step {
        if
        :: asleep > 0 -> asleep--; permits++
        :: else -> skip
        fi
    }
}

/* The positions count on; the model pushes so few tickets that bytes do not wrap. */
inline ring_push(which, value)
{
    do
    :: position = tail[which];
       if
       :: atomic { tail[which] == position && sequence[CELL(which, position)] == position ->
                   tail[which]++ };
          break
       :: else -> skip
       fi
    od;
    ticket[CELL(which, position)] = value;
    sequence[CELL(which, position)] = position + 1
}

inline ring_pop(which, value)
{
    value = 0;
    do
    :: position = head[which];
       if
       :: atomic { head[which] == position && sequence[CELL(which, position)] == position + 1 ->
                   head[which]++ };
          value = ticket[CELL(which, position)];
          sequence[CELL(which, position)] = position + CELLS;
          break
       :: atomic { head[which] == position && sequence[CELL(which, position)] < position + 1 ->
                   skip };
          break
       :: else -> skip
       fi
    od
}

/* The own ring first. What is under way in a ring that was looked at is the other's to see. */
inline rings_pop(value)
{
    ring_pop(own, value);
    if
    :: value == 0 -> position = 0; ring_pop(1 - own, value)
    :: else -> skip
    fi
}

/* Not one step: head and the cell's sequence are read apart. */
inline ring_has_any(which, answer)
{
    position = head[which];
    d_step { answer = (sequence[CELL(which, position)] != position); position = 0 }
}

inline rings_have_any(answer)
{
    ring_has_any(own, answer);
#if BREAK != 5
    if
    :: !answer -> ring_has_any(1 - own, answer)
    :: else -> skip
    fi
#endif
}

inline wake()
{
    if
    :: sleepers == 0 -> skip
    :: else ->
       d_step { was_waking = waking; waking = 1 };
       if
       :: was_waking -> skip
       :: else -> wake_word++; futex_wake()
       fi
    fi
}

proctype producer(byte mine)
{
    byte position;
    bit was_waking;

    do
    :: mine <= TICKETS ->
       ring_push(RING_OF(mine), mine);
       position = 0; /* here and below: what is dead is 0, or states differ by it */
       wake();
       was_waking = 0;
       mine = mine + PRODUCERS
    :: else -> break
    od
}

proctype worker(bit own)
{
    byte position;
    byte seen;
    byte mine;
    bit any;
    bit was_waking;

end:
    do
    :: rings_pop(mine);
       if
       :: mine != 0 ->
#if BREAK != 4
          rings_have_any(any);
          if
          :: any -> wake()
          :: else -> skip
          fi;
#endif
          d_step { any = 0; was_waking = 0; position = 0; runs[mine]++; assert(runs[mine] == 1) };
          atomic { mine != LONG || finished == TICKETS - 1 -> finished++; mine = 0 }
       :: else ->
#if BREAK != 3
          seen = wake_word;
#endif
          sleepers++;
#if BREAK != 2
          waking = 0;
#endif
#if BREAK != 1
          rings_have_any(any);
#else
          any = 0;
#endif
#if BREAK == 3
          seen = wake_word;
#endif
          if
          :: any -> skip
          :: else ->
             futex_wait(seen)
          fi;
          d_step { sleepers--; seen = 0; any = 0; position = 0 };
          waking = 0
       fi
    od
}

/* Runs when nobody else can: then all must have been done. */
proctype monitor()
{
    timeout -> assert(finished == TICKETS)
}

init
{
    byte i;

    atomic {
        for (i : 0 .. RINGS * CELLS - 1) {
            sequence[i] = i % CELLS
        }
        for (i : 0 .. WORKERS - 1) {
            run worker(i)
        }
        for (i : 0 .. PRODUCERS - 1) {
            run producer(i + 1)
        }
        run monitor()
    }
}
