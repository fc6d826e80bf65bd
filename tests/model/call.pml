/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * The life of a call: the state word of an async context and everybody who moves it. Functions of
 * src/async/call.c, finish.c and timer.c, one atomic operation a step: begin, submit, run,
 * run_private, move_to_blocking_lane, stop, complete, notify, wait with its help, arm and disarm.
 * Slots and references are proved in slot.pml, turns in turn.pml, the workers' sleep in wake.pml;
 * here they are single steps, and so are the
 * engine's counts, which in the source are sums of what each thread counts.
 *
 * Proved, with whatever actors a run has: of each accepted call the callback runs once, or, without
 * a callback, it completes once; the winner alone writes outputs, before the status is visible, and
 * never after the callback has begun; a stopped call has none; what a call holds is released once;
 * nobody touches a context that is gone; a waiter does not sleep through the end; the counts of
 * places, pending calls and given-up calls return to zero.
 *
 * BREAK leaves one precaution out, and must make the proof fail.
 *
 * holds: -DCPU -DONE_WORKER -DCANCELLER -DWAITER -DFREER
 * long: -DCPU -DCANCELLER -DWAITER -DFREER
 * holds: -DCPU -DONE_WORKER -DCANCELLER -DTIMER -DRIVAL
 * long: -DCPU -DCANCELLER -DTIMER -DRIVAL
 * holds: -DCPU -DONE_WORKER -DRESETTER -DWAITER -DFREER
 * holds: -DCPU -DSILENT -DCANCELLER -DWAITER -DFREER
 * holds: -DBLOCKING -DCANCELLER -DTIMER
 * long: -DBLOCKING -DCANCELLER -DTIMER -DFREER
 * holds: -DBLOCKING -DCANCELLER -DWAITER
 * holds: -DMOVES -DCANCELLER -DTIMER
 * holds: -DURGENT -DONE_WORKER -DCANCELLER -DWAITER -DFREER -DRIVAL
 * long: -DURGENT -DCANCELLER -DWAITER -DFREER -DRIVAL
 * fails: -DCPU -DCANCELLER -DWAITER -DBREAK=1
 * fails: -DCPU -DCANCELLER -DWAITER -DBREAK=2
 * fails: -DCPU -DCANCELLER -DRIVAL -DBREAK=3
 * fails: -DBLOCKING -DCANCELLER -DTIMER -DBREAK=4
 * fails: -DCPU -DCANCELLER -DTIMER -DBREAK=5
 * fails: -DBLOCKING -DCANCELLER -DBREAK=6
 */
#ifndef BREAK
#define BREAK 0
#endif

#define MOST 2 /* attempts on the context */

mtype = { IDLE, PREPARING, QUEUED, LANED, DUE, RUNNING, BLOCKED, PUBLISHING, NOTIFYING, COMPLETE };
mtype = { PENDING, OWN, STOPPED };

/* The word. */
mtype state = IDLE;
byte attempt;
mtype status = PENDING;

/* The slot. */
bit live = 1;
byte refs = 1; /* the owner's */
#define GONE (refs == 0)

/* Fields of the call. */
byte reachable;
byte call_private; /* the attempt whose private job the call holds; 0: none */
byte armed;        /* the attempt in the timer heap; 0: none */
byte done;
byte waiters;
bit waiter_asleep;

/* By attempt: what was captured, and the private copy of it. */
bit job_live[MOST + 1];
byte private_refs[MOST + 1];
bit private_ready[MOST + 1]; /* in the lane's list */
byte released[MOST + 1];

/* What the outside sees. */
byte accepted;
byte published[MOST + 1];
byte notified[MOST + 1];
byte completed[MOST + 1];

/* The engine. */
chan ring = [2 * MOST] of { byte };
chan urgent = [2 * MOST] of { byte };
chan lane = [2 * MOST] of { byte };
byte places;
byte pending;
byte given_up;

inline unref()
{
    d_step { assert(refs > 0); refs-- }
}

inline private_unref(which)
{
    d_step {
        assert(private_refs[which] > 0);
        private_refs[which]--;
        if
        :: private_refs[which] == 0 -> released[which]++
        :: else -> skip
        fi
    }
}

/* Under the timer's lock: one step. */
inline arm(which)
{
    d_step {
        if
#if BREAK != 5
        :: attempt == which && (state == QUEUED || state == LANED || state == BLOCKED || state == RUNNING) &&
           armed == 0 ->
#else
        :: armed == 0 ->
#endif
           assert(!GONE);
           armed = which
        :: else -> skip
        fi
    }
}

inline disarm()
{
    armed = 0
}

inline push_ticket(which)
{
    reachable = which;
    ring!which
}

inline push_private(which)
{
    d_step { private_refs[which]++ };
    d_step { private_ready[which] = 1; lane!which }
}

