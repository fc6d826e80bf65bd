/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * A completion queue (src/async/completion.c): posting, draining by several threads that wait for
 * edges of the descriptor, draining again inside a callback, and closing at any moment.
 *
 * Proved: each callback runs once and none is forgotten, although every drainer takes one entry
 * only and sleeps until the next edge; when the list is empty the descriptor is not readable, and
 * nobody is about to write to it; a queue closes only when no call is bound to it, and its
 * descriptor is not touched afterwards.
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

#define POSTERS  3
#define DRAINERS 2

bit lock;
byte bound;
byte entries;
bit closed;  /* no more binding */
bit fd_open = 1;
byte count;  /* the eventfd's; readable while it is not 0 */
bit edge;    /* an edge that no drainer has taken yet */
byte promised;
byte written;
bit awaited;
bit asleep; /* who awaits a write holds the lock, so there is one at most */
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
        assert(!fd_open || len(list) > 0 || (count == 0 && promised == 0));
        assert(entries == len(list));
        lock = 0
    }
}

/* keep_promise; a write makes an edge even if the descriptor was readable before. */
inline keep_promise()
{
    d_step { assert(fd_open); count++; edge = 1 };
    written++;
    if
    :: awaited -> asleep = 0
    :: else -> skip
    fi
}

/* set_unreadable_locked */
inline take_back()
{
    do
    :: seen = written;
       d_step { assert(fd_open); assert(count <= promised); promised = promised - count; count = 0 };
       if
#if BREAK != 5
       :: promised == 0 -> break
#else
       :: promised = 0; break
#endif
       :: promised > 0 ->
          if
          :: !awaited -> awaited = 1
          :: else ->
             atomic {
                 if
                 :: written != seen -> skip
                 :: else -> asleep = 1; asleep == 0
                 fi
             }
          fi
       fi
    od;
    awaited = 0;
    seen = 0
}

/* bind at submit, post at the end of the call; the callback unbinds before it runs */
proctype poster(byte id)
{
    bit refused;
    bit first;

    d_step {
        refused = closed;
        if
        :: refused -> skip
        :: else -> bound++; accepted++
        fi
    };
    if
    :: refused -> skip
    :: else ->
       acquire();
       d_step {
           first = (entries == 0);
           list!id;
           entries++;
           promised = promised + first
       };
       release();
       if
       :: first -> keep_promise()
       :: else -> skip
       fi
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
       :: entries == 0 -> take_back()
#endif
       :: else -> skip
       fi;
       left = (entries > 0)
    :: else -> skip
    fi;
    release()
}

inline notify()
{
    d_step { assert(bound > 0); bound-- };
    d_step {
        ran[mine]++;
        assert(ran[mine] == 1);
        all_ran++
    }
}

/* The end of OsspiDrainCompletions: who waits for edges learns of what is left. */
inline tell_of_rest()
{
#if BREAK != 2
    if
    :: left ->
#if BREAK != 3
       acquire();
       d_step { any = (entries > 0); promised = promised + any };
       release();
#else
       any = (entries > 0); /* looks without the lock */
       promised = promised + any;
#endif
       if
       :: any -> keep_promise()
       :: else -> skip
       fi;
       any = 0
    :: else -> skip
    fi;
#endif
    left = 0
}

/* Takes one entry an edge. The callback may drain again. */
proctype drainer()
{
    byte mine;
    byte seen;
    bit got;
    bit left;
    bit any;
    bit outer;

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
          d_step { outer = left; left = 0 };
          if
          :: take_entry();
             if
             :: got -> notify(); tell_of_rest()
             :: else -> skip
             fi
          :: skip
          fi;
          d_step { left = outer; outer = 0 }
       :: else -> skip
       fi;
       d_step { got = 0; mine = 0 };
       tell_of_rest()
    od
}

proctype closer()
{
    bit here;

    d_step {
#if BREAK != 4
        here = (bound == 0 && !closed);
#else
        here = (entries == 0 && !closed);
#endif
        closed = closed || here
    };
    if
    :: here -> atomic { fd_open = 0; count = 0 }
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
