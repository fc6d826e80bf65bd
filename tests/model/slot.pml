/* SPDX-License-Identifier: MIT */
/* Copyright (c) 2026 the OpenSSPI authors */
/*
 * One slot of a handle table (src/base/table.c): generation, state and references in one word,
 * changed by single atomic operations. Two owners make an object in the slot one after the other,
 * two threads free each of them, others look it up by names right and stale.
 *
 * Proved: an object is destroyed once, and never while a look-up that succeeded still holds it; a
 * stale name finds nothing and harms nothing; of two that free, one does.
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

#define LIVES   2
#define LOOKUPS 1

mtype = { FREE, LIVE, DEAD, DESTROYING };

/* The word. */
byte generation;
mtype state = FREE;
byte refs;

bit in_free_line = 1;
byte destroyed[LIVES + 1];
byte retired[LIVES + 1];
byte holders[LIVES + 1]; /* look-ups that succeeded and have not let go */
byte made;

/* osspi_slot_unref: subtract, then whoever takes a dead slot without references to DESTROYING. */
inline unref()
{
    d_step {
        assert(refs > 0);
        refs--;
        mine_to_destroy = (state == DEAD && refs == 0)
    };
    if
    :: mine_to_destroy ->
#if BREAK != 1
       d_step {
           mine_to_destroy = (state == DEAD && refs == 0);
           if
           :: mine_to_destroy -> state = DESTROYING; refs = 1
           :: else -> skip
           fi
       }
#else
       d_step { state = DESTROYING; refs = 1 } /* without looking again */
#endif
       ;
       if
       :: mine_to_destroy ->
          d_step {
              destroyed[generation]++;
              assert(destroyed[generation] == 1);
              assert(holders[generation] == 0)
          };
          /* give_back, under the table's lock */
          d_step {
              assert(state == DESTROYING && refs > 0 && !in_free_line);
              refs--;
              state = FREE;
              in_free_line = 1
          }
       :: else -> skip
       fi
    :: else -> skip
    fi;
    mine_to_destroy = 0
}

/* osspi_table_lookup: takes a reference first and looks at what it was afterwards. */
inline lookup(id, found)
{
    d_step {
        found = (id != 0 && generation == id && state == LIVE);
        refs++;
        holders[id] = holders[id] + found
    };
    if
#if BREAK != 2
    :: !found -> unref()
#else
    :: !found -> refs-- /* as if it could not be the last */
#endif
    :: else -> skip
    fi
}

inline let_go(id)
{
    holders[id]--;
    unref()
}

/* One of two threads that free the object they know by this name. */
proctype freer(byte id)
{
    bit found;
    bit was_first;
    bit mine_to_destroy;

    lookup(id, found);
    if
    :: found ->
       d_step {
           was_first = (generation == id && state == LIVE);
#if BREAK == 3
           was_first = (generation == id);
#endif
           if
           :: was_first -> state = DEAD; retired[id]++
           :: else -> skip
           fi
       };
       assert(retired[id] <= 1);
       if
       :: was_first -> unref() /* the owner's */
       :: else -> skip
       fi;
       let_go(id)
    :: else -> skip
    fi
}

proctype user(byte id)
{
    bit found;
    bit mine_to_destroy;

    lookup(id, found);
    if
    :: found ->
       d_step {
           assert(destroyed[id] == 0);
           assert(generation == id)
       };
       let_go(id)
    :: else -> skip
    fi
}

/* osspi_table_acquire; stale references on a free slot are carried over. */
proctype owner()
{
    byte id;
    byte i;

end:
    do
    :: atomic { made < LIVES && in_free_line -> in_free_line = 0 };
       d_step {
           assert(state == FREE);
           generation++;
           state = LIVE;
           refs++;
           made++;
           id = generation
       };
       atomic {
           run freer(id);
           run freer(id);
           for (i : 1 .. LOOKUPS) {
               run user(id)
           }
           i = 0
       }
    od
}

proctype monitor()
{
    byte i;

    timeout;
    assert(made == LIVES && state == FREE && refs == 0);
    for (i : 1 .. LIVES) {
        assert(destroyed[i] == 1 && retired[i] == 1 && holders[i] == 0)
    }
}

init
{
    atomic {
        run owner();
        run monitor()
    }
}