/* osspi_call_begin to osspi_call_submit, by whoever finds the context idle or complete. */
inline submit(mine)
{
    atomic {
        if
        :: live -> refs++; mine = 1
        :: else -> mine = 0
        fi
    };
    if
    :: mine == 0 -> skip
    :: else ->
       if
       :: atomic { (state == IDLE || state == COMPLETE) && attempt < MOST -> state = PREPARING };
          d_step {
              accepted++;
              mine = attempt + 1;
              pending++;
              assert(!GONE && call_private == 0);
#ifdef URGENT
              job_live[mine] = 1;
              attempt = mine;
              status = PENDING;
              state = DUE
          };
          urgent!mine;
#else
              places++;
#ifdef BLOCKING
              private_refs[mine] = 2; /* the call's and this thread's */
              call_private = mine;
#else
              job_live[mine] = 1;
#endif
              assert(armed == 0)
          };
          d_step {
              attempt = mine;
              status = PENDING;
#ifdef BLOCKING
              state = LANED
#else
              state = QUEUED
#endif
          };
          arm(mine);
#ifdef BLOCKING
          push_private(mine);
          private_unref(mine);
#else
          push_ticket(mine);
#endif
#endif
          mine = 0
       :: atomic { !(state == IDLE || state == COMPLETE) || attempt == MOST -> mine = 0 };
          unref()
       fi
    fi
}

inline free_context(was_live)
{
    d_step { was_live = live; live = 0 };
    if
    :: was_live -> unref()
    :: else -> skip
    fi;
    was_live = 0
}

/* The callback itself ends, uses the context again, or frees it. */
inline notify(mine)
{
    assert(!GONE && state == NOTIFYING && attempt == mine);
    state = COMPLETE;
    d_step { notified[mine]++; assert(notified[mine] == 1) };
    if
    :: skip
    :: submit(scratch)
    :: free_context(flag)
    fi;
    unref();
    d_step { assert(pending > 0); pending-- }
}

/* Looks for waiters after the status is visible, with a barrier between the two. The call may be
 * gone by then, but for its memory. */
inline wake_waiters()
{
    if
#if BREAK != 1
    :: waiters > 0 -> done++; waiter_asleep = 0
#else
    :: flag -> done++; waiter_asleep = 0
#endif
    :: else -> skip
    fi;
#if BREAK == 1
    flag = 0
#else
    skip
#endif
}

/* The winner has let go of everything. */
inline complete(mine, result, is_worker)
{
#if BREAK == 1
    flag = (waiters > 0);
#endif
    d_step {
        assert(!GONE && state == PUBLISHING && attempt == mine);
        completed[mine]++;
        assert(completed[mine] == 1);
        assert(result != STOPPED || published[mine] == 0);
        status = result;
#ifdef SILENT
        state = COMPLETE
#else
        state = NOTIFYING
#endif
    };
#ifdef SILENT
    unref();
    wake_waiters();
    d_step { assert(pending > 0); pending-- }
#else
    if
    :: is_worker -> wake_waiters(); notify(mine)
    :: else -> urgent!mine; wake_waiters()
    fi
#endif
}

inline publish(mine)
{
    d_step {
        assert(!GONE && attempt == mine && state == PUBLISHING);
        assert(notified[mine] == 0 && completed[mine] == 0);
        published[mine]++;
        assert(published[mine] == 1)
    }
}

inline release_job(mine)
{
    d_step { assert(job_live[mine]); job_live[mine] = 0; released[mine]++ }
}

/* osspi_call_run; won: the ticket was good. */
inline run_call(mine, is_worker, won)
{
    won = 0;
    if
#if BREAK != 3
    :: atomic { state == QUEUED && attempt == mine -> state = RUNNING; won = 1 };
#else
    :: atomic { state == QUEUED -> state = RUNNING; won = 1 };
#endif
       places--
    :: atomic { state == DUE && attempt == mine -> state = RUNNING; won = 1 }
    :: else -> skip
    fi;
    if
    :: won ->
       assert(job_live[mine]);
#ifdef MOVES
       /* The leg wants to wait. */
       d_step {
           job_live[mine] = 0;
           private_refs[mine] = 2;
           call_private = mine;
           places++
       };
       state = LANED;
       arm(mine);
       push_private(mine);
       private_unref(mine);
#else
       d_step { assert(state == RUNNING && attempt == mine); state = PUBLISHING };
#if BREAK != 2
       publish(mine);
#endif
       disarm();
       release_job(mine);
       complete(mine, OWN, is_worker);
#if BREAK == 2
       published[mine]++;
#endif
#endif
       won = 1
    :: else -> skip
    fi
}

proctype worker()
{
    byte mine;
    byte scratch;
    bit flag;
    bit won;

end:
    do
    :: atomic { ring?mine };
       run_call(mine, 1, won);
       d_step { mine = 0; won = 0 }
    :: atomic { urgent?mine };
       if
       :: state == NOTIFYING -> notify(mine)
       :: else -> run_call(mine, 1, won)
       fi;
       d_step { mine = 0; won = 0 }
    od
}

