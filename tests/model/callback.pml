/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * Callbacks on workers: spares that start, park, watch and step in, and callbacks held back when there
 * are none (osspi_executor_callback, may_enter_callback, hold_back, hand_on_held, osspi_spare_park,
 * look_locked, osspi_spare_step_back and release_spare in src/async/spare.c). How a worker sleeps and
 * wakes is proved in wake.pml; here it just waits.
 *
 * Proved: calls go on while callbacks block, as long as a spare can be had; a callback that was held
 * back runs in the end; each callback runs once; no more threads than allowed. Threads may be
 * refused, a watching spare may look, and idle spares may end, at any moment.
 *
 * One callback waits, not the first: with one spare until every call has done its work (which is what a
 * callback that calls OsspiWaitAsyncCall does), with two until all other callbacks have run. Without
 * spares nothing may wait.
 *
 * BREAK leaves one precaution out, and must make the proof fail.
 *
 * holds: -DTARGET=1 -DSPARES=1
 * holds: -DTARGET=1 -DSPARES=2
 * holds: -DTARGET=2 -DSPARES=0
 * holds: -DTARGET=2 -DSPARES=1
 * holds: -DTARGET=1 -DSPARES=2 -DNEVER_IDLE
 * fails: -DTARGET=1 -DSPARES=1 -DBREAK=1
 * fails: -DTARGET=2 -DSPARES=0 -DBREAK=2
 * fails: -DTARGET=1 -DSPARES=2 -DBREAK=3 -DNEVER_IDLE
 * fails: -DTARGET=1 -DSPARES=2 -DBREAK=4
 * fails: -DTARGET=1 -DSPARES=1 -DBREAK=5
 * fails: -DTARGET=1 -DSPARES=1 -DBREAK=6 -DNEVER_IDLE
 */
#ifndef BREAK
#define BREAK 0
#endif

#ifndef TARGET
#define TARGET 1
#define SPARES 1
#endif
#define CALLS 3
#define WAITS 2 /* before it, a spare may have parked */

chan urgent = [2 * CALLS] of { byte, bit }; /* the call; its work is done already */
chan held = [CALLS] of { byte };

/* The census, changed as one word. */
byte outside = TARGET;
byte inside;
byte back;

bit lock; /* thread_lock */
byte threads = TARGET;
byte released;
bit has_watcher;

byte parked;
bit watch;
byte park_word;
byte spare_news; /* counts threads that parked: a spare may be had that could not be had before */
bit can_spawn;

byte worked;
byte ran[CALLS + 1];
byte all_ran;

inline acquire()
{
    atomic { lock == 0 -> lock = 1 }
}

inline release()
{
    lock = 0
}

/* Counts round, as a futex word does; three bits are more than there are threads. */
inline wake_spares()
{
    d_step { park_word = (park_word + 1) % 8 }
}

inline hand_on_held()
{
    if
    :: len(held) == 0 -> skip
    :: else ->
       d_step {
           do
           :: len(held) > 0 -> held?moved; urgent!moved, 1
           :: else -> break
           od;
           moved = 0
       }
    fi
}

inline hold_back()
{
    held!mine;
#if BREAK != 1
    if
    :: outside > 1 || inside == 0 -> hand_on_held()
    :: else ->
       if
#if BREAK != 4
       :: spare_news != news -> hand_on_held()
#else
       :: parked > 0 -> hand_on_held()
#endif
       :: else -> skip
       fi
    fi
#endif
}

/* A parked spare that will step in if this callback lasts. */
inline spare_watches(answer)
{
    if
    :: parked == 0 -> answer = 0
    :: else ->
       d_step { was = watch; watch = 1; answer = 1 };
       if
       :: was -> was = 0
       :: else -> wake_spares()
       fi
    fi
}

inline release_spare(answer)
{
    acquire();
    d_step {
        news = spare_news;
        answer = (parked > 0);
        if
        :: answer -> parked--; released++; outside++
        :: else -> skip
        fi
    };
    if
    :: answer -> wake_spares()
    :: else ->
       atomic {
           if
           :: can_spawn && threads < TARGET + SPARES ->
              threads++;
              outside++;
              run worker();
              answer = 1
           :: else -> skip
           fi
       }
    fi;
    release()
}

