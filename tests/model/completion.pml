/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A completion queue (src/async/completion.c): posting, draining by several threads that wait for
 * edges of the descriptor, draining again inside a callback, and closing at any moment.
 *
 * Proved: each callback runs once and none is forgotten, although every drainer takes one entry
 * only and sleeps until the next edge; the descriptor is readable exactly while the list holds an
 * entry; a queue closes only when no call is bound to it, and is not touched afterwards.
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

#define POSTERS  3
#define DRAINERS 2

bit lock;
byte bound;
byte entries;
bit closed;  /* no more binding */
bit fd_open = 1;
bit readable; /* the eventfd's counter is not 0 */
bit edge;     /* an edge that no drainer has taken yet */
chan list = [POSTERS] of { byte };

byte accepted;
byte ran[POSTERS];
byte all_ran;

inline acquire()
{
    atomic { lock == 0 -> lock = 1 }
}

inline release()
{
    d_step {
        assert(!fd_open || readable == (len(list) > 0));
        assert(entries == len(list));
        lock = 0
    }
}

/* A write makes an edge even if the descriptor was readable before. */
inline set_readable()
{
    d_step { assert(fd_open); readable = 1; edge = 1 }
}

/* bind at submit, post at the end of the call; the callback unbinds before it runs */
proctype poster(byte id)
{
    bit refused;

    acquire();
    refused = closed;
    if
    :: refused -> skip
    :: else -> bound++; accepted++
    fi;
    release();
    if
    :: refused -> skip
    :: else ->
       acquire();
       list!id;
       entries++;
       if
       :: entries == 1 -> set_readable()
       :: else -> skip
       fi;
       release()
    fi
}

inline take_entry()
{
    got = 0;
    acquire();
    if
    :: entries > 0 ->
       got = 1;
       list?mine;
       entries--;
       if
#if BREAK != 1
       :: entries == 0 -> d_step { assert(fd_open); readable = 0 }
#endif
       :: else -> skip
       fi
    :: else -> skip
    fi;
    release()
}

inline notify()
{
    acquire();
    bound--;
    release();
    d_step {
        ran[mine]++;
        assert(ran[mine] == 1);
        all_ran++
    }
}

/* The end of OsspiDrainCompletions: who waits for edges learns of what is left. */
inline tell_of_rest()
{
    acquire();
#if BREAK != 2
    if
    :: entries > 0 && !closed -> set_readable()
    :: else -> skip
    fi;
#endif
    release()
}

/* Takes one entry an edge. The callback may drain again. */
proctype drainer()
{
    byte mine;
    bit got;

end:
    do
    :: atomic { edge -> edge = 0 };
       if
       :: fd_open -> skip
       :: else -> break
       fi;
       take_entry();
       if
       :: got ->
          notify();
          if
          :: take_entry();
             if
             :: got -> notify(); tell_of_rest()
             :: else -> skip
             fi
          :: skip
          fi
       :: else -> skip
       fi;
       got = 0;
       mine = 0;
#if BREAK != 3
       tell_of_rest()
#else
       if
       :: entries > 0 && !closed -> set_readable() /* looks without the lock */
       :: else -> skip
       fi
#endif
    od
}

proctype closer()
{
    bit here;

    acquire();
#if BREAK != 4
    here = (bound == 0 && !closed);
#else
    here = (entries == 0 && !closed);
#endif
    closed = closed || here;
    release();
    if
    :: here -> atomic { fd_open = 0; readable = 0 }
    :: else -> skip
    fi
}

proctype monitor()
{
    timeout ->
    assert(all_ran == accepted);
    assert(bound == 0)
}

init
{
    byte i;

    atomic {
        for (i : 0 .. POSTERS - 1) {
            run poster(i)
        }
        for (i : 1 .. DRAINERS) {
            run drainer()
        }
        i = 0;
        run closer();
        run monitor()
    }
}