/* osspi_call_run_private */
proctype blocking_thread()
{
    byte mine;
    byte scratch;
    bit flag;

end:
    do
    :: atomic { lane?mine -> private_ready[mine] = 0 };
       if
       :: atomic { state == LANED && attempt == mine -> state = BLOCKED };
          places--;
          assert(private_refs[mine] > 0 && released[mine] == 0);
          if
#if BREAK != 6
          :: atomic { state == BLOCKED && attempt == mine -> state = PUBLISHING };
#else
          :: atomic { attempt == mine -> state = PUBLISHING };
#endif
             publish(mine);
             disarm();
             d_step { assert(call_private == mine); call_private = 0 };
             private_unref(mine);
             private_unref(mine);
             complete(mine, OWN, 0)
          :: else ->
             d_step { assert(given_up > 0); given_up-- };
             private_unref(mine)
          fi
       :: else -> private_unref(mine)
       fi;
       mine = 0
    od
}

/* osspi_call_stop */
inline stop(mine)
{
    if
    :: atomic { (state == QUEUED || state == LANED) && attempt == mine -> state = PUBLISHING };
       places--;
       disarm();
       d_step { which = call_private; call_private = 0 };
       if
       :: which == 0 -> release_job(mine)
       :: else ->
          /* withdraw, under the lane's lock */
          d_step {
              flag = private_ready[which];
              private_ready[which] = 0;
              if
              :: flag -> lane??eval(which)
              :: else -> skip
              fi
          };
          if
          :: flag -> private_unref(which)
          :: else -> skip
          fi;
          private_unref(which)
       fi;
       d_step { which = 0; flag = 0 };
       complete(mine, STOPPED, 0)
    :: else ->
       given_up++;
       if
       :: atomic { state == BLOCKED && attempt == mine -> state = PUBLISHING };
          d_step { which = call_private; assert(which == mine); call_private = 0 };
#if BREAK != 4
          disarm();
#endif
          private_unref(which);
          which = 0;
          complete(mine, STOPPED, 0)
       :: else -> given_up--
       fi
    fi
}

/* osspi_call_cancel: which attempt it is that is cancelled was looked at before. */
proctype canceller()
{
    byte mine;
    byte which;
    byte scratch;
    bit flag;
    bit found;

    d_step { found = live; refs = refs + found };
    if
    :: found ->
       mine = attempt;
       stop(mine);
       unref()
    :: else -> skip
    fi
}

/* Deadlines pass at any moment. */
proctype timer()
{
    byte mine;
    byte which;
    byte scratch;
    bit flag;

end:
    do
    :: d_step { armed != 0 -> mine = armed; armed = 0; assert(!GONE); refs++ };
       stop(mine);
       unref();
       mine = 0
    od
}

proctype waiter()
{
    byte seen;
    byte mine;
    byte scratch;
    byte first;
    bit found;
    bit won;
    bit flag;

    d_step { found = live; refs = refs + found };
    if
    :: found ->
       waiters++;
       first = attempt;
       do
       :: seen = done;
          if
          :: d_step {
                 state == NOTIFYING || state == COMPLETE ->
                 assert(status == STOPPED || (status == OWN && published[attempt] == 1))
             };
             break
          :: state == IDLE || state == PREPARING -> break
          :: attempt != first -> break
          :: else -> skip
          fi;
          if
          :: d_step { state == QUEUED && reachable == attempt -> mine = attempt };
             run_call(mine, 0, won);
             mine = 0
          :: else -> skip
          fi;
          if
          :: won -> won = 0
          :: else ->
             atomic {
                 if
                 :: done != seen -> skip
                 :: else -> waiter_asleep = 1; waiter_asleep == 0
                 fi
             }
          fi
       od;
       waiters--;
       unref()
    :: else -> skip
    fi
}

proctype freer()
{
    bit flag;

    free_context(flag)
}

/* osspi_call_reinit, which holds no reference: the word alone tells whether it is still the same. */
proctype resetter()
{
    mtype old_state;
    mtype old_status;
    byte old_attempt;

    d_step { old_state = state; old_attempt = attempt; old_status = status };
    if
    :: live && (old_state == IDLE || old_state == COMPLETE) ->
       d_step {
           if
           :: state == old_state && attempt == old_attempt && status == old_status ->
              state = IDLE;
              status = PENDING
           :: else -> skip
           fi
       }
    :: else -> skip
    fi
}

proctype submitter()
{
    byte scratch;

    submit(scratch)
}

proctype monitor()
{
    byte i;

    timeout;
    for (i : 1 .. MOST) {
        if
        :: i <= accepted ->
           assert(completed[i] == 1 && released[i] == 1);
#ifdef SILENT
           assert(notified[i] == 0)
#else
           assert(notified[i] == 1)
#endif
        :: else -> skip
        fi
    }
    assert(places == 0 && pending == 0 && given_up == 0);
    assert(armed == 0 && call_private == 0);
    assert(refs == live);
    assert(!waiter_asleep)
}

init
{
    atomic {
        run submitter();
        run worker();
#if defined(BLOCKING) || defined(MOVES)
        run blocking_thread();
#elif !defined(ONE_WORKER)
        run worker();
#endif
#ifdef CANCELLER
        run canceller();
#endif
#ifdef TIMER
        run timer();
#endif
#ifdef WAITER
        run waiter();
#endif
#ifdef RESETTER
        run resetter();
#endif
#ifdef FREER
        run freer();
#endif
#ifdef RIVAL
        run submitter();
#endif
        run monitor()
    }
}
