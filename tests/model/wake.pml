/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Sleep and wake of workers: the ring (src/async/ring.c) and the eventcount around it
 * (sleep_until_woken and osspi_executor_wake in src/async/executor.c), step by step.
 *
 * Proved: no ticket is lost or run twice, and none stays in the ring while a worker sleeps, even if
 * the worker that runs another ticket is busy until all others are done.
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
 */
#ifndef BREAK
#define BREAK 0
#endif

#define WORKERS   2
#define PRODUCERS 2
#define TICKETS   3 /* producer 0 pushes 1 and 3, producer 1 pushes 2 */
#define CELLS     4
#define LONG      1 /* its worker is busy until all others are done */

byte sequence[CELLS];
byte ticket[CELLS];
byte head;
byte tail;

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
inline ring_push(value)
{
    do
    :: position = tail;
       if
       :: atomic { tail == position && sequence[position % CELLS] == position -> tail++ };
          break
       :: else -> skip
       fi
    od;
    ticket[position % CELLS] = value;
    sequence[position % CELLS] = position + 1
}

inline ring_pop(value)
{
    value = 0;
    do
    :: position = head;
       if
       :: atomic { head == position && sequence[position % CELLS] == position + 1 -> head++ };
          value = ticket[position % CELLS];
          sequence[position % CELLS] = position + CELLS;
          break
       :: atomic { head == position && sequence[position % CELLS] < position + 1 -> skip };
          break
       :: else -> skip
       fi
    od
}

/* Not one step: head and the cell's sequence are read apart. */
inline ring_has_any(answer)
{
    position = head;
    d_step { answer = (sequence[position % CELLS] != position); position = 0 }
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
       ring_push(mine);
       position = 0; /* here and below: what is dead is 0, or states differ by it */
       wake();
       was_waking = 0;
       mine = mine + PRODUCERS
    :: else -> break
    od
}

proctype worker()
{
    byte position;
    byte seen;
    byte mine;
    bit any;
    bit was_waking;

end:
    do
    :: ring_pop(mine);
       if
       :: mine != 0 ->
#if BREAK != 4
          ring_has_any(any);
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
          ring_has_any(any);
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
        for (i : 0 .. CELLS - 1) {
            sequence[i] = i
        }
        for (i : 0 .. WORKERS - 1) {
            run worker()
        }
        for (i : 0 .. PRODUCERS - 1) {
            run producer(i + 1)
        }
        run monitor()
    }
}