inline may_enter(answer)
{
    d_step { answer = (outside > 1); outside--; inside++ };
    if
    :: answer -> skip
    :: else ->
       spare_watches(answer);
       if
       :: answer -> skip
       :: else ->
          release_spare(answer);
          if
          :: answer -> skip
          :: else ->
             if
             :: inside == 1 -> answer = 1
             :: else -> d_step { inside--; outside++ }
             fi
          fi
       fi
    fi
}

inline callback()
{
    atomic {
        mine != WAITS || !can_spawn || SPARES == 0 || (SPARES == 1 && worked == CALLS) ||
        all_ran == CALLS - 1;
        ran[mine]++;
        assert(ran[mine] == 1);
        all_ran++
    }
}

inline run_callback()
{
    may_enter(may);
    if
    :: may ->
       may = 0;
       callback();
       mine = 0;
       d_step { inside--; outside++; back++ };
#if BREAK != 2
       hand_on_held()
#endif
    :: else -> hold_back()
    fi;
    mine = 0;
    news = 0
}

/* The watcher goes: another has to take over while there is something to watch. */
inline end_watch()
{
    if
    :: watching ->
       d_step { watching = 0; has_watcher = 0 };
       if
       :: watch && parked > 0 -> wake_spares()
       :: else -> skip
       fi
    :: else -> skip
    fi
}

/* needed: everybody is inside callbacks, and was at the last look, and nobody came back. */
inline look_around(needed)
{
    d_step {
        needed = (outside == 0 && alone && back == seen_back);
        alone = (outside == 0);
        quiet = (back == seen_back && outside > 0);
        seen_back = back
    };
    if
    :: quiet ->
       /* After a while without use for it it sleeps on; the while is any number of looks. */
       if
       :: watch = 0;
#if BREAK != 6
          if
          :: outside == 0 -> watch = 1
          :: else -> skip
          fi
#endif
       :: skip
       fi
    :: else -> skip
    fi;
    quiet = 0
}

/* One look of a parked thread; idle: it has been there for long. fate 1: released, 2: ends. */
inline look(idle)
{
    acquire();
    if
    :: released > 0 -> released--; end_watch(); fate = 1
    :: else ->
       needed = 0;
       if
       :: !watch -> end_watch()
       :: else ->
          if
          :: !watching && !has_watcher ->
             d_step { watching = 1; has_watcher = 1; alone = 0; seen_back = 0 }
          :: else -> skip
          fi;
          if
          :: watching -> look_around(needed)
          :: else -> skip
          fi
       fi;
       if
       :: needed -> d_step { needed = 0; parked-- }; outside++; end_watch(); fate = 1
       :: !needed && idle ->
          parked--;
#if BREAK != 5
          if
          :: outside == 0 -> parked++
          :: else -> end_watch(); threads--; fate = 2
          fi
#else
          end_watch(); threads--; fate = 2
#endif
       :: else -> skip
       fi
    fi;
    release()
}

proctype worker()
{
    byte mine;
    byte moved;
    byte news;
    bit may;
    bit done;
    bit was;

    byte seen;
    byte seen_back;
    byte fate;
    bit watching;
    bit alone;
    bit quiet;
    bit needed;

end:
    do
    :: atomic { outside > TARGET -> outside-- };
       acquire();
       d_step { parked++; spare_news++ };
       release();
#if BREAK != 3
       hand_on_held();
#endif
       do
       :: seen = park_word;
          look(0);
          if
          :: fate -> break
          :: else -> skip
          fi;
end_parked:
          if
          :: seen != park_word -> skip
          :: watching && watch && all_ran < CALLS -> skip /* a millisecond has passed */
#ifndef NEVER_IDLE
          :: !watching ->
             look(1);
             if
             :: fate -> break
             :: else -> skip
             fi
#endif
          fi
       od;
       atomic { seen = 0; seen_back = 0; alone = 0; watching = 0 };
       if
       :: fate == 2 -> fate = 0; break
       :: else -> fate = 0
       fi
    :: atomic { nempty(urgent) -> urgent?mine, done };
       if
       :: done -> done = 0
       :: else -> worked++
       fi;
       run_callback()
    od
}

proctype monitor()
{
    timeout ->
    assert(all_ran == CALLS);
    assert(inside == 0 && len(held) == 0);
    assert(threads <= TARGET + SPARES)
}

init
{
    byte i;

    atomic {
        if
        :: can_spawn = 1
        :: can_spawn = 0
        fi;
        for (i : 1 .. CALLS) {
            urgent!i, 0
        }
        i = 0;
        run monitor();
        for (i : 1 .. TARGET) {
            run worker()
        }
        i = 0
    }
}
