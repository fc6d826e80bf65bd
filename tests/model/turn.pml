/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The line of legs on one security context (src/core/turn.c) together with those who use it:
 * enter_queue and turn_has_come in src/async/call.c, leave_turn in src/async/finish.c.
 *
 * Proved: two legs never run at once; legs run in the order in which they joined; every leg that is
 * not stopped runs; a leg that is stopped at any moment, and whose async context queues the next
 * leg before the first queueing thread has even joined the line, confuses nobody.
 *
 * BREAK leaves one precaution out, and must make the proof fail.
 *
 * holds:
 * fails: -DBREAK=1
 * fails: -DBREAK=2
 * fails: -DBREAK=3
 */
#ifndef BREAK
#define BREAK 0
#endif

#define CALLS    3 /* async contexts; the last one is stopped and used again */
#define REUSED   (CALLS - 1)
#define TICKETS  8
#define WORKERS  2

mtype = { IDLE, QUEUED, RUNNING, PUBLISHING, COMPLETE };

mtype state[CALLS] = IDLE;
byte attempt[CALLS];
bit in_line[CALLS];

bit lock;
chan line = [CALLS + 1] of { byte };
chan ring = [TICKETS] of { byte, byte };

byte running;
byte joined;           /* order numbers given */
byte order[CALLS];     /* of the leg that stands in line */
byte last_order;       /* of the leg that ran last */
byte ended[CALLS];     /* attempts that are over */
byte accepted[CALLS];

inline acquire()
{
    atomic { lock == 0 -> lock = 1 }
}

inline release()
{
    lock = 0
}

/* What osspi_turn_join and, if the turn was free, osspi_call_dispatch do. */
inline enter_queue(call, mine)
{
    acquire();
    held = 0;
    if
#if BREAK != 1
    :: state[call] == QUEUED && attempt[call] == mine ->
#else
    :: state[call] == QUEUED ->
#endif
       d_step {
           assert(!in_line[call]);
           in_line[call] = 1;
           joined++;
           order[call] = joined;
           held = (len(line) == 0);
           line!call
       }
    :: else -> skip
    fi;
    release();
    if
    :: held -> ring!call, mine
    :: else -> skip
    fi;
    held = 0
}

/* Out of the line; who holds the turn because of that is told under the lock. */
inline leave_turn(call)
{
    acquire();
    if
    :: in_line[call] ->
       d_step {
           in_line[call] = 0;
           held = 0;
           if
           :: line?[eval(call)] -> line?eval(call); held = 1
           :: else -> line??eval(call)
           fi
       };
#if BREAK == 2
       release();
#endif
       if
       :: held && len(line) > 0 -> line?<next>; ring!next, attempt[next]
       :: else -> skip
       fi;
       d_step { next = 0; held = 0 }
    :: else ->
#if BREAK == 2
       release()
#else
       skip
#endif
    fi;
#if BREAK != 2
    release()
#endif
}

proctype submitter(byte call; byte mine)
{
    bit held;

    enter_queue(call, mine)
}

/* Publishes the word, as submit_queued does, then joins in a process of its own: that may be late. */
inline submit(call)
{
    d_step {
        attempt[call]++;
        accepted[call]++;
        in_line[call] = 0;
        state[call] = QUEUED
    };
    run submitter(call, attempt[call])
}

proctype stopper()
{
    byte next;
    bit held;

end: /* it may come too late */
    atomic { state[REUSED] == QUEUED && attempt[REUSED] == 1 -> state[REUSED] = PUBLISHING };
#if BREAK != 3
    leave_turn(REUSED);
#endif
    d_step { ended[REUSED]++; state[REUSED] = COMPLETE };
    atomic { submit(REUSED) }
}

proctype worker()
{
    byte call;
    byte mine;
    byte next;
    bit held;

end:
    do
    :: atomic { ring?call, mine };
       if
       :: atomic { state[call] == QUEUED && attempt[call] == mine -> state[call] = RUNNING };
          d_step {
              running++;
              assert(running == 1);
              assert(order[call] > last_order);
              last_order = order[call]
          };
          running--;
          leave_turn(call);
          d_step { ended[call]++; state[call] = COMPLETE }
       :: else -> skip /* stale */
       fi;
       d_step { call = 0; mine = 0 }
    od
}

proctype monitor()
{
    byte i;

    timeout;
    for (i : 0 .. CALLS - 1) {
        assert(ended[i] == accepted[i])
    }
    assert(len(line) == 0)
}

init
{
    byte i;

    atomic {
        for (i : 0 .. CALLS - 1) {
            submit(i)
        }
        run stopper();
        for (i : 1 .. WORKERS) {
            run worker()
        }
        i = 0;
        run monitor()
    }
}
